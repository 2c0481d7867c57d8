"""Avro files, in and out: fastavro writes what is loaded and reads what was extracted."""
import datetime as dt
import io
import uuid
from decimal import Decimal

import fastavro
import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

from loading import columns_of, fails

UTC = dt.timezone.utc


def avro_file(fields: list, rows: list, codec: str = "null") -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields]}, rows, codec=codec)
    return file.getvalue()


def logical(kind: str, what: str, **more) -> dict:
    return {"type": kind, "logicalType": what, **more}


@pytest.fixture
def load_avro(load):
    return lambda *file, columns=None, **options: load(avro_file(*file), columns, source_format="AVRO", **options)


# Loading ------------------------------------------------------------------------------------------

ADDRESS = {"type": "record", "name": "Address", "fields": [{"name": "city", "type": "string"}, {"name": "zip", "type": ["null", "string"]}]}
MOMENT = dt.datetime(2020, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


@pytest.mark.parametrize("kind, value, column, loaded", [
    ("int", 7, "INTEGER REQUIRED", 7), ("long", -(2**62), "INTEGER REQUIRED", -(2**62)), ("float", 1.5, "FLOAT REQUIRED", 1.5), ("double", 0.1, "FLOAT REQUIRED", 0.1),
    ("boolean", True, "BOOLEAN REQUIRED", True), ("bytes", b"\0x", "BYTES REQUIRED", b"\0x"), ("string", "ग्राहक", "STRING REQUIRED", "ग्राहक"),
    (["null", "long"], None, "INTEGER", None), (["long", "null"], 5, "INTEGER", 5),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "STRING REQUIRED", "B"),
    ({"type": "fixed", "name": "F", "size": 3}, b"abc", "BYTES REQUIRED", b"abc"),
    ({"type": "array", "items": "long"}, [1, 2], "INTEGER REPEATED", [1, 2]), (["null", {"type": "array", "items": "string"}], None, "STRING REPEATED", []),
    ({"type": "map", "values": "long"}, {"k": 1}, "RECORD REPEATED", [{"key": "k", "value": 1}]),
    (ADDRESS, {"city": "Pune", "zip": None}, "RECORD REQUIRED", {"city": "Pune", "zip": None}),
    ({"type": "array", "items": ADDRESS}, [{"city": "Pune", "zip": "1"}], "RECORD REPEATED", [{"city": "Pune", "zip": "1"}]),
    (["null", "string", "long"], 5, "RECORD", {"string_value": None, "long_value": 5}), (["string", "null", "long"], None, "RECORD", None),
    ({"type": "string", "sqlType": "JSON"}, '{"a": [1]}', "JSON REQUIRED", {"a": [1]}),
    (logical("int", "date"), dt.date(2020, 1, 2), "INTEGER REQUIRED", 18263),
    (logical("bytes", "decimal", precision=10, scale=2), Decimal("-1.25"), "NUMERIC REQUIRED", Decimal("-1.25"))])
def test_types(load, load_avro, kind, value, column, loaded):
    assert load_avro([("x", kind)], [{"x": value}]) == [(loaded,)]
    assert columns_of(load.table) == f"x {column}"


@pytest.mark.parametrize("kind, value, column, loaded", [
    (logical("int", "date"), dt.date(1899, 1, 2), "DATE", dt.date(1899, 1, 2)), (logical("int", "time-millis"), dt.time(3, 4, 5, 678_000), "TIME", dt.time(3, 4, 5, 678_000)),
    (logical("long", "time-micros"), dt.time(23, 59, 59, 999_999), "TIME", dt.time(23, 59, 59, 999_999)), (logical("long", "timestamp-millis"), MOMENT, "TIMESTAMP", MOMENT),
    (logical("long", "timestamp-micros"), MOMENT, "TIMESTAMP", MOMENT),
    (logical("long", "local-timestamp-micros"), MOMENT.replace(tzinfo=None), "DATETIME", MOMENT.replace(tzinfo=None)),
    (logical("bytes", "decimal", precision=10, scale=2), Decimal("-1.25"), "NUMERIC", Decimal("-1.25")),
    (logical("fixed", "decimal", precision=10, scale=2, name="D", size=9), Decimal("-1.25"), "NUMERIC", Decimal("-1.25")),
    (logical("bytes", "decimal", precision=60, scale=5), Decimal("-1.25"), "NUMERIC", Decimal("-1.25")),
    (logical("string", "uuid"), uuid.UUID(int=5), "STRING", str(uuid.UUID(int=5))), (logical("fixed", "duration", name="D", size=12), b"x" * 12, "BYTES", b"x" * 12)])
