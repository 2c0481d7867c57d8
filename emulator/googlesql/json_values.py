"""JSON: paths into it, and values to and from it, as templates of DuckDB SQL."""
from __future__ import annotations

import json
import re

from .. import values
from ..errors import ApiError
from . import python_functions, types
from .casts import CASTS, DATETIME_TEXT, FLOAT_DIGITS, PLAIN_DECIMAL, TIME_TEXT, TIMESTAMP_TEXT
from .expressions import Call, NoRule
from .runtime import raised_text


# A step of a JSONPath: the names of the standard functions may stand in double quotes, those of JSON_EXTRACT in single ones in brackets.
STEPS = {quoted: re.compile(r"""\.(?P<name>[^.\[\]"'@*]+)|\[\s*(?P<index>-?\d+)\s*\]|""" + quoted)
         for quoted in (r"""\."(?P<quoted>(?:[^"\\]|\\.)*)\"""", r"""\['(?P<quoted>(?:[^'\\]|\\.)*)'\]|\[(?P<bare>[^\[\]'"*@.\d-][^\[\]'"*@.]*)\]|\.$""")}
STANDARD, LEGACY = STEPS.values()
NOWHERE = 2**62  # an index that no array has: to BigQuery a negative one is that, to DuckDB it counts from the end


def json_path(call: Call, i: int = 1) -> str:
    """A constant JSONPath in DuckDB's form, every member quoted; $ where there is none."""
    if i >= len(call.args):
        return "'$'"
    path, result, at = call.text(i), "$", 1
    if not path.startswith("$"):
        raise ApiError("invalidQuery", "JSONPath must start with '$'", "query")
    step = LEGACY if call.name.startswith("json_extract") else STANDARD
    while at < len(path):
        found = step.match(path, at)
        if not found:
            operator = re.match(r"\.?(\.\.|\.?@|\[?\*)", path[at:])
            raise ApiError("invalidQuery", f"Unsupported operator in JSONPath: {operator[1].strip('[')}" if operator and ".." not in path[at:at + 1]
                           else f"Invalid token in JSONPath at: {path[at:]}", "query")
        at = found.end()
        if found[0] == ".":
            continue
        name = next((text for key, text in found.groupdict().items() if key != "index" and text is not None), None)
        if name is None:
            result += f"[{NOWHERE if found['index'].startswith('-') else found['index']}]"
        else:
            result += '."' + name + '"'
    return values.string(result)


def json_source(call: Call) -> str:
    """The JSON argument; a text that is no JSON is NULL."""
    return "{0}" if call.kinds[0] == "JSON" else "CASE WHEN json_valid({0}) THEN {0}::JSON END"


# Numbers of a text that DuckDB writes in another way than the text does; what may be the begin of a JSON text that is cut off.
UNUSUAL_NUMBER = values.string(r"\.\d*0(\D|$)|\d[eE][-+\d]|[\d.]{17,}|-0")
BEGUN = values.string(r"^\s*[\[{\d\"-]")


def as_written(call: Call, template: str, function: str, result: str = "VARCHAR") -> str:
    """A part of the JSON argument. Of a text it is the part as it stands there: function: of json_texts, for texts with numbers that
    DuckDB would write anew."""
    if call.kinds[0] == "JSON":
        return template
    python = python_functions.call(result, f"json_texts.{function}", "{0}", json_path(call))
    return (f"CASE WHEN NOT json_valid({{0}}) THEN CASE WHEN regexp_matches({{0}}, {BEGUN}) THEN {call.edge()} END "
            f"WHEN regexp_matches({{0}}, {UNUSUAL_NUMBER}) THEN {python} ELSE {template} END")


def json_value(call: Call) -> str:
    source, path = json_source(call), json_path(call)
    found = f"CASE WHEN json_type({source}, {path}) NOT IN ('OBJECT', 'ARRAY', 'NULL') THEN json_extract_string({source}, {path}) END"
    return as_written(call, found, "value")


def json_query(call: Call) -> str:
    if call.kind == "JSON" and len(call.args) > 1 and re.match("lax |recursive ", call.text(1).lower()):
        raise NoRule("JSON_QUERY in lax mode")
    found = f"json_extract({json_source(call)}, {json_path(call)})"
    return found if call.kind == "JSON" else as_written(call, f"nullif({found}::VARCHAR, 'null')", "query")


def json_array(scalar: bool):
    def rule(call: Call) -> str:
        source, path = json_source(call), json_path(call)
        items = f"(json_extract({source}, {path}))::JSON[]"
        if scalar:
            nested = f"len(list_filter({items}, lambda j: json_type(j) IN ('OBJECT', 'ARRAY'))) > 0"
            items = f"CASE WHEN NOT {nested} THEN list_transform({items}, lambda j: json_extract_string(j, '$')) END"
        elif call.kinds[0] != "JSON":
            items = f"list_transform({items}, lambda j: j::VARCHAR)"
        return as_written(call, f"CASE WHEN json_type({source}, {path}) = 'ARRAY' THEN {items} END", "value_array" if scalar else "query_array", "VARCHAR[]")
    return rule


