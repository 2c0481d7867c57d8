"""Copies of a table that remember what they are of: CREATE TABLE COPY and CLONE, snapshots, and RESTORE of one.

The same for SQL and for copy jobs. A clone and a snapshot are whole tables in the lake; nothing is shared, nothing billed.
"""
from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from . import iam, locations, options, partitions, query, row_access, rules, tables, values
from .calls import merge, milliseconds
from .errors import ApiError
from .googlesql.tree import node_of
from .lake import Transaction, now_ms

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

# What each kind makes: the property that tells the source, and the time's name in it.
DEFINITIONS = {"CLONE": ("cloneDefinition", "cloneTime"), "SNAPSHOT": ("snapshotDefinition", "snapshotTime")}
# The kinds of table that each can be made of, and the permission it takes on them beside getData.
SOURCES = {"COPY": ("TABLE",), "CLONE": ("TABLE", "SNAPSHOT"), "SNAPSHOT": ("TABLE",), "RESTORE": ("SNAPSHOT",)}
PERMISSIONS = {"SNAPSHOT": "bigquery.tables.createSnapshot", "RESTORE": "bigquery.tables.restoreSnapshot"}
MOST_DEEP = 3  # clones of clones
KEPT = ("schema", "timePartitioning", "rangePartitioning", "clustering", "description", "labels", "friendlyName", "tableConstraints",
        "defaultCollation", "defaultRoundingMode", "requirePartitionFilter", "maxStaleness")


def create(job: "Job", statement: "Statement", base, ref: tables.Ref, kind: str, scan, option_list) -> None:
    """CREATE TABLE COPY, CREATE TABLE CLONE and CREATE SNAPSHOT TABLE."""
    from .statements import decide
    node, _ = node_of(scan)
    known, what = (options.SNAPSHOT, "SNAPSHOT TABLE") if kind == "SNAPSHOT" else (options.TABLE, "TABLE")
    with job.cursor() as cursor:
        patch = options.read(statement, option_list, cursor, known, what)
        moment = statement.moment(node, cursor)
    source = open_source(job, kind, statement.order[node.table.serialization_id - 1].ref, moment)
    check_locations(job, [source], ref)

    def work(tx: Transaction) -> None:
        done = decide(tx, job, base.parent if kind != "SNAPSHOT" else base, ref)
        if done != "SKIP":
            make(tx, source, ref, kind, patch)
        job.schema = source.fields
        job.statistics["query"] |= {"ddlOperationPerformed": done, "ddlTargetTable": query.reference(ref)}
    job.write(work)


def open_source(job: "Job", kind: str, ref: tables.Ref, moment: dt.datetime | None = None) -> tables.Source:
    """The table to copy, maybe as it was; ApiError for one that the kind of copy can't be made of."""
    for permission in ("bigquery.tables.getData", PERMISSIONS.get(kind)):
        if permission:
            iam.require(job.emulator, job.principal, permission, (*ref[:2], ref[2].partition("@")[0]))
    source = tables.Source(job.lake, ref, moment)
    row_access.require_all_rows(job.emulator, job.principal, source.ref)
    if source.body["type"] not in SOURCES[kind]:
        raise ApiError("invalid", f"{iam.name_of(source.ref)} is not allowed for this operation because it is currently a {source.body['type']}.")
    return source


def check_locations(job: "Job", sources: list[tables.Source], destination: tables.Ref) -> None:
    """ApiError invalid for a copy from one location to another."""
    target = (job.lake.get("dataset", destination[:2]) or {}).get("location", "")
    for source in sources:
        origin = source.body.get("location", "")
        # The samples are everywhere, so that a lab in any location can copy them.
        if target and origin != target and source.ref[0] != iam.PUBLIC_PROJECT:
            raise ApiError("invalid", f"Cannot read and write in different locations: source: {origin}, destination: {target}")


def make(tx: Transaction, source: tables.Source, ref: tables.Ref, kind: str, patch: dict) -> dict:
    """Make a copy in place of whatever has the name; its body."""
    given = {name: source.body[name] for name in KEPT if name in source.body}
    if kind in DEFINITIONS:
        given |= definition(source, kind, ref)
    given = options.made(merge(given, patch))
    rules.check_expiration(given)
    relation = tx.lake.relation(source.body, source.version)  # not the transaction's: its own name may be the one that is replaced
    body = tables.create(tx, ref, given)
    if source.fields:
        names = ", ".join(values.identifier(field["name"]) for field in partitions.stored(source.body))
        tx.execute(f"INSERT INTO {body['_relation']} ({names}) SELECT {names} FROM {relation}")
        body = tx.put("table", ref, tables.changed(tx, body))
    return body


def definition(source: tables.Source, kind: str, ref: tables.Ref) -> dict:
    """What a clone or snapshot says of its source."""
    name, time = DEFINITIONS[kind]
    depth = source.body.get("_depth", 0) + 1
    if depth > MOST_DEEP:
        raise ApiError("invalid", f"{iam.name_of(source.ref)} cannot be cloned: a chain of clones and snapshots is at most {MOST_DEEP} deep.")
    if kind == "SNAPSHOT" and source.ref == ref:
        raise ApiError("invalid", f"A snapshot of {iam.name_of(ref)} can't take its place.")
    moment = dt.datetime.fromtimestamp((source.micros or now_ms() * 1000) / 1_000_000, dt.timezone.utc)
    return {"_depth": depth, name: {"baseTableReference": query.reference(source.ref), time: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}


def copy(job: "Job", kind: str) -> None:
    """A copy job whose operationType is SNAPSHOT, CLONE or RESTORE."""
    config = job.config
    references = config.get("sourceTables") or [config.get("sourceTable")]
    if len(references) != 1:
        raise ApiError("invalid", f"A copy job with operationType {kind} has exactly one source table.")
    destination = tables.ref_of(config.get("destinationTable"), job.project)
    source = open_source(job, kind, tables.ref_of(references[0], job.project))
    iam.require(job.emulator, job.principal, "bigquery.tables.create", destination)
    tables.check_name(destination[2])
    if config.get("writeDisposition", "WRITE_EMPTY") != "WRITE_EMPTY" and kind != "RESTORE":
        raise ApiError("invalid", f"writeDisposition {config['writeDisposition']} is not possible with operationType {kind}: the destination must not exist.")
    check_locations(job, [source], destination)
    locations.require(job, destination)
    patch = tables.made_by(config)
    if config.get("destinationExpirationTime"):
        patch["expirationTime"] = milliseconds("destinationExpirationTime", config["destinationExpirationTime"])

    def work(tx: Transaction) -> None:
        there = (old := tx.get("table", destination)) and not tables.expired(old)
        if there and config.get("writeDisposition") != "WRITE_TRUNCATE":
            raise ApiError("duplicate", f"Already Exists: Table {iam.name_of(destination)}")
        policy = tx.get("policy", destination)
        make(tx, source, destination, kind, patch)
        if there and policy:
            tx.put("policy", destination, policy)
        job.statistics["copy"] = {"copiedRows": str(tx.lake.rows(source.body, source.version)), "copiedLogicalBytes": str(
            tx.lake.measure(source.body, [field["name"] for field in source.fields], source.version))}
    job.write(work)
