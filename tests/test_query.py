"""Query jobs: bytes and price, dry run, destinations, parameters, time travel in SQL, errors."""
import datetime as dt
import time

import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, GoogleAPICallError, MethodNotImplemented, NotFound
from google.cloud import bigquery
from google.cloud.bigquery import ArrayQueryParameter, QueryJobConfig, ScalarQueryParameter, StructQueryParameter

MB10 = 10_485_760


def values(rows) -> list[tuple]:
    return [tuple(row) for row in rows]


@pytest.fixture
def sql(client, people):
    """Run a query whose default dataset is that of `people`; the finished job."""
    def run(text: str, **options) -> bigquery.QueryJob:
        options.setdefault("default_dataset", f"{client.project}.{people.dataset_id}")
        job = client.query(text, job_config=QueryJobConfig(**options))
        job.result()
        return job
    return run


@pytest.mark.parametrize("path", ["people", "{d}.people", "{p}.{d}.people", "`{p}.{d}.people`", "`{p}`.{d}.`people`", "`{d}.people`"])
def test_every_spelling_of_a_table_names_it(client, sql, people, path):
    job = sql(f"SELECT name FROM {path.format(p=client.project, d=people.dataset_id)} WHERE age = 36")
    assert values(job) == [("Ada",)]


@pytest.mark.parametrize("text, bytes_", [
    ("SELECT name FROM people", 10), ("SELECT age FROM people", 24), ("SELECT * FROM people", 34), ("SELECT COUNT(*) FROM people", 0),
    ("SELECT name FROM people WHERE age > 100", 34), ("SELECT name FROM people LIMIT 1", 10), ("SELECT 1", 0),
    ("SELECT a.age FROM people a JOIN people b USING (age)", 24)])
def test_bytes_are_those_of_the_referenced_columns(sql, text, bytes_):
    job = sql(text)
    assert job.total_bytes_processed == bytes_
    assert job.total_bytes_billed == (MB10 if bytes_ else 0)


@pytest.mark.parametrize("text, bytes_", [
    ("SELECT rec FROM n", 25), ("SELECT rec.s FROM n", 5), ("SELECT rec.inn.deep, rec.inn FROM n", 12), ("SELECT q.r.k FROM (SELECT rec AS r FROM n) q", 8),
    ("SELECT id, i.sku FROM n, UNNEST(items) i", 8 + 7), ("SELECT id FROM n, UNNEST(items) i", 8 + 55), ("SELECT x FROM n, n.items i, i.nums x", 32),
    ("SELECT (SELECT SUM(qty) FROM UNNEST(items) WHERE sku = 'p') FROM n", 16 + 7), ("SELECT items[OFFSET(id - 1)].sku FROM n", 8 + 7),
    ("WITH w AS (SELECT rec, id FROM n) SELECT w.rec.k FROM w UNION ALL SELECT id FROM w", 16), ("SELECT TO_JSON_STRING(n) FROM n", 88),
    ("SELECT COUNT(*) FROM n WHERE rec.k = 5", 8), ("UPDATE n SET rec.s = 'abc' WHERE rec.k = 5", 88), ("SELECT rec.s FROM `{d}.n*`", 5)])
def test_bytes_are_those_of_the_referenced_fields(sql, dataset, text, bytes_):
    sql("""CREATE TABLE n AS SELECT 1 AS id, STRUCT('abc' AS s, 5 AS k, STRUCT('xy' AS deep, 1.5 AS f) AS inn) AS rec,
           [STRUCT('p' AS sku, 2 AS qty, [1, 2, 3] AS nums), ('qq', 3, [4])] AS items""")
    assert sql(text.format(d=dataset)).total_bytes_processed == bytes_


DEEP = {"operators": lambda n: f"SELECT {' + '.join(['1'] * n)}", "calls": lambda n: f"SELECT {'ABS(' * n}1{')' * n}",
        "subqueries": lambda n: f"{'SELECT * FROM (' * n}SELECT 1{')' * n}",
        "named subqueries": lambda n: f"WITH c0 AS (SELECT 1 AS x), {', '.join(f'c{i} AS (SELECT x FROM c{i - 1})' for i in range(1, n))} SELECT * FROM c{n - 1}"}


