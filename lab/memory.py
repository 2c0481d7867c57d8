"""A bound on memory, so that a loop without end in the learner's file raises MemoryError and is answered as an error."""
from __future__ import annotations

import sys
from pathlib import Path

LEAST = 2 << 30  # bytes


def limit() -> None:
    """Bound this process's data to half of what the machine can give now. Only Linux keeps such a bound."""
    if sys.platform == "linux":
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if soft == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_DATA, (max(LEAST, available() // 2), hard))


def unlimit(process: int) -> None:
    """Take the bound from a child: the engine has its own."""
    if sys.platform == "linux":
        import resource
        _, hard = resource.prlimit(process, resource.RLIMIT_DATA)
        resource.prlimit(process, resource.RLIMIT_DATA, (hard, hard))


def available() -> int:
    """Bytes that the machine, or the container that this runs in, can give."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    try:
        return min(free, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no container, or one without a bound
        return free
