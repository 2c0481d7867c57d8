"""INFORMATION_SCHEMA through the client."""
import pytest
from google.api_core.exceptions import BadRequest, MethodNotImplemented, NotFound
from google.cloud import bigquery

from emulator import information_schema

SETUP = """CREATE TABLE {d}.daily (d DATE NOT NULL, name STRING(5), r ARRAY<STRUCT<a INT64, b STRING>>, n NUMERIC DEFAULT 1)
           PARTITION BY d CLUSTER BY name OPTIONS(description='by "day"', labels=[('k', 'v')], require_partition_filter=true)"""


@pytest.fixture
def view(client, dataset):
    """Rows of a view of the test's dataset, which has a table, its rows and a view."""
    client.query(SETUP.format(d=dataset)).result()
    client.query(f"INSERT INTO {dataset}.daily (d, name) VALUES (DATE '2026-05-20', 'a'), (DATE '2026-05-20', 'b'), (DATE '2026-05-21', NULL)").result()
    client.query(f"CREATE VIEW {dataset}.seen AS SELECT 1 AS x").result()

    def rows(columns: str, name: str, tail: str = "") -> list[tuple]:
        job = client.query(f"SELECT {columns} FROM {dataset}.INFORMATION_SCHEMA.{name} {tail}")
        found = [tuple(row) for row in job.result()]
        assert job.total_bytes_processed == information_schema.BYTES
        return found
    return rows


def test_tables_as_they_were_told_before(client, dataset, view):
    job = client.query(f"SELECT * EXCEPT (creation_time, last_modified_time) FROM `{client.project}.{dataset}.__TABLES__` ORDER BY table_id")
    assert [tuple(row) for row in job.result()] == [(client.project, dataset, "daily", 3, 78, 1), (client.project, dataset, "seen", 0, 0, 2)]
    client.query_and_wait(f"SELECT TIMESTAMP_MILLIS(creation_time), type FROM {dataset}.__TABLES_SUMMARY__")
    with pytest.raises(NotFound):
        client.query_and_wait("SELECT * FROM nope.__TABLES__")


def test_tables(view):
    assert view("table_name, table_type, is_insertable_into, is_typed", "TABLES", "ORDER BY 1") == [
        ("daily", "BASE TABLE", "YES", "NO"), ("seen", "VIEW", "NO", "NO")]


def test_columns(view):
    rows = view("column_name, ordinal_position, is_nullable, data_type, is_partitioning_column, clustering_ordinal_position, column_default", "COLUMNS",
                "WHERE table_name = 'daily' ORDER BY ordinal_position")
    assert rows == [("d", 1, "NO", "DATE", "YES", None, "NULL"), ("name", 2, "YES", "STRING(5)", "NO", 1, "NULL"),
                    ("r", 3, "YES", "ARRAY<STRUCT<a INT64, b STRING>>", "NO", None, "NULL"), ("n", 4, "YES", "NUMERIC", "NO", None, "1")]


def test_field_paths(view):
    assert view("field_path, data_type", "COLUMN_FIELD_PATHS", "WHERE column_name = 'r' ORDER BY 1") == [
        ("r", "ARRAY<STRUCT<a INT64, b STRING>>"), ("r.a", "INT64"), ("r.b", "STRING")]


def test_table_options(view):
    assert view("option_name, option_type, option_value", "TABLE_OPTIONS", "ORDER BY 1") == [
        ("description", "STRING", r'"by \"day\""'), ("labels", "ARRAY<STRUCT<STRING, STRING>>", '[STRUCT("k", "v")]'),
        ("require_partition_filter", "BOOL", "true")]


def test_partitions(view):
    assert view("partition_id, total_rows, total_logical_bytes", "PARTITIONS", "ORDER BY 1") == [("20260520", 2, 2 * (8 + 3 + 16)), ("20260521", 1, 8 + 16)]


def test_views(view):
    assert view("table_name, view_definition, use_standard_sql", "VIEWS") == [("seen", "SELECT 1 AS x", "YES")]


