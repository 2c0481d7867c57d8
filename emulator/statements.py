"""What statements other than queries do: DML on rows, DDL on resources. REST and SQL see the same ones."""
from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Callable

import duckdb

from . import datasets, iam, tables, values
from .errors import ApiError, not_found, unsupported
from .googlesql import types
from .googlesql.modify import TWICE
from .lake import Transaction, now_ms
from .query import price, reference, results_relation

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

# By ResolvedCreateStatement.create_mode, create_scope and ResolvedDrop.drop_mode, enums of the resolved tree.
CREATE, OR_REPLACE, IF_NOT_EXISTS = 0, 1, 2
TEMPORARY = 3
CASCADE = 2
DAY_MS = 86_400_000


def run(job: "Job", statement: "Statement") -> None:
    """Run one statement that is no query; its effect and the job are written in one transaction."""
    price(job, statement)
    try:
        RUN[statement.type](job, statement)
    except duckdb.ConstraintException as error:
        column = str(error).rpartition(".")[2].strip()
        raise ApiError("invalidQuery", f"Required field {column} cannot be null", "query") from None


# DML ----------------------------------------------------------------------------------------------

def change_rows(job: "Job", statement: "Statement") -> None:
    """INSERT, UPDATE, DELETE and MERGE.

    They run on the writer's thread as a whole, so each sees all that came before it.
    """
    target = statement.target
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", target.ref)

    def work(tx: Transaction) -> None:
        for table in statement.order:
            table.refresh()
        check_writable(target.body)
        tx.execute(f"CREATE OR REPLACE TEMP TABLE change AS {statement.change(tx.cursor)}")
        count(job, dict(tx.execute("SELECT _action, count(*) FROM change GROUP BY 1").fetchall()))
        if tx.execute("SELECT 1 FROM change WHERE _row IS NOT NULL GROUP BY _row HAVING count(*) > 1 LIMIT 1").fetchone():
            raise ApiError("invalidQuery", TWICE, "query")
        relation = target.body["_relation"]
        names = ", ".join(values.identifier(field["name"]) for field in target.fields)
        if statement.type != "INSERT":
            tx.execute(f"DELETE FROM {relation} WHERE rowid IN (SELECT _row FROM change WHERE _row IS NOT NULL)")
        if statement.type != "DELETE":
            tx.execute(f"INSERT INTO {relation} ({names}) SELECT {names} FROM change WHERE _action <> 'DELETE'")
        tx.execute("DROP TABLE temp.change")
        touch(tx, target.ref, target.body)
    job.write(work)


def check_writable(body: dict) -> None:
    if body["type"] != "TABLE":
        raise ApiError("invalidQuery", f"{body['id']} is not allowed for this operation because it is currently a {body['type']}.", "query")


def touch(tx: Transaction, ref: tables.Ref, body: dict) -> None:
    tx.put("table", ref, {**body, "_data": tx.stamp, "lastModifiedTime": str(now_ms())})


def count(job: "Job", counts: dict[str, int]) -> None:
    """The rows that a DML statement changed, into the job's statistics."""
    stats = {f"{word}RowCount": str(counts[action]) for action, word in (("INSERT", "inserted"), ("UPDATE", "updated"), ("DELETE", "deleted"))
             if counts.get(action)}
    job.statistics["query"] |= {"numDmlAffectedRows": str(sum(counts.values())), "dmlStats": stats}


def truncate(job: "Job", statement: "Statement") -> None:
    target = statement.target
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", target.ref)
    if statement.node.HasField("where_expr"):
        raise unsupported("TRUNCATE TABLE with WHERE")

    def work(tx: Transaction) -> None:
        target.refresh()
        check_writable(target.body)
        (rows,) = tx.execute(f"DELETE FROM {target.body['_relation']}").fetchone()
        count(job, {"DELETE": rows})
        touch(tx, target.ref, target.body)
    job.write(work)


# CREATE -------------------------------------------------------------------------------------------

