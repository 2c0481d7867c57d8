"""Load and extract jobs: where from, where to, dispositions, statistics; nothing of a failed job is kept. Copies are in test_jobs."""
import datetime as dt
import gzip
import io
import json
import threading
import uuid

import duckdb
import pyarrow.parquet as pq
import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, MethodNotImplemented, NotFound
from google.cloud import bigquery, storage
from google.cloud.bigquery.table import PrimaryKey, TableConstraints

from conftest import environment, running_emulator

SCHEMA = [bigquery.SchemaField("a", "INTEGER"), bigquery.SchemaField("b", "STRING")]
SHAKESPEARE = "bigquery-public-data.samples.shakespeare"


@pytest.fixture
def strangers(emulator):
    """A bucket of another project."""
    with environment(emulator):
        client = storage.Client(project="someone-else")
    bucket = client.create_bucket(f"theirs-{uuid.uuid4().hex[:12]}")
    yield bucket
    bucket.delete(force=True)


@pytest.fixture
def name(client, dataset):
    return f"{client.project}.{dataset}.t"


def upload(client, name: str, content: str = "1,x\n2,y\n", **options) -> bigquery.LoadJob:
    config = bigquery.LoadJobConfig(**{"schema": SCHEMA} | options)
    job = client.load_table_from_file(io.BytesIO(content.encode()), name, job_config=config)
    job.result()
    return job


def from_uris(client, name: str, *uris: str, **options) -> bigquery.LoadJob:
    job = client.load_table_from_uri(list(uris), name, job_config=bigquery.LoadJobConfig(**{"schema": SCHEMA} | options))
    job.result()
    return job


def extract(client, source, *uris: str, **options) -> bigquery.ExtractJob:
    job = client.extract_table(source, list(uris), job_config=bigquery.ExtractJobConfig(**options))
    job.result()
    return job


def rows(client, name: str) -> list[tuple]:
    return [tuple(row) for row in client.list_rows(client.get_table(name))]


# Load ---------------------------------------------------------------------------------------------

def test_a_load_and_its_statistics(api, client, name):
    job = upload(client, name)
    assert rows(client, name) == [(1, "x"), (2, "y")]
    statistics = api("GET", f"jobs/{job.job_id}").json()["statistics"]["load"]
    assert statistics == {"inputFiles": "1", "inputFileBytes": "8", "outputRows": "2", "outputBytes": str(2 * (8 + 2 + 1)), "badRecords": "0"}


def test_dispositions(client, name):
    upload(client, name)
    upload(client, name)
    assert len(rows(client, name)) == 4
    upload(client, name, "9,z\n", write_disposition="WRITE_TRUNCATE")
    assert rows(client, name) == [(9, "z")]
    with pytest.raises(Conflict, match="Already Exists: Table"):
        upload(client, name, write_disposition="WRITE_EMPTY")
    upload(client, name + "2", write_disposition="WRITE_EMPTY")
    with pytest.raises(NotFound, match="Not found: Table"):
        upload(client, name + "3", create_disposition="CREATE_NEVER")
    with pytest.raises(NotFound, match="Not found: Dataset"):
        upload(client, f"{client.project}.no_such_dataset.t")


def test_truncating_may_change_the_schema(client, name):
    upload(client, name)
    upload(client, name, "x\n", schema=[bigquery.SchemaField("c", "STRING")], write_disposition="WRITE_TRUNCATE")
    assert [field.name for field in client.get_table(name).schema] == ["c"]


REQUIRED = [bigquery.SchemaField("a", "INTEGER", "REQUIRED"), SCHEMA[1]]


def keyed(client, name: str) -> bigquery.Table:
    table = bigquery.Table(name, schema=[bigquery.SchemaField("a", "INTEGER", "REQUIRED"), bigquery.SchemaField("b", "STRING", description="d")])
    table.table_constraints, table.clustering_fields = TableConstraints(PrimaryKey(["a"]), None), ["b"]
    return client.create_table(table)


