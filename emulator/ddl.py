"""Data definition: what CREATE, ALTER and DROP do to datasets, tables and views. REST and SQL see the same resources."""
from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Callable

from . import datasets, iam, tables, values
from .calls import without_nulls
from .errors import ApiError, not_found, unsupported
from .googlesql import types
from .googlesql.compiler import Compiler, node_of
from .lake import Transaction, now_ms
from .query import reference, results_relation

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

# By ResolvedCreateStatement.create_mode, create_scope and ResolvedDrop.drop_mode, enums of the resolved tree.
CREATE, OR_REPLACE, IF_NOT_EXISTS = 0, 1, 2
TEMPORARY = 3
CASCADE = 2
DAY_MS = 86_400_000


# CREATE -------------------------------------------------------------------------------------------

def create_table(job: "Job", statement: "Statement") -> None:
    """CREATE TABLE, with columns, AS SELECT, or after another table."""
    base = statement.node.parent
    ref = table_ref(job, statement, base.parent)
    for name in ("collation_name", "connection"):
        if getattr(base, name).ByteSize():
            raise unsupported(f"CREATE TABLE with {name.replace('_', ' ').upper()}")
    if base.check_constraint_list:
        raise unsupported("CREATE TABLE with a CHECK constraint")
    relation = results_relation(f"create{uuid.uuid4().hex}")
    with job.cursor() as cursor:
        model, source = model_of(statement, base, cursor)
        given = model | table_properties(statement, base, cursor)
        given["schema"] = model.get("schema", given["schema"])
        if statement.type == "CREATE_TABLE_AS_SELECT":
            source = relation
            cursor.execute(f"CREATE TABLE {relation} AS {statement.compile(cursor)}")
    given = tables.prepare(job.emulator, job.principal, given, ref)
    try:
        job.write(lambda tx: make(tx, job, base.parent, ref, given, source))
    finally:
        job.lake.cursor().execute(f"DROP TABLE IF EXISTS {relation}")


def model_of(statement: "Statement", base, cursor) -> tuple[dict, str | None]:
    """What a table takes from the one it is made LIKE, as a COPY or as a CLONE: properties, and the FROM item of its rows."""
    node = statement.node
    if base.like_table.serialization_id:
        return copied(statement.order[base.like_table.serialization_id - 1].body), None
    for name in ("copy_from", "clone_from"):
        if name in node.DESCRIPTOR.fields_by_name and getattr(node, name).ByteSize():
            table, relation, moment = scanned(statement, getattr(node, name), cursor)
            if name == "copy_from":
                return copied(table.body), relation
            return copied(table.body) | {"cloneDefinition": {"baseTableReference": reference(table.ref), "cloneTime": moment}}, relation
    return {}, None


def copied(body: dict) -> dict:
    """The properties that a table hands on to a copy of it."""
    kept = ("schema", "timePartitioning", "rangePartitioning", "clustering", "description", "labels", "friendlyName", "requirePartitionFilter",
            "defaultRoundingMode", "defaultCollation", "tableConstraints")
    return {name: body[name] for name in kept if name in body}


def scanned(statement: "Statement", scan, cursor) -> tuple:
    """The table of a COPY or CLONE, the FROM item of its rows at the moment that is named, and that moment."""
    node, _ = node_of(scan)
    table = statement.order[node.table.serialization_id - 1]
    at = Compiler(statement, cursor).constant(node.for_system_time_expr) if node.HasField("for_system_time_expr") else None
    relation = table.relation(at)
    if table.body["type"] not in ("TABLE", "SNAPSHOT"):
        raise ApiError("invalid", f"{iam.name_of(table.ref)} is not allowed for this operation because it is currently a {table.body['type']}.")
    moment = at or dt.datetime.now(dt.timezone.utc)
    return table, relation, moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def create_snapshot(job: "Job", statement: "Statement") -> None:
    node = statement.node
    ref = table_ref(job, statement, node.parent)
    with job.cursor() as cursor:
        table, relation, moment = scanned(statement, node.clone_from, cursor)
        given = copied(table.body) | options(statement, node.option_list, cursor, TABLE_OPTIONS)
    given |= {"snapshotDefinition": {"baseTableReference": reference(table.ref), "snapshotTime": moment}}
    given = tables.prepare(job.emulator, job.principal, given, ref)
    job.write(lambda tx: make(tx, job, node.parent, ref, given, relation))


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