def create_table(job: "Job", statement: "Statement") -> None:
    """CREATE TABLE, with columns or AS SELECT."""
    base = statement.node.parent
    ref = table_ref(job, statement, base.parent)
    for name in ("like_table", "collation_name", "connection"):
        if getattr(base, name).ByteSize():
            raise unsupported(f"CREATE TABLE with {name.replace('_', ' ').upper()}")
    if base.foreign_key_list or base.check_constraint_list:
        raise unsupported("CREATE TABLE with such constraints")
    for name in ("clone_from", "copy_from"):
        if name in statement.node.DESCRIPTOR.fields_by_name and getattr(statement.node, name).ByteSize():
            raise unsupported(f"CREATE TABLE {name.partition('_')[0].upper()}")
    relation = results_relation(f"create{uuid.uuid4().hex}")
    with job.cursor() as cursor:
        given = table_properties(statement, base, cursor)
        if statement.type == "CREATE_TABLE_AS_SELECT":
            cursor.execute(f"CREATE TABLE {relation} AS {statement.compile(cursor)}")
    given = tables.prepare(job.emulator, job.principal, given, ref)
    try:
        job.write(lambda tx: make(tx, job, base.parent, ref, given, relation if statement.type == "CREATE_TABLE_AS_SELECT" else None))
    finally:
        job.lake.cursor().execute(f"DROP TABLE IF EXISTS {relation}")


def table_ref(job: "Job", statement: "Statement", create) -> tables.Ref:
    """The name that a CREATE statement gives; ApiError for one without a dataset, and where the caller may not create."""
    if create.create_scope == TEMPORARY:
        raise unsupported(f"{statement.type.replace('_', ' ')} with TEMP")
    return named_table(job, statement, create.name_path, "bigquery.tables.create")


def named_table(job: "Job", statement: "Statement", path, permission: str) -> tables.Ref:
    ref = statement.created_path(path)
    if len(ref) != 3:
        raise ApiError("invalid", f"Table name \"{'.'.join(ref)}\" missing dataset while no default dataset is set in the request.")
    iam.require(job.emulator, job.principal, permission, ref)
    return ref


def make(tx: Transaction, job: "Job", create, ref: tables.Ref, given: dict, relation: str | None) -> None:
    """Make a table or view, or leave or replace the one that is there, as the statement says."""
    old = tx.get("table", ref)
    exists = old is not None and not tables.expired(old)
    done = "CREATE"
    if exists and create.create_mode == CREATE:
        raise ApiError("duplicate", f"Already Exists: Table {iam.name_of(ref)}")
    if exists and create.create_mode == IF_NOT_EXISTS:
        done = "SKIP"
    else:
        done = "REPLACE" if exists else "CREATE"
        tables.create(tx, ref, given)
        if relation:
            tables.fill(tx, ref, given["schema"]["fields"], relation, write_disposition="WRITE_APPEND")
    job.schema = given["schema"]["fields"]
    job.statistics["query"] |= {"ddlOperationPerformed": done, "ddlTargetTable": reference(ref)}


def table_properties(statement: "Statement", base, cursor) -> dict:
    """A CREATE TABLE as a table's REST body."""
    fields = [column_field(item, statement, cursor) for item in base.column_definition_list]
    names = {item.column.column_id: item.name for item in base.column_definition_list}
    given = {"schema": {"fields": fields}} | options(statement, base.option_list, cursor, TABLE_OPTIONS)
    for expression in statement.node.partition_by_list:
        given |= partitioning(statement, expression, names, cursor)
    if "timePartitioning" in given and "_expirationMs" in given:
        given["timePartitioning"]["expirationMs"] = given.pop("_expirationMs")
    if statement.node.cluster_by_list:
        given["clustering"] = {"fields": [names[item.resolved_column_ref_node.column.column_id] for item in statement.node.cluster_by_list]}
    if base.primary_key.ByteSize():
        raise unsupported("CREATE TABLE with PRIMARY KEY")
    return given


def column_field(item, statement: "Statement", cursor) -> dict:
    """A column definition as a REST field."""
    field = types.rest_field(item.type, item.name) | annotations(item.annotations, statement, cursor)
    if item.annotations.not_null:
        field["mode"] = "REQUIRED"
    if item.HasField("default_value"):
        field["defaultValueExpression"] = item.default_value.sql
    for part, about in zip(field.get("fields", ()), item.annotations.child_list):
        part |= annotations(about, statement, cursor) | ({"mode": "REQUIRED"} if about.not_null else {})
    return field


