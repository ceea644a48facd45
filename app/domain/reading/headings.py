"""Headings that people write above columns, and what they mean; compared without diacritics.

Everything in brackets but a code or a (%) belongs to the heading; marks between words do not count.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from app.domain.reading.frames import Measure
from app.domain.vietnamese import search_key

IGNORED: Final = "ignored"
NUMERATOR: Final = "numerator"
DENOMINATOR: Final = "denominator"
# Words that only tell columns of codes from columns of names, by what a row says with them.
RENAMED: Final[Mapping[str, str]] = {
    "district_code": "district", "province_code": "province", "indicator_name": "indicator",
}  # fmt: skip
UNITS: Final = ("unit", "name", "district_code", "district", "province_code", "province")

# Every heading of the long form by what it means. Texts as `_key` returns them.
_MEANINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "unit": (
        "unit", "code", "unit code", "ma", "ma xa", "ma phuong", "ma xa phuong", "ma phuong xa",
        "ma don vi", "ma dvhc", "ma don vi hanh chinh", "ma thon", "ma ap", "ma khu dan cu",
        "ma dia ban", "ma so",
    ),
    "name": (
        "name", "unit name", "ten", "xa", "ten xa", "phuong", "ten phuong", "xa phuong",
        "phuong xa", "ten xa phuong", "xa phuong thi tran", "ten don vi", "don vi", "dia phuong",
        "ten don vi hanh chinh", "don vi hanh chinh", "thon", "ten thon", "ap", "ten ap",
        "khu dan cu", "ten khu dan cu", "dia ban",
    ),
    "district_code": ("ma huyen", "district code"),
    "district": ("district", "huyen", "ten huyen", "quan huyen", "huyen thi xa thanh pho"),
    "province_code": ("ma tinh", "province code"),
    "province": ("province", "tinh", "ten tinh", "tinh thanh pho", "tinh thanh"),
    "level": ("level", "cap"),
    "on": ("on", "tai ngay"),
    "period": (
        "period", "ky", "ky bao cao", "ky so lieu", "nam", "nam bao cao", "year", "quy", "thang",
    ),
    "indicator": (
        "indicator", "indicator code", "chi so", "chi tieu", "ma chi so", "ma chi tieu",
    ),
    "indicator_name": ("indicator name", "ten chi so", "ten chi tieu"),
    "value": ("value", "gia tri", "so lieu", "ket qua"),
    NUMERATOR: ("numerator", "tu so"),
    DENOMINATOR: ("denominator", "mau so"),
    "source": ("source", "nguon", "nguon so lieu"),
    "measured_on": ("measured on", "ngay do", "ngay do dem", "ngay so lieu", "ngay thu thap"),
    "note": ("note", "ghi chu"),
    "status": ("status", "trang thai"),
    # Numbers of rows, the reasons of `rejected.csv`, and what an export says of a value besides.
    IGNORED: (
        "stt", "tt", "so tt", "so thu tu", "no", "reason", "ly do", "recorded at",
        "thoi diem ghi", "by", "may khach", "id", "so hieu",
    ),
}  # fmt: skip
_BY_KEY: Final = {key: meaning for meaning, keys in _MEANINGS.items() for key in keys}
_PARTS: Final = {"tu so": NUMERATOR, "mau so": DENOMINATOR, NUMERATOR: NUMERATOR,
                 DENOMINATOR: DENOMINATOR}  # fmt: skip
_SHARES: Final = frozenset({"", "ty le", "percent", "phan tram"})  # below a group: its share in %

_BETWEEN: Final = re.compile(r"[\W_]+")
_RATE: Final = re.compile(r"\bti le\b")  # both are written: Tỉ lệ, Tỷ lệ
_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]]*)[)\]]\s*$")
_PART: Final = re.compile(
    r"(?P<head>.+?)[\s\-–—:.(\[]+(?P<part>t[ửu] s[ốo]|m[ẫa]u s[ốo]|numerator|denominator)[)\]]?",
    re.IGNORECASE,
)
_PERCENT: Final = re.compile(r"\s*[(\[]\s*%\s*[)\]]\s*$|\s*%\s*$")


class Meaning(msgspec.Struct, frozen=True):
    """What a heading means: a word of the long form, or indicators and the part of their value."""

    word: str | None = None
    indicators: tuple[int, ...] = ()
    part: str = "value"
    percent: bool = False


UNKNOWN: Final = Meaning()


# How a meaning is called in messages.
_CALLED: Final[Mapping[str, str]] = {
    "unit": "Mã đơn vị", "name": "Tên đơn vị", "district_code": "Mã huyện", "district": "Huyện",
    "province_code": "Mã tỉnh", "province": "Tỉnh", "level": "Cấp", "on": "Tại ngày",
    "period": "Kỳ", "indicator": "Chỉ số", "indicator_name": "Tên chỉ số", "value": "Giá trị",
    NUMERATOR: "Tử số", DENOMINATOR: "Mẫu số", "source": "Nguồn", "measured_on": "Ngày đo",
    "note": "Ghi chú", "status": "Trạng thái",
}  # fmt: skip


def called(meaning: str) -> str:
    """Return how a word of the long form, or a part of an indicator, is called in messages."""
    return _CALLED.get(meaning, meaning)


def _key(text: str) -> str:
    words = " ".join(_BETWEEN.sub(" ", search_key(text)).split())
    return _RATE.sub("ty le", words)


class Headings:
    """Finds what headings mean: those of the long form, and the indicators of the catalogue."""

    def __init__(self, catalogue: Sequence[Measure]) -> None:
        self._codes = {one.code: index for index, one in enumerate(catalogue)}
        self._shown = {_key(text): text for one in catalogue for text in (one.name_vi, one.code)}
        self._names: dict[str, set[int]] = {}
        for index, one in enumerate(catalogue):
            for name in (one.code, one.name_vi, one.name_en, *one.alternatives):
                self._names.setdefault(_key(name), set()).add(index)

    def indicator(self, text: str) -> tuple[int, ...]:
        """Return the indicators that a code or a name can mean."""
        stripped = text.strip()
        if stripped in self._codes:
            return (self._codes[stripped],)
        if found := _BRACKETS.search(stripped):
            code = found[1].strip()
            if code in self._codes:
                return (self._codes[code],)
        return tuple(sorted(self._names.get(_key(stripped), ())))

    def meaning(self, heading: str) -> Meaning:
        """Return what a heading means, UNKNOWN for one that means nothing here."""
        text = " ".join(heading.split())
        if word := _BY_KEY.get(_key(text)):
            return Meaning(word)
        percent = _PERCENT.search(text)
        if found := self.indicator(text):
            return Meaning(None, found, percent=percent is not None)
        if percent and (found := self.indicator(text[: percent.start()])):
            return Meaning(None, found, percent=True)
        return self._part(text)

    def _part(self, text: str) -> Meaning:
        """Return the meaning of `name - Tử số`, `code.numerator` and the like."""
        split = _PART.fullmatch(text)
        found = self.indicator(split["head"]) if split else ()
        return Meaning(None, found, _PARTS[_key(split["part"])]) if split and found else UNKNOWN

    def below(self, group: str, heading: str) -> Meaning:
        """Return what a heading means that stands below the heading of a group."""
        own = self.meaning(heading)
        found = self.meaning(group)
        if own.indicators or not found.indicators:
            return own
        if part := _PARTS.get(_key(heading)):
            return Meaning(None, found.indicators, part)
        if _key(_PERCENT.sub("", heading)) in _SHARES and heading.strip():
            return Meaning(None, found.indicators, percent="%" in heading or found.percent)
        return UNKNOWN

    def near(self, heading: str) -> str | None:
        """Return what was probably meant by a heading that means nothing."""
        known = {key: called(meaning) for key, meaning in _BY_KEY.items() if meaning != IGNORED}
        known = self._shown | known
        found = difflib.get_close_matches(_key(heading), known, 1, cutoff=0.75)
        return known[found[0]] if found else None


def is_unit(meaning: Meaning) -> bool:
    """Tell whether a column says which unit a row is of."""
    return meaning.word in UNITS


def recognised(meanings: Iterable[Meaning]) -> int:
    """Return how many headings of a row mean something, so many that it may be the header."""
    return sum(one is not UNKNOWN for one in meanings)
