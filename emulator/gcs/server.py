"""The HTTP server of the embedded Cloud Storage: requests are read, answered, and the answers go out."""
from __future__ import annotations

import json
import logging
import re
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..errors import ApiError
from ..rest import stranger
from ..storage import Storage
from .calls import Reply, answer, phrase, unzipped

log = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, storage: Storage, host: str, port: int):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)
        self.storage, self.host = storage, host


class Handler(BaseHTTPRequestHandler):
    """One connection. A request is read whole before it is answered, so that a slow or broken one holds up nobody."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_request(self) -> None:
        body = self.read_body()
        if body is None:
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        verb = headers.get("x-http-method-override", self.command).upper()
        try:
            self.refuse_strangers()
            if body and headers.get("content-encoding") == "gzip" and "upload_id" not in self.path:
                body = unzipped(body)
            base = f"http://{self.headers['Host']}"
            reply = answer(self.server.storage, "GET" if verb == "HEAD" else verb, self.path, headers, body, base)
        except ApiError as error:
            reply = Reply(error.code, json.dumps(error.body).encode(), {"Content-Type": "application/json; charset=UTF-8"})
        except Exception as error:
            log.exception("%s %s failed", self.command, self.path)
            fault = ApiError("emulatorFault", f"A fault of the embedded Cloud Storage: {type(error).__name__}: {error}")
            reply = Reply(fault.code, json.dumps(fault.body).encode(), {"Content-Type": "application/json; charset=UTF-8"})
        self.send(reply, "HEAD" in (verb, self.command))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def read_body(self) -> bytes | None:
        """The request's body; None where it can't be read, which has then been answered."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.read_chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            self.close_connection = True
            self.send_error(400, f"Invalid Content-Length: {length}")
            return None
        return self.rfile.read(int(length))

    def read_chunks(self) -> bytes | None:
        chunks = []
        while size := self.rfile.readline().split(b";")[0].strip():
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
                self.close_connection = True
                self.send_error(400, "Invalid chunk size")
                return None
            if not int(size, 16):
                break
            chunks.append(self.rfile.read(int(size, 16)))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def refuse_strangers(self) -> None:
        """ApiError for a web page: of another origin, or under a name of its own for this address."""
        host = self.headers.get("Host", "")
        if refused := stranger(host, self.server.host, self.headers.get("Origin")):
            raise ApiError("forbidden", refused)

    def send(self, reply: Reply, head: bool) -> None:
        start, length = reply.part
        # Open before the headers go out: once the lock is free, the object may be overwritten.
        source = reply.file.open("rb") if reply.file else None
        self.send_response(reply.status, phrase(reply.status))
        for name, value in reply.headers.items():
            self.send_header(name, re.sub(r"[\x00-\x1f\x7f]", " ", value).encode("utf-8").decode("latin-1"))
        self.send_header("Content-Length", str(length if source else len(reply.content)))
        self.end_headers()
        if source and not head:
            with source:
                source.seek(start)
                while length and (chunk := source.read(min(length, 1 << 20))):
                    self.wfile.write(chunk)
                    length -= len(chunk)
        elif not head:
            self.wfile.write(reply.content)

    def log_message(self, *_) -> None:
        """Nothing: the standard library's would write to stderr."""
