"""Changes that say which state they mean: nobody overwrites what he has not seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import httpx
import pytest
from conftest import ANYTHING, Described, Join, problem, shipped
from hostile import NEW_CLIENT
from own_database import own
from unchanged import fingerprint
from value_calls import COUNT, VALUES, Item, entry, history, ids, record

from app.database import Database, driver_of
from app.domain.territory import EVERYWHERE
from app.domain.values import entries, recording
from app.domain.values.entries import Read

RACERS: Final = 20
OFFICIAL: Final = {"id": "CB-01", "office": "UBND xã", "position": "Phó Chủ tịch"}


class Target(NamedTuple):
    """Something that is put at an address of a commune, and where the state meant is read."""

    name: str
    path: str
    body: Callable[[int], Item]
    first: int  # status of the first one

    def at(self, place: str) -> str:
        """Return where it is put."""
        return self.path.format(place)

    async def put(
        self,
        client: httpx.AsyncClient,
        place: str,
        number: int,
        if_match: str | None = None,
        version: str | None = None,
    ) -> httpx.Response:
        """Put the thing with this number, meaning a state or none."""
        headers = {} if if_match is None else {"if-match": if_match}
        body = self.body(number) | ({} if version is None else {"version": version})
        return await client.put(self.at(place), json=body, headers=headers)

    async def read(self, client: httpx.AsyncClient, place: str) -> httpx.Response:
        """Return the answer to reading the resource whose state is meant."""
        if self.name == "attribute":
            return await client.get(f"/v1/communes/{place}")
        if self.name == "identifier":
            return await client.get(f"/v1/units/{place}")
        (found,) = (
            await client.get(VALUES, params={"unit": place, "period": "2026", "indicator": COUNT})
        ).json()["items"]
        return await client.get(f"{VALUES}/{found['id']}")


def _value(number: int) -> Item:
    return {"value": number, "source": "Báo cáo 1"}


def _attribute(number: int) -> Item:
    return {"value": True, "from": "2026-01-01", "to": None, "source": f"QĐ {number}"}


def _identifier(number: int) -> Item:
    return {"value": f"MA-{number}"}


VALUE: Final = Target("value", f"/v1/communes/{{}}/values/2026/{COUNT}", _value, 201)
ATTRIBUTE: Final = Target("attribute", "/v1/communes/{}/attributes/area_island", _attribute, 200)
IDENTIFIER: Final = Target("identifier", "/v1/units/{}/identifiers/bca", _identifier, 200)
each = pytest.mark.parametrize("target", [VALUE, ATTRIBUTE, IDENTIFIER], ids=lambda one: one.name)


settings, database, service = own("preconditions", max_running=1_000)


@pytest.fixture(scope="session")
async def untouched(database: Database) -> Iterator[str]:
    """Communes of today nobody has recorded anything for, one after the other."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT v.code FROM unit_version v JOIN unit u ON u.id = v.unit_id"
            " WHERE u.level = 'commune' AND v.valid_to IS NULL ORDER BY v.code"
        )
    return iter([row["code"] for row in rows])


@pytest.fixture
def place(untouched: Iterator[str]) -> str:
    """A commune that no other test records anything for."""
    return next(untouched)


async def tag(target: Target, client: httpx.AsyncClient, place: str) -> str:
    """Return the entity tag of the state there is."""
    return str((await target.read(client, place)).headers["etag"])


async def begun(target: Target, client: httpx.AsyncClient, place: str) -> str:
    """Put a first one on record; return the entity tag of the state there is then."""
    answer = await target.put(client, place, 1)
    assert answer.status_code == target.first, answer.text[:300]
    return await tag(target, client, place)


def changed(answer: httpx.Response) -> None:
    """Fail unless the answer says that something was changed."""
    assert answer.status_code == 200, answer.text[:300]
    assert answer.json().get("unchanged", False) is False


def failed(answer: httpx.Response, described: Described) -> None:
    """Fail unless the answer says that the state has changed."""
    described.judge(answer)
    assert (answer.status_code, problem(answer)["code"]) == (412, "precondition-failed")


# --- saying nothing ------------------------------------------------------------------------------


