"""BigQuery's own table functions: what the analyzer is told of a call, and the SQL of its rows.

Which columns a call returns follows from its arguments, so each call gets a function of its own in the catalog. It stands
there, and in the text that the analyzer reads, under a name as long as the real one, so that positions stay what they are.
"""
from __future__ import annotations

import json
import re
from typing import Callable, NamedTuple

from zetasql.wasi._pb2.zetasql.public import function_pb2, type_pb2
from zetasql.wasi._pb2.zetasql.public.functions import range_sessionize_mode_pb2

from .. import values
from ..errors import ApiError, unsupported
from . import types
from .runtime import raised, raised_text
from .tree import find, node_of

ENUMS = function_pb2.FunctionEnums
TABLE, ANY, NEEDED = "TABLE", "ANY", object()
BY_NAME = "=>"  # behind the name of an argument that has no place
MEETS = range_sessionize_mode_pb2.RangeSessionizeEnums.MEETS
MOST_CALLS = 100  # in a statement: two digits tell them apart
BATCH, SINGLE = [("query_table", TABLE, NEEDED), ("query_column_to_search", "STRING", None)], [("query_value=>", "ARRAY<FLOAT>", NEEDED)]
ORIGINS = {"DATE": "DATE '1950-01-01'", "DATETIME": "TIMESTAMP '1950-01-01'", "TIMESTAMP": "TIMESTAMP '1950-01-01'"}
NUMBERS = ("INTEGER", "FLOAT", "NUMERIC", "BIGNUMERIC")


def wrong(message: str) -> ApiError:
    return ApiError("invalidQuery", message, "query")


# Calls as they are written ------------------------------------------------------------------------

class Called(NamedTuple):
    """A call of one of the functions. kind: its name; name: that it has in the catalog; arguments: (name, type, default) each;
    schema: a query over its table arguments that has its columns, or the columns themselves as serialized types by name."""

    kind: str
    name: str
    arguments: tuple[tuple, ...]
    schema: str | tuple[tuple[str, bytes], ...]


class Given:
    """The arguments of a call as they are written: by name where they are named, else by place, -1 being that of one without."""

    def __init__(self, kind: str, node):
        self.kind, self.named, self.placed = kind, {}, []
        for entry in node.argument_entries:
            found, name = node_of(entry.expr) if entry.HasField("expr") else (None, None)
            if name == "ast_named_argument_node":
                self.named[found.name.id_string.lower()] = found.expr
            else:
                self.placed.append(entry.expr)

    def literal(self, name: str, place: int):
        """A text, or a list of texts or of pairs of them, that stands in the statement; None where it does not."""
        return literal(self.named[name] if name in self.named else self.placed[place]) if self.has(name, place) else None

    def has(self, name: str, place: int) -> bool:
        return name in self.named or 0 <= place < len(self.placed)

    def column(self, name: str, place: int) -> str:
        """The name of a column that stands in the statement, as SQL writes it."""
        return quoted(self.text(self.literal(name, place), name))

    def text(self, value, name: str) -> str:
        if not isinstance(value, str):
            raise wrong(f"{self.kind}: the argument {name} must be a STRING literal that names a column")
        return value


def literal(expression):
    """What a literal of the syntax tree is in Python, None for any other expression."""
    node, name = node_of(expression)
    if name == "ast_string_literal_node":
        return node.string_value
    if name == "ast_array_constructor_node":
        return [literal(item) for item in node.elements]
    if name == "ast_struct_constructor_with_parens_node":
        return tuple(literal(item) for item in node.field_expressions)
    if name == "ast_struct_constructor_with_keyword_node":
        return tuple(literal(item.expression) for item in node.fields)
    return None


def quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def read(text: str, answer) -> tuple[str, tuple[Called, ...]]:
    """A statement with its calls under names of their own, and the calls. answer: its syntax tree.

    Raises ApiError invalidQuery for a call whose columns its arguments don't tell.
    """
    calls, raw = [], text.encode()
    for node in find(answer, "ASTTVFProto"):
        kind = node.name.names[0].id_string.upper()
        if len(node.name.names) > 1 or kind not in FUNCTIONS:
            continue
        if len(calls) == MOST_CALLS:
            raise unsupported(f"more than {MOST_CALLS} table functions in a statement")
        name, given = f"{kind[:-2]}{len(calls):02}".lower(), Given(kind, node)
        place = node.name.names[0].parent.parent.parse_location_range
        raw = raw[:place.start] + name.encode().ljust(place.end - place.start) + raw[place.end:]
        calls.append(Called(kind, name, tuple(FUNCTIONS[kind].arguments(given)), FUNCTIONS[kind].schema(given)))
    return raw.decode(), tuple(calls)


OF_SCHEMA = re.compile(r"^Invalid table-valued function \w+( \[at \d+:\d+\]); Analysis of table-valued function \w+ failed \[at \d+:\d+\]; "
                       r"(.*?) \[at \d+:\d+\]$", re.S)


def real_names(message: str, calls: tuple[Called, ...]) -> str:
    """An error's message with the functions' real names; an error of a schema is one of the call."""
    for call in calls:
        message = re.sub(rf"\b{call.name}\b", call.kind, message, flags=re.I)
    return OF_SCHEMA.sub(r"\2\1", message)


# The catalog --------------------------------------------------------------------------------------

def add(root, call: Called) -> None:
    """Let a catalog (SimpleCatalogProto) have the function of a call."""
    function = root.custom_tvf.add(name_path=[call.name], argument_name=[name.removesuffix(BY_NAME) for name, _, _ in call.arguments])
    signature = function.signature
    signature.return_type.kind, signature.return_type.num_occurrences = function_pb2.ARG_TYPE_RELATION, 1
    if isinstance(call.schema, str):
        function.type, function.parse_resume_location.input = ENUMS.TEMPLATED_SQL_TVF, call.schema
    else:
        function.type = ENUMS.FIXED_OUTPUT_SCHEMA_TVF
        for name, proto in call.schema:
            signature.return_type.options.relation_input_schema.column.add(name=name, type=type_pb2.TypeProto.FromString(proto))
    for name, kind, default in call.arguments:
        made = signature.argument.add(kind=KINDS.get(kind, function_pb2.ARG_TYPE_FIXED), num_occurrences=1)
        made.options.argument_name = name.removesuffix(BY_NAME)
        if name.endswith(BY_NAME):
            made.options.named_argument_kind = ENUMS.NAMED_ONLY
        if kind not in KINDS:
            made.type.CopyFrom(type_of(kind))
        if default is not NEEDED:
            made.options.cardinality = ENUMS.OPTIONAL
            made.options.default_value.SetInParent()
            if default is not None:
                setattr(made.options.default_value, f"{'enum' if kind == 'MODE' else type(default).__name__.replace('int', 'int64')}_value", default)


KINDS = {TABLE: function_pb2.ARG_TYPE_RELATION, ANY: function_pb2.ARG_TYPE_ARBITRARY}


def type_of(kind: str) -> type_pb2.TypeProto:
    """The type of an argument: one of REST's, ARRAY<one>, PAIRS of STRINGs in an array, or RANGE_SESSIONIZE's MODE."""
    if kind == "MODE":
        mode = type_pb2.TypeProto(type_kind=type_pb2.TYPE_ENUM)
        mode.enum_type.enum_name = "zetasql.functions.RangeSessionizeEnums.RangeSessionizeMode"
        mode.enum_type.enum_file_name = "zetasql/public/functions/range_sessionize_mode.proto"
        mode.enum_type.is_opaque = True
        return mode
    if kind == "PAIRS":
        parts = [{"name": "", "type": "STRING"}] * 2
        return types.type_proto({"type": "RECORD", "mode": "REPEATED", "fields": parts})
    element = kind.removeprefix("ARRAY<").removesuffix(">")
    return types.type_proto({"type": element, "mode": "NULLABLE" if element == kind else "REPEATED"})


def fixed(calls: tuple[Called, ...], tree) -> tuple[Called, ...]:
    """The calls with the columns that they have in a statement's tree, which the analyzer then need not look for in a query."""
    found = {scan.tvf.name.lower(): scan.signature.output_schema for scan in find(tree, "ResolvedTVFScanProto")}
    return tuple(call._replace(schema=tuple((column.name, column.type.SerializeToString()) for column in found[call.name].column)) for call in calls)


