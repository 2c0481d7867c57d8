"""Exports of Datastore and Firestore: the metadata of a kind, and logs of its entities.

An entity is a message of Datastore's own protocol; a log is made of blocks as LevelDB's are.
"""
from __future__ import annotations

import struct
from functools import cache
from typing import BinaryIO, Iterator

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

METADATA = ".export_metadata"
# message -> "field:number:type", a star for a repeated one. A type in capitals is a group, which is inside the message.
MESSAGES = {
    "Backup": "kind_info:2:KindInfo*",
    "KindInfo": "kind:1:string file:2:string*",
    "EntityProto": "key:13:Reference entity_group:16:Path property:14:Property* raw_property:15:Property*",
    "Reference": "app:13:bytes name_space:20:bytes path:14:Path",
    "Path": "element:1:ELEMENT*",
    "Path.Element": "type:2:bytes id:3:int64 name:4:bytes",
    "Property": "meaning:1:int32 name:3:bytes multiple:4:bool value:5:PropertyValue",
    "PropertyValue": "int64value:1:int64 booleanvalue:2:bool stringvalue:3:bytes doublevalue:4:double pointvalue:5:POINTVALUE uservalue:8:USERVALUE "
                     "referencevalue:12:REFERENCEVALUE",
    "PropertyValue.Pointvalue": "x:6:double y:7:double",
    "PropertyValue.Uservalue": "email:9:bytes obfuscated_gaiaid:19:bytes",
    "PropertyValue.Referencevalue": "app:13:bytes name_space:20:bytes pathelement:14:PATHELEMENT*",
    "PropertyValue.Referencevalue.Pathelement": "type:15:bytes id:16:int64 name:17:bytes"}
BLOCK = 32 * 1024
HEADER = struct.Struct("<IHB")  # checksum, length, kind of piece
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@cache
def message_types() -> dict[str, type]:
    """The classes of the messages, made when the first export is read."""
    made = {name: descriptor_pb2.DescriptorProto(name=name.rpartition(".")[2]) for name in MESSAGES}
    for name, fields in MESSAGES.items():
        for field in fields.split():
            title, number, kind = field.split(":")
            labels = descriptor_pb2.FieldDescriptorProto
            added = made[name].field.add(name=title, number=int(number), label=labels.LABEL_REPEATED if kind.endswith("*") else labels.LABEL_OPTIONAL)
            kind = kind.rstrip("*")
            if kind.isupper():
                added.type, added.type_name = labels.TYPE_GROUP, f".datastore.{name}.{kind.capitalize()}"
            elif kind in made:
                added.type, added.type_name = labels.TYPE_MESSAGE, f".datastore.{kind}"
            else:
                added.type = labels.Type.Value(f"TYPE_{kind.upper()}")
    for name in sorted(MESSAGES, key=len, reverse=True):
        if "." in name:
            made[name.rpartition(".")[0]].nested_type.append(made[name])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto(name="datastore.proto", package="datastore", syntax="proto2",
                                                message_type=[made[name] for name in MESSAGES if "." not in name]))
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"datastore.{name}")) for name in MESSAGES}


class Damaged(ValueError):
    """What is wrong with a log, and where in it."""


# Metadata -----------------------------------------------------------------------------------------

def files_of(metadata: bytes) -> list[str]:
    """The logs that a kind's metadata names, relative to it; ValueError for what is no metadata or names none."""
    try:
        found = [file for kind in message_types()["Backup"].FromString(metadata).kind_info for file in kind.file]
    except (DecodeError, UnicodeDecodeError):
        found = []
    if not found:
        raise ValueError("no metadata")
    return found


# Logs ---------------------------------------------------------------------------------------------

def read_entities(log: BinaryIO) -> Iterator:
    """A log's entities, as EntityProto; Damaged at the first record that is none."""
    for start, record in records(log):
        yield parsed(record, f"the record starting at position {start} is no entity")


def parsed(record: bytes, why: str):
    """An entity; Damaged, with the reason given, where it is none."""
    try:
        return message_types()["EntityProto"].FromString(record)
    except DecodeError:
        raise Damaged(why) from None


def records(log: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """A log's records and where each begins; Damaged for a piece that is not what its checksum says, or is not where it belongs."""
    begun, parts = 0, []
    for start, kind, data in pieces(log):
        if (kind in (WHOLE, FIRST)) == bool(parts) or kind not in (WHOLE, FIRST, MIDDLE, LAST):
            raise Damaged(f"the record starting at position {begun if parts else start} is not complete")
        begun = start if not parts else begun
        parts.append(data)
        if kind in (WHOLE, LAST):
            yield begun, b"".join(parts)
            parts = []
    if parts:
        raise Damaged(f"the record starting at position {begun} is not complete")


def pieces(log: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Where each piece of a log begins, its kind, and its bytes."""
    base = 0
    while block := log.read(BLOCK):
        at = 0
        while at + HEADER.size <= len(block):
            checksum, length, kind = HEADER.unpack_from(block, at)
            if not checksum and not length and not kind:
                break  # the rest of the block is padding
            end = at + HEADER.size + length
            if end > len(block) or checksum != masked(block[at + HEADER.size - 1:end]):
                raise Damaged(f"the record starting at position {base + at} is damaged")
            yield base + at, kind, block[at + HEADER.size:end]
            at = end
        if len(block) < BLOCK and block[at:].strip(b"\0"):
            raise Damaged(f"the record starting at position {base + at} is damaged")
        base += len(block)


def masked(data: bytes) -> int:
    """A checksum as a log has it, which is not the CRC of what has CRCs in it."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