def test_what_truncating_keeps(client, name):
    for disposition, b, keys in (("WRITE_TRUNCATE_DATA", "d", ["a"]), ("WRITE_TRUNCATE", None, None)):
        keyed(client, name)
        upload(client, name, schema=REQUIRED)
        upload(client, name, "3,z\n", schema=REQUIRED, write_disposition=disposition)
        table = client.get_table(name)
        assert rows(client, name) == [(3, "z")] and table.clustering_fields == ["b"] and table.schema[1].description == b
        assert (table.table_constraints.primary_key.columns if table.table_constraints else None) == keys
        client.delete_table(name)
    keyed(client, name)
    with pytest.raises(BadRequest, match="Field a has changed type"):
        upload(client, name, schema=[bigquery.SchemaField("a", "STRING", "REQUIRED"), SCHEMA[1]], write_disposition="WRITE_TRUNCATE_DATA")
    upload(client, name, "4,z,1\n", schema=[*REQUIRED, bigquery.SchemaField("c", "INTEGER")],
           write_disposition="WRITE_TRUNCATE_DATA", schema_update_options=["ALLOW_FIELD_ADDITION"])
    assert rows(client, name) == [(4, "z", 1)]
    for disposition in ("WRITE_TRUNCATE", "WRITE_EMPTY"):
        with pytest.raises(BadRequest, match="Schema update options should only be specified with WRITE_APPEND disposition"):
            upload(client, name, write_disposition=disposition, schema_update_options=["ALLOW_FIELD_ADDITION"])


@pytest.mark.parametrize("disposition", ["WRITE_APPEND", "WRITE_TRUNCATE"])
def test_layouts_stay_as_they_are(client, name, disposition):
    keyed(client, name)
    options = {"schema": REQUIRED, "write_disposition": disposition}
    upload(client, name, clustering_fields=["B"], **options)
    for given, told in (({"clustering_fields": ["b", "a"]}, r"clustering\(b,a\)"), ({"time_partitioning": bigquery.TimePartitioning()}, r"interval\(type:day\)")):
        with pytest.raises(BadRequest, match=rf"Expects partitioning specification clustering\(b\), but input partitioning specification is {told}"):
            upload(client, name, **given, **options)


def test_nothing_of_a_failed_load_is_kept(client, name):
    upload(client, name)
    with pytest.raises(BadRequest):
        upload(client, name, "3,z\nq,z\n", write_disposition="WRITE_TRUNCATE")
    with pytest.raises(BadRequest):
        upload(client, name + "2", "3,z\nq,z\n")
    assert rows(client, name) == [(1, "x"), (2, "y")]
    with pytest.raises(NotFound):
        client.get_table(name + "2")


def test_the_tables_own_schema_is_taken(client, name):
    client.create_table(bigquery.Table(name, schema=[bigquery.SchemaField("a", "STRING"), bigquery.SchemaField("b", "STRING")]))
    upload(client, name, schema=None)
    upload(client, name, "a,b\n3,z\n", schema=None, autodetect=True, skip_leading_rows=1)
    assert rows(client, name) == [("1", "x"), ("2", "y"), ("3", "z")]
    with pytest.raises(BadRequest, match="No schema specified on job or table."):
        upload(client, name + "2", schema=None)


@pytest.mark.parametrize("fields, words", [
    (["a STRING", "b STRING REQUIRED"], "Field a has changed type from INTEGER to STRING"),
    (["a INTEGER", "b STRING REQUIRED", "c DATE"], r"Cannot add fields \(field: c\)"), (["a INTEGER"], "Field b is missing in new schema"),
    (["a INTEGER", "b STRING"], "Field b has changed mode from REQUIRED to NULLABLE")])
def test_schemas_must_fit(client, name, fields, words):
    client.create_table(bigquery.Table(name, schema=[SCHEMA[0], bigquery.SchemaField("b", "STRING", "REQUIRED")]))
    with pytest.raises(BadRequest, match=f"Provided Schema does not match Table .*{words}"):
        upload(client, name, "1,x,2020-01-02\n", ignore_unknown_values=True, schema=[bigquery.SchemaField(*field.split()) for field in fields])


