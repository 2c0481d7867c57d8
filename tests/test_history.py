import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

CHANGED = "SELECT * EXCEPT (_CHANGE_TIMESTAMP) FROM CHANGES(TABLE t, NULL, NULL) ORDER BY _CHANGE_TIMESTAMP, _CHANGE_TYPE, 1, 2"
APPENDED = "SELECT * EXCEPT (_CHANGE_TIMESTAMP) FROM APPENDS(TABLE t) ORDER BY _CHANGE_TIMESTAMP, 1"
TRACKED = "CREATE TABLE t (k STRING, n INT64) OPTIONS (enable_change_history = TRUE)"


@pytest.fixture
def changed(rows):
    """Run statements after one another; what CHANGES tells of the table t."""
    def run(*statements: str) -> list[tuple]:
        for statement in (TRACKED, *statements):
            rows(statement)
        return rows(CHANGED)
    return run


def test_appends_of_the_documentation(rows):
    rows("CREATE TABLE t (product STRING, inventory INT64) AS (SELECT 'apples' AS product, 10 AS inventory)")
    rows("INSERT INTO t VALUES ('bananas', 20), ('carrots', 30)")
    assert rows(APPENDED) == [("apples", 10, "INSERT"), ("bananas", 20, "INSERT"), ("carrots", 30, "INSERT")]
    rows("ALTER TABLE t ADD COLUMN color STRING")
    rows("INSERT INTO t VALUES ('grapes', 40, 'purple')")
    rows("UPDATE t SET inventory = inventory + 5 WHERE TRUE")
    rows("DELETE t WHERE product = 'bananas'")
    assert rows(APPENDED) == [("apples", 10, None, "INSERT"), ("bananas", 20, None, "INSERT"), ("carrots", 30, None, "INSERT"),
                              ("grapes", 40, "purple", "INSERT")]


def test_changes_of_the_documentation(changed):
    assert changed("INSERT INTO t VALUES ('bananas', 20), ('carrots', 30)", "DELETE t WHERE k = 'bananas'", "UPDATE t SET n = n - 10 WHERE k = 'carrots'") == [
        ("bananas", 20, "INSERT"), ("carrots", 30, "INSERT"), ("bananas", 20, "DELETE"), ("carrots", 30, "DELETE"), ("carrots", 20, "UPDATE")]


@pytest.mark.parametrize("updated, inserted", [(2, 3), (1200, 3), (3, 1200), (1200, 1300)])
def test_a_merge_that_updates_and_inserts(changed, rows, updated, inserted):
    """However many rows there are of each: a lake keeps few of them in its catalog, many in files."""
    changed(f"INSERT INTO t SELECT 'old', n FROM UNNEST(GENERATE_ARRAY(1, {updated})) AS n",
            f"MERGE t USING UNNEST(GENERATE_ARRAY(1, {updated + inserted})) AS n ON t.n = n "
            "WHEN MATCHED THEN UPDATE SET k = 'updated' WHEN NOT MATCHED THEN INSERT VALUES ('new', n)")
    assert rows("SELECT _CHANGE_TYPE, k, COUNT(*) FROM CHANGES(TABLE t, NULL, NULL) GROUP BY 1, 2 ORDER BY 1, 2") == [
        ("DELETE", "old", updated), ("INSERT", "new", inserted), ("INSERT", "old", updated), ("UPDATE", "updated", updated)]


def test_overwritten_and_emptied_tables(changed, sql, rows, client, dataset):
    changed("INSERT INTO t VALUES ('a', 1)", "TRUNCATE TABLE t", "INSERT INTO t VALUES ('b', 2)")
    target = f"{client.project}.{dataset}.t"
    sql("SELECT 'c' AS k, 3 AS n", destination=target, write_disposition="WRITE_TRUNCATE")
    sql("SELECT 'd' AS k, 4 AS n", destination=target, write_disposition="WRITE_APPEND")
    assert rows(CHANGED) == [("a", 1, "INSERT"), ("a", 1, "DELETE"), ("b", 2, "INSERT"), ("b", 2, "DELETE"), ("c", 3, "INSERT"), ("d", 4, "INSERT")]
    assert rows(APPENDED) == [("a", 1, "INSERT"), ("b", 2, "INSERT"), ("c", 3, "INSERT"), ("d", 4, "INSERT")]


def test_changes_of_the_schema_are_none_of_rows(changed):
    assert changed("ALTER TABLE t RENAME COLUMN k TO name", "INSERT INTO t VALUES ('a', 1)", "ALTER TABLE t ALTER COLUMN n SET DATA TYPE FLOAT64",
                   "ALTER TABLE t ADD COLUMN tags ARRAY<STRING>", "DELETE t WHERE TRUE") == [("a", 1.0, [], "INSERT"), ("a", 1.0, [], "DELETE")]


