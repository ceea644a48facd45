"""Replays: judged again from what was stored, across changed packs, restarts and alterations."""

from __future__ import annotations

import functools
import itertools
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import GOOD_PACK, Described, calling, problem, shipped
from on_record import (
    PATH,
    Item,
    apart,
    by_id,
    client_of,
    evaluated,
    got,
    ratio,
    record,
    record_facts,
    replayed,
    value,
)
from test_http_preview import ENOUGH, SMARTPHONE

from app.database import EVERYTHING, Database, driver_of
from app.discovery import load_registry
from app.domain.clients import SCOPES
from app.embedded import Embedded
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

PHU_THO, SELECTION = "phutho.commune", "bnn3445.selection.smart"
WELL, WELLS = "test.well", "test_wells_rate"
STRICTER = GOOD_PACK.replace("value: 50,", "value: 60,").replace('"50/100"', '"60/100"')


@pytest.fixture(scope="session")
def settings(
    cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """A database of which things are altered behind the service's back."""
    return apart(cluster, f"replay_{worker_id}", tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="session")
async def database(settings: Settings) -> AsyncIterator[Database]:
    async with Database(settings) as opened:
        yield opened.acting_for(EVERYTHING)


@pytest.fixture(scope="session")
async def known(database: Database) -> str:
    """A client of the nation."""
    return await client_of(database)


@functools.cache
def packed(pack: str) -> Registry:
    """Return the registry with one pack in the folder; the shipped one for none."""
    if not pack:
        return shipped()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "well.yaml").write_text(pack, "utf-8")
        return load_registry(Path(folder))


class Start:
    """Start the service anew on the same database, with another pack or none."""

    def __init__(self, settings: Settings, database: Database, known: str) -> None:
        self._stands_on = settings, database, known
        self.open: list[httpx.AsyncClient] = []

    def __call__(self, pack: str = "") -> httpx.AsyncClient:
        """Return a caller of it."""
        settings, database, known = self._stands_on
        app = create_app(settings, packed(pack), database)
        self.open.append(calling(app, token=app.state.tokens.issue(known, list(SCOPES))))
        return self.open[-1]


@pytest.fixture
async def start(settings: Settings, database: Database, known: str) -> AsyncIterator[Start]:
    starts = Start(settings, database, known)
    yield starts
    for client in starts.open:
        await client.aclose()


async def alter(database: Database, statement: str, *values: Any) -> None:
    """Change what is stored behind the service's back, as only the owner can."""
    async with database.as_owner() as connection:
        ended = await (await driver_of(connection)).execute(statement, *values)
    assert ended.endswith(" 1"), ended


# --- the same ------------------------------------------------------------------------------------


async def test_what_was_not_touched_replays_the_same(start: Start, described: Described) -> None:
    """Also after newer values, a retraction, new area classes, and after a restart."""
    client = start()
    stored = await record_facts(client, "08434", ENOUGH)
    found = await evaluated(client, PHU_THO, "08434")
    answer = await client.post(f"{PATH}/{found['id']}/replay")
    described.judge(answer)
    assert (answer.status_code, answer.json()) == (200, {"same": True})
    await record(client, value("08434", SMARTPHONE, ratio(0, 1)))
    gone = next(one["id"] for one in stored if one["indicator"] == "digital_teaching_services")
    await client.post(f"/v1/values/{gone}/retract", json={"reason": "nhầm"})
    body = {"value": True, "from": "2020-01-01", "to": None, "source": "thử"}
    await client.put("/v1/communes/08434/attributes/area_island", json=body)
    assert await replayed(client, found["id"]) == {"same": True}
    again = start()
    assert await replayed(again, found["id"]) == {"same": True}
    shown = await got(again, f"{PATH}/{found['id']}")
    assert {one["value_id"] for one in shown["followed_values"]} >= {gone}
    assert shown | {"followed_values": []} == found
    now = await evaluated(again, PHU_THO, "08434")
    assert now["outcome"] == "not_met" != found["outcome"]