def test_logical_types(load, load_avro, kind, value, column, loaded):
    file = [("x", ["null", kind]), ("l", {"type": "array", "items": kind if isinstance(kind, dict) and "name" not in kind else "long"})]
    rows = [{"x": value, "l": [value] if "name" not in kind else [1]}, {"x": None, "l": []}]
    assert [row[0] for row in load_avro(file, rows, use_avro_logical_types=True)] == [loaded, None]
    assert columns_of(load.table).split(", ")[0] == f"x {column}"


def test_wide_decimals(load, load_avro):
    big = Decimal("12345678901234567890123456789012345678.12345678901234567890123456789012345678")
    file = [("x", logical("bytes", "decimal", precision=76, scale=38))], [{"x": big}, {"x": -big}]
    rows = load_avro(*file, use_avro_logical_types=True, decimal_target_types=["NUMERIC", "BIGNUMERIC"])
    assert rows == [(big,), (-big,)] and columns_of(load.table) == "x BIGNUMERIC REQUIRED"
    assert "DECIMAL" in fails(load, avro_file(*file), table="u", source_format="AVRO", use_avro_logical_types=True)


def test_decimals_as_bytes_where_the_table_has_them(load_avro):
    assert load_avro([("x", logical("bytes", "decimal", precision=10, scale=2))], [{"x": Decimal("-1.25")}], columns="x BYTES") == [(b"\x83",)]


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard"])
def test_codecs(load_avro, codec):
    rows = [{"i": i, "s": f"text {i % 7}"} for i in range(5000)]
    assert sorted(load_avro([("i", "long"), ("s", ["null", "string"])], rows, codec)) == [(row["i"], row["s"]) for row in rows]


def test_columns_go_by_name_and_widen(load_avro):
    file = [("B", "string"), ("A", "int"), ("r", ADDRESS)], [{"B": "x", "A": 1, "r": {"city": "Pune", "zip": "1"}}]
    record = bigquery.SchemaField("r", "RECORD", fields=[bigquery.SchemaField("zip", "STRING"), bigquery.SchemaField("city", "STRING"), bigquery.SchemaField("more", "DATE")])
    columns = [bigquery.SchemaField("a", "FLOAT"), bigquery.SchemaField("b", "STRING"), bigquery.SchemaField("c", "DATE"), record]
    assert load_avro(*file, columns=columns) == [(1.0, "x", None, {"zip": "1", "city": "Pune", "more": None})]


@pytest.mark.parametrize("columns, message", [
    ("x INTEGER", "Field x has type STRING in the file which does not match the type INT64 of the table."),
    ("x STRING REPEATED", "Field x has type STRING in the file which does not match the type ARRAY<STRING> of the table."),
    ("y STRING", "No such field: x.")])
def test_misfits(load, columns, message):
    assert fails(load, avro_file([("x", "string")], [{"x": "a"}]), columns, source_format="AVRO") == message


def test_required_columns_take_no_null(load):
    assert fails(load, avro_file([("x", ["null", "long"])], [{"x": None}]), "x INTEGER REQUIRED", source_format="AVRO") == "Required field x cannot be null"


