"""Live reload in depth: what stays the same object, whole folders of modules, worlds side by side, random edits."""
import asyncio
import importlib
import inspect
import pickle
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab_fixtures import WAIT
from test_reloader import Live

EXECUTE = "\n\nclass Task:\n    def execute(self, data):\n        return {}\n"


def task(body: str, answer: str = "None") -> str:
    return textwrap.dedent(body).strip() + EXECUTE.format(answer)


@pytest.fixture
def live(tmp_path):
    made = []

    def live(source, **options):
        made.append(Live(tmp_path, source, **options))
        return made[-1]
    yield live
    for one in made:
        one.reloader.stop()
    for name in [name for name in sys.modules if name.startswith(("learner_", "helper", "other", "pack"))]:
        del sys.modules[name]


# Identity: what was held before the edit, and what it does after it. `m` is the module.

KEPT = {
    "a function that gets a decorator": (
        "def f(x): return x", "def twice(f):\n    def g(*a): return 2 * f(*a)\n    return g\n\n@twice\ndef f(x): return x + 1",
        "m.f", "held(1) == 4 and held is m.f"),
    "a function that loses its decorator": (
        "def twice(f):\n    def g(*a): return 2 * f(*a)\n    return g\n\n@twice\ndef f(x): return x", "def f(x): return x + 1",
        "m.f", "held(1) == 2 and held is m.f"),
    "a closure over other variables": (
        "def make(a):\n    def f(): return a\n    return f\nf = make(1)", "def make(a, b):\n    def f(): return a + b\n    return f\nf = make(1, 2)",
        "m.f", "held() == 3 and held is m.f"),
    "a coroutine function with another closure": (
        "async def f(): return 1", "def make(b):\n    async def f(): return b\n    return f\nf = make(2)",
        "m.f", "asyncio.run(held()) == 2 and inspect.iscoroutinefunction(held)"),
    "a generator function with another closure": (
        "def f(): yield 1", "def make(b):\n    def f(): yield b\n    return f\nf = make(2)",
        "m.f", "list(held()) == [2] and inspect.isgeneratorfunction(held)"),
    "a function that is cached now": (
        "def f(): return 1", "import functools\n@functools.cache\ndef f(): return [2]",
        "m.f", "held() == [2] and held() is held() and m.f() is held()"),
    "a cached function": (
        "import functools\n@functools.lru_cache(maxsize=5)\ndef f(x): return x", "import functools\n@functools.lru_cache(maxsize=5)\ndef f(x): return x + 1",
        "(m.f, m.f(1))[0]", "held(1) == 2 and held is m.f and held.cache_info().currsize == 1"),
    "a cached function of another size": (
        "import functools\n@functools.lru_cache(maxsize=5)\ndef f(x): return x", "import functools\n@functools.lru_cache(maxsize=6)\ndef f(x): return x + G\nG = 1",
        "(m.f, m.f(1))[0]", "m.f(1) == 2 and m.f.cache_info().maxsize == 6"),
    "a function that became a class": (
        "def f(): return 1", "class f:\n    n = 2", "m.f", "held().n == 2 and isinstance(held(), m.f)"),
    "a cached method": (
        "import functools\nclass A:\n    @functools.lru_cache\n    def f(self): return 1", "import functools\nclass A:\n    @functools.lru_cache\n    def f(self): return 2",
        "(lambda a: (a, a.f))(m.A())", "held[0].f() == 2 == held[1]()"),
    "a cached property": (
        "import functools\nclass A:\n    @functools.cached_property\n    def f(self): return 1", "import functools\nclass A:\n    @functools.cached_property\n    def f(self): return G\nG = 2",
        "m.A()", "held.f == 2"),
    "an enum": (
        "import enum\nclass C(enum.Enum):\n    A = 1\n    B = 2", "import enum\nclass C(enum.Enum):\n    A = 1\n    B = 3\n    D = 4\n    def both(self): return self.name, self.value",
        "(m.C, m.C.A, m.C.B)",
        "held[0] is m.C and held[1] is m.C.A and held[2] is m.C.B and held[2].both() == ('B', 3) and m.C(3) is held[2] and m.C(4).both() == ('D', 4)"
        " and isinstance(m.C.D, held[0]) and [c.name for c in held[0]] == ['A', 'B', 'D']"),
    "an enum that loses a member": (
        "import enum\nclass C(enum.Enum):\n    A = 1\n    B = 2", "import enum\nclass C(enum.Enum):\n    A = 1", "(m.C, m.C.A)",
        "list(held[0]) == [held[1]] and not hasattr(held[0], 'B')"),
    "an enum of numbers": (
        "import enum\nclass C(enum.IntEnum):\n    A = 1\n    B = 2", "import enum\nclass C(enum.IntEnum):\n    A = 1\n    B = 3",
        "(m.C, m.C.A)", "held[0] is m.C and held[1] is m.C.A and m.C.B == 3 and isinstance(m.C.B, held[0]) and pickle.loads(pickle.dumps(held[1])) is held[1]"),
    "a flag": (
        "import enum\nclass C(enum.Flag):\n    A = 1\n    B = 2", "import enum\nclass C(enum.Flag):\n    A = 1\n    B = 2\n    D = 4",
        "(m.C, m.C.A, m.C.A | m.C.B)", "held[1] | m.C.D == m.C(5) and held[0] is m.C and m.C.B in held[2]"),
    "a dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass P:\n    a: int = 1", "import dataclasses\n@dataclasses.dataclass\nclass P:\n    a: int = 1\n    b: int = 2",
        "(m.P, m.P())", "held[0] is m.P and held[0]().b == 2 and held[1] == m.P() and repr(m.P(3)) == 'P(a=3, b=2)'"),
    "a dataclass with annotations as text": (
        "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass P:\n    a: int = 1",
        "from __future__ import annotations\nimport dataclasses\nfrom typing import ClassVar\n@dataclasses.dataclass\nclass P:\n    a: int = 1\n    n: ClassVar[int] = 5",
        "m.P", "held is m.P and [f.name for f in m.dataclasses.fields(held)] == ['a']"),
    "a frozen dataclass": (
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass P:\n    a: int = 1", "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass P:\n    a: int = 1\n    def twice(self): return 2 * self.a",
        "m.P(4)", "held.twice() == 8 and hash(held) == hash(m.P(4))"),
    "a dataclass with slots": (
        "import dataclasses\n@dataclasses.dataclass(slots=True)\nclass P:\n    a: int = 1", "import dataclasses\n@dataclasses.dataclass(slots=True)\nclass P:\n    a: int = 1\n    def twice(self): return 2 * self.a",
        "(m.P, m.P(4))", "held[0] is m.P and held[1].twice() == 8"),
    "other slots": (
        "class S:\n    __slots__ = ('a',)\n    def f(self): return 1", "class S:\n    __slots__ = ('a', 'b')\n    def f(self): return 2\n    def g(self): return 3",
        "m.S()", "held.f() == 2 and held.g() == 3 and [setattr(s := m.S(), 'b', 1), s.b][1] == 1"),
    "a named tuple": (
        "import typing\nclass P(typing.NamedTuple):\n    a: int", "import typing\nclass P(typing.NamedTuple):\n    a: int\n    b: int = 2\n    def total(self): return self.a + self.b",
        "m.P", "held is m.P and held(1).total() == 3"),
    "a base where there was none": (
        "class B:\n    def who(self): return 'b'\nclass A:\n    def f(self): return 1", "class B:\n    def who(self): return 'b'\nclass A(B):\n    def f(self): return 2",
        "(lambda a: (a, a.f, [a]))(m.A())", "held[0].who() == 'b' and held[1]() == 2 and isinstance(held[2][0], m.A) and isinstance(held[0], m.B)"),
    "no base where there was one": (
        "class B:\n    def who(self): return 'b'\nclass A(B):\n    def f(self): return 1", "class B:\n    pass\nclass A:\n    def f(self): return 2",
        "(lambda a: (a, a.f))(m.A())", "not hasattr(held[0], 'who') and held[1]() == 2 and isinstance(held[0], m.A) and not isinstance(held[0], m.B)"),
    "another base": (
        "class B: pass\nclass C: pass\nclass A(B): pass", "class B: pass\nclass C:\n    n = 3\nclass A(C): pass",
        "(m.A, m.A())", "held[0] is m.A and held[1].n == 3 and isinstance(held[1], m.C)"),
    "a new class under a kept base": (
        "class B:\n    def f(self): return 1", "class B:\n    def f(self): return 2\nclass A(B): pass", "m.B", "issubclass(m.A, held) and m.A().f() == 2"),
    "another base of an exception": (
        "class E(Exception): pass", "class E(ValueError): pass", "m.E", "held is m.E and issubclass(held, ValueError)"),
    "a metaclass": (
        "class M(type):\n    def hello(cls): return 1\nclass A(metaclass=M): pass", "class M(type):\n    def hello(cls): return 2\nclass A(metaclass=M):\n    n = 1",
        "(m.M, m.A, m.A())", "held[0] is m.M and held[1] is m.A and held[1].hello() == 2 and held[2].n == 1 and type(m.A) is m.M"),
    "a metaclass where there was none": (
        "class A:\n    def f(self): return 1", "class M(type):\n    def hello(cls): return 2\nclass A(metaclass=M):\n    def f(self): return 3",
        "m.A()", "held.f() == 3 and type(held).hello() == 2"),
    "an abstract class": (
        "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\nclass B(A):\n    def f(self): return 1",
        "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def g(self): ...\nclass B(A):\n    def g(self): return 2\nA.register(int)",
        "(m.A, m.B(), isinstance(1, m.A))", "held[1].g() == 2 and isinstance(1, held[0]) and held[0].__abstractmethods__ == {'g'} and held[0] is m.A"),
    "static to class method": (
        "class A:\n    @staticmethod\n    def f(): return 1", "class A:\n    @classmethod\n    def f(cls): return cls.__name__", "m.A()", "held.f() == 'A' == m.A.f()"),
    "method to property": (
        "class A:\n    def f(self): return 1", "class A:\n    @property\n    def f(self): return 2", "m.A()", "held.f == 2"),
    "a property's setter": (
        "class A:\n    @property\n    def f(self): return 1", "class A:\n    @property\n    def f(self): return self.n\n    @f.setter\n    def f(self, n): self.n = n",
        "m.A()", "[setattr(held, 'f', 4), held.f][1] == 4"),
    "a nested class": (
        "class A:\n    class B:\n        def f(self): return 1", "class A:\n    class B:\n        def f(self): return 2", "(m.A.B, m.A.B())", "held[0] is m.A.B and held[1].f() == 2"),
    "closures that share a variable": (
        "def make():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n    def now(): return n\n    return up, now\nup, now = make()",
        "def make():\n    n = 10\n    def up():\n        nonlocal n\n        n += 1\n    def now(): return n\n    def zero():\n        nonlocal n\n        n = 0\n    return up, now, zero\nup, now, zero = make()",
        "(m.up, m.now)", "[held[0](), held[1]()][1] == 11 and [m.zero(), held[1]()][1] == 0 and held[1] is m.now"),
    "singledispatch": (
        "import functools\n@functools.singledispatch\ndef f(x): return 'object'\n@f.register\ndef _(x: int): return 'int'",
        "import functools\n@functools.singledispatch\ndef f(x): return 'any'\n@f.register\ndef _(x: int): return G\n@f.register\ndef _(x: str): return 'str'\nG = 'number'",
        "m.f", "(held(1.5), held(1), held('')) == ('any', 'number', 'str')"),
    "a context manager": (
        "import contextlib\n@contextlib.contextmanager\ndef f(): yield 1", "import contextlib\n@contextlib.contextmanager\ndef f(): yield G\nG = 2", "m.f", "held().__enter__() == 2"),
    "a decorator of a library that is new": (
        "def f(): return 1", "import contextlib\n@contextlib.contextmanager\ndef g():\n    global N\n    N += 1\n    yield N\nN = 0", "0", "m.g().__enter__() == 1 == m.N"),
    "a partial method": (
        "import functools\nclass A:\n    def f(self, n): return n\n    g = functools.partialmethod(f, 1)", "import functools\nclass A:\n    def f(self, n): return n + G\n    g = functools.partialmethod(f, 1)\nG = 1",
        "m.A()", "held.g() == 2"),
    "a callback kept by a library": (
        "def f(): return G\nG = 1", "def f(): return G\nG = 2", "__import__('functools').partial(m.f)", "held() == 2"),
    "a table that another module keeps": (
        "def f(): return 1\nTABLE = {'f': [f]}", "def f(): return 2\nTABLE = {'f': [f]}", "m.TABLE", "held['f'][0]() == 2 and m.TABLE['f'][0] is m.f"),
    "a lambda in a table": (
        "TABLE = {'f': lambda: 1}", "TABLE = {'f': lambda: 2}", "m.TABLE['f']", "held() == 2"),
    "a default dictionary and a deque": (
        "X = 1", "import collections\ndef f(): return G\nG = 5\nD = collections.defaultdict(list)\nD['x'].append(f)\nQ = collections.deque([f])\nO = collections.OrderedDict(a=f, b=1)",
        "0", "m.D['x'][0] is m.f is m.Q[0] is m.O['a'] and list(m.O) == ['a', 'b']"),
    "an object that refers to itself": (
        "X = 1", "class N:\n    def __init__(self): self.me = self; self.all = [self]\nn = N()", "0", "m.n.me is m.n and isinstance(m.n.all[0], m.N)"),
    "a long chain of objects": (
        "class N: pass", "class N: pass\nfirst = n = N()\nfor _ in range(5000):\n    n.next = N()\n    n = n.next", "m.N", "type(m.first.next.next) is held is type(m.n)"),
    "an own kind of dictionary": (
        "class R(dict): pass\nr = R()", "class R(dict):\n    def add(self, f):\n        self[f.__name__] = f\n        return f\nr = R()\n@r.add\ndef f(): return 1", "m.R", "m.r['f'] is m.f and type(m.r) is held"),
    "a descriptor of one's own": (
        "class D:\n    def __get__(self, o, c): return 1\nclass A:\n    d = D()", "class D:\n    def __get__(self, o, c): return 2\n    def __set_name__(self, c, n): self.n = n\nclass A:\n    d = D()",
        "m.A()", "held.d == 2 and vars(m.A)['d'].n == 'd' and type(vars(m.A)['d']) is m.D"),
    "generic types": (
        "class A: pass", "import typing\nclass A: pass\ndef f(x: list[A], y: typing.Optional[A] = None) -> 'A | None': ...", "m.A",
        "__import__('typing').get_type_hints(m.f)['x'].__args__ == (held,) and __import__('typing').get_type_hints(m.f)['y'].__args__[0] is held"),
    "a generic class": (
        "import typing\nT = typing.TypeVar('T')\nclass Box(typing.Generic[T]):\n    def f(self): return 1", "import typing\nT = typing.TypeVar('T')\nclass Box(typing.Generic[T]):\n    def f(self): return 2\nIntBox = Box[int]",
        "m.Box()", "held.f() == 2 and isinstance(m.IntBox(), m.Box) and m.IntBox().f() == 2"),
    "a library's function under a name that was one's own": (
        "def dumps(x): return 1", "from json import dumps", "m.dumps", "held([]) == '[]' and m.dumps is __import__('json').dumps"),
    "one's own function under a library's name": (
        "from json import dumps", "def dumps(x): return 1", "__import__('json').dumps", "held([]) == '[]' and m.dumps([]) == 1"),
    "a second name": (
        "def f(): return 1\ng = f", "def f(): return 2\ndef g(): return 3", "m.f", "held() == 2 and m.g() == 3"),
    "two names that change places": (
        "def f(): return 'f'\ndef g(): return 'g'", "def g(): return 'f'\ndef f(): return 'g'", "(m.f, m.g)", "held[0]() == 'g' and held[1]() == 'f'"),
    "an attribute of a function": (
        "def f(): return f.n\nf.n = 1", "def f(): return f.n\nf.n = 2", "m.f", "held() == 2 and held.n == 2"),
    "defaults": (
        "def f(a, *, b=1): return b", "def f(a=5, *, b=2, c=3): return a, b, c", "m.f", "held() == (5, 2, 3) and str(inspect.signature(held)) == '(a=5, *, b=2, c=3)'"),
    "a class variable": ("class A:\n    n = 1", "class A:\n    n = 2", "m.A()", "held.n == 2"),
    "a class variable that is gone": ("class A:\n    n = 1", "class A:\n    pass", "m.A()", "not hasattr(held, 'n')"),
    "special methods": (
        "class A: pass", "class A:\n    def __len__(self): return 3\n    def __eq__(self, o): return True\n    def __iter__(self): return iter([1])\n    def __call__(self): return 4",
        "m.A()", "len(held) == 3 and held == 5 and list(held) == [1] and held() == 4"),
    "super without arguments": (
        "class A:\n    def f(self): return 1\nclass B(A):\n    def f(self): return super().f()", "class A:\n    def f(self): return 2\nclass B(A):\n    def f(self): return super().f() + 1",
        "(lambda b: (b, b.f))(m.B())", "held[0].f() == 3 == held[1]()"),
    "the module's own attributes, set by itself": (
        "import sys\nsetattr(sys.modules[__name__], 'x', 1)", "import sys\nsetattr(sys.modules[__name__], 'x', 2)\nsetattr(sys.modules[__name__], 'y', 3)", "m", "(held.x, held.y) == (2, 3)"),
    "a protocol": (
        "import typing\n@typing.runtime_checkable\nclass P(typing.Protocol):\n    def f(self): ...", "import typing\n@typing.runtime_checkable\nclass P(typing.Protocol):\n    def g(self): ...\nclass A:\n    def g(self): return 1",
        "(m.P, isinstance(1, m.P))", "isinstance(m.A(), held[0])"),
    "a registry by __init_subclass__": (
        "class B:\n    all = []\n    def __init_subclass__(cls): B.all.append(cls)\nclass A(B): pass", "class B:\n    all = []\n    def __init_subclass__(cls): B.all.append(cls)\nclass A(B): pass\nclass C(B): pass",
        "m.A", "m.B.all == [held, m.C]"),
    "a thread's target": (
        "def f(): return 1", "import threading\nSEEN = []\ndef f(): SEEN.append(G)\nG = 7\nt = threading.Thread(target=f)", "0", "[m.t.start(), m.t.join(), m.SEEN][2] == [7]"),
}