def performed(create, exists: bool) -> str:
    """What a CREATE statement does: ddlOperationPerformed."""
    if not exists:
        return "CREATE"
    return "SKIP" if create.create_mode == IF_NOT_EXISTS else "REPLACE"


def foresee(job: "Job", statement: "Statement") -> dict:
    """The statistics of a CREATE TABLE or VIEW that a dry run tells; ApiError duplicate where the run would fail."""
    create = statement.node.parent.parent
    ref = table_ref(job, statement, create)
    old = job.lake.get("table", ref)
    exists = old is not None and not tables.expired(old)
    if exists and create.create_mode == CREATE:
        raise ApiError("duplicate", f"Already Exists: Table {iam.name_of(ref)}")
    return {"ddlOperationPerformed": performed(create, exists), "ddlTargetTable": reference(ref)}


def make(tx: Transaction, job: "Job", create, ref: tables.Ref, given: dict, relation: str | None) -> None:
    """Make a table or view, or leave or replace the one that is there, as the statement says."""
    old = tx.get("table", ref)
    exists = old is not None and not tables.expired(old)
    if exists and create.create_mode == CREATE:
        raise ApiError("duplicate", f"Already Exists: Table {iam.name_of(ref)}")
    done = performed(create, exists)
    if done != "SKIP":
        tables.create(tx, ref, given)
        if relation:
            tables.insert_rows(tx, tx.get("table", ref), given["schema"]["fields"], relation)
    job.schema = given["schema"]["fields"]
    job.statistics["query"] |= {"ddlOperationPerformed": done, "ddlTargetTable": reference(ref)}


def table_properties(statement: "Statement", base, cursor) -> dict:
    """A CREATE TABLE as a table's REST body."""
    fields = [column_field(item, statement, cursor) for item in base.column_definition_list]
    names = {item.column.column_id: item.name for item in base.column_definition_list}
    given = {"schema": {"fields": fields}}
    given |= without_nulls(options(statement, base.option_list, cursor, TABLE_OPTIONS))
    for expression in statement.node.partition_by_list:
        given |= partitioning(statement, expression, names, cursor)
    if "timePartitioning" in given and "_expirationMs" in given:
        given["timePartitioning"]["expirationMs"] = given.pop("_expirationMs")
    given |= clustering(statement.node.cluster_by_list, names)
    if base.primary_key.ByteSize() or base.foreign_key_list:
        given["tableConstraints"] = constraints(statement, base)
    return given


def constraints(statement: "Statement", base) -> dict:
    """Primary and foreign keys, which BigQuery keeps and does not enforce, as REST tableConstraints."""
    found = {}
    if base.primary_key.ByteSize():
        found["primaryKey"] = primary_key(base.primary_key)
    if base.foreign_key_list:
        found["foreignKeys"] = [foreign_key(statement, key) for key in base.foreign_key_list]
    return found


def primary_key(key) -> dict:
    if not key.unenforced:
        raise ApiError("invalidQuery", "Enforced primary keys are not supported; add NOT ENFORCED.", "query")
    return {"columns": list(key.column_name_list)}


