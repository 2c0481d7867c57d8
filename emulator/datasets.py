"""datasets.*: containers of tables, their location, default expiration and time travel window."""
from __future__ import annotations

import re

from . import iam, partitions, rules
from .calls import PAGING, Call, agree, etag, merge, method, milliseconds, public, timestamps, without_nulls
from .errors import ApiError, not_found, unsupported
from .lake import Lake, Transaction, now_ms

DEFAULT_LOCATION = "US"
DEFAULT_TIME_TRAVEL_HOURS = 168
LOCATION = re.compile(r"US|EU|[a-z]+(-[a-z]+)+\d+")
VIEWS = {"METADATA": ("access",), "ACL": ("description", "friendlyName", "labels", "defaultTableExpirationMs", "defaultPartitionExpirationMs",
                                          "defaultCollation", "defaultRoundingMode", "resourceTags", "maxTimeTravelHours", "storageBillingModel")}
WHO = ("userByEmail", "groupByEmail", "domain", "specialGroup", "iamMember")  # an access entry gives a role to one of these,
RESOURCES = ("view", "routine", "dataset")  # or lets one of these read
NAME = re.compile(r"[A-Za-z0-9_]{1,1024}")
PATH = "projects/{projectId}/datasets/{datasetId}"
KEPT = ("kind", "id", "selfLink", "datasetReference", "location", "creationTime", "type")  # no update changes these


def find(lake: Lake | Transaction, ref: tuple[str, str], location: str | None = DEFAULT_LOCATION) -> dict:
    """A dataset's body; ApiError notFound, with the location unless a dataset's own method asks (None)."""
    body = lake.get("dataset", ref)
    if body is None:
        raise not_found("Dataset", iam.name_of(ref), location)
    return body


@method("GET", PATH, "bigquery.datasets.get", query=("accessPolicyVersion", "datasetView"), response="Dataset")
def get(call: Call) -> dict:
    body = public(find(call.lake, call.dataset, None))
    hidden = VIEWS.get(call.query.get("datasetView", "").upper(), ())
    return {name: value for name, value in body.items() if name not in hidden}


@method("GET", "projects/{projectId}/datasets", "bigquery.datasets.get", query=(*PAGING, "all", "filter"), response="DatasetList")
def list_(call: Call) -> dict:
    """The project's datasets, without the hidden ones unless `all`; `filter` is labels.KEY[:VALUE] ..."""
    wanted = parse_filter(call.query.get("filter", ""))
    found = [body for body in call.lake.children("dataset", (call.project,))
             if (call.flag("all") or not body["datasetReference"]["datasetId"].startswith("_"))
             and all(body.get("labels", {}).get(key) in ((value,) if value is not None else body.get("labels", {}).values())
                     for key, value in wanted)]
    page, token = call.page(found, lambda body: body["id"])
    shown = [{key: body[key] for key in ("kind", "id", "datasetReference", "labels", "friendlyName", "location", "type")
              if key in body} for body in page]
    answer = {"kind": "bigquery#datasetList", "etag": etag({"datasets": shown})}
    return answer | ({"datasets": shown} if shown else {}) | ({"nextPageToken": token} if token else {})


def parse_filter(text: str) -> list[tuple[str, str | None]]:
    conditions = []
    for part in text.split():
        match = re.fullmatch(r"labels\.([^:]+)(?::(.*))?", part)
        if not match:
            raise ApiError("invalid", f"Invalid filter {part}: labels.KEY or labels.KEY:VALUE is expected.", "filter")
        conditions.append((match[1], match[2]))
    return conditions


@method("POST", "projects/{projectId}/datasets", "bigquery.datasets.create", request="Dataset", query=("accessPolicyVersion",), response="Dataset")
def insert(call: Call) -> dict:
    reference = call.body.get("datasetReference") or {}
    agree(reference.get("projectId"), call.project)
    if not reference.get("datasetId"):
        raise ApiError("required", "Required parameter is missing", "datasetId")
    ref = call.project, reference["datasetId"]
    body = new(call.principal, ref, without_nulls(call.body))

    def work(tx: Transaction) -> dict:
        if (old := tx.get("dataset", ref)) and "_shipped" not in old:
            raise ApiError("duplicate", f"Already Exists: Dataset {iam.name_of(ref)}")
        return tx.put("dataset", ref, body)
    return public(call.lake.write(work))


