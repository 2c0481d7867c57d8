"""GoogleSQL's types: between the analyzer's protobufs, REST fields and DuckDB.

A REST field (TableFieldSchema) describes a type wherever one is kept; `emulator.values` says how
DuckDB holds it.
"""
from __future__ import annotations

import datetime
from functools import lru_cache

from zetasql.wasi._pb2.zetasql.public import type_pb2

from .. import values
from ..errors import ApiError
from . import bignumeric

COLLATION = 1  # of the kinds of annotations of types
EPOCH = datetime.date(1970, 1, 1)
# The key of values.TYPES -> the analyzer's kind.
KINDS = {
    "STRING": type_pb2.TYPE_STRING, "BYTES": type_pb2.TYPE_BYTES, "INTEGER": type_pb2.TYPE_INT64,
    "FLOAT": type_pb2.TYPE_DOUBLE, "BOOLEAN": type_pb2.TYPE_BOOL, "NUMERIC": type_pb2.TYPE_NUMERIC,
    "BIGNUMERIC": type_pb2.TYPE_BIGNUMERIC, "DATE": type_pb2.TYPE_DATE, "TIME": type_pb2.TYPE_TIME,
    "DATETIME": type_pb2.TYPE_DATETIME, "TIMESTAMP": type_pb2.TYPE_TIMESTAMP, "JSON": type_pb2.TYPE_JSON,
    "GEOGRAPHY": type_pb2.TYPE_GEOGRAPHY, "INTERVAL": type_pb2.TYPE_INTERVAL, "RANGE": type_pb2.TYPE_RANGE,
    "RECORD": type_pb2.TYPE_STRUCT,
}
NAMES = {kind: name for name, kind in KINDS.items()}


def type_proto(field: dict) -> type_pb2.TypeProto:
    """The analyzer's type of a REST field."""
    if values.repeated(field):
        proto = type_pb2.TypeProto(type_kind=type_pb2.TYPE_ARRAY)
        proto.array_type.element_type.CopyFrom(type_proto(values.element(field)))
        return proto
    name = values.type_name(field)
    proto = type_pb2.TypeProto(type_kind=KINDS[name])
    if name == "RECORD":
        proto.struct_type.SetInParent()
        for part in field.get("fields", []):
            proto.struct_type.field.add(field_name=part["name"]).field_type.CopyFrom(type_proto(part))
    elif name == "RANGE":
        proto.range_type.element_type.CopyFrom(type_proto(values.range_parts(field)[0]))
    return proto


def has_collation(field: dict) -> bool:
    return bool(field.get("collation")) or any(has_collation(part) for part in field.get("fields", ()))


def annotate(proto, field: dict) -> None:
    """Fill an AnnotationMapProto with the collations of a field, at every depth."""
    if values.repeated(field):
        proto.array_element.SetInParent()
        annotate(proto.array_element, values.element(field))
    elif field.get("collation"):
        proto.annotations.add(id=COLLATION).value.string_value = field["collation"]
    elif field.get("fields"):
        for part in field["fields"]:
            inner = proto.struct_fields.add()
            if has_collation(part):
                annotate(inner, part)
            else:
                inner.is_null = True
    else:
        proto.is_null = True


def parameters(sizes) -> dict:
    """A TypeParametersProto as properties of a REST field: maxLength, precision, scale."""
    if sizes.HasField("string_type_parameters") and sizes.string_type_parameters.HasField("max_length"):
        return {"maxLength": str(sizes.string_type_parameters.max_length)}
    if not sizes.HasField("numeric_type_parameters"):
        return {}
    scale = sizes.numeric_type_parameters.scale
    return {"precision": str(sizes.numeric_type_parameters.precision)} | ({"scale": str(scale)} if scale else {})


def rest_field(proto: type_pb2.TypeProto, name: str = "") -> dict:
    """The REST field of the analyzer's type: {name, type, mode, fields}."""
    if proto.type_kind == type_pb2.TYPE_ARRAY:
        return rest_field(proto.array_type.element_type, name) | {"mode": "REPEATED"}
    kind = kind_name(proto)
    field = {"name": name, "type": kind, "mode": "NULLABLE"}
    if kind == "RECORD":
        names = struct_names(proto)
        field["fields"] = [rest_field(part.field_type, names[i]) for i, part in enumerate(proto.struct_type.field)]
    elif kind == "RANGE":
        field["rangeElementType"] = {"type": kind_name(proto.range_type.element_type)}
    return field


