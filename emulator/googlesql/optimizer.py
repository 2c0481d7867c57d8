"""What a compiler's optimizer would have done to the published module, which was built without one (clang -O0).

In such code every variable lives in a frame in memory, and every accessor is a call. Functions are taken from the leaves of
the call graph up: the variables of a frame become locals if no address in it goes anywhere, and functions that are small then are
put in the place of their calls, which shows more such frames. The machine code is then made of it by Cranelift, which does the
rest. Addresses are followed by abstract interpretation. One that can't be followed leaves its whole frame in memory, for it may
be an array's end as well as the variable that begins there.

The module was built for several threads and is given one: its memory is nobody else's, and atomic instructions are plain ones.
"""
from __future__ import annotations

from collections import defaultdict
from typing import Iterable, NamedTuple

from .protobuf import read_varint, varint

UNREACHABLE, NOP, BLOCK, LOOP, IF, ELSE, END, BR, BR_IF, BR_TABLE, RETURN, CALL, CALL_INDIRECT = *range(6), *range(0x0B, 0x12)
DROP, SELECT, LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET, CONST, STORE = 0x1A, 0x1B, 0x20, 0x21, 0x22, 0x23, 0x24, 0x41, 0x36
ADD, SUB, AND = 0x6A, 0x6B, 0x71
MISC, ATOMIC, EMPTY, STACK_POINTER, MEMORIES, SHARED = 0xFC, 0xFE, 0x40, 0, 5, 2
I32, I64, F32, F64 = 0x7F, 0x7E, 0x7D, 0x7C
ZERO = {I32: (CONST, 0), I64: (0x42, b"\0"), F32: (0x43, bytes(4)), F64: (0x44, bytes(8))}
# Opcode -> bytes and type of a load and a store of a variable; what follows the load, or comes before the store, of a part of a word.
LOADS = {0x28: (4, I32), 0x29: (8, I64), 0x2A: (4, F32), 0x2B: (8, F64), 0x2C: (1, I32), 0x2D: (1, I32), 0x2E: (2, I32), 0x2F: (2, I32)}
STORES = {STORE: (4, I32), 0x37: (8, I64), 0x38: (4, F32), 0x39: (8, F64), 0x3A: (1, I32), 0x3B: (2, I32)}
EXTEND = {0x2C: [(0xC0,)], 0x2E: [(0xC1,)]}
WRAP = {0x3A: [(CONST, 0xFF), (AND,)], 0x3B: [(CONST, 0xFFFF), (AND,)]}
# Atomic instructions: seven of each way of access, with these types, loads and stores; and what the ways between 2 and 6 do with a value.
FIRST_ATOMIC, SIZES = 0x10, [(I32, 0x28, STORE), (I64, 0x29, 0x37), (I32, 0x2D, 0x3A), (I32, 0x2F, 0x3B), (I64, 0x31, 0x3C), (I64, 0x33, 0x3D), (I64, 0x35, 0x3E)]
CHANGED = {2: (ADD, 0x7C), 3: (SUB, 0x7D), 4: (AND, 0x83), 5: (0x72, 0x84), 6: (0x73, 0x85)}
EXCHANGED, EQUAL = 7, (0x46, 0x51)
WITH_INDEX = {BR, BR_IF, CALL, LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET}
FREE = {NOP, BLOCK, ELSE, END, DROP, LOCAL_GET, LOCAL_SET, LOCAL_TEE, *range(0x41, 0x45)}  # costs nothing in machine code
SMALL, LARGEST = 17, 4000  # the weight of what is put in the place of a call, and of what that may make of a function
BYTES = 700  # of a function that is looked at only since it is called


class Odd(Exception):
    """A function whose code is of a kind that is left alone."""


# Reading and writing ------------------------------------------------------------------------------

def signed(data: bytes, at: int) -> tuple[int, int]:
    start = at
    number, at = read_varint(data, at)
    bits = 7 * (at - start)
    return (number - (1 << bits) if number >> (bits - 1) else number), at


def signed_bytes(number: int) -> bytes:
    result = bytearray()
    while not -64 <= number < 64:
        result.append(number & 127 | 128)
        number >>= 7
    result.append(number & 127)
    return bytes(result)


