"""Reading under grants: exactly what was opened, at the usual addresses, counted, until its end."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

import httpx
import pytest
from conftest import Described, Join, Member, calling, problem
from fastapi import FastAPI
from grant_calls import (
    ABOVE,
    ELSEWHERE,
    GIVER,
    NEIGHBOUR,
    RECEIVER,
    RECEIVERS_PROVINCE,
    Item,
    end,
    give,
    read,
    revoke,
    wish,
)
from on_record import client_of, evaluated, got, numbers, ratio, record, value
from own_database import own
from unchanged import fingerprint
from value_calls import COUNT, RATE, TRUTH

from app.database import Context, Database, driver_of
from app.domain.clients import SCOPES
from app.domain.conditions import Conditions
from app.domain.grants import counting

VALUES, EVALUATIONS = "/v1/values", "/v1/evaluations"
SINCE: Final = "2020-01-01T00:00:00Z"
PHU_THO, SELECTION, TRA_VINH = "phutho.commune", "bnn3445.selection.smart", "travinh.province"
COUNTING: Final = "travinh.province.1b.1"
BEFORE: Final = ("commune-07948", "commune-07960", "commune-07966")  # what GIVER was made of
NEVER: Final = 999_999


settings, database, service = own("shared")


class Record(NamedTuple):
    """What is on record: the numbers of values and verdicts, by whose they are."""

    counts: int  # GIVER's values of today, of two indicators
    truth: int
    before: tuple[int, ...]  # those of what GIVER was made of
    phutho: int  # verdicts on GIVER, by two rulesets
    selection: int
    foreign: tuple[int, ...]  # values of others
    judged: int  # a verdict on NEIGHBOUR
    members: int  # a verdict on old Trà Vinh, in today's Vĩnh Long

    @property
    def current(self) -> list[int]:
        """Return the values that a grant of GIVER opens."""
        return sorted([self.counts, self.truth, *self.before])


@pytest.fixture(scope="session")
async def known(service: FastAPI, database: Database) -> Record:
    """Values and verdicts of the giver and of others."""
    nation = await client_of(database)
    token = service.state.tokens.issue(nation, list(SCOPES))
    async with calling(service, token=token) as http:
        counts, truth = await record(
            http, value(GIVER, COUNT, 7, "2026"), value(GIVER, TRUTH, True, "2026")
        )
        before = await record(http, *(value(unit, RATE, ratio(80, 100)) for unit in BEFORE))
        foreign = await record(
            http,
            *(value(one, COUNT, 3, "2026") for one in (NEIGHBOUR, RECEIVER, ELSEWHERE)),
            value(RECEIVER, TRUTH, False, "2026"),
        )
        when = {"period": "2025", "on": "2025-12-31"}
        phutho = await evaluated(http, PHU_THO, GIVER, **when)
        selection = await evaluated(http, SELECTION, GIVER, **when)
        judged = await evaluated(http, PHU_THO, NEIGHBOUR, **when)
        members = await evaluated(http, TRA_VINH, "84")
    return Record(
        counts["id"], truth["id"], tuple(numbers(before)), phutho["id"], selection["id"],
        tuple(numbers(foreign)), judged["id"], members["id"],
    )  # fmt: skip


@pytest.fixture
async def giver(join: Join) -> Member:
    """A client of the commune that gives."""
    return await join(GIVER)


@pytest.fixture
async def other(join: Join) -> Member:
    """A client far away, to whom nothing is granted yet."""
    return await join(ELSEWHERE)


async def seen(caller: httpx.AsyncClient, path: str, **params: Any) -> list[int]:
    """Return the numbers that a list shows, those of the caller's own unit left out."""
    items = (await got(caller, path, limit=500, **params))["items"]
    return sorted(one["id"] for one in items if one["unit"]["code"] not in (ELSEWHERE, RECEIVER))


async def opened_to(caller: Member, giver: Member, **more: Any) -> int:
    """Grant to a client; return the number of the grant."""
    return int(
        (await give(giver.http, to_territory=None, to_client=caller.client_id, **more))["id"]
    )


async def reads(giver: Member, id_: int) -> tuple[int, int]:
    """Return how many answers and how many rows were read under a grant."""
    found = (await read(giver.http, id_))["reads"]
    assert (found["last_at"] is None) == (found["count"] == 0)
    return found["count"], found["rows"]