@each
async def test_a_change_of_what_is_on_record_says_which_state_it_means(
    client: httpx.AsyncClient,
    database: Database,
    described: Described,
    target: Target,
    place: str,
) -> None:
    """Without If-Match and version: 428, which names both ways, and nothing is stored."""
    await begun(target, client, place)
    before = await fingerprint(database)
    answer = await target.put(client, place, 2)
    described.judge(answer)
    found = problem(answer)
    assert (found["status"], found["code"]) == (428, "precondition-required")
    assert "If-Match" in found["detail"]
    assert "version" in found["detail"]
    assert await fingerprint(database) == before


@each
async def test_what_changes_nothing_need_not_say_which_state_it_means(
    client: httpx.AsyncClient, database: Database, target: Target, place: str
) -> None:
    """The first record needs no version, nor does the same record once more."""
    tagged = await begun(target, client, place)
    before = await fingerprint(database)
    again = await target.put(client, place, 1)
    assert again.status_code == 200
    assert await fingerprint(database) == before
    assert await tag(target, client, place) == tagged


# --- the state there is --------------------------------------------------------------------------


@each
async def test_every_way_to_name_the_state_there_is_fits(
    client: httpx.AsyncClient, described: Described, target: Target, place: str
) -> None:
    """ETag of GET, ETag of the last PUT, `version` of either, in the header or in the body."""
    await begun(target, client, place)
    last = await target.put(client, place, 2, await tag(target, client, place))
    changed(last)
    described.judge(last)
    last = await target.put(client, place, 3, last.headers["etag"])
    changed(last)
    last = await target.put(client, place, 4, version=last.json()["version"])
    changed(last)
    read = await target.read(client, place)
    assert read.json()["version"] == last.json()["version"]
    assert read.headers["etag"].startswith(f'"{read.json()["version"]}-')
    changed(await target.put(client, place, 5, version=read.json()["version"]))
    read = await target.read(client, place)
    version = read.json()["version"]
    changed(await target.put(client, place, 6, read.headers["etag"], version))
    changed(await target.put(client, place, 7, "*"))
    changed(await target.put(client, place, 8, " * "))


@each
async def test_a_list_of_tags_fits_when_one_of_them_does(
    client: httpx.AsyncClient, described: Described, target: Target, place: str
) -> None:
    """If-Match may name several states (RFC 9110, 13.1.1); none of them right is wrong."""
    tagged = await begun(target, client, place)
    failed(await target.put(client, place, 2, '"a-b", "c-d"'), described)
    changed(await target.put(client, place, 2, f'"a-b" ,{tagged},"c-d"'))
    failed(await target.put(client, place, 3, f'"a-b", {tagged}'), described)


@each
async def test_a_state_of_earlier_fits_no_more(
    client: httpx.AsyncClient,
    database: Database,
    described: Described,
    target: Target,
    place: str,
) -> None:
    """After somebody's change the tag and the version from before are stale: 412, nothing done."""
    tagged = await begun(target, client, place)
    version = (await target.read(client, place)).json()["version"]
    changed(await target.put(client, place, 2, tagged))
    before = await fingerprint(database)
    failed(await target.put(client, place, 3, tagged), described)
    failed(await target.put(client, place, 3, version=version), described)
    assert await fingerprint(database) == before
    # Also where the state says again what it said then.
    changed(await target.put(client, place, 1, "*"))
    if target is not IDENTIFIER:  # whose state is what it says, not how it came to it
        failed(await target.put(client, place, 3, tagged), described)


@each
async def test_header_and_body_that_disagree_fit_nothing(
    client: httpx.AsyncClient,
    database: Database,
    described: Described,
    target: Target,
    place: str,
) -> None:
    """Whoever names two states means neither: both have to be the one there is."""
    old = await begun(target, client, place)
    stale = (await target.read(client, place)).json()["version"]
    changed(await target.put(client, place, 2, old))
    read = await target.read(client, place)
    before = await fingerprint(database)
    failed(await target.put(client, place, 3, read.headers["etag"], stale), described)
    failed(await target.put(client, place, 3, old, read.json()["version"]), described)
    failed(await target.put(client, place, 3, "*", stale), described)
    assert await fingerprint(database) == before


