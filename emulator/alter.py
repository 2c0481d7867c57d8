"""ALTER TABLE, VIEW, MATERIALIZED VIEW and SCHEMA: actions on a resource, one after another, in one transaction."""
from __future__ import annotations

from typing import TYPE_CHECKING

from . import datasets, history, iam, options, partitions, query, row_access, rules, tables, values
from .calls import merge
from .errors import ApiError, not_found, unsupported
from .googlesql import types
from .googlesql.tree import node_of
from .lake import Transaction, now_ms

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

# The kinds of table that each statement is for, and the options it sets.
KINDS = {"ALTER_TABLE": (("TABLE", "EXTERNAL", "SNAPSHOT"), options.TABLE, "TABLE"), "ALTER_VIEW": (("VIEW",), options.VIEW, "VIEW"),
         "ALTER_MATERIALIZED_VIEW": (("MATERIALIZED_VIEW",), options.MATERIALIZED_VIEW, "MATERIALIZED VIEW")}
# The columns that may become others, beside those that the analyzer refuses.
WIDER = {("INTEGER", "NUMERIC"), ("INTEGER", "BIGNUMERIC"), ("INTEGER", "FLOAT"), ("NUMERIC", "BIGNUMERIC"), ("NUMERIC", "FLOAT")}


def alter_table(job: "Job", statement: "Statement") -> None:
    """ALTER TABLE, VIEW and MATERIALIZED VIEW."""
    node = statement.node if statement.node_name == "resolved_alter_table_set_options_stmt_node" else statement.node.parent
    ref = query.named(job, statement, node.name_path, "bigquery.tables.update")

    def work(tx: Transaction) -> None:
        there = (body := tx.get("table", ref)) and not tables.expired(body)
        if not there and not node.is_if_exists:
            tables.find(tx, ref)
        if there:
            change = Alteration(job, statement, tx, ref, body)
            change.run(node)
        job.statistics["query"] |= {"ddlOperationPerformed": "ALTER" if there else "SKIP", "ddlTargetTable": query.reference(ref)}
    job.write(work)


def alter_schema(job: "Job", statement: "Statement") -> None:
    from .statements import dataset_ref
    node = statement.node.parent
    ref = dataset_ref(job, statement, node.name_path, "bigquery.datasets.update")

    def work(tx: Transaction) -> None:
        body = tx.get("dataset", ref)
        if not body and not node.is_if_exists:
            raise not_found("Dataset", iam.name_of(ref), datasets.DEFAULT_LOCATION)
        if body:
            for item in node.alter_action_list:
                action, name = node_of(item)
                body = datasets.changed(body, merge(body, schema_patch(tx, statement, action, name)))
            tx.put("dataset", ref, body)
        job.statistics["query"] |= {"ddlOperationPerformed": "ALTER" if body else "SKIP",
                                    "ddlTargetDataset": {"projectId": ref[0], "datasetId": ref[1]}}
    job.write(work)


def schema_patch(tx: Transaction, statement: "Statement", action, name: str) -> dict:
    if name == "resolved_set_collate_clause_node":
        return {"defaultCollation": statement.constant(action.collation_name, tx.cursor) or None}
    if name == "resolved_set_options_action_node":
        return options.read(statement, action.option_list, tx.cursor, options.SCHEMA, "SCHEMA")
    raise unsupported(f"ALTER SCHEMA {words(name)}")


def words(name: str) -> str:
    """An action as SQL writes it."""
    return name.removeprefix("resolved_").removesuffix("_node").removesuffix("_action").removesuffix("_clause").replace("_", " ").upper()


