"""datasets.* through the client."""
import uuid

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud import bigquery


@pytest.fixture
def name(client):
    name = f"ds_{uuid.uuid4().hex[:8]}"
    yield name
    client.delete_dataset(name, delete_contents=True, not_found_ok=True)


def test_insert_gives_the_resource_of_the_service(client, name):
    made = client.create_dataset(name)
    assert made.location == "US" and made.full_dataset_id == f"{client.project}:{name}"
    assert made.created == made.modified and made.etag
    roles = {(entry.role, str(entry.entity_id)) for entry in made.access_entries}
    assert {("OWNER", "projectOwners"), ("WRITER", "projectWriters"), ("READER", "projectReaders")} <= roles


def test_insert_twice_is_a_conflict_that_exists_ok_accepts(client, name):
    client.create_dataset(name)
    with pytest.raises(Conflict, match=f"Already Exists: Dataset {client.project}:{name}"):
        client.create_dataset(name)
    assert client.create_dataset(name, exists_ok=True).dataset_id == name


@pytest.mark.parametrize("bad", ["a-b", "a b", "é", "x" * 1025])
def test_bad_ids_are_refused(api, bad):
    code, reason, message = api.error("POST", "datasets", {"datasetReference": {"datasetId": bad}})
    assert (code, reason) == (400, "invalid")
    assert message == (f'Invalid dataset ID "{bad}". Dataset IDs must be alphanumeric (plus underscores and dashes) '
                       "and must be at most 1024 characters long.")


def test_get_of_a_missing_one(client):
    with pytest.raises(NotFound, match=f"Not found: Dataset {client.project}:nowhere"):
        client.get_dataset("nowhere")


def test_patch_merges_and_removes(client, name):
    made = client.create_dataset(name)
    made.description, made.labels, made.default_table_expiration_ms = "what it is", {"a": "1", "b": "2"}, 7_200_000
    made = client.update_dataset(made, ["description", "labels", "default_table_expiration_ms"])
    made.labels = {"a": None, "c": "3"}
    made = client.update_dataset(made, ["labels"])
    assert made.labels == {"b": "2", "c": "3"} and made.description == "what it is"
    table = client.create_table(f"{client.project}.{name}.t")
    assert 7_190 < (table.expires - table.created).total_seconds() <= 7_200


def test_a_stale_etag_is_a_failed_precondition(client, name):
    first = client.create_dataset(name)
    again = client.get_dataset(name)
    again.description = "newer"
    client.update_dataset(again, ["description"])
    first.description = "older"
    with pytest.raises(PreconditionFailed):
        client.update_dataset(first, ["description"])
    assert client.get_dataset(name).description == "newer"


def test_update_replaces_what_patch_would_keep(api, client, name):
    client.create_dataset(bigquery.Dataset(f"{client.project}.{name}"))
    assert api("PATCH", f"datasets/{name}", {"description": "d", "friendlyName": "f"}).json()["description"] == "d"
    body = api("PUT", f"datasets/{name}", {"friendlyName": "g"}).json()
    assert body["friendlyName"] == "g" and "description" not in body and body["location"] == "US"


@pytest.mark.parametrize("change, words", [
    ({"maxTimeTravelHours": 47}, "maxTimeTravelHours: 47"),
    ({"defaultTableExpirationMs": 1}, "defaultTableExpirationMs"),
    ({"location": "EU"}, "can't be changed"),
    ({"access": [{"view": {"projectId": "p", "datasetId": "d", "tableId": "v"}}] * 2}, "Duplicate authorized views"),
    ({"colour": "red"}, 'Unknown name "colour"'),
    ({"defaultTableExpirationMs": "soon"}, "TYPE_INT64"),
])
def test_bad_changes_are_refused_and_change_nothing(api, client, name, change, words):
    before = client.create_dataset(name)
    code, _, message = api.error("PATCH", f"datasets/{name}", change)
    assert code == 400 and words in message
    assert client.get_dataset(name).etag == before.etag


def test_delete_needs_an_empty_dataset_or_delete_contents(client, name):
    client.create_dataset(name)
    client.create_table(f"{client.project}.{name}.t")
    with pytest.raises(BadRequest, match=f"Dataset {client.project}:{name} is still in use"):
        client.delete_dataset(name)
    client.delete_dataset(name, delete_contents=True)
    with pytest.raises(NotFound):
        client.delete_dataset(name)
    client.create_dataset(name)
    assert list(client.list_tables(name)) == []


