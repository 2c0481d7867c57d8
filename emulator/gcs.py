"""Cloud Storage's JSON API, and what signed and public URLs reach of its XML API, over the buckets and objects of storage.py.

Source: "Cloud Storage JSON API" (methods, preconditions, uploads), "objects.list" (globs).
"""
from __future__ import annotations

import datetime as dt
import gzip
import html
import json
import re
import tempfile
import urllib.parse
import uuid
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

from .calls import etag, merge, paged, whole_number, without_nulls
from .errors import ApiError
from .projects import number
from .storage import Storage, checksums, moment

BUCKET_NAME = re.compile(r"[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9]")
OBJECT = {"acl", "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType", "customTime", "eventBasedHold",
          "metadata", "storageClass", "temporaryHold"}  # what a caller may set of an object,
BUCKET = {"acl", "autoclass", "billing", "cors", "customPlacementConfig", "defaultEventBasedHold", "defaultObjectAcl", "encryption",
          "iamConfiguration", "labels", "lifecycle", "location", "logging", "retentionPolicy", "rpo", "storageClass", "versioning", "website"}  # of a bucket
COPIED = OBJECT - {"acl", "eventBasedHold", "temporaryHold"}
Seconds = object()  # a type of properties: a whole number of seconds, at most MOST_RETENTION
MOST_RETENTION, LOCKED_AFTER = 3_155_760_000, dt.timedelta(days=90)
ACCESS, POLICY = {"entity": str, "role": str}, {"bindings": [{"role": str, "members": [str]}], "version": int, "etag": str}
# Properties that are no text.
TYPES: dict = {
    **dict.fromkeys(("autoclass", "billing", "customPlacementConfig", "encryption", "logging", "website"), dict), "retentionPolicy": {"retentionPeriod": Seconds}, "cors": [dict],
    "iamConfiguration": {"uniformBucketLevelAccess": dict}, "lifecycle": {"rule": [dict]}, "versioning": {"enabled": bool}, "acl": [ACCESS],
    "defaultObjectAcl": [ACCESS], "labels": {"": str}, "metadata": {"": str}, **dict.fromkeys(("defaultEventBasedHold", "eventBasedHold", "temporaryHold"), bool)}
PREDEFINED = {"private": [], "projectPrivate": [], "publicRead": [{"entity": "allUsers", "role": "READER"}],
              "authenticatedRead": [{"entity": "allAuthenticatedUsers", "role": "READER"}]}
REGIONS = {"US": "multi-region", "EU": "multi-region", "ASIA": "multi-region"}
MOST_COMPONENTS = 32
PAGE = 1000
XML = "/(?!(?:storage|upload/storage|download/storage)/v1/|b/){bucket}/{object}"  # the path of an object's own URL
XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+|\*)|\*)/(\d+|\*)")
NOT_FOUND = "The specified bucket does not exist."
NOT_MET = "At least one of the pre-conditions you specified did not hold."


class Reply(NamedTuple):
    """An answer: bytes, or a part (start, length) of a file."""

    status: int = 200
    content: bytes = b""
    headers: dict[str, str] = {}
    file: Path | None = None
    part: tuple[int, int] = (0, 0)


class Call(NamedTuple):
    """One request. params: names in its path; base: the address that the caller used."""

    storage: Storage
    params: dict[str, str]
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    base: str
    url: str

    def option(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]

    def flag(self, name: str) -> bool:
        return (self.option(name) or "").lower() == "true"

    def json(self, **types) -> dict:
        """The body, an object; types: of its members beside the names. ApiError parseError, or invalid for a member of another type."""
        from .rest import parse_json
        try:
            body = parse_json(self.body or b"{}")
        except ApiError:
            raise ApiError("parseError", "Parse Error") from None
        if not isinstance(body, dict):
            raise ApiError("parseError", "Parse Error: an object is expected.")
        if not fits(body, types | {"name": str, "location": str, "md5Hash": str, "crc32c": str}):
            raise ApiError("invalid", "Invalid value in the request's body.")
        return body

    @property
    def bucket(self) -> dict:
        """The bucket that the path names; ApiError notFound."""
        if found := self.storage.buckets.get(self.params["bucket"]):
            return found
        raise ApiError("notFound", NOT_FOUND)

    def object(self, bucket: str = "bucket", name: str = "object", generation: str = "generation") -> dict:
        """The object that the path names, in the generation that the query does; ApiError notFound."""
        place, title = self.params[bucket], self.params[name]
        if place not in self.storage.buckets:
            raise ApiError("notFound", NOT_FOUND)
        if found := self.storage.find(place, title, self.option(generation)):
            return found
        raise ApiError("notFound", f"No such object: {place}/{title}")