def test_a_load_may_widen_the_schema(client, name):
    client.create_table(bigquery.Table(name, schema=[bigquery.SchemaField("a", "INTEGER", "REQUIRED"), bigquery.SchemaField(
        "n", "RECORD", fields=[bigquery.SchemaField("x", "INTEGER")])]))
    client.load_table_from_json([{"a": 1, "n": {"x": 1}}], name, job_config=bigquery.LoadJobConfig()).result()
    wide = bigquery.LoadJobConfig(schema_update_options=["ALLOW_FIELD_ADDITION", "ALLOW_FIELD_RELAXATION"], autodetect=True)
    client.load_table_from_json([{"n": {"x": 2, "y": "new"}, "c": "2020-01-02"}], name, job_config=wide).result()
    table = client.get_table(name)
    assert [(field.name, field.field_type, field.mode) for field in table.schema] == [
        ("a", "INTEGER", "NULLABLE"), ("n", "RECORD", "NULLABLE"), ("c", "DATE", "NULLABLE")]
    assert rows(client, name) == [(1, {"x": 1, "y": None}, None), (None, {"x": 2, "y": "new"}, dt.date(2020, 1, 2))]
    with pytest.raises(BadRequest, match="Field a has changed type"):
        client.load_table_from_json([{"a": "x", "d": 1}], name, job_config=wide).result()
    assert len(client.get_table(name).schema) == 3
    with pytest.raises(BadRequest, match="NO_SUCH is not a valid value"):
        upload(client, name, schema_update_options=["NO_SUCH"])


def test_a_new_table_takes_the_jobs_properties(client, name):
    options = {"clustering_fields": ["b"], "destination_table_description": "told", "destination_table_friendly_name": "friend"}
    upload(client, name, range_partitioning=bigquery.RangePartitioning(field="a", range_=bigquery.PartitionRange(0, 10, 1)), **options)
    table = client.get_table(name)
    assert (table.clustering_fields, table.description, table.friendly_name, table.range_partitioning.field) == (["b"], "told", "friend", "a")


def test_names_of_any_letters(client, name):
    upload(client, name + " ग्राहक-01")
    assert len(rows(client, name + " ग्राहक-01")) == 2


def test_rows_as_json_and_large_files(client, name):
    client.load_table_from_json([{"a": 1, "b": "x"}], name).result()
    assert rows(client, name) == [(1, "x")]
    content = "".join(f"{number},{'x' * 90}\n" for number in range(60_000))
    assert upload(client, name, content).output_rows == 60_000  # more than the client sends in one request


