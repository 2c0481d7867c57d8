"""DML and DDL through the client: rows and resources, counts, dispositions, and that REST and SQL see the same."""
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound


@pytest.fixture
def stock(sql):
    """A table of three items."""
    sql("CREATE TABLE stock (id INT64 NOT NULL, name STRING, size STRUCT<w INT64, h INT64>, tags ARRAY<STRING>, made DATE DEFAULT DATE '2020-01-01')")
    sql("INSERT INTO stock (id, name, size, tags) VALUES (1, 'one', (1, 10), ['a']), (2, 'two', (2, 20), []), (3, NULL, NULL, NULL)")


# DML ----------------------------------------------------------------------------------------------

def test_insert_values_with_defaults(sql, rows, stock):
    job = sql("INSERT stock (id, made) VALUES (4, DEFAULT), (5, DATE '2021-01-01')")
    assert (job.statement_type, job.num_dml_affected_rows, job.dml_stats.inserted_row_count) == ("INSERT", 2, 2)
    assert rows("SELECT id, name, tags, CAST(made AS STRING) FROM stock WHERE id > 3 ORDER BY id") == [(4, None, [], "2020-01-01"), (5, None, [], "2021-01-01")]


def test_insert_select_reads_what_was_there_before(sql, rows, stock):
    assert sql("INSERT INTO stock (id, name) SELECT id + 10, UPPER(name) FROM stock").num_dml_affected_rows == 3
    assert rows("SELECT id, name FROM stock WHERE id > 10 ORDER BY id") == [(11, "ONE"), (12, "TWO"), (13, None)]


def test_update_columns_and_fields_of_structs(sql, rows, stock):
    job = sql("UPDATE stock SET name = CONCAT(name, '!'), size.h = size.h * 2, tags = ARRAY_CONCAT(tags, ['new']) WHERE id < 3")
    assert (job.statement_type, job.num_dml_affected_rows, job.dml_stats.updated_row_count) == ("UPDATE", 2, 2)
    assert rows("SELECT id, name, size.w, size.h, tags FROM stock ORDER BY id") == [
        (1, "one!", 1, 20, ["a", "new"]), (2, "two!", 2, 40, ["new"]), (3, None, None, None, [])]


def test_update_from_and_with_subqueries(sql, rows, stock):
    sql("CREATE TABLE news AS SELECT 1 AS id, 'uno' AS name UNION ALL SELECT 2, 'due'")
    assert sql("UPDATE stock s SET name = n.name FROM news n WHERE s.id = n.id").num_dml_affected_rows == 2
    assert sql("UPDATE stock SET name = 'last' WHERE id = (SELECT MAX(id) FROM stock)").num_dml_affected_rows == 1
    assert rows("SELECT name FROM stock ORDER BY id") == [("uno",), ("due",), ("last",)]


def test_update_with_two_sources_for_a_row_changes_nothing(sql, rows, stock):
    with pytest.raises(BadRequest, match="UPDATE/MERGE must match at most one source row for each target row"):
        sql("UPDATE stock s SET name = x FROM UNNEST(['a', 'b']) x WHERE s.id = 1")
    assert rows("SELECT name FROM stock WHERE id = 1") == [("one",)]


def test_delete(sql, rows, stock):
    job = sql("DELETE FROM stock WHERE id IN (SELECT id + 1 FROM stock)")
    assert (job.statement_type, job.num_dml_affected_rows, job.dml_stats.deleted_row_count) == ("DELETE", 2, 2)
    assert rows("SELECT id FROM stock") == [(1,)]


