"""Wildcard tables: `prefix_*` in a query stands for all the tables whose names begin so."""
from __future__ import annotations

import datetime as dt
import json

from . import datasets, iam, partitions, row_access, tables, values
from .calls import Emulator
from .errors import ApiError
from .lake import Lake, now_ms
from .query import Table


def members(lake: Lake, ref: tables.Ref) -> list[dict]:
    """The tables that a name with a star at its end stands for; in a dataset that is case-insensitive, its case does not matter."""
    if not ref[2].endswith("*"):
        return []
    folded = str.lower if (lake.get("dataset", ref[:2]) or {}).get("isCaseInsensitive") else str
    return [body for body in lake.children("table", ref[:2]) if folded(body["tableReference"]["tableId"]).startswith(folded(ref[2].removesuffix("*")))
            and body["type"] == "TABLE" and not tables.expired(body)]


class Wildcard(Table):
    """The tables whose names begin as `prefix*` says, as one: the newest one's columns, and _TABLE_SUFFIX."""

    def __init__(self, emulator: Emulator, principal: str, ref: tables.Ref):
        datasets.find(emulator.lake, ref[:2])
        self.members = members(emulator.lake, ref)
        if not self.members:
            raise ApiError("invalidQuery", f"{iam.name_of(ref)} does not match any table.", "query")
        for body in self.members:
            row_access.require_all_rows(emulator, principal, (*ref[:2], body["tableReference"]["tableId"]))
        newest = max(self.members, key=lambda body: int(body["creationTime"]))
        super().__init__(emulator, ref, {"schema": newest.get("schema", {})})
        self.prefix = len(ref[2].removesuffix("*"))
        self.pseudo = [{"name": partitions.SUFFIX, "type": "STRING", "mode": "NULLABLE"}]
        self.partitioning = partitions.Partitioning(partitions.SUFFIX, "{x}", "{x}", exact=True)
        self.key = (ref, json.dumps(self.fields + self.pseudo), tuple(body["_relation"] for body in self.members))

    def shown(self) -> dict:
        """What tables.get tells of it: a table that was made just now, with the rows of all."""
        every = [tables.render(self.emulator.lake, body) for body in self.members]
        totals = {key: str(sum(int(each[key]) for each in every)) for key in ("numRows", "numBytes", "numTotalLogicalBytes", "numActiveLogicalBytes")}
        now = str(now_ms())
        body = {"kind": "bigquery#table", **tables.identity(self.ref), "type": "TABLE", "schema": {"fields": self.fields}, "creationTime": now,
                "lastModifiedTime": now, "location": every[0]["location"], "numLongTermBytes": "0", "numLongTermLogicalBytes": "0", **totals}
        return body | {"etag": tables.tag(body)}

    def suffix(self, body: dict) -> str:
        return values.string(body["tableReference"]["tableId"][self.prefix:])

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
