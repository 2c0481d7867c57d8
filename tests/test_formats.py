"""What is read out of files: CSV, newline-delimited JSON and Parquet, each case a file, options, and the rows or the message."""
import datetime as dt
import gzip
import io
import json
from decimal import Decimal

import duckdb
import pyarrow
import pytest
import requests
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery
from pyarrow import orc

from loading import columns_of, fails, schema

UTC = dt.timezone.utc
AB = "a INTEGER, b STRING"
JSON = {"source_format": "NEWLINE_DELIMITED_JSON"}


# CSV ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("content, options, rows", [
    ("1,x\n2,y\n", {}, [(1, "x"), (2, "y")]),
    ("1,x\r\n2,y", {}, [(1, "x"), (2, "y")]),
    ("\ufeff1,x\n\n2,y\n", {}, [(1, "x"), (2, "y")]),
    ("", {}, []),
    ("a,b\nc\n1,x\n", {"skip_leading_rows": 2}, [(1, "x")]),
    ("1\tx y\n", {"field_delimiter": "\t"}, [(1, "x y")]),
    ("1|x,y\n", {"field_delimiter": "|"}, [(1, "x,y")]),
    ('1,"x ""y"", z"\n', {}, [(1, 'x "y", z')]),
    ("1,'x,y'\n", {"quote_character": "'"}, [(1, "x,y")]),
    ('1,"x\n', {"quote_character": ""}, [(1, '"x')]),
    ('1,"x\ny"\n', {"allow_quoted_newlines": True}, [(1, "x\ny")]),
    ('1,""\n2,\n', {}, [(1, ""), (2, None)]),
    ('1,NULL\n2,"NULL"\n3,\n', {"null_marker": "NULL"}, [(1, None), (2, "NULL"), (3, "")]),
    ("1\n2,y\n", {"allow_jagged_rows": True}, [(1, None), (2, "y")]),
    ("1,x,more\n", {"ignore_unknown_values": True}, [(1, "x")]),
    ("1,é\n".encode("latin-1"), {"encoding": "ISO-8859-1"}, [(1, "é")]),
    ("1,ग्राहक お客様\n", {}, [(1, "ग्राहक お客様")]),
    (gzip.compress(b"1,x\n", mtime=0), {}, [(1, "x")]),
    ("1,x\nq,y\n2\n3,z\n", {"max_bad_records": 2}, [(1, "x"), (3, "z")])])
def test_csv(load, content, options, rows):
    assert load(content, AB, **options) == rows


@pytest.mark.parametrize("kind, text, value", [
    ("INTEGER", " -7 ", -7), ("FLOAT", "1e3", 1000.0), ("FLOAT", "-inf", float("-inf")), ("BOOLEAN", "T", True), ("BOOLEAN", "no", False),
    ("NUMERIC", "1.25", Decimal("1.25")), ("BIGNUMERIC", "0.000000000001", Decimal("0.000000000001")), ("DATE", "2020-1-2", dt.date(2020, 1, 2)),
    ("TIME", "03:04:05.5", dt.time(3, 4, 5, 500_000)), ("DATETIME", "2020-01-02T03:04:05", dt.datetime(2020, 1, 2, 3, 4, 5)),
    ("TIMESTAMP", "2020-01-02 03:04:05", dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ("TIMESTAMP", "2020-01-02 03:04:05.25+02:00", dt.datetime(2020, 1, 2, 1, 4, 5, 250_000, tzinfo=UTC)),
    ("TIMESTAMP", "2020-01-02T03:04:05Z", dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)), ("BYTES", "aGk=", b"hi"),
    ("JSON", '{"a": [1]}', {"a": [1]}), ("GEOGRAPHY", "POINT(1 2)", "POINT(1 2)")])
def test_csv_values(load, kind, text, value):
    assert load(f"x;{text}\n", f"a STRING, b {kind}", field_delimiter=";", quote_character="") == [("x", value)]


@pytest.mark.parametrize("kind, text", [
    ("INTEGER", "1.5"), ("INTEGER", "9223372036854775808"), ("FLOAT", "x"), ("FLOAT", "1_000"), ("BOOLEAN", "maybe"), ("NUMERIC", "1e40"), ("DATE", "2020/01/02"),
    ("DATE", "2020-02-30"), ("TIME", "25:00:00"), ("DATETIME", "soon"), ("TIMESTAMP", "yesterday"), ("BYTES", "%"), ("JSON", "{")])
def test_bad_csv_values_are_told_with_their_place(load, kind, text):
    sql = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}.get(kind, kind)
    assert fails(load, f"x;\ny;{text}\n", f"a STRING, b {kind}", field_delimiter=";", quote_character="") == \
        f"Could not parse '{text}' as {sql} for field b (position 1) starting at location 3 with message 'Unable to parse'"


