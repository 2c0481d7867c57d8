"""Avro files. DuckDB's reader sees them without logical types, which it knows but in part, so that each is converted here."""
from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from .. import avro, lake, values
from ..errors import unsupported
from .described import DUCKDB_DIGITS, Described, Misfit, Own, listed, record, repeat, struct_of
from .reader import File, failed, reading

PRIMITIVES = {"boolean": "BOOLEAN", "int": "INTEGER", "long": "INTEGER", "float": "FLOAT", "double": "FLOAT", "bytes": "BYTES", "string": "STRING",
              "enum": "STRING", "fixed": "BYTES"}
# logicalType -> BigQuery's type, and SQL of the value
LOGICAL = {
    ("int", "date"): ("DATE", "DATE '1970-01-01' + {x}"), ("int", "time-millis"): ("TIME", "TIME '00:00:00' + to_microseconds({x}::BIGINT * 1000)"),
    ("long", "time-micros"): ("TIME", "TIME '00:00:00' + to_microseconds({x})"), ("long", "timestamp-millis"): ("TIMESTAMP", "make_timestamptz({x} * 1000)"),
    ("long", "timestamp-micros"): ("TIMESTAMP", "make_timestamptz({x})"), ("long", "local-timestamp-millis"): ("DATETIME", "make_timestamp({x} * 1000)"),
    ("long", "local-timestamp-micros"): ("DATETIME", "make_timestamp({x})"), ("string", "datetime"): ("DATETIME", "{x}::TIMESTAMP")}
# A string that is annotated with one of these types of SQL holds it.
SQL_TYPES = {name: (name, values.TYPES[name].parse) for name in ("JSON", "GEOGRAPHY")}
CODECS = ("null", "deflate", "snappy", "zstandard")


