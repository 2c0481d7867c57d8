"""Which partitions the filters of a statement leave to be read.

A condition on a partitioned column may hold in a partition if it may hold between the least and the greatest
value of its rows. The parts of a filter that say something of that kind are compiled to SQL over the two;
the others leave every partition in.
"""
from __future__ import annotations

import re
from typing import Callable, Iterator

from .. import values
from .compiler import Compiler
from .expressions import NoRule
from .tree import find, node_of

# column op constant -> what must hold of the least ({a}) and the greatest ({b}) value of a partition
COMPARED = {"$equal": "{a} <= {c} AND {b} >= {c}", "$less": "{a} < {c}", "$less_or_equal": "{a} <= {c}",
            "$greater": "{b} > {c}", "$greater_or_equal": "{b} >= {c}"}
TURNED = {"$equal": "$equal", "$less": "$greater", "$less_or_equal": "$greater_or_equal", "$greater": "$less", "$greater_or_equal": "$less_or_equal"}
NOT_MATCHED_BY_SOURCE = 1  # a value of ResolvedMergeWhen.match_type
# Functions that keep the order of their argument, so that they can be looked through.
MONOTONE = {"date", "timestamp", "datetime", "date_trunc", "timestamp_trunc", "datetime_trunc", "$extract_date"}


def conditions(statement, cursor) -> dict[int, list[str | None]]:
    """Place of a table in the statement -> for each scan of it, SQL that is true of the rows whose partitions are read,
    None where all are. Only tables with a `partitioning`."""
    if not any(getattr(table, "partitioning", None) for table in statement.order):
        return {}
    compiler = Compiler(statement, cursor)
    read = [statement.node.query, *statement.node.row_list] if statement.type == "INSERT" else [statement.tree]  # its target is not read
    scans = [scan for root in read for scan in find(root, "ResolvedTableScanProto") if partitioning_of(statement, scan)]
    parts = [part for node in find(statement.tree, "ResolvedFilterScanProto") for part in conjuncts(node.filter_expr)]
    if statement.type in ("UPDATE", "DELETE") and statement.node.HasField("where_expr"):
        parts += conjuncts(statement.node.where_expr)
    found: dict[int, list[str | None]] = {}
    for scan in scans:
        pruner = Pruner(compiler, scan, partitioning_of(statement, scan))
        if statement.type == "MERGE" and scan == statement.node.table_scan:
            made = merged(pruner, statement.node)
        else:
            made = pruner.all_of(parts)
        found.setdefault(scan.table.serialization_id - 1, []).append(made)
    return found


def merged(pruner: "Pruner", node) -> str | None:
    """What is true of the rows of its target that a MERGE has to read: any that one of the clauses is about."""
    made, never = [], is_false(node.merge_expr)
    for clause in node.when_clause_list:
        if never and clause.match_type != NOT_MATCHED_BY_SOURCE:
            made.append("FALSE")
            continue
        parts = list(conjuncts(node.merge_expr)) if clause.match_type != NOT_MATCHED_BY_SOURCE else []
        if clause.HasField("match_expr"):
            parts += conjuncts(clause.match_expr)
        made.append(pruner.all_of(parts))
    return " OR ".join(f"({part})" for part in made) if all(made) else None


def is_false(expression) -> bool:
    node, name = node_of(expression)
    return name == "resolved_literal_node" and node.value.value.HasField("bool_value") and not node.value.value.bool_value


def partitioning_of(statement, scan):
    place = scan.table.serialization_id - 1
    return getattr(statement.order[place], "partitioning", None) if place not in statement.views else None


def conjuncts(expression) -> Iterator:
    node, name = node_of(expression)
    if name == "resolved_function_call_node" and function_of(node) == "$and":
        for part in node.parent.argument_list:
            yield from conjuncts(part)
    else:
        yield expression


def function_of(node) -> str:
    return node.parent.function.name.rpartition(":")[2].lower()