@pytest.mark.parametrize("pack", [STRICTER, ""], ids=["changed", "gone"])
async def test_a_verdict_outlives_the_ruleset_it_was_judged_by(
    start: Start, described: Described, pack: str
) -> None:
    """It reads and replays the same, and its ruleset stays readable with the old threshold."""
    before = start(GOOD_PACK)
    unit = {STRICTER: "08440", "": "08443"}[pack]
    await record(before, value(unit, WELLS, ratio(55, 100)))
    found = await evaluated(before, WELL, unit)
    assert found["outcome"] == "met"
    digest = found["ruleset"]["digest"]
    ruleset = await got(before, f"/v1/rulesets/{WELL}", digest=digest)

    after = start(pack)
    assert await got(after, f"{PATH}/{found['id']}") == found
    assert await replayed(after, found["id"]) == {"same": True}
    answer = await after.get(f"/v1/rulesets/{WELL}?digest={digest}")
    described.judge(answer)
    assert answer.json() == ruleset
    assert answer.json()["criteria"][0]["required"]["value"] == "50"
    items = (await got(after, PATH, unit=unit, on="2025-06-30", ruleset=WELL))["items"]
    assert [one["id"] for one in items] == [found["id"]]
    if pack:
        now = await evaluated(after, WELL, unit)
        assert (now["outcome"], by_id(now)["test.well.1"]["required"]["value"]) == ("not_met", "60")
        assert now["ruleset"]["digest"] != digest
        current = await got(after, f"/v1/rulesets/{WELL}")
        assert current["criteria"][0]["required"]["value"] == "60"
        compared = await got(after, f"{PATH}/{found['id']}/compare/{now['id']}")
        causes = [one["cause"] for one in compared["differences"][0]["causes"]]
        assert (compared["same_outcome"], causes) == (False, ["threshold"])
    else:
        gone = await after.post(PATH, json={"ruleset": WELL, "unit": unit, "period": "2024"})
        assert problem(gone)["code"] == "unknown-ruleset"
        assert problem(await after.get(f"/v1/rulesets/{WELL}"))["status"] == 404
    never = await after.get(f"/v1/rulesets/{WELL}?digest={'0' * 64}")
    assert problem(never)["code"] == "ruleset-not-found"


# --- altered -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "number", "stored", "now"),
    [
        ("numerator", 1, 9, 1),
        ("denominator", 99, 10, 99),
        ("period", "2024-Q1", "2024", "2024-Q1"),
        ("source", "khác", "Báo cáo thử", "khác"),
    ],
)
async def test_a_value_altered_behind_our_back_is_named(
    start: Start, database: Database, column: str, number: Any, stored: Any, now: Any
) -> None:
    """With the place in the inputs, what was judged and what the value says now."""
    client = start()
    (one,) = await record(client, value("08446", SMARTPHONE, ratio(9, 10)))
    found = await evaluated(client, PHU_THO, "08446")
    statement = f"UPDATE value SET {column} = $1 WHERE id = $2"
    await alter(database, statement, number, one["id"])
    place = f"/inputs/facts/{SMARTPHONE}/" + column.replace("numerator", "value/numerator")
    place = place.replace("/denominator", "/value/denominator")
    assert await replayed(client, found["id"]) == {
        "same": False,
        "differences": [{"pointer": place, "stored": stored, "now": now}],
    }
    assert await got(client, f"{PATH}/{found['id']}") == found


async def test_a_value_that_vanished_is_named(start: Start, database: Database) -> None:
    client = start()
    (one,) = await record(client, value("08461", SMARTPHONE, ratio(9, 10)))
    found = await evaluated(client, PHU_THO, "08461")
    await alter(database, "DELETE FROM value WHERE id = $1", one["id"])
    told = await replayed(client, found["id"])
    assert told["same"] is False
    assert [one["pointer"] for one in told["differences"]] == [f"/inputs/facts/{SMARTPHONE}"]
    assert told["differences"][0]["now"] is None


async def test_an_altered_verdict_is_told_from_what_its_inputs_lead_to(
    start: Start, database: Database, described: Described
) -> None:
    """Every place is named with what is stored and what is right."""
    client = start()
    await record(client, value("08467", SMARTPHONE, ratio(1, 10)))
    found = await evaluated(client, PHU_THO, "08467")
    row = await bytes_of(database, found["id"], "verdict")
    altered = row.replace(b'"not_met"', b'"met"')
    await alter(database, "UPDATE evaluation SET verdict = $1 WHERE id = $2", altered, found["id"])
    answer = await client.post(f"{PATH}/{found['id']}/replay")
    described.judge(answer)
    told = {one["pointer"]: (one["stored"], one["now"]) for one in answer.json()["differences"]}
    assert told["/outcome"] == ("met", "not_met")
    assert told["/criteria/0/criteria/0/outcome"] == ("met", "not_met")
    assert told["/criteria/0/outcome"] == ("met", "not_met")


async def bytes_of(database: Database, number: int, column: str) -> bytes:
    """Return what is stored of an evaluation."""
    async with database.reading() as connection:
        return bytes(
            await connection.fetchval(f"SELECT {column} FROM evaluation WHERE id = $1", number)
        )


