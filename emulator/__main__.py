"""`python -m emulator`: flags, open the lake, serve, print one ready line."""
from __future__ import annotations

import argparse
import asyncio
import errno
import gc
import json
import os
import signal
import sys
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

DESCRIPTION = """An embedded BigQuery. Google's clients reach it through BIGQUERY_EMULATOR_HOST and STORAGE_EMULATOR_HOST.
When it listens it prints one JSON line: {"bigquery": URL, "storage": URL, "grpc": URL, "project": ..., "credentials": FILE,
"user_credentials": FILE, "grpc_roots": FILE}; the second file is for Node.
`python -m emulator load TABLE FILE` brings data into the public project."""
# A statement is walked to the depth that its expressions are nested, and a chain of operators is nested as deep as it is long: how many
# frames of Python that may take, and the bytes of a thread's stack that they fit into (of which only those that are used are ever taken).
FRAMES, STACK = 6000, 64 << 20


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m emulator", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on, and the only name beside localhost that it answers to (default %(default)s)")
    parser.add_argument("--port", type=port, default=9050, help="port of the BigQuery API, 0 for a free one (default %(default)s)")
    parser.add_argument("--storage-port", type=port, default=9023, help="port of Cloud Storage, 0 for a free one (default %(default)s)")
    parser.add_argument("--grpc-port", type=port, default=9060, help="port of the Storage API, 0 for a free one (default %(default)s)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data-dir", type=Path, default=Path(".bigquery"), help="folder that keeps everything (default %(default)s)")
    where.add_argument("--in-memory", action="store_true", help="keep nothing: all is gone at the end")
    parser.add_argument("--project", default="lab-project", help="the project of callers who name none (default %(default)s)")
    parser.add_argument("--writable-public-data", action="store_true", help="let clients write to project bigquery-public-data")
    parser.add_argument("--seed", type=Path, action="append", default=[], metavar="FOLDER",
                        help="begin with what is in the folder: [project/]dataset/table.csv and the like, and .sql; may be repeated")
    parser.add_argument("--cache-dir", type=Path, help="where Google's analyzer is kept compiled")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input does: with the process that started it")
    return parser.parse_args(argv)


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{number} is no port: 0 to 65535 are")
    return number


def load_analyzer(cache_dir: Path | None) -> Future:
    """Load Google's analyzer beside the rest of the start; most calls don't need it."""
    future: Future = Future()

    def work() -> None:
        try:
            from .googlesql import GoogleSQL, default_cache_dir
            future.set_result(GoogleSQL(cache_dir or default_cache_dir()))
        except BaseException as error:
            future.set_exception(error)
    threading.Thread(target=work, name="analyzer", daemon=True).start()
    return future


def open_emulator(options: argparse.Namespace):
    """Everything but the sockets."""
    analyzer = load_analyzer(options.cache_dir)
    from . import public_data
    from .calls import Emulator
    from .googlesql import register
    from .jobs import Jobs
    from .lake import Lake
    from .sessions import Sessions
    from .storage import Storage
    data_dir = None if options.in_memory else options.data_dir.resolve()
    lake = Lake(data_dir, register)
    public_data.add(lake)
    storage = Storage(None if options.in_memory else lake.path / "storage", options.project)
    public_data.add_bucket(storage, options.writable_public_data)
    return Emulator(lake=lake, storage=storage, jobs=Jobs(lake), sessions=Sessions(lake), analyzer=analyzer, project=options.project,
                    principal=f"lab@{options.project}.iam.gserviceaccount.com", writable_public_data=options.writable_public_data)


def write_credentials(emulator) -> Path:
    """A throw-away service account whose tokens this emulator hands out; its key signs nothing of worth."""
    path = emulator.lake.path / "credentials.json"
    key = json.loads(path.read_text())["private_key"] if path.exists() else private_key()
    path.touch(mode=0o600)
    path.write_text(json.dumps({
        "type": "service_account", "project_id": emulator.project, "private_key_id": "embedded", "private_key": key,
        "client_email": emulator.principal, "client_id": "1", "token_uri": f"{emulator.url}/token"}))
    return path


def write_user_credentials(emulator) -> Path:
    """The same caller for clients that ask Google for a service account's token whatever its token_uri says (Node's):
    as this kind of user they ask the token_url. Its refresh token is the caller's address."""
    path = emulator.lake.path / "user-credentials.json"
    path.write_text(json.dumps({
        "type": "external_account_authorized_user", "audience": "", "client_id": "embedded", "client_secret": "embedded",
        "refresh_token": emulator.principal, "token_url": f"{emulator.url}/token"}))
    return path


