"""BigQuery's types: one row per type, and all that follows from it.

A column is described by its REST field (TableFieldSchema: name, type, mode, fields). Every function
here takes such a field and builds SQL, so that DuckDB converts whole columns and Python sees no value.
"""
from __future__ import annotations

import json
import re
from typing import Callable, NamedTuple

from .errors import ApiError

# The words that GoogleSQL takes as names only between backticks.
RESERVED = set("""all and any array as asc assert_rows_modified at between by case cast collate contains create cross cube current default define desc
    distinct else end enum escape except exclude exists extract false fetch following for from full group grouping groups hash having if ignore in
    inner intersect interval into is join lateral left like limit lookup merge natural new no not null nulls of on or order outer over partition
    preceding proto qualify range recursive respect right rollup rows select set some struct tablesample then to treat true unbounded union unnest
    using when where window with within""".split())


class Type(NamedTuple):
    """One type of BigQuery.

    sql: its name in GoogleSQL; duckdb: the type that holds it in the lake;
    text: SQL for a value's text in an answer, over `{x}`; parse: SQL for the value, from a JSON text
    `{x}`, NULL or an error where it isn't one; size: SQL for its logical bytes, over `{x}` not NULL.
    """

    sql: str
    duckdb: str
    text: str = "{x}::VARCHAR"
    parse: str | None = None
    size: str = "8"


# 1.0 is a whole number, 1.5 is none; DuckDB would round it.
WHOLE = "CASE WHEN regexp_full_match({x}, ' *[-+]?[0-9]+(\\.0*)?([eE]\\+?[0-9]+)? *') THEN {x}::BIGINT ELSE ('not INT64: ' || {x})::BIGINT END"
# A JSON number for a time is seconds since the epoch.
SECONDS = "CASE WHEN regexp_full_match({x}, '[-+]?[0-9]+(\\.[0-9]*)?([eE][-+]?[0-9]+)?') THEN make_timestamptz(round({x}::DECIMAL(30,9) * 1000000)::BIGINT) ELSE {x}::TIMESTAMPTZ END"
# A fraction of a second has six digits or none.
ISO = "CASE WHEN microsecond({x}) % 1000000 = 0 THEN replace({x}::VARCHAR, ' ', 'T') ELSE rpad(replace({x}::VARCHAR, ' ', 'T'), 26, '0') END"
CLOCK = "CASE WHEN microsecond({x}) % 1000000 = 0 THEN {x}::VARCHAR ELSE rpad({x}::VARCHAR, 15, '0') END"
# DuckDB prints all nine digits of a DECIMAL(38,9), BigQuery only those that count.
PLAIN = "CASE WHEN contains({x}::VARCHAR, '.') THEN rtrim(rtrim({x}::VARCHAR, '0'), '.') ELSE {x}::VARCHAR END"
FLOAT_TEXT = "CASE WHEN isnan({x}) THEN 'NaN' WHEN isinf({x}) THEN CASE WHEN {x} > 0 THEN 'Infinity' ELSE '-Infinity' END ELSE {x}::VARCHAR END"
# Held exactly, printed with fifteen digits.
GEOGRAPHY_TEXT = "CASE WHEN regexp_matches({x}, '" + "[0-9.]" * 16 + "') THEN py_varchar('geography_formats.st_astext', {x}) ELSE {x} END"
INTERVAL_TEXT = (
    "CASE WHEN {x} IS NULL THEN NULL ELSE concat(CASE WHEN datepart('year', {x}) < 0 OR datepart('month', {x}) < 0 THEN '-' ELSE '' END, "
    "abs(datepart('year', {x})), '-', abs(datepart('month', {x})), ' ', datepart('day', {x}), ' ', "
    "CASE WHEN datepart('microsecond', {x}) < 0 OR datepart('minute', {x}) < 0 OR datepart('hour', {x}) < 0 THEN '-' ELSE '' END, "
    "abs(datepart('hour', {x})), ':', abs(datepart('minute', {x})), ':', abs(datepart('microsecond', {x})) // 1000000, "
    "CASE WHEN datepart('microsecond', {x}) % 1000000 = 0 THEN '' WHEN datepart('microsecond', {x}) % 1000 = 0 "
    "THEN '.' || lpad((abs(datepart('microsecond', {x})) % 1000000 // 1000)::VARCHAR, 3, '0') "
    "ELSE '.' || lpad((abs(datepart('microsecond', {x})) % 1000000)::VARCHAR, 6, '0') END) END"
)