Function = Callable[[Call], "dict | Reply | None"]
ROUTES: list[tuple[str, re.Pattern, Function]] = []


def method(verb: str, path: str, prefix: str = "(?:/storage/v1)?"):
    """Make a function of a Call the method at a path; some clients leave out /storage/v1. The first that fits answers."""
    pattern = re.sub(r"\{(\w*object)\}", r"(?P<\1>.+)", re.sub(r"\{(\w*bucket)\}", r"(?P<\1>[^/]+)", path))

    def mark(function: Function) -> Function:
        ROUTES.append((verb, re.compile(prefix + pattern), function))
        return function
    return mark


def answer(storage: Storage, verb: str, url: str, headers: dict[str, str], body: bytes, base: str) -> Reply:
    """What a request is answered; errors too."""
    whole = urllib.parse.urlsplit(url)
    try:
        for known, pattern, function in ROUTES:
            if known == verb and (match := pattern.fullmatch(whole.path)):
                params = {name: urllib.parse.unquote(text) for name, text in match.groupdict().items()}
                call = Call(storage, params, urllib.parse.parse_qs(whole.query, keep_blank_values=True), headers, body, base, url)
                with storage.lock:
                    made = function(call)
                return made if isinstance(made, Reply) else rendered(call, made)
        raise ApiError("notImplemented", f"The embedded Cloud Storage does not support {verb} {whole.path} yet.")
    except ApiError as error:
        return Reply(error.code, b"" if error.code == 304 else json.dumps(error.body).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def rendered(call: Call, body: dict | None) -> Reply:
    from .rest import parse_fields, select
    if body is None:
        return Reply(204)
    chosen = select(body, parse_fields(call.option("fields"))) if call.option("fields") else body
    return Reply(200, json.dumps(chosen).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def shown(call: Call, resource: dict) -> dict:
    """A resource as a caller sees it, linked under the address that the caller used: the port may be another than when it was stored."""
    found = {name: value for name, value in resource.items() if not name.startswith("_")}
    if resource["kind"] == "storage#bucket":
        return found | {"selfLink": f"{call.base}/storage/v1/b/{resource['name']}", "etag": etag(found)}
    path = f"storage/v1/b/{resource['bucket']}/o/{urllib.parse.quote(resource['name'], safe='')}"
    if until := call.storage.kept_until(resource):
        found["retentionExpirationTime"] = until
    return found | {"selfLink": f"{call.base}/{path}", "etag": etag(found),
                    "mediaLink": f"{call.base}/download/{path}?generation={resource['generation']}&alt=media"}


def check(call: Call, resource: dict | None, what: str = "if", reading: bool = False) -> None:
    """ApiError unless the preconditions in the query hold. what: `ifSource` for those on the source of a copy; generation 0: there is none."""
    for key in ("Generation", "Metageneration"):
        now = (resource or {"generation": "0", "metageneration": ""}).get(key.lower())
        if (wanted := call.option(f"{what}{key}Match")) is not None and wanted != now:
            raise ApiError("conditionNotMet", NOT_MET, "If-Match")
        if (unwanted := call.option(f"{what}{key}NotMatch")) is not None and unwanted == now:
            raise ApiError("notModified" if reading else "conditionNotMet", NOT_MET)


def page(call: Call, keys: list[tuple]) -> tuple[list[tuple], dict]:
    """The page of a sorted list that the caller asks for, and the part of the answer that leads to the next."""
    found, token = paged(keys, list, call.option("pageToken"), min(whole_number("maxResults", call.option("maxResults")) or PAGE, PAGE))
    return found, {"nextPageToken": token} if token else {}


def acl(entries: list[dict], kind: str, **of: str) -> list[dict]:
    return [{"kind": f"storage#{kind}", **entry, **of} for entry in entries]


# Buckets ------------------------------------------------------------------------------------------

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


def settable(given: dict, names: set[str]) -> dict:
    """What a caller gives of the properties that may be set; ApiError invalid for one of another type."""
    found = {name: value for name, value in given.items() if name in names}
    for name, value in found.items():
        if value is not None and not fits(value, TYPES.get(name, str)):
            raise ApiError("invalid", f"Invalid value for field {name}.")
    return found


def fits(value, kind) -> bool:
    """Whether a value of JSON is of a type: a class, a list with its items' one, or a dict with its known members' ones ("": of all)."""
    if kind is Seconds:
        return isinstance(value, (str, int)) and str(value).isascii() and str(value).isdigit() and int(value) <= MOST_RETENTION
    if isinstance(kind, list):
        return isinstance(value, list) and all(fits(item, kind[0]) for item in value)
    if isinstance(kind, dict):
        return isinstance(value, dict) and all(item is None or fits(item, kind.get(name, kind.get("", object))) for name, item in value.items())
    return isinstance(value, kind)


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


def predefined(name: str) -> list[dict]:
    if name not in PREDEFINED:
        raise ApiError("notImplemented", f"The embedded Cloud Storage does not support the predefined ACL {name} yet.")
    return PREDEFINED[name]


# Objects ------------------------------------------------------------------------------------------

@method("GET", "/b/{bucket}/o")
def list_objects(call: Call) -> dict:
    """Objects and, under a delimiter, prefixes, by name; old generations too with `versions`."""
    bucket, delimiter = call.bucket["name"], call.option("delimiter")
    if call.flag("softDeleted"):
        raise ApiError("notImplemented", "The embedded Cloud Storage does not support soft delete yet.")
    prefix, glob = call.option("prefix") or "", call.option("matchGlob")
    if glob and delimiter not in (None, "", "/"):
        raise ApiError("invalid", "When listing with a glob pattern, the only supported delimiter is '/'.")
    matches = re.compile(glob_pattern(glob)).fullmatch if glob else lambda _: True
    found: dict[tuple[str, int], dict | None] = {}  # None: a prefix
    for resource in generations(call.storage, bucket, call.flag("versions")):
        name = resource["name"]
        if not (name.startswith(prefix) and (call.option("startOffset") or "") <= name and name < (call.option("endOffset") or "\U0010ffff") and matches(name)):
            continue
        head, cut, rest = name[len(prefix):].partition(delimiter) if delimiter else ("", "", "")
        if cut:
            found[prefix + head + cut, 0] = None
        if not cut or (not rest and call.flag("includeTrailingDelimiter")):
            found[name, int(resource["generation"])] = resource
    keys, more = page(call, sorted(found))
    items = [shown(call, found[key]) for key in keys if found[key]]
    prefixes = [key[0] for key in keys if not found[key]]
    return {"kind": "storage#objects"} | ({"items": items} if items else {}) | ({"prefixes": prefixes} if prefixes else {}) | more


def generations(storage: Storage, bucket: str, all_: bool) -> Iterator[dict]:
    yield from storage.live[bucket].values()
    for old in storage.old[bucket].values() if all_ else ():
        yield from old


def glob_pattern(glob: str) -> str:
    """A glob of objects.list as a regular expression: `*` and `?` stop at a slash, `**` does not."""
    tokens = re.findall(r"\*\*/|\*\*|\[!?[^]]+\]|\\.|.", glob, re.DOTALL)
    depth, parts = 0, []
    for token in tokens:
        depth += (token == "{") - (token == "}")
        simple = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}.get(token)
        if token == "," and depth:
            simple = "|"
        elif len(token) > 2 and token[0] == "[":
            simple = "[" + ("^" + token[2:] if token[1] == "!" else token[1:])
        parts.append(simple or re.escape(token[-1]))
    return "".join(parts) if not depth else re.escape(glob)


@method("POST", "/b/{source_bucket}/o/{source_object}/(?:copy|rewrite)To/b/{bucket}/o/{object}")
def rewrite(call: Call) -> dict:
    """objects.copy and objects.rewrite, which is always done at once."""
    source = call.object("source_bucket", "source_object", "sourceGeneration")
    resource = shown(call, copied(call, source, call.bucket["name"], call.params["object"]))
    if "/copyTo/" in call.url:
        return resource
    size = source["size"]
    return {"kind": "storage#rewriteResponse", "totalBytesRewritten": size, "objectSize": size, "done": True, "resource": resource}


@method("POST", "/b/{bucket}/o/{source_object}/moveTo/o/{object}")
def move(call: Call) -> dict:
    source = call.object(name="source_object", generation="sourceGeneration")
    if source["name"] == call.params["object"]:
        raise ApiError("invalid", "The source and destination object names must be different.")
    made = copied(call, source, source["bucket"], call.params["object"], metadata=False)
    call.storage.delete(source)
    return shown(call, made)


def copied(call: Call, source: dict, bucket: str, name: str, metadata: bool = True) -> dict:
    """A copy of an object, with the metadata that the request has or else the source's."""
    check(call, source, "ifSource")
    check(call, call.storage.find(bucket, name))
    check_key(call, source, "x-goog-copy-source-encryption-")
    given = settable(call.json(), OBJECT) if metadata else {}
    kept = {key: source[key] for key in COPIED if key in source}
    properties = (kept if not given.keys() - {"storageClass"} else {"contentType": source.get("contentType")}) | without_nulls(given)
    properties |= {key: source[key] for key in ("md5Hash", "crc32c", "componentCount") if key in source} | encryption(call, "destinationKmsKeyName")
    with scratch(call.storage) as file:
        file.unlink()
        file.hardlink_to(call.storage.content(source))  # contents never change
        return call.storage.add(bucket, name, file, without_nulls(properties))


@method("POST", "/b/{bucket}/o/{object}/compose")
def compose(call: Call) -> dict:
    bucket, request = call.bucket["name"], call.json(sourceObjects=[{"name": str, "objectPreconditions": dict}], destination=dict)
    check(call, call.storage.find(bucket, call.params["object"]))
    sources = []
    for part in request.get("sourceObjects") or ():
        source = call._replace(params={**call.params, "object": part.get("name", "")}, query={
            "generation": [str(part["generation"])]} if part.get("generation") else {}).object()
        wanted = (part.get("objectPreconditions") or {}).get("ifGenerationMatch")
        if wanted is not None and str(wanted) != source["generation"]:
            raise ApiError("conditionNotMet", NOT_MET)
        sources.append(source)
    if not 1 <= len(sources) <= MOST_COMPONENTS:
        raise ApiError("invalid", f"The number of source components provided ({len(sources)}) must be from 1 to {MOST_COMPONENTS}.")
    given = {"contentType": sources[0].get("contentType")} | settable(request.get("destination") or {}, OBJECT)
    count = sum(source.get("componentCount", 1) for source in sources)
    with scratch(call.storage) as file:
        with file.open("wb") as whole:
            for source in sources:
                whole.write(call.storage.content(source).read_bytes())
        sums = {"crc32c": checksums(file)["crc32c"], "componentCount": count}  # the service has no MD5 of what it composed
        made = call.storage.add(bucket, call.params["object"], file, without_nulls(given | sums) | encryption(call))
    for source in sources if request.get("deleteSourceObjects") else ():
        call.storage.delete(source)
    return shown(call, made)


@method("GET", "/b/{bucket}/o/{object}/acl")
def list_object_acl(call: Call) -> dict:
    found = call.object()
    return {"kind": "storage#objectAccessControls", "items": acl(found.get("acl", []), "objectAccessControl", bucket=found["bucket"], object=found["name"])}


@method("GET", "/b/{bucket}/o/{object}")
def get_object(call: Call) -> dict | Reply:
    if call.option("alt") == "media":
        return download(call)
    found = call.object()
    check(call, found, reading=True)
    return shown(call, found)


@method("PATCH", "/b/{bucket}/o/{object}")
def patch_object(call: Call) -> dict:
    return change_object(call, merge(call.object(), settable(call.json(), OBJECT)))


@method("PUT", "/b/{bucket}/o/{object}")
def update_object(call: Call) -> dict:
    kept = {name: value for name, value in call.object().items() if name not in OBJECT or name == "storageClass"}
    return change_object(call, kept | without_nulls(settable(call.json(), OBJECT)))


def change_object(call: Call, body: dict) -> dict:
    before = call.object()
    check(call, before)
    if preset := call.option("predefinedAcl"):
        body["acl"] = predefined(preset)
    body = {"storageClass": call.bucket["storageClass"]} | body | {"metageneration": str(int(body["metageneration"]) + 1), "updated": moment()}
    if before.get("eventBasedHold") and not body.get("eventBasedHold"):
        body["_released"] = body["updated"]
    return shown(call, call.storage.save(body))


@method("DELETE", "/b/{bucket}/o/{object}")
def delete_object(call: Call) -> None:
    found = call.object()
    check(call, found)
    call.storage.delete(found, for_good=call.option("generation") is not None)


# Downloads ----------------------------------------------------------------------------------------

@method("GET", "/b/{bucket}/o/{object}", "/download/storage/v1")
def download(call: Call) -> Reply:
    """An object's content, or the part that the Range header names."""
    found = call.object()
    check(call, found, reading=True)
    check_key(call, found)
    size, file = int(found["size"]), call.storage.content(found)
    headers = {"X-Goog-Hash": hashes(found), "X-Goog-Generation": found["generation"], "X-Goog-Metageneration": found["metageneration"],
               "X-Goog-Storage-Class": found["storageClass"], "X-Goog-Stored-Content-Length": found["size"], "Accept-Ranges": "bytes",
               "X-Goog-Stored-Content-Encoding": found.get("contentEncoding", "identity"), "ETag": etag(shown(call, found)),
               "Content-Type": found.get("contentType", "application/octet-stream")}
    headers |= {f"X-Goog-Meta-{re.sub(r'[^!-9;-~]', '-', name)}": value for name, value in (found.get("metadata") or {}).items()}
    headers |= {name: found[key] for name, key in (("Cache-Control", "cacheControl"), ("Content-Disposition", "contentDisposition"),
                                                   ("Content-Language", "contentLanguage"), ("Content-Encoding", "contentEncoding")) if key in found}
    if disposition := call.option("response-content-disposition"):
        headers["Content-Disposition"] = disposition
    if found.get("contentEncoding") == "gzip" and "gzip" not in call.headers.get("accept-encoding", "") and is_gzip(file):
        del headers["Content-Encoding"]
        return Reply(200, unzipped(file.read_bytes()), headers)
    asked = RANGE.fullmatch(call.headers.get("range", "").replace(" ", ""))
    if not asked or asked[0] == "bytes=-" or asked[1] and asked[2] and int(asked[2]) < int(asked[1]):
        return Reply(200, b"", headers, file, (0, size))
    start = int(asked[1]) if asked[1] else max(size - int(asked[2]), 0)
    end = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
    if start >= size:
        return Reply(416, b"The requested range cannot be satisfied.", {"Content-Range": f"bytes */{size}"})
    return Reply(206, b"", headers | {"Content-Range": f"bytes {start}-{end}/{size}"}, file, (start, end - start + 1))


def is_gzip(file: Path) -> bool:
    with file.open("rb") as source:
        return source.read(2) == b"\x1f\x8b"


def hashes(sums: dict) -> str:
    return ",".join(f"{name}={sums[key]}" for name, key in (("crc32c", "crc32c"), ("md5", "md5Hash")) if key in sums)


# Uploads ------------------------------------------------------------------------------------------

class Upload(NamedTuple):
    """A resumable upload: the request that began it, the object's properties, the content so far."""

    call: Call
    given: dict
    file: Path


UPLOADS: dict[str, Upload] = {}


def new_file(storage: Storage) -> Path:
    with tempfile.NamedTemporaryFile(dir=storage.root, prefix=".upload-", delete=False) as file:
        return Path(file.name)


@contextmanager
def scratch(storage: Storage) -> Iterator[Path]:
    """A new file that is gone at the end of the block, unless it has become an object."""
    file = new_file(storage)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def with_content(storage: Storage, content: bytes) -> Path:
    file = new_file(storage)
    file.write_bytes(content)
    return file


@method("POST", "/b/{bucket}/o", "(?:/upload)?(?:/storage/v1)?")
def insert_object(call: Call) -> dict | Reply:
    call.bucket
    kind = call.option("uploadType") or ""
    if "upload_id" in call.query:
        return proceed(call)
    if kind == "resumable":
        return begin(call)
    if kind == "media":
        return shown(call, store(call, {"contentType": call.headers.get("content-type")}, with_content(call.storage, call.body)))
    if kind != "multipart":
        raise ApiError("invalid", f"Upload type is not one of media, multipart and resumable: {kind}.")
    parts = multipart(call.headers.get("content-type", ""), call.body)
    if len(parts) != 2:
        raise ApiError("invalid", "A multipart upload has two parts: the object's JSON and its content.")
    (_, text), (headers, content) = parts
    given = {"contentType": headers.get("content-type")} | call._replace(body=text).json()
    return shown(call, store(call, given, with_content(call.storage, content)))


def multipart(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """The parts of a body, each as headers (names in small letters) and content."""
    boundary = re.search(r"""boundary=["']?([^"';]+)""", content_type)
    if not boundary:
        raise ApiError("invalid", "A multipart body needs a Content-Type with its boundary.")
    chunks = re.split(rb"(?:^|\r?\n)--" + re.escape(boundary[1].encode()) + rb"(?:--)?[ \t]*(?:\r?\n|$)", body)
    return [split_headers(chunk) for chunk in chunks[1:-1]]


def split_headers(text: bytes) -> tuple[dict[str, str], bytes]:
    parts = re.match(rb"(?s)((?:[^\r\n]+\r?\n)*)(?:\r?\n|$)(.*)", text)
    if not parts:
        raise ApiError("invalid", "A part of the multipart body has no end of its headers.")
    head, content = parts.groups()
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head.decode(errors="replace").splitlines())}, content


