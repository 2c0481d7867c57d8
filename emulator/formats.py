"""Files as rows and rows as files: CSV, newline-delimited JSON and Parquet, as load and extract jobs know them.

DuckDB reads, converts and writes; Python sees a sample for a schema, and the few rows that are reported
as bad. A reader takes one file at a time into a table that holds it as text, converts that whole, and
only where the conversion fails looks for the rows to blame.
"""
from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import mmap
import re
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple

import duckdb

from . import tables, values
from .errors import ApiError, unsupported

csv.field_size_limit(1 << 30)
SAMPLE = 500  # records that a schema is detected from
SHOWN = 5  # bad records that a job reports one by one
MOST_JSON_BYTES = 100 * 1024 * 1024  # of one record
RAW = "temp.load_raw"  # a file as text
REJECTS = "load_rejects"


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

    def __init__(self, config: dict):
        self.config = config
        self.problems = Problems(self.what, int(config.get("maxBadRecords") or 0))

    def detect(self, cursor: duckdb.DuckDBPyConnection, files: list[File]) -> list[dict]:
        """The schema that a file shows."""
        raise NotImplementedError

    def check(self, fields: list[dict]) -> None:
        """ApiError for a schema that the format can't fill."""

    def read(self, cursor: duckdb.DuckDBPyConnection, file: File, fields: list[dict], relation: str) -> None:
        """Append a file's rows; ApiError invalid for more bad ones than allowed."""
        cursor.execute(f"DROP TABLE IF EXISTS {RAW}")
        with reading(file):
            skipped = self.stage(cursor, file, fields)
            columns = self.columns(cursor, fields)
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
            messages.append(self.message(columns[index].field, index, text, start))
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

    def no_such_field(self, name: str, start: int) -> str:
        raise NotImplementedError


def shown(text: str) -> str:
    return text if len(text) <= 100 else text[:100] + "..."


# CSV ----------------------------------------------------------------------------------------------

# What a text must look like to be taken for a type, the narrowest first.
LOOKS = [
    ("INTEGER", re.compile(r"[-+]?\d{1,18}")),
    ("FLOAT", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|infinity)|nan", re.IGNORECASE)),
    ("BOOLEAN", re.compile(r"true|false", re.IGNORECASE)),
    ("DATE", re.compile(r"\d{4}-\d{1,2}-\d{1,2}")),
    ("TIME", re.compile(r"\d{1,2}:\d{2}:\d{2}(\.\d{1,6})?")),
    ("TIMESTAMP", re.compile(r"\d{4}-\d{1,2}-\d{1,2}[ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?( ?(UTC|Z|[-+]\d{1,2}(:?\d{2})?))?")),
]
DELIMITERS = {"\\t": "\t", "tab": "\t"}
ENCODINGS = {"UTF-8": "utf-8", "ISO-8859-1": "latin-1"}
PLACEHOLDER = "\x1a\x1a"  # stands for "no null marker": no text holds it
# A bad line, by what DuckDB calls its fault.
FAULTS = {
    "TOO MANY COLUMNS": "Too many values in row starting at position: {start}. Found {found} column(s) while expected {expected}.",
    "MISSING COLUMNS": "CSV table references column position {found}, but line starting at position:{start} contains only {found} columns.",
    "UNQUOTED VALUE": "Error detected while parsing row starting at position: {start}. Error: {quote}",
    "INVALID ENCODING": "Error detected while parsing row starting at position: {start}. Error: Bad character encountered: the text is not valid {encoding}.",
    "LINE SIZE OVER MAXIMUM": "Error detected while parsing row starting at position: {start}. Error: Row size is larger than the maximum.",
}


def look(texts: list[str]) -> str | None:
    """The narrowest type that all texts look like; None without texts."""
    found = {next((kind for kind, pattern in LOOKS if pattern.fullmatch(text.strip())), "STRING") for text in texts}
    return widest(found)


