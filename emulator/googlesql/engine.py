"""Google's SQL service, a WebAssembly module, called with protobufs.

The module is compiled once for a machine and kept in a cache folder, since compiling takes tens of
seconds and loading the compiled form a few milliseconds.
"""
from __future__ import annotations

import base64
import ctypes
import hashlib
import os
import platform
import sys
import tempfile
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from functools import partial
from importlib import metadata
from itertools import accumulate
from pathlib import Path
from typing import Callable, Iterator

import tzdata
import wasmtime
import zetasql.wasi
from google.protobuf.internal import api_implementation
from google.protobuf.message import Message

from . import optimizer
from .optimizer import CALL, CONST, END, LOCAL_GET, STORE, UNREACHABLE, optimize
from .protobuf import varints

# Protobuf refuses messages nested more than 100 deep, which an expression of twenty calls already is.
if api_implementation.Type() == "upb":
    api_implementation._c_module.SetAllowOversizeProtos(True)

# Codes of absl::Status.
OUT_OF_RANGE, UNIMPLEMENTED = 11, 12
OK = 1  # as it lies in memory
UNUSED = 30 * 86400  # seconds after which the compiled module of another version is taken for left behind

# The published module, a debug build, and what is made of it: some functions do less, and those that most of the time goes into are
# made better. Their numbers are those of this very file.
MODULE = "00135b44fe391fa8d56f6804dca013bc681e45d607561a638b81c98a08744bcb"
REPLACED = {
    1498: [(END,)],  # an assertion that looks for the pool of every identifier that is touched, under a lock
    19259: [(LOCAL_GET, 0), (CONST, OK), (STORE, 2, 0), (END,)],  # validates the resolved tree, twice for each statement
    # Serializes an answer whose size its callers have just asked for, so that its parts know theirs: asks no more, and for no missing field.
    49913: [(LOCAL_GET, 0), (LOCAL_GET, 1), (LOCAL_GET, 2), (CALL, 49908), (CONST, 1), (END,)],
    # Begin the message of an assertion that failed, after which the program ends.
    **dict.fromkeys((50270, 50271), [(UNREACHABLE,), (END,)])}
HOT = Path(__file__).with_name("hot_functions.txt")  # where Linux perf found them; differences of their numbers, as varints, deflated


class ServiceError(Exception):
    """What the service answers in place of a result. code: of absl::Status; message: its text."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


class Crash(Exception):
    """The module came to a halt (a stack too deep, memory used up); its instance is gone."""


def default_cache_dir() -> Path:
    """Where the compiled module is kept unless the caller says where."""
    named = os.environ.get("BIGQUERY_EMULATOR_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bigquery-tables-lab"


def cache_file(cache_dir: Path) -> Path:
    """The compiled module's file; its name changes with everything that the compiled form depends on."""
    made = [REPLACED, HOT.read_text(), Path(optimizer.__file__).read_text()]
    facts = (metadata.version("zetasql"), made, metadata.version("wasmtime"), sys.implementation.cache_tag, platform.platform(), platform.machine())
    return Path(cache_dir) / f"googlesql-{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}.cwasm"


def _module() -> bytes:
    """The published module, made better if it is the one that is known."""
    data = Path(zetasql.wasi.get_wasm_path()).read_bytes()
    if hashlib.sha256(data).hexdigest() != MODULE:
        return optimize(data, {}, ())
    return optimize(data, REPLACED, accumulate(varints(zlib.decompress(base64.b64decode(HOT.read_text())))))


def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.max_wasm_stack = 2 << 20  # the most there is without changing another; expressions nested some 700 deep
    return wasmtime.Engine(config)


