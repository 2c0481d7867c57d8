"""google.cloud.bigquery.storage.v1.BigQueryRead: a session keeps to a snapshot; its streams are ranges of its rows, in order."""
from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import os
import random
import re
import time
import uuid
from typing import TYPE_CHECKING, Callable, Iterator, NamedTuple

import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

from .. import avro, iam, query, row_access, tables
from ..errors import ApiError, unsupported
from ..formats.writing import avro_value
from ..values import identifier
from . import columns
from .errors import Refused

if TYPE_CHECKING:
    from .server import Caller

ReadSession, ReadRowsResponse = types.ReadSession.pb(), types.ReadRowsResponse.pb()
SplitReadStreamResponse = types.SplitReadStreamResponse.pb()
AVRO, ARROW = types.DataFormat.AVRO, types.DataFormat.ARROW
CODECS = {0: None, 1: "lz4", 2: "zstd"}  # ArrowSerializationOptions.CompressionCodec

LIFETIME = 6 * 3600  # seconds of a session
MESSAGE = 4 << 20  # bytes of a message, about
MOST_ROWS = 100_000  # in a message
STREAM_ROWS = 500_000  # of a stream, unless the caller wants more streams
MOST_STREAMS = 1000
MOST_RESTRICTION = 1 << 20  # bytes
BLOCK = 1000  # rows that a sample takes or leaves together
TABLE = re.compile(r"projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)")
PROJECT = re.compile(r"projects/([^/]+)")
PLACE = re.compile(r" at \[\d+:\d+\]$")  # in the query that is made of a restriction
AVRO_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclasses.dataclass
class Session:
    """fields: those selected; source: FROM item of the rows, always in the same order; rows: how many there are."""

    name: str
    fields: list[dict]
    source: str
    rows: int
    batch_rows: int
    format: int
    compression: str | None
    packed: bool
    expires: float

    def __post_init__(self) -> None:
        if self.format == ARROW:
            self.schema = columns.arrow_schema(self.fields)
            self.items = columns.arrow_items(self.fields)
        else:
            self.schema = avro.schema_of(self.fields, frozenset(), "__root__")
            self.items = ", ".join(f"{avro_value(field, identifier(field['name']), frozenset(), 0)} AS {identifier(field['name'])}" for field in self.fields)

    def put_schema(self, message) -> None:
        if self.format == ARROW:
            message.arrow_schema.serialized_schema = self.schema.serialize().to_pybytes()
        else:
            message.avro_schema.schema = json.dumps(self.schema, ensure_ascii=False)

    def writer(self) -> Callable[[object, pa.RecordBatch], None]:
        """What puts a batch into a response."""
        if self.format == AVRO:
            def put(message, batch: pa.RecordBatch) -> None:
                message.avro_rows.serialized_binary_rows = self.pack(message, avro.rows(batch, self.fields).data.tobytes())
                message.avro_rows.row_count = batch.num_rows
            return put
        write = columns.batch_writer(self.schema, self.compression)

        def put_arrow(message, batch: pa.RecordBatch) -> None:
            message.arrow_record_batch.serialized_record_batch = self.pack(message, write(columns.conform(batch, self.schema)))
            message.arrow_record_batch.row_count = batch.num_rows
        return put_arrow

    def pack(self, message, data: bytes) -> bytes:
        """The payload under response_compression_codec."""
        if not self.packed:
            return data
        smaller = pa.compress(data, codec="lz4_raw", asbytes=True)
        message.uncompressed_byte_size = len(data) if len(smaller) < len(data) else -1
        return smaller if len(smaller) < len(data) else data


class Stream(NamedTuple):
    """Rows of a session from the first to before the last."""

    session: Session
    first: int
    last: int


