"""Files of buckets as rows: the objects that URIs name, the columns that hive partitions add, and reading all of them.

Load jobs and external tables read the same way.
"""
from __future__ import annotations

import datetime as dt
import re
from typing import Callable
from urllib.parse import unquote

from . import datastore, formats, partitions, tables, values
from .calls import Emulator
from .errors import ApiError, not_found, unsupported
from .formats import File

URI = re.compile(r"gs://([^/*]+)/(.+)")
MOST_URIS = 10_000
FILE_SETS = ("FILE_SET_SPEC_TYPE_FILE_SYSTEM_MATCH", "FILE_SET_SPEC_TYPE_NEW_LINE_DELIMITED_MANIFEST")
CUSTOM_KEY = re.compile(r"/\{(\w+):(\w+)\}")
HIVE_TYPES = ("STRING", "INTEGER", "DATE", "TIMESTAMP", "FLOAT", "NUMERIC", "BIGNUMERIC", "DATETIME", "TIME", "BOOLEAN")


def find(emulator: Emulator, project: str, principal: str, config: dict, location: str) -> list[File]:
    """The objects that a configuration's sourceUris name, by fileSetSpecType also through manifests of such URIs.

    Raises ApiError for a missing object, one that the principal may not read, or what is no export where it is to be one.
    """
    if not config.get("sourceUris"):
        raise ApiError("required", "Required parameter is missing: sourceUris", "sourceUris")
    kind = config.get("fileSetSpecType") or FILE_SETS[0]
    if kind not in FILE_SETS:
        raise ApiError("invalid", f"Invalid value for fileSetSpecType: {kind} is not a valid value")
    if len(config["sourceUris"]) > MOST_URIS:
        raise ApiError("invalid", f"Too many source URIs: {len(config['sourceUris'])}; the most is {MOST_URIS}.")
    exported = formats.READERS[config.get("sourceFormat") or "CSV"].exported
    if exported and (len(config["sourceUris"]) > 1 or "*" in config["sourceUris"][0] or kind != FILE_SETS[0]):
        raise ApiError("invalid", "A Datastore export is named by exactly one URI, without a wildcard: that of its metadata, which ends in "
                                  f"{datastore.METADATA}.")
    found = objects(emulator, project, principal, config["sourceUris"], location)
    if exported:
        return objects(emulator, project, principal, logs(found[0]), location)
    if kind == FILE_SETS[0]:
        return found
    lines = [line.strip() for manifest in found for line in manifest.path.read_text(errors="replace").splitlines()]
    return objects(emulator, project, principal, [line for line in lines if line], location)


def reference(emulator: Emulator, project: str, principal: str, config: dict, location: str) -> list[File]:
    """The file that a configuration names for its schema; none where it names none."""
    uri = config.get("referenceFileSchemaUri")
    return objects(emulator, project, principal, [uri], location) if uri else []


def objects(emulator: Emulator, project: str, principal: str, uris: list[str], location: str) -> list[File]:
    """The objects that URIs name, those of a wildcard by name."""
    found = []
    for uri in uris:
        bucket, name = split_uri(uri, "source")
        about = find_bucket(emulator, bucket)
        if not emulator.storage.may_read(bucket, project, principal):
            raise ApiError("accessDenied", f"Access Denied: File {uri}: Access Denied", uri)
        check_near(location, about["location"], about["location"], location)
        names = emulator.storage.objects(bucket, name)
        if not names:
            raise not_found("URI", uri)
        found += [File(emulator.storage.path(bucket, each), f"gs://{bucket}/{each}") for each in names]
    return found


def logs(metadata: File) -> list[str]:
    """The URIs of an export's logs, which its metadata names."""
    try:
        if not metadata.uri.endswith(datastore.METADATA):
            raise ValueError
        return [f"{metadata.uri.rpartition('/')[0]}/{name}" for name in datastore.files_of(metadata.path.read_bytes())]
    except ValueError:
        raise ApiError("invalid", f"{metadata.uri} does not contain valid backup metadata.", metadata.uri) from None


def split_uri(uri: str, what: str) -> tuple[str, str]:
    """A gs:// name as bucket and object; ApiError invalid for any other."""
    match = URI.fullmatch(uri)
    if not match or match[2].count("*") > 1:
        raise ApiError("invalid", f"Invalid {what} URI '{uri}'. Must be a valid Google Storage path.", uri)
    return match[1], match[2]


def find_bucket(emulator: Emulator, name: str) -> dict:
    body = emulator.storage.bucket(name)
    if body is None:
        raise not_found("URI", f"gs://{name}")
    return body


def check_near(dataset: str, bucket: str, source: str, destination: str) -> None:
    """ApiError invalid where a bucket is not in its dataset's location; datasets in the US work with any."""
    inside = bucket.upper() == dataset.upper() or (dataset.upper() == "EU" and bucket.lower().startswith("europe-"))
    if dataset.upper() != "US" and not inside:
        raise ApiError("invalid", f"Cannot read and write in different locations: source: {source}, destination: {destination}")


# Hive partitions ----------------------------------------------------------------------------------

