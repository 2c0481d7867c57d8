"""Avro, to the part that no library of ours has: a file's header and blocks, and rows from Arrow's columns.

Rows are encoded column by column in numpy: what Avro writes row after row is put together by byte positions,
with no loop over rows. Source: the Apache Avro specification, "Binary Encoding" and "Object Container Files".
"""
from __future__ import annotations

import json
import os
import shutil
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Callable, Iterator, NamedTuple

import numpy as np

from . import values

MAGIC = b"Obj\x01"
BLOCK = 256 * 1024  # bytes of a block, about
READ = 8 * 1024 * 1024  # bytes that a header is looked for in


class Header(NamedTuple):
    """What a file begins with. schema: parsed; end: where the blocks begin."""

    schema: dict
    codec: str
    sync: bytes
    end: int


class Bytes(NamedTuple):
    """Strings of bytes, one a row: how long each is, and all of them in one piece."""

    lengths: np.ndarray
    data: np.ndarray


# Reading ------------------------------------------------------------------------------------------

def read_header(file: BinaryIO) -> Header:
    """A file's header; ValueError where it is no Avro file."""
    data = file.read(READ)
    if not data.startswith(MAGIC):
        raise ValueError("Invalid data file. Magic does not match")
    position, found = len(MAGIC), {}
    try:
        while count := (pair := read_long(data, position))[0]:
            position = pair[1]
            if count < 0:
                position = read_long(data, position)[1]
            for _ in range(abs(count)):
                name, position = read_bytes(data, position)
                found[name], position = read_bytes(data, position)
        schema = json.loads(found[b"avro.schema"])
    except (IndexError, KeyError, ValueError):
        raise ValueError("Invalid data file. The header is broken") from None
    end = pair[1] + 16
    return Header(schema, found.get(b"avro.codec", b"null").decode(), data[pair[1]:end], end)


def read_long(data: bytes, position: int) -> tuple[int, int]:
    """A number, and where it ends."""
    whole = shift = 0
    while True:
        byte = data[position]
        position += 1
        whole |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return (whole >> 1) ^ -(whole & 1), position


def read_bytes(data: bytes, position: int) -> tuple[bytes, int]:
    size, start = read_long(data, position)
    if not 0 <= size <= len(data) - start:
        raise ValueError
    return data[start:start + size], start + size


@contextmanager
def rewritten(path: Path, header: Header, schema: dict) -> Iterator[Path]:
    """A file under another schema of the same encoding, its blocks no longer in zstandard: for a reader that knows less."""
    with path.open("rb") as source, tempfile.NamedTemporaryFile(suffix=".avro") as target:
        source.seek(header.end)
        unpack = header.codec == "zstandard"
        target.write(container_header(schema, "null" if unpack else header.codec, header.sync))
        if unpack:
            decompress_blocks(source.read(), header.sync, target)
        else:
            shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        yield Path(target.name)


def decompress_blocks(data: bytes, sync: bytes, target: BinaryIO) -> None:
    import pyarrow
    position = 0
    while position < len(data):
        count, position = read_long(data, position)
        block, position = read_bytes(data, position)
        plain = pyarrow.CompressedInputStream(pyarrow.BufferReader(block), "zstd").read()
        target.write(write_long(count) + write_long(len(plain)) + plain + sync)
        position += len(sync)


# Schemas ------------------------------------------------------------------------------------------

TEXT = {"type": "string"}
SCALARS: dict[str, dict] = {
    "STRING": TEXT, "BYTES": {"type": "bytes"}, "INTEGER": {"type": "long"}, "FLOAT": {"type": "double"}, "BOOLEAN": {"type": "boolean"},
    "TIMESTAMP": {"type": "long", "logicalType": "timestamp-micros"}, "DATE": {"type": "int", "logicalType": "date"},
    "TIME": {"type": "long", "logicalType": "time-micros"}, "DATETIME": {"type": "string", "logicalType": "datetime"}}
DIGITS = {"NUMERIC": (38, 9), "BIGNUMERIC": (77, 38)}