@pytest.mark.parametrize("text", DEEP.values(), ids=list(DEEP))
def test_statements_nest_some_hundreds_deep(sql, text):
    assert len(list(sql(text(400)))) == 1
    with pytest.raises(BadRequest, match="Not enough resources for query planning - too many subqueries or query is too complex."):
        sql(text(3000))
    assert len(list(sql("SELECT 1"))) == 1


def test_a_dry_run_prices_and_does_not_run(client, sql, people):
    job = client.query(f"SELECT name, age FROM {people.dataset_id}.people", job_config=QueryJobConfig(dry_run=True))
    assert job.total_bytes_processed == 34 and job.job_id is None and job.statement_type == "SELECT"
    assert [(field.name, field.field_type) for field in job.schema] == [("name", "STRING"), ("age", "INTEGER")]
    with pytest.raises(BadRequest, match=r"Unrecognized name: nme; Did you mean name\? at \[1:8\]"):
        client.query(f"SELECT nme FROM {people.dataset_id}.people", job_config=QueryJobConfig(dry_run=True))


def test_a_dry_run_names_what_would_be_dropped(sql, people):
    assert sql("DROP TABLE IF EXISTS people", dry_run=True).statement_type == "DROP_TABLE"


@pytest.mark.parametrize("text, error", [
    ("DROP TABLE nothing", NotFound), ("DROP VIEW people", BadRequest), ("DROP SCHEMA DATASET", BadRequest),
    ("TRUNCATE TABLE seen", BadRequest), ("DELETE seen WHERE true", BadRequest), ("ALTER TABLE people DROP COLUMN none", BadRequest),
    ("CREATE TABLE t (a STRING) PARTITION BY a", BadRequest), ("CREATE TABLE t OPTIONS(none=1) AS SELECT 1 AS a", BadRequest),
    ("CREATE MATERIALIZED VIEW v AS SELECT RAND() AS r", BadRequest)])
def test_a_dry_run_finds_what_the_run_would(client, sql, dataset, people, text, error):
    sql(f"CREATE VIEW seen AS SELECT name FROM {dataset}.people")
    for dry in (True, False):
        with pytest.raises(error):
            sql(text.replace("DATASET", dataset), dry_run=dry)


def test_a_dry_run_changes_nothing(client, sql, rows, dataset, people):
    before = rows("SELECT table_name, ddl FROM INFORMATION_SCHEMA.TABLES")
    for text in ("DROP TABLE people", "ALTER TABLE people ADD COLUMN more STRING", "CREATE TABLE t AS SELECT 1 AS a", f"CREATE VIEW v AS SELECT * FROM {dataset}.people",
                 f"DROP SCHEMA {dataset} CASCADE", "DELETE people WHERE true", "ALTER TABLE people RENAME TO persons"):
        job = sql(text, dry_run=True)
        assert job.state == "DONE" and (job.statement_type == "DELETE" or job.ddl_operation_performed), text
    assert rows("SELECT table_name, ddl FROM INFORMATION_SCHEMA.TABLES") == before and rows("SELECT COUNT(*) FROM people") == [(3,)]


def test_maximum_bytes_billed(sql):
    # The client knows no class for the service's reason, bytesBilledLimitExceeded.
    with pytest.raises(GoogleAPICallError, match="Query exceeded limit for bytes billed: 1000000. 10485760 or higher required."):
        sql("SELECT name FROM people", maximum_bytes_billed=1_000_000)
    sql("SELECT name FROM people", maximum_bytes_billed=MB10)


