"""HLL++ and quantile sketches: aggregates whose result can be kept, merged and read later.

HLL++ sketches are written as Google's are: an AggregatorStateProto over 64-bit fingerprints, sparse
up to three quarters of the dense size. Source: "HyperLogLog in Practice" and the published ZetaSketch format.
"""
from __future__ import annotations

import math
import struct
from decimal import Decimal

from ..errors import ApiError
from .protobuf import fields_of, message, varint, varints

MASK = 2**64 - 1
K0, K1, K2, K3 = 0xA5B85C5E198ED849, 0x8D58AC26AFE12E47, 0xC47B6E9E3A970ED3, 0xC6A4A7935BD1E995
HLL, VERSION, SPARSE_PRECISION, RHO_BITS = 112, 2, 20, 6
INTEGERS, TEXTS = 8, 11  # value types of the sketches


def failed(message: str) -> ApiError:
    return ApiError("invalidQuery", message, "query")


# Fingerprints -------------------------------------------------------------------------------------

def mixed(x: int) -> int:
    return x ^ (x >> 47)


def rotated(x: int, by: int) -> int:
    x &= MASK
    return (x >> by | x << (64 - by)) & MASK


def combined(high: int, low: int) -> int:
    a = mixed((low ^ high) * K3 & MASK)
    return mixed((high ^ a) * K3 & MASK) * K3 & MASK


def fingerprint(data: bytes) -> int:
    """The 64-bit Fingerprint2011 of bytes."""
    size = len(data)

    def word(at: int) -> int:
        return int.from_bytes(data[at:at + 8], "little")

    made = short_hash(data, word) if size <= 32 else middle_hash(size, word) if size <= 64 else long_hash(size, word)
    first = word(0) if size >= 8 else K0
    last = word(size - 8) if size >= 9 else K0
    made = combined((made + last) & MASK, first)
    return (made - 2) & MASK if made in (0, 1) else made


def short_hash(data: bytes, word) -> int:
    made = K0 ^ K1 ^ K2 ^ (len(data) * K3 & MASK)
    whole = len(data) & ~7
    for at in range(0, whole, 8):
        made = (made ^ mixed(word(at) * K3 & MASK) * K3 & MASK) * K3 & MASK
    if len(data) > whole:
        made = (made ^ word(whole)) * K3 & MASK
    return mixed(mixed(made) * K3 & MASK)


def middle_hash(size: int, word) -> int:
    def half(a: int, z: int, at: int) -> tuple[int, int]:
        b, c = rotated(a + z, 52), rotated(a, 37)
        a += word(at)
        c += rotated(a, 7)
        a += word(at + 8)
        return a + z, b + rotated(a, 31) + c

    first, second = half(word(0) + (size + word(size - 16)) * K0, word(24), 8)
    third, fourth = half(word(16) + word(size - 32), word(size - 8), size - 24)
    made = mixed(((first + fourth) * K2 + (third + second) * K0) & MASK)
    return mixed((made * K0 + second) & MASK) * K2 & MASK


def long_hash(size: int, word) -> int:
    def weak(at: int, a: int, b: int) -> tuple[int, int]:
        a += word(at)
        b = rotated(b + a + word(at + 24), 51)
        kept = a
        a += word(at + 8) + word(at + 16)
        b += rotated(a, 23)
        return (a + word(at + 24)) & MASK, (b + kept) & MASK

    x, y, z = word(0), word(size - 16) ^ K1, word(size - 56) ^ K0
    v, w = weak(size - 64, size, y), weak(size - 32, size * K1, K0)
    z = (z + mixed(v[1]) * K1) & MASK
    x = rotated(z + x, 39) * K1 & MASK
    y = rotated(y, 33) * K1 & MASK
    for at in range(0, (size - 1) & ~63, 64):
        x = rotated(x + y + v[0] + word(at + 16), 37) * K1 & MASK
        y = rotated(y + v[1] + word(at + 48), 42) * K1 & MASK
        x, y = x ^ w[1], y ^ v[0]
        z = rotated(z ^ w[0], 33)
        v, w = weak(at, v[1] * K1, x + w[0]), weak(at + 32, z + w[1], y)
        x, z = z, x
    return combined((combined(v[0], w[0]) + mixed(y) * K1 + z) & MASK, (combined(v[1], w[1]) + x) & MASK)


def bytes_of(value) -> bytes:
    if isinstance(value, int):
        return (value & MASK).to_bytes(8, "little")
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Decimal):
        value = int(value.scaleb(9))
        return value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return bytes(value)


# HLL++ --------------------------------------------------------------------------------------------

def zeros(bits: int, width: int) -> int:
    """Leading zeros of a number in so many bits, and one."""
    return width - bits.bit_length() + 1


