"""Expressions of the resolved tree as DuckDB SQL.

A function's SQL is a template over its arguments, `{0}`, `{1}` and so on. Where a template names an
argument more than once and the argument is long, it is bound to a lambda's variable: each argument is
written once and evaluated once, whatever templates are nested.
"""
from __future__ import annotations

import json
import re

from zetasql.wasi._pb2.zetasql.public import type_pb2
from zetasql.wasi._pb2.zetasql.public.functions import datetime_pb2

from .. import values
from ..errors import ApiError, unsupported
from . import types
from .collations import FOLDED, collated, folded
from .routines import JS_GROUP
from .tree import Subquery, columns_of, node_of

MARK = "\x02"
SHORT = 48  # an argument up to this length is repeated rather than bound
PLACEHOLDER = re.compile(r"\{(\d+)\}")
LITERAL = re.compile(r"\(?(-?[0-9][0-9.e+-]*|'[^']*'|true|false|NULL)\)?(::[\w(),]+)?")
PLAIN = re.compile(rf"c\d+|{LITERAL.pattern}")
COLUMN = re.compile(r"\bc\d+\b|\x02")
QUOTED = re.compile(r"('[^']*')")
LAMBDA = re.compile(r"lambda v(\d+):")
VARIABLE = re.compile(r"v\d+\.\w+")
VOLATILE = re.compile(r"random\(|uuid\(")
# The different elements of a list l, each where it first comes: it takes the square of their number, and so is for few. And in any order.
FEW, FIRSTS = 1000, "list_filter(l, lambda e, i: list_position(l, e) = i)"
DIFFERENT = "list_concat(list_distinct(l), CASE WHEN list_position(l, NULL) IS NOT NULL THEN [NULL] END)"
SAFE_ERROR_MODE = 1
IGNORE_NULLS, RESPECT_NULLS = 1, 2
HAVING_MAX = 1
FRAME_UNITS = ("ROWS", "RANGE")
FRAME_BOUNDS = ("UNBOUNDED PRECEDING", "{} PRECEDING", "CURRENT ROW", "{} FOLLOWING", "UNBOUNDED FOLLOWING")


class NoRule(Exception):
    """The compiler has no rule for a construct."""

    def __init__(self, construct: str):
        super().__init__(construct)
        self.construct = construct


def no(construct: str):
    raise NoRule(construct)


class Call:
    """One call of a function, as its entry in the table of functions sees it.

    args: SQL of the arguments; kinds: keys of values.TYPES (or ARRAY, ENUM); protos: their types;
    type, kind: of the result; nodes: the arguments in the tree; signature: the arguments as the function declares them.
    """

    def __init__(self, name: str, args: list[str], protos: list, nodes: list, proto, compiler, signature=()):
        self.name = name
        self.args = args
        self.protos = protos
        self.nodes = nodes
        self.type = proto
        self.compiler = compiler
        self.signature = signature
        self.respect_nulls = False
        self.firsts = False  # of an aggregate: DISTINCT goes by what its texts are without case
        self.safe = False  # a rule sets it where an error of the function itself is to be NULL
        self.kinds = [types.kind_name(p) for p in protos]
        self.kind = types.kind_name(proto)

    def literal(self, i: int):
        """The value of a constant argument, None if it is NULL or not a literal."""
        if i >= len(self.nodes):
            return None
        node = self.nodes[i]
        if node.WhichOneof("node") == "resolved_parameter_node":
            return self.compiler.parameter_text(node.resolved_parameter_node)
        if node.WhichOneof("node") != "resolved_literal_node":
            return None
        value = node.resolved_literal_node.value.value
        which = value.WhichOneof("value")
        return getattr(value, which) if which else None

    def text(self, i: int) -> str:
        """A constant string argument; NoRule where it is computed."""
        value = self.literal(i)
        if not isinstance(value, str):
            raise NoRule(f"{self.name.upper()} with an argument that is not constant")
        return value

    def edge(self) -> str:
        """SQL of this call by the reference evaluator, for values that a template leaves out; it is prepared when one occurs."""
        from .reference import evaluate_call
        places = ["{%d}" % i for i in range(len(self.args))]
        return evaluate_call(self, self.node, False, NoRule(self.name.upper()), places)

    def part(self, i: int) -> str:
        """A date or time part, e.g. MONTH, WEEK_MONDAY."""
        return datetime_pb2.DateTimestampPart.Name(self.literal(i))