def test_a_destination_and_its_dispositions(client, sql, people):
    target = f"{client.project}.{people.dataset_id}.target"
    job = sql("SELECT name AS n, age FROM people", destination=target)
    assert client.get_table(target).num_rows == 3 and len(values(job.result())) == 3
    with pytest.raises(Conflict, match="Already Exists: Table"):
        sql("SELECT 'x' AS n, 1 AS age", destination=target)
    sql("SELECT 2 AS age, 'x' AS n", destination=target, write_disposition="WRITE_APPEND")
    assert client.get_table(target).num_rows == 4
    # What the caller reads is the destination, as it was when the job was done.
    appended = sql("SELECT 3 AS age, 'y' AS n", destination=target, write_disposition="WRITE_APPEND")
    sql("SELECT 3 AS age, 'z' AS n", destination=target, write_disposition="WRITE_APPEND")
    assert len(values(appended.result())) == 5
    with pytest.raises(BadRequest, match="Invalid schema update. Cannot add fields"):
        sql("SELECT 1 AS other", destination=target, write_disposition="WRITE_TRUNCATE_DATA")
    fewer = sql(f"SELECT age, n FROM `{target}` WHERE n = 'z'", destination=target, write_disposition="WRITE_TRUNCATE_DATA")
    assert values(fewer.result()) == [("z", 3)] and [field.name for field in client.get_table(target).schema] == ["n", "age"]
    sql("SELECT 1 AS other", destination=target, write_disposition="WRITE_TRUNCATE")
    assert [field.name for field in client.get_table(target).schema] == ["other"]
    with pytest.raises(NotFound, match=r"Not found: Table \S+\.never; reason"):
        sql("SELECT 1 AS x", destination=f"{client.project}.{people.dataset_id}.never", create_disposition="CREATE_NEVER")
    with pytest.raises(BadRequest, match="Invalid schema update. Cannot add fields"):
        sql("SELECT 1 AS strange", destination=target, write_disposition="WRITE_APPEND")
    with pytest.raises(Forbidden):
        sql("SELECT 1 AS x", destination="bigquery-public-data.samples.mine")


def test_a_destinations_layout(client, sql, people):
    target = f"{client.project}.{people.dataset_id}.parted"
    sql("SELECT DATE '2020-01-01' AS d, 'x' AS s", destination=target, clustering_fields=["s"],
        time_partitioning=bigquery.TimePartitioning(field="d"))
    assert client.get_table(target).time_partitioning.field == "d" and client.get_table(target).clustering_fields == ["s"]


def test_parameters_of_every_shape(sql):
    parameters = [ScalarQueryParameter("s", "STRING", "it's"), ScalarQueryParameter("i", "INT64", 5), ScalarQueryParameter("n", "INT64", None),
                  ScalarQueryParameter("t", "TIMESTAMP", dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)), ScalarQueryParameter("b", "BYTES", b"ab"),
                  ArrayQueryParameter("a", "INT64", [1, 2]), StructQueryParameter("r", ScalarQueryParameter("x", "DATE", dt.date(2020, 1, 2)))]
    job = sql("SELECT @s, @i + 1, @n, @t, @b, @a, @r.x", query_parameters=parameters)
    assert values(job) == [("it's", 6, None, dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc), b"ab", [1, 2], dt.date(2020, 1, 2))]
    job = sql("SELECT ? || ?", query_parameters=[ScalarQueryParameter(None, "STRING", "a"), ScalarQueryParameter(None, "STRING", "b")])
    assert values(job) == [("ab",)]
    job = sql("SELECT CAST(@i AS STRING)", query_parameters=[ScalarQueryParameter("i", "INTERVAL", "1-2 3 4:5:6")])
    assert values(job) == [("1-2 3 4:5:6",)]
    with pytest.raises(BadRequest, match=r"Query parameter 'missing' not found at \[1:8\]"):
        sql("SELECT @missing")


