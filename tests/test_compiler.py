"""Queries and their rows: every scan and expression, compiled and run on DuckDB."""
import datetime
from decimal import Decimal

import pytest

from emulator.errors import ApiError
from emulator.googlesql import reference
from googlesql_fixture import World, sql, world  # noqa: F401
from test_functions import same

ROWS = [
    # Filters, expressions, names
    ("SELECT id FROM people WHERE id > 1", [(2,), (3,)]),
    ("SELECT p.name, id * 2 AS x FROM d.people AS p WHERE name IS NOT NULL ORDER BY id DESC", [("Bob", 4), ("Ann", 2)]),
    ("SELECT * EXCEPT (tags, score) FROM people WHERE id = 1", [(1, "Ann", datetime.date(1990, 5, 1))]),
    ("SELECT * REPLACE (id + 1 AS id) FROM (SELECT 1 AS id, 2 AS b)", [(2, 2)]),
    ("SELECT 1, 'a', NULL", [(1, "a", None)]),
    ("SELECT CAST('1' AS INT), CAST('2' AS smallint), CAST('3' AS INTEGER), CAST('4' AS BIGINT), CAST('5' AS TINYINT), ARRAY<BYTEINT>[6]", [(1, 2, 3, 4, 5, [6])]),
    # BigQuery's order of NULLs
    ("SELECT name FROM people ORDER BY name", [(None,), ("Ann",), ("Bob",)]),
    ("SELECT name FROM people ORDER BY name DESC", [("Bob",), ("Ann",), (None,)]),
    ("SELECT name FROM people ORDER BY name NULLS LAST", [("Ann",), ("Bob",), (None,)]),
    ("SELECT id FROM people ORDER BY id LIMIT 1 OFFSET 1", [(2,)]),
    ("SELECT id FROM (SELECT id FROM people ORDER BY id DESC LIMIT 2) ORDER BY id", [(2,), (3,)]),
    # NaN is the least when rows are sorted, and no number compares with it
    ("SELECT x FROM UNNEST([1.5, CAST('nan' AS FLOAT64), NULL, -2.0]) x ORDER BY x LIMIT 1 OFFSET 2", [(-2.0,)]),
    ("SELECT x > 0, x < 0, x = x, x != x, MIN(x) OVER () > 0 FROM UNNEST([CAST('nan' AS FLOAT64)]) x", [(False, False, False, True, False)]),
    # Joins
    ("SELECT name, total FROM people JOIN orders ON people.id = person ORDER BY total", [("Bob", Decimal("0.5")), ("Ann", Decimal("5.25")), ("Ann", Decimal(7))]),
    ("SELECT p.id, o.id AS o FROM people p LEFT JOIN orders o ON p.id = o.person ORDER BY 1, 2", [(1, 10), (1, 11), (2, 12), (3, None)]),
    ("SELECT p.id, o.id AS o FROM people p RIGHT JOIN orders o ON p.id = o.person ORDER BY 2", [(1, 10), (1, 11), (2, 12), (None, 13)]),
    ("SELECT COUNT(*) FROM people p FULL JOIN orders o ON p.id = o.person", [(5,)]),
    ("SELECT COUNT(*) FROM people, orders", [(12,)]),
    ("SELECT ARRAY(SELECT COALESCE(x, 0) * 10 + COALESCE(y, 0) FROM (SELECT x, o FROM UNNEST(a) AS x WITH OFFSET o) FULL JOIN "
     "(SELECT y, o FROM UNNEST(b) AS y WITH OFFSET o) USING (o) ORDER BY o) FROM UNNEST([STRUCT([1, 2] AS a, [3, 4, 5] AS b), ([7], [])])", [([13, 24, 5],), ([70],)]),
    ("SELECT id, (SELECT COUNT(*) FROM (SELECT 1 FROM UNNEST(tags)) FULL JOIN (SELECT 1) ON true) FROM people ORDER BY id", [(1, 2), (2, 1), (3, 1)]),
    ("SELECT id, a, b FROM (SELECT 1 AS id, 2 AS a) JOIN (SELECT 1 AS id, 3 AS b) USING (id)", [(1, 2, 3)]),
    ("SELECT id FROM (SELECT 1 AS id) FULL JOIN (SELECT 2 AS id) USING (id) ORDER BY id", [(1,), (2,)]),
    # Arrays
    ("SELECT id, tag, o FROM people, UNNEST(tags) AS tag WITH OFFSET AS o ORDER BY id, o", [(1, "a", 0), (1, "b", 1), (3, "c", 0)]),
    ("SELECT id, tag FROM people LEFT JOIN UNNEST(tags) AS tag ORDER BY id, tag", [(1, "a"), (1, "b"), (2, None), (3, "c")]),
    ("SELECT id, tag, o FROM people LEFT JOIN UNNEST(tags) AS tag WITH OFFSET o ON tag = 'b' ORDER BY id", [(1, "b", 1), (2, None, None), (3, None, None)]),
    ("SELECT id, tag FROM people JOIN UNNEST(tags) AS tag ON tag != 'a' ORDER BY id", [(1, "b"), (3, "c")]),
    ("SELECT id FROM people p, p.tags t WHERE t = 'c'", [(3,)]),
    ("SELECT n, o FROM UNNEST(GENERATE_ARRAY(5, -5, -3)) AS n WITH OFFSET o ORDER BY o", [(5, 0), (2, 1), (-1, 2), (-4, 3)]),
    ("SELECT n FROM UNNEST(GENERATE_ARRAY(5, 1)) AS n", []),
    ("SELECT id, n FROM people, UNNEST(GENERATE_ARRAY(1, 2)) AS n WHERE id < n", [(1, 2)]),
    ("SELECT id, n FROM people JOIN UNNEST(GENERATE_ARRAY(2, 9)) AS n ON id = n ORDER BY n", [(2, 2), (3, 3)]),
    ("SELECT id, n FROM people, UNNEST(GENERATE_ARRAY(2, id)) AS n ORDER BY id, n", [(2, 2), (3, 2), (3, 3)]),
    ("SELECT id, n FROM people LEFT JOIN UNNEST(GENERATE_ARRAY(3, 4)) AS n ON id = n ORDER BY id", [(1, None), (2, None), (3, 3)]),
    ("SELECT id, ARRAY(SELECT n FROM UNNEST(GENERATE_ARRAY(1, 5)) AS n WHERE n < id) FROM people ORDER BY id", [(1, []), (2, [1]), (3, [1, 2])]),
    ("SELECT a, b FROM UNNEST([STRUCT(1 AS a, 'x' AS b), (2, 'y')])", [(1, "x"), (2, "y")]),
    ("SELECT ARRAY(SELECT x * 2 FROM UNNEST([3, 1, 2]) x ORDER BY x)", [([2, 4, 6],)]),
    ("SELECT ARRAY(SELECT x FROM UNNEST([1]) x WHERE x > 5)", [([],)]),
    ("SELECT id, ARRAY(SELECT UPPER(t) FROM UNNEST(tags) t ORDER BY t DESC) FROM people ORDER BY id", [(1, ["B", "A"]), (2, []), (3, ["C"])]),
    ("SELECT a[0], a[ORDINAL(1)], SPLIT('x.y', '.')[1] FROM (SELECT [5, 6] AS a)", [(5, 5, "y")]),
    ("SELECT tags[SAFE_OFFSET(0)], ARRAY_LENGTH(tags) FROM people ORDER BY id", [("a", 2), (None, 0), ("c", 1)]),
    # Structs
    ("SELECT s.b.c FROM (SELECT STRUCT(1 AS a, STRUCT('x' AS c) AS b) AS s)", [("x",)]),
    ("SELECT AS STRUCT 1 AS a, 'x' AS b", [(1, "x")]),
    ("SELECT AS VALUE STRUCT(1 AS a, 2 AS b)", [(1, 2)]),
    ("SELECT AS VALUE x FROM UNNEST([1, 2]) x", [(1,), (2,)]),
    ("SELECT s.a FROM (SELECT AS STRUCT 1 AS a) AS s", [(1,)]),
    ("SELECT ARRAY(SELECT AS STRUCT id, name FROM people WHERE id < 3 ORDER BY id)", [([{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}],)]),
    ("SELECT STRUCT(1, 2)", [({"_field_1": 1, "_field_2": 2},)]),
    ("SELECT STRUCT(1 AS a, 2 AS A)", [({"a": 1, "_field_2": 2},)]),
    # Groups
    ("SELECT person, SUM(total) AS t FROM orders GROUP BY person HAVING t > 1 ORDER BY person", [(1, Decimal("12.25")), (9, Decimal(100))]),
    ("SELECT COUNT(*), SUM(id), AVG(score), MAX(name) FROM people WHERE id > 100", [(0, None, None, None)]),
    ("SELECT LENGTH(name) AS n, COUNT(*) FROM people GROUP BY n ORDER BY n", [(None, 1), (3, 2)]),
    # Aggregates of some rows, and of groups within groups
    ("SELECT COUNT(* WHERE x > 1), SUM(x WHERE x < 3), ARRAY_AGG(x IGNORE NULLS WHERE MOD(x, 2) = 1 ORDER BY x DESC LIMIT 1), STRING_AGG(CAST(x AS STRING) WHERE x > 1 ORDER BY x), "
     "MAX(x WHERE FALSE), COUNT(DISTINCT x WHERE x > 1), ANY_VALUE(x WHERE x < 3 HAVING MAX x) FROM UNNEST([1, 2, 3, NULL]) AS x", [(2, 3, [3], "2,3", None, 2, 2)]),
    ("SELECT x, SUM(x WHERE x > 1) OVER (ORDER BY x) FROM UNNEST([1, 2, 3]) AS x ORDER BY x", [(1, None), (2, 2), (3, 5)]),
    ("SELECT g, SUM(MAX(x) GROUP BY h), MAX(SUM(x) GROUP BY h HAVING SUM(x) < 10) FROM UNNEST([STRUCT(1 AS g, 1 AS h, 5 AS x), (1, 1, 7), (1, 2, 1), (2, 2, 3)]) GROUP BY g ORDER BY g",
     [(1, 8, 1), (2, 3, 3)]),
    ("SELECT DISTINCT person FROM orders ORDER BY person", [(1,), (2,), (9,)]),
    ("SELECT a, b, SUM(x) AS s FROM UNNEST([STRUCT(1 AS a, 2 AS b, 3 AS x), (1, 3, 4)]) GROUP BY ROLLUP(a, b) ORDER BY a, b", [(None, None, 7), (1, None, 7), (1, 2, 3), (1, 3, 4)]),
    ("SELECT a, SUM(x) AS s, GROUPING(a) AS g FROM UNNEST([STRUCT(1 AS a, 3 AS x), (2, 4)]) GROUP BY GROUPING SETS (a, ()) ORDER BY a", [(None, 7, 1), (1, 3, 0), (2, 4, 0)]),
    ("SELECT a, b, COUNT(*) FROM UNNEST([STRUCT(1 AS a, 2 AS b)]) GROUP BY CUBE(a, b) ORDER BY a, b", [(None, None, 1), (None, 2, 1), (1, None, 1), (1, 2, 1)]),
    ("SELECT person FROM orders GROUP BY ALL ORDER BY 1", [(1,), (2,), (9,)]),
    # Windows
    ("SELECT id, ROW_NUMBER() OVER (PARTITION BY person ORDER BY id) AS n FROM orders QUALIFY n = 1 ORDER BY id", [(10, 1), (12, 1), (13, 1)]),
    ("SELECT id, SUM(id) OVER w AS s FROM orders WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY id", [(10, 10), (11, 21), (12, 23), (13, 25)]),
    ("SELECT SUM(COUNT(*)) OVER () FROM orders GROUP BY person LIMIT 1", [(4,)]),
    # Sets
    ("SELECT 1 AS x UNION ALL SELECT 1 UNION ALL SELECT 2 ORDER BY x", [(1,), (1,), (2,)]),
    ("SELECT 1 AS x UNION DISTINCT SELECT 1", [(1,)]),
    ("SELECT x FROM UNNEST([1, 2, 3]) x EXCEPT DISTINCT SELECT 2 ORDER BY x", [(1,), (3,)]),
    ("SELECT x FROM UNNEST([1, 2, 3]) x INTERSECT DISTINCT SELECT 2", [(2,)]),
    ("SELECT 1 AS x UNION ALL SELECT 2.5 ORDER BY x", [(1.0,), (2.5,)]),
    ("SELECT ARRAY_AGG(x), STRING_AGG(s) FROM (SELECT 1 AS x, 'c1' AS s UNION ALL SELECT 2.5, 'b' UNION ALL SELECT NULL, 'a' UNION ALL SELECT 4, NULL) WHERE x IS NOT NULL", [([1.0, 2.5, 4.0], "c1,b")]),
    ("WITH u AS (SELECT id FROM people UNION ALL SELECT 9 UNION ALL SELECT id + 20 FROM people UNION ALL SELECT 8) SELECT ARRAY(SELECT id FROM u), (SELECT STRING_AGG(CAST(id AS STRING)) FROM u)",
     [([1, 2, 3, 9, 21, 22, 23, 8], "1,2,3,9,21,22,23,8")]),
    ("SELECT COUNT(DISTINCT r) FROM (SELECT RAND() AS r UNION ALL SELECT RAND())", [(2,)]),
    ("SELECT ARRAY(SELECT e FROM (SELECT x AS e UNION ALL SELECT 0) ORDER BY e) FROM UNNEST([1, 5]) AS x ORDER BY x", [([0, 1],), ([0, 5],)]),
    # Named queries
    ("WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT a.x, b.x AS y FROM a, b", [(1, 2)]),
    ("WITH a AS (SELECT 1 AS x) SELECT * FROM (WITH a AS (SELECT 2 AS x) SELECT x FROM a) UNION ALL SELECT x FROM a ORDER BY x", [(1,), (2,)]),
    ("WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 4) SELECT SUM(x) FROM n", [(10,)]),
    ("WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 500) SELECT COUNT(*) FROM n", [(500,)]),
    ("WITH RECURSIVE n AS (SELECT 1 AS x UNION DISTINCT SELECT MOD(x + 1, 3) FROM n) SELECT COUNT(*) FROM n", [(3,)]),
    ("SELECT CAST('1' AS INT), CAST(2 AS BIGINT), CAST(3 AS INTEGER), CAST(4 AS SMALLINT) + CAST(5 AS TINYINT) + CAST(6 AS BYTEINT)", [(1, 2, 3, 15)]),
    # Subqueries
    ("SELECT (SELECT MAX(id) FROM people)", [(3,)]),
    ("SELECT id FROM people p WHERE EXISTS (SELECT 1 FROM orders o WHERE o.person = p.id) ORDER BY id", [(1,), (2,)]),
    ("SELECT id FROM people WHERE id NOT IN (SELECT person FROM orders) ORDER BY id", [(3,)]),
    ("SELECT id, (SELECT SUM(total) FROM orders WHERE person = people.id) AS t FROM people ORDER BY id", [(1, Decimal("12.25")), (2, Decimal("0.5")), (3, None)]),
    ("SELECT id FROM people WHERE 'a' IN UNNEST(tags)", [(1,)]),
    ("SELECT id, (SELECT MAX(CAST(CAST(x * p.id + 1 AS STRING) AS INT64) / (p.id + x)) FROM UNNEST([1, 2]) x) AS m FROM people p ORDER BY id", [(1, 1.0), (2, 1.25), (3, 1.4)]),
    ("SELECT SAFE.SUBSTR(name, id - 5, (SELECT MAX(id) FROM people)) AS x FROM people ORDER BY id", [("Ann",), ("Bob",), (None,)]),
    ("SELECT SAFE_DIVIDE((SELECT SUM(id) FROM orders), (SELECT COUNT(*) FROM people WHERE id > 100)) AS x", [(None,)]),
    # Pivots and pipes
    ("SELECT * FROM (SELECT person, total FROM orders) PIVOT (SUM(total) FOR person IN (1, 2))", [(Decimal("12.25"), Decimal("0.5"))]),
    ("SELECT * FROM (SELECT 1 AS a, 2 AS b) UNPIVOT (v FOR n IN (a, b)) ORDER BY n", [(1, "a"), (2, "b")]),
    ("SELECT x LIKE ANY (SELECT p FROM UNNEST(['a%', NULL]) p), x NOT LIKE ANY (SELECT p FROM UNNEST(['a%']) p), x LIKE ALL (SELECT p FROM UNNEST(['a%', NULL]) p), "
     "x NOT LIKE ALL (SELECT p FROM UNNEST(['c%', NULL]) p), x LIKE ANY (SELECT 'q' FROM people WHERE false) FROM UNNEST(['ab', 'b']) x WITH OFFSET o ORDER BY o",
     [(True, False, None, None, False), (None, True, False, None, False)]),
    ("SELECT x LIKE ANY UNNEST(['a%', 'c']), x LIKE ALL UNNEST(['a%', '%b']) FROM UNNEST(['ab', 'b']) x WITH OFFSET o ORDER BY o", [(True, True), (False, False)]),
    ("FROM people |> WHERE id < 3 |> AGGREGATE COUNT(*) AS n", [(2,)]),
    ("SELECT COUNT(*) FROM people TABLESAMPLE SYSTEM (100 PERCENT)", [(3,)]),
]