class Hive:
    """The columns that the folders of files add: .../key=value/... below a common prefix.

    options: HivePartitioningOptions; files: those that are read; pseudo: columns to be added besides, of which there is
    but the file's name. Attributes: fields, the columns.
    """

    def __init__(self, options: dict | None, files: list[File], pseudo: list[dict] = ()):
        self.options = options or {}
        self.fields: list[dict] = []
        if options:
            self.find_keys(files)
        self.fields += pseudo

    def find_keys(self, files: list[File]) -> None:
        """Find the columns in the options and the names; ApiError invalid where these do not agree."""
        mode = (self.options.get("mode") or "AUTO").upper()
        if mode not in ("AUTO", "STRINGS", "CUSTOM"):
            raise ApiError("invalid", f"Invalid value for hivePartitioningOptions.mode: {mode} is not a valid value")
        whole = self.options.get("sourceUriPrefix") or ""
        if not whole.startswith("gs://"):
            raise ApiError("invalid", "hivePartitioningOptions needs a sourceUriPrefix: the part of the URIs before the first key.")
        self.prefix = CUSTOM_KEY.sub("", whole).rstrip("/") + "/"
        found = [self.pairs(file) for file in files]
        if mode == "CUSTOM":
            self.fields = [{"name": key, "type": values.type_name({"type": kind}), "mode": "NULLABLE"} for key, kind in CUSTOM_KEY.findall(whole)]
        else:
            self.fields = [{"name": key, "type": "STRING" if mode == "STRINGS" else looks([pairs[key] for pairs in found if key in pairs]), "mode": "NULLABLE"}
                           for key in (found[0] if found else ())]
        keys = [field["name"] for field in self.fields]
        for file, pairs in zip(files, found):
            if list(pairs) != keys:
                raise ApiError("invalid", f"Incompatible partition schemas. Expected schema (keys: {', '.join(keys)}) has {len(keys)} columns. "
                                          f"Observed schema (keys: {', '.join(pairs)}) has {len(pairs)} columns. File: {file.uri}")

    def pairs(self, file: File) -> dict[str, str]:
        """The keys and values in a file's name."""
        if not (file.uri or "").startswith(self.prefix):
            raise ApiError("invalid", f"File {file.uri} does not begin with the sourceUriPrefix {self.prefix}.")
        folders = file.uri.removeprefix(self.prefix).split("/")[:-1]
        return {key: unquote(value) for key, equals, value in (folder.partition("=") for folder in folders) if equals}

    def inside(self, fields: list[dict]) -> list[dict]:
        """The columns that are in the files themselves."""
        keys = {field["name"].lower() for field in self.fields}
        return [field for field in fields if (field.get("name") or "").lower() not in keys]

    def whole(self, fields: list[dict]) -> list[dict]:
        """The files' columns and then those of the folders."""
        return [*self.inside(fields), *self.fields]

    def literals(self, file: File) -> dict[str, str]:
        """SQL of the folders' values: name in small letters -> literal."""
        pairs = (self.pairs(file) if self.options else {}) | {partitions.FILE: file.uri}
        return {field["name"].lower(): values.literal(field, None if pairs[field["name"]] == "__HIVE_DEFAULT_PARTITION__" else pairs[field["name"]])
                for field in self.fields}


def looks(texts: list[str]) -> str:
    """The type of a key, found in its values."""
    def all_are(read: Callable) -> bool:
        try:
            return bool([read(text) for text in texts])
        except ValueError:
            return False
    if all_are(int):
        return "INTEGER"
    if all_are(dt.date.fromisoformat):
        return "DATE"
    return "TIMESTAMP" if all_are(dt.datetime.fromisoformat) else "STRING"


# Reading ------------------------------------------------------------------------------------------

def make_reader(config: dict, what: str) -> formats.Reader:
    """The reader of a configuration's sourceFormat. what: "a load job", as an error says it."""
    name = config.get("sourceFormat") or "CSV"
    if name not in formats.READERS:
        raise unsupported(f"sourceFormat {name} in {what}")
    if config.get("referenceFileSchemaUri") and (formats.READERS[name].exported or not formats.READERS[name].self_describing):
        raise ApiError("invalid", "referenceFileSchemaUri is for the formats AVRO, ORC and PARQUET.")
    if config.get("projectionFields") and not formats.READERS[name].exported:
        raise ApiError("invalid", "projectionFields is for the format DATASTORE_BACKUP.")
    return formats.READERS[name](config)


def detect(reader: formats.Reader, cursor, files: list[File], hive: Hive) -> list[dict]:
    """The columns that files show."""
    with formats.reading(files[0]):
        return tables.check_schema(hive.whole(reader.detect(cursor, files)))


def create(cursor, relation: str, fields: list[dict], what: str = "TABLE") -> None:
    columns = ", ".join(f"{values.identifier(field['name'])} {values.duckdb_type(field)}"
                        + (" NOT NULL" if field.get("mode") == "REQUIRED" else "") for field in fields)
    cursor.execute(f"CREATE {what} {relation} ({columns})")


def read(reader: formats.Reader, cursor, files: list[File], fields: list[dict], hive: Hive, relation: str, check: Callable[[], None]) -> None:
    """Every file's rows into a new table. check: called before each file; raises to stop."""
    create(cursor, relation, fields)
    inside = hive.inside(fields)
    for file in files:
        check()
        if not hive.fields:
            reader.read(cursor, file, fields, relation)
            continue
        cursor.execute("DROP TABLE IF EXISTS temp.one_file")
        create(cursor, "temp.one_file", inside, "TEMP TABLE")
        reader.read(cursor, file, inside, "temp.one_file")
        folders = hive.literals(file)
        items = ", ".join(folders.get(field["name"].lower()) or values.identifier(field["name"]) for field in fields)
        cursor.execute(f"INSERT INTO {relation} SELECT {items} FROM temp.one_file")
        cursor.execute("DROP TABLE temp.one_file")
