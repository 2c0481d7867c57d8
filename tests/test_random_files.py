"""Random requests that bring or fetch files: load jobs with an upload, and Cloud Storage. See test_random_requests for how long and how to repeat."""
from __future__ import annotations

import gzip
import json
import random
import time
import zlib
from urllib.parse import quote, urlencode

import pytest

from conftest import running_emulator
from test_random_requests import MEANT, NUMBERS, RETRIED, SECONDS, SEEDS, TEXTS, Maker, Storm, complaint, entries

CONTENTS = [b"", b"a,b\n1,x\n", b"a,b\n\"1,x\n", b'{"a": 1}\n{"a": "x"}\n', b"{", b"PAR1", b"Obj\x01", b"ORC", b"\xff\xfe", b"\x00" * 100, b"1\n" * 5000, gzip.compress(b"1,x\n", mtime=0),
            gzip.compress(b"1,x\n", mtime=0)[:-3], b"--b\r\n\r\n--b--"]
RANGES = ["bytes 0-3/4", "bytes 0-*/4", "bytes */*", "bytes */0", "bytes */4", "bytes 0-3/*", "bytes 4-7/8", "bytes 9-1/2", "bytes", "bytes=0-1", "é", ""]
BUCKETS, OBJECTS = ["bk0", "bk1", "bk0", "bk9", "cloud-samples-data"], ["o0", "o1", "a/b", "o9", "ü 1", ".", "..", "x" * 1100]
# Paths of Cloud Storage below /storage/v1, by the verb; {} is a bucket or an object.
PATHS = [
    ("GET", "/b", None), ("POST", "/b", "bucket"), ("GET", "/b/{b}", None), ("PATCH", "/b/{b}", "bucket"), ("PUT", "/b/{b}", "bucket"), ("DELETE", "/b/{b}", None),
    ("GET", "/b/{b}/iam", None), ("PUT", "/b/{b}/iam", "policy"), ("GET", "/b/{b}/iam/testPermissions", None), ("GET", "/b/{b}/acl", None), ("GET", "/b/{b}/defaultObjectAcl", None),
    ("GET", "/b/{b}/o", None), ("POST", "/b/{b}/o/{o}/copyTo/b/{b}/o/{o}", "object"), ("POST", "/b/{b}/o/{o}/rewriteTo/b/{b}/o/{o}", "object"), ("POST", "/b/{b}/o/{o}/moveTo/o/{o}", None),
    ("POST", "/b/{b}/o/{o}/compose", "compose"), ("GET", "/b/{b}/o/{o}", None), ("GET", "/b/{b}/o/{o}/acl", None), ("PATCH", "/b/{b}/o/{o}", "object"), ("PUT", "/b/{b}/o/{o}", "object"),
    ("DELETE", "/b/{b}/o/{o}", None), ("GET", "/projects/p/serviceAccount", None)]
PARTS = {
    "bucket": {"name": ["bk0", "bk1", "bk2", "B", "a", "..", 5], "location": ["US", "EU", "us-east1", "", 5], "labels": [{"a": "b"}, {"a": None}, {"a": 5}, 5], "versioning": [{"enabled": True}, {"enabled": "x"}, 5],
               "lifecycle": [{"rule": []}, 5], "iamConfiguration": [{"uniformBucketLevelAccess": {"enabled": True}}, {}, 5], "storageClass": ["NEARLINE", 5, ""], "acl": [[{"entity": "allUsers", "role": "READER"}], [5], 5],
               "retentionPolicy": [{"retentionPeriod": "10"}, 5, {"retentionPeriod": "x"}], "cors": [[], 5], "website": [{}, 5], "defaultObjectAcl": [[], 5, [5]], "autoclass": [{"enabled": True}, 5]},
    "object": {"name": ["o0", "x", "", 5], "contentType": ["text/csv", "", 5, "é", "a\nb"], "metadata": [{"k": "v"}, {"k": None}, {"k": 5}, 5, {"é": "ü"}], "contentEncoding": ["gzip", "x", 5], "temporaryHold": [True, "x"],
               "storageClass": ["NEARLINE", 5], "customTime": ["2030-01-01T00:00:00Z", "x", 5], "acl": [[], [5], 5], "md5Hash": ["x", 5], "cacheControl": ["no-cache", 5, "\r\nX: y"]},
    "policy": {"bindings": [[{"role": "roles/storage.objectViewer", "members": ["allUsers"]}], [5], 5, [{}], [{"role": 5, "members": 5}]], "etag": ["x", 5, ""], "version": [1, 3, "x"]},
    "compose": {"sourceObjects": [[{"name": "o0"}, {"name": "o1"}], [], 5, [5], [{}], [{"name": 5}], [{"name": "o0", "generation": "x", "objectPreconditions": 5}]], "destination": [{"contentType": "x"}, 5, {}]}}
