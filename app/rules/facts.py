"""Facts: what is known of a unit, in the exact form the kernel judges.

A fact is `True`/`False`, an `int` (count), a tuple of member codes (set), a `Ratio`, or a
`Percent` (a bare percentage, which stands for an interval). `read_fact` is the one method by
which every entry point - preview, file, store - turns JSON data into a fact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from app.rules.errors import FactError, Text

if TYPE_CHECKING:
    from app.rules.indicators import Indicator

# The largest integer that every JSON reader keeps exactly (2^53 - 1, RFC 8259 section 6).
LARGEST_COUNT: Final = 9_007_199_254_740_991
PERCENT_PATTERN: Final = r"^(0|[1-9][0-9]{0,2})(\.[0-9]{1,6})?$"
_PERCENT: Final = re.compile(PERCENT_PATTERN)


class Ratio(msgspec.Struct, frozen=True, gc=False):
    """A share whose counts are known: `numerator` of `denominator`, both integers >= 0."""

    denominator: int
    numerator: int


class Percent(msgspec.Struct, frozen=True, gc=False):
    """A bare percentage as written, e.g. `85.50`; it stands for half a unit of its last digit."""

    percent: str

    def bounds(self, capped: bool = True) -> tuple[int, int, int]:
        """Return (low, high, scale): the interval in percent is low/scale to high/scale."""
        whole, _, digits = self.percent.partition(".")
        scale = 2 * 10 ** len(digits)
        middle = 2 * int(whole + digits)
        high = middle + 1
        return max(middle - 1, 0), min(high, 100 * scale) if capped else high, scale


Fact = bool | int | tuple[str, ...] | Ratio | Percent


class Recorded(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A fact with its provenance; `discounted` is the reason why it is shown but does not count.

    `value_id` is the number of the value on record, where there is one.
    """

    fact: Fact
    period: str | None = None
    source: str | None = None
    status: str | None = None
    discounted: str | None = None
    value_id: int | None = None


Given = Fact | Recorded


def bare(given: Given | None) -> Fact | None:
    """Return the fact without its provenance."""
    return given.fact if isinstance(given, Recorded) else given


def read_fact(indicator: Indicator, raw: Any) -> Fact:
    """Turn JSON data into a fact of `indicator`, or raise FactError naming place and remedy."""
    reader = _READERS.get(indicator.kind)
    if reader is None:
        raise FactError(
            "not-a-fact",
            Text(
                f"{indicator.code} là thông tin của đơn vị, không phải số liệu; hãy đặt trong "
                "unit.attributes hoặc unit.designations, hoặc ghi vào danh mục tại "
                "/v1/communes/{code}/attributes, /v1/communes/{code}/designations",
                f"{indicator.code} is information about the unit, not a value; put it under "
                "unit.attributes or unit.designations, or record it at "
                "/v1/communes/{code}/attributes, /v1/communes/{code}/designations",
            ),
        )
    return reader(indicator, raw)


def still_fits(indicator: Indicator, fact: Fact) -> bool:
    """Tell whether a fact read earlier is one of the indicator as it is declared today."""
    if isinstance(fact, Ratio):
        raw: Any = {"numerator": fact.numerator, "denominator": fact.denominator}
    else:
        raw = {"percent": fact.percent} if isinstance(fact, Percent) else fact
    try:
        return read_fact(indicator, raw) == fact
    except FactError:
        return False


def check_sound(indicator: Indicator, fact: Fact) -> None:
    """Raise FactError for a fact that can be judged (it is undetermined) but not put on record."""
    if isinstance(fact, Ratio) and fact.numerator > fact.denominator:
        if indicator.numerator_may_exceed_denominator:
            return
        raise FactError(
            "numerator-exceeds-denominator",
            Text(
                f"tử số {fact.numerator} lớn hơn mẫu số {fact.denominator}; hãy kiểm tra lại",
                f"the numerator {fact.numerator} is greater than the denominator "
                f"{fact.denominator}; check the figures",
            ),
            "/numerator",
        )


def _read_boolean(indicator: Indicator, raw: Any) -> bool:
    if type(raw) is not bool:
        raise _wrong_kind(indicator, "true hoặc false", "true or false")
    return raw


