"""Exports of Datastore and Firestore, whose entities may each have other properties, and properties of other types.

Source: BigQuery's "Loading data from Datastore exports", "Loading data from Firestore exports".
"""
from __future__ import annotations

import functools
import itertools
import json
from contextlib import contextmanager
from typing import Callable, Iterator

from .. import datastore, tables, values
from ..errors import ApiError, unsupported
from .reader import File, Reader, failed

BATCH = 10_000  # entities that are inserted at once
MOST_BYTES = 64 * 1024  # of a text or a blob, the rest of which is cut off
SOURCE = "datastore_rows"
MOMENTS = (-62_135_596_800_000_000, 253_402_300_799_999_999)  # microseconds of the first and the last TIMESTAMP
EMPTY_ARRAY = 24  # the meaning of a property that is an array without elements


def column(name: str, kind: str, *fields: dict) -> dict:
    return {"name": name, "type": kind, "mode": "NULLABLE"} | ({"fields": list(fields)} if fields else {})


KEY = column("__key__", "RECORD", *(column(name, "STRING") for name in ("namespace", "app", "path", "kind", "name")), column("id", "INTEGER"))
ERRORS = [{**column("__error__", "STRING"), "mode": "REPEATED"}, column("__has_error__", "BOOLEAN")]
PROVIDED = column("provided", "STRING")
OWN = {field["name"] for field in (KEY, *ERRORS)}
# Each type that a property may have, in the order that the fields have of one that has several.
KINDS = {kind: column(kind, bigquery) for kind, bigquery in (
    ("float", "FLOAT"), ("integer", "INTEGER"), ("boolean", "BOOLEAN"), ("string", "STRING"), ("date_time", "TIMESTAMP"), ("rating", "INTEGER"),
    ("link", "STRING"), ("category", "STRING"), ("phone_number", "STRING"), ("postal_address", "STRING"), ("email", "STRING"), ("im_handle", "STRING"),
    ("blob_key", "STRING"), ("text", "STRING"), ("blob", "BYTES"), ("short_blob", "BYTES"))} | {
    "user": column("user", "RECORD", column("email", "STRING"), column("userid", "STRING")),
    "geo_point": column("geo_point", "RECORD", column("lat", "FLOAT"), column("long", "FLOAT")),
    "reference": {**KEY, "name": "reference"}, "entity": column("entity", "RECORD")}
# The member of a value that is set -> the type that it is of by the property's meaning, and without one.
MEMBERS = {
    "int64value": ({7: "date_time", 13: "rating"}, "integer"), "booleanvalue": ({}, "boolean"), "doublevalue": ({}, "float"), "pointvalue": ({}, "geo_point"),
    "stringvalue": ({1: "category", 2: "link", 8: "email", 10: "im_handle", 11: "phone_number", 12: "postal_address", 14: "blob", 15: "text",
                     16: "short_blob", 17: "blob_key", 19: "entity"}, "string"), "uservalue": ({}, "user"), "referencevalue": ({}, "reference")}


class Found:
    """What is known of a property: the types it has, whether it is an array, and the properties of the entities that are its values."""

    def __init__(self):
        self.kinds: set[str] = set()
        self.repeated = False
        self.inside: dict[bytes, Found] = {}


class Datastore(Reader):
    """projectionFields. A value that has no place in a row is left out, and __error__ says so; maxBadRecords has nothing to count."""

    what = "Datastore export"
    self_describing = exported = True

    def check_options(self) -> None:
        super().check_options()
        self.renamed = functools.cache(lambda name: self.column_name(word(name)))  # there are few, and each is in every entity
        self.wanted = set(self.config.get("projectionFields") or ())
        if (self.config.get("schema") or {}).get("fields") or self.config.get("schemaInline"):
            raise ApiError("invalid", "A schema can't be given for a Datastore export: its columns are those that the export has.")

    def detect(self, cursor, files: list[File]) -> list[dict]:
        """The schema of all files."""
        shape: dict[bytes, Found] = {}
        for file in files:
            with whole(file):
                for entity in entities(file):
                    look(shape, entity)
        if missing := self.wanted - OWN - {word(name) for name in shape}:
            raise ApiError("invalid", f"The property {min(missing)}, which projectionFields names, was not found in the Datastore export.", files[0].uri)
        wanted = {name: about for name, about in shape.items() if not self.wanted or word(name) in self.wanted}
        return [*self.fields(wanted), KEY, *ERRORS]

    def fields(self, shape: dict[bytes, Found]) -> list[dict]:
        return [self.field(name, about) for name, about in shape.items()]

    def field(self, name: bytes, about: Found) -> dict:
        """A property's column: a RECORD with a field for each type where it has several, a STRING where it is always null."""
        parts = [KINDS[kind] for kind in KINDS if kind in about.kinds]
        if "entity" in about.kinds:
            parts[-1] = {**parts[-1], "fields": [*self.fields(about.inside), KEY]}
        made = column("", "RECORD", *parts, PROVIDED) if len(parts) > 1 else parts[0] if parts else KINDS["string"]
        return {**made, "name": self.renamed(name), "mode": "REPEATED" if about.repeated else "NULLABLE"}

    def read(self, cursor, file: File, fields: list[dict], relation: str) -> None:
        try:
            import pyarrow as pa
        except ImportError:
            raise unsupported("sourceFormat DATASTORE_BACKUP without the package pyarrow") from None
        schema = cursor.execute(f"FROM {relation} LIMIT 0").fetch_record_batch().schema
        with whole(file):
            rows = (self.row(entity, fields) for entity in entities(file))
            while batch := list(itertools.islice(rows, BATCH)):
                cursor.register(SOURCE, pa.Table.from_pylist(batch, schema))
                cursor.execute(f"INSERT INTO {relation} FROM {SOURCE}")
                cursor.unregister(SOURCE)
                self.problems.rows += len(batch)

    def row(self, entity, fields: list[dict]) -> dict:
        errors: list[str] = []
        return self.members(entity, fields, "", errors) | {"__error__": errors, "__has_error__": bool(errors)}

    def members(self, entity, fields: list[dict], path: str, errors: list[str]) -> dict:
        """An entity's values by the names of their columns. errors: takes what is wrong with them."""
        found = {self.renamed(name): items for name, items in properties(entity).items()}
        made = {field["name"]: self.value(found.get(field["name"], ()), field, path + field["name"], errors) for field in fields if field["name"] not in OWN}
        key = entity.key
        return made | {"__key__": key_of(key, [(step.type, step.name, step.id) for step in key.path.element])}

    def value(self, items, field: dict, path: str, errors: list[str]):
        made = [value for item in items if (value := self.one(item, field, path, errors)) is not None]
        if not values.repeated(field):
            return made[0] if made else None
        if len(made) < sum(item.meaning != EMPTY_ARRAY for item in items):
            errors.append(f"Array {path}: elements that are null or can't be converted are left out")
        return made

    def one(self, item, field: dict, path: str, errors: list[str]):
        kind, raw = kind_of(item)
        if not kind:
            return None
        several = bool(field.get("fields")) and field["fields"][-1]["name"] == PROVIDED["name"]  # the last field of an entity is its key
        part = next((part for part in field["fields"] if part["name"] == kind), {}) if several else field
        if part.get("type") != KINDS[kind]["type"]:
            errors.append(f"Property {path}: the column is of no type that {kind} goes into")
            return None
        try:
            value = self.members(embedded(raw), part["fields"], f"{path}.", errors) if kind == "entity" else CONVERTED.get(kind, text)(raw)
        except ValueError as error:
            errors.append(f"Property {path}: {error}")
            return None
        return {kind: value, "provided": kind} if several else value


