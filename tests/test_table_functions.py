"""The results of GAP_FILL and VECTOR_SEARCH are those of BigQuery's documentation where it has them."""
import datetime as dt
import re

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

FOUR = [(1, "09:34:01", 74, "INACTIVE"), (2, "09:36:00", 77, "ACTIVE"), (3, "09:37:00", 78, "ACTIVE"), (4, "09:38:01", 80, "ACTIVE")]
ONE_NULL = [*FOUR[:2], (3, "09:37:00", None, "ACTIVE"), FOUR[3]]
SPREAD = [(1, "09:34:01", 74, "ACTIVE"), (2, "09:36:00", 77, "INACTIVE"), (3, "09:38:00", 78, "ACTIVE"), (4, "09:39:01", 80, "ACTIVE")]
SERIES = [(2, "09:35:07", 87, "A"), (1, "09:35:26", 82, "A"), (3, "09:35:39", 74, "I"), (2, "09:36:07", 88, "A"), (1, "09:36:26", 82, "A"),
          (2, "09:37:07", 88, "A"), (1, "09:37:28", 80, "A"), (3, "09:37:39", 77, "A"), (2, "09:38:07", 86, "A"), (1, "09:38:26", 81, "A"), (3, "09:38:39", 77, "A")]


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2023-11-01T{text}")


@pytest.fixture
def filled(rows):
    """GAP_FILL by the minute over rows of a device."""
    def run(given: list[tuple], arguments: str) -> list[tuple]:
        rows("CREATE OR REPLACE TABLE device_data (device_id INT64, time DATETIME, signal INT64, state STRING) AS SELECT * FROM UNNEST("
             "ARRAY<STRUCT<INT64, DATETIME, INT64, STRING>>["
             + ", ".join(f"({number}, '2023-11-01 {time}', {'NULL' if signal is None else signal}, '{state}')" for number, time, signal, state in given) + "])")
        return rows(f"SELECT * FROM GAP_FILL(TABLE device_data, ts_column => 'time', bucket_width => INTERVAL 1 MINUTE{arguments}) ORDER BY time")
    return run


@pytest.mark.parametrize("given, arguments, values", [
    (FOUR, "('signal', 'locf')", [74, 77, 78, 78]), (FOUR, "('signal', 'linear')", [75, 77, 78, 80]), (FOUR, "('signal', 'null')", [None, 77, 78, None]),
    (ONE_NULL, "('signal', 'linear')", [75, 77, 78, 80]), (ONE_NULL, "STRUCT('SIGNAL', 'LOCF')", [74, 77, 77, 77])])
def test_gap_fill_by_each_method(filled, given, arguments, values):
    assert filled(given, f", value_columns => [{arguments}]") == [(moment(f"09:3{5 + place}"), value) for place, value in enumerate(values)]


@pytest.mark.parametrize("method, values", [("linear", [75, 77, None, None]), ("locf", [74, 77, None, None])])
def test_gap_fill_that_heeds_nulls(filled, method, values):
    made = filled(ONE_NULL, f", value_columns => [('signal', '{method}')], ignore_null_values => FALSE")
    assert [value for _, value in made] == values


def test_gap_fill_of_all_columns(filled):
    assert filled(FOUR, "") == [(moment("09:35"), None, None, None), (moment("09:36"), 2, 77, "ACTIVE"), (moment("09:37"), 3, 78, "ACTIVE"),
                                (moment("09:38"), None, None, None)]


def test_gap_fill_condenses(filled):
    given = [(1, "09:35:39", 74, "I"), (2, "09:37:00", 77, "A"), (3, "09:37:00", 77, "A"), (4, "09:37:20", 80, "A")]
    assert filled(given, ", value_columns => [('signal', 'locf')]") == [(moment("09:36"), 74), (moment("09:37"), 77)]


def test_gap_fill_of_several_series(filled):
    made = filled(SERIES, ", partitioning_columns => ['device_id'], value_columns => [('signal', 'locf')]")
    assert sorted((device, time.minute, value) for time, device, value in made) == [
        (1, 36, 82), (1, 37, 82), (1, 38, 80), (2, 36, 87), (2, 37, 88), (2, 38, 88), (3, 36, 74), (3, 37, 74), (3, 38, 77)]


