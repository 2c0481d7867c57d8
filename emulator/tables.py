"""tables.*: schemas, properties, policies; and `fill`, by which every job writes a table."""
from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Callable

from . import datasets, iam, partitions, query, rules, values
from .calls import PAGING, Call, Emulator, agree, etag, merge, method, public, timestamps, without_nulls
from .errors import ApiError, not_found, unsupported
from .lake import EMPTY, Lake, Transaction, now_ms

Ref = tuple[str, str, str]
DATASET = "projects/{projectId}/datasets/{datasetId}/tables"
PATH = DATASET + "/{tableId}"
KEPT = ("kind", "id", "selfLink", "tableReference", "location", "creationTime", "type", "timePartitioning",
        "rangePartitioning", "view", "materializedView", "externalDataConfiguration", "snapshotDefinition", "cloneDefinition")
# An update that does not name these, or the emulator's own, leaves them.
NAME_CATEGORIES = ("L", "M", "N", "Pc", "Pd", "Zs")
MAX_COLUMNS, MAX_NESTING = 10_000, 15
# The property that makes a table one of another kind, and the kinds that have rows of their own.
KINDS = {"view": "VIEW", "materializedView": "MATERIALIZED_VIEW", "externalDataConfiguration": "EXTERNAL", "snapshotDefinition": "SNAPSHOT"}
ROWS = ("TABLE", "SNAPSHOT")
SHIPPED = "shipped"  # as the _data of what comes with the emulator
VIEWS = ("VIEW", "MATERIALIZED_VIEW")
LAYOUT = ("timePartitioning", "rangePartitioning", "clustering")
INHERITED = ("defaultCollation", "defaultRoundingMode")  # that new columns take from their table, and new tables from their dataset
# Constructs of the resolved tree that a materialized view may not have, and the words for them.
NOT_INCREMENTAL = {"ResolvedAnalyticScanProto": "analytic function", "ResolvedOrderByScanProto": "ORDER BY", "ResolvedLimitOffsetScanProto": "LIMIT",
                   "ResolvedSampleScanProto": "TABLESAMPLE"}


# Finding ------------------------------------------------------------------------------------------

def find(lake: Lake | Transaction, ref: Ref) -> dict:
    """A table's body; ApiError notFound, of its dataset where that is missing."""
    body = lake.get("table", ref)
    if body is None or expired(body):
        raise not_found("Table", iam.name_of(ref), datasets.find(lake, ref[:2])["location"])
    return body


def expired(body: dict, at_ms: int | None = None) -> bool:
    return int(body.get("expirationTime", 1 << 62)) <= (at_ms or now_ms())


def taken(tx: Transaction, ref: Ref) -> bool:
    """Whether there is a table of that name. A sample of the public project, where clients may write, gives way to theirs."""
    body = tx.get("table", ref)
    return body is not None and not expired(body) and body.get("_data") != SHIPPED


def target_of(reference: dict | None, project: str) -> tuple[Ref, str | None]:
    """A TableReference that is written to, and the partition that its decorator names."""
    project, dataset, table = ref_of(reference, project)
    name, partition = partitions.split(table)
    return (project, dataset, name), partition


def ref_of(reference: dict | None, project: str) -> Ref:
    """A TableReference as a ref; ApiError required for one that names no dataset or table."""
    reference = reference or {}
    for name in ("datasetId", "tableId"):
        if not reference.get(name):
            raise ApiError("required", "Required parameter is missing", name)
    return reference.get("projectId") or project, reference["datasetId"], reference["tableId"]


class Source:
    """What a table name with a decorator means: a table at a moment.

    `t` is the table now; `t@ms` at an epoch time; `t@-ms` that long ago; `t@0` as early as possible. `t$ID` is one partition.
    moment: the time where SQL names one. Attributes: ref, without the decorator; body; version of the lake; past, whether a
    moment was named, and micros, which.
    Raises ApiError notFound, or invalid for a moment outside the time travel window.
    """

    def __init__(self, lake: Lake, ref: Ref, moment: dt.datetime | None = None):
        name, at, decorator = ref[2].partition("@")
        name, self.partition = partitions.split(name)
        self.ref: Ref = (*ref[:2], name)
        self._open(lake, moment, at, decorator)
        if self.partition == partitions.SUMMARY:
            self.body = partitions.summary(self.body, lake.relation(self.body, self.version))
        elif self.partition is not None:
            self.body = partitions.one(self.body, self.partition)

    def _open(self, lake: Lake, moment: dt.datetime | None, at: str, decorator: str) -> None:
        self.version = lake.version
        self.past = bool(at or moment)
        self.micros: int | None = None
        if not self.past:
            self.body = find(lake, self.ref)
            return
        if moment:
            self.micros = int(moment.timestamp() * 1_000_000)
            self.version, self.body = travel(lake, self.ref, self.micros)
            return
        if not re.fullmatch(r"-?\d+", decorator):
            raise ApiError("invalid", f"Invalid snapshot decorator @{decorator} for table {iam.name_of(self.ref)}.")
        self.micros = self.moment(lake, int(decorator))
        self.version, self.body = travel(lake, self.ref, self.micros, copy=True)

    def moment(self, lake: Lake, number: int) -> int:
        """The decorator as microseconds: all of the millisecond it names has happened."""
        if number < 0:
            number += now_ms()
        elif number == 0:
            current = lake.get("table", self.ref) or {}
            number = max(window_start(lake, self.ref), int(current.get("creationTime", 0)))
        return number * 1000 + 999

    @property
    def decorated(self) -> dict:
        """The body under the name that has the decorator."""
        return {**self.body, **identity((*self.ref[:2], f"{self.ref[2]}${self.partition}"))}

    @property
    def fields(self) -> list[dict]:
        return self.body.get("schema", {}).get("fields", [])


