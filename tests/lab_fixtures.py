"""A running lab: the real server with its engine, its live stream, and a learner's file that tests edit."""
from __future__ import annotations

import asyncio
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import requests
from tornado.websocket import websocket_connect

from conftest import ROOT

WAIT = 30  # seconds for what takes a moment; only a failure takes as long
OUTSIDE = ("BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS", "grpc_proxy",
           "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")


class LiveStream:
    """A page's end of GET /live: events are kept until a test asks for them."""

    def __init__(self, url: str):
        self.events: queue.Queue = queue.Queue()
        self._loop = asyncio.new_event_loop()
        self._url = url.replace("http", "ws", 1) + "/live"
        threading.Thread(target=self._loop.run_until_complete, args=[self._listen()], daemon=True).start()
        self.snapshot = self.wait("snapshot")

    async def _listen(self) -> None:
        connection = await websocket_connect(self._url)
        while (message := await connection.read_message()) is not None:
            self.events.put(json.loads(message))

    def wait(self, *names: str, **wanted) -> dict:
        """The next event of one of these names with these values; what comes before it is dropped."""
        while True:
            event = self.events.get(timeout=WAIT)
            if event["event"] in names and all(event[key] == value for key, value in wanted.items()):
                return event


class Lab:
    """The server as a process. url: where it answers; tables: the learner's file; live: its event stream."""

    def __init__(self, process: subprocess.Popen, url: str, tables: Path):
        self.process, self.url, self.tables = process, url, tables
        self.live = LiveStream(url)

    def post(self, data=None, **kwargs) -> requests.Response:
        return requests.post(self.url, json=data if data is not None else {}, timeout=WAIT, **kwargs)

    def submit(self, **data) -> str:
        """What the page shows after a press of Submit."""
        answer = self.post(data)
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain"), answer.text
        return answer.text

    def save(self, source: str | bytes) -> dict:
        """Write the learner's file; the event that tells what became of it."""
        self.tables.write_bytes(source if isinstance(source, bytes) else source.encode())
        return self.live.wait("reloaded", "broken")

    def turn_on(self, operation: str | None) -> None:
        """Edit `env` as a learner does, so that this operation alone is on."""
        before = self.tables.read_text(encoding="utf-8")
        after = re.sub(r'^( +"(\w+)": )(True|False),$', lambda line: f"{line[1]}{line[2] == operation},", before, flags=re.M)
        if after != before:
            assert self.save(after)["operation"] == operation

    @property
    def ready(self) -> dict:
        """The engine's ready line."""
        return self.live.snapshot["addresses"]


def start(*flags: str, cwd: Path = ROOT, python: str = sys.executable, **options) -> subprocess.Popen:
    """`python tornado_server.py` on a free port, its output a pipe."""
    command = [python, str(cwd / "tornado_server.py"), "--port", "0", "--no-open", *flags]
    clean = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
    return subprocess.Popen(command, cwd=cwd, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=clean | options.pop("env", {}), **options)


def ready_url(process: subprocess.Popen) -> str:
    """The address that the server prints when it is ready."""
    for line in process.stdout:
        found = re.search(r"The lab is at (\S+)", line)
        if found:
            return found[1]
    raise AssertionError(process.stderr.read())


@contextmanager
def running_lab(folder: Path, source: str, *flags: str, **options):
    """A lab whose learner's file has this source; it is ended as Ctrl-C ends it."""
    tables = folder / "tables.py"
    tables.write_text(source, encoding="utf-8")
    process = start("--tables", str(tables), "--data-dir", str(folder / "data"), *flags, **options)
    try:
        lab = Lab(process, ready_url(process), tables)
        lab.printed = collect(process.stdout)
        lab.errors = collect(process.stderr)
        yield lab
    finally:
        process.terminate()
        process.wait(WAIT)


def collect(pipe) -> list[str]:
    """What a process writes, line by line, as it comes."""
    lines: list[str] = []
    threading.Thread(target=lambda: lines.extend(iter(pipe.readline, "")), daemon=True).start()
    return lines


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in map(str.split, listed.splitlines()) if int(parent) == pid]


def wait_until_gone(pid: int) -> None:
    """Until a process has ended; one that was adopted may stay as a zombie."""
    end = time.monotonic() + WAIT
    while subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip("Z+sN<l \n"):
        assert time.monotonic() < end, f"process {pid} goes on"
        time.sleep(0.05)