# --- values --------------------------------------------------------------------------------------


async def test_values_are_read_at_the_same_addresses(
    known: Record, giver: Member, other: Member, described: Described
) -> None:
    """A grant of a commune opens its values and those of what it was made of, and no others."""
    assert await seen(other.http, VALUES) == []
    await opened_to(other, giver, resources=["values"])
    http = other.http
    assert await seen(http, VALUES) == known.current
    assert await seen(http, VALUES, unit=GIVER) == sorted([known.counts, known.truth])
    assert await seen(http, VALUES, unit=BEFORE[1]) == [known.before[1]]
    assert await seen(http, VALUES, under=ABOVE) == known.current
    assert await seen(http, VALUES, under=RECEIVERS_PROVINCE) == []
    assert await seen(http, VALUES, indicator=TRUTH) == [known.truth]
    assert await seen(http, VALUES, updated_since=SINCE) == known.current
    summed = await got(http, VALUES, unit=GIVER, with_predecessors="true")
    assert sorted(numbers(summed["items"])) == known.current
    (total,) = summed["computed"]
    assert (sorted(total["values"]), total["complete"]) == (list(known.before), True)
    for path in (VALUES, f"{VALUES}/{known.counts}", f"{VALUES}/{known.counts}/history"):
        answer = await http.get(path)
        described.judge(answer)
        assert answer.status_code == 200
    assert await seen(http, EVALUATIONS) == []


async def test_a_receiver_sees_what_became_of_a_value(
    giver: Member, other: Member, known: Record
) -> None:
    """Status and history of followed and retracted values are the same for both sides."""
    await opened_to(other, giver, resources=["values"])
    period = {"period": "2023-10"}
    units = {"on": "2023-10-31"}
    first, second = [
        (await record(giver.http, value("07948", COUNT, fact, **period, **units)))[0]["id"]
        for fact in (1, 2)
    ]
    await giver.http.post(f"{VALUES}/{second}/retract", json={"reason": "nhầm"})
    assert await seen(other.http, VALUES, status="superseded", **period) == [first]
    assert await seen(other.http, VALUES, status="retracted", **period) == [second]
    assert await seen(other.http, VALUES, **period) == []
    for path in (f"{VALUES}/{first}", f"{VALUES}/{second}", f"{VALUES}/{first}/history"):
        assert await got(other.http, path) == await got(giver.http, path)
    changed = await got(other.http, VALUES, updated_since=SINCE, limit=500, **period)
    assert sorted(numbers(changed["items"])) == [first, second]


async def test_own_and_granted_rows_stand_in_one_list(
    known: Record, giver: Member, join: Join
) -> None:
    """A receiver pages through both; only what the grant opened is counted."""
    receiver = await join(RECEIVER)
    id_ = await opened_to(receiver, giver, resources=["values"])
    own = [known.foreign[1], known.foreign[3]]
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = await got(receiver.http, VALUES, limit=2, period="2026", **cursor)
        found += numbers(page["items"])
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(found) == sorted([known.counts, known.truth, *own])
    assert (await reads(giver, id_))[1] == 2


# --- evaluations ---------------------------------------------------------------------------------


async def test_evaluations_are_read_at_the_same_addresses(
    known: Record, giver: Member, other: Member, described: Described
) -> None:
    """A grant of a commune opens its verdicts whole, and those of nobody else."""
    assert await seen(other.http, EVALUATIONS) == []
    await opened_to(other, giver, resources=["evaluations"])
    http, both = other.http, sorted([known.phutho, known.selection])
    assert await seen(http, EVALUATIONS) == both
    assert await seen(http, EVALUATIONS, latest="true", unit=GIVER) == both
    assert await seen(http, EVALUATIONS, under=ABOVE, ruleset=PHU_THO) == [known.phutho]
    assert await seen(http, EVALUATIONS, updated_since=SINCE) == both
    for path in (
        f"{EVALUATIONS}/{known.phutho}",
        f"{EVALUATIONS}/{known.phutho}/compare/{known.selection}",
    ):
        answer = await http.get(path)
        described.judge(answer)
        assert answer.json() == (await giver.http.get(path)).json()
    answer = await http.post(f"{EVALUATIONS}/{known.phutho}/replay")
    assert (answer.status_code, answer.json()) == (200, {"same": True})
    assert (
        await http.get(f"{EVALUATIONS}/{known.phutho}/compare/{known.judged}")
    ).status_code == 404
    assert await seen(http, VALUES) == []