def window_start(lake: Lake, ref: Ref) -> int:
    """The earliest moment (ms) of a dataset's time travel window."""
    dataset = lake.get("dataset", ref[:2]) or {}
    return now_ms() - int(dataset.get("maxTimeTravelHours", datasets.DEFAULT_TIME_TRAVEL_HOURS)) * 3_600_000


def travel(lake: Lake, ref: Ref, micros: int, copy: bool = False) -> tuple[int, dict]:
    """The lake's version at a moment and the table as it was then.

    copy: for a copy or a decorator, which reach deleted tables too; SQL does not.
    Raises ApiError notFound, or invalid in the words of the two.
    """
    current = lake.get("table", ref)
    if not copy or (current and not current.get("_relation", "lake.").startswith("lake.")):
        current = find(lake, ref)
        if not current.get("_relation", "lake.").startswith("lake."):
            return lake.version, current
    ms, oldest = micros // 1000, window_start(lake, ref)
    if not copy and ms > now_ms():
        raise ApiError("invalid", f"Invalid snapshot time {ms} for table {iam.name_of(ref)}@{ms}. Cannot read from the future.")
    version = lake.version_at(micros) if ms >= oldest else None
    past = lake.get("table", ref, version) if version is not None else None
    if past and not expired(past, ms):
        return version, past
    if current is None and ms >= oldest:
        find(lake, ref)
    raise outside_window(ref, ms, max(oldest, int((current or {}).get("creationTime", 0))), copy)


def outside_window(ref: Ref, ms: int, earliest: int, copy: bool) -> ApiError:
    what, end = ("time travel timestamp", "") if copy else ("snapshot time", ".")
    return ApiError("invalid", f"Invalid {what} {ms} for table {iam.name_of(ref)}@{ms}. Cannot read before {earliest}{end}")


# Schemas ------------------------------------------------------------------------------------------

def check_name(name: str) -> None:
    """ApiError for a table name that is missing or that BigQuery refuses."""
    if not name:
        raise ApiError("required", "Required parameter is missing", "tableId")
    allowed = all(unicodedata.category(letter).startswith(NAME_CATEGORIES) for letter in name)
    if not allowed or len(name.encode()) > 1024:
        shown = name if len(name) <= 100 else name[:100] + "..."
        raise ApiError("invalid", f'Invalid table ID "{shown}". Table IDs may have letters, marks, numbers, connectors, '
                                  "dashes and spaces of Unicode, and must be at most 1024 bytes long in UTF-8.")


def check_schema(fields: list[dict], path: str = "", depth: int = 1) -> list[dict]:
    """A schema's fields as they are stored: types known, modes upper case; ApiError invalid for what the service refuses."""
    if depth > MAX_NESTING:
        raise ApiError("invalid", f"Field {path[:-1]} is nested deeper than {MAX_NESTING} levels.")
    if len(fields) > MAX_COLUMNS:
        raise ApiError("invalid", f"Too many columns: {len(fields)}; the most is {MAX_COLUMNS}.")
    seen: set[str] = set()
    for field in fields:
        name = field.get("name") or ""
        rules.check_column(name, path)
        if name.lower() in seen:
            raise ApiError("invalid", f"Duplicate field name: {path}{name}. Field names must be unique, whatever their case.")
        seen.add(name.lower())
    return [check_field(field, path, depth) for field in fields]


def check_field(field: dict, path: str, depth: int) -> dict:
    if "type" not in field:
        raise ApiError("required", f"Required parameter is missing: type of field {path}{field['name']}")
    kind = values.type_name(field)
    mode = (field.get("mode") or "").upper()
    if mode not in ("", "NULLABLE", "REQUIRED", "REPEATED"):
        raise ApiError("invalid", f"Invalid value for mode: {field['mode']} is not a valid value (field: {path}{field['name']})")
    rules.check_parameters(field, kind, path + field["name"])
    stored = {**field, "type": kind} | ({"mode": mode} if mode else {})
    if kind == "RECORD":
        if not field.get("fields"):
            raise ApiError("invalid", f"Field {path}{field['name']} is type RECORD but has no schema")
        stored["fields"] = check_schema(field["fields"], f"{path}{field['name']}.", depth + 1)
    return stored


