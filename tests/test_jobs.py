"""jobs.*: life, ids, waiting, cancelling, lists; copies; pages of results."""
import uuid

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud import bigquery
from google.cloud.bigquery.table import PrimaryKey, TableConstraints

SLOW = "SELECT SUM(a * b) FROM UNNEST(GENERATE_ARRAY(1, 100000)) a, UNNEST(GENERATE_ARRAY(1, 1000000)) b"


def test_a_query_job_is_as_the_service_shows_it(api, client):
    job = client.query("SELECT 7 AS lucky")
    assert [row.lucky for row in job.result()] == [7]
    body = api("GET", f"jobs/{job.job_id}").json()
    assert body["id"] == f"{client.project}:US.{job.job_id}" and body["status"] == {"state": "DONE"}
    assert body["configuration"]["jobType"] == "QUERY" and body["configuration"]["query"]["destinationTable"]["tableId"]
    assert body["configuration"]["query"]["priority"] == "INTERACTIVE" and body["configuration"]["query"]["writeDisposition"] == "WRITE_TRUNCATE"
    statistics = body["statistics"]
    assert int(statistics["creationTime"]) <= int(statistics["startTime"]) <= int(statistics["endTime"])
    assert statistics["query"]["statementType"] == "SELECT" and statistics["query"]["cacheHit"] is False
    assert not [key for key in body if key.startswith("_")]


def test_an_id_is_used_once(client):
    job_id = f"once_{uuid.uuid4().hex}"
    client.query("SELECT 1", job_id=job_id, job_retry=None).result()
    with pytest.raises(Conflict, match=f"Already Exists: Job {client.project}:US.{job_id}"):
        client.query("SELECT 1", job_id=job_id, job_retry=None, retry=None)


@pytest.mark.parametrize("configuration, code, words", [
    ({}, 400, "one of query, load, copy and extract"), ({"query": {}, "copy": {}}, 400, "one of query"),
    ({"query": {"query": "DELETE FROM [d.t]"}}, 501, "legacy SQL with 'DELETE'"), ({"query": {"query": "  ", "useLegacySql": False}}, 400, "Required parameter is missing: query"),
    ({"query": {"query": "SELECT 1", "useLegacySql": False, "writeDisposition": "WRITE"}}, 400, "Invalid value for writeDisposition: WRITE"),
    ({"copy": {"createDisposition": "NEVER"}}, 400, "Invalid value for createDisposition: NEVER"),
    ({"qery": {}}, 400, 'Unknown name "qery" at \'configuration\''),
    ({"query": {"query": "SELECT 1", "useLegacySql": False, "continuous": True}}, 501, "continuous in a query job")])
def test_bad_configurations(api, configuration, code, words):
    answer = api("POST", "jobs", {"configuration": configuration}).json()
    error = answer.get("error") or answer["status"]["errorResult"]
    assert words in error["message"] and error.get("code", code) == code


def test_a_bad_job_id(api):
    body = {"jobReference": {"jobId": "a b"}, "configuration": {"query": {"query": "SELECT 1", "useLegacySql": False}}}
    assert 'Invalid job ID "a b"' in api.error("POST", "jobs", body)[2]


def test_a_reference_to_another_project_and_an_unknown_state(api):
    body = {"jobReference": {"projectId": "other"}, "configuration": {"query": {"query": "SELECT 1", "useLegacySql": False}}}
    assert "Value 'other' in content does not agree with value" in api.error("POST", "jobs", body)[2]
    assert "Invalid value at 'stateFilter'" in api.error("GET", "jobs?stateFilter=lost")[2]


def test_missing_jobs_and_wrong_locations(client):
    with pytest.raises(NotFound, match="Not found: Job"):
        client.get_job("no_such_job")
    job = client.query("SELECT 1")
    job.result()
    with pytest.raises(NotFound):
        client.get_job(job.job_id, location="EU")
    assert client.get_job(job.job_id, location="us").state == "DONE"


