"""Changes of values over HTTP: whoever follows them with the last cursor misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from conftest import Described, problem, shipped
from sqlalchemy import text
from value_calls import (
    COUNT,
    TRUTH,
    VALUES,
    Item,
    ended,
    ids,
    listed,
    record,
    retract,
)
from value_calls import entry as entry_of

from app.database import Database
from app.domain.territory import EVERYWHERE
from app.domain.values import recording
from app.domain.values.entries import Read, place

# Communes of a district of Lai Châu until 2025-06-30; no other file records values there.
DISTRICT = "district-106"
UNITS = ("03390", "03394", "03405", "03406", "03412", "03413", "03421", "03424")
SHARED = "03427"
THEN = "2024-06-30"
WITHIN = {"under": DISTRICT, "on": THEN}


# A period of its own for each test, so that no test follows the values of another one.
_periods = (f"{1970 + number // 12}-{number % 12 + 1:02}" for number in itertools.count())


class _Test:
    """The test that runs."""

    period = ""


@pytest.fixture(autouse=True)
def of_its_own() -> None:
    """Give the test a period."""
    _Test.period = next(_periods)


def entry(unit: str, value: Any = 7, indicator: str = COUNT, **other: Any) -> Item:
    """Return a value as it is handed in, in the period of the test."""
    return entry_of(unit, value, indicator, **{"period": _Test.period, **other})


class Follower:
    """A caller that keeps the last cursor that was no null, and asks again with it."""

    def __init__(self, client: httpx.AsyncClient, since: str, **params: str) -> None:
        self._client, self._cursor = client, ""
        self._params = WITHIN | {"updated_since": since} | params
        self.seen: list[Item] = []

    async def page(self) -> list[Item]:
        """Return the next page, after checking how it hangs together with the one before."""
        sent = self._params | ({"cursor": self._cursor} if self._cursor else {})
        answer = await self._client.get(VALUES, params=sent)
        assert answer.status_code == 200, answer.text[:300]
        items: list[Item] = answer.json()["items"]
        following = answer.json()["next"]
        assert (following is None) is (not items)
        assert ("link" in answer.headers) is bool(items)
        if following:
            link = httpx.URL(answer.headers["link"].partition(">")[0].lstrip("<"))
            assert (link.path, dict(link.params)) == (VALUES, self._params | {"cursor": following})
            assert following != self._cursor
            self._cursor = following
        self.seen += items
        return items

    async def all(self) -> list[Item]:
        """Return everything up to the first empty page."""
        found: list[Item] = []
        while items := await self.page():
            found += items
        return found

    def state(self) -> dict[tuple[str, str, str], tuple[int, bool]]:
        """Return for every unit, indicator and period the last value, and whether it counts."""
        found: dict[tuple[str, str, str], tuple[int, bool]] = {}
        for each in self.seen:
            key = each["unit"]["unit"], each["indicator"], each["period"]
            if each["status"] != "superseded" and each["id"] >= found.get(key, (0, False))[0]:
                found[key] = each["id"], each["status"] == "reported"
        return found


class Undone(Exception):
    """A transaction was rolled back on purpose."""


@contextlib.asynccontextmanager
async def recorded(database: Database, *entries: Item) -> AsyncIterator[list[int]]:
    """Record values, and commit at the end of the block; yield their numbers."""
    read = Read()
    for number, each in enumerate(entries):
        read.add(shipped().indicators, number, each)
    async with database.reading() as connection:
        placed = await place(connection, EVERYWHERE, shipped(), read)
    assert not read.complaints
    async with database.writing() as connection:
        yield [stored.id for stored in await recording.record(connection, None, placed)]


async def now(database: Database) -> str:
    """Return this instant by the clock of the database."""
    async with database.reading() as connection:
        instant: datetime.datetime = await connection.fetchval("SELECT clock_timestamp()")
    return instant.isoformat()


async def test_nobody_who_follows_misses_what_many_write_at_once(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Every committed value is seen exactly as recorded, in whatever order writers commit."""
    since = await now(database)
    committed: dict[int, Item] = {}
    undone: set[int] = set()
    retracted: set[int] = set()
    done = asyncio.Event()

    async def write(number: int) -> None:
        chance = random.Random(number)
        for turn in range(6):
            sent = [
                entry(UNITS[number % 8], turn, period=f"{1950 + number}-{month:02}")
                for month in range(1, chance.randint(2, 4))
            ]
            if turn % 3 == 2:
                sent.append(entry(SHARED, 100 * number + turn))
            try:
                async with recorded(database, *sent) as numbers:
                    await asyncio.sleep(chance.random() * 0.03)
                    if chance.random() < 0.25:
                        undone.update(numbers)
                        raise Undone
            except Undone:
                continue
            committed.update(zip(numbers, sent, strict=True))
            if turn % 2:
                assert (await retract(client, numbers[0])).status_code == 200
                retracted.add(numbers[0])

    async def follow(follower: Follower) -> None:
        while not done.is_set():
            await follower.page()
            await asyncio.sleep(0.005)
        await follower.all()

    followers = [Follower(client, since, limit=limit) for limit in ("7", "500")]
    following = [asyncio.create_task(follow(each)) for each in followers]
    await asyncio.gather(*(write(number) for number in range(16)))
    done.set()
    await asyncio.gather(*following)
    late = Follower(client, since, limit="3")
    await late.all()

    assert len(committed) > 100
    assert undone
    assert retracted
    current = await listed(client, **WITHIN, status="reported")
    for follower in (*followers, late):
        assert set(ids(follower.seen)) == set(committed)
        assert not undone & set(ids(follower.seen))
        places = [(each["id"], each["status"]) for each in follower.seen]
        assert len(set(places)) == len(places)
        for each in follower.seen:
            sent = committed[each["id"]]
            shown = {name: each[name] for name in sent if name != "unit"}
            assert shown | {"unit": each["unit"]["code"]} == sent
        last = {each["id"]: each["status"] for each in follower.seen}
        assert {id_ for id_, status in last.items() if status == "retracted"} == retracted
        counting = {id_ for id_, counts in follower.state().values() if counts}
        assert counting == set(ids(current)) & set(committed)
    assert len(set(ids(late.seen))) == len(late.seen)


