"""What a script does: its statements one after another as child jobs, variables, branches, loops, exceptions."""
from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from typing import TYPE_CHECKING, Callable

from . import query, routines, system, values
from .errors import ApiError, unsupported
from .googlesql import types
from .googlesql.scripts import Script, Variable, kind, names, parse_script
from .lake import Transaction

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

MOST_DEPTH = 50  # of calls of procedures within each other
TEMPORARY = 3  # a value of ASTCreateStatement.Scope
TRUE = "('true'::BOOLEAN)"
INTERVAL = re.compile(r"(-?)(\d+)-(\d+) (-?\d+) (-?)(\d+):(\d+):(\d+)(\.(\d+))?")
PLACE = re.compile(r" at \[(\d+:\d+)\]$")


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
        return (self.outer.visible() if self.outer is not None else {}) | self


class Failure(ApiError):
    """An error of a statement in a script, as @@error tells it.

    trace: where each procedure and the script stood, the innermost first: (procedure or "", line, column).
    """

    def __init__(self, error: ApiError, message: str, text: str, trace: list[tuple[str, int, int]]):
        super().__init__(error.reason, message, error.location)
        self.text, self.trace = text, trace
        self.said = error.message if isinstance(error, Raised) else message


def run(job: "Job") -> None:
    """Run a script; the job's result is that of its last SELECT."""
    job.statistics["query"] = statistics()
    runner = Runner(job, job.text or job.config["query"], State(job))
    scope = Scope()
    scope |= job.session.variables
    try:
        runner.block(runner.script.body, scope)
    except Jump as jump:
        if jump.what != "RETURN":
            raise ApiError("invalidQuery", f"{jump.what} is only allowed inside of a loop body", "query") from None
    finally:
        if job.session.id:
            job.session.variables = dict(scope)
        else:
            job.session.close(job.emulator.lake)


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


class State:
    """What a script and the procedures that it calls have in common."""

    def __init__(self, job: "Job"):
        self.job = job
        self.settings: dict[str, str | None] = job.session.settings  # of system variables that a script sets
        self.runners: list[Runner] = []
        self.handled: list[Failure] = []  # the errors whose handlers run, the innermost last
        self.row_count: int | None = None
        self.last_job = ""


