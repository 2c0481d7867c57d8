"""Worlds: versions of the same modules, side by side in one process.

Python has one place for modules, `sys.modules`, so it can hold one version of a file. A world has modules of its
own, and code that runs in it meets no others:

- `import` in its code asks the world, because each of its modules has an `__import__` of its own among its builtins.
- `sys.modules` holds a stand-in, which shows the version that the asking thread runs on: pickle, dataclasses and
  `sys.modules[__name__]` look there.
- `linecache` holds a stand-in too: tracebacks, `inspect` and debuggers find there the text of that version.
"""
from __future__ import annotations

import builtins
import contextlib
import contextvars
import hashlib
import importlib.abc
import importlib.util
import io
import linecache
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

# The world whose code this thread, task or build runs.
running: contextvars.ContextVar[World | None] = contextvars.ContextVar("running", default=None)


@dataclass(frozen=True)
class Version:
    """One state of the files that could be loaded.

    outline: qualified name -> its text; texts: file -> its lines; seconds: phase -> how long it took.
    """
    number: int
    digest: str
    texts: dict[str, list[str]]
    outline: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class World:
    """The learner's modules at one version.

    files: path -> content of each file that was read, None for one that was looked for and is not there.
    busy: how many requests are at work in it.
    """

    def __init__(self, family: Family, files: dict[str, bytes | None], base: World | None = None, stale: frozenset = frozenset()):
        """A world like `base`, without its stale modules: they are loaded anew, from the content in `files`."""
        self.family, self.files = family, files
        self.modules = {name: module for name, module in base.modules.items() if name not in stale} if base else {}
        self.paths = {name: base.paths[name] for name in self.modules if name in base.paths} if base else {}  # of those that have a file
        self.texts = {path: base.texts[path] for path in self.paths.values()} if base else {}
        self.imports = {name: set(names) for name, names in base.imports.items()} if base else {}  # importer -> imported
        self.builtins = vars(builtins) | {"__import__": self.import_}
        self.version: Version | None = None
        self.target: Any = None
        self.busy = 0
        self.compiling = 0.0  # seconds
        self._loading = threading.RLock()

    @contextlib.contextmanager
    def entered(self) -> Iterator[World]:
        """Run the block's code in this world."""
        token = running.set(self)
        try:
            yield self
        finally:
            running.reset(token)

    @property
    def module(self) -> ModuleType:
        """The module of the watched file itself."""
        return self.modules[self.family.name]

    def digest(self) -> str:
        """A short name of what its modules' files hold: that of the watched file alone where it imports no others."""
        hashed = hashlib.sha256()
        for path in sorted(self.texts, key=lambda path: (path != self.family.path, path)):
            hashed.update(self.files.get(path) or b"")
        return hashed.hexdigest()[:8]

    def stale(self, files: dict[str, bytes | None]) -> frozenset[str]:
        """The modules to load anew for these contents: those of changed files, and all that import them."""
        changed = {path for path, content in files.items() if path in self.files and content != self.files[path]}
        names = {name for name, path in self.paths.items() if path in changed}
        names |= {name for path in changed if (name := self.family.name_at(path))}
        while more := {importer for importer, imported in self.imports.items() if imported & names} - names:
            names |= more
        return frozenset(names | {self.family.name}) if changed else frozenset()

    def take_record(self, other: World) -> None:
        """Be known as the other's version: for when its content has moved here."""
        self.version, self.files, self.paths, self.texts, self.imports = other.version, other.files, other.paths, other.texts, other.imports

    # Import

    def import_(self, name: str, globals: dict | None = None, locals: dict | None = None, fromlist: Any = (), level: int = 0) -> ModuleType:
        """`__import__` for the code of this world."""
        globals = globals or {}
        absolute = importlib.util.resolve_name("." * level + name, globals["__package__"]) if level and globals.get("__package__") else name
        top = absolute.partition(".")[0]
        imports = self.imports.setdefault(globals.get("__name__", ""), set())
        imports.add(absolute)
        if not self.family.owns(self, top):
            try:
                return builtins.__import__(name, globals, locals, fromlist, level)
            except ModuleNotFoundError as error:
                self.missed(error.name or absolute)
                raise
        module = self.load(absolute)
        if hasattr(module, "__path__"):
            for attribute in [*(fromlist or ()), *(getattr(module, "__all__", ()) if fromlist and "*" in fromlist else ())]:
                imports.add(f"{absolute}.{attribute}")
                if not hasattr(module, attribute) and attribute != "*":
                    self._load_if_there(f"{absolute}.{attribute}")
        return module if fromlist else self.modules[top]

    def _load_if_there(self, name: str) -> None:
        try:
            self.load(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise

    def load(self, name: str) -> ModuleType:
        """The module of that name, executed the first time; whatever its code raises."""
        with self._loading:
            parent, _, child = name.rpartition(".")
            folders = self.folders(name)
            if name not in self.modules:
                self._load(name, folders)
            module = self.modules[name]
            if parent and vars(self.modules[parent]).get(child) is not module:
                setattr(self.modules[parent], child, module)
            return module

    def folders(self, name: str) -> list[str]:
        """Where the module of a name can be: in the learner's folder, or in those of its package, which is loaded."""
        parent = name.rpartition(".")[0]
        if not parent:
            return [self.family.folder]
        folders = getattr(self.load(parent), "__path__", None)
        if folders is None:
            raise ModuleNotFoundError(f"No module named {name!r}; {parent!r} is not a package", name=name)
        return list(folders)

    def _load(self, name: str, folders: list[str]) -> None:
        spec = self.family.find(name, folders)
        if spec is None:
            self.missed(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        self.modules[name] = module = self.family.empty(spec, self)
        sys.modules.setdefault(name, StandIn(name, self.family))
        self.family.known.add(name)
        try:
            if spec.origin:
                exec(self._code(name, spec.origin), module.__dict__)
        except BaseException:
            self.modules.pop(name, None)
            raise

    def _code(self, name: str, path: str) -> CodeType:
        content = self.files[path] if path in self.files else self.files.setdefault(path, read(path))
        if content is None:
            raise FileNotFoundError(f"{path} is not there")
        self.paths[name], self.texts[path] = path, lines_of(content)
        check_encoding(content, path)
        linecache.cache[path] = (len(content), None, Text(path, self.family), path)  # without a time: never compared with the file
        # Imports within functions are seen when they run. Until then those of the last version count, if they may still be there.
        self.imports[name] = {imported for imported in self.imports.get(name, ()) if imported.rpartition(".")[2].encode() in content}
        start = time.perf_counter()
        try:
            return compile(content, path, "exec", dont_inherit=True)
        finally:
            self.compiling += time.perf_counter() - start

    def settle(self, base: World | None) -> None:
        """Load what code loaded in the last version only when it ran, and forget what nothing imports any more."""
        for name in [name for name in (base.modules if base else ()) if name not in self.modules and name in self._reached()]:
            self._load_if_there(name)
        reached = self._reached()
        self.modules = {name: module for name, module in self.modules.items() if name in reached}
        self.paths = {name: path for name, path in self.paths.items() if name in self.modules}
        self.texts = {path: self.texts[path] for path in self.paths.values()}
        missing = {path for name in reached for path in self.family.places(name)}
        self.files = {path: content for path, content in self.files.items() if path in self.texts or content is None and path in missing}

    def _reached(self) -> set[str]:
        """The names that the watched file imports, and those that these import."""
        reached, more = set(), {self.family.name}
        while more:
            reached |= more
            names = {imported for name in more for imported in self.imports.get(name, ())}
            more = {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 2)} - reached
        return reached

    def missed(self, name: str) -> None:
        """Keep in mind where a module would have been, to look there again."""
        for path in self.family.places(name):
            self.files.setdefault(path, None)


class Family(importlib.abc.MetaPathFinder):
    """What all worlds of one file have in common: where its modules are found, and which world serves.

    As a finder it lets code that is no world's (another library, importlib.import_module) import their modules.
    """

    def __init__(self, path: str, serving: Callable[[], World | None]):
        self.path, self.serving = path, serving
        self.folder = str(Path(path).parent)
        self.known: set[str] = set()  # names that stand in sys.modules for its worlds' modules
        self.name = Path(path).stem.replace(".", "_")

    def world(self) -> World | None:
        """The world that the calling code belongs to; the one that serves if it belongs to none."""
        world = running.get()
        return world if world and world.family is self else self.serving()

    def owns(self, world: World, top: str) -> bool:
        """Whether a top-level name is a module of the learner's folder. What the process had imported before is not."""
        if top in world.modules:
            return True
        known = sys.modules.get(top)
        if known is not None:
            return family_of(known) is self
        spec = self.find(top, [self.folder])
        # A folder without __init__.py is a package only where there is no other of its name.
        return spec is not None and (spec.origin is not None or _elsewhere(top) is None)

    def find(self, name: str, folders: list[str]) -> ModuleSpec | None:
        """Where a module of the learner's is. The interpreter's own finders may not have seen a new file yet."""
        if name == self.name:
            return importlib.util.spec_from_file_location(name, self.path, loader=SourceFileLoader(name, self.path))
        portions = []
        for folder in folders:
            spec = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)
            if spec and spec.loader:
                return spec
            portions += (spec and spec.submodule_search_locations) or []
        if not portions:
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = portions
        return spec

    def places(self, name: str) -> list[str]:
        path = Path(self.folder, *name.split("."))
        return [f"{path}.py", str(path / "__init__.py")]

    def name_at(self, path: str) -> str | None:
        """The name that a module at a path has."""
        inside = Path(path).with_suffix("")
        if not inside.is_relative_to(self.folder):
            return None
        parts = inside.relative_to(self.folder).parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def empty(self, spec: ModuleSpec, world: World) -> ModuleType:
        """A module without content, not known to anyone."""
        module = ModuleType(spec.name)
        module.__spec__, module.__loader__, module.__file__ = spec, spec.loader, spec.origin
        module.__package__ = spec.name if spec.submodule_search_locations is not None else spec.parent
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations
        module.__builtins__ = world.builtins
        return module

    # As a finder

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        world = self.world()
        if world and self.owns(world, name.partition(".")[0]):
            with contextlib.suppress(ModuleNotFoundError):
                found = self.find(name, world.folders(name))
                if found:
                    return ModuleSpec(name, _Loader(self), origin=found.origin, is_package=found.submodule_search_locations is not None)
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, family: Family):
        self.family = family

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandIn(spec.name, self.family)

    def exec_module(self, module: ModuleType) -> None:
        self.family.world().load(_own(module)["_name"])


