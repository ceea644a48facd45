"""Periods and instants as they are written in requests."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.rules.period import PERIOD_PATTERN, Period, read_period


def _period(value: Any) -> Period:
    found = read_period(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError("period_type", "a period")
    return found


PeriodIn = Annotated[
    Period,
    PlainValidator(_period),
    WithJsonSchema({"type": "string", "pattern": PERIOD_PATTERN, "examples": ["2024"]}),
]
PeriodInPath = Annotated[PeriodIn, Path(description="2024, 2024-H1, 2024-Q3 or 2024-10.")]
PeriodWanted = Annotated[PeriodIn, Query(description="2024, 2024-H1, 2024-Q3 or 2024-10.")]
PeriodInQuery = Annotated[PeriodIn | None, Query(description="2024, 2024-H1, 2024-Q3 or 2024-10.")]

_INSTANT: Final = re.compile(
    r"(19|2[01])[0-9]{2}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def read_instant(value: Any) -> datetime.datetime:
    """Return the instant that a text names, in UTC."""
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            found = datetime.datetime.fromisoformat(_to_microseconds(value.upper()))
            return found.astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("instant_type", "an instant")


def _to_microseconds(text: str) -> str:
    """Return the instant with at most six decimals: no clock of ours has more."""
    return re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)


Instant = Annotated[
    datetime.datetime,
    PlainValidator(read_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
UpdatedSince = Annotated[
    Instant | None,
    Query(
        description="Instead of the current state: changes recorded from this instant on, in the "
        "order in which they came on record. `next` is null only on an empty page; asking again "
        "with the last `next` misses nothing."
    ),
]
