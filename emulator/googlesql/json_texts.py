"""JSON as text: the form that BigQuery gives a JSON value, and parts of a text in the words of that text."""
from __future__ import annotations

import json
import re
from functools import lru_cache

STEP = re.compile(r'\."(.*?)"(?=\.|\[|$)|\[(\d+)\]')


class Number(str):
    """A number as it is written."""


class Unusual(ValueError):
    """What is better left to Google's own functions."""


def first_wins(pairs: list[tuple]) -> dict:
    made: dict = {}
    for name, value in pairs:
        made.setdefault(name, value)
    return made


def refuse(constant: str):
    raise Unusual(constant)


# Values of type JSON ------------------------------------------------------------------------------

def canonical(text: str) -> str | None:
    """A JSON value as BigQuery prints it: members by name, numbers in their shortest form. None where it is no JSON, or where a
    number in it is more than a double can hold."""
    return written(text, exact)


def rounded(text: str) -> str | None:
    """As canonical, with the nearest double for a number that is too wide."""
    return written(text, float)


def written(text: str, real) -> str | None:
    try:
        value = json.loads(text, object_pairs_hook=first_wins, parse_float=lambda digits: shortest(real(digits)), parse_int=lambda digits: whole(digits, real),
                           parse_constant=refuse)
        made = dump(value, sorted)
        made.encode()
        return made
    except (ValueError, RecursionError):
        return None


def exact(digits: str) -> float:
    """A number whose digits a double surely keeps; Unusual for others."""
    number = float(digits)
    if len(digits) > 17 or abs(number) >= 1e22:
        raise Unusual(digits)
    return number


def whole(digits: str, real) -> Number:
    number = int(digits)
    return Number(number) if -2**63 <= number < 2**64 else shortest(real(digits))


def shortest(number: float) -> Number:
    """A double in the fewest digits: 1.0, 0.1, 1e+15."""
    if number in (float("inf"), float("-inf")):
        raise Unusual(str(number))
    text = repr(number)
    if 1e15 <= abs(number) < 1e16:
        sign, digits = "-" * (number < 0), text.lstrip("-").replace(".", "").rstrip("0")
        text = f"{sign}{digits[0]}{'.' * (len(digits) > 1)}{digits[1:]}e+15"
    return Number(text)


def number(text: str) -> str:
    """The text of a double as a JSON value has it."""
    return shortest(float(text))


def dump(value, order=list) -> str:
    """order: of an object's names."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(dump(item, order) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(name)}:{dump(value[name], order)}" for name in order(value)) + "}"
    return quoted(value)


def quoted(value) -> str:
    return json.dumps(value, ensure_ascii=False)


# Parts of a text ----------------------------------------------------------------------------------

@lru_cache(256)
def steps(path: str) -> list:
    """A path in DuckDB's form, $."name"[0], as names and numbers."""
    return [int(index) if index else name for name, index in STEP.findall(path)]


def part(text: str, path: str):
    """What a path leads to; None where it leads nowhere."""
    found = json.loads(text, object_pairs_hook=first_wins, parse_float=Number, parse_int=Number)
    for step in steps(path):
        if isinstance(step, int) and isinstance(found, list) and step < len(found):
            found = found[step]
        elif isinstance(step, str) and isinstance(found, dict) and step in found:
            found = found[step]
        else:
            return None
    return found


def scalar(found) -> str | None:
    if isinstance(found, (list, dict)) or found is None:
        return None
    return found if isinstance(found, str) else quoted(found)


def value(text: str, path: str) -> str | None:
    """JSON_VALUE of a text."""
    return scalar(part(text, path))


def query(text: str, path: str) -> str | None:
    """JSON_QUERY of a text."""
    found = part(text, path)
    return None if found is None else dump(found)


def value_array(text: str, path: str) -> list | None:
    """JSON_VALUE_ARRAY of a text: NULL where an item is no scalar."""
    found = part(text, path)
    if not isinstance(found, list) or any(isinstance(item, (list, dict)) for item in found):
        return None
    return [scalar(item) for item in found]


def query_array(text: str, path: str) -> list | None:
    found = part(text, path)
    return [dump(item) for item in found] if isinstance(found, list) else None
