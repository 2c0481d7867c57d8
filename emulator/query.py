"""What a query job does: analyze, price, run, keep the result."""
from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING

import duckdb

from . import cache, datasets, iam, information_schema, legacy, locations, partitions, rules, values
from .calls import Emulator
from .errors import ApiError, unsupported
from .lake import now_ms
from .sessions import Session

if TYPE_CHECKING:
    import datetime as dt

    from .googlesql import Statement
    from .jobs import Job
    from .lake import Lake, Transaction

# The options a query takes; others are refused, not ignored. Those of legacy SQL have no effect on GoogleSQL.
OPTIONS = {"query", "destinationTable", "createDisposition", "writeDisposition", "defaultDataset", "priority", "useQueryCache", "useLegacySql",
           "maximumBytesBilled", "parameterMode", "queryParameters", "timePartitioning", "rangePartitioning", "clustering", "schemaUpdateOptions",
           "createSession", "connectionProperties", "tableDefinitions", "scriptOptions", "destinationEncryptionConfiguration",
           "allowLargeResults", "flattenResults", "preserveNulls", "maximumBillingTier"}
# What jobs.query's request has in common with a query's configuration.
REQUEST_OPTIONS = ("query", "defaultDataset", "useQueryCache", "useLegacySql", "preserveNulls", "parameterMode", "queryParameters",
                   "maximumBytesBilled", "createSession", "connectionProperties", "continuous", "writeIncrementalResults",
                   "destinationEncryptionConfiguration", "secureContext")
LEAST_BILLED = 10 * 1024 * 1024  # for each table a statement references
MEGABYTE = 1024 * 1024
DATASET = re.compile(r"[\w-]{1,1024}")
MAX_LENGTH = 1024 * 1024  # characters of an unresolved GoogleSQL query
IN_SCRIPTS = ("CALL", "CREATE_PROCEDURE", "EXECUTE_IMMEDIATE", "ASSIGNMENT", "BEGIN_TRANSACTION", "COMMIT_TRANSACTION",
              "ROLLBACK_TRANSACTION")  # one alone is a script
PRICED = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE_TABLE_AS_SELECT", "CREATE_MODEL", "EXPORT_DATA", "ASSERT")  # other statements process no bytes
ANONYMOUS_DATASET = "_bqresults"


def configuration(request: dict) -> dict:
    """A jobs.query request as a job's configuration."""
    if request.get("queryResultsFormat") not in (None, "QUERY_RESULTS_FORMAT_UNSPECIFIED", "JSON", "STRUCT_ENCODING", "ARROW"):
        raise unsupported(f"queryResultsFormat {request['queryResultsFormat']}")
    whole = {"query": {name: request[name] for name in REQUEST_OPTIONS if request.get(name) is not None}}
    return whole | {name: request[name] for name in ("labels", "dryRun", "jobTimeoutMs", "maxSlots", "reservation") if request.get(name)}


