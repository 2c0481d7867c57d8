"""Functions, table functions and procedures: by REST through the client, by SQL, and called."""
import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound
from google.cloud import bigquery
from google.cloud.bigquery import Routine, RoutineArgument, StandardSqlDataType, StandardSqlTypeNames

INT64 = StandardSqlDataType(StandardSqlTypeNames.INT64)


@pytest.fixture
def run(client, dataset):
    """Run statements one after another; the rows of the last."""
    config = {"default_dataset": f"{client.project}.{dataset}"}

    def run(*texts: str) -> list[tuple]:
        for text in texts:
            rows = client.query(text, job_config=bigquery.QueryJobConfig(**config)).result()
        return [tuple(row.values()) for row in rows]
    return run


@pytest.fixture
def path(client, dataset):
    return f"{client.project}.{dataset}"


def addition(path: str) -> Routine:
    return Routine(f"{path}.add", type_="SCALAR_FUNCTION", language="SQL", body="x + y", return_type=INT64,
                   arguments=[RoutineArgument(name=name, data_type=INT64) for name in ("x", "y")])


# REST ---------------------------------------------------------------------------------------------

def test_life_of_a_routine(client, path, run):
    made = client.create_routine(addition(path))
    assert run("SELECT add(1, 2)") == [(3,)]
    assert (made.type_, made.language, made.body, made.return_type.type_kind) == ("SCALAR_FUNCTION", "SQL", "x + y", "INT64")
    assert made.created and made.etag
    with pytest.raises(Conflict, match="Already Exists: Routine"):
        client.create_routine(addition(path))
    made.body, made.description = "x * y", "not what it says"
    changed = client.update_routine(made, ["body", "description", "arguments", "language", "return_type", "type_"])
    assert (changed.description, changed.created, run("SELECT add(3, 4)")) == ("not what it says", made.created, [(12,)])
    assert client.get_routine(f"{path}.add").to_api_repr() == changed.to_api_repr()
    client.delete_routine(f"{path}.add")
    with pytest.raises(NotFound, match="Not found: Routine"):
        client.get_routine(f"{path}.add")
    with pytest.raises(BadRequest, match="Function not found: add"):
        run("SELECT add(1, 2)")


def test_an_old_etag_is_refused(api, client, dataset, path):
    client.create_routine(addition(path))
    body = api("GET", f"datasets/{dataset}/routines/add").json()
    assert api.error("PUT", f"datasets/{dataset}/routines/add", body, headers={"If-Match": "old"})[0] == 412
    assert api("PUT", f"datasets/{dataset}/routines/add", body, headers={"If-Match": body["etag"]}).status_code == 200


def test_lists(api, client, dataset, path, run):
    run("CREATE FUNCTION f(x INT64) AS (x)", "CREATE TABLE FUNCTION t() AS SELECT 1 AS a", "CREATE PROCEDURE p() BEGIN END",
        "CREATE AGGREGATE FUNCTION a(x INT64) AS (SUM(x))")
    assert {routine.routine_id: routine.type_ for routine in client.list_routines(dataset)} == {
        "f": "SCALAR_FUNCTION", "t": "TABLE_VALUED_FUNCTION", "p": "PROCEDURE", "a": "AGGREGATE_FUNCTION"}
    listed = api("GET", f"datasets/{dataset}/routines?filter=routineType:PROCEDURE&readMask=definitionBody").json()["routines"]
    assert [(routine["routineReference"]["routineId"], routine["definitionBody"]) for routine in listed] == [("p", "BEGIN END")]
    first = api("GET", f"datasets/{dataset}/routines?maxResults=3").json()
    rest = api("GET", f"datasets/{dataset}/routines?pageToken={first['nextPageToken']}").json()
    assert [len(first["routines"]), len(rest["routines"])] == [3, 1]


@pytest.mark.parametrize("change, words", [
    ({"definitionBody": None}, "Required parameter is missing"), ({"routineType": "NONE"}, "NONE is not a valid value"),
    ({"definitionBody": "x + z"}, "Unrecognized name: z"), ({"routineReference": {"routineId": "a-b"}}, 'Invalid routine ID "a-b"'),
    ({"definitionBody": "'a'"}, "incompatible type STRING")])
def test_bad_routines_are_refused(api, dataset, change, words):
    body = {"routineReference": {"routineId": "f"}, "routineType": "SCALAR_FUNCTION", "definitionBody": "x", "returnType": {"typeKind": "INT64"},
            "arguments": [{"name": "x", "dataType": {"typeKind": "INT64"}}]} | change
    code, _, message = api.error("POST", f"datasets/{dataset}/routines", body)
    assert code == 400 and words in message


