"""Search and vector indexes: their definitions, kept with their table.

They only speed BigQuery up, and only over tables of gigabytes: on a smaller table it keeps the definition and builds nothing.
So it is with every table here.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

from . import ddl, iam, options, query, values
from .calls import merge
from .errors import ApiError, unsupported
from .googlesql.tree import node_of
from .lake import Transaction, now_ms
from .options import Option

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job
    from .tables import Ref

OPTIONS: dict[str, options.Known] = {
    "SEARCH": {"analyzer": Option("analyzer", choices=("LOG_ANALYZER", "NO_OP_ANALYZER", "PATTERN_ANALYZER")), "analyzer_options": Option("analyzer_options"),
               "data_types": Option("data_types", list), "default_index_column_granularity": Option("default_index_column_granularity", choices=("GLOBAL", "COLUMN"))},
    "VECTOR": {"index_type": Option("index_type", choices=("IVF", "TREE_AH")), "ivf_options": Option("ivf_options"), "tree_ah_options": Option("tree_ah_options"),
               "distance_type": Option("distance_type", choices=("EUCLIDEAN", "COSINE", "DOT_PRODUCT"))}}
SEARCHED = {"STRING", "INTEGER", "TIMESTAMP", "JSON", "RECORD"}  # the types of columns in a search index


def create(job: "Job", statement: "Statement") -> None:
    node = statement.node
    kind = kind_of(statement)
    if node.partition_by_list or any(item.option_list for item in node.index_item_list):
        raise unsupported(f"CREATE {kind} INDEX with PARTITION BY or options of a column")
    name = ".".join(node.parent.name_path)
    with job.cursor() as cursor:
        given = options.made(options.read(statement, node.option_list, cursor, OPTIONS[kind], f"{kind} INDEX"))
    if kind == "VECTOR" and "index_type" not in given:
        raise ApiError("invalidQuery", "Required option 'index_type' is missing in VECTOR INDEX OPTIONS", "query")
    columns = [] if node.index_all_columns else [item.column_ref.column.name for item in node.index_item_list]
    storing = [node_of(item)[0].column.name for item in node.storing_expression_list]

    def work(tx: Transaction, ref: "Ref", body: dict) -> str:
        old = [index for index in body.get("_indexes", ()) if index["kind"] == kind]
        same = next((index for index in old if index["name"] == name), None)
        if same and node.parent.create_mode == 2:
            return "SKIP"
        if old and not (same and node.parent.create_mode == 1):
            raise ApiError("duplicate", f"Already Exists: {kind.capitalize()} index {iam.name_of(ref)}.{old[0]['name']}")
        check_columns(body, kind, columns)
        made = {"name": name, "kind": kind, "columns": columns, "storing": storing, "options": given, "creationTime": str(now_ms()),
                "lastModifiedTime": str(now_ms())}
        keep(tx, ref, body, [index for index in body.get("_indexes", ()) if index is not same] + [made])
        return "REPLACE" if same else "CREATE"
    change(job, statement, node.table_name_path, work)


def kind_of(statement: "Statement") -> str:
    return statement.type.split("_")[1]


def check_columns(body: dict, kind: str, columns: list[str]) -> None:
    fields = {field["name"].lower(): field for field in body.get("schema", {}).get("fields", ())}
    for name in columns:
        field = fields[name.lower()]
        good = (values.repeated(field) and values.type_name(field) == "FLOAT") if kind == "VECTOR" else values.type_name(field) in SEARCHED
        if not good:
            raise ApiError("invalidQuery", f"Column {name} of type {ddl.data_type(field)} cannot be in a {kind} INDEX.", "query")


def alter(job: "Job", statement: "Statement") -> None:
    node = statement.node
    name, kind = ".".join(node.parent.name_path), kind_of(statement)

    def work(tx: Transaction, ref: "Ref", body: dict) -> str:
        index = find(body, ref, kind, name, node.parent.is_if_exists)
        if index is None:
            return "SKIP"
        made = dict(index)
        for item in node.parent.alter_action_list:
            action, what = node_of(item)
            if what != "resolved_set_options_action_node":
                raise unsupported(f"ALTER {kind} INDEX {what.removeprefix('resolved_').removesuffix('_action_node').replace('_', ' ').upper()}")
            made["options"] = merge(made["options"], options.read(statement, action.option_list, tx.cursor, OPTIONS[kind], f"{kind} INDEX"))
        keep(tx, ref, body, [made | {"lastModifiedTime": str(now_ms())} if each is index else each for each in body["_indexes"]])
        return "ALTER"
    change(job, statement, node.table_name_path, work)


def drop(job: "Job", statement: "Statement") -> None:
    node = statement.node
    kind = kind_of(statement)

    def work(tx: Transaction, ref: "Ref", body: dict) -> str:
        index = find(body, ref, kind, node.name, node.is_if_exists)
        if index is None:
            return "SKIP"
        keep(tx, ref, body, [each for each in body["_indexes"] if each is not index])
        return "DROP"
    change(job, statement, node.table_name_path, work)


def change(job: "Job", statement: "Statement", table_path, work) -> None:
    """Change the indexes of a table; work: tells what it did, as ddlOperationPerformed has it."""
    from . import row_access, tables
    from .query import reference
    from .statements import check_writable
    ref = query.named(job, statement, table_path, "bigquery.tables.update")
    row_access.require_all_rows(job.emulator, job.principal, ref)

    def write(tx: Transaction) -> None:
        body = tables.find(tx, ref)
        check_writable(body)
        done = work(tx, ref, body)
        job.statistics["query"] |= {"ddlOperationPerformed": done, "ddlTargetTable": reference(ref)}
    job.write(write)


def find(body: dict, ref: "Ref", kind: str, name: str, may_miss: bool) -> dict | None:
    found = next((index for index in body.get("_indexes", ()) if (index["kind"], index["name"]) == (kind, name)), None)
    if found is None and not may_miss:
        raise ApiError("notFound", f"Not found: {kind.capitalize()} index {iam.name_of(ref)}.{name}")
    return found


def keep(tx: Transaction, ref: "Ref", body: dict, indexes: list[dict]) -> None:
    tx.put("table", ref, {**body, "_indexes": indexes})


# INFORMATION_SCHEMA -------------------------------------------------------------------------------

def of(body: dict, kind: str) -> Iterator[tuple[dict, dict]]:
    """A table's indexes of a kind, each with the columns that every view begins with."""
    table = body["tableReference"]
    for index in body.get("_indexes", ()):
        if index["kind"] == kind:
            yield index, {"index_catalog": table["projectId"], "index_schema": table["datasetId"], "table_name": table["tableId"], "index_name": index["name"]}


