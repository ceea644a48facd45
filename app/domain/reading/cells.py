"""What a cell can hold, and how a file writes: what every other module of the reading speaks of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from app.domain.reading.numbers import VIETNAMESE

PERCENT: Final = "percent"  # 85 means 85 %
FRACTION: Final = "fraction"  # 0.85 means 85 %
MIXED: Final = "mixed"  # both stand in the file: no bare number can be read
MARKED: Final = "marked"  # 85% stands in the file: a bare 0.85 contradicts it

STATED: Final = "stated"
PROVEN: Final = "proven"
ASSUMED: Final = "assumed"

_ONE: Final = Decimal(1)
_LARGE: Final = Decimal(10) ** 20


class Number(msgspec.Struct, frozen=True, tag="n"):
    """A number of a workbook or of JSON; `percent` where it is shown as a percentage."""

    value: Decimal
    percent: bool = False

    @classmethod
    def of(cls, value: Decimal, *, percent: bool = False) -> Number:
        """Return a number without the noughts behind it: they say nothing where it is no text."""
        whole = value == value.to_integral_value()
        return cls(
            value.quantize(_ONE) if whole and abs(value) < _LARGE else value.normalize(), percent
        )

    def written(self) -> str:
        """Return it in digits and a point, whole numbers without."""
        return format(self.value, "f")


class Day(msgspec.Struct, frozen=True, tag="d"):
    """A cell that holds a day, as YYYY-MM-DD."""

    iso: str


class Odd(msgspec.Struct, frozen=True, tag="o"):
    """A cell that cannot be read as it is: the code says why, `shown` what stands there."""

    code: str
    shown: str = ""


class Given(msgspec.Struct, frozen=True, eq=False):
    """A fact in JSON, as `POST /v1/values` takes it; it is known by its text, `content`."""

    content: str
    raw: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and other.content == self.content

    def __hash__(self) -> int:
        return hash(self.content)


Cell = str | bool | Number | Day | Odd | Given | None
Row = list[Cell]
Share = tuple[int, bool]  # told apart by the indicator, and whether the heading says (%)


class Style(msgspec.Struct, frozen=True):
    """How a file writes: its locale and how that is known, and what a bare share means."""

    locale: str = VIETNAMESE
    known: str = ASSUMED
    scales: dict[Share, str] = {}
    camps: dict[Share, tuple[tuple[int, ...], tuple[int, ...]]] = {}


class Complaint(msgspec.Struct, frozen=True):
    """What is wrong with a value: in which part of it, why, and the words that stand there."""

    part: str
    code: str
    vi: str
    en: str
    sample: str | None = None


class Said(msgspec.Struct, frozen=True):
    """A fact by the columns of `frames.FACT`, and codes of what has to be told of its reading."""

    fact: tuple[Any, ...]
    notes: tuple[str, ...] = ()


def is_blank(cell: Cell) -> bool:
    """Tell whether a cell says nothing."""
    return cell is None or (isinstance(cell, str) and (not cell or cell.isspace()))


def text_of(cell: Cell) -> str:
    """Return a cell as text, white space folded at its ends; whole numbers without a point."""
    if isinstance(cell, str):
        return _spelled(cell.strip())
    if isinstance(cell, Number):
        return cell.written()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Day):
        return cell.iso
    return cell.shown if isinstance(cell, Odd) else cell.content if cell else ""


def _spelled(text: str) -> str:
    """Return text without the apostrophe that people put before a code that begins with nought."""
    return text[1:] if text.startswith("'") and text[1:].isdigit() else text
