"""Files that say what is in them (Parquet, ORC, Avro): their columns, and how those go into a table's."""
from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

import duckdb

from .. import values
from ..errors import ApiError
from .reader import File, Reader, failed, reading

# A column of the file may go into a column of these types beside its own: SQL over {x}. None: by a cast.
WIDER: dict[str, dict[str, str | None]] = {
    "INTEGER": {"FLOAT": None, "NUMERIC": None, "BIGNUMERIC": values.TYPES["BIGNUMERIC"].parse.format(x="({x})::VARCHAR")},
    "DATE": {"DATETIME": None, "TIMESTAMP": None}, "DATETIME": {"TIMESTAMP": None}, "TIMESTAMP": {"DATETIME": None},
    "BYTES": {"STRING": "decode({x})", "GEOGRAPHY": values.TYPES["GEOGRAPHY"].parse},
    "STRING": {"BYTES": "encode({x})", **dict.fromkeys(("DATE", "TIME", "DATETIME", "TIMESTAMP", "NUMERIC")),
               **{name: values.TYPES[name].parse for name in ("BIGNUMERIC", "JSON", "GEOGRAPHY")}}}
# A decimal, which the file has in its own precision (as a DECIMAL, or as text where DuckDB has none so wide).
DECIMAL = {"NUMERIC": None, "BIGNUMERIC": values.TYPES["BIGNUMERIC"].parse.format(x="({x})::VARCHAR"), "STRING": values.PLAIN, "FLOAT": None}
DUCKDB_DIGITS = 38  # of the widest decimal that DuckDB has
# type -> digits before the point, digits after it
DIGITS = {"NUMERIC": (29, 9), "BIGNUMERIC": (38, 38), "STRING": (10**9, 10**9)}


class Own(NamedTuple):
    """A column, or a part of one, in a file: its field, and SQL of its value in the type that the lake has for it.

    The field's `_decimal`: the value is one of the file's own precision; `_also`: another type that a table's column may have, and SQL for it.
    """

    field: dict
    sql: str


class Misfit(Exception):
    """A column of the file that can't go into the table's."""


