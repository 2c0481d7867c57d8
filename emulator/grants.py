"""GRANT and REVOKE: the same policies and access entries as by REST."""
from __future__ import annotations

from typing import TYPE_CHECKING

from . import datasets, iam, query, tables
from .errors import ApiError, unsupported
from .lake import Transaction, now_ms
from .query import reference

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

# By the kind that the statement names, the types of table that it is for.
GRANTED = {"TABLE": ("TABLE", "SNAPSHOT", "EXTERNAL"), "VIEW": ("VIEW", "MATERIALIZED_VIEW"), "MATERIALIZED VIEW": ("MATERIALIZED_VIEW",)}


def grant(job: "Job", statement: "Statement") -> None:
    """GRANT and REVOKE of roles on a schema, a table or a view."""
    from .statements import dataset_ref
    base = statement.node.parent
    kind = " ".join(base.object_type_list).upper()
    with job.cursor() as cursor:
        members = [*base.grantee_list, *(statement.constant(item, cursor) for item in base.grantee_expr_list)]
    roles = [privilege.action_type for privilege in base.privilege_list]
    revokes = statement.type == "REVOKE"
    if kind == "SCHEMA":
        return grant_on_schema(job, dataset_ref(job, statement, base.name_path, "bigquery.datasets.update"), roles, members, revokes)
    if kind not in GRANTED:
        raise unsupported(f"{statement.type} on {kind}")
    ref = query.named(job, statement, base.name_path, "bigquery.tables.setIamPolicy")

    def work(tx: Transaction) -> None:
        body = tables.find(tx, ref)
        if body["type"] not in GRANTED[kind]:
            raise ApiError("invalidQuery", f"{iam.name_of(ref)} is not allowed for this operation because it is currently a {body['type']}.", "query")
        policy = iam.get_policy(tx, ref)
        bindings = [dict(binding) for binding in policy.get("bindings", ())]
        for role in roles:
            if not revokes:
                bindings.append({"role": role, "members": members})
            for binding in bindings if revokes else ():
                if binding["role"] == role and "condition" not in binding:
                    binding["members"] = [member for member in binding["members"] if member not in members]
        tx.put("policy", ref, iam.checked_policy({**policy, "bindings": bindings}, policy))
        job.statistics["query"]["dclTargetView" if kind == "VIEW" else "dclTargetTable"] = reference(ref)
    job.write(work)


def grant_on_schema(job: "Job", ref: tuple[str, str], roles: list[str], members: list[str], revokes: bool) -> None:
    entries = [access_entry(role, member) for role in roles for member in members]

    def work(tx: Transaction) -> None:
        body = datasets.find(tx, ref)
        kept = [entry for entry in body["access"] if entry not in entries]
        tx.put("dataset", ref, {**body, "access": kept if revokes else kept + entries, "lastModifiedTime": str(now_ms())})
        job.statistics["query"]["dclTargetDataset"] = {"projectId": ref[0], "datasetId": ref[1]}
    job.write(work)


def access_entry(role: str, member: str) -> dict:
    """A role and a member of a policy as an entry of a dataset's access."""
    iam.check_member(member)
    short = {f"roles/{name}": word for word, name in iam.ACCESS_ROLES.items()}
    kind, _, name = member.partition(":")
    key = {"user": "userByEmail", "serviceAccount": "userByEmail", "group": "groupByEmail", "domain": "domain"}.get(kind)
    who = {"specialGroup": member} if member == "allAuthenticatedUsers" else {key: name} if key else {"iamMember": member}
    return {"role": short.get(role, role)} | who