def kind_name(proto: type_pb2.TypeProto) -> str:
    """The key of values.TYPES for a type, ARRAY for an array; notImplemented for a type BigQuery's REST lacks."""
    if proto.type_kind == type_pb2.TYPE_ARRAY:
        return "ARRAY"
    if proto.type_kind == type_pb2.TYPE_ENUM:
        return "ENUM"
    if proto.type_kind not in NAMES:
        raise ApiError("notImplemented", f"The type {type_pb2.TypeKind.Name(proto.type_kind)[5:]} is not supported.")
    return NAMES[proto.type_kind]


def struct_names(proto: type_pb2.TypeProto) -> list[str]:
    """The names of a struct's fields as DuckDB needs them: none empty, none twice in any case."""
    names, seen = [], set()
    for i, part in enumerate(proto.struct_type.field):
        name = part.field_name
        if not name or name.lower() in seen:
            name = f"_field_{i + 1}"
        seen.add(name.lower())
        names.append(name)
    return names


def duckdb_type(proto: type_pb2.TypeProto) -> str:
    """The DuckDB type that holds the analyzer's type."""
    return _duckdb_type(proto.SerializeToString(deterministic=True))


@lru_cache(4096)
def _duckdb_type(serialized: bytes) -> str:
    return values.duckdb_type(rest_field(type_pb2.TypeProto.FromString(serialized)))


def sql_name(proto: type_pb2.TypeProto) -> str:
    """The type as GoogleSQL writes it, e.g. ARRAY<STRUCT<a INT64>>."""
    kind = kind_name(proto)
    if kind == "ARRAY":
        return f"ARRAY<{sql_name(proto.array_type.element_type)}>"
    if kind == "RECORD":
        inner = ", ".join(f"{values.googlesql_name(f.field_name) if f.field_name else ''} {sql_name(f.field_type)}".strip() for f in proto.struct_type.field)
        return f"STRUCT<{inner}>"
    if kind == "RANGE":
        return f"RANGE<{sql_name(proto.range_type.element_type)}>"
    return values.TYPES[kind].sql


# Parameters ---------------------------------------------------------------------------------------

def parameter_field(kind: dict, name: str = "") -> dict:
    """The REST field of a QueryParameterType: {type, arrayType, structTypes, rangeElementType}."""
    if not isinstance(kind, dict) or "type" not in kind:
        raise ApiError("invalid", f"Query parameter '{name}' has no type")
    if kind["type"].upper() == "ARRAY":
        return parameter_field(kind.get("arrayType"), name) | {"mode": "REPEATED"}
    field = {"name": name, "type": kind["type"], "mode": "NULLABLE"}
    if kind["type"].upper() == "STRUCT":
        field["fields"] = [parameter_field(part.get("type"), part.get("name", "")) for part in kind.get("structTypes", [])]
    elif kind["type"].upper() == "RANGE":
        field["rangeElementType"] = kind.get("rangeElementType", {"type": "DATE"})
    return field


def parameter_type(field: dict) -> dict:
    """The QueryParameterType of a REST field, with GoogleSQL's names of types."""
    if values.repeated(field):
        return {"type": "ARRAY", "arrayType": parameter_type(values.element(field))}
    kind = {"type": values.TYPES[values.type_name(field)].sql}
    if kind["type"] == "STRUCT":
        kind["structTypes"] = [{"name": part["name"], "type": parameter_type(part)} for part in field["fields"]]
    elif kind["type"] == "RANGE":
        kind["rangeElementType"] = field["rangeElementType"]
    return kind


def parameter_value(value: dict, field: dict):
    """A QueryParameterValue in the plain form that values.literal takes."""
    value = value or {}
    if values.repeated(field):
        items = value.get("arrayValues")
        return None if items is None else [parameter_value(item, values.element(field)) for item in items]
    name = values.type_name(field)
    if name == "RECORD":
        parts = value.get("structValues")
        return None if parts is None else {part["name"]: parameter_value(parts.get(part["name"]), part) for part in field["fields"]}
    if name == "RANGE":
        bounds = value.get("rangeValue")
        return None if bounds is None else {end: bounds.get(end, {}).get("value") for end in ("start", "end")}
    return value.get("value")


# Literals -----------------------------------------------------------------------------------------

