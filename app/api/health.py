"""Is the process alive, is it ready to answer? Open to everyone."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.deps import Data, Rules
from app.api.errors import problem_responses
from app.api.strict import StrictRoute

router = APIRouter(tags=["health"], route_class=StrictRoute)


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """The service can judge and the database answers: what is loaded."""

    status: Literal["ok"]
    rulesets: int
    indicators: int
    units: int


@router.get(
    "/livez", summary="Is the process alive?", responses=problem_responses(422, everyone=True)
)
async def livez() -> Alive:
    """Answer whenever the process runs."""
    return Alive(status="ok")


@router.get(
    "/readyz", summary="Is the service ready?", responses=problem_responses(422, 503, everyone=True)
)
async def readyz(rules: Rules, data: Data) -> Ready:
    """Answer when all packs are loaded and checked and the database answers."""
    async with data.reading() as connection:
        units = await connection.fetchval("SELECT count(*) FROM unit")
    return Ready(
        status="ok", rulesets=len(rules.entries), indicators=len(rules.indicators), units=units
    )
