"""Partitioned and wildcard tables: what is in which partition, what a filter leaves to be read, decorators."""
import datetime as dt
import io

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud import bigquery


@pytest.fixture
def read(sql):
    """The bytes that a query of INT64 columns reads, in values."""
    return lambda text: sql(text).total_bytes_processed // 8


@pytest.fixture
def name(client, dataset):
    return lambda table: f"{client.project}.{dataset}.{table}"


@pytest.fixture
def months(sql):
    sql("CREATE TABLE months PARTITION BY DATE_TRUNC(day, MONTH) AS "
        "SELECT 1 AS id, DATE '2024-01-15' AS day UNION ALL SELECT 2, '2024-02-10' UNION ALL SELECT 3, '2024-02-20' UNION ALL SELECT 4, NULL")


# Pruning ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("where, ids", [
    ("true", "1234"), ("id > 0", "1234"), ("day = '2024-02-29'", "23"), ("day > '2024-01-15'", "123"), ("day >= '2024-02-01' AND day < '2024-03-01'", "23"),
    ("day < '2024-01-15'", "1"), ("day < '2024-01-01'", ""), ("'2024-02-01' > day", "1"), ("day BETWEEN '2024-02-27' AND '2025-01-01'", "23"),
    ("day IN ('2024-01-01', '2024-12-01')", "1"), ("day IS NULL", "4"), ("day = '2024-01-01' OR id = 2", "1234"), ("day = '2024-01-01' OR day IS NULL", "14"),
    ("DATE_TRUNC(day, YEAR) = '2023-01-01'", ""), ("CAST(day AS TIMESTAMP) > TIMESTAMP '2024-02-01'", "23"),
    ("day > DATE_SUB(DATE '2024-03-01', INTERVAL 1 MONTH)", "23"), ("day = (SELECT MAX(day) FROM months)", "1234"), ("EXTRACT(MONTH FROM day) = 2", "1234")])
def test_a_filter_chooses_partitions(read, months, where, ids):
    """ids: of the rows in the partitions that are read."""
    days = sum(id_ != "4" for id_ in ids) if "day" in where else 0  # a NULL has no bytes
    assert read(f"SELECT m.id FROM months m WHERE {where}") == len(ids) + days


def test_dates_and_hours_and_ranges(sql, read):
    sql("CREATE TABLE hours PARTITION BY TIMESTAMP_TRUNC(made, HOUR) AS SELECT TIMESTAMP_ADD(TIMESTAMP '2024-01-01', INTERVAL m * 30 MINUTE) AS made FROM UNNEST([0, 1, 2, 3]) m")
    assert read("SELECT made FROM hours WHERE made >= '2024-01-01 00:45:00'") == 4 and read("SELECT made FROM hours WHERE made > '2024-01-01 01:00:00'") == 2
    assert read("SELECT made FROM hours WHERE DATE(made) = '2024-01-02'") == 0
    sql("CREATE TABLE ranges PARTITION BY RANGE_BUCKET(n, GENERATE_ARRAY(0, 100, 10)) AS SELECT n FROM UNNEST([5, 15, 25, 95]) n")
    assert [read(f"SELECT n FROM ranges WHERE {where}") for where in ("n = 7", "n BETWEEN 12 AND 21", "n < 10", "n > 1000")] == [1, 2, 1, 0]


def test_pruning_in_joins_views_and_dml(sql, read, months, dataset):
    assert read("SELECT a.id FROM months a JOIN months b USING (id) WHERE a.day = '2024-01-01' AND b.day = '2024-01-01'") == 2
    sql(f"CREATE VIEW february AS SELECT id FROM {dataset}.months WHERE day BETWEEN '2024-02-01' AND '2024-02-28'")
    assert read("SELECT id FROM february") == 4
    assert sql("DELETE FROM months WHERE day < '2024-02-01'").total_bytes_processed == 16


