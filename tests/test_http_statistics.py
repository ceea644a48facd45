"""Statistics over HTTP: outcomes, completeness, series; what they count, of whom, for whom."""

from __future__ import annotations

import collections
from typing import Any

import httpx
import pytest
from conftest import Described, Join, problem
from grant_calls import end, give
from grant_calls import read as read_grant
from on_record import Item, by_id, codes, evaluated, flat, got, places, ratio, record, value
from own_database import own
from test_http_preview import SMARTPHONE

from app.database import Database
from app.rules.registry import Registry

BASE = "/v1/statistics"
OUTCOMES, COMPLETENESS, SERIES = f"{BASE}/outcomes", f"{BASE}/completeness", f"{BASE}/series"
PHU_THO, SELECTION, ANNEX = "phutho.commune", "bnn3445.selection.smart", "bnn3445.annex1"
DISTRICT, OTHER_DISTRICT = "234", "228"  # of old Phú Thọ
PAST = "2025-06-30"
FEEDBACK, CLASSES = "security_feedback_channel", "digital_skills_classes_count"
COMMITMENT = "smart_model_commitment"
SERVICES = "essential_services_provided"
NOTHING_MET = dict.fromkeys(
    ("met", "not_met", "undetermined", "not_applicable", "no_criterion", "no_overall_rule"), 0
)

settings, database, service = own("statistics")


async def one(client: httpx.AsyncClient, path: str, **params: Any) -> Item:
    """Return the only item of an answer."""
    body = await got(client, path, **params)
    assert body["next"] is None
    (item,) = body["items"]
    found: Item = item
    return found


async def every(client: httpx.AsyncClient, path: str, **params: Any) -> list[Item]:
    """Return the items of all pages, two a page."""
    found: list[Item] = []
    asked = {"limit": 2} | params
    while True:
        body = await got(client, path, **asked)
        found += body["items"]
        if body["next"] is None:
            return found
        assert len(body["items"]) == 2
        asked["cursor"] = body["next"]


async def latest(client: httpx.AsyncClient, **params: Any) -> list[Item]:
    """Return the latest verdicts, whole, as lists and single reads give them."""
    listed = await got(client, "/v1/evaluations", latest="true", limit=500, **params)
    assert listed["next"] is None
    return [await got(client, f"/v1/evaluations/{item['id']}") for item in listed["items"]]


def tally(outcomes: list[str]) -> Item:
    """Return how often each outcome occurs."""
    return NOTHING_MET | dict(collections.Counter(outcomes))


# --- outcomes ------------------------------------------------------------------------------------


async def test_outcomes_count_the_latest_verdict_of_each_unit(
    client: httpx.AsyncClient, described: Described
) -> None:
    """Exactly the verdicts that the list calls the latest: the wholes, all items, every leaf."""
    units = (await codes(client, DISTRICT))[:3]
    for number, unit in enumerate(units):
        await record(client, value(unit, SMARTPHONE, ratio(60 + 20 * number, 100)))
    for ruleset in (PHU_THO, ANNEX):
        for unit in units:
            await evaluated(client, ruleset, unit)
    await record(client, value(units[0], SMARTPHONE, ratio(99, 100)))
    await evaluated(client, PHU_THO, units[0])  # the one before does not count any more
    await evaluated(client, PHU_THO, units[1], period="2023")  # nor does another period
    for ruleset in (PHU_THO, ANNEX):
        where = {"under": DISTRICT, "period": "2024", "ruleset": ruleset}
        answer = await client.get(OUTCOMES, params=where | {"criteria": "true"})
        described.judge(answer)
        (item,) = answer.json()["items"]
        verdicts = await latest(client, **where)
        assert len(verdicts) == len(units) == item["evaluated"]
        assert item["outcomes"] == tally([one["outcome"] for one in verdicts])
        whole = [one["all_items"] for one in verdicts if one["all_items"]]
        assert item["all_items"] == (tally(whole) if whole else None)
        leaves = [
            leaf for one in verdicts for leaf in flat(one["criteria"]) if not leaf["criteria"]
        ]
        assert {one.pop("id"): one for one in item["criteria"]} == {
            id_: {
                name: number
                for name, number in tally(
                    [leaf["outcome"] for leaf in leaves if leaf["id"] == id_]
                ).items()
                if name != "no_overall_rule"
            }
            for id_ in dict.fromkeys(leaf["id"] for leaf in leaves)
        }
        assert (item["ruleset"], item["level"], item["period"]) == (ruleset, "commune", "2024")
        assert item["unit"]["code"] == DISTRICT
        assert item["units"] == item["in_scope"] == len(await codes(client, DISTRICT))
    chosen = leaves[0]["id"]
    narrowed = await one(client, OUTCOMES, under=DISTRICT, period="2024", criterion=chosen)
    assert narrowed["ruleset"] == ANNEX
    assert [of["id"] for of in narrowed["criteria"]] == [chosen]


