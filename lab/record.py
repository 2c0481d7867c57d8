"""What each request did: its form, what it printed, its answer or error, its REST calls, and what these changed."""
from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from lab.live import request_id
from reloader import throw

KEPT = 50  # requests
LONGEST = 64 * 1024  # bytes of a body, and printed lines, that are kept
HINTS = {
    "NotFound": "What the code names does not exist. Check the name, or create it first.",
    "Conflict": "It exists already. Choose another name, delete it first, or pass exists_ok=True.",
    "Forbidden": "The caller lacks a permission, or the resource is not yours. The guide lists the roles that each operation needs.",
    "BadRequest": "BigQuery does not accept the request as it is. Its message names what is wrong.",
    "AttributeError": "Check the name after the dot. What __init__ does not set, the live object may lack.",
    "NameError": "Check the spelling, and that the name is imported or defined above.",
    "KeyError": "The dict has no such key. data.get(key) gives None instead of an error.",
    "RecursionError": "A function calls itself without an end.",
    "MemoryError": "The code holds more than the lab may. Take fewer rows, or page through them.",
    "Cancelled": "The request was cancelled on the page.",
}

class Cancelled(BaseException):
    """The page has given the request up."""


@dataclass
class Call:
    """One REST call of Google's clients. Bodies are bytes, at most LONGEST of them; times are ms."""
    number: int
    method: str
    path: str
    at_ms: float
    status: int = 0
    ms: float = 0.0
    request: bytes = b""
    reply: bytes = b""
    request_bytes: int = 0
    reply_bytes: int = 0
    url: str = ""

    def summary(self) -> dict:
        return {name: getattr(self, name) for name in ("number", "method", "path", "status", "at_ms", "ms", "request_bytes", "reply_bytes")}

    def whole(self) -> dict:
        return self.summary() | {"request": shown(self.request), "reply": shown(self.reply),
                                 "truncated": len(self.request) < self.request_bytes or len(self.reply) < self.reply_bytes}


@dataclass
class Record:
    """One POST /. status: running, done, failed or cancelled."""
    request: int
    data: dict
    client: str | None
    started: float = field(default_factory=time.time)  # unix seconds
    operation: str | None = None
    version: int | None = None
    hash: str | None = None
    status: str = "running"
    ms: float | None = None
    answer: str | None = None
    kind: str = "text"
    error: dict | None = None
    printed: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)
    thread: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def summary(self) -> dict:
        return {name: getattr(self, name) for name in ("request", "operation", "version", "hash", "data", "status", "ms", "client")} | {"time": self.started}

    def whole(self, with_answer: bool = True) -> dict:
        return self.summary() | {"answer": self.answer if with_answer else None, "kind": self.kind, "error": self.error, "printed": self.printed,
                                 "calls": [call.whole() for call in self.calls], "changes": changes(self.calls)}

    def end(self, status: str) -> bool:
        """Note how it ended; False where that is known already."""
        with self.lock:
            if self.status != "running":
                return False
            self.status, self.ms = status, milliseconds(self.began)
            return True

    @contextlib.contextmanager
    def stoppable(self) -> Iterator[None]:
        """Let `stop` end the block's code."""
        with self.lock:
            self.thread = threading.get_ident()
        try:
            yield
        finally:
            with self.lock:
                throw(self.thread, None)
                self.thread = None

    def stop(self) -> None:
        """Raise Cancelled in its thread, as soon as that runs Python code."""
        with self.lock:
            if self.thread is not None:
                throw(self.thread, Cancelled)

    def jobs(self) -> Iterator[dict]:
        """References of the jobs that it started and did not see end."""
        found: dict[str, dict] = {}
        for call in self.calls:
            body = shown(call.reply)
            if isinstance(body, dict) and "jobReference" in body:
                done = body.get("jobComplete") or (body.get("status") or {}).get("state") == "DONE"
                found[body["jobReference"].get("jobId", "")] = {} if done else body["jobReference"]
        return (reference for reference in found.values() if reference)


