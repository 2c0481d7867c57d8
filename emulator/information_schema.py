"""INFORMATION_SCHEMA: views over the resources, one entry a view.

A view's rows are made from the resources when a query begins, and reach DuckDB as one JSON text.
Columns are those that BigQuery documents for each view.
"""
from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Callable, Iterator, NamedTuple

from . import ddl, iam, indexes, job_views, locations, options, values
from .datasets import DEFAULT_LOCATION
from .errors import ApiError, not_found, unsupported
from .job_views import seconds
from .locations import REGION
from .partitions import hidden, row_id

if TYPE_CHECKING:
    from .calls import Emulator
    from .lake import Lake

PREFIX = "INFORMATION_SCHEMA."
BYTES = 10 * 1024 * 1024  # what a query of any view is said to process
Ref = tuple[str, ...]


class View(NamedTuple):
    """columns: "name TYPE, ...", of which a RECORD's parts are in `parts`; rows: the rows of one dataset's resources, as dicts of
    REST values; of_project: whether the rows are of a project instead, made by rows(emulator, project, principal) as (location, row)."""

    columns: str
    rows: Callable[..., Iterator[dict]]
    parts: dict[str, str] = {}
    of_project: bool = False

    @property
    def fields(self) -> list[dict]:
        return [self.field(*column.split()) for column in self.columns.split(",")]

    def field(self, name: str, kind: str, mode: str = "NULLABLE") -> dict:
        inner = {"fields": View(self.parts[name], nothing, self.parts).fields} if kind == "RECORD" else {}
        return {"name": name, "type": kind, "mode": mode} | inner


def region(location: str | None) -> str:
    """What names all of a location: `region-us`."""
    return REGION + (location or DEFAULT_LOCATION).lower()


class Table:
    """A view as the analyzer and the compiler see a table. key: its columns never change."""

    view = resolve = None
    filtered = False
    body = {"type": "VIEW", "id": "INFORMATION_SCHEMA"}

    def __init__(self, emulator: "Emulator", ref: Ref, principal: str, location: str | None = None):
        name = ref[2].removeprefix(PREFIX)
        if name.startswith("SCHEMATA") and not ref[1].lower().startswith(REGION):  # named without a region, behind a project or not
            ref = ref[0] if emulator.lake.get("dataset", ref[:2]) else ref[1], region(location), ref[2]
        self.emulator, self.ref, self.principal = emulator, ref, principal
        known = VIEWS if ref[2].startswith(PREFIX) else OLDER
        if name in ELSEWHERE:
            raise unsupported(f"the view INFORMATION_SCHEMA.{name}")
        if name not in known or known[name].of_project and not ref[1].lower().startswith(REGION):
            raise not_found("Table", iam.name_of(ref), location or DEFAULT_LOCATION)
        if location and not ref[1].lower().startswith(REGION):
            locations.check(emulator.lake, ref, location)
        self.about = known[name]
        self.fields = self.about.fields
        self.key = (PREFIX, name, ref[:2])

    def relation(self, at=None) -> str:
        """The FROM item of the view's rows as they are now."""
        if at is not None:
            raise ApiError("invalidQuery", "INFORMATION_SCHEMA views can't be read FOR SYSTEM_TIME AS OF.", "query")
        if self.about.of_project:
            place = self.ref[1].lower().removeprefix(REGION)
            rows = [row for location, row in self.about.rows(self.emulator, self.ref[0], self.principal) if location.lower() == place]
        else:
            rows = [row for dataset in self.datasets() for row in self.about.rows(self.emulator.lake, dataset)]
        names = {field["name"] for field in self.fields}
        rows = [{name: value for name, value in row.items() if name in names} for row in rows]
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


def yes(value) -> str:
    return "YES" if value else "NO"


NUMBERS = {"TABLE": 1, "VIEW": 2, "EXTERNAL": 3, "MATERIALIZED_VIEW": 4, "SNAPSHOT": 5}


def kind_of(body: dict) -> str:
    return "CLONE" if "cloneDefinition" in body else {"TABLE": "BASE TABLE"}.get(body["type"], body["type"].replace("_", " "))


