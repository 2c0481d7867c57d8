"""Uploads of every kind, several calls in one request, and what signed and public URLs reach of the XML API.

Source: "Uploads and downloads", "XML API multipart uploads".
"""
from __future__ import annotations

import html
import re
import urllib.parse
import uuid
from pathlib import Path
from typing import NamedTuple

from ..calls import whole_number, without_nulls
from ..errors import ApiError
from ..storage import Storage, checksums
from .calls import Call, Reply, answer, check, method, phrase, predefined, settable, shown
from .objects import OBJECT, delete_object, download, encryption, hashes, new_file

XML = "/(?!(?:storage|upload/storage|download/storage)/v1/|b/){bucket}/{object}"  # the path of an object's own URL
XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+|\*)|\*)/(\d+|\*)")


class Upload(NamedTuple):
    """A resumable upload: the request that began it, the object's properties, the content so far."""

    call: Call
    given: dict
    file: Path


UPLOADS: dict[str, Upload] = {}


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
