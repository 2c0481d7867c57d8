"""Parquet files."""
from __future__ import annotations

import itertools
from contextlib import contextmanager, nullcontext
from typing import Iterator, NamedTuple

from .. import values
from ..errors import ApiError, unsupported
from .described import DUCKDB_DIGITS, Described, Misfit, Own, listed, repeat, struct_of
from .reader import File, failed, reading

SOURCE = "parquet_file"
# DuckDB's name of a type -> BigQuery's
TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"), "INTEGER"),
    "float": "FLOAT", "double": "FLOAT", "boolean": "BOOLEAN", "varchar": "STRING", "enum": "STRING", "blob": "BYTES", "uuid": "BYTES", "date": "DATE",
    "time": "TIME", "time_ns": "TIME", "timestamp with time zone": "TIMESTAMP", "interval": "INTERVAL", "json": "JSON",
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), "DATETIME")}


class Node(NamedTuple):
    """An element of a file's schema, with those below it."""

    name: str
    kind: str | None  # the physical type, None of a group
    logical: str
    precision: int  # of a decimal, else 0
    scale: int
    parts: list["Node"]

    @property
    def wide(self) -> bool:
        """Whether it has a decimal in it that DuckDB would round, since its own have 38 digits at most."""
        return self.precision > DUCKDB_DIGITS or any(part.wide for part in self.parts)


class Parquet(Described):
    """parquetOptions."""

    what = "Parquet"

    def check_options(self) -> None:
        super().check_options()
        options = self.config.get("parquetOptions") or {}
        self.infers_lists, self.enums = bool(options.get("enableListInference")), bool(options.get("enumAsString"))
        target = options.get("mapTargetType") or "MAP_TARGET_TYPE_UNSPECIFIED"
        if target not in ("MAP_TARGET_TYPE_UNSPECIFIED", "ARRAY_OF_STRUCT"):
            raise ApiError("invalid", f"Invalid value for parquetOptions.mapTargetType: {target} is not a valid value")
        self.plain_maps = target == "ARRAY_OF_STRUCT"

    @contextmanager
    def opened(self, cursor, file: File) -> Iterator[tuple[str, list[Own]]]:
        with file.open() as stream:
            if stream.read(4) != b"PAR1":
                raise failed("Input file is not in Parquet format.", file)
        source = f"read_parquet({file.sql})"
        with reading(file):
            found = cursor.execute(f"SELECT * FROM {source} LIMIT 0").description
            rows = iter(cursor.execute(f"SELECT name, type, coalesce(logical_type, converted_type, ''), coalesce(precision, 0), coalesce(scale, 0), "
                                       f"coalesce(num_children, 0) FROM parquet_schema({file.sql})").fetchall())
        root = tree(rows)
        self.nodes = root.parts
        try:
            columns = [self.own(node, name, kind, values.identifier(name), 0) for node, (name, kind, *_) in zip(self.nodes, found)]
        except Misfit as misfit:
            raise failed(str(misfit), file) from None
        with decimals_as_text(cursor, file) if root.wide else nullcontext(source) as source:
            yield source, columns

    def own(self, node: Node, name: str, kind, x: str, depth: int) -> Own:
        parts = dict(kind.children) if kind.id in ("list", "array", "struct", "map", "decimal") else {}
        if kind.id in ("list", "array"):
            return self.list_of(node, name, parts["child"], x, depth)
        if kind.id == "map":
            return self.map_of(node, name, parts, x, depth)
        if kind.id == "struct":
            return struct_of(x, name, [self.own(part, key, inner, values.member(x, {"name": key}), depth) for part, (key, inner) in zip(node.parts, parts.items())])
        if kind.id == "decimal":
            return self.decimal({"name": name, "mode": "NULLABLE"}, x, parts["precision"], parts["scale"])
        if node.precision > DUCKDB_DIGITS:
            return self.decimal({"name": name, "mode": "NULLABLE"}, x, node.precision, node.scale)
        return self.scalar(node, name, kind, x)

    def scalar(self, node: Node, name: str, kind, x: str) -> Own:
        if kind.id not in TYPES:
            raise unsupported(f"the type {kind} of the Parquet column {name}")
        field = {"name": name, "type": TYPES[kind.id], "mode": "NULLABLE"}
        if "Enum" in node.logical or node.logical == "ENUM":
            return Own(field, x) if self.enums else Own({**field, "type": "BYTES"}, f"encode({x})")
        return Own(field, f"from_hex(replace({x}::VARCHAR, '-', ''))" if kind.id == "uuid" else x)

    def list_of(self, node: Node, name: str, kind, x: str, depth: int) -> Own:
        """A LIST as a repeated field where that is inferred, else as the groups that the file has: x.list[].element."""
        variable = f"l{depth}"
        if "L" not in node.logical.upper()[:1] or not node.parts:  # a field that is repeated, without the groups around it
            inner = self.own(node._replace(logical=""), name, kind, variable, depth + 1)
            return repeat(inner, listed(x, variable, inner.sql))
        middle = node.parts[0]
        element = middle.parts[0] if len(middle.parts) == 1 else middle
        if self.infers_lists:
            inner = self.own(element, name, kind, variable, depth + 1)
            return repeat(inner, listed(x, variable, inner.sql))
        inner = self.own(element, element.name, kind, variable, depth + 1)
        items = listed(x, variable, f"struct_pack({values.identifier(element.name)} := {inner.sql})")
        group = {"name": middle.name, "type": "RECORD", "mode": "REPEATED", "fields": [inner.field]}
        return struct_around(name, group, x, items)

    def map_of(self, node: Node, name: str, kinds: dict, x: str, depth: int) -> Own:
        """A MAP as key_value[] of key and value, in a group of its own unless mapTargetType says otherwise."""
        middle, variable = node.parts[0], f"m{depth}"
        parts = [self.own(part, part.name, kinds[key], values.member(variable, {"name": key}), depth + 1) for part, key in zip(middle.parts, ("key", "value"))]
        pair = struct_of(variable, name if self.plain_maps else middle.name, parts)
        items = listed(f"map_entries({x})", variable, pair.sql)
        field = {**pair.field, "mode": "REPEATED"}
        return Own(field, items) if self.plain_maps else struct_around(name, field, x, items)

    def mismatch(self, own: dict, field: dict, path: str) -> str:
        node = next((node for node in self.nodes if node.name.lower() == path.partition(".")[0].lower()), None)
        physical = node.kind if node and node.kind else own["type"]
        return f"Parquet column '{path}' has type {physical} which does not match the target cpp_type {values.TYPES[values.type_name(field)].sql}."