def test_a_column_that_a_client_adds(changed, client, dataset, rows):
    changed("INSERT INTO t VALUES ('a', 1)")
    table = client.get_table(f"{dataset}.t")
    table.schema = [*table.schema, bigquery.SchemaField("tags", "STRING", "REPEATED")]
    client.update_table(table, ["schema"])
    assert rows(APPENDED) == [("a", 1, [], "INSERT")]


def test_loaded_streamed_and_copied_rows(load, client, rows, dataset):
    load("a,1\n", "k STRING, n INTEGER")
    assert client.insert_rows_json(load.table, [{"k": "b", "n": 2}]) == []
    assert rows(APPENDED) == [("a", 1, "INSERT"), ("b", 2, "INSERT")]
    client.copy_table(load.table, f"{client.project}.{dataset}.copied").result()
    assert rows("SELECT k, n, _CHANGE_TIMESTAMP >= (SELECT MAX(_CHANGE_TIMESTAMP) FROM APPENDS(TABLE t)) FROM APPENDS(TABLE copied) ORDER BY k") == [
        ("a", 1, True), ("b", 2, True)]


def test_a_span_of_time(changed, rows):
    changed("INSERT INTO t VALUES ('a', 1)", "INSERT INTO t VALUES ('b', 2)", "INSERT INTO t VALUES ('c', 3)")
    moments = [moment.isoformat() for (moment,) in rows("SELECT _CHANGE_TIMESTAMP FROM APPENDS(TABLE t) ORDER BY 1")]
    between = f"TIMESTAMP '{moments[1]}', TIMESTAMP '{moments[2]}'"  # the first moment counts, the last does not
    assert rows(f"SELECT k FROM APPENDS(TABLE t, {between})") == rows(f"SELECT k FROM CHANGES(TABLE t, {between})") == [("b",)]
    assert rows(f"SELECT k FROM APPENDS(TABLE t, end_timestamp => TIMESTAMP '{moments[1]}')") == [("a",)]
    assert rows("SELECT k FROM APPENDS(TABLE t, NULL, TIMESTAMP '1990-01-01')") == []
    assert rows("SELECT COUNT(*) FROM APPENDS(TABLE t, start_timestamp => TIMESTAMP '2020-01-01', end_timestamp => CURRENT_TIMESTAMP())") == [(3,)]


def test_a_table_made_anew_has_a_new_history(rows):
    rows("CREATE TABLE t AS SELECT 1 AS n")
    rows("CREATE OR REPLACE TABLE t AS SELECT 2 AS n")
    assert rows(APPENDED) == [(2, "INSERT")]


def test_a_transaction(rows):
    rows(TRACKED)
    rows("BEGIN TRANSACTION; INSERT INTO t VALUES ('a', 1); INSERT INTO t VALUES ('b', 2); COMMIT TRANSACTION;")
    assert rows(APPENDED) == [("a", 1, "INSERT"), ("b", 2, "INSERT")]
    with pytest.raises(BadRequest, match="multi-statement transaction was committed to it"):
        rows(CHANGED)


@pytest.mark.parametrize("statement, message", [
    ("SELECT * FROM CHANGES(TABLE plain, NULL, NULL)", "enable_change_history"), ("SELECT * FROM APPENDS(TABLE v)", "regular BigQuery tables"),
    ("SELECT * FROM APPENDS((SELECT * FROM plain))", "regular BigQuery tables"), ("SELECT * FROM APPENDS(TABLE c)", "regular BigQuery tables"),
    ("SELECT * FROM APPENDS(TABLE plain, NULL, TIMESTAMP '2100-01-01')", "in the future"),
    ("SELECT * FROM CHANGES(TABLE t, NULL)", "No matching signature for CHANGES"),
    ("SELECT * FROM APPENDS(TABLE plain, 5)", "Unable to coerce type INT64 to expected type TIMESTAMP"),
    ("SELECT * FROM APPENDS(plain)", "TABLE keyword"),
    ("BEGIN TRANSACTION; SELECT * FROM APPENDS(TABLE plain); COMMIT TRANSACTION;", "cannot be called within a multi-statement transaction"),
    ("SELECT * FROM APPENDS(TABLE `bigquery-public-data.samples.shakespeare`)", "Cannot read before"),
    ("SELECT * FROM CHANGES(TABLE t, TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 2 DAY), CURRENT_TIMESTAMP())", "more than one day")])
def test_refused(rows, dataset, statement, message):
    for setup in (TRACKED, "CREATE TABLE plain AS SELECT 1 AS n", f"CREATE VIEW v AS SELECT * FROM {dataset}.plain", "CREATE TABLE c CLONE plain"):
        rows(setup)
    with pytest.raises(BadRequest, match=message):
        rows(statement)
