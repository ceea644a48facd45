"""What the tests of values over HTTP share: entries, how they are recorded, how they are read."""

from __future__ import annotations

from typing import Any

import httpx
from conftest import problem

Item = dict[str, Any]
TRUTH = "commune_has_cooperative"
COUNT = "digital_skills_classes_count"
CHOSEN = "essential_services_provided"
RATE = "adults_smartphone_internet_rate"
SHARE = "communes_ntm_8_4_rate"  # of a province
LINES = "internet_lines_per_household_rate"  # more lines than households are no error
LARGEST = 2**53 - 1
VALUES = "/v1/values"
KEYS = {
    "id", "unit", "period", "indicator", "value", "source", "measured_on", "note", "status",
    "recorded_at", "by", "version",
}  # fmt: skip


def ratio(numerator: int, denominator: int) -> Item:
    """Return a share whose counts are known."""
    return {"numerator": numerator, "denominator": denominator}


def entry(unit: str, value: Any = 7, indicator: str = COUNT, **other: Any) -> Item:
    """Return a value as it is handed in; for 2024 where no period is given."""
    return {
        "unit": unit, "period": "2024", "indicator": indicator, "value": value,
        "source": "Báo cáo 12/BC-UBND",
    } | other  # fmt: skip


async def record(client: httpx.AsyncClient, *entries: Item) -> list[Item]:
    """Put values on record; return them as they are answered."""
    answer = await client.post(VALUES, json={"values": list(entries)})
    assert answer.status_code == 201, answer.text[:500]
    body = answer.json()
    assert set(body) == {"items"}
    assert len(body["items"]) == len(entries)
    items: list[Item] = body["items"]
    return items


async def faults(client: httpx.AsyncClient, *entries: Item) -> tuple[int, dict[str, str]]:
    """Hand in values that are refused; return the status, and by place the code of each fault."""
    found = problem(await client.post(VALUES, json={"values": list(entries)}))
    return found["status"], {one["pointer"]: one["code"] for one in found["errors"]}


async def one(client: httpx.AsyncClient, id_: int) -> Item:
    """Return a value as it is read by its number."""
    answer = await client.get(f"{VALUES}/{id_}")
    assert answer.status_code == 200, answer.text[:300]
    found: Item = answer.json()
    return found


async def listed(client: httpx.AsyncClient, **params: str) -> list[Item]:
    """Return the items of a list that fits on one page."""
    answer = await client.get(VALUES, params={"limit": "500"} | params)
    assert answer.status_code == 200, answer.text[:300]
    body = answer.json()
    assert body["next"] is None or "updated_since" in params
    items: list[Item] = body["items"]
    return items


async def history(client: httpx.AsyncClient, id_: int) -> list[Item]:
    """Return the history of a value."""
    answer = await client.get(f"{VALUES}/{id_}/history", params={"limit": "500"})
    assert answer.status_code == 200, answer.text[:300]
    assert answer.json()["next"] is None
    items: list[Item] = answer.json()["items"]
    return items


async def retract(client: httpx.AsyncClient, id_: int, reason: str = "nhập nhầm") -> httpx.Response:
    """Retract a value; return the answer."""
    return await client.post(f"{VALUES}/{id_}/retract", json={"reason": reason})


def ended(value: Item, status: str) -> Item:
    """Return a value as it is shown once it counts no more: its version tells so as well."""
    return value | {"status": status, "version": f"{value['id']}.1"}


def ids(items: list[Item]) -> list[int]:
    """Return the numbers of values."""
    return [item["id"] for item in items]