def test_a_failed_query_is_a_job_with_an_error(client):
    job = client.query("SELECT nope")
    with pytest.raises(BadRequest, match="Unrecognized name: nope"):
        job.result()
    found = client.get_job(job.job_id)
    assert found.state == "DONE" and found.error_result["reason"] == "invalidQuery" and found.ended


def test_cancel_stops_the_work(client):
    job = client.query(SLOW)
    assert job.running()
    job.cancel()
    with pytest.raises(Exception, match="cancelled"):
        job.result(timeout=60)
    assert client.get_job(job.job_id).error_result["reason"] == "stopped"


def test_a_timeout_stops_the_work(client):
    job = client.query(SLOW, job_config=bigquery.QueryJobConfig(job_timeout_ms=300))
    with pytest.raises(Exception, match="timed out after 0.3 seconds"):
        job.result(timeout=60)


def test_a_query_that_is_not_done_says_so(api):
    body = api("POST", "queries", {"query": SLOW, "useLegacySql": False, "timeoutMs": 10}).json()
    assert body["jobComplete"] is False and "rows" not in body
    job_id = body["jobReference"]["jobId"]
    assert api("GET", f"queries/{job_id}?timeoutMs=10").json()["jobComplete"] is False
    assert api("POST", f"jobs/{job_id}/cancel").json()["kind"] == "bigquery#jobCancelResponse"


def test_results_are_kept_for_the_same_query(client, people):
    def run(text: str, **config):
        job = client.query(text, job_config=bigquery.QueryJobConfig(**config))
        return [tuple(row) for row in job.result()], job.cache_hit, job.total_bytes_processed, job.total_bytes_billed
    name = f"`{people.full_table_id.replace(':', '.')}`"
    text = f"SELECT name FROM {name} ORDER BY age"
    first, hit, size, _ = run(text)
    assert not hit and size > 0
    assert run(text) == (first, True, 0, 0)
    assert not run(text, use_query_cache=False)[1]
    assert not run(text + " -- another text")[1]
    client.query_and_wait(f"INSERT INTO {name} VALUES('Eve', 1)")
    assert run(text)[:2] == ([("Eve",), *first], False)
    for changing in (f"SELECT RAND() FROM {name}", f"SELECT CURRENT_DATE() FROM {name}", f"SELECT * FROM {name} TABLESAMPLE SYSTEM (50 PERCENT)"):
        assert [run(changing)[1] for _ in range(2)] == [False, False]


def test_a_cached_result_knows_the_views_that_it_read(client, people, dataset):
    name, view = people.full_table_id.replace(":", "."), f"{dataset}.adults"
    client.query_and_wait(f"CREATE VIEW {view} AS SELECT name FROM `{name}` WHERE age > 18")

    def run():
        job = client.query(f"SELECT COUNT(*) FROM {view}")
        return next(iter(job.result()))[0], job.cache_hit
    assert [run(), run()] == [(2, False), (2, True)]
    client.query_and_wait(f"CREATE OR REPLACE VIEW {view} AS SELECT name FROM `{name}`")
    assert run() == (3, False)


def test_a_request_that_comes_twice_is_run_once(api, people):
    request = {"query": f"INSERT INTO {people.dataset_id}.people VALUES('Twin', 2)", "useLegacySql": False, "requestId": "4711"}
    first, again = (api("POST", "queries", request | {"timeoutMs": limit}).json() for limit in (10_000, 20_000))
    assert first["jobReference"] == again["jobReference"] and again["numDmlAffectedRows"] == "1"
    other = api("POST", "queries", request | {"query": request["query"].replace("Twin", "Other")}).json()
    assert other["jobReference"] != first["jobReference"]
    assert api.error("POST", "queries", request | {"requestId": "x" * 37})[:2] == (400, "invalid")


def test_a_query_without_a_job(api):
    request = {"query": "SELECT 1 AS x", "useLegacySql": False, "jobCreationMode": "JOB_CREATION_OPTIONAL"}
    answer = api("POST", "queries", request).json()
    assert "jobReference" not in answer and answer["queryId"] and answer["rows"] == [{"f": [{"v": "1"}]}]
    assert api.error("GET", f"jobs/{answer['queryId']}")[:2] == (404, "notFound")
    paged = api("POST", "queries", request | {"query": "SELECT 1 UNION ALL SELECT 2", "maxResults": 1}).json()
    assert api("GET", f"queries/{paged['jobReference']['jobId']}?pageToken={paged['pageToken']}").json()["rows"]