async def test_members_of_a_granted_verdict_are_read(
    known: Record, join: Join, other: Member
) -> None:
    """A province opens a verdict on what it was made of, member by member."""
    province = await join(RECEIVERS_PROVINCE)
    id_ = await opened_to(other, province, from_territory=RECEIVERS_PROVINCE)
    path = f"{EVALUATIONS}/{known.members}/members"
    found = await got(other.http, path, criterion=COUNTING)
    assert found == await got(province.http, path, criterion=COUNTING)
    assert found["items"]
    assert await reads(province, id_) == (1, 1)


# --- who receives --------------------------------------------------------------------------------

# Who gives what, and to whom: upward to another province, sideways, downward, a whole province.
WAYS: Final = (
    (GIVER, GIVER, RECEIVERS_PROVINCE),
    (GIVER, GIVER, RECEIVER),
    (GIVER, GIVER, NEIGHBOUR),
    (ABOVE, GIVER, "01"),
    (ABOVE, ABOVE, "00008"),
)


@pytest.mark.parametrize(("giving", "opened", "to"), WAYS)
async def test_clients_of_exactly_the_unit_receive(
    known: Record, join: Join, giving: str, opened: str, to: str
) -> None:
    """Every client of the unit reads from the next request on; those above and below do not."""
    client = (await join(giving)).http
    receiver = await join(to)
    assert (await receiver.http.get(f"{VALUES}/{known.counts}")).status_code == 404
    id_ = (await give(client, from_territory=opened, to_territory=to))["id"]
    for one in (receiver, await join(to)):
        assert (await one.http.get(f"{VALUES}/{known.counts}")).status_code == 200
        assert (await one.http.get(f"{EVALUATIONS}/{known.phutho}")).status_code == 200
        judged = await one.http.get(f"{EVALUATIONS}/{known.judged}")
        assert judged.status_code == (200 if opened == ABOVE or to == NEIGHBOUR else 404)
    for near in {RECEIVERS_PROVINCE, RECEIVER, NEIGHBOUR, "01", ELSEWHERE} - {to}:
        near_by = (await join(near)).http
        assert (await near_by.get(f"{VALUES}/{known.counts}")).status_code == 404, near
    assert (await revoke(client, id_)).status_code == 200


# --- narrowed ------------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["checked", "by row security alone"])
def checked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with the application's own condition, and without it: the database enforces it too."""
    if not request.param:
        monkeypatch.setattr(Conditions, "seen", lambda self, sight, row: None)


@pytest.mark.usefixtures("checked")
async def test_a_grant_of_indicators_opens_their_values_only(
    known: Record, giver: Member, other: Member
) -> None:
    """Values of other indicators stay closed, one by one and in every list."""
    await opened_to(other, giver, resources=["values"], indicators=[COUNT])
    http = other.http
    assert known.counts in await seen(http, VALUES)
    assert known.truth not in await seen(http, VALUES)
    assert known.truth not in await seen(http, VALUES, updated_since=SINCE)
    assert await seen(http, VALUES, unit=GIVER) == [known.counts]
    assert (await got(http, VALUES, unit=GIVER, with_predecessors="true"))["computed"] == []
    assert (await http.get(f"{VALUES}/{known.counts}/history")).status_code == 200
    for path in (f"{VALUES}/{known.truth}", f"{VALUES}/{known.truth}/history"):
        assert (await http.get(path)).status_code == 404
    await opened_to(other, giver, resources=["values"], indicators=[TRUTH])
    assert await seen(http, VALUES, unit=GIVER) == sorted([known.counts, known.truth])


