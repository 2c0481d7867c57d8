"""FARM_FINGERPRINT: the 64-bit fingerprint of FarmHash, for all texts of one length at a time.

A number here is a column of uint64, of which overflow is a part, or a number of Python's where it is the same in all rows.
"""
from __future__ import annotations

from collections import defaultdict

import numpy as np

from .python_functions import takes_columns

MASK = 2**64 - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def word(rows: np.ndarray, at: int = 0) -> np.ndarray:
    return np.ascontiguousarray(rows[:, at:at + 8]).view("<u8")[:, 0]


def half(rows: np.ndarray, at: int = 0) -> np.ndarray:
    return np.ascontiguousarray(rows[:, at:at + 4]).view("<u4")[:, 0].astype(np.uint64)


def byte(rows: np.ndarray, at: int) -> np.ndarray:
    return rows[:, at].astype(np.uint64)


def rotated(x, by: int) -> np.ndarray:
    x = x & MASK
    return x >> by | x << 64 - by & MASK


def mixed(x) -> np.ndarray:
    return x ^ x >> 47


def joined(u, v, by) -> np.ndarray:
    a = mixed(((u ^ v) & MASK) * by & MASK)
    return mixed(((v & MASK) ^ a) * by & MASK) * by & MASK


@takes_columns
def farm_fingerprint(values: list) -> list:
    rows = defaultdict(list)
    texts = [value.encode() if isinstance(value, str) else value for value in values]
    for place, text in enumerate(texts):
        if text is not None:
            rows[len(text)].append(place)
    made: list = [None] * len(texts)
    for size, places in rows.items():
        same = np.frombuffer(b"".join(texts[place] for place in places), np.uint8).reshape(len(places), size)
        found = up_to_16(same, size) if size <= 16 else up_to_32(same, size) if size <= 32 else up_to_64(same, size) if size <= 64 else longer(same, size)
        for place, number in zip(places, np.broadcast_to(np.asarray(found, np.uint64), len(places)).view(np.int64).tolist()):
            made[place] = number
    return made


def up_to_16(s: np.ndarray, size: int) -> np.ndarray:
    by = K2 + size * 2
    if size >= 8:
        a, b = word(s) + K2, word(s, size - 8)
        return joined(rotated(b, 37) * by + a, (rotated(a, 25) + b) * by, by)
    if size >= 4:
        return joined(size + (half(s) << 3), half(s, size - 4), by)
    if size:
        y, z = byte(s, 0) + (byte(s, size >> 1) << 8), size + (byte(s, size - 1) << 2)
        return mixed((y * K2 ^ z * K0) & MASK) * K2 & MASK
    return K2


def ends(s: np.ndarray, size: int, first: int) -> tuple:
    """What the middle lengths make of both ends of a text: two words to join, and the first word by a constant."""
    by = K2 + size * 2
    a, b = word(s) * first, word(s, 8)
    c, d = word(s, size - 8) * by, word(s, size - 16) * K2
    return rotated(a + b, 43) + rotated(c, 30) + d, a + rotated(b + K2, 18) + c, a


def up_to_32(s: np.ndarray, size: int) -> np.ndarray:
    u, v, _ = ends(s, size, K1)
    return joined(u, v, K2 + size * 2)


def up_to_64(s: np.ndarray, size: int) -> np.ndarray:
    by = K2 + size * 2
    y, v, a = ends(s, size, K2)
    z = joined(y, v, by)
    e, f = word(s, 16) * by, word(s, 24)
    g, h = (y + word(s, size - 32)) * by, (z + word(s, size - 24)) * by
    return joined(rotated(e + f, 43) + rotated(g, 30) + h, e + rotated(f + a, 18) + g, by)


def stirred(s: np.ndarray, at: int, a, b) -> tuple:
    """32 bytes worked into two words."""
    w, x, y, z = (word(s, at + step) for step in (0, 8, 16, 24))
    a += w
    b = rotated(b + a + z, 21)
    whole = a + x + y
    return whole + z & MASK, b + rotated(whole, 44) + a & MASK


def round_of(s: np.ndarray, at: int, state: tuple, by, weight: int) -> tuple:
    """64 bytes worked into the state; weight: 1, and 9 in the last round."""
    x, y, z, v, w = state
    x = rotated(x + y + v[0] + word(s, at + 8), 37) * by ^ w[1] * weight
    y = rotated(y + v[1] + word(s, at + 48), 42) * by + v[0] * weight + word(s, at + 40)
    z = rotated(z + w[0], 33) * by & MASK
    v = stirred(s, at, v[1] * by, x + w[0])
    w = stirred(s, at + 32, z + w[1], y + word(s, at + 16))
    return z & MASK, y & MASK, x & MASK, v, w


def longer(s: np.ndarray, size: int) -> np.ndarray:
    y = 81 * K1 + 113 & MASK
    z = mixed(y * K2 + 113 & MASK) * K2 & MASK
    state = ((81 * K2 & MASK) + word(s), y, z, (0, 0), (0, 0))
    for at in range(0, (size - 1) // 64 * 64, 64):
        state = round_of(s, at, state, K1, 1)
    x, y, z, v, w = state
    by = K1 + ((z & 0xFF) << 1)
    first = w[0] + (size - 1 & 63)
    v = (v[0] + first & MASK, v[1])
    w = (first + v[0] & MASK, w[1])
    x, y, z, v, w = round_of(s, size - 64, (x, y, z, v, w), by, 9)
    return joined(joined(v[0], w[0], by) + mixed(y) * K0 + z, joined(v[1], w[1], by) + x, by)
