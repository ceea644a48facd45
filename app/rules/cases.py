"""Worked cases: facts and the outcomes they must lead to, written so that a jurist can read them.

A case builds on another one by name (`given`) and states only what differs; every outcome it does
not mention must stay as it was. A ratio is written `3400/4000`, a bare percentage `85.5%`.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import Field

from app.rules.indicators import Code, CommuneType, Identifier, Model, Words
from app.rules.vocabulary import Level, Outcome

_RATIO = re.compile(r"^([0-9]+)/([0-9]+)$")


class Chosen(Model):
    """A pilot designation of the unit."""

    model: Literal["smart", "ecom"]
    decision: Words
    date: datetime.date | None = None


class CaseMember(Model):
    """A unit below the one evaluated."""

    level: Level
    type: CommuneType | None = None
    facts: dict[Code, Any] = Field(default_factory=dict)
    times: int = Field(default=1, ge=1)


class Case(Model):
    """One worked case of one ruleset."""

    case: Words
    ruleset: Identifier
    given: Words | None = None
    as_of: datetime.date | None = None
    level: Level | None = None
    attributes: dict[Code, bool] = Field(default_factory=dict)
    designations: tuple[Chosen, ...] = Field(default=(), strict=False)
    facts: dict[Code, Any] = Field(default_factory=dict)
    without: tuple[Code, ...] = Field(default=(), strict=False)
    members: tuple[CaseMember, ...] | None = Field(default=None, strict=False)
    expect: dict[str, Outcome] = Field(default_factory=dict)
    reasons: dict[str, Annotated[tuple[str, ...], Field(strict=False)]] = Field(
        default_factory=dict
    )


def spell_out(value: Any) -> Any:
    """Turn the shorthand of a case into the JSON form of a fact."""
    if isinstance(value, str) and (found := _RATIO.fullmatch(value)):
        return {"numerator": int(found[1]), "denominator": int(found[2])}
    if isinstance(value, str) and value.endswith("%"):
        return {"percent": value[:-1]}
    return value