# JSON texts that may not be as BigQuery prints a JSON value: more than one member, fractions, escapes, wide numbers.
UNUSUAL_JSON = r"'(?s)\x7b.*,|\d[.eE]|\\|" + r"\d" * 16 + "|N|I|-0'"
JSON = f"CASE WHEN regexp_matches({{x}}, {UNUSUAL_JSON}) THEN coalesce((py_varchar('json_texts.rounded', {{x}}) || '')::JSON, json({{x}})) ELSE json({{x}}) END"
# Y-M D H:M:S.F, where a sign stands before Y, D and H.
INTERVAL_FORM = " *([-+]?)([0-9]+)-([0-9]+) +([-+]?[0-9]+) +([-+]?)([0-9]+):([0-9]+):([0-9]+(?:\\.[0-9]+)?) *"
INTERVAL_PART = "regexp_extract({x}, '" + INTERVAL_FORM + "', %d)"
PARSE_INTERVAL = (
    "CASE WHEN regexp_full_match({x}, '" + INTERVAL_FORM + "') THEN "
    f"to_months((({INTERVAL_PART % 1} || '1')::INTEGER * ({INTERVAL_PART % 2}::INTEGER * 12 + {INTERVAL_PART % 3}::INTEGER))::INTEGER) "
    f"+ to_days({INTERVAL_PART % 4}::INTEGER) + to_microseconds((({INTERVAL_PART % 5} || '1')::BIGINT * "
    f"({INTERVAL_PART % 6}::BIGINT * 3600000000 + {INTERVAL_PART % 7}::BIGINT * 60000000 + ({INTERVAL_PART % 8}::DECIMAL(18,6) * 1000000)::BIGINT))::BIGINT) "
    "ELSE {x}::INTERVAL END")

TYPES: dict[str, Type] = {
    "STRING": Type("STRING", "VARCHAR", text="{x}", size="2 + strlen({x})"),
    "BYTES": Type("BYTES", "BLOB", text="to_base64({x})", parse="from_base64({x})", size="2 + octet_length({x})"),
    "INTEGER": Type("INT64", "BIGINT", parse=WHOLE),
    "FLOAT": Type("FLOAT64", "DOUBLE", text=FLOAT_TEXT),
    "BOOLEAN": Type("BOOL", "BOOLEAN", size="1"),
    "NUMERIC": Type("NUMERIC", "DECIMAL(38,9)", text=PLAIN, size="16"),
    "BIGNUMERIC": Type("BIGNUMERIC", "BLOB", text="py_varchar('bignumeric.text', {x})", parse="py_blob('bignumeric.parse', {x})", size="32"),
    "DATE": Type("DATE", "DATE"),
    "TIME": Type("TIME", "TIME", text=CLOCK),
    "DATETIME": Type("DATETIME", "TIMESTAMP", text=ISO),
    "TIMESTAMP": Type("TIMESTAMP", "TIMESTAMPTZ", text="epoch_us({x})::VARCHAR", parse=SECONDS),
    "JSON": Type("JSON", "JSON", text="{x}::VARCHAR", parse=JSON, size="strlen({x}::VARCHAR)"),
    "GEOGRAPHY": Type("GEOGRAPHY", "VARCHAR", text=GEOGRAPHY_TEXT, parse="py_varchar('geography_formats.st_geogfromtext', {x})", size="16 + 24 * (1 + length({x}) - length(replace({x}, ',', '')))"),
    "INTERVAL": Type("INTERVAL", "INTERVAL", text=INTERVAL_TEXT, parse=PARSE_INTERVAL, size="16"),
    "RANGE": Type("RANGE", "STRUCT", size="16"),
    "RECORD": Type("STRUCT", "STRUCT"),
}
ALIASES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD", "DECIMAL": "NUMERIC",
           "BIGDECIMAL": "BIGNUMERIC", "INT": "INTEGER", "SMALLINT": "INTEGER", "BIGINT": "INTEGER",
           "TINYINT": "INTEGER", "BYTEINT": "INTEGER"}
