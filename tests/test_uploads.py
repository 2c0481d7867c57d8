"""Files that a load job brings: in one request, in pieces of any size, and as the client's helpers send them."""
import datetime as dt
import io

import pandas
import pytest
import requests
from google.cloud import bigquery

SCHEMA = [bigquery.SchemaField("a", "INTEGER"), bigquery.SchemaField("b", "STRING")]
CSV = b"".join(b"%d,text %d\n" % (number, number) for number in range(5000))


@pytest.fixture
def name(client, dataset):
    return f"{client.project}.{dataset}.t"


@pytest.fixture
def begin(api, name):
    """begin(): the address of a new resumable upload."""
    project, dataset, table = name.split(".")
    job = {"configuration": {"load": {"destinationTable": {"projectId": project, "datasetId": dataset, "tableId": table},
                                      "schema": {"fields": [field.to_api_repr() for field in SCHEMA]}}}}

    def run() -> str:
        answer = requests.post(api.base.replace("/bigquery/v2/", "/upload/bigquery/v2/") + f"{api.project}/jobs?uploadType=resumable", json=job,
                               headers={"X-Upload-Content-Type": "*/*"})
        return answer.headers["Location"]
    return run


def count(client, name: str, answer: requests.Response) -> int:
    """The rows of the table when the job that an upload made is done."""
    client.get_job(answer.json()["jobReference"]["jobId"]).result()
    return client.get_table(name).num_rows


@pytest.mark.parametrize("size", [1, 7, 4096, len(CSV)])
@pytest.mark.parametrize("total", ["known", "unknown"])
def test_pieces_of_any_size(client, name, begin, size, total):
    content, address = CSV[:len(CSV) if size > 100 else 40], begin()
    for start in range(0, len(content), size):
        piece = content[start:start + size]
        end = start + len(piece)
        whole = len(content) if total == "known" or end == len(content) else "*"
        answer = requests.put(address, data=piece, headers={"Content-Range": f"bytes {start}-{end - 1}/{whole}"})
        if end < len(content):
            assert answer.status_code == 308 and answer.headers["Range"] == f"bytes=0-{end - 1}"
    assert count(client, name, answer) == content.count(b"\n") + (not content.endswith(b"\n"))


@pytest.mark.parametrize("headers", [{}, {"Content-Range": "bytes 0-*/*"}, {"Content-Range": f"bytes 0-{len(CSV) - 1}/{len(CSV)}", "Content-Type": "*/*"}])
def test_a_stream_of_unknown_length(client, name, begin, headers):
    pieces = (CSV[start:start + 1000] for start in range(0, len(CSV), 1000))  # sent chunked
    assert count(client, name, requests.put(begin(), data=pieces, headers=headers)) == 5000


@pytest.mark.parametrize("headers", [{}, {"Content-Range": "bytes */0"}, {"Content-Range": "bytes 0-*/*"}])
def test_nothing(client, name, begin, headers):
    assert count(client, name, requests.put(begin(), data=b"", headers=headers)) == 0


def test_an_upload_can_be_asked_for_and_resumed(client, name, begin):
    address = begin()
    requests.put(address, data=CSV[:100], headers={"Content-Range": f"bytes 0-99/{len(CSV)}"})
    asked = requests.put(address, headers={"Content-Range": "bytes */*"})
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-99")
    again = requests.put(address, data=CSV[50:], headers={"Content-Range": f"bytes 50-{len(CSV) - 1}/{len(CSV)}"})  # what is sent twice counts once
    assert count(client, name, again) == 5000


@pytest.mark.parametrize("headers, code", [({"Content-Range": "bytes 10-19/20"}, 400), ({"Content-Range": "lines 0-9/10"}, 400)])
def test_bad_pieces(begin, headers, code):
    assert requests.put(begin(), data=b"0123456789", headers=headers).status_code == code


def test_sessions_that_are_not_there(begin):
    assert requests.put(begin().replace("upload_id=", "upload_id=x"), data=b"x").status_code == 404


# The client's helpers -----------------------------------------------------------------------------

@pytest.mark.parametrize("size", [None, len(CSV)])
def test_from_file(client, name, size):
    config = bigquery.LoadJobConfig(schema=SCHEMA)
    assert client.load_table_from_file(io.BytesIO(CSV), name, size=size, job_config=config).result().output_rows == 5000


def test_from_json(client, name):
    rows = [{"a": 1, "b": "x", "c": {"d": [1.5]}}, {"a": None, "b": "ग्राहक", "c": None}]
    client.load_table_from_json(rows, name).result()
    assert [dict(row) for row in client.list_rows(name)] == rows


FRAME = pandas.DataFrame({
    "i": [1, 2], "f": [1.5, None], "s": ["ग्राहक", None], "b": [True, False], "d": [dt.date(2020, 1, 2), None],
    "ts": pandas.to_datetime(["2020-01-02 03:04:05", None], utc=True), "dt": pandas.to_datetime(["2020-01-02 03:04:05", None]).astype("datetime64[ns]")})


@pytest.mark.parametrize("source_format", ["PARQUET", "CSV"])
def test_from_dataframe(client, name, source_format):
    config = bigquery.LoadJobConfig(source_format=source_format, schema=[bigquery.SchemaField("d", "DATE")])
    client.load_table_from_dataframe(FRAME, name, job_config=config).result()
    table = client.get_table(name)
    assert [field.field_type for field in table.schema] == ["INTEGER", "FLOAT", "STRING", "BOOLEAN", "DATE", "TIMESTAMP", "DATETIME"]
    moment = dt.datetime(2020, 1, 2, 3, 4, 5)
    assert [tuple(row) for row in client.list_rows(table)] == [
        (1, 1.5, "ग्राहक", True, dt.date(2020, 1, 2), moment.replace(tzinfo=dt.timezone.utc), moment), (2, None, None, False, None, None, None)]


def test_lists_and_records_of_a_dataframe(client, name):
    frame = pandas.DataFrame({"l": [[1, 2], []], "r": [{"x": 1}, {"x": 2}]})
    schema = [bigquery.SchemaField("l", "INTEGER", "REPEATED"), bigquery.SchemaField("r", "RECORD", fields=[bigquery.SchemaField("x", "INTEGER")])]
    client.load_table_from_dataframe(frame, name, job_config=bigquery.LoadJobConfig(schema=schema)).result()
    assert [tuple(row) for row in client.list_rows(name)] == [([1, 2], {"x": 1}), ([], {"x": 2})]
