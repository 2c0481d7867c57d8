"""google.cloud.bigquery.storage.v1.BigQueryWrite: rows appended to tables at once, or to streams that are committed later.

A request's rows are written in one transaction or not at all. What is not yet to be seen waits in a table of `results`.
Streams are known as long as the process lives.
"""
from __future__ import annotations

import dataclasses
import re
import threading
import time
import uuid
from typing import TYPE_CHECKING, Iterator

import duckdb
import numpy as np
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

from .. import iam, tables, values
from ..lake import Lake, Transaction, now_ms
from ..query import defaults, results_relation, runtime_error
from ..values import identifier
from . import rows
from .errors import Refused, status
from .read import TABLE, matched

if TYPE_CHECKING:
    from .server import Caller

WriteStream, AppendRowsResponse, TableSchema = types.WriteStream.pb(), types.AppendRowsResponse.pb(), types.TableSchema.pb()
FinalizeWriteStreamResponse, FlushRowsResponse = types.FinalizeWriteStreamResponse.pb(), types.FlushRowsResponse.pb()
BatchCommitWriteStreamsResponse = types.BatchCommitWriteStreamsResponse.pb()
COMMITTED, PENDING, BUFFERED = (getattr(types.WriteStream.Type, name) for name in ("COMMITTED", "PENDING", "BUFFERED"))
FULL, DEFAULT_VALUE = types.WriteStreamView.FULL, 2
STREAM = re.compile(r"(projects/[^/]+/datasets/[^/]+/tables/[^/]+)(?:/streams)?/([^/]+)")
DEFAULT = "_default"
MOST_BYTES = 20 * 1024 * 1024  # of a request
MOST_ROW_ERRORS = 100  # that are looked for in a request
KEPT = 24 * 3600  # seconds that an unfinished stream keeps its rows
PROTO_TYPES = {"INTEGER": "INT64", "FLOAT": "DOUBLE", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


@dataclasses.dataclass
class Stream:
    """relation: where rows wait to be seen; rows: how many were appended; shown: how many of them can be seen."""

    name: str
    ref: tables.Ref
    type: int
    relation: str | None = None
    rows: int = 0
    shown: int = 0
    finalized: bool = False
    created: float = dataclasses.field(default_factory=time.time)
    committed: float | None = None
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    @property
    def is_default(self) -> bool:
        return self.name.endswith(f"/{DEFAULT}")

    def refusal(self, code: str, message: str, kind: str) -> Refused:
        return Refused(code, f"{message} Entity: {self.name}", kind, self.name)


class Streams:
    """The streams that were made, by name."""

    def __init__(self, lake: Lake):
        self._lake, self._known, self._lock = lake, {}, threading.Lock()

    def add(self, stream: Stream) -> Stream:
        with self._lock:
            self._known[stream.name] = stream
            old = [each for each in self._known.values() if each.created + KEPT < time.time()]
        for each in old:
            self.drop_rows(each)
            self._known.pop(each.name, None)
        return stream

    def get(self, name: str) -> Stream | None:
        """The stream of a name; a new one each time for a table's default stream."""
        table, stream = matched(STREAM, name, "write_stream")
        if stream == DEFAULT:
            return Stream(f"{table}/streams/{DEFAULT}", matched(TABLE, table, "write_stream"), COMMITTED)
        return self._known.get(name)

    def find(self, name: str) -> Stream:
        stream = self.get(name)
        if not stream:
            raise Refused("NOT_FOUND", f"Requested entity was not found. Entity: {name}", "STREAM_NOT_FOUND", name)
        return stream

    def drop_rows(self, stream: Stream) -> None:
        if stream.relation:
            self._lake.cursor().execute(f"DROP TABLE IF EXISTS {stream.relation}")


# RPCs ---------------------------------------------------------------------------------------------

def CreateWriteStream(caller: "Caller", request) -> WriteStream:
    """A stream of its own into a table: COMMITTED, PENDING or BUFFERED."""
    ref = matched(TABLE, request.parent, "parent")
    body = target(caller, ref)
    kind = request.write_stream.type_
    if kind not in (COMMITTED, PENDING, BUFFERED):
        raise Refused("INVALID_ARGUMENT", "WriteStream type must be COMMITTED, PENDING or BUFFERED.", "INVALID_STREAM_TYPE", request.parent)
    stream = Stream(f"{request.parent}/streams/{uuid.uuid4().hex}", ref, kind)
    if kind != COMMITTED:
        stream.relation = results_relation(f"stream{uuid.uuid4().hex}")
        columns = ", ".join(f"{identifier(field['name'])} {values.duckdb_type(field)}" for field in body.get("schema", {}).get("fields", ()))
        caller.lake.cursor().execute(f"CREATE TABLE {stream.relation} ({columns or '_empty BOOLEAN'})")
    return shown(caller.streams.add(stream), body, full=True)


def GetWriteStream(caller: "Caller", request) -> WriteStream:
    stream = caller.streams.find(request.name)
    return shown(stream, target(caller, stream.ref), request.view == FULL)


def AppendRows(caller: "Caller", requests: Iterator) -> Iterator[AppendRowsResponse]:
    """A response to each request, in order. A request that is refused leaves the connection open, but the first one."""
    connection = Connection(caller)
    for request in requests:
        try:
            response = connection.append(request)
        except Exception as error:
            if not connection.writer:
                raise
            response = AppendRowsResponse(error=status(error, "AppendRows"), row_errors=getattr(error, "row_errors", ()))
        response.write_stream = connection.stream.name
        yield response


def FinalizeWriteStream(caller: "Caller", request) -> FinalizeWriteStreamResponse:
    """No more rows for a stream."""
    stream = caller.streams.find(request.name)
    target(caller, stream.ref)
    if stream.is_default:
        raise stream.refusal("INVALID_ARGUMENT", "The default stream cannot be finalized.", "INVALID_STREAM_TYPE")
    with stream.lock:
        stream.finalized = True
        return FinalizeWriteStreamResponse(row_count=stream.rows)


def FlushRows(caller: "Caller", request) -> FlushRowsResponse:
    """Show the rows of a BUFFERED stream up to an offset, that one too."""
    stream = caller.streams.find(request.write_stream)
    target(caller, stream.ref)
    if stream.type != BUFFERED:
        raise stream.refusal("INVALID_ARGUMENT", "Only a BUFFERED stream can be flushed.", "INVALID_STREAM_TYPE")
    with stream.lock:
        upto = request.offset.value + 1 if request.HasField("offset") else stream.rows
        if not 0 <= upto <= stream.rows:
            raise stream.refusal("OUT_OF_RANGE", f"The offset is beyond stream, expected offset below {stream.rows}, received {upto - 1}.",
                                 "OFFSET_OUT_OF_RANGE")
        if upto > stream.shown:
            show(caller, stream.ref, [(stream, f"LIMIT {upto - stream.shown} OFFSET {stream.shown}")])
            stream.shown = upto
        if stream.finalized and stream.shown == stream.rows:
            caller.streams.drop_rows(stream)
        return FlushRowsResponse(offset=upto - 1)


def BatchCommitWriteStreams(caller: "Caller", request) -> BatchCommitWriteStreamsResponse:
    """Show the rows of finalized PENDING streams of a table, of all or of none."""
    ref = matched(TABLE, request.parent, "parent")
    target(caller, ref)
    if not request.write_streams:
        raise Refused("INVALID_ARGUMENT", "No write streams are named in the request.")
    streams = {name: caller.streams.get(name) for name in dict.fromkeys(request.write_streams)}
    for stream in streams.values():
        if stream and stream.ref != ref:
            raise Refused("INVALID_ARGUMENT", f"Stream {stream.name} does not belong to {request.parent}.")
    refused = [error for name, stream in streams.items() if (error := uncommittable(name, stream))]
    if refused:
        return BatchCommitWriteStreamsResponse(stream_errors=[error.storage_error for error in refused])
    show(caller, ref, [(stream, "") for stream in streams.values()])
    for stream in streams.values():
        stream.committed = time.time()
        caller.streams.drop_rows(stream)
    answer = BatchCommitWriteStreamsResponse()
    answer.commit_time.FromMilliseconds(now_ms())
    return answer


def uncommittable(name: str, stream: Stream | None) -> Refused | None:
    if not stream:
        return Refused("NOT_FOUND", f"Stream not found. Entity: {name}", "STREAM_NOT_FOUND", name)
    if stream.type != PENDING:
        return stream.refusal("INVALID_ARGUMENT", "Only a PENDING stream can be committed.", "INVALID_STREAM_TYPE")
    if stream.committed:
        return stream.refusal("INVALID_ARGUMENT", "Stream is already committed.", "STREAM_ALREADY_COMMITTED")
    if not stream.finalized:
        return stream.refusal("INVALID_ARGUMENT", "Stream is not finalized.", "INVALID_STREAM_STATE")
    return None


# One connection -----------------------------------------------------------------------------------

class Connection:
    """What the requests of an AppendRows call have in common: the stream, the writer's schema, how missing values are meant."""

    def __init__(self, caller: "Caller"):
        self.caller = caller
        self.stream: Stream | None = None
        self.writer: rows.ProtoWriter | rows.ArrowWriter | None = None
        self.fields: list[dict] | None = None  # of the table, as the client knows them
        self.missing = 0

    def append(self, request) -> AppendRowsResponse:
        body = self.open(request)
        form = request.WhichOneof("rows")
        data = getattr(request, form) if form else None
        self.read_schema(form, data)
        if request.ByteSize() > MOST_BYTES:
            raise Refused("INVALID_ARGUMENT", f"AppendRows request too large: {request.ByteSize()} limit {MOST_BYTES}")
        self.missing = request.default_missing_value_interpretation or self.missing
        count = self.writer.count(data)
        if not count:
            raise Refused("INVALID_ARGUMENT", "Rows must be specified.")
        with self.stream.lock:
            offset = self.check_offset(request)
            body = self.write(body, data, dict(request.missing_value_interpretations))
            self.stream.rows += count
        answer = AppendRowsResponse()
        answer.append_result.SetInParent()
        if not self.stream.is_default:
            answer.append_result.offset.value = offset
        fields = body.get("schema", {}).get("fields", [])
        if fields != self.fields:
            answer.updated_schema.CopyFrom(table_schema(fields))
            self.fields = fields
        return answer

    def open(self, request) -> dict:
        """The table that a request is for, by its stream's name or that of the request before."""
        if request.write_stream and (not self.stream or request.write_stream != self.stream.name):
            stream = self.caller.streams.find(request.write_stream)
            self.fields = None if not self.stream or stream.ref != self.stream.ref else self.fields
            self.stream = stream
        if not self.stream:
            raise Refused("INVALID_ARGUMENT", "The first request of a connection must name its write_stream.")
        body = target(self.caller, self.stream.ref)
        if self.fields is None:
            self.fields = body.get("schema", {}).get("fields", [])
        return body

    def read_schema(self, form: str | None, data) -> None:
        if form == "proto_rows" and data.HasField("writer_schema"):
            self.writer = rows.ProtoWriter(data.writer_schema.proto_descriptor)
        elif form == "arrow_rows" and data.HasField("writer_schema"):
            self.writer = rows.ArrowWriter(data.writer_schema.serialized_schema)
        if form is None:
            raise Refused("INVALID_ARGUMENT", "Rows must be specified.")
        expected = rows.ProtoWriter if form == "proto_rows" else rows.ArrowWriter
        if not isinstance(self.writer, expected):
            raise Refused("INVALID_ARGUMENT", "Invalid argument: the writer schema is missing in the first request of the connection.")

    def check_offset(self, request) -> int:
        stream = self.stream
        if stream.finalized:
            raise stream.refusal("INVALID_ARGUMENT", "Stream has been finalized and cannot be appended.", "STREAM_FINALIZED")
        if request.HasField("offset"):
            given = request.offset.value
            if stream.is_default:
                raise Refused("INVALID_ARGUMENT", f"Offset cannot be specified on the default stream. Entity: {stream.name}")
            if given < stream.rows:
                raise stream.refusal("ALREADY_EXISTS", f"The offset is within stream, expected offset {stream.rows}, received {given}", "OFFSET_ALREADY_EXISTS")
            if given > stream.rows:
                raise stream.refusal("OUT_OF_RANGE", f"The offset is beyond stream, expected offset {stream.rows}, received {given}", "OFFSET_OUT_OF_RANGE")
        return stream.rows

    def write(self, body: dict, data, interpretations: dict[str, int]) -> dict:
        """Write a request's rows into the table or where the stream keeps them; the table's body then."""
        fields = body.get("schema", {}).get("fields", [])
        own = {field["name"].lower(): field for field in fields}
        rows.refuse_extra(self.writer.names, fields)
        table = read_rows(self.writer, data, {name: own[name.lower()] for name in self.writer.names})
        meant = {name.lower(): how for name, how in interpretations.items()}
        filled = {name for name in own if meant.get(name, self.missing) == DEFAULT_VALUE}

        def insert(cursor: duckdb.DuckDBPyConnection, relation: str) -> None:
            instead = {name: sql for name, sql in defaults(self.caller.emulator, self.caller.principal, fields, cursor).items() if name in filled}
            columns = conversions(fields, table.schema, instead)
            check_required(table, fields, instead)
            names, items = ", ".join(map(identifier, columns)), ", ".join(columns.values())
            cursor.register("appended", table)
            try:
                cursor.execute(f"INSERT INTO {relation} ({names}) SELECT {items} FROM appended")
            except duckdb.Error as error:
                found = bad_rows(self.caller.lake, table, columns)
                if not found:
                    raise
                raise row_errors(found) from error
            finally:
                cursor.unregister("appended")
        if self.stream.relation:
            insert(self.caller.lake.cursor(), self.stream.relation)
            return body
        return tables.streamed(self.caller.lake, self.stream.ref, lambda tx, body: insert(tx.cursor, body["_relation"]))


def read_rows(writer, data, targets: dict[str, dict]) -> pa.Table:
    try:
        return writer.table(data, targets)
    except rows.BadRow as bad:
        raise row_errors(bad.rows) from None
    except UnicodeDecodeError as error:
        raise Refused("INVALID_ARGUMENT", f"A string of the request is not UTF-8: {error.reason}") from None


def conversions(fields: list[dict], schema: pa.Schema, instead: dict[str, str]) -> dict[str, str]:
    """SQL of the columns that get a value: from the rows, or instead of one that is missing."""
    given = {name.lower(): name for name in schema.names}
    found = {}
    for field in fields:
        key = field["name"].lower()
        if key in given:
            x = identifier(given[key])
            value = values.fitted(field, rows.converted(field, x, schema.field(given[key]).type, field["name"]))
            found[field["name"]] = f"CASE WHEN {x} IS NULL THEN {instead[key]} ELSE {value} END" if key in instead else value
        elif key in instead:
            found[field["name"]] = instead[key]
        elif values.repeated(field):
            found[field["name"]] = "[]"
    return found


def check_required(table: pa.Table, fields: list[dict], instead: dict[str, str]) -> None:
    """Refused, with the rows, for a REQUIRED value that is missing and has no default in its place."""
    given = {name.lower(): name for name in table.schema.names}
    every = np.arange(table.num_rows)
    found: dict[int, str] = {}
    for field in fields:
        key = field["name"].lower()
        if key in given and key not in instead:
            for row, path in rows.missing(table.column(given[key]).combine_chunks(), field, field["name"], every):
                found.setdefault(row, f"Missing required field: {path}.")
        elif key not in instead and field.get("mode") == "REQUIRED":
            raise Refused("INVALID_ARGUMENT", f"The required field {field['name']} is missing in the input schema.")
    if found:
        raise row_errors(found)


def bad_rows(lake: Lake, table: pa.Table, columns: dict[str, str]) -> dict[int, str]:
    """Which rows do not convert, and why: halves of the rows are tried until single ones are left."""
    cursor, found = lake.cursor(), {}

    def attempt(first: int, count: int, items: str) -> Exception | None:
        cursor.register("tried", table.slice(first, count))
        try:
            cursor.execute(f"CREATE OR REPLACE TEMP TABLE converted AS SELECT {items} FROM tried")
        except duckdb.Error as error:
            return error
        finally:
            cursor.unregister("tried")

    def search(first: int, count: int) -> None:
        if len(found) >= MOST_ROW_ERRORS or not attempt(first, count, ", ".join(f"{sql} AS c{place}" for place, sql in enumerate(columns.values()))):
            return
        if count > 1:
            search(first, count // 2)
            search(first + count // 2, count - count // 2)
            return
        name, error = next(((name, error) for name, sql in columns.items() if (error := attempt(first, 1, f"{sql} AS c"))), ("", None))
        found[first] = f"Field {name}: {runtime_error(error).message.splitlines()[0] if error else 'invalid value'}"
    search(0, table.num_rows)
    return found


def row_errors(found: dict[int, str]) -> Refused:
    return Refused("INVALID_ARGUMENT", "Errors found while processing rows. Please refer to the row_errors field for details. The list may not be complete "
                                       "because of the size limitations.", rows=found)


# Tables -------------------------------------------------------------------------------------------

def target(caller: "Caller", ref: tables.Ref) -> dict:
    """The body of a table that the caller may write to."""
    iam.require(caller.emulator, caller.principal, "bigquery.tables.updateData", ref)
    body = caller.lake.get("table", ref)
    if body is None or tables.expired(body):
        raise Refused("NOT_FOUND", f"Requested entity was not found. Entity: projects/{ref[0]}/datasets/{ref[1]}/tables/{ref[2]}", "TABLE_NOT_FOUND", iam.name_of(ref))
    if body["type"] != "TABLE" or not body["_relation"].startswith("lake."):
        raise Refused("INVALID_ARGUMENT", f"Cannot append rows to {iam.name_of(ref)}, which is a {body['type']}.")
    return body


def show(caller: "Caller", ref: tables.Ref, parts: list[tuple[Stream, str]]) -> None:
    """Move rows that wait into the table; a column that the table has lost since is left out."""
    def work(tx: Transaction, body: dict) -> None:
        own = {field["name"] for field in body.get("schema", {}).get("fields", ())}
        for stream, part in parts:
            kept = [name for name, *_ in tx.execute(f"DESCRIBE {stream.relation}").fetchall() if name in own]
            names = ", ".join(map(identifier, kept))
            tx.execute(f"INSERT INTO {body['_relation']} ({names}) SELECT {names} FROM {stream.relation} {part}")
    tables.streamed(caller.lake, ref, work)


def shown(stream: Stream, body: dict, full: bool) -> WriteStream:
    made = WriteStream(name=stream.name, type_=stream.type, write_mode=types.WriteStream.WriteMode.INSERT, location=body.get("location", "US"))
    created = int(body["creationTime"]) if stream.is_default else int(stream.created * 1000)
    made.create_time.FromMilliseconds(created)
    if stream.type == COMMITTED:
        made.commit_time.FromMilliseconds(created)
    elif stream.committed:
        made.commit_time.FromMilliseconds(int(stream.committed * 1000))
    if full:
        made.table_schema.CopyFrom(table_schema(body.get("schema", {}).get("fields", [])))
    return made


def table_schema(fields: list[dict]) -> TableSchema:
    made = TableSchema()
    for field in fields:
        kind = values.type_name(field)
        own = made.fields.add(name=field["name"], type_=PROTO_TYPES.get(kind, kind), mode=field.get("mode") or "NULLABLE",
                              description=field.get("description", ""), default_value_expression=field.get("defaultValueExpression", ""),
                              max_length=int(field.get("maxLength") or 0), precision=int(field.get("precision") or 0), scale=int(field.get("scale") or 0))
        if kind == "RECORD":
            own.fields.extend(table_schema(field["fields"]).fields)
        if kind == "RANGE":
            own.range_element_type.type_ = values.range_parts(field)[0]["type"]
    return made
