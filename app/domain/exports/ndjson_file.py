"""NDJSON files: one item a line as lists show it, and a last line that proves completeness.

The last line is `{"end": {"rows": n, "sha256": "<hex>"}}`: how many lines stand before it, and the
hash of all their bytes. A file without it was cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

_ENCODER: Final = msgspec.json.Encoder()


class NdjsonFile:
    """Writes a file part by part; every part is to be sent as it is."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._rows = 0

    def begin(self) -> bytes:
        """Return nothing: there are no headings."""
        return b""

    def part(self, rows: Sequence[Any]) -> bytes:
        """Return items, a line each."""
        part = _ENCODER.encode_lines(rows)
        self._rows += len(rows)
        self._digest.update(part)
        return part

    def end(self) -> bytes:
        """Return the last line."""
        told = {"end": {"rows": self._rows, "sha256": self._digest.hexdigest()}}
        return _ENCODER.encode_lines([told])
