"""routines.*: functions, table functions and procedures, by REST and by SQL."""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import datasets, iam, locations, options, query
from .calls import PAGING, Call, Emulator, agree, method, public, timestamps, without_nulls
from .errors import ApiError, not_found, unsupported
from .lake import Lake, Transaction

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

Ref = tuple[str, str, str]
DATASET = "projects/{projectId}/datasets/{datasetId}/routines"
PATH = DATASET + "/{routineId}"
NAME = re.compile(r"[A-Za-z_0-9]{1,256}")
LISTED = ("etag", "routineReference", "routineType", "language", "creationTime", "lastModifiedTime")
PERMISSIONS = {"create", "delete", "get", "getIamPolicy", "list", "setIamPolicy", "update"}
FILTER = re.compile(r"routineType\s*[:=]\s*(\w+)")
CREATE, OR_REPLACE, IF_NOT_EXISTS = 0, 1, 2
TEMPORARY = 3
# statementType -> routineType
KINDS = {"CREATE_FUNCTION": "SCALAR_FUNCTION", "CREATE_TABLE_FUNCTION": "TABLE_VALUED_FUNCTION", "CREATE_PROCEDURE": "PROCEDURE",
         "DROP_FUNCTION": "SCALAR_FUNCTION", "DROP_TABLE_FUNCTION": "TABLE_VALUED_FUNCTION", "DROP_PROCEDURE": "PROCEDURE"}
UNSUPPORTED = ("remoteFunctionOptions", "sparkOptions", "pythonOptions", "externalRuntimeOptions")


# Finding ------------------------------------------------------------------------------------------

def find(lake: Lake | Transaction, ref: Ref) -> dict:
    """A routine's body; ApiError notFound, of its dataset where that is missing."""
    body = lake.get("routine", ref)
    if body is None:
        datasets.find(lake, ref[:2])
        raise not_found("Routine", iam.name_of(ref))
    return body


def callable_by(emulator: Emulator, principal: str, temporary: dict, location: str | None = None):
    """What a statement's calls mean: a path -> the routine, None for a missing one. location: where routines must be."""
    from . import system
    from .googlesql.routines import Routine

    def routine(path: tuple[str, ...]) -> "Routine | None":
        if path[-1].lower() in temporary and (len(path) == 1 or "." not in path[-1]):
            return temporary[path[-1].lower()]
        if name := system.procedure(path):
            return Routine(("BQ", name), {"routineType": "PROCEDURE", "arguments": system.ARGUMENTS})
        body = emulator.lake.get("routine", path) if len(path) == 3 else None
        if body is None:
            return None
        iam.require(emulator, principal, "bigquery.routines.get", path)
        if location:
            locations.check(emulator.lake, path, location)
        return Routine(path, body, lambda: libraries(emulator, principal, body))
    return routine


def libraries(emulator: Emulator, principal: str, body: dict) -> list[str]:
    """The texts of the libraries that a function of JavaScript names; ApiError for one that can't be read."""
    texts = []
    for uri in body.get("importedLibraries", ()):
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        if not uri.startswith("gs://") or not name:
            raise ApiError("invalid", f"Invalid library {uri}: gs://bucket/object is expected.")
        if not emulator.storage.bucket(bucket) or name not in emulator.storage.objects(bucket, name):
            raise not_found("URI", uri)
        if not emulator.storage.may_read(bucket, emulator.project, principal):
            raise ApiError("accessDenied", f"Access Denied: File {uri}: Access Denied")
        texts.append(emulator.storage.path(bucket, name).read_text())
    return texts


def type_name(argument: dict) -> str:
    """An argument's type in GoogleSQL; empty for ANY TYPE."""
    from .googlesql.routines import type_name as written
    return written(argument["dataType"]) if argument.get("dataType") else ""


def reference(ref: Ref) -> dict:
    return dict(zip(("projectId", "datasetId", "routineId"), ref))


# Methods ------------------------------------------------------------------------------------------

@method("GET", PATH, "bigquery.routines.get", query=("readMask",), response="Routine")
def get(call: Call) -> dict:
    return masked(public(find(call.lake, call.routine)), call.query.get("readMask"), ())