@pytest.fixture
def seen(sql, months, dataset):
    """Views of months, one of the other."""
    sql(f"CREATE VIEW seen AS SELECT id AS number, day AS date FROM {dataset}.months")
    sql(f"CREATE VIEW again AS SELECT date AS d, number, date AS same FROM {dataset}.seen")


# A filter and the query that it is in, which has to read January alone, once for each time that it stands there.
REACHING = [
    "SELECT number FROM seen WHERE date < '2024-01-20'", "SELECT number FROM again WHERE d < '2024-01-20'",
    "SELECT number, same FROM again WHERE d < '2024-01-20'",
    "WITH c AS (SELECT * FROM months) SELECT id FROM c WHERE day < '2024-01-20'",
    "WITH c AS (SELECT day, MAX(id) AS most FROM months GROUP BY day) SELECT most FROM c WHERE day < '2024-01-20'",
    "SELECT i FROM (SELECT day AS x, id AS i FROM months UNION ALL SELECT d, number FROM again) WHERE x < '2024-01-20'",
    "SELECT m.id FROM months AS m JOIN UNNEST([1]) AS n ON m.id = n AND m.day < '2024-01-20'",
    "SELECT m.id FROM months AS m JOIN (SELECT 1 AS n) ON m.id = n AND m.day < '2024-01-20'",
    "SELECT m.id FROM (SELECT 1 AS n) LEFT JOIN months AS m ON m.id = n AND m.day < '2024-01-20'",
    "SELECT a.number FROM seen AS a JOIN seen AS b USING (number) WHERE a.date < '2024-01-20' AND b.date < '2024-01-20'"]
WHOLE = [
    "WITH c AS (SELECT * FROM months) SELECT a.id FROM c AS a JOIN c AS b USING (id) WHERE a.day < '2024-01-20'",
    "SELECT m.id FROM months AS m LEFT JOIN (SELECT 1 AS n) ON m.id = n AND m.day < '2024-01-20'",
    "SELECT m.id FROM months AS m WHERE NOT EXISTS (SELECT 1 FROM UNNEST([1]) WHERE m.day < '2024-01-20')",
    "SELECT a.number FROM seen AS a JOIN seen AS b USING (number) WHERE a.date < '2024-01-20'", "SELECT number, d FROM again",
    "SELECT most FROM (SELECT day, MAX(id) AS most FROM months GROUP BY ROLLUP (day)) WHERE day < '2024-01-20'"]


@pytest.mark.parametrize("text", REACHING + WHOLE)
def test_which_filters_reach_a_table(sql, read, seen, text):
    whole = text in WHOLE
    assert read(text) == (7 if whole else 2)
    sql("ALTER TABLE months SET OPTIONS (require_partition_filter=true)")
    if whole:
        with pytest.raises(BadRequest, match="without a filter over column"):
            sql(text, use_query_cache=False)
    else:
        assert sql(text, use_query_cache=False).total_bytes_processed == 16


def test_a_filter_that_is_required_later_counts_for_queries_that_were_asked_before(sql):
    sql("CREATE TABLE later (x INT64, d DATE) PARTITION BY d")
    assert sql("SELECT x FROM later").cache_hit is False and sql("SELECT x FROM later").cache_hit is True
    sql("ALTER TABLE later SET OPTIONS (require_partition_filter = TRUE)")
    with pytest.raises(BadRequest, match="without a filter over column"):
        sql("SELECT x FROM later")


def test_a_required_filter_on_a_table_with_policies(sql, rows, months):
    sql("ALTER TABLE months SET OPTIONS (require_partition_filter=true)")
    sql("CREATE ROW ACCESS POLICY early ON months GRANT TO ('allAuthenticatedUsers') FILTER USING (id < 3)")
    assert rows("SELECT id FROM months WHERE day > '2024-02-01'") == [(2,)]
    with pytest.raises(BadRequest, match="without a filter over column"):
        sql("SELECT id FROM months")


