"""One row per type: both ways of JSON, sizes, literals, through DuckDB."""
import json

import duckdb
import pytest

from emulator import values
from emulator.googlesql import register
from emulator.errors import ApiError

# type -> (a value as insertAll may send it, as an answer prints it, its logical bytes)
CASES = {
    "STRING": ('é"\n', 'é"\n', 2 + 4),
    "BYTES": ("YWJj", "YWJj", 2 + 3),
    "INTEGER": (-5, "-5", 8),
    "FLOAT": (1.5, "1.5", 8),
    "BOOLEAN": (True, "true", 1),
    "NUMERIC": ("1.250", "1.25", 16),
    "BIGNUMERIC": ("578960446186580977117854925043439539266.34992332820282019728792003956564819967", "578960446186580977117854925043439539266.34992332820282019728792003956564819967", 32),
    "DATE": ("0001-01-02", "0001-01-02", 8),
    "TIME": ("12:30:00.5", "12:30:00.500000", 8),
    "DATETIME": ("2020-01-02 03:04:05", "2020-01-02T03:04:05", 8),
    "TIMESTAMP": ("2020-01-01T00:00:00Z", "1577836800000000", 8),
    "JSON": ('{"a": [1, 2]}', '{"a":[1,2]}', 11),
    "GEOGRAPHY": ("POINT(1 2)", "POINT(1 2)", 16 + 24),
    "INTERVAL": ("1 year 2 months 3 days 04:05:06.5", "1-2 3 4:5:6.500", 16),
    "RANGE": ({"start": "2020-01-01", "end": None}, "[2020-01-01, UNBOUNDED)", 16),
    "RECORD": ({"x": "1"}, {"f": [{"v": "1"}]}, 8),
}


@pytest.fixture(scope="module")
def duck():
    connection = duckdb.connect()
    register(connection)
    return connection


def field(kind: str, mode: str = "NULLABLE", name: str = "the column") -> dict:
    extra = {"RECORD": {"fields": [{"name": "x", "type": "INTEGER"}]}, "RANGE": {"rangeElementType": {"type": "DATE"}}}.get(kind, {})
    return {"name": name, "type": kind, "mode": mode, **extra}


def through(duck, column: dict, given) -> tuple:
    """A value through DuckDB: (as an answer prints it, its size)."""
    name = values.identifier(column["name"])
    value = values.from_json(column, values.json_member("j", column["name"]))
    row, size = duck.execute(f"SELECT {values.row_json([column])}, {values.size(column, name)} FROM (SELECT {value} AS {name} FROM (SELECT ?::JSON AS j))",
                             [json.dumps({column["name"]: given})]).fetchone()
    return json.loads(row)["f"][0]["v"], size


def test_every_type_has_a_case():
    assert CASES.keys() == values.TYPES.keys()


@pytest.mark.parametrize("kind", CASES)
def test_values_go_in_and_out(duck, kind):
    given, shown, size = CASES[kind]
    assert through(duck, field(kind), given) == (shown, size)
    assert through(duck, field(kind), None) == (None, 0)
    assert through(duck, field(kind, "REPEATED"), [given, given]) == ([{"v": shown}, {"v": shown}], 2 * size)
    assert through(duck, field(kind, "REPEATED"), None) == ([], 0)


@pytest.mark.parametrize("kind", CASES)
def test_the_lake_type_is_what_values_have(duck, kind):
    given = values.from_json(field(kind), "j")
    (found,) = duck.execute(f"SELECT typeof({given}) FROM (SELECT ?::JSON AS j)", [json.dumps(CASES[kind][0])]).fetchone()
    (wanted,) = duck.execute(f"SELECT typeof(NULL::{values.duckdb_type(field(kind))})").fetchone()
    assert found == wanted


@pytest.mark.parametrize("kind", sorted(CASES.keys() - {"RANGE", "RECORD", "INTERVAL"}))
def test_literals(duck, kind):
    given, shown, _ = CASES[kind]
    text = json.dumps(given).strip('"') if not isinstance(given, str) else given
    column = {**field(kind), "name": "x"}
    (row,) = duck.execute(f"SELECT {values.row_json([column])} FROM (SELECT {values.literal(column, text)} AS x)").fetchone()
    assert json.loads(row)["f"][0]["v"] == shown


def test_numbers_for_timestamps_are_seconds(duck):
    assert through(duck, field("TIMESTAMP"), 1600000000.123456)[0] == "1600000000123456"


def test_timestamps_as_floats_where_the_client_wants_them(duck):
    (row,) = duck.execute(f"SELECT {values.row_json([field('TIMESTAMP', name='t')], int64_timestamps=False)} "
                          "FROM (SELECT TIMESTAMPTZ '2020-01-01 00:00:00.5+00' AS t)").fetchone()
    assert json.loads(row) == {"f": [{"v": "1577836800.5"}]}


@pytest.mark.parametrize("given, shown", [("NaN", "NaN"), ("Infinity", "Infinity"), ("-Infinity", "-Infinity"), (1e20, "1e+20")])
def test_special_floats(duck, given, shown):
    assert through(duck, field("FLOAT"), given)[0] == shown


def test_aliases_and_unknown_types():
    assert values.type_name({"type": "int64"}) == "INTEGER" and values.type_name({"type": "STRUCT"}) == "RECORD"
    with pytest.raises(ApiError, match="HUGE is not a valid value"):
        values.type_name({"type": "HUGE"})
