"""From the headings of a table to a plan: in which column stands what a row says.

Everything that is wrong with the headings is told at once, column by column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.reading.causes import Unreadable
from app.domain.reading.frames import Measure, Order
from app.domain.reading.headings import (
    DENOMINATOR,
    IGNORED,
    NUMERATOR,
    RENAMED,
    UNITS,
    UNKNOWN,
    Headings,
    Meaning,
    called,
)
from app.domain.reading.layout import Layout
from app.domain.reading.limits import MOST_COLUMNS

LONG: Final = "long"
WIDE: Final = "wide"
PLACE: Final = ("unit", "name", "district", "province", "level", "period", "on")
ORIGIN: Final = ("source", "measured_on", "note", "status")
FACT: Final = ("indicator", "value", NUMERATOR, DENOMINATOR)
# A column of codes says what a column of names says: the second is not used then.
_INSTEAD: Final = (
    ("district_code", "district"),
    ("province_code", "province"),
    ("indicator", "indicator_name"),
)


class Target(msgspec.Struct, frozen=True):
    """The columns of one indicator in the wide form; None where there is no such column."""

    indicator: int
    value: int | None = None
    numerator: int | None = None
    denominator: int | None = None
    percent: bool = False

    @property
    def columns(self) -> tuple[int, ...]:
        """Return the columns that there are."""
        found = (self.value, self.numerator, self.denominator)
        return tuple(place for place in found if place is not None)


class Plan(msgspec.Struct, frozen=True):
    """Where everything stands in the rows of a table.

    `words` has the column of every word of the long form, `targets` those of indicators;
    `meaning` says column by column what was understood; `unnamed` must stay empty; `unused` are
    columns that a column of codes makes needless.
    """

    form: str
    columns: tuple[str, ...]
    meaning: tuple[str | None, ...]
    words: dict[str, int]
    targets: tuple[Target, ...] = ()
    unnamed: tuple[int, ...] = ()
    unused: tuple[int, ...] = ()

    def heading(self, word: str) -> str:
        """Return the heading of a column as it stands in the file, or the word itself."""
        place = self.words.get(word)
        return word if place is None else self.columns[place]


def settle(layout: Layout, order: Order, headings: Headings, sheet: str | None = None) -> Plan:
    """Return the plan of a table; raise Unreadable with everything that is wrong with it."""
    faults = list(_column_faults(layout, order.catalogue, headings, sheet))
    words, unused = _words(layout.meanings)
    targets, more = _targets(layout, order.catalogue, sheet)
    faults += more
    form = LONG if {"indicator", "value"} & set(words) else WIDE
    if targets and form == LONG:
        column = layout.columns[targets[0].columns[0]]
        faults.append(Unreadable("mixed-forms", layout.row, sheet, column))
    missing = list(_missing(words, form, order))
    if form == WIDE and not targets and not faults:
        missing.append("indicator")
    for word in missing:
        code = "missing-statement" if word in ("period", "source") else "missing-column"
        named = {"meaning": called(word), "word": word}
        faults.append(Unreadable(code, layout.row, sheet, word, **named))
    if faults:
        raise Unreadable.together(faults)
    return Plan(
        form,
        layout.columns,
        tuple(_meaning(layout, order.catalogue, unused)),
        words,
        tuple(targets),
        tuple(place for place, text in enumerate(layout.columns) if not text),
        tuple(unused),
    )


def _column_faults(
    layout: Layout, catalogue: Sequence[Measure], headings: Headings, sheet: str | None
) -> Iterator[Unreadable]:
    """Yield what is wrong with single columns: unknown, or more than one indicator."""
    if len(layout.columns) > MOST_COLUMNS:
        yield Unreadable("too-many-columns", layout.row, sheet, most=MOST_COLUMNS)
    for text, meaning in zip(layout.columns, layout.meanings, strict=True):
        if not text:
            continue
        if len(meaning.indicators) > 1:
            codes = ", ".join(catalogue[one].code for one in meaning.indicators)
            yield Unreadable("ambiguous-column", layout.row, sheet, text, codes=codes)
        elif meaning is UNKNOWN:
            near = headings.near(text)
            code = "unknown-column" if near is None else "unknown-column-near"
            yield Unreadable(code, layout.row, sheet, text, near=near)
    words = [one.word for one in layout.meanings if one.word and one.word != IGNORED]
    for word in dict.fromkeys(one for one in words if words.count(one) > 1):
        column = next(
            t for t, m in zip(layout.columns, layout.meanings, strict=True) if m.word == word
        )
        yield Unreadable("repeated-column", layout.row, sheet, column, meaning=called(word))


def _words(meanings: Sequence[Meaning]) -> tuple[dict[str, int], list[int]]:
    """Return the column of every word, and the columns that are not used."""
    found = {one.word: place for place, one in enumerate(meanings) if one.word}
    found.pop(IGNORED, None)
    unused = [found.pop(name) for code, name in _INSTEAD if code in found and name in found]
    lowest = next((word for word in UNITS if word in found), "")
    if lowest.endswith("_code"):  # rows of districts or provinces
        found["unit"] = found.pop(lowest)
    return {RENAMED.get(word, word): place for word, place in found.items()}, unused


def _targets(
    layout: Layout, catalogue: Sequence[Measure], sheet: str | None
) -> tuple[list[Target], list[Unreadable]]:
    """Return the columns of each indicator, and what is wrong with them."""
    parts: dict[int, dict[str, int]] = {}
    percent: set[int] = set()
    faults = []
    for place, meaning in enumerate(layout.meanings):
        for index in meaning.indicators[:1]:
            mine = parts.setdefault(index, {})
            if meaning.part in mine:
                code, column = catalogue[index].code, layout.columns[place]
                faults.append(
                    Unreadable("repeated-column", layout.row, sheet, column, meaning=code)
                )
            mine[meaning.part] = place
            percent |= {index} if meaning.percent else set()
    for index, mine in parts.items():
        lonely = {NUMERATOR, DENOMINATOR} & set(mine)
        if len(lonely) == 1:
            other = DENOMINATOR if NUMERATOR in lonely else NUMERATOR
            word = f"{catalogue[index].code}.{other}"
            faults.append(
                Unreadable("missing-column", layout.row, sheet, word, meaning=word, word=word)
            )
    return [
        Target(
            index, mine.get("value"), mine.get(NUMERATOR), mine.get(DENOMINATOR), index in percent
        )
        for index, mine in parts.items()
    ], faults


def _missing(words: dict[str, int], form: str, order: Order) -> Iterator[str]:
    """Yield the columns that a table needs and has not, and that are not stated with the file."""
    if not set(UNITS) & set(words):
        yield "unit"
    if "period" not in words and order.period is None:
        yield "period"
    if "source" not in words and order.source is None:
        yield "source"
    if form == LONG:
        if "indicator" not in words:
            yield "indicator"
        counts = {NUMERATOR, DENOMINATOR} & set(words)
        if not counts and "value" not in words:
            yield "value"
        if len(counts) == 1:
            yield DENOMINATOR if NUMERATOR in counts else NUMERATOR


def _meaning(
    layout: Layout, catalogue: Sequence[Measure], unused: Sequence[int]
) -> Iterator[str | None]:
    for place, meaning in enumerate(layout.meanings):
        if place in unused:
            yield IGNORED
        elif meaning.indicators:
            code = catalogue[meaning.indicators[0]].code
            yield code if meaning.part == "value" else f"{code}.{meaning.part}"
        else:
            yield RENAMED.get(meaning.word or "", meaning.word)


def of_json(columns: Sequence[str]) -> Plan:
    """Return the plan of NDJSON: every line is laid out in the same columns."""
    places = {word: columns.index(word) for word in (*PLACE, *ORIGIN, *FACT)}
    return Plan(LONG, tuple(columns), tuple(columns), places)
