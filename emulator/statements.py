"""What statements other than queries do: DML on rows, DDL on resources. REST and SQL see the same ones."""
from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Callable

import duckdb

from . import clones, datasets, exports, external, grants, history, iam, indexes, models, options, partitions, routines, row_access, tables, values
from .alter import alter_schema, alter_table
from .calls import merge
from .errors import ApiError, not_found, unsupported
from .googlesql import types
from .googlesql.tree import node_of
from .googlesql.modify import TWICE
from .lake import Transaction
from .query import materialize, named, price, reference, results_relation

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job
    from .lake import Lake

# By ResolvedCreateStatement.create_mode, create_scope and ResolvedDrop.drop_mode, enums of the resolved tree.
CREATE, OR_REPLACE, IF_NOT_EXISTS = 0, 1, 2
TEMPORARY = 3
CASCADE = 2
IN_TRANSACTIONS = {"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE_TABLE", "ASSERT"}


def run(job: "Job", statement: "Statement") -> None:
    """Run one statement that is no query; its effect and the job are written in one transaction."""
    if statement.type not in RUN:
        raise unsupported(f"the statement {statement.type.replace('_', ' ')}")
    if job.session.transaction and statement.type in ("EXPORT_DATA", "LOAD_DATA"):
        raise unsupported(f"{statement.type.replace('_', ' ')} in a transaction")
    if job.session.transaction and statement.type not in IN_TRANSACTIONS and not is_temporary(job, statement):
        raise ApiError("invalidQuery", "DDL statements are not supported in a transaction, other than those creating or droping temporary tables "
                                       "or temporary functions.", "query")
    price(job, statement)
    try:
        RUN[statement.type](job, statement)
    except duckdb.ConstraintException as error:
        column = str(error).rpartition(".")[2].strip()
        raise ApiError("invalidQuery", f"Required field {column} cannot be null", "query") from None


def is_temporary(job: "Job", statement: "Statement") -> bool:
    """Whether a CREATE or DROP is about something that ends with the script or session."""
    if statement.type in ("DROP", "DROP_FUNCTION"):
        path = tuple(statement.node.name_path)
        return job.session.named(path) is not None or path[-1].lower() in job.session.functions
    create = getattr(statement.node, "parent", None)
    while create is not None and "create_scope" not in create.DESCRIPTOR.fields_by_name:
        create = getattr(create, "parent", None)
    return create is not None and create.create_scope == TEMPORARY


# DML ----------------------------------------------------------------------------------------------

def change_rows(job: "Job", statement: "Statement") -> None:
    """INSERT, UPDATE, DELETE and MERGE.

    They run on the writer's thread as a whole, so each sees all that came before it.
    """
    target = statement.target
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", target.ref)
    row_access.require_all_rows(job.emulator, job.principal, target.ref)

    def work(tx: Transaction) -> None:
        for table in statement.order:
            table.refresh()
        check_writable(target.body)
        tx.execute(f"CREATE OR REPLACE TEMP TABLE change AS {statement.change(tx.cursor)}")
        tx.hold_temporary("change")
        counts = dict(tx.execute("SELECT _action, count(*) FROM change GROUP BY 1").fetchall())
        count(job, counts)
        if statement.type in ("UPDATE", "MERGE") and tx.execute(
                "SELECT 1 FROM change WHERE _row IS NOT NULL GROUP BY _row HAVING count(*) > 1 LIMIT 1").fetchone():
            raise ApiError("invalidQuery", TWICE, "query")
        relation = target.body["_relation"]
        names = ", ".join(values.identifier(field["name"]) for field in target.stored)
        if statement.type != "INSERT":
            tx.execute(f"DELETE FROM {relation} WHERE rowid IN (SELECT _row FROM change WHERE _row IS NOT NULL)")
        body = history.insert(tx, target.body, f"INSERT INTO {relation} ({names}) SELECT {names} FROM change", counts)
        tx.execute("DROP TABLE temp.change")
        tx.put("table", target.ref, tables.changed(tx, body))
    job.write(work)
    job.config["destinationTable"] = reference(target.ref)


def check_writable(body: dict) -> None:
    if body["type"] != "TABLE":
        raise ApiError("invalidQuery", f"{body['id']} is not allowed for this operation because it is currently a {body['type']}.", "query")


