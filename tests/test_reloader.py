"""Live reload: small variants of one file, saved in every way, and what the live objects do then."""
import inspect
import os
import pickle
import queue
import sys
import textwrap
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab_fixtures import WAIT, running_lab
from reloader import Reloader

MAIN = '''
import functools

WORD = "one"


def helper():
    return WORD


class Base:
    def who(self):
        return "base one"


class Task(Base):
    env = {"first": True, "second": False}
    made = 0

    def __init__(self):
        Task.made += 1
        self.kept = []

    def execute(self, data):
        return self.say(data)

    def say(self, data, mark="!"):
        return f"{helper()}{mark}"

    def who(self):
        return "task of " + super().who()

    @staticmethod
    def static():
        return "static one"

    @classmethod
    def of_class(cls):
        return f"{cls.__name__} one"

    @property
    def shown(self):
        return "shown one"
'''
CHANGED = MAIN.replace("one", "two")


class Live:
    """A reloader on a file of its own."""

    def __init__(self, folder, source=MAIN, *, link_to=None, **options):
        self.path = folder / f"learner_{uuid.uuid4().hex[:8]}.py"
        if link_to:
            self.path.symlink_to(link_to)
        else:
            self.path.write_bytes(textwrap.dedent(source).encode())
        self.events: queue.Queue = queue.Queue()
        self.reloader = Reloader(self.path, "Task", self.events.put, **options)
        self.reloader.start()
        self.first = self.event()

    def event(self) -> dict:
        """The next event that tells what became of a save."""
        while (event := self.events.get(timeout=WAIT))["type"] == "reloading":
            pass
        return event

    def save(self, source: str) -> dict:
        self.path.write_bytes(textwrap.dedent(source).encode())
        return self.event()

    def reload(self, source: str) -> dict:
        event = self.save(source)
        assert event["type"] == "reloaded", event["report"]["traceback"]
        return event

    def breaks(self, source: str) -> dict:
        event = self.save(source)
        assert event["type"] == "broken"
        return event["report"]

    def run(self, data=None):
        with self.reloader.lease() as world:
            return world.target.execute(data)

    @property
    def module(self):
        return sys.modules[self.path.stem]


@pytest.fixture
def live(tmp_path):
    made = []

    def live(source=MAIN, **options):
        made.append(Live(tmp_path, source, **options))
        return made[-1]
    yield live
    for one in made:
        one.reloader.stop()
        sys.modules.pop(one.path.stem, None)


# What an edit reaches

def test_everything_anyone_holds_runs_the_new_code(live):
    one = live()
    target, module = one.reloader.target, one.module
    held = [target.execute, target.say, target.who, target.static, target.of_class, module.helper, module.Task.say]
    one.reload(CHANGED)
    assert target is one.reloader.target and module is one.module and type(target) is module.Task
    assert held[0](None) == "two!" == held[1](None) == held[6](target, None)
    assert (held[2](), held[3](), held[4](), held[5]()) == ("task of base two", "static two", "Task two", "two")
    assert target.shown == "shown two"


def test_the_live_object_keeps_its_state(live):
    one = live()
    one.reloader.target.kept.append("kept")
    one.reload(MAIN.replace("self.kept = []", "self.kept = []\n        self.added = 1"))
    assert one.reloader.target.kept == ["kept"] and one.reloader.target.added == 1