OPTIONS = {"maxResults": NUMBERS, "pageToken": MEANT["pageToken"], "prefix": ["a", "", "é"], "delimiter": ["/", "", "é", "ab"], "versions": ["true", "x"], "generation": ["1", "x", "0", ""], "fields": MEANT["fields"],
           "ifGenerationMatch": ["0", "1", "x"], "ifMetagenerationNotMatch": ["1", "x"], "alt": ["media", "json"], "uploadType": ["media", "multipart", "resumable", "x"], "name": ["o0", "o1", "é/ü", ""],
           "matchGlob": ["*", "**", "[", "{a", "a?"], "predefinedAcl": ["publicRead", "x"], "projection": ["full"], "project": ["lab-project", "", "é"], "startOffset": ["a"], "includeTrailingDelimiter": ["true"],
           "uploads": [""], "partNumber": ["1", "x", "-1", "99999999999999999999"], "permissions": ["storage.objects.get", "x"], "rewriteToken": ["x"], "maxBytesRewrittenPerCall": ["1", "x"]}


class FileMaker(Maker):
    """Random requests with files. uploads: targets of sessions that were begun."""

    def __init__(self, chance: random.Random):
        super().__init__(chance)
        self.uploads: list[str] = []

    def content(self) -> bytes:
        return self.chance.choice(CONTENTS) if self.chance.random() < 0.95 else self.chance.randbytes(300)

    def parts(self, message: bytes) -> tuple[dict[str, str], bytes]:
        """Headers and body of a multipart upload, now and then a broken one."""
        kind = self.chance.choice(["multipart/related; boundary=b"] * 8 + ["multipart/related", "text/plain", 'multipart/related; boundary="b"'])
        body = b"--b\r\nContent-Type: application/json\r\n\r\n" + message + b"\r\n--b\r\nContent-Type: */*\r\n\r\n" + self.content() + b"\r\n--b--\r\n"
        if self.chance.random() < 0.1:
            place = self.chance.randrange(len(body))
            body = body[:place] + self.chance.choice([b"", b"\xff", b"\r\n", b"--b"]) + body[place + self.chance.randrange(20):]
        return {"Content-Type": kind}, body

    def piece(self) -> tuple[str, str, dict[str, str], bytes]:
        headers = {"Content-Range": self.chance.choice(RANGES)} if self.chance.random() < 0.8 else {}
        return "PUT", self.chance.choice(self.uploads), headers, self.content()

    def load(self) -> tuple[str, str, dict[str, str], bytes]:
        """A load job with its file, or a piece of one."""
        if self.uploads and self.chance.random() < 0.3:
            return self.piece()
        job = {"configuration": {"load": {"destinationTable": {"datasetId": "d0", "tableId": self.chance.choice(["t0", "t1$20260101", "new", "v0"])}, **self.value("load", "JobConfigurationLoad")}}}
        job["configuration"]["load"].pop("sourceUris", None)
        message = json.dumps(job if self.chance.random() < 0.95 else self.junk()).encode()
        kind = self.chance.choice(["multipart", "multipart", "resumable", "resumable", "media", "x", ""])
        headers, body = self.parts(message) if kind == "multipart" else ({"Content-Type": "application/json"}, message)
        return "POST", f"/upload/bigquery/v2/projects/lab-project/jobs?uploadType={kind}", headers, body

    def part(self, name: str) -> dict:
        fields = PARTS[name]
        return {key: self.junk() if self.chance.random() < 0.05 else self.chance.choice(fields[key]) for key in fields if self.chance.random() < 0.4}

    def options(self, *sure: str) -> str:
        chosen = [*sure, *(name for name in OPTIONS if self.chance.random() < 0.08)]
        pairs = [(name, self.chance.choice(TEXTS if self.chance.random() < 0.05 else OPTIONS[name])) for name in chosen]
        return "?" + urlencode(pairs, errors="surrogatepass") if pairs else ""

    def named(self, template: str) -> str:
        def text(known: list[str]) -> str:
            return quote((self.chance.choice(TEXTS) if self.chance.random() < 0.04 else self.chance.choice(known)).encode("utf-8", "surrogatepass"), safe="")
        while "{b}" in template or "{o}" in template:
            template = template.replace("{b}", text(BUCKETS), 1).replace("{o}", text(OBJECTS), 1)
        return template

    def stored(self) -> tuple[str, str, dict[str, str], bytes]:
        """A request of Cloud Storage's."""
        chance = self.chance
        kind = chance.random()
        if self.uploads and kind < 0.1:
            return self.piece()
        if kind < 0.35:
            way = chance.choice(["media", "multipart", "resumable"])
            message = json.dumps(self.part("object")).encode()
            headers, body = self.parts(message) if way == "multipart" else ({}, message if way == "resumable" else self.content())
            return "POST", self.named("/upload/storage/v1/b/{b}/o") + f"?uploadType={way}" + self.options("name").replace("?", "&"), headers | self.odd(), body
        if kind < 0.45:
            verb = chance.choice(["GET", "PUT", "POST", "DELETE", "HEAD"])
            return verb, self.named("/{b}/{o}") + self.options(), self.odd(), self.content()
        if kind < 0.5:
            inner = b"--b\r\nContent-Type: application/http\r\nContent-ID: <1>\r\n\r\n" + self.named("GET /storage/v1/b/{b}/o/{o} HTTP/1.1\r\n\r\n").encode() + b"\r\n--b--"
            return "POST", "/batch/storage/v1", {"Content-Type": chance.choice(["multipart/mixed; boundary=b", "x", "multipart/mixed; boundary=c"])}, inner[:chance.choice([None, None, 60])]
        if kind < 0.57:
            return "GET", self.named("/download/storage/v1/b/{b}/o/{o}") + self.options(), self.odd(), b""
        verb, path, body = chance.choice(PATHS)
        content = json.dumps(self.part(body) if chance.random() < 0.95 else self.junk()).encode() if body else b""
        if body and chance.random() < 0.03:
            content = chance.choice([b"{", b"[]", b"\xff", b"null", b"5", b'{"a":' * 3000])
        return verb, "/storage/v1" + self.named(path) + self.options(), self.odd(), content

    def odd(self) -> dict[str, str]:
        return self.chance.choice([{}] * 12 + [
            {"Range": "bytes=0-1"}, {"Range": "bytes=-1"}, {"Range": "bytes=9-1"}, {"Range": "x"}, {"Content-Encoding": "gzip"}, {"x-goog-hash": "crc32c=x"}, {"x-goog-hash": "é"},
            {"x-goog-encryption-key-sha256": "x", "x-goog-encryption-algorithm": "AES256"}, {"X-HTTP-Method-Override": "PATCH"}, {"Transfer-Encoding": "identity"}, {"If-None-Match": "x"}])


