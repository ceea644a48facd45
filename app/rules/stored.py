"""Read back what was stored as canonical bytes: inputs, judgements and whole rulesets.

Nothing stored carries code or the names of types; which fact a value is, follows from its form.
`observed` may be one fact or several by code: an indicator whose code is `fact`, or two that are
called `numerator` and `denominator`, would be mistaken for the fields of a fact there.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from pydantic import Field, ValidationError

from app.rules.casework import walk
from app.rules.evaluate import Compiled
from app.rules.facts import Fact, Given, Percent, Ratio, Recorded
from app.rules.indicators import Indicator, Model
from app.rules.leaves import Check
from app.rules.ruleset import Ruleset
from app.rules.verdict import (
    Coverage,
    Designation,
    Inputs,
    Judgement,
    Member,
    Members,
    Result,
)

Built = TypeVar("Built")
Reader = Callable[[Any], Any]


class Unreadable(ValueError):
    """Stored bytes that are not what the kernel wrote."""


class SnapshotUnreadable(Unreadable):
    """Stored bytes that are no ruleset with its indicators."""


class CheckMissing(LookupError):
    """A stored ruleset names a check of its pack that is no longer there."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the check {name!r} is not there")
        self.name = name


class Difference(msgspec.Struct, frozen=True):
    """A place (RFC 6901 pointer) where two JSON values differ; None where one has nothing."""

    pointer: str
    stored: Any
    now: Any


def read_judgement(data: bytes) -> Judgement:
    """Return the judgement of which `data` are the canonical bytes."""
    return _read(data, _judgement)


def read_head(data: bytes) -> Judgement:
    """Return a judgement without its criteria; they are most of it, and lists do not show them."""
    head = _read_typed(data)
    return Judgement(criteria=(), **msgspec.structs.asdict(head))


def read_inputs(data: bytes) -> Inputs:
    """Return the inputs of which `data` are the canonical bytes."""
    return _read(data, _inputs)


def rebuild(snapshot: bytes, checks: Mapping[str, Check]) -> Compiled:
    """Compile a ruleset again from its snapshot and the checks of its pack."""
    try:
        # Exact numbers are stored as text; only a lenient reading turns them into numbers again.
        found = _Snapshot.model_validate_json(snapshot, strict=False)
    except ValidationError:
        # What pydantic says speaks of our models, not of anything that a reader could mend.
        raise SnapshotUnreadable("these bytes are no snapshot of a ruleset") from None
    for criterion in found.ruleset.walk():
        if criterion.check and criterion.check not in checks:
            raise CheckMissing(criterion.check)
    try:
        return Compiled(found.ruleset, {one.code: one for one in found.indicators}, checks)
    except KeyError as error:
        raise SnapshotUnreadable(f"the snapshot lacks the indicator {error}") from None


def leaf_outcomes(judgement: Judgement) -> dict[str, str]:
    """Return the outcome of every criterion without children, in the order of the document."""
    return {one.id: one.outcome for one in walk(judgement.criteria) if not one.criteria}


def differences(stored: Any, now: Any) -> list[Difference]:
    """Return every deepest place at which two JSON values differ; keys are taken in order."""
    return _differences(stored, now, "")


class _Head(msgspec.Struct):
    """A judgement without its criteria."""

    all_items: str | None
    applicability: str
    as_of: datetime.date
    basis: str
    digest: str
    inputs_digest: str
    outcome: str
    period: str | None
    reasons: tuple[str, ...]
    ruleset: str
    semantics: int
    unused_facts: tuple[str, ...]
    coverage: Coverage | None


def _read_typed(data: bytes) -> _Head:
    try:
        return msgspec.json.decode(data, type=_Head)
    except msgspec.DecodeError as error:
        raise Unreadable("these bytes are not what was stored") from error


class _Snapshot(Model):
    """What `app.rules.evaluate.snapshot` writes."""

    indicators: tuple[Indicator, ...] = Field(strict=False)
    ruleset: Ruleset


_MISSING: Final = object()


def _differences(stored: Any, now: Any, pointer: str) -> list[Difference]:
    if type(stored) is type(now) and isinstance(stored, dict | list):
        ours, theirs = _parts(stored), _parts(now)
        return [
            one
            for key in sorted(ours.keys() | theirs.keys())
            for one in _differences(
                ours.get(key, _MISSING), theirs.get(key, _MISSING), f"{pointer}/{_escaped(key)}"
            )
        ]
    # Types are compared as well: for Python, true equals 1.
    if type(stored) is type(now) and stored == now:
        return []
    return [Difference(pointer, _shown(stored), _shown(now))]


def _parts(value: dict[str, Any] | list[Any]) -> Mapping[Any, Any]:
    return dict(enumerate(value)) if isinstance(value, list) else value


def _escaped(key: str | int) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _shown(value: Any) -> Any:
    return None if value is _MISSING else value


def _read(data: bytes, reader: Callable[[Any], Built]) -> Built:
    try:
        return reader(msgspec.json.decode(data))
    except (msgspec.DecodeError, AttributeError, RecursionError, TypeError, ValueError) as error:
        raise Unreadable("these bytes are not what was stored") from error


def _judgement(raw: Any) -> Judgement:
    return _built(Judgement, raw, as_of=_day, coverage=_coverage, criteria=_each(_result))


def _result(raw: Any) -> Result:
    return _built(
        Result,
        raw,
        coverage=_coverage,
        criteria=_each(_result),
        members=partial(_built, Members),
        observed=_observed,
        stated=_given,
    )


def _inputs(raw: Any) -> Inputs:
    return _built(
        Inputs,
        raw,
        as_of=_day,
        designations=_each(partial(_built, Designation, date=_day)),
        facts=_facts,
        members=_each(partial(_built, Member, facts=_facts)),
        period_end=_day,
    )


def _built(kind: Callable[..., Built], raw: Any, **readers: Reader) -> Built:
    """Return a struct from its fields: what has no reader of its own is plain data."""
    return kind(
        **{
            name: None if value is None else readers.get(name, _plain)(value)
            for name, value in raw.items()
        }
    )


def _plain(raw: Any) -> Any:
    return tuple(raw) if isinstance(raw, list) else raw


def _each(reader: Callable[[Any], Built]) -> Callable[[Iterable[Any]], tuple[Built, ...]]:
    return lambda raw: tuple(map(reader, raw))


_day: Final = datetime.date.fromisoformat
_coverage: Final = partial(_built, Coverage)


def _facts(raw: Any) -> dict[str, Given]:
    return {code: _given(value) for code, value in raw.items()}


def _observed(raw: Any) -> Given | dict[str, Given]:
    return _given(raw) if not isinstance(raw, dict) or _is_given(raw) else _facts(raw)


def _is_given(raw: Mapping[str, Any]) -> bool:
    """Tell a single fact from several by code; what is given by code is never bare text."""
    if raw.keys() == {"percent"}:
        return isinstance(raw["percent"], str)
    recorded = "fact" in raw and raw.keys() <= set(Recorded.__struct_fields__)
    return recorded or raw.keys() == set(Ratio.__struct_fields__)


def _given(raw: Any) -> Given:
    if isinstance(raw, dict) and "fact" in raw:
        return _built(Recorded, raw, fact=_fact)
    return _fact(raw)


def _fact(raw: Any) -> Fact:
    if isinstance(raw, dict):
        return Percent(**raw) if "percent" in raw else Ratio(**raw)
    fact: Fact = _plain(raw)
    return fact
