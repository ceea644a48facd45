"""What the tests of grants share: a good request, giving and reading, moving the end of a grant."""

from __future__ import annotations

import datetime
from typing import Any

import httpx
from sqlalchemy import text

from app.database import Database
from app.domain.clock import today

Item = dict[str, Any]
GRANTS = "/v1/grants"
GIVER, NEIGHBOUR = "07948", "08152"  # communes of today's Phú Thọ
ABOVE = "25"
RECEIVER, RECEIVERS_PROVINCE = "29266", "86"  # a commune of today's Vĩnh Long
ELSEWHERE = "00004"  # of Hà Nội
PURPOSE = "Phối hợp kiểm tra liên xã"


def later(days: int = 30) -> str:
    """Return a day that lies ahead."""
    return str(today() + datetime.timedelta(days=days))


def wish(**other: Any) -> Item:
    """Return a good request for a grant; None leaves a field out."""
    asked = {
        "from_territory": GIVER, "to_territory": RECEIVER, "resources": ["values", "evaluations"],
        "purpose": PURPOSE, "until": later(),
    } | other  # fmt: skip
    return {name: value for name, value in asked.items() if value is not None}


async def give(caller: httpx.AsyncClient, **other: Any) -> Item:
    """Give a grant; return it as it is answered."""
    answer = await caller.post(GRANTS, json=wish(**other))
    assert answer.status_code == 201, answer.text[:500]
    found: Item = answer.json()
    return found


async def read(caller: httpx.AsyncClient, id_: int) -> Item:
    """Return a grant as one of its sides reads it."""
    answer = await caller.get(f"{GRANTS}/{id_}")
    assert answer.status_code == 200, answer.text[:300]
    found: Item = answer.json()
    return found


async def revoke(caller: httpx.AsyncClient, id_: int, **body: Any) -> httpx.Response:
    """Revoke a grant; return the answer."""
    return await caller.post(f"{GRANTS}/{id_}/revoke", json=body)


async def listed(caller: httpx.AsyncClient, **params: str) -> list[int]:
    """Return the numbers of the grants on the first page of a list."""
    answer = await caller.get(GRANTS, params={"limit": "500"} | params)
    assert answer.status_code == 200, answer.text[:300]
    return [one["id"] for one in answer.json()["items"]]


async def end(database: Database, id_: int) -> None:
    """Let a grant have ended a moment ago, as time would."""
    async with database.as_owner() as connection:
        await connection.execute(
            text("UPDATE data_grant SET until = now() - interval '1 second' WHERE id = :id"),
            {"id": id_},
        )