@each
async def test_what_is_no_strong_tag_never_fits(
    client: httpx.AsyncClient,
    database: Database,
    described: Described,
    target: Target,
    place: str,
) -> None:
    """Weak tags, tags without quotes, parts of tags and nothing at all: 412, nothing is done."""
    tagged = await begun(target, client, place)
    version = (await target.read(client, place)).json()["version"]
    before = await fingerprint(database)
    for given in (
        f"W/{tagged}", f'W/{tagged}, "x"', tagged.strip('"'), tagged[:-1], f"'{tagged[1:-1]}'",
        "", '""', '"*"', '*, "x"', '"x", *', f'"{version}"', f'"{version[:-1]}-x"',
        f'"x{tagged[1:]}', "null", f"{tagged}{tagged}",
    ):  # fmt: skip
        failed(await target.put(client, place, 2, given), described)
    for given in ("", "x", version + " ", f"{version}-", tagged, "*", "0", version.upper() + "A"):
        failed(await target.put(client, place, 2, version=given), described)
    assert await fingerprint(database) == before


async def test_a_version_is_text_and_of_bounded_length(
    client: httpx.AsyncClient, described: Described, place: str
) -> None:
    """What cannot be a version is refused as any other wrong field, with its place."""
    await begun(VALUE, client, place)
    wrong: tuple[Any, ...] = (1, 1.5, True, [], {}, "x" * 101)
    for given in wrong:
        answer = await client.put(VALUE.at(place), json=_value(2) | {"version": given})
        described.judge(answer)
        assert [one["pointer"] for one in problem(answer)["errors"]] == ["/version"], given
    answer = await client.put(VALUE.at(place), json=_value(2), headers={"if-match": "x" * 2_001})
    described.judge(answer)
    assert answer.status_code == 422


# --- nothing there -------------------------------------------------------------------------------


async def test_a_state_of_what_is_not_there_fits_nothing(
    client: httpx.AsyncClient, database: Database, described: Described, place: str
) -> None:
    """Who means a value that nobody recorded gets 412, whatever the tag looks like."""
    other = await begun(VALUE, client, "07948")
    before = await fingerprint(database)
    for given in ("*", other, '"abc"', '"-"', '"-x"', '""', ""):
        failed(await VALUE.put(client, place, 1, given), described)
    for given in ("1.0", "x", "0"):
        failed(await VALUE.put(client, place, 1, version=given), described)
    assert await fingerprint(database) == before


@pytest.mark.parametrize("target", [ATTRIBUTE, IDENTIFIER], ids=lambda one: one.name)
async def test_the_state_of_a_commune_is_there_before_anything_is_recorded(
    client: httpx.AsyncClient, described: Described, target: Target, place: str
) -> None:
    """The first record may name the commune's state, and then has to name the right one."""
    tagged = await tag(target, client, place)
    failed(await target.put(client, place, 1, '"x-y"'), described)
    failed(await target.put(client, place, 1, version="x"), described)
    changed(await target.put(client, place, 1, tagged))
    failed(await target.put(client, place, 2, tagged), described)


@each
async def test_what_cannot_be_found_is_not_found_whatever_state_is_meant(
    client: httpx.AsyncClient, join: Join, target: Target, place: str
) -> None:
    """A commune that does not exist, or lies elsewhere, answers 404 with every version alike."""
    tagged = await begun(target, client, place)
    elsewhere = await join("province-86-2025")
    for given in (None, "*", '"x-y"', tagged):
        assert (await target.put(client, "99999", 2, given)).status_code == 404
        assert (await target.put(elsewhere.http, place, 2, given)).status_code == 404


# --- at the same time ----------------------------------------------------------------------------


@each
async def test_of_many_who_saw_the_same_state_one_changes_it(
    client: httpx.AsyncClient,
    database: Database,
    described: Described,
    target: Target,
    place: str,
) -> None:
    """Twenty changes with one ETag: one 200 whose word counts, nineteen 412."""
    tagged = await begun(target, client, place)
    before = await fingerprint(database)
    answers = await asyncio.gather(
        *(target.put(client, place, 100 + number, tagged) for number in range(RACERS))
    )
    assert sorted(one.status_code for one in answers) == [200] + [412] * (RACERS - 1)
    for one in answers:
        described.judge(one)
    (winner,) = (one for one in answers if one.status_code == 200)
    assert (await target.read(client, place)).json()["version"] == winner.json()["version"]
    after = await fingerprint(database)
    assert after["audit_entry"][0] == before["audit_entry"][0] + 1