def tables(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        yield names | {"table_type": kind_of(body), "is_insertable_into": yes(body["type"] == "TABLE"), "is_typed": "NO",
                       "is_fine_grained_mutations_enabled": yes(body.get("_fineGrainedMutations")), "is_change_history_enabled": yes(body.get("_changeHistory")),
                       "creation_time": seconds(body["creationTime"]), "ddl": ddl.table(body), "default_collation_name": body.get("defaultCollation", "NULL"),
                       "managed_table_type": "NATIVE" if body["type"] == "TABLE" else None} | base(body)


def base(body: dict) -> dict:
    """What TABLES says of the table that a snapshot or a clone was made of."""
    for kind in ("snapshot", "clone"):
        if found := body.get(f"{kind}Definition"):
            return base_of(found) | {"snapshot_time_ms": moment(found[f"{kind}Time"])}
    return {}


def columns(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        partition = (body.get("timePartitioning") or body.get("rangePartitioning") or {}).get("field", "").lower()
        clustering = [name.lower() for name in body.get("clustering", {}).get("fields", ())]
        for place, field in enumerate(fields_of(body)):
            name = field["name"].lower()
            yield names | {
                "column_name": field["name"], "ordinal_position": place + 1, "is_nullable": yes(field.get("mode") != "REQUIRED"),
                "data_type": ddl.data_type(field), "is_generated": "NEVER", "is_hidden": "NO", "is_system_defined": "NO",
                "is_partitioning_column": yes(name == partition), "collation_name": field.get("collation", "NULL"),
                "policy_tags": field.get("policyTags", {}).get("names", []), "clustering_ordinal_position": clustering.index(name) + 1 if name in clustering else None,
                "column_default": field.get("defaultValueExpression", "NULL"), "rounding_mode": field.get("roundingMode")}
        for field in hidden(body):
            yield names | {"column_name": field["name"], "is_nullable": "YES", "data_type": ddl.data_type(field), "is_generated": "NEVER", "is_hidden": "YES",
                           "is_system_defined": "YES", "is_partitioning_column": "YES", "collation_name": "NULL", "column_default": "NULL"}


def field_paths(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    def walk(field: dict, path: str) -> Iterator[tuple[str, dict]]:
        yield path, field
        for part in field.get("fields", ()):
            yield from walk(part, f"{path}.{part['name']}")
    for body, names in tables_of(lake, dataset):
        for column in fields_of(body):
            for path, field in walk(column, column["name"]):
                yield names | {"column_name": column["name"], "field_path": path, "data_type": ddl.data_type(field),
                               "description": field.get("description"), "collation_name": field.get("collation", "NULL"),
                               "policy_tags": field.get("policyTags", {}).get("names", []), "rounding_mode": field.get("roundingMode")}


def table_options(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        for name, kind, value in ddl.table_options(body):
            yield names | {"option_name": name, "option_type": kind, "option_value": value}


def views(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        if body["type"] == "VIEW":
            yield names | {"view_definition": body["view"]["query"], "check_option": None, "use_standard_sql": "YES"}


def schemata(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    body = lake.get("dataset", dataset)
    yield {"catalog_name": dataset[0], "schema_name": dataset[1], "creation_time": seconds(body["creationTime"]),
           "last_modified_time": seconds(body["lastModifiedTime"]), "location": body["location"], "ddl": ddl.schema(body),
           "default_collation_name": body.get("defaultCollation", "NULL")}


def schemata_options(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    body = lake.get("dataset", dataset)
    for name, kind, said in options.given(body, options.SCHEMA):
        yield {"catalog_name": dataset[0], "schema_name": dataset[1], "option_name": name, "option_type": kind, "option_value": said}


def partitions(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    for body, names in tables_of(lake, dataset):
        if "_relation" in body:
            for name, rows, total in partitions_of(lake, body):
                yield names | {"partition_id": name, "total_rows": rows, "total_logical_bytes": total,
                               "last_modified_time": seconds(body["lastModifiedTime"]), "storage_tier": "ACTIVE"}


def partitions_of(lake: "Lake", body: dict) -> list[tuple[str | None, int, int]]:
    """The id, rows and bytes of each partition; a table without partitions is one of no id."""
    size = " + ".join(values.size(field, values.identifier(field["name"])) for field in fields_of(body)) or "0"
    found = lake.cursor().execute(f"SELECT {row_id(body)}, count(*), coalesce(sum({size}), 0)::BIGINT FROM {lake.relation(body)} GROUP BY 1 ORDER BY 1").fetchall()
    return found or ([] if {"timePartitioning", "rangePartitioning"} & body.keys() else [(None, 0, 0)])


def storage(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    from .projects import number
    for body, names in tables_of(lake, dataset):
        if "_relation" in body:
            size, (now, past) = lake.measure(body, [field["name"] for field in fields_of(body)]), lake.physical(body)
            yield names | {
                "project_id": dataset[0], "project_number": number(dataset[0]), "creation_time": seconds(body["creationTime"]), "total_rows": lake.rows(body),
                "total_partitions": sum(name is not None for name, *_ in partitions_of(lake, body)), "total_logical_bytes": size, "active_logical_bytes": size,
                "long_term_logical_bytes": 0, "current_physical_bytes": now, "total_physical_bytes": now + past, "active_physical_bytes": now + past,
                "long_term_physical_bytes": 0, "time_travel_physical_bytes": past, "storage_last_modified_time": seconds(body["lastModifiedTime"]),
                "deleted": False, "table_type": kind_of(body), "managed_table_type": "NATIVE", "fail_safe_physical_bytes": 0}


def all_tables(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    """Tables and views in the form of before INFORMATION_SCHEMA: a kind is a number."""
    for body, names in tables_of(lake, dataset):
        stored = "_relation" in body
        yield {"project_id": dataset[0], "dataset_id": dataset[1], "table_id": names["table_name"], "creation_time": body["creationTime"],
               "last_modified_time": body["lastModifiedTime"], "row_count": lake.rows(body) if stored else 0,
               "size_bytes": lake.measure(body, [field["name"] for field in fields_of(body)]) if stored else 0, "type": NUMBERS.get(body["type"], 1)}


def privileges(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    """What is granted on the dataset and on the tables in it."""
    for entry in lake.get("dataset", dataset).get("access", ()):
        if "role" in entry:
            yield {"object_catalog": dataset[0], "object_name": dataset[1], "object_type": "SCHEMA", "grantee": grantee(dataset[0], entry),
                   "privilege_type": f"roles/{iam.ACCESS_ROLES[entry['role']]}" if entry["role"] in iam.ACCESS_ROLES else entry["role"]}
    for body, names in tables_of(lake, dataset):
        policy = iam.get_policy(lake, (*dataset, names["table_name"]))
        for binding in policy.get("bindings", ()):
            for member in binding["members"]:
                yield {"object_catalog": dataset[0], "object_schema": dataset[1], "object_name": names["table_name"], "object_type": body["type"],
                       "privilege_type": binding["role"], "grantee": member}


def grantee(project: str, entry: dict) -> str:
    """Whom an entry of a dataset's access is for, as a policy has it."""
    if special := entry.get("specialGroup"):
        return special if special.startswith("all") else f"{special.replace('Owners', 'Owner').replace('Writers', 'Editor').replace('Readers', 'Viewer')}:{project}"
    if email := entry.get("userByEmail"):
        return f"{'serviceAccount' if email.endswith('.gserviceaccount.com') else 'user'}:{email}"
    if "iamMember" in entry:
        return entry["iamMember"]
    return f"group:{entry['groupByEmail']}" if "groupByEmail" in entry else f"domain:{entry.get('domain')}"


def index_view(rows: Callable[..., Iterator[dict]], kind: str) -> Callable[..., Iterator[dict]]:
    """The rows of a view of indexes, of all tables of a dataset."""
    return lambda lake, dataset: (row for body, _ in tables_of(lake, dataset) if "_indexes" in body for row in rows(body, kind))


def search_indexes(lake: "Lake", dataset: Ref, kind: str = "SEARCH") -> Iterator[dict]:
    return (row for body, _ in tables_of(lake, dataset) if "_indexes" in body for row in indexes.rows(body, kind, lake.rows(body)))


def vector_indexes(lake: "Lake", dataset: Ref) -> Iterator[dict]:
    return search_indexes(lake, dataset, "VECTOR")


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


# The views ----------------------------------------------------------------------------------------

SPECIFIC = "specific_catalog STRING, specific_schema STRING, specific_name STRING"
SUMMARY = "project_id STRING, dataset_id STRING, table_id STRING"
NAMES = "table_catalog STRING, table_schema STRING, table_name STRING"
CONSTRAINT = "constraint_catalog STRING, constraint_schema STRING, constraint_name STRING"
INDEX = "index_catalog STRING, index_schema STRING, table_name STRING, index_name STRING"
STORAGE = ("project_id STRING, project_number INTEGER, " + NAMES + ", creation_time TIMESTAMP, total_rows INTEGER, total_partitions INTEGER, "
           "total_logical_bytes INTEGER, active_logical_bytes INTEGER, long_term_logical_bytes INTEGER, current_physical_bytes INTEGER, "
           "total_physical_bytes INTEGER, active_physical_bytes INTEGER, long_term_physical_bytes INTEGER, time_travel_physical_bytes INTEGER, "
           "storage_last_modified_time TIMESTAMP, deleted BOOLEAN, table_type STRING, managed_table_type STRING, fail_safe_physical_bytes INTEGER, "
           "last_metadata_index_refresh_time TIMESTAMP")


def by_scope(name: str, *scopes: str) -> list[str]:
    """A view's name, and that of its forms for a project, a folder, an organization."""
    return [name, *(f"{name}_BY_{scope}" for scope in scopes)]


VIEWS: dict[str, View] = {
    "TABLES": View(NAMES + ", table_type STRING, managed_table_type STRING, is_insertable_into STRING, is_fine_grained_mutations_enabled STRING, is_typed STRING, "
                   "is_change_history_enabled STRING, creation_time TIMESTAMP, base_table_catalog STRING, base_table_schema STRING, "
                   "base_table_name STRING, snapshot_time_ms TIMESTAMP, replica_source_catalog STRING, replica_source_schema STRING, "
                   "replica_source_name STRING, replication_status STRING, replication_error STRING, ddl STRING, default_collation_name STRING, "
                   "upsert_stream_apply_watermark TIMESTAMP", tables),
    "COLUMNS": View(NAMES + ", column_name STRING, ordinal_position INTEGER, is_nullable STRING, data_type STRING, is_generated STRING, "
                    "generation_expression STRING, is_stored STRING, is_hidden STRING, is_updatable STRING, is_system_defined STRING, "
                    "is_partitioning_column STRING, clustering_ordinal_position INTEGER, collation_name STRING, column_default STRING, "
                    "rounding_mode STRING, policy_tags STRING REPEATED", columns),
    "COLUMN_FIELD_PATHS": View(NAMES + ", column_name STRING, field_path STRING, data_type STRING, description STRING, collation_name STRING, "
                               "rounding_mode STRING, policy_tags STRING REPEATED", field_paths),
    "TABLE_OPTIONS": View(NAMES + ", option_name STRING, option_type STRING, option_value STRING", table_options),
    "VIEWS": View(NAMES + ", view_definition STRING, check_option STRING, use_standard_sql STRING", views),
    "SCHEMATA": View("catalog_name STRING, schema_name STRING, schema_owner STRING, creation_time TIMESTAMP, last_modified_time TIMESTAMP, "
                     "location STRING, ddl STRING, default_collation_name STRING", schemata),
    "SCHEMATA_OPTIONS": View("catalog_name STRING, schema_name STRING, option_name STRING, option_type STRING, option_value STRING", schemata_options),
    "PARTITIONS": View(NAMES + ", partition_id STRING, total_rows INTEGER, total_logical_bytes INTEGER, last_modified_time TIMESTAMP, "
                       "storage_tier STRING", partitions),
    **{name: View(STORAGE, storage) for name in by_scope("TABLE_STORAGE", "PROJECT", "FOLDER", "ORGANIZATION")},
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
    "MATERIALIZED_VIEWS": View(NAMES + ", last_refresh_time TIMESTAMP, refresh_watermark TIMESTAMP, last_refresh_status RECORD", materialized_views,
                               {"last_refresh_status": "reason STRING, location STRING, debug_info STRING, message STRING"}),
    "SCHEMATA_LINKS": View("catalog_name STRING, schema_name STRING, linked_schema_catalog_number STRING, linked_schema_catalog_name STRING, "
                           "linked_schema_name STRING, linked_schema_creation_time TIMESTAMP, linked_schema_org_display_name STRING", nothing),
    "SEARCH_INDEXES": View(INDEX + ", index_status STRING, creation_time TIMESTAMP, last_modification_time TIMESTAMP, last_refresh_time TIMESTAMP, "
                           "disable_time TIMESTAMP, disable_reason STRING, ddl STRING, coverage_percentage INTEGER, unindexed_row_count INTEGER, "
                           "total_logical_bytes INTEGER, total_storage_bytes INTEGER, analyzer STRING", search_indexes),
    "VECTOR_INDEXES": View(INDEX + ", index_status STRING, creation_time TIMESTAMP, last_modification_time TIMESTAMP, last_refresh_time TIMESTAMP, "
                           "disable_time TIMESTAMP, disable_reason STRING, ddl STRING, coverage_percentage INTEGER, unindexed_row_count INTEGER, "
                           "total_logical_bytes INTEGER, total_storage_bytes INTEGER", vector_indexes),
    **{f"{kind}_INDEX_{what}": View(INDEX + columns, index_view(rows, kind)) for kind in ("SEARCH", "VECTOR") for what, columns, rows in (
        ("COLUMNS", ", index_column_name STRING, index_field_path STRING", indexes.column_rows),
        ("OPTIONS", ", option_name STRING, option_type STRING, option_value STRING", indexes.option_rows))},
    "PROJECT_OPTIONS": View("project_id STRING, project_number INTEGER, option_name STRING, option_type STRING, option_value STRING", nothing),
    "EFFECTIVE_PROJECT_OPTIONS": View("option_name STRING, option_type STRING, option_value STRING, option_set_level STRING, option_set_on_id STRING", nothing),
    **{name: View(job_views.JOB, job_views.jobs, job_views.PARTS, True) for name in by_scope("JOBS", "PROJECT")},
    **{name: View(job_views.TIMELINE, job_views.timeline, job_views.PARTS, True) for name in by_scope("JOBS_TIMELINE", "PROJECT", "FOLDER", "ORGANIZATION")},
    **{name: View(job_views.SESSION, job_views.sessions, {}, True) for name in by_scope("SESSIONS", "PROJECT")},
    "JOBS_BY_USER": View(job_views.JOB, job_views.own_jobs, job_views.PARTS, True),
    "JOBS_BY_FOLDER": View(job_views.SHARED_JOB, job_views.jobs, job_views.PARTS, True),
    "JOBS_BY_ORGANIZATION": View(job_views.SHARED_JOB, job_views.jobs, job_views.PARTS, True),
    "JOBS_TIMELINE_BY_USER": View(job_views.TIMELINE, job_views.own_timeline, job_views.PARTS, True),
    "SESSIONS_BY_USER": View(job_views.SESSION, job_views.own_sessions, {}, True),
}

# Views of what is not here: reservations, replicas, the traffic of writes, recommendations.
ELSEWHERE = {
    *by_scope("STREAMING_TIMELINE", "PROJECT", "FOLDER", "ORGANIZATION"), *by_scope("WRITE_API_TIMELINE", "PROJECT", "FOLDER", "ORGANIZATION"),
    *by_scope("TABLE_STORAGE_USAGE_TIMELINE", "PROJECT", "FOLDER", "ORGANIZATION"), *by_scope("RESERVATIONS", "PROJECT"),
    *by_scope("RESERVATION_CHANGES", "PROJECT"), *by_scope("RESERVATIONS_TIMELINE", "PROJECT"), *by_scope("ASSIGNMENTS", "PROJECT"),
    *by_scope("ASSIGNMENT_CHANGES", "PROJECT"), *by_scope("CAPACITY_COMMITMENTS", "PROJECT"), *by_scope("CAPACITY_COMMITMENT_CHANGES", "PROJECT"),
    *by_scope("BI_CAPACITIES", "PROJECT"), *by_scope("BI_CAPACITY_CHANGES", "PROJECT"), *by_scope("INSIGHTS", "PROJECT"),
    *by_scope("RECOMMENDATIONS", "PROJECT", "ORGANIZATION"), *by_scope("SCHEMATA_REPLICAS", "PROJECT", "ORGANIZATION"), "SCHEMATA_REPLICAS_BY_FAILOVER_RESERVATION",
    "SEARCH_INDEXES_BY_ORGANIZATION", "SEARCH_INDEX_COLUMN_OPTIONS", "VECTOR_INDEXES_BY_ORGANIZATION", "SHARED_DATASET_USAGE", "PROPERTY_GRAPHS",
    "PROJECT_OPTIONS_CHANGES", "ORGANIZATION_OPTIONS", "ORGANIZATION_OPTIONS_CHANGES"}

# Names below a dataset, from before INFORMATION_SCHEMA.
OLDER = {
    "__TABLES__": View(SUMMARY + ", creation_time INTEGER, last_modified_time INTEGER, row_count INTEGER, size_bytes INTEGER, type INTEGER", all_tables),
    "__TABLES_SUMMARY__": View(SUMMARY + ", creation_time INTEGER, type INTEGER", all_tables),
}
