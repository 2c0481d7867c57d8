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
import json
import mimetypes
import re
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
from lab.record import Record, Records, hint
from reloader import Reloader

WORKERS = 64  # requests that can run at once
MAX_BODY = 16 * 1024 * 1024
DRAINED = 1 << 32  # of a body that is too large, how much is read and dropped before the connection is closed
PATIENCE = 10  # seconds that a request waits for an engine that is down
CLASS = "my_bigquery_client"
PAGE = ROOT / "AngularApp" / "dist" / "browser"
DEVELOPMENT = {"http://localhost:4200", "http://127.0.0.1:4200"}  # ng serve


POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
          "base-uri 'self'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types angular")
HASHED = re.compile(r"-[A-Za-z0-9_-]{8}\.(js|css)$")  # a name that changes with what the file holds


class LearnersError(Exception):
    """`execute` raised something; the message is the text that the learner sees."""


class GivenUp(Exception):
    """The page has cancelled the request."""


class EngineGone(Exception):
    """The engine went down under a request and did not come back in time."""


class Lab:
    """What the handlers share: the learner's live object, the engine, the live stream."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.reloader = Reloader(options.tables, CLASS, self.reloaded, poll=options.poll or None)
        self.live = live.Live(self.snapshot)
        self.records = Records(self.live.publish)
        self.output = live.capture(self.printed)
        self.engine = None if options.cloud else Engine(
            options.data_dir.resolve(), options.project, options.cache_dir, lambda state: self.live.publish("engine", {"state": state}))
        self.pool = ThreadPoolExecutor(WORKERS, "request")
        self.questions = ThreadPoolExecutor(4, "question")
        self.running = 0
        self.waiting: dict[int, asyncio.Future] = {}  # requests that can be given up
        self.loop = asyncio.get_running_loop()
        self.told: dict = {}  # the last reload's event

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
        self.told = {"changed": event["changed"], "seconds": event["seconds"], "total_ms": round(sum(event["seconds"].values()) * 1000, 3)}
        self.live.publish("reloaded", self.serving() | self.told)

    def serving(self) -> dict:
        """What new requests get, as the page is told."""
        version, env = self.reloader.version, env_of(self.reloader.target)
        return {"version": version.number if version else None, "hash": version.digest if version else None, "operation": self.operation,
                "on": [name for name, on in env.items() if on], "operations": list(env)}

    def snapshot(self) -> dict:
        """What a page that has just opened needs to know."""
        return self.serving() | {
            "broken": self.reloader.report, "engine": self.engine.state if self.engine else "cloud", "addresses": self.engine.ready if self.engine else {},
            "project": os.environ.get("GOOGLE_CLOUD_PROJECT"), "cloud": self.options.cloud, "file": self.name, "boot": self.records.boot,
            "running": [{"request": record.request, "operation": record.operation, "client": record.client} for record in self.records.running()]} | self.told

    def printed(self, name: str, event: dict) -> None:
        self.records.printed(event)
        self.live.publish(name, event)

    async def execute(self, record: Record) -> str:
        """Run `execute` on a worker thread; its answer as text. LearnersError for any exception of it, GivenUp, EngineGone."""
        context = contextvars.copy_context()
        context.run(live.request_id.set, record.request)
        gone = self.waiting[record.request] = self.loop.create_future()
        work = self.loop.run_in_executor(self.pool, context.run, self._run, record)
        self.running += 1
        work.add_done_callback(self._ended)
        try:
            # Google's client asks an engine that is gone again and again for ten minutes; the page need not wait with it.
            while not (await asyncio.wait({work, gone}, timeout=1, return_when=asyncio.FIRST_COMPLETED))[0]:
                if self.engine and self.engine.down_for() > PATIENCE:
                    raise EngineGone
        finally:
            del self.waiting[record.request]
        if gone.done():
            raise GivenUp
        return work.result()

    def _ended(self, work: asyncio.Future) -> None:
        self.running -= 1
        work.exception()  # looked at, even if nobody waits for it any more

    def _run(self, record: Record) -> str:
        """One request, on one version of the learner's file from its start to its end."""
        record.began = time.perf_counter()
        with self.reloader.lease() as world:
            record.operation, record.version, record.hash = operation_of(world.target), world.version.number, world.version.digest
            self.live.publish("started", {name: getattr(record, name) for name in ("request", "client", "operation", "version", "hash")})
            try:
                with record.stoppable():
                    answer = world.target.execute(record.data)
                    if inspect.isawaitable(answer):
                        answer = asyncio.run(_awaited(answer))
                record.kind = "text" if isinstance(answer, str) else "json"
                record.answer = text = as_text(answer)
                self.finish(record, "done")
                return text
            except BaseException as error:  # sys.exit() in execute is the learner's mistake, not the server's end
                report = self.reloader.explain(error)
                record.error = report | {"hint": hint(report["kind"])}
                self.finish(record, "failed")
                raise LearnersError(report["traceback"]) from None

    def finish(self, record: Record, status: str) -> bool:
        """Say that a request has ended, once; False where it had already."""
        self.output.end_line(record.request)
        if not record.end(status):
            return False
        self.live.publish("finished", {name: getattr(record, name) for name in ("request", "client", "status", "ms")})
        return True

    def give_up(self, record: Record) -> bool:
        """Answer a request now, whatever it is at, and ask its thread to stop; False where it has ended."""
        if not self.finish(record, "cancelled"):
            return False
        gone = self.waiting.get(record.request)
        if gone:
            self.loop.call_soon_threadsafe(lambda: gone.done() or gone.set_result(None))
        record.stop()
        return True


