"""Live reload of one Python file: save it, and the objects that are already in use run the new code.

Why `importlib.reload()` is not enough. It executes the file again in the same module, so the *names* of the
module point to new functions and new classes. Whoever got hold of the old ones earlier keeps them: the server
holds an object whose class is the old class, and calls the old methods for ever. What a function does is kept
in its `__code__`, and that can be replaced: `old.execute.__code__ = new.execute.__code__` turns the old
function, and with it every bound method, callback and object that leads to it, into the new one. This module
does so for everything in the file, in this order:

1. Watch: the operating system reports that something happened to the file; its content decides whether anything did.
2. Build: the new source is compiled and executed in a module of its own. Whatever goes wrong here is reported,
   and nothing that serves has been touched.
3. Swap: in one step, between two requests, the live objects take over what the new module holds.

A request leases a `World`: a module, a class and an object which all stay at one version while the lease lasts.
There is one home world, whose objects keep their identity for ever. If a request is still at work in it when a
save arrives, the module just built serves new requests in the meantime, and home follows as soon as it is idle.

Known limits: enums, classes whose memory layout changed (slots, another built-in base), classes with a metaclass
of the file's own and `functools.lru_cache` functions are replaced, not patched; modules that the file imports are
not watched; two versions that serve at the same time have classes of their own, so objects kept from one are not
instances of the other's classes.
"""
from __future__ import annotations

import ast
import contextlib
import ctypes
import enum
import functools
import gc
import hashlib
import importlib.abc
import importlib.util
import io
import linecache
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any, Callable, Iterator

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

PIECES = 0.1  # seconds between the pieces of a save, where nobody says when it is whole
OPEN = 1.0  # seconds to wait for a writer that has the file open, where the system says when it closes it: on Linux
SAFETY_NET = 1.0  # seconds between looks at the file where no event arrives
TIDY = 50  # reloads after which old classes are collected: a class refers to itself, so it is never freed by counting
CONTAINERS, LARGE = {list, tuple, set, frozenset, dict}, 10_000  # longer ones are data, not searched for functions
NOT_FOR_CODE = {"site-packages", "dist-packages", ".venv"}  # libraries, though they may lie in the learner's folder


class Broken(Exception):
    """A version that cannot serve, for a reason that Python itself does not object to."""


class DeadlinePassed(BaseException):
    """The file's own code ran too long at import."""


@dataclass(frozen=True)
class Version:
    """One state of the file that could be loaded. outline: qualified name -> its text; seconds: phase -> duration."""
    number: int
    digest: str
    lines: list[str]
    outline: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(eq=False)
class World:
    """Everything the file defines, at one version. busy: how many requests are at work in it."""
    version: Version
    module: ModuleType
    target: Any
    busy: int = 0


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and loads the watched file as a module: from its content, never from a cached .pyc.

    A .pyc is found by the time of the last change and the size, and two quick saves can agree in both.
    """

    def __init__(self, path: str, name: str):
        self.path, self.name = path, name

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(Path(self.path).read_bytes())

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(Path(self.path).read_bytes(), self.path, "exec"), module.__dict__)

    def new_module(self) -> ModuleType:
        """An empty module of the file's name, not known to anyone."""
        return importlib.util.module_from_spec(self.find_spec(self.name))