def changes(found: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield every place of a JSON document with another value: of the same type, of another."""
    if isinstance(found, dict | list):
        parts = found.items() if isinstance(found, dict) else enumerate(found)
        for key, one in parts:
            yield from changes(one, (*place, key))
        yield place, "khác"
        return
    if isinstance(found, bool):
        yield place, not found
    elif isinstance(found, int):
        yield place, found + 1
    elif isinstance(found, str):
        yield place, found + "x"
    yield place, next(ODD) if found is not None else 1


# Of other types than what stands there; taken in turn.
ODD: Iterator[Any] = itertools.cycle([None, ["khác"], {"khác": 1}])


def changed(document: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return a copy with another value in one place."""
    if not place:
        return new
    copy = json.loads(json.dumps(document))
    within = copy
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = new
    return copy


@pytest.mark.parametrize("column", ["inputs", "verdict", "unit"])
async def test_no_alteration_of_what_is_stored_goes_unseen_or_breaks_an_answer(
    start: Start, database: Database, column: str
) -> None:
    """Each place in turn: named by the replay or told to be damaged; never the same, never 500."""
    client = start()
    unit = {"inputs": "08470", "verdict": "08473", "unit": "08476"}[column]
    designation = {"model": "ecom", "authority": "central", "decision": "1/QĐ", "date": None}
    await client.post(f"/v1/communes/{unit}/designations", json=designation | {"source": "thử"})
    attribute = {"value": True, "from": "2020-01-01", "to": None, "source": "thử"}
    await client.put(f"/v1/communes/{unit}/attributes/area_island", json=attribute)
    facts: Item = {
        "households_internet_connected_rate": ratio(2, 5),
        "officials_smartphone_use_rate": {"percent": "99.5"},
        "digital_provider_mobilizable": True,
    }
    await record_facts(client, unit, facts)
    found = await evaluated(client, SELECTION, unit)
    assert await replayed(client, found["id"]) == {"same": True}
    right = await bytes_of(database, found["id"], column)
    wrong: list[str] = []
    async with database.as_owner() as connection:
        await connection.commit()
        driver = await driver_of(connection)
        statement = f"UPDATE evaluation SET {column} = $1 WHERE id = $2"
        documents = [
            (f"{place} {new!r}", json.dumps(changed(json.loads(right), place, new)).encode())
            for place, new in changes(json.loads(right))
        ]
        raw = [b"", b"{", b"\xff\xfe", b"null", b"[]", b"{}", right[:-1], right + b" x", b"1e999"]
        for what, data in documents + [(repr(one), one) for one in raw]:
            await driver.execute(statement, data, found["id"])
            answer = await client.post(f"{PATH}/{found['id']}/replay")
            wrong += [f"replay: {what}: {one}" for one in faults(answer, column)]
            answer = await client.get(f"{PATH}/{found['id']}?texts=false")
            if answer.status_code not in (200, 409):
                wrong.append(f"read: {what}: {answer.status_code}")
        await driver.execute(statement, right, found["id"])
    assert not wrong, (len(wrong), wrong[:8])
    assert await replayed(client, found["id"]) == {"same": True}


def faults(answer: httpx.Response, column: str) -> Iterator[str]:
    """Yield what is wrong with the answer to a replay of something that was altered."""
    if answer.status_code == 409:
        if answer.json()["code"] not in ("evaluation-damaged", "other-semantics"):
            yield answer.text[:200]
    elif answer.status_code != 200:
        yield str(answer.status_code)
    elif answer.json()["same"]:
        if column != "unit":  # how a unit was called is not judged
            yield "same"
    elif not all({"pointer", "stored", "now"} == set(one) for one in answer.json()["differences"]):
        yield answer.text[:200]


async def test_an_altered_snapshot_of_a_ruleset_is_seen_after_a_restart(
    start: Start, database: Database
) -> None:
    """Where only the snapshot knows the ruleset: its places are named, or it is damaged."""
    client = start(GOOD_PACK.replace("value: 50,", "value: 40,").replace("49/100", "39/100"))
    await record(client, value("08479", WELLS, ratio(45, 100)))
    found = await evaluated(client, WELL, "08479")
    digest = found["ruleset"]["digest"]
    async with database.reading() as connection:
        right = bytes(
            await connection.fetchval(
                "SELECT content FROM ruleset_snapshot WHERE digest = $1", digest
            )
        )
    statement = "UPDATE ruleset_snapshot SET content = $1 WHERE digest = $2"
    told: dict[bytes, Any] = {}
    for data in (right.replace(b'"40"', b'"46"'), right[:-9], b"", b"null", b'{"ruleset":{}}'):
        assert data != right
        await alter(database, statement, data, digest)
        again = start()
        answer = await again.post(f"{PATH}/{found['id']}/replay")
        if answer.status_code == 200:
            assert answer.json()["same"] is False
            told[data] = {
                one["pointer"]: (one["stored"], one["now"]) for one in answer.json()["differences"]
            }
        else:
            assert problem(answer)["code"] in ("evaluation-damaged", "ruleset-damaged")
        for path in (f"{PATH}/{found['id']}", f"/v1/rulesets/{WELL}?digest={digest}", PATH):
            read = await again.get(path)
            assert read.status_code in (200, 404, 409), path
            if read.status_code == 200 and path.startswith("/v1/rulesets"):
                assert (read.json()["id"], read.json()["digest"]) == (WELL, digest)
    await alter(database, statement, right, digest)
    assert await replayed(start(), found["id"]) == {"same": True}
    for found_places in told.values():
        assert found_places["/criteria/0/outcome"] == ("met", "not_met")
