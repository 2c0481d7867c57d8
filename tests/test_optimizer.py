"""Functions as a compiler without an optimizer makes them, before and after ours."""
import pytest
import wasmtime

from benchmarks.sql import DENSE_PAGE
from emulator.googlesql import GoogleSQL, engine
from emulator.googlesql.engine import Engine, ServiceError
from emulator.googlesql.optimizer import Module, optimize
from googlesql_fixture import CACHE, World
from test_functions import CASES as FUNCTIONS

FRAME = "global.get $sp i32.const 16 i32.sub local.tee $f global.set $sp"
DONE = "local.get $f i32.const 16 i32.add global.set $sp"
# What `f` does with its argument -> the text of it and of what it calls, and whether it still uses memory when it has been made better.
CASES = {
    "a parameter kept in the frame": (f"(local $f i32) {FRAME} local.get $f local.get 0 i32.store offset=12 local.get $f i32.load offset=12 {DONE}", "", False),
    "a part of a word": (f"(local $f i32) {FRAME} local.get $f local.get 0 i32.store8 offset=12 local.get $f i32.load8_s offset=12 {DONE}", "", False),
    "a call in its place": (
        f"(local $f i32) {FRAME} local.get $f local.get 0 i32.store offset=8 local.get $f i32.const 8 i32.add call $read local.get 0 i32.add {DONE}",
        f"(func $read (param i32) (result i32) (local $f i32) {FRAME} local.get $f local.get 0 i32.store offset=12 local.get $f i32.load offset=12 i32.load {DONE})",
        False),
    "an early return in its place": (
        "local.get 0 call $half i32.const 1 i32.add",
        "(func $half (param i32) (result i32) local.get 0 i32.const 1 i32.and if i32.const -1 return end local.get 0 i32.const 1 i32.shr_u)", False),
    "a local that is zero each time": (
        """(local $i i32) (local $sum i32) loop local.get $i call $count local.get $sum i32.add local.set $sum
           local.get $i i32.const 1 i32.add local.tee $i local.get 0 i32.lt_s br_if 0 end local.get $sum""",
        "(func $count (param i32) (result i32) (local i32) local.get 1 i32.const 1 i32.add local.tee 1)", False),
    "an address that another function gets": (
        f"(local $f i32) {FRAME} local.get $f local.get 0 i32.store offset=8 local.get $f i32.const 7 i32.store offset=12 "
        f"local.get $f i32.const 8 i32.add call $change local.get $f i32.load offset=12 local.get $f i32.load offset=8 i32.add {DONE}",
        """(func $change (param i32) (local $n i32) loop local.get 0 local.get 0 i32.load offset=4 i32.const 3 i32.add i32.store offset=4
           local.get $n i32.const 1 i32.add local.tee $n i32.const 2 i32.lt_s br_if 0 end)""", True),
    "one of two addresses": (
        f"""(local $f i32) (local $a i32) {FRAME} local.get $f i32.const 5 i32.store offset=8 local.get $f i32.const 6 i32.store offset=12
           local.get 0 if local.get $f i32.const 8 i32.add local.set $a else local.get $f i32.const 12 i32.add local.set $a end
           local.get $a i32.const 9 i32.store local.get $f i32.load offset=8 i32.const 100 i32.mul local.get $f i32.load offset=12 i32.add {DONE}""", "", True),
    "an array that another function gets the end of": (
        f"""(local $f i32) {FRAME} local.get $f i32.const 7 i32.store offset=8 local.get $f i32.const 5 i32.store offset=4
           local.get $f i32.const 12 i32.add call $back local.get $f i32.load offset=8 local.get 0 i32.add {DONE}""",
        """(func $back (param i32) (local $n i32) loop local.get 0 i32.const 4 i32.sub local.tee 0 local.get 0 i32.load i32.const 2 i32.mul i32.store
           local.get $n i32.const 1 i32.add local.tee $n i32.const 2 i32.lt_s br_if 0 end)""", True),
    "two sizes at a place": (
        f"""(local $f i32) {FRAME} local.get $f i64.const 0x500000003 i64.store offset=8 local.get $f local.get 0 i32.store offset=12
           local.get $f i64.load offset=8 i64.const 32 i64.shr_u i32.wrap_i64 {DONE}""", "", True),
    "what is never reached": ("block local.get 0 br 1 i32.const 1 drop end i32.const 2", "", False),
    "what is said before an end": (
        f"""(local $f i32) {FRAME} local.get $f local.get 0 i32.store offset=12 local.get 0 i32.const 1000 i32.eq if local.get $f call $say unreachable end
           local.get $f i32.load offset=12 {DONE}""",
        "(func $say (param i32) loop local.get 0 local.get 0 i32.load i32.store br 0 end)", False),
}
ATOMIC = [f"i32.atomic.rmw.{way}" for way in ("add", "sub", "and", "or", "xor", "xchg")] + [
    "i32.atomic.rmw8.add_u", "i32.atomic.rmw16.xor_u", "i64.atomic.rmw.sub", "i64.atomic.rmw8.or_u", "i64.atomic.rmw16.and_u", "i64.atomic.rmw32.xchg_u",
    "i32.atomic.rmw.cmpxchg", "i64.atomic.rmw.cmpxchg", "i64.atomic.rmw32.cmpxchg_u", "i32.atomic.load8_u", "i64.atomic.load", "i32.atomic.store16", "i64.atomic.store8"]