def test_storage_and_privileges(client, dataset, view):
    assert view("table_name, total_rows", "TABLE_STORAGE") == [("daily", 3)]
    policy = client.get_iam_policy(f"{client.project}.{dataset}.daily")
    policy.bindings = [{"role": "roles/viewer", "members": {"allUsers"}}]
    client.set_iam_policy(f"{client.project}.{dataset}.daily", policy)
    assert view("object_name, privilege_type, grantee", "OBJECT_PRIVILEGES", "WHERE object_schema IS NOT NULL") == [("daily", "roles/viewer", "allUsers")]


@pytest.mark.parametrize("place", ["`region-us`.", "", "`lab-project`.", "`lab-project`.`region-us`.", "region-us."])
def test_schemata_of_a_region(client, dataset, sql, place):
    rows = sql(f"SELECT schema_name, location FROM {place}INFORMATION_SCHEMA.SCHEMATA WHERE schema_name = '{dataset}'").result()
    assert [tuple(row) for row in rows] == [(dataset, "US")]


DDL = {
    "daily": """CREATE TABLE `{d}.daily`
(
  a INT64 NOT NULL OPTIONS(description="an \\"a\\""),
  `b c` STRING(5) DEFAULT 'q',
  `order` NUMERIC(5, 2),
  s STRUCT<x INT64 OPTIONS(description="in"), y ARRAY<STRUCT<z STRING(3)>>>,
  ts TIMESTAMP,
  PRIMARY KEY (a) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(ts, MONTH)
CLUSTER BY `b c`
OPTIONS(
  description="days",
  labels=[("k", "v"), ("l", "")],
  expiration_timestamp=TIMESTAMP "2099-01-01T00:00:00.000Z",
  partition_expiration_days=3.5
);""",
    "seen": """CREATE VIEW `{d}.seen`
OPTIONS(
  description="sees"
)
AS SELECT a FROM {d}.daily;""",
    "said": """CREATE VIEW `{d}.said`
(
  one OPTIONS(description="first"),
  `a b`
)
AS SELECT a, ts FROM {d}.daily;""",
    "counted": """CREATE MATERIALIZED VIEW `{d}.counted`
OPTIONS(
  enable_refresh=false,
  refresh_interval_minutes=60.0
)
AS SELECT a, COUNT(*) AS n FROM {d}.daily GROUP BY a;""",
    "keys": """CREATE TABLE `{d}.keys`
(
  a INT64,
  CONSTRAINT of FOREIGN KEY (a) REFERENCES `{d}.daily`(a) NOT ENFORCED
)
PARTITION BY RANGE_BUCKET(a, GENERATE_ARRAY(0, 100, 10));""".replace("CONSTRAINT of ", "CONSTRAINT belongs "),
    "came": """CREATE TABLE `{d}.came`
(
  a INT64
)
PARTITION BY DATE(_PARTITIONTIME)
OPTIONS(
  require_partition_filter=true
);"""}


def test_ddl_is_what_makes_the_same_again(client, dataset, rows):
    whole = {name: text.format(d=f"{client.project}.{dataset}").replace("\\\\", "\\") for name, text in DDL.items()}
    for name in ("daily", "seen", "said", "counted", "keys", "came"):
        client.query(whole[name]).result()
    assert dict(rows("SELECT table_name, ddl FROM INFORMATION_SCHEMA.TABLES")) == whole
    assert rows("SELECT column_name, is_hidden FROM INFORMATION_SCHEMA.COLUMNS WHERE table_name = 'came'") == [("a", "NO"), ("_PARTITIONTIME", "YES")]


def test_ddl_of_an_external_table_in_folders(storage_client, dataset, rows, sql):
    bucket = storage_client.create_bucket(dataset)
    bucket.blob("h/dt=2024-01-01/place=x/a.csv").upload_from_string("1\n")
    text = f"""CREATE EXTERNAL TABLE `{{}}.{{}}`
(
  a INT64
)
WITH PARTITION COLUMNS (
  dt DATE,
  place STRING
)
OPTIONS(
  format="CSV",
  uris=["gs://{dataset}/h/*"],
  hive_partition_uri_prefix="gs://{dataset}/h"
);"""
    for name in ("one", "other"):
        sql(text.format(dataset, name))
        ((said,),) = rows(f"SELECT ddl FROM INFORMATION_SCHEMA.TABLES WHERE table_name = '{name}'")
        assert said == text.format(f"{storage_client.project}.{dataset}", name)
    assert rows("SELECT a, CAST(dt AS STRING), place FROM other") == [(1, "2024-01-01", "x")]
    with pytest.raises(BadRequest, match="FOR SYSTEM_TIME AS OF is not possible with an external table"):
        sql("SELECT * FROM one FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()")


