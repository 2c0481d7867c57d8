"""The embedded Cloud Storage: `gcp-storage-emulator` in this process, made safe for threads and crashes.

Its handlers do the work; here are the server around them, who owns a bucket, and the files that
load and extract jobs read and write.
"""
from __future__ import annotations

import base64
import fnmatch
import hashlib
import io
import json
import logging
import os
import re
import shutil
import tempfile
import threading
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import google_crc32c
from gcp_storage_emulator import server as library
from gcp_storage_emulator.handlers import buckets, objects
from gcp_storage_emulator.storage import Storage as Files
from gcp_storage_emulator.storage import _FileStore

from .errors import not_found
from .projects import number

log = logging.getLogger(__name__)
logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)

BUCKET_NAME = re.compile(r"[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9]")
LOCAL = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?", re.IGNORECASE)
WRITERS = {"roles/storage.admin", "roles/storage.objectAdmin", "roles/storage.objectCreator", "roles/storage.objectUser",
           "roles/storage.legacyBucketWriter", "roles/storage.legacyBucketOwner", "roles/owner", "roles/editor"}
READERS = {"roles/storage.admin", "roles/storage.objectAdmin", "roles/storage.objectViewer", "roles/storage.objectUser",
           "roles/storage.legacyObjectReader", "roles/storage.legacyObjectOwner", "roles/owner", "roles/editor", "roles/viewer"}


class AtomicStore(_FileStore):
    """Files that are there whole or not at all, whenever the process ends."""

    def write_bytes(self, rel: str, content: bytes) -> None:
        path = self._disk_path(rel)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)


class SafeFiles(Files):
    """The library's storage, each object in a file named by a hash.

    An object's name may hold anything: `..`, a name that is another's folder, 1,024 bytes.
    """

    def __init__(self, data_dir: Path):
        super().__init__(data_dir=str(data_dir))
        self._store = AtomicStore(use_memory=False, root=data_dir)
        self._read_config_from_file()

    def _object_path(self, bucket_name: str, file_name: str) -> str:
        return f"{bucket_name}/{hashlib.sha256(file_name.encode()).hexdigest()}"

    def path(self, bucket: str, name: str) -> Path:
        return self._store._disk_path(self._object_path(bucket, name))

    def adopt(self, bucket: str, name: str, source: Path, resource: dict) -> None:
        """Make a local file an object, without reading it whole."""
        if bucket not in self.buckets:
            raise not_found("URI", f"gs://{bucket}")
        with source.open("rb") as file:
            os.fsync(file.fileno())
        shutil.move(source, self.path(bucket, name))
        self.objects.setdefault(bucket, {})[name] = resource
        self._write_config_to_file()


def checksums(file: Path) -> dict:
    """A file's md5Hash, crc32c and etag as an object's resource has them."""
    md5, crc = hashlib.md5(usedforsecurity=False), google_crc32c.Checksum()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            md5.update(chunk)
            crc.update(chunk)
    text = base64.b64encode(md5.digest()).decode()
    return {"md5Hash": text, "etag": text, "crc32c": base64.b64encode(crc.digest()).decode()}