class Sessions:
    """The streams that can be read."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}

    def add(self, session: Session, first: int, last: int) -> str:
        name = f"{session.name}/streams/{uuid.uuid4().hex}"
        self._streams[name] = Stream(session, first, last)
        return name

    def find(self, name: str) -> Stream:
        stream = self._streams.get(name)
        if not stream:
            raise Refused("NOT_FOUND", f"request failed: Stream {name} was not found")
        if stream.session.expires < time.time():
            raise Refused("FAILED_PRECONDITION", f"request failed: session {stream.session.name} has expired")
        return stream

    def sweep(self) -> None:
        for name, stream in list(self._streams.items()):
            if stream.session.expires < time.time():
                self._streams.pop(name, None)


# RPCs ---------------------------------------------------------------------------------------------

def CreateReadSession(caller: "Caller", request) -> ReadSession:
    """A session over a table as it is now, or was at snapshot_time, with its schema and streams."""
    asked, options = request.read_session, request.read_session.read_options
    project = matched(PROJECT, request.parent, "parent")[0]
    ref = matched(TABLE, asked.table, "table")
    if project == iam.PUBLIC_PROJECT and not caller.emulator.writable_public_data:
        raise ApiError("accessDenied", f"request failed: the user does not have 'bigquery.readsessions.create' permission for '{request.parent}'")
    iam.require(caller.emulator, caller.principal, "bigquery.tables.getData", ref)
    check(request)
    source = open_table(caller, ref, asked)
    fields = checked_fields(source, list(options.selected_fields), asked)
    filters = row_access.filters(caller.emulator, caller.principal, source.ref)
    total = caller.lake.rows(source.body, source.version)
    size = caller.lake.measure(source.body, [field["name"] for field in fields], source.version)
    rows, sql = total, caller.lake.relation(source.body, source.version)
    if options.row_restriction.strip() or filters is not None:
        sql = restricted(caller, source, options.row_restriction)
    if options.HasField("sample_percentage"):
        sql = sampled(sql, options.sample_percentage)
    if sql != caller.lake.relation(source.body, source.version):
        rows = caller.cursor().execute(f"SELECT count(*) FROM {sql}").fetchone()[0]
    session = Session(
        f"projects/{project}/locations/{source.body.get('location', 'US').lower()}/sessions/{uuid.uuid4().hex}", fields, sql, rows,
        batch_rows(total, size), asked.data_format, CODECS[options.arrow_serialization_options.buffer_compression],
        bool(options.response_compression_codec), time.time() + LIFETIME)
    hidden = filters is not None  # the table's size would tell of rows that the caller may not see
    return answer(caller, request, session, rows if hidden else total, 0 if hidden else size)


def answer(caller: "Caller", request, session: Session, rows: int, size: int) -> ReadSession:
    asked = request.read_session
    made = ReadSession(name=session.name, data_format=asked.data_format, table=asked.table, trace_id=asked.trace_id, estimated_row_count=rows,
                       estimated_total_bytes_scanned=size)
    made.read_options.CopyFrom(asked.read_options)
    if asked.HasField("table_modifiers"):
        made.table_modifiers.CopyFrom(asked.table_modifiers)
    made.expire_time.FromMicroseconds(int(session.expires * 1_000_000))
    session.put_schema(made)
    caller.sessions.sweep()
    count = stream_count(request, session.rows)
    bounds = [session.rows * place // count for place in range(count + 1)] if count else []
    for first, last in itertools.pairwise(bounds):
        made.streams.add().name = caller.sessions.add(session, first, last)
    return made


def ReadRows(caller: "Caller", request) -> Iterator[ReadRowsResponse]:
    """A stream's rows from an offset on; the first response has the schema. Nothing where there are no rows."""
    from . import results
    if of_job := results.STREAM.fullmatch(request.read_stream):
        found = results.stream(caller, request.read_stream, compression(request.arrow_serialization_options))
        if found is None or not found.last:
            return
    elif request.arrow_serialization_options.ByteSize():
        raise unsupported("arrow_serialization_options of ReadRows: CreateReadSession takes them")
    session, first, last = found if of_job else caller.sessions.find(request.read_stream)
    if not 0 <= request.offset <= last - first:
        raise Refused("OUT_OF_RANGE", f"request failed: offset {request.offset} is not in stream {request.read_stream} of {last - first} rows")
    done, put = request.offset, session.writer()
    whole = (first + done, last) == (0, session.rows)
    part = "" if whole else f" LIMIT {last - first - done} OFFSET {first + done}"
    message = ReadRowsResponse()
    session.put_schema(message)
    if session.fields:
        reader = caller.cursor().execute(f"SELECT {session.items} FROM {session.source}{part}").to_arrow_reader(session.batch_rows)
        for batch in reader:
            if batch.num_rows:
                message.row_count = batch.num_rows
                put(message, batch)
                message.stats.progress.at_response_start = done / (last - first)
                done += batch.num_rows
                message.stats.progress.at_response_end = done / (last - first)
                yield message
                message = ReadRowsResponse()


def SplitReadStream(caller: "Caller", request) -> SplitReadStreamResponse:
    """Two streams that have a stream's rows between them; neither where it can't be divided."""
    session, first, last = caller.sessions.find(request.name)
    if not 0 <= request.fraction < 1:
        raise Refused("INVALID_ARGUMENT", f"request failed: fraction must be in the range (0.0, 1.0), but is {request.fraction:g}")
    middle = first + int((last - first) * (request.fraction or 0.5))
    made = SplitReadStreamResponse()
    if first < middle < last:
        made.primary_stream.name = caller.sessions.add(session, first, middle)
        made.remainder_stream.name = caller.sessions.add(session, middle, last)
    return made


# What a session is made of ------------------------------------------------------------------------

