"""Random RPCs to the Storage API: whatever is sent, a well-formed status comes back, in bounded time, and none that a client would try again in vain.

Longer storms: RANDOM_RPCS=20000 (for each seed), RANDOM_RPCS_SEED=7 (that one alone).
"""
from __future__ import annotations

import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Iterator

import grpc
import pyarrow as pa
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from conftest import new_client, running_emulator
from emulator.storage_api.server import PACKAGE, RPCS, Rpc

COUNT = int(os.environ.get("RANDOM_RPCS", 1000))
SEEDS = [int(os.environ["RANDOM_RPCS_SEED"])] if "RANDOM_RPCS_SEED" in os.environ else [1, 2, 3]
SLOW = 30  # seconds; no RPC takes so long
TOGETHER = 20  # RPCs at a time
MOST = 20  # responses of a stream that are looked at
# What a caller's mistake may be answered. UNIMPLEMENTED only names what is not there.
ANSWERS = {grpc.StatusCode[name] for name in ("OK", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "OUT_OF_RANGE", "FAILED_PRECONDITION", "UNIMPLEMENTED")}
PARENT = "projects/lab-project/datasets/d/tables/"
TABLES = [*(PARENT + name for name in ("t", "t", "t", "wide", "wide", "parts", "parts$20260101", "v", "empty", "nope", "t@-1000", "t*")),
          "projects/bigquery-public-data/datasets/samples/tables/shakespeare", "projects/lab-project/datasets/none/tables/t", "t", ""]
TEXTS = ["", " ", "a", "x" * 1100, "ग्राहक", "\u202e", "😀", "\x00", "a.b", "a`b", "'", "../../etc", "*", "/", "projects//datasets//tables/", PARENT]
NUMBERS = [0, 0, 1, 1, 2, 3, 7, -1, 1000, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63)]
REALS = [0.0, 0.5, 1.0, -1.0, 50.0, 100.0, 1e308, float("nan"), float("inf"), 5e-324]
BYTES = [b"", b"\x00", b"\xff" * 20, b"\x08\x01", b"\x0a\xff\xff\xff\xff\x0f", b"x" * 1000]
# Values that make sense, by the name of a field; most of the first ones may go together.
MEANT: dict[str, list] = {
    "table": TABLES, "data_format": [1, 2, 1, 2, 0], "selected_fields": ["n", "n", "N", "s", "st.x", "st", "nope", "", "r"],
    "row_restriction": ["", "n > 0", "n IS NULL", "s = 'x'", "n", "nope = 1", "(", "TRUE) OR (TRUE", "1/0 > n", "n IN (SELECT 1)", "st.x IS NULL -- c", "; DROP TABLE t"],
    "max_stream_count": [0, 1, 2, 100, -1], "preferred_min_stream_count": [0, 0, 1, -1], "sample_percentage": [0, 50, 100, -1, 200], "seconds": [0, 1767225600, -1, 2**40],
    "nanos": [0, 1, 999_999_999, -1, 2**30], "value": [0, 0, 1, 2, 3, 100, -1, 2**63 - 1], "fraction": [0.0, 0.5, 0.999, 1.0, -1.0, float("nan")], "offset": [0, 1, 2, 5, -1, 2**62],
    "type": [1, 2, 3, 3, 0], "view": [0, 1, 2], "trace_id": ["", "x", "x" * 300]}
FIRST = {"parent", "read_session", "table", "data_format", "read_stream", "write_stream", "write_streams", "name", "type", "type_", "proto_rows", "arrow_rows", "writer_schema",
         "rows", "proto_descriptor", "serialized_rows", "serialized_schema", "serialized_record_batch"}
KINDS = {FieldDescriptor.CPPTYPE_BOOL: [True, False], FieldDescriptor.CPPTYPE_STRING: TEXTS, FieldDescriptor.CPPTYPE_INT32: NUMBERS, FieldDescriptor.CPPTYPE_INT64: NUMBERS,
         FieldDescriptor.CPPTYPE_UINT32: NUMBERS, FieldDescriptor.CPPTYPE_UINT64: NUMBERS, FieldDescriptor.CPPTYPE_DOUBLE: REALS, FieldDescriptor.CPPTYPE_FLOAT: REALS}
COLUMNS = ["n", "s", "N", "b", "st", "l", "ts", "d", "num", "nope", "_x", "é", "j", "g", "r"]
DESCRIBED = descriptor_pb2.FieldDescriptorProto
ARROW = [pa.int64(), pa.int32(), pa.string(), pa.large_string(), pa.binary(), pa.bool_(), pa.float64(), pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.date32(), pa.time64("us"),
         pa.decimal128(38, 9), pa.decimal256(76, 38), pa.list_(pa.int64()), pa.struct([("x", pa.int64())]), pa.dictionary(pa.int32(), pa.string()), pa.null(), pa.duration("s"),
         pa.map_(pa.string(), pa.int64())]


