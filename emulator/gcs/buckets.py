"""Buckets, their policies and access control lists."""
from __future__ import annotations

import datetime as dt
import re

from ..calls import etag, merge, without_nulls
from ..errors import ApiError
from ..projects import number
from ..storage import moment
from .calls import PREDEFINED, Call, acl, check, method, page, predefined, settable, shown

BUCKET_NAME = re.compile(r"[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9]")
# What a caller may set.
BUCKET = {"acl", "autoclass", "billing", "cors", "customPlacementConfig", "defaultEventBasedHold", "defaultObjectAcl", "encryption",
          "iamConfiguration", "labels", "lifecycle", "location", "logging", "retentionPolicy", "rpo", "storageClass", "versioning", "website"}
LOCKED_AFTER = dt.timedelta(days=90)
POLICY = {"bindings": [{"role": str, "members": [str]}], "version": int, "etag": str}
REGIONS = {"US": "multi-region", "EU": "multi-region", "ASIA": "multi-region"}


@method("GET", "/projects/[^/]+/serviceAccount")
def service_account(call: Call) -> dict:
    project = call.url.split("/projects/")[1].split("/")[0]
    return {"kind": "storage#serviceAccount", "email_address": f"service-{number(project)}@gs-project-accounts.iam.gserviceaccount.com"}


@method("GET", "/b")
def list_buckets(call: Call) -> dict:
    """Those of the project, by prefix."""
    owner, prefix = number(call.option("project") or call.storage.project), call.option("prefix") or ""
    names = sorted((name,) for name, found in call.storage.buckets.items() if found["projectNumber"] == owner and name.startswith(prefix))
    names, more = page(call, names)
    return {"kind": "storage#buckets", "items": [shown(call, call.storage.buckets[name]) for name, in names]} | more


@method("POST", "/b")
def insert_bucket(call: Call) -> dict:
    given = call.json()
    name = given.get("name") or ""
    if not BUCKET_NAME.fullmatch(name):
        raise ApiError("invalid", f"Invalid bucket name: '{name}'")
    owner = number(call.option("project") or call.storage.project)
    if (old := call.storage.bucket(name)) and not call.storage.lent(name):
        raise ApiError("conflict", "Your previous request to create the named bucket succeeded and you already own it."
                       if old["projectNumber"] == owner else "The requested bucket name is not available. The bucket namespace is shared by all "
                       "users of the system. Please select a different name and try again.")
    location, now = (given.get("location") or "US").upper(), moment()
    body = {"kind": "storage#bucket", "id": name, "name": name, "projectNumber": owner, "timeCreated": now, "updated": now, "metageneration": "1",
            "storageClass": "STANDARD", "locationType": REGIONS.get(location, "region"),
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": False}, "publicAccessPrevention": "inherited"},
            "acl": PREDEFINED.get(call.option("predefinedAcl") or "private", [])}
    return shown(call, call.storage.put_bucket(dated({}, merge(body, without_nulls(settable(given, BUCKET))) | {"location": location})))


@method("GET", "/b/{bucket}")
def get_bucket(call: Call) -> dict:
    check(call, call.bucket, reading=True)
    return shown(call, call.bucket)


@method("PATCH", "/b/{bucket}")
def patch_bucket(call: Call) -> dict:
    return change_bucket(call, merge(call.bucket, settable(call.json(), BUCKET - {"location"})))


@method("PUT", "/b/{bucket}")
def update_bucket(call: Call) -> dict:
    kept = {name: value for name, value in call.bucket.items() if name not in BUCKET or name in ("location", "storageClass", "iamConfiguration")}
    return change_bucket(call, kept | without_nulls(settable(call.json(), BUCKET - {"location"})))


def change_bucket(call: Call, body: dict) -> dict:
    check(call, call.bucket)
    if preset := call.option("predefinedAcl"):
        body["acl"] = predefined(preset)
    body = {"storageClass": "STANDARD"} | body | {"metageneration": str(int(body["metageneration"]) + 1), "updated": moment()}
    return shown(call, call.storage.put_bucket(dated(call.bucket, body)))


