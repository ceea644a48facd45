"""Grants over HTTP: given within one's territory, seen by both sides, ended and revoked."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any, Final

import httpx
import pytest
from conftest import Described, Join, Member, problem
from grant_calls import (
    ABOVE,
    ELSEWHERE,
    GIVER,
    GRANTS,
    NEIGHBOUR,
    PURPOSE,
    RECEIVER,
    RECEIVERS_PROVINCE,
    end,
    give,
    later,
    listed,
    read,
    revoke,
    wish,
)
from on_record import places
from own_database import own
from unchanged import fingerprint

from app.database import Database
from app.domain.clock import today
from app.domain.grants import giving

NEVER: Final = 999_999
FAR: Final = "00008"  # of Hà Nội too
NOBODY: Final = "ntm-0000000000000000"
OFFICIAL: Final = {"id": "CB-0042", "office": "UBND xã", "position": "Chủ tịch"}
SHOWN: Final = {
    "id", "version", "from_territory", "to_client", "to_territory", "resources", "rulesets",
    "indicators", "purpose", "until", "state", "granted_at", "granted_by", "revoked_at",
    "revoked_by", "reason", "reads",
}  # fmt: skip
UNREAD: Final = {"count": 0, "rows": 0, "last_at": None}


settings, database, service = own("grants")


@pytest.fixture
async def giver(join: Join) -> Member:
    """A client of the commune that gives."""
    return await join(GIVER)


@pytest.fixture
async def receiver(join: Join) -> Member:
    """A client of the commune that receives."""
    return await join(RECEIVER)


# --- giving --------------------------------------------------------------------------------------


async def test_a_grant_is_answered_as_it_is_read_by_both_sides(
    giver: Member, receiver: Member, described: Described
) -> None:
    """What was given is shown whole, at its address, the same to the giver and the receiver."""
    answer = await giver.http.post(GRANTS, json=wish(acting_official=OFFICIAL))
    described.judge(answer)
    assert answer.status_code == 201
    found = answer.json()
    assert set(found) == SHOWN
    assert answer.headers["location"] == f"{GRANTS}/{found['id']}"
    assert found | {"id": 0, "granted_at": ""} == {
        "id": 0,
        "version": found["version"],
        "from_territory": {
            "unit": "commune-07948-2025", "code": GIVER, "level": "commune",
            "name": found["from_territory"]["name"],
        },
        "to_client": None,
        "to_territory": {
            "unit": "commune-29266-2025", "code": RECEIVER, "level": "commune",
            "name": found["to_territory"]["name"],
        },
        "resources": ["values", "evaluations"],
        "rulesets": None,
        "indicators": None,
        "purpose": PURPOSE,
        "until": later(),
        "state": "active",
        "granted_at": "",
        "granted_by": giver.client_id,
        "revoked_at": None,
        "revoked_by": None,
        "reason": None,
        "reads": UNREAD,
    }  # fmt: skip
    for side in (giver, receiver):
        shown = await side.http.get(f"{GRANTS}/{found['id']}")
        described.judge(shown)
        assert shown.json() == found
        assert shown.headers["etag"]


async def test_a_grant_to_a_client_names_it_and_what_it_narrows(giver: Member) -> None:
    """The client, the rulesets and the indicators are kept as they were given."""
    found = await give(
        giver.http, to_territory=None, to_client=NOBODY, rulesets=["phutho.commune"],
        indicators=["commune_has_cooperative"], until=f"{later(200)}T17:00:00.250+07:00",
    )  # fmt: skip
    assert (found["to_client"], found["to_territory"]) == (NOBODY, None)
    assert found["rulesets"] == ["phutho.commune"]
    assert found["indicators"] == ["commune_has_cooperative"]
    ends = datetime.datetime.fromisoformat(found["until"])
    assert ends == datetime.datetime.fromisoformat(f"{later(200)}T10:00:00.250+00:00")


async def test_a_client_that_exists_is_answered_like_one_that_does_not(
    giver: Member, receiver: Member
) -> None:
    """Giving tells nothing about the clients of others."""
    answers = []
    for client_id in (receiver.client_id, NOBODY):
        answer = await giver.http.post(GRANTS, json=wish(to_territory=None, to_client=client_id))
        named = ("id", "granted_at", "to_client")
        answers.append(
            (answer.status_code, {n: v for n, v in answer.json().items() if n not in named})
        )
    assert answers[0] == answers[1]


# Field, value, place and code of what is wrong with it.
WRONG: Final[tuple[tuple[dict[str, Any], str, str], ...]] = (
    ({"from_territory": "VN"}, "/from_territory", "wrong-level"),
    ({"from_territory": 7948}, "/from_territory", "wrong-type"),
    ({"from_territory": None}, "/from_territory", "missing-field"),
    ({"to_client": NOBODY}, "", "wrong-value"),
    ({"to_territory": None}, "", "missing-field"),
    ({"to_territory": GIVER}, "/to_territory", "wrong-value"),
    ({"to_territory": None, "to_client": "ntm-1"}, "/to_client", "wrong-value"),
    ({"to_territory": None, "to_client": 1}, "/to_client", "wrong-type"),
    ({"resources": None}, "/resources", "missing-field"),
    ({"resources": []}, "/resources", "wrong-value"),
    ({"resources": ["clients"]}, "/resources/0", "wrong-value"),
    ({"resources": ["values", "values"]}, "/resources/1", "duplicate-member"),
    ({"rulesets": []}, "/rulesets", "wrong-value"),
    ({"rulesets": ["nowhere.commune"]}, "/rulesets/0", "unknown-ruleset"),
    ({"rulesets": ["phutho.commune"] * 2}, "/rulesets/1", "duplicate-member"),
    ({"rulesets": ["phutho.commune"], "resources": ["values"]}, "/rulesets", "wrong-value"),
    ({"indicators": []}, "/indicators", "wrong-value"),
    ({"indicators": ["nothing_rate"]}, "/indicators/0", "unknown-indicator"),
    ({"indicators": ["area_island"] * 2, "resources": ["evaluations"]}, "", ""),
    ({"indicators": ["commune_has_cooperative"], "resources": ["evaluations"]}, "/indicators",
     "wrong-value"),
    ({"purpose": None}, "/purpose", "missing-field"),
    ({"purpose": "  "}, "/purpose", "wrong-value"),
    ({"purpose": "a\u202eb"}, "/purpose", "wrong-value"),
    ({"purpose": "x" * 201}, "/purpose", "wrong-value"),
    ({"until": None}, "/until", "missing-field"),
    ({"until": "tomorrow"}, "/until", "wrong-type"),
    ({"until": "2027-06-30T17:00:00"}, "/until", "wrong-type"),
    ({"until": 20270630}, "/until", "wrong-type"),
    ({"until": later(-1)}, "/until", "wrong-value"),
    ({"until": "2026-01-01T00:00:00Z"}, "/until", "wrong-value"),
    ({"until": later(365 * 5 + 3)}, "/until", "wrong-value"),
    ({"acting_official": {"id": "1", "office": "UBND"}}, "/acting_official/position",
     "missing-field"),
    ({"acting_official": {**OFFICIAL, "name": "x"}}, "/acting_official/name", "unknown-field"),
    ({"units": [1]}, "/units", "unknown-field"),
)  # fmt: skip


@pytest.mark.parametrize(("other", "place", "code"), WRONG, ids=lambda one: json.dumps(one)[:60])
async def test_a_wrong_field_is_refused_at_its_place(
    giver: Member, database: Database, described: Described, other: Any, place: str, code: str
) -> None:
    """What is wrong with a grant is named with its place, and nothing is stored."""
    before = await fingerprint(database)
    answer = await giver.http.post(GRANTS, json=wish(**other))
    described.judge(answer)
    found = problem(answer)
    assert found["status"] == 422
    if code:
        assert places(found) == [(place, code)]
    else:
        assert len(found["errors"]) > 1  # everything that is wrong is named at once
    assert await fingerprint(database) == before


@pytest.mark.parametrize("days", [0, 1, 365 * 5])
async def test_a_grant_holds_until_the_end_of_its_last_day_in_vietnam(
    giver: Member, database: Database, days: int
) -> None:
    """A day means midnight after it by Vietnam's clock; today and five years ahead are taken."""
    found = await give(giver.http, until=later(days))
    async with database.reading() as connection:
        until = await connection.fetchval("SELECT until FROM data_grant WHERE id = $1", found["id"])
    after = today() + datetime.timedelta(days=days + 1)
    assert until.astimezone(datetime.timezone(datetime.timedelta(hours=7))) == (
        datetime.datetime.fromisoformat(f"{after}T00:00:00+07:00")
    )


