"""The lab's backend: takes the page's JSON, calls `execute` of the live object, and tells the page what happens."""
from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# Packages that were installed with `pip install --target site-packages`.
if (ROOT / "site-packages").is_dir():
    sys.path.insert(1, str(ROOT / "site-packages"))

import argparse
import asyncio
import contextvars
import inspect
import itertools
import json
import signal
import threading
import time
import webbrowser
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket

from lab import live
from lab.engine import Engine, EngineFailed, forget_engine
from reloader import Reloader

WORKERS = 64  # requests that can run at once
MAX_BODY = 16 * 1024 * 1024
PAGE = ROOT / "AngularApp" / "dist" / "browser"
DEVELOPMENT = {"http://localhost:4200", "http://127.0.0.1:4200"}  # ng serve


class Lab:
    """What the handlers share: the learner's live object, the engine, the live stream."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.reloader = Reloader(options.tables, self.notify)
        self.live = live.Live(self.snapshot)
        self.engine = None if options.cloud else Engine(
            options.data_dir.resolve(), options.project, options.cache_dir, lambda state: self.notify("engine", {"state": state}))
        self.pool = ThreadPoolExecutor(WORKERS, "request")
        self.numbers = itertools.count(1)

    def notify(self, name: str, event: dict) -> None:
        if name == "broken":
            print(f"{event['file']}:{event['line'] or ''}: {event['message']}. The last good version goes on.", file=sys.stderr)
        elif name == "reloaded" and event["version"] > 1:
            print(f"Reloaded {self.reloader.path.name}: version {event['version']}.", file=sys.stderr)
        self.live.publish(name, event)

    def snapshot(self) -> dict:
        """What a page that has just opened needs to know."""
        reloader = self.reloader
        return {"version": reloader.version, "operation": reloader.operation, "broken": vars(reloader.broken) if reloader.broken else None,
                "engine": self.engine.state if self.engine else "cloud", "project": os.environ.get("GOOGLE_CLOUD_PROJECT")}

    async def execute(self, data: dict) -> str:
        """Run `execute` on a worker thread; its answer as text. Any exception of it is raised."""
        number, began = next(self.numbers), time.perf_counter()
        self.live.publish("started", {"request": number, "operation": self.reloader.operation, "version": self.reloader.version})
        status = "failed"
        try:
            context = contextvars.copy_context()
            context.run(live.request_id.set, number)
            answer = await asyncio.get_running_loop().run_in_executor(self.pool, context.run, self._call, data)
            status = "done"
            return answer
        finally:
            self.live.publish("finished", {"request": number, "status": status, "ms": round((time.perf_counter() - began) * 1000, 3)})

    def _call(self, data: dict) -> str:
        try:
            answer = self.reloader.instance.execute(data)
            if inspect.isawaitable(answer):
                answer = asyncio.run(_awaited(answer))
            return as_text(answer)
        except Exception:
            raise
        except BaseException as error:  # sys.exit() in execute is the learner's mistake, not the server's end
            raise Ended(error) from error


class Ended(Exception):
    """`execute` raised what would end a program: SystemExit, KeyboardInterrupt."""


async def _awaited(answer):
    return await answer


def as_text(answer) -> str:
    """What `execute` returned as the page gets it; TypeError for what can't be shown."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, (dict, list)):
        return json.dumps(answer, default=str)
    raise TypeError(f"execute returned {type(answer).__name__}; return a string, a dict or a list")


