"""Names, types, errors and paths, as Google's analyzer finds them."""
import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import wasmtime
import zetasql.wasi

from emulator.errors import ApiError
from emulator.googlesql import engine
from emulator.googlesql.analyzer import Memo
from emulator.googlesql.catalog import normal_path
from googlesql_fixture import CACHE, World, sql, world  # noqa: F401


@pytest.mark.parametrize("text,message", [
    ("SELECT nme FROM people", "Unrecognized name: nme; Did you mean name? at [1:8]"),
    ("SELECT\n  x", "Unrecognized name: x at [2:3]"),
    ("SELECT", "Syntax error: Unexpected end of script at [1:7]"),
    ("SLECT 1", 'Syntax error: Unexpected identifier "SLECT" at [1:1]'),
    ("SELECT 'abc", "Syntax error: Unclosed string literal at [1:8]"),
    ("SELECT foo(1)", "Function not found: foo at [1:8]"),
    ("SELECT id + name FROM people", "No matching signature for operator +\n  Argument types: INT64, STRING"),
    ("SELECT LOWER(1)", "No matching signature for function LOWER"),
    ("SELECT id, COUNT(*) FROM people", "SELECT list expression references column id which is neither grouped nor aggregated at [1:8]"),
    ("SELECT @p", "Query parameter 'p' not found"),
    ("SELECT 1 AS a, 2 AS A", "Duplicate column names in the result are not supported. Found duplicate(s): A"),
])
def test_errors_are_googles(world, text, message):
    with pytest.raises(ApiError) as failed:
        world.rows(text)
    assert (failed.value.reason, failed.value.location) == ("invalidQuery", "query")
    assert failed.value.message.startswith(message)


@pytest.mark.parametrize("path", ["people", "d.people", "p.d.people", "`p.d.people`", "`p`.d.people", "`p`.`d`.`people`", "p.`d.people`", "`d.people`", "`people`"])
def test_all_spellings_name_one_table(world, path):
    statement = world.prepare(f"SELECT id FROM {path}")
    assert [table.name for table in statement.tables] == ["people"]
    assert len(statement.compile(world.connection.cursor())) > 0


def test_a_tables_name_stands_for_its_rows_however_it_is_spelled(world):
    assert world.rows("SELECT people.name FROM `p.d.people` WHERE people.id = 1") == [("Ann",)]
    with pytest.raises(ApiError, match=r"Unrecognized name: peple; Did you mean people\? at \[1:8\]|Unrecognized name: peple at \[1:8\]"):
        world.prepare("SELECT peple.name FROM `p.d.people`")


@pytest.mark.parametrize("name", ["table 01", "ग्राहक", "00_お客様", "étudiant-01"])
def test_names_with_spaces_and_of_any_script(sql, name):
    world = World(sql)
    world.table(name, "x INTEGER", "(1)")
    assert world.rows(f"SELECT x FROM `{name}`") == [(1,)]
    assert world.rows(f"SELECT x FROM `p.d.{name}`") == [(1,)]


def test_dashes_in_a_project_need_no_quotes(sql):
    world = World(sql)
    world.project = "my-project"
    world.table("t", "x INTEGER", "(1)")
    assert world.rows("SELECT x FROM my-project.d.t") == [(1,)]
    assert world.rows("SELECT x FROM `my-project.d.t`") == [(1,)]


@pytest.mark.parametrize("path,expected", [
    (("t",), ("p", "d", "t")), (("e", "t"), ("p", "e", "t")), (("q.e.t",), ("q", "e", "t")), (("example.com:q.e.t",), ("example.com:q", "e", "t")),
    (("e", "INFORMATION_SCHEMA", "TABLES"), ("p", "e", "INFORMATION_SCHEMA.TABLES")), (("q.e.INFORMATION_SCHEMA.columns",), ("q", "e", "INFORMATION_SCHEMA.COLUMNS")),
])
def test_normal_path(path, expected):
    assert normal_path(path, "p", "d") == expected


def test_a_path_without_dataset_stays():
    assert normal_path(("t",), "p", None) == ("t",)


def test_a_missing_table_is_the_resolvers_error(world):
    with pytest.raises(ApiError, match="Not found: Table p:d.missing was not found in location US") as failed:
        world.prepare("SELECT * FROM missing")
    assert failed.value.reason == "notFound"


def test_names_of_named_queries_are_no_tables(world):
    assert world.rows("WITH missing AS (SELECT 1 AS x) SELECT x FROM missing") == [(1,)]