# The rows -----------------------------------------------------------------------------------------

class Rows(NamedTuple):
    """A table argument. sql: its SELECT; own: column -> its name there; names, protos: the same, and its type, by the name in small letters."""

    sql: str
    own: dict[str, str]
    protos: dict[str, type_pb2.TypeProto]

    @property
    def names(self) -> dict[str, str]:
        return {name.lower(): column for name, column in self.own.items()}


class Call:
    """A call in the resolved tree."""

    def __init__(self, compiler, node):
        self.compiler, self.node, self.kind = compiler, node, kind_of(node.tvf.name)
        names = [argument.options.argument_name for argument in node.function_call_signature.argument]
        self.arguments = dict(zip(names, node.argument_list))
        self.relations = dict(zip(names, node.signature.argument))

    def rows(self, name: str) -> Rows:
        given, relation = self.arguments[name], self.relations[name].relation_argument
        own = {column.name: self.compiler.column(source) for column, source in zip(relation.column, given.argument_column_list)}
        return Rows(self.compiler.scan(given.scan), own, {column.name.lower(): column.type for column in relation.column})

    def sql(self, name: str) -> str:
        return self.compiler.expr(self.arguments[name].expr)

    def value(self, name: str):
        """A constant argument's value; None for one that is NULL or not there."""
        return self.compiler.constant(self.arguments[name].expr) if name in self.arguments else None

    def own(self, rows: Rows, name: str, what: str) -> str:
        """A column of a table argument, by the name that another argument gives it."""
        if name.lower() not in rows.names:
            raise wrong(f"{self.kind}: {what} not found: {name}")
        return rows.names[name.lower()]


def kind_of(name: str) -> str | None:
    """The function that a name in the catalog stands for."""
    return next((kind for kind in FUNCTIONS if len(kind) == len(name) and re.fullmatch(rf"{kind[:-2]}\d\d", name, re.I)), None)


def scanned(compiler, node) -> str | None:
    """The SELECT of a call's rows, whose columns are the scan's; None for a function of the user's."""
    kind = kind_of(node.tvf.name)
    if kind is None:
        return None
    made = FUNCTIONS[kind].rows(Call(compiler, node))
    items = {compiler.column(column): made.names[column.name.lower()] for column in node.parent.column_list}
    return f"SELECT {', '.join(f'{source} AS {name}' for name, source in items.items()) or '1 AS c0'} FROM ({made.sql})"


class Made(NamedTuple):
    """The rows of a call. sql: a SELECT; names: its columns by those of the function, in small letters."""

    sql: str
    names: dict[str, str]


# The functions ------------------------------------------------------------------------------------

def changes(call: Call) -> Made:
    """APPENDS and CHANGES: what has happened to a table's rows."""
    scan, kind = node_of(call.arguments["table"].scan)
    place = scan.table.serialization_id - 1 if kind == "resolved_table_scan_node" else None
    table = None if place is None or place in call.compiler.plan.views else call.compiler.plan.order[place]
    if not hasattr(table, "changes") or scan.HasField("for_system_time_expr"):
        raise wrong(f"The {call.kind} function can only be used with regular BigQuery tables")
    sql = table.changes(call.kind, call.value("start_timestamp"), call.value("end_timestamp"))
    return Made(f"SELECT * FROM {sql}", {column.name.lower(): values.identifier(column.name) for column in call.node.parent.column_list})