@pytest.mark.parametrize("content, columns, message", [
    ("1,x\n2\n", AB, "CSV table references column position 1, but line starting at position:4 contains only 1 columns."),
    ("1,x\n2,y,z\n", AB, "Too many values in row starting at position: 4. Found 3 column(s) while expected 2."),
    ('1,x\n2,"y\nz"\n', AB, 'Error detected while parsing row starting at position: 4. Error: Missing close double quote (") character.'),
    ('1,"x\n2,y\n', AB, 'Error detected while parsing row starting at position: 0. Error: Missing close double quote (") character.'),
    ('1,"x"y\n', AB, 'Error detected while parsing row starting at position: 0. Error: Data between close double quote (") and field separator.'),
    ("1,x\n,y\n", "a INTEGER REQUIRED, b STRING", "Required column value for column index: 0 is missing in row starting at position: 4"),
    (b"1,\xe9\n", AB, "Error detected while parsing row starting at position: 0. Error: Bad character encountered: the text is not valid UTF-8.")])
def test_bad_lines(load, content, columns, message):
    assert fails(load, content, columns) == message
    assert load.job.error_result["reason"] == "invalid"
    assert "CSV processing encountered too many errors, giving up. Rows:" in load.job.error_result["message"]


def test_places_count_quoted_newlines_and_skipped_lines(load):
    content = 'head\n"1","x\ny"\n\nq,z\n'
    assert "starting at location 16 with" in fails(load, content, AB, skip_leading_rows=1, allow_quoted_newlines=True)
    assert "starting at location 16 with" in fails(load, gzip.compress(content.encode()), AB, skip_leading_rows=1, allow_quoted_newlines=True)


def test_bad_rows_that_are_allowed_are_told_and_not_loaded(api, load):
    assert load("1,x\nq,y\n2\n3,z\n", AB, max_bad_records=5) == [(1, "x"), (3, "z")]
    messages = [error["message"].partition("message: ")[2] for error in load.job.errors]
    assert load.job.error_result is None and [message[:11] for message in messages] == ["CSV table r", "Could not p"]
    assert api("GET", f"jobs/{load.job.job_id}").json()["statistics"]["load"]["badRecords"] == "2"


@pytest.mark.parametrize("content, options, columns", [
    ("name,n,f,d,t,ts,ok\nx,1,1.5,2020-01-02,03:04:05,2020-01-02 03:04:05,true\n", {},
     "name STRING, n INTEGER, f FLOAT, d DATE, t TIME, ts TIMESTAMP, ok BOOLEAN"),
    ("1,2.5,x\n2,3,y\n", {}, "int64_field_0 INTEGER, double_field_1 FLOAT, string_field_2 STRING"),
    ("a,b\nc,d\n", {}, "string_field_0 STRING, string_field_1 STRING"),
    ("a,b\nc,d\n", {"skip_leading_rows": 1}, "string_field_0 STRING, string_field_1 STRING"),
    ("a,b\n1,2\n", {"skip_leading_rows": 0}, "string_field_0 STRING, string_field_1 STRING"),
    ("a|b\n1|2\n", {}, "a INTEGER, b INTEGER"),
    ("a b,2nd,A B\n1,2,3\n", {}, "a_b INTEGER, _2nd INTEGER, A_B_2 INTEGER"),
    ("a,b\n1,\n2,\n", {}, "a INTEGER, b STRING")])
def test_csv_schemas_are_detected(load, content, options, columns):
    load(content, autodetect=True, **options)
    assert columns_of(load.table) == columns
    header = options.get("skip_leading_rows", columns.startswith(("name", "a ", "a_")))
    assert load.table.num_rows == content.count("\n") - header


@pytest.mark.parametrize("content", [b"\x1f\x8b garbage", gzip.compress(b"1,x\n" * 10_000, mtime=0)[:60]])
@pytest.mark.parametrize("options", [{}, {"autodetect": True}, JSON, JSON | {"autodetect": True}])
def test_broken_gzip(load, content, options):
    with pytest.raises(BadRequest, match="Error while reading data"):
        load(content, None if options.get("autodetect") else AB, **options)


def test_nested_columns_are_none_for_csv(load):
    with pytest.raises(BadRequest, match="Cannot load CSV data with a nested schema. Field: a"):
        load("1\n", [bigquery.SchemaField("a", "INTEGER", "REPEATED")])


@pytest.mark.parametrize("kind, text", [
    ("TIMESTAMP", "1e15"), ("TIMESTAMP", "-62135596801"), ("TIMESTAMP", "infinity"), ("TIMESTAMP", "10000-01-01 00:00:00"), ("TIMESTAMP", "2020-01-01 00:00:00 (BC)"),
    ("DATETIME", "10000-01-01T00:00:00"), ("DATETIME", "0000-01-01 00:00:00"), ("DATETIME", "-infinity"), ("DATE", "10000-01-01"), ("DATE", "epoch")])