def selected(fields: list[dict], names: str | None, path: str = "") -> list[dict]:
    """The fields that selectedFields names, nested ones as a.b, in the table's order; ApiError invalid for an unknown one."""
    if not names:
        return fields
    wanted: dict[str, list[str]] = {}
    for name in names.split(","):
        top, _, rest = name.strip().partition(".")
        wanted.setdefault(top.lower(), []).append(rest)
    if unknown := wanted.keys() - {field["name"].lower() for field in fields}:
        raise ApiError("invalid", f"No such field: {path}{min(unknown)}.", "selectedFields")
    found = []
    for field in fields:
        inner = wanted.get(field["name"].lower(), [])
        if inner and all(inner):
            field = {**field, "fields": selected(field.get("fields", []), ",".join(inner), f"{path}{field['name']}.")}
        found += [field] if inner else []
    return found


# Rendering ----------------------------------------------------------------------------------------

def render(lake: Lake, body: dict, view: str = "STORAGE_STATS") -> dict:
    """A table as tables.get shows it: rows and logical bytes counted, 0 for one without rows of its own, unless the view is BASIC."""
    shown = dict(body)
    if view != "BASIC":
        own = "_relation" in body
        size = str(lake.measure(body, [field["name"] for field in body.get("schema", {}).get("fields", ())]) if own else 0)
        shown |= {"numRows": str(lake.rows(body) if own else 0), "numBytes": size, "numLongTermBytes": "0",
                  "numTotalLogicalBytes": size, "numActiveLogicalBytes": size, "numLongTermLogicalBytes": "0"}
    if "_relation" in body and view != "BASIC":
        if partitions.of(body):
            shown["numPartitions"] = str(lake.count(body, partitions.row_id(body)))
        if body["_relation"].startswith("lake.") and "_where" not in body:
            now, past = map(str, lake.physical(body))
            shown |= {"numPhysicalBytes": now, "numTotalPhysicalBytes": str(int(now) + int(past)), "numCurrentPhysicalBytes": now, "numActivePhysicalBytes": str(int(now) + int(past)),
                      "numLongTermPhysicalBytes": "0", "numTimeTravelPhysicalBytes": past}
    return public(shown) | {"etag": tag(body)}


def tag(body: dict) -> str:
    """A table's etag: of what describes it, not of its rows, so that new rows don't stand in the way of an update."""
    return etag({key: value for key, value in body.items() if key not in ("_relation", "_data", "_write", "lastModifiedTime")})


# Methods ------------------------------------------------------------------------------------------

@method("GET", PATH, "bigquery.tables.get", query=("selectedFields", "view"), response="Table")
def get(call: Call) -> dict:
    from . import wildcards
    if wildcards.members(call.lake, call.table):
        body = shown = wildcards.Wildcard(call.emulator, call.principal, call.table).shown()
    else:
        body = Source(call.lake, call.table).decorated if partitions.split(call.params["tableId"])[1] is not None else find(call.lake, call.table)
        shown = render(call.lake, body, call.query.get("view", ""))
    if call.query.get("selectedFields"):
        shown["schema"] = {**shown.get("schema", {}), "fields": selected(body.get("schema", {}).get("fields", []), call.query["selectedFields"])}
    return shown


@method("GET", DATASET, "bigquery.tables.list", query=PAGING, response="TableList")
def list_(call: Call) -> dict:
    datasets.find(call.lake, call.dataset)
    found = [body for body in call.lake.children("table", call.dataset) if not expired(body)]
    page, token = call.page(found, lambda body: body["id"])
    keys = ("kind", "id", "tableReference", "type", "creationTime", "expirationTime", "labels", "friendlyName",
            "timePartitioning", "rangePartitioning", "clustering", "requirePartitionFilter")
    shown = [{key: body[key] for key in keys if key in body}
             | ({"view": {"useLegacySql": False}} if "view" in body else {}) for body in page]
    answer = {"kind": "bigquery#tableList", "etag": etag({"tables": shown}), "totalItems": len(found)}
    return answer | ({"tables": shown} if shown else {}) | ({"nextPageToken": token} if token else {})


@method("POST", DATASET, "bigquery.tables.create", request="Table", response="Table")
def insert(call: Call) -> dict:
    reference = call.body.get("tableReference") or {}
    agree(reference.get("projectId"), call.project)
    agree(reference.get("datasetId"), call.params["datasetId"])
    ref = (*call.dataset, reference.get("tableId") or "")
    given = prepare(call.emulator, call.principal, without_nulls(call.body), ref)

    def work(tx: Transaction) -> dict:
        datasets.find(tx, ref[:2])
        if taken(tx, ref):
            raise ApiError("duplicate", f"Already Exists: Table {iam.name_of(ref)}")
        return create(tx, ref, given)
    return render(call.lake, call.lake.write(work))


