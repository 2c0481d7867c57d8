"""OPTIONS(...) of DDL: what each kind of resource takes, and where REST has it.

Source: the option lists of BigQuery's "Data definition language" and "Other statements" pages.
"""
from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Callable, Iterator, NamedTuple

from .calls import merge
from .errors import ApiError, unsupported

if TYPE_CHECKING:
    from .googlesql import Statement

DAY_MS = 86_400_000
ROUNDING = ("ROUND_HALF_AWAY_FROM_ZERO", "ROUND_HALF_EVEN", "ROUNDING_MODE_UNSPECIFIED")


class Option(NamedTuple):
    """An option. path: of its property in the REST body, dots between its parts; convert: its value there, from Python's;
    choices: the only values it may have, "" for any."""

    path: str
    convert: Callable = lambda value: value + ""  # a TypeError for all but text
    choices: tuple[str, ...] = ()


def _pairs(items) -> dict[str, str]:
    return {pair[0]: pair[1] for pair in (tuple(pair.values()) if isinstance(pair, dict) else pair for pair in items)}


def _milliseconds(moment) -> str:
    return str(int(moment.timestamp() * 1000))


def _days(days) -> str:
    if days < 0:
        raise ValueError(days)
    return str(int(float(days) * DAY_MS))


def _minutes(minutes) -> str:
    return str(int(float(minutes) * 60_000))


def count(number) -> str:
    return str(int(number))


def _interval(span) -> str:
    """A Python timedelta as REST has an INTERVAL: Y-M D H:M:S."""
    minutes, seconds = divmod(span.seconds, 60)
    return f"0-0 {span.days} {minutes // 60}:{minutes % 60}:{seconds}"


def names(value) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


Known = dict[str, Option]
DESCRIBING: Known = {"description": Option("description"), "friendly_name": Option("friendlyName"), "labels": Option("labels", _pairs),
                     "tags": Option("resourceTags", _pairs)}
COLUMN: Known = {"description": Option("description"), "rounding_mode": Option("roundingMode", choices=ROUNDING)}
VIEW: Known = DESCRIBING | {"expiration_timestamp": Option("expirationTime", _milliseconds)}
SNAPSHOT: Known = VIEW
TABLE: Known = VIEW | {
    "require_partition_filter": Option("requirePartitionFilter", bool), "partition_expiration_days": Option("timePartitioning.expirationMs", _days),
    "default_rounding_mode": Option("defaultRoundingMode", choices=ROUNDING), "max_staleness": Option("maxStaleness", _interval),
    "kms_key_name": Option("encryptionConfiguration.kmsKeyName"),
    "enable_change_history": Option("_changeHistory", bool), "enable_fine_grained_mutations": Option("_fineGrainedMutations", bool)}
MATERIALIZED_VIEW: Known = VIEW | {
    "enable_refresh": Option("materializedView.enableRefresh", bool), "max_staleness": Option("maxStaleness", _interval),
    "refresh_interval_minutes": Option("materializedView.refreshIntervalMs", _minutes),
    "allow_non_incremental_definition": Option("materializedView.allowNonIncrementalDefinition", bool)}
SCHEMA: Known = DESCRIBING | {
    "location": Option("location"), "default_kms_key_name": Option("defaultEncryptionConfiguration.kmsKeyName"),
    "default_table_expiration_days": Option("defaultTableExpirationMs", _days),
    "default_partition_expiration_days": Option("defaultPartitionExpirationMs", _days),
    "max_time_travel_hours": Option("maxTimeTravelHours", count),
    "default_rounding_mode": Option("defaultRoundingMode", choices=ROUNDING), "is_case_insensitive": Option("isCaseInsensitive", bool),
    "storage_billing_model": Option("storageBillingModel", choices=("LOGICAL", "PHYSICAL"))}
ROUTINE: Known = {
    "description": Option("description"), "library": Option("importedLibraries", names), "strict_mode": Option("strictMode", bool),
    "data_governance_type": Option("dataGovernanceType", choices=("DATA_MASKING",))}
FORMAT_NAMES = {"JSON": "NEWLINE_DELIMITED_JSON", "CSV": "CSV", "PARQUET": "PARQUET", "NEWLINE_DELIMITED_JSON": "NEWLINE_DELIMITED_JSON",
                "AVRO": "AVRO", "ORC": "ORC", "DATASTORE_BACKUP": "DATASTORE_BACKUP"}
