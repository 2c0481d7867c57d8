"""tabledata.*: pages of rows, selected fields, decorators, and streamed rows."""
import time

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import bigquery
from google.cloud.bigquery import SchemaField


def rows(client, table, **options) -> list[tuple]:
    return [tuple(row) for row in client.list_rows(table, **options)]


@pytest.fixture
def numbers(client, dataset):
    """A table of 0 to 9."""
    table = client.create_table(bigquery.Table(f"{client.project}.{dataset}.numbers", schema=[SchemaField("n", "INTEGER")]))
    assert client.insert_rows_json(table, [{"n": n} for n in range(10)]) == []
    return table


def test_pages(client, numbers):
    pages = client.list_rows(numbers, page_size=4).pages
    assert [[row.n for row in page] for page in pages] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_start_index_and_max_results(client, numbers):
    assert rows(client, numbers, start_index=7, max_results=2) == [(7,), (8,)]
    assert rows(client, numbers, start_index=100) == []


def test_a_page_token_keeps_to_the_first_pages_snapshot(client, numbers):
    pages = client.list_rows(numbers, page_size=4).pages
    seen = [row.n for row in next(pages)]
    client.insert_rows_json(numbers, [{"n": 99}])
    seen += [row.n for page in pages for row in page]
    assert seen == list(range(10)) and client.get_table(numbers).num_rows == 11


def test_total_rows_without_rows(api, numbers):
    body = api("GET", f"datasets/{numbers.dataset_id}/tables/numbers/data?maxResults=0").json()
    assert body["totalRows"] == "10" and "rows" not in body


def test_selected_fields(client, people):
    assert rows(client, people, selected_fields=[SchemaField("age", "INTEGER")]) == [(36,), (41,), (7,)]


@pytest.fixture
def nested(client, dataset):
    """A table of one row: id, address {city, zip REQUIRED, codes REPEATED}, tags REPEATED {name, n}."""
    schema = [SchemaField("id", "INTEGER"), SchemaField("address", "RECORD", fields=[
        SchemaField("city", "STRING"), SchemaField("zip", "INTEGER", "REQUIRED"), SchemaField("codes", "INTEGER", "REPEATED")]),
        SchemaField("tags", "RECORD", "REPEATED", fields=[SchemaField("name", "STRING"), SchemaField("n", "INTEGER")])]
    table = client.create_table(bigquery.Table(f"{client.project}.{dataset}.nested", schema=schema))
    row = {"id": 1, "address": {"city": "Bern", "zip": 3000, "codes": [1, 2]}, "tags": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}
    assert client.insert_rows_json(table, [row]) == []
    return table


@pytest.mark.parametrize("names, cells", [
    ("address.city", [["Bern"]]), ("tags.n,id", ["1", [["1"], ["2"]]]), ("Address.zip,address.codes", [["3000", ["1", "2"]]]),
    ("address,address.city", [["Bern", "3000", ["1", "2"]]])])
def test_nested_selected_fields(api, nested, names, cells):
    def plain(value):
        """A value without the wrappings of cells."""
        if isinstance(value, list):
            return [plain(item) for item in value]
        return plain(value.get("f", value.get("v"))) if isinstance(value, dict) else value
    row = api("GET", f"datasets/{nested.dataset_id}/tables/nested/data?selectedFields={names}").json()["rows"][0]
    assert plain(row) == cells
    table = api("GET", f"datasets/{nested.dataset_id}/tables/nested?selectedFields={names}").json()
    assert len(table["schema"]["fields"]) == len(cells)


@pytest.mark.parametrize("query, words", [("selectedFields=n.no", "No such field: n.no."),
    ("maxResults=-1", "Invalid value '-1' for maxResults"), ("startIndex=x", "'startIndex'"), ("pageToken=zzz", "Invalid page token"),
    ("selectedFields=no", "No such field: no"), ("fields=rows(f", "Invalid field selection"), ("wrong=1", 'Unknown name "wrong"')])
def test_bad_parameters(api, numbers, query, words):
    code, _, message = api.error("GET", f"datasets/{numbers.dataset_id}/tables/numbers/data?{query}")
    assert code == 400 and words in message