class Sketch:
    """Which sparse places are taken: sparse index -> rho, or the dense registers once there are many."""

    def __init__(self, precision: int, value_type: int, count: int = 0):
        self.precision, self.value_type, self.count = precision, value_type, count
        self.sparse: dict[int, int] = {}
        self.dense: bytearray | None = None
        self.sparse_precision = precision + 5

    @classmethod
    def read(cls, data: bytes) -> "Sketch":
        try:
            outer = fields_of(data)
            inner = fields_of(outer[HLL][0])
            if outer[1] != [HLL]:
                raise KeyError
            sketch = cls(inner[3][0], outer[4][0], outer[2][0])
            sketch.sparse_precision = inner.get(4, [0])[0]
            if 5 in inner:
                sketch.dense = bytearray(inner[5][0])
            total = 0
            for step in varints(inner.get(6, [b""])[0]):
                total += step
                sketch.sparse.update([sketch.decode(total)])
            return sketch
        except (KeyError, IndexError, ValueError, struct.error):
            raise failed("Invalid or incompatible sketch in HLL_COUNT") from None

    @property
    def flag(self) -> int:
        return 1 << max(self.sparse_precision, self.precision + RHO_BITS)

    def encode(self, index: int, rho: int) -> int:
        shift = self.sparse_precision - self.precision
        return self.flag | index >> shift << RHO_BITS | rho if index & ((1 << shift) - 1) == 0 else index

    def decode(self, value: int) -> tuple[int, int]:
        if value & self.flag:
            return (value ^ self.flag) >> RHO_BITS << (self.sparse_precision - self.precision), value & (1 << RHO_BITS) - 1
        return value, 0

    def add(self, made: int) -> None:
        rest = 64 - self.sparse_precision
        index = made >> rest
        kept = index & ((1 << (self.sparse_precision - self.precision)) - 1)
        rho = 0 if kept else zeros(made & ((1 << rest) - 1), rest)
        if self.dense is None:
            self.sparse[index] = max(rho, self.sparse.get(index, 0))
        else:
            self.register(index, rho)

    def register(self, index: int, rho: int) -> None:
        """Put a sparse place into the dense registers."""
        shift = self.sparse_precision - self.precision
        low = index & ((1 << shift) - 1)
        value = zeros(low, shift) if low else rho + shift
        self.dense[index >> shift] = max(self.dense[index >> shift], value)

    def sparse_data(self) -> bytes:
        values = sorted(self.encode(index, rho) for index, rho in self.sparse.items())
        return b"".join(varint(b - a) for a, b in zip([0] + values, values))

    def settle(self) -> None:
        """Make it dense if that is smaller."""
        if self.dense is None and len(self.sparse_data()) > (1 << self.precision) * 3 // 4:
            self.densify()

    def densify(self) -> None:
        if self.dense is None:
            self.dense = bytearray(1 << self.precision)
            for index, rho in self.sparse.items():
                self.register(index, rho)
            self.sparse = {}

    def merge(self, other: "Sketch") -> None:
        if other.precision != self.precision:
            return self.merge(other.lowered(self.precision)) if other.precision > self.precision else self.replace(self.lowered(other.precision), other)
        self.count += other.count
        if other.dense is None and self.dense is None:
            for index, rho in other.sparse.items():
                self.sparse[index] = max(rho, self.sparse.get(index, 0))
            return None
        other.densify()
        self.densify()
        self.dense = bytearray(map(max, self.dense, other.dense))
        return None

    def replace(self, made: "Sketch", other: "Sketch") -> None:
        self.__dict__.update(made.__dict__)
        self.merge(other)

    def lowered(self, precision: int) -> "Sketch":
        """The same in fewer registers."""
        self.densify()
        result = Sketch(precision, self.value_type, self.count)
        result.dense = bytearray(1 << precision)
        shift = self.precision - precision
        for index, rho in enumerate(self.dense):
            low = index & ((1 << shift) - 1)
            if rho:
                value = zeros(low, shift) if low else rho + shift
                result.dense[index >> shift] = max(result.dense[index >> shift], value)
        return result

    def estimate(self) -> int:
        if self.dense is None:
            size = 1 << self.sparse_precision
            return round(size * math.log(size / (size - len(self.sparse))))
        return round(estimated(self.dense, self.precision))

    def bytes(self) -> bytes:
        self.settle()
        inner = [(2, len(self.sparse))] if self.dense is None else []
        inner += [(3, self.precision), (4, self.sparse_precision)]
        inner.append((6, self.sparse_data()) if self.dense is None else (5, bytes(self.dense)))
        return message((1, HLL), (2, self.count), (3, VERSION), (4, self.value_type), (HLL, message(*inner)))