def foreign_key(statement: "Statement", key) -> dict:
    if key.enforced:
        raise ApiError("invalidQuery", "Enforced foreign keys are not supported; add NOT ENFORCED.", "query")
    table = statement.order[key.referenced_table.serialization_id - 1]
    pairs = zip(key.referencing_column_list, key.referenced_column_offset_list)
    return {"name": key.constraint_name or f"fk${len(key.referencing_column_list)}", "referencedTable": reference(table.ref),
            "columnReferences": [{"referencingColumn": name, "referencedColumn": table.fields[place]["name"]} for name, place in pairs]}


def clustering(items, names: dict[int, str]) -> dict:
    return {"clustering": {"fields": [names[item.resolved_column_ref_node.column.column_id] for item in items]}} if items else {}


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
    return without_nulls(options(statement, about.option_list, cursor, COLUMN_OPTIONS)) | parameters_of(about.type_parameters)


def parameters_of(parameters) -> dict:
    """The parameters of a type, as in STRING(10) and NUMERIC(5, 2), as REST has them."""
    found = {}
    if parameters.HasField("string_type_parameters") and parameters.string_type_parameters.HasField("max_length"):
        found["maxLength"] = str(parameters.string_type_parameters.max_length)
    if parameters.HasField("numeric_type_parameters"):
        found["precision"] = str(parameters.numeric_type_parameters.precision)
        if parameters.numeric_type_parameters.scale:
            found["scale"] = str(parameters.numeric_type_parameters.scale)
    return found


def create_view(job: "Job", statement: "Statement") -> None:
    """CREATE VIEW and CREATE MATERIALIZED VIEW; the latter is read as its query says, so it is always fresh."""
    base = statement.node.parent
    ref = table_ref(job, statement, base.parent)
    materialized = statement.type == "CREATE_MATERIALIZED_VIEW"
    with job.cursor() as cursor:
        given = without_nulls(options(statement, base.option_list, cursor, TABLE_OPTIONS | (REFRESH_OPTIONS if materialized else {})))
        if materialized:
            refresh = {name: given.pop(name) for name in ("enableRefresh", "refreshIntervalMs") if name in given}
            given["materializedView"] = {"query": base.sql, "enableRefresh": True, "refreshIntervalMs": "1800000"} | refresh
            given |= clustering(statement.node.cluster_by_list, {c.column.column_id: c.name for c in base.output_column_list})
            if statement.node.partition_by_list or statement.node.replica_source.ByteSize():
                raise unsupported("CREATE MATERIALIZED VIEW with PARTITION BY or AS REPLICA OF")
        else:
            given["view"] = {"query": base.sql, "useLegacySql": False}
    if base.has_explicit_columns:
        given["_columns"] = [column.name for column in base.output_column_list]
    given = tables.prepare(job.emulator, job.principal, given, ref)
    job.write(lambda tx: make(tx, job, base.parent, ref, given, None))


def create_schema(job: "Job", statement: "Statement") -> None:
    base = statement.node.parent
    ref = dataset_ref(job, statement, base.parent.name_path, "bigquery.datasets.create")
    with job.cursor() as cursor:
        body = datasets.new(job.principal, ref, without_nulls(options(statement, base.option_list, cursor, SCHEMA_OPTIONS)))

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


# ALTER --------------------------------------------------------------------------------------------

def alter(job: "Job", statement: "Statement") -> None:
    """ALTER TABLE, VIEW and MATERIALIZED VIEW: its actions one after another, in one transaction."""
    alone = statement.node_name == "resolved_alter_table_set_options_stmt_node"
    base = statement.node if alone else statement.node.parent
    actions = [("set_options", base)] if alone else [(name_of(action), node_of(action)[0]) for action in base.alter_action_list]
    kind = statement.type.removeprefix("ALTER_")
    ref = named_table(job, statement, base.name_path, "bigquery.tables.update")

    def work(tx: Transaction) -> None:
        body = tx.get("table", ref)
        there = body is not None and not tables.expired(body)
        if not there and not base.is_if_exists:
            raise not_found("Table", iam.name_of(ref), datasets.find(tx, ref[:2])["location"])
        if there:
            check_kind(ref, body, (kind,))
            change(tx, ref, body)
        job.statistics["query"] |= {"ddlOperationPerformed": "ALTER" if there else "SKIP", "ddlTargetTable": reference(ref)}

    def change(tx: Transaction, ref: tables.Ref, body: dict) -> None:
        for name, node in actions:
            if name == "rename_to":
                tables.rename(tx, ref, body, node.new_path[-1])
                return
            if name not in ACTIONS:
                raise unsupported(f"ALTER {kind.replace('_', ' ')} {name.replace('_', ' ').upper()}")
            body = ACTIONS[name](tx, body, node, Altering(statement, tx.cursor))
        tables.check_layout(body)
        tx.put("table", ref, {**body, "lastModifiedTime": str(now_ms())})
    job.write(work)


