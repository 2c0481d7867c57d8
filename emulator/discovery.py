"""The discovery document: what generic clients (google-api-python-client, bq) learn the API from.

Made from the methods and the messages themselves, so that it says what this server does. Source of its form: Google's
"API Discovery Service", REST description format v1.
"""
from __future__ import annotations

import re
from typing import Iterable

from . import messages
from .calls import Method

SERVICE = "bigquery/v2/"
UPLOAD = "upload/bigquery/v2/"
SCOPES = ["https://www.googleapis.com/auth/bigquery", "https://www.googleapis.com/auth/cloud-platform"]
# How the types of messages.json are written in JSON Schema.
SCALARS = {"string": {"type": "string"}, "bytes": {"type": "string", "format": "byte"}, "int64": {"type": "string", "format": "int64"},
           "integer": {"type": "integer", "format": "int32"}, "number": {"type": "number", "format": "double"}, "boolean": {"type": "boolean"},
           "any": {"type": "any"}}


def document(methods: Iterable[Method], root: str) -> dict:
    """The REST description of BigQuery v2 as a server at `root` offers it."""
    resources: dict[str, dict] = {}
    for method in methods:
        _, resource, name = method.id.split(".")
        resources.setdefault(resource, {"methods": {}})["methods"][name] = described(method)
    return {
        "kind": "discovery#restDescription", "discoveryVersion": "v1", "id": "bigquery:v2", "name": "bigquery", "canonicalName": "Bigquery",
        "version": "v2", "title": "BigQuery API", "description": "The embedded BigQuery.", "protocol": "rest", "ownerName": "Google",
        "ownerDomain": "google.com", "rootUrl": f"{root}/", "servicePath": SERVICE, "baseUrl": f"{root}/{SERVICE}", "basePath": f"/{SERVICE}",
        "fullyEncodeReservedExpansion": True, "auth": {"oauth2": {"scopes": {scope: {"description": scope} for scope in SCOPES}}},
        "parameters": {name: parameter(kind) for name, kind in messages.COMMON.items()},
        "schemas": {name: {"id": name, "type": "object", "properties": {field: schema(kind) for field, kind in fields.items()}}
                    for name, fields in messages.table().items()},
        "resources": resources}


def described(method: Method) -> dict:
    path, flat, placed = path_of(method)
    found = {"id": method.id, "httpMethod": method.verb, "path": path, "flatPath": flat, "parameterOrder": list(placed),
             "parameters": placed | {name: parameter(messages.PARAMETERS[name]) for name in method.query}, "scopes": SCOPES}
    for name in ("request", "response"):
        if message := getattr(method, name):
            found[name] = {"$ref": message}
    if method.upload:
        found |= {"supportsMediaUpload": True, "mediaUpload": {"accept": ["*/*"], "protocols": {
            "simple": {"multipart": True, "path": f"/{UPLOAD}{path}"}, "resumable": {"multipart": True, "path": f"/resumable/{UPLOAD}{path}"}}}}
    return found


def path_of(method: Method) -> tuple[str, str, dict]:
    """A method's path, the same as a plain template, and its parameters. Methods of IAM take the whole name of their resource as one."""
    flat = re.sub(r"(\w+)/\{\w+\}", r"\1/{\1Id}", method.path)
    if "Iam" in method.id:
        resource, _, verb = method.path.rpartition(":")
        pattern = re.sub(r"\{\w+\}", "[^/]+", resource)
        return f"{{+resource}}:{verb}", flat, {"resource": placed(f"^{pattern}$")}
    return method.path.replace("{", "{+"), flat, {name: placed("^[^/]+$") for name in re.findall(r"\{(\w+)\}", method.path)}


def placed(pattern: str) -> dict:
    return {"type": "string", "location": "path", "required": True, "pattern": pattern}


def parameter(kind: str) -> dict:
    words = kind.strip("[]")
    form = {"type": "string", "enum": words.split("|"), "enumDescriptions": [""] * len(words.split("|"))} if "|" in words else SCALARS[words]
    return {**form, "location": "query"} | ({"repeated": True} if kind[0] == "[" else {})


def schema(kind: str) -> dict:
    """A type of messages.json as JSON Schema."""
    if kind.endswith("!"):
        return schema(kind[:-1]) | {"readOnly": True}
    if kind[0] == "[":
        return {"type": "array", "items": schema(kind[1:-1])}
    if kind[0] == "{":
        return {"type": "object", "additionalProperties": schema(kind[1:-1])}
    return dict(SCALARS.get(kind) or {"$ref": kind})
