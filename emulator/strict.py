"""A procedure's strict_mode: its statements are analyzed when it is made, as far as they can be without being run.

Source: BigQuery's CREATE PROCEDURE, the option strict_mode.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import query, routines, values
from .errors import ApiError
from .googlesql import types
from .googlesql.scripts import Variable, kind
from .scripts import Runner, Scope, State, names_of

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

# What a body makes or changes itself, by the last part of its name: no statement that has that name in it can be judged.
MADE = re.compile(r"\b(?:CREATE|ALTER|UNDROP|LOAD\s+DATA)\b[^;(]*?\b(?:TABLE|VIEW|FUNCTION|PROCEDURE|SCHEMA|MODEL|INTO|OVERWRITE)\s+"
                  r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?([`\w.-]+)", re.I)
NOT_FOUND = re.compile(r"\bnot found\b", re.I)


class Unknown(Exception):
    """What a statement means depends on what runs before it."""


def check(job: "Job", body: dict, place: str = "") -> None:
    """ApiError for the first statement of a procedure's body that can't be run, unless its strictMode is false.

    job: whose principal and default dataset count; place: blanks as long as the text before the body, so that an error tells its place.
    """
    arguments = {argument["name"].lower(): routines.type_name(argument) for argument in body.get("arguments", ())}
    if not body.get("strictMode", True) or not all(arguments.values()):  # one of ANY TYPE is what a call makes of it
        return
    checker, scope = Check(job, place + body["definitionBody"]), Scope()
    try:
        scope |= {name: checker.null(declared, scope) for name, declared in arguments.items()}
        checker.block(checker.script.body, scope)
    except Unknown:
        pass


def null(field: dict) -> Variable:
    return Variable(types.sql_name(types.type_proto(field)), field, f"NULL::{values.duckdb_type(field)}")


class Check(Runner):
    """A runner that goes every way and runs nothing. Values are NULLs of their types."""

    def __init__(self, job: "Job", text: str):
        super().__init__(job, text, State(job))
        self.made = {name.strip("`").rpartition(".")[2].strip("`") for name in MADE.findall(text)}
        self.dynamic = False  # whether something has run that may have made tables

    def step(self, item, scope: Scope) -> None:
        try:
            super().step(item, scope)
        except Unknown:
            if kind(item)[0] == "variable_declaration":  # what comes after it may use the variable
                raise

    def failure(self, error: ApiError, item) -> ApiError:
        return error  # nothing ran that could be told with it

    def child(self, placed: str, text: str, scope: Scope, parameters: list[dict] = ()) -> None:
        self.analyzed(placed, scope)

    def analyzed(self, text: str, scope: Scope) -> tuple["Job", "Statement"]:
        child = self.new_child(text, text.strip(), scope, "EXPRESSION")
        try:
            return child, query.prepare_for(child, text)
        except ApiError as error:
            own = any(re.search(rf"\b{re.escape(name)}\b", text, re.I) for name in self.made)
            if own or error.reason not in ("invalidQuery", "invalid", "notFound") or self.dynamic and NOT_FOUND.search(error.message):
                raise Unknown from None
            raise

    def computed(self, child: "Job", statement: "Statement") -> Variable:
        return null(statement.fields[0])

    def judged(self, expression, scope: Scope, declared: str = "") -> None:
        """Look at a value on whose type nothing depends."""
        try:
            self.value_of(expression, scope, declared)
        except Unknown:
            pass

    def system_variable_assignment(self, node, scope: Scope) -> None:
        self.judged(node.expression, scope)

    def if_statement(self, node, scope: Scope) -> None:
        for branch in (node, *node.elseif_clauses.elseif_clauses):
            self.judged(branch.condition, scope, "BOOL")
            self.block(branch.then_list if branch is node else branch.body, scope)
        self.block(node.else_list, scope)

    def case_statement(self, node, scope: Scope) -> None:
        if node.expression.ByteSize():
            self.judged(node.expression, scope)
        for clause in node.when_then_clauses.when_then_clauses:
            self.judged(clause.condition, scope)
            self.block(clause.body, scope)
        self.block(node.else_list, scope)

    def while_statement(self, node, scope: Scope) -> None:
        if node.condition.ByteSize():
            self.judged(node.condition, scope, "BOOL")
        self.block(node.parent.body, Scope(scope))

    def repeat_statement(self, node, scope: Scope) -> None:
        self.block(node.parent.body, Scope(scope))
        self.judged(node.until_clause.condition, scope, "BOOL")

    def for_in_statement(self, node, scope: Scope) -> None:
        rows = self.evaluate(self.script.placed(node.query, "SELECT ARRAY(SELECT AS STRUCT * FROM (", "))"), scope)
        inner = Scope(scope)
        inner[node.variable.id_string.lower()] = null(values.element(rows.field))
        self.block(node.parent.body, inner)

    def break_statement(self, node, scope: Scope) -> None:
        """It goes nowhere here."""

    continue_statement = return_statement = begin_statement = commit_statement = rollback_statement = break_statement

    def begin_end_block(self, node, scope: Scope) -> None:
        self.block(node.statement_list_node, Scope(scope))
        for handler in node.handler_list.exception_handler_list:
            self.block(handler.statement_list, Scope(scope))

    def raise_statement(self, node, scope: Scope) -> None:
        if node.message.ByteSize():
            self.judged(node.message, scope, "STRING")

    def execute_immediate_statement(self, node, scope: Scope) -> None:
        self.judged(node.sql, scope, "STRING")
        for item in node.using_clause.arguments:
            self.judged(item.expression, scope)
        for variable in node.into_clause.identifiers.identifier_list:
            self.home(variable, scope)
        self.dynamic = True

    def call_statement(self, node, scope: Scope) -> None:
        if names_of(node.procedure_name)[0].upper() != "BQ":
            self.analyzed(self.script.placed(self.here), scope)
        self.dynamic = True
