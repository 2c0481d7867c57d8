"""The lab's backend: takes the page's JSON, calls `execute` of the live object, and tells the page what happens."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
# Packages that were installed with `pip install --target site-packages`.
if (ROOT / "site-packages").is_dir():
    sys.path.insert(1, str(ROOT / "site-packages"))

import argparse
import asyncio
import contextlib
import contextvars
import gc
import inspect
import itertools
import json
import signal
import threading
import time
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket

from lab import live, memory
from lab.engine import Engine, EngineFailed, forget_engine
from reloader import Reloader

WORKERS = 64  # requests that can run at once
MAX_BODY = 16 * 1024 * 1024
DRAINED = 1 << 32  # of a body that is too large, how much is read and dropped before the connection is closed
PATIENCE = 10  # seconds that a request waits for an engine that is down
CLASS = "my_bigquery_client"
PAGE = ROOT / "AngularApp" / "dist" / "browser"
DEVELOPMENT = {"http://localhost:4200", "http://127.0.0.1:4200"}  # ng serve


class LearnersError(Exception):
    """`execute` raised something; the message is the text that the learner sees."""


class EngineGone(Exception):
    """The engine went down under a request and did not come back in time."""


class Lab:
    """What the handlers share: the learner's live object, the engine, the live stream."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.reloader = Reloader(options.tables, CLASS, self.reloaded, poll=options.poll or None)
        self.live = live.Live(self.snapshot)
        self.output = live.capture(self.live.publish)
        self.engine = None if options.cloud else Engine(
            options.data_dir.resolve(), options.project, options.cache_dir, lambda state: self.live.publish("engine", {"state": state}))
        self.pool = ThreadPoolExecutor(WORKERS, "request")
        self.numbers = itertools.count(1)
        self.running = 0

    @property
    def name(self) -> str:
        return os.path.basename(self.reloader.path)

    @property
    def operation(self) -> str | None:
        """The operation that a submit would run now."""
        return operation_of(self.reloader.target)

    def reloaded(self, event: dict) -> None:
        """Tell the terminal and the page what became of a save; called on the reloader's thread."""
        version = self.reloader.version
        if event["type"] == "reloading":
            self.live.publish("reloading")
            return
        if event["type"] == "broken":
            report = event["report"]
            serving = "The last good version goes on." if version else "Nothing serves yet."
            print(f"{report['traceback'].rstrip()}\n{self.name} has a mistake. {serving}", file=sys.stderr)
            self.live.publish("broken", report | {"version": version.number if version else None})
            return
        if version.number > 1:
            print(f"Reloaded {self.name} in {sum(event['seconds'].values()) * 1000:.0f} ms: version {version.number}, "
                  f"{self.operation or 'no operation'} is on{summary(event['changed'])}.", file=sys.stderr)
        self.live.publish("reloaded", {"version": version.number, "hash": version.digest, "operation": self.operation,
                                       "changed": event["changed"], "seconds": event["seconds"]})

    def snapshot(self) -> dict:
        """What a page that has just opened needs to know."""
        version = self.reloader.version
        return {"version": version.number if version else None, "hash": version.digest if version else None,
                "operation": self.operation, "broken": self.reloader.report,
                "engine": self.engine.state if self.engine else "cloud", "addresses": self.engine.ready if self.engine else {},
                "project": os.environ.get("GOOGLE_CLOUD_PROJECT")}

    async def execute(self, data: dict) -> str:
        """Run `execute` on a worker thread; its answer as text. LearnersError for any exception of it, EngineGone."""
        context = contextvars.copy_context()
        context.run(live.request_id.set, next(self.numbers))
        work = asyncio.get_running_loop().run_in_executor(self.pool, context.run, self._run, data)
        self.running += 1
        work.add_done_callback(self._ended)
        # Google's client asks an engine that is gone again and again for ten minutes; the page need not wait with it.
        while not (await asyncio.wait({work}, timeout=1))[0]:
            if self.engine and self.engine.down_for() > PATIENCE:
                raise EngineGone
        return work.result()

    def _ended(self, work: asyncio.Future) -> None:
        self.running -= 1
        work.exception()  # looked at, even if nobody waits for it any more

    def _run(self, data: dict) -> str:
        """One request, on one version of the learner's file from its start to its end."""
        began, status = time.perf_counter(), "failed"
        with self.reloader.lease() as world:
            number = {"request": live.request_id.get()}
            self.live.publish("started", number | {"operation": operation_of(world.target), "version": world.version.number})
            try:
                answer = world.target.execute(data)
                if inspect.isawaitable(answer):
                    answer = asyncio.run(_awaited(answer))
                text, status = as_text(answer), "done"
            except BaseException as error:  # sys.exit() in execute is the learner's mistake, not the server's end
                raise LearnersError(self.reloader.explain(error)["traceback"]) from None
            finally:
                self.output.end_line(number["request"])
                self.live.publish("finished", number | {"status": status, "ms": round((time.perf_counter() - began) * 1000, 3)})
        return text


