"""Google's reference evaluator, for what DuckDB cannot say exactly.

An expression without a rule becomes a function that DuckDB calls for each row (0.2 ms), with the values
of its arguments as parameters. A scan without a rule makes the evaluator compute the whole statement: it gets the
contents of all tables, and its rows go back into SQL as literals; hence the limit.
"""
from __future__ import annotations

import base64
import datetime
import hashlib
import json
import re
from decimal import Decimal

from google.protobuf.message import Message
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.public import type_pb2, value_pb2
from zetasql.wasi._pb2.zetasql.public.functions import normalize_mode_pb2, rounding_mode_pb2
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_pb2 as ast

from .. import values
from ..errors import ApiError, unsupported
from . import bignumeric, python_functions, types
from .analyzer import Memo, query_error
from .catalog import Names, Table, catalog_proto
from .engine import UNIMPLEMENTED, Crash, ServiceError
from .expressions import Call, NoRule
from .runtime import runtime_error
from .statement import Statement
from .tree import find, node_of

FULL_NODE = 1  # a value of ParseLocationRecordType
LIMIT = 1000  # rows of all tables of a statement together
# What the evaluator says of a function that it lacks as well.
MISSING = ("Unsupported built-in function", "functions are unsupported", "is not implemented", "unimplemented", "not supported")


def evaluate(statement: Statement, cursor, construct: str) -> str:
    """The result of a query as SQL of its rows; construct: what the compiler had no rule for.

    Raises ApiError notImplemented naming the construct where the input is large or the evaluator can't
    do it either, invalidQuery for an error of the statement.
    """
    if statement.views or statement.routines or any(find(statement.tree, "ResolvedConstantProto")) or any(scan.HasField("for_system_time_expr") for scan in find(statement.tree, "ResolvedTableScanProto")):
        raise unsupported(construct)
    context = statement.context
    options = statement.sql.options(context["parameter_mode"], context["parameter_fields"], time_zone=context["time_zone"])
    options.prune_unused_columns = False
    text, tables = with_short_names(statement, options, construct)
    request = service.EvaluateQueryRequest(sql=text, simple_catalog=catalog_proto(statement.sql.language, Names(tables)), options=options)
    add_tables(request, tables, cursor, construct)
    add_parameters(request, context, cursor)
    try:
        answer = statement.sql.engine.call("EvaluateQuery", request, service.EvaluateQueryResponse)
    except ServiceError as error:
        if error.code == UNIMPLEMENTED or any(words in error.message for words in MISSING):
            raise unsupported(construct) from None
        raise query_error(error) from None
    release(statement.sql, answer)
    return rows_as_sql(statement, answer.content.table_data)


def release(sql, answer) -> None:
    if answer.prepared.prepared_query_id:
        sql.engine.call("UnprepareQuery", service.UnprepareQueryRequest(prepared_query_id=answer.prepared.prepared_query_id))


def with_short_names(statement: Statement, options, construct: str) -> tuple[str, dict[tuple, Table]]:
    """The text and its tables with every table under its last name: the evaluator fills only tables of one name."""
    tables = {(path[-1].rpartition(".")[2],): table for path, table in statement.paths.items()}
    if all(len(path) == 1 and "." not in path[0] for path in statement.paths):
        return statement.text, statement.paths
    named = {entry.with_query_name for entry in find(statement.tree, "ResolvedWithEntryProto")}
    if len(tables) < len({table.key for table in statement.order}) or named & {path[0] for path in tables}:
        raise unsupported(f"{construct} over tables of one name")
    located = type(options).FromString(options.SerializeToString())
    located.parse_location_record_type = FULL_NODE
    text = statement.text.encode()
    ranges = {}
    for scan in find(statement.sql.tree(statement.text, Names(statement.paths), located), "ResolvedTableScanProto"):
        place = scan.parent.parent.parse_location_range
        ranges[place.start, place.end] = list(statement.paths)[scan.table.serialization_id - 1][-1].rpartition(".")[2]
    for (start, end), name in sorted(ranges.items(), reverse=True):
        text = text[:start] + f"`{name}`".encode() + text[end:]
    return text.decode(), tables


