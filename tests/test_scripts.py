"""Scripts through the client: variables, branches, loops, exceptions, dynamic SQL, child jobs."""
import datetime

import pytest
from google.api_core.exceptions import BadRequest, MethodNotImplemented, NotFound
from google.cloud import bigquery


@pytest.fixture
def script(client, dataset):
    """Run a script; its last result's rows."""
    def run(*texts: str) -> list[tuple]:
        for text in texts:
            rows = client.query(text, job_config=bigquery.QueryJobConfig(default_dataset=f"{client.project}.{dataset}")).result()
        return [tuple(row.values()) for row in rows]
    return run


@pytest.mark.parametrize("text, rows", [
    ("SELECT 1 AS a; SELECT 2 AS b", [(2,)]),
    ("DECLARE x, y INT64 DEFAULT 5; SET x = x + 1; SELECT x, y", [(6, 5)]),
    ("DECLARE x DEFAULT [1, 2]; SET x = ARRAY_CONCAT(x, [3]); SELECT x", [([1, 2, 3],)]),
    ("DECLARE x STRUCT<a INT64, b STRING> DEFAULT (1, 'q'); SELECT x.a, x.b", [(1, "q")]),
    ("DECLARE m, n INT64; SET (m, n) = (3, 4); SELECT m * n", [(12,)]),
    ("DECLARE x INT64; DECLARE y STRING; SELECT x, y", [(None, None)]),
    ("DECLARE n NUMERIC DEFAULT 1.5; DECLARE f FLOAT64 DEFAULT 1; DECLARE a ARRAY<FLOAT64> DEFAULT [1]; DECLARE d STRING(3) DEFAULT 'abc'; DECLARE i BIGINT DEFAULT 7; "
     "SET f = i; SELECT CAST(n AS STRING), f, a, d, i", [("1.5", 7.0, [1.0], "abc", 7)]),
    ("IF 1 > 2 THEN SELECT 'a'; ELSEIF NULL THEN SELECT 'b'; ELSE SELECT 'c'; END IF", [("c",)]),
    ("CASE WHEN 1 = 2 THEN SELECT 'a'; ELSE SELECT 'b'; END CASE", [("b",)]),
    ("CASE 5 WHEN 4 THEN SELECT 'four'; WHEN 5 THEN SELECT 'five'; END CASE", [("five",)]),
    ("DECLARE c INT64 DEFAULT 0; LOOP SET c = c + 1; IF c >= 3 THEN BREAK; END IF; END LOOP; SELECT c", [(3,)]),
    ("DECLARE c, s INT64 DEFAULT 0; WHILE c < 5 DO SET c = c + 1; IF c = 2 THEN CONTINUE; END IF; SET s = s + c; END WHILE; SELECT s", [(13,)]),
    ("DECLARE c INT64 DEFAULT 0; REPEAT SET c = c + 2; UNTIL c > 5 END REPEAT; SELECT c", [(6,)]),
    ("DECLARE p INT64 DEFAULT 1; FOR r IN (SELECT v, 'x' AS t FROM UNNEST([2, 3, 5]) AS v) DO SET p = p * r.v; END FOR; SELECT p", [(30,)]),
    ("a: LOOP LOOP BREAK a; END LOOP; END LOOP; SELECT 'out'", [("out",)]),
    ("SELECT 1; RETURN; SELECT 2", [(1,)]),
    ("SET @@location = 'EU'; SELECT @@location", [("EU",)]),
    ("BEGIN DECLARE x INT64 DEFAULT 7; SELECT x; END", [(7,)]),
    ("DECLARE x INT64 DEFAULT 1; BEGIN DECLARE x INT64 DEFAULT 2; END; SELECT x", [(1,)]),
    ("DECLARE e STRING; BEGIN SELECT 1 / 0; EXCEPTION WHEN ERROR THEN SET e = @@error.message; END; SELECT e", [("Query error: division by zero: 1 / 0 at [1:25]",)]),
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
    ("DECLARE x INT64; SET y = 1; SELECT x", "Undeclared variable: y"), ("DECLARE x INT64; SET x = 'a'; SELECT x", r"Cannot coerce expression 'a' to type INT64 at \[1:26\]"),
    ("SELECT 1; RAISE USING MESSAGE = 'my own'", "my own"), ("SELECT 1; BREAK", "(?i)BREAK"), ("SELECT 1; SELEC 2", "Syntax error"),
    ("BEGIN SELECT 1", "Syntax error"), ("SET y = 1", r"Undeclared variable: y at \[1:5\]"), ("SET (a, b) = (1, 2)", r"Undeclared variable: a at \[1:6\]"),
    ("DECLARE f FLOAT64 DEFAULT 1.5; DECLARE i INT64 DEFAULT f", "Cannot coerce expression f to type INT64"), ("IF 1 THEN SELECT 1; END IF", "to type BOOL"),
    *[(text, r"Variable declarations are allowed only at the start of a block or script at \[1:" + place) for text, place in (
        ("DECLARE x INT64; SELECT 1; DECLARE y INT64", "28"), ("IF TRUE THEN DECLARE y INT64; END IF", "14"), ("WHILE FALSE DO DECLARE q INT64; END WHILE", "16"),
        ("CASE WHEN TRUE THEN DECLARE y INT64; END CASE", "21"))]])
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