def test_a_dataset_goes_with_its_routines(client, dataset, path):
    client.create_routine(addition(path))
    with pytest.raises(BadRequest, match="still in use"):
        client.delete_dataset(dataset)
    client.delete_dataset(dataset, delete_contents=True)
    client.create_dataset(dataset)
    assert list(client.list_routines(dataset)) == []


# Functions in SQL ---------------------------------------------------------------------------------

@pytest.mark.parametrize("create, query, rows", [
    ("(x INT64) AS (x + 1)", "SELECT f(f(2)), f(x => 5)", [(4, 6)]),
    ("(x ANY TYPE) AS (x * x)", "SELECT f(3), f(1.5), f(NULL)", [(9, 2.25, None)]),
    ("(x ANY TYPE) AS (x - x)", "SELECT f(RAND()), f(RAND() + f(RAND() * 2))", [(0.0, 0.0)]),
    ("(s STRING, n INT64) RETURNS STRING AS (REPEAT(s, n) || '{0} c1 ' || s)", "SELECT f(CONCAT(a, a), 2) FROM UNNEST(['q', 'r']) AS a WITH OFFSET ORDER BY offset",
     [("qqqq{0} c1 qq",), ("rrrr{0} c1 rr",)]),
    ("(a ARRAY<INT64>) AS ((SELECT STRUCT(MAX(v) AS top, COUNT(*) AS n) FROM UNNEST(a) AS v))", "SELECT f([3, 9]).top, f([]).n", [(9, 0)]),
    ("(n INT64) AS (CASE WHEN n > 1 THEN 'many' ELSE 'one' END)", "SELECT f(v), COUNT(*) FROM UNNEST([1, 2, 3]) AS v GROUP BY 1 ORDER BY 2",
     [("one", 1), ("many", 2)]),
    ("(y INT64) AS (y * 2)", "SELECT (SELECT SUM(f(v + o)) FROM UNNEST([1, 2]) AS v) FROM UNNEST([10, 20]) AS o WITH OFFSET ORDER BY offset", [(46,), (86,)]),
    ("() AS (7)", "SELECT f() + f()", [(14,)]),
    ("(n INT64) AS (n -- a comment ends it\n)", "SELECT f(3)", [(3,)]),
    ("(h STRUCT<n INT64, v ARRAY<INT64>>) RETURNS STRUCT<n FLOAT64, `range` ARRAY<STRUCT<a INT64, b FLOAT64>>> AS (STRUCT(h.n, ARRAY(SELECT AS STRUCT x, x / 1 FROM UNNEST(h.v) AS x) AS `range`))",
     "SELECT f(STRUCT(1 AS n, [2] AS v)).`range`[0].b, f(STRUCT(1 AS n, [2] AS v)).n", [(2.0, 1.0)]),
    # Arguments inside WITH
    ("(n INT64) AS ((WITH a AS (SELECT n + 1 AS b), c AS (SELECT b * 2 AS d FROM a) SELECT c.d + x.d FROM c, c AS x, a))", "SELECT f(v) FROM UNNEST([1, 2]) AS v ORDER BY 1",
     [(8,), (12,)]),
    ("(list ANY TYPE) AS ((WITH a AS (SELECT v FROM UNNEST(list) AS v) SELECT (WITH b AS (SELECT MAX(v) AS v FROM a) SELECT v FROM b) + (SELECT MIN(a.v) FROM a)))",
     "SELECT f([7, 1, 3])", [(8,)]),
    ("(t STRING) AS ((WITH `é` AS (SELECT c, o FROM UNNEST(SPLIT(t, '')) AS c WITH OFFSET o) SELECT STRING_AGG(c, '' ORDER BY o DESC) FROM `é`))", "SELECT f('añb')", [("bña",)]),
    ("() AS ((WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 4), b AS (SELECT n FROM a) SELECT SUM(n) FROM b))", "SELECT f()", [(10,)]),
])
def test_functions(run, create, query, rows):
    assert run(f"CREATE FUNCTION f{create}", query) == rows


def test_every_way_to_name_a_function(run, client, dataset):
    run(f"CREATE FUNCTION `{client.project}.{dataset}.f`(x INT64) AS (x)")
    for name in (f"{dataset}.f", f"`{client.project}`.{dataset}.f", f"`{client.project}.{dataset}`.f", f"`{client.project}.{dataset}.f`", "f"):
        assert run(f"SELECT {name}(5)") == [(5,)]