def annotations(about, statement: "Statement", cursor) -> dict:
    found = options(statement, about.option_list, cursor, COLUMN_OPTIONS)
    parameters = about.type_parameters
    if parameters.HasField("string_type_parameters") and parameters.string_type_parameters.HasField("max_length"):
        found["maxLength"] = str(parameters.string_type_parameters.max_length)
    if parameters.HasField("numeric_type_parameters"):
        found["precision"] = str(parameters.numeric_type_parameters.precision)
        if parameters.numeric_type_parameters.scale:
            found["scale"] = str(parameters.numeric_type_parameters.scale)
    return found


def create_view(job: "Job", statement: "Statement") -> None:
    base = statement.node.parent
    ref = table_ref(job, statement, base.parent)
    with job.cursor() as cursor:
        given = options(statement, base.option_list, cursor, TABLE_OPTIONS)
    given["view"] = {"query": base.sql, "useLegacySql": False}
    given = tables.prepare(job.emulator, job.principal, given, ref)
    job.write(lambda tx: make(tx, job, base.parent, ref, given, None))


def create_schema(job: "Job", statement: "Statement") -> None:
    base = statement.node.parent
    ref = dataset_ref(job, statement, base.parent.name_path, "bigquery.datasets.create")
    with job.cursor() as cursor:
        body = datasets.new(job.principal, ref, options(statement, base.option_list, cursor, SCHEMA_OPTIONS))

    def work(tx: Transaction) -> None:
        exists = tx.get("dataset", ref)
        if exists and base.parent.create_mode == CREATE:
            raise ApiError("duplicate", f"Already Exists: Dataset {iam.name_of(ref)}")
        if not exists:
            tx.put("dataset", ref, body)
        job.statistics["query"] |= {"ddlOperationPerformed": "SKIP" if exists else "CREATE",
                                    "ddlTargetDataset": {"projectId": ref[0], "datasetId": ref[1]}}
    job.write(work)


def dataset_ref(job: "Job", statement: "Statement", path, permission: str) -> tuple[str, str]:
    parts = tuple(".".join(path).split("."))
    ref = parts if len(parts) == 2 else (job.project, *parts)
    iam.require(job.emulator, job.principal, permission, ref)
    return ref


# DROP ---------------------------------------------------------------------------------------------

def drop(job: "Job", statement: "Statement") -> None:
    node = statement.node
    kind = node.object_type.upper()
    job.statistics["query"]["statementType"] = f"DROP_{kind.replace(' ', '_')}"
    if kind == "SCHEMA":
        return drop_schema(job, statement)
    if kind not in ("TABLE", "VIEW"):
        raise unsupported(f"DROP {kind}")
    ref = named_table(job, statement, node.name_path, "bigquery.tables.delete")

    def work(tx: Transaction) -> None:
        body = tx.get("table", ref)
        there = body is not None and not tables.expired(body)
        if not there and not node.is_if_exists:
            raise not_found("Table", iam.name_of(ref))
        if there and body["type"] != kind:
            raise ApiError("invalidQuery", f"{iam.name_of(ref)} is not allowed for this operation because it is currently a {body['type']}.", "query")
        if there:
            tables.drop(tx, ref, body)
        job.statistics["query"] |= {"ddlOperationPerformed": "DROP" if there else "SKIP", "ddlTargetTable": reference(ref)}
    job.write(work)


def drop_schema(job: "Job", statement: "Statement") -> None:
    node = statement.node
    ref = dataset_ref(job, statement, node.name_path, "bigquery.datasets.delete")

    def work(tx: Transaction) -> None:
        there = tx.get("dataset", ref)
        if not there and not node.is_if_exists:
            raise not_found("Dataset", iam.name_of(ref))
        if there:
            datasets.drop(tx, ref, contents=node.drop_mode == CASCADE)
        job.statistics["query"] |= {"ddlOperationPerformed": "DROP" if there else "SKIP",
                                    "ddlTargetDataset": {"projectId": ref[0], "datasetId": ref[1]}}
    job.write(work)