# System variables, errors -------------------------------------------------------------------------

def test_what_an_error_tells(script):
    text = """BEGIN
  SELECT 1 / 0;
EXCEPTION WHEN ERROR THEN
  SELECT @@error.message, @@error.statement_text, @@error.formatted_stack_trace, @@error.stack_trace[OFFSET(0)].line;
END"""
    assert script(text) == [("Query error: division by zero: 1 / 0 at [2:3]", "SELECT 1 / 0", "At [2:3]", 2)]
    assert script("BEGIN RAISE USING MESSAGE = 'mine'; EXCEPTION WHEN ERROR THEN SELECT @@error.message; END") == [("mine",)]
    assert script("BEGIN SELECT 1 / 0; EXCEPTION WHEN ERROR THEN END; SELECT @@error.message") == [(None,)]


def test_system_variables(client, dataset, script):
    assert script("SELECT @@project_id, @@dataset_id, @@time_zone, @@session_id") == [(client.project, dataset, "UTC", None)]
    assert script("CREATE TABLE t (a INT64); INSERT INTO t VALUES (1), (2); SELECT @@row_count, @@script.num_child_jobs, @@script.bytes_processed") == [(2, 2, 0)]
    assert script("SELECT 1; SELECT @@last_job_id LIKE 'script_job_%', @@script.job_id = @@current_job_id") == [(True, False)]
    job = client.query(f"SET @@dataset_id = '{dataset}'; SET @@query_label = 'team:red'; SELECT COUNT(*) FROM t")
    assert [tuple(row) for row in job.result()] == [(2,)]
    (child,) = client.list_jobs(parent_job=job.job_id)
    assert client.get_job(child.job_id).labels == {"team": "red"}
    text = "SET @@time_zone = 'Asia/Tokyo'; SELECT DATE(t), @@time_zone FROM UNNEST([TIMESTAMP '2024-01-05 22:00:00+00']) AS t"
    assert script(text) == [(datetime.date(2024, 1, 6), "Asia/Tokyo")] and script(text.partition(";")[2]) == [(datetime.date(2024, 1, 5), "UTC")]
    with pytest.raises(BadRequest, match="Invalid time zone: Mars/Base"):
        script("SET @@time_zone = 'Mars/Base'; SELECT 1")
    with pytest.raises(BadRequest, match="Cannot assign to system variable @@project_id"):
        script("SET @@project_id = 'p'; SELECT 1")