EDITS = {
    "a default": (MAIN.replace('"!"', '"?"'), "one?"),
    "a signature": (MAIN.replace("self.say(data)", "self.say(data, more=2)").replace('mark="!"', 'mark="!", *, more').replace("{mark}", "{mark}{more}"), "one!2"),
    "a global": (MAIN.replace('WORD = "one"', 'WORD = "changed"'), "changed!"),
    "a new method": (MAIN.replace("self.say(data)", "self.new()") + "\n    def new(self):\n        return helper() + ' new'\n", "one new"),
    "a new function": (MAIN.replace("return self.say(data)", "return fresh()").replace("class Base", "def fresh():\n    return WORD\n\n\nclass Base"), "one"),
    "a new class": (MAIN.replace("return self.say(data)", "return New().say()") + "\n\nclass New:\n    def say(self):\n        return helper() + ' of new'\n", "one of new"),
    "an import": (MAIN.replace("import functools", "import math").replace("return self.say(data)", "return math.floor(2.5)"), 2),
    "env": (MAIN.replace("return self.say(data)", "return self.env").replace('"second": False', '"second": True'), {"first": True, "second": True}),
    "a lambda": (MAIN.replace("return self.say(data)", "return (lambda: WORD * 2)()"), "oneone"),
    "a decorator": (MAIN.replace("    def say(", "    @shout\n    def say(").replace(
        "class Base", "def shout(f):\n    @functools.wraps(f)\n    def louder(*a):\n        return f(*a).upper()\n    return louder\n\n\nclass Base"), "ONE!"),
    "a cached function": (MAIN.replace("def helper", "@functools.lru_cache\ndef helper").replace('"one"', '"cached"'), "cached!"),
    "a generator": (MAIN.replace("return self.say(data)", "return list(self.count())") + "\n    def count(self):\n        yield 1\n        yield WORD\n", [1, "one"]),
    "a base": (MAIN.replace("return self.say(data)", "return self.other()").replace("(Base)", "(Base, Mixin)").replace(
        "class Task", "class Mixin:\n    def other(self):\n        return 'mixed in'\n\n\nclass Task"), "mixed in"),
    "super": (MAIN.replace("return self.say(data)", "return self.who()"), "task of base one"),
    "a closure": (MAIN.replace("def helper():\n    return WORD", "def make():\n    word = 'closed'\n    def inner():\n        return word\n    return inner\n\nhelper = make()"),
                  "closed!"),
    "a table of functions": (MAIN.replace("return self.say(data)", "return TABLE['x']()") + "\n\nTABLE = {'x': helper, 'y': [Task.say]}\n", "one"),
    "a partial": (MAIN.replace("return self.say(data)", "return PART()") + "\n\nPART = functools.partial(helper)\n", "one"),
    "an instance": (MAIN.replace("return self.say(data)", "return isinstance(THING, Base) and THING.who()") + "\n\nTHING = Base()\n", "base one"),
    "an exception": (MAIN.replace("        return self.say(data)", "        try:\n            fail()\n        except Oops as oops:\n            return oops.args[0]")
                     + "\n\nclass Oops(Exception):\n    pass\n\n\ndef fail():\n    raise Oops('caught')\n", "caught"),
    "an enum": (MAIN.replace("return self.say(data)", "return Color.RED.label()") + "\n\nimport enum\n\n\nclass Color(enum.Enum):\n    RED = 1\n\n"
                "    def label(self):\n        return self.name.lower()\n", "red"),
    "a dataclass": (MAIN.replace("return self.say(data)", "return Pair(1, b=3).total()") + "\n\nimport dataclasses\n\n\n@dataclasses.dataclass\nclass Pair:\n"
                    "    a: int\n    b: int = 2\n\n    def total(self):\n        return self.a + self.b\n", 4),
    "slots": (MAIN.replace("return self.say(data)", "return Slim().n") + "\n\nclass Slim:\n    __slots__ = ('n',)\n\n    def __init__(self):\n        self.n = 5\n", 5),
}


@pytest.mark.parametrize("source, answer", EDITS.values(), ids=EDITS)
def test_an_edit_and_the_way_back(live, source, answer):
    one = live()
    target = one.reloader.target
    for _ in range(2):
        one.reload(source)
        assert one.run() == answer == target.execute(None)
        one.reload(source + "\n# the same, once more\n")
        assert one.run() == answer == target.execute(None)
        one.reload(MAIN)
        assert one.run() == "one!" == target.execute(None)
        one.reload(CHANGED)
        assert one.run() == "two!" == target.execute(None)


def test_what_is_removed_is_gone(live):
    one = live()
    one.reload("class Task:\n    def execute(self, data):\n        return 1\n")
    assert not hasattr(one.reloader.target, "say") and not hasattr(one.module, "helper") and not hasattr(one.module, "functools")
    assert one.run() == 1


def test_a_class_stays_the_same_for_isinstance_and_pickle(live):
    one = live()
    base = one.module.Base()
    data = pickle.dumps(base)
    one.reload(CHANGED)
    assert isinstance(base, one.module.Base) and base.who() == "base two" and pickle.loads(data).who() == "base two"
    assert isinstance(pickle.loads(pickle.dumps(base)), type(base))


