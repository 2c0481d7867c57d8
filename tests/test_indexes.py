"""Search and vector indexes: what is kept of them, and told."""
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound


@pytest.fixture
def page(sql):
    sql("CREATE TABLE page (id INT64, words STRING, about STRUCT<a STRING>, place ARRAY<FLOAT64>, size FLOAT64)")


def test_a_search_index(sql, rows, page):
    job = sql("CREATE SEARCH INDEX found ON page(ALL COLUMNS)")
    assert (job.statement_type, job.ddl_operation_performed, job.ddl_target_table.table_id) == ("CREATE_SEARCH_INDEX", "CREATE", "page")
    assert rows("SELECT index_column_name FROM INFORMATION_SCHEMA.SEARCH_INDEX_COLUMNS ORDER BY 1") == [("about",), ("id",), ("words",)]
    assert sql("CREATE SEARCH INDEX IF NOT EXISTS found ON page(words)").ddl_operation_performed == "SKIP"
    assert sql("CREATE OR REPLACE SEARCH INDEX found ON page(words, about) OPTIONS (analyzer='NO_OP_ANALYZER')").ddl_operation_performed == "REPLACE"
    sql("ALTER SEARCH INDEX found ON page SET OPTIONS (default_index_column_granularity='COLUMN')")
    assert rows("SELECT index_status, disable_reason, unindexed_row_count, analyzer FROM INFORMATION_SCHEMA.SEARCH_INDEXES") == [
        ("TEMPORARILY DISABLED", "BASE TABLE TOO SMALL", 0, "NO_OP_ANALYZER")]
    assert rows("SELECT option_name, option_value FROM INFORMATION_SCHEMA.SEARCH_INDEX_OPTIONS ORDER BY 1") == [
        ("analyzer", '"NO_OP_ANALYZER"'), ("default_index_column_granularity", '"COLUMN"')]
    (ddl,), = rows("SELECT ddl FROM INFORMATION_SCHEMA.SEARCH_INDEXES")
    assert sql("DROP SEARCH INDEX found ON page").statement_type == "DROP_SEARCH_INDEX"
    sql(ddl)
    assert rows("SELECT ddl FROM INFORMATION_SCHEMA.SEARCH_INDEXES") == [(ddl,)]


def test_a_vector_index(sql, rows, page):
    sql("CREATE VECTOR INDEX near ON page(place) STORING(id) OPTIONS (index_type='IVF', distance_type='COSINE')")
    (ddl,), = rows("SELECT ddl FROM INFORMATION_SCHEMA.VECTOR_INDEXES")
    assert "(place)\nSTORING(id)\nOPTIONS(\n  index_type=\"IVF\",\n  distance_type=\"COSINE\"\n)" in ddl
    assert rows("SELECT COUNT(*) FROM INFORMATION_SCHEMA.SEARCH_INDEXES") == [(0,)]
    assert sql("DROP VECTOR INDEX near ON page").ddl_operation_performed == "DROP"
    assert sql("DROP VECTOR INDEX IF EXISTS near ON page").ddl_operation_performed == "SKIP"


@pytest.mark.parametrize("text, error, words", [
    ("DROP SEARCH INDEX none ON page", NotFound, "Not found"), ("ALTER SEARCH INDEX none ON page SET OPTIONS (analyzer='LOG_ANALYZER')", NotFound, "none"),
    ("CREATE SEARCH INDEX x ON page(size)", BadRequest, "Column size of type FLOAT64"), ("CREATE VECTOR INDEX x ON page(place)", BadRequest, "index_type"),
    ("CREATE VECTOR INDEX x ON page(words) OPTIONS (index_type='IVF')", BadRequest, "Column words of type STRING"),
    ("CREATE SEARCH INDEX x ON page(words) OPTIONS (analyzer='NONE')", BadRequest, "not a valid value"),
    ("CREATE SEARCH INDEX x ON page(words) OPTIONS (colour='red')", BadRequest, "Unknown option: colour"),
    ("CREATE SEARCH INDEX x ON nowhere(words)", NotFound, "nowhere"),
    ("CREATE SEARCH INDEX x ON page(words); CREATE SEARCH INDEX y ON page(words)", Conflict, "Already Exists")])
def test_what_is_refused(sql, page, text, error, words):
    with pytest.raises(error, match=words):
        sql(text)
