"""Whole walks through Google's Python client: what its documentation shows, and every value that comes back."""
import datetime as dt
import io
from contextlib import closing
from decimal import Decimal

import pandas
import pytest
from google.api_core.exceptions import BadRequest, Forbidden
from google.cloud import bigquery
from google.cloud.bigquery import ArrayQueryParameter, RangeQueryParameter, ScalarQueryParameter, SchemaField, StructQueryParameter, dbapi
from google.cloud.bigquery.table import ColumnReference, ForeignKey, PrimaryKey, TableConstraints

UTC = dt.timezone.utc
STATES = "gs://cloud-samples-data/bigquery/us-states/us-states"
HIVE = "gs://cloud-samples-data/bigquery/hive-partitioning-samples"
KEY = "projects/p/locations/us/keyRings/r/cryptoKeys/k"


@pytest.fixture
def name(client, dataset):
    return lambda table: f"{client.project}.{dataset}.{table}"


# Parameters ---------------------------------------------------------------------------------------

SCALARS = [
    ("STRING", "é"), ("INT64", -5), ("FLOAT64", 1.5), ("FLOAT64", float("inf")), ("BOOL", True), ("BYTES", b"\0\xff"), ("NUMERIC", Decimal("1.25")),
    ("BIGNUMERIC", Decimal("12345678901234567890123456789012345678.5")), ("DATE", dt.date(2020, 2, 29)), ("TIME", dt.time(1, 2, 3, 4)),
    ("DATETIME", dt.datetime(2020, 1, 2, 3, 4, 5, 6)), ("TIMESTAMP", dt.datetime(2020, 1, 2, 3, 4, 5, 6, UTC)), ("GEOGRAPHY", "POINT(1 2)")]


@pytest.mark.parametrize("kind, value", SCALARS)
@pytest.mark.parametrize("text", ["@p", "?"])
def test_parameters(sql, kind, value, text):
    job = sql(f"SELECT {text}, {text} IS NULL", query_parameters=[ScalarQueryParameter("p" if text == "@p" else None, kind, value)] * (1 if text == "@p" else 2))
    assert [tuple(row) for row in job] == [(value, False)]
    assert job.query_parameters[0].value == value and job.undeclared_query_parameters == []
    assert [tuple(row) for row in sql("SELECT @p", query_parameters=[ScalarQueryParameter("p", kind, None)])] == [(None,)]


@pytest.mark.parametrize("text, shown", [("1-2 3 4:5:6", "1-2 3 4:5:6"), ("0-0 0 -0:0:5", "0-0 0 -0:0:5"), (None, None)])
def test_interval_parameters(sql, text, shown):
    assert [tuple(row) for row in sql("SELECT CAST(@p AS STRING)", query_parameters=[ScalarQueryParameter("p", "INTERVAL", text)])] == [(shown,)]


def test_what_is_no_interval(sql):
    with pytest.raises(BadRequest, match="Invalid INTERVAL value 'soon'"):
        sql("SELECT @p", query_parameters=[ScalarQueryParameter("p", "INTERVAL", "soon")])


@pytest.mark.parametrize("parameter, value", [
    (ArrayQueryParameter("p", "STRING", ["a", "b"]), ["a", "b"]), (ArrayQueryParameter("p", "INT64", []), []),
    (RangeQueryParameter("DATE", start=dt.date(2020, 1, 1), end=None, name="p"), {"start": dt.date(2020, 1, 1), "end": None}),
    (StructQueryParameter("p", ScalarQueryParameter("x", "INT64", 1), ArrayQueryParameter("y", "DATE", [dt.date(2020, 1, 1)])), {"x": 1, "y": [dt.date(2020, 1, 1)]}),
    (ArrayQueryParameter("p", "STRUCT", [StructQueryParameter(None, ScalarQueryParameter("x", "STRING", text)) for text in "ab"]), [{"x": "a"}, {"x": "b"}])])