def test_globals_written_by_functions(live):
    counter = MAIN.replace("return self.say(data)", "return count()") + "\n\nN = 0\n\n\ndef count():\n    global N\n    N += 1\n    return N\n"
    one = live(counter)
    assert [one.run(), one.run()] == [1, 2]
    one.reload(counter + "\n# changed\n")
    assert [one.run(), one.module.count(), one.module.N] == [1, 2, 2]


def test_other_modules_import_the_live_one(live):
    one = live()
    one.reload(CHANGED)
    namespace: dict = {}
    exec(f"from {one.path.stem} import helper", namespace)
    assert namespace["helper"]() == "two"


# One version a request

SLOW = '''
WORD = {n}


def helper():
    return WORD


class Task:
    env = {{"on": {n}}}

    def execute(self, data):
        before = self.all()
        data["started"].set()
        data["go_on"].wait()
        return before, self.all()

    def all(self):
        return helper(), self.env["on"], self.late(), {n}

    def late(self):
        return {n}
'''


def test_a_slow_request_ends_on_its_own_version(live):
    one = live(SLOW.format(n=1))
    target = one.reloader.target
    runs, pool = [], ThreadPoolExecutor()
    for n in (2, 3, 4, 5):
        data = {"started": threading.Event(), "go_on": threading.Event()}
        runs.append((data, pool.submit(one.run, data)))
        assert data["started"].wait(WAIT)
        one.reload(SLOW.format(n=n))
    ready = {"started": threading.Event(), "go_on": threading.Event()}
    ready["go_on"].set()
    assert one.run(ready) == ((5,) * 4,) * 2  # not held up by the slow ones
    for n, (data, run) in reversed(list(enumerate(runs, 1))):
        data["go_on"].set()
        assert run.result(WAIT) == ((n,) * 4,) * 2
    assert one.reloader.target is target and target.all() == (5,) * 4 and one.run(ready) == ((5,) * 4,) * 2


def test_no_request_is_torn_or_lost_under_load(live):
    source = "A = {n}\ndef a():\n    return A\nclass Task:\n    b = {n}\n    def execute(self, data):\n        return {{a(), self.b, self.c(), {n}}}\n    def c(self):\n        return {n}\n"
    one = live(source.format(n=0))
    stop, seen = threading.Event(), []

    def load():
        while not stop.is_set():
            seen.append(one.run())
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(load) for _ in range(4)]
        for n in range(1, 201):
            assert one.reload(source.format(n=n))["version"]["number"] == n + 1
        stop.set()
        for job in jobs:
            job.result()
    assert {len(answer) for answer in seen} == {1} and one.run() == {200}


SLOW_OVER_HTTP = """
import pathlib
import time

WORD = {n}


class my_bigquery_client:
    def execute(self, data):
        before = self.all()
        print("started")
        while not pathlib.Path(data["file"]).exists():
            time.sleep(0.01)
        return [*before, *self.all()]

    def all(self):
        return WORD, {n}
"""


def test_a_slow_request_over_http(tmp_path):
    with running_lab(tmp_path, SLOW_OVER_HTTP.format(n=1)) as lab, ThreadPoolExecutor() as pool:
        answer = pool.submit(lab.submit, file=str(tmp_path / "go_on"))
        lab.live.wait("printed", line="started")
        for n in (2, 3):
            assert lab.save(SLOW_OVER_HTTP.format(n=n))["event"] == "reloaded"
        assert lab.submit(file=str(tmp_path)) == "[3, 3, 3, 3]"
        (tmp_path / "go_on").touch()
        assert answer.result() == "[1, 1, 1, 1]"
        assert lab.submit(file=str(tmp_path)) == "[3, 3, 3, 3]"


HELPED = """
import time
import helper


class my_bigquery_client:
    def execute(self, data):
        before = helper.word()
        print("started")
        while data.get("file") and not pathlib.Path(data["file"]).exists():
            time.sleep(0.01)
        return [before, helper.word()]
""".replace("import time", "import pathlib\nimport time")


