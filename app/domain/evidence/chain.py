"""The chain of approval as dated data: steps, routes, transitions (`chain.yaml`).

3445/BNN-VPĐP 4.1 prescribes it for proposals of pilot models only; every entry says what it is to
the documents (`basis`).
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from importlib import resources
from typing import Final, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict

from app.domain.evidence import State, Step
from app.domain.territory import Caller
from app.rules.indicators import Bilingual

Action = Literal[
    "submit", "reopen", "withdraw", "verify", "appraise", "approve", "return", "refuse"
]
Basis = Literal["proposals", "extension", "assumption"]
Route = Literal["with_district", "without_district"]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ChainStep(_Entry):
    """Who acts: an office of a level, with the scope that its clients need."""

    step: Step
    level: Literal["commune", "district", "province"]
    scope: str
    office: Bilingual


class ChainRoute(_Entry):
    """A way through the chain, for what was submitted on certain days."""

    route: Route
    since: datetime.date | None = None
    until: datetime.date | None = None
    basis: Basis


class Transition(_Entry):
    """What an office may do with a submission in a state, on one route or any, on certain days."""

    action: Action
    before: State
    after: State
    step: Step
    route: Route | None = None
    since: datetime.date | None = None
    until: datetime.date | None = None
    basis: Basis

    def holds(self, state: str, route: str | None, day: datetime.date) -> bool:
        """Tell whether it leads on from a state, on a route, on a day."""
        return self.before == state and self.route in (None, route) and self.is_due(day)

    def is_due(self, day: datetime.date) -> bool:
        """Tell whether there is this transition on a day."""
        return _within(self.since, self.until, day)


class Chain(_Entry):
    """The whole of `chain.yaml`."""

    basis: Bilingual
    steps: list[ChainStep]
    routes: list[ChainRoute]
    transitions: list[Transition]


class Office(enum.Enum):
    """What a client speaks for, by the level of its territory."""

    COMMUNE = "commune"
    DISTRICT = "district"
    PROVINCE = "province"
    NONE = ""


CHAIN: Final = Chain.model_validate(
    yaml.safe_load(resources.files(__package__).joinpath("chain.yaml").read_text("utf-8"))
)
STEPS: Final[Mapping[str, ChainStep]] = {one.step: one for one in CHAIN.steps}
# The states in which offices above the commune check a submission; what it holds is frozen.
CHECKED: Final[tuple[State, ...]] = ("submitted", "verified", "appraised")
ENDED: Final[tuple[State, ...]] = ("approved", "refused", "withdrawn")
# Written out, so that a statement can use the indexes of what is ended, or is not.
SQL_ENDED: Final = ", ".join(f"'{one}'" for one in ENDED)
REASONED: Final[frozenset[Action]] = frozenset({"return", "refuse"})


def office_of(caller: Caller) -> Office:
    """Return what a caller speaks for; the nation and hamlets have no place in the chain."""
    levels = {one.value for one in Office}
    return Office(caller.level) if caller.level in levels else Office.NONE


def route_on(day: datetime.date) -> Route:
    """Return the route of what is submitted on a day."""
    return next(one.route for one in CHAIN.routes if _within(one.since, one.until, day))


def is_on(office: Office, route: str | None, day: datetime.date) -> bool:
    """Tell whether an office has a part in a route on a day: districts have ended."""
    levels = {
        STEPS[one.step].level
        for one in CHAIN.transitions
        if one.route in (None, route) and one.is_due(day)
    }
    return office.value in levels


def possible(state: str, route: str | None, day: datetime.date) -> list[Transition]:
    """Return every transition that leads on from a state, whoever may take it."""
    return [one for one in CHAIN.transitions if one.holds(state, route, day)]


def stands_at(caller: Caller, step: str) -> bool:
    """Tell whether a caller may act at a step: it is of its level and has its scope."""
    one = STEPS[step]
    return caller.level == one.level and one.scope in caller.scopes


def steps_of(caller: Caller, state: str, route: str | None, day: datetime.date) -> list[Step]:
    """Return the steps at which a caller may act on a submission in a state, each once."""
    found = [one.step for one in possible(state, route, day) if stands_at(caller, one.step)]
    return list(dict.fromkeys(found))


def _within(since: datetime.date | None, until: datetime.date | None, day: datetime.date) -> bool:
    return (since is None or since <= day) and (until is None or day <= until)