def test_stack_frames_and_expressions(client, dataset, script):
    script("CREATE TABLE t AS SELECT 5 AS a")
    job = client.query(f"DECLARE x INT64 DEFAULT (SELECT MAX(a) FROM {dataset}.t);\nSELECT x,\n  x + 1")
    assert [tuple(row) for row in job.result()] == [(5, 6)]
    select, declare = client.list_jobs(parent_job=job.job_id)
    assert (job.num_child_jobs, job.total_bytes_processed) == (2, 8)
    assert (declare.script_statistics.evaluation_kind, select.script_statistics.evaluation_kind) == ("EXPRESSION", "STATEMENT")
    (frame,) = select.script_statistics.stack_frames
    assert (frame.start_line, frame.start_column, frame.end_line, frame.end_column, frame.text) == (2, 1, 3, 8, "SELECT x,\n  x + 1")


@pytest.mark.parametrize("text, rows", [
    ("DECLARE x INT64 DEFAULT 0; LOOP SET x = x + 1; IF x > 3 THEN LEAVE; END IF; ITERATE; END LOOP; SELECT x", [(4,)]),
    ("DECLARE x ARRAY<STRUCT<a INT64, b STRING>> DEFAULT [(1, 'q')]; DECLARE y STRING; EXECUTE IMMEDIATE 'SELECT @v[OFFSET(0)].b' INTO y USING x AS v; SELECT y",
     [("q",)]),
    ("DECLARE t TIMESTAMP DEFAULT '2020-01-02 03:04:05.000006+00'; DECLARE y INT64; EXECUTE IMMEDIATE 'SELECT UNIX_MICROS(?)' INTO y USING t; SELECT y",
     [(1577934245000006,)]),
    ("DECLARE r RANGE<TIMESTAMP>; SET r = RANGE(NULL, TIMESTAMP '2024-01-01'); EXECUTE IMMEDIATE 'SELECT FORMAT_TIMESTAMP(\"%F\", RANGE_END(?))' USING r", [("2024-01-01",)]),
    ("DECLARE a ARRAY<RANGE<DATE>> DEFAULT [RANGE(DATE '2024-01-01', NULL)]; SELECT CAST(a[0] AS STRING)", [("[2024-01-01, UNBOUNDED)",)]),
    ("DECLARE i INTERVAL DEFAULT INTERVAL '1-2 3 4:5:6' YEAR TO SECOND; SELECT CAST(i AS STRING)", [("1-2 3 4:5:6",)]),
    ("CREATE TEMP FUNCTION f(x INT64) AS (x * 2); SELECT f(2); SELECT f(3)", [(6,)]),
    ("ASSERT 1 = 1; SELECT 'held'", [("held",)]),
    ("EXECUTE IMMEDIATE 'SELECT 1 AS a, ? AS b' USING 'q'", [(1, "q")]),
    ("BEGIN BEGIN DECLARE x INT64 DEFAULT 1; BEGIN SELECT x; END; END; END", [(1,)]),
])
def test_more_scripts(script, text, rows):
    assert script(text) == rows


@pytest.mark.parametrize("text, words", [
    ("-- only a comment\n", r"Syntax error: Unexpected end of script at \[2:1\]"), (";", "Syntax error: Unexpected"),
    ("SELECT 1;\nASSERT 1 = 2 AS 'no way'", r"Query error: Assertion failed: no way at \[2:1\]"),
    ("SELECT 1; SELECT CAST('a' AS INT64)", r"Query error: Bad int64 value: a at \[1:11\]"), ("SELECT 1; RAISE USING MESSAGE = 'mine'", r"mine at \[1:11\]"),
    ("CREATE TEMP FUNCTION f() AS (1); DROP FUNCTION f; SELECT f()", "Function not found: f"), ("COMMIT", "supported only in scripts or sessions"),
    ("CREATE TEMP TABLE x AS SELECT 1 AS a", "requires a script or session"),
    ("DECLARE x; SELECT x", r'Syntax error: Unexpected ";" at \[1:10\]'), ("SELECT 2; SELEC", r'Syntax error: Unexpected identifier "SELEC" at \[1:11\]'),
    ("a: LOOP BREAK a; END LOOP b", r"Mismatched end label; expected a, got b at \[1:27\]"), ("RAISE USING MESSAGE = NULL", r"at \[1:1\]"),
    ("SELECT 1; SET @@location = 'EU'", "@@location can only be set by the first statement"),
    ("EXECUTE IMMEDIATE 'SELECT 1; SELECT 2'", r"Syntax error: Expected end of input but got keyword SELECT at \[1:11\]"),
    ("EXECUTE IMMEDIATE 'IF TRUE THEN SELECT 1; END IF'", "Syntax error: Unexpected keyword IF"),
    *[(f"DECLARE x INT64; EXECUTE IMMEDIATE '{text}'", f"EXECUTE IMMEDIATE can't run the statement {text}") for text in (
        "EXECUTE IMMEDIATE @a", "SET x = 1", "BEGIN TRANSACTION")]])
