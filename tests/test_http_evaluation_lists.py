"""Lists of evaluations over HTTP: filters, the latest, pages, changes in order, territories."""

from __future__ import annotations

import datetime
import re
from typing import Any

import httpx
import pytest
from conftest import Described, Join, Member, problem
from on_record import PATH, Item, ask, evaluated, got, numbers, places, ratio, record, value
from own_database import own
from test_http_preview import SMARTPHONE

from app.database import Database

PHU_THO, SELECTION, ANNEX = "phutho.commune", "bnn3445.selection.smart", "bnn3445.annex1"
PAST = "2025-06-30"  # the last day of the old communes


settings, database, service = own("lists")


async def listed(client: httpx.AsyncClient, **params: Any) -> list[int]:
    """Return the numbers of all evaluations of a list, in its order, page by page."""
    found: list[int] = []
    asked: Item = {"limit": 500} | params
    while True:
        answer = await client.get(PATH, params=asked)
        assert answer.status_code == 200, answer.text[:300]
        page = answer.json()
        found += numbers(page["items"])
        if page["next"] is None:
            assert "link" not in answer.headers
            return found
        assert len(page["items"]) == int(asked["limit"])
        assert 'rel="next"' in answer.headers["link"]
        asked["cursor"] = page["next"]


async def number(client: httpx.AsyncClient, ruleset: str, unit: str, **body: Any) -> int:
    """Evaluate; return the number of the verdict."""
    return int((await evaluated(client, ruleset, unit, **body))["id"])


async def test_every_filter_narrows_the_list_newest_first(
    client: httpx.AsyncClient, described: Described
) -> None:
    """By unit, by what lies above it, by ruleset, period and outcome, and by several at once."""
    await record(client, value("08290", SMARTPHONE, ratio(1, 10), "2023"))
    failed = await number(client, PHU_THO, "08290", period="2023")
    other = await number(client, SELECTION, "08290")
    open_ = await number(client, PHU_THO, "08290")
    beside = await number(client, PHU_THO, "08293")
    afar = await number(client, SELECTION, "04792")
    every = [afar, beside, open_, other, failed]
    for params, wanted in (
        ({"under": "234", "on": PAST}, [beside, open_, other, failed]),
        ({"under": "25", "on": PAST}, [beside, open_, other, failed]),
        ({"under": "25"}, every),  # today's Phú Thọ descends from Hòa Bình as well
        ({"unit": "08290", "on": PAST}, [open_, other, failed]),
        ({"unit": "commune-08290", "on": PAST}, [open_, other, failed]),
        ({"unit": "08290", "period": "2023"}, [failed]),
        ({"under": "25", "ruleset": SELECTION}, [afar, other]),
        ({"under": "25", "period": "2023"}, [failed]),
        ({"under": "25", "outcome": "not_met"}, [failed]),
        ({"under": "25", "outcome": "undetermined", "ruleset": PHU_THO}, [beside, open_]),
        ({"under": "25", "outcome": "met"}, []),
        ({"under": "17", "on": PAST}, [afar]),
        ({"under": "86"}, []),
    ):
        assert await listed(client, **params) == wanted, params
        described.judge(await client.get(PATH, params=params))


async def test_a_listed_verdict_is_the_stored_one_without_its_criteria(
    client: httpx.AsyncClient,
) -> None:
    found = await evaluated(client, PHU_THO, "08296")
    (item,) = (await got(client, PATH, unit="08296", on=PAST))["items"]
    in_full = ("criteria", "unused_facts", "followed_values")
    assert item == {name: found[name] for name in found if name not in in_full}


async def test_the_latest_is_the_last_of_each_unit_ruleset_and_period(
    client: httpx.AsyncClient,
) -> None:
    """Also where the outcome has changed: an earlier verdict is not shown as the latest met one."""
    first = await number(client, PHU_THO, "08299")
    await record(client, value("08299", SMARTPHONE, ratio(1, 10)))
    second = await number(client, PHU_THO, "08299")
    other = await number(client, SELECTION, "08299")
    before = await number(client, PHU_THO, "08299", period="2023")
    where = {"unit": "08299", "on": PAST}
    assert await listed(client, **where) == [before, other, second, first]
    assert await listed(client, **where, latest="true") == [before, other, second]
    assert await listed(client, **where, latest="true", outcome="undetermined") == [before, other]
    assert await listed(client, **where, latest="true", period="2024") == [other, second]
    assert await listed(client, **where, latest="false", period="2024") == [other, second, first]


async def test_pages_give_every_verdict_once(client: httpx.AsyncClient) -> None:
    units = [f"{code:05}" for code in range(8302, 8323, 3)]
    answer = await ask(client, PHU_THO, units=units)
    wanted = numbers(answer.json()["items"])[::-1]
    wanted = [await number(client, SELECTION, "08302"), *wanted]
    where = {"under": "234", "on": PAST}
    full = await listed(client, **where)
    assert [one for one in full if one in wanted] == wanted
    for limit in ("1", "3", str(len(full)), "500"):
        assert await listed(client, **where, limit=limit) == full
        assert await listed(client, **where, limit=limit, latest="true") == [
            one for one in full if one in await listed(client, **where, latest="true")
        ]