def range_sessions(call: Call) -> Made:
    """Rows with a session_range: that of all ranges which overlap, or meet, one after the other. A NULL range reaches over all."""
    rows = call.rows("input")
    span = call.own(rows, call.value("range_column"), "range column")
    if types.kind_name(rows.protos[call.value("range_column").lower()]) != "RANGE":
        raise wrong(f"RANGE_SESSIONIZE: the column {call.value('range_column')} is not of type RANGE")
    keys = [call.own(rows, key, "partitioning column") for key in call.value("partitioning_columns")]
    same = f"PARTITION BY {', '.join(keys)}" if keys else ""
    order = f"ORDER BY {span}.\"start\" NULLS FIRST, {span}.\"end\" NULLS LAST"
    ends = f"CASE WHEN {span}.\"end\" IS NULL THEN 1 ELSE 0 END"
    before = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    later = ">" if call.value("mode") == MEETS else ">="
    apart = f"{span}.\"start\" {later} max({span}.\"end\") OVER before AND max({ends}) OVER before = 0"
    marked = f"SELECT *, CASE WHEN {apart} THEN 1 ELSE 0 END AS is_first FROM ({rows.sql}) WINDOW before AS ({same} {order} {before})"
    numbered = f"SELECT *, sum(is_first) OVER ({same} {order} ROWS UNBOUNDED PRECEDING) AS session FROM ({marked})"
    first, last = (f"CASE WHEN NOT bool_or({span} IS NOT NULL AND {span}.\"{end}\" IS NULL) OVER whole THEN {pick}({span}.\"{end}\") OVER whole END"
                   for end, pick in (("start", "min"), ("end", "max")))
    made = f"CASE WHEN {span} IS NOT NULL THEN struct_pack(\"start\" := {first}, \"end\" := {last}) END"
    whole = f"PARTITION BY {', '.join(keys + ['session'])}"
    return Made(f"SELECT *, {made} AS session_range FROM ({numbered}) WINDOW whole AS ({whole})", rows.names | {"session_range": "session_range"})


def gap_fill_schema(given: Given) -> str:
    """The column of time, those that tell series apart, and those of values: all others unless they are named."""
    time, keys = given.column("ts_column", 1), [quoted(given.text(key, "partitioning_columns")) for key in given.literal("partitioning_columns", -1) or []]
    if not given.has("value_columns", -1):
        return f"SELECT {', '.join([time, *keys])}, * EXCEPT ({', '.join([time, *keys])}) FROM input"
    pairs = given.literal("value_columns", -1)
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise wrong("GAP_FILL: the argument value_columns must be an array of literal pairs of a column's name and a method")
    return f"SELECT {', '.join([time, *keys, *(quoted(given.text(name, 'value_columns')) for name, _ in pairs)])} FROM input"


def gap_fill(call: Call) -> Made:
    """A row for each bucket of each series that begins between its first and its last moment, with the values that it has then.

    Source: BigQuery's "Time series functions".
    """
    rows = call.rows("input")
    name = call.value("ts_column").lower()
    time, kind = call.own(rows, name, "time series column"), types.kind_name(rows.protos[name])
    if kind not in ORIGINS:
        raise wrong(f"GAP_FILL: the column {name} must be of type DATE, DATETIME or TIMESTAMP")
    keys = {key.lower(): call.own(rows, key, "partitioning column") for key in call.value("partitioning_columns") or []}
    methods = filling_methods(call, rows, {name, *keys})
    width, origin = f"({call.sql('bucket_width')})", ORIGINS[kind]
    if call.value("origin") is not None:
        if types.kind_name(call.compiler.type_of(call.arguments["origin"].expr)) != kind:
            raise wrong("GAP_FILL: origin must be of the same type as the time series column")
        origin = moment(call.sql("origin"), kind)
    later = f"(TIMESTAMP '2000-01-01' + {width})"
    sound = f"{later} > TIMESTAMP '2000-01-01'" + (f" AND {later}::DATE = {later}" if kind == "DATE" else "")
    if not call.compiler.cursor.execute(f"SELECT {sound}").fetchone()[0]:
        raise wrong(f"GAP_FILL: bucket_width must be a positive INTERVAL{' of whole days' if kind == 'DATE' else ''}")
    columns = "".join(f"{key}, " for key in keys.values())
    same, groups = (f"{words} BY {columns[:-2]}" if keys else "" for words in ("PARTITION", "GROUP"))
    own = "".join(f", {rows.names[value]} AS v{place}" for place, value in enumerate(methods))
    begun = f"time_bucket({width}, min(t), {origin})"
    series = f"generate_series(CASE WHEN {begun} < min(t) THEN {begun} + {width} ELSE {begun} END, max(t), {width})"
    parts = [f"\"$rows\" AS (SELECT {columns}{moment(time, kind)} AS t, false AS new{own} FROM ({rows.sql}) WHERE {time} IS NOT NULL)",
             f"\"$buckets\" AS (SELECT {columns}unnest({series}) AS t, true AS new FROM \"$rows\" {groups} HAVING count(*) > 0)"]
    order = f"{same} ORDER BY t, new ROWS BETWEEN"
    values_made = "".join(f", {filled(f'v{place}', method, types.kind_name(rows.protos[value]), call.value('ignore_null_values') is not False)} AS f{place}"
                          for place, (value, method) in enumerate(methods.items()))
    made = (f"WITH {', '.join(parts)} SELECT * FROM (SELECT *{values_made} FROM (SELECT * FROM \"$rows\" UNION ALL BY NAME SELECT * FROM \"$buckets\") "
            f"WINDOW before AS ({order} UNBOUNDED PRECEDING AND CURRENT ROW), after AS ({order} CURRENT ROW AND UNBOUNDED FOLLOWING)) WHERE new")
    own_time = {"DATE": "t::DATE AS t", "DATETIME": "t", "TIMESTAMP": "timezone('UTC', t) AS t"}[kind]
    return Made(f"SELECT * REPLACE ({own_time}) FROM ({made})" if " AS " in own_time else made,
                {name: "t"} | keys | {value: f"f{place}" for place, value in enumerate(methods)})