def test_parameters_of_parts(sql, parameter, value):
    assert [tuple(row) for row in sql("SELECT @p", query_parameters=[parameter])] == [(value,)]


# Tables -------------------------------------------------------------------------------------------

def test_a_table_through_its_life(client, name):
    schema = [SchemaField("name", "STRING", "REQUIRED"), SchemaField("age", "INTEGER", "REQUIRED")]
    table = client.create_table(bigquery.Table(name("t"), schema))
    assert (table.num_rows, table.num_bytes, table.table_type, table.reference.path) == (0, 0, "TABLE", table.path)
    assert client.insert_rows(table, [("Ada", 36), ("Bob", 41)]) == [] and client.get_table(table).num_bytes == 2 * (8 + 5)
    table.schema = [SchemaField("name", "STRING", description="who"), schema[1], SchemaField("phone", "STRING")]
    table.labels, table.expires = {"color": "green"}, dt.datetime(2100, 1, 1, tzinfo=UTC)
    table.table_constraints = TableConstraints(PrimaryKey(["name"]), None)
    table = client.update_table(table, ["schema", "labels", "expires", "table_constraints"])
    assert [(field.mode, field.description) for field in table.schema] == [("NULLABLE", "who"), ("REQUIRED", None), ("NULLABLE", None)]
    assert (table.labels, table.expires, table.table_constraints.primary_key.columns) == ({"color": "green"}, dt.datetime(2100, 1, 1, tzinfo=UTC), ["name"])
    table.labels, table.expires = {"color": None}, None
    table = client.update_table(table, ["labels", "expires"])
    assert (table.labels, table.expires) == ({}, None)
    assert list(client.list_rows(table, selected_fields=table.schema[1:2], max_results=1)) == [bigquery.Row((36,), {"age": 0})]


def test_views_have_no_rows_of_their_own(client, name):
    client.query(f"CREATE TABLE `{name('t')}` AS SELECT 1 AS x").result()
    view, kept = bigquery.Table(name("v")), bigquery.Table(name("m"))
    view.view_query, kept.mview_query = f"SELECT x FROM `{name('t')}`", f"SELECT SUM(x) AS s FROM `{name('t')}`"
    for made in (client.create_table(view), client.create_table(kept)):
        assert (made.num_rows, made.num_bytes) == (0, 0)
        with pytest.raises(BadRequest, match=f"Cannot list a table of type {made.table_type}"):
            list(client.list_rows(made))
    assert {item.table_id: item.table_type for item in client.list_tables(view.dataset_id)} == {"m": "MATERIALIZED_VIEW", "t": "TABLE", "v": "VIEW"}


def test_foreign_keys_and_options_of_columns(client, name):
    target = client.create_table(bigquery.Table(name("target"), [SchemaField("id", "STRING")]))
    schema = [SchemaField("id", "STRING", max_length=5, policy_tags=bigquery.PolicyTagList([f"projects/p/locations/us/taxonomies/1/policyTags/{n}" for n in (1, 2)][:1])),
              SchemaField("v", "INTEGER", default_value_expression="3", description="d"), SchemaField("n", "NUMERIC", precision=10, scale=2, rounding_mode="ROUND_HALF_EVEN"),
              SchemaField("r", "RANGE", range_element_type="DATE")]
    table = bigquery.Table(name("t"), schema)
    table.table_constraints = TableConstraints(None, [ForeignKey("fk", target.reference, [ColumnReference("id", "id")])])
    table = client.create_table(table)
    assert list(table.schema) == schema
    (key,) = table.table_constraints.foreign_keys
    assert (key.name, key.referenced_table, key.column_references[0].referencing_column) == ("fk", target.reference, "id")
    assert client.insert_rows_json(table, [{"id": "a", "n": "0.125"}]) == []
    assert [tuple(row) for row in client.list_rows(table)] == [("a", 3, Decimal("0.12"), None)]