class Reloader:
    """Keeps `class_name` of the file at `path` live.

    on_event(event: dict) is told {"type": "reloaded", "version": {...}, "changed": {...}, "seconds": {...}} and
    {"type": "broken", "report": {...}}; it is called on the reloader's thread and must not block.
    """

    def __init__(self, path: str | Path, class_name: str, on_event: Callable[[dict], None] = lambda event: None, *,
                 deadline: float = 10.0):
        self.path = os.path.abspath(path)
        self.class_name, self.on_event, self.deadline = class_name, on_event, deadline
        self.report: dict | None = None
        self.finder = Finder(self.path, Path(self.path).stem.replace(".", "_"))
        self._home: World | None = None
        self._serving: World | None = None
        self._retired: list[World] = []
        self._mirrors: list[dict] = []
        self._seen: Any = self  # no content equals it
        self._looked = threading.Event()
        self._lock = threading.Lock()
        self._watch = Watch(self.path)
        self._thread = threading.Thread(target=self._run, name="reloader", daemon=True)

    # What the server uses

    @property
    def version(self) -> Version | None:
        """The version that new requests get."""
        return self._serving.version if self._serving else None

    @property
    def target(self) -> Any:
        """The object that new requests get."""
        return self._serving.target if self._serving else None

    def start(self) -> None:
        """Load the file for the first time, then follow it."""
        sys.meta_path.insert(0, self.finder)
        folder = os.path.dirname(self.path)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        self._watch.start()
        self._thread.start()
        self._looked.wait()

    def stop(self) -> None:
        self._watch.stop()
        self._thread.join()
        sys.meta_path.remove(self.finder)

    @contextlib.contextmanager
    def lease(self) -> Iterator[World | None]:
        """The world that serves now, at one version until the block ends; None where no version has ever loaded."""
        with self._lock:
            world = self._serving
            if world:
                world.busy += 1
        try:
            yield world
        finally:
            if world:
                with self._lock:
                    world.busy -= 1
                    self._settle()

    def explain(self, error: BaseException, version: Version | None = None) -> dict:
        """What there is to say about an exception: file, line, column, message, traceback in the learner's files."""
        lines = version.lines if version else linecache.getlines(self.path)
        return explain(error, self.path, lines)

    # Watch

    def _run(self) -> None:
        more = True
        while more:
            try:
                self._look()
            except Exception:  # a fault of ours must not end the watching
                traceback.print_exc()
            self._looked.set()
            more = self._watch.wait()

    def _look(self) -> None:
        """Load the file if its content is not what was seen last."""
        source = self._watch.read()
        if source == self._seen:
            return
        self._seen = source
        if self.version and source and digest(source) == self.version.digest:  # a change taken back
            self.report = None
            self._publish({}, {})
            return
        try:
            world = self._build(source)
        except BaseException as error:
            if self._watch.more_soon():  # it was half a save
                self._seen = self
            else:
                self._break(error, source or b"")
        else:
            self._take(world)

    def _break(self, error: BaseException, source: bytes) -> None:
        self.report = explain(error, self.path, split(source.decode("utf-8", "replace")))
        self.on_event({"type": "broken", "report": self.report})

    # Build

    def _build(self, source: bytes | None) -> World:
        """A world of its own from the file's content; any exception at all if it cannot serve."""
        name = os.path.basename(self.path)
        if source is None:
            raise Broken(f"{name} is not there")
        if not source.strip():
            raise Broken(f"{name} is empty")
        start = time.perf_counter()
        tree = ast.parse(source, self.path)
        code = compile(tree, self.path, "exec", dont_inherit=True)
        compiled = time.perf_counter()
        lines = split(importlib.util.decode_source(source))
        module = self.finder.new_module()
        with time_limit(self.deadline):
            exec(code, module.__dict__)
            target = self._instance(module, name)
        seconds = {"compile": compiled - start, "execute": time.perf_counter() - compiled}
        number = self.version.number + 1 if self.version else 1
        return World(Version(number, digest(source), lines, outline(tree, lines), seconds), module, target)

    def _instance(self, module: ModuleType, name: str) -> Any:
        cls = getattr(module, self.class_name, None)
        if not isinstance(cls, type):
            raise Broken(f"{name} has no class {self.class_name}")
        if not callable(getattr(cls, "execute", None)):
            raise Broken(f"class {self.class_name} in {name} has no method execute")
        return cls()

    # Swap

    def _take(self, world: World) -> None:
        """Let a new world serve, and say so."""
        start = time.perf_counter()
        with self._lock:
            before = self.version.outline if self.version else {}
            if self._home is None:
                self._home = self._serving = world
                sys.modules[self.finder.name] = world.module
            else:
                share_state(self._home.target, world.target)
                if self._serving is not self._home:
                    self._retired.append(self._serving)
                self._serving = world
                self._settle()
            self.report = None
        linecache.cache[self.path] = cache_entry(self.path, world.version.lines)
        world.version.seconds["swap"] = time.perf_counter() - start
        self._publish(changes(before, world.version.outline), world.version.seconds)
        if world.version.number % TIDY == 0:
            gc.collect()

    def _publish(self, changed: dict, seconds: dict) -> None:
        version = {"number": self.version.number, "hash": self.version.digest}
        self.on_event({"type": "reloaded", "version": version, "changed": changed, "seconds": seconds})

    def _settle(self) -> None:
        """With the lock held: bring home to the version that serves if nobody is at work in it."""
        home, fresh = self._home, self._serving
        if fresh is not home and not home.busy:
            try:
                patch = Patch(home.module.__dict__, fresh.module.__dict__)
                patch.apply()
                patch.move_instance(home.target, home.module.__dict__[self.class_name])
                home.version = fresh.version
                self._retired.append(fresh)
                self._serving = home
            except Exception:  # classes can be made to refuse anything: then the new ones take their place
                self._home = fresh
                sys.modules[self.finder.name] = fresh.module
        if self._serving is self._home and self._retired:
            self._retire()

    def _retire(self) -> None:
        """Let what is left of idle worlds (a kept callback, a cached function) see home's globals."""
        live = self._home.module.__dict__
        self._mirrors += [world.module.__dict__ for world in self._retired if not world.busy]
        self._retired = [world for world in self._retired if world.busy]
        # Nothing but this list and the call's argument refers to a namespace whose functions are all gone.
        self._mirrors = [self._mirrors[i] for i in range(len(self._mirrors)) if sys.getrefcount(self._mirrors[i]) > 2]
        for namespace in self._mirrors:
            namespace.clear()
            namespace.update(live)