async def test_the_feed_gives_what_came_on_record_oldest_first_and_misses_nothing(
    client: httpx.AsyncClient, described: Described
) -> None:
    """Asking again with the last `next` gives exactly what has come since."""
    start = await evaluated(client, ANNEX, "29341")
    since = {"updated_since": start["created_at"], "under": "846", "on": PAST}
    wanted = [start["id"]]
    seen: list[int] = []
    cursor: dict[str, str] = {}
    for turn in range(3):
        batch = await ask(client, ANNEX, units=[f"{29344 + 3 * n}" for n in range(turn, 5)])
        wanted += numbers(batch.json()["items"])
        wanted.append(await number(client, ANNEX, "29341"))
        while True:
            answer = await client.get(PATH, params=since | cursor | {"limit": "2"})
            described.judge(answer)
            page = answer.json()
            seen += numbers(page["items"])
            if page["next"] is None:
                assert page["items"] == []
                break
            assert 1 <= len(page["items"]) <= 2
            cursor = {"cursor": page["next"]}
        assert seen == wanted
    assert await listed(client, under="846", on=PAST) == wanted[::-1]
    later = {"updated_since": "2199-01-01T00:00:00Z", "under": "846", "on": PAST}
    assert (await got(client, PATH, **later))["items"] == []


async def test_the_feed_begins_with_the_instant_it_is_asked_for(client: httpx.AsyncClient) -> None:
    """In any time zone; the filters hold there too."""
    first = await evaluated(client, ANNEX, "29350", period="2023")
    second = await evaluated(client, ANNEX, "29350")
    instant = datetime.datetime.fromisoformat(second["created_at"])
    for hours in (0, 7, -5):
        zone = datetime.timezone(datetime.timedelta(hours=hours))
        where = {"unit": "29350", "on": PAST, "updated_since": instant.astimezone(zone).isoformat()}
        found = await got(client, PATH, **where)
        assert numbers(found["items"]) == [second["id"]]
    where["updated_since"] = first["created_at"]
    assert numbers((await got(client, PATH, **where))["items"]) == [first["id"], second["id"]]
    found = await got(client, PATH, **where, period="2024", outcome=second["outcome"])
    assert numbers(found["items"]) == [second["id"]]


async def test_a_damaged_verdict_is_named_and_hides_no_other_one(
    client: httpx.AsyncClient, database: Database, described: Described
) -> None:
    """In lists and in the feed, which goes on behind it."""
    answer = await ask(client, ANNEX, units=["29353", "29356", "29359"], period="2022")
    first, bad, last = numbers(answer.json()["items"])
    async with database.as_owner() as connection:
        await connection.exec_driver_sql(
            f"UPDATE evaluation SET verdict = '{{' WHERE id = {int(bad)}"
        )
    where = {"under": "846", "on": PAST, "period": "2022"}
    for params, wanted in (
        (where, [last, first]),
        (where | {"updated_since": answer.json()["items"][0]["created_at"]}, [first, last]),
    ):
        found = await client.get(PATH, params=params)
        described.judge(found)
        assert numbers(found.json()["items"]) == wanted
        named = [(one["id"], one["code"]) for one in found.json()["damaged"]]
        assert named == [(bad, "evaluation-damaged")]
    assert (await client.get(f"{PATH}/{bad}")).status_code == 409
    assert (await got(client, PATH, **where, unit="29353"))["damaged"] == []


WRONG: list[tuple[str, int, str, str]] = [
    ("ruleset=phutho.xa", 422, "/ruleset", "unknown-ruleset"),
    ("unit=99999", 404, "/unit", "unit-not-found"),
    ("under=99999", 404, "/under", "unit-not-found"),
    ("unit=07900&period=2025", 422, "/unit", "ambiguous-unit"),
    ("period=2024-13", 422, "/period", "invalid-period"),
    ("outcome=passed", 422, "/outcome", ""),
    ("latest=yes", 422, "/latest", ""),
    ("latest=1", 422, "/latest", ""),
    ("updated_since=2024-01-01", 422, "/updated_since", ""),
    ("updated_since=2024-01-01T00:00:00", 422, "/updated_since", ""),
    ("limit=0", 422, "/limit", ""),
    ("limit=501", 422, "/limit", ""),
    ("cursor=abc", 422, "/cursor", "invalid-cursor"),
    ("since=2024", 422, "/since", "unknown-field"),
    ("period=2024&period=2023", 422, "/period", "repeated-parameter"),
]


