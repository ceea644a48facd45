"""The worked cases of every ruleset once more: through values, area classes and units on record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import httpx
import msgspec
import pytest
from case_units import NATION, PROVINCE, Made
from conftest import ANYTHING, calling, problem
from on_record import Item, apart, ask, by_id, client_of, codes, outcomes, places, record, value
from strategies import RULESETS, entry, registry

from app.database import EVERYTHING, Database
from app.domain.clients import SCOPES
from app.embedded import Embedded
from app.main import create_app
from app.rules.casework import Worked
from app.rules.facts import Given, Ratio
from app.rules.vocabulary import MEMBER_VALUE_MISSING, MISSING_VALUE
from app.settings import Settings

# The period in which the cases of a document are on record; their day is asked for.
PERIODS = {one: "2023" for one in RULESETS if one.startswith("travinh")}
TRA_VINH, PHU_THO = "84", "25"


async def opened(settings: Settings, database: Database) -> httpx.AsyncClient:
    """Return a caller of the service with every scope in the whole nation."""
    app = create_app(settings, registry(), database)
    made = await client_of(database.acting_for(EVERYTHING))
    token = app.state.tokens.issue(made, list(SCOPES))
    return calling(app, token=token)


@pytest.fixture(scope="session")
def settings(
    cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, Settings]:
    """Two databases that no other file of tests writes to."""
    folder = tmp_path_factory.mktemp("golden")
    return (
        apart(cluster, f"golden_{worker_id}", folder),
        apart(cluster, f"golden_made_{worker_id}", folder),
    )


@pytest.fixture(scope="session")
async def real(settings: tuple[Settings, Settings]) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of a service with the register as it is."""
    async with Database(settings[0]) as database, await opened(settings[0], database) as client:
        yield client


class Filled(NamedTuple):
    """A caller of a service whose register has the units of the cases and no others."""

    http: httpx.AsyncClient
    units: Made


@pytest.fixture(scope="session")
async def made(settings: tuple[Settings, Settings]) -> AsyncIterator[Filled]:
    units = Made()
    async with Database(settings[1]) as database:
        await units.fill(database.acting_for(EVERYTHING))
        async with await opened(settings[1], database) as client:
            yield Filled(client, units)


# --- putting a case on record --------------------------------------------------------------------


def unsound(code: str, fact: Given) -> bool:
    """Tell whether a fact may be judged in a preview but not put on record."""
    may = registry().indicators[code].numerator_may_exceed_denominator
    return isinstance(fact, Ratio) and fact.numerator > fact.denominator and not may


def sent(
    unit: str, level: str, facts: Mapping[str, Given], period: str
) -> tuple[list[Item], list[Item]]:
    """Return the facts of a unit as values: those that are taken, those that are refused."""
    found: tuple[list[Item], list[Item]] = [], []
    for code, fact in facts.items():
        levels = {*registry().indicators[code].levels, *registry().levels_read(code)}
        wrong = unsound(code, fact) or level not in levels
        found[wrong].append(value(unit, code, msgspec.to_builtins(fact), period))
    return found


async def refused(client: httpx.AsyncClient, one: Item) -> None:
    """Fail unless a value is refused for what is wrong with it."""
    found = problem(await client.post("/v1/values", json={"values": [one]}))
    exceeds = isinstance(one["value"], dict)
    wanted = ("value/numerator", "numerator-exceeds-denominator")
    pointer, code = wanted if exceeds else ("indicator", "wrong-level")
    assert (found["status"], places(found)) == (422, [(f"/values/0/{pointer}", code)])


async def describe(client: httpx.AsyncClient, unit: str, worked: Worked) -> None:
    """Put area classes and designations of a case on record."""
    for name, holds in worked.inputs.attributes.items():
        body = {"value": holds, "from": "2020-01-01", "to": None, "source": "thử"}
        path = f"/v1/communes/{unit}/attributes/{name}"
        answer = await client.put(path, json=body, headers=ANYTHING)
        assert answer.status_code == 200, answer.text
    for one in worked.inputs.designations:
        chosen = {"model": one.model, "decision": one.decision, "authority": "central"}
        date = {"date": one.date.isoformat() if one.date else None, "source": "thử"}
        answer = await client.post(f"/v1/communes/{unit}/designations", json=chosen | date)
        assert answer.status_code == 201, answer.text


