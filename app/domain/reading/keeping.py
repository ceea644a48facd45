"""Rows of a sheet kept between two passes: reading them again costs more than packing them.

They are kept in blocks, packed; of a sheet that packs to too much nothing is kept, and each pass
reads it again.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from app.domain.reading.cells import Day, Number, Odd, Row

_TOGETHER: Final = 500  # rows
_MOST: Final = 64 * 2**20  # bytes of a sheet
_FAST: Final = 1

Numbered = tuple[int, Row]
# What a workbook's cells can be; facts in JSON stand in none.
_decoder: Final = msgspec.msgpack.Decoder(
    list[tuple[int, list[str | bool | Number | Day | Odd | None]]]
)
_encoder: Final = msgspec.msgpack.Encoder()


class Keeping:
    """Yields the rows of a source; once it was read to its end, from memory."""

    def __init__(self, source: Callable[[], Iterator[Numbered]]) -> None:
        self._source = source
        self._blocks: list[bytes] | None = None
        self._keeps = True

    def rows(self) -> Iterator[Numbered]:
        """Yield the rows; they are the caller's to change."""
        if self._blocks is None:
            yield from self._first()
            return
        for block in self._blocks:
            for row, cells in _decoder.decode(zlib.decompress(block)):
                yield row, list(cells)

    def _first(self) -> Iterator[Numbered]:
        """Yield the rows of the source, packing them before anybody changes them."""
        blocks: list[bytes] = []
        size, source = 0, self._source()
        while rows := list(itertools.islice(source, _TOGETHER)):
            if self._keeps:
                blocks.append(zlib.compress(_encoder.encode(rows), _FAST))
                size += len(blocks[-1])
                if size > _MOST:
                    self._keeps = False
                    blocks.clear()
            yield from rows
        self._blocks = blocks if self._keeps else None