class Table:
    """A table as the analyzer and the compiler see it, at the snapshot the query began with, or inside of a transaction.

    key: changes whenever the table's columns do; view: a logical view's GoogleSQL; resolve: how the names
    in it are, None for as the statement's own; filtered: whether row access policies hide some of its rows.
    """

    resolve = None
    filtered = False

    def __init__(self, emulator: Emulator, ref: tuple[str, str, str], body: dict, lake: "Lake | Transaction | None" = None, principal: str = ""):
        if body.get("type") == "EXTERNAL" and "_relation" not in body:
            from .external import rows
            body = {**body, "_relation": rows(emulator, principal, ref, body)}
        self.emulator, self.ref, self.body, self.lake = emulator, ref, body, lake or emulator.lake
        self.version = self.lake.version
        self.fields = body.get("schema", {}).get("fields", [])
        self.view = (body.get("view") or body.get("materializedView") or {}).get("query")
        self.pseudo = partitions.pseudo(body)
        self.stored = partitions.stored(body)
        self.partitioning = partitions.of(body)
        self.key = (ref, json.dumps(self.fields + self.pseudo), self.view)

    def has(self, fields: list[dict]) -> None:
        """Let a view have the columns that its query has now, unless the view names its columns itself."""
        if len(fields) != len(self.fields) or [field["name"] for field in fields] == [field["name"] for field in self.fields]:
            self.fields = fields
            self.key = (self.ref, json.dumps(fields), self.view)

    def relation(self, at: "dt.datetime | None" = None) -> str:
        """The FROM item of its rows, now or at a moment; ApiError invalid outside the time travel window."""
        from .tables import travel
        if at is not None and self.body["type"] == "EXTERNAL":
            raise self.no_travel()
        if at is not None:
            self.version, self.body = travel(self.emulator.lake, self.ref, int(at.timestamp() * 1_000_000))
        return self.lake.relation(self.body, self.version)

    def no_travel(self) -> ApiError:
        """Why a view or an external table is not read as of a moment."""
        what = "an external table" if self.body["type"] == "EXTERNAL" else "a view"
        return ApiError("invalidQuery", f"FOR SYSTEM_TIME AS OF is not possible with {what}.", "query")

    def changes(self, kind: str, start: "dt.datetime | None", end: "dt.datetime | None") -> str:
        """The FROM item of what has happened to its rows between two moments. kind: APPENDS or CHANGES."""
        from .history import changes
        return changes(self, kind, *(moment and int(moment.timestamp() * 1_000_000) for moment in (start, end)))

    def refresh(self) -> None:
        """Read the newest rows from now on: a change is made on what is there when its turn comes."""
        from .tables import find
        self.body, self.version = find(self.lake, self.ref), self.lake.version

    def bytes(self, columns: set[str], condition: str | None = None) -> int:
        """Logical bytes of some columns, of the rows for which the condition is true."""
        return self.lake.measure(self.body, columns - {field["name"] for field in self.pseudo}, self.version, condition)

    def row_count(self) -> int:
        return self.lake.rows(self.body, self.version)


class Filtered(Table):
    """A table with row access policies, seen as a view of the rows that one of the predicates lets through."""

    def __init__(self, table: Table, predicates: list[str], resolve):
        super().__init__(table.emulator, table.ref, table.body, lake=table.lake)
        name = "`" + ".".join(table.ref) + "`"
        columns = ", ".join(["*", *(field["name"] for field in self.pseudo)])
        self.view = f"SELECT {columns} FROM {name} WHERE {' OR '.join(f'({predicate})' for predicate in predicates) or 'FALSE'}"
        self.key = (*self.key[:2], self.view)
        table.filtered = True
        self.resolve = lambda path: table if path == table.ref else resolve(path)

    def no_travel(self) -> ApiError:
        name = iam.name_of(self.ref)
        return ApiError("accessDenied", f"Access Denied: Table {name}: User does not have permission to read the historical data of table {name}, "
                                        "which has row access policies.")


