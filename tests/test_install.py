"""`pip install .`: what it brings, and that it works away from the checkout."""
import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from conftest import ROOT, new_client

pytest.importorskip("hatchling", reason="what builds the package is not installed; python3 lab.py test installs it")
DEPENDENCIES = {requirement.name: requirement for requirement in map(
    Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the installed package; what it depends on is this environment's."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation",
                    "--target", folder, ROOT], check=True)
    return folder


def environment(installed: Path) -> dict:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONPATH": str(installed)}


def test_nothing_but_the_emulator_is_installed(installed):
    assert {path.name for path in installed.iterdir()} - {"bin", "Scripts"} == {"emulator", "bigquery_emulator-0.1.0.dist-info"}
    tracked = subprocess.run(["git", "ls-files", "emulator"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    there = {str(path.relative_to(installed)) for path in (installed / "emulator").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    public_data = {f"emulator/public_data/{name}" for name in ("__main__.py", "questions.py", "shakespeare.py", "made_up.py", "bucket.py", "texts.zip", "fips_codes_states.csv", "countries.csv",
                                                                 "us_states.csv")}
    assert there == set(tracked) - public_data


@pytest.mark.parametrize("command", [["-m", "emulator"], None], ids=["module", "script"])
def test_it_runs_from_anywhere(installed, tmp_path, command):
    command = [sys.executable, *command] if command else [next(installed.glob("*/bigquery-emulator*"))]
    with subprocess.Popen([*command, "--in-memory", "--port", "0", "--storage-port", "0", "--exit-with-stdin"], cwd=tmp_path,
                          env=environment(installed), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        import json
        ready = json.loads(process.stdout.readline())
        query = "SELECT COUNT(*) AS n FROM `bigquery-public-data.samples.shakespeare` WHERE STARTS_WITH(corpus, 'ham')"
        assert [row.n > 0 for row in new_client(ready).query_and_wait(query)] == [True]
        process.stdin.close()
    assert process.returncode == 0 and list(tmp_path.iterdir()) == []


def test_pytest_finds_the_plugin(installed, tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it(bigquery_client):\n    assert bigquery_client.query_and_wait('SELECT 1').total_rows == 1\n")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, env=environment(installed), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_import_is_declared():
    sources = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "emulator").rglob("*.py")]
    nodes = [node for source in sources for node in ast.walk(source)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    # `google` is many distributions: their part of the name tells which.
    parts = {"google.protobuf": "protobuf", "google.cloud": "google-cloud-bigquery", "google.auth": "google-cloud-bigquery",
             "google.api_core": "google-cloud-bigquery", "google.rpc": "googleapis-common-protos"}
    distributions = packages_distributions()
    needed = set()
    for name in names - {"pytest"}:
        top = name.partition(".")[0]
        found = parts[".".join(name.split(".")[:2])] if top == "google" else distributions.get(top, [None])[0] if top not in sys.stdlib_module_names else None
        needed |= {re.sub(r"[-_.]+", "-", found).lower()} if found else set()
    assert needed <= set(DEPENDENCIES)


def test_the_labs_versions_are_among_those_declared():
    pinned = {requirement.name: requirement for requirement in (
        Requirement(line) for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#"))}
    for name, requirement in DEPENDENCIES.items():
        (pin,) = pinned[name].specifier
        assert requirement.specifier.contains(pin.version), name
