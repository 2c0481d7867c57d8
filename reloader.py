"""Live reload of Python files: save one, and the objects that are already in use run the new code.

Why `importlib.reload()` is not enough. It executes the file again in the same module, so the *names* of the
module point to new functions and new classes. Whoever got hold of the old ones earlier keeps them: the server
holds an object whose class is the old class, and calls the old methods for ever. What a function does is kept
in its `__code__`, and that can be replaced: `old.execute.__code__ = new.execute.__code__` turns the old
function, and with it every bound method, callback and object that leads to it, into the new one.

Doing that while requests are at work takes more care, and makes three steps:

1. Watch (`reloading/watch.py`). The operating system reports that something happened to the watched file, or to
   one that it imports from its folder; their content decides whether anything did.
2. Build (`reloading/world.py`). What changed, and what imports it, is compiled and executed in modules of its own:
   a `World`. Whatever goes wrong here is reported, and nothing that serves has been touched.
3. Swap (`reloading/patch.py`). In one step, between two requests, the live objects take over what the new world
   holds.

A request leases a world, and stays in it until it ends. There is one home world, whose objects keep their identity
for ever. If a request is still at work in it when a save arrives, the world just built serves new requests in the
meantime, and home follows as soon as it is idle.

What Python does not allow: a class that had no base but `object`, or other slots, or another metaclass, can't
become the new one in place. Then its objects become objects of the new class, where their layout permits it, and
the methods stay the same functions; who kept the old class itself keeps the old class.
"""
from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from reloading.patch import Patch, is_slot
from reloading.report import Broken, DeadlinePassed, changes, diff, explain, outline
from reloading.watch import PIECES, Watch
from reloading.world import Family, Version, World, family_of

AFTER = 0.003  # seconds that requests are let go first, before the time is taken to tell what changed
KEPT = 50  # versions whose text can be compared