@pytest.mark.parametrize("before, after, hold, check", KEPT.values(), ids=KEPT)
def test_what_was_held_runs_the_new_code(live, before, after, hold, check):
    one = live(task(before))
    home = one.reloader._home
    names = {"m": one.module, "asyncio": asyncio, "inspect": inspect, "pickle": pickle}
    names["held"] = eval(hold, names)
    one.reload(task(after))
    assert eval(check, names)
    assert one.reloader._serving is home
    one.reload(task(before))  # and back, and forth once more
    one.reload(task(after))
    fresh: dict = {"__name__": one.module.__name__}
    exec(task(after), fresh)
    assert {name for name in vars(one.module) if not name.startswith("__")} == {name for name in fresh if not name.startswith("__")} | ({"x", "y"} if "setattr(sys" in after else set())


# Whole folders: what the file imports from its folder

class Folder:
    """A learner's file that imports others; `save` writes several of them and gives the event that follows."""

    def __init__(self, live, tmp_path, main, **files):
        self.folder = tmp_path
        self.write(**files)
        self.one = live(main)
        self.run, self.reloader = self.one.run, self.one.reloader

    def write(self, **files):
        for name, text in files.items():
            path = self.folder / (name.replace("__in__", "/") + ".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def save(self, **files):
        self.write(**files)
        return self.one.event()

    def reload(self, **files):
        event = self.save(**files)
        assert event["type"] == "reloaded", event["report"]["traceback"]
        return event

    def breaks(self, **files):
        event = self.save(**files)
        assert event["type"] == "broken"
        return event["report"]


@pytest.fixture
def folder(live, tmp_path):
    return lambda main, **files: Folder(live, tmp_path, main, **files)


def test_an_imported_module(folder):
    one = folder(task("import helper", "helper.f()"), helper="def f():\n    return 1\n")
    module, function = sys.modules["helper"], sys.modules["helper"].f
    assert one.run() == 1
    event = one.reload(helper="def f():\n    return 2\n\ndef g(): ...\n")
    assert one.run() == 2 == function() and sys.modules["helper"] is module and module.f is function
    assert event["changed"] == {"added": ["helper.g"], "changed": ["helper.f"], "removed": []}
    assert event["version"]["number"] == 2


def test_names_imported_from_a_module(folder):
    one = folder(task("from helper import f as g, Base, N\n\nclass Own(Base):\n    pass", "g(), Own().who(), N"),
                 helper="N = 1\ndef f():\n    return N\nclass Base:\n    def who(self):\n        return 'one'\n")
    assert one.run() == (1, "one", 1)
    own, kept = one.one.module.Own, one.one.module.Own()
    one.reload(helper="N = 2\ndef f():\n    return N\nclass Base:\n    def who(self):\n        return 'two'\n")
    assert one.run() == (2, "two", 2) and one.one.module.Own is own and kept.who() == "two" and isinstance(kept, sys.modules["helper"].Base)


def test_a_chain_is_loaded_in_order_and_only_what_depends_on_the_change(folder):
    one = folder(task("import helper, other", "helper.value(), other.COUNT"),
                 helper="import helper_two\nSEEN = helper_two.N\ndef value():\n    return SEEN\n", helper_two="N = 1\n", other="COUNT = []\n")
    sys.modules["other"].COUNT.append("kept")
    other = sys.modules["other"].COUNT
    one.reload(helper_two="N = 2\n")
    assert one.run() == (2, ["kept"]) and sys.modules["other"].COUNT is other
    one.reload(other="COUNT = ['new']\n")
    assert one.run() == (2, ["new"])


def test_a_module_saved_with_the_file_itself(folder):
    one = folder(task("import helper", "helper.N"), helper="N = 1\n")
    one.write(helper="N = 2\nM = 3\n")
    one.one.path.write_text(task("import helper\nX = helper.M", "helper.N, X"))
    while one.one.event()["type"] != "reloaded" or one.run() != (2, 3):
        pass


def test_a_package_and_relative_imports(folder):
    one = folder(task("from pack import sub\nimport pack.deep", "sub.f(), pack.deep.N, pack.TOP"), pack__in____init__="TOP = 1\n",
                 pack__in__sub="from . import deep\nfrom .deep import N\ndef f():\n    return deep.N + N\n", pack__in__deep="N = 1\n")
    assert one.run() == (2, 1, 1)
    one.reload(pack__in__deep="N = 5\n")
    assert one.run() == (10, 5, 1)
    one.reload(pack__in____init__="TOP = 2\n")
    assert one.run() == (10, 5, 2)
    one.reload(pack__in__sub="def f():\n    return 'sub'\n")
    assert one.run() == ("sub", 5, 2)


def test_a_folder_without_init(folder):
    one = folder(task("import pack.deep", "pack.deep.N"), pack__in__deep="N = 1\n")
    assert one.run() == 1
    one.reload(pack__in__deep="N = 2\n")
    assert one.run() == 2


def test_a_module_that_is_missing_at_first(folder):
    one = folder(task("", "1"))
    one.one.path.write_text(task("import helper", "helper.N"))
    report = one.one.event()["report"]
    assert (report["kind"], report["line"], report["message"]) == ("ModuleNotFoundError", 1, "No module named 'helper'")
    assert one.run() == 1
    one.reload(helper="N = 7\n")
    assert one.run() == 7 and one.reloader.report is None


def test_an_optional_module_that_appears(folder):
    one = folder(task("try:\n    import helper\nexcept ImportError:\n    helper = None", "helper and helper.N"))
    assert one.run() is None
    one.reload(helper="N = 1\n")
    assert one.run() == 1


def test_a_broken_module(folder):
    one = folder(task("import helper", "helper.N"), helper="N = 1\n")
    report = one.breaks(helper="N = (\n")
    assert report["kind"] == "SyntaxError" and report["file"] == str(one.folder / "helper.py") and report["line"] == 1
    assert one.run() == 1 and sys.modules["helper"].N == 1
    report = one.breaks(helper="def f():\n    return 1 / 0\n\nN = f()\n")
    assert (report["kind"], report["line"]) == ("ZeroDivisionError", 2)
    assert [line for line in report["traceback"].splitlines() if "File" in line] == [
        f'  File "{one.one.path}", line 1, in <module>', f'  File "{one.folder}/helper.py", line 4, in <module>', f'  File "{one.folder}/helper.py", line 2, in f']
    assert one.run() == 1
    one.reload(helper="N = 3\n")
    assert one.run() == 3


def test_a_module_that_is_taken_away(folder):
    one = folder(task("import helper", "helper.N"), helper="N = 1\n")
    (one.folder / "helper.py").unlink()
    assert one.one.event()["report"]["message"] == "No module named 'helper'" and one.run() == 1
    one.reload(helper="N = 2\n")
    assert one.run() == 2


def test_a_module_that_is_no_longer_imported(folder):
    one = folder(task("import helper", "helper.N"), helper="N = 1\n")
    one.one.reload(task("", "2"))
    assert one.run() == 2 and "helper" not in sys.modules and not hasattr(one.one.module, "helper")
    one.write(helper="N = (\n")  # nobody's business any more
    one.one.reload(task("", "3"))
    assert one.run() == 3


def test_a_module_imported_within_a_function(folder):
    one = folder(task("def late():\n    import helper\n    return helper.N", "late()"), helper="N = 1\n")
    assert one.run() == 1
    module = sys.modules["helper"]
    module.STATE = "kept"
    one.one.reload(task("def late():\n    import helper\n    return helper.N, helper.STATE", "late()"))
    assert one.run() == (1, "kept")
    one.reload(helper="N = 2\nSTATE = 'new'\n")
    assert one.run() == (2, "new") and sys.modules["helper"] is module


def test_modules_that_import_each_other(folder):
    one = folder(task("import helper", "helper.f()"), helper="import other\ndef f():\n    return other.g()\nN = 1\n", other="import helper\ndef g():\n    return helper.N\n")
    assert one.run() == 1
    one.reload(other="import helper\ndef g():\n    return helper.N + 1\n")
    assert one.run() == 2
    one.reload(helper="import other\ndef f():\n    return other.g()\nN = 10\n")
    assert one.run() == 11


def test_import_module_and_reload_by_the_code_itself(folder):
    one = folder(task("import importlib", "importlib.import_module('helper').N"), helper="N = 1\n")
    assert one.run() == 1 and importlib.import_module("helper") is sys.modules["helper"]


def test_a_module_of_the_server_is_left_alone(folder):
    one = folder(task("import json, reloader", "json.dumps([1]), reloader.Reloader"))
    from reloader import Reloader
    assert one.run() == ("[1]", Reloader)


def test_a_slow_request_keeps_the_version_of_imported_modules(folder):
    main = "import helper\nimport pickle, sys, traceback, threading\n\ndef all():\n    import helper as late\n    pickle.loads(pickle.dumps(helper.Thing()))\n" \
           "    seen = []\n    t = threading.Thread(target=lambda: seen.append(helper.f()))\n    t.start(); t.join()\n" \
           "    try:\n        helper.fail()\n    except ValueError:\n        line = traceback.format_exc().splitlines()[-2].strip()\n" \
           "    return helper.f(), late.N, sys.modules['helper'].N, seen[0], line"
    helper = "{0}N = {1}\nclass Thing: pass\ndef f():\n    return N\ndef fail():\n    raise ValueError({1})\n"
    one = folder(task(main, "all(), data['started'].set(), data['go_on'].wait(), all()"), helper=helper.format("", 1))
    pool, runs = ThreadPoolExecutor(), []
    for n in (2, 3, 4):
        data = {"started": threading.Event(), "go_on": threading.Event()}
        runs.append((n - 1, data, pool.submit(one.run, data)))
        assert data["started"].wait(WAIT)
        one.reload(helper=helper.format("\n" * n, n))
    for n, data, run in reversed(runs):
        data["go_on"].set()
        first, _, _, last = run.result(WAIT)
        assert first == last == (n, n, n, n, f"raise ValueError({n})")
    data["started"].clear()
    assert one.run(data)[0] == (4, 4, 4, 4, "raise ValueError(4)")


def test_objects_kept_while_two_versions_serve(live):
    source = "class Thing:\n    def f(self): return {n}\n\nclass Task:\n    kept = []\n    def __init__(self): self.mine = []\n    def execute(self, data):\n        self.mine.append(Thing())\n" \
             "        data['started'].set(); data['go_on'].wait()\n        return [t.f() for t in self.mine]\n"
    one = live(source.format(n=1))
    slow = {"started": threading.Event(), "go_on": threading.Event()}
    quick = {"started": threading.Event(), "go_on": threading.Event()}
    quick["go_on"].set()
    with ThreadPoolExecutor() as pool:
        run = pool.submit(one.run, slow)
        assert slow["started"].wait(WAIT)
        one.reload(source.format(n=2))
        assert one.run(quick) == [1, 2]
        slow["go_on"].set()
        assert run.result(WAIT) == [1, 2]
    assert one.run(quick) == [2, 2, 2]
    assert all(type(thing) is one.module.Thing for thing in one.reloader.target.mine)


# Builds that do not end

def test_a_save_ends_a_build_that_does_not(live):
    one = live(task("", "1"), deadline=600)
    one.path.write_text(task("import time\nwhile True: time.sleep(0.01)", "2"))
    assert one.events.get(timeout=WAIT) == {"type": "reloading"} and one.run() == 1
    one.reload(task("", "3"))
    assert one.run() == 3


@pytest.mark.parametrize("loop", ["while True: pass", "import time\ntime.sleep(20)", "def f():\n    while True:\n        pass\nf()"])
def test_a_build_past_its_deadline(live, loop):
    one = live(task("", "1"), deadline=0.3)
    report = one.breaks(task(loop, "2"))
    assert report["kind"] == "DeadlinePassed" and report["line"] in {"i": [2], "d": [2, 3], "w": [1]}[loop[0]]
    assert "more than 0.3 seconds" in report["message"] and one.run() == 1
    one.reload(task("", "3"))
    assert one.run() == 3


# Events

def test_the_report_has_a_code_frame(live):
    one = live(task("", "1"))
    report = one.breaks("a = 1\nb = 2\nc = a + missing\nd = 4\ne = 5\nf = 6\n")
    assert report["frame"] == [{"number": n, "text": text, "current": n == 3} for n, text in enumerate(["a = 1", "b = 2", "c = a + missing", "d = 4", "e = 5"], 1)]
    assert report["marks"] == [9, 16] and report["column"] == 9
    report = one.breaks("x = (1,\n")
    assert report["frame"][0]["current"] and report["marks"] == [5, 6]


def test_each_event_is_told_once_and_in_order(live):
    one = live(task("", "1"))
    one.reload(task("", "2"))
    one.breaks("(")
    one.reload(task("", "2"))  # taken back
    one.reload(task("", "3"))
    assert one.events.empty()
    assert [version.number for version in one.reloader.history] == [1, 2, 3]
    assert set(one.reloader.version.seconds) == {"compile", "execute", "swap"}


def test_a_diff_between_two_versions(live):
    one = live(task("N = 1", "N"))
    one.reload(task("N = 2", "N"))
    one.reload(task("N = 3", "N"))
    assert one.reloader.diff(1, 3).splitlines()[2:5] == ["@@ -1,4 +1,4 @@", "-N = 1", "+N = 3"]
    with pytest.raises(KeyError):
        one.reloader.diff(1, 9)


# Polling

def test_polling(live):
    one = live(task("", "1"), poll=True)
    for n in (2, 3):
        one.reload(task("", str(n)))
        assert one.run() == n
    assert one.breaks("(")["kind"] == "SyntaxError"
