"""The lab's snippets, cut from tables.final.py: one source for the guide, the starting file and the tests."""
from __future__ import annotations

import re
from pathlib import Path

FINAL = Path(__file__).resolve().parent.parent / "tables.final.py"
PLACE = re.compile(r"^(?P<begin> *# (?P<name>\w+): paste below this line\n)(?P<code>.*?)(?P<end> *# (?P=name): paste above this line\n)",
                   re.MULTILINE | re.DOTALL)


def snippets(source: str) -> dict[str, str]:
    """operation -> the code between its markers, indentation kept."""
    return {place["name"]: place["code"] for place in PLACE.finditer(source)}


def emptied(source: str) -> str:
    """The file before the lab: every place empty, every operation off."""
    return PLACE.sub(r"\g<begin>\g<end>", source).replace(": True,", ": False,")


def pasted(source: str, operation: str, code: str) -> str:
    """The file with code pasted into the place of one operation."""
    return PLACE.sub(lambda place: place["begin"] + code + place["end"] if place["name"] == operation else place[0], source)


def has_code(source: str, operation: str) -> bool:
    """Whether anything stands in the place of an operation."""
    return bool(snippets(source).get(operation, "").strip())