def prepare(emulator: Emulator, principal: str, text: str, *, default_project: str, default_dataset: dict | None = None,
            parameters: list[dict] = (), parameter_mode: str | None = None, variables: dict | None = None, session: Session | None = None,
            location: str | None = None) -> "Statement":
    """A statement analyzed against the tables that the principal may read; ApiError for what is wrong with it.

    session: has the temporary tables and functions; location: where the tables must be.
    """
    from . import row_access
    from .routines import callable_by
    from .googlesql.runtime import too_complex
    from .tables import find
    from .wildcards import Wildcard

    def resolve(path: tuple[str, ...]) -> Table:
        if len(path) < 3 and path[-1].startswith(information_schema.PREFIX):
            path = (default_project, information_schema.region(location), path[-1])
        if len(path) != 3:
            raise unqualified(path)
        if not DATASET.fullmatch(path[1]):
            raise ApiError("invalid", f'Invalid dataset ID "{path[1]}". Dataset IDs must be alphanumeric (plus underscores and dashes) and must be '
                                      "at most 1024 characters long.", ".".join(path[1:]))
        if "$" in path[2]:
            raise ApiError("invalid", f'Table "{".".join(path)}" cannot include decorator')
        iam.require(emulator, principal, "bigquery.tables.getData", path)
        if information_schema.is_view(path[2]):
            return information_schema.Table(emulator, path, principal, location)
        if location:
            locations.check(lake, path, location)
        if path[2].endswith("*"):
            return Wildcard(emulator, principal, path)
        table = Table(emulator, path, past[path] if path in past else find(lake, path), lake, principal)
        if table.body.get("type") == "VIEW":
            table.has(emulator.sql.prepare(table.view, resolve, default_project=default_project, session_user=principal, routine=context["routine"], time_zone=context["time_zone"]).fields)
        predicates = row_access.filters(emulator, principal, path)
        return table if predicates is None else Filtered(table, predicates, resolve)

    session = session or Session()
    lake = session.lake(emulator)
    if len(text) > MAX_LENGTH:
        raise ApiError("invalidQuery", f"The query is too large. The maximum standard SQL query length is {MAX_LENGTH // 1024}.00K characters, "
                                       "including comments and white space characters.")
    dataset = default_dataset or {}
    context = dict(parameters=list(parameters), parameter_mode=parameter_mode, default_project=dataset.get("projectId") or default_project,
                   default_dataset=dataset.get("datasetId"), session_user=principal, variables=variables,
                   routine=callable_by(emulator, principal, session.functions, location), local=session.named, time_zone=session.settings.get("time_zone") or "UTC")
    past = bodies_then(emulator, text, context)
    try:
        return emulator.sql.prepare(text, resolve, **context)
    except RecursionError:
        raise too_complex() from None


def named(job: "Job", statement: "Statement", path, permission: str, noun: str = "Table") -> tuple[str, str, str]:
    """The full name of what a DDL statement names, if the job's principal has the permission there."""
    ref = statement.created_path(path)
    if len(ref) != 3:
        raise unqualified(ref) if noun == "Table" else ApiError(
            "invalid", f"{noun} name \"{'.'.join(ref)}\" missing dataset while no default dataset is set in the request.")
    iam.require(job.emulator, job.principal, permission, ref)
    if job.lake.get("dataset", ref[:2]):
        locations.require(job, ref)
    return ref


def unqualified(path: tuple[str, ...]) -> ApiError:
    return ApiError("invalid", f"Table \"{'.'.join(path)}\" must be qualified with a dataset (e.g. dataset.table).")


def bodies_then(emulator: Emulator, text: str, context: dict) -> dict[tuple, dict]:
    """The tables that FOR SYSTEM_TIME AS OF reads, as they were: they may have had other columns."""
    from .googlesql.catalog import normal_path
    from .tables import travel
    found = {}
    for path, expression in emulator.sql.moments(text).items():
        ref = normal_path(path, context["default_project"], context["default_dataset"])
        moment = None
        if len(ref) == 3 and emulator.lake.get("table", ref):
            try:
                statement = emulator.sql.prepare(f"SELECT {expression}", None, **context)
                moment = emulator.lake.cursor().execute(statement.compile(emulator.lake.cursor())).fetchone()[0]
            except (ApiError, duckdb.Error):
                continue  # the statement as a whole says what is wrong, and where
        if hasattr(moment, "timestamp"):
            found[ref] = travel(emulator.lake, ref, int(moment.timestamp() * 1_000_000))[1]
    return found


def check(config: dict) -> None:
    """ApiError for a query's configuration that no job is made of."""
    if legacy.asked(config) and config.get("queryParameters"):
        raise unsupported("legacy SQL with query parameters: set useLegacySql to false")
    if not config.get("query", "").strip():
        raise ApiError("required", "Required parameter is missing: query", "query")


