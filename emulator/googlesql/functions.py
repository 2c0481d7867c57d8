"""The table of SQL functions: how DuckDB says each of BigQuery's.

FUNCTIONS, AGGREGATES, WINDOWS: name -> a template over its arguments ({0}, {1}), or a dict from the
first argument's type to one, or a function from the Call to one. CASTS: (from, to) -> a template.
An operator's name begins with $. A function without an entry goes to the reference evaluator.
"""
from __future__ import annotations

import json
import re

from .. import values
from . import dates, types
from .expressions import Call, NoRule
from .runtime import raised, raised_text

WHITESPACE = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(133) || chr(160) || chr(8232) || chr(8233) || chr(12288)"


def register(connection) -> None:
    """Make a connection fit for compiled SQL: UTC, so that a TIMESTAMP's text and parts are BigQuery's."""
    connection.execute("SET TimeZone='UTC'")


# Texts of values ----------------------------------------------------------------------------------

FLOAT_TEXT = ("CASE WHEN isnan({0}) THEN 'nan' WHEN isinf({0}) THEN CASE WHEN {0} > 0 THEN 'inf' ELSE '-inf' END "
              "WHEN abs({0}) >= 1e15 AND abs({0}) < 1e17 AND {0} = round({0}) AND {0}::DECIMAL(38,0) % 100 = 0 "
              "THEN regexp_replace(printf('%.16e', {0}), '[.]?0*e', 'e') "
              "ELSE regexp_replace({0}::VARCHAR, '[.]0$', '') END")
PLAIN_DECIMAL = "CASE WHEN contains({0}::VARCHAR, '.') THEN rtrim(rtrim({0}::VARCHAR, '0'), '.') ELSE {0}::VARCHAR END"
FRACTION = ("CASE WHEN microsecond({0}) % 1000000 = 0 THEN '' WHEN microsecond({0}) % 1000 = 0 THEN strftime({x}, '.%g') "
            "ELSE strftime({x}, '.%f') END")
DATETIME_TEXT = "(strftime({0}, '%Y-%m-%d %H:%M:%S') || " + FRACTION.replace("{x}", "{0}") + ")"
TIMESTAMP_TEXT = "(strftime(timezone('UTC', {0}), '%Y-%m-%d %H:%M:%S') || " + FRACTION.replace("{x}", "timezone('UTC', {0})") + " || '+00')"
TIME_TEXT = "(strftime(DATE '1970-01-01' + {0}, '%H:%M:%S') || " + FRACTION.replace("{x}", "DATE '1970-01-01' + {0}") + ")"
RANGE_TEXT = "('[' || coalesce({0}.\"start\"::VARCHAR, 'UNBOUNDED') || ', ' || coalesce({0}.\"end\"::VARCHAR, 'UNBOUNDED') || ')')"
INTERVAL_TEXT = values.INTERVAL_TEXT.replace("{x}", "{0}")


def parsed(pattern: str, value: str, *message: str) -> str:
    """The template of a cast from text: `value` where the text has the pattern, else an error with a message."""
    return f"CASE WHEN regexp_full_match({{0}}, {values.string(pattern)}) THEN {value} WHEN {{0}} IS NOT NULL THEN {raised(*message)} END"


def tried(value: str, *message: str) -> str:
    """The same, where DuckDB's TRY_CAST is the judge."""
    return f"CASE WHEN {{0}} IS NULL THEN NULL WHEN {value} IS NULL THEN {raised(*message)} ELSE {value} END"


DATE_PATTERN = r"\s*\d{1,4}-\d{1,2}-\d{1,2}"
TIME_PATTERN = r"\d{1,2}:\d{1,2}:\d{1,2}(\.\d{0,6})?"
ZONE_PATTERN = r"( ?(Z|z|UTC|[+-]\d{1,2}(:?\d\d)?)| [A-Za-z_]+/[A-Za-z_/]+)?"  # {2} would be an argument


def timed(pattern: str, value: str, *message: str) -> str:
    """A cast from text that has the pattern and is a valid date or time."""
    good = f"CASE WHEN regexp_full_match({{0}}, {values.string(pattern)}) THEN {value} END"
    return tried(good, *message)