@pytest.mark.parametrize("text,expected", ROWS)
def test_rows(world, text, expected):
    assert world.rows(text) == expected


@pytest.mark.parametrize("text", [text for text, _ in ROWS if "SAMPLE" not in text])
def test_rows_are_the_evaluators(world, text):
    statement = world.prepare(text)
    found = world.execute(statement.compile(world.connection.cursor()))
    expected = world.execute(reference.evaluate(statement, world.connection.cursor(), "nothing"))
    assert same(found, expected), (found, expected)


@pytest.mark.parametrize("value,expected", [
    ({"parameterType": {"type": "INT64"}, "parameterValue": {"value": "5"}}, 5),
    ({"parameterType": {"type": "STRING"}, "parameterValue": {"value": "it's"}}, "it's"),
    ({"parameterType": {"type": "STRING"}, "parameterValue": {}}, None),
    ({"parameterType": {"type": "BYTES"}, "parameterValue": {"value": "YWJj"}}, b"abc"),
    ({"parameterType": {"type": "TIMESTAMP"}, "parameterValue": {"value": "2024-01-05 10:00:00+02"}}, datetime.datetime(2024, 1, 5, 8, tzinfo=datetime.timezone.utc)),
    ({"parameterType": {"type": "DATE"}, "parameterValue": {"value": "2024-01-05"}}, datetime.date(2024, 1, 5)),
    ({"parameterType": {"type": "NUMERIC"}, "parameterValue": {"value": "1.25"}}, Decimal("1.25")),
    ({"parameterType": {"type": "ARRAY", "arrayType": {"type": "INT64"}}, "parameterValue": {"arrayValues": [{"value": "1"}, {"value": "2"}]}}, [1, 2]),
    ({"parameterType": {"type": "STRUCT", "structTypes": [{"name": "a", "type": {"type": "INT64"}}, {"name": "b", "type": {"type": "STRING"}}]},
      "parameterValue": {"structValues": {"a": {"value": "1"}, "b": {"value": "x"}}}}, {"a": 1, "b": "x"}),
])
def test_parameters(world, value, expected):
    assert world.value("@p", parameters=[{"name": "p"} | value], parameter_mode="NAMED") == expected
    assert world.value("?", parameters=[value], parameter_mode="POSITIONAL") == expected