def test_the_past_in_sql(client, sql, people):
    before = dt.datetime.now(dt.timezone.utc)
    time.sleep(0.002)
    client.insert_rows_json(people, [{"name": "Eve", "age": 1}])
    at = [ScalarQueryParameter("at", "TIMESTAMP", before)]
    assert values(sql("SELECT COUNT(*) FROM people FOR SYSTEM_TIME AS OF @at", query_parameters=at)) == [(3,)]
    assert values(sql("SELECT COUNT(*) FROM people")) == [(4,)]
    with pytest.raises(BadRequest, match=r"Invalid snapshot time \d+ for table \S+people@\d+. Cannot read before \d+\."):
        sql("SELECT * FROM people FOR SYSTEM_TIME AS OF TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 8 DAY)")
    with pytest.raises(BadRequest, match="Cannot read from the future"):
        sql("SELECT * FROM people FOR SYSTEM_TIME AS OF TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)")
    with pytest.raises(BadRequest, match="must not contain a subquery"):
        sql("SELECT * FROM people FOR SYSTEM_TIME AS OF (SELECT CURRENT_TIMESTAMP())")
    sql(f"CREATE VIEW seen AS SELECT name FROM {people.dataset_id}.people")
    with pytest.raises(BadRequest, match="not possible with a view"):
        sql("SELECT * FROM seen FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()")
    client.delete_table(people)
    with pytest.raises(NotFound, match="Not found: Table"):
        sql("SELECT * FROM people FOR SYSTEM_TIME AS OF @at", query_parameters=at)


@pytest.mark.parametrize("text, error, words", [
    ("SELECT * FROM no_such", NotFound, r"Not found: Table \S+:\S+\.no_such was not found in location US"),
    ("SELECT * FROM `people$20200101`", BadRequest, r'Table "\S+\.people\$20200101" cannot include decorator'),
    ("SELECT * FROM nowhere.t", NotFound, r"Not found: Dataset \S+:nowhere was not found in location US"),
    ("SELECT nme FROM people", BadRequest, r"Unrecognized name: nme; Did you mean name\? at \[1:8\]"),
    ("SELEC 1", BadRequest, "Syntax error"),
    ("SELECT 1 / 0", BadRequest, "division by zero"),
    ("SELECT CAST('abc' AS INT64)", BadRequest, "Bad int64 value: abc"),
    ("SELECT [1][OFFSET(5)]", BadRequest, "Array index 5 is out of bounds")])
def test_errors_in_the_services_words(sql, text, error, words):
    with pytest.raises(error, match=words):
        sql(text)


def test_a_name_without_dataset_and_default(client):
    with pytest.raises(BadRequest, match=r'Table "people" must be qualified with a dataset \(e.g. dataset.table\)'):
        client.query("SELECT * FROM people").result()
    with pytest.raises(BadRequest, match='Table "people" must be qualified'):
        client.query("CREATE TABLE people (a INT64)").result()


@pytest.mark.parametrize("text, what", [
    ("CREATE MODEL d.m OPTIONS(model_type='kmeans') AS SELECT 1 AS label", "model_type kmeans"),
    ("ALTER SCHEMA d ADD REPLICA `eu` OPTIONS(location='eu')", "the statement on a REPLICA"),
    ("CREATE FUNCTION d.f(x INT64) RETURNS INT64 REMOTE WITH CONNECTION us.away OPTIONS(endpoint='https://example.com')", "the connection us.away"),
    ("CREATE EXTERNAL TABLE d.t OPTIONS(format='GOOGLE_SHEETS', uris=['https://example.com/sheet'])", "the format GOOGLE_SHEETS")])
def test_statements_that_are_not_supported_say_so(client, text, what):
    with pytest.raises(MethodNotImplemented, match=what):
        client.query(text).result()


def test_sql_and_the_rest_api_see_the_same_names(client, dataset):
    for name in ("table 01", "ग्राहक", "00_お客様", "étudiant-01"):
        table = client.create_table(bigquery.Table(f"{client.project}.{dataset}.{name}", schema=[bigquery.SchemaField("a", "STRING")]))
        client.insert_rows_json(table, [{"a": name}])
        assert values(client.query_and_wait(f"SELECT a FROM `{client.project}.{dataset}.{name}`")) == [(name,)]


