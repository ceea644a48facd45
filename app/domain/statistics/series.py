"""Statistics over periods: which series is meant, and the units of each of its points.

The units of a point are those of the last day of its period.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.refusals import Complaint, Refused, no_indicator
from app.domain.statistics import Asked, Group, Unit
from app.domain.statistics.rulesets import by_ruleset, levels_of
from app.domain.statistics.units import check_grouping, groups, under
from app.domain.territory import Sight
from app.rules.errors import Text
from app.rules.indicators import Indicator
from app.rules.period import Period
from app.rules.registry import Entry, Registry

Point = dict[str, Any]


class Wanted(msgspec.Struct, frozen=True):
    """Which series: of an indicator, or of a ruleset or one of its criteria, at a level."""

    asked: Asked
    periods: list[Period]
    of: Indicator | Entry
    level: str
    criterion: str | None = None

    def items(
        self, shown: Sequence[Group], points: Sequence[Sequence[Point]]
    ) -> list[dict[str, Any]]:
        """Return the items of groups, each with its points."""
        head = {
            "indicator": self.of.code if isinstance(self.of, Indicator) else None,
            "ruleset": self.of.ruleset.ruleset if isinstance(self.of, Entry) else None,
            "criterion": self.criterion,
            "level": self.level,
        }
        return [
            {**head, "unit": group.shown, "points": line}
            for group, line in zip(shown, points, strict=True)
        ]


def wanted(
    registry: Registry,
    asked: Asked,
    periods: list[Period],
    indicator: str | None = None,
    ruleset: str | None = None,
    criterion: str | None = None,
    level: str | None = None,
) -> Wanted:
    """Return the series meant; raise Refused where it is none."""
    if (indicator is None) == (ruleset is None and criterion is None):
        raise Refused([Complaint("/indicator", "missing-field", _ONE_OF)])
    if indicator is not None:
        found = _measured(registry, indicator)
        at = _level(found.code, found.levels, level)
        check_grouping(asked.by, at)
        return Wanted(asked, periods, found, at)
    (entry, _), *_ = by_ruleset(registry, ruleset, level, asked.by, criterion)
    at = _level(entry.ruleset.ruleset, levels_of(entry), level)
    check_grouping(asked.by, at)
    return Wanted(asked, periods, entry, at, criterion)


async def cells(connection: asyncpg.Connection, sight: Sight, wanted: Wanted) -> list[Group]:
    """Return the groups of units that there is a series of, in order; raise Refused or Absent."""
    below = await under(connection, sight, wanted.asked)
    return await groups(connection, sight, wanted.asked, below, wanted.level)


def located(units: Sequence[tuple[int, Unit]]) -> list[list[Any]]:
    """Return the columns of units: the group, the number, the first day, the day after the last."""
    return [
        [number for number, _ in units],
        *([getattr(unit, name) for _, unit in units] for name in ("id", "since", "until")),
    ]


def points(
    group: Group, name: str, wanted: Wanted, bound: frozenset[int] | None = None
) -> list[Point]:
    """Return the points of a group with the units of each: those of the period's last day.

    `name` is the ruleset or indicator; of a ruleset `bound` are the units in scope.
    """
    lives = collections.Counter(
        (unit.since, unit.until, bound is None or unit.id in bound)
        for unit in group.units
        if unit.opens(name)
    )
    return [_point(period, lives, scoped=bound is not None) for period in wanted.periods]


def _point(period: Period, lives: Mapping[tuple[Any, Any, bool], int], *, scoped: bool) -> Point:
    there = {of: units for of, units in lives.items() if of[0] <= period.last < of[1]}
    point: Point = {"period": period.text, "units": sum(there.values())}
    if scoped:
        point["in_scope"] = sum(units for (*_, inside), units in there.items() if inside)
    return point


def _measured(registry: Registry, code: str) -> Indicator:
    found = registry.indicators.get(code)
    if found is None:
        raise Refused([Complaint("/indicator", "unknown-indicator", no_indicator(code))])
    if found.validity is None:
        message = Text(
            f"{code} là dữ kiện của danh mục đơn vị, không có số liệu theo kỳ; xem /v1/communes",
            f"{code} is a fact of the register, not a value of a period; see /v1/communes",
        )
        raise Refused([Complaint("/indicator", "wrong-kind", message)])
    return found


def _level(name: str, levels: Sequence[str], level: str | None) -> str:
    """Return the level of the units counted; raise Refused where it is none or not stated."""
    if level is None and len(levels) == 1:
        return levels[0]
    if level is not None and level in levels:
        return level
    listed = ", ".join(levels)
    message = Text(
        f"{name} dành cho đơn vị cấp: {listed}; hãy ghi level là một trong đó",
        f"{name} is for units of level: {listed}; give one of them as level",
    )
    code = "missing-field" if level is None else "wrong-level"
    raise Refused([Complaint("/level", code, message)])


_ONE_OF: Final = Text(
    "hãy ghi indicator, hoặc ruleset (có thể kèm criterion), không ghi cả hai",
    "give either indicator, or ruleset (with a criterion, where one is meant), not both",
)
