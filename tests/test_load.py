"""`python -m emulator load`: into an emulator that runs, and into the folder of one that doesn't."""
import json
import os
import subprocess
import sys

import duckdb
import pytest
from google.cloud import bigquery

from conftest import ROOT, environment, new_client, running_emulator
from emulator import load

TABLE = "bigquery-public-data.zoo.animals"


@pytest.fixture(scope="module")
def open_emulator():
    """An emulator that lets clients write to the public project."""
    with running_emulator("--in-memory", "--writable-public-data") as ready:
        yield ready


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "animals.csv"
    path.write_text("name,legs\nfrog,4\nsnake,0\n")
    return path


def run(*arguments, **extra) -> subprocess.CompletedProcess:
    """The command, with no emulator in its environment unless one is given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BIGQUERY_", "GOOGLE_"))}
    return subprocess.run([sys.executable, "-m", "emulator", "load", *map(str, arguments)], cwd=ROOT, env=clean | extra,
                          capture_output=True, text=True, timeout=120)


def rows(client, table: str = TABLE) -> list[tuple]:
    return [tuple(row) for row in client.list_rows(client.get_table(table))]


def test_a_file_into_a_folder(tmp_path, file):
    folder = tmp_path / "data"
    done = run(TABLE, file, "--data-dir", folder)
    assert done.returncode == 0 and "2 rows" in done.stderr
    assert run(TABLE, file, "--data-dir", folder, "--append").returncode == 0
    with running_emulator("--data-dir", str(folder)) as ready:
        client = new_client(ready)
        assert rows(client) == [("frog", 4), ("snake", 0)] * 2
        busy = run(TABLE, file, "--data-dir", folder)
        assert busy.returncode == 1 and "in use by another process" in busy.stderr and "--endpoint" in busy.stderr


def test_a_sample_can_be_replaced_and_added_to(tmp_path, file):
    folder = tmp_path / "data"
    assert run("bigquery-public-data.samples.shakespeare", file, "--data-dir", folder).returncode == 0
    more = tmp_path / "states.jsonl"
    more.write_text('{"state_fips_code": "99", "state_name": "Utopia"}\n')
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps([{"name": "state_fips_code", "type": "STRING"}, {"name": "state_name", "type": "STRING"}]))
    assert run("bigquery-public-data.census_utility.fips_codes_states", more, "--data-dir", folder, "--append", "--schema", schema).returncode == 0
    with running_emulator("--data-dir", str(folder)) as ready:
        client = new_client(ready)
        assert rows(client, "bigquery-public-data.samples.shakespeare") == [("frog", 4), ("snake", 0)]
        states = rows(client, "bigquery-public-data.census_utility.fips_codes_states")
        assert len(states) == 58 and states[-1] == ("99", None, "Utopia", None)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "json.gz"])
def test_every_format_into_a_running_emulator(open_emulator, tmp_path, suffix):
    path = tmp_path / f"animals.{suffix}"
    options = "(FORMAT parquet)" if suffix == "parquet" else f"(FORMAT json, COMPRESSION {'gzip' if suffix.endswith('gz') else 'uncompressed'})"
    duckdb.execute(f"COPY (SELECT 'frog' AS name, 4 AS legs, ['green', 'brown'] AS colours) TO '{path}' {options}")
    done = run(TABLE, path, BIGQUERY_EMULATOR_HOST=open_emulator["bigquery"])
    assert done.returncode == 0, done.stderr
    assert rows(new_client(open_emulator)) == [("frog", 4, ["green", "brown"])]


def test_a_read_only_emulator_says_what_to_do(emulator, file):
    done = run(TABLE, file, "--endpoint", emulator["bigquery"])
    assert done.returncode == 1 and "--writable-public-data" in done.stderr and "Traceback" not in done.stderr


def test_a_bad_row_is_named(open_emulator, tmp_path, file):
    schema = tmp_path / "schema.json"
    schema.write_text('[{"name": "name", "type": "STRING"}, {"name": "legs", "type": "INTEGER"}]')
    file.write_text("name,legs\nfrog,4\nsnake,none\n")
    done = run("bigquery-public-data.zoo.bad", file, "--schema", schema, "--endpoint", open_emulator["bigquery"])
    assert done.returncode == 1 and "Could not parse 'none' as INT64 for field legs (position 1) starting at location 17" in done.stderr


@pytest.mark.parametrize("arguments, code, words", [
    (["zoo.animals", "x.csv"], 2, "project.dataset.table is"), ([TABLE], 2, "either a file or --from-bigquery"),
    ([TABLE, "nowhere.csv"], 1, "There is no file nowhere.csv"), ([TABLE, "lab.py"], 1, "say --format"),
    ([TABLE, "lab.py", "--format", "csv", "--endpoint", "http://127.0.0.1:1"], 1, "No emulator answers at http://127.0.0.1:1"),
    ([TABLE, "--from-bigquery"], 1, "The real BigQuery can't be asked")])
def test_mistakes(arguments, code, words):
    done = run(*arguments, HOME="/nonexistent", NO_GCE_CHECK="true")
    assert done.returncode == code and words in done.stderr and "Traceback" not in done.stderr


def test_what_is_fetched_from_a_bigquery_loads_again(open_emulator, tmp_path):
    client = new_client(open_emulator)
    client.create_dataset("origin", exists_ok=True)
    types = ["STRING", "BYTES", "INTEGER", "FLOAT", "NUMERIC", "BOOLEAN", "DATE", "TIME", "DATETIME", "TIMESTAMP", "JSON"]
    fields = [bigquery.SchemaField(f"c{index}", kind) for index, kind in enumerate(types)]
    fields.append(bigquery.SchemaField("r", "RECORD", "REPEATED", fields=[bigquery.SchemaField("x", "DATE"), bigquery.SchemaField("y", "STRING", "REPEATED")]))
    table = client.create_table(bigquery.Table(f"{client.project}.origin.all", schema=fields))
    row = dict(zip([f"c{index}" for index in range(11)], ["text", "aGk=", 7, 1.5, "2.25", True, "2020-01-02", "03:04:05.000006", "2020-01-02T03:04:05",
                                                           "2020-01-02 03:04:05 UTC", '{"a": [1]}']))
    assert client.insert_rows_json(table, [row | {"r": [{"x": "2020-01-02", "y": ["a", "b"]}]}, {}]) == []
    file = tmp_path / "rows.json"
    fetched = load.download(client, f"{client.project}.origin.all", file)
    assert [bigquery.SchemaField.from_api_repr(field) for field in fetched] == table.schema
    (tmp_path / "schema.json").write_text(json.dumps(fetched))
    with environment(open_emulator):
        done = run("bigquery-public-data.zoo.all", file, "--schema", tmp_path / "schema.json", "--endpoint", open_emulator["bigquery"])
    assert done.returncode == 0, done.stderr
    assert rows(client, "bigquery-public-data.zoo.all") == rows(client, f"{client.project}.origin.all")


def test_no_more_rows_than_asked_for(open_emulator, tmp_path):
    load.download(new_client(open_emulator), "bigquery-public-data.stackoverflow.posts_questions", tmp_path / "rows.json", 5)
    assert len((tmp_path / "rows.json").read_text().splitlines()) == 5