def _effects() -> dict[int, tuple[int, int]]:
    """Opcode -> how many values it takes from the stack and puts there."""
    takes_gives = {(1, 0): [(0x1A, 0x1A)], (3, 1): [(0x1B, 0x1B)], (2, 0): [(0x36, 0x3E)], (0, 1): [(0x3F, 0x3F), (0x41, 0x44)],
                   (1, 1): [(0x28, 0x35), (0x40, 0x40), (0x45, 0x45), (0x50, 0x50), (0x67, 0x69), (0x79, 0x7B), (0x8B, 0x91), (0x99, 0x9F), (0xA7, 0xC4)],
                   (2, 1): [(0x46, 0x4F), (0x51, 0x66), (0x6A, 0x78), (0x7C, 0x8A), (0x92, 0x98), (0xA0, 0xA6)]}
    return {op: effect for effect, ranges in takes_gives.items() for first, last in ranges for op in range(first, last + 1)}


EFFECTS = _effects()


def effect(instruction: tuple) -> tuple[int, int]:
    op = instruction[0]
    if op == MISC:
        return (1, 1) if instruction[1] < 8 else (0, 0) if instruction[1] == 9 else (3, 0)
    if op == ATOMIC:
        kind = instruction[1]
        return (0, 0) if kind == 3 else (3, 1) if kind in (1, 2) or kind >= 0x48 else (1, 1) if 0x10 <= kind <= 0x16 else (2, 0) if 0x17 <= kind <= 0x1D else (2, 1)
    return EFFECTS[op]


def decode(data: bytes, at: int, end: int) -> list[tuple]:
    """Instructions as tuples of the opcode and what follows it; Odd for those that the module is not known to have."""
    code = []
    while at < end:
        op, start = data[at], at + 1
        if op in WITH_INDEX:
            index, at = read_varint(data, start)
            code.append((op, index))
        elif op == CONST:
            value, at = signed(data, start)
            code.append((op, value))
        elif 0x28 <= op <= 0x3E or op == CALL_INDIRECT:
            first, at = read_varint(data, start)
            second, at = read_varint(data, at)
            code.append((op, first, second))
        elif op in (BLOCK, LOOP, IF):
            if data[start] != EMPTY and data[start] < F64:
                raise Odd("a block of several values")
            code.append((op, data[start]))
            at = start + 1
        elif op == BR_TABLE:
            count, at = read_varint(data, start)
            targets = []
            for _ in range(count + 1):
                target, at = read_varint(data, at)
                targets.append(target)
            code.append((op, tuple(targets)))
        elif op in (MISC, ATOMIC):
            kind, start = read_varint(data, start)
            at = _after_operands(data, op, kind, start)
            code.append((op, kind, data[start:at]))
        elif op in (0x42, 0x43, 0x44, 0x3F, 0x40):
            at = start + {0x43: 4, 0x44: 8}.get(op, 1) if op != 0x42 else read_varint(data, start)[1]
            code.append((op, data[start:at]))
        elif op in EFFECTS or op in (UNREACHABLE, NOP, ELSE, END, RETURN):
            code.append((op,))
            at = start
        else:
            raise Odd("an instruction")
    return code


def _after_operands(data: bytes, op: int, kind: int, at: int) -> int:
    if op == MISC and kind > 11:
        raise Odd("an instruction")
    numbers = {8: 2, 9: 1, 10: 2, 11: 1}.get(kind, 0) if op == MISC else 1 if kind == 3 else 2
    for _ in range(numbers):
        _, at = read_varint(data, at)
    return at


def encode(code: list[tuple]) -> bytes:
    result = bytearray()
    for instruction in code:
        op = instruction[0]
        result.append(op)
        if op in WITH_INDEX:
            result += varint(instruction[1])
        elif op == CONST:
            result += signed_bytes(instruction[1])
        elif 0x28 <= op <= 0x3E or op == CALL_INDIRECT:
            result += varint(instruction[1]) + varint(instruction[2])
        elif op in (BLOCK, LOOP, IF):
            result.append(instruction[1])
        elif op == BR_TABLE:
            result += varint(len(instruction[1]) - 1) + b"".join(map(varint, instruction[1]))
        elif op in (MISC, ATOMIC):
            result += varint(instruction[1]) + instruction[2]
        elif len(instruction) > 1:
            result += instruction[1]
    return bytes(result)


