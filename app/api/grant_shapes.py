"""Grants as they are sent and shown."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.api.moments import read_instant
from app.api.officials import Change
from app.api.shapes import Line, read_day
from app.api.unit_shapes import Ancestor, Place

_DAY_OR_INSTANT: Final = WithJsonSchema(
    {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
)


def _until(value: Any) -> datetime.date:
    for read in (read_day, read_instant):
        try:
            return read(value)
        except PydanticCustomError:
            continue
    raise PydanticCustomError("until_type", "a date or an instant")


UntilIn = Annotated[datetime.date, PlainValidator(_until), _DAY_OR_INSTANT]
Code = Annotated[str, StringConstraints(max_length=120, strict=True)]
Resource = Literal["values", "evaluations"]
_MOST: Final = 200  # rulesets or indicators that a grant may name


class GrantIn(Change):
    """A part of a territory's data to open to a client, or to the clients of a unit."""

    from_territory: Place = Field(description="Code of a unit of today, or unit key; not VN.")
    to_client: str | None = Field(
        default=None,
        pattern=r"^ntm-[0-9a-f]{16}$",
        description="`client_id` of any client. Whether there is such a client is not checked, "
        "so that the answer tells nothing about clients of others: ask the receiver for it.",
    )
    to_territory: Place | None = Field(
        default=None, description="Unit of today, whose own clients receive; not those below it."
    )
    resources: list[Resource] = Field(
        min_length=1,
        max_length=2,
        description="What is opened; an evaluation is read whole, with the figures it rests on.",
    )
    rulesets: list[Code] | None = Field(
        default=None, min_length=1, max_length=_MOST, description="Only evaluations by these."
    )
    indicators: list[Code] | None = Field(
        default=None, min_length=1, max_length=_MOST, description="Only values of these."
    )
    purpose: Line
    until: UntilIn = Field(
        description="Last day, as it is in Vietnam, or an instant; 5 years ahead at most."
    )

    @model_validator(mode="after")
    def _one_receiver(self) -> GrantIn:
        if (self.to_client is None) == (self.to_territory is None):
            told = {"both": self.to_client is not None}
            raise PydanticCustomError("client_or_territory", "client or territory", told)
        return self


class Reads(BaseModel):
    """What was read under a grant: answers, and rows in them."""

    count: int
    rows: int
    last_at: datetime.datetime | None


class GrantShape(BaseModel):
    """A grant, as both sides see it; null in a list: all of them. It ends by itself."""

    id: int
    version: str
    from_territory: Ancestor
    to_client: str | None
    to_territory: Ancestor | None
    resources: list[Resource]
    rulesets: list[str] | None
    indicators: list[str] | None
    purpose: str
    until: Annotated[str, _DAY_OR_INSTANT]
    state: Literal["active", "ended", "revoked"]
    granted_at: datetime.datetime
    granted_by: str
    revoked_at: datetime.datetime | None
    revoked_by: str | None
    reason: str | None
    reads: Reads


class GrantPage(BaseModel):
    """One page of grants."""

    items: list[GrantShape]
    next: str | None
