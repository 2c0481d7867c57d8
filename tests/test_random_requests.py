"""Random requests: whatever is sent, the reply is well formed, in bounded time, and none that a client would send again in vain.

Longer storms: RANDOM_REQUESTS_SECONDS=600 (for each seed), RANDOM_REQUESTS_SEED=7 (that one alone).
"""
from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
import random
import re
import socket
import time
from urllib.parse import quote, urlencode

import pytest

from conftest import running_emulator
from emulator import rest
from emulator.errors import REASONS
from emulator.messages import table as messages
from random_sql import random_sql

SECONDS = float(os.environ.get("RANDOM_REQUESTS_SECONDS", 8))
SEEDS = [int(os.environ["RANDOM_REQUESTS_SEED"])] if "RANDOM_REQUESTS_SEED" in os.environ else [1, 2, 3]
SLOW = 30  # seconds; no reply takes so long
# What clients of any language send again, and what stands for a fault of the emulator.
RETRIED = {"internalError", "backendError", "badGateway", "rateLimitExceeded", "jobBackendError", "jobInternalError", "jobRateLimitExceeded",
           "emulatorFault"}
METHODS = {method.id: method for method in rest.METHODS}

TEXTS = ["", " ", "a", "0", "-1", "null", "true", "x" * 1100, "ग्राहक", "名前 1", "é\u0301", "\u202e\u200b", "😀", "\x00", "\x7f\x01", "a.b.c", "a`b", "'", '"', "\\", "\n",
         "../../etc", "%2e%2e", "${x}", "<script>", "a$b", "a@b", "a/b", "a:b", "*", "\ud800", "SELECT 1", "gs://b/*", "NaN", "1e400"]
NUMBERS = [0, 1, -1, 2, 7, 1000, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 1.5, -0.0, 1e308, "0", "1", "-5", "1.5", "1e3", "9" * 30, "", " 3",
           "0x10", "1_000", "१२", "NaN", "Infinity", 1700000000000, "1700000000000", "4102444800000", "3600000"]
TYPES = ["STRING", "INTEGER", "INT64", "FLOAT", "BOOLEAN", "BYTES", "DATE", "TIMESTAMP", "DATETIME", "TIME", "NUMERIC", "BIGNUMERIC", "JSON", "GEOGRAPHY",
         "INTERVAL", "RECORD", "STRUCT", "RANGE"]