def test_options_of_schemata(client, dataset, rows, sql):
    sql(f"ALTER SCHEMA {dataset} SET OPTIONS (description='d', default_table_expiration_days=2, labels=[('a', 'b')])")
    assert set(rows(f"SELECT option_name, option_type, option_value FROM INFORMATION_SCHEMA.SCHEMATA_OPTIONS WHERE schema_name = '{dataset}'")) >= {
        ("description", "STRING", '"d"'), ("default_table_expiration_days", "FLOAT64", "2.0"), ("labels", "ARRAY<STRUCT<STRING, STRING>>", '[STRUCT("a", "b")]')}
    (ddl,), = rows(f"SELECT ddl FROM INFORMATION_SCHEMA.SCHEMATA WHERE schema_name = '{dataset}'")
    assert ddl.startswith(f"CREATE SCHEMA `{client.project}.{dataset}`\nOPTIONS(\n  description=\"d\",\n  labels=[(\"a\", \"b\")],\n")


def test_clones_and_who_may_what(client, dataset, rows, sql):
    sql("CREATE TABLE one AS SELECT 1 AS a; CREATE TABLE two CLONE one")
    assert rows("SELECT table_name, table_type FROM INFORMATION_SCHEMA.TABLES ORDER BY 1") == [("one", "BASE TABLE"), ("two", "CLONE")]
    assert ("SCHEMA", "roles/bigquery.dataViewer", f"projectViewer:{client.project}") in rows(
        f"SELECT object_type, privilege_type, grantee FROM `region-us`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES WHERE object_name = '{dataset}'")


def test_sessions(client):
    job = client.query("SELECT 1", job_config=bigquery.QueryJobConfig(create_session=True))
    job.result()
    rows = client.query("SELECT session_id, is_active, project_id FROM `region-us`.INFORMATION_SCHEMA.SESSIONS_BY_USER").result()
    assert (job.session_info.session_id, True, client.project) in [tuple(row) for row in rows]


def test_what_a_job_did_in_which_second(client, dataset, rows):
    found = rows(f"SELECT COUNT(*) > 0, LOGICAL_AND(period_slot_ms <= 1000 * 60), COUNTIF(period_start < TIMESTAMP_TRUNC(job_start_time, SECOND)) "
                 "FROM `region-us`.INFORMATION_SCHEMA.JOBS_TIMELINE_BY_PROJECT")
    assert found == [(True, True, 0)]
    assert rows("SELECT COUNT(*) > 0 FROM `region-us`.INFORMATION_SCHEMA.JOBS, UNNEST(job_stages) AS stage, UNNEST(stage.steps) AS step "
                "WHERE step.kind = 'READ' AND query_info.query_hashes.normalized_literals IS NOT NULL") == [(True,)]


@pytest.mark.parametrize("name", information_schema.VIEWS)
def test_every_view_can_be_read(client, view, name):
    if information_schema.VIEWS[name].of_project:
        found = list(client.query(f"SELECT * FROM `region-us`.INFORMATION_SCHEMA.{name} LIMIT 1").result())
        assert found or name.startswith("SESSIONS")
    elif name.startswith("SCHEMATA"):
        list(client.query(f"SELECT * FROM INFORMATION_SCHEMA.{name}").result())
    else:
        view("*", name)


def test_what_there_is_not(client, dataset, view):
    with pytest.raises(NotFound, match=r"INFORMATION_SCHEMA\.NOTHING was not found"):
        view("*", "NOTHING")
    with pytest.raises(NotFound, match="Dataset .*nowhere"):
        client.query("SELECT * FROM nowhere.INFORMATION_SCHEMA.TABLES").result()
    with pytest.raises(MethodNotImplemented, match="the view INFORMATION_SCHEMA.RESERVATIONS_BY_PROJECT"):
        client.query("SELECT * FROM `region-us`.INFORMATION_SCHEMA.RESERVATIONS_BY_PROJECT").result()
    with pytest.raises(BadRequest, match="FOR SYSTEM_TIME"):
        view("*", "TABLES", "FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()")


