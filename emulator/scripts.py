"""What a script does: its statements one after another as child jobs, variables, branches, loops, exceptions."""
from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Callable

from . import query, routines, values
from .errors import ApiError, unsupported
from .googlesql import types
from .googlesql.scripts import Script, Variable, kind, names, parse_script

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

MOST_DEPTH = 50  # of blocks and dynamic SQL within each other


class Jump(Exception):
    """BREAK, CONTINUE and RETURN on their way out. label: of the loop or block that is meant, "" for the nearest loop."""

    def __init__(self, what: str, label: str = ""):
        self.what, self.label = what, label


class Scope(dict):
    """name in small letters -> Variable; a block's names hide those outside it."""

    def __init__(self, outer: "Scope | None" = None):
        super().__init__()
        self.outer = outer

    def home(self, name: str) -> "Scope":
        """The scope that a name is declared in; ApiError invalidQuery for an undeclared one."""
        scope: Scope | None = self
        while scope is not None:
            if name.lower() in scope:
                return scope
            scope = scope.outer
        raise ApiError("invalidQuery", f"Undeclared variable: {name}", "query")

    def visible(self) -> dict[str, Variable]:
        return (self.outer.visible() if self.outer else {}) | self


def run(job: "Job") -> None:
    """Run a script; the job's result is that of its last SELECT."""
    runner = Runner(job, job.config["query"])
    job.statistics["query"] = statistics()
    try:
        runner.block(runner.script.body, Scope())
    except Jump as jump:
        if jump.what != "RETURN":
            raise ApiError("invalidQuery", f"{jump.what} is only allowed inside of a loop body", "query") from None


def statistics() -> dict:
    """What a script's job tells of itself at its beginning."""
    return {"statementType": "SCRIPT", "totalBytesProcessed": "0", "totalBytesBilled": "0", "cacheHit": False}


def without_functions(job: "Job") -> str | None:
    """The one statement behind CREATE TEMP FUNCTION statements, which the job then has; None for any other script.

    It runs as a statement by itself, not as a script.
    """
    script = parse_script(job.emulator.sql, job.config["query"])
    *before, last = script.body.statement_list
    if not before or not all(map(is_temporary_function, before)) or is_temporary_function(last) or hasattr(Runner, kind(last)[0]):
        return None
    for item in before:
        routines.define(job, query.prepare_for(job, script.placed(item)))
    return script.placed(last)


def is_temporary_function(item) -> bool:
    name, node = kind(item)
    return name == "create_function_statement" and node.parent.parent.scope == TEMPORARY


