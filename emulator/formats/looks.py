"""The type that texts look like, where a schema is detected."""
from __future__ import annotations

import re

SAMPLE = 500  # records that a schema is detected from
# What a text must look like to be taken for a type, the narrowest first.
LOOKS = [
    ("INTEGER", re.compile(r"[-+]?\d{1,18}")),
    ("FLOAT", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|infinity)|nan", re.IGNORECASE)),
    ("BOOLEAN", re.compile(r"true|false", re.IGNORECASE)),
    ("DATE", re.compile(r"\d{4}-\d{1,2}-\d{1,2}")),
    ("TIME", re.compile(r"\d{1,2}:\d{2}:\d{2}(\.\d{1,6})?")),
    ("TIMESTAMP", re.compile(r"\d{4}-\d{1,2}-\d{1,2}[ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?( ?(UTC|Z|[-+]\d{1,2}(:?\d{2})?))?")),
]


def look(texts: list[str]) -> str | None:
    """The narrowest type that all texts look like; None without texts."""
    found = {next((kind for kind, pattern in LOOKS if pattern.fullmatch(text.strip())), "STRING") for text in texts}
    return widest(found)


def widest(kinds: set[str]) -> str | None:
    """The type that can hold all of these."""
    if kinds == {"INTEGER", "FLOAT"}:
        return "FLOAT"
    if kinds == {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    return kinds.pop() if len(kinds) == 1 else "STRING" if kinds else None