CASTS: dict[tuple[str, str], str] = {
    ("INTEGER", "FLOAT"): "{0}::DOUBLE",
    ("INTEGER", "NUMERIC"): "{0}::DECIMAL(38,9)",
    ("INTEGER", "BIGNUMERIC"): "{0}::DECIMAL(38,18)",
    ("INTEGER", "BOOLEAN"): "({0} <> 0)",
    ("INTEGER", "STRING"): "{0}::VARCHAR",
    ("BOOLEAN", "INTEGER"): "{0}::BIGINT",
    ("BOOLEAN", "STRING"): "{0}::VARCHAR",
    ("FLOAT", "INTEGER"):
        "CASE WHEN isfinite({0}) AND abs(round({0})) < 9223372036854775808e0 THEN round({0})::BIGINT WHEN {0} IS NOT NULL THEN "
        + raised("CASE WHEN isfinite({0}) THEN 'int64 out of range: ' ELSE 'Illegal conversion of non-finite floating point number to an integer: ' END",
                 FLOAT_TEXT) + " END",
    ("FLOAT", "NUMERIC"): "{0}::DECIMAL(38,9)",
    ("FLOAT", "BIGNUMERIC"): "{0}::DECIMAL(38,18)",
    ("FLOAT", "STRING"): FLOAT_TEXT,
    ("NUMERIC", "INTEGER"): "round({0})::BIGINT",
    ("NUMERIC", "FLOAT"): "{0}::DOUBLE",
    ("NUMERIC", "BIGNUMERIC"): "{0}::DECIMAL(38,18)",
    ("NUMERIC", "STRING"): PLAIN_DECIMAL,
    ("BIGNUMERIC", "INTEGER"): "round({0})::BIGINT",
    ("BIGNUMERIC", "FLOAT"): "{0}::DOUBLE",
    ("BIGNUMERIC", "NUMERIC"): "{0}::DECIMAL(38,9)",
    ("BIGNUMERIC", "STRING"): PLAIN_DECIMAL,
    ("STRING", "INTEGER"): parsed(r"\s*([-+]?\d+|[-+]?0[xX][0-9a-fA-F]+)\s*", "{0}::BIGINT", "'Bad int64 value: '", "{0}"),
    ("STRING", "FLOAT"): tried("TRY_CAST({0} AS DOUBLE)", "'Bad double value: '", "{0}"),
    ("STRING", "BOOLEAN"): "CASE lower({0}) WHEN 'true' THEN true WHEN 'false' THEN false ELSE CASE WHEN {0} IS NOT NULL THEN "
                           + raised("'Bad bool value: '", "{0}") + " END END",
    ("STRING", "NUMERIC"): tried("TRY_CAST({0} AS DECIMAL(38,9))", "'Invalid NUMERIC value: '", "{0}"),
    ("STRING", "BIGNUMERIC"): tried("TRY_CAST({0} AS DECIMAL(38,18))", "'Invalid BIGNUMERIC value: '", "{0}"),
    ("STRING", "BYTES"): "encode({0})",
    ("STRING", "DATE"): timed(DATE_PATTERN + r"\s*([ Tt]\s*" + TIME_PATTERN + ")?", "TRY_CAST(TRY_CAST({0} AS TIMESTAMP) AS DATE)",
                              "'Invalid date: '''", "{0}", "''''"),
    ("STRING", "DATETIME"): timed(DATE_PATTERN + r"([ Tt]\s*" + TIME_PATTERN + ")?", "TRY_CAST({0} AS TIMESTAMP)",
                                  "'Invalid datetime string \"'", "{0}", "'\"'"),
    ("STRING", "TIME"): timed(TIME_PATTERN, "TRY_CAST({0} AS TIME)", "'Invalid time string \"'", "{0}", "'\"'"),
    ("STRING", "TIMESTAMP"): timed(DATE_PATTERN + r"([ Tt]\s*\d{1,2}(:\d{1,2})?(:\d{1,2}(\.\d{0,6})?)?)?" + ZONE_PATTERN, "TRY_CAST({0} AS TIMESTAMPTZ)",
                                   "'Invalid timestamp: '''", "{0}", "''''"),
    ("BYTES", "STRING"): "decode({0})",
    ("DATE", "STRING"): "{0}::VARCHAR",
    ("DATE", "DATETIME"): "{0}::TIMESTAMP",
    ("DATE", "TIMESTAMP"): "{0}::TIMESTAMPTZ",
    ("DATETIME", "STRING"): DATETIME_TEXT,
    ("DATETIME", "DATE"): "{0}::DATE",
    ("DATETIME", "TIME"): "{0}::TIME",
    ("DATETIME", "TIMESTAMP"): "timezone('UTC', {0})",
    ("TIMESTAMP", "STRING"): TIMESTAMP_TEXT,
    ("TIMESTAMP", "DATE"): "timezone('UTC', {0})::DATE",
    ("TIMESTAMP", "TIME"): "timezone('UTC', {0})::TIME",
    ("TIMESTAMP", "DATETIME"): "timezone('UTC', {0})",
    ("TIME", "STRING"): TIME_TEXT,
    ("INTERVAL", "STRING"): INTERVAL_TEXT,
    ("RANGE", "STRING"): RANGE_TEXT,
}


# Operators ----------------------------------------------------------------------------------------

def logical(word: str):
    def rule(call: Call) -> str:
        return "(" + f" {word} ".join("{%d}" % i for i in range(len(call.args))) + ")"
    return rule


def compare(operator: str):
    return lambda call: f"({{0}} {operator} {{1}})"


def divided(call: Call) -> str:
    plain = [f"regexp_replace({{{i}}}::VARCHAR, '[.]0+$', '')" for i in (0, 1)]
    zero = raised("'division by zero: '", plain[0], "' / '", plain[1])
    if call.kind == "FLOAT":
        return f"CASE WHEN {{1}} = 0 THEN {zero} ELSE {{0}} / {{1}} END"
    if call.kind == "BIGNUMERIC":
        raise NoRule("division of BIGNUMERIC")
    # In integers of 10^-9; one digit more than is kept tells how to round.
    whole = "replace({0}::VARCHAR, '.', '')::HUGEINT * 10000000000"
    by = "replace({1}::VARCHAR, '.', '')::HUGEINT"
    return (f"CASE WHEN {{1}} = 0 THEN {zero} WHEN abs({{0}}) < 1e19 THEN (({whole} // {by} + CASE WHEN ({{0}} < 0) <> ({{1}} < 0) THEN -5 ELSE 5 END) // 10)"
            "::DECIMAL(38,0)::VARCHAR::DOUBLE / 1e9 ELSE {0}::DOUBLE / {1}::DOUBLE END").replace(
        "::DECIMAL(38,0)::VARCHAR::DOUBLE / 1e9", "::DECIMAL(38,0) * 0.000000001::DECIMAL(10,9)").replace(
        "ELSE {0}::DOUBLE / {1}::DOUBLE END", "ELSE ({0}::DOUBLE / {1}::DOUBLE)::DECIMAL(38,9) END")


def casted(call: Call, i: int, kind: str) -> str:
    """An argument as another type, inside a template."""
    return CASTS[call.kinds[i], kind].replace("{0}", "{%d}" % i)


def added(sign: str):
    def rule(call: Call) -> str:
        first, second = call.kinds
        if sign == "-" and first == "DATE" and second == "DATE":
            return "to_days(({0} - {1})::INTEGER)"
        if sign == "-" and first == second and first in ("TIMESTAMP", "DATETIME"):
            return "to_microseconds(epoch_us({0}) - epoch_us({1}))"
        if first == "DATE" and second == "INTEGER":
            return f"({{0}} {sign} ({{1}})::INTEGER)"
        if second == "DATE" and first == "INTEGER":
            return f"({{1}} {sign} ({{0}})::INTEGER)"
        if call.kind in ("NUMERIC", "BIGNUMERIC"):
            return f"({{0}} {sign} {{1}})::{types.duckdb_type(call.type)}"
        return f"({{0}} {sign} {{1}})"
    return rule


def multiplied(call: Call) -> str:
    if call.kind == "NUMERIC":
        return "({0} * {1})::DECIMAL(38,9)"
    if call.kind == "BIGNUMERIC":
        raise NoRule("multiplication of BIGNUMERIC")
    return "({0} * {1})"


def case(call: Call) -> str:
    """CASE value WHEN x THEN y ... ELSE z."""
    whens = "".join(f" WHEN {{{i}}} THEN {{{i + 1}}}" for i in range(1, len(call.args) - 1, 2))
    return f"CASE {{0}}{whens}{otherwise(call, 1)} END"


def case_when(call: Call) -> str:
    whens = "".join(f" WHEN {{{i}}} THEN {{{i + 1}}}" for i in range(0, len(call.args) - 1, 2))
    return f"CASE{whens}{otherwise(call, 0)} END"