def test_tables_may_be_deleted_while_they_are_listed(client, dataset, name):
    for place in range(5):
        client.create_table(name(f"t{place}"))
    for item in client.list_tables(dataset, page_size=2):
        client.delete_table(item)
    assert list(client.list_tables(dataset)) == []


def test_objects_may_be_deleted_while_they_are_listed(storage_client, dataset):
    bucket = storage_client.create_bucket(dataset.replace("_", "-"))
    for place in range(5):
        bucket.blob(f"o{place}").upload_from_string("x")
    for blob in bucket.list_blobs(page_size=2):
        blob.delete()
    bucket.delete()


def test_jobs_may_be_started_while_they_are_listed(client):
    for place in range(4):
        client.query(f"SELECT {place}").result()
    seen = []
    for page in client.list_jobs(page_size=1, max_results=4).pages:
        seen += [job.job_id for job in page]
        client.query("SELECT 'between'").result()
    assert len(set(seen)) == 4


def test_every_bad_row_is_told(client, people):
    rows = [{"name": "x", "age": "much"}, {"name": "x"}, {"name": "x", "age": 1}]
    assert [[error["reason"] for error in row["errors"]] for row in client.insert_rows_json(people, rows)] == [["invalid"], ["invalid"], ["stopped"]]
    many = [{"name": "x", "age": place if place % 5000 else "much"} for place in range(20_000)]
    assert [row["index"] for row in client.insert_rows_json(people, many, skip_invalid_rows=True)] == [0, 5_000, 10_000, 15_000]
    assert client.get_table(people).num_rows == 3 + 20_000 - 4


# Rows ---------------------------------------------------------------------------------------------

COLUMNS = {
    "b": ("BOOLEAN", True), "by": ("BYTES", b"x"), "d": ("DATE", dt.date(1, 1, 1)), "dt": ("DATETIME", dt.datetime(9999, 12, 31, 23, 59, 59, 999999)), "f": ("FLOAT", 1.5),
    "g": ("GEOGRAPHY", "POINT(1 2)"), "i": ("INTEGER", -(1 << 63)), "n": ("NUMERIC", Decimal("-1.000000001")), "bn": ("BIGNUMERIC", Decimal("12345678901234567890123456789012345678.123")),
    "s": ("STRING", "é\n\"'"), "t": ("TIME", dt.time(1, 2, 3, 4)), "ts": ("TIMESTAMP", dt.datetime(1, 1, 1, tzinfo=UTC))}


@pytest.mark.parametrize("compression", ["snappy", "gzip", None])
def test_a_dataframe_of_every_type(client, name, compression):
    schema = [SchemaField(column, kind) for column, (kind, _) in COLUMNS.items()]
    rows = [tuple(value for _, value in COLUMNS.values()), (None,) * len(COLUMNS)]
    frame = pandas.DataFrame(rows, columns=COLUMNS, dtype="object")
    client.load_table_from_dataframe(frame, name("t"), job_config=bigquery.LoadJobConfig(schema=schema), parquet_compression=compression).result()
    assert list(client.get_table(name("t")).schema) == schema
    assert [tuple(row) for row in client.list_rows(name("t"))] == rows
    for api in (client.list_rows(name("t")).to_arrow(create_bqstorage_client=False), client.query(f"SELECT * FROM `{name('t')}`").to_arrow(create_bqstorage_client=False)):
        assert api.to_pylist() == [dict(zip(COLUMNS, row)) for row in rows]


def test_names_of_a_dataframes_columns(client, name):
    frame = pandas.DataFrame({"a b": [1], "c-d": [2], "日本": [3]})
    client.load_table_from_dataframe(frame, name("t")).result()
    assert [dict(row) for row in client.list_rows(name("t"))] == [{"a b": 1, "c-d": 2, "日本": 3}]


