"""The INFORMATION_SCHEMA views of a project's jobs and sessions: their rows, each with its location, and their columns."""
from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Iterator

if TYPE_CHECKING:
    from .calls import Emulator

Rows = Iterator[tuple[str, dict]]
# What may differ in texts whose hash is the same: blanks and comments, and literals.
BLANK = r"\s+|--[^\n]*|\#[^\n]*|/\*.*?\*/"
LITERAL = r"""(?:\b[rb]{1,2})?(?:\"{3}(?:\\.|.)*?\"{3}|'{3}(?:\\.|.)*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\b0x[0-9a-f]+\b|\b\d+\.?\d*(?:e[+-]?\d+)?|\.\d+"""
WORDS = re.compile(rf"(?P<blank>(?:{BLANK})+)|`[^`]*`|[^\W\d]\w*(?=[^\w'\"]|$)|(?P<literal>{LITERAL})|.", re.I | re.S)


def seconds(milliseconds: str | int | None) -> float | None:
    return None if milliseconds is None else int(milliseconds) / 1000


def jobs(emulator: "Emulator", project: str, principal: str) -> Rows:
    """The newest first."""
    from .projects import number
    for body in emulator.jobs.bodies(project):
        statistics, configuration, status = body["statistics"], body["configuration"], body["status"]
        query, asked = statistics.get("query", {}), configuration.get("query", {})
        changed = query.get("dmlStats")
        hashes = query and "errorResult" not in status and not query.get("cacheHit")
        yield body["jobReference"]["location"], {
            "creation_time": seconds(statistics["creationTime"]), "project_id": project, "project_number": number(project),
            "user_email": body["user_email"], "principal_subject": body["principal_subject"], "job_id": body["jobReference"]["jobId"],
            "job_type": configuration["jobType"], "statement_type": query.get("statementType"), "priority": asked.get("priority", "INTERACTIVE"),
            "start_time": seconds(statistics.get("startTime")), "end_time": seconds(statistics.get("endTime")),
            "query": asked.get("query"), "state": status["state"],
            "total_bytes_processed": query.get("totalBytesProcessed", statistics.get("totalBytesProcessed")), "total_slot_ms": statistics.get("totalSlotMs"),
            "error_result": snaked(status.get("errorResult")), "cache_hit": query.get("cacheHit"), "destination_table": snaked(destination(configuration)),
            "referenced_tables": snaked(query.get("referencedTables", [])),
            "labels": [{"key": key, "value": value} for key, value in configuration.get("labels", {}).items()],
            "timeline": snaked(query.get("timeline", [])), "job_stages": snaked(query.get("queryPlan", [])),
            "session_info": snaked(statistics.get("sessionInfo")),
            "dml_statistics": {f"{word}_row_count": changed.get(f"{word}RowCount", "0") for word in ("inserted", "deleted", "updated")} if changed else None,
            "total_bytes_billed": query.get("totalBytesBilled"), "transaction_id": statistics.get("transactionInfo", {}).get("transactionId"),
            "parent_job_id": statistics.get("parentJobId"), "query_dialect": "GOOGLE_SQL" if query else None,
            "query_info": {"query_hashes": {"normalized_literals": hashed(asked["query"])}} if hashes else None,
            "job_creation_reason": {"code": "REQUESTED"}}


@lru_cache(1000)
def hashed(text: str) -> str:
    """The same for queries that differ in blanks, comments and literals alone."""
    words = (" " if word["blank"] else "?" if word["literal"] else word[0] for word in WORDS.finditer(text))
    return hashlib.sha256("".join(words).strip().encode()).hexdigest()


def destination(configuration: dict) -> dict | None:
    return next((part["destinationTable"] for part in configuration.values() if isinstance(part, dict) and "destinationTable" in part), None)


def snaked(value):
    """A value of the REST API with its names as SQL has them."""
    if isinstance(value, list):
        return [snaked(item) for item in value]
    if isinstance(value, dict):
        return {re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), key): snaked(item) for key, item in value.items()}
    return value


def own_jobs(emulator: "Emulator", project: str, principal: str) -> Rows:
    return ((location, row) for location, row in jobs(emulator, project, principal) if row["user_email"] == principal)


def timeline(emulator: "Emulator", project: str, principal: str) -> Rows:
    """A row for each second in which a job ran, with its share of the job's slot time."""
    return ((location, row) for location, job in jobs(emulator, project, principal) for row in periods(job))


def own_timeline(emulator: "Emulator", project: str, principal: str) -> Rows:
    return ((location, row) for location, job in own_jobs(emulator, project, principal) for row in periods(job))


def periods(job: dict) -> Iterator[dict]:
    start, end = job["start_time"], job["end_time"]
    if start is None or end is None:
        return
    about = {f"job_{name}": job[name] for name in ("creation_time", "start_time", "end_time")}
    for second in range(int(start), int(end) + 1):
        share = (min(end, second + 1) - max(start, second)) / (end - start) if end > start else 1
        yield job | about | {"period_start": second, "period_slot_ms": round(int(job["total_slot_ms"] or 0) * share)}