def otherwise(call: Call, before: int) -> str:
    return " ELSE {%d}" % (len(call.args) - 1) if (len(call.args) - before) % 2 else ""


def member(call: Call) -> str:
    return "({0} IN (" + ", ".join("{%d}" % i for i in range(1, len(call.args))) + "))"


def array(call: Call) -> str:
    return "[" + ", ".join("{%d}" % i for i in range(len(call.args))) + f"]::{types.duckdb_type(call.type)}"


def element_at(base: int, safe: bool):
    """array[OFFSET(i)] and its kin; an index outside is an error, or NULL where safe."""
    def rule(call: Call) -> str:
        if call.kinds[0] != "ARRAY":
            raise NoRule("a subscript of JSON" if call.kinds[0] == "JSON" else "such a subscript")
        index = "{1} + 1" if base == 0 else "{1}"
        found = f"({{0}})[{index}]"
        inside = f"{{1}} >= {base} AND {index} <= len({{0}})"
        if safe:
            return f"CASE WHEN {inside} THEN {found} END"
        failed = raised("'Array index '", "{1}::VARCHAR", f"CASE WHEN {{1}} < {base} THEN ' is out of bounds (underflow)' ELSE ' is out of bounds (overflow)' END")
        return f"CASE WHEN {inside} THEN {found} WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL ELSE {failed} END"
    return rule


def json_subscript(call: Call) -> str:
    if call.kinds[0] != "JSON":
        return element_at(0, False)(call)
    if call.kinds[1] == "INTEGER":
        return "json_extract({0}, '$[' || {1} || ']')"
    return values.json_member("{0}", call.text(1))


def like(call: Call) -> str:
    return "({0} LIKE {1} ESCAPE '\\')" if call.kinds[0] == "STRING" else no("LIKE of BYTES")


def no(construct: str):
    raise NoRule(construct)


def extreme(name: str):
    """GREATEST and LEAST: NULL if any argument is; NaN wins over numbers."""
    def rule(call: Call) -> str:
        places = ["{%d}" % i for i in range(len(call.args))]
        null = " OR ".join(f"{place} IS NULL" for place in places)
        nan = " OR ".join(f"isnan({place})" for place in places)
        nan = f"WHEN {nan} THEN 'nan'::DOUBLE " if call.kind == "FLOAT" else ""
        return f"CASE WHEN {null} THEN NULL {nan}ELSE {name}({', '.join(places)}) END"
    return rule


# Numbers ------------------------------------------------------------------------------------------

def rounded(name: str):
    """ROUND and TRUNC [to n digits]."""
    def rule(call: Call) -> str:
        kind = types.duckdb_type(call.type)
        if len(call.args) > 2:
            raise NoRule("ROUND with a mode")
        if len(call.args) == 1:
            return f"{name}({{0}})::{kind}"
        if call.kind == "FLOAT" and name == "trunc":
            return "trunc({0} * pow(10e0, {1})) / pow(10e0, {1})"
        digits = call.literal(1)
        if call.kind == "FLOAT":
            return "round({0}, ({1})::INTEGER)"
        if digits is None:
            raise NoRule(f"{call.name.upper()} of NUMERIC to a computed number of digits")
        if name == "round":
            return f"round({{0}}, {int(digits)})::{kind}"
        return f"(trunc({{0}} * 1{'0' * max(int(digits), 0)}) / 1{'0' * max(int(digits), 0)})::{kind}" if digits >= 0 else no("TRUNC of tens")
    return rule


def safe_arithmetic(operator: str):
    def rule(call: Call) -> str:
        inner = {"+": added("+"), "-": added("-"), "*": multiplied}[operator](call)
        return f"TRY({inner})"
    return rule


def domain(condition: str, value: str, message: str) -> str:
    """A value where the condition holds, else an error."""
    return f"CASE WHEN {condition} THEN {value} WHEN {{0}} IS NOT NULL THEN {raised_text(message)} END"


def logarithm(call: Call) -> str:
    if call.kind != "FLOAT":
        raise NoRule("LOG of NUMERIC")
    if len(call.args) == 1:
        return FUNCTIONS["ln"](call)
    return "CASE WHEN {0} > 0 AND {1} > 0 AND {1} <> 1 THEN ln({0}) / ln({1}) WHEN {0} + {1} IS NOT NULL THEN " \
        + raised_text("Floating point error in function: LOG") + " END"


def float_only(template: str):
    return lambda call: template if call.kind == "FLOAT" else no(f"{call.name.upper()} of NUMERIC")


def integer_division(call: Call) -> str:
    zero = raised("'division by zero: '", "{0}::VARCHAR", "' / '", "{1}::VARCHAR")
    if call.kind == "INTEGER":
        return f"CASE WHEN {{1}} = 0 THEN {zero} ELSE {{0}} // {{1}} END"
    return f"CASE WHEN {{1}} = 0 THEN {raised_text('division by zero')} ELSE trunc({{0}}::DOUBLE / {{1}}::DOUBLE)::{types.duckdb_type(call.type)} END"


def modulo(call: Call) -> str:
    zero = raised("'division by zero: MOD('", "{0}::VARCHAR", "', '", "{1}::VARCHAR", "')'")
    return f"CASE WHEN {{1}} = 0 THEN {zero} ELSE {{0}} % {{1}} END"


def shifted(call: Call) -> str:
    operator = "<<" if call.name == "$bitwise_left_shift" else ">>"
    if call.kinds[0] != "INTEGER":
        raise NoRule("a shift of BYTES")
    if operator == "<<":
        number, by = call.literal(0), call.literal(1)
        if not isinstance(number, int) or not isinstance(by, int):
            raise NoRule("<< of what is not constant")
        return f"({wrapped(number << min(by, 64))})::BIGINT"
    return "CASE WHEN {0} >= 0 THEN {0} >> least({1}, 63) ELSE " + no_negative_shift() + " END"


def wrapped(number: int) -> int:
    """An integer in 64 bits, as two's complement."""
    number &= 2**64 - 1
    return number - 2**64 if number >= 2**63 else number


def no_negative_shift() -> str:
    return raised_text("A right shift of a negative number is not supported")


# Strings ------------------------------------------------------------------------------------------

