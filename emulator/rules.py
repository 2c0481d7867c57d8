"""Values that the service refuses wherever a resource has them: labels, collations, rounding modes, layouts, parameters of types."""
from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Callable

from . import iam, values
from .errors import ApiError, unsupported
from .lake import now_ms

if TYPE_CHECKING:
    from .lake import Ref, Transaction

LABEL_KEY, LABEL_VALUE = re.compile(r"(?=[^\W\d_])[\w-]{1,63}"), re.compile(r"[\w-]{0,63}")
MOST_LABELS = 64
MOST_PARTITIONS = 10_000
MOST_CLUSTERING = 4
COLLATIONS = ("", "und:ci")
COLUMN_CATEGORIES, COLUMN_CHARACTERS = ("L", "M", "N", "Pc", "Pd"), " &%=+:'<>#|"
COLUMN_PREFIXES = ("_PARTITION", "_TABLE_", "_FILE_", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER")
ROUNDING = ("", "ROUNDING_MODE_UNSPECIFIED", "ROUND_HALF_AWAY_FROM_ZERO", "ROUND_HALF_EVEN")
CLUSTERING_TYPES = ("BIGNUMERIC", "BOOLEAN", "DATE", "DATETIME", "GEOGRAPHY", "INTEGER", "NUMERIC", "RANGE", "STRING", "TIMESTAMP")
RANGES = ("DATE", "DATETIME", "TIMESTAMP")
# The parameters of types, and the types that have them.
PARAMETERS = {"maxLength": ("STRING", "BYTES"), "precision": ("NUMERIC", "BIGNUMERIC"), "scale": ("NUMERIC", "BIGNUMERIC"),
              "roundingMode": ("NUMERIC", "BIGNUMERIC"), "collation": ("STRING", "RECORD"), "timestampPrecision": ("TIMESTAMP",), "rangeElementType": ("RANGE",)}
DECIMALS = {"NUMERIC": (29, 9), "BIGNUMERIC": (38, 38)}  # digits before and after the point
# Parts of a table that mean something which is not done here.
REFUSED = ("biglakeConfiguration", "tableReplicationInfo", "model", "partitionDefinition")
REFUSED_IN_VIEWS = ("userDefinedFunctionResources", "privacyPolicy", "foreignDefinitions")
REFUSED_IN_FIELDS = ("generatedColumn", "foreignTypeDefinition")


def check_labels(labels: dict[str, str]) -> None:
    """ApiError invalid for labels that the service refuses. Source: "Requirements for labels"."""
    if len(labels) > MOST_LABELS:
        raise ApiError("invalid", f"Too many labels: {len(labels)}; the most is {MOST_LABELS}.", "labels")
    for key, value in labels.items():
        for what, text, form in (("key", key, LABEL_KEY), ("value", value, LABEL_VALUE)):
            if not form.fullmatch(text) or text != text.lower():
                raise ApiError("invalid", f'Invalid label {what} "{text[:100]}": at most 63 lowercase letters, numbers, underscores and dashes'
                                          f"{', beginning with a letter' if what == 'key' else ''}.", "labels")


def check_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise ApiError("invalid", f"Invalid value for {name}: {value} is not a valid value; possible are {', '.join(filter(None, choices))}.", name)


def check_described(body: dict) -> None:
    """What tables and datasets have in common; ApiError invalid."""
    check_labels(body.get("labels") or {})
    check_choice("defaultCollation", body.get("defaultCollation"), COLLATIONS)
    check_choice("defaultRoundingMode", body.get("defaultRoundingMode"), ROUNDING)


def check_table(body: dict) -> None:
    """A table's own properties, beside schema and layout; ApiError invalid, or notImplemented."""
    for names, part in ((REFUSED, body), (REFUSED_IN_VIEWS, body.get("view") or {})):
        for name in names:
            if part.get(name):
                raise unsupported(name)
    check_described(body)


# Types --------------------------------------------------------------------------------------------

def in_column_names(letter: str) -> bool:
    """Source: "Flexible column names"."""
    return letter in COLUMN_CHARACTERS or unicodedata.category(letter).startswith(COLUMN_CATEGORIES)


def check_column(name: str, path: str) -> None:
    """ApiError invalid for a name that no column may have. path: what stands before it in messages."""
    if not name or not all(map(in_column_names, name)) or len(name) > 300:
        raise ApiError("invalid", f'Invalid field name "{path}{name}". Fields must contain the allowed characters, and be at most 300 characters long. '
                                  "For allowed characters, please refer to https://cloud.google.com/bigquery/docs/schemas#column_names")
    if name.upper().startswith(COLUMN_PREFIXES):
        raise ApiError("invalid", f'Invalid field name "{path}{name}". Field names are not allowed to start with the (case-insensitive) prefixes '
                                  f"{', '.join(COLUMN_PREFIXES[:-1])} and {COLUMN_PREFIXES[-1]}")


def check_parameters(field: dict, kind: str, where: str) -> None:
    """The parameters of a column's type; ApiError invalid. where: the column's path."""
    for name in REFUSED_IN_FIELDS:
        if field.get(name):
            raise unsupported(f"{name} (field: {where})")
    for name, kinds in PARAMETERS.items():
        if field.get(name) not in (None, "") and kind not in kinds:
            raise wrong(f"{name} is not allowed for a field of type {kind}", where)
    check_choice("collation", field.get("collation"), COLLATIONS)
    check_choice("roundingMode", field.get("roundingMode"), ROUNDING)
    if "maxLength" in field and int(field["maxLength"]) < 1:
        raise wrong(f"maxLength must be at least 1, not {field['maxLength']}", where)
    if kind in DECIMALS:
        check_decimal(field, kind, where)
    if field.get("timestampPrecision") not in (None, "6"):
        raise unsupported(f"timestampPrecision {field['timestampPrecision']} (field: {where})")
    if kind == "RANGE" and (field.get("rangeElementType") or {}).get("type") not in RANGES:
        raise wrong(f"rangeElementType must be {', '.join(RANGES[:-1])} or {RANGES[-1]}", where)


def check_decimal(field: dict, kind: str, where: str) -> None:
    whole, most_scale = DECIMALS[kind]
    scale = int(field.get("scale") or 0)
    if "scale" in field and "precision" not in field:
        raise wrong("a scale needs a precision", where)
    if not 0 <= scale <= most_scale:
        raise wrong(f"the scale of {kind} must be between 0 and {most_scale}, not {scale}", where)
    if "precision" in field and not max(1, scale) <= int(field["precision"]) <= whole + scale:
        raise wrong(f"the precision of {kind} with scale {scale} must be between {max(1, scale)} and {whole + scale}, not {field['precision']}", where)


def wrong(why: str, where: str) -> ApiError:
    return ApiError("invalid", f"Invalid schema: {why} (field: {where})")


def shrunk(before: dict, after: dict) -> list[str]:
    """The parameters of a type by which a column takes less than before."""
    most = float("inf")
    lengths = [int(field.get("maxLength", 0)) or most for field in (before, after)]
    scales = [int(field.get("scale") or 0) for field in (before, after)]
    digits = [int(field["precision"]) - scale if "precision" in field else most for field, scale in zip((before, after), scales)]
    whole = "precision" in after and "precision" not in before
    return [name for name, less in (("maxLength", lengths[1] < lengths[0]), ("precision", digits[1] < digits[0]),
                                    ("scale", not whole and "precision" in after and scales[1] < scales[0])) if less]


# Layout -------------------------------------------------------------------------------------------

def laid_out(body: dict) -> dict:
    """A table's body with its partitioning and clustering checked and as they are stored; ApiError invalid.

    The filter that partitioning may ask for is the table's by now; clustering by nothing is none.
    """
    check_layout(body)
    if (body.get("timePartitioning") or {}).get("requirePartitionFilter"):
        body = {**body, "requirePartitionFilter": True}
    if "clustering" in body and not (body["clustering"] or {}).get("fields"):
        body = {name: value for name, value in body.items() if name != "clustering"}
    return body


def check_layout(body: dict) -> None:
    """Partitioning and clustering against the schema; ApiError invalid."""
    top = {field["name"].lower(): field for field in body.get("schema", {}).get("fields", ())}
    time_partitioning, range_partitioning = body.get("timePartitioning"), body.get("rangePartitioning")
    if time_partitioning and range_partitioning:
        raise ApiError("invalid", "Only one of timePartitioning and rangePartitioning should be specified.")
    for partitioning, kinds in ((time_partitioning, ("DATE", "TIMESTAMP", "DATETIME")), (range_partitioning, ("INTEGER",))):
        name = (partitioning or {}).get("field")
        if name and name.lower() not in top:
            raise ApiError("invalid", "The field specified for partitioning cannot be found in the schema.")
        if name and (top[name.lower()]["type"] not in kinds or values.repeated(top[name.lower()])):
            raise ApiError("invalid", f"The field specified for partitioning must be of type {' or '.join(kinds)}: {name}.")
    if time_partitioning is not None and time_partitioning.get("type") not in ("DAY", "HOUR", "MONTH", "YEAR"):
        raise ApiError("invalid", "Time partitioning needs a type: DAY, HOUR, MONTH or YEAR.")
    if (time_partitioning or {}).get("type") == "HOUR" and top.get((time_partitioning.get("field") or "").lower(), {}).get("type") == "DATE":
        raise ApiError("invalid", f"Time partitioning of type HOUR is not possible by a field of type DATE: {time_partitioning['field']}.")
    if range_partitioning is not None:
        check_range(range_partitioning)
    check_clustering((body.get("clustering") or {}).get("fields") or [], top)


def check_range(partitioning: dict) -> None:
    """A range partitioning by itself; ApiError invalid."""
    span = partitioning.get("range") or {}
    missing = [name for name, known in (("field", partitioning), ("range.start", span), ("range.end", span), ("range.interval", span))
               if not known.get(name.removeprefix("range."))]
    if missing:
        raise ApiError("invalid", f"Range partitioning needs {' and '.join(missing)}.")
    start, end, interval = (int(span[name]) for name in ("start", "end", "interval"))
    if start >= end or interval <= 0:
        raise ApiError("invalid", f"Invalid range partitioning: the start {start} must be less than the end {end}, and the interval {interval} greater than 0.")
    if (count := -(-(end - start) // interval)) > MOST_PARTITIONS:
        raise ApiError("invalid", f"Invalid range partitioning: {count} ranges are possible, more than {MOST_PARTITIONS}.")


def check_clustering(names: list[str], top: dict[str, dict]) -> None:
    if len(names) > MOST_CLUSTERING or len({name.lower() for name in names}) < len(names):
        raise ApiError("invalid", f"Too many or repeated fields specified for clustering: at most {MOST_CLUSTERING} different ones are possible.")
    for name in names:
        if name.lower() not in top:
            raise ApiError("invalid", f"The field specified for clustering cannot be found in the schema: {name}.")
        field = top[name.lower()]
        if field["type"] not in CLUSTERING_TYPES or values.repeated(field):
            raise ApiError("invalid", f"Clustering is not supported on the field {name}: it is of type {field['type']} and mode {field.get('mode') or 'NULLABLE'}.")


def check_updates(updates: list[str] | None, write_disposition: str, partition: str | None) -> None:
    """ApiError invalid for a job's schemaUpdateOptions where it overwrites a whole table, schema and all, or writes none that is there."""
    if updates and write_disposition not in ("WRITE_APPEND", "WRITE_TRUNCATE_DATA") and (write_disposition != "WRITE_TRUNCATE" or partition is None):
        raise ApiError("invalid", "Schema update options should only be specified with WRITE_APPEND disposition, or with WRITE_TRUNCATE "
                                  "disposition on a table partition.")


def clustering_of(body: dict) -> str:
    """A table's clustering, as the service's messages write it."""
    fields = (body.get("clustering") or {}).get("fields")
    return f"clustering({','.join(fields)})" if fields else "none"


def partitioning_of(body: dict) -> str:
    """A table's partitioning, as the service's messages write it."""
    time, number = body.get("timePartitioning"), body.get("rangePartitioning")
    if time:
        return f"interval(type:{time.get('type', 'DAY').lower()}{',field:' + time['field'] if time.get('field') else ''})"
    if number:
        return f"range(field:{number['field']},start:{number['range']['start']},end:{number['range']['end']},interval:{number['range']['interval']})"
    return "none"


def check_same_partitioning(body: dict, changed: dict) -> None:
    """ApiError invalid where a table is to be partitioned in another way than it is."""
    if partitioning_of(body) == "none" != partitioning_of(changed):
        raise ApiError("invalid", "Cannot convert non partitioned/clustered table to partitioned/clustered table.")
    check_asked(body, changed, {partitioning_of: True})


def check_destination(tx: "Transaction", ref: tuple[str, str, str], asked: dict) -> None:
    """ApiError invalid where a job asks for another partitioning or clustering than the table has into which it writes."""
    from .tables import expired
    body = tx.get("table", ref)
    if body and not expired(body):
        check_asked(body, asked, {partitioning_of: "timePartitioning" in asked or "rangePartitioning" in asked, clustering_of: bool(asked.get("clustering"))})


def check_asked(body: dict, asked: dict, told: dict[Callable[[dict], str], bool]) -> None:
    """told: what describes a part of a table's layout -> whether it has been asked for."""
    if any(given and part(body).lower() != part(asked).lower() for part, given in told.items()):
        old, new = (" ".join(text for part in told if (text := part(one)) != "none") or "none" for one in (body, asked))
        raise ApiError("invalid", f"Incompatible table partitioning specification. Expects partitioning specification {old}, "
                                  f"but input partitioning specification is {new}")


# Others -------------------------------------------------------------------------------------------

def check_constraints(body: dict, ref: Ref) -> None:
    """ApiError invalid for keys of columns that are not there; foreign keys without a name get one."""
    top = {field["name"].lower() for field in body.get("schema", {}).get("fields", ())}
    known = body.get("tableConstraints") or {}
    named = list((known.get("primaryKey") or {}).get("columns", ()))
    for place, key in enumerate(known.get("foreignKeys") or ()):
        key.setdefault("name", f"fk${place + 1}")
        named += [pair["referencingColumn"] for pair in key.get("columnReferences") or ()]
    for name in named:
        if name.lower() not in top:
            raise ApiError("invalid", f"Column {name} of a constraint was not found in table {iam.name_of(ref)}.")


def check_expiration(body: dict) -> None:
    if body.get("expirationTime") and int(body["expirationTime"]) <= now_ms():
        raise ApiError("invalid", "Invalid value for expirationTime: the time is in the past.")
    if len(body.get("description") or "") > 16_384:
        raise ApiError("invalid", "The description of a table has at most 16384 characters.")
