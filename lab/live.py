"""The live stream: every event of the lab as JSON, to every page that listens."""
from __future__ import annotations

import asyncio
import contextvars
import io
import json
import sys
import threading
import time
from collections import deque
from typing import Any, Callable, TextIO

import tornado.websocket

# The request whose code is running, in whichever thread or task; 0 for what the lab itself does.
request_id: contextvars.ContextVar[int | None] = contextvars.ContextVar("request_id", default=None)


KEPT = 10_000  # events that may wait to be sent: a program that prints without end must not fill the memory


class Live:
    """The listeners. `snapshot` gives what a page that has just opened needs to know."""

    def __init__(self, snapshot: Callable[[], dict]):
        self.snapshot = snapshot
        self.listeners: set[tornado.websocket.WebSocketHandler] = set()
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[str] = deque(maxlen=KEPT)
        self._called = threading.Lock()  # held while a call of _send is on its way

    def publish(self, name: str, event: dict | None = None) -> None:
        """Send an event to every listener; from any thread."""
        self._waiting.append(encode(name, event or {}))
        if self._called.acquire(blocking=False):
            self._loop.call_soon_threadsafe(self._send)

    def _send(self) -> None:
        self._called.release()
        for _ in range(len(self._waiting)):
            message = self._waiting.popleft()
            for listener in list(self.listeners):
                try:
                    listener.write_message(message)
                except tornado.websocket.WebSocketClosedError:
                    self.listeners.discard(listener)

    def add(self, listener: tornado.websocket.WebSocketHandler) -> None:
        self.listeners.add(listener)
        listener.write_message(encode("snapshot", self.snapshot()))


def encode(name: str, event: dict) -> str:
    return json.dumps({"event": name, "time": time.time(), **event}, default=str)


class Output(io.TextIOBase):
    """Standard output that goes to the terminal as ever, and line by line to the live stream."""

    def __init__(self, terminal: TextIO, publish: Callable[[str, dict], None]):
        self.terminal, self.publish = terminal, publish
        self._partial: dict[int | None, str] = {}

    def write(self, text: str) -> int:
        self.terminal.write(text)
        self.terminal.flush()
        request = request_id.get()
        *lines, rest = (self._partial.pop(request, "") + text).split("\n")
        if rest:
            self._partial[request] = rest
        for line in lines:
            self.publish("printed", {"request": request, "line": line})
        return len(text)

    def end_line(self, request: int | None) -> None:
        """Send the line that a request began and did not end."""
        rest = self._partial.pop(request, None)
        if rest:
            self.publish("printed", {"request": request, "line": rest})

    def flush(self) -> None:
        self.terminal.flush()

    @property
    def encoding(self) -> str:
        return self.terminal.encoding

    def isatty(self) -> bool:
        return self.terminal.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.terminal, name)


def capture(publish: Callable[[str, dict], None]) -> Output:
    """Send what is printed from now on to the live stream too."""
    sys.stdout = Output(sys.stdout, publish)
    return sys.stdout