class Maker:
    """Random requests. names: of read and write streams that were made; dirt: how often a value is none that its field expects."""

    def __init__(self, chance: random.Random):
        self.chance, self.dirt = chance, 0.0
        self.names: dict[str, list[str]] = {"read": [], "write": []}

    def message(self, made: Message, depth: int = 0) -> Message:
        for field in made.DESCRIPTOR.fields:
            expected = field.name in (*FIRST, *MEANT) or self.dirt
            if self.chance.random() < ((0.9 if field.name in FIRST else 0.3) if expected and depth < 4 else 0.03):
                self.fill(made, field, depth)
        return made

    def fill(self, made: Message, field: FieldDescriptor, depth: int) -> None:
        if field.message_type and field.message_type.GetOptions().map_entry:
            for _ in range(self.chance.randrange(3)):
                getattr(made, field.name)[self.chance.choice(COLUMNS)] = self.chance.choice([0, 1, 2, 9])
        elif field.is_repeated:
            for _ in range(self.chance.choice([0, 1, 1, 2, 3])):
                each = getattr(made, field.name)
                self.message(each.add(), depth=depth + 1) if field.message_type else each.append(self.scalar(made, field))
        elif field.message_type and field.message_type.full_name == "google.protobuf.DescriptorProto":
            self.descriptor(getattr(made, field.name))
        elif field.message_type:
            getattr(made, field.name).SetInParent()
            self.message(getattr(made, field.name), depth=depth + 1)
        else:
            value = self.scalar(made, field)
            try:
                setattr(made, field.name, value)
            except ValueError:  # out of the range of the field's type
                setattr(made, field.name, 1)

    def scalar(self, made: Message, field: FieldDescriptor):
        chance, name = self.chance, field.name.rstrip("_")
        streams = self.names["read" if name == "read_stream" or made.DESCRIPTOR.name == "SplitReadStreamRequest" else "write"]
        if (name.endswith(("_stream", "_streams")) or name == "name") and chance.random() < 0.9:
            return chance.choice(streams[-10:]) if streams and chance.random() < 0.7 else chance.choice(TABLES) + chance.choice(["/streams/_default", "/_default", "/streams/x", ""])
        if name in ("serialized_rows", "serialized_schema", "serialized_record_batch"):
            return self.row() if name == "serialized_rows" else self.arrow(name)
        if chance.random() >= self.dirt:
            if name == "parent":
                return "projects/lab-project" if made.DESCRIPTOR.name == "CreateReadSessionRequest" else chance.choice(TABLES[:6])
            if name in MEANT:
                return chance.choice(MEANT[name] if self.dirt else MEANT[name][:4])
        if field.enum_type:
            return chance.choice([*field.enum_type.values_by_number, 99])
        return chance.choice(BYTES if field.type == FieldDescriptor.TYPE_BYTES else KINDS[field.cpp_type])

    def descriptor(self, made: descriptor_pb2.DescriptorProto, depth: int = 0) -> None:
        """A writer's schema; often one that protobuf itself would refuse."""
        chance = self.chance
        made.name = chance.choice(["Row", "Row", "Row", "", "a.b", "é"])
        for number in range(1, chance.choice([1, 2, 2, 3, 5])):
            field = made.field.add(name=chance.choice(COLUMNS), number=number if chance.random() < 0.95 else chance.choice([0, -1, 19000, 2**29, 1]),
                                   label=chance.choice([DESCRIBED.LABEL_OPTIONAL] * 4 + [DESCRIBED.LABEL_REPEATED, DESCRIBED.LABEL_REQUIRED]),
                                   type=chance.choice([DESCRIBED.TYPE_INT64] * 5 + [DESCRIBED.TYPE_STRING] * 5 + [*DESCRIBED.Type.values()]))
            if field.type in (DESCRIBED.TYPE_MESSAGE, DESCRIBED.TYPE_ENUM, DESCRIBED.TYPE_GROUP) or chance.random() < 0.02:
                field.type_name = chance.choice(["Inner", "Inner", ".Inner", "Row", "Nowhere", "", "google.protobuf.Timestamp"])
            if chance.random() < 0.03:
                field.default_value = chance.choice(["1", "x", ""])
        if depth < 2 and chance.random() < 0.3:
            self.descriptor(made.nested_type.add(), depth + 1)
            made.nested_type[0].name = "Inner"
        if chance.random() < 0.1:
            made.enum_type.add(name="Inner").value.add(name="A", number=chance.choice([0, 1]))

    def row(self) -> bytes:
        """Fields of a message: numbers and texts under small tags, or what is no message."""
        chance = self.chance
        parts = [chance.choice([bytes([tag << 3, chance.randrange(128)]), bytes([tag << 3 | 2, 1]) + b"x", bytes([tag << 3 | 1]) + chance.randbytes(8), bytes([tag << 3 | 2, 2, 8, 1])])
                 for tag in range(1, chance.choice([1, 2, 3, 4]))]
        return b"".join(parts) if chance.random() < 0.9 else chance.choice([*BYTES, chance.randbytes(30)])

    def arrow(self, name: str) -> bytes:
        chance = self.chance
        schema = pa.schema([(column, chance.choice(ARROW[:4] + ARROW)) for column in chance.sample(COLUMNS, chance.choice([0, 1, 1, 2, 3]))])
        batch = pa.RecordBatch.from_pylist([{}] * chance.choice([0, 1, 3]), schema=schema)
        data = (schema if name == "serialized_schema" else batch).serialize().to_pybytes()
        return data if chance.random() < 0.8 else chance.choice([data[:-9], data[8:], *BYTES, data.replace(bytes(3), b"\xff\x00\x00", 1)])

    def requests(self, each: Rpc) -> list[Message]:
        self.dirt = self.chance.choice([0, 0, 0.1, 0.5])
        made = [self.message(each.request()) for _ in range(self.chance.choice([1, 2, 3]) if each.kind == "stream_stream" else 1)]
        if each.name == "AppendRows" and self.chance.random() < 0.8:
            self.names["write"].append(f"{self.chance.choice(TABLES)}/streams/_default")
            made[0].write_stream = self.chance.choice(self.names["write"][-10:])
        return made