class Runner:
    """One script at work. job: the parent; script: what runs, a text of its own for dynamic SQL."""

    def __init__(self, job: "Job", text: str, depth: int = 0, system: dict[str, Variable] | None = None):
        if depth > MOST_DEPTH:
            raise ApiError("invalidQuery", f"Scripts may be nested {MOST_DEPTH} deep at the most.", "query")
        self.job, self.depth = job, depth
        self.script: Script = parse_script(job.emulator.sql, text)
        self.system: dict[str, Variable] = system if system is not None else {}

    # Statements -----------------------------------------------------------------------------------

    def block(self, body, scope: Scope) -> None:
        for item in body.statement_list:
            self.job.check_stopped()
            name, node = kind(item)
            rule = getattr(self, name, None)
            if rule:
                rule(node, scope)
            elif name in REFUSED:
                raise unsupported(REFUSED[name])
            else:
                self.child(self.script.placed(item), self.script.part(item), scope)

    def child(self, placed: str, text: str, scope: Scope, parameters: list[dict] = ()) -> "Job":
        """Run one SQL statement as a child job; its error is raised."""
        from .jobs import Job
        config = {"query": text, "useLegacySql": False} | ({"queryParameters": list(parameters)} if parameters else {})
        for name in ("defaultDataset", "maximumBytesBilled", *(() if parameters else ("queryParameters", "parameterMode"))):
            if name in self.job.config:
                config[name] = self.job.config[name]
        reference = {**self.job.reference, "jobId": f"script_job_{uuid.uuid4().hex}"}
        child = Job(self.job.emulator, self.job.principal, reference, {"query": config}, parent=self.job)
        child.variables, child.text = scope.visible(), placed
        child.statistics |= {"parentJobId": self.job.ref[1], "scriptStatistics": {"evaluationKind": "STATEMENT"}}
        child.run()
        record = child.done.result()
        self.tally(record)
        if error := record["status"].get("errorResult"):
            raise ApiError(error["reason"], error["message"], error.get("location"))
        if child.result:
            self.job.result = child.result
        return child

    def tally(self, record: dict) -> None:
        """A child's bytes, on the parent's bill."""
        total, one = self.job.statistics, record["statistics"]
        total["numChildJobs"] = str(int(total.get("numChildJobs", 0)) + 1)
        for name in ("totalBytesProcessed", "totalBytesBilled"):
            total["query"][name] = str(int(total["query"][name]) + int(one.get("query", {}).get(name, 0)))
        total["totalBytesProcessed"] = total["query"]["totalBytesProcessed"]

    # Variables ------------------------------------------------------------------------------------

    def variable_declaration(self, node, scope: Scope) -> None:
        declared = self.script.part(node.type) if node.type.ByteSize() else ""
        for name in names(node.variable_list):
            if name.lower() in scope:
                raise ApiError("invalidQuery", f"Variable '{name}' redeclaration", "query")
            value = self.value_of(node.default_value, scope, declared) if node.default_value.ByteSize() else self.evaluate(
                f"SELECT CAST(NULL AS {declared})", scope)
            scope[name.lower()] = value

    def single_assignment(self, node, scope: Scope) -> None:
        self.assign(node.variable.id_string, node.expression, scope)

    def assign(self, name: str, expression, scope: Scope) -> None:
        home = scope.home(name)
        home[name.lower()] = self.value_of(expression, scope, home[name.lower()].type)

    def assignment_from_struct(self, node, scope: Scope) -> None:
        wanted = names(node.variables)
        whole = self.value_of(node.struct_expression, scope)
        parts = whole.field.get("fields", ())
        if len(parts) != len(wanted):
            raise ApiError("invalidQuery", f"Number of variables in assignment ({len(wanted)}) does not match the number of fields ({len(parts)})", "query")
        for name, part in zip(wanted, parts):
            home = scope.home(name)
            sql = f"struct_extract({whole.sql}, {values.string(part['name'])})::{values.duckdb_type(home[name.lower()].field)}"
            home[name.lower()] = home[name.lower()]._replace(sql=f"({sql})")

    def value_of(self, expression, scope: Scope, declared: str = "") -> Variable:
        """An expression's value, as the declared type if there is one."""
        before, after = ("SELECT CAST((", f") AS {declared})") if declared else ("SELECT (", ")")
        return self.evaluate(self.script.placed(expression, before, after), scope)

    def evaluate(self, text: str, scope: Scope) -> Variable:
        """The one value of a SELECT."""
        job = self.job
        statement = query.prepare(job.emulator, job.principal, text, default_project=job.project, default_dataset=job.config.get("defaultDataset"),
                                  parameters=job.config.get("queryParameters") or [], parameter_mode=job.config.get("parameterMode"),
                                  variables=scope.visible() | self.system)
        with job.cursor() as cursor:
            return fetch(statement, cursor)

    def text(self, variable: Variable) -> str | None:
        with self.job.cursor() as cursor:
            return text_of(variable, cursor)

    def holds(self, condition, scope: Scope) -> bool:
        return self.value_of(condition, scope, "BOOL").sql == TRUE

    # Branches and loops ---------------------------------------------------------------------------

    def if_statement(self, node, scope: Scope) -> None:
        branches = [(node.condition, node.then_list), *((clause.condition, clause.body) for clause in node.elseif_clauses.elseif_clauses)]
        for condition, body in branches:
            if self.holds(condition, scope):
                return self.block(body, scope)
        self.block(node.else_list, scope)

    def case_statement(self, node, scope: Scope) -> None:
        for clause in node.when_then_clauses.when_then_clauses:
            if node.expression.ByteSize():
                text = f"SELECT CAST((({self.script.part(node.expression)}) = ({self.script.part(clause.condition)})) AS BOOL)"
                chosen = self.evaluate(text, scope).sql == TRUE
            else:
                chosen = self.holds(clause.condition, scope)
            if chosen:
                return self.block(clause.body, scope)
        self.block(node.else_list, scope)

    def while_statement(self, node, scope: Scope) -> None:
        """WHILE, and LOOP, which has no condition."""
        endless = not node.condition.ByteSize()
        self.loop(node.parent, lambda: endless or self.holds(node.condition, scope), scope)

    def repeat_statement(self, node, scope: Scope) -> None:
        first = True

        def again() -> bool:
            nonlocal first
            goes_on, first = first or not self.holds(node.until_clause.condition, scope), False
            return goes_on
        self.loop(node.parent, again, scope)

    def for_in_statement(self, node, scope: Scope) -> None:
        job = self.job
        rows = self.script.part(node.query)
        counted = self.evaluate(f"SELECT ARRAY(SELECT AS STRUCT * FROM ({rows}))", scope)
        field = values.element(counted.field)
        with job.cursor() as cursor:
            (length,) = cursor.execute(f"SELECT len({counted.sql})").fetchone()
        inner, place = Scope(scope), 0

        def again() -> bool:
            nonlocal place
            place += 1
            if place <= length:
                inner[node.variable.id_string.lower()] = Variable(types.sql_name(types.type_proto(field)), field, f"({counted.sql}[{place}])")
            return place <= length
        self.loop(node.parent, again, inner)

    def loop(self, node, again: Callable[[], bool], scope: Scope) -> None:
        """Run a loop's body while `again`; a BREAK or CONTINUE that means another loop goes on out."""
        label = node.label.name.id_string.lower()
        while again():
            self.job.check_stopped()
            try:
                self.block(node.body, Scope(scope))
            except Jump as jump:
                if jump.what == "RETURN" or jump.label not in ("", label):
                    raise
                if jump.what == "BREAK":
                    return

    def break_statement(self, node, scope: Scope) -> None:
        raise Jump("BREAK", node.parent.label.name.id_string.lower())

    def continue_statement(self, node, scope: Scope) -> None:
        raise Jump("CONTINUE", node.parent.label.name.id_string.lower())

    def return_statement(self, node, scope: Scope) -> None:
        raise Jump("RETURN")

    # Blocks and exceptions ------------------------------------------------------------------------

    def begin_end_block(self, node, scope: Scope) -> None:
        label = node.label.name.id_string.lower()
        handlers = node.handler_list.exception_handler_list
        try:
            self.block(node.statement_list_node, Scope(scope))
        except Jump as jump:
            if jump.what != "BREAK" or not label or jump.label != label:
                raise
        except ApiError as error:
            if not handlers or error.reason in ("stopped", "notImplemented", "emulatorFault"):
                raise
            self.handle(handlers[0], error, scope)

    def handle(self, handler, error: ApiError, scope: Scope) -> None:
        """Run an exception handler, in which @@error tells the error."""
        before = dict(self.system)
        for name, text in (("error.message", error.message), ("error.statement_text", ""), ("error.formatted_stack_trace", "")):
            self.system["@@" + name] = Variable("STRING", {"name": name, "type": "STRING"}, f"{values.string(text)}::VARCHAR")
        self.error = error
        try:
            self.block(handler.statement_list, Scope(scope))
        finally:
            self.system.clear()
            self.system.update(before)

    def raise_statement(self, node, scope: Scope) -> None:
        if node.message.ByteSize():
            message = self.text(self.value_of(node.message, scope, "STRING"))
            raise ApiError("invalidQuery", message, "query")
        if "@@error.message" not in self.system:
            raise ApiError("invalidQuery", "Cannot re-raise an existing exception outside of an exception handler", "query")
        raise self.error

    # Dynamic SQL ----------------------------------------------------------------------------------

    def execute_immediate_statement(self, node, scope: Scope) -> None:
        text = self.text(self.value_of(node.sql, scope, "STRING"))
        if text is None:
            raise ApiError("invalidQuery", "SQL string of EXECUTE IMMEDIATE can't be NULL", "query")
        parameters = [self.parameter(item, scope) for item in node.using_clause.arguments]
        child = self.child(text, text, scope, parameters)
        wanted = names(node.into_clause.identifiers) if node.into_clause.ByteSize() else []
        if wanted:
            self.into(child, wanted, scope)

    def parameter(self, item, scope: Scope) -> dict:
        value = self.value_of(item.expression, scope)
        kind_ = {"type": values.TYPES[values.type_name(value.field)].sql}
        if values.repeated(value.field) or kind_["type"] == "STRUCT":
            raise unsupported("EXECUTE IMMEDIATE USING an array or a struct")
        name = {"name": item.alias.identifier.id_string} if item.alias.ByteSize() else {}
        return name | {"parameterType": kind_, "parameterValue": {"value": self.text(value)}}

    def into(self, child: "Job", wanted: list[str], scope: Scope) -> None:
        result, self.job.result = child.result, None
        fields = result["schema"]["fields"]
        if len(fields) != len(wanted):
            raise ApiError("invalidQuery", f"EXECUTE IMMEDIATE INTO has {len(wanted)} variables for {len(fields)} columns", "query")
        with self.job.cursor() as cursor:
            if cursor.execute(f"SELECT count(*) FROM {result['_relation']}").fetchone()[0] > 1:
                raise ApiError("invalidQuery", "EXECUTE IMMEDIATE INTO clause must not return more than one row", "query")
            for name, field in zip(wanted, fields):
                home = scope.home(name)
                made = constant(cursor, f"(SELECT {values.identifier(field['name'])} FROM {result['_relation']})", home[name.lower()].field)
                home[name.lower()] = home[name.lower()]._replace(sql=made)


