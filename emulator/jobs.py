"""jobs.*: a job's life from PENDING to DONE, waiting, cancelling, and the results of queries."""
from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Callable, Iterator, TypeVar

import duckdb

from . import datasets, iam, locations, query, rules, tabledata, transfer
from .calls import PAGING, Call, Emulator, agree, etag, method, public, read_token, whole_number, without_nulls
from .errors import ApiError, not_found, unsupported
from .lake import Lake, RolledBack, Transaction, now_ms
from .sessions import Session

log = logging.getLogger(__name__)
T = TypeVar("T")

# What each kind of job does.
RUN: dict[str, Callable[["Job"], None]] = {
    "query": query.run, "load": transfer.load, "extract": transfer.extract, "copy": transfer.copy}
WORKERS = 16
INSERT_WAIT = 1.0  # seconds jobs.insert waits for a short job: a client that sees it done need not poll
QUERY_WAIT_MS = 10_000  # what jobs.query and getQueryResults wait unless the caller says otherwise
MOST_WAIT_MS = 200_000
LEAST_TIMEOUT_MS = 1000  # the service stops no job that ends within a moment
RESULTS_KEPT_MS = 24 * 3_600_000
MOST_RESULTS = 5_000  # results kept at a time; one takes about 30 kB at least
CHOICES = {
    "createDisposition": {"CREATE_IF_NEEDED", "CREATE_NEVER"}, "writeDisposition": {"WRITE_TRUNCATE", "WRITE_TRUNCATE_DATA", "WRITE_APPEND", "WRITE_EMPTY"},
    "priority": {"INTERACTIVE", "BATCH"}, "parameterMode": {"NAMED", "POSITIONAL"}, "schemaUpdateOptions": {"ALLOW_FIELD_ADDITION", "ALLOW_FIELD_RELAXATION"}}
CREATION_MODES = {"JOB_CREATION_MODE_UNSPECIFIED", "JOB_CREATION_REQUIRED", "JOB_CREATION_OPTIONAL"}
REQUEST_ID = re.compile(r"[!-~]{1,36}")
REQUESTS_REMEMBERED_MS = 15 * 60_000
# What two requests with one requestId may differ in and still be the same.
NO_PART_OF_A_REQUEST = ("timeoutMs", "maxResults", "formatOptions", "requestId", "kind", "jobCreationMode")
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,1024}")
OPTIONS = {"query": query.OPTIONS, "load": transfer.LOAD_OPTIONS, "extract": transfer.EXTRACT_OPTIONS, "copy": transfer.COPY_OPTIONS}


class Clock:
    """Milliseconds since the epoch, never the same twice: jobs are listed in the order in which they were made."""

    def __init__(self):
        self._last, self._lock = 0, threading.Lock()

    def tick(self) -> int:
        with self._lock:
            self._last = max(now_ms(), self._last + 1)
            return self._last


CLOCK = Clock()


class Undone(Exception):
    """The end of what a dry run does."""