def name_of(action) -> str:
    """The name of an action of ALTER, e.g. add_column."""
    return node_of(action)[1].removeprefix("resolved_").removesuffix("_action_node")


class Altering:
    """What an action of ALTER needs beside its node: the statement, and a cursor on which constants are evaluated."""

    def __init__(self, statement: "Statement", cursor):
        self.statement, self.cursor = statement, cursor

    def options(self, items, known: dict[str, tuple[str, Callable]]) -> dict:
        return options(self.statement, items, self.cursor, known)


def add_column(tx: Transaction, body: dict, node, altering: Altering) -> dict:
    field = column_field(node.column_definition, altering.statement, altering.cursor)
    if position(body, field["name"]) is not None:
        if node.is_if_not_exists:
            return body
        raise ApiError("invalidQuery", f"Column already exists: {field['name']}", "query")
    if "defaultValueExpression" in field:
        raise ApiError("invalidQuery", f"Cannot add a column with a default value: {field['name']}. Add the column first, then set its default.", "query")
    fields = tables.check_schema([*fields_of(body), field])
    tables.alter(tx, body, fields)
    return with_fields(body, fields)


def drop_column(tx: Transaction, body: dict, node, altering: Altering) -> dict:
    place = position(body, node.name)
    if place is None:
        if node.is_if_exists:
            return body
        raise ApiError("invalidQuery", f"Column not found: {node.name}", "query")
    fields = fields_of(body)
    layout = body.get("timePartitioning", {}).get("field"), body.get("rangePartitioning", {}).get("field"), *body.get("clustering", {}).get("fields", ())
    if node.name.lower() in [name.lower() for name in layout if name]:
        raise ApiError("invalidQuery", f"Cannot drop column {node.name}: the table is partitioned or clustered by it.", "query")
    if len(fields) == 1:
        raise ApiError("invalidQuery", f"Cannot drop column {node.name}: it is the only column of the table.", "query")
    tx.execute(f"ALTER TABLE {body['_relation']} DROP COLUMN {values.identifier(fields[place]['name'])}")
    return with_fields(body, fields[:place] + fields[place + 1:])


def rename_column(tx: Transaction, body: dict, node, altering: Altering) -> dict:
    place = position(body, node.name)
    if place is None:
        if node.is_if_exists:
            return body
        raise ApiError("invalidQuery", f"Column not found: {node.name}", "query")
    if position(body, node.new_name) not in (None, place):
        raise ApiError("invalidQuery", f"Column already exists: {node.new_name}", "query")
    fields = fields_of(body)
    old = fields[place]["name"]
    fields[place] = {**fields[place], "name": node.new_name}
    tables.check_schema(fields)
    tx.execute(f"ALTER TABLE {body['_relation']} RENAME COLUMN {values.identifier(old)} TO {values.identifier(node.new_name)}")
    renamed = with_fields(body, fields)
    for key in ("timePartitioning", "rangePartitioning"):
        if renamed.get(key, {}).get("field", "").lower() == old.lower():
            renamed[key] = {**renamed[key], "field": node.new_name}
    if "clustering" in renamed:
        renamed["clustering"] = {"fields": [node.new_name if name.lower() == old.lower() else name for name in renamed["clustering"]["fields"]]}
    return renamed