def test_a_filter_may_be_required(sql, rows, months):
    sql("ALTER TABLE months SET OPTIONS (require_partition_filter=true)")
    for text in ("SELECT * FROM months", "SELECT * FROM months WHERE id = 1", "SELECT * FROM months WHERE day = '2024-01-15' OR id = 1", "DELETE FROM months WHERE true"):
        with pytest.raises(BadRequest, match=r"Cannot query over table '.*months' without a filter over column\(s\) 'day' that can be used for partition elimination"):
            sql(text)
    assert rows("SELECT id FROM months WHERE day > '2024-02-15'") == [(3,)]


# Ingestion time -----------------------------------------------------------------------------------

@pytest.fixture
def events(sql):
    sql("CREATE TABLE events (id INT64) PARTITION BY _PARTITIONDATE")
    sql("INSERT INTO events (_PARTITIONTIME, id) VALUES (TIMESTAMP '2020-01-01', 1), (TIMESTAMP '2020-01-02', 2)")


def test_rows_come_into_todays_partition(sql, rows, events, client, name):
    sql("INSERT INTO events (id) VALUES (3)")
    assert client.insert_rows_json(name("events"), [{"id": 4}]) == []
    today = dt.datetime.now(dt.timezone.utc).date()
    assert rows("SELECT * FROM events ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert rows("SELECT id FROM events WHERE _PARTITIONDATE >= '2021-01-01' ORDER BY id") == [(3,), (4,)]
    assert {day for day, in rows("SELECT _PARTITIONDATE FROM events WHERE id > 2")} <= {today, today + dt.timedelta(days=1)}


def test_pseudo_columns_choose_partitions(read, rows, events):
    assert read("SELECT id FROM events WHERE _PARTITIONDATE = '2020-01-01'") == 1 and read("SELECT id FROM events WHERE _PARTITIONTIME > '2020-01-02'") == 0
    assert rows("SELECT id, _PARTITIONTIME AS t FROM events WHERE id = 1") == [(1, dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc))]


def test_dml_keeps_rows_in_their_partition(sql, rows, events):
    sql("UPDATE events SET id = 10 WHERE id = 1")
    sql("UPDATE events SET _PARTITIONTIME = TIMESTAMP '2020-01-05' WHERE id = 2")
    assert rows("SELECT id, CAST(_PARTITIONDATE AS STRING) FROM events ORDER BY id") == [(2, "2020-01-05"), (10, "2020-01-01")]


def test_partitions_are_listed(rows, events):
    assert rows("SELECT partition_id, total_rows FROM INFORMATION_SCHEMA.PARTITIONS ORDER BY 1") == [("20200101", 1), ("20200102", 1)]


def test_a_table_by_rest(client, sql, rows, name):
    table = bigquery.Table(name("daily"), schema=[bigquery.SchemaField("id", "INTEGER")])
    table.time_partitioning = bigquery.TimePartitioning(type_="HOUR")
    assert client.create_table(table).time_partitioning.field is None
    sql("INSERT INTO daily (id) VALUES (1)")
    assert rows("SELECT id, EXTRACT(MINUTE FROM _PARTITIONTIME) AS minute FROM daily") == [(1, 0)]


# Decorators ---------------------------------------------------------------------------------------

def test_one_partition_is_listed_and_copied(client, rows, events, months, name):
    assert [row.id for row in client.list_rows(name("events$20200102"), selected_fields=[bigquery.SchemaField("id", "INTEGER")])] == [2]
    client.copy_table(name("months$202402"), name("february")).result()
    assert rows("SELECT id FROM february ORDER BY id") == [(2,), (3,)]
    for bad in ("events$2020", "months$20240101"):
        with pytest.raises(BadRequest, match="Invalid partition ID"):
            client.copy_table(name(bad), name("other")).result()