def test_more_errors(script, text, words):
    with pytest.raises(BadRequest, match=words):
        script(text)


# Temporary tables ---------------------------------------------------------------------------------

def test_temporary_tables(client, dataset, script):
    text = """CREATE TEMP TABLE x AS SELECT 1 AS a;
              INSERT INTO x VALUES (2);
              UPDATE _SESSION.x SET a = a * 10 WHERE true;
              CREATE OR REPLACE TABLE kept AS SELECT SUM(a) AS a FROM x;
              DROP TABLE x;
              CREATE TEMP TABLE x (b STRING);
              SELECT (SELECT COUNT(*) FROM x), a FROM kept"""
    assert script(text) == [(0, 30)]
    with pytest.raises(Exception, match="Not found: Table"):
        script("SELECT * FROM x")
    assert not [found.dataset_id for found in client.list_datasets(include_all=True) if found.dataset_id.startswith("_script")]


# Procedures ---------------------------------------------------------------------------------------

def test_procedures(client, script):
    script("CREATE PROCEDURE p(IN x INT64, OUT y STRING, INOUT z INT64) BEGIN SET y = CONCAT('got ', CAST(x AS STRING)); SET z = z + x; SELECT z; END")
    assert script("DECLARE a STRING; DECLARE b INT64 DEFAULT 10; CALL p(5, a, b); SELECT a, b") == [("got 5", 15)]
    assert script("DECLARE a STRING; DECLARE b INT64 DEFAULT 1; CALL p(1, a, b)") == [(2,)]
    script("CREATE PROCEDURE factorial(n INT64, OUT f INT64) OPTIONS (strict_mode = FALSE) BEGIN IF n <= 1 THEN SET f = 1; RETURN; END IF; "
           "BEGIN DECLARE g INT64; CALL factorial(n - 1, g); SET f = n * g; END; END")
    assert script("DECLARE f INT64; CALL factorial(5, f); SELECT f") == [(120,)]
    script("CREATE PROCEDURE same(x ANY TYPE, OUT y ANY TYPE) BEGIN SET y = x; END")
    assert script("DECLARE y STRING; CALL same('q', y); SELECT y") == [("q",)]


def test_dynamic_sql_calls_procedures(script):
    script("CREATE PROCEDURE twice(INOUT x INT64) BEGIN SET x = x * 2; END")
    assert script("DECLARE n INT64 DEFAULT 4; EXECUTE IMMEDIATE 'CALL twice(n)'; SELECT n") == [(8,)]
    with pytest.raises(MethodNotImplemented, match="a CALL with USING or INTO"):
        script("DECLARE n INT64 DEFAULT 4; EXECUTE IMMEDIATE 'CALL twice(n)' USING 1 AS a")


def test_a_procedures_job(client, dataset, script):
    script("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END")
    job = client.query(f"CALL {dataset}.p()")
    assert [tuple(row) for row in job.result()] == [(2,)]
    assert (job.statement_type, job.num_child_jobs) == ("SCRIPT", 2)
    child, _ = client.list_jobs(parent_job=job.job_id)
    inner, outer = child.script_statistics.stack_frames
    assert (inner.procedure_id, inner.text, outer.procedure_id, outer.text) == (f"{client.project}.{dataset}.p", "SELECT 2", None, f"CALL {dataset}.p()")


