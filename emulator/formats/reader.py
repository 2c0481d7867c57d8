"""Reading a file into a table: the parts that all formats share.

A reader takes one file at a time. One of text stages it in a table as it is, converts that whole, and only
where the conversion fails looks for the rows to blame.
"""
from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import re
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import duckdb

from .. import rules, values
from ..errors import ApiError
from . import texts
from .looks import Looks

SHOWN = 5  # bad records that a job reports one by one
RAW = "temp.load_raw"  # a file as text
ENCODINGS = {"UTF-8": "utf-8", "ISO-8859-1": "latin-1", **{f"UTF-{bits}{end}": f"utf-{bits}-{end.lower()}" for bits in (16, 32) for end in ("BE", "LE")}}
# columnNameCharacterMap -> whether a letter may stand in a detected name, and is not replaced; None: a name that may not be is refused
NAMES: dict[str, Callable[[str], object] | None] = {
    "COLUMN_NAME_CHARACTER_MAP_UNSPECIFIED": re.compile(r"\w").match, "V1": re.compile("[A-Za-z0-9_]").match, "V2": rules.in_column_names, "STRICT": None}


class File(NamedTuple):
    """A file to load: where it is, and its gs:// name (None for an upload)."""

    path: Path
    uri: str | None

    @property
    def zipped(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(2) == b"\x1f\x8b"

    def open(self) -> io.BufferedIOBase:
        return gzip.open(self.path, "rb") if self.zipped else self.path.open("rb")

    @property
    def sql(self) -> str:
        return values.string(str(self.path))

    @property
    def compression(self) -> str:
        # Objects have no file extensions that DuckDB could go by.
        return "compression = 'gzip'" if self.zipped else "compression = 'uncompressed'"


class Column(NamedTuple):
    """How a column comes out of the raw table: the value as given (SQL, NULL where there is none), and converted
    (SQL that fails where the value is none of the type)."""

    field: dict
    given: str
    value: str

    @property
    def bad(self) -> str:
        missing = f" OR {self.given} IS NULL" if self.field.get("mode") == "REQUIRED" else ""
        return f"(({self.given} IS NOT NULL AND TRY({self.value}) IS NULL){missing})"


class Problems:
    """The bad records of a load. limit: maxBadRecords; what: the format, as messages name it."""

    def __init__(self, what: str, limit: int):
        self.what, self.limit = what, limit
        self.count = self.rows = 0
        self.entries: list[dict] = []

    def add(self, file: File, count: int, messages: list[str]) -> None:
        """Count bad records of a file, the first ones with their messages."""
        self.count += count
        for message in messages[:SHOWN - len(self.entries)]:
            self.entries.append(entry(message, file))

    def check(self, file: File) -> None:
        """ApiError invalid once there are more than the limit."""
        if self.count > self.limit:
            why = (f"{self.what} processing encountered too many errors, giving up. Rows: {self.rows}; errors: {self.count}; "
                   f"max bad: {self.limit}; error percent: 0")
            raise ApiError("invalid", entry(why, file)["message"], file.uri, self.entries)


def entry(message: str, file: File) -> dict:
    """An error while reading, as a job's errors have it."""
    whole = f"Error while reading data, error message: {message}" + (f" File: {file.uri}" if file.uri else "")
    return {"reason": "invalid", "message": whole} | ({"location": file.uri} if file.uri else {})


def failed(message: str, file: File) -> ApiError:
    return ApiError("invalid", entry(message, file)["message"], file.uri)


@contextmanager
def reading(file: File) -> Iterator[None]:
    """What is said of a file that can't be read, as ApiError invalid; a cancelled job's interrupt stays what it is."""
    try:
        yield
    except duckdb.InterruptException:
        raise
    except (duckdb.Error, csv.Error, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise failed(str(error).partition("\n")[0].replace(str(file.path), "the file"), file) from None


def attempt(cursor: duckdb.DuckDBPyConnection, insert: str) -> bool:
    """Run an insert; False, and nothing is inserted, where a value is none of its column's type."""
    try:
        cursor.execute(insert)
        return True
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.ConstraintException, duckdb.OutOfRangeException):
        return False


class Reader:
    """Reads one format. config: a load job's; fields and relation: the table that `read` fills."""

    what = ""
    self_describing = False
    is_text = False
    exported = False  # what a bucket has of another service, in several files of which one is named

    def __init__(self, config: dict):
        self.config = config
        self.problems = Problems(self.what, int(config.get("maxBadRecords") or 0))
        self.parsers, self.looks = texts.parsers(config), Looks(texts.formats(config))
        self.check_options()

    def check_options(self) -> None:
        """ApiError invalid for an option's value that there is not, or not for the format."""
        self.encoding = (self.config.get("encoding") or "UTF-8").upper()
        if self.encoding not in ENCODINGS:
            raise ApiError("invalid", f"Invalid value for encoding: {self.encoding} is not a valid value")
        names = self.config.get("columnNameCharacterMap") or "COLUMN_NAME_CHARACTER_MAP_UNSPECIFIED"
        if names not in NAMES:
            raise ApiError("invalid", f"Invalid value for columnNameCharacterMap: {names} is not a valid value")
        self.kept = NAMES[names]

    def column_name(self, name: str) -> str:
        """A name that a column may have, by columnNameCharacterMap: what it may not have is replaced, or by STRICT refused."""
        if self.kept is None:
            rules.check_column(name, "")
            return name
        made = "".join(letter if self.kept(letter) else "_" for letter in name.strip())
        return ("_" + made if made[:1] and not re.match(r"[^\W\d]", made) else made)[:300]

    @contextmanager
    def in_utf8(self, file: File) -> Iterator[File]:
        """A file of text as UTF-8, which is a copy where its encoding is another."""
        if not self.is_text or self.encoding == "UTF-8":
            yield file
            return
        with tempfile.NamedTemporaryFile() as copy, file.open() as source:
            decoder = codecs.getincrementaldecoder(ENCODINGS[self.encoding])()
            try:
                while chunk := source.read(1 << 20):
                    copy.write(decoder.decode(chunk).encode())
                copy.write(decoder.decode(b"", final=True).encode())
            except UnicodeError:
                raise failed(f"Bad character encountered: the text is not valid {self.encoding}.", file) from None
            except (gzip.BadGzipFile, zlib.error, EOFError) as error:
                raise failed(str(error), file) from None
            copy.flush()
            yield File(Path(copy.name), file.uri)

    def detect(self, cursor: duckdb.DuckDBPyConnection, files: list[File]) -> list[dict]:
        """The schema that a file shows."""
        raise NotImplementedError

    def check(self, fields: list[dict]) -> None:
        """ApiError for a schema that the format can't fill."""

    def read(self, cursor: duckdb.DuckDBPyConnection, file: File, fields: list[dict], relation: str) -> None:
        """Append a file's rows; ApiError invalid for more bad ones than allowed."""
        with self.in_utf8(file) as text:
            self.read_text(cursor, text, fields, relation)

    def read_text(self, cursor: duckdb.DuckDBPyConnection, file: File, fields: list[dict], relation: str) -> None:
        cursor.execute(f"DROP TABLE IF EXISTS {RAW}")
        with reading(file):
            skipped = self.stage(cursor, file, fields)
            columns = [column._replace(value=values.fitted(field, column.value)) for column, field in zip(self.columns(cursor, fields), fields)]
        (count,) = cursor.execute(f"SELECT count(*) FROM {RAW}").fetchone()
        self.problems.rows += count + len(skipped)
        insert = f"INSERT INTO {relation} SELECT {', '.join(column.value for column in columns)} FROM {RAW}"
        if self.unknown() or not attempt(cursor, insert):
            self.blame(cursor, file, columns, set(skipped))
            self.problems.check(file)
            cursor.execute(f"{insert} WHERE NOT coalesce({self.is_bad(columns)}, false)")
        cursor.execute(f"DROP TABLE {RAW}")

    def stage(self, cursor: duckdb.DuckDBPyConnection, file: File, fields: list[dict]) -> list[int]:
        """Fill the raw table with a file; where in it the records begin that are left out as malformed."""
        raise NotImplementedError

    def columns(self, cursor: duckdb.DuckDBPyConnection, fields: list[dict]) -> list[Column]:
        raise NotImplementedError

    def unknown(self) -> list[tuple[str, str]]:
        """Fields in the raw table that the schema has not: (name, SQL that is true where a row has it)."""
        return []

    def is_bad(self, columns: list[Column]) -> str:
        return " OR ".join([*(column.bad for column in columns), *(there for _, there in self.unknown())]) or "false"

    def blame(self, cursor: duckdb.DuckDBPyConnection, file: File, columns: list[Column], skipped: set[int]) -> None:
        """Count the rows that can't be converted and say where the first ones begin and what is wrong with them."""
        unknown = self.unknown()
        tests = ", ".join([*(there for _, there in unknown), *(column.bad for column in columns)])
        bad = self.is_bad(columns)
        (count,) = cursor.execute(f"SELECT count(*) FROM {RAW} WHERE {bad}").fetchone()
        rows = cursor.execute(f"SELECT rowid, list_position([{tests}], true) FROM {RAW} WHERE {bad} ORDER BY rowid LIMIT {SHOWN}").fetchall()
        starts = self.starts(file, skipped, [row for row, _ in rows])
        messages = []
        for (row, place), start in zip(rows, starts):
            if place <= len(unknown):
                messages.append(self.no_such_field(unknown[place - 1][0], start))
                continue
            index = place - 1 - len(unknown)
            (text,) = cursor.execute(f"SELECT ({columns[index].given})::VARCHAR FROM {RAW} WHERE rowid = {row}").fetchone()
            rule = rule_broken(cursor, columns[index], row)
            messages.append(self.rule(columns[index].field, rule, text, start) if rule else self.message(columns[index].field, index, text, start))
        self.problems.add(file, count, messages)

    def starts(self, file: File, skipped: set[int], rows: list[int]) -> Iterator[int]:
        """Where in the file some rows of the raw table (ascending) begin."""
        wanted, kept = set(rows), (start for start in self.records(file) if start not in skipped)
        return (start for row, start in enumerate(itertools.islice(kept, rows[-1] + 1 if rows else 0)) if row in wanted)

    def records(self, file: File) -> Iterator[int]:
        """Where each record of a file begins."""
        raise NotImplementedError

    def message(self, field: dict, index: int, text: str | None, start: int) -> str:
        raise NotImplementedError

    def rule(self, field: dict, broken: str, text: str, start: int) -> str:
        """What is said of a value that breaks a rule of its column, such as its length."""
        raise NotImplementedError

    def no_such_field(self, name: str, start: int) -> str:
        raise NotImplementedError


def rule_broken(cursor: duckdb.DuckDBPyConnection, column: Column, row: int) -> str | None:
    try:
        cursor.execute(f"SELECT {column.value} FROM {RAW} WHERE rowid = {row}").fetchall()
    except duckdb.Error as error:
        return values.rule_broken(str(error))
    return None


def shown(text: str) -> str:
    return text if len(text) <= 100 else text[:100] + "..."