@method("GET", DATASET, "bigquery.routines.list", query=(*PAGING, "readMask", "filter"), response="ListRoutinesResponse")
def list_(call: Call) -> dict:
    """A dataset's routines; filter: `routineType:KIND`; readMask: what to tell beside what is always told."""
    datasets.find(call.lake, call.dataset)
    wanted = call.query.get("filter", "")
    match = FILTER.fullmatch(wanted.strip())
    if wanted and not match:
        raise ApiError("invalid", f"Invalid filter {wanted}: routineType:SCALAR_FUNCTION and the like is expected.", "filter")
    found = [body for body in call.lake.children("routine", call.dataset) if not match or body["routineType"] == match[1]]
    page, token = call.page(found, lambda body: body["routineReference"]["routineId"])
    shown = [masked(public(body), call.query.get("readMask"), LISTED) for body in page]
    return ({"routines": shown} if shown else {}) | ({"nextPageToken": token} if token else {})


def masked(body: dict, mask: str | None, always: tuple[str, ...]) -> dict:
    """The part of a routine that a readMask names, and what is told in any case; all of it where neither says anything."""
    from .rest import parse_fields, select
    if not mask and not always:
        return body
    return select(body, dict.fromkeys(always or LISTED[:2], {}) | (parse_fields(mask.replace(".", "/")) if mask else {}))


@method("POST", DATASET, "bigquery.routines.create", request="Routine", response="Routine")
def insert(call: Call) -> dict:
    told = call.body.get("routineReference") or {}
    agree(told.get("projectId"), call.project)
    agree(told.get("datasetId"), call.params["datasetId"])
    ref = (*call.dataset, told.get("routineId") or "")
    given = checked(call, ref)

    def work(tx: Transaction) -> dict:
        if tx.get("routine", ref):
            raise ApiError("duplicate", f"Already Exists: Routine {iam.name_of(ref)}")
        return put(tx, ref, given)
    return public(call.lake.write(work))


@method("PUT", PATH, "bigquery.routines.update", request="Routine", response="Routine")
def update(call: Call) -> dict:
    """Replace all that describes a routine; its kind stays."""
    given = checked(call, call.routine)

    def work(tx: Transaction) -> dict:
        old = find(tx, call.routine)
        call.check_etag(public(old)["etag"])
        if given["routineType"] != old["routineType"]:
            raise ApiError("invalid", f"Routine {iam.name_of(call.routine)} is a {old['routineType']}; the type of a routine can't be changed.")
        return put(tx, call.routine, given)
    return public(call.lake.write(work))


@method("DELETE", PATH, "bigquery.routines.delete")
def delete(call: Call) -> None:
    def work(tx: Transaction) -> None:
        call.check_etag(public(find(tx, call.routine))["etag"])
        remove(tx, call.routine)
    call.lake.write(work)


def remove(tx: Transaction, ref: Ref) -> None:
    """Delete a routine with its policy."""
    tx.delete("routine", ref)
    tx.delete("policy", policy_ref(ref))


def policy_ref(ref: Ref) -> Ref:
    """Where a routine's policy is kept: no table has such a name."""
    return *ref[:2], f"routines/{ref[2]}"


@method("POST", PATH + ":getIamPolicy", "bigquery.routines.getIamPolicy", request="GetIamPolicyRequest", response="Policy")
def getIamPolicy(call: Call) -> dict:
    find(call.lake, call.routine)
    return iam.get_policy(call.lake, policy_ref(call.routine))


@method("POST", PATH + ":setIamPolicy", "bigquery.routines.setIamPolicy", request="SetIamPolicyRequest", response="Policy")
def setIamPolicy(call: Call) -> dict:
    def work(tx: Transaction) -> dict:
        find(tx, call.routine)
        ref = policy_ref(call.routine)
        return tx.put("policy", ref, iam.checked_policy(call.body.get("policy") or {}, iam.get_policy(tx, ref)))
    return call.lake.write(work)


@method("POST", PATH + ":testIamPermissions", request="TestIamPermissionsRequest", response="TestIamPermissionsResponse")
def testIamPermissions(call: Call) -> dict:
    """Those of the permissions that the caller has; none, without an error, where there is no routine."""
    asked = [name for name in call.body.get("permissions") or [] if name.removeprefix("bigquery.routines.") in PERMISSIONS]
    there = call.lake.get("routine", call.routine)
    held = iam.granted(call.emulator, call.principal, asked, policy_ref(call.routine), "routines") if there else []
    return {"permissions": held} if held else {}