class Runner:
    """One text at work: the script or a procedure's body. name: of the procedure, p.d.f."""

    def __init__(self, job: "Job", text: str, state: State, name: str = ""):
        self.job, self.state, self.name = job, state, name
        self.options: dict = job.config.get("scriptOptions") or {}
        self.script: Script = parse_script(job.emulator.sql, text)
        self.here = self.script.body  # the statement that runs
        state.runners.append(self)

    # Statements -----------------------------------------------------------------------------------

    def block(self, body, scope: Scope) -> None:
        for item in body.statement_list:
            self.job.check_stopped()
            self.here = item
            try:
                self.step(item, scope)
            except ApiError as error:
                raise self.failure(error, item) from None

    def step(self, item, scope: Scope) -> None:
        name, node = kind(item)
        rule = getattr(self, name, None)
        if rule:
            rule(node, scope)
        else:
            self.child(self.script.placed(item), self.script.part(item), scope)

    def failure(self, error: ApiError, item) -> ApiError:
        """An error with the place of its statement; one that has it already, or that no handler may catch, as it is."""
        if isinstance(error, Failure) or error.reason in ("stopped", "notImplemented", "emulatorFault"):
            return error
        self.here = item
        trace = [(runner.name, *runner.script.position(runner.here)) for runner in reversed(self.state.runners)]
        prefix = f"{self.name}:" if self.name else ""
        found = PLACE.search(error.message)
        place = found[1] if found else "{1}:{2}".format(*trace[0])
        message = f"{error.message[:found.start()] if found else error.message} at [{prefix}{place}]"
        if not isinstance(error, Raised):
            message = f"Query error: {message}"
        return Failure(error, message, self.script.part(item), trace)

    def child(self, placed: str, text: str, scope: Scope, parameters: list[dict] = ()) -> "Job":
        """Run one SQL statement as a child job; its error is raised."""
        child = self.new_child(placed, text, scope, "STATEMENT", parameters)
        child.run()
        record = child.done.result()
        self.tally(record)
        if error := record["status"].get("errorResult"):
            raise ApiError(error["reason"], error["message"], error.get("location"))
        if child.result and not (self.job.result and self.options.get("keyResultStatement") == "FIRST_SELECT"):
            self.job.result = child.result
        return child

    def new_child(self, placed: str, text: str, scope: Scope, evaluation: str, parameters: list[dict] = ()) -> "Job":
        from .jobs import Job
        job = self.job
        config = {"query": text, "useLegacySql": False} | ({"queryParameters": list(parameters)} if parameters else {})
        for name in ("defaultDataset", "maximumBytesBilled", *(() if parameters else ("queryParameters", "parameterMode"))):
            if name in job.config:
                config[name] = job.config[name]
        if budget := self.options.get("statementByteBudget"):
            config["maximumBytesBilled"] = str(min(int(budget), int(config.get("maximumBytesBilled", budget))))
        limit = {"jobTimeoutMs": self.options["statementTimeoutMs"]} if "statementTimeoutMs" in self.options else {}
        label = self.state.settings.get("query_label")
        labels = {"labels": dict(part.split(":", 1) for part in label.split(","))} if label else {}
        reference = {**job.reference, "jobId": f"script_job_{uuid.uuid4().hex}"}
        child = Job(job.emulator, job.principal, reference, {"query": config} | labels | limit, parent=job)
        child.variables, child.text = scope.visible() | (system.variables(job, self.state, reference["jobId"]) if "@@" in text else {}), placed
        child.statistics |= {"parentJobId": job.ref[1], "scriptStatistics": {"evaluationKind": evaluation, "stackFrames": self.frames()}}
        if job.session.id:
            child.statistics["sessionInfo"] = {"sessionId": job.session.id}
        if job.session.transaction:
            child.statistics["transactionInfo"] = {"transactionId": job.session.transaction_id}
        return child

    def frames(self) -> list[dict]:
        """Where the script and its procedures stand, the innermost first."""
        return [runner.script.frame(runner.here) | ({"procedureId": runner.name} if runner.name else {}) for runner in reversed(self.state.runners)]

    def tally(self, record: dict) -> None:
        """A child's bytes, on the parent's bill."""
        total, one = self.job.statistics, record["statistics"]
        total["numChildJobs"] = str(int(total.get("numChildJobs", 0)) + 1)
        for name in ("totalBytesProcessed", "totalBytesBilled"):
            total["query"][name] = str(int(total["query"][name]) + int(one.get("query", {}).get(name, 0)))
        total["totalBytesProcessed"] = total["query"]["totalBytesProcessed"]
        self.state.last_job = record["jobReference"]["jobId"]
        changed = one.get("query", {}).get("numDmlAffectedRows")
        self.state.row_count = int(changed) if changed is not None else None

    # Variables ------------------------------------------------------------------------------------

    def variable_declaration(self, node, scope: Scope) -> None:
        declared = self.script.part(node.type) if node.type.ByteSize() else ""
        for name in names(node.variable_list):
            if name.lower() in scope:
                raise ApiError("invalidQuery", f"Variable '{name}' redeclaration", "query")
            scope[name.lower()] = self.value_of(node.default_value, scope, declared) if node.default_value.ByteSize() else self.null(declared, scope)

    def null(self, declared: str, scope: Scope) -> Variable:
        return self.evaluate(f"SELECT CAST(NULL AS {declared})", scope)

    def single_assignment(self, node, scope: Scope) -> None:
        name = node.variable.id_string
        home = self.home(node.variable, scope)
        home[name.lower()] = self.value_of(node.expression, scope, home[name.lower()].type)

    def home(self, identifier, scope: Scope) -> Scope:
        """The scope of a variable that is assigned to."""
        if identifier.id_string.lower() not in scope.visible():
            line, column = self.script.position(identifier)
            raise ApiError("invalidQuery", f"Undeclared variable: {identifier.id_string} at [{line}:{column}]", "query")
        return scope.home(identifier.id_string)

    def system_variable_assignment(self, node, scope: Scope) -> None:
        name = ".".join(names_of(node.system_variable.path)).lower()
        if name not in system.SETTABLE:
            raise ApiError("invalidQuery", f"Cannot assign to system variable @@{name}", "query")
        value = self.text(self.value_of(node.expression, scope, "STRING"))
        system.SETTABLE[name](value)
        if name == "location":
            return self.move(value)
        self.state.settings[name] = value

    def move(self, location: str | None) -> None:
        """The script runs in another location from now on, which is where its job is found then."""
        if self.state.runners != [self] or self.here != self.script.body.statement_list[0] or not location:
            raise ApiError("invalidQuery", "@@location can only be set by the first statement of a script, and not to NULL", "query")
        self.job.reference["location"] = location

    def assignment_from_struct(self, node, scope: Scope) -> None:
        wanted = names(node.variables)
        whole = self.value_of(node.struct_expression, scope)
        parts = whole.field.get("fields", ())
        if len(parts) != len(wanted):
            raise ApiError("invalidQuery", f"Number of variables in assignment ({len(wanted)}) does not match the number of fields ({len(parts)})", "query")
        homes = [self.home(item, scope) for item in node.variables.identifier_list]
        for name, part, home in zip(wanted, parts, homes):
            sql = f"struct_extract({whole.sql}, {values.string(part['name'])})::{values.duckdb_type(home[name.lower()].field)}"
            home[name.lower()] = home[name.lower()]._replace(sql=f"({sql})")

    def value_of(self, expression, scope: Scope, declared: str = "") -> Variable:
        """An expression's value, as the declared type if there is one; ApiError invalidQuery for one that is not coerced to it."""
        child, statement = self.analyzed(self.script.placed(expression, "SELECT (", ")"), scope)
        if declared and type_of(statement) != declared:
            cast = f"CAST(NULL AS {declared})"
            wanted = type_of(self.analyzed(f"SELECT {cast}", scope)[1])
            if "(" in declared:
                child, statement = self.analyzed(self.script.placed(expression, "SELECT CAST((", f") AS {declared})"), scope)
            elif type_of(statement) != wanted:
                child, statement = self.coerced(expression, scope, wanted)
        return self.computed(child, statement)

    def coerced(self, expression, scope: Scope, wanted: str) -> tuple["Job", "Statement"]:
        """The SELECT of an expression whose type is to become another: what literals and narrower types may."""
        try:
            found = self.analyzed(self.script.placed(expression, f"SELECT IF(TRUE, CAST(NULL AS {wanted}), (", "))"), scope)
            if type_of(found[1]) == wanted:
                return self.analyzed(self.script.placed(expression, "SELECT CAST((", f") AS {wanted})"), scope)
        except ApiError as error:
            if not error.message.startswith("No matching signature"):
                raise
        line, column = self.script.position(expression)
        raise ApiError("invalidQuery", f"Cannot coerce expression {self.script.part(expression)} to type {wanted} at [{line}:{column}]", "query")

    def analyzed(self, text: str, scope: Scope) -> tuple["Job", "Statement"]:
        child = self.new_child(text, text.strip(), scope, "EXPRESSION")
        return child, query.prepare_for(child, text)

    def evaluate(self, text: str, scope: Scope) -> Variable:
        return self.computed(*self.analyzed(text, scope))

    def computed(self, child: "Job", statement: "Statement") -> Variable:
        """The one value of a SELECT; one that reads tables is a child job."""
        if not statement.tables:
            with self.job.cursor() as cursor:
                return fetch(statement, cursor)
        query.price(child, statement)
        with self.job.cursor() as cursor:
            value = fetch(statement, cursor)
        child.finish()
        self.tally(child.body)
        return value

    def text(self, variable: Variable):
        """The value as REST writes it: a text for a scalar one."""
        with self.job.cursor() as cursor:
            return printed(variable, cursor)

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
        given = self.value_of(node.expression, scope) if node.expression.ByteSize() else None
        for clause in node.when_then_clauses.when_then_clauses:
            if given:
                inner = Scope(scope)
                inner["_case"] = given
                chosen = self.evaluate(self.script.placed(clause.condition, "SELECT CAST((_case = (", ")) AS BOOL)"), inner).sql == TRUE
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
        rows = self.evaluate(self.script.placed(node.query, "SELECT ARRAY(SELECT AS STRUCT * FROM (", "))"), scope)
        field = values.element(rows.field)
        row_type, left = types.sql_name(types.type_proto(field)), iter(self.text(rows))
        inner = Scope(scope)

        def again() -> bool:
            row = next(left, None)
            if row is not None:
                inner[node.variable.id_string.lower()] = Variable(row_type, field, f"({literal(field, row['v'])})")
            return row is not None
        self.loop(node.parent, again, inner)

    def loop(self, node, again: Callable[[], bool], scope: Scope) -> None:
        """Run a loop's body while `again`; a BREAK or CONTINUE that means another loop goes on out."""
        label, head = node.label.name.id_string.lower(), self.here
        while again():
            self.job.check_stopped()
            try:
                self.block(node.body, Scope(scope))
            except Jump as jump:
                if jump.what == "RETURN" or jump.label not in ("", label):
                    raise
                if jump.what == "BREAK":
                    return
            self.here = head

    def break_statement(self, node, scope: Scope) -> None:
        raise Jump("BREAK", node.parent.label.name.id_string.lower())

    def continue_statement(self, node, scope: Scope) -> None:
        raise Jump("CONTINUE", node.parent.label.name.id_string.lower())

    def return_statement(self, node, scope: Scope) -> None:
        raise Jump("RETURN")

    # Blocks and exceptions ------------------------------------------------------------------------

    def begin_end_block(self, node, scope: Scope) -> None:
        label = node.label.name.id_string.lower()
        handlers, depth = node.handler_list.exception_handler_list, len(self.state.runners)
        try:
            self.block(node.statement_list_node, Scope(scope))
        except Jump as jump:
            if jump.what != "BREAK" or not label or jump.label != label:
                raise
        except Failure as failure:
            if not handlers:
                raise
            del self.state.runners[depth:]
            self.handle(handlers[0], failure, scope)

    def handle(self, handler, failure: Failure, scope: Scope) -> None:
        """Run an exception handler, in which @@error tells the error."""
        self.state.handled.append(failure)
        try:
            self.block(handler.statement_list, Scope(scope))
        finally:
            self.state.handled.pop()

    def raise_statement(self, node, scope: Scope) -> None:
        if node.message.ByteSize():
            raise Raised("invalidQuery", self.text(self.value_of(node.message, scope, "STRING")) or "", "query")
        if not self.state.handled:
            raise ApiError("invalidQuery", "Cannot re-raise an existing exception outside of an exception handler", "query")
        raise self.state.handled[-1]

    # Dynamic SQL ----------------------------------------------------------------------------------

    def execute_immediate_statement(self, node, scope: Scope) -> None:
        text = self.text(self.value_of(node.sql, scope, "STRING"))
        if text is None:
            raise ApiError("invalidQuery", "SQL string of EXECUTE IMMEDIATE can't be NULL", "query")
        parameters = [self.parameter(item, scope) for item in node.using_clause.arguments]
        if self.calls(text):
            return self.dynamic_call(text, bool(parameters or node.into_clause.ByteSize()), scope)
        before = self.job.result
        child = self.child(text, text, scope, parameters)
        wanted = names(node.into_clause.identifiers) if node.into_clause.ByteSize() else []
        if wanted:
            self.job.result = before
            self.into(child, wanted, scope)

    def calls(self, text: str) -> bool:
        """Whether dynamic SQL is a CALL; ApiError invalidQuery for another statement of the procedural language, and for several statements."""
        script = parse_script(self.job.emulator.sql, text)
        name, _ = kind(statement := script.body.statement_list[0])
        controls = name != "call_statement" and hasattr(self, name)
        if controls or len(script.body.statement_list) > 1:
            self.job.emulator.sql.check_syntax(text, allow_script=False)  # as a single statement most of them are errors of syntax
        if controls:
            raise ApiError("invalidQuery", f"EXECUTE IMMEDIATE can't run the statement {script.part(statement)}", "query")
        return name == "call_statement"

    def dynamic_call(self, text: str, more: bool, scope: Scope) -> None:
        """more: whether there are clauses USING or INTO."""
        if more:
            raise unsupported("EXECUTE IMMEDIATE of a CALL with USING or INTO")
        inner = Runner(self.job, text, self.state, self.name)
        inner.block(inner.script.body, scope)
        self.state.runners.pop()

    def parameter(self, item, scope: Scope) -> dict:
        value = self.value_of(item.expression, scope)
        name = {"name": item.alias.identifier.id_string} if item.alias.ByteSize() else {}
        return name | {"parameterType": types.parameter_type(value.field), "parameterValue": parameter_value(value.field, self.text(value))}

    def into(self, child: "Job", wanted: list[str], scope: Scope) -> None:
        result = child.result
        if not result:
            raise ApiError("invalidQuery", "EXECUTE IMMEDIATE INTO needs a query that returns rows", "query")
        fields = result["schema"]["fields"]
        if len(fields) != len(wanted):
            raise ApiError("invalidQuery", f"EXECUTE IMMEDIATE INTO has {len(wanted)} variables for {len(fields)} columns", "query")
        with self.job.lake.cursor() as cursor:
            if cursor.execute(f"SELECT count(*) FROM {result['_relation']}").fetchone()[0] > 1:
                raise ApiError("invalidQuery", "EXECUTE IMMEDIATE INTO clause must not return more than one row", "query")
            for name, field in zip(wanted, fields):
                home = scope.home(name)
                made = constant(cursor, f"(SELECT {values.identifier(field['name'])} FROM {result['_relation']})", home[name.lower()].field)
                home[name.lower()] = home[name.lower()]._replace(sql=made)

    # Procedures -----------------------------------------------------------------------------------

    def call_statement(self, node, scope: Scope) -> None:
        """CALL of a procedure: what it gets are values, what it gives goes into the caller's variables."""
        path = names_of(node.procedure_name)
        if path[0].upper() == "BQ":
            return system.call(self.job, ".".join(path[1:]).upper(), [self.text(self.value_of(item.expr, scope)) for item in node.arguments])
        if len(self.state.runners) > MOST_DEPTH:
            raise ApiError("resourcesExceeded", f"Procedures may be nested {MOST_DEPTH} deep at the most.", "query")
        statement = query.prepare_for(self.new_child("", "", scope, "STATEMENT"), self.script.placed(self.here))
        (routine,) = [routine for routine in statement.routines if routine.kind == "PROCEDURE"]
        inner, given = Scope(), {}
        for argument, item in zip(routine.arguments, node.arguments):
            name, declared = argument["name"].lower(), routines.type_name(argument)
            if argument.get("mode", "IN") != "IN":
                given[name] = variable_name(self.script.part(item.expr), argument, scope)
            inner[name] = self.null(declared or scope.home(given[name])[given[name]].type, scope) if argument.get("mode") == "OUT" else self.value_of(
                item.expr, scope, declared)
        runner = Runner(self.job, routine.body["definitionBody"], self.state, ".".join(routine.ref))
        try:
            runner.block(runner.script.body, inner)
        except Jump as jump:
            if jump.what != "RETURN":
                raise ApiError("invalidQuery", f"{jump.what} is only allowed inside of a loop body", "query") from None
        self.state.runners.pop()
        for name, outside in given.items():
            home = scope.home(outside)
            home[outside] = home[outside]._replace(sql=inner[name].sql)

    # Transactions ---------------------------------------------------------------------------------

    def begin_statement(self, node, scope: Scope) -> None:
        self.control("BEGIN_TRANSACTION", lambda: self.job.session.begin(self.job), scope)

    def commit_statement(self, node, scope: Scope) -> None:
        self.control("COMMIT_TRANSACTION", lambda: self.job.session.end(Transaction.commit), scope)

    def rollback_statement(self, node, scope: Scope) -> None:
        self.control("ROLLBACK_TRANSACTION", lambda: self.job.session.end(Transaction.rollback), scope)

    def control(self, name: str, work: Callable[[], None], scope: Scope) -> None:
        """A statement of a transaction, as a child job."""
        text = self.script.part(self.here)
        child = self.new_child(text, text, scope, "STATEMENT")
        work()
        if self.job.session.transaction:
            child.statistics["transactionInfo"] = {"transactionId": self.job.session.transaction_id}
        child.statistics["query"] = statistics() | {"statementType": name}
        child.finish()
        self.tally(child.body)