def test_moments_before_the_year_1_and_after_9999(client, dataset, load, kind, text):
    assert "Unable to parse" in fails(load, f"{text}\n", f"x {kind}")
    assert "Could not convert value to" in fails(load, f'{{"x": "{text}"}}\n', f"x {kind}", **JSON)
    table = client.create_table(bigquery.Table(f"{client.project}.{dataset}.made", schema(f"x {kind}")))
    assert client.insert_rows_json(table, [{"x": text}])[0]["errors"][0]["location"] == "x"


@pytest.mark.parametrize("kind, text", [
    ("TIMESTAMP", "253402300799.999999"), ("TIMESTAMP", "0001-01-01 00:00:00+00"), ("DATETIME", "9999-12-31T23:59:59.999999"), ("DATE", "0001-01-01"), ("DATE", "0990-1-2")])
def test_moments_of_the_first_and_the_last_year(load, kind, text):
    (row,) = load(f"{text}\n", f"x {kind}")
    assert row[0].year in (1, 990, 9999) and load(f'{{"x": "{text}"}}\n', f"x {kind}", **JSON) == [row, row]


@pytest.mark.parametrize("text", ["POINT(1 2)", '{"type": "Point", "coordinates": [1, 2]}', "0101000000000000000000f03f0000000000000040"])
def test_geography_in_every_form(load, text):
    assert load(f"{text}\n", "g GEOGRAPHY", quote_character="", field_delimiter=";") == [("POINT(1 2)",)]
    assert load(json.dumps({"g": text}), "g GEOGRAPHY", **JSON)[1:] == [("POINT(1 2)",)]


@pytest.mark.parametrize("text, shown", [
    ("0-0 -5 0:0:0", "0-0 -5 0:0:0"), ("10-6 0 0:0:1.25", "10-6 0 0:0:1.250"), ("P1Y2M3DT4H5M6.5S", "1-2 3 4:5:6.500"), ("PT-1S", "0-0 0 -0:0:1"),
    ("P-10000Y0M-3660000DT-87840000H0M0S", "-10000-0 -3660000 -87840000:0:0"), ("P0Y0M0DT0H0M0.000001S", "0-0 0 0:0:0.000001")])
def test_intervals(rows, load, text, shown):
    load(f"{text}\n", "i INTERVAL")
    load(f'{{"i": "{text}"}}\n', "i INTERVAL", **JSON)
    assert rows("SELECT CAST(i AS STRING) FROM t") == [(shown,), (shown,)]


@pytest.mark.parametrize("kind, text, start, end", [
    ("DATE", "[2020-01-01, 2021-01-01)", dt.date(2020, 1, 1), dt.date(2021, 1, 1)), ("DATE", "[UNBOUNDED,2021-01-01)", None, dt.date(2021, 1, 1)),
    ("DATE", " [ NULL , unbounded ) ", None, None), ("DATETIME", "[2020-01-01T00:00:00, NULL)", dt.datetime(2020, 1, 1), None),
    ("TIMESTAMP", "[2020-01-01 00:00:00+01, UNBOUNDED)", dt.datetime(2019, 12, 31, 23, tzinfo=UTC), None)])
def test_ranges(load, kind, text, start, end):
    column = bigquery.SchemaField("r", "RANGE", range_element_type=kind)
    assert load(f'1,"{text}"\n2,\n', schema("a INTEGER") + [column]) == [(1, {"start": start, "end": end}), (2, None)]


@pytest.mark.parametrize("kind, text", [("RANGE", "[2020-01-01, 2020-01-01)"), ("RANGE", "[2020-01-01, 2019-01-01]"), ("RANGE", "2020-01-01"), ("RANGE", "[a, b)"),
                                        ("INTERVAL", "P1Y"), ("INTERVAL", "soon")])
def test_what_is_no_range_and_no_interval(load, kind, text):
    column = bigquery.SchemaField("r", kind, range_element_type="DATE" if kind == "RANGE" else None)
    assert fails(load, f'"{text}"\n', [column]) == f"Could not parse '{text}' as {kind} for field r (position 0) starting at location 0 with message 'Unable to parse'"


RULED = [bigquery.SchemaField("s", "STRING", max_length=2), bigquery.SchemaField("n", "NUMERIC", precision=4, scale=2)]
LONG = "STRING(2) has maximum length 2 but got a value with length 3"
LARGE = "NUMERIC(4, 2) has precision 4 and scale 2 but got a value that is not in range of [-99.99, 99.99]"


