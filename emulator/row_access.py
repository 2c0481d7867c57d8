"""rowAccessPolicies.*: which rows of a table a caller sees, made by REST and by SQL, applied to every query.

A caller sees the rows that the filter of any policy granted to them lets through; none where the table
has policies and none is theirs. Source: BigQuery's "Introduction to row-level security".
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import iam, query, tables
from .calls import Call, Emulator, agree, etag, method, timestamps
from .errors import ApiError, not_found
from .lake import Transaction

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

KIND = "rowAccessPolicy"
TABLE = tables.PATH + "/rowAccessPolicies"
PATH = TABLE + "/{policyId}"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
CREATE, OR_REPLACE, IF_NOT_EXISTS = 0, 1, 2  # ResolvedCreateRowAccessPolicyStmt.create_mode


# What queries ask ---------------------------------------------------------------------------------

def filters(emulator: Emulator, principal: str, ref: tables.Ref) -> list[str] | None:
    """The predicates of which a row must meet one for the caller to see it; None where the table has no policy."""
    policies = emulator.lake.children(KIND, ref)
    if not policies:
        return None
    return [policy["filterPredicate"] for policy in policies if iam.is_meant(principal, policy.get("grantees", ()))]


def require_all_rows(emulator: Emulator, principal: str, ref: tables.Ref) -> None:
    """ApiError accessDenied unless the caller sees every row: what copies, exports, lists or changes a table needs that."""
    found = filters(emulator, principal, ref)
    if found is not None and not any(predicate.strip(" ()").upper() == "TRUE" for predicate in found):
        raise ApiError("accessDenied", f"Access Denied: Table {iam.name_of(ref)}: The table has row access policies, and none that is granted to "
                                       "the caller has the filter TRUE, so the caller may only query it.")


# Methods ------------------------------------------------------------------------------------------

@method("GET", TABLE, "bigquery.rowAccessPolicies.list", query=("pageSize", "pageToken"), response="ListRowAccessPoliciesResponse")
def list_(call: Call) -> dict:
    tables.find(call.lake, call.table)
    page, token = call.page(call.lake.children(KIND, call.table), lambda body: body["rowAccessPolicyReference"]["policyId"], "pageSize")
    return ({"rowAccessPolicies": [shown(body) for body in page]} if page else {}) | ({"nextPageToken": token} if token else {})


@method("GET", PATH, "bigquery.rowAccessPolicies.get", response="RowAccessPolicy")
def get(call: Call) -> dict:
    return shown(find(call.lake, ref_of(call)))


@method("POST", TABLE, "bigquery.rowAccessPolicies.create", request="RowAccessPolicy", response="RowAccessPolicy")
def insert(call: Call) -> dict:
    reference = call.body.get("rowAccessPolicyReference") or {}
    for name, value in zip(("projectId", "datasetId", "tableId"), call.table):
        agree(reference.get(name), value)
    ref = (*call.table, reference.get("policyId") or "")
    body = made(call.emulator, call.principal, ref, call.body.get("filterPredicate"), call.body.get("grantees") or [])

    def work(tx: Transaction) -> dict:
        tables.find(tx, call.table)
        if tx.get(KIND, ref):
            raise ApiError("duplicate", f"Already Exists: Row access policy {iam.name_of(ref)}")
        return tx.put(KIND, ref, body)
    return shown(call.lake.write(work))


@method("PUT", PATH, "bigquery.rowAccessPolicies.update", request="RowAccessPolicy", response="RowAccessPolicy")
def update(call: Call) -> dict:
    ref = ref_of(call)

    def work(tx: Transaction) -> dict:
        old = find(tx, ref)
        call.check_etag(shown(old)["etag"])
        return tx.put(KIND, ref, body | {"creationTime": old["creationTime"]})
    body = made(call.emulator, call.principal, ref, call.body.get("filterPredicate"), call.body.get("grantees") or [])
    return shown(call.lake.write(work))


@method("DELETE", PATH, "bigquery.rowAccessPolicies.delete", query=("force",))
def delete(call: Call) -> None:
    call.lake.write(lambda tx: remove(tx, call.table, [call.params["policyId"]], call.flag("force")))


@method("POST", TABLE + ":batchDelete", "bigquery.rowAccessPolicies.delete", request="BatchDeleteRowAccessPoliciesRequest")
def batchDelete(call: Call) -> None:
    call.lake.write(lambda tx: remove(tx, call.table, call.body.get("policyIds") or [], bool(call.body.get("force"))))


@method("POST", PATH + ":getIamPolicy", "bigquery.rowAccessPolicies.getIamPolicy", request="GetIamPolicyRequest", response="Policy")
def getIamPolicy(call: Call) -> dict:
    """The grantees, as holders of the role that a policy's grant gives."""
    body = find(call.lake, ref_of(call))
    policy = {"version": 1, "bindings": [{"role": "roles/bigquery.filteredDataViewer", "members": body.get("grantees", [])}]}
    return policy | {"etag": etag(policy)}


@method("POST", PATH + ":testIamPermissions", request="TestIamPermissionsRequest", response="TestIamPermissionsResponse")
def testIamPermissions(call: Call) -> dict:
    body = find(call.lake, ref_of(call))
    held = {"bigquery.rowAccessPolicies.getFilteredData"} if iam.is_meant(call.principal, body.get("grantees", ())) else set()
    if call.principal == call.emulator.principal:
        held |= {f"bigquery.rowAccessPolicies.{name}" for name in ("create", "delete", "get", "getIamPolicy", "list", "update")}
    found = [permission for permission in call.body.get("permissions") or [] if permission in held]
    return {"permissions": found} if found else {}