class Pruner:
    """The conditions on the partitions of one scan of a table."""

    def __init__(self, compiler: Compiler, scan, partitioning):
        self.compiler, self.partitioning = compiler, partitioning
        names = {name.lower() for name in (partitioning.column, *partitioning.others)} | ({"_partitiondate"} if partitioning.column == "_PARTITIONTIME" else set())
        self.columns = {column.column_id: column.name for column in scan.parent.column_list if column.name.lower() in names}

    def all_of(self, parts) -> str | None:
        """SQL over the partition of a row that is true where each part may be that says something of it; None where none does."""
        return " AND ".join(made for part in parts if (made := self.condition(part))) or None

    def condition(self, expression) -> str | None:
        """SQL over the partition of a row that is true where an expression may be; None where that can't be said."""
        try:
            used = set(self.used(expression))
            if not used or not used <= set(self.columns) or self.compiler.plan.undeclared:  # whose values are not known
                return None
            if self.partitioning.exact:
                return f"({self.bound(expression, '{x}')})"
            made = self.may(expression)
            return f"({made})" if made else None
        except NoRule:
            return None

    def may(self, expression) -> str | None:
        node, name = node_of(expression)
        if name != "resolved_function_call_node":
            return None
        rule: Callable | None = getattr(self, "may_" + function_of(node).removeprefix("$"), None)
        if rule:
            return rule(node.parent.argument_list)
        return self.compared(function_of(node), *node.parent.argument_list) if function_of(node) in COMPARED else None

    def may_and(self, parts) -> str | None:
        return " AND ".join(f"({made})" for part in parts if (made := self.may(part))) or None

    def may_or(self, parts) -> str | None:
        made = [self.may(part) for part in parts]
        return " OR ".join(f"({part})" for part in made) if all(made) else None

    def may_between(self, parts) -> str | None:
        value, least, most = parts
        made = [self.compared("$greater_or_equal", value, least), self.compared("$less_or_equal", value, most)]
        return " AND ".join(made) if all(made) else None

    def may_in(self, parts) -> str | None:
        value, *choices = parts
        made = [self.compared("$equal", value, choice) for choice in choices]
        return " OR ".join(f"({part})" for part in made) if all(made) else None

    def may_is_null(self, parts) -> str | None:
        return f"{self.bound(parts[0], '{x}')} IS NULL" if self.ordered(parts[0]) else None

    def compared(self, name: str, left, right) -> str | None:
        if not self.ordered(left):
            left, right, name = right, left, TURNED[name]
        if not self.ordered(left) or list(self.used(right)):
            return None
        first, last = self.bound(left, self.partitioning.first), self.bound(left, self.partitioning.last)
        return COMPARED[name].format(a=first, b=last, c=f"({self.compiler.expr(right)})")

    def ordered(self, expression) -> bool:
        """Whether an expression is the column, or grows with it."""
        node, name = node_of(expression)
        if name == "resolved_column_ref_node":
            return node.column.column_id in self.columns
        if name == "resolved_cast_node":
            return self.ordered(node.expr)
        return name == "resolved_function_call_node" and function_of(node) in MONOTONE and self.ordered(node.parent.argument_list[0])

    def bound(self, expression, template: str) -> str:
        """An expression with the row's value replaced by a bound of its partition."""
        own = values.identifier(self.partitioning.column)
        text = self.compiler.expr(expression)
        for number, name in self.columns.items():
            value = f"({own})::DATE" if name.lower() == "_partitiondate" else values.identifier(name) if self.partitioning.others else own
            text = re.sub(rf"\bc{number}\b", lambda _: f"({template.replace('{x}', value)})", text)
        return text

    def used(self, expression) -> Iterator[int]:
        """The columns in an expression; NoRule for one with a subquery, which tells nothing before the query runs."""
        if next(find(expression, "ResolvedSubqueryExprProto"), None) is not None:
            raise NoRule("a subquery")
        return (ref.column.column_id for ref in find(expression, "ResolvedColumnRefProto"))
