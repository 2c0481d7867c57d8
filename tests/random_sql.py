"""Random GoogleSQL: valid statements over the tables of test_random_requests.py, and what is left when their tokens are shuffled."""
from __future__ import annotations

import random
import re

STATEMENTS = [
    "SELECT 1", "SELECT a, b FROM d0.t0 WHERE a > 1 ORDER BY a LIMIT 3", "SELECT COUNT(*), SUM(a) FROM d0.t0 GROUP BY b HAVING COUNT(*) > 0",
    "SELECT t0.a, u.b FROM d0.t0 JOIN d1.t1 AS u ON t0.a = u.a", "SELECT * EXCEPT (b) REPLACE (a + 1 AS a) FROM d0.t0", "SELECT s.x, l[SAFE_OFFSET(0)] FROM d0.t0",
    "WITH w AS (SELECT a FROM d0.t0) SELECT * FROM w UNION ALL SELECT 5", "SELECT ARRAY_AGG(a IGNORE NULLS ORDER BY a DESC LIMIT 2) FROM d0.t0",
    "SELECT a, ROW_NUMBER() OVER (PARTITION BY b ORDER BY a) FROM d0.t0 QUALIFY ROW_NUMBER() OVER (PARTITION BY b ORDER BY a) = 1",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r", "SELECT * FROM UNNEST([1, 2, 3]) AS x WITH OFFSET AS o",
    "SELECT * FROM d0.t0 FOR SYSTEM_TIME AS OF TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 SECOND)", "SELECT STRUCT(1 AS a, 'x' AS b), [1, 2], NULL, DATE '2026-01-01'",
    "SELECT FORMAT('%d %s', a, b), SAFE_CAST(b AS INT64), CAST(a AS STRING), CONCAT(b, 'x') FROM d0.t0", "SELECT PARSE_DATE('%Y-%m-%d', '2026-01-01'), FORMAT_TIMESTAMP('%c', ts) FROM d0.t0",
    "SELECT JSON_VALUE('{\"a\": 1}', '$.a'), TO_JSON_STRING(t0) FROM d0.t0", "SELECT ST_DISTANCE(ST_GEOGPOINT(1, 2), ST_GEOGPOINT(3, 4))", "SELECT REGEXP_EXTRACT(b, r'(\\d+)') FROM d0.t0",
    "SELECT GENERATE_ARRAY(1, 10, 2), GENERATE_DATE_ARRAY('2026-01-01', '2026-01-05')", "SELECT APPROX_QUANTILES(a, 4), STDDEV(a), ANY_VALUE(b) FROM d0.t0", "SELECT NUMERIC '1.5' * 2, 1 / 3, DIV(7, 2), MOD(7, 0)",
    "SELECT * FROM d0.t0 PIVOT (SUM(a) FOR b IN ('1', '2'))", "SELECT * FROM `d0.t*` WHERE _TABLE_SUFFIX = '0'", "SELECT * FROM d0.INFORMATION_SCHEMA.TABLES", "SELECT column_name FROM d0.INFORMATION_SCHEMA.COLUMNS",
    "SELECT * FROM `region-us`.INFORMATION_SCHEMA.JOBS", "FROM d0.t0 |> WHERE a > 1 |> AGGREGATE COUNT(*) GROUP BY b", "SELECT * FROM d0.v0", "SELECT * FROM d0.t0 TABLESAMPLE SYSTEM (10 PERCENT)",
    "INSERT INTO d0.t0 (a, b) VALUES (1, 'x'), (2, DEFAULT)", "INSERT d0.t1 (a, d) SELECT a, d FROM d0.t0", "UPDATE d0.t0 SET b = 'y', s.x = 1.5 WHERE a = 1", "DELETE FROM d0.t0 WHERE a > 100",
    "MERGE d0.t0 AS t USING (SELECT 1 AS a) AS s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 'm' WHEN NOT MATCHED THEN INSERT (a) VALUES (s.a)", "TRUNCATE TABLE d1.t2",
    "CREATE TABLE d0.t3 (a INT64 NOT NULL OPTIONS (description = 'x'), b STRING DEFAULT 'q', PRIMARY KEY (a) NOT ENFORCED) PARTITION BY RANGE_BUCKET(a, GENERATE_ARRAY(0, 100, 10)) CLUSTER BY b",
    "CREATE OR REPLACE TABLE d0.t3 AS SELECT 1 AS a, 'x' AS b", "CREATE OR REPLACE TABLE d0.t3 PARTITION BY d AS SELECT DATE '2026-01-01' AS d", "CREATE VIEW IF NOT EXISTS d1.v1 AS SELECT * FROM d0.t0",
    "CREATE MATERIALIZED VIEW d1.m1 AS SELECT b, COUNT(*) AS n FROM d0.t0 GROUP BY b", "CREATE SNAPSHOT TABLE d1.s1 CLONE d0.t0", "CREATE TABLE d1.c1 CLONE d0.t0", "CREATE TABLE d1.l1 LIKE d0.t0", "CREATE TABLE d1.k1 COPY d0.t0",
    "DROP TABLE IF EXISTS d0.t3", "DROP VIEW IF EXISTS d1.v1", "DROP TABLE d1.t9", "ALTER TABLE d0.t3 ADD COLUMN IF NOT EXISTS z STRING", "ALTER TABLE d0.t3 DROP COLUMN b", "ALTER TABLE d0.t3 RENAME COLUMN a TO aa",
    "ALTER TABLE d0.t3 SET OPTIONS (description = 'x', labels = [('a', 'b')], expiration_timestamp = TIMESTAMP '2099-01-01')", "ALTER TABLE d0.t3 ALTER COLUMN a SET DATA TYPE NUMERIC", "ALTER TABLE d0.t3 RENAME TO t4",
    "CREATE SCHEMA IF NOT EXISTS d2 OPTIONS (location = 'US', default_table_expiration_days = 1)", "DROP SCHEMA IF EXISTS d2 CASCADE", "UNDROP SCHEMA d2", "ALTER SCHEMA d1 SET OPTIONS (description = 'x')",
    "CREATE OR REPLACE FUNCTION d0.f0(x INT64) RETURNS INT64 AS (x + 1)", "CREATE OR REPLACE FUNCTION d0.f1(x FLOAT64) RETURNS FLOAT64 LANGUAGE js AS 'return x * 2;'", "SELECT d0.f0(1), d0.f1(2)", "DROP FUNCTION IF EXISTS d0.f0",
    "CREATE TEMP FUNCTION g(x INT64) AS (x * 2); SELECT g(a) FROM d0.t0", "CREATE OR REPLACE TABLE FUNCTION d0.tf(x INT64) AS SELECT x AS y", "SELECT * FROM d0.tf(1)",
    "CREATE OR REPLACE PROCEDURE d0.p0(IN x INT64, OUT y INT64) BEGIN SET y = x + 1; END", "DECLARE r INT64; CALL d0.p0(1, r); SELECT r",
    "DECLARE x INT64 DEFAULT 0; WHILE x < 3 DO SET x = x + 1; IF x = 2 THEN CONTINUE; END IF; END WHILE; SELECT x", "BEGIN SELECT 1 / 0; EXCEPTION WHEN ERROR THEN SELECT @@error.message; END",
    "LOOP BREAK; END LOOP", "FOR r IN (SELECT a FROM d0.t0) DO SELECT r.a; END FOR", "REPEAT SELECT 1; UNTIL TRUE END REPEAT", "EXECUTE IMMEDIATE 'SELECT ' || '1'", "EXECUTE IMMEDIATE 'SELECT @x' USING 5 AS x",
    "BEGIN TRANSACTION; INSERT INTO d0.t0 (a) VALUES (9); ROLLBACK TRANSACTION", "BEGIN TRANSACTION; INSERT INTO d0.t0 (a) VALUES (9); COMMIT TRANSACTION", "RAISE USING MESSAGE = 'x'", "ASSERT (SELECT TRUE) AS 'x'",
    "EXPORT DATA OPTIONS (uri = 'gs://bucket/e-*.csv', format = 'CSV') AS SELECT 1 AS a", "LOAD DATA INTO d0.t5 (a INT64) FROM FILES (format = 'CSV', uris = ['gs://bucket/a.csv'])",
    "GRANT `roles/bigquery.dataViewer` ON TABLE d0.t0 TO 'user:a@b.co'", "REVOKE `roles/bigquery.dataViewer` ON TABLE d0.t0 FROM 'user:a@b.co'",
    "CREATE ROW ACCESS POLICY r5 ON d0.t2 GRANT TO ('allAuthenticatedUsers') FILTER USING (a > 0)", "DROP ALL ROW ACCESS POLICIES ON d0.t2", "CREATE TEMP TABLE tt AS SELECT 1 AS a; SELECT * FROM tt",
    "CREATE EXTERNAL TABLE d0.x1 (a INT64) OPTIONS (format = 'CSV', uris = ['gs://bucket/a.csv'])", "SELECT @@project_id, @@time_zone, SESSION_USER()", "SET @@time_zone = 'UTC'; SELECT 1",
    "SELECT @p", "SELECT ?", "SELECT KEYS.NEW_KEYSET('AEAD_AES_GCM_256')", "SELECT HLL_COUNT.MERGE(s) FROM (SELECT HLL_COUNT.INIT(a) AS s FROM d0.t0)", "SELECT RANGE(DATE '2026-01-01', NULL)", "DESCRIBE d0.t0", "EXPLAIN SELECT 1",
]
LITERALS = ["0", "-1", "1", "NULL", "TRUE", "''", "'x'", "1.5", "1e308", "-1e400", "9223372036854775807", "9223372036854775808", "NUMERIC '1'", "b'\\xff'", "'\\''", "''' x '''", "r'('",
            "DATE '0001-01-01'", "DATE '9999-12-31'", "DATE '2026-13-01'", "TIMESTAMP '2026-01-01'", "INTERVAL 1 DAY", "INTERVAL 999999 YEAR", "[]", "[1, NULL]", "STRUCT()", "JSON '{'", "JSON 'null'", "'ग्राहक'", "'😀'",
            "CAST('nan' AS FLOAT64)", "CAST('inf' AS FLOAT64)", "@p", "?", "@@x", "``", "`a b`", "d0.t0", "*", ",", "(", ")", ";", "--", "/*", "$", "\\", "0x7f", "(SELECT 1)", "(SELECT a FROM d0.t0)", "SAFE.", "a.b.c.d.e"]
