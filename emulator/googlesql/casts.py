"""Casts, and the text of each type's values."""
from __future__ import annotations

from .. import values
from .expressions import Call, NoRule
from .runtime import raised

# Fifteen digits where they are enough to tell the number, else seventeen.
FLOAT_DIGITS = "CASE WHEN printf('%.15g', {0})::DOUBLE = {0} THEN printf('%.15g', {0}) ELSE printf('%.17g', {0}) END"
FLOAT_TEXT = ("CASE WHEN isnan({0}) THEN 'nan' WHEN isinf({0}) THEN CASE WHEN {0} > 0 THEN 'inf' ELSE '-inf' END "
              f"WHEN {{0}} = 0 THEN '0' ELSE {FLOAT_DIGITS} END")
PLAIN_DECIMAL = "CASE WHEN contains({0}::VARCHAR, '.') THEN rtrim(rtrim({0}::VARCHAR, '0'), '.') ELSE {0}::VARCHAR END"
FRACTION = ("CASE WHEN microsecond({0}) % 1000000 = 0 THEN '' WHEN microsecond({0}) % 1000 = 0 THEN strftime({x}, '.%g') "
            "ELSE strftime({x}, '.%f') END")
DATETIME_TEXT = "(strftime({0}, '%Y-%m-%d %H:%M:%S') || " + FRACTION.replace("{x}", "{0}") + ")"
TIMESTAMP_TEXT = "(strftime(timezone('UTC', {0}), '%Y-%m-%d %H:%M:%S') || " + FRACTION.replace("{x}", "timezone('UTC', {0})") + " || '+00')"
TIME_TEXT = "(strftime(DATE '1970-01-01' + {0}, '%H:%M:%S') || " + FRACTION.replace("{x}", "DATE '1970-01-01' + {0}") + ")"
RANGE_TEXT = "CASE WHEN {0} IS NOT NULL THEN ('[' || coalesce({0}.\"start\"::VARCHAR, 'UNBOUNDED') || ', ' || coalesce({0}.\"end\"::VARCHAR, 'UNBOUNDED') || ')') END"
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


BIGNUMERIC = "py_%s('bignumeric.%s', {0})"
CASTS: dict[tuple[str, str], str] = {
    ("INTEGER", "FLOAT"): "{0}::DOUBLE",
    ("INTEGER", "NUMERIC"): "{0}::DECIMAL(38,9)",
    ("INTEGER", "BIGNUMERIC"): BIGNUMERIC % ("blob", "from_int"),
    ("INTEGER", "BOOLEAN"): "({0} <> 0)",
    ("INTEGER", "STRING"): "{0}::VARCHAR",
    ("BOOLEAN", "INTEGER"): "{0}::BIGINT",
    ("BOOLEAN", "STRING"): "{0}::VARCHAR",
    ("FLOAT", "INTEGER"):
        "CASE WHEN isfinite({0}) AND round({0}) >= -9223372036854775808e0 AND round({0}) < 9223372036854775808e0 THEN round({0})::BIGINT WHEN {0} IS NOT NULL THEN "
        + raised("CASE WHEN isfinite({0}) THEN 'int64 out of range: ' ELSE 'Illegal conversion of non-finite floating point number to an integer: ' END",
                 FLOAT_TEXT) + " END",
    ("FLOAT", "NUMERIC"):
        "CASE WHEN abs({0}) < 1e6 THEN ({0})::DECIMAL(38,9) WHEN abs({0}) < 1e29 THEN py_varchar('bignumeric.numeric_of_double', {0})::DECIMAL(38,9) WHEN {0} IS NOT NULL THEN "
        + raised("CASE WHEN isfinite({0}) THEN 'numeric out of range: ' ELSE 'Illegal conversion of non-finite floating point number to numeric: ' END",
                 "printf('%g', {0})") + " END",
    ("FLOAT", "BIGNUMERIC"): BIGNUMERIC % ("blob", "from_double"),
    ("FLOAT", "STRING"): FLOAT_TEXT,
    ("NUMERIC", "INTEGER"): "round({0})::BIGINT",
    ("NUMERIC", "FLOAT"): "{0}::DOUBLE",
    ("NUMERIC", "BIGNUMERIC"): BIGNUMERIC % ("blob", "from_numeric"),
    ("NUMERIC", "STRING"): PLAIN_DECIMAL,
    ("BIGNUMERIC", "INTEGER"): BIGNUMERIC % ("bigint", "to_int"),
    ("BIGNUMERIC", "FLOAT"): BIGNUMERIC % ("double", "to_double") + "::DOUBLE",
    ("BIGNUMERIC", "NUMERIC"): BIGNUMERIC % ("varchar", "to_numeric") + "::DECIMAL(38,9)",
    ("BIGNUMERIC", "STRING"): BIGNUMERIC % ("varchar", "text"),
    ("STRING", "INTEGER"): parsed(r"\s*([-+]?\d+|[-+]?0[xX][0-9a-fA-F]+)\s*", "{0}::BIGINT", "'Bad int64 value: '", "{0}"),
    ("STRING", "FLOAT"): tried("TRY_CAST({0} AS DOUBLE)", "'Bad double value: '", "{0}"),
    ("STRING", "BOOLEAN"): "CASE lower({0}) WHEN 'true' THEN true WHEN 'false' THEN false ELSE CASE WHEN {0} IS NOT NULL THEN "
                           + raised("'Bad bool value: '", "{0}") + " END END",
    ("STRING", "NUMERIC"): tried("TRY_CAST({0} AS DECIMAL(38,9))", "'Invalid NUMERIC value: '", "{0}"),
    ("STRING", "BIGNUMERIC"): BIGNUMERIC % ("blob", "parse"),
    ("STRING", "BYTES"): "encode({0})",
    ("STRING", "DATE"): timed(DATE_PATTERN + r"\s*", "TRY_CAST(TRY_CAST({0} AS TIMESTAMP) AS DATE)",
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


def casted(call: Call, i: int, kind: str) -> str:
    """An argument as another type, inside a template."""
    return in_zone(call.compiler.time_zone, call.kinds[i], kind).replace("{0}", "{%d}" % i)


def in_zone(time_zone: str, source: str, target: str) -> str:
    """The template of a cast; NoRule for one in a time zone other than UTC, which is the evaluator's."""
    if time_zone != "UTC" and "TIMESTAMP" in (source, target):
        raise NoRule(f"a cast in {time_zone}")
    return CASTS[source, target]
