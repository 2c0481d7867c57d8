"""ALTER, snapshots, clones, materialized views, files, undelete: through the client, and that REST sees the same."""
import datetime as dt
import re
from decimal import Decimal

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud import bigquery


@pytest.fixture
def table(client, dataset):
    """A table of the test's dataset as REST has it."""
    return lambda name: client.get_table(f"{client.project}.{dataset}.{name}")


@pytest.fixture
def stock(sql):
    sql("CREATE TABLE stock (id INT64 NOT NULL, name STRING(10), price NUMERIC(6, 2)) CLUSTER BY name OPTIONS (description='what there is')")
    sql("INSERT INTO stock VALUES (1, 'one', 1.5), (2, 'two', 2.5)")


def names(table) -> list[str]:
    return [field.name for field in table.schema]


# ALTER TABLE --------------------------------------------------------------------------------------

def test_columns_are_added_renamed_and_dropped(sql, rows, table, stock):
    job = sql("ALTER TABLE stock ADD COLUMN made DATE OPTIONS (description='when'), ADD COLUMN IF NOT EXISTS id INT64")
    assert (job.statement_type, job.ddl_operation_performed, job.ddl_target_table.table_id) == ("ALTER_TABLE", "ALTER", "stock")
    assert names(table("stock")) == ["id", "name", "price", "made"] and table("stock").schema[3].description == "when"
    sql("ALTER TABLE stock RENAME COLUMN made TO since")
    sql("ALTER TABLE stock DROP COLUMN price, DROP COLUMN IF EXISTS nothing")
    assert rows("SELECT id, name, since FROM stock ORDER BY id") == [(1, "one", None), (2, "two", None)]
    sql("ALTER TABLE stock ADD COLUMN tags ARRAY<STRING>")
    assert rows("SELECT ARRAY_LENGTH(tags) FROM stock") == [(0,), (0,)]


def test_the_past_has_the_columns_of_then(sql, rows, stock):
    (before,), = rows("SELECT CAST(CURRENT_TIMESTAMP() AS STRING)")
    sql("ALTER TABLE stock ADD COLUMN made DATE")
    sql("ALTER TABLE stock DROP COLUMN price")
    sql("ALTER TABLE stock ALTER COLUMN name SET DATA TYPE STRING")
    sql("UPDATE stock SET made = DATE '2020-01-01', name = 'new' WHERE true")
    then = f"stock FOR SYSTEM_TIME AS OF TIMESTAMP '{before}'"
    assert rows(f"SELECT * FROM {then} ORDER BY id") == [(1, "one", Decimal("1.5")), (2, "two", Decimal("2.5"))]
    with pytest.raises(BadRequest, match="Unrecognized name: made"):
        sql(f"SELECT made FROM {then}")


@pytest.mark.parametrize("action, message", [
    ("ADD COLUMN id INT64", "Column already exists: id"),
    ("ADD COLUMN more INT64 NOT NULL", "Cannot add required fields to an existing schema"),
    ("DROP COLUMN nothing", "Column not found: nothing"),
    ("DROP COLUMN name", "Clustering column name cannot be dropped"),
    ("RENAME COLUMN id TO price", "price"),
    ("ALTER COLUMN name SET DATA TYPE INT64", "assignable to the new type"),
    ("ALTER COLUMN name SET DATA TYPE STRING(5)", r"column type \(STRING\(10\)\) is assignable to the new type \(STRING\(5\)\)"),
    ("ALTER COLUMN name DROP NOT NULL", "NOT NULL"),
    ("SET OPTIONS (partition_expiration_days=3)", "partitioned by time"),
    ("RENAME COLUMN name TO title", "Clustering column name cannot be renamed"),
    ("ALTER COLUMN id SET DATA TYPE NUMERIC", "Column `id` cannot change mode via SET DATA TYPE"),
    ("SET OPTIONS (nothing=3)", r"Unknown option: nothing at \[1:32\]"), ("SET OPTIONS (description=3)", "'3' is not a valid value; failed to set 'description'"),
    ("DROP PRIMARY KEY", "Not found: Primary key"),
])
def test_what_can_not_be_altered(sql, rows, stock, action, message):
    with pytest.raises(BadRequest, match=message):
        sql(f"ALTER TABLE stock {action}")
    assert rows("SELECT id, name, price FROM stock WHERE id = 1") == [(1, "one", 1.5)]