# Of values of these types no number has to be rounded to be one of JSON.
PLAIN = {"STRING", "INTEGER", "FLOAT", "BOOLEAN", "JSON"}


def json_member_text(call: Call, i: int) -> str:
    """SQL of an argument as the JSON text of a member."""
    proto = call.protos[i]
    if types.kind_name(proto.array_type.element_type if call.kinds[i] == "ARRAY" else proto) not in PLAIN:
        raise NoRule(f"JSON of {types.sql_name(proto)}")
    return to_json(proto, "{%d}" % i, VALUES)


def edit_path(call: Call, i: int) -> str:
    path = json_path(call, i)
    if "\\" in path or str(NOWHERE) in path:
        raise NoRule(f"{call.name.upper()} with such a path")
    return path


def edited(call: Call, *arguments: str) -> str:
    made = python_functions.call("VARCHAR", f"json_edits.{call.name}", "({0})::VARCHAR", *arguments)
    return f"({made})::JSON"


def flag(call: Call, i: int) -> bool:
    """A constant BOOL."""
    value = call.literal(i)
    if not isinstance(value, bool):
        raise NoRule(f"{call.name.upper()} with an option that is not constant")
    return value


def json_edit(call: Call) -> str:
    """JSON_SET, JSON_ARRAY_APPEND, JSON_ARRAY_INSERT(json, path, value, ... [, option])."""
    option, inserts = flag(call, len(call.args) - 1), call.name == "json_array_insert"
    places = range(1, len(call.args) - 1, 2)
    paths = [edit_path(call, i) for i in places]
    if inserts and not all(path.endswith("]'") for path in paths):
        raise NoRule("JSON_ARRAY_INSERT at what is no element")
    each = values.string("".join("y" if option and call.kinds[i + 1] == "ARRAY" else "n" for i in places))
    arguments = [item for path, i in zip(paths, places) for item in (path, json_member_text(call, i + 1))]
    return edited(call, str(option) if call.name == "json_set" else each, *arguments)


def json_remove(call: Call) -> str:
    paths = [edit_path(call, i) for i in range(1, len(call.args))]
    if "'$'" in paths:
        raise NoRule("JSON_REMOVE of the whole")
    return edited(call, *paths)


def json_strip_nulls(call: Call) -> str:
    return edited(call, edit_path(call, 1), str(flag(call, 2)), str(flag(call, 3)))


def json_array_of(call: Call) -> str:
    """JSON_ARRAY(value, ...)."""
    items = " || ',' || ".join(json_member_text(call, i) for i in range(len(call.args)))
    return f"('[' || {items or repr('')} || ']')::JSON"


def json_object_of(call: Call) -> str:
    """JSON_OBJECT(name, value, ...) of constant names."""
    names = [call.text(i) for i in range(0, len(call.args), 2)]
    if len(set(names)) < len(names) or any("{" in name for name in names):
        raise NoRule("JSON_OBJECT with such names")
    members = " || ',' || ".join(f"{values.string(json.dumps(name, ensure_ascii=False) + ':')} || {json_member_text(call, 2 * place + 1)}"
                                 for name, place in sorted((name, place) for place, name in enumerate(names)))
    return f"('{{' || {members or repr('')} || '}}')::JSON"


def parse_json(call: Call) -> str:
    mode = call.literal(1) if len(call.args) > 1 else "exact"
    if mode not in ("exact", "round"):
        raise NoRule("PARSE_JSON with such a wide_number_mode")
    form = python_functions.call("VARCHAR", "json_texts.canonical" if mode == "exact" else "json_texts.rounded", "{0}")
    return (f"CASE WHEN NOT json_valid({{0}}) THEN {call.edge()} "
            f"WHEN regexp_matches({{0}}, {values.UNUSUAL_JSON}) THEN coalesce({form}::JSON, {call.edge()}) ELSE json({{0}}) END")


def to_json(proto, x: str, numbers: dict, depth: int = 0) -> str:
    """SQL for the JSON text of a value, NULL as null. proto: its type; numbers: their texts, QUOTED or VALUES."""
    kind = types.kind_name(proto)
    if kind == "ARRAY":
        inner = to_json(proto.array_type.element_type, f"j{depth}", numbers, depth + 1)
        text = f"'[' || array_to_string(list_transform({x}, lambda j{depth}: {inner}), ',') || ']'"
        return f"coalesce({text}, 'null')"
    if kind == "RECORD":
        parts = list(zip(types.struct_names(proto), proto.struct_type.field))
        if numbers is VALUES:  # a JSON value has its members by name, and each once
            parts = sorted({part.field_name: (name, part) for name, part in reversed(parts)}.values(), key=lambda pair: pair[1].field_name.encode())
        members = " || ',' || ".join(
            values.string(json.dumps(part.field_name, ensure_ascii=False) + ":") + " || "
            + to_json(part.field_type, f"struct_extract({x}, {values.string(name)})", numbers, depth) for name, part in parts)
        return f"CASE WHEN {x} IS NULL THEN 'null' ELSE '{{' || {members or repr('')} || '}}' END".replace("{{", "{").replace("}}", "}")
    text = numbers.get(kind) or JSON_TEXT.get(kind)
    if text is None:
        raise NoRule(f"TO_JSON of {kind}")
    return f"coalesce({text.replace('{0}', x)}, 'null')"