class Job:
    """One job: its configuration and statistics as REST has them, and what its work needs.

    kind: query, load, extract or copy; upload: the file that came with a load job.
    """

    def __init__(self, emulator: Emulator, principal: str, reference: dict, configuration: dict, upload=None, parent: "Job | None" = None):
        self.emulator, self.principal, self.upload, self.parent = emulator, principal, upload, parent
        self.variables: dict = {}  # of the script that the job is a child of
        self.session: Session = parent.session if parent else Session()
        self.text: str | None = None  # the query as it is analyzed, where that is not what the job says
        self.kind = job_kind(configuration)
        self.ref = (reference["projectId"], reference["jobId"])
        self.reference = reference
        self.configuration = configuration
        self.statistics: dict = {"creationTime": str(CLOCK.tick()), "totalBytesProcessed": "0", "totalSlotMs": "0"}
        self.status: dict = {"state": "PENDING"}
        self.warnings: list[dict] = []  # errors that did not keep the job from its end
        self.result: dict | None = None  # of a query: a table's body, whose rows are in `results`
        self.schema: list[dict] | None = None  # of the table that a CREATE statement made
        self.done: Future = Future()
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        self._stopped: str | None = None

    @property
    def config(self) -> dict:
        """The part of the configuration for this kind of job."""
        return self.configuration[self.kind]

    @property
    def project(self) -> str:
        return self.ref[0]

    @property
    def lake(self) -> Lake:
        return self.emulator.lake

    @property
    def name(self) -> str:
        return f"{self.ref[0]}:{self.reference['location']}.{self.ref[1]}"

    @property
    def body(self) -> dict:
        return self._record(self.status, self.statistics)

    def _record(self, status: dict, statistics: dict) -> dict:
        project, job_id = self.ref
        record = {
            "kind": "bigquery#job", "id": self.name, "jobReference": self.reference, "status": status,
            "selfLink": f"https://bigquery.googleapis.com/bigquery/v2/projects/{project}/jobs/{job_id}?location={self.reference['location']}",
            "user_email": self.principal, "principal_subject": f"user:{self.principal}",
            "jobCreationReason": {"code": "REQUESTED"},
            "configuration": {**self.configuration, "jobType": self.kind.upper()}, "statistics": dict(statistics)}
        return record | ({"_result": self.result} if self.result else {}) | ({"_schema": self.schema} if self.schema else {})

    def _finished(self, error: ApiError | None = None) -> dict:
        status = {"state": "DONE"}
        if error:
            status |= {"errorResult": error.entry, "errors": [error.entry, *error.errors]}
        elif self.warnings:
            status["errors"] = self.warnings
        now = max(now_ms(), int(self.statistics["creationTime"]))
        statistics = self.statistics | {"endTime": str(now)}
        statistics["totalSlotMs"] = str(now - int(statistics.get("startTime", now)))
        if "query" in statistics:
            statistics["query"] = query.ended(statistics, bool(error))
        return self._record(status, statistics)

    # What the work of a job calls -----------------------------------------------------------------

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor that a cancel interrupts; ApiError stopped where the job is cancelled already."""
        if transaction := self.session.readable:
            with transaction.use() as cursor, self.cancellable(cursor):
                yield cursor
        else:
            with self.cancellable(self.lake.cursor()) as cursor:
                yield cursor

    @contextmanager
    def cancellable(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
        owner = self.parent or self
        owner._cursors.add(cursor)
        try:
            self.check_stopped()
            yield cursor
        finally:
            owner._cursors.discard(cursor)

    def check_stopped(self) -> None:
        self._stopped = self._stopped or (self.parent._stopped if self.parent else None)
        if self._stopped:
            raise ApiError("stopped", f"Job execution was cancelled: {self._stopped}")

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Write the job's effect, and the job as done, in one transaction. The last thing a job does.

        Inside of a transaction of several statements only the effect; it is not over. In a dry run the effect is undone.
        """
        if self.configuration.get("dryRun"):
            return self.rehearse(work)
        if transaction := self.session.transaction:
            if transaction.broken:
                raise ApiError("invalidQuery", "The transaction was aborted by the error of an earlier statement; it can only be rolled back.", "query")
            with self.cancellable(transaction.cursor):
                return transaction.write(work)

        def commit(tx: Transaction) -> tuple[T, dict]:
            with self.cancellable(tx.cursor):
                result = work(tx)
            return result, tx.put("job", self.ref, self._finished())
        result, record = self.lake.write(commit)
        self._settle(record)
        return result

    def rehearse(self, work: Callable[[Transaction], T]) -> T:
        done = []

        def undo(tx: Transaction) -> None:
            done.append(work(tx))
            raise Undone
        try:
            self.lake.write(undo)
        except Undone:
            return done[0]

    # Life -----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Do the work; every outcome ends in DONE."""
        self.status = {"state": "RUNNING"}
        self.statistics["startTime"] = str(max(now_ms(), int(self.statistics["creationTime"])))
        timer = self._timeout()
        try:
            self.check_stopped()
            if not self.parent:
                self.session = self.emulator.sessions.of(self)
            with self.session.lock if self.session.id and not self.parent else nullcontext():
                RUN[self.kind](self)
            if not self.done.done():
                self._keep(self._finished())
        except Exception as error:
            self._keep(self._finished(self._api_error(error)))
        finally:
            if timer:
                timer.cancel()
            if self.upload:
                self.upload.unlink(missing_ok=True)

    def _api_error(self, error: Exception) -> ApiError:
        if (self._stopped or self.parent and self.parent._stopped) and not self.done.done():
            return ApiError("stopped", f"Job execution was cancelled: {self._stopped or self.parent._stopped}")
        if isinstance(error, ApiError):
            return error
        if isinstance(error, RolledBack):
            return ApiError("aborted", str(error))
        if isinstance(error, duckdb.Error):
            return query.runtime_error(error)
        log.error("Job %s failed", self.name, exc_info=error)
        return ApiError("emulatorFault", f"A fault of the embedded BigQuery: {type(error).__name__}: {error}")

    def _timeout(self) -> threading.Timer | None:
        limit = int(self.configuration.get("jobTimeoutMs") or 0)
        if not limit:
            return None
        timer = threading.Timer(max(limit, LEAST_TIMEOUT_MS) / 1000, self.cancel, [f"Job timed out after {limit / 1000:g} seconds"])
        timer.daemon = True
        timer.start()
        return timer

    def finish(self) -> None:
        """End a job that was not run: a script did its work."""
        self.statistics["startTime"] = self.statistics["creationTime"]
        self._keep(self._finished())

    def _keep(self, record: dict) -> None:
        self.lake.put_later("job", self.ref, record)
        self._settle(record)

    def _settle(self, record: dict) -> None:
        self.status, self.statistics = record["status"], record["statistics"]
        self.done.set_result(record)

    def cancel(self, why: str = "User requested cancellation") -> None:
        if not self.done.done():
            self._stopped = why
            for cursor in list((self.parent or self)._cursors):
                cursor.interrupt()


