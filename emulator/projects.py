"""projects.*: which projects there are."""
from __future__ import annotations

from .calls import PAGING, Call, etag, method
from .iam import PUBLIC_PROJECT


@method("GET", "projects", query=PAGING, response="ProjectList")
def list_(call: Call) -> dict:
    """The emulator's own project and every other that has datasets, the public one apart."""
    names = {parent[0] for parent in call.lake.parents("dataset")} | {call.emulator.project}
    names -= {PUBLIC_PROJECT}
    page, token = call.page(sorted(names), str)
    projects = [{"kind": "bigquery#project", "id": name, "friendlyName": name, "numericId": number(name),
                 "projectReference": {"projectId": name}} for name in page]
    body = {"kind": "bigquery#projectList", "etag": etag({"projects": projects}), "projects": projects, "totalItems": len(names)}
    return body | ({"nextPageToken": token} if token else {})


@method("GET", "projects/{projectId}/serviceAccount", response="GetServiceAccountResponse")
def getServiceAccount(call: Call) -> dict:
    """The account that the service itself would use; it holds no rights here."""
    return {"kind": "bigquery#getServiceAccountResponse", "email": f"bq-{number(call.project)}@bigquery-encryption.iam.gserviceaccount.com"}


def number(project: str) -> str:
    """A project's number: made from its name, always the same."""
    return str(100_000_000_000 + sum(ord(letter) * 31 ** i for i, letter in enumerate(project)) % 900_000_000_000)