def rows(body: dict, kind: str, count: int) -> Iterator[dict]:
    for index, names in of(body, kind):
        yield names | {
            "index_status": "TEMPORARILY DISABLED", "disable_reason": "BASE TABLE TOO SMALL", "disable_time": int(index["creationTime"]) / 1000,
            "creation_time": int(index["creationTime"]) / 1000, "last_modification_time": int(index["lastModifiedTime"]) / 1000, "ddl": text(body, index),
            "coverage_percentage": 0, "unindexed_row_count": count, "total_logical_bytes": 0, "total_storage_bytes": 0,
            "analyzer": index["options"].get("analyzer", "LOG_ANALYZER")}


def text(body: dict, index: dict) -> str:
    """The CREATE statement of an index."""
    columns = ", ".join(map(values.googlesql_name, index["columns"])) or "ALL COLUMNS"
    storing = [f"STORING({', '.join(map(values.googlesql_name, index['storing']))})"] if index["storing"] else []
    words = [f"CREATE {index['kind']} INDEX {values.googlesql_name(index['name'])} ON {ddl.path(body['tableReference'])}({columns})", *storing]
    return "\n".join([*words, *ddl.option_list(options.given(index["options"], OPTIONS[index["kind"]]))]) + ";"


def column_rows(body: dict, kind: str) -> Iterator[dict]:
    fields = {field["name"].lower(): field["name"] for field in body.get("schema", {}).get("fields", ()) if values.type_name(field) in SEARCHED}
    for index, names in of(body, kind):
        for name in index["columns"] or fields.values():
            yield names | {"index_column_name": name, "index_field_path": name}


def option_rows(body: dict, kind: str) -> Iterator[dict]:
    for index, names in of(body, kind):
        for name, type_, said in options.given(index["options"], OPTIONS[kind]):
            yield names | {"option_name": name, "option_type": type_, "option_value": said}