class Guarded(tornado.web.RequestHandler):
    """Answers only this machine's own pages: this server runs code, and any web page could try to call it."""

    def initialize(self, lab: Lab) -> None:
        self.lab = lab

    def prepare(self) -> None:
        host = self.request.host_name if not self.request.host.startswith("[") else self.request.host.partition("]")[0] + "]"
        if host.lower() not in {"localhost", "127.0.0.1", "[::1]", self.lab.options.address}:
            self.refuse(403, f"This server does not answer to the name {host}.")
        elif not self.allowed(self.request.headers.get("Origin")):
            self.refuse(403, f"This server does not answer pages of {self.request.headers['Origin']}.")

    def allowed(self, origin: str | None) -> bool:
        return origin is None or origin in DEVELOPMENT or urlsplit(origin).netloc == self.request.host

    def refuse(self, code: int, sentence: str) -> None:
        self.set_status(code)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(sentence)

    def set_default_headers(self) -> None:
        origin = self.request.headers.get("Origin")
        if origin in DEVELOPMENT:
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Methods", "POST, OPTIONS")
            self.set_header("Access-Control-Allow-Headers", "Content-Type")
        self.set_header("Vary", "Origin")
        self.set_header("X-Content-Type-Options", "nosniff")


@tornado.web.stream_request_body
class MainHandler(Guarded):
    """POST / runs the learner's code; GET / is the page."""

    def initialize(self, lab: Lab) -> None:
        super().initialize(lab)
        self.chunks: list[bytes] = []
        self.size = 0

    def data_received(self, chunk: bytes) -> None:
        # Too much is read and dropped: a client that is still sending can't read an answer.
        self.size += len(chunk)
        if self.size <= MAX_BODY:
            self.chunks.append(chunk)
        else:
            self.chunks.clear()

    def options(self) -> None:
        self.set_status(204)

    def get(self) -> None:
        built = PAGE / "index.html"
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish((built if built.exists() else ROOT / "lab" / "page.html").read_bytes())

    async def post(self) -> None:
        data = self.read()
        if data is None or not self.serving():
            return
        try:
            answer = await self.lab.execute(data)
        except Exception as error:
            cause = error.__cause__ if isinstance(error, Ended) else error
            text = self.lab.reloader.format(cause)
            print(text, file=sys.stderr, end="")
            self.refuse(500, text)
        else:
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.finish(answer)

    def read(self) -> dict | None:
        """The request's JSON object; None where an error was answered."""
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.size > MAX_BODY:
            return self.refuse(413, f"The request is too large: {self.size} bytes; the most is {MAX_BODY}.")
        if kind != "application/json":
            return self.refuse(415, f"Send application/json, not {kind or 'a body without a Content-Type'}.")
        try:
            data = json.loads(b"".join(self.chunks))
        except (ValueError, RecursionError) as error:
            return self.refuse(400, f"The request is not JSON: {error}.")
        if not isinstance(data, dict):
            return self.refuse(400, f"The request is a JSON {type(data).__name__}; send an object like {{\"tableName\": \"...\"}}.")
        return data

    def serving(self) -> bool:
        """Whether there is code to run and an engine to run it on; else why not was answered."""
        lab = self.lab
        if lab.engine and lab.engine.state != "up":
            self.refuse(503, f"The embedded BigQuery is {lab.engine.state}; it is started again by itself. Try again in a moment.")
        elif lab.reloader.instance is None:
            broken = lab.reloader.broken
            self.refuse(503, f"No version of {lab.reloader.path.name} could be loaded yet. Correct it and save.\n\n{broken.traceback or broken.message}"
                        if broken else "The lab is starting. Try again in a moment.")
        else:
            return True
        return False


class LiveHandler(Guarded, tornado.websocket.WebSocketHandler):
    """GET /live: the live stream."""

    def check_origin(self, origin: str) -> bool:
        return self.allowed(origin)

    def open(self) -> None:
        self.lab.live.add(self)

    def on_close(self) -> None:
        self.lab.live.listeners.discard(self)


class PageHandler(Guarded, tornado.web.StaticFileHandler):
    """The built page's other files."""

    def initialize(self, lab: Lab) -> None:
        Guarded.initialize(self, lab)
        tornado.web.StaticFileHandler.initialize(self, str(PAGE))

    def prepare(self) -> None:
        Guarded.prepare(self)


