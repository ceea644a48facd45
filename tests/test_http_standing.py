"""Standings and comparisons: where a commune stands, what would help, what differs and why."""

from __future__ import annotations

from typing import Any

import httpx
from conftest import ANYTHING, Described, Join, problem
from on_record import (
    PATH,
    Item,
    by_id,
    evaluated,
    flat,
    got,
    outcomes,
    places,
    ratio,
    record,
    record_facts,
    value,
)
from own_database import own
from test_http_preview import CADRES, ENOUGH, ONLINE, SMARTPHONE
from unchanged import fingerprint

from app.database import Database
from app.rules.registry import Registry

PHU_THO, SELECTION = "phutho.commune", "bnn3445.selection.smart"
SUBSCRIPTION = "working_age_smartphone_subscription_rate"
CLASSES = ("area_ethnic_minority_mountainous", "area_island")


settings, database, service = own("standing")


async def standing(client: httpx.AsyncClient, code: str, **params: Any) -> Item:
    """Return the standing of a commune, in 2024 unless another period is given."""
    return await got(client, f"/v1/communes/{code}/standing", **({"period": "2024"} | params))


async def classed(client: httpx.AsyncClient, code: str, *, holds: bool) -> None:
    """Record the area classes of a commune."""
    body = {"value": holds, "from": "2020-01-01", "to": None, "source": "thử"}
    for name in CLASSES:
        path = f"/v1/communes/{code}/attributes/{name}"
        answer = await client.put(path, json=body, headers=ANYTHING)
        assert answer.status_code == 200, answer.text


async def standing_and_verdicts(
    client: httpx.AsyncClient, code: str, **params: Any
) -> tuple[Item, dict[str, Item]]:
    """Return a standing and, for every ruleset in it, the verdict that is put on record now."""
    found = await standing(client, code, **params)
    ids = [one["ruleset"]["id"] for one in found["rulesets"]]
    body = {"period": "2024"} | params
    return found, {id_: await evaluated(client, id_, code, **body) for id_ in ids}


# --- standing ------------------------------------------------------------------------------------


async def test_a_standing_says_of_every_ruleset_what_an_evaluation_would_say(
    client: httpx.AsyncClient, database: Database, described: Described
) -> None:
    """The same outcome, reasons, counts, gaps and missing values; and nothing is stored."""
    facts: Item = ENOUGH | {
        SMARTPHONE: ratio(33, 40),
        ONLINE: {"percent": "70.0"},
        "security_feedback_channel": False,
        SUBSCRIPTION: ratio(60, 100),
        "households_internet_connected_rate": ratio(1, 2),
    }
    del facts[CADRES]
    await record_facts(client, "08494", facts)
    before = await fingerprint(database)
    answer = await client.get("/v1/communes/08494/standing?period=2024")
    described.judge(answer)
    assert await fingerprint(database) == before
    found, verdicts = await standing_and_verdicts(client, "08494")
    assert found == answer.json()
    assert (found["period"], found["as_of"]) == ("2024", "2024-12-31")
    assert found["unit"]["unit"] == "commune-08494"
    for one in found["rulesets"]:
        verdict = verdicts[one["ruleset"]["id"]]
        for name in ("applicability", "outcome", "basis", "all_items", "reasons", "counts"):
            assert one[name] == verdict[name], (one["ruleset"]["id"], name)
        assert one["ruleset"]["digest"] == verdict["ruleset"]["digest"]
        leaves = [leaf for leaf in flat(verdict["criteria"]) if not leaf["criteria"]]
        assert [gap["criterion"] for gap in one["gaps"]] == [
            leaf["id"] for leaf in leaves if leaf["outcome"] == "not_met"
        ]
        for gap in one["gaps"]:
            leaf = by_id(verdict)[gap["criterion"]]
            for name in ("text", "cite", "indicator", "observed", "required", "gap"):
                assert gap[name] == leaf[name]
        assert [missing["criterion"] for missing in one["missing"]] == [
            leaf["id"] for leaf in leaves if leaf["outcome"] == "undetermined"
        ]
    of = {one["ruleset"]["id"]: one for one in found["rulesets"]}
    told = {one["criterion"]: one["gap"] for one in of[PHU_THO]["gaps"]}
    assert set(told) == {"phutho.1.1.1", "phutho.1.4.1.b"}
    assert (told["phutho.1.1.1"]["more"], told["phutho.1.4.1.b"]) == (1, None)
    missing = {one["criterion"]: one for one in of[PHU_THO]["missing"]}
    assert set(missing) == {"phutho.1.1.2", "phutho.1.3.2"}
    assert missing["phutho.1.1.2"]["indicators"] == [CADRES]
    assert missing["phutho.1.3.2"]["reasons"] == ["rounded_value"]