def store(call: Call, given: dict, file: Path) -> dict:
    """Make an uploaded file an object; ApiError where preconditions or checksums do not hold."""
    try:
        bucket, name = call.bucket["name"], call.params.get("object") or call.option("name") or given.get("name")
        if not name:
            raise ApiError("required", "Required parameter: name")
        check(call, call.storage.find(bucket, name))
        sums = checksums(file)
        told = {"md5": given.get("md5Hash"), "crc32c": given.get("crc32c")} | dict(
            part.split("=", 1) for part in call.headers.get("x-goog-hash", "").split(",") if "=" in part)
        for label, key, title in (("md5", "md5Hash", "MD5 hash"), ("crc32c", "crc32c", "CRC32C")):
            if told.get(label) not in (None, sums[key]):
                raise ApiError("invalid", f'Provided {title} "{told[label]}" doesn\'t match calculated {title} "{sums[key]}".')
        preset = call.option("predefinedAcl")
        properties = settable(given, OBJECT) | sums | encryption(call) | ({"acl": predefined(preset)} if preset else {})
        if call.option("contentEncoding"):
            properties["contentEncoding"] = call.option("contentEncoding")
        return call.storage.add(bucket, name, file, without_nulls(properties))
    finally:
        file.unlink(missing_ok=True)


