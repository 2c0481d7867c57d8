"""Which columns of its tables a statement needs: what BigQuery counts as bytes processed."""
from __future__ import annotations

from functools import cache

from .tree import Subquery, children, columns_of, find

UNION_ALL = 0
ELEMENTS = {"$array_at_offset", "$array_at_ordinal", "$safe_array_at_offset", "$safe_array_at_ordinal"}


def needed_columns(tree) -> dict[int, set[str]]:
    """serialization_id of a table -> names of the columns that the result depends on, `a.b` where it is but a field of one;
    tree: a resolved statement."""
    return Needs(tree).tables()


Path = tuple  # a column's id, and the names of the fields that lead into it


class Needs:
    """What needs what. A column that is only computed or passed on is needed if what uses it is.

    wanted: what is needed in any case; because: column id -> what it is made of; same: column id -> what it is, so that a field
    of the one is a field of the other; rows: column id -> the columns that are its fields; unnested: the columns of elements, with the arrays that they are of.
    """

    def __init__(self, tree):
        self.wanted: set[Path] = set()
        self.because: dict[int, set[Path]] = {}
        self.same: dict[int, set[Path]] = {}
        self.rows: dict[int, dict[str, Path]] = {}
        self.unnested: list[tuple[int, Path]] = []
        self.scans = []
        self.named: dict[str, list[Path]] = {}
        self.walk(tree, self.wanted)

    def tables(self) -> dict[int, set[str]]:
        needed: set[Path] = set()
        self.follow(needed, self.wanted)
        known = {path[0] for path in needed}
        self.follow(needed, [array for element, array in self.unnested if element not in known])  # how many elements there are counts
        tables: dict[int, set[str]] = {}
        for scan in self.scans:
            names, columns = tables.setdefault(scan.table.serialization_id, set()), {column.column_id: column.name for column in scan.parent.column_list}
            names.update(".".join((columns[path[0]], *path[1:])) for path in needed if path[0] in columns)
        return tables

    def follow(self, needed: set[Path], waiting) -> None:
        waiting = list(waiting)
        while waiting:
            path = waiting.pop()
            if path not in needed:
                needed.add(path)
                waiting.extend(self.because.get(path[0], ()))
                waiting.extend(base + path[1:] for base in self.same.get(path[0], ()))
                if row := self.rows.get(path[0]):
                    waiting.extend([row[path[1]] + path[2:]] if path[1:] else row.values())

    def walk(self, node, sink: set[Path]) -> None:
        rule = rule_of(type(node))
        if rule:
            rule(self, node, sink)
        else:
            self.walk_fields(node, sink)

    def walk_fields(self, node, sink: set[Path], skipped: tuple[str, ...] = ()) -> None:
        for item in children(node, ("column_list",) + skipped):
            self.walk(item, sink)

    def made_of(self, column: int) -> set[Path]:
        return self.because.setdefault(column, set())

    def is_same(self, column: int, path: Path) -> None:
        self.same.setdefault(column, set()).add(path)

    def made(self, column: int, expression) -> None:
        """Say what a column is computed from."""
        if path := path_of(expression):
            self.is_same(column, path)
        else:
            self.walk(expression, self.made_of(column))

    def walk_ResolvedColumnRefProto(self, node, sink) -> None:
        sink.add((node.column.column_id,))

    def walk_ResolvedGetStructFieldProto(self, node, sink) -> None:
        beside: list = []
        if path := path_of(node, beside):
            sink.add(path)
            for index in beside:
                self.walk(index, sink)
        else:
            self.walk_fields(node, sink)

    def walk_ResolvedArrayScanProto(self, node, sink) -> None:
        for element, array in zip(node.element_column_list, node.array_expr_list):
            if path := path_of(array):
                self.is_same(element.column_id, path)
                self.unnested.append((element.column_id, path))
            else:
                self.walk(array, sink)
        self.walk_fields(node, sink, ("array_expr_list", "element_column_list"))

    def walk_ResolvedOutputColumnProto(self, node, sink) -> None:
        sink.add((node.column.column_id,))

    def walk_ResolvedInsertStmtProto(self, node, sink) -> None:
        sink.update(ids(node.query_output_column_list))
        self.walk_fields(node, sink)

    def walk_ResolvedTableScanProto(self, node, sink) -> None:
        self.scans.append(node)
        self.walk_fields(node, sink)

    def walk_ResolvedComputedColumnProto(self, node, sink) -> None:
        self.made(node.column.column_id, node.expr)

    def walk_ResolvedAggregateScanBaseProto(self, node, sink) -> None:
        for item in node.group_by_list:
            self.walk(item.expr, sink)
            self.made_of(item.column.column_id)
        self.walk_fields(node, sink, ("group_by_list",))

    def walk_ResolvedSubqueryExprProto(self, node, sink) -> None:
        if node.subquery_type != Subquery.EXISTS:
            sink.update(ids(columns_of(node.subquery)))
        self.walk_fields(node, sink, ("parameter_list",))

    def walk_ResolvedSetOperationScanProto(self, node, sink) -> None:
        for item in node.input_item_list:
            for made, source in zip(node.parent.column_list, item.output_column_list):
                self.is_same(made.column_id, (source.column_id,))
                if node.op_type != UNION_ALL:
                    sink.add((source.column_id,))
            self.walk(item.scan, sink)

    def walk_ResolvedRecursiveScanProto(self, node, sink) -> None:
        for term in (node.non_recursive_term, node.recursive_term):
            sink.update(ids(term.output_column_list))
            self.walk(term.scan, sink)

    def walk_ResolvedTVFScanProto(self, node, sink) -> None:
        """A column of a table function is that of its argument that has its name, or a row of the argument; columns that a text names are needed."""
        texts = {text.lower() for argument in node.argument_list for literal in find(argument.expr, "ResolvedLiteralProto") for text in texts_in(literal.value.value)}
        made = {column.name.lower(): column.column_id for column in node.parent.column_list}
        for declared, known, given in zip(node.function_call_signature.argument, node.signature.argument, node.argument_list):
            names = [column.name for column in known.relation_argument.column]
            columns = dict(zip(names, ids(given.argument_column_list)))
            row = made.get(declared.options.argument_name.removesuffix("_table"))
            if row is not None:
                self.rows[row] = columns
            for name, path in columns.items():
                if name.lower() in made and row is None:
                    self.is_same(made[name.lower()], path)
                if name.lower() in texts or declared.options.argument_name == "query_table":
                    sink.add(path)
        self.walk_fields(node, sink)

    def walk_ResolvedFunctionArgumentProto(self, node, sink) -> None:
        self.walk_fields(node, sink, ("argument_column_list",))

    def walk_ResolvedWithEntryProto(self, node, sink) -> None:
        self.named[node.with_query_name] = ids(columns_of(node.with_subquery))
        self.walk(node.with_subquery, sink)

    def walk_ResolvedWithRefScanProto(self, node, sink) -> None:
        for made, source in zip(node.parent.column_list, self.named.get(node.with_query_name, ())):
            self.is_same(made.column_id, source)