def test_positional_parameters_in_order(world):
    ints = [{"parameterType": {"type": "INT64"}, "parameterValue": {"value": str(n)}} for n in (7, 2)]
    assert world.value("? - ?", parameters=ints, parameter_mode="POSITIONAL") == 5


@pytest.mark.parametrize("kind,value,message", [("INT64", "x", "Bad int64 value: x"), ("DATE", "x", "Invalid date: 'x'")])
def test_parameter_of_bad_value(world, kind, value, message):
    with pytest.raises(ApiError, match=message):
        world.value("@p", parameters=[{"name": "p", "parameterType": {"type": kind}, "parameterValue": {"value": value}}])


def test_result_names_and_types(world):
    fields = world.prepare("SELECT 1, 'a' AS s, 2.5, [STRUCT(1 AS x, DATE '2024-01-01' AS d)] AS r, NULL AS n, RANGE<DATE> '[2020-01-01, 2021-01-01)' AS g").fields
    assert [(f["name"], f["type"], f["mode"]) for f in fields] == [
        ("f0_", "INTEGER", "NULLABLE"), ("s", "STRING", "NULLABLE"), ("f1_", "FLOAT", "NULLABLE"), ("r", "RECORD", "REPEATED"), ("n", "INTEGER", "NULLABLE"), ("g", "RANGE", "NULLABLE")]
    assert [(f["name"], f["type"]) for f in fields[3]["fields"]] == [("x", "INTEGER"), ("d", "DATE")]
    assert fields[5]["rangeElementType"] == {"type": "DATE"}