def count(job: "Job", counts: dict[str, int]) -> None:
    """The rows that a DML statement changed, into the job's statistics."""
    stats = {f"{word}RowCount": str(counts[action]) for action, word in (("INSERT", "inserted"), ("UPDATE", "updated"), ("DELETE", "deleted"))
             if counts.get(action)}
    job.statistics["query"] |= {"numDmlAffectedRows": str(sum(counts.values())), "dmlStats": stats}


def truncate(job: "Job", statement: "Statement") -> None:
    target = statement.target
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", target.ref)
    row_access.require_all_rows(job.emulator, job.principal, target.ref)
    if statement.node.HasField("where_expr"):
        raise unsupported("TRUNCATE TABLE with WHERE")

    def work(tx: Transaction) -> None:
        target.refresh()
        check_writable(target.body)
        (rows,) = tx.execute(f"DELETE FROM {target.body['_relation']}").fetchone()
        count(job, {"DELETE": rows})
        tx.put("table", target.ref, tables.changed(tx, target.body))
    job.write(work)
    job.config["destinationTable"] = reference(target.ref)


# CREATE -------------------------------------------------------------------------------------------

def create_table(job: "Job", statement: "Statement") -> None:
    """CREATE TABLE: with columns, AS SELECT, LIKE, COPY or CLONE."""
    base = statement.node.parent
    ref = table_ref(job, statement, base.parent)
    if base.check_constraint_list:
        raise unsupported("CHECK constraints")
    if base.connection.ByteSize():
        raise unsupported("CREATE TABLE WITH CONNECTION")
    for kind in ("clone", "copy"):
        if statement.type == "CREATE_TABLE" and (source := getattr(statement.node, f"{kind}_from")).ByteSize():
            return clones.create(job, statement, base, ref, kind.upper(), source, base.option_list)
    with job.cursor() as cursor:
        given = table_properties(statement, base, cursor)
        dry = job.configuration.get("dryRun")
        sql = statement.compile(cursor) if statement.type == "CREATE_TABLE_AS_SELECT" and not (dry and statement.undeclared) else None
    if dry:
        sql = None  # it was compiled for what it can't say
    given = tables.prepare(job.emulator, job.principal, given, ref)
    rows = f"({sql})" if sql else None
    if sql and job.session.transaction:
        # The statement may be done again, after an error of a later one, and its rows are to be the same.
        rows = results_relation(f"create{uuid.uuid4().hex}")
        job.session.transaction.hold(rows)
        materialize(job, rows, sql, statement.fields)
    job.write(lambda tx: make(tx, job, base.parent, ref, given, rows))


def table_ref(job: "Job", statement: "Statement", create) -> tables.Ref:
    """The name that a CREATE statement gives; ApiError for one without a dataset, and where the caller may not create."""
    if create.create_scope == TEMPORARY:
        return temporary_table(job, create.name_path)
    if job.session.named(tuple(create.name_path)) and len(create.name_path) == 1 and not job.config.get("defaultDataset"):
        raise ApiError("duplicate", f"Already Exists: Table {create.name_path[0]}")
    return named(job, statement, create.name_path, "bigquery.tables.create")


def temporary_table(job: "Job", path) -> tables.Ref:
    if not job.parent and not job.session.id:
        raise ApiError("invalidQuery", "Use of CREATE TEMPORARY TABLE requires a script or session", "query")
    name = ".".join(path).split(".")
    if len(name) > 1 and name[0].upper() != "_SESSION":
        raise ApiError("invalidQuery", f"CREATE TEMP TABLE may not specify a project or dataset: {'.'.join(path)}", "query")
    return job.session.named(path) or job.session.new_table(job, name[-1])


def make(tx: Transaction, job: "Job", create, ref: tables.Ref, given: dict, rows: str | None) -> None:
    """Make a table or view, or leave or replace the one that is there, as the statement says. rows: a FROM item of a table's first rows."""
    done = decide(tx, job, create, ref)
    if done != "SKIP":
        tables.create(tx, ref, given)
        if rows:
            tables.fill(tx, ref, given["schema"]["fields"], rows, write_disposition="WRITE_APPEND")
    if rows or create.create_scope == TEMPORARY:
        job.config["destinationTable"] = reference(ref)  # as the service tells it; dbt and bigframes look there
    if create.create_scope == TEMPORARY:
        job.session.tables[ref[2]] = ref
    job.schema = given.get("schema", {}).get("fields", [])
    job.statistics["query"] |= {"ddlOperationPerformed": done, "ddlTargetTable": reference(ref)}