@pytest.mark.usefixtures("checked")
async def test_a_grant_of_rulesets_opens_their_verdicts_only(
    known: Record, giver: Member, other: Member
) -> None:
    """Verdicts by other rulesets stay closed, one by one, in lists and in comparisons."""
    await opened_to(other, giver, resources=["evaluations"], rulesets=[SELECTION])
    http = other.http
    assert await seen(http, EVALUATIONS) == [known.selection]
    assert await seen(http, EVALUATIONS, updated_since=SINCE) == [known.selection]
    assert await seen(http, EVALUATIONS, latest="true") == [known.selection]
    assert await seen(http, VALUES) == []
    for path in (f"{known.phutho}", f"{known.phutho}/members?criterion=phutho.1.1.1",
                 f"{known.selection}/compare/{known.phutho}",
                 f"{known.phutho}/compare/{known.selection}"):  # fmt: skip
        assert (await http.get(f"{EVALUATIONS}/{path}")).status_code == 404, path
    replay = await http.post(f"{EVALUATIONS}/{known.phutho}/replay")
    assert replay.status_code == 404


@pytest.mark.usefixtures("checked")
async def test_foreign_numbers_are_answered_as_if_they_never_were(
    known: Record, giver: Member, other: Member
) -> None:
    """Also who holds a grant cannot tell what is not granted from what does not exist."""
    await opened_to(other, giver)
    for path, foreign in (
        *((f"{VALUES}/{{}}", one) for one in known.foreign[:2]),
        (f"{VALUES}/{{}}/history", known.foreign[0]),
        (f"{EVALUATIONS}/{{}}", known.judged),
        (f"{EVALUATIONS}/{{}}/members?criterion={COUNTING}", known.members),
        (f"{EVALUATIONS}/{{}}/compare/{known.phutho}", known.judged),
        (f"{EVALUATIONS}/{known.phutho}/compare/{{}}", known.judged),
    ):
        one = await other.http.get(path.format(foreign))
        never = await other.http.get(path.format(NEVER))
        assert one.status_code == never.status_code == 404, path
        assert re.sub(rf"\b{foreign}\b", "N", one.text) == never.text.replace(str(NEVER), "N")


# --- the end -------------------------------------------------------------------------------------


async def _revoked(giver: Member, _: Database, id_: int) -> None:
    assert (await revoke(giver.http, id_)).status_code == 200


async def _ended(_: Member, database: Database, id_: int) -> None:
    await end(database, id_)


@pytest.mark.usefixtures("checked")
@pytest.mark.parametrize("over", [_revoked, _ended])
async def test_from_the_end_on_nothing_is_open(
    known: Record,
    giver: Member,
    other: Member,
    database: Database,
    over: Callable[[Member, Database, int], Awaitable[None]],
) -> None:
    """The very next request after a revocation, or after the last day, is answered with nothing."""
    id_ = await opened_to(other, giver)
    paths = (f"{VALUES}/{known.counts}", f"{VALUES}/{known.counts}/history",
             f"{EVALUATIONS}/{known.phutho}")  # fmt: skip
    for path in paths:
        assert (await other.http.get(path)).status_code == 200
    await over(giver, database, id_)
    counted = await reads(giver, id_)
    for path in paths:
        assert (await other.http.get(path)).status_code == 404
    assert await seen(other.http, VALUES) == await seen(other.http, EVALUATIONS) == []
    answer = await other.http.get(VALUES, params={"unit": GIVER})
    assert problem(answer)["code"] == "outside-territory"
    assert await reads(giver, id_) == counted


@pytest.mark.parametrize("over", [_revoked, _ended])
async def test_row_security_alone_ends_a_grant_and_knows_whose_it_is(
    known: Record,
    giver: Member,
    other: Member,
    join: Join,
    database: Database,
    over: Callable[[Member, Database, int], Awaitable[None]],
) -> None:
    """A transaction that is told of a grant sees its rows while it holds, for its receiver only."""
    id_ = await opened_to(other, giver)
    stranger = await join(ELSEWHERE)

    async def rows(member: Member) -> list[int]:
        told = Context(client=member.client_id, grants=(id_,))
        async with database.acting_for(told).reading() as connection:
            values = "SELECT id FROM value UNION SELECT value_id FROM current_value"
            found = await connection.fetch(f"{values} UNION SELECT value_id FROM value_event")
            judged = await connection.fetch("SELECT id FROM evaluation")
        return [len(found), len(judged)]

    assert min(await rows(other)) > 0
    assert await rows(stranger) == [0, 0]
    await over(giver, database, id_)
    assert await rows(other) == [0, 0]


