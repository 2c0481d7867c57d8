"""The port of the Storage API. Nothing of gRPC is loaded before the first client knocks.

A client that is told of an address speaks plain HTTP/2. One that knows of none, as `to_dataframe()` makes for itself, wants
bigquerystorage.googleapis.com, and is led here by gRPC's own variables: `grpc_proxy` makes it ask this port for a tunnel there,
and GRPC_DEFAULT_SSL_ROOTS_FILE_PATH makes it trust the certificate that it then meets. A tunnel leads to this machine only.
"""
from __future__ import annotations

import datetime as dt
import os
import re
import socket
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

from tornado.netutil import add_accept_handler, bind_sockets

SERVICE = ("bigquerystorage.googleapis.com", "bigquerystorage.mtls.googleapis.com")
LOOPBACK = re.compile(r"(localhost|127(?:\.\d+){3}|\[::1\]):(\d+)")
HEAD = 8192  # bytes of a request for a tunnel
PIECE = 1 << 20
OWN = "grpc.pem"


class Inside(NamedTuple):
    """Where the server itself listens, on loopback: ports for plain HTTP/2 and for TLS."""

    plain: int
    tls: int


class Door:
    """An open port. open_server: starts the server; called when the first client comes."""

    def __init__(self, host: str, port: int, open_server: Callable[[], Inside]):
        self._sockets = bind_sockets(port, host)
        self.port: int = self._sockets[0].getsockname()[1]
        self._open_server, self._lock, self._inside = open_server, threading.Lock(), None
        self._removers = [add_accept_handler(each, self._accept) for each in self._sockets]

    @property
    def inside(self) -> Inside:
        with self._lock:
            self._inside = self._inside or self._open_server()
            return self._inside

    def _accept(self, client: socket.socket, address) -> None:
        client.setblocking(True)
        threading.Thread(target=self._lead, args=(client,), name="storage-api-door", daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        """Connect a client with what it wants, until either side has said all."""
        with client, suppress(OSError):
            server = self._wanted(client)
            if server:
                with server:
                    back = threading.Thread(target=pump, args=(server, client), name="storage-api-door", daemon=True)
                    back.start()
                    pump(client, server)
                    back.join()

    def _wanted(self, client: socket.socket) -> socket.socket | None:
        if not client.recv(8, socket.MSG_PEEK).startswith(b"CONNECT "):
            return connect("127.0.0.1", self.inside.plain)
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD:
            head += client.recv(1) or b"\r\n\r\n"
        target = head.split(b" ", 2)[1].decode("latin-1")
        loopback = LOOPBACK.fullmatch(target)
        if not loopback and target.removesuffix(":443") not in SERVICE:
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return None
        server = connect(loopback[1].strip("[]"), int(loopback[2])) if loopback else connect("127.0.0.1", self.inside.tls)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return server

    def close(self) -> None:
        for remove, each in zip(self._removers, self._sockets):
            remove()
            each.close()


def connect(host: str, port: int) -> socket.socket:
    server = socket.create_connection((host, port))
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the source ends, and then end the target's input."""
    buffer = memoryview(bytearray(PIECE))
    with suppress(OSError):
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while size := source.recv_into(buffer):
            target.sendall(buffer[:size])
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


# The certificate ----------------------------------------------------------------------------------

def write_certificate(folder: Path) -> Path:
    """Make the server's key and certificate in a folder, unless they are there; the file of roots that a client is to trust.

    One certificate serves all emulators of a user: gRPC reads the roots but once in a process. The roots are those that a
    client trusts anyway, and this one: who talks to other services of Google still can.
    """
    import certifi
    folder.mkdir(parents=True, exist_ok=True)
    own, roots = folder / OWN, folder / "grpc-roots.pem"
    if not own.exists():
        with suppress(FileExistsError), written(folder, key_and_certificate()) as file:
            os.link(file, own)
    content = Path(certifi.where()).read_bytes() + b"\n" + read_certificate(folder)[1]
    if not roots.exists() or roots.read_bytes() != content:
        with written(folder, content) as file:
            os.replace(file, roots)
    return roots


@contextmanager
def written(folder: Path, content: bytes) -> Iterator[Path]:
    """A file of a name that is nobody else's, for the caller alone: several emulators may start at once."""
    handle, name = tempfile.mkstemp(dir=folder, prefix="grpc-")
    try:
        with open(handle, "wb") as file:
            file.write(content)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def read_certificate(folder: Path) -> tuple[bytes, bytes]:
    """Private key and certificate, as PEM."""
    key, mark, certificate = (folder / OWN).read_bytes().partition(b"-----BEGIN CERTIFICATE-----")
    return key, mark + certificate


def key_and_certificate() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "embedded BigQuery")])
    names = [x509.DNSName(each) for each in SERVICE]
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=3650))
                   .add_extension(x509.SubjectAlternativeName(names), critical=False)
                   .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, SHA256()))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
