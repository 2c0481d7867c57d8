"""Random edits of random modules: after each, the live module does what a fresh import of the same text does."""
import random
import types

import pytest

from test_reloader import Live

SEEDS, EDITS = 24, 12


class Module:
    """A random module as a list of statements; `edit` changes a few of them."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.items: dict[str, str] = {}
        for _ in range(8):
            self.add()

    def edit(self) -> None:
        for _ in range(self.chance.randint(1, 4)):
            name = self.chance.choice(list(self.items) or [""])
            kind = self.chance.random()
            if kind < 0.3 or not name:
                self.add()
            elif kind < 0.45:
                del self.items[name]
            else:
                self.items[name] = self.make(name)

    def add(self) -> None:
        kind = self.chance.choice(["f", "f", "C", "C", "E", "N", "T"])
        name = f"{kind}{self.chance.randint(0, 5)}"
        self.items[name] = self.make(name)

    def text(self) -> str:
        """The source. Classes come first, in the order of their names, so that each finds its base."""
        order = sorted(self.items, key=lambda name: ("NECfT".index(name[0]), name))
        body = "\n\n".join(self.items[name] for name in order)
        return (f"import collections, contextlib, dataclasses, enum, functools\n\n\ndef deco(n):\n    def wrap(f):\n        @functools.wraps(f)\n"
                f"        def inner(*a, **k):\n            return n, f(*a, **k)\n        return inner\n    return wrap\n\n\n{body}\n\n\n"
                f"class Task:\n    def execute(self, data):\n        return 0\n")

    def n(self) -> int:
        return self.chance.randint(0, 9)

    def make(self, name: str) -> str:
        return {"f": self.function, "C": self.class_, "E": self.enum, "N": self.number, "T": self.table}[name[0]](name)

    def number(self, name: str) -> str:
        return f"{name} = {self.n()}"

    def value(self) -> str:
        """An expression over what may be there: it is looked up when it runs."""
        return self.chance.choice([str(self.n()), f"globals().get('N{self.chance.randint(0, 5)}')", f"sorted(n for n in globals() if n[0] == 'E')"])

    def function(self, name: str) -> str:
        value, n = self.value(), self.n()
        return self.chance.choice([
            f"def {name}(a={n}, *, b={self.n()}):\n    return a, b, {value}",
            f"@deco({n})\ndef {name}():\n    return {value}",
            f"@functools.lru_cache(maxsize={self.chance.choice([None, 4])})\ndef {name}():\n    return {n}, str({value})",
            f"def {name}():\n    yield {n}\n    yield {value}",
            f"def make(x, y):\n    def {name}():\n        return x{self.chance.choice(['', ', y'])}, {value}\n    return {name}\n{name} = make({n}, {self.n()})\ndel make",
            f"{name} = lambda: ({n}, {value})",
            f"{name} = functools.partial(lambda a: (a, {value}), {n})",
            f"@contextlib.contextmanager\ndef manage():\n    yield {value}\n\ndef {name}():\n    with manage() as x:\n        return x, {n}",
        ])

    def class_(self, name: str) -> str:
        bases = [other for other in sorted(self.items) if other[0] == "C" and other < name]
        base = self.chance.choice([*bases, "object", "object", "Exception", "dict"])
        if base not in self.items and base[0] == "C":
            base = "object"
        head = self.chance.choice([f"class {name}({base}):", f"class {name}({base}):", f"@dataclasses.dataclass\nclass {name}:\n    x: int = {self.n()}",
                                   f"class {name}:\n    __slots__ = ('s', 't{self.n() % 2}')"])
        members = [f"    def m{self.chance.randint(0, 3)}(self):\n        return {self.n()}, {self.value()}" for _ in range(self.n() % 3)]
        members += self.chance.sample([
            f"    @staticmethod\n    def static():\n        return {self.n()}", f"    @classmethod\n    def of(cls):\n        return cls.__name__, {self.n()}",
            f"    @property\n    def p(self):\n        return {self.value()}", f"    @deco({self.n()})\n    def d(self):\n        return {self.n()}",
            f"    v = {self.n()}", f"    class Inner:\n        def m0(self):\n            return {self.value()}",
            f"    def __repr__(self):\n        return 'repr {self.n()}'"], 3)
        return head + "\n" + "\n".join(members or ["    pass"])

    def enum(self, name: str) -> str:
        kind = self.chance.choice(["enum.Enum", "enum.IntEnum"])
        values = self.chance.sample(range(9), 3)
        members = "\n".join(f"    {letter} = {value}" for letter, value in zip(self.chance.sample("ABCD", 3), values))
        return f"class {name}({kind}):\n{members}\n    def m0(self):\n        return self.name, {self.n()}"

    def table(self, name: str) -> str:
        names = [other for other in self.items if other[0] in "fC"]
        return f"{name} = [{', '.join(f'globals().get({other!r})' for other in names)}]"


def probe(module: dict) -> dict:
    """What everything in a module does, as text."""
    return {name: shown(value) for name, value in sorted(module.items()) if name[0] in "fCENT" and name[1:].isdigit()}


def shown(value) -> str:
    if isinstance(value, list):
        return str([shown(item) for item in value])
    if isinstance(value, type) and issubclass(value, int) and hasattr(value, "__members__") or hasattr(value, "__members__"):
        return str([(member.name, int(member.value), member.m0(), value(member.value) is member) for member in value])
    if isinstance(value, type):
        one = value()
        return str({name: shown_member(one, name) for name in sorted(dir(one)) if not name.startswith("__") and name not in dir(dict) + dir(Exception)}
                   | {"repr": repr(one) if "__repr__" in vars(value) else "", "bases": [base.__name__ for base in value.__mro__]})
    return run(value) if callable(value) else repr(value)


def shown_member(one, name: str) -> str:
    try:
        member = getattr(one, name)
    except AttributeError as error:  # a slot without a value
        return str(type(error))
    return shown(member) if isinstance(member, type) or not callable(member) else run(member)


def run(function) -> str:
    result = function()
    return str(list(result) if isinstance(result, types.GeneratorType) else result)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_live_module_does_what_a_fresh_import_does(tmp_path, seed):
    module = Module(random.Random(seed))
    one = Live(tmp_path, module.text())
    home = one.reloader._home
    try:
        for _ in range(EDITS):
            before = {name: value for name, value in vars(one.module).items() if isinstance(value, types.FunctionType) and name[0] == "f"}
            text = module.text()
            while module.text() == text:
                module.edit()
            source = module.text()
            fresh: dict = {"__name__": one.path.stem}
            event = one.save(source)
            try:
                exec(compile(source, "fresh", "exec"), fresh)
            except Exception as error:
                assert event["type"] == "broken" and event["report"]["kind"] == type(error).__name__
                continue
            assert event["type"] == "reloaded", source
            live = vars(one.module)
            assert probe(live) == probe(fresh), source
            for name, function in before.items():
                if name in fresh:
                    assert run(function) == run(fresh[name]), (name, source)
                    assert function is live[name] or not isinstance(live[name], types.FunctionType), (name, source)
            assert one.reloader._serving is home
    finally:
        one.reloader.stop()
