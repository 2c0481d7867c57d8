"""The Storage API through Google's clients, over gRPC: sessions read as Arrow and Avro, and rows appended."""
import datetime as dt
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import grpc
import pandas
import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud import bigquery, bigquery_storage_v1
from google.cloud.bigquery_storage_v1 import types, writer
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from conftest import environment

ARROW, AVRO = types.DataFormat.ARROW, types.DataFormat.AVRO
EVERY_TYPE = """
    SELECT 1 AS i, 0.5 AS f, TRUE AS b, 'ü' AS s, b'\\x00z' AS bytes_, NUMERIC '-1.25' AS n, BIGNUMERIC '-1.5' AS big, DATE '2020-01-02' AS d,
        TIME '01:02:03.000004' AS t, DATETIME '2020-01-02 03:04:05.000006' AS dt, TIMESTAMP '2020-01-02 03:04:05.000006+00' AS ts,
        JSON '{"a":[1]}' AS j, ST_GEOGPOINT(1, 2) AS g, [1, 2] AS a, STRUCT(1 AS x, [STRUCT(BIGNUMERIC '2' AS y)] AS l) AS st,
        RANGE(DATE '2020-01-01', NULL) AS r
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"""
MOMENT = dt.datetime(2020, 1, 2, 3, 4, 5, 6, dt.timezone.utc)


# Reading ------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def reader(emulator):
    """A client that knows of no emulator: the environment leads it there."""
    with environment(emulator):
        return bigquery_storage_v1.BigQueryReadClient()


@pytest.fixture
def session(client, reader, dataset):
    """Make a session over a table of the test's dataset."""
    def make(table: str, data_format=ARROW, streams: int = 1, at=None, **options):
        asked = types.ReadSession(table=f"projects/{client.project}/datasets/{dataset}/tables/{table}", data_format=data_format, read_options=options)
        if at:
            asked.table_modifiers.snapshot_time = at
        return reader.create_read_session(parent=f"projects/{client.project}", read_session=asked, max_stream_count=streams)
    return make


@pytest.fixture
def read(reader, session):
    """All rows of a table, as dicts."""
    def rows(*args, **options) -> list[dict]:
        made = session(*args, **options)
        return [{name: value.as_py() if hasattr(value, "as_py") else value for name, value in row.items()}
                for stream in made.streams for row in reader.read_rows(stream.name).rows(made)]
    return rows


@pytest.fixture
def numbers(sql):
    """Table `numbers` of 10,000 rows, n from 0 on."""
    sql("CREATE TABLE numbers AS SELECT n, CONCAT('name ', CAST(n AS STRING)) AS name, STRUCT(n AS a, -n AS b) AS pair FROM UNNEST(GENERATE_ARRAY(0, 9999)) AS n")


def test_every_type_as_arrow(sql, read, session):
    sql(f"CREATE TABLE every AS {EVERY_TYPE}")
    row, nulls = sorted(read("every"), key=lambda row: row["i"] is None)
    assert row == {
        "i": 1, "f": 0.5, "b": True, "s": "ü", "bytes_": b"\0z", "n": Decimal("-1.25"), "big": Decimal("-1.5"), "d": dt.date(2020, 1, 2),
        "t": dt.time(1, 2, 3, 4), "dt": MOMENT.replace(tzinfo=None), "ts": MOMENT, "j": '{"a":[1]}', "g": "POINT(1 2)", "a": [1, 2],
        "st": {"x": 1, "l": [{"y": Decimal(2)}]}, "r": {"start": dt.date(2020, 1, 1), "end": None}}
    assert {name for name, value in nulls.items() if value is not None} == {"a"} and nulls["a"] == []
    schema = pa.ipc.read_schema(pa.py_buffer(session("every").arrow_schema.serialized_schema))
    assert [str(schema.field(name).type) for name in ("n", "big", "dt", "ts", "t")] == [
        "decimal128(38, 9)", "decimal256(76, 38)", "timestamp[us]", "timestamp[us, tz=UTC]", "time64[us]"]
    assert schema.field("g").metadata[b"ARROW:extension:name"] == b"google:sqlType:geography"


