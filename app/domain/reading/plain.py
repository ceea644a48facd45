"""The rows of a workbook with one sheet, or of a CSV file, as text: lists, which hold no values."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final

from app.domain.reading import text
from app.domain.reading.books import new_book
from app.domain.reading.causes import Unreadable
from app.domain.reading.cells import Odd, Row, is_blank, text_of
from app.domain.reading.channel import Channel
from app.domain.reading.container import TEXT, XLSX, kind_of
from app.domain.reading.frames import End, Plain
from app.domain.reading.limits import LONGEST_TEXT, MOST_COLUMNS

Reopened = Callable[[], BinaryIO]
LONGEST: Final = 1_000  # characters of a cell that are told: longer ones are wrong in any list
_TOGETHER: Final = 2**20  # characters of a frame, roughly
_SAMPLE: Final = 200  # lines that are looked at for what parts the cells


def key(cell: str | None) -> str:
    """Return the words of a heading, however they are spaced, cased and closed."""
    folded = unicodedata.normalize("NFC", " ".join((cell or "").split())).casefold()
    return folded.rstrip(" :.")


def tell(channel: Channel, file: Reopened, media: str | None, headings: Sequence[str]) -> End:
    """Tell the rows that have content; return how many there were.

    What parts the cells of a text is known by the headings, as `key` returns them.
    """
    kind = kind_of(file(), media)
    if kind not in (TEXT, XLSX):
        raise Unreadable("unsupported-file", vi="tệp khác CSV, .xlsx", en="neither CSV nor .xlsx")
    rows = _of_book(file(), channel) if kind == XLSX else _of_text(file, frozenset(headings))
    ready: list[tuple[int, list[str | None]]] = []
    count = size = told = 0
    for row, cells in rows:
        if all(map(is_blank, cells)):
            continue
        if len(cells) > MOST_COLUMNS:
            raise Unreadable("unsafe-file")
        shown = [None if isinstance(one, Odd) else text_of(one)[:LONGEST] for one in cells]
        ready.append((row, shown))
        count, size = count + 1, size + sum(len(one or "") + 1 for one in shown)
        if size > LONGEST_TEXT:
            raise Unreadable("unsafe-file")
        if size - told > _TOGETHER:
            channel.send(Plain(ready))
            ready, told = [], size
        channel.alive(count)
    channel.send(Plain(ready))
    return End(count, 0)


def _of_book(file: BinaryIO, channel: Channel) -> Iterator[tuple[int, Row]]:
    # A second sheet would be lost in silence, and a hidden one may be half of the list.
    sheets = new_book(file, lambda: channel.alive(0))
    filled = [one for one in sheets if any(map(_says, one.rows()))]
    if not filled:
        raise Unreadable("empty-file")
    if len(filled) > 1:
        raise Unreadable("several-sheets")
    return filled[0].rows()


def _of_text(file: Reopened, headings: frozenset[str]) -> Iterator[tuple[int, Row]]:
    def fits(found: list[Row]) -> int:
        return sum(isinstance(one, str) and key(one) in headings for row in found for one in row)

    encoding = text.encoding_of(file().read(4_096), None)
    sample = list(itertools.islice(text.lines(file, encoding), _SAMPLE))
    return text.rows(text.lines(file, encoding), text.delimiter_of(sample, fits))


def _says(row: tuple[int, Row]) -> bool:
    return not all(map(is_blank, row[1]))
