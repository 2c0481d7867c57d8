"""Partitions: which one a row is in, what a decorator `t$ID` means, and which of them a filter leaves to be read.

A table partitioned by ingestion time keeps each row's partition in a column of the lake, `_PARTITIONTIME`, that
no schema shows and that queries may name. Source: BigQuery's "Introduction to partitioned tables".
"""
from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from . import values
from .errors import ApiError

TIME, DATE, SUFFIX, FILE = "_PARTITIONTIME", "_PARTITIONDATE", "_TABLE_SUFFIX", "_FILE_NAME"
FORMATS = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}
SUMMARY = "__PARTITIONS_SUMMARY__"  # a decorator that means the table of a table's partitions
NULL, REST = "__NULL__", "__UNPARTITIONED__"


class Partitioning(NamedTuple):
    """How a table's rows are divided. column: of the lake; first and last: DuckDB SQL of the least and the greatest
    value that a row of the same partition may have, {x} standing for the row's own; exact: they are the row's own; others: columns
    that divide them further."""

    column: str
    first: str
    last: str
    exact: bool = False
    others: tuple[str, ...] = ()


def hive(body: dict) -> dict:
    """How the files of an external table lie in folders, as REST has it."""
    return body.get("externalDataConfiguration", {}).get("hivePartitioningOptions") or {}


def filter_required(body: dict) -> bool:
    """Whether a query of a table must have a filter by which partitions can be chosen."""
    return bool(body.get("requirePartitionFilter") or hive(body).get("requirePartitionFilter"))


def ingested(body: dict) -> bool:
    """Whether a table is partitioned by the time at which its rows came."""
    return "timePartitioning" in body and not body["timePartitioning"].get("field")


def stored(body: dict) -> list[dict]:
    """The columns that a table has in the lake: those of its schema, and the one of ingestion time."""
    return [*body.get("schema", {}).get("fields", ()), *hidden(body)]


def hidden(body: dict) -> list[dict]:
    if not ingested(body):
        return []
    unit = body["timePartitioning"]["type"]
    return [{"name": TIME, "type": "TIMESTAMP", "mode": "NULLABLE", "defaultValueExpression": f"TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), {unit})",
             "_default": f"date_trunc('{unit.lower()}', now())"}]


def pseudo(body: dict) -> list[dict]:
    """The columns that a query may name though `*` does not have them."""
    if body.get("type") == "EXTERNAL":
        return [{"name": FILE, "type": "STRING", "mode": "NULLABLE"}]
    if not ingested(body):
        return []
    named = [{"name": TIME, "type": "TIMESTAMP", "mode": "NULLABLE"}]
    return named + ([{"name": DATE, "type": "DATE", "mode": "NULLABLE"}] if body["timePartitioning"]["type"] == "DAY" else [])


def of(body: dict) -> Partitioning | None:
    """A table's partitioning; None for a table without."""
    time, number = body.get("timePartitioning"), body.get("rangePartitioning")
    if ingested(body):
        return Partitioning(TIME, "{x}", "{x}", exact=True)
    if keys := hive(body).get("fields"):
        return Partitioning(keys[0], "{x}", "{x}", exact=True, others=tuple(keys[1:]))
    if time:
        field = field_of(body, time["field"])
        return by_time(field, time["type"])
    if number:
        start, end, step = (int(number["range"][key]) for key in ("start", "end", "interval"))
        inside = f"{{x}} >= {start} AND {{x}} < {end}"
        first = f"{start} + ({{x}} - {start}) // {step} * {step}"
        return Partitioning(field_of(body, number["field"])["name"], f"CASE WHEN {inside} THEN {first} WHEN {{x}} IS NOT NULL THEN {-2**63} END",
                            f"CASE WHEN {inside} THEN {first} + {step - 1} WHEN {{x}} IS NOT NULL THEN {2**63 - 1} END")
    return None


def by_time(field: dict, unit: str) -> Partitioning:
    kind = values.type_name(field)
    first = f"date_trunc('{unit.lower()}', {{x}})"
    if kind == "DATE":
        return Partitioning(field["name"], f"({first})::DATE", f"({first} + INTERVAL 1 {unit} - INTERVAL 1 DAY)::DATE")
    return Partitioning(field["name"], first, f"{first} + INTERVAL 1 {unit} - INTERVAL 1 MICROSECOND")


def field_of(body: dict, name: str) -> dict:
    return next(field for field in body["schema"]["fields"] if field["name"].lower() == name.lower())


def filter_columns(body: dict) -> str:
    """The columns by which a filter can choose partitions, as the service's error names them."""
    if ingested(body):
        names = ["_PARTITION_LOAD_TIME", *(field["name"] for field in reversed(pseudo(body)))]
    else:
        names = hive(body).get("fields") or [(body.get("timePartitioning") or body["rangePartitioning"])["field"]]
    return ", ".join(f"'{name}'" for name in names)