def test_every_type_as_avro(sql, read):
    sql(f"CREATE TABLE every AS {EVERY_TYPE}")
    row, nulls = sorted(read("every", AVRO), key=lambda row: row["i"] is None)
    assert row == {
        "i": 1, "f": 0.5, "b": True, "s": "ü", "bytes_": b"\0z", "n": Decimal("-1.25"), "big": Decimal("-1.5"), "d": dt.date(2020, 1, 2),
        "t": dt.time(1, 2, 3, 4), "dt": "2020-01-02T03:04:05.000006", "ts": MOMENT, "j": '{"a":[1]}', "g": "POINT(1 2)", "a": [1, 2],
        "st": {"x": 1, "l": [{"y": Decimal(2)}]}, "r": {"start": dt.date(2020, 1, 1), "end": None}}
    assert {name for name, value in nulls.items() if value is not None} == {"a"}


@pytest.mark.parametrize("data_format", [ARROW, AVRO])
def test_selected_fields_and_a_row_restriction(numbers, read, data_format):
    rows = read("numbers", data_format, selected_fields=["pair.b", "n"], row_restriction="n < 3 AND pair.a > 0")
    assert [list(row.items()) for row in rows] == [[("n", 1), ("pair", {"b": -1})], [("n", 2), ("pair", {"b": -2})]]


@pytest.mark.parametrize(("restriction", "message"), [
    ("nope = 1", "Unrecognized name: nope"), ("n >", "Syntax error"), ("COUNT(*) > 1", "Aggregate function COUNT"), ("name", "WHERE clause should return type BOOL")])
def test_a_bad_row_restriction(numbers, session, client, dataset, restriction, message):
    with pytest.raises(exceptions.InvalidArgument, match=message) as caught:
        session("numbers", row_restriction=restriction)
    assert f"Row filter for {client.project}:{dataset}.numbers is invalid. Filter is '{restriction}'" in caught.value.message


def test_streams_divide_the_rows(numbers, session, reader):
    asked = types.ReadSession(table=session("numbers").table, data_format=ARROW)
    made = reader.create_read_session(types.CreateReadSessionRequest(parent="projects/x", read_session=asked, preferred_min_stream_count=3))
    parts = [[row["n"].as_py() for row in reader.read_rows(stream.name).rows()] for stream in made.streams]
    assert len(parts) == 3 and all(parts) and sum(parts, []) == list(range(10_000))
    assert made.estimated_row_count == 10_000 and made.estimated_total_bytes_scanned > 8 * 10_000 and made.expire_time > dt.datetime.now(dt.timezone.utc)


def test_a_stream_goes_on_where_it_was_left(numbers, session, reader):
    (stream,) = session("numbers").streams
    assert [row["n"].as_py() for row in reader.read_rows(stream.name, offset=9_997).rows()] == [9_997, 9_998, 9_999]
    assert list(reader.read_rows(stream.name, offset=10_000).rows()) == []
    with pytest.raises(exceptions.OutOfRange):
        reader.read_rows(stream.name, offset=10_001)


def test_a_stream_is_split(numbers, session, reader):
    (stream,) = session("numbers").streams
    split = reader.split_read_stream(types.SplitReadStreamRequest(name=stream.name, fraction=0.25))
    first, rest = ([row["n"].as_py() for row in reader.read_rows(each.name).rows()] for each in (split.primary_stream, split.remainder_stream))
    assert (first, rest) == (list(range(2500)), list(range(2500, 10_000)))


def test_the_first_response_has_the_schema_and_all_tell_progress(numbers, session, reader):
    (stream,) = session("numbers").streams
    responses = list(reader.read_rows(stream.name))
    assert responses[0].arrow_schema.serialized_schema and not any(each.arrow_schema.serialized_schema for each in responses[1:])
    assert sum(each.row_count for each in responses) == 10_000
    assert (responses[0].stats.progress.at_response_start, responses[-1].stats.progress.at_response_end) == (0, 1)


@pytest.mark.parametrize("codec", ["LZ4_FRAME", "ZSTD"])
def test_compressed_buffers(numbers, read, codec):
    assert [row["n"] for row in read("numbers", arrow_serialization_options={"buffer_compression": codec})] == list(range(10_000))


@pytest.mark.parametrize("data_format", [ARROW, AVRO])
def test_compressed_responses(numbers, session, reader, data_format):
    made = session("numbers", data_format, response_compression_codec="RESPONSE_COMPRESSION_CODEC_LZ4")
    response = next(iter(reader.read_rows(made.streams[0].name)))
    packed = response.arrow_record_batch.serialized_record_batch or response.avro_rows.serialized_binary_rows
    assert len(pa.decompress(packed, response.uncompressed_byte_size, "lz4_raw")) > len(packed)