# Where the client does not ask for int64 timestamps, the API prints seconds as a float.
FLOAT_TIMESTAMP = "(epoch_us({x}) / 1000000.0)::DOUBLE::VARCHAR"


def identifier(name: str) -> str:
    """A name in DuckDB's quotes."""
    return '"' + name.replace('"', '""') + '"'


def googlesql_name(name: str) -> str:
    """A name as GoogleSQL takes it: between backticks where it has to be."""
    plain = re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and name.lower() not in RESERVED
    return name if plain else "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def string(text: str) -> str:
    """A text as a DuckDB literal."""
    return "'" + text.replace("'", "''") + "'"


def type_name(field: dict) -> str:
    """The key of TYPES for a field, whichever of its names the type goes by; ApiError invalid for an unknown one."""
    name = str(field.get("type", "")).upper()
    name = ALIASES.get(name, name)
    if name not in TYPES:
        raise ApiError("invalid", f"Invalid value for type: {field.get('type')} is not a valid value")
    return name


def repeated(field: dict) -> bool:
    return field.get("mode") == "REPEATED"


def element(field: dict) -> dict:
    """The field of one element of a repeated field."""
    return {**field, "mode": "NULLABLE"}


def range_parts(field: dict) -> list[dict]:
    """A RANGE<T> as the two fields of the struct that holds it."""
    of = field.get("rangeElementType", {}).get("type", "DATE")
    return [{"name": "start", "type": of}, {"name": "end", "type": of}]


def parts(field: dict) -> list[dict]:
    """The fields of a RECORD or a RANGE."""
    return range_parts(field) if type_name(field) == "RANGE" else field.get("fields", [])


def duckdb_type(field: dict) -> str:
    """The DuckDB type of a column, e.g. STRUCT("a" BIGINT)[]."""
    if repeated(field):
        return duckdb_type(element(field)) + "[]"
    kind = TYPES[type_name(field)].duckdb
    if kind != "STRUCT":
        return kind
    return "STRUCT(" + ", ".join(f"{identifier(part['name'])} {duckdb_type(part)}" for part in parts(field)) + ")"


def _variable(depth: int) -> str:
    return f"e{depth}"


# Rows to JSON -------------------------------------------------------------------------------------

def row_json(fields: list[dict], int64_timestamps: bool = True) -> str:
    """SQL for one row as the API prints it: {"f":[{"v":...},...]}, over columns named as the fields."""
    return record_json(fields, lambda field: identifier(field["name"]), int64_timestamps)


def record_json(fields: list[dict], column: Callable[[dict], str], int64: bool = True, depth: int = 0) -> str:
    """As row_json; column: the SQL of a field's value."""
    cells = " || '},{\"v\":' || ".join(_value_json(field, column(field), int64, depth) for field in fields)
    return f"('{{\"f\":[{{\"v\":' || {cells} || '}}]}}')" if fields else "'{\"f\":[]}'"


def _value_json(field: dict, x: str, int64: bool, depth: int) -> str:
    """SQL for the JSON text of one value; text is glued, which is twice as fast as DuckDB's JSON functions."""
    if repeated(field):
        e = _variable(depth)
        inner = _value_json(element(field), e, int64, depth + 1)
        items = f"array_to_string(list_transform({x}, lambda {e}: '{{\"v\":' || {inner} || '}}'), ',')"
        return f"('[' || coalesce({items}, '') || ']')"
    kind = type_name(field)
    if kind == "RECORD":
        record = record_json(field["fields"], lambda part: f"{x}.{identifier(part['name'])}", int64, depth)
        return f"CASE WHEN {x} IS NULL THEN 'null' ELSE {record} END"
    text = _text(field, x, int64)
    if kind in ("STRING", "JSON", "GEOGRAPHY"):
        return f"coalesce(to_json(({text})::VARCHAR)::VARCHAR, 'null')"
    return f"coalesce('\"' || ({text}) || '\"', 'null')"