@pytest.mark.parametrize("labels", [{"Big": "x"}, {"1": "x"}, {"": "x"}, {"a": "X"}, {"a": "x" * 64}, {"a b": "x"}, {f"a{i}": "" for i in range(65)}])
def test_labels_that_are_refused(api, labels):
    assert api.error("POST", "queries", {"query": "SELECT 1", "useLegacySql": False, "labels": labels})[:2] == (400, "invalid")


def test_labels_of_any_language(client):
    labels = {"größe_1": "", "お客様": "東京-1"}
    assert client.get_job(client.query("SELECT 1", job_config=bigquery.QueryJobConfig(labels=labels)).job_id).labels == labels


def test_external_tables_of_one_query(client, storage_client, api):
    bucket = storage_client.create_bucket("tables-of-one-query")
    bucket.blob("a.csv").upload_from_string("n,s\n1,x\n2,y\n")
    external = bigquery.ExternalConfig("CSV")
    external.source_uris, external.autodetect = ["gs://tables-of-one-query/a.csv"], True
    config = bigquery.QueryJobConfig(table_definitions={"people": external})
    before = client.list_datasets(include_all=True, page_size=1000)
    assert [tuple(row) for row in client.query("SELECT p.n, s FROM people p ORDER BY 1", job_config=config).result()] == [(1, "x"), (2, "y")]
    bucket.blob("a.csv").upload_from_string("n,s\n3,z\n")
    assert [row.n for row in client.query("SELECT n FROM people", job_config=config).result()] == [3]
    config.dry_run = True
    assert [field.name for field in client.query("SELECT * FROM people", job_config=config).schema] == ["n", "s"]
    assert {each.dataset_id for each in client.list_datasets(include_all=True)} <= {each.dataset_id for each in before}
    external.source_uris = ["gs://tables-of-one-query/nothing"]
    with pytest.raises(NotFound):
        client.query("SELECT 1 FROM people", job_config=bigquery.QueryJobConfig(table_definitions={"people": external})).result()


def test_options_of_scripts(client):
    def run(text: str, **options):
        config = bigquery.QueryJobConfig()
        config.script_options = bigquery.ScriptOptions(**options)
        return client.query(text, job_config=config)
    assert [row.x for row in run("SELECT 1 AS x; SELECT 2 AS x;", key_result_statement="FIRST_SELECT").result()] == [1]
    with pytest.raises(GoogleAPICallError, match="Query exceeded limit for bytes billed"):
        run("SELECT 1; SELECT COUNT(word) FROM `bigquery-public-data.samples.shakespeare`;", statement_byte_budget=1).result()
    with pytest.raises(GoogleAPICallError, match="timed out after 1 seconds"):
        run("SELECT 1; SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) a, UNNEST(GENERATE_ARRAY(1, 1000000)) b WHERE a < b;",
            statement_timeout_ms=1000).result(job_retry=None)


def test_lists(api, client):
    jobs = [client.query("SELECT 1") for _ in range(3)]
    for job in jobs:
        job.result()
    client.query("SELECT nope").exception()
    listed = [job.job_id for job in client.list_jobs(max_results=4)][1:]
    assert listed == [job.job_id for job in reversed(jobs)]
    assert [len(list(page)) for page in client.list_jobs(page_size=2, max_results=4).pages] == [2, 2]
    assert {job.state for job in client.list_jobs(state_filter="done")} == {"DONE"}
    assert "configuration" not in api("GET", "jobs?maxResults=1").json()["jobs"][0]
    assert api("GET", "jobs", headers={"Authorization": "Bearer eve@example.com"}).json()["jobs"] == []


# Results ------------------------------------------------------------------------------------------

def test_pages_of_a_result(client):
    job = client.query("SELECT n FROM UNNEST(GENERATE_ARRAY(1, 10)) n ORDER BY n")
    pages = job.result(page_size=4).pages
    assert [[row.n for row in page] for page in pages] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert [row.n for row in client.get_job(job.job_id).result(start_index=8)] == [9, 10]