def encryption(call: Call, key: str = "kmsKeyName") -> dict:
    """What an object says of its encryption: the key's name, or the hash of the caller's own. Nothing is encrypted here."""
    if name := call.option(key):
        return {"kmsKeyName": name}
    if digest := call.headers.get("x-goog-encryption-key-sha256"):
        return {"customerEncryption": {"encryptionAlgorithm": call.headers.get("x-goog-encryption-algorithm", "AES256"), "keySha256": digest}}
    return {}


def check_key(call: Call, resource: dict, prefix: str = "x-goog-encryption-") -> None:
    """ApiError unless the caller has the key that an object was stored with."""
    digest = (resource.get("customerEncryption") or {}).get("keySha256")
    if digest and call.headers.get(f"{prefix}key-sha256") != digest:
        raise ApiError("invalid", "The target object is encrypted by a customer-supplied encryption key.")


def begin(call: Call) -> Reply:
    given = {"contentType": call.headers.get("x-upload-content-type")} | call.json()
    name = call.option("name") or given.get("name")
    check(call, call.storage.find(call.bucket["name"], name or ""))
    upload_id = uuid.uuid4().hex
    UPLOADS[upload_id] = Upload(call._replace(body=b""), given, new_file(call.storage))
    return Reply(200, b"", {"Location": f"{call.base}{call.url}&upload_id={upload_id}", "X-GUploader-UploadID": upload_id})


