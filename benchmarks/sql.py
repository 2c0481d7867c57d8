"""`python -m benchmarks.sql [--rows N]`: queries over HTTP, each beside the same on DuckLake in hand-written SQL, in the same run.

A query counts as fast where it is answered, to the last byte of its rows, in at most 1.3 times DuckDB's time and 15 ms. Google's client takes
some 12 us more for each row that it reads, whoever sent it: the last column is the time until it has them all. Also: how long a page of SQL takes to be
analyzed and compiled, and what a result of a million rows costs in time and memory. On a machine with other work to do, read the ratios.
"""
from __future__ import annotations

import argparse
import os
import platform
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple

import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from benchmarks.__main__ import CACHE, emulator, measure

RUNS = 11


class Query(NamedTuple):
    what: str
    google: str
    duck: str


# The tables: a of N rows twice inserted, b of a thousandth of them; v is a view of a.
FILL = ("SELECT x AS id, MOD(x, 1000) AS g, CONCAT('name ', CAST(MOD(x, 5000) AS STRING)) AS s, x * 1.5 AS f, "
        "DATE_ADD(DATE '2020-01-01', INTERVAL MOD(x, 1000) DAY) AS d, TIMESTAMP_ADD(TIMESTAMP '2020-01-01', INTERVAL x SECOND) AS t, "
        "CAST(x AS NUMERIC) AS n FROM UNNEST(GENERATE_ARRAY({0}, {1})) AS x")
DUCK_FILL = ("SELECT x::BIGINT AS id, (x % 1000)::BIGINT AS g, concat('name ', (x % 5000)::VARCHAR) AS s, (x * 1.5)::DOUBLE AS f, "
             "DATE '2020-01-01' + (x % 1000)::INT AS d, TIMESTAMPTZ '2020-01-01' + to_seconds(x) AS t, x::DECIMAL(38,9) AS n FROM range({0}, {1} + 1) r(x)")
