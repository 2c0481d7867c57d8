"""Rows as clients write them, protobuf messages or Arrow batches, as tables of Arrow, and the SQL that makes columns of them.

Source of what becomes what: "Supported protocol buffer and Arrow data types" of the Storage Write API.
"""
from __future__ import annotations

from itertools import chain
from typing import Iterator

import numpy as np
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message, message_factory, timestamp_pb2, wrappers_pb2

from .. import values
from ..values import TYPES, identifier
from .errors import Refused

KNOWN_FILES = (wrappers_pb2, timestamp_pb2, duration_pb2)
SCALARS = {  # of FieldDescriptor.type
    1: pa.float64(), 2: pa.float32(), 3: pa.int64(), 4: pa.uint64(), 5: pa.int32(), 6: pa.uint64(), 7: pa.uint32(), 8: pa.bool_(), 9: pa.string(),
    12: pa.binary(), 13: pa.uint32(), 15: pa.int32(), 16: pa.int64(), 17: pa.int32(), 18: pa.int64()}
ENUM, MESSAGE = 14, 11
DAYS = (-719162, 2932896)  # from year 1 to 9999
DATETIME_BITS = ("make_timestamp({x} >> 46, ({x} >> 42) & 15, ({x} >> 37) & 31, ({x} >> 32) & 31, ({x} >> 26) & 63, (({x} >> 20) & 63)::DOUBLE)"
                 " + to_microseconds({x} & 1048575)")
TIME_BITS = "make_time(({x} >> 32) & 31, ({x} >> 26) & 63, (({x} >> 20) & 63)::DOUBLE) + to_microseconds({x} & 1048575)"
NO_DAY = values.failing(f"'Date value ' || {{x}} || ' is out of the allowed range [{DAYS[0]}, {DAYS[1]}]'", {"type": "DATE"})
BIG = TYPES["BIGNUMERIC"].parse
# (type of the column, kind of the value) -> SQL of the column's value
CONVERSIONS: dict[tuple[str, str], str] = {
    ("BOOLEAN", "bool"): "{x}", ("BOOLEAN", "int"): "{x} <> 0", ("INTEGER", "int"): "{x}::BIGINT", ("FLOAT", "float"): "{x}::DOUBLE",
    ("STRING", "string"): "{x}", ("BYTES", "bytes"): "{x}", ("BYTES", "string"): "encode({x})",
    ("NUMERIC", "int"): "{x}::DECIMAL(38,9)", ("NUMERIC", "float"): "{x}::DECIMAL(38,9)", ("NUMERIC", "string"): "{x}::DECIMAL(38,9)",
    ("NUMERIC", "decimal"): "{x}::DECIMAL(38,9)", ("BIGNUMERIC", "int"): BIG.format(x="{x}::VARCHAR"), ("BIGNUMERIC", "float"): BIG.format(x="{x}::VARCHAR"),
    ("BIGNUMERIC", "string"): BIG, ("BIGNUMERIC", "decimal"): BIG.format(x="{x}::VARCHAR"), ("BIGNUMERIC", "bytes"): "{x}",
    ("DATE", "date"): "{x}::DATE", ("DATE", "string"): "{x}::DATE",
    ("DATE", "int"): f"CASE WHEN {{x}} BETWEEN {DAYS[0]} AND {DAYS[1]} THEN DATE '1970-01-01' + {{x}}::INTEGER ELSE {NO_DAY} END",
    ("DATETIME", "timestamp"): "{x}::TIMESTAMP", ("DATETIME", "string"): "{x}::TIMESTAMP", ("DATETIME", "int"): DATETIME_BITS,
    ("TIME", "time"): "{x}::TIME", ("TIME", "string"): "{x}::TIME", ("TIME", "int"): TIME_BITS,
    ("TIMESTAMP", "int"): "make_timestamptz({x}::BIGINT)", ("TIMESTAMP", "moment"): "{x}::TIMESTAMPTZ",
    ("TIMESTAMP", "timestamp"): "{x} AT TIME ZONE 'UTC'", ("TIMESTAMP", "string"): "{x}::TIMESTAMPTZ",
    ("JSON", "string"): TYPES["JSON"].parse, ("GEOGRAPHY", "string"): TYPES["GEOGRAPHY"].parse,
    ("INTERVAL", "string"): TYPES["INTERVAL"].parse, ("INTERVAL", "duration"): "{x}::INTERVAL", ("INTERVAL", "interval"): "{x}"}