def alter_column(change: Callable):
    """An action on one column, made of what it does to the column's field."""
    def action(tx: Transaction, body: dict, node, altering: Altering) -> dict:
        place = position(body, node.parent.column)
        if place is None:
            if node.parent.is_if_exists:
                return body
            raise ApiError("invalidQuery", f"Column not found: {node.parent.column}", "query")
        fields = fields_of(body)
        before, fields[place] = fields[place], change(tx, body, fields[place], node, altering)
        if values.type_name(before) == values.type_name(fields[place]):
            return with_fields(body, fields)
        cast = Compiler(altering.statement, tx.cursor).cast(
            values.identifier(before["name"]), types.type_proto(before), types.type_proto(fields[place]), False)
        return tables.retype(tx, body, fields, before["name"], cast)
    return action


@alter_column
def set_column_options(tx: Transaction, body: dict, field: dict, node, altering: Altering) -> dict:
    return without_nulls(field | altering.options(node.option_list, COLUMN_OPTIONS))


@alter_column
def drop_not_null(tx: Transaction, body: dict, field: dict, node, altering: Altering) -> dict:
    if field.get("mode") != "REQUIRED":
        raise ApiError("invalidQuery", f"Column {field['name']} is not REQUIRED, so NOT NULL can't be dropped.", "query")
    tx.execute(f"ALTER TABLE {body['_relation']} ALTER COLUMN {values.identifier(field['name'])} DROP NOT NULL")
    return {**field, "mode": "NULLABLE"}


@alter_column
def set_default(tx: Transaction, body: dict, field: dict, node, altering: Altering) -> dict:
    return {**field, "defaultValueExpression": node.default_value.sql}


@alter_column
def drop_default(tx: Transaction, body: dict, field: dict, node, altering: Altering) -> dict:
    return {key: value for key, value in field.items() if key != "defaultValueExpression"}


# What a column's type can become. Source: "Modify table schemas", changing a column's data type.
WIDER = {"INTEGER": {"NUMERIC", "BIGNUMERIC", "FLOAT"}, "NUMERIC": {"BIGNUMERIC", "FLOAT"}}


@alter_column
def set_data_type(tx: Transaction, body: dict, field: dict, node, altering: Altering) -> dict:
    new = types.rest_field(node.updated_type, field["name"]) | parameters_of(node.updated_type_parameters)
    kept = {key: field[key] for key in ("mode", "description", "policyTags", "defaultValueExpression", "roundingMode") if key in field}
    before, after = values.type_name(field), values.type_name(new)
    if before != after and after not in WIDER.get(before, ()) or narrower(field, new):
        raise ApiError("invalidQuery", f"ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type ({type_text(field)}) is "
                                       f"assignable to the new type ({type_text(new)})", "query")
    return new | kept


def narrower(old: dict, new: dict) -> bool:
    """Whether a type's parameters hold less than they did; a type without any holds all that it can."""
    for name in ("maxLength", "precision", "scale"):
        if name in new and (name not in old and name != "scale" or int(new[name]) < int(old.get(name, 0))):
            return True
    return "precision" in new and "precision" in old and int(new["precision"]) - int(new.get("scale", 0)) < int(old["precision"]) - int(old.get("scale", 0))


def type_text(field: dict) -> str:
    from .information_schema import data_type
    return data_type(field)