def test_gap_fill_of_several_columns_and_from_an_origin(filled):
    assert filled(SPREAD, ", value_columns => [('signal', 'linear'), ('state', 'locf')]") == [
        (moment("09:35"), 75, "ACTIVE"), (moment("09:36"), 77, "INACTIVE"), (moment("09:37"), 78, "INACTIVE"), (moment("09:38"), 78, "ACTIVE"), (moment("09:39"), 80, "ACTIVE")]
    made = filled(SPREAD, ", value_columns => [('signal', 'null')], origin => DATETIME '2023-11-01 09:30:01'")
    assert made == [(moment(f"09:{34 + place}:01"), value) for place, value in enumerate([74, None, None, None, None, 80])]


def test_gap_fill_of_dates_and_timestamps(rows):
    days = "(SELECT DATE '2024-01-15' AS d, 1.5 AS x, NUMERIC '3' AS n, CAST(NULL AS STRING) AS k UNION ALL SELECT '2024-04-01', 4.5, 1, NULL)"
    assert rows(f"SELECT * FROM GAP_FILL({days}, 'd', INTERVAL 1 MONTH, value_columns => [('x', 'linear'), ('n', 'locf')], partitioning_columns => ['k']) ORDER BY d") == [
        (dt.date(2024, 2, 1), None, 1.5 + 3.0 * 17 / 77, 3), (dt.date(2024, 3, 1), None, pytest.approx(1.5 + 3.0 * 46 / 77), 3), (dt.date(2024, 4, 1), None, 4.5, 1)]
    times = "(SELECT TIMESTAMP '2024-01-15 10:00:00' AS t, [1] AS x UNION ALL SELECT '2024-01-15 20:00:00', [2])"
    assert rows(f"SELECT * FROM GAP_FILL({times}, 't', INTERVAL 6 HOUR, value_columns => [('x', 'locf')]) ORDER BY t") == [
        (dt.datetime(2024, 1, 15, hour, tzinfo=dt.timezone.utc), [1]) for hour in (12, 18)]


def test_gap_fill_in_larger_queries(filled, rows, dataset):
    """Calls of different columns beside one another, in a join, a view and a CREATE TABLE; no row, no bucket."""
    filled(FOUR, "")
    both = ("SELECT a.signal, b.state FROM GAP_FILL(TABLE device_data, 'time', INTERVAL 1 MINUTE, value_columns => [('signal', 'locf')]) a "
            "JOIN GAP_FILL((SELECT * FROM device_data WHERE device_id > 0), 'time', INTERVAL 2 MINUTE, value_columns => [('state', 'locf')]) b USING (time)")
    assert rows(both + " ORDER BY time") == [(77, "ACTIVE"), (78, "ACTIVE")]
    definition = f"SELECT signal FROM GAP_FILL(TABLE {dataset}.device_data, 'time', INTERVAL 1 MINUTE, value_columns => [('signal', 'locf')])"
    rows(f"CREATE VIEW v AS {definition}")
    assert rows("SELECT COUNT(*) FROM v") == [(4,)]
    assert rows("SELECT view_definition FROM INFORMATION_SCHEMA.VIEWS".replace("INFO", f"{dataset}.INFO")) == [(definition,)]
    rows(f"CREATE TABLE made AS {both}")
    rows("TRUNCATE TABLE device_data")
    assert rows("SELECT * FROM GAP_FILL(TABLE device_data, 'time', INTERVAL 1 MINUTE)") == []


@pytest.mark.parametrize("arguments, message", [
    ("'time', INTERVAL 1 MINUTE, value_columns => [('state', 'linear')]", "needs a numeric column"), ("'time', INTERVAL 0 MINUTE", "must be a positive INTERVAL"),
    ("'tim', INTERVAL 1 MINUTE", "Unrecognized name: tim; Did you mean time? at [1:15]"), ("'time'", "Signature requires at least 3 arguments"),
    ("'time', INTERVAL 1 MINUTE, value_columns => [('stat', 'locf')]", "Unrecognized name: stat; Did you mean state? at [1:15]"),
    ("'time', INTERVAL 1 MINUTE, value_columns => [('state', 'mean')]", "unknown gap-filling method mean"),
    ("'signal', INTERVAL 1 MINUTE", "must be of type DATE, DATETIME or TIMESTAMP"), ("CONCAT('ti', 'me'), INTERVAL 1 MINUTE", "must be a STRING literal"),
    ("'time', INTERVAL 1 MINUTE, origin => DATE '2024-01-01'", "must be of the same type"), ("'time', INTERVAL 1 MINUTE, ['state']", "can only be referred to by name"),
    ("'time', INTERVAL 1 MINUTE, width => 1", "Named argument width not found in signature for call to function GAP_FILL")])