def dated(before: dict, body: dict) -> dict:
    """A bucket's resource with the moments since when it retains objects, has one access for all of them, and chooses their class."""
    now, made = moment(), dict(body)
    if period := int(body.get("retentionPolicy", {}).get("retentionPeriod") or 0):
        same = period == int(before.get("retentionPolicy", {}).get("retentionPeriod") or 0)
        made["retentionPolicy"] = {"effectiveTime": now} | before.get("retentionPolicy", {}) | body["retentionPolicy"] | ({} if same else {"effectiveTime": now})
    elif before.get("retentionPolicy", {}).get("isLocked"):
        raise ApiError("forbidden", f"Cannot remove the locked retention policy of bucket '{before['name']}'.")
    else:
        made.pop("retentionPolicy", None)
    access = body.get("iamConfiguration", {}).get("uniformBucketLevelAccess", {})
    if access.get("enabled") is True:
        made["iamConfiguration"] = merge(body["iamConfiguration"], {"uniformBucketLevelAccess": {"lockedTime": access.get("lockedTime") or moment(LOCKED_AFTER)}})
    elif "lockedTime" in access:
        made["iamConfiguration"] = merge(body["iamConfiguration"], {"uniformBucketLevelAccess": {"lockedTime": None}})
    if (chosen := body.get("autoclass")) and chosen.get("enabled") != before.get("autoclass", {}).get("enabled"):
        made["autoclass"] = {"terminalStorageClass": "NEARLINE", **chosen, "toggleTime": now}
    return made


@method("POST", "/b/{bucket}/lockRetentionPolicy")
def lock_retention(call: Call) -> dict:
    """From now on the retention policy can't be removed."""
    if call.option("ifMetagenerationMatch") is None:
        raise ApiError("required", "Required parameter: ifMetagenerationMatch")
    if "retentionPolicy" not in call.bucket:
        raise ApiError("invalid", "The bucket has no retention policy to lock.")
    return change_bucket(call, merge(call.bucket, {"retentionPolicy": {"isLocked": True}}))


@method("DELETE", "/b/{bucket}")
def delete_bucket(call: Call) -> None:
    check(call, call.bucket)
    name = call.bucket["name"]
    call.storage.check_own(name)
    if call.storage.live[name] or any(call.storage.old[name].values()):
        raise ApiError("conflict", "The bucket you tried to delete is not empty.")
    call.storage.drop_bucket(name)


@method("GET", "/b/{bucket}/iam")
def get_policy(call: Call) -> dict:
    policy = call.bucket.get("_policy") or {"version": 1, "bindings": []}
    return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{call.bucket['name']}", **policy, "etag": etag(policy)}


@method("PUT", "/b/{bucket}/iam")
def set_policy(call: Call) -> dict:
    given = call.json(**POLICY)
    if given.get("etag") and given["etag"] != get_policy(call)["etag"]:
        raise ApiError("conditionNotMet", "The provided etag does not match the policy's.")
    call.storage.put_bucket({**call.bucket, "_policy": {"version": given.get("version", 1), "bindings": given.get("bindings") or []}})
    return get_policy(call)


@method("GET", "/b/{bucket}/iam/testPermissions")
def test_permissions(call: Call) -> dict:
    """Those asked for: whoever reaches the embedded Cloud Storage may do all with it."""
    call.bucket
    asked = [name for name in call.query.get("permissions", ()) if name.startswith("storage.")]
    return {"kind": "storage#testIamPermissionsResponse"} | ({"permissions": asked} if asked else {})


@method("GET", "/b/{bucket}/acl")
def list_bucket_acl(call: Call) -> dict:
    return {"kind": "storage#bucketAccessControls", "items": acl(call.bucket.get("acl", []), "bucketAccessControl", bucket=call.bucket["name"])}


@method("GET", "/b/{bucket}/defaultObjectAcl")
def list_default_acl(call: Call) -> dict:
    return {"kind": "storage#objectAccessControls", "items": acl(call.bucket.get("defaultObjectAcl", []), "objectAccessControl", bucket=call.bucket["name"])}
