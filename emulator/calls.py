"""One REST call as the function that answers it sees it, and the mark that makes a function a REST method."""
from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Callable

from .errors import ApiError
from .lake import Lake, now_ms

if TYPE_CHECKING:
    from .googlesql import GoogleSQL
    from .jobs import Jobs
    from .sessions import Sessions
    from .storage import Storage

PAGE = 1000  # resources on a page of a list unless the caller wants fewer
PAGING = ("maxResults", "pageToken")
RESOURCES = {"row_access": "rowAccessPolicies"}  # of modules that are not named after theirs


@dataclasses.dataclass(frozen=True)
class Method:
    """A REST method: verb and path; the permission it takes; its request and response messages, and query parameters.

    upload: whether a file may come with it.
    """

    verb: str
    path: str
    permission: str | None
    request: str | None
    query: tuple[str, ...]
    function: Callable[["Call"], dict]
    response: str | None = None
    upload: bool = False

    @property
    def id(self) -> str:
        """As the discovery document names it, e.g. bigquery.tables.get."""
        module = self.function.__module__.rpartition(".")[2]
        return f"bigquery.{RESOURCES.get(module, module)}.{self.function.__name__.rstrip('_')}"


def method(verb: str, path: str, permission: str | None = None, request: str | None = None, query: tuple[str, ...] = (),
           response: str | None = None, upload: bool = False):
    """Make a function of a Call a REST method at `path` below /bigquery/v2/.

    A plain function runs on a worker thread; an `async def` one on the event loop, where it must not block.
    """
    def mark(function: Callable) -> Callable:
        function.method = Method(verb, path, permission, request, query, function, response, upload)
        return function
    return mark


@dataclasses.dataclass
class Emulator:
    """The parts of a running emulator. `sql` waits for the analyzer, which loads beside the start.

    pool: worker threads for what must not block the event loop; insert_ids: (table, insertId) of rows
    streamed a moment ago, the oldest first; external: external table -> (state of its files, tables that hold
    their rows, the newest last); results: of queries, by what decides them, the oldest first.
    """

    lake: Lake
    storage: "Storage"
    jobs: "Jobs"
    sessions: "Sessions"
    analyzer: Future["GoogleSQL"]
    project: str
    principal: str
    writable_public_data: bool = False
    url: str = ""
    pool: ThreadPoolExecutor = dataclasses.field(default_factory=lambda: ThreadPoolExecutor(32, "call"))
    insert_ids: dict[tuple, None] = dataclasses.field(default_factory=dict)
    external: dict[tuple, tuple[str, list[str]]] = dataclasses.field(default_factory=dict)
    results: dict[str, dict] = dataclasses.field(default_factory=dict)
    storage_api: object = None  # the gRPC server, once a client has come

    @property
    def sql(self) -> "GoogleSQL":
        return self.analyzer.result()


@dataclasses.dataclass
class Call:
    """One request: who calls, what is named in the path and query, the body as its message (checked)."""

    emulator: Emulator
    principal: str
    params: dict[str, str]
    query: dict[str, str]
    body: dict
    if_match: str | None = None

    @property
    def lake(self) -> Lake:
        return self.emulator.lake

    @property
    def project(self) -> str:
        return self.params["projectId"]

    @property
    def dataset(self) -> tuple[str, str]:
        return self.project, self.params["datasetId"]

    @property
    def table(self) -> tuple[str, str, str]:
        return *self.dataset, self.params["tableId"]

    @property
    def routine(self) -> tuple[str, str, str]:
        return *self.dataset, self.params["routineId"]

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("true", "1")

    def integer(self, name: str, default: int | None = None) -> int | None:
        """A query parameter that counts something; ApiError invalidParameter unless it is a whole number from 0."""
        return whole_number(name, self.query.get(name), default)

    def page(self, items: list, key: Callable[[dict], str], size: str = "maxResults") -> tuple[list, str | None]:
        """The page of a list that the caller asks for, and the token of the next one.

        key: what the list is in the order of; size: the parameter that says how many.
        """
        return paged(items, lambda item: [key(item)], self.query.get("pageToken"), min(self.integer(size, PAGE) or PAGE, PAGE))

    def check_etag(self, current: str) -> None:
        """ApiError conditionNotMet if the caller's If-Match names another state of the resource than `current`."""
        if self.if_match not in (None, "*", current):
            raise ApiError("conditionNotMet", "Precondition check failed.", "If-Match")


def agree(content: str | None, parameter: str) -> None:
    """ApiError invalid where a request's body names another resource than its path."""
    if content and content != parameter:
        raise ApiError("invalid", f"Value '{content}' in content does not agree with value '{parameter}'. This can happen when a value set "
                                  "through a parameter is inconsistent with a value set in the request.")


def whole_number(name: str, text, default: int | None = None) -> int | None:
    if text is None or text == "":
        return default
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ApiError("invalidParameter", f"Invalid value '{text}' for {name}: a whole number from 0 is expected.", name)
    return number


def paged(items: list, key: Callable[..., list], token: str | None, size: int) -> tuple[list, str | None]:
    """A page of a list that is in the order of `key`, and the token of the next one.

    It begins after the last item of the page before, wherever that was, so that a client may delete what it has seen. ApiError invalid.
    """
    last = parts_of(token) if token else []
    try:
        left = [item for item in items if key(item) > last] if last else items
    except TypeError:
        raise invalid_token(token) from None
    return left[:size], make_token(*key(left[size - 1])) if size < len(left) else None


def make_token(*parts: int | str) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def parts_of(token: str) -> list:
    """What a page token was made of; ApiError invalid for one that is none of ours."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if type(parts) is not list or not parts or not all(type(part) in (int, str) for part in parts):
            raise ValueError
        return parts
    except (ValueError, TypeError):
        raise invalid_token(token) from None


def read_token(token: str | None) -> list[int]:
    """The numbers in a page token of rows; [0] without one; ApiError invalid for a token that is none of ours."""
    numbers = parts_of(token) if token else [0]
    if not all(type(number) is int and 0 <= number < 1 << 62 for number in numbers):
        raise invalid_token(token)
    return numbers


def invalid_token(token: str) -> ApiError:
    return ApiError("invalid", f"Invalid page token: {token}", "pageToken")


def etag(body: dict) -> str:
    """A tag that changes with what a caller would see of a resource."""
    text = json.dumps(body, sort_keys=True)
    return base64.b64encode(hashlib.md5(text.encode(), usedforsecurity=False).digest()).decode()


def public(body: dict) -> dict:
    """A resource without the emulator's own keys, with its etag."""
    shown = {key: value for key, value in body.items() if not key.startswith("_")}
    return shown | {"etag": etag(shown)}


def merge(body: dict, patch: dict) -> dict:
    """RFC 7386: null removes a key, objects merge, all else replaces."""
    merged = dict(body)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge(merged[key] if isinstance(merged.get(key), dict) else {}, value)
        else:
            merged[key] = without_nulls(value)
    return merged


def without_nulls(value):
    """A body as it is stored: what a client set to null was not set."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def timestamps(body: dict) -> dict:
    """Creation and change times of a new resource, in ms since the epoch."""
    now = str(now_ms())
    return body | {"creationTime": now, "lastModifiedTime": now}


def milliseconds(name: str, text: str) -> str:
    """A moment in RFC 3339, as a caller names it, in ms since the epoch; ApiError invalid for any other text."""
    try:
        return str(int(dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000))
    except ValueError:
        raise ApiError("invalid", f"Invalid value for {name}: {text} is not a valid value", name) from None