def widest(kinds: set[str]) -> str | None:
    """The type that can hold all of these."""
    if kinds == {"INTEGER", "FLOAT"}:
        return "FLOAT"
    if kinds == {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    return kinds.pop() if len(kinds) == 1 else "STRING" if kinds else None


class Csv(Reader):
    """fieldDelimiter, quote, skipLeadingRows, nullMarker, encoding, allowQuotedNewlines, allowJaggedRows, ignoreUnknownValues."""

    what = "CSV"

    def __init__(self, config: dict):
        super().__init__(config)
        delimiter = config.get("fieldDelimiter") or ","
        self.delimiter = DELIMITERS.get(delimiter, delimiter)
        self.quote = config.get("quote", '"')
        if len(self.delimiter) != 1 or len(self.quote) > 1:
            raise ApiError("invalid", "The field delimiter is one character and the quote is at most one.")
        encoding = config.get("encoding") or "UTF-8"
        if encoding.upper() not in ENCODINGS:
            raise unsupported(f"encoding {encoding} in a load job")
        self.encoding = ENCODINGS[encoding.upper()]
        self.nulls = config.get("nullMarkers") or [config.get("nullMarker", "")]
        self.skip = int(config.get("skipLeadingRows") or 0)
        self.newlines = bool(config.get("allowQuotedNewlines", config.get("autodetect")))
        self.finds_header = bool(config.get("autodetect")) and config.get("skipLeadingRows") is None

    def check(self, fields: list[dict]) -> None:
        for field in fields:
            if values.repeated(field) or values.type_name(field) == "RECORD":
                raise ApiError("invalid", f"Cannot load CSV data with a nested schema. Field: {field['name']}")
            if values.type_name(field) in ("INTERVAL", "RANGE"):
                raise unsupported(f"a column of type {values.type_name(field)} in a CSV file")

    def sample(self, file: File) -> list[list[str]]:
        """The first records, after those to skip but for the last, which may be the header."""
        before = max(self.skip - 1, 0)
        with file.open() as binary:
            text = io.TextIOWrapper(binary, self.encoding + ("-sig" if self.encoding == "utf-8" else ""), errors="replace", newline="")
            for _ in itertools.islice(text, before):
                pass
            if self.config.get("autodetect") and not self.config.get("fieldDelimiter"):
                line = text.readline()
                self.delimiter = max(",|\t", key=line.count)
                text = itertools.chain([line], text)
            quoting = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
            return [row for row in itertools.islice(csv.reader(text, delimiter=self.delimiter, **quoting), SAMPLE + 1) if row]

    def detect(self, cursor, files: list[File]) -> list[dict]:
        rows = self.sample(files[0])
        if not rows:
            raise failed("Schema has no fields. Table: the file is empty.", files[0])
        header = self.header(rows)
        width = max(len(row) for row in rows)
        kinds = self.kinds(rows[1:] if header else rows, width)
        names = [*(header or []), *[""] * width][:width]
        return named(kinds, names)

    def kinds(self, rows: list[list[str]], width: int) -> list[str]:
        return [look([row[index] for row in rows if index < len(row) and row[index] not in ("", *self.nulls)]) or "STRING" for index in range(width)]

    def header(self, rows: list[list[str]]) -> list[str] | None:
        """The first record if it names the columns: all of it text, over columns that are not. It is then skipped."""
        if self.config.get("skipLeadingRows") is not None and not self.skip:
            return None
        first, rest = self.kinds(rows[:1], len(rows[0])), self.kinds(rows[1:], len(rows[0]))
        if set(first) != {"STRING"} or set(rest) == {"STRING"} or len(rows) == 1:
            return rows[0] if self.skip else None
        if self.finds_header:
            self.skip, self.finds_header = 1, False
        return rows[0]

    def stage(self, cursor, file: File, fields: list[dict]) -> list[int]:
        if self.finds_header or (self.config.get("autodetect") and not self.config.get("fieldDelimiter")):
            rows = self.sample(file)
            if rows and self.finds_header:
                self.header(rows)
        for table in (REJECTS, REJECTS + "_scans"):
            cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")
        names = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(fields)))
        nulls = ", ".join(values.string(marker) for marker in self.nulls)
        quote = values.string(self.quote)
        cursor.execute(f"""CREATE TEMP TABLE load_raw AS FROM read_csv({file.sql}, auto_detect = false, header = false, columns = {{{names}}},
            delim = {values.string(self.delimiter)}, quote = {quote}, escape = {quote}, nullstr = [{nulls}], allow_quoted_nulls = false,
            skip = {self.skip}, null_padding = {bool(self.config.get('allowJaggedRows'))}, strict_mode = {not self.config.get('ignoreUnknownValues')},
            parallel = {not self.config.get('allowJaggedRows')}, encoding = '{self.encoding}', max_line_size = {16 * 1024 * 1024}, {file.compression},
            store_rejects = true, rejects_table = '{REJECTS}', rejects_scan = '{REJECTS}_scans', rejects_limit = 0)""")
        return self.rejected(cursor, file, len(fields))

    def rejected(self, cursor, file: File, expected: int) -> list[int]:
        """Report the lines that are no records of the table's width; where they begin."""
        lines = cursor.execute(f"SELECT line_byte_position - 1, min_by(error_type::VARCHAR, column_idx), min_by(csv_line, column_idx), "
                               f"min_by(error_message, column_idx) FROM {REJECTS} GROUP BY ALL ORDER BY 1").fetchall()
        messages = []
        for start, kind, line, message in lines[:SHOWN]:
            found = re.search(r"Found: (\d+)", message)
            quote = f"Missing close double quote ({self.quote}) character." if line.count(self.quote or '"') % 2 else \
                f"Data between close double quote ({self.quote}) and field separator."
            pattern = FAULTS.get(kind, "Error detected while parsing row starting at position: {start}. Error: " + shown(message))
            messages.append(pattern.format(start=start, found=found and found[1], expected=expected, quote=quote, encoding=self.encoding.upper()))
        self.problems.add(file, len(lines), messages)
        if self.problems.count > self.problems.limit:
            (rows,) = cursor.execute(f"SELECT count(*) FROM {RAW}").fetchone()
            self.problems.rows += rows + len(lines)
            self.problems.check(file)
        return [start for start, *_ in lines]

    def columns(self, cursor, fields: list[dict]) -> list[Column]:
        return [Column(field, f"c{index}", self.value(field, f"c{index}")) for index, field in enumerate(fields)]

    def value(self, field: dict, x: str) -> str:
        kind = values.type_name(field)
        if kind == "STRING":
            # A newline in a value can only have come from quotes.
            return x if self.newlines else f"CASE WHEN contains({x}, chr(10)) THEN {values.misfit(field, x)} ELSE {x} END"
        if kind == "INTEGER":
            return f"CASE WHEN regexp_full_match({x}, ' *[-+]?[0-9]+ *') THEN CAST({x} AS BIGINT) ELSE {values.misfit(field, x)} END"
        if kind == "DATE":
            return f"CASE WHEN regexp_full_match({x}, ' *[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}} *') THEN CAST({x} AS DATE) ELSE {values.misfit(field, x)} END"
        if kind in ("FLOAT", "NUMERIC"):
            # DuckDB would take 1_000 for a number.
            return f"CASE WHEN contains({x}, '_') THEN {values.misfit(field, x)} ELSE CAST({x} AS {values.TYPES[kind].duckdb}) END"
        parse = values.TYPES[kind].parse
        return parse.format(x=x) if parse else f"CAST({x} AS {values.TYPES[kind].duckdb})"

    def records(self, file: File) -> Iterator[int]:
        quote = re.escape(self.quote.encode(self.encoding)) or b"\n"
        # Possessive: a line is matched once, whatever it holds.
        record = re.compile(rb"(?:[^%b\r\n]++|%b[^%b]*+%b?+)*+(?:\r\n|\r|\n|\Z)" % ((quote,) * 4)) if self.quote else re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
        body = contents(file)
        starts = (match for match in record.finditer(body) if match.start() < len(body))
        for index, match in enumerate(starts):
            if index >= self.skip and match[0].strip(b"\r\n"):
                yield match.start()

    def message(self, field: dict, index: int, text: str | None, start: int) -> str:
        if text is None:
            return f"Required column value for column index: {index} is missing in row starting at position: {start}"
        if "\n" in text and not self.newlines:
            return f"Error detected while parsing row starting at position: {start}. Error: Missing close double quote ({self.quote}) character."
        kind = values.TYPES[values.type_name(field)].sql
        return f"Could not parse '{shown(text)}' as {kind} for field {field['name']} (position {index}) starting at location {start} with message 'Unable to parse'"


