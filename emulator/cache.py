"""Results that are still good: the same caller asks the same again, of tables that have not changed since.

Source: BigQuery's "Using cached query results", whose exceptions `key_of` has.
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Iterator

from . import partitions
from .calls import Emulator

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job
    from .query import Table

REMEMBERED = 5_000
CHANGING = ("rand", "generate_uuid", "session_user", "current_timestamp", "current_date", "current_datetime", "current_time")


def key_of(job: "Job", statement: "Statement") -> str | None:
    """What decides a query's result; None where it may be another each time, or the caller wants it anew."""
    config = job.config
    if not config.get("useQueryCache", True) or job.session.id or job.parent or statement.routines or config.get("tableDefinitions"):
        return None
    from .query import default_dataset
    parts = list(parts_of(statement))
    if any(part.uses(*CHANGING) or not {"ResolvedSampleScanProto", "ResolvedTVFScanProto"}.isdisjoint(part.node_names) for part in parts):
        return None
    tables = [table for part in parts for table in part.order]
    if any(not fixed(table) for table in tables):
        return None
    return json.dumps([job.project, job.principal, job.text or config["query"], default_dataset(job), config.get("queryParameters"),
                       config.get("parameterMode"), job.session.settings.get("time_zone"),
                       [(table.key, table.body.get("_relation"), table.body.get("_data"), partitions.filter_required(table.body)) for table in tables]])


def parts_of(statement: "Statement") -> "Iterator[Statement]":
    """A statement and those of the views that it reads, at any depth."""
    yield statement
    for view in statement.views.values():
        yield from parts_of(view)


def fixed(table: "Table") -> bool:
    """Whether a table's body tells when its rows change: not for files, row access policies, wildcards and INFORMATION_SCHEMA."""
    kept = table.body.get("type") in ("TABLE", "SNAPSHOT") and "_relation" in table.body
    return not table.filtered and not table.ref[2].endswith("*") and (kept or bool(table.view))


def find(emulator: Emulator, key: str | None) -> dict | None:
    """The result of the same query as before, None where there is none any more."""
    found = emulator.results.get(key) if key else None
    return found if found and emulator.lake.get("table", tuple(found["tableReference"].values())) is found else None


def keep(emulator: Emulator, key: str | None, result: dict) -> None:
    if key:
        emulator.results.pop(key, None)
        emulator.results[key] = result
        while len(emulator.results) > REMEMBERED:
            emulator.results.pop(next(iter(emulator.results)), None)