def fill(template: str, args: list[str], safe: bool = False) -> str:
    """A template with its arguments; safe: an error of the function itself, not of its arguments, is NULL."""
    used = [int(i) for i in PLACEHOLDER.findall(template)]
    bound = [i for i in sorted(set(used)) if must_bind(args[i], used.count(i), safe)]
    if bound:
        # The lambda's body gets no column and no subquery: DuckDB fails on those in a correlated subquery.
        bound = [i for i in sorted(set(used)) if not LITERAL.fullmatch(args[i])]
        name = f"v{1 + max((int(level) for arg in args for level in LAMBDA.findall(arg)), default=0)}"
        packed = ", ".join(f"p{i} := {args[i]}" for i in bound)
        args = [f"{name}.p{i}" if i in bound else arg for i, arg in enumerate(args)]
        return f"list_transform([struct_pack({packed})], lambda {name}: {fill(template, args, safe)})[1]"
    body = PLACEHOLDER.sub(lambda found: args[int(found[1])], template)
    return f"TRY({body})" if safe else body


def must_bind(arg: str, count: int, safe: bool) -> bool:
    if LITERAL.fullmatch(arg) or VARIABLE.fullmatch(arg):
        return False
    if safe and (count > 1 or "(" in arg and not is_plain(arg)):
        return True  # DuckDB would compute what is repeated in TRY outside of it
    return count > 1 and (len(arg) > SHORT and not is_plain(arg) or "SELECT " in arg or VOLATILE.search(arg) is not None)


def isolated(arg: str, make) -> str:
    """SQL of `make(arg)` where DuckDB takes no part of the argument out of it: in a lambda over the columns that the argument names."""
    pieces = QUOTED.split(arg)
    columns = sorted({found for piece in pieces[::2] for found in COLUMN.findall(piece)})
    if not columns or MARK in columns:
        return make(arg)
    name = f"v{1 + max((int(level) for level in LAMBDA.findall(arg)), default=0)}"
    pieces[::2] = [COLUMN.sub(lambda found: f"{name}.p{found[0][1:]}", piece) for piece in pieces[::2]]
    packed = ", ".join(f"p{column[1:]} := {column}" for column in columns)
    return f"list_transform([struct_pack({packed})], lambda {name}: {make(''.join(pieces))})[1]"


def is_plain(arg: str) -> bool:
    """A literal: it can be repeated, and can't fail."""
    return re.fullmatch(r"\(?-?[\w.'+: -]*\)?(::[\w(),]+)?", arg) is not None and arg.count("'") in (0, 2)


def mark(column: int) -> str:
    """A place for the value of a column, in SQL that is not done."""
    return f"{MARK}{column}\x03"


def bind(args: dict[int, str], body: str) -> str:
    """SQL with marks, and the SQL of their values, put together: short values in place, others by a lambda's variable.

    A lambda's body may have neither columns nor subqueries; then the values are the columns of a subquery.
    """
    once = {column: arg for column, arg in args.items() if not must_bind(arg, body.count(mark(column)), False)}
    chained = any(mark(column) in arg for column in args for arg in args.values())
    if not chained and ("SELECT " not in body or all(LITERAL.fullmatch(arg) for arg in once.values())):
        for column, arg in once.items():
            body = body.replace(mark(column), arg)
        args = {column: arg for column, arg in args.items() if column not in once}
        if not args:
            return body
    if chained or "SELECT " in body or COLUMN.search(body):
        source = ""
        for column, arg in args.items():
            source = f" FROM (SELECT {'*, ' if source else ''}{arg} AS c{column}{source})"
            for other in args:
                source, body = source.replace(mark(other), f"c{other}"), body.replace(mark(column), f"c{column}")
        return f"(SELECT {body}{source})"
    name = f"v{1 + max((int(level) for text in (body, *args.values()) for level in LAMBDA.findall(text)), default=0)}"
    for column in args:
        body = body.replace(mark(column), f"{name}.p{column}")
    packed = ", ".join(f"p{column} := {arg}" for column, arg in args.items())
    return f"list_transform([struct_pack({packed})], lambda {name}: {body})[1]"