def add_tables(request, tables: dict[tuple, Table], cursor, construct: str) -> None:
    left = LIMIT
    for path, table in tables.items():
        protos = [types.type_proto(field) for field in table.fields]
        columns = ", ".join(portable(values.identifier(field["name"]), proto) for field, proto in zip(table.fields, protos))
        rows = fetch(cursor, f"SELECT {columns} FROM {table.relation(None)} LIMIT {left + 1}")
        left -= len(rows)
        if left < 0:
            raise unsupported(f"{construct} over more than {LIMIT} rows")
        content = request.table_content[path[0]].table_data
        content.SetInParent()
        for row in rows:
            cells = content.row.add().cell
            for cell, proto in zip(row, protos):
                cells.append(encode(cell, proto))


def add_parameters(request, context: dict, cursor) -> None:
    for parameter, field in zip(context["parameters"], context["parameter_fields"]):
        value = types.parameter_value(parameter.get("parameterValue"), field)
        cell = fetch(cursor, f"SELECT {portable(values.literal(field, value), types.type_proto(field))}")[0][0]
        request.params.add(name=parameter.get("name", ""), value=encode(cell, types.type_proto(field)))


def fetch(cursor, sql: str) -> list[tuple]:
    try:
        return cursor.execute(sql).fetchall()
    except Exception as error:
        raise runtime_error(error) from error


def rows_as_sql(statement: Statement, data) -> str:
    """A table's rows as a SELECT; an empty one keeps its types."""
    columns = statement.node.output_column_list
    protos = [column.column.type for column in columns]
    names = [values.identifier(field["name"]) for field in statement.fields]
    if statement.node.is_value_table and protos[0].type_kind == type_pb2.TYPE_STRUCT:
        rows = [row.cell[0].struct_value.field for row in data.row]
        protos = [part.field_type for part in protos[0].struct_type.field]
    else:
        rows = [row.cell for row in data.row]
    if not rows:
        return "SELECT " + ", ".join(f"NULL::{types.duckdb_type(p)} AS {name}" for p, name in zip(protos, names)) + " WHERE false"
    tuples = ", ".join("(" + ", ".join(types.literal(cell, p) for cell, p in zip(row, protos)) + ")" for row in rows)
    return f"SELECT * FROM (VALUES {tuples}) AS t({', '.join(names)})"


# Expressions --------------------------------------------------------------------------------------

EXPRESSIONS = Memo(8192)  # key -> Expression; its SQL holds the key
TEXTS = Memo(8192)  # expression of the tree, serialized -> its GoogleSQL
DIRECT = {"STRING": "VARCHAR", "BYTES": "BLOB", "INTEGER": "BIGINT", "FLOAT": "DOUBLE", "BOOLEAN": "BOOLEAN"}