def analyze(job: "Job") -> "Statement":
    from .googlesql import IsScript
    if not job.parent and legacy.asked(job.config):
        job.text = legacy.translate(job.config["query"])
        statement = prepare_for(job, job.text)
        legacy.check_flat(statement)
        return statement
    try:
        return prepare_for(job, job.text or job.config["query"])
    except IsScript:
        from .scripts import without_functions
        job.text = without_functions(job)
        if job.text is None:
            raise
        return prepare_for(job, job.text)


def prepare_for(job: "Job", text: str, variables: dict | None = None) -> "Statement":
    """A statement of a job, analyzed. variables: instead of the job's."""
    from . import system
    config = job.config
    if variables is None:
        variables = job.variables if job.parent else job.session.variables | (system.variables(job) if "@@" in text else {})
    return prepare(job.emulator, job.principal, text, variables=variables, default_project=job.project,
                   default_dataset=default_dataset(job), parameters=config.get("queryParameters") or [],
                   parameter_mode=config.get("parameterMode"), session=job.session, location=job.reference["location"])


def default_dataset(job: "Job") -> dict:
    """What a table's name without a dataset is in: as the job's script or session has set it, else as its configuration says."""
    settings = job.session.settings
    set_to = {"datasetId": settings.get("dataset_id"), "projectId": settings.get("dataset_project_id")}
    return {**(job.config.get("defaultDataset") or {}), **{key: value for key, value in set_to.items() if value}}


