"""The messages a caller may send: every field of every request, checked against one table of facts.

`messages.json` lists each message's fields and their types as BigQuery's discovery document names
them: `string`, `int64` (a string of digits on the wire), `[X]` repeated, `{X}` a map, `X!` output
only. An output-only field that a client echoes back is dropped, as the real service does.
"""
from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from .errors import ApiError


# Not in the discovery document, yet sent with every file by Node's client, whose loads the real service takes.
IGNORED = {("JobConfigurationLoad", "location")}


@cache
def table() -> dict[str, dict[str, str]]:
    """message -> field -> type."""
    return json.loads(Path(__file__).with_name("messages.json").read_text())


def check(message: str, body, path: str = "") -> dict:
    """The body as BigQuery understands it: known fields only, int64 as strings, no output-only fields.

    Raises ApiError badRequest for a body that is not an object, an unknown field, a wrong type.
    """
    if not isinstance(body, dict):
        at = f" at '{path}'" if path else ""
        raise ApiError("badRequest", f"Invalid JSON payload received. An object is expected{at}.")
    known, checked = table()[message], {}
    for name, value in body.items():
        kind = known.get(name)
        if (message, name) in IGNORED:
            continue
        if kind is None:
            at = f" at '{path}'" if path else ""
            raise ApiError("badRequest", f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')
        if not kind.endswith("!"):
            checked[name] = convert(kind, value, f"{path}.{name}" if path else name)
    return checked


def convert(kind: str, value, path: str):
    """A JSON value as the type `kind`; null means "not set" anywhere."""
    if value is None or kind == "any":
        return value
    if kind[0] == "[":
        expect(isinstance(value, list), path, "a list", value)
        return [convert(kind[1:-1], item, f"{path}[{i}]") for i, item in enumerate(value)]
    if kind[0] == "{":
        expect(isinstance(value, dict), path, "an object", value)
        return {key: convert(kind[1:-1], item, f"{path}.{key}") for key, item in value.items()}
    scalar = SCALARS.get(kind)
    return scalar(value, path) if scalar else check(kind, value, path)


def string(value, path: str) -> str:
    expect(isinstance(value, (str, int, float)) and not isinstance(value, bool), path, "TYPE_STRING", value)
    return value if isinstance(value, str) else json.dumps(value)


def int64(value, path: str) -> str:
    try:
        if isinstance(value, bool):
            raise ValueError
        number = int(value)
        expect(number == float(value) and -(2**63) <= number < 2**63, path, "TYPE_INT64", value)
        return str(number)
    except (TypeError, ValueError):
        raise invalid(path, "TYPE_INT64", value) from None


def integer(value, path: str) -> int:
    return int(int64(value, path))


def boolean(value, path: str) -> bool:
    if value in ("true", "false"):
        return value == "true"
    expect(isinstance(value, bool), path, "TYPE_BOOL", value)
    return value


def number(value, path: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise invalid(path, "TYPE_DOUBLE", value) from None


SCALARS = {"string": string, "bytes": string, "int64": int64, "integer": integer, "boolean": boolean, "number": number}


def expect(condition: bool, path: str, kind: str, value) -> None:
    if not condition:
        raise invalid(path, kind, value)


def invalid(path: str, kind: str, value) -> ApiError:
    shown = json.dumps(value, ensure_ascii=False)
    shown = shown if len(shown) <= 100 else shown[:100] + "..."
    return ApiError("badRequest", f"Invalid value at '{path}' ({kind}), {shown}")