# Options ------------------------------------------------------------------------------------------

def _labels(pairs) -> dict[str, str]:
    return {pair[0]: pair[1] for pair in (tuple(pair.values()) if isinstance(pair, dict) else pair for pair in pairs)}


def _milliseconds(moment) -> str:
    return str(int(moment.timestamp() * 1000))


# option in SQL -> (property in REST, its value there)
COLUMN_OPTIONS: dict[str, tuple[str, Callable]] = {
    "description": ("description", str), "rounding_mode": ("roundingMode", str)}
TABLE_OPTIONS: dict[str, tuple[str, Callable]] = {
    "description": ("description", str), "friendly_name": ("friendlyName", str), "labels": ("labels", _labels),
    "expiration_timestamp": ("expirationTime", _milliseconds), "require_partition_filter": ("requirePartitionFilter", bool),
    "partition_expiration_days": ("_expirationMs", lambda days: str(int(float(days) * DAY_MS))),
    "default_rounding_mode": ("defaultRoundingMode", str)}
SCHEMA_OPTIONS: dict[str, tuple[str, Callable]] = {
    "description": ("description", str), "friendly_name": ("friendlyName", str), "labels": ("labels", _labels), "location": ("location", str),
    "default_table_expiration_days": ("defaultTableExpirationMs", lambda days: str(int(float(days) * DAY_MS))),
    "default_partition_expiration_days": ("defaultPartitionExpirationMs", lambda days: str(int(float(days) * DAY_MS))),
    "max_time_travel_hours": ("maxTimeTravelHours", str), "default_rounding_mode": ("defaultRoundingMode", str)}


def options(statement: "Statement", items, cursor, known: dict[str, tuple[str, Callable]]) -> dict:
    """An OPTIONS list as REST properties; ApiError notImplemented names one that is not supported."""
    found = {}
    for item in items:
        if item.name.lower() not in known:
            raise unsupported(f"the option {item.name}")
        name, convert = known[item.name.lower()]
        value = statement.constant(item.value, cursor)
        if value is not None:
            found[name] = convert(value)
    return found


def partitioning(statement: "Statement", expression, names: dict[int, str], cursor) -> dict:
    """A PARTITION BY expression as timePartitioning or rangePartitioning; ApiError notImplemented for another form."""
    from .googlesql.compiler import node_of
    node, kind = node_of(expression)
    if kind == "resolved_column_ref_node":
        return {"timePartitioning": {"type": "DAY", "field": names[node.column.column_id]}}
    if kind != "resolved_function_call_node":
        raise unsupported("PARTITION BY such an expression")
    call = node.parent
    function = call.function.name.rpartition(":")[2].lower()
    field = names[node_of(call.argument_list[0])[0].column.column_id]
    if function == "date":
        return {"timePartitioning": {"type": "DAY", "field": field}}
    if function.endswith("_trunc"):
        from zetasql.wasi._pb2.zetasql.public.functions import datetime_pb2
        part = datetime_pb2.DateTimestampPart.Name(node_of(call.argument_list[1])[0].value.value.enum_value)
        return {"timePartitioning": {"type": part, "field": field}}
    if function == "range_bucket":
        start, end, interval = (str(statement.constant(item, cursor)) for item in node_of(call.argument_list[1])[0].parent.argument_list)
        return {"rangePartitioning": {"field": field, "range": {"start": start, "end": end, "interval": interval}}}
    raise unsupported(f"PARTITION BY {function.upper()}")


RUN: dict[str, Callable[["Job", "Statement"], None]] = {
    "INSERT": change_rows, "UPDATE": change_rows, "DELETE": change_rows, "MERGE": change_rows, "TRUNCATE_TABLE": truncate,
    "CREATE_TABLE": create_table, "CREATE_TABLE_AS_SELECT": create_table, "CREATE_VIEW": create_view, "CREATE_SCHEMA": create_schema,
    "DROP": drop}
