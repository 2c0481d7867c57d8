"""MATCH_RECOGNIZE: the results of BigQuery's documentation. test_differential.py has patterns made at random."""
import datetime as dt

import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

NUMBERS = "(SELECT x FROM UNNEST([1, 2, 3]) AS x)"
SALES = [("Daisy", "2024-01-03", "Electronics", 500), ("Daisy", "2024-01-04", "Software", 30), ("Ian", "2024-02-01", "Books", 20), ("Ian", "2024-02-08", "Clothing", 30),
         ("Ian", "2024-02-10", "Clothing", 90), ("Daisy", "2024-03-15", "Software", 40), ("Ian", "2024-03-15", "Electronics", 300), ("Ian", "2024-03-15", "Electronics", 400),
         ("Ian", "2024-03-21", "Software", 30), ("Ian", "2024-04-07", "Books", 50), ("Daisy", "2024-06-28", "Electronics", 400), ("Daisy", "2024-06-29", "Clothing", 100),
         ("Daisy", "2024-06-30", "Software", 30), ("Ian", "2024-07-07", "Clothing", 110)]
BOUGHT = ("PATTERN (electronics+ any_category*? software+) DEFINE electronics AS product_category = 'Electronics', "
          "software AS product_category = 'Software', any_category AS TRUE")
RISING = "PATTERN (low+ mid+ high+) DEFINE low AS amount < 50, mid AS amount >= 50 AND amount <= 100, high AS amount > 100"


@pytest.fixture
def sales(rows):
    """The rows of a MATCH_RECOGNIZE by customer and date."""
    rows("CREATE TABLE sales (customer STRING, sale_date DATE, product_category STRING, amount INT64)")
    rows(f"INSERT INTO sales VALUES {', '.join(map(str, SALES))}")
    return lambda clauses: rows(f"SELECT * FROM sales MATCH_RECOGNIZE (PARTITION BY customer ORDER BY sale_date {clauses}) ORDER BY 1, 2")


@pytest.mark.parametrize("clauses, found", [
    ("AFTER MATCH SKIP TO NEXT ROW PATTERN (low | high) DEFINE low AS x <= 2, high AS x >= 2", [([], [1]), ([], [2]), ([3], [])]),
    ("AFTER MATCH SKIP TO NEXT ROW PATTERN (low | high+) DEFINE low AS x <= 2, high AS x >= 2 OPTIONS (use_longest_match = TRUE)", [([], [1]), ([2, 3], []), ([3], [])])])
def test_which_match_is_chosen(rows, clauses, found):
    measures = "MEASURES MATCH_NUMBER() AS n, ARRAY_AGG(high.x) AS high_agg, ARRAY_AGG(low.x) AS low_agg"
    assert rows(f"SELECT high_agg, low_agg FROM {NUMBERS} MATCH_RECOGNIZE (ORDER BY x {measures} {clauses}) ORDER BY n") == found


def test_sums_of_symbols(sales):
    made = sales(f"MEASURES SUM(amount) AS total, SUM(software.amount) AS software_amount, ARRAY_AGG(product_category) AS categories {BOUGHT}")
    assert made == [("Daisy", 530, 30, ["Electronics", "Clothing", "Software"]), ("Daisy", 570, 70, ["Electronics", "Software", "Software"]),
                    ("Ian", 730, 30, ["Electronics", "Electronics", "Software"])]


def test_first_and_last_rows(sales):
    made = sales("MEASURES LAST(electronics.sale_date) AS last_one, FIRST(software.sale_date) AS first_one, "
                 f"DATE_DIFF(FIRST(software.sale_date), LAST(electronics.sale_date), DAY) AS gap {BOUGHT}")
    assert made == [("Daisy", dt.date(2024, 1, 3), dt.date(2024, 1, 4), 1), ("Daisy", dt.date(2024, 6, 28), dt.date(2024, 6, 30), 2), ("Ian", dt.date(2024, 3, 15), dt.date(2024, 3, 21), 6)]