def new(principal: str, ref: tuple[str, str], given: dict) -> dict:
    """A dataset's body from what a client gave: computed fields, the default access; ApiError for bad ones."""
    project, name = ref
    if not NAME.fullmatch(name):
        raise ApiError("invalid", f'Invalid dataset ID "{name}". Dataset IDs must be alphanumeric (plus underscores '
                                  "and dashes) and must be at most 1024 characters long.")
    check(given)
    return timestamps({
        **given, "kind": "bigquery#dataset", "id": f"{project}:{name}",
        "selfLink": f"https://bigquery.googleapis.com/bigquery/v2/projects/{project}/datasets/{name}",
        "datasetReference": {"projectId": project, "datasetId": name},
        "location": location_name(given.get("location")),
        "type": "DEFAULT", "access": [checked_access(entry) for entry in given.get("access") or default_access(principal)],
        "maxTimeTravelHours": given.get("maxTimeTravelHours", str(DEFAULT_TIME_TRAVEL_HOURS))})


def location_name(given: str | None) -> str:
    """A location as the service writes it: multi-regions in capitals, regions in small letters."""
    name = given or DEFAULT_LOCATION
    name = name.upper() if name.upper() in ("US", "EU") else name.lower()
    if not LOCATION.fullmatch(name):
        raise ApiError("invalid", f"Invalid value for location: {given} is not a valid value", "location")
    return name


def default_access(principal: str) -> list[dict]:
    return [{"role": "WRITER", "specialGroup": "projectWriters"}, {"role": "OWNER", "specialGroup": "projectOwners"},
            {"role": "OWNER", "userByEmail": principal}, {"role": "READER", "specialGroup": "projectReaders"}]


def checked_access(entry: dict) -> dict:
    """An access entry as it is stored: the roles that have a short name under that; ApiError invalid for one that gives nothing to anyone."""
    who = [name for name in (*WHO, *RESOURCES) if entry.get(name)]
    if len(who) != 1:
        raise ApiError("invalid", f"An access entry names one of {', '.join((*WHO, *RESOURCES))}; this one names {' and '.join(who) or 'none'}.", "access")
    if who[0] in RESOURCES:
        return entry
    short = next((name for name, role in iam.ACCESS_ROLES.items() if entry.get("role") == f"roles/{role}"), entry.get("role"))
    if not short:
        raise ApiError("required", "Required parameter is missing: role of an access entry", "access")
    if short not in iam.ACCESS_ROLES and not iam.ROLE.fullmatch(short):
        raise ApiError("invalid", f"Invalid value for role: {short} is not a valid value", "access")
    return {**entry, "role": short}


def check(body: dict) -> None:
    """ApiError invalid for values the service refuses."""
    rules.check_described(body)
    rules.check_choice("storageBillingModel", body.get("storageBillingModel"), ("STORAGE_BILLING_MODEL_UNSPECIFIED", "LOGICAL", "PHYSICAL"))
    if "defaultPartitionExpirationMs" in body and int(body["defaultPartitionExpirationMs"] or 1) < 1:
        raise ApiError("invalid", "Invalid value for defaultPartitionExpirationMs: it must be greater than 0.")
    hours = int(body.get("maxTimeTravelHours") or DEFAULT_TIME_TRAVEL_HOURS)
    if not 48 <= hours <= 168 or hours % 24:
        raise ApiError("invalid", f"Invalid value for maxTimeTravelHours: {hours}. It must be between 48 and 168 and a multiple of 24.")
    if "defaultTableExpirationMs" in body and int(body["defaultTableExpirationMs"] or 3_600_000) < 3_600_000:
        raise ApiError("invalid", "Invalid value for defaultTableExpirationMs: the least is 3600000 (one hour).")
    views = [tuple(sorted(entry["view"].items())) for entry in body.get("access") or () if entry.get("view")]
    if len(set(views)) < len(views):
        raise ApiError("invalid", "Duplicate authorized views")
    if body.get("externalDatasetReference") or body.get("linkedDatasetSource"):
        raise unsupported("an external or linked dataset")


@method("PATCH", PATH, "bigquery.datasets.update", request="Dataset", query=("accessPolicyVersion", "updateMode"), response="Dataset")
def patch(call: Call) -> dict:
    return change(call, lambda body: merge(body, call.body))


@method("PUT", PATH, "bigquery.datasets.update", request="Dataset", query=("accessPolicyVersion", "updateMode"), response="Dataset")
def update(call: Call) -> dict:
    keep = (*KEPT, "access", "maxTimeTravelHours")
    return change(call, lambda body: {key: body[key] for key in keep if key in body} | without_nulls(call.body))


