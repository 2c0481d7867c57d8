"""`python -m emulator load`: bring a table in from a file, or from the real BigQuery.

The rows go through the REST API, as any client's. It speaks to a running emulator where one is named
(--endpoint, BIGQUERY_EMULATOR_HOST); else it starts one on the data folder, which may then write to the
public project, and ends it.
"""
from __future__ import annotations

import argparse
import base64
import datetime as dt
import json
import os
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Iterator

from . import child

if TYPE_CHECKING:
    from google.cloud import bigquery

FORMATS = {".csv": "CSV", ".tsv": "CSV", ".txt": "CSV", ".json": "NEWLINE_DELIMITED_JSON", ".jsonl": "NEWLINE_DELIMITED_JSON",
           ".ndjson": "NEWLINE_DELIMITED_JSON", ".parquet": "PARQUET"}
BIGQUERY = "https://bigquery.googleapis.com"
READ_ONLY = " If this is because bigquery-public-data is read-only: start the emulator with --writable-public-data, or stop it and name its --data-dir."
DESCRIPTION = """Bring a table into the embedded BigQuery, for example into project bigquery-public-data:

  python -m emulator load bigquery-public-data.austin_bikeshare.stations stations.csv
  python -m emulator load bigquery-public-data.samples.natality --from-bigquery --max-rows 10000

Columns and their types are found in the file unless --schema names them. The table is replaced unless --append."""


class Failure(Exception):
    """What went wrong, in a sentence for the user."""


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m emulator load", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", help="where to: project.dataset.table")
    parser.add_argument("file", nargs="?", type=Path, help="a .csv, .tsv, .json, .jsonl, .ndjson (each also .gz) or .parquet file")
    parser.add_argument("--from-bigquery", nargs="?", const="", metavar="TABLE",
                        help="read from the real BigQuery, with your own credentials: the table of the same name, or TABLE")
    parser.add_argument("--max-rows", type=int, help="with --from-bigquery: no more rows than this")
    parser.add_argument("--billing-project", help="with --from-bigquery: the project that asks (default: your credentials' own)")
    parser.add_argument("--format", choices=["csv", "json", "parquet"], help="what the file is, where its name does not tell")
    parser.add_argument("--schema", type=Path, help="a JSON file with the list of columns, as `bq show --schema` prints it")
    parser.add_argument("--append", action="store_true", help="add to the table's rows")
    parser.add_argument("--location", default="US", help="where to make the dataset if there is none (default %(default)s)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--endpoint", help="URL of a running emulator (default: BIGQUERY_EMULATOR_HOST)")
    where.add_argument("--data-dir", type=Path, help="folder of an emulator that is not running (default .bigquery)")
    options = parser.parse_args(argv)
    if options.table.count(".") != 2 or not all(options.table.split(".")):
        parser.error(f"{options.table} is no table's name: project.dataset.table is")
    if (options.file is None) == (options.from_bigquery is None):
        parser.error("name either a file or --from-bigquery")
    return options


def main(argv: list[str]) -> int:
    """Load, tell how it goes on standard error, and return the exit code."""
    options = parse(argv)
    from google.api_core.exceptions import GoogleAPICallError
    try:
        if options.file:
            check_file(options)
        with tempfile.TemporaryDirectory(prefix="bigquery-load-") as folder:
            if options.file is None:
                download_into(options, Path(folder) / "rows.json")
            with target(options) as client:
                load(client, options)
        return 0
    except Failure as error:
        say(str(error))
    except GoogleAPICallError as error:
        say(f"{options.table} was not loaded: {error.message}" + (READ_ONLY if error.code == 403 else ""))
    except KeyboardInterrupt:
        say("Stopped; nothing was loaded.")
    return 1


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def check_file(options: argparse.Namespace) -> None:
    """Failure unless the file is there and its format known."""
    if not options.file.is_file():
        raise Failure(f"There is no file {options.file}.")
    options.source_format = {"csv": "CSV", "json": "NEWLINE_DELIMITED_JSON", "parquet": "PARQUET"}.get(options.format) or file_format(options.file)
    options.fields = None
    if options.schema:
        try:
            options.fields = json.loads(options.schema.read_text())
        except (OSError, ValueError) as error:
            raise Failure(f"The schema file {options.schema} can't be read: {error}") from None


def file_format(file: Path) -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    if not suffixes or suffixes[-1] not in FORMATS:
        raise Failure(f"The name of {file} does not tell what it is: say --format csv, json or parquet.")
    return FORMATS[suffixes[-1]]


# Where to -----------------------------------------------------------------------------------------

@contextmanager
def target(options: argparse.Namespace) -> Iterator["bigquery.Client"]:
    """A client of the emulator to load into: the running one that is named, or one of our own on the data folder."""
    endpoint = options.endpoint or (None if options.data_dir else os.environ.get("BIGQUERY_EMULATOR_HOST"))
    if endpoint:
        try:
            child.check_listening(endpoint)
        except child.NotRunning as error:
            raise Failure(f"{error} Start one, or leave the address out and name a --data-dir.") from None
        yield client_of(endpoint, options)
        return
    with own_emulator(options.data_dir or Path(".bigquery")) as endpoint:
        yield client_of(endpoint, options)


def client_of(endpoint: str, options: argparse.Namespace) -> "bigquery.Client":
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery
    return bigquery.Client(options.table.split(".")[0], AnonymousCredentials(), client_options={"api_endpoint": endpoint}, location=options.location)