def summary(changed: dict[str, list[str]]) -> str:
    """What a reload changed, for the terminal."""
    return "".join(f"; {what} {', '.join(names[:5])}{' and more' if len(names) > 5 else ''}" for what, names in changed.items() if names)


def operation_of(target) -> str | None:
    """The first key of env that is True."""
    return next((name for name, on in env_of(target).items() if on), None)


def env_of(target) -> dict:
    env = getattr(target, "env", None)
    return env if isinstance(env, dict) else {}


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
            self.set_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
            self.set_header("Access-Control-Allow-Headers", "Content-Type, X-Lab-Client")
            self.set_header("Access-Control-Expose-Headers", "X-Lab-Request, X-Lab-Version, X-Lab-Hash")
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
        self.set_header("Cache-Control", "no-cache")
        protect(self)
        self.finish(compressed(self, built if built.exists() else ROOT / "lab" / "page.html").read_bytes())

    async def post(self) -> None:
        data = self.read()
        if data is None or not self.serving():
            return
        client = self.request.headers.get("X-Lab-Client")
        record = self.lab.records.begin(data, client and client[:64])
        try:
            answer = await self.lab.execute(record)
        except GivenUp:
            self.identify(record)
            self.refuse(409, f"Request {record.request} was cancelled.")
        except LearnersError as error:
            self.identify(record)
            print(error, file=sys.stderr, end="")
            self.refuse(500, str(error))
        except EngineGone:
            self.lab.give_up(record)
            self.refuse(503, "The embedded BigQuery went down during the request and did not come back. See the backend's output.")
        else:
            self.identify(record)
            self.answer(answer)

    def identify(self, record: Record) -> None:
        """Which request this was, and which version answered it."""
        self.set_header("X-Lab-Request", str(record.request))
        if record.version:
            self.set_header("X-Lab-Version", str(record.version))
            self.set_header("X-Lab-Hash", record.hash)

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


class QuestionHandler(Guarded):
    """/lab/...: what the page asks besides; see lab/questions.py."""

    def options(self, path: str) -> None:
        self.set_status(204)

    async def get(self, path: str) -> None:
        await self.ask(path, {})

    async def post(self, path: str) -> None:
        try:
            body = json.loads(self.request.body or b"{}")
        except ValueError as error:
            return self.refuse(400, f"The request is not JSON: {error}.")
        if not isinstance(body, dict):
            return self.refuse(400, "Send a JSON object.")
        await self.ask(path, body)

    async def ask(self, path: str, body: dict) -> None:
        # Google's client is imported while the engine starts; an import here would make the start longer.
        from lab import questions
        if self.lab.engine and self.lab.engine.state != "up" and not path.startswith(("requests", "diff", "reset")):
            return self.refuse(503, f"The embedded BigQuery is {self.lab.engine.state}; it comes up by itself. Try again in a moment.")
        arguments = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        context = contextvars.copy_context()
        try:
            answer = await self.lab.loop.run_in_executor(
                self.lab.questions, context.run, questions.ask, self.lab, self.request.method, path, arguments, body)
        except questions.Refused as refused:
            return self.refuse(refused.code, str(refused))
        if isinstance(answer, str):
            return self.answer(answer)
        self.set_status(202 if path.endswith("/cancel") else 200)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json.dumps(answer, default=str, ensure_ascii=False).encode("utf-8", "replace"))


class PageHandler(Guarded, tornado.web.StaticFileHandler):
    """The built page's other files."""

    def initialize(self, lab: Lab) -> None:
        Guarded.initialize(self, lab)
        tornado.web.StaticFileHandler.initialize(self, str(PAGE))

    def prepare(self) -> None:
        Guarded.prepare(self)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        found = super().validate_absolute_path(root, absolute_path)
        return found and super().validate_absolute_path(root, str(compressed(self, Path(found))))  # again: Tornado keeps the size it sees there

    def get_content_type(self) -> str:
        kind = mimetypes.guess_type(re.sub(r"\.(br|gz)$", "", self.absolute_path))[0]
        return kind or "application/octet-stream"

    def set_extra_headers(self, path: str) -> None:
        protect(self)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if HASHED.search(path) else "no-cache")


def protect(handler: tornado.web.RequestHandler) -> None:
    """The headers of the page: it runs its own scripts only, and is nobody's frame."""
    handler.set_header("Content-Security-Policy", POLICY)
    handler.set_header("Referrer-Policy", "no-referrer")
    handler.set_header("Cross-Origin-Opener-Policy", "same-origin")


def compressed(handler: tornado.web.RequestHandler, path: Path) -> Path:
    """The file that was compressed when the page was built, where the browser takes it."""
    handler.set_header("Vary", "Origin, Accept-Encoding")
    accepted = {part.partition(";")[0].strip() for part in handler.request.headers.get("Accept-Encoding", "").split(",")}
    for encoding, ending in (("br", ".br"), ("gzip", ".gz")):
        aside = path.with_name(path.name + ending)
        if encoding in accepted and aside.exists():
            handler.set_header("Content-Encoding", encoding)
            return aside
    return path


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
    application = tornado.web.Application([(r"/", MainHandler, parts), (r"/live", LiveHandler, parts),
                                           (r"/lab/(.*)", QuestionHandler, parts), (r"/(.+)", PageHandler, parts)],
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
    lab.records.watch_calls()
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
