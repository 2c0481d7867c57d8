"""Where jobs run: where their data is, unless the caller says it, and what is elsewhere is not found."""
import io

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import bigquery


@pytest.fixture
def far(client, dataset):
    """A dataset in the EU with a table t of one row, 1, and a function f; its id."""
    body = bigquery.Dataset(f"{client.project}.{dataset}_eu")
    body.location = "EU"
    client.create_dataset(body)
    client.query_and_wait(f"CREATE TABLE {dataset}_eu.t AS SELECT 1 AS a; CREATE FUNCTION {dataset}_eu.f() AS (1)")
    yield f"{dataset}_eu"
    client.delete_dataset(body, delete_contents=True)


@pytest.mark.parametrize("text", [
    "SELECT * FROM {far}.t", "SELECT * FROM {far}.INFORMATION_SCHEMA.TABLES", "SELECT * FROM `region-eu`.INFORMATION_SCHEMA.SCHEMATA", "SELECT t.a FROM `{project}.{far}.t` AS t", "-- {near}.t\nSELECT '{near}.t', * FROM {project}.{far}.t", "INSERT {far}.t VALUES (2)",
    "CREATE TABLE IF NOT EXISTS `{project}`.`{far}`.new (a INT64)", "SELECT {far}.f()", "DROP TABLE {far}.t",
    "DECLARE x INT64 DEFAULT 1; SELECT x + a FROM {far}.t", "SELECT a FROM {far}.t JOIN `bigquery-public-data.samples.shakespeare` ON FALSE"])
def test_a_query_runs_where_its_data_is(client, dataset, far, text):
    job = client.query(text.format(far=far, near=dataset, project=client.project))
    job.result()
    assert job.location == "EU"
    with pytest.raises(NotFound, match=f"Not found: Job {client.project}:US.{job.job_id}"):
        client.get_job(job.job_id, location="US")
    assert client.get_job(job.job_id, location="eu").state == client.get_job(job.job_id).state == "DONE"


def test_a_query_runs_where_its_configuration_says(client, far):
    reference = bigquery.DatasetReference(client.project, far)
    for text, options in (("SELECT * FROM t", {"default_dataset": reference}), ("SELECT 2 AS a", {"destination": reference.table("made")})):
        job = client.query(text, job_config=bigquery.QueryJobConfig(**options))
        job.result()
        assert job.location == "EU"
    assert client.query_and_wait("SELECT 1").location == "US"
    assert client.query_and_wait("SELECT 1", location="eu").location == "EU"


def test_views_of_all_datasets_are_those_of_the_location(client, dataset, far):
    def names(location):
        return {row[0] for row in client.query("SELECT schema_name FROM INFORMATION_SCHEMA.SCHEMATA", location=location)}
    assert far in names("EU") and dataset not in names("EU") and far not in names(None) and dataset in names(None)


def test_queries_of_a_session_run_where_it_does(client, far):
    job = client.query(f"CREATE TEMP TABLE temporary AS SELECT a FROM {far}.t", job_config=bigquery.QueryJobConfig(create_session=True))
    job.result()
    config = bigquery.QueryJobConfig(connection_properties=[bigquery.ConnectionProperty("session_id", job.session_info.session_id)])
    found = client.query("SELECT a FROM temporary", job_config=config)
    assert [tuple(row) for row in found] == [(1,)] and found.location == "EU"
    client.query("CALL BQ.ABORT_SESSION()", job_config=config).result()


def test_files_and_copies_go_where_the_table_is(client, far):
    name = f"{client.project}.{far}.t"
    config = bigquery.LoadJobConfig(source_format="CSV")
    assert client.load_table_from_file(io.BytesIO(b"2\n"), name, job_config=config).result().location == "EU"
    assert client.copy_table(name, f"{name}2").result().location == "EU"


@pytest.mark.parametrize("text", ["SELECT * FROM {far}.t", "CREATE TABLE {far}.new (a INT64)", "DELETE {far}.t WHERE TRUE",
                                  "SELECT * FROM {far}.INFORMATION_SCHEMA.TABLES", "CREATE FUNCTION {far}.g() AS (1)", "SELECT {far}.f()",
                                  "BEGIN SELECT * FROM {far}.t; END"])
def test_data_elsewhere_is_not_found(client, far, text):
    with pytest.raises(NotFound, match=f"Not found: Dataset {client.project}:{far} was not found in location US"):
        client.query(text.format(far=far), location="US").result()


def test_tables_of_two_places_do_not_meet(client, dataset, far, people):
    with pytest.raises(NotFound, match=f"Not found: Dataset {client.project}:{dataset} was not found in location EU"):
        client.query(f"SELECT t.a FROM {far}.t, {dataset}.people").result()


def test_jobs_elsewhere_do_not_reach_a_table(client, dataset, far, storage_client):
    name = f"{client.project}.{far}.t"
    calls = [lambda: client.load_table_from_file(io.BytesIO(b"2\n"), name, location="US", job_config=bigquery.LoadJobConfig(source_format="CSV")),
             lambda: client.copy_table(name, f"{name}2", location="US"), lambda: client.extract_table(name, "gs://any/t.csv", location="US"),
             lambda: client.query("SELECT 1 AS a", location="US", job_config=bigquery.QueryJobConfig(destination=name))]
    for call in calls:
        with pytest.raises(NotFound, match=f"Not found: Dataset {client.project}:{far} was not found in location US"):
            call().result()


def test_a_schema_is_made_where_its_query_runs(client, dataset):
    names = {f"{dataset}_a": ("asia-northeast1", ""), f"{dataset}_b": (None, " OPTIONS(location='Asia-Northeast1')")}
    for name, (location, options) in names.items():
        job = client.query(f"CREATE SCHEMA {name}{options}; CREATE TABLE {name}.t (a INT64); DROP TABLE {name}.t", location=location)
        job.result()
        assert job.location == client.get_dataset(name).location == "asia-northeast1"
        client.query_and_wait(f"DROP SCHEMA {name}")
    with pytest.raises(BadRequest, match="in location EU by a query that runs in location US"):
        client.query(f"CREATE SCHEMA {dataset}_c OPTIONS(location='EU')", location="US").result()