# --- never a write -------------------------------------------------------------------------------


async def test_nothing_is_written_under_a_grant(
    known: Record, giver: Member, other: Member, join: Join, database: Database
) -> None:
    """With a grant of everything, writing is refused as it is without one, and changes nothing."""
    await opened_to(other, giver)
    stranger = await join(ELSEWHERE)
    entry = value(GIVER, COUNT, 9, "2026")
    measure = {"value": True, "source": "thử"}
    before = await fingerprint(database)
    for method, path, body in (
        ("POST", VALUES, {"values": [entry]}),
        ("PUT", f"/v1/communes/{GIVER}/values/2026/{TRUTH}", measure),
        ("POST", f"{VALUES}/{known.counts}/retract", {"reason": "thử"}),
        ("POST", EVALUATIONS, {"ruleset": PHU_THO, "unit": GIVER, "period": "2026"}),
        ("POST", f"/v1/communes/{GIVER}/hamlets",
         {"code": f"{GIVER}-09", "name": "Khu 9", "type": "ap", "valid_from": "2025-08-01"}),
        ("POST", "/v1/grants", wish(to_territory=RECEIVER)),
    ):  # fmt: skip
        refused = await other.http.request(method, path, json=body)
        assert refused.status_code == 404, (path, refused.text)
        assert refused.text == (await stranger.http.request(method, path, json=body)).text
    assert await fingerprint(database) == before


# --- replays -------------------------------------------------------------------------------------


async def test_a_replay_says_nothing_of_values_that_are_not_granted(
    giver: Member, other: Member, join: Join, database: Database
) -> None:
    """A value altered or missing is a difference for those who may see it, and for nobody else."""
    unit, when = "08170", {"period": "2024", "on": "2024-12-31"}
    owner = await join("08152")
    (stored,) = await record(owner.http, value(unit, RATE, ratio(80, 100), on="2024-12-31"))
    judged = (await evaluated(owner.http, PHU_THO, unit, **when))["id"]
    entitled = await join(ELSEWHERE)
    await opened_to(other, owner, from_territory="08152", resources=["evaluations"])
    await opened_to(entitled, owner, from_territory="08152")

    async def said() -> list[Item]:
        callers = (owner, entitled, other)
        return [(await one.http.post(f"{EVALUATIONS}/{judged}/replay")).json() for one in callers]

    assert await said() == [{"same": True}] * 3
    await _altered(database, "UPDATE value SET numerator = 70 WHERE id = $1", stored["id"])
    mine, entitled_too, blind = await said()
    assert mine == entitled_too
    assert [one["now"] for one in mine["differences"]] == [70]
    assert blind == {"same": True}
    await _altered(database, "DELETE FROM current_value WHERE value_id = $1", stored["id"])
    await _altered(database, "DELETE FROM value WHERE id = $1", stored["id"])
    mine, entitled_too, blind = await said()
    assert not mine["same"]
    assert entitled_too == blind == {"same": True}


async def _altered(database: Database, statement: str, *given: object) -> None:
    async with database.as_owner() as connection:
        assert (await (await driver_of(connection)).execute(statement, *given)).endswith(" 1")


# --- counted -------------------------------------------------------------------------------------


