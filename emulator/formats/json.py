"""Files of newline-delimited JSON."""
from __future__ import annotations

import itertools
import json
from typing import Iterator

from .. import values
from ..errors import ApiError
from .looks import SAMPLE, widest
from .reader import RAW, SHOWN, Column, File, Reader, failed, shown

MOST_BYTES = 100 * 1024 * 1024  # of one record
# A GeoJSON feature as a row: its properties, and its geometry as a text that GEOGRAPHY is read from; what is no feature stays what it is.
FEATURE = """CASE json_extract_string(json, '$.type') WHEN 'Feature' THEN json_merge_patch(coalesce(nullif(json->'$.properties', 'null'::JSON), '{}'::JSON),
    json_object('geometry', nullif(json->'$.geometry', 'null'::JSON)::VARCHAR)) END"""


class Json(Reader):
    """One object a line; ignoreUnknownValues, encoding, jsonExtension, and the formats of dates and times."""

    what = "JSON"
    is_text = True

    def check_options(self) -> None:
        super().check_options()
        extension = self.config.get("jsonExtension") or "JSON_EXTENSION_UNSPECIFIED"
        if extension not in ("JSON_EXTENSION_UNSPECIFIED", "GEOJSON"):
            raise ApiError("invalid", f"Invalid value for jsonExtension: {extension} is not a valid value")
        self.geojson = extension == "GEOJSON"

    def detect(self, cursor, files: list[File]) -> list[dict]:
        with self.in_utf8(files[0]) as file, file.open() as stream:
            lines = itertools.islice((line for line in stream if line.strip()), SAMPLE)
            fields: dict = {}
            for line in lines:
                try:
                    value = json.loads(line)
                    self.merge_object(fields, value["properties"] or {} if self.geojson else value)
                except (ValueError, AttributeError, KeyError, TypeError):
                    break  # reading will report it
        if not fields and not self.geojson:
            raise failed("Schema has no fields.", files[0])
        found = self.detected(fields)
        return [*found, {"name": "geometry", "type": "GEOGRAPHY", "mode": "NULLABLE"}] if self.geojson else found

    def stage(self, cursor, file: File, fields: list[dict]) -> list[int]:
        most = min(MOST_BYTES, max(16 * 1024 * 1024, file.path.stat().st_size * (20 if file.zipped else 1)))
        cursor.execute(f"CREATE TEMP TABLE load_raw AS SELECT {FEATURE if self.geojson else 'json'} AS j FROM read_json_objects({file.sql}, format = 'newline_delimited', "
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

    def merge_object(self, fields: dict, value: dict) -> None:
        """Add an object's members to what is known of each: {name: {"kinds", "repeated", "fields"}}."""
        for name, item in value.items():
            about = fields.setdefault(name, {"kinds": set(), "repeated": False, "fields": {}})
            for one in item if isinstance(item, list) else [item]:
                if isinstance(one, dict):
                    about["kinds"].add("RECORD")
                    self.merge_object(about["fields"], one)
                elif one is not None:
                    about["kinds"].add(self.scalar_kind(one))
            about["repeated"] |= isinstance(item, list)

    def scalar_kind(self, value) -> str:
        if isinstance(value, bool):
            return "BOOLEAN"
        if isinstance(value, (int, float)):
            return "INTEGER" if isinstance(value, int) else "FLOAT"
        kind = self.looks.kind([value]) if isinstance(value, str) else "STRING"
        return "STRING" if kind == "BOOLEAN" and value.lower() not in ("true", "false") else kind

    def detected(self, fields: dict) -> list[dict]:
        found = []
        for name, about in fields.items():
            field = {"name": self.column_name(name), "type": widest(about["kinds"]) or "STRING", "mode": "REPEATED" if about["repeated"] else "NULLABLE"}
            found.append(field | ({"fields": self.detected(about["fields"])} if field["type"] == "RECORD" else {}))
        return found

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
            return Column({**field, "mode": "NULLABLE"}, given, f"coalesce({values.from_json(field, given, parsers=self.parsers)}, [])")
        return Column(field, given, values.from_json(field, given, parsers=self.parsers))

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

    def rule(self, field: dict, broken: str, text: str, start: int) -> str:
        why = null_inside(field, json.loads(text), field["name"]) or f"Field {field['name']}: {broken}"
        return f"JSON parsing error in row starting at position {start}: {why}"

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


def null_inside(field: dict, value, path: str) -> str | None:
    """What is said of the first null in a value that may not be there: an element of an array, or a part that is REQUIRED."""
    if isinstance(value, list):
        if None in value and values.type_name(field) != "JSON":
            return f"Only optional fields can be set to NULL. Field: {path}; Value: NULL"
        return next((why for item in value if (why := null_inside(field, item, path))), None)
    for part in field.get("fields", ()) if isinstance(value, dict) else ():
        inner, where = value.get(part["name"]), f"{path}.{part['name']}"
        if inner is None and part.get("mode") == "REQUIRED":
            return f"Missing required field: {where}."
        if why := null_inside(part, inner, where):
            return why
    return None


def json_path(names: list[str]) -> str:
    """A JSON path as a SQL literal; `*` is any element of a list."""
    return values.string("$" + "".join("[*]" if name == "*" else "." + json.dumps(name, ensure_ascii=False) for name in names))