# Start --------------------------------------------------------------------------------------------

def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("tornado_server.py", description="The backend of the BigQuery tables lab.")
    parser.add_argument("--port", type=int, default=3005, help="port to listen on, 0 for a free one (default %(default)s)")
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--tables", type=Path, default=ROOT / "tables.py", help="the file that you edit (default tables.py)")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".lab", help="what the embedded BigQuery keeps (default .lab)")
    parser.add_argument("--cache-dir", type=Path, help="where Google's analyzer is kept compiled")
    parser.add_argument("--project", default=None, help="the Google Cloud project (default lab-project; with --cloud, that of your credentials)")
    parser.add_argument("--cloud", action="store_true", help="use the real BigQuery, with your own credentials")
    parser.add_argument("--open", action=argparse.BooleanOptionalAction, default=can_open(), help="open the page in the browser")
    options = parser.parse_args(argv)
    options.project = options.project or (None if options.cloud else "lab-project")
    return options


def can_open() -> bool:
    """Whether a browser window can be shown: a terminal browser would take the terminal over."""
    return sys.stdout.isatty() and (sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")))


def use_cloud(project: str | None) -> None:
    """Point Google's client at the real BigQuery; SystemExit with a sentence where credentials or a project are missing."""
    forget_engine()
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    try:
        _, found = google.auth.default()
    except DefaultCredentialsError:
        sys.exit("--cloud needs your Google credentials. Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS "
                 "to a service account's key file.")
    if not (project or found):
        sys.exit("--cloud needs a Google Cloud project. Name it with --project, or set GOOGLE_CLOUD_PROJECT.")
    os.environ["GOOGLE_CLOUD_PROJECT"] = project or found


def listen(options: argparse.Namespace) -> list:
    try:
        return tornado.netutil.bind_sockets(options.port, options.address)
    except OSError as error:
        sys.exit(f"Can't listen on {options.address}:{options.port}: {error.strerror}. Choose another port with --port, or end the "
                 "program that uses this one.")


async def serve(options: argparse.Namespace, sockets: list) -> None:
    lab = Lab(options)
    live.capture(lab.live.publish)
    parts = {"lab": lab}
    application = tornado.web.Application([(r"/", MainHandler, parts), (r"/live", LiveHandler, parts), (r"/(.+)", PageHandler, parts)],
                                          websocket_ping_interval=20, log_function=lambda handler: None)
    server = tornado.httpserver.HTTPServer(application, max_body_size=1 << 32)
    server.add_sockets(sockets)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await start(lab, sockets[0].getsockname()[1])
        await stop.wait()
    except EngineFailed as error:
        sys.exit(str(error))
    finally:
        server.stop()
        lab.reloader.stop()
        if lab.engine:
            await lab.engine.stop()


async def start(lab: Lab, port: int) -> None:
    """Bring up the engine and the learner's file, then say where the page is."""
    loop = asyncio.get_running_loop()
    # Importing Google's client takes as long as the engine does: both at once.
    imported = threading.Thread(target=__import__, args=["google.cloud.bigquery"], daemon=True)
    imported.start()
    if lab.engine:
        await lab.engine.start()
    await loop.run_in_executor(None, imported.join)
    await loop.run_in_executor(None, lab.reloader.start)
    url = f"http://localhost:{port}" if lab.options.address == "127.0.0.1" else f"http://{lab.options.address}:{port}"
    print(f"The lab is at {url} (project {os.environ['GOOGLE_CLOUD_PROJECT']}, {'the real BigQuery' if lab.options.cloud else 'embedded BigQuery'}). "
          "Ctrl-C ends it.", flush=True)
    if lab.options.open:
        webbrowser.open(url)


def main(argv: list[str]) -> None:
    options = parse(argv)
    sockets = listen(options)
    if options.cloud:
        use_cloud(options.project)
    asyncio.run(serve(options, sockets))
    # Requests that are still running may wait for ever; they end with the process.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