def module(body: str, others: str, memory: str = "1") -> bytes:
    return bytes(wasmtime.wat2wasm(f'''(module (memory {memory}) (global $sp (mut i32) (i32.const 1024)) {others}
        (func (export "f") (param i32) (result i32) {body}) (func (export "sp") (result i32) global.get $sp))'''))


def answers(data: bytes, shared_memory: bool = False) -> list[int]:
    config = wasmtime.Config()
    config.shared_memory = shared_memory
    store = wasmtime.Store(wasmtime.Engine(config))
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, data), []).exports(store)
    return [exports["f"](store, n) for n in (0, 1, 2, 7, 200, -5)] + [exports["sp"](store)]


@pytest.mark.parametrize("name", CASES)
def test_a_function_does_the_same(name):
    body, others, keeps_memory = CASES[name]
    before = module(body, others)
    after = optimize(before, {}, range(2 if others else 1))
    assert answers(after) == answers(before)
    code = Module(after).function(1 if others else 0).code
    assert any(0x28 <= instruction[0] <= 0x3E for instruction in code) is keeps_memory
    if not keeps_memory:
        assert not any(instruction[0] in (0x10, 0x24) for instruction in code)


@pytest.mark.parametrize("instruction", ATOMIC)
def test_an_atomic_instruction_becomes_a_plain_one(instruction):
    type_ = instruction[:3]
    argument = "local.get 0" if type_ == "i32" else "local.get 0 i64.extend_i32_u"
    expected = f"{type_}.const 7" if "cmpxchg" in instruction else ""
    what = instruction.split(".")[2]
    given = "" if what.startswith("load") else f"{expected} {argument}"
    result = "i64.const 1" if what.startswith("store") else "i64.extend_i32_u" if type_ == "i32" else ""
    body = f"""i32.const 64 i64.const 7 i64.store i32.const 56 {given} {instruction} offset=8 {result} i64.const 1000 i64.mul
               i32.const 64 i64.load i64.add i32.wrap_i64"""
    before = module(body, "", "1 1 shared")
    after = optimize(before, {}, [0])
    assert answers(after) == answers(before, shared_memory=True)
    assert not any(code[0] == 0xFE for code in Module(after).function(0).code)


def test_a_function_is_replaced():
    data = module("local.get 0 i32.const 1 i32.add", "")
    assert answers(optimize(data, {0: [(0x41, 5), (0x0B,)]}, []))[:2] == [5, 5]


def test_the_analyzer_says_what_the_published_one_says(tmp_path, monkeypatch):
    """Byte for byte, to every call that a page of SQL and each of the functions leads to."""
    calls, call = [], Engine._call

    def answer(*args):
        try:
            return call(*args)
        except ServiceError as error:
            return error

    def recorded(self, *request):
        reply = answer(self, *request)
        calls.append((request, str(reply)))
        if isinstance(reply, ServiceError):
            raise reply
        return reply
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_call", recorded)
        world = World(GoogleSQL(CACHE))
        for name in "ab":
            world.table(name, "id INTEGER, g INTEGER, s STRING, f FLOAT, d DATE, t TIMESTAMP, n NUMERIC")
        world.rows(DENSE_PAGE.format(1))
        for expressions in FUNCTIONS.values():
            world.value(expressions[0])
    monkeypatch.setattr(engine, "MODULE", "another")  # which is left as it is
    published = Engine(tmp_path)
    different = [request for request, reply in calls if str(answer(published, *request)) != reply]
    assert len(calls) > len(FUNCTIONS) and not different
