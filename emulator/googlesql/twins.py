"""Tables of one statement whose names differ in case alone: BigQuery tells them apart, the analyzer does not.

All but the first get another name in the statement's text, with a sign that no table's name may have.
"""
from __future__ import annotations

from typing import Iterable

from .inlining import ends
from .tree import find

TARGETS = ("ASTInsertStatementProto", "ASTUpdateStatementProto", "ASTDeleteStatementProto", "ASTMergeStatementProto")


def twins(paths: Iterable[tuple]) -> dict[tuple, tuple]:
    """The paths that are another's but for case, with the names that they get."""
    known, found = set(), {}
    for path in paths:
        like = tuple(part.lower() for part in path)
        if like in known:
            found[path] = (*path[:-1], f"{path[-1]}#{len(found) + 1}")
        known.add(like)
    return found


def renamed(text: str, tree, names: dict[tuple, tuple]) -> str | None:
    """A text whose parsed form is `tree` with other names of tables; None where one of them stands in another place than a FROM or a target."""
    made, edits, seen = text.encode(), [], set()
    places = [(node.path_expr, node.HasField("alias")) for node in find(tree, "ASTTablePathExpressionProto")]
    for kind in TARGETS:
        for node in find(tree, kind):
            path = node.target_path if kind == "ASTMergeStatementProto" else node.target_path.ast_path_expression_node
            places.append((path, kind == "ASTInsertStatementProto" or node.HasField("alias")))
    for path, is_named in places:
        old = tuple(name.id_string for name in path.names)
        if old in names:
            seen.add(old)
            new = ".".join(f"`{part}`" for part in names[old])
            edits.append((*ends(path), new if is_named else f"{new} AS `{old[-1].rpartition('.')[2]}`"))
    for start, end, new in sorted(edits, reverse=True):
        made = made[:start] + new.encode() + made[end:]
    return made.decode() if seen == names.keys() else None