class Watch(FileSystemEventHandler):
    """What happens to one file, as the operating system reports it."""
    CHANGES = {"modified", "created", "moved", "deleted", "closed"}  # not "opened": reading the file is an event too

    def __init__(self, path: str):
        self.paths = {path, os.path.realpath(path)}
        self.path = path
        self._changed = threading.Event()
        self._stopped = False
        self._pause = 0.0  # how long what began with the last event may take to be whole
        self._observer = Observer()

    def start(self) -> None:
        for folder in {os.path.dirname(path) for path in self.paths}:
            self._observer.schedule(self, folder)
        self._observer.start()

    def stop(self) -> None:
        self._stopped = True
        self._changed.set()
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        ours = {os.fsdecode(event.src_path), os.fsdecode(event.dest_path or "")} & self.paths
        if ours and event.event_type in self.CHANGES:
            self._pause = {"modified": OPEN, "created": PIECES}.get(event.event_type, 0.0) if sys.platform == "linux" else 0.0
            self._changed.set()

    def wait(self) -> bool:
        """Until something may have happened; False at the end."""
        self._changed.wait(SAFETY_NET)
        self._changed.clear()
        while self._pause and self._changed.wait(self._pause):
            self._changed.clear()
        self._pause = 0.0
        return not self._stopped

    def more_soon(self) -> bool:
        """Whether another event comes while a save made in pieces may last."""
        return self._changed.wait(PIECES)

    def read(self) -> bytes | None:
        """The file's content, None where there is none; an empty file is given time to be filled."""
        content = self._read()
        if not (content and content.strip()) and self.more_soon():
            content = self._read()
        return content

    def _read(self) -> bytes | None:
        try:
            return Path(self.path).read_bytes()
        except OSError:
            return None