class Function:
    """params, locals: types of the variables; result: a type or None; code: instructions."""

    def __init__(self, params: list[int], result: int | None, locals_: list[int], code: list[tuple]):
        self.params, self.result, self.locals, self.code = params, result, locals_, code

    def variable(self, type_: int) -> int:
        self.locals.append(type_)
        return len(self.params) + len(self.locals) - 1

    @property
    def weight(self) -> int:
        return sum(3 if op[0] in (CALL, CALL_INDIRECT) else 1 for op in self.code if op[0] not in FREE)

    def encoded(self) -> bytes:
        runs: list[list[int]] = []
        for type_ in self.locals:
            if runs and runs[-1][1] == type_:
                runs[-1][0] += 1
            else:
                runs.append([1, type_])
        body = varint(len(runs)) + b"".join(varint(count) + bytes([type_]) for count, type_ in runs) + encode(self.code)
        return varint(len(body)) + body


class Module:
    """A module's parts. types: (params, results) of the signatures; bodies: where the functions' code is."""

    def __init__(self, data: bytes):
        self.data = data
        self.sections: list[tuple[int, int, int]] = []
        at = 8
        while at < len(data):
            kind = data[at]
            size, start = read_varint(data, at + 1)
            at = start + size
            self.sections.append((kind, start, at))
        starts = {kind: start for kind, start, _ in self.sections if kind}
        self.types = self._types(starts[1])
        imported = self._imported(starts[2]) if 2 in starts else []
        self.imports = len(imported)
        self.signatures = imported + self._numbers(starts[3])
        self.bodies = []
        count, at = read_varint(data, starts[10])
        for _ in range(count):
            size, at = read_varint(data, at)
            self.bodies.append((at, at + size))
            at += size

    def _types(self, at: int) -> list[tuple[bytes, bytes]]:
        found = []
        count, at = read_varint(self.data, at)
        for _ in range(count):
            sides = []
            at += 1
            for _ in range(2):
                size, at = read_varint(self.data, at)
                sides.append(self.data[at:at + size])
                at += size
            found.append(tuple(sides))
        return found

    def _imported(self, at: int) -> list[int]:
        """The signatures of the imported functions."""
        found = []
        count, at = read_varint(self.data, at)
        for _ in range(count):
            for _ in range(2):
                size, at = read_varint(self.data, at)
                at += size
            kind, flags = self.data[at], self.data[at + 1]
            number, at = read_varint(self.data, at + 1)
            if kind == 0:
                found.append(number)
            elif kind == 2:
                for _ in range(1 + (flags & 1)):
                    _, at = read_varint(self.data, at)
            else:
                raise Odd("an import")
        return found

    def _numbers(self, at: int) -> list[int]:
        found = []
        count, at = read_varint(self.data, at)
        for _ in range(count):
            number, at = read_varint(self.data, at)
            found.append(number)
        return found

    def signature(self, number: int) -> tuple[bytes, bytes]:
        return self.types[self.signatures[number]]

    def function(self, number: int) -> Function:
        at, end = self.bodies[number - self.imports]
        count, at = read_varint(self.data, at)
        variables = []
        for _ in range(count):
            times, at = read_varint(self.data, at)
            variables += [self.data[at]] * times
            at += 1
        params, results = self.signature(number)
        return Function(list(params), results[0] if results else None, variables, decode(self.data, at, end))

    def size(self, number: int) -> int:
        start, end = self.bodies[number - self.imports]
        return end - start

    def with_functions(self, functions: dict[int, Function | None]) -> bytes:
        """The module in which these stand in the place of its own, and whose memory is not shared."""
        code = bytearray(varint(len(self.bodies)))
        for place, (start, end) in enumerate(self.bodies):
            function = functions.get(place + self.imports)
            code += function.encoded() if function else varint(end - start) + self.data[start:end]
        result = bytearray(self.data[:8])
        for kind, start, end in self.sections:
            body = code if kind == 10 else self.data[start:end]
            if kind == MEMORIES:
                body = bytes([body[0], body[1] & ~SHARED]) + body[2:]
            result.append(kind)
            result += varint(len(body)) + body
        return bytes(result)