def test_shapes_and_ranges_of_a_dataframe(client, name):
    """As GeoPandas writes shapes: WKB."""
    schema = [SchemaField("g", "GEOGRAPHY"), SchemaField("r", "RANGE", range_element_type="DATE")]
    point = bytes.fromhex("0101000000000000000000F03F0000000000000040")
    span = {"start": dt.date(2020, 1, 1), "end": None}
    frame = pandas.DataFrame({"g": [point, None], "r": [span, None]})
    client.load_table_from_dataframe(frame, name("t"), job_config=bigquery.LoadJobConfig(schema=schema)).result()
    assert [tuple(row) for row in client.query_and_wait(f"SELECT * FROM `{name('t')}` ORDER BY g IS NULL")] == [("POINT(1 2)", span), (None, None)]


@pytest.mark.parametrize("text", ["POINT(1 2)", '{"type": "Point", "coordinates": [1, 2]}', "0101000000000000000000F03F0000000000000040"])
def test_shapes_stream_in_as_any_text(client, name, text):
    table = client.create_table(bigquery.Table(name("t"), schema=[SchemaField("g", "GEOGRAPHY")]))
    assert client.insert_rows_json(table, [{"g": text}]) == []
    assert [tuple(row) for row in client.list_rows(table)] == [("POINT(1 2)",)]


def test_decimals_of_many_digits_anywhere(client, name, storage_client, dataset):
    bucket = storage_client.create_bucket(dataset.replace("_", "-"))
    big = Decimal("-12345678901234567890123456789012345678.98765432109876543210987654321098765432")
    client.query(f"CREATE TABLE `{name('t')}` AS SELECT BIGNUMERIC '{big}' AS x, [BIGNUMERIC '{big}', 1] AS l, STRUCT(1 AS a, BIGNUMERIC '{big}' AS b) AS s, [STRUCT(BIGNUMERIC '{big}' AS b)] AS ls "
                 "UNION ALL SELECT NULL, [], NULL, []").result()
    client.extract_table(name("t"), f"gs://{bucket.name}/f", job_config=bigquery.ExtractJobConfig(destination_format="PARQUET", compression="ZSTD")).result()
    config = bigquery.LoadJobConfig(source_format="PARQUET", decimal_target_types=["NUMERIC", "BIGNUMERIC"], parquet_options=bigquery.ParquetOptions.from_api_repr({"enableListInference": True}))
    client.load_table_from_uri(f"gs://{bucket.name}/f", name("back"), job_config=config).result()
    assert list(client.get_table(name("back")).schema) == list(client.get_table(name("t")).schema)
    rows = [tuple(row) for row in client.list_rows(name("back"))]
    assert rows == [(big, [big, 1], {"a": 1, "b": big}, [{"b": big}]), (None, [], None, [])]
    bucket.delete(force=True)


def test_a_dataframe_grows_a_table_that_has_an_index(client, name):
    frame = pandas.DataFrame({"title": ["a", "b"], "year": [1, 2]}, index=pandas.Index(["x", "y"], name="key"))
    client.load_table_from_dataframe(frame, name("t"), job_config=bigquery.LoadJobConfig(schema=[SchemaField("key", "STRING")])).result()
    assert [tuple(row) for row in client.list_rows(name("t"))] == [("x", "a", 1), ("y", "b", 2)]
    assert client.insert_rows_from_dataframe(client.get_table(name("t")), frame.reset_index()) == [[]]
    with pytest.raises(BadRequest, match=r"Cannot add fields \(field: more\)"):
        client.load_table_from_dataframe(frame.assign(more=1), name("t")).result()
    config = bigquery.LoadJobConfig(schema_update_options=["ALLOW_FIELD_ADDITION"], write_disposition="WRITE_APPEND")
    job = client.load_table_from_dataframe(frame.assign(more=1), name("t"), job_config=config)
    job.result()
    assert (job.output_rows, len(client.get_table(name("t")).schema), client.get_table(name("t")).num_rows) == (2, 4, 6)


