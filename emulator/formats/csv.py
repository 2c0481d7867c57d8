"""CSV files."""
from __future__ import annotations

import csv
import io
import itertools
import mmap
import re
from typing import Iterator

from .. import values
from ..errors import ApiError, unsupported
from .looks import SAMPLE, look
from .reader import RAW, SHOWN, Column, File, Reader, column_name, failed, shown

csv.field_size_limit(1 << 30)
REJECTS = "load_rejects"
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


def delimiter(config: dict) -> str:
    """The fieldDelimiter of a load or an extract job."""
    given = config.get("fieldDelimiter") or ","
    return DELIMITERS.get(given, given)


class Csv(Reader):
    """fieldDelimiter, quote, skipLeadingRows, nullMarker, encoding, allowQuotedNewlines, allowJaggedRows, ignoreUnknownValues."""

    what = "CSV"

    def __init__(self, config: dict):
        super().__init__(config)
        self.delimiter = delimiter(config)
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