PARAMETER = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|@p(\d+)\b""", re.S)  # outside of literals


class Expression:
    """GoogleSQL over parameters p0, p1 and so on of given types, prepared in the evaluator: at once, or when it is first needed.

    What is prepared maps an array of structs of arguments to one of results: a call costs as much as a dozen rows in it.
    """

    def __init__(self, sql, text: str, protos: list, proto, at_once: bool, time_zone: str):
        self.sql, self.text, self.proto, self.time_zone = sql, text, proto, time_zone
        self.rows = array_of_structs(protos or [types.type_proto({"type": "INTEGER"})])
        self.protos = protos
        self.direct = types.kind_name(proto) in DIRECT
        self.generation = None
        if at_once:
            self.prepare()

    def prepare(self) -> None:
        value = PARAMETER.sub(lambda found: found[1] or f"r.p{found[2]}", self.text)
        text = f"ARRAY(SELECT AS STRUCT {value} AS v FROM UNNEST(@rows) AS r WITH OFFSET AS place ORDER BY place)"
        options = self.sql.options("NAMED", [types.rest_field(self.rows, "rows")], time_zone=self.time_zone)
        request = service.PrepareRequest(sql=text, options=options, registered_catalog_id=self.sql.builtin_catalog())
        self.number = self.sql.engine.call("Prepare", request, service.PrepareResponse).prepared.prepared_expression_id
        self.generation = self.sql.engine.generation

    def results(self, lists: list[list], count: int) -> list:
        """The expression's values in rows of arguments, as DuckDB takes them from Python, or as JSON texts that values.from_json reads."""
        request = service.EvaluateRequest()
        rows = request.params.add(name="rows").value.array_value
        rows.SetInParent()
        for _ in range(count):
            rows.element.add().struct_value.SetInParent()
        for values_of, proto in zip(lists, self.protos) if lists else [([0] * count, types.type_proto({"type": "INTEGER"}))]:
            for row, value in zip(rows.element, values_of):
                row.struct_value.field.append(encode(value, proto))
        try:
            with self.sql.engine.lock:
                if self.generation != self.sql.engine.generation:
                    self.prepare()
                request.prepared_expression_id = self.number
                answer = self.sql.engine.call("Evaluate", request, service.EvaluateResponse).value
        except ServiceError as error:
            if error.code == UNIMPLEMENTED or any(words in error.message for words in MISSING):
                raise unsupported(self.text) from None
            raise query_error(error) from None
        except Crash:
            raise ApiError("resourcesExceeded", f"Resources exceeded during query execution: {self.text}") from None
        made = [plain(element.struct_value.field[0], self.proto) for element in answer.array_value.element]
        return made if self.direct else [json.dumps(value) for value in made]


def array_of_structs(protos: list):
    """The type ARRAY<STRUCT<p0, p1 and so on>>."""
    proto = type_pb2.TypeProto(type_kind=type_pb2.TYPE_ARRAY)
    struct = proto.array_type.element_type
    struct.type_kind = type_pb2.TYPE_STRUCT
    for i, part in enumerate(protos):
        struct.struct_type.field.add(field_name=f"p{i}").field_type.CopyFrom(part)
    return proto


@python_functions.takes_columns
def evaluated(keys: list[str], *lists: list) -> list:
    return EXPRESSIONS[keys[0]].results(lists, len(keys))


def expression(sql, text: str, args: list[str], protos: list, proto, missing: NoRule, at_once: bool = True, time_zone: str = "UTC") -> str:
    """SQL of an expression's value. text: GoogleSQL over @p0, @p1 and so on, whose SQL and types args and protos are.

    Raises `missing` where the evaluator can't do it either.
    """
    identity = (time_zone, text, [p.SerializeToString(deterministic=True) for p in protos], proto.SerializeToString(deterministic=True))
    key = hashlib.sha1(repr(identity).encode()).hexdigest()
    try:
        with sql.engine.lock:
            EXPRESSIONS.use(key, lambda: Expression(sql, text, protos, proto, at_once, time_zone))
    except ServiceError:
        raise missing from None
    sent = [portable(arg, p) for arg, p in zip(args, protos)]
    kind = types.kind_name(proto)
    if kind in DIRECT:
        return python_functions.call(DIRECT[kind], "reference.evaluated", values.string(key), *sent)
    made = python_functions.call("VARCHAR", "reference.evaluated", values.string(key), *sent)
    return f"list_transform([{made}::JSON], lambda made: {values.from_json(types.rest_field(proto), 'made')})[1]"


def evaluate_call(call: Call, node, safe: bool, missing: NoRule, places: list[str] | None = None) -> str:
    """SQL of a function's call that has no rule; node: the call in the tree; places: of the arguments in a template that has the call for an edge."""
    from . import functions
    if call.name in functions.CATCHING:
        raise missing  # DuckDB would compute the argument, and fail
    args = places or call.args
    if "ENUM" in call.kinds:
        kept = [i for i, kind in enumerate(call.kinds) if kind != "ENUM"]
        names = iter(f"@p{n}" for n in range(len(kept)))
        words = [enum_name(call, i) if kind == "ENUM" else next(names) for i, kind in enumerate(call.kinds)]
        text = spelled(call.name, words)
        text = f"SAFE.{text}" if safe else text
    else:
        kept = [i for i, arg in enumerate(call.nodes) if arg.WhichOneof("node") != "resolved_literal_node" and not call.args[i].startswith("lambda ")]
        tree = ast.AnyResolvedExprProto()
        copied = tree.resolved_function_call_base_node.resolved_function_call_node
        copied.CopyFrom(node)
        if call.name in PARSING and call.nodes[0].WhichOneof("node") == "resolved_literal_node":
            pattern = copied.parent.argument_list[0].resolved_literal_node.value.value
            pattern.string_value = re.sub("%[%F]", lambda found: found[0].replace("%F", "%Y-%m-%d"), pattern.string_value)
        text = built(call.compiler.plan.sql, tree)
    return expression(call.compiler.plan.sql, text, [args[i] for i in kept], [call.protos[i] for i in kept], call.type, missing, places is None, call.compiler.time_zone)