async def test_of_many_first_values_one_is_first(client: httpx.AsyncClient, place: str) -> None:
    """Twenty who saw nothing: one 201; the others are told that something is on record."""
    answers = await asyncio.gather(
        *(VALUE.put(client, place, 100 + number) for number in range(RACERS))
    )
    assert sorted(one.status_code for one in answers) == [201] + [428] * (RACERS - 1)
    (winner,) = (one.json() for one in answers if one.status_code == 201)
    assert ids(await history(client, winner["id"])) == [winner["id"]]


# Who waits for a lock in this database.
_WAITING: Final = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.mark.parametrize("way", ["followed", "retracted"])
async def test_a_change_that_is_under_way_counts_once_it_is_committed(
    client: httpx.AsyncClient, database: Database, described: Described, place: str, way: str
) -> None:
    """A PUT that waits for another change of its value means a state that is no more: 412."""
    tagged = await begun(VALUE, client, place)
    number = (await VALUE.read(client, place)).json()["id"]
    async with database.writing() as connection:
        if way == "followed":
            read = Read()
            read.add(shipped().indicators, 0, entry(place, 3, period="2026"))
            await recording.record(
                connection, None, await entries.place(connection, EVERYWHERE, shipped(), read)
            )
        else:
            await connection.execute(_GONE, number)
        putting = asyncio.create_task(VALUE.put(client, place, 2, tagged))
        async with database.as_owner() as looking:
            driver = await driver_of(looking)
            while not putting.done() and not await driver.fetchval(_WAITING):  # noqa: ASYNC110 - the server waits
                await asyncio.sleep(0.01)
    failed(await putting, described)
    assert number in ids(await history(client, number))


_GONE: Final = "UPDATE current_value SET status = 'retracted' WHERE value_id = $1"


# --- where nobody has to say it ------------------------------------------------------------------


async def retract(
    client: httpx.AsyncClient, number: int, if_match: str | None = None, **more: Any
) -> httpx.Response:
    """Retract a value, meaning a state or none."""
    headers = {} if if_match is None else {"if-match": if_match}
    body = {"reason": "nhầm"} | more
    return await client.post(f"{VALUES}/{number}/retract", json=body, headers=headers)


async def test_a_retraction_may_say_which_state_it_means(
    client: httpx.AsyncClient, database: Database, described: Described, place: str
) -> None:
    """Retract needs no version, and honours the one that is sent, in the header or the body."""
    one, two, three, four = await record(
        client, *(entry(place, 1, period=f"2025-{month:02}") for month in range(8, 12))
    )
    before = await fingerprint(database)
    for given in ('"x-y"', "", f'W/"{one["version"]}-x"', f'"{two["version"]}-x"'):
        failed(await retract(client, one["id"], given), described)
    failed(await retract(client, one["id"], version=two["version"]), described)
    failed(await retract(client, one["id"], "*", version="x"), described)
    assert await fingerprint(database) == before
    tagged = (await client.get(f"{VALUES}/{one['id']}")).headers["etag"]
    ways: tuple[tuple[int, str | None, Item], ...] = (
        (one["id"], tagged, {}),
        (two["id"], "*", {}),
        (three["id"], None, {"version": three["version"]}),
        (four["id"], None, {}),
    )
    for number, way, more in ways:
        answer = await retract(client, number, way, **more)
        described.judge(answer)
        assert (answer.status_code, answer.json()["status"]) == (200, "retracted")
        assert answer.json()["version"] == f"{number}.1"
        read = await client.get(f"{VALUES}/{number}")
        assert read.json() == answer.json()
        assert read.headers["etag"] == answer.headers["etag"]


