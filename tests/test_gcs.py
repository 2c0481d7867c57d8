"""Cloud Storage's API through Google's storage client: what it documents of buckets, objects, uploads and downloads."""
import datetime as dt
import gzip
import io
import os
import uuid

import pytest
import requests
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, MethodNotImplemented, NotFound, NotModified, PreconditionFailed, RequestRangeNotSatisfiable
from google.cloud import storage
from google.cloud.storage import transfer_manager
from google.oauth2 import service_account

from conftest import environment, running_emulator

KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"


def names(found) -> list[str]:
    return [blob.name for blob in found]


# Buckets ------------------------------------------------------------------------------------------

def test_a_bucket_keeps_what_is_set_and_forgets_what_is_taken_away(storage_client, bucket):
    bucket.labels = {"a": "1", "b": "2"}
    bucket.cors = [{"origin": ["*"], "method": ["GET"], "maxAgeSeconds": 10}]
    bucket.add_lifecycle_delete_rule(age=2)
    bucket.storage_class = "NEARLINE"
    bucket.default_kms_key_name = KEY
    bucket.patch()
    labels = bucket.labels
    del labels["a"]
    bucket.labels = labels
    bucket.clear_lifecycle_rules()
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.patch()
    found = storage_client.get_bucket(bucket.name)
    assert (found.labels, found.storage_class, found.default_kms_key_name, list(found.lifecycle_rules)) == ({"b": "2"}, "NEARLINE", KEY, [])
    assert found.cors[0]["method"] == ["GET"] and found.iam_configuration.uniform_bucket_level_access_enabled and found.metageneration == 3
    with pytest.raises(PreconditionFailed):
        found.patch(if_metageneration_match=2)
    bucket.blob("object").upload_from_string("")
    assert bucket.get_blob("object").storage_class == "NEARLINE"


def test_moments_of_a_bucket(bucket):
    bucket.retention_period, bucket.autoclass_enabled = 1, True
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.patch()
    began = bucket.retention_policy_effective_time
    assert began == bucket.autoclass_toggle_time and bucket.iam_configuration.uniform_bucket_level_access_locked_time > began
    bucket.labels = {"a": "b"}
    bucket.patch()
    assert bucket.retention_policy_effective_time == began and not bucket.retention_policy_locked
    blob = bucket.blob("x")
    blob.upload_from_string("x")
    bucket.retention_period = 1000
    bucket.patch()
    with pytest.raises(Forbidden, match="retention policy"):
        blob.delete()
    assert bucket.retention_policy_effective_time > began
    bucket.retention_period, bucket.iam_configuration.uniform_bucket_level_access_enabled = None, False
    bucket.patch()
    assert bucket.retention_policy_effective_time is None and bucket.iam_configuration.uniform_bucket_level_access_locked_time is None
    blob.delete()


def test_what_a_retention_policy_keeps(client, dataset, bucket):
    bucket.retention_period = 1000
    bucket.patch()
    blob = bucket.blob("kept.csv")
    blob.upload_from_string("x", if_generation_match=0)
    assert (blob.retention_expiration_time - blob.time_created).total_seconds() == 1000
    bucket.blob("other").upload_from_string("y")
    table = client.load_table_from_json([{"n": 1}], f"{dataset}.t").result().destination
    for overwrite in (lambda: blob.upload_from_string("z"), lambda: bucket.blob("kept.csv", chunk_size=1 << 18).upload_from_file(io.BytesIO(b"z" * (1 << 19))),
                      lambda: bucket.copy_blob(bucket.blob("other"), bucket, "kept.csv"), lambda: blob.compose([bucket.blob("other")]),
                      lambda: client.extract_table(table, f"gs://{bucket.name}/kept.csv").result()):
        with pytest.raises(Forbidden, match="retention policy or object retention and cannot be deleted or overwritten until 20"):
            overwrite()
    assert blob.download_as_bytes() == b"x"
    bucket.versioning_enabled = True
    bucket.patch()
    blob.upload_from_string("z")
    assert names(bucket.list_blobs(versions=True)) == ["kept.csv", "kept.csv", "other"]
    with pytest.raises(Forbidden, match="retention policy"):
        bucket.delete_blob("kept.csv", generation=blob.generation)
    bucket.retention_period = None
    bucket.patch()


def test_what_a_hold_keeps(bucket):
    bucket.retention_period = 1000
    bucket.patch()
    blob = bucket.blob("held")
    blob.upload_from_string("x")
    blob.event_based_hold = True
    blob.patch()
    assert blob.retention_expiration_time is None
    with pytest.raises(Forbidden, match="under active hold"):
        blob.upload_from_string("y")
    blob.event_based_hold = False
    blob.patch()
    assert blob.retention_expiration_time - blob.updated == dt.timedelta(seconds=1000)
    bucket.retention_period = None
    bucket.patch()


