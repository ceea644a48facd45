"""Evaluations as files: the verdicts of the list, with their criteria, damaged ones named."""

from __future__ import annotations

from typing import Final

import httpx
import pytest
from conftest import Join, calling, problem
from export_calls import Item, cells, everything, exported, lines, records, table
from fastapi import FastAPI
from grant_calls import ELSEWHERE, GIVER, give, read
from on_record import client_of, evaluated, flat, ratio, record, value
from own_database import own
from sqlalchemy import text
from test_http_preview import SMARTPHONE

from app.api import downloads
from app.database import Database
from app.domain.clients import SCOPES
from app.domain.exports import evaluations as exported_evaluations

settings, database, service = own("verdicts_out")

PATH: Final = "/v1/evaluations"
FILES: Final = (f"{PATH}.csv", f"{PATH}.xlsx", f"{PATH}.ndjson")
PHU_THO, SELECTION = "phutho.commune", "bnn3445.selection.smart"
PAST: Final = "2025-06-30"


@pytest.fixture(scope="session")
async def known(service: FastAPI, database: Database) -> list[Item]:
    """Verdicts of several communes, rulesets and periods, the oldest first."""
    token = service.state.tokens.issue(await client_of(database), list(SCOPES))
    async with calling(service, token=token) as http:
        await record(http, value("08290", SMARTPHONE, ratio(1, 10), "2023"))
        when = {"period": "2025", "on": "2025-12-31"}
        return [
            await evaluated(http, PHU_THO, "08290", period="2023"),
            await evaluated(http, SELECTION, "08290"),
            await evaluated(http, PHU_THO, "08290"),
            await evaluated(http, PHU_THO, "08290"),
            await evaluated(http, PHU_THO, GIVER, **when),
            await evaluated(http, SELECTION, ELSEWHERE, **when),
        ]


def numbers_in(path: str, content: bytes) -> list[int]:
    """Return the numbers of the verdicts in a file."""
    if path.endswith(".csv"):
        return [int(row["id"]) for row in records(content)]
    if path.endswith(".ndjson"):
        return [int(one["id"]) for one in lines(content)]
    return [int(str(row[0])) for row in cells(content)[1:]]


@pytest.mark.parametrize(
    "filters",
    [
        {}, {"unit": "08290", "on": PAST}, {"under": "25", "on": PAST}, {"ruleset": SELECTION},
        {"period": "2023"}, {"outcome": "not_met"}, {"latest": "true", "ruleset": PHU_THO},
        {"period": "1999"},
    ],
    ids=str,
)  # fmt: skip
async def test_files_hold_what_the_list_shows(
    client: httpx.AsyncClient, known: list[Item], filters: Item
) -> None:
    """Every format has exactly the verdicts of the list by the same filters, in the same order."""
    listed = await everything(client, PATH, **filters)
    assert listed or filters.get("period") == "1999"
    assert lines(await exported(client, FILES[2], **filters)) == listed
    numbers = [str(one["id"]) for one in listed]
    assert [row["id"] for row in records(await exported(client, FILES[0], **filters))] == numbers
    _, *rows = cells(await exported(client, FILES[1], **filters))
    assert [str(row[0]) for row in rows] == numbers