def summary(changed: dict[str, list[str]]) -> str:
    """What a reload changed, for the terminal."""
    return "".join(f"; {what} {', '.join(names[:5])}{' and more' if len(names) > 5 else ''}" for what, names in changed.items() if names)


def operation_of(target) -> str | None:
    """The first key of env that is True."""
    env = getattr(target, "env", None)
    return next((name for name, on in env.items() if on), None) if isinstance(env, dict) else None


async def _awaited(answer):
    return await answer


def as_text(answer) -> str:
    """What `execute` returned as the page gets it; TypeError for what can't be shown."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, (dict, list)):
        return json.dumps(answer, default=str, ensure_ascii=False)
    raise TypeError(f"execute returned {'nothing' if answer is None else type(answer).__name__}; return a string, a dict or a list")


class Guarded(tornado.web.RequestHandler):
    """Answers only this machine's own pages: this server runs code, and any web page could try to call it."""

    def initialize(self, lab: Lab) -> None:
        self.lab = lab

    def prepare(self) -> None:
        if not self.is_own_name(self.request.host):
            self.refuse(403, f"This server does not answer to the name {self.request.host}; use http://localhost.")
        elif not self.allowed(self.request.headers.get("Origin")):
            self.refuse(403, f"This server does not answer pages of {self.request.headers['Origin']}.")

    def is_own_name(self, host: str) -> bool:
        """Whether a Host header names this server. An address can't be rebound to this machine as a name can."""
        name = host_name(host)
        return name in ("localhost", self.lab.options.address.lower()) or tornado.netutil.is_valid_ip(name)

    def allowed(self, origin: str | None) -> bool:
        return origin is None or origin in DEVELOPMENT or origin.lower() == f"{self.request.protocol}://{self.request.host.lower()}"

    def refuse(self, code: int, sentence: str) -> None:
        self.set_status(code)
        self.answer(sentence)

    def answer(self, text: str) -> None:
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(text.encode("utf-8", "replace"))  # half of a surrogate pair is a character in Python, not in UTF-8

    def write_error(self, status_code: int, **kwargs) -> None:
        self.answer(f"{status_code}: {self._reason}")

    def set_default_headers(self) -> None:
        origin = self.request.headers.get("Origin")
        if origin in DEVELOPMENT:
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Methods", "POST, OPTIONS")
            self.set_header("Access-Control-Allow-Headers", "Content-Type")
        self.set_header("Vary", "Origin")
        self.set_header("X-Content-Type-Options", "nosniff")


def host_name(host: str) -> str:
    """A Host header without its port, an IPv6 address without its brackets."""
    return (host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host).lower()


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
        except LearnersError as error:
            print(error, file=sys.stderr, end="")
            self.refuse(500, str(error))
        except EngineGone:
            self.refuse(503, "The embedded BigQuery went down during the request and did not come back. See the backend's output.")
        else:
            self.answer(answer)

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
            self.refuse(503, f"The embedded BigQuery is {lab.engine.state}; it comes up by itself. Try again in a moment.")
        elif lab.running >= WORKERS:
            self.refuse(503, f"{WORKERS} requests are at work already, and none has ended. If they wait for ever, start the lab again.")
        elif lab.reloader.version is None:
            report = lab.reloader.report
            self.refuse(503, f"No version of {lab.name} could be loaded yet. Correct it and save.\n\n{report['traceback']}"
                        if report else "The lab is starting. Try again in a moment.")
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
    parser.add_argument("--port", type=port_number, default=3005, help="port to listen on, 0 for a free one (default %(default)s)")
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--tables", type=Path, default=ROOT / "tables.py", help="the file that you edit (default tables.py)")
    parser.add_argument("--poll", action="store_true", help="look at the files ten times a second, for folders whose changes send no events")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".lab", help="what the embedded BigQuery keeps (default .lab)")
    parser.add_argument("--cache-dir", type=Path, help="where Google's analyzer is kept compiled")
    parser.add_argument("--project", default=None, help="the Google Cloud project (default lab-project; with --cloud, that of your credentials)")
    parser.add_argument("--cloud", action="store_true", help="use the real BigQuery, with your own credentials")
    parser.add_argument("--open", action=argparse.BooleanOptionalAction, default=can_open(), help="open the page in the browser")
    options = parser.parse_args(argv)
    if options.tables.is_dir() or not options.tables.absolute().parent.is_dir():
        parser.error(f"--tables names the file that you edit; {options.tables} can't be one")
    options.project = options.project or (None if options.cloud else "lab-project")
    return options


