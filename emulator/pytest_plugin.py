"""The pytest plugin: a BigQuery of the test session's own, its clients, and a dataset for each test.

A session that uses none of its fixtures pays for nothing: no server is started, no client is imported.
"""
from __future__ import annotations

import dataclasses
import json
import os
import sys
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generator, Iterator

import pytest

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

PROJECT = "test-project"
MOST_JOBS = 20  # of a failed test that its report shows


@dataclasses.dataclass(frozen=True)
class BigQueryEmulator:
    """A running emulator: its URLs, and the environment variables by which Google's clients find it."""

    url: str
    storage_url: str
    project: str
    environment: dict[str, str]

    def jobs(self, since: float) -> list[str]:
        """A line for each of the jobs since a moment, the oldest first: its id, what it is, how it ended."""
        import urllib.request
        path = f"/bigquery/v2/projects/{self.project}/jobs?projection=full&allUsers=true&maxResults={MOST_JOBS}&minCreationTime={int(since * 1000)}"
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return [told(job) for job in reversed(json.load(answer).get("jobs", []))]


def told(job: dict) -> str:
    """`id  QUERY  invalidQuery: Unrecognized name: nme at [1:8]  SELECT nme FROM t`"""
    error = job["status"].get("errorResult")
    query = job["configuration"].get("query", {}).get("query", "")
    outcome = f"{error['reason']}: {error['message']}" if error else job["status"]["state"]
    return "  ".join(filter(None, (job["jobReference"]["jobId"], job["configuration"]["jobType"], outcome, " ".join(query.split())[:200])))


EMULATOR, BEGAN = pytest.StashKey[BigQueryEmulator](), pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bigquery", "embedded BigQuery")
    group.addoption("--bigquery-project", metavar="NAME", help="the embedded BigQuery's project")
    group.addoption("--bigquery-seed", metavar="FOLDER", help="a folder of tables and SQL that the embedded BigQuery begins with")
    parser.addini("bigquery_project", "the embedded BigQuery's project", default=PROJECT)
    parser.addini("bigquery_seed", "folders of tables and SQL that the embedded BigQuery begins with", type="paths", default=[])
    parser.addini("bigquery_at_start", "start the embedded BigQuery before the tests are imported, for code that makes its client when it is: "
                                       "the whole session has its environment", type="bool", default=False)


# The server ---------------------------------------------------------------------------------------

def pytest_configure(config: pytest.Config) -> None:
    only_distributes = config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")
    if not config.getini("bigquery_at_start") or only_distributes:
        return
    session = ExitStack()
    config.add_cleanup(session.close)
    try:
        emulator = session.enter_context(running(config))
    except Missing as error:
        raise pytest.UsageError(str(error)) from None
    environment = session.enter_context(pytest.MonkeyPatch.context())
    for name, value in emulator.environment.items():
        environment.setenv(name, value)


class Missing(Exception):
    """There is no emulator; the message says why."""


@contextmanager
def running(config: pytest.Config) -> Iterator[BigQueryEmulator]:
    """The emulator that BIGQUERY_EMULATOR_HOST names, else one in memory until the end of the block."""
    from . import child, load
    project = config.getoption("bigquery_project") or config.getini("bigquery_project")
    named = config.getoption("bigquery_seed")
    seeds = [config.invocation_params.dir / named] if named else config.getini("bigquery_seed")
    flags = [flag for folder in seeds for flag in ("--seed", str(folder))]
    with ExitStack() as session:
        try:
            if "BIGQUERY_EMULATOR_HOST" in os.environ:
                emulator = running_one(project, seeds)
            else:
                ready = session.enter_context(child.running("--in-memory", "--project", project, *flags, say=tell))
                emulator = BigQueryEmulator(ready["bigquery"], ready["storage"], project, {name: ready[key] for name, key in child.VARIABLES.items()})
        except (child.NotRunning, load.Failure) as error:
            raise Missing(f"No embedded BigQuery: {error}") from None
        config.stash[EMULATOR] = emulator
        yield emulator


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


# Fixtures -----------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def bigquery_emulator(pytestconfig: pytest.Config) -> Iterator[BigQueryEmulator]:
    """A running server: the one that BIGQUERY_EMULATOR_HOST names, else one in memory that ends with the session.

    Under pytest-xdist each worker has its own.
    """
    if EMULATOR in pytestconfig.stash:
        yield pytestconfig.stash[EMULATOR]
        return
    try:
        with running(pytestconfig) as emulator:
            yield emulator
    except Missing as error:
        pytest.fail(str(error), pytrace=False)


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
    """The environment in which a bare `bigquery.Client()` of the code under test is one of the emulator's, for one test.

    Every test that uses another of these fixtures has it, too: nothing of what it does reaches for Google's servers.
    """
    for name, value in bigquery_emulator.environment.items():
        monkeypatch.setenv(name, value)
    return bigquery_emulator.environment


# Hooks --------------------------------------------------------------------------------------------

def uses_bigquery(item: pytest.Item) -> bool:
    return "bigquery_emulator" in getattr(item, "fixturenames", ())


def pytest_itemcollected(item: pytest.Item) -> None:
    if uses_bigquery(item) and "bigquery_environment" not in item.fixturenames:
        item.fixturenames.insert(0, "bigquery_environment")  # before fixtures of the module's or session's, which may already make clients


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test's report shows the jobs that ran since its set-up began."""
    report = yield
    if call.when == "setup":
        item.stash[BEGAN] = call.start
    if report.failed and uses_bigquery(item) and EMULATOR in item.config.stash:
        try:
            jobs = item.config.stash[EMULATOR].jobs(item.stash[BEGAN])
        except OSError as error:
            jobs = [f"The emulator does not answer: {error}"]
        if jobs:
            report.sections.append(("BigQuery jobs", "\n".join(jobs)))
    return report