@pytest.mark.parametrize("content, options, place", [
    ("abc,1\nab,1.005\nab,100\n", {}, "Error detected while parsing row starting at position: {}. Error: "),
    ('{"s": "abc"}\n{"s": "ab", "n": 1.005}\n{"n": 100}\n', JSON, "JSON parsing error in row starting at position {}: ")])
def test_values_that_break_a_columns_rules_are_bad_records(client, load, content, options, place):
    whole = place.format(0) + f"Field s: {LONG}"
    assert load(content, RULED, max_bad_records=2, **options) == [("ab", Decimal("1.01"))]
    assert [error["message"].partition("message: ")[2] for error in load.job.errors] == [whole, place.format(content.rindex("\n", 0, -1) + 1) + f"Field n: {LARGE}"]
    assert fails(load, content, None, max_bad_records=1, **options).endswith(LARGE)  # the rules are the table's
    assert load.job.errors[0]["message"].endswith("Rows: 3; errors: 2; max bad: 1; error percent: 0")


# JSON ---------------------------------------------------------------------------------------------

NESTED = [bigquery.SchemaField("n", "RECORD", fields=schema("x INTEGER") + [bigquery.SchemaField("l", "RECORD", "REPEATED", fields=schema("y DATE"))]),
          bigquery.SchemaField("l", "INTEGER", "REPEATED")]


@pytest.mark.parametrize("content, columns, rows", [
    ('{"a": 1, "b": "x"}\n\n{"B": null, "A": "2"}\n{}', AB, [(1, "x"), (2, None), (None, None)]),
    ("", AB, []),
    ('{"a": 1.0, "b": 5}\n', AB, [(1, "5")]),
    ('{"b": "<&>\\u00e9\\n \\"q\\""}\n', AB, [(None, '<&>é\n "q"')]),
    ('{"n": {"x": 1, "l": [{"y": "2020-01-02"}, {}]}, "l": [1, "2"]}\n{"n": null}\n', NESTED,
     [({"x": 1, "l": [{"y": dt.date(2020, 1, 2)}, {"y": None}]}, [1, 2]), (None, [])]),
    ('{"ts": "2020-01-02 03:04:05 UTC", "s": 0}\n', "ts TIMESTAMP, s TIMESTAMP",
     [(dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), dt.datetime(1970, 1, 1, tzinfo=UTC))]),
    ('{"j": {"a": [1]}, "k": "{\\"b\\": 2}"}\n', "j JSON, k JSON", [({"a": [1]}, {"b": 2})])])
def test_json(load, content, columns, rows):
    assert load(content, columns, **JSON) == rows


@pytest.mark.parametrize("row, columns, message", [
    ('{"a": "q"}', AB, "Could not convert value to integer. Field: a; Value: q"),
    ('{"a": 1.5}', AB, "Could not convert value to integer. Field: a; Value: 1.5"),
    ('{"b": {"x": 1}}', AB, 'Could not convert value to string. Field: b; Value: {"x": 1}'),
    ('{"a": [1]}', AB, "Array specified for non-repeated field: a."),
    ('{"c": 1}', AB, "No such field: c."),
    ('{"a": ', AB, "Parser terminated before end of string"),
    ("[1]", AB, "Parser terminated before end of string"),
    ('{"b": "x"}', "a INTEGER REQUIRED, b STRING", "Missing required field: a."),
    ('{"l": 5}', NESTED, "Repeated field must be imported as a JSON array. Field: l."),
    ('{"l": ["x"]}', NESTED, 'Could not convert value to integer. Field: l; Value: ["x"]'),
    ('{"n": 5}', NESTED, "Could not convert value to struct. Field: n; Value: 5"),
    ('{"n": {"l": [5]}}', NESTED, 'Could not convert value to struct. Field: n; Value: {"l": [5]}'),
    ('{"n": {"x": [5]}}', NESTED, 'Could not convert value to struct. Field: n; Value: {"x": [5]}'),
    ('{"n": {"q": 1}}', NESTED, "No such field: n.q."),
    ('{"n": {"l": [{"y": null, "z": 1}]}}', NESTED, "No such field: n.l.z.")])
def test_bad_json(load, row, columns, message):
    good = '{"a": 1}\n' if columns is not NESTED else '{"l": []}\n'
    assert fails(load, f"{good}{row}\n", columns, **JSON) == f"JSON parsing error in row starting at position {len(good)}: {message}"


def test_unknown_and_bad_json_can_be_left_out(load):
    assert load('{"a": 1, "c": 2}\n', AB, ignore_unknown_values=True, **JSON) == [(1, None)]
    assert load('{"a": 1}\n{"a"\n{"a": "x"}\n{"a": 2}\n', AB, table="u", max_bad_records=2, **JSON) == [(1, None), (2, None)]
    assert [error["message"].partition("position ")[2][:2] for error in load.job.errors] == ["9:", "14"]


