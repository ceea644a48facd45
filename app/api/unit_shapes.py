"""Units as they are shown and named in requests; shared by the routes of units and communes."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.api.shapes import Day
from app.domain.units import PLACE_PATTERN

Place = Annotated[str, StringConstraints(pattern=PLACE_PATTERN, max_length=40)]
PlaceInPath = Annotated[
    str, Path(pattern=PLACE_PATTERN, max_length=40, description="Code on the day, or unit key.")
]
CommuneInPath = Annotated[
    str,
    Path(pattern=r"^[0-9]{5}$|^commune-[0-9]{5}(-[0-9]{4})?$", description="Code, or unit key."),
]


def _number(value: Any) -> int:
    text = str(value)
    if re.fullmatch("[1-9][0-9]{0,8}", text):
        return int(text)
    raise PydanticCustomError("int_parsing", "an integer")


NumberInPath = Annotated[
    int,
    BeforeValidator(_number),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 999_999_999}),
    Path(description="Number as it was answered."),
]
On = Annotated[Day | None, Query(description="Day on which the unit is meant; default: today.")]
Under = Annotated[Place | None, Query(description="Anywhere below this unit, by code or unit key.")]
UnitInQuery = Annotated[
    Place | None,
    Query(description="Code in the period, or on the day (`on`, default: today); or unit key."),
]
UnitType = Literal[
    "tinh", "thanh_pho", "quan", "huyen", "thi_xa", "xa", "phuong", "thi_tran", "dac_khu",
    "ap", "thon", "khu_dan_cu",
]  # fmt: skip


class Ancestor(BaseModel):
    """A unit above another one, as it is called on the day."""

    unit: str
    code: str
    level: str
    name: str


class Point(BaseModel):
    """A place on a map, in degrees."""

    lat: float
    lon: float


class UnitShape(BaseModel):
    """A unit on a day; `valid_to` is the first day on which it is no longer so.

    `exact` is false for a day before `known_from`: then it is the oldest state that is known.
    """

    unit: str
    code: str
    level: str
    type: str | None
    name: str
    parent: Ancestor | None
    path: list[Ancestor]
    valid_from: datetime.date | None
    valid_to: datetime.date | None
    exact: bool
    known_from: datetime.date
    legal_basis: str | None
    point: Point | None
    area_km2: str | None
    identifiers: dict[str, str]


class UnitPage(BaseModel):
    """One page of units."""

    items: list[UnitShape]
    next: str | None
