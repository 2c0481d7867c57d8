"""The embedded BigQuery as a child process: started, watched, restarted, ended."""
from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Callable

from lab import memory

ROOT = Path(__file__).resolve().parent.parent
# How Google's clients find the engine; --cloud takes these away.
VARIABLES = {"BIGQUERY_EMULATOR_HOST": "bigquery", "STORAGE_EMULATOR_HOST": "storage", "GOOGLE_CLOUD_PROJECT": "project",
             "GOOGLE_APPLICATION_CREDENTIALS": "credentials", "grpc_proxy": "grpc", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "grpc_roots"}
RESTARTS = (0, 0.5, 1, 2, 5)  # seconds before each restart in a row; the last one goes on
STABLE = 30  # seconds after which a crash is the first of its row again


class EngineFailed(Exception):
    """The engine did not start; the message says why."""


class Engine:
    """`python -m emulator` under watch. state: starting, up or down; notify is called with each new one."""

    def __init__(self, data_dir: Path, project: str, cache_dir: Path | None, notify: Callable[[str], None] = lambda state: None):
        self.data_dir, self.project, self.cache_dir, self.notify = data_dir, project, cache_dir, notify
        self.state = "starting"
        self._down_since: float | None = None
        self.ready: dict = {}
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task | None = None

    async def start(self) -> None:
        """Start it and point Google's clients at it; EngineFailed where it ends instead."""
        await self._launch()
        for variable, key in VARIABLES.items():
            os.environ[variable] = self.ready[key]
        self._watch = asyncio.create_task(self._keep_up())

    async def _launch(self) -> None:
        # The same ports at a restart: clients that are alive keep their addresses.
        ports = [self.ready[key].rpartition(":")[2] if self.ready else "0" for key in ("bigquery", "storage", "grpc")]
        command = [sys.executable, "-m", "emulator", "--port", ports[0], "--storage-port", ports[1], "--grpc-port", ports[2],
                   "--data-dir", str(self.data_dir), "--project", self.project, "--exit-with-stdin",
                   *(["--cache-dir", str(self.cache_dir)] if self.cache_dir else [])]
        self._process = await asyncio.create_subprocess_exec(
            # A session of its own: Ctrl-C reaches the server, which ends the engine after its last request.
            *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True, env=child_environment())
        memory.unlimit(self._process.pid)
        line = await self._process.stdout.readline()
        if not line:
            raise EngineFailed(f"The embedded BigQuery did not start (it ended with {await self._process.wait()}); its reason stands above.")
        self.ready = json.loads(line)
        self._state("up")

    async def _keep_up(self) -> None:
        loop, row = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            await self._process.wait()
            self._state("down")
            row = 0 if loop.time() - began > STABLE else row + 1
            await asyncio.sleep(RESTARTS[min(row, len(RESTARTS) - 1)])
            try:
                await self._launch()
            except EngineFailed as error:
                print(error, file=sys.stderr)

    def down_for(self) -> float:
        """Seconds since it went down, 0 while it is up."""
        return 0 if self._down_since is None else time.monotonic() - self._down_since

    def _state(self, state: str) -> None:
        if state != self.state:
            self._down_since = time.monotonic() if state == "down" else None
        self.state = state
        self.notify(state)

    async def stop(self) -> None:
        """End it: its standard input ends, and it finishes what it writes."""
        if self._watch:
            self._watch.cancel()
        if self._process and self._process.returncode is None:
            self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except asyncio.TimeoutError:
                self._process.kill()


def child_environment() -> dict[str, str]:
    """This process's environment; a `site-packages` folder that this one was given is the child's too."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def forget_engine() -> None:
    """Take away what would point Google's clients at an emulator."""
    for variable in ("BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"):
        os.environ.pop(variable, None)
    if "//127.0.0.1:" in os.environ.get("grpc_proxy", ""):  # another one may be the way to the network
        del os.environ["grpc_proxy"]