def substring(call: Call) -> str:
    start = call.literal(1)
    if call.kinds[0] == "BYTES":
        if len(call.args) == 2 and isinstance(start, int) and start > 0:
            return "({0})[{1}:]"
        if len(call.args) == 3 and isinstance(start, int) and start > 0:
            return "({0})[{1}:{1} + {2} - 1]"
        raise NoRule("SUBSTR of BYTES from such a place")
    if isinstance(start, int) and start > 0:
        place = "{1}"
    else:
        place = "CASE WHEN {1} = 0 OR {1} < -length({0}) THEN 1 WHEN {1} < 0 THEN length({0}) + {1} + 1 ELSE {1} END"
    if len(call.args) == 2:
        return f"substring({{0}}, {place})"
    length = call.literal(2)
    cut = f"substring({{0}}, {place}, {{2}})"
    if isinstance(length, int) and length >= 0:
        return cut
    return f"CASE WHEN {{2}} < 0 THEN {raised_text('Third argument in SUBSTR() cannot be negative')} ELSE {cut} END"


def trimmed(name: str):
    def rule(call: Call) -> str:
        if call.kinds[0] == "BYTES":
            raise NoRule(f"{call.name.upper()} of BYTES")
        return f"{name}({{0}}, {{1}})" if len(call.args) > 1 else f"{name}({{0}}, {WHITESPACE})"
    return rule


def padded(name: str):
    def rule(call: Call) -> str:
        if call.kinds[0] == "BYTES":
            raise NoRule(f"{call.name.upper()} of BYTES")
        pad = "{2}" if len(call.args) > 2 else "' '"
        return (f"CASE WHEN {{1}} < 0 THEN {raised_text(call.name.upper() + ' expects a non-negative length')} "
                f"ELSE {name}({{0}}, ({{1}})::INTEGER, {pad}) END")
    return rule


def concatenated(call: Call) -> str:
    return "(" + " || ".join("{%d}" % i for i in range(len(call.args))) + ")"


def split(call: Call) -> str:
    if call.kinds[0] == "BYTES":
        raise NoRule("SPLIT of BYTES")
    return "string_split({0}, {1})" if len(call.args) > 1 else "string_split({0}, ',')"


def position(call: Call) -> str:
    """INSTR(value, part [, from [, occurrence]])."""
    if len(call.args) == 2:
        return "strpos({0}, {1})"
    if len(call.args) == 3 and isinstance(call.literal(2), int) and call.literal(2) > 0:
        return "CASE WHEN strpos(substring({0}, {2}), {1}) = 0 THEN 0 ELSE strpos(substring({0}, {2}), {1}) + {2} - 1 END"
    raise NoRule("INSTR from such a place")


def groups(pattern: str) -> int:
    """The number of capturing groups in a regular expression."""
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", pattern)
    return len(re.findall(r"\((?!\?)|\(\?P?<", plain))


def group_of(call: Call) -> int:
    count = groups(call.text(1))
    if count > 1:
        from ..errors import ApiError
        raise ApiError("invalidQuery", "Regular expressions passed into extraction functions must not have more than 1 capturing group", "query")
    return count


def regexp_extract(call: Call) -> str:
    if call.kinds[0] == "BYTES":
        raise NoRule("REGEXP_EXTRACT of BYTES")
    group = group_of(call)
    if len(call.args) == 2:
        return f"CASE WHEN regexp_matches({{0}}, {{1}}) THEN regexp_extract({{0}}, {{1}}, {group}) END"
    source = "substring({0}, {2})"
    occurrence = "{3}" if len(call.args) > 3 else "1"
    return f"regexp_extract_all({source}, {{1}}, {group})[{occurrence}]"


def regexp_extract_all(call: Call) -> str:
    return f"regexp_extract_all({{0}}, {{1}}, {group_of(call)})" if call.kinds[0] == "STRING" else no("REGEXP_EXTRACT_ALL of BYTES")


def strings_only(template: str):
    """A template for STRING; the same function of BYTES has no rule."""
    return lambda call: template if call.kinds[0] == "STRING" else no(f"{call.name.upper()} of BYTES")


INITCAP = ("array_to_string(list_transform(regexp_extract_all(lower({0}), '%s'), lambda w: upper(w[1]) || w[2:]), '')"
           % r"""[\s\[\](){}/|<>!?@"^#$&~_,.:;*%+-]+|[^\s\[\](){}/|<>!?@"^#$&~_,.:;*%+-]+""".replace("'", "''"))

SPECIFIER = re.compile(r"%(?P<flags>[-+ #0']*)(?P<width>\d*)(?:\.(?P<precision>\d+))?(?P<letter>[diuoxXeEfFgGaAcspPtT%])")


def formatted(call: Call) -> str:
    """FORMAT(format, ...): each element by its own SQL; NULL in any but %t and %T makes the whole NULL."""
    pattern, pieces, at, used = call.text(0), [], 0, 1
    for found in SPECIFIER.finditer(pattern):
        if "%" in pattern[at:found.start()]:
            raise NoRule("this format of FORMAT")
        pieces.append(values.string(pattern[at:found.start()]))
        at = found.end()
        if found["letter"] == "%":
            pieces.append("'%'")
            continue
        if used >= len(call.args):
            raise NoRule("FORMAT with too few arguments")
        pieces.append(format_element(call, used, found))
        used += 1
    if "%" in pattern[at:] or used != len(call.args):
        raise NoRule("this format of FORMAT")
    pieces.append(values.string(pattern[at:]))
    return "(" + " || ".join(p for p in pieces if p != "''" or len(pieces) == 1) + ")" if any(p != "''" for p in pieces) else "''"


def format_element(call: Call, i: int, found: re.Match) -> str:
    letter, kind, x = found["letter"], call.kinds[i], "{%d}" % i
    flags, width, precision = found["flags"], found["width"], found["precision"]
    if "'" in flags or "#" in flags:
        if letter in "di" and flags == "'" and not width:
            return f"format('{{:,}}', {x})".replace("{:,}", "{:,}")
        raise NoRule("this flag of FORMAT")
    if letter in "diuxXo" and kind == "INTEGER":
        return f"printf('%{flags}{width}{letter if letter != 'i' else 'd'}', {x})"
    if letter in "fFeEgG" and kind in ("FLOAT", "NUMERIC", "BIGNUMERIC"):
        return f"printf('%{flags}{width}.{precision or 6}{letter}', {x}::DOUBLE)"
    if letter == "s" and kind == "STRING" or letter in "tT":
        text = literal_text(call, i) if letter == "T" else ("{%d}" % i if kind == "STRING" else plain_text(call, i))
        text = f"coalesce({text}, 'NULL')" if letter in "tT" else text
        if width:
            text = f"rpad({text}, greatest(length({text}), {width})::INTEGER, ' ')" if "-" in flags else f"lpad({text}, greatest(length({text}), {width})::INTEGER, ' ')"
        return text
    raise NoRule(f"the format element %{letter} for {kind}")


