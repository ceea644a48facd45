"""Values that submissions contain: frozen while they are checked, approved after it."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from conftest import ANYTHING, Described
from on_record import got, record, value
from own_database import own
from submission_calls import OLD, OLD_DAY, Item, Team, moved, opened, working

from app.database import Database, DatabaseFailed
from app.domain.imports.loading import Compared, Loader, Target
from app.domain.reading.frames import Cells
from app.domain.refusals import Conflict
from app.domain.unit_periods import Meant, get
from app.domain.values import freezing
from app.rules.period import read_period

settings, database, service = own("frozen")
offices, team = working(OLD_DAY)
UNIT, ONE, OTHER = OLD["commune"], "digital_teaching_services", "digital_healthcare_services"
BLOCKED = """
SELECT count(*) FROM pg_stat_activity
 WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
_PERIODS = iter(str(year) for year in range(1990, 2024))


class Checked:
    """A submission that is being checked, with one value in it."""

    def __init__(self, team: Team) -> None:
        self.team, self.period = team, next(_PERIODS)

    async def begin(self) -> None:
        """Record the value and submit."""
        commune = self.team["commune"]
        (self.value,) = await record(commune, value(UNIT, ONE, True, self.period))
        self.id = (await opened(commune, UNIT, self.period))["id"]
        await moved(commune, self.id, "submit", "commune", OLD_DAY)

    async def go(self, action: str, step: str) -> None:
        """Act on it."""
        await moved(self.team[step], self.id, action, step, OLD_DAY)

    async def follow(self, fact: bool = False) -> httpx.Response:
        """Try to follow the value."""
        body = {"values": [value(UNIT, ONE, fact, self.period)]}
        return await self.team["commune"].post("/v1/values", json=body)


@pytest.fixture
async def checked(team: Team) -> Checked:
    """A submission that is being checked."""
    found = Checked(team)
    await found.begin()
    return found


async def test_nobody_follows_or_retracts_it(checked: Checked, described: Described) -> None:
    """Whichever way: 409 that names the submission, and nothing has changed."""
    commune = checked.team["commune"]
    at = f"/v1/communes/{UNIT}/values/{checked.period}/{ONE}"
    number = checked.value["id"]
    answers = [
        await checked.follow(),
        await commune.put(at, json={"value": False, "source": "sửa"}, headers=ANYTHING),
        await commune.post(f"/v1/values/{number}/retract", json={"reason": "nhầm"}),
    ]
    for answer in answers:
        described.judge(answer)
        assert (answer.status_code, answer.json()["code"]) == (409, "value-frozen")
        assert f"/v1/evidence-submissions/{checked.id}" in answer.json()["detail"]
    assert await got(commune, f"/v1/values/{number}") == checked.value
    (other,) = await record(commune, value(UNIT, OTHER, True, checked.period))
    assert other["status"] == "reported"


@pytest.mark.parametrize(
    ("action", "step"), [("return", "district"), ("refuse", "district"), ("withdraw", "commune")]
)
async def test_it_is_free_again_afterwards(checked: Checked, action: str, step: str) -> None:
    """Returned, refused or withdrawn: the value may be followed, and never was approved."""
    await checked.go(action, step)
    assert (await checked.follow()).status_code == 201
    shown = await got(checked.team["commune"], f"/v1/values/{checked.value['id']}")
    assert shown["status"] == "superseded"