def test_json_schemas_are_detected(load):
    rows = load('{"a": 1, "t": "2020-01-02 03:04:05", "n": {"x": 1.5, "l": [{"y": "2020-01-02"}]}, "l": [1, 2]}\n{"a": 2.5, "b": true}\n', autodetect=True, **JSON)
    assert columns_of(load.table) == "a FLOAT, t TIMESTAMP, n RECORD, l INTEGER REPEATED, b BOOLEAN"
    assert columns_of_record(load.table.schema[2]) == ["x FLOAT NULLABLE", "l RECORD REPEATED"]
    assert rows[1] == (2.5, None, None, [], True)


def columns_of_record(field: bigquery.SchemaField) -> list[str]:
    return [f"{part.name} {part.field_type} {part.mode}" for part in field.fields]


def test_parts_that_are_required(load):
    columns = [bigquery.SchemaField("r", "RECORD", fields=[bigquery.SchemaField("a", "INTEGER", "REQUIRED")]),
               bigquery.SchemaField("l", "RECORD", "REPEATED", fields=[bigquery.SchemaField("r", "RECORD", fields=[bigquery.SchemaField("a", "STRING", "REQUIRED")])])]
    rows = ['{"r": {}}', '{"r": null, "l": [{"r": {"a": "x"}}, {}]}', '{"l": [{}, {"r": {"a": null}}]}', '{"r": {"a": 1}}']
    assert load("\n".join(rows), columns, max_bad_records=2, **JSON) == [(None, [{"r": {"a": "x"}}, {"r": None}]), ({"a": 1}, [])]
    assert [error["message"].partition("position ")[2] for error in load.job.errors] == ["0: Missing required field: r.a.", "52: Missing required field: l.r.a."]


def test_a_null_in_an_array_is_a_bad_record(load):
    rows = ['{"l": [1, null]}', '{"l": null, "n": {"l": []}}', '{"n": {"l": [{"y": null}, null]}}', '{"n": {"x": 1}}']
    assert load("\n".join(rows), NESTED, max_bad_records=2, **JSON) == [({"x": None, "l": []}, []), ({"x": 1, "l": []}, [])]
    assert load.job.output_rows == 2 and [error["message"].partition("message: ")[2] for error in load.job.errors] == [
        f"JSON parsing error in row starting at position {start}: Only optional fields can be set to NULL. Field: {name}; Value: NULL" for start, name in ((0, "l"), (45, "n.l"))]
    assert fails(load, "\n".join(rows), NESTED, max_bad_records=1, **JSON).endswith("Field: n.l; Value: NULL")


# Parquet ------------------------------------------------------------------------------------------

@pytest.fixture
def parquet(tmp_path):
    """parquet(select): the bytes of a file."""
    def make(select: str) -> bytes:
        duckdb.execute(f"COPY ({select}) TO '{tmp_path / 'file.parquet'}' (FORMAT parquet)")
        return (tmp_path / "file.parquet").read_bytes()
    return make


def lists() -> dict:
    return {"source_format": "PARQUET", "parquet_options": bigquery.ParquetOptions.from_api_repr({"enableListInference": True})}


def test_parquet_types(load, parquet):
    select = """SELECT 1::TINYINT AS i, 1.5::FLOAT AS f, 'x' AS s, 'x'::BLOB AS y, true AS b, DATE '2020-01-02' AS d, TIME '03:04:05' AS t,
        TIMESTAMP '2020-01-02 03:04:05' AS dt, TIMESTAMPTZ '2020-01-02 03:04:05+00' AS ts, 1.25::DECIMAL(10,2) AS n, 1.25::DECIMAL(38,18) AS bn,
        [1, 2] AS l, {'p': 1, 'q': ['z']} AS r, [{'p': 1}] AS lr"""
    (row,) = load(parquet(select), **lists())
    assert columns_of(load.table) == ("i INTEGER, f FLOAT, s STRING, y BYTES, b BOOLEAN, d DATE, t TIME, dt DATETIME, ts TIMESTAMP, n NUMERIC, "
                                      "bn NUMERIC, l INTEGER REPEATED, r RECORD, lr RECORD REPEATED")
    assert row[:2] == (1, 1.5) and row[9] == Decimal("1.25") and row[11:] == ([1, 2], {"p": 1, "q": ["z"]}, [{"p": 1}])


def test_parquet_columns_go_by_name(load, parquet):
    assert load(parquet("SELECT 'x' AS B, 1 AS A"), "a FLOAT, b STRING, c DATE", source_format="PARQUET") == [(1.0, "x", None)]


@pytest.mark.parametrize("select, columns, words", [
    ("SELECT 'x' AS a", "a INTEGER", "Parquet column 'a' has type BYTE_ARRAY which does not match the target cpp_type INT64."),
    ("SELECT 1 AS a, 2 AS b", "a INTEGER", "No such field: b.")])
