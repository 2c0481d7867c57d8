"""A running emulator, and Google's own clients that talk to it over HTTP."""
from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from google.cloud import bigquery, storage

from loading import schema

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def running_emulator(*flags: str, **options):
    """`python -m emulator` as a child on free ports: its ready line as a dict, with the process as "process"."""
    command = [sys.executable, "-m", "emulator", "--port", "0", "--storage-port", "0", "--grpc-port", "0", "--exit-with-stdin", *flags]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
    try:
        line = process.stdout.readline()
        assert line, f"the emulator ended with {process.wait()}"
        ready = json.loads(line)
        os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = ready["grpc_roots"]  # gRPC reads it but once in a process, whoever comes first
        yield ready | {"process": process}
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


@contextmanager
def environment(ready: dict):
    """The environment variables by which clients find an emulator."""
    names = {"BIGQUERY_EMULATOR_HOST": ready["bigquery"], "STORAGE_EMULATOR_HOST": ready["storage"],
             "GOOGLE_CLOUD_PROJECT": ready["project"], "GOOGLE_APPLICATION_CREDENTIALS": ready["credentials"],
             "grpc_proxy": ready["grpc"], "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": ready["grpc_roots"]}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def new_client(ready: dict) -> bigquery.Client:
    """A bare bigquery.Client(), as a learner makes it."""
    with environment(ready):
        return bigquery.Client()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    """The emulator of all tests; none of them may have been a fault of its."""
    log = tmp_path_factory.mktemp("emulator") / "stderr"
    with log.open("w") as stderr, running_emulator("--in-memory", stderr=stderr) as ready:
        yield ready
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def client(emulator) -> bigquery.Client:
    return new_client(emulator)


@pytest.fixture(scope="session")
def storage_client(emulator) -> storage.Client:
    with environment(emulator):
        return storage.Client()


@pytest.fixture
def dataset(client):
    """An empty dataset of the test's own; its id."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    client.create_dataset(name)
    yield name
    client.delete_dataset(name, delete_contents=True, not_found_ok=True)


@contextmanager
def new_bucket(storage_client):
    """An empty bucket; it goes with all that it holds then."""
    bucket = storage_client.create_bucket(f"test-{uuid.uuid4().hex[:12]}")
    yield bucket
    bucket.delete_blobs(list(bucket.list_blobs(versions=True)), preserve_generation=True)
    bucket.delete()


@pytest.fixture
def bucket(storage_client):
    with new_bucket(storage_client) as bucket:
        yield bucket


@pytest.fixture
def people(client, dataset) -> bigquery.Table:
    """A table of three people: name STRING, age INTEGER REQUIRED."""
    schema = [bigquery.SchemaField("name", "STRING"), bigquery.SchemaField("age", "INTEGER", "REQUIRED")]
    table = client.create_table(bigquery.Table(f"{client.project}.{dataset}.people", schema=schema))
    rows = [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 41}, {"name": None, "age": 7}]
    assert client.insert_rows_json(table, rows) == []
    return table


class Api:
    """The REST API without a client library, for what a client would not send."""

    def __init__(self, ready: dict):
        self.base = f"{ready['bigquery']}/bigquery/v2/"
        self.project = f"projects/{ready['project']}"
        self.session = requests.Session()

    def __call__(self, verb: str, path: str, body=None, **kwargs) -> requests.Response:
        """`path` below the project, or from the API's root where it begins with a slash."""
        whole = path[1:] if path.startswith("/") else f"{self.project}/{path}" if path else self.project
        return self.session.request(verb, self.base + whole, json=body, **kwargs)

    def error(self, verb: str, path: str, body=None, **kwargs) -> tuple[int, str, str]:
        """(HTTP code, reason, message) of a call that fails."""
        answer = self(verb, path, body, **kwargs)
        error = answer.json()["error"]
        assert answer.status_code == error["code"]
        return error["code"], error["errors"][0]["reason"], error["message"]


@pytest.fixture(scope="session")
def api(emulator) -> Api:
    return Api(emulator)


@pytest.fixture
def sql(client, dataset):
    """Run a statement whose default dataset is the test's; the finished job. config: of the query job."""
    def run(text: str, **config) -> bigquery.QueryJob:
        job = client.query(text, job_config=bigquery.QueryJobConfig(default_dataset=f"{client.project}.{dataset}", **config))
        job.result()
        return job
    return run


@pytest.fixture
def rows(sql):
    return lambda text: [tuple(row) for row in sql(text)]


@pytest.fixture
def load(client, dataset):
    """load(content, columns, **options): the loaded rows; the job is load.job."""
    def run(content, columns=None, table="t", **options):
        config = bigquery.LoadJobConfig(**options)
        if columns:
            config.schema = schema(columns) if isinstance(columns, str) else columns
        content = content.encode() if isinstance(content, str) else content
        run.job = client.load_table_from_file(io.BytesIO(content), f"{client.project}.{dataset}.{table}", job_config=config)
        run.job.result()
        run.table = client.get_table(run.job.destination)
        return [tuple(row) for row in client.list_rows(run.table)]
    return run
