"""EXPORT DATA and LOAD DATA: queries into files of a bucket, and files into tables, in SQL."""
from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from . import external, files, formats, options, partitions, query, tables, transfer, values
from .errors import ApiError, unsupported
from .googlesql.tree import node_of
from .options import Option
from .query import reference, results_relation

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

FORMATS = {"AVRO": "AVRO", "CSV": "CSV", "JSON": "NEWLINE_DELIMITED_JSON", "PARQUET": "PARQUET"}
OVERWRITE = 2  # ResolvedAuxLoadDataStmt.insertion_mode
# The options of EXPORT DATA, as an extract job's configuration has them.
EXPORT: options.Known = {
    "uri": Option("destinationUri"), "format": Option("destinationFormat", choices=tuple(FORMATS)), "overwrite": Option("overwrite", bool),
    "compression": Option("compression", choices=("NONE", "GZIP", "SNAPPY", "DEFLATE", "ZSTD")), "field_delimiter": Option("fieldDelimiter"),
    "header": Option("printHeader", bool), "use_avro_logical_types": Option("useAvroLogicalTypes", bool)}


# EXPORT DATA --------------------------------------------------------------------------------------

def export(job: "Job", statement: "Statement") -> None:
    """Write a query's rows into objects of a bucket. Statistics: query.exportDataStatistics.

    Raises ApiError: invalidQuery for bad options, invalid for objects that are there, notFound and accessDenied for the bucket.
    """
    if statement.node.connection.ByteSize():
        raise unsupported("EXPORT DATA WITH CONNECTION")
    relation = results_relation(f"export{uuid.uuid4().hex}")
    with job.cursor() as cursor:
        config = options.made(options.read(statement, statement.node.option_list, cursor, EXPORT, "EXPORT DATA"))
        target, name, compression = checked(job, config, statement.fields)
        try:
            cursor.execute(f"CREATE TABLE {relation} AS {statement.compile(cursor)}")
            size = " + ".join(values.size(field, values.identifier(field["name"])) for field in statement.fields)
            rows, total = cursor.execute(f"SELECT count(*), coalesce(sum({size}), 0)::BIGINT FROM {relation}").fetchone()
            shards = transfer.plan("The result", [target], total)
            logical = config.get("useAvroLogicalTypes", True)
            config |= {"destinationFormat": name, "compression": compression, "useAvroLogicalTypes": logical, "textTimestamps": not logical}
            with tempfile.TemporaryDirectory(dir=job.lake.path, prefix="extract-") as folder:
                written = [transfer.write_shard(cursor, statement.fields, relation, config, Path(folder) / str(place), rows, place, len(shards))
                           for place in range(len(shards))]
                job.check_stopped()
                for (bucket, object_name), file in zip(shards, written):
                    job.emulator.storage.write(bucket, object_name, file, formats.WRITTEN[name].content_type)
        finally:
            job.lake.cursor().execute(f"DROP TABLE IF EXISTS {relation}")
    job.statistics["query"]["exportDataStatistics"] = {"fileCount": str(len(shards)), "rowCount": str(rows)}


def checked(job: "Job", config: dict, fields: list[dict]) -> tuple[tuple[str, str], str, str]:
    """Where and how to write: (bucket, object), format and compression; ApiError for what is not possible."""
    for option, what in (("uri", "destinationUri"), ("format", "destinationFormat")):
        if what not in config:
            raise ApiError("invalidQuery", f"Required option '{option}' is missing in EXPORT DATA OPTIONS", "query")
    if config["destinationUri"].count("*") != 1:
        raise ApiError("invalidQuery", "Option 'uri' value must be a wild card URI.", "query")
    name, compression = FORMATS[config["destinationFormat"]], config.get("compression", "NONE")
    if compression not in formats.WRITTEN[name].compressions:
        raise ApiError("invalidQuery", f"'{compression}' is not a valid value; failed to set 'compression' in EXPORT DATA OPTIONS", "query")
    formats.check_writable(name, fields)
    bucket, object_name = files.split_uri(config["destinationUri"], "export destination")
    transfer.check_bucket(job, job.reference["location"], bucket)
    there = job.emulator.storage.objects(bucket, object_name)
    if there and not config.get("overwrite"):
        raise ApiError("invalid", f"Invalid value: {config['destinationUri']} names files that already exist; set the option overwrite to replace them.")
    return (bucket, object_name), name, compression


# LOAD DATA ----------------------------------------------------------------------------------------

def load(job: "Job", statement: "Statement") -> None:
    """LOAD DATA INTO or OVERWRITE a table FROM FILES: what a load job does, with the configuration said in SQL."""
    from .statements import column_field, layout, temporary_table
    node = statement.node
    if node.connection.ByteSize():
        raise unsupported("LOAD DATA WITH CONNECTION")
    ref = temporary_table(job, node.name_path) if node.is_temp_table else query.named(job, statement, node.name_path, "bigquery.tables.updateData")
    with job.cursor() as cursor:
        partition = partition_of(job, statement, ref, cursor) if node.partition_filter.ByteSize() else None
        config = options.made(options.read(statement, node.from_files_option_list, cursor, options.FILES, "LOAD DATA FROM FILES"))
        config = external.load_config(external.partition_columns(statement, node, config, cursor))
        properties = options.made(options.read(statement, node.option_list, cursor, options.TABLE, "LOAD DATA"))
        names = {item.column.column_id: item.name for item in node.column_definition_list}
        placed = layout(statement, names, cursor)
        declared = [column_field(item, statement, cursor) for item in node.column_definition_list]
    overwrites = node.insertion_mode == OVERWRITE or node.partition_filter.is_overwrite
    config |= {"destinationTable": reference(ref), "writeDisposition": "WRITE_TRUNCATE" if overwrites else "WRITE_APPEND",
               "destinationTableProperties": properties, **placed}
    if declared:
        config["schema"] = {"fields": declared}
        config.pop("autodetect", None)
    elif config.get("sourceFormat") in ("CSV", "NEWLINE_DELIMITED_JSON"):
        config["autodetect"] = True
    job.statistics["query"]["ddlTargetTable"] = reference(ref)
    transfer.load_into(job, config, (ref, partition), lambda counts: job.statistics["query"].update(loadQueryStatistics=counts))
    if node.is_temp_table:
        job.session.tables[ref[2]] = ref


def partition_of(job: "Job", statement: "Statement", ref: tuple[str, str, str], cursor) -> str:
    """The id of the partition that PARTITIONS(column = value) means; ApiError invalidQuery for another condition."""
    body = tables.find(job.lake, ref)
    node, kind = node_of(statement.node.partition_filter.filter)
    if kind == "resolved_function_call_node" and node.parent.function.name.endswith(":$equal"):
        column, value = node.parent.argument_list
        named, kind = node_of(column)
        if kind == "resolved_column_ref_node" and f"'{named.column.name.lower()}'" in partitions.filter_columns(body).lower():
            home = partitions.of(body).column
            field = next(field for field in partitions.stored(body) if field["name"] == home)
            given = statement.constant(value, cursor)
            row = f"SELECT ?::{values.duckdb_type(field)} AS {values.identifier(home)}"
            return cursor.execute(f"SELECT {partitions.row_id(body)} FROM ({row})", [given]).fetchone()[0]
    raise ApiError("invalidQuery", "PARTITIONS takes an equality between the column that the table is partitioned by and a constant", "query")

