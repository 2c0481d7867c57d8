"""Keysets and encryption as Tink has them: KEYS.*, AEAD.* and DETERMINISTIC_*.

A keyset is a serialized google.crypto.tink.Keyset. Keys wrapped by a Cloud KMS key need that service.
"""
from __future__ import annotations

import base64
import json
import os
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from ..errors import ApiError
from .protobuf import fields_of, message

PREFIX = "type.googleapis.com/google.crypto.tink."
# BigQuery's key type -> Tink's type, the number of the field that holds the key, its length.
TYPES = {
    "AEAD_AES_GCM_256": ("AesGcmKey", 3, 32), "DETERMINISTIC_AEAD_AES_SIV_CMAC_256": ("AesSivKey", 2, 64),
    "AES_GCM": ("AesGcmKey", 3, 32), "AES_CBC_PKCS": ("AesCbcPkcsKey", 3, 32),
}
STATUS = {1: "ENABLED", 2: "DISABLED", 3: "DESTROYED"}
OUTPUTS = {1: "TINK", 3: "RAW"}
TINK, RAW, ENABLED, SYMMETRIC = 1, 3, 1, 1


def failed(message: str) -> ApiError:
    return ApiError("invalidQuery", message, "query")


def key(type_url: str, value: bytes, number: int, output: int, status: int = ENABLED) -> bytes:
    data = message((1, type_url.encode()), (2, value), (3, SYMMETRIC))
    return message((1, data), (2, status), (3, number), (4, output))


def read(keyset: bytes) -> tuple[int, list[dict]]:
    """The primary key's id, and the keys: type, value (the key's own message), status, id, output."""
    try:
        found = fields_of(bytes(keyset))
        keys = []
        for item in found[2]:
            part = fields_of(item)
            data = fields_of(part[1][0])
            keys.append({"type": data[1][0].decode(), "value": data[2][0], "status": part[2][0], "id": part[3][0], "output": part[4][0]})
        return found[1][0], keys
    except (KeyError, IndexError, ValueError):
        raise failed("Keyset deserialization failed: the bytes are no keyset") from None


def write(primary: int, keys: list[dict]) -> bytes:
    return message((1, primary), *((2, key(k["type"], k["value"], k["id"], k["output"], k["status"])) for k in keys))


def new_key(kind: str, output: int = TINK, material: bytes | None = None) -> dict:
    if kind.upper() not in TYPES:
        raise failed(f"Unsupported key type: {kind}")
    name, field, length = TYPES[kind.upper()]
    material = material if material is not None else os.urandom(length)
    return {"type": PREFIX + name, "value": message((field, material)), "status": ENABLED, "id": secrets.randbits(31) | 1, "output": output}


def new_keyset(kind: str, _=0) -> bytes:
    if kind.upper() not in list(TYPES)[:2]:
        raise failed(f"Unsupported key type for KEYS.NEW_KEYSET: {kind}")
    made = new_key(kind)
    return write(made["id"], [made])


def add_key_from_raw_bytes(keyset: bytes, kind: str, material: bytes, _=0) -> bytes:
    primary, keys = read(keyset)
    if kind.upper() not in list(TYPES)[2:] or len(material) not in (16, 32):
        raise failed(f"KEYS.ADD_KEY_FROM_RAW_BYTES: invalid key type {kind} or length {len(material)}")
    return write(primary, keys + [new_key(kind, RAW, material)])


def rotate_keyset(keyset: bytes, kind: str, _=0) -> bytes:
    _, keys = read(keyset)
    made = new_key(kind)
    return write(made["id"], keys + [made])


def keyset_length(keyset: bytes) -> int:
    return len(read(keyset)[1])


def keyset_to_json(keyset: bytes) -> str:
    primary, keys = read(keyset)
    return json.dumps({"key": [
        {"keyData": {"keyMaterialType": "SYMMETRIC", "typeUrl": k["type"], "value": base64.b64encode(k["value"]).decode()}, "keyId": k["id"],
         "outputPrefixType": OUTPUTS.get(k["output"], "RAW"), "status": STATUS.get(k["status"], "DISABLED")} for k in keys], "primaryKeyId": primary}, separators=(",", ":"))


def keyset_from_json(text: str) -> bytes:
    try:
        found = json.loads(text)
        statuses, outputs = {v: k for k, v in STATUS.items()}, {v: k for k, v in OUTPUTS.items()}
        keys = [{"type": k["keyData"]["typeUrl"], "value": base64.b64decode(k["keyData"]["value"]), "status": statuses[k["status"]],
                 "id": int(k["keyId"]), "output": outputs[k["outputPrefixType"]]} for k in found["key"]]
        return write(int(found["primaryKeyId"]), keys)
    except (ValueError, KeyError, TypeError):
        raise failed("KEYS.KEYSET_FROM_JSON: the text is no keyset") from None


def material(found: dict) -> bytes:
    field = 2 if found["type"].endswith("AesSivKey") else 3
    return fields_of(found["value"])[field][0]


def prefix(found: dict) -> bytes:
    return b"\x01" + found["id"].to_bytes(4, "big") if found["output"] == TINK else b""


def octets(value) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def primary_key(keyset: bytes, kind: str) -> dict:
    primary, keys = read(keyset)
    found = next((k for k in keys if k["id"] == primary), None)
    if found is None or not found["type"].endswith(kind):
        raise failed("The keyset's primary key is not of the type that this function needs")
    return found


def encrypt(keyset: bytes, plain, extra, _=0) -> bytes:
    found = primary_key(keyset, "AesGcmKey")
    nonce = os.urandom(12)
    return prefix(found) + nonce + AESGCM(material(found)).encrypt(nonce, octets(plain), octets(extra))


def opened(keyset: bytes, cipher: bytes, kind: str, unlock) -> bytes:
    for found in read(keyset)[1]:
        start = prefix(found)
        if found["status"] == ENABLED and found["type"].endswith(kind) and cipher.startswith(start):
            try:
                return unlock(material(found), cipher[len(start):])
            except (InvalidTag, ValueError):
                continue
    raise failed("Decryption failed: no key of the keyset, or other additional data")


def decrypt_bytes(keyset: bytes, cipher: bytes, extra) -> bytes:
    return opened(keyset, bytes(cipher), "AesGcmKey", lambda secret, body: AESGCM(secret).decrypt(body[:12], body[12:], octets(extra)))


def text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise failed("Decryption failed: the plaintext is not valid UTF-8") from None


def decrypt_string(keyset: bytes, cipher: bytes, extra) -> str:
    return text(decrypt_bytes(keyset, cipher, extra))


def deterministic_encrypt(keyset: bytes, plain, extra) -> bytes:
    found = primary_key(keyset, "AesSivKey")
    return prefix(found) + AESSIV(material(found)).encrypt(octets(plain), [octets(extra)])


def deterministic_decrypt_bytes(keyset: bytes, cipher: bytes, extra) -> bytes:
    return opened(keyset, bytes(cipher), "AesSivKey", lambda secret, body: AESSIV(secret).decrypt(body, [octets(extra)]))


def deterministic_decrypt_string(keyset: bytes, cipher: bytes, extra) -> str:
    return text(deterministic_decrypt_bytes(keyset, cipher, extra))