def port_number(text: str) -> int:
    if not (text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text} is no port: it is a number from 0 to 65535")
    return int(text)


def can_open() -> bool:
    """Whether a browser window can be shown: a terminal browser would take the terminal over."""
    return sys.stdout.isatty() and (sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")))


def use_cloud(project: str | None) -> None:
    """Point Google's client at the real BigQuery; SystemExit with a sentence where credentials or a project are missing."""
    forget_engine()
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    try:
        credentials, found = google.auth.default()
    except (GoogleAuthError, ValueError, OSError) as error:
        detail = str(error).partition("\n")[0].partition(". ")[0]
        sys.exit("--cloud needs your Google credentials. Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS "
                 f"to a service account's key file. ({detail})")
    if "://127.0.0.1" in (getattr(credentials, "_token_uri", None) or ""):
        sys.exit("--cloud needs your own Google credentials; GOOGLE_APPLICATION_CREDENTIALS names those of the embedded BigQuery. Unset it.")
    if not (project or found):
        sys.exit("--cloud needs a Google Cloud project. Name it with --project, or set GOOGLE_CLOUD_PROJECT.")
    os.environ["GOOGLE_CLOUD_PROJECT"] = project or found


def stay_alive() -> Callable[[int], NoReturn]:
    """Let os._exit() and os.abort() in the learner's file be errors, as sys.exit() is; the real os._exit."""
    end, server = os._exit, os.getpid()

    def leave(code: int = 1) -> NoReturn:
        if os.getpid() != server:  # a child that was forked ends itself so
            end(code)
        raise SystemExit(f"os._exit({code}) would have ended the lab")
    os._exit, os.abort = leave, leave
    return end


def listen(options: argparse.Namespace) -> list:
    try:
        return tornado.netutil.bind_sockets(options.port, options.address)
    except OSError as error:
        sys.exit(f"Can't listen on {options.address}:{options.port}: {error.strerror}. Choose another port with --port, or end the "
                 "program that uses this one.")


async def serve(options: argparse.Namespace, sockets: list) -> int:
    """Serve until told to stop; the process's exit code."""
    lab = Lab(options)
    parts = {"lab": lab}
    application = tornado.web.Application([(r"/", MainHandler, parts), (r"/live", LiveHandler, parts), (r"/(.+)", PageHandler, parts)],
                                          websocket_ping_interval=20, log_function=lambda handler: None)
    server = tornado.httpserver.HTTPServer(application, max_body_size=DRAINED)
    server.add_sockets(sockets)
    stop = asyncio.create_task(told_to_stop())
    starting = asyncio.create_task(start(lab, sockets[0].getsockname()[1]))
    try:
        await asyncio.wait({stop, starting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await stop
        return 0
    except EngineFailed as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        server.stop()
        if lab.engine:
            await lab.engine.stop()


async def told_to_stop() -> None:
    stop = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows: there Ctrl-C is a KeyboardInterrupt
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()


async def start(lab: Lab, port: int) -> None:
    """Bring up the engine and the learner's file, then say where the page is."""
    loop = asyncio.get_running_loop()
    # Importing Google's client takes as long as the engine does: both at once.
    imported = threading.Thread(target=__import__, args=["google.cloud.bigquery"], daemon=True)
    imported.start()
    if lab.engine:
        await lab.engine.start()
    await loop.run_in_executor(None, imported.join)
    gc.freeze()  # the libraries stay: a collection after a reload need not look at them
    await loop.run_in_executor(None, lab.reloader.start)
    url = f"http://localhost:{port}" if lab.options.address == "127.0.0.1" else f"http://{lab.options.address}:{port}"
    print(f"The lab is at {url} (project {os.environ['GOOGLE_CLOUD_PROJECT']}, {'the real BigQuery' if lab.options.cloud else 'embedded BigQuery'}). "
          "Ctrl-C ends it.", flush=True)
    if lab.options.open:
        webbrowser.open(url)


def main(argv: list[str]) -> None:
    options = parse(argv)
    sockets = listen(options)
    sys.stdin = open(os.devnull)  # input() in the learner's file is an error, not a wait without end
    memory.limit()
    end = stay_alive()
    if options.cloud:
        use_cloud(options.project)
    try:
        code = asyncio.new_event_loop().run_until_complete(serve(options, sockets))
    except KeyboardInterrupt:
        code = 130
    # Requests that are still running may wait for ever, and so may the learner's file: they end with the process.
    sys.stdout.flush()
    end(code)


if __name__ == "__main__":
    main(sys.argv[1:])