async def test_a_value_that_was_retracted_is_followed_by_who_saw_that(
    client: httpx.AsyncClient, described: Described, place: str
) -> None:
    """A retraction changes the state: its tag is needed to record the next value."""
    tagged = await begun(VALUE, client, place)
    number = (await VALUE.read(client, place)).json()["id"]
    gone = await retract(client, number)
    failed(await VALUE.put(client, place, 2, tagged), described)
    assert problem(await VALUE.put(client, place, 1))["status"] == 428
    changed(await VALUE.put(client, place, 1, gone.headers["etag"]))


async def made(client: httpx.AsyncClient) -> tuple[str, str]:
    """Make a client; return its address and the entity tag of its state."""
    path = f"/v1/clients/{(await client.post('/v1/clients', json=NEW_CLIENT)).json()['client_id']}"
    return path, (await client.get(path)).headers["etag"]


async def test_a_revocation_may_say_which_state_it_means(
    client: httpx.AsyncClient, database: Database, described: Described
) -> None:
    """Revoke needs neither body nor version; a state that is sent has to be the one there is."""
    path, tagged = await made(client)
    version = (await client.get(path)).json()["version"]
    assert (await client.post(f"{path}/secrets")).status_code == 201
    before = await fingerprint(database)
    for headers, body in (
        ({"if-match": tagged}, None),
        ({}, {"version": version}),
        ({"if-match": "*"}, {"version": version}),
        ({"if-match": '"x"'}, {}),
    ):
        answer = await client.post(f"{path}/revoke", json=body, headers=headers)
        failed(answer, described)
    assert await fingerprint(database) == before
    now = await client.get(path)
    body = {"version": now.json()["version"], "reason": "hết hợp đồng", "acting_official": OFFICIAL}
    done = await client.post(f"{path}/revoke", json=body, headers={"if-match": now.headers["etag"]})
    described.judge(done)
    assert done.json()["revoked_at"] is not None
    failed(await client.post(f"{path}/revoke", headers={"if-match": tagged}), described)
    nothing: tuple[Item | None, ...] = (None, {})
    for bare in nothing:
        path, _ = await made(client)
        assert (await client.post(f"{path}/revoke", json=bare)).status_code == 200
    path, _ = await made(client)
    assert (await client.post(f"{path}/revoke", headers=ANYTHING)).status_code == 200


async def test_a_secret_is_retired_in_the_state_that_was_seen(
    client: httpx.AsyncClient, described: Described
) -> None:
    """Who saw another set of secrets than there is retires none of them."""
    path, tagged = await made(client)
    assert (await client.post(f"{path}/secrets")).status_code == 201
    first = (await client.get(path)).json()["secrets"][0]["id"]
    stale = await client.delete(f"{path}/secrets/{first}", headers={"if-match": tagged})
    failed(stale, described)
    assert len((await client.get(path)).json()["secrets"]) == 2
    now = (await client.get(path)).headers["etag"]
    done = await client.delete(f"{path}/secrets/{first}", headers={"if-match": now})
    assert done.status_code == 204


# --- reading what one holds ----------------------------------------------------------------------


@each
async def test_who_holds_the_answer_is_not_sent_it_again_until_it_changes(
    client: httpx.AsyncClient, target: Target, place: str
) -> None:
    """If-None-Match works as before: 304 with the tag, weak or in a list; 200 after a change."""
    tagged = await begun(target, client, place)
    path = (await target.read(client, place)).request.url.path
    for given in (tagged, f"W/{tagged}", f'"x", {tagged}', "*"):
        answer = await client.get(path, headers={"if-none-match": given})
        assert (answer.status_code, answer.content) == (304, b""), given
        assert answer.headers["etag"] == tagged
    changed(await target.put(client, place, 2, tagged))
    answer = await client.get(path, headers={"if-none-match": tagged})
    assert answer.status_code == 200
    assert answer.headers["etag"] != tagged


async def test_a_language_of_ones_own_does_not_change_the_state_that_is_meant(
    client: httpx.AsyncClient, place: str
) -> None:
    """The tag of another day's or language's answer means the same state of a commune."""
    await begun(ATTRIBUTE, client, place)
    other = await client.get(
        f"/v1/communes/{place}", params={"on": "2025-08-01"}, headers={"accept-language": "en"}
    )
    assert other.headers["etag"] != await tag(ATTRIBUTE, client, place)
    changed(await ATTRIBUTE.put(client, place, 2, other.headers["etag"]))