class Jobs:
    """The jobs that run, and those that ran."""

    def __init__(self, lake: Lake):
        self.lake = lake
        self._active: dict[tuple[str, str], Job] = {}
        self._requests: dict[tuple, tuple[int, tuple[str, str]]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS, "job")
        self._recover()

    def start(self, job: Job) -> Job:
        """Run a job on a worker thread; ApiError duplicate if its id was used before."""
        with self._lock:
            if job.ref in self._active or self.lake.get("job", job.ref):
                raise ApiError("duplicate", f"Already Exists: Job {job.name}")
            self._active[job.ref] = job
        self._pool.submit(self._run, job)
        return job

    def _run(self, job: Job) -> None:
        try:
            job.run()
        finally:
            self._ended(job.ref)

    def _ended(self, ref: tuple[str, str]) -> None:
        with self._lock:
            self._active.pop(ref, None)

    def of_request(self, call: Call, job: Job) -> tuple[str, str]:
        """The job that answers a jobs.query: one that the same request with the same requestId started a moment ago, else `job`, now started."""
        request_id = call.body.get("requestId")
        if not request_id:
            return self.start(job).ref
        if not REQUEST_ID.fullmatch(request_id):
            raise ApiError("invalid", f"Invalid value for requestId: {request_id[:100]}. It has at most 36 characters of ASCII.", "requestId")
        now = now_ms()
        while self._requests and next(iter(self._requests.values()))[0] + REQUESTS_REMEMBERED_MS < now:
            self._requests.pop(next(iter(self._requests)))
        same = {name: value for name, value in call.body.items() if name not in NO_PART_OF_A_REQUEST}
        key = call.project, call.principal, request_id, json.dumps(same, sort_keys=True)
        known = self._requests.get(key)
        if known is None or not (self.active(known[1]) or self.lake.get("job", known[1])):
            known = self._requests[key] = now, self.start(job).ref
        return known[1]

    def forget(self, body: dict) -> None:
        """As if there had been no such job, whose thread may not have come to its end yet."""
        ref = body["jobReference"]["projectId"], body["jobReference"]["jobId"]
        self._ended(ref)
        self.lake.put_later("job", ref, None)

    def active(self, ref: tuple[str, str]) -> Job | None:
        return self._active.get(ref)

    def find(self, call: Call) -> dict:
        """The body of the job that a call names; ApiError notFound, also for another location than the job's."""
        ref = call.project, call.params["jobId"]
        body = self.body(ref)
        location = call.query.get("location")
        if body is None or (location and location.upper() != body["jobReference"]["location"].upper()):
            raise ApiError("notFound", f"Not found: Job {ref[0]}:{location + '.' if location else ''}{ref[1]}")
        return body

    def body(self, ref: tuple[str, str]) -> dict | None:
        job = self._active.get(ref)
        return job.body if job else self.lake.get("job", ref)

    def bodies(self, project: str) -> list[dict]:
        """All jobs of a project, the newest first."""
        active = [job.body for job in list(self._active.values()) if job.project == project]
        names = {body["jobReference"]["jobId"] for body in active}
        ended = [body for body in self.lake.children("job", (project,)) if body["jobReference"]["jobId"] not in names]
        return sorted(active + ended, key=lambda body: int(body["statistics"]["creationTime"]), reverse=True)

    def _recover(self) -> None:
        """Make the results that the last process left readable again, and drop tables that no job knows."""
        self.sweep()
        kept = set()
        for result in (body["_result"] for body in self._with_results()):
            if result["_relation"].startswith("results."):
                kept.add(result["_relation"])
                self.lake.add("table", table_ref(result), result)
        cursor = self.lake.cursor()
        for name, in cursor.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'results'").fetchall():
            if query.results_relation(name) not in kept:
                cursor.execute(f"DROP TABLE {query.results_relation(name)}")

    def _with_results(self) -> list[dict]:
        """The ended jobs whose rows can still be read, the newest first."""
        found = [body for parent in self.lake.parents("job") for body in self.lake.children("job", parent) if "_result" in body]
        return sorted(found, key=lambda body: int(body["statistics"]["creationTime"]), reverse=True)

    def sweep(self) -> None:
        """Let go of results that are a day old, and of the oldest where there are very many."""
        shared = set()  # by younger jobs: results of the cache
        for place, body in enumerate(self._with_results()):
            result, reference = body["_result"], body["jobReference"]
            if place < MOST_RESULTS and int(body["statistics"]["creationTime"]) + RESULTS_KEPT_MS >= now_ms():
                shared.add(result["_relation"])
            else:
                if result["_relation"].startswith("results.") and result["_relation"] not in shared:
                    self.lake.cursor().execute(f"DROP TABLE IF EXISTS {result['_relation']}")
                    self.lake.add("table", table_ref(result), None)
                self.lake.put_later("job", (reference["projectId"], reference["jobId"]), {key: value for key, value in body.items() if key != "_result"})

    def close(self) -> None:
        for job in list(self._active.values()):
            job.cancel("The emulator stops")
        self._pool.shutdown()


