"""tables.* through the client: resources, names, schemas, policies, expiry."""
import datetime as dt
import time

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud import bigquery
from google.cloud.bigquery import SchemaField

NAMES = ["table 01", "ग्राहक", "00_お客様", "étudiant-01", "x" * 1024, "é" * 512]


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def test_a_new_table_is_as_the_service_shows_it(api, client, dataset):
    schema = [SchemaField("a", "INT64"), SchemaField("b", "STRING", "REQUIRED", description="the b")]
    client.create_table(bigquery.Table(f"{client.project}.{dataset}.t", schema=schema))
    body = api("GET", f"datasets/{dataset}/tables/t").json()
    assert body["kind"] == "bigquery#table" and body["id"] == f"{client.project}:{dataset}.t"
    assert body["selfLink"].endswith(f"/projects/{client.project}/datasets/{dataset}/tables/t")
    assert body["schema"] == {"fields": [{"name": "a", "type": "INTEGER", "mode": "NULLABLE"},
                                         {"name": "b", "type": "STRING", "mode": "REQUIRED", "description": "the b"}]}
    assert (body["numRows"], body["numBytes"], body["numLongTermBytes"], body["type"], body["location"]) == ("0", "0", "0", "TABLE", "US")
    assert body["creationTime"] == body["lastModifiedTime"] and not [key for key in body if key.startswith("_")]


def test_rows_are_counted_whichever_way_they_come(client, dataset, sql):
    """A new table is known to be empty; each of these is the first that brings it rows."""
    path, schema = f"{client.project}.{dataset}", [SchemaField("a", "INT64")]
    sql("CREATE TABLE source AS SELECT 7 AS a")
    for name in ("streamed", "inserted", "merged", "loaded", "appended", "queried", "altered"):
        made = client.create_table(bigquery.Table(f"{path}.{name}", schema=schema))
        assert (client.get_table(made).num_rows, client.get_table(made).num_bytes) == (0, 0)
    append = {"write_disposition": "WRITE_APPEND"}
    assert client.insert_rows_json(f"{path}.streamed", [{"a": 1}]) == []
    for text in ("INSERT INTO inserted VALUES (1)", "MERGE merged USING source ON FALSE WHEN NOT MATCHED THEN INSERT ROW",
                 "ALTER TABLE altered ADD COLUMN b STRING", "INSERT INTO altered (a) VALUES (1)", "CREATE TABLE made AS SELECT 1 AS a",
                 "CREATE TABLE copied COPY source", "CREATE TABLE cloned CLONE source", "CREATE SNAPSHOT TABLE kept CLONE source",
                 "CREATE TABLE restored CLONE kept"):
        sql(text)
    client.load_table_from_json([{"a": 1}], f"{path}.loaded", job_config=bigquery.LoadJobConfig(schema=schema, **append)).result()
    client.copy_table(f"{path}.source", f"{path}.appended", job_config=bigquery.CopyJobConfig(**append)).result()
    client.query_and_wait("SELECT 1 AS a", job_config=bigquery.QueryJobConfig(destination=f"{path}.queried", **append))
    for table in client.list_tables(dataset):
        found = client.get_table(table)
        assert (table.table_id, found.num_rows, found.num_bytes) == (table.table_id, 1, 8)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_script(client, dataset, name):
    made = client.create_table(bigquery.Table(f"{client.project}.{dataset}.{name}", schema=[SchemaField("a", "STRING")]))
    assert made.table_id == name and client.get_table(made).table_id == name
    assert client.insert_rows_json(made, [{"a": "x"}]) == []
    assert [tuple(row) for row in client.list_rows(made)] == [("x",)]
    assert [item.table_id for item in client.list_tables(dataset)] == [name]
    client.copy_table(made, f"{client.project}.{dataset}.copy").result()
    client.delete_table(made)
    with pytest.raises(NotFound):
        client.get_table(made)


def test_names_that_differ_in_case_are_two_tables(client, dataset):
    for name in ("Table", "table"):
        made = client.create_table(bigquery.Table(f"{client.project}.{dataset}.{name}", schema=[SchemaField("a", "STRING")]))
        client.insert_rows_json(made, [{"a": name}])
    assert [row.a for row in client.list_rows(f"{client.project}.{dataset}.Table", selected_fields=[SchemaField("a", "STRING")])] == ["Table"]