def test_types_become_wider(sql, rows, table, stock):
    sql("ALTER TABLE stock ALTER COLUMN id DROP NOT NULL")
    sql("ALTER TABLE stock ALTER COLUMN id SET DATA TYPE NUMERIC")
    sql("ALTER TABLE stock ALTER COLUMN name SET DATA TYPE STRING, ALTER COLUMN price SET DATA TYPE NUMERIC(10, 4)")
    id_, name, price = table("stock").schema
    assert (id_.field_type, id_.mode, name.max_length, price.precision, price.scale) == ("NUMERIC", "NULLABLE", None, 10, 4)
    sql("INSERT INTO stock VALUES (2.5, 'a name that is longer than ten', 3.1415), (NULL, '', 0)")
    assert rows("SELECT CAST(id AS STRING), price FROM stock WHERE id > 2") == [("2.5", Decimal('3.1415'))]


def test_defaults_come_and_go(sql, rows, stock):
    sql("ALTER TABLE stock ALTER COLUMN price SET DEFAULT 9.5")
    sql("INSERT INTO stock (id) VALUES (3)")
    sql("ALTER TABLE stock ALTER COLUMN price DROP DEFAULT")
    sql("INSERT INTO stock (id) VALUES (4)")
    assert rows("SELECT price FROM stock WHERE id > 2 ORDER BY id") == [(9.5,), (None,)]


def test_options_are_set_and_removed(sql, table, stock):
    sql("ALTER TABLE stock SET OPTIONS (description=NULL, friendly_name='Stock', labels=[('team', 'a')], expiration_timestamp=TIMESTAMP '2100-01-01')")
    found = table("stock")
    assert (found.description, found.friendly_name, found.labels, found.expires.year) == (None, "Stock", {"team": "a"}, 2100)
    sql("ALTER TABLE stock ALTER COLUMN id SET OPTIONS (description='a number')")
    assert table("stock").schema[0].description == "a number"


def test_a_table_is_renamed_with_its_rows(sql, rows, table, stock):
    sql("ALTER TABLE stock RENAME TO goods")
    assert rows("SELECT COUNT(*) FROM goods") == [(2,)] and table("goods").description == "what there is"
    with pytest.raises(NotFound):
        table("stock")
    sql("CREATE TABLE stock (a INT64)")
    with pytest.raises(Conflict):
        sql("ALTER TABLE stock RENAME TO goods")


def test_a_renamed_table_keeps_its_row_access_policies(sql, rows, stock):
    sql("CREATE ROW ACCESS POLICY one ON stock GRANT TO ('allAuthenticatedUsers') FILTER USING (id = 1)")
    sql("ALTER TABLE stock RENAME TO goods")
    assert rows("SELECT id FROM goods") == [(1,)]
    sql("DROP ROW ACCESS POLICY one ON goods")
    assert rows("SELECT COUNT(*) FROM goods") == [(2,)]


def test_a_table_by_ingestion_time_stays_one(dataset, sql, rows):
    sql("CREATE TABLE t (id INT64) PARTITION BY _PARTITIONDATE")
    sql("INSERT INTO t VALUES (1)")
    sql("ALTER TABLE t ALTER COLUMN id SET DATA TYPE NUMERIC")
    sql("CREATE TABLE twin CLONE t")
    sql(f"DROP SCHEMA {dataset} CASCADE")
    sql(f"UNDROP SCHEMA {dataset}")
    for name in ("t", "twin"):
        sql(f"INSERT INTO {name} VALUES (2)")
        assert rows(f"SELECT COUNT(_PARTITIONTIME) FROM {name}") == [(2,)]


def test_alter_of_what_is_not_there(sql, stock):
    with pytest.raises(NotFound, match=r"Not found: Table .*nothing was not found in location US"):
        sql("ALTER TABLE nothing ADD COLUMN x INT64")
    assert sql("ALTER TABLE IF EXISTS nothing ADD COLUMN x INT64").ddl_operation_performed == "SKIP"
    with pytest.raises(BadRequest, match="currently a TABLE"):
        sql("ALTER VIEW stock SET OPTIONS (description='x')")