def plain_text(call: Call, i: int) -> str:
    """%t: a value's text, as a cast to STRING has it."""
    if (call.kinds[i], "STRING") not in CASTS or call.kinds[i] == "BYTES":
        raise NoRule(f"%t of {call.kinds[i]}")
    if call.kinds[i] == "FLOAT":
        return "CASE WHEN {%d} = trunc({%d}) AND abs({%d}) < 1e15 THEN {%d}::VARCHAR ELSE %s END" % (i, i, i, i, casted(call, i, "STRING"))
    return casted(call, i, "STRING")


def literal_text(call: Call, i: int) -> str:
    """%T: a value as GoogleSQL writes it."""
    kind = call.kinds[i]
    if kind in ("INTEGER", "BOOLEAN", "FLOAT"):
        return plain_text(call, i)
    if kind == "STRING":
        return "to_json({%d})::VARCHAR" % i
    if kind in ("DATE", "DATETIME", "TIME", "TIMESTAMP", "NUMERIC"):
        return f"('{kind} \"' || {plain_text(call, i)} || '\"')".replace('NUMERIC "\'', 'NUMERIC "\'')
    raise NoRule(f"%T of {kind}")


# JSON ---------------------------------------------------------------------------------------------

def json_path(call: Call, i: int = 1) -> str:
    """A constant JSONPath in DuckDB's form, every member quoted; $ where there is none."""
    if i >= len(call.args):
        return "'$'"
    path, result, at = call.text(i), "$", 1
    step = re.compile(r"""\.(?P<name>[^.\[\]"']+)|\.?"(?P<quoted>[^"]*)"|\.?\["(?P<double>[^"]*)"\]|\.?\['(?P<single>[^']*)'\]|\[(?P<index>\d+)\]""")
    while at < len(path):
        found = step.match(path, at)
        if not found or not path.startswith("$"):
            from ..errors import ApiError
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


def to_json(proto, x: str, depth: int = 0) -> str:
    """SQL for the JSON text of a value, NULL as null. proto: its type."""
    kind = types.kind_name(proto)
    if kind == "ARRAY":
        inner = to_json(proto.array_type.element_type, f"j{depth}", depth + 1)
        text = f"'[' || array_to_string(list_transform({x}, lambda j{depth}: {inner}), ',') || ']'"
        return f"coalesce({text}, 'null')"
    if kind == "RECORD":
        names = types.struct_names(proto)
        members = " || ',' || ".join(
            values.string(json.dumps(part.field_name, ensure_ascii=False) + ":") + " || "
            + to_json(part.field_type, f"struct_extract({x}, {values.string(name)})", depth) for name, part in zip(names, proto.struct_type.field))
        return f"CASE WHEN {x} IS NULL THEN 'null' ELSE '{{' || {members or repr('')} || '}}' END".replace("{{", "{").replace("}}", "}")
    text = JSON_TEXT.get(kind)
    if text is None:
        raise NoRule(f"TO_JSON of {kind}")
    return f"coalesce({text.replace('{0}', x)}, 'null')"


QUOTED = "'\"' || {} || '\"'"
JSON_TEXT = {
    "STRING": "to_json({0})::VARCHAR", "BOOLEAN": "{0}::VARCHAR", "JSON": "{0}::VARCHAR",
    "INTEGER": "CASE WHEN abs({0}::HUGEINT) > 9007199254740992 THEN '\"' || {0} || '\"' ELSE {0}::VARCHAR END",
    "FLOAT": "CASE WHEN isnan({0}) THEN '\"NaN\"' WHEN isinf({0}) THEN CASE WHEN {0} > 0 THEN '\"Infinity\"' ELSE '\"-Infinity\"' END "
             "ELSE regexp_replace({0}::VARCHAR, '[.]0$', '') END",
    "NUMERIC": "(" + PLAIN_DECIMAL + ")", "BIGNUMERIC": "(" + PLAIN_DECIMAL + ")",
    "BYTES": "'\"' || to_base64({0}) || '\"'", "DATE": "'\"' || {0}::VARCHAR || '\"'",
    "DATETIME": "'\"' || replace(" + DATETIME_TEXT + ", ' ', 'T') || '\"'",
    "TIMESTAMP": "'\"' || replace(replace(" + TIMESTAMP_TEXT + ", ' ', 'T'), '+00', 'Z') || '\"'",
    "TIME": "'\"' || " + TIME_TEXT + " || '\"'",
}


def to_json_string(call: Call) -> str:
    if len(call.args) > 1 and call.literal(1) not in (False, None):
        raise NoRule("TO_JSON_STRING with indents")
    return to_json(call.protos[0], "{0}")


def to_json_value(call: Call) -> str:
    if len(call.args) > 1 and call.literal(1) not in (False, None):
        raise NoRule("TO_JSON with strings for numbers")
    return f"({to_json(call.protos[0], '{0}')})::JSON"


def json_scalar(kind: str, convert: str):
    """INT64(json), STRING(json) and so on: the type must be as asked."""
    failed = raised_text(f"The provided JSON input is not {'an integer' if kind == 'BIGINT' else 'a number' if kind == 'DOUBLE' else 'a string' if kind == 'VARCHAR' else 'a boolean'}")
    return f"CASE WHEN json_type({{0}}) IN ({JSON_KINDS[kind]}) THEN {convert} WHEN {{0}} IS NOT NULL THEN {failed} END"


JSON_KINDS = {"BIGINT": "'BIGINT', 'UBIGINT'", "DOUBLE": "'BIGINT', 'UBIGINT', 'DOUBLE'", "VARCHAR": "'VARCHAR'", "BOOLEAN": "'BOOLEAN'"}


# Arrays -------------------------------------------------------------------------------------------

def generate_array(call: Call) -> str:
    step = "{2}" if len(call.args) > 2 else "1"
    if call.kinds[0] != "INTEGER":
        if call.kinds[0] == "FLOAT":
            step = "{2}" if len(call.args) > 2 else "1e0"
            count = f"floor(({{1}} - {{0}}) / {step})::BIGINT"
            return f"list_transform(generate_series(0, {count}), lambda g: {{0}} + g * {step})"
        raise NoRule("GENERATE_ARRAY of NUMERIC")
    zero = f"CASE WHEN {{2}} = 0 THEN {raised_text('Sequence step cannot be 0.')} ELSE " if len(call.args) > 2 else ""
    return f"{zero}generate_series({{0}}, {{1}}, {step})" + (" END" if zero else "")