class Expressions:
    """The rules of expressions; the compiler of scans builds on it."""

    def __init__(self, context: dict):
        self.context = context
        self.session_user = context["session_user"]
        self.time_zone = context["time_zone"]
        self.measured: list[str] = []  # what must hold of a row for the measures of a MATCH_RECOGNIZE to take it
        self.extremes: dict[str, str] = {}  # of an aggregate scan's HAVING MAX and MIN: column -> SQL
        self.arithmetic: dict[str, tuple[str, tuple[str, ...]]] = {}  # see functions.finite: SQL with its test -> SQL without, its operands
        self.places: dict[int, str] = {}  # columns that are values of a WITH expression on its way into SQL -> what stands for them

    def column(self, column) -> str:
        return self.places.get(column.column_id) or f"c{column.column_id}"

    def expr(self, expression) -> str:
        """SQL of any expression."""
        node, name = node_of(expression)
        rule = getattr(self, "expr_" + name.removeprefix("resolved_").removesuffix("_node"), None)
        if rule is None:
            raise NoRule(name.removeprefix("resolved_").removesuffix("_node").replace("_", " ").upper())
        return rule(node)

    def type_of(self, expression):
        """The type of any expression."""
        return expression_base(expression).type

    def comparable(self, expression) -> str:
        """SQL of an expression, in the form in which it is compared where what compares it names no collation."""
        base = expression_base(expression)
        return folded(self.expr(expression), base.type, base.type_annotation_map)

    def expr_literal(self, node) -> str:
        return types.literal(node.value.value, node.value.type)

    def declared(self, node) -> tuple[dict, dict]:
        """A parameter and its field; ApiError invalidQuery for one without a value."""
        parameters, fields = self.context["parameters"], self.context["parameter_fields"]
        for place, parameter in enumerate(parameters):
            if (parameter.get("name", "").lower() == node.name.lower()) if node.name else place + 1 == node.position:
                return parameter, fields[place]
        if node.name:
            before = re.split(rf"@\s*`?{re.escape(node.name)}\b", self.plan.text, maxsplit=1, flags=re.I)[0]
            place = f"[{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}]"
            raise ApiError("invalidQuery", f"Query parameter '{node.name}' not found at {place}", "query")
        raise ApiError("invalidQuery", f"Query parameter number {node.position} is not defined ({len(parameters)} provided)", "query")

    def expr_parameter(self, node) -> str:
        parameter, field = self.declared(node)
        value = types.parameter_value(parameter.get("parameterValue"), field)
        proto = types.type_proto(field)
        if value is not None and proto.type_kind in CHECKED_PARAMETERS and not values.repeated(field):
            from .casts import CASTS
            kind = types.kind_name(proto)
            if ("STRING", kind) not in CASTS:  # the reference evaluator casts it
                return self.plan.sql.expression(f"CAST({json.dumps(str(value))} AS {kind})", self.cursor)
            return fill(CASTS["STRING", kind], [types.string_literal(str(value))])
        field = types.rest_field(proto) | {"mode": field.get("mode", "NULLABLE")}
        return f"({values.literal(field, value)})"

    def parameter_text(self, node):
        """The value of a STRING parameter, for rules that need a constant."""
        parameter, field = self.declared(node)
        value = types.parameter_value(parameter.get("parameterValue"), field)
        return value if isinstance(value, str) and values.type_name(field) == "STRING" else None

    def expr_constant(self, node) -> str:
        """A script's variable."""
        return self.context["variables"][node.constant.name.lower()].sql

    def expr_system_variable(self, node) -> str:
        return self.context["variables"]["@@" + ".".join(node.name_path).lower()].sql

    def expr_column_ref(self, node) -> str:
        return self.column(node.column)

    def expr_make_struct(self, node) -> str:
        names = types.struct_names(node.parent.type)
        items = ", ".join(f"{values.identifier(name)} := {self.expr(item)}" for name, item in zip(names, node.field_list))
        return f"struct_pack({items})" if items else "NULL"

    def expr_get_struct_field(self, node) -> str:
        name = types.struct_names(self.type_of(node.expr))[node.field_idx]
        return f"struct_extract({self.expr(node.expr)}, {values.string(name)})"

    def expr_get_json_field(self, node) -> str:
        return values.json_member(self.expr(node.expr), node.field_name)

    def expr_subquery_expr(self, node) -> str:
        before, self.correlated = self.correlated, self.correlated or bool(node.parameter_list)
        repeated = self.repeated_rows(node.subquery) if node.subquery_type == Subquery.ARRAY else None
        query = repeated or self.scan(node.subquery)
        self.correlated = before
        if node.subquery_type == Subquery.SCALAR:
            return f"({query})"
        if node.subquery_type == Subquery.ARRAY:
            listed = f"coalesce(ARRAY({query}), [])"
            return f"list_transform([{listed}], lambda l: CASE WHEN len(l) <= {FEW} THEN {FIRSTS} ELSE {DIFFERENT} END)[1]" if repeated else listed
        if node.subquery_type == Subquery.EXISTS:
            return f"EXISTS ({query})"
        if node.subquery_type == Subquery.IN and collated([node.in_collation]):
            (value,) = columns_of(node.subquery)
            return (f"({folded(self.expr(node.in_expr), self.type_of(node.in_expr), node.in_collation)} IN "
                    f"(SELECT {folded(self.column(value), value.type, node.in_collation)} FROM ({query})))")
        if node.subquery_type == Subquery.IN:
            return f"({self.expr(node.in_expr)} IN ({query}))"
        return self.quantified_like(node, query)

    def quantified_like(self, node, query: str) -> str:
        """x [NOT] LIKE ANY or ALL (subquery): NULL where patterns that are NULL leave it open."""
        if types.kind_name(self.type_of(node.in_expr)) != "STRING":
            raise NoRule("LIKE ANY and ALL of BYTES over a subquery")
        words = "NOT LIKE" if node.subquery_type in (Subquery.NOT_LIKE_ANY, Subquery.NOT_LIKE_ALL) else "LIKE"
        any_ = node.subquery_type in (Subquery.LIKE_ANY, Subquery.NOT_LIKE_ANY)
        (pattern,) = columns_of(node.subquery)
        sides = self.expr(node.in_expr), self.column(pattern)
        if collated([expression_base(node.in_expr).type_annotation_map, pattern.annotation_map]):
            sides = [FOLDED % side for side in sides]
        rows = f"(SELECT {sides[0]} {words} {sides[1]} ESCAPE '\\' AS m FROM ({query}))"
        decided = "WHEN bool_or(m) THEN true" if any_ else "WHEN NOT bool_and(m) THEN false"
        rest = "false" if any_ else "true"
        return f"(SELECT CASE {decided} WHEN count(*) > count(m) THEN NULL ELSE {rest} END FROM {rows})"

    def expr_with_expr(self, node) -> str:
        """Named values and an expression over them, as a call of a SQL function becomes: each value is computed once."""
        args = {}
        for item in node.assignment_list:
            column, arg = item.column.column_id, self.expr(item.expr)
            if PLAIN.fullmatch(arg):
                self.places[column] = arg
            else:
                self.places[column], args[column] = mark(column), arg
        return bind(args, self.expr(node.expr))

    # Casts ----------------------------------------------------------------------------------------

    def expr_cast(self, node) -> str:
        from .reference import evaluate_cast
        if node.HasField("time_zone") or node.HasField("format"):
            return evaluate_cast(self, node, NoRule("CAST with a format or a time zone"))
        sizes, safe = node.type_modifiers.type_parameters, node.return_null_on_error
        if sizes.ByteSize() and types.kind_name(node.parent.type) not in ("STRING", "BYTES", "NUMERIC", "BIGNUMERIC"):
            return evaluate_cast(self, node, NoRule("CAST to a type with parameters"))
        arg, source = self.expr(node.expr), self.type_of(node.expr)
        try:
            made = self.cast(arg, source, node.parent.type, safe)
            if sizes.ByteSize():
                field = types.rest_field(node.parent.type) | types.parameters(sizes)
                return fill(values.fitted(field, "{0}"), [made], safe)
            return made
        except NoRule as missing:
            return evaluate_cast(self, node, missing)

    def cast(self, arg: str, source, target, safe: bool) -> str:
        return fill(self.cast_template(source, target), [arg], safe)

    def cast_template(self, source, target, depth: int = 0) -> str:
        """The template of a cast; arrays and structs are cast member by member."""
        from .casts import CASTS, in_zone
        kinds = types.kind_name(source), types.kind_name(target)
        if source == target or source.type_kind == type_pb2.TYPE_UNKNOWN:
            return "{0}"
        if kinds == ("ARRAY", "ARRAY"):
            inner = self.cast_template(source.array_type.element_type, target.array_type.element_type, depth + 1)
            return "list_transform({0}, lambda x%d: %s)" % (depth, inner.replace("{0}", f"x{depth}"))
        if kinds == ("RECORD", "RECORD"):
            names = zip(types.struct_names(source), types.struct_names(target), source.struct_type.field, target.struct_type.field)
            inner = ", ".join(
                f"{values.identifier(new)} := " + self.cast_template(a.field_type, b.field_type, depth + 1).replace(
                    "{0}", "struct_extract({0}, %s)" % values.string(old)) for old, new, a, b in names)
            return f"CASE WHEN {{0}} IS NOT NULL THEN struct_pack({inner}) END"
        if kinds in CASTS:
            return in_zone(self.time_zone, *kinds)
        if kinds[0] == kinds[1]:
            return "{0}"
        raise NoRule(f"CAST of {kinds[0]} to {kinds[1]}")

    # Calls ----------------------------------------------------------------------------------------

    def call_of(self, base) -> Call:
        """A ResolvedFunctionCallBase as a Call."""
        name = base.function.name.rpartition(":")[2].lower()
        nodes = list(base.argument_list)
        if not nodes and base.generic_argument_list:
            return self.generic_call(name, base)
        return Call(name, [self.expr(n) for n in nodes], [self.type_of(n) for n in nodes], nodes, base.parent.type, self, base.signature.argument)

    def generic_call(self, name: str, base) -> Call:
        """A call that has a lambda among its arguments."""
        args, protos, nodes = [], [], []
        for item in base.generic_argument_list:
            if item.HasField("expr"):
                args.append(self.expr(item.expr))
                protos.append(self.type_of(item.expr))
                nodes.append(item.expr)
            elif item.HasField("inline_lambda"):
                names = ", ".join(self.column(c) for c in item.inline_lambda.argument_list)
                args.append(f"lambda {names}: {self.expr(item.inline_lambda.body)}")
                protos.append(self.type_of(item.inline_lambda.body))
                nodes.append(item.inline_lambda.body)
            else:
                raise NoRule(f"the function {name.upper()} with such an argument")
        return Call(name, args, protos, nodes, base.parent.type, self)

    def expr_function_call(self, node) -> str:
        from .functions import COLLATED, FUNCTIONS
        call = self.call_of(node.parent)
        if node.parent.function.name.startswith(JS_GROUP):
            from .javascript import call_sql
            return call_sql(self.plan.routine_named(call.name), call)
        call.node = node
        if collated(collations := collations_of(call, node.parent)):
            if call.name not in COLLATED:
                raise unsupported(f"{call.name.upper()} of a STRING with a collation")
            compared = COLLATED[call.name](call)
            if isinstance(compared, str):
                return fill(compared, call.args)
            call.args = [folded(arg, call.protos[i], collations[0]) if i in compared else arg for i, arg in enumerate(call.args)]
        safe = node.parent.error_mode == SAFE_ERROR_MODE
        try:
            template = template_of(FUNCTIONS, call)
            return fill(template, call.args, safe or call.safe)
        except NoRule as missing:
            from .reference import evaluate_call
            return evaluate_call(call, node, safe, missing)

    def expr_aggregate_function_call(self, node) -> str:
        """An aggregate with all its modifiers."""
        from .functions import AGGREGATES
        scalar = node.parent
        call = self.call_of(scalar.parent)
        if node.group_by_list or node.HasField("having_expr") or scalar.HasField("where_expr") and node.HasField("having_modifier"):
            raise NoRule("an aggregate of groups within groups")
        conditions = self.conditions(scalar, call)
        if node.HasField("having_modifier") and call.name == "any_value":
            key, kind = node.having_modifier.having_expr, node.having_modifier.kind
            call = Call("max_by" if kind == HAVING_MAX else "min_by", [*call.args, self.comparable(key)], [*call.protos, self.type_of(key)], [*call.nodes, key], call.type, self)
        elif node.HasField("having_modifier"):
            conditions.append(self.having(node.having_modifier))
        call.distinct = "DISTINCT " if scalar.distinct else ""
        call.respect_nulls = scalar.null_handling_modifier == RESPECT_NULLS
        self.collate_aggregate(call, scalar.parent.collation_list)
        call.order = self.order_by(node.order_by_item_list)
        call.limit = self.expr(node.limit) if node.HasField("limit") else ""
        call.filter = filtered(conditions)
        call.over = ""
        return fill_once(template_of(AGGREGATES, call), call)

    def conditions(self, scalar, call: Call) -> list[str]:
        """What must hold of a row for an aggregate to take it: IGNORE NULLS and WHERE."""
        found = self.measured + ([f"{call.args[0]} IS NOT NULL"] if scalar.null_handling_modifier == IGNORE_NULLS else [])
        return found + ([self.expr(scalar.where_expr)] if scalar.HasField("where_expr") else [])

    def having(self, modifier) -> str:
        """The condition of HAVING MAX or MIN: the key is the extreme of its group, which the aggregate's source gets as a column."""
        key, name = self.comparable(modifier.having_expr), f"h{len(self.extremes)}"
        extreme = f"{'max' if modifier.kind == HAVING_MAX else 'min'}({key}) OVER group_rows"
        if types.kind_name(self.type_of(modifier.having_expr)) == "FLOAT":
            extreme = f"CASE WHEN NOT bool_or(isnan({key})) OVER group_rows THEN {extreme} END"  # NaN is the extreme, and equals nothing
        self.extremes[name] = extreme
        return f"{key} = {name}"

    def collate_aggregate(self, call: Call, collations) -> None:
        """Aggregates that compare texts which may differ in case alone."""
        if call.name in ("max_by", "min_by"):
            call.args[1] = self.comparable(call.nodes[1])
        if not collated(collations):
            return
        if call.name in ("count", "approx_count_distinct"):
            call.args = [folded(call.args[0], call.protos[0], collations[0])]
        elif call.name in ("min", "max"):
            call.name, call.args = f"{call.name}_by", [call.args[0], folded(call.args[0], call.protos[0], collations[0])]
        elif call.name in ("array_agg", "string_agg") and call.kinds[0] == "STRING":
            call.distinct, call.firsts = "", True
        else:
            raise unsupported(f"{call.name.upper()} of a STRING with a collation")

    def analytic(self, expression, group) -> str:
        """An analytic function call with its window."""
        from .functions import AGGREGATES, WINDOWS
        node, _ = node_of(expression)
        scalar = node.parent
        call = self.call_of(scalar.parent)
        call.distinct = "DISTINCT " if scalar.distinct else ""
        call.order, call.limit = "", ""
        call.respect_nulls = scalar.null_handling_modifier == RESPECT_NULLS
        self.collate_aggregate(call, scalar.parent.collation_list)
        ignore = scalar.null_handling_modifier == IGNORE_NULLS
        call.over = f" OVER ({self.window(group, node)})"
        if call.name in WINDOWS:
            call.filter = " IGNORE NULLS" if ignore else ""
            return fill_once(template_of(WINDOWS, call), call)
        call.filter = filtered(self.conditions(scalar, call))
        return fill_once(template_of(AGGREGATES, call), call)

    def window(self, group, node) -> str:
        words = []
        if group.HasField("partition_by"):
            keys, collations = group.partition_by.partition_by_list, group.partition_by.collation_list
            words.append("PARTITION BY " + ", ".join(
                folded(self.expr_column_ref(c), c.column.type, collations[i]) if i < len(collations) else self.expr_column_ref(c) for i, c in enumerate(keys)))
        if group.HasField("order_by"):
            words.append("ORDER BY " + ", ".join(self.order_item(item) for item in group.order_by.order_by_item_list))
        if node.HasField("window_frame"):
            frame = node.window_frame
            words.append(f"{FRAME_UNITS[frame.frame_unit]} BETWEEN {self.bound(frame.start_expr)} AND {self.bound(frame.end_expr)}")
        return " ".join(words)

    def bound(self, bound) -> str:
        return FRAME_BOUNDS[bound.boundary_type].format(self.expr(bound.expression) if bound.HasField("expression") else "")

    def order_by(self, items) -> str:
        return " ORDER BY " + ", ".join(self.order_item(item) for item in items) if items else ""

    def order_item(self, item) -> str:
        first = item.null_order == 1 or (item.null_order == 0 and not item.is_descending)
        key = self.expr_column_ref(item.column_ref)
        if item.column_ref.column.type.type_kind == type_pb2.TYPE_DOUBLE:
            key = f"CASE WHEN isnan({key}) THEN '-inf'::DOUBLE ELSE {key} END"  # the least of numbers, where DuckDB takes it for the largest
        key = folded(key, item.column_ref.column.type, item.collation)
        return f"{key} {'DESC' if item.is_descending else 'ASC'} NULLS {'FIRST' if first else 'LAST'}"


