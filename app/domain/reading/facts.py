"""From the cells of a value to the fact they state, or to everything that is wrong with them.

Nothing is guessed: what can be read in two ways is read in the way that the rest of the file
proves, or it is told. A blank says nothing; it is never false and never nought.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NoReturn, cast

from app.domain.reading.cells import (
    ASSUMED,
    FRACTION,
    MARKED,
    MIXED,
    PERCENT,
    STATED,
    Cell,
    Complaint,
    Day,
    Given,
    Number,
    Odd,
    Said,
    Style,
    is_blank,
    text_of,
)
from app.domain.reading.fact_shapes import as_json, columns, plain
from app.domain.reading.frames import Measure
from app.domain.reading.misread import Misread, shown
from app.domain.reading.numbers import LOCALES, is_ambiguous, possible, readings
from app.domain.reading.words import OF, truth
from app.rules.errors import FactError
from app.rules.facts import Fact, Percent, Ratio, check_sound, read_fact

if TYPE_CHECKING:
    from app.rules.indicators import Indicator

_CODES: Final = re.compile(r"[|;]")
_LONGEST_WHOLE: Final = 18  # digits
_MOST_DECIMALS: Final = 6
_MOST_PERCENT: Final = 1_000  # three digits are what facts have
_PARTS: Final = ("value", "numerator", "denominator")
_ONE: Final = Decimal(1)


class FactReader:
    """Reads the facts of a file that writes in one style."""

    def __init__(self, catalogue: Sequence[Measure], style: Style) -> None:
        self._catalogue, self._style = catalogue, style
        self._notes: list[str] = []
        self._scaled = False
        self._readers: Mapping[str, Callable[[int, Cell], Fact]] = {
            "boolean": lambda _, cell: truth(cell),
            "count": lambda _, cell: self._count(cell, "value"),
            "ratio": self._share,
            "set": self._codes,
        }

    def read(
        self,
        index: int,
        value: Cell,
        numerator: Cell = None,
        denominator: Cell = None,
        *,
        scaled: bool = False,
    ) -> Said | tuple[Complaint, ...]:
        """Return what cells say of an indicator, or what is wrong with them.

        `scaled` tells that the heading says itself that bare numbers are percentages.
        """
        self._notes, self._scaled = [], scaled
        measure = self._catalogue[index]
        # The kernel asks an indicator for no more than a measure has.
        indicator = cast("Indicator", measure)
        try:
            read_fact(indicator, None) if measure.kind not in self._readers else None
            fact = self._fact(index, (value, numerator, denominator))
            raw = fact if not isinstance(value, Given) else value.raw
            checked = read_fact(indicator, as_json(raw))
            check_sound(indicator, checked)
        except Misread as wrong:
            message = wrong.message
            return (Complaint(wrong.part, wrong.code, message.vi, message.en, wrong.sample),)
        except FactError as error:
            part = error.pointer.strip("/") if error.pointer.strip("/") in _PARTS else "value"
            said = dict(zip(_PARTS, (value, numerator, denominator), strict=True))[part]
            message = plain(error, measure)
            return (Complaint(part, error.code, message.vi, message.en, shown(said or value)),)
        return Said(columns(checked), tuple(dict.fromkeys(self._notes)))

    def _fact(self, index: int, cells: tuple[Cell, Cell, Cell]) -> Fact:
        """Return the fact as written; raise Misread or FactError."""
        for part, cell in zip(_PARTS, cells, strict=True):
            if isinstance(cell, Odd):
                raise Misread(cell.code, cell, part)
        value, *counts = cells
        measure = self._catalogue[index]
        if not all(map(is_blank, counts)):
            if measure.kind != "ratio" or isinstance(value, Given):
                given = next(cell for cell in counts if not is_blank(cell))
                raise Misread("unexpected-cell", given, _PARTS[1 + counts.index(given)])
            return self._counted(index, value, counts)
        if is_blank(value):
            raise Misread("missing-cell", value)
        if isinstance(value, Given):
            return ()
        return self._readers[measure.kind](index, value)

    def _counted(self, index: int, value: Cell, counts: Sequence[Cell]) -> Ratio:
        """Return a ratio by its counts; a share beside them has to be theirs, as it is rounded."""
        for part, cell in zip(_PARTS[1:], counts, strict=True):
            if is_blank(cell):
                raise Misread("missing-cell", cell, part)
        ratio = Ratio(
            numerator=self._count(counts[0], "numerator"),
            denominator=self._count(counts[1], "denominator"),
        )
        if not is_blank(value) and not _agrees(self._share(index, value), ratio):
            raise Misread("contradictory-share", value)
        return ratio

    def _number(self, cell: Cell, part: str, most: int | None = None) -> Decimal:
        if isinstance(cell, Number):
            return cell.value
        if isinstance(cell, Day):
            raise Misread("date-not-number", cell, part)
        if not isinstance(cell, str):
            raise Misread("not-a-number", cell, part)
        found = possible(readings(cell), most)
        style = self._style
        if is_ambiguous(found):
            if style.known == MIXED:
                raise Misread("mixed-locale", cell, part)
            if style.known == ASSUMED:
                self._notes.append("ambiguous-number")
        mine = found[LOCALES.index(style.locale)]
        other = found[1 - LOCALES.index(style.locale)]
        if mine is None and other is None:
            raise Misread("not-a-number", cell, part)
        if mine is None and style.known == STATED:
            raise Misread("other-locale", cell, part, locale=style.locale)
        return cast(Decimal, other if mine is None else mine)

    def _count(self, cell: Cell, part: str) -> int:
        if isinstance(cell, str):
            cell = cell.strip()
            if len(cell) <= _LONGEST_WHOLE and cell.isascii() and cell.isdigit():
                return int(cell)
        number = self._number(cell, part)
        if number != number.to_integral_value():
            raise Misread("not-a-whole-number", cell, part)
        return int(number)

    def _share(self, index: int, cell: Cell) -> Fact:
        """Read 3400/4000, 85%, or a bare number in the scale of the file."""
        try:
            return self._share_of(index, cell)
        except Misread as wrong:
            wrong.sample = shown(cell)  # the whole of it, not the part that cannot be read
            raise

    def _share_of(self, index: int, cell: Cell) -> Fact:
        measure = self._catalogue[index]
        most = None if measure.numerator_may_exceed_denominator else 100
        text = cell.strip() if isinstance(cell, str) else ""
        if found := OF.fullmatch(text):
            return Ratio(
                numerator=self._count(found[1], "value"), denominator=self._count(found[2], "value")
            )
        if text.endswith("%"):
            return _percent(self._number(text[:-1].rstrip(), "value", most), cell)
        number = self._number(text or cell, "value", most)
        if isinstance(cell, Number) and cell.percent:
            return self._calculated(number.scaleb(2), cell)
        scale = self._scale(index, number, cell)
        number = number.scaleb(2) if scale == FRACTION and number else number
        return self._calculated(number, cell)

    def _scale(self, index: int, number: Decimal, cell: Cell) -> str:
        """Return what a bare number means; raise Misread where the file contradicts itself."""
        of = index, self._scaled
        scale = self._style.scales.get(of)
        if number == 0:
            return PERCENT
        if scale == MIXED or (scale == MARKED and 0 < number < 1):
            self._refuse_mixed(index, cell, *self._style.camps[of])
        if self._scaled:
            if 0 < number < 1:
                self._notes.append("read-as-percent")
            return PERCENT
        if scale in (None, MARKED) and number == 1:
            raise Misread("ambiguous-scale", cell)
        if scale == FRACTION:
            self._notes.append("read-as-fraction")
        return PERCENT if scale != FRACTION else FRACTION

    def _refuse_mixed(
        self, index: int, cell: Cell, percents: Sequence[int], fractions: Sequence[int]
    ) -> NoReturn:
        code = self._catalogue[index].code
        listed = (", ".join(map(str, rows)) for rows in (percents, fractions))
        raise Misread(
            "mixed-scale",
            cell,
            **dict(zip(("percent", "fraction"), listed, strict=True), code=code),
        )

    def _calculated(self, number: Decimal, cell: Cell) -> Fact:
        """Return a percentage; what a workbook has calculated to more decimals is rounded."""
        exponent = cast(int, number.normalize().as_tuple().exponent)
        if isinstance(cell, Number) and -exponent > _MOST_DECIMALS:
            # With its noughts: it is as exact as its digits say.
            number = number.quantize(_ONE.scaleb(-_MOST_DECIMALS))
            self._notes.append("rounded-share")
        return _percent(number, cell)

    def _codes(self, index: int, cell: Cell) -> Fact:
        """Read codes parted by | or ;. `[]` stands for none."""
        text = text_of(cell)
        if text == "[]":
            return ()
        codes = tuple(one.strip() for one in _CODES.split(text))
        known = {one.code for one in self._catalogue[index].members}
        for one in codes:
            if one not in known:
                words = {"code": self._catalogue[index].code, "members": ", ".join(sorted(known))}
                raise Misread("unknown-member", one, "value", **words)
        return codes


def _agrees(share: Fact, ratio: Ratio) -> bool:
    """Tell whether a share can be that of two counts, half a unit of its last digit more or less.

    A denominator of nought is the kernel's matter.
    """
    if isinstance(share, Percent):
        low, high, scale = share.bounds(capped=False)
        exact = 100 * scale * ratio.numerator
        return low * ratio.denominator <= exact <= high * ratio.denominator
    return share == ratio


def _percent(number: Decimal, cell: Cell) -> Percent:
    """Return a percentage as facts write it: digits and a point, no exponent."""
    if not 0 <= number < _MOST_PERCENT:
        raise Misread("share-out-of-range", cell)
    text = format(number, "f").removeprefix("+")
    if -cast(int, number.as_tuple().exponent) > _MOST_DECIMALS:
        raise Misread("too-many-decimals", cell)
    return Percent(text)
