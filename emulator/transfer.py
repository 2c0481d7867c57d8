"""What copy, load and extract jobs do: rows between tables, files and the bucket."""
from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from . import clones, datasets, files, formats, iam, locations, partitions, row_access, rules, tables, values
from .errors import ApiError, not_found, unsupported
from .formats import File
from .lake import Transaction
from .query import defaults, reference, results_relation

if TYPE_CHECKING:
    from .jobs import Job

# The options that each kind of job takes; others are refused, not ignored.
COPY_OPTIONS = {"sourceTable", "sourceTables", "destinationTable", "createDisposition", "writeDisposition", "operationType",
                "destinationExpirationTime", "destinationEncryptionConfiguration"}
LOAD_OPTIONS = {
    "createSession", "connectionProperties",
    "sourceUris", "destinationTable", "schema", "createDisposition", "writeDisposition", "sourceFormat", "autodetect", "skipLeadingRows", "fieldDelimiter",
    "quote", "allowQuotedNewlines", "allowJaggedRows", "nullMarker", "nullMarkers", "encoding", "maxBadRecords", "ignoreUnknownValues", "timePartitioning",
    "rangePartitioning", "clustering", "destinationTableProperties", "parquetOptions", "useAvroLogicalTypes", "fileSetSpecType", "sourceColumnMatch", "schemaUpdateOptions",
    "hivePartitioningOptions", "decimalTargetTypes", "columnNameCharacterMap", "dateFormat", "datetimeFormat", "timeFormat", "timestampFormat", "timeZone",
    "timestampTargetPrecision", "jsonExtension", "preserveAsciiControlCharacters", "referenceFileSchemaUri", "schemaInline", "schemaInlineFormat", "projectionFields",
    "destinationEncryptionConfiguration"}
EXTRACT_OPTIONS = {"sourceTable", "destinationUri", "destinationUris", "destinationFormat", "compression", "fieldDelimiter", "printHeader",
                   "useAvroLogicalTypes"}
TEMPORARY = "_SESSION"  # the dataset of a session's temporary tables
MAX_SOURCES = 1200
MAX_FILE_BYTES = 1 << 30  # that an extract writes into one file
MAX_URIS = 500


# Copy ---------------------------------------------------------------------------------------------

def copy(job: "Job") -> None:
    """Append one or more tables, now or as they were, into one of the same schema.

    Statistics: copy.copiedRows and copiedLogicalBytes.
    """
    config = job.config
    if (kind := config.get("operationType")) in clones.SOURCES and kind != "COPY":
        return clones.copy(job, kind)
    if kind not in (None, "COPY", "OPERATION_TYPE_UNSPECIFIED"):
        raise ApiError("invalid", f"Invalid value for operationType: {kind} is not a valid value")
    if config.get("destinationExpirationTime"):
        raise ApiError("invalid", "destinationExpirationTime is for snapshots and clones; this job is a copy.")
    destination, partition = tables.target_of(config.get("destinationTable"), job.project)
    sources = [open_source(job, reference) for reference in config.get("sourceTables") or [config.get("sourceTable")]]
    if len(sources) > MAX_SOURCES:
        raise ApiError("invalid", f"Too many source tables: {len(sources)}; a copy job has at most {MAX_SOURCES}.")
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", destination)
    check_same(sources, destination)
    clones.check_locations(job, sources, destination)
    locations.require(job, destination)
    job.write(lambda tx: append_all(tx, job, sources, destination, partition))


def open_source(job: "Job", reference: dict) -> tables.Source:
    ref = tables.ref_of(reference, job.project)
    iam.require(job.emulator, job.principal, "bigquery.tables.getData", ref)
    source = tables.Source(job.lake, ref)
    row_access.require_all_rows(job.emulator, job.principal, source.ref)
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


def append_all(tx: Transaction, job: "Job", sources: list[tables.Source], destination: tables.Ref, partition: str | None) -> None:
    config = job.config
    write = config.get("writeDisposition", "WRITE_EMPTY")
    if write == "WRITE_TRUNCATE_DATA":
        raise ApiError("invalid", "Invalid value for writeDisposition: WRITE_TRUNCATE_DATA is not a valid value for a copy job")
    rows = size = 0
    for index, source in enumerate(sources):
        relation = tx.relation(source.body, source.version)
        if write != "WRITE_TRUNCATE":
            check_target(tx, destination, source)
            own_rows(tx, destination)
        tables.fill(tx, destination, source.fields, relation, create_disposition=config.get("createDisposition", "CREATE_IF_NEEDED"),
                    write_disposition=write if index == 0 else "WRITE_APPEND", properties=copied_properties(source, len(sources)) | tables.made_by(config),
                    partition=partition)
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
    kept = tables.LAYOUT + (("description", "labels", "tableConstraints") if count == 1 else ())
    return {name: source.body[name] for name in kept if name in source.body and not (source.past and name.endswith("Partitioning"))}