@method("PUT", "/b/{bucket}/o", "(?:/upload)?(?:/storage/v1)?")
def proceed(call: Call) -> dict | Reply:
    """Take a piece of a resumable upload; the object once it is whole, else 308 with what has arrived."""
    upload_id = call.option("upload_id") or ""
    upload = UPLOADS.get(upload_id)
    if upload is None:
        raise ApiError("notFound", "Not found: the upload session; begin the upload again.")
    size = upload.file.stat().st_size
    place = CONTENT_RANGE.fullmatch(call.headers.get("content-range", f"bytes 0-*/{len(call.body)}"))
    if not place or int(place[1] or 0) > size:
        raise ApiError("invalid", f"Invalid Content-Range: {call.headers.get('content-range')}; {size} bytes have arrived.")
    if place[1]:
        with upload.file.open("r+b") as file:
            file.seek(int(place[1]))
            file.write(call.body)
            size = file.tell()
    whole = place[2] == "*" if place[3] == "*" else size >= int(place[3])  # bytes 0-*/*: what has come is all, however much
    if not whole:
        return Reply(308, b"", {"Range": f"bytes=0-{size - 1}"} if size else {})
    del UPLOADS[upload_id]
    with_hash = {"x-goog-hash": call.headers["x-goog-hash"]} if "x-goog-hash" in call.headers else {}
    return shown(call, store(upload.call._replace(headers=upload.call.headers | with_hash), upload.given, upload.file))