class Storage:
    """Buckets and their objects. data_dir: where they are kept, None for a folder that ends with the process."""

    def __init__(self, data_dir: Path | None, project: str):
        self._temporary = None if data_dir else tempfile.mkdtemp(prefix="storage-emulator-")
        self.project = project
        self.files = SafeFiles(Path(data_dir or self._temporary).resolve())
        self.lock = threading.RLock()

    def start(self, host: str, port: int) -> int:
        """Listen; the port, also where 0 asked for a free one. OSError where it is taken."""
        self._server = Server((host, port), Handler)
        self._server.storage = self
        threading.Thread(target=self._server.serve_forever, name="storage", daemon=True).start()
        return self._server.server_address[1]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def bucket(self, name: str) -> dict | None:
        """A bucket's resource."""
        return self.files.get_bucket(name)

    def may_write(self, bucket: str, project: str, principal: str) -> bool:
        """Whether a caller may write: the bucket is of the caller's project, or its policy lets the caller."""
        return self._may(WRITERS, bucket, project, principal)

    def may_read(self, bucket: str, project: str, principal: str) -> bool:
        """Whether a caller may read a bucket's objects."""
        return self._may(READERS, bucket, project, principal)

    def _may(self, roles: set[str], bucket: str, project: str, principal: str) -> bool:
        if self.bucket(bucket)["projectNumber"] == number(project):
            return True
        members = {"allUsers", "allAuthenticatedUsers", f"user:{principal}", f"serviceAccount:{principal}"}
        policy = self.files.get_bucket_iam_policy(bucket) or {}
        return any(binding["role"] in roles and members & set(binding.get("members", ())) for binding in policy.get("bindings", ()))

    def objects(self, bucket: str, pattern: str) -> list[str]:
        """The names in a bucket that a gs:// pattern means; `*` stands for any characters, slashes too."""
        escaped = re.sub(r"([\[?])", r"[\1]", pattern)
        with self.lock:
            return sorted(name for name in self.files.objects.get(bucket, {}) if fnmatch.fnmatchcase(name, escaped))

    def path(self, bucket: str, name: str) -> Path:
        """The local file of an object."""
        return self.files.path(bucket, name)

    def write(self, bucket: str, name: str, source: Path, content_type: str) -> None:
        """Store a finished local file as an object; the file is moved."""
        resource = objects._make_object_resource("", bucket, name, content_type, str(source.stat().st_size)) | checksums(source)
        with self.lock:
            self.files.adopt(bucket, name, source, resource)


# The server ---------------------------------------------------------------------------------------

def insert_bucket(request, response, storage, *_) -> None:
    """buckets.insert, with the owner and the location that the library leaves out."""
    name = (request.data or {}).get("name") or ""
    if not BUCKET_NAME.fullmatch(name):
        return fail(response, HTTPStatus.BAD_REQUEST, f"Invalid bucket name: '{name}'", "invalid")
    owner = number(request.query["project"][0]) if request.query.get("project") else storage.project_number
    if old := storage.get_bucket(name):
        mine = old["projectNumber"] == owner
        return fail(response, HTTPStatus.CONFLICT, "Your previous request to create the named bucket succeeded and you already own it." if mine else
                    "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
                    "Please select a different name and try again.", "conflict")
    resource = buckets._patch_bucket(buckets._make_bucket_resource(name, owner), request.data)
    resource |= {"location": (request.data.get("location") or "US").upper(), "metageneration": "1"}
    response.json(storage.create_bucket(name, resource))


def list_buckets(request, response, storage, *_) -> None:
    """buckets.list: those of the project, by prefix."""
    owner = number(request.query["project"][0]) if request.query.get("project") else storage.project_number
    prefix = request.query.get("prefix", [""])[0]
    found = [resource for name, resource in sorted(storage.buckets.items()) if resource["projectNumber"] == owner and name.startswith(prefix)]
    response.json({"kind": "storage#buckets", "items": found})


def check_conditions(request, response, storage) -> bool:
    """Whether an object is still in the generation that the caller expects (ifGenerationMatch; 0: there is none)."""
    conditions = {name for name in request.query if name.startswith("if")}
    if conditions - {"ifGenerationMatch"}:
        fail(response, HTTPStatus.NOT_IMPLEMENTED, f"The embedded Cloud Storage does not support {min(conditions)} yet.", "notImplemented")
        return False
    params = request.params
    name = params.get("dest_object_id") or params.get("object_id") or request.query.get("name", [None])[0]
    if conditions and name is None:
        body = request.data if isinstance(request.data, dict) else {}
        name = (body.get("meta") or body).get("name")
    there = storage.objects.get(params.get("dest_bucket_name") or params.get("bucket_name"), {}).get(name, {})
    if conditions and request.query["ifGenerationMatch"][0] != there.get("generation", "0"):
        fail(response, HTTPStatus.PRECONDITION_FAILED, "At least one of the pre-conditions you specified did not hold.", "conditionNotMet")
        return False
    return True


def explain(request, response) -> None:
    """Say why, where the library's handlers leave an error's body empty."""
    if response._content or response.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
        return
    params = request.params
    name = params.get("bucket_name")
    if response.status == HTTPStatus.CONFLICT:
        fail(response, response.status, "The bucket you tried to delete is not empty.", "conflict")
    elif "object_id" in params and request._request_handler.files.get_bucket(name):
        fail(response, response.status, f"No such object: {name}/{params['object_id']}", "notFound")
    else:
        fail(response, response.status, "The specified bucket does not exist.", "notFound")