async def test_an_import_refuses_the_row_and_takes_the_others(checked: Checked) -> None:
    """A row that would follow a frozen value is refused with its cause; the job lives."""
    text = (
        "unit,on,period,indicator,value,numerator,denominator,source,measured_on,note\n"
        f"{UNIT},,{checked.period},{ONE},false,,,thử,,\n"
        f"{UNIT},,{checked.period},{OTHER},true,,,thử,,\n"
    )
    answer = await checked.team["commune"].post(
        "/v1/imports", params={"mode": "partial"}, content=text.encode(),
        headers={"content-type": "text/csv"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text[:800]
    report: Item = answer.json()
    assert (report["counts"]["created"], report["counts"]["rejected"]) == (1, 1)
    assert [one["code"] for one in report["conflicts"]] == ["value-frozen"]


async def test_approved_values_are_approved_until_followed(checked: Checked) -> None:
    """Approval adds the status; a later value supersedes it; both are in the history."""
    commune, number = checked.team["commune"], checked.value["id"]
    for action, step in (("verify", "district"), ("appraise", "department"),
                         ("approve", "province")):  # fmt: skip
        await checked.go(action, step)
    shown = await got(commune, f"/v1/values/{number}")
    assert shown["status"] == "approved"
    assert shown["version"] != checked.value["version"]
    found = await got(commune, "/v1/values", status="approved", period=checked.period)
    assert [one["id"] for one in found["items"]] == [number]
    again = await record(commune, value(UNIT, ONE, True, checked.period))
    assert again[0]["status"] == "reported"
    (first, second) = (await got(commune, f"/v1/values/{number}/history"))["items"]
    assert [one["status"] for one in first["events"]] == ["approved", "superseded"]
    assert second["status"] == "reported"


async def test_two_submissions_hold_the_same_value(checked: Checked) -> None:
    """What two submissions contain is free when the last of them lets go."""
    commune = checked.team["commune"]
    body = {"unit": UNIT, "ruleset": "bnn3445.annex1", "period": checked.period}
    other = (await commune.post("/v1/evidence-submissions", json=body)).json()["id"]
    (both,) = await record(
        commune,
        value(UNIT, "commune_hamlet_cadres_smartphone_internet_rate",
              {"numerator": 1, "denominator": 1}, checked.period),
    )  # fmt: skip
    await checked.go("withdraw", "commune")
    checked.id = (await opened(commune, UNIT, checked.period))["id"]
    await checked.go("submit", "commune")
    await moved(commune, other, "submit", "commune", OLD_DAY)

    async def retracted() -> int:
        answer = await commune.post(f"/v1/values/{both['id']}/retract", json={"reason": "nhầm"})
        return answer.status_code

    assert await retracted() == 409
    await checked.go("withdraw", "commune")
    assert await retracted() == 409
    await moved(commune, other, "withdraw", "commune", OLD_DAY)
    assert await retracted() == 200


async def until_blocked(database: Database) -> None:
    """Wait until a statement waits for another transaction; each look is one of its own."""
    blocked = 0
    while not blocked:
        await asyncio.sleep(0.01)
        async with database.reading() as connection:
            blocked = await connection.fetchval(BLOCKED)


async def test_a_correction_waits_for_a_submission_and_is_refused(
    checked: Checked, database: Database
) -> None:
    """Who freezes first wins: the correction that waited meanwhile is refused."""
    await checked.go("withdraw", "commune")
    async with database.writing() as connection:
        await freezing.freeze(connection, 10**9, [checked.value["id"]])
        late = asyncio.create_task(checked.follow())
        await until_blocked(database)
    refused = await late
    assert (refused.status_code, refused.json()["code"]) == (409, "value-frozen")


@pytest.mark.parametrize(
    "change", ["status = 'retracted'", "value_id = value_id + 10 ^ 9, followed_id = value_id"]
)
async def test_a_submission_waits_for_a_correction_and_is_refused(
    checked: Checked, database: Database, change: str
) -> None:
    """Who follows or retracts first wins: what counts no more is not frozen."""
    await checked.go("withdraw", "commune")
    number = checked.value["id"]

    async def freeze() -> None:
        async with database.writing() as connection:
            await freezing.freeze(connection, 10**9, [number])

    async with database.writing() as connection:
        await connection.execute(
            f"UPDATE current_value SET {change} WHERE value_id = $1 AND period = $2",
            number, checked.period,
        )  # fmt: skip
        late = asyncio.create_task(freeze())
        await until_blocked(database)
    with pytest.raises(Conflict) as refused:
        await late
    assert refused.value.complaint.code == "not-current"
    async with database.reading() as connection:
        assert not await connection.fetchval(
            "SELECT count(*) FROM current_value WHERE 10 ^ 9 = ANY(frozen_by) AND period = $1",
            checked.period,
        )


async def test_an_import_that_meets_a_submission_gives_way(
    checked: Checked, database: Database
) -> None:
    """What was compared before it was frozen is not loaded: the import begins anew, and refuses."""
    await checked.go("withdraw", "commune")
    period = read_period(checked.period)
    assert period is not None
    async with database.reading() as connection:
        target = Target(await get(connection, Meant(UNIT, period)), period)
    cells = Cells(
        [0], [0], [0], [0], [False], [None], [None], [None], [None], [None], ["sửa"], [None], [None]
    )  # fmt: skip

    async def load() -> Compared:
        async with database.writing() as connection:
            return await Loader(connection, None, (ONE,), [target], "new_version").load(cells)

    async with database.writing() as connection:
        await freezing.freeze(connection, 10**9, [checked.value["id"]])
        late = asyncio.create_task(load())
        await until_blocked(database)
    with pytest.raises(DatabaseFailed) as failed:
        await late
    assert failed.value.gave_way
    again = await load()
    assert (again.created, again.superseded, again.held) == (0, 0, [0])
