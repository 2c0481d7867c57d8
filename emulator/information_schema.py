"""INFORMATION_SCHEMA: views over the resources, one entry a view.

A view's rows are made from the resources when a query begins, and reach DuckDB as one JSON text.
Columns are those that BigQuery documents for each view.
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Callable, Iterator, NamedTuple

from . import iam, values
from .errors import ApiError, not_found
from .partitions import row_id

if TYPE_CHECKING:
    from .calls import Emulator
    from .lake import Lake

PREFIX = "INFORMATION_SCHEMA."
REGION = "region-"
BYTES = 10 * 1024 * 1024  # what a query of any view is said to process
Ref = tuple[str, ...]


class View(NamedTuple):
    """columns: "name TYPE, ..."; rows: the rows of one dataset's resources, as dicts of REST values."""

    columns: str
    rows: Callable[["Lake", Ref], Iterator[dict]]

    @property
    def fields(self) -> list[dict]:
        return [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in (column.split() for column in self.columns.split(","))]


class Table:
    """A view as the analyzer and the compiler see a table. key: its columns never change."""

    view = resolve = None
    filtered = False
    body = {"type": "VIEW", "id": "INFORMATION_SCHEMA"}

    def __init__(self, emulator: "Emulator", ref: Ref):
        self.emulator, self.ref = emulator, ref
        name = ref[2].removeprefix(PREFIX)
        if name not in VIEWS:
            raise not_found("Table", iam.name_of(ref), "US")
        self.about = VIEWS[name]
        self.fields = self.about.fields
        self.key = (PREFIX, name, ref[:2])

    def relation(self, at=None) -> str:
        """The FROM item of the view's rows as they are now."""
        if at is not None:
            raise ApiError("invalidQuery", "INFORMATION_SCHEMA views can't be read FOR SYSTEM_TIME AS OF.", "query")
        rows = [row for dataset in self.datasets() for row in self.about.rows(self.emulator.lake, dataset)]
        columns = ", ".join(f"{values.from_json(field, values.json_member('j', field['name']))} AS {values.identifier(field['name'])}" for field in self.fields)
        return f"(SELECT {columns} FROM (SELECT unnest(from_json({values.string(json.dumps(rows))}, '[\"JSON\"]')) AS j))"

    def datasets(self) -> list[Ref]:
        """The datasets that the view covers: one, or those of a region."""
        project, dataset = self.ref[:2]
        lake = self.emulator.lake
        if dataset.lower().startswith(REGION):
            place = dataset.lower().removeprefix(REGION)
            return [(project, body["datasetReference"]["datasetId"]) for body in lake.children("dataset", (project,))
                    if body["location"].lower() == place and not body["datasetReference"]["datasetId"].startswith("_")]
        from .datasets import find
        find(lake, (project, dataset))
        return [(project, dataset)]

    def refresh(self) -> None:
        """Its rows are always the newest."""

    def bytes(self, columns: set[str], condition: str | None = None) -> int:
        return BYTES


# Rows ---------------------------------------------------------------------------------------------

def tables_of(lake: "Lake", dataset: Ref) -> Iterator[tuple[dict, dict]]:
    """Each table's body, with the columns every view begins with."""
    from .tables import expired
    for body in lake.children("table", dataset):
        if not expired(body):
            yield body, {"table_catalog": dataset[0], "table_schema": dataset[1], "table_name": body["tableReference"]["tableId"]}


def fields_of(body: dict) -> list[dict]:
    return body.get("schema", {}).get("fields", [])


def seconds(milliseconds: str) -> float:
    return int(milliseconds) / 1000


def yes(value) -> str:
    return "YES" if value else "NO"


KINDS = {"TABLE": "BASE TABLE"}


