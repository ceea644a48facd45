"""Evaluations over HTTP: judged from what is on record, stored as said, listed, refused whole."""

from __future__ import annotations

import datetime
import re

import httpx
import pytest
from conftest import ANYTHING, PREVIEW, Described, Join
from on_record import (
    PATH,
    Item,
    ask,
    by_id,
    codes,
    evaluated,
    flat,
    got,
    outcomes,
    ratio,
    record,
    record_facts,
    replayed,
    value,
)
from own_database import own
from test_http_preview import CADRES, ENOUGH, ONLINE, SMARTPHONE

from app.domain.clock import today

PHU_THO, SELECTION = "phutho.commune", "bnn3445.selection.smart"
SUBSCRIPTION, MINORITY = (
    "working_age_smartphone_subscription_rate",
    "area_ethnic_minority_mountainous",
)
SMART = f"{PHU_THO.removesuffix('.commune')}.1.1.1"
TEAM = "commune_digital_team_decision"


settings, database, service = own("evaluations")


# --- one unit ------------------------------------------------------------------------------------


async def test_a_verdict_is_answered_as_it_is_read_afterwards(
    join: Join, described: Described
) -> None:
    """POST answers every key of the contract, and GET answers the same."""
    member = await join("25")
    await record_facts(member.http, "08533", dict(list(ENOUGH.items())[:12]))
    answer = await ask(member.http, PHU_THO, unit="08533")
    described.judge(answer)
    assert answer.status_code == 201
    found = answer.json()
    assert {
        "id", "created_at", "by", "ruleset", "unit", "period", "as_of", "applicability", "outcome",
        "basis", "all_items", "reasons", "counts", "criteria", "unused_facts", "inputs_digest",
        "semantics",
    } <= set(found)  # fmt: skip
    for one in flat(found["criteria"]):
        assert {
            "id", "text", "cite", "outcome", "reasons", "reading", "indicator", "observed",
            "required", "gap", "evidence", "combine", "criteria",
        } <= set(one)  # fmt: skip
        if one["observed"]:
            assert {"period", "source", "status"} <= set(one["observed"])
    assert (found["by"], found["period"]) == (member.client_id, "2024")
    assert datetime.datetime.fromisoformat(found["created_at"]).tzinfo
    assert found["unit"]["unit"] == "commune-08533"
    assert {"code", "level", "type", "name"} <= set(found["unit"])
    assert found["unit"]["path"][0]["code"] == "25"
    assert re.fullmatch("[0-9a-f]{64}", found["inputs_digest"])
    assert answer.headers["location"] == f"{PATH}/{found['id']}"
    read = await member.http.get(answer.headers["location"])
    described.judge(read)
    assert read.json() == found
    assert sum(found["counts"].values()) == sum(
        not one["criteria"] for one in flat(found["criteria"])
    )


async def test_a_verdict_is_read_in_english_and_without_texts(client: httpx.AsyncClient) -> None:
    """`texts=false` leaves the clauses out and nothing else; the language changes no outcome."""
    answer = await client.post(
        f"{PATH}?texts=false", json={"ruleset": PHU_THO, "unit": "08536", "period": "2024"}
    )
    bare = answer.json()
    full = await got(client, f"{PATH}/{bare['id']}")
    assert await got(client, f"{PATH}/{bare['id']}", texts="false") == bare
    english = (await client.get(f"{PATH}/{bare['id']}", headers={"accept-language": "en"})).json()
    for one in flat(bare["criteria"]):
        assert not {"text", "cite", "reading", "evidence"} & set(one)
    for one in flat(full["criteria"]):
        assert {"text", "cite", "reading", "evidence"} <= set(one)
    assert outcomes(bare) == outcomes(full) == outcomes(english)
    assert english["applicability"] == full["applicability"] | {
        "reason": english["applicability"]["reason"]
    }