async def test_every_ruleset_for_the_level_is_there_or_out_of_scope(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """Scope follows the lineage: old and new communes of Phú Thọ and Trà Vinh, and others."""
    every = {
        id_
        for id_, one in registry.entries.items()
        if "commune" in (one.ruleset.level, *one.ruleset.also_levels)
    }
    local = {PHU_THO, "phutho.annex01"}
    for code, period, out in (
        ("08497", "2024", {"travinh.commune"}),
        ("07900", "2026", {"travinh.commune"}),
        ("29263", "2026", local),
        ("04792", "2024", {"travinh.commune"} | local),
    ):
        found = await standing(client, code, period=period)
        assert set(found["out_of_scope"]) == out
        ids = [one["ruleset"]["id"] for one in found["rulesets"]]
        assert len(ids) == len(set(ids))
        assert set(ids) == every - out


async def test_a_step_leads_to_what_it_says(client: httpx.AsyncClient) -> None:
    """The biggest step's value, once recorded, meets what it promised, in every ruleset."""
    facts: Item = {**ENOUGH, SMARTPHONE: ratio(30, 40)}
    await record_facts(client, "08498", facts)
    await classed(client, "08498", holds=False)
    for _ in range(6):
        before, verdicts = await standing_and_verdicts(client, "08498")
        biggest = before["biggest_step"]
        if biggest is None:
            break
        assert biggest["newly_met"] == sum(len(one["newly_met"]) for one in biggest["rulesets"])
        assert biggest["newly_met"] > 0
        await take(client, "08498", biggest["indicator"], facts)
        after, then = await standing_and_verdicts(client, "08498")
        promised = {one["id"]: one for one in biggest["rulesets"]}
        for one in after["rulesets"]:
            id_ = one["ruleset"]["id"]
            old, new = outcomes(verdicts[id_]), outcomes(then[id_])
            met = {place for place in by_id(then[id_]) if new[place] == "met" != old[place]}
            told = promised.get(id_)
            assert met == set(told["newly_met"] if told else ())
            if told:
                for when, verdict in (("before", verdicts[id_]), ("after", then[id_])):
                    assert told[when] == {n: verdict[n] for n in ("outcome", "all_items")}
        assert after["biggest_step"] != biggest


async def take(client: httpx.AsyncClient, code: str, indicator: str, facts: Item) -> None:
    """Record the best value of an indicator."""
    kind = (await got(client, f"/v1/indicators/{indicator}"))["kind"]
    known = facts.get(indicator)
    whole = known["denominator"] if isinstance(known, dict) else 10
    best: Any = {"boolean": True, "count": 1_000, "ratio": ratio(whole, whole)}[kind]
    await record(client, value(code, indicator, best))


async def test_what_completes_a_whole_comes_before_what_meets_more_criteria(
    client: httpx.AsyncClient,
) -> None:
    """One value short of phutho.commune: that one is the first step and changes the outcome."""
    await record_facts(client, "08500", {**ENOUGH, SMARTPHONE: ratio(33, 40)})
    found = await standing(client, "08500")
    (ours,) = [one for one in found["rulesets"] if one["ruleset"]["id"] == PHU_THO]
    (step,) = ours["steps"]
    assert (ours["outcome"], step["indicator"], step["outcome"]) == ("not_met", SMARTPHONE, "met")
    assert step["newly_met"] == ["phutho.1.1", "phutho.1.1.1"]
    assert step["newly_failed"] == []
    assert found["biggest_step"]["indicator"] == SMARTPHONE
    await record(client, value("08500", SMARTPHONE, ratio(40, 40)))
    found = await standing(client, "08500")
    (ours,) = [one for one in found["rulesets"] if one["ruleset"]["id"] == PHU_THO]
    assert (ours["outcome"], ours["steps"], ours["gaps"], ours["missing"]) == ("met", [], [], [])


async def test_an_exempt_commune_has_nothing_to_gain_by_that_ruleset(
    client: httpx.AsyncClient,
) -> None:
    body = {"model": "smart", "authority": "central", "decision": "969/QĐ-BNN-VPĐP"}
    await client.post(
        "/v1/communes/08509/designations", json=body | {"date": "2023-03-16", "source": "thử"}
    )
    found = await standing(client, "08509")
    (ours,) = [one for one in found["rulesets"] if one["ruleset"]["id"] == SELECTION]
    assert ours["outcome"] == "not_applicable"
    assert (ours["steps"], ours["gaps"], ours["missing"]) == ([], [], [])


async def test_a_standing_is_refused_with_its_place(
    client: httpx.AsyncClient, join: Join, stranger: httpx.AsyncClient
) -> None:
    """Without a period, elsewhere, of no commune, or of two communes at once."""
    elsewhere, writer = await join("86"), await join("25", "values:write")
    for path, status, pointer, code in (
        ("08512/standing", 422, "/period", "missing-field"),
        ("08512/standing?period=2024-13", 422, "/period", "invalid-period"),
        ("08512/standing?period=2024&language=en", 422, "/language", "unknown-field"),
        ("99999/standing?period=2024", 404, "/code", "unit-not-found"),
        ("07900/standing?period=2025", 422, "/code", "ambiguous-unit"),
        ("07900/standing?period=2024&on=2025-08-01", 422, "/on", "unit-outside-period"),
        ("25/standing?period=2024", 422, "/code", ""),
    ):
        found = problem(await client.get(f"/v1/communes/{path}"))
        assert found["status"] == status, path
        assert (pointer, code) in [(where, code and what) for where, what in places(found)], path
    path = "/v1/communes/08512/standing?period=2024"
    assert problem(await elsewhere.http.get(path))["code"] == "outside-territory"
    assert problem(await elsewhere.http.get(path))["status"] == 404
    assert problem(await stranger.get(path))["status"] == 401
    assert problem(await writer.http.get(path))["status"] == 403
    for day, key in (("2025-01-01", "commune-07900"), ("2025-12-31", "commune-07900-2025")):
        found = await standing(client, "07900", period="2025", on=day)
        assert found["unit"]["unit"] == key


# --- compare -------------------------------------------------------------------------------------


async def compared(client: httpx.AsyncClient, a: Item, b: Item) -> Item:
    """Return the comparison of two verdicts, after checking what it says of them."""
    found = await got(client, f"{PATH}/{a['id']}/compare/{b['id']}")
    for side, verdict in (("a", a), ("b", b)):
        assert found[side] == {name: verdict[name] for name in found[side]}
        criteria = by_id(verdict)
        for one in found["differences"]:
            shown, known = one[side], criteria.get(one["criterion"])
            assert (shown is None) == (known is None)
            if shown and known:
                assert shown == {name: known[name] for name in shown}
    assert found["same_outcome"] is (
        (a["outcome"], a["all_items"]) == (b["outcome"], b["all_items"])
    )
    return found


def causes(found: Item) -> dict[str, list[str]]:
    """Return the causes by criterion."""
    return {
        one["criterion"]: [cause["cause"] for cause in one["causes"]]
        for one in found["differences"]
    }


async def test_a_value_that_changed_is_the_cause(
    client: httpx.AsyncClient, described: Described
) -> None:
    """Of the criterion that reads it; above it criteria within the group differ."""
    await record_facts(client, "08518", ENOUGH)
    a = await evaluated(client, PHU_THO, "08518")
    await record(client, value("08518", SMARTPHONE, ratio(1, 2)))
    b = await evaluated(client, PHU_THO, "08518")
    described.judge(await client.get(f"{PATH}/{a['id']}/compare/{b['id']}"))
    found = await compared(client, a, b)
    assert causes(found) == {"phutho.1.1": ["criteria"], "phutho.1.1.1": ["value"]}
    assert [one["flipped"] for one in found["differences"]] == [True, True]
    await record(client, value("08518", SMARTPHONE, ratio(3, 5)))
    c = await evaluated(client, PHU_THO, "08518")
    found = await compared(client, b, c)
    assert causes(found) == {"phutho.1.1.1": ["value"]}
    assert (found["differences"][0]["flipped"], found["same_outcome"]) == (False, True)


async def test_the_same_verdict_twice_does_not_differ(client: httpx.AsyncClient) -> None:
    """Nor with itself, nor where only the source of a value is another one."""
    await record(client, value("08521", SMARTPHONE, ratio(1, 2)))
    a = await evaluated(client, PHU_THO, "08521")
    await record(client, value("08521", SMARTPHONE, ratio(1, 2), source="khác"))
    b = await evaluated(client, PHU_THO, "08521")
    for other in (a, b):
        assert (await compared(client, a, other))["differences"] == []


async def test_an_area_class_and_an_exemption_are_causes(client: httpx.AsyncClient) -> None:
    """Another branch of the threshold applies; then the centre's choice makes it not applicable."""
    await record(client, value("08527", SUBSCRIPTION, ratio(60, 100)))
    await classed(client, "08527", holds=False)
    a = await evaluated(client, SELECTION, "08527")
    await classed(client, "08527", holds=True)
    b = await evaluated(client, SELECTION, "08527")
    found = await compared(client, a, b)
    (leaf,) = [one for one in found["differences"] if one["criterion"] == f"{SELECTION}.5"]
    assert [one["cause"] for one in leaf["causes"]] == ["branch"]
    assert (leaf["a"]["required"]["value"], leaf["b"]["required"]["value"]) == ("80", "50")
    assert (leaf["a"]["outcome"], leaf["b"]["outcome"]) == ("not_met", "met")
    body = {"model": "smart", "authority": "central", "decision": "969/QĐ-BNN-VPĐP"}
    await client.post(
        "/v1/communes/08527/designations", json=body | {"date": "2023-03-16", "source": "thử"}
    )
    c = await evaluated(client, SELECTION, "08527")
    found = await compared(client, b, c)
    assert (found["b"]["outcome"], found["same_outcome"]) == ("not_applicable", False)
    told = causes(found)
    assert {one["id"] for one in flat(c["criteria"])} == set(told)
    assert all("exemption" in one for one in told.values())


async def test_another_ruleset_is_the_cause_where_a_criterion_is_in_one_only(
    client: httpx.AsyncClient, join: Join
) -> None:
    """Two units by one ruleset are compared as well, by everyone who may see both."""
    a = await evaluated(client, PHU_THO, "08533")
    b = await evaluated(client, SELECTION, "08533")
    found = await compared(client, a, b)
    assert set(causes(found)) == set(by_id(a)) | set(by_id(b))
    assert {tuple(one) for one in causes(found).values()} == {("ruleset",)}
    c = await evaluated(client, SELECTION, "29263")
    assert (await compared(client, b, c))["differences"] == []
    local = await join("25")
    for path in (f"{b['id']}/compare/{c['id']}", f"{c['id']}/compare/{b['id']}"):
        assert problem(await local.http.get(f"{PATH}/{path}"))["code"] == "evaluation-not-found"