def test_merge_in_every_form(sql, rows, stock):
    sql("CREATE TABLE news AS SELECT 1 AS id, 'uno' AS name UNION ALL SELECT 9, 'new' UNION ALL SELECT 3, 'drop'")
    job = sql("""MERGE stock s USING news n ON s.id = n.id
                 WHEN MATCHED AND n.name = 'drop' THEN DELETE
                 WHEN MATCHED THEN UPDATE SET name = n.name
                 WHEN NOT MATCHED THEN INSERT (id, name) VALUES (n.id, n.name)
                 WHEN NOT MATCHED BY SOURCE THEN UPDATE SET name = 'alone'""")
    stats = job.dml_stats
    assert (job.statement_type, stats.inserted_row_count, stats.updated_row_count, stats.deleted_row_count) == ("MERGE", 1, 2, 1)
    assert rows("SELECT id, name FROM stock ORDER BY id") == [(1, "uno"), (2, "alone"), (9, "new")]


def test_merge_on_false_replaces_all(sql, rows, stock):
    sql("MERGE stock USING (SELECT 7 AS id) n ON FALSE WHEN NOT MATCHED THEN INSERT (id) VALUES (n.id) WHEN NOT MATCHED BY SOURCE THEN DELETE")
    assert rows("SELECT id FROM stock") == [(7,)]


def test_truncate(client, dataset, sql, rows, stock):
    job = sql("TRUNCATE TABLE stock")
    assert (job.statement_type, job.num_dml_affected_rows) == ("TRUNCATE_TABLE", 3)
    assert rows("SELECT COUNT(*) FROM stock") == [(0,)] and client.get_table(f"{dataset}.stock").num_rows == 0


def test_bytes_of_dml(sql, stock):
    whole = 3 * 8 + (2 + 3) * 2 + 2 * 16 + 3 + 3 * 8
    assert sql("UPDATE stock SET name = 'x' WHERE id = 1").total_bytes_processed == whole
    assert sql("INSERT INTO stock (id) SELECT id FROM stock").total_bytes_processed == 24
    assert sql("INSERT INTO stock (id) VALUES (9)").total_bytes_processed == 0


@pytest.mark.parametrize("statement, field", [
    ("INSERT INTO lists (id, tags) VALUES (1, ['a']), (2, ['b', NULL])", "tags"), ("INSERT INTO lists (id, tags) SELECT 1, ARRAY_AGG(x) FROM UNNEST(['a', NULL]) AS x", "tags"),
    ("INSERT INTO lists (id, s) VALUES (1, (['x', NULL], [STRUCT([1], 2)]))", "tags"), ("INSERT INTO lists (id, s) VALUES (1, (['x'], [STRUCT([1], 2), STRUCT([1, NULL], 2)]))", "numbers"),
    ("UPDATE lists SET tags = ARRAY_CONCAT(['x'], [CAST(NULL AS STRING)]) WHERE true", "tags"), ("UPDATE lists SET s.tags = ['x', NULL] WHERE true", "tags"),
    ("MERGE lists USING (SELECT 9 AS id) AS n ON lists.id = n.id WHEN NOT MATCHED THEN INSERT (id, tags) VALUES (n.id, ['x', NULL])", "tags"),
    ("MERGE lists USING (SELECT 0 AS id) AS n ON lists.id = n.id WHEN MATCHED THEN UPDATE SET tags = ['x', NULL]", "tags"),
    ("CREATE OR REPLACE TABLE lists AS SELECT 1 AS id, [1, NULL] AS made", "made"), ("CREATE TABLE other AS SELECT [STRUCT(['x', NULL] AS inner_list)] AS made", "inner_list")])
def test_no_null_is_written_into_an_array(sql, rows, statement, field):
    sql("CREATE TABLE lists (id INT64, tags ARRAY<STRING>, s STRUCT<tags ARRAY<STRING>, deep ARRAY<STRUCT<numbers ARRAY<INT64>, n INT64>>>)")
    sql("INSERT INTO lists (id, tags) VALUES (0, NULL)")
    with pytest.raises(BadRequest, match=f"Array cannot have a null element; error in writing field {field}"):
        sql(statement)
    assert rows("SELECT id, tags FROM lists") == [(0, [])]


