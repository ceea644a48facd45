"""Deliberately nasty files, sent over HTTP: each has the report that is expected of it."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from conftest import problem
from import_calls import CSV, IMPORTS, Item, causes, sound
from nasty import FILES
from nasty.shapes import Nasty
from own_database import own

settings, database, service = own("nasty", import_at_once_bytes=2**26)


@pytest.mark.parametrize("file", FILES, ids=lambda one: one.name)
async def test_a_nasty_file_has_the_report_that_is_expected(
    client: httpx.AsyncClient, file: Nasty
) -> None:
    """Every value is counted, every cause told with its rows, and nothing else is."""
    query = {"dry_run": "true", "mode": "partial", **file.options}
    headers = {"content-type": file.media}
    content = file.content()
    answer = await client.post(IMPORTS, params=query, content=content, headers=headers)
    if not content:
        assert problem(answer)["code"] == "missing-field"
        return
    report = sound(answer.json())
    found = causes(report)
    if file.faults:
        assert (answer.status_code, report["state"]) == (422, "refused")
        assert sorted(code for code, _ in found) == sorted(file.faults)
        return
    assert (answer.status_code, report["state"]) == (201, "checked"), answer.text[:1_000]
    assert (report["rows"], report["counts"]) == (file.rows, file.counts), report["conflicts"]
    assert found == _listed(file.conflicts)
    told: dict[str, set[int]] = {}
    for (code, _), rows in causes(report, "warnings").items():
        told.setdefault(code, set()).update(rows)
    # The reading process cannot know which codes got their zeros back.
    known = {code: set(rows) or told.get(code, set()) for code, rows in file.warnings.items()}
    assert told == known
    if report["rejected"]:
        await _sent_again(client, report)


async def _sent_again(client: httpx.AsyncClient, report: Item) -> None:
    """Fail unless the refused rows are a file that can be read without being told how."""
    rows = {(one["sheet"], row) for one in report["conflicts"] for row in one["rows"]}
    refused = await client.get(report["rejected"])
    again = await client.post(f"{IMPORTS}?dry_run=true", content=refused.content, headers=CSV)
    assert again.status_code == 201, (again.text[:1_000], refused.text[:1_000])
    read = sound(again.json())["rows"]
    assert read <= len(rows), refused.text
    assert read or not again.json()["counts"]["created"]


def _listed(
    expected: Mapping[tuple[str, str | None], tuple[int, ...]],
) -> dict[tuple[str, str | None], list[int]]:
    return {key: sorted(rows) for key, rows in expected.items()}