def array_concat(call: Call) -> str:
    places = ["{%d}" % i for i in range(len(call.args))]
    null = " OR ".join(f"{place} IS NULL" for place in places)
    return f"CASE WHEN {null} THEN NULL ELSE list_concat({', '.join(places)}) END" if len(places) > 1 else "{0}"


def array_to_string(call: Call) -> str:
    if call.protos[0].array_type.element_type.type_kind != types.KINDS["STRING"]:
        raise NoRule("ARRAY_TO_STRING of BYTES")
    if len(call.args) > 2:
        return "coalesce(array_to_string(list_transform({0}, lambda a: coalesce(a, {2})), {1}), CASE WHEN {0} IS NOT NULL THEN '' END)"
    return "array_to_string({0}, {1})"


def end_of_array(name: str, place: str, word: str) -> str:
    return f"CASE WHEN len({{0}}) = 0 THEN {raised_text(f'{name} cannot get the {word} element of an empty array')} ELSE ({{0}})[{place}] END"


def range_bucket(call: Call) -> str:
    return "CASE WHEN {0} IS NOT NULL THEN len(list_filter({1}, lambda b: b <= {0})) END"


FUNCTIONS: dict[str, object] = {
    # Operators
    "$add": added("+"), "$subtract": added("-"), "$multiply": multiplied, "$divide": divided,
    "$unary_minus": "(-{0})", "$and": logical("AND"), "$or": logical("OR"), "$not": "(NOT {0})",
    "$equal": compare("="), "$not_equal": compare("<>"), "$less": compare("<"), "$less_or_equal": compare("<="),
    "$greater": compare(">"), "$greater_or_equal": compare(">="),
    "$between": "({0} BETWEEN {1} AND {2})", "$in": member, "$in_array": "CASE WHEN len({1}) = 0 OR {1} IS NULL THEN false ELSE {0} IN (SELECT unnest({1})) END",
    "$like": like, "$is_null": "({0} IS NULL)", "$is_true": "({0} IS TRUE)", "$is_false": "({0} IS FALSE)",
    "$is_distinct_from": "({0} IS DISTINCT FROM {1})", "$is_not_distinct_from": "({0} IS NOT DISTINCT FROM {1})",
    "$bitwise_and": {"INTEGER": "({0} & {1})"}, "$bitwise_or": {"INTEGER": "({0} | {1})"}, "$bitwise_xor": {"INTEGER": "xor({0}, {1})"},
    "$bitwise_not": {"INTEGER": "(~{0})"}, "$bitwise_left_shift": shifted, "$bitwise_right_shift": shifted,
    "$concat_op": concatenated, "$make_array": array,
    "$array_at_offset": element_at(0, False), "$array_at_ordinal": element_at(1, False),
    "$safe_array_at_offset": element_at(0, True), "$safe_array_at_ordinal": element_at(1, True), "$subscript": json_subscript,
    "$case_no_value": case_when, "$case_with_value": case,
    "$extract": dates.extract, "$extract_date": dates.extract, "$extract_time": dates.extract, "$extract_datetime": dates.extract,
    "$interval": lambda call: dates.interval("{0}", call.part(1)),
    # Conditions
    "if": "CASE WHEN {0} THEN {1} ELSE {2} END", "ifnull": "coalesce({0}, {1})", "nullif": "nullif({0}, {1})",
    "coalesce": lambda call: "coalesce(" + ", ".join("{%d}" % i for i in range(len(call.args))) + ")",
    "greatest": extreme("greatest"), "least": extreme("least"),
    "error": lambda call: raised("{0}"),
    # Numbers
    "abs": "abs({0})", "sign": lambda call: f"sign({{0}})::{types.duckdb_type(call.type)}",
    "is_nan": "isnan({0})", "is_inf": "isinf({0})",
    "round": rounded("round"), "trunc": rounded("trunc"),
    "ceil": lambda call: f"ceil({{0}})::{types.duckdb_type(call.type)}", "floor": lambda call: f"floor({{0}})::{types.duckdb_type(call.type)}",
    "mod": modulo, "div": integer_division,
    "safe_divide": lambda call: "CASE WHEN {1} <> 0 THEN {0} / {1} END" if call.kind == "FLOAT" else f"TRY({divided(call)})",
    "safe_add": safe_arithmetic("+"), "safe_subtract": safe_arithmetic("-"), "safe_multiply": safe_arithmetic("*"), "safe_negate": "TRY(-{0})",
    "ieee_divide": "({0} / {1})",
    "pow": float_only(domain("NOT isnan(pow({0}, {1})) OR isnan({0}) OR isnan({1})", "pow({0}, {1})", "Floating point error in function: POW")),
    "sqrt": float_only(domain("{0} >= 0 OR isnan({0})", "sqrt({0})", "Floating point error in function: SQRT")),
    "cbrt": float_only("cbrt({0})"),
    "exp": float_only(domain("{0} < 709.79 OR isinf({0}) OR isnan({0})", "exp({0})", "Floating point error in function: EXP")),
    "ln": float_only(domain("{0} > 0 OR isnan({0})", "ln({0})", "Floating point error in function: LN")),
    "log": logarithm, "log10": float_only(domain("{0} > 0 OR isnan({0})", "log10({0})", "Floating point error in function: LOG10")),
    "sin": "sin({0})", "cos": "cos({0})", "tan": "tan({0})", "asin": "asin({0})", "acos": "acos({0})", "atan": "atan({0})", "atan2": "atan2({0}, {1})",
    "sinh": "sinh({0})", "cosh": "cosh({0})", "tanh": "tanh({0})", "asinh": "asinh({0})", "acosh": "acosh({0})", "atanh": "atanh({0})",
    "cot": "cot({0})", "csc": "(1 / sin({0}))", "sec": "(1 / cos({0}))", "rand": "random()", "range_bucket": range_bucket,
    "bit_count": {"INTEGER": "bit_count({0})::BIGINT"},
    # Strings
    "concat": concatenated, "lower": strings_only("lower({0})"), "upper": strings_only("replace(upper({0}), 'ẞ', 'SS')"), "substr": substring, "substring": substring,
    "trim": trimmed("trim"), "ltrim": trimmed("ltrim"), "rtrim": trimmed("rtrim"),
    "replace": strings_only("CASE WHEN {1} = '' THEN {0} ELSE replace({0}, {1}, {2}) END"), "split": split,
    "starts_with": strings_only("starts_with({0}, {1})"), "ends_with": strings_only("ends_with({0}, {1})"),
    "strpos": strings_only("strpos({0}, {1})"), "instr": position, "lpad": padded("lpad"), "rpad": padded("rpad"),
    "repeat": strings_only(f"CASE WHEN {{1}} < 0 THEN {raised_text('Second argument in REPEAT() cannot be negative')} ELSE repeat({{0}}, {{1}}) END"),
    "reverse": strings_only("reverse({0})"), "left": strings_only("left({0}, {1})"), "right": strings_only("right({0}, {1})"),
    "length": {"STRING": "length({0})", "BYTES": "octet_length({0})"}, "char_length": "length({0})", "character_length": "length({0})",
    "byte_length": {"STRING": "strlen({0})", "BYTES": "octet_length({0})"}, "octet_length": {"STRING": "strlen({0})", "BYTES": "octet_length({0})"},
    "initcap": lambda call: INITCAP if len(call.args) == 1 else no("INITCAP with delimiters"),
    "ascii": "CASE WHEN {0} = '' THEN 0 ELSE ascii({0})::BIGINT END", "unicode": "CASE WHEN {0} = '' THEN 0 ELSE unicode({0})::BIGINT END",
    "chr": "CASE WHEN {0} = 0 THEN '' ELSE chr(({0})::INTEGER) END",
    "to_code_points": {"STRING": "list_transform(string_split({0}, ''), lambda c: unicode(c)::BIGINT)"},
    "code_points_to_string": "array_to_string(list_transform({0}, lambda c: chr(c::INTEGER)), '')",
    "translate": strings_only("translate({0}, {1}, {2})"),
    "format": formatted, "to_hex": "lower(hex({0}))", "from_hex": "unhex({0})", "to_base64": "to_base64({0})", "from_base64": "from_base64({0})",
    "safe_convert_bytes_to_string": "coalesce(TRY(decode({0})), regexp_replace({0}::VARCHAR, '(\\\\x[0-9A-F][0-9A-F])+', chr(65533), 'g'))",
    "contains_substr": lambda call: "contains(lower(nfc_normalize({0})), lower(nfc_normalize({1})))" if call.kinds[0] == "STRING" else no(f"CONTAINS_SUBSTR of {call.kinds[0]}"),
    "regexp_contains": strings_only("regexp_matches({0}, {1})"), "regexp_extract": regexp_extract, "regexp_substr": regexp_extract,
    "regexp_extract_all": regexp_extract_all, "regexp_replace": strings_only("regexp_replace({0}, {1}, {2}, 'g')"),
    "normalize": lambda call: "nfc_normalize({0})" if len(call.args) == 1 or call.literal(1) == 0 else no("NORMALIZE in this form"),
    "edit_distance": lambda call: "levenshtein({0}, {1})" if len(call.args) == 2 and call.kinds[0] == "STRING" else no("EDIT_DISTANCE with a limit"),
    "md5": "unhex(md5({0}))", "sha1": "unhex(sha1({0}))", "sha256": "unhex(sha256({0}))",
    "generate_uuid": "uuid()::VARCHAR", "session_user": lambda call: values.string(call.compiler.session_user),
    # Dates and times
    "current_date": lambda call: f"timezone({dates.zone(call, 0)}, now())::DATE", "current_timestamp": "now()",
    "current_datetime": lambda call: f"timezone({dates.zone(call, 0)}, now())", "current_time": lambda call: f"timezone({dates.zone(call, 0)}, now())::TIME",
    "date": dates.date, "datetime": dates.datetime, "time": dates.time, "timestamp": dates.timestamp,
    "date_add": dates.shift("+"), "date_sub": dates.shift("-"), "datetime_add": dates.shift("+"), "datetime_sub": dates.shift("-"),
    "timestamp_add": dates.shift("+"), "timestamp_sub": dates.shift("-"), "time_add": dates.shift("+"), "time_sub": dates.shift("-"),
    "date_diff": dates.difference, "datetime_diff": dates.difference, "timestamp_diff": dates.difference, "time_diff": dates.difference,
    "date_trunc": dates.truncate, "datetime_trunc": dates.truncate, "timestamp_trunc": dates.truncate, "time_trunc": dates.truncate,
    "last_day": dates.last_day,
    "format_date": dates.format_time, "format_datetime": dates.format_time, "format_time": dates.format_time, "format_timestamp": dates.format_time,
    "parse_date": dates.parse_time("DATE"), "parse_datetime": dates.parse_time("DATETIME"), "parse_time": dates.parse_time("TIME"),
    "parse_timestamp": dates.parse_time("TIMESTAMP"),
    "unix_date": "({0} - DATE '1970-01-01')", "date_from_unix_date": "(DATE '1970-01-01' + ({0})::INTEGER)",
    "unix_seconds": "floor(epoch_us({0}) / 1000000)::BIGINT", "unix_millis": "floor(epoch_us({0}) / 1000)::BIGINT", "unix_micros": "epoch_us({0})",
    "timestamp_seconds": "make_timestamptz({0} * 1000000)", "timestamp_millis": "make_timestamptz({0} * 1000)", "timestamp_micros": "make_timestamptz({0})",
    "string": {"TIMESTAMP": dates.text_of_timestamp, "DATE": dates.text_of_timestamp, "DATETIME": dates.text_of_timestamp, "TIME": dates.text_of_timestamp,
               "JSON": json_scalar("VARCHAR", "json_extract_string({0}, '$')")},
    "generate_date_array": dates.generate_dates, "generate_timestamp_array": dates.generate_dates,
    # Arrays
    "array_length": "len({0})", "array_concat": array_concat, "array_reverse": "list_reverse({0})", "array_to_string": array_to_string,
    "generate_array": generate_array, "array_first": end_of_array("ARRAY_FIRST", "1", "first"), "array_last": end_of_array("ARRAY_LAST", "-1", "last"),
    "array_filter": "list_filter({0}, {1})", "array_transform": "list_transform({0}, {1})",
    "array_is_distinct": "(len(list_distinct({0})) + CASE WHEN list_count({0}) < len({0}) THEN 1 ELSE 0 END = len({0}))",
    # JSON
    "json_value": json_value, "json_extract_scalar": json_value, "json_query": json_query, "json_extract": json_query,
    "json_query_array": json_array(False), "json_extract_array": json_array(False), "json_value_array": json_array(True),
    "json_extract_string_array": json_array(True), "json_type": "CASE json_type({0}) WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array' WHEN 'VARCHAR' THEN 'string' "
    "WHEN 'BOOLEAN' THEN 'boolean' WHEN 'NULL' THEN 'null' WHEN NULL THEN NULL ELSE CASE WHEN {0} IS NOT NULL THEN 'number' END END",
    "parse_json": "CASE WHEN json_valid({0}) THEN json({0}) WHEN {0} IS NOT NULL THEN " + raised("'Invalid input to PARSE_JSON: '", "{0}") + " END",
    "to_json_string": to_json_string, "to_json": to_json_value,
    "int64": json_scalar("BIGINT", "({0})::BIGINT"), "double": json_scalar("DOUBLE", "({0})::DOUBLE"), "float64": json_scalar("DOUBLE", "({0})::DOUBLE"),
    "bool": json_scalar("BOOLEAN", "({0})::BOOLEAN"),
}
for _name, _other in (("power", "pow"), ("ceiling", "ceil"), ("collate", None), ("current_user", "session_user")):
    if _other:
        FUNCTIONS[_name] = FUNCTIONS[_other]


