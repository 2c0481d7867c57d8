"""INFORMATION_SCHEMA: views over the resources, one entry a view.

A view's rows are made from the resources when a query begins, and reach DuckDB as one JSON text.
Columns are those that BigQuery documents for each view.
"""
from __future__ import annotations

import datetime as dt
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
    """columns: "name TYPE, ...", of which a RECORD's parts are in `parts`; rows: the rows of one dataset's resources, as dicts of
    REST values; jobs: whether the rows are a project's jobs instead, made by rows(emulator, project, principal)."""

    columns: str
    rows: Callable[..., Iterator[dict]]
    parts: dict[str, str] = {}
    jobs: bool = False

    @property
    def fields(self) -> list[dict]:
        return [self.field(*column.split()) for column in self.columns.split(",")]

    def field(self, name: str, kind: str, mode: str = "NULLABLE") -> dict:
        inner = {"fields": View(self.parts[name], nothing).fields} if kind == "RECORD" else {}
        return {"name": name, "type": kind, "mode": mode} | inner


class Table:
    """A view as the analyzer and the compiler see a table. key: its columns never change."""

    view = resolve = None
    filtered = False
    body = {"type": "VIEW", "id": "INFORMATION_SCHEMA"}

    def __init__(self, emulator: "Emulator", ref: Ref, principal: str):
        self.emulator, self.ref, self.principal = emulator, ref, principal
        name = ref[2].removeprefix(PREFIX)
        known = VIEWS if ref[2].startswith(PREFIX) else OLDER
        if name not in known or known[name].jobs and not ref[1].lower().startswith(REGION):
            raise not_found("Table", iam.name_of(ref), "US")
        self.about = known[name]
        self.fields = self.about.fields
        self.key = (PREFIX, name, ref[:2])

    def relation(self, at=None) -> str:
        """The FROM item of the view's rows as they are now."""
        if at is not None:
            raise ApiError("invalidQuery", "INFORMATION_SCHEMA views can't be read FOR SYSTEM_TIME AS OF.", "query")
        if self.about.jobs:
            place = self.ref[1].lower().removeprefix(REGION)
            rows = [row for location, row in self.about.rows(self.emulator, self.ref[0], self.principal) if location.lower() == place]
        else:
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


def is_view(table_id: str) -> bool:
    """Whether a table's name is one of the views': INFORMATION_SCHEMA.name, or one of the older names below a dataset."""
    return table_id.startswith(PREFIX) or table_id in OLDER


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


KINDS = {"TABLE": "BASE TABLE", "MATERIALIZED_VIEW": "MATERIALIZED VIEW"}
NUMBERS = {"TABLE": 1, "VIEW": 2, "EXTERNAL": 3, "MATERIALIZED_VIEW": 4, "SNAPSHOT": 5}