async def test_what_was_observed_carries_where_it_comes_from(client: httpx.AsyncClient) -> None:
    (stored,) = await record(client, value("08539", SMARTPHONE, ratio(3399, 4000), "2024-Q3"))
    found = by_id(await evaluated(client, PHU_THO, "08539"))[SMART]
    assert found["observed"].items() >= {
        "period": "2024-Q3", "source": stored["source"], "status": "reported",
        "value_id": stored["id"], "numerator": 3399, "denominator": 4000, "percent": "84.98",
        "counts_known": True,
    }.items()  # fmt: skip
    assert (found["outcome"], found["gap"]["more"]) == ("not_met", 1)


async def test_the_preview_of_the_same_facts_says_the_same(client: httpx.AsyncClient) -> None:
    facts = ENOUGH | {SMARTPHONE: ratio(1, 2), ONLINE: {"percent": "70.0"}}
    del facts[CADRES]
    await record_facts(client, "08542", facts)
    found = await evaluated(client, PHU_THO, "08542")
    body = {
        "ruleset": PHU_THO, "facts": facts, "as_of": found["as_of"],
        "unit": {"level": "commune", "code": "08542", "type": found["unit"]["type"]},
    }  # fmt: skip
    preview = (await client.post(PREVIEW, json=body)).json()
    assert outcomes(found) == outcomes(preview)
    ours, theirs = by_id(found), by_id(preview)
    for name in ("reasons", "gap", "required"):
        assert {id_: one[name] for id_, one in ours.items()} == {
            id_: one[name] for id_, one in theirs.items()
        }
    assert found["applicability"] == preview["applicability"]
    assert found["counts"] == preview["counts"]


# Values by period, the period asked for, and which one is chosen.
CHOICES = [
    (["2024", "2024-Q4", "2024-12"], "2024", "2024"),
    (["2024-H1", "2024-Q3", "2024-10"], "2024", "2024-10"),
    (["2024-11", "2024-Q4", "2024-H1"], "2024", "2024-Q4"),
    (["2024-Q4", "2024-H2", "2024-12"], "2024", "2024-H2"),
    (["2024", "2024-Q1"], "2024-H1", "2024-Q1"),
    (["2024-Q2", "2024-06", "2024-H1"], "2024-Q2", "2024-Q2"),
    (["2025-01", "2024-Q1"], "2024", "2024-Q1"),
]


@pytest.mark.parametrize(("known", "asked", "chosen"), CHOICES, ids=str)
async def test_the_value_for_the_period_counts_else_the_one_that_ends_last(
    client: httpx.AsyncClient, known: list[str], asked: str, chosen: str
) -> None:
    """Exactly the period first; within it the one that ends last, the longer on a tie."""
    unit = (await codes(client, "231"))[CHOICES.index((known, asked, chosen))]
    day = {"on": "2025-01-01"}
    stored = await record(
        client,
        *(value(unit, SMARTPHONE, ratio(90 + n, 100), p, **day) for n, p in enumerate(known)),
    )
    found = by_id(await evaluated(client, PHU_THO, unit, period=asked))[SMART]
    wanted = next(one for one in stored if one["period"] == chosen)
    assert (found["observed"]["period"], found["observed"]["value_id"]) == (chosen, wanted["id"])
    assert (found["outcome"], found["reasons"]) == ("met", [])


async def test_an_older_value_is_shown_and_does_not_count_unless_it_stands(
    client: httpx.AsyncClient,
) -> None:
    """Recognitions and decisions count until followed; a value of another year covers nothing."""
    await record(
        client,
        value("08545", SMARTPHONE, ratio(4000, 4000), "2022"),
        value("08545", SMARTPHONE, ratio(3900, 4000), "2023"),
        value("08545", CADRES, ratio(40, 40), "2024"),  # wider than the period asked for
        value("08545", TEAM, False, "2019"),
        value("08545", TEAM, True, "2020-05"),
    )
    found = by_id(await evaluated(client, PHU_THO, "08545", period="2024-H1"))
    older, wider, standing = (found[f"phutho.{id_}"] for id_ in ("1.1.1", "1.1.2", "1.2.3.a"))
    assert (older["outcome"], older["reasons"]) == ("undetermined", ["value_outdated"])
    assert (older["observed"]["period"], older["gap"]) == ("2023", None)
    assert (wider["outcome"], wider["reasons"]) == ("undetermined", ["missing_value"])
    assert wider["observed"] is None
    assert (standing["outcome"], standing["observed"]["period"]) == ("met", "2020-05")
    await record(client, value("08545", TEAM, False, "2024-03"))
    found = by_id(await evaluated(client, PHU_THO, "08545", period="2024-H1"))
    assert found["phutho.1.2.3.a"]["outcome"] == "not_met"