# Aggregates ---------------------------------------------------------------------------------------

MODIFIED = "({distinct}{0}{order}){filter}{over}"


def aggregate(name: str, cast: str = ""):
    return f"{name}{MODIFIED}{cast}"


def total(call: Call) -> str:
    """SUM: DuckDB sums integers in 128 bits, BigQuery in 64."""
    return aggregate("sum", "" if call.kind == "INTERVAL" else f"::{types.duckdb_type(call.type)}")


def average(call: Call) -> str:
    if call.kind == "FLOAT":
        return aggregate("avg")
    return f"(sum{MODIFIED}::DOUBLE / nullif(count({{distinct}}{{0}}){{filter}}{{over}}, 0))::{types.duckdb_type(call.type)}"


def array_agg(call: Call) -> str:
    made = aggregate("list")
    return f"({made})[:{call.limit}]" if call.limit else made


def string_agg(call: Call) -> str:
    if call.kinds[0] != "STRING":
        raise NoRule("STRING_AGG of BYTES")
    separator = call.args[1] if len(call.args) > 1 else "','"
    if call.limit:
        kept = call.filter or " FILTER (WHERE {0} IS NOT NULL)"
        return f"array_to_string((list({{distinct}}{{0}}{{order}}){kept})[:{call.limit}], {separator})"
    return f"string_agg({{distinct}}{{0}}, {separator}{{order}}){{filter}}{{over}}"


