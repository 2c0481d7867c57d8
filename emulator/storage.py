"""The embedded Cloud Storage: buckets, and objects with their generations, as files in a folder; the package gcs serves them.

An object's content is a file that never changes. Its resource, a JSON file beside it that is written last, makes it an object: it
is there whole or not at all, whenever the process ends.
"""
from __future__ import annotations

import base64
import datetime as dt
import fnmatch
import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
from pathlib import Path

import google_crc32c

from .errors import ApiError, not_found
from .projects import number

WRITERS = {"roles/storage.admin", "roles/storage.objectAdmin", "roles/storage.objectCreator", "roles/storage.objectUser",
           "roles/storage.legacyBucketWriter", "roles/storage.legacyBucketOwner", "roles/owner", "roles/editor"}
READERS = {"roles/storage.admin", "roles/storage.objectAdmin", "roles/storage.objectViewer", "roles/storage.objectUser",
           "roles/storage.legacyObjectReader", "roles/storage.legacyObjectOwner", "roles/owner", "roles/editor", "roles/viewer"}
BUCKET, RESOURCE = "bucket", ".json"  # the file of a bucket's resource; the ending of an object's


def moment(later: dt.timedelta = dt.timedelta(), since: str = "") -> str:
    """A moment as resources tell it, from now or since another; of two the later text is the later one."""
    begin = dt.datetime.fromisoformat(since) if since else dt.datetime.now(dt.timezone.utc)
    return (begin + later).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def checksums(file: Path) -> dict:
    """A file's md5Hash and crc32c as an object's resource has them."""
    md5, crc = hashlib.md5(usedforsecurity=False), google_crc32c.Checksum()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            md5.update(chunk)
            crc.update(chunk)
    return {"md5Hash": base64.b64encode(md5.digest()).decode(), "crc32c": base64.b64encode(crc.digest()).decode()}