QUERIES = [
    Query("count with a filter", "SELECT COUNT(*) FROM a WHERE id > 1000000 AND g = 5", "SELECT count(*) FROM a WHERE id > 1000000 AND g = 5"),
    Query("filter by LIKE", "SELECT COUNT(*) FROM a WHERE s LIKE 'name 1%'", "SELECT count(*) FROM a WHERE s LIKE 'name 1%'"),
    Query("filter by a regular expression", "SELECT COUNT(*) FROM a WHERE REGEXP_CONTAINS(s, r'1.*9')", "SELECT count(*) FROM a WHERE regexp_matches(s, '1.*9')"),
    Query("group by a number", "SELECT g, COUNT(*) AS c, SUM(id) AS i FROM a GROUP BY g", "SELECT g, count(*), sum(id) FROM a GROUP BY g"),
    Query("group by a text", "SELECT s, AVG(f) AS f FROM a GROUP BY s", "SELECT s, avg(f) FROM a GROUP BY s"),
    Query("sum of an expression", "SELECT SUM(id * 2 + 1) FROM a", "SELECT sum(id * 2 + 1) FROM a"),
    Query("sum of NUMERIC", "SELECT SUM(n) FROM a", "SELECT sum(n) FROM a"),
    Query("count distinct", "SELECT COUNT(DISTINCT s) FROM a", "SELECT count(DISTINCT s) FROM a"),
    Query("select distinct", "SELECT COUNT(*) FROM (SELECT DISTINCT g, s FROM a)", "SELECT count(*) FROM (SELECT DISTINCT g, s FROM a)"),
    Query("join with a small table", "SELECT COUNT(*) FROM a JOIN b ON a.g = b.id WHERE b.id < 50", "SELECT count(*) FROM a JOIN b ON a.g = b.id WHERE b.id < 50"),
    Query("join with itself", "SELECT COUNT(*) FROM a x JOIN a y USING (id) WHERE x.g = 1", "SELECT count(*) FROM a x JOIN a y USING (id) WHERE x.g = 1"),
    Query("window: row number", "SELECT MAX(r) FROM (SELECT ROW_NUMBER() OVER (PARTITION BY g ORDER BY id) AS r FROM a)",
          "SELECT max(r) FROM (SELECT row_number() OVER (PARTITION BY g ORDER BY id) AS r FROM a)"),
    Query("window: running sum", "SELECT MAX(r) FROM (SELECT SUM(f) OVER (PARTITION BY g ORDER BY id) AS r FROM a)",
          "SELECT max(r) FROM (SELECT sum(f) OVER (PARTITION BY g ORDER BY id) AS r FROM a)"),
    Query("strings: upper", "SELECT COUNT(DISTINCT UPPER(s)) FROM a", "SELECT count(DISTINCT upper(s)) FROM a"),
    Query("strings: concat and cast", "SELECT MAX(CONCAT(s, '-', CAST(id AS STRING))) FROM a", "SELECT max(concat(s, '-', id::VARCHAR)) FROM a"),
    Query("strings: split", "SELECT SUM(ARRAY_LENGTH(SPLIT(s, ' '))) FROM a", "SELECT sum(len(split(s, ' '))) FROM a"),
    Query("dates: year", "SELECT EXTRACT(YEAR FROM d) AS y, COUNT(*) AS c FROM a GROUP BY y", "SELECT year(d) AS y, count(*) FROM a GROUP BY y"),
    Query("dates: format", "SELECT MAX(FORMAT_DATE('%Y-%m', d)) FROM a", "SELECT max(strftime(d, '%Y-%m')) FROM a"),
    Query("timestamps: truncate", "SELECT TIMESTAMP_TRUNC(t, DAY) AS y, COUNT(*) AS c FROM a GROUP BY y", "SELECT date_trunc('day', t) AS y, count(*) FROM a GROUP BY y"),
    Query("unnest", "SELECT SUM(e) FROM a, UNNEST([id, g]) AS e", "SELECT sum(e) FROM (SELECT unnest([id, g]) AS e FROM a)"),
    Query("a view", "SELECT g, SUM(f) AS f FROM v GROUP BY g", "SELECT g, sum(f) FROM v GROUP BY g"),
    Query("the first ten", "SELECT id FROM a ORDER BY f DESC LIMIT 10", "SELECT id FROM a ORDER BY f DESC LIMIT 10"),
    Query("create table as select", "CREATE OR REPLACE TABLE c AS SELECT * FROM a WHERE g < 100", "CREATE OR REPLACE TABLE c AS SELECT * FROM a WHERE g < 100"),
    Query("insert from select", "INSERT INTO c SELECT * FROM a WHERE g = 7", "INSERT INTO c SELECT * FROM a WHERE g = 7"),
]
PAGE = """WITH orders AS (
  SELECT
    id AS order_id,
    g AS customer_id,
    s AS status,
    f AS amount,
    d AS ordered_on
  FROM a
  WHERE d >= DATE '2021-01-01'
    AND s != 'cancelled'
),
customers AS (
  SELECT
    customer_id,
    COUNT(*) AS orders,
    SUM(amount) AS revenue,
    MIN(ordered_on) AS first_order,
    MAX(ordered_on) AS last_order
  FROM orders
  GROUP BY customer_id
),
ranked AS (
  SELECT
    *,
    ROW_NUMBER() OVER (ORDER BY revenue DESC) AS position,
    DATE_DIFF(last_order, first_order, DAY) AS days
  FROM customers
)
SELECT
  r.customer_id,
  UPPER(b.s) AS name,
  r.orders,
  ROUND(r.revenue, 2) AS revenue,
  r.first_order,
  r.last_order,
  CASE
    WHEN r.position <= 10 THEN 'top'
    WHEN r.revenue > 1000 THEN 'good'
    ELSE 'other'
  END AS class,
  SAFE_DIVIDE(r.revenue, r.orders) AS average,
  FORMAT_DATE('%Y-%m', r.last_order) AS last_month
FROM ranked AS r
LEFT JOIN b
  ON b.id = r.customer_id
WHERE r.orders > 1
  AND r.days IS NOT NULL
ORDER BY
  r.revenue DESC,
  r.customer_id
LIMIT 100 -- {0}"""
DENSE_PAGE = """WITH daily AS (
  SELECT d, g, COUNT(*) AS orders, SUM(f) AS revenue, COUNT(DISTINCT s) AS customers, MAX(t) AS last_order
  FROM a WHERE d BETWEEN DATE '2021-01-01' AND DATE '2021-12-31' AND s LIKE 'name%' GROUP BY d, g),
ranked AS (
  SELECT *, RANK() OVER (PARTITION BY d ORDER BY revenue DESC) AS place,
    SUM(revenue) OVER (PARTITION BY g ORDER BY d ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week,
    LAG(revenue) OVER (PARTITION BY g ORDER BY d) AS before
  FROM daily),
named AS (
  SELECT r.*, b.s AS name, CASE WHEN place <= 3 THEN 'top' WHEN place <= 10 THEN 'high' ELSE 'other' END AS class,
    SAFE_DIVIDE(revenue - before, before) AS growth, FORMAT_DATE('%A', r.d) AS weekday, DATE_TRUNC(r.d, MONTH) AS month
  FROM ranked AS r LEFT JOIN b ON b.id = r.g),
monthly AS (
  SELECT month, class, COUNT(*) AS days, SUM(revenue) AS revenue, AVG(growth) AS growth, ARRAY_AGG(name ORDER BY revenue DESC LIMIT 3) AS best,
    STRING_AGG(DISTINCT weekday, ', ' ORDER BY weekday) AS weekdays, APPROX_QUANTILES(week, 4) AS quartiles
  FROM named GROUP BY month, class HAVING COUNT(*) > 1),
wide AS (
  SELECT * FROM (SELECT month, class, revenue FROM monthly) PIVOT (SUM(revenue) AS total FOR class IN ('top', 'high', 'other')))
SELECT m.month, m.class, m.days, ROUND(m.revenue, 2) AS revenue, ROUND(m.growth * 100, 1) AS percent, best[SAFE_OFFSET(0)] AS best, weekdays,
  ARRAY_LENGTH(quartiles) AS quartiles, w.total_top, COALESCE(w.total_other, 0) AS total_other,
  (SELECT COUNT(*) FROM UNNEST(m.best) AS x WHERE x IS NOT NULL) AS named, EXTRACT(QUARTER FROM m.month) AS quarter,
  IF(m.revenue > (SELECT AVG(revenue) FROM monthly), 'above', 'below') AS side, TO_JSON_STRING(STRUCT(m.class AS class, m.days AS days)) AS detail
FROM monthly AS m JOIN wide AS w USING (month)
WHERE NOT REGEXP_CONTAINS(m.class, r'^x') AND m.month < DATE_ADD(DATE '2021-01-01', INTERVAL 1 YEAR)
QUALIFY ROW_NUMBER() OVER (PARTITION BY m.month ORDER BY m.revenue DESC) <= 3
ORDER BY m.month, m.revenue DESC -- {0}"""