TRUE = "('true'::BOOLEAN)"
TEMPORARY = 3  # a value of ASTCreateStatement.Scope
REFUSED = {"begin_statement": "transactions of several statements", "commit_statement": "transactions of several statements",
           "rollback_statement": "transactions of several statements", "call_statement": "CALL",
           "system_variable_assignment": "SET of a system variable"}


# Values -------------------------------------------------------------------------------------------

def fetch(statement: "Statement", cursor) -> Variable:
    """The value of a statement of one row and column, as a Variable."""
    (field,) = statement.fields
    return Variable(types.sql_name(types.type_proto(field)), field, constant(cursor, f"({statement.compile(cursor)})", field))


def constant(cursor, sql: str, field: dict) -> str:
    """DuckDB SQL for the value that an expression has now; ApiError for an error of its evaluation."""
    try:
        (printed,) = cursor.execute(f"SELECT {values.row_json([{**field, 'name': 'v'}])} FROM (SELECT {sql} AS v)").fetchone()
    except Exception as error:
        raise query.runtime_error(error) from error
    return f"({literal(field, json.loads(printed)['f'][0]['v'])})"


def literal(field: dict, value) -> str:
    """A value as an answer prints it, as a DuckDB literal."""
    kind_ = values.duckdb_type(field)
    if value is None:
        return f"NULL::{kind_}"
    if values.repeated(field):
        return f"[{', '.join(literal(values.element(field), item['v']) for item in value)}]::{kind_}"
    name = values.type_name(field)
    if name == "RECORD":
        parts = zip(field["fields"], value["f"])
        inner = ", ".join(f"{values.identifier(part['name'])} := {literal(part, cell['v'])}" for part, cell in parts)
        return f"struct_pack({inner})::{kind_}"
    if name == "TIMESTAMP":
        return f"make_timestamptz({value})"
    if name in ("INTERVAL", "RANGE"):
        raise unsupported(f"a script's variable of type {name}")
    return values.literal(field, value)


def text_of(variable: Variable, cursor) -> str | None:
    """The text of a scalar variable, as REST writes it; None for NULL."""
    (printed,) = cursor.execute(f"SELECT {values.row_json([{**variable.field, 'name': 'v'}])} FROM (SELECT {variable.sql} AS v)").fetchone()
    return json.loads(printed)["f"][0]["v"]
