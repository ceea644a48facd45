"""Verdicts say which evidence is there: as it was when they were judged, beside the outcome."""

from __future__ import annotations

import csv
import io

from conftest import PREVIEW, Described, problem
from on_record import PATH, evaluated, got, record, value
from own_database import own
from run_calls import result
from sqlalchemy import text
from submission_calls import OLD, OLD_DAY, RULESET, Item, Team, moved, opened, working
from working import work_off

from app.database import Database
from app.rules.registry import Registry
from app.settings import Settings

settings, database, service = own("attached")
offices, team = working(OLD_DAY)
UNIT, ONE = OLD["commune"], "digital_teaching_services"
_PERIODS = iter(str(year) for year in range(1990, 2024))


async def _judged(team: Team, period: str, ruleset: str = RULESET) -> Item:
    return await evaluated(team["commune"], ruleset, UNIT, period=period)


async def test_only_what_is_submitted_counts(team: Team, described: Described) -> None:
    """Neither a draft, nor what was returned, refused or withdrawn; nor another period's."""
    period, commune = next(_PERIODS), team["commune"]
    made = await opened(commune, UNIT, period)
    assert (await _judged(team, period))["evidence_submission"] is None
    await moved(commune, made["id"], "submit", "commune", OLD_DAY)
    found = await _judged(team, period)
    assert found["evidence_submission"] == {
        "id": made["id"], "version": 1, "state": "submitted", "other_values": []
    }  # fmt: skip
    assert found["evidence_complete"] is False
    assert (await _judged(team, next(_PERIODS)))["evidence_submission"] is None
    described.judge(await commune.get(f"{PATH}/{found['id']}"))
    await moved(team["district"], made["id"], "return", "district", OLD_DAY)
    assert (await _judged(team, period))["evidence_submission"] is None
    assert await got(commune, f"{PATH}/{found['id']}") == found  # as it was when it was judged


async def test_where_nobody_looks_it_is_null(team: Team, database: Database) -> None:
    """A preview, a document that names no evidence, a verdict from before: null, not false."""
    commune, period = team["commune"], next(_PERIODS)
    body = {"ruleset": RULESET, "as_of": "2024-12-31", "unit": {"level": "commune"}, "facts": {}}
    shown = (await commune.post(PREVIEW, json=body)).json()
    assert (shown["evidence_complete"], shown["evidence_submission"]) == (None, None)
    first = shown["criteria"][0]["criteria"][0]["evidence"][0]
    assert (first["required"], first["present"], first["missing"]) == (True, None, [])
    assert (await _judged(team, period, "bnn3445.annex1"))["evidence_complete"] is None
    found = await _judged(team, period)
    assert found["evidence_complete"] is False
    async with database.as_owner() as connection:
        await connection.execute(
            text("UPDATE evaluation SET evidence = NULL WHERE id = :id"), {"id": found["id"]}
        )
    assert (await got(commune, f"{PATH}/{found['id']}"))["evidence_complete"] is None


async def test_runs_lists_and_exports_say_it_too(
    settings: Settings, database: Database, registry: Registry, team: Team
) -> None:
    """One commune of a run has a submission, its neighbours have none."""
    period = next(_PERIODS)
    made = await opened(team["commune"], UNIT, period)
    await moved(team["commune"], made["id"], "submit", "commune", OLD_DAY)
    await record(team["commune"], value(UNIT, ONE, True, period))
    body = {"ruleset": RULESET, "under": "237", "period": period, "min_status": "approved"}
    begun = await team["district"].post("/v1/evaluation-runs", json=body)
    assert begun.status_code == 202, begun.text
    await work_off(settings, database, registry)
    run = await result(team["district"], begun.json())
    assert run["min_status"] == "approved"
    items = (await got(team["district"], PATH, run=str(run["id"])))["items"]
    with_one = {one["unit"]["code"]: one["evidence_submission"] for one in items}
    assert with_one.pop(UNIT)["id"] == made["id"]
    assert set(with_one.values()) == {None}
    assert {one["min_status"] for one in items} == {"approved"}
    params = {"run": str(run["id"]), "unit": UNIT, "period": period}
    answer = await team["district"].get("/v1/evaluations.csv", params=params)
    rows = csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff")))
    (cells,) = [one for one in rows if one["code"] == UNIT]  # below the headings in Vietnamese
    assert (cells["evidence_complete"], cells["evidence_submission"]) == (
        "false", str(made["id"])
    )  # fmt: skip


async def test_evidence_that_was_altered_breaks_no_answer(team: Team, database: Database) -> None:
    """Whatever somebody writes there: the verdict, or 409 that says that it was damaged."""
    found = await _judged(team, next(_PERIODS))
    for data in (b"", b"{", b"null", b"[]", b'{"slots":[]}', b"\xff"):
        async with database.as_owner() as connection:
            await connection.execute(
                text("UPDATE evaluation SET evidence = :data WHERE id = :id"),
                {"id": found["id"], "data": data},
            )
        answer = await team["commune"].get(f"{PATH}/{found['id']}")
        assert problem(answer)["code"] == "evaluation-damaged"
        listed = await team["commune"].get(PATH)
        assert found["id"] in [one["id"] for one in listed.json()["damaged"]]


async def test_replaying_looks_at_values_alone(team: Team) -> None:
    """Evidence that comes later changes neither outcome nor digests."""
    period = next(_PERIODS)
    await record(team["commune"], value(UNIT, ONE, True, period))
    before = await _judged(team, period)
    made = await opened(team["commune"], UNIT, period)
    await moved(team["commune"], made["id"], "submit", "commune", OLD_DAY)
    after = await _judged(team, period)
    for name in ("outcome", "inputs_digest", "counts"):
        assert before[name] == after[name]
    answer = await team["commune"].post(f"{PATH}/{before['id']}/replay")
    assert answer.json() == {"same": True}
