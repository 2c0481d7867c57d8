"""`python -m benchmarks.rest [--rows N] [--stream N]`: each method's median; rows a second of what moves rows, beside DuckLake doing the same alone;
what the emulator holds in memory while many rows are streamed.

On a machine with other work to do, read the ratios.
"""
from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pyarrow as pa
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, bigquery_storage_v1 as storage
from google.cloud.bigquery_storage_v1 import types, writer
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from benchmarks.__main__ import emulator, measure

FILL = "SELECT n AS id, CONCAT('name ', CAST(MOD(n, 5000) AS STRING)) AS s, n * 1.5 AS f FROM UNNEST(GENERATE_ARRAY(1, {0})) AS n"
DUCK_FILL = "SELECT n AS id, concat('name ', n % 5000) AS s, (n * 1.5)::DOUBLE AS f FROM range(1, {0} + 1) r(n)"
SCHEMA = [{"name": "id", "type": "INTEGER"}, {"name": "s", "type": "STRING"}, {"name": "f", "type": "FLOAT"}]
BATCH = 10_000  # rows of a request that writes
FORMATS = {"CSV": ("read_csv", "FORMAT csv"), "NEWLINE_DELIMITED_JSON": ("read_json", "FORMAT json"), "PARQUET": ("read_parquet", "FORMAT parquet"),
           "AVRO": ("read_avro", "")}
POLICY = {"policy": {"bindings": [{"role": "roles/bigquery.dataViewer", "members": ["user:a@example.com"]}]}}


class Bench(NamedTuple):
    """The emulator as the benchmarks use it. url: of the project; process: its id; duck: a DuckLake in this process that has the same rows."""

    client: bigquery.Client
    ready: dict
    url: str
    process: int
    duck: object


@contextmanager
def bench(folder: Path, rows: int) -> Iterator[Bench]:
    from emulator.lake import connect, extension
    with emulator(folder / "emulator") as ready:
        os.environ.update(GOOGLE_APPLICATION_CREDENTIALS=ready["credentials"], grpc_proxy=ready["grpc"], GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=ready["grpc_roots"])
        client = bigquery.Client(ready["project"], AnonymousCredentials(), client_options={"api_endpoint": ready["bigquery"]})
        client.create_dataset("d")
        client.query_and_wait(f"CREATE TABLE d.big AS {FILL.format(rows)}")
        requests.post(f"{ready['storage']}/storage/v1/b?project={client.project}", json={"name": "bench"})
        duck = connect(folder / "floor", in_memory=False)
        duck.execute(f"LOAD '{extension('avro')}'")
        duck.execute(f"CREATE TABLE lake.big AS {DUCK_FILL.format(rows)}")
        mark = str(folder / "emulator").encode()
        process = next(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and mark in Path(f"/proc/{pid}/cmdline").read_bytes())
        yield Bench(client, ready, f"{ready['bigquery']}/bigquery/v2/projects/{client.project}", process, duck)


# Methods ------------------------------------------------------------------------------------------

def methods(on: Bench) -> None:
    """The median of each method, on resources that a method before it has made."""
    session = requests.Session()
    reference = {"projectId": on.client.project, "datasetId": "d"}
    routine = {"routineType": "SCALAR_FUNCTION", "language": "SQL", "definitionBody": "x + 1", "arguments": [{"name": "x", "dataType": {"typeKind": "INT64"}}]}
    row_filter = {"filterPredicate": "id > 1"}

    def call(what: str, verb: str, path: str, body: dict | Callable[[int], dict] | None = None, runs: int = 20) -> None:
        """{n} in a path is the run's number."""
        def work(n: int) -> None:
            answer = session.request(verb, on.url + path.replace("{n}", str(n)), json=body(n) if callable(body) else body)
            if answer.status_code >= 300:
                raise SystemExit(f"{what}: {answer.text}")
        print(f"{what:48}{measure(work, runs):10.1f}", flush=True)

    def crud(kind: str, path: str, made: Callable[[int], dict], changed: Callable[[int], dict], patch: bool = True) -> None:
        call(f"{kind}.insert", "POST", path, made)
        call(f"{kind}.get", "GET", path + "/x{n}")
        call(f"{kind}.list", "GET", path)
        if patch:
            call(f"{kind}.patch", "PATCH", path + "/x{n}", {"description": "text"})
        call(f"{kind}.update", "PUT", path + "/x{n}", changed)

    def table(n: int) -> dict:
        return {"tableReference": reference | {"tableId": f"x{n}"}, "schema": {"fields": SCHEMA}}
    dataset = lambda n: {"datasetReference": {"projectId": on.client.project, "datasetId": f"x{n}"}}  # noqa: E731
    with_name = lambda n: routine | {"routineReference": reference | {"routineId": f"x{n}"}}  # noqa: E731
    policy = lambda n: row_filter | {"rowAccessPolicyReference": reference | {"tableId": "x0", "policyId": f"x{n}"}, "grantees": ["allUsers"]}  # noqa: E731
    crud("datasets", "/datasets", dataset, dataset)
    call("datasets.delete", "DELETE", "/datasets/x{n}")
    call("datasets.undelete", "POST", "/datasets/x{n}:undelete", {})
    crud("tables", "/datasets/d/tables", table, table)
    for name, body in ("getIamPolicy", {}), ("setIamPolicy", POLICY), ("testIamPermissions", {"permissions": ["bigquery.tables.get"]}):
        call(f"tables.{name}", "POST", "/datasets/d/tables/x{n}:" + name, body)
    call("tabledata.insertAll of one row", "POST", "/datasets/d/tables/x1/insertAll", lambda n: {"rows": [{"insertId": f"{n}", "json": {"id": n, "s": "x"}}]})
    call("tabledata.list of ten rows", "GET", "/datasets/d/tables/big/data?maxResults=10")
    crud("rowAccessPolicies", "/datasets/d/tables/x0/rowAccessPolicies", policy, policy, patch=False)
    call("rowAccessPolicies.delete", "DELETE", "/datasets/d/tables/x0/rowAccessPolicies/x{n}?force=true")
    crud("routines", "/datasets/d/routines", with_name, with_name, patch=False)
    call("routines.delete", "DELETE", "/datasets/d/routines/x{n}")
    call("models.list", "GET", "/datasets/d/models")
    jobs(call, reference)
    call("tables.delete", "DELETE", "/datasets/d/tables/x{n}")
    call("projects.getServiceAccount", "GET", "/serviceAccount")
    call("projects.list", "GET", "/../../projects")