# Frames -------------------------------------------------------------------------------------------

class Address(NamedTuple):
    """A place in memory by its distance from what the stack pointer was. root: the instruction that read the pointer;
    makers: those that put the address on the stack, and that can go when it isn't needed there."""

    root: int
    offset: int
    makers: tuple[int, ...] = ()


class Constant(NamedTuple):
    value: int
    makers: tuple[int, ...]


class Access(NamedTuple):
    """A load or store of a variable. kind: bytes and type."""

    at: int
    address: Address
    kind: tuple[int, int]
    stores: bool


class Open:
    """A block that is not closed yet. state: the locals at its end, by what branched there; otherwise: those at the start of an else."""

    def __init__(self, op: int, at: int, gives: int, height: int, otherwise: dict | None = None):
        self.op, self.at, self.gives, self.height, self.otherwise = op, at, gives, height, otherwise
        self.state: dict | None = None


def merged(one: dict | None, other: dict) -> dict:
    """The locals where two ways meet. A local that has one address here and another there holds a set: those are known no more."""
    if one is None or one == other:
        return other
    result = {}
    for local in one.keys() | other.keys():
        a, b = one.get(local), other.get(local)
        result[local] = a if a == b else _set(a) | _set(b)
    return result


def _set(value) -> frozenset:
    return value if isinstance(value, frozenset) else frozenset([value] if value else [])


