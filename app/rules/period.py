"""Periods of values, and which of several values counts for an evaluation in a period.

The documents are silent on how long a value holds: the rule is our reading.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from app.rules.facts import Fact, Recorded
from app.rules.vocabulary import VALUE_OUTDATED

PERIOD_PATTERN: Final = r"^((?:19|2[01])[0-9]{2})(?:-(?:H([12])|Q([1-4])|(0[1-9]|1[0-2])))?$"
_PERIOD: Final = re.compile(PERIOD_PATTERN)


class Period(msgspec.Struct, frozen=True, order=True):
    """A year, half-year, quarter or month, by its first and last day."""

    first: datetime.date
    last: datetime.date
    text: str

    def within(self, other: Period) -> bool:
        """Tell whether this period lies within the other one."""
        return other.first <= self.first and self.last <= other.last


class Value(msgspec.Struct, frozen=True):
    """One value of an indicator, with the period it speaks of; `id` is its number on record."""

    fact: Fact
    period: Period
    source: str | None = None
    status: str | None = None
    id: int | None = None


def read_period(text: str) -> Period | None:
    """Return the period written `2024`, `2024-H1`, `2024-Q3` or `2024-10`; None for others."""
    found = _PERIOD.fullmatch(text)
    if not found:
        return None
    year, half, quarter, month = int(found[1]), found[2], found[3], found[4]
    start, months = 1, 12
    if half:
        start, months = 6 * int(half) - 5, 6
    elif quarter:
        start, months = 3 * int(quarter) - 2, 3
    elif month:
        start, months = int(month), 1
    after = start + months
    following = datetime.date(year + (after > 12), (after - 1) % 12 + 1, 1)
    return Period(datetime.date(year, start, 1), following - datetime.timedelta(days=1), text)


def choose(values: Iterable[Value], period: Period, standing: bool) -> Recorded | None:
    """Return the value that counts in `period`, or an older one marked as outdated.

    Of the values within the period the one for exactly it comes first, otherwise the one that
    ends last (the longer on a tie). An older value counts only when its indicator is `standing`.
    """
    inside, older = [], []
    for value in values:
        if value.period.within(period):
            inside.append(value)
        elif value.period.last < period.first:
            older.append(value)
    for group in (inside, older):
        if group:
            best = max(group, key=lambda one: _rank(one, period))
            outdated = group is older and not standing
            return Recorded(
                best.fact,
                best.period.text,
                best.source,
                best.status,
                VALUE_OUTDATED if outdated else None,
                best.id,
            )
    return None


def _rank(value: Value, period: Period) -> tuple[bool, datetime.date, datetime.timedelta]:
    length = value.period.last - value.period.first
    return value.period.text == period.text, value.period.last, length