def test_result_columns_are_named_as_the_fields(world):
    statement = world.prepare("SELECT 1, id AS `a b`, name FROM people")
    cursor = world.connection.cursor().execute(statement.compile(world.connection.cursor()))
    assert [column[0] for column in cursor.description] == ["f0_", "a b", "name"]


def test_time_travel_reads_the_moment(world):
    world.prepare("SELECT * FROM people FOR SYSTEM_TIME AS OF TIMESTAMP_SUB(TIMESTAMP '2024-01-02', INTERVAL 1 DAY)").compile(world.connection.cursor())
    assert world.tables["people"].moments[-1] == datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def test_in_over_an_array_that_is_made_of_columns(world):
    assert world.rows("SELECT name FROM people WHERE 'n' IN UNNEST(SPLIT(name, ''))") == [("Ann",)]
    assert world.rows("SELECT x IN UNNEST(a) FROM UNNEST([STRUCT(1 AS x, [1, 2] AS a), (3, [1, NULL]), (3, [1]), (NULL, [1]), (1, []), (NULL, [])])") == [
        (True,), (None,), (False,), (None,), (False,), (False,)]


def test_a_view_is_compiled_in_place(world):
    world.view("adults", "WITH a AS (SELECT id, name FROM d.people WHERE id < 3) SELECT * FROM a", "id INTEGER, name STRING")
    assert world.rows("WITH a AS (SELECT 1) SELECT name FROM adults ORDER BY id DESC") == [("Bob",), ("Ann",)]
    statement = world.prepare("SELECT name FROM adults")
    assert {table.name: names for table, names in statement.columns.items()} == {"people": {"id", "name"}}


