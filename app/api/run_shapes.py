"""Evaluation runs and comparisons of them, as they are shown."""

from __future__ import annotations

import datetime
from typing import Any

from pydantic import BaseModel, Field

from app.api.shapes import Words
from app.api.verdict_shapes import Gap
from app.domain.jobs import State


class RunRuleset(BaseModel):
    """The ruleset of a run; version, digest and title are null where it is not installed."""

    id: str
    version: str | None
    digest: str | None
    title: Words | None


class UnitInShort(BaseModel):
    """A unit as it was called then."""

    unit: str
    code: str
    level: str
    type: str | None
    name: str


class RunOutcomes(BaseModel):
    """How many verdicts came out how."""

    met: int
    not_met: int
    undetermined: int
    not_applicable: int
    no_criterion: int
    no_overall_rule: int


class ItemOutcomes(BaseModel):
    """How many units came out how: in all items together, or in one criterion."""

    met: int
    not_met: int
    undetermined: int
    not_applicable: int
    no_criterion: int


class RunCriterion(ItemOutcomes):
    """How the units came out in one criterion: the five counts make up all units of the run."""

    id: str
    text: Words
    cite: str
    leaf: bool = Field(description="No criteria below it.")
    reasons: dict[str, int] = Field(description="How many units have this reason.")


class LackingShape(BaseModel):
    """A criterion that would still have to be met; gap is null where it is no matter of degree."""

    criterion: str
    text: Words
    outcome: str
    reasons: list[str]
    gap: Gap | None


class NearShape(BaseModel):
    """A unit that has not passed, and the fewest criteria by which it would."""

    unit: UnitInShort
    evaluation: int
    lacking: list[LackingShape]


class RunSummary(BaseModel):
    """An evaluation run in short; counts are null until it has ended."""

    id: int
    job: int
    state: State
    ruleset: RunRuleset
    under: UnitInShort
    period: str
    as_of: datetime.date
    min_status: str | None
    on: datetime.date = Field(description="The day whose units are judged.")
    units: int | None = Field(description="Units that were judged.")
    out_of_scope: int | None = Field(description="Units that the document does not bind.")
    outcomes: RunOutcomes | None
    all_items: ItemOutcomes | None = Field(
        description="Where the document states no overall rule: all items together."
    )
    created_at: datetime.datetime
    ended_at: datetime.datetime | None
    by: str


class RunShape(RunSummary):
    """An evaluation run: how the units of a territory came out, criterion by criterion."""

    criteria: list[RunCriterion] | None
    nearest: list[NearShape] | None = Field(
        description="Nearest to passing: fewest criteria lacking, then smallest relative gaps."
    )


class RunPage(BaseModel):
    """One page of evaluation runs."""

    items: list[RunSummary]
    next: str | None


class ChangeShape(BaseModel):
    """How many units came out so before and so after."""

    before: str
    after: str
    units: int


class ComparisonCounts(BaseModel):
    """Units of both runs that came out the same or not, and units of one run only."""

    same: int
    flipped: int
    to_met: int
    from_met: int
    changes: list[ChangeShape]
    only_before: int
    only_after: int


class RunSide(BaseModel):
    """A verdict of a run, with the outcome of all criteria together."""

    evaluation: int
    outcome: str
    applicability: str


class WhyShape(BaseModel):
    """A cause, and what it is about on both sides: values, thresholds, area classes and so on."""

    cause: str
    text: str
    from_: Any = Field(alias="from")
    to: Any


class FlippedOutcome(BaseModel):
    """A criterion that comes out differently; null where one ruleset does not have it."""

    id: str
    before: str | None
    after: str | None


class FlippedCriterion(FlippedOutcome):
    """A criterion that came out differently, and why."""

    why: list[WhyShape]


class FlippedUnit(BaseModel):
    """A unit that came out differently."""

    unit: UnitInShort
    before: RunSide
    after: RunSide
    criteria: list[FlippedCriterion]


class RunComparison(BaseModel):
    """Two runs side by side, and one page of the units that came out differently."""

    before: RunSummary
    after: RunSummary
    counts: ComparisonCounts
    items: list[FlippedUnit]
    next: str | None