# Load ---------------------------------------------------------------------------------------------

def load(job: "Job") -> None:
    """Load files, uploaded or in buckets, into a table: all of it or nothing.

    Statistics: load.inputFiles, inputFileBytes, outputRows, outputBytes, badRecords.
    Raises ApiError: invalid for what is wrong with the data, naming where; notFound, accessDenied, duplicate.
    """
    if job.session.transaction:
        raise unsupported("a load job in a transaction")
    ref, partition = tables.target_of(job.config.get("destinationTable"), job.project)
    temporary = ref[1].upper() == TEMPORARY
    if temporary:
        if not job.session.id:
            raise ApiError("invalid", f"The dataset {TEMPORARY} is that of a session: name one in connectionProperties, or set createSession.")
        ref = job.session.tables.get(ref[2]) or job.session.new_table(job, ref[2])
        job.config["destinationTable"] = reference(ref)
    load_into(job, job.config, (ref, partition), lambda counts: job.statistics.update(load=counts))
    if temporary:
        job.session.tables[ref[2]] = ref


def load_into(job: "Job", config: dict, target: tuple[tables.Ref, str | None], keep: Callable[[dict], None]) -> None:
    """Load as a configuration says. target: a table, and the partition of it that is meant; keep: takes the counts for the job's statistics."""
    destination, partition = target
    reader = files.make_reader(config, "a load job")
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", destination)
    check_destination(job, config, destination, partition)
    sources = source_files(job, config, destination, reader)
    hive = files.Hive(config.get("hivePartitioningOptions"), sources)
    relation = results_relation(f"load_{uuid.uuid4().hex}")
    with job.cursor() as cursor:
        try:
            fields = schema(job, config, destination, reader, cursor, sources, hive)
            files.read(reader, cursor, sources, fields, hive, relation, job.check_stopped)
            keep(counted(reader, cursor, sources, fields, relation))
            job.warnings = reader.problems.entries
            job.write(lambda tx: store(tx, job, config, destination, partition, fields, relation))
        finally:
            job.lake.cursor().execute(f"DROP TABLE IF EXISTS {relation}")


def check_destination(job: "Job", config: dict, destination: tables.Ref, partition: str | None) -> None:
    """What would fail after the files are read, said before."""
    locations.require(job, destination)
    tables.check_name(destination[2])
    rules.check_updates(config.get("schemaUpdateOptions"), config.get("writeDisposition", "WRITE_APPEND"), partition)
    body = current(job, destination)
    if body is None and config.get("createDisposition") == "CREATE_NEVER":
        raise not_found("Table", iam.name_of(destination))
    if body and partition is not None:
        partitions.check_id(body, partition)
    elif body and config.get("writeDisposition") == "WRITE_EMPTY" and body["type"] == "TABLE" and job.lake.rows(body):
        raise ApiError("duplicate", f"Already Exists: Table {iam.name_of(destination)}")


def current(job: "Job", ref: tables.Ref) -> dict | None:
    """A table's body, None where there is none."""
    body = job.lake.get("table", ref)
    return None if body is None or tables.expired(body) else body


def source_files(job: "Job", config: dict, destination: tables.Ref, reader: formats.Reader) -> list[File]:
    """The files to load, those of a wildcard by name."""
    if job.upload and reader.exported:
        raise ApiError("invalid", f"A {reader.what} can't be uploaded: load it from Cloud Storage.")
    if job.upload:
        return [File(job.upload, None)]
    location = datasets.find(job.lake, destination[:2])["location"]
    return files.find(job.emulator, job.project, job.principal, config, location)


def schema(job: "Job", config: dict, destination: tables.Ref, reader: formats.Reader, cursor, sources: list[File], hive: files.Hive) -> list[dict]:
    """The columns to load into: those given, else the table's, else those the files show."""
    body = current(job, destination)
    own = (body or {}).get("schema", {}).get("fields", [])
    given = config.get("schema", {}).get("fields") or inline_schema(config)
    appends = config.get("writeDisposition") != "WRITE_TRUNCATE"
    detects = config.get("autodetect") or reader.self_describing
    updates = config.get("schemaUpdateOptions") or ()
    if own and appends and reader.exported:
        raise ApiError("invalid", "Cannot append a datastore backup to a table that already has a schema. "
                                  "Try using the WRITE_TRUNCATE write disposition to replace the existing table")
    if given:
        fields = tables.check_schema(hive.whole(given))
    elif own and not (detects and (not appends or "ALLOW_FIELD_ADDITION" in updates)):
        fields = own
    elif detects:
        location = datasets.find(job.lake, destination[:2])["location"]
        fields = files.detect(reader, cursor, files.reference(job.emulator, job.project, job.principal, config, location) or sources, hive)
    else:
        raise ApiError("invalid", "No schema specified on job or table.")
    if own and appends and "ALLOW_FIELD_RELAXATION" not in updates:
        check_modes(destination, own, fields)
    reader.check(fields)
    return fields