class Described(Reader):
    """ignoreUnknownValues, decimalTargetTypes; maxBadRecords finds nothing to count in such files."""

    self_describing = True
    decimals = ("NUMERIC",)  # what decimals become by default

    def opened(self, cursor: duckdb.DuckDBPyConnection, file: File) -> AbstractContextManager[tuple[str, list[Own]]]:
        """While a file is open: the relation that has its rows, and its columns. ApiError invalid where it is no such file."""
        raise NotImplementedError

    def detect(self, cursor, files: list[File]) -> list[dict]:
        """The schema of the last file by name."""
        with self.opened(cursor, max(files, key=lambda file: file.uri or "")) as (_, columns):
            return [self.shown(column.field) for column in columns]

    def shown(self, field: dict) -> dict:
        kept = {key: value for key, value in field.items() if not key.startswith("_")}
        inner = {"fields": [self.shown(part) for part in field["fields"]]} if "fields" in field else {}
        return kept | inner | {"name": self.column_name(field["name"])}

    def read(self, cursor, file: File, fields: list[dict], relation: str) -> None:
        with self.opened(cursor, file) as (source, columns):
            try:
                values_sql = self.fill(columns, fields)
            except Misfit as misfit:
                raise failed(str(misfit), file) from None
            casts = ", ".join(f"CAST({sql} AS {values.duckdb_type(field)})" for sql, field in zip(values_sql, fields))
            with reading(file):
                try:
                    (count,) = cursor.execute(f"INSERT INTO {relation} SELECT {casts} FROM {source}").fetchone()
                except duckdb.ConstraintException as error:
                    name = str(error).rpartition(".")[2].split("\n")[0]
                    raise failed(f"Required field {name} cannot be null", file) from None
        self.problems.rows += count

    def fill(self, own: list[Own], fields: list[dict], depth: int = 0, path: str = "") -> list[str]:
        """SQL for each field of a table, or of a RECORD, from the file's of the same name; NULL without one."""
        wanted = {field["name"].lower() for field in fields}
        found = {name if (name := column.field["name"].lower()) in wanted else self.column_name(column.field["name"]).lower(): column for column in own}
        extra = found.keys() - wanted
        if extra and not self.config.get("ignoreUnknownValues"):
            raise Misfit(f"No such field: {path}{min(extra)}.")
        return [self.value(found.get(field["name"].lower()), field, depth, path + field["name"]) for field in fields]

    def value(self, own: Own | None, field: dict, depth: int, path: str) -> str:
        if own is None:
            return f"[]::{values.duckdb_type(field)}" if values.repeated(field) else f"NULL::{values.duckdb_type(field)}"
        if values.repeated(own.field) != values.repeated(field):
            raise Misfit(self.mismatch(own.field, field, path))
        if values.repeated(field):
            inner = self.value(Own(values.element(own.field), f"v{depth}"), values.element(field), depth + 1, path)
            return f"coalesce({listed(own.sql, f'v{depth}', inner)}, [])"
        kind, target = own.field["type"], values.type_name(field)
        if kind == "RECORD" and target in ("RECORD", "RANGE"):
            if target == kind and same(own.field, field):
                return own.sql
            parts, wanted = [Own(part, values.member(own.sql, part)) for part in own.field["fields"]], values.parts(field)
            return record(own.sql, [part["name"] for part in wanted], self.fill(parts, wanted, depth, f"{path}."))
        if target == own.field.get("_also", ("",))[0]:
            return own.field["_also"][1]
        known = DECIMAL if "_decimal" in own.field else {kind: None, **WIDER.get(kind, {})}
        if target not in known:
            raise Misfit(self.mismatch(own.field, field, path))
        return (known[target] or "{x}").format(x=own.sql)

    def mismatch(self, own: dict, field: dict, path: str) -> str:
        """What is said of a column whose type is none that the table's can take."""
        return f"Field {path} has type {described(own)} in the file which does not match the type {described(field)} of the table."

    def decimal(self, field: dict, sql: str, precision: int, scale: int) -> Own:
        """A decimal as the first of decimalTargetTypes that holds it, else as the widest of them."""
        given = self.config.get("decimalTargetTypes") or self.decimals
        allowed = [name for name in DIGITS if name in given]
        fitting = [name for name in allowed if precision - scale <= DIGITS[name][0] and scale <= DIGITS[name][1]]
        return Own({**field, "type": (fitting or allowed[-1:])[0], "_decimal": True}, sql)

    def check_options(self) -> None:
        super().check_options()
        for name in self.config.get("decimalTargetTypes") or ():
            if name not in DIGITS:
                raise ApiError("invalid", f"Invalid value for decimalTargetTypes: {name} is not a valid value")


def described(field: dict) -> str:
    kind = values.TYPES[values.type_name(field)].sql
    return f"ARRAY<{kind}>" if values.repeated(field) else kind


def same(own: dict, field: dict) -> bool:
    """Whether a RECORD of the file is what the table holds, so that it needs no unpacking."""
    return not {"_decimal", "_also"} & own.keys() and own["name"] == field["name"] and values.repeated(own) == values.repeated(field) and \
        own["type"] == values.type_name(field) and len(own.get("fields", ())) == len(field.get("fields", ())) and \
        all(map(same, own.get("fields", ()), field.get("fields", ())))


def listed(x: str, variable: str, inner: str) -> str:
    """SQL of a list whose elements (a variable) become other values."""
    return x if inner == variable else f"list_transform({x}, lambda {variable}: {inner})"


def record(x: str, names: list[str], parts: list[str]) -> str:
    """SQL of a struct from the SQL of its parts; NULL where x is."""
    if not parts:
        return x
    return f"CASE WHEN {x} IS NOT NULL THEN struct_pack({', '.join(f'{values.identifier(name)} := {sql}' for name, sql in zip(names, parts))}) END"


def struct_of(x: str, name: str, parts: list[Own]) -> Own:
    """A struct from what its parts are made into."""
    names = [part.field["name"] for part in parts]
    plain = all(part.sql == values.member(x, part.field) for part in parts)
    return Own({"name": name, "type": "RECORD", "mode": "NULLABLE", "fields": [part.field for part in parts]},
               x if plain else record(x, names, [part.sql for part in parts]))


def repeat(own: Own, sql: str) -> Own:
    """A list, from what each of its elements is. Nested lists are refused: BigQuery has none."""
    if values.repeated(own.field):
        raise Misfit(f"Nested arrays are not supported. Field: {own.field['name']}")
    return Own({**own.field, "mode": "REPEATED"}, sql)
