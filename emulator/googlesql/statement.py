"""An analyzed statement, and what can be asked of it."""
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Hashable

from zetasql.wasi._pb2.zetasql.public import type_pb2

from ..errors import ApiError, unsupported
from . import types
from .catalog import Table, Unmade, normal_path
from .routines import Routine
from .tree import children, find, node_of

if TYPE_CHECKING:
    from .analyzer import GoogleSQL


class Statement:
    """An analyzed statement.

    type: BigQuery's statementType; fields: the result's REST schema; tables: the tables it reads;
    columns: table -> names of the columns it reads; undeclared: REST QueryParameters found in the text
    when none were declared.
    """

    def __init__(self, sql: GoogleSQL, text: str, tree, needed: dict[int, set[str]], paths: dict[tuple, Table], context: dict):
        self.sql = sql
        self.text = text
        self.tree = tree
        self.needed = needed
        self.paths = paths
        self.context = context
        self.node, self.node_name = node_of(tree)
        self.type = STATEMENT_TYPES.get(self.node_name) or index_statement(self.node, self.node_name)
        if self.type is None and statement_name(tree) in NOT_OF_BIGQUERY:
            raise ApiError("invalidQuery", f"Statement not supported: {statement_name(tree).title().replace(' ', '')}Statement at [1:1]", "query")
        if self.type is None:
            raise unsupported(f"the statement {statement_name(tree)}")
        self.order = list(paths.values())
        self.fields = result_fields(self.node) if self.type in ("SELECT", "CREATE_TABLE_AS_SELECT", "CREATE_MODEL", "EXPORT_DATA") else []
        self.views = self._views()
        self.columns = self._columns()
        self.tables = list(self.columns)
        self.routines: list[Routine] = list(context["called"].values())

    @cached_property
    def undeclared(self) -> list[dict]:
        return undeclared(self.tree) if not self.context["parameters"] else []

    def _views(self) -> dict[int, "Statement"]:
        """Each view it reads, analyzed: place in `order` -> statement."""
        context = self.context
        return {
            place: self.sql.prepare(table.view, getattr(table, "resolve", None) or context["resolve"], default_project=context["default_project"],
                                    session_user=context["session_user"], routine=context["routine"], time_zone=context["time_zone"])
            for place, table in enumerate(self.order) if table.view}

    def _columns(self) -> dict[Table, set[str]]:
        columns: dict[Hashable, tuple[Table, set[str]]] = {}
        for table in self.order:
            if not table.view and not isinstance(table, Unmade):
                columns.setdefault(table.key, (table, set()))
        if self.type in ("UPDATE", "DELETE", "MERGE") and not self.target.view:
            columns[self.target.key][1].update(field["name"] for field in self.target.fields)
        for place, names in self.needed.items():
            table = self.order[place - 1]
            if not table.view and table.key in columns:
                columns[table.key][1].update(names)
        for view in self.views.values():
            for table, names in view.columns.items():
                columns.setdefault(table.key, (table, set()))[1].update(names)
        return {table: names for table, names in columns.values()}

    def routine_named(self, name: str) -> Routine:
        """A routine that the statement calls, by the name that the tree has for it."""
        return next(routine for path, routine in self.context["called"].items() if ".".join(path).lower() == name)

    @property
    def node_names(self) -> set[str]:
        """The kinds of all nodes in the tree."""
        return self._kinds[0]

    @cached_property
    def _kinds(self) -> tuple[set[str], set[str]]:
        """The kinds of all nodes in the tree, and the functions that are called, in small letters."""
        kinds, called, rest = set(), set(), [self.tree]
        while rest:
            message = rest.pop()
            kinds.add(message.DESCRIPTOR.name)
            if message.DESCRIPTOR.name == "ResolvedFunctionCallBaseProto":
                called.add(message.function.name.rpartition(":")[2].lower())
            rest += children(message)
        return kinds, called

    def uses(self, *functions: str) -> bool:
        """Whether it calls one of the functions, which are named in small letters."""
        return not self._kinds[1].isdisjoint(functions)

    @property
    def result_fields(self) -> list[dict]:
        """The schema that a dry run tells: of the result, or of the table that is made or changed."""
        if self.type == "CREATE_TABLE":
            return [types.rest_field(item.type, item.name) for item in self.node.parent.column_definition_list]
        return self.target.fields if self.type in ("INSERT", "UPDATE", "DELETE", "MERGE") else self.fields

    @property
    def target(self) -> Table:
        """The table that a DML statement changes."""
        return self.order[self.node.table_scan.table.serialization_id - 1]

    @cached_property
    def read(self) -> list[Table]:
        """The tables whose rows it reads: an INSERT names its target too."""
        if self.type != "INSERT":
            return self.tables
        places = {scan.table.serialization_id for source in (self.node.query, *self.node.row_list) for scan in find(source, "ResolvedTableScanProto")}
        keys = {self.order[place - 1].key for place in places} | {table.key for view in self.views.values() for table in view.tables}
        return [table for table in self.tables if table.key in keys]

    def default_of(self, field: dict, cursor) -> str:
        """DuckDB SQL of a column's default."""
        return self.sql.default(field, cursor, self.context["session_user"])

    def constant(self, expression, cursor):
        """The value of an expression without columns, as Python has it: an option's."""
        from .compiler import Compiler
        return Compiler(self, cursor).constant(expression)

    def moment(self, scan, cursor):
        """The moment of a scan's FOR SYSTEM_TIME AS OF; None without."""
        if not scan.HasField("for_system_time_expr"):
            return None
        if any(find(scan.for_system_time_expr, "ResolvedSubqueryExprProto")):
            raise ApiError("invalidQuery", "The expression of FOR SYSTEM_TIME AS OF must not contain a subquery", "query")
        return self.constant(scan.for_system_time_expr, cursor)

    def created_path(self, name_path) -> tuple[str, ...]:
        """A name that a DDL statement gives, as (project, dataset, name) or as much of it as is known."""
        return self.context["local"](tuple(name_path)) or normal_path(tuple(name_path), self.context["default_project"], self.context["default_dataset"])

    @property
    def told_type(self) -> str:
        """The type as a job's statistics have it: that of a DROP names what is dropped."""
        return f"DROP_{self.node.object_type.upper().replace(' ', '_')}" if self.type == "DROP" else self.type

    def change(self, cursor) -> str:
        """A DML statement as the SELECT of what is to happen; see modify.py."""
        from .modify import compile_change
        return compile_change(self, cursor)

    def compile(self, cursor) -> str:
        """DuckDB SQL whose columns are named as `fields`, in order; ApiError notImplemented for what can't be said in it."""
        from .compiler import compile_statement
        return compile_statement(self, cursor)