def path_of(expression, beside: list | None = None) -> Path | None:
    """The column that an expression is, or the field of one; None for any other.

    beside: where the places of elements are put that lie on the way, without which there may be none.
    """
    node = expression
    while node.DESCRIPTOR.name.startswith("Any"):
        node = getattr(node, node.WhichOneof("node"))
    if node.DESCRIPTOR.name == "ResolvedColumnRefProto":
        return (node.column.column_id,)
    if node.DESCRIPTOR.name == "ResolvedGetStructFieldProto" and (path := path_of(node.expr, beside)):
        return *path, type_of(node.expr).struct_type.field[node.field_idx].field_name
    if beside is not None and node.DESCRIPTOR.name == "ResolvedFunctionCallProto" and node.parent.function.name.rpartition(":")[2] in ELEMENTS:
        array, place = node.parent.argument_list
        beside.append(place)
        return path_of(array, beside)
    return None


def type_of(expression):
    node = expression
    while node.DESCRIPTOR.name != "ResolvedExprProto":
        node = getattr(node, node.WhichOneof("node")) if node.DESCRIPTOR.name.startswith("Any") else node.parent
    return node.type


def texts_in(value) -> list[str]:
    """The texts of a literal's value, those in arrays and structs too."""
    return [value.string_value, *(text for part in (*value.array_value.element, *value.struct_value.field) for text in texts_in(part))]


def ids(columns) -> list[Path]:
    return [(column.column_id,) for column in columns]


@cache
def rule_of(kind: type):
    """The method of Needs for a class of messages; None where it needs what is inside of it."""
    return getattr(Needs, "walk_" + kind.DESCRIPTOR.name, None)