def test_gap_fill_refused(filled, rows, arguments, message):
    filled(FOUR, "")
    with pytest.raises(BadRequest, match=re.escape(message)):
        rows(f"SELECT * FROM GAP_FILL(TABLE device_data, {arguments})")


@pytest.fixture
def search(rows):
    """The rows of a VECTOR_SEARCH over animals, by distance."""
    rows("CREATE TABLE base_table (id STRING, my_embedding ARRAY<FLOAT64>) AS SELECT * FROM UNNEST(ARRAY<STRUCT<STRING, ARRAY<FLOAT64>>>[('dog', [1.0, 2.0]), "
         "('wolf', [2.0, 4.0]), ('snake', [-2.0, 3.0]), ('lion', [2.0, -2.5]), ('tiger', [3.0, -2.0]), ('otter', [-3.0, -1.0]), ('whale', [-5.0, -1.0])])")
    rows("INSERT INTO base_table (id) VALUES ('none')")
    rows("CREATE TABLE query_table (query_id STRING, embedding ARRAY<FLOAT64>) AS SELECT 'dog', [1.0, 2.0] UNION ALL SELECT 'cat', [1.0, -1.0]")

    def run(arguments: str, select: str = "query.query_id, base.id, distance") -> list[tuple]:
        return rows(f"SELECT {select} FROM VECTOR_SEARCH({arguments}) ORDER BY {1 if select.startswith('query') else 'distance'}, distance")
    return run


NEAREST = {"EUCLIDEAN": [("cat", "lion", 1.8027756377319946), ("cat", "tiger", 2.23606797749979), ("dog", "dog", 0.0), ("dog", "wolf", 2.23606797749979)],
           "COSINE": [("cat", "lion", 0.0061162653263812095), ("cat", "tiger", 0.019419324309079777), ("dog", "dog", 0.0), ("dog", "wolf", 0.0)],
           "DOT_PRODUCT": [("cat", "tiger", -5.0), ("cat", "lion", -4.5), ("dog", "wolf", -10.0), ("dog", "dog", -5.0)]}


@pytest.mark.parametrize("kind", NEAREST)
def test_vector_search_by_each_distance(search, kind):
    made = search(f"TABLE base_table, 'my_embedding', TABLE query_table, 'embedding', top_k => 2, distance_type => '{kind}'")
    assert sorted(made) == sorted(NEAREST[kind])


def test_vector_search_of_queries(search):
    text = "(SELECT * FROM base_table WHERE id != 'wolf'), 'my_embedding', (SELECT query_id, embedding FROM query_table)"
    assert search(text + ", query_column_to_search => 'embedding', top_k => 2, options => '{\"use_brute_force\":true}'") == [
        *NEAREST["EUCLIDEAN"][:3], ("dog", "snake", 3.1622776601683795)]
    assert len(search(text)) == 12 and len(search(text + ", top_k => -1")) == 12 and search(text + ", top_k => 0") == []  # ten, all, none


def test_vector_search_of_one_vector(search, rows, sql):
    assert search("TABLE base_table, 'my_embedding', query_value => [1.0, -1.0], top_k => 2", "*") == [
        ({"id": "lion", "my_embedding": [2.0, -2.5]}, 1.8027756377319946), ({"id": "tiger", "my_embedding": [3.0, -2.0]}, 2.23606797749979)]
    given = [bigquery.ArrayQueryParameter("v", "FLOAT64", [1.0, 2.0]), bigquery.ScalarQueryParameter("k", "INT64", 1)]
    job = sql("SELECT base.id FROM VECTOR_SEARCH(TABLE base_table, 'my_embedding', query_value => @v, top_k => @k)", query_parameters=given)
    assert [tuple(row) for row in job] == [("dog",)]
    assert rows("DECLARE k INT64 DEFAULT 1; SELECT base.id FROM VECTOR_SEARCH(TABLE base_table, 'my_embedding', query_value => [2.0, 4.0], top_k => k)") == [("wolf",)]


