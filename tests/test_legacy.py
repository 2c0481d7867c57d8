"""Legacy SQL through the client: what it has in common with GoogleSQL, and what is refused."""
import pytest
from google.api_core.exceptions import BadRequest, MethodNotImplemented, NotFound


@pytest.fixture
def asked(sql):
    """The rows of a query in legacy SQL."""
    sql("CREATE TABLE w (word STRING, n INT64, f FLOAT64, ts TIMESTAMP)")
    sql("INSERT INTO w VALUES ('a', 1, 1.5, '2020-01-02 03:04:05'), ('b', 2, NULL, NULL), ('ab', 7, 2.5, '2021-01-01')")
    return lambda text, **config: [tuple(row) for row in sql(text, **({"use_legacy_sql": True} | config))]


@pytest.mark.parametrize("text, expected", [
    ("SELECT INTEGER(1) AS n", [(1,)]), ("SELECT INTEGER('x'), FLOAT('1.5'), STRING(5), BOOLEAN('true')", [(None, 1.5, "5", True)]),
    ("SELECT word, COUNT(*) AS c, SUM(n) total FROM [DATASET.w] GROUP BY word ORDER BY c DESC, word LIMIT 2", [("a", 1, 1), ("ab", 1, 7)]),
    ("SELECT word FROM [lab-project:DATASET.w] WHERE word CONTAINS 'b' AND n % 2 = 0 OR NOT n BETWEEN 0 AND 3 ORDER BY word; -- all", [("ab",), ("b",)]),
    ("SELECT YEAR(ts), DATE(ts), IF(n > 1, 'big', \"small\") AS size, REGEXP_MATCH(word, r'^a') FROM DATASET.w ORDER BY n",
     [(2020, "2020-01-02", "small", True), (None, None, "big", False), (2021, "2021-01-01", "big", True)]),
    ("SELECT x.word, y.n FROM [DATASET.w] AS x JOIN EACH [DATASET.w] AS y ON x.n = y.n WHERE y.f IS NOT NULL ORDER BY y.n", [("a", 1), ("ab", 7)]),
    ("SELECT q.c FROM (SELECT COUNT(DISTINCT word) AS c FROM [DATASET.w]) q", [(3,)]),
    ("SELECT CASE WHEN n = 1 THEN 'one' ELSE STRING(n) END AS s, CAST(n AS STRING), -n, (n + 1) * 2 FROM w WHERE n IN (1, 2) ORDER BY s",
     [("2", "2", -2, 6), ("one", "1", -1, 4)]),
    ("SELECT * FROM [DATASET.w] ORDER BY n LIMIT 0", []),
    ("#standardSQL\nSELECT n FROM `DATASET.w` WHERE n = 7", [(7,)])])
def test_legacy_sql(asked, dataset, text, expected):
    assert asked(text.replace("DATASET", dataset)) == expected


def test_a_line_asks_for_it(asked, dataset):
    assert asked(f"#legacySQL\nSELECT n FROM [{dataset}.w] WHERE n = 7", use_legacy_sql=False) == [(7,)]


def test_names_and_bytes(sql, asked, dataset):
    job = sql(f"SELECT x.word, y.n, COUNT(*) FROM [{dataset}.w] x CROSS JOIN [{dataset}.w] y GROUP BY x.word, y.n", use_legacy_sql=True)
    assert [field.name for field in job.result().schema] == ["x_word", "y_n", "f0_"]
    assert (job.statement_type, job.total_bytes_processed) == ("SELECT", 10 + 24)


@pytest.mark.parametrize("text, words", [
    ("SELECT TOP(word, 2) FROM [w]", "the function TOP"), ("SELECT word FROM [w], [w]", "a comma between tables"), ("INSERT INTO w VALUES (1)", "'INSERT'"),
    ("SELECT RANK() OVER (ORDER BY n) FROM [w]", "the function RANK"), ("SELECT SUM(n) OVER () FROM [w]", "'OVER'"), ("SELECT 1 FROM [w@-3600]", "w@-3600"),
    ("SELECT * FROM [w] a JOIN [w] b ON a.n = b.n", "joined tables"), ("SELECT a FROM [nested]", "nested or repeated columns"), ("SELECT ROUND(1) ? 2", "such|with"),
    ("SELECT INSTR('a') FROM [w]", "INSTR of 1 arguments"), ("SELECT n FROM", "such an end"), ("SELECT CAST(n AS DATE) FROM [w]", "'DATE'")])
def test_what_is_refused(sql, asked, dataset, text, words):
    sql("CREATE TABLE nested (a ARRAY<INT64>)")
    with pytest.raises(MethodNotImplemented, match=f"does not support legacy SQL .*({words})"):
        asked(text.replace("[", f"[{dataset}."))


def test_errors_of_names(asked, dataset):
    with pytest.raises(BadRequest, match="Unrecognized name: nope"):
        asked(f"SELECT nope FROM [{dataset}.w]")
    with pytest.raises(NotFound, match="nothere was not found"):
        asked(f"SELECT n FROM [{dataset}.nothere]")