PARSING = ("parse_date", "parse_datetime", "parse_timestamp")  # the evaluator's C library does not read %F
MERIDIANS = re.compile(r'("(?:[^"\\\\]|\\\\.)*")|([AP])M', re.I)  # outside of a format's literals


def evaluate_cast(compiler, node, missing: NoRule) -> str:
    """SQL of a cast that has no rule: with a format, a time zone, or between types that only the evaluator casts."""
    tree = ast.AnyResolvedExprProto()
    cast = tree.resolved_cast_node
    cast.CopyFrom(node)  # the statement may be compiled again
    safe, sized = node.return_null_on_error, node.type_modifiers.type_parameters.ByteSize() > 0
    if node.format.resolved_literal_node.value.value.string_value.upper() == "BASE32":  # the evaluator lacks it
        result, name = ("VARCHAR", "to_base32") if types.kind_name(node.parent.type) == "STRING" else ("BLOB", "from_base32")
        made = python_functions.call(result, f"texts.{name}", compiler.expr(node.expr))
        return f"TRY({made})" if safe else made
    inner = [item for item in (node.expr, node.format, node.time_zone) if item.WhichOneof("node") not in (None, "resolved_literal_node")]
    args = [compiler.expr(item) for item in inner]
    if types.kind_name(compiler.type_of(node.expr)) == "STRING" and with_dots(cast) and node.expr.WhichOneof("node") != "resolved_literal_node":
        args[0] = f"regexp_replace({args[0]}, '([ap])m', '\\1.m.', 'gi')"
    if sized:
        cast.return_null_on_error = False  # the evaluator heeds it not for values that don't fit
    made = expression(compiler.plan.sql, built(compiler.plan.sql, tree), args, [compiler.type_of(item) for item in inner], node.parent.type, missing,
                      time_zone=compiler.time_zone)
    return f"TRY({made})" if safe and sized else made


def with_dots(cast) -> bool:
    """Let a cast's format, and its text where it is a literal, have A.M. and P.M.: the evaluator reads no others. Whether it had."""
    pattern = cast.format.resolved_literal_node.value.value
    dotted = MERIDIANS.sub(lambda found: found[1] or f"{found[2]}.M.", pattern.string_value)
    if dotted == pattern.string_value:
        return False
    pattern.string_value = dotted
    if cast.expr.WhichOneof("node") == "resolved_literal_node":
        text = cast.expr.resolved_literal_node.value.value
        text.string_value = re.sub("([ap])m", r"\1.m.", text.string_value, flags=re.I)
    return True


def built(sql, tree) -> str:
    """An expression of the tree as GoogleSQL; its arguments that are no literals become parameters, in place."""
    for number, argument in enumerate(list(arguments(node_of(tree)[0]))):
        proto = type_of(argument)
        argument.Clear()
        argument.resolved_parameter_node.name = f"p{number}"
        argument.resolved_parameter_node.parent.type.CopyFrom(proto)
    try:
        with sql.engine.lock:
            return TEXTS.use(tree.SerializeToString(deterministic=True), lambda: sql._call(
                "BuildSql", service.BuildSqlRequest(registered_catalog_id=sql.builtin_catalog(), resolved_expression=tree), service.BuildSqlResponse).sql)
    except ServiceError as error:
        raise NoRule(error.message) from None