@contextmanager
def google(folder: Path, rows: int) -> Iterator[tuple[bigquery.Client, bigquery.QueryJobConfig, str, int]]:
    """A client of an emulator that has the tables, the configuration of its queries, the URL of jobs.query, and the emulator's process."""
    with emulator(folder / "emulator") as ready:
        client = bigquery.Client(ready["project"], AnonymousCredentials(), client_options={"api_endpoint": ready["bigquery"]})
        client.create_dataset("d")
        config = bigquery.QueryJobConfig(default_dataset=f"{client.project}.d", use_query_cache=False)
        for text in (f"CREATE TABLE a AS {FILL.format(1, rows)}", f"INSERT INTO a {FILL.format(rows + 1, 2 * rows)}",
                     f"CREATE TABLE b AS {FILL.format(1, rows // 1000)}", "CREATE VIEW v AS SELECT g, f, id FROM d.a WHERE id > 10"):
            client.query_and_wait(text, job_config=config)
        mark = str(folder / "emulator").encode()
        process = next(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and mark in Path(f"/proc/{pid}/cmdline").read_bytes())
        yield client, config, f"{ready['bigquery']}/bigquery/v2/projects/{client.project}/queries?prettyPrint=false", process


def duck(folder: Path, rows: int):
    """A DuckLake in this process that has the same."""
    from emulator.lake import connect
    cursor = connect(folder / "floor", in_memory=False)
    for text in ("USE lake", f"CREATE TABLE a AS {DUCK_FILL.format(1, rows)}", f"INSERT INTO a {DUCK_FILL.format(rows + 1, 2 * rows)}",
                 f"CREATE TABLE b AS {DUCK_FILL.format(1, rows // 1000)}", "CREATE VIEW v AS SELECT g, f, id FROM a WHERE id > 10"):
        cursor.execute(text)
    return cursor


