"""Functions of JavaScript: types both ways, errors, libraries, bounds."""
import pytest
from google.api_core.exceptions import BadRequest, NotFound


@pytest.fixture(scope="module")
def js(client):
    """Make a temporary function and run a query over it; its rows."""
    def js(signature: str, body: str, query: str, options: str = "") -> list[tuple]:
        text = f"CREATE TEMP FUNCTION f{signature} LANGUAGE js {options} AS r'''{body}''';\n{query}"
        return [tuple(row.values()) for row in client.query(text).result()]
    return js


@pytest.mark.parametrize("signature, body, call, value", [
    ("(x INT64) RETURNS INT64", "return x * 3;", "f(4)", 12), ("(x INT64) RETURNS STRING", "return typeof x + x;", "f(9007199254740993)", "string9007199254740993"),
    ("(x INT64) RETURNS INT64", "return String(x);", "f(9007199254740993)", 9007199254740993), ("(x INT64) RETURNS INT64", "return x;", "f(NULL)", None),
    ("(x INT64) RETURNS INT64", "", "f(1)", None), ("(x FLOAT64) RETURNS FLOAT64", "return 1 / x;", "f(0)", float("inf")),
    ("(x NUMERIC) RETURNS STRING", "return typeof x + x;", "f(1.5)", "string1.5"), ("(x NUMERIC) RETURNS STRING", "return typeof x + x;", "f(15)", "number15"),
    ("(x NUMERIC) RETURNS STRING", "return x;", "CAST(f(0.1) AS FLOAT64)", 0.1),
    ("(x BOOL) RETURNS BOOL", "return !x;", "f(true)", False), ("(x STRING) RETURNS STRING", "return [...x].reverse().join('');", "f('añ😀')", "😀ña"),
    ("(x BYTES) RETURNS BYTES", "return x;", "f(b'\\xff\\x00')", b"\xff\x00"), ("(x BYTES) RETURNS STRING", "return x;", "f(b'abc')", "YWJj"),
    ("(x DATE) RETURNS INT64", "return x.getUTCDate();", "f(DATE '2024-02-29')", 29), ("(x DATE) RETURNS DATE", "return x;", "CAST(f(DATE '2024-02-29') AS STRING)", "2024-02-29"),
    ("(x TIMESTAMP) RETURNS INT64", "return x.microseconds;", "f(TIMESTAMP '1969-12-31 23:59:59.999999')", 999),
    ("(x TIMESTAMP) RETURNS TIMESTAMP", "return x;", "CAST(f(TIMESTAMP '2020-01-02 03:04:05.123456') AS STRING)", "2020-01-02 03:04:05.123456+00"),
    ("(x ARRAY<INT64>) RETURNS ARRAY<STRING>", "return x.map(v => 'v' + v);", "f([1, 2])", ["v1", "v2"]),
    ("(x STRUCT<a INT64, b ARRAY<STRING>>) RETURNS STRUCT<n INT64, c STRING>", "return {n: x.a, c: x.b[1]};", "f((1, ['p', 'q']))", {"n": 1, "c": "q"}),
    ("(x JSON) RETURNS JSON", "x.b = x.a.length; return x;", "f(JSON '{\"a\": [1, null]}')", {"a": [1, None], "b": 2}),
    ("() RETURNS INT64", "return 7;", "f()", 7)])
def test_values(js, signature, body, call, value):
    assert js(signature, body, f"SELECT {call}") == [(value,)]