@contextmanager
def own_emulator(data_dir: Path) -> Iterator[str]:
    """An emulator as a child, until the end of the block; its URL."""
    try:
        with child.running("--data-dir", str(data_dir.resolve()), "--writable-public-data", say=say) as ready:
            yield ready["bigquery"]
    except child.NotRunning as error:
        why = str(error).splitlines()[-1]
        hint = " Or load into the running one: start it with --writable-public-data and name it with --endpoint." if "in use" in why else ""
        raise Failure(f"The emulator did not start. {why}{hint}") from None


# Loading ------------------------------------------------------------------------------------------

def load(client: "bigquery.Client", options: argparse.Namespace) -> None:
    """Upload the file as a load job and wait for it; Failure with the service's reasons if it fails."""
    begun, size = time.monotonic(), options.file.stat().st_size
    say(f"Loading {options.file.name if options.from_bigquery is None else 'the rows'} ({megabytes(size)}) into {options.table} ...")
    create_dataset(client, options.table.rpartition(".")[0], options.location)
    with options.file.open("rb") as file, ticking(begun):
        config = job_config(options.source_format, options.fields, options.append)
        job = client.load_table_from_file(file, options.table, size=size, job_config=config)
        error = job.exception()
    if error:
        raise Failure(explain(job, options))
    say(f"{job.output_rows:,} rows, {megabytes(job.output_bytes)}, in {time.monotonic() - begun:.1f} s.")


def create_dataset(client: "bigquery.Client", name: str, location: str = "US") -> None:
    """Make the dataset unless it is there; name: project.dataset."""
    from google.api_core.exceptions import Conflict
    from google.cloud import bigquery
    dataset = bigquery.Dataset(name)
    dataset.location = location
    try:
        client.create_dataset(dataset)
    except Conflict:
        pass


def job_config(source_format: str, fields: list[dict] | None, append: bool = False) -> "bigquery.LoadJobConfig":
    """How a file is read: with these columns, or with those that are found in it; a CSV file has a line of names."""
    from google.cloud import bigquery
    config = bigquery.LoadJobConfig(source_format=source_format, write_disposition="WRITE_APPEND" if append else "WRITE_TRUNCATE")
    if fields:
        config.schema = fields
    if source_format == "PARQUET":
        config.parquet_options = bigquery.ParquetOptions.from_api_repr({"enableListInference": True})
    elif not fields:
        config.autodetect = True
    if source_format == "CSV" and fields:
        config.skip_leading_rows = 1
    return config


def explain(job, options: argparse.Namespace) -> str:
    """A failed job in words, with the rows to blame."""
    messages = dict.fromkeys(error["message"] for error in [job.error_result, *(job.errors or ())])
    return "\n  ".join([f"{options.table} was not loaded:", *messages])


@contextmanager
def ticking(begun: float) -> Iterator[None]:
    """On a terminal, show the seconds pass."""
    done = threading.Event()

    def show() -> None:
        while not done.wait(1):
            print(f"\r{time.monotonic() - begun:.0f} s ", end="", file=sys.stderr, flush=True)
    thread = threading.Thread(target=show, daemon=True)
    if sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        done.set()
        if thread.is_alive():
            thread.join()
            print("\r", end="", file=sys.stderr)


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"


# From the real BigQuery ---------------------------------------------------------------------------

def download_into(options: argparse.Namespace, file: Path) -> None:
    """Fetch a table of the real BigQuery into a file, for `load` to take; Failure without credentials or table."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import bigquery
    source = options.from_bigquery or options.table
    try:
        # Named, because BIGQUERY_EMULATOR_HOST would lead elsewhere.
        client = bigquery.Client(options.billing_project, client_options={"api_endpoint": BIGQUERY})
        options.fields = download(client, source, file, options.max_rows)
    except (GoogleAuthError, OSError) as error:
        raise Failure(f"The real BigQuery can't be asked: {error} Sign in with `gcloud auth application-default login`, and name a project "
                      "with --billing-project if your credentials have none.") from None
    except GoogleAPICallError as error:
        raise Failure(f"The real BigQuery did not give {source}: {error.message}") from None
    options.file, options.source_format = file, "NEWLINE_DELIMITED_JSON"


def download(client: "bigquery.Client", source: str, file: Path, max_rows: int | None = None) -> list[dict]:
    """Write a table's rows as newline-delimited JSON; the table's columns as REST has them."""
    table = client.get_table(source)
    total = min(table.num_rows or 0, max_rows or table.num_rows or 0)
    say(f"Fetching {total:,} rows of {source} ...")
    with file.open("w", encoding="utf-8") as out:
        for count, row in enumerate(client.list_rows(table, max_results=max_rows), 1):
            out.write(json.dumps({field.name: plain(field, row[field.name]) for field in table.schema}) + "\n")
            if count % 10_000 == 0 and sys.stderr.isatty():
                print(f"\r{count:,} of {total:,} ", end="", file=sys.stderr, flush=True)
    return [field.to_api_repr() for field in table.schema]


def plain(field, value):
    """A client's value as load jobs take it in JSON."""
    if value is None:
        return None
    if isinstance(value, list):
        return [plain(field, item) for item in value]
    if field.field_type in ("RECORD", "STRUCT"):
        return {part.name: plain(part, value[part.name]) for part in field.fields}
    if field.field_type == "JSON":
        return json.dumps(value)
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, (bool, int, float, str)) else str(value)
