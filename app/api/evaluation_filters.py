"""The filters of lists and exports of evaluations, in one place: both mean the same by them."""

from __future__ import annotations

import datetime
from typing import Annotated

import asyncpg
import msgspec
from fastapi import Depends, Query

from app.api.moments import PeriodInQuery
from app.api.numbers import Number
from app.api.problems import refusal
from app.api.shapes import TrueOrFalse
from app.api.unit_shapes import On, Under, UnitInQuery
from app.domain.clock import today
from app.domain.evaluation_runs import reading as runs
from app.domain.evaluations.reading import Wanted
from app.domain.filters import Narrowing, narrow
from app.domain.previews import unknown_ruleset
from app.domain.refusals import Complaint
from app.domain.ruleset_snapshots import was_used
from app.domain.territory import Sight
from app.rules.period import Period
from app.rules.registry import Registry
from app.rules.vocabulary import Outcome


class EvaluationFilters(msgspec.Struct, frozen=True):
    """Which evaluations a request asks for."""

    unit: str | None
    under: str | None
    ruleset: str | None
    period: Period | None
    outcome: Outcome | None
    latest: bool
    on: datetime.date | None
    run: int | None

    def said(self) -> dict[str, str | None]:
        """Return the filters as text, to bind a cursor to them."""
        return {
            "unit": self.unit, "under": self.under, "ruleset": self.ruleset,
            "period": self.period.text if self.period else None, "outcome": self.outcome,
            "latest": str(self.latest), "on": str(self.on), "run": str(self.run),
        }  # fmt: skip

    async def wanted(self, connection: asyncpg.Connection, rules: Registry, sight: Sight) -> Wanted:
        """Return which evaluations are meant.

        Refuses a ruleset that is neither installed nor behind any verdict on record; raises Absent
        or Refused where a code means no unit, or several.
        """
        ruleset = self.ruleset
        await check_ruleset(connection, rules, ruleset)
        if self.run is not None:
            await runs.get(connection, sight.own, self.run, "/run")
        narrowing = Narrowing(today(), self.unit, self.under, self.on, self.period)
        narrowed = await narrow(connection, sight, narrowing)
        said = self.period.text if self.period else None
        return Wanted(
            sight, narrowed.units, narrowed.under, ruleset, said, self.outcome, self.latest,
            self.run,
        )  # fmt: skip


async def check_ruleset(
    connection: asyncpg.Connection, rules: Registry, ruleset: str | None
) -> None:
    """Refuse a ruleset that is neither installed nor behind anything on record."""
    installed = ruleset is None or ruleset in rules.entries
    if not (installed or await was_used(connection, str(ruleset))):
        message = unknown_ruleset(rules, str(ruleset))
        raise refusal([Complaint("/ruleset", "unknown-ruleset", message)])


async def _given(
    unit: UnitInQuery = None,
    under: Under = None,
    ruleset: Annotated[str | None, Query(max_length=120, description="Id of a ruleset.")] = None,
    period: PeriodInQuery = None,
    outcome: Annotated[Outcome | None, Query(description="Of the whole verdict.")] = None,
    latest: Annotated[
        TrueOrFalse, Query(description="Only the last one of each unit, ruleset and period.")
    ] = False,
    on: On = None,
    run: Annotated[
        Number | None, Query(description="Of this evaluation run of one's own territory.")
    ] = None,
) -> EvaluationFilters:
    """Return the filters of a request."""
    return EvaluationFilters(unit, under, ruleset, period, outcome, latest, on, run)


EvaluationsWanted = Annotated[EvaluationFilters, Depends(_given)]