def checked(call: Call, ref: Ref) -> dict:
    """A routine's body as a client gave it, checked as its CREATE statement would be; ApiError for what is wrong with it."""
    from .googlesql.routines import KINDS, ddl
    check_name(ref[2])
    datasets.find(call.lake, ref[:2])
    given = without_nulls({"language": "SQL"} | call.body)
    for name in UNSUPPORTED:
        if name in given:
            raise unsupported(f"{name} of a routine")
    for name in ("routineType", "definitionBody"):
        if not given.get(name):
            raise ApiError("required", "Required parameter is missing", name)
    if given["routineType"] not in KINDS:
        raise ApiError("invalid", f"Invalid value for routineType: {given['routineType']} is not a valid value", "routineType")
    check_language(given)
    try:
        text = ddl(ref, given)
    except KeyError as error:
        raise ApiError("invalid", f"Invalid type of an argument or of the result: {error.args[0]}") from None
    query.prepare(call.emulator, call.principal, text, default_project=ref[0])
    check_body(call.emulator, given)
    if given["routineType"] == "PROCEDURE":
        from .jobs import Job
        from .strict import check
        location = datasets.find(call.lake, ref[:2])["location"]
        check(Job(call.emulator, call.principal, {"projectId": ref[0], "jobId": "", "location": location}, {"query": {}}), given)
    return given


def check_name(name: str) -> None:
    if not name:
        raise ApiError("required", "Required parameter is missing", "routineId")
    if not NAME.fullmatch(name):
        raise ApiError("invalid", f'Invalid routine ID "{name[:100]}". Routine IDs must be alphanumeric (plus underscores) '
                                  "and must be at most 256 characters long.")


def check_language(body: dict) -> None:
    language, kind = body["language"], body["routineType"]
    if language not in ("SQL", "JAVASCRIPT") or (language != "SQL" and kind != "SCALAR_FUNCTION"):
        raise unsupported(f"a {kind} in the language {language}")


def check_body(emulator: Emulator, body: dict) -> None:
    """ApiError invalidQuery where a procedure's body is no script, or a function's no JavaScript."""
    if body["routineType"] == "PROCEDURE":
        from .googlesql.scripts import parse_script
        parse_script(emulator.sql, body["definitionBody"])


def put(tx: Transaction, ref: Ref, given: dict) -> dict:
    """Write a routine, new or in place of an old one."""
    old = tx.get("routine", ref)
    body = timestamps({**given, "routineReference": reference(ref)})
    return tx.put("routine", ref, body | ({"creationTime": old["creationTime"]} if old else {}))


# Statements ---------------------------------------------------------------------------------------

def body_of(job: "Job", statement: "Statement") -> dict:
    """What a CREATE statement makes, as a REST body."""
    from .googlesql.routines import definition
    node = statement.node
    aggregate = statement.type == "CREATE_FUNCTION" and node.is_aggregate
    if getattr(node, "is_remote", False) or (node.HasField("connection") if "connection" in node.DESCRIPTOR.fields_by_name else False):
        raise unsupported("a routine with a connection")
    body = definition(node, "AGGREGATE_FUNCTION" if aggregate else KINDS[statement.type])
    check_language(body)
    with job.cursor() as cursor:
        body |= options.made(options.read(statement, node.option_list, cursor, options.ROUTINE, "ROUTINE"))
    if statement.type == "CREATE_FUNCTION" and node.determinism_level in DETERMINISM:
        body["determinismLevel"] = DETERMINISM[node.determinism_level]
    check_body(job.emulator, body)
    return body


DETERMINISM = {1: "DETERMINISTIC", 2: "NOT_DETERMINISTIC"}