@pytest.mark.parametrize("text,expected", [
    ("SELECT COUNT(*) FROM people", {"people": set()}), ("SELECT name FROM people WHERE id > 1", {"people": {"id", "name"}}),
    ("SELECT p.name FROM people p JOIN orders o ON o.person = p.id", {"people": {"id", "name"}, "orders": {"person"}}),
    ("SELECT a.id FROM people a, people b WHERE b.score > 1", {"people": {"id", "score"}}), ("SELECT 1", {}),
    ("SELECT name FROM (SELECT * FROM people)", {"people": {"name"}}), ("WITH a AS (SELECT * FROM people) SELECT id FROM a", {"people": {"id"}}),
    ("SELECT x FROM (SELECT id AS x, score AS y FROM people UNION ALL SELECT id, id FROM people)", {"people": {"id"}}),
    ("SELECT x FROM (SELECT id AS x, score AS y FROM people UNION DISTINCT SELECT id, 1.5 FROM people)", {"people": {"id", "score"}}),
    ("SELECT id FROM orders WHERE EXISTS (SELECT * FROM people WHERE people.id = person)", {"people": {"id"}, "orders": {"id", "person"}}),
    ("SELECT (SELECT MAX(score) FROM people), ARRAY(SELECT name FROM people) FROM orders", {"people": {"score", "name"}, "orders": set()}),
    ("SELECT n FROM (SELECT COUNT(*) AS n, MAX(born) AS m FROM people GROUP BY name)", {"people": {"name"}}),
    ("SELECT id, tag FROM people, UNNEST(tags) tag", {"people": {"id", "tags"}}), ("SELECT p FROM people p", {"people": {"id", "name", "born", "tags", "score"}}), ("SELECT * FROM orders", {"orders": {"id", "person", "total"}}),
])
def test_columns_are_those_that_are_referenced(world, text, expected):
    statement = world.prepare(text)
    assert {table.name: names for table, names in statement.columns.items()} == expected
    assert {table.name for table in statement.tables} == set(expected)


def test_parameters_that_were_not_declared_are_found(world):
    found = world.prepare("SELECT * FROM people WHERE id = @n AND name = @s").undeclared
    assert found == [{"name": "n", "parameterType": {"type": "INT64"}}, {"name": "s", "parameterType": {"type": "STRING"}}]


def test_statement_type(world):
    assert world.prepare("SELECT 1").type == "SELECT"


def test_a_changed_schema_is_seen(sql):
    world = World(sql)
    world.table("t", "x INTEGER", "(1)")
    assert world.rows("SELECT * FROM t") == [(1,)]
    world.connection.execute('DROP TABLE "t"')
    world.table("t", "x STRING, y INTEGER", "('a', 2)")
    assert world.rows("SELECT * FROM t") == [("a", 2)]


def test_many_threads_share_the_analyzer(world):
    failures = []

    def work(n):
        try:
            for i in range(5):
                assert world.value(f"{n} * 100 + {i}") == n * 100 + i
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_memo_keeps_what_was_used_last():
    dropped = []
    memo = Memo(2, dropped.append)
    for key in "abac":
        memo.use(key, key.upper)
    assert list(memo) == ["a", "c"] and dropped == ["B"]


def test_the_cache_is_made_once(sql, tmp_path):
    lines = []
    path = engine.prepare_cache(CACHE, lines.append)
    assert path.exists() and lines == []
    assert engine.cache_file(tmp_path).name == path.name


def test_a_spoiled_cache_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_module", lambda: wasmtime.wat2wasm('(module (memory (export "memory") 3))'))  # the real one takes half a minute
    engine.cache_file(tmp_path).write_bytes(b"spoiled")
    for name, days in ("recent", 20), ("old", 40):
        (tmp_path / f"{name}.cwasm").touch()
        os.utime(tmp_path / f"{name}.cwasm", (time.time() - days * 86400,) * 2)
    assert list(engine.Engine(tmp_path).exports) == ["memory"]
    assert engine.cache_file(tmp_path).read_bytes() != b"spoiled"
    assert {path.stem for path in tmp_path.glob("*.cwasm")} == {"recent", engine.cache_file(tmp_path).stem}  # what another version left behind goes


def test_of_several_that_start_at_once_one_compiles(tmp_path, monkeypatch):
    compiled, others = [], threading.Barrier(2)

    def compile(path, _):
        compiled.append(path)
        with suppress(threading.BrokenBarrierError):
            others.wait(0.2)
        path.write_bytes(b"made")
    monkeypatch.setattr(engine, "_compile", compile)
    with ThreadPoolExecutor(2) as pool:
        [path] = set(pool.map(engine.prepare_cache, [tmp_path] * 2))
    assert compiled == [path]


def test_default_cache_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("BIGQUERY_EMULATOR_CACHE", str(tmp_path))
    assert engine.default_cache_dir() == tmp_path


def test_the_module_is_the_one_whose_functions_are_known():
    """Another release of the analyzer has its functions elsewhere: see engine.REPLACED and engine.HOT."""
    assert hashlib.sha256(Path(zetasql.wasi.get_wasm_path()).read_bytes()).hexdigest() == engine.MODULE
