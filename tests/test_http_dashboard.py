"""A dashboard of the 124 communes of Vĩnh Long from two requests, on the demonstration."""

from __future__ import annotations

from collections import Counter
from typing import Final

import httpx
import pytest
from conftest import Described, Join
from on_record import Item, got
from own_database import own

from app.database import Database
from app.domain.demonstration.recorded import tell
from app.rules.registry import Registry

settings, database, service = own("dashboard")

MAP, OUTCOMES = "/v1/communes.geojson", "/v1/statistics/outcomes"
COMMUNES: Final = 124
NATIONAL: Final = {
    "bnn3445.selection.smart", "bnn3445.selection.ecom", "bnn3445.content.smart",
    "bnn3445.content.ecom", "bnn3445.annex1",
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
async def _demonstration(database: Database, registry: Registry) -> None:
    """Made-up values of two provinces, evaluated."""
    assert await tell(database, registry, lambda *_: None) is not None


async def drawn(http: httpx.AsyncClient, **params: str) -> list[Item]:
    """Return the properties of the communes on a map."""
    found = await got(http, MAP, under="86", **params)
    assert len(found["features"]) == COMMUNES
    return [{"geometry": one["geometry"], **one["properties"]} for one in found["features"]]


async def test_two_requests_draw_a_dashboard(join: Join, described: Described) -> None:
    """One has points, names, values and verdicts of every commune; the other agrees in sums."""
    http = (await join("86", "read")).http
    answer = await http.get(MAP, params={"under": "86", "period": "2025"})
    described.judge(answer)
    communes = await drawn(http, period="2025")
    called = {one["code"] for one in answer.json()["indicators"] if one["name"]["vi"]}
    assert called == {code for one in communes for code in one["values"]}
    titled = {one["id"] for one in answer.json()["rulesets"] if one["title"]["vi"]}
    assert titled >= NATIONAL
    for one in communes:
        lon, lat = one["geometry"]["coordinates"]
        assert 105 < lon < 108
        assert 9 < lat < 11
        assert one["name"]
        assert one["path"][0]["code"] == "86"
        assert one["values"]
        assert all(value["period"] == "2025" for value in one["values"].values())
        applying = {told["ruleset"] for told in one["rulesets"] if told["applies"]}
        assert applying == NATIONAL
        assert not one["no_ruleset_applies"]
    sums = await got(
        http,
        OUTCOMES,
        under="86",
        on="2025-12-31",
        period="2025",
        ruleset="bnn3445.selection.smart",
    )
    (told,) = [one for one in sums["items"] if one["level"] == "commune"]
    verdicts = [
        next(told for told in one["rulesets"] if told["ruleset"] == "bnn3445.selection.smart")
        for one in communes
    ]
    assert (told["units"], told["evaluated"]) == (COMMUNES, COMMUNES)
    counted = Counter(one["outcome"] for one in verdicts)
    assert {name: n for name, n in told["outcomes"].items() if n} == counted
    assert None not in counted


async def test_a_map_has_every_value_of_a_period(join: Join) -> None:
    """What the list of values has of a commune, its point has, whether or not a rule reads it."""
    http = (await join("86", "read")).http
    (commune, *_) = await drawn(http, period="2025")
    listed = await got(http, "/v1/values", unit=commune["code"], on="2025-12-31", limit="500")
    known = {one["indicator"]: one["value"] for one in listed["items"] if one["period"] == "2025"}
    assert "satisfaction_survey_online" in known, "which no ruleset of communes reads"
    assert {code: one["value"] for code, one in commune["values"].items()} == known


async def test_where_no_document_speaks_it_is_said(join: Join) -> None:
    """After 2025 no ruleset applies any more: every commune says so, and why."""
    http = (await join("86", "read")).http
    for one in await drawn(http, period="2026"):
        assert one["no_ruleset_applies"] is True
        assert {told["reason"] for told in one["rulesets"]} == {"after_period"}
        assert {told["outcome"] for told in one["rulesets"]} == {None}


async def test_one_ruleset_and_some_indicators_are_enough(join: Join) -> None:
    """What is named is told alone: a verdict with its counts, each value or null."""
    http = (await join("86", "read")).http
    codes = ["adults_smartphone_internet_rate", "digital_skills_classes_count"]
    named = {"period": "2025", "ruleset": "bnn3445.selection.smart", "indicator": ",".join(codes)}
    communes = await drawn(http, **named)
    for one in communes:
        assert list(one["values"]) == codes
        assert (one["verdict"]["applies"], one["verdict"]["reason"]) == (True, None)
        assert "rulesets" not in one
    for one in communes[:3]:
        stored = await got(http, f"/v1/evaluations/{one['verdict']['id']}")
        assert stored["unit"]["code"] == one["code"]
        for name in ("outcome", "all_items", "counts", "as_of"):
            assert one["verdict"][name] == stored[name]
    for one in await drawn(http, period="2025", ruleset="phutho.commune"):
        assert (one["verdict"]["applies"], one["verdict"]["reason"]) == (False, "out_of_scope")


async def test_others_see_the_map_and_nothing_on_it(join: Join) -> None:
    """The register is open; of what is on record there is neither a number nor a count."""
    http = (await join("25", "read")).http
    for one in await drawn(http, period="2025"):
        assert one["geometry"]
        assert one["values"] is None
        assert {told["reason"] for told in one["rulesets"] if told["applies"]} == {
            "outside_territory"
        }
        assert {told["id"] for told in one["rulesets"]} == {None}