def test_the_database_api(client, dataset):
    with closing(dbapi.connect(client)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"CREATE TABLE `{dataset}.t` (a INT64, s STRING)")
        cursor.executemany(f"INSERT `{dataset}.t` VALUES (%s, %s)", [(1, "x"), (2, "%"), (3, "'")])
        cursor.execute(f"SELECT a, s FROM `{dataset}.t` WHERE a > %(least)s ORDER BY a", {"least": 1})
        assert [column[:2] for column in cursor.description] == [("a", "INTEGER"), ("s", "STRING")] and cursor.rowcount == 2
        assert [tuple(row) for row in [cursor.fetchone(), *cursor.fetchmany(5)]] == [(2, "%"), (3, "'")] and cursor.fetchone() is None
        cursor.execute("SELECT %(l:ARRAY<INT64>)s, %(s:STRUCT<a NUMERIC>)s", {"l": [], "s": {"a": Decimal("1.5")}})
        assert [tuple(row) for row in cursor] == [([], {"a": Decimal("1.5")})]
        cursor.execute(f"DELETE FROM `{dataset}.t` WHERE a > 1")
        assert cursor.rowcount == 2
        with pytest.raises(dbapi.DatabaseError, match="Unrecognized name: nothing"):
            cursor.execute("SELECT nothing")


# Jobs ---------------------------------------------------------------------------------------------

def test_what_a_query_tells(client, name):
    client.query(f"CREATE TABLE `{name('t')}` AS SELECT x, 'ab' AS s FROM UNNEST([1, 2, 3]) AS x").result()
    config = bigquery.QueryJobConfig(labels={"a": "b"}, priority="BATCH", use_query_cache=False, maximum_bytes_billed=10**9)
    job = client.query(f"SELECT a.x FROM `{name('t')}` AS a JOIN `bigquery-public-data.usa_names.usa_1910_2013` AS b ON a.s = b.state", job_config=config, job_id_prefix="walk_")
    rows = job.result()
    assert (rows.total_rows, rows.job_id, rows.total_bytes_processed) == (0, job.job_id, job.total_bytes_processed)
    again = client.get_job(job.job_id, location=job.location)
    assert (again.labels, again.priority, again.state, again.job_id[:5], again.statement_type) == ({"a": "b"}, "BATCH", "DONE", "walk_", "SELECT")
    assert again.created <= again.started <= again.ended and again.slot_millis == sum(stage.slot_ms for stage in again.query_plan)
    assert [table.table_id for table in again.referenced_tables] == [stage.steps[0].substeps[-1].rpartition(".")[2] for stage in again.query_plan[:-1]]
    assert [stage.input_stages for stage in again.query_plan] == [[], [], [0, 1]]
    assert sum(stage.shuffle_output_bytes for stage in again.query_plan[:-1]) == again.total_bytes_processed
    assert again.total_bytes_billed == 2 * 10_485_760 and again.cache_hit is False and again.destination.dataset_id.startswith("_")


# What is public -----------------------------------------------------------------------------------

@pytest.mark.parametrize("ending, options", [
    ("csv", {"skip_leading_rows": 1, "schema": [SchemaField("name", "STRING"), SchemaField("post_abbr", "STRING")]}), ("json", {"autodetect": True}), ("avro", {}), ("orc", {}), ("parquet", {})])
def test_the_states_in_every_format(client, name, ending, options):
    config = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON" if ending == "json" else ending.upper(), **options)
    config.destination_encryption_configuration, config.clustering_fields = bigquery.EncryptionConfiguration(KEY), ["name"]
    client.load_table_from_uri(f"{STATES}.{ending}", name("states"), job_config=config).result()
    table = client.get_table(name("states"))
    assert [(field.name, field.field_type) for field in table.schema] == [("name", "STRING"), ("post_abbr", "STRING")]
    assert (table.num_rows, table.clustering_fields, table.encryption_configuration.kms_key_name) == (50, ["name"], KEY)
    assert ("West Virginia", "WV") in {tuple(row) for row in client.list_rows(table)}