def test_a_result_is_a_table_too(client):
    job = client.query("SELECT 'x' AS s, [1, 2] AS a")
    job.result()
    assert [tuple(row) for row in client.list_rows(client.get_table(job.destination))] == [("x", [1, 2])]


def test_results_of_what_has_none(client, people):
    job = client.copy_table(people, f"{client.project}.{people.dataset_id}.c")
    job.result()
    code, _, message = _api(client).error("GET", f"queries/{job.job_id}")
    assert code == 400 and "is not a query" in message


def _api(client):
    from conftest import Api
    return Api({"bigquery": client._connection.API_BASE_URL, "project": client.project})


# Copies -------------------------------------------------------------------------------------------

def copy(client, source, name: str, **options) -> bigquery.CopyJob:
    job = client.copy_table(source, f"{client.project}.{people_dataset(source)}.{name}", job_config=bigquery.CopyJobConfig(**options))
    job.result()
    return job


def people_dataset(source) -> str:
    return (source[0] if isinstance(source, list) else source).dataset_id


def count(client, people, name: str) -> int:
    return client.get_table(f"{people.dataset_id}.{name}").num_rows


def test_a_copy_and_its_statistics(api, client, people):
    job = copy(client, people, "copy")
    assert [tuple(row) for row in client.list_rows(f"{people.dataset_id}.copy", selected_fields=people.schema)] == [("Ada", 36), ("Bob", 41), (None, 7)]
    statistics = api("GET", f"jobs/{job.job_id}").json()["statistics"]["copy"]
    assert statistics == {"copiedRows": "3", "copiedLogicalBytes": str(3 * 8 + 2 * (2 + 3))}
    assert client.get_table(f"{people.dataset_id}.copy").schema == client.get_table(people).schema


def test_many_sources_are_appended_in_order(client, people):
    copy(client, people, "more")
    client.insert_rows_json(f"{client.project}.{people.dataset_id}.more", [{"name": "Last", "age": 1}])
    copy(client, [people, client.get_table(f"{people.dataset_id}.more")], "merged")
    names = [row.name for row in client.list_rows(f"{people.dataset_id}.merged", selected_fields=people.schema)]
    assert names == ["Ada", "Bob", None, "Ada", "Bob", None, "Last"]


def test_dispositions(client, people):
    client.create_table(bigquery.Table(f"{client.project}.{people.dataset_id}.target", schema=people.schema))
    copy(client, people, "target")
    with pytest.raises(Conflict, match=f"Already Exists: Table {client.project}:{people.dataset_id}.target"):
        copy(client, people, "target")
    copy(client, people, "target", write_disposition="WRITE_APPEND")
    assert count(client, people, "target") == 6
    copy(client, people, "target", write_disposition="WRITE_TRUNCATE")
    assert count(client, people, "target") == 3
    with pytest.raises(NotFound, match=f"Not found: Table {client.project}:{people.dataset_id}.other$|other; reason"):
        copy(client, people, "other", create_disposition="CREATE_NEVER")


def test_keys_are_those_of_the_source(client, people):
    people.table_constraints = TableConstraints(PrimaryKey(["age"]), None)
    client.update_table(people, ["table_constraints"])
    target = f"{client.project}.{people.dataset_id}.target"
    for disposition, keys in (("WRITE_EMPTY", ["age"]), ("WRITE_TRUNCATE", ["age"])):
        copy(client, people, "target", write_disposition=disposition)
        table = client.get_table(target)
        assert table.table_constraints.primary_key.columns == keys
        table.table_constraints = None
        client.update_table(table, ["table_constraints"])
    with pytest.raises(BadRequest, match="WRITE_TRUNCATE_DATA is not a valid value for a copy job"):
        copy(client, people, "target", write_disposition="WRITE_TRUNCATE_DATA")