class Records:
    """The last requests. publish(name, event) tells the page of each REST call."""

    def __init__(self, publish: Callable[[str, dict], None]):
        self.publish = publish
        self.boot = f"{time.time():.6f}"
        self._numbers = itertools.count(1)
        self._kept: dict[int, Record] = {}

    def begin(self, data: dict, client: str | None) -> Record:
        record = Record(next(self._numbers), data, client)
        self._kept[record.request] = record
        while len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept)))
        return record

    def get(self, number: int) -> Record | None:
        return self._kept.get(number)

    def all(self) -> list[Record]:
        return list(self._kept.values())

    def running(self) -> list[Record]:
        return [record for record in self.all() if record.status == "running"]

    def current(self) -> Record | None:
        """The request that the calling code belongs to. A thread that nobody told is the only request's that runs."""
        number = request_id.get()
        if number is None:
            running = self.running()
            return running[0] if len(running) == 1 else None
        return self._kept.get(number)

    def printed(self, line: dict) -> None:
        record = self._kept.get(line["request"]) if line["request"] else None
        if record and len(record.printed) < LONGEST // 8:
            record.printed.append(line["line"])

    def watch_calls(self) -> None:
        """Record from now on what Google's clients send: both go through requests' sessions."""
        send = requests.Session.send

        def recorded(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            record = self.current() if is_google(request.url) else None
            if record is None:
                return send(session, request, **options)
            return self._record(record, request, options.get("stream", False), lambda: send(session, request, **options))
        requests.Session.send = recorded

    def _record(self, record: Record, request: requests.PreparedRequest, streamed: bool, send: Callable[[], requests.Response]) -> requests.Response:
        began = time.perf_counter()
        body = request.body if isinstance(request.body, bytes) else request.body.encode() if isinstance(request.body, str) else b""
        call = Call(len(record.calls) + 1, request.method, path_of(request.url), milliseconds(record.began), url=request.url,
                    request=body[:LONGEST], request_bytes=len(body) or int(request.headers.get("Content-Length") or 0))
        record.calls.append(call)
        try:
            reply = send()
            content = b"" if streamed else reply.content
            call.status, call.reply = reply.status_code, content[:LONGEST]
            call.reply_bytes = len(content) or int(reply.headers.get("Content-Length") or 0)
            return reply
        finally:
            call.ms = milliseconds(began)
            self.publish("call", {"request": record.request, "call": call.summary()})


def milliseconds(since: float) -> float:
    return round((time.perf_counter() - since) * 1000, 3)


def is_google(url: str) -> bool:
    """Whether a URL is BigQuery's or Cloud Storage's, real or embedded; those that hand out tokens are not recorded."""
    parts = urlsplit(url)
    own = {urlsplit(os.environ.get(name, "")).netloc for name in ("BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST")}
    host = parts.hostname or ""
    return parts.path != "/token" and (parts.netloc in own or host.endswith("googleapis.com") and not host.startswith(("oauth2", "sts", "iamcredentials")))


def path_of(url: str) -> str:
    """A resource's path as its documentation names it, without the part that is the same for all."""
    parts = urlsplit(url)
    return unquote(re.sub(r"^/(upload/|resumable/upload/|download/)?(bigquery/v2|storage/v1)/", r"/\1", parts.path)).lstrip("/")


def shown(body: bytes) -> Any:
    """A body as JSON where it is JSON, else as text; None for none."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def hint(kind: str) -> str | None:
    return HINTS.get(kind)


# What calls changed ---------------------------------------------------------------------------------

TABLE = r"projects/[^/]+/datasets/([^/]+)/tables/([^/:]+)"
WATCHED = {"schema": "schema", "expirationTime": "expiration", "description": "description", "labels": "labels", "friendlyName": "name"}


def changes(calls: list[Call]) -> list[dict]:
    """[{"resource", "what", "before", "after"}] of a request: from its calls and their replies, in their order."""
    known: dict[str, Any] = {}  # what an earlier reply said of a path
    found: list[dict] = []
    for call in calls:
        reply = shown(call.reply)
        if 200 <= call.status < 300:
            found += _changes(call, reply if isinstance(reply, dict) else {}, known)
    return found


def _changes(call: Call, reply: dict, known: dict[str, Any]) -> Iterator[dict]:
    path, method = call.path, call.method
    table, dataset, policy = re.fullmatch(TABLE, path), re.fullmatch(r"projects/[^/]+/datasets/([^/]+)", path), re.fullmatch(TABLE + ":setIamPolicy", path)
    if method == "GET" or path.endswith(":getIamPolicy"):
        known[path.replace(":getIamPolicy", ":setIamPolicy")] = reply
        if "/jobs/" in path:
            yield from _of_job(reply, known)
    elif policy:
        yield change(".".join(policy.groups()), "policy", known.get(path, {}).get("bindings", [] if path in known else None), reply.get("bindings", []))
        known[path] = reply
    elif method == "POST" and re.fullmatch(r"projects/[^/]+/datasets/[^/]+/tables", path):
        yield change(table_name(reply.get("tableReference", {})), "created", None, reply.get("schema", {}).get("fields", []))
    elif method == "POST" and re.fullmatch(r"projects/[^/]+/datasets", path):
        yield change(reply.get("datasetReference", {}).get("datasetId", ""), "created", None, reply.get("location"))
    elif method == "DELETE" and (table or dataset):
        before = known.pop(path, {})
        yield change(".".join((table or dataset).groups()), "deleted", before.get("schema", {}).get("fields"), None)
    elif method in ("PATCH", "PUT") and table:
        yield from _of_update(".".join(table.groups()), known.get(path), reply, shown(call.request))
        known[path] = reply
    elif rows := re.fullmatch(TABLE + "/insertAll", path):
        sent = shown(call.request)
        yield change(".".join(rows.groups()), "rows", None, len(sent.get("rows", [])) if isinstance(sent, dict) else None)
    elif method == "POST" and (path.endswith("/jobs") or path.endswith("/queries")):
        yield from _of_job(reply, known)
    elif method == "POST" and path == "b":
        yield change(f"gs://{reply.get('name', '')}", "created", None, reply.get("location"))
    elif method in ("POST", "PUT") and path.startswith(("upload/b/", "resumable/upload/b/")) and "name" in reply:
        yield change(f"gs://{reply.get('bucket')}/{reply['name']}", "created", None, int(reply.get("size", 0)))


def _of_update(name: str, before: dict | None, after: dict, sent: Any) -> Iterator[dict]:
    for key, what in WATCHED.items():
        if (before or {}).get(key) != after.get(key) and (before is not None or isinstance(sent, dict) and key in sent):
            yield change(name, what, part(before, key), part(after, key))


def part(resource: dict | None, key: str) -> Any:
    value = (resource or {}).get(key)
    if key == "schema":
        return (value or {}).get("fields")
    return rfc3339(int(value)) if key == "expirationTime" and value else value


def rfc3339(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds / 1000))


def _of_job(job: dict, known: dict[str, Any]) -> Iterator[dict]:
    """What a job has changed once it is done; a job is told of once."""
    name = "job " + (job.get("jobReference") or {}).get("jobId", "")
    status, configuration, statistics = job.get("status") or {}, job.get("configuration") or {}, job.get("statistics") or {}
    if status.get("state") != "DONE" or "errorResult" in status or name in known:
        return
    known[name] = job
    for kind in ("copy", "load"):
        if kind in configuration:
            rows = (statistics.get(kind) or {}).get("outputRows") or (statistics.get("copy") or {}).get("copiedRows")
            yield change(table_name(configuration[kind]["destinationTable"]), "rows", None, int(rows) if rows else None)
    if "extract" in configuration:
        counts = (statistics.get("extract") or {}).get("destinationUriFileCounts") or []
        for uri, count in zip(configuration["extract"].get("destinationUris") or [], counts):
            yield change(uri, "created", None, f"{count} file{'s' if int(count) != 1 else ''}")
    query = statistics.get("query") or {}
    if "ddlOperationPerformed" in query:
        yield change(table_name(query.get("ddlTargetTable") or {}), query["ddlOperationPerformed"].lower(), None, query.get("statementType"))
    if "numDmlAffectedRows" in query:
        target = next(iter(query.get("referencedTables") or []), {})
        yield change(table_name(target), "rows", None, int(query["numDmlAffectedRows"]))


def table_name(ref: dict) -> str:
    return f"{ref.get('datasetId', '')}.{ref.get('tableId', '')}"


def change(resource: str, what: str, before: Any, after: Any) -> dict:
    return {"resource": resource, "what": what, "before": before, "after": after}
