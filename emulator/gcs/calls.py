"""Requests to Cloud Storage's JSON API: what is in them, which method answers, and how resources are shown.

Source: "Cloud Storage JSON API" (methods, preconditions).
"""
from __future__ import annotations

import gzip
import json
import re
import urllib.parse
import zlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Callable, NamedTuple

from ..calls import etag, paged, whole_number
from ..errors import ApiError
from ..storage import Storage

Seconds = object()  # a type of properties: a whole number of seconds, at most MOST_RETENTION
MOST_RETENTION = 3_155_760_000
ACCESS = {"entity": str, "role": str}
# Properties that are no text.
TYPES: dict = {
    **dict.fromkeys(("autoclass", "billing", "customPlacementConfig", "encryption", "logging", "website"), dict), "retentionPolicy": {"retentionPeriod": Seconds}, "cors": [dict],
    "iamConfiguration": {"uniformBucketLevelAccess": dict}, "lifecycle": {"rule": [dict]}, "versioning": {"enabled": bool}, "acl": [ACCESS],
    "defaultObjectAcl": [ACCESS], "labels": {"": str}, "metadata": {"": str}, **dict.fromkeys(("defaultEventBasedHold", "eventBasedHold", "temporaryHold"), bool)}
PREDEFINED = {"private": [], "projectPrivate": [], "publicRead": [{"entity": "allUsers", "role": "READER"}],
              "authenticatedRead": [{"entity": "allAuthenticatedUsers", "role": "READER"}]}
PAGE = 1000
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
        from ..rest import parse_json
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
    from ..rest import parse_fields, select
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


def predefined(name: str) -> list[dict]:
    if name not in PREDEFINED:
        raise ApiError("notImplemented", f"The embedded Cloud Storage does not support the predefined ACL {name} yet.")
    return PREDEFINED[name]


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


def unzipped(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        raise ApiError("badRequest", "Invalid gzip content in the request's body.") from None


def phrase(status: int) -> str:
    known = BaseHTTPRequestHandler.responses.get(status)
    return known[0] if known else "Resume Incomplete"
