"""What tests of values and evaluations on record share: recording, evaluating, a database apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from conftest import clone
from pydantic import SecretStr

from app.database import Database
from app.domain.clients import SCOPES, add
from app.domain.clock import today
from app.domain.unit_lookup import get
from app.embedded import Embedded
from app.settings import Settings

Item = dict[str, Any]
PATH = "/v1/evaluations"
SOURCE = "Báo cáo thử"
MOST = 1_000  # values per request


def apart(cluster: Embedded, name: str, folder: Path) -> Settings:
    """Return settings with a database that no other file of tests writes to."""
    found = clone(cluster, name, hasty=True)
    return Settings(
        database_url=SecretStr(found["NTM_DATABASE_URL"]),
        database_owner_url=SecretStr(found["NTM_DATABASE_OWNER_URL"]),
        data_dir=folder,
    )


async def client_of(database: Database, territory: str = "VN") -> str:
    """Make a client with every scope; return its id."""
    async with database.reading() as connection:
        unit = await get(connection, territory, today())
    async with database.transaction() as session:
        return (await add(session, f"test {territory}", unit, list(SCOPES)))[0].client_id


def value(unit: str, indicator: str, fact: Any, period: str = "2024", **other: Any) -> Item:
    """Return a value as it is sent."""
    named = {"unit": unit, "indicator": indicator, "period": period}
    return named | {"value": fact, "source": SOURCE} | other


def ratio(numerator: int, denominator: int) -> dict[str, int]:
    """Return a share with its counts."""
    return {"numerator": numerator, "denominator": denominator}


async def record(client: httpx.AsyncClient, *values: Item) -> list[Item]:
    """Put values on record, as many at once as fit; return them as they are shown."""
    found: list[Item] = []
    for start in range(0, len(values), MOST):
        body = {"values": values[start : start + MOST]}
        answer = await client.post("/v1/values", json=body)
        assert answer.status_code == 201, answer.text[:500]
        found += answer.json()["items"]
    return found


async def record_facts(
    client: httpx.AsyncClient, unit: str, facts: Mapping[str, Any], period: str = "2024"
) -> list[Item]:
    """Put several facts of one unit on record."""
    return await record(client, *(value(unit, code, fact, period) for code, fact in facts.items()))


async def ask(client: httpx.AsyncClient, ruleset: str, **body: Any) -> httpx.Response:
    """Ask for an evaluation, of 2024 unless another period is given."""
    return await client.post(PATH, json={"ruleset": ruleset, "period": "2024"} | body)


async def evaluated(client: httpx.AsyncClient, ruleset: str, unit: str, **body: Any) -> Item:
    """Return the verdict on a unit, put on record."""
    answer = await ask(client, ruleset, unit=unit, **body)
    assert answer.status_code == 201, answer.text[:500]
    found: Item = answer.json()
    return found


async def got(client: httpx.AsyncClient, path: str, **params: Any) -> Item:
    """Return what a path answers."""
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text[:500]
    found: Item = answer.json()
    return found


async def replayed(client: httpx.AsyncClient, number: int) -> Item:
    """Return what judging an evaluation again says."""
    answer = await client.post(f"{PATH}/{number}/replay")
    assert answer.status_code == 200, answer.text[:500]
    found: Item = answer.json()
    return found


async def codes(client: httpx.AsyncClient, under: str, on: str = "2025-06-30") -> list[str]:
    """Return the codes of the communes under a unit."""
    found = await got(client, "/v1/communes", under=under, on=on, limit=500)
    return sorted(one["code"] for one in found["items"])


def flat(criteria: Iterable[Item]) -> Iterator[Item]:
    """Yield every criterion of a verdict, groups included."""
    for one in criteria:
        yield one
        yield from flat(one["criteria"])


def by_id(verdict: Item) -> dict[str, Item]:
    """Return the criteria of a verdict by id."""
    return {one["id"]: one for one in flat(verdict["criteria"])}


def outcomes(verdict: Item) -> dict[str, str]:
    """Return the outcome of every criterion and of the whole."""
    found = {id_: one["outcome"] for id_, one in by_id(verdict).items()}
    return found | {"overall": verdict["outcome"], "all_items": verdict["all_items"]}


def places(problem: Item) -> list[tuple[str, str]]:
    """Return pointer and code of everything a refusal complains about."""
    return [(one["pointer"], one["code"]) for one in problem["errors"]]


def numbers(items: Sequence[Item]) -> list[int]:
    """Return the numbers of what is listed."""
    return [one["id"] for one in items]
