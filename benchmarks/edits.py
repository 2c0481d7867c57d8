"""`python -m benchmarks.edits`: which edits reach what was held before them, by tool, as a table in Markdown.

The edits and checks are those of tests/test_reloading.py: an object is taken from the module, the file is changed,
and the object has to do what the new text says. The other tools: `pip install -r benchmarks/requirements.txt`.
"""
from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import io
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.__main__ import ROOT

sys.dont_write_bytecode = True

def by_importlib(path: Path) -> Callable[[], None]:
    return lambda: importlib.reload(sys.modules[path.stem])


def by_ipython(path: Path) -> Callable[[], None]:
    from IPython.extensions.autoreload import ModuleReloader
    again = ModuleReloader()
    again.enabled, again.check_all = True, False
    again.mark_module_reloadable(path.stem)
    again.check(do_reload=False)
    return lambda: again.check(do_reload=True)


def by_jurigged(path: Path) -> Callable[[], None]:
    from jurigged.register import registry
    registry.prepare(path.stem, str(path))
    return registry.get(str(path)).refresh


def by_reloader(path: Path) -> Callable[[], None]:
    import queue

    from reloader import Reloader
    sys.modules.pop(path.stem)
    events: queue.Queue = queue.Queue()
    Reloader(path, "Task", events.put).start()

    def reload() -> None:
        while events.get(timeout=10)["type"] == "reloading":
            pass
    reload()
    return reload


TOOLS = {"importlib.reload": by_importlib, "IPython's autoreload": by_ipython, "jurigged": by_jurigged, "reloader.py": by_reloader}


def works(tool: str, folder: Path, number: int, edit: tuple[str, str, str, str]) -> bool:
    """Whether what was held does after the edit what the check asks for."""
    from test_reloading import task
    before, after, hold, check = edit
    path = folder / f"{tool.split()[0].replace('.', '_').replace(chr(39), '')}_{number}.py"
    path.write_text(task(before))
    os.utime(path, (time.time() - 100,) * 2)
    try:
        importlib.import_module(path.stem)
        reload = TOOLS[tool](path)
        names = {"m": sys.modules[path.stem], "asyncio": asyncio, "inspect": inspect, "pickle": pickle}
        names["held"] = eval(hold, names)
        path.write_text(task(after))
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            reload()
        return bool(eval(check, names))
    except Exception:
        return False


def run(tool: str) -> None:
    """Print a y or an n for each edit; in a process of its own, since some tools change modules that are not the file's."""
    sys.path[:0] = [str(ROOT / "tests")]
    from test_reloading import KEPT
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        print("".join("y" if works(tool, Path(folder), number, edit) else "n" for number, edit in enumerate(KEPT.values())), flush=True)
        os._exit(0)  # threads of the tools


def main() -> None:
    if len(sys.argv) > 1:
        return run(sys.argv[1])
    sys.path[:0] = [str(ROOT / "tests")]
    from test_reloading import KEPT
    columns = [subprocess.run([sys.executable, "-m", "benchmarks.edits", tool], stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout.split()[-1]
               for tool in TOOLS]
    print(f"| edit | {' | '.join(TOOLS)} |\n|---{'|---' * len(TOOLS)}|")
    for name, marks in zip(KEPT, zip(*columns)):
        print(f"| {name} | {' | '.join('yes' if mark == 'y' else 'no' for mark in marks)} |")
    totals = [f"**{column.count('y')}**" for column in columns]
    print(f"| **of {len(KEPT)}** | {' | '.join(totals)} |")


if __name__ == "__main__":
    main()