def contents(file: File):
    """A whole file, unzipped; not copied where it isn't zipped."""
    if file.zipped:
        with file.open() as stream:
            return stream.read()
    if not file.path.stat().st_size:
        return b""
    with file.path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def named(kinds: list[str], names: list[str]) -> list[dict]:
    """Detected columns with names a table may have: letters the service refuses become `_`, a missing name tells the type."""
    fields, seen = [], set()
    for index, (kind, name) in enumerate(zip(kinds, names)):
        name = column_name(name) or f"{values.TYPES[kind].sql.lower().replace('float64', 'double')}_field_{index}"
        while name.lower() in seen:
            name += f"_{index}"
        seen.add(name.lower())
        fields.append({"name": name, "type": kind, "mode": "NULLABLE"})
    return fields


def column_name(name: str) -> str:
    name = re.sub(r"[^\w]", "_", name.strip())
    return "_" + name if name[:1].isdigit() else name[:300]


# JSON ---------------------------------------------------------------------------------------------

class Json(Reader):
    """One object a line; ignoreUnknownValues."""

    what = "JSON"

    def detect(self, cursor, files: list[File]) -> list[dict]:
        with files[0].open() as stream:
            lines = itertools.islice((line for line in stream if line.strip()), SAMPLE)
            fields: dict = {}
            for line in lines:
                try:
                    merge_object(fields, json.loads(line))
                except (ValueError, AttributeError):
                    break  # reading will report it
        if not fields:
            raise failed("Schema has no fields.", files[0])
        return detected(fields)

    def stage(self, cursor, file: File, fields: list[dict]) -> list[int]:
        most = min(MOST_JSON_BYTES, max(16 * 1024 * 1024, file.path.stat().st_size * (20 if file.zipped else 1)))
        cursor.execute(f"CREATE TEMP TABLE load_raw AS SELECT json AS j FROM read_json_objects({file.sql}, format = 'newline_delimited', "
                       f"ignore_errors = true, maximum_object_size = {most}, {file.compression})")
        self.found = None
        bad = "j IS NULL OR json_type(j) <> 'OBJECT'"
        (count,) = cursor.execute(f"SELECT count(*) FROM {RAW} WHERE {bad}").fetchone()
        if not count:
            return []
        rows = [row for row, in cursor.execute(f"SELECT rowid FROM {RAW} WHERE {bad} ORDER BY rowid").fetchall()]
        starts = list(self.starts(file, set(), rows))
        self.problems.add(file, count, [f"JSON parsing error in row starting at position {start}: Parser terminated before end of string"
                                        for start in starts[:SHOWN]])
        if self.problems.count > self.problems.limit:
            (self.problems.rows,) = cursor.execute(f"SELECT count(*) FROM {RAW}").fetchone()
            self.problems.check(file)
        # A new table, so that row numbers count what is left.
        cursor.execute(f"CREATE TEMP TABLE load_good AS FROM {RAW} WHERE NOT ({bad})")
        cursor.execute(f"DROP TABLE {RAW}")
        cursor.execute("ALTER TABLE temp.load_good RENAME TO load_raw")
        return starts

    def columns(self, cursor, fields: list[dict]) -> list[Column]:
        keys = self.keys(cursor, f"SELECT j FROM {RAW}")
        known = {field["name"].lower() for field in fields}
        self.found = [] if self.config.get("ignoreUnknownValues") else [
            *((key, f"json_exists(j, {json_path([key])})") for key in keys if key.lower() not in known),
            *itertools.chain.from_iterable(self.inner(cursor, field, [field["name"]], f"SELECT {values.json_member('j', field['name'])} AS j FROM {RAW}")
                                           for field in fields if values.type_name(field) == "RECORD")]
        return [self.column(field, [key for key in keys if key.lower() == field["name"].lower()]) for field in fields]

    def keys(self, cursor, source: str) -> list[str]:
        """The names of the members of all objects that a query finds."""
        return [key for key, in cursor.execute(f"SELECT DISTINCT unnest(json_keys(j)) AS key FROM ({source}) WHERE json_type(j) = 'OBJECT' ORDER BY key").fetchall()]

    def inner(self, cursor, field: dict, path: list[str], source: str) -> Iterator[tuple[str, str]]:
        """Members of a RECORD that its schema has not."""
        if values.repeated(field):
            source, path = f"SELECT unnest(json_extract(j, '$[*]')) AS j FROM ({source})", [*path, "*"]
        known = {part["name"]: part for part in field["fields"]}
        for key in self.keys(cursor, source):
            if key not in known:
                there = json_path([*path, key])
                yield ".".join(part for part in [*path, key] if part != "*"), \
                    f"len(json_extract(j, {there})) > 0" if "*" in path else f"json_exists(j, {there})"
            elif values.type_name(known[key]) == "RECORD":
                yield from self.inner(cursor, known[key], [*path, key], f"SELECT {values.json_member('j', key)} AS j FROM ({source})")

    def column(self, field: dict, spellings: list[str]) -> Column:
        """A member by its name in whichever case; null and no member are the same."""
        members = [values.json_member("j", key) for key in spellings or [field["name"]]]
        member = members[0] if len(members) == 1 else f"coalesce({', '.join(members)})"
        given = f"nullif({member}, 'null'::JSON)"
        if values.repeated(field):
            return Column({**field, "mode": "NULLABLE"}, given, f"coalesce({values.from_json(field, given)}, [])")
        return Column(field, given, values.from_json(field, given))

    def unknown(self) -> list[tuple[str, str]]:
        return self.found or []

    def records(self, file: File) -> Iterator[int]:
        start = 0
        with file.open() as stream:
            for line in stream:
                if line.strip():
                    yield start
                start += len(line)

    def message(self, field: dict, index: int, text: str | None, start: int) -> str:
        at = f"JSON parsing error in row starting at position {start}: "
        if text is None:
            return f"{at}Missing required field: {field['name']}."
        value = json.loads(text)
        if isinstance(value, list):
            return f"{at}Array specified for non-repeated field: {field['name']}." if not self.is_list(field) else bad_value(at, field, value)
        if self.is_list(field):
            return f"{at}Repeated field must be imported as a JSON array. Field: {field['name']}."
        return bad_value(at, field, value)

    def is_list(self, field: dict) -> bool:
        return field["name"] in self.lists

    def check(self, fields: list[dict]) -> None:
        self.lists = {field["name"] for field in fields if values.repeated(field)}

    def no_such_field(self, name: str, start: int) -> str:
        return f"JSON parsing error in row starting at position {start}: No such field: {name}."