def test_one_partition_is_overwritten(client, sql, rows, events, months, name):
    job = sql("SELECT 7 AS id", destination=name("events$20200101"), write_disposition="WRITE_TRUNCATE")
    assert [row.id for row in job.result()] == [7]
    assert rows("SELECT id, CAST(_PARTITIONDATE AS STRING) FROM events ORDER BY id") == [(2, "2020-01-02"), (7, "2020-01-01")]
    config = bigquery.LoadJobConfig(source_format="CSV", write_disposition="WRITE_TRUNCATE")
    client.load_table_from_file(io.BytesIO(b"9,2024-02-03\n"), name("months$202402"), job_config=config).result()
    assert rows("SELECT id FROM months ORDER BY id") == [(1,), (4,), (9,)]
    with pytest.raises(BadRequest, match="Some rows belong to different partitions rather than destination partition 202402"):
        client.load_table_from_file(io.BytesIO(b"9,2024-03-03\n"), name("months$202402"), job_config=config).result()
    with pytest.raises(Conflict):
        sql("SELECT 8 AS id", destination=name("events$20200101"), write_disposition="WRITE_EMPTY")


def test_rows_stream_into_a_partition(client, rows, events, name):
    table = client.get_table(name("events"))
    assert client.insert_rows_json(f"{table.full_table_id.replace(':', '.')}$20200101", [{"id": 5}]) == []
    assert rows("SELECT id FROM events WHERE _PARTITIONDATE = '2020-01-01' ORDER BY id") == [(1,), (5,)]


def test_a_partition_is_deleted(client, rows, events, months, name):
    client.delete_table(name("events$20200101"))
    client.delete_table(name("months$__NULL__"))
    assert rows("SELECT id FROM events") == [(2,)] and rows("SELECT id FROM months ORDER BY id") == [(1,), (2,), (3,)]


@pytest.mark.parametrize("on, when, needs_more", [
    ("t.day = s.day AND t.day = '2024-01-01'", "MATCHED THEN UPDATE SET id = s.id", False),
    ("t.day = s.day", "MATCHED AND t.day = '2024-01-01' THEN DELETE", False), ("t.day = s.day", "MATCHED THEN DELETE", True),
    ("t.day = s.day AND t.day = '2024-01-01'", "NOT MATCHED BY SOURCE THEN DELETE", True),
    ("t.day = s.day AND t.day = '2024-01-01'", "NOT MATCHED BY SOURCE AND t.day > '2024-01-01' THEN DELETE WHEN NOT MATCHED THEN INSERT ROW", False),
    ("FALSE", "NOT MATCHED BY SOURCE AND t.day = '2024-01-02' THEN DELETE WHEN NOT MATCHED THEN INSERT ROW", False)])
def test_a_merge_reads_the_partitions_that_its_clauses_are_about(sql, on, when, needs_more):
    sql("CREATE TABLE daily (day DATE, id INT64) PARTITION BY day OPTIONS (require_partition_filter=true)")
    sql("INSERT INTO daily VALUES ('2024-01-01', 1), ('2024-01-02', 2), ('2024-01-03', 3)")
    merge = f"MERGE daily t USING (SELECT DATE '2024-01-01' AS day, 5 AS id) s ON {on} WHEN {when}"
    if needs_more:
        with pytest.raises(BadRequest, match="without a filter over column"):
            sql(merge)
    else:
        assert sql(merge).total_bytes_processed < 3 * 16 or "BY SOURCE AND t.day >" in when


# Schema updates of query jobs ---------------------------------------------------------------------