def private_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def listen(emulator, options: argparse.Namespace):
    """Open the ports: the server of BigQuery's API, and what clients need to know of all; Failure where one is taken."""
    from tornado.httpserver import HTTPServer
    from tornado.netutil import bind_sockets
    from tornado.web import Application

    from .door import Door, write_certificate
    from .googlesql import default_cache_dir
    from .rest import ApiHandler, DiscoveryHandler, NotFoundHandler, TokenHandler
    from .uploads import UploadHandler
    with opening(options, "port"):
        sockets = bind_sockets(options.port, options.host)
    shown = f"[{options.host}]" if ":" in options.host else options.host
    emulator.url = f"http://{shown}:{sockets[0].getsockname()[1]}"
    parts = {"emulator": emulator}
    application = Application([
        (r"/(?:resumable/)?upload/bigquery/v2/(.*)", UploadHandler, parts),
        # Node's client leaves out the prefix when it talks to an emulator.
        (r"/(?:bigquery/v2/)?(projects.*)", ApiHandler, parts),
        (r"/token", TokenHandler, parts),
        (r"/discovery/v1/apis/bigquery/v2/rest|/\$discovery/rest", DiscoveryHandler, parts),
    ], default_handler_class=NotFoundHandler, default_handler_args=parts, log_function=lambda handler: None)
    # Bodies are streamed and bounded by the handlers.
    server = HTTPServer(application, max_body_size=1 << 40)
    server.add_sockets(sockets)
    with opening(options, "storage_port"):
        storage_port = emulator.storage.start(options.host, options.storage_port)
    certificates = options.cache_dir or default_cache_dir()
    with opening(options, "grpc_port"):
        door = Door(options.host, options.grpc_port, lambda: open_storage_api(emulator, certificates))
    return server, {"bigquery": emulator.url, "storage": f"http://{shown}:{storage_port}", "grpc": f"http://{shown}:{door.port}",
                    "grpc_roots": str(write_certificate(certificates))}


@contextmanager
def opening(options: argparse.Namespace, name: str) -> Iterator[None]:
    """Failure, which names the flag, where a port can't be opened."""
    from .load import Failure
    try:
        yield
    except OSError as error:
        flag = "--host" if error.errno != errno.EADDRINUSE else f"--{name.replace('_', '-')}, or 0 for a free one"
        raise Failure(f"The emulator can't listen on {options.host}:{getattr(options, name)}: {error.strerror or error}. "
                      f"Choose another {flag}.") from None


def open_storage_api(emulator, certificates: Path):
    """Only once a client wants it: gRPC and Arrow take time to load."""
    from .storage_api.server import open_server
    return open_server(emulator, certificates)


async def serve(options: argparse.Namespace) -> None:
    sys.setrecursionlimit(FRAMES)
    threading.stack_size(STACK)
    emulator = open_emulator(options)
    server, urls = listen(emulator, options)
    ready = urls | {"project": emulator.project, "credentials": str(write_credentials(emulator)), "user_credentials": str(write_user_credentials(emulator))}
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if options.exit_with_stdin:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), loop.call_soon_threadsafe(stop.set)), daemon=True).start()
    if options.seed:
        await plant(emulator, options.seed, stop)
    print(json.dumps(ready), flush=True)
    gc.freeze()  # what is there now stays: collections need not look through it again and again
    housekeeping = asyncio.create_task(keep_house(emulator))
    await stop.wait()
    housekeeping.cancel()
    server.stop()
    await server.close_all_connections()
    await loop.run_in_executor(None, close, emulator)


async def plant(emulator, folders: list[Path], stop: asyncio.Event) -> None:
    """Bring in the folders' tables, through the REST API as a client would; the public project takes them, too."""
    from . import seed
    writable, emulator.writable_public_data = emulator.writable_public_data, True
    work = asyncio.get_running_loop().run_in_executor(None, seed.plant, emulator.url, emulator.project, folders)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
    if not stopped.done():
        await work
    stopped.cancel()
    emulator.writable_public_data = writable


async def keep_house(emulator) -> None:
    """What nobody waits for: expired tables, old results, snapshots out of reach."""
    from . import tables
    while True:
        await asyncio.sleep(60)
        await asyncio.get_running_loop().run_in_executor(emulator.pool, tables.drop_expired, emulator.lake)
        await asyncio.get_running_loop().run_in_executor(emulator.pool, emulator.jobs.sweep)
        await asyncio.get_running_loop().run_in_executor(emulator.pool, emulator.sessions.sweep)
        await asyncio.get_running_loop().run_in_executor(emulator.pool, emulator.lake.maintain)


def close(emulator) -> None:
    emulator.jobs.close()
    emulator.sessions.close()
    emulator.storage.stop()
    emulator.lake.close()


def main(argv: list[str]) -> None:
    if argv[:1] == ["load"]:
        from .load import main as load
        sys.exit(load(argv[1:]))
    options = parse(argv)
    from .lake import DataDirInUse
    from .load import Failure
    failure = None
    try:
        asyncio.run(serve(options))
    except (DataDirInUse, Failure) as error:
        failure = str(error)
    except OSError as error:
        if not error.filename:
            raise
        failure = f"The emulator can't keep its data in {error.filename}: {error.strerror}. Choose another folder with --data-dir."
    if failure:
        print(failure, file=sys.stderr)
    # Worker threads may still be in a request of a client that is gone, and one reads standard input.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if failure else 0)


def command() -> None:
    """The console script `bigquery-emulator`."""
    main(sys.argv[1:])


if __name__ == "__main__":
    command()