def foresee(job: "Job", statement: "Statement") -> None:
    """What a dry run tells in its statistics of a statement that is no query; ApiError where the run would fail."""
    if statement.type in ("INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE_TABLE"):
        check_writable(statement.target.body)
    elif statement.type in ("CREATE_TABLE", "CREATE_TABLE_AS_SELECT") and (create := statement.node.parent.parent) and (
            create.create_scope == TEMPORARY or copies(statement)):
        ref = table_ref(job, statement, create)
        job.statistics["query"] |= {"ddlOperationPerformed": decide(job.lake, job, create, ref), "ddlTargetTable": reference(ref)}
    elif statement.type in REHEARSED and not (statement.type == "DROP" and is_temporary(job, statement)):
        RUN[statement.type](job, statement)


def copies(statement: "Statement") -> bool:
    return statement.type == "CREATE_TABLE" and bool(statement.node.clone_from.ByteSize() or statement.node.copy_from.ByteSize())


def decide(tx: "Transaction | Lake", job: "Job", create, ref: tables.Ref) -> str:
    """What a CREATE statement does, in view of what is there: CREATE, REPLACE or SKIP; ApiError duplicate, notFound for a missing dataset."""
    datasets.find(tx, ref[:2])
    old = tx.get("table", ref)
    if old is None or tables.expired(old):
        return "CREATE"
    if create.create_mode == CREATE:
        raise ApiError("duplicate", f"Already Exists: Table {iam.name_of(ref)}")
    return "SKIP" if create.create_mode == IF_NOT_EXISTS else "REPLACE"


def create_external(job: "Job", statement: "Statement") -> None:
    base = statement.node.parent
    ref = table_ref(job, statement, base.parent)
    with job.cursor() as cursor:
        given = external.given(statement, base, cursor)
    given = tables.prepare(job.emulator, job.principal, given, ref)
    job.write(lambda tx: make(tx, job, base.parent, ref, given, None))


def create_snapshot(job: "Job", statement: "Statement") -> None:
    base = statement.node.parent
    clones.create(job, statement, base, table_ref(job, statement, base), "SNAPSHOT", statement.node.clone_from, statement.node.option_list)


def table_properties(statement: "Statement", base, cursor) -> dict:
    """A CREATE TABLE as a table's REST body."""
    given = like(statement, base, statement.node.partition_by_list or statement.node.cluster_by_list) if base.like_table.ByteSize() else {}
    given = merge(given, options.made(options.read(statement, base.option_list, cursor, options.TABLE, "TABLE")))
    if base.collation_name.ByteSize():
        given["defaultCollation"] = statement.constant(base.collation_name, cursor)
    if not base.like_table.ByteSize():
        given["schema"] = {"fields": [column_field(item, statement, cursor) for item in base.column_definition_list]}
    names = {item.column.column_id: item.name for item in base.column_definition_list}
    given = merge(given, layout(statement, names, cursor))
    if "timePartitioning" in given and "type" not in given["timePartitioning"]:
        raise ApiError("invalidQuery", "partition_expiration_days can only be set for tables that are partitioned by time.", "query")
    keys = {"primaryKey": tables.primary_key(base.primary_key)} if base.primary_key.ByteSize() else {}
    for node in base.foreign_key_list:
        keys["foreignKeys"] = [*keys.get("foreignKeys", ()), tables.foreign_key(statement, node, keys.get("foreignKeys", ()))]
    return given | ({"tableConstraints": keys} if keys else {})


def layout(statement: "Statement", names: dict[int, str], cursor) -> dict:
    """PARTITION BY and CLUSTER BY as REST properties. names: column id -> name."""
    given, expressions = {}, statement.node.partition_by_list
    if len(expressions) > 1:
        raise ApiError("invalidQuery", f"Only a single PARTITION BY expression is supported but found {len(expressions)}", "query")
    for expression in expressions:
        given |= partitioning(statement, expression, names, cursor)
    if statement.node.cluster_by_list:
        if not all(item.HasField("resolved_column_ref_node") for item in statement.node.cluster_by_list):
            raise ApiError("invalidQuery", "CLUSTER BY expressions must be names of columns; a field of a STRUCT is none", "query")
        columns = [item.resolved_column_ref_node.column for item in statement.node.cluster_by_list]
        given["clustering"] = {"fields": [names.get(column.column_id, column.name) for column in columns]}
    return given