def _text(field: dict, x: str, int64: bool) -> str:
    kind = type_name(field)
    if kind == "RANGE":
        start, end = (f"coalesce({_text(part, x + '.' + identifier(part['name']), int64)}, 'UNBOUNDED')" for part in range_parts(field))
        return f"CASE WHEN {x} IS NULL THEN NULL ELSE '[' || {start} || ', ' || {end} || ')' END"
    template = TYPES[kind].text if int64 or kind != "TIMESTAMP" else FLOAT_TIMESTAMP
    return template.format(x=x)


# Rows to files ------------------------------------------------------------------------------------

def file_text(field: dict, x: str) -> str:
    """SQL for a value's text in an exported file, where moments are for people: 2020-01-01 00:00:00 UTC."""
    if type_name(field) == "TIMESTAMP":
        return f"(CASE WHEN epoch_us({x}) % 1000000 = 0 THEN strftime({x}, '%Y-%m-%d %H:%M:%S UTC') ELSE strftime({x}, '%Y-%m-%d %H:%M:%S.%f UTC') END)"
    return _text(field, x, True)


def object_json(fields: list[dict]) -> str:
    """SQL for one row as a line of exported JSON: NULLs left out, INT64 as text, `<`, `>` and `&` escaped."""
    return _escape(_object(fields, lambda field: identifier(field["name"]), 0))


def _escape(text: str) -> str:
    for letter, code in (("<", "003c"), (">", "003e"), ("&", "0026")):
        text = f"replace({text}, '{letter}', '\\u{code}')"
    return text


def _object(fields: list[dict], column: Callable[[dict], str], depth: int) -> str:
    members = ", ".join(f"{string(json.dumps(field['name'], ensure_ascii=False) + ':')} || {_member(field, column(field), depth)}" for field in fields)
    return f"('{{' || concat_ws(',', {members}) || '}}')"


def _member(field: dict, x: str, depth: int) -> str:
    if repeated(field):
        e = _variable(depth)
        return f"('[' || coalesce(array_to_string(list_transform({x}, lambda {e}: {_member(element(field), e, depth + 1)}), ','), '') || ']')"
    kind = type_name(field)
    if kind == "RECORD":
        inner = _object(field["fields"], lambda part: f"{x}.{identifier(part['name'])}", depth)
        return f"CASE WHEN {x} IS NULL THEN NULL ELSE {inner} END"
    if kind in ("FLOAT", "BOOLEAN", "JSON"):
        return f"CASE WHEN {x}::VARCHAR IN ('nan', 'inf', '-inf') THEN '\"' || {_text(field, x, True)} || '\"' ELSE {x}::VARCHAR END"
    return f"to_json(({file_text(field, x)})::VARCHAR)::VARCHAR"


# JSON to rows -------------------------------------------------------------------------------------

def from_json(field: dict, j: str, depth: int = 0, parsers: dict[str, str] = {}) -> str:
    """SQL for a column's value from the JSON value `j` (a DuckDB expression of type JSON), as insertAll sends it.

    parsers: type -> SQL of its value from a text {x}, for types that are written in another way than usual. A value that is none of the type makes DuckDB raise its conversion error.
    """
    if repeated(field):
        e = _variable(depth)
        inner = from_json(element(field), e, depth + 1, parsers)
        return f"list_transform(({j})::JSON[], lambda {e}: {inner})"
    kind = type_name(field)
    if kind in ("RECORD", "RANGE"):
        inner = ", ".join(
            f"{identifier(part['name'])} := {from_json(part, json_member(j, part['name']), depth, parsers)}" for part in parts(field))
        no_object = f" WHEN json_type({j}) <> 'OBJECT' THEN {misfit(field, j)}" if kind == "RECORD" else ""
        return f"CASE WHEN json_type({j}) IS NULL OR json_type({j}) = 'NULL' THEN NULL{no_object} ELSE struct_pack({inner}) END"
    text = f"json_extract_string({j}, '$')"
    if kind == "JSON":
        # A client sends JSON as text; an object that isn't text is taken as it is.
        return f"CASE json_type({j}) WHEN 'NULL' THEN NULL ELSE {JSON.format(x=text)} END"
    parse = parsers.get(kind, TYPES[kind].parse)
    value = parse.format(x=text) if parse else f"CAST({text} AS {TYPES[kind].duckdb})"
    # An object or a list is no scalar, though it has a text.
    return f"CASE WHEN json_type({j}) IN ('OBJECT', 'ARRAY') THEN {misfit(field, j)} ELSE {value} END"


