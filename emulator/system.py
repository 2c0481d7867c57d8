"""System variables (@@...) and system procedures (BQ....)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from . import iam, query, tables, values
from .errors import ApiError, unsupported
from .formats.texts import check_zone
from .googlesql.catalog import normal_path
from .googlesql.scripts import Variable
from .lake import now_ms

if TYPE_CHECKING:
    from .jobs import Job
    from .lake import Transaction
    from .scripts import Failure, State

TRACE = {"name": "v", "type": "RECORD", "mode": "REPEATED", "fields": [
    {"name": "line", "type": "INTEGER"}, {"name": "column", "type": "INTEGER"}, {"name": "filename", "type": "STRING"}, {"name": "location", "type": "STRING"}]}


def text(value: str | None) -> Variable:
    return Variable("STRING", {"name": "v", "type": "STRING"}, f"({values.literal({'type': 'STRING'}, value)})")


def number(value: int | str | None) -> Variable:
    return Variable("INT64", {"name": "v", "type": "INTEGER"}, f"({values.literal({'type': 'INTEGER'}, value)})")


def moment(milliseconds: str) -> Variable:
    return Variable("TIMESTAMP", {"name": "v", "type": "TIMESTAMP"}, f"make_timestamptz({int(milliseconds) * 1000})")


def variables(job: "Job", state: "State | None" = None, current: str = "") -> dict[str, Variable]:
    """All system variables, by their names with @@ in small letters; state: of the script that the job is; current: its child's id."""
    dataset = query.default_dataset(job)
    settings = job.session.settings
    found = {
        "project_id": text(job.project), "location": text(job.reference["location"]), "session_id": text(job.session.id or None),
        "dataset_id": text(dataset.get("datasetId")),
        "dataset_project_id": text(dataset.get("projectId") or job.project),
        "time_zone": text(settings.get("time_zone") or "UTC"), "query_label": text(settings.get("query_label")),
        "current_job_id": text(current or job.ref[1]), "row_count": number(state.row_count if state else None), "last_job_id": text(state.last_job or None if state else None)}
    if state:
        counted = job.statistics["query"]
        found |= {"script.job_id": text(job.ref[1]), "script.num_child_jobs": number(job.statistics.get("numChildJobs", 0)), "script.slot_ms": number(0),
                  "script.bytes_processed": number(counted["totalBytesProcessed"]), "script.bytes_billed": number(counted["totalBytesBilled"]),
                  "script.creation_time": moment(job.statistics["creationTime"])}
        found |= error(state.handled[-1] if state.handled else None)
    return {"@@" + name: value for name, value in found.items()}


def error(failure: "Failure | None") -> dict[str, Variable]:
    """@@error.* in the handler of an error; NULLs outside."""
    if failure is None:
        return {f"error.{name}": text(None) for name in ("message", "statement_text", "formatted_stack_trace")} | {
            "error.stack_trace": Variable("", TRACE, f"(NULL::{values.duckdb_type(TRACE)})")}
    trace = [{"line": line, "column": column, "filename": None, "location": name or None} for name, line, column in failure.trace]
    return {
        "error.message": text(failure.said), "error.statement_text": text(failure.text),
        "error.formatted_stack_trace": text("\n".join(f"At {name}[{line}:{column}]" for name, line, column in failure.trace)),
        "error.stack_trace": Variable("", TRACE, f"({values.literal(TRACE, trace)})")}


def labels(value: str | None) -> None:
    if value and not all(":" in part for part in value.split(",")):
        raise ApiError("invalidQuery", f"Invalid value for @@query_label: {value}. key:value is expected.", "query")


# What a script may set, and what checks the value.
SETTABLE: dict[str, Callable[[str | None], None]] = {
    "dataset_id": lambda value: None, "dataset_project_id": lambda value: None, "query_label": labels, "time_zone": lambda value: check_zone(value or "UTC"),
    "location": lambda value: None}


# Procedures ---------------------------------------------------------------------------------------

ARGUMENTS = [{"name": "name", "dataType": {"typeKind": "STRING"}, "mode": "IN", "_optional": True}]


def procedure(path: tuple[str, ...]) -> str | None:
    """The name of the system procedure that a path means: BQ.name."""
    name = ".".join(path).upper()
    return next((known for known in (*PROCEDURES, *ELSEWHERE) if f".{name}".endswith(f".BQ.{known}")), None)


def call(job: "Job", name: str, arguments: list[str | None]) -> None:
    """CALL BQ.name(arguments); ApiError for one that there is not."""
    if name in ELSEWHERE:
        raise unsupported(f"the procedure BQ.{name}")
    if name not in PROCEDURES:
        raise ApiError("invalidQuery", f"Procedure not found: BQ.{name}", "query")
    PROCEDURES[name](job, *arguments[:1])


def abort_session(job: "Job", session_id: str | None = None) -> None:
    if not (session_id or job.session.id):
        raise ApiError("invalidQuery", "BQ.ABORT_SESSION needs a session: none is open here.", "query")
    job.emulator.sessions.abort(session_id or job.session.id)


def cancel_job(job: "Job", name: str | None = None) -> None:
    """The job `id`, or `project.id`."""
    project, _, job_id = (name or "").rpartition(".")
    ref = project or job.project, job_id
    if found := job.emulator.jobs.active(ref):
        found.cancel()
    elif not job.lake.get("job", ref):
        raise ApiError("notFound", f"Not found: Job {':'.join(ref)}")


def refresh(job: "Job", name: str | None = None) -> None:
    """A materialized view is computed when it is read, so only the time of its refresh changes."""
    ref = normal_path(((name or ""),), job.project, query.default_dataset(job).get("datasetId"))
    if len(ref) != 3:
        raise query.unqualified(ref)
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", ref)

    def work(tx: "Transaction") -> None:
        body = tables.find(tx, ref)
        if body["type"] != "MATERIALIZED_VIEW":
            raise ApiError("invalidQuery", f"{body['id']} is not allowed for this operation because it is currently a {body['type']}.", "query")
        tx.put("table", ref, body | {"materializedView": body["materializedView"] | {"lastRefreshTime": str(now_ms())}})
    job.write(work)


PROCEDURES: dict[str, Callable] = {"ABORT_SESSION": abort_session, "JOBS.CANCEL": cancel_job, "REFRESH_MATERIALIZED_VIEW": refresh}
ELSEWHERE = {"REFRESH_EXTERNAL_METADATA_CACHE"}  # what has no caches or replicas to work on here
