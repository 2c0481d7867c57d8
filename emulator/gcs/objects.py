"""Objects: lists, copies, metadata and downloads.

Source: "objects.list" (globs).
"""
from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from ..calls import etag, merge, without_nulls
from ..errors import ApiError
from ..storage import Storage, checksums, moment
from .calls import NOT_MET, Call, Reply, acl, check, method, page, predefined, settable, shown, unzipped

# What a caller may set.
OBJECT = {"acl", "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType", "customTime", "eventBasedHold",
          "metadata", "storageClass", "temporaryHold"}
COPIED = OBJECT - {"acl", "eventBasedHold", "temporaryHold"}
MOST_COMPONENTS = 32
RANGE = re.compile(r"bytes=(\d*)-(\d*)")


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


# Files and keys -----------------------------------------------------------------------------------

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