def table_ref(body: dict) -> tuple[str, str, str]:
    reference = body["tableReference"]
    return reference["projectId"], reference["datasetId"], reference["tableId"]


def job_kind(configuration: dict) -> str:
    kinds = [kind for kind in RUN if configuration.get(kind) is not None]
    if len(kinds) != 1:
        raise ApiError("required", "Required parameter is missing: a job's configuration has one of query, load, copy and extract.",
                       "configuration")
    return kinds[0]


def make(call: Call, configuration: dict, reference: dict | None = None, upload=None) -> Job:
    """A job from a request, ready to start; ApiError for a bad id or an option that is not supported."""
    configuration = without_nulls(configuration)
    kind = job_kind(configuration)
    if kind == "query":
        query.check(configuration[kind])
    refuse_unsupported(kind, configuration)
    rules.check_labels(configuration.get("labels") or {})
    config = configuration[kind]
    for option in CHOICES.keys() & config.keys():
        if isinstance(config[option], str):
            config[option] = config[option].upper()  # as Node's client needs it: it writes "named"
        for value in [config[option]] if isinstance(config[option], str) else config[option]:
            check_choice(option, value, CHOICES[option])
    reference = reference or {}
    agree(reference.get("projectId"), call.project)
    job_id = reference.get("jobId") or f"job_{uuid.uuid4().hex}"
    if not JOB_ID.fullmatch(job_id):
        raise ApiError("invalid", f'Invalid job ID "{job_id[:100]}". Job IDs must be alphanumeric (plus underscores and dashes) '
                                  "and must be at most 1024 characters long.")
    said = reference.get("location") or call.query.get("location")
    location = datasets.location_name(said) if said else call.emulator.sessions.location(config) or locations.of(call.lake, call.project, kind, config)
    whole = {"projectId": call.project, "jobId": job_id, "location": location}
    return Job(call.emulator, call.principal, whole, configuration, upload)


def check_choice(name: str, value: str | None, choices: set[str]) -> None:
    if value and value not in choices:
        raise ApiError("invalid", f"Invalid value for {name}: {value} is not a valid value; {', '.join(sorted(choices))} are.", name)


def refuse_unsupported(kind: str, configuration: dict) -> None:
    for option, value in configuration[kind].items():
        if value and option not in OPTIONS.get(kind, configuration[kind]):
            raise unsupported(f"{option} in a {kind} job")


async def wait(job: Job | None, seconds: float) -> None:
    """Until the job is done, or the time is over."""
    if job and not job.done.done():
        await asyncio.wait([asyncio.wrap_future(job.done)], timeout=seconds)


# Methods ------------------------------------------------------------------------------------------