@pytest.mark.parametrize(("query", "status", "pointer", "code"), WRONG)
async def test_a_wrong_filter_is_refused(
    client: httpx.AsyncClient, query: str, status: int, pointer: str, code: str
) -> None:
    found = problem(await client.get(f"{PATH}?{query}"))
    assert found["status"] == status
    assert (pointer, code) in [(where, code and what) for where, what in places(found)]


async def test_a_cursor_belongs_to_its_filters(client: httpx.AsyncClient) -> None:
    await ask(client, PHU_THO, units=["08326", "08329"])
    where: dict[str, Any] = {"under": "234", "on": PAST, "limit": 1}
    cursor = (await got(client, PATH, **where))["next"]
    for other in ({"ruleset": PHU_THO}, {"latest": "true"}, {"period": "2024"}):
        found = problem(await client.get(PATH, params=where | other | {"cursor": cursor}))
        assert found["code"] == "invalid-cursor"


# --- territories ---------------------------------------------------------------------------------


@pytest.fixture
async def vinh_long(join: Join) -> Member:
    """A client of today's Vĩnh Long, which descends from Trà Vinh."""
    return await join("86")


async def test_a_client_sees_the_past_of_what_its_territory_descends_from(
    join: Join, vinh_long: Member, client: httpx.AsyncClient
) -> None:
    """A client of Vĩnh Long evaluates and sees old Trà Vinh; nobody else's local client does."""
    own = await number(vinh_long.http, "travinh.commune", "29374", period="2023")
    whole = await number(client, "travinh.province", "84", period="2023")
    away = await number(client, PHU_THO, "08332")
    found = await listed(vinh_long.http)
    assert {own, whole} <= set(found)
    assert away not in found
    assert await listed(vinh_long.http, unit="84", on=PAST) == [whole]
    assert await listed(vinh_long.http, under="847", on=PAST) == [own]
    commune = await join("29398")  # made of commune-29374 among others, or not at all
    reaches = own in await listed(commune.http)
    lineage = await got(client, "/v1/units/29398/lineage")
    assert reaches is ("29374" in [one["unit"]["code"] for one in lineage["predecessors"]])
    assert whole not in await listed(commune.http)
    elsewhere = await join("25")
    assert not {own, whole} & set(await listed(elsewhere.http))
    since = {"updated_since": "2020-01-01T00:00:00Z"}
    assert not {own, whole} & set(numbers((await got(elsewhere.http, PATH, **since))["items"]))
    assert away in numbers((await got(elsewhere.http, PATH, **since, limit=500))["items"])


async def test_what_is_foreign_is_answered_like_what_never_was(
    vinh_long: Member, client: httpx.AsyncClient
) -> None:
    """The same body to the last letter, but for the number, wherever an evaluation is named."""
    foreign = await number(client, PHU_THO, "08335")
    own = await number(vinh_long.http, ANNEX, "29377")
    never = 10**14 + 1
    for method, form in (
        ("GET", "{}"),
        ("POST", "{}/replay"),
        ("GET", "{}/members?criterion=phutho.1.1.1"),
        ("GET", "{}/members?criterion=nothing"),
        ("GET", f"{own}/compare/{{}}"),
        ("GET", f"{{}}/compare/{own}"),
        ("GET", "{}/compare/{}"),
    ):
        texts = []
        for number_ in (foreign, never):
            path = f"{PATH}/{form.replace('{}', str(number_))}"
            answer = await vinh_long.http.request(method, path)
            found = problem(answer)
            assert (found["status"], found["code"]) == (404, "evaluation-not-found"), path
            named = rf"(?<![0-9]){number_}(?![0-9])"
            texts.append(re.sub(named, "#", str(found | {"status": None})))
            assert {name for name in answer.headers if name.startswith("x-ntm")} == set()
        assert texts[0] == texts[1]


async def test_lists_need_a_token_that_may_read(join: Join, stranger: httpx.AsyncClient) -> None:
    writer = await join("VN", "values:write")
    for path in (PATH, f"{PATH}/1", f"{PATH}/1/members?criterion=a", f"{PATH}/1/compare/2"):
        assert problem(await stranger.get(path))["status"] == 401
        assert problem(await writer.http.get(path))["status"] == 403
    assert problem(await stranger.post(f"{PATH}/1/replay"))["status"] == 401
    assert problem(await writer.http.post(f"{PATH}/1/replay"))["status"] == 403


async def test_an_unknown_key_and_a_body_that_is_no_object_are_refused(
    client: httpx.AsyncClient,
) -> None:
    one: Item = await evaluated(client, ANNEX, "29380")
    for path in (f"{PATH}/{one['id']}?text=false", f"{PATH}/{one['id']}?texts=0"):
        assert problem(await client.get(path))["status"] == 422
    for number_ in ("0", "-1", "x", "1e3", "9" * 16, "٣"):
        assert problem(await client.get(f"{PATH}/{number_}"))["status"] in (404, 422)
    assert problem(await client.post(f"{PATH}/{one['id']}/replay?force=true"))["status"] == 422
