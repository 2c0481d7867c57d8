"""`python -m emulator` as a child of this process, and how clients find one that runs. The standard library only."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator
from urllib.parse import urlsplit

# How Google's clients find an emulator: the variable, and the key of the ready line that is its value.
VARIABLES = {"BIGQUERY_EMULATOR_HOST": "bigquery", "STORAGE_EMULATOR_HOST": "storage", "GOOGLE_CLOUD_PROJECT": "project",
             # not the service account's: for one of those google-auth asks Google for regions beside every token
             "GOOGLE_APPLICATION_CREDENTIALS": "user_credentials",
             # of gRPC: the way to the Storage API, and what is trusted there
             "grpc_proxy": "grpc", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "grpc_roots"}


class NotRunning(Exception):
    """There is no emulator to talk to; the message says why."""


@contextmanager
def running(*flags: str, say: Callable[[str], None]) -> Iterator[dict]:
    """An emulator on free ports until the end of the block: its ready line. It ends with this process, however that ends.

    say: takes each line that it writes to standard error. NotRunning, with those lines, where it ends instead of listening.
    """
    command = [sys.executable, "-m", "emulator", "--port", "0", "--storage-port", "0", "--grpc-port", "0", "--exit-with-stdin", *flags]
    # It finds the modules of this package, and none of the folder that this process happens to be in.
    paths = [str(Path(__file__).resolve().parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
                               env=environment)
    told: list[str] = []

    def listen() -> None:
        for text in process.stderr:
            told.append(text)
            say(text.rstrip())
    # Read from the start, lest the pipe fill up.
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        line = process.stdout.readline()
        if not line:
            process.wait()
            listener.join()
            raise NotRunning("".join(told).strip() or f"It ended with {process.returncode}.")
        yield json.loads(line)
    finally:
        process.stdin.close()
        process.wait()


def check_listening(endpoint: str) -> None:
    """NotRunning unless somebody listens: Google's clients would try for ten minutes."""
    url = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    try:
        socket.create_connection((url.hostname, url.port or 80), timeout=5).close()
    except (OSError, ValueError) as error:
        raise NotRunning(f"No emulator answers at {endpoint} ({error}).") from None