def ref_of(call: Call) -> tuple[str, str, str, str]:
    return *call.table, call.params["policyId"]


def find(lake, ref: tuple[str, ...]) -> dict:
    tables.find(lake, ref[:3])
    body = lake.get(KIND, ref)
    if body is None:
        raise not_found("Row access policy", iam.name_of(ref))
    return body


def shown(body: dict) -> dict:
    return body | {"etag": etag(body)}


def made(emulator: Emulator, principal: str, ref: tuple[str, ...], predicate: str | None, grantees: list[str]) -> dict:
    """A policy's body; ApiError for a bad name, a bad member or a filter that is no condition on the table's rows."""
    if not NAME.fullmatch(ref[3]):
        raise ApiError("invalid", f'Invalid row access policy ID "{ref[3][:100]}". It must begin with a letter or an underscore, have letters, '
                                  "numbers and underscores only, and at most 256 of them.")
    if not predicate:
        raise ApiError("required", "Required parameter is missing: filterPredicate", "filterPredicate")
    for member in grantees:
        iam.check_member(member)
    name = ".".join(ref[:3])
    query.prepare(emulator, principal, f"SELECT 1 FROM `{name}` WHERE ({predicate})", default_project=ref[0])
    return timestamps({"rowAccessPolicyReference": dict(zip(("projectId", "datasetId", "tableId", "policyId"), ref)),
                       "filterPredicate": predicate, "grantees": grantees})


def remove(tx: Transaction, table: tables.Ref, names: list[str], force: bool) -> None:
    """Delete policies of a table. The last one of them opens the table to all, so the service wants `force` for it."""
    left = {body["rowAccessPolicyReference"]["policyId"] for body in tx.lake.children(KIND, table)} - set(names)
    for name in names:
        find(tx, (*table, name))
    if names and not left and not force:
        raise ApiError("invalid", f"Deleting the last row access policy of table {iam.name_of(table)} makes all of its rows visible; set force to do it.")
    for name in names:
        tx.delete(KIND, (*table, name))


# Statements ---------------------------------------------------------------------------------------

def create(job: "Job", statement: "Statement") -> None:
    """CREATE [OR REPLACE] ROW ACCESS POLICY [IF NOT EXISTS] name ON table GRANT TO (...) FILTER USING (...)."""
    node = statement.node
    table = statement.created_path(node.target_name_path)
    iam.require(job.emulator, job.principal, "bigquery.rowAccessPolicies.create", table)
    with job.cursor() as cursor:
        grantees = [*node.grantee_list, *(statement.constant(item, cursor) for item in node.grantee_expr_list)]
    ref = (*table, node.name)
    body = made(job.emulator, job.principal, ref, node.predicate_str, grantees)

    def work(tx: Transaction) -> None:
        exists = tx.get(KIND, ref) is not None
        if exists and node.create_mode == CREATE:
            raise ApiError("duplicate", f"Already Exists: Row access policy {iam.name_of(ref)}")
        skipped = exists and node.create_mode == IF_NOT_EXISTS
        if not skipped:
            tx.put(KIND, ref, body)
        job.statistics["query"] |= {"ddlOperationPerformed": "SKIP" if skipped else "REPLACE" if exists else "CREATE",
                                    "ddlTargetRowAccessPolicy": body["rowAccessPolicyReference"]}
    job.write(work)


def drop(job: "Job", statement: "Statement") -> None:
    """DROP ROW ACCESS POLICY, and DROP ALL ROW ACCESS POLICIES."""
    node = statement.node
    table = statement.created_path(node.target_name_path)
    iam.require(job.emulator, job.principal, "bigquery.rowAccessPolicies.delete", table)

    def work(tx: Transaction) -> None:
        tables.find(tx, table)
        names = [body["rowAccessPolicyReference"]["policyId"] for body in tx.lake.children(KIND, table)]
        found = job.statistics["query"]
        if node.is_drop_all:
            found |= {"statementType": "DROP_ALL_ROW_ACCESS_POLICIES", "ddlTargetTable": query.reference(table),
                      "ddlAffectedRowAccessPolicyCount": str(len(names))}
            return remove(tx, table, names, force=True)
        there = node.name in names
        if there or not node.is_if_exists:
            remove(tx, table, [node.name], force=True)
        found |= {"ddlOperationPerformed": "DROP" if there else "SKIP",
                  "ddlTargetRowAccessPolicy": dict(zip(("projectId", "datasetId", "tableId", "policyId"), (*table, node.name)))}
    job.write(work)


def drop_all(tx: Transaction, table: tables.Ref) -> None:
    """Forget the policies of a table that goes."""
    for body in tx.lake.children(KIND, table):
        tx.delete(KIND, (*table, body["rowAccessPolicyReference"]["policyId"]))


def move(tx: Transaction, table: tables.Ref, new: tables.Ref) -> None:
    """Keep the policies of a table that gets another name."""
    for body in tx.lake.children(KIND, table):
        reference = body["rowAccessPolicyReference"]
        tx.delete(KIND, (*table, reference["policyId"]))
        tx.put(KIND, (*new, reference["policyId"]), {**body, "rowAccessPolicyReference": {**reference, "tableId": new[2]}})
