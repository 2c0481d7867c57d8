"""`python -m benchmarks.reload [--long]`: from a save to the first reply by the new code, ours beside others.

Every tool runs in the same small Tornado server: POST / calls `execute` of a class in a file that is saved again and
again. The floor does the least that can be done: a watchdog event, compile, exec, and a new object for the next request.
A request is lost when its connection breaks or it is not answered with 200, torn when parts of two versions answer it.
The others are optional: `pip install -r benchmarks/requirements.txt`.
"""
from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

import requests

from benchmarks.__main__ import ROOT, child, lab, lab_url

SERVER = """
import asyncio, concurrent.futures, contextlib, importlib, os, sys, threading
import tornado.web
path = sys.argv[1]
folder, name = os.path.dirname(path), os.path.basename(path)[:-3]
sys.path.insert(0, folder)
pool = concurrent.futures.ThreadPoolExecutor(8)
{tool}
class Handler(tornado.web.RequestHandler):
    async def post(self):
        self.write(await asyncio.get_running_loop().run_in_executor(pool, run))
async def main():
    server = tornado.web.Application([("/", Handler)], log_function=lambda handler: None).listen({port}, "127.0.0.1", reuse_port={port} != 0)
    print("http://127.0.0.1:%s" % next(iter(server._sockets.values())).getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
TOOLS = {
    "the floor": """
from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer
class Again(FileSystemEventHandler):
    def on_closed(self, event):
        global target
        namespace = {}
        exec(compile(open(path, "rb").read(), path, "exec"), namespace)
        target = namespace["my_bigquery_client"]()
Again().on_closed(None)
observer = Observer(); observer.schedule(Again(), folder); observer.start()
def run():
    return target.execute({})
""",
    "reloader.py": """
from reloader import Reloader
reloader = Reloader(path, "my_bigquery_client"); reloader.start()
def run():
    with reloader.lease() as world:
        return world.target.execute({})
""",
    "jurigged": """
import jurigged
jurigged.watch(folder + "/*.py")
target = importlib.import_module(name).my_bigquery_client()
def run():
    return target.execute({})
""",
    "IPython's autoreload": """
from IPython.extensions.autoreload import ModuleReloader
module = importlib.import_module(name)
target = module.my_bigquery_client()
again, lock = ModuleReloader(), threading.Lock()
again.enabled = True
again.mark_module_reloadable(name)
def run():
    with lock:
        again.check(do_reload=True)
    return target.execute({})
""",
    "tornado.autoreload": """
import tornado.autoreload
target = importlib.import_module(name).my_bigquery_client()
def run():
    return target.execute({})
""",
}
NEEDS = {"jurigged": "jurigged", "IPython's autoreload": "IPython"}


def source(number: int, lines: int) -> str:
    """A file of about so many lines; `execute` answers with its number twice, found in two ways."""
    methods = "".join(f"\n    def method_{n}(self, data):\n        value = data.get('key', {n})\n        return f'{{value}} {n}'\n" for n in range((lines - 12) // 4))
    return (f"import time\n\nNUMBER = {number}\n\n\ndef helper():\n    return NUMBER\n\n\nclass my_bigquery_client:\n    env = {{'create': True}}\n\n"
            f"    def execute(self, data):\n        return f'{{helper()}} {number}'\n{methods}")


@contextmanager
def server(tool: str, path: Path):
    """The URL of a small server whose file this tool reloads."""
    text = SERVER.format(tool=TOOLS[tool], port=0)
    if tool == "tornado.autoreload":  # it starts the process again, which must find its port free
        text = SERVER.format(tool=TOOLS[tool], port=free_port()).replace("    print(", "    tornado.autoreload.start(100)\n    print(", 1)
    program = path.parent / "server.py"
    program.write_text(text)
    with child([sys.executable, str(program), str(path)], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}) as process:
        url = lab_url(process)
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield url


def free_port() -> int:
    import socket
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


PAUSES = {"tornado.autoreload": 0.5}  # seconds before a save: what it sees at its first look is what it compares with


def saves(servers: dict[str, tuple[str, Path]], lines: int, runs: int, warm: int = 3) -> dict[str, list[float]]:
    """Milliseconds from each save to the first reply by the new code, {tool: times}; the tools take turns."""
    times, session = {tool: [] for tool in servers}, requests.Session()
    for number in range(1, runs + warm + 1):
        for tool, (url, path) in servers.items():
            text = source(number, lines).encode()
            time.sleep(PAUSES.get(tool, 0.05))
            path.write_bytes(text)
            began = time.perf_counter()
            while (reply := answer(session, url)) != f"{number} {number}":
                if time.perf_counter() - began > 20:
                    raise SystemExit(f"{tool}: still {reply!r} 20 s after save {number}")
            times[tool].append((time.perf_counter() - began) * 1000)
    return {tool: found[warm:] for tool, found in times.items()}


def answer(session: requests.Session, url: str) -> str | None:
    try:
        return session.post(url, json={}, timeout=20).text
    except requests.ConnectionError:
        return None


LOAD = """
import json, sys, threading, time, requests
url, seen, stop = sys.argv[1], {"answered": 0, "lost": 0, "torn": 0}, threading.Event()
def load():
    session = requests.Session()
    while not stop.is_set():
        try:
            reply = session.post(url, json={}, timeout=20)
            seen["answered"] += 1
            if reply.status_code != 200:
                seen["lost"] += 1
            elif len(set(reply.text.split())) != 1:
                seen["torn"] += 1
        except requests.ConnectionError:
            seen["lost"] += 1