def test_a_locked_retention_policy_stays(bucket):
    bucket.retention_period = 1
    bucket.patch()
    bucket.lock_retention_policy()
    assert bucket.retention_policy_locked
    bucket.retention_period = None
    with pytest.raises(Forbidden, match="Cannot remove the locked retention policy"):
        bucket.patch()


def test_buckets_are_listed_by_page_and_prefix(storage_client):
    prefix = f"list-{uuid.uuid4().hex[:12]}-"
    made = [storage_client.create_bucket(f"{prefix}{number}") for number in range(3)]
    assert [len(list(page)) for page in storage_client.list_buckets(prefix=prefix, page_size=2).pages] == [2, 1]
    assert len(list(storage_client.list_buckets(prefix=prefix, max_results=1))) == 1
    for bucket in made:
        bucket.delete()
    assert not made[0].exists() and storage_client.lookup_bucket(made[0].name) is None


def test_a_policy_is_kept_under_its_etag(bucket):
    policy, other = bucket.get_iam_policy(requested_policy_version=3), bucket.get_iam_policy()
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"allUsers"}})
    bucket.set_iam_policy(policy)
    assert [dict(binding) for binding in bucket.get_iam_policy().bindings] == [{"role": "roles/storage.objectViewer", "members": {"allUsers"}}]
    with pytest.raises(PreconditionFailed):
        bucket.set_iam_policy(other)
    assert bucket.test_iam_permissions(["storage.objects.get"]) == ["storage.objects.get"]


def test_old_generations_stay_in_a_bucket_with_versioning(bucket):
    bucket.versioning_enabled = True
    bucket.patch()
    blob = bucket.blob("f")
    blob.upload_from_string("1")
    first = blob.generation
    blob.upload_from_string("2")
    assert len(list(bucket.list_blobs(versions=True))) == 2 and names(bucket.list_blobs()) == ["f"]
    assert bucket.blob("f", generation=first).download_as_bytes() == b"1"
    bucket.delete_blob("f")
    assert not bucket.blob("f").exists() and all(old.time_deleted for old in bucket.list_blobs(versions=True))
    with pytest.raises(Conflict):
        bucket.delete()
    bucket.copy_blob(bucket.blob("f"), bucket, "f", source_generation=first)
    assert bucket.blob("f").download_as_bytes() == b"1"
    bucket.delete_blob("f", generation=first)
    assert bucket.get_blob("f", generation=first) is None


def test_old_generations_survive_a_kill(tmp_path):
    for round_ in range(2):
        with running_emulator("--data-dir", str(tmp_path)) as ready, environment(ready):
            bucket = storage.Client().bucket("kept")
            if not round_:
                bucket.versioning_enabled = True
                bucket.create()
                bucket.blob("f").upload_from_string("1")
                bucket.blob("f").upload_from_string("2")
                bucket.blob("gone").upload_from_string("")
                bucket.delete_blob("gone")
            old = [blob for blob in bucket.list_blobs(versions=True) if blob.name == "f"]
            assert [blob.download_as_bytes() for blob in old] == [b"1", b"2"] and names(bucket.list_blobs()) == ["f"]
            ready["process"].kill()


# Objects ------------------------------------------------------------------------------------------

TREE = ["a.txt", "d/a.txt", "d/b.csv", "d/e/c.txt", "z.csv"]


@pytest.mark.parametrize("options, found, prefixes", [
    ({}, TREE, set()), ({"prefix": "d/"}, TREE[1:4], set()), ({"delimiter": "/"}, ["a.txt", "z.csv"], {"d/"}),
    ({"prefix": "d/", "delimiter": "/"}, ["d/a.txt", "d/b.csv"], {"d/e/"}), ({"max_results": 2}, TREE[:2], set()),
    ({"start_offset": "d/b", "end_offset": "z"}, ["d/b.csv", "d/e/c.txt"], set()), ({"match_glob": "**.csv"}, ["d/b.csv", "z.csv"], set()),
    ({"match_glob": "*.csv"}, ["z.csv"], set()), ({"match_glob": "d/*.{txt,csv}"}, ["d/a.txt", "d/b.csv"], set()),
    ({"match_glob": "**/[ac].txt"}, ["a.txt", "d/a.txt", "d/e/c.txt"], set()), ({"match_glob": "d/?.csv"}, ["d/b.csv"], set()),
    ({"delimiter": "/", "page_size": 1}, ["a.txt", "z.csv"], {"d/"}), ({"fields": "items(name),nextPageToken"}, TREE, set())])
def test_lists(bucket, options, found, prefixes):
    for name in TREE:
        bucket.blob(name).upload_from_string("x")
    listed = bucket.list_blobs(**options)
    assert (names(listed), listed.prefixes) == (found, prefixes)


