"""External tables: rows that stay in the files of a bucket, and are read when a query names the table."""
from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Iterator

from . import files, options, partitions, tables
from .calls import Emulator
from .errors import ApiError, unsupported
from .query import results_relation

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

# Parts of an ExternalDataConfiguration; what else it may have is refused, not ignored.
TAKEN = {"autodetect", "csvOptions", "parquetOptions", "avroOptions", "jsonOptions", "hivePartitioningOptions", "ignoreUnknownValues", "maxBadRecords", "schema",
         "sourceFormat", "sourceUris", "compression", "decimalTargetTypes", "fileSetSpecType", "referenceFileSchemaUri", "jsonExtension", "dateFormat",
         "datetimeFormat", "timeFormat", "timestampFormat", "timeZone", "timestampTargetPrecision", "projectionFields"}


def given(statement: "Statement", base, cursor) -> dict:
    """A CREATE EXTERNAL TABLE as a table's REST body."""
    from .statements import column_field
    patch = options.made(options.read(statement, base.option_list, cursor, options.EXTERNAL_TABLE, "EXTERNAL TABLE"))
    names = {option.path.partition(".")[0] for option in options.FILES.values()}
    config = {name: patch.pop(name) for name in names & patch.keys()}
    if base.connection.ByteSize():
        raise unsupported("CREATE EXTERNAL TABLE WITH CONNECTION")
    config = partition_columns(statement, statement.node, config, cursor)
    own = [column_field(item, statement, cursor) for item in base.column_definition_list]
    if own:
        config["schema"] = {"fields": own}
    return {**patch, "externalDataConfiguration": config | {"autodetect": not own}}


def partition_columns(statement: "Statement", node, config: dict, cursor) -> dict:
    """WITH PARTITION COLUMNS, as hivePartitioningOptions; and the format by the name that REST has for it."""
    from .statements import column_field
    config = {**config, "sourceFormat": options.FORMAT_NAMES[config.get("sourceFormat", "CSV")]}
    if not node.HasField("with_partition_columns"):
        return config
    hive = config.get("hivePartitioningOptions", {})
    named = [column_field(item, statement, cursor) for item in node.with_partition_columns.column_definition_list]
    if not hive.get("sourceUriPrefix"):
        raise ApiError("invalidQuery", "Option hive_partition_uri_prefix is required when WITH PARTITION COLUMNS is given.", "query")
    if named:
        keys = "".join(f"/{{{field['name']}:{field['type']}}}" for field in named)
        hive = {**hive, "sourceUriPrefix": hive["sourceUriPrefix"].rstrip("/") + keys}
    return {**config, "hivePartitioningOptions": {**hive, "mode": "CUSTOM" if named else "AUTO"}}


def prepared(emulator: Emulator, principal: str, body: dict, ref: tables.Ref) -> dict:
    """A new external table's properties, its columns found in the files unless they are given; ApiError for what can't be read."""
    config = body["externalDataConfiguration"]
    for name, value in config.items():
        if value and name not in TAKEN:
            raise unsupported(f"externalDataConfiguration.{name}")
    given = body.get("schema") or config.get("schema") or {}
    reader, fields = files.make_reader(load_config({**config, "schema": given}), "an external table"), given.get("fields") or []
    if not fields and not (config.get("autodetect") or reader.self_describing):
        raise ApiError("invalid", "No schema specified for the external table: give one, or set autodetect.")
    found = files.find(emulator, ref[0], principal, config, location(emulator, ref))
    hive = files.Hive(config.get("hivePartitioningOptions"), found)
    fields = hive.whole(fields) if fields else files.detect(
        reader, emulator.lake.cursor(), files.reference(emulator, ref[0], principal, config, location(emulator, ref)) or found, hive)
    if hive.fields:
        config = {**config, "hivePartitioningOptions": {**hive.options, "fields": [field["name"] for field in hive.fields]}}
    config = {name: value for name, value in config.items() if name not in ("schema", "projectionFields")}
    return {**body, "externalDataConfiguration": config, "schema": {"fields": tables.check_schema(fields)}}


def location(emulator: Emulator, ref: tables.Ref) -> str:
    from . import datasets
    return datasets.find(emulator.lake, ref[:2])["location"]


def load_config(config: dict) -> dict:
    """An ExternalDataConfiguration as a load job's, which readers take."""
    nested = ("csvOptions", "avroOptions", "jsonOptions")
    plain = {name: value for name, value in config.items() if name not in nested}
    return plain | {option: value for name in nested for option, value in (config.get(name) or {}).items()}


def rows(emulator: Emulator, principal: str, ref: tables.Ref, body: dict) -> str:
    """The table that holds the files' rows as they are now; kept until a file changes."""
    config = body["externalDataConfiguration"]
    found = files.find(emulator, ref[0], principal, config, body["location"])
    state = json.dumps([config, body["schema"], [(str(file.path), file.path.stat().st_mtime_ns, file.path.stat().st_size) for file in found]])
    known, kept = emulator.external.get(ref, ("", []))
    if known == state:
        return kept[-1]
    cursor, relation = emulator.lake.cursor(), results_relation(f"external{uuid.uuid4().hex}")
    reader = files.make_reader(load_config(config), "an external table")
    try:
        pseudo = partitions.pseudo(body)
        hive = files.Hive(config.get("hivePartitioningOptions"), found, pseudo)
        files.read(reader, cursor, found, [*body["schema"]["fields"], *pseudo], hive, relation, lambda: None)
    except BaseException:
        cursor.execute(f"DROP TABLE IF EXISTS {relation}")
        raise
    emulator.external[ref] = state, [*kept[-1:], relation]  # the last but one may be read by a query that has begun
    for old in kept[:-1]:
        cursor.execute(f"DROP TABLE IF EXISTS {old}")
    return relation


@contextmanager
def defined(job: "Job") -> Iterator[None]:
    """While a query runs: the external tables that its configuration defines, as temporary ones."""
    definitions = job.config.get("tableDefinitions") or {}
    if not definitions:
        yield
        return
    if job.session.id:
        raise unsupported("tableDefinitions in a session")
    made = []
    try:
        for name, config in definitions.items():
            tables.check_name(name)
            ref = job.session.new_table(job, name)
            body = prepared(job.emulator, job.principal, {"externalDataConfiguration": config, **tables.identity(ref)}, ref)
            job.lake.put_later("table", ref, {**body, "type": "EXTERNAL", "location": location(job.emulator, ref)})
            job.session.tables[name] = ref
            made.append(ref)
        yield
    finally:
        job.session.close(job.lake)
        for relation in [relation for ref in made for relation in job.emulator.external.pop(ref, ("", []))[1]]:
            job.lake.cursor().execute(f"DROP TABLE IF EXISTS {relation}")
