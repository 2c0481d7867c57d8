"""The pytest plugin, as the test suites of others use it: in sessions of their own."""
import os
import subprocess
import sys

import pytest

from conftest import ROOT

pytest_plugins = "pytester"


@pytest.fixture
def suite(pytester, monkeypatch):
    """Run pytest with the plugin on the given test file, with no emulator in the environment; its result."""
    for name in [name for name in os.environ if name.startswith(("BIGQUERY_EMULATOR_H", "STORAGE_", "GOOGLE_", "PYTEST_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess("-p", "emulator.pytest_plugin", *arguments)
    return run


def test_clients_and_a_dataset(suite):
    suite("""
        from google.cloud import bigquery, storage

        def test_query(bigquery_client, bigquery_dataset):
            bigquery_client.query_and_wait(f"CREATE TABLE {bigquery_dataset.dataset_id}.t AS SELECT 1 AS n")
            assert [row.n for row in bigquery_client.query_and_wait(f"SELECT n FROM `{bigquery_dataset.full_dataset_id.replace(':', '.')}.t`")] == [1]

        def test_the_dataset_of_the_test_before_is_gone(bigquery_client, bigquery_dataset):
            assert [item.dataset_id for item in bigquery_client.list_datasets()] == [bigquery_dataset.dataset_id]
            bigquery_client.delete_dataset(bigquery_dataset)

        def test_files(bigquery_client, bigquery_dataset, storage_client):
            storage_client.create_bucket("files").blob("t.csv").upload_from_string("n\\n1\\n2\\n")
            config = bigquery.LoadJobConfig(autodetect=True)
            job = bigquery_client.load_table_from_uri("gs://files/t.csv", bigquery_dataset.table("t"), job_config=config)
            job.result()
            assert job.output_rows == 2

        def test_code_that_makes_its_own_clients(bigquery_environment):
            assert bigquery.Client().query_and_wait("SELECT 1").total_rows == 1
            assert [bucket.name for bucket in storage.Client().list_buckets()] == ["files"]
    """).assert_outcomes(passed=4)


def test_nothing_reaches_for_google(suite):
    """Neither rows that come by the Storage API, nor clients that the code under test makes."""
    suite("""
        import pytest
        from google.cloud import bigquery

        @pytest.fixture(scope="session")
        def found(bigquery_client):
            return bigquery.Client().query_and_wait("SELECT n FROM UNNEST(GENERATE_ARRAY(1, 5000)) AS n").to_arrow()

        def test_in_a_wider_fixture(found):
            assert found.num_rows == 5000

        def test_beside_a_dataset(bigquery_client, bigquery_dataset):
            job = bigquery_client.query(f"CREATE TABLE {bigquery_dataset.dataset_id}.t AS SELECT 1 AS n")
            job.result()
            assert bigquery_client.list_rows(bigquery.Client().get_table(job.destination)).to_arrow().num_rows == 1
    """).assert_outcomes(passed=2)


def test_a_failed_tests_report_has_its_jobs(suite):
    result = suite("""
        def test_other(bigquery_client):
            bigquery_client.query("SELECT 'other'").result()

        def test_it(bigquery_client):
            bigquery_client.query("SELECT\\n  'before'").result()
            bigquery_client.query("SELECT nope").result()
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*- BigQuery jobs -*", "*  QUERY  DONE  SELECT 'before'", "*  QUERY  invalidQuery: Unrecognized name: nope at [[]1:8]  SELECT nope"])
    result.stdout.no_fnmatch_line("*'other'")


@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_a_client_that_is_made_at_import(suite, pytester, arguments):
    pytester.makeini("[pytest]\nbigquery_at_start = true\n")
    pytester.makepyfile(shop="from google.cloud import bigquery\nclient = bigquery.Client()")
    suite("""
        import shop

        def test_it():
            assert shop.client.query_and_wait("SELECT 1").total_rows == 1

        def test_the_same_one(bigquery_dataset):
            assert shop.client.get_dataset(bigquery_dataset.dataset_id).reference == bigquery_dataset.reference
    """, *arguments).assert_outcomes(passed=2)


def test_the_environment_is_restored(suite):
    suite("""
        import os

        def test_inside(bigquery_environment):
            assert os.environ["BIGQUERY_EMULATOR_HOST"] == bigquery_environment["BIGQUERY_EMULATOR_HOST"]

        def test_after():
            assert "BIGQUERY_EMULATOR_HOST" not in os.environ
    """).assert_outcomes(passed=2)


def test_each_worker_has_its_own(suite):
    suite("""
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_alone(bigquery_client, bigquery_dataset, number):
            assert [item.dataset_id for item in bigquery_client.list_datasets()] == [bigquery_dataset.dataset_id]
    """, "-n", "2").assert_outcomes(passed=6)


def test_one_that_runs_is_used(suite, monkeypatch, emulator):
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", emulator["bigquery"])
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "another-project")
    suite(f"""
        def test_it(bigquery_emulator, bigquery_client):
            assert bigquery_emulator.url == {emulator["bigquery"]!r} and bigquery_client.project == "another-project"
    """).assert_outcomes(passed=1)


def test_project_and_seed_by_ini_and_by_command_line(suite, pytester):
    for folder, name in (("one", "frog"), ("two", "toad")):
        (pytester.path / folder / "zoo").mkdir(parents=True)
        (pytester.path / folder / "zoo" / "animals.csv").write_text(f"name,legs\n{name},4\n")
    pytester.makeini("[pytest]\nbigquery_seed = one\nbigquery_project = from-ini\n")
    source = """
        def test_it(bigquery_client):
            assert [tuple(row) for row in bigquery_client.list_rows("zoo.animals")] == [("{}", 4)] and bigquery_client.project == "{}"
    """
    suite(source.format("frog", "from-ini")).assert_outcomes(passed=1)
    suite(source.format("toad", "named"), "--bigquery-seed", "two", "--bigquery-project", "named").assert_outcomes(passed=1)


@pytest.mark.parametrize("variable, arguments, words", [
    ("http://127.0.0.1:1", (), "No emulator answers at http://127.0.0.1:1"), (None, ("--bigquery-seed", "nowhere"), "There is no folder *nowhere")])
def test_why_there_is_none(suite, monkeypatch, variable, arguments, words):
    if variable:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", variable)
    result = suite("def test_it(bigquery_client): pass", *arguments)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{words}*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*Fatal Python error*")
    result = suite("def test_it(): pass", *arguments, "-o", "bigquery_at_start=true")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: No embedded BigQuery: {words}*"])
    assert "Traceback" not in str(result.stderr)


def test_it_costs_nothing_where_it_is_not_used():
    program = ("import sys, pytest; before = set(sys.modules); import emulator.pytest_plugin; "
               "print(sorted(name for name in set(sys.modules) - before if not name.startswith('emulator')))")
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_it_ends_with_the_session(suite):
    result = suite("""
        def test_it(bigquery_emulator):
            print("url", bigquery_emulator.url)
    """, "-s")
    result.assert_outcomes(passed=1)
    port = int(next(line for line in result.outlines if "url http" in line).rpartition(":")[2])
    import socket
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