def set_options(tx: Transaction, body: dict, node, altering: Altering) -> dict:
    known = TABLE_OPTIONS | (REFRESH_OPTIONS if body["type"] == "MATERIALIZED_VIEW" else {})
    given = altering.options(node.option_list, known)
    if "_expirationMs" in given:
        if "timePartitioning" not in body:
            raise ApiError("invalidQuery", "The option partition_expiration_days is for tables partitioned by time.", "query")
        given["timePartitioning"] = without_nulls({**body["timePartitioning"], "expirationMs": given.pop("_expirationMs")})
    if "materializedView" in body:
        refresh = {name: given.pop(name) for name in ("enableRefresh", "refreshIntervalMs") if name in given}
        given["materializedView"] = without_nulls(body["materializedView"] | refresh)
    changed = without_nulls(body | given)
    if changed.get("expirationTime") != body.get("expirationTime"):
        tables.check_expiration(changed)
    return changed


def add_constraint(tx: Transaction, body: dict, node, altering: Altering) -> dict:
    constraint, name = node_of(node.constraint)
    found = dict(body.get("tableConstraints") or {})
    if name == "resolved_primary_key_node":
        if "primaryKey" in found:
            raise ApiError("invalidQuery", f"Already Exists: Primary key of table {body['id']}", "query")
        found["primaryKey"] = primary_key(constraint)
    elif name == "resolved_foreign_key_node":
        key = foreign_key(altering.statement, constraint)
        if key["name"] in [other["name"] for other in found.get("foreignKeys", ())]:
            if node.is_if_not_exists:
                return body
            raise ApiError("invalidQuery", f"Already Exists: Constraint {key['name']} of table {body['id']}", "query")
        found["foreignKeys"] = [*found.get("foreignKeys", ()), key]
    else:
        raise unsupported("ALTER TABLE ADD CHECK")
    return {**body, "tableConstraints": found}


def drop_primary_key(tx: Transaction, body: dict, node, altering: Altering) -> dict:
    found = dict(body.get("tableConstraints") or {})
    if found.pop("primaryKey", None) is None and not node.is_if_exists:
        raise ApiError("invalidQuery", f"Table {body['id']} has no primary key.", "query")
    return without_nulls({**body, "tableConstraints": found or None})


def drop_constraint(tx: Transaction, body: dict, node, altering: Altering) -> dict:
    found = dict(body.get("tableConstraints") or {})
    left = [key for key in found.get("foreignKeys", ()) if key["name"].lower() != node.name.lower()]
    if len(left) == len(found.get("foreignKeys", ())):
        if node.is_if_exists:
            return body
        raise ApiError("invalidQuery", f"Constraint not found: {node.name}", "query")
    return without_nulls({**body, "tableConstraints": without_nulls({**found, "foreignKeys": left or None}) or None})


ACTIONS: dict[str, Callable[[Transaction, dict, object, Altering], dict]] = {
    "add_column": add_column, "drop_column": drop_column, "rename_column": rename_column, "set_options": set_options,
    "alter_column_options": set_column_options, "alter_column_drop_not_null": drop_not_null, "alter_column_set_data_type": set_data_type,
    "alter_column_set_default": set_default, "alter_column_drop_default": drop_default, "add_constraint": add_constraint,
    "drop_primary_key": drop_primary_key, "drop_constraint": drop_constraint}


def fields_of(body: dict) -> list[dict]:
    return list(body.get("schema", {}).get("fields", ()))


def with_fields(body: dict, fields: list[dict]) -> dict:
    return {**body, "schema": {**body.get("schema", {}), "fields": fields}}


def position(body: dict, name: str) -> int | None:
    """A column's place, whatever the case of its name; None for a missing one."""
    return next((place for place, field in enumerate(fields_of(body)) if field["name"].lower() == name.lower()), None)


