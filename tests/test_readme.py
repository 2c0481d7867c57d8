"""What the README tells a newcomer is so: commands, operations, flags, messages, files."""
import re
import subprocess
import sys

import pytest

from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.partition(f"## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[str]:
    """The first cells of a table."""
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ") and not line.startswith("|--")]


def test_ci_runs_the_readmes_test_command():
    assert "    python3 lab.py test\n" in section("Test")
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("python3 lab.py test")


def test_every_operation_is_told():
    operations = re.findall(r'^ +"(\w+)": (?:True|False),$', (ROOT / "tables.py").read_text(encoding="utf-8"), re.M)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows(section("The twelve operations"))))) == sorted(operations)


@pytest.mark.parametrize("title, command", [("Flags", ["tornado_server.py"]), ("The embedded BigQuery alone", ["-m", "emulator"])])
def test_every_flag_exists(title, command):
    usage = subprocess.run([sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    told = set(re.findall(r"--[a-z-]+", section(title).partition("###")[0]))
    assert told and told <= set(re.findall(r"--[a-z-]+", usage))


def test_messages_are_those_of_the_program():
    source = "".join((ROOT / name).read_text() for name in ("lab.py", "tornado_server.py"))
    for message in ("is needed; this is", "Can't listen on", "This Python can't make virtual environments"):
        assert message in source
    assert "`Python 3.11 or newer is needed`" in README and "`This Python can't make virtual environments`" in README


def test_every_file_is_there():
    for cell in rows(section("Where things are")):
        for path in re.findall(r"`([\w./]+)`", cell):
            assert (ROOT / path).exists(), path
