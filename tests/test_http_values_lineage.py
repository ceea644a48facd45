"""Values of predecessors over HTTP: summed on reading, labelled as computed, never stored."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import Described, Join, problem
from hypothesis import given
from hypothesis import strategies as st
from unchanged import fingerprint
from value_calls import COUNT, RATE, SHARE, VALUES, Item, entry, ids, ratio, record, retract

from app.database import Database
from app.domain.values.lineage import NO_VALUE, PART, PERCENT_ONLY, Recorded, added_up
from app.rules.facts import Percent, Ratio

# What today's Phú Thọ came from, and periods that no other file of tests reports there.
THREE = ("province-17", "province-25", "province-26")
PERIODS = (f"{year}-{month:02}" for year in range(1991, 1999) for month in range(1, 13))
TODAY = {"unit": "25", "on": "2026-01-01", "with_predecessors": "true", "limit": "500"}
# Xã Minh Ngọc (00994) came from two communes as a whole, and from a part of Xã Yên Định.
WHOLE, DIVIDED = ("commune-00994", "commune-01009"), "commune-00988"


async def read(client: httpx.AsyncClient, **params: str) -> Item:
    """Return a list with predecessors."""
    answer = await client.get(VALUES, params=TODAY | params)
    assert answer.status_code == 200, answer.text[:300]
    found: Item = answer.json()
    return found


async def computed(client: httpx.AsyncClient, period: str, **params: str) -> list[Item]:
    """Return the sums of a period."""
    sums = (await read(client, **params))["computed"]
    return [each for each in sums if each["period"] == period]


def missing(found: Item) -> dict[str, str]:
    """Return by unit why it is not in a sum."""
    return {each["unit"]["unit"]: each["reason"] for each in found["missing"]}


async def test_what_three_provinces_reported_is_summed_by_its_counts(
    client: httpx.AsyncClient, described: Described, database: Database
) -> None:
    """Counts are added up, with the numbers of their values; reading stores nothing."""
    period = next(PERIODS)
    counts = [ratio(1, 3), ratio(10, 30), ratio(100, 150)]
    made = await record(
        client,
        *(
            entry(unit, fact, SHARE, period=period)
            for unit, fact in zip(THREE, counts, strict=True)
        ),
    )
    before = await fingerprint(database)
    answer = await client.get(VALUES, params=TODAY)
    described.judge(answer)
    assert await fingerprint(database) == before
    (found,) = [each for each in answer.json()["computed"] if each["period"] == period]
    assert sorted(found.pop("values")) == sorted(ids(made))
    assert found == {
        "computed": True,
        "indicator": SHARE,
        "period": period,
        "value": ratio(111, 183),
        "percent": "60.66",
        "complete": True,
        "missing": [],
    }
    shown = [each for each in answer.json()["items"] if each["period"] == period]
    assert sorted(shown, key=lambda each: each["id"]) == made


async def test_without_asking_there_is_no_sum(client: httpx.AsyncClient) -> None:
    """A list has what was reported; sums are in it only for whoever asks for them."""
    period = next(PERIODS)
    made = await record(client, *(entry(unit, ratio(1, 2), SHARE, period=period) for unit in THREE))
    for params in ({}, {"with_predecessors": "false"}):
        sent = {"unit": "25", "on": "2026-01-01", "limit": "500"} | params
        body = (await client.get(VALUES, params=sent)).json()
        assert set(body) == {"items", "next"}
        assert not set(ids(body["items"])) & set(ids(made))


async def test_a_bare_percentage_cannot_be_summed(client: httpx.AsyncClient) -> None:
    """Counts that are not known are not guessed: the unit is named, the sum is not complete."""
    period = next(PERIODS)
    first, _, third = await record(
        client,
        entry(THREE[0], ratio(1, 4), SHARE, period=period),
        entry(THREE[1], {"percent": "50.00"}, SHARE, period=period),
        entry(THREE[2], ratio(2, 4), SHARE, period=period),
    )
    (found,) = await computed(client, period)
    assert found["value"] == ratio(3, 8)
    assert sorted(found["values"]) == sorted(ids([first, third]))
    assert found["complete"] is False
    assert missing(found) == {THREE[1]: "percent_only"}


async def test_who_reported_nothing_is_named(client: httpx.AsyncClient) -> None:
    """A sum over some of the predecessors says which ones are not in it."""
    period = next(PERIODS)
    (made,) = await record(client, entry(THREE[2], ratio(0, 0), SHARE, period=period))
    (found,) = await computed(client, period)
    assert (found["value"], found["values"]) == (ratio(0, 0), [made["id"]])
    assert found["percent"] is None
    assert found["complete"] is False
    assert missing(found) == {THREE[0]: "no_value", THREE[1]: "no_value"}


async def test_what_was_followed_or_retracted_is_not_summed(client: httpx.AsyncClient) -> None:
    """Only values that count now are added up."""
    period = next(PERIODS)
    made = await record(client, *(entry(unit, ratio(1, 2), SHARE, period=period) for unit in THREE))
    await retract(client, made[0]["id"])
    (newer,) = await record(client, entry(THREE[1], ratio(7, 8), SHARE, period=period))
    (found,) = await computed(client, period)
    assert found["value"] == ratio(8, 10)
    assert sorted(found["values"]) == sorted([newer["id"], made[2]["id"]])
    assert missing(found) == {THREE[0]: "no_value"}


async def test_periods_and_indicators_are_not_mixed(client: httpx.AsyncClient) -> None:
    """Each sum is of one indicator in one period."""
    one, other = next(PERIODS), next(PERIODS)
    first, second = await record(
        client,
        entry(THREE[0], ratio(1, 2), SHARE, period=one),
        entry(THREE[1], ratio(3, 4), SHARE, period=other),
    )
    for period, value in ((one, first), (other, second)):
        (found,) = await computed(client, period)
        assert (found["value"], found["values"]) == (value["value"], [value["id"]])
        assert len(found["missing"]) == 2
        assert [found] == await computed(client, period, indicator=SHARE)
        assert await computed(client, period, indicator=COUNT) == []


async def test_a_sum_is_told_for_one_period(client: httpx.AsyncClient) -> None:
    """The sum of a past period can be asked for by that period."""
    period = next(PERIODS)
    made = await record(client, *(entry(unit, ratio(1, 2), SHARE, period=period) for unit in THREE))
    sent = {"unit": "province-25-2025", "period": period, "with_predecessors": "true"}
    answer = await client.get(VALUES, params=sent)
    assert answer.status_code == 200, answer.text[:300]
    assert sorted(ids(answer.json()["items"])) == sorted(ids(made))
    assert [each["value"] for each in answer.json()["computed"]] == [ratio(3, 6)]


async def test_a_unit_that_was_taken_in_part_is_never_summed(client: httpx.AsyncClient) -> None:
    """Which share of a divided commune went where is not known: it is named and left out."""
    period = next(PERIODS)
    *whole, divided = await record(
        client,
        entry(WHOLE[0], ratio(1, 10), RATE, period=period),
        entry(WHOLE[1], ratio(2, 10), RATE, period=period),
        entry(DIVIDED, ratio(1_000, 1_000), RATE, period=period),
    )
    (found,) = await computed(client, period, unit="00994")
    assert found["value"] == ratio(3, 20)
    assert found["percent"] == "15.00"
    assert sorted(found["values"]) == sorted(ids(whole))
    assert found["complete"] is False
    assert missing(found) == {DIVIDED: "part"}
    shown = [each for each in (await read(client, unit="00994"))["items"]
             if each["period"] == period]  # fmt: skip
    assert sorted(ids(shown)) == sorted([*ids(whole), divided["id"]])


async def test_the_own_value_of_a_unit_is_not_part_of_the_sum(client: httpx.AsyncClient) -> None:
    """What the unit of today reported stands beside the sum over those it came from."""
    before, after = await record(
        client,
        entry("commune-01009", ratio(1, 10), RATE, period="2025-H1"),
        entry("commune-00994-2025", ratio(9, 10), RATE, period="2025-H2"),
    )
    body = await read(client, unit="00994")
    assert {before["id"], after["id"]} <= set(ids(body["items"]))
    summed = list(itertools.chain.from_iterable(each["values"] for each in body["computed"]))
    assert before["id"] in summed
    assert after["id"] not in summed


async def test_counts_and_answers_are_not_summed(client: httpx.AsyncClient) -> None:
    """Only shares have counts that can be added up."""
    period = next(PERIODS)
    await record(client, *(entry(unit, 5, period=period) for unit in WHOLE))
    assert await computed(client, period, unit="00994") == []


async def test_every_page_has_the_same_sums(client: httpx.AsyncClient) -> None:
    """Sums do not depend on how many values a page shows."""
    period = next(PERIODS)
    await record(client, *(entry(unit, ratio(1, 2), RATE, period=period) for unit in WHOLE))
    sums, shown = (await read(client, unit="00994"))["computed"], []
    params = {"limit": "1"}
    while True:
        body = await read(client, unit="00994", **params)
        assert body["computed"] == sums
        shown += ids(body["items"])
        if body["next"] is None:
            break
        params["cursor"] = body["next"]
    assert shown == ids((await read(client, unit="00994"))["items"])


async def test_sums_are_of_the_callers_territory(client: httpx.AsyncClient, join: Join) -> None:
    """Whoever reaches a unit reaches what it came from; for others it is not there."""
    period = next(PERIODS)
    await record(client, *(entry(unit, ratio(1, 2), SHARE, period=period) for unit in THREE))
    local, foreign = (await join("25")).http, (await join("86")).http
    (found,) = await computed(local, period)
    assert (found["value"], found["complete"]) == (ratio(3, 6), True)
    assert problem(await foreign.get(VALUES, params=TODAY))["code"] == "outside-territory"


# The rule by itself, over any number of generations.

Tree = dict[int, list[tuple[int, str]]]
EXTENTS = st.sampled_from(["whole", "whole", "whole", "part"])
FACTS = st.one_of(
    st.none(),
    st.just(Percent("50.0")),
    st.tuples(st.integers(0, 99), st.integers(0, 99)).map(lambda two: Ratio(two[1], two[0])),
)


@st.composite
def families(draw: st.DrawFn) -> tuple[Tree, dict[int, Recorded]]:
    """Return a family of units whose root is 0, and what some of them reported."""
    tree: Tree = {}
    reported: dict[int, Recorded] = {}
    for unit in range(1, draw(st.integers(1, 14))):
        tree.setdefault(draw(st.integers(0, unit - 1)), []).append((unit, draw(EXTENTS)))
    for unit in range(len(tree) and max(child for row in tree.values() for child, _ in row) + 1):
        if (fact := draw(FACTS)) is not None:
            reported[unit] = Recorded(1000 + unit, fact)
    return tree, reported


def paths(tree: Tree, unit: int = 0) -> Iterator[list[tuple[int, str]]]:
    """Yield the way to every predecessor over any number of generations."""
    for before, extent in tree.get(unit, []):
        yield [(before, extent)]
        yield from ([(before, extent), *rest] for rest in paths(tree, before))


@given(family=families())
def test_a_sum_takes_whole_units_once_and_the_newest_report_of_each_line(
    family: tuple[Tree, dict[int, Recorded]],
) -> None:
    """In every line the nearest unit that reported speaks; parts and what lies behind never do."""
    tree, reported = family
    expected: dict[int, Any] = {}
    absent: dict[int, str] = {}
    for *way, (unit, extent) in paths(tree):
        if any(each in reported or kind == "part" for each, kind in way):
            continue
        if extent == "part":
            absent[unit] = PART
        elif unit in reported:
            fact = reported[unit].fact
            if isinstance(fact, Ratio):
                expected[reported[unit].id] = fact
            else:
                absent[unit] = PERCENT_ONLY
        elif unit not in tree:
            absent[unit] = NO_VALUE
    found = added_up(0, tree, reported)
    assert len(found.values) == len(set(found.values))
    assert set(found.values) == set(expected)
    assert found.numerator == sum(fact.numerator for fact in expected.values())
    assert found.denominator == sum(fact.denominator for fact in expected.values())
    assert sorted(found.missing) == sorted(absent.items())


@given(family=families(), counts=st.lists(FACTS, min_size=20, max_size=20))
def test_where_only_the_oldest_reported_the_sum_is_theirs(
    family: tuple[Tree, dict[int, Recorded]], counts: list[Any]
) -> None:
    """Over generations without reports of their own, the sum is that of the whole leaves."""
    tree, _ = family
    leaves = [way for way in paths(tree) if way[-1][0] not in tree]
    reported = {
        way[-1][0]: Recorded(way[-1][0], fact)
        for way, fact in zip(leaves, counts, strict=False)
        if fact is not None
    }
    whole = [way[-1][0] for way in leaves if all(extent == "whole" for _, extent in way)]
    facts = [reported[unit].fact for unit in whole if unit in reported]
    shares = [fact for fact in facts if isinstance(fact, Ratio)]
    found = added_up(0, tree, reported)
    assert found.numerator == sum(fact.numerator for fact in shares)
    assert found.denominator == sum(fact.denominator for fact in shares)
    assert len(found.values) == len(shares)
    assert (not found.missing) == (
        len(shares) == len(leaves) and all(extent == "whole" for way in leaves for _, extent in way)
    )


@pytest.mark.parametrize("query", ["with_predecessors=true", "with_predecessors=true&under=25"])
async def test_predecessors_are_those_of_one_unit(client: httpx.AsyncClient, query: str) -> None:
    """Whose predecessors are meant has to be said."""
    found = problem(await client.get(f"{VALUES}?{query}"))
    assert found["status"] == 422
    assert [each["pointer"] for each in found["errors"]] == ["/with_predecessors"]