def tables(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        yield names | {"table_type": KINDS.get(body["type"], body["type"]), "is_insertable_into": yes(body["type"] == "TABLE"), "is_typed": "NO",
                       "is_fine_grained_mutations_enabled": "NO", "is_change_history_enabled": yes(body.get("_changeHistory")), "creation_time": seconds(body["creationTime"])} | base(body)


def base(body: dict) -> dict:
    """What TABLES says of the table that a snapshot or a clone was made of."""
    for kind in ("snapshot", "clone"):
        if found := body.get(f"{kind}Definition"):
            return base_of(found) | {"snapshot_time_ms": moment(found[f"{kind}Time"])}
    return {}


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


def all_tables(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    """Tables and views in the form of before INFORMATION_SCHEMA: a kind is a number."""
    for body, names in tables_of(lake, dataset):
        stored = "_relation" in body
        yield {"project_id": dataset[0], "dataset_id": dataset[1], "table_id": names["table_name"], "creation_time": body["creationTime"],
               "last_modified_time": body["lastModifiedTime"], "row_count": lake.rows(body) if stored else 0,
               "size_bytes": lake.measure(body, [field["name"] for field in fields_of(body)]) if stored else 0, "type": NUMBERS.get(body["type"], 1)}


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


def nothing(*_) -> Iterator[dict]:
    """The rows of what is no view of its own: the parts of a RECORD."""
    yield from ()


# Keys ---------------------------------------------------------------------------------------------

def keys_of(lake: "Lake", dataset: Ref) -> Iterator[tuple[dict, dict, dict]]:
    """Each key of each table: what every view of keys begins with, the table, the key; a primary key has columns."""
    for body, names in tables_of(lake, dataset):
        found = body.get("tableConstraints") or {}
        keys = [("pk$", found["primaryKey"])] if "primaryKey" in found else []
        keys += [(key.get("name") or f"fk${place + 1}", key) for place, key in enumerate(found.get("foreignKeys", ()))]
        for name, key in keys:
            yield {"constraint_catalog": dataset[0], "constraint_schema": dataset[1], "constraint_name": f"{names['table_name']}.{name}"}, names, key


def table_constraints(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for about, names, key in keys_of(lake, dataset):
        yield about | names | {"constraint_type": "PRIMARY KEY" if "columns" in key else "FOREIGN KEY", "is_deferrable": "NO",
                               "initially_deferred": "NO", "enforced": "NO"}


def key_columns(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for about, names, key in keys_of(lake, dataset):
        for place, name in enumerate(key.get("columns", ())):
            yield about | names | {"column_name": name, "ordinal_position": place + 1}
        for place, pair in enumerate(key.get("columnReferences", ())):
            yield about | names | {"column_name": pair["referencingColumn"], "ordinal_position": place + 1,
                                   "position_in_unique_constraint": unique_position(lake, key, pair["referencedColumn"])}


def unique_position(lake: "Lake", key: dict, column: str) -> int | None:
    """The place of a referenced column in the primary key that it is of."""
    table = key["referencedTable"]
    body = lake.get("table", (table["projectId"], table["datasetId"], table["tableId"])) or {}
    primary = [name.lower() for name in (body.get("tableConstraints") or {}).get("primaryKey", {}).get("columns", ())]
    return primary.index(column.lower()) + 1 if column.lower() in primary else None


def constraint_columns(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for about, names, key in keys_of(lake, dataset):
        for name in key.get("columns", ()):
            yield names | {"column_name": name} | about
        for pair in key.get("columnReferences", ()):
            table = key["referencedTable"]
            yield {"table_catalog": table["projectId"], "table_schema": table["datasetId"], "table_name": table["tableId"],
                   "column_name": pair["referencedColumn"]} | about


# Tables of other tables ---------------------------------------------------------------------------

def base_of(definition: dict) -> dict:
    table = definition["baseTableReference"]
    return {"base_table_catalog": table["projectId"], "base_table_schema": table["datasetId"], "base_table_name": table["tableId"]}


def moment(text: str) -> float:
    """A moment in RFC 3339 as seconds since the epoch."""
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def snapshots(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        if "snapshotDefinition" in body:
            yield names | base_of(body["snapshotDefinition"]) | {"snapshot_time": moment(body["snapshotDefinition"]["snapshotTime"])}


def materialized_views(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    """They are read as their query says, so each is as fresh as this moment."""
    for body, names in tables_of(lake, dataset):
        if "materializedView" in body:
            now = dt.datetime.now(dt.timezone.utc).timestamp()
            yield names | {"last_refresh_time": now, "refresh_watermark": now}


# Jobs ---------------------------------------------------------------------------------------------

def jobs(emulator: "Emulator", project: str, principal: str) -> Iterator[tuple[str, dict]]:
    """A project's jobs, the newest first: location, row."""
    from .projects import number
    for body in emulator.jobs.bodies(project):
        statistics, configuration, status = body["statistics"], body["configuration"], body["status"]
        query = statistics.get("query", {})
        yield body["jobReference"]["location"], {
            "creation_time": seconds(statistics["creationTime"]), "project_id": project, "project_number": number(project),
            "user_email": body["user_email"], "principal_subject": body["principal_subject"], "job_id": body["jobReference"]["jobId"],
            "job_type": configuration["jobType"], "statement_type": query.get("statementType"),
            "priority": configuration.get("query", {}).get("priority", "INTERACTIVE"),
            "start_time": seconds(statistics["startTime"]) if "startTime" in statistics else None,
            "end_time": seconds(statistics["endTime"]) if "endTime" in statistics else None,
            "query": configuration.get("query", {}).get("query"), "state": status["state"],
            "total_bytes_processed": query.get("totalBytesProcessed", statistics.get("totalBytesProcessed")), "total_slot_ms": statistics.get("totalSlotMs"),
            "error_result": status.get("errorResult"), "cache_hit": query.get("cacheHit"), "destination_table": snake(destination(configuration)),
            "referenced_tables": [snake(table) for table in query.get("referencedTables", ())],
            "labels": [{"key": key, "value": value} for key, value in configuration.get("labels", {}).items()],
            "session_info": {"session_id": statistics["sessionInfo"]["sessionId"]} if "sessionInfo" in statistics else None,
            "dml_statistics": {f"{word}_row_count": query["dmlStats"].get(f"{word}RowCount", "0") for word in ("inserted", "deleted", "updated")}
            if "dmlStats" in query else None,
            "total_bytes_billed": query.get("totalBytesBilled"), "transaction_id": statistics.get("transactionInfo", {}).get("transactionId"),
            "parent_job_id": statistics.get("parentJobId"), "query_dialect": "GOOGLE_SQL" if query else None,
            "job_creation_reason": {"code": "REQUESTED"}}


def destination(configuration: dict) -> dict | None:
    return next((part["destinationTable"] for part in configuration.values() if isinstance(part, dict) and "destinationTable" in part), None)


def snake(table: dict | None) -> dict | None:
    return {"project_id": table.get("projectId"), "dataset_id": table.get("datasetId"), "table_id": table.get("tableId")} if table else None


def own_jobs(emulator: "Emulator", project: str, principal: str) -> Iterator[tuple[str, dict]]:
    return ((location, row) for location, row in jobs(emulator, project, principal) if row["user_email"] == principal)


JOB = ("creation_time TIMESTAMP, project_id STRING, project_number INTEGER, user_email STRING, principal_subject STRING, job_id STRING, job_type STRING, "
       "statement_type STRING, priority STRING, start_time TIMESTAMP, end_time TIMESTAMP, query STRING, state STRING, reservation_id STRING, "
       "total_bytes_processed INTEGER, total_slot_ms INTEGER, error_result RECORD, cache_hit BOOLEAN, destination_table RECORD, "
       "referenced_tables RECORD REPEATED, labels RECORD REPEATED, session_info RECORD, dml_statistics RECORD, total_bytes_billed INTEGER, "
       "transaction_id STRING, parent_job_id STRING, query_dialect STRING, job_creation_reason RECORD")
TABLE = "project_id STRING, dataset_id STRING, table_id STRING"
JOB_PARTS = {
    "error_result": "reason STRING, location STRING, debug_info STRING, message STRING", "destination_table": TABLE, "referenced_tables": TABLE,
    "labels": "key STRING, value STRING", "session_info": "session_id STRING", "job_creation_reason": "code STRING",
    "dml_statistics": "inserted_row_count INTEGER, deleted_row_count INTEGER, updated_row_count INTEGER"}
WITHOUT_QUERY = JOB.replace("query STRING, ", "", 1)  # an organization's view does not show what was asked


SPECIFIC = "specific_catalog STRING, specific_schema STRING, specific_name STRING"
SUMMARY = "project_id STRING, dataset_id STRING, table_id STRING"
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
    "TABLE_CONSTRAINTS": View(CONSTRAINT + ", " + NAMES + ", constraint_type STRING, is_deferrable STRING, initially_deferred STRING, enforced STRING", table_constraints),
    "KEY_COLUMN_USAGE": View(CONSTRAINT + ", " + NAMES + ", column_name STRING, ordinal_position INTEGER, position_in_unique_constraint INTEGER", key_columns),
    "CONSTRAINT_COLUMN_USAGE": View(NAMES + ", column_name STRING, " + CONSTRAINT, constraint_columns),
    "TABLE_SNAPSHOTS": View(NAMES + ", base_table_catalog STRING, base_table_schema STRING, base_table_name STRING, snapshot_time TIMESTAMP", snapshots),
    "MATERIALIZED_VIEWS": View(NAMES + ", last_refresh_time TIMESTAMP, refresh_watermark TIMESTAMP", materialized_views),
    "JOBS": View(JOB, jobs, JOB_PARTS, jobs=True),
    "JOBS_BY_PROJECT": View(JOB, jobs, JOB_PARTS, jobs=True),
    "JOBS_BY_USER": View(JOB, own_jobs, JOB_PARTS, jobs=True),
    "JOBS_BY_FOLDER": View(WITHOUT_QUERY, jobs, JOB_PARTS, jobs=True),
    "JOBS_BY_ORGANIZATION": View(WITHOUT_QUERY, jobs, JOB_PARTS, jobs=True),
}

# Names below a dataset, from before INFORMATION_SCHEMA.
OLDER = {
    "__TABLES__": View(SUMMARY + ", creation_time INTEGER, last_modified_time INTEGER, row_count INTEGER, size_bytes INTEGER, type INTEGER", all_tables),
    "__TABLES_SUMMARY__": View(SUMMARY + ", creation_time INTEGER, type INTEGER", all_tables),
}