def arguments(node):
    """The expressions right under a node that are no literals, those in lambdas left out."""
    for field, value in node.ListFields():
        if field.message_type is not None and field.name not in ("type", "inline_lambda"):
            for item in value if field.is_repeated else (value,):
                if item.DESCRIPTOR.name != "AnyResolvedExprProto":
                    yield from arguments(item)
                elif item.WhichOneof("node") != "resolved_literal_node":
                    yield item


def type_of(argument):
    node = getattr(argument, argument.WhichOneof("node"))
    while node.DESCRIPTOR.name != "ResolvedExprProto":
        node = getattr(node, node.WhichOneof("node")) if node.DESCRIPTOR.name.startswith("Any") else node.parent
    return type_pb2.TypeProto.FromString(node.type.SerializeToString())


def enum_name(call: Call, i: int) -> str:
    """A date part, or a mode of rounding or normalization, as GoogleSQL writes it."""
    kind, number = call.protos[i].enum_type.enum_name.rpartition(".")[2], call.literal(i) or 0
    if kind == "NormalizeMode":
        return normalize_mode_pb2.NormalizeMode.Name(number)
    if kind == "RoundingMode":
        return f"'{rounding_mode_pb2.RoundingMode.Name(number)}'"
    name = call.part(i)
    word, _, day = name.partition("_")
    return f"WEEK({day})" if word == "WEEK" and day else name


def spelled(name: str, args: list[str]) -> str:
    """A call with a date part, whose syntax may be its own."""
    if name.startswith("$extract"):
        zone = f" AT TIME ZONE {args[2]}" if len(args) > 2 else ""
        return f"EXTRACT({args[1]} FROM {args[0]}{zone})"
    if name == "$interval":
        return f"INTERVAL {args[0]} {args[1]}"
    if name.endswith(("_add", "_sub")) and len(args) == 3:
        return f"{name}({args[0]}, INTERVAL {args[1]} {args[2]})"
    return f"{name}({', '.join(args)})"


# Values -------------------------------------------------------------------------------------------

INTERVAL_PARTS = "CASE WHEN {x} IS NOT NULL THEN [datepart('year', {x}) * 12 + datepart('month', {x}), datepart('day', {x}), epoch_us({x} - to_months(%s) - to_days(%s))] END" % (
    "(datepart('year', {x}) * 12 + datepart('month', {x}))::INTEGER", "datepart('day', {x})::INTEGER")


def portable(x: str, proto) -> str:
    """SQL of a value in a form that encode() reads: Python's timedelta knows no months."""
    return f"list_transform([{x}], lambda span: {INTERVAL_PARTS.replace('{x}', 'span')})[1]" if proto.type_kind == type_pb2.TYPE_INTERVAL else x


def plain(value, proto):
    """A ValueProto as values.from_json has it: text, numbers and booleans where DuckDB takes them so, lists and dicts."""
    which = value.WhichOneof("value")
    if which is None:
        return None
    kind = types.kind_name(proto)
    if kind == "ARRAY":
        return [nested(item, proto.array_type.element_type) for item in value.array_value.element]
    if kind == "RECORD":
        parts = zip(types.struct_names(proto), value.struct_value.field, proto.struct_type.field)
        return {name: nested(item, part.field_type) for name, item, part in parts}
    if kind == "RANGE":
        return {end: nested(getattr(value.range_value, end), proto.range_type.element_type) for end in ("start", "end")}
    return PLAIN[kind](value) if kind in PLAIN else getattr(value, which)


def nested(value, proto):
    """A value inside a JSON text."""
    made = plain(value, proto)
    if isinstance(made, bytes):
        return base64.b64encode(made).decode()
    return str(made) if isinstance(made, float) else made


def interval_text(value) -> str:
    months, days, micros = types.interval_parts(value.interval_value)
    return f"{months} months {days} days {micros} microseconds"


