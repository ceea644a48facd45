"""NDJSON as rows of cells: one object a line, in the columns of the long form.

A line is what `POST /v1/values` takes (its `value` a fact in JSON), or has texts under the names of
columns. A line that is no JSON is one bad row; a key that means nothing is a fault of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.domain.reading.causes import Unreadable
from app.domain.reading.cells import Cell, Given, Number, Odd, Row
from app.domain.reading.headings import RENAMED, Headings
from app.domain.refusals import Refused
from app.domain.strict_json import MalformedJson, read_json

# The columns that every line is laid out in.
COLUMNS: Final = (
    "unit", "name", "district", "province", "level", "on", "period", "indicator", "value",
    "numerator", "denominator", "source", "measured_on", "note",
    "status",
)  # fmt: skip
_PLACE: Final = {name: place for place, name in enumerate(COLUMNS)}
_VALUE: Final = _PLACE["value"]
_MOST_DIGITS: Final = 30
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


def rows(lines: Iterator[str], headings: Headings) -> Iterator[tuple[int, Row]]:
    """Yield every line with its cells; raise Unreadable for a key that means nothing."""
    places: dict[str, int | None] = {}
    for number, line in enumerate(lines, 1):
        if not line.isspace():
            yield number, _row(number, line, headings, places)


def _row(number: int, line: str, headings: Headings, places: dict[str, int | None]) -> Row:
    cells: Row = [None] * len(COLUMNS)
    try:
        found = read_json(line.removeprefix("\ufeff").encode())
    except (MalformedJson, Refused):
        found = None
    if type(found) is not dict:
        cells[0] = Odd("malformed-json", line.strip())
        return cells
    for key, value in found.items():
        if key not in places:
            places[key] = _place(number, key, headings, places)
        place = places[key]
        if place is not None:
            cells[place] = _cell(value) if place == _VALUE else _plain(value)
    return cells


def _place(number: int, key: str, headings: Headings, places: dict[str, int | None]) -> int | None:
    """Return the column that a key means; None for one that is ignored."""
    word = key if key in _PLACE else headings.meaning(key).word
    if word == "ignored":
        return None
    word = RENAMED.get(word or "", word)
    if word is None:
        if headings.indicator(key):
            raise Unreadable("wide-json", number, column=key)
        near = headings.near(key)
        code = "unknown-column" if near is None else "unknown-column-near"
        raise Unreadable(code, number, column=key, near=near)
    place = _PLACE[word]
    if place in places.values():
        raise Unreadable("repeated-column", number, column=key, meaning=word)
    return place


def _plain(value: Any) -> Cell:
    """Return what stands beside a fact: text or a number, nothing that has to be spelled out."""
    if isinstance(value, bool | list | dict):
        return Odd("not-plain", _encoder.encode(value).decode())
    return _cell(value)


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | Decimal):
        number = Decimal(value)
        if abs(number.adjusted()) > _MOST_DIGITS:  # written out it would be as long as it likes
            return Odd("not-a-number", str(number))
        return Number.of(number)
    return Given(_encoder.encode(value).decode(), value)