@pytest.mark.parametrize("name", ["a/b", "a.b", "a:b", "a*", "x" * 2000, "é" * 513, "a\nb"])
def test_bad_names(api, dataset, name):
    code, reason, message = api.error("POST", f"datasets/{dataset}/tables", {"tableReference": {"tableId": name}})
    assert (code, reason) == (400, "invalid") and message.startswith('Invalid table ID "') and len(message) < 400


def test_an_empty_name(api, dataset):
    assert api.error("POST", f"datasets/{dataset}/tables", {"tableReference": {"tableId": ""}}) == (400, "required", "Required parameter is missing")


def test_a_body_that_names_another_dataset_than_the_path(api, dataset):
    code, reason, message = api.error("POST", f"datasets/{dataset}/tables", {"tableReference": {"datasetId": "other", "tableId": "t"}})
    assert (code, reason) == (400, "invalid") and f"Value 'other' in content does not agree with value '{dataset}'." in message
    assert api.error("POST", "datasets", {"datasetReference": {}})[1:] == ("required", "Required parameter is missing")


def test_a_table_that_exists(client, dataset):
    client.create_table(f"{client.project}.{dataset}.t")
    with pytest.raises(Conflict, match=f"Already Exists: Table {client.project}:{dataset}.t"):
        client.create_table(f"{client.project}.{dataset}.t")


def test_a_missing_table_and_a_missing_dataset(client, dataset):
    with pytest.raises(NotFound, match=f"Not found: Table {client.project}:{dataset}.no was not found in location US"):
        client.get_table(f"{dataset}.no")
    with pytest.raises(NotFound, match=f"Not found: Dataset {client.project}:nowhere was not found in location US"):
        client.create_table(f"{client.project}.nowhere.t")


@pytest.mark.parametrize("fields, words", [
    ([{"name": "a", "type": "STRING"}, {"name": "A", "type": "STRING"}], "Duplicate field name: A"),
    ([{"name": "a", "type": "STRIN"}], "STRIN is not a valid value"),
    ([{"name": "a", "type": "STRING", "mode": "MAYBE"}], "MAYBE is not a valid value"),
    ([{"name": "", "type": "STRING"}], "Invalid field name"),
    ([{"name": "a.b", "type": "STRING"}], 'Invalid field name "a.b". Fields must contain the allowed characters, and be at most 300 characters long.'),
    ([{"name": "_PartitionTime", "type": "STRING"}], "Field names are not allowed to start with the (case-insensitive) prefixes _PARTITION, _TABLE_, _FILE_, "),
    ([{"name": "x" * 301, "type": "STRING"}], "Invalid field name"),
    ([{"name": "a"}], "type of field a"),
    ([{"name": "r", "type": "RECORD"}], "Field r is type RECORD but has no schema"),
    ([{"name": "r", "type": "RECORD", "fields": [{"name": "a", "type": "DATE"}, {"name": "a", "type": "DATE"}]}], "Duplicate field name: r.a"),
])
def test_bad_schemas_make_no_table(api, dataset, fields, words):
    code, _, message = api.error("POST", f"datasets/{dataset}/tables", {"tableReference": {"tableId": "t"}, "schema": {"fields": fields}})
    assert code == 400 and words in message
    assert "tables" not in api("GET", f"datasets/{dataset}/tables").json()


def test_flexible_names_of_columns(client, sql, dataset):
    names = ["1st", "%", "ग्राहक", "étudiant-01", "a b&c=d+e:f'g<h>i#j|k"]
    table = client.create_table(bigquery.Table(f"{client.project}.{dataset}.flexible", [bigquery.SchemaField(name, "INT64") for name in names]))
    client.insert_rows_json(table, [{name: place for place, name in enumerate(names)}])
    sql(f"INSERT INTO {dataset}.flexible (`1st`, `%`) VALUES (10, 11)")
    assert [dict(row) for row in sql(f"SELECT * FROM {dataset}.flexible ORDER BY `1st` LIMIT 1")] == [dict(zip(names, range(5)))]
    assert [tuple(row) for row in sql(f"SELECT `1st`, t.`%` FROM {dataset}.flexible AS t WHERE `1st` > 1")] == [(10, 11)]


def test_nesting_has_a_limit(api, dataset):
    field = {"name": "leaf", "type": "STRING"}
    for _ in range(15):
        field = {"name": "r", "type": "RECORD", "fields": [field]}
    code, _, message = api.error("POST", f"datasets/{dataset}/tables", {"tableReference": {"tableId": "t"}, "schema": {"fields": [field]}})
    assert code == 400 and "15 levels" in message