async def test_every_read_is_counted_with_its_rows(
    known: Record, giver: Member, other: Member, database: Database
) -> None:
    """Each answer with rows that the grant opened is one read; both sides see the sum."""
    id_ = await opened_to(other, giver)
    http, rows, count = other.http, 0, 0
    for method, path, opened in (
        ("GET", VALUES, len(await seen(giver.http, VALUES))),
        ("GET", f"{VALUES}?unit={ELSEWHERE}", 0),  # one's own, which no grant opens
        ("GET", f"{VALUES}?unit={GIVER}", 2),
        ("GET", f"{VALUES}?unit={GIVER}&limit=1", 1),
        # One row on the page, three more in the sum.
        ("GET", f"{VALUES}?unit={GIVER}&with_predecessors=true&limit=1&period=2026", 1),
        ("GET", f"{VALUES}?unit={GIVER}&with_predecessors=true&indicator={RATE}&limit=1", 3),
        ("GET", f"{VALUES}?unit={GIVER}&updated_since={SINCE}", 2),
        ("HEAD", f"{VALUES}/{known.counts}", 1),
        ("GET", f"{VALUES}/{known.counts}", 1),
        ("GET", f"{VALUES}/{known.counts}/history", 1),
        ("GET", f"{EVALUATIONS}?unit={GIVER}", 2),
        ("GET", f"{EVALUATIONS}/{known.phutho}", 1),
        ("GET", f"{EVALUATIONS}/{known.phutho}/compare/{known.selection}", 2),
        ("GET", f"{EVALUATIONS}/{known.phutho}/compare/{known.phutho}", 1),
        ("POST", f"{EVALUATIONS}/{known.phutho}/replay", 1),
        ("GET", f"{VALUES}/{known.foreign[0]}", 0),
        ("GET", f"{EVALUATIONS}/{known.judged}", 0),
        ("GET", f"{VALUES}?unit={NEIGHBOUR}", 0),
        ("GET", f"{VALUES}?limit=0", 0),
        ("GET", "/v1/units/07948", 0),
    ):
        await http.request(method, path)
        rows, count = rows + opened, count + bool(opened)
        assert await reads(giver, id_) == (count, rows), path
    assert (await read(other.http, id_))["reads"] == (await read(giver.http, id_))["reads"]
    assert await _resources(database, id_) == {"values", "evaluations"}


async def _resources(database: Database, id_: int) -> set[str]:
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT resource FROM data_grant_read WHERE grant_id = $1", id_
        )
    return {row["resource"] for row in rows}


async def test_a_read_is_on_record_with_its_client_and_request(
    known: Record, giver: Member, other: Member, database: Database
) -> None:
    """Also an answer that says only that nothing changed is a read."""
    id_ = await opened_to(other, giver)
    path = f"{VALUES}/{known.counts}"
    first = await other.http.get(path, headers={"x-request-id": "read-1"})
    tag = first.headers["etag"]
    again = await other.http.get(path, headers={"x-request-id": "read-2", "if-none-match": tag})
    assert again.status_code == 304
    async with database.reading() as connection:
        found = await connection.fetch(
            "SELECT client, request_id, resource, rows FROM data_grant_read WHERE grant_id = $1"
            " ORDER BY id",
            id_,
        )
    assert [tuple(row) for row in found] == [
        (other.client_id, f"read-{number}", "values", 1) for number in (1, 2)
    ]


async def test_a_row_that_several_grants_open_is_counted_under_the_first(
    known: Record, giver: Member, other: Member, join: Join
) -> None:
    """Each row is counted once; what only the later grant opens is counted there."""
    narrow = await opened_to(other, giver, resources=["values"], indicators=[COUNT])
    wide = await opened_to(other, await join(ABOVE), resources=["values"], from_territory=ABOVE)
    await got(other.http, VALUES, period="2026", under=ABOVE)
    assert await reads(giver, narrow) == (1, 1)
    assert await reads(await join(ABOVE), wide) == (1, 2)


async def test_own_reads_and_those_of_the_nation_are_not_counted(
    known: Record, giver: Member, join: Join
) -> None:
    """Who reaches a row anyway reads nothing under a grant."""
    province, nation = await join(ABOVE), await join("VN")
    up = await opened_to(province, giver)
    top = await opened_to(nation, giver)
    for one in (province, nation, giver):
        await got(one.http, VALUES, unit=GIVER)
        await got(one.http, f"{EVALUATIONS}/{known.phutho}")
    assert await reads(giver, up) == await reads(giver, top) == (0, 0)


async def test_what_cannot_be_counted_is_not_answered(
    known: Record, giver: Member, other: Member, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grant that ends between reading and counting: 503, no row shown, nothing counted."""
    id_ = await opened_to(other, giver)
    real = counting.count

    async def late(opened: Database, caller: Any, resource: str, ids: Iterable[int]) -> None:
        await end(database, id_)
        await real(opened, caller, resource, ids)

    monkeypatch.setattr(counting, "count", late)
    answer = await other.http.get(f"{VALUES}/{known.counts}")
    assert answer.status_code == 503
    assert problem(answer)["errors"] == []
    assert answer.headers["retry-after"]
    assert await reads(giver, id_) == (0, 0)