def inline_schema(config: dict) -> list[dict]:
    """The deprecated schemaInline: "name:type, name:type"."""
    columns = [column.partition(":") for column in (config.get("schemaInline") or "").split(",") if column.strip()]
    if columns and (config.get("schemaInlineFormat") or "CSV").upper() != "CSV":
        raise unsupported(f"schemaInlineFormat {config['schemaInlineFormat']}")
    return [{"name": name.strip(), "type": kind.strip() or "STRING"} for name, _, kind in columns]


def check_modes(destination: tables.Ref, own: list[dict], fields: list[dict]) -> None:
    """ApiError invalid where the rows may lack what the table requires."""
    modes = {field["name"].lower(): field.get("mode") or "NULLABLE" for field in fields}
    for field in own:
        mode = modes.get(field["name"].lower())
        if field.get("mode") == "REQUIRED" and mode != "REQUIRED":
            why = f"Field {field['name']} has changed mode from REQUIRED to {mode}" if mode else f"Field {field['name']} is missing in new schema"
            raise tables.mismatch(iam.name_of(destination), why)


def counted(reader: formats.Reader, cursor, sources: list[File], fields: list[dict], relation: str) -> dict:
    """What was read, as the job's statistics have it."""
    size = " + ".join(values.size(field, values.identifier(field["name"])) for field in fields)
    rows, count = cursor.execute(f"SELECT count(*), coalesce(sum({size}), 0)::BIGINT FROM {relation}").fetchone()
    return {"inputFiles": str(len(sources)), "inputFileBytes": str(sum(file.path.stat().st_size for file in sources)),
            "outputRows": str(rows), "outputBytes": str(count), "badRecords": str(reader.problems.count)}


def store(tx: Transaction, job: "Job", config: dict, destination: tables.Ref, partition: str | None, fields: list[dict], relation: str) -> None:
    given = config.get("destinationTableProperties") or {}
    rules.check_destination(tx, destination, tables.made_by(config))
    own_rows(tx, destination)
    if config.get("schemaUpdateOptions") and config.get("writeDisposition") != "WRITE_TRUNCATE":
        widen(tx, destination, fields, config["schemaUpdateOptions"])
    tables.fill(tx, destination, fields, relation, create_disposition=config.get("createDisposition", "CREATE_IF_NEEDED"),
                write_disposition=config.get("writeDisposition", "WRITE_APPEND"), properties=tables.made_by(config) | given, partition=partition,
                defaults=defaults(job.emulator, job.principal, (tx.get("table", destination) or {}).get("schema", {}).get("fields", []), tx.cursor))


def widen(tx: Transaction, ref: tables.Ref, fields: list[dict], updates: list[str]) -> None:
    """Bring a table's schema to what is to be loaded, as far as the job allows it."""
    body = tx.get("table", ref)
    own = (body or {}).get("schema", {}).get("fields", [])
    if own and not tables.expired(body):
        merged = merge_fields(own, fields, updates)
        tables.alter(tx, body, merged)
        tx.put("table", ref, {**body, "schema": {**body["schema"], "fields": merged}})


def merge_fields(own: list[dict], new: list[dict], updates: list[str]) -> list[dict]:
    """A table's fields with the new ones behind them (ALLOW_FIELD_ADDITION) and REQUIRED ones that are so no more
    NULLABLE (ALLOW_FIELD_RELAXATION)."""
    found = {field["name"].lower(): field for field in new}
    merged = []
    for field in own:
        other = found.pop(field["name"].lower(), {})
        relaxed = field.get("mode") == "REQUIRED" != other.get("mode") and "ALLOW_FIELD_RELAXATION" in updates
        inner = {"fields": merge_fields(field["fields"], other["fields"], updates)} if field.get("fields") and other.get("fields") else {}
        merged.append(field | inner | ({"mode": "NULLABLE"} if relaxed else {}))
    return merged + (list(found.values()) if "ALLOW_FIELD_ADDITION" in updates else [])


def own_rows(tx: Transaction, ref: tables.Ref) -> None:
    """Bring a shipped sample's rows into the lake before others are added to them."""
    body = tx.get("table", ref)
    if body and body["type"] == "TABLE" and not body["_relation"].startswith("lake."):
        relation = tx.create_relation(body["schema"]["fields"])
        tx.execute(f"INSERT INTO {relation} SELECT * FROM {body['_relation']}")
        tx.put("table", ref, {**body, "_relation": relation, "_data": tx.stamp})