def prepare(emulator: Emulator, principal: str, given: dict, ref: Ref) -> dict:
    """A new table's given properties, checked; a view's schema is found by analyzing its query."""
    check_name(ref[2])
    rules.check_table(given)
    if "view" in given or "materializedView" in given:
        if "view" in given and given["view"].get("useLegacySql", True):
            raise unsupported("legacy SQL (set useLegacySql to false)")
        text = (given.get("view") or given["materializedView"]).get("query", "")
        statement = query.prepare(emulator, principal, text, default_project=ref[0])
        if "materializedView" in given:
            given = {**given, "materializedView": materialized(statement, given)}
        given = {**given, "schema": {"fields": described(statement.fields, given)}}
    elif "externalDataConfiguration" in given:
        from .external import prepared
        given = prepared(emulator, principal, given, ref)
    elif "schema" in given:
        given = {**given, "schema": {**given["schema"], "fields": check_schema(given["schema"].get("fields") or [])}}
        check_defaults(emulator, principal, given["schema"]["fields"], ref)
    given = rules.laid_out(given)
    rules.check_constraints(given, ref)
    rules.check_expiration(given)
    return given


def check_defaults(emulator: Emulator, principal: str, fields: list[dict], ref: Ref) -> None:
    """ApiError invalidQuery for a default value that is no expression of its column's type."""
    from .googlesql.types import sql_name, type_proto
    for field in fields:
        if text := field.get("defaultValueExpression"):
            emulator.sql.expression(text, emulator.lake.cursor(), principal)
            kind = sql_name(type_proto({key: value for key, value in field.items() if key in ("name", "type", "mode", "fields", "rangeElementType")}))
            name = "`.`".join(ref)
            query.prepare(emulator, principal, f"CREATE TABLE `{name}` (`{field['name']}` {kind} DEFAULT ({text}))", default_project=ref[0])


def described(fields: list[dict], given: dict) -> list[dict]:
    """A view's columns, with the names and descriptions that its definition gives them."""
    told = given.get("schema", {}).get("fields", ())
    if len(told) != len(fields):
        return fields
    return [field | {key: other[key] for key in ("name", "description") if key in other} for field, other in zip(fields, told)]


def redescribed(body: dict, changed: dict) -> list[dict]:
    """A view's columns as an update describes them; ApiError invalid where it names others, which only its query can."""
    fields, told = (of.get("schema", {}).get("fields", []) for of in (body, changed))
    if "schema" in changed and [field["name"] for field in told] != [field["name"] for field in fields]:
        raise mismatch(body["id"], "The columns of a view are those of its query.")
    return described(fields, changed)


def materialized(statement, given: dict) -> dict:
    """A materialized view's definition as it is stored; ApiError invalidQuery for what BigQuery does not keep as one.

    It is never stale here: it is computed when it is read.
    """
    if not given["materializedView"].get("allowNonIncrementalDefinition"):
        check_incremental(statement)
    return {"enableRefresh": True, "refreshIntervalMs": "1800000", **given["materializedView"], "lastRefreshTime": str(now_ms())}


def check_incremental(statement) -> None:
    """ApiError for a query that BigQuery can't keep up to date by itself."""
    names = statement.node_names
    for construct, word in NOT_INCREMENTAL.items():
        if construct in names:
            raise ApiError("invalidQuery", f"Unsupported operator in materialized view: {word}.", "query")
    if statement.uses("rand", "current_timestamp", "current_date", "current_datetime", "current_time", "session_user", "generate_uuid"):
        raise ApiError("invalidQuery", "Materialized view query cannot use non-deterministic functions.", "query")


def primary_key(node) -> dict:
    """A resolved PRIMARY KEY as REST has it; ApiError for one that is said to be enforced."""
    if not node.unenforced:
        raise ApiError("invalidQuery", "Enforced primary keys are not supported; use NOT ENFORCED.", "query")
    return {"columns": list(node.column_name_list)}


def foreign_key(statement, node, others) -> dict:
    """A resolved FOREIGN KEY as REST has it; one without a name gets the next number."""
    if node.enforced:
        raise ApiError("invalidQuery", "Enforced foreign keys are not supported; use NOT ENFORCED.", "query")
    target = statement.order[node.referenced_table.serialization_id - 1]
    pairs = [{"referencingColumn": name, "referencedColumn": target.fields[place]["name"]}
             for name, place in zip(node.referencing_column_list, node.referenced_column_offset_list)]
    return {"name": node.constraint_name or f"fk${len(others) + 1}", "referencedTable": query.reference(target.ref), "columnReferences": pairs}