def moment(sql: str, kind: str) -> str:
    """A DATE, DATETIME or TIMESTAMP as one without a zone."""
    return f"timezone('UTC', {sql})" if kind == "TIMESTAMP" else f"({sql})::TIMESTAMP"


def filling_methods(call: Call, rows: Rows, others: set[str]) -> dict[str, str]:
    """The columns of values, each with how its gaps are filled."""
    given = call.value("value_columns")
    if given is None:
        return {column: "null" for column in rows.names if column not in others}
    methods: dict[str, str] = {}
    for pair in given:
        column, method = (pair.values() if isinstance(pair, dict) else pair)
        call.own(rows, column, "value column")
        if column.lower() in methods or column.lower() in others:
            raise wrong(f"GAP_FILL: the column {column} is used more than once")
        if method.lower() not in ("null", "linear", "locf"):
            raise wrong(f"GAP_FILL: unknown gap-filling method {method}; it must be null, linear or locf")
        kind = types.kind_name(rows.protos[column.lower()])
        if method.lower() == "linear" and kind not in NUMBERS:
            raise wrong(f"GAP_FILL: the gap-filling method linear needs a numeric column; {column} is of type {types.sql_name(rows.protos[column.lower()])}")
        if method.lower() == "linear" and kind == "BIGNUMERIC":
            raise unsupported("GAP_FILL of a BIGNUMERIC column by the method linear")
        methods[column.lower()] = method.lower()
    return methods


def filled(value: str, method: str, kind: str, ignoring: bool) -> str:
    """A bucket's value, over the windows of what comes before it, its own moment included, and after."""
    row = f"CASE WHEN NOT new{f' AND {value} IS NOT NULL' if ignoring and method != 'null' else ''} THEN struct_pack(at := t, v := {value}) END"
    left, right = f"(last_value({row} IGNORE NULLS) OVER before)", f"(first_value({row} IGNORE NULLS) OVER after)"
    if method == "locf":
        return f"{left}.v"
    if method == "null":
        return f"CASE WHEN {left}.at = t THEN {left}.v END"
    part = f"(epoch_us(t) - epoch_us({left}.at)) / (epoch_us({right}.at) - epoch_us({left}.at))::DOUBLE"
    step = f"(({right}.v::DOUBLE - {left}.v::DOUBLE) * {part})"
    between = {"INTEGER": f"({left}.v + round({step})::HUGEINT)::BIGINT", "NUMERIC": f"{left}.v + round({step}, 9)::DECIMAL(38, 9)"}.get(kind, f"{left}.v + {step}")
    return f"CASE WHEN {left}.at = t THEN {left}.v ELSE {between} END"