class Storage:
    """Buckets and their objects. data_dir: where they are kept, None for a folder that ends with the process.

    buckets: name -> resource; live: bucket -> name -> resource; old: bucket -> name -> the resources of generations that are no
    longer live, the newest last. Keys of a resource that begin with `_` are its own: _file, _policy. Whoever reads before
    writing holds `lock`.
    """

    def __init__(self, data_dir: Path | None, project: str):
        self._temporary = None if data_dir else tempfile.mkdtemp(prefix="storage-emulator-")
        self.project = project
        self.root = Path(data_dir or self._temporary).resolve()
        self.lock = threading.RLock()
        self.buckets: dict[str, dict] = {}
        self.live: dict[str, dict[str, dict]] = {}
        self.old: dict[str, dict[str, list[dict]]] = {}
        self._generation = 0
        self.root.mkdir(parents=True, exist_ok=True)
        self._load()

    def _load(self) -> None:
        for folder in self.root.iterdir():
            if folder.is_file():
                folder.unlink()  # an upload that a killed process left
            if not (folder / BUCKET).is_file():
                continue
            self._know(json.loads((folder / BUCKET).read_text()))
            found = [json.loads(file.read_text()) for file in folder.glob("*" + RESOURCE)]
            for resource in sorted(found, key=lambda each: int(each["generation"])):
                self._place(resource)
                self._generation = max(self._generation, int(resource["generation"]))
            bucket = folder.name
            files = {each["_file"] for each in (*self.live[bucket].values(), *sum(self.old[bucket].values(), []))}
            for leftover in folder.iterdir():  # of a process that was killed
                if leftover.name != BUCKET and leftover.name.removesuffix(RESOURCE) not in files:
                    leftover.unlink()

    def _know(self, bucket: dict) -> None:
        self.buckets[bucket["name"]] = bucket
        self.live.setdefault(bucket["name"], {})
        self.old.setdefault(bucket["name"], {})

    def _place(self, resource: dict) -> None:
        bucket, name = resource["bucket"], resource["name"]
        if "timeDeleted" in resource:
            self.old[bucket].setdefault(name, []).append(resource)
        else:
            self.live[bucket][name] = resource

    def start(self, host: str, port: int) -> int:
        """Listen; the port, also where 0 asked for a free one. OSError where it is taken."""
        from .gcs.server import Server
        self._server = Server(self, host, port)
        threading.Thread(target=self._server.serve_forever, name="storage", daemon=True).start()
        return self._server.server_address[1]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    # What jobs use --------------------------------------------------------------------------------

    def bucket(self, name: str) -> dict | None:
        """A bucket's resource."""
        return self.buckets.get(name)

    def may_write(self, bucket: str, project: str, principal: str) -> bool:
        """Whether a caller may write: the bucket is of the caller's project, or its policy lets the caller."""
        return self._may(WRITERS, bucket, project, principal)

    def may_read(self, bucket: str, project: str, principal: str) -> bool:
        """Whether a caller may read a bucket's objects."""
        return self._may(READERS, bucket, project, principal)

    def _may(self, roles: set[str], bucket: str, project: str, principal: str) -> bool:
        if self.buckets[bucket]["projectNumber"] == number(project):
            return True
        members = {"allUsers", "allAuthenticatedUsers", f"user:{principal}", f"serviceAccount:{principal}"}
        bindings = self.buckets[bucket].get("_policy", {}).get("bindings", ())
        return any(binding["role"] in roles and members & set(binding.get("members", ())) for binding in bindings)

    def objects(self, bucket: str, pattern: str) -> list[str]:
        """The names in a bucket that a gs:// pattern means; `*` stands for any characters, slashes too."""
        escaped = re.sub(r"([\[?])", r"[\1]", pattern)
        with self.lock:
            return sorted(name for name in self.live.get(bucket, {}) if fnmatch.fnmatchcase(name, escaped))

    def path(self, bucket: str, name: str) -> Path:
        """The local file of an object."""
        return self.content(self.live[bucket][name])

    def write(self, bucket: str, name: str, source: Path, content_type: str) -> None:
        """Store a finished local file as an object; the file is moved. ApiError notFound, accessDenied in a job's words."""
        if bucket not in self.buckets:
            raise not_found("URI", f"gs://{bucket}")
        try:
            self.add(bucket, name, source, {"contentType": content_type, **checksums(source)})
        except ApiError as error:
            raise ApiError("accessDenied", f"Access Denied: File gs://{bucket}/{name}: {error.message}") from None

    # Buckets and objects --------------------------------------------------------------------------

    def put_bucket(self, resource: dict) -> dict:
        if "_lent" in resource:
            self.check_own(resource["name"])
        if self.lent(resource["name"]):
            self.live[resource["name"]] = {}
        (self.root / resource["name"]).mkdir(exist_ok=True)
        self._save(self.root / resource["name"] / BUCKET, resource)
        self._know(resource)
        return resource

    def lend(self, bucket: dict, files: dict[str, tuple[Path, str]], copied: bool) -> None:
        """Show files that lie elsewhere (name -> file and content type) as objects of a bucket, unless there is one of its name.

        They can't be changed, but whoever makes a bucket of that name has it from then on. copied: they are the storage's own files instead.
        """
        name = bucket["name"]
        if name in self.buckets:
            return
        if copied:
            self.put_bucket(bucket)
        else:
            self._know({**bucket, "_lent": True})
        for key, (file, kind) in files.items():
            known = {"contentType": kind, **checksums(file)}
            if copied:
                self.add(name, key, Path(shutil.copy(file, self.root / f"{BUCKET}-{len(self.live[name])}")), known)
            else:
                stamp = dict.fromkeys(("timeCreated", "updated", "timeStorageClassUpdated"), bucket["timeCreated"])
                self._place({"kind": "storage#object", "id": f"{name}/{key}/1", "name": key, "bucket": name, "generation": "1", "metageneration": "1",
                             "storageClass": bucket["storageClass"], "size": str(file.stat().st_size), **stamp, **known, "_file": str(file)})

    def lent(self, bucket: str) -> bool:
        """Whether a bucket shows files that lie elsewhere."""
        return bool(self.buckets.get(bucket, {}).get("_lent"))

    def check_own(self, bucket: str) -> None:
        """ApiError forbidden for a change of a bucket that is lent, or of what is in it."""
        if self.lent(bucket):
            raise ApiError("forbidden", f"The bucket {bucket} is public and read-only: the caller has no permission to change it or its objects.")

    def versioned(self, bucket: str) -> bool:
        return bool(self.buckets[bucket].get("versioning", {}).get("enabled"))

    def kept_until(self, resource: dict) -> str | None:
        """The moment when the bucket's retention policy lets go of a generation; None without one, and while it waits for an event."""
        period = int(self.buckets[resource["bucket"]].get("retentionPolicy", {}).get("retentionPeriod") or 0)
        if not period or resource.get("eventBasedHold"):
            return None
        return moment(dt.timedelta(seconds=period), resource.get("_released", resource["timeCreated"]))

    def check_kept(self, resource: dict, archived: bool) -> None:
        """ApiError forbidden where a generation must stay. archived: it stays as an old one, which a hold alone forbids."""
        name = f"{resource['bucket']}/{resource['name']}"
        if resource.get("temporaryHold") or resource.get("eventBasedHold"):
            raise ApiError("forbidden", f"Object '{name}' is under active hold and cannot be deleted, overwritten or archived.")
        until = self.kept_until(resource)
        if until and not archived and until > moment():
            raise ApiError("forbidden", f"Object '{name}' is subject to bucket's retention policy or object retention and cannot be deleted or overwritten "
                                        f"until {until}")

    def drop_bucket(self, name: str) -> None:
        self.check_own(name)
        for known in (self.buckets, self.live, self.old):
            del known[name]
        shutil.rmtree(self.root / name)

    def content(self, resource: dict) -> Path:
        """The local file of an object's generation."""
        return self.root / resource["bucket"] / resource["_file"]

    def find(self, bucket: str, name: str, generation: str | None = None) -> dict | None:
        """An object's resource: the live one, or that of a generation."""
        live = self.live.get(bucket, {}).get(name)
        if generation is None or live and live["generation"] == generation:
            return live
        return next((each for each in self.old.get(bucket, {}).get(name, ()) if each["generation"] == generation), None)

    def add(self, bucket: str, name: str, source: Path, properties: dict) -> dict:
        """Make a local file, which is moved, the live generation of an object; its resource. properties: its checksums among them."""
        self.check_own(bucket)
        with source.open("rb") as file:
            os.fsync(file.fileno())
        with self.lock:
            generation = str(self._next_generation())
            # A hash, for a name may hold anything: `..`, a name that is another's folder, 1,024 bytes.
            stored = f"{hashlib.sha256(name.encode()).hexdigest()}-{generation}"
            now = moment()
            resource = {
                "kind": "storage#object", "id": f"{bucket}/{name}/{generation}", "name": name, "bucket": bucket, "generation": generation,
                "metageneration": "1", "storageClass": self.buckets[bucket]["storageClass"], "size": str(source.stat().st_size), "timeCreated": now,
                "updated": now, "timeStorageClassUpdated": now, **properties, "_file": stored}
            before = self.live[bucket].get(name)
            if before:
                self.check_kept(before, archived=self.versioned(bucket))
            shutil.move(source, self.content(resource))
            self.save(resource)
            if before:
                self._retire(before)
            return resource

    def _next_generation(self) -> int:
        self._generation = max(self._generation + 1, time.time_ns() // 1000)
        return self._generation

    def save(self, resource: dict) -> dict:
        """Keep a live object's resource as it is now."""
        self.check_own(resource["bucket"])
        self._save(self.content(resource).with_name(resource["_file"] + RESOURCE), resource)
        self._place(resource)
        return resource

    def delete(self, resource: dict, for_good: bool = False) -> None:
        """Delete a generation; a live one stays as an old one in a bucket with versioning, unless it is for good."""
        bucket, name = resource["bucket"], resource["name"]
        self.check_own(bucket)
        self.check_kept(resource, archived=self.versioned(bucket) and not for_good and "timeDeleted" not in resource)
        if "timeDeleted" in resource:
            self.old[bucket][name].remove(resource)
            self._unlink(resource)
            return
        del self.live[bucket][name]
        self._unlink(resource) if for_good else self._retire(resource)

    def _retire(self, resource: dict) -> None:
        """What becomes of a generation that is live no more."""
        if self.versioned(resource["bucket"]):
            self.save({**resource, "timeDeleted": moment()})
        else:
            self._unlink(resource)

    def _unlink(self, resource: dict) -> None:
        file = self.content(resource)
        file.with_name(file.name + RESOURCE).unlink()
        file.unlink()

    def _save(self, path: Path, resource: dict) -> None:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".new-", delete=False) as file:
            json.dump(resource, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)