class Avro(Described):
    """useAvroLogicalTypes (of decimals, it does not matter); a union with null is NULLABLE, what else is no union REQUIRED, a union of several types a RECORD."""

    what = "Avro"

    def check_options(self) -> None:
        super().check_options()
        self.logical = bool(self.config.get("useAvroLogicalTypes"))

    @contextmanager
    def opened(self, cursor, file: File) -> Iterator[tuple[str, list[Own]]]:
        try:
            with file.path.open("rb") as stream:
                header = avro.read_header(stream)
            if header.codec not in CODECS:
                raise ValueError(f"Unknown codec: {header.codec}")
            if not isinstance(header.schema, dict) or header.schema.get("type") != "record":
                raise ValueError("The schema is no record")
        except ValueError as error:
            raise failed(f"The Apache Avro library failed to parse the header with the following error: {error}", file) from None
        load_extension(cursor)
        with reading(file), avro.rewritten(file.path, header, plain(header.schema)) as path:
            self.names: dict[str, dict] = {}
            try:
                columns = self.parts(header.schema, lambda name: values.identifier(name), 0)
            except Misfit as misfit:
                raise failed(str(misfit), file) from None
            yield f"read_avro({values.string(str(path))})", columns

    def parts(self, schema: dict, place, depth: int) -> list[Own]:
        """A record's fields; those that are always null are left out. place: field's name -> SQL."""
        found = []
        for field in schema["fields"]:
            own = self.own(field["type"], field["name"], place(field["name"]), depth)
            found += [own] if own else []
        return found

    def own(self, schema, name: str, x: str, depth: int) -> Own | None:
        if isinstance(schema, list):
            return self.union({index: branch for index, branch in enumerate(schema) if branch != "null"}, name, x, depth)
        if isinstance(schema, str):
            schema = self.names.get(schema) or {"type": schema}
        kind = schema["type"]
        if isinstance(kind, (dict, list)):
            return self.own(kind, name, x, depth)
        if kind in ("record", "enum", "fixed"):
            self.names |= {schema["name"].rpartition(".")[2]: schema, schema["name"]: schema, f"{schema.get('namespace')}.{schema['name']}": schema}
        if kind == "null":
            return None
        if kind == "array":
            inner = self.own(schema["items"], name, f"l{depth}", depth + 1)
            return inner and repeat(inner, listed(x, f"l{depth}", inner.sql))
        if kind == "map":
            return self.map_of(schema, name, x, depth)
        if kind == "record":
            if depth > 15:
                raise Misfit(f"Recursive or too deeply nested schemas are not supported. Field: {name}")
            made = struct_of(x, name, self.parts(schema, lambda part: values.member(x, {"name": part}), depth + 1))
            return Own({**made.field, "mode": "REQUIRED"}, made.sql)
        return self.scalar(schema, name, x)

    def map_of(self, schema: dict, name: str, x: str, depth: int) -> Own | None:
        pair = f"m{depth}"
        inner = self.own(schema["values"], "value", values.member(pair, {"name": "value"}), depth + 1)
        key = Own({"name": "key", "type": "STRING", "mode": "REQUIRED"}, values.member(pair, {"name": "key"}))
        made = struct_of(pair, name, [key, inner] if inner else [key])
        return repeat(made, listed(f"map_entries({x})", pair, made.sql))

    def union(self, branches: dict, name: str, x: str, depth: int) -> Own | None:
        """branches: those but null, by their place."""
        if len(branches) < 2:
            return optional(self.own(*branches.values(), name, x, depth)) if branches else None
        parts = []
        for index, branch in branches.items():
            kind = branch if isinstance(branch, str) else branch.get("name", branch["type"])
            parts.append(optional(self.own(branch, f"{kind}_value", f"union_extract({x}, 'u{index}')", depth + 1)))
        return Own({"name": name, "type": "RECORD", "mode": "NULLABLE", "fields": [part.field for part in parts]},
                   record(x, [part.field["name"] for part in parts], [part.sql for part in parts]))

    def scalar(self, schema: dict, name: str, x: str) -> Own:
        kind, logical = schema["type"], schema.get("logicalType")
        if kind not in PRIMITIVES:
            raise Misfit(f"Unknown Avro type {kind}. Field: {name}")
        field = {"name": name, "type": PRIMITIVES[kind], "mode": "REQUIRED"}
        if logical == "decimal":
            precision, scale = schema["precision"], schema.get("scale", 0)
            text = decimal_text(x, scale) if precision <= DUCKDB_DIGITS else f"py_varchar('bignumeric.decimal_text', {x}, {scale})"
            own = self.decimal(field, text, precision, scale)
            # The bytes as they are, for a table that has such a column: deprecated, but documented.
            return own if self.config.get("decimalTargetTypes") else Own({**own.field, "_also": ("BYTES", x)}, text)
        if (kind, logical) in LOGICAL:
            target, sql = LOGICAL[kind, logical]
            made = sql.format(x=x)
            return Own({**field, "type": target}, made) if self.logical else Own({**field, "_also": (target, made)}, x)
        if kind == "string" and schema.get("sqlType") in SQL_TYPES:
            target, sql = SQL_TYPES[schema["sqlType"]]
            return Own({**field, "type": target}, sql.format(x=x))
        return Own(field, f"{x}::VARCHAR" if kind == "enum" else x)


def plain(schema):
    """A schema without the logical types, which are converted here."""
    if isinstance(schema, list):
        return [plain(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: plain(part) if key in ("type", "items", "values") else part for key, part in schema.items() if key not in ("logicalType", "precision", "scale")}
    return kept | ({"fields": [plain(field) for field in schema["fields"]]} if "fields" in schema else {})


def optional(own: Own | None) -> Own | None:
    return own and (own if values.repeated(own.field) else Own({**own.field, "mode": "NULLABLE"}, own.sql))


def decimal_text(x: str, scale: int) -> str:
    """SQL for the text of a two's complement of at most sixteen bytes."""
    sign = f"CASE WHEN ascii(hex({x})) > ascii('7') THEN '\\xFF'::BLOB ELSE '\\x00'::BLOB END"
    number = f"(repeat({sign}, 16 - octet_length({x})) || {x})::BIT::HUGEINT"
    if not scale:
        return f"({number})::VARCHAR"
    power = f"{10**scale}::HUGEINT"
    return f"(CASE WHEN {number} < 0 THEN '-' ELSE '' END || (abs({number}) // {power}) || '.' || lpad((abs({number}) % {power})::VARCHAR, {scale}, '0'))"


def load_extension(cursor) -> None:
    try:
        cursor.execute(f"LOAD {values.string(str(lake.extension('avro')))}")
    except ImportError:
        raise unsupported("sourceFormat AVRO without the package duckdb-extension-avro") from None