def test_errors_in_procedures(client, dataset, script):
    name = f"{client.project}.{dataset}"
    script("CREATE PROCEDURE inner_one() BEGIN\n  SELECT 1 / 0; END", "CREATE PROCEDURE outer_one() BEGIN CALL inner_one(); END")
    with pytest.raises(BadRequest, match=rf"Query error: division by zero: 1 / 0 at \[{name}.inner_one:2:3\]"):
        script("CALL outer_one()")
    assert script("BEGIN CALL outer_one(); EXCEPTION WHEN ERROR THEN SELECT @@error.formatted_stack_trace; END") == [
        (f"At {name}.inner_one[2:3]\nAt {name}.outer_one[1:7]\nAt [1:7]",)]
    for text, words in (("CALL none()", r"Procedure not found: none at \[1:6\]"), ("CALL outer_one(1)", "No matching signature for procedure"),
                        ("CREATE PROCEDURE bad() BEGIN SELEC 1; END", "Syntax error"), ("SELECT 1; CALL inner_one()", "division by zero")):
        with pytest.raises(BadRequest, match=words):
            script(text)
    script("CREATE PROCEDURE out_one(OUT x INT64) BEGIN SET x = 1; END")
    with pytest.raises(BadRequest, match="a variable must be given"):
        script("CALL out_one(1)")
    script("CREATE PROCEDURE again() OPTIONS (strict_mode = FALSE) BEGIN CALL again(); END")
    with pytest.raises(BadRequest, match="nested"):
        script("CALL again()")


# Transactions -------------------------------------------------------------------------------------

@pytest.fixture
def ledger(script):
    script("CREATE TABLE ledger AS SELECT 1 AS id, 100 AS amount")
    return lambda: script("SELECT id, amount FROM ledger ORDER BY id")


def test_a_transaction_is_seen_inside_and_kept_at_once(client, dataset, script, ledger):
    job = client.query(f"""BEGIN TRANSACTION;
      INSERT INTO {dataset}.ledger VALUES (2, 200);
      UPDATE {dataset}.ledger SET amount = amount + 1 WHERE true;
      DELETE FROM {dataset}.ledger WHERE id = 1;
      CREATE TEMP TABLE seen AS SELECT * FROM {dataset}.ledger;
      COMMIT TRANSACTION;
      SELECT * FROM seen""")
    assert [tuple(row) for row in job.result()] == [(2, 201)]
    assert ledger() == [(2, 201)]
    children = list(client.list_jobs(parent_job=job.job_id))
    assert [child.statement_type for child in children[::-1]] == [
        "BEGIN_TRANSACTION", "INSERT", "UPDATE", "DELETE", "CREATE_TABLE_AS_SELECT", "COMMIT_TRANSACTION", "SELECT"]
    identifiers = {child.transaction_info.transaction_id for child in children if child.transaction_info}
    assert len(identifiers) == 1


@pytest.mark.parametrize("text", [
    "BEGIN TRANSACTION; INSERT INTO ledger VALUES (2, 200); ROLLBACK TRANSACTION", "BEGIN TRANSACTION; DELETE FROM ledger WHERE true; SELECT 1 / 0; COMMIT",
    "BEGIN TRANSACTION; INSERT INTO ledger VALUES (2, 200)", "BEGIN TRANSACTION; TRUNCATE TABLE ledger; CREATE TABLE u (a INT64); COMMIT",
    "BEGIN BEGIN TRANSACTION; INSERT INTO ledger VALUES (2, 2); SELECT 1 / 0; COMMIT; EXCEPTION WHEN ERROR THEN SELECT @@error.message; ROLLBACK; END"])
def test_what_is_rolled_back(script, ledger, text):
    try:
        script(text)
    except BadRequest as error:
        assert "division by zero" in str(error) or "DDL statements are not supported in a transaction" in str(error)
    assert ledger() == [(1, 100)]