def test_a_sample(numbers, session, reader):
    streams = session("numbers", sample_percentage=50).streams
    first, again = ([row["n"].as_py() for stream in streams for row in reader.read_rows(stream.name).rows()] for _ in range(2))
    assert first == again and len(first) % 1000 == 0
    assert not session("numbers", sample_percentage=0).streams and session("numbers", sample_percentage=100).streams


def test_a_session_keeps_to_its_snapshot(sql, session, reader, read, client, dataset):
    sql("CREATE TABLE t AS SELECT 1 AS n")
    before = session("t")
    moment = client.get_table(f"{dataset}.t").modified
    sql("UPDATE t SET n = 2 WHERE TRUE")
    assert [row["n"].as_py() for row in reader.read_rows(before.streams[0].name).rows()] == [1]
    assert read("t") == [{"n": 2}]
    at = list(sql("SELECT CURRENT_TIMESTAMP()").result())[0][0]
    sql("INSERT INTO t VALUES (3)")
    assert read("t", at=at) == [{"n": 2}] and read("t", at=at, row_restriction="n > 1") == [{"n": 2}]
    assert moment < at


def test_a_partition(sql, read):
    sql("CREATE TABLE days PARTITION BY d AS SELECT d, EXTRACT(DAY FROM d) AS n FROM UNNEST([DATE '2020-01-01', '2020-01-02']) AS d")
    assert read("days$20200102", selected_fields=["n"]) == [{"n": 2}]


def test_row_access_policies(sql, read, client):
    sql("CREATE TABLE t AS SELECT n FROM UNNEST([1, 2, 3]) AS n")
    sql("CREATE ROW ACCESS POLICY few ON t GRANT TO ('allAuthenticatedUsers') FILTER USING (n > 1)")
    assert sorted(row["n"] for row in read("t")) == [2, 3]
    assert read("t", row_restriction="n < 3") == [{"n": 2}]


def test_an_empty_table_has_no_streams(sql, session):
    sql("CREATE TABLE t (n INT64)")
    made = session("t")
    assert not made.streams and pa.ipc.read_schema(pa.py_buffer(made.arrow_schema.serialized_schema)).names == ["n"]


def test_what_a_session_refuses(sql, numbers, session, reader):
    sql("CREATE VIEW v AS SELECT 1 AS n")
    for error, message, table, options in (
            (exceptions.InvalidArgument, "non-table entities", "v", {}), (exceptions.NotFound, "Not found: Table", "none", {}),
            (exceptions.InvalidArgument, "selected fields do not exist", "numbers", {"selected_fields": ["x"]}),
            (exceptions.InvalidArgument, "Data format", "numbers", {"data_format": 0}),
            (exceptions.InvalidArgument, "Only one of", "numbers", {"arrow_serialization_options": {"buffer_compression": "ZSTD"}, "response_compression_codec": 2}),
            (exceptions.InvalidArgument, "between 0 and 100", "numbers", {"sample_percentage": 101})):
        with pytest.raises(error, match=message):
            session(table, **options)
    with pytest.raises(exceptions.InvalidArgument, match="Invalid resource name"):
        reader.create_read_session(parent="projects/x", read_session=types.ReadSession(table="x", data_format=ARROW))
    with pytest.raises(exceptions.NotFound):
        reader.read_rows("projects/x/locations/us/sessions/s/streams/t")
    with pytest.raises(exceptions.PermissionDenied, match="readsessions.create"):
        reader.create_read_session(parent="projects/bigquery-public-data", read_session=types.ReadSession(table=session("numbers").table, data_format=ARROW))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads how long the emulator has worked in /proc")