ELSEWHERE = {"GOOGLE_SHEETS", "CLOUD_BIGTABLE", "DELTA_LAKE", "ICEBERG", "HUDI"}  # formats whose files or services are not here
_whole = {"convert": int}
_flag = {"convert": bool}
# The options of files, of CREATE EXTERNAL TABLE and LOAD DATA, as properties of an ExternalDataConfiguration.
FILES: Known = {
    "format": Option("sourceFormat", choices=tuple(FORMAT_NAMES)), "uris": Option("sourceUris", names), "compression": Option("compression"),
    "max_bad_records": Option("maxBadRecords", **_whole), "ignore_unknown_values": Option("ignoreUnknownValues", **_flag),
    "field_delimiter": Option("csvOptions.fieldDelimiter"), "quote": Option("csvOptions.quote"), "null_marker": Option("csvOptions.nullMarker"),
    "null_markers": Option("csvOptions.nullMarkers", list), "encoding": Option("csvOptions.encoding"),
    "skip_leading_rows": Option("csvOptions.skipLeadingRows", count),
    "allow_jagged_rows": Option("csvOptions.allowJaggedRows", **_flag), "allow_quoted_newlines": Option("csvOptions.allowQuotedNewlines", **_flag),
    "enable_list_inference": Option("parquetOptions.enableListInference", **_flag),
    "enum_as_string": Option("parquetOptions.enumAsString", **_flag),
    "preserve_ascii_control_characters": Option("csvOptions.preserveAsciiControlCharacters", **_flag),
    "source_column_match": Option("csvOptions.sourceColumnMatch", choices=("POSITION", "NAME")), "decimal_target_types": Option("decimalTargetTypes", list),
    "file_set_spec_type": Option("fileSetSpecType"), "reference_file_schema_uri": Option("referenceFileSchemaUri"), "json_extension": Option("jsonExtension"),
    "projection_fields": Option("projectionFields", _listed),
    "date_format": Option("dateFormat"), "datetime_format": Option("datetimeFormat"), "time_format": Option("timeFormat"),
    "timestamp_format": Option("timestampFormat"), "time_zone": Option("timeZone"), "enable_logical_types": Option("avroOptions.useAvroLogicalTypes", **_flag),
    "hive_partition_uri_prefix": Option("hivePartitioningOptions.sourceUriPrefix"),
    "require_hive_partition_filter": Option("hivePartitioningOptions.requirePartitionFilter", **_flag)}
EXTERNAL_TABLE: Known = FILES | VIEW
# What BigQuery has and the embedded one does not.
REFUSED = {"data_policies", "privacy_policy", "failover_reservation", "is_primary", "primary_replica",
           "storage_uri", "file_format", "table_format", "metadata_cache_mode", "object_metadata"}


def read(statement: "Statement", items, cursor, known: Known, what: str) -> dict:
    """An OPTIONS list as a patch of the REST body: a NULL takes a property away.

    what: as the service calls the list, e.g. TABLE. Raises ApiError invalidQuery for an unknown option or value, notImplemented for
    one that is not supported.
    """
    patch: dict = {}
    for item in items:
        option = find(statement, item.name, known)
        value = statement.constant(item.value, cursor)
        if value is not None:
            value = converted(option, item.name, value, what)
        for part in reversed(option.path.split(".")):
            value = {part: value}
        patch = combined(patch, value)
    return patch


def find(statement: "Statement", name: str, known: Known) -> Option:
    if name.lower() in known:
        return known[name.lower()]
    if name.lower() in REFUSED:
        raise unsupported(f"the option {name}")
    before = re.split(rf"\b{re.escape(name)}\b\s*=", statement.text)[0]
    raise ApiError("invalidQuery", f"Unknown option: {name} at [{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}]", "query")


def converted(option: Option, name: str, value, what: str):
    try:
        made = option.convert(value)
    except (TypeError, ValueError, AttributeError):
        made = None
    if name == "format" and str(made).upper() in ELSEWHERE:
        raise unsupported(f"the format {made}")
    if made is None or (option.choices and made.upper() not in option.choices):
        raise ApiError("invalidQuery", f"'{value}' is not a valid value; failed to set '{name}' in {what} OPTIONS", "query")
    return made.upper() if option.choices else made


def literal(value) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pairs_said(pairs: dict) -> str:
    return "[" + ", ".join(f"STRUCT({literal(key)}, {literal(value)})" for key, value in sorted(pairs.items())) + "]"


def _moment_said(milliseconds: str) -> str:
    return f'TIMESTAMP "{dt.datetime.fromtimestamp(int(milliseconds) / 1000, dt.timezone.utc):%Y-%m-%dT%H:%M:%S}.{int(milliseconds) % 1000:03}Z"'


# What makes a property of an option's value -> its type, and the way back.
SAID: dict[Callable, tuple[str, Callable]] = {
    _pairs: ("ARRAY<STRUCT<STRING, STRING>>", _pairs_said), _milliseconds: ("TIMESTAMP", _moment_said), count: ("INT64", str),
    _days: ("FLOAT64", lambda milliseconds: repr(int(milliseconds) / DAY_MS)), _minutes: ("FLOAT64", lambda milliseconds: repr(int(milliseconds) / 60_000)),
    _interval: ("INTERVAL", lambda text: f'INTERVAL "{text}" YEAR TO SECOND')}
TYPES = {bool: "BOOL", int: "INT64", float: "FLOAT64", list: "ARRAY<STRING>"}


def given(body: dict, known: Known) -> Iterator[tuple[str, str, str]]:
    """The options that a resource has: name, type, value as SQL writes it."""
    for name, option in known.items():
        value = body
        for part in option.path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value not in (None, {}, []):
            kind, said = SAID.get(option.convert, (TYPES.get(type(value), "STRING"), literal))
            yield name, kind, said(value)


def combined(one: dict, other: dict) -> dict:
    """Two patches as one; unlike `merge`, a None stays."""
    return one | {key: combined(one[key], value) if isinstance(value, dict) and isinstance(one.get(key), dict) else value
                  for key, value in other.items()}


def made(patch: dict) -> dict:
    """The properties of a new resource that a patch gives."""
    return merge({}, {key: made(value) if isinstance(value, dict) else value for key, value in patch.items()})
