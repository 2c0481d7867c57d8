"""The gRPC server: RPCS, the one place where an RPC is answered, who calls, and how an error is shown."""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import duckdb
import grpc
from google.cloud.bigquery_storage_v1 import types
from grpc_status import rpc_status

from ..calls import Emulator
from ..errors import ApiError
from ..rest import principal_of
from . import read, write
from ..door import Inside, read_certificate
from .errors import status

PACKAGE = "google.cloud.bigquery.storage.v1"
# A client may keep many streams open, and each has a thread; a thread is made when it is needed.
THREADS = 1000
OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0),
           # Clients ping idle connections, some of them often.
           ("grpc.http2.min_ping_interval_without_data_ms", 5000), ("grpc.keepalive_permit_without_calls", 1)]


class Rpc(NamedTuple):
    """kind: of the handler, as grpc names it; function: of a Caller and the request or, for stream_stream, the requests."""

    service: str
    function: Callable
    kind: str
    request: type
    response: type

    @property
    def name(self) -> str:
        return self.function.__name__


def rpc(service: str, function: Callable, kind: str, request: str, response: str) -> Rpc:
    return Rpc(service, function, kind, getattr(types, request).pb(), getattr(types, response).pb())


# Every RPC there is.
RPCS = [
    rpc("BigQueryRead", read.CreateReadSession, "unary_unary", "CreateReadSessionRequest", "ReadSession"),
    rpc("BigQueryRead", read.ReadRows, "unary_stream", "ReadRowsRequest", "ReadRowsResponse"),
    rpc("BigQueryRead", read.SplitReadStream, "unary_unary", "SplitReadStreamRequest", "SplitReadStreamResponse"),
    rpc("BigQueryWrite", write.CreateWriteStream, "unary_unary", "CreateWriteStreamRequest", "WriteStream"),
    rpc("BigQueryWrite", write.AppendRows, "stream_stream", "AppendRowsRequest", "AppendRowsResponse"),
    rpc("BigQueryWrite", write.GetWriteStream, "unary_unary", "GetWriteStreamRequest", "WriteStream"),
    rpc("BigQueryWrite", write.FinalizeWriteStream, "unary_unary", "FinalizeWriteStreamRequest", "FinalizeWriteStreamResponse"),
    rpc("BigQueryWrite", write.BatchCommitWriteStreams, "unary_unary", "BatchCommitWriteStreamsRequest", "BatchCommitWriteStreamsResponse"),
    rpc("BigQueryWrite", write.FlushRows, "unary_unary", "FlushRowsRequest", "FlushRowsResponse"),
]


class Caller:
    """Who sends an RPC, and until when it is waited for."""

    def __init__(self, emulator: Emulator, sessions: read.Sessions, streams: write.Streams, context: grpc.ServicerContext):
        self.emulator, self.sessions, self.streams, self._context = emulator, sessions, streams, context
        metadata = {key.lower(): value for key, value in context.invocation_metadata()}
        self.principal = principal_of(metadata.get("authorization"), emulator.principal)

    @property
    def lake(self):
        return self.emulator.lake

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor that ends with the RPC: a caller who has gone away is not worked for."""
        cursor = self.lake.cursor()
        if not self._context.add_callback(cursor.interrupt):
            raise ApiError("stopped", "The call was cancelled.")
        return cursor


def open_server(emulator: Emulator, certificates: Path) -> Inside:
    """Start the server on free ports of this machine. certificates: the folder of its own."""
    server = grpc.server(ThreadPoolExecutor(THREADS, "storage-api"), options=OPTIONS)
    sessions, streams = read.Sessions(), write.Streams(emulator.lake)

    def caller(context: grpc.ServicerContext) -> Caller:
        return Caller(emulator, sessions, streams, context)
    for service in {each.service for each in RPCS}:
        handlers = {each.name: handler(each, caller) for each in RPCS if each.service == service}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"{PACKAGE}.{service}", handlers),))
    inside = Inside(server.add_insecure_port("127.0.0.1:0"), server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([read_certificate(certificates)])))
    server.start()
    emulator.storage_api = server  # grpc ends a server that nobody holds
    return inside


def handler(each: Rpc, caller: Callable[[grpc.ServicerContext], Caller]) -> grpc.RpcMethodHandler:
    def one(request, context: grpc.ServicerContext):
        try:
            return each.function(caller(context), request)
        except Exception as error:
            fail(context, each, error)

    def many(request, context: grpc.ServicerContext) -> Iterator:
        try:
            yield from each.function(caller(context), request)
        except Exception as error:
            fail(context, each, error)
    made = getattr(grpc, f"{each.kind}_rpc_method_handler")
    return made(one if each.kind == "unary_unary" else many, each.request.FromString, each.response.SerializeToString)


def fail(context: grpc.ServicerContext, each: Rpc, error: Exception) -> None:
    """End an RPC with the status that an exception means."""
    if not context.is_active():
        return
    context.abort_with_status(rpc_status.to_status(status(error, each.name)))

