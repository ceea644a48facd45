"""What tests of evaluation runs share: a run from its request to its end, over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from on_record import Item, got
from working import work_off

from app.database import Database
from app.rules.registry import Registry
from app.settings import Settings

RUNS = "/v1/evaluation-runs"
PERIOD = "2024"

Run = Callable[..., Awaitable[Item]]


async def begun(client: httpx.AsyncClient, ruleset: str, under: str, **more: Any) -> Item:
    """Ask for a run, of 2024 unless another period is given; return its job."""
    body = {"ruleset": ruleset, "under": under, "period": PERIOD} | more
    answer = await client.post(RUNS, json=body)
    assert answer.status_code == 202, answer.text[:500]
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    found: Item = answer.json()
    return found


async def result(client: httpx.AsyncClient, job: Item) -> Item:
    """Return the run that a job has conducted."""
    ended = await got(client, f"/v1/jobs/{job['id']}")
    assert ended["state"] == "succeeded", ended["problem"]
    return await got(client, f"{RUNS}/{ended['result']['run']}")


@pytest.fixture(name="run")
def run_fixture(settings: Settings, database: Database, registry: Registry) -> Run:
    """Ask for a run, let a worker conduct it, return it as it is read."""

    async def run(client: httpx.AsyncClient, ruleset: str, under: str, **more: Any) -> Item:
        job = await begun(client, ruleset, under, **more)
        await work_off(settings, database, registry)
        return await result(client, job)

    return run
