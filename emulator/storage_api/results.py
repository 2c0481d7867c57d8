"""A query's result as Arrow: its first rows in the answer of jobs.query, the others as the stream `_default` of its job.

Source: the documentation of `query_results_format` of Google's client for Python.
"""
from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from .. import iam, tabledata
from ..calls import Call, make_token
from ..errors import ApiError
from ..lake import Lake
from .errors import Refused
from .read import ARROW, CODECS, ReadRowsResponse, Session, Stream, batch_rows

if TYPE_CHECKING:
    from .server import Caller

STREAM = re.compile(r"projects/([^/]+)/locations/([^/]+)/jobs/([^/]+)/streams/_default")
COMPRESSIONS = {"COMPRESSION_UNSPECIFIED": 0, "LZ4_FRAME": 1, "ZSTD": 2}
PRECISIONS = ("TIMESTAMP_PRECISION_UNSPECIFIED", "TIMESTAMP_PRECISION_MICROS", "TIMESTAMP_PRECISION_NANOS", "TIMESTAMP_PRECISION_PICOS")


def check(options: dict) -> None:
    """ApiError invalid for arrowSerializationOptions that there are not. No timestamp here has more digits than microseconds."""
    for name, choices in (("bufferCompression", COMPRESSIONS), ("picosTimestampPrecision", PRECISIONS)):
        if options.get(name) and options[name] not in choices:
            raise ApiError("invalid", f"Invalid value for {name}: {options[name]} is not a valid value", name)


def session(lake: Lake, result: dict, compression: int) -> Session:
    """All rows of a result; ApiError notFound, of DuckDB, where they are gone."""
    fields, version = result["schema"]["fields"], result.get("_version")
    rows = lake.rows(result, version)
    size = lake.measure(result, [field["name"] for field in fields], version)
    return Session("", fields, lake.relation(result, version), rows, batch_rows(rows, size), ARROW, CODECS[compression], False, 0)


def page(call: Call, result: dict) -> dict:
    """What jobs.query answers instead of rows: the schema and one batch, of at most maxResults rows; a page token if there are more."""
    whole = session(call.lake, result, COMPRESSIONS[(call.body.get("arrowSerializationOptions") or {}).get("bufferCompression") or "COMPRESSION_UNSPECIFIED"])
    wanted = call.integer("maxResults")
    limit = min(whole.batch_rows if wanted is None else wanted, whole.batch_rows, tabledata.PAGE_ROWS)
    table = call.lake.cursor().execute(f"SELECT {whole.items} FROM {whole.source} LIMIT {limit}").to_arrow_table().combine_chunks()
    message, put = ReadRowsResponse(), whole.writer()
    whole.put_schema(message)
    answer = {"schema": {"fields": whole.fields}, "totalRows": str(whole.rows), "pageRowCount": str(table.num_rows),
              "arrowSchema": {"serializedSchema": base64.b64encode(message.arrow_schema.serialized_schema).decode()}}
    for batch in table.to_batches():
        put(message, batch)
        answer["arrowRecordBatch"] = {"serializedRecordBatch": base64.b64encode(message.arrow_record_batch.serialized_record_batch).decode()}
    return answer | ({"pageToken": make_token(table.num_rows, 0)} if table.num_rows < whole.rows else {})


def stream(caller: "Caller", name: str, compression: int) -> Stream | None:
    """The stream of a job's result, None where a job has none; Refused for a name that is no such stream's."""
    project, location, job_id = STREAM.fullmatch(name).groups()
    iam.require(caller.emulator, caller.principal, "bigquery.jobs.get", (project,))
    body = caller.emulator.jobs.body((project, job_id))
    if body is None or body["jobReference"]["location"].lower() != location.lower():
        raise Refused("NOT_FOUND", f"request failed: Not found: Job {project}:{location}.{job_id}")
    if body["status"]["state"] != "DONE" or "query" not in body["configuration"] or "errorResult" in body["status"]:
        raise Refused("FAILED_PRECONDITION", f"request failed: Job {body['id']} is not a query that has succeeded")
    result = body.get("_result")
    if result and not result["_relation"].startswith("results."):
        raise Refused("INVALID_ARGUMENT", "request failed: This API does not support explicitly-specified destination tables")
    whole = result and session(caller.lake, result, compression)
    return whole and Stream(whole, 0, whole.rows)