def create(tx: Transaction, ref: Ref, given: dict) -> dict:
    """Make a table from checked properties; its dataset must be there. The body."""
    dataset, ref = datasets.find(tx, ref[:2]), tx.lake.spelled("table", ref)
    if old := tx.get("table", ref):
        drop(tx, ref, old)
    kind = next((kind for name, kind in KINDS.items() if name in given), "TABLE")
    if kind in ROWS and "defaultEncryptionConfiguration" in dataset:
        given = {"encryptionConfiguration": dataset["defaultEncryptionConfiguration"]} | given
    body = {**given, "kind": "bigquery#table", **identity(ref), "type": kind, "location": dataset["location"]}
    if kind == "TABLE" and "cloneDefinition" not in given:
        body = {name: dataset[name] for name in INHERITED if name in dataset} | body
        if body.get("schema", {}).get("fields"):
            body["schema"] = {**body["schema"], "fields": inheriting(body["schema"]["fields"], body)}
    if "defaultPartitionExpirationMs" in dataset and "timePartitioning" in body:
        # It stands in place of the table's own.
        body["timePartitioning"] = {"expirationMs": dataset["defaultPartitionExpirationMs"]} | body["timePartitioning"]
    elif "defaultTableExpirationMs" in dataset and "expirationTime" not in body:
        body["expirationTime"] = str(now_ms() + int(dataset["defaultTableExpirationMs"]))
    if body["type"] in ROWS:
        body |= {"_relation": tx.create_relation(partitions.stored(body)), "_data": EMPTY}
    # Now, not before: the snapshot of this transaction is older than its first statement's end, and the
    # table has to be there at its creationTime.
    return tx.put("table", ref, timestamps(body))


def inheriting(fields: list[dict], body: dict) -> list[dict]:
    """New columns with the table's collation and rounding mode, where they have none of their own."""
    collation, rounding = (body.get(name) for name in INHERITED)
    if not collation and not rounding:
        return fields

    def one(field: dict) -> dict:
        if "fields" in field:
            return {**field, "fields": [one(part) for part in field["fields"]]}
        if field["type"] == "STRING":
            return ({"collation": collation} if collation else {}) | field
        return ({"roundingMode": rounding} if rounding and field["type"] in ("NUMERIC", "BIGNUMERIC") else {}) | field
    return [one(field) for field in fields]


def identity(ref: Ref) -> dict:
    """The properties that say which table it is."""
    project, dataset_id, table_id = ref
    return {"id": f"{project}:{dataset_id}.{table_id}", "tableReference": query.reference(ref),
            "selfLink": f"https://bigquery.googleapis.com/bigquery/v2/projects/{project}/datasets/{dataset_id}/tables/{table_id}"}


def drop(tx: Transaction, ref: Ref, body: dict) -> None:
    """Delete a table with its rows and its policy; time travel still reaches it."""
    from .row_access import drop_all
    tx.drop_relation(body)
    tx.delete("table", ref)
    tx.delete("policy", ref)
    drop_all(tx, ref)


def drop_expired(lake: Lake) -> None:
    """Delete the tables whose expirationTime is over; callers have not seen them since."""
    def work(tx: Transaction) -> None:
        for ref in refs:
            body = tx.get("table", ref)
            if body and expired(body):
                drop(tx, ref, body)
    refs = [(*parent, body["tableReference"]["tableId"]) for parent in lake.parents("table")
            for body in lake.children("table", parent) if expired(body)]
    if refs:
        lake.write(work)
    for body in (body for parent in lake.parents("table") for body in lake.children("table", parent) if body.get("timePartitioning", {}).get("expirationMs")):
        drop_expired_partitions(lake, ref_of(body["tableReference"], ""))


def drop_expired_partitions(lake: Lake, ref: Ref) -> None:
    """Delete the rows of partitions whose time, and the expirationMs after it, is over."""
    body = find(lake, ref)
    from .history import marked
    over = f"{partitions.start(body)} + INTERVAL {int(body['timePartitioning']['expirationMs'])} MILLISECOND <= now()"

    def work(tx: Transaction) -> None:
        now = find(tx, ref)
        tx.execute(f"DELETE FROM {now['_relation']} WHERE {over}")
        tx.put("table", ref, marked(tx, changed(tx, now), hidden=True))
    if lake.cursor().execute(f"SELECT 1 FROM {lake.relation(body)} WHERE {over} LIMIT 1").fetchone():
        lake.write(work)


@method("PATCH", PATH, "bigquery.tables.update", request="Table", query=("autodetect_schema",), response="Table")
def patch(call: Call) -> dict:
    return change(call, lambda body: merge(body, call.body))


@method("PUT", PATH, "bigquery.tables.update", request="Table", query=("autodetect_schema",), response="Table")
def update(call: Call) -> dict:
    return change(call, lambda body: {key: value for key, value in body.items() if key in KEPT or key[0] == "_"} | without_nulls(call.body))


