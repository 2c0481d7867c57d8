"""Reports: what there is to say about an exception, and about the difference between two versions."""
from __future__ import annotations

import ast
import contextlib
import difflib
import functools
import os
import traceback
from typing import Any

from reloading.world import Version, World, lines_of

AROUND = 2  # lines shown before and after the one at fault


class Broken(Exception):
    """A version that cannot serve, for a reason that Python itself does not object to."""


class DeadlinePassed(BaseException):
    """The files' own code ran too long at import."""


def explain(error: BaseException, world: World | None, path: str) -> dict[str, Any]:
    """{"kind", "message", "file", "line", "column", "traceback", "frame", "marks"} of an exception.

    The traceback has only frames of the world's files. frame: the lines about the fault, [{"number", "text",
    "current"}]; marks: the columns of the fault in the current one, [first, last + 1], from 1, or None.
    """
    files = world.texts if world else {}
    with world.entered() if world else contextlib.nullcontext():  # linecache shows the lines of this version
        whole = traceback.TracebackException.from_exception(error, lookup_lines=False)
        cut(whole, files)
        text = "".join(whole.format())
    report = {"kind": type(error).__name__, "message": str(error) or type(error).__name__, "file": path,
              "line": None, "column": None, "traceback": text, "frame": [], "marks": None}
    if isinstance(error, SyntaxError):
        report |= {"message": error.msg, "file": error.filename or path, "line": error.lineno, 
                   "marks": marks(error.offset, error.end_offset if error.end_lineno == error.lineno else None)}
    elif isinstance(error, (Broken, DeadlinePassed)) and not whole.stack:
        report["traceback"] = f"{error}\n"
    elif whole.stack:
        last = whole.stack[-1]
        start, end = (None if column is None else column + 1 for column in (last.colno, last.end_colno))
        report |= {"file": last.filename, "line": last.lineno, "marks": marks(start, end if last.end_lineno == last.lineno else None)}
    report["column"] = report["marks"] and report["marks"][0]
    return report | {"frame": frame(files.get(report["file"], []), report["line"])}


def marks(start: int | None, end: int | None) -> list[int] | None:
    return [start, end if end and end > start else start + 1] if start and start > 0 else None


def frame(lines: list[str], line: int | None) -> list[dict]:
    if not line:
        return []
    first = max(1, line - AROUND)
    return [{"number": number, "text": text.rstrip("\r\n"), "current": number == line}
            for number, text in enumerate(lines[first - 1:line + AROUND], first)]


def cut(whole: traceback.TracebackException, files: dict) -> None:
    """Leave only the frames of these files, in each exception of a chain."""
    seen, queue = set(), [whole]
    while queue:
        one = queue.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.stack[:] = [frame for frame in one.stack if frame.filename in files]
        queue += [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or [])]


def outline(world: World) -> dict[str, str]:
    """Qualified name -> text of what a world's files define: functions, classes and their members, variables, imports."""
    found: dict[str, str] = {}
    for module, path in world.paths.items():
        prefix = "" if module == world.family.name else f"{module}."
        found |= {prefix + name: text for name, text in outline_of(world.files[path]).items()}
    return found


@functools.lru_cache(maxsize=32)
def outline_of(source: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = lines_of(source)

    def visit(nodes: list[ast.stmt], prefix: str) -> None:
        for node in nodes:
            text = "".join(lines[first_line(node) - 1:node.end_lineno])
            for name in names_of(node):
                found[prefix + name] = found.get(prefix + name, "") + text
            if isinstance(node, ast.ClassDef):
                found[prefix + node.name] = "".join(lines[first_line(node) - 1:first_line(node.body[0]) - 1])
                visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, (ast.If, ast.Try, ast.With)):
                visit([inner for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.stmt)], prefix)
    visit(ast.parse(source).body, "")
    return found


def first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return decorators[0].lineno if decorators else node.lineno


def names_of(node: ast.stmt) -> list[str]:
    """The names that a statement gives a value to."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, (ast.AnnAssign, ast.AugAssign)) else []
    return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]


def changes(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str]]:
    """{"added": [...], "changed": [...], "removed": [...]}: qualified names."""
    return {"added": [name for name in after if name not in before],
            "changed": [name for name, text in after.items() if name in before and before[name] != text],
            "removed": [name for name in before if name not in after]}


def diff(before: Version, after: Version) -> str:
    """What changed from one version to another, as `diff -u` shows it."""
    found: list[str] = []
    for path in {**before.texts, **after.texts}:
        name = os.path.basename(path)
        found += difflib.unified_diff(before.texts.get(path, []), after.texts.get(path, []), f"{name} (version {before.number})", f"{name} (version {after.number})")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found)
