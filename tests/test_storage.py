"""The embedded Cloud Storage through Google's storage client."""
import threading
import uuid

import pytest
import requests
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud import storage

from conftest import environment, running_emulator


@pytest.mark.parametrize("name", ["plain.csv", "a/b/c.txt", "a", "../../etc/passwd", "ग्राहक 01.txt", "x" * 1000, "%2e%2e%2fup", "a//b"])
def test_objects_of_every_name(bucket, name):
    bucket.blob(name).upload_from_string("content of it")
    assert bucket.blob(name).download_as_bytes() == b"content of it"
    assert name in [blob.name for blob in bucket.list_blobs()]


def test_bucket_resource_lists_and_conflicts(storage_client, bucket):
    assert bucket.location == "US" and bucket.project_number
    assert bucket.name in [found.name for found in storage_client.list_buckets()]
    with pytest.raises(Conflict, match="you already own it"):
        storage_client.create_bucket(bucket.name)
    far = storage_client.create_bucket(f"far-{bucket.name}", location="EU")
    assert storage_client.get_bucket(far.name).location == "EU"
    far.delete()
    with pytest.raises(NotFound):
        storage_client.get_bucket(far.name)
    with pytest.raises(BadRequest, match="Invalid bucket name"):
        storage_client.create_bucket("BAD NAME")


def test_a_strangers_bucket(emulator, storage_client):
    with environment(emulator):
        stranger = storage.Client(project="someone-else")
    theirs = stranger.create_bucket(f"theirs-{uuid.uuid4().hex[:12]}")
    with pytest.raises(Conflict, match="name is not available"):
        storage_client.create_bucket(theirs.name)
    assert theirs.name not in [found.name for found in storage_client.list_buckets()]
    assert theirs.name in [found.name for found in stranger.list_buckets()]
    theirs.delete()


def test_large_and_resumable_uploads_and_ranges(bucket):
    content = bytes(range(256)) * 4096 * 3
    blob = bucket.blob("large.bin", chunk_size=1024 * 1024)
    blob.upload_from_string(content)
    assert bucket.get_blob("large.bin").size == len(content)
    assert bucket.blob("large.bin").download_as_bytes(start=100, end=199) == content[100:200]


def test_copy_compose_and_delete(bucket):
    one, two = bucket.blob("one"), bucket.blob("two")
    one.upload_from_string("1")
    two.upload_from_string("2")
    bucket.blob("both").compose([one, two])
    bucket.copy_blob(bucket.blob("both"), bucket, "copy")
    assert bucket.blob("copy").download_as_text() == "12"
    one.delete()
    assert not bucket.blob("one").exists()


def test_a_generation_that_is_no_more(bucket):
    blob = bucket.blob("once")
    blob.upload_from_string("1", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("once").upload_from_string("2", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        blob.delete(if_generation_match=7)
    blob.delete(if_generation_match=blob.generation)


@pytest.mark.parametrize("content", [b"", b"\r\n", b"a\rb\n\nc\r\n", bytes(range(256)) * 3, b"\r\n--==\r\n\r\n", "é\n".encode("utf-16")])
def test_every_byte_comes_back(bucket, content):
    bucket.blob("bytes").upload_from_string(content, content_type="text/plain")
    assert bucket.blob("bytes").download_as_bytes() == content


def test_malformed_requests(emulator, bucket):
    answer = requests.post(f"{emulator['storage']}/storage/v1/b", data="{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and "Parse Error" in answer.json()["error"]["message"]
    request = requests.Request("GET", f"{emulator['storage']}/storage/v1/b").prepare()
    request.headers["Content-Length"] = "-5"
    assert requests.Session().send(request, timeout=10).status_code == 400


def test_what_is_missing_is_named(storage_client, bucket):
    with pytest.raises(NotFound, match=f"No such object: {bucket.name}/nothing"):
        bucket.blob("nothing").reload()
    with pytest.raises(NotFound, match="The specified bucket does not exist"):
        storage_client.get_bucket("there-is-no-such-bucket")
    bucket.blob("x").upload_from_string("x")
    with pytest.raises(Conflict, match="is not empty"):
        bucket.delete()


@pytest.mark.parametrize("name", ["a b/ü?x=1#y.csv", "plain.csv"])
def test_listed_objects_can_be_fetched(bucket, name):
    bucket.blob(name).upload_from_string("content")
    found = bucket.get_blob(name)
    assert found.media_link.startswith("http://") and found.download_as_bytes() == b"content"
    assert bucket.copy_blob(found, bucket, "copy").download_as_bytes() == b"content"


def test_uploads_at_once_from_many_threads(storage_client, bucket):
    failures = []

    def upload(index: int) -> None:
        try:
            bucket.blob(f"t{index}").upload_from_string("x" * index)
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=upload, args=[index]) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(list(bucket.list_blobs(prefix="t"))) == 12


def test_objects_survive_a_kill(tmp_path):
    for expected in ([], ["first"]):
        with running_emulator("--data-dir", str(tmp_path)) as ready, environment(ready):
            client = storage.Client()
            bucket = client.bucket("kept") if expected else client.create_bucket("kept")
            assert [blob.name for blob in bucket.list_blobs()] == expected
            bucket.blob("first").upload_from_string("content")
            ready["process"].kill()


@pytest.mark.parametrize("path, headers, code", [
    ("/wipe", {}, 501), ("/storage/v1/b", {"Host": "evil.example"}, 403), ("/storage/v1/b", {"Origin": "http://evil.example"}, 403),
    ("/storage/v1/b/..%2f..%2fetc/o", {}, 404), ("/..%2f..%2fetc/passwd", {}, 404), ("/a/..%2f..%2f..%2fetc%2fpasswd", {}, 404), ("/nothing", {}, 501)])
def test_what_it_does_not_answer(emulator, path, headers, code):
    answer = requests.Session().send(_raw(emulator["storage"] + path, headers))
    assert answer.status_code == code and answer.json()["error"]["message"]


def _raw(url: str, headers: dict):
    """A GET whose path is sent as it stands."""
    request = requests.Request("GET", url, headers=headers).prepare()
    request.url = url
    return request