async def test_what_commits_late_is_seen_and_by_the_largest_number_it_is_missed(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Numbers become visible out of order: the cursor takes care of it, the number does not."""
    follower = Follower(client, await now(database))
    largest = 0
    by_number: list[int] = []

    async def ask_by_number() -> None:
        nonlocal largest
        found = await listed(client, **WITHIN, indicator=COUNT)
        by_number.extend(id_ for id_ in ids(found) if id_ > largest)
        largest = max([largest, *ids(found)])

    async with recorded(database, entry(UNITS[0])) as (slow,):
        async with recorded(database, entry(UNITS[1])) as (quick,):
            assert slow < quick
            assert await follower.all() == []
        assert ids(await follower.all()) == [quick]
        await ask_by_number()
    assert ids(await follower.all()) == [slow]
    await ask_by_number()
    assert quick in by_number
    assert slow not in by_number


async def waiting(database: Database, number: int) -> None:
    """Return when so many connections wait for a lock that another one holds."""
    found = -1
    while found < number:
        await asyncio.sleep(0.01)
        async with database.reading() as connection:
            found = await connection.fetchval(
                "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                " WHERE NOT granted AND datname = current_database()"
            )


async def test_two_who_ask_at_once_are_told_one_order(
    client: httpx.AsyncClient, database: Database
) -> None:
    """A place in the order is given once: no second caller moves what the first was shown."""
    since = await now(database)
    first, second = Follower(client, since), Follower(client, since)
    async with database.as_owner() as held:
        async with recorded(database, entry(UNITS[0])) as (slow,):
            (value,) = await record(client, entry(UNITS[1]))
            quick = value["id"]
            await held.execute(
                text(
                    "SELECT FROM ntm.recording r JOIN ntm.value v ON v.recording_id = r.id"
                    " WHERE v.id = :id FOR UPDATE OF r"
                ),
                {"id": quick},
            )
            early = asyncio.create_task(first.page())
            await waiting(database, 1)
        late = asyncio.create_task(second.page())
        await waiting(database, 2)
    await asyncio.gather(early, late)
    for follower in (first, second):
        await follower.all()
        assert ids(follower.seen) == [quick, slow]


async def test_what_is_rolled_back_is_never_seen(
    client: httpx.AsyncClient, database: Database
) -> None:
    """A value that was not committed was not recorded."""
    follower = Follower(client, await now(database))
    with contextlib.suppress(Undone):
        async with recorded(database, entry(UNITS[2])):
            assert await follower.all() == []
            raise Undone
    (value,) = await record(client, entry(UNITS[3]))
    assert ids(await follower.all()) == [value["id"]]


async def test_a_retracted_value_appears_again(
    client: httpx.AsyncClient, database: Database, described: Described
) -> None:
    """A retraction is a change: the value comes once more, after everything seen, retracted."""
    since = await now(database)
    first, second = await record(client, entry(UNITS[0]), entry(UNITS[1]))
    follower = Follower(client, since, limit="1")
    assert await follower.all() == [first, second]
    await retract(client, first["id"])
    gone = ended(first, "retracted")
    assert await follower.all() == [gone]
    assert await Follower(client, since).all() == [second, gone]
    assert await Follower(client, since, status="retracted").all() == [gone]
    assert await Follower(client, since, status="reported").all() == [second]
    described.judge(await client.get(VALUES, params=WITHIN | {"updated_since": since}))


async def test_a_value_that_was_followed_appears_again(
    client: httpx.AsyncClient, database: Database
) -> None:
    """To be superseded is a change: the value comes once more, with its new status."""
    since = await now(database)
    (first,) = await record(client, entry(UNITS[4], 1))
    follower = Follower(client, since, limit="1")
    assert await follower.all() == [first]
    (second,) = await record(client, entry(UNITS[4], 2))
    changed = await follower.all()
    assert second in changed
    assert ended(first, "superseded") in changed
    assert len(changed) == 2


async def test_what_was_followed_since_an_instant_is_among_its_changes(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Whoever asks since an instant learns of every value whose status changed after it."""
    first, second = await record(client, entry(UNITS[5], 1), entry(UNITS[6], 1))
    since = await now(database)
    assert await Follower(client, since).all() == []
    (third,) = await record(client, entry(UNITS[5], 2))
    await retract(client, second["id"])
    found = {each["id"]: each["status"] for each in await Follower(client, since).all()}
    assert found == {
        third["id"]: "reported", second["id"]: "retracted", first["id"]: "superseded"
    }  # fmt: skip


async def test_whoever_follows_superseded_values_misses_none(
    client: httpx.AsyncClient, database: Database
) -> None:
    """The last cursor misses nothing with a status either, when values get it one by one."""
    since = await now(database)
    follower = Follower(client, since, status="superseded")
    made = [(await record(client, entry(unit, 1)))[0]["id"] for unit in UNITS[:3]]
    for unit in reversed(UNITS[:3]):
        await record(client, entry(unit, 2))
        await follower.all()
    assert sorted(ids(follower.seen)) == sorted(made)


async def test_a_page_of_changes_leads_on_until_it_is_empty(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Only an empty page has no next, and whoever waits goes on with the one before."""
    follower = Follower(client, await now(database))
    assert await follower.page() == []
    for number in range(3):
        made = await record(client, entry(UNITS[0], number), entry(UNITS[1], number))
        assert ids(await follower.page())[-2:] == ids(made)
        assert await follower.page() == []
        assert await follower.page() == []
    ahead = (await client.get(VALUES, params={"updated_since": "2199-12-31T00:00:00Z"})).json()
    assert ahead == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({}, 4), ({"indicator": COUNT}, 3), ({"unit": "03421", "on": THEN}, 3),
        ({"unit": "03421", "on": THEN, "indicator": COUNT}, 2), ({"status": "reported"}, 4),
        ({"status": "retracted"}, 0), ({"indicator": "district_no"}, -1),
    ],
    ids=str,
)  # fmt: skip
async def test_changes_are_narrowed_like_a_list(
    client: httpx.AsyncClient, database: Database, params: dict[str, str], count: int
) -> None:
    """Unit, indicator, period and status narrow changes as they narrow the current state."""
    since = await now(database)
    await record(
        client,
        entry("03421", 1),
        entry("03421", 1, period=next(_periods)),
        entry("03421", True, TRUTH),
        entry("03424", 1),
    )
    if count < 0:
        sent = params | {"updated_since": since}
        assert problem(await client.get(VALUES, params=sent))["code"] == "unknown-indicator"
        return
    assert len(await Follower(client, since, **params, limit="2").all()) == count


INSTANTS = [
    "2024-01-01",
    "2024-01-01T00:00:00",
    "2024-01-01T00:00:00 07:00",  # what a URL makes of a plus sign
    "2024-01-01T00:00Z+07:00",
    "2024-02-30T00:00:00Z",
    "2024-01-01T24:00:01Z",
    "2024-01-01T00:00:00+99:00",
    "20240101T000000Z",
    "1704067200",
    "hôm qua",
    "",
]


@pytest.mark.parametrize("instant", INSTANTS, ids=ascii)
async def test_what_is_no_instant_is_refused(
    client: httpx.AsyncClient, described: Described, instant: str
) -> None:
    """An instant has an offset; what cannot be meant is refused and not guessed."""
    answer = await client.get(VALUES, params={"updated_since": instant})
    described.judge(answer)
    found = problem(answer)
    assert found["status"] == 422
    assert [each["pointer"] for each in found["errors"]] == ["/updated_since"]


async def test_a_plus_sign_has_to_be_escaped(client: httpx.AsyncClient) -> None:
    """A plus that the URL has eaten is refused, an escaped one is an offset."""
    plain = await client.get(f"{VALUES}?updated_since=2024-01-01T07:00:00+07:00")
    assert problem(plain)["errors"][0]["pointer"] == "/updated_since"
    escaped = await client.get(f"{VALUES}?updated_since=2024-01-01T07:00:00%2B07:00&limit=500")
    same = await client.get(f"{VALUES}?updated_since=2024-01-01T00:00:00Z&limit=500")
    assert escaped.status_code == same.status_code == 200
    assert escaped.json()["items"] == same.json()["items"]


async def test_the_instant_itself_is_included(
    client: httpx.AsyncClient, database: Database
) -> None:
    """What was recorded at the very instant is among the changes since it, and no earlier one."""
    (first,) = await record(client, entry(UNITS[0], 1))
    (second,) = await record(client, entry(UNITS[1], 2))
    assert await Follower(client, second["recorded_at"]).all() == [second]
    assert await Follower(client, first["recorded_at"]).all() == [first, second]


async def test_a_value_that_was_followed_hundreds_of_times_keeps_nobody_from_following(
    client: httpx.AsyncClient, database: Database
) -> None:
    """However often one value was recorded anew, changes and the list of the followed are told."""
    since = await now(database)
    for number in range(400):
        async with recorded(database, entry(UNITS[7], number)):
            pass
    found = await Follower(client, since, limit="100").all()
    assert [each["value"] for each in found if each["status"] == "reported"] == [399]
    assert [each["value"] for each in found if each["status"] == "superseded"] == list(range(399))
    followed = await listed(
        client, **WITHIN, unit=UNITS[7], period=_Test.period, status="superseded"
    )
    assert [each["value"] for each in followed] == list(range(399))