def bad_value(at: str, field: dict, value) -> str:
    kind = values.TYPES[values.type_name(field)].sql.lower().replace("int64", "integer").replace("float64", "double").replace("bool", "boolean")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{at}Could not convert value to {kind}. Field: {field['name']}; Value: {shown(text)}"


def json_path(names: list[str]) -> str:
    """A JSON path as a SQL literal; `*` is any element of a list."""
    return values.string("$" + "".join("[*]" if name == "*" else "." + json.dumps(name, ensure_ascii=False) for name in names))


def merge_object(fields: dict, value: dict) -> None:
    """Add an object's members to what is known of each: {name: {"kinds", "repeated", "fields"}}."""
    for name, item in value.items():
        about = fields.setdefault(name, {"kinds": set(), "repeated": False, "fields": {}})
        for one in item if isinstance(item, list) else [item]:
            if isinstance(one, dict):
                about["kinds"].add("RECORD")
                merge_object(about["fields"], one)
            elif one is not None:
                about["kinds"].add(scalar_kind(one))
        about["repeated"] |= isinstance(item, list)


def scalar_kind(value) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, (int, float)):
        return "INTEGER" if isinstance(value, int) else "FLOAT"
    return look([value]) if isinstance(value, str) else "STRING"


def detected(fields: dict) -> list[dict]:
    found = []
    for name, about in fields.items():
        field = {"name": column_name(name), "type": widest(about["kinds"]) or "STRING", "mode": "REPEATED" if about["repeated"] else "NULLABLE"}
        found.append(field | ({"fields": detected(about["fields"])} if field["type"] == "RECORD" else {}))
    return found


