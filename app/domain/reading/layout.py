"""Where a table begins and what its columns mean: titles above it, headings in one row or two.

The header is the first row that names a column of units and another known one. Below it may stand
the parts of groups (`Tử số`, `Mẫu số` below the name of an indicator) and a row that numbers the
columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from app.domain.reading.cells import Row, is_blank, text_of
from app.domain.reading.headings import UNKNOWN, Headings, Meaning, is_unit

SEARCHED: Final = 30  # rows with content, for the header
_NUMBERING: Final = re.compile(r"\(?\[?([0-9]{1,3}|[A-Za-z])\]?\)?")
_FEWEST_NUMBERED: Final = 3


class Layout(msgspec.Struct, frozen=True):
    """The headings of a table with their meanings; values begin below row `last`.

    `renamed` tells that the headings are not in one row as they stand here. `numbering` is a row
    that was passed over.
    """

    row: int
    last: int
    columns: tuple[str, ...]
    meanings: tuple[Meaning, ...]
    renamed: bool = False
    numbering: int | None = None


def find(head: Sequence[tuple[int, Row]], headings: Headings) -> Layout | None:
    """Return the layout of a table by its first rows; None where no row looks like a header."""
    found = [_Line(row, cells, headings) for row, cells in head]
    following = (*found[1:], None)
    pairs = [(one, two) for one, two in zip(found, following, strict=False) if one.known]
    for line, below in pairs:
        if line.has_unit and line.known + _parts(line, below, headings) > 1:
            return _layout(line, below, found, headings)
    best = max(pairs, key=lambda pair: pair[0].known, default=None)
    if best is None or (best[0].known < 2 and len(best[0].texts) - best[0].texts.count("") < 2):
        return None
    return _layout(*best, found, headings)


def score(rows: Iterable[Row], headings: Headings) -> int:
    """Return how well the best of some rows would do as a header."""
    lines = [_Line(0, cells, headings) for cells in list(rows)[:SEARCHED]]
    return max((one.known + one.has_unit for one in lines), default=0)


class _Line:
    """A row that may be a header: its texts and what they mean."""

    def __init__(self, row: int, cells: Row, headings: Headings) -> None:
        self.row = row
        self.texts = ["" if is_blank(cell) else text_of(cell) for cell in cells]
        self.meanings = [headings.meaning(text) if text else UNKNOWN for text in self.texts]
        self.known = sum(one is not UNKNOWN for one in self.meanings)
        self.has_unit = any(map(is_unit, self.meanings))

    def grouped(self) -> list[str]:
        """Return the texts, each repeated over the blanks to its right: headings of groups."""
        found, last = [], ""
        for text in self.texts:
            last = text or last
            found.append(last)
        return found


def _below(line: _Line, below: _Line | None, headings: Headings) -> list[Meaning] | None:
    """Return what the second row of a header means; None where the next row is no such row."""
    if below is None:
        return None
    width = max(len(line.texts), len(below.texts))
    groups = line.grouped()
    groups += [groups[-1] if groups else ""] * (width - len(groups))
    texts = below.texts + [""] * (width - len(below.texts))
    meanings = line.meanings + [UNKNOWN] * (width - len(line.meanings))
    found = [
        headings.below(group, text) if text else UNKNOWN
        for group, text in zip(groups, texts, strict=True)
    ]
    for own, text, meaning in zip(meanings, texts, found, strict=True):
        if text and (meaning is UNKNOWN or meaning.word or is_unit(own)):
            return None
    return found if any(texts) else None


def _parts(line: _Line, below: _Line | None, headings: Headings) -> int:
    return sum(one is not UNKNOWN for one in _below(line, below, headings) or ())


def _layout(line: _Line, below: _Line | None, found: Sequence[_Line], headings: Headings) -> Layout:
    parts = _below(line, below, headings)
    last = line
    columns, meanings = list(line.texts), list(line.meanings)
    if parts is not None and below is not None:
        last = below
        width = len(parts)
        groups = line.grouped()
        groups += [groups[-1]] * (width - len(groups))
        texts = below.texts + [""] * (width - len(below.texts))
        columns += [""] * (width - len(columns))
        meanings += [UNKNOWN] * (width - len(meanings))
        for place, meaning in enumerate(parts):
            if texts[place]:
                own = headings.meaning(texts[place]).indicators
                columns[place] = texts[place] if own else f"{groups[place]} - {texts[place]}"
                meanings[place] = meaning
    after = next((one for one in found if one.row > last.row), None)
    numbering = after.row if after is not None and _numbers_columns(after.texts) else None
    return Layout(
        line.row,
        numbering or last.row,
        tuple(columns),
        tuple(meanings),
        last is not line,
        numbering,
    )


def _numbers_columns(texts: Sequence[str]) -> bool:
    """Tell whether a row only numbers the columns: A, B, 1, 2, 3 or (1), (2), (3)."""
    matches = [_NUMBERING.fullmatch(text) for text in texts if text]
    said = [one[1] for one in matches if one]
    if len(said) < max(len(matches), _FEWEST_NUMBERED):
        return False
    letters = [one for one in said if one.isalpha()]
    numbers = [int(one) for one in said[len(letters) :] if one.isdigit()]
    consecutive = range(numbers[0], numbers[0] + len(numbers)) if numbers else range(0)
    alphabet = [chr(ord("A") + place) for place in range(len(letters))]
    return (
        len(letters) + len(numbers) == len(said)
        and [one.upper() for one in letters] == alphabet
        and list(consecutive) == numbers
        and (not numbers or numbers[0] in (1, len(letters) + 1))
    )