def disagreements(worked: Worked, verdict: Item) -> list[str]:
    """Return where a verdict is not what the case says."""
    compiled = entry(worked.case.ruleset).compiled
    found, criteria = outcomes(verdict), by_id(verdict)
    wrong = [
        f"{worked.case.case}: {id_}: {found.get(id_)}, not {outcome}"
        for id_, outcome in worked.expect.items()
        if found.get(id_) != outcome
    ]
    for id_, said in worked.case.reasons.items():
        wanted = list(said)
        told = verdict["reasons"] if id_ == "overall" else criteria[id_]["reasons"]
        code = None if id_ == "overall" else criteria[id_]["indicator"]
        indicator = compiled.indicators.get(code or "")
        if code and unsound(code, worked.inputs.facts.get(code, True)):
            wanted = [MISSING_VALUE]  # it was not taken
        elif indicator and indicator.derived and worked.inputs.members is None:
            # The register knows the members; only what holds of them is not known.
            wanted = [MEMBER_VALUE_MISSING if one == MISSING_VALUE else one for one in said]
        if told != wanted:
            wrong.append(f"{worked.case.case}: {id_}: {told}, not {wanted}")
    return wrong


# --- real units ----------------------------------------------------------------------------------


async def units_for(client: httpx.AsyncClient, ruleset: str, level: str) -> list[str]:
    """Return units of the level that the document of a ruleset speaks of."""
    scope = entry(ruleset).ruleset.scope
    if level == "province":
        return ["01", "02", "04", "06", "08"]
    if level == "district":
        return [f"{code}" for code in range(227, 241) if code != 229]
    if level == "hamlet":
        return [await hamlet(client, code) for code in (await codes(client, TRA_VINH))[:50]]
    # Rulesets for the whole country take communes of provinces of their own.
    everywhere = {"annex1": "02", "ecom": "04", "smart": "06"}
    return await codes(client, scope.provinces[0] if scope.provinces else everywhere[last(ruleset)])


def last(ruleset: str) -> str:
    return ruleset.rpartition(".")[2]


async def hamlet(client: httpx.AsyncClient, commune: str) -> str:
    """Enter a hamlet of a commune; return its code."""
    body = {"code": f"{commune}-01", "name": "Ấp 1", "type": "ap", "valid_from": "2023-01-01"}
    answer = await client.post(f"/v1/communes/{commune}/hamlets", json=body)
    assert answer.status_code == 201, answer.text
    return str(body["code"])


TAKEN: dict[str, int] = {}  # how many units of a place were given to cases


@pytest.mark.parametrize("ruleset", [one for one in RULESETS if one not in (NATION, PROVINCE)])
async def test_every_case_comes_out_of_what_is_on_record_as_it_says(
    real: httpx.AsyncClient, ruleset: str
) -> None:
    """Each on a unit of its own; what may not be put on record is refused and counts as missing."""
    cases = entry(ruleset).cases
    period = PERIODS.get(ruleset, "2024")
    level = cases[0].inputs.level
    free = await units_for(real, ruleset, level)
    start = TAKEN.get(free[0], 0)
    units = free[start : start + len(cases)]
    TAKEN[free[0]] = start + len(cases)
    assert len(units) == len(cases)
    values: list[Item] = []
    for unit, worked in zip(units, cases, strict=True):
        assert worked.inputs.level == level
        taken, wrong = sent(unit, level, worked.inputs.facts, period)
        values += taken
        for one in wrong:
            await refused(real, one)
        await describe(real, unit, worked)
    await record(real, *values)
    verdicts: dict[str, Item] = {}
    for as_of in sorted({worked.inputs.as_of for worked in cases}):
        asked = [u for u, w in zip(units, cases, strict=True) if w.inputs.as_of == as_of]
        answer = await ask(real, ruleset, units=asked, period=period, as_of=as_of.isoformat())
        assert answer.status_code == 201, answer.text[:300]
        verdicts |= {one["unit"]["code"]: one for one in answer.json()["items"]}
    assert [
        wrong
        for unit, worked in zip(units, cases, strict=True)
        for wrong in disagreements(worked, verdicts[unit])
    ] == []


# --- units with members --------------------------------------------------------------------------


@pytest.mark.parametrize("ruleset", [PROVINCE, NATION])
async def test_every_case_with_members_comes_out_of_what_is_on_record_as_it_says(
    made: Filled, ruleset: str
) -> None:
    """The members are exactly those of the case, read from the register as in its period."""
    cases = entry(ruleset).cases
    values: list[Item] = []
    for worked in cases:
        unit = made.units.places[ruleset, worked.case.case]
        for code, level, facts in (
            (unit.code, worked.inputs.level, worked.inputs.facts),
            *unit.members,
        ):
            taken, wrong = sent(code, level, facts, unit.period.text)
            values += taken
            for one in wrong:
                await refused(made.http, one)
    await record(made.http, *values)
    found: list[str] = []
    for worked in cases:
        unit = made.units.places[ruleset, worked.case.case]
        day, period = worked.inputs.as_of.isoformat(), unit.period.text
        answer = await ask(made.http, ruleset, unit=unit.code, period=period, as_of=day)
        assert answer.status_code == 201, answer.text[:300]
        found += disagreements(worked, answer.json())
    assert found == []