TOKEN = re.compile(r"\s+|'(?:[^'\\]|\\.)*'|`[^`]*`|[\w.@]+|.", re.S)
DEEP = ["SELECT " + "(" * 300 + "1" + ")" * 300, "SELECT " + "-" * 0 + "+".join(["1"] * 3000), "SELECT " + "NOT " * 500 + "TRUE", "SELECT " + "[" * 100 + "]" * 100, "SELECT " + "ABS(" * 120 + "1" + ")" * 120,
        "SELECT " + "CASE WHEN TRUE THEN " * 60 + "1" + " END" * 60, "SELECT * FROM " + "(SELECT * FROM " * 80 + "d0.t0" + ")" * 80, "SELECT 1 " + "UNION ALL SELECT 1 " * 150, "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(2000)),
        "SELECT 1 IN (" + ",".join(map(str, range(5000))) + ")", "BEGIN " * 60 + "SELECT 1; " + "END; " * 60, "SELECT 'x" + "x" * 200_000 + "'", "SELECT `" + "n" * 5000 + "`", "SELECT 1 " + "-- c\n" * 10000, "IF TRUE THEN " * 40 + "SELECT 1; " + "END IF; " * 40]


def random_sql(chance: random.Random) -> str:
    """A statement, often with a few tokens gone, doubled, swapped or replaced; seldom one that is very deep or long."""
    if chance.random() < 0.01:
        return chance.choice(DEEP)
    text = chance.choice(STATEMENTS)
    if chance.random() < 0.1:
        text += "; " + chance.choice(STATEMENTS)
    tokens = TOKEN.findall(text)
    for _ in range(chance.choice([0, 0, 1, 1, 1, 2, 4])):
        mutate(tokens, chance)
    return "".join(tokens)


def mutate(tokens: list[str], chance: random.Random) -> None:
    solid = [place for place, token in enumerate(tokens) if not token.isspace()]
    if len(solid) < 2:
        return
    one, two = chance.sample(solid, 2)
    how = chance.randrange(5)
    if how == 0:
        del tokens[one]
    elif how == 1:
        tokens.insert(one, tokens[one] + " ")
    elif how == 2:
        tokens[one], tokens[two] = tokens[two], tokens[one]
    elif how == 3:
        tokens[one] = chance.choice(LITERALS)
    else:
        other = TOKEN.findall(chance.choice(STATEMENTS))
        tokens[one] = chance.choice(other)