def test_keys_are_kept(sql, table, stock):
    sql("CREATE TABLE sale (id INT64, item INT64, PRIMARY KEY (id) NOT ENFORCED)")
    sql("ALTER TABLE sale ADD CONSTRAINT sold FOREIGN KEY (item) REFERENCES stock (id) NOT ENFORCED")
    found = table("sale").table_constraints
    assert found.primary_key.columns == ["id"] and found.foreign_keys[0].column_references[0].referenced_column == "id"
    sql("ALTER TABLE sale DROP PRIMARY KEY, DROP CONSTRAINT sold")
    assert table("sale").table_constraints is None


def test_views_and_schemas_are_altered(client, dataset, sql, table, stock):
    sql(f"CREATE VIEW cheap (number, what) AS SELECT id, name FROM {dataset}.stock WHERE price < 2")
    sql("ALTER VIEW cheap SET OPTIONS (description='under two')")
    assert table("cheap").description == "under two" and names(table("cheap")) == ["number", "what"]
    sql(f"ALTER SCHEMA {dataset} SET OPTIONS (description='all of it', default_table_expiration_days=2)")
    found = client.get_dataset(dataset)
    assert (found.description, found.default_table_expiration_ms) == ("all of it", 2 * 86_400_000)


def test_a_view_that_names_its_columns(dataset, sql, rows, stock):
    sql(f"CREATE VIEW cheap (number, what) AS SELECT id, name FROM {dataset}.stock WHERE price < 2")
    assert rows("SELECT what, number FROM cheap") == [("one", 1)]


# Tables after other tables ------------------------------------------------------------------------

def test_like_copy_and_clone(sql, rows, table, stock):
    sql("CREATE TABLE empty LIKE stock")
    sql("CREATE TABLE same COPY stock")
    sql("CREATE TABLE twin CLONE stock")
    sql("DELETE FROM stock WHERE id = 1")
    assert [rows(f"SELECT COUNT(*) FROM {name}") for name in ("empty", "same", "twin")] == [[(0,)], [(2,)], [(2,)]]
    assert table("empty").schema[0].mode == "REQUIRED" and table("same").description == "what there is"
    assert table("twin").clone_definition.base_table_reference.table_id == "stock" and table("same").clone_definition is None
    sql("UPDATE twin SET name = 'uno' WHERE id = 1")
    assert rows("SELECT name FROM twin ORDER BY id") == [("uno",), ("two",)]


def test_a_clone_of_the_past(sql, rows, stock):
    (before,), = rows("SELECT CAST(CURRENT_TIMESTAMP() AS STRING)")
    sql("DELETE FROM stock WHERE true")
    sql(f"CREATE TABLE back CLONE stock FOR SYSTEM_TIME AS OF TIMESTAMP '{before}'")
    assert rows("SELECT COUNT(*) FROM back") == [(2,)]


def test_a_table_goes_back_to_what_it_was(sql, rows, stock):
    (before,), = rows("SELECT CAST(CURRENT_TIMESTAMP() AS STRING)")
    sql("DELETE FROM stock WHERE true")
    sql(f"CREATE OR REPLACE TABLE stock CLONE stock FOR SYSTEM_TIME AS OF TIMESTAMP '{before}'")
    assert rows("SELECT COUNT(*) FROM stock") == [(2,)]


def test_copies_of_public_data_and_across_locations(client, dataset, sql, rows, stock):
    sql("CREATE SNAPSHOT TABLE words CLONE `bigquery-public-data.samples.shakespeare`")
    assert rows("SELECT COUNT(*) > 100000 FROM words") == [(True,)]
    far = bigquery.Dataset(f"{client.project}.{dataset}_eu")
    far.location = "EU"
    client.create_dataset(far)
    try:
        with pytest.raises(NotFound, match=f"Not found: Dataset {client.project}:{dataset}_eu was not found in location US"):
            sql(f"CREATE TABLE {dataset}_eu.t CLONE stock")
    finally:
        client.delete_dataset(far)


