"""Maps as they are shown: GeoJSON (RFC 7946)."""

from __future__ import annotations

from typing import Any, Literal

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from app.api.shapes import Words


class GeoJson(JSONResponse):
    """An answer in GeoJSON."""

    media_type = "application/geo+json"


class Geometry(BaseModel):
    """A GeoJSON point: longitude, latitude."""

    type: Literal["Point"]
    coordinates: list[float]


class Feature(BaseModel):
    """A commune on a map."""

    type: Literal["Feature"]
    id: str
    geometry: Geometry | None
    properties: dict[str, Any]


class NamedIndicator(BaseModel):
    """What an indicator is called."""

    code: str
    name: Words


class NamedRuleset(BaseModel):
    """What a ruleset is called."""

    id: str
    title: Words


class FeatureCollection(BaseModel):
    """Communes on a map (RFC 7946), and what the indicators and rulesets in them are called."""

    type: Literal["FeatureCollection"]
    features: list[Feature]
    indicators: list[NamedIndicator] = Field(default=[], description="With `period`.")
    rulesets: list[NamedRuleset] = Field(default=[], description="With `period`.")
