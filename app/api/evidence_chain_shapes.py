"""The chain of approval, and what changed between two versions of a submission, as shown."""

from __future__ import annotations

import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.shapes import Words
from app.domain.evidence import State, Step
from app.domain.evidence.chain import Action, Basis, Route


class DifferenceOfSlot(BaseModel):
    """A slot that differs: what of it, as it was and as it is; null where it was not there."""

    slot: str
    changed: list[str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ContainedShape(BaseModel):
    """A value that a version contains."""

    period: str
    value_id: int


class DifferenceOfValue(BaseModel):
    """A value that differs."""

    indicator: str
    before: ContainedShape | None
    after: ContainedShape | None


class Digests(BaseModel):
    """By which content of the ruleset each version was submitted."""

    before: str
    after: str


class VersionDifference(BaseModel):
    """What changed between two submitted versions."""

    model_config = {"populate_by_name": True}

    from_: int = Field(alias="from")
    to: int
    digests: Digests
    slots: list[DifferenceOfSlot]
    values: list[DifferenceOfValue]


class ChainStepShape(BaseModel):
    """Who acts at a step, with which scope."""

    step: Step
    level: Literal["commune", "district", "province"]
    scope: str
    office: Words


class ChainRouteShape(BaseModel):
    """A way through the chain, for what is submitted from `since` to `until`."""

    route: Route
    since: datetime.date | None
    until: datetime.date | None
    basis: Basis


class ChainTransitionShape(BaseModel):
    """What an office may do with a submission in a state, on a route, on certain days."""

    action: Action
    before: State
    after: State
    step: Step
    route: Route | None
    since: datetime.date | None
    until: datetime.date | None
    basis: Basis


class ChainShape(BaseModel):
    """The chain of approval; `basis` says what each part of it is to the documents."""

    basis: Words
    steps: list[ChainStepShape]
    routes: list[ChainRouteShape]
    transitions: list[ChainTransitionShape]