def test_a_copy_onto_itself(client, people):
    with pytest.raises(Conflict):
        copy(client, people, "people")
    copy(client, people, "people", write_disposition="WRITE_TRUNCATE")
    assert count(client, people, "people") == 3
    copy(client, people, "people", write_disposition="WRITE_APPEND")
    assert count(client, people, "people") == 6


def test_schemas_must_be_the_same(client, people):
    other = client.create_table(bigquery.Table(f"{client.project}.{people.dataset_id}.other", schema=[bigquery.SchemaField("name", "STRING")]))
    with pytest.raises(BadRequest, match="Provided Schema does not match Table .*age"):
        copy(client, [people, other], "merged")
    with pytest.raises(BadRequest, match="Provided Schema does not match Table .*age"):
        copy(client, people, "other")


def test_overwriting_keeps_the_policy(client, people):
    copy(client, people, "target")
    policy = client.get_iam_policy(f"{client.project}.{people.dataset_id}.target")
    policy.bindings = [{"role": "roles/viewer", "members": {"allUsers"}}]
    client.set_iam_policy(f"{client.project}.{people.dataset_id}.target", policy)
    copy(client, people, "target", write_disposition="WRITE_TRUNCATE")
    assert len(client.get_iam_policy(f"{client.project}.{people.dataset_id}.target").bindings) == 1


def test_locations_must_be_the_same(client, people):
    far = bigquery.Dataset(f"{client.project}.far_{people.dataset_id}")
    far.location = "EU"
    client.create_dataset(far)
    with pytest.raises(BadRequest, match="Cannot read and write in different locations: source: US, destination: EU"):
        client.copy_table(people, f"{client.project}.{far.dataset_id}.t").result()
    client.delete_dataset(far)


def test_missing_sources(client, people):
    with pytest.raises(NotFound, match=f"Not found: Table {client.project}:{people.dataset_id}.no was not found in location US"):
        client.copy_table(f"{client.project}.{people.dataset_id}.no", f"{client.project}.{people.dataset_id}.c").result()


def test_a_deleted_table_comes_back_as_it_was(client, people):
    import time
    moment = int(time.time() * 1000)
    client.insert_rows_json(people, [{"name": "late", "age": 1}])
    client.delete_table(people)
    client.create_table(bigquery.Table(people.reference, schema=[bigquery.SchemaField("x", "DATE")]))
    client.copy_table(f"{client.project}.{people.dataset_id}.people@{moment}", f"{client.project}.{people.dataset_id}.back").result()
    assert count(client, people, "back") == 3 and client.get_table(f"{people.dataset_id}.back").schema == people.schema


def test_moments_outside_the_window(client, people):
    name = f"{client.project}.{people.dataset_id}.people"
    with pytest.raises(BadRequest, match=f"Invalid time travel timestamp 1000 for table {client.project}:{people.dataset_id}.people@1000. Cannot read before"):
        client.copy_table(f"{name}@1000", f"{client.project}.{people.dataset_id}.c").result()


def test_old_results_go_and_say_so(monkeypatch, tmp_path):
    """In this process, where the limits can be lowered; the answer is what the REST method gives."""
    from emulator import jobs
    from emulator.lake import Lake
    lake = Lake(tmp_path)
    for number in range(3):
        relation = f'results."anon{number}"'
        lake.cursor().execute(f"CREATE TABLE {relation} AS SELECT 1 AS x")
        result = {"tableReference": {"projectId": "p", "datasetId": "_d", "tableId": f"anon{number}"}, "_relation": relation}
        lake.add("table", ("p", "_d", f"anon{number}"), result)
        lake.put_later("job", ("p", f"j{number}"), {"statistics": {"creationTime": str(jobs.now_ms() + number)}, "_result": result,
                                                    "jobReference": {"projectId": "p", "jobId": f"j{number}"}})
    monkeypatch.setattr(jobs, "MOST_RESULTS", 2)
    kept = jobs.Jobs(lake)
    left = lake.cursor().execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'results' ORDER BY 1").fetchall()
    assert left == [("anon1",), ("anon2",)] and lake.get("table", ("p", "_d", "anon0")) is None and "_result" not in lake.get("job", ("p", "j0"))
    kept.close()
    lake.close()