def test_a_snapshot_stays_as_it_is(sql, rows, table, stock):
    job = sql("CREATE SNAPSHOT TABLE was CLONE stock OPTIONS (expiration_timestamp=TIMESTAMP '2100-01-01')")
    assert (job.statement_type, table("was").table_type, table("was").expires.year) == ("CREATE_SNAPSHOT_TABLE", "SNAPSHOT", 2100)
    sql("DELETE FROM stock WHERE true")
    assert rows("SELECT COUNT(*) FROM was") == [(2,)] and table("was").snapshot_definition.base_table_reference.table_id == "stock"
    for change in ("DELETE FROM was WHERE true", "DROP VIEW was"):
        with pytest.raises(BadRequest, match="currently a SNAPSHOT"):
            sql(change)
    assert sql("DROP SNAPSHOT TABLE was").ddl_operation_performed == "DROP"
    assert sql("DROP SNAPSHOT TABLE IF EXISTS was").ddl_operation_performed == "SKIP"


def test_copy_jobs_snapshot_clone_and_restore(client, dataset, rows, table, stock):
    def copy(source, destination, operation):
        config = bigquery.CopyJobConfig(operation_type=operation)
        client.copy_table(f"{client.project}.{dataset}.{source}", f"{client.project}.{dataset}.{destination}", job_config=config).result()
    copy("stock", "was", "SNAPSHOT")
    copy("was", "again", "RESTORE")
    copy("stock", "twin", "CLONE")
    assert [table(name).table_type for name in ("was", "again", "twin")] == ["SNAPSHOT", "TABLE", "TABLE"]
    assert rows("SELECT COUNT(*) FROM again") == [(2,)] and table("twin").clone_definition is not None
    with pytest.raises(BadRequest, match="currently a TABLE"):
        copy("stock", "other", "RESTORE")


# Materialized views -------------------------------------------------------------------------------

def test_a_materialized_view_is_fresh(dataset, sql, rows, table, stock):
    job = sql(f"CREATE MATERIALIZED VIEW total OPTIONS (enable_refresh=false) AS SELECT name, SUM(price) AS price FROM {dataset}.stock GROUP BY name")
    assert (job.statement_type, table("total").table_type, table("total").mview_enable_refresh) == ("CREATE_MATERIALIZED_VIEW", "MATERIALIZED_VIEW", False)
    sql("INSERT INTO stock VALUES (3, 'one', 10)")
    assert rows("SELECT price FROM total WHERE name = 'one'") == [(11.5,)]
    with pytest.raises(BadRequest, match="currently a MATERIALIZED_VIEW"):
        sql("DROP TABLE total")
    sql("DROP MATERIALIZED VIEW total")


def test_refreshing_a_materialized_view(client, dataset, sql, table, stock):
    sql(f"CREATE MATERIALIZED VIEW total AS SELECT name, SUM(price) AS price FROM {dataset}.stock GROUP BY name")
    before = table("total").mview_last_refresh_time
    for name in ("total", f"{dataset}.total", f"{client.project}.{dataset}.total"):
        sql(f"CALL BQ.REFRESH_MATERIALIZED_VIEW('{name}')")
    assert table("total").mview_last_refresh_time > before
    for name, message in (("stock", "is not allowed for this operation because it is currently a TABLE"), ("nope", "Not found: Table")):
        with pytest.raises(GoogleAPICallError, match=message):
            sql(f"CALL BQ.REFRESH_MATERIALIZED_VIEW('{dataset}.{name}')")


def test_a_materialized_view_by_rest(client, dataset, rows, stock):
    made = bigquery.Table(f"{client.project}.{dataset}.counted")
    made.mview_query = f"SELECT COUNT(*) AS n FROM `{client.project}.{dataset}.stock`"
    client.create_table(made)
    assert rows("SELECT n FROM counted") == [(2,)]


@pytest.mark.parametrize("query, message", [
    ("SELECT name, RANK() OVER (ORDER BY price) AS n FROM {d}.stock", "Unsupported operator in materialized view: analytic function"),
    ("SELECT name FROM {d}.stock LIMIT 1", "Unsupported operator in materialized view: LIMIT"),
    ("SELECT name, CURRENT_DATE() AS day FROM {d}.stock", "non-deterministic"),
])
def test_what_a_materialized_view_can_not_be_of(dataset, sql, stock, query, message):
    with pytest.raises(BadRequest, match=message):
        sql(f"CREATE MATERIALIZED VIEW mv AS {query.format(d=dataset)}")


# Columns ------------------------------------------------------------------------------------------

