"""What has happened to a table's rows: the rows of APPENDS and CHANGES.

DuckLake knows which rows a snapshot has inserted and deleted. What else counts, a body says of the write that made it
(`_write`): how many of its new rows are old ones that were updated, and whether it is no change to the table at all.
Source: BigQuery's "Time series functions" and "Work with change history".
"""
from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Iterator, NamedTuple

from . import tables, values
from .errors import ApiError
from .lake import INLINE_ROWS, Transaction

if TYPE_CHECKING:
    from .query import Table

DAY = 86_400_000_000  # microseconds


# Writing ------------------------------------------------------------------------------------------

def marked(tx: Transaction, body: dict, **facts) -> dict:
    """A body that says something of the write that is under way: `updated` new rows are old ones, they come `last`;
    it is `hidden`."""
    known = body.get("_write", {})
    if known.get("version") == tx.version:  # statements of one transaction
        facts["updated"] = facts.get("updated", 0) + known.get("updated", 0)
    return {**body, "_write": {"version": tx.version, **({"transaction": True} if tx.lent else {}), **facts}}


def insert(tx: Transaction, body: dict, sql: str, counts: dict[str, int]) -> dict:
    """Insert the new rows of a DML statement, as `sql` selects them from its changes, so that the updated ones can be told; the body that tells them."""
    inserted, updated = counts.get("INSERT", 0), counts.get("UPDATE", 0)
    last = False
    if inserted and updated:
        # Rows are numbered in the order of the statements, but those in files before those in the catalog.
        last = updated <= INLINE_ROWS < inserted
        for action in ("UPDATE", "INSERT"):
            tx.execute(f"{sql} WHERE _action = '{action}'")
    elif inserted or updated:
        tx.execute(f"{sql} WHERE _action <> 'DELETE'")
    return marked(tx, body, updated=updated, last=last) if updated or tx.lent else body


# Reading ------------------------------------------------------------------------------------------

class Period(NamedTuple):
    """The snapshots in which a table's rows were in one relation of the lake; fields: the columns that it had in the end."""

    relation: str
    first: int
    last: int
    fields: list[dict]


def changes(table: "Table", kind: str, start: int | None, end: int | None) -> str:
    """The FROM item of a table's changes from a moment (microseconds) to before another, in columns of the table as it is now.

    Raises ApiError invalidQuery for a table or a time that BigQuery refuses.
    """
    start, end = checked(table, kind, start, end)
    if not table.body["_relation"].startswith("lake."):
        return f"(SELECT *, 'INSERT' AS _CHANGE_TYPE, now() AS _CHANGE_TIMESTAMP FROM {table.body['_relation']} WHERE false)"
    found, writes = periods(table)
    first, last = (table.lake.version_at(start - 1) or 0) + 1, min(table.lake.version_at(end - 1) or 0, table.version)
    if kind == "CHANGES" and any(write.get("transaction") and first <= version <= last for version, write in writes.items()):
        raise refused(f"The CHANGES function cannot be used on table {table.body['id']}: a multi-statement transaction was committed to it "
                      "within the requested time range")
    hidden = {version for version, write in writes.items() if write.get("hidden")}
    parts = [part for period, following in zip(found, [*found[1:], None]) for part in parts_of(table, kind, period, following, first, last, hidden)]
    if not parts:
        parts = [f"SELECT {columns_of(table, [])}, ''::VARCHAR AS change_type, 0 AS snapshot_id, 0 AS rowid WHERE false"]
    shown = ", ".join(values.identifier(field["name"]) for field in table.fields)
    known = ", ".join(f"({version}, {write.get('updated', 0)}, {write.get('last', False)})" for version, write in writes.items()) or "(-1, 0, false)"
    place = "row_number() OVER (PARTITION BY snapshot_id, change_type ORDER BY CASE WHEN w.last THEN -rowid ELSE rowid END)"
    changed = "CASE WHEN change_type = 'delete' THEN 'DELETE' WHEN place <= updated THEN 'UPDATE' ELSE 'INSERT' END"
    only = " WHERE _CHANGE_TYPE = 'INSERT'" if kind == "APPENDS" else ""
    return (f"(SELECT {shown}, {changed} AS _CHANGE_TYPE, snapshot_time AS _CHANGE_TIMESTAMP FROM (SELECT c.*, w.updated, {place} AS place "
            f"FROM ({' UNION ALL '.join(parts)}) c LEFT JOIN (VALUES {known}) w(version, updated, last) ON w.version = c.snapshot_id) "
            f"JOIN metadata.ducklake_snapshot USING (snapshot_id){only})")


