"""External tables: rows that stay in the files of a bucket, and are read when a query names the table."""
from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from . import files, options, tables
from .calls import Emulator
from .errors import ApiError, unsupported
from .options import Option
from .query import results_relation

if TYPE_CHECKING:
    from .googlesql import Statement

# Parts of an ExternalDataConfiguration; what else it may have is refused, not ignored.
TAKEN = {"autodetect", "csvOptions", "parquetOptions", "hivePartitioningOptions", "ignoreUnknownValues", "maxBadRecords", "schema", "sourceFormat",
         "sourceUris", "compression", "avroOptions", "decimalTargetTypes"}


FORMAT_NAMES = {"JSON": "NEWLINE_DELIMITED_JSON", "CSV": "CSV", "PARQUET": "PARQUET", "NEWLINE_DELIMITED_JSON": "NEWLINE_DELIMITED_JSON",
                "AVRO": "AVRO", "ORC": "ORC"}
_whole = {"convert": lambda number: int(number)}
_flag = {"convert": bool}
# The options of files, of CREATE EXTERNAL TABLE and LOAD DATA, as properties of an ExternalDataConfiguration.
FILES: options.Known = {
    "format": Option("sourceFormat", choices=tuple(FORMAT_NAMES)), "uris": Option("sourceUris", options.names), "compression": Option("compression"),
    "max_bad_records": Option("maxBadRecords", **_whole), "ignore_unknown_values": Option("ignoreUnknownValues", **_flag),
    "field_delimiter": Option("csvOptions.fieldDelimiter"), "quote": Option("csvOptions.quote"), "null_marker": Option("csvOptions.nullMarker"),
    "null_markers": Option("csvOptions.nullMarkers", list), "encoding": Option("csvOptions.encoding"),
    "skip_leading_rows": Option("csvOptions.skipLeadingRows", lambda count: str(int(count))),
    "allow_jagged_rows": Option("csvOptions.allowJaggedRows", **_flag), "allow_quoted_newlines": Option("csvOptions.allowQuotedNewlines", **_flag),
    "enable_list_inference": Option("parquetOptions.enableListInference", **_flag),
    "enum_as_string": Option("parquetOptions.enumAsString", **_flag),
    "hive_partition_uri_prefix": Option("hivePartitioningOptions.sourceUriPrefix"),
    "require_hive_partition_filter": Option("hivePartitioningOptions.requirePartitionFilter", **_flag)}
TABLE: options.Known = FILES | options.VIEW


def given(statement: "Statement", base, cursor) -> dict:
    """A CREATE EXTERNAL TABLE as a table's REST body."""
    from .statements import column_field
    patch = options.made(options.read(statement, base.option_list, cursor, TABLE, "EXTERNAL TABLE"))
    names = {option.path.partition(".")[0] for option in FILES.values()}
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
    config = {**config, "sourceFormat": FORMAT_NAMES[config.get("sourceFormat", "CSV")]}
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
    reader = files.make_reader(load_config(config), "an external table")
    fields = (body.get("schema") or config.get("schema") or {}).get("fields") or []
    if not fields and not (config.get("autodetect") or reader.self_describing):
        raise ApiError("invalid", "No schema specified for the external table: give one, or set autodetect.")
    found = files.find(emulator, ref[0], principal, config.get("sourceUris") or [], location(emulator, ref))
    hive = files.Hive(config.get("hivePartitioningOptions"), found)
    fields = hive.whole(fields) if fields else files.detect(reader, emulator.lake.cursor(), found, hive)
    if hive.fields:
        config = {**config, "hivePartitioningOptions": {**hive.options, "fields": [field["name"] for field in hive.fields]}}
    config = {name: value for name, value in config.items() if name != "schema"}
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
    found = files.find(emulator, ref[0], principal, config["sourceUris"], body["location"])
    state = json.dumps([config, body["schema"], [(str(file.path), file.path.stat().st_mtime_ns, file.path.stat().st_size) for file in found]])
    known, kept = emulator.external.get(ref, ("", []))
    if known == state:
        return kept[-1]
    cursor, relation = emulator.lake.cursor(), results_relation(f"external{uuid.uuid4().hex}")
    reader = files.make_reader(load_config(config), "an external table")
    try:
        files.read(reader, cursor, found, body["schema"]["fields"], files.Hive(config.get("hivePartitioningOptions"), found), relation, lambda: None)
    except BaseException:
        cursor.execute(f"DROP TABLE IF EXISTS {relation}")
        raise
    emulator.external[ref] = state, [*kept[-1:], relation]  # the last but one may be read by a query that has begun
    for old in kept[:-1]:
        cursor.execute(f"DROP TABLE IF EXISTS {old}")
    return relation