def tables(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        yield names | {"table_type": KINDS.get(body["type"], body["type"]), "is_insertable_into": yes(body["type"] == "TABLE"), "is_typed": "NO",
                       "is_fine_grained_mutations_enabled": "NO", "is_change_history_enabled": "NO", "creation_time": seconds(body["creationTime"])}


def data_type(field: dict) -> str:
    """A field's type in GoogleSQL, e.g. ARRAY<STRUCT<a INT64, b STRING>>."""
    if values.repeated(field):
        return f"ARRAY<{data_type(values.element(field))}>"
    kind = values.type_name(field)
    if kind == "RECORD":
        return "STRUCT<" + ", ".join(f"{part['name']} {data_type(part)}" for part in field["fields"]) + ">"
    if kind == "RANGE":
        return f"RANGE<{field.get('rangeElementType', {}).get('type', 'DATE')}>"
    size = field.get("maxLength") or ", ".join(field[name] for name in ("precision", "scale") if field.get(name))
    return values.TYPES[kind].sql + (f"({size})" if size else "")


def columns(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        partition = (body.get("timePartitioning") or body.get("rangePartitioning") or {}).get("field", "").lower()
        clustering = [name.lower() for name in body.get("clustering", {}).get("fields", ())]
        for place, field in enumerate(fields_of(body)):
            name = field["name"].lower()
            yield names | {
                "column_name": field["name"], "ordinal_position": place + 1, "is_nullable": yes(field.get("mode") != "REQUIRED"),
                "data_type": data_type(field), "is_generated": "NEVER", "is_hidden": "NO", "is_system_defined": "NO",
                "is_partitioning_column": yes(name == partition), "collation_name": "NULL",
                "clustering_ordinal_position": clustering.index(name) + 1 if name in clustering else None,
                "column_default": field.get("defaultValueExpression", "NULL"), "rounding_mode": field.get("roundingMode")}


def field_paths(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    def walk(field: dict, path: str) -> Iterator[tuple[str, dict]]:
        yield path, field
        for part in field.get("fields", ()):
            yield from walk(part, f"{path}.{part['name']}")
    for body, names in tables_of(lake, dataset):
        for column in fields_of(body):
            for path, field in walk(column, column["name"]):
                yield names | {"column_name": column["name"], "field_path": path, "data_type": data_type(field),
                               "description": field.get("description"), "collation_name": "NULL", "rounding_mode": field.get("roundingMode")}


def literal(value) -> str:
    return json.dumps(value, ensure_ascii=False)


def table_options(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        for name, kind, value in options_of(body):
            yield names | {"option_name": name, "option_type": kind, "option_value": value}


def options_of(body: dict) -> Iterator[tuple[str, str, str]]:
    """The options set on a table: name, type, value as SQL writes it."""
    if "description" in body:
        yield "description", "STRING", literal(body["description"])
    if "friendlyName" in body:
        yield "friendly_name", "STRING", literal(body["friendlyName"])
    if body.get("labels"):
        pairs = ", ".join(f"STRUCT({literal(key)}, {literal(value)})" for key, value in sorted(body["labels"].items()))
        yield "labels", "ARRAY<STRUCT<STRING, STRING>>", f"[{pairs}]"
    if "expirationTime" in body:
        yield "expiration_timestamp", "TIMESTAMP", f"TIMESTAMP_MILLIS({body['expirationTime']})"
    if "requirePartitionFilter" in body:
        yield "require_partition_filter", "BOOL", str(body["requirePartitionFilter"]).lower()
    if body.get("timePartitioning", {}).get("expirationMs"):
        yield "partition_expiration_days", "FLOAT64", str(int(body["timePartitioning"]["expirationMs"]) / 86_400_000)


def views(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        if body["type"] == "VIEW":
            yield names | {"view_definition": body["view"]["query"], "check_option": None, "use_standard_sql": "YES"}


def schemata(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    body = lake.get("dataset", dataset)
    yield {"catalog_name": dataset[0], "schema_name": dataset[1], "creation_time": seconds(body["creationTime"]),
           "last_modified_time": seconds(body["lastModifiedTime"]), "location": body["location"], "default_collation_name": "NULL"}


def schemata_options(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    body = lake.get("dataset", dataset)
    for name, key in (("description", "description"), ("friendly_name", "friendlyName")):
        if key in body:
            yield {"catalog_name": dataset[0], "schema_name": dataset[1], "option_name": name, "option_type": "STRING", "option_value": literal(body[key])}


def partitions(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        if "_relation" in body:
            size = " + ".join(values.size(field, values.identifier(field["name"])) for field in fields_of(body)) or "0"
            found = lake.cursor().execute(f"SELECT {row_id(body)}, count(*), coalesce(sum({size}), 0)::BIGINT FROM {lake.relation(body)} GROUP BY 1 ORDER BY 1")
            for name, rows, total in found.fetchall():
                yield names | {"partition_id": name, "total_rows": rows, "total_logical_bytes": total,
                               "last_modified_time": seconds(body["lastModifiedTime"]), "storage_tier": "ACTIVE"}


def storage(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    from .projects import number
    for body, names in tables_of(lake, dataset):
        if "_relation" in body:
            size = lake.measure(body, [field["name"] for field in fields_of(body)])
            yield names | {"project_id": dataset[0], "project_number": number(dataset[0]), "creation_time": seconds(body["creationTime"]),
                           "total_rows": lake.rows(body), "total_partitions": 0, "total_logical_bytes": size, "active_logical_bytes": size,
                           "long_term_logical_bytes": 0, "deleted": False, "table_type": KINDS.get(body["type"], body["type"])}


def privileges(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        policy = iam.get_policy(lake, (*dataset, names["table_name"]))
        for binding in policy.get("bindings", ()):
            for member in binding["members"]:
                yield {"object_catalog": dataset[0], "object_schema": dataset[1], "object_name": names["table_name"], "object_type": body["type"],
                       "privilege_type": binding["role"], "grantee": member}


def routines_of(lake: "Lake", dataset: Ref) -> Iterator[tuple[dict, dict]]:
    """Each routine's body, with the columns every view of routines begins with."""
    for body in lake.children("routine", dataset):
        yield body, {"specific_catalog": dataset[0], "specific_schema": dataset[1], "specific_name": body["routineReference"]["routineId"]}


def routines(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    from .googlesql.routines import KINDS, ddl, type_name
    for body, names in routines_of(lake, dataset):
        name, external = names["specific_name"], body.get("language", "SQL") != "SQL"
        yield names | {
            "routine_catalog": dataset[0], "routine_schema": dataset[1], "routine_name": name, "routine_type": KINDS[body["routineType"]],
            "data_type": type_name(body["returnType"]) if "returnType" in body else None, "routine_body": "EXTERNAL" if external else "SQL",
            "routine_definition": body["definitionBody"], "external_language": body["language"] if external else None,
            "is_deterministic": {"DETERMINISTIC": "YES", "NOT_DETERMINISTIC": "NO"}.get(body.get("determinismLevel")),
            "created": seconds(body["creationTime"]), "last_altered": seconds(body["lastModifiedTime"]), "ddl": ddl((*dataset, name), body)}


def parameters(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    """A routine's arguments, and its result in place 0."""
    from .googlesql.routines import type_name, type_words
    for body, names in routines_of(lake, dataset):
        if "returnType" in body:
            yield names | {"ordinal_position": 0, "is_result": "YES", "data_type": type_name(body["returnType"])}
        for place, argument in enumerate(body.get("arguments", ())):
            yield names | {
                "ordinal_position": place + 1, "is_result": "NO", "parameter_name": argument["name"], "data_type": type_words(argument),
                "parameter_mode": argument.get("mode") or ("IN" if body["routineType"] == "PROCEDURE" else None),
                "is_aggregate": yes(argument.get("isAggregate", True)) if body["routineType"] == "AGGREGATE_FUNCTION" else None}


def routine_options(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in routines_of(lake, dataset):
        for name, key, kind in (("description", "description", "STRING"), ("library", "importedLibraries", "ARRAY"), ("strict_mode", "strictMode", "BOOL"),
                                ("data_governance_type", "dataGovernanceType", "STRING")):
            if key in body:
                yield names | {"option_name": name, "option_type": kind, "option_value": json.dumps(body[key], ensure_ascii=False)}


def nothing(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    """A view over what can't be made yet."""
    yield from ()


SPECIFIC = "specific_catalog STRING, specific_schema STRING, specific_name STRING"
NAMES = "table_catalog STRING, table_schema STRING, table_name STRING"
CONSTRAINT = "constraint_catalog STRING, constraint_schema STRING, constraint_name STRING"
VIEWS: dict[str, View] = {
    "TABLES": View(NAMES + ", table_type STRING, is_insertable_into STRING, is_fine_grained_mutations_enabled STRING, is_typed STRING, "
                   "is_change_history_enabled STRING, creation_time TIMESTAMP, base_table_catalog STRING, base_table_schema STRING, "
                   "base_table_name STRING, snapshot_time_ms TIMESTAMP, ddl STRING, default_collation_name STRING", tables),
    "COLUMNS": View(NAMES + ", column_name STRING, ordinal_position INTEGER, is_nullable STRING, data_type STRING, is_generated STRING, "
                    "generation_expression STRING, is_stored STRING, is_hidden STRING, is_updatable STRING, is_system_defined STRING, "
                    "is_partitioning_column STRING, clustering_ordinal_position INTEGER, collation_name STRING, column_default STRING, "
                    "rounding_mode STRING", columns),
    "COLUMN_FIELD_PATHS": View(NAMES + ", column_name STRING, field_path STRING, data_type STRING, description STRING, collation_name STRING, "
                               "rounding_mode STRING", field_paths),
    "TABLE_OPTIONS": View(NAMES + ", option_name STRING, option_type STRING, option_value STRING", table_options),
    "VIEWS": View(NAMES + ", view_definition STRING, check_option STRING, use_standard_sql STRING", views),
    "SCHEMATA": View("catalog_name STRING, schema_name STRING, schema_owner STRING, creation_time TIMESTAMP, last_modified_time TIMESTAMP, "
                     "location STRING, ddl STRING, default_collation_name STRING", schemata),
    "SCHEMATA_OPTIONS": View("catalog_name STRING, schema_name STRING, option_name STRING, option_type STRING, option_value STRING", schemata_options),
    "PARTITIONS": View(NAMES + ", partition_id STRING, total_rows INTEGER, total_logical_bytes INTEGER, last_modified_time TIMESTAMP, "
                       "storage_tier STRING", partitions),
    "TABLE_STORAGE": View("project_id STRING, project_number INTEGER, " + NAMES + ", creation_time TIMESTAMP, total_rows INTEGER, "
                          "total_partitions INTEGER, total_logical_bytes INTEGER, active_logical_bytes INTEGER, long_term_logical_bytes INTEGER, "
                          "deleted BOOLEAN, table_type STRING", storage),
    "OBJECT_PRIVILEGES": View("object_catalog STRING, object_schema STRING, object_name STRING, object_type STRING, privilege_type STRING, "
                              "grantee STRING", privileges),
    "ROUTINES": View(SPECIFIC + ", routine_catalog STRING, routine_schema STRING, routine_name STRING, routine_type STRING, data_type STRING, "
                     "routine_body STRING, routine_definition STRING, external_language STRING, is_deterministic STRING, security_type STRING, "
                     "created TIMESTAMP, last_altered TIMESTAMP, ddl STRING", routines),
    "PARAMETERS": View(SPECIFIC + ", ordinal_position INTEGER, parameter_mode STRING, is_result STRING, parameter_name STRING, data_type STRING, "
                       "parameter_default STRING, is_aggregate STRING", parameters),
    "ROUTINE_OPTIONS": View(SPECIFIC + ", option_name STRING, option_type STRING, option_value STRING", routine_options),
    "TABLE_CONSTRAINTS": View(CONSTRAINT + ", " + NAMES + ", constraint_type STRING, is_deferrable STRING, initially_deferred STRING, enforced STRING", nothing),
    "KEY_COLUMN_USAGE": View(CONSTRAINT + ", " + NAMES + ", column_name STRING, ordinal_position INTEGER, position_in_unique_constraint INTEGER", nothing),
    "CONSTRAINT_COLUMN_USAGE": View(NAMES + ", column_name STRING, " + CONSTRAINT, nothing),
    "TABLE_SNAPSHOTS": View(NAMES + ", base_table_catalog STRING, base_table_schema STRING, base_table_name STRING, snapshot_time TIMESTAMP", nothing),
    "MATERIALIZED_VIEWS": View(NAMES + ", last_refresh_time TIMESTAMP, refresh_watermark TIMESTAMP", nothing),
}
