"""What tests of submissions share: the offices of a commune, a clock, the chain of approval."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx
import pytest
from conftest import Renewed, calling
from fastapi import FastAPI

from app.database import Database
from app.domain import clients, unit_lookup
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

Item = dict[str, Any]
Team = dict[str, httpx.AsyncClient]
SUBMISSIONS = "/v1/evidence-submissions"
RULESET = "phutho.commune"
OLD_DAY = datetime.date(2025, 3, 10)
LAST_DAY = datetime.date(2025, 6, 30)  # of the district level
NEW_DAY = datetime.date(2025, 7, 1)
OLD = {"commune": "08494", "district": "237", "province": "25"}  # Thị trấn Lâm Thao, to 30/6/2025
NEW = {"commune": "08494", "province": "25"}  # Xã Lâm Thao, since 1/7/2025
SCOPES = {
    "commune": ("read", "values:write", "evidence:submit", "evidence:names"),
    "district": ("read", "evidence:verify", "evidence:names"),
    "department": ("read", "evidence:appraise"),
    "province": ("read", "evidence:approve", "evidence:names"),
}
TERRITORY = {"department": "province"}


class Clock:
    """The day it is for the chain of approval."""

    def __init__(self, day: datetime.date) -> None:
        self.day = day

    def __call__(self) -> datetime.date:
        """Return it."""
        return self.day


class Offices:
    """An application with a clock of its own, and the clients of one commune's offices."""

    def __init__(
        self, settings: Settings, registry: Registry, database: Database, day: datetime.date
    ) -> None:
        self.clock = Clock(day)
        self.service: FastAPI = create_app(settings, registry, database, clock=self.clock)
        self._database = database
        self._made: list[httpx.AsyncClient] = []

    async def joined(
        self, code: str, *scopes: str, on: datetime.date | None = None
    ) -> httpx.AsyncClient:
        """Return a client of the unit that has a code on a day."""
        async with self._database.reading() as connection:
            unit = await unit_lookup.get(connection, code, on or self.clock.day)
        async with self._database.transaction() as session:
            made, _ = await clients.add(session, f"test {code}", unit, list(scopes))
            client_id = made.client_id
        tokens = self.service.state.tokens
        http = calling(self.service, auth=Renewed(lambda: tokens.issue(client_id, list(scopes))))
        self._made.append(http)
        return http

    async def of(self, codes: dict[str, str]) -> dict[str, httpx.AsyncClient]:
        """Return the client of each office that there is on the day."""
        return {
            step: await self.joined(codes[TERRITORY.get(step, step)], *scopes)
            for step, scopes in SCOPES.items()
            if TERRITORY.get(step, step) in codes
        }

    async def close(self) -> None:
        """Close the clients' connections."""
        for http in self._made:
            await http.aclose()


def working(day: datetime.date, scope: Literal["function", "module"] = "function") -> Any:
    """Return the fixtures `offices` and `team` of a file of tests: an application on a day, and
    a client for each office of a commune.
    """

    @pytest.fixture(name="offices", scope=scope)
    async def offices(
        settings: Settings, registry: Registry, database: Database
    ) -> AsyncIterator[Offices]:
        """An application whose clock stands on that day."""
        found = Offices(settings, registry, database, day)
        yield found
        await found.close()

    @pytest.fixture(name="team", scope=scope)
    async def team(offices: Offices) -> Team:
        """The offices of a commune with a district."""
        return await offices.of(OLD)

    return offices, team


def decision(action: str, step: str, day: datetime.date, **more: Any) -> Item:
    """Return a decision of an office as it is sent."""
    body: Item = {
        "action": action,
        "document": {
            "number": "12", "symbol": "BC-UBND", "date": str(day), "signer": "Người Ký",
        },
        "acting_official": {"id": f"CB-{step}", "office": f"Cơ quan {step}", "position": "CT"},
    }  # fmt: skip
    if action in ("return", "refuse"):
        items = [{"slot": "phutho.1.1.1.list", "reason": "thiếu chữ ký"}]
        body |= {"reason": "Danh sách chưa đủ chữ ký", "items": items}
    return body | more


async def opened(client: httpx.AsyncClient, unit: str, period: str = "2024", **more: Any) -> Item:
    """Open a submission; return it."""
    body = {"unit": unit, "ruleset": RULESET, "period": period} | more
    answer = await client.post(SUBMISSIONS, json=body)
    assert answer.status_code == 201, answer.text[:500]
    found: Item = answer.json()
    return found


async def acted(
    client: httpx.AsyncClient, id_: int, action: str, step: str, day: datetime.date, **more: Any
) -> httpx.Response:
    """Act on a submission as it stands now; return the answer."""
    version = (await client.get(f"{SUBMISSIONS}/{id_}")).json().get("version", "?")
    body = decision(action, step, day, version=version) | more
    return await client.post(f"{SUBMISSIONS}/{id_}/transitions", json=body)


async def moved(
    client: httpx.AsyncClient, id_: int, action: str, step: str, day: datetime.date, **more: Any
) -> Item:
    """Act on a submission; return it after the transition."""
    answer = await acted(client, id_, action, step, day, **more)
    assert answer.status_code == 200, answer.text[:800]
    found: Item = answer.json()
    return found


async def slots(client: httpx.AsyncClient, id_: int) -> dict[str, Item]:
    """Return the slots of a submission by their ids."""
    answer = await client.get(f"{SUBMISSIONS}/{id_}/slots")
    assert answer.status_code == 200, answer.text[:500]
    return {one["slot"]: one for one in answer.json()["items"]}