class Frames:
    """Where the addresses in a function's frames go.

    escaped: roots of addresses that go where they can't be followed; accesses: direct loads and stores; movers: root -> the
    instructions that do nothing but make, keep and move its addresses; dead: instructions that are never reached; stops: ends of
    blocks that are never reached.
    """

    def __init__(self, function: Function, module: Module):
        self.function, self.module = function, module
        self.heads: dict[int, dict] = {}  # start of a loop -> the locals there, by all ways that lead there
        self.settled = False
        while not self.settled:
            self.settled = True
            self._walk()

    def _walk(self) -> None:
        self.escaped: set[int] = set()
        self.movers: dict[int, list[int]] = defaultdict(list)
        self.accesses: list[Access] = []
        self.dead: set[int] = set()
        self.stops: list[int] = []
        self.stack: list = []
        self.locals: dict[int, Address | frozenset] = {}
        self.opened = [Open(BLOCK, -1, self.function.result is not None, 0)]
        self.reached, self.skipped = True, 0
        steps, other = STEPS, Frames._other
        for at, instruction in enumerate(self.function.code):
            op = instruction[0]
            self.at = at
            if self.reached or not self._skip(op):
                steps.get(op, other)(self, instruction)

    def _skip(self, op: int) -> bool:
        """Whether an instruction that is not reached stands inside of the block that goes on with the next one that is."""
        if not self.skipped and op in (ELSE, END):
            return False
        self.skipped += 1 if op in (BLOCK, LOOP, IF) else -1 if op == END else 0
        self.dead.add(self.at)
        return True

    def _escape(self, *values) -> None:
        for value in values:
            if isinstance(value, Address):
                self.escaped.add(value.root)

    def _other(self, instruction: tuple) -> None:
        takes, gives = effect(instruction)
        for _ in range(takes):
            self._escape(self.stack.pop())
        self.stack += [None] * gives

    # What moves addresses

    def _local_get(self, instruction: tuple) -> None:
        value = self.locals.get(instruction[1])
        if isinstance(value, Address):
            self.movers[value.root].append(self.at)
            self.stack.append(Address(value.root, value.offset, (self.at,)))
        else:
            self._escape(*value or ())
            self.stack.append(None)

    def _local_set(self, instruction: tuple) -> None:
        op, local = instruction
        value = self.stack.pop()
        if isinstance(value, Address):
            self.locals[local] = Address(value.root, value.offset)
            self.movers[value.root].append(self.at)
            value = Address(value.root, value.offset, (self.at,))
        else:
            self.locals.pop(local, None)
            value = None
        if op == LOCAL_TEE:
            self.stack.append(value)

    def _const(self, instruction: tuple) -> None:
        self.stack.append(Constant(instruction[1], (self.at,)))

    def _add(self, instruction: tuple) -> None:
        b, a = self.stack.pop(), self.stack.pop()
        if instruction[0] == ADD and isinstance(a, Constant):
            a, b = b, a
        if isinstance(a, Address) and isinstance(b, Constant):
            makers = (*b.makers, self.at)
            self.movers[a.root] += makers
            self.stack.append(Address(a.root, a.offset + (b.value if instruction[0] == ADD else -b.value), a.makers + makers))
        else:
            self._escape(a, b)
            self.stack.append(None)

    def _global_get(self, instruction: tuple) -> None:
        if instruction[1] == STACK_POINTER:
            self.movers[self.at].append(self.at)
            self.stack.append(Address(self.at, 0, (self.at,)))
        else:
            self.stack.append(None)

    def _global_set(self, instruction: tuple) -> None:
        value = self.stack.pop()
        if instruction[1] == STACK_POINTER and isinstance(value, Address):
            if value.offset > 0:
                raise Odd("a frame that ends elsewhere than it began")
            self.movers[value.root].append(self.at)
        else:
            self._escape(value)

    # What uses them

    def _load(self, instruction: tuple) -> None:
        self._access(self.stack.pop(), instruction, LOADS[instruction[0]])
        self.stack.append(None)

    def _store(self, instruction: tuple) -> None:
        value, address = self.stack.pop(), self.stack.pop()
        self._escape(value)
        self._access(address, instruction, STORES[instruction[0]], stores=True)

    def _access(self, address, instruction: tuple, kind: tuple[int, int], stores: bool = False) -> None:
        if isinstance(address, Address):
            place = address._replace(offset=address.offset + instruction[2])
            self.accesses.append(Access(self.at, place, kind, stores))

    def _call(self, instruction: tuple) -> None:
        params, results = self.module.signature(instruction[1]) if instruction[0] == CALL else self.module.types[instruction[1]]
        for _ in range(len(params) + (instruction[0] == CALL_INDIRECT)):
            self._escape(self.stack.pop())
        self.stack += [None] * len(results)

    # What changes the way

    def _open(self, instruction: tuple) -> None:
        op, type_ = instruction
        if op == IF:
            self._escape(self.stack.pop())
        if op == LOOP:
            self.locals = self._into_loop(self.at)
        self.opened.append(Open(op, self.at, type_ != EMPTY, len(self.stack), dict(self.locals) if op == IF else None))

    def _into_loop(self, start: int) -> dict:
        """The locals at a loop's start, to which one more way leads: this one."""
        known = self.heads.get(start)
        state = merged(known, self.locals)
        if state != known:
            self.heads[start] = dict(state)
            self.settled = known is None and self.settled
        return dict(state)

    def _branch(self, depth: int) -> None:
        target = self.opened[-1 - depth]
        if target.op == LOOP:
            self._into_loop(target.at)
        else:
            if target.gives and self.stack:
                self._escape(self.stack[-1])
            target.state = dict(merged(target.state, self.locals))

    def _stop(self) -> None:
        self.reached, self.skipped = False, 0

    def _br(self, instruction: tuple) -> None:
        op = instruction[0]
        if op in (BR_IF, BR_TABLE):
                self._escape(self.stack.pop())
        targets = set(instruction[1]) if op == BR_TABLE else [len(self.opened) - 1] if op == RETURN else [] if op == UNREACHABLE else [instruction[1]]
        for depth in targets:
            self._branch(depth)
        if op != BR_IF:
            self._stop()

    def _else(self, instruction: tuple) -> None:
        block = self.opened[-1]
        if self.reached:
            self._leave(block)
        self.locals, block.otherwise = block.otherwise, None
        del self.stack[block.height:]
        self.reached = True

    def _leave(self, block: Open) -> None:
        """The end of a block is reached from what stands before it."""
        if block.gives:
            self._escape(self.stack[-1])
        block.state = dict(merged(block.state, self.locals))

    def _end(self, instruction: tuple) -> None:
        block = self.opened.pop()
        if self.reached:
            self._leave(block)
        if block.otherwise is not None:
            block.state = merged(block.state, block.otherwise)
        del self.stack[block.height:]
        if not self.opened:
            return
        if block.state is None:
            self.stops.append(self.at)
            self._stop()
        else:
            self.reached, self.locals = True, dict(block.state)
            self.stack += [None] * block.gives


