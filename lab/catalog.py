"""What there is: projects, datasets, tables, buckets and files, through Google's own clients, embedded or real."""
from __future__ import annotations

import functools
import re
import time
from datetime import datetime, timezone
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import bigquery, storage

PREVIEW = 20  # rows
MOST = 200  # tables whose rows are counted; files of a bucket
WEEK = 7 * 24 * 3600 * 1000  # ms that BigQuery can look back
PUBLIC = "bigquery-public-data"


class NoSuchTable(Exception):
    """There is no table of that name, or it has no name's shape; the message says so."""


@functools.cache
def client() -> bigquery.Client:
    return bigquery.Client()


@functools.cache
def storage_client() -> storage.Client:
    return storage.Client()


def catalog(cloud: bool) -> dict:
    """{"projects": [...], "buckets": [...]}. The real project of public data is too large to list."""
    projects = [client().project] if cloud else [client().project, PUBLIC]
    return {"projects": [{"project": project, "datasets": datasets(project, counted=not cloud)} for project in projects], "buckets": buckets()}


def datasets(project: str, counted: bool) -> list[dict]:
    found = []
    for dataset in client().list_datasets(project):
        tables = list(client().list_tables(dataset.reference))
        found.append({"dataset": dataset.dataset_id, "tables": [
            listed(table, counted and number < MOST) for number, table in enumerate(tables)]})
    return found


def listed(item: Any, counted: bool) -> dict:
    table = None
    if counted:
        try:
            table = client().get_table(item.reference)
        except NotFound:  # deleted since
            pass
    return {"table": item.table_id, "type": item.table_type, "rows": table and table.num_rows, "bytes": table and table.num_bytes, "expires": shown(item.expires)}


def buckets() -> list[dict]:
    return [{"bucket": bucket.name, "files": [{"name": blob.name, "bytes": blob.size, "updated": shown(blob.updated)}
                                               for blob in storage_client().list_blobs(bucket.name, max_results=MOST)]}
            for bucket in storage_client().list_buckets()]


def table(name: str, at: int | None = None) -> dict:
    """A table as it is, or as it was at a moment in ms; NoSuchTable."""
    if not re.fullmatch(r"[^.`]+\.[^.`]+\.[^.`]+", name):
        raise NoSuchTable(f"{name} is no table's name: give project.dataset.table.")
    try:
        found = client().get_table(name)
    except (NotFound, ValueError):
        if at is None:
            raise NoSuchTable(f"There is no table {name}.") from None
        found = None
    shot = preview(name, at) if at is not None or found.table_type != "EXTERNAL" else None
    schema = shot.schema if found is None else found.schema
    return {"name": name, "type": found.table_type if found else "TABLE", "schema": [field.to_api_repr() for field in schema],
            "details": details(found) if found else {}, "policy": policy(found) if found else None,
            "preview": {"fields": [field.name for field in shot.schema], "rows": [[plain(value) for value in row] for row in shot]} if shot else None,
            "snapshots": snapshots(found) if found else [], "exists_now": found is not None}


def preview(name: str, at: int | None) -> Any:
    moment = f" FOR SYSTEM_TIME AS OF TIMESTAMP_MILLIS({at})" if at is not None else ""
    try:
        return client().query_and_wait(f"SELECT * FROM `{name}`{moment} LIMIT {PREVIEW}")
    except GoogleAPICallError as error:
        raise NoSuchTable(error.errors[0]["message"] if error.errors else error.message) from None


def details(found: bigquery.Table) -> dict:
    partitioned, clustered = found.time_partitioning, found.clustering_fields
    whole = {
        "Rows": found.num_rows, "Bytes": found.num_bytes, "Location": found.location, "Description": found.description,
        "Created": shown(found.created), "Last changed": shown(found.modified), "Expires": shown(found.expires),
        "Labels": ", ".join(f"{key}: {value}" for key, value in found.labels.items()) or None,
        "Partitioned by": partitioned and f"{partitioned.type_} of {partitioned.field or '_PARTITIONTIME'}",
        "Clustered by": ", ".join(clustered) if clustered else None, "Query": found.view_query, "Etag": found.etag}
    return {name: value for name, value in whole.items() if value is not None}


def policy(found: bigquery.Table) -> dict | None:
    try:
        bindings = client().get_iam_policy(found.reference).bindings
    except GoogleAPICallError:  # not allowed to see it
        return None
    return {"bindings": [{**binding, "members": sorted(binding["members"])} for binding in bindings]}


def snapshots(found: bigquery.Table) -> list[dict]:
    """Moments to travel to: where the table began, just before it last changed, an hour and a day ago."""
    now, born = int(time.time() * 1000), milliseconds(found.created)
    moments = {milliseconds(found.modified) - 1: "before the last change", now - 3_600_000: "an hour ago", now - 24 * 3_600_000: "a day ago"}
    return [{"time_ms": moment, "what": what} for moment, what in moments.items() if moment and max(born or 0, now - WEEK) <= moment]


def milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0


def shown(moment: datetime | None) -> str | None:
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None


def plain(value: Any) -> Any:
    """A value that JSON can carry."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value.hex() if isinstance(value, bytes) else str(value)
