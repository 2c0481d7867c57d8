"""INSERT, UPDATE, DELETE and MERGE as DuckDB SQL.

A change is first a SELECT of what is to happen: the lake's number of each row that goes (`_row`), which
kind of change it is (`_action`), and the values of each row that comes, in columns named as the table's.
The caller keeps that in a temporary table, then deletes and inserts by it: the same way for every statement,
however it joins and whatever subqueries it has.
"""
from __future__ import annotations

from .. import values
from ..errors import ApiError
from . import types
from .compiler import PSEUDO, Compiler
from .expressions import NoRule
from .tree import node_of

INSERT, UPDATE, DELETE = "INSERT", "UPDATE", "DELETE"
# By ResolvedMergeWhen.action_type, an enum of the resolved tree.
ACTIONS = (INSERT, UPDATE, DELETE)
# By ResolvedInsertStmt.insert_mode, the first being BigQuery's.
INSERT_MODES = ("", "INSERT OR IGNORE", "INSERT OR REPLACE", "INSERT OR UPDATE")
TWICE = "UPDATE/MERGE must match at most one source row for each target row"


class Change(Compiler):
    """One DML statement on its way into SQL. table: the target as the caller resolved it; written: the columns that may change."""

    def __init__(self, statement, cursor):
        super().__init__(statement, cursor)
        self.node = statement.node
        self.table = statement.target
        self.fields = getattr(self.table, "stored", self.table.fields)
        self.names = [field["name"] for field in self.fields]
        self.written: list[dict] = []

    def sql(self) -> str:
        """The SELECT of what is to happen; NoRule for a form there is no rule for."""
        self.refuse()
        return values.fitted_rows(getattr(self, self.plan.type.lower())(), self.written)

    def refuse(self) -> None:
        """ApiError invalidQuery for what the analyzer takes and BigQuery does not."""
        clause = INSERT_MODES[getattr(self.node, "insert_mode", 0)]
        if "assert_rows_modified" in self.node.DESCRIPTOR.fields_by_name and self.node.HasField("assert_rows_modified"):
            clause = "ASSERT_ROWS_MODIFIED"
        if clause:
            raise ApiError("invalidQuery", f"{clause} is not supported", "query")

    # Targets --------------------------------------------------------------------------------------

    def target(self) -> str:
        """The target's rows with their numbers: every column under its own name, those the statement uses as c<id> too."""
        used = "".join(f", {PSEUDO.get(column.name) or values.identifier(column.name)} AS {self.column(column)}" for column in self.node.table_scan.parent.column_list)
        return f"(SELECT rowid AS _row, *{used} FROM {self.table.relation()})"

    def where(self) -> str:
        return f" WHERE {self.expr(self.node.where_expr)}" if self.node.HasField("where_expr") else ""

    def kept(self, prefix: str = "") -> dict[str, str]:
        """Every column as it is."""
        return {name: prefix + values.identifier(name) for name in self.names}

    def default(self, name: str) -> str:
        """What a column gets that an INSERT does not name."""
        field = next(field for field in self.fields if field["name"].lower() == name.lower())
        if field.get("defaultValueExpression"):
            return self.plan.default_of(field, self.cursor)
        return "[]" if values.repeated(field) else "NULL"

    def typed(self, made: dict[str, str]) -> str:
        """SELECT items for a whole row, each of its column's type."""
        by_name, items = {name.lower(): expression for name, expression in made.items()}, []
        for field in self.fields:
            value, name = by_name[field["name"].lower()], values.identifier(field["name"])
            if value == name:
                items.append(name)
            else:
                self.written.append(field)
                items.append(f"({value})::{values.duckdb_type(field)} AS {name}")
        return ", ".join(items)

    # Statements -----------------------------------------------------------------------------------

    def insert(self) -> str:
        node = self.node
        names = [stored_name(column) for column in node.insert_column_list]
        if node.HasField("query"):
            items = {name: self.column(output) for name, output in zip(names, node.query_output_column_list)}
            source = f"({self.scan(node.query)})"
        else:
            rows = ", ".join("(" + ", ".join(self.value(item, name) for item, name in zip(row.value_list, names)) + ")" for row in node.row_list)
            items = {name: f"v{place}" for place, name in enumerate(names)}
            source = f"(VALUES {rows}) AS rows({', '.join(items.values())})"
        given = {name.lower() for name in items}
        items |= {name: self.default(name) for name in self.names if name.lower() not in given}
        return f"SELECT NULL::BIGINT AS _row, '{INSERT}' AS _action, {self.typed(items)} FROM {source}"

    def value(self, item, name: str) -> str:
        """SQL of a DML value, which may be the word DEFAULT."""
        if item.value.WhichOneof("node") == "resolved_dmldefault_node":
            return self.default(name)
        field = next(field for field in self.fields if field["name"].lower() == name.lower())
        return f"({self.expr(item.value)})::{values.duckdb_type(field)}"

    def delete(self) -> str:
        return f"SELECT _row, '{DELETE}' AS _action, {self.typed(self.kept())} FROM {self.target()}{self.where()}"

    def update(self) -> str:
        source = self.target()
        if self.node.HasField("from_scan"):
            source += f", ({self.scan(self.node.from_scan)})"
        items = self.typed(self.kept() | self.assigned(self.node.update_item_list))
        return f"SELECT _row, '{UPDATE}' AS _action, {items} FROM {source}{self.where()}"

    def assigned(self, items) -> dict[str, str]:
        """column -> its new value, of SET items; several may set fields of one column."""
        made: dict[str, str] = {}
        for item in items:
            if item.delete_list or item.update_list or item.insert_list or item.update_item_element_list:
                raise NoRule("DML on the elements of an array")
            column, path, type_ = self.path(item.target)
            new = self.value(item.set_value, column) if not path else self.expr(item.set_value.value)
            made[column] = with_field(made.get(column, values.identifier(column)), path, new, type_)
        return made

    def path(self, target) -> tuple[str, list[str], object]:
        """The column that a SET target is of, the fields that lead into it, and the column's type."""
        node, name = node_of(target)
        if name == "resolved_column_ref_node":
            return stored_name(node.column), [], node.column.type
        if name == "resolved_get_struct_field_node":
            column, path, type_ = self.path(node.expr)
            return column, [*path, types.struct_names(self.type_of(node.expr))[node.field_idx]], type_
        raise NoRule("SET of such a target")

    def merge(self) -> str:
        node = self.node
        source = self.scan(node.from_scan)
        sides = f"{self.target()} FULL JOIN (SELECT true AS _source, * FROM ({source})) ON {self.expr(node.merge_expr)}"
        clauses, made = [], {name: [] for name in self.names}
        for place, clause in enumerate(node.when_clause_list):
            conditions = [("_row IS NOT NULL AND _source", "_row IS NOT NULL AND _source IS NULL", "_row IS NULL")[clause.match_type]]
            if clause.HasField("match_expr"):
                conditions.append(f"({self.expr(clause.match_expr)})")
            clauses.append(f"WHEN {' AND '.join(conditions)} THEN {place}")
            for name, value in self.clause_values(clause).items():
                made[name].append(value)
        items = self.kept() | {name: f"CASE _clause {' '.join(f'WHEN {place} THEN {value}' for place, value in enumerate(cases))} END"
                               for name, cases in made.items() if set(cases) != {values.identifier(name)}}
        actions = " ".join(f"WHEN {place} THEN '{ACTIONS[clause.action_type]}'" for place, clause in enumerate(node.when_clause_list))
        chosen = f"(SELECT *, CASE {' '.join(clauses)} END AS _clause FROM {sides})"
        return f"SELECT _row, CASE _clause {actions} END AS _action, {self.typed(items)} FROM {chosen} WHERE _clause IS NOT NULL"

    def clause_values(self, clause) -> dict[str, str]:
        """column -> its value in the row that a WHEN clause writes."""
        action = ACTIONS[clause.action_type]
        if action == DELETE:
            return self.kept()
        if action == UPDATE:
            return self.kept() | self.assigned(clause.update_item_list)
        names = map(stored_name, clause.insert_column_list)
        given = {name.lower(): self.value(item, name) for name, item in zip(names, clause.insert_row.value_list)}
        return {name: given.get(name.lower()) or self.default(name) for name in self.names}


def stored_name(column) -> str:
    """The column of the lake that a column of the tree is written to: _PARTITIONDATE is the day of _PARTITIONTIME."""
    return "_PARTITIONTIME" if column.name.upper() == "_PARTITIONDATE" else column.name


def with_field(whole: str, path: list[str], new: str, type_) -> str:
    """A struct with one field, at any depth, replaced."""
    if not path:
        return new
    parts = []
    for name, part in zip(types.struct_names(type_), type_.struct_type.field):
        old = f"struct_extract({whole}, {values.string(name)})"
        value = with_field(old, path[1:], new, part.field_type) if name == path[0] else old
        parts.append(f"{values.identifier(name)} := {value}")
    return f"struct_pack({', '.join(parts)})"


def compile_change(statement, cursor) -> str:
    """A DML statement's SELECT of what is to happen; ApiError notImplemented names what there is no rule for."""
    try:
        return Change(statement, cursor).sql()
    except NoRule as missing:
        raise ApiError("notImplemented", f"The embedded BigQuery does not support {missing.construct} in DML yet.") from None