@method("POST", "projects/{projectId}/jobs", "bigquery.jobs.create", request="Job", response="Job", upload=True)
async def insert(call: Call) -> dict:
    upload = call.body.pop("_upload", None)
    configuration = call.body.get("configuration") or {}
    job = make(call, configuration, call.body.get("jobReference"), upload)
    if configuration.get("dryRun"):
        await off_loop(call, query.dry_run, job)
        return public(job.body | {"jobReference": {key: job.reference[key] for key in ("projectId", "location")}})
    call.emulator.jobs.start(job)
    await wait(job, INSERT_WAIT)
    return public(job.body)


async def off_loop(call: Call, function: Callable[..., T], *args) -> T:
    """Run a function on a worker thread."""
    return await asyncio.get_running_loop().run_in_executor(call.emulator.pool, function, *args)


@method("GET", "projects/{projectId}/jobs/{jobId}", "bigquery.jobs.get", query=("location", "projection"), response="Job")
def get(call: Call) -> dict:
    return public(call.emulator.jobs.find(call))


@method("GET", "projects/{projectId}/jobs", "bigquery.jobs.list",
        query=(*PAGING, "allUsers", "projection", "stateFilter", "minCreationTime", "maxCreationTime", "parentJobId"), response="JobList")
def list_(call: Call) -> dict:
    """The caller's jobs (everybody's with allUsers), the newest first."""
    since = whole_number("minCreationTime", call.query.get("minCreationTime"), 0)
    until = whole_number("maxCreationTime", call.query.get("maxCreationTime"), 1 << 62)
    states = {part.upper() for part in call.query.get("stateFilter", "").split(",") if part}
    parent = call.query.get("parentJobId")
    found = [body for body in call.emulator.jobs.bodies(call.project)
             if since <= int(body["statistics"]["creationTime"]) <= until
             and (not states or body["status"]["state"] in states)
             and (call.flag("allUsers") or body["user_email"] == call.principal)
             and body["statistics"].get("parentJobId") == parent]
    page, token = call.page(found, lambda body: f"{(1 << 62) - int(body['statistics']['creationTime']):019}")
    keys = ["id", "kind", "jobReference", "statistics", "status", "user_email", "principal_subject"]
    if call.query.get("projection", "").lower() == "full":
        keys.append("configuration")
    shown = [{key: body[key] for key in keys} | {"state": body["status"]["state"]}
             | ({"errorResult": body["status"]["errorResult"]} if "errorResult" in body["status"] else {}) for body in page]
    return {"kind": "bigquery#jobList", "etag": etag({"jobs": shown}), "jobs": shown} | ({"nextPageToken": token} if token else {})


@method("POST", "projects/{projectId}/jobs/{jobId}/cancel", "bigquery.jobs.update", query=("location", "projection"), response="JobCancelResponse")
def cancel(call: Call) -> dict:
    """Ask a job to stop; one that is done stays as it is."""
    body = call.emulator.jobs.find(call)
    if job := call.emulator.jobs.active((call.project, call.params["jobId"])):
        job.cancel()
        body = job.body
    return {"kind": "bigquery#jobCancelResponse", "job": public(body)}


@method("DELETE", "projects/{projectId}/jobs/{jobId}/delete", "bigquery.jobs.delete", query=("location",))
def delete(call: Call) -> None:
    """Forget a job that is done."""
    body = call.emulator.jobs.find(call)
    if body["status"]["state"] != "DONE":
        raise ApiError("invalid", f"Job {body['id']} can't be deleted: it has not ended.")
    call.lake.write(lambda tx: tx.delete("job", (call.project, call.params["jobId"])))


@method("POST", "projects/{projectId}/queries", "bigquery.jobs.create", request="QueryRequest", response="QueryResponse")
async def query_(call: Call) -> dict:
    """Run a query and answer with its first page, or with jobComplete false after timeoutMs."""
    job = make(call, query.configuration(call.body), {"location": call.body.get("location")})
    if call.body.get("dryRun"):
        await off_loop(call, query.dry_run, job)
        return dry_run_answer(job)
    check_choice("jobCreationMode", call.body.get("jobCreationMode"), CREATION_MODES)
    if call.body.get("queryResultsFormat") == "ARROW":
        (await off_loop(call, arrow)).check(call.body.get("arrowSerializationOptions") or {})
    jobs = call.emulator.jobs
    ref = jobs.of_request(call, job)
    await wait(jobs.active(ref), wait_seconds(call.body.get("timeoutMs")))
    limit = call.body.get("maxResults")
    call.query |= {"maxResults": str(limit)} if limit is not None else {}
    answer = await off_loop(call, results, call, jobs.body(ref), "bigquery#queryResponse")
    # The real service, too, makes no job where the answer is whole and the caller can do without.
    if call.body.get("jobCreationMode") == "JOB_CREATION_OPTIONAL" and answer["jobComplete"] and "pageToken" not in answer and not job.session.id:
        jobs.forget(jobs.body(ref))
        del answer["jobReference"], answer["jobCreationReason"]
    return answer