def test_bad_parquet(load, parquet, select, columns, words):
    assert fails(load, parquet(select), columns, source_format="PARQUET") == words


def test_files_that_are_no_parquet(load, parquet):
    assert fails(load, b"a,b\n1,2\n", source_format="PARQUET") == "Input file is not in Parquet format."
    assert "the file" in fails(load, parquet("SELECT 1 AS a")[:40], source_format="PARQUET")


@pytest.mark.parametrize("decimal, targets, kind", [
    ("DECIMAL(38,9)", None, "NUMERIC"), ("DECIMAL(38,18)", None, "NUMERIC"), ("DECIMAL(38,18)", ["BIGNUMERIC", "NUMERIC"], "BIGNUMERIC"),
    ("DECIMAL(10,2)", ["BIGNUMERIC", "NUMERIC"], "NUMERIC"), ("DECIMAL(10,2)", ["STRING"], "STRING"), ("DECIMAL(38,0)", ["NUMERIC"], "NUMERIC")])
def test_decimals_become_the_first_target_type_that_holds_them(load, parquet, decimal, targets, kind):
    options = {"decimal_target_types": targets} if targets else {}
    assert load(parquet(f"SELECT 1.25::{decimal} AS n"), source_format="PARQUET", **options)[0][0] in (Decimal("1.25"), "1.25", Decimal(1))
    assert load.table.schema[0].field_type == kind


def test_parquet_lists_and_maps_as_the_file_has_them(load, parquet):
    select = "SELECT [1, 2] AS l, MAP {'k': 1} AS m, 'f47ac10b-58cc-4372-a567-0e02b2c3d479'::UUID AS u"
    (row,) = load(parquet(select), source_format="PARQUET")
    assert row == ({"list": [{"element": 1}, {"element": 2}]}, {"key_value": [{"key": "k", "value": 1}]},
                   bytes.fromhex("f47ac10b58cc4372a5670e02b2c3d479"))
    options = bigquery.ParquetOptions.from_api_repr({"enableListInference": True, "mapTargetType": "ARRAY_OF_STRUCT"})
    assert load(parquet(select), table="u", source_format="PARQUET", parquet_options=options)[0][:2] == ([1, 2], [{"key": "k", "value": 1}])


@pytest.mark.parametrize("options, words", [
    ({"source_format": "GOOGLE_SHEETS"}, "sourceFormat GOOGLE_SHEETS")])
def test_what_is_not_supported_is_named(load, options, words):
    with pytest.raises(Exception, match=words):
        load("1,x\n", AB, **options)


# Options ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE", "ISO-8859-1"])
def test_encodings(load, encoding):
    text = "1,é\n2,y\n" if encoding == "ISO-8859-1" else "\ufeff1,é\n2,ग्राहक\n"
    assert load(text.encode(encoding), AB, encoding=encoding) == [(1, "é"), (2, text.split(",")[2].strip())]
    assert load('{"a": 1, "b": "é"}\n'.encode(encoding), AB, table="j", encoding=encoding, **JSON) == [(1, "é")]


def test_bytes_that_are_not_of_the_encoding(load):
    assert fails(load, b"\x00\xd8x", AB, encoding="UTF-16LE") == "Bad character encountered: the text is not valid UTF-16LE."
    with pytest.raises(BadRequest, match="UTF-7 is not a valid value"):
        load("1,x\n", AB, encoding="UTF-7")


def test_control_characters(load):
    assert fails(load, "1,x\n2,y\0z\n", AB) == "Error detected while parsing row starting at position: 4. Error: Bad character (ASCII 0) encountered."
    assert load("1,x\n2,y\0z\n", AB, preserve_ascii_control_characters=True) == [(1, "x"), (2, "y\0z")]