def change(call: Call, how) -> dict:
    """Write a table changed by `how`: its identity kept, its schema only widened."""
    reference = call.body.get("tableReference") or {}
    for name, value in query.reference(call.table).items():
        agree(reference.get(name), value)

    def work(tx: Transaction) -> dict:
        body = find(tx, call.table)
        call.check_etag(tag(body))
        changed = how(body) | {key: body[key] for key in KEPT[:7]} | {"lastModifiedTime": str(now_ms())}
        rules.check_table(changed)
        check_kind(body, changed)
        if detects := call.flag("autodetect_schema") and body["type"] == "EXTERNAL":
            changed = {**changed, "schema": None, "externalDataConfiguration": {**changed["externalDataConfiguration"], "schema": None, "autodetect": True}}
        if detects or any(changed.get(name) != body.get(name) for name in ("view", "materializedView", "externalDataConfiguration")):
            if body["type"] in VIEWS and changed.get("schema") == body.get("schema"):
                del changed["schema"]  # it is that of the query before
            changed = prepare(call.emulator, call.principal, changed, call.table)
        elif body["type"] in VIEWS:
            changed["schema"] = {"fields": redescribed(body, changed)}
        elif "schema" in changed and changed["schema"] != body.get("schema"):
            fields = check_schema(changed["schema"].get("fields") or [])
            check_defaults(call.emulator, call.principal, fields, call.table)
            changed["schema"] = {**changed["schema"], "fields": inheriting_new(body, fields)}
            alter(tx, body, fields)
        elif "schema" in body and "schema" not in changed:
            changed["schema"] = body["schema"]
        changed = rules.laid_out(changed)
        rules.check_same_partitioning(body, changed)
        rules.check_constraints(changed, call.table)
        if changed.get("expirationTime") != body.get("expirationTime"):
            rules.check_expiration(changed)
        return tx.put("table", call.table, changed)
    return render(call.lake, call.lake.write(work))


def check_kind(body: dict, changed: dict) -> None:
    """ApiError invalid for a table that is to become a view, and the like."""
    kinds = [next((kind for name, kind in KINDS.items() if name in table), "TABLE") for table in (body, changed)]
    if kinds[0] != kinds[1]:
        raise ApiError("invalid", f"Cannot change the type of table {body['id']} from {kinds[0]} to {kinds[1]}.")


def inheriting_new(body: dict, fields: list[dict]) -> list[dict]:
    """A schema whose new columns take the collation and rounding mode of their table."""
    known = {field["name"].lower() for field in body.get("schema", {}).get("fields", ())}
    return [field if field["name"].lower() in known else inheriting([field], body)[0] for field in fields]


def alter(tx: Transaction, body: dict, fields: list[dict]) -> None:
    """Bring a table's rows to a new schema that adds columns or relaxes modes; ApiError invalid for all else."""
    old = body.get("schema", {}).get("fields", [])
    name, relation = body["id"], body.get("_relation")
    check_widening(old, fields, name)
    if relation is None:
        if len(fields) > len(old):
            raise mismatch(name, f"Cannot add fields to a table of type {body['type']}")
        return
    known = {field["name"].lower(): field for field in old}
    for field in fields:
        column = f"{values.identifier(field['name'])}"
        before = known.get(field["name"].lower())
        if before is None:
            add_column(tx, relation, field)
        else:
            if before.get("mode") == "REQUIRED" != field.get("mode"):
                tx.execute(f"ALTER TABLE {relation} ALTER COLUMN {column} DROP NOT NULL")
            for path, part in new_parts(before, field, column):
                tx.execute(f"ALTER TABLE {relation} ADD COLUMN {path} {values.duckdb_type(part)}")
    if not old and fields:
        tx.execute(f"ALTER TABLE {relation} DROP COLUMN _empty")


def add_column(tx: Transaction, relation: str, field: dict) -> None:
    """Add a column of NULLs, or of empty arrays."""
    column = values.identifier(field["name"])
    tx.execute(f"ALTER TABLE {relation} ADD COLUMN {column} {values.duckdb_type(field)}")
    if values.repeated(field):
        tx.execute(f"UPDATE {relation} SET {column} = []")


def new_parts(before: dict, after: dict, path: str) -> list[tuple[str, dict]]:
    """The fields that a RECORD gains, at any depth: (DuckDB path, field)."""
    if after["type"] != "RECORD":
        return []
    inside = path + (".element" if values.repeated(after) else "")
    known = {part["name"].lower(): part for part in before.get("fields", ())}
    found = []
    for part in after["fields"]:
        where = f"{inside}.{values.identifier(part['name'])}"
        if part["name"].lower() in known:
            found += new_parts(known[part["name"].lower()], part, where)
        else:
            found.append((where, part))
    return found


