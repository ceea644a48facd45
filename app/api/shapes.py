"""Shapes that several requests share: strict models, days, facts."""

from __future__ import annotations

import datetime
import re
import unicodedata
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.domain.values.entries import has_only_text
from app.rules.facts import LARGEST_COUNT, PERCENT_PATTERN

_DAY: Final = re.compile(r"(19|2[01])[0-9]{2}-[0-9]{2}-[0-9]{2}")


class Strict(BaseModel):
    """A request body: unknown keys are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


def read_day(value: Any) -> datetime.date:
    """Return the day that a text names."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("date_type", "a date like YYYY-MM-DD from 1900 to 2199")


Day = Annotated[
    datetime.date,
    BeforeValidator(read_day),
    WithJsonSchema({"type": "string", "format": "date"}),
]


def one_line(value: Any) -> Any:
    """Return text in NFC with its white space folded; refuse what cannot be seen."""
    if not isinstance(value, str):
        return value
    line = " ".join(unicodedata.normalize("NFC", value).split())
    if not line.isprintable():
        raise PydanticCustomError("text_unprintable", "printable characters")
    return line


def lines(value: str) -> str:
    """Return text of several lines as it is; refuse what cannot be seen."""
    if not value.strip():
        raise PydanticCustomError("string_too_short", "some text")
    if not has_only_text(value):
        raise PydanticCustomError("text_unprintable", "printable characters")
    return value


# One line of text as people write it: white space folded, nothing that cannot be seen.
Line = Annotated[
    str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=200, strict=True)
]


def yes_or_no(value: Any) -> bool:
    """Return the truth of a query parameter, which is `true` or `false` and nothing else."""
    if value in ("true", "false", True, False):
        return value in ("true", True)
    raise PydanticCustomError("bool_type", "true or false")


TrueOrFalse = Annotated[bool, BeforeValidator(yes_or_no)]
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": LARGEST_COUNT}

Fact = Annotated[
    Any,
    WithJsonSchema(
        {
            "description": "true/false, a count, a list of member codes, a ratio by its counts, "
            "or a bare percentage.",
            "oneOf": [
                {"type": "boolean"},
                _COUNT,
                {"type": "array", "items": {"type": "string"}},
                {
                    "type": "object",
                    "properties": {"numerator": _COUNT, "denominator": _COUNT},
                    "required": ["numerator", "denominator"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"percent": {"type": "string", "pattern": PERCENT_PATTERN}},
                    "required": ["percent"],
                    "additionalProperties": False,
                },
            ],
        }
    ),
]


class Words(BaseModel):
    """The same words in Vietnamese and English."""

    vi: str
    en: str


class DocumentShape(BaseModel):
    """A legal document; `issued` is as precise as printed (`2024-10`: the day is blank)."""

    number: str
    title: str
    issuer: str
    issued: str
    source_grade: str
    short: str
    based_on: list[str]
    note: Words | None


class ConfirmationShape(BaseModel):
    """Who confirms a piece of evidence, and whether the text or the form demands it."""

    who: str
    required_by: str


class EvidenceShape(BaseModel):
    """What the document wants to see for a criterion."""

    slot: str
    form: str | None
    text: str
    confirmed_by: list[ConfirmationShape]
    verification: str | None
    present: bool | None


class AlternativeShape(BaseModel):
    """Another way to read the clause, and the outcome it would lead to."""

    text: str
    outcome: str | None


class ReadingShape(BaseModel):
    """What we read into the text."""

    text: str | None
    alternatives: list[AlternativeShape]


class BranchShape(BaseModel):
    """One branch of a threshold that depends on the area class."""

    branch: str
    value: str


class RequiredShape(BaseModel):
    """The threshold; `value` is null while it is unknown which branch applies."""

    operator: str
    operator_as_written: str | None
    value: str | None
    unit: str
    branch: str | None
    branches: list[BranchShape]
    as_written: str
    force: str
    due: datetime.date | None


class CellShape(BaseModel):
    """One cell of a table row, as printed."""

    column: str
    text: str


class ClauseShape(BaseModel):
    """What the law says in a criterion, and what we read into it."""

    text: Words
    cite: str
    reading: ReadingShape | None
    notes: list[str]
    cells: list[CellShape]
    evidence: list[EvidenceShape]


class DesignationShape(BaseModel):
    """A decision that chose the commune for a pilot model."""

    id: int
    model: str
    authority: str
    decision: str
    date: datetime.date | None
    source: str