class Patch:
    """Gives the objects of one namespace the contents of another's, made from a newer version of the same file.

    A function or class that both have stays the same object. `same` maps the id of a newer object to the one
    that takes its place; everything that refers to the newer one is translated on the way over.
    """
    KEPT = {"__dict__", "__weakref__", "__module__", "__slots__", "_abc_impl"}  # of a class
    OWN = {"__name__", "__loader__", "__spec__", "__package__", "__file__", "__cached__", "__builtins__"}  # of a module

    def __init__(self, live: dict, fresh: dict):
        self.live, self.fresh = live, fresh
        self.name = live["__name__"]
        self.same: dict[int, Any] = {}
        self.pairs: list[tuple[Any, Any]] = []
        self.held: list = []  # keeps the objects behind the ids alive

    def apply(self) -> None:
        self.pair(self.live, self.fresh)
        for live, fresh in self.pairs:
            (self.update_class if isinstance(fresh, type) else self.update_function)(live, fresh)
        values = {name: self.translate(value) for name, value in self.fresh.items() if name not in self.OWN}
        for name in self.live.keys() - values.keys() - self.OWN:
            del self.live[name]
        self.live.update(values)

    # Which newer object belongs to which live one

    def pair(self, live: dict, fresh: dict) -> None:
        for name, value in fresh.items():
            if name in live:
                self.pair_objects(live[name], value)

    def pair_objects(self, live: Any, fresh: Any) -> None:
        if live is fresh or id(fresh) in self.same or type(live) is not type(fresh):
            return
        if isinstance(fresh, FunctionType):
            if self.alike(live, fresh):
                self.remember(live, fresh)
                for ours, theirs in zip(cells(live), cells(fresh)):
                    self.pair_objects(ours, theirs)
        elif isinstance(fresh, type):
            if self.is_own(fresh) and self.fits(live, fresh):
                self.remember(live, fresh)
                self.pair(vars(live), vars(fresh))
        elif isinstance(fresh, (staticmethod, classmethod)):
            self.pair_objects(live.__func__, fresh.__func__)
        elif isinstance(fresh, property):
            for part in ("fget", "fset", "fdel"):
                self.pair_objects(getattr(live, part), getattr(fresh, part))

    def remember(self, live: Any, fresh: Any) -> None:
        self.same[id(fresh)] = live
        self.pairs.append((live, fresh))

    def alike(self, live: FunctionType, fresh: FunctionType) -> bool:
        """Whether one's code can move into the other: it must close over the same variables."""
        ours = fresh.__globals__ is self.fresh or fresh.__code__ is live.__code__
        return ours and live.__code__.co_freevars == fresh.__code__.co_freevars

    def is_own(self, cls: type) -> bool:
        return getattr(cls, "__module__", None) == self.name

    def fits(self, live: type, fresh: type) -> bool:
        """Whether a class can become another in place: same layout, and bases that Python lets change."""
        if issubclass(fresh, enum.Enum) or vars(live).get("__slots__") != vars(fresh).get("__slots__"):
            return False
        bases = tuple(self.same.get(id(base), base) for base in fresh.__bases__)
        if bases == live.__bases__:
            return True
        try:
            live.__bases__ = bases
        except TypeError:
            return False
        return True

    # Moving contents over

    def update_function(self, live: FunctionType, fresh: FunctionType) -> None:
        live.__code__ = fresh.__code__
        self.copy_function(live, fresh)
        for ours, theirs in zip(live.__closure__ or (), fresh.__closure__ or ()):
            with contextlib.suppress(ValueError):  # a variable that has no value yet
                ours.cell_contents = self.translate(theirs.cell_contents)

    def copy_function(self, live: FunctionType, fresh: FunctionType) -> None:
        live.__defaults__ = self.translate(fresh.__defaults__)
        live.__kwdefaults__ = self.translate(fresh.__kwdefaults__)
        live.__annotations__ = self.translate(fresh.__annotations__)
        live.__doc__, live.__name__, live.__qualname__ = fresh.__doc__, fresh.__name__, fresh.__qualname__
        live.__dict__.clear()
        live.__dict__.update(self.translate(fresh.__dict__))

    def update_class(self, live: type, fresh: type) -> None:
        for name in vars(live).keys() - vars(fresh).keys() - self.KEPT:
            delattr(live, name)
        for name, value in list(vars(fresh).items()):
            if name not in self.KEPT and not is_slot(value):
                moved = self.translate(value)
                if vars(live).get(name, self) is not moved:
                    setattr(live, name, moved)

    def translate(self, value: Any) -> Any:
        """The value as home sees it: itself, unless it leads to an object that another one stands for."""
        if id(value) in self.same:
            return self.same[id(value)]
        kind = type(value)
        if kind is FunctionType and value.__globals__ is self.fresh:
            return self.move_function(value)
        if kind in self.REBUILD and not (kind in CONTAINERS and len(value) > LARGE):
            self.stands_for(value, value)  # until it is known: a list may contain itself
            return self.stands_for(self.REBUILD[kind](self, value), value)
        if isinstance(value, type) and self.is_own(value):
            self.stands_for(value, value)
            self.update_class(value, value)
        elif id(kind) in self.same:
            self.move_instance(value, self.same[id(kind)])
        return value

    def stands_for(self, live: Any, fresh: Any) -> Any:
        self.same[id(fresh)] = live
        self.held.append(fresh)
        return live

    def move_function(self, fresh: FunctionType) -> FunctionType:
        """A new function, with home's globals in place of those it was made with."""
        closure = tuple(CellType() for _ in fresh.__closure__ or ())
        live = FunctionType(fresh.__code__, self.live, fresh.__name__, None, closure or None)
        self.stands_for(live, fresh)
        live.__module__ = fresh.__module__
        self.update_function(live, fresh)
        return live

    def move_instance(self, value: Any, cls: type) -> None:
        """An object that the file's own code made while it was executed."""
        self.stands_for(value, value)
        with contextlib.suppress(TypeError):
            object.__setattr__(value, "__class__", cls)
        for name, attribute in list(getattr(value, "__dict__", {}).items()):
            value.__dict__[name] = self.translate(attribute)

    def move_values(self, values: Any) -> Any:
        """A list, tuple or set: itself if nothing in it changes."""
        moved = [self.translate(value) for value in values]
        return values if all(map(same_object, moved, values)) else type(values)(moved)

    def move_dict(self, value: dict) -> dict:
        moved = {self.translate(key): self.translate(item) for key, item in value.items()}
        return value if all(map(same_object, moved.values(), value.values())) and all(map(same_object, moved, value)) else moved

    REBUILD = {
        list: move_values, tuple: move_values, set: move_values, frozenset: move_values, dict: move_dict,
        staticmethod: lambda self, value: staticmethod(self.translate(value.__func__)),
        classmethod: lambda self, value: classmethod(self.translate(value.__func__)),
        property: lambda self, value: property(*map(self.translate, (value.fget, value.fset, value.fdel)), value.__doc__),
        MethodType: lambda self, value: MethodType(self.translate(value.__func__), self.translate(value.__self__)),
        functools.partial: lambda self, value: functools.partial(
            self.translate(value.func), *self.translate(value.args), **self.translate(value.keywords)),
    }