def literal(value, proto: type_pb2.TypeProto) -> str:
    """A value of the analyzer (ValueProto) as a typed DuckDB literal."""
    which = value.WhichOneof("value")
    if which is None:
        return f"NULL::{duckdb_type(proto)}"
    kind = kind_name(proto)
    if kind == "ARRAY":
        items = ", ".join(literal(item, proto.array_type.element_type) for item in value.array_value.element)
        return f"[{items}]::{duckdb_type(proto)}"
    if kind == "RECORD":
        parts = zip(struct_names(proto), value.struct_value.field, proto.struct_type.field)
        inner = ", ".join(f"{values.identifier(name)} := {literal(item, part.field_type)}" for name, item, part in parts)
        return f"struct_pack({inner})"
    if kind == "RANGE":
        of = proto.range_type.element_type
        return (f"struct_pack(\"start\" := {literal(value.range_value.start, of)}, "
                f"\"end\" := {literal(value.range_value.end, of)})")
    return LITERALS[kind](value)


def float_literal(number: float) -> str:
    if number != number or number in (float("inf"), float("-inf")):
        return f"'{number}'::DOUBLE"
    text = repr(number)
    text = text if "e" in text else text + "e0"
    return f"({text})" if text.startswith("-") else text


def bytes_literal(data: bytes) -> str:
    return f"from_hex('{data.hex()}')"


def string_literal(text: str) -> str:
    """A text as a DuckDB literal; chr(0), which its parser takes for the end, is spelled out."""
    if "\0" in text:
        return "(" + " || chr(0) || ".join(values.string(piece) for piece in text.split("\0")) + ")"
    return values.string(text)


def date_text(days: int) -> str:
    return (EPOCH + datetime.timedelta(days=days)).isoformat()


def datetime_text(bits: int, nanos: int) -> str:
    """A DatetimeValue: seconds packed as year, month, day, hour, minute, second."""
    year, month, day = bits >> 26, (bits >> 22) & 15, (bits >> 17) & 31
    return f"{year:04}-{month:02}-{day:02} {(bits >> 12) & 31:02}:{(bits >> 6) & 63:02}:{bits & 63:02}.{nanos // 1000:06}"


def time_text(bits: int) -> str:
    """A TIME packed as hour, minute, second, nanosecond."""
    seconds, nanos = bits >> 30, bits & (2**30 - 1)
    return f"{seconds >> 12:02}:{(seconds >> 6) & 63:02}:{seconds & 63:02}.{nanos // 1000:06}"


def timestamp_text(stamp) -> str:
    micros = stamp.seconds * 1_000_000 + stamp.nanos // 1000
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)
    return moment.isoformat(" ") + "+00"


def decimal_text(data: bytes, scale: int) -> str:
    """A NUMERIC (scale 9) or BIGNUMERIC (scale 38): a little-endian integer."""
    number = int.from_bytes(data, "little", signed=True)
    whole, fraction = divmod(abs(number), 10**scale)
    return f"{'-' if number < 0 else ''}{whole}.{fraction:0{scale}}".rstrip("0").rstrip(".")


def interval_parts(data: bytes) -> tuple[int, int, int]:
    """An INTERVAL as months, days and microseconds; its bytes have the months above 13 bits of nanoseconds, and their sign above."""
    micros = int.from_bytes(data[:8], "little", signed=True)
    days = int.from_bytes(data[8:12], "little", signed=True)
    months = int.from_bytes(data[12:16], "little") >> 13
    return -(months & 0x1FFFF) if months & 0x40000 else months, days, micros


def interval_literal(data: bytes) -> str:
    months, days, micros = interval_parts(data)
    return f"(to_months({months}) + to_days({days}) + to_microseconds({micros}))"


LITERALS = {
    "STRING": lambda v: string_literal(v.string_value),
    "BYTES": lambda v: bytes_literal(v.bytes_value),
    "INTEGER": lambda v: f"{v.int64_value}::BIGINT" if v.int64_value >= 0 else f"({v.int64_value})::BIGINT",
    "FLOAT": lambda v: float_literal(v.double_value),
    "BOOLEAN": lambda v: "true" if v.bool_value else "false",
    "NUMERIC": lambda v: f"'{decimal_text(v.numeric_value, 9)}'::DECIMAL(38,9)",
    "BIGNUMERIC": lambda v: bignumeric.literal(decimal_text(v.bignumeric_value, 38)),
    "DATE": lambda v: f"'{date_text(v.date_value)}'::DATE",
    "TIME": lambda v: f"'{time_text(v.time_value)}'::TIME",
    "DATETIME": lambda v: f"'{datetime_text(v.datetime_value.bit_field_datetime_seconds, v.datetime_value.nanos)}'::TIMESTAMP",
    "TIMESTAMP": lambda v: f"'{timestamp_text(v.timestamp_value)}'::TIMESTAMPTZ",
    "JSON": lambda v: f"{string_literal(v.json_value)}::JSON",
    "INTERVAL": lambda v: interval_literal(v.interval_value),
    "ENUM": lambda v: str(v.enum_value),
}
