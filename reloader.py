"""Live reload: watch -> compile -> swap.

A save of the learner's file is read, compiled and executed in a namespace of its own. Only when all of
that went well, and the class with its `execute` is there, is the live module touched: the new functions'
code is moved into the live functions' `__code__`, so that every reference anyone holds (the live object,
its bound methods, callbacks) runs the new code from its next call on. Reloading the module alone would
not do that: `importlib.reload` makes new functions, while the live object still has the old ones.

A file that doesn't compile or run changes nothing: the last good version goes on, and a Report says why.
"""
from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
import threading
import traceback
import types
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

CLASS = "my_bigquery_client"
# Modules beside the learner's file that are the lab's own: no frame of theirs is the learner's.
OWN = {"lab.py", "tornado_server.py", "reloader.py"}
# What a module has of itself, whatever version it is.
IDENTITY = {"__name__", "__loader__", "__spec__", "__package__", "__file__", "__builtins__"}


@dataclass(frozen=True)
class Report:
    """Why a version could not be loaded: where, what, and the learner's part of the traceback."""

    file: str
    line: int | None
    column: int | None
    message: str
    traceback: str


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the learner's module by its file and loads it from source, always: no bytecode is kept
    that could be older than a file saved twice in one second."""

    def __init__(self, name: str, path: Path):
        self.name, self.path = name, path

    def find_spec(self, fullname: str, path=None, target=None) -> importlib.machinery.ModuleSpec | None:
        return self.spec() if fullname == self.name else None

    def spec(self) -> importlib.machinery.ModuleSpec:
        spec = importlib.util.spec_from_file_location(self.name, self.path, loader=self)
        assert spec
        return spec

    def exec_module(self, module: types.ModuleType) -> None:
        self.execute(self.path.read_bytes(), module)

    def execute(self, source: bytes, module: types.ModuleType) -> None:
        exec(compile(source, str(self.path), "exec", dont_inherit=True), module.__dict__)

    def fresh(self, source: bytes) -> types.ModuleType:
        """The source executed in a module that nobody else sees."""
        module = importlib.util.module_from_spec(self.spec())
        self.execute(source, module)
        return module


class Reloader:
    """Keeps one live object of the learner's class up to date with its file.

    path: the learner's file; notify: called with ("reloaded", {...}) or ("broken", {...}) from the watching thread.
    """

    def __init__(self, path: Path, notify: Callable[[str, dict], None] = lambda name, event: None):
        self.path = Path(path).absolute()
        self.notify = notify
        self.version = 0
        self.broken: Report | None = None
        self.instance: Any = None
        self.module: types.ModuleType | None = None
        self._finder = Finder(self.path.stem, self.path)
        self._digest: bytes | None = None
        self._lock = threading.RLock()
        self._changed = threading.Event()
        self._observer: Any = None
        self._stopped = False

    # Watching -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Watch the file, load it for the first time, and go on loading it whenever its content changes."""
        sys.meta_path.insert(0, self._finder)
        if str(self.path.parent) not in sys.path:
            sys.path.insert(0, str(self.path.parent))
        self._observer = Observer()
        for folder in {self.path.parent, self.path.resolve().parent}:
            self._observer.schedule(_Events(self), str(folder))
        self._observer.start()
        self.load()
        threading.Thread(target=self._watch, name="reloader", daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self._changed.set()
        if self._observer:
            self._observer.stop()
            self._observer.join()
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)

    def changed(self) -> None:
        """Something happened to the file: look at it soon, on the watching thread."""
        self._changed.set()

    def _watch(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            if self._stopped:
                return
            self.load()

    # Loading --------------------------------------------------------------------------------------

    def load(self) -> None:
        """Bring the live object to the file's content; one that is the same as before changes nothing."""
        try:
            source = self.path.read_bytes()
        except OSError as error:
            # Deleted, perhaps only for the moment in which an editor writes it anew.
            self._fail(Report(str(self.path), None, None, f"{self.path.name} can't be read: {error.strerror}", ""), None)
            return
        digest = hashlib.sha256(source).digest()
        if digest == self._digest:
            return
        self._digest = digest
        try:
            fresh = self._finder.fresh(source)
            check(fresh)
            with self._lock:
                what = self._swap(fresh, source)
        except BaseException as error:  # SystemExit too: the learner's file does not end the server
            self._fail(self.report(error, source), source)
        else:
            self.broken = None
            self.notify("reloaded", {"version": self.version, **what})

    def _fail(self, report: Report, source: bytes | None) -> None:
        if source is None:
            self._digest = None
        if report != self.broken:
            self.broken = report
            self.notify("broken", asdict(report) | {"version": self.version})

    def _swap(self, fresh: types.ModuleType, source: bytes) -> dict:
        """Make the live module what the fresh one is. Nothing in here runs the learner's code, but for the
        first version, whose object is made here."""
        if self.module is None:
            instance = getattr(fresh, CLASS)()
            self.module, self.instance = fresh, instance
            sys.modules[self._finder.name] = fresh
            changed: list[str] = []
        else:
            changed = update_module(self.module, fresh)
        self.version += 1
        # Tracebacks read lines from here: those of the version that runs, not what the file holds by then.
        lines = source.decode("utf-8", "replace").splitlines(keepends=True)
        linecache.cache[str(self.path)] = (len(source), None, lines, str(self.path))
        return {"operation": self.operation, "changed": changed}

    @property
    def operation(self) -> str | None:
        """The operation that a submit would run now: the first key of env that is True."""
        env = getattr(self.instance, "env", None)
        return next((name for name, on in env.items() if on), None) if isinstance(env, dict) else None

    # Reports --------------------------------------------------------------------------------------

    def report(self, error: BaseException, source: bytes | None = None) -> Report:
        """An exception as the learner should see it: their frames only."""
        if isinstance(error, SyntaxError) and error.filename == str(self.path):
            text = "".join(traceback.format_exception_only(error))
            return Report(str(self.path), error.lineno, error.offset, f"{type(error).__name__}: {error.msg}", text)
        frames = self.frames(error, source)
        line = frames[-1].lineno if frames else None
        column = frames[-1].colno + 1 if frames and frames[-1].colno is not None else None
        return Report(str(self.path), line, column, summary(error), self.format(error, source))

    def frames(self, error: BaseException, source: bytes | None = None) -> list[traceback.FrameSummary]:
        """The frames of a traceback that lie in the learner's files."""
        if source is not None:
            lines = source.decode("utf-8", "replace").splitlines(keepends=True)
            linecache.cache[str(self.path)] = (len(source), None, lines, str(self.path))
        return [frame for frame in traceback.extract_tb(error.__traceback__) if self.is_learners(frame.filename)]

    def format(self, error: BaseException, source: bytes | None = None) -> str:
        """A traceback cut to the learner's frames."""
        frames = self.frames(error, source)
        head = ["Traceback (most recent call last):\n", *traceback.format_list(frames)] if frames else []
        return "".join(head + traceback.format_exception_only(error))

    def is_learners(self, filename: str) -> bool:
        path = Path(filename)
        return path == self.path or (path.parent == self.path.parent and path.name not in OWN)


class _Events(FileSystemEventHandler):
    """Any change of the watched file, however an editor saves it."""

    def __init__(self, reloader: Reloader):
        self.reloader = reloader
        self.names = {str(reloader.path), str(reloader.path.resolve())}

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in ("opened", "closed_no_write") and self.names & {str(event.src_path), str(event.dest_path)}:
            self.reloader.changed()


def summary(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def check(module: types.ModuleType) -> None:
    """The contract with the lab: a class of the right name with an `execute`."""
    cls = getattr(module, CLASS, None)
    if not isinstance(cls, type):
        raise ImportError(f"the file has no class {CLASS}; the lab needs one with a method execute(self, data)")
    if not callable(getattr(cls, "execute", None)):
        raise ImportError(f"class {CLASS} has no method execute(self, data)")


# Swapping -----------------------------------------------------------------------------------------

def update_module(live: types.ModuleType, fresh: types.ModuleType) -> list[str]:
    """Make a live module what a fresh one is, its functions and classes the same objects; the names that changed."""
    changed: list[str] = []
    for name, new in list(vars(fresh).items()):
        if name not in IDENTITY:
            setattr(live, name, updated(getattr(live, name, None), new, live.__dict__, changed, name))
    for name in [name for name in vars(live) if name not in vars(fresh) and name not in IDENTITY]:
        delattr(live, name)
        changed.append(name)
    return changed


def updated(old: Any, new: Any, scope: dict, changed: list[str], name: str) -> Any:
    """What a name is to mean: the old object brought up to date where that is possible, else the new one."""
    if isinstance(old, types.FunctionType) and isinstance(new, types.FunctionType):
        return update_function(old, new, scope, changed, name)
    if is_learners_class(old, scope) and isinstance(new, type) and new.__module__ == scope["__name__"] and type(old) is type(new):
        update_class(old, new, scope, changed)
        return old
    for kind in (staticmethod, classmethod):
        if isinstance(old, kind) and isinstance(new, kind):
            function = updated(old.__func__, new.__func__, scope, changed, name)
            return old if function is old.__func__ else kind(function)
    if isinstance(new, types.FunctionType) and new.__module__ == scope["__name__"]:
        changed.append(name)
        return at_home(new, scope)
    if not isinstance(new, (types.ModuleType, type)) and not same(old, new):
        changed.append(name)
    return new


def same(old: Any, new: Any) -> bool:
    try:
        return type(old) is type(new) and bool(old == new)
    except Exception:  # an object of the learner's that can't be compared
        return False


def is_learners_class(value: Any, scope: dict) -> bool:
    return isinstance(value, type) and value.__module__ == scope["__name__"]


def update_function(old: types.FunctionType, new: types.FunctionType, scope: dict, changed: list[str], name: str) -> types.FunctionType:
    """The old function with the new one's code; the new one where a closure can't take the code over."""
    if old.__globals__ is not scope or old.__closure__ or new.__closure__:
        changed.append(name)
        return at_home(new, scope)
    if old.__code__ != new.__code__ or old.__defaults__ != new.__defaults__:
        changed.append(name)
    old.__code__ = new.__code__
    old.__defaults__ = new.__defaults__
    old.__kwdefaults__ = new.__kwdefaults__
    old.__doc__ = new.__doc__
    old.__annotations__ = new.__annotations__
    old.__dict__.clear()
    old.__dict__.update(new.__dict__)
    return old


def at_home(new: types.FunctionType, scope: dict) -> types.FunctionType:
    """A function of the fresh module as one of the live module, whose globals it then sees."""
    if new.__module__ != scope["__name__"] or new.__closure__:
        return new
    function = types.FunctionType(new.__code__, scope, new.__name__, new.__defaults__, new.__closure__)
    function.__kwdefaults__ = new.__kwdefaults__
    function.__dict__.update(new.__dict__)
    function.__annotations__, function.__doc__ = new.__annotations__, new.__doc__
    function.__qualname__, function.__module__ = new.__qualname__, new.__module__
    return function


def update_class(live: type, fresh: type, scope: dict, changed: list[str]) -> None:
    """Make a live class what a fresh one is: methods swapped in place, attributes set, what is gone removed."""
    rewire = {"__dict__", "__weakref__", "__module__", "__qualname__"}
    for name, new in list(vars(fresh).items()):
        adopt_super(new, live)
        if name not in rewire:
            setattr(live, name, updated(vars(live).get(name), new, scope, changed, name))
    for name in [name for name in vars(live) if name not in vars(fresh) and name not in rewire]:
        delattr(live, name)
        changed.append(name)
    if live.__bases__ != fresh.__bases__:
        live.__bases__ = fresh.__bases__


def adopt_super(method: Any, live: type) -> None:
    """Let a method's `super()` mean the live class: the compiler keeps the class in a cell of the function."""
    function = getattr(method, "__func__", method)
    if isinstance(function, types.FunctionType) and "__class__" in function.__code__.co_freevars:
        function.__closure__[function.__code__.co_freevars.index("__class__")].cell_contents = live