class BadRow(Exception):
    """Rows that can't be read: row -> what is wrong with it."""

    def __init__(self, rows: dict[int, str]):
        super().__init__(rows)
        self.rows = rows


# Protobuf -----------------------------------------------------------------------------------------

class ProtoWriter:
    """A writer's messages, by their descriptor. Refused for a descriptor that does not stand by itself."""

    def __init__(self, descriptor: descriptor_pb2.DescriptorProto):
        root = descriptor_pb2.DescriptorProto()
        root.CopyFrom(descriptor)
        root.name = root.name or "Row"
        own = {".".join(path) for path in type_paths(root)}
        for part in messages_in(root):
            for field in part.field:
                if field.type_name:
                    field.type_name = local_name(field.type_name, own)
        pool = descriptor_pool.DescriptorPool()
        file = descriptor_pb2.FileDescriptorProto(name="writer.proto", package="writer", message_type=[root])
        for known in KNOWN_FILES:
            pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
            file.dependency.append(known.DESCRIPTOR.name)
        try:
            pool.Add(file)
            self.descriptor = pool.FindMessageTypeByName(f"writer.{root.name}")
        except (TypeError, KeyError) as error:
            raise Refused("INVALID_ARGUMENT", f"Invalid proto schema: {str(error).splitlines()[0]}") from None
        self.row = message_factory.GetMessageClass(self.descriptor)
        self.names = [field.name for field in self.descriptor.fields]

    def count(self, data) -> int:
        return len(data.rows.serialized_rows)

    def table(self, data, targets: dict[str, dict]) -> pa.Table:
        """The rows of a request. targets: name of a field -> the column that it is for."""
        parsed, bad = [], {}
        for index, row in enumerate(data.rows.serialized_rows):
            try:
                parsed.append(self.row.FromString(row))
            except message.DecodeError as error:
                bad[index] = f"Cannot parse the row as a message of the writer's schema: {error}"
        if bad:
            raise BadRow(bad)
        return pa.table({field.name: column(field, parsed, targets[field.name]) for field in self.descriptor.fields})


def messages_in(root) -> Iterator[descriptor_pb2.DescriptorProto]:
    yield root
    for nested in root.nested_type:
        yield from messages_in(nested)