def vector_search(call: Call) -> Made:
    """For each vector that is looked for the nearest of a table, by their distances to all. Source: BigQuery's "Search functions"."""
    base, query = call.rows("base_table"), call.rows("query_table") if "query_table" in call.arguments else None
    vector = vector_column(call, base, call.value("column_to_search"))
    sought = vector_column(call, query, call.value("query_column_to_search") or likely_column(call, query)) if query else call.sql("query_value")
    most, kind = call.value("top_k"), (call.value("distance_type") or "EUCLIDEAN").upper()
    if kind not in DISTANCES:
        raise wrong(f"VECTOR_SEARCH: unknown distance type {kind}; it must be EUCLIDEAN, COSINE or DOT_PRODUCT")
    check_search_options(call.value("options"))
    rows = query.sql if query else "SELECT 1"
    pairs = f"SELECT q.number AS q, b.number AS b, {DISTANCES[kind]} AS distance FROM \"$queries\" q, \"$base\" b"
    if most is None or 0 <= most < 1_000_000:
        most = 10 if most is None else most
        nearest = (f"SELECT q, unnest(arg_min(b, distance, {most})) AS b, unnest(min(distance, {most})) AS distance FROM ({pairs}) GROUP BY q"
                   if most else f"SELECT * FROM ({pairs}) WHERE false")
    else:
        limit = f" QUALIFY row_number() OVER (PARTITION BY q ORDER BY distance) <= {most}" if most > 0 else ""
        nearest = f"SELECT * FROM ({pairs}){limit}"
    number = "row_number() OVER () AS number"
    sql = (f"WITH \"$queries\" AS MATERIALIZED (SELECT {number}, {measured(sought)}, {packed(query)} AS row FROM ({rows})), "
           f"\"$base\" AS MATERIALIZED (SELECT {number}, {measured(vector)}, {packed(base)} AS row FROM ({base.sql}) WHERE len({vector}) > 0) "
           f"SELECT q.row AS query, b.row AS base, distance FROM ({nearest}) AS n JOIN \"$queries\" q ON q.number = n.q JOIN \"$base\" b ON b.number = n.b")
    return Made(sql, {name: name for name in ("query", "base", "distance")})


def packed(rows: Rows | None) -> str:
    """The rows of a table argument as structs, whose fields have the names of its columns."""
    return f"struct_pack({', '.join(f'{values.identifier(name)} := {column}' for name, column in rows.own.items())})" if rows else "NULL"


def vector_column(call: Call, rows: Rows, name: str) -> str:
    found = call.own(rows, name, "column")
    if types.sql_name(rows.protos[name.lower()]) != "ARRAY<FLOAT64>":
        raise wrong(f"VECTOR_SEARCH: the column {name} must be of type ARRAY<FLOAT64>; it is of type {types.sql_name(rows.protos[name.lower()])}")
    return found


def likely_column(call: Call, query: Rows) -> str:
    """The column with vectors of a table of queries, where none is named: one of the searched column's name, else the first."""
    vectors = [name for name, proto in query.protos.items() if types.sql_name(proto) == "ARRAY<FLOAT64>"]
    if not vectors:
        raise wrong("VECTOR_SEARCH: the query table has no column of type ARRAY<FLOAT64>")
    return call.value("column_to_search") if call.value("column_to_search").lower() in vectors else vectors[0]


def check_search_options(text: str | None) -> None:
    """ApiError invalidQuery for options that BigQuery refuses. None of them changes what is found here: no index is used."""
    try:
        options = json.loads(text or "{}")
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise wrong("VECTOR_SEARCH: options must be a JSON object")
    if unknown := options.keys() - {"fraction_lists_to_search", "use_brute_force"}:
        raise wrong(f"VECTOR_SEARCH: unknown option {min(unknown)}")
    fraction, brute = options.get("fraction_lists_to_search"), options.get("use_brute_force", False)
    if not isinstance(brute, bool):
        raise wrong("VECTOR_SEARCH: the option use_brute_force must be a JSON boolean")
    if fraction is not None and (isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 < fraction < 1):
        raise wrong("VECTOR_SEARCH: the option fraction_lists_to_search must be a number between 0.0 and 1.0, exclusive")
    if fraction is not None and brute:
        raise wrong("VECTOR_SEARCH: the option fraction_lists_to_search can't be given with use_brute_force")