def test_names_in_a_body_are_of_the_functions_project(client, dataset):
    other = bigquery.Client("other-project", client._credentials, client_options={"api_endpoint": client._connection.API_BASE_URL})
    other.create_dataset(dataset)
    other.query_and_wait(f"CREATE FUNCTION {dataset}.one() AS (1); CREATE FUNCTION {dataset}.two() AS ({dataset}.one() + 1)")
    for _ in range(2):
        assert [tuple(row) for row in client.query_and_wait(f"SELECT `other-project`.{dataset}.two()")] == [(2,)]
    other.delete_dataset(dataset, delete_contents=True)


def test_functions_read_tables(client, run, path, dataset):
    run("CREATE TABLE t AS SELECT * FROM UNNEST([1, 2, 3]) AS a", f"CREATE FUNCTION above(n INT64) AS ((SELECT SUM(a) FROM {dataset}.t WHERE a > n))",
        f"CREATE FUNCTION twice(n INT64) AS (2 * {dataset}.above(n))")
    assert run("SELECT a, twice(a) FROM t ORDER BY a") == [(1, 10), (2, 6), (3, None)]
    run("INSERT INTO t VALUES (10)")
    assert run("SELECT twice(2)") == [(26,)]
    job = client.query(f"SELECT {dataset}.twice(0)", job_config=bigquery.QueryJobConfig(dry_run=True))
    assert job.total_bytes_processed == 32
    job = client.query(f"SELECT {dataset}.twice(0)")
    job.result()
    assert {found["routineId"] for found in job._properties["statistics"]["query"]["referencedRoutines"]} == {"above", "twice"}


def test_table_functions(client, dataset, run):
    run("CREATE TABLE t AS SELECT a, CAST(a AS STRING) AS s FROM UNNEST([1, 2, 3]) AS a",
        f"CREATE TABLE FUNCTION above(n INT64) AS (SELECT a, s FROM {dataset}.t WHERE a > n)",
        f"CREATE TABLE FUNCTION odd(n INT64) RETURNS TABLE<a INT64> AS SELECT a FROM {dataset}.above(n) WHERE MOD(a, 2) = 1")
    assert run("SELECT * FROM above(1) ORDER BY a") == [(2, "2"), (3, "3")]
    assert run("SELECT x.a, y.s FROM odd(0) AS x JOIN above((SELECT MIN(a) FROM t)) AS y ON x.a = y.a") == [(3, "3")]
    assert run("CREATE VIEW v AS SELECT a FROM " + f"{dataset}.above(2)", "SELECT * FROM v") == [(3,)]


def test_tables_as_arguments(run, dataset):
    run("CREATE TABLE t AS SELECT a FROM UNNEST([1, 5]) AS a", "CREATE TABLE FUNCTION big(x TABLE<a INT64>, n INT64) AS SELECT a FROM x WHERE a > n")
    assert run(f"SELECT a FROM big(TABLE {dataset}.t, 2)") == [(5,)]
    assert run("SELECT a FROM big((SELECT 7 AS a), 2)") == [(7,)]


def test_functions_in_changes_and_views(run, dataset):
    run("CREATE FUNCTION f(x INT64) AS (x * 2)", "CREATE TABLE t AS SELECT a FROM UNNEST([1, 5]) AS a", "UPDATE t SET a = f(a) WHERE f(a) > 2",
        "INSERT INTO t SELECT f(a) + 1 FROM t", f"MERGE t USING (SELECT {dataset}.f(5) AS k) ON a = k WHEN MATCHED THEN UPDATE SET a = f(k)",
        f"CREATE VIEW v AS SELECT {dataset}.f(a) AS b FROM {dataset}.t")
    assert run("SELECT b FROM v ORDER BY b") == [(2,), (6,), (40,), (42,)]


def test_permissions(client):
    routine = addition("bigquery-public-data.samples")
    with pytest.raises(Forbidden, match="Permission bigquery.routines.create denied on dataset bigquery-public-data:samples"):
        client.create_routine(routine)
    with pytest.raises(Forbidden, match="Permission bigquery.routines.delete denied on routine bigquery-public-data:samples.add"):
        client.delete_routine(routine.reference)
    with pytest.raises(Forbidden, match="Permission bigquery.routines.create denied on routine bigquery-public-data:samples.f"):
        client.query("CREATE FUNCTION `bigquery-public-data.samples.f`() AS (1)").result()


