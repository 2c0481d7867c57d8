"""tabledata.*: a table's rows, page by page, and rows streamed into it."""
from __future__ import annotations

import json
import re

import duckdb

from . import partitions, row_access, tables, values
from .calls import Call, etag, make_token, method, read_token
from .errors import ApiError, unsupported
from .lake import Lake, Transaction, now_ms
from .query import defaults

PAGE_ROWS = 50_000
PAGE_BYTES = 20 * 1024 * 1024  # of JSON; a page has at least one row
FORMATS = ("formatOptions.useInt64Timestamp", "formatOptions.timestampOutputFormat")
INSERT_ROWS = 50_000
INSERTS_REMEMBERED = 100_000


# Reading ------------------------------------------------------------------------------------------

@method("GET", tables.PATH + "/data", "bigquery.tables.getData",
        query=("maxResults", "pageToken", "startIndex", "selectedFields", *FORMATS))
def list_(call: Call) -> dict:
    """Rows of a table, now or as `t@...` was. A page token keeps to the snapshot of the first page."""
    source = tables.Source(call.lake, call.table)
    row_access.require_all_rows(call.emulator, call.principal, source.ref)
    if source.body["type"] not in tables.ROWS:
        raise ApiError("invalid", f"Cannot list a table of type {source.body['type']}.")
    fields = selected(source.fields, list(filter(None, call.query.get("selectedFields", "").split(","))))
    start, version = where(call, source.version)
    total = call.lake.rows(source.body, version)
    rows, token = page(call.lake, source.body, fields, start, call, version, total)
    answer = {"kind": "bigquery#tableDataList", "etag": etag([source.body["id"], version, start]), "totalRows": str(total)}
    return answer | ({"rows": rows} if rows else {}) | ({"pageToken": token} if token else {})


def where(call: Call, version: int) -> tuple[int, int]:
    """The first row of the page asked for, and the snapshot it is read from."""
    if call.query.get("pageToken"):
        numbers = read_token(call.query["pageToken"])
        return numbers[0], numbers[1] if len(numbers) > 1 else version
    return call.integer("startIndex", 0), version


def page(lake: Lake, body: dict, fields: list[dict], start: int, call: Call, version: int, total: int) -> tuple[list[str], str | None]:
    """Rows as JSON texts from row `start`, and the token of the next page.

    As many as the caller's maxResults, at most PAGE_ROWS or about PAGE_BYTES.
    """
    wanted = call.integer("maxResults")
    limit = PAGE_ROWS if wanted is None else min(wanted, PAGE_ROWS)
    if not fields or not limit or start >= total:
        return [], make_token(start, version) if not limit and start < total else None
    cursor = lake.cursor()
    cursor.execute(f"SELECT {values.row_json(fields, int64_timestamps(call))} FROM {lake.relation(body, version)} "
                   f"LIMIT {limit} OFFSET {start}")
    rows: list[str] = []
    size = 0
    while size < PAGE_BYTES and (chunk := cursor.fetchmany(2048)):
        rows += [row for row, in chunk]
        size += sum(len(row) for row, in chunk)
    end = start + len(rows)
    return rows, make_token(end, version) if end < total else None


def int64_timestamps(call: Call) -> bool:
    """Whether the caller wants timestamps as whole microseconds; ApiError for a format there is not."""
    options = call.body.get("formatOptions") or {}
    output = call.query.get("formatOptions.timestampOutputFormat") or options.get("timestampOutputFormat") or ""
    if output not in ("", "TIMESTAMP_OUTPUT_FORMAT_UNSPECIFIED", "FLOAT64", "INT64"):
        raise unsupported(f"timestampOutputFormat {output}")
    return call.flag("formatOptions.useInt64Timestamp") or bool(options.get("useInt64Timestamp")) or output == "INT64"