def array_concat_agg(call: Call) -> str:
    kept = f"list({{0}}{{order}}) FILTER (WHERE {{0}} IS NOT NULL){{over}}"
    return f"flatten(({kept}){f'[:{call.limit}]' if call.limit else ''})"


def count(call: Call) -> str:
    return aggregate("count")


def pair(name: str) -> str:
    return f"{name}({{0}}, {{1}}){{over}}"


def variance(name: str):
    return lambda call: aggregate(name) if call.kind == "FLOAT" else no(f"{call.name.upper()} of NUMERIC")


def approx_quantiles(call: Call) -> str:
    if call.distinct:
        raise NoRule("APPROX_QUANTILES of DISTINCT values")
    number = call.literal(1)
    if not isinstance(number, int):
        raise NoRule("APPROX_QUANTILES of a number that is not constant")
    points = ", ".join(str(i / number) for i in range(number + 1))
    return f"quantile_disc({{0}}, [{points}]){{over}}"


def approx_top_count(call: Call) -> str:
    counted = "list_transform(map_entries(histogram({0})), lambda e: {'count': e.value::BIGINT, 'value': e.key})"
    return f"list_transform(list_reverse_sort({counted})[:{{1}}], lambda e: {{'value': e.value, 'count': e.count}})"


AGGREGATES: dict[str, object] = {
    "$count_star": "count(*){over}", "count": count, "countif": "count_if({distinct}{0}){over}::BIGINT",
    "sum": total, "avg": average, "min": aggregate("min"), "max": aggregate("max"),
    "any_value": "any_value({0}){filter}{over}", "array_agg": array_agg, "string_agg": string_agg, "array_concat_agg": array_concat_agg,
    "approx_count_distinct": "count(DISTINCT {0}){over}", "approx_quantiles": approx_quantiles,
    "logical_and": aggregate("bool_and"), "logical_or": aggregate("bool_or"),
    "bit_and": {"INTEGER": aggregate("bit_and")}, "bit_or": {"INTEGER": aggregate("bit_or")}, "bit_xor": {"INTEGER": aggregate("bit_xor")},
    "stddev": variance("stddev_samp"), "stddev_samp": variance("stddev_samp"), "stddev_pop": variance("stddev_pop"),
    "variance": variance("var_samp"), "var_samp": variance("var_samp"), "var_pop": variance("var_pop"),
    "max_by": "arg_max({0}, {1}){over}", "min_by": "arg_min({0}, {1}){over}", "approx_top_count": approx_top_count,
    "corr": pair("corr"), "covar_pop": pair("covar_pop"), "covar_samp": pair("covar_samp"),
    "percentile_cont": {"FLOAT": "quantile_cont({0}, {1}){over}"}, "percentile_disc": "quantile_disc({0}, {1}){over}",
}
HAVING_MAX, HAVING_MIN = 1, 2
HAVING: dict[tuple[str, int], str] = {
    ("any_value", HAVING_MAX): "arg_max({0}, {1})", ("any_value", HAVING_MIN): "arg_min({0}, {1})",
    ("max", HAVING_MAX): "arg_max({0}, {1})", ("min", HAVING_MIN): "arg_min({0}, {1})",
}


def neighbour(name: str):
    def rule(call: Call) -> str:
        rest = "".join(", {%d}" % i for i in range(1, len(call.args)))
        return f"{name}({{0}}{rest}{{filter}}){{over}}"
    return rule


WINDOWS: dict[str, object] = {
    "row_number": "row_number(){over}", "rank": "rank(){over}", "dense_rank": "dense_rank(){over}", "percent_rank": "percent_rank(){over}",
    "cume_dist": "cume_dist(){over}", "ntile": "ntile({0}){over}", "lead": neighbour("lead"), "lag": neighbour("lag"),
    "first_value": "first_value({0}{filter}){over}", "last_value": "last_value({0}{filter}){over}", "nth_value": "nth_value({0}, {1}{filter}){over}",
}