PLAIN = {
    "NUMERIC": lambda v: types.decimal_text(v.numeric_value, 9), "BIGNUMERIC": lambda v: types.decimal_text(v.bignumeric_value, 38),
    "DATE": lambda v: types.date_text(v.date_value), "TIME": lambda v: types.time_text(v.time_value), "TIMESTAMP": lambda v: types.timestamp_text(v.timestamp_value),
    "DATETIME": lambda v: types.datetime_text(v.datetime_value.bit_field_datetime_seconds, v.datetime_value.nanos), "INTERVAL": interval_text,
}


def encode(value, proto) -> Message:
    """A value that DuckDB gave to Python, as the analyzer's ValueProto of a type."""
    result = value_pb2.ValueProto()
    if value is None:
        return result
    kind = types.kind_name(proto)
    if kind == "ARRAY":
        result.array_value.SetInParent()
        result.array_value.element.extend(encode(item, proto.array_type.element_type) for item in value)
    elif kind == "RECORD":
        result.struct_value.SetInParent()
        parts = zip(types.struct_names(proto), proto.struct_type.field)
        result.struct_value.field.extend(encode(value[name], part.field_type) for name, part in parts)
    elif kind == "RANGE":
        result.range_value.start.CopyFrom(encode(value["start"], proto.range_type.element_type))
        result.range_value.end.CopyFrom(encode(value["end"], proto.range_type.element_type))
    elif kind in ENCODERS:
        ENCODERS[kind](result, value)
    else:
        raise unsupported(f"values of {kind} in the reference evaluator")
    return result


def encode_timestamp(result, value: datetime.datetime) -> None:
    micros = (value.astimezone(datetime.timezone.utc).replace(tzinfo=None) - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
    result.timestamp_value.seconds, rest = divmod(micros, 1_000_000)
    result.timestamp_value.nanos = rest * 1000


def encode_datetime(result, value: datetime.datetime) -> None:
    day = (value.year << 26) | (value.month << 22) | (value.day << 17)
    result.datetime_value.bit_field_datetime_seconds = day | (value.hour << 12) | (value.minute << 6) | value.second
    result.datetime_value.nanos = value.microsecond * 1000


def encode_time(result, value: datetime.time) -> None:
    result.time_value = (((value.hour << 12) | (value.minute << 6) | value.second) << 30) | value.microsecond * 1000


def encode_interval(result, value: list[int]) -> None:
    """[months, days, microseconds] as sixteen bytes: 64, 32 and 32 bits, the months above 13 bits of nanoseconds.

    An interval in an array or struct comes as Arrow has it, in nanoseconds.
    """
    months, days, micros = value
    micros = micros // 1000 if hasattr(value, "nanoseconds") else micros
    sign = 1 << 18 if months < 0 else 0
    result.interval_value = (micros.to_bytes(8, "little", signed=True) + days.to_bytes(4, "little", signed=True)
                             + ((abs(months) | sign) << 13).to_bytes(4, "little"))


def decimal_bytes(value: Decimal, scale: int) -> bytes:
    sign, digits, exponent = value.as_tuple()
    return integer_bytes(int("".join(map(str, digits))) * 10 ** (scale + exponent) * (-1 if sign else 1))


def integer_bytes(number: int) -> bytes:
    """The fewest bytes that hold it: Google's code takes no more than 32 for a BIGNUMERIC."""
    return number.to_bytes(((number if number >= 0 else ~number).bit_length() + 8) // 8, "little", signed=True)


def setter(name: str, convert=lambda value: value):
    def set_field(result, value) -> None:
        setattr(result, name, convert(value))
    return set_field


ENCODERS = {
    "STRING": setter("string_value"), "BYTES": setter("bytes_value", bytes), "INTEGER": setter("int64_value"), "FLOAT": setter("double_value"),
    "BOOLEAN": setter("bool_value"), "DATE": setter("date_value", lambda day: (day - types.EPOCH).days), "JSON": setter("json_value"),
    "TIMESTAMP": encode_timestamp, "DATETIME": encode_datetime, "TIME": encode_time,
    "NUMERIC": setter("numeric_value", lambda value: decimal_bytes(value, 9)),
    "BIGNUMERIC": setter("bignumeric_value", lambda value: integer_bytes(bignumeric.number(value))), "INTERVAL": encode_interval,
}