# Extract ------------------------------------------------------------------------------------------

def extract(job: "Job") -> None:
    """Write a table, now or as it was, into objects of a bucket.

    Statistics: extract.destinationUriFileCounts, inputBytes.
    Raises ApiError: notFound for a missing bucket, accessDenied for a stranger's, invalid for what can't be written.
    """
    config = job.config
    name = config.get("destinationFormat") or "CSV"
    compression = config.get("compression") or "NONE"
    source = tables.Source(job.lake, tables.ref_of(config.get("sourceTable"), job.project))
    iam.require(job.emulator, job.principal, "bigquery.tables.export", source.ref)
    locations.require(job, source.ref)
    row_access.require_all_rows(job.emulator, job.principal, source.ref)
    check_extract(source, name, compression)
    targets = [files.split_uri(uri, "extract destination") for uri in destination_uris(config)]
    for bucket, _ in targets:
        check_bucket(job, source.body["location"], bucket)
    size = job.lake.measure(source.body, [field["name"] for field in source.fields], source.version)
    shards = plan(f"Table {iam.name_of(source.ref)}", targets, size)
    with job.cursor() as cursor, tempfile.TemporaryDirectory(dir=job.lake.path, prefix="extract-") as folder:
        rows = job.lake.rows(source.body, source.version)
        relation = job.lake.relation(source.body, source.version)
        written = [write_shard(cursor, source.fields, relation, config, Path(folder) / str(index), rows, index, len(shards)) for index in range(len(shards))]
        job.check_stopped()
        for (bucket, object_name), file in zip(shards, written):
            job.emulator.storage.write(bucket, object_name, file, formats.WRITTEN[name].content_type)
    counts = [sum(1 for shard in shards if shard in set(names_of(target, len(shards)))) for target in targets]
    job.statistics["extract"] = {"destinationUriFileCounts": [str(count) for count in counts], "inputBytes": str(size)}


def destination_uris(config: dict) -> list[str]:
    uris = config.get("destinationUris") or [uri for uri in [config.get("destinationUri")] if uri]
    if not uris:
        raise ApiError("required", "Required parameter is missing: destinationUris", "destinationUris")
    if len(uris) > MAX_URIS:
        raise ApiError("invalid", f"Too many destination URIs: {len(uris)}; the most is {MAX_URIS}.")
    if len(uris) > 1 and not all("*" in uri for uri in uris):
        raise ApiError("invalid", "With more than one destination URI, each must include a * to shard export.")
    return uris


def check_extract(source: tables.Source, name: str, compression: str) -> None:
    if name not in formats.WRITTEN:
        raise ApiError("invalid", f"Invalid value for destinationFormat: {name} is not a valid value")
    if source.body["type"] != "TABLE":
        raise ApiError("invalid", f"{iam.name_of(source.ref)} is not allowed for this operation because it is currently a {source.body['type']}.")
    if compression not in formats.WRITTEN[name].compressions:
        raise ApiError("invalid", f"Invalid value for compression: {compression} is not a valid value for {name}")
    formats.check_writable(name, source.fields)


def check_bucket(job: "Job", location: str, bucket: str) -> None:
    """ApiError for a bucket that is not there, not near the data's location, or not the caller's to write."""
    body = files.find_bucket(job.emulator, bucket)
    if not job.emulator.storage.may_write(bucket, job.project, job.principal):
        raise ApiError("accessDenied", "Access Denied: BigQuery BigQuery: Permission denied while writing data.")
    files.check_near(location, body["location"], location, body["location"])


def plan(what: str, targets: list[tuple[str, str]], size: int) -> list[tuple[str, str]]:
    """The objects to write, (bucket, name), those of one target after another; ApiError invalid for one that would be too large."""
    count = max(1, -(-size // MAX_FILE_BYTES))
    if count > 1 and "*" not in targets[0][1]:
        raise ApiError("invalid", f"{what} too large to be exported to a single file. Specify a uri including a * to shard export.")
    each = -(-count // len(targets))
    return [shard for target in targets for shard in names_of(target, each)]


def names_of(target: tuple[str, str], count: int) -> list[tuple[str, str]]:
    """The first objects that a target stands for: twelve digits for its `*`."""
    bucket, name = target
    return [(bucket, name.replace("*", f"{number:012}")) for number in range(count if "*" in name else 1)]


def write_shard(cursor, fields: list[dict], relation: str, config: dict, file: Path, rows: int, index: int, count: int) -> Path:
    """Write one of `count` equal parts of the rows into a local file."""
    name = config.get("destinationFormat") or "CSV"
    start, end = rows * index // count, rows * (index + 1) // count
    part = f" LIMIT {end - start} OFFSET {start}" if count > 1 else ""
    formats.write(cursor, name, fields, f"(FROM {relation}{part})", config, file)
    return file