async def test_a_retracted_value_does_not_count_and_a_later_one_does(
    client: httpx.AsyncClient,
) -> None:
    """The verdict given before the retraction stays what it was, and says what has become of it."""
    (first,) = await record(client, value("08548", SMARTPHONE, ratio(9, 10)))
    before = await evaluated(client, PHU_THO, "08548")
    answer = await client.post(f"/v1/values/{first['id']}/retract", json={"reason": "nhầm"})
    assert answer.status_code == 200
    found = by_id(await evaluated(client, PHU_THO, "08548"))[SMART]
    assert (found["outcome"], found["reasons"]) == ("undetermined", ["missing_value"])
    assert found["observed"] is None
    (second,) = await record(client, value("08548", SMARTPHONE, ratio(1, 10)))
    found = by_id(await evaluated(client, PHU_THO, "08548"))[SMART]
    assert (found["outcome"], found["observed"]["value_id"]) == ("not_met", second["id"])
    after = await got(client, f"{PATH}/{before['id']}")
    (gone,) = after.pop("followed_values")
    assert (gone["value_id"], gone["status"], gone["followed_by"]) == (
        first["id"], "retracted", second["id"]
    )  # fmt: skip
    assert after | {"followed_values": []} == before
    assert by_id(before)[SMART]["outcome"] == "met"
    assert await replayed(client, before["id"]) == {"same": True}


async def test_area_classes_on_record_choose_the_threshold(client: httpx.AsyncClient) -> None:
    """As of the last day of the period; 60 % is enough in a mountainous commune only."""
    await record(
        client, *(value("08551", SUBSCRIPTION, ratio(60, 100), p) for p in ("2022", "2023", "2024"))
    )
    for since, until, holds in (("2023-06-01", "2024-06-01", True), ("2024-06-01", None, False)):
        body = {"value": holds, "from": since, "to": until, "source": "thử"}
        path = f"/v1/communes/08551/attributes/{MINORITY}"
        answer = await client.put(path, json=body, headers=ANYTHING)
        assert answer.status_code == 200, answer.text
        island = await client.put(
            "/v1/communes/08551/attributes/area_island",
            json=body | {"value": False},
            headers=ANYTHING,
        )
        assert island.status_code == 200
    for period, outcome, reasons, classes in (
        ("2022", "undetermined", ["attribute_missing"], {}),
        ("2023", "met", [], {MINORITY: True, "area_island": False}),
        ("2024", "not_met", [], {MINORITY: False, "area_island": False}),
    ):
        verdict = await evaluated(client, SELECTION, "08551", period=period)
        found = by_id(verdict)[f"{SELECTION}.5"]
        assert (found["outcome"], found["reasons"]) == (outcome, reasons), period
        assert verdict["unit"]["attributes"] == classes


async def test_the_day_by_which_a_unit_is_named_is_not_the_day_it_is_judged_on(
    client: httpx.AsyncClient,
) -> None:
    """`on` tells which of two units is meant; its register facts are those of its last day."""
    body = {"value": True, "from": "2025-05-01", "to": None, "source": "thử"}
    await client.put(f"/v1/communes/07900/attributes/{MINORITY}", json=body, headers=ANYTHING)
    for day in ("2025-01-01", "2025-06-30"):
        found = await evaluated(client, SELECTION, "07900", period="2025", on=day)
        assert found["unit"]["unit"] == "commune-07900"
        assert found["unit"]["attributes"] == {MINORITY: True}, day