def refused(message: str) -> ApiError:
    return ApiError("invalidQuery", message, "query")


def checked(table: "Table", kind: str, start: int | None, end: int | None) -> tuple[int, int]:
    """The first moment, and the one after the last, of the changes that are asked for."""
    body, ref, now = table.body, table.ref, time.time_ns() // 1000
    unsuited = ("cloneDefinition" in body and kind == "APPENDS") or body.get("type") != "TABLE"
    if unsuited:
        raise refused(f"The {kind} function can only be used with regular BigQuery tables")
    if isinstance(table.lake, Transaction):
        raise refused(f"The {kind} function cannot be called within a multi-statement transaction")
    if kind == "CHANGES" and not body.get("_changeHistory"):
        raise refused(f"The CHANGES function requires that the enable_change_history option of table {body['id']} is TRUE")
    if end is not None and end > now:
        raise refused(f"The end_timestamp argument of the {kind} function cannot be in the future")
    end = now if end is None else end
    if kind == "CHANGES" and start is not None and end - start > DAY:
        raise refused("The time range between the start_timestamp and end_timestamp arguments of the CHANGES function cannot be more than one day")
    created = int(body["creationTime"]) * 1000
    start = max(start or created, created)
    oldest = tables.window_start(table.emulator.lake, ref)
    if start // 1000 < oldest:
        raise tables.outside_window(ref, start // 1000, oldest, False)
    return start if start > created else 0, end


def periods(table: "Table") -> tuple[list[Period], dict[int, dict]]:
    """Where a table's rows have been since it was made, and what is known of the writes: version -> facts."""
    cursor, version = table.emulator.lake.cursor(), table.version
    (oldest,) = cursor.execute("SELECT min(snapshot_id) FROM metadata.ducklake_snapshot").fetchone()
    rows = cursor.execute(f"SELECT snapshot_id, body FROM ducklake_table_insertions('reads', 'main', 'resources', {oldest}, {version}) "
                          "WHERE kind = 'table' AND ref = ? ORDER BY 1", [json.dumps(table.ref)]).fetchall()
    bodies = [(number, body) for number, text in rows if (body := json.loads(text))["creationTime"] == table.body["creationTime"]]
    bodies = bodies or [(oldest, table.body)]
    writes = {body["_write"]["version"]: body["_write"] for _, body in bodies if "_write" in body}
    found: list[Period] = []
    for number, body in bodies:
        fields = body.get("schema", {}).get("fields", [])
        if found and found[-1].relation == body["_relation"]:
            found[-1] = found[-1]._replace(fields=fields)
        else:
            if found:
                found[-1] = found[-1]._replace(last=number - 1)
            found.append(Period(body["_relation"], number if found else oldest, version, fields))
    return found, writes


def parts_of(table: "Table", kind: str, period: Period, following: Period | None, first: int, last: int, hidden: set[int]) -> Iterator[str]:
    """SELECTs of the changes in a period, and, for CHANGES, of the rows that went when its relation did."""
    name = period.relation.removeprefix("lake.")
    columns = columns_of(table, table.fields if following is None else period.fields)
    begin, end = max(first, period.first), min(last, period.last)
    if begin <= end:
        shown = "".join(f" AND snapshot_id <> {version}" for version in sorted(hidden) if begin <= version <= end)
        # The columns are those of the last snapshot that is read. What a lake calls an update is a new column's values: DML deletes and inserts.
        yield (f"SELECT {columns}, change_type, snapshot_id, rowid FROM ducklake_table_changes('reads', 'main', '{name}', {begin}, {period.last}) "
               f"WHERE snapshot_id <= {end} AND change_type IN ('insert', 'delete'){shown}")
    if kind == "CHANGES" and following and following.first not in hidden and first <= following.first <= last:
        yield f"SELECT {columns}, 'delete' AS change_type, {following.first} AS snapshot_id, rowid FROM reads.{name} AT (VERSION => {period.last})"


def columns_of(table: "Table", fields: list[dict]) -> str:
    """SELECT items for the columns that a table has now, of a relation that had others."""
    there = {field["name"].lower() for field in fields}
    return ", ".join(f"{f'TRY_CAST({name} AS {kind})' if field['name'].lower() in there else f'NULL::{kind}'} AS {name}" for field in table.fields
                     for name, kind in [(values.identifier(field["name"]), values.duckdb_type(field))])
