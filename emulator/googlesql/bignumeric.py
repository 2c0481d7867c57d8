"""BIGNUMERIC: 256-bit integers of 10^-38, which no type of DuckDB holds.

A value is 32 bytes, big-endian and above 2^255, so that bytes sort as the numbers do: comparing,
grouping, ordering, MIN and MAX are DuckDB's. Arithmetic is Python's.
"""
from __future__ import annotations

import math
import re
from decimal import Context, Decimal

from ..errors import ApiError

SCALE = 10**38
ZERO = 2**255
EXACT = Context(prec=100)
NUMBER = re.compile(r"\s*([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?\s*")


def failed(message: str) -> ApiError:
    return ApiError("invalidQuery", message, "query")


def pack(number: int, *message: str) -> bytes:
    """The bytes of a number of 10^-38; an error that the message words where it is out of range."""
    if not -ZERO <= number < ZERO:
        raise failed("".join(message) or "BIGNUMERIC overflow")
    return (number + ZERO).to_bytes(32, "big")


def number(data: bytes) -> int:
    return int.from_bytes(data, "big") - ZERO


def halved(dividend: int, divisor: int) -> int:
    """The quotient, rounded half away from zero."""
    whole, rest = divmod(abs(dividend), abs(divisor))
    whole += 2 * rest >= abs(divisor)
    return whole if (dividend < 0) == (divisor < 0) else -whole


def units(text: str) -> int | None:
    """A decimal text in 10^-38, None where it is none."""
    found = NUMBER.fullmatch(text)
    if not found or not (found[2] or found[3]) or abs(int(found[4] or 0)) > 10000:
        return None
    digits, shift = int((found[2] or "") + (found[3] or "")), 38 + int(found[4] or 0) - len(found[3] or "")
    made = digits * 10**shift if shift >= 0 else halved(digits, 10**-shift)
    return -made if found[1] == "-" else made


def parse(text: str) -> bytes:
    made = units(text)
    if made is None or not -ZERO <= made < ZERO:
        raise failed(f"Invalid BIGNUMERIC value: {text}")
    return pack(made)


def text(data: bytes) -> str:
    made = number(data)
    whole, fraction = divmod(abs(made), SCALE)
    return f"{'-' if made < 0 else ''}{whole}" + (f".{fraction:038}".rstrip("0") if fraction else "")


def literal(decimal_text: str) -> str:
    """A value as DuckDB's literal."""
    return f"from_hex('{parse(decimal_text).hex()}')"


def decimal_text(data: bytes, scale: int) -> str:
    """A decimal of a file: the two's complement of as many bytes as it has."""
    return format(Decimal(int.from_bytes(data, "big", signed=True)).scaleb(-scale, EXACT), "f")


def fitted(data: bytes, precision: int, scale: int, half_even: bool) -> bytes:
    """A value as a BIGNUMERIC(precision, scale) column holds it."""
    unit = 10 ** (38 - scale)
    whole, rest = divmod(abs(number(data)), unit)
    whole += 2 * rest > unit or 2 * rest == unit and (not half_even or whole % 2)
    if whole >= 10**precision:
        name = f"BIGNUMERIC({precision}, {scale})" if scale else f"BIGNUMERIC({precision})"
        most = "9" * (precision - scale) + ("." + "9" * scale if scale else "")
        raise failed(f"{name} has precision {precision} and scale {scale} but got a value that is not in range of [-{most}, {most}]")
    return pack(whole * unit if number(data) >= 0 else -whole * unit, "BIGNUMERIC out of range: ", text(data))


# Casts --------------------------------------------------------------------------------------------

def from_int(value: int) -> bytes:
    return pack(value * SCALE)


def from_numeric(value: Decimal) -> bytes:
    return pack(int(EXACT.scaleb(value, 9)) * 10**29)


def from_double(value: float) -> bytes:
    if not math.isfinite(value):
        raise failed(f"Illegal conversion of non-finite floating point number to BIGNUMERIC: {value}")
    above, below = value.as_integer_ratio()
    return pack(halved(above * SCALE, below), f"BIGNUMERIC out of range: {value:.6g}")


def to_double(data: bytes) -> float:
    return number(data) / SCALE


def to_int(data: bytes) -> int:
    made = halved(number(data), SCALE)
    if not -2**63 <= made < 2**63:
        raise failed(f"int64 out of range: {text(data)}")
    return made


def to_numeric(data: bytes) -> str:
    made = halved(number(data), 10**29)
    if abs(made) >= 10**38:
        raise failed(f"numeric out of range: {text(data)}")
    return str(EXACT.scaleb(Decimal(made), -9))


# Arithmetic ---------------------------------------------------------------------------------------

def add(a: bytes, b: bytes) -> bytes:
    return pack(number(a) + number(b), "BIGNUMERIC overflow: ", text(a), " + ", text(b))


def subtract(a: bytes, b: bytes) -> bytes:
    return pack(number(a) - number(b), "BIGNUMERIC overflow: ", text(a), " - ", text(b))


def multiply(a: bytes, b: bytes) -> bytes:
    return pack(halved(number(a) * number(b), SCALE), "BIGNUMERIC overflow: ", text(a), " * ", text(b))


def divide(a: bytes, b: bytes) -> bytes:
    if number(b) == 0:
        raise failed(f"division by zero: {text(a)} / {text(b)}")
    return pack(halved(number(a) * SCALE, number(b)), "BIGNUMERIC overflow: ", text(a), " / ", text(b))


def negate(a: bytes) -> bytes:
    return pack(-number(a), "BIGNUMERIC overflow: -(", text(a), ")")


def total(items: list) -> bytes | None:
    found = [number(item) for item in items if item is not None]
    return pack(sum(found), "BIGNUMERIC overflow: SUM") if found else None


def average(items: list) -> bytes:
    found = [number(item) for item in items if item is not None]
    return pack(halved(sum(found), len(found)), "BIGNUMERIC overflow: AVG")


# NUMERIC beyond what DuckDB's decimals hold on the way ----------------------------------------------

def numeric(made: int, *message: str) -> str:
    """A NUMERIC's text from a number of 10^-9."""
    if abs(made) >= 10**38:
        raise failed("".join(message))
    return f"{EXACT.scaleb(Decimal(made), -9):f}"


def plain(value: Decimal) -> str:
    return f"{value.normalize(EXACT):f}"


def numeric_of_double(value: float) -> str:
    above, below = value.as_integer_ratio()
    return numeric(halved(above * 10**9, below), f"numeric out of range: {value:.6g}")


def numeric_product(a: Decimal, b: Decimal) -> str:
    return numeric(halved(int(EXACT.scaleb(a, 9)) * int(EXACT.scaleb(b, 9)), 10**9), "numeric overflow: ", plain(a), " * ", plain(b))


def numeric_quotient(a: Decimal, b: Decimal) -> str:
    return numeric(halved(int(EXACT.scaleb(a, 9)) * 10**9, int(EXACT.scaleb(b, 9))), "numeric overflow: ", plain(a), " / ", plain(b))