# Parquet ------------------------------------------------------------------------------------------

# DuckDB's name of a type -> BigQuery's
FROM_DUCKDB = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"), "INTEGER"),
    "float": "FLOAT", "double": "FLOAT", "boolean": "BOOLEAN", "varchar": "STRING", "uuid": "STRING", "enum": "STRING", "blob": "BYTES", "date": "DATE",
    "time": "TIME", "time_ns": "TIME", "timestamp with time zone": "TIMESTAMP", "interval": "INTERVAL",
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), "DATETIME"), "struct": "RECORD", "json": "JSON"}
# A column of the file may go into a column of these types beside its own.
WIDER = {"INTEGER": {"FLOAT", "NUMERIC", "BIGNUMERIC"}, "NUMERIC": {"BIGNUMERIC", "FLOAT"}, "DATE": {"DATETIME", "TIMESTAMP"}, "DATETIME": {"TIMESTAMP"},
         "TIMESTAMP": {"DATETIME"}, "BYTES": {"STRING"}, "STRING": {"BYTES", "JSON", "GEOGRAPHY"}}


class Parquet(Reader):
    """parquetOptions.enableListInference."""

    what = "Parquet"
    self_describing = True

    def detect(self, cursor, files: list[File]) -> list[dict]:
        return [{"name": column_name(field["name"]), **{key: value for key, value in field.items() if key != "name"}} for field in self.fields(cursor, files[0])]

    def fields(self, cursor, file: File) -> list[dict]:
        """A file's columns; ApiError invalid where it is none."""
        with file.open() as stream:
            if stream.read(4) != b"PAR1":
                raise failed("Input file is not in Parquet format.", file)
        with reading(file):
            found = cursor.execute(f"SELECT * FROM read_parquet({file.sql}) LIMIT 0").description
        return [self.field(name, kind) for name, kind, *_ in found]

    def field(self, name: str, kind) -> dict:
        parts = dict(kind.children) if kind.id in ("list", "array", "struct", "decimal") else {}
        if kind.id in ("list", "array"):
            if not (self.config.get("parquetOptions") or {}).get("enableListInference"):
                raise unsupported(f"the Parquet list {name} unless parquetOptions.enableListInference is set")
            return self.field(name, parts["child"]) | {"mode": "REPEATED"}
        if kind.id == "struct":
            return {"name": name, "type": "RECORD", "mode": "NULLABLE", "fields": [self.field(*part) for part in parts.items()]}
        if kind.id == "decimal":
            return {"name": name, "type": "NUMERIC" if parts["scale"] <= 9 and parts["precision"] - parts["scale"] <= 29 else "BIGNUMERIC", "mode": "NULLABLE"}
        if kind.id not in FROM_DUCKDB:
            raise unsupported(f"the type {kind} of the Parquet column {name}")
        return {"name": name, "type": FROM_DUCKDB[kind.id], "mode": "NULLABLE"}

    def read(self, cursor, file: File, fields: list[dict], relation: str) -> None:
        own = {column_name(field["name"]).lower(): field for field in self.fields(cursor, file)}
        extra = own.keys() - {field["name"].lower() for field in fields}
        if extra and not self.config.get("ignoreUnknownValues"):
            raise failed(f"No such field: {sorted(extra)[0]}.", file)
        items = ", ".join(self.item(cursor, file, field, own.get(field["name"].lower())) for field in fields)
        with reading(file):
            cursor.execute(f"INSERT INTO {relation} SELECT {items} FROM read_parquet({file.sql})")

    def item(self, cursor, file: File, field: dict, own: dict | None) -> str:
        """SQL for a column of the table from the file's column of its name; NULL without one."""
        kind = values.duckdb_type(field)
        if own is None:
            return f"[]::{kind}" if values.repeated(field) else f"NULL::{kind}"
        if values.repeated(own) != values.repeated(field) or values.type_name(field) not in {own["type"], *WIDER.get(own["type"], ())}:
            physical = cursor.execute(f"SELECT type FROM parquet_schema({file.sql}) WHERE name = ?", [own["name"]]).fetchone()
            raise failed(f"Parquet column '{own['name']}' has type {(physical or ['?'])[0]} which does not match the target cpp_type "
                         f"{values.TYPES[values.type_name(field)].sql}.", file)
        x = values.identifier(own["name"])
        if values.type_name(field) == "BIGNUMERIC":
            parse = values.TYPES["BIGNUMERIC"].parse
            x = f"list_transform({x}, lambda e: {parse.format(x='e::VARCHAR')})" if values.repeated(field) else parse.format(x=f"{x}::VARCHAR")
        x = f"CAST({x} AS {kind})"
        return f"coalesce({x}, [])" if values.repeated(field) else x