async def test_a_workbook_of_evaluations_has_an_end(
    client: httpx.AsyncClient, known: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many rows as a sheet takes are written, one more is refused; counted bit by bit."""
    monkeypatch.setattr(exported_evaluations, "_TOGETHER", 2)
    monkeypatch.setattr(downloads, "MOST_ROWS", len(known))
    assert len(cells(await exported(client, FILES[1]))) == 1 + len(known)
    monkeypatch.setattr(downloads, "MOST_ROWS", len(known) - 1)
    assert problem(await client.get(FILES[1]))["code"] == "too-many-rows"


async def test_a_row_says_what_the_verdict_says(
    client: httpx.AsyncClient, known: list[Item]
) -> None:
    """Unit, ruleset, outcome and counts stand in columns of their own, as the verdict has them."""
    found = {row["id"]: row for row in records(await exported(client, FILES[0]))}
    for verdict in known:
        row = found[str(verdict["id"])]
        for name in ("unit", "code", "name", "level", "type"):
            assert row[name] == verdict["unit"][name]
        above = {one["level"]: one["name"] for one in verdict["unit"]["path"]}
        assert (row["province"], row["district"]) == (above["province"], above.get("district", ""))
        for name in ("version", "digest"):
            assert row[name] == verdict["ruleset"][name]
        assert row["ruleset"] == verdict["ruleset"]["id"]
        for name in ("period", "as_of", "outcome", "basis", "by", "software"):
            assert row[name] == verdict[name]
        assert row["all_items"] == (verdict["all_items"] or "")
        counted = {name: int(row[name]) for name in verdict["counts"]}
        assert counted == verdict["counts"]
        assert row["reasons"] == "|".join(verdict["reasons"])
        assert (row["applicability"], row["damaged"]) == (verdict["applicability"]["status"], "")


async def test_criteria_have_columns_on_request(
    client: httpx.AsyncClient, known: list[Item]
) -> None:
    """With a ruleset there is a column for each criterion without children, with its outcome."""
    content = await exported(client, FILES[0], ruleset=PHU_THO, criteria="true")
    found = {row["id"]: row for row in records(content)}
    plain = table(await exported(client, FILES[0], ruleset=PHU_THO))[0]
    leaves = [one["id"] for one in flat(known[0]["criteria"]) if not one["criteria"]]
    assert list(next(iter(found.values()))) == [*plain, *leaves]
    for verdict in (one for one in known if one["ruleset"]["id"] == PHU_THO):
        outcomes = {one["id"]: one["outcome"] for one in flat(verdict["criteria"])}
        row = found[str(verdict["id"])]
        assert {id_: row[id_] for id_ in leaves} == {id_: outcomes[id_] for id_ in leaves}
    headings, *rows = cells(
        await exported(client, FILES[1], ruleset=PHU_THO, criteria="true", headings="vi")
    )
    assert len(rows) == len(found)
    for id_, heading in zip(leaves, headings[-len(leaves) :], strict=True):
        assert str(heading).startswith(f"{id_} ")
    assert headings[0] == "Số hiệu"


@pytest.mark.parametrize("path", FILES[:2])
async def test_criteria_belong_to_one_ruleset(client: httpx.AsyncClient, path: str) -> None:
    """Without a ruleset nobody knows which columns are meant."""
    found = problem(await client.get(path, params={"criteria": "true"}))
    places = [(one["pointer"], one["code"]) for one in found["errors"]]
    assert (found["status"], places) == (422, [("/criteria", "missing-field")])


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=5", "/limit"), ("updated_since=2025-01-01T00:00:00Z", "/updated_since"),
        ("ruleset=nothing", "/ruleset"), ("outcome=good", "/outcome"), ("latest=1", "/latest"),
        ("run=x", "/run"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_refused(
    client: httpx.AsyncClient, path: str, query: str, pointer: str
) -> None:
    """The answer is a problem document that names the parameter."""
    found = problem(await client.get(f"{path}?{query}"))
    assert (found["status"], found["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.parametrize("path", FILES)
async def test_files_are_for_who_may_read(
    stranger: httpx.AsyncClient, join: Join, path: str
) -> None:
    """Without a token 401, without the scope 403, of a unit that is not one's own 404."""
    assert (await stranger.get(path)).status_code == 401
    writer = (await join("25", "values:write")).http
    assert problem(await writer.get(path))["code"] == "insufficient-scope"
    reader = (await join(ELSEWHERE, "read")).http
    assert problem(await reader.get(path, params={"unit": GIVER}))["code"] == "outside-territory"


async def test_grants_open_and_count(join: Join, known: list[Item]) -> None:
    """Only the caller's own verdicts and those that a grant opens; every row of these counts."""
    giver, other = await join(GIVER), await join(ELSEWHERE, "read")
    mine, theirs = known[-1]["id"], known[-2]["id"]
    assert [one["id"] for one in lines(await exported(other.http, FILES[2]))] == [mine]
    wished = {"to_territory": None, "to_client": other.client_id, "resources": ["evaluations"]}
    given = await give(giver.http, **wished)
    for number, path in enumerate(FILES, 1):
        content = await exported(other.http, path)
        assert numbers_in(path, content) == [mine, theirs]
        assert (await read(giver.http, given["id"]))["reads"]["rows"] == number


async def test_a_damaged_verdict_is_named_and_hides_no_other_one(
    client: httpx.AsyncClient, known: list[Item], database: Database
) -> None:
    """It stands in its place, says what is wrong with it, and nothing that its bytes say."""
    number = known[2]["id"]
    async with database.as_owner() as connection:
        asked = {"id": number}
        before = (
            await connection.execute(text("SELECT verdict FROM evaluation WHERE id = :id"), asked)
        ).scalar_one()
        damage = text("UPDATE evaluation SET verdict = 'x' WHERE id = :id")
        await connection.execute(damage, asked)
    try:
        listed = (await client.get(PATH)).json()
        assert [one["id"] for one in listed["damaged"]] == [number]
        told = lines(await exported(client, FILES[2]))
        assert told[3] == {"damaged": listed["damaged"][0]}
        assert [one for one in told if "damaged" not in one] == listed["items"]
        row = records(await exported(client, FILES[0], ruleset=PHU_THO, criteria="true"))[2]
        assert (row["id"], row["damaged"]) == (str(number), "evaluation-damaged")
        assert (row["ruleset"], row["outcome"], row["unit"]) == (PHU_THO, "", "")
        assert row["phutho.1.1.1"] == ""
        *_, wrong = cells(await exported(client, FILES[1]))[4]
        assert wrong == "evaluation-damaged"
    finally:
        async with database.as_owner() as connection:
            mend = text("UPDATE evaluation SET verdict = :verdict WHERE id = :id")
            await connection.execute(mend, {"id": number, "verdict": before})
