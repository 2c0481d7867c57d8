"""Who may do what: roles, policies, and the one place that lets a call through.

Source of the roles: BigQuery's "IAM roles and permissions".
"""
from __future__ import annotations

import re
from functools import cache

from .calls import Emulator, etag
from .errors import ApiError

PUBLIC_PROJECT = "bigquery-public-data"

_VIEW = {"createSnapshot", "export", "get", "getData", "getIamPolicy", "list"}
_EDIT = _VIEW | {"create", "delete", "restoreSnapshot", "update", "updateData"}
_OWN = _EDIT | {"setIamPolicy", "deleteSnapshot"}

# role -> what it may do with a table (bigquery.tables.<name>)
ROLES = {
    "bigquery.admin": _OWN,
    "bigquery.dataOwner": _OWN,
    "bigquery.dataEditor": _EDIT,
    "bigquery.dataViewer": _VIEW,
    "bigquery.metadataViewer": {"get", "getIamPolicy", "list"},
    "bigquery.user": {"list"},
    "bigquery.jobUser": set(),
    "owner": _OWN,
    "editor": _EDIT,
    "viewer": _VIEW,
}
# An access entry of a dataset and the role it stands for.
ACCESS_ROLES = {"READER": "bigquery.dataViewer", "WRITER": "bigquery.dataEditor", "OWNER": "bigquery.dataOwner"}
READS = {"bigquery.datasets.get", "bigquery.datasets.getIamPolicy", "bigquery.tables.get", "bigquery.tables.getData",
         "bigquery.tables.getIamPolicy", "bigquery.tables.list", "bigquery.tables.export", "bigquery.tables.createSnapshot", "bigquery.routines.get",
         "bigquery.routines.list", "resourcemanager.projects.get"}
MEMBER = re.compile(r"(allUsers|allAuthenticatedUsers|(user|group|serviceAccount|domain|projectOwner|projectEditor|projectViewer|deleted|principal|principalSet):\S+)")
ADDRESS = re.compile(r"(user|group|serviceAccount):(?!\S+@\S+\.\S+)")
ROLE = re.compile(r"(roles|projects/[^/]+/roles|organizations/[^/]+/roles)/[\w.]+")


def name_of(ref: tuple[str, ...]) -> str:
    """A resource as the service writes it: p, p:d or p:d.t."""
    return ref[0] + (":" + ".".join(ref[1:]) if len(ref) > 1 else "")


def require(emulator: Emulator, principal: str, permission: str, ref: tuple[str, ...]) -> None:
    """ApiError accessDenied unless the principal has the permission on the resource.

    Enforced: nobody writes to the public project. A principal who is known to the project owns it.
    """
    if ref[0] == PUBLIC_PROJECT and permission not in READS and not emulator.writable_public_data:
        raise denied(permission, ref)


def denied(permission: str, ref: tuple[str, ...]) -> ApiError:
    kind = ("Project", "Dataset", "Routine" if permission.startswith("bigquery.routines.") else "Table")[len(ref) - 1]
    name = name_of(ref)
    if permission.startswith("bigquery.jobs."):
        return ApiError("accessDenied", f"Access Denied: {kind} {name}: User does not have {permission} permission in project {name}.")
    return ApiError("accessDenied", f"Access Denied: {kind} {name}: Permission {permission} denied on {kind.lower()} {name} (or it may not exist).")


# Policies -----------------------------------------------------------------------------------------

def get_policy(lake, ref: tuple[str, ...]) -> dict:
    """The policy set on a resource; one without bindings where none was set."""
    return lake.get("policy", ref) or {"version": 1, "etag": "ACAB"}


def checked_policy(policy: dict, current: dict) -> dict:
    """A policy as it is stored: roles and members checked, members of one role once, a new etag.

    Raises ApiError badRequest for a role or member of the wrong form, aborted for a stale etag.
    """
    if policy.get("etag") not in (None, "", current["etag"]):
        raise ApiError("aborted", "There were concurrent policy changes. Please retry the whole read-modify-write "
                                  "with exponential backoff.")
    bindings: dict[tuple, list[str]] = {}
    for binding in policy.get("bindings") or []:
        role = binding.get("role", "")
        if not ROLE.fullmatch(role):
            raise ApiError("badRequest", f"Role {role} is not supported for this resource.")
        members = bindings.setdefault((role, repr(binding.get("condition"))), [])
        for member in binding.get("members") or []:
            check_member(member)
            if member not in members:
                members.append(member)
    conditions = {repr(binding.get("condition")): binding.get("condition") for binding in policy.get("bindings") or []}
    stored = {"version": policy.get("version") or 1, "bindings": [
        {"role": role, "members": members} | ({"condition": conditions[condition]} if conditions[condition] else {})
        for (role, condition), members in bindings.items() if members]}
    return stored | {"etag": etag(stored)}


def check_member(member: str) -> None:
    if not MEMBER.fullmatch(member):
        raise ApiError("badRequest", f"Invalid member {member}: a member is user:, group:, serviceAccount: or domain: "
                                     "and an address, or allUsers or allAuthenticatedUsers.")
    if ADDRESS.match(member):
        raise ApiError("badRequest", f"Invalid member {member}: {member.partition(':')[2]} is not an e-mail address.")


# Permissions --------------------------------------------------------------------------------------

def granted(emulator: Emulator, principal: str, permissions: list[str], ref: tuple[str, str, str], kind: str = "tables") -> list[str]:
    """Those of the permissions that the principal has on a table, or resource of another kind, in the order asked."""
    if principal == emulator.principal and ref[0] != PUBLIC_PROJECT:
        allowed = _OWN
    else:
        allowed = set().union(*(table_permissions(role) for role in roles(emulator, principal, ref)))
    return [permission for permission in permissions if permission.removeprefix(f"bigquery.{kind}.") in allowed]


@cache
def table_permissions(role: str) -> frozenset[str]:
    return frozenset(ROLES.get(role.removeprefix("roles/"), ()))


def is_meant(principal: str, names) -> bool:
    """Whether one of the names of a policy's members is the principal's. There is no directory of groups: one holds everyone of its domain."""
    domain = principal.rpartition("@")[2]
    mine = {"allUsers", "allAuthenticatedUsers", f"user:{principal}", f"serviceAccount:{principal}", f"domain:{domain}"}
    return any(name in mine or name.startswith("group:") and name.rpartition("@")[2] == domain for name in names if name)


def roles(emulator: Emulator, principal: str, ref: tuple[str, str, str]) -> list[str]:
    """The roles of a principal on a table: from its policy and from its dataset's access entries."""
    held = [binding["role"] for binding in get_policy(emulator.lake, ref).get("bindings", ()) if is_meant(principal, binding["members"])]
    dataset = emulator.lake.get("dataset", ref[:2]) or {}
    for entry in dataset.get("access", ()):
        who = entry.get("userByEmail"), entry.get("specialGroup"), entry.get("iamMember"), entry.get("domain")
        if principal in who or is_meant(principal, who):
            held.append(ACCESS_ROLES.get(entry.get("role"), entry.get("role", "")))
    return held