def test_routines(client, dataset):
    for text in ("CREATE FUNCTION d.f(x INT64, y ANY TYPE) OPTIONS(description='adds') AS (x + y)", "CREATE PROCEDURE d.p(IN a STRING, OUT b DATE) BEGIN END",
                 "CREATE FUNCTION d.j(x FLOAT64) RETURNS ARRAY<FLOAT64> DETERMINISTIC LANGUAGE js AS 'return [x];'", "CREATE TABLE FUNCTION d.t() AS SELECT 1 AS a",
                 "CREATE AGGREGATE FUNCTION d.a(x INT64, y INT64 NOT AGGREGATE) RETURNS INT64 AS (SUM(x) * y)"):
        client.query(text.replace(" d.", f" {dataset}.")).result()

    def rows(text: str) -> list[tuple]:
        return [tuple(row.values()) for row in client.query(text.format(f"{dataset}.INFORMATION_SCHEMA")).result()]
    assert rows("SELECT routine_name, routine_type, data_type, routine_body, routine_definition, external_language, is_deterministic "
                "FROM {}.ROUTINES ORDER BY 1") == [
        ("a", "AGGREGATE FUNCTION", "INT64", "SQL", "SUM(x) * y", None, None), ("f", "FUNCTION", None, "SQL", "x + y", None, None),
        ("j", "FUNCTION", "ARRAY<FLOAT64>", "EXTERNAL", "return [x];", "JAVASCRIPT", "YES"), ("p", "PROCEDURE", None, "SQL", "BEGIN END", None, None),
        ("t", "TABLE FUNCTION", None, "SQL", "SELECT 1 AS a", None, None)]
    assert rows("SELECT specific_name, ordinal_position, parameter_mode, is_result, parameter_name, data_type FROM {}.PARAMETERS ORDER BY 1, 2") == [
        ("a", 0, None, "YES", None, "INT64"), ("a", 1, None, "NO", "x", "INT64"), ("a", 2, None, "NO", "y", "INT64"),
        ("f", 1, None, "NO", "x", "INT64"), ("f", 2, None, "NO", "y", "ANY TYPE"), ("j", 0, None, "YES", None, "ARRAY<FLOAT64>"),
        ("j", 1, None, "NO", "x", "FLOAT64"), ("p", 1, "IN", "NO", "a", "STRING"), ("p", 2, "OUT", "NO", "b", "DATE")]
    assert rows("SELECT specific_name, option_name, option_value FROM {}.ROUTINE_OPTIONS") == [("f", "description", '"adds"')]
    before = rows("SELECT * EXCEPT (created, last_altered) FROM {}.ROUTINES ORDER BY routine_name")
    for (ddl,) in rows("SELECT REPLACE(ddl, 'CREATE', 'CREATE OR REPLACE') FROM {}.ROUTINES"):
        client.query(ddl).result()
    assert rows("SELECT * EXCEPT (created, last_altered) FROM {}.ROUTINES ORDER BY routine_name") == before


def test_keys(client, dataset, view):
    client.query(f"CREATE TABLE {dataset}.owner (id INT64, name STRING, PRIMARY KEY (id, name) NOT ENFORCED)").result()
    client.query(f"CREATE TABLE {dataset}.pet (id INT64, of STRING, CONSTRAINT owned FOREIGN KEY (of) REFERENCES {dataset}.owner (name) NOT ENFORCED)".replace(
        "of STRING", "whose STRING").replace("KEY (of)", "KEY (whose)")).result()
    assert view("constraint_name, table_name, constraint_type, enforced", "TABLE_CONSTRAINTS", "ORDER BY 1") == [
        ("owner.pk$", "owner", "PRIMARY KEY", "NO"), ("pet.owned", "pet", "FOREIGN KEY", "NO")]
    assert view("constraint_name, column_name, ordinal_position, position_in_unique_constraint", "KEY_COLUMN_USAGE", "ORDER BY 1, 3") == [
        ("owner.pk$", "id", 1, None), ("owner.pk$", "name", 2, None), ("pet.owned", "whose", 1, 2)]
    assert view("table_name, column_name, constraint_name", "CONSTRAINT_COLUMN_USAGE", "ORDER BY 3, 2") == [
        ("owner", "id", "owner.pk$"), ("owner", "name", "owner.pk$"), ("owner", "name", "pet.owned")]