def price(job: "Job", statement: "Statement", cached: bool = False) -> None:
    """Bytes processed and billed, into the job's statistics; ApiError where maximumBytesBilled is less. A cached result costs nothing."""
    hidden = any(table.filtered for table in statement.tables)  # their size would tell of rows that the caller may not see
    read = {} if cached or statement.type not in PRICED else read_partitions(job, statement)
    processed = {} if hidden else {table: table.bytes(statement.columns.get(table, set()), condition) for table, condition in read.items()}
    billed = sum(max(LEAST_BILLED, count) for count in processed.values() if count)
    billed = -(-billed // MEGABYTE) * MEGABYTE
    limit = job.config.get("maximumBytesBilled")
    if limit is not None and billed > int(limit):
        raise ApiError("bytesBilledLimitExceeded", f"Query exceeded limit for bytes billed: {limit}. {billed} or higher required.")
    job.statistics["totalBytesProcessed"] = str(sum(processed.values()))
    job.statistics["query"] = {
        "totalBytesProcessed": str(sum(processed.values())), "totalBytesBilled": str(billed), "billingTier": 1, "cacheHit": cached,
        "statementType": statement.told_type, "totalSlotMs": "0",
        "referencedTables": [reference(table.ref) for table in statement.tables]}
    if statement.type in PRICED and not job.configuration.get("dryRun"):
        job.statistics["query"]["queryPlan"] = plan(statement, processed)
    if persistent := [routine.ref for routine in statement.routines if len(routine.ref) == 3]:
        job.statistics["query"]["referencedRoutines"] = [dict(zip(("projectId", "datasetId", "routineId"), ref)) for ref in persistent]


def read_partitions(job: "Job", statement: "Statement") -> "dict[Table, str | None]":
    """Each table that a statement reads, with a condition on the rows whose partitions it reads.

    Raises ApiError invalidQuery where a table wants a filter by which partitions can be chosen, and there is none.
    """
    from .googlesql.pruning import conditions
    found: dict = {}
    for table, scan in conditions(statement, job.lake.cursor()):
        if scan is None and partitions.filter_required(table.body) and not statement.undeclared:
            raise ApiError("invalidQuery", f"Cannot query over table '{'.'.join(table.ref)}' without a filter over column(s) "
                                           f"{partitions.filter_columns(table.body)} that can be used for partition elimination", "query")
        found.setdefault(table.key, []).append(scan)
    return {table: None if None in (scans := found.get(table.key, [None])) else " OR ".join(f"({scan})" for scan in scans) for table in statement.tables}


def plan(statement: "Statement", processed: "dict[Table, int]") -> list[dict]:
    """The stages of a query, without its times: one for each table that is read, and the rest, which DuckDB runs as a whole."""
    columns = {table: sorted(statement.columns.get(table, ())) for table in statement.read}
    inputs = [stage(place, "Input", [{"kind": "READ", "substeps": [*names, f"FROM {iam.name_of(table.ref)}"]}], names)
              for place, (table, names) in enumerate(columns.items())]
    for each, table in zip(inputs, statement.read):
        each["slotMs"] = "0"  # all time is the last one's
        if "_relation" in table.body and not table.filtered:
            each["recordsRead"] = each["recordsWritten"] = str(table.row_count())
            each["shuffleOutputBytes"] = str(processed.get(table, 0))
    reads = [{"kind": "READ", "substeps": [*names, f"FROM __stage{place:02}_output"]} for place, names in enumerate(columns.values())]
    output = stage(len(inputs), "Output", reads, [field["name"] for field in statement.fields])
    if all("recordsRead" in each for each in inputs):
        output["recordsRead"] = str(sum(int(each["recordsRead"]) for each in inputs))
    return [*inputs, output | ({"inputStages": [each["id"] for each in inputs]} if inputs else {})]


def stage(place: int, kind: str, reads: list[dict], written: list[str]) -> dict:
    return {"name": f"S{place:02}: {kind}", "id": str(place), "parallelInputs": "1", "completedParallelInputs": "1",
            "steps": [*reads, {"kind": "WRITE", "substeps": [*written, f"TO __stage{place:02}_output"]}]}


def ended(statistics: dict, failed: bool) -> dict:
    """A query's statistics, with its times in its plan and its timeline."""
    found, spent = statistics["query"], statistics["totalSlotMs"]
    if failed or "queryPlan" not in found:
        return {name: value for name, value in found.items() if name != "queryPlan"}
    times = {"status": "COMPLETE", "startMs": statistics["startTime"], "endMs": statistics["endTime"], "slotMs": spent,
             "recordsWritten": found.get("numDmlAffectedRows", "0")}
    return found | {"totalSlotMs": spent, "queryPlan": [times | stage for stage in found["queryPlan"]], "timeline": [
        {"elapsedMs": spent, "totalSlotMs": spent, "pendingUnits": "0", "completedUnits": "1", "activeUnits": "0"}]}


def reference(ref: tuple[str, str, str]) -> dict:
    return dict(zip(("projectId", "datasetId", "tableId"), ref))


def dry_run(job: "Job") -> None:
    """Everything but the run: the job's statistics have bytes, schema and type of the statement."""
    if job.kind != "query":
        raise ApiError("invalid", f"A dry run is for queries; this is a {job.kind} job.")
    from .external import defined
    if job.config.get("connectionProperties"):
        job.session = job.emulator.sessions.of(job)
    with defined(job):
        foresee_run(job)


def foresee_run(job: "Job") -> None:
    from . import routines
    from .googlesql import IsScript
    from .statements import foresee
    try:
        statement = analyze(job)
    except IsScript:  # its statements are looked at when their turn comes
        from .scripts import statistics
        job.statistics |= {"query": statistics(), "endTime": str(now_ms())}
        job.status = {"state": "DONE"}
        return
    if statement.type == "SELECT" and not statement.undeclared:
        with job.cursor() as cursor:
            statement.compile(cursor)  # finds what is not supported, and the moments of time travel
    price(job, statement)
    found = job.statistics["query"]
    foresee(job, statement)
    if statement.type in ("CREATE_FUNCTION", "CREATE_TABLE_FUNCTION", "CREATE_PROCEDURE"):
        found |= routines.foresee(job, statement)
    found |= {"schema": {"fields": statement.result_fields}, "totalBytesProcessedAccuracy": "PRECISE"}
    if statement.undeclared:
        found["undeclaredQueryParameters"] = statement.undeclared
    job.statistics["endTime"] = str(now_ms())
    job.status = {"state": "DONE"}
    destination(job)


def defaults(emulator: Emulator, principal: str, fields: list[dict], cursor) -> dict[str, str]:
    """DuckDB SQL of what columns get that are not given: name in small letters -> SQL, of the columns that have a default."""
    return {field["name"].lower(): f"({emulator.sql.default(field, cursor, principal)})::{values.duckdb_type(field)}"
            for field in fields if field.get("defaultValueExpression")}


def destination(job: "Job") -> tuple[str, str, str]:
    """Where the result goes: the table the caller names, else an anonymous one that its configuration then names."""
    if not job.config.get("destinationTable"):
        anonymous_dataset(job)
        job.config["destinationTable"] = reference((job.project, ANONYMOUS_DATASET, f"anon{uuid.uuid4().hex}"))
        job.config.setdefault("writeDisposition", "WRITE_TRUNCATE")
    job.config.setdefault("priority", "INTERACTIVE")
    named = job.config["destinationTable"]
    return named.get("projectId") or job.project, named.get("datasetId", ""), named.get("tableId", "")


def anonymous_dataset(job: "Job") -> None:
    """Make the hidden dataset of results unless it is there. Clients (ibis) load tables of their own into it."""
    ref = job.project, ANONYMOUS_DATASET
    if not job.lake.get("dataset", ref):
        given = {"location": job.reference["location"], "defaultTableExpirationMs": "86400000"}
        job.lake.put_later("dataset", ref, datasets.new(job.principal, ref, given))


def results_relation(name: str) -> str:
    return f'results."{name}"'


def run(job: "Job") -> None:
    from .external import defined
    with defined(job):
        run_text(job)


def run_text(job: "Job") -> None:
    """Run a query into a table of `results`, and from there into its destination if the caller named one."""
    from .googlesql import IsScript
    try:
        statement = analyze(job)
    except IsScript:
        from .scripts import run as run_script
        return run_script(job)
    if statement.type.endswith("_TRANSACTION") and not job.session.id:
        raise ApiError("invalidQuery", "Transaction control statements are supported only in scripts or sessions", "query")
    if statement.type in IN_SCRIPTS and not job.parent:
        from .scripts import run as run_script
        return run_script(job)
    if statement.type != "SELECT":
        from .statements import run as run_statement
        return run_statement(job, statement)
    named = bool(job.config.get("destinationTable"))
    key = None if named else cache.key_of(job, statement)
    if known := cache.find(job.emulator, key):
        job.result, job.config["destinationTable"] = known, known["tableReference"]
        price(job, statement, cached=True)
    ref = destination(job)
    if known:
        return
    if named:
        iam.require(job.emulator, job.principal, "bigquery.tables.updateData", ref)
        locations.require(job, ref)
        if job.session.transaction:
            raise unsupported("destinationTable in a transaction")
    relation = results_relation(f"anon{uuid.uuid4().hex}" if named else ref[2])
    with job.cursor() as cursor:
        sql = values.fitted_rows(statement.compile(cursor), statement.fields)
    price(job, statement)
    job.statistics["query"]["queryPlan"][-1]["recordsWritten"] = str(materialize(job, relation, sql, statement.fields))
    if named:
        try:
            keep(job, ref, statement.fields, relation)
        finally:
            job.lake.cursor().execute(f"DROP TABLE {relation}")
    else:
        job.result = {
            "kind": "bigquery#table", "id": iam.name_of(ref), "type": "TABLE", "tableReference": reference(ref), "location": job.reference["location"],
            "schema": {"fields": statement.fields}, "creationTime": str(now_ms()), "lastModifiedTime": str(now_ms()), "_relation": relation}
        job.lake.add("table", ref, job.result)
        cache.keep(job.emulator, key, job.result)


def materialize(job: "Job", relation: str, sql: str, fields: list[dict]) -> int:
    """Keep the rows of a query as a table of `results`; how many there are."""
    if not job.session.readable:
        with job.cursor() as cursor:
            return job.emulator.lake.counted(relation, *cursor.execute(f"CREATE TABLE {relation} AS {sql}").fetchone())
    # DuckDB writes to one database in a transaction, and Parquet has no interval of microseconds.
    file = job.emulator.lake.path / f"extract-{uuid.uuid4().hex}.parquet"
    casts = {kind: ", ".join(f"{name}::{'VARCHAR' if kind and found == 'INTERVAL' else found} AS {name}" for name, found in
                             ((values.identifier(field["name"]), values.duckdb_type(field)) for field in fields)) for kind in (True, False)}
    try:
        with job.cursor() as cursor:
            cursor.execute(f"COPY (SELECT {casts[True]} FROM ({sql})) TO {values.string(str(file))} (FORMAT parquet)")
        return job.emulator.lake.counted(relation, *job.emulator.lake.cursor().execute(
            f"CREATE TABLE {relation} AS SELECT {casts[False]} FROM read_parquet({values.string(str(file))})").fetchone())
    finally:
        file.unlink(missing_ok=True)


def keep(job: "Job", ref: tuple[str, str, str], fields: list[dict], relation: str) -> None:
    """Write a result into the table the caller named, whose rows as they are then are the job's result."""
    from .tables import fill, made_by, target_of
    from .transfer import widen
    config = job.config
    write, updates = config.get("writeDisposition", "WRITE_EMPTY"), config.get("schemaUpdateOptions") or []
    ref, partition = target_of(reference(ref), job.project)
    rules.check_updates(updates, write, partition)

    def work(tx: "Transaction") -> None:
        rules.check_destination(tx, ref, made_by(config))
        if write in ("WRITE_APPEND", "WRITE_TRUNCATE_DATA") or partition:
            refuse_changes(tx, ref, fields, updates)
        if updates:
            widen(tx, ref, fields, updates)
        body = fill(tx, ref, fields, relation, create_disposition=config.get("createDisposition", "CREATE_IF_NEEDED"),
                    write_disposition=write, properties=made_by(config), partition=partition)
        job.result = (partitions.one(body, partition) if partition else body) | {"_version": tx.version}
    job.write(work)


def refuse_changes(tx: "Transaction", ref: tuple[str, str, str], fields: list[dict], updates: list[str]) -> None:
    """ApiError invalid, in a query's words, for columns that are not the destination's, but for what the caller allows."""
    from .tables import expired
    body = tx.get("table", ref)
    own = body["schema"]["fields"] if body and not expired(body) and body.get("schema") else []
    own, new = ({field["name"].lower(): field for field in each} for each in (own, fields))
    for name, field in new.items() if own else ():
        known = own.get(name)
        if known is None and "ALLOW_FIELD_ADDITION" not in updates:
            raise ApiError("invalid", f"Invalid schema update. Cannot add fields (field: {field['name']})")
        if known and values.type_name(known) != values.type_name(field):
            raise ApiError("invalid", f"Invalid schema update. Field {known['name']} has changed type from {known['type']} to {field['type']}")
    for name, field in own.items():
        mode, given = field.get("mode") or "NULLABLE", (new.get(name) or {}).get("mode") or "NULLABLE"
        relaxed = mode == "REQUIRED" != given and "ALLOW_FIELD_RELAXATION" not in updates
        if relaxed or name in new and "REPEATED" in (mode, given) and mode != given:
            raise ApiError("invalid", f"Invalid schema update. Field {field['name']} " + (
                f"has changed mode from {mode} to {given}" if name in new else "is missing in new schema"))


def runtime_error(error: Exception) -> ApiError:
    """DuckDB's exception while a statement runs, as BigQuery says it."""
    from .googlesql import runtime_error as translate
    return translate(error)
