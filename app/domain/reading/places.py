"""Who and when a row speaks of: the unit as it is written, the period, the day.

Which unit that is, the parent finds out: here every distinct place only gets a number.
"""

from __future__ import annotations

import datetime
import re
from typing import Final

from app.domain.reading.causes import Unreadable, bad
from app.domain.reading.cells import Cell, Complaint, Day, Odd, is_blank, text_of
from app.domain.reading.frames import Order, Place
from app.domain.reading.limits import MOST_PLACES
from app.domain.reading.misread import shown
from app.domain.vietnamese import TYPE_NAMES, search_key, split_type
from app.rules.period import read_period

_CODE: Final = re.compile(r"[0-9][0-9A-Za-z_.-]{0,39}|[a-z]{2,10}-[0-9A-Za-z_.-]{1,40}|VN")
_DIGITS: Final = re.compile(r"[0-9]{1,5}(?:-[0-9]{2,3})?")
_LONGEST_NAME: Final = 200
_DISTRICTS: Final = frozenset({"huyen", "quan", "thi_xa"})
# Cities that are provinces; every other one is, or was, a district.
CENTRAL_CITIES: Final = frozenset(
    {"ha noi", "ho chi minh", "hai phong", "da nang", "can tho", "hue"}
)
_LEVELS: Final = {search_key(word): one.level for one in TYPE_NAMES for word in one.words} | {
    one.level: one.level for one in TYPE_NAMES
}
_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_WRITTEN: Final = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")
_YEAR: Final = re.compile(r"nam ([0-9]{4})")
_QUARTER: Final = re.compile(r"(?:quy|q) ?(iv|i{1,3}|[1-4])(?: nam |[/ .-])([0-9]{4})")
_MONTH: Final = re.compile(r"(?:thang )?(0?[1-9]|1[0-2])(?: nam |/)([0-9]{4})")
_HALF: Final = re.compile(r"6 thang (dau|cuoi) nam ([0-9]{4})")
_ROMAN: Final = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}

Key = tuple[Cell, ...]


class Total(Exception):
    """The row is one of totals."""


TOTALS: Final = frozenset({
    "tong", "tong cong", "cong", "tong so", "cong chung", "toan tinh", "toan huyen", "toan xa",
    "cong toan tinh", "cong toan huyen", "tong toan tinh", "tong toan huyen", "total", "sum",
})  # fmt: skip


def is_total(cell: Cell) -> bool:
    """Tell whether a cell names a row of totals."""
    return isinstance(cell, str) and search_key(cell).strip(" :.") in TOTALS


def period_of(cell: Cell) -> str | None:
    """Return the period that a cell says, as `read_period` knows it; None for none."""
    text = text_of(cell)
    if read_period(text):
        return text
    key = search_key(text)
    if found := _YEAR.fullmatch(key):
        key = found[1]
    elif found := _QUARTER.fullmatch(key):
        key = f"{found[2]}-Q{_ROMAN.get(found[1], found[1])}"
    elif found := _HALF.fullmatch(key):
        key = f"{found[2]}-H{1 if found[1] == 'dau' else 2}"
    elif found := _MONTH.fullmatch(key):
        key = f"{found[2]}-{found[1].zfill(2)}"
    return key if read_period(key) else None


def day_of(cell: Cell) -> str | None:
    """Return the day that a cell says, as YYYY-MM-DD; None for none. Days come before months."""
    if isinstance(cell, Day):
        return cell.iso
    text = text_of(cell)
    try:
        if found := _ISO.fullmatch(text):
            return datetime.date(int(found[1]), int(found[2]), int(found[3])).isoformat()
        if found := _WRITTEN.fullmatch(text):
            return datetime.date(int(found[3]), int(found[2]), int(found[1])).isoformat()
    except ValueError:
        pass
    return None