def test_every_type_comes_back_as_it_went_in(client, dataset):
    schema = [SchemaField("s", "STRING"), SchemaField("b", "BYTES"), SchemaField("f", "FLOAT"), SchemaField("o", "BOOLEAN"),
              SchemaField("n", "NUMERIC"), SchemaField("d", "DATE"), SchemaField("t", "TIME"), SchemaField("dt", "DATETIME"),
              SchemaField("ts", "TIMESTAMP"), SchemaField("j", "JSON"), SchemaField("a", "INTEGER", "REPEATED"),
              SchemaField("r", "RECORD", "REPEATED", fields=[SchemaField("x", "STRING"), SchemaField("y", "FLOAT", "REPEATED")])]
    table = client.create_table(bigquery.Table(f"{client.project}.{dataset}.types", schema=schema))
    import datetime as dt
    from decimal import Decimal
    row = {"s": "é\n\"'", "b": b"\x00\xff", "f": 1.25, "o": True, "n": Decimal("1.5"), "d": dt.date(2020, 1, 2), "t": dt.time(1, 2, 3, 4),
           "dt": dt.datetime(2020, 1, 2, 3, 4, 5, 6), "ts": dt.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone.utc), "j": {"k": [1, None]},
           "a": [1, 2], "r": [{"x": "p", "y": [0.5]}, {"x": None, "y": []}]}
    assert client.insert_rows(table, [row]) == []
    assert [dict(found) for found in client.list_rows(table)] == [row]


# Time travel --------------------------------------------------------------------------------------

def test_decorators_read_the_past(client, people):
    """@ms is that moment, @0 the earliest."""
    name = f"{client.project}.{people.dataset_id}.people"
    before = int(time.time() * 1000)
    client.insert_rows_json(people, [{"name": "Eve", "age": 1}])
    now = int(time.time() * 1000)
    schema = people.schema
    assert len(rows(client, f"{name}@{before}", selected_fields=schema)) == 3
    assert len(rows(client, f"{name}@{now}", selected_fields=schema)) == 4
    assert len(rows(client, f"{name}@0", selected_fields=schema)) == 0


def test_a_negative_decorator_counts_back_from_now(client, people):
    name = f"{client.project}.{people.dataset_id}.people"
    before = int(client.get_table(people).created.timestamp() * 1000)
    with pytest.raises(BadRequest, match=f"Cannot read before {before}"):
        rows(client, f"{name}@-{int(time.time() * 1000) - before + 60_000}", selected_fields=people.schema)
    assert len(rows(client, f"{name}@-1", selected_fields=people.schema)) == 3


@pytest.mark.parametrize("decorator, words", [("@1000", "Invalid time travel timestamp 1000"), ("@-999999999999", "Cannot read before"),
                                               ("@soon", "Invalid snapshot decorator @soon")])
def test_decorators_outside_the_window(client, people, decorator, words):
    with pytest.raises(BadRequest, match=words):
        rows(client, f"{client.project}.{people.dataset_id}.people{decorator}", selected_fields=people.schema)


# Streaming ----------------------------------------------------------------------------------------

def test_bad_rows_are_named_and_nothing_is_written(client, people):
    errors = client.insert_rows_json(people, [{"name": "ok", "age": 1}, {"name": "x", "age": "abc"}, {"name": "y"}, {"name": "z", "age": 1, "no": 1}])
    found = {error["index"]: error["errors"][0] for error in errors}
    # A row of the wrong shape is found before any value is looked at.
    assert found[0]["reason"] == "stopped" and found[2]["message"] == "Missing required field: age." and found[3]["message"] == "no such field: no."
    assert client.get_table(people).num_rows == 3
    errors = client.insert_rows_json(people, [{"name": "ok", "age": 1}, {"name": "x", "age": "abc"}])
    assert [(error["index"], error["errors"][0]["reason"], error["errors"][0]["location"]) for error in errors] == [(0, "stopped", ""), (1, "invalid", "age")]
    assert client.get_table(people).num_rows == 3