def test_a_dry_run_tells_the_parameters_that_are_still_to_be_given(client, sql):
    job = sql("SELECT name FROM people WHERE age > @least AND name IN UNNEST(@names)", dry_run=True)
    assert [(each.name, each.to_api_repr()["parameterType"]) for each in job.undeclared_query_parameters] == [
        ("least", {"type": "INT64"}), ("names", {"type": "ARRAY", "arrayType": {"type": "STRING"}})]
    assert job.total_bytes_processed == 34 and [field.name for field in job.schema] == ["name"]
    sql("CREATE TABLE days (day DATE) PARTITION BY day OPTIONS (require_partition_filter = true)")
    assert len(sql("SELECT * FROM days WHERE day = @day", dry_run=True).undeclared_query_parameters) == 1
    with pytest.raises(BadRequest, match="Query parameter 'day' not found"):
        sql("SELECT * FROM days WHERE day = @day")


def test_the_plan_and_the_timeline_of_a_query(client, sql):
    job = sql("SELECT name FROM people WHERE age > 10")
    (read, rest), (entry,) = job.query_plan, job.timeline
    assert [(stage.status, stage.records_read, stage.records_written) for stage in (read, rest)] == [("COMPLETE", 3, 3), ("COMPLETE", 3, 2)]
    assert (read.input_stages, rest.input_stages, read.shuffle_output_bytes) == ([], [0], job.total_bytes_processed)
    assert [(step.kind, step.substeps[-1].partition(":")[0]) for step in read.steps] == [("READ", f"FROM {client.project}"), ("WRITE", "TO __stage00_output")]
    assert rest.start <= rest.end <= job.ended and job.slot_millis == rest.slot_ms == entry.elapsed_ms == entry.slot_millis
    assert sql("UPDATE people SET age = 1 WHERE TRUE").query_plan[-1].records_written == 3
    assert [stage.name for stage in sql("SELECT 1").query_plan] == ["S00: Output"]
    assert sql("SELECT 1", dry_run=True).query_plan == []


KEY = "projects/p/locations/us/keyRings/r/cryptoKeys/k"


def test_the_names_of_encryption_keys_are_kept(client, sql, people):
    to = f"{client.project}.{people.dataset_id}."
    key = bigquery.EncryptionConfiguration(kms_key_name=KEY)
    sql("SELECT 1 AS a", destination=to + "queried", destination_encryption_configuration=key)
    client.copy_table(people, to + "copied", job_config=bigquery.CopyJobConfig(destination_encryption_configuration=key)).result()
    client.load_table_from_json([{"a": 1}], to + "loaded", job_config=bigquery.LoadJobConfig(destination_encryption_configuration=key)).result()
    sql(f"CREATE TABLE made (a INT64) OPTIONS (kms_key_name = '{KEY}')")
    for name in ("queried", "copied", "loaded", "made"):
        assert client.get_table(to + name).encryption_configuration.kms_key_name == KEY
    dataset = client.get_dataset(people.dataset_id)
    dataset.default_encryption_configuration = key
    client.update_dataset(dataset, ["default_encryption_configuration"])
    assert client.create_table(to + "inherits").encryption_configuration.kms_key_name == KEY


@pytest.mark.parametrize("query, field", [("SELECT [1, NULL]", "f0_"), ("SELECT ARRAY_AGG(x) AS a FROM UNNEST([1, NULL]) AS x", "a"), ("SELECT STRUCT(['x', NULL] AS b) AS s", "b"), ("SELECT [STRUCT([NULL, 1.5] AS c)] AS s", "c")])
def test_an_array_of_a_result_has_no_null(client, query, field):
    with pytest.raises(BadRequest, match=f"Array cannot have a null element; error in writing field {field}"):
        client.query(query).result()


def test_nulls_in_arrays_on_the_way(client):
    (row,) = client.query("SELECT ARRAY_LENGTH([1, NULL]), CAST(NULL AS ARRAY<INT64>), [STRUCT(CAST(NULL AS INT64) AS x)], ARRAY_AGG(x IGNORE NULLS) FROM UNNEST([1, NULL]) AS x").result()
    assert tuple(row) == (2, [], [{"x": None}], [1])


def test_a_null_of_bytes_in_constants(sql):
    assert [tuple(row) for row in sql("SELECT NET.SAFE_IP_FROM_STRING('x'), CAST(NULL AS BYTES) || b'a', SAFE_CAST('x' AS BYTES FORMAT 'HEX')").result()] == [(None, None, None)]