class Reloader:
    """Keeps `class_name` of the file at `path`, and the modules that it imports from its folder, live.

    on_event(event: dict) is told, once each, and must not block:
    - {"type": "reloading"}: other content was seen;
    - {"type": "reloaded", "version": {"number", "hash"}, "changed": {"added", "changed", "removed"}, "seconds": {phase: s}};
    - {"type": "broken", "report": {...}} as `explain` gives it; the last good version goes on.
    deadline: seconds that the files' own code, outside of functions, may take. poll: see `Watch`.
    """

    def __init__(self, path: str | Path, class_name: str, on_event: Callable[[dict], None] = lambda event: None, *,
                 deadline: float = 10.0, poll: bool | None = None):
        self.path = os.path.abspath(path)
        self.class_name, self.on_event, self.deadline = class_name, on_event, deadline
        self.report: dict | None = None
        self.history: deque[Version] = deque(maxlen=KEPT)
        self.family = Family(self.path, lambda: self._serving)
        self._home: World | None = None
        self._serving: World | None = None
        self._retired: list[World] = []
        self._mirrors: weakref.WeakKeyDictionary[ModuleType, str] = weakref.WeakKeyDictionary()
        self._attempt: World | None = None  # the world that was last built, or is being built, until it serves
        self._build: Build | None = None
        self._built = threading.Event()  # once, if with success or not
        self._untidy = False
        self._lock = threading.Lock()  # which world serves, and how busy each is
        self._telling = threading.Lock()  # events leave in the order of their versions
        self._watch = Watch(self.path, poll)
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
        """Load the files for the first time, then follow them."""
        sys.meta_path.insert(0, self.family)
        sys.path.insert(0, self.family.folder)
        self._watch.start()
        self._thread.start()
        self._built.wait()

    def stop(self) -> None:
        self._watch.stop()
        self._thread.join()
        sys.meta_path.remove(self.family)
        sys.path.remove(self.family.folder)

    @contextlib.contextmanager
    def lease(self) -> Iterator[World | None]:
        """The world that serves now, at one version until the block ends; None where no version has ever loaded."""
        with self._lock:
            world = self._serving
            if world:
                world.busy += 1
        try:
            with world.entered() if world else contextlib.nullcontext():
                yield world
        finally:
            if world:
                with self._lock:
                    world.busy -= 1
                    self._settle()

    def explain(self, error: BaseException) -> dict:
        """What there is to say about an exception: file, line, column, message, traceback in the learner's files."""
        return explain(error, self.family.world(), self.path)

    def diff(self, before: int, after: int) -> str:
        """What changed between two versions, as `diff -u` shows it; KeyError for a number that is not kept."""
        kept = {version.number: version for version in self.history}
        return diff(kept[before], kept[after])

    # Watch

    def _run(self) -> None:
        while not self._watch.stopped:
            try:
                self._look()
                if not self._watch.wait(self._remaining()) and self._untidy:
                    self._untidy = False
                    gc.collect()  # nothing happens: a class refers to itself, so it is never freed by counting
            except Exception:  # a fault of ours must not end the watching
                traceback.print_exc()

    def _remaining(self) -> float | None:
        return self._build.began + self.deadline - time.monotonic() if self._build else None

    def _look(self) -> None:
        """Build a world if the files' content is not what was seen last."""
        worlds = [world for world in (self._serving, self._attempt) if world]
        seen = {path: content for world in worlds for path, content in world.files.copy().items()}
        files = self._watch.contents(seen or {self.path: None})
        self._watch.follow(files)
        build = self._build
        if files != seen:
            if build:
                build.stop()
            self._begin(files)
        elif build and self._remaining() <= 0:
            build.pass_deadline()

    def _begin(self, files: dict[str, bytes | None]) -> None:
        serving, self._build = self._serving, None
        stale = serving.stale(files) if serving else frozenset()
        if serving and not stale:  # a change taken back
            self._attempt = self.report = None
            self._publish({}, {})
            return
        self.on_event({"type": "reloading"})
        self._attempt = World(self.family, files, serving, stale)
        self._build = Build(self, self._attempt)
        self._build.start()

    # Build

    def check(self, world: World) -> None:
        """Load a world's modules and make its target; any exception at all if it cannot serve."""
        name = os.path.basename(self.path)
        source = world.files[self.path]
        if source is None:
            raise Broken(f"{name} is not there")
        if not source.strip():
            raise Broken(f"{name} is empty")
        cls = getattr(world.load(self.family.name), self.class_name, None)
        if not isinstance(cls, type):
            raise Broken(f"{name} has no class {self.class_name}")
        if not callable(getattr(cls, "execute", None)):
            raise Broken(f"class {self.class_name} in {name} has no method execute")
        world.target = cls()
        world.settle(self._serving)

    def break_(self, build: Build, error: BaseException) -> None:
        """Report a world that can't serve, unless another save has made it old."""
        with self._telling:
            if self._build is build:
                self._build = None
                self.report = explain(error, build.world, self.path)
                self._forget_modules()
                self.on_event({"type": "broken", "report": self.report})
                self._built.set()

    # Swap

    def take(self, build: Build) -> None:
        """Let a new world serve, and say so, unless another save has made it old."""
        world = build.world
        with self._telling:
            with self._lock:
                if self._build is not build:
                    return
                start = time.perf_counter()
                before = self.version
                world.version = Version(before.number + 1 if before else 1, world.digest(), world.texts)
                self._swap(world)
                self._build = self._attempt = self.report = None
            world.version.seconds.update(build.seconds, swap=time.perf_counter() - start)
            time.sleep(AFTER)
            world.version.outline.update(outline(world))
            self.history.append(world.version)
            self._forget_modules()
            self._publish(changes(before.outline if before else {}, world.version.outline), world.version.seconds)
        self._untidy = True
        self._built.set()

    def _publish(self, changed: dict, seconds: dict) -> None:
        version = {"number": self.version.number, "hash": self.version.digest}
        self.on_event({"type": "reloaded", "version": version, "changed": changed, "seconds": seconds})

    def _swap(self, world: World) -> None:
        if self._home is None:
            self._home = self._serving = world
            return
        share_state(self._home.target, world.target)
        if self._serving is not self._home:
            self._retired.append(self._serving)
        self._serving = world
        self._settle()

    def _settle(self) -> None:
        """With the lock held: bring home to the version that serves if nobody is at work in it."""
        home, fresh = self._home, self._serving
        if fresh is not home and not home.busy:
            try:
                patch = Patch(home, fresh)
                patch.apply()
                home.target = move_target(patch, home.target, fresh.target, getattr(home.module, self.class_name))
                home.take_record(fresh)
                self._retired.append(fresh)
                self._serving = home
            except Exception:  # classes can be made to refuse anything: then the new ones take their place
                self._home = fresh
        if self._serving is self._home and self._retired:
            self._retire()

    def _retire(self) -> None:
        """Let what is left of idle worlds (a kept callback, a thread) import and see what home has."""
        home = self._home
        for world in [world for world in self._retired if not world.busy]:
            self._retired.remove(world)
            world.builtins["__import__"] = home.import_
            self._mirrors.update({module: name for name, module in world.modules.items() if home.modules.get(name) is not module})
        for module, name in self._mirrors.items():
            if name in home.modules:
                namespace = vars(module)
                namespace.clear()
                # The module lives as long as its namespace does, which is as long as one of its functions.
                namespace.update(vars(home.modules[name]), __retired__=module)

    def _forget_modules(self) -> None:
        """Take out of sys.modules what no world has any more."""
        worlds = [world for world in (self._home, self._serving, self._attempt, *self._retired) if world]
        for name in self.family.known - {name for world in worlds for name in world.modules}:
            self.family.known.discard(name)
            if family_of(sys.modules.get(name)) is self.family:
                del sys.modules[name]