def estimated(registers: bytes, precision: int) -> float:
    """Ertl's improved estimate, which needs no tables of bias."""
    size, most = 1 << precision, 64 - precision
    counts = [0] * (most + 2)
    for rho in registers:
        counts[rho] += 1
    z = size * tau(1 - counts[most + 1] / size)
    for rho in range(most, 0, -1):
        z = (z + counts[rho]) / 2
    return size * size / (2 * math.log(2) * (z + size * sigma(counts[0] / size)))


def sigma(x: float) -> float:
    if x == 1:
        return math.inf
    y, z, before = 1.0, x, None
    while z != before:
        x, before = x * x, z
        z, y = z + x * y, y + y
    return z


def tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    y, z, before = 1.0, 1 - x, None
    while z != before:
        x, before, y = math.sqrt(x), z, y / 2
        z -= (1 - x) ** 2 * y
    return z / 3


def hll_init(values: list, count: int, precision: int = 15):
    """values: the different ones; count: of all that are not NULL."""
    values = [value for value in values if value is not None]
    if not 10 <= precision <= 24:
        raise failed(f"Precision must be between 10 and 24 in HLL_COUNT.INIT, but was {precision}")
    if not values:
        return None
    sketch = Sketch(precision, INTEGERS if isinstance(values[0], int) else TEXTS, count)
    for value in values:
        sketch.add(fingerprint(bytes_of(value)))
    return sketch.bytes()


def merged(sketches: list) -> Sketch | None:
    result = None
    for data in sketches:
        if data is not None:
            sketch = Sketch.read(data)
            if result is None:
                result = sketch
            elif result.value_type != sketch.value_type:
                raise failed("Invalid or incompatible sketch in HLL_COUNT: sketches of different types cannot be merged")
            else:
                result.merge(sketch)
    return result


def hll_merge_partial(sketches: list):
    result = merged(sketches)
    return None if result is None else result.bytes()


def hll_merge(sketches: list) -> int:
    result = merged(sketches)
    return 0 if result is None else result.estimate()


def hll_extract(data: bytes) -> int:
    return Sketch.read(data).estimate()


# Quantiles ----------------------------------------------------------------------------------------

KLL = 113
EXACT = 4096  # values kept before every second one stands for two


def kll_init(values: list, precision: int = 1000, weights=None):
    kept = [(value, weight) for value, weight in zip(values, weights or [1] * len(values)) if value is not None and weight]
    return write_kll(kept, precision) if kept else None


def write_kll(items: list, precision: int) -> bytes:
    items.sort()
    low, high = items[0][0], items[-1][0]
    while len(items) > max(EXACT, 4 * precision):
        items = [(a[0], a[1] + b[1]) for a, b in zip(items[::2], items[1::2])] + ([items[-1]] if len(items) % 2 else [])
    form = "<q" if isinstance(low, int) else "<d"
    return message((1, KLL), (4, 4 if form == "<q" else 10), (5, precision), (6, struct.pack(form, low)), (7, struct.pack(form, high)),
                   (8, b"".join(struct.pack(form, value) for value, _ in items)), (9, b"".join(varint(weight) for _, weight in items)))


def read_kll(data: bytes) -> tuple[list, int, object, object]:
    """(value, weight) pairs, precision, least and greatest value."""
    try:
        found = fields_of(data)
        form = {4: "<q", 10: "<d"}[found[4][0]]
        if found[1] != [KLL]:
            raise KeyError
        values = [value for value, in struct.iter_unpack(form, found[8][0])]
        return list(zip(values, varints(found[9][0]))), found[5][0], struct.unpack(form, found[6][0])[0], struct.unpack(form, found[7][0])[0]
    except (KeyError, IndexError, ValueError, struct.error):
        raise failed("Invalid or incompatible sketch in KLL_QUANTILES") from None


def kll_merge_partial(sketches: list):
    found = [read_kll(data) for data in sketches if data is not None]
    return write_kll([item for items, *_ in found for item in items], min(precision for _, precision, *_ in found)) if found else None


def quantile(data: bytes, at: float):
    items, _, low, high = read_kll(data)
    if not 0 <= at <= 1:
        raise failed("The quantile must be between 0 and 1")
    if at in (0, 1):
        return high if at else low
    left = at * sum(weight for _, weight in items)
    for value, weight in items:
        left -= weight
        if left <= 0:
            return value
    return high


def kll_extract(data: bytes, number: int) -> list:
    if number < 2:
        raise failed("The number of quantiles must be at least 2")
    return [quantile(data, i / number) for i in range(number + 1)]


def kll_merge(sketches: list, number: int):
    data = kll_merge_partial(sketches)
    return None if data is None else kll_extract(data, number)


def kll_merge_point(sketches: list, at: float):
    data = kll_merge_partial(sketches)
    return None if data is None else quantile(data, at)