def test_a_query_adds_columns_where_it_may(sql, rows, name):
    sql("CREATE TABLE grown AS SELECT 1 AS a")
    with pytest.raises(BadRequest, match=r"Invalid schema update. Cannot add fields \(field: b\)"):
        sql("SELECT 2 AS a, 'x' AS b", destination=name("grown"), write_disposition="WRITE_APPEND")
    sql("SELECT 2 AS a, 'x' AS b", destination=name("grown"), write_disposition="WRITE_APPEND", schema_update_options=["ALLOW_FIELD_ADDITION"])
    assert rows("SELECT * FROM grown ORDER BY a") == [(1, None), (2, "x")]
    with pytest.raises(BadRequest, match="Schema update options should only be specified with WRITE_APPEND disposition"):
        sql("SELECT 2 AS a", destination=name("grown"), write_disposition="WRITE_TRUNCATE", schema_update_options=["ALLOW_FIELD_ADDITION"])
    with pytest.raises(BadRequest, match="NO_SUCH is not a valid value"):
        sql("SELECT 2 AS a", destination=name("grown"), write_disposition="WRITE_APPEND", schema_update_options=["NO_SUCH"])


def test_a_query_relaxes_columns_where_it_may(sql, rows, name):
    sql("CREATE TABLE strict (a INT64 NOT NULL, b STRING NOT NULL, c ARRAY<INT64>)")
    for query, why in [("SELECT 1 AS a, 'x' AS b", "Field a has changed mode from REQUIRED to NULLABLE"), ("SELECT 'x' AS a", "Field a has changed type from INTEGER to STRING"),
                       ("SELECT 1 AS c", "Field a has changed mode|Field a is missing in new schema")]:
        with pytest.raises(BadRequest, match=f"Invalid schema update. ({why})"):
            sql(query, destination=name("strict"), write_disposition="WRITE_APPEND")
    with pytest.raises(BadRequest, match="Field c has changed mode from REPEATED to NULLABLE"):
        sql("SELECT 1 AS c", destination=name("strict"), write_disposition="WRITE_APPEND", schema_update_options=["ALLOW_FIELD_RELAXATION"])
    sql("SELECT 1 AS a", destination=name("strict"), write_disposition="WRITE_APPEND", schema_update_options=["ALLOW_FIELD_RELAXATION"])
    assert rows("SELECT a, b FROM strict") == [(1, None)]


# Wildcard tables ----------------------------------------------------------------------------------

@pytest.fixture
def logs(sql):
    sql("CREATE TABLE logs_2023 AS SELECT 1 AS id")
    sql("CREATE TABLE logs_2024 AS SELECT 2 AS id, 'x' AS word")


def test_a_wildcard_reads_all_of_them(rows, logs, dataset):
    assert rows(f"SELECT _TABLE_SUFFIX AS year, * FROM `{dataset}.logs_*` ORDER BY 1") == [("2023", 1, None), ("2024", 2, "x")]
    assert rows(f"SELECT id, _TABLE_SUFFIX FROM `{dataset}.logs_20*` WHERE _TABLE_SUFFIX > '23'") == [(2, "24")]


def test_a_wildcard_reads_the_tables_of_the_suffix(read, logs, dataset):
    assert [read(f"SELECT id FROM `{dataset}.logs_*` WHERE {where}") for where in (
        "true", "_TABLE_SUFFIX = '2023'", "_TABLE_SUFFIX BETWEEN '2024' AND '2025'", "STARTS_WITH(_TABLE_SUFFIX, '3')")] == [2, 1, 1, 0]


def test_a_wildcard_is_described_as_a_table(client, logs, dataset):
    table = client.get_table(f"{dataset}.logs_*")
    assert (table.num_rows, table.num_bytes, [field.name for field in table.schema], table.table_type) == (2, 19, ["id", "word"], "TABLE")
    with pytest.raises(NotFound):
        client.get_table(f"{dataset}.nothing_*")


def test_a_wildcard_that_matches_nothing(sql, logs, dataset):
    with pytest.raises(BadRequest, match=r"nothing_\* does not match any table"):
        sql(f"SELECT * FROM `{dataset}.nothing_*`")
    with pytest.raises(NotFound, match="Dataset"):
        sql("SELECT * FROM `no_such_dataset.t_*`")