def jobs(call: Callable, reference: dict) -> None:
    def job(n: int) -> dict:
        return {"jobReference": {"projectId": reference["projectId"], "jobId": f"x{n}"}, "configuration": {"query": {"query": f"SELECT {n}", "useLegacySql": False}}}
    call("jobs.query", "POST", "/queries", lambda n: {"query": f"SELECT {n} + 1", "useLegacySql": False})
    call("jobs.insert", "POST", "/jobs", job)
    call("jobs.getQueryResults", "GET", "/queries/x{n}")
    call("jobs.get", "GET", "/jobs/x{n}")
    call("jobs.list", "GET", "/jobs?maxResults=50")
    call("jobs.cancel", "POST", "/jobs/x{n}/cancel")
    call("jobs.delete", "DELETE", "/jobs/x{n}/delete")


# Rows ---------------------------------------------------------------------------------------------

def rate(what: str, rows: int, work: Callable[[], object], floor: Callable[[], object]) -> None:
    """Thousands of rows a second, of the emulator and of DuckLake."""
    took, least = (measure(lambda _: each(), 1, warm=0) for each in (work, floor))
    print(f"{what:48}{rows / took:10.0f}{rows / least:10.0f}  x{took / least:5.1f}", flush=True)


def reading(on: Bench, rows: int) -> None:
    rate("list_rows", rows, lambda: sum(1 for _ in on.client.list_rows("d.big", selected_fields=on.client.get_table("d.big").schema)),
         lambda: on.duck.execute("FROM lake.big").fetchall())
    for data_format in types.DataFormat.ARROW, types.DataFormat.AVRO:
        rate(f"Storage Read, {data_format.name}", rows, lambda: list(responses(on, "big", data_format)),
             lambda: on.duck.execute("FROM lake.big").to_arrow_table())


def responses(on: Bench, table: str, data_format) -> Iterator:
    client = storage.BigQueryReadClient()
    asked = types.ReadSession(table=f"projects/{on.client.project}/datasets/d/tables/{table}", data_format=data_format)
    session = client.create_read_session(parent=f"projects/{on.client.project}", read_session=asked, max_stream_count=1)
    return iter(client.read_rows(session.streams[0].name))


def batches(rows: int) -> list[list[dict]]:
    made = [{"id": n, "s": f"name {n % 5000}", "f": n * 1.5} for n in range(rows)]
    return [made[start:start + BATCH] for start in range(0, rows, BATCH)]


def streaming(on: Bench, rows: int) -> None:
    """insertAll and Storage Write; DuckLake inserts the same batches, from JSON and from Arrow."""
    for name in "streamed", "written":
        on.client.create_table(bigquery.Table(f"{on.client.project}.d.{name}", [bigquery.SchemaField(f["name"], f["type"]) for f in SCHEMA]))
        on.duck.execute(f"CREATE TABLE lake.{name} (id BIGINT, s VARCHAR, f DOUBLE)")
    groups = batches(rows)
    bodies = [json.dumps({"rows": [{"json": row} for row in group]}) for group in groups]
    texts = [json.dumps(group) for group in groups]
    tables = [pa.Table.from_pylist(group) for group in groups]
    session = requests.Session()

    def insert_all() -> None:
        for body in bodies:
            answer = session.post(f"{on.url}/datasets/d/tables/streamed/insertAll", data=body, headers={"Content-Type": "application/json"}).json()
            if "insertErrors" in answer or "error" in answer:
                raise SystemExit(answer)

    def duck_json() -> None:
        for text in texts:
            on.duck.execute("INSERT INTO lake.streamed SELECT r.id, r.s, r.f FROM (SELECT unnest(from_json(?, "
                            "'[{\"id\":\"BIGINT\",\"s\":\"VARCHAR\",\"f\":\"DOUBLE\"}]')) AS r)", [text])

    def duck_arrow() -> None:
        for table in tables:
            on.duck.register("batch", table)
            on.duck.execute("INSERT INTO lake.written FROM batch")
    requests_made, template = append_requests(groups, f"projects/{on.client.project}/datasets/d/tables/written/streams/_default")

    def write() -> None:
        stream = writer.AppendRowsStream(storage.BigQueryWriteClient(), template)
        for future in [stream.send(request) for request in requests_made]:
            future.result(120)
        stream.close()
    rate(f"insertAll, {BATCH} rows a request", rows, insert_all, duck_json)
    rate(f"Storage Write, {BATCH} rows a request", rows, write, duck_arrow)


