"""tabledata.*: a table's rows, page by page, and rows streamed into it."""
from __future__ import annotations

import json

import duckdb

from . import iam, partitions, row_access, tables, values
from .calls import Call, etag, invalid_token, make_token, method, read_token
from .errors import ApiError, not_found, unsupported
from .lake import Lake, Transaction
from .query import defaults

PAGE_ROWS = 50_000
PAGE_BYTES = 20 * 1024 * 1024  # of JSON; a page has at least one row
FORMATS = ("formatOptions.useInt64Timestamp", "formatOptions.timestampOutputFormat")
INSERT_ROWS = 50_000
INSERTS_REMEMBERED = 100_000
TEMPLATE = ("schema", "timePartitioning", "rangePartitioning", "clustering", "requirePartitionFilter", "description", "labels")  # of a table, that tables made like it have


# Reading ------------------------------------------------------------------------------------------

@method("GET", tables.PATH + "/data", "bigquery.tables.getData",
        query=("maxResults", "pageToken", "startIndex", "selectedFields", *FORMATS), response="TableDataList")
def list_(call: Call) -> dict:
    """Rows of a table, now or as `t@...` was. A page token keeps to the snapshot of the first page."""
    source = tables.Source(call.lake, call.table)
    row_access.require_all_rows(call.emulator, call.principal, source.ref)
    if source.body["type"] not in tables.ROWS:
        raise ApiError("invalid", f"Cannot list a table of type {source.body['type']}.")
    fields = tables.selected(source.fields, call.query.get("selectedFields"))
    start, version = where(call, source.version)
    rows, token, total = page(call, source.body, fields, start, version)
    answer = {"kind": "bigquery#tableDataList", "etag": etag([source.body["id"], version, start]), "totalRows": str(total)}
    return answer | ({"rows": rows} if rows else {}) | ({"pageToken": token} if token else {})


def where(call: Call, version: int) -> tuple[int, int]:
    """The first row of the page asked for, and the snapshot it is read from."""
    if call.query.get("pageToken"):
        numbers = read_token(call.query["pageToken"])
        return numbers[0], numbers[1] if len(numbers) > 1 else version
    return call.integer("startIndex", 0), version


def page(call: Call, body: dict, fields: list[dict], start: int, version: int | None) -> tuple[list[str], str | None, int]:
    """Rows as JSON texts from row `start`, the token of the next page, and how many rows there are in all.

    As many as the caller's maxResults, at most PAGE_ROWS or about PAGE_BYTES. Raises ApiError notFound for rows that are
    gone by now, invalid for a page token that names a snapshot without them.
    """
    wanted = call.integer("maxResults")
    limit = PAGE_ROWS if wanted is None else min(wanted, PAGE_ROWS)
    try:
        total = call.lake.rows(body, version)
        if not fields or not limit or start >= total:
            return [], make_token(start, version or 0) if not limit and start < total else None, total
        # Even a LIMIT that leaves nothing out has DuckDB look for the rows by their numbers.
        rows = read(call, body, fields, version, f" LIMIT {limit} OFFSET {start}" if start or limit < total else "")
    except (duckdb.CatalogException, duckdb.InvalidInputException):
        if token := call.query.get("pageToken"):
            raise invalid_token(token) from None
        raise not_found("Table", iam.name_of(tuple(body["tableReference"].values()))) from None
    end = start + len(rows)
    return rows, make_token(end, version or 0) if end < total else None, total


def read(call: Call, body: dict, fields: list[dict], version: int | None, part: str) -> list[str]:
    cursor = call.lake.cursor()
    cursor.execute(f"SELECT {values.row_json(fields, int64_timestamps(call))} FROM {call.lake.relation(body, version)}{part}")
    rows: list[str] = []
    size = 0
    while size < PAGE_BYTES and (chunk := cursor.fetchmany(2048)):
        rows += [row for row, in chunk]
        size += sum(len(row) for row, in chunk)
    return rows


def int64_timestamps(call: Call) -> bool:
    """Whether the caller wants timestamps as whole microseconds; ApiError for a format there is not."""
    options = call.body.get("formatOptions") or {}
    output = call.query.get("formatOptions.timestampOutputFormat") or options.get("timestampOutputFormat") or ""
    if output not in ("", "TIMESTAMP_OUTPUT_FORMAT_UNSPECIFIED", "FLOAT64", "INT64"):
        raise unsupported(f"timestampOutputFormat {output}")
    return call.flag("formatOptions.useInt64Timestamp") or bool(options.get("useInt64Timestamp")) or output == "INT64"


# Streaming ----------------------------------------------------------------------------------------

