"""Exports of Datastore and Firestore, made here byte by byte, as load jobs and external tables read them."""
import datetime as dt
import struct
import uuid

import google_crc32c
import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import bigquery

from conftest import new_bucket
from loading import columns_of

MOMENT = dt.datetime(2020, 1, 2, 3, 4, 5, 600_000, tzinfo=dt.timezone.utc)
OWN = "__key__ RECORD, __error__ STRING REPEATED, __has_error__ BOOLEAN"


# An export ----------------------------------------------------------------------------------------

def varint(number: int) -> bytes:
    number &= 2**64 - 1
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, value) -> bytes:
    """A field of a message: a whole number, a double, or what has a length."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def group(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 3) + content + varint(number << 3 | 4)


def steps(path: tuple, number: int, kind: int, ident: int, name: int) -> bytes:
    pairs = zip(path[::2], path[1::2])
    return b"".join(group(number, field(kind, each) + field(ident if isinstance(key, int) else name, key)) for each, key in pairs)


def entity(*path, namespace="", **properties: bytes) -> bytes:
    """An entity of a key's path. properties: the value of each, with its meaning, or several."""
    key = field(13, "s~lab") + field(20, namespace) + field(14, steps(path, 1, 2, 3, 4))
    indexed = b"".join(field(14 + place % 2, field(3, name) + field(4, int(isinstance(value, list))) + each)
                       for place, (name, value) in enumerate(properties.items()) for each in (value if isinstance(value, list) else [value]))
    return field(13, key) + field(16, b"") + indexed


def value(content: bytes = b"", meaning: int = 0) -> bytes:
    return (field(1, meaning) if meaning else b"") + field(5, content)


def text(string, meaning: int = 0) -> bytes:
    return value(field(3, string), meaning)


def whole(number: int, meaning: int = 0) -> bytes:
    return value(field(1, number), meaning)


def log(*records: bytes) -> bytes:
    """Records in blocks of 32 KiB, as pieces of 7 bytes and what they hold."""
    made = b""
    for record in records:
        first = True
        while first or record:
            room = 32768 - len(made) % 32768
            if room < 7:
                made, room = made + bytes(room), 32768
            part, record = record[:room - 7], record[room - 7:]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not record]
            crc = google_crc32c.value(bytes([kind]) + part)
            made += struct.pack("<IHB", ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF, len(part), kind) + part
            first = False
    return made


@pytest.fixture(scope="module")
def bucket(storage_client):
    with new_bucket(storage_client) as bucket:
        yield bucket


@pytest.fixture
def export(bucket):
    """export(entities of a log, ...): the URI of the metadata of an export that has these logs."""
    def write(*logs) -> str:
        folder = f"{uuid.uuid4().hex}/all_namespaces/kind_Book"
        files = [f"output-{index}" for index in range(len(logs))]
        for name, entities in zip(files, logs):
            bucket.blob(f"{folder}/{name}").upload_from_string(entities if isinstance(entities, bytes) else log(*entities))
        kind = field(1, "Book") + b"".join(field(2, name) for name in files) + field(3, field(1, "Book"))
        metadata = bucket.blob(f"{folder}/all_namespaces_kind_Book.export_metadata")
        metadata.upload_from_string(field(1, field(1, "all")) + field(2, kind))
        return f"gs://{bucket.name}/{metadata.name}"
    return write


@pytest.fixture
def read(client, dataset):
    """read(uri, **options): the rows that a load job makes of an export; the job is read.job, its table read.table."""
    def run(uri, **options):
        config = bigquery.LoadJobConfig(source_format="DATASTORE_BACKUP", **options)
        run.job = client.load_table_from_uri(uri, f"{client.project}.{dataset}.t", job_config=config)
        run.job.result()
        run.table = client.get_table(run.job.destination)
        return [dict(row) for row in client.list_rows(run.table)]
    return run


# What is loaded -----------------------------------------------------------------------------------