def schema_of(fields: list[dict], texts: frozenset[str], name: str = "Root", space: str = "") -> dict:
    """A record's schema. texts: types that are written as text, annotated with their name in SQL."""
    inside = f"{space}.{name}".lstrip(".").lower()
    return {"type": "record", "name": name, **({"namespace": space} if space else {}),
            "fields": [{"name": field["name"], "type": field_schema(field, texts, inside)} for field in fields]}


def field_schema(field: dict, texts: frozenset[str], space: str):
    kind = values.type_name(field)
    if kind in ("RECORD", "RANGE"):
        own = schema_of(values.parts(field), texts, field["name"], space)
    elif kind in DIGITS:
        precision, scale = digits(field)
        own = {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
    else:
        own = SCALARS[kind] if kind in SCALARS and kind not in texts else {"type": "string", "sqlType": values.TYPES[kind].sql}
    plain = own["type"] if len(own) == 1 else own
    if values.repeated(field):
        return {"type": "array", "items": plain}
    return plain if field.get("mode") == "REQUIRED" else ["null", plain]


def digits(field: dict) -> tuple[int, int]:
    """Precision and scale of a NUMERIC or BIGNUMERIC, as declared; a BIGNUMERIC of more digits than Arrow's decimals have is written in full."""
    precision = int(field.get("precision") or 0)
    return (precision, int(field.get("scale") or 0)) if 0 < precision <= 38 else DIGITS[values.type_name(field)]


# Writing ------------------------------------------------------------------------------------------

def write_file(path: Path, schema: dict, fields: list[dict], batches, codec: str) -> None:
    """Write Arrow's record batches as a file. codec: null, deflate or snappy."""
    sync, pack = os.urandom(16), compressor(codec)
    with path.open("wb") as file:
        file.write(container_header(schema, codec, sync))
        for batch in batches:
            lengths, data = rows(batch, fields)
            ends = np.cumsum(lengths)
            start = row = 0
            while row < len(lengths):
                stop = max(row + 1, int(np.searchsorted(ends, start + BLOCK, "right")))
                block = pack(data[start:ends[stop - 1]].tobytes())
                file.write(write_long(stop - row) + write_long(len(block)) + block + sync)
                start, row = int(ends[stop - 1]), stop


def container_header(schema: dict, codec: str, sync: bytes) -> bytes:
    entries = {b"avro.codec": codec.encode(), b"avro.schema": json.dumps(schema, ensure_ascii=False).encode()}
    body = b"".join(write_long(len(part)) + part for entry in entries.items() for part in entry)
    return MAGIC + write_long(len(entries)) + body + b"\0" + sync


def write_long(number: int) -> bytes:
    return varints(np.array([number])).data.tobytes()


def compressor(codec: str) -> Callable[[bytes], bytes]:
    if codec == "deflate":
        def deflate(data: bytes) -> bytes:
            packer = zlib.compressobj(wbits=-15)
            return packer.compress(data) + packer.flush()
        return deflate
    if codec == "snappy":
        import pyarrow
        snappy = pyarrow.Codec("snappy")
        return lambda data: snappy.compress(data, asbytes=True) + zlib.crc32(data).to_bytes(4, "big")
    return lambda data: data


def rows(batch, fields: list[dict]) -> Bytes:
    """A record batch's rows; its columns are the fields'."""
    return joined([piece for column, field in zip(batch.columns, fields) for piece in pieces(column, field)], batch.num_rows)


def joined(parts: list[Bytes], count: int) -> Bytes:
    """Each row's bytes of all parts, one after another."""
    lengths = sum((part.lengths for part in parts), np.zeros(count, np.int64))
    starts = np.cumsum(lengths) - lengths
    out = np.empty(int(lengths.sum()), np.uint8)
    for part in parts:
        shift = starts - (np.cumsum(part.lengths) - part.lengths)
        out[np.arange(len(part.data)) + np.repeat(shift, part.lengths)] = part.data
        starts = starts + part.lengths
    return Bytes(lengths, out)


def pieces(array, field: dict) -> list[Bytes]:
    """What a column's values are written as, in pieces that follow one another in a row."""
    if values.repeated(field):
        return [items(array, field)]
    if field.get("mode") == "REQUIRED":
        return value(array, field)
    if not array.null_count:
        return [constant(2, len(array)), *value(array, field)]
    there = np.asarray(array.is_valid())
    tags = Bytes(np.ones(len(array), np.int64), np.where(there, 2, 0).astype(np.uint8))
    return [tags, *(spread(piece, there) for piece in value(array.drop_null(), field))]


def constant(byte: int, count: int) -> Bytes:
    return Bytes(np.ones(count, np.int64), np.full(count, byte, np.uint8))


def spread(piece: Bytes, there: np.ndarray) -> Bytes:
    """A piece of the rows that have a value, for all rows."""
    lengths = np.zeros(len(there), np.int64)
    lengths[there] = piece.lengths
    return piece._replace(lengths=lengths)


def items(array, field: dict) -> Bytes:
    """Arrays: a block of all elements, and an empty one that ends them."""
    offsets = np.asarray(array.offsets).astype(np.int64)
    counts = np.diff(offsets)
    elements = array.values.slice(offsets[0], offsets[-1] - offsets[0])
    each = joined(value(elements, values.element(field)), len(elements))
    ends = np.concatenate([[0], np.cumsum(each.lengths)])
    content = Bytes(np.diff(ends[offsets - offsets[0]]), each.data)
    some = counts > 0
    return joined([spread(varints(counts[some]), some), content, constant(0, len(counts))], len(counts))


def value(array, field: dict) -> list[Bytes]:
    """The values of an array without NULLs."""
    kind = values.type_name(field)
    if kind in ("RECORD", "RANGE"):
        return [piece for part, inner in zip(array.flatten(), values.parts(field)) for piece in pieces(part, inner)]
    if kind == "BIGNUMERIC" and digits(field) == DIGITS[kind]:
        return bignumerics(array)
    kind = str(array.type)
    if kind in ("string", "binary"):
        return text(array)
    if kind.startswith("decimal"):
        little = np.frombuffer(array.buffers()[1], np.uint8).reshape(-1, 16)[array.offset:array.offset + len(array)]
        return [constant(32, len(array)), fixed(little[:, ::-1])]  # the length, 16, comes first
    if kind == "double":
        return [fixed(np.asarray(array).view(np.uint8).reshape(-1, 8))]
    if kind == "bool":
        return [fixed(np.asarray(array).astype(np.uint8).reshape(-1, 1))]
    narrow = array.cast("int32") if kind.startswith("date") else array
    return [varints(np.asarray(narrow.cast("int64")))]


def bignumerics(array) -> list[Bytes]:
    """The lake has 32 bytes that are above 2^255, Avro a two's complement."""
    lengths, content = text(array)
    matrix = content.data.reshape(-1, 32).copy()
    matrix[:, 0] ^= 0x80
    return [lengths, fixed(matrix)]


def text(array) -> list[Bytes]:
    _, places, content = array.buffers()
    offsets = np.frombuffer(places, np.int32)[array.offset:array.offset + len(array) + 1].astype(np.int64) if len(array) else np.zeros(1, np.int64)
    lengths = np.diff(offsets)
    data = np.frombuffer(content, np.uint8)[offsets[0]:offsets[-1]] if content and content.size else np.empty(0, np.uint8)
    return [varints(lengths), Bytes(lengths, data)]


def fixed(matrix: np.ndarray) -> Bytes:
    """Values of the same width."""
    return Bytes(np.full(len(matrix), matrix.shape[1], np.int64), np.ascontiguousarray(matrix).reshape(-1))


def varints(numbers: np.ndarray) -> Bytes:
    """Numbers in as few bytes as each needs, seven bits in each, small ones of either sign short."""
    coded = ((numbers << 1) ^ (numbers >> 63)).astype(np.uint64)
    lengths = np.ones(len(coded), np.int64)
    for width in range(1, 10):
        more = coded >= np.uint64(1) << np.uint64(7 * width)
        if not more.any():
            break
        lengths += more
    starts, out = np.cumsum(lengths) - lengths, np.empty(int(lengths.sum()), np.uint8)
    for place in range(int(lengths.max(initial=0))):
        here = lengths > place
        byte = (coded[here] >> np.uint64(7 * place)).astype(np.uint8) & 0x7f
        out[starts[here] + place] = byte | ((lengths[here] > place + 1).astype(np.uint8) << 7)
    return Bytes(lengths, out)