# Ids ----------------------------------------------------------------------------------------------

def row_id(body: dict) -> str:
    """SQL for the id of the partition that a row is in; NULL for a table without partitions."""
    time, number = body.get("timePartitioning"), body.get("rangePartitioning")
    if time:
        column, missing = (TIME, REST) if ingested(body) else (field_of(body, time["field"])["name"], NULL)
        return f"coalesce(strftime({values.identifier(column)}::TIMESTAMP, '{FORMATS[time['type']]}'), '{missing}')"
    if number:
        column, span = values.identifier(field_of(body, number["field"])["name"]), number["range"]
        inside = f"{column} >= {span['start']} AND {column} < {span['end']}"
        start = f"({span['start']} + ({column} - {span['start']}) // {span['interval']} * {span['interval']})::VARCHAR"
        return f"CASE WHEN {column} IS NULL THEN '{NULL}' WHEN {inside} THEN {start} ELSE '{REST}' END"
    return "NULL::VARCHAR"


def check_id(body: dict, name: str) -> None:
    """ApiError invalid for a decorator that no partition of the table can have."""
    time, number = body.get("timePartitioning"), body.get("rangePartitioning")
    if name in (NULL, REST) and (time or number):
        return
    if time and is_moment(name, FORMATS[time["type"]]) or number and re.fullmatch(r"-?\d+", name):
        return
    if not time and not number:
        raise ApiError("invalid", f"Cannot access partition {name} of table {body['id']}: the table is not partitioned.")
    raise ApiError("invalid", f"Invalid partition ID {name} for table {body['id']}. "
                              + (f"It must be written {example(time['type'])}." if time else "It must be the start of a range."))


def one(body: dict, name: str) -> dict:
    """A table of which one partition is read; ApiError invalid for one that it can't have."""
    check_id(body, name)
    return {**body, "_where": f"{row_id(body)} = {values.string(name)}"}


def example(unit: str) -> str:
    return {"HOUR": "YYYYMMDDHH", "DAY": "YYYYMMDD", "MONTH": "YYYYMM", "YEAR": "YYYY"}[unit]


def is_moment(name: str, form: str) -> bool:
    try:
        return dt.datetime.strptime(name, form).strftime(form).zfill(len(name)) == name
    except ValueError:
        return False


def start(body: dict) -> str:
    """SQL for the time at which the partition of a row begins, of a table partitioned by time."""
    column = TIME if ingested(body) else field_of(body, body["timePartitioning"]["field"])["name"]
    return f"date_trunc('{body['timePartitioning']['type'].lower()}', {values.identifier(column)}::TIMESTAMP)::TIMESTAMPTZ"


def summary(body: dict, relation: str) -> dict:
    """The table of a table's partitions: a row each. Source: "Get partition metadata using meta-tables"."""
    if not of(body):
        raise ApiError("invalid", f"Cannot read the partitions of table {body['id']}: the table is not partitioned.")
    reference = body["tableReference"]
    texts = {"project_id": reference["projectId"], "dataset_id": reference["datasetId"], "table_id": reference["tableId"]}
    columns = ", ".join([*(f"{values.string(text)} AS {name}" for name, text in texts.items()), "id AS partition_id",
                         f"{body['creationTime']}::BIGINT AS creation_time", f"{body['lastModifiedTime']}::BIGINT AS last_modified_time"])
    fields = [{"name": name, "type": "STRING"} for name in (*texts, "partition_id")] + [
        {"name": name, "type": "INTEGER"} for name in ("creation_time", "last_modified_time")]
    return {"kind": "bigquery#table", "id": body["id"], "type": "TABLE", "location": body["location"], "creationTime": body["creationTime"],
            "lastModifiedTime": body["lastModifiedTime"], "tableReference": reference, "schema": {"fields": fields}, "_data": body["_data"],
            "_relation": f"(SELECT {columns} FROM (SELECT DISTINCT {row_id(body)} AS id FROM {relation}) ORDER BY id)"}


def moment_of(body: dict, name: str) -> str:
    """The _PARTITIONTIME of a partition, as DuckDB SQL."""
    if name == REST:
        return "NULL::TIMESTAMPTZ"
    when = dt.datetime.strptime(name, FORMATS[body["timePartitioning"]["type"]])
    return f"TIMESTAMPTZ '{when:%Y-%m-%d %H:%M:%S}+00'"


def split(table_id: str) -> tuple[str, str | None]:
    """A table's name without its partition decorator, and the decorator."""
    name, dollar, decorator = table_id.partition("$")
    return name, decorator if dollar else None