class StandIn(ModuleType):
    """What `sys.modules` holds: it shows the module of the world that the asking code runs in."""

    def __init__(self, name: str, family: Family):
        super().__init__(name)
        _own(self).update(_name=name, _family=family)

    def __getattribute__(self, name: str) -> Any:
        return getattr(shown, name) if (shown := _shown(self)) is not None else super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(shown, name, value) if (shown := _shown(self)) is not None else super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        delattr(shown, name) if (shown := _shown(self)) is not None else super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted(self.__dict__)


def _own(stand_in: ModuleType) -> dict:
    return ModuleType.__getattribute__(stand_in, "__dict__")


def _shown(stand_in: StandIn) -> ModuleType | None:
    own = _own(stand_in)
    if "_family" in own:
        for world in (own["_family"].world(), own["_family"].serving()):
            if world and own["_name"] in world.modules:
                return world.modules[own["_name"]]
    return None


def family_of(module: ModuleType) -> Family | None:
    """Whose module an entry of sys.modules stands for."""
    return _own(module).get("_family") if type(module) is StandIn else None


class Text(Sequence):
    """A file's lines in linecache: those of the version that the asking code runs on."""

    def __init__(self, path: str, family: Family):
        self.path, self.family = path, family

    @property
    def lines(self) -> list[str]:
        world = self.family.world()
        return world.texts.get(self.path, []) if world else []

    def __getitem__(self, index):
        return self.lines[index]

    def __len__(self) -> int:
        return len(self.lines)


def read(path: str) -> bytes | None:
    """A file's content, None where there is none."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError):
        return None


def lines_of(content: bytes) -> list[str]:
    """A source's lines as Python counts them: str.splitlines() would also end one at a form feed."""
    try:
        text = importlib.util.decode_source(content)
    except (SyntaxError, UnicodeDecodeError, LookupError):  # compile() will say so
        text = content.decode("utf-8", "replace")
    return io.StringIO(text).readlines()


def check_encoding(content: bytes, path: str) -> None:
    """SyntaxError with the place of the first byte that is no text: compile() lets those in comments pass, or names no place."""
    try:
        importlib.util.decode_source(content)
    except UnicodeDecodeError as error:
        start = content.rfind(b"\n", 0, error.start) + 1
        line = content[start:].partition(b"\n")[0].decode(error.encoding, "replace")
        place = (path, content.count(b"\n", 0, error.start) + 1, error.start - start + 1, line)
        raise SyntaxError(f"byte 0x{content[error.start]:02x} is not {error.encoding} text", place) from None


def _elsewhere(name: str) -> ModuleSpec | None:
    """A regular module of that name outside of the learner's folder."""
    spec = PathFinder.find_spec(name)
    return spec if spec and spec.origin else None