def test_list_pages_and_filters(client, name):
    names = [f"{name}_{i}" for i in range(5)]
    for each in names:
        made = bigquery.Dataset(f"{client.project}.{each}")
        made.labels = {"batch": name}
        client.create_dataset(made)
    try:
        pages = list(client.list_datasets(filter=f"labels.batch:{name}", page_size=2).pages)
        assert [len(list(page)) for page in pages] == [2, 2, 1]
        found = [item.dataset_id for item in client.list_datasets(filter=f"labels.batch:{name}")]
        assert found == names
    finally:
        for each in names:
            client.delete_dataset(each)


def test_a_default_partition_expiration_stands_in_place_of_the_tables(client, name):
    made = bigquery.Dataset(f"{client.project}.{name}")
    made.default_table_expiration_ms, made.default_partition_expiration_ms = 7_200_000, 86_400_000
    client.create_dataset(made)
    plain = client.create_table(bigquery.Table(f"{client.project}.{name}.plain", schema=[bigquery.SchemaField("day", "DATE")]))
    assert plain.expires and plain.time_partitioning is None
    parted = bigquery.Table(f"{client.project}.{name}.parted", schema=plain.schema)
    parted.time_partitioning = bigquery.TimePartitioning(field="day")
    parted = client.create_table(parted)
    assert parted.expires is None and parted.time_partitioning.expiration_ms == 86_400_000


@pytest.mark.parametrize("made_by", ["client", "sql", "option"])
def test_a_dataset_that_is_case_insensitive(client, dataset, made_by):
    name = f"Names_{dataset}"
    if made_by == "client":
        whole = bigquery.Dataset(f"{client.project}.{name}")
        whole.is_case_insensitive = True
        assert client.create_dataset(whole).is_case_insensitive
    else:
        client.query_and_wait(f"CREATE SCHEMA {name}" + (" OPTIONS (is_case_insensitive = TRUE)" if made_by == "sql" else ""))
    if made_by == "option":
        client.query_and_wait(f"ALTER SCHEMA {name} SET OPTIONS (is_case_insensitive = TRUE)")
    other = name.swapcase()
    client.query_and_wait(f"CREATE TABLE {name}.People AS SELECT 'Ada' AS name")
    client.query_and_wait(f"INSERT INTO {other}.PEOPLE VALUES ('Bob')")
    assert client.insert_rows_json(f"{client.project}.{other}.people", [{"name": "Eve"}]) == []
    assert sorted(row.name for row in client.query_and_wait(f"SELECT a.name FROM {name}.People AS a JOIN {other}.peoplE AS b USING (name)")) == ["Ada", "Bob", "Eve"]
    assert client.get_table(f"{other}.pEOPLE").table_id == "People" and [table.table_id for table in client.list_tables(other)] == ["People"]
    for clash in (lambda: client.create_table(f"{client.project}.{other}.people"), lambda: client.create_dataset(other)):
        with pytest.raises(Conflict):
            clash()
    client.query_and_wait(f"CREATE OR REPLACE TABLE {name}.PEOPLE AS SELECT 1 AS n")
    assert [(table.table_id, client.get_table(table).num_rows) for table in client.list_tables(name)] == [("People", 1)]
    client.query_and_wait(f"CREATE TABLE {name}.pets_Cat AS SELECT 2 AS n")
    for wildcard in ("pE*", "PE*"):
        found = client.query_and_wait(f"SELECT _TABLE_SUFFIX, n FROM `{other}.{wildcard}` WHERE _TABLE_SUFFIX IN ('OPLE', 'ople', 'ts_Cat') ORDER BY n")
        assert [tuple(row) for row in found] == [("ople", 1), ("ts_Cat", 2)]
    assert client.get_table(f"{other}.PETS_*").num_rows == 1
    for table in ("people", "PETS_CAT"):
        client.query_and_wait(f"DROP TABLE {other}.{table}")
    client.delete_dataset(other)
    with pytest.raises(NotFound):
        client.get_dataset(name)