def tree(rows: Iterator[tuple]) -> Node:
    """The schema's elements, which come depth first, as a tree."""
    *node, count = next(rows)
    return Node(*node, [tree(rows) for _ in range(count)])


@contextmanager
def decimals_as_text(cursor, file: File) -> Iterator[str]:
    """A relation of a file's rows with its wide decimals as text; ApiError notImplemented without pyarrow, which reads it."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise unsupported("decimals of more than 38 digits in a Parquet file without the package pyarrow") from None
    with parquet.ParquetFile(file.path) as opened:
        schema = pa.schema([as_text(field) for field in opened.schema_arrow])
        batches = (pa.Table.from_batches([batch]).cast(schema).to_batches() for batch in opened.iter_batches())
        cursor.register(SOURCE, pa.RecordBatchReader.from_batches(schema, itertools.chain.from_iterable(batches)))
        try:
            yield SOURCE
        finally:
            cursor.unregister(SOURCE)


def as_text(field):
    """A field of Arrow's, with text for a decimal that DuckDB has none as wide as, at any depth."""
    import pyarrow as pa
    kind = field.type
    if pa.types.is_decimal256(kind):
        return field.with_type(pa.string())
    if pa.types.is_list(kind):
        return field.with_type(pa.list_(as_text(kind.value_field)))
    if pa.types.is_struct(kind):
        return field.with_type(pa.struct([as_text(part) for part in kind]))
    if pa.types.is_map(kind):
        return field.with_type(pa.map_(as_text(kind.key_field), as_text(kind.item_field)))
    return field


def struct_around(name: str, inner: dict, x: str, items: str) -> Own:
    """A group with one repeated field in it."""
    return Own({"name": name, "type": "RECORD", "mode": "NULLABLE", "fields": [inner]},
               f"CASE WHEN {x} IS NOT NULL THEN struct_pack({values.identifier(inner['name'])} := {items}) END")