def alter_schema(job: "Job", statement: "Statement") -> None:
    base = statement.node.parent
    ref = dataset_ref(job, statement, base.name_path, "bigquery.datasets.update")

    def work(tx: Transaction) -> None:
        body = tx.get("dataset", ref)
        if not body and not base.is_if_exists:
            raise not_found("Dataset", iam.name_of(ref), datasets.DEFAULT_LOCATION)
        for action in base.alter_action_list if body else ():
            if name_of(action) != "set_options":
                raise unsupported(f"ALTER SCHEMA {name_of(action).replace('_', ' ').upper()}")
            body = without_nulls(body | options(statement, node_of(action)[0].option_list, tx.cursor, SCHEMA_OPTIONS))
            datasets.check(body)
        if body:
            tx.put("dataset", ref, {**body, "lastModifiedTime": str(now_ms())})
        job.statistics["query"] |= {"ddlOperationPerformed": "ALTER" if body else "SKIP",
                                    "ddlTargetDataset": {"projectId": ref[0], "datasetId": ref[1]}}
    job.write(work)


# DROP ---------------------------------------------------------------------------------------------

KINDS = {"TABLE": ("TABLE", "SNAPSHOT"), "VIEW": ("VIEW",), "MATERIALIZED_VIEW": ("MATERIALIZED_VIEW",), "SNAPSHOT_TABLE": ("SNAPSHOT",)}


def drop(job: "Job", statement: "Statement") -> None:
    """DROP SCHEMA, TABLE, VIEW, MATERIALIZED VIEW and SNAPSHOT TABLE."""
    node = statement.node
    kind = DROPPED.get(statement.node_name) or node.object_type.upper().replace(" ", "_")
    job.statistics["query"]["statementType"] = f"DROP_{kind}"
    if kind == "SCHEMA":
        return drop_schema(job, statement)
    if kind not in KINDS:
        raise unsupported(f"DROP {kind.replace('_', ' ')}")
    ref = named_table(job, statement, node.name_path, "bigquery.tables.delete")

    def work(tx: Transaction) -> None:
        body = tx.get("table", ref)
        there = body is not None and not tables.expired(body)
        if not there and not node.is_if_exists:
            raise not_found("Table", iam.name_of(ref))
        if there:
            check_kind(ref, body, KINDS[kind])
            tables.drop(tx, ref, body)
        job.statistics["query"] |= {"ddlOperationPerformed": "DROP" if there else "SKIP", "ddlTargetTable": reference(ref)}
    job.write(work)


DROPPED = {"resolved_drop_materialized_view_stmt_node": "MATERIALIZED_VIEW", "resolved_drop_snapshot_table_stmt_node": "SNAPSHOT_TABLE"}


def check_kind(ref: tables.Ref, body: dict, kinds: tuple[str, ...]) -> None:
    if body["type"] not in kinds:
        raise ApiError("invalidQuery", f"{iam.name_of(ref)} is not allowed for this operation because it is currently a {body['type']}.", "query")


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


# GRANT and REVOKE ---------------------------------------------------------------------------------

def grant(job: "Job", statement: "Statement") -> None:
    """GRANT and REVOKE of roles on a schema, a table or a view: the same policies and access entries as by REST."""
    base = statement.node.parent
    kind = " ".join(base.object_type_list).upper()
    with job.cursor() as cursor:
        members = [*base.grantee_list, *(statement.constant(item, cursor) for item in base.grantee_expr_list)]
    roles = [privilege.action_type for privilege in base.privilege_list]
    revokes = statement.type == "REVOKE"
    if kind == "SCHEMA":
        return grant_on_schema(job, dataset_ref(job, statement, base.name_path, "bigquery.datasets.update"), roles, members, revokes)
    if kind not in GRANTED:
        raise unsupported(f"{statement.type} on {kind}")
    ref = named_table(job, statement, base.name_path, "bigquery.tables.setIamPolicy")

    def work(tx: Transaction) -> None:
        check_kind(ref, tables.find(tx, ref), GRANTED[kind])
        policy = iam.get_policy(tx, ref)
        bindings = [dict(binding) for binding in policy.get("bindings", ())]
        for role in roles:
            if not revokes:
                bindings.append({"role": role, "members": members})
            for binding in bindings if revokes else ():
                if binding["role"] == role and "condition" not in binding:
                    binding["members"] = [member for member in binding["members"] if member not in members]
        tx.put("policy", ref, iam.checked_policy({**policy, "bindings": bindings}, policy))
        job.statistics["query"]["dclTargetView" if kind == "VIEW" else "dclTargetTable"] = reference(ref)
    job.write(work)