def _read_count(indicator: Indicator, raw: Any, pointer: str = "") -> int:
    if type(raw) is not int:
        raise _wrong_kind(indicator, "một số nguyên không âm", "an integer of 0 or more", pointer)
    if not 0 <= raw <= LARGEST_COUNT:
        raise FactError(
            "out-of-range",
            Text(
                f"số phải từ 0 đến {LARGEST_COUNT}; hãy kiểm tra lại số liệu",
                f"the number must be from 0 to {LARGEST_COUNT}; check the figure",
            ),
            pointer,
        )
    return raw


def _read_ratio(indicator: Indicator, raw: Any) -> Ratio | Percent:
    if type(raw) is not dict:
        raise _no_ratio(indicator)
    if len(raw) == 2 and "numerator" in raw and "denominator" in raw:
        return Ratio(
            numerator=_read_count(indicator, raw["numerator"], "/numerator"),
            denominator=_read_count(indicator, raw["denominator"], "/denominator"),
        )
    if len(raw) == 1 and "percent" in raw:
        return read_percent(indicator, raw["percent"], "/percent")
    for name in raw:
        if name not in ("numerator", "denominator", "percent"):
            shown = printable(name)
            raise FactError(
                "unknown-field",
                Text(
                    f"không có trường “{shown}” trong một tỷ lệ; chỉ dùng numerator và "
                    "denominator, hoặc percent",
                    f"a ratio has no field “{shown}”; use numerator and denominator, or percent",
                ),
                "/" + shown.replace("~", "~0").replace("/", "~1"),
            )
    raise _no_ratio(indicator)


def _no_ratio(indicator: Indicator) -> FactError:
    return _wrong_kind(
        indicator,
        '{"numerator": số nguyên, "denominator": số nguyên} hoặc {"percent": "85.50"}',
        '{"numerator": integer, "denominator": integer} or {"percent": "85.50"}',
    )


def read_percent(indicator: Indicator, raw: Any, pointer: str = "") -> Percent:
    """Read a bare percentage such as `"85.50"`: digits 0-9 and a point, from 0 to 100."""
    if type(raw) is not str or not _PERCENT.fullmatch(raw):
        raise FactError(
            "wrong-kind",
            Text(
                'tỷ lệ phần trăm phải là chuỗi như "85.50" (chữ số 0-9, dấu chấm thập phân)',
                'a percentage is a string like "85.50" (digits 0-9, decimal point)',
            ),
            pointer,
        )
    if Decimal(raw) > 100 and not indicator.numerator_may_exceed_denominator:
        raise FactError(
            "out-of-range",
            Text("tỷ lệ phần trăm phải từ 0 đến 100", "a percentage is from 0 to 100"),
            pointer,
        )
    return Percent(raw)


def _read_set(indicator: Indicator, raw: Any) -> tuple[str, ...]:
    codes = [member.code for member in indicator.members]
    if not isinstance(raw, list | tuple) or any(type(item) is not str for item in raw):
        raise _wrong_kind(indicator, "một danh sách mã (chuỗi)", "a list of codes (strings)")
    for place, item in enumerate(raw):
        if item not in codes:
            raise FactError(
                "unknown-member",
                Text(
                    f"“{printable(item)}” không có trong danh mục của {indicator.code}; "
                    f"các mã: {', '.join(codes)}",
                    f"“{printable(item)}” is no member of {indicator.code}; "
                    f"its codes: {', '.join(codes)}",
                ),
                f"/{place}",
            )
        if item in raw[:place]:
            raise FactError(
                "duplicate-member",
                Text(f"mã “{item}” bị lặp lại", f"the code “{item}” is given twice"),
                f"/{place}",
            )
    return tuple(sorted(raw))


def _wrong_kind(indicator: Indicator, vi: str, en: str, pointer: str = "") -> FactError:
    return FactError(
        "wrong-kind",
        Text(f"{indicator.code} phải là {vi}", f"{indicator.code} must be {en}"),
        pointer,
    )


def printable(text: str, limit: int = 60) -> str:
    """Return `text` safe to repeat in a message: no control characters, at most `limit` long."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return shown if len(shown) <= limit else shown[:limit] + "…"


_READERS: Final[Mapping[str, Callable[[Indicator, Any], Fact]]] = {
    "boolean": _read_boolean,
    "count": _read_count,
    "ratio": _read_ratio,
    "set": _read_set,
}
