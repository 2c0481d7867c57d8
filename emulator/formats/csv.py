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
from . import texts
from .looks import SAMPLE
from .reader import RAW, SHOWN, Column, File, Reader, failed, shown

csv.field_size_limit(1 << 30)
REJECTS = "load_rejects"
NAME = re.compile(r"(?!(true|false)$)", re.IGNORECASE)  # y and n are truth values too, but may head a column
DELIMITERS = {"\\t": "\t", "tab": "\t", "\\x01": "\x01"}
# A bad line, by what DuckDB calls its fault.
FAULTS = {
    "TOO MANY COLUMNS": "Too many values in row starting at position: {start}. Found {found} column(s) while expected {expected}.",
    "MISSING COLUMNS": "CSV table references column position {found}, but line starting at position:{start} contains only {found} columns.",
    "UNQUOTED VALUE": "Error detected while parsing row starting at position: {start}. Error: {quote}",
    "INVALID ENCODING": "Error detected while parsing row starting at position: {start}. Error: Bad character encountered: the text is not valid UTF-8.",
    "LINE SIZE OVER MAXIMUM": "Error detected while parsing row starting at position: {start}. Error: Row size is larger than the maximum.",
}


def delimiter(config: dict) -> str:
    """The fieldDelimiter of a load or an extract job."""
    given = config.get("fieldDelimiter") or ","
    return DELIMITERS.get(given, given)