@pytest.mark.parametrize("given, columns, expected", [
    (text("x"), "p STRING", "x"), (text("x" * 2000, 15), "p STRING", "x" * 2000), (whole(-7), "p INTEGER", -7), (value(field(2, 1)), "p BOOLEAN", True),
    (value(field(4, 1.5)), "p FLOAT", 1.5), (whole(1577934245600000, 7), "p TIMESTAMP", MOMENT), (whole(5, 13), "p INTEGER", 5),
    (text(b"\xff\0", 14), "p BYTES", b"\xff\0"), (text(b"\xff", 16), "p BYTES", b"\xff"), (text("a@b.c", 8), "p STRING", "a@b.c"), (value(), "p STRING", None),
    (value(group(5, field(6, 47.5) + field(7, -122.25)), 9), "p RECORD", {"lat": 47.5, "long": -122.25}),
    (value(group(8, field(9, "a@b.c") + field(10, "gmail.com") + field(18, 1) + field(19, "77"))), "p RECORD", {"email": "a@b.c", "userid": "77"}),
    (value(group(12, field(13, "s~lab") + steps(("Shelf", "a\"b", "Book", 3), 14, 15, 16, 17))), "p RECORD",
     {"namespace": "", "app": "s~lab", "path": '"Shelf", "a\\"b", "Book", 3', "kind": "Book", "name": None, "id": 3}),
    (text(entity(a=whole(1), b=text("x")), 19), "p RECORD", {"a": 1, "b": "x", "__key__": None}),
    ([whole(1), whole(2)], "p INTEGER REPEATED", [1, 2]), ([value(b"", 24)], "p STRING REPEATED", []),
    ([text(entity("Part", 1, a=whole(1)), 19), text(entity(b=whole(2)), 19)], "p RECORD REPEATED",
     [{"a": 1, "b": None, "__key__": {"namespace": "", "app": "s~lab", "path": '"Part", 1', "kind": "Part", "name": None, "id": 1}},
      {"a": None, "b": 2, "__key__": None}])])
def test_types(read, export, given, columns, expected):
    (row,) = read(export([entity("Book", 1, p=given)]))
    assert row["p"] == expected and (row["__error__"], row["__has_error__"]) == ([], False)
    assert columns_of(read.table) == f"{columns}, {OWN}"


def test_keys(read, export):
    one, two = read(export([entity("Shelf", "Ä", "Book", 3, namespace="n"), entity("Book", "x")]))
    assert one["__key__"] == {"namespace": "n", "app": "s~lab", "path": '"Shelf", "Ä", "Book", 3', "kind": "Book", "name": None, "id": 3}
    assert two["__key__"] == {"namespace": "", "app": "s~lab", "path": '"Book", "x"', "kind": "Book", "name": "x", "id": None}


def test_a_property_of_several_types_has_a_field_for_each(read, export):
    rows = read(export([entity("Book", 1, p=whole(1)), entity("Book", 2, p=text("x")), entity("Book", 3, p=value()), entity("Book", 4)],
                       [entity("Book", 5, p=text("y", 15)), entity("Book", 6, p=text(entity(a=whole(1)), 19))]))
    nothing = {"integer": None, "string": None, "text": None, "entity": None}
    assert [row["p"] for row in rows] == [{**nothing, "integer": 1, "provided": "integer"}, {**nothing, "string": "x", "provided": "string"}, None, None,
                                          {**nothing, "text": "y", "provided": "text"},
                                          {**nothing, "entity": {"a": 1, "__key__": None}, "provided": "entity"}]
    assert [part.name for part in read.table.schema[0].fields] == ["integer", "string", "text", "entity", "provided"]


def test_a_property_that_is_an_array_in_one_entity_is_one_in_all(read, export):
    rows = read(export([entity("Book", 1, p=[whole(1), text("x")]), entity("Book", 2, p=whole(2)), entity("Book", 3)]))
    assert [[part["provided"] for part in row["p"]] for row in rows] == [["integer", "string"], ["integer"], []]