def test_files_that_are_no_avro(load):
    for content in (b"this is plain text\n", b"Obj\x01", b"Obj\x01\x04\x16avro.schema", b""):
        assert fails(load, content, source_format="AVRO").startswith("The Apache Avro library failed to parse the header with the following error: Invalid data file.")
    whole = avro_file([("x", "long")], [{"x": i} for i in range(1000)])
    with pytest.raises(BadRequest, match="Error while reading data"):
        load(whole[:-700], source_format="AVRO")


# Writing ------------------------------------------------------------------------------------------

COLUMNS = """i INT64 NOT NULL, s STRING, f FLOAT64, b BOOL, y BYTES, n NUMERIC, bn BIGNUMERIC, d DATE, t TIME, dt DATETIME, ts TIMESTAMP, j JSON, g GEOGRAPHY,
    v INTERVAL, small NUMERIC(6, 2), rg RANGE<DATE>, a ARRAY<INT64>, r STRUCT<x STRING, l ARRAY<STRUCT<y DATE>>>, ar ARRAY<STRUCT<z BIGNUMERIC>>"""
FULL = """-5, 'ग्राहक', 1.5, TRUE, b'\\x00x', 1.25, BIGNUMERIC '-1.5', '2020-01-02', '03:04:05.5', '2020-01-02 03:04:05', '2020-01-02 03:04:05.000006+00', JSON '{"a":1}',
    ST_GEOGPOINT(1, 2), INTERVAL 5 DAY, 12.34, RANGE(DATE '2020-01-01', NULL), [1, 300], STRUCT('x', [STRUCT(DATE '2020-01-02')]), [STRUCT(BIGNUMERIC '2')]"""


@pytest.fixture
def full(sql, client, dataset):
    """A table with a column of every type, and rows that are full and empty."""
    sql(f"CREATE TABLE every ({COLUMNS})")
    sql(f"INSERT every VALUES ({FULL})")
    sql("INSERT every (i) VALUES (70000)")
    return client.get_table(f"{client.project}.{dataset}.every")


@pytest.fixture
def extracted(client, bucket):
    """extracted(table, **options): the file's schema and rows, as fastavro reads them."""
    def run(table, **options):
        config = bigquery.ExtractJobConfig(destination_format="AVRO", **options)
        client.extract_table(table, f"gs://{bucket.name}/file.avro", job_config=config).result()
        return read(bucket.blob("file.avro").download_as_bytes())
    return run


def read(content: bytes) -> tuple[dict, list[dict]]:
    reader = fastavro.reader(io.BytesIO(content))
    return {field["name"]: field["type"] for field in reader.writer_schema["fields"]}, sorted(reader, key=str)


def test_extract_of_every_type(full, extracted):
    schema, (row, empty) = extracted(full)
    assert schema["i"] == "long" and schema["s"] == ["null", "string"] and schema["a"] == {"type": "array", "items": "long"}
    assert schema["n"] == ["null", {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9}]
    assert schema["small"][1]["precision"] == 6 and schema["small"][1]["scale"] == 2
    assert schema["d"] == ["null", {"type": "string", "sqlType": "DATE"}] and schema["j"] == ["null", {"type": "string", "sqlType": "JSON"}]
    assert row == {
        "i": -5, "s": "ग्राहक", "f": 1.5, "b": True, "y": b"\0x", "n": Decimal("1.25"), "bn": Decimal("-1.5"), "d": "2020-01-02", "t": "03:04:05.500000",
        "dt": "2020-01-02T03:04:05", "ts": dt.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "j": '{"a":1}', "g": "POINT(1 2)", "v": "0-0 5 0:0:0",
        "small": Decimal("12.34"), "rg": {"start": "2020-01-01", "end": None}, "a": [1, 300], "r": {"x": "x", "l": [{"y": "2020-01-02"}]}, "ar": [{"z": Decimal(2)}]}
    assert empty == {name: [] if name in ("a", "ar") else None for name in schema} | {"i": 70000}