class Alteration:
    """One table under change. Each action is the method named after it, and leaves `body` and `ref` as they will be."""

    def __init__(self, job: "Job", statement: "Statement", tx: Transaction, ref: tables.Ref, body: dict):
        self.job, self.statement, self.tx, self.ref = job, statement, tx, ref
        self.old, self.body = body, {**body}
        kinds, self.options, self.what = KINDS[statement.type]
        if body["type"] not in kinds:
            raise ApiError("invalidQuery", f"{iam.name_of(ref)} is not allowed for this operation because it is currently a {body['type']}.", "query")

    def run(self, node) -> None:
        if self.statement.node is node:
            self.set_options(node)
        else:
            for item in node.alter_action_list:
                action, name = node_of(item)
                rule = getattr(self, name.removeprefix("resolved_").removesuffix("_node").removesuffix("_action").removesuffix("_clause"), None)
                if rule is None:
                    raise unsupported(f"ALTER {self.what} {words(name)}")
                rule(action)
        rules.check_layout(self.body)
        self.tx.put("table", self.ref, {**self.body, "lastModifiedTime": str(now_ms())})

    @property
    def fields(self) -> list[dict]:
        return self.body.get("schema", {}).get("fields", [])

    def set_fields(self, fields: list[dict]) -> None:
        self.body["schema"] = {**self.body.get("schema", {}), "fields": fields}

    def field(self, name: str) -> dict | None:
        return next((field for field in self.fields if field["name"].lower() == name.lower()), None)

    def existing(self, name: str, may_miss: bool = False) -> dict | None:
        """A column of the table; ApiError invalidQuery where there is none, None if that is allowed."""
        field = self.field(name)
        if field is None and not may_miss:
            raise ApiError("invalidQuery", f"Column not found: {name}", "query")
        return field

    def change(self, field: dict, **properties) -> None:
        """Give a column other properties, None for one that it loses."""
        changed = {key: value for key, value in {**field, **properties}.items() if value is not None}
        self.set_fields([changed if each is field else each for each in self.fields])

    def sql(self, text: str) -> None:
        """Change the table's rows in the lake: `text` follows ALTER TABLE and the name."""
        self.own()
        self.tx.execute(f"ALTER TABLE {self.body['_relation']} {text}")

    def own(self) -> None:
        """Actions on columns are for tables that have rows of their own in the lake."""
        if self.body["type"] != "TABLE":
            raise ApiError("invalidQuery", f"{iam.name_of(self.ref)} is not allowed for this operation because it is currently a "
                                           f"{self.body['type']}.", "query")
        if not self.body["_relation"].startswith("lake."):
            from .transfer import own_rows
            own_rows(self.tx, self.ref)
            self.body["_relation"] = self.tx.get("table", self.ref)["_relation"]

    # Columns --------------------------------------------------------------------------------------

    def add_column(self, action) -> None:
        from .statements import column_field
        item = action.column_definition
        if self.field(item.name):
            if action.is_if_not_exists:
                return
            raise ApiError("invalidQuery", f"Column already exists: {item.name}", "query")
        field = column_field(item, self.statement, self.tx.cursor)
        if field.get("mode") == "REQUIRED":
            raise tables.mismatch(self.body["id"], f"Cannot add required fields to an existing schema. (field: {item.name})")
        if "defaultValueExpression" in field:
            raise ApiError("invalidQuery", "Adding a column with a default value to an existing table is not supported: add the column first, then "
                                           "ALTER COLUMN SET DEFAULT.", "query")
        (field,) = tables.inheriting(tables.check_schema([field]), self.body)
        self.own()
        tables.add_column(self.tx, self.body["_relation"], field)
        if not self.fields:
            self.sql("DROP COLUMN _empty")
        self.set_fields([*self.fields, field])

    def drop_column(self, action) -> None:
        field = self.existing(action.name, action.is_if_exists)
        if field is None:
            return
        self.check_free(field["name"], "dropped")
        if len(self.fields) == 1:
            raise ApiError("invalidQuery", f"Cannot drop column {field['name']}: a table must have at least one column.", "query")
        self.sql(f"DROP COLUMN {values.identifier(field['name'])}")
        self.set_fields([each for each in self.fields if each is not field])

    def rename_column(self, action) -> None:
        field = self.existing(action.name, action.is_if_exists)
        if field is None:
            return
        self.check_free(field["name"], "renamed")
        rules.check_column(action.new_name, "")
        taken = self.field(action.new_name)
        if taken and taken is not field:
            raise ApiError("invalidQuery", f"Column already exists: {action.new_name}", "query")
        if field["name"] != action.new_name:
            self.sql(f"RENAME COLUMN {values.identifier(field['name'])} TO {values.identifier(action.new_name)}")
        self.change(field, name=action.new_name)

    def check_free(self, name: str, what: str) -> None:
        """ApiError invalidQuery for a column that the table's layout or keys need."""
        partitioning = self.body.get("timePartitioning") or self.body.get("rangePartitioning") or {}
        if partitioning.get("field", "").lower() == name.lower():
            raise ApiError("invalidQuery", f"Partitioning column {name} cannot be {what}.", "query")
        if name.lower() in [each.lower() for each in (self.body.get("clustering") or {}).get("fields", ())]:
            raise ApiError("invalidQuery", f"Clustering column {name} cannot be {what}.", "query")
        if name.lower() in [each.lower() for each in constrained(self.body)]:
            raise ApiError("invalidQuery", f"Column {name} is part of a constraint and cannot be {what}.", "query")

    def alter_column_set_data_type(self, action) -> None:
        from .statements import annotated
        field = self.existing(action.parent.column, action.parent.is_if_exists)
        if field is None:
            return
        new = annotated(types.rest_field(action.updated_type, field["name"]), action.updated_annotations, self.statement, self.tx.cursor)
        if new["mode"] != (field.get("mode") or "NULLABLE"):
            raise ApiError("invalidQuery", f"Column `{field['name']}` cannot change mode via SET DATA TYPE.", "query")
        kept = {key: field[key] for key in ("description", "defaultValueExpression", "roundingMode", "mode") if key in field}
        new = widened(field, {**kept, **new}, self.body["id"])
        if values.duckdb_type(new) != values.duckdb_type(field):
            self.rewrite(field, new, types.sql_name(action.updated_type))
        self.set_fields([new if each is field else each for each in self.fields])

    def rewrite(self, field: dict, new: dict, type_: str) -> None:
        """Make the rows anew, with one column of another type. The old ones stay in the past."""
        self.own()
        column, hidden = f"`{field['name']}`", partitions.hidden(self.body)
        rest = "".join(f", {each['name']} AS hidden_{place}" for place, each in enumerate(hidden))
        select = self.statement.sql.prepare(
            f"SELECT * REPLACE (CAST({column} AS {type_}) AS {column}){rest} FROM {'.'.join(f'`{part}`' for part in self.ref)}",
            lambda _: query.Table(self.job.emulator, self.ref, self.body))
        relation = self.tx.create_relation([*(new if each is field else each for each in self.fields), *hidden])
        self.tx.execute(f"INSERT INTO {relation} {select.compile(self.tx.cursor)}")
        self.tx.drop_relation(self.body)
        self.body |= history.marked(self.tx, {"_relation": relation, "_data": self.tx.stamp}, hidden=True)

    def alter_column_set_default(self, action) -> None:
        if field := self.existing(action.parent.column, action.parent.is_if_exists):
            self.change(field, defaultValueExpression=action.default_value.sql)

    def alter_column_drop_default(self, action) -> None:
        if field := self.existing(action.parent.column, action.parent.is_if_exists):
            self.change(field, defaultValueExpression=None)

    def alter_column_drop_not_null(self, action) -> None:
        if (field := self.existing(action.parent.column, action.parent.is_if_exists)) is None:
            return
        if field.get("mode") != "REQUIRED":
            raise ApiError("invalidQuery", f"ALTER COLUMN DROP NOT NULL cannot be done on column {field['name']}: it is not NOT NULL.", "query")
        self.sql(f"ALTER COLUMN {values.identifier(field['name'])} DROP NOT NULL")
        self.change(field, mode="NULLABLE")

    def alter_column_options(self, action) -> None:
        if field := self.existing(action.parent.column, action.parent.is_if_exists):
            self.change(field, **options.read(self.statement, action.option_list, self.tx.cursor, options.COLUMN, "COLUMN"))

    # The table ------------------------------------------------------------------------------------

    def set_options(self, action) -> None:
        if self.body["type"] == "EXTERNAL":
            raise unsupported("ALTER TABLE SET OPTIONS of an external table")
        patch = options.read(self.statement, action.option_list, self.tx.cursor, self.options, self.what)
        changed = merge(self.body, patch)
        if "timePartitioning" in changed and "type" not in changed["timePartitioning"]:
            raise ApiError("invalidQuery", "partition_expiration_days can only be set for tables that are partitioned by time.", "query")
        if changed.get("expirationTime") != self.body.get("expirationTime"):
            rules.check_expiration(changed)
        self.body = changed

    def set_collate(self, action) -> None:
        """The collation of columns that are still to come."""
        self.body = merge(self.body, {"defaultCollation": self.statement.constant(action.collation_name, self.tx.cursor) or None})

    def rename_to(self, action) -> None:
        path = list(action.new_path)
        if len(path) != 1 or "." in path[0]:
            raise ApiError("invalidQuery", "ALTER TABLE RENAME TO takes the new name without project and dataset.", "query")
        new = (*self.ref[:2], path[0])
        tables.check_name(new[2])
        if (taken := self.tx.get("table", new)) and not tables.expired(taken):
            raise ApiError("duplicate", f"Already Exists: Table {iam.name_of(new)}")
        policy = self.tx.get("policy", self.ref)
        self.tx.delete("table", self.ref)
        self.tx.delete("policy", self.ref)
        if policy:
            self.tx.put("policy", new, policy)
        row_access.move(self.tx, self.ref, new)
        self.ref, self.body = new, {**self.body, **tables.identity(new)}

    # Constraints ----------------------------------------------------------------------------------

    def add_constraint(self, action) -> None:
        node, name = node_of(action.constraint)
        known = dict(self.body.get("tableConstraints") or {})
        if name == "resolved_primary_key_node":
            if "primaryKey" in known:
                if action.is_if_not_exists:
                    return
                raise ApiError("invalidQuery", f"Already Exists: Primary key on table {iam.name_of(self.ref)}", "query")
            known["primaryKey"] = tables.primary_key(node)
        elif name == "resolved_foreign_key_node":
            key = tables.foreign_key(self.statement, node, known.get("foreignKeys", ()))
            if key["name"].lower() in [each["name"].lower() for each in known.get("foreignKeys", ())]:
                if action.is_if_not_exists:
                    return
                raise ApiError("invalidQuery", f"Already Exists: Constraint {key['name']} on table {iam.name_of(self.ref)}", "query")
            known["foreignKeys"] = [*known.get("foreignKeys", ()), key]
        else:
            raise unsupported("CHECK constraints")
        self.constrain(known)

    def drop_primary_key(self, action) -> None:
        known = dict(self.body.get("tableConstraints") or {})
        if not known.pop("primaryKey", None) and not action.is_if_exists:
            raise ApiError("invalidQuery", f"Not found: Primary key on table {iam.name_of(self.ref)}", "query")
        self.constrain(known)

    def drop_constraint(self, action) -> None:
        known = dict(self.body.get("tableConstraints") or {})
        keys = [key for key in known.get("foreignKeys", ()) if key["name"].lower() != action.name.lower()]
        if len(keys) == len(known.get("foreignKeys", ())) and not action.is_if_exists:
            raise ApiError("invalidQuery", f"Not found: Constraint {action.name} on table {iam.name_of(self.ref)}", "query")
        self.constrain(known | {"foreignKeys": keys})

    def constrain(self, known: dict) -> None:
        known = {name: value for name, value in known.items() if value}
        self.body = {key: value for key, value in self.body.items() if key != "tableConstraints"} | ({"tableConstraints": known} if known else {})


