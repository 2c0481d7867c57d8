"""What DuckDB says when a statement fails, in BigQuery's words.

A check of our own in compiled SQL fails by a cast of its message to BIGINT. DuckDB's error() counts as
volatile, which TRY refuses; and a constant in the condition of a CASE would fail while it is planned.
"""
from __future__ import annotations

import re

from .. import values
from ..errors import ApiError


class PythonFailed(Exception):
    """An ApiError inside a function of Python, as `reason message`; DuckDB keeps but its text."""


MARK = "\x01"
MARK_SQL = "chr(1)"

TOO_COMPLEX = "Resources exceeded during query execution: Not enough resources for query planning - too many subqueries or query is too complex."
# DuckDB's message -> (reason, BigQuery's).
MESSAGES = [
    (r"Max expression depth limit", "resourcesExceeded", TOO_COMPLEX),
    (r"Could not convert string '\x01(.*)' to INT64", "invalidQuery", r"\1"),
    (r"Overflow in (?:addition|subtraction|multiplication|negation)", "invalidQuery", "Integer Overflow"),
    (r"(?:out of range|overflow).*INT64|HUGEINT.*INT64|INT128.*INT64", "invalidQuery", "Integer Overflow"),
    (r"(?:STDDEV|VAR)[^\n]* is out of range", "invalidQuery", "double overflow"),
    (r"More than one row returned by a subquery", "invalidQuery", "Scalar subquery produced more than one element"),
    (r"Could not convert string '(.*)' to INT64", "invalidQuery", r"Bad int64 value: \1"),
    (r"Could not convert string '(.*)' to DOUBLE", "invalidQuery", r"Bad double value: \1"),
    (r"Could not convert string '(.*)' to BOOL", "invalidQuery", r"Bad bool value: \1"),
    (r"Could not convert string [\"'](.*)[\"'] to DECIMAL", "invalidQuery", r"Invalid NUMERIC value: \1"),
    (r"invalid date field format: \"(.*)\"", "invalidQuery", r"Invalid date: '\1'"),
    (r"date field value out of range: \"(.*)\"", "invalidQuery", r"Invalid date: '\1'"),
    (r"invalid timestamp field format: \"(.*)\"", "invalidQuery", r"Invalid timestamp: '\1'"),
    (r"Unknown TimeZone '(.*?)'!", "invalidQuery", r"Invalid time zone: \1"),
    (r"Failure in decode", "invalidQuery", "Invalid cast of bytes to UTF8 string"),
    (r"Overflow in HUGEINT addition", "invalidQuery", "numeric overflow: SUM"),
    (r"DECIMAL|Casting value .* to type", "invalidQuery", "numeric overflow"),
    (r"Invalid Input Error: ((?:missing|invalid|unexpected|no argument|bad|trailing|duplicate)\b[^\n]*?): (.*)$", "invalidQuery",
     r"Cannot parse regular expression: \1: \2"),
    (r"Interrupt", "stopped", "Job execution was cancelled: User requested cancellation"),
    (r"[Oo]ut of [Mm]emory", "resourcesExceeded", "Resources exceeded during query execution: The query could not be executed in the allotted memory."),
]
IN_PYTHON = re.compile(r"executing the UDF: PythonFailed: (\w+) (.*?)(?:\n\nAt:\n.*)?$", re.S)
PATTERNS = [(re.compile(pattern, re.S), reason, message) for pattern, reason, message in MESSAGES]


def too_complex() -> ApiError:
    return ApiError("resourcesExceeded", TOO_COMPLEX)


def raised(*pieces: str) -> str:
    """SQL that fails with a message, for use where a value of any type is expected; pieces: SQL of its parts."""
    return f"[NULL][CAST({' || '.join((MARK_SQL,) + pieces)} AS BIGINT)]"


def raised_text(message: str) -> str:
    """SQL that fails with a fixed message."""
    return raised(values.string(message))


def runtime_error(error: Exception) -> ApiError:
    """BigQuery's error for an exception of DuckDB during execution."""
    if isinstance(error, ApiError):
        return error
    text = str(error)
    found = IN_PYTHON.search(text)
    if found:
        return ApiError(found[1], found[2], "query" if found[1] == "invalidQuery" else None)
    for pattern, reason, message in PATTERNS:
        found = pattern.search(text)
        if found:
            return ApiError(reason, found.expand(message), "query")
    kind, _, rest = text.partition(": ")
    if kind in ("Binder Error", "Parser Error", "Catalog Error", "Not implemented Error", "INTERNAL Error", "Internal Error"):
        return ApiError("notImplemented", f"The embedded BigQuery cannot run this statement yet: {rest.splitlines()[0] if rest else text}")
    return ApiError("invalidQuery", rest.splitlines()[0] if rest else text, "query")
