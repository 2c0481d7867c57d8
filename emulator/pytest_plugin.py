"""The pytest plugin: a BigQuery of the test session's own, its clients, and a dataset for each test.

A session that uses none of its fixtures pays for nothing: no server is started, no client is imported.
"""
from __future__ import annotations

import dataclasses
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

PROJECT = "test-project"


@dataclasses.dataclass(frozen=True)
class BigQueryEmulator:
    """A running emulator: its URLs, and the environment variables by which Google's clients find it."""

    url: str
    storage_url: str
    project: str
    environment: dict[str, str]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bigquery", "embedded BigQuery")
    group.addoption("--bigquery-project", metavar="NAME", help="the embedded BigQuery's project")
    group.addoption("--bigquery-seed", metavar="FOLDER", help="a folder of tables and SQL that the embedded BigQuery begins with")
    parser.addini("bigquery_project", "the embedded BigQuery's project", default=PROJECT)
    parser.addini("bigquery_seed", "folders of tables and SQL that the embedded BigQuery begins with", type="paths", default=[])


@pytest.fixture(scope="session")
def bigquery_emulator(pytestconfig: pytest.Config) -> Iterator[BigQueryEmulator]:
    """A running server: the one that BIGQUERY_EMULATOR_HOST names, else one in memory that ends with the session.

    Under pytest-xdist each worker has its own.
    """
    from . import child, load
    project = pytestconfig.getoption("bigquery_project") or pytestconfig.getini("bigquery_project")
    named = pytestconfig.getoption("bigquery_seed")
    seeds = [pytestconfig.invocation_params.dir / named] if named else pytestconfig.getini("bigquery_seed")
    try:
        if "BIGQUERY_EMULATOR_HOST" in os.environ:
            yield running_one(project, seeds)
            return
        flags = [flag for folder in seeds for flag in ("--seed", str(folder))]
        with child.running("--in-memory", "--project", project, *flags, say=tell) as ready:
            yield BigQueryEmulator(ready["bigquery"], ready["storage"], project, {name: ready[key] for name, key in child.VARIABLES.items()})
    except (child.NotRunning, load.Failure) as error:
        pytest.fail(f"No embedded BigQuery: {error}", pytrace=False)


def running_one(project: str, seeds: list[Path]) -> BigQueryEmulator:
    """The emulator that the environment names, with the seeds in it; NotRunning where none answers."""
    from . import child, seed
    url = os.environ["BIGQUERY_EMULATOR_HOST"]
    child.check_listening(url)
    project = os.environ.get("GOOGLE_CLOUD_PROJECT", project)
    if seeds:
        seed.plant(url, project, seeds, tell)
    environment = {name: os.environ[name] for name in child.VARIABLES if name in os.environ}
    return BigQueryEmulator(url, os.environ.get("STORAGE_EMULATOR_HOST", ""), project, environment | {"GOOGLE_CLOUD_PROJECT": project})


def tell(line: str) -> None:
    print(line, file=sys.stderr)


@pytest.fixture(scope="session")
def bigquery_client(bigquery_emulator: BigQueryEmulator) -> Iterator["bigquery.Client"]:
    """Google's client of BigQuery, for the whole session."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery
    with bigquery.Client(bigquery_emulator.project, AnonymousCredentials(), client_options={"api_endpoint": bigquery_emulator.url}) as client:
        yield client


@pytest.fixture
def bigquery_dataset(bigquery_client: "bigquery.Client") -> Iterator["bigquery.Dataset"]:
    """An empty dataset of the test's own; it goes with all that is in it."""
    dataset = bigquery_client.create_dataset(f"test_{uuid.uuid4().hex}")
    yield dataset
    bigquery_client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)


@pytest.fixture(scope="session")
def storage_client(bigquery_emulator: BigQueryEmulator) -> "storage.Client":
    """Google's client of Cloud Storage, for the whole session; its buckets are those that BigQuery loads from and exports to."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage
    return storage.Client(bigquery_emulator.project, AnonymousCredentials(), client_options={"api_endpoint": bigquery_emulator.storage_url})


@pytest.fixture
def bigquery_environment(bigquery_emulator: BigQueryEmulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment in which a bare `bigquery.Client()` of the code under test is one of the emulator's, for one test."""
    for name, value in bigquery_emulator.environment.items():
        monkeypatch.setenv(name, value)
    return bigquery_emulator.environment