def test_states_of_a_firestore_export(client, name):
    config = bigquery.LoadJobConfig(source_format=bigquery.SourceFormat.DATASTORE_BACKUP, projection_fields=["name", "post_abbr"])
    folder = "2021-07-02T16:04:48_70344/all_namespaces/kind_us-states/all_namespaces_kind_us-states.export_metadata"
    client.load_table_from_uri(f"{STATES.rpartition('/')[0]}/{folder}", name("states"), job_config=config).result()
    assert client.get_table(name("states")).num_rows == 50
    rows = {(row["name"], row.post_abbr, row["__key__"]["kind"]) for row in client.list_rows(name("states"))}
    assert ("West Virginia", "WV", "us-states") in rows


def test_states_by_date(client, name):
    config = bigquery.LoadJobConfig(autodetect=True, time_partitioning=bigquery.TimePartitioning(type_="YEAR", field="date"))
    client.load_table_from_uri(f"{STATES}-by-date.csv", name("states"), job_config=config).result()
    assert [row.name for row in client.list_rows(name("states$1959"))] == ["Alaska", "Hawaii"]
    assert len(client.list_partitions(name("states"))) == len({row.date.year for row in client.list_rows(name("states"))})


@pytest.mark.parametrize("mode, prefix, key, kind", [("AUTO", "autolayout", "dt", "DATE"), ("STRINGS", "autolayout", "dt", "STRING"), ("CUSTOM", "customlayout", "pkey", "STRING")])
def test_hive_layouts(client, name, mode, prefix, key, kind):
    options = bigquery.external_config.HivePartitioningOptions()
    options.mode, options.require_partition_filter = mode, True
    options.source_uri_prefix = f"{HIVE}/{prefix}/" + ("{pkey:STRING}/" if mode == "CUSTOM" else "")
    config = bigquery.ExternalConfig("PARQUET")
    config.source_uris, config.autodetect, config.hive_partitioning = [f"{HIVE}/{prefix}/*"], True, options
    table = bigquery.Table(name("t"))
    table.external_data_configuration = config
    table = client.create_table(table)
    assert (table.table_type, [(field.name, field.field_type) for field in table.schema][-1], table.num_rows) == ("EXTERNAL", (key, kind), 0)
    assert table.external_data_configuration.hive_partitioning.mode == mode
    assert client.query(f"SELECT * FROM `{name('t')}` WHERE {key} = '2020-11-16'").result().total_rows == 20
    with pytest.raises(BadRequest, match="without a filter over column"):
        client.query(f"SELECT * FROM `{name('t')}`").result()


def test_the_public_bucket_is_for_reading(client, storage_client):
    bucket = storage_client.get_bucket("cloud-samples-data")
    blob = bucket.get_blob("bigquery/us-states/us-states.csv")
    assert blob.download_as_text().startswith("name,post_abbr\nAlabama,AL\n") and blob.content_type == "text/csv"
    for change in (blob.delete, bucket.patch, bucket.delete, blob.patch, lambda: bucket.blob("new").upload_from_file(io.BytesIO(b"x"))):
        with pytest.raises(Forbidden, match="public and read-only"):
            change()
    with pytest.raises(Forbidden, match="Permission denied while writing data"):
        client.extract_table("bigquery-public-data.census_utility.fips_codes_states", "gs://cloud-samples-data/x").result()
    assert "cloud-samples-data" not in [each.name for each in storage_client.list_buckets()]


def test_made_up_names(client):
    rows = client.query_and_wait("SELECT name, SUM(number) AS n FROM `bigquery-public-data.usa_names.usa_1910_current` WHERE state = 'TX' GROUP BY name ORDER BY n DESC LIMIT 10")
    numbers = [row.n for row in rows]
    assert len(numbers) == 10 and numbers == sorted(numbers, reverse=True)
    assert client.query_and_wait("SELECT name FROM `bigquery-public-data.usa_names.usa_1910_2013` WHERE state = 'TX' LIMIT 100").total_rows == 100
