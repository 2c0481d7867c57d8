"""Functions of Python that compiled SQL calls, for what DuckDB's SQL cannot say.

`py_varchar('geography.st_astext', x)` calls a function of a module of this package, which is imported
at its first call. DuckDB hands over some 2,000 rows at a time, as columns of Arrow. It has one function for each type of
result, made when a connection is set up: one made later is not seen by a transaction that runs already.
"""
from __future__ import annotations

import importlib
from functools import lru_cache

from .. import values
from ..errors import ApiError
from .runtime import PythonFailed

RESULTS = {"VARCHAR": "string", "BLOB": "binary", "BIGINT": "int64", "DOUBLE": "float64", "BOOLEAN": "bool_"}  # -> Arrow's name
# DuckDB's COALESCE keeps pointers to Arrow's texts, and not the texts: what it gets is to be a copy.
COPIED = {"VARCHAR": "''", "BLOB": "''::BLOB"}
LISTS = ("VARCHAR", "BLOB", "BIGINT", "DOUBLE")


def register(connection) -> None:
    """Make the functions; they live as long as the connection."""
    for result in (*RESULTS, *(f"{item}[]" for item in LISTS)):
        connection.create_function(name_of(result), dispatcher(result), None, result, type="arrow", null_handling="special")


def name_of(result: str) -> str:
    return "py_" + result.lower().replace("[]", "_list")


def call(result: str, function: str, *args: str) -> str:
    """SQL of a call. result: one of RESULTS; function: 'module.name'; args: SQL."""
    made = f"{name_of(result)}({', '.join((values.string(function),) + args)})"
    return f"({made} || {COPIED[result]})::{result}" if result in COPIED else made  # the type, since DuckDB forgets that of a constant NULL


def python(result: str, function: str, fresh: bool = False):
    """A rule for the table of functions: the function of Python over all arguments; fresh: of another value at each call."""
    return lambda found: call(result, function, *("{%d}" % i for i in range(len(found.args))), *["random()"] * fresh)


def takes_nulls(function):
    """Mark a function that is to see NULLs; others are NULL where an argument is."""
    function.takes_nulls = True
    return function


def takes_columns(function):
    """Mark a function of lists, each an argument's values in many rows, that returns the list of its results."""
    function.takes_columns = True
    return function


def dispatcher(result: str):
    def dispatch(names, *columns):
        import pyarrow
        item = getattr(pyarrow, RESULTS[result.removesuffix("[]")])()
        kind = pyarrow.list_(item) if result.endswith("[]") else item
        if not len(names):
            return pyarrow.array([], kind)
        function = lookup(names[0].as_py())
        lists = [column.to_pylist() for column in columns]
        try:
            return pyarrow.array(function(*lists) if hasattr(function, "takes_columns") else by_row(function, lists, len(names)), kind)
        except ApiError as error:
            raise PythonFailed(f"{error.reason} {error.message}") from None
    return dispatch


def by_row(function, lists: list[list], count: int) -> list:
    rows = zip(*lists) if lists else [()] * count
    if hasattr(function, "takes_nulls"):
        return [function(*row) for row in rows]
    return [None if None in row else function(*row) for row in rows]


@lru_cache(None)
def lookup(name: str):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module("." + module, __package__), attribute)