def selected(fields: list[dict], names: list[str]) -> list[dict]:
    """The fields that are named, nested ones as a.b, in the table's order, all where none is; ApiError invalid for an unknown one."""
    wanted: dict[str, list[str]] = {}
    for name in names:
        top, _, rest = name.strip().partition(".")
        wanted.setdefault(top.lower(), []).append(rest)
    unknown = wanted.keys() - {field["name"].lower() for field in fields}
    if unknown:
        raise ApiError("invalid", f"No such field: {sorted(unknown)[0]}.", "selectedFields")
    return [part_of(field, wanted[field["name"].lower()]) for field in fields if field["name"].lower() in wanted] if names else fields


def part_of(field: dict, inner: list[str]) -> dict:
    """A field with those of its parts that are named; one without a name stands for all."""
    return field if not all(inner) else {**field, "fields": selected(field.get("fields", []), inner)}


# Streaming ----------------------------------------------------------------------------------------

@method("POST", tables.PATH + "/insertAll", "bigquery.tables.updateData", request="TableDataInsertAllRequest")
def insertAll(call: Call) -> dict:
    """Append rows; those that do not fit the schema are named in insertErrors, and then none is written
    unless skipInvalidRows."""
    rows = check_rows(call)
    ref, partition = tables.target_of(tables.query.reference(call.table), call.project)
    body = tables.find(call.lake, ref)
    if partition is not None:
        partitions.check_id(body, partition)
    if body["type"] != "TABLE":
        raise ApiError("invalid", f"Cannot add rows to a table of type {body['type']}.")
    fields = body.get("schema", {}).get("fields", [])
    errors = shape_errors(rows, fields, bool(call.body.get("ignoreUnknownValues")))
    good = [row for index, row in enumerate(rows) if index not in errors]
    if not errors or call.body.get("skipInvalidRows"):
        try:
            write(call, ref, partition, good)
        except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.ConstraintException):
            errors |= value_errors(call.lake, [(index, row) for index, row in enumerate(rows) if index not in errors], fields)
            if call.body.get("skipInvalidRows"):
                write(call, ref, partition, [row for index, row in enumerate(rows) if index not in errors])
    answer = {"kind": "bigquery#tableDataInsertAllResponse"}
    return answer | ({"insertErrors": report(errors, len(rows), call.body.get("skipInvalidRows"))} if errors else {})


def check_rows(call: Call) -> list[dict]:
    rows = call.body.get("rows") or []
    if call.body.get("templateSuffix"):
        raise unsupported("templateSuffix")
    if not rows:
        raise ApiError("invalid", "No rows present in the request.")
    if len(rows) > INSERT_ROWS:
        raise ApiError("invalid", f"Too many rows present in the request, limit: {INSERT_ROWS} row count: {len(rows)}.")
    for row in rows:
        if not isinstance(row.get("json"), dict):
            raise ApiError("invalid", "A row in the request has no json object.")
    return rows


def shape_errors(rows: list[dict], fields: list[dict], ignore_unknown: bool) -> dict[int, dict]:
    """Rows with unknown columns or without required ones: index -> error entry."""
    known = {field["name"].lower() for field in fields}
    required = [field["name"] for field in fields if field.get("mode") == "REQUIRED" and not field.get("defaultValueExpression")]
    errors = {}
    for index, row in enumerate(rows):
        given = {name.lower(): value for name, value in row["json"].items()}
        unknown = [name for name in row["json"] if name.lower() not in known]
        missing = [name for name in required if given.get(name.lower()) is None]
        if unknown and not ignore_unknown:
            errors[index] = entry(f"no such field: {unknown[0]}.", unknown[0])
        elif missing:
            errors[index] = entry(f"Missing required field: {missing[0]}.", missing[0])
    return errors


def entry(message: str, location: str = "", reason: str = "invalid") -> dict:
    return {"reason": reason, "location": location, "debugInfo": "", "message": message}


def report(errors: dict[int, dict], count: int, skip: bool) -> list[dict]:
    """insertErrors: each bad row with its error; the good ones as stopped where none was written."""
    stopped = {} if skip else {index: entry("", reason="stopped") for index in range(count)}
    return [{"index": index, "errors": [error]} for index, error in sorted((stopped | errors).items())]