@method("POST", tables.PATH + "/insertAll", "bigquery.tables.updateData", request="TableDataInsertAllRequest", response="TableDataInsertAllResponse")
def insertAll(call: Call) -> dict:
    """Append rows; those that do not fit the schema are named in insertErrors, and then none is written
    unless skipInvalidRows."""
    rows = check_rows(call)
    ref, partition = tables.target_of(tables.query.reference(call.table), call.project)
    body = tables.find(call.lake, ref)
    if body["type"] != "TABLE":
        raise ApiError("invalid", f"Cannot add rows to a table of type {body['type']}.")
    if suffix := call.body.get("templateSuffix"):
        body = instance(call, body, (*ref[:2], ref[2] + suffix))
        ref = tables.ref_of(body["tableReference"], call.project)
    if partition is not None:
        partitions.check_id(body, partition)
    fields = body.get("schema", {}).get("fields", [])
    fitting, errors = fitted(rows, fields, bool(call.body.get("ignoreUnknownValues")))
    if not errors or call.body.get("skipInvalidRows"):
        try:
            write(call, ref, partition, list(fitting.values()))
        except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.ConstraintException):
            errors |= value_errors(call.lake, fitting, fields)
            if call.body.get("skipInvalidRows"):
                write(call, ref, partition, [row for index, row in fitting.items() if index not in errors])
    elif fitting and fields:
        errors |= value_errors(call.lake, fitting, fields)
    answer = {"kind": "bigquery#tableDataInsertAllResponse"}
    return answer | ({"insertErrors": report(errors, len(rows), call.body.get("skipInvalidRows"))} if errors else {})


def check_rows(call: Call) -> list[dict]:
    rows = call.body.get("rows") or []
    if not rows:
        raise ApiError("invalid", "No rows present in the request.")
    if len(rows) > INSERT_ROWS:
        raise ApiError("invalid", f"Too many rows present in the request, limit: {INSERT_ROWS} row count: {len(rows)}.")
    for row in rows:
        if not isinstance(row.get("json"), dict):
            raise ApiError("invalid", "A row in the request has no json object.")
    return rows


def instance(call: Call, template: dict, ref: tables.Ref) -> dict:
    """The table of a template and a suffix, made like the template where there is none yet."""
    tables.check_name(ref[2])

    def work(tx: Transaction) -> dict:
        if (body := tx.get("table", ref)) and not tables.expired(body):
            return body
        return tables.create(tx, ref, {name: template[name] for name in TEMPLATE if name in template})
    body = call.lake.get("table", ref)
    return body if body and not tables.expired(body) else call.lake.write(work)


class Unfit(Exception):
    """A row that is not of the table's shape. location: the path of the value, as `tags[1].name`."""

    def __init__(self, message: str, location: str):
        super().__init__(message)
        self.location = location


def fitted(rows: list[dict], fields: list[dict], ignore_unknown: bool) -> tuple[dict[int, dict], dict[int, dict]]:
    """The rows with names as the schema spells them (clients may use any case), and those that are not of its shape: index -> row, error entry."""
    form, good, errors = Form(fields, ignore_unknown), {}, {}
    for index, row in enumerate(rows):
        try:
            good[index] = row | {"json": form.record(row["json"], "")}
        except Unfit as error:
            errors[index] = entry(str(error), error.location)
    return good, errors


class Form:
    """What objects of some fields look like."""

    def __init__(self, fields: list[dict], ignore_unknown: bool):
        self.ignore_unknown = ignore_unknown
        self.required = [field["name"] for field in fields if field.get("mode") == "REQUIRED" and not field.get("defaultValueExpression")]
        # name in any case -> field, and the form of what is in it
        self.known = {field["name"].lower(): (field, Form(field["fields"], ignore_unknown) if values.type_name(field) == "RECORD" else None)
                      for field in fields}

    def record(self, given: dict, path: str) -> dict:
        """An object with its names as the schema has them; Unfit for unknown and missing ones, and lists and objects in the wrong place."""
        found = {}
        for name, value in given.items():
            field, inner = self.known.get(name.lower(), (None, None))
            if field is not None:
                plain = inner is None and not isinstance(value, (list, dict))
                found[field["name"]] = value if plain else self.value(field, inner, value, path + field["name"])
            elif not self.ignore_unknown:
                raise Unfit(f"no such field: {name}.", path + name)
        for name in self.required:
            if found.get(name) is None:
                raise Unfit(f"Missing required field: {name}.", path + name)
        return found

    def value(self, field: dict, inner: "Form | None", value, path: str):
        if values.repeated(field) and isinstance(value, list):
            return [self.item(field, inner, item, f"{path}[{index}]") for index, item in enumerate(value)]
        if values.repeated(field) and isinstance(value, dict) and inner:
            raise Unfit("Repeated record added outside of an array.", path)
        return value if value is None else self.item(field, inner, value, path)

    def item(self, field: dict, inner: "Form | None", value, path: str):
        if value is None:
            raise Unfit(f"Only optional fields can be set to NULL. Field: {field['name']}; Value: NULL", path)
        if values.type_name(field) == "JSON":
            return value
        if isinstance(value, list):
            raise Unfit(f"Array specified for non-repeated field: {field['name']}.", path)
        if inner and isinstance(value, dict):
            return inner.record(value, path + ".")
        if isinstance(value, dict) and values.type_name(field) != "RANGE":
            raise Unfit(f"This field: {field['name']} is not a record.", path)
        return value