class Build:
    """One attempt to make a world, on a thread of its own: what the learner's file does at import may never end."""

    def __init__(self, reloader: Reloader, world: World):
        self.reloader, self.world = reloader, world
        self.began = time.monotonic()
        self.seconds: dict[str, float] = {}
        self._superseded = threading.Event()
        self._lock = threading.Lock()
        self._executing = True
        self._thread = threading.Thread(target=self._run, name="reloader build", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            with self.world.entered():
                self._attempt()
        except DeadlinePassed:  # it came late, and was reported or is not wanted any more
            pass

    def _attempt(self) -> None:
        start = time.perf_counter()
        try:
            try:
                self.reloader.check(self.world)
            finally:
                self._end_of_code()
        except BaseException as error:
            if not self._superseded.wait(PIECES):  # else it was half a save
                self.reloader.break_(self, error)
        else:
            compiled = self.world.compiling
            self.seconds.update(compile=compiled, execute=time.perf_counter() - start - compiled)
            self.reloader.take(self)

    def _end_of_code(self) -> None:
        with self._lock:
            self._executing = False
        throw(self._thread.ident, None)

    def stop(self) -> None:
        """Another save has made it old."""
        self._superseded.set()
        with self._lock:
            if self._executing:
                throw(self._thread.ident, DeadlinePassed)

    def pass_deadline(self) -> None:
        error = DeadlinePassed(f"the file's own code, outside of functions, ran for more than {self.reloader.deadline:g} seconds")
        self.reloader.break_(self, error.with_traceback(stack_of(self._thread.ident)))
        self.stop()


def throw(thread: int, exception: type[BaseException] | None) -> None:
    """Raise an exception in a thread, as soon as it runs Python code; None: take back one that has not come through yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception and ctypes.py_object(exception))


def stack_of(thread: int) -> TracebackType | None:
    """Where a thread is now, as a traceback."""
    found, frame = None, sys._current_frames().get(thread)
    while frame:
        found = TracebackType(found, frame, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    return found


def share_state(live: Any, fresh: Any) -> None:
    """Let a new object stand for the live one: the same attributes, and those that only its `__init__` made."""
    if hasattr(live, "__dict__") and hasattr(fresh, "__dict__"):
        for name, value in fresh.__dict__.items():
            live.__dict__.setdefault(name, value)
        fresh.__dict__ = live.__dict__
    for name, slot in slots(type(fresh)):
        with contextlib.suppress(AttributeError, TypeError):
            slot.__set__(fresh, getattr(live, name))


def slots(cls: type) -> list[tuple[str, Any]]:
    return [(name, value) for base in cls.__mro__ for name, value in vars(base).items() if is_slot(value)]


def move_target(patch: Patch, live: Any, fresh: Any, cls: type) -> Any:
    """The live object as one of the class's newest version; the fresh one, with its state, where its layout is another."""
    moved = patch.move(live)
    if type(moved) is not cls:
        try:
            object.__setattr__(moved, "__class__", cls)
        except TypeError:
            return patch.move(fresh)
    return moved