def test_policies(api, client, dataset, path):
    client.create_routine(addition(path))
    at = f"datasets/{dataset}/routines/add"
    policy = api("POST", f"{at}:setIamPolicy", {"policy": {"bindings": [{"role": "roles/bigquery.dataViewer", "members": ["user:ann@example.com"]}]}}).json()
    assert api("POST", f"{at}:getIamPolicy", {}).json() == policy
    asked = {"permissions": ["bigquery.routines.get", "bigquery.routines.update", "bigquery.routines.getData"]}
    as_ann = {"headers": {"Authorization": "Bearer ann@example.com"}}
    assert api("POST", f"{at}:testIamPermissions", asked, **as_ann).json() == {"permissions": ["bigquery.routines.get"]}
    assert api("POST", f"{at}:testIamPermissions", asked).json() == {"permissions": ["bigquery.routines.get", "bigquery.routines.update"]}
    client.delete_routine(f"{path}.add")
    client.create_routine(addition(path))
    assert "bindings" not in api("POST", f"{at}:getIamPolicy", {}).json()


def test_a_dry_run_makes_nothing(client, dataset):
    job = client.query(f"CREATE FUNCTION {dataset}.f() AS (1)", job_config=bigquery.QueryJobConfig(dry_run=True))
    assert (job.ddl_operation_performed, job.ddl_target_routine.routine_id, list(client.list_routines(dataset))) == ("CREATE", "f", [])
    with pytest.raises(BadRequest, match="Unrecognized name: nope"):
        client.query(f"CREATE FUNCTION {dataset}.f() AS (nope)", job_config=bigquery.QueryJobConfig(dry_run=True))


def test_aggregate_functions(run):
    run("CREATE AGGREGATE FUNCTION span(x FLOAT64, unit FLOAT64 NOT AGGREGATE) AS ((MAX(x) - MIN(x)) / unit)")
    assert run("SELECT k, span(v, 2) FROM UNNEST([STRUCT('a' AS k, 1 AS v), ('a', 5), ('b', 3)]) GROUP BY k ORDER BY k") == [("a", 2.0), ("b", 0.0)]


def test_a_changed_function_is_seen(run):
    run("CREATE FUNCTION f() AS (1)", "CREATE FUNCTION g() AS (f() + 1)")
    assert run("SELECT g()") == [(2,)]
    assert run("CREATE OR REPLACE FUNCTION f() AS ('a' = 'a')", "CREATE OR REPLACE FUNCTION g() AS (f())", "SELECT g()") == [(True,)]


@pytest.mark.parametrize("texts, words", [
    (["SELECT nosuch(1)"], r"Function not found: nosuch; Did you mean cosh\? at \[1:8\]"), (["SELECT * FROM nosuch(1)"], "Table-valued function not found: nosuch"),
    (["CREATE FUNCTION f(x INT64) AS (x)", "SELECT f('a')"], "No matching signature for function f\n  Argument types: STRING\n  Signature: f.INT64."),
    (["CREATE FUNCTION f(x INT64) AS (nosuch(x))"], r"Function not found: nosuch"),
    (["CREATE FUNCTION f(x INT64) RETURNS STRING AS (x)"], "Function declared to return STRING but the function body produces incompatible type INT64"),
    (["CREATE FUNCTION f(x INT64) AS (x)", "CREATE OR REPLACE FUNCTION f(x INT64) AS (f(x))"], "f is recursive"),
    (["CREATE FUNCTION f(x INT64) AS (x)", "CREATE FUNCTION g(x INT64) AS (f(x))", "CREATE OR REPLACE FUNCTION f(x INT64) AS (g(x))"], "f is recursive"),
    (["CREATE FUNCTION f() AS (1)", "CREATE FUNCTION f() AS (2)"], "Already Exists: Routine"), (["DROP FUNCTION f"], "Not found: Routine"),
    (["CREATE TABLE FUNCTION f() AS SELECT 1 AS a", "DROP FUNCTION f"], "currently a TABLE FUNCTION"),
    (["CREATE TEMP FUNCTION f() AS (1)"], "must be followed by an actual query"), (["CREATE TEMP FUNCTION f() AS (1); SELECT f(2)"], "No matching signature"),
    (["CREATE FUNCTION f() AS (1 / 0)", "SELECT f()"], "division by zero")])
def test_errors(run, texts, words):
    with pytest.raises(Exception, match=words):
        run(*texts)