@pytest.mark.parametrize("flags", [[], ["--poll"]], ids=["events", "polling"])
def test_an_imported_file_over_http(tmp_path, flags):
    helper = tmp_path / "helper.py"
    helper.write_text("def word():\n    return 'one'\n")
    with running_lab(tmp_path, HELPED, *flags) as lab, ThreadPoolExecutor() as pool:
        answer = pool.submit(lab.submit, file=str(tmp_path / "go_on"))
        lab.live.wait("printed", line="started")
        helper.write_text("def word():\n    return 'two'\n")
        event = lab.live.wait("reloaded", "broken")
        assert event["event"] == "reloaded" and event["changed"] == {"added": [], "changed": ["helper.word"], "removed": []}
        assert lab.submit() == '["two", "two"]'
        helper.write_text("def word(:\n")
        assert lab.live.wait("reloaded", "broken")["file"] == str(helper)
        assert lab.submit() == '["two", "two"]'
        (tmp_path / "go_on").touch()
        assert answer.result() == '["one", "one"]'
    assert any(line.startswith("Reloaded tables.py in ") and line.endswith("; changed helper.word.\n") for line in lab.errors)


# Broken files

BROKEN = {
    "syntax": (MAIN + "\ndef f(:\n", "SyntaxError", MAIN.count("\n") + 2),
    "indentation": (MAIN + "  x = 1\n", "IndentationError", MAIN.count("\n") + 1),
    "tabs": (MAIN + "\tx = 1\n", "TabError", MAIN.count("\n") + 1),
    "import": ("import no_such_module\n" + MAIN, "ModuleNotFoundError", 1),
    "exception": (MAIN + "\n1 / 0\n", "ZeroDivisionError", MAIN.count("\n") + 2),
    "exit": (MAIN + "\nraise SystemExit(2)\n", "SystemExit", MAIN.count("\n") + 2),
    "interrupt": (MAIN + "\nraise KeyboardInterrupt\n", "KeyboardInterrupt", MAIN.count("\n") + 2),
    "in __init__": (MAIN.replace("self.kept = []", "self.kept = missing"), "NameError", MAIN[:MAIN.index("self.kept")].count("\n") + 1),
    "no class": ("x = 1\n", "Broken", None),
    "no execute": ("class Task:\n    pass\n", "Broken", None),
    "empty": ("", "Broken", None),
    "only space": ("\n\n   \n", "Broken", None),
    "a null byte": (MAIN + "\0", "SyntaxError", None),
    "an unknown encoding": ("# coding: nonsense\n" + MAIN, "SyntaxError", None),
}


@pytest.mark.parametrize("source, kind, line", BROKEN.values(), ids=BROKEN)
def test_a_broken_save_leaves_the_last_good_one(live, source, kind, line):
    one = live()
    report = one.breaks(source)
    assert report["file"] == str(one.path) and report["message"] and report == one.reloader.report
    assert report["kind"] == kind or (kind == "SyntaxError" and report["kind"] == "ValueError")
    if line:
        assert report["line"] == line and f"line {line}" in report["traceback"]
    assert "reloader.py" not in report["traceback"] and one.run() == "one!"
    one.reload(CHANGED)
    assert one.run() == "two!" and one.reloader.report is None


def test_bytes_that_are_no_text(live):
    one = live()
    one.path.write_bytes(b"# \xff\xfe\n" + MAIN.encode())
    assert one.event()["report"]["kind"] in ("SyntaxError", "UnicodeDecodeError") and one.run() == "one!"


def test_an_endless_loop_at_import(live):
    one = live(deadline=0.5)
    report = one.breaks(MAIN + "\nwhile True:\n    pass\n")
    assert report["kind"] == "DeadlinePassed" and report["line"] in (MAIN.count("\n") + 2, MAIN.count("\n") + 3)
    one.reload(CHANGED)
    assert one.run() == "two!"


def test_a_change_taken_back(live):
    one = live()
    one.breaks(MAIN + "  what")
    version = one.reloader.version
    assert one.save(MAIN)["type"] == "reloaded" and one.reloader.version is version and one.reloader.report is None


def test_the_first_version_is_broken(live):
    one = live("nothing here")
    assert one.first["type"] == "broken" and one.reloader.version is None
    with one.reloader.lease() as world:
        assert world is None
    one.reload(MAIN)
    assert one.run() == "one!"


# Ways of saving

def in_place(path, data):
    path.write_bytes(data)


def in_pieces(path, data):
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(data), 100):
            file.write(data[start:start + 100])


def renamed_over(path, data):
    other = path.with_suffix(".new")
    other.write_bytes(data)
    os.replace(other, path)


def moved_away_first(path, data):
    os.rename(path, path.with_suffix(".bak"))
    path.write_bytes(data)


def unlinked_first(path, data):
    path.unlink()
    path.write_bytes(data)


def with_the_old_time(path, data):
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


