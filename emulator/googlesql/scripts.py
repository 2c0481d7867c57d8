"""Scripts: their syntax tree from Google's parser, and the text of its parts.

A part is analyzed as a statement of its own, set to the place it has in the script, so that an error's
position is the script's.
"""
from __future__ import annotations

from typing import NamedTuple

from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service

from ..errors import ApiError
from .analyzer import GoogleSQL, query_error
from .engine import ServiceError
from .tree import location


class Variable(NamedTuple):
    """A script's variable: its type in GoogleSQL, its REST field, its value as DuckDB SQL."""

    type: str
    field: dict
    sql: str


def parse_script(sql: GoogleSQL, text: str) -> "Script":
    """The syntax tree of a script; ApiError invalidQuery in the parser's words."""
    request = service.ParseRequest(sql_statement=text, options=sql.language, allow_script=True)
    try:
        answer = sql.engine.call("Parse", request, service.ParseResponse)
    except ServiceError as error:
        raise query_error(error) from None
    script = Script(text, answer.parsed_script.statement_list_node)
    if not script.body.statement_list:  # nothing but comments
        raise ApiError("invalidQuery", "Syntax error: Unexpected end of script at [{}:{}]".format(*script.at(len(script.text))), "query")
    check_declarations(script, script.body, True)
    return script


def check_declarations(script: "Script", node, begins: bool) -> None:
    """ApiError invalidQuery for a DECLARE behind another statement, and inside of what is no block. begins: whether it is a block's list."""
    for item in node.statement_list:
        name, statement = kind(item)
        if name == "variable_declaration" and not begins:
            line, column = script.position(item)
            raise ApiError("invalidQuery", f"Variable declarations are allowed only at the start of a block or script at [{line}:{column}]", "query")
        begins = begins and name == "variable_declaration"
        if name == "begin_end_block":
            check_declarations(script, statement.statement_list_node, True)
            for handler in statement.handler_list.exception_handler_list:
                check_declarations(script, handler.statement_list, False)
        else:
            for inner in lists_in(statement):
                check_declarations(script, inner, False)


def lists_in(statement):
    """The lists of statements in a branch or loop."""
    for field, value in statement.ListFields():
        if field.message_type is None or field.name == "parent" and not field.message_type.name.startswith("AST"):
            continue
        for part in value if field.is_repeated else (value,):
            if part.DESCRIPTOR.name == "ASTStatementListProto":
                yield part
            elif part.DESCRIPTOR.name in LISTED:
                yield from lists_in(part)


# The parts of branches and loops that have lists of statements in them.
LISTED = {"ASTElseifClauseListProto", "ASTElseifClauseProto", "ASTWhenThenClauseListProto", "ASTWhenThenClauseProto", "ASTLoopStatementProto"}


class Script:
    """body: the list of statements (ASTStatementList)."""

    def __init__(self, text: str, body):
        self.text, self.body = text.encode(), body

    def part(self, node) -> str:
        """A node's text."""
        where = location(node)
        return self.text[where.start:where.end].decode()

    def position(self, node) -> tuple[int, int]:
        """Line and column of a node, from 1."""
        return self.at(location(node).start)

    def at(self, byte: int) -> tuple[int, int]:
        """Line and column of a byte, from 1."""
        lines = self.text[:byte].decode().split("\n")
        return len(lines), len(lines[-1]) + 1

    def frame(self, node) -> dict:
        """Where a node stands, as a ScriptStackFrame."""
        where = location(node)
        (line, column), (last, end) = self.at(where.start), self.at(where.end)
        return {"startLine": line, "startColumn": column, "endLine": last, "endColumn": end, "text": self.part(node)}

    def placed(self, node, before: str = "", after: str = "") -> str:
        """A node's text where the script has it, with words of ours around it that take the place of blanks."""
        where = location(node)
        lines = self.text[:where.start].decode().split("\n")
        indent = " " * max(len(lines[-1]) - len(before), 0)
        return "\n" * (len(lines) - 1) + indent + before + self.part(node) + after


def kind(statement) -> tuple[str, object]:
    """The name of any node and the node, e.g. ("if_statement", ...)."""
    name = ""
    while statement.DESCRIPTOR.name.startswith("Any"):
        name = statement.WhichOneof("node")
        statement = getattr(statement, name)
    return name.removeprefix("ast_").removesuffix("_node"), statement


def names(identifiers) -> list[str]:
    return [item.id_string for item in identifiers.identifier_list]
