"""Functions of text that Python's own library has and DuckDB lacks."""
from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from functools import lru_cache

from ..errors import ApiError

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


def replaced_in_any_case(text: str, part: str, by: str) -> str:
    return re.sub(re.escape(part), lambda found: by, text, flags=re.IGNORECASE) if part else text


def split_in_any_case(text: str, part: str = ",") -> list[str]:
    return re.split(re.escape(part), text, flags=re.IGNORECASE) if part else list(text)


def firsts(items: list[str | None], keys: list[str | None]) -> list[str | None]:
    """The first item of each key."""
    found: dict = {}
    for key, item in zip(keys, items):
        found.setdefault(key, item)
    return list(found.values())


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
