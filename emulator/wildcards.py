"""Wildcard tables: `prefix_*` in a query stands for all the tables whose names begin so."""
from __future__ import annotations

import datetime as dt
import json

from . import datasets, iam, partitions, row_access, tables, values
from .calls import Emulator
from .errors import ApiError
from .query import Table


class Wildcard(Table):
    """The tables whose names begin as `prefix*` says, as one: the newest one's columns, and _TABLE_SUFFIX."""

    def __init__(self, emulator: Emulator, principal: str, ref: tables.Ref):
        datasets.find(emulator.lake, ref[:2])
        prefix = ref[2].removesuffix("*")
        self.members = [body for body in emulator.lake.children("table", ref[:2])
                        if body["tableReference"]["tableId"].startswith(prefix) and body["type"] == "TABLE" and not tables.expired(body)]
        if not self.members:
            raise ApiError("invalidQuery", f"{iam.name_of(ref)} does not match any table.", "query")
        for body in self.members:
            row_access.require_all_rows(emulator, principal, (*ref[:2], body["tableReference"]["tableId"]))
        newest = max(self.members, key=lambda body: int(body["creationTime"]))
        super().__init__(emulator, ref, {"schema": newest.get("schema", {})})
        self.prefix = prefix
        self.pseudo = [{"name": partitions.SUFFIX, "type": "STRING", "mode": "NULLABLE"}]
        self.partitioning = partitions.Partitioning(partitions.SUFFIX, "{x}", "{x}", exact=True)
        self.key = (ref, json.dumps(self.fields + self.pseudo), tuple(body["_relation"] for body in self.members))

    def suffix(self, body: dict) -> str:
        return values.string(body["tableReference"]["tableId"].removeprefix(self.prefix))

    def relation(self, at: dt.datetime | None = None) -> str:
        if at is not None:
            raise ApiError("invalidQuery", "FOR SYSTEM_TIME AS OF is not possible with a wildcard table.", "query")
        return "(" + " UNION ALL ".join(self.rows(body) for body in self.members) + ")"

    def rows(self, body: dict) -> str:
        """One table's rows under the columns of all: NULL for those it lacks."""
        own = {field["name"].lower(): field for field in body.get("schema", {}).get("fields", ())}
        for field in self.fields:
            known = own.get(field["name"].lower(), field)
            if values.type_name(known) != values.type_name(field) or values.repeated(known) != values.repeated(field):
                raise ApiError("invalidQuery", f"Cannot read field '{field['name']}' of type {values.type_name(known)} as {values.type_name(field)}", "query")
        items = [f"{values.identifier(own[name]['name']) if (name := field['name'].lower()) in own else 'NULL'}::{values.duckdb_type(field)} "
                 f"AS {values.identifier(field['name'])}" for field in self.fields]
        return (f"SELECT {', '.join(items + [f'{self.suffix(body)} AS {partitions.SUFFIX}'])} "
                f"FROM {self.emulator.lake.relation(body, self.version)}")

    def bytes(self, columns: set[str], condition: str | None = None) -> int:
        lake = self.emulator.lake
        if condition:
            listed = ", ".join(f"({place}, {self.suffix(body)})" for place, body in enumerate(self.members))
            chosen = lake.cursor().execute(f'SELECT place FROM (VALUES {listed}) t(place, "{partitions.SUFFIX}") WHERE {condition}').fetchall()
            read = [self.members[place] for place, in chosen]
        else:
            read = self.members
        return sum(lake.measure(body, of_its_own(body, columns), self.version) for body in read)


def of_its_own(body: dict, columns: set[str]) -> list[str]:
    """Those of some columns, or fields of them, that a table has."""
    own = {field["name"].lower() for field in body.get("schema", {}).get("fields", ())}
    return [name for name in columns if name.split(".")[0].lower() in own]
