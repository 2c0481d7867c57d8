"""Which partitions the filters of a statement leave to be read.

A condition on a partitioned column may hold in a partition if it may hold between the least and the greatest
value of its rows. The parts of a filter that say something of that kind are compiled to SQL over the two;
the others leave every partition in.
"""
from __future__ import annotations

import re
from typing import Any, Callable, Iterator, NamedTuple

from .. import values
from .compiler import Compiler
from .expressions import NoRule
from .tree import columns_of, find, node_of

# column op constant -> what must hold of the least ({a}) and the greatest ({b}) value of a partition
COMPARED = {"$equal": "{a} <= {c} AND {b} >= {c}", "$less": "{a} < {c}", "$less_or_equal": "{a} <= {c}",
            "$greater": "{b} > {c}", "$greater_or_equal": "{b} >= {c}"}
TURNED = {"$equal": "$equal", "$less": "$greater", "$less_or_equal": "$greater_or_equal", "$greater": "$less", "$greater_or_equal": "$less_or_equal"}
NOT_MATCHED_BY_SOURCE = 1  # a value of ResolvedMergeWhen.match_type
# Functions that keep the order of their argument, so that they can be looked through.
MONOTONE = {"date", "timestamp", "datetime", "date_trunc", "timestamp_trunc", "datetime_trunc", "$extract_date"}


class Level(NamedTuple):
    """The filters of a statement. names: column of a view that it reads -> the columns here that stand for it."""

    compiler: Compiler
    parts: list
    names: dict[int, set[int]]


def conditions(statement, cursor, above: tuple[Level, ...] = ()) -> Iterator[tuple[Any, str | None]]:
    """For each scan of a table with a `partitioning`, in the statement and in its views: the table, and SQL that is true of the
    rows whose partitions are read, None where all are. above: the filters of what reads the statement, which is a view."""
    if not any(getattr(table, "partitioning", None) for table in statement.tables):
        return
    compiler, parts, same = Compiler(statement, cursor), filters(statement), aliases(statement.tree)
    read = [statement.node.query, *statement.node.row_list] if statement.type == "INSERT" else [statement.tree]  # its target is not read
    for scan in (scan for root in read for scan in find(root, "ResolvedTableScanProto")):
        place = scan.table.serialization_id - 1
        table, view = statement.order[place], statement.views.get(place)
        levels = [Level(compiler, parts, {column.column_id: standing_for(same, column.column_id) for column in scan.parent.column_list})]
        levels += [level._replace(names={own: set().union(*(level.names.get(name, ()) for name in names)) for own, names in levels[0].names.items()})
                   for level in above]
        if view:
            outputs = [item.column.column_id for item in view.node.output_column_list]
            inner: dict[int, list[int]] = {}
            for own, index in zip(scan.parent.column_list, scan.column_index_list):
                if index < len(outputs):  # what is behind them is a pseudo column
                    inner.setdefault(outputs[index], []).append(own.column_id)
            yield from conditions(view, cursor, tuple(
                level._replace(names={column: set().union(*map(level.names.__getitem__, owns)) for column, owns in inner.items()}) for level in levels))
        elif partitioning := getattr(table, "partitioning", None):
            own = {column.column_id: column.name for column in scan.parent.column_list}
            pruners = [(Pruner(level.compiler, {name: own[column] for column, names in level.names.items() for name in names}, partitioning), level.parts)
                       for level in levels]
            if statement.type == "MERGE" and scan == statement.node.table_scan:
                yield table, merged(pruners[0][0], statement.node)
            else:
                yield table, " AND ".join(made for pruner, parts_ in pruners if (made := pruner.all_of(parts_))) or None


def filters(statement) -> list:
    """The conditions that all hold of the rows which a statement reads."""
    parts = [part for node in find(statement.tree, "ResolvedFilterScanProto") for part in conjuncts(node.filter_expr)]
    if statement.type in ("UPDATE", "DELETE") and statement.node.HasField("where_expr"):
        parts += conjuncts(statement.node.where_expr)
    for join in find(statement.tree, "ResolvedJoinScanProto"):
        if join.join_type in JOINED and join.HasField("join_expr"):
            side = JOINED[join.join_type]
            inside = {column.column_id for column in columns_of(getattr(join, side))} if side else None
            parts += [part for part in conjuncts(join.join_expr) if inside is None or references(part) <= inside]
    for unnest in find(statement.tree, "ResolvedArrayScanProto"):
        if unnest.HasField("join_expr") and not unnest.is_outer:
            parts += conjuncts(unnest.join_expr)
    return parts


# join_type -> the side whose rows the condition ON chooses, "" for both
JOINED = {0: "", 1: "right_scan", 2: "left_scan"}


def references(expression) -> set[int]:
    return {ref.column.column_id for ref in find(expression, "ResolvedColumnRefProto")}


def aliases(tree) -> dict[int, list[int]]:
    """Column -> the columns that are the same further out: of projections, keys of groups, set operations, of a WITH that is read once."""
    same: dict[int, list[int]] = {}

    def pairs(inner, outer) -> None:
        for one, other in zip(inner, outer):
            same.setdefault(one.column_id, []).append(other.column_id)
    sets = {column.column.column_id for node in find(tree, "ResolvedAggregateScanBaseProto") if node.grouping_set_list for column in node.group_by_list}
    for computed in find(tree, "ResolvedComputedColumnProto"):
        node, name = node_of(computed.expr)
        if name == "resolved_column_ref_node" and not node.is_correlated and computed.column.column_id not in sets:
            pairs([node.column], [computed.column])
    for scan in find(tree, "ResolvedSetOperationScanProto"):
        for item in scan.input_item_list:
            pairs(item.output_column_list, scan.parent.column_list)
    reads: dict[str, list] = {}
    for scan in find(tree, "ResolvedWithRefScanProto"):
        reads.setdefault(scan.with_query_name, []).append(scan)
    for entry in find(tree, "ResolvedWithEntryProto"):
        if len(found := reads.get(entry.with_query_name, ())) == 1:
            pairs(columns_of(entry.with_subquery), found[0].parent.column_list)
    return same


def standing_for(same: dict[int, list[int]], column: int) -> set[int]:
    """The column and all those that are the same further out."""
    found, rest = set(), [column]
    while rest:
        one = rest.pop()
        if one not in found:
            found.add(one)
            rest += same.get(one, ())
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
    """The conditions on the partitions of one scan of a table. columns: id -> the table's column that it stands for."""

    def __init__(self, compiler: Compiler, columns: dict[int, str], partitioning):
        self.compiler, self.partitioning = compiler, partitioning
        names = {name.lower() for name in (partitioning.column, *partitioning.others)} | ({"_partitiondate"} if partitioning.column == "_PARTITIONTIME" else set())
        self.columns = {number: name for number, name in columns.items() if name.lower() in names}

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
        """The columns in an expression; NoRule for one with a subquery, which tells nothing before the query runs, and for one inside of a
        subquery that reads columns outside of it."""
        if next(find(expression, "ResolvedSubqueryExprProto"), None) is not None or any(
                ref.is_correlated for ref in find(expression, "ResolvedColumnRefProto")):
            raise NoRule("a subquery")
        return (ref.column.column_id for ref in find(expression, "ResolvedColumnRefProto"))