threads = [threading.Thread(target=load) for _ in range(4)]
for thread in threads: thread.start()
sys.stdin.read()
stop.set()
for thread in threads: thread.join()
print(json.dumps(seen))
"""


@contextmanager
def load(url: str):
    """Four connections that send requests without a pause; the dict is filled when the block ends."""
    process, found = subprocess.Popen([sys.executable, "-c", LOAD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True), {}
    try:
        yield found
    finally:
        found.update(json.loads(process.communicate()[0]))


def row(what: str, times: list[float], floor: float | None = None, **also) -> None:
    ratio = f"x{median(times) / floor:5.1f}" if floor else "      "
    p99 = quantiles(times, n=100)[98] if len(times) > 1 else times[0]
    print(f"{what:44}{median(times):9.1f}{p99:9.1f}  {ratio}  {'  '.join(f'{value} {name}' for name, value in also.items())}", flush=True)


def installed(tool: str) -> bool:
    return importlib.util.find_spec(NEEDS.get(tool, "tornado")) is not None


def compare(folder: Path, lines: int, runs: int) -> None:
    """Ours and the floor by turns, then the others."""
    floor = None
    for tools, times in ((["the floor", "reloader.py"], runs), *(([tool], 10) for tool in list(TOOLS)[2:] if installed(tool))):
        with ExitStack() as stack:
            servers = {}
            for tool in tools:
                path = folder / f"file_{list(TOOLS).index(tool)}_{lines}" / "file.py"
                path.parent.mkdir()
                path.write_text(source(0, lines))
                servers[tool] = stack.enter_context(server(tool, path)), path
            for tool, found in saves(servers, lines, times).items():
                floor = floor or median(found)
                row(f"{tool}, {lines:,} lines", found, floor)


def under_load(folder: Path, saved: int) -> None:
    """Requests lost or torn while the file is saved again and again; then the same with the whole lab."""
    for tool in filter(installed, TOOLS):
        path = folder / "loaded.py"
        path.write_text(source(0, 300))
        with server(tool, path) as url, load(url) as seen:
            times = saves({tool: (url, path)}, 300, 5 if tool in PAUSES else 100)[tool]
        row(f"{tool}, under load of four connections", times, **seen)
    path = folder / "tables.py"
    path.write_text(source(0, 300))
    with lab(folder / "lab", path) as url:
        with load(url) as seen:
            times = saves({"the lab": (url, path)}, 300, saved)["the lab"]
    row(f"the lab, {saved:,} saves under load", times, **seen)


def memory(folder: Path, reloads: int) -> None:
    """What the process holds after so many reloads."""
    path = folder / "memory.py"
    path.write_text(source(0, 300))
    with lab(folder / "memory", path) as url:
        session = requests.Session()
        process = next(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and str(path).encode() in Path(f"/proc/{pid}/cmdline").read_bytes())
        for number in range(1, reloads + 1):
            path.write_bytes(source(number, 300).encode())
            while answer(session, url) != f"{number} {number}":
                pass
            if number in (reloads // 10, reloads // 2, reloads):
                held = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
                print(f"memory after {number:6,} reloads{'':18}{held / 1e6:9.1f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.reload", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="also 10,000 reloads, and what memory they take")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}; ms from a save to the first reply by the new code")
    print(f"{'':44}{'median':>9}{'p99':>9}  ratio to the floor")
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), 300, 200)
        compare(Path(folder), 3000, 100)
        under_load(Path(folder), 1000)
        memory(Path(folder), 10_000 if options.long else 1_000)


if __name__ == "__main__":
    main()