class Raised(ApiError):
    """An error of RAISE: its message is the script's own."""


def names_of(path) -> list[str]:
    """A path of the syntax tree; one in backticks has its parts."""
    return [part for name in path.names for part in (name.id_string.split(".") if name.is_quoted else [name.id_string])]


def variable_name(text: str, argument: dict, scope: Scope) -> str:
    """The variable that stands for an OUT argument; ApiError for another expression."""
    name = text.strip("` \n\t").lower()
    if not re.fullmatch(r"\w+", name) or name not in scope.visible():
        raise ApiError("invalidQuery", f"Argument {argument['name']} is {argument['mode']}: a variable must be given for it, not {text}", "query")
    return name


# Values -------------------------------------------------------------------------------------------

def type_of(statement: "Statement") -> str:
    """The type in GoogleSQL of a statement of one column."""
    return types.sql_name(types.type_proto(statement.fields[0]))


def fetch(statement: "Statement", cursor) -> Variable:
    """The value of a statement of one row and column, as a Variable."""
    (field,) = statement.fields
    return Variable(type_of(statement), field, constant(cursor, f"({statement.compile(cursor)})", field))


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
    if name == "INTERVAL":
        sign, months, days, clock, micros = interval(value)
        return f"(to_months({months}) + to_days({days}) + to_microseconds({sign}{clock * 1_000_000 + micros}))"
    if name == "RANGE":
        inner = ", ".join(f"{values.identifier(part['name'])} := {literal(part, end)}" for part, end in ends(field, value))
        return f"struct_pack({inner})::{kind_}"
    return values.literal(field, value)