def test_partitioning_and_clustering(client, dataset, api):
    table = bigquery.Table(f"{client.project}.{dataset}.t", schema=[SchemaField("d", "DATE"), SchemaField("s", "STRING")])
    table.time_partitioning = bigquery.TimePartitioning(field="d", expiration_ms=1000)
    table.clustering_fields = ["s"]
    made = client.create_table(table)
    assert made.time_partitioning.field == "d" and made.time_partitioning.type_ == "DAY" and made.clustering_fields == ["s"]
    for layout, words in [({"timePartitioning": {"type": "DAY", "field": "no"}}, "The field specified for partitioning cannot be found in the schema."),
                          ({"timePartitioning": {"type": "DAY", "field": "s"}}, "must be of type"),
                          ({"timePartitioning": {"type": "HOUR", "field": "D"}}, "HOUR is not possible by a field of type DATE"),
                          ({"clustering": {"fields": ["no"]}}, "clustering cannot be found")]:
        body = {"tableReference": {"tableId": "u"}, "schema": {"fields": [{"name": "s", "type": "STRING"}, {"name": "d", "type": "DATE"}]}, **layout}
        code, reason, message = api.error("POST", f"datasets/{dataset}/tables", body)
        assert (code, reason) == (400, "invalid") and words in message


def test_patch_description_labels_and_friendly_name(client, people):
    people.description, people.labels, people.friendly_name = "who", {"a": "1"}, "People"
    people = client.update_table(people, ["description", "labels", "friendly_name"])
    people.description, people.labels = None, {"a": None, "b": "2"}
    people = client.update_table(people, ["description", "labels"])
    assert (people.description, people.labels, people.friendly_name) == (None, {"b": "2"}, "People")
    assert client.get_table(people).num_rows == 3


def test_a_stale_etag_changes_nothing(client, people):
    people = client.get_table(people)
    newer = client.get_table(people)
    newer.description = "newer"
    client.update_table(newer, ["description"])
    people.description = "older"
    with pytest.raises(PreconditionFailed):
        client.update_table(people, ["description"])
    assert client.get_table(people).description == "newer"


def test_a_schema_widens(client, people):
    people = client.get_table(people)
    people.schema = [people.schema[0], SchemaField("age", "INTEGER"), SchemaField("home", "RECORD", "REPEATED", fields=[SchemaField("city", "STRING")])]
    people = client.update_table(people, ["schema"])
    inner = SchemaField("home", "RECORD", "REPEATED", fields=[SchemaField("city", "STRING"), SchemaField("zip", "STRING")])
    people.schema = [*people.schema[:2], inner]
    people = client.update_table(people, ["schema"])
    assert client.insert_rows_json(people, [{"name": "Eve", "home": [{"city": "Rome", "zip": "1"}]}]) == []
    assert [tuple(row) for row in client.list_rows(people)][-1] == ("Eve", None, [{"city": "Rome", "zip": "1"}])
    assert [tuple(row) for row in client.list_rows(people)][0] == ("Ada", 36, [])


@pytest.mark.parametrize("schema, words", [
    ([SchemaField("name", "STRING")], "Field age is missing in new schema"),
    ([SchemaField("name", "INTEGER"), SchemaField("age", "INTEGER", "REQUIRED")], "Field name has changed type from STRING to INTEGER"),
    ([SchemaField("name", "STRING", "REQUIRED"), SchemaField("age", "INTEGER", "REQUIRED")], "has changed mode from NULLABLE to REQUIRED"),
    ([SchemaField("name", "STRING"), SchemaField("age", "INTEGER", "REQUIRED"), SchemaField("x", "DATE", "REQUIRED")],
     r"Cannot add required fields to an existing schema. \(field: x\)"),
])
def test_all_else_in_a_schema_is_refused(client, people, schema, words):
    people.schema = schema
    with pytest.raises(BadRequest, match=f"Provided Schema does not match Table {client.project}:{people.dataset_id}.people. .*{words}"):
        client.update_table(people, ["schema"], retry=None)
    assert len(client.get_table(people).schema) == 2