def test_metadata(bucket):
    blob = bucket.blob("m")
    blob.metadata, blob.cache_control, blob.content_disposition, blob.content_language = {"a": "1", "b": "2"}, "no-cache", "inline", "en"
    blob.upload_from_string("q", content_type="text/q")
    assert blob.metageneration == 1
    blob.metadata = {"a": None}
    blob.patch()
    found = bucket.get_blob("m")
    assert (found.metadata, found.metageneration, found.content_type, found.cache_control, found.content_disposition, found.content_language) == (
        {"b": "2"}, 2, "text/q", "no-cache", "inline", "en")
    blob.metadata = None
    blob.temporary_hold = True
    blob.patch()
    assert bucket.get_blob("m").metadata is None
    with pytest.raises(Exception, match="under active hold"):
        blob.delete()
    blob.temporary_hold = False
    blob.patch()
    blob.update_storage_class("COLDLINE")
    assert bucket.get_blob("m").storage_class == "COLDLINE"


def test_every_precondition(bucket):
    blob = bucket.blob("p")
    blob.upload_from_string("1", if_generation_match=0)
    now, same = blob.generation, {"if_generation_match": blob.generation, "if_metageneration_match": 1}
    for wrong in ({"if_generation_match": 0}, {"if_generation_match": 7}, {"if_metageneration_match": 7}, {"if_generation_not_match": now}):
        with pytest.raises(PreconditionFailed):
            bucket.blob("p").upload_from_string("2", **wrong)
        with pytest.raises(PreconditionFailed):
            bucket.blob("p").delete(**wrong)
        with pytest.raises((PreconditionFailed, NotModified)):
            bucket.blob("p").download_as_bytes(**wrong)
    with pytest.raises(PreconditionFailed):
        bucket.copy_blob(blob, bucket, "q", if_source_generation_match=7)
    with pytest.raises(PreconditionFailed):
        bucket.blob("p", chunk_size=1 << 18).upload_from_file(io.BytesIO(bytes(1 << 19)), if_generation_match=0)
    assert bucket.blob("p").download_as_bytes(**same) == b"1"
    bucket.blob("p").delete(**same)


def test_copies(bucket):
    blob = bucket.blob("source")
    blob.metadata = {"m": "1"}
    blob.upload_from_string("S", content_type="text/q")
    made = bucket.copy_blob(blob, bucket, "copied")
    assert (made.download_as_bytes(), made.content_type, made.metadata) == (b"S", "text/q", {"m": "1"})
    assert bucket.rename_blob(made, "renamed").name == "renamed" and not bucket.blob("copied").exists()
    assert bucket.move_blob(bucket.blob("renamed"), "moved").name == "moved" and not bucket.blob("renamed").exists()
    other = bucket.blob("rewritten")
    other.storage_class = "NEARLINE"
    assert other.rewrite(bucket.blob("moved")) == (None, 1, 1) and bucket.get_blob("rewritten").storage_class == "NEARLINE"
    whole = bucket.blob("whole")
    whole.content_type = "text/w"
    whole.compose([blob, bucket.blob("moved")])
    whole = bucket.get_blob("whole")
    assert (whole.download_as_bytes(), whole.component_count, whole.content_type, whole.md5_hash) == (b"SS", 2, "text/w", None)
    with pytest.raises(NotFound, match="No such object"):
        bucket.blob("q").compose([bucket.blob("nothing")])


def test_an_object_that_is_overwritten_while_it_is_read(bucket):
    content = os.urandom(3 << 20)
    bucket.blob("f").upload_from_string(content)
    with bucket.blob("f").open("rb", chunk_size=1 << 20) as reader:
        first = reader.read(1 << 20)
        bucket.blob("other").upload_from_string("x")
        assert first + reader.read() == content


# Uploads and downloads ----------------------------------------------------------------------------

@pytest.mark.parametrize("options, part", [
    ({"start": 10, "end": 19}, slice(10, 20)), ({"start": 90}, slice(90, None)), ({"start": -7}, slice(-7, None)), ({"end": 4}, slice(0, 5)), ({}, slice(None))])
def test_ranges(bucket, options, part):
    content = bytes(range(100))
    bucket.blob("r").upload_from_string(content)
    assert bucket.blob("r").download_as_bytes(**options) == content[part]
    with pytest.raises(RequestRangeNotSatisfiable):
        bucket.blob("r").download_as_bytes(start=100)


@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 18) + 1, 3 << 18])
def test_resumable_uploads_of_unknown_size(bucket, size):
    content = os.urandom(size)
    with bucket.blob("w").open("wb", chunk_size=1 << 18) as writer:
        writer.write(content)
    assert bucket.blob("w").download_as_bytes() == content