@pytest.mark.parametrize("arguments, message", [
    ("'my_embedding', query_value => [1.0]", "Array length mismatch: 1 and 2."), ("'id', query_value => [1.0]", "must be of type ARRAY<FLOAT64>; it is of type STRING"),
    ("'my_embedding', query_value => [0.0, 0.0], distance_type => 'COSINE'", "Cannot compute cosine distance against zero vector."),
    ("'my_embedding', query_value => [0.0, 0.0], distance_type => 'MANHATTAN'", "unknown distance type MANHATTAN"), ("'x', query_value => [1.0]", "column not found: x"),
    ("'my_embedding', (SELECT 1 AS x)", "has no column of type ARRAY<FLOAT64>"), ("'my_embedding', query_value => 'x'", "Unable to coerce type STRING"),
    ("'my_embedding', query_value => [1.0, 1.0], options => '{\"fraction_lists_to_search\": 2}'", "between 0.0 and 1.0"),
    ("'my_embedding', query_value => [1.0, 1.0], options => '{\"lists\": 2}'", "unknown option lists"),
    ("'my_embedding', query_value => [1.0, 1.0], options => '{\"use_brute_force\": true, \"fraction_lists_to_search\": 0.5}'", "can't be given with use_brute_force")])
def test_vector_search_refused(search, arguments, message):
    with pytest.raises(BadRequest, match=re.escape(message)):
        search(f"TABLE base_table, {arguments}", "*")


@pytest.mark.parametrize("statement, count", [
    ("SELECT base.id FROM VECTOR_SEARCH(TABLE base_table, 'my_embedding', query_value => [1.0, -1.0])", "id, my_embedding"),
    ("SELECT distance FROM VECTOR_SEARCH(TABLE base_table, 'my_embedding', query_value => [1.0, -1.0])", "my_embedding"),
    ("SELECT _CHANGE_TYPE FROM APPENDS(TABLE base_table) WHERE id > ''", "id"),
    ("SELECT t FROM GAP_FILL((SELECT CURRENT_DATE() AS t, id, my_embedding FROM base_table), 't', INTERVAL 1 DAY, value_columns => [('id', 'locf')])", "id")])
def test_bytes_are_of_the_columns_that_count(search, sql, statement, count):
    assert sql(statement).total_bytes_processed == sql(f"SELECT {count} FROM base_table").total_bytes_processed


def test_beside_a_table_function_of_the_users(search, rows, dataset):
    rows(f"CREATE TABLE FUNCTION named(wanted STRING) AS SELECT id FROM {dataset}.base_table WHERE id = wanted")
    nearest = "VECTOR_SEARCH(TABLE base_table, 'my_embedding', query_value => [1.0, 2.0], top_k => 1)"
    assert rows(f"SELECT id, base.id AS nearest FROM named('lion'), {nearest}") == [("lion", "dog")]
    rows(f"CREATE TABLE FUNCTION nearest(wanted STRING) AS SELECT base.id FROM {nearest.replace('base_table', f'{dataset}.base_table')}")
    with pytest.raises(GoogleAPICallError, match="does not support the table function VECTOR_SEARCH"):
        rows("SELECT * FROM nearest('x')")


def test_range_sessionize(rows):
    spans = ("(SELECT 1 AS k, RANGE<DATE> '[2024-01-01, 2024-01-03)' AS r UNION ALL SELECT 1, RANGE<DATE> '[2024-01-03, 2024-01-05)' "
             "UNION ALL SELECT 2, RANGE<DATE> '[2024-01-01, 2024-01-02)')")
    for mode, ends in ("", [5, 5, 2]), (", 'OVERLAPS'", [3, 5, 2]):
        assert rows(f"SELECT EXTRACT(DAY FROM RANGE_END(session_range)) FROM RANGE_SESSIONIZE({spans}, 'r', ['k']{mode}) ORDER BY k, r") == [(end,) for end in ends]
    for arguments, message in ("'k', ['k']", "is not of type RANGE"), ("'r', ['x']", "partitioning column not found: x"), ("'x', ['k']", "Unrecognized name: x"):
        with pytest.raises(BadRequest, match=message):
            rows(f"SELECT * FROM RANGE_SESSIONIZE({spans}, {arguments})")