# The kinds of statement that run, and BigQuery's names for them.
STATEMENT_TYPES = {
    "resolved_query_stmt_node": "SELECT", "resolved_insert_stmt_node": "INSERT", "resolved_update_stmt_node": "UPDATE",
    "resolved_delete_stmt_node": "DELETE", "resolved_merge_stmt_node": "MERGE", "resolved_truncate_stmt_node": "TRUNCATE_TABLE",
    "resolved_create_table_stmt_node": "CREATE_TABLE", "resolved_create_table_as_select_stmt_node": "CREATE_TABLE_AS_SELECT",
    "resolved_create_row_access_policy_stmt_node": "CREATE_ROW_ACCESS_POLICY", "resolved_drop_row_access_policy_stmt_node": "DROP_ROW_ACCESS_POLICY",
    "resolved_grant_stmt_node": "GRANT", "resolved_revoke_stmt_node": "REVOKE",
    "resolved_create_view_stmt_node": "CREATE_VIEW", "resolved_create_model_stmt_node": "CREATE_MODEL", "resolved_create_schema_stmt_node": "CREATE_SCHEMA",
    "resolved_drop_stmt_node": "DROP",
    "resolved_create_function_stmt_node": "CREATE_FUNCTION", "resolved_create_table_function_stmt_node": "CREATE_TABLE_FUNCTION",
    "resolved_create_procedure_stmt_node": "CREATE_PROCEDURE", "resolved_drop_function_stmt_node": "DROP_FUNCTION",
    "resolved_drop_table_function_stmt_node": "DROP_TABLE_FUNCTION", "resolved_call_stmt_node": "CALL", "resolved_assert_stmt_node": "ASSERT",
    "resolved_execute_immediate_stmt_node": "EXECUTE_IMMEDIATE", "resolved_assignment_stmt_node": "ASSIGNMENT",
    "resolved_begin_stmt_node": "BEGIN_TRANSACTION", "resolved_commit_stmt_node": "COMMIT_TRANSACTION", "resolved_rollback_stmt_node": "ROLLBACK_TRANSACTION",
    "resolved_create_materialized_view_stmt_node": "CREATE_MATERIALIZED_VIEW", "resolved_create_external_table_stmt_node": "CREATE_EXTERNAL_TABLE",
    "resolved_create_snapshot_table_stmt_node": "CREATE_SNAPSHOT_TABLE", "resolved_drop_snapshot_table_stmt_node": "DROP_SNAPSHOT_TABLE",
    "resolved_drop_materialized_view_stmt_node": "DROP_MATERIALIZED_VIEW", "resolved_undrop_stmt_node": "UNDROP_SCHEMA",
    "resolved_alter_table_stmt_node": "ALTER_TABLE", "resolved_alter_table_set_options_stmt_node": "ALTER_TABLE",
    "resolved_alter_view_stmt_node": "ALTER_VIEW", "resolved_alter_materialized_view_stmt_node": "ALTER_MATERIALIZED_VIEW",
    "resolved_alter_schema_stmt_node": "ALTER_SCHEMA", "resolved_export_data_stmt_node": "EXPORT_DATA", "resolved_aux_load_data_stmt_node": "LOAD_DATA",
}