def test_the_order_of_joins_is_not_the_written_one(world):
    """As written, the first join would be one of all rows with all."""
    for name in "abc":
        world.table(name, "x INTEGER, y INTEGER", "(1, 1)")
        world.connection.execute(f"INSERT INTO {name} SELECT i, i FROM range(5000) r(i)")
    text = "SELECT COUNT(*) FROM a, b, c WHERE a.x = c.x AND b.y = c.y"
    compiled = world.prepare(text).compile(world.connection.cursor())
    assert "CROSS_PRODUCT" not in world.connection.execute(f"EXPLAIN {compiled}").fetchall()[0][1]
    assert world.execute(compiled) == [(5007,)]


def test_a_large_limit_streams(world):
    """DuckDB would hold all rows, and join them with the numbers of those that it takes."""
    world.table("big", "id INTEGER, s STRING")
    world.connection.execute("INSERT INTO big SELECT range, 's' || range FROM range(200000)")
    text = "SELECT * FROM big LIMIT 100000 OFFSET 5"
    plan = world.connection.execute(f"EXPLAIN {world.prepare(text).compile(world.connection)}").fetchall()[0][1]
    assert "STREAMING_LIMIT" in plan and "HASH_JOIN" not in plan
    rows = world.rows(text)
    assert len(rows) == 100_000 and rows[0] == (5, "s5") and rows[-1] == (100_004, "s100004")
    assert world.rows("SELECT 1 LIMIT 100000") == [(1,)]