def test_a_session_for_another_program(bucket):
    address = bucket.blob("s").create_resumable_upload_session(size=4)
    assert requests.put(address, data=b"ab", headers={"Content-Range": "bytes 0-1/4"}).status_code == 308
    asked = requests.put(address, headers={"Content-Range": "bytes */4"})
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-1")
    assert requests.put(address, data=b"cd", headers={"Content-Range": "bytes 2-3/4"}).status_code == 200
    assert bucket.blob("s").download_as_bytes() == b"abcd"


def test_a_session_whose_only_piece_is_of_unknown_length(bucket):
    address = bucket.blob("s").create_resumable_upload_session()
    assert requests.put(address, data=iter([b"ab", b"cd"]), headers={"Content-Range": "bytes 0-*/*"}).json()["size"] == "4"
    assert bucket.blob("s").download_as_bytes() == b"abcd"


def test_checksums(bucket):
    bucket.blob("c").upload_from_string("abc", checksum="md5")
    found = bucket.get_blob("c")
    assert (found.md5_hash, found.crc32c) == ("kAFQmDzST7DWlj99KOF/cg==", "Nks/tw==")
    blob = bucket.blob("c")
    blob.md5_hash = "kAFQmDzST7DWlj99KOF/cg=="
    with pytest.raises(BadRequest, match="doesn't match calculated MD5 hash"):
        blob.upload_from_string("other")
    assert found.download_as_bytes() == b"abc"


def test_compressed_objects_come_plain_or_as_they_are(bucket):
    blob = bucket.blob("z")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(b"plain"), content_type="text/plain")
    assert bucket.blob("z").download_as_bytes() == b"plain"
    assert gzip.decompress(bucket.blob("z").download_as_bytes(raw_download=True)) == b"plain"
    assert requests.get(bucket.blob("z").public_url, headers={"Accept-Encoding": "identity"}).content == b"plain"


def test_a_callers_own_key(bucket):
    key = os.urandom(32)
    bucket.blob("secret", encryption_key=key).upload_from_string("x")
    assert bucket.blob("secret", encryption_key=key).download_as_bytes() == b"x"
    with pytest.raises(BadRequest, match="customer-supplied encryption key"):
        bucket.blob("secret").download_as_bytes()
    bucket.blob("named", kms_key_name=KEY).upload_from_string("x")
    assert bucket.get_blob("named").kms_key_name == KEY


# Several at once ----------------------------------------------------------------------------------

def test_batches(storage_client, bucket):
    for name in "abc":
        bucket.blob(name).upload_from_string(name)
    blob = bucket.blob("c")
    blob.metadata = {"in": "batch"}
    with storage_client.batch():
        bucket.blob("a").delete()
        blob.patch()
    assert names(bucket.list_blobs()) == ["b", "c"] and bucket.get_blob("c").metadata == {"in": "batch"}
    with pytest.raises(NotFound), storage_client.batch():
        bucket.blob("nothing").delete()
        bucket.blob("b").delete()
    assert not bucket.blob("b").exists()
    with pytest.raises(NotFound):
        bucket.delete_blobs([bucket.blob("nothing")])


def test_the_transfer_manager(bucket, tmp_path):
    content = os.urandom(1 << 20)
    (tmp_path / "up").write_bytes(content)
    transfer_manager.upload_many_from_filenames(bucket, ["up"], source_directory=str(tmp_path), blob_name_prefix="many/", worker_type="thread")
    transfer_manager.upload_chunks_concurrently(str(tmp_path / "up"), bucket.blob("parts"), chunk_size=300_000, worker_type="thread")
    transfer_manager.download_chunks_concurrently(bucket.blob("parts"), str(tmp_path / "down"), chunk_size=300_000, worker_type="thread")
    assert (tmp_path / "down").read_bytes() == bucket.blob("many/up").download_as_bytes() == content


def test_signed_and_public_urls(emulator, bucket):
    signer = service_account.Credentials.from_service_account_file(emulator["credentials"])
    blob = bucket.blob("a b/c")
    address = blob.generate_signed_url(expiration=60, version="v4", method="PUT", credentials=signer)
    assert requests.put(address, data=b"put").status_code == 200
    for address in (blob.generate_signed_url(expiration=60, version="v4", credentials=signer), blob.public_url):
        assert requests.get(address).content == b"put" and requests.head(address).headers["Content-Length"] == "3"
    assert requests.delete(blob.generate_signed_url(expiration=60, version="v4", method="DELETE", credentials=signer)).status_code == 204
    assert requests.get(blob.public_url).status_code == 404


def test_what_is_not_supported_says_so(storage_client, bucket):
    for call in (lambda: list(storage_client.list_hmac_keys()), lambda: bucket.notification("topic").create(), lambda: list(bucket.list_blobs(soft_deleted=True))):
        with pytest.raises(MethodNotImplemented, match="The embedded Cloud Storage does not support"):
            call()
    assert storage_client.get_service_account_email().endswith("@gs-project-accounts.iam.gserviceaccount.com")