async def test_what_begins_or_ends_after_the_day_of_a_verdict_changes_nothing_of_it(
    client: httpx.AsyncClient,
) -> None:
    """While a period lasts the day is today; within one that is over a day may be asked for."""
    now = today()
    tomorrow = (now + datetime.timedelta(1)).isoformat()
    cases: list[tuple[str, str, Item, str]] = [
        ("07900", str(now.year), {}, tomorrow),
        ("08575", "2024", {"as_of": "2024-06-30"}, "2024-07-01"),
    ]
    for unit, period, more, later in cases:
        for name, since, until in (
            (MINORITY, "2020-01-01" if unit == "08575" else "2025-07-01", later),
            ("area_island", later, None),
        ):
            body = {"value": True, "from": since, "to": until, "source": "thử"}
            path = f"/v1/communes/{unit}/attributes/{name}"
            answer = await client.put(path, json=body, headers=ANYTHING)
            assert answer.status_code == 200, answer.text
        found = await evaluated(client, SELECTION, unit, period=period, **more)
        assert found["unit"]["attributes"] == {MINORITY: True}, (found["as_of"], unit)


@pytest.mark.parametrize(
    ("unit", "decision", "model", "date", "outcome"),
    [
        ("08560", "969/QĐ-BNN-VPĐP", "smart", "2023-03-16", "not_applicable"),
        ("08563", "1824/QĐ-BNN-VPĐP", "smart", "2023-05-11", "not_applicable"),
        ("08566", "969/QĐ-BNN-VPĐP", "ecom", "2023-03-16", "undetermined"),
        ("08569", "01/QĐ-UBND", "smart", "2023-03-16", "undetermined"),
        ("08572", "969/QĐ-BNN-VPĐP", "smart", "2024-07-01", "undetermined"),
    ],
)
async def test_a_commune_chosen_by_the_centre_is_exempt_from_the_day_of_the_decision(
    client: httpx.AsyncClient, unit: str, decision: str, model: str, date: str, outcome: str
) -> None:
    body = {"model": model, "authority": "central", "decision": decision, "date": date}
    answer = await client.post(f"/v1/communes/{unit}/designations", json=body | {"source": "thử"})
    assert answer.status_code == 201, answer.text
    found = await evaluated(client, SELECTION, unit, period="2024-H1")
    assert found["outcome"] == outcome
    assert (found["reasons"] == ["exempt_central_pilot"]) is (outcome == "not_applicable")


async def test_the_day_is_the_last_of_the_period_or_today_while_it_lasts(
    client: httpx.AsyncClient,
) -> None:
    now = today()
    for period, day in (
        ("2024", "2024-12-31"),
        ("2024-Q1", "2024-03-31"),
        ("2024-02", "2024-02-29"),
        (str(now.year), min(now, datetime.date(now.year, 12, 31)).isoformat()),
        (str(now.year + 1), now.isoformat()),
    ):
        found = await evaluated(client, "bnn3445.annex1", "07900", period=period)
        assert found["as_of"] == day
    found = await evaluated(client, PHU_THO, "08554", as_of="2024-10-31")
    assert (found["as_of"], found["applicability"]["status"]) == ("2024-10-31", "in_period")


@pytest.mark.parametrize(
    ("period", "more", "status"),
    [
        ("2023", {}, "before_issue"),
        ("2024-09", {}, "before_issue"),
        ("2024", {}, "in_period"),
        ("2024", {"as_of": "2026-01-01"}, "after_period"),
        ("2026", {"unit": "07900"}, "after_period"),
    ],
)
async def test_a_verdict_before_issue_or_after_the_period_is_stored_and_says_so(
    client: httpx.AsyncClient, period: str, more: Item, status: str
) -> None:
    body = {"unit": "08557", "period": period} | more
    answer = await ask(client, PHU_THO, **body)
    assert answer.status_code == 201, answer.text
    found = await got(client, f"{PATH}/{answer.json()['id']}")
    assert found["applicability"]["status"] == status
    assert bool(found["applicability"]["reason"]) is (status != "in_period")
