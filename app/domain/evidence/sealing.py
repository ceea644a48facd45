"""Names sealed: chunks of rows, encrypted under the key of their submission.

Each chunk knows its place: taken from another list, or from elsewhere in the same, it does not
open.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.domain.evidence import keys
from app.domain.evidence.rows import Row

TOGETHER: Final = 1_000  # rows of a chunk
_NONCE: Final = 12
_log: Final = logging.getLogger("ntm.evidence")


def seal(key: bytes, submission: int, list_: int, rows: Sequence[Row]) -> list[bytes]:
    """Return the rows of a list as encrypted chunks, in their order."""
    cipher = AESGCM(key)
    chunks = []
    for number, first in enumerate(range(0, len(rows), TOGETHER)):
        nonce = os.urandom(_NONCE)
        content = msgspec.json.encode(rows[first : first + TOGETHER])
        chunks.append(nonce + cipher.encrypt(nonce, content, _place(submission, list_, number)))
    return chunks


def unseal(key: bytes, submission: int, list_: int, number: int, chunk: bytes) -> list[Row]:
    """Return the rows of a chunk; raise Hindered where it was altered or moved."""
    try:
        content = AESGCM(key).decrypt(
            chunk[:_NONCE], chunk[_NONCE:], _place(submission, list_, number)
        )
    except (InvalidTag, ValueError):
        _log.error("chunk %d of the list %d of evidence cannot be opened", number, list_)
        raise keys.unavailable() from None
    return msgspec.json.decode(content, type=list[Row])


def _place(submission: int, list_: int, number: int) -> bytes:
    return f"{submission}:{list_}:{number}".encode()
