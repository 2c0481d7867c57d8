"""`--seed FOLDER`: the tables and statements that an emulator begins with.

    FOLDER/dataset/table.csv              also .tsv, .json (lines, or one array), .jsonl, .ndjson, each also .gz, and .parquet
    FOLDER/project/dataset/table.csv      the same, of another project
    FOLDER/dataset/table.schema.json      the table's columns, as `bq show --schema` prints them; alone, it makes an empty table
    FOLDER/**/*.sql                       run after all tables, in the order of their paths; in a dataset's folder it is the default

What the folder says is so after each start: its tables are made anew, its SQL runs again, other tables are left alone.
"""
from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterable, Iterator

from . import load
from .load import Failure

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import bigquery

SCHEMA = ".schema.json"
AT_BYTE = re.compile(r"(?:starting at (?:location|position)|byte offset):? (\d+)")
AT_LINE = re.compile(r"\s*(?:at )?\[(?:at )?(\d+):(\d+)\]")


def plant(url: str, project: str, folders: Iterable[Path], say: Callable[[str], None] = load.say) -> None:
    """Bring the folders' tables into the emulator at a URL and run their SQL; Failure, with file and line, for a bad one."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery
    with bigquery.Client(project, AnonymousCredentials(), client_options={"api_endpoint": url}) as client:
        for folder in folders:
            if not folder.is_dir():
                raise Failure(f"There is no folder {folder} to seed from.")
            Seed(client, folder, say).plant()


def said(error: "GoogleAPICallError") -> str:
    """What the emulator said, without the request that the client puts before it."""
    return error.errors[0]["message"] if error.errors else error.message


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Failure, with the file and where it is known the line, for what is wrong with what a file says."""
    from google.api_core.exceptions import GoogleAPICallError
    try:
        yield
    except GoogleAPICallError as error:
        raise Failure(f"{path}: {said(error)}") from None
    except json.JSONDecodeError as error:
        raise Failure(f"{path}:{error.lineno}: {error}") from None
    except (OSError, EOFError, ValueError, TypeError, zlib.error) as error:
        raise Failure(f"{path}: {error}") from None


class Seed:
    """One folder on its way into an emulator."""

    def __init__(self, client: "bigquery.Client", folder: Path, say: Callable[[str], None]):
        self.client, self.folder, self.say = client, folder, say
        self.files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".") and path.suffix != ".md")
        self.datasets: set[str] = set()

    def plant(self) -> None:
        tables: dict[str, dict[str, Path]] = {}
        for path in self.files:
            if path.suffix != ".sql":
                is_schema = path.name.endswith(SCHEMA)
                files = tables.setdefault(f"{self.dataset(path)}.{path.name.partition('.')[0]}", {})
                if other := files.get("schema" if is_schema else "data"):
                    raise Failure(f"{other} and {path} are both of one table.")
                files["schema" if is_schema else "data"] = path
        for table, files in tables.items():
            self.table(table, files.get("data"), files.get("schema"))
        for path in self.files:
            if path.suffix == ".sql":
                self.sql(path)

    def dataset(self, path: Path) -> str:
        """project.dataset of a file, by the folders that it is in."""
        parts = path.relative_to(self.folder).parts[:-1]
        if len(parts) not in (1, 2):
            raise Failure(f"{path} belongs to no dataset: a table is dataset/{path.name} or project/dataset/{path.name} in {self.folder}.")
        name = ".".join([self.client.project, *parts][-2:])
        if name not in self.datasets:
            with blaming(path.parent):
                load.create_dataset(self.client, name)
            self.datasets.add(name)
        return name

    def table(self, name: str, data: Path | None, schema: Path | None) -> None:
        from google.cloud import bigquery
        with blaming(schema or data):
            fields = json.loads(schema.read_text(encoding="utf-8")) if schema else None
            if data is None:
                self.client.delete_table(name, not_found_ok=True)
                self.client.create_table(bigquery.Table(name, schema=fields))
                self.say(f"{schema}: {name}, empty")
                return
        content = lines(data)
        with blaming(schema or data):
            config = load.job_config(source_format(data), fields)
            job = self.client.load_table_from_file(io.BytesIO(content), name, size=len(content), job_config=config)
            error = job.exception()
        if error:
            reasons = dict.fromkeys(item["message"] for item in [*(job.errors or ()), job.error_result])
            raise Failure("\n".join(
                blame(data, content, reason) if "reading data" in reason or not schema else f"{schema}: {reason}" for reason in reasons))
        self.say(f"{data}: {name}, {job.output_rows:,} rows")

    def sql(self, path: Path) -> None:
        from google.api_core.exceptions import GoogleAPICallError
        from google.cloud import bigquery
        with blaming(path):
            text = path.read_text(encoding="utf-8")
        config = bigquery.QueryJobConfig(default_dataset=self.dataset(path) if path.parent != self.folder else None)
        try:
            self.client.query(text, job_config=config).result()
        except GoogleAPICallError as error:
            message = said(error)
            at = AT_LINE.search(message)
            raise Failure(f"{path}:{at[1]}:{at[2]}: {AT_LINE.sub('', message)}" if at else f"{path}: {message}") from None
        self.say(f"{path}: done")


def source_format(path: Path) -> str:
    try:
        return load.file_format(path)
    except Failure:
        raise Failure(f"{path} is neither a table ({', '.join(load.FORMATS)}), nor columns ({SCHEMA}), nor .sql.") from None


def lines(path: Path) -> bytes:
    """What a load job takes for a file: uncompressed, so that errors can be placed, and an array of JSON as lines."""
    with blaming(path):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if source_format(path) == "NEWLINE_DELIMITED_JSON" and content.lstrip()[:1] == b"[":
            return "\n".join(json.dumps(row, ensure_ascii=False) for row in json.loads(content)).encode()
    return content


def blame(path: Path, content: bytes, reason: str) -> str:
    """A load job's reason, with the line of the file that it speaks of."""
    at = AT_BYTE.search(reason)
    line = content[:int(at[1])].count(b"\n") + 1 if at else None
    return f"{path}:{line}: {reason}" if line else f"{path}: {reason}"
