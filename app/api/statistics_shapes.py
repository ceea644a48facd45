"""Statistics as they are shown, and how they are asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel

from app.api.shapes import Day
from app.api.unit_shapes import Place
from app.domain.statistics import By
from app.rules.vocabulary import Level

Below = Annotated[
    Place | None,
    Query(
        description="Units below this one, by code or unit key; default: all you may see. A code "
        "is read in the period, or on the day `on`."
    ),
]
OnDay = Annotated[
    Day | None,
    Query(
        description="Day on which the code in `under` is meant: so a territory of today can be "
        "asked for in an older period."
    ),
]
Grouping = Annotated[
    By, Query(description="The units that each item counts below: one item for each of them.")
]
RulesetAsked = Annotated[str | None, Query(max_length=120, description="Id of a ruleset.")]
CriterionAsked = Annotated[
    str | None, Query(max_length=120, description="Id of a criterion without children.")
]
LevelAsked = Annotated[Level | None, Query(description="Level of the units that are counted.")]
Outcomes = dict[
    Literal["met", "not_met", "undetermined", "not_applicable", "no_criterion", "no_overall_rule"],
    int,
]


class UnitAbove(BaseModel):
    """The unit below which is counted, as it was called on the last day."""

    unit: str
    code: str
    level: str
    type: str | None
    name: str


class CriterionOutcomes(BaseModel):
    """How a criterion came out, in units."""

    id: str
    met: int
    not_met: int
    undetermined: int
    not_applicable: int
    no_criterion: int


class OutcomesItem(BaseModel):
    """The latest verdicts of units by a ruleset in a period.

    `units` are all of the level there, `in_scope` those that the document binds, `evaluated`
    those with a verdict: the outcomes are out of these. `unit` is null where there is no one unit
    above them. `criteria` is null unless asked for.
    """

    ruleset: str
    level: str
    period: str
    unit: UnitAbove | None
    units: int
    in_scope: int
    evaluated: int
    outcomes: Outcomes
    all_items: Outcomes | None
    criteria: list[CriterionOutcomes] | None


class OutcomesPage(BaseModel):
    """One page of outcomes."""

    items: list[OutcomesItem]
    next: str | None


class Counted(BaseModel):
    """How often expected; recorded for the period; there, but only of a period before."""

    expected: int
    recorded: int
    outdated: int


class CriterionCounted(Counted):
    """Units that have every value which a criterion reads."""

    id: str


class IndicatorCounted(Counted):
    """Units that have a value of an indicator."""

    indicator: str
    name: str


class CompletenessItem(BaseModel):
    """Which values a ruleset would find, of the units that its document binds (`in_scope`).

    `complete` counts units that have every value, `values` single values; `criteria` and
    `indicators` are null where no details were asked for.
    """

    ruleset: str
    level: str
    period: str
    unit: UnitAbove | None
    units: int
    in_scope: int
    complete: Counted
    values: Counted
    criteria: list[CriterionCounted] | None
    indicators: list[IndicatorCounted] | None


class CompletenessPage(BaseModel):
    """One page of completeness."""

    items: list[CompletenessItem]
    next: str | None


class Point(BaseModel):
    """One period of a series; `units` are those of its last day, `known` those with a value.

    Of an indicator: `true` of `known`; `counted` is their sum; `numerator` and `denominator` are
    sums over those whose counts are known, `without_counts` the others; `codes` by member of a
    set. Of a ruleset or criterion: `outcomes` of `evaluated`.
    """

    period: str
    units: int
    known: int | None = None
    true: int | None = None
    counted: int | None = None
    numerator: int | None = None
    denominator: int | None = None
    without_counts: int | None = None
    codes: dict[str, int] | None = None
    in_scope: int | None = None
    evaluated: int | None = None
    outcomes: Outcomes | None = None


class SeriesItem(BaseModel):
    """A series of one group of units."""

    indicator: str | None
    ruleset: str | None
    criterion: str | None
    level: str
    unit: UnitAbove | None
    points: list[Point]


class SeriesPage(BaseModel):
    """One page of series."""

    items: list[SeriesItem]
    next: str | None