@pytest.mark.parametrize("options, kind, text, value", [
    ({"date_format": "MM/DD/YYYY"}, "DATE", "02/01/2020", dt.date(2020, 2, 1)), ({"date_format": "DD-MON-YY"}, "DATE", "01-Feb-20", dt.date(2020, 2, 1)),
    ({"time_format": "HH12:MI AM"}, "TIME", "03:04 PM", dt.time(15, 4)),
    ({"datetime_format": "YYYY.MM.DD HH24:MI:SS"}, "DATETIME", "2020.02.01 03:04:05", dt.datetime(2020, 2, 1, 3, 4, 5)),
    ({"timestamp_format": "YYYY/MM/DD HH24:MI:SS.FF6 TZH:TZM"}, "TIMESTAMP", "2020/02/01 03:04:05.5 +01:00", dt.datetime(2020, 2, 1, 2, 4, 5, 500_000, tzinfo=UTC)),
    ({"timestamp_format": "YYYYMMDD HH24MI", "time_zone": "Europe/Berlin"}, "TIMESTAMP", "20200201 0304", dt.datetime(2020, 2, 1, 2, 4, tzinfo=UTC)),
    ({"time_zone": "Asia/Tokyo"}, "TIMESTAMP", "2020-02-01 03:04:05", dt.datetime(2020, 1, 31, 18, 4, 5, tzinfo=UTC)),
    ({"time_zone": "Asia/Tokyo"}, "TIMESTAMP", "2020-02-01 03:04:05+00", dt.datetime(2020, 2, 1, 3, 4, 5, tzinfo=UTC)),
    *(({}, "TIMESTAMP", text, dt.datetime(2020, 2, 1, 2, 4, 5, tzinfo=UTC)) for text in (
        "2020/02/01 02:04:05", "2020-2-1T2:04:05Z", "2020-02-01 03:04:05 +0100", "2020-02-01 03:04:05 +1:00", "2020-02-01 03:04:05+1", "2020-02-01 02:04:05 UTC")),
    ({}, "TIMESTAMP", "1.534680695e12", dt.datetime(2018, 8, 19, 12, 11, 35, tzinfo=UTC)), ({}, "TIMESTAMP", "2020-02-01T02:04Z", dt.datetime(2020, 2, 1, 2, 4, tzinfo=UTC))])
def test_dates_and_times_in_other_forms(load, options, kind, text, value):
    assert load(f"{text}\n", f"x {kind}", **options) == [(value,)]
    assert load(f'{{"x": "{text}"}}\n', f"x {kind}", table="j", **options, **JSON) == [(value,)]
    assert "Unable to parse" in fails(load, "soon\n", f"x {kind}", table="k", **options)


def test_formats_are_used_to_detect_types(load):
    assert load("d,n\n02/01/2020,1\n", autodetect=True, date_format="MM/DD/YYYY") == [(dt.date(2020, 2, 1), 1)]


@pytest.mark.parametrize("option, value, words", [
    ("date_format", "QQ", "Invalid value for date_format|dateFormat"), ("time_zone", "Mars/Base", "Invalid time zone: Mars/Base"), ("field_delimiter", "ab", "fieldDelimiter")])
def test_bad_values_of_options(load, option, value, words):
    with pytest.raises(BadRequest, match=words):
        load("1,x\n", AB, **{option: value})


@pytest.mark.parametrize("text, kind", [
    ("yes", "BOOLEAN"), ("F", "BOOLEAN"), ("1", "INTEGER"), ("2020-1-2", "DATE"), ("2020/01/02 03:04", "TIMESTAMP"), ("2020-01-02T03:04:05.123456Z", "TIMESTAMP"),
    ("2020/01/02", "STRING"), ("0x1F", "STRING"), ("12:30:00", "TIME"), ("-.5e3", "FLOAT"), ("", "STRING")])
def test_types_that_texts_look_like(load, text, kind):
    load(f"7,{text}\n8,{text}\n", autodetect=True)
    assert load.table.schema[1].field_type == kind


def test_null_markers(load):
    assert load("1,NA\n2,-\n3,\n", AB, null_markers=["NA", "-"]) == [(1, None), (2, None), (3, "")]
    with pytest.raises(BadRequest, match="can't both be set"):
        load("1,x\n", AB, null_markers=["NA"], null_marker="-")


def test_detected_columns_are_matched_by_name(load):
    load("1,x\n", AB)
    assert load("B,a\ny,2\n", autodetect=True)[1:] == [(2, "y")]
    assert load("a\n3\n", autodetect=True)[2:] == [(3, None)]
    assert load("4,z\n", autodetect=True)[3:] == [(4, "z")]  # without a header
    assert load("b,a\n5,x\n", autodetect=True, source_column_match="POSITION")[4:] == [(5, "x")]
    assert load("b,a\n6,7\n", AB, autodetect=True, skip_leading_rows=1)[5:] == [(6, "7")]  # a schema that is given goes by position
    assert fails(load, "a,c\n5,x\n", autodetect=True) == "No such field: c."


def test_columns_matched_by_name(load):
    content = "b,a\nx,1\ny,2\n"
    assert load(content, AB, skip_leading_rows=1, source_column_match="NAME") == [(1, "x"), (2, "y")]
    assert load(content, "a INTEGER, c DATE, b STRING", table="u", skip_leading_rows=1, source_column_match="NAME") == [(1, None, "x"), (2, None, "y")]
    assert fails(load, content, "a INTEGER", table="v", skip_leading_rows=1, source_column_match="NAME") == "No such field: b."
    assert load(content, "a INTEGER", table="v", skip_leading_rows=1, source_column_match="NAME", ignore_unknown_values=True) == [(1,), (2,)]