def check_widening(old: list[dict], new: list[dict], table: str, path: str = "") -> None:
    """ApiError invalid unless every old field is still there, of its type, and new ones are not REQUIRED."""
    by_name = {field["name"].lower(): field for field in new}
    for field in old:
        after = by_name.pop(field["name"].lower(), None)
        where = path + field["name"]
        if after is None:
            raise mismatch(table, f"Field {where} is missing in new schema")
        before_mode, after_mode = (f.get("mode") or "NULLABLE" for f in (field, after))
        if before_mode != after_mode and (before_mode, after_mode) != ("REQUIRED", "NULLABLE"):
            raise mismatch(table, f"Field {where} has changed mode from {before_mode} to {after_mode}")
        if values.type_name(field) != values.type_name(after):
            raise mismatch(table, f"Field {where} has changed type from {field['type']} to {after['type']}")
        for name in rules.shrunk(field, after):
            raise mismatch(table, f"Field {where} has changed {name} from {field.get(name)} to {after.get(name)}")
        if field["type"] == "RECORD":
            check_widening(field["fields"], after["fields"], table, where + ".")
    for field in by_name.values():
        if field.get("mode") == "REQUIRED":
            raise mismatch(table, f"Cannot add required fields to an existing schema. (field: {path}{field['name']})")


def mismatch(table: str, why: str) -> ApiError:
    return ApiError("invalid", f"Provided Schema does not match Table {table}. {why}")


@method("DELETE", PATH, "bigquery.tables.delete")
def delete(call: Call) -> None:
    """Delete a table, or one partition of it."""
    name, partition = partitions.split(call.params["tableId"])
    if partition is not None:
        return call.lake.write(lambda tx: delete_partition(tx, (*call.dataset, name), partition))

    def work(tx: Transaction) -> None:
        body = find(tx, call.table)
        call.check_etag(tag(body))
        drop(tx, call.table, body)
    call.lake.write(work)


def delete_partition(tx: Transaction, ref: Ref, partition: str) -> None:
    body = find(tx, ref)
    empty_partition(tx, body, partition, "WRITE_TRUNCATE")
    tx.put("table", ref, changed(tx, body))


@method("POST", PATH + ":getIamPolicy", "bigquery.tables.getIamPolicy", request="GetIamPolicyRequest", response="Policy")
def getIamPolicy(call: Call) -> dict:
    find(call.lake, call.table)
    return iam.get_policy(call.lake, call.table)


@method("POST", PATH + ":setIamPolicy", "bigquery.tables.setIamPolicy", request="SetIamPolicyRequest", response="Policy")
def setIamPolicy(call: Call) -> dict:
    def work(tx: Transaction) -> dict:
        find(tx, call.table)
        return tx.put("policy", call.table, iam.checked_policy(call.body.get("policy") or {}, iam.get_policy(tx, call.table)))
    return call.lake.write(work)


@method("POST", PATH + ":testIamPermissions", request="TestIamPermissionsRequest", response="TestIamPermissionsResponse")
def testIamPermissions(call: Call) -> dict:
    """Those of the permissions that the caller has; none, without an error, where there is no table."""
    there = (body := call.lake.get("table", call.table)) and not expired(body)
    held = iam.granted(call.emulator, call.principal, call.body.get("permissions") or [], call.table) if there else []
    return {"permissions": held} if held else {}


# Writing rows -------------------------------------------------------------------------------------

def made_by(config: dict) -> dict:
    """The properties that a job's configuration gives to a table that it makes."""
    key = config.get("destinationEncryptionConfiguration")
    return {name: config[name] for name in LAYOUT if name in config} | ({"encryptionConfiguration": key} if key else {})


