"""MATCH_RECOGNIZE: patterns of rows.

DuckDB says of each row which symbols it may be, in the bits of a number; the numbers of a partition, in their order, go to
`matched`, and what it finds is joined with the rows again, to be aggregated by match. Source: BigQuery's "Query syntax".
"""
from __future__ import annotations

import json
from functools import lru_cache

from .. import values
from ..errors import ApiError, unsupported
from . import python_functions
from .tree import columns_of, node_of

NEXT_ROW = 2  # a value of AfterMatchSkipMode
OPERATIONS = {1: "all", 2: "any"}  # by MatchRecognizePatternOperationType
ANCHORS = {1: "begin", 2: "end"}
MOST_SYMBOLS = 62
MOST_STEPS = 1_000_000  # of a pattern whose repetitions are written out


def scanned(compiler, node) -> str:
    """The SELECT of a MATCH_RECOGNIZE: a row for each match."""
    (window,) = node.analytic_function_group_list
    computed = [node_of(item)[0] for item in window.analytic_function_list]
    inner = [compiler.column(column) for column in columns_of(node.input_scan)] + [compiler.column(item.column) for item in computed]
    keys = [compiler.column(ref.column) for ref in window.partition_by.partition_by_list]
    order = ", ".join([*(compiler.order_item(item) for item in window.order_by.order_by_item_list), "row_id"])
    number, row, symbol = (compiler.column(column) for column in (node.match_number_column, node.match_row_number_column, node.classifier_column))
    symbols = [definition.name for definition in node.pattern_variable_definition_list]
    if len(symbols) > MOST_SYMBOLS:
        raise unsupported(f"MATCH_RECOGNIZE with more than {MOST_SYMBOLS} symbols")
    bits = " + ".join(f"CASE WHEN {compiler.expr(definition.predicate)} THEN {1 << place} ELSE 0 END"
                      for place, definition in enumerate(node.pattern_variable_definition_list))
    longest = any(compiler.constant(option.value) for option in node.option_list)  # there is no other option than use_longest_match
    pattern = values.string(json.dumps([written(compiler, node.pattern, {name.lower(): place for place, name in enumerate(symbols)}),
                                        node.after_match_skip_mode == NEXT_ROW, longest]))
    analytic = "".join(f", {compiler.analytic(item.expr, window)} AS {compiler.column(item.column)}" for item in computed)
    own, names = "".join(f"{key}, " for key in keys), ", ".join(values.string(name) for name in symbols)
    found = python_functions.call("BIGINT[]", "row_patterns.matched", pattern, "masks")
    rest = "".join(f", r.{name}" for name in dict.fromkeys(inner) if name not in keys)
    steps = [
        f"\"$rows\" AS MATERIALIZED (SELECT *, {bits} AS mask FROM (SELECT *, row_number() OVER () AS row_id{analytic}{compiler.source(node.input_scan)}))",
        f"\"$parts\" AS (SELECT {own}list(row_id ORDER BY {order}) AS ids, list((mask)::BIGINT ORDER BY {order}) AS masks "
        f"FROM \"$rows\"{f' GROUP BY {own[:-2]}' if keys else ''})",
        f"\"$found\" AS (SELECT {own}ids, found, unnest(range(len(found) // 4)) * 4 AS place FROM (SELECT *, {found} AS found FROM \"$parts\"))",
        f"\"$matched\" AS (SELECT {own}ids[found[place + 3]] AS row_id, found[place + 1] AS {number}, nullif(found[place + 2], 0) AS {row}, "
        f"[{names}][found[place + 4]] AS {symbol} FROM \"$found\")"]
    items = {key: key for key in [*keys, number]} | measures(compiler, node, row, symbol)
    shown = {compiler.column(column): items[compiler.column(column)] for column in node.parent.column_list if compiler.column(column) in items}
    return (f"WITH {', '.join(steps)} SELECT {', '.join(f'{made} AS {name}' for name, made in shown.items()) or '1 AS c0'} "
            f"FROM (SELECT m.* EXCLUDE (row_id){rest} FROM \"$matched\" m LEFT JOIN \"$rows\" r ON r.row_id = m.row_id) GROUP BY {own}{number}")


def measures(compiler, node, row: str, symbol: str) -> dict[str, str]:
    """The aggregates of a match's rows, or of those of one symbol; an empty match has none."""
    made: dict[str, str] = {}
    for group in node.measure_group_list:
        name = group.pattern_variable_ref.name
        compiler.measured = [f"{row} IS NOT NULL"] + ([f"lower({symbol}) = {values.string(name.lower())}"] if name else [])
        try:
            made |= {f"c{number}": sql for number, sql in compiler.computed(group.aggregate_list).items()}
        finally:
            compiler.measured = []
    return made


