"""Watching files: the operating system says that something happened, or a short wait passes where it can't."""
from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from reloading.world import read

OPEN = 1.0  # seconds to wait for a writer that has the file open, where the system says when it closes it: on Linux
PIECES = 0.1  # seconds between the pieces of a save, where nobody says when it is whole
SAFETY_NET = 1.0  # seconds between looks at the files where no event arrives
POLL = 0.1  # the same where no event ever arrives
# File systems whose changes are made by another machine or the host, and so reach this one without events.
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "drvfs", "vboxsf", "virtiofs", "fuse.sshfs", "fuse.grpcfuse", "fuse.osxfs", "fakeowner", "prl_fs"}


class Watch(FileSystemEventHandler):
    """Says when to look at some files. poll: look again and again; None: only where their file system sends no events."""
    CHANGES = {"modified", "created", "moved", "deleted", "closed"}  # not "opened": reading the file is an event too

    def __init__(self, path: str, poll: bool | None = None):
        self.poll = is_remote(path) if poll is None else poll
        self.stopped = False
        self._paths: set[str] = set()
        self._folders: set[str] = set()
        self._changed = threading.Event()
        self._pause = 0.0  # how long what began with the last event may take to be whole
        self._observer = Observer()
        self.follow([path])

    def start(self) -> None:
        if not self.poll:
            self._observer.start()

    def stop(self) -> None:
        self.stopped = True
        self.look()
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def follow(self, paths: Iterable[str]) -> None:
        """Watch these files too, and those that they are links to."""
        for path in {name for path in paths for name in (path, os.path.realpath(path))} - self._paths:
            self._paths.add(path)
            folder = os.path.dirname(path)
            if not self.poll and folder not in self._folders and os.path.isdir(folder):
                self._folders.add(folder)
                try:
                    self._observer.schedule(self, folder)
                except OSError:  # the system has no watches left
                    self.poll = True

    def on_any_event(self, event: FileSystemEvent) -> None:
        ours = {os.fsdecode(event.src_path), os.fsdecode(event.dest_path or "")} & self._paths
        if ours and event.event_type in self.CHANGES:
            self._pause = {"modified": OPEN, "created": PIECES}.get(event.event_type, 0.0) if sys.platform == "linux" else 0.0
            self._changed.set()

    def look(self) -> None:
        """End the wait now."""
        self._changed.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Until something may have happened, or the seconds have passed; whether something was said to have happened."""
        least = POLL if self.poll else SAFETY_NET
        happened = self._changed.wait(least if seconds is None else min(least, max(0.0, seconds)))
        self._changed.clear()
        while self._pause and not self.stopped and self._changed.wait(self._pause):
            self._changed.clear()
        self._pause = 0.0
        return happened

    def contents(self, seen: dict[str, bytes | None]) -> dict[str, bytes | None]:
        """What the files hold now. One that was emptied or taken away is given time: many editors save so."""
        found, until = {path: read(path) for path in seen}, time.monotonic() + PIECES
        while any(seen[path] and not found[path] for path in seen) and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)
            self._changed.clear()
            found = {path: read(path) for path in seen}
        return found


def is_remote(path: str) -> bool:
    """Whether a path's file system tells no changes; known only where there is /proc/mounts."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text(errors="replace").splitlines()]
    except OSError:
        return False
    real = os.path.realpath(path)
    holds = [(len(point), kind) for _, point, kind, *_ in mounts if os.path.commonpath([real, unescaped(point)]) == unescaped(point)]
    return max(holds, default=(0, ""))[1] in REMOTE


def unescaped(point: str) -> str:
    return point.replace("\\040", " ")