# strict_mode --------------------------------------------------------------------------------------

GOOD_BODY = """BEGIN
  DECLARE c, e INT64 DEFAULT 0;
  DECLARE s DEFAULT (SELECT MAX(name) FROM people);
  CREATE TEMP TABLE grown AS SELECT name, age FROM people WHERE age > n;
  SET (c, e) = (SELECT AS STRUCT COUNT(*), 1 FROM grown);
  SET o = (SELECT MAX(name) FROM grown);
  FOR r IN (SELECT name, age FROM people) DO SET o = r.name, c = c + r.age; END FOR;
  FOR r IN (SELECT * FROM grown) DO SET c = c + r.age; END FOR;
  WHILE c < n DO SET c = c + 1; IF c = 5 THEN BREAK; ELSEIF c = 6 THEN CONTINUE; ELSE SELECT s; END IF; END WHILE;
  REPEAT SET c = c - 1; UNTIL c < 0 END REPEAT;
  LOOP LEAVE; END LOOP;
  CASE c WHEN 1 THEN SELECT 1; ELSE SELECT 2; END CASE;
  BEGIN TRANSACTION; DELETE FROM people WHERE age = c; COMMIT TRANSACTION;
  BEGIN SELECT 1 / 0; EXCEPTION WHEN ERROR THEN SELECT @@error.message; RAISE USING MESSAGE = s; END;
  EXECUTE IMMEDIATE "CREATE TABLE made (x INT64)" ;
  SELECT x FROM made;
  EXECUTE IMMEDIATE "SELECT ?" INTO c USING n;
  SET @@query_label = "a:b";
  RETURN;
END""".replace("SET o = r.name, c = c + r.age", "SET o = r.name; SET c = c + r.age")


@pytest.mark.parametrize("body, words", [
    ("SELECT nme FROM people WHERE age = n", r"Unrecognized name: nme; Did you mean name\? at \[2:8\]"),
    ("SELECT * FROM nowhere", "Not found: Table .*nowhere was not found"),
    ("IF n > 5 THEN INSERT INTO people VALUES (1, 2); END IF", r"Value has type INT64 which cannot be inserted into column name.*\[2:42\]"),
    ("BEGIN DECLARE x DATE; SET x = n; END", r"Cannot coerce expression n to type DATE at \[2:31\]"),
    ("WHILE n > 1 DO SET y = 5; END WHILE", r"Undeclared variable: y at \[2:20\]"),
    ("BEGIN SELECT 1; EXCEPTION WHEN ERROR THEN SELECT nope(n); END", r"Function not found: nope at \[2:50\]"),
    ("FOR r IN (SELECT name FROM people) DO SELECT r.nme; END FOR", "Field name nme does not exist"),
    ("CASE n WHEN 1 THEN SELECT 1; ELSE SELECT z; END CASE", "Unrecognized name: z"),
    ("EXECUTE IMMEDIATE 'SELECT 1' INTO z", "Undeclared variable: z"), ("CALL itself(n)", r"Procedure not found: itself at \[2:6\]")])
def test_strict_mode_finds_what_can_not_run(api, client, dataset, run, body, words):
    run("CREATE TABLE people (name STRING, age INT64)")
    text = f"CREATE PROCEDURE {dataset}.itself(n INT64) {{}}BEGIN\n{body}; END"
    config = bigquery.QueryJobConfig(default_dataset=f"{client.project}.{dataset}")
    with pytest.raises((BadRequest, NotFound), match=words):
        run(text.format(""))
    with pytest.raises((BadRequest, NotFound), match=words):
        client.query(text.format(""), job_config=bigquery.QueryJobConfig(default_dataset=config.default_dataset, dry_run=True)).result()
    run(text.format("OPTIONS (strict_mode = FALSE) "))
    assert client.get_routine(f"{dataset}.itself")._properties["strictMode"] is False
    given = client.get_routine(f"{dataset}.itself")._properties
    given = {name: given[name] for name in ("routineType", "language", "arguments", "definitionBody")} | {"routineReference": {"routineId": "other"}}
    given["definitionBody"] = given["definitionBody"].replace(" people", f" {dataset}.people")
    assert api.error("POST", f"datasets/{dataset}/routines", given)[0] in (400, 404)
    assert api("POST", f"datasets/{dataset}/routines", given | {"strictMode": False}).json()["strictMode"] is False


