"""Protobuf's wire format, for the few messages that SQL functions make and read."""
from __future__ import annotations


def varint(number: int) -> bytes:
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    return bytes(result) + bytes([number])


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a place, and where it ends; ValueError for one that is cut short."""
    number = shift = 0
    while at < len(data) and shift <= 63:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, at
    raise ValueError("cut short")


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
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == 2:
            start, at = at, at + value
            value = data[start:at]
            if at > len(data):
                raise ValueError("cut short")
        elif key & 7:
            raise ValueError("a wire type that is not used")
        result.setdefault(key >> 3, []).append(value)
    return result