class PlaceBook:
    """All the places of a file, each once."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._numbers: dict[Place, int] = {}

    def number(self, place: Place) -> int:
        """Return the number of a place; raise Unreadable where there are too many."""
        known = self._numbers.get(place)
        if known is None:
            if len(self.places) >= MOST_PLACES:
                raise Unreadable("too-many-places", most=MOST_PLACES)
            known = self._numbers[place] = len(self.places)
            self.places.append(place)
        return known


class PlaceReader:
    """Reads places from the cells of a table, in which some of their columns may be absent."""

    def __init__(self, order: Order, book: PlaceBook) -> None:
        self._order, self._book = order, book
        self._period = None if order.period is None else period_of(order.period)
        self._on = None if order.on is None else day_of(order.on)
        for option, given, read in (
            ("period", order.period, self._period),
            ("on", order.on, self._on),
        ):
            if given is not None and read is None:
                wrong = bad("invalid-period" if option == "period" else "invalid-date")
                raise Unreadable("invalid-option", option=option, vi=wrong.vi, en=wrong.en)

    def read(self, cells: dict[str, Cell]) -> int | tuple[Complaint, ...]:
        """Return the number of a place, or what is wrong with it; raise Total for a row of sums."""
        wrong = [
            complaint(word, cell.code, cell)
            for word, cell in cells.items()
            if isinstance(cell, Odd)
        ]
        if wrong:
            return tuple(wrong)
        code, name = self._unit(cells, wrong)
        level = self._level(cells.get("level"), wrong)
        period = self._when(cells.get("period"), wrong)
        on = self._day(cells.get("on"), wrong)
        above = [self._name(word, cells.get(word), wrong) for word in ("district", "province")]
        if name and not any(above):
            name, *above = _parted(name)
        if wrong or period is None:
            return tuple(wrong)
        return self._book.number(Place(code, name, above[0], above[1], level, period, on))

    def _unit(
        self, cells: dict[str, Cell], wrong: list[Complaint]
    ) -> tuple[str | None, str | None]:
        """Return code and name. Without columns for them the row is of the lowest unit it names."""
        unit, name = text_of(cells.get("unit")), _folded(cells.get("name"))
        above = "" if {"unit", "name"} & set(cells) else self._above(cells)
        if is_total(unit or name or above):
            raise Total
        if not unit and not name and not above:
            wrong.append(complaint("unit", "no-unit"))
        if unit and not _CODE.fullmatch(unit):
            if name:  # both columns are there, and that of codes holds none
                wrong.append(complaint("unit", "invalid-unit", cells.get("unit")))
                return None, None
            unit, name = "", _folded(unit)
        elif not unit and _DIGITS.fullmatch(name):
            unit, name = name, ""
        if len(name) > _LONGEST_NAME or not name.isprintable():
            wrong.append(complaint("name", "invalid-unit", name))
        return unit or None, name or None

    @staticmethod
    def _above(cells: dict[str, Cell]) -> str:
        return text_of(cells.get("district")) or text_of(cells.get("province"))

    def _name(self, word: str, cell: Cell, wrong: list[Complaint]) -> str | None:
        text = _folded(cell)
        if len(text) > _LONGEST_NAME or not text.isprintable():
            wrong.append(complaint(word, "invalid-unit", cell))
        return text or None

    def _level(self, cell: Cell, wrong: list[Complaint]) -> str | None:
        if is_blank(cell):
            return None
        level = _LEVELS.get(search_key(text_of(cell)).removeprefix("cap "))
        if level is None:
            wrong.append(complaint("level", "invalid-level", cell))
        return level

    def _when(self, cell: Cell, wrong: list[Complaint]) -> str | None:
        if is_blank(cell):
            if self._period is None:
                wrong.append(complaint("period", "missing-cell"))
            return self._period
        period = period_of(cell)
        if period is None:
            wrong.append(complaint("period", "invalid-period", cell))
        return period

    def _day(self, cell: Cell, wrong: list[Complaint]) -> str | None:
        if is_blank(cell):
            return self._on
        day = day_of(cell)
        if day is None:
            wrong.append(complaint("on", "invalid-date", cell))
        return day


def _parted(text: str) -> tuple[str, str | None, str | None]:
    """Return a name with district and province where it names them: Xã A, huyện B, tỉnh C."""
    name, *above = (part.strip() for part in text.split(","))
    if not name or not above or not all(above) or len(above) > 2:
        return text, None, None
    if len(above) == 2:
        return name, above[0], above[1]
    (only,) = above
    types, rest = split_type(only)
    is_lower_city = "thanh_pho" in types and search_key(rest) not in CENTRAL_CITIES
    is_district = is_lower_city or bool(types & _DISTRICTS)
    return (name, only, None) if is_district else (name, None, only)


def _folded(cell: Cell) -> str:
    """Return a name with single blanks; texts out of word processors have other ones."""
    return " ".join(text_of(cell).split())


def complaint(part: str, code: str, cell: Cell = None, /, **words: object) -> Complaint:
    """Return what is wrong with a part of a row."""
    text = bad(code, **words)
    told = "missing-cell" if code == "missing-source" else code
    return Complaint(part, told, text.vi, text.en, None if cell is None else shown(cell))
