"""Functions of Python that compiled SQL calls, for what DuckDB's SQL cannot say.

`py_varchar('geography.st_astext', x)` calls a function of a module of this package, which is imported
at its first call. DuckDB has one function for each type of result, made when a connection is set up:
one made later is not seen by a transaction that runs already.
"""
from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import lru_cache

from .. import values
from ..errors import ApiError
from .runtime import PythonFailed

RESULTS = ("VARCHAR", "BLOB", "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR[]", "BIGINT[]", "DOUBLE[]")


def register(connection) -> None:
    """Make the functions; they live as long as the connection."""
    if importlib.util.find_spec("pandas") is None:
        sys.modules.setdefault("pandas", None)  # DuckDB looks for it at each call, which costs ten times the call itself
    for result in RESULTS:
        # DuckDB takes a NaN from Python for NULL, so a double comes as text.
        function, kind = (dispatch_double, "VARCHAR") if result == "DOUBLE" else (dispatch, result)
        connection.create_function(name_of(result), function, None, kind, null_handling="special")


def name_of(result: str) -> str:
    return "py_" + result.lower().replace("[]", "_list")


def call(result: str, function: str, *args: str) -> str:
    """SQL of a call. result: one of RESULTS; function: 'module.name'; args: SQL."""
    return f"{name_of(result)}({', '.join((values.string(function),) + args)})" + ("::DOUBLE" if result == "DOUBLE" else "")


def python(result: str, function: str, fresh: bool = False):
    """A rule for the table of functions: the function of Python over all arguments; fresh: of another value at each call."""
    return lambda found: call(result, function, *("{%d}" % i for i in range(len(found.args))), *["random()"] * fresh)


def takes_nulls(function):
    """Mark a function that is to see NULLs; others are NULL where an argument is."""
    function.takes_nulls = True
    return function


def dispatch(name: str, *args):
    function = lookup(name)
    if None in args and not getattr(function, "takes_nulls", False):
        return None
    try:
        return function(*args)
    except ApiError as error:
        raise PythonFailed(f"{error.reason} {error.message}") from None


def dispatch_double(name: str, *args) -> str | None:
    found = dispatch(name, *args)
    return None if found is None else repr(found)


@lru_cache(None)
def lookup(name: str):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module("." + module, __package__), attribute)