@contextmanager
def whole(file: File) -> Iterator[None]:
    """What is said of a file that is damaged, as ApiError invalid."""
    try:
        yield
    except datastore.Damaged as error:
        raise failed(f"The Datastore export is damaged: {error}.", file) from None


def entities(file: File) -> Iterator:
    with file.path.open("rb") as log:
        yield from datastore.read_entities(log)


def properties(entity) -> dict[bytes, list]:
    """An entity's properties: name -> the values, of which an array has several."""
    found: dict[bytes, list] = {}
    for each in itertools.chain(entity.property, entity.raw_property):
        found.setdefault(each.name, []).append(each)
    return found


def look(shape: dict[bytes, Found], entity, depth: int = 1) -> None:
    """Add an entity's properties to what is known of them."""
    if depth > tables.MAX_NESTING:
        raise datastore.Damaged(f"entities are embedded deeper than {tables.MAX_NESTING} levels")
    for name, items in properties(entity).items():
        about = shape.setdefault(name, Found())
        for item in items:
            kind, raw = kind_of(item)
            about.repeated |= item.multiple or item.meaning == EMPTY_ARRAY
            about.kinds |= {kind} if kind else set()
            if kind == "entity":
                look(about.inside, embedded(raw), depth + 1)


def kind_of(item) -> tuple[str | None, object]:
    """The type of a property's value, None for null, and the value as the export has it."""
    for member, raw in item.value.ListFields():
        by_meaning, plain = MEMBERS[member.name]
        return by_meaning.get(item.meaning, plain), raw
    return None, None


def embedded(raw: bytes):
    return datastore.parsed(raw, "an embedded entity is none")


# Values -------------------------------------------------------------------------------------------

def key_of(key, steps: list[tuple[bytes, bytes, int]]) -> dict | None:
    """A key's record; None for the key that an embedded entity has not. steps: (kind, name, id) from the root."""
    if not steps:
        return None
    path = ", ".join(f"{quoted(kind)}, {quoted(name) if name else number}" for kind, name, number in steps)
    kind, name, number = steps[-1]
    return {"namespace": word(key.name_space), "app": word(key.app), "path": path, "kind": word(kind), "name": word(name) or None,
            "id": None if name else number}


def quoted(name: bytes) -> str:
    return json.dumps(word(name), ensure_ascii=False)


def word(raw: bytes) -> str:
    return raw.decode(errors="replace")


def text(raw: bytes) -> str:
    """A text, cut off where it is too long; ValueError where it is none."""
    found = raw.decode()
    return found if len(raw) <= MOST_BYTES else raw[:MOST_BYTES].decode(errors="ignore")


def moment(microseconds: int) -> int:
    if not MOMENTS[0] <= microseconds <= MOMENTS[1]:
        raise ValueError(f"{microseconds} microseconds from 1970 on are no TIMESTAMP")
    return microseconds


CONVERTED: dict[str, Callable] = dict.fromkeys(("float", "integer", "boolean", "rating"), lambda raw: raw) | {
    "date_time": moment, "blob": lambda raw: raw[:MOST_BYTES], "short_blob": lambda raw: raw[:MOST_BYTES],
    "user": lambda raw: {"email": text(raw.email), "userid": text(raw.obfuscated_gaiaid) or None},
    "geo_point": lambda raw: {"lat": raw.x, "long": raw.y},
    "reference": lambda raw: key_of(raw, [(step.type, step.name, step.id) for step in raw.pathelement])}