def dry_run_answer(job: Job) -> dict:
    found = job.statistics["query"]
    reference = {key: job.reference[key] for key in ("projectId", "location")}
    return {"kind": "bigquery#queryResponse", "jobReference": reference, "jobComplete": True, "cacheHit": False,
            "schema": found.get("schema", {}), "totalBytesProcessed": found["totalBytesProcessed"], "location": reference["location"]}


@method("GET", "projects/{projectId}/queries/{jobId}", "bigquery.jobs.get",
        query=("location", "maxResults", "pageToken", "startIndex", "timeoutMs", *tabledata.FORMATS), response="GetQueryResultsResponse")
async def getQueryResults(call: Call) -> dict:
    """A page of a query's rows once it is done; jobComplete false if it isn't after timeoutMs."""
    call.emulator.jobs.find(call)
    await wait(call.emulator.jobs.active((call.project, call.params["jobId"])), wait_seconds(call.query.get("timeoutMs")))
    body = call.emulator.jobs.find(call)
    return await off_loop(call, results, call, body, "bigquery#getQueryResultsResponse")


def wait_seconds(timeout_ms) -> float:
    return min(whole_number("timeoutMs", timeout_ms, QUERY_WAIT_MS), MOST_WAIT_MS) / 1000


def results(call: Call, body: dict, kind: str) -> dict:
    """The answer of jobs.query and getQueryResults; a failed job's error is raised."""
    reference = body["jobReference"]
    answer = {"kind": kind, "jobReference": reference, "jobComplete": body["status"]["state"] == "DONE"}
    if not answer["jobComplete"]:
        return answer
    if error := body["status"].get("errorResult"):
        raise ApiError(error["reason"], error["message"], error.get("location"))
    if "query" not in body["configuration"]:
        raise ApiError("invalid", f"Job {body['id']} is not a query; only queries have results.")
    statistics = body["statistics"]
    answer |= {"totalBytesProcessed": statistics["query"]["totalBytesProcessed"], "cacheHit": statistics["query"]["cacheHit"]}
    if kind == "bigquery#queryResponse":
        answer |= {"queryId": reference["jobId"], "jobCreationReason": body["jobCreationReason"], "location": reference["location"],
                   "totalBytesBilled": statistics["query"]["totalBytesBilled"], "statementType": statistics["query"]["statementType"],
                   "totalSlotMs": statistics["totalSlotMs"],
                   **{key: statistics[key] for key in ("creationTime", "startTime", "endTime")}}
    else:
        answer["etag"] = etag([body["id"], dict(call.query)])
    if kind == "bigquery#queryResponse" and "sessionInfo" in statistics:
        answer["sessionInfo"] = statistics["sessionInfo"]
    if "numDmlAffectedRows" in statistics["query"]:
        answer |= {name: statistics["query"][name] for name in ("numDmlAffectedRows", "dmlStats")}
    if "_schema" in body:
        answer |= {"schema": {"fields": body["_schema"]}, "totalRows": "0"}
    if "_result" in body:
        return answer | (arrow().page if call.body.get("queryResultsFormat") == "ARROW" else rows_of)(call, body["_result"])
    if statistics["query"]["statementType"] == "SELECT":
        raise not_found("Table", iam.name_of(table_ref({"tableReference": body["configuration"]["query"]["destinationTable"]})), reference["location"])
    return answer


def arrow():
    """What answers with rows as Arrow; ApiError notImplemented where its packages are missing."""
    try:
        from .storage_api import results
    except ImportError:
        raise unsupported("queryResultsFormat ARROW without the packages pyarrow and google-cloud-bigquery-storage") from None
    return results


def rows_of(call: Call, result: dict) -> dict:
    """Schema, count and the page of rows that the caller asks for."""
    fields = result["schema"]["fields"]
    start = read_token(call.query["pageToken"])[0] if call.query.get("pageToken") else call.integer("startIndex", 0)
    rows, token, total = tabledata.page(call, result, fields, start, result.get("_version"))
    return ({"schema": {"fields": fields}, "totalRows": str(total)} | ({"rows": rows} if rows else {})
            | ({"pageToken": token} if token else {}))