def append_requests(groups: list[list[dict]], stream: str) -> tuple[list, types.AppendRowsRequest]:
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench")
    row = file.message_type.add(name="Row")
    for number, (name, kind) in enumerate((("id", 3), ("s", 9), ("f", 1)), 1):
        row.field.add(name=name, number=number, type=kind, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Row"))
    data = types.AppendRowsRequest.ProtoData
    template = types.AppendRowsRequest(write_stream=stream, proto_rows=data(writer_schema=types.ProtoSchema(proto_descriptor=row)))
    return [types.AppendRowsRequest(proto_rows=data(rows=types.ProtoRows(serialized_rows=[message(**item).SerializeToString() for item in group])))
            for group in groups], template


def files(on: Bench, rows: int, folder: Path) -> None:
    """Extract to the bucket and load from it; DuckLake copies to a file and reads that."""
    for name, (function, options) in FORMATS.items():
        uri, path = f"gs://bench/{name.lower()}-*", folder / name.lower()

        def extract() -> None:
            on.client.extract_table("d.big", uri, job_config=bigquery.ExtractJobConfig(destination_format=name)).result()

        def load() -> None:
            config = bigquery.LoadJobConfig(source_format=name, schema=[bigquery.SchemaField(f["name"], f["type"]) for f in SCHEMA],
                                            write_disposition="WRITE_TRUNCATE", **({"skip_leading_rows": 1} if name == "CSV" else {}))
            on.client.load_table_from_uri(uri, "d.loaded", job_config=config).result()

        if options:
            rate(f"extract, {name}", rows, extract, lambda: on.duck.execute(f"COPY lake.big TO '{path}' ({options})"))
        else:  # DuckDB reads Avro but doesn't write it: the emulator's own file
            took = measure(lambda _: extract(), 1, warm=0)
            print(f"{'extract, ' + name:48}{rows / took:10.0f}", flush=True)
            path.write_bytes(download(on, f"{name.lower()}-000000000000"))
        rate(f"load, {name}", rows, load, lambda: on.duck.execute(f"CREATE OR REPLACE TABLE lake.loaded AS FROM {function}('{path}')"))


def download(on: Bench, name: str) -> bytes:
    return requests.get(f"{on.ready['storage']}/storage/v1/b/bench/o/{name}", params={"alt": "media"}).content


# Memory -------------------------------------------------------------------------------------------

def memory(on: Bench, rows: int) -> None:
    """What the emulator holds, in MB, at intervals of a stream of many rows."""
    on.client.query_and_wait(f"CREATE TABLE d.long AS SELECT a.id * {-(-rows // 1000)} + b AS id, a.s, a.f "
                             f"FROM d.big AS a, UNNEST(GENERATE_ARRAY(1, {-(-rows // 1000)})) AS b WHERE a.id <= 1000")
    ways = {"Storage Read, ARROW": lambda: (response.row_count for response in responses(on, "long", types.DataFormat.ARROW)),
            "list_rows": lambda: (page.num_items for page in on.client.list_rows("d.long", selected_fields=on.client.get_table("d.long").schema,
                                                                                 page_size=50_000).pages)}
    for name, counts in ways.items():
        held, step, seen = [resident(on.process)], rows // 10, 0
        began = time.perf_counter()
        for seen in itertools.accumulate(counts()):
            if seen >= step * len(held):
                held.append(resident(on.process))
        print(f"{name + f', {seen:,} rows':48}{seen / (time.perf_counter() - began) / 1000:10.0f}  MB held: {', '.join(map(str, held))}", flush=True)


def resident(process: int) -> int:
    return next(int(line.split()[1]) // 1000 for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.rest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows that are read, written and loaded (default 1000000)")
    parser.add_argument("--stream", type=int, default=10_000_000, help="rows streamed while memory is watched (default 10000000)")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder), options.rows) as on:
        print(f"{'median of':48}{'ms':>10}")
        methods(on)
        print(f"\n{'thousands of rows a second':48}{'':>10}{'DuckLake':>10}  its time is")
        reading(on, options.rows)
        streaming(on, options.rows)
        files(on, options.rows, Path(folder))
        print(f"\n{'thousands of rows a second':48}")
        memory(on, options.stream)


if __name__ == "__main__":
    main()
