"""Files as rows and rows as files, as load and extract jobs know them: a module for each format.

DuckDB reads, converts and writes; Python sees a sample for a schema, and the few rows that are reported as bad.
"""
from __future__ import annotations

from .avro import Avro
from .csv import Csv
from .datastore import Datastore
from .json import Json
from .orc import Orc
from .parquet import Parquet
from .reader import File, Reader, failed, reading
from .writing import WRITTEN, check_writable, write

READERS: dict[str, type[Reader]] = {"CSV": Csv, "NEWLINE_DELIMITED_JSON": Json, "PARQUET": Parquet, "AVRO": Avro, "ORC": Orc,
                                   "DATASTORE_BACKUP": Datastore}