async def test_without_a_ruleset_all_of_the_level_are_counted(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """One item for each ruleset and each of its levels; a level narrows them."""
    where = {"under": "25", "on": PAST, "period": "2024"}
    items = (await got(client, OUTCOMES, **where))["items"]
    levels = sorted(
        (id_, level)
        for id_, entry in registry.entries.items()
        for level in (entry.ruleset.level, *entry.ruleset.also_levels)
    )
    assert [(one["ruleset"], one["level"]) for one in items] == levels
    districts = (await got(client, OUTCOMES, **where, level="district"))["items"]
    assert [one["ruleset"] for one in districts] == [id_ for id_, at in levels if at == "district"]
    assert {one["units"] for one in districts} == {13}
    below = (await got(client, OUTCOMES, **where, by="district", limit=500))["items"]
    assert {(one["ruleset"], one["level"]) for one in below} == {
        one for one in levels if one[1] in ("district", "commune")
    }  # no hamlet is on record


@pytest.mark.parametrize(("by", "parent"), [("province", 0), ("district", 1), ("commune", 2)])
async def test_drilling_down_splits_the_same_numbers(
    client: httpx.AsyncClient, by: str, parent: int
) -> None:
    """The groups add up to the whole, each under its unit, in Vietnamese order, page by page."""
    unit = (await codes(client, OTHER_DISTRICT))[0]
    await record(client, value(unit, SMARTPHONE, ratio(99, 100)))
    await evaluated(client, PHU_THO, unit)
    where = {"under": "25", "on": PAST, "period": "2024", "ruleset": PHU_THO}
    whole = await one(client, OUTCOMES, **where)
    whole_values = await one(client, COMPLETENESS, **where)
    limit = {"limit": 500} if by == "commune" else {}
    groups = await every(client, OUTCOMES, **where, by=by, **limit)
    values = await every(client, COMPLETENESS, **where, by=by, details="false", **limit)
    assert {(one["criteria"], one["indicators"]) for one in values} == {(None, None)}
    assert len(groups) == (1, 13, whole["units"])[parent] == len(values)
    assert {one["unit"]["level"] for one in groups} == {by}
    for name in ("units", "in_scope", "evaluated"):
        assert sum(one[name] for one in groups) == whole[name]
    for name, total in whole["outcomes"].items():
        assert sum(one["outcomes"][name] for one in groups) == total
    for name, total in whole_values["values"].items():
        assert sum(one["values"][name] for one in values) == total
    listed = await got(client, "/v1/units", level=by, under="25", on=PAST, limit=500)
    if by != "province":
        assert [one["unit"]["code"] for one in groups] == [one["code"] for one in listed["items"]]
    beside = next(one for one in groups if one["unit"]["code"] in ("25", OTHER_DISTRICT, unit))
    assert beside["evaluated"] >= 1


async def test_the_units_of_a_period_are_those_of_its_last_day(client: httpx.AsyncClient) -> None:
    """The old communes until June 2025, the new ones from July; each in the territory asked for."""
    then, now = await codes(client, "25"), (await codes(client, "25", "2026-01-01"))
    for period, on, wanted in (
        ("2024", PAST, then),
        ("2025-H1", PAST, then),
        ("2025-Q3", None, now),
        ("2025", "2025-12-31", now),
        ("2026", None, now),
    ):
        where = {"under": "25", "period": period, "ruleset": ANNEX}
        item = await one(client, OUTCOMES, **where, **({"on": on} if on else {}))
        assert item["units"] == len(wanted), period
    # Today's Phú Thọ in 2024: what it descends from, and everything there.
    inherited = {"under": "25", "on": "2026-01-01", "period": "2024", "ruleset": ANNEX}
    items = await every(client, OUTCOMES, **inherited, by="province")
    assert [one["unit"]["name"] for one in items] == [
        "Tỉnh Hòa Bình",
        "Tỉnh Phú Thọ",
        "Tỉnh Vĩnh Phúc",
    ]
    # Where there are no districts, nothing is hidden.
    (item,) = await every(client, OUTCOMES, under="25", period="2026", ruleset=ANNEX, by="district")
    assert (item["unit"], item["units"]) == (None, len(now))


async def test_the_scope_of_a_document_bounds_what_is_expected(client: httpx.AsyncClient) -> None:
    """A provincial document expects nothing of other provinces, but they are among the units."""
    where = {"under": "VN", "period": "2024", "ruleset": PHU_THO}
    bound = len(await codes(client, "25"))
    for path in (OUTCOMES, COMPLETENESS):
        item = await one(client, path, **where)
        assert item["in_scope"] == bound < item["units"]
    assert item["indicators"][0]["expected"] == bound


# --- completeness --------------------------------------------------------------------------------


async def test_completeness_counts_what_an_evaluation_would_find(
    client: httpx.AsyncClient, registry: Registry, described: Described
) -> None:
    """Recorded, outdated and missing, for each criterion, as the verdicts themselves say."""
    units = (await codes(client, "227"))[:4]
    under = {"under": "227", "period": "2024", "ruleset": PHU_THO}
    boolean = [
        code
        for code in sorted(registry.entries[PHU_THO].compiled.unit_codes)
        if registry.indicators[code].kind == "boolean"
    ]
    await record(
        client,
        *(value(unit, code, True, "2024-Q2") for unit in units[:2] for code in boolean),
        *(value(units[2], code, True, "2023-05") for code in boolean),
        value(units[0], SMARTPHONE, {"percent": "88.0"}, "2024-07"),
        value(units[1], SMARTPHONE, ratio(1, 2), "2025-H1"),
        value(units[3], SMARTPHONE, ratio(1, 2), "2022"),
    )
    (gone,) = await record(client, value(units[3], FEEDBACK, True))
    assert (
        await client.post(f"/v1/values/{gone['id']}/retract", json={"reason": "nhầm"})
    ).status_code == 200
    verdicts = [await evaluated(client, PHU_THO, unit) for unit in await codes(client, "227")]
    answer = await client.get(COMPLETENESS, params=under)
    described.judge(answer)
    (item,) = answer.json()["items"]
    for counted in item["criteria"]:
        leaves = [by_id(verdict)[counted["id"]] for verdict in verdicts]
        missing = sum("missing_value" in leaf["reasons"] for leaf in leaves)
        outdated = sum(
            "value_outdated" in leaf["reasons"] and "missing_value" not in leaf["reasons"]
            for leaf in leaves
        )
        assert counted["expected"] == len(leaves) == item["in_scope"]
        assert (counted["outdated"], counted["recorded"]) == (
            outdated,
            len(leaves) - outdated - missing,
        ), counted
    for name in ("expected", "recorded", "outdated"):
        assert item["values"][name] == sum(one[name] for one in item["indicators"])
    (smartphone,) = [one for one in item["indicators"] if one["indicator"] == SMARTPHONE]
    assert (smartphone["recorded"], smartphone["outdated"]) == (1, 1)
    assert smartphone["name"] == registry.indicators[SMARTPHONE].name.vi
    assert item["complete"] == {"expected": len(verdicts), "recorded": 0, "outdated": 0}


async def test_a_unit_is_complete_when_every_value_is_there(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """Complete with values of the period, outdated when one is of before; standing ones last."""
    unit, other = (await codes(client, "232"))[:2]
    facts: Item = {"boolean": True, "ratio": ratio(1, 2)}
    read = [registry.indicators[code] for code in registry.entries[SELECTION].compiled.unit_codes]
    standing = [one for one in read if one.validity == "standing"]
    assert standing
    await record(
        client,
        *(value(unit, one.code, facts[one.kind], "2024") for one in read if one not in standing),
        *(value(unit, one.code, facts[one.kind], "2020") for one in standing),
        *(value(other, one.code, facts[one.kind], "2023") for one in read),
    )
    total = len(await codes(client, "232"))
    for period, recorded, outdated in (("2024", 1, 1), ("2023", 1, 0), ("2025-H1", 0, 2)):
        item = await one(
            client, COMPLETENESS, under="232", on=PAST, period=period, ruleset=SELECTION
        )
        assert item["complete"] == {
            "expected": total,
            "recorded": recorded,
            "outdated": outdated,
        }, period


# --- series --------------------------------------------------------------------------------------


async def test_a_series_adds_up_the_values_that_count_in_each_period(
    client: httpx.AsyncClient, described: Described
) -> None:
    """Exact sums of numerators, denominators and counts; percentages and sets apart."""
    units = (await codes(client, "230"))[:3]
    large = 2**53 - 1
    await record(
        client,
        value(units[0], SMARTPHONE, ratio(3, 4), "2022"),
        value(units[0], SMARTPHONE, ratio(large, large), "2023-Q4"),
        value(units[0], SMARTPHONE, ratio(1, 9), "2023-11"),  # the quarter ends later
        value(units[1], SMARTPHONE, ratio(large, large), "2023-H2"),
        value(units[1], SMARTPHONE, ratio(5, 9), "2023-12"),  # as late, but shorter
        value(units[2], SMARTPHONE, {"percent": "88.5"}, "2023"),
        value(units[2], SMARTPHONE, ratio(0, 1), "2023-Q4"),  # the year itself comes first
        *(value(unit, CLASSES, number, "2023") for number, unit in enumerate(units)),
        value(units[0], FEEDBACK, True, "2023"),
        value(units[1], FEEDBACK, False, "2023"),
        value(units[2], FEEDBACK, False, "2023"),
        value(units[0], SERVICES, ["health", "education"], "2023"),
        value(units[1], SERVICES, ["health"], "2023"),
        value(units[2], SERVICES, [], "2023"),
    )
    await record(client, value(units[2], FEEDBACK, True, "2023"))  # follows the one before
    total = len(await codes(client, "230"))
    where = {"under": "230", "on": PAST, "from": "2022", "to": "2024"}
    answer = await client.get(SERIES, params=where | {"indicator": SMARTPHONE})
    described.judge(answer)
    (item,) = answer.json()["items"]
    assert (item["indicator"], item["ruleset"], item["criterion"]) == (SMARTPHONE, None, None)
    assert item["points"] == [
        {"period": "2022", "units": total, "known": 1, "numerator": 3, "denominator": 4,
         "without_counts": 0},
        {"period": "2023", "units": total, "known": 3, "numerator": 2 * large,
         "denominator": 2 * large, "without_counts": 1},
        {"period": "2024", "units": total, "known": 0, "numerator": 0, "denominator": 0,
         "without_counts": 0},
    ]  # fmt: skip
    quarters = await one(
        client, SERIES, **where | {"from": "2023-Q3", "to": "2024-Q1", "indicator": SMARTPHONE}
    )
    assert [(one["period"], one["known"]) for one in quarters["points"]] == [
        ("2023-Q3", 0), ("2023-Q4", 3), ("2024-Q1", 0),
    ]  # fmt: skip
    assert quarters["points"][1]["numerator"] == large + 5
    counts = (await one(client, SERIES, **where, indicator=CLASSES))["points"]
    assert [(one["known"], one["counted"]) for one in counts] == [(0, 0), (3, 3), (0, 0)]
    truths = (await one(client, SERIES, **where, indicator=FEEDBACK))["points"]
    assert [(one["known"], one["true"]) for one in truths] == [(0, 0), (3, 2), (0, 0)]
    chosen = (await one(client, SERIES, **where, indicator=SERVICES, level="commune"))["points"]
    assert [one["known"] for one in chosen] == [0, 3, 0]
    assert {code: n for code, n in chosen[1]["codes"].items() if n} == {"health": 2, "education": 1}


async def test_a_standing_value_counts_until_it_is_followed_or_retracted(
    client: httpx.AsyncClient,
) -> None:
    """In every period after its own; what was retracted does not follow it."""
    unit, other = (await codes(client, "236"))[:2]
    await record(client, value(unit, COMMITMENT, True, "2021"), value(other, COMMITMENT, True))
    await record(client, value(unit, COMMITMENT, False, "2023-Q1"))
    (wrong,) = await record(client, value(other, COMMITMENT, True, "2025-01"))
    answer = await client.post(f"/v1/values/{wrong['id']}/retract", json={"reason": "nhầm"})
    assert answer.status_code == 200
    where = {"under": "236", "on": PAST, "indicator": COMMITMENT}
    item = await one(client, SERIES, **where, **{"from": "2020", "to": "2024"})
    assert [(one["known"], one["true"]) for one in item["points"]] == [
        (0, 0), (1, 1), (1, 1), (1, 0), (2, 1),
    ]  # fmt: skip
    item = await one(client, SERIES, **where, **{"from": "2024-11", "to": "2025-02"})
    # A year that has not ended is not before its months.
    assert [one["known"] for one in item["points"]] == [1, 1, 2, 2]


async def test_a_series_of_verdicts_counts_the_latest_of_each_period(
    client: httpx.AsyncClient, described: Described
) -> None:
    """Of the whole or of one criterion; units by period: a merger changes how many there are."""
    units = (await codes(client, "238"))[:3]
    for period in ("2022", "2024"):
        await record(client, *(value(unit, SMARTPHONE, ratio(9, 10), period) for unit in units))
    for unit, period in ((0, "2022"), (0, "2022"), (1, "2022"), (0, "2024"), (2, "2023")):
        found = await evaluated(client, PHU_THO, units[unit], period=period)
    leaf = next(leaf for leaf in flat(found["criteria"]) if leaf["indicator"] == SMARTPHONE)
    where = {"under": "238", "on": PAST, "ruleset": PHU_THO, "from": "2021", "to": "2024"}
    total = len(await codes(client, "238"))
    answer = await client.get(SERIES, params=where)
    described.judge(answer)
    (item,) = answer.json()["items"]
    assert [(one["evaluated"], one["units"], one["in_scope"]) for one in item["points"]] == [
        (evaluations, total, total) for evaluations in (0, 2, 1, 1)
    ]
    assert item["points"][1]["outcomes"] == NOTHING_MET | {"undetermined": 2}
    narrowed = await one(client, SERIES, **where, criterion=leaf["id"])
    assert narrowed["criterion"] == leaf["id"]
    assert [one["outcomes"]["met"] for one in narrowed["points"]] == [0, 2, 0, 1]
    assert narrowed["points"][2]["outcomes"]["undetermined"] == 1  # 2022 is too old
    through = {"under": "25", "indicator": SMARTPHONE, "from": "2025-H1", "to": "2025-H2"}
    item = await one(client, SERIES, **through)
    then = sum([len(await codes(client, province)) for province in ("25", "17", "26")])
    assert [one["units"] for one in item["points"]] == [
        then, len(await codes(client, "25", "2025-12-31")),
    ]  # fmt: skip
    split = await every(client, SERIES, **through, by="province")
    lines = sorted([one["units"] for one in line["points"]] for line in split)
    assert lines[0] == [0, 148]  # the new province,
    assert [line[1] for line in lines[1:]] == [0, 0, 0]  # and the three that it became of


# --- for whom ------------------------------------------------------------------------------------


async def test_everyone_counts_what_is_theirs(client: httpx.AsyncClient, join: Join) -> None:
    """The province sees what the nation sees there; what lies elsewhere is not there (404)."""
    mine, theirs = (await join("25")).http, (await join("86")).http
    questions: tuple[tuple[str, Item], ...] = (
        (OUTCOMES, {"period": "2024", "ruleset": PHU_THO, "criteria": "true"}),
        (COMPLETENESS, {"period": "2024", "ruleset": PHU_THO}),
        (SERIES, {"from": "2022", "to": "2024", "indicator": SMARTPHONE}),
        (SERIES, {"from": "2022", "to": "2024", "ruleset": PHU_THO}),
    )
    for path, asked in questions:
        here = asked | {"under": "25", "on": PAST}
        assert await got(mine, path, **here) == await got(client, path, **here)
        inherited = asked | {"under": "25", "on": "2026-01-01"}
        without = await got(mine, path, **asked)
        whole = await got(client, path, **inherited)
        assert [one | {"unit": None} for one in whole["items"]] == without["items"]
        for caller in (theirs, mine):
            for under in ("25" if caller is theirs else "86", "VN"):
                answer = await caller.get(path, params=asked | {"under": under, "on": PAST})
                found = problem(answer)
                assert (found["status"], found["code"]) == (404, "outside-territory")
                assert places(found) == [("/under", "outside-territory")]
        (nothing,) = (await got(theirs, path, **asked))["items"]
        flatly = str(nothing)
        assert "'evaluated': 0" in flatly or "'recorded': 0" in flatly or "'known': 0" in flatly


async def test_a_grant_opens_what_it_names_and_every_read_of_it_is_counted(
    client: httpx.AsyncClient, join: Join, database: Database
) -> None:
    """One commune, one indicator, one ruleset: nothing else is expected, seen or counted."""
    giver, receiver = (await join("07948")).http, (await join("29266")).http
    await record(
        client,
        value("07948", SMARTPHONE, ratio(7, 8), "2026"),
        value("07948", FEEDBACK, True, "2026"),
    )
    await evaluated(client, SELECTION, "07948", period="2026")
    await evaluated(client, ANNEX, "07948", period="2026")
    period = {"under": "07948", "period": "2026"}
    span = {"under": "07948", "from": "2026", "to": "2026"}
    assert (await receiver.get(OUTCOMES, params=period)).status_code == 404
    values = await give(giver, resources=["values"], indicators=[SMARTPHONE])
    verdicts = await give(giver, resources=["evaluations"], rulesets=[SELECTION])
    item = await one(receiver, COMPLETENESS, **period, ruleset=ANNEX)
    expected = {of["indicator"]: of["expected"] for of in item["indicators"]}
    assert {code for code, n in expected.items() if n} <= {SMARTPHONE}
    item = await one(receiver, COMPLETENESS, **period, ruleset=SELECTION)
    assert (
        item["values"]["recorded"]
        == item["values"]["expected"]
        == sum(of["expected"] for of in item["indicators"])
    )
    assert item["complete"]["expected"] == 0
    known = (await one(receiver, SERIES, **span, indicator=SMARTPHONE))["points"][0]
    assert (known["units"], known["known"], known["numerator"]) == (1, 1, 7)
    hidden = (await one(receiver, SERIES, **span, indicator=FEEDBACK))["points"][0]
    assert (hidden["units"], hidden["known"]) == (0, 0)
    seen = {of["ruleset"]: of for of in (await got(receiver, OUTCOMES, **period))["items"]}
    assert (seen[SELECTION]["units"], seen[SELECTION]["evaluated"]) == (1, 1)
    assert (seen[ANNEX]["units"], seen[ANNEX]["evaluated"]) == (0, 0)
    points = (await one(receiver, SERIES, **span, ruleset=SELECTION))["points"]
    assert points[0]["evaluated"] == 1
    for grant, wanted in ((values, 1 + item["values"]["recorded"]), (verdicts, 2)):
        assert (await read_grant(giver, grant["id"]))["reads"]["rows"] == wanted
    for grant in (values, verdicts):
        await end(database, grant["id"])
    assert (await receiver.get(OUTCOMES, params=period)).status_code == 404


async def test_statistics_need_a_token_that_may_read(
    stranger: httpx.AsyncClient, join: Join
) -> None:
    """401 without one, 403 with one that may only write."""
    writer = (await join("25", "values:write")).http
    for path in (OUTCOMES, COMPLETENESS, SERIES):
        assert problem(await stranger.get(path))["status"] == 401
        assert problem(await writer.get(path))["code"] == "insufficient-scope"


# --- how they are asked for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "params", "pointer", "code"),
    [
        (OUTCOMES, {}, "/period", "missing-field"),
        (OUTCOMES, {"period": "2024", "ruleset": "none"}, "/ruleset", "unknown-ruleset"),
        (OUTCOMES, {"period": "2024", "ruleset": PHU_THO, "level": "province"}, "/level",
         "wrong-level"),
        (OUTCOMES, {"period": "2024", "ruleset": "travinh.province", "by": "commune"}, "/by",
         "wrong-level"),
        (OUTCOMES, {"period": "2024", "criterion": "none"}, "/criterion", "unknown-criterion"),
        (OUTCOMES, {"period": "2024", "by": "hamlet"}, "/by", "wrong-value"),
        (OUTCOMES, {"period": "2025", "under": "25"}, "/under", "ambiguous-unit"),
        (OUTCOMES, {"period": "2024", "cursor": "x"}, "/cursor", "invalid-cursor"),
        (COMPLETENESS, {"period": "2024"}, "/ruleset", "missing-field"),
        (COMPLETENESS, {"ruleset": PHU_THO}, "/period", "missing-field"),
        (COMPLETENESS, {"ruleset": "none", "period": "2024"}, "/ruleset", "unknown-ruleset"),
        (COMPLETENESS, {"ruleset": PHU_THO, "period": "2024-13"}, "/period", "invalid-period"),
        (SERIES, {"indicator": SMARTPHONE}, "/from", "missing-field"),
        (SERIES, {"from": "2024", "to": "2025"}, "/indicator", "missing-field"),
        (SERIES, {"from": "2024", "to": "2025", "indicator": SMARTPHONE, "ruleset": PHU_THO},
         "/indicator", "missing-field"),
        (SERIES, {"from": "2024", "to": "2025", "indicator": "none"}, "/indicator",
         "unknown-indicator"),
        (SERIES, {"from": "2024", "to": "2025", "indicator": "area_island"}, "/indicator",
         "wrong-kind"),
        (SERIES, {"from": "2024", "to": "2025", "indicator": SERVICES}, "/level",
         "missing-field"),
        (SERIES, {"from": "2024", "to": "2025", "indicator": SMARTPHONE, "level": "district"},
         "/level", "wrong-level"),
        (SERIES, {"from": "2024", "to": "2025-Q1", "indicator": SMARTPHONE}, "/to",
         "invalid-period"),
        (SERIES, {"from": "2025", "to": "2024", "indicator": SMARTPHONE}, "/to", "invalid-period"),
        (SERIES, {"from": "2019-01", "to": "2024-01", "indicator": SMARTPHONE}, "/to",
         "out-of-range"),
    ],
)  # fmt: skip
async def test_what_cannot_be_counted_is_said(
    client: httpx.AsyncClient, path: str, params: dict[str, str], pointer: str, code: str
) -> None:
    """Every parameter that is missing, unknown or does not fit is refused with its name."""
    found = problem(await client.get(path, params=params))
    assert found["status"] == 422
    assert (pointer, code) in places(found)


async def test_an_answer_that_the_caller_holds_is_not_sent_again(
    client: httpx.AsyncClient,
) -> None:
    """304 while nothing has changed, another tag once a value has."""
    unit = (await codes(client, "231"))[0]
    questions: tuple[tuple[str, Item], ...] = (
        (OUTCOMES, {"under": "231", "period": "2024", "ruleset": PHU_THO}),
        (COMPLETENESS, {"under": "231", "period": "2024", "ruleset": PHU_THO}),
        (SERIES, {"under": "231", "on": PAST, "from": "2024", "to": "2024",
                  "indicator": SMARTPHONE}),
    )  # fmt: skip
    tags = []
    for path, asked in questions:
        tag = (await client.get(path, params=asked)).headers["etag"]
        again = await client.get(path, params=asked, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        tags.append(tag)
    await record(client, value(unit, SMARTPHONE, ratio(1, 2)))
    await evaluated(client, PHU_THO, unit)
    for (path, asked), tag in zip(questions, tags, strict=True):
        answer = await client.get(path, params=asked, headers={"if-none-match": tag})
        assert answer.status_code == 200
        assert answer.headers["etag"] != tag