def fill(tx: Transaction, ref: Ref, fields: list[dict], source: str, *, create_disposition: str = "CREATE_IF_NEEDED",
         write_disposition: str = "WRITE_EMPTY", properties: dict | None = None, defaults: dict[str, str] | None = None,
         partition: str | None = None) -> dict:
    """Write the rows of `source` (a DuckDB FROM item with columns named as `fields`) into a table; its body.

    properties: of the table where it is made (partitioning, labels, ...). An overwritten table keeps its policy and what
    its body says beside the schema and the keys, and by WRITE_TRUNCATE_DATA these too. defaults: SQL of columns that `source` has not. partition:
    the id of the one that is written, and overwritten.
    Raises ApiError notFound (CREATE_NEVER), duplicate (WRITE_EMPTY), invalid (schemas differ).
    """
    datasets.find(tx, ref[:2])
    body = old = tx.get("table", ref)
    if body is None or expired(body):
        if create_disposition == "CREATE_NEVER":
            raise not_found("Table", iam.name_of(ref))
        check_name(ref[2])
        body = create(tx, ref, rules.laid_out({**(properties or {}), "schema": {"fields": fields}}))
    elif body["type"] != "TABLE":
        raise ApiError("invalid", f"{iam.name_of(ref)} is not allowed for this operation because it is currently a {body['type']}.")
    elif partition is not None:
        body = adopt(tx, body, fields)
        empty_partition(tx, body, partition, write_disposition)
    elif write_disposition == "WRITE_TRUNCATE":
        keys = {name: given for name, given in (properties or {}).items() if name == "tableConstraints"}
        body = {name: kept for name, kept in body.items() if name != "tableConstraints"} | keys | {"schema": {"fields": fields}}
        body["_relation"] = tx.create_relation(partitions.stored(body))
    elif write_disposition == "WRITE_EMPTY" and tx.lake.rows(body):
        raise ApiError("duplicate", f"Already Exists: Table {iam.name_of(ref)}")
    else:
        body = adopt(tx, body, fields)
        if write_disposition == "WRITE_TRUNCATE_DATA":
            body = {**body, "_relation": tx.create_relation(partitions.stored(body))}
    if fields:
        columns = [values.identifier(field["name"]) for field in fields]
        given = {field["name"].lower() for field in fields}
        own = {field["name"].lower(): field for field in body["schema"]["fields"]}
        chosen = [values.fitted(own[field["name"].lower()], values.identifier(field["name"])) for field in fields]
        added = {values.identifier(field["name"]): defaults[field["name"].lower()] for field in body["schema"]["fields"]
                 if field["name"].lower() not in given and field["name"].lower() in (defaults or {})}
        if partition is not None:
            added |= into_partition(tx, body, partition, source)
        tx.execute(f"INSERT INTO {body['_relation']} ({', '.join([*columns, *added])}) SELECT {', '.join([*chosen, *added.values()])} FROM {source}")
    if old and old["_relation"] != body["_relation"] and not expired(old):
        tx.drop_relation(old)  # only now: its own rows may have been the source
    return tx.put("table", ref, changed(tx, body))


def changed(tx: Transaction, body: dict) -> dict:
    """A table's body when a transaction has changed its rows."""
    return {**body, "_data": tx.stamp, "lastModifiedTime": str(now_ms())}


def streamed(lake: Lake, ref: Ref, work: Callable[[Transaction, dict], None]) -> dict:
    """Let `work` add rows to a table's relation in a transaction that leaves saving the table's new body for later; the body.

    Not so with the first rows: the past, and a process that was killed, must not show a table with rows that says that it is empty.
    """
    def write(tx: Transaction) -> dict:
        body = find(tx, ref)
        work(tx, body)
        new = changed(tx, body)
        return tx.put("table", ref, new) if body.get("_data") == EMPTY else new
    body = lake.write(write)
    lake.put_later("table", ref, body)
    return body


def empty_partition(tx: Transaction, body: dict, partition: str, write_disposition: str) -> None:
    """Make a partition ready to be written; ApiError duplicate for WRITE_EMPTY where it has rows."""
    partitions.check_id(body, partition)
    where = f"FROM {body['_relation']} WHERE {partitions.row_id(body)} = {values.string(partition)}"
    if write_disposition in ("WRITE_TRUNCATE", "WRITE_TRUNCATE_DATA"):
        tx.execute(f"DELETE {where}")
    elif write_disposition == "WRITE_EMPTY" and tx.execute(f"SELECT 1 {where} LIMIT 1").fetchone():
        raise ApiError("duplicate", f"Already Exists: Table {body['id']}${partition}")


def into_partition(tx: Transaction, body: dict, partition: str, source: str) -> dict[str, str]:
    """SQL of the columns that put rows into a partition; ApiError invalid for rows that belong to another."""
    partitions.check_id(body, partition)
    if partitions.ingested(body):
        return {values.identifier(partitions.TIME): partitions.moment_of(body, partition)}
    if tx.execute(f"SELECT 1 FROM {source} WHERE {partitions.row_id(body)} <> {values.string(partition)} LIMIT 1").fetchone():
        raise ApiError("invalid", f"Some rows belong to different partitions rather than destination partition {partition}")
    return {}


def adopt(tx: Transaction, body: dict, fields: list[dict]) -> dict:
    """A table ready to take rows of these fields: its own schema must have them; one without columns takes theirs."""
    own = {field["name"].lower(): field for field in body.get("schema", {}).get("fields", ())}
    if not own:
        alter(tx, body, fields)
        return {**body, "schema": {"fields": fields}}
    for field in fields:
        known = own.get(field["name"].lower())
        if known is None:
            raise mismatch(body["id"], f"Cannot add fields (field: {field['name']})")
        if values.type_name(known) != values.type_name(field):
            raise mismatch(body["id"], f"Field {field['name']} has changed type from {known['type']} to {field['type']}")
        if values.repeated(known) != values.repeated(field):
            modes = [f.get("mode") or "NULLABLE" for f in (known, field)]
            raise mismatch(body["id"], f"Field {field['name']} has changed mode from {modes[0]} to {modes[1]}")
    return body