@pytest.mark.parametrize("text,construct", [
    ("DECLARE x INT64; SELECT x", "scripts"), ("SELECT 1; SELECT 2", "several statements"),
    ("SELECT * FROM EXTERNAL_QUERY('c', 'SELECT 1')", "the table function EXTERNAL_QUERY"), ("SELECT ML.DISTANCE([1.0], [2.0])", "the function ML.DISTANCE"),
    ("SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS (epsilon=1, delta=.1, privacy_unit_column=id) COUNT(*) FROM people", "DIFFERENTIAL_PRIVACY"),
    ("CREATE RESERVATION `p.region-us.r` OPTIONS (slot_capacity=100)", "the statement on a RESERVATION"),
])
def test_what_is_not_supported_is_named(world, text, construct):
    with pytest.raises(ApiError, match=construct) as failed:
        world.rows(text)
    assert failed.value.reason == "notImplemented"


@pytest.mark.parametrize("text, words", [
    ("WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n", "has reached the maximum number of iterations: 500"),
    ("SELECT 1 INTERSECT ALL SELECT 1", "INTERSECT ALL"), ("SELECT tags = tags FROM people", "Equality is not defined for arguments of type ARRAY<STRING>"), ("SELECT 1 FROM people TABLESAMPLE BERNOULLI (10 PERCENT)", "BERNOULLI"),
    ("EXPLAIN SELECT 1", r"Statement not supported: ExplainStatement at \[1:1\]"), ("DESCRIBE people", "Statement not supported: DescribeStatement"),
    ("SELECT 1,\n @missing", r"Query parameter 'missing' not found at \[2:2\]"), ("UPDATE people SET tags[OFFSET(0)] = 'x' WHERE true", "does not support array modification")])
