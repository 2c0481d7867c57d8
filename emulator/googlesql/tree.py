"""Walking the resolved tree, whose nodes are protobufs: Any...Proto holds one node of a kind, and a node's `parent` what its kind inherits."""
from __future__ import annotations

from enum import IntEnum
from functools import cache

NODES = ("Any", "Resolved", "AST")  # how the names of their classes begin; others are types, values, signatures and places


class Subquery(IntEnum):
    """ResolvedSubqueryExprEnums.SubqueryType."""

    SCALAR, ARRAY, EXISTS, IN, LIKE_ANY, LIKE_ALL, NOT_LIKE_ANY, NOT_LIKE_ALL = range(8)


@cache
def parts(kind: type) -> tuple[tuple[str, bool], ...] | None:
    """The fields of a class of messages that are nodes, each with whether it holds many; None for a class that holds one of its fields.

    A `parent` in which there are none is not among them: most nodes have one.
    """
    descriptor = kind.DESCRIPTOR
    if descriptor.name.startswith("Any") and descriptor.oneofs:
        return None
    return tuple((field.name, field.is_repeated) for field in sorted(descriptor.fields, key=lambda field: field.number)
                 if field.message_type is not None and field.message_type.name.startswith(NODES)
                 and (field.name != "parent" or parts(field.message_type._concrete_class) != ()))


def children(message, skipped: tuple[str, ...] = ()) -> list:
    """The nodes inside of a node, in order, but for those in the `skipped` fields."""
    fields = parts(type(message))
    if fields is None:
        name = message.WhichOneof("node")
        return [getattr(message, name)] if name else []
    found = []
    for name, many in fields:
        if name in skipped:
            continue
        if many:
            found += getattr(message, name)
        elif message.HasField(name):
            found.append(getattr(message, name))
    return found


def node_of(message):
    """The node inside an Any...Proto, however deep, and its field's name."""
    name = None
    while parts(type(message)) is None:
        name = message.WhichOneof("node")
        message = getattr(message, name)
    return message, name


def find(message, kind: str):
    """Every message of a kind inside a tree of protobufs, in order."""
    if message.DESCRIPTOR.name == kind:
        yield message
    for item in children(message):
        yield from find(item, kind)


def columns_of(scan):
    """The output columns of any scan."""
    node = node_of(scan)[0]
    while node.DESCRIPTOR.name != "ResolvedScanProto":
        node = node.parent
    return node.column_list


def location(node):
    """Where a parsed node stands in the text, in bytes."""
    node, _ = node_of(node)
    while "parse_location_range" not in node.DESCRIPTOR.fields_by_name:
        node = node.parent
    return node.parse_location_range


def restate(tree, say) -> None:
    """Let the texts that a statement keeps, of a view or a routine, be what `say` makes of them."""
    node, _ = node_of(tree)
    while node is not None:
        for field, value in node.ListFields():
            if isinstance(value, str):
                setattr(node, field.name, say(value))
        node = node.parent if "parent" in node.DESCRIPTOR.fields_by_name else None
