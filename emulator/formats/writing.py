"""Writing a table's rows into a file."""
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .. import avro, values
from ..errors import ApiError, unsupported
from .csv import delimiter

BATCH = 100_000  # rows that are encoded at a time


class Format(NamedTuple):
    """A format of extract jobs: its compressions (as its writer names them), and the content type of its objects."""

    compressions: dict[str, str]
    content_type: str


WRITTEN = {
    "CSV": Format({"NONE": "none", "GZIP": "gzip"}, "text/csv"),
    "NEWLINE_DELIMITED_JSON": Format({"NONE": "none", "GZIP": "gzip"}, "application/json"),
    "PARQUET": Format({"NONE": "uncompressed", "SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd"}, "application/octet-stream"),
    "AVRO": Format({"NONE": "null", "DEFLATE": "deflate", "SNAPPY": "snappy"}, "application/octet-stream"),
}
CIVIL = frozenset({"DATE", "TIME", "DATETIME"})


def check_writable(name: str, fields: list[dict]) -> None:
    """ApiError invalid for a schema that the format can't hold."""
    for field in fields:
        if name == "CSV" and (values.repeated(field) or values.type_name(field) == "RECORD"):
            raise ApiError("invalid", f"Operation cannot be performed on a nested schema. Field: {field['name']}")


def write(cursor, name: str, fields: list[dict], source: str, config: dict, file: Path) -> None:
    """Write the rows of a FROM item. config: an extract job's; its compression is one of the format's."""
    if name == "AVRO":
        return write_avro(cursor, fields, source, config, file)
    if name == "PARQUET" and any(map(is_wide, fields)):
        return write_wide(cursor, fields, source, config, file)
    cursor.execute(f"COPY (SELECT {rows(name, fields)} FROM {source}) TO {values.string(str(file))} ({copy_options(name, config)})")


def rows(name: str, fields: list[dict]) -> str:
    """The SELECT list that turns a table's columns into what the format's file holds."""
    if name == "NEWLINE_DELIMITED_JSON":
        return f"{values.object_json(fields)} AS line"
    value = values.file_text if name == "CSV" else parquet_value
    return ", ".join(f"{value(field, values.identifier(field['name']))} AS {values.identifier(field['name'])}" for field in fields)


def copy_options(name: str, config: dict) -> str:
    """The options of DuckDB's COPY ... TO."""
    how = WRITTEN[name].compressions[config.get("compression") or "NONE"]
    if name == "PARQUET":
        return f"FORMAT parquet, COMPRESSION {how}"
    if name == "NEWLINE_DELIMITED_JSON":
        # A line of JSON has no control characters, so nothing is ever quoted.
        return f"FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '', NULLSTR '\x02', COMPRESSION {how}"
    header = "true" if config.get("printHeader", True) else "false"
    return f"FORMAT csv, HEADER {header}, DELIMITER {values.string(delimiter(config))}, NULLSTR '', COMPRESSION {how}"


def parquet_value(field: dict, x: str) -> str:
    return values.file_text(field, x) if values.type_name(field) in ("INTERVAL", "JSON", "RANGE") and not values.repeated(field) else x


def is_wide(field: dict) -> bool:
    """Whether there is a BIGNUMERIC in a column, which DuckDB has no decimal for."""
    return values.type_name(field) == "BIGNUMERIC" or any(map(is_wide, field.get("fields", ())))


def write_wide(cursor, fields: list[dict], source: str, config: dict, file: Path) -> None:
    """A Parquet file whose BIGNUMERIC columns have all of their digits, which pyarrow writes."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise unsupported("BIGNUMERIC in a Parquet file without the package pyarrow") from None
    from ..storage_api.columns import conform
    batches = cursor.execute(f"SELECT {rows('PARQUET', fields)} FROM {source}").fetch_record_batch(BATCH)
    schema = pa.schema([widened(found, field) for found, field in zip(batches.schema, fields)])
    how = WRITTEN["PARQUET"].compressions[config.get("compression") or "NONE"]
    with parquet.ParquetWriter(file, schema, compression=how.replace("uncompressed", "none")) as writer:
        for batch in batches:
            writer.write_batch(conform(batch, schema))


def widened(found, field: dict):
    """A field of Arrow's as DuckDB hands it out, with decimals in place of the lake's BIGNUMERIC."""
    import pyarrow as pa
    from ..storage_api.columns import ARROW
    if values.repeated(field):
        return found.with_type(pa.list_(widened(found.type.value_field, values.element(field))))
    if values.type_name(field) == "RECORD":
        return found.with_type(pa.struct([widened(part, inner) for part, inner in zip(found.type, field["fields"])]))
    return found.with_type(ARROW["BIGNUMERIC"]) if values.type_name(field) == "BIGNUMERIC" else found


# Avro ---------------------------------------------------------------------------------------------

def write_avro(cursor, fields: list[dict], source: str, config: dict, file: Path) -> None:
    """useAvroLogicalTypes: whether DATE, TIME and DATETIME are more than text; `textTimestamps`, of EXPORT DATA, that a TIMESTAMP is no more either."""
    try:
        import pyarrow  # noqa: F401 (DuckDB needs it to hand out Arrow's columns)
    except ImportError:
        raise unsupported("destinationFormat AVRO without the package pyarrow") from None
    texts = frozenset() if config.get("useAvroLogicalTypes") else CIVIL
    texts |= {"TIMESTAMP"} if config.get("textTimestamps") else set()
    items = ", ".join(f"{avro_value(field, values.identifier(field['name']), texts, 0)} AS {values.identifier(field['name'])}" for field in fields)
    batches = cursor.execute(f"SELECT {items} FROM {source}").fetch_record_batch(BATCH)
    avro.write_file(file, avro.schema_of(fields, texts), fields, batches, WRITTEN["AVRO"].compressions[config.get("compression") or "NONE"])


def avro_value(field: dict, x: str, texts: frozenset[str], depth: int) -> str:
    """SQL of what Avro's encoder takes: text where the schema has text."""
    if values.repeated(field):
        e = f"e{depth}"
        inner = avro_value(values.element(field), e, texts, depth + 1)
        return f"coalesce({x if inner == e else f'list_transform({x}, lambda {e}: {inner})'}, [])"
    kind = values.type_name(field)
    if kind in ("RECORD", "RANGE"):
        inner = {part["name"]: avro_value(part, values.member(x, part), texts, depth) for part in values.parts(field)}
        return f"CASE WHEN {x} IS NOT NULL THEN struct_pack({', '.join(f'{values.identifier(name)} := {sql}' for name, sql in inner.items())}) END"
    if kind in avro.DIGITS and "precision" in field:
        precision, scale = avro.digits(field)
        return x if precision > 38 else f"({values.TYPES[kind].text.format(x=x)})::DECIMAL(38,{scale})"
    if kind in texts or kind in ("DATETIME", "JSON", "GEOGRAPHY", "INTERVAL"):
        return f"({values.file_text(field, x)})::VARCHAR"
    return x
