"""The type that texts look like, where a schema is detected."""
from __future__ import annotations

import datetime as dt
import re

SAMPLE = 500  # records that a schema is detected from
# What a text must look like to be taken for a type, the narrowest first.
PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in {
    "INTEGER": r"[-+]?\d{1,18}",
    "FLOAT": r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(inf|infinity)|nan",
    "BOOLEAN": r"true|false|t|f|yes|no|y|n",
    "DATE": r"\d{4}-\d{1,2}-\d{1,2}",
    "TIME": r"\d{1,2}:\d{2}:\d{2}(\.\d{1,6})?",
    "TIMESTAMP": r"\d{4}([-/])\d{1,2}\1\d{1,2}[ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(UTC|Z|[-+]\d{1,2}(:?\d{2})?))?"}.items()}


class Looks:
    """patterns: type -> the format (of strptime) that is the only one for it, from the load's options."""

    def __init__(self, patterns: dict[str, str]):
        self.patterns = patterns

    def kind(self, texts: list[str]) -> str | None:
        """The narrowest type that all texts look like; None without texts."""
        return widest({next((kind for kind in (*self.patterns, *PATTERNS) if self.fits(kind, text.strip())), "STRING") for text in texts})

    def fits(self, kind: str, text: str) -> bool:
        if kind not in self.patterns:
            return bool(PATTERNS[kind].fullmatch(text))
        try:
            return bool(dt.datetime.strptime(text, self.patterns[kind]))
        except ValueError:
            return False


def widest(kinds: set[str]) -> str | None:
    """The type that can hold all of these."""
    if kinds == {"INTEGER", "FLOAT"}:
        return "FLOAT"
    if kinds == {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    return kinds.pop() if len(kinds) == 1 else "STRING" if kinds else None
