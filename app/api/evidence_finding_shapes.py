"""Findings, as they are handed in and shown."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from app.api.evidence_shapes import OfficialShape
from app.api.officials import OfficialIn
from app.api.shapes import Day, Line, Strict, lines
from app.domain.evidence import Step
from app.domain.evidence.findings import Finding, Kind
from app.domain.territory import Official

FileName = Annotated[str, Field(min_length=1, max_length=255)]
Seen = Annotated[str, Field(max_length=4_000), AfterValidator(lines)]


class FindingIn(Strict):
    """What was found in a check; `holds`: what the document demands was seen there."""

    kind: Kind
    found_on: Day
    place: Line
    seen: Seen
    holds: bool
    photos: list[FileName] = Field(default=[], max_length=50)
    acting_official: OfficialIn

    def finding(self) -> Finding:
        """Return it in the words of the domain."""
        by = self.acting_official
        official = Official(by.id, by.office, by.position)
        return Finding(
            official, self.kind, self.found_on, self.place, self.seen, self.holds, self.photos
        )


class FindingShape(BaseModel):
    """A field check or a system check."""

    id: int
    slot: str
    kind: Kind
    found_on: datetime.date
    place: str
    seen: str
    holds: bool
    photos: list[str]
    step: Step
    at: datetime.datetime
    by: str
    official: OfficialShape


class FindingPage(BaseModel):
    """One page of findings."""

    items: list[FindingShape]
    next: str | None