def ends(field: dict, text: str) -> list[tuple[dict, str | None]]:
    """A RANGE as REST writes it: its two fields with their values."""
    return [(part, None if end == "UNBOUNDED" else end) for part, end in zip(values.range_parts(field), text[1:-1].split(", "))]


def interval(text: str) -> tuple[str, int, int, int, int]:
    """An INTERVAL as REST writes it, `Y-M D H:M:S.F`: the sign of its time, months, days, seconds, microseconds."""
    minus, years, months, days, sign, hours, minutes, seconds, _, fraction = INTERVAL.fullmatch(text).groups()
    whole = int(years) * 12 + int(months)
    return sign, -whole if minus else whole, int(days), int(hours) * 3600 + int(minutes) * 60 + int(seconds), int((fraction or "0").ljust(6, "0")[:6])


def printed(variable: Variable, cursor):
    """A variable's value as REST writes it: a text for a scalar one, None for NULL."""
    (text,) = cursor.execute(f"SELECT {values.row_json([{**variable.field, 'name': 'v'}])} FROM (SELECT {variable.sql} AS v)").fetchone()
    return json.loads(text)["f"][0]["v"]


def parameter_value(field: dict, value) -> dict:
    """A printed value as a QueryParameterValue."""
    if value is None:
        return {}
    if values.repeated(field):
        return {"arrayValues": [parameter_value(values.element(field), item["v"]) for item in value]}
    if values.type_name(field) == "RECORD":
        return {"structValues": {part["name"]: parameter_value(part, cell["v"]) for part, cell in zip(field["fields"], value["f"])}}
    if values.type_name(field) == "RANGE":
        return {"rangeValue": {part["name"]: parameter_value(part, end) for part, end in ends(field, value)}}
    if values.type_name(field) == "TIMESTAMP":
        return {"value": f"{dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=int(value)):%Y-%m-%d %H:%M:%S.%f+00}"}
    return {"value": value}