def misfit(field: dict, x: str) -> str:
    """SQL that fails as a conversion does, with the type of the field. error() would do, but TRY does not take it."""
    return f"CAST(CAST(CAST('no value: ' || {x} AS BIGINT) AS VARCHAR) AS {duckdb_type(field)})"


def json_member(j: str, name: str) -> str:
    """SQL for a member of a JSON object, whatever characters its name has."""
    return f"json_extract({j}, {string('$.' + json.dumps(name, ensure_ascii=False))})"


# What columns hold --------------------------------------------------------------------------------

PLACE = re.compile(r'"(?:[^"]|"")*"|\w+')  # SQL that costs nothing to say twice


def fitted(field: dict, x: str) -> str:
    """SQL for a value as a column holds it: no array is NULL, NUMERIC(p, s) and BIGNUMERIC(p, s) are rounded. It fails, in BigQuery's words, for an array
    with a NULL in it, for a NULL in a NOT NULL field, and for what is too long or too large for the parameters of its type."""
    if not has_rules(field) or PLACE.fullmatch(x):
        return fitted_inside(field, x)
    return f"list_transform([{x}], lambda w: {fitted_inside(field, 'w')})[1]"


def fitted_inside(field: dict, x: str, depth: int = 0) -> str:
    if not has_rules(field):
        return x
    kind = type_name(field)
    if repeated(field):
        e = f"f{depth}"
        items = f"list_transform({x}, lambda {e}: {fitted_inside(element(field), e, depth + 1)})" if has_rules(element(field)) else x
        why = string(f"Array cannot have a null element; error in writing field {field['name']}")
        return f"CASE WHEN list_count({x}) < len({x}) THEN {failing(why, field)} ELSE coalesce({items}, []) END"
    if kind == "RECORD":
        inner = ", ".join(f"{identifier(part['name'])} := {fitted_part(part, member(x, part), depth)}" for part in field["fields"])
        return f"CASE WHEN {x} IS NOT NULL THEN struct_pack({inner}) END"
    if kind in ("STRING", "BYTES"):
        size = f"length({x})" if kind == "STRING" else f"octet_length({x})"
        most = int(field["maxLength"])
        why = string(f"{kind}({most}) has maximum length {most} but got a value with length ")
        return f"CASE WHEN {size} > {most} THEN {failing(f'{why} || {size}', field)} ELSE {x} END"
    precision, scale = int(field["precision"]), int(field.get("scale") or 0)
    if kind == "BIGNUMERIC":
        return f"(py_blob('bignumeric.fitted', {x}, {precision}, {scale}, {field.get('roundingMode') == 'ROUND_HALF_EVEN'}) || ''::BLOB)"
    return fitted_numeric(precision, scale, x, field)


def fitted_part(part: dict, x: str, depth: int) -> str:
    """A field of a struct as a column holds it."""
    made = fitted_inside(part, x, depth)
    if part.get("mode") != "REQUIRED":
        return made
    why = string(f"Required field {part['name']} cannot be null")
    return f"CASE WHEN {x} IS NULL THEN {failing(why, part)} ELSE {made} END"


def fitted_rows(sql: str, fields: list[dict]) -> str:
    """A query's SQL with some of its columns as fitted() has them."""
    items = ", ".join(f"{fitted(field, identifier(field['name']))} AS {identifier(field['name'])}" for field in fields if has_rules(field))
    return f"SELECT * REPLACE ({items}) FROM ({sql})" if items else sql


def member(x: str, part: dict) -> str:
    return f"struct_extract({x}, {string(part['name'])})"