def test_snapshots_and_materialized_views(client, dataset, view):
    client.query(f"CREATE TABLE {dataset}.small AS SELECT 1 AS x").result()
    client.query(f"CREATE SNAPSHOT TABLE {dataset}.then_ CLONE {dataset}.small").result()
    client.query(f"CREATE MATERIALIZED VIEW {dataset}.counted AS SELECT COUNT(*) AS n FROM {dataset}.small").result()
    assert view("table_name, base_table_name, snapshot_time <= CURRENT_TIMESTAMP()", "TABLE_SNAPSHOTS") == [("then_", "small", True)]
    assert view("table_name, last_refresh_time IS NOT NULL", "MATERIALIZED_VIEWS") == [("counted", True)]
    assert view("table_name, table_type, base_table_name", "TABLES", "WHERE table_name IN ('then_', 'counted') ORDER BY 1") == [
        ("counted", "MATERIALIZED VIEW", None), ("then_", "SNAPSHOT", "small")]


def test_queries_that_differ_in_literals_have_one_hash(client, dataset):
    same = ["SELECT 1 AS a, 'x' AS b FROM UNNEST([1])", """SELECT  2.5 AS a,\n r'y\\'z' AS b -- 1 'a'\nFROM /* b */ UNNEST([0x1f])""", 'SELECT 1e3 AS a, b"""q"u""" AS b FROM UNNEST([7]) # end']
    for text in [*same, "SELECT 1 AS a, 'x' AS c FROM UNNEST([1])", "SELECT 1 AS a1, 'x' AS b FROM UNNEST([1])"]:
        client.query(text, job_config=bigquery.QueryJobConfig(labels={"hashed": dataset})).result()
    rows = client.query("SELECT query_info.query_hashes.normalized_literals, COUNT(*) FROM `region-us`.INFORMATION_SCHEMA.JOBS, UNNEST(labels) AS label "
                        f"WHERE label.value = '{dataset}' GROUP BY 1").result()
    assert sorted(row[1] for row in rows) == [1, 1, 3]


def test_jobs(client, dataset):
    config = bigquery.QueryJobConfig(labels={"test": dataset}, default_dataset=f"{client.project}.{dataset}")
    client.query("CREATE TABLE t AS SELECT 1 AS x", job_config=config).result()
    client.query("UPDATE t SET x = 2 WHERE true", job_config=config).result()
    with pytest.raises(BadRequest):
        client.query("SELECT nothing FROM t", job_config=config).result()
    rows = [tuple(row) for row in client.query(
        "SELECT statement_type, state, query, error_result.reason, dml_statistics.updated_row_count, ARRAY_LENGTH(referenced_tables) "
        f"FROM `region-us`.INFORMATION_SCHEMA.JOBS, UNNEST(labels) AS label WHERE label.value = '{dataset}' ORDER BY creation_time").result()]
    assert rows == [("CREATE_TABLE_AS_SELECT", "DONE", "CREATE TABLE t AS SELECT 1 AS x", None, None, 0),
                    ("UPDATE", "DONE", "UPDATE t SET x = 2 WHERE true", None, 1, 1), (None, "DONE", "SELECT nothing FROM t", "invalidQuery", None, 0)]
    count = "SELECT COUNT(*) FROM {}INFORMATION_SCHEMA.{}, UNNEST(labels) AS label WHERE label.value = '" + dataset + "'"
    for name in ("JOBS_BY_PROJECT", "JOBS_BY_USER", "JOBS_BY_ORGANIZATION"):
        assert [tuple(row) for row in client.query(count.format("`region-us`.", name)).result()] == [(3,)]
    assert [tuple(row) for row in client.query(count.format("`region-eu`.", "JOBS")).result()] == [(0,)]
    assert [tuple(row) for row in client.query(count.format("", "JOBS")).result()] == [(3,)]
    with pytest.raises(NotFound, match="INFORMATION_SCHEMA.JOBS"):
        client.query(f"SELECT 1 FROM {dataset}.INFORMATION_SCHEMA.JOBS").result()