STEPS = {LOCAL_GET: Frames._local_get, LOCAL_SET: Frames._local_set, LOCAL_TEE: Frames._local_set, CONST: Frames._const, ADD: Frames._add, SUB: Frames._add,
         GLOBAL_GET: Frames._global_get, GLOBAL_SET: Frames._global_set, CALL: Frames._call, CALL_INDIRECT: Frames._call, BLOCK: Frames._open,
         LOOP: Frames._open, IF: Frames._open, ELSE: Frames._else, END: Frames._end, BR: Frames._br, BR_IF: Frames._br, BR_TABLE: Frames._br,
         RETURN: Frames._br, UNREACHABLE: Frames._br, NOP: lambda self, instruction: None,
         **dict.fromkeys(LOADS, Frames._load), **dict.fromkeys(STORES, Frames._store)}


# Changes ------------------------------------------------------------------------------------------

def promote(function: Function, module: Module) -> bool:
    """Makes locals of variables in memory, and takes away the frames in which nothing is left; whether there were any."""
    if (GLOBAL_GET, STACK_POINTER) not in function.code:
        return False
    frames = Frames(function, module)
    gone, instead = set(frames.dead), {at: [(END,), (UNREACHABLE,)] for at in frames.stops}
    found = False
    slots: dict[int, dict[int, list[Access]]] = defaultdict(lambda: defaultdict(list))
    for access in frames.accesses:
        slots[access.address.root][access.address.offset].append(access)
    for root in frames.movers.keys() - frames.escaped:
        alone = [accesses for offset, accesses in slots[root].items() if _alone(offset, slots[root])]
        for accesses in alone:
            variable = function.variable(accesses[0].kind[1])
            for access in accesses:
                _to_local(access, variable, function.code, gone, instead)
        if len(alone) == len(slots[root]):
            gone.update(frames.movers[root])
            for at in frames.movers[root]:
                instead.pop(at, None)
            found = True
        found = found or bool(alone)
    if found:
        function.code = [new for at, old in enumerate(function.code) if at not in gone for new in instead.get(at, (old,))]
    return found


def _alone(offset: int, slots: dict[int, list[Access]]) -> bool:
    """Whether nothing but what is stored at an offset is ever loaded from there, in one size; below the stack pointer is what is the frame's own."""
    kind = slots[offset][0].kind
    end = offset + kind[0]
    return end <= 0 and all(access.kind == kind for access in slots[offset]) and not any(
        other != offset and other < end and offset < other + max(access.kind[0] for access in accesses) for other, accesses in slots.items())


def plain(function: Function) -> None:
    """Makes plain instructions of atomic ones, and an end of a call that does not come back, whatever that would say before it ends."""
    code: list[tuple] = []
    for instruction in function.code:
        if instruction[0] == ATOMIC and instruction[1] >= FIRST_ATOMIC:
            code += _plain(function, *instruction[1:])
            continue
        if instruction == (UNREACHABLE,) and code and code[-1][0] == CALL:
            code.pop()
        code.append(instruction)
    function.code = code


def _plain(function: Function, kind: int, operands: bytes) -> list[tuple]:
    way, size = divmod(kind - FIRST_ATOMIC, 7)
    type_, *opcodes = SIZES[size]
    align, at = read_varint(operands, 0)
    load, store = ((opcode, align, read_varint(operands, at)[0]) for opcode in opcodes)
    if way < 2:
        return [store if way else load]
    wide = type_ == I64
    address, given, old = function.variable(I32), function.variable(type_), function.variable(type_)
    code = [(LOCAL_SET, given), (LOCAL_TEE, address), (LOCAL_GET, address), load, (LOCAL_SET, old)]
    if way > EXCHANGED:
        expected = function.variable(type_)
        code.insert(1, (LOCAL_SET, expected))
        code += [(LOCAL_GET, given), (LOCAL_GET, old), (LOCAL_GET, old), (LOCAL_GET, expected), (EQUAL[wide],), (SELECT,)]
    elif way == EXCHANGED:
        code.append((LOCAL_GET, given))
    else:
        code += [(LOCAL_GET, old), (LOCAL_GET, given), (CHANGED[way][wide],)]
    return [*code, store, (LOCAL_GET, old)]