@pytest.mark.parametrize("statement", [
    "INSERT INTO parts (id, r) VALUES (1, (NULL, 2))", "INSERT INTO parts (id, l) SELECT 1, [STRUCT(STRUCT(CAST(NULL AS INT64) AS a) AS r)]",
    "UPDATE parts SET r.a = NULL WHERE true", "UPDATE parts SET r = (NULL, 2) WHERE true",
    "MERGE parts USING (SELECT 0 AS id) AS n ON parts.id = n.id WHEN MATCHED THEN UPDATE SET r.a = NULL"])
def test_no_null_is_written_into_a_part_that_is_required(sql, rows, statement):
    sql("CREATE TABLE parts (id INT64, r STRUCT<a INT64 NOT NULL, b INT64>, l ARRAY<STRUCT<r STRUCT<a INT64 NOT NULL>>>)")
    sql("INSERT INTO parts (id, r, l) VALUES (0, (5, NULL), [STRUCT<r STRUCT<a INT64>>(NULL)])")
    with pytest.raises(BadRequest, match="Required field a cannot be null"):
        sql(statement)
    assert rows("SELECT id, r.a, l[0].r IS NULL FROM parts") == [(0, 5, True)]


def test_no_stored_array_is_null(client, dataset, sql, rows, load):
    sql("CREATE TABLE lists (id INT64, tags ARRAY<STRING>, s STRUCT<tags ARRAY<STRING>, x INT64>, l ARRAY<STRUCT<inner_list ARRAY<INT64>>>)")
    sql("INSERT INTO lists (id, tags, s, l) VALUES (1, NULL, (NULL, 5), [STRUCT(CAST(NULL AS ARRAY<INT64>))]), (2, NULL, NULL, NULL)")
    client.insert_rows_json(f"{dataset}.lists", [{"id": "3", "s": {"x": 5}, "l": [{}]}])
    sql("UPDATE lists SET tags = NULL WHERE id = 3")
    load('{"id": 4, "s": {"x": 5}, "l": [{}]}', table="lists", source_format="NEWLINE_DELIMITED_JSON")
    with pytest.raises(BadRequest, match="Only optional fields can be set to NULL. Field: tags; Value: NULL"):
        load('{"id": 5, "tags": ["x", null]}', table="lists", source_format="NEWLINE_DELIMITED_JSON")
    sql("CREATE TABLE made AS SELECT * EXCEPT (tags), CAST(NULL AS ARRAY<STRING>) AS tags FROM lists")
    sql("ALTER TABLE made ADD COLUMN more ARRAY<INT64>")
    assert rows("SELECT COUNTIF(ARRAY_LENGTH(tags) = 0), COUNTIF(ARRAY_LENGTH(s.tags) = 0), COUNTIF(ARRAY_LENGTH(l[SAFE_OFFSET(0)].inner_list) = 0), "
                "COUNTIF(l IS NULL), COUNTIF(ARRAY_LENGTH(more) = 0) FROM made") == [(4, 3, 3, 0, 4)]


def test_columns_that_a_merge_leaves_are_as_they_were(sql, rows, stock):
    sql("MERGE stock s USING (SELECT 1 AS id UNION ALL SELECT 2) n ON s.id = n.id WHEN MATCHED AND s.id = 2 THEN DELETE WHEN MATCHED THEN UPDATE SET name = 'new'")
    assert rows("SELECT id, name, size.w, tags FROM stock ORDER BY id") == [(1, "new", 1, ["a"]), (3, None, None, [])]


def test_tables_whose_names_differ_in_case(dataset, sql, rows):
    sql("CREATE TABLE T AS SELECT 1 AS x")
    sql("CREATE TABLE t AS SELECT 'a' AS x")
    assert rows("SELECT T.x AS n, u.x AS s FROM T, t AS u") == rows(f"SELECT a.x AS n, b.x AS s FROM `{dataset}.T` AS a JOIN {dataset}.t AS b ON true") == [(1, "a")]
    assert rows("SELECT x, (SELECT MAX(x) FROM t) AS m FROM T WHERE T.x > 0") == [(1, "a")]
    assert rows("SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES AS a JOIN information_schema.tables AS b ON a.table_name = b.table_name") == [(2,)]
    sql("INSERT INTO T SELECT LENGTH(x) + 1 FROM t")
    sql("UPDATE T SET x = 10 WHERE T.x IN (SELECT LENGTH(x) FROM t)")
    sql("MERGE t AS target USING T AS source ON false WHEN NOT MATCHED THEN INSERT (x) VALUES (CAST(source.x AS STRING))")
    sql("DELETE t WHERE x IN (SELECT CAST(x AS STRING) FROM T WHERE x = 2)")
    assert rows("SELECT x FROM T ORDER BY x") == [(2,), (10,)] and rows("SELECT x FROM t ORDER BY x") == [("10",), ("a",)]


