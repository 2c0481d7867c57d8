"""INFORMATION_SCHEMA through the client."""
import pytest
from google.api_core.exceptions import BadRequest, NotFound

from emulator import information_schema

SETUP = """CREATE TABLE {d}.daily (d DATE NOT NULL, name STRING(5), r ARRAY<STRUCT<a INT64, b STRING>>, n NUMERIC DEFAULT 1)
           PARTITION BY d CLUSTER BY name OPTIONS(description='by "day"', labels=[('k', 'v')], require_partition_filter=true)"""


@pytest.fixture
def view(client, dataset):
    """Rows of a view of the test's dataset, which has a table, its rows and a view."""
    client.query(SETUP.format(d=dataset)).result()
    client.query(f"INSERT INTO {dataset}.daily (d, name) VALUES (DATE '2026-05-20', 'a'), (DATE '2026-05-20', 'b'), (DATE '2026-05-21', NULL)").result()
    client.query(f"CREATE VIEW {dataset}.seen AS SELECT 1 AS x").result()

    def rows(columns: str, name: str, tail: str = "") -> list[tuple]:
        job = client.query(f"SELECT {columns} FROM {dataset}.INFORMATION_SCHEMA.{name} {tail}")
        found = [tuple(row) for row in job.result()]
        assert job.total_bytes_processed == information_schema.BYTES
        return found
    return rows


def test_tables(view):
    assert view("table_name, table_type, is_insertable_into, is_typed", "TABLES", "ORDER BY 1") == [
        ("daily", "BASE TABLE", "YES", "NO"), ("seen", "VIEW", "NO", "NO")]


def test_columns(view):
    rows = view("column_name, ordinal_position, is_nullable, data_type, is_partitioning_column, clustering_ordinal_position, column_default", "COLUMNS",
                "WHERE table_name = 'daily' ORDER BY ordinal_position")
    assert rows == [("d", 1, "NO", "DATE", "YES", None, "NULL"), ("name", 2, "YES", "STRING(5)", "NO", 1, "NULL"),
                    ("r", 3, "YES", "ARRAY<STRUCT<a INT64, b STRING>>", "NO", None, "NULL"), ("n", 4, "YES", "NUMERIC", "NO", None, "1")]


def test_field_paths(view):
    assert view("field_path, data_type", "COLUMN_FIELD_PATHS", "WHERE column_name = 'r' ORDER BY 1") == [
        ("r", "ARRAY<STRUCT<a INT64, b STRING>>"), ("r.a", "INT64"), ("r.b", "STRING")]


def test_table_options(view):
    assert view("option_name, option_type, option_value", "TABLE_OPTIONS", "ORDER BY 1") == [
        ("description", "STRING", r'"by \"day\""'), ("labels", "ARRAY<STRUCT<STRING, STRING>>", '[STRUCT("k", "v")]'),
        ("require_partition_filter", "BOOL", "true")]


def test_partitions(view):
    assert view("partition_id, total_rows, total_logical_bytes", "PARTITIONS", "ORDER BY 1") == [("20260520", 2, 2 * (8 + 3 + 16)), ("20260521", 1, 8 + 16)]


def test_views(view):
    assert view("table_name, view_definition, use_standard_sql", "VIEWS") == [("seen", "SELECT 1 AS x", "YES")]


def test_storage_and_privileges(client, dataset, view):
    assert view("table_name, total_rows", "TABLE_STORAGE") == [("daily", 3)]
    policy = client.get_iam_policy(f"{client.project}.{dataset}.daily")
    policy.bindings = [{"role": "roles/viewer", "members": {"allUsers"}}]
    client.set_iam_policy(f"{client.project}.{dataset}.daily", policy)
    assert view("object_name, privilege_type, grantee", "OBJECT_PRIVILEGES") == [("daily", "roles/viewer", "allUsers")]


def test_schemata_of_a_region(client, dataset):
    rows = client.query(f"SELECT schema_name, location FROM `region-us`.INFORMATION_SCHEMA.SCHEMATA WHERE schema_name = '{dataset}'").result()
    assert [tuple(row) for row in rows] == [(dataset, "US")]


@pytest.mark.parametrize("name", information_schema.VIEWS)
def test_every_view_can_be_read(view, name):
    view("*", name)


def test_what_there_is_not(client, dataset, view):
    with pytest.raises(NotFound, match=r"INFORMATION_SCHEMA\.NOTHING was not found"):
        view("*", "NOTHING")
    with pytest.raises(NotFound, match="Dataset .*nowhere"):
        client.query("SELECT * FROM nowhere.INFORMATION_SCHEMA.TABLES").result()
    with pytest.raises(BadRequest, match="FOR SYSTEM_TIME"):
        view("*", "TABLES", "FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()")


def test_routines(client, dataset):
    for text in ("CREATE FUNCTION d.f(x INT64, y ANY TYPE) OPTIONS(description='adds') AS (x + y)", "CREATE PROCEDURE d.p(IN a STRING, OUT b DATE) BEGIN END",
                 "CREATE FUNCTION d.j(x FLOAT64) RETURNS ARRAY<FLOAT64> DETERMINISTIC LANGUAGE js AS 'return [x];'", "CREATE TABLE FUNCTION d.t() AS SELECT 1 AS a",
                 "CREATE AGGREGATE FUNCTION d.a(x INT64, y INT64 NOT AGGREGATE) RETURNS INT64 AS (SUM(x) * y)"):
        client.query(text.replace(" d.", f" {dataset}.")).result()

    def rows(text: str) -> list[tuple]:
        return [tuple(row.values()) for row in client.query(text.format(f"{dataset}.INFORMATION_SCHEMA")).result()]
    assert rows("SELECT routine_name, routine_type, data_type, routine_body, routine_definition, external_language, is_deterministic "
                "FROM {}.ROUTINES ORDER BY 1") == [
        ("a", "AGGREGATE FUNCTION", "INT64", "SQL", "SUM(x) * y", None, None), ("f", "FUNCTION", None, "SQL", "x + y", None, None),
        ("j", "FUNCTION", "ARRAY<FLOAT64>", "EXTERNAL", "return [x];", "JAVASCRIPT", "YES"), ("p", "PROCEDURE", None, "SQL", "BEGIN END", None, None),
        ("t", "TABLE FUNCTION", None, "SQL", "SELECT 1 AS a", None, None)]
    assert rows("SELECT specific_name, ordinal_position, parameter_mode, is_result, parameter_name, data_type FROM {}.PARAMETERS ORDER BY 1, 2") == [
        ("a", 0, None, "YES", None, "INT64"), ("a", 1, None, "NO", "x", "INT64"), ("a", 2, None, "NO", "y", "INT64"),
        ("f", 1, None, "NO", "x", "INT64"), ("f", 2, None, "NO", "y", "ANY TYPE"), ("j", 0, None, "YES", None, "ARRAY<FLOAT64>"),
        ("j", 1, None, "NO", "x", "FLOAT64"), ("p", 1, "IN", "NO", "a", "STRING"), ("p", 2, "OUT", "NO", "b", "DATE")]
    assert rows("SELECT specific_name, option_name, option_value FROM {}.ROUTINE_OPTIONS") == [("f", "description", '"adds"')]
    before = rows("SELECT * EXCEPT (created, last_altered) FROM {}.ROUTINES ORDER BY routine_name")
    for (ddl,) in rows("SELECT REPLACE(ddl, 'CREATE', 'CREATE OR REPLACE') FROM {}.ROUTINES"):
        client.query(ddl).result()
    assert rows("SELECT * EXCEPT (created, last_altered) FROM {}.ROUTINES ORDER BY routine_name") == before
