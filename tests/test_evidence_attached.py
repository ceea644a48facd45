"""Which evidence a verdict finds attached, and what of it others see: counts, no names."""

from __future__ import annotations

from export_calls import lines
from grant_calls import RECEIVER, give
from on_record import PATH, by_id, evaluated, got
from own_database import own
from sqlalchemy import text
from submission_calls import (
    NEW,
    OLD,
    OLD_DAY,
    RULESET,
    SUBMISSIONS,
    Item,
    Offices,
    Team,
    moved,
    opened,
    working,
)

from app.database import Database
from app.domain.clock import today
from app.domain.evidence.attached import FINDING_ADVERSE, FINDING_MISSING

settings, database, service = own("found")
offices, team = working(OLD_DAY)
UNIT, CHECK, DOCUMENTS = OLD["commune"], "phutho.1.2.1.check", "phutho.1.2.3.documents"
CANARY = "quyet-dinh-cua-ba-Chimhoangyen.pdf"
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
_PERIODS = iter(str(year) for year in range(1990, 2024))


def _evidence(verdict: Item, slot: str) -> Item:
    """Return what a verdict says of a slot, without what the document says of it."""
    (found,) = (
        one
        for criterion in by_id(verdict).values()
        for one in criterion["evidence"]
        if one["slot"] == slot
    )
    return {name: found[name] for name in ("present", "complete", "missing", "confirmations")}


async def _judged(team: Team, period: str, **more: str) -> Item:
    return await evaluated(team["commune"], RULESET, UNIT, period=period, **more)


async def _submitted(team: Team, period: str) -> int:
    made = await opened(team["commune"], UNIT, period)
    await moved(team["commune"], made["id"], "submit", "commune", OLD_DAY)
    return int(made["id"])


async def _set(database: Database, id_: int, state: str) -> None:
    """Let a submission stand where the chain would have brought it."""
    async with database.as_owner() as connection:
        await connection.execute(
            text("UPDATE evidence_submission SET state = :state WHERE id = :id"),
            {"id": id_, "state": state},
        )


async def test_the_last_approved_one_counts_and_else_the_one_on_its_way(
    team: Team, database: Database
) -> None:
    """What is approved is not pushed aside by what is only being checked, or was refused."""
    period = next(_PERIODS)

    async def found() -> Item | None:
        told: Item | None = (await _judged(team, period))["evidence_submission"]
        return told and {name: told[name] for name in ("id", "state")}

    first = await _submitted(team, period)
    for state in ("submitted", "verified", "appraised", "approved"):
        await _set(database, first, state)
        assert await found() == {"id": first, "state": state}
    second = await _submitted(team, period)
    assert await found() == {"id": first, "state": "approved"}
    await _set(database, second, "refused")
    assert await found() == {"id": first, "state": "approved"}
    third = await _submitted(team, period)
    await _set(database, third, "approved")
    assert await found() == {"id": third, "state": "approved"}
    for state in ("draft", "returned", "refused", "withdrawn"):
        for one in (first, second, third):
            await _set(database, one, state if one == third else "withdrawn")
        assert await found() is None


async def _checked(team: Team, id_: int, who: str, *, holds: bool) -> None:
    """Let an office record a check."""
    body = {
        "kind": "field", "found_on": str(OLD_DAY), "place": "tại xã", "seen": "một cửa",
        "holds": holds,
        "acting_official": {"id": f"{who}-1", "office": f"Phòng {who}", "position": "Phó phòng"},
    }  # fmt: skip
    answer = await team[who].post(f"{SUBMISSIONS}/{id_}/slots/{CHECK}/findings", json=body)
    assert answer.status_code == 201, answer.text