def test_required_columns(sql, rows, stock):
    for statement in ("INSERT INTO stock (name) VALUES ('x')", "UPDATE stock SET id = NULL WHERE true"):
        with pytest.raises(BadRequest, match="Required field id cannot be null"):
            sql(statement)
    assert rows("SELECT COUNT(*) FROM stock") == [(3,)]


def test_required_fields(sql, rows, load):
    sql("CREATE TABLE t (id INT64, s STRUCT<a INT64 NOT NULL, b STRING>, l ARRAY<STRUCT<x INT64 NOT NULL>>)")
    sql("INSERT INTO t VALUES (1, NULL, NULL), (2, (5, NULL), [STRUCT(6)])")
    for statement, field in (("INSERT INTO t (s) VALUES ((NULL, 'x'))", "a"), ("INSERT INTO t (l) VALUES ([STRUCT(1), STRUCT(NULL)])", "x"),
                             ("UPDATE t SET s.a = NULL WHERE id = 2", "a"), ("MERGE t USING (SELECT 9 AS n) ON t.id = n WHEN NOT MATCHED THEN INSERT (s) VALUES ((NULL, 'x'))", "a")):
        with pytest.raises(BadRequest, match=f"Required field {field} cannot be null"):
            sql(statement)
    assert rows("SELECT COUNT(*), SUM(s.a) FROM t") == [(2, 5)]


def test_the_partition_of_a_row_is_given_by_its_date(sql, rows):
    sql("CREATE TABLE t (x INT64) PARTITION BY _PARTITIONDATE")
    sql("INSERT INTO t (_PARTITIONDATE, x) VALUES ('2017-05-01', 1)")
    sql("INSERT INTO t (_PARTITIONDATE, x) SELECT DATE '2017-05-02', 2")
    sql("MERGE t USING (SELECT 3 AS x) AS n ON t.x = n.x WHEN NOT MATCHED THEN INSERT (x, _PARTITIONDATE) VALUES (n.x, DATE '2017-05-03')")
    sql("UPDATE t SET _PARTITIONDATE = '2018-01-01' WHERE x = 1")
    assert rows("SELECT x, CAST(_PARTITIONTIME AS STRING) FROM t ORDER BY x") == [
        (1, "2018-01-01 00:00:00+00"), (2, "2017-05-02 00:00:00+00"), (3, "2017-05-03 00:00:00+00")]


@pytest.mark.parametrize("statement, clause", [
    ("INSERT OR IGNORE INTO stock (id) VALUES (1)", "INSERT OR IGNORE"), ("INSERT OR REPLACE INTO stock (id) VALUES (1)", "INSERT OR REPLACE"),
    ("INSERT OR UPDATE INTO stock (id) VALUES (1)", "INSERT OR UPDATE"), ("DELETE stock WHERE true ASSERT_ROWS_MODIFIED 7", "ASSERT_ROWS_MODIFIED")])
def test_dml_that_bigquery_has_not(sql, rows, stock, statement, clause):
    with pytest.raises(BadRequest, match=f"{clause} is not supported"):
        sql(statement)
    assert rows("SELECT COUNT(*) FROM stock") == [(3,)]


def test_each_statement_is_a_moment_of_the_past(client, dataset, sql, rows, stock):
    import datetime as dt
    before = dt.datetime.now(dt.timezone.utc).isoformat()
    sql("DELETE FROM stock WHERE true")
    assert rows(f"SELECT COUNT(*) FROM stock FOR SYSTEM_TIME AS OF TIMESTAMP '{before}'") == [(3,)]


