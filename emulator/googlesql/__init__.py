"""GoogleSQL on DuckDB: Google's analyzer reads a statement, the compiler says it in DuckDB's SQL."""
from .analyzer import GoogleSQL, IsScript
from .catalog import Table
from .engine import default_cache_dir
from .functions import register
from .runtime import runtime_error
from .statement import Statement

__all__ = ["GoogleSQL", "IsScript", "Statement", "Table", "default_cache_dir", "register", "runtime_error"]
