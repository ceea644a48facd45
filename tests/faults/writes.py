"""Writes that callers want done once, each with a mark that is found again in the rows it made."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

INDICATORS: Final = (
    "commune_website_exists", "commune_social_media_account", "security_feedback_channel",
    "digital_teaching_services", "digital_healthcare_services",
)  # fmt: skip
PERIODS: Final = tuple(
    f"{year}{part}"
    for year in range(2000, 2025)
    for part in ("", "-H1", "-H2", "-Q1", "-Q2", "-Q3", "-Q4")
)
JSON: Final = "application/json"
CSV: Final = "text/csv"
_HEADER: Final = "unit,on,period,indicator,value,numerator,denominator,source,measured_on,note"
_SLICE: Final = 2  # communes judged together

Kind = Literal["values", "evaluations"]


class Commune(NamedTuple):
    """A commune that values and verdicts are about."""

    id: int
    code: str


class Write(NamedTuple):
    """One write that a caller wants done once: the rows it makes, by what names them."""

    key: str
    kind: Kind
    path: str
    media: str
    content: bytes
    rows: int
    judged: tuple[tuple[int, str], ...] = ()


def writes(communes: Sequence[Commune], lines: int = 40) -> Iterator[Write]:
    """Yield writes without end: a value, several, a file of so many lines, verdicts."""
    slices = [communes[at : at + _SLICE] for at in range(0, len(communes) - _SLICE, _SLICE)]
    # Every third write judges; each period of each slice comes once.
    to_judge = itertools.product(PERIODS, slices)
    for number in itertools.count():
        match number % 3:
            case 0:
                yield _values(communes, number, 1 if number % 2 else 20)
            case 1:
                period, chosen = next(to_judge)
                yield _verdicts(chosen, period)
            case _:
                yield _file(communes, number, lines)


def _mark() -> str:
    return uuid.uuid4().hex


def _cells(communes: Sequence[Commune], number: int, rows: int) -> list[tuple[str, str, str]]:
    every = itertools.product(communes, INDICATORS)
    chosen = itertools.islice(itertools.cycle(every), number % 50, number % 50 + rows)
    period = PERIODS[number % len(PERIODS)]
    return [(commune.code, period, indicator) for commune, indicator in chosen]


def _values(communes: Sequence[Commune], number: int, rows: int) -> Write:
    key = _mark()
    body = [
        {"unit": unit, "period": period, "indicator": indicator, "value": number % 2 == 0,
         "source": f"drill {key}"}
        for unit, period, indicator in _cells(communes, number, rows)
    ]  # fmt: skip
    content = json.dumps({"values": body}).encode()
    return Write(key, "values", "/v1/values", JSON, content, rows)


def _file(communes: Sequence[Commune], number: int, rows: int) -> Write:
    key = _mark()
    truth = "true" if number % 2 else "false"
    lines = [
        f"{unit},,{period},{indicator},{truth},,,drill {key},,"
        for unit, period, indicator in _cells(communes, number, rows)
    ]
    content = "\n".join([_HEADER, *lines, ""]).encode()
    return Write(key, "values", "/v1/values/import", CSV, content, rows)


def _verdicts(chosen: Sequence[Commune], period: str) -> Write:
    body = {"ruleset": "phutho.commune", "period": period, "units": [one.code for one in chosen]}
    judged = tuple((one.id, period) for one in chosen)
    content = json.dumps(body).encode()
    return Write(_mark(), "evaluations", "/v1/evaluations", JSON, content, len(judged), judged)