def test_dml_on_what_is_no_table(dataset, sql, stock):
    sql(f"CREATE VIEW seen AS SELECT id FROM {dataset}.stock")
    with pytest.raises(BadRequest, match="currently a VIEW"):
        sql("DELETE FROM seen WHERE true")
    with pytest.raises(Exception, match="bigquery.tables.updateData denied"):
        sql("DELETE FROM `bigquery-public-data.samples.shakespeare` WHERE true")


# DDL ----------------------------------------------------------------------------------------------

def test_create_table_with_everything(client, dataset, sql):
    job = sql("""CREATE TABLE t (id INT64 NOT NULL OPTIONS(description='the id'), code STRING(10), price NUMERIC(10, 2), moment TIMESTAMP,
                                 r STRUCT<a STRING, b ARRAY<INT64>>)
                 PARTITION BY TIMESTAMP_TRUNC(moment, MONTH) CLUSTER BY code, id
                 OPTIONS(description='a table', friendly_name='T', labels=[('k', 'v')], require_partition_filter=true, partition_expiration_days=2)""")
    assert job.statement_type == "CREATE_TABLE" and job.ddl_operation_performed == "CREATE" and job.ddl_target_table.table_id == "t"
    table = client.get_table(f"{dataset}.t")
    assert [(field.name, field.field_type, field.mode, field.description) for field in table.schema][:2] == [
        ("id", "INTEGER", "REQUIRED", "the id"), ("code", "STRING", "NULLABLE", None)]
    assert table.schema[1].max_length == 10 and (table.schema[2].precision, table.schema[2].scale) == (10, 2)
    assert table.schema[4].fields[1].mode == "REPEATED"
    assert (table.time_partitioning.type_, table.time_partitioning.field, table.time_partitioning.expiration_ms) == ("MONTH", "moment", 172_800_000)
    assert table.clustering_fields == ["code", "id"] and table.description == "a table" and table.labels == {"k": "v"}


def test_create_range_partitioned_table(client, dataset, sql):
    sql("CREATE TABLE t (n INT64) PARTITION BY RANGE_BUCKET(n, GENERATE_ARRAY(0, 100, 10))")
    partitioning = client.get_table(f"{dataset}.t").range_partitioning
    assert (partitioning.field, partitioning.range_.start, partitioning.range_.end, partitioning.range_.interval) == ("n", 0, 100, 10)


def test_create_as_select(client, dataset, sql, rows):
    job = sql("CREATE TABLE t AS SELECT word, word_count FROM `bigquery-public-data.samples.shakespeare` WHERE corpus = 'hamlet' LIMIT 5")
    assert job.statement_type == "CREATE_TABLE_AS_SELECT" and job.total_bytes_processed > 0
    assert client.get_table(f"{dataset}.t").num_rows == 5 and rows("SELECT COUNT(word) FROM t") == [(5,)]
    sql("CREATE OR REPLACE TABLE t (only STRING) AS SELECT 'x'")
    assert rows("SELECT * FROM t") == [("x",)] and [field.name for field in client.get_table(f"{dataset}.t").schema] == ["only"]


def test_create_twice(sql, stock):
    with pytest.raises(Conflict, match="Already Exists: Table"):
        sql("CREATE TABLE stock (x INT64)")
    assert sql("CREATE TABLE IF NOT EXISTS stock (x INT64)").ddl_operation_performed == "SKIP"
    assert sql("CREATE OR REPLACE TABLE stock (x INT64)").ddl_operation_performed == "REPLACE"