def test_defaults_fill_what_is_left_out(client, dataset, sql, rows):
    sql("CREATE TABLE t (id INT64, code STRING DEFAULT GENERATE_UUID(), n NUMERIC DEFAULT 1.5 NOT NULL, tags ARRAY<INT64> DEFAULT [1, 2])")
    sql("INSERT INTO t (id) VALUES (1), (2)")
    assert rows("SELECT COUNT(DISTINCT code), SUM(n) FROM t") == [(2, Decimal("3"))]
    assert client.insert_rows_json(f"{dataset}.t", [{"id": 3}, {"id": 4, "code": None, "tags": []}]) == []
    assert rows("SELECT code IS NULL, n, tags FROM t WHERE id > 2 ORDER BY id") == [(False, Decimal("1.5"), [1, 2]), (True, Decimal("1.5"), [])]
    config = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=[bigquery.SchemaField("id", "INTEGER")])
    sql("ALTER TABLE t ALTER COLUMN n DROP NOT NULL")
    client.load_table_from_json([{"id": 5}], f"{client.project}.{dataset}.t", job_config=config).result()
    assert rows("SELECT code IS NULL, n, tags FROM t WHERE id = 5") == [(False, Decimal("1.5"), [1, 2])]


def test_defaults_of_structs_have_the_names_of_the_column(client, dataset, sql, rows):
    sql("CREATE TABLE t (id INT64, s STRUCT<a FLOAT64, b STRING> DEFAULT (1, 'q'), l ARRAY<STRUCT<x INT64>> DEFAULT [STRUCT(1)])")
    sql("INSERT INTO t (id) VALUES (1)")
    assert client.insert_rows_json(f"{dataset}.t", [{"id": 2}]) == []
    assert rows("SELECT s.a, s.b, l[0].x FROM t") == [(1.0, "q", 1)] * 2


def test_a_column_whose_case_does_not_count(sql, rows):
    sql("CREATE TABLE t (a STRING COLLATE 'und:ci', s STRUCT<b STRING>) DEFAULT COLLATE 'und:ci'")
    sql("INSERT INTO t VALUES ('Abc', STRUCT('X')), ('aBC', STRUCT('x')), ('z', NULL)")
    assert rows("SELECT COUNT(*) FROM t WHERE a = 'ABC'") == [(2,)]
    assert rows("SELECT COUNT(*) FROM t GROUP BY a ORDER BY 1") == [(1,), (2,)]
    assert rows("SELECT COUNT(*) FROM t WHERE s.b = 'x'") == [(2,)]


# Files --------------------------------------------------------------------------------------------

@pytest.fixture
def put(bucket):
    return lambda name, text: bucket.blob(name).upload_from_string(text)


def test_an_external_table_has_what_its_files_have(client, bucket, put, sql, rows, table):
    put("d/a.csv", "id,name\n1,x\n2,y\n")
    job = sql(f"CREATE EXTERNAL TABLE e OPTIONS (format='CSV', uris=['gs://{bucket.name}/d/*.csv'], description='outside')")
    assert (job.statement_type, table("e").table_type, table("e").description) == ("CREATE_EXTERNAL_TABLE", "EXTERNAL", "outside")
    assert rows("SELECT id, name FROM e ORDER BY id") == [(1, "x"), (2, "y")]
    put("d/b.csv", "id,name\n3,z\n")
    assert rows("SELECT SUM(id) FROM e") == [(6,)]
    assert rows("SELECT id, _FILE_NAME FROM e WHERE _FILE_NAME LIKE '%b.csv'") == [(3, f"gs://{bucket.name}/d/b.csv")]
    for text in ("DELETE FROM e WHERE true", "DROP TABLE e"):
        with pytest.raises(BadRequest, match="currently a EXTERNAL"):
            sql(text)
    assert sql("DROP EXTERNAL TABLE e").ddl_operation_performed == "DROP"


def test_an_external_table_by_rest(client, dataset, bucket, put, rows):
    put("j/a.json", '{"a": 1, "b": {"c": [1, 2]}}\n')
    made = bigquery.Table(f"{client.project}.{dataset}.e")
    config = bigquery.ExternalConfig("NEWLINE_DELIMITED_JSON")
    config.source_uris, config.autodetect = [f"gs://{bucket.name}/j/*"], True
    made.external_data_configuration = config
    assert names(client.create_table(made)) == ["a", "b"]
    assert rows("SELECT a, b.c FROM e") == [(1, [1, 2])]