def constrained(body: dict) -> list[str]:
    """The columns that a table's keys are of."""
    known = body.get("tableConstraints") or {}
    found = list((known.get("primaryKey") or {}).get("columns", ()))
    return found + [pair["referencingColumn"] for key in known.get("foreignKeys", ()) for pair in key["columnReferences"]]


def widened(old: dict, new: dict, table: str, path: str = "") -> dict:
    """A column's new field; ApiError invalid unless it holds every value of the old one."""
    where = path + old["name"]
    before, after = values.type_name(old), values.type_name(new)
    if before != after and (before, after) not in WIDER:
        raise tables.mismatch(table, f"Field {where} has changed type from {before} to {after}")
    if before == "RECORD":
        if [part["name"].lower() for part in old["fields"]] != [part["name"].lower() for part in new["fields"]]:
            raise tables.mismatch(table, f"Field {where} has other fields than before")
        parts = [widened(one, {**other, "name": one["name"], "mode": one.get("mode") or "NULLABLE"}, table, where + ".")
                 for one, other in zip(old["fields"], new["fields"])]
        return {**new, "fields": parts}
    if before == after and narrower(old, new):
        raise ApiError("invalidQuery", f"ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type ({shown(old)}) is assignable to "
                                       f"the new type ({shown(new)})", "query")
    return new


def narrower(old: dict, new: dict) -> bool:
    """Whether the new field's parameters leave out values of the old one."""
    if "maxLength" in new:
        return "maxLength" not in old or int(new["maxLength"]) < int(old["maxLength"])
    if "precision" in new:
        whole = [int(field["precision"]) - int(field.get("scale", 0)) for field in (old, new) if "precision" in field]
        return len(whole) < 2 or whole[1] < whole[0] or int(new.get("scale", 0)) < int(old.get("scale", 0))
    return False


def shown(field: dict) -> str:
    from .ddl import data_type
    return data_type({**field, "mode": "NULLABLE"})
