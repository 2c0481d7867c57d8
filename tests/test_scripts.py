"""Scripts through the client: variables, branches, loops, exceptions, dynamic SQL, child jobs."""
import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery


@pytest.fixture
def script(client, dataset):
    """Run a script; its last result's rows."""
    def run(text: str) -> list[tuple]:
        job = client.query(text, job_config=bigquery.QueryJobConfig(default_dataset=f"{client.project}.{dataset}"))
        return [tuple(row) for row in job.result()]
    return run


@pytest.mark.parametrize("text, rows", [
    ("SELECT 1 AS a; SELECT 2 AS b", [(2,)]),
    ("DECLARE x, y INT64 DEFAULT 5; SET x = x + 1; SELECT x, y", [(6, 5)]),
    ("DECLARE x DEFAULT [1, 2]; SET x = ARRAY_CONCAT(x, [3]); SELECT x", [([1, 2, 3],)]),
    ("DECLARE x STRUCT<a INT64, b STRING> DEFAULT (1, 'q'); SELECT x.a, x.b", [(1, "q")]),
    ("DECLARE m, n INT64; SET (m, n) = (3, 4); SELECT m * n", [(12,)]),
    ("DECLARE x INT64; DECLARE y STRING; SELECT x, y", [(None, None)]),
    ("IF 1 > 2 THEN SELECT 'a'; ELSEIF NULL THEN SELECT 'b'; ELSE SELECT 'c'; END IF", [("c",)]),
    ("CASE WHEN 1 = 2 THEN SELECT 'a'; ELSE SELECT 'b'; END CASE", [("b",)]),
    ("CASE 5 WHEN 4 THEN SELECT 'four'; WHEN 5 THEN SELECT 'five'; END CASE", [("five",)]),
    ("DECLARE c INT64 DEFAULT 0; LOOP SET c = c + 1; IF c >= 3 THEN BREAK; END IF; END LOOP; SELECT c", [(3,)]),
    ("DECLARE c, s INT64 DEFAULT 0; WHILE c < 5 DO SET c = c + 1; IF c = 2 THEN CONTINUE; END IF; SET s = s + c; END WHILE; SELECT s", [(13,)]),
    ("DECLARE c INT64 DEFAULT 0; REPEAT SET c = c + 2; UNTIL c > 5 END REPEAT; SELECT c", [(6,)]),
    ("DECLARE p INT64 DEFAULT 1; FOR r IN (SELECT v, 'x' AS t FROM UNNEST([2, 3, 5]) AS v) DO SET p = p * r.v; END FOR; SELECT p", [(30,)]),
    ("a: LOOP LOOP BREAK a; END LOOP; END LOOP; SELECT 'out'", [("out",)]),
    ("SELECT 1; RETURN; SELECT 2", [(1,)]),
    ("BEGIN DECLARE x INT64 DEFAULT 7; SELECT x; END", [(7,)]),
    ("DECLARE x INT64 DEFAULT 1; BEGIN DECLARE x INT64 DEFAULT 2; END; SELECT x", [(1,)]),
    ("DECLARE e STRING; BEGIN SELECT 1 / 0; EXCEPTION WHEN ERROR THEN SET e = @@error.message; END; SELECT e", [("division by zero: 1 / 0",)]),
    ("BEGIN BEGIN SELECT 1 / 0; EXCEPTION WHEN ERROR THEN RAISE; END; EXCEPTION WHEN ERROR THEN SELECT 'twice'; END", [("twice",)]),
    ("DECLARE y INT64; EXECUTE IMMEDIATE 'SELECT ? * 2' INTO y USING 21; SELECT y", [(42,)]),
    ("DECLARE y INT64; EXECUTE IMMEDIATE 'SELECT @v * 2' INTO y USING 21 AS v; SELECT y", [(42,)]),
])
def test_scripts(script, text, rows):
    assert script(text) == rows


def test_statements_see_each_other_and_the_variables(script):
    text = """DECLARE least INT64 DEFAULT 2;
              CREATE TABLE t (a INT64);
              INSERT INTO t VALUES (1), (2), (3);
              UPDATE t SET a = a * 10 WHERE a >= least;
              SELECT SUM(a) FROM t WHERE a > least"""
    assert script(text) == [(50,)]


@pytest.mark.parametrize("text, words", [
    ("SELECT 1;\n  SELECT nope", r"Unrecognized name: nope at \[2:10\]"), ("SELECT 1; SELECT 1 / 0", "division by zero: 1 / 0"),
    ("DECLARE x INT64; SET y = 1; SELECT x", "Undeclared variable: y"), ("DECLARE x INT64; SET x = 'a'; SELECT x", "Bad int64 value: a"),
    ("SELECT 1; RAISE USING MESSAGE = 'my own'", "my own"), ("SELECT 1; BREAK", "(?i)BREAK"), ("SELECT 1; SELEC 2", "Syntax error"),
    ("BEGIN SELECT 1", "Syntax error")])
def test_errors(script, text, words):
    with pytest.raises(BadRequest, match=words):
        script(text)


def test_child_jobs(client, dataset):
    job = client.query(f"CREATE TABLE {dataset}.t AS SELECT 1 AS a; SELECT a FROM {dataset}.t; SELECT a FROM {dataset}.t")
    job.result()
    children = list(client.list_jobs(parent_job=job.job_id))
    assert (job.statement_type, job.num_child_jobs, job.total_bytes_processed) == ("SCRIPT", 3, 16)
    assert [child.statement_type for child in children] == ["SELECT", "SELECT", "CREATE_TABLE_AS_SELECT"]
    assert {child.parent_job_id for child in children} == {job.job_id}
    assert children[0].job_id not in [listed.job_id for listed in client.list_jobs(max_results=50)]


def test_a_script_can_be_cancelled(client):
    job = client.query("DECLARE c INT64 DEFAULT 0; LOOP SET c = c + 1; END LOOP")
    assert job.running()
    job.cancel()
    with pytest.raises(Exception, match="cancelled"):
        job.result(timeout=60)


@pytest.mark.parametrize("text, words", [("BEGIN TRANSACTION; COMMIT TRANSACTION", "transactions of several statements"), ("SELECT 1; CALL p()", "CALL")])
def test_what_is_not_supported_says_so(script, text, words):
    with pytest.raises(Exception, match=f"does not support {words}"):
        script(text)