def fitted_numeric(precision: int, scale: int, x: str, field: dict) -> str:
    made = f"round({x}, {scale})::DECIMAL(38,9)"
    if field.get("roundingMode") == "ROUND_HALF_EVEN":
        half, unit = f"0.{'0' * scale}5", f"1e-{scale}::DECIMAL(38,9)"
        odd = f"(abs({made}) * {10 ** scale})::HUGEINT % 2 = 1"
        made = f"(CASE WHEN {scale} < 9 AND abs({made} - {x}) = {half} AND {odd} THEN {made} - sign({x})::DECIMAL(38,9) * {unit} ELSE {made} END)::DECIMAL(38,9)"
    if precision - scale >= 29:
        return made
    name = f"NUMERIC({precision}, {scale})" if scale else f"NUMERIC({precision})"
    most = "9" * (precision - scale) + ("." + "9" * scale if scale else "")
    why = string(f"{name} has precision {precision} and scale {scale} but got a value that is not in range of [-{most}, {most}]")
    return f"CASE WHEN abs({made}) >= {10 ** (precision - scale)} THEN {failing(why, field)} ELSE {made} END"


def failing(message: str, field: dict) -> str:
    """SQL that fails with a message (SQL) which the caller gets to see; see googlesql.runtime."""
    return f"CAST([NULL][CAST(chr(1) || {message} AS BIGINT)] AS {duckdb_type(field)})"


def has_rules(field: dict) -> bool:
    """Whether a field, or a part of it, is an array, or has a length or a precision that values are to be held to; or a part may not be NULL."""
    kind = type_name(field)
    return repeated(field) or kind in ("STRING", "BYTES") and "maxLength" in field or kind in ("NUMERIC", "BIGNUMERIC") and "precision" in field or any(
        part.get("mode") == "REQUIRED" or has_rules(part) for part in field.get("fields", ()))


# Sizes --------------------------------------------------------------------------------------------

def size(field: dict, x: str, depth: int = 0) -> str:
    """SQL for the logical bytes of one value by BigQuery's rules (a BIGINT, 0 for NULL).

    Source: BigQuery's "Data type sizes".
    """
    if repeated(field):
        e = _variable(depth)
        return f"coalesce(list_sum(list_transform({x}, lambda {e}: {size(element(field), e, depth + 1)})), 0)::BIGINT"
    kind = type_name(field)
    if kind == "RECORD":
        inner = " + ".join(size(part, f"{x}.{identifier(part['name'])}", depth) for part in field["fields"])
        return f"CASE WHEN {x} IS NULL THEN 0 ELSE {inner} END"
    return f"CASE WHEN {x} IS NULL THEN 0 ELSE {TYPES[kind].size.format(x=x)} END"


def sizes(fields: list[dict], columns) -> dict[str, str]:
    """Column -> SQL for the logical bytes of one value. columns: names, `a.b` for a field of one; a field of a column that is there too does not count."""
    known, wanted = {field["name"].lower(): field for field in fields}, set(columns)
    found = {}
    for name in sorted(wanted):
        first, *rest = name.split(".")
        if not any(".".join([first, *rest[:depth]]) in wanted for depth in range(len(rest))):
            field = known[first.lower()]
            found[name] = size(only(field, rest), identifier(field["name"]))
    return found


def only(field: dict, path: list[str]) -> dict:
    """A field with the one part of it that a path leads to."""
    if not path:
        return field
    return {**field, "fields": [only(part, path[1:]) for part in field["fields"] if part["name"].lower() == path[0].lower()]}


# Literals -----------------------------------------------------------------------------------------

def literal(field: dict, value) -> str:
    """A value, as REST writes it (text, or a list or dict of such), as a typed DuckDB literal."""
    kind = duckdb_type(field)
    if value is None:
        return f"NULL::{kind}"
    if repeated(field):
        return f"[{', '.join(literal(element(field), item) for item in value)}]::{kind}"
    name = type_name(field)
    if name in ("RECORD", "RANGE"):
        inner = ", ".join(f"{identifier(part['name'])} := {literal(part, value.get(part['name']))}" for part in parts(field))
        return f"struct_pack({inner})::{kind}"
    if name in ("BYTES", "JSON", "GEOGRAPHY", "BIGNUMERIC"):
        return TYPES[name].parse.format(x=string(value))
    return f"{string(str(value))}::{kind}"