def test_strict_mode_lets_pass_what_may_run(client, dataset, run):
    run("CREATE TABLE people (name STRING, age INT64)", f"CREATE PROCEDURE good(n INT64, OUT o STRING) {GOOD_BODY}",
        "CREATE PROCEDURE any_type(x ANY TYPE) BEGIN SELECT * FROM nowhere; END", "CREATE PROCEDURE calls() BEGIN DECLARE o STRING; CALL good(1, o); SELECT * FROM t; END",
        "CREATE PROCEDURE makes() BEGIN CREATE SCHEMA IF NOT EXISTS later; CREATE TABLE later.t (x INT64); SELECT x FROM later.t; ALTER TABLE people ADD COLUMN z DATE; "
        "SELECT z FROM people; END")
    assert "strictMode" not in client.get_routine(f"{dataset}.good")._properties


@pytest.mark.parametrize("text, kind, done", [
    ("CREATE FUNCTION f() AS (1)", "CREATE_FUNCTION", "CREATE"), ("CREATE OR REPLACE FUNCTION g() AS (2)", "CREATE_FUNCTION", "REPLACE"),
    ("CREATE FUNCTION IF NOT EXISTS g() AS (2)", "CREATE_FUNCTION", "SKIP"), ("DROP FUNCTION g", "DROP_FUNCTION", "DROP"),
    ("DROP FUNCTION IF EXISTS none", "DROP_FUNCTION", "SKIP"), ("CREATE TABLE FUNCTION t() AS SELECT 1 AS a", "CREATE_TABLE_FUNCTION", "CREATE"),
    ("DROP TABLE FUNCTION IF EXISTS none", "DROP_TABLE_FUNCTION", "SKIP"), ("DROP PROCEDURE IF EXISTS none", "DROP_PROCEDURE", "SKIP")])
def test_statistics(client, dataset, run, text, kind, done):
    run("CREATE FUNCTION g() AS (1)")
    job = client.query(text, job_config=bigquery.QueryJobConfig(default_dataset=f"{client.project}.{dataset}"))
    job.result()
    assert (job.statement_type, job.ddl_operation_performed, job.ddl_target_routine.dataset_id) == (kind, done, dataset)


def test_temporary_functions(client):
    job = client.query("CREATE TEMP FUNCTION half(x INT64) AS (x / 2);\nCREATE TEMP FUNCTION g(x INT64) AS (half(x) + 1);\nSELECT g(6)")
    assert ([tuple(row) for row in job.result()], job.statement_type) == ([(4.0,)], "SELECT")
    dry = client.query("CREATE TEMP FUNCTION half(x INT64) AS (x / 2); SELECT half(6)", job_config=bigquery.QueryJobConfig(dry_run=True))
    assert dry.statement_type == "SELECT"
    with pytest.raises(BadRequest, match=r"Unrecognized name: nope at \[2:8\]"):
        client.query("CREATE TEMP FUNCTION half(x INT64) AS (x / 2);\nSELECT nope").result()


def test_table_functions_of_subqueries_that_read_columns(rows, sql, dataset):
    """Also within one another, beside arguments that are no tables, and in a view, which keeps its text."""
    for statement in ("CREATE TABLE t AS SELECT a FROM UNNEST([1, 2, 3]) AS a", "CREATE TABLE FUNCTION same(x ANY TABLE) AS SELECT * FROM x",
                      "CREATE TABLE FUNCTION plus(x TABLE<a INT64>, k INT64) AS SELECT a + k AS s FROM x"):
        rows(statement)
    assert rows("SELECT * FROM same((SELECT * FROM t WHERE a > 1)) ORDER BY a") == [(2,), (3,)]
    assert rows("SELECT y.s FROM plus((SELECT a FROM t WHERE a = 1 /* ) */), 5 /* ) */ ) AS y") == [(6,)]
    assert rows("SELECT s FROM plus((SELECT a FROM same((SELECT a FROM t WHERE a > 1)) WHERE a < 3), (SELECT MAX(a) FROM t))") == [(5,)]
    definition = f"SELECT s FROM {dataset}.plus((SELECT a FROM {dataset}.t WHERE a > 2), 5)"
    rows(f"CREATE VIEW v AS {definition}")
    assert rows("SELECT * FROM v") == [(8,)] and rows(f"SELECT view_definition FROM {dataset}.INFORMATION_SCHEMA.VIEWS") == [(definition,)]
    with pytest.raises(BadRequest, match=r"Unrecognized name: aa at \[1:28\]"):
        rows("SELECT * FROM same((SELECT aa FROM t))")
