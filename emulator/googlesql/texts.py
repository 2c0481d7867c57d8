"""Functions of text that Python's own library has and DuckDB lacks."""
from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import unicodedata
from functools import lru_cache

from ..errors import ApiError
from .python_functions import takes_nulls

FORMS = ("NFC", "NFKC", "NFD", "NFKD")  # in the order of NormalizeMode


def failed(message: str) -> ApiError:
    return ApiError("invalidQuery", message, "query")


def normalize(text: str, mode: int = 0) -> str:
    return unicodedata.normalize(FORMS[mode], text)


def normalize_and_casefold(text: str, mode: int = 0) -> str:
    return unicodedata.normalize(FORMS[mode], unicodedata.normalize(FORMS[mode], text).casefold())


def of_bytes(data: bytes) -> str:
    """A character for each byte."""
    return data.decode("latin-1")


def to_bytes(text: str) -> bytes:
    return text.encode("latin-1")


def of_bytes_list(items: list) -> list:
    return [item if item is None else of_bytes(item) for item in items]


def to_bytes_list(items: list) -> list:
    return [item if item is None else to_bytes(item) for item in items]


def lower(text: str) -> str:
    return text.lower()


def upper(text: str) -> str:
    return text.upper()


def instr(text: str, part: str, start: int, occurrence: int) -> int:
    """The place, from 1, of a part's n-th occurrence at or after a place; counted back from the end for a negative one. 0 where there is none."""
    if start > 0:
        at = start - 2
        for _ in range(occurrence):
            at = text.find(part, at + 1)
            if at < 0:
                return 0
        return at + 1
    at = len(text) + start + 1
    for _ in range(occurrence):
        at = text.rfind(part, 0, max(0, at - 1 + len(part)))
        if at < 0:
            return 0
    return at + 1


def sha512(data: str | bytes) -> bytes:
    return hashlib.sha512(data.encode() if isinstance(data, str) else data).digest()


def formatted_float(pattern: str, number: float) -> str:
    return pattern % number


ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def quoted(text: str) -> str:
    """A text with control characters as a literal of GoogleSQL."""
    quote = "'" if '"' in text and "'" not in text else '"'
    return quote + "".join(ESCAPES.get(c) or ("\\" + c if c == quote else f"\\x{ord(c):02x}" if ord(c) < 32 or ord(c) == 127 else c) for c in text) + quote


def to_base32(data: bytes) -> str:
    return base64.b32encode(data).decode()


def from_base32(text: str) -> bytes:
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raise failed(f"Failed to decode invalid base32 string: {text}") from None


def domain(host: str, labels: int) -> str | None:
    """The public suffix of a host with so many labels before it; NULL for an address, or where there are none."""
    name = host.strip(".")
    if not name or name.startswith("[") or re.fullmatch(r"[\d.]+", name):
        return None
    suffix = suffixes().publicsuffix(name.lower())
    parts = name.split(".")
    count = len(suffix.split(".")) + labels if suffix else 0
    return ".".join(parts[-count:]) if 0 < count <= len(parts) else None


@lru_cache(None)
def suffixes():
    from publicsuffixlist import PublicSuffixList
    return PublicSuffixList()


# Text analysis ------------------------------------------------------------------------------------

# LOG_ANALYZER's delimiters. Source: BigQuery's "Text analysis" page.
DELIMITERS = re.compile(r"""[\[\]<>(){}|!;,'"*&?+/:=@.\-$%\\_\s]+|--""")


@takes_nulls
def analyzed(text: str | None, analyzer: str | None = None, options: str | None = None) -> list[str] | None:
    """TEXT_ANALYZE: the terms of a text."""
    if text is None:
        return None
    wanted = json.loads(options) if options else {}
    name = (analyzer or "LOG_ANALYZER").upper()
    if name == "NO_OP_ANALYZER":
        return [text]
    if name == "PATTERN_ANALYZER":
        patterns = wanted.get("patterns") or [r"\b\w{2,}\b"]
        terms = [found.group(0) for found in re.finditer("|".join(patterns), text.lower())]
    elif name == "LOG_ANALYZER":
        delimiters = wanted.get("delimiters")
        split = re.compile("|".join(map(re.escape, sorted(delimiters, key=len, reverse=True)))) if delimiters else DELIMITERS
        terms = [term for term in split.split(text.lower()) if term]
    else:
        raise failed(f"Invalid analyzer: {analyzer}")
    for rule in wanted.get("token_filters", []):
        terms = filtered(terms, rule)
    return terms


def filtered(terms: list[str], rule: dict) -> list[str]:
    mode = rule.get("normalizer", rule).get("mode") if isinstance(rule.get("normalizer", rule), dict) else rule.get("normalizer")
    if "stop_words" in rule:
        return [term for term in terms if term not in rule["stop_words"]]
    if mode in FORMS:
        return [unicodedata.normalize(mode, term) for term in terms]
    return [term.lower() for term in terms] if mode == "LOWER" else terms


@takes_nulls
def search(texts: list, query: str | None, analyzer: str | None, options: str | None) -> bool | None:
    """SEARCH: whether the texts have every term of the query; one in backticks must stand there as it is."""
    if query is None:
        raise failed("SEARCH: the search query must not be NULL")
    texts = [text for text in texts or () if text is not None]
    phrases = re.findall(r"`([^`]*)`|\"([^\"]*)\"", query)
    terms = set(analyzed(re.sub(r"`[^`]*`|\"[^\"]*\"", " ", query), analyzer, options))
    if not terms and not phrases:
        raise failed("SEARCH: the search query has no terms")
    whole = [analyzed(text, analyzer, options) for text in texts]
    found = {term for text in whole for term in text}
    if not terms <= found:
        return False
    return all(any(follows(text, analyzed(quoted or exact, analyzer, options)) for text in whole) for exact, quoted in phrases)


def follows(terms: list[str], phrase: list[str]) -> bool:
    return any(terms[i:i + len(phrase)] == phrase for i in range(len(terms) - len(phrase) + 1))