def test_loads_at_once(client, name):
    threads = [threading.Thread(target=upload, args=[client, name, f"{number},x\n"]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a for a, _ in rows(client, name)) == list(range(8))


def test_objects_of_a_bucket(client, name, bucket):
    for number, path in enumerate(["in/x 1.csv", "in/x 2.csv", "in/deeper/x 3.csv", "out.csv"]):
        bucket.blob(path).upload_from_string(f"{number},{path}\n")
    job = from_uris(client, name, f"gs://{bucket.name}/in/*")
    assert job.input_files == 3 and sorted(a for a, _ in rows(client, name)) == [0, 1, 2]
    from_uris(client, name, f"gs://{bucket.name}/out.csv", f"gs://{bucket.name}/in/x 1.csv", write_disposition="WRITE_TRUNCATE")
    assert rows(client, name) == [(3, "out.csv"), (0, "in/x 1.csv")]


def test_manifests(client, name, bucket):
    for object_name, text in (("a.csv", "1,x\n"), ("b.csv", "2,y\n"), ("c.csv", "3,z\n")):
        bucket.blob(object_name).upload_from_string(text)
    bucket.blob("list").upload_from_string(f"gs://{bucket.name}/a.csv\n\ngs://{bucket.name}/c.csv\n")
    kind = "FILE_SET_SPEC_TYPE_NEW_LINE_DELIMITED_MANIFEST"
    load = bigquery.LoadJobConfig.from_api_repr({"load": {"fileSetSpecType": kind, "schema": {"fields": [field.to_api_repr() for field in SCHEMA]}}})
    client.load_table_from_uri(f"gs://{bucket.name}/list", name, job_config=load).result()
    assert rows(client, name) == [(1, "x"), (3, "z")]


def test_the_schema_of_another_file(client, name, bucket, tmp_path):
    for object_name, select in (("small", "SELECT 1 AS a"), ("wide", "SELECT 1 AS a, 'x' AS b")):
        duckdb.execute(f"COPY ({select}) TO '{tmp_path / object_name}' (FORMAT parquet)")
        bucket.blob(object_name).upload_from_filename(tmp_path / object_name)
    uri = f"gs://{bucket.name}/wide"
    from_uris(client, name, f"gs://{bucket.name}/small", schema=(), source_format="PARQUET", reference_file_schema_uri=uri)
    assert rows(client, name) == [(1, None)]
    with pytest.raises(BadRequest, match="referenceFileSchemaUri is for the formats"):
        from_uris(client, name, uri, reference_file_schema_uri=uri)


def test_external_tables_take_the_options_of_loads(client, name, bucket):
    bucket.blob("x.csv").upload_from_string("b,a\n01/02/2020,1\n".encode("utf-16-le"))
    config = bigquery.ExternalConfig.from_api_repr({
        "sourceFormat": "CSV", "sourceUris": [f"gs://{bucket.name}/x.csv"], "dateFormat": "DD/MM/YYYY",
        "csvOptions": {"encoding": "UTF-16LE", "skipLeadingRows": "1", "sourceColumnMatch": "NAME"},
        "schema": {"fields": [{"name": "a", "type": "INTEGER"}, {"name": "b", "type": "DATE"}]}})
    table = bigquery.Table(name)
    table.external_data_configuration = config
    client.create_table(table)
    assert [tuple(row) for row in client.query_and_wait(f"SELECT * FROM `{name}`")] == [(1, dt.date(2020, 2, 1))]


def test_the_schema_of_an_external_table_is_found_anew(client, name, bucket):
    bucket.blob("x.json").upload_from_string('{"a": 1}\n')
    table = bigquery.Table(name)
    table.external_data_configuration = bigquery.ExternalConfig.from_api_repr(
        {"sourceFormat": "NEWLINE_DELIMITED_JSON", "sourceUris": [f"gs://{bucket.name}/x.json"], "autodetect": True})
    table = client.create_table(table)
    bucket.blob("x.json").upload_from_string('{"a": 1, "b": "x"}\n')
    assert len(client.update_table(table, ["description"]).schema) == 1
    table = client.update_table(client.get_table(name), ["external_data_configuration"], autodetect_schema=True)
    assert [field.name for field in table.schema] == ["a", "b"]
    assert [tuple(row) for row in client.query_and_wait(f"SELECT * FROM `{name}`")] == [(1, "x")]


@pytest.mark.parametrize("option, value", [("copyFilesOnly", True), ("connectionProperties", [{"key": "time_zone", "value": "UTC"}]),
                                           ("projectionFields", ["a"]), ("timestampTargetPrecision", [12])])
def test_options_that_are_not_there_are_named(client, api, name, bucket, option, value):
    project, dataset, table = name.split(".")
    config = {"destinationTable": {"projectId": project, "datasetId": dataset, "tableId": table}, "sourceUris": [f"gs://{bucket.name}/x"], option: value}
    answer = api("POST", "jobs", {"configuration": {"load": config}}).json()
    error = answer.get("error") or failure(client, answer)
    assert option in error["message"] or "connection property time_zone" in error["message"]


def test_a_load_into_a_session(client):
    job = upload(client, f"{client.project}._SESSION.loaded", create_session=True)
    session = [bigquery.ConnectionProperty("session_id", job.session_info.session_id)]
    upload(client, f"{client.project}._SESSION.loaded", "3,z\n", connection_properties=session)
    config = bigquery.QueryJobConfig(connection_properties=session)
    assert [row.a for row in client.query_and_wait("SELECT a FROM loaded ORDER BY a", job_config=config)] == [1, 2, 3]
    assert client.get_table(client.get_job(job.job_id).destination).num_rows == 3
    client.query_and_wait("BEGIN TRANSACTION", job_config=config)
    with pytest.raises(MethodNotImplemented, match="a load job in a transaction"):
        upload(client, f"{client.project}._SESSION.loaded", connection_properties=session)
    client.query_and_wait("CALL BQ.ABORT_SESSION()", job_config=config)
    with pytest.raises(BadRequest, match="Invalid input session id"):
        upload(client, f"{client.project}._SESSION.loaded", connection_properties=session)
    with pytest.raises(BadRequest, match="_SESSION is that of a session"):
        upload(client, f"{client.project}._SESSION.loaded")


def failure(client, body: dict) -> dict:
    job = client.get_job(body["jobReference"]["jobId"])
    with pytest.raises(Exception):
        job.result()
    return job.error_result


def test_uris_without_end(client, name):
    with pytest.raises(BadRequest, match="Too many source URIs: 10001; the most is 10000"):
        from_uris(client, name, *["gs://cloud-samples-data/bigquery/us-states/us-states.csv"] * 10_001)


def test_a_bad_object_is_named(client, name, bucket):
    bucket.blob("bad.csv").upload_from_string("1,x\nq,y\n")
    job = client.load_table_from_uri(f"gs://{bucket.name}/bad.csv", name, job_config=bigquery.LoadJobConfig(schema=SCHEMA))
    assert isinstance(job.exception(), BadRequest)
    entry = job.errors[-1]
    assert entry["location"] == f"gs://{bucket.name}/bad.csv" and entry["message"].endswith(f"'Unable to parse' File: gs://{bucket.name}/bad.csv")


def test_sources_that_are_not_there(client, name, bucket, strangers):
    with pytest.raises(NotFound, match=f"Not found: URI gs://{bucket.name}/no.csv"):
        from_uris(client, name, f"gs://{bucket.name}/no.csv")
    with pytest.raises(NotFound, match="Not found: URI gs://no-such-bucket"):
        from_uris(client, name, "gs://no-such-bucket/x")
    with pytest.raises(BadRequest, match="Invalid source URI 'http://x/y'"):
        from_uris(client, name, "http://x/y")
    strangers.blob("x.csv").upload_from_string("1,x\n")
    with pytest.raises(Forbidden, match=f"Access Denied: File gs://{strangers.name}/x.csv"):
        from_uris(client, name, f"gs://{strangers.name}/x.csv")
    share(strangers, "roles/storage.objectViewer")
    assert from_uris(client, name, f"gs://{strangers.name}/x.csv").output_rows == 1


def share(bucket, role: str) -> None:
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": role, "members": {"allUsers"}})
    bucket.set_iam_policy(policy)


def test_the_public_project_is_closed(client):
    with pytest.raises(Forbidden, match="Access Denied"):
        upload(client, SHAKESPEARE)


def test_a_partition_of_a_table_without_any(client, name):
    with pytest.raises(BadRequest, match="the table is not partitioned"):
        upload(client, name + "$20200101")


# Extract ------------------------------------------------------------------------------------------

def test_the_labs_export(api, client, bucket):
    job = extract(client, SHAKESPEARE, f"gs://{bucket.name}/shakespeare.csv")
    lines = bucket.blob("shakespeare.csv").download_as_text().splitlines()
    table = client.get_table(SHAKESPEARE)
    assert lines[0] == "word,word_count,corpus,corpus_date" and len(lines) == table.num_rows + 1
    statistics = api("GET", f"jobs/{job.job_id}").json()["statistics"]["extract"]
    assert statistics == {"destinationUriFileCounts": ["1"], "inputBytes": str(table.num_bytes)}
    blob = bucket.get_blob("shakespeare.csv")
    assert blob.size == len(blob.download_as_bytes()) and blob.md5_hash and blob.crc32c and blob.content_type == "text/csv"


@pytest.fixture
def every(client, dataset):
    """A table of a row of every kind of value, and one of NULLs."""
    kinds = {"s": "STRING", "y": "BYTES", "i": "INTEGER", "f": "FLOAT", "n": "NUMERIC", "o": "BOOLEAN", "d": "DATE", "t": "TIME", "dt": "DATETIME",
             "ts": "TIMESTAMP", "j": "JSON"}
    table = client.create_table(bigquery.Table(f"{client.project}.{dataset}.every", schema=[bigquery.SchemaField(*item) for item in kinds.items()]))
    row = {"s": 'a,"b" <&>', "y": "aGk=", "i": 7, "f": 1.5, "n": "2.25", "o": True, "d": "2020-01-02", "t": "03:04:05", "dt": "2020-01-02T03:04:05",
           "ts": "2020-01-02 03:04:05.5 UTC", "j": '{"k": [1]}'}
    assert client.insert_rows_json(table, [row, {}]) == []
    return table


def test_csv(client, bucket, every):
    extract(client, every, f"gs://{bucket.name}/a b/ü.csv")
    assert bucket.blob("a b/ü.csv").download_as_text() == (
        "s,y,i,f,n,o,d,t,dt,ts,j\n"
        '"a,""b"" <&>",aGk=,7,1.5,2.25,true,2020-01-02,03:04:05,2020-01-02T03:04:05,2020-01-02 03:04:05.500000 UTC,"{""k"":[1]}"\n'
        ",,,,,,,,,,\n")
    extract(client, every, f"gs://{bucket.name}/t.gz", print_header=False, field_delimiter="\t", compression="GZIP")
    assert gzip.decompress(bucket.blob("t.gz").download_as_bytes(raw_download=True)).decode().startswith('"a,""b"" <&>"\taGk=\t7\t')


def test_json(client, bucket, every):
    extract(client, every, f"gs://{bucket.name}/x.json", destination_format="NEWLINE_DELIMITED_JSON")
    first, second = bucket.blob("x.json").download_as_text().splitlines()
    assert "a,\\\"b\\\" \\u003c\\u0026\\u003e" in first and second == "{}"
    assert json.loads(first) == {"s": 'a,"b" <&>', "y": "aGk=", "i": "7", "f": 1.5, "n": "2.25", "o": True, "d": "2020-01-02", "t": "03:04:05",
                                 "dt": "2020-01-02T03:04:05", "ts": "2020-01-02 03:04:05.500000 UTC", "j": {"k": [1]}}


@pytest.mark.parametrize("compression", ["NONE", "SNAPPY", "GZIP", "ZSTD"])
def test_parquet(client, bucket, every, tmp_path, compression):
    extract(client, every, f"gs://{bucket.name}/x.parquet", destination_format="PARQUET", compression=compression)
    bucket.blob("x.parquet").download_to_filename(tmp_path / "x.parquet")
    count, first = duckdb.execute("SELECT count(*), any_value(s) FROM read_parquet(?)", [str(tmp_path / "x.parquet")]).fetchone()
    assert (count, first) == (2, 'a,"b" <&>')


@pytest.mark.parametrize("form", ["CSV", "NEWLINE_DELIMITED_JSON", "PARQUET", "AVRO"])
def test_what_is_extracted_loads_again(client, bucket, every, name, form):
    extract(client, every, f"gs://{bucket.name}/x", destination_format=form)
    options = {"skip_leading_rows": 1} if form == "CSV" else {}
    from_uris(client, name, f"gs://{bucket.name}/x", schema=every.schema, source_format=form, **options)
    assert rows(client, name) == rows(client, f"{every.project}.{every.dataset_id}.{every.table_id}")


def test_nested_rows(client, bucket, name):
    nested = [bigquery.SchemaField("n", "RECORD", fields=[SCHEMA[0], bigquery.SchemaField("l", "STRING", "REPEATED")])]
    client.create_table(bigquery.Table(name, schema=nested))
    client.insert_rows_json(name, [{"n": {"a": 1, "l": ["x", "y"]}}])
    extract(client, name, f"gs://{bucket.name}/x.json", destination_format="NEWLINE_DELIMITED_JSON")
    assert bucket.blob("x.json").download_as_text() == '{"n":{"a":"1","l":["x","y"]}}\n'
    with pytest.raises(BadRequest, match="Operation cannot be performed on a nested schema. Field: n"):
        extract(client, name, f"gs://{bucket.name}/x.csv")


def test_wildcards(client, bucket, name):
    upload(client, name)
    job = extract(client, name, f"gs://{bucket.name}/x-*.csv")
    assert job.destination_uri_file_counts == [1] and [blob.name for blob in bucket.list_blobs()] == ["x-000000000000.csv"]
    job = extract(client, name, f"gs://{bucket.name}/y-*.csv", f"gs://{bucket.name}/z-*.csv", print_header=False)
    assert job.destination_uri_file_counts == [1, 1]
    assert [bucket.blob(f"{letter}-000000000000.csv").download_as_text() for letter in "yz"] == ["1,x\n", "2,y\n"]


def test_more_than_a_gigabyte(client, bucket, name):
    text = "SELECT REPEAT('x', 4000) AS s FROM UNNEST(GENERATE_ARRAY(1, 280000))"
    client.query(text, bigquery.QueryJobConfig(destination=name)).result(page_size=1)
    assert client.get_table(name).num_bytes > 1 << 30
    with pytest.raises(BadRequest, match=r"too large to be exported to a single file. Specify a uri including a \* to shard export."):
        extract(client, name, f"gs://{bucket.name}/x.parquet", destination_format="PARQUET")
    job = extract(client, name, f"gs://{bucket.name}/x-*.parquet", destination_format="PARQUET")
    blobs = list(bucket.list_blobs())
    assert job.destination_uri_file_counts == [len(blobs)] == [2]
    assert [blob.name for blob in blobs] == ["x-000000000000.parquet", "x-000000000001.parquet"]
    assert sum(pq.read_metadata(io.BytesIO(blob.download_as_bytes())).num_rows for blob in blobs) == 280_000


def test_the_past(client, bucket, name):
    upload(client, name)
    moment = int(client.get_table(name).modified.timestamp() * 1000)
    upload(client, name, "3,z\n")
    client.delete_table(name)
    extract(client, f"{name}@{moment}", f"gs://{bucket.name}/x.csv", print_header=False)
    assert bucket.blob("x.csv").download_as_text() == "1,x\n2,y\n"


def test_buckets_that_are_missing_or_anothers(client, strangers):
    with pytest.raises(NotFound, match="Not found: URI gs://no-such-bucket"):
        extract(client, SHAKESPEARE, "gs://no-such-bucket/x.csv")
    with pytest.raises(Forbidden, match="Access Denied: BigQuery BigQuery: Permission denied while writing data."):
        extract(client, SHAKESPEARE, f"gs://{strangers.name}/x.csv")
    assert not list(strangers.list_blobs())
    share(strangers, "roles/storage.objectCreator")
    extract(client, SHAKESPEARE, f"gs://{strangers.name}/x.csv")
    assert strangers.blob("x.csv").exists()


def test_locations(client, storage_client, name):
    far = bigquery.Dataset(f"{client.project}.far_{uuid.uuid4().hex[:8]}")
    far.location = "EU"
    client.create_dataset(far)
    there, here = (storage_client.create_bucket(f"place-{uuid.uuid4().hex[:12]}", location=location) for location in ("EUROPE-WEST1", "US"))
    upload(client, f"{far.project}.{far.dataset_id}.t")
    extract(client, f"{far.project}.{far.dataset_id}.t", f"gs://{there.name}/x.csv")
    with pytest.raises(BadRequest, match="Cannot read and write in different locations: source: EU, destination: US"):
        extract(client, f"{far.project}.{far.dataset_id}.t", f"gs://{here.name}/x.csv")
    extract(client, SHAKESPEARE, f"gs://{there.name}/y.csv")  # from the US to anywhere
    for bucket in (there, here):
        bucket.delete(force=True)
    client.delete_dataset(far, delete_contents=True)


@pytest.mark.parametrize("uris, options, words", [
    (["x.csv"], {}, "Invalid extract destination URI 'x.csv'. Must be a valid Google Storage path."),
    (["gs://{b}/*/*.csv"], {}, "Invalid extract destination URI"), (["gs://{b}/x", "gs://{b}/y"], {}, r"include a \*"),
    (["gs://{b}/x"], {"compression": "SNAPPY"}, "SNAPPY is not a valid value"), (["gs://{b}/x"], {"destination_format": "ORC"}, "ORC is not a valid value")])
def test_bad_extracts(client, bucket, uris, options, words):
    with pytest.raises(Exception, match=words):
        extract(client, SHAKESPEARE, *[uri.format(b=bucket.name) for uri in uris], **options)


def test_missing_tables_and_views(client, bucket, name):
    with pytest.raises(NotFound, match="Not found: Table"):
        extract(client, name, f"gs://{bucket.name}/x.csv")
    view = bigquery.Table(name)
    view.view_query = "SELECT 1 AS x"
    client.create_table(view)
    with pytest.raises(BadRequest, match="currently a VIEW"):
        extract(client, name, f"gs://{bucket.name}/x.csv")


def test_what_a_killed_process_left_is_cleared(tmp_path):
    (tmp_path / "upload-1").write_text("half a file")
    (tmp_path / "extract-1").mkdir()
    with running_emulator("--data-dir", str(tmp_path)):
        assert not [*tmp_path.glob("upload-*"), *tmp_path.glob("extract-*")]