def test_a_call_that_nobody_waits_for_is_not_worked_on(numbers, session, reader, emulator):
    def worked() -> int:
        return sum(map(int, Path(f"/proc/{emulator['process'].pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    numbers = "UNNEST(GENERATE_ARRAY(1, 200000))"
    asked = types.ReadSession(table=session("numbers").table, data_format=ARROW, read_options={
        "row_restriction": f"n = (SELECT COUNT(*) FROM {numbers} AS a, {numbers} AS b WHERE MOD(a * b, 7) = 3)"})
    with pytest.raises(exceptions.DeadlineExceeded):
        reader.create_read_session(parent="projects/x", read_session=asked, timeout=2, retry=None)
    until = time.monotonic() + 30
    before = -100
    while (now := worked()) - before > 10:  # hundredths of a second, in half of one
        assert time.monotonic() < until
        before = now
        time.sleep(0.5)


def test_many_clients_at_once(numbers, emulator, session):
    (stream,) = session("numbers").streams

    def count(_: int) -> int:
        with grpc.insecure_channel(emulator["grpc"].removeprefix("http://")) as channel:
            own = bigquery_storage_v1.BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
            return sum(page.num_items for page in own.read_rows(stream.name).rows().pages)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count, range(24))) == [10_000] * 24


# The BigQuery client ------------------------------------------------------------------------------

@pytest.fixture
def led(emulator):
    with environment(emulator):
        yield


def test_a_query_into_a_dataframe_by_environment_alone(led, client):
    frame = client.query("SELECT n, CAST(n AS STRING) AS s FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS n").to_dataframe()
    assert frame.n.sum() == 5000050000 and frame.s.iloc[-1] == "100000" and len(frame) == 100_000


def test_the_dataframe_of_a_program_that_knows_of_nothing(emulator):
    """As a user has it: a bare client in a process of its own."""
    program = "from google.cloud import bigquery; print(len(bigquery.Client().query('SELECT n FROM UNNEST(GENERATE_ARRAY(1, 60000)) AS n').to_arrow()))"
    with environment(emulator):
        done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", program], capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "60000", done.stderr


ROWS = """SELECT n, CAST(n AS STRING) AS s, [n] AS l, BIGNUMERIC '1.5' AS b, TIMESTAMP_SECONDS(n) AS t, JSON '1' AS j
          FROM UNNEST(GENERATE_ARRAY(1, {})) AS n"""


@pytest.mark.parametrize("count", [0, 9, 100_000])
@pytest.mark.parametrize("codec", [None, "LZ4_FRAME", "ZSTD"])
def test_results_as_arrow(led, client, count, codec):
    result = client.query_and_wait(ROWS.format(count), query_results_format="ARROW", compression_codec=codec)
    found = result.to_arrow()
    assert found["n"].to_pylist() == list(range(1, count + 1)) and result.total_rows == count
    assert found.schema.types == client.query(ROWS.format(count)).to_arrow().schema.types
    assert (result.job_id is None) == (count < 100_000)  # the answer was whole


def test_pages_of_results_as_arrow(led, client, dataset):
    def read(**options):
        return [batch.num_rows for batch in client.query_and_wait(ROWS.format(9), query_results_format="ARROW", **options).to_arrow_iterable()]
    assert read(page_size=2) == [2, 7] and read(max_results=4) == [4] and read(page_size=2, max_results=4) == [2, 2]
    assert read(job_config=bigquery.QueryJobConfig(destination=f"{client.project}.{dataset}.named")) == [9]
    assert client.query_and_wait(f"CREATE TABLE {dataset}.made (a INT64)", query_results_format="ARROW").to_arrow().num_rows == 0


@pytest.mark.parametrize("options, words", [({"arrowSerializationOptions": {"bufferCompression": "GZIP"}}, "Invalid value for bufferCompression: GZIP"),
                                            ({"arrowSerializationOptions": {"picosTimestampPrecision": "DAYS"}}, "Invalid value for picosTimestampPrecision")])
def test_arrow_that_there_is_not(api, options, words):
    code, _, message = api.error("POST", "queries", {"query": "SELECT 1", "useLegacySql": False, "queryResultsFormat": "ARROW", **options})
    assert code == 400 and words in message


def test_streams_of_jobs(client, reader, dataset, people):
    def read(job, location="us", **options):
        return [response.row_count for response in reader.read_rows(f"projects/{client.project}/locations/{location}/jobs/{job.job_id}/streams/_default", **options)]
    job = client.query(ROWS.format(9))
    job.result()
    assert read(job) == [9] and read(job, offset=7) == [2]
    with pytest.raises(exceptions.OutOfRange):
        read(job, offset=10)
    with pytest.raises(exceptions.NotFound, match="Not found: Job"):
        read(job, "eu")
    named = client.query("SELECT 1 AS a", job_config=bigquery.QueryJobConfig(destination=f"{client.project}.{dataset}.named"))
    named.result()
    with pytest.raises(exceptions.InvalidArgument, match="does not support explicitly-specified destination tables"):
        read(named)
    copy = client.copy_table(people, f"{client.project}.{dataset}.copy")
    copy.result()
    with pytest.raises(exceptions.FailedPrecondition, match="not a query that has succeeded"):
        read(copy)


def test_list_rows_into_a_dataframe(led, numbers, client, dataset, reader):
    table = client.get_table(f"{dataset}.numbers")
    for options in ({}, {"bqstorage_client": reader}):
        frame = client.list_rows(table).to_dataframe(**options)
        assert sorted(frame.n) == list(range(10_000)) and frame.pair.iloc[0] == {"a": frame.n.iloc[0], "b": -frame.n.iloc[0]}
    assert client.list_rows(table, selected_fields=table.schema[:1]).to_arrow(bqstorage_client=reader).column_names == ["n"]
    assert isinstance(frame, pandas.DataFrame)


def test_a_tunnel_leads_nowhere_else(emulator):
    import socket
    host, port = emulator["grpc"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"CONNECT pubsub.googleapis.com:443 HTTP/1.1\r\nHost: pubsub.googleapis.com\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 403")


# Writing ------------------------------------------------------------------------------------------

INT32, INT64, STRING, BYTES, BOOL, DOUBLE, MESSAGE = 5, 3, 9, 12, 8, 1, 11
OPTIONAL, REPEATED = 1, 3


class Rows:
    """Messages of a writer: fields as {name: type}, or {name: [type]} where it is repeated, or {name: {...}} for a message in it."""

    def __init__(self, fields: dict):
        file = descriptor_pb2.FileDescriptorProto(name=f"{id(self)}.proto", package=f"test{id(self)}")
        self._describe(file.message_type.add(name="Row"), fields, f".{file.package}.Row")
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self.message = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Row"))
        self.descriptor = file.message_type[0]

    def _describe(self, message, fields: dict, path: str) -> None:
        for number, (name, kind) in enumerate(fields.items(), 1):
            field = message.field.add(name=name, number=number, label=REPEATED if isinstance(kind, list) else OPTIONAL)
            kind = kind[0] if isinstance(kind, list) else kind
            field.type = MESSAGE if isinstance(kind, dict) else kind
            if isinstance(kind, dict):
                field.type_name = f"{path}.{name.title()}"
                self._describe(message.nested_type.add(name=name.title()), kind, field.type_name)

    def request(self, *rows: dict, **options) -> types.AppendRowsRequest:
        data = types.AppendRowsRequest.ProtoData(rows=types.ProtoRows(serialized_rows=[self.message(**row).SerializeToString() for row in rows]))
        return types.AppendRowsRequest(proto_rows=data, **options)

    @property
    def schema(self) -> types.AppendRowsRequest.ProtoData:
        return types.AppendRowsRequest.ProtoData(writer_schema=types.ProtoSchema(proto_descriptor=self.descriptor))


@pytest.fixture(scope="module")
def appender(emulator):
    with environment(emulator):
        return bigquery_storage_v1.BigQueryWriteClient()


@pytest.fixture
def parent(client, dataset):
    return lambda table: f"projects/{client.project}/datasets/{dataset}/tables/{table}"


@pytest.fixture
def append(appender):
    """Open a connection to a stream and send requests; each result, or the error that it came to."""
    opened = []

    def connect(stream: str, rows: Rows | pa.Schema):
        template = types.AppendRowsRequest(write_stream=stream)
        if isinstance(rows, pa.Schema):
            template.arrow_rows = types.AppendRowsRequest.ArrowData(writer_schema={"serialized_schema": rows.serialize().to_pybytes()})
        else:
            template.proto_rows = rows.schema
        opened.append(writer.AppendRowsStream(appender, template))
        return lambda request: opened[-1].send(request).result(60)
    yield connect
    for each in opened:
        each.close()


PEOPLE = Rows({"name": STRING, "age": INT64})


@pytest.fixture
def table(sql, parent):
    sql("CREATE TABLE people (name STRING DEFAULT 'nobody', age INT64 NOT NULL)")
    return parent("people")


def test_the_default_stream(client, dataset, table, append, rows):
    send = append(f"{table}/streams/_default", PEOPLE)
    result = send(PEOPLE.request({"name": "Ada", "age": 36}, {"age": 7}))
    assert not result.append_result.offset and result.write_stream == f"{table}/streams/_default"
    assert client.get_table(f"{dataset}.people").num_rows == 2
    send(PEOPLE.request({"name": "Bob", "age": 0}))
    assert rows("SELECT name, age FROM people ORDER BY age DESC") == [("Ada", 36), (None, 7), ("Bob", 0)]
    with pytest.raises(exceptions.InvalidArgument, match="default stream"):
        send(PEOPLE.request({"age": 1}, offset=0))


def test_every_type_from_protobuf(sql, parent, append, rows):
    sql("""CREATE TABLE every (i INT64, f FLOAT64, b BOOL, s STRING, x BYTES, n NUMERIC, nb NUMERIC, big BIGNUMERIC, d DATE, ds DATE, t TIME, tp TIME, dt DATETIME,
        ts TIMESTAMP, j JSON, g GEOGRAPHY, v INTERVAL, a ARRAY<INT64>, st STRUCT<x INT64, l ARRAY<STRUCT<y DATE>>>, r RANGE<DATE>)""")
    made = Rows({"i": INT32, "f": DOUBLE, "b": BOOL, "s": STRING, "x": BYTES, "n": STRING, "nb": BYTES, "big": BYTES, "d": INT32, "ds": STRING, "t": STRING,
                 "tp": INT64, "dt": STRING, "ts": INT64, "j": STRING, "g": STRING, "v": STRING, "a": [INT64], "st": {"x": INT64, "l": [{"y": STRING}]},
                 "r": {"start": INT32, "end": INT32}})
    packed = (1 << 12 | 2 << 6 | 3) << 20 | 4
    append(f"{parent('every')}/_default", made)(made.request({
        "i": -1, "f": 0.5, "b": False, "s": "ü", "x": b"\0", "n": "1.25", "nb": (-1500000000).to_bytes(5, "little", signed=True),
        "big": (-25 * 10**37).to_bytes(17, "little", signed=True), "d": 18263, "ds": "2020-01-02", "t": "01:02:03.000004", "tp": packed,
        "dt": "2020-01-02 03:04:05.000006", "ts": 1577934245000006, "j": '{"a":1}', "g": "POINT(1 2)", "v": "1-2 -3 4:5:6.5", "a": [1, 2],
        "st": {"x": 1, "l": [{"y": "2020-01-02"}, {}]}, "r": {"end": 18263}}, {}))
    found, nulls = rows("SELECT * FROM every ORDER BY i IS NULL")
    assert found[:16] == (-1, 0.5, False, "ü", b"\0", Decimal("1.25"), Decimal("-1.5"), Decimal("-2.5"), dt.date(2020, 1, 2), dt.date(2020, 1, 2),
                          dt.time(1, 2, 3, 4), dt.time(1, 2, 3, 4), MOMENT.replace(tzinfo=None), MOMENT, {"a": 1}, "POINT(1 2)")
    assert (found[16].years, found[16].months, found[16].days, found[16].hours, found[16].microseconds) == (1, 2, -3, 4, 500000)
    assert found[17:] == ([1, 2], {"x": 1, "l": [{"y": dt.date(2020, 1, 2)}, {"y": None}]}, {"start": None, "end": dt.date(2020, 1, 2)})
    assert all(value in (None, []) for value in nulls)


def test_arrow_rows(sql, parent, append, rows):
    sql("CREATE TABLE t (n INT64, d DATE, ts TIMESTAMP, x NUMERIC, big BIGNUMERIC, a ARRAY<STRING>, st STRUCT<x INT64>)")
    batch = pa.record_batch({
        "n": pa.array([1, None], pa.int32()), "d": pa.array([18263, None], pa.date32()), "ts": pa.array([MOMENT, None], pa.timestamp("us", "UTC")),
        "x": pa.array([Decimal("1.5"), None], pa.decimal128(38, 9)), "big": pa.array([Decimal("-2.5"), None], pa.decimal256(76, 38)),
        "a": pa.array([["x"], []]), "st": pa.array([{"x": 1}, None])})
    send = append(f"{parent('t')}/_default", batch.schema)
    send(types.AppendRowsRequest(arrow_rows={"rows": {"serialized_record_batch": batch.serialize().to_pybytes()}}))
    assert rows("SELECT * FROM t ORDER BY n DESC") == [
        (1, dt.date(2020, 1, 2), MOMENT, Decimal("1.5"), Decimal("-2.5"), ["x"], {"x": 1}), (None, None, None, None, None, [], None)]
    with pytest.raises(exceptions.InvalidArgument, match="Invalid Arrow record batch"):
        send(types.AppendRowsRequest(arrow_rows={"rows": {"serialized_record_batch": b"no"}}))


def test_bad_rows_are_named_and_none_is_written(sql, parent, append, rows):
    sql("CREATE TABLE t (d DATE, n INT64 NOT NULL, s STRING(3))")
    made = Rows({"d": STRING, "n": INT64, "s": STRING})
    send = append(f"{parent('t')}/_default", made)
    with pytest.raises(exceptions.InvalidArgument, match="row_errors") as caught:
        send(made.request({"d": "2020-01-01", "n": 1}, {"d": "no day", "n": 2}, {"n": 3, "s": "long"}))
    errors = caught.value.response.row_errors
    assert [error.index for error in errors] == [1, 2] and "Field d" in errors[0].message and "maximum length 3" in errors[1].message
    with pytest.raises(exceptions.InvalidArgument) as caught:
        send(made.request({"n": 1}, {"d": "2020-01-01"}))
    assert [(error.index, error.message) for error in caught.value.response.row_errors] == [(1, "Missing required field: n.")]
    assert rows("SELECT COUNT(*) FROM t") == [(0,)]
    send(made.request({"n": 1}))  # the connection is still good
    assert rows("SELECT COUNT(*) FROM t") == [(1,)]


def test_schemas_that_do_not_fit(table, append):
    extra = Rows({"age": INT64, "nope": STRING})
    with pytest.raises(exceptions.InvalidArgument, match="extra fields: 'nope'"):
        append(f"{table}/_default", extra)(extra.request({"age": 1}))
    other = Rows({"age": STRING})
    with pytest.raises(exceptions.InvalidArgument, match="mismatched with the BigQuery field at age"):
        append(f"{table}/_default", other)(other.request({"age": "1"}))
    lacking = Rows({"name": STRING})
    with pytest.raises(exceptions.InvalidArgument, match="required field age"):
        append(f"{table}/_default", lacking)(lacking.request({"name": "x"}))


def test_missing_values(table, append, rows):
    send = append(f"{table}/_default", PEOPLE)
    send(PEOPLE.request({"age": 1}, missing_value_interpretations={"name": "DEFAULT_VALUE"}))
    send(PEOPLE.request({"age": 2}))
    send(PEOPLE.request({"age": 3}, default_missing_value_interpretation="DEFAULT_VALUE"))
    send(PEOPLE.request({"age": 4}))
    send(PEOPLE.request({"age": 5}, missing_value_interpretations={"NAME": "NULL_VALUE"}))
    assert rows("SELECT name FROM people ORDER BY age") == [("nobody",), (None,), ("nobody",), ("nobody",), (None,)]


def test_a_changed_schema_is_told_once(table, append, sql):
    send = append(f"{table}/_default", PEOPLE)
    assert not send(PEOPLE.request({"age": 1})).updated_schema.fields
    sql("ALTER TABLE people ADD COLUMN email STRING")
    assert [field.name for field in send(PEOPLE.request({"age": 2})).updated_schema.fields] == ["name", "age", "email"]
    assert not send(PEOPLE.request({"age": 3})).updated_schema.fields


@pytest.fixture
def stream(appender, table):
    return lambda kind: appender.create_write_stream(parent=table, write_stream=types.WriteStream(type_=kind)).name


def test_offsets(stream, append, rows):
    send = append(stream("COMMITTED"), PEOPLE)
    assert [send(PEOPLE.request({"age": age}, {"age": age + 1}, offset=offset)).append_result.offset for age, offset in ((1, 0), (3, 2))] == [0, 2]
    with pytest.raises(exceptions.AlreadyExists, match="expected offset 4, received 2"):
        send(PEOPLE.request({"age": 9}, offset=2))
    with pytest.raises(exceptions.OutOfRange, match="expected offset 4, received 5"):
        send(PEOPLE.request({"age": 9}, offset=5))
    assert send(PEOPLE.request({"age": 5})).append_result.offset == 4
    assert rows("SELECT COUNT(*), MAX(age) FROM people") == [(5, 5)]


def commit(appender, table, *streams):
    return appender.batch_commit_write_streams(types.BatchCommitWriteStreamsRequest(parent=table, write_streams=streams))


def test_pending_streams_are_committed_together(stream, append, appender, table, rows):
    names = [stream("PENDING"), stream("PENDING")]
    for name in names:
        append(name, PEOPLE)(PEOPLE.request({"age": 1}, {"age": 2}))
    assert appender.finalize_write_stream(name=names[0]).row_count == 2
    refused = commit(appender, table, *names)
    assert [(error.code.name, error.entity) for error in refused.stream_errors] == [("INVALID_STREAM_STATE", names[1])] and not refused.commit_time
    assert rows("SELECT COUNT(*) FROM people") == [(0,)]
    appender.finalize_write_stream(name=names[1])
    assert commit(appender, table, *names).commit_time and rows("SELECT COUNT(*) FROM people") == [(4,)]
    assert {error.code.name for error in commit(appender, table, *names).stream_errors} == {"STREAM_ALREADY_COMMITTED"}
    assert rows("SELECT COUNT(*) FROM people") == [(4,)]


def test_a_buffered_stream_shows_what_is_flushed(stream, append, appender, table, rows):
    name = stream("BUFFERED")
    append(name, PEOPLE)(PEOPLE.request(*({"age": age} for age in range(5))))
    assert rows("SELECT COUNT(*) FROM people") == [(0,)]
    assert appender.flush_rows(types.FlushRowsRequest(write_stream=name, offset=2)).offset == 2
    assert rows("SELECT age FROM people ORDER BY age") == [(0,), (1,), (2,)]
    with pytest.raises(exceptions.OutOfRange):
        appender.flush_rows(types.FlushRowsRequest(write_stream=name, offset=5))
    appender.flush_rows(types.FlushRowsRequest(write_stream=name, offset=4))
    assert rows("SELECT COUNT(*) FROM people") == [(5,)]
    assert commit(appender, table, name).stream_errors[0].code.name == "INVALID_STREAM_TYPE"


def test_streams_as_resources(stream, append, appender, table):
    name = stream("PENDING")
    assert appender.get_write_stream(name=name).type_.name == "PENDING"
    default = appender.get_write_stream(types.GetWriteStreamRequest(name=f"{table}/_default", view="FULL"))
    assert (default.name, default.type_.name) == (f"{table}/streams/_default", "COMMITTED")
    assert [(field.name, field.type_.name, field.mode.name) for field in default.table_schema.fields] == [
        ("name", "STRING", "NULLABLE"), ("age", "INT64", "REQUIRED")]
    send = append(name, PEOPLE)
    send(PEOPLE.request({"age": 1}))
    appender.finalize_write_stream(name=name)
    with pytest.raises(exceptions.InvalidArgument, match="finalized"):
        send(PEOPLE.request({"age": 2}))


def test_what_writing_refuses(sql, parent, appender, table):
    sql("CREATE VIEW v AS SELECT 1 AS n")
    for error, message, work in (
            (exceptions.NotFound, "not found", lambda: appender.create_write_stream(parent=parent("none"), write_stream={"type_": "PENDING"})),
            (exceptions.InvalidArgument, "VIEW", lambda: appender.create_write_stream(parent=parent("v"), write_stream={"type_": "PENDING"})),
            (exceptions.InvalidArgument, "must be COMMITTED", lambda: appender.create_write_stream(parent=table, write_stream={})),
            (exceptions.InvalidArgument, "resource name", lambda: appender.create_write_stream(parent="x", write_stream={"type_": "PENDING"})),
            (exceptions.NotFound, "not found", lambda: appender.get_write_stream(name=f"{table}/streams/none")),
            (exceptions.InvalidArgument, "finalized", lambda: appender.finalize_write_stream(name=f"{table}/_default")),
            (exceptions.InvalidArgument, "BUFFERED", lambda: appender.flush_rows(types.FlushRowsRequest(write_stream=f"{table}/_default")))):
        with pytest.raises(error, match=message):
            work()


def test_a_public_table_takes_no_rows(appender):
    with pytest.raises(exceptions.PermissionDenied):
        appender.create_write_stream(parent="projects/bigquery-public-data/datasets/samples/tables/shakespeare", write_stream={"type_": "PENDING"})