def create(job: "Job", statement: "Statement") -> None:
    """CREATE [TEMP] FUNCTION, TABLE FUNCTION and PROCEDURE."""
    made = statement.node.parent
    if made.create_scope == TEMPORARY:
        if not job.parent and not job.session.id:
            raise ApiError("invalidQuery", "CREATE TEMPORARY FUNCTION statements must be followed by an actual query.", "query")
        define(job, statement)
        job.statistics["query"]["ddlOperationPerformed"] = "CREATE"
        return
    given = body_of(job, statement)
    ref = query.named(job, statement, made.name_path, "bigquery.routines.create", "Routine")
    check_name(ref[2])
    check_statements(job, statement, given)
    if ref in (routine.ref for routine in statement.routines):
        raise ApiError("invalidQuery", f"The function {'.'.join(made.name_path)} is recursive", "query")

    def work(tx: Transaction) -> None:
        done = decide(tx, ref, made.create_mode)
        if done != "SKIP":
            put(tx, ref, given)
        job.statistics["query"] |= {"ddlOperationPerformed": done, "ddlTargetRoutine": reference(ref)}
    job.write(work)


def check_statements(job: "Job", statement: "Statement", given: dict) -> None:
    """ApiError, with its place in the CREATE PROCEDURE, where the body's strict_mode finds one."""
    if statement.type == "CREATE_PROCEDURE":
        from .strict import check
        before = statement.text[:statement.text.find(given["definitionBody"])]
        check(job, given, re.sub(r"[^\n]", " ", before))


def decide(lake: Lake | Transaction, ref: Ref, mode: int) -> str:
    """What a CREATE statement does, in view of what is there: CREATE, REPLACE or SKIP; ApiError duplicate, notFound for a missing dataset."""
    datasets.find(lake, ref[:2])
    if lake.get("routine", ref) is None:
        return "CREATE"
    if mode == CREATE:
        raise ApiError("duplicate", f"Already Exists: Routine {iam.name_of(ref)}")
    return "SKIP" if mode == IF_NOT_EXISTS else "REPLACE"


def foresee(job: "Job", statement: "Statement") -> dict:
    """The statistics of a CREATE statement that a dry run tells; ApiError where the run would fail."""
    made = statement.node.parent
    if made.create_scope == TEMPORARY:
        return {}
    given = body_of(job, statement)
    ref = query.named(job, statement, made.name_path, "bigquery.routines.create", "Routine")
    check_statements(job, statement, given)
    return {"ddlOperationPerformed": decide(job.lake, ref, made.create_mode), "ddlTargetRoutine": reference(ref)}


def define(job: "Job", statement: "Statement") -> None:
    """A temporary function, which lives as long as the script."""
    from .googlesql.routines import Routine
    made = statement.node.parent
    name = ".".join(made.name_path)
    if "." in name:
        raise ApiError("invalidQuery", f"Temporary functions can't have a dataset: {name}", "query")
    if name.lower() in job.session.functions and made.create_mode == CREATE:
        raise ApiError("invalidQuery", f"Already Exists: Routine {name}", "query")
    if name.lower() not in job.session.functions or made.create_mode != IF_NOT_EXISTS:
        body = body_of(job, statement)
        job.session.functions[name.lower()] = Routine((name,), body, lambda: libraries(job.emulator, job.principal, body))


def drop(job: "Job", statement: "Statement") -> None:
    """DROP FUNCTION, TABLE FUNCTION and PROCEDURE."""
    from .googlesql.routines import KINDS as WORDS
    node = statement.node
    kind = KINDS[job.statistics["query"]["statementType"]]
    if len(node.name_path) == 1 and job.session.functions.pop(node.name_path[0].lower(), None):
        job.statistics["query"]["ddlOperationPerformed"] = "DROP"
        return
    ref = query.named(job, statement, node.name_path, "bigquery.routines.delete", "Routine")

    def work(tx: Transaction) -> None:
        body = tx.get("routine", ref)
        if not body and not node.is_if_exists:
            raise not_found("Routine", iam.name_of(ref))
        if body and body["routineType"].replace("AGGREGATE", "SCALAR") != kind:
            raise ApiError("invalidQuery", f"{iam.name_of(ref)} is not allowed for this operation because it is currently a {WORDS[body['routineType']]}.", "query")
        if body:
            remove(tx, ref)
        job.statistics["query"] |= {"ddlOperationPerformed": "DROP" if body else "SKIP", "ddlTargetRoutine": reference(ref)}
    job.write(work)