def test_folders_are_columns(client, dataset, bucket, put, sql, rows, table):
    put("h/day=2020-01-01/k=1/a.csv", "a\n1\n")
    put("h/day=2020-01-02/k=2/a.csv", "a\n3\n")
    options = f"OPTIONS (format='CSV', skip_leading_rows=1, uris=['gs://{bucket.name}/h/*'], hive_partition_uri_prefix='gs://{bucket.name}/h')"
    sql(f"CREATE EXTERNAL TABLE e (a INT64) WITH PARTITION COLUMNS {options}")
    assert [(field.name, field.field_type) for field in table("e").schema] == [("a", "INTEGER"), ("day", "DATE"), ("k", "INTEGER")]
    assert rows("SELECT a, k, _FILE_NAME FROM e WHERE day > '2020-01-01'") == [(3, 2, f"gs://{bucket.name}/h/day=2020-01-02/k=2/a.csv")]
    sql(f"CREATE EXTERNAL TABLE f (a INT64) WITH PARTITION COLUMNS (day STRING, k STRING) {options}")
    assert rows("SELECT day, k FROM f ORDER BY day") == [("2020-01-01", "1"), ("2020-01-02", "2")]
    hive = bigquery.HivePartitioningOptions()
    hive.mode, hive.source_uri_prefix = "STRINGS", f"gs://{bucket.name}/h"
    config = bigquery.LoadJobConfig(source_format="CSV", autodetect=True, hive_partitioning=hive)
    client.load_table_from_uri(f"gs://{bucket.name}/h/*", f"{client.project}.{dataset}.g", job_config=config).result()
    assert rows("SELECT SUM(a), MAX(k) FROM g") == [(4, "2")]
    with pytest.raises(BadRequest, match="Incompatible partition schemas"):
        sql(f"CREATE EXTERNAL TABLE x (a INT64) WITH PARTITION COLUMNS (day STRING) {options}")


def test_export_data(bucket, sql, stock):
    job = sql(f"EXPORT DATA OPTIONS (uri='gs://{bucket.name}/x/*.csv', format='CSV', field_delimiter=';') AS SELECT id, name FROM stock ORDER BY id")
    assert (job.statement_type, job.total_bytes_processed) == ("EXPORT_DATA", 26)
    assert job._properties["statistics"]["query"]["exportDataStatistics"] == {"fileCount": "1", "rowCount": "2"}
    assert bucket.blob("x/000000000000.csv").download_as_bytes() == b"id;name\n1;one\n2;two\n"
    with pytest.raises(BadRequest, match="already exist"):
        sql(f"EXPORT DATA OPTIONS (uri='gs://{bucket.name}/x/*.csv', format='CSV') AS SELECT 1 AS x")
    sql(f"EXPORT DATA OPTIONS (uri='gs://{bucket.name}/x/*.csv', format='CSV', overwrite=true, header=false) AS SELECT 1 AS x")
    assert bucket.blob("x/000000000000.csv").download_as_bytes() == b"1\n"


@pytest.mark.parametrize("options, message", [
    ("uri='gs://b/x*', format='ORC'", "'ORC' is not a valid value; failed to set 'format' in EXPORT DATA OPTIONS"),
    ("uri='gs://b/x', format='CSV'", "must be a wild card URI"), ("format='CSV'", "Required option 'uri'"),
    ("uri='gs://b/x*', format='CSV', nothing=1", "Unknown option: nothing"),
    ("uri='gs://no-such-bucket-at-all/x*', format='CSV'", "Not found: URI gs://no-such-bucket-at-all"),
])
def test_what_can_not_be_exported(sql, options, message):
    with pytest.raises((BadRequest, NotFound), match=message):
        sql(f"EXPORT DATA OPTIONS ({options}) AS SELECT 1 AS x")


def test_load_data(bucket, sql, rows, table, stock):
    sql(f"EXPORT DATA OPTIONS (uri='gs://{bucket.name}/x/*.parquet', format='PARQUET') AS SELECT id, name, DATE '2020-01-01' AS day FROM stock")
    files = f"FROM FILES (format='PARQUET', uris=['gs://{bucket.name}/x/*.parquet'])"
    job = sql(f"LOAD DATA INTO t PARTITION BY day CLUSTER BY name OPTIONS (description='loaded') {files}")
    assert job.statement_type == "LOAD_DATA" and job._properties["statistics"]["query"]["loadQueryStatistics"]["outputRows"] == "2"
    assert (table("t").time_partitioning.field, table("t").clustering_fields, table("t").description) == ("day", ["name"], "loaded")
    sql(f"LOAD DATA INTO t {files}")
    assert rows("SELECT COUNT(*) FROM t") == [(4,)]
    sql(f"LOAD DATA OVERWRITE t (id INT64, name STRING, day DATE) {files}")
    assert rows("SELECT COUNT(*) FROM t") == [(2,)]
    with pytest.raises(NotFound, match="Not found: URI"):
        sql(f"LOAD DATA INTO t FROM FILES (format='CSV', uris=['gs://{bucket.name}/nothing/*'])")


