"""The chain of hashes over the audit: what an entry is in bytes, and what links it to the others.

Everything here can be computed anew by anybody with a SHA-256 and a JSON library: an entry is the
JSON array of its columns in canonical form (RFC 8785), and the hash at a position is
SHA-256(hash before | position as 8 bytes, most significant first | entry).
"""

from __future__ import annotations

import hashlib
from typing import Final

import asyncpg
import msgspec

# The hash before the first position: SHA-256 of these words.
GENESIS: Final = hashlib.sha256(b"ntm audit chain 1").digest()
_SINCE_2000: Final = 946_684_800_000_000  # microseconds from 1970 to where PostgreSQL counts from
_encoder: Final = msgspec.json.Encoder()


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All columns of an entry, in the order in which they are hashed; `at` in microseconds."""

    id: int
    at: int
    client: str
    official_id: str | None
    official_office: str | None
    official_position: str | None
    action: str
    unit_id: int | None
    district_id: int | None
    province_id: int | None
    request_id: str | None
    reason: str | None
    details: str


# What reads an Entry; the instant as PostgreSQL keeps it, so that no clock library rounds it.
COLUMNS: Final = ", ".join(
    "timestamptz_send(e.at) AS at" if name == "at" else f"e.{name}"
    for name in Entry.__struct_fields__
)
_FIELDS: Final = slice(2, len(Entry.__struct_fields__))


def entry_of(row: asyncpg.Record) -> Entry:
    """Return the entry that a row begins with, read by COLUMNS."""
    at = int.from_bytes(row[1], "big", signed=True) + _SINCE_2000
    return Entry(row[0], at, *row[_FIELDS])


def canonical(entry: Entry) -> bytes:
    """Return the bytes of an entry: no two entries have the same, null is not an empty text."""
    return _encoder.encode(entry)


def link(before: bytes, position: int, entry: Entry) -> bytes:
    """Return the hash at a position: it vouches for the entry and for everything before it."""
    return hashlib.sha256(before + position.to_bytes(8, "big") + canonical(entry)).digest()
