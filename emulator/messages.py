"""The messages of the API: every field of every request and answer, and the checks of what a caller sends.

`messages.json` lists each message's fields and their types as BigQuery's discovery document names
them: `string`, `int64` (a string of digits on the wire), `[X]` repeated, `{X}` a map, `X!` output
only. An output-only field that a client echoes back is dropped, as the real service does.
PARAMETERS does the same for what is named in a query, where `a|b` is one of these words.
"""
from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from .errors import ApiError

# Query parameter -> type. Those that every method takes come last.
PARAMETERS = {
    "accessPolicyVersion": "integer", "all": "boolean", "allUsers": "boolean", "autodetect_schema": "boolean",
    "datasetView": "DATASET_VIEW_UNSPECIFIED|METADATA|ACL|FULL", "deleteContents": "boolean", "filter": "string", "force": "boolean",
    "formatOptions.timestampOutputFormat": "TIMESTAMP_OUTPUT_FORMAT_UNSPECIFIED|FLOAT64|INT64|ISO8601_STRING",
    "formatOptions.useInt64Timestamp": "boolean", "location": "string", "maxCreationTime": "int64", "maxResults": "integer",
    "minCreationTime": "int64", "pageSize": "integer", "pageToken": "string", "parentJobId": "string", "projection": "full|minimal",
    "readMask": "string", "selectedFields": "string", "startIndex": "int64", "stateFilter": "[done|pending|running]", "timeoutMs": "integer",
    "updateMode": "UPDATE_MODE_UNSPECIFIED|UPDATE_METADATA|UPDATE_ACL|UPDATE_FULL",
    "view": "TABLE_METADATA_VIEW_UNSPECIFIED|BASIC|STORAGE_STATS|FULL",
}
COMMON = {
    "$.xgafv": "1|2", "access_token": "string", "alt": "json|media|proto", "callback": "string", "fields": "string", "key": "string",
    "oauth_token": "string", "prettyPrint": "boolean", "quotaUser": "string", "uploadType": "string", "upload_protocol": "string",
    "uploadProtocol": "string", "upload_id": "string", "userIp": "string", "requestId": "string",
}


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
        expect(None not in value or kind == "[any]", path, "a list without null", value)
        return [convert(kind[1:-1], item, f"{path}[{i}]") for i, item in enumerate(value)]
    if kind[0] == "{":
        expect(isinstance(value, dict), path, "an object", value)
        return value if kind == "{any}" else {key: convert(kind[1:-1], item, f"{path}.{key}") for key, item in value.items()}
    scalar = SCALARS.get(kind)
    return scalar(value, path) if scalar else check(kind, value, path)


def check_parameters(names: tuple[str, ...], given: list[tuple[str, str]]) -> dict[str, str]:
    """The query parameters of a method that takes `names`, as texts, those of a repeated one with commas between them.

    Raises ApiError badRequest for an unknown one and for a value of the wrong type.
    """
    found: dict[str, str] = {}
    for name, text in given:
        if name not in names and name.removeprefix("$") not in COMMON and name not in COMMON:
            raise ApiError("badRequest", f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.')
        kind = PARAMETERS.get(name) or COMMON.get(name.removeprefix("$")) or COMMON[name]
        if text:
            check_text(kind.strip("[]"), text, name)
        found[name] = f"{found[name]},{text}" if kind[0] == "[" and name in found else text
    return found


def check_text(kind: str, text: str, name: str) -> None:
    if "|" in kind:
        expect({*text.lower().split(",")} <= {*kind.lower().split("|")}, name, f"one of {kind.replace('|', ', ')}", text)
    elif kind == "boolean":
        expect(text.lower() in ("true", "false", "1", "0"), name, "TYPE_BOOL", text)
    elif kind in ("integer", "int64"):
        SCALARS[kind](text, name)


def string(value, path: str) -> str:
    expect(isinstance(value, (str, int, float)), path, "TYPE_STRING", value)
    return value if isinstance(value, str) else json.dumps(value)


def int64(value, path: str) -> str:
    try:
        if isinstance(value, bool):
            raise ValueError
        number = int(value)
        expect(number == float(value) and -(2**63) <= number < 2**63, path, "TYPE_INT64", value)
        return str(number)
    except (TypeError, ValueError, OverflowError):
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
    except (TypeError, ValueError, OverflowError):
        raise invalid(path, "TYPE_DOUBLE", value) from None


SCALARS = {"string": string, "bytes": string, "int64": int64, "integer": integer, "boolean": boolean, "number": number}


def expect(condition: bool, path: str, kind: str, value) -> None:
    if not condition:
        raise invalid(path, kind, value)


def invalid(path: str, kind: str, value) -> ApiError:
    shown = json.dumps(value, ensure_ascii=False)
    shown = shown if len(shown) <= 100 else shown[:100] + "..."
    return ApiError("badRequest", f"Invalid value at '{path}' ({kind}), {shown}")