class Csv(Reader):
    """fieldDelimiter, quote, skipLeadingRows, nullMarker and nullMarkers, encoding, allowQuotedNewlines, allowJaggedRows, ignoreUnknownValues,
    preserveAsciiControlCharacters, sourceColumnMatch, columnNameCharacterMap, and the formats of dates and times."""

    what = "CSV"
    is_text = True

    def check_options(self) -> None:
        super().check_options()
        config = self.config
        self.delimiter, self.quote = delimiter(config), config.get("quote", '"')[:1]
        if len(self.delimiter) != 1:
            raise ApiError("invalid", f"Invalid value for fieldDelimiter: {self.delimiter}; it is one character.")
        if "nullMarker" in config and config.get("nullMarkers"):
            raise ApiError("invalid", "nullMarker and nullMarkers can't both be set.")
        self.nulls = config.get("nullMarkers") or [config.get("nullMarker", "")]
        self.skip = int(config.get("skipLeadingRows") or 0)
        self.newlines = bool(config.get("allowQuotedNewlines", config.get("autodetect")))
        self.finds_header = bool(config.get("autodetect")) and config.get("skipLeadingRows") is None
        self.finds_delimiter = bool(config.get("autodetect")) and not config.get("fieldDelimiter")
        match = config.get("sourceColumnMatch") or "SOURCE_COLUMN_MATCH_UNSPECIFIED"
        if match not in ("SOURCE_COLUMN_MATCH_UNSPECIFIED", "POSITION", "NAME"):
            raise ApiError("invalid", f"Invalid value for sourceColumnMatch: {match} is not a valid value")
        self.by_name = match == "NAME"
        self.may_name = match.endswith("UNSPECIFIED") and bool(config.get("autodetect")) and not (config.get("schema") or {}).get("fields")
        if self.by_name and not (self.skip or config.get("autodetect")):
            raise ApiError("invalid", "sourceColumnMatch NAME needs a header row: set skipLeadingRows.")
        if [digits for digits in config.get("timestampTargetPrecision") or () if int(digits) != 6]:
            raise unsupported("timestampTargetPrecision other than 6")

    def check(self, fields: list[dict]) -> None:
        for field in fields:
            if values.repeated(field) or values.type_name(field) == "RECORD":
                raise ApiError("invalid", f"Cannot load CSV data with a nested schema. Field: {field['name']}")

    def sample(self, file: File) -> list[list[str]]:
        """The first records, after those to skip but for the last, which may be the header."""
        with file.open() as binary:
            text = io.TextIOWrapper(binary, "utf-8-sig", errors="replace", newline="")
            for _ in itertools.islice(text, max(self.skip - 1, 0)):
                pass
            if self.finds_delimiter:
                line = text.readline()
                self.delimiter = max(",|\t", key=line.count)
                text = itertools.chain([line], text)
            quoting = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
            return [row for row in itertools.islice(csv.reader(text, delimiter=self.delimiter, **quoting), SAMPLE + 1) if row]

    def detect(self, cursor, files: list[File]) -> list[dict]:
        with self.in_utf8(files[0]) as file:
            rows = self.sample(file)
        if not rows:
            raise failed("Schema has no fields. Table: the file is empty.", files[0])
        header = self.header(rows)
        width = max(len(row) for row in rows)
        kinds = self.kinds(rows[1:] if header or self.skip else rows, width)
        return self.named(kinds, [*(header or []), *[""] * width][:width])

    def kinds(self, rows: list[list[str]], width: int) -> list[str]:
        """The type of each column."""
        return [self.looks.kind([row[index] for row in rows if index < len(row) and row[index] not in ("", *self.nulls)]) or "STRING" for index in range(width)]

    def header(self, rows: list[list[str]]) -> list[str] | None:
        """The first record if it names the columns: all of it text, over columns that are not. It is then skipped."""
        if self.config.get("skipLeadingRows") is not None and not self.skip:
            return None
        names = all(NAME.match(cell.strip()) and self.looks.kind([cell]) in ("STRING", "BOOLEAN") for cell in rows[0] if cell.strip())
        if not names or set(self.kinds(rows[1:], len(rows[0]))) == {"STRING"}:
            return None
        if self.finds_header:
            self.skip, self.finds_header = 1, False
        return rows[0]

    def named(self, kinds: list[str], names: list[str]) -> list[dict]:
        """Detected columns, each with a name of its own; a missing name tells the type."""
        fields, seen = [], set()
        for index, (kind, name) in enumerate(zip(kinds, names)):
            name = self.column_name(name) or f"{values.TYPES[kind].sql.lower().replace('float64', 'double')}_field_{index}"
            while name.lower() in seen:
                name += f"_{index}"
            seen.add(name.lower())
            fields.append({"name": name, "type": kind, "mode": "NULLABLE"})
        return fields

    def stage(self, cursor, file: File, fields: list[dict]) -> list[int]:
        rows = self.sample(file) if self.finds_header or self.finds_delimiter or self.by_name or self.may_name else []
        header = self.names(rows)
        self.places = list(range(len(fields))) if header is None else self.match(header, fields, file)
        width = len(header or fields)
        for table in (REJECTS, REJECTS + "_scans"):
            cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")
        names = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(width))
        nulls = ", ".join(values.string(marker) for marker in self.nulls)
        quote = values.string(self.quote)
        cursor.execute(f"""CREATE TEMP TABLE load_raw AS FROM read_csv({file.sql}, auto_detect = false, header = false, columns = {{{names}}},
            delim = {values.string(self.delimiter)}, quote = {quote}, escape = {quote}, nullstr = [{nulls}], allow_quoted_nulls = false,
            skip = {self.skip}, null_padding = {bool(self.config.get('allowJaggedRows'))}, strict_mode = {not self.config.get('ignoreUnknownValues')},
            parallel = {not self.config.get('allowJaggedRows')}, max_line_size = {16 * 1024 * 1024}, {file.compression},
            store_rejects = true, rejects_table = '{REJECTS}', rejects_scan = '{REJECTS}_scans', rejects_limit = 0)""")
        self.nul = not self.config.get("preserveAsciiControlCharacters") and holds_nul(file)
        return self.rejected(cursor, file, width)

    def names(self, rows: list[list[str]]) -> list[str] | None:
        """The header that columns are matched by; None where they go by position, as they do in a file that does not name each."""
        if self.by_name:
            return rows[0] if rows else []
        header = self.header(rows) if rows and (self.finds_header or self.may_name) else None
        found = {self.column_name(name).lower() for name in header or ()}
        return header if self.may_name and header and "" not in found and len(found) == len(header) else None

    def match(self, header: list[str], fields: list[dict], file: File) -> list[int | None]:
        """Where in the file each column of the table is, by its name in the header."""
        found = {self.column_name(name).lower(): index for index, name in enumerate(header)}
        unknown = found.keys() - {field["name"].lower() for field in fields}
        if unknown and not self.config.get("ignoreUnknownValues"):
            raise failed(f"No such field: {min(unknown)}.", file)
        return [found.get(field["name"].lower()) for field in fields]

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
            messages.append(pattern.format(start=start, found=found and found[1], expected=expected, quote=quote))
        self.problems.add(file, len(lines), messages)
        if self.problems.count > self.problems.limit:
            (rows,) = cursor.execute(f"SELECT count(*) FROM {RAW}").fetchone()
            self.problems.rows += rows + len(lines)
            self.problems.check(file)
        return [start for start, *_ in lines]

    def columns(self, cursor, fields: list[dict]) -> list[Column]:
        sources = [f"c{place}" if place is not None else "NULL::VARCHAR" for place in self.places]
        return [Column(field, x, self.value(field, x)) for field, x in zip(fields, sources)]

    def value(self, field: dict, x: str) -> str:
        kind = values.type_name(field)
        if kind == "STRING":
            # A newline in a value can only have come from quotes.
            refused = [letter for letter, there in (("chr(10)", not self.newlines), ("chr(0)", self.nul)) if there]
            test = " OR ".join(f"contains({x}, {letter})" for letter in refused)
            return f"CASE WHEN {test} THEN {values.misfit(field, x)} ELSE {x} END" if test else x
        if kind in self.parsers:
            return self.parsers[kind].format(x=x)
        if kind == "RANGE":
            return self.bounded(field, x)
        if kind == "INTEGER":
            return f"CASE WHEN regexp_full_match({x}, ' *[-+]?[0-9]+ *') THEN CAST({x} AS BIGINT) ELSE {values.misfit(field, x)} END"
        if kind == "DATE":
            return f"CASE WHEN regexp_full_match({x}, ' *[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}} *') THEN CAST({x} AS DATE) ELSE {values.misfit(field, x)} END"
        if kind in ("FLOAT", "NUMERIC"):
            # DuckDB would take 1_000 for a number.
            return f"CASE WHEN contains({x}, '_') THEN {values.misfit(field, x)} ELSE CAST({x} AS {values.TYPES[kind].duckdb}) END"
        parse = values.TYPES[kind].parse
        return parse.format(x=x) if parse else f"CAST({x} AS {values.TYPES[kind].duckdb})"

    def bounded(self, field: dict, x: str) -> str:
        bounds = []
        for group, part in enumerate(values.parts(field), 1):
            bound = f"regexp_extract({x}, '{texts.RANGE}', {group})"
            bounds.append(f"CASE WHEN upper({bound}) NOT IN ('NULL', 'UNBOUNDED') THEN {self.value(part, bound)} END")
        made = f"struct_pack(start := {bounds[0]}, \"end\" := {bounds[1]})"
        return f"CASE WHEN NOT regexp_full_match({x}, '{texts.RANGE}') OR {bounds[0]} >= {bounds[1]} THEN {values.misfit(field, x)} WHEN {x} IS NOT NULL THEN {made} END"

    def records(self, file: File) -> Iterator[int]:
        quote = re.escape(self.quote.encode()) or b"\n"
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
        if "\0" in text and self.nul:
            return f"Error detected while parsing row starting at position: {start}. Error: Bad character (ASCII 0) encountered."
        if "\n" in text and not self.newlines:
            return f"Error detected while parsing row starting at position: {start}. Error: Missing close double quote ({self.quote}) character."
        kind = values.TYPES[values.type_name(field)].sql
        return f"Could not parse '{shown(text)}' as {kind} for field {field['name']} (position {index}) starting at location {start} with message 'Unable to parse'"

    def rule(self, field: dict, broken: str, text: str, start: int) -> str:
        return f"Error detected while parsing row starting at position: {start}. Error: Field {field['name']}: {broken}"


def contents(file: File):
    """A whole file, unzipped; not copied where it isn't zipped."""
    if file.zipped:
        with file.open() as stream:
            return stream.read()
    if not file.path.stat().st_size:
        return b""
    with file.path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def holds_nul(file: File) -> bool:
    with file.open() as stream:
        return any(b"\0" in chunk for chunk in iter(lambda: stream.read(1 << 20), b""))
