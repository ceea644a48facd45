"""Rows as they were sent, for the file of what was refused: to be mended and sent again.

Headings stay as they are where they stand in one row; else each column gets the word or code by
which it is known again. Numbers of workbooks are written in the way of the file's locale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from app.domain.reading.cells import Cell, Given, Number, Odd, Row, is_blank, text_of
from app.domain.reading.channel import Channel
from app.domain.reading.frames import Originals
from app.domain.reading.merging import Merging
from app.domain.reading.numbers import ENGLISH
from app.domain.reading.plan import LONG
from app.domain.reading.tables import Opened, Tables

_TOGETHER: Final = 500
_RAW: Final = 1_000  # characters of a line that is no JSON


def tell(channel: Channel, tables: Tables, wanted: Sequence[tuple[str | None, int]]) -> None:
    """Tell the wanted rows of every table."""
    several = len(tables.tables) > 1
    english = tables.order.locale == ENGLISH
    for opened in tables.tables:
        rows = {row for sheet, row in wanted if sheet == opened.sheet}
        kept = [place for place, text in enumerate(opened.plan.columns) if text]
        header = _header(opened, kept, canonical=several)
        extra = _stated(opened)
        ready: list[tuple[str | None, int, list[str]]] = []
        for row, cells in _wanted(opened, rows):
            texts = [*_texts(opened, row, cells, kept, english=english), *extra.values()]
            ready.append((opened.sheet, row, texts))
            if len(ready) >= _TOGETHER:
                channel.send(Originals((*header, *extra), ready))
                ready = []
        if ready:
            channel.send(Originals((*header, *extra), ready))


def _header(opened: Opened, kept: Sequence[int], *, canonical: bool) -> tuple[str, ...]:
    if not canonical and not opened.layout.renamed:
        return tuple(opened.plan.columns[place] for place in kept)
    names = []
    for place in kept:
        meaning = opened.plan.meaning[place] or "ignored"
        ignored = meaning == "ignored"
        percent = any(one.percent and one.value == place for one in opened.plan.targets)
        names.append(opened.plan.columns[place] if ignored else meaning + " (%)" * percent)
    return tuple(names)


def _stated(opened: Opened) -> dict[str, str]:
    """Return what a template says and a file of text cannot: columns of their own."""
    if opened.template is None:
        return {}
    said = {"period": opened.template.identity.period, "on": opened.template.identity.on}
    return {word: text for word, text in said.items() if text and word not in opened.plan.words}


def _wanted(opened: Opened, rows: set[int]) -> Iterator[tuple[int, Row]]:
    found = opened.rows()
    if opened.book is not None:
        found = Merging(opened.book.merged, opened.plan, opened.layout.last).over(found)
    left = len(rows)
    for row, cells in found:
        if row in rows:
            yield row, cells
            left -= 1
            if not left:
                return


def _texts(
    opened: Opened, row: int, cells: Row, kept: Sequence[int], *, english: bool
) -> list[str]:
    """Return the cells of a row as text, as many as there are headings."""
    if isinstance(cells[0], Odd) and cells[0].code == "malformed-json":
        raw = {opened.plan.words["value"]: cells[0].shown[:_RAW]}
        return [raw.get(place, "") for place in kept]
    texts = [_text(cell, english=english) for cell in cells]
    width = len(opened.plan.columns)
    if len(texts) > width and not opened.ragged:  # what was parted too often belongs together
        texts[width - 1 :] = [(opened.delimiter or ",").join(texts[width - 1 :])]
    texts += [""] * (width - len(texts))
    if opened.plan.form == LONG and isinstance(_value(opened, cells), Given):
        _lay_out(opened, cells, texts)
    return [texts[place] for place in kept]


def _value(opened: Opened, cells: Row) -> Cell:
    place = opened.plan.words.get("value")
    return None if place is None or place >= len(cells) else cells[place]


def _lay_out(opened: Opened, cells: Row, texts: list[str]) -> None:
    """Write a fact in JSON as cells of the long form; what is none stays the text that it was."""
    given = _value(opened, cells)
    words = opened.plan.words
    match given.raw if isinstance(given, Given) else None:
        case {"percent": str(percent), **more} if not more:
            texts[words["value"]] = f"{percent}%"
        case {"numerator": int(numerator), "denominator": int(denominator), **more} if not more:
            texts[words["value"]] = ""
            texts[words["numerator"]], texts[words["denominator"]] = (
                str(numerator),
                str(denominator),
            )
        case list(codes) if all(isinstance(one, str) for one in codes):
            texts[words["value"]] = "|".join(codes) or "[]"


def _text(cell: Cell, *, english: bool) -> str:
    if is_blank(cell):
        return ""
    if isinstance(cell, Number):
        number = cell.value.scaleb(2) if cell.percent else cell.value
        written = Number.of(number).written()
        return (written if english else written.replace(".", ",")) + "%" * cell.percent
    return text_of(cell)
