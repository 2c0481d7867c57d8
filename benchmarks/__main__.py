"""`python -m benchmarks [--cold]`: medians of what a user waits for, each beside its floor in the same run.

A floor is the least that could be: a bare Tornado handler for a request, DuckLake alone for a statement.
On a machine with other work to do, read the ratios.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Callable, Iterator

import requests

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("BIGQUERY_EMULATOR_CACHE", ROOT / ".cache"))


def measure(work: Callable[[int], object], runs: int, warm: int = 2) -> float:
    """The median time of work(n) in ms, after some runs that don't count."""
    times = []
    for number in range(runs + warm):
        began = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - began) * 1000)
    return median(times[warm:])


def row(what: str, took: float, floor: float | None = None, of: str = "") -> None:
    beside = f"{floor:10.2f}  x{took / floor:5.1f}  {of}" if floor else ""
    print(f"{what:48}{took:10.2f}{beside}", flush=True)


@contextmanager
def child(command: list[str], **options) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def emulator(folder: Path) -> Iterator[dict]:
    command = [sys.executable, "-m", "emulator", "--port", "0", "--storage-port", "0", "--grpc-port", "0", "--data-dir", str(folder), "--cache-dir", str(CACHE)]
    with child(command, cwd=ROOT) as process:
        yield json.loads(process.stdout.readline())


def lab_url(process: subprocess.Popen) -> str:
    """The URL of a lab once it says that it is ready."""
    for line in process.stdout:
        if "http://" in line:
            return next(word for word in line.split() if word.startswith("http://")).rstrip(".,/")
    raise SystemExit("the lab did not start")


@contextmanager
def lab(folder: Path, tables: Path = ROOT / "tables.final.py") -> Iterator[str]:
    command = [sys.executable, str(ROOT / "tornado_server.py"), "--port", "0", "--no-open", "--data-dir", str(folder), "--cache-dir", str(CACHE),
               "--tables", str(tables)]
    with child(command, cwd=ROOT) as process:
        yield lab_url(process)


# Starts -------------------------------------------------------------------------------------------

def starts(folder: Path) -> None:
    def warm(_: int) -> None:
        with lab(folder / "lab"):
            pass
    row("warm start of the lab to ready", measure(warm, 5, warm=1), bare_start(), "python -c 'import google.cloud.bigquery'")


def bare_start() -> float:
    return measure(lambda _: subprocess.run([sys.executable, "-c", "import google.cloud.bigquery"], check=True), 5, warm=1)


def cold_start() -> None:
    """A fresh copy of the project with empty caches, to the lab's ready line."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "lab")
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".cache", ".lab", ".git", "node_modules", "dist", ".angular"))
        environment = {name: value for name, value in os.environ.items() if name != "BIGQUERY_EMULATOR_CACHE"}
        environment |= {"PIP_CACHE_DIR": str(Path(folder, "pip")), "XDG_CACHE_HOME": str(Path(folder, "xdg")),
                        "npm_config_cache": str(Path(folder, "npm"))}
        began = time.perf_counter()
        with child([sys.executable, "lab.py", "--port", "0", "--no-open"], cwd=copy, env=environment) as process:
            lab_url(process)
            row("cold start, everything to be installed", (time.perf_counter() - began) * 1000)


# The lab ------------------------------------------------------------------------------------------

BARE = """
class my_bigquery_client:
    env = {"create": True}
    def execute(self, data):
        return "text"
"""
BARE_HANDLER = """
import asyncio, tornado.web
class Handler(tornado.web.RequestHandler):
    def post(self):
        self.write("text")
