"""The objects of the public bucket: the fifty states in every format, and files in Hive's layouts."""
from __future__ import annotations

from pathlib import Path

import duckdb

from .. import avro, datastore, values
from . import FOLDER, columns

STATES = "bigquery/us-states/us-states"
EXPORT = "bigquery/us-states/2021-07-02T16%3A04%3A48_70344/all_namespaces/kind_us-states"
HIVE = "bigquery/hive-partitioning-samples"
PARTITIONS = {f"{HIVE}/{layout}/{key}={day}/file{place}.parquet": day
              for layout, key in (("autolayout", "dt"), ("customlayout", "pkey")) for place, day in enumerate(("2020-11-15", "2020-11-16"), 1)}


def build(folder: Path) -> None:
    """Write the objects' files into a folder, from us_states.csv."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE by_date AS FROM read_csv({values.string(str(FOLDER / 'us_states.csv'))}, types = {{'date': 'DATE'}})")
    connection.execute("CREATE TABLE states AS SELECT name, post_abbr FROM by_date")

    def copy(query: str, name: str, options: str) -> None:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"COPY ({query}) TO {values.string(str(file))} ({options})")
    copy("FROM states", f"{STATES}.csv", "FORMAT csv, HEADER true")
    copy("FROM by_date", f"{STATES}-by-date.csv", "FORMAT csv, HEADER true")
    copy("FROM states", f"{STATES}.json", "FORMAT json")
    copy("FROM states", f"{STATES}.parquet", "FORMAT parquet")
    for name, day in PARTITIONS.items():
        copy(f"SELECT md5(name || '{day}') AS str, length(name) AS num FROM states ORDER BY name LIMIT 20", name, "FORMAT parquet")
    write_orc(connection, folder / f"{STATES}.orc")
    write_export(connection, folder / EXPORT)
    fields = columns("name STRING, post_abbr STRING")
    avro.write_file(folder / f"{STATES}.avro", avro.schema_of(fields, frozenset()), fields, connection.execute("FROM states").fetch_record_batch(100), "null")


def write_orc(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    from pyarrow import orc
    orc.write_table(connection.execute("FROM states").fetch_arrow_table(), file)


def write_export(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """The states as documents of a Firestore collection, in one log of less than a block."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output-0").open("wb") as log:
        for name, code in connection.execute("FROM states").fetchall():
            path = {"element": [{"type": b"us-states", "name": code.encode()}]}
            found = [{"name": key, "multiple": False, "value": {"stringvalue": value.encode()}} for key, value in ((b"name", name), (b"post_abbr", code))]
            record = datastore.message_types()["EntityProto"](key={"app": b"cloud-samples-data", "path": path}, entity_group=path, property=found).SerializeToString()
            log.write(datastore.HEADER.pack(datastore.masked(bytes([datastore.WHOLE]) + record), len(record), datastore.WHOLE) + record)
    metadata = datastore.message_types()["Backup"](kind_info=[{"kind": "us-states", "file": ["output-0"]}])
    (folder / f"all_namespaces_kind_us-states{datastore.METADATA}").write_bytes(metadata.SerializeToString())
