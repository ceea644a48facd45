"""The filters of lists and exports of values, in one place: both mean the same by them."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import asyncpg
import msgspec
from fastapi import Depends, Query

from app.api.moments import PeriodInQuery
from app.api.problems import refusal
from app.api.shapes import TrueOrFalse
from app.api.unit_shapes import On, Under, UnitInQuery
from app.domain.clock import today
from app.domain.filters import Narrowing, narrow
from app.domain.refusals import Complaint, no_indicator
from app.domain.territory import Sight
from app.domain.values import lineage
from app.domain.values.listing import Wanted
from app.rules.errors import Text
from app.rules.period import Period
from app.rules.registry import Registry

IndicatorInQuery = Annotated[str | None, Query(max_length=120, description="Code of an indicator.")]
Status = Literal["reported", "approved", "superseded", "retracted"]


class ValueFilters(msgspec.Struct, frozen=True):
    """Which values a request asks for."""

    unit: str | None
    under: str | None
    indicator: str | None
    period: Period | None
    status: Status | None
    with_predecessors: bool
    on: datetime.date | None

    def check(self, rules: Registry) -> None:
        """Refuse filters that contradict each other or name nothing known."""
        complaints = []
        code = self.indicator
        if code is not None and code not in rules.indicators:
            complaints.append(Complaint("/indicator", "unknown-indicator", no_indicator(code)))
        if self.with_predecessors and self.unit is None:
            message = Text("with_predecessors cần kèm unit", "with_predecessors needs unit")
            complaints.append(Complaint("/with_predecessors", "missing-field", message))
        if complaints:
            raise refusal(complaints)

    def said(self) -> dict[str, str | None]:
        """Return the filters as text, to bind a cursor to them."""
        return {
            "unit": self.unit, "under": self.under, "indicator": self.indicator,
            "period": self.period.text if self.period else None, "status": self.status,
            "on": str(self.on), "with_predecessors": str(self.with_predecessors),
        }  # fmt: skip

    async def wanted(
        self, connection: asyncpg.Connection, sight: Sight
    ) -> tuple[Wanted, int | None]:
        """Return which values are meant, and the unit whose predecessors are wanted with it.

        Raises Absent or Refused where a code means no unit, or several.
        """
        # Predecessors are those of a unit of a day; the period only says which of their values.
        named_in = None if self.with_predecessors else self.period
        narrowing = Narrowing(today(), self.unit, self.under, self.on, named_in)
        narrowed = await narrow(connection, sight, narrowing)
        units, heir = narrowed.units, None
        if self.with_predecessors and narrowed.unit is not None:
            heir = narrowed.unit
            units = await lineage.predecessors(connection, heir)
        said = self.period.text if self.period else None
        return Wanted(sight, units, narrowed.under, self.indicator, said, self.status), heir


async def _given(
    unit: UnitInQuery = None,
    under: Under = None,
    indicator: IndicatorInQuery = None,
    period: PeriodInQuery = None,
    status: Annotated[
        Status | None, Query(description="Of this status; without it those that count.")
    ] = None,
    with_predecessors: Annotated[
        TrueOrFalse,
        Query(
            description="With `unit`: also values of what it descends from; lists add their sums."
        ),
    ] = False,
    on: On = None,
) -> ValueFilters:
    """Return the filters of a request."""
    return ValueFilters(unit, under, indicator, period, status, with_predecessors, on)


ValuesWanted = Annotated[ValueFilters, Depends(_given)]