def test_load_data_into_partitions_and_temporary_tables(bucket, sql, rows, stock):
    sql(f"EXPORT DATA OPTIONS (uri='gs://{bucket.name}/p/*.json', format='JSON') AS SELECT id, DATE '2020-01-01' AS day FROM stock")
    files = f"FROM FILES (format='JSON', uris=['gs://{bucket.name}/p/*.json'])"
    sql("CREATE TABLE daily (id INT64, day DATE) PARTITION BY day; CREATE TABLE came (id INT64, day DATE) PARTITION BY _PARTITIONDATE")
    sql("INSERT INTO daily VALUES (9, '2020-01-01'), (8, '2020-01-02')")
    sql(f"LOAD DATA INTO daily OVERWRITE PARTITIONS(day = '2020-01-01') {files}")
    assert rows("SELECT day, COUNT(*), MAX(id) = 9 FROM daily GROUP BY day ORDER BY day") == [
        (dt.date(2020, 1, 1), 2, False), (dt.date(2020, 1, 2), 1, False)]
    sql(f"LOAD DATA INTO came PARTITIONS(_PARTITIONTIME = TIMESTAMP '2021-05-06') {files}")
    assert rows("SELECT DISTINCT _PARTITIONDATE FROM came") == [(dt.date(2021, 5, 6),)]
    with pytest.raises(BadRequest, match="PARTITIONS takes an equality"):
        sql(f"LOAD DATA INTO daily PARTITIONS(id = 5) {files}")
    with pytest.raises(BadRequest):
        sql(f"LOAD DATA INTO daily PARTITIONS(day = '2020-01-02') {files}")
    assert rows(f"LOAD DATA INTO TEMP TABLE mine {files}; SELECT COUNT(*) FROM mine") == [(2,)]
    with pytest.raises(BadRequest, match="requires a script or session"):
        sql(f"LOAD DATA INTO TEMP TABLE mine {files}")


# Datasets -----------------------------------------------------------------------------------------

def test_a_deleted_dataset_comes_back(client, dataset, sql, rows, stock, api):
    sql(f"CREATE VIEW {dataset}.v AS SELECT id FROM {dataset}.stock")
    with pytest.raises(Conflict):
        sql(f"UNDROP SCHEMA {dataset}")
    sql(f"DROP SCHEMA {dataset} CASCADE")
    assert sql(f"UNDROP SCHEMA {dataset}").statement_type == "UNDROP_SCHEMA"
    assert rows("SELECT name, price FROM stock ORDER BY id") == [("one", Decimal("1.5")), ("two", Decimal("2.5"))] and rows("SELECT COUNT(*) FROM v") == [(2,)]
    client.delete_dataset(dataset, delete_contents=True)
    assert api("POST", f"datasets/{dataset}:undelete", {}).json()["datasetReference"]["datasetId"] == dataset
    assert rows("SELECT COUNT(*) FROM stock") == [(2,)]
    with pytest.raises(NotFound, match="never_there was not found"):
        sql("UNDROP SCHEMA never_there")
    code, reason, message = api.error("POST", "datasets/never_there:undelete", {"deletionTime": "yesterday"})
    assert (code, reason) == (400, "invalid") and "deletionTime: yesterday" in message


@pytest.mark.parametrize("definition, message", [
    ("(a DATE) PARTITION BY a OPTIONS(partition_expiration_days=-1)", "'-1' is not a valid value; failed to set 'partition_expiration_days' in TABLE OPTIONS"),
    ("(a STRUCT<b STRING>) CLUSTER BY a.b", "CLUSTER BY expressions must be names of columns"),
    ("(a ARRAY<INT64> NOT NULL)", "NOT NULL is not supported on a, which is an ARRAY"), ("(s STRUCT<a ARRAY<INT64> NOT NULL>)", "NOT NULL is not supported on a"),
    ("(a INT64) PARTITION BY RANGE_BUCKET(a, GENERATE_ARRAY(0, 100001, 10))", "10001 ranges are possible, more than 10000")])