def test_a_table_without_columns_gets_them_later(client, dataset):
    table = client.create_table(f"{client.project}.{dataset}.t")
    table.schema = [SchemaField("a", "STRING")]
    table = client.update_table(table, ["schema"])
    assert client.insert_rows_json(table, [{"a": "x"}]) == [] and client.get_table(table).num_rows == 1


def test_expiration_to_the_millisecond_and_a_past_one(client, people):
    wanted = now() + dt.timedelta(days=5)
    people.expires = wanted
    people = client.update_table(people, ["expires"])
    assert abs(people.expires - wanted) < dt.timedelta(milliseconds=1)
    people.expires = now() - dt.timedelta(days=1)
    with pytest.raises(BadRequest, match="in the past"):
        client.update_table(people, ["expires"])


def test_an_expired_table_is_gone(client, people):
    people.expires = now() + dt.timedelta(milliseconds=400)
    expires = client.update_table(people, ["expires"]).expires
    time.sleep(max(0, (expires - now()).total_seconds()))
    with pytest.raises(NotFound):
        client.get_table(people)
    assert list(client.list_tables(people.dataset_id)) == []
    client.create_table(bigquery.Table(people.reference, schema=[SchemaField("a", "DATE")]))
    assert client.get_table(people).num_rows == 0


def test_list_pages(client, dataset):
    for i in range(5):
        client.create_table(f"{client.project}.{dataset}.t{i}")
    listing = client.list_tables(dataset, page_size=2)
    assert [[item.table_id for item in page] for page in listing.pages] == [["t0", "t1"], ["t2", "t3"], ["t4"]]


def test_get_of_some_fields(api, people):
    path = f"datasets/{people.dataset_id}/tables/people"
    assert api("GET", path + "?fields=id,schema/fields/name").json() == {
        "id": people.full_table_id, "schema": {"fields": [{"name": "name"}, {"name": "age"}]}}
    assert [field["name"] for field in api("GET", path + "?selectedFields=age").json()["schema"]["fields"]] == ["age"]
    assert "numRows" not in api("GET", path + "?view=BASIC").json()


def test_update_replaces_the_resource(api, client, people):
    path = f"datasets/{people.dataset_id}/tables/people"
    api("PATCH", path, {"description": "d", "friendlyName": "f"})
    body = api("PUT", path, {"friendlyName": "g"}).json()
    assert body["friendlyName"] == "g" and "description" not in body and body["numRows"] == "3" and len(body["schema"]["fields"]) == 2


def test_views_have_the_schema_of_their_query(client, people):
    view = bigquery.Table(f"{client.project}.{people.dataset_id}.adults")
    view.view_query = f"SELECT name, age + 1 AS next FROM `{people.dataset_id}.people` WHERE age > 17"
    view = client.create_table(view)
    assert view.table_type == "VIEW" and [(field.name, field.field_type) for field in view.schema] == [("name", "STRING"), ("next", "INTEGER")]
    rows = client.query_and_wait(f"SELECT * FROM {people.dataset_id}.adults ORDER BY next")
    assert [tuple(row) for row in rows] == [("Ada", 37), ("Bob", 42)]


def test_a_view_takes_descriptions_and_another_query(client, people):
    view = bigquery.Table(f"{client.project}.{people.dataset_id}.named")
    view.view_query = f"SELECT name FROM `{people.dataset_id}.people`"
    view = client.create_table(view)
    view.schema = [bigquery.SchemaField("name", "STRING", description="First name")]
    assert client.update_table(view, ["schema"]).schema[0].description == "First name"
    view = client.get_table(view)
    view.schema = [bigquery.SchemaField("other", "STRING")]
    with pytest.raises(BadRequest, match="The columns of a view are those of its query"):
        client.update_table(view, ["schema"])
    view.view_query = f"SELECT age FROM `{people.dataset_id}.people`"
    assert [field.name for field in client.update_table(view, ["view_query"]).schema] == ["age"]


@pytest.mark.parametrize("body, words", [
    ({"biglakeConfiguration": {"fileFormat": "PARQUET"}}, "biglakeConfiguration"),
    ({"schema": {"fields": [{"name": "a", "type": "FOREIGN", "foreignTypeDefinition": "INT"}]}}, "columns of type FOREIGN")])
def test_what_is_not_supported_says_so(api, dataset, body, words):
    code, reason, message = api.error("POST", f"datasets/{dataset}/tables", {"tableReference": {"tableId": "t"}, **body})
    assert (code, reason) == (501, "notImplemented") and words in message
