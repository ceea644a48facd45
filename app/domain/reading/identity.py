"""The hidden sheet by which a template of ours is known again: no heading has to be understood.

It begins with the mark; then come keys with values, then the columns with their meanings and the
headings that stood above them. A column that was moved is found again by its heading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.own_files import IDENTITY_FORMAT, IDENTITY_MARK, IDENTITY_SHEET
from app.domain.reading.causes import Unreadable
from app.domain.reading.cells import Row, is_blank, text_of
from app.domain.reading.frames import Identity, Measure, Order
from app.domain.reading.headings import UNKNOWN, Headings, Meaning
from app.domain.reading.layout import Layout

_KEYS: Final = ("ruleset", "digest", "period", "under", "on")
_MOST_ROWS: Final = 5_000
_WORDS: Final = frozenset({
    "unit", "name", "district", "province", "level", "on", "period", "indicator", "value",
    "numerator", "denominator", "source", "measured_on", "note", "ignored",
})  # fmt: skip


class Template(msgspec.Struct, frozen=True):
    """What the hidden sheet says: the template, the sheet with values, where its columns stood."""

    identity: Identity
    locale: str | None
    sheet: str
    header_row: int
    first_row: int
    columns: tuple[tuple[int, str, str], ...]  # number from 1, meaning, heading


def read(rows: Iterator[tuple[int, Row]]) -> Template:
    """Return what the hidden sheet says; raise Unreadable for one that is not ours any more."""
    texts: list[list[str]] = []
    for _, cells in rows:
        texts.append([*map(text_of, cells), "", "", ""])
        if len(texts) > _MOST_ROWS:
            break
    if not texts or texts[0][:2] != [IDENTITY_MARK, str(IDENTITY_FORMAT)]:
        raise Unreadable("template-changed", sheet=IDENTITY_SHEET)
    start = next((n for n, row in enumerate(texts) if row[:2] == ["column", "meaning"]), None)
    said = {row[0]: row[1] for row in texts[1:start]}
    try:
        columns = [(int(row[0]), row[1], row[2]) for row in texts[(start or 0) + 1 :] if row[0]]
        return Template(
            Identity(**{key: said[key] for key in _KEYS}),
            said.get("locale") or None,
            said["sheet"],
            int(said["header_row"]),
            int(said["first_row"]),
            tuple(columns),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise Unreadable("template-changed", sheet=IDENTITY_SHEET) from error


def ordered(template: Template, order: Order) -> Order:
    """Return an order with what a template says; raise Unreadable where it contradicts it."""
    said = template.identity
    for option, stated, made in (("period", order.period, said.period), ("on", order.on, said.on)):
        if stated is not None and stated != made:
            raise Unreadable(
                "invalid-option",
                option=option,
                vi=f"mẫu nhập được lập cho {option}={made}; hãy bỏ tham số này",
                en=f"the template was made for {option}={made}; leave it out",
            )
    return msgspec.structs.replace(
        order,
        period=said.period,
        on=said.on or None,
        locale=order.locale or template.locale,
    )


def layout(
    template: Template,
    rows: Sequence[tuple[int, Row]],
    catalogue: Sequence[Measure],
    headings: Headings,
) -> Layout:
    """Return the layout of a template's table; raise Unreadable where columns of it are gone."""
    header = next((cells for number, cells in rows if number == template.header_row), [])
    texts = ["" if is_blank(cell) else text_of(cell) for cell in header]
    columns = list(texts)
    meanings = [headings.meaning(text) if text else UNKNOWN for text in texts]
    gone = []
    for number, meaning, heading in template.columns:
        place = number - 1
        if place >= len(texts) or (heading and texts[place] != heading):
            place = texts.index(heading) if heading in texts else -1
        if place < 0:
            gone.append(
                Unreadable("template-changed", template.header_row, template.sheet, heading)
            )
            continue
        meanings[place] = _meaning(meaning, texts[place], catalogue, template)
    if gone:
        raise Unreadable.together(gone)
    last = max(template.header_row, template.first_row - 1)
    return Layout(template.header_row, last, tuple(columns), tuple(meanings), True)


def _meaning(text: str, heading: str, catalogue: Sequence[Measure], template: Template) -> Meaning:
    if text in _WORDS:
        return Meaning(text)
    code, _, part = text.partition(".")
    index = next((n for n, one in enumerate(catalogue) if one.code == code), None)
    if index is None or part not in ("", "numerator", "denominator"):
        raise Unreadable("template-changed", template.header_row, template.sheet, heading)
    return Meaning(None, (index,), part or "value", "%" in heading)
