"""Is the process alive, is it ready to answer? Open to everyone."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.deps import Rules
from app.api.errors import problem_responses
from app.api.strict import StrictRoute

router = APIRouter(
    tags=["health"], route_class=StrictRoute, responses=problem_responses(422, everyone=True)
)


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """The service can judge: how many rulesets and indicators are loaded."""

    status: Literal["ok"]
    rulesets: int
    indicators: int


@router.get("/livez", summary="Is the process alive?")
async def livez() -> Alive:
    """Answer whenever the process runs."""
    return Alive(status="ok")


@router.get("/readyz", summary="Is the service ready?")
async def readyz(rules: Rules) -> Ready:
    """Answer when all packs are loaded and checked."""
    return Ready(status="ok", rulesets=len(rules.entries), indicators=len(rules.indicators))