@method("DELETE", "/b/{bucket}/o", "(?:/upload)?(?:/storage/v1)?")
def abandon(call: Call) -> Reply:
    if upload := UPLOADS.pop(call.option("upload_id") or "", None):
        upload.file.unlink(missing_ok=True)
    return Reply(499)


# Several calls in one request, and URLs that browsers and curl use --------------------------------

@method("POST", "/batch/storage/v1", "")
def batch(call: Call) -> Reply:
    boundary = f"batch_{uuid.uuid4().hex}"
    parts = []
    for headers, content in multipart(call.headers.get("content-type", ""), call.body):
        line, _, rest = content.partition(b"\n")
        verb, _, url = line.decode(errors="replace").strip().rpartition(" HTTP/")[0].partition(" ")
        inner, body = split_headers(rest)
        place = urllib.parse.urlsplit(url)
        made = answer(call.storage, verb, f"{place.path}?{place.query}", inner, body, call.base)
        told = f"Content-ID: <response-{headers['content-id'].strip('<>')}>\r\n" if "content-id" in headers else ""
        parts.append(f"--{boundary}\r\nContent-Type: application/http\r\n{told}\r\nHTTP/1.1 {made.status} {phrase(made.status)}\r\n"
                     f"Content-Type: application/json; charset=UTF-8\r\nContent-Length: {len(made.content)}\r\n\r\n".encode() + made.content + b"\r\n")
    return Reply(200, b"".join(parts) + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/mixed; boundary={boundary}"})


@method("GET", XML, "")
def fetch(call: Call) -> Reply:
    """A signed or a public URL."""
    return download(call)


@method("PUT", XML, "")
def put(call: Call) -> Reply:
    """A signed URL for an upload, or one part of a multipart upload."""
    if upload := UPLOADS.get(call.option("uploadId") or ""):
        part = part_of(upload, whole_number("partNumber", call.option("partNumber"), 0))
        part.write_bytes(call.body)
        sums = checksums(part)
        return Reply(200, b"", {"ETag": f'"{sums["md5Hash"]}"', "X-Goog-Hash": hashes(sums)})
    made = store(call, {"contentType": call.headers.get("content-type")}, with_content(call.storage, call.body))
    return Reply(200, b"", {"X-Goog-Generation": made["generation"], "ETag": f'"{made["md5Hash"]}"'})


def part_of(upload: Upload, number_: int) -> Path:
    return upload.file.with_name(f"{upload.file.name}-{number_}")


@method("POST", XML, "")
def multipart_upload(call: Call) -> Reply:
    """Begin an upload in parts that may come at once, or end it: its XML names the parts in their order."""
    if "uploads" in call.query:
        upload_id = uuid.uuid4().hex
        UPLOADS[upload_id] = Upload(call, {"contentType": call.headers.get("content-type")}, new_file(call.storage))
        return xml("InitiateMultipartUploadResult", Bucket=call.bucket["name"], Key=call.params["object"], UploadId=upload_id)
    upload = UPLOADS.get(call.option("uploadId") or "")
    if upload is None:
        raise ApiError("notFound", "The specified multipart upload does not exist.")
    parts = [part_of(upload, int(place)) for place in re.findall(rb"<PartNumber>(\d+)</PartNumber>", call.body)]
    if not parts or not all(part.exists() for part in parts):
        raise ApiError("invalid", "One or more of the specified parts could not be found.")
    with upload.file.open("wb") as whole:
        for part in parts:
            whole.write(part.read_bytes())
    made = store(upload.call, upload.given, upload.file)
    forget(call)
    return xml("CompleteMultipartUploadResult", ETag=made["md5Hash"])


def forget(call: Call) -> None:
    upload = UPLOADS.pop(call.option("uploadId") or "", None)
    for file in call.storage.root.glob(f"{upload.file.name}*") if upload else ():
        file.unlink()


def xml(name: str, **parts: str) -> Reply:
    inside = "".join(f"<{key}>{html.escape(value)}</{key}>" for key, value in parts.items())
    return Reply(200, f'<{name} xmlns="{XMLNS}">{inside}</{name}>'.encode(), {"Content-Type": "application/xml"})


@method("DELETE", XML, "")
def remove(call: Call) -> Reply:
    forget(call) if "uploadId" in call.query else delete_object(call)
    return Reply(204)


def unzipped(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        raise ApiError("badRequest", "Invalid gzip content in the request's body.") from None


def phrase(status: int) -> str:
    known = BaseHTTPRequestHandler.responses.get(status)
    return known[0] if known else "Resume Incomplete"
