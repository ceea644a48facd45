"""What a judgement is made of: small immutable results that carry ids and observations only.

Texts, cites and required evidence belong to the ruleset and are joined on reading
(`app.rules.explain`). Canonical bytes have sorted keys and no white space; for this data they
are RFC 8785.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from app.rules.facts import Given
from app.rules.vocabulary import MET, NO_CRITERION, NOT_APPLICABLE, NOT_MET, UNDETERMINED

# Raised when the kernel's meaning changes: the same inputs could then lead to another verdict.
SEMANTICS: Final = 1


class Members(msgspec.Struct, frozen=True, gc=False):
    """How many members a share rests on: value known, of those true, and value unknown."""

    known: int
    true: int
    unknown: int


class Coverage(msgspec.Struct, frozen=True, gc=False):
    """A report without a threshold: how many items, how many reported, how many present."""

    items: int
    present: int
    reported: int


class Result(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The outcome of one criterion and what it rests on.

    `branch` is the index of the threshold that applied; `gap` how many more of the numerator are
    needed; `observed` the fact, or a dict of facts where the criterion reads several; `stated` a
    share given directly where the members' values decided.
    """

    id: str
    outcome: str
    alternatives: tuple[str, ...] = ()
    branch: int | None = None
    coverage: Coverage | None = None
    criteria: tuple[Result, ...] = ()
    gap: int | None = None
    members: Members | None = None
    observed: Given | dict[str, Given] | None = None
    reasons: tuple[str, ...] = ()
    stated: Given | None = None


class Designation(msgspec.Struct, frozen=True, gc=False):
    """A unit was chosen for a pilot `model` by a numbered decision."""

    date: datetime.date | None
    decision: str
    model: str


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """A unit below the one evaluated, with its facts; a commune without a type is a xã.

    `unit` is its key in the register, where it was read from there.
    """

    facts: Mapping[str, Given]
    level: str
    type: str | None = None
    unit: str | None = None


class Inputs(msgspec.Struct, frozen=True):
    """Everything a judgement depends on besides the ruleset."""

    as_of: datetime.date
    level: str
    attributes: Mapping[str, bool] = {}
    designations: tuple[Designation, ...] = ()
    facts: Mapping[str, Given] = {}
    members: tuple[Member, ...] | None = None
    period: str | None = None
    period_end: datetime.date | None = None
    scope: str | None = None

    @property
    def day(self) -> datetime.date:
        """Return the day whose administrative levels count: as_of, or an earlier period's end."""
        return min(self.as_of, self.period_end) if self.period_end else self.as_of


class Judgement(msgspec.Struct, frozen=True):
    """A whole verdict before its texts are joined."""

    all_items: str | None
    applicability: str
    as_of: datetime.date
    basis: str
    criteria: tuple[Result, ...]
    digest: str
    inputs_digest: str
    outcome: str
    period: str | None
    reasons: tuple[str, ...]
    ruleset: str
    semantics: int
    unused_facts: tuple[str, ...]
    coverage: Coverage | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many criteria without children came out how; it follows from the results."""
        outcomes: list[str] = []
        _collect(self.criteria, outcomes)
        return counted(outcomes)


def counted(outcomes: Sequence[str]) -> dict[str, int]:
    """Return how many criteria came out how."""
    return {outcome: outcomes.count(outcome) for outcome in _COUNTED}


def _collect(results: tuple[Result, ...], outcomes: list[str]) -> None:
    for result in results:
        if result.criteria:
            _collect(result.criteria, outcomes)
        else:
            outcomes.append(result.outcome)


_COUNTED: Final = (MET, NOT_MET, UNDETERMINED, NOT_APPLICABLE, NO_CRITERION)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> bytes:
    """Return the one byte string that stands for `value` in every process (UTF-8, sorted keys)."""
    return _ENCODER.encode(value)


def digest(value: bytes) -> str:
    """Return the SHA-256 of canonical bytes, in hexadecimal."""
    return hashlib.sha256(value).hexdigest()


def inputs_digest(inputs: Inputs) -> str:
    """Return the digest of the inputs; the order of facts, members, designations does not count."""
    if inputs.members or len(inputs.designations) > 1:
        inputs = msgspec.structs.replace(
            inputs,
            members=inputs.members and tuple(sorted(inputs.members, key=canonical)),
            designations=tuple(sorted(inputs.designations, key=canonical)),
        )
    return digest(canonical(inputs))