JSON_TEXT = {
    "STRING": "to_json({0})::VARCHAR", "BOOLEAN": "{0}::VARCHAR", "JSON": "{0}::VARCHAR",
    "INTEGER": "{0}::VARCHAR",
    "FLOAT": "CASE WHEN isnan({0}) THEN '\"NaN\"' WHEN isinf({0}) THEN CASE WHEN {0} > 0 THEN '\"Infinity\"' ELSE '\"-Infinity\"' END "
             f"WHEN {{0}} = 0 THEN '0' ELSE {FLOAT_DIGITS} END",
    "NUMERIC": "(" + PLAIN_DECIMAL + ")", "BIGNUMERIC": CASTS["BIGNUMERIC", "STRING"],
    "BYTES": "'\"' || to_base64({0}) || '\"'", "DATE": "'\"' || {0}::VARCHAR || '\"'",
    "DATETIME": "'\"' || replace(" + DATETIME_TEXT + ", ' ', 'T') || '\"'",
    "TIMESTAMP": "'\"' || replace(replace(" + TIMESTAMP_TEXT + ", ' ', 'T'), '+00', 'Z') || '\"'",
    "TIME": "'\"' || " + TIME_TEXT + " || '\"'", "GEOGRAPHY": "'\"' || " + values.GEOGRAPHY_TEXT.format(x="{0}") + " || '\"'",
}


# TO_JSON_STRING quotes a number that a double does not hold, or that is a decimal fraction.
QUOTED = {
    "INTEGER": "CASE WHEN abs({0}::HUGEINT) > 9007199254740992 THEN '\"' || {0} || '\"' ELSE {0}::VARCHAR END",
    "NUMERIC": f"CASE WHEN {{0}} = trunc({{0}}) AND abs({{0}}) <= 9007199254740992 THEN {PLAIN_DECIMAL} ELSE '\"' || {PLAIN_DECIMAL} || '\"' END",
    "BIGNUMERIC": "list_transform([%s], lambda t: CASE WHEN contains(t, '.') OR length(t) > 15 THEN '\"' || t || '\"' ELSE t END)[1]" % CASTS["BIGNUMERIC", "STRING"],
}


# The numbers of a JSON value: integers of 64 bits, else doubles in their shortest form.
WIDE = "CASE WHEN abs({0}) >= 1e15 AND abs({0}) < 1e16 THEN " + python_functions.call("VARCHAR", "json_texts.number", "{0}::VARCHAR") + " ELSE {0}::VARCHAR END"
SMALLEST, LARGEST = -2**63, 2**64 - 1
VALUES = {
    "FLOAT": "CASE WHEN isnan({0}) THEN '\"NaN\"' WHEN isinf({0}) THEN CASE WHEN {0} > 0 THEN '\"Infinity\"' ELSE '\"-Infinity\"' END "
             "WHEN {0} = 0 THEN '0.0' ELSE " + WIDE + " END",
    "NUMERIC": f"CASE WHEN {{0}} = trunc({{0}}) AND {{0}} BETWEEN {SMALLEST} AND {LARGEST} THEN {PLAIN_DECIMAL} ELSE {WIDE.replace('{0}', '({0}::DOUBLE)')} END",
    "BIGNUMERIC": "list_transform([%s], lambda t: CASE WHEN contains(t, '.') OR length(t) > 18 THEN %s ELSE t END)[1]" % (
        CASTS["BIGNUMERIC", "STRING"], WIDE.replace("{0}", "(t::DOUBLE)")),
}


def to_json_string(call: Call) -> str:
    if len(call.args) > 1 and call.literal(1) not in (False, None):
        raise NoRule("TO_JSON_STRING with indents")
    return to_json(call.protos[0], "{0}", QUOTED)


def to_json_value(call: Call) -> str:
    if len(call.args) > 1 and call.literal(1) not in (False, None):
        raise NoRule("TO_JSON with strings for numbers")
    return f"({to_json(call.protos[0], '{0}', VALUES)})::JSON"


def json_scalar(kind: str, convert: str):
    """INT64(json), STRING(json) and so on: the type must be as asked."""
    failed = raised_text(f"The provided JSON input is not {'an integer' if kind == 'BIGINT' else 'a number' if kind == 'DOUBLE' else 'a string' if kind == 'VARCHAR' else 'a boolean'}")
    return f"CASE WHEN json_type({{0}}) IN ({JSON_KINDS[kind]}) THEN {convert} WHEN {{0}} IS NOT NULL THEN {failed} END"


JSON_KINDS = {"BIGINT": "'BIGINT', 'UBIGINT'", "DOUBLE": "'BIGINT', 'UBIGINT', 'DOUBLE'", "VARCHAR": "'VARCHAR'", "BOOLEAN": "'BOOLEAN'"}