def batch_rows(rows: int, size: int) -> int:
    """How many rows a message has, of a table of so many rows and bytes."""
    return max(1, min(MOST_ROWS, MESSAGE * rows // max(size, 1)))


def compression(options) -> int:
    """The codec that ArrowSerializationOptions name; Refused for an unknown one."""
    if options.buffer_compression not in CODECS:
        raise Refused("INVALID_ARGUMENT", "request failed: Unknown Arrow buffer compression")
    return options.buffer_compression


def matched(pattern: re.Pattern, name: str, what: str) -> tuple[str, ...]:
    found = pattern.fullmatch(name)
    if not found:
        raise Refused("INVALID_ARGUMENT", f"request failed: Invalid resource name in {what}: '{name}'")
    return found.groups()


def check(request) -> None:
    """Refused for options that contradict the format or one another."""
    asked, options = request.read_session, request.read_session.read_options
    chosen = options.WhichOneof("output_format_serialization_options")

    def require(condition: bool, message: str) -> None:
        if not condition:
            raise Refused("INVALID_ARGUMENT", f"request failed: {message}")
    require(asked.data_format in (AVRO, ARROW), "Data format must be specified: AVRO or ARROW")
    require(chosen != "avro_serialization_options" or asked.data_format == AVRO, "Avro serialization options were set, but the format is not Avro")
    require(chosen != "arrow_serialization_options" or asked.data_format == ARROW, "Arrow serialization options were set, but the format is not Arrow")
    compression(options.arrow_serialization_options)
    require(options.response_compression_codec in (0, 2), "Unknown response compression codec")
    require(not (options.response_compression_codec and options.arrow_serialization_options.buffer_compression),
            "Only one of Arrow buffer compression and response compression can be set")
    require(0 <= request.max_stream_count and 0 <= request.preferred_min_stream_count, "Stream counts must not be negative")
    require(not request.max_stream_count or request.max_stream_count >= request.preferred_min_stream_count,
            "max_stream_count must be greater than or equal to preferred_min_stream_count")
    require(not options.HasField("sample_percentage") or 0 <= options.sample_percentage <= 100, "sample_percentage must be between 0 and 100")
    require(len(options.row_restriction.encode()) <= MOST_RESTRICTION, "row_restriction is longer than 1 MB")
    require(len(asked.trace_id.encode()) <= 256, "trace_id is longer than 256 bytes")


def open_table(caller: "Caller", ref: tables.Ref, asked) -> tables.Source:
    moment = None
    if asked.table_modifiers.HasField("snapshot_time"):
        try:
            moment = asked.table_modifiers.snapshot_time.ToDatetime(dt.timezone.utc)
        except (ValueError, OverflowError):
            raise Refused("INVALID_ARGUMENT", "request failed: Invalid snapshot_time") from None
    source = tables.Source(caller.lake, ref, moment)
    if source.body["type"] not in tables.ROWS:
        raise Refused("INVALID_ARGUMENT", "request failed: non-table entities cannot be read with the storage API")
    return source


def checked_fields(source: tables.Source, names: list[str], asked) -> list[dict]:
    try:
        fields = tables.selected(source.fields, ",".join(names))
    except ApiError as error:
        raise Refused("INVALID_ARGUMENT", f"request failed: The following selected fields do not exist in the table schema: "
                                          f"{error.message.removeprefix('No such field: ').rstrip('.')}") from None
    if asked.data_format == AVRO and not all(map(avro_named, fields)):
        if asked.read_options.avro_serialization_options.enable_display_name_attribute:
            raise unsupported("enable_display_name_attribute for names that Avro does not allow")
        raise Refused("INVALID_ARGUMENT", "request failed: Avro allows names of ASCII letters, digits and underscores only")
    return fields


def avro_named(field: dict) -> bool:
    return bool(AVRO_NAME.fullmatch(field["name"])) and all(map(avro_named, field.get("fields", ())))


def restricted(caller: "Caller", source: tables.Source, restriction: str) -> str:
    """FROM item of the rows that a restriction and the table's row access policies let through."""
    if source.partition is not None:
        raise unsupported("row_restriction or row access policies with a partition decorator")
    moment = f" FOR SYSTEM_TIME AS OF TIMESTAMP_MICROS({source.micros})" if source.past else ""
    where = f" WHERE (\n{restriction}\n)" if restriction.strip() else ""
    try:
        statement = query.prepare(caller.emulator, caller.principal, f"SELECT * FROM `{'.'.join(source.ref)}`{moment}{where}", default_project=source.ref[0])
        if statement.type != "SELECT" or [field["name"] for field in statement.fields] != [field["name"] for field in source.fields]:
            raise ApiError("invalid", "it is no condition on a row")
        return f"({statement.compile(caller.cursor())})"
    except ApiError as error:
        if error.reason not in ("invalid", "invalidQuery"):
            raise
        raise Refused("INVALID_ARGUMENT", f"request failed: Row filter for {iam.name_of(source.ref)} is invalid. Filter is '{restriction}'. "
                                          f"{PLACE.sub('', error.message)}") from None


def sampled(sql: str, percentage: float) -> str:
    """Blocks of rows chosen by chance, the same ones whenever they are read."""
    keep = f"hash(sampled_row // {BLOCK}, {random.getrandbits(32)}) % 1000000 < {round(percentage * 10000)}"
    return f"(SELECT * EXCLUDE sampled_row FROM (SELECT *, row_number() OVER () - 1 AS sampled_row FROM {sql}) WHERE {keep})"


def stream_count(request, rows: int) -> int:
    most = min(request.max_stream_count or max(os.cpu_count() or 1, request.preferred_min_stream_count), MOST_STREAMS)
    return min(max(request.preferred_min_stream_count, -(-rows // STREAM_ROWS)), most, rows)
