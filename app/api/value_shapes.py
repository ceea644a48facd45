"""Values as they are sent and shown."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from app.api.officials import Change
from app.api.preconditions import Version
from app.api.shapes import Day, Fact, Strict, lines, one_line
from app.api.unit_shapes import Place
from app.domain.values.entries import LONGEST_NOTE, LONGEST_SOURCE

Source = Annotated[
    str,
    BeforeValidator(one_line),
    StringConstraints(min_length=1, max_length=LONGEST_SOURCE, strict=True),
]
Note = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_NOTE, strict=True),
    AfterValidator(lines),
]


class MeasureIn(Strict):
    """What was measured, and where that is known from."""

    value: Fact
    source: Source
    on: Day | None = Field(
        default=None, description="A day on which the unit exists; needed where a code means two."
    )
    measured_on: Day | None = None
    note: Note | None = None


class ValueIn(MeasureIn):
    """One value of a unit in a period."""

    unit: Place
    period: str = Field(max_length=20, description="2024, 2024-H1, 2024-Q3 or 2024-10.")
    indicator: str = Field(max_length=120)


class UnitInShort(BaseModel):
    """A unit as it was called within the period."""

    unit: str | None
    code: str | None
    level: str
    type: str | None
    name: str | None


class ValueShape(BaseModel):
    """A value on record; nothing of it ever changes but its status."""

    id: int
    unit: UnitInShort
    period: str
    indicator: str
    value: Fact
    source: str
    measured_on: datetime.date | None
    note: str | None
    version: str = Field(description="Changes when the status does; see If-Match.")
    status: str = Field(description="reported, approved, superseded or retracted.")
    recorded_at: datetime.datetime
    by: str = Field(description="The client that recorded it; ntm: the operator.")


class EventShape(BaseModel):
    """What happened to a value after it was recorded."""

    status: str
    reason: str | None
    at: datetime.datetime
    by: str


class ValueWithEvents(ValueShape):
    """A value and everything that happened to it."""

    events: list[EventShape]


class ValueList(BaseModel):
    """Values that were put on record together."""

    items: list[ValueShape]


class HistoryPage(BaseModel):
    """One page of the history of a value."""

    items: list[ValueWithEvents]
    next: str | None


class RatioShape(BaseModel):
    """A numerator and a denominator."""

    numerator: int
    denominator: int


class MissingPart(BaseModel):
    """A predecessor that is not in the sum, and why: part, percent_only or no_value."""

    unit: UnitInShort
    reason: str


class ComputedShape(BaseModel):
    """A sum over predecessors taken whole; computed on reading, recorded nowhere."""

    computed: bool
    indicator: str
    period: str
    value: RatioShape
    percent: str | None
    values: list[int] = Field(description="Numbers of the values added up.")
    complete: bool
    missing: list[MissingPart]


class ValuePage(BaseModel):
    """One page of values; `computed` only with predecessors."""

    items: list[ValueShape]
    next: str | None
    computed: list[ComputedShape] | None = None


class ValueOrUnchanged(ValueShape):
    """The value that counts now; `unchanged` tells that nothing was recorded."""

    unchanged: bool


class RetractionIn(Change):
    """Why a value is retracted."""

    reason: Source
    version: Version = None


class RowProblem(BaseModel):
    """One bad row of a file: line as an editor counts it, column, remedy."""

    line: int
    column: str
    code: str
    message: str


class ImportCounts(BaseModel):
    """Rows by what became of them; `created` includes those that follow another value."""

    rows: int
    created: int
    superseded: int
    unchanged: int
    rejected: int


class ImportReport(BaseModel):
    """What an import did, or would do."""

    dry_run: bool
    partial: bool
    counts: ImportCounts
    rejected: list[RowProblem]