GRANTED = {"TABLE": ("TABLE", "SNAPSHOT", "EXTERNAL"), "VIEW": ("VIEW", "MATERIALIZED_VIEW"), "MATERIALIZED VIEW": ("MATERIALIZED_VIEW",)}


def grant_on_schema(job: "Job", ref: tuple[str, str], roles: list[str], members: list[str], revokes: bool) -> None:
    entries = [access_entry(role, member) for role in roles for member in members]

    def work(tx: Transaction) -> None:
        body = datasets.find(tx, ref)
        kept = [entry for entry in body["access"] if entry not in entries]
        tx.put("dataset", ref, {**body, "access": kept if revokes else kept + entries, "lastModifiedTime": str(now_ms())})
        job.statistics["query"]["dclTargetDataset"] = {"projectId": ref[0], "datasetId": ref[1]}
    job.write(work)


def access_entry(role: str, member: str) -> dict:
    """A role and a member of a policy as an entry of a dataset's access."""
    iam.check_member(member)
    short = {f"roles/{name}": word for word, name in iam.ACCESS_ROLES.items()}
    kind, _, name = member.partition(":")
    key = {"user": "userByEmail", "serviceAccount": "userByEmail", "group": "groupByEmail", "domain": "domain"}.get(kind)
    who = {"specialGroup": member} if member == "allAuthenticatedUsers" else {key: name} if key else {"iamMember": member}
    return {"role": short.get(role, role)} | who


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
    "default_rounding_mode": ("defaultRoundingMode", str), "max_staleness": ("maxStaleness", str)}
REFRESH_OPTIONS: dict[str, tuple[str, Callable]] = {
    "enable_refresh": ("enableRefresh", bool), "refresh_interval_minutes": ("refreshIntervalMs", lambda minutes: str(int(float(minutes) * 60_000)))}
SCHEMA_OPTIONS: dict[str, tuple[str, Callable]] = {
    "description": ("description", str), "friendly_name": ("friendlyName", str), "labels": ("labels", _labels), "location": ("location", str),
    "default_table_expiration_days": ("defaultTableExpirationMs", lambda days: str(int(float(days) * DAY_MS))),
    "default_partition_expiration_days": ("defaultPartitionExpirationMs", lambda days: str(int(float(days) * DAY_MS))),
    "max_time_travel_hours": ("maxTimeTravelHours", str), "default_rounding_mode": ("defaultRoundingMode", str)}


def options(statement: "Statement", items, cursor, known: dict[str, tuple[str, Callable]]) -> dict:
    """An OPTIONS list as REST properties, None for NULL; ApiError notImplemented names one that is not supported."""
    found = {}
    for item in items:
        if item.name.lower() not in known:
            raise unsupported(f"the option {item.name}")
        name, convert = known[item.name.lower()]
        value = statement.constant(item.value, cursor)
        found[name] = convert(value) if value is not None else None
    return found


def partitioning(statement: "Statement", expression, names: dict[int, str], cursor) -> dict:
    """A PARTITION BY expression as timePartitioning or rangePartitioning; ApiError notImplemented for another form."""
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
    "CREATE_TABLE": create_table, "CREATE_TABLE_AS_SELECT": create_table, "CREATE_VIEW": create_view, "CREATE_MATERIALIZED_VIEW": create_view,
    "CREATE_SNAPSHOT_TABLE": create_snapshot, "CREATE_SCHEMA": create_schema, "ALTER_TABLE": alter, "ALTER_VIEW": alter,
    "ALTER_MATERIALIZED_VIEW": alter, "ALTER_SCHEMA": alter_schema, "DROP": drop, "GRANT": grant, "REVOKE": grant}