@pytest.mark.parametrize(
    ("unit", "code"),
    [(NEIGHBOUR, "outside-territory"), (ABOVE, "outside-territory"),
     (ELSEWHERE, "outside-territory"), ("99999", "unit-not-found"), ("84", "unit-not-found")],
)  # fmt: skip
async def test_only_what_lies_within_ones_territory_is_given(
    giver: Member, described: Described, unit: str, code: str
) -> None:
    """What lies above, beside or elsewhere, or has ended, cannot be opened: 404."""
    answer = await giver.http.post(GRANTS, json=wish(from_territory=unit))
    described.judge(answer)
    assert (answer.status_code, problem(answer)["code"]) == (404, code)


async def test_an_office_gives_what_lies_below_it(join: Join, giver: Member) -> None:
    """A province gives of its commune; the commune sees it as a grant of its own."""
    province = await join(ABOVE)
    found = await give(province.http)
    assert (await read(giver.http, found["id"]))["granted_by"] == province.client_id


async def test_nothing_is_granted_to_oneself(giver: Member, join: Join) -> None:
    """Neither the caller, nor its own unit, nor the unit that is opened can receive."""
    province = await join(ABOVE)
    for caller, other in (
        (giver, {"to_territory": None, "to_client": giver.client_id}),
        (province, {"to_territory": ABOVE}),
        (province, {"to_territory": GIVER}),
    ):
        found = problem(await caller.http.post(GRANTS, json=wish(**other)))
        assert (found["status"], found["code"]) == (422, "wrong-value")


