"""Google's reference evaluator, for small inputs that DuckDB cannot say exactly.

The evaluator gets the statement, its parameters and the whole contents of its tables, and gives rows,
which go back into SQL as literals. It is slow and holds everything in memory, hence the limit.
"""
from __future__ import annotations

import datetime
from decimal import Decimal

from google.protobuf.message import Message
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.public import type_pb2, value_pb2

from .. import values
from ..errors import unsupported
from . import types
from .analyzer import Statement, Table, catalog_proto, find, query_error
from .engine import OUT_OF_RANGE, UNIMPLEMENTED, ServiceError
from .expressions import Call, NoRule
from .runtime import runtime_error

FULL_NODE = 1  # a value of ParseLocationRecordType
LIMIT = 1000  # rows of all tables of a statement together
# What the evaluator says of a function that it lacks as well.
MISSING = ("Unsupported built-in function", "is not implemented", "unimplemented", "not supported")


def evaluate(statement: Statement, cursor, construct: str) -> str:
    """The result of a query as SQL of its rows; construct: what the compiler had no rule for.

    Raises ApiError notImplemented naming the construct where the input is large or the evaluator can't
    do it either, invalidQuery for an error of the statement.
    """
    if statement.views or any(find(statement.tree, "ResolvedConstantProto")) or any(scan.HasField("for_system_time_expr") for scan in find(statement.tree, "ResolvedTableScanProto")):
        raise unsupported(construct)
    context = statement.context
    options = statement.sql.options(context["parameter_mode"], context["parameter_fields"])
    options.prune_unused_columns = False
    text, tables = with_short_names(statement, options, construct)
    request = service.EvaluateQueryRequest(sql=text, simple_catalog=catalog_proto(statement.sql.language, tables), options=options)
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


def evaluate_call(call: Call, safe: bool) -> str:
    """A call whose arguments are all constants, as a literal of its value; NoRule where the evaluator can't do it."""
    compiler = call.compiler
    args, fields, request = [], [], service.EvaluateQueryRequest()
    for i, (arg, proto) in enumerate(zip(call.args, call.protos)):
        if call.kinds[i] == "ENUM":
            args.append(call.part(i))
            continue
        args.append(f"@p{i}")
        fields.append(types.rest_field(proto, f"p{i}"))
        request.params.add(name=f"p{i}", value=encode(fetch(compiler.cursor, f"SELECT {arg}")[0][0], proto))
    sql = compiler.plan.sql
    request.sql = f"SELECT {'SAFE.' if safe else ''}{call.name}({', '.join(args)})"
    request.options.CopyFrom(sql.options("NAMED", fields))
    try:
        with sql.engine.lock:
            request.registered_catalog_id = sql.catalog({})
            answer = sql.engine.call("EvaluateQuery", request, service.EvaluateQueryResponse)
    except ServiceError as error:
        if error.code != OUT_OF_RANGE:
            raise NoRule(f"the function {call.name.upper()}") from None
        raise query_error(error) from None
    release(sql, answer)
    return types.literal(answer.content.table_data.row[0].cell[0], call.type)


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
    for scan in find(statement.sql.tree(statement.text, statement.paths, located), "ResolvedTableScanProto"):
        place = scan.parent.parent.parse_location_range
        ranges[place.start, place.end] = list(statement.paths)[scan.table.serialization_id - 1][-1].rpartition(".")[2]
    for (start, end), name in sorted(ranges.items(), reverse=True):
        text = text[:start] + f"`{name}`".encode() + text[end:]
    return text.decode(), tables


def add_tables(request, tables: dict[tuple, Table], cursor, construct: str) -> None:
    left = LIMIT
    for path, table in tables.items():
        protos = [types.type_proto(field) for field in table.fields]
        columns = ", ".join(values.identifier(field["name"]) for field in table.fields)
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
        cell = fetch(cursor, f"SELECT {values.literal(field, value)}")[0][0]
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


# Values -------------------------------------------------------------------------------------------

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


def decimal_bytes(value: Decimal, scale: int) -> bytes:
    sign, digits, exponent = value.as_tuple()
    number = int("".join(map(str, digits))) * 10 ** (scale + exponent) * (-1 if sign else 1)
    return number.to_bytes((number.bit_length() + 8) // 8, "little", signed=True)


def setter(name: str, convert=lambda value: value):
    def set_field(result, value) -> None:
        setattr(result, name, convert(value))
    return set_field


ENCODERS = {
    "STRING": setter("string_value"), "BYTES": setter("bytes_value", bytes), "INTEGER": setter("int64_value"), "FLOAT": setter("double_value"),
    "BOOLEAN": setter("bool_value"), "DATE": setter("date_value", lambda day: (day - types.EPOCH).days), "JSON": setter("json_value"),
    "TIMESTAMP": encode_timestamp, "DATETIME": encode_datetime, "TIME": encode_time,
    "NUMERIC": setter("numeric_value", lambda value: decimal_bytes(value, 9)),
    "BIGNUMERIC": setter("bignumeric_value", lambda value: decimal_bytes(value, 38)),
}