def test_skip_invalid_rows_writes_the_others(client, people):
    errors = client.insert_rows_json(people, [{"name": "ok", "age": 1}, {"name": "x", "age": "abc"}, {"name": "y"}], skip_invalid_rows=True)
    assert [error["index"] for error in errors] == [1, 2]
    assert rows(client, people)[3:] == [("ok", 1)]


def test_ignore_unknown_values(client, people):
    assert client.insert_rows_json(people, [{"name": "z", "age": 1, "no": 1}], ignore_unknown_values=True) == []
    assert client.get_table(people).num_rows == 4


def test_insert_ids_keep_a_retry_from_writing_twice(client, people):
    for _ in range(2):
        assert client.insert_rows_json(people, [{"name": "once", "age": 1}], row_ids=["the id"]) == []
    assert client.get_table(people).num_rows == 4


def test_columns_in_any_case(client, people):
    assert client.insert_rows_json(people, [{"NAME": "loud", "Age": 1}]) == []
    assert rows(client, people)[3:] == [("loud", 1)]


@pytest.mark.parametrize("row, location, words", [
    ({"address": {"zip": 1, "town": "x"}}, "address.town", "no such field: town."),
    ({"address": {"city": "x"}}, "address.zip", "Missing required field: zip."),
    ({"address": {"zip": "x"}}, "address.zip", "Cannot convert value to int64 (bad value): x"),
    ({"address": {"zip": 1, "codes": [1, "x"]}}, "address.codes[1]", "Cannot convert value to int64 (bad value): x"),
    ({"address": {"zip": 1, "codes": [1, None]}}, "address.codes[1]", "Only optional fields can be set to NULL. Field: codes; Value: NULL"),
    ({"tags": [{"n": 1}, {"n": []}]}, "tags[1].n", "Array specified for non-repeated field: n."),
    ({"tags": [{"n": 1}, {"n": 1.5}]}, "tags[1].n", "Cannot convert value to int64 (bad value): 1.5"),
    ({"tags": {"n": 1}}, "tags", "Repeated record added outside of an array."),
    ({"id": {"a": 1}}, "id", "This field: id is not a record."),
    ({"id": [1]}, "id", "Array specified for non-repeated field: id."),
    ({"address": "Bern"}, "address", "Cannot convert value to struct (bad value): Bern")])
def test_where_a_nested_value_is_wrong(client, nested, row, location, words):
    (error,) = client.insert_rows_json(nested, [row])
    assert error["errors"] == [{"reason": "invalid", "location": location, "debugInfo": "", "message": words}]


def test_nested_names_in_any_case_and_unknown_ones_ignored(client, nested):
    row = {"ID": 2, "ADDRESS": {"ZIP": 1, "no": 1}, "tags": [{"N": 7, "no": 1}], "nothing": 1}
    assert client.insert_rows_json(nested, [row], ignore_unknown_values=True) == []
    assert rows(client, nested)[1] == (2, {"city": None, "zip": 1, "codes": []}, [{"name": None, "n": 7}])


def test_tables_like_a_template(client, people):
    for _ in range(2):
        assert client.insert_rows_json(people, [{"name": "x", "age": 1}], template_suffix="_2026") == []
    made = client.get_table(f"{client.project}.{people.dataset_id}.people_2026")
    assert made.num_rows == 2 and made.schema == people.schema and client.get_table(people).num_rows == 3
    with pytest.raises(BadRequest, match="Invalid table ID"):
        client.insert_rows_json(people, [{"name": "x", "age": 1}], template_suffix="/")


def test_rows_that_are_none(api, client, people):
    path = f"datasets/{people.dataset_id}/tables/people/insertAll"
    assert api.error("POST", path, {"rows": []})[2] == "No rows present in the request."
    assert "no json object" in api.error("POST", path, {"rows": [{}]})[2]
    assert "Too many rows" in api.error("POST", path, {"rows": [{"json": {"age": 1}}] * 50_001})[2]
    with pytest.raises(NotFound):
        client.insert_rows_json(f"{client.project}.{people.dataset_id}.no", [{"a": 1}])
