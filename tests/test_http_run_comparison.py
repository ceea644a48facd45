"""Comparing evaluation runs over HTTP: who flipped, and why; what cannot be compared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from conftest import ANYTHING, Described, Join, Member, problem
from on_record import Item, codes, evaluated, got, places, ratio, record, record_facts, value
from own_database import own
from run_calls import RUNS, Run, begun, result, run_fixture
from test_http_preview import DECISIONS, ENOUGH, SMARTPHONE, SUBSCRIPTION
from working import work_off

from app.database import Database, driver_of
from app.domain.impact.changes import Change, changed
from app.rules.registry import Registry
from app.settings import Settings

PHU_THO, SELECTION, TRA_VINH = "phutho.commune", "bnn3445.selection.smart", "travinh.commune"
DISTRICT, ONE, OTHER = "234", "08290", "08293"
LEAF, GROUP = "phutho.1.1.1", "phutho.1.1"
# Every condition of the selection, but for the share of subscriptions.
CHOSEN: dict[str, Any] = {
    "ntm_advanced_recognized_2021_2025": True,
    "households_internet_connected_rate": ratio(1, 2),
    "digital_provider_mobilizable": True,
    "smart_facilities_adequate": True,
    "smart_workforce_adequate": True,
    "officials_smartphone_use_rate": ratio(9, 9),
    "officials_official_email_use_rate": ratio(9, 9),
    "officials_e_office_use_rate": ratio(9, 9),
    "local_gov_resources_ready": True,
    "smart_model_commitment": True,
}

settings, database, service = own("compared")
run = run_fixture


@pytest.fixture
async def member(join: Join) -> Member:
    """A client of Phú Thọ, with a commune that just passes."""
    made = await join("25")
    await record_facts(made.http, ONE, ENOUGH)
    return made


async def compared(client: httpx.AsyncClient, a: Item, b: Item, **params: Any) -> Item:
    """Return what a comparison of two runs answers."""
    path = f"{RUNS}/{a['id']}/compare"
    return await got(client, path, **{"with": b["id"]}, **params)


def why(unit: Item, criterion: str) -> list[Item]:
    """Return the causes for which a criterion of a unit flipped."""
    (found,) = [one for one in unit["criteria"] if one["id"] == criterion]
    causes: list[Item] = found["why"]
    assert all(one["text"].strip() for one in causes)
    return causes


async def test_a_value_that_changed_is_shown_on_both_sides(
    member: Member, run: Run, described: Described
) -> None:
    """Who flipped, from what to what, by which value: figures, period, source and number."""
    client = member.http
    before = await run(client, PHU_THO, DISTRICT)
    (short,) = await record(client, value(ONE, SMARTPHONE, ratio(3399, 4000), source="Báo cáo 2"))
    after = await run(client, PHU_THO, DISTRICT)
    answer = await client.get(f"{RUNS}/{before['id']}/compare", params={"with": after["id"]})
    described.judge(answer)
    found = answer.json()
    assert (found["before"]["id"], found["after"]["id"]) == (before["id"], after["id"])
    every = len(await codes(client, DISTRICT))
    assert found["counts"] == {
        "same": every - 1, "flipped": 1, "to_met": 0, "from_met": 1, "only_before": 0,
        "only_after": 0, "changes": [{"before": "met", "after": "not_met", "units": 1}],
    }  # fmt: skip
    (unit,) = found["items"]
    assert unit["unit"]["code"] == ONE
    assert (unit["before"]["outcome"], unit["after"]["outcome"]) == ("met", "not_met")
    assert {one["id"]: (one["before"], one["after"]) for one in unit["criteria"]} == {
        LEAF: ("met", "not_met"), GROUP: ("met", "not_met"),
    }  # fmt: skip
    (cause,) = why(unit, LEAF)
    assert cause["cause"] == "value"
    told = ("numerator", "percent", "period", "source", "value_id")
    assert [cause["to"][name] for name in told] == [3399, "84.98", "2024", "Báo cáo 2", short["id"]]
    assert (cause["from"]["numerator"], cause["from"]["source"]) == (3400, "Báo cáo thử")
    (above,) = why(unit, GROUP)
    assert (above["cause"], above["from"][LEAF], above["to"][LEAF]) == (
        "criteria",
        "met",
        "not_met",
    )
    back = await compared(client, after, before)
    assert (back["counts"]["to_met"], back["counts"]["from_met"]) == (1, 0)
    same = await compared(client, after, after)
    assert (same["counts"]["same"], same["items"], same["next"]) == (every, [], None)
    await record(client, value(ONE, SMARTPHONE, ratio(3400, 4000)))


async def test_a_rule_that_changed_is_shown_on_both_sides(
    member: Member, run: Run, settings: Settings, database: Database, registry: Registry
) -> None:
    """The threshold before and after, from the rulesets as they were, each under its digest."""
    client = member.http
    before = await run(client, PHU_THO, DISTRICT)
    entry = registry.entries[PHU_THO]
    other = msgspec.structs.replace(entry, compiled=changed(entry, [Change(LEAF, Decimal("85.5"))]))
    stricter = Registry({**registry.entries, PHU_THO: other}, registry.indicators)
    job = await begun(client, PHU_THO, DISTRICT)
    await work_off(settings, database, stricter)
    after = await result(client, job)
    assert after["ruleset"]["digest"] == other.compiled.digest != before["ruleset"]["digest"]
    (unit,) = (await compared(client, before, after))["items"]
    (cause,) = why(unit, LEAF)
    assert (cause["cause"], cause["from"]["value"], cause["to"]["value"]) == (
        "threshold", "85", "85.5",
    )  # fmt: skip


async def test_an_area_class_that_changed_is_shown_with_the_branch_it_chose(
    member: Member, run: Run
) -> None:
    """The register knows the commune as an island now: another threshold applies."""
    client = member.http
    await record_facts(client, OTHER, CHOSEN | {SUBSCRIPTION: ratio(60, 100)})
    await classed(client, island=False)
    before = await run(client, SELECTION, DISTRICT)
    await classed(client, island=True)
    after = await run(client, SELECTION, DISTRICT)
    found = await compared(client, before, after)
    (unit,) = [one for one in found["items"] if one["unit"]["code"] == OTHER]
    assert (unit["before"]["outcome"], unit["after"]["outcome"]) == ("not_met", "met")
    (cause,) = why(unit, f"{SELECTION}.5")
    assert cause["cause"] == "branch"
    assert cause["from"]["branch"] != cause["to"]["branch"]
    islands = [cause[side]["attributes"]["area_island"] for side in ("from", "to")]
    assert islands == [False, True]


async def classed(client: httpx.AsyncClient, *, island: bool) -> None:
    """Record both area classes of a commune."""
    for name, holds in (("area_island", island), ("area_ethnic_minority_mountainous", False)):
        body = {"value": holds, "from": "2020-01-01", "to": None, "source": "Danh mục thử"}
        path = f"/v1/communes/{OTHER}/attributes/{name}"
        answer = await client.put(path, json=body, headers=ANYTHING)
        assert answer.status_code == 200, answer.text


async def test_a_designation_that_exempts_is_shown(member: Member, run: Run) -> None:
    """A commune that the centre chose meanwhile is outside the conditions."""
    client = member.http
    await record_facts(client, "08296", {"smart_facilities_adequate": False})
    before = await run(client, SELECTION, "08296")
    body = {
        "model": "smart", "authority": "central", "decision": DECISIONS[0], "date": "2023-03-16",
        "source": "Quyết định",
    }  # fmt: skip
    path = "/v1/communes/08296/designations"
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    after = await run(client, SELECTION, "08296")
    (unit,) = (await compared(client, before, after))["items"]
    assert (unit["before"]["outcome"], unit["after"]["outcome"]) == ("not_met", "not_applicable")
    (cause,) = why(unit, f"{SELECTION}.3a")
    assert (cause["cause"], cause["from"]) == ("exemption", [])
    assert cause["to"][0]["decision"] == DECISIONS[0]


async def test_where_no_rule_is_stated_all_items_together_flip(join: Join, run: Run) -> None:
    """Every verdict has `no_overall_rule`: what differs is how all items come out together."""
    client = (await join("86")).http
    under = {"period": "2023"}
    before = await run(client, TRA_VINH, "29263", **under)
    await record(client, value("29263", "commune_website_exists", False, "2023"))
    after = await run(client, TRA_VINH, "29263", **under)
    found = await compared(client, before, after)
    assert found["counts"]["changes"] == [
        {"before": "undetermined", "after": "not_met", "units": 1}
    ]
    (unit,) = found["items"]
    stored = await evaluated(client, TRA_VINH, "29263", **under)
    assert unit["after"]["outcome"] == stored["all_items"] == "not_met"


async def test_units_are_matched_as_entities_and_the_others_counted(
    client: httpx.AsyncClient, run: Run
) -> None:
    """A commune that was merged is in one run only, though another one has its code now."""
    before = await run(client, SELECTION, "12", period="2025", on="2025-03-01")
    after = await run(client, SELECTION, "12", period="2025")
    counts = (await compared(client, before, after))["counts"]
    assert counts["only_before"] > counts["only_after"] > 0
    assert counts["same"] + counts["only_before"] == before["units"]
    assert counts["same"] + counts["only_after"] == after["units"]


async def test_flipped_units_come_in_pages(member: Member, run: Run) -> None:
    """Every unit that flipped is on one page, in the order of the run."""
    client = member.http
    before = await run(client, PHU_THO, DISTRICT)
    some = (await codes(client, DISTRICT))[-5:]
    await record(client, *(value(code, SMARTPHONE, ratio(1, 4000)) for code in some))
    after = await run(client, PHU_THO, DISTRICT)
    found: list[str] = []
    cursor: Item = {}
    while True:
        page = await compared(client, before, after, limit=2, **cursor)
        assert page["counts"]["flipped"] == 5
        found += [one["unit"]["code"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(found) == some
    whole = await compared(client, before, after)
    assert [one["unit"]["code"] for one in whole["items"]] == found


async def test_runs_that_have_nothing_in_common_are_not_compared(
    member: Member, run: Run, join: Join
) -> None:
    """Another ruleset: 422; a run elsewhere or none: 404; no other run named: 422."""
    client = member.http
    one = await run(client, PHU_THO, ONE)
    other = await run(client, SELECTION, ONE)
    far = await run((await join("86")).http, SELECTION, "86", period="2026")
    path = f"{RUNS}/{one['id']}/compare"
    for params, status, pointer, code in (
        ({"with": other["id"]}, 422, "/with", "runs-not-comparable"),
        ({"with": far["id"]}, 404, "/with", "evaluation-run-not-found"),
        ({"with": 999_999}, 404, "/with", "evaluation-run-not-found"),
        ({}, 422, "/with", "missing-field"),
        ({"with": "x"}, 422, "/with", "wrong-type"),
        ({"with": other["id"], "cursor": "x"}, 422, "/with", "runs-not-comparable"),
        ({"with": one["id"], "cursor": "x"}, 422, "/cursor", "invalid-cursor"),
    ):
        found = problem(await client.get(path, params=params))
        assert (found["status"], places(found)) == (status, [(pointer, code)])


async def test_an_altered_verdict_is_not_compared(
    member: Member, run: Run, database: Database
) -> None:
    """Bytes that are not what was stored are a conflict, not a cause."""
    client = member.http
    before = await run(client, PHU_THO, ONE)
    await record(client, value(ONE, SMARTPHONE, ratio(2, 4000)))
    after = await run(client, PHU_THO, ONE)
    async with database.as_owner() as connection:
        driver = await driver_of(connection)
        await driver.execute("ALTER TABLE evaluation NO FORCE ROW LEVEL SECURITY")
        await driver.execute("UPDATE evaluation SET verdict = '{}' WHERE run_id = $1", after["id"])
        await driver.execute("ALTER TABLE evaluation FORCE ROW LEVEL SECURITY")
    answer = await client.get(f"{RUNS}/{before['id']}/compare", params={"with": after["id"]})
    assert problem(answer)["code"] == "evaluation-damaged"