async def test_giving_and_revoking_needs_the_scope_of_administration(join: Join) -> None:
    """Who may only read or record neither gives nor revokes; whoever reads may list."""
    writer = await join(GIVER, "read", "values:write")
    administrator = await join(GIVER)
    id_ = (await give(administrator.http))["id"]
    for answer in (
        await writer.http.post(GRANTS, json=wish()),
        await revoke(writer.http, id_),
    ):
        assert (answer.status_code, problem(answer)["code"]) == (403, "insufficient-scope")
    assert id_ in await listed(writer.http)
    assert (await read(writer.http, id_))["state"] == "active"


async def test_the_same_request_under_the_same_key_gives_once(giver: Member) -> None:
    """A request sent again under its key gets the same answer and makes no second grant."""
    headers = {"idempotency-key": "grant-1"}
    before = len(await listed(giver.http))
    first = await giver.http.post(GRANTS, json=wish(), headers=headers)
    again = await giver.http.post(GRANTS, json=wish(), headers=headers)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await listed(giver.http)) == before + 1


async def test_a_client_gives_one_receiver_a_limited_number_of_grants(
    giver: Member, described: Described, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that hold are counted, for each receiver: one client cannot bury another in grants."""
    monkeypatch.setattr(giving, "MOST_GRANTS", 2)
    first = (await give(giver.http, to_territory=FAR))["id"]
    await give(giver.http, to_territory=FAR)
    answer = await giver.http.post(GRANTS, json=wish(to_territory=FAR))
    described.judge(answer)
    assert (answer.status_code, problem(answer)["code"]) == (409, "too-many-grants")
    await give(giver.http)  # to another one
    await revoke(giver.http, first)
    await give(giver.http, to_territory=FAR)


# --- both sides ----------------------------------------------------------------------------------


async def test_both_sides_and_nobody_else_see_a_grant(join: Join, described: Described) -> None:
    """Giver, offices above it and receivers see it; to others it is as if it never was."""
    giver, receiver = await join(GIVER), await join(RECEIVER)
    id_ = (await give(giver.http))["id"]
    for member in (giver, await join(ABOVE), await join("VN"), receiver, await join(RECEIVER)):
        assert id_ in await listed(member.http)
        assert (await read(member.http, id_))["id"] == id_
    for territory in (NEIGHBOUR, RECEIVERS_PROVINCE, ELSEWHERE):
        member = await join(territory)
        assert id_ not in await listed(member.http)
        for send in (member.http.get, lambda path, http=member.http: revoke(http, _number(path))):
            foreign = await send(f"{GRANTS}/{id_}")
            described.judge(foreign)
            never = await send(f"{GRANTS}/{NEVER}")
            assert foreign.status_code == never.status_code == 404
            assert problem(foreign)["code"] == "grant-not-found"
            assert foreign.text.replace(str(id_), "N") == never.text.replace(str(NEVER), "N")


def _number(path: str) -> int:
    return int(path.rpartition("/")[2])


async def test_a_grant_to_a_client_is_seen_by_that_client_alone(join: Join) -> None:
    """Other clients of the same unit are not receivers."""
    giver, one, other = await join(GIVER), await join(RECEIVER), await join(RECEIVER)
    id_ = (await give(giver.http, to_territory=None, to_client=one.client_id))["id"]
    assert id_ in await listed(one.http, direction="received")
    assert id_ not in await listed(other.http)
    assert (await other.http.get(f"{GRANTS}/{id_}")).status_code == 404


async def test_lists_are_narrowed_by_direction_state_and_resource(
    join: Join, database: Database
) -> None:
    """Each filter leaves exactly the grants that fit it, the newest first."""
    giver, receiver = await join(NEIGHBOUR), await join(ELSEWHERE)
    common = {"from_territory": NEIGHBOUR, "to_territory": ELSEWHERE}
    values = (await give(giver.http, **common, resources=["values"]))["id"]
    judged = (await give(giver.http, **common, resources=["evaluations"]))["id"]
    revoked = (await give(giver.http, **common))["id"]
    ended = (await give(giver.http, **common))["id"]
    back = (await give(receiver.http, from_territory=ELSEWHERE, to_territory=NEIGHBOUR))["id"]
    assert (await revoke(giver.http, revoked)).status_code == 200
    await end(database, ended)
    for params, wanted in (
        ({}, [back, ended, revoked, judged, values]),
        ({"direction": "given"}, [ended, revoked, judged, values]),
        ({"direction": "received"}, [back]),
        ({"state": "active"}, [back, judged, values]),
        ({"state": "ended"}, [ended]),
        ({"state": "revoked"}, [revoked]),
        ({"resource": "values"}, [back, ended, revoked, values]),
        ({"resource": "evaluations", "state": "active", "direction": "given"}, [judged]),
    ):  # fmt: skip
        assert await listed(giver.http, **params) == wanted, params
    assert await listed(receiver.http, direction="given") == [back]
    assert await listed(receiver.http, direction="received") == [ended, revoked, judged, values]


async def test_a_list_is_read_page_by_page(join: Join, described: Described) -> None:
    """Pages follow each other without gap or repetition; a cursor belongs to its filters."""
    giver = await join(GIVER)
    for _ in range(3):
        await give(giver.http)
    whole = await listed(giver.http)
    found: list[int] = []
    place: dict[str, str] = {}
    while True:
        answer = await giver.http.get(GRANTS, params={"limit": "2"} | place)
        described.judge(answer)
        found += [one["id"] for one in answer.json()["items"]]
        if answer.json()["next"] is None:
            break
        place = {"cursor": answer.json()["next"]}
        other = await giver.http.get(GRANTS, params=place | {"state": "active"})
        assert problem(other)["code"] == "invalid-cursor"
    assert found == whole


@pytest.mark.parametrize(
    "params", [{"direction": "both"}, {"state": "gone"}, {"resource": "clients"}, {"x": "1"}]
)
async def test_a_filter_that_is_none_is_refused(giver: Member, params: dict[str, str]) -> None:
    """A filter is one of its words."""
    assert (await giver.http.get(GRANTS, params=params)).status_code == 422


# --- revoking ------------------------------------------------------------------------------------


async def test_a_grant_is_revoked_once_and_says_by_whom_and_why(
    join: Join, described: Described
) -> None:
    """The first revocation stays: a second one changes nothing and is answered the same."""
    giver, province = await join(GIVER), await join(ABOVE)
    given = await give(giver.http)
    answer = await revoke(province.http, given["id"], reason="hết việc", acting_official=OFFICIAL)
    described.judge(answer)
    assert answer.status_code == 200
    found = answer.json()
    assert found["version"] != given["version"]
    assert (found["state"], found["reason"]) == ("revoked", "hết việc")
    assert found["revoked_by"] == province.client_id
    assert found["revoked_at"] >= found["granted_at"]
    again = await revoke(giver.http, given["id"], reason="lại")
    assert (again.status_code, again.json()) == (200, found)
    assert await read(giver.http, given["id"]) == found


async def test_a_receiver_cannot_revoke_and_is_told_who_can(join: Join) -> None:
    """The receiver sees the grant: 403, and it stays as it is."""
    giver, receiver = await join(GIVER), await join(RECEIVER)
    id_ = (await give(giver.http))["id"]
    answer = await revoke(receiver.http, id_)
    assert (answer.status_code, problem(answer)["code"]) == (403, "not-the-giver")
    assert (await read(giver.http, id_))["state"] == "active"


async def test_what_ended_by_itself_stays_ended(giver: Member, database: Database) -> None:
    """Revoking a grant after its end changes nothing."""
    id_ = (await give(giver.http))["id"]
    await end(database, id_)
    found = (await revoke(giver.http, id_)).json()
    assert (found["state"], found["revoked_at"]) == ("ended", None)


async def test_revocations_at_the_same_time_leave_one_on_record(
    giver: Member, database: Database
) -> None:
    """Of several revocations at once one is recorded, in the grant and in the audit."""
    id_ = (await give(giver.http))["id"]
    answers = await asyncio.gather(*(revoke(giver.http, id_, reason=str(n)) for n in range(5)))
    assert {one.status_code for one in answers} == {200}
    assert len({one.json()["reason"] for one in answers}) == 1
    assert [one["action"] for one in await acts(database, id_)] == ["grant.given", "grant.revoked"]


async def test_of_revocations_that_mean_the_same_state_one_is_taken(giver: Member) -> None:
    """Whoever comes second meant a state that is gone: 412, also when both come at once."""
    given = await give(giver.http)
    answers = await asyncio.gather(
        *(revoke(giver.http, given["id"], version=given["version"]) for _ in range(5))
    )
    assert sorted(one.status_code for one in answers) == [200, 412, 412, 412, 412]


@pytest.mark.parametrize(
    ("body", "place"),
    [({"reason": " "}, "/reason"), ({"reason": 1}, "/reason"), ({"why": "x"}, "/why"),
     ({"acting_official": {}}, "/acting_official/id"), ({"version": 1}, "/version")],
)  # fmt: skip
async def test_a_wrong_revocation_is_refused_at_its_place(
    giver: Member, body: dict[str, Any], place: str
) -> None:
    """Each field of a revocation is checked."""
    id_ = (await give(giver.http))["id"]
    found = problem(await revoke(giver.http, id_, **body))
    assert found["status"] == 422
    assert place in [at for at, _ in places(found)]


async def test_a_revocation_may_say_which_state_it_means(
    giver: Member, described: Described
) -> None:
    """By header or field: an older state is refused, the present one and any are taken."""
    given = await give(giver.http)
    path = f"{GRANTS}/{given['id']}/revoke"
    read_as = (await giver.http.get(f"{GRANTS}/{given['id']}")).headers["etag"]
    for headers, body in (({"if-match": '"0-x"'}, {}), ({}, {"version": "0"})):
        refused = await giver.http.post(path, headers=headers, json=body)
        described.judge(refused)
        assert (refused.status_code, problem(refused)["code"]) == (412, "precondition-failed")
    assert (await read(giver.http, given["id"]))["state"] == "active"
    done = await giver.http.post(path, headers={"if-match": read_as})
    assert (done.status_code, done.json()["state"]) == (200, "revoked")
    late = await giver.http.post(path, headers={"if-match": read_as})
    assert late.status_code == 412
    for headers, body in (
        ({"if-match": "*"}, {}),
        ({"if-match": done.headers["etag"]}, {}),
        ({}, {"version": done.json()["version"]}),
    ):
        again = await giver.http.post(path, headers=headers, json=body)
        assert (again.status_code, again.json()) == (200, done.json())


# --- on record -----------------------------------------------------------------------------------


async def acts(database: Database, id_: int) -> list[Any]:
    """Return what the audit says of a grant, oldest first."""
    async with database.reading() as connection:
        return list(
            await connection.fetch(
                "SELECT a.*, u.key FROM audit_entry a JOIN unit u ON u.id = a.unit_id"
                " WHERE (a.details::json ->> 'grant')::bigint = $1 ORDER BY a.id",
                id_,
            )
        )


async def test_giving_and_revoking_stand_in_the_audit(giver: Member, database: Database) -> None:
    """Who gave and revoked, for which official, which unit, why, and in which request."""
    answer = await giver.http.post(
        GRANTS, json=wish(acting_official=OFFICIAL), headers={"x-request-id": "give-1"}
    )
    id_ = answer.json()["id"]
    await revoke(giver.http, id_, reason="hết việc")
    given, revoked = await acts(database, id_)
    assert (given["action"], revoked["action"]) == ("grant.given", "grant.revoked")
    for one in (given, revoked):
        assert (one["client"], one["key"]) == (giver.client_id, "commune-07948-2025")
    assert given["request_id"] == "give-1"
    assert (given["official_id"], given["official_office"], given["official_position"]) == (
        OFFICIAL["id"], OFFICIAL["office"], OFFICIAL["position"],
    )  # fmt: skip
    assert (given["reason"], revoked["reason"]) == (None, "hết việc")
    assert revoked["official_id"] is None
    told = json.loads(given["details"])
    assert told == {
        "grant": id_, "to_client": None, "to_territory": "commune-29266-2025",
        "resources": ["values", "evaluations"], "rulesets": None, "indicators": None,
        "purpose": PURPOSE, "until": later(),
    }  # fmt: skip


async def test_a_caller_without_a_token_is_nobody(stranger: httpx.AsyncClient) -> None:
    """Nothing of grants is answered without a token."""
    for method, path in (("GET", GRANTS), ("POST", GRANTS), ("GET", f"{GRANTS}/1"),
                         ("POST", f"{GRANTS}/1/revoke")):  # fmt: skip
        answer = await stranger.request(method, path, json={})
        assert problem(answer)["code"] == "invalid-token"