def test_extract_with_logical_types(full, extracted):
    schema, (row, _) = extracted(full, use_avro_logical_types=True)
    assert (row["d"], row["t"], row["dt"]) == (dt.date(2020, 1, 2), dt.time(3, 4, 5, 500_000), "2020-01-02T03:04:05")
    assert schema["dt"][1] == {"type": "string", "logicalType": "datetime"} and row["r"]["l"] == [{"y": dt.date(2020, 1, 2)}]


def test_there_and_back(sql, client, dataset, bucket, full, extracted):
    sql("CREATE TABLE plain AS SELECT * EXCEPT (v, rg) FROM every")  # no file can say that a text is an INTERVAL
    full = client.get_table(f"{client.project}.{dataset}.plain")
    extracted(full, use_avro_logical_types=True)
    config = bigquery.LoadJobConfig(source_format="AVRO", use_avro_logical_types=True, schema=full.schema)
    target = f"{client.project}.{dataset}.back"
    client.load_table_from_uri(f"gs://{bucket.name}/file.avro", target, job_config=config).result()
    assert sorted(map(str, client.list_rows(target))) == sorted(map(str, client.list_rows(full)))


@pytest.mark.parametrize("compression, codec", [(None, "null"), ("DEFLATE", "deflate"), ("SNAPPY", "snappy")])
def test_extract_compressed(sql, client, dataset, bucket, extracted, compression, codec):
    sql("CREATE TABLE t AS SELECT i, FORMAT('text %d', i) AS s, IF(MOD(i, 3) = 0, NULL, i / 4) AS f FROM UNNEST(GENERATE_ARRAY(1, 30000)) AS i")
    _, rows = extracted(f"{client.project}.{dataset}.t", **({"compression": compression} if compression else {}))
    assert sorted((row["i"], row["s"], row["f"]) for row in rows) == [(i, f"text {i}", i / 4 if i % 3 else None) for i in range(1, 30001)]
    assert fastavro.reader(io.BytesIO(bucket.blob("file.avro").download_as_bytes())).codec == codec


def test_compressions_that_avro_has_not(client, full, bucket):
    with pytest.raises(BadRequest, match="GZIP is not a valid value for AVRO"):
        client.extract_table(full, f"gs://{bucket.name}/x", job_config=bigquery.ExtractJobConfig(destination_format="AVRO", compression="GZIP")).result()


def test_an_empty_table(sql, client, dataset, extracted):
    sql("CREATE TABLE t (a ARRAY<STRUCT<x STRING>>, s STRING)")
    assert extracted(f"{client.project}.{dataset}.t")[1] == []


@pytest.mark.parametrize("option, value", [("", dt.datetime(2020, 1, 2, tzinfo=UTC)), (", use_avro_logical_types = FALSE", "2020-01-02 00:00:00 UTC")])
def test_export_data_has_logical_types_by_default(sql, bucket, option, value):
    sql(f"EXPORT DATA OPTIONS (uri = 'gs://{bucket.name}/x-*.avro', format = 'AVRO'{option}) AS SELECT TIMESTAMP '2020-01-02 00:00:00+00' AS ts, DATE '2020-01-02' AS d")
    _, [row] = read(bucket.blob("x-000000000000.avro").download_as_bytes())
    assert row == {"ts": value, "d": "2020-01-02" if option else dt.date(2020, 1, 2)}


def test_external_tables_and_load_data(sql, rows, bucket, full, extracted):
    extracted(full)
    sql(f"CREATE EXTERNAL TABLE e OPTIONS (format = 'AVRO', uris = ['gs://{bucket.name}/file.avro'])")
    assert rows("SELECT i, r.x FROM e ORDER BY i") == [(-5, "x"), (70000, None)]
    sql(f"LOAD DATA INTO l FROM FILES (format = 'AVRO', uris = ['gs://{bucket.name}/file.avro'])")
    assert rows("SELECT COUNT(*), MAX(s) FROM l") == [(2, "ग्राहक")]