def written(compiler, pattern, places: dict[str, int]) -> list:
    """A pattern as lists: a symbol by its place, what must stand after one another, one of which must, and so on."""
    node, kind = node_of(pattern)
    kind = kind.removeprefix("resolved_match_recognize_pattern_").removesuffix("_node")
    if kind == "variable_ref":
        return ["symbol", places[node.name.lower()]]
    if kind == "operation":
        return [OPERATIONS[node.op_type], *(written(compiler, item, places) for item in node.operand_list)]
    if kind == "anchor":
        return [ANCHORS[node.mode]]
    if kind == "empty":
        return ["all"]
    least, most = (int(compiler.constant(bound)) if bound.WhichOneof("node") else None for bound in (node.lower_bound, node.upper_bound))
    if least is not None and most is not None and least > most:
        raise ApiError("invalidQuery", "Quantifier upper bound cannot be smaller than the lower bound", "query")
    return ["repeat", written(compiler, node.operand, places), least or 0, most, node.is_reluctant]


# The matcher --------------------------------------------------------------------------------------

class Steps(list):
    """A pattern as steps: ("symbol", place), ("either", step that is preferred, other), ("begin",), ("end",), ("match",)."""

    def add(self, *step) -> int:
        if len(self) == MOST_STEPS:
            raise ApiError("resourcesExceeded", "Resources exceeded during query execution: The pattern of MATCH_RECOGNIZE is too large.")
        self.append(step)
        return len(self) - 1

    def write(self, pattern: list) -> None:
        kind, *parts = pattern
        if kind == "all":
            for part in parts:
                self.write(part)
        elif kind == "any":
            self.either([lambda part=part: self.write(part) for part in parts])
        elif kind == "repeat":
            self.repeat(*parts)
        else:
            self.add(*pattern)

    def either(self, choices: list) -> None:
        """One of several, the first of them preferred."""
        ends = []
        for choice in choices[:-1]:
            fork = self.add("either", len(self) + 1, None)
            choice()
            ends.append(self.add("either", None, None))
            self[fork] = ("either", fork + 1, len(self))
        choices[-1]()
        for end in ends:
            self[end] = ("either", len(self), len(self))

    def repeat(self, part: list, least: int, most: int | None, reluctant: bool) -> None:
        begin = len(self)
        for _ in range(least):
            begin = len(self)
            self.write(part)
        if most is None and least:
            self.add("either", *([len(self) + 1, begin] if reluctant else [begin, len(self) + 1]))
        elif most is None:
            fork = self.add("either", None, None)
            self.write(part)
            self.add("either", fork, fork)
            self.fork(fork, len(self), reluctant)
        else:
            forks = []
            for _ in range(most - least):
                forks.append(self.add("either", None, None))
                self.write(part)
            for fork in forks:
                self.fork(fork, len(self), reluctant)

    def fork(self, place: int, after: int, reluctant: bool) -> None:
        """Let a step lead into what follows it, or past that."""
        self[place] = ("either", after, place + 1) if reluctant else ("either", place + 1, after)


@lru_cache(256)
def steps_of(text: str) -> tuple[Steps, bool, bool]:
    pattern, overlapping, longest = json.loads(text)
    steps = Steps()
    steps.write(pattern)
    steps.add("match")
    return steps, overlapping, longest


def matched(text: str, masks: list[int]) -> list[int]:
    """The matches in a partition: for each of their rows the match's number, the row's in it, its place and its symbol's, from 1 on.
    An empty match has three zeros behind its number."""
    steps, overlapping, longest = steps_of(text)
    made: list[int] = []
    at = number = 0
    while at < len(masks):
        path = match_at(steps, masks, at, longest)
        if path is None:
            at += 1
            continue
        number += 1
        for row, symbol in enumerate(path):
            made += (number, row + 1, at + row + 1, symbol + 1)
        if not path:
            made += (number, 0, 0, 0)
        at += 1 if overlapping else len(path) or 1
    return made


def match_at(steps: Steps, masks: list[int], start: int, longest: bool) -> list[int] | None:
    """The symbols of the preferred match that begins at a row; None where none does.

    All ways to match go on side by side, in the order of preference; of those that come to the same step the first is kept.
    """
    at, best = start, None
    ways = follow(steps, 0, (), at, len(masks), set())
    while ways:
        later, seen = [], set()
        for step, path in ways:
            kind, *rest = steps[step]
            if kind == "match":
                best = path
                if longest:
                    continue
                break  # those that come after it are less preferred
            if at < len(masks) and masks[at] >> rest[0] & 1:
                later += follow(steps, step + 1, (path, rest[0]), at + 1, len(masks), seen)
        ways, at = later, at + 1
    if best is None:
        return None
    symbols = []
    while best:
        best, symbol = best
        symbols.append(symbol)
    return symbols[::-1]


def follow(steps: Steps, step: int, path: tuple, at: int, end: int, seen: set[int]) -> list[tuple[int, tuple]]:
    """The steps that take a row, or are a match, to which a step leads at a place, in the order of preference."""
    found, waiting = [], [step]
    while waiting:
        step = waiting.pop()
        if step in seen:
            continue
        seen.add(step)
        kind, *rest = steps[step]
        if kind == "either":
            waiting += reversed(rest)
        elif kind in ("symbol", "match"):
            found.append((step, path))
        elif at == (0 if kind == "begin" else end):
            waiting.append(step + 1)
    return found
