"""What the tests of GoogleSQL share: one analyzer for the session, and tables in a DuckDB of their own."""
import json
import os
from pathlib import Path

import duckdb
import pytest

from emulator import values
from emulator.errors import ApiError
from emulator.googlesql import GoogleSQL, register, runtime_error

CACHE = Path(os.environ.get("BIGQUERY_LAB_CACHE") or Path(__file__).parents[1] / ".cache")


class MemoryTable:
    """A table of the catalog that is a table of a DuckDB in memory."""

    def __init__(self, name, fields=(), view=None):
        self.name, self.fields, self.view = name, list(fields), view
        self.key = (name, json.dumps(self.fields), view)
        self.moments = []

    def relation(self, at=None):
        self.moments.append(at)
        return f'"{self.name}"'


class World:
    """A few tables, and queries over them."""

    project, dataset = "p", "d"

    def __init__(self, sql):
        self.sql = sql
        self.connection = duckdb.connect()
        register(self.connection)
        self.tables = {}

    def table(self, name, fields, rows=""):
        """fields: 'id INTEGER, tags STRING REPEATED' or REST fields; rows: DuckDB VALUES."""
        if isinstance(fields, str):
            fields = [dict(zip(("name", "type", "mode"), part.split())) for part in fields.split(", ")]
        columns = ", ".join(f"{values.identifier(f['name'])} {values.duckdb_type(f)}" for f in fields)
        self.connection.execute(f'CREATE TABLE "{name}" ({columns})')
        if rows:
            self.connection.execute(f'INSERT INTO "{name}" VALUES {rows}')
        self.tables[name] = MemoryTable(name, fields)
        return self.tables[name]

    def view(self, name, text, fields):
        self.tables[name] = MemoryTable(name, [dict(zip(("name", "type"), part.split())) for part in fields.split(", ")], text)

    def resolve(self, path):
        if path[:2] != (self.project, self.dataset) or path[2] not in self.tables:
            raise ApiError("notFound", f"Not found: Table {path[0]}:{'.'.join(path[1:])} was not found in location US")
        return self.tables[path[2]]

    def prepare(self, text, **options):
        return self.sql.prepare(text, self.resolve, **({"default_project": self.project, "default_dataset": self.dataset} | options))

    def rows(self, text, **options):
        """The rows of a query, as tuples; ApiError for what goes wrong at any stage."""
        statement = self.prepare(text, **options)
        analyzed = statement.tree.SerializeToString()
        compiled = statement.compile(self.connection.cursor())
        assert statement.tree.SerializeToString() == analyzed  # it is kept, for whoever sends the text again
        return self.execute(compiled)

    def execute(self, compiled):
        try:
            return self.connection.cursor().execute(compiled).fetchall()
        except duckdb.Error as error:
            raise runtime_error(error) from error

    def value(self, expression, **options):
        return self.rows(f"SELECT {expression} AS x", **options)[0][0]


@pytest.fixture(scope="session")
def sql():
    return GoogleSQL(CACHE)


@pytest.fixture(scope="session")
def world(sql):
    world = World(sql)
    world.table("people", "id INTEGER, name STRING, born DATE, tags STRING REPEATED, score FLOAT",
                "(1, 'Ann', '1990-05-01', ['a', 'b'], 1.5), (2, 'Bob', '1985-01-31', [], NULL), (3, NULL, NULL, ['c'], -2.0)")
    world.table("orders", "id INTEGER, person INTEGER, total NUMERIC",
                "(10, 1, 5.25), (11, 1, 7), (12, 2, 0.5), (13, 9, 100)")
    return world
