"""`python -m emulator`: the ready line, what survives, what ends it, no network."""
import os
import signal
import subprocess
import sys

import pytest
import requests
from google.cloud import bigquery, storage

from conftest import ROOT, environment, new_client, running_emulator

SCHEMA = [bigquery.SchemaField("n", "INTEGER")]


def test_the_ready_line(emulator):
    assert set(emulator) - {"process"} == {"bigquery", "storage", "grpc", "project", "credentials", "user_credentials", "grpc_roots"}
    assert emulator["bigquery"].startswith("http://127.0.0.1:") and os.path.exists(emulator["credentials"])


def test_data_survives_a_restart(tmp_path):
    with running_emulator("--data-dir", str(tmp_path)) as ready:
        client = new_client(ready)
        client.create_dataset("d")
        table = client.create_table(bigquery.Table(f"{client.project}.d.t", schema=SCHEMA))
        client.insert_rows_json(table, [{"n": n} for n in range(2000)])
        job = client.query("SELECT SUM(n) AS s FROM d.t")
        job.result()
    with running_emulator("--data-dir", str(tmp_path)) as ready:
        client = new_client(ready)
        assert client.get_table("d.t").num_rows == 2000
        assert [row.s for row in client.get_job(job.job_id).result()] == [1999000]


def test_every_acknowledged_row_survives_a_kill(tmp_path):
    acknowledged = 0
    for _ in range(3):
        with running_emulator("--data-dir", str(tmp_path)) as ready:
            client = new_client(ready)
            client.create_dataset("d", exists_ok=True)
            table = client.create_table(bigquery.Table(f"{client.project}.d.t", schema=SCHEMA), exists_ok=True)
            assert client.get_table(table).num_rows == acknowledged
            for _ in range(5):
                assert client.insert_rows_json(table, [{"n": acknowledged}]) == []
                acknowledged += 1
            ready["process"].kill()
    with running_emulator("--data-dir", str(tmp_path)) as ready:
        rows = new_client(ready).query_and_wait("SELECT n FROM d.t ORDER BY n")
        assert [row.n for row in rows] == list(range(acknowledged))


@pytest.mark.parametrize("end", [lambda process: process.send_signal(signal.SIGTERM), lambda process: process.send_signal(signal.SIGINT),
                                 lambda process: process.stdin.close()], ids=["SIGTERM", "SIGINT", "stdin"])
def test_it_ends_when_told(end):
    with running_emulator("--in-memory") as ready:
        end(ready["process"])
        assert ready["process"].wait(20) == 0
        assert not os.path.exists(ready["credentials"])


def refusal(*flags: str) -> str:
    done = subprocess.run([sys.executable, "-m", "emulator", *flags], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode and "Traceback" not in done.stderr
    return done.stderr


FREE = {"--port": "0", "--storage-port": "0", "--grpc-port": "0"}


def flags(**changed: str) -> list[str]:
    return [text for pair in (FREE | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}).items() for text in pair]


def test_what_is_in_use(tmp_path):
    with running_emulator("--data-dir", str(tmp_path)) as ready:
        for flag, key in (("port", "bigquery"), ("storage_port", "storage"), ("grpc_port", "grpc")):
            taken = ready[key].rpartition(":")[2]
            said = refusal("--in-memory", *flags(**{flag: taken}))
            assert f"can't listen on 127.0.0.1:{taken}: Address already in use" in said and f"another --{flag.replace('_', '-')}," in said
        assert "in use by another process" in refusal("--data-dir", str(tmp_path), *flags())


@pytest.mark.parametrize("changed, words", [({"port": "65536"}, "65536 is no port"), ({"host": "192.0.2.1"}, "Choose another --host.")])
def test_addresses_that_cannot_be(changed, words):
    assert words in refusal("--in-memory", *flags(**changed))


def test_it_answers_to_the_name_that_it_is_given():
    with running_emulator("--in-memory", "--host", "127.1") as ready:
        assert ready["bigquery"].startswith("http://127.1:")
        with environment(ready):
            assert list(storage.Client().list_buckets()) == []
            client = bigquery.Client()
        job = client.load_table_from_json([{"n": 1}], client.create_dataset("d").table("t"))
        assert job.result().output_rows == 1
        refused = requests.get(f"{ready['storage']}/storage/v1/b", headers={"Host": "bigquery:9023"})
        assert refused.status_code == 403 and "--host bigquery" in refused.text


def test_a_data_dir_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    assert "can't keep its data in" in refusal("--data-dir", str(tmp_path / "file" / "folder"), *flags())


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs root on Linux to cut the network off")
def test_it_starts_and_works_without_a_network():
    program = (
        "import sys; sys.path[:0] = ['.', 'tests']\n"
        "from conftest import running_emulator, new_client\n"
        "with running_emulator('--in-memory') as ready:\n"
        "    print([row.n for row in new_client(ready).query_and_wait('SELECT 1 + 1 AS n')])\n")
    unshare = ["unshare", "--net", "sh", "-c", 'ip link set lo up 2>/dev/null || true; exec "$@"', "sh"]
    done = subprocess.run([*unshare, sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[2]", done.stderr