def expression_base(expression):
    """What all expressions have: type, type_annotation_map."""
    node, _ = node_of(expression)
    while node.DESCRIPTOR.name != "ResolvedExprProto":
        node = node.parent
    return node


def collations_of(call: Call, base) -> list:
    """The collations by which a call compares. The analyzer names none at NULLIF."""
    if call.name == "nullif":
        return [found for argument in call.nodes if collated([found := expression_base(argument).type_annotation_map])]
    return list(base.collation_list)


CHECKED_PARAMETERS = {type_pb2.TYPE_INT64, type_pb2.TYPE_DOUBLE, type_pb2.TYPE_BOOL, type_pb2.TYPE_DATE, type_pb2.TYPE_DATETIME,
                      type_pb2.TYPE_TIME, type_pb2.TYPE_TIMESTAMP, type_pb2.TYPE_NUMERIC, type_pb2.TYPE_INTERVAL}


def filtered(conditions: list[str]) -> str:
    return f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""


def template_of(table: dict, call: Call) -> str:
    """The entry of a call in a table of functions, as a template; NoRule names what has none."""
    entry = table.get(call.name)
    if isinstance(entry, dict):
        entry = entry.get(call.kinds[0] if call.kinds else call.kind, entry.get("*"))
    if callable(entry):
        entry = entry(call)
    if entry is None:
        name = call.name.upper()
        raise NoRule(f"the operator {name[1:]}" if name.startswith("$") else f"the function {name}")
    return entry


def fill_once(template: str, call: Call) -> str:
    """An aggregate's template: its modifiers are {distinct}, {order}, {filter}, {over}."""
    if call.filter and "{filter}" not in template:
        raise NoRule(f"{call.name.upper()} of some of the rows")
    template = template.replace("{distinct}", call.distinct).replace("{order}", call.order)
    template = template.replace("{filter}", call.filter).replace("{over}", call.over)
    return PLACEHOLDER.sub(lambda found: call.args[int(found[1])], template)
