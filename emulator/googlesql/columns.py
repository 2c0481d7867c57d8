"""Which columns of its tables a statement needs: what BigQuery counts as bytes processed."""
from __future__ import annotations

from functools import cache

from .tree import children, columns_of

UNION_ALL = 0
EXISTS = 2


def needed_columns(tree) -> dict[int, set[str]]:
    """serialization_id of a table -> names of the columns that the result depends on; tree: a resolved statement."""
    return Needs(tree).tables()


class Needs:
    """What needs what. A column that is only computed or passed on is needed if what uses it is.

    wanted: ids of columns needed in any case; because: column id -> ids it is made of.
    """

    def __init__(self, tree):
        self.wanted: set[int] = set()
        self.because: dict[int, set[int]] = {}
        self.scans = []
        self.named: dict[str, list[int]] = {}
        self.walk(tree, self.wanted)

    def tables(self) -> dict[int, set[str]]:
        needed, waiting = set(), list(self.wanted)
        while waiting:
            column = waiting.pop()
            if column not in needed:
                needed.add(column)
                waiting.extend(self.because.get(column, ()))
        tables: dict[int, set[str]] = {}
        for scan in self.scans:
            names = tables.setdefault(scan.table.serialization_id, set())
            names.update(column.name for column in scan.parent.column_list if column.column_id in needed)
        return tables

    def walk(self, node, sink: set[int]) -> None:
        rule = rule_of(type(node))
        if rule:
            rule(self, node, sink)
        else:
            self.walk_fields(node, sink)

    def walk_fields(self, node, sink: set[int], skipped: tuple[str, ...] = ()) -> None:
        for item in children(node, ("signature", "column_list") + skipped):
            self.walk(item, sink)

    def made_of(self, column: int) -> set[int]:
        return self.because.setdefault(column, set())

    def walk_ResolvedColumnRefProto(self, node, sink) -> None:
        sink.add(node.column.column_id)

    def walk_ResolvedOutputColumnProto(self, node, sink) -> None:
        sink.add(node.column.column_id)

    def walk_ResolvedInsertStmtProto(self, node, sink) -> None:
        sink.update(ids(node.query_output_column_list))
        self.walk_fields(node, sink)

    def walk_ResolvedTableScanProto(self, node, sink) -> None:
        self.scans.append(node)
        self.walk_fields(node, sink, ("table",))

    def walk_ResolvedComputedColumnProto(self, node, sink) -> None:
        self.walk(node.expr, self.made_of(node.column.column_id))

    def walk_ResolvedAggregateScanBaseProto(self, node, sink) -> None:
        for item in node.group_by_list:
            self.walk(item.expr, sink)
            self.made_of(item.column.column_id)
        self.walk_fields(node, sink, ("group_by_list",))

    def walk_ResolvedSubqueryExprProto(self, node, sink) -> None:
        if node.subquery_type != EXISTS:
            sink.update(ids(columns_of(node.subquery)))
        self.walk_fields(node, sink, ("parameter_list",))

    def walk_ResolvedSetOperationScanProto(self, node, sink) -> None:
        for item in node.input_item_list:
            for made, source in zip(node.parent.column_list, item.output_column_list):
                self.made_of(made.column_id).add(source.column_id)
                if node.op_type != UNION_ALL:
                    sink.add(source.column_id)
            self.walk(item.scan, sink)

    def walk_ResolvedRecursiveScanProto(self, node, sink) -> None:
        for term in (node.non_recursive_term, node.recursive_term):
            sink.update(ids(term.output_column_list))
            self.walk(term.scan, sink)

    def walk_ResolvedFunctionArgumentProto(self, node, sink) -> None:
        sink.update(ids(node.argument_column_list))  # a table-valued function reads whole rows
        self.walk_fields(node, sink)

    def walk_ResolvedWithEntryProto(self, node, sink) -> None:
        self.named[node.with_query_name] = ids(columns_of(node.with_subquery))
        self.walk(node.with_subquery, sink)

    def walk_ResolvedWithRefScanProto(self, node, sink) -> None:
        for made, source in zip(node.parent.column_list, self.named.get(node.with_query_name, ())):
            self.made_of(made.column_id).add(source)


def ids(columns) -> list[int]:
    return [column.column_id for column in columns]


@cache
def rule_of(kind: type):
    """The method of Needs for a class of messages; None where it needs what is inside of it."""
    return getattr(Needs, "walk_" + kind.DESCRIPTOR.name, None)
