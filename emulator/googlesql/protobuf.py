"""Protobuf's wire format, for the few messages that SQL functions make and read."""
from __future__ import annotations


def varint(number: int) -> bytes:
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    return bytes(result) + bytes([number])


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """(number, value) pairs; a value is an unsigned integer, or bytes."""
    return b"".join(varint(number << 3) + varint(value) if isinstance(value, int) else varint(number << 3 | 2) + varint(len(value)) + value
                    for number, value in fields)


def varints(data: bytes) -> list[int]:
    result, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            result.append(number)
            number, shift = 0, 0
    return result


def fields_of(data: bytes) -> dict[int, list]:
    """Field number -> its values, integers and bytes; ValueError for what is no such message."""
    result, at = {}, 0

    def number() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            if at >= len(data) or shift > 63:
                raise ValueError("cut short")
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        elif key & 7 == 2:
            size = number()
            value = data[at:at + size]
            if len(value) < size:
                raise ValueError("cut short")
            at += size
        else:
            raise ValueError("a wire type that is not used")
        result.setdefault(key >> 3, []).append(value)
    return result