@pytest.mark.parametrize("names, columns", [(None, "a_b_c INTEGER, _2nd INTEGER"), ("V1", "a_b_c INTEGER, _2nd INTEGER"), ("V2", "a b_c INTEGER, _2nd INTEGER")])
def test_names_of_detected_columns(load, names, columns):
    load("a b$c,2nd\n1,2\n", autodetect=True, **({"column_name_character_map": names} if names else {}))
    assert columns_of(load.table) == columns


def test_marks_in_the_names_of_detected_columns(load):
    load("ग्राहक,b\n1,2\n", autodetect=True, column_name_character_map="V2")
    assert columns_of(load.table) == "ग्राहक INTEGER, b INTEGER"


def test_strict_names(load):
    with pytest.raises(BadRequest, match="Invalid field name"):
        load("a$b,c\n1,2\n", autodetect=True, column_name_character_map="STRICT")


def test_geojson(load):
    content = ('{"type": "Feature", "properties": {"name": "x", "n": 1}, "geometry": {"type": "Point", "coordinates": [1, 2]}}\n'
               '{"type": "Feature", "properties": {"name": "y"}, "geometry": null}\n')
    assert load(content, autodetect=True, json_extension="GEOJSON", **JSON) == [("x", 1, "POINT(1 2)"), ("y", None, None)]
    assert columns_of(load.table) == "name STRING, n INTEGER, geometry GEOGRAPHY"
    assert "Parser terminated" in fails(load, '{"type": "Point"}\n', "geometry GEOGRAPHY", table="u", json_extension="GEOJSON", **JSON)


def test_geography_in_json_is_text_of_either_kind(load):
    content = '{"g": "POINT(1 2)"}\n{"g": "{\\"type\\": \\"Point\\", \\"coordinates\\": [1, 2]}"}\n'
    assert load(content, "g GEOGRAPHY", **JSON) == [("POINT(1 2)",)] * 2


def test_inline_schema(client, dataset, api):
    config = {"load": {"destinationTable": {"projectId": client.project, "datasetId": dataset, "tableId": "t"}, "schemaInline": "a:INTEGER, b:STRING"}}
    metadata = {"configuration": config}
    parts = b"--x\r\n\r\n%b\r\n--x\r\n\r\n1,x\n\r\n--x--" % json.dumps(metadata).encode()
    answer = requests.post(api.base.replace("/bigquery/v2/", "/upload/bigquery/v2/") + f"{api.project}/jobs?uploadType=multipart", data=parts,
                           headers={"Content-Type": "multipart/related; boundary=x"})
    client.get_job(answer.json()["jobReference"]["jobId"]).result()
    assert [tuple(row) for row in client.list_rows(f"{client.project}.{dataset}.t")] == [(1, "x")]


# ORC ----------------------------------------------------------------------------------------------

def orc_file(**columns) -> bytes:
    sink = pyarrow.BufferOutputStream()
    orc.write_table(pyarrow.table(columns), sink)
    return sink.getvalue().to_pybytes()


def test_orc(load):
    moment = dt.datetime(2020, 1, 2, 3, 4, 5, 6)
    content = orc_file(
        i=pyarrow.array([1, None], "int32"), f=[1.5, None], s=["ग्राहक", None], y=[b"\0x", None], b=[True, None], d=[dt.date(2020, 1, 2), None], ts=[moment, None],
        n=[Decimal("1.25"), None], w=pyarrow.array([Decimal("1.25"), None], pyarrow.decimal128(38, 20)), l=[[1, 2], None], r=[{"x": 1, "y": ["z"]}, None],
        m=pyarrow.array([[("k", 1)], None], pyarrow.map_("string", "int64")))
    full, empty = load(content, source_format="ORC")
    assert columns_of(load.table) == ("i INTEGER, f FLOAT, s STRING, y BYTES, b BOOLEAN, d DATE, ts TIMESTAMP, n NUMERIC, w STRING, l INTEGER REPEATED, "
                                      "r RECORD, m RECORD REPEATED")
    assert full == (1, 1.5, "ग्राहक", b"\0x", True, dt.date(2020, 1, 2), moment.replace(tzinfo=UTC), Decimal("1.25"), "1.25", [1, 2], {"x": 1, "y": ["z"]},
                    [{"key": "k", "value": 1}])
    assert empty == (None,) * 9 + ([], None, [])


def test_orc_goes_by_name_and_tells_misfits(load):
    content = orc_file(B=["x"], A=[1])
    assert load(content, "a FLOAT, b STRING, c DATE", source_format="ORC") == [(1.0, "x", None)]
    assert fails(load, content, "a DATE, b STRING", table="u", source_format="ORC").startswith("Field a has type INT64 in the file")
    message = fails(load, b"no orc", source_format="ORC")
    assert message.startswith("The Apache ORC library failed to parse the file") and "/" not in message
