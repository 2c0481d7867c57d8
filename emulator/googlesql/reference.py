"""Google's reference evaluator, for small inputs that DuckDB cannot say exactly."""
from __future__ import annotations

from ..errors import unsupported


def evaluate(statement, cursor, construct: str) -> str:
    raise unsupported(construct)
