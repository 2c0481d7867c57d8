"""What the Storage API refuses in its own words: a gRPC status, most with a StorageError that names the cause."""
from __future__ import annotations

import logging

import duckdb
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import any_pb2
from google.rpc import code_pb2, status_pb2

from ..errors import REASONS, ApiError
from ..query import runtime_error

log = logging.getLogger(__name__)

StorageError = types.StorageError.pb()
RowError = types.RowError.pb()


class Refused(Exception):
    """An RPC, or one request of a stream, that is refused.

    code: of google.rpc.Code, by name; kind: a StorageErrorCode by name; entity: what it is about; rows: row of the request ->
    what is wrong with it.
    """

    def __init__(self, code: str, message: str, kind: str | None = None, entity: str = "", rows: dict[int, str] | None = None):
        super().__init__(message)
        self.code, self.message, self.kind, self.entity, self.rows = code, message, kind, entity, rows or {}

    @property
    def storage_error(self):
        return StorageError(code=self.kind, entity=self.entity, error_message=self.message)

    @property
    def status(self) -> status_pb2.Status:
        status = status_pb2.Status(code=code_pb2.Code.Value(self.code), message=self.message)
        if self.kind:
            detail = any_pb2.Any()
            detail.Pack(self.storage_error)
            status.details.append(detail)
        return status

    @property
    def row_errors(self) -> list:
        return [RowError(index=index, code="FIELDS_ERROR", message=message) for index, message in sorted(self.rows.items())]


def status(error: Exception, what: str) -> status_pb2.Status:
    """The status that an exception means. A fault of the emulator itself is UNIMPLEMENTED, which no client tries again."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, duckdb.Error):
        error = runtime_error(error)
    if not isinstance(error, ApiError):
        log.error("%s failed", what, exc_info=error)
        error = ApiError("emulatorFault", f"A fault of the embedded BigQuery: {type(error).__name__}: {error}")
    name = "UNIMPLEMENTED" if error.reason == "emulatorFault" else REASONS[error.reason][1]
    return status_pb2.Status(code=code_pb2.Code.Value(name), message=error.message)