def storage_complaint(status: int, content: bytes, verb: str) -> str | None:
    """What is wrong with a reply of Cloud Storage's; those that bring no error may hold anything."""
    if status < 400:
        return None if status in (200, 204, 206, 304, 308) else f"status {status}"
    if status in (412, 416, 499) or verb == "HEAD":
        return None
    if status >= 500 and status != 501:
        return f"status {status}: {content[:500]!r}"
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return f"no error: {status} {content[:500]!r}"
    found = [entry for entry in entries(error) if entry["reason"] in RETRIED]
    return f"{status} {found[0]}" if found or error.get("code") != status else None


class FileStorm(Storm):
    """make: what makes the next request; host: whom it is for; wrong: what is wrong with a reply."""

    def storm(self, make, host: str, wrong) -> int:
        end, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            verb, target, headers, body = make()
            try:
                status, content, _ = self.send(verb, target, headers, body, host)
            except (gzip.BadGzipFile, EOFError, zlib.error):  # an object that is not what its contentEncoding says
                status, content = 200, b""
            except OSError as error:
                status, content = 0, repr(error).encode()
            said = self.complaints()
            begun = status == 200 and not content and self.location  # a session
            fault = f"no reply: {content!r}" if not status else None if begun else wrong(status, content, verb) or (said if "Traceback" in said else None)
            assert not fault, f"request {count}: {verb} {target} {headers}\n{body[:2000]!r}\n{fault[-3000:]}\n{said[-3000:]}"
            count += 1
        return count

    def send(self, verb: str, target: str, headers: dict[str, str], body: bytes, host: str = ""):
        status, content, seconds = super().send(verb, target, headers, body, host)
        if "upload_id" in (self.location or ""):
            self.maker.uploads = [*self.maker.uploads[-3:], "/" + self.location.partition("://")[2].partition("/")[2]]
        return status, content, seconds


@pytest.fixture
def storms(tmp_path):
    """storms(seed): an emulator with a small world in it."""
    with (tmp_path / "stderr").open("w+b") as errors, running_emulator("--data-dir", str(tmp_path / "data"), stderr=errors) as ready:
        def make(seed: int) -> FileStorm:
            storm = FileStorm(ready, (tmp_path / "stderr").open("rb"), seed)
            storm.maker = FileMaker(random.Random(seed))
            storm.build()
            return storm
        yield make


@pytest.mark.parametrize("seed", SEEDS[:1])
def test_random_uploads(storms, seed):
    storm = storms(seed)
    print(f"seed {seed}: {storm.storm(storm.maker.load, storm.host, complaint)} uploads")
    storm.works()


@pytest.mark.parametrize("seed", SEEDS[:1])
def test_random_requests_of_cloud_storage(storms, seed):
    storm = storms(seed)
    for name in ("bk0", "bk1"):
        assert storm.send("POST", "/storage/v1/b", {}, json.dumps({"name": name}).encode(), storm.storage)[0] == 200
    print(f"seed {seed}: {storm.storm(storm.maker.stored, storm.storage, storage_complaint)} requests")
    storm.works()