def test_entities_of_several_logs_and_blocks(read, export):
    long = "é" * 40_000
    rows = read(export([entity("Book", number, a=text("x" * 9_000, 15)) for number in range(1, 9)], [entity("Book", 9, a=text(long, 15), b=text(long.encode(), 14))], []))
    assert [row["__key__"]["id"] for row in rows] == list(range(1, 10)) and all(row["a"] == "x" * 9_000 for row in rows[:8])
    assert rows[8]["a"] == "é" * 32_768 and rows[8]["b"] == long.encode()[:65_536]
    assert read.job.output_rows == 9 and read.job.input_files == 3


def test_names_that_columns_can_not_have(read, export):
    read(export([entity("Book", 1, **{"first name": whole(1), "1st": whole(2), "größe": whole(3)})]))
    assert columns_of(read.table) == f"first_name INTEGER, größe INTEGER, _1st INTEGER, {OWN}"  # the indexed ones first


def test_projection(read, export):
    uri = export([entity("Book", 1, a=whole(1), b=whole(2), B2=whole(3))])
    (row,) = read(uri, projection_fields=["B2", "a", "__key__"])
    assert columns_of(read.table) == f"a INTEGER, B2 INTEGER, {OWN}" and (row["a"], row["B2"]) == (1, 3)
    with pytest.raises(BadRequest, match="property b2, which projectionFields names, was not found"):
        read(uri, projection_fields=["a", "b2"], write_disposition="WRITE_TRUNCATE")


@pytest.mark.parametrize("given, made, words", [
    ([whole(1), value(), whole(2)], [1, 2], "Array p: elements that are null"), (text(b"\xff"), None, "Property p: 'utf-8' codec can't decode"),
    (whole(2**62, 7), None, "Property p: 4611686018427387904 microseconds from 1970 on are no TIMESTAMP"),
    (text(entity(q=text(b"\xff")), 19), {"q": None, "__key__": None}, "Property p.q: 'utf-8' codec")])
def test_values_without_a_place_are_told(read, export, given, made, words):
    (row,) = read(export([entity("Book", 1, p=given)]))
    assert row["p"] == made and row["__has_error__"] is True
    assert len(row["__error__"]) == 1 and row["__error__"][0].startswith(words)


# What is refused ----------------------------------------------------------------------------------

def test_no_append(read, export):
    uri = export([entity("Book", 1, a=whole(1))])
    read(uri)
    for disposition in (None, "WRITE_APPEND"):
        with pytest.raises(BadRequest, match="Cannot append a datastore backup to a table that already has a schema. Try using the WRITE_TRUNCATE"):
            read(uri, **{"write_disposition": disposition} if disposition else {})
    assert len(read(export([entity("Book", 1, b=whole(1)), entity("Book", 2)]), write_disposition="WRITE_TRUNCATE")) == 2
    assert columns_of(read.table) == f"b INTEGER, {OWN}"


def test_bad_uris(read, bucket, export):
    uri = export([entity("Book", 1)])
    for uris in ([uri, uri], [uri.replace("kind_Book.", "*.")]):
        with pytest.raises(BadRequest, match="named by exactly one URI, without a wildcard"):
            read(uris)
    bucket.blob("text.export_metadata").upload_from_string("a,b\n1,2\n")
    bucket.blob("empty.export_metadata").upload_from_string(b"")
    bucket.blob("lost.export_metadata").upload_from_string(field(2, field(1, "Book") + field(2, "lost-0")))
    for name in ("text.export_metadata", "empty.export_metadata"):
        with pytest.raises(BadRequest, match=f"gs://{bucket.name}/{name} does not contain valid backup metadata"):
            read(f"gs://{bucket.name}/{name}")
    with pytest.raises(BadRequest, match="output-0 does not contain valid backup metadata"):
        read(uri.rpartition("/")[0] + "/output-0")
    with pytest.raises(NotFound, match=f"gs://{bucket.name}/lost-0"):
        read(f"gs://{bucket.name}/lost.export_metadata")


