"""Expressions without a rule are computed by Google's reference evaluator row by row; statements too, if they are small."""
import datetime
from decimal import Decimal

import pytest

from emulator.errors import ApiError
from googlesql_fixture import World, sql, world  # noqa: F401


@pytest.mark.parametrize("text,expected", [
    ("SELECT LENGTH(SHA512('a'))", [(64,)]),
    ("SELECT FARM_FINGERPRINT('a') = FARM_FINGERPRINT('a')", [(True,)]),
    ("SELECT id, FARM_FINGERPRINT(name) IS NULL FROM people ORDER BY id", [(1, False), (2, False), (3, True)]),
    ("SELECT CODE_POINTS_TO_BYTES([65, 66])", [(b"AB",)]),
    ("SELECT CAST(DATE '2024-05-05' AS STRING FORMAT 'YYYY/MM/DD')", [("2024/05/05",)]),
    ("SELECT id, tags, born, CAST(born AS STRING FORMAT 'DD') FROM people ORDER BY id",
     [(1, ["a", "b"], datetime.date(1990, 5, 1), "01"), (2, [], datetime.date(1985, 1, 31), "31"), (3, ["c"], None, None)]),
    ("SELECT id, CAST(total AS STRING FORMAT '999.99') FROM orders WHERE id = 10", [(10, "   5.25")]),
    ("SELECT LENGTH(SHA512(name)) FROM people WHERE FALSE", []),
    ("SELECT LENGTH(SHA512(people.name)) AS n, o.id FROM p.d.people JOIN `p.d.orders` AS o ON people.id = o.person ORDER BY o.id", [(64, 10), (64, 11), (64, 12)]),
    ("SELECT AS STRUCT id, LENGTH(SHA512(name)) AS n FROM people WHERE id = 1", [(1, 64)]),
])
def test_rows(world, text, expected):
    assert world.rows(text) == expected


def test_parameters(world):
    parameters = [{"name": "s", "parameterType": {"type": "STRING"}, "parameterValue": {"value": "a"}},
                  {"name": "n", "parameterType": {"type": "NUMERIC"}, "parameterValue": {"value": "-1.5"}},
                  {"name": "t", "parameterType": {"type": "TIMESTAMP"}, "parameterValue": {"value": "2024-01-01 00:00:00.5+00"}}]
    rows = world.rows("SELECT LENGTH(SHA512(@s)), @n, @t, @t", parameters=parameters, parameter_mode="NAMED")
    moment = datetime.datetime(2024, 1, 1, 0, 0, 0, 500000, tzinfo=datetime.timezone.utc)
    assert rows == [(64, Decimal("-1.5"), moment, moment)]


def test_every_type_goes_in_and_out(sql):
    world = World(sql)
    world.table("t", [{"name": "n", "type": "INTEGER"}, {"name": "b", "type": "BYTES"}, {"name": "d", "type": "DATETIME"}, {"name": "t", "type": "TIME"}, {"name": "j", "type": "JSON"},
                      {"name": "f", "type": "FLOAT"}, {"name": "o", "type": "BOOLEAN"}, {"name": "x", "type": "NUMERIC"}, {"name": "y", "type": "BIGNUMERIC"},
                      {"name": "s", "type": "RECORD", "fields": [{"name": "a", "type": "INTEGER"}, {"name": "c", "type": "STRING", "mode": "REPEATED"}]}],
                "(1, 'ab', '1969-07-20 20:17:40.123456', '01:02:03.000004', '{\"k\":1}', -2.5, true, -1.000000001, from_hex('8000000000000000000000000000000000000000000000000000000000000001'), {'a': 1, 'c': ['x']})")
    plain = world.rows("SELECT * FROM t")
    assert world.rows("SELECT * FROM t WHERE LENGTH(SHA512('a')) = 64") == plain


def test_a_large_table_is_refused(sql):
    world = World(sql)
    world.table("big", "x INTEGER")
    world.connection.execute("INSERT INTO big SELECT range FROM range(1001)")
    with pytest.raises(ApiError, match="HAVING.*1000 rows") as failed:
        world.rows("SELECT g, SUM(x HAVING MAX x) FROM (SELECT MOD(x, 3) AS g, x FROM big) GROUP BY ROLLUP(g)")
    assert failed.value.reason == "notImplemented"


def test_an_expression_without_a_rule_over_a_large_table(sql):
    world = World(sql)
    world.table("big", "x INTEGER")
    world.connection.execute("INSERT INTO big SELECT range FROM range(1500)")
    assert world.rows("SELECT COUNT(DISTINCT SHA512(CAST(x AS STRING))), COUNTIF(NET.SAFE_IP_FROM_STRING(CAST(x AS STRING)) IS NULL) FROM big") == [(1500, 1500)]


@pytest.mark.parametrize("expression,expected", [
    ("CAST(INTERVAL '1-2 3 4:5:6.7' YEAR TO SECOND AS STRING)", "1-2 3 4:5:6.700"),
    ("ARRAY_LENGTH(GENERATE_RANGE_ARRAY(RANGE(DATE '2024-01-01', DATE '2024-01-05'), INTERVAL 2 DAY))", 2),
    ("CAST(JUSTIFY_DAYS(MAKE_INTERVAL(month => x, day => 35)) AS STRING)", "0-2 5 0:0:0"),
    ("FORMAT('%t', [INTERVAL -x MONTH, INTERVAL 90 MINUTE])", "[-0-1 0 0:0:0, 0-0 0 1:30:0]"),
    ("TO_JSON_STRING([TO_JSON(STRUCT(x AS a, b'a' AS b), stringify_wide_numbers => TRUE)])", '[{"a":1,"b":"YQ=="}]'),
])
def test_values_of_every_type_go_through_the_evaluator(world, expression, expected):
    assert world.rows(f"SELECT {expression} FROM (SELECT 1 AS x)") == [(expected,)]


def test_errors_of_the_evaluator_are_the_statements(world):
    with pytest.raises(ApiError, match="mine") as failed:
        world.rows("SELECT SHA512(ERROR('mine'))")
    assert failed.value.reason == "invalidQuery"


@pytest.mark.parametrize("expression,expected", [
    ("FARM_FINGERPRINT('foo') = MAX(FARM_FINGERPRINT('foo'))", True), ("LENGTH(SHA512(CONCAT('a', 'b')))", 64), ("SAFE.CODE_POINTS_TO_BYTES([300])", None),
    ("CODE_POINTS_TO_BYTES([65])", b"A"),
])
def test_constant_calls_are_evaluated_beside_large_tables(sql, expression, expected):
    world = World(sql)
    world.table("big", "x INTEGER")
    world.connection.execute("INSERT INTO big SELECT range FROM range(5000)")
    assert world.rows(f"SELECT COUNT(*) AS n, {expression} AS y FROM big") == [(5000, expected)]


def test_an_error_of_a_constant_call(world):
    with pytest.raises(ApiError, match="Invalid ASCII value 300") as failed:
        world.value("CODE_POINTS_TO_BYTES([300])")
    assert failed.value.reason == "invalidQuery"


def test_what_python_made_outlives_the_call(world):
    """DuckDB's COALESCE points to texts of Arrow that may be gone by then."""
    text = "SELECT TO_HEX(COALESCE((REPEAT(b'\\x00', 20) || b'\\x01') << 1, b'')), COALESCE(LEFT(NORMALIZE_AND_CASEFOLD(REPEAT('É', 20)), 20), '')"
    assert {world.rows(text)[0] for _ in range(30)} == {("00" * 20 + "02", "é" * 20)}