def test_tables_that_can_not_be(sql, definition, message):
    with pytest.raises(BadRequest, match=message):
        sql(f"CREATE TABLE t {definition}")


# Parameters of types ------------------------------------------------------------------------------

@pytest.fixture
def sized(sql):
    sql("CREATE TABLE sized (a STRING(2), n NUMERIC(5, 2), e NUMERIC(5, 2) OPTIONS (rounding_mode='ROUND_HALF_EVEN'), s STRUCT<x ARRAY<STRING(1)>>, "
        "b BIGNUMERIC(40, 2), l ARRAY<BIGNUMERIC(3)>)")


def test_numbers_are_rounded_as_the_column_says(sql, rows, sized):
    sql("INSERT INTO sized VALUES ('ab', 1.235, 1.225, STRUCT(['x']), BIGNUMERIC '12345678901234567890123456789012345678.125', [2.5, -2.5]), (NULL, -1.235, -1.235, NULL, -0.125, NULL)")
    assert rows("SELECT n, e, s.x, b, l FROM sized ORDER BY a DESC") == [
        (Decimal("1.24"), Decimal("1.22"), ["x"], Decimal("12345678901234567890123456789012345678.13"), [3, -3]), (Decimal("-1.24"), Decimal("-1.24"), [], Decimal("-0.13"), [])]
    sql("CREATE TABLE halves (n NUMERIC(3, 1), b BIGNUMERIC(3, 1)) OPTIONS (default_rounding_mode='ROUND_HALF_EVEN')")
    sql("INSERT INTO halves VALUES (1.25, 1.25), (1.35, -1.35)")
    assert rows("SELECT n, b FROM halves ORDER BY n") == [(Decimal("1.2"), Decimal("1.2")), (Decimal("1.4"), Decimal("-1.4"))]


@pytest.mark.parametrize("statement, message", [
    ("INSERT INTO sized (a) VALUES ('abc')", "STRING(2) has maximum length 2 but got a value with length 3"),
    ("INSERT INTO sized (n) VALUES (1000)", "NUMERIC(5, 2) has precision 5 and scale 2 but got a value that is not in range of [-999.99, 999.99]"),
    ("INSERT INTO sized (s) VALUES (STRUCT(['xy']))", "STRING(1) has maximum length 1 but got a value with length 2"),
    ("INSERT INTO sized (l) VALUES ([1, 999.5])", "BIGNUMERIC(3) has precision 3 and scale 0 but got a value that is not in range of [-999, 999]"),
    ("UPDATE sized SET b = BIGNUMERIC '1e38' WHERE true; INSERT INTO sized (b) VALUES (BIGNUMERIC '1e38')", "BIGNUMERIC(40, 2) has precision 40 and scale 2"),
    ("SELECT CAST(9.95 AS BIGNUMERIC(2, 1))", "BIGNUMERIC(2, 1) has precision 2 and scale 1 but got a value that is not in range of [-9.9, 9.9]"),
    ("CREATE TABLE made (b BYTES(1)) AS SELECT b'xy'", "BYTES(1) has maximum length 1 but got a value with length 2"),
    ("SELECT CAST('abc' AS STRING(2))", "STRING(2) has maximum length 2 but got a value with length 3"),
])
def test_values_that_do_not_fit(sql, sized, statement, message):
    with pytest.raises(BadRequest, match=re.escape(message)):
        sql(statement)


def test_streamed_rows_that_do_not_fit(client, dataset, rows, sized):
    ((error,),) = [each["errors"] for each in client.insert_rows_json(f"{dataset}.sized", [{"a": "abc"}])]
    assert error["message"] == "Field a: STRING(2) has maximum length 2 but got a value with length 3"
    ((error,),) = [each["errors"] for each in client.insert_rows_json(f"{dataset}.sized", [{"l": ["1", "1000"]}])]
    assert "BIGNUMERIC(3) has precision 3 and scale 0" in error["message"]
    assert rows("SELECT COUNT(*) FROM sized") == [(0,)]