READERS: dict[str, type[Reader]] = {"CSV": Csv, "NEWLINE_DELIMITED_JSON": Json, "PARQUET": Parquet}


# Writing ------------------------------------------------------------------------------------------

class Format(NamedTuple):
    """A format of extract jobs: its compressions (as DuckDB names them), and the content type of its objects."""

    compressions: dict[str, str]
    content_type: str


WRITTEN = {
    "CSV": Format({"NONE": "none", "GZIP": "gzip"}, "text/csv"),
    "NEWLINE_DELIMITED_JSON": Format({"NONE": "none", "GZIP": "gzip"}, "application/json"),
    "PARQUET": Format({"NONE": "uncompressed", "SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd"}, "application/octet-stream"),
}


def check_writable(name: str, fields: list[dict]) -> None:
    """ApiError invalid for a schema that the format can't hold."""
    for field in fields:
        if name == "CSV" and (values.repeated(field) or values.type_name(field) == "RECORD"):
            raise ApiError("invalid", f"Operation cannot be performed on a nested schema. Field: {field['name']}")


def rows(name: str, fields: list[dict]) -> str:
    """The SELECT list that turns a table's columns into what the format's file holds."""
    if name == "NEWLINE_DELIMITED_JSON":
        return f"{values.object_json(fields)} AS line"
    value = values.file_text if name == "CSV" else parquet_value
    return ", ".join(f"{value(field, values.identifier(field['name']))} AS {values.identifier(field['name'])}" for field in fields)


def parquet_value(field: dict, x: str) -> str:
    name = values.type_name(field)
    if name == "BIGNUMERIC":  # in as many digits as DuckDB's decimals have
        text = values.TYPES[name].text
        return f"list_transform({x}, lambda e: {text.format(x='e')}::DECIMAL(38,18))" if values.repeated(field) else f"{text.format(x=x)}::DECIMAL(38,18)"
    return values.file_text(field, x) if name in ("INTERVAL", "JSON", "RANGE") and not values.repeated(field) else x


def copy_options(name: str, compression: str, config: dict) -> str:
    """The options of DuckDB's COPY ... TO."""
    how = WRITTEN[name].compressions[compression]
    if name == "PARQUET":
        return f"FORMAT parquet, COMPRESSION {how}"
    if name == "NEWLINE_DELIMITED_JSON":
        # A line of JSON has no control characters, so nothing is ever quoted.
        return f"FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '', NULLSTR '\x02', COMPRESSION {how}"
    delimiter = config.get("fieldDelimiter") or ","
    header = "true" if config.get("printHeader", True) else "false"
    return f"FORMAT csv, HEADER {header}, DELIMITER {values.string(DELIMITERS.get(delimiter, delimiter))}, NULLSTR '', COMPRESSION {how}"
