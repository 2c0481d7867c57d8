"""The resolved tree as DuckDB SQL.

Every scan becomes one SELECT whose columns are named c<column id>; the analyzer gives each column of a
statement its own id, so a name means one thing wherever it stands, correlated subqueries included.
A node is compiled by the method named after it. One without a method raises NoRule, which sends the
statement to the reference evaluator.
"""
from __future__ import annotations

import re
from functools import cached_property

from .. import values
from ..errors import ApiError, unsupported
from . import row_patterns, table_functions, types
from .collations import collated, folded
from .expressions import COLUMN, QUOTED, VOLATILE, Expressions, NoRule
from .runtime import raised_text, too_complex
from .tree import Subquery, columns_of, find, node_of

SET_OPERATIONS = ("UNION ALL", "UNION", "INTERSECT ALL", "INTERSECT", "EXCEPT ALL", "EXCEPT")
OWN_NAME = re.compile(r"[a-z]\d+", re.I)  # of columns and variables in compiled SQL
PSEUDO = {"_PARTITIONDATE": '"_PARTITIONTIME"::DATE'}  # columns of tables that are made of what the lake has
SERIES = re.compile(r"generate_series\(\(?(-?\d+)\)?::BIGINT, \(?-?\d+\)?::BIGINT, \(?(-?\d+)\)?(?:::BIGINT)?\)")
MANY = 50_000  # rows of a LIMIT
MOST_ITERATIONS = 500  # of a recursive CTE
GATHERING = ("array_agg", "string_agg", "array_concat_agg")
JOINS = ("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


def compile_statement(statement, cursor) -> str:
    """A statement's DuckDB SQL; ApiError notImplemented names what neither DuckDB nor the evaluator can do."""
    try:
        return Compiler(statement, cursor).statement()
    except RecursionError:
        raise too_complex() from None
    except NoRule as missing:
        from .reference import evaluate
        return evaluate(statement, cursor, missing.construct)


class Compiler(Expressions):
    """One statement on its way into SQL.

    statement: an analyzed Statement; cursor: a DuckDB cursor, on which constants are evaluated.
    """

    def __init__(self, statement, cursor):
        super().__init__(statement.context)
        self.plan = statement
        self.cursor = cursor
        self.with_columns: dict[str, list[str]] = {}
        self.recursive: list[str] = []
        self.correlated = False  # inside of a subquery that reads columns from outside

    def statement(self) -> str:
        node = self.plan.node
        query = self.scan(node.query)
        output = node.output_column_list
        if getattr(node, "is_value_table", False) and types.kind_name(output[0].column.type) == "RECORD":
            whole = self.column(output[0].column)
            names = types.struct_names(output[0].column.type)
            items = [f"struct_extract({whole}, {values.string(name)}) AS {values.identifier(name)}" for name in names]
        else:
            items = [f"{self.column(c.column)} AS {values.identifier(field['name'])}" for c, field in zip(output, self.plan.fields)]
        return f"SELECT {', '.join(items)} FROM ({query})"

    # Scans ----------------------------------------------------------------------------------------

    def scan(self, scan) -> str:
        """The SELECT of any scan."""
        node, name = node_of(scan)
        rule = getattr(self, "scan_" + name.removeprefix("resolved_").removesuffix("_node"), None)
        if rule is None:
            raise NoRule(name.removeprefix("resolved_").removesuffix("_scan_node").replace("_", " ").upper())
        return rule(node)

    def source(self, scan) -> str:
        """The FROM clause over a scan; empty over the scan of one row without columns."""
        return "" if node_of(scan)[1] == "resolved_single_row_scan_node" else f" FROM {self.item(scan)}"

    def item(self, scan) -> str:
        """The FROM item of a scan. Joins of joins are one tree, without a SELECT between them, so that DuckDB can choose their order."""
        node, name = node_of(scan)
        return f"({self.joined(node)})" if name == "resolved_join_scan_node" else f"({self.scan(scan)})"

    def select(self, columns, computed: dict[int, str], tail: str) -> str:
        """A SELECT of columns, those in `computed` by their expression, each once."""
        items = {}
        for column in columns:
            name = self.column(column)
            made = computed.get(column.column_id)
            items[name] = f"{made} AS {name}" if made else name
        return f"SELECT {', '.join(items.values()) or '1 AS c0'}{tail}"

    def computed(self, items) -> dict[int, str]:
        """column id -> expression, of computed columns."""
        result = {}
        for item in items:
            node, _ = node_of(item)
            result[node.column.column_id] = self.expr(node.expr)
        return result

    def scan_single_row_scan(self, node) -> str:
        return "SELECT 1 AS c0"

    def scan_table_scan(self, node) -> str:
        place = node.table.serialization_id - 1
        view = self.plan.views.get(place)
        if view is not None:
            if node.HasField("for_system_time_expr"):
                raise self.plan.order[place].no_travel()
            relation = f"({Compiler(view, self.cursor).statement()})"
            names, own = ([field["name"] for field in each.fields] for each in (self.plan.order[place], view))
            if names != own and len(names) == len(own):  # the view's definition names its columns
                relation += f" AS renamed({', '.join(map(values.identifier, names))})"
        else:
            relation = self.plan.order[place].relation(self.plan.moment(node, self.cursor))
        columns = {self.column(c): PSEUDO.get(c.name) or values.identifier(c.name) for c in node.parent.column_list}
        items = ", ".join(f"{source} AS {name}" for name, source in columns.items())
        return f"SELECT {items or '1 AS c0'} FROM {relation}"

    def constant(self, expression):
        """The value of an expression that has no columns, as Python has it."""
        try:
            return self.cursor.execute(f"SELECT {self.expr(expression)}").fetchone()[0]
        except Exception as error:
            if isinstance(error, (ApiError, NoRule)):
                raise
            from .runtime import runtime_error
            raise runtime_error(error) from error

    def scan_project_scan(self, node) -> str:
        return self.select(node.parent.column_list, self.computed(node.expr_list), self.source(node.input_scan))

    def scan_filter_scan(self, node) -> str:
        condition, source = self.expr(node.filter_expr), self.source(node.input_scan)
        scan, name = node_of(node.input_scan)
        if name == "resolved_table_scan_node" and source.startswith(' FROM (SELECT "') and "SELECT " not in condition and self.plain(scan):
            # In the scan's own SELECT our names are those of its columns to DuckDB, which then filters a dictionary's entries, not all rows.
            return self.select(node.parent.column_list, {}, f"{source.removesuffix(')')} WHERE {condition})")
        return self.select(node.parent.column_list, {}, f"{source} WHERE {condition}")

    def plain(self, scan) -> bool:
        """Whether a table's rows are read as they are, and no column of it has a name like ours."""
        place = scan.table.serialization_id - 1
        return place not in self.plan.views and not any(OWN_NAME.fullmatch(field["name"]) for field in self.plan.order[place].fields)

    def scan_join_scan(self, node) -> str:
        return self.select(node.parent.column_list, {}, f" FROM {self.joined(node)}")

    def joined(self, node) -> str:
        if node.is_lateral:
            raise NoRule("LATERAL JOIN")
        condition = self.expr(node.join_expr) if node.HasField("join_expr") else "true"
        left, right, join = self.item(node.left_scan), self.item(node.right_scan), JOINS[node.join_type]
        if join == "FULL JOIN" and self.correlated:
            return self.correlated_full_join(node, left, right, condition)
        return f"{left} {join} {right} ON {condition}"

    def correlated_full_join(self, node, left: str, right: str, condition: str) -> str:
        """A FULL JOIN as DuckDB takes it in a correlated subquery: a LEFT JOIN, and the rows of the right that match none."""
        ours, theirs = ([self.column(column) for column in columns_of(scan)] for scan in (node.left_scan, node.right_scan))
        both, rest = (", ".join(names) or "1 AS c0" for names in (ours + theirs, [f"NULL AS {name}" for name in ours] + theirs))
        return (f"(SELECT {both} FROM {left} LEFT JOIN {right} ON {condition} "
                f"UNION ALL SELECT {rest} FROM {right} WHERE NOT EXISTS (SELECT 1 FROM {left} WHERE {condition}))")

    def scan_array_scan(self, node) -> str:
        if len(node.array_expr_list) > 1:
            raise NoRule("UNNEST of several arrays")
        array = self.expr(node.array_expr_list[0])
        element = self.column(node.element_column_list[0])
        offset = self.column(node.array_offset_column.column) if node.HasField("array_offset_column") else None
        has_input, has_condition = node.HasField("input_scan"), node.HasField("join_expr")
        if node.is_outer and has_condition:
            inner = unnest("a", element, offset, f" FROM (SELECT {array} AS a)", False)
            tail = f" FROM ({self.scan(node.input_scan)}) LEFT JOIN LATERAL ({inner}) ON {self.expr(node.join_expr)}"
            return self.select(node.parent.column_list, {}, tail)
        rows = f"({self.scan(node.input_scan)})" if has_input else None
        if SERIES.fullmatch(array) and not node.is_outer:
            query = series(array, element, offset, rows)
        else:
            name = f"a{node.element_column_list[0].column_id}"
            source = f" FROM (SELECT *, {array} AS {name} FROM {rows})" if rows else f" FROM (SELECT {array} AS {name})"
            query = unnest(name, element, offset, source, node.is_outer, has_input)
        tail = f" FROM ({query})" + (f" WHERE {self.expr(node.join_expr)}" if has_condition else "")
        return self.select(node.parent.column_list, {}, tail)

    def scan_aggregate_scan(self, node) -> str:
        base = node.parent
        groups = self.computed(base.group_by_list)
        shown = dict(groups)
        for item, (number, expr), collation in zip(base.group_by_list, groups.items(), base.collation_list):
            if collated([collation]):
                groups[number], shown[number] = folded(expr, node_of(item)[0].column.type, collation), f"any_value({expr})"
        if base.grouping_set_list:
            return self.grouping_sets(base, groups, shown)
        aggregates, source = self.aggregates(base, groups)
        items = [f"{expr} AS c{number}" for number, expr in (shown | aggregates).items()]
        keys = ", ".join(str(i + 1) if groups[number] == shown[number] else groups[number] for i, number in enumerate(groups))
        tail = f" GROUP BY {keys}" if keys else ""
        if not items:
            items = ["count(*) AS c0"]
        return f"SELECT {', '.join(items)}{source}{tail}"

    def repeated_rows(self, scan) -> str | None:
        """The rows of a SELECT DISTINCT of one column before they are made different; None for any other scan."""
        node, name = node_of(scan)
        if name == "resolved_project_scan_node" and not node.expr_list:
            node, name = node_of(node.input_scan)
        base = node.parent
        if name != "resolved_aggregate_scan_node" or len(base.group_by_list) != 1 or base.aggregate_list or base.grouping_set_list or collated(base.collation_list):
            return None
        ((number, expr),) = self.computed(base.group_by_list).items()
        return f"SELECT {expr} AS c{number}{self.source(base.input_scan)}"

    def aggregates(self, base, groups: dict[int, str]) -> tuple[dict[int, str], str]:
        """The aggregates of a scan, and the FROM clause over what they read."""
        before, self.extremes = self.extremes, {}
        made, extremes = self.computed(base.aggregate_list), self.extremes
        self.extremes, source = before, self.source(base.input_scan)
        if extremes:
            keys = f"PARTITION BY {', '.join(groups.values())}" if groups else ""
            source = f" FROM (SELECT *, {', '.join(f'{sql} AS {name}' for name, sql in extremes.items())}{source} WINDOW group_rows AS ({keys}))"
        return made, source

    def grouping_sets(self, base, groups: dict[int, str], shown: dict[int, str]) -> str:
        keys = "".join(f", {expr} AS c{number}" for number, expr in groups.items())
        source = f" FROM (SELECT *{keys} FROM ({self.scan(base.input_scan)}))"
        calls = {call.output_column.column_id: f"grouping({self.expr_column_ref(call.group_by_column)})::BIGINT" for call in base.grouping_call_list}
        sets = ", ".join(self.grouping_set(item) for item in base.grouping_set_list)
        items = [f"c{number}" if groups[number] == shown[number] else f"CASE WHEN grouping(c{number}) = 0 THEN {shown[number]} END AS c{number}" for number in groups]
        items += [f"{expr} AS c{number}" for number, expr in (self.computed(base.aggregate_list) | calls).items()]
        if self.extremes:
            raise NoRule("HAVING MAX or MIN over GROUPING SETS")
        return f"SELECT {', '.join(items)}{source} GROUP BY GROUPING SETS ({sets})"

    def grouping_set(self, item) -> str:
        node, name = node_of(item)
        if name == "resolved_grouping_set_node":
            return "(" + ", ".join(self.expr_column_ref(ref) for ref in node.group_by_column_list) + ")"
        if name in ("resolved_rollup_node", "resolved_cube_node"):
            kind = name.removeprefix("resolved_").removesuffix("_node")
            parts = ["(" + ", ".join(self.expr_column_ref(ref) for ref in part.column_list) + ")" for part in getattr(node, kind + "_column_list")]
            return f"{kind.upper()} ({', '.join(parts)})"
        raise NoRule("GROUPING SETS of this form")

    def scan_analytic_scan(self, node) -> str:
        columns = columns_of(node.input_scan)
        items = [self.column(c) for c in columns]
        for group in node.function_group_list:
            for item in group.analytic_function_list:
                made, _ = node_of(item)
                items.append(f"{self.analytic(made.expr, group)} AS {self.column(made.column)}")
        return f"SELECT {', '.join(items)}{self.source(node.input_scan)}"

    def scan_order_by_scan(self, node) -> str:
        order = ", ".join(self.order_item(item) for item in node.order_by_item_list)
        return self.select(node.parent.column_list, {}, f"{self.source(node.input_scan)} ORDER BY {order}")

    def scan_limit_offset_scan(self, node) -> str:
        if node_of(node.input_scan)[1] == "resolved_order_by_scan_node":
            query = self.scan(node.input_scan)  # ORDER BY and LIMIT side by side are a top-N
        else:
            source = self.source(node.input_scan)
            if source and node.HasField("limit") and is_large(node.limit):
                source += ", (VALUES (1))"  # else DuckDB joins the rows with the numbers of those it takes, and holds all of them for that
            query = self.select(node.parent.column_list, {}, source)
        limit = f" LIMIT {self.expr(node.limit)}" if node.HasField("limit") else ""
        offset = f" OFFSET {self.expr(node.offset)}" if node.HasField("offset") else ""
        return query + limit + offset

    def scan_set_operation_scan(self, node) -> str:
        names = [self.column(c) for c in node.parent.column_list]
        rows = self.constant_rows(node) if SET_OPERATIONS[node.op_type] == "UNION ALL" else None
        if rows:  # in their order, in which DuckDB's UNION does not hand them to aggregates
            return f"SELECT * FROM (VALUES {', '.join(rows)}) AS rows({', '.join(names)})"
        items = []
        for item in node.input_item_list:
            columns = ", ".join(f"{self.column(c)} AS {name}" for c, name in zip(item.output_column_list, names))
            items.append(f"(SELECT {columns} FROM ({self.scan(item.scan)}))")
        if SET_OPERATIONS[node.op_type] in ("INTERSECT ALL", "EXCEPT ALL"):
            raise ApiError("invalidQuery", f"{SET_OPERATIONS[node.op_type]} is not supported: use DISTINCT", "query")
        if SET_OPERATIONS[node.op_type] != "UNION ALL" and collated(column.annotation_map for column in node.parent.column_list):
            return self.collated_set(SET_OPERATIONS[node.op_type], node.parent.column_list, items)
        whole = f" {SET_OPERATIONS[node.op_type]} ".join(items)
        if SET_OPERATIONS[node.op_type] != "UNION ALL" or self.correlated or self.recursive or not self.gathers:
            return whole
        return f"SELECT * FROM ({whole}) LIMIT 100%"  # makes DuckDB hand its parts on one after another

    @cached_property
    def gathers(self) -> bool:
        """Whether the statement makes arrays or texts of rows in the order in which they come."""
        calls = find(self.plan.tree, "ResolvedAggregateFunctionCallProto")
        return any(not call.order_by_item_list and call.parent.parent.function.name.rpartition(":")[2].lower() in GATHERING for call in calls) or any(
            query.subquery_type == Subquery.ARRAY for query in find(self.plan.tree, "ResolvedSubqueryExprProto"))

    def constant_rows(self, node) -> list[str] | None:
        """The rows of a set operation whose inputs have one row of constants each; None for any other."""
        rows = []
        for item in node.input_item_list:
            row = self.constant_row(item.scan)
            if not row:
                return None
            rows.append("(" + ", ".join(row[c.column_id] for c in item.output_column_list) + ")")
        return rows

    def constant_row(self, scan) -> dict[int, str] | None:
        """column id -> literal, of a scan of one row."""
        node, name = node_of(scan)
        if name == "resolved_single_row_scan_node":
            return {}
        row = self.constant_row(node.input_scan) if name == "resolved_project_scan_node" else None
        if row is None:
            return None
        self.places |= row
        row |= self.computed(node.expr_list)
        for column in row:
            self.places.pop(column, None)
        bare = QUOTED.sub("", " ".join(row.values()))
        return None if COLUMN.search(bare) or VOLATILE.search(bare) or "SELECT " in bare else row

    def collated_set(self, operation: str, columns, items: list[str]) -> str:
        """UNION, INTERSECT or EXCEPT of rows, of which some differ in case alone: one of them is kept."""
        def keys(prefix: str = "") -> list[str]:
            return [folded(prefix + self.column(column), column.type, column.annotation_map) for column in columns]
        rows = " UNION ALL ".join(items) if operation == "UNION" else items[0]
        same = " AND ".join(f"{a} IS NOT DISTINCT FROM {b}" for a, b in zip(keys("l."), keys("r.")))
        for item in items[1:] if operation != "UNION" else ():
            rows = f"SELECT * FROM ({rows}) AS l WHERE {'NOT ' if operation == 'EXCEPT' else ''}EXISTS (SELECT 1 FROM ({item}) AS r WHERE {same})"
        return f"SELECT DISTINCT ON ({', '.join(keys())}) * FROM ({rows})"

    def scan_with_scan(self, node) -> str:
        entries = []
        for entry in node.with_entry_list:
            name = values.identifier(entry.with_query_name)
            self.with_columns[entry.with_query_name] = [self.column(c) for c in columns_of(entry.with_subquery)]
            if node_of(entry.with_subquery)[1] == "resolved_recursive_scan_node":
                self.recursive.append(entry.with_query_name)
                entries.append(f"{name} AS ({self.scan(entry.with_subquery)})")
                self.recursive.pop()
            else:
                entries.append(f"{name} AS ({self.scan(entry.with_subquery)})")
        recursive = "RECURSIVE " if node.recursive else ""
        return f"WITH {recursive}{', '.join(entries)} {self.scan(node.query)}"

    def scan_recursive_scan(self, node) -> str:
        names = [self.column(c) for c in node.parent.column_list]
        terms = []
        for term in (node.non_recursive_term, node.recursive_term):
            columns = ", ".join(f"{self.column(c)} AS {name}" for c, name in zip(term.output_column_list, names))
            terms.append(f"SELECT {columns} FROM ({self.scan(term.scan)})")
        if SET_OPERATIONS[node.op_type] == "UNION ALL":
            terms = counted(*terms, values.identifier(self.recursive[-1]))
        elif collated(column.annotation_map for column in node.parent.column_list):
            raise unsupported("WITH RECURSIVE and UNION DISTINCT of a STRING with a collation")
        return f" {SET_OPERATIONS[node.op_type]} ".join(terms)

    def scan_recursive_ref_scan(self, node) -> str:
        return self.reference(self.recursive[-1], node)

    def scan_with_ref_scan(self, node) -> str:
        return self.reference(node.with_query_name, node)

    def reference(self, name: str, node) -> str:
        """The rows of a named subquery under this scan's own column names."""
        columns = ", ".join(f"{source} AS {self.column(c)}" for source, c in zip(self.with_columns[name], node.parent.column_list))
        return f"SELECT {columns or '1 AS c0'} FROM {values.identifier(name)}"

    def scan_aggregation_threshold_aggregate_scan(self, node) -> str:
        """The groups to which enough units of privacy have contributed."""
        given = {option.name.lower(): option.value for option in node.option_list}
        if "privacy_unit_column" not in given or set(given) - {"threshold", "privacy_unit_column"}:
            raise unsupported(f"AGGREGATION_THRESHOLD with {', '.join(sorted(given)) or 'no options'}")
        threshold = self.constant(given["threshold"]) if "threshold" in given else 50
        base = node.parent
        if base.grouping_set_list:
            raise NoRule("AGGREGATION_THRESHOLD with GROUPING SETS")
        groups = self.computed(base.group_by_list)
        aggregates, source = self.aggregates(base, groups)
        items = [f"{expr} AS c{number}" for number, expr in (groups | aggregates).items()]
        keys = ", ".join(str(place + 1) for place in range(len(groups)))
        units = f" HAVING count(DISTINCT {self.expr(given['privacy_unit_column'])}) >= {int(threshold)}"
        return f"SELECT {', '.join(items)}{source}{f' GROUP BY {keys}' if keys else ''}{units}"

    def scan_sample_scan(self, node) -> str:
        if node.method.lower() != "system":
            raise ApiError("invalidQuery", f"TABLESAMPLE {node.method.upper()} is not supported: the only method is SYSTEM", "query")
        if node.partition_by_list or node.HasField("weight_column"):
            raise NoRule("TABLESAMPLE of this form")
        unit = "ROWS" if node.unit == 0 else "PERCENT"
        size = self.constant(node.size)
        method = "reservoir" if unit == "ROWS" else "bernoulli"
        seed = f", {int(self.constant(node.repeatable_argument))}" if node.HasField("repeatable_argument") else ""
        return f"SELECT * FROM ({self.scan(node.input_scan)}) USING SAMPLE {float(size) if unit == 'PERCENT' else int(size)} {unit} ({method}{seed})"

    def scan_match_recognize_scan(self, node) -> str:
        return row_patterns.scanned(self, node)

    def scan_tvfscan(self, node) -> str:
        made = table_functions.scanned(self, node)
        if made is None:
            raise NoRule(f"the table function {node.tvf.name}")
        return made

    def scan_barrier_scan(self, node) -> str:
        return self.scan(node.input_scan)


def counted(base: str, recursive: str, name: str) -> tuple[str, str]:
    """The two terms of a recursive CTE with a column that counts iterations, of which there may not be too many."""
    failed = raised_text(f"A recursive CTE has reached the maximum number of iterations: {MOST_ITERATIONS}")
    number = f"CASE WHEN before >= {MOST_ITERATIONS} THEN {failed} ELSE before + 1 END AS _iteration"
    return (f"SELECT *, 1 AS _iteration FROM ({base})",
            f"SELECT * EXCLUDE (before), {number} FROM (SELECT *, (SELECT max(_iteration) FROM {name}) AS before FROM ({recursive}))")


def is_large(limit) -> bool:
    """Whether a LIMIT is written as a large number."""
    node, kind = node_of(limit)
    return kind == "resolved_literal_node" and node.value.value.int64_value > MANY


def unnest(array: str, element: str, offset: str | None, source: str, outer: bool, keep: bool = False) -> str:
    """A SELECT of an array's elements beside the row they come from; an outer one has a row of NULLs for an empty array."""
    empty = f"coalesce(len({array}), 0) = 0"
    filled = f"CASE WHEN {empty} THEN [NULL] ELSE {array} END" if outer else array
    items = (["*"] if keep else []) + [f"unnest({filled}) AS {element}"]
    if offset:
        number = f"generate_subscripts({filled}, 1) - 1"
        items.append(f"CASE WHEN {empty} THEN NULL ELSE {number} END AS {offset}" if outer else f"{number} AS {offset}")
    return f"SELECT {', '.join(items)}{source}"


def series(array: str, element: str, offset: str | None, rows: str | None) -> str:
    """What unnest does, for an array of integers that is known as SERIES: DuckDB makes the numbers without the array."""
    first, step = SERIES.fullmatch(array).groups()
    items = [f"s.i AS {element}", *([f"(s.i - ({first})) // ({step}) AS {offset}"] if offset else [])]
    return f"SELECT {'l.*, ' if rows else ''}{', '.join(items)} FROM {f'{rows} AS l CROSS JOIN ' if rows else ''}{array} AS s(i)"