async def main():
    server = tornado.web.Application([("/", Handler)]).listen(0, "127.0.0.1")
    print("http://127.0.0.1:%s" % next(iter(server._sockets.values())).getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
BUCKET = "benchmarks-of-the-lab"
MAKE_BUCKET = """
        if operation == "bucket":
            from google.cloud import storage
            return storage.Client().create_bucket(name).name
"""
ORDER = ["create", "setIAM", "getIAM", "updateDesc", "updateExpiration", "copySingle", "copyMultiple", "recover", "create", "delete",
         "querySDK", "querySQL", "export"]


def dispatch(folder: Path) -> None:
    """What the backend adds to a request whose code does nothing."""
    tables = folder / "bare.py"
    tables.write_text(BARE)
    session = requests.Session()
    with lab(folder / "bare", tables) as url, child([sys.executable, "-c", BARE_HANDLER]) as process:
        floor = lab_url(process)
        bare = measure(lambda _: session.post(floor, json={}), 200)
        row("POST / with an execute that returns a string", measure(lambda _: session.post(url, json={}), 200), bare, "a bare Tornado handler")


def operations(folder: Path) -> None:
    """Each operation through POST /; every round works on tables of its own."""
    times: dict[str, list[float]] = {}
    tables = folder / "tables.py"
    text = (ROOT / "tables.final.py").read_text().replace('"create": True', '"create": False')
    # The operation comes with the request, so that nothing is reloaded while the clock runs.
    text = text.replace("operation = next((name for name, on in self.env.items() if on), None)", 'operation = data["operation"]')
    text = text.replace("        # create: paste below", MAKE_BUCKET + "        # create: paste below")
    tables.write_text(text)
    session = requests.Session()
    with lab(folder / "operations", tables) as url:
        session.post(url, json={"operation": "bucket", "tableName": BUCKET})
        for number in range(6):
            for operation in ORDER:
                name = f"bench {number}"
                data = {"operation": operation, "tableName": BUCKET if operation == "export" else name,
                        "emails": [["user", "a@example.com"]], "browse": "10 Rows"}
                for left in {"copySingle": ["Copied_Table"], "copyMultiple": ["Merged_Table"]}.get(operation, []):
                    session.post(url, json={"operation": "delete", "tableName": left})
                began = time.perf_counter()
                answer = session.post(url, json=data)
                times.setdefault(operation, []).append((time.perf_counter() - began) * 1000)
                if answer.status_code != 200 or "did not work" in answer.text:
                    raise SystemExit(f"{operation}: {answer.text}")
    for operation, found in times.items():
        row(f"POST / {operation}", median(found[1:]))


# The emulator -------------------------------------------------------------------------------------

def emulation(folder: Path) -> None:
    with emulator(folder / "emulator") as ready:
        os.environ.update(BIGQUERY_EMULATOR_HOST=ready["bigquery"], GOOGLE_CLOUD_PROJECT=ready["project"], GOOGLE_APPLICATION_CREDENTIALS=ready["credentials"])
        from google.cloud import bigquery
        client = bigquery.Client()
        client.create_dataset("bench")
        table = client.create_table(bigquery.Table(f"{client.project}.bench.t", schema=[bigquery.SchemaField("s", "STRING"), bigquery.SchemaField("n", "INTEGER")]))
        floor = lake_floor(folder)
        row("SELECT 1 through the client", measure(lambda _: list(client.query_and_wait("SELECT 1")), 50), floor["select"], "DuckDB alone")
        row("SELECT of a text not seen before", measure(lambda n: list(client.query_and_wait(f"SELECT {n} + 1000")), 50), floor["select"], "DuckDB alone")
        row("tables.get", measure(lambda _: client.get_table(table), 100))
        row("insertAll of one row", measure(lambda n: client.insert_rows_json(table, [{"s": "x", "n": n}], row_ids=[uuid.uuid4().hex]), 50),
            floor["insert"], "DuckLake alone")
        client.query("SELECT CONCAT('word ', CAST(n AS STRING)) AS s, n FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS n",
                     job_config=bigquery.QueryJobConfig(destination=f"{client.project}.bench.big")).result()
        row("list_rows of 100,000 rows", measure(lambda _: sum(1 for _ in client.list_rows("bench.big", selected_fields=table.schema)), 5, warm=1),
            floor["rows"], "DuckLake alone, fetchall")


def lake_floor(folder: Path) -> dict[str, float]:
    """The same statements on DuckLake, in this process."""
    from emulator.lake import connect
    path = folder / "floor"
    cursor = connect(path, in_memory=False)
    cursor.execute("CREATE TABLE lake.t (s VARCHAR, n BIGINT)")
    cursor.execute("CREATE TABLE lake.big AS SELECT concat('word ', n) AS s, n FROM range(100000) r(n)")
    return {"select": measure(lambda _: cursor.execute("SELECT 1").fetchall(), 50),
            "insert": measure(lambda n: cursor.execute("INSERT INTO lake.t VALUES ('x', ?)", [n]), 50),
            "rows": measure(lambda _: cursor.execute("SELECT * FROM lake.big").fetchall(), 5, warm=1)}


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cold", action="store_true", help="also the cold start, which installs everything anew")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians in ms")
    print(f"{'':48}{'ms':>10}{'floor':>10}  ratio")
    if options.cold:
        cold_start()
    with tempfile.TemporaryDirectory() as folder:
        starts(Path(folder))
        dispatch(Path(folder))
        operations(Path(folder))
        emulation(Path(folder))


if __name__ == "__main__":
    main()