@pytest.mark.parametrize("returns, body, words", [
    ("INT64", "return x.length + nope;", r"ReferenceError: nope is not defined at UDF\$1\(STRING\) line 1, columns 19-20"),
    ("INT64", "\nthrow new RangeError('no ' + x);", r"RangeError: no a at UDF\$1\(STRING\) line 2, columns 7-8"),
    ("INT64", "return x +;", r"SyntaxError: Unexpected token ';' at UDF\$1\(STRING\) line 1, columns 11-12"),
    ("INT64", "return x;", 'Failed to coerce output value "a" to type INT64'), ("INT64", "return 1.5;", "Failed to coerce output value 1.5 to type INT64"),
    ("INT64", "return 2 ** 63;", "Failed to coerce output value 9223372036854776000 to type INT64"), ("INT64", "return '-9223372036854775809';", 'Failed to coerce output value "-9223372036854775809" to type INT64'),
    ("ARRAY<INT64>", "return 1;", "Failed to coerce output value 1 to type ARRAY<INT64>"),
    ("STRING", "return require('fs').readFileSync('/etc/passwd');", "require is not defined"), ("STRING", "return fetch('http://localhost');", "fetch is not defined"),
    ("STRING", "const a = []; while (true) a.push(new Array(10000).fill(1.5));", "UDF out of memory")])
def test_errors(js, returns, body, words):
    with pytest.raises(BadRequest, match=words):
        js(f"(x STRING) RETURNS {returns}", body, "SELECT f('a')")


def test_many_rows_and_places(js):
    triple = "(x INT64) RETURNS INT64", "return x * 3;"
    assert js(*triple, "SELECT SUM(f(a)), COUNTIF(f(a) > 3000) FROM UNNEST(GENERATE_ARRAY(1, 5000)) AS a") == [(37507500, 4000)]
    assert js(*triple, "SELECT f(f(a)), a FROM UNNEST([1, 2]) AS a WHERE f(a) > 3") == [(18, 2)]
    assert js(*triple, "SELECT (SELECT SUM(f(a + b)) FROM UNNEST([1, 2]) AS b) FROM UNNEST([10, 20]) AS a WITH OFFSET ORDER BY offset") == [(69,), (129,)]
    assert js(*triple, "SELECT ARRAY_TRANSFORM([1, 2], e -> f(e))") == [([3, 6],)]
    assert js(*triple, "CREATE TEMP FUNCTION g(x INT64) AS (f(x) + f(x + 1));\nSELECT SUM(g(a)) FROM UNNEST([1, 2, 3]) AS a") == [(45,)]


def test_a_branch_not_taken_does_not_fail(js):
    body = "if (x == 1) throw new Error('one'); return x;"
    assert js("(x INT64) RETURNS INT64", body, "SELECT IF(a > 1, f(a), 0) FROM UNNEST([1, 2]) AS a ORDER BY a") == [(0,), (2,)]


def test_libraries(js, storage_client):
    bucket = storage_client.create_bucket("js-libraries")
    bucket.blob("lib.js").upload_from_string("function twice(x) { return x * 2; }")
    assert js("(x INT64) RETURNS INT64", "return twice(x);", "SELECT f(4)", 'OPTIONS(library=["gs://js-libraries/lib.js"])') == [(8,)]
    with pytest.raises(NotFound, match="Not found: URI gs://js-libraries/none.js"):
        js("(x INT64) RETURNS INT64", "return twice(x);", "SELECT f(4)", 'OPTIONS(library=["gs://js-libraries/none.js"])')


def test_nothing_is_left_for_the_next_query(js):
    first, second = (js("() RETURNS STRING", f"const was = globalThis.left; globalThis.left = 'me'; return was === undefined || was === 'me' ? '{name}' : was;".replace(
        "'me'", f"'{name}'"), "SELECT f()") for name in ("one", "two"))
    assert (first, second) == ([("one",)], [("two",)])


def test_persistent_and_by_rest(client, dataset):
    client.query(f"CREATE FUNCTION {dataset}.up(x STRING) RETURNS STRING DETERMINISTIC LANGUAGE js AS 'return x.toUpperCase();'").result()
    routine = client.get_routine(f"{client.project}.{dataset}.up")
    assert (routine.language, routine.body, routine.determinism_level) == ("JAVASCRIPT", "return x.toUpperCase();", "DETERMINISTIC")
    assert [tuple(row) for row in client.query(f"SELECT {dataset}.up('a')").result()] == [("A",)]