def type_paths(root, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The names of a message and of all types in it."""
    yield (*path, root.name)
    for nested in root.nested_type:
        yield from type_paths(nested, (*path, root.name))
    for enum in root.enum_type:
        yield (*path, root.name, enum.name)


def local_name(name: str, own: set[str]) -> str:
    """A type's name where the writer's package is gone: its longest end that a type here has."""
    parts = name.lstrip(".").split(".")
    for start in range(len(parts)):
        end = ".".join(parts[start:])
        found = next((each for each in sorted(own, key=len) if each == end or each.endswith("." + end)), None)
        if found:
            return f".writer.{found}"
    return name if name.startswith(".") else f".{name}"


def column(field, rows: list, target: dict) -> pa.Array:
    """One field of many messages."""
    name = field.name
    if not field.is_repeated:
        return scalars(field, [getattr(row, name) if row.HasField(name) else None for row in rows], target)
    lists = [getattr(row, name) for row in rows]
    offsets = np.zeros(len(lists) + 1, np.int32)
    np.cumsum([len(each) for each in lists], out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), scalars(field, list(chain.from_iterable(lists)), values.element(target)))


def scalars(field, given: list, target: dict) -> pa.Array:
    kind = values.type_name(target)
    if field.type == MESSAGE:
        return structs(field, given, target)
    if field.type == ENUM and kind != "INTEGER":
        names = field.enum_type.values_by_number
        return pa.array([None if number is None else names[number].name if number in names else str(number) for number in given], pa.string())
    if field.type == 12 and kind in ("NUMERIC", "BIGNUMERIC"):
        return encoded_decimals(given, kind)
    return pa.array(given, SCALARS.get(field.type, pa.int32()))


def structs(field, given: list, target: dict) -> pa.Array:
    known = field.message_type.full_name
    if known == "google.protobuf.Timestamp":
        return pa.array([None if each is None else each.seconds * 1_000_000 + each.nanos // 1000 for each in given], pa.timestamp("us", "UTC"))
    if known == "google.protobuf.Duration":
        return pa.array([None if each is None else each.seconds * 1_000_000 + int(each.nanos / 1000) for each in given], pa.duration("us"))
    if known.startswith("google.protobuf."):
        (inner,) = field.message_type.fields
        return scalars(inner, [None if each is None else each.value for each in given], target)
    empty = message_factory.GetMessageClass(field.message_type)()
    whole = [empty if each is None else each for each in given]
    parts = {part["name"].lower(): part for part in values.parts(target)}
    inner = field.message_type.fields
    made = [column(each, whole, parts.get(each.name.lower(), {"type": "STRING"})) for each in inner]
    mask = pa.array([each is None for each in given], pa.bool_())
    return pa.StructArray.from_arrays(made, names=[each.name for each in inner], mask=mask) if inner else pa.array([None] * len(given), pa.struct([]))


def encoded_decimals(given: list[bytes | None], kind: str) -> pa.Array:
    """Units of the scale, the lowest byte first, as many bytes as are needed: a decimal, or what the lake has for a BIGNUMERIC."""
    width = 16 if kind == "NUMERIC" else 32
    for index, each in enumerate(given):
        if each is not None and not 0 < len(each) <= width:
            raise BadRow({index: f"Invalid {kind} value: {len(each)} bytes"})
    little = [None if each is None else each.ljust(width, b"\xff" if each[-1] & 0x80 else b"\0") for each in given]
    if kind == "BIGNUMERIC":
        return pa.array([each and bytes([each[-1] ^ 0x80]) + each[-2::-1] for each in little], pa.binary())
    valid = pa.array([each is not None for each in little])
    content = pa.py_buffer(b"".join(each or bytes(width) for each in little))
    return pa.Array.from_buffers(pa.decimal128(38, 9), len(little), [valid.buffers()[1], content])


# Arrow --------------------------------------------------------------------------------------------

UNREADABLE = (pa.ArrowException, EOFError, OSError, ValueError)  # what Arrow says of bytes that are no message of its own


class ArrowWriter:
    """A writer's batches, by their schema."""

    def __init__(self, serialized: bytes):
        try:
            self.schema = pa.ipc.read_schema(pa.py_buffer(serialized))
        except UNREADABLE as error:
            raise Refused("INVALID_ARGUMENT", f"Invalid Arrow schema: {error}") from None
        self.names = self.schema.names
        self._batch: tuple[object, pa.RecordBatch] | None = None

    def count(self, data) -> int:
        return self._read(data).num_rows

    def table(self, data, targets: dict[str, dict]) -> pa.Table:
        # DuckDB has no decimals as wide as these.
        made = {name: array.cast(pa.string()) if pa.types.is_decimal256(array.type) else array
                for name, array in zip(self.names, self._read(data).columns)}
        return pa.table(made)

    def _read(self, data) -> pa.RecordBatch:
        if self._batch is None or self._batch[0] is not data:
            try:
                batch = pa.ipc.read_record_batch(pa.py_buffer(data.rows.serialized_record_batch), self.schema)
                batch.validate(full=True)  # lest its offsets lead out of it
            except UNREADABLE as error:
                raise Refused("INVALID_ARGUMENT", f"Invalid Arrow record batch: {error}") from None
            self._batch = (data, batch)
        return self._batch[1]


# From Arrow to the lake ---------------------------------------------------------------------------

def kind_of(kind: pa.DataType) -> str:
    checks = {"bool": pa.types.is_boolean, "int": pa.types.is_integer, "float": pa.types.is_floating, "decimal": pa.types.is_decimal,
              "date": pa.types.is_date, "time": pa.types.is_time, "duration": pa.types.is_duration, "interval": pa.types.is_interval}
    if pa.types.is_timestamp(kind):
        return "moment" if kind.tz else "timestamp"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return "bytes"
    return next((name for name, check in checks.items() if check(kind)), str(kind))


def converted(field: dict, x: str, kind: pa.DataType, path: str, depth: int = 0) -> str:
    """SQL of a column's value from a value of an Arrow type; Refused where the one does not become the other."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if values.repeated(field) != is_list:
        raise mismatch(path, "repeated" if is_list else "not repeated", "REPEATED" if values.repeated(field) else "NULLABLE")
    if is_list:
        e = f"w{depth}"
        return f"list_transform({x}, lambda {e}: {converted(values.element(field), e, kind.value_type, path, depth + 1)})"
    name = values.type_name(field)
    if name in ("RECORD", "RANGE"):
        if not pa.types.is_struct(kind):
            raise mismatch(path, str(kind), TYPES[name].sql)
        given = {part.name.lower(): part for part in kind}
        own = values.parts(field)
        refuse_extra([part.name for part in kind], own, path + ".")
        made = ", ".join(f"{identifier(part['name'])} := " + (
            converted(part, values.member(x, {"name": given[key].name}), given[key].type, f"{path}.{part['name']}", depth)
            if (key := part["name"].lower()) in given else f"NULL::{values.duckdb_type(part)}") for part in own)
        return f"CASE WHEN {x} IS NOT NULL THEN struct_pack({made}) END"
    template = CONVERSIONS.get((name, kind_of(kind)))
    if template is None:
        raise mismatch(path, str(kind), TYPES[name].sql)
    return f"({template.format(x=x)})"


def mismatch(path: str, given: str, own: str) -> Refused:
    return Refused("INVALID_ARGUMENT", f"The input field is mismatched with the BigQuery field at {path}: the input's type is {given}, the BigQuery field's {own}.")


def refuse_extra(names: list[str], fields: list[dict], path: str = "") -> None:
    own = {field["name"].lower() for field in fields}
    extra = [path + name for name in names if name.lower() not in own]
    if extra:
        raise Refused("INVALID_ARGUMENT", f"Input schema has more fields than BigQuery schema, extra fields: '{','.join(extra)}'", "SCHEMA_MISMATCH_EXTRA_FIELDS")


def missing(array: pa.Array, field: dict, path: str, rows: np.ndarray) -> Iterator[tuple[int, str]]:
    """Where a REQUIRED value is not there: row and path. rows: the row that each element of the array is in."""
    kind = array.type
    if values.repeated(field):
        if pa.types.is_list(kind):
            yield from missing(array.flatten(), values.element(field), path, np.repeat(rows, np.asarray(array.value_lengths().fill_null(0))))
        return
    if field.get("mode") == "REQUIRED" and array.null_count:
        yield from ((int(row), path) for row in rows[np.asarray(array.is_null())])
    if values.type_name(field) == "RECORD" and pa.types.is_struct(kind):
        there = array.is_valid()
        given = {name.lower(): place for place, name in enumerate(part.name for part in kind)}
        inside = rows[np.asarray(there)]
        flat = array.filter(there).flatten()
        for part in field["fields"]:
            place = given.get(part["name"].lower())
            if place is not None:
                yield from missing(flat[place], part, f"{path}.{part['name']}", inside)
            elif part.get("mode") == "REQUIRED":
                yield from ((int(row), f"{path}.{part['name']}") for row in inside)
