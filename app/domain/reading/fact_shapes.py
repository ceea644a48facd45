"""Facts in the shapes in which they are checked and told."""

from __future__ import annotations

from typing import Any

from app.domain.reading.causes import bad
from app.domain.reading.frames import Measure
from app.rules.errors import FactError, Text
from app.rules.facts import Fact, Percent, Ratio


def as_json(fact: Any) -> Any:
    """Return a fact as `read_fact` takes it; what was JSON before stays as it is."""
    if isinstance(fact, Ratio):
        return {"numerator": fact.numerator, "denominator": fact.denominator}
    return {"percent": fact.percent} if isinstance(fact, Percent) else fact


def columns(fact: Fact) -> tuple[Any, ...]:
    """Return the columns of a fact in the order of `frames.FACT`."""
    if isinstance(fact, bool):
        return (fact, None, None, None, None, None)
    if isinstance(fact, int):
        return (None, fact, None, None, None, None)
    if isinstance(fact, Ratio):
        return (None, None, fact.numerator, fact.denominator, None, None)
    if isinstance(fact, Percent):
        return (None, None, None, None, fact.percent, None)
    return (None, None, None, None, None, "|".join(fact))


def plain(error: FactError, measure: Measure) -> Text:
    """Return the message of an error without the words of the row."""
    if error.code in ("numerator-exceeds-denominator", "duplicate-member", "unknown-member"):
        members = ", ".join(one.code for one in measure.members)
        return bad(error.code, code=measure.code, members=members)
    return error.message