def test_bad_options(read, export, load):
    uri = export([entity("Book", 1, a=whole(1))])
    with pytest.raises(BadRequest, match="A schema can't be given for a Datastore export"):
        read(uri, schema=[bigquery.SchemaField("a", "INTEGER")])
    with pytest.raises(BadRequest, match="referenceFileSchemaUri is for"):
        read(uri, reference_file_schema_uri=uri)
    with pytest.raises(BadRequest, match="can't be uploaded: load it from Cloud Storage"):
        load(log(entity("Book", 1)), source_format="DATASTORE_BACKUP")
    with pytest.raises(BadRequest, match="projectionFields is for the format DATASTORE_BACKUP"):
        load("1\n", "a INTEGER", projection_fields=["a"])


def deep(levels: int) -> bytes:
    return whole(1) if not levels else text(entity(p=deep(levels - 1)), 19)


def changed(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]


TWO = log(entity("Book", 1, a=whole(1)), entity("Book", 2, a=text("x" * 40_000, 15)))
SECOND = len(log(entity("Book", 1, a=whole(1))))


@pytest.mark.parametrize("damaged, words", [
    (changed(TWO, 20), "the record starting at position 0 is damaged"), (changed(TWO, SECOND + 100), f"the record starting at position {SECOND} is damaged"),
    (TWO[:-1], "the record starting at position 32768 is damaged"), (TWO[:32768], f"the record starting at position {SECOND} is not complete"),
    (TWO[32768:], "the record starting at position 0 is not complete"), (TWO[:SECOND + 3], f"the record starting at position {SECOND} is damaged"),
    (b"a,b\n1,2\n", "the record starting at position 0 is damaged"), (log(b"\xff\xff"), "the record starting at position 0 is no entity"),
    (log(entity("Book", 1, a=text(b"\xff\xff", 19))), "an embedded entity is none"), (log(entity("Book", 1, p=deep(400))), "entities are embedded deeper than 15 levels")])
def test_damaged_logs(read, export, damaged, words):
    uri = export([entity("Book", 1)], damaged)
    with pytest.raises(BadRequest, match=f"The Datastore export is damaged: {words}. File: {uri.rpartition('/')[0]}/output-1"):
        read(uri)


# External tables, SQL -----------------------------------------------------------------------------

def test_external_tables(client, dataset, export, bucket, rows):
    uri = export([entity("Book", 1, a=whole(1)), entity("Book", 2, a=text("x"))])
    table, config = bigquery.Table(f"{client.project}.{dataset}.t"), bigquery.ExternalConfig("DATASTORE_BACKUP")
    config.source_uris = [uri]
    table.external_data_configuration = config
    assert columns_of(client.create_table(table)) == f"a RECORD, {OWN}"
    assert rows("SELECT __key__.id, a.provided, a.integer FROM t ORDER BY 1") == [(1, "integer", 1), (2, "string", None)]
    folder = uri.rpartition("/")[0].removeprefix(f"gs://{bucket.name}/")
    bucket.blob(f"{folder}/output-0").upload_from_string(log(entity("Book", 3, a=value(field(4, 1.5)))))
    assert rows("SELECT __key__.id, a, __error__ FROM t") == [(3, None, ["Property a: the column is of no type that float goes into"])]
    config.schema = [bigquery.SchemaField("a", "INTEGER")]
    other = bigquery.Table(f"{client.project}.{dataset}.u")
    other.external_data_configuration = config
    with pytest.raises(BadRequest, match="A schema can't be given"):
        client.create_table(other)


def test_statements(sql, rows, export):
    options = f"OPTIONS (format = 'DATASTORE_BACKUP', uris = ['{export([entity('Book', 1, a=whole(1), b=whole(2), c=whole(3))])}']"
    sql(f"CREATE EXTERNAL TABLE t {options}, projection_fields = 'a, c')")
    assert rows("SELECT * EXCEPT (__key__, __error__) FROM t") == [(1, 3, False)]
    sql(f"LOAD DATA INTO u FROM FILES {options[7:]}, projection_fields = 'b')")
    assert rows("SELECT b, __key__.kind FROM u") == [(2, "Book")]
