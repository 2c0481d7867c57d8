"""Columns as the Storage API hands them out: Arrow types of BigQuery's, SQL that makes DuckDB return them, and messages of them.

Source: "Arrow schema details" and "Avro schema details" of BigQuery's Storage Read API.
"""
from __future__ import annotations

from typing import Callable

import numpy as np
import pyarrow as pa

from .. import values

UTC = pa.timestamp("us", tz="UTC")
ARROW: dict[str, pa.DataType] = {
    "STRING": pa.string(), "BYTES": pa.binary(), "INTEGER": pa.int64(), "FLOAT": pa.float64(), "BOOLEAN": pa.bool_(), "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38), "DATE": pa.date32(), "TIME": pa.time64("us"), "DATETIME": pa.timestamp("us"), "TIMESTAMP": UTC,
    "JSON": pa.string(), "GEOGRAPHY": pa.string(), "INTERVAL": pa.month_day_nano_interval()}
EXTENSIONS: dict[str, dict[str, str]] = {
    "JSON": {"ARROW:extension:name": "google:sqlType:json"}, "DATETIME": {"ARROW:extension:name": "google:sqlType:datetime"},
    "GEOGRAPHY": {"ARROW:extension:name": "google:sqlType:geography", "ARROW:extension:metadata": '{"encoding": "WKT"}'}}
ZERO = bytes(32)


# Schemas ------------------------------------------------------------------------------------------

def arrow_schema(fields: list[dict]) -> pa.Schema:
    return pa.schema([arrow_field(field) for field in fields])


def arrow_field(field: dict) -> pa.Field:
    return pa.field(field["name"], arrow_type(field), field.get("mode") != "REQUIRED", EXTENSIONS.get(values.type_name(field)))


def arrow_type(field: dict) -> pa.DataType:
    if values.repeated(field):
        return pa.list_(pa.field("item", arrow_type(values.element(field))))
    kind = values.type_name(field)
    if kind in ("RECORD", "RANGE"):
        return pa.struct([arrow_field(part) for part in values.parts(field)])
    if kind == "NUMERIC" and "precision" in field:
        return pa.decimal128(int(field["precision"]), int(field.get("scale") or 0))
    return ARROW[kind]


# From DuckDB to Arrow -----------------------------------------------------------------------------

def arrow_items(fields: list[dict]) -> str:
    """The SELECT list of a table's columns, of the types of `arrow_schema` but for BIGNUMERIC, which `conform` converts."""
    return ", ".join(f"{arrow_value(field, name)} AS {name}" for field, name in ((field, values.identifier(field["name"])) for field in fields))


def arrow_value(field: dict, x: str, depth: int = 0) -> str:
    if values.repeated(field):
        e = f"e{depth}"
        inner = arrow_value(values.element(field), e, depth + 1)
        return f"coalesce({x if inner == e else f'list_transform({x}, lambda {e}: {inner})'}, [])"
    kind = values.type_name(field)
    if kind in ("RECORD", "RANGE"):
        parts = [(part["name"], arrow_value(part, values.member(x, part), depth)) for part in values.parts(field)]
        return f"CASE WHEN {x} IS NOT NULL THEN struct_pack({', '.join(f'{values.identifier(name)} := {sql}' for name, sql in parts)}) END"
    if kind in ("JSON", "GEOGRAPHY"):
        return f"({values.TYPES[kind].text.format(x=x)})::VARCHAR"
    if kind == "NUMERIC" and "precision" in field:
        return f"{x}::DECIMAL({field['precision']},{field.get('scale') or 0})"
    return x


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of DuckDB's under the schema: names and time zones of its own, BIGNUMERIC in Arrow's form. Copies nothing else."""
    return pa.RecordBatch.from_arrays([conformed(column, kind) for column, kind in zip(batch.columns, schema.types)], schema=schema)


def conformed(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type.equals(kind):
        return array
    if pa.types.is_decimal256(kind):
        return decimals(array, kind)
    children = None
    if pa.types.is_list(kind):
        children = [conformed(array.values, kind.value_type)]
    elif pa.types.is_struct(kind):
        children = [conformed(array.field(place), kind.field(place).type) for place in range(kind.num_fields)]
    own = array.buffers()[:1 if pa.types.is_struct(kind) else 2]
    return pa.Array.from_buffers(kind, len(array), own, array.null_count, array.offset, children)


def decimals(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The lake has 32 bytes, the highest first, that are above 2^255; Arrow a two's complement, the lowest first."""
    fixed = array.fill_null(ZERO).cast(pa.binary(32))
    big = np.frombuffer(fixed.buffers()[1], np.uint8).reshape(-1, 32)[fixed.offset:fixed.offset + len(fixed)]
    little = big[:, ::-1].copy()
    little[:, 31] ^= 0x80
    valid = None
    if array.null_count:
        valid = pa.array(np.asarray(array.is_valid())).buffers()[1]
    return pa.Array.from_buffers(kind, len(array), [valid, pa.py_buffer(little)], array.null_count)


# Messages -----------------------------------------------------------------------------------------

def batch_writer(schema: pa.Schema, compression: str | None) -> Callable[[pa.RecordBatch], bytes]:
    """What turns a batch into a message of Arrow's IPC. compression: of its buffers, as pyarrow names it."""
    if not compression:
        return lambda batch: batch.serialize().to_pybytes()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    start = len(schema.serialize())

    def write(batch: pa.RecordBatch) -> bytes:
        # Only a stream compresses, and it begins with the schema.
        sink = pa.BufferOutputStream()
        pa.ipc.new_stream(sink, schema, options=options).write_batch(batch)
        return sink.getvalue().slice(start).to_pybytes()
    return write