def change(call: Call, how) -> dict:
    """Write a dataset changed by `how`, its identity kept; ApiError for a stale etag or a new location."""
    def work(tx: Transaction) -> dict:
        body = find(tx, call.dataset, None)
        call.check_etag(public(body)["etag"])
        return tx.put("dataset", call.dataset, changed(body, how(body)))
    return public(call.lake.write(work))


def changed(body: dict, wanted: dict) -> dict:
    """A dataset's body as it is wanted, its identity kept; ApiError invalid for what can't be changed."""
    if wanted.get("location", body["location"]).upper() != body["location"].upper():
        raise ApiError("invalid", f"Dataset {body['id']} is in location {body['location']}; the location of a dataset can't be changed.")
    made = {**wanted, **{key: body[key] for key in KEPT}, "lastModifiedTime": str(now_ms())}
    made |= {"access": [checked_access(entry) for entry in made.get("access") or []]}
    check(made)
    return made


@method("DELETE", PATH, "bigquery.datasets.delete", query=("deleteContents",))
def delete(call: Call) -> None:
    """Delete a dataset; with deleteContents its tables and routines too, else it must be empty."""
    def work(tx: Transaction) -> None:
        call.check_etag(public(find(tx, call.dataset, None))["etag"])
        drop(tx, call.dataset, call.flag("deleteContents"))
    call.lake.write(work)


def drop(tx: Transaction, ref: tuple[str, str], contents: bool) -> None:
    """Delete a dataset, with all that is in it if `contents`; ApiError resourceInUse where it has any otherwise."""
    from .routines import remove as remove_routine
    from .tables import drop as drop_table
    tables, routines, models = (tx.lake.children(kind, ref) for kind in ("table", "routine", "model"))
    if (tables or routines or models) and not contents:
        raise ApiError("resourceInUse", f"Dataset {iam.name_of(ref)} is still in use")
    for table in tables:
        drop_table(tx, (*ref, table["tableReference"]["tableId"]), table)
    for routine in routines:
        remove_routine(tx, (*ref, routine["routineReference"]["routineId"]))
    for model in models:
        tx.delete("model", (*ref, model["modelReference"]["modelId"]))
    if not ref[1].startswith("_"):  # those of temporary tables do not come back
        deletion = {"time": str(now_ms()), "version": tx.lake.version}
        tx.put("deletions", ref, {"list": [*(tx.get("deletions", ref) or {"list": []})["list"], deletion]})
    tx.delete("dataset", ref)


@method("POST", PATH + ":undelete", "bigquery.datasets.create", request="UndeleteDatasetRequest", response="Dataset")
def undelete(call: Call) -> dict:
    """Bring back a deleted dataset with its tables, as it was; deletionTime names one of several deletions, else the last."""
    def work(tx: Transaction) -> dict:
        if tx.get("dataset", call.dataset):
            raise ApiError("duplicate", f"Already Exists: Dataset {iam.name_of(call.dataset)}")
        return restore(tx, call.dataset, call.body.get("deletionTime"))
    return public(call.lake.write(work))


def restore(tx: Transaction, ref: tuple[str, str], time: str | None = None) -> dict:
    """Make all resources of a deleted dataset anew, with the rows they had; its body. ApiError notFound outside the time travel window."""
    found = (tx.get("deletions", ref) or {"list": []})["list"]
    moment = milliseconds("deletionTime", time) if time else None
    wanted = [deletion for deletion in found if moment in (None, deletion["time"])]
    if not wanted:
        raise not_found("Dataset", iam.name_of(ref), DEFAULT_LOCATION)
    deletion = wanted[-1]
    past = tx.lake.resources_under(ref, deletion["version"])
    body = past["dataset", ref]
    if int(deletion["time"]) < now_ms() - int(body["maxTimeTravelHours"]) * 3_600_000:
        raise not_found("Dataset", iam.name_of(ref), DEFAULT_LOCATION)
    for (kind, name), resource in past.items():
        if resource.get("_relation", "").startswith("lake."):
            relation = tx.create_relation(partitions.stored(resource))
            tx.execute(f"INSERT INTO {relation} SELECT * FROM {tx.relation(resource, deletion['version'])}")
            resource = {**resource, "_relation": relation, "_data": tx.stamp}
        tx.put(kind, name, resource)
    tx.put("deletions", ref, {"list": [each for each in found if each is not deletion]})
    return body
