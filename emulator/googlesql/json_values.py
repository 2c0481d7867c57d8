"""JSON: paths into it, and values to and from it, as templates of DuckDB SQL."""
from __future__ import annotations

import json
import re

from .. import values
from ..errors import ApiError
from . import types
from .casts import CASTS, DATETIME_TEXT, FLOAT_DIGITS, PLAIN_DECIMAL, TIME_TEXT, TIMESTAMP_TEXT
from .expressions import Call, NoRule
from .runtime import raised_text


def json_path(call: Call, i: int = 1) -> str:
    """A constant JSONPath in DuckDB's form, every member quoted; $ where there is none."""
    if i >= len(call.args):
        return "'$'"
    path, result, at = call.text(i), "$", 1
    if not path.startswith("$"):
        raise ApiError("invalidQuery", "JSONPath must start with '$'", "query")
    step = re.compile(r"""\.(?P<name>[^.\[\]"']+)|\.?"(?P<quoted>[^"]*)"|\.?\["(?P<double>[^"]*)"\]|\.?\['(?P<single>[^']*)'\]|\[(?P<index>\d+)\]""")
    while at < len(path):
        found = step.match(path, at)
        if not found:
            raise ApiError("invalidQuery", f"Invalid token in JSONPath at: {path[at:]}", "query")
        at = found.end()
        name = next((found[key] for key in ("name", "quoted", "double", "single") if found[key] is not None), None)
        result += f"[{found['index']}]" if name is None else '."' + name + '"'
    return values.string(result)


def json_source(call: Call) -> str:
    """The JSON argument; a text that is no JSON is NULL."""
    return "{0}" if call.kinds[0] == "JSON" else "CASE WHEN json_valid({0}) THEN {0}::JSON END"


def json_value(call: Call) -> str:
    source, path = json_source(call), json_path(call)
    return f"CASE WHEN json_type({source}, {path}) NOT IN ('OBJECT', 'ARRAY', 'NULL') THEN json_extract_string({source}, {path}) END"


def json_query(call: Call) -> str:
    found = f"json_extract({json_source(call)}, {json_path(call)})"
    return found if call.kind == "JSON" else f"nullif({found}::VARCHAR, 'null')"


def json_array(scalar: bool):
    def rule(call: Call) -> str:
        source, path = json_source(call), json_path(call)
        items = f"(json_extract({source}, {path}))::JSON[]"
        if scalar:
            items = f"list_transform({items}, lambda j: json_extract_string(j, '$'))"
        elif call.kinds[0] != "JSON":
            items = f"list_transform({items}, lambda j: j::VARCHAR)"
        return f"CASE WHEN json_type({source}, {path}) = 'ARRAY' THEN {items} END"
    return rule


def to_json(proto, x: str, wide: dict, depth: int = 0) -> str:
    """SQL for the JSON text of a value, NULL as null. proto: its type; wide: the texts of numbers that not all readers of JSON can hold."""
    kind = types.kind_name(proto)
    if kind == "ARRAY":
        inner = to_json(proto.array_type.element_type, f"j{depth}", wide, depth + 1)
        text = f"'[' || array_to_string(list_transform({x}, lambda j{depth}: {inner}), ',') || ']'"
        return f"coalesce({text}, 'null')"
    if kind == "RECORD":
        names = types.struct_names(proto)
        members = " || ',' || ".join(
            values.string(json.dumps(part.field_name, ensure_ascii=False) + ":") + " || "
            + to_json(part.field_type, f"struct_extract({x}, {values.string(name)})", wide, depth) for name, part in zip(names, proto.struct_type.field))
        return f"CASE WHEN {x} IS NULL THEN 'null' ELSE '{{' || {members or repr('')} || '}}' END".replace("{{", "{").replace("}}", "}")
    text = (wide or JSON_TEXT).get(kind) or JSON_TEXT.get(kind)
    if text is None:
        raise NoRule(f"TO_JSON of {kind}")
    return f"coalesce({text.replace('{0}', x)}, 'null')"


JSON_TEXT = {
    "STRING": "to_json({0})::VARCHAR", "BOOLEAN": "{0}::VARCHAR", "JSON": "{0}::VARCHAR",
    "INTEGER": "{0}::VARCHAR",
    "FLOAT": "CASE WHEN isnan({0}) THEN '\"NaN\"' WHEN isinf({0}) THEN CASE WHEN {0} > 0 THEN '\"Infinity\"' ELSE '\"-Infinity\"' END "
             f"ELSE {FLOAT_DIGITS} END",
    "NUMERIC": "(" + PLAIN_DECIMAL + ")", "BIGNUMERIC": CASTS["BIGNUMERIC", "STRING"],
    "BYTES": "'\"' || to_base64({0}) || '\"'", "DATE": "'\"' || {0}::VARCHAR || '\"'",
    "DATETIME": "'\"' || replace(" + DATETIME_TEXT + ", ' ', 'T') || '\"'",
    "TIMESTAMP": "'\"' || replace(replace(" + TIMESTAMP_TEXT + ", ' ', 'T'), '+00', 'Z') || '\"'",
    "TIME": "'\"' || " + TIME_TEXT + " || '\"'",
}


# TO_JSON_STRING quotes a number that a double does not hold, or that is a decimal fraction.
QUOTED = {
    "INTEGER": "CASE WHEN abs({0}::HUGEINT) > 9007199254740992 THEN '\"' || {0} || '\"' ELSE {0}::VARCHAR END",
    "NUMERIC": f"CASE WHEN {{0}} = trunc({{0}}) AND abs({{0}}) <= 9007199254740992 THEN {PLAIN_DECIMAL} ELSE '\"' || {PLAIN_DECIMAL} || '\"' END",
    "BIGNUMERIC": "list_transform([%s], lambda t: CASE WHEN contains(t, '.') OR length(t) > 15 THEN '\"' || t || '\"' ELSE t END)[1]" % CASTS["BIGNUMERIC", "STRING"],
}


def to_json_string(call: Call) -> str:
    if len(call.args) > 1 and call.literal(1) not in (False, None):
        raise NoRule("TO_JSON_STRING with indents")
    return to_json(call.protos[0], "{0}", QUOTED)


def to_json_value(call: Call) -> str:
    if len(call.args) > 1 and call.literal(1) not in (False, None):
        raise NoRule("TO_JSON with strings for numbers")
    return f"({to_json(call.protos[0], '{0}', {})})::JSON"


def json_scalar(kind: str, convert: str):
    """INT64(json), STRING(json) and so on: the type must be as asked."""
    failed = raised_text(f"The provided JSON input is not {'an integer' if kind == 'BIGINT' else 'a number' if kind == 'DOUBLE' else 'a string' if kind == 'VARCHAR' else 'a boolean'}")
    return f"CASE WHEN json_type({{0}}) IN ({JSON_KINDS[kind]}) THEN {convert} WHEN {{0}} IS NOT NULL THEN {failed} END"


JSON_KINDS = {"BIGINT": "'BIGINT', 'UBIGINT'", "DOUBLE": "'BIGINT', 'UBIGINT', 'DOUBLE'", "VARCHAR": "'VARCHAR'", "BOOLEAN": "'BOOLEAN'"}