def prepare_cache(cache_dir: Path, progress: Callable[[str], None] = lambda text: None) -> Path:
    """Compile the module into the cache folder unless it is there already; returns the file.

    progress: called with a line of text at the start and the end of a compilation. Of several processes, one compiles.
    """
    path = cache_file(cache_dir)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock")):
            if not path.exists():
                _compile(path, progress)
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that others on this machine wait for; it ends with the process, however that ends."""
    with open(path, "w") as file:
        with suppress(ImportError):  # Windows
            import fcntl
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(path: Path, progress: Callable[[str], None]) -> None:
    progress("Compiling Google's SQL analyzer for this machine (once, up to a minute)")
    start = time.monotonic()
    compiled = wasmtime.Module(_engine(), _module()).serialize()
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(compiled)
    os.replace(file.name, path)
    for other in path.parent.glob("*.cwasm"):
        if time.time() - other.stat().st_mtime > UNUSED:
            other.unlink(missing_ok=True)
    progress(f"Compiled in {time.monotonic() - start:.0f} s")


class Engine:
    """One instance of the module. Calls are serialized by a lock, since the module has one thread."""

    def __init__(self, cache_dir: Path):
        self.cache_dir = Path(cache_dir)
        self.lock = threading.RLock()
        self.generation = 0  # grows when a crash makes a new instance, which knows nothing of the old one's catalogs
        self._load()

    def _load(self) -> None:
        engine, say = _engine(), partial(print, file=sys.stderr, flush=True)
        path = prepare_cache(self.cache_dir, say)
        try:
            self.module = wasmtime.Module.deserialize_file(engine, str(path))
            with suppress(OSError):  # a cache that is only read
                os.utime(path)
        except wasmtime.WasmtimeError:  # a file cut short or made elsewhere
            path.unlink(missing_ok=True)
            self.module = wasmtime.Module.deserialize_file(engine, str(prepare_cache(self.cache_dir, say)))
        self.engine = engine
        self._instantiate()

    def _instantiate(self) -> None:
        wasi = wasmtime.WasiConfig()
        # Its standard error goes nowhere: protobuf grumbles there at every BYTES literal of a script.
        wasi.preopen_dir(os.path.join(os.path.dirname(tzdata.__file__), "zoneinfo"), "/usr/share/zoneinfo", fs_mutable=False)
        self.store = wasmtime.Store(self.engine)
        self.store.set_wasi(wasi)
        linker = wasmtime.Linker(self.engine)
        linker.define_wasi()
        self.exports = dict(linker.instantiate(self.store, self.module).exports(self.store))
        if "_initialize" in self.exports:
            self.exports["_initialize"](self.store)
        self.generation += 1

    def call(self, method: str, request: Message, answer: type[Message] | None = None):
        """One call of the service: an `answer` message. Raises ServiceError for its errors, Crash for its end."""
        data = request.SerializeToString()
        with self.lock:
            try:
                reply = self._call("ZetaSqlLocalService_" + method, data)
            except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
                self._instantiate()
                raise Crash(str(error).splitlines()[0]) from error
        return answer.FromString(reply) if answer else None

    def _call(self, name: str, data: bytes) -> bytes:
        allocate, free = self.exports["wasm_malloc"], self.exports["wasm_free"]
        length = allocate(self.store, 4 + len(data))  # the reply's, and the request after it
        try:
            ctypes.memmove(self._address(length + 4), data, len(data))
            reply = self.exports[name](self.store, length + 4, len(data), length)
            if not reply:
                raise self._error()
            text = self._read(reply, int.from_bytes(self._read(length, 4), "little"))
            free(self.store, reply)
            return text
        finally:
            free(self.store, length)

    def _address(self, pointer: int) -> int:
        return ctypes.addressof(self.exports["memory"].data_ptr(self.store).contents) + (pointer & 0xFFFFFFFF)

    def _read(self, pointer: int, size: int) -> bytes:
        return ctypes.string_at(self._address(pointer), size)

    def _error(self) -> ServiceError:
        size = self.exports["wasm_get_last_error_size"](self.store)
        text = self._read(self.exports["wasm_get_last_error"](self.store), size).decode("utf-8", "replace")
        code, _, message = text.partition(", Message: ")
        number = code.removeprefix("Code: ")
        return ServiceError(int(number) if number.isdigit() else 0, message or text)
