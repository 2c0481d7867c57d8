"""Functions' bodies without WITH: the analyzer can't put a body whose WITH names an argument in the place of a call.

The queries of a WITH clause go to where their names are read.
"""
from __future__ import annotations

from typing import Iterator

from .tree import location


def without_with(sql: str, tree) -> str:
    """A text whose parsed form is `tree`, its WITH clauses gone; those that are recursive stay."""
    return rendered(sql.encode(), tree, {}, (0, len(sql.encode())))


def rendered(text: bytes, node, queries: dict[str, str], span: tuple[int, int]) -> str:
    """A part of the text, with the queries in the places of their names."""
    done, place = "", span[0]
    for start, end, new in sorted(edits(text, node, queries)):
        done, place = done + text[place:start].decode() + new, end
    return done + text[place:span[1]].decode()


def edits(text: bytes, node, queries: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    kind = node.DESCRIPTOR.name
    if kind == "ASTTablePathExpressionProto" and len(node.path_expr.names) == 1 and (name := node.path_expr.names[0].id_string).lower() in queries:
        yield *ends(node.path_expr), queries[name.lower()] + ("" if node.HasField("alias") else f" AS `{name}`")
        return
    gone = ""
    if kind == "ASTQueryProto" and node.HasField("with_clause"):
        entries, queries = getattr(node.with_clause, "with"), dict(queries)
        if node.with_clause.recursive:
            for entry in entries:
                queries.pop(entry.alias.id_string.lower(), None)
        else:
            gone = "with_clause"
            for entry in entries:
                queries[entry.alias.id_string.lower()] = rendered(text, entry.query, queries, ends(entry.query))
            yield *ends(node.with_clause), ""
    for field, value in node.ListFields():
        if field.message_type and field.name != gone:
            for part in value if field.is_repeated else [value]:
                yield from edits(text, part, queries)


def ends(node) -> tuple[int, int]:
    where = location(node)
    return where.start, where.end