def like(statement: "Statement", base, own_layout: bool) -> dict:
    """What CREATE TABLE LIKE takes from the other table: columns with all that is said of them, layout, description, labels."""
    body = statement.order[base.like_table.serialization_id - 1].body
    kept = ("schema", "description", "labels", "defaultCollation", "defaultRoundingMode", "requirePartitionFilter")
    kept += () if own_layout else ("timePartitioning", "rangePartitioning", "clustering")
    return {name: body[name] for name in kept if name in body}


def column_field(item, statement: "Statement", cursor) -> dict:
    """A column definition as a REST field."""
    if item.HasField("generated_column_info") or item.is_hidden:
        raise unsupported(f"the {'hidden' if item.is_hidden else 'generated'} column {item.name}")
    field = annotated(types.rest_field(item.type, item.name), item.annotations, statement, cursor)
    if item.HasField("default_value"):
        field["defaultValueExpression"] = item.default_value.sql
    return field


def annotated(field: dict, about, statement: "Statement", cursor) -> dict:
    """A field with what its definition says beside the type, at every depth."""
    if about.not_null and values.repeated(field):
        raise ApiError("invalidQuery", f"NOT NULL is not supported on {field['name']}, which is an ARRAY", "query")
    if about.not_null:
        field = {**field, "mode": "REQUIRED"}
    field |= options.made(options.read(statement, about.option_list, cursor, options.COLUMN, "COLUMN"))
    if values.repeated(field):
        about = about.child_list[0] if about.child_list else about
    if about.collation_name.ByteSize():
        field["collation"] = statement.constant(about.collation_name, cursor)
    field |= types.parameters(about.type_parameters)
    if "fields" in field:
        children = list(about.child_list)
        field["fields"] = [annotated(part, children[place], statement, cursor) if place < len(children) else part
                           for place, part in enumerate(field["fields"])]
    return field


def create_view(job: "Job", statement: "Statement") -> None:
    """CREATE VIEW and CREATE MATERIALIZED VIEW."""
    base = statement.node.parent
    ref = table_ref(job, statement, base.parent)
    materialized = statement.type == "CREATE_MATERIALIZED_VIEW"
    with job.cursor() as cursor:
        known, what = (options.MATERIALIZED_VIEW, "MATERIALIZED VIEW") if materialized else (options.VIEW, "VIEW")
        given = options.made(options.read(statement, base.option_list, cursor, known, what))
        if materialized:
            if statement.node.replica_source.ByteSize():
                raise unsupported("a materialized view AS REPLICA OF another")
            given = merge(given, {"materializedView": {"query": base.sql}})
            given |= layout(statement, {item.column.column_id: item.name for item in base.output_column_list}, cursor)
        else:
            given["view"] = {"query": base.sql, "useLegacySql": False}
        if base.has_explicit_columns:
            given |= {"schema": {"fields": view_columns(statement, base, cursor)}, "_columns": True}  # ddl tells their names
    given = tables.prepare(job.emulator, job.principal, given, ref)
    job.write(lambda tx: make(tx, job, base.parent, ref, given, None))


def view_columns(statement: "Statement", base, cursor) -> list[dict]:
    """The columns that a view names itself, with their descriptions."""
    told = {item.name.lower(): options.made(options.read(statement, item.annotations.option_list, cursor, options.COLUMN, "COLUMN"))
            for item in base.column_definition_list}
    return [types.rest_field(item.column.type, item.name) | told.get(item.name.lower(), {}) for item in base.output_column_list]


def create_schema(job: "Job", statement: "Statement") -> None:
    base = statement.node.parent
    ref = dataset_ref(job, statement, base.parent.name_path, "bigquery.datasets.create")
    with job.cursor() as cursor:
        given = options.made(options.read(statement, base.option_list, cursor, options.SCHEMA, "SCHEMA"))
        if statement.node.collation_name.ByteSize():
            given["defaultCollation"] = statement.constant(statement.node.collation_name, cursor)
        body = datasets.new(job.principal, ref, {"location": job.reference["location"]} | given)
    if body["location"] != job.reference["location"]:
        raise ApiError("invalid", f"Cannot create dataset {body['id']} in location {body['location']} by a query that runs in location {job.reference['location']}.")

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