@pytest.mark.parametrize("skip, found", [("", [[1, 2, 3, 4, 5], [1, 2, 3]]), ("AFTER MATCH SKIP TO NEXT ROW", [[1, 2, 3, 4, 5], [1, 2, 3, 4], [1, 2, 3]])])
def test_numbers_of_rows_and_matches(sales, skip, found):
    made = sales(f"MEASURES MATCH_NUMBER() AS n, ARRAY_AGG(MATCH_ROW_NUMBER()) AS rows_of, STRING_AGG(CLASSIFIER()) AS symbols {skip} {RISING}")
    assert [(customer, number, numbers) for customer, number, numbers, _ in made] == [("Ian", place + 1, numbers) for place, numbers in enumerate(found)]
    assert made[0][3] == "low,low,mid,high,high"


def test_rows_around(sales):
    made = sales("MEASURES MIN(peak.amount) AS top PATTERN (incline peak decline) DEFINE incline AS amount < NEXT(amount), "
                 "peak AS PREV(amount) < amount AND amount > NEXT(amount), decline AS PREV(amount, 1) > amount")
    assert made == [("Daisy", 400), ("Ian", 400)]


def test_empty_matches_and_no_rows(rows):
    text = "SELECT * FROM {} MATCH_RECOGNIZE (ORDER BY x MEASURES MATCH_NUMBER() AS n, COUNT(*) AS c, MAX(a.x) AS m, FIRST(x) AS f PATTERN (a?) DEFINE a AS x = 2) ORDER BY n"
    assert rows(text.format(NUMBERS)) == [(1, 0, None, None), (2, 1, 2, 2), (3, 0, None, None)]
    assert rows(text.format(f"(SELECT * FROM {NUMBERS} WHERE x > 3)")) == []


def test_in_views_pipes_and_with_parameters(sales, sql, rows, dataset):
    rows(f"CREATE VIEW v AS SELECT * FROM {dataset}.sales MATCH_RECOGNIZE (ORDER BY sale_date MEASURES SUM(amount) AS total PATTERN (^ a{{,3}} a*? $) DEFINE a AS TRUE)")
    job = sql("SELECT total FROM v")
    assert [tuple(row) for row in job] == [(2130,)] and job.total_bytes_processed == 14 * 16
    assert rows("FROM sales |> MATCH_RECOGNIZE (PARTITION BY customer ORDER BY sale_date MEASURES COUNT(*) AS n PATTERN ((a | b)+) DEFINE a AS amount < 50, b AS amount > 90) "
                "|> ORDER BY customer, n") == [("Daisy", 6), ("Ian", 1), ("Ian", 2), ("Ian", 3)]
    given = [bigquery.ScalarQueryParameter("n", "INT64", 2)]
    job = sql("SELECT n FROM sales MATCH_RECOGNIZE (ORDER BY sale_date MEASURES COUNT(*) AS n PATTERN (a{@n}) DEFINE a AS TRUE)", query_parameters=given)
    assert [tuple(row) for row in job] == [(2,)] * 7


@pytest.mark.parametrize("clauses, message", [
    ("MEASURES amount AS m PATTERN (a) DEFINE a AS TRUE", "neither grouped nor aggregated"), ("MEASURES SUM(amount) AS m PATTERN (a{3,2}) DEFINE a AS TRUE", "upper bound"),
    ("MEASURES SUM(a.amount + b.amount) AS m PATTERN (a b) DEFINE a AS TRUE, b AS TRUE", "ranges over pattern variable"),
    ("MEASURES SUM(amount) AS m PATTERN (a) DEFINE a AS TRUE OPTIONS (fast = TRUE)", "Unrecognized MATCH_RECOGNIZE option `fast`")])
def test_refused(sales, clauses, message):
    with pytest.raises(BadRequest, match=message):
        sales(clauses)