WAYS = [in_place, in_pieces, renamed_over, moved_away_first, unlinked_first, with_the_old_time]


@pytest.mark.parametrize("way", WAYS)
def test_a_way_of_saving(live, way):
    one = live()
    for source, answer in ((CHANGED, "two!"), (MAIN, "one!"), (CHANGED, "two!")):
        way(one.path, source.encode())
        assert one.event()["type"] == "reloaded" and one.run() == answer
    assert one.events.empty()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when a writer closes the file")
def test_a_writer_that_pauses(live):
    one = live()
    half = len(CHANGED) // 2
    with one.path.open("wb", buffering=0) as file:
        file.write(CHANGED[:half].encode())
        time.sleep(0.3)  # longer than PIECES: what is there so far is not looked at
        file.write(CHANGED[half:].encode())
    assert one.event()["type"] == "reloaded" and one.run() == "two!" and one.events.empty()


def test_through_a_symbolic_link(tmp_path, live):
    real = tmp_path / "elsewhere" / "real.py"
    real.parent.mkdir()
    real.write_text(MAIN)
    one = live(link_to=real)
    real.write_text(CHANGED)
    assert one.event()["type"] == "reloaded" and one.run() == "two!"
    renamed_over(real, MAIN.encode())
    assert one.event()["type"] == "reloaded" and one.run() == "one!"


def test_twenty_saves_in_a_burst(live):
    one = live()
    for n in range(20):
        one.path.write_text(MAIN.replace('"one"', f'"{n:02}"'))
    while one.run() != "19!":
        assert one.event()["type"] == "reloaded"


@pytest.mark.parametrize("prefix, newline", [("", "\r\n"), ("\ufeff", "\n"), ("# -*- coding: latin-1 -*-\n# \u00e9\n", "\n")])
def test_ways_of_writing_text(live, prefix, newline):
    one = live()
    encoding = "latin-1" if "latin" in prefix else "utf-8"
    one.path.write_bytes((prefix + CHANGED).replace("\n", newline).encode(encoding))
    assert one.event()["type"] == "reloaded" and one.run() == "two!"


def test_a_touch_does_nothing(live):
    one = live()
    version = one.reloader.version
    for _ in range(3):
        os.utime(one.path)
        one.path.write_bytes(one.path.read_bytes())
    one.reload(CHANGED)  # the next event of all is of the next change
    assert one.reloader.version.number == version.number + 1


def test_deleted_and_made_again(live):
    one = live()
    one.path.unlink()
    assert "not there" in one.event()["report"]["message"] and one.run() == "one!"
    assert one.save(MAIN)["type"] == "reloaded" and one.reloader.report is None
    one.reload(CHANGED)


# Tracebacks and inspect

RAISES = MAIN.replace("return self.say(data)", "raise ValueError(self.say(data))  # the line that raises")


def test_inspect_shows_the_version_that_runs(live):
    one = live()
    one.reload("# one more line\n" + CHANGED)
    assert "two" in inspect.getsource(one.module.Base.who) and inspect.getsourcelines(one.module.helper)[1] == 8


def test_a_traceback_shows_the_version_that_ran(live):
    one = live(RAISES)
    with one.reloader.lease() as world:
        with pytest.raises(ValueError) as caught:
            world.target.execute(None)
        one.reload("\n\n\n" + MAIN)
        text = one.reloader.explain(caught.value)["traceback"]
    assert "# the line that raises" in text and "test_reloader" not in text and f'File "{one.path}"' in text


# Events and cost

def test_what_changed(live):
    one = live()
    assert one.first["changed"]["changed"] == [] and "Task.execute" in one.first["changed"]["added"]
    event = one.reload(MAIN.replace('"one"', '"two"').replace("    made = 0\n", "").replace("Task.made += 1", "self.n = 1") + "\n    def new(self): pass\n")
    assert event["changed"] == {"added": ["Task.new"], "changed": ["WORD", "Task.__init__"], "removed": ["Task.made"]}
    assert set(event["seconds"]) == {"compile", "execute", "swap"} and len(event["version"]["hash"]) == 8


def test_many_reloads_leave_nothing_behind(live):
    one = live()
    for n in range(300):
        one.reload(EDITS["a decorator"][0].replace('"one"', f'"{n}"'))
    assert len(one.reloader._mirrors) < 60 and not one.reloader._retired