def test_a_transaction_goes_on_after_an_error_that_was_handled(script):
    script("CREATE TABLE book (id INT64, code STRING, span INTERVAL, place GEOGRAPHY, parts ARRAY<STRUCT<x BIGNUMERIC>>, hour TIME)")
    assert script("""BEGIN TRANSACTION;
        INSERT INTO book VALUES (1, GENERATE_UUID(), INTERVAL '1-2 3 4:5:6.7' YEAR TO SECOND, ST_GEOGPOINT(1, 2), [STRUCT(BIGNUMERIC "1.5")], '12:00:00.123456');
        CREATE TEMP TABLE codes AS SELECT code FROM book;
        BEGIN INSERT INTO book (id) SELECT CAST(code AS INT64) FROM book; EXCEPTION WHEN ERROR THEN SELECT @@error.message; END;
        INSERT INTO book (id) VALUES (2), (3);
        BEGIN DELETE FROM book WHERE id = 3; SELECT ERROR('again'); EXCEPTION WHEN ERROR THEN UPDATE book SET id = 20 WHERE id = 2; END;
        COMMIT TRANSACTION;
        SELECT id, code IN (SELECT code FROM codes), CAST(span AS STRING), ST_ASTEXT(place), ARRAY_LENGTH(parts), CAST(hour AS STRING) FROM book ORDER BY id""") == [
        (1, True, "1-2 3 4:5:6.700", "POINT(1 2)", 1, "12:00:00.123456"), (20, None, None, None, 0, None)]
    assert script("BEGIN TRANSACTION; TRUNCATE TABLE book; BEGIN SELECT 1 / 0; EXCEPTION WHEN ERROR THEN SELECT 1; END; SELECT COUNT(*) FROM book") == [(0,)]
    assert script("SELECT COUNT(*) FROM book") == [(2,)]


def test_a_table_is_replaced_by_what_is_read_from_it(script):
    rows = script("""CREATE TEMP TABLE t AS SELECT 1 AS x; CREATE OR REPLACE TEMP TABLE t AS SELECT x + 1 AS x FROM t;
        BEGIN TRANSACTION; CREATE OR REPLACE TEMP TABLE t AS SELECT x * 10 AS x FROM t; COMMIT TRANSACTION; SELECT x FROM t""")
    assert rows == [(20,)]


def test_others_read_what_was_before(client, dataset, ledger):
    session = Session(client, dataset)
    session("BEGIN TRANSACTION")
    session("INSERT INTO ledger VALUES (2, 200)")
    assert ledger() == [(1, 100)]
    assert session("SELECT COUNT(*) FROM ledger") == [(2,)]
    waiting = client.query(f"INSERT INTO {dataset}.ledger VALUES (3, 300)")
    session("COMMIT TRANSACTION")
    waiting.result()
    assert ledger() == [(1, 100), (2, 200), (3, 300)]


def test_what_transactions_refuse(script):
    for text, words in (("BEGIN TRANSACTION; BEGIN TRANSACTION", "already open"), ("SELECT 1; COMMIT", "no open transaction"), ("ROLLBACK", "only in scripts or sessions")):
        with pytest.raises(BadRequest, match=words):
            script(text)


def test_system_procedures(client, dataset, script):
    script("CREATE TABLE base AS SELECT 1 AS a", f"CREATE MATERIALIZED VIEW summed AS SELECT SUM(a) AS s FROM {dataset}.base")
    script(f"CALL BQ.REFRESH_MATERIALIZED_VIEW('{client.project}.{dataset}.summed')")
    for text, words in (("REFRESH_MATERIALIZED_VIEW('base')", "currently a TABLE"), ("REFRESH_MATERIALIZED_VIEW('none')", "Not found: Table"),
                        ("JOBS.CANCEL('none')", "Not found: Job")):
        with pytest.raises((BadRequest, NotFound), match=words):
            script(f"CALL BQ.{text}")
    with pytest.raises(MethodNotImplemented, match="the procedure BQ.REFRESH_EXTERNAL_METADATA_CACHE"):
        script("CALL BQ.REFRESH_EXTERNAL_METADATA_CACHE('base')")


# Sessions -----------------------------------------------------------------------------------------