DROPPED = {"DROP_SNAPSHOT_TABLE": "SNAPSHOT", "DROP_MATERIALIZED_VIEW": "MATERIALIZED_VIEW"}


def drop(job: "Job", statement: "Statement") -> None:
    """DROP of a table of any kind, or of a schema."""
    node = statement.node
    kind = DROPPED.get(statement.type) or node.object_type.upper()
    if kind == "SCHEMA":
        return drop_schema(job, statement)
    if kind == "PROCEDURE":
        return routines.drop(job, statement)
    if kind == "MODEL":
        return models.drop(job, statement)
    kind = kind.removesuffix(" TABLE")
    if kind not in ("TABLE", "VIEW", "EXTERNAL", *DROPPED.values()):
        raise unsupported(f"DROP {kind}")
    ref = named(job, statement, node.name_path, "bigquery.tables.deleteSnapshot" if kind == "SNAPSHOT" else "bigquery.tables.delete")

    def work(tx: Transaction) -> None:
        body = tx.get("table", ref)
        there = body is not None and not tables.expired(body)
        if not there and not node.is_if_exists:
            raise not_found("Table", iam.name_of(ref))
        if there and body["type"] != kind:
            raise ApiError("invalidQuery", f"{iam.name_of(ref)} is not allowed for this operation because it is currently a {body['type']}.", "query")
        if there:
            tables.drop(tx, ref, body)
            if ref == job.session.named(tuple(node.name_path)):
                del job.session.tables[ref[2]]
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


def undrop_schema(job: "Job", statement: "Statement") -> None:
    """UNDROP SCHEMA: a deleted dataset with its tables, as it was."""
    node = statement.node
    ref = dataset_ref(job, statement, node.name_path, "bigquery.datasets.create")

    def work(tx: Transaction) -> None:
        there = tx.get("dataset", ref)
        if there and not node.is_if_not_exists:
            raise ApiError("duplicate", f"Already Exists: Dataset {iam.name_of(ref)}")
        if not there:
            datasets.restore(tx, ref)
        job.statistics["query"] |= {"ddlOperationPerformed": "SKIP" if there else "CREATE",
                                    "ddlTargetDataset": {"projectId": ref[0], "datasetId": ref[1]}}
    job.write(work)


# Others -------------------------------------------------------------------------------------------

def check_assertion(job: "Job", statement: "Statement") -> None:
    """ASSERT: an error unless the condition holds."""
    node = statement.node
    with job.cursor() as cursor:
        holds = statement.constant(node.expression, cursor)
    if not holds:
        raise ApiError("invalidQuery", f"Assertion failed{': ' if node.description else ''}{node.description}", "query")


# Partitioning -------------------------------------------------------------------------------------

def partitioned_by(column, names: dict[int, str]) -> dict:
    """The field of a partitioning; none for the ingestion time."""
    name = names.get(column.column_id, column.name)
    return {} if name.upper() in (partitions.TIME, partitions.DATE) else {"field": name}


PARTITION_BY = (
    "PARTITION BY expression must be _PARTITIONDATE, DATE(_PARTITIONTIME), DATE(<timestamp_column>), DATE(<datetime_column>), "
    "DATETIME_TRUNC(<datetime_column>, DAY/HOUR/MONTH/YEAR), a DATE column, TIMESTAMP_TRUNC(<timestamp_column>, DAY/HOUR/MONTH/YEAR), "
    "DATE_TRUNC(<date_column>, MONTH/YEAR), or RANGE_BUCKET(<int64_column>, GENERATE_ARRAY(<int64_value>, <int64_value>[, <int64_value>]))")
# A function over a column -> the types that the column may have, and the units of time that it may be cut to.
CUT = {"date": (("TIMESTAMP", "DATETIME"), ("DAY",)), "date_trunc": (("DATE",), ("MONTH", "YEAR")),
       "timestamp_trunc": (("TIMESTAMP",), ("DAY", "HOUR", "MONTH", "YEAR")), "datetime_trunc": (("DATETIME",), ("DAY", "HOUR", "MONTH", "YEAR"))}


