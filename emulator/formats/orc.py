"""ORC files, which pyarrow reads."""
from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from .. import values
from ..errors import unsupported
from .described import Described, Misfit, Own, listed, repeat, struct_of
from .parquet import TYPES
from .reader import File, failed

SOURCE = "orc_file"


class Orc(Described):
    """All columns are NULLABLE; a decimal too wide for NUMERIC is a STRING by default."""

    what = "ORC"
    decimals = ("NUMERIC", "STRING")

    @contextmanager
    def opened(self, cursor, file: File) -> Iterator[tuple[str, list[Own]]]:
        try:
            from pyarrow import ArrowInvalid, dataset, orc  # noqa: F401 (dataset reads ORC only where orc is there)
        except ImportError:
            raise unsupported("sourceFormat ORC without the package pyarrow") from None
        try:
            rows = dataset.dataset(str(file.path), format="orc")
        except (ArrowInvalid, OSError) as error:
            why = str(error).partition(" Detail:")[0].replace(str(file.path), "the file")
            raise failed(f"The Apache ORC library failed to parse the file with the following error: {why}", file) from None
        cursor.register(SOURCE, rows)
        try:
            found = cursor.execute(f"SELECT * FROM {SOURCE} LIMIT 0").description
            yield SOURCE, [own(self, name, kind, values.identifier(name), 0) for name, kind, *_ in found]
        except Misfit as misfit:
            raise failed(str(misfit), file) from None
        finally:
            cursor.unregister(SOURCE)


def own(reader: Orc, name: str, kind, x: str, depth: int) -> Own:
    """A column, or a part of one, by the type that DuckDB reads it as."""
    parts = dict(kind.children) if kind.id in ("list", "struct", "map", "decimal") else {}
    variable = f"l{depth}"
    if kind.id == "list":
        inner = own(reader, name, parts["child"], variable, depth + 1)
        return repeat(inner, listed(x, variable, inner.sql))
    if kind.id == "map":
        pair = struct_of(variable, name, [own(reader, key, parts[key], values.member(variable, {"name": key}), depth + 1) for key in ("key", "value")])
        return repeat(pair, listed(f"map_entries({x})", variable, pair.sql))
    if kind.id == "struct":
        return struct_of(x, name, [own(reader, key, inner, values.member(x, {"name": key}), depth) for key, inner in parts.items()])
    field = {"name": name, "mode": "NULLABLE"}
    if kind.id == "decimal":
        return reader.decimal(field, x, parts["precision"], parts["scale"])
    if kind.id.startswith("timestamp"):  # ORC's has no zone, BigQuery takes it for UTC
        return Own({**field, "type": "TIMESTAMP"}, x if "zone" in kind.id else f"{x}::TIMESTAMP::TIMESTAMPTZ")
    if kind.id not in TYPES:
        raise unsupported(f"the type {kind} of the ORC column {name}")
    return Own({**field, "type": TYPES[kind.id]}, x)