# Values that make sense, by the name of a field or parameter.
MEANT: dict[str, list] = {
    "projectId": ["lab-project"] * 30 + ["bigquery-public-data", "other"], "datasetId": ["d0", "d1", "d0", "d2", "d9", "stackoverflow", "INFORMATION_SCHEMA"],
    "tableId": ["t0", "t1", "t2", "t3", "v0", "t9", "t0@-1000", "t0@0", "t1$20260101", "t1$__UNPARTITIONED__", "t1$__PARTITIONS_SUMMARY__", "t*", "posts_questions"],
    "routineId": ["f0", "f1", "p0", "f9"], "policyId": ["r0", "r1", "r9"], "jobId": ["j0", "j1", "j2", "j9", "j10", "j11"], "modelId": ["m0"],
    "location": ["US", "us", "EU", "mars"], "type": TYPES + ["DAY", "HOUR", "MONTH", "VIEW", "TABLE"], "typeKind": ["INT64", "STRING", "FLOAT64", "ARRAY", "STRUCT", "BOOL", "DATE"],
    "mode": ["NULLABLE", "REQUIRED", "REPEATED", "AUTO", "STRINGS", "CUSTOM"], "name": ["a", "b", "c", "A", "_x", "a b", "_PARTITIONTIME", "x" * 301, "1a"],
    "field": ["a", "b", "ts", "d"], "fields": ["a", "b", "a,b", "kind,etag", "rows/f/v", "schema(fields(name))", "*", "a(b", ")", "a/", "status/errorResult"],
    "writeDisposition": ["WRITE_TRUNCATE", "WRITE_APPEND", "WRITE_EMPTY", "WRITE_TRUNCATE_DATA"], "createDisposition": ["CREATE_IF_NEEDED", "CREATE_NEVER"],
    "sourceFormat": ["CSV", "NEWLINE_DELIMITED_JSON", "PARQUET", "AVRO", "ORC", "DATASTORE_BACKUP"], "destinationFormat": ["CSV", "NEWLINE_DELIMITED_JSON", "PARQUET", "AVRO"],
    "compression": ["NONE", "GZIP", "SNAPPY", "ZSTD", "DEFLATE"], "encoding": ["UTF-8", "ISO-8859-1", "UTF-16BE", "UTF-32LE"],
    "sourceUris": ["gs://bucket/a.csv", "gs://bucket/b.json", "gs://bucket/*.csv", "gs://bucket/*", "gs://none/x", "http://x", "gs://bucket/c.parquet"],
    "destinationUris": ["gs://bucket/out-*.csv", "gs://bucket/out.csv", "gs://none/x", "out"], "fieldDelimiter": [",", "\t", "|", "tab", ";;", "é", ""],
    "quote": ['"', "'", "", "ab"], "nullMarker": ["", "NULL", "\\N"], "skipLeadingRows": [0, 1, 2, 100], "maxBadRecords": [0, 1, 10],
    "schemaUpdateOptions": ["ALLOW_FIELD_ADDITION", "ALLOW_FIELD_RELAXATION"], "operationType": ["COPY", "SNAPSHOT", "RESTORE", "CLONE"],
    "routineType": ["SCALAR_FUNCTION", "PROCEDURE", "TABLE_VALUED_FUNCTION", "AGGREGATE_FUNCTION"], "language": ["SQL", "JAVASCRIPT", "PYTHON"],
    "definitionBody": ["1", "x + 1", "SELECT 1 AS a", "BEGIN SELECT 1; END", "return x;", "while (true) {}", "SELECT", "f0(x)"], "argumentKind": ["FIXED_TYPE", "ANY_TYPE"],
    "filterPredicate": ["TRUE", "a > 1", "SESSION_USER() = 'x'", "nope = 1", "(SELECT 1)", "a >"], "parameterMode": ["NAMED", "POSITIONAL"],
    "role": ["roles/bigquery.dataViewer", "roles/bigquery.dataOwner", "READER", "OWNER", "none"], "useLegacySql": [False, False, False, True],
    "members": ["user:a@b.co", "allUsers", "group:g@b.co", "domain:b.co", "nobody"], "grantees": ["user:a@b.co", "allAuthenticatedUsers", "x"],
    "permissions": ["bigquery.tables.get", "bigquery.tables.delete", "x"], "defaultValueExpression": ["1", "'x'", "CURRENT_TIMESTAMP()", "nope(", "a", "(SELECT 1)"],
    "view": ["BASIC", "FULL", "STORAGE_STATS", "TABLE_STORAGE_VIEW"], "datasetView": ["METADATA", "ACL", "FULL"], "projection": ["full", "minimal"],
    "stateFilter": ["done", "running", "pending", "DONE,RUNNING"], "selectedFields": ["a", "a,b", "s.x", "nope", "", ","], "maxResults": [0, 1, 2, 10000],
    "timeoutMs": [0, 1, 500], "jobTimeoutMs": [1, 1000, 5000], "startIndex": [0, 1, 5, 10**12], "filter": ["labels.a", "labels.a:b", "labels.a:b labels.c", "x"],
    "key": ["session_id", "time_zone", "query_label", "x"], "priority": ["BATCH", "INTERACTIVE"], "collation": ["und:ci", ""], "roundingMode": ["ROUND_HALF_EVEN"],
    "precision": [5, 38, 80], "scale": [0, 2, 40], "maxLength": [1, 10], "partitionId": ["20260101"], "etag": ["ACAB", "x"], "labels": [{}, {"a": "b"}, {"A": "B"}, {"": ""}, {"a": None}],
    "range": [{"start": "0", "end": "10", "interval": "1"}, {"start": "x"}, {"start": "5", "end": "1", "interval": "0"}, {}],
    "rows": [{"json": {"a": 1}}, {"json": {"a": "x"}}, {"json": {"b": "x", "a": None}}, {"insertId": "i", "json": {}}, {"json": []}, {}, {"insertId": 5, "json": {"a": 2}}, 5, None],
    "structTypes": [{"name": "x", "type": {"type": "INT64"}}, {}, 5], "primaryKey": [{"columns": ["a"]}, {"columns": "a"}, 5, {}], "categories": [{"names": ["a"]}, 5],
    "foreignKeys": [{"name": "k", "referencedTable": {"projectId": "lab-project", "datasetId": "d0", "tableId": "t0"}, "columnReferences": [{"referencingColumn": "a", "referencedColumn": "a"}]}, {}, 5],
    "access": [{"role": "READER", "userByEmail": "a@b.co"}, {"role": "OWNER", "specialGroup": "projectOwners"}, {"view": {"projectId": "lab-project", "datasetId": "d0", "tableId": "v0"}},
               {"routine": {}}, {"dataset": {"dataset": {"datasetId": "d1"}}}, {}, 5, {"role": 5}],
    "policyTags": [{"names": []}, {"names": ["projects/p/locations/us/taxonomies/1/policyTags/2"]}, 5, {"names": 5}], "rangeElementType": [{"type": "DATE"}, {"type": "STRING"}, {}, 5],
    "pageToken": [rest.make_token("x"), base64.urlsafe_b64encode(b"[1]").decode(), base64.urlsafe_b64encode(b"[1,2]").decode(), base64.urlsafe_b64encode(b"[99999999999999999999,5]").decode(),
                  base64.urlsafe_b64encode(b"[]").decode(), base64.urlsafe_b64encode(b"{}").decode(), base64.urlsafe_b64encode(b"[true,-1,\"x\"]").decode(), "é", "AA"],
    "minCreationTime": [0, 1700000000000], "maxCreationTime": [4102444800000], "deletionTime": ["2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "x"],
    "updateMask": ["bindings", "x"], "timestampOutputFormat": ["INT64", "FLOAT64", "ISO8601_STRING"], "expirationTime": ["4102444800000", "1", "0"], "alt": ["json", "media", "proto"],
}
FIRST = {"datasetReference", "tableReference", "routineReference", "rowAccessPolicyReference", "schema", "fields", "configuration", "query", "sourceTable", "destinationTable",
         "sourceUris", "destinationUris", "name", "type", "datasetId", "tableId", "routineId", "policyId", "projectId", "routineType", "definitionBody", "language", "rows",
         "filterPredicate", "bindings", "policy", "permissions", "parameterType", "parameterValue", "sourceFormat", "useLegacySql", "field", "typeKind", "jobReference", "jobId"}


class Maker:
    """Random parts of requests. dirt: how often a value is none that its type expects."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.dirt = 0.0
        self.tokens: list[str] = []

    def junk(self, depth: int = 0):
        kind = self.chance.randrange(9 if depth < 3 else 6)
        return (None, self.chance.choice(TEXTS), self.chance.choice(NUMBERS), True, False, self.chance.choice(NUMBERS),
                [self.junk(depth + 1) for _ in range(self.chance.randrange(3))] if kind == 6 else None,
                {self.chance.choice(TEXTS): self.junk(depth + 1) for _ in range(self.chance.randrange(3))} if kind == 7 else None,
                self.nested() if kind == 8 else None)[kind]

    def nested(self):
        value = 1
        for _ in range(self.chance.choice([5, 60, 400])):
            value = [value] if self.chance.random() < 0.5 else {"fields": [value]}
        return value

    def value(self, name: str, kind: str, depth: int = 0):
        chance = self.chance
        if chance.random() < self.dirt:
            return self.junk()
        kind = kind.rstrip("!")
        if kind[0] == "[":
            return [self.value(name, kind[1:-1], depth + 1) for _ in range(chance.choice([0, 1, 1, 2, 3]))]
        if name == "query" and kind == "string":
            return random_sql(chance)
        if name in MEANT and (kind not in messages() or chance.random() < 0.1):
            return chance.choice(MEANT[name])
        if kind[0] == "{":
            return {chance.choice(["a", "b", "1", "é"]): self.value(name, kind[1:-1], depth + 1) for _ in range(chance.randrange(3))}
        if kind in ("int64", "integer", "number"):
            return chance.choice(NUMBERS)
        if kind == "boolean":
            return chance.random() < (0.1 if name == "useLegacySql" else 0.5)
        return self.message(kind, depth) if kind in messages() else self.junk() if kind == "any" else chance.choice(TEXTS)

    def message(self, message: str, depth: int = 0) -> dict:
        fields = messages()[message]
        often, seldom = (0.8, 0.5 / len(fields) + 0.05) if depth < 5 else (0.3, 0.0)
        if message == "JobConfiguration":
            one = self.chance.choice(["query", "query", "load", "extract", "copy"])
            fields = {name: kind for name, kind in fields.items() if name == one or kind not in messages() or self.chance.random() < 0.05}
        chosen = [name for name in fields if self.chance.random() < (often if name in FIRST else seldom)]
        body = {name: self.value(name, fields[name], depth + 1) for name in chosen}
        if self.chance.random() < self.dirt / 3:
            body[self.chance.choice(TEXTS)] = self.junk()
        return body

    def body(self, message: str | None) -> bytes:
        self.dirt = self.chance.choice([0, 0, 0.03, 0.2])
        if self.chance.random() < 0.03:
            return self.chance.choice([b"", b"{", b"\xff\xfe{}", b"[]", b"null", b"1e999", b'"x"', b'{"a":' * 5000, b"[" * 100_000, b"NaN", b'{"query": "\\ud800"}',
                                       self.chance.randbytes(100), b"-" * 10, b'{"timeoutMs": 1' + b"0" * 5000 + b"}"])
        body = self.message(message) if message else {}
        if message == "QueryRequest":
            body |= {"timeoutMs": self.chance.choice([0, 500, 2000])} | ({"useLegacySql": False} if self.chance.random() < 0.9 else {})
        return json.dumps(body).encode()

    def path(self, template: str) -> str:
        def name(match: re.Match) -> str:
            text = self.chance.choice(TEXTS) if self.chance.random() < 0.04 else self.chance.choice(MEANT[match[1]])
            return quote(text.encode("utf-8", "surrogatepass"), safe="$@*")
        path = re.sub(r"\{(\w+)\}", name, template)
        return path + self.chance.choice(["%", "%ff", "/", "//", "?", "%00", ";", ":undelete"]) if self.chance.random() < 0.02 else path

    def query(self, names: tuple[str, ...]) -> str:
        chosen = [name for name in (*names, "fields", "prettyPrint", "alt") if self.chance.random() < 0.15]
        pairs = [(name, self.token() if name == "pageToken" else self.scalar(name)) for name in chosen]
        if self.chance.random() < 0.02:
            pairs.append((self.chance.choice(["nope", "fields", "é", "maxResults"]), "1"))
        return "?" + urlencode(pairs, errors="surrogatepass") if pairs else ""

    def scalar(self, name: str) -> str:
        if self.chance.random() < 0.2:
            return str(self.chance.choice(TEXTS + NUMBERS))
        return str(self.chance.choice(MEANT.get(name.rpartition(".")[2], ["true", "false", "1"])))

    def token(self) -> str:
        return self.chance.choice(self.tokens) if self.tokens and self.chance.random() < 0.5 else self.scalar("pageToken")

    def headers(self, body: bytes) -> tuple[dict[str, str], bytes]:
        headers = {"Content-Type": "application/json"}
        odd = self.chance.random()
        if odd < 0.05:
            headers["If-Match"] = self.chance.choice(["x", "*", "", '"a"', "é", "A" * 5000])
        elif odd < 0.08:
            headers["X-HTTP-Method-Override"] = self.chance.choice(["PATCH", "patch", "DELETE", "TRACE", "", "é"])
        elif odd < 0.11:
            headers["Content-Encoding"] = "gzip"
            body = self.chance.choice([gzip.compress(body), body, gzip.compress(body)[:-5], b""])
        elif odd < 0.14:
            headers["Content-Type"] = self.chance.choice(["text/plain", "multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "é", "",
                                                          "application/json; charset=utf-16"])
        elif odd < 0.17:
            headers["Authorization"] = self.chance.choice(["Bearer a@b.co", "Bearer x", "Basic !", "Bearer " + rest.TOKEN_PREFIX + "!!", "é", "Bearer \xff@", ""])
        elif odd < 0.18:
            headers["Accept-Encoding"] = "gzip"
        return headers, body

    def request(self) -> tuple[str, str, dict[str, str], bytes]:
        """(verb, target, headers, body) of a call of one of the methods."""
        method = self.chance.choice(rest.METHODS) if self.chance.random() < 0.7 else METHODS[self.chance.choice([
            "bigquery.tables.insert", "bigquery.tables.patch", "bigquery.tabledata.insertAll", "bigquery.jobs.insert", "bigquery.jobs.query", "bigquery.jobs.query"])]
        target = "/bigquery/v2/" + self.path(method.path) + self.query(method.query)
        headers, body = self.headers(self.body(method.request))
        return method.verb if self.chance.random() < 0.99 else self.chance.choice(["HEAD", "OPTIONS", "TRACE", "PATCH"]), target, headers, body


class Storm:
    """A server that keeps its data in a folder, a small world in it, and what was seen."""

    def __init__(self, ready: dict, errors, seed: int):
        self.host = ready["bigquery"].partition("//")[2]
        self.storage = ready["storage"].partition("//")[2]
        self.errors, self.read = errors, 0
        self.maker = Maker(random.Random(seed))
        self.connections: dict[str, http.client.HTTPConnection] = {}

    def send(self, verb: str, target: str, headers: dict[str, str], body: bytes, host: str = "") -> tuple[int, bytes, float]:
        host = host or self.host
        connection = self.connections.pop(host, None) or http.client.HTTPConnection(host, timeout=SLOW)
        begin = time.monotonic()
        connection.putrequest(verb, target)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            connection.putheader(name, value.encode())
        connection.endheaders(body)
        reply = connection.getresponse()
        content = reply.read()
        if reply.getheader("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        self.location = reply.getheader("Location")
        if not reply.will_close:
            self.connections[host] = connection
        return reply.status, content, time.monotonic() - begin

    def fault(self, verb: str, target: str, headers: dict, body: bytes, host: str = "") -> str | None:
        """Send a request; what is wrong with the reply, or with what the server says of it."""
        try:
            status, content, seconds = self.send(verb, target, headers, body, host)
        except (OSError, http.client.HTTPException, EOFError) as error:
            return f"no reply: {error!r}"
        said = self.complaints()
        if seconds > SLOW / 2:
            return f"a reply after {seconds:.0f} s"
        return complaint(status, content, verb) or (f"the server says\n{said}" if "Traceback" in said or "rror" in said else None)

    def complaints(self) -> str:
        """What the server has written to its stderr since the last call."""
        self.errors.seek(self.read)
        said = self.errors.read()
        self.read += len(said)
        return said.decode(errors="replace")

    def smaller(self, verb: str, target: str, headers: dict, body: bytes) -> bytes:
        """The body without the parts that the fault does not need, as far as it comes again."""
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return body
        for smaller in reductions(value):
            if self.fault(verb, target, headers, json.dumps(smaller).encode()):
                return self.smaller(verb, target, headers, json.dumps(smaller).encode())
        return body

    def run(self, seconds: float) -> int:
        """Random requests for a while; how many. AssertionError with the request of a fault."""
        end, count = time.monotonic() + seconds, 0
        self.build()
        while time.monotonic() < end:
            request = self.maker.request()
            if fault := self.fault(*request):
                verb, target, headers, body = request
                body = self.smaller(*request)
                raise AssertionError(f"request {count}: {verb} {target} {headers}\n{body[:3000]!r}\n{fault[-3000:]}")
            count += 1
            if count % 400 == 0:
                self.build()
        return count

    def build(self) -> None:
        """The world as it was in the beginning, as much of it as is gone."""
        fields = [{"name": "a", "type": "INTEGER"}, {"name": "b", "type": "STRING"}, {"name": "ts", "type": "TIMESTAMP"}, {"name": "d", "type": "DATE"},
                  {"name": "s", "type": "RECORD", "fields": [{"name": "x", "type": "FLOAT"}]}, {"name": "l", "type": "INTEGER", "mode": "REPEATED"}]
        requests = [("datasets", {"datasetReference": {"datasetId": name}}) for name in ("d0", "d1")]
        requests += [(f"datasets/{d}/tables", {"tableReference": {"tableId": t}, "schema": {"fields": fields}} | more) for d in ("d0", "d1") for t, more in (
            ("t0", {}), ("t1", {"timePartitioning": {"type": "DAY", "field": "d"}}), ("t2", {"clustering": {"fields": ["a"]}}))]
        requests += [("datasets/d0/tables", {"tableReference": {"tableId": "v0"}, "view": {"query": "SELECT a, b FROM d0.t0", "useLegacySql": False}}),
                     ("datasets/d0/tables/t0/insertAll", {"rows": [{"json": {"a": n, "b": str(n), "d": "2026-01-01", "l": [1, 2]}} for n in range(5)]})]
        for path, body in requests:
            fault = self.fault("POST", f"/bigquery/v2/projects/lab-project/{path}", {}, json.dumps(body).encode())
            assert fault is None, f"{path} {body}: {fault}"

    def works(self) -> None:
        status, content, _ = self.send("POST", "/bigquery/v2/projects/lab-project/queries", {}, b'{"query": "SELECT COUNT(*) FROM UNNEST([1, 2])", "useLegacySql": false}')
        assert status == 200 and json.loads(content)["rows"] == [{"f": [{"v": "2"}]}], content


def complaint(status: int, content: bytes, verb: str) -> str | None:
    """What is wrong with a reply of the REST API."""
    if not (200 <= status < 300 or 400 <= status < 500 or status in (304, 308, 501)):
        return f"status {status}: {content[:500]!r}"
    if status in (204, 304, 308) or verb == "HEAD":
        return f"{status} with content" if content else None
    try:
        body = json.loads(content)
    except ValueError:
        return f"not JSON: {status} {content[:500]!r}"
    if not isinstance(body, dict):
        return f"not an object: {content[:500]!r}"
    if status >= 400:
        error = body.get("error", {})
        if error.get("code") != status or not error.get("message") or not isinstance(error["message"], str) or error["errors"][0]["reason"] not in REASONS:
            return f"no error of BigQuery's form: {status} {content[:500]!r}"
    if found := [entry for entry in entries(body) if entry["reason"] in RETRIED or "fault of the embedded" in entry.get("message", "")]:
        return f"{status} {found[0]}"
    return None


def entries(value):
    """Every error entry in a reply."""
    if isinstance(value, dict):
        if isinstance(value.get("reason"), str):
            yield value
        for item in value.values():
            yield from entries(item)
    elif isinstance(value, list):
        for item in value:
            yield from entries(item)


def reductions(value):
    """The same JSON with one part less, the largest parts first."""
    if isinstance(value, dict):
        for key in value:
            yield {name: item for name, item in value.items() if name != key}
        for key, item in value.items():
            for smaller in reductions(item):
                yield value | {key: smaller}
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield value[:place] + value[place + 1:]
            for smaller in reductions(item):
                yield value[:place] + [smaller] + value[place + 1:]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_requests(tmp_path, seed):
    with (tmp_path / "stderr").open("w+b") as errors:
        with running_emulator("--data-dir", str(tmp_path / "data"), stderr=errors) as ready:
            storm = Storm(ready, (tmp_path / "stderr").open("rb"), seed)
            print(f"seed {seed}: {storm.run(SECONDS)} requests")
            storm.works()
        with running_emulator("--data-dir", str(tmp_path / "data"), stderr=errors) as ready:
            again = Storm(ready, (tmp_path / "stderr").open("rb"), seed)
            again.works()
            assert again.fault("GET", "/bigquery/v2/projects/lab-project/jobs?projection=full", {}, b"") is None