class Session:
    """Runs statements in one session; their rows."""

    def __init__(self, client, dataset: str):
        self.client, self.dataset = client, f"{client.project}.{dataset}"
        job = client.query("SELECT 1", job_config=bigquery.QueryJobConfig(create_session=True))
        job.result()
        self.id = job.session_info.session_id

    def __call__(self, text: str) -> list[tuple]:
        config = bigquery.QueryJobConfig(default_dataset=self.dataset, connection_properties=[bigquery.ConnectionProperty("session_id", self.id)])
        self.job = self.client.query(text, job_config=config)
        return [tuple(row.values()) for row in self.job.result()]


def test_a_session_keeps_what_its_queries_make(client, dataset):
    session, other = Session(client, dataset), Session(client, dataset)
    session("CREATE TEMP TABLE x AS SELECT 1 AS a")
    session("DECLARE v INT64 DEFAULT 5")
    session("CREATE TEMP FUNCTION f(x INT64) AS (x + 1)")
    session("SET v = v + 1; INSERT INTO x VALUES (v)")
    assert session("SELECT SUM(a), f(v), @@session_id FROM x") == [(7, 7, session.id)]
    assert session.job.session_info.session_id == session.id != other.id
    for text in ("SELECT * FROM x", "SELECT v", "SELECT f(1)"):
        with pytest.raises(Exception, match="Not found|not found|Unrecognized name"):
            other(text)
    session("CALL BQ.ABORT_SESSION()")
    with pytest.raises(BadRequest, match="Invalid input session id."):
        session("SELECT 1")
    other(f"CALL BQ.ABORT_SESSION('{other.id}')")
    assert not [found.dataset_id for found in client.list_datasets(include_all=True) if found.dataset_id.startswith("_script")]


def test_a_sessions_table_is_read_from_outside_by_its_whole_name(client, dataset):
    session = Session(client, dataset)
    session("CREATE TEMP TABLE `_SESSION`.`a-1` (n INT64) CLUSTER BY n")
    table = session.job.destination
    client.load_table_from_json([{"n": 1}], table, job_config=bigquery.LoadJobConfig(write_disposition="WRITE_APPEND")).result()
    assert [row.n for row in client.query_and_wait(f"SELECT n FROM `{table}`")] == [1] and session("SELECT n FROM `a-1`") == [(1,)]


def test_a_session_keeps_its_system_variables(client, dataset, script):
    script("CREATE TABLE here AS SELECT 1 AS a")
    session = Session(client, dataset)
    session.dataset = None
    session(f"SET @@dataset_id = '{dataset}'")
    assert session("SELECT a, @@dataset_id FROM here") == [(1, dataset)]


def test_the_query_method_tells_the_session(api):
    answer = api("POST", "queries", {"query": "SELECT 1", "useLegacySql": False, "createSession": True}).json()
    properties = [{"key": "session_id", "value": answer["sessionInfo"]["sessionId"]}]
    answer = api("POST", "queries", {"query": "SELECT @@session_id", "useLegacySql": False, "connectionProperties": properties}).json()
    assert answer["rows"][0]["f"][0]["v"] == properties[0]["value"]


def test_an_unknown_session_is_refused(client, dataset):
    with pytest.raises(BadRequest, match="Invalid input session id."):
        client.query("SELECT 1", job_config=bigquery.QueryJobConfig(connection_properties=[bigquery.ConnectionProperty("session_id", "nope")])).result()
    config = bigquery.QueryJobConfig(connection_properties=[bigquery.ConnectionProperty("time_zone", "Asia/Tokyo")])
    assert [tuple(row) for row in client.query("SELECT EXTRACT(HOUR FROM TIMESTAMP '2024-01-05 22:00:00+00')", job_config=config).result()] == [(7,)]
    with pytest.raises(Exception, match="does not support the connection property service_account"):
        client.query("SELECT 1", job_config=bigquery.QueryJobConfig(connection_properties=[bigquery.ConnectionProperty("service_account", "a@b.c")])).result()
