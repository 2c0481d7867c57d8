"""Datasets and tables as the SQL that makes them: types, columns, layouts, CREATE statements."""
from __future__ import annotations

import re
from typing import Iterator

from . import options, partitions, values

KNOWN = {"MATERIALIZED_VIEW": options.MATERIALIZED_VIEW, "SNAPSHOT": options.SNAPSHOT, "VIEW": options.VIEW, "EXTERNAL": options.VIEW}
WHAT = {"VIEW": "VIEW", "MATERIALIZED_VIEW": "MATERIALIZED VIEW", "EXTERNAL": "EXTERNAL TABLE", "SNAPSHOT": "SNAPSHOT TABLE"}
KEYS = re.compile(r"(/\{[^}]*\})+")  # at the end of a prefix of folders: their names and types


def data_type(field: dict, part=lambda field: "") -> str:
    """A field's type, e.g. ARRAY<STRUCT<a INT64, b STRING>>; part: what follows the type of a field inside."""
    if values.repeated(field):
        return f"ARRAY<{data_type(values.element(field), part)}>"
    kind = values.type_name(field)
    if kind == "RECORD":
        return "STRUCT<" + ", ".join(f"{values.googlesql_name(inner['name'])} {data_type(inner, part)}{part(inner)}" for inner in field["fields"]) + ">"
    if kind == "RANGE":
        return f"RANGE<{field.get('rangeElementType', {}).get('type', 'DATE')}>"
    size = field.get("maxLength") or ", ".join(field[name] for name in ("precision", "scale") if field.get(name))
    return values.TYPES[kind].sql + (f"({size})" if size else "")


def about(field: dict) -> str:
    """What stands behind a column's type."""
    text = f" COLLATE {options.literal(field['collation'])}" if field.get("collation") else ""
    text += f" DEFAULT {field['defaultValueExpression']}" if field.get("defaultValueExpression") else ""
    text += " NOT NULL" if field.get("mode") == "REQUIRED" else ""
    return text + column_options(field)


def column_options(field: dict) -> str:
    given = [f"{name}={said}" for name, _, said in options.given(field, options.COLUMN)]
    return f" OPTIONS({', '.join(given)})" if given else ""


def table(body: dict) -> str:
    """The CREATE statement of a table or view."""
    kind = body["type"]
    words = [f"CREATE {WHAT.get(kind, 'TABLE')} {path(body['tableReference'])}"]
    fields = body.get("schema", {}).get("fields", ())
    if kind == "SNAPSHOT":
        words.append(f"CLONE {path(body['snapshotDefinition']['baseTableReference'])}")
    elif kind not in ("VIEW", "MATERIALIZED_VIEW"):
        keys = partitions.hive(body).get("fields") or ()
        parts = {field["name"]: f"{values.googlesql_name(field['name'])} {data_type(field, about)}{about(field)}" for field in fields}
        words.append(lines([*(part for name, part in parts.items() if name not in keys), *constraints(body.get("tableConstraints") or {})]))
        if keys:
            words.append("WITH PARTITION COLUMNS " + lines(parts[name] for name in keys))
    elif body.get("_columns") or any("description" in field for field in fields):
        words.append(lines(f"{values.googlesql_name(field['name'])}{column_options(field)}" for field in fields))
    words += layout(body) if kind != "SNAPSHOT" else []
    words += option_list(table_options(body))
    if definition := body.get("view") or body.get("materializedView"):
        words.append(f"AS {definition['query'].rstrip().rstrip(';')}")
    return "\n".join(words) + ";"


def lines(parts) -> str:
    """A list in parentheses, an item on each line."""
    return "(\n  " + ",\n  ".join(parts) + "\n)"


def path(reference: dict) -> str:
    return "`" + ".".join(reference[part] for part in ("projectId", "datasetId", "tableId") if part in reference) + "`"


def table_options(body: dict) -> Iterator[tuple[str, str, str]]:
    """The options set on a table: name, type, value as SQL writes it."""
    if body["type"] == "EXTERNAL":
        for name, kind, said in options.given(body["externalDataConfiguration"], options.FILES):
            yield name, kind, KEYS.sub("", said) if name == "hive_partition_uri_prefix" else said
    yield from options.given(body, KNOWN.get(body["type"], options.TABLE))


def option_list(given) -> Iterator[str]:
    listed = [f"{name}={said.replace('STRUCT(', '(') if kind.startswith('ARRAY<STRUCT') else said}" for name, kind, said in given]
    if listed:
        yield f"OPTIONS{lines(listed)}"


def constraints(found: dict) -> Iterator[str]:
    def listed(names) -> str:
        return ", ".join(map(values.googlesql_name, names))
    if "primaryKey" in found:
        yield f"PRIMARY KEY ({listed(found['primaryKey']['columns'])}) NOT ENFORCED"
    for key in found.get("foreignKeys", ()):
        pairs, named = key["columnReferences"], f"CONSTRAINT {values.googlesql_name(key['name'])} " if key.get("name") else ""
        yield (f"{named}FOREIGN KEY ({listed(pair['referencingColumn'] for pair in pairs)}) REFERENCES {path(key['referencedTable'])}"
               f"({listed(pair['referencedColumn'] for pair in pairs)}) NOT ENFORCED")


def layout(body: dict) -> Iterator[str]:
    if time := body.get("timePartitioning"):
        yield f"PARTITION BY {by_time(body, time)}"
    if span := body.get("rangePartitioning"):
        bounds = span["range"]
        yield f"PARTITION BY RANGE_BUCKET({values.googlesql_name(span['field'])}, GENERATE_ARRAY({bounds['start']}, {bounds['end']}, {bounds['interval']}))"
    if clustering := (body.get("clustering") or {}).get("fields"):
        yield f"CLUSTER BY {', '.join(map(values.googlesql_name, clustering))}"


def by_time(body: dict, time: dict) -> str:
    named, unit = time.get("field"), time["type"]
    kinds = {field["name"].lower(): values.type_name(field) for field in body.get("schema", {}).get("fields", ())}
    kind, column = (kinds.get(named.lower(), "TIMESTAMP"), values.googlesql_name(named)) if named else ("TIMESTAMP", "_PARTITIONTIME")
    if unit == "DAY" and kind != "DATETIME":
        return column if kind == "DATE" else f"DATE({column})"
    return f"{kind}_TRUNC({column}, {unit})"


def schema(body: dict) -> str:
    """The CREATE statement of a dataset."""
    words = [f"CREATE SCHEMA {path(body['datasetReference'])}"]
    if body.get("defaultCollation"):
        words.append(f"DEFAULT COLLATE {options.literal(body['defaultCollation'])}")
    return "\n".join([*words, *option_list(options.given(body, options.SCHEMA))]) + ";"