def partitioning(statement: "Statement", expression, names: dict[int, str], cursor) -> dict:
    """A PARTITION BY expression as timePartitioning or rangePartitioning; ApiError invalidQuery for another form."""
    def suits(column, *kinds: str) -> bool:  # LOAD DATA finds the types of columns in the files, later
        return statement.type == "LOAD_DATA" or types.kind_name(column.type) in kinds
    node, kind = node_of(expression)
    if kind == "resolved_column_ref_node" and suits(node.column, "DATE"):
        return {"timePartitioning": {"type": "DAY"} | partitioned_by(node.column, names)}
    call = node.parent if kind == "resolved_function_call_node" else None
    column, of = node_of(call.argument_list[0]) if call else (None, "")
    if of == "resolved_column_ref_node":
        function = call.function.name.rpartition(":")[2].lower()
        if function in CUT:
            unit = part_of(call.argument_list[1]) if function != "date" else "DAY" if len(call.argument_list) == 1 else ""
            if suits(column.column, *CUT[function][0]) and unit in CUT[function][1]:
                return {"timePartitioning": {"type": unit} | partitioned_by(column.column, names)}
        bounds, array = node_of(call.argument_list[1]) if function == "range_bucket" else (None, "")
        if array == "resolved_function_call_node" and bounds.parent.function.name.endswith(":generate_array") and suits(column.column, "INTEGER"):
            start, end, interval = ([str(statement.constant(item, cursor)) for item in bounds.parent.argument_list] + ["1"])[:3]
            return {"rangePartitioning": partitioned_by(column.column, names) | {"range": {"start": start, "end": end, "interval": interval}}}
    raise ApiError("invalidQuery", PARTITION_BY, "query")


def part_of(expression) -> str:
    """The part of a date that an argument names."""
    from zetasql.wasi._pb2.zetasql.public.functions import datetime_pb2
    return datetime_pb2.DateTimestampPart.Name(node_of(expression)[0].value.value.enum_value)


# The statements that a dry run does and undoes, since they are about no rows, and about nothing but the lake's resources. Not those that make schemas:
# Python's client takes a 409 for a job of that name, and looks for it for ten minutes.
REHEARSED = {"CREATE_TABLE", "CREATE_TABLE_AS_SELECT", "CREATE_VIEW", "CREATE_MATERIALIZED_VIEW", "DROP", "DROP_SNAPSHOT_TABLE", "DROP_MATERIALIZED_VIEW",
             "ALTER_TABLE", "ALTER_VIEW", "ALTER_MATERIALIZED_VIEW", "ALTER_SCHEMA"}
RUN: dict[str, Callable[["Job", "Statement"], None]] = {
    "INSERT": change_rows, "UPDATE": change_rows, "DELETE": change_rows, "MERGE": change_rows, "TRUNCATE_TABLE": truncate,
    "CREATE_TABLE": create_table, "CREATE_TABLE_AS_SELECT": create_table, "CREATE_VIEW": create_view, "CREATE_SCHEMA": create_schema,
    "DROP": drop, "ALTER_TABLE": alter_table, "ALTER_VIEW": alter_table, "ALTER_MATERIALIZED_VIEW": alter_table, "ALTER_SCHEMA": alter_schema,
    "CREATE_MATERIALIZED_VIEW": create_view, "CREATE_SNAPSHOT_TABLE": create_snapshot, "CREATE_EXTERNAL_TABLE": create_external,
    "DROP_SNAPSHOT_TABLE": drop, "DROP_MATERIALIZED_VIEW": drop, "UNDROP_SCHEMA": undrop_schema,
    "EXPORT_DATA": exports.export, "LOAD_DATA": exports.load,
    "CREATE_MODEL": models.create, "CREATE_FUNCTION": routines.create, "CREATE_TABLE_FUNCTION": routines.create, "CREATE_PROCEDURE": routines.create,
    "DROP_FUNCTION": routines.drop, "DROP_TABLE_FUNCTION": routines.drop, "ASSERT": check_assertion,
    "CREATE_ROW_ACCESS_POLICY": row_access.create, "DROP_ROW_ACCESS_POLICY": row_access.drop, "GRANT": grants.grant, "REVOKE": grants.grant,
    **{f"{verb}_{kind}_INDEX": run for kind in ("SEARCH", "VECTOR") for verb, run in (("CREATE", indexes.create), ("ALTER", indexes.alter), ("DROP", indexes.drop))}}