def same_object(one: Any, other: Any) -> bool:
    return one is other


def is_slot(value: Any) -> bool:
    return type(value).__name__ in ("member_descriptor", "getset_descriptor")


def cells(function: FunctionType) -> list:
    """The values that a function closes over, None for those that have none yet."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            found.append(None)
    return found


def share_state(live: Any, fresh: Any) -> None:
    """Let a new object stand for the live one: the same attributes, and those that only its `__init__` made."""
    if hasattr(live, "__dict__") and hasattr(fresh, "__dict__"):
        for name, value in fresh.__dict__.items():
            live.__dict__.setdefault(name, value)
        fresh.__dict__ = live.__dict__


def split(text: str) -> list[str]:
    """Lines as Python counts them: str.splitlines() would also end one at a form feed."""
    return io.StringIO(text).readlines()


def digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()[:8]


def outline(tree: ast.Module, lines: list[str]) -> dict[str, str]:
    """Qualified name -> text of what a file defines: functions, classes and their members, variables, imports."""
    found: dict[str, str] = {}

    def visit(nodes: list[ast.stmt], prefix: str) -> None:
        for node in nodes:
            text = "".join(lines[first_line(node) - 1:node.end_lineno])
            for name in names_of(node):
                found[prefix + name] = text
            if isinstance(node, ast.ClassDef):
                found[prefix + node.name] = "".join(lines[first_line(node) - 1:first_line(node.body[0]) - 1])
                visit(node.body, f"{prefix}{node.name}.")
    visit(tree.body, "")
    return found


def first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return decorators[0].lineno if decorators else node.lineno


def names_of(node: ast.stmt) -> list[str]:
    """The names that a statement gives a value to."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, (ast.AnnAssign, ast.AugAssign)) else []
    return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]


