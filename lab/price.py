"""What the SQL of the operation that is on would cost: found in the learner's code without running it, then dry-run."""
from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from lab import catalog

PER_TIB = 6.25  # US dollars, on demand, after the first TiB of a month, which is free
MIB = 1 << 20
LEAST = 10 * MIB  # billed for each table that a statement reads
SQL = re.compile(r"\s*(?:--[^\n]*\n\s*)*\(*\s*(SELECT|WITH|INSERT|UPDATE|DELETE|MERGE|CREATE|FROM|DECLARE)\s", re.IGNORECASE)
PURE = {"get", "strip", "lower", "upper", "format", "replace", "join", "split", "removeprefix", "removesuffix", "title", "lstrip", "rstrip"}  # methods of str and dict


class Unknown(Exception):
    """An expression whose value only a run can tell."""


def price(source: str, operation: str, module: ModuleType, target: Any, data: dict, cloud: bool) -> list[dict]:
    """[{"sql", "line", "bytes", "price_usd", "billed", "error"}] of each statement in the operation's code."""
    return [dry_run(sql, line, cloud) for sql, line in statements(source, operation, module, target, data)]


def dry_run(sql: str, line: int, cloud: bool) -> dict:
    found = {"sql": sql, "line": line, "bytes": None, "price_usd": None, "billed": "real" if cloud else "would be", "error": None}
    try:
        job = catalog.client().query(sql, job_config=bigquery.QueryJobConfig(dry_run=True, use_query_cache=False), retry=None, job_retry=None)
    except GoogleAPICallError as error:
        return found | {"error": error.errors[0]["message"] if error.errors else error.message}
    return found | {"bytes": job.total_bytes_processed, "price_usd": billed(job) / (1 << 40) * PER_TIB}


def billed(job: bigquery.QueryJob) -> int:
    """Bytes that BigQuery bills: in whole MiB, and at least ten for each table, unless nothing is read."""
    whole = -(-job.total_bytes_processed // MIB) * MIB
    return max(whole, LEAST * len(job.referenced_tables)) if whole else 0


def statements(source: str, operation: str, module: ModuleType, target: Any, data: dict) -> Iterator[tuple[str, int]]:
    """Each text in the code of `if operation == "...":` that is SQL, its names filled in from what is known before a run."""
    seen: set[str] = set()
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names = {"self": target, "data": data, "operation": operation, "__globals__": vars(module)}
            for node in body_of(function.body, operation, names):
                text = quiet(node, names)
                if isinstance(text, str) and SQL.match(text) and text not in seen:
                    seen.add(text)
                    yield text, node.lineno


def body_of(body: list[ast.stmt], operation: str, names: dict) -> Iterator[ast.expr]:
    """The expressions in the branch for an operation; assignments before and in it are remembered where their value is known."""
    for statement in body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
            names[statement.targets[0].id] = quiet(statement.value, names)
        if isinstance(statement, ast.If) and is_branch(statement.test, operation):
            for inner in statement.body:
                yield from expressions(inner, names)


def expressions(statement: ast.stmt, names: dict) -> Iterator[ast.expr]:
    """What can be a whole text: a constant or an f-string that is not part of another one."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        names[statement.targets[0].id] = quiet(statement.value, names)
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop(0)
        if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)) or isinstance(node, ast.Call) and isinstance(quiet(node, names), str):
            yield node
        else:
            todo = [*ast.iter_child_nodes(node), *todo]


def is_branch(test: ast.expr, operation: str) -> bool:
    """Whether a test asks for this operation: operation == "x", or self.env["x"]."""
    texts = [node.value for node in ast.walk(test) if isinstance(node, ast.Constant)]
    return texts == [operation]


def quiet(node: ast.expr, names: dict) -> Any:
    try:
        return value_of(node, names)
    except Exception:
        return None


def value_of(node: ast.expr, names: dict) -> Any:
    """The value of an expression that runs nothing of the learner's; Unknown for any other."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        value = names[node.id] if node.id in names else names["__globals__"][node.id]
        if value is None:
            raise Unknown(node.id)
        return value
    if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
        return vars(type(owner)).get(node.attr, vars(owner).get(node.attr)) if (owner := value_of(node.value, names)) is names["self"] else known(owner, node.attr)
    if isinstance(node, ast.Subscript):
        owner, key = value_of(node.value, names), value_of(node.slice, names)
        if type(owner) in (dict, list, tuple, str):
            return owner[key]
    if isinstance(node, ast.IfExp):
        return value_of(node.body if value_of(node.test, names) else node.orelse, names)
    if isinstance(node, ast.JoinedStr):
        return "".join(piece(part, names) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = value_of(node.left, names), value_of(node.right, names)
        if type(left) is type(right) is str:
            return left + right
    if isinstance(node, ast.Call):
        return called(node, names)
    raise Unknown(ast.dump(node))


def known(owner: Any, name: str) -> Any:
    """An attribute that is only data of Google's objects: a dataset's or table's parts."""
    if type(owner).__module__.startswith("google.cloud.bigquery") and isinstance(value := getattr(owner, name), str):
        return value
    raise Unknown(name)


def piece(part: ast.expr, names: dict) -> str:
    if isinstance(part, ast.Constant):
        return part.value
    if part.format_spec is None and part.conversion == -1 and type(value := value_of(part.value, names)) in (str, int, float):
        return str(value)
    raise Unknown(ast.dump(part))


def called(node: ast.Call, names: dict) -> Any:
    if isinstance(node.func, ast.Name) and node.func.id in ("str", "isinstance", "len"):
        arguments = [{"str": str, "int": int}[argument.id] if isinstance(argument, ast.Name) and argument.id in ("str", "int") else value_of(argument, names)
                     for argument in node.args]
        return {"str": str, "isinstance": isinstance, "len": len}[node.func.id](*arguments)
    if isinstance(node.func, ast.Attribute) and node.func.attr in PURE and not node.keywords:
        owner = value_of(node.func.value, names)
        if type(owner) in (str, dict):
            return getattr(owner, node.func.attr)(*[value_of(argument, names) for argument in node.args])
    raise Unknown(ast.dump(node))