def fail(response, status: HTTPStatus, message: str, reason: str) -> None:
    response.status = status
    response.json({"error": {"code": status.value, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}})


PREFIX = r"^(?:/storage/v1)?"
ROUTES = [
    (re.compile(PREFIX + "/b$"), {"GET": list_buckets, "POST": insert_bucket}),
    # Some clients leave out /upload.
    (re.compile(PREFIX + r"/b/(?P<bucket_name>[-.\w]+)/o$"), {"GET": objects.ls, "POST": objects.insert}),
    # All of the library's but /wipe, which any page could call.
    *((re.compile(pattern), handlers) for pattern, handlers in library.HANDLERS if "wipe" not in pattern),
]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    storage: Storage


class Response(library.Response):
    """An answer whose objects are linked under the address that the caller used: the port may be another than when they were stored."""

    def json(self, body) -> None:
        base = f"http://{self._handler.headers['Host']}"
        if isinstance(body, dict):
            body = linked(body, base) | {key: linked(body[key], base) for key in ("resource",) if key in body}
            body |= {"items": [linked(item, base) for item in body["items"]]} if "items" in body else {}
        super().json(body)


def linked(resource: dict, base: str) -> dict:
    """A resource, with its links if it is an object's."""
    if resource.get("kind") != "storage#object":
        return resource
    path = f"storage/v1/b/{resource['bucket']}/o/{quote(resource['name'], safe='')}"
    return resource | {"selfLink": f"{base}/{path}", "mediaLink": f"{base}/download/{path}?generation={resource['generation']}&alt=media"}


class Handler(library.RequestHandler):
    """One connection. The library's handlers see a request that is here whole, one at a time."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args):
        super().__init__(None, *args)

    def setup(self) -> None:
        super().setup()
        self.files = self.server.storage.files

    def answer(self) -> None:
        """Read the request whole, then answer it whole, so that a slow or broken connection holds up nobody."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            return self.send_error(HTTPStatus.BAD_REQUEST, f"Invalid Content-Length: {length}")
        body = library._read_raw_data(self) or b""
        del self.headers["Transfer-Encoding"], self.headers["Content-Length"]
        self.headers["Content-Length"] = str(len(body))
        connection, self.rfile, self.wfile = (self.rfile, self.wfile), io.BytesIO(body), io.BytesIO()
        try:
            self.dispatch(self.headers.get("x-http-method-override") or self.command)
            answer = self.wfile.getvalue()
        finally:
            self.rfile, self.wfile = connection
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def dispatch(self, verb: str) -> None:
        response = Response(self)
        try:
            if self.welcome(response):
                request = library.Request(self, verb)
                with self.server.storage.lock:
                    self.route(verb, request, response)
                explain(request, response)
        except json.JSONDecodeError as error:
            fail(response, HTTPStatus.BAD_REQUEST, f"Parse Error: {error}", "parseError")
        except Exception as error:
            log.exception("%s %s failed", verb, self.path)
            fail(response, HTTPStatus.NOT_IMPLEMENTED, f"A fault of the embedded Cloud Storage: {type(error).__name__}: {error}", "notImplemented")
        response.close()

    def welcome(self, response) -> bool:
        """Whether a program on this machine asks, not a web page: of another origin, or under a name of its own for this address."""
        host = self.headers.get("Host", "")
        if (LOCAL.fullmatch(host) or host == "%s:%s" % self.server.server_address[:2]) and not self.headers.get("Origin"):
            return True
        fail(response, HTTPStatus.FORBIDDEN, "The embedded Cloud Storage answers programs on this machine only.", "forbidden")
        return False

    def route(self, verb: str, request, response) -> None:
        for pattern, handlers in ROUTES:
            match = pattern.fullmatch(request.path)
            if match and verb in handlers:
                request.set_match(match)
                if check_conditions(request, response, self.files):
                    handlers[verb](request, response, self.files)
                return
        fail(response, HTTPStatus.NOT_IMPLEMENTED, f"The embedded Cloud Storage does not support {verb} {request.path} yet.", "notImplemented")
