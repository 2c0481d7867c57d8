"""What copy, load and extract jobs do: rows between tables, files and the bucket."""
from __future__ import annotations

from typing import TYPE_CHECKING

from . import iam, tables, values
from .errors import ApiError, unsupported
from .lake import Transaction

if TYPE_CHECKING:
    from .jobs import Job

# The options a copy job takes; others are refused, not ignored.
COPY_OPTIONS = {"sourceTable", "sourceTables", "destinationTable", "createDisposition", "writeDisposition", "operationType"}
MAX_SOURCES = 1200


# Copy ---------------------------------------------------------------------------------------------

def copy(job: "Job") -> None:
    """Append one or more tables, now or as they were, into one of the same schema.

    Statistics: copy.copiedRows and copiedLogicalBytes.
    """
    config = job.config
    if config.get("operationType") not in (None, "COPY", "OPERATION_TYPE_UNSPECIFIED"):
        raise unsupported(f"a copy job's operationType {config['operationType']}")
    destination = tables.ref_of(config.get("destinationTable"), job.project)
    sources = [open_source(job, reference) for reference in config.get("sourceTables") or [config.get("sourceTable")]]
    if len(sources) > MAX_SOURCES:
        raise ApiError("invalid", f"Too many source tables: {len(sources)}; a copy job has at most {MAX_SOURCES}.")
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", destination)
    check_same(sources, destination)
    check_locations(job, sources, destination)
    job.write(lambda tx: append_all(tx, job, sources, destination))


def open_source(job: "Job", reference: dict) -> tables.Source:
    ref = tables.ref_of(reference, job.project)
    iam.require(job.emulator, job.principal, "bigquery.tables.getData", ref)
    source = tables.Source(job.lake, ref)
    if source.body["type"] != "TABLE":
        raise ApiError("invalid", f"{iam.name_of(ref)} is not allowed for this operation because it is currently a {source.body['type']}.")
    return source


def check_same(sources: list[tables.Source], destination: tables.Ref) -> None:
    """ApiError invalid unless all sources have the first one's columns."""
    first = sources[0]
    for other in sources[1:]:
        if columns(other.fields) != columns(first.fields):
            name = difference(first.fields, other.fields)
            raise tables.mismatch(iam.name_of(destination), f"Cannot copy tables of different schemas into one: {iam.name_of(first.ref)} "
                                  f"and {iam.name_of(other.ref)} differ (field: {name})")


def columns(fields: list[dict]) -> list[tuple]:
    """What must be the same in two schemas: names, types and whether repeated, at every depth."""
    return [(field["name"].lower(), values.type_name(field), values.repeated(field), columns(field.get("fields", []))) for field in fields]


def difference(one: list[dict], other: list[dict]) -> str:
    """The first field in which two schemas differ."""
    for left, right in zip(one, other):
        if columns([left]) != columns([right]):
            return right["name"]
    return (one[len(other):] or other[len(one):])[0]["name"]


def check_locations(job: "Job", sources: list[tables.Source], destination: tables.Ref) -> None:
    target = (job.lake.get("dataset", destination[:2]) or {}).get("location", "")
    for source in sources:
        origin = source.body.get("location", "")
        # The samples are everywhere, so that a lab in any location can copy them.
        if target and origin != target and source.ref[0] != iam.PUBLIC_PROJECT:
            raise ApiError("invalid", f"Cannot read and write in different locations: source: {origin}, destination: {target}")


def append_all(tx: Transaction, job: "Job", sources: list[tables.Source], destination: tables.Ref) -> None:
    config = job.config
    write = config.get("writeDisposition", "WRITE_EMPTY")
    rows = size = 0
    for index, source in enumerate(sources):
        relation = tx.lake.relation(source.body, source.version)
        if write != "WRITE_TRUNCATE":
            check_target(tx, destination, source)
        tables.fill(tx, destination, source.fields, relation, create_disposition=config.get("createDisposition", "CREATE_IF_NEEDED"),
                    write_disposition=write if index == 0 else "WRITE_APPEND", properties=copied_properties(source, len(sources)))
        rows += tx.lake.rows(source.body, source.version)
        size += tx.lake.measure(source.body, [field["name"] for field in source.fields], source.version)
    job.statistics["copy"] = {"copiedRows": str(rows), "copiedLogicalBytes": str(size)}


def check_target(tx: Transaction, destination: tables.Ref, source: tables.Source) -> None:
    """ApiError invalid for an append to a table of other columns."""
    body = tx.get("table", destination)
    own = (body or {}).get("schema", {}).get("fields", [])
    if own and body["type"] == "TABLE" and columns(own) != columns(source.fields):
        raise tables.mismatch(iam.name_of(destination), f"Cannot append {iam.name_of(source.ref)} (field: {difference(own, source.fields)})")


def copied_properties(source: tables.Source, count: int) -> dict:
    """What a new copy takes from its source: layout, and of a single source what describes it. Never the policy,
    and no partitioning where the source is gone or in the past."""
    kept = ("timePartitioning", "rangePartitioning", "clustering") + (("description", "labels") if count == 1 else ())
    return {name: source.body[name] for name in kept if name in source.body and not (source.past and name.endswith("Partitioning"))}