def test_views(client, dataset, sql, rows, stock):
    job = sql(f"CREATE VIEW named OPTIONS(description='v') AS SELECT id, name FROM {dataset}.stock WHERE name IS NOT NULL")
    assert job.statement_type == "CREATE_VIEW" and job.total_bytes_processed == 0
    assert client.get_table(f"{dataset}.named").table_type == "VIEW" and rows("SELECT id FROM named ORDER BY id") == [(1,), (2,)]
    sql(f"CREATE VIEW whole AS SELECT * FROM {dataset}.named")
    sql(f"CREATE OR REPLACE VIEW named AS SELECT id, name, id * 2 AS twice FROM {dataset}.stock")
    assert rows("SELECT twice FROM whole WHERE id = 2") == [(4,)]
    with pytest.raises(BadRequest, match="currently a VIEW"):
        sql("DROP TABLE named")
    assert sql("DROP VIEW named").statement_type == "DROP_VIEW"


def test_drop(client, dataset, sql, stock):
    assert sql("DROP TABLE stock").ddl_operation_performed == "DROP"
    with pytest.raises(NotFound, match=rf"Not found: Table {client.project}:{dataset}.stock; reason"):
        sql("DROP TABLE stock")
    assert sql("DROP TABLE IF EXISTS stock").ddl_operation_performed == "SKIP"


def test_schemas(client, dataset, sql):
    name = f"{dataset}_made"
    assert sql(f"CREATE SCHEMA {name} OPTIONS(description='made by SQL', default_table_expiration_days=1)").statement_type == "CREATE_SCHEMA"
    made = client.get_dataset(name)
    assert made.description == "made by SQL" and made.default_table_expiration_ms == 86_400_000
    with pytest.raises(Conflict, match="Already Exists: Dataset"):
        sql(f"CREATE SCHEMA {name}")
    sql(f"CREATE SCHEMA IF NOT EXISTS {name}")
    sql(f"CREATE TABLE {name}.t (x INT64)")
    with pytest.raises(BadRequest, match="is still in use"):
        sql(f"DROP SCHEMA {name}")
    sql(f"DROP SCHEMA {name} CASCADE")
    with pytest.raises(NotFound):
        client.get_dataset(name)


@pytest.mark.parametrize("columns, expression", [
    ("t TIMESTAMP", "t"), ("t DATETIME", "t"), ("t STRING", "t"), ("t INT64", "t"), ("t DATE", "DATE(t)"), ("t DATE", "DATE_TRUNC(t, WEEK)"),
    ("t TIMESTAMP", "DATE(t, 'UTC')"), ("t INT64", "RANGE_BUCKET(t, [1, 2])"), ("t INT64", "t + 1")])
def test_what_a_table_is_not_partitioned_by(sql, columns, expression):
    with pytest.raises(BadRequest, match=r"PARTITION BY expression must be _PARTITIONDATE, DATE\(_PARTITIONTIME\), DATE\(<timestamp_column>\)"):
        sql(f"CREATE TABLE parted ({columns}) PARTITION BY {expression}")


def test_one_partitioning_and_its_shortest_form(client, dataset, sql):
    with pytest.raises(BadRequest, match="Only a single PARTITION BY expression is supported but found 2"):
        sql("CREATE TABLE parted (a DATE, b DATE) PARTITION BY a, b")
    sql("CREATE TABLE parted (a INTEGER, b DECIMAL(5, 2)) PARTITION BY RANGE_BUCKET(a, GENERATE_ARRAY(0, 10))")
    assert client.get_table(f"{dataset}.parted").range_partitioning.range_.interval == 1


@pytest.mark.parametrize("text, words", [
    ("CREATE TABLE t (x INT64, CHECK (x > 0))", "CHECK"), ("CREATE TABLE t (x INT64) OPTIONS(storage_uri='k')", "the option storage_uri"),
    ("CREATE TABLE t (x INT64, y INT64 GENERATED ALWAYS AS (x + 1))", "the generated column y"), ("CREATE TABLE t (x INT64 HIDDEN)", "the hidden column x"),
    ("CREATE FUNCTION f(x INT64 DEFAULT 5) AS (x)", "a default for the argument x")])
def test_what_is_not_supported_says_so(sql, text, words):
    with pytest.raises(Exception, match=f"does not support .*{words}"):
        sql(text)