def write(call: Call, ref: tables.Ref, partition: str | None, rows: list[dict]) -> None:
    """Append rows whose shape is right, those left out whose insertId was written a moment ago."""
    lake = call.lake
    seen = call.emulator.insert_ids
    keys = [(ref, row["insertId"]) if row.get("insertId") else None for row in rows]
    fresh = [row["json"] for row, key in zip(rows, keys) if key is None or key not in seen]
    if not fresh:
        return

    def work(tx: Transaction) -> dict:
        body = tables.find(tx, ref)
        append(tx, body, partition, fresh, defaults(call.emulator, call.principal, body["schema"]["fields"], tx.cursor))
        return {**body, "_data": tx.stamp, "lastModifiedTime": str(now_ms())}
    body = lake.write(work)
    lake.put_later("table", ref, body)
    seen.update(dict.fromkeys(key for key in keys if key))
    while len(seen) > INSERTS_REMEMBERED:
        seen.pop(next(iter(seen)), None)


def append(tx: Transaction, body: dict, partition: str | None, rows: list[dict], instead: dict[str, str]) -> None:
    """partition: the id of the one that the rows go into; instead: SQL of what columns get that a row does not name."""
    fields = body["schema"]["fields"]
    names = ", ".join(values.identifier(field["name"]) for field in fields)
    if partition is None:
        tx.execute(f"INSERT INTO {body['_relation']} ({names}) {typed(fields, instead)}", [payload(fields, rows)])
        return
    tx.execute(f"CREATE OR REPLACE TEMP TABLE streamed AS {typed(fields, instead)}", [payload(fields, rows)])
    added = tables.into_partition(tx, body, partition, "streamed")
    tx.execute(f"INSERT INTO {body['_relation']} ({', '.join([names, *added])}) SELECT {', '.join([names, *added.values()])} FROM streamed")
    tx.execute("DROP TABLE temp.streamed")


def typed(fields: list[dict], instead: dict[str, str] = {}) -> str:
    """SQL that turns one parameter, the JSON of a list of rows, into typed columns."""
    def column(field: dict) -> str:
        member = values.json_member("j", field["name"])
        value, default = values.from_json(field, member), instead.get(field["name"].lower())
        value = values.fitted(field, value)
        return f"CASE WHEN {member} IS NULL THEN {default} ELSE {value} END" if default else value
    columns = ", ".join(f"{column(field)} AS {values.identifier(field['name'])}" for field in fields)
    return f"SELECT {columns} FROM (SELECT unnest(from_json(?, '[\"JSON\"]')) AS j)"


def payload(fields: list[dict], rows: list[dict]) -> str:
    """Rows as JSON, their columns named as the schema spells them: clients may use any case."""
    spelled = {field["name"].lower(): field["name"] for field in fields}
    return json.dumps([{spelled[name.lower()]: value for name, value in row.items() if name.lower() in spelled} for row in rows])


def value_errors(lake: Lake, rows: list[tuple[int, dict]], fields: list[dict]) -> dict[int, dict]:
    """Which values are none of their column's type; only run once an insert has failed."""
    cursor = lake.cursor()
    errors = {}
    for index, row in rows:
        for field in fields:
            try:
                cursor.execute(typed([field]), [payload([field], [row["json"]])]).fetchall()
            except duckdb.Error as error:
                if said := re.search(r"'\x01(.*?)' to INT64", str(error)):
                    errors[index] = entry(f"Field {field['name']}: {said[1]}", field["name"])
                    break
                kind = values.TYPES[values.type_name(field)].sql
                given = next(value for name, value in row["json"].items() if name.lower() == field["name"].lower())
                errors[index] = entry(f"Cannot convert value to {kind.lower()} (bad value): {shown(given)}", field["name"])
                break
    return errors


def shown(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else text[:100] + "..."