# The statements that the analyzer knows and BigQuery does not.
NOT_OF_BIGQUERY = {"EXPLAIN", "DESCRIBE", "SHOW", "CREATE INDEX", "ANALYZE", "CREATE DATABASE", "CREATE SEQUENCE", "DEFINE TABLE", "START BATCH", "RUN BATCH",
                   "ABORT BATCH", "SET TRANSACTION", "IMPORT", "MODULE", "CREATE CONSTANT", "RENAME"}


def index_statement(node, name: str) -> str | None:
    """The type of a statement about an index, e.g. DROP_SEARCH_INDEX; None for any other."""
    if name == "resolved_create_index_stmt_node" and (node.is_search or node.is_vector):
        return f"CREATE_{'SEARCH' if node.is_search else 'VECTOR'}_INDEX"
    if name in ("resolved_alter_index_stmt_node", "resolved_drop_index_stmt_node") and node.index_type in INDEX_KINDS:
        return f"{name.split('_')[1].upper()}_{INDEX_KINDS[node.index_type]}_INDEX"
    return None


INDEX_KINDS = {1: "SEARCH", 2: "VECTOR"}  # by index_type of the resolved tree


def statement_name(tree) -> str:
    """The kind of a statement in words, e.g. CREATE TABLE AS SELECT."""
    node, name = tree, ""
    while node.DESCRIPTOR.oneofs and node.WhichOneof("node"):
        name = node.WhichOneof("node")
        node = getattr(node, name)
    words = name.removeprefix("resolved_").removesuffix("_node").removesuffix("_stmt")
    return words.replace("_", " ").upper()


def result_fields(node) -> list[dict]:
    """The REST schema of a query: anonymous columns are f0_, f1_ and so on; ApiError for a name that stands twice."""
    columns = node.output_column_list
    if getattr(node, "is_value_table", False) and columns[0].column.type.type_kind == type_pb2.TYPE_STRUCT:
        return types.rest_field(columns[0].column.type)["fields"]
    names, anonymous, seen, double = [], 0, set(), []
    for column in columns:
        name = column.name
        if not name or name.startswith("$"):
            name, anonymous = f"f{anonymous}_", anonymous + 1
        if name.lower() in seen and name not in double:
            double.append(name)
        seen.add(name.lower())
        names.append(name)
    if double:
        raise ApiError("invalidQuery", f"Duplicate column names in the result are not supported. Found duplicate(s): {', '.join(double)}", "query")
    return [types.rest_field(column.column.type, name) for column, name in zip(columns, names)]


def undeclared(tree) -> list[dict]:
    """The parameters of a statement analyzed without declarations, as REST QueryParameters."""
    found = {}
    for node in find(tree, "ResolvedParameterProto"):
        key = node.name or node.position
        parameter = {"parameterType": types.parameter_type(types.rest_field(node.parent.type))}
        found.setdefault(key, {"name": node.name} | parameter if node.name else parameter)
    return [found[key] for key in sorted(found, key=lambda key: (isinstance(key, str), key))]