def entry(message: str, location: str = "", reason: str = "invalid") -> dict:
    return {"reason": reason, "location": location, "debugInfo": "", "message": message}


def report(errors: dict[int, dict], count: int, skip: bool) -> list[dict]:
    """insertErrors: each bad row with its error; the good ones as stopped where none was written."""
    stopped = {} if skip else {index: entry("", reason="stopped") for index in range(count)}
    return [{"index": index, "errors": [error]} for index, error in sorted((stopped | errors).items())]


def write(call: Call, ref: tables.Ref, partition: str | None, rows: list[dict]) -> None:
    """Append rows whose shape is right, those left out whose insertId was written a moment ago."""
    seen = call.emulator.insert_ids
    keys = [(ref, row["insertId"]) if row.get("insertId") else None for row in rows]
    fresh = [row["json"] for row, key in zip(rows, keys) if key is None or key not in seen]
    if not fresh:
        return
    tables.streamed(call.lake, ref, lambda tx, body: append(
        tx, body, partition, fresh, defaults(call.emulator, call.principal, body["schema"]["fields"], tx.cursor)))
    seen.update(dict.fromkeys(key for key in keys if key))
    while len(seen) > INSERTS_REMEMBERED:
        seen.pop(next(iter(seen)), None)


def append(tx: Transaction, body: dict, partition: str | None, rows: list[dict], instead: dict[str, str]) -> None:
    """partition: the id of the one that the rows go into; instead: SQL of what columns get that a row does not name."""
    fields = body["schema"]["fields"]
    names = ", ".join(values.identifier(field["name"]) for field in fields)
    if partition is None:
        tx.execute(f"INSERT INTO {body['_relation']} ({names}) {typed(fields, instead)}", [json.dumps(rows)])
        return
    tx.execute(f"CREATE OR REPLACE TEMP TABLE streamed AS {typed(fields, instead)}", [json.dumps(rows)])
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


def value_errors(lake: Lake, rows: dict[int, dict], fields: list[dict]) -> dict[int, dict]:
    """Which values are none of their column's type: the first of each row; only looked for where rows can't be written."""
    cursor = lake.cursor()
    errors = {}
    for index, suspects in zip(rows, suspicions(cursor, rows, fields)):
        for field in (field for field, suspect in zip(fields, suspects) if suspect):
            value = rows[index]["json"].get(field["name"])
            if conversion_error(cursor, field, value):
                errors[index] = misfit(cursor, field, value, field["name"])
                break
    return errors


def suspicions(cursor, rows: dict[int, dict], fields: list[dict]) -> list[list[bool]]:
    """For each row and field, whether the value may be none of its column's type; all at once, since rows may be many."""
    given = [(field, values.json_member("j", field["name"])) for field in fields]
    tests = ", ".join(f"{member} IS NOT NULL AND TRY({values.fitted(field, values.from_json(field, member))}) IS NULL" for field, member in given)
    found = cursor.execute(f"SELECT [{tests}] FROM (SELECT unnest(from_json(?, '[\"JSON\"]')) AS j)", [json.dumps([row["json"] for row in rows.values()])])
    return [tests for tests, in found.fetchall()]


def conversion_error(cursor, field: dict, value) -> str | None:
    try:
        cursor.execute(typed([field]), [json.dumps([{field["name"]: value}])]).fetchall()
        return None
    except duckdb.Error as error:
        return str(error)


def misfit(cursor, field: dict, value, path: str) -> dict:
    """The error entry of a value that does not convert, or of the innermost part of it that does not."""
    if values.repeated(field) and isinstance(value, list):
        parts = [(values.element(field), item, f"{path}[{index}]") for index, item in enumerate(value)]
    elif values.type_name(field) == "RECORD" and isinstance(value, dict):
        parts = [(part, value.get(part["name"]), f"{path}.{part['name']}") for part in field["fields"]]
    else:
        parts = []
    for part, inner, where in parts:
        if conversion_error(cursor, part, inner):
            return misfit(cursor, part, inner, where)
    if said := values.rule_broken(conversion_error(cursor, field, value) or ""):
        return entry(f"Field {field['name']}: {said}", path)
    return entry(f"Cannot convert value to {values.TYPES[values.type_name(field)].sql.lower()} (bad value): {shown(value)}", path)


def shown(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else text[:100] + "..."