async def test_a_check_of_the_commune_does_not_end_that_of_an_office_above(team: Team) -> None:
    """What the district did not find is still missing until an office of its height finds it."""
    period = next(_PERIODS)
    id_ = await _submitted(team, period)
    adverse = {"code": FINDING_ADVERSE.code, "part": None, "who": None}

    async def told() -> list[bool]:
        slots = (await got(team["commune"], f"{SUBMISSIONS}/{id_}/slots"))["items"]
        (slot,) = (one for one in slots if one["slot"] == CHECK)
        judged = _evidence(await _judged(team, period), CHECK)
        return [adverse in one["missing"] for one in (slot, judged)]

    await _checked(team, id_, "district", holds=False)
    assert await told() == [True, True]
    await moved(team["district"], id_, "return", "district", OLD_DAY)
    await moved(team["commune"], id_, "reopen", "commune", OLD_DAY)
    await _checked(team, id_, "commune", holds=True)
    await moved(team["commune"], id_, "submit", "commune", OLD_DAY)
    assert await told() == [True, True]
    await _checked(team, id_, "district", holds=True)
    assert await told() == [False, False]
    await _checked(team, id_, "district", holds=False)
    await moved(team["district"], id_, "verify", "district", OLD_DAY)
    await _checked(team, id_, "department", holds=True)
    assert await told() == [False, False]


async def test_a_check_of_the_offices_above_counts(team: Team) -> None:
    """Field checks are made after the commune submitted; the last one holds."""
    period = next(_PERIODS)
    id_ = await _submitted(team, period)

    async def checked(*, holds: bool) -> Item:
        await _checked(team, id_, "district", holds=holds)
        return _evidence(await _judged(team, period), CHECK)

    before = await _judged(team, period)
    lacking = {"part": None, "who": None}
    empty = _evidence(before, CHECK)
    assert empty["missing"][0] == {"code": FINDING_MISSING.code} | lacking
    assert (empty["present"], empty["complete"]) == (False, False)
    adverse = await checked(holds=False)
    assert {"code": FINDING_ADVERSE.code} | lacking in adverse["missing"]
    assert (adverse["present"], adverse["complete"]) == (True, False)
    held = await checked(holds=True)
    rest = empty["missing"][1:]
    assert (held["present"], held["complete"], held["missing"]) == (True, not rest, rest)
    slots = (await got(team["commune"], f"{SUBMISSIONS}/{id_}/slots"))["items"]
    assert held == {name: one[name] for one in slots if one["slot"] == CHECK for name in held}
    assert await got(team["commune"], f"{PATH}/{before['id']}") == before


async def test_a_grant_shows_counts_and_names_no_files(offices: Offices) -> None:
    """Names of files may name people; a verdict that is opened to others holds none."""
    offices.clock.day = today()
    team = await offices.of(NEW)
    commune, unit, period = team["commune"], NEW["commune"], str(today().year)
    made = await opened(commune, unit, period)
    sent = await commune.put(
        f"{SUBMISSIONS}/{made['id']}/slots/{DOCUMENTS}/files/{CANARY}", content=PDF
    )
    assert sent.status_code == 201, sent.text
    assert CANARY in (await commune.get(f"{SUBMISSIONS}/{made['id']}/slots")).text
    await moved(commune, made["id"], "submit", "commune", today())
    found = await evaluated(commune, RULESET, unit, period=period)
    assert _evidence(found, DOCUMENTS)["present"] is True
    assert found["evidence_submission"]["id"] == made["id"]
    giver = await offices.joined(unit, "read", "clients:admin")
    await give(giver, from_territory=unit, resources=["evaluations"])
    other = await offices.joined(RECEIVER, "read")
    assert await got(other, f"{PATH}/{found['id']}") == found
    exported = await other.get(f"{PATH}.ndjson")
    listed = {one["id"]: one["evidence_submission"] for one in lines(exported.content)}
    assert listed[found["id"]] == found["evidence_submission"]
    for said in (str(found), exported.text, (await other.get(f"{PATH}.csv")).text):
        assert CANARY not in said
    assert (await other.get(f"{SUBMISSIONS}/{made['id']}")).status_code == 404