def _to_local(access: Access, variable: int, code: list[tuple], gone: set[int], instead: dict[int, list[tuple]]) -> None:
    op = code[access.at][0]
    for maker in access.address.makers:
        if code[maker][0] == LOCAL_TEE:
            instead[maker] = [(LOCAL_SET, code[maker][1])]
        else:
            gone.add(maker)
    instead[access.at] = [*WRAP.get(op, ()), (LOCAL_SET, variable)] if access.stores else [(LOCAL_GET, variable), *EXTEND.get(op, ())]


class Optimizer:
    """functions: number -> the function as it is made better, None for one that is left as it is."""

    def __init__(self, module: Module, chosen: set[int]):
        self.module, self.chosen = module, chosen
        self.functions: dict[int, Function | None] = {}

    def optimized(self, number: int) -> Function | None:
        """A function, after all that it calls; None too while it is being worked on, as it is when it calls itself."""
        if number in self.functions:
            return self.functions[number]
        if number < self.module.imports or number not in self.chosen and self.module.size(number) > BYTES:
            return None
        self.functions[number] = None
        try:
            function = self.module.function(number)
            plain(function)
            self._inline(function)
            while promote(function, self.module):
                pass
            self.functions[number] = function
        except Odd:
            pass
        return self.functions[number]

    def _inline(self, function: Function) -> None:
        code, weight, opened = [], function.weight, []
        for instruction in function.code:
            op = instruction[0]
            if op in (BLOCK, LOOP, IF):
                opened.append(op)
            elif op == END and opened:
                opened.pop()
            called = self.optimized(instruction[1]) if op == CALL else None
            if called and called.weight <= SMALL and weight + called.weight < LARGEST and (LOOP, EMPTY) not in called.code:
                weight += called.weight
                code += in_place(called, function, LOOP in opened)
            else:
                code.append(instruction)
        function.code = code


def in_place(called: Function, function: Function, again: bool) -> list[tuple]:
    """A function's code in the place of a call; again: in a loop, so that its locals are to be zero again."""
    params = [function.variable(type_) for type_ in called.params]
    first = params[0] if params else len(function.params) + len(function.locals)
    fresh = [(function.variable(type_), type_) for type_ in called.locals]
    code = [(LOCAL_SET, local) for local in reversed(params)]
    if again:
        code += [new for local, type_ in fresh for new in (ZERO[type_], (LOCAL_SET, local))]
    depth, leaves, body = 0, False, []
    for instruction in called.code[:-1]:
        op = instruction[0]
        depth += 1 if op in (BLOCK, LOOP, IF) else -1 if op == END else 0
        if op in (LOCAL_GET, LOCAL_SET, LOCAL_TEE):
            instruction = (op, instruction[1] + first)
        elif op == RETURN:
            instruction, leaves = (BR, depth), True
        elif op in (BR, BR_IF) and instruction[1] == depth or op == BR_TABLE and depth in instruction[1]:
            leaves = True
        body.append(instruction)
    return code + ([(BLOCK, called.result or EMPTY), *body, (END,)] if leaves else body)


def optimize(data: bytes, replaced: dict[int, list[tuple]], chosen: Iterable[int]) -> bytes:
    """A module with some functions, and what they call, made better.

    replaced: number -> instructions that stand in the place of a function's; chosen: numbers of the functions.
    """
    module = Module(data)
    optimizer = Optimizer(module, set(chosen))
    for number, code in replaced.items():
        params, results = module.signature(number)
        optimizer.functions[number] = Function(list(params), results[0] if results else None, [], code)
    for number in sorted(optimizer.chosen):
        optimizer.optimized(number)
    return module.with_functions(optimizer.functions)