def queries(client: bigquery.Client, config: bigquery.QueryJobConfig, url: str, cursor) -> None:
    """Each text is seen for the first time in every run, as a comment makes it another."""
    slow, session = 0, requests.Session()

    def ask(text: str) -> None:
        body = {"query": text, "useLegacySql": False, "useQueryCache": False, "defaultDataset": {"datasetId": "d"}, "timeoutMs": 600_000}
        session.post(url, json=body).raise_for_status()
    for query in QUERIES:
        took = measure(lambda n: ask(f"{query.google} -- {n}"), RUNS, warm=1)
        floor = measure(lambda _: cursor.execute(query.duck).fetchall(), RUNS, warm=1)
        read = measure(lambda n: list(client.query_and_wait(f"{query.google} --- {n}", job_config=config)), RUNS, warm=1)
        above = took > 1.3 * floor + 15
        slow += above
        print(f"{query.what:36}{took:10.1f}{floor:10.1f}  x{took / floor:5.1f}{read:10.1f}{'  above' if above else ''}", flush=True)
    print(f"{len(QUERIES) - slow} of {len(QUERIES)} within 1.3 times DuckDB's time and 15 ms")


def pages_of_sql() -> None:
    """Analysis and compilation of pages that were not seen before, their tables known."""
    import duckdb

    from emulator.googlesql import GoogleSQL, register
    kinds = {"id": "INTEGER", "g": "INTEGER", "s": "STRING", "f": "FLOAT", "d": "DATE", "t": "TIMESTAMP", "n": "NUMERIC"}

    class Table:
        fields = [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in kinds.items()]
        key, view = "a", None

        def relation(self, at=None) -> str:
            return "a"
    sql, connection = GoogleSQL(CACHE), duckdb.connect()
    register(connection)
    tables = {"a": Table(), "b": Table()}
    for what, page in ("a page of SQL, analyzed, compiled", PAGE), ("a dense page", DENSE_PAGE):
        took = measure(lambda n: sql.prepare(page.format(n), lambda path: tables[path[-1]], default_project="p", default_dataset="d").compile(connection), 30, warm=5)
        print(f"{what:36}{took:10.1f}", flush=True)


def a_million_rows(client: bigquery.Client, config: bigquery.QueryJobConfig, process: int) -> None:
    """A result read page by page; memory of the emulator before and at its most."""
    def held(name: str) -> float:
        return next(int(line.split()[1]) / 1000 for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith(name))
    Path(f"/proc/{process}/clear_refs").write_text("5")  # the peak counts from now on
    before = held("VmRSS")
    took = measure(lambda _: sum(1 for _ in client.query_and_wait("SELECT id, s, f FROM a LIMIT 1000000", job_config=config, page_size=50_000)), 1, warm=0)
    print(f"{'1,000,000 rows read by the client':36}{took:10.0f} ms; the emulator held {before:.0f} MB, {held('VmHWM'):.0f} MB at most", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.sql", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="half of the rows of the large table (default 1000000)")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians in ms")
    pages_of_sql()
    print(f"{'':36}{'ms':>10}{'DuckDB':>10}  ratio{'client':>9}")
    with tempfile.TemporaryDirectory() as folder, google(Path(folder), options.rows) as (client, config, url, process):
        queries(client, config, url, duck(Path(folder), options.rows))
        a_million_rows(client, config, process)


if __name__ == "__main__":
    main()