def changes(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str]]:
    """{"added": [...], "changed": [...], "removed": [...]}: qualified names."""
    return {"added": [name for name in after if name not in before],
            "changed": [name for name, text in after.items() if name in before and before[name] != text],
            "removed": [name for name in before if name not in after]}


def explain(error: BaseException, path: str, lines: list[str]) -> dict:
    """{"kind", "message", "file", "line", "column", "traceback"}: the traceback has only frames below the file's folder.

    lines: the text of the version that ran, which is no longer what the file holds if it was saved since.
    """
    with remember(path, lines):
        whole = traceback.TracebackException.from_exception(error, lookup_lines=False)
        cut(whole, path)
        text = "".join(whole.format())
    report = {"kind": type(error).__name__, "message": str(error) or type(error).__name__, "file": path, "line": None, "column": None, "traceback": text}
    if isinstance(error, SyntaxError):
        column = error.offset if error.offset and error.offset > 0 else None
        return report | {"message": error.msg, "file": error.filename or path, "line": error.lineno, "column": column}
    if isinstance(error, (Broken, DeadlinePassed)) and not whole.stack:
        return report | {"traceback": f"{error}\n"}
    if whole.stack:
        frame = whole.stack[-1]
        column = getattr(frame, "colno", None)
        report |= {"file": frame.filename, "line": frame.lineno, "column": None if column is None else column + 1}
    return report


def cut(whole: traceback.TracebackException, path: str) -> None:
    """Leave out every frame before the learner's file, and those of libraries after it, in each exception of a chain."""
    folder = os.path.dirname(path) + os.sep
    seen, queue = set(), [whole]
    while queue:
        one = queue.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        first = next((i for i, frame in enumerate(one.stack) if frame.filename == path), len(one.stack))
        one.stack[:] = [frame for frame in one.stack[first:]
                        if frame.filename.startswith(folder) and not NOT_FOR_CODE & set(frame.filename.split(os.sep))]
        queue += [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or [])]


def cache_entry(path: str, lines: list[str]) -> tuple:
    """linecache's entry for a text; no time of change, so it is never compared with the file."""
    return sum(map(len, lines)), None, lines, path


_remembering = threading.RLock()


@contextlib.contextmanager
def remember(path: str, lines: list[str]) -> Iterator[None]:
    """Let tracebacks and inspect see these lines as the file's while the block runs."""
    with _remembering:
        before = linecache.cache.get(path)
        linecache.cache[path] = cache_entry(path, lines)
        try:
            yield
        finally:
            linecache.cache.pop(path, None)
            if before:
                linecache.cache[path] = before


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise DeadlinePassed in this thread if the block's own Python code takes longer (not inside a call into C)."""
    lock, done = threading.Lock(), False
    thread = ctypes.c_ulong(threading.get_ident())

    def stop() -> None:
        with lock:
            if not done:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(DeadlinePassed))
    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except DeadlinePassed as error:
        error.args = (f"the file's own code, outside of functions, ran for more than {seconds:g} seconds",)
        raise
    finally:
        with lock:
            done = True
        timer.cancel()