def sessions(emulator: "Emulator", project: str, principal: str) -> Rows:
    from .projects import number
    for session in emulator.sessions.open():
        if session.project == project:
            yield session.location, {
                "creation_time": seconds(session.created), "expiration_time": seconds(session.expires), "is_active": not session.ended,
                "last_modified_time": seconds(session.used), "principal_subject": f"user:{session.principal}", "project_id": project,
                "project_number": number(project), "session_id": session.id, "user_email": session.principal}


def own_sessions(emulator: "Emulator", project: str, principal: str) -> Rows:
    return ((location, row) for location, row in sessions(emulator, project, principal) if row["user_email"] == principal)


# Columns ------------------------------------------------------------------------------------------

JOB = ("bi_engine_statistics RECORD, cache_hit BOOLEAN, creation_time TIMESTAMP, destination_table RECORD, dml_statistics RECORD, end_time TIMESTAMP, "
       "error_result RECORD, job_creation_reason RECORD, job_id STRING, job_stages RECORD REPEATED, job_type STRING, labels RECORD REPEATED, "
       "parent_job_id STRING, principal_subject STRING, priority STRING, project_id STRING, project_number INTEGER, query STRING, query_dialect STRING, "
       "query_info RECORD, referenced_tables RECORD REPEATED, reservation_id STRING, edition STRING, session_info RECORD, start_time TIMESTAMP, "
       "state STRING, statement_type STRING, timeline RECORD REPEATED, total_bytes_billed INTEGER, total_bytes_processed INTEGER, "
       "total_modified_partitions INTEGER, total_slot_ms INTEGER, transaction_id STRING, transferred_bytes INTEGER, user_email STRING, "
       "materialized_view_statistics RECORD, metadata_cache_statistics RECORD, search_statistics RECORD, vector_search_statistics RECORD")
SHARED_JOB = JOB.replace(" query STRING,", "")  # an organization's view does not show what was asked
TABLE = "project_id STRING, dataset_id STRING, table_id STRING"
SHARES = ", ".join(f"{kind}_ratio_{of} FLOAT, {kind}_ms_{of} INTEGER" for kind in ("wait", "read", "compute", "write") for of in ("avg", "max"))
REASON = "code STRING, message STRING"
PARTS = {
    "error_result": "reason STRING, location STRING, debug_info STRING, message STRING", "destination_table": TABLE, "referenced_tables": TABLE,
    "labels": "key STRING, value STRING", "session_info": "session_id STRING", "job_creation_reason": "code STRING",
    "dml_statistics": "inserted_row_count INTEGER, deleted_row_count INTEGER, updated_row_count INTEGER",
    "timeline": "elapsed_ms INTEGER, total_slot_ms INTEGER, pending_units INTEGER, completed_units INTEGER, active_units INTEGER, "
                "estimated_runnable_units INTEGER",
    "job_stages": f"name STRING, id INTEGER, start_ms INTEGER, end_ms INTEGER, input_stages INTEGER REPEATED, {SHARES}, shuffle_output_bytes INTEGER, "
                  "shuffle_output_bytes_spilled INTEGER, records_read INTEGER, records_written INTEGER, parallel_inputs INTEGER, "
                  "completed_parallel_inputs INTEGER, status STRING, steps RECORD REPEATED, slot_ms INTEGER, compute_mode STRING",
    "steps": "kind STRING, substeps STRING REPEATED",
    "query_info": "resource_warning STRING, optimization_details JSON, query_hashes RECORD, performance_insights RECORD",
    "query_hashes": "normalized_literals STRING",
    "performance_insights": "avg_previous_execution_ms INTEGER",
    "bi_engine_statistics": "bi_engine_mode STRING, bi_engine_reasons RECORD REPEATED", "bi_engine_reasons": REASON,
    "materialized_view_statistics": "materialized_view RECORD REPEATED",
    "materialized_view": "table_reference RECORD, chosen BOOLEAN, estimated_bytes_saved INTEGER, rejected_reason STRING", "table_reference": TABLE,
    "metadata_cache_statistics": "table_metadata_cache_usage RECORD REPEATED",
    "table_metadata_cache_usage": "table_reference RECORD, unused_reason STRING, explanation STRING",
    "search_statistics": "index_usage_mode STRING, index_unused_reasons RECORD REPEATED",
    "vector_search_statistics": "index_usage_mode STRING, index_unused_reasons RECORD REPEATED",
    "index_unused_reasons": "code STRING, message STRING, base_table RECORD, index_name STRING", "base_table": TABLE}
TIMELINE = ("period_start TIMESTAMP, period_slot_ms INTEGER, project_id STRING, project_number INTEGER, user_email STRING, principal_subject STRING, "
            "job_id STRING, job_type STRING, statement_type STRING, priority STRING, parent_job_id STRING, job_creation_time TIMESTAMP, "
            "job_start_time TIMESTAMP, job_end_time TIMESTAMP, state STRING, reservation_id STRING, edition STRING, total_bytes_billed INTEGER, "
            "total_bytes_processed INTEGER, error_result RECORD, cache_hit BOOLEAN, period_shuffle_ram_usage_ratio FLOAT, "
            "period_estimated_runnable_units INTEGER, transaction_id STRING")
SESSION = ("creation_time TIMESTAMP, expiration_time TIMESTAMP, is_active BOOLEAN, last_modified_time TIMESTAMP, principal_subject STRING, "
           "project_id STRING, project_number INTEGER, session_id STRING, user_email STRING")