class Storm:
    """A server, and what it was sent and answered."""

    def __init__(self, ready: dict, seed: int):
        self.channel = grpc.insecure_channel(ready["grpc"].partition("//")[2], options=[("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)])
        self.maker = Maker(random.Random(seed))
        self.seen: Counter = Counter()

    def send(self, each: Rpc, requests: list[Message]) -> None:
        path = f"/{PACKAGE}.{each.service}/{each.name}"
        call = getattr(self.channel, each.kind)(path, each.request.SerializeToString, each.response.FromString)
        code, told = grpc.StatusCode.OK, ""
        try:
            answer = call(iter(requests) if each.kind == "stream_stream" else requests[0], timeout=SLOW)
            for _, response in zip(range(MOST), [answer] if isinstance(answer, Message) else answer):
                self.note(each, response)
            getattr(answer, "cancel", lambda: None)()
        except grpc.RpcError as error:
            code, told = error.code(), error.details()
        self.check(code, told, each, requests)

    def note(self, each: Rpc, response: Message) -> None:
        """What a later request may name; an error inside of a response is checked like a status."""
        if each.name == "CreateReadSession":
            self.maker.names["read"] += [stream.name for stream in response.streams]
        elif each.name == "CreateWriteStream":
            self.maker.names["write"].append(response.name)
        elif each.name == "AppendRows" and response.HasField("error"):
            code = next(code for code in grpc.StatusCode if code.value[0] == response.error.code)
            self.check(code, response.error.message, each, [])

    def check(self, code: grpc.StatusCode, told: str, each: Rpc, requests: list[Message]) -> None:
        self.seen[each.name, code.name] += 1
        named = code is not grpc.StatusCode.UNIMPLEMENTED or "does not support" in told
        assert code in ANSWERS and named and (told or code is grpc.StatusCode.OK), f"{each.name}: {code.name}: {told}\n{requests}"


@pytest.fixture(scope="module", params=SEEDS)
def storm(request) -> Iterator[Storm]:
    with running_emulator("--in-memory") as ready:
        client = new_client(ready)
        client.create_dataset("d")
        client.query_and_wait("""
            CREATE TABLE d.t AS SELECT n, CAST(n AS STRING) AS s FROM UNNEST(GENERATE_ARRAY(1, 1000)) AS n;
            CREATE TABLE d.wide (n INT64 NOT NULL, s STRING(5), b BYTES, st STRUCT<x INT64>, l ARRAY<INT64>, ts TIMESTAMP, d DATE DEFAULT CURRENT_DATE(), num NUMERIC(5, 2),
                                 j JSON, g GEOGRAPHY, r RANGE<DATE>);
            CREATE TABLE d.parts (n INT64, ts TIMESTAMP) PARTITION BY DATE(ts);
            CREATE VIEW d.v AS SELECT n FROM d.t; CREATE TABLE d.empty (n INT64)""")
        yield Storm(ready, request.param)
        assert ready["process"].poll() is None
        assert client.query_and_wait("SELECT 1").total_rows == 1


def test_whatever_is_sent(storm):
    done = []
    with ThreadPoolExecutor(4) as pool:
        for _ in range(COUNT // TOGETHER):  # later ones name the streams of earlier ones
            sent = [(each, storm.maker.requests(each)) for each in storm.maker.chance.choices(RPCS, k=TOGETHER)]
            done += wait([pool.submit(storm.send, *each) for each in sent]).done
    failures = [str(error) for each in done if (error := each.exception())]
    assert not failures, "\n\n".join(sorted(set(failures))[:20])
    assert {name for name, code in storm.seen if code == "OK"} == {each.name for each in RPCS}, storm.seen