def measured(vector: str) -> str:
    """SELECT items for a vector: what is needed of it with whatever other it is compared."""
    missing = raised_text("Cannot compute the distance of a vector with a NULL element.")
    sound = f"CASE WHEN list_count({vector}) < len({vector}) THEN {missing} ELSE {vector} END"
    square = f"CASE WHEN list_count({vector}) = len({vector}) THEN list_inner_product({vector}, {vector}) END"
    return f"{sound} AS vector, len({vector}) AS size, {square} AS square"


def distance_of(value: str) -> str:
    """The distance of the vectors of two rows, or the error for a pair that has none."""
    differ = raised(values.string("Array length mismatch: "), "q.size", values.string(" and "), "b.size", values.string("."))
    return f"CASE WHEN q.size <> b.size THEN {differ} {value} END"


DISTANCES = {
    "EUCLIDEAN": distance_of("ELSE list_distance(q.vector, b.vector)"), "DOT_PRODUCT": distance_of("ELSE -list_inner_product(q.vector, b.vector)"),
    "COSINE": distance_of(f"WHEN q.square = 0 OR b.square = 0 THEN {raised_text('Cannot compute cosine distance against zero vector.')} "
                          "ELSE 1 - list_inner_product(q.vector, b.vector) / sqrt(q.square * b.square)")}


class Function(NamedTuple):
    """arguments and schema: of a call as it is written, for the catalog; rows: of one in the resolved tree."""

    arguments: Callable[[Given], list[tuple]]
    schema: Callable[[Given], str]
    rows: Callable[[Call], Made]


HISTORY = "SELECT *, CAST(NULL AS STRING) AS _CHANGE_TYPE, CAST(NULL AS TIMESTAMP) AS _CHANGE_TIMESTAMP FROM `table`"
FUNCTIONS: dict[str, Function] = {
    "APPENDS": Function(lambda given: [("table", TABLE, NEEDED), ("start_timestamp", "TIMESTAMP", None), ("end_timestamp", "TIMESTAMP", None)],
                        lambda given: HISTORY, changes),
    "CHANGES": Function(lambda given: [("table", TABLE, NEEDED), *([("start_timestamp", "TIMESTAMP", NEEDED)] if given.has("start_timestamp", 1) else []),
                                       ("end_timestamp", "TIMESTAMP", NEEDED)], lambda given: HISTORY, changes),
    "GAP_FILL": Function(lambda given: [
        ("input", TABLE, NEEDED), ("ts_column", "STRING", NEEDED), ("bucket_width", "INTERVAL", NEEDED),
        *([("origin=>", ANY, NEEDED)] if "origin" in given.named else []), ("partitioning_columns=>", "ARRAY<STRING>", None), ("value_columns=>", "PAIRS", None), ("ignore_null_values=>", "BOOL", True)],
        gap_fill_schema, gap_fill),
    "RANGE_SESSIONIZE": Function(
        lambda given: [("input", TABLE, NEEDED), ("range_column", "STRING", NEEDED), ("partitioning_columns", "ARRAY<STRING>", NEEDED),
                       ("mode", "MODE", MEETS)],
        lambda given: f"SELECT *, {given.column('range_column', 1)} AS session_range FROM input", range_sessions),
    "VECTOR_SEARCH": Function(lambda given: [
        ("base_table", TABLE, NEEDED), ("column_to_search", "STRING", NEEDED), *(SINGLE if "query_value" in given.named else BATCH),
        ("top_k", "INTEGER", None), ("distance_type", "STRING", None), ("options", "STRING", None)],
        lambda given: (f"SELECT {'' if 'query_value' in given.named else 'query, '}base, CAST(NULL AS FLOAT64) AS distance "
                       f"FROM base_table AS base{'' if 'query_value' in given.named else ', query_table AS query'}"), vector_search),
}
CALLED = re.compile(rf"\b({'|'.join(FUNCTIONS)})\b", re.I)
