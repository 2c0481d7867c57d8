"""Texts that the analyzer can put bodies of functions into.

It can't put a body whose WITH names an argument in the place of a call: the queries of a WITH clause go to where their names are
read. And it can't where a table function gets a subquery that reads columns: a WITH in the call's place gives it a name.
"""
from __future__ import annotations

from typing import Iterator

from .tree import children, location, node_of


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


Tables = dict[tuple[str, ...], list[bool]]  # path of a table function, in small letters -> for each argument whether it is a table


def with_named_arguments(sql: str, tree, tables: Tables) -> tuple[str, dict[str, str]]:
    """A text whose parsed form is `tree`, the subqueries that table functions get named before it; each call's new text -> its old one."""
    text, old = sql.encode(), {}
    return named(text, tree, (0, len(text)), tables, old), old


def named(text: bytes, node, span: tuple[int, int], tables: Tables, old: dict[str, str]) -> str:
    done, place = "", span[0]
    for start, end, new in sorted(calls(text, node, tables, old)):
        done, place = done + text[place:start].decode() + new, end
        old[new] = text[start:end].decode()
    return done + text[place:span[1]].decode()


def calls(text: bytes, node, tables: Tables, old: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    """The calls of table functions with subqueries, and what stands for them."""
    path = tuple(name.id_string.lower() for name in node.name.names) if node.DESCRIPTOR.name == "ASTTVFProto" else ()
    queries = [expression for is_table, entry in zip(tables.get(path, ()), node.argument_entries if path else ()) if is_table and entry.HasField("expr")
               for expression, kind in [node_of(entry.expr)] if kind == "ast_expression_subquery_node"]
    if not queries:
        for part in children(node):
            yield from calls(text, part, tables, old)
        return
    start, end = ends(node)
    last = max(ends(entry)[1] for entry in node.argument_entries)
    behind = [ends(value)[0] for field, value in node.ListFields() if field.message_type and not field.is_repeated and field.name not in ("parent", "name")]
    end = text.rindex(b")", last, min([end, *behind])) + 1  # what is behind the call belongs to its place as well
    entries, call, place = [], "", start
    for query in queries:
        first, after = ends(query)
        entries.append(f"`$argument{first}` AS {named(text, query, (first, after), tables, old)}")
        call, place = call + text[place:first].decode() + f"TABLE `$argument{first}`", after
    yield start, end, f"(WITH {', '.join(entries)} SELECT * FROM {call}{text[place:end].decode()})"
