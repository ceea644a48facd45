"""What the tests of imports share: how a file is sent, and what its report must always say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from working import work_off

from app.database import Database
from app.rules.registry import Registry
from app.settings import Settings

Item = dict[str, Any]
IMPORTS = "/v1/imports"
CSV = {"content-type": "text/csv"}
ASYNC = {"prefer": "respond-async"}
SOURCE = "Báo cáo 12/BC-UBND"
HEADER = "unit,period,indicator,value,source"
IN_SHORT = {
    "id", "state", "dry_run", "mode", "on_conflict", "options", "file", "rows", "counts",
    "rejected", "job", "created_at", "ended_at", "freed_at", "by",
}  # fmt: skip
REPORT = IN_SHORT | {"conflicts", "warnings"}
PROBLEM = {"type", "title", "status", "detail", "code", "instance", "errors"}
COUNTS = {"created", "unchanged", "superseded", "skipped", "rejected"}


def row(unit: str, indicator: str, value: object, period: str = "2024", **more: str) -> str:
    """Return a row of the long form; `more` replaces its source."""
    return ",".join([unit, period, indicator, str(value), more.get("source", SOURCE)])


def table(*rows: str, header: str = HEADER) -> bytes:
    """Return a file of these rows."""
    return ("\n".join([header, *rows]) + "\n").encode()


async def send(
    client: httpx.AsyncClient, content: bytes, query: str = "", **headers: str
) -> httpx.Response:
    """Send a file."""
    return await client.post(f"{IMPORTS}{query}", content=content, headers=CSV | headers)


def sound(report: Item) -> Item:
    """Return a report, after checking what every report must fulfil."""
    assert set(report) - PROBLEM == REPORT
    counts = report["counts"]
    assert set(counts) == COUNTS
    assert 0 <= counts["superseded"] <= counts["created"]
    for cause in report["conflicts"] + report["warnings"]:
        assert set(cause) == {"code", "column", "sheet", "message", "rows", "count", "sample"}
        assert set(cause["message"]) == {"vi", "en"}
        assert all(cause["message"].values())
        all_told = len(cause["rows"]) == min(100, cause["count"]) or not cause["rows"]
        assert all_told or cause["code"] == "formula-value", "of formulas the first row is told"
    keys = [(one["code"], one["column"], one["sheet"], one["message"]["vi"])
            for one in report["conflicts"]]  # fmt: skip
    assert len(keys) == len(set(keys)), "a cause is told twice"
    assert (report["rejected"] is None) == (counts["rejected"] == 0)
    return report


async def imported(
    client: httpx.AsyncClient, content: bytes, query: str = "", status: int = 201, **headers: str
) -> Item:
    """Send a file that is answered at once; return the report."""
    answer = await send(client, content, query, **headers)
    assert answer.status_code == status, answer.text[:1500]
    report = sound(answer.json())
    assert answer.headers["location"] == f"{IMPORTS}/{report['id']}"
    return report


def counted(report: Item) -> dict[str, int]:
    """Return the counts that are not zero."""
    return {name: count for name, count in report["counts"].items() if count}


def causes(report: Item, kind: str = "conflicts") -> dict[tuple[str, str | None], list[int]]:
    """Return the rows of every cause by code and column."""
    found: dict[tuple[str, str | None], list[int]] = {}
    for one in report[kind]:
        found.setdefault((one["code"], one["column"]), []).extend(one["rows"])
    return {key: sorted(rows) for key, rows in found.items()}


async def worked_off(
    client: httpx.AsyncClient,
    answer: httpx.Response,
    settings: Settings,
    database: Database,
    registry: Registry,
) -> Item:
    """Let the job of an answer run; return the report of its import."""
    assert answer.status_code == 202, answer.text[:1000]
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    await work_off(settings, database, registry)
    ended = (await client.get(f"/v1/jobs/{job['id']}")).json()
    assert ended["state"] == "succeeded", ended
    found = await client.get(f"{IMPORTS}/{ended['result']['import']}")
    assert found.status_code == 200, found.text
    return sound(found.json())


def without(report: Mapping[str, Any]) -> Item:
    """Return a report without what differs between two imports of the same file."""
    own = {"id", "job", "created_at", "ended_at", "rejected"} | PROBLEM
    return {name: value for name, value in report.items() if name not in own}
