"""`python -m emulator.public_data`: build the Parquet files from their sources."""
from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from .. import values
from . import BUCKET, FOLDER, TABLES, bucket, made_up, questions, shakespeare


def build(folder: Path) -> None:
    """Write every table's file, and the bucket's, into a folder."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE fips_codes_states AS FROM read_csv({values.string(str(FOLDER / 'fips_codes_states.csv'))}, all_varchar = true)")
    empty = ", ".join(f"NULL AS {field['name']}" for field in TABLES["utility_us", "country_code_iso"][1] if field["name"] not in ("alpha_2_code", "country_name"))
    connection.execute(f"CREATE TABLE country_code_iso AS SELECT *, {empty} FROM read_csv({values.string(str(FOLDER / 'countries.csv'))}, all_varchar = true)")
    shakespeare.count(connection)
    questions.make(connection)
    for (_, table), (_, fields) in TABLES.items():
        if table in made_up.ROWS or table in made_up.OWN:
            made_up.make(connection, table, fields)
        names = ", ".join(f"{values.identifier(field['name'])}::{values.duckdb_type(field)} AS {values.identifier(field['name'])}" for field in fields)
        connection.execute(f"COPY (SELECT {names} FROM {values.identifier(table)}) TO {values.string(str(folder / f'{table}.parquet'))} (FORMAT parquet, COMPRESSION zstd)")
    bucket.build(folder / BUCKET)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