def test_what_bigquery_refuses(world, text, words):
    with pytest.raises(ApiError, match=words) as failed:
        world.rows(text)
    assert failed.value.reason == "invalidQuery"


@pytest.mark.parametrize("text, expected", [
    ("SELECT w FROM ci UNION DISTINCT SELECT 'A'", ["a", "b", None]), ("SELECT w FROM ci INTERSECT DISTINCT SELECT 'A'", ["a"]), ("SELECT w FROM ci EXCEPT DISTINCT SELECT 'A'", ["b", None]),
    ("SELECT w FROM ci UNION DISTINCT SELECT w FROM ci", ["a", "b", None]), ("SELECT DISTINCT w FROM ci", ["a", "b", None]), ("SELECT w FROM ci UNION ALL SELECT 'A'", ["a", "a", "a", "b", None])])
def test_set_operations_of_texts_with_a_collation(sql, text, expected):
    world = World(sql)
    world.table("ci", [{"name": "w", "type": "STRING", "collation": "und:ci"}], "('a'), ('A'), ('b'), (NULL)")
    found = sorted((row[0] and row[0].lower() for row in world.rows(text)), key=lambda w: w or "z")
    assert found == expected


def test_groups_of_few_are_left_out(world):
    text = "SELECT WITH AGGREGATION_THRESHOLD OPTIONS (threshold={}, privacy_unit_column=id) person, COUNT(*) AS n FROM orders GROUP BY person"
    assert world.rows(text.format(2)) == [(1, 2)] and world.rows(text.format(3)) == []


def test_a_deep_expression_is_compiled_or_refused(world):
    assert world.value("+".join(["1"] * 100)) == 100
    with pytest.raises(ApiError) as failed:
        world.value("ABS(" * 3000 + "1" + ")" * 3000)
    assert failed.value.reason in ("resourcesExceeded", "invalidQuery")
    assert world.value("1 + 1") == 2  # the analyzer serves on
