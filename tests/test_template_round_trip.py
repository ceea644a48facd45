"""Templates filled in and sent back: no column has to be explained, whatever program saved them."""

from __future__ import annotations

import io
from typing import Any

import httpx
import openpyxl
import pytest
from conftest import problem
from openpyxl.workbook.workbook import Workbook
from own_database import own
from template_files import (
    COMMUNES,
    DISTRICT,
    FOLDER,
    NOTE,
    RULESET,
    SOURCE,
    Facts,
    filled,
    form,
    saved,
)

from app.domain.own_files import IDENTITY_SHEET
from app.domain.templates import DATA, HEADER_ROW
from app.domain.templates.workbook import written
from app.rules.registry import Registry

settings, database, service = own("round_trip")

IMPORTS = "/v1/imports"
BINARY = {"content-type": "application/octet-stream"}
Item = dict[str, Any]


async def template(client: httpx.AsyncClient, ruleset: str, **params: str) -> bytes:
    answer = await client.get(f"/v1/import-templates/{ruleset}.xlsx", params=params)
    assert answer.status_code == 200, answer.text[:500]
    return answer.content


async def sent(client: httpx.AsyncClient, content: bytes, **params: str) -> Item:
    """Send a file; return the report on what was loaded of it."""
    answer = await client.post(IMPORTS, content=content, params=params, headers=BINARY)
    assert answer.status_code == 201, answer.text[:2_000]
    found: Item = answer.json()
    return found


async def on_record(client: httpx.AsyncClient, under: str, period: str, on: str) -> list[Item]:
    """Return the values of a period that count."""
    params: Item = {"under": under, "on": on, "period": period, "status": "reported", "limit": 500}
    found: list[Item] = []
    while True:
        page = (await client.get("/v1/values", params=params)).json()
        found += page["items"]
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


def facts(values: list[Item]) -> Facts:
    """Return the facts of values by unit and indicator."""
    return {(one["unit"]["code"], one["indicator"]): one["value"] for one in values}


@pytest.mark.parametrize(
    ("ruleset", "under", "period", "on"),
    [
        ("phutho.commune", "231", "2023", "2023-12-31"),
        ("phutho.annex01", "232", "2023", "2023-12-31"),
        ("travinh.commune", "842", "2023", "2023-12-31"),
        ("travinh.province", "84", "2023", "2023-12-31"),
        ("bnn3445.content.smart", "233", "2023", "2023-12-31"),
        ("bnn3445.annex1", "25", "2025", "2025-08-01"),
        ("qd924.nation", "VN", "2023", "2023-12-31"),
    ],
)
async def test_what_is_entered_comes_on_record(
    client: httpx.AsyncClient, registry: Registry, ruleset: str, under: str, period: str, on: str
) -> None:
    """A filled-in template is imported as it is: every fact, its source and note, nothing else."""
    content = await template(client, ruleset, under=under, period=period, on=on)
    book, wanted = filled(content, registry)
    report = await sent(client, saved(book))
    assert (report["conflicts"], report["warnings"]) == ([], [])
    assert report["counts"]["created"] == len(wanted) > 0
    assert report["file"]["form"] == "wide"
    values = await on_record(client, under, period, on)
    units, codes = ({key[part] for key in wanted} for part in range(2))
    mine = [one for one in values if one["unit"]["code"] in units and one["indicator"] in codes]
    assert facts(mine) == wanted
    assert {(one["source"], one["note"]) for one in mine} == {(SOURCE, NOTE)}
    again = await sent(client, saved(book))
    assert again["counts"]["unchanged"] == len(wanted)
    assert again["counts"]["created"] == 0


async def test_a_template_that_was_not_filled_in_says_nothing(client: httpx.AsyncClient) -> None:
    """Blank is not nought and not no: nothing is recorded, and nothing is complained of."""
    content = await template(client, RULESET, under=DISTRICT, period="2022")
    report = await sent(client, content)
    assert set(report["counts"].values()) == {0}
    assert (report["conflicts"], report["warnings"]) == ([], [])


@pytest.mark.parametrize("name", ["libreoffice.xlsx", "libreoffice.xls", "excel_shaped.xlsx"])
async def test_files_that_other_programs_saved_are_known_again(
    client: httpx.AsyncClient, registry: Registry, name: str
) -> None:
    """Saved by LibreOffice, in either format, or shaped as Excel shapes it: no conflict at all."""
    _, wanted = filled(written(form(registry)), registry)
    report = await sent(client, (FOLDER / name).read_bytes(), on_conflict="new_version")
    assert report["conflicts"] == []
    assert report["counts"]["rejected"] == 0
    assert report["counts"]["created"] + report["counts"]["unchanged"] == len(wanted)
    causes = [(one["code"], one["count"]) for one in report["warnings"]]
    assert causes == ([("formula-value", 1)] if name == "excel_shaped.xlsx" else [])
    values = await on_record(client, DISTRICT, "2024", "2024-12-31")
    assert facts([one for one in values if one["unit"]["code"] in COMMUNES]) == wanted


async def test_what_libreoffice_saves_in_its_own_format_is_refused_by_name(
    client: httpx.AsyncClient,
) -> None:
    """ODS is not read: the answer says what it is and how to save it instead."""
    content = (FOLDER / "libreoffice.ods").read_bytes()
    answer = await client.post(IMPORTS, content=content, headers=BINARY)
    assert answer.status_code == 422, answer.text[:500]
    said = answer.json()
    assert "xlsx" in (said["detail"] + str(said["conflicts"])).lower()


async def test_a_column_that_was_put_in_moves_the_others(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """Columns are found again by their headings, also where somebody renumbered the rows."""
    book, wanted = filled(written(form(registry)), registry)
    book[DATA].insert_cols(1)
    book[DATA].cell(HEADER_ROW, 1).value = "STT"
    report = await sent(client, _moved(book), period="2024")
    assert report["conflicts"] == []
    counts = report["counts"]
    assert counts["created"] + counts["unchanged"] == len(wanted)


async def test_a_heading_that_is_gone_is_told(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """A template whose columns cannot be found again is refused, with the column's name."""
    book, _ = filled(written(form(registry)), registry)
    heading = str(book[DATA].cell(HEADER_ROW, 6).value)
    book[DATA].cell(HEADER_ROW, 6).value = "Cột khác"
    answer = await client.post(IMPORTS, content=saved(book), headers=BINARY)
    assert answer.status_code == 422
    (cause,) = [one for one in answer.json()["conflicts"] if one["code"] == "template-changed"]
    assert cause["column"][:40] == heading[:40]


async def test_a_template_is_of_its_period(client: httpx.AsyncClient, registry: Registry) -> None:
    """Whoever sends it for another period is told: the cells do not say which one is meant."""
    book, _ = filled(written(form(registry)), registry)
    params = {"period": "2019"}
    answer = await client.post(IMPORTS, content=saved(book), params=params, headers=BINARY)
    assert answer.status_code == 422
    assert "2024" in str(answer.json()["conflicts"])


async def test_both_ways_of_a_share_at_once_are_told(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """Counts and a percentage in one row: nobody guesses which of them is meant."""
    book, wanted = filled(written(form(registry)), registry)
    headings = [str(cell.value) for cell in book[DATA][HEADER_ROW]]
    place = next(n for n, text in enumerate(headings, 1) if text.endswith("(%)"))
    row = HEADER_ROW + 2  # the second row, which has a percentage
    book[DATA].cell(row, place - 2).value = 1
    book[DATA].cell(row, place - 1).value = 2
    answer = await client.post(IMPORTS, content=saved(book), headers=BINARY)
    said = answer.json()
    assert answer.status_code == 422
    (cause,) = said["conflicts"]
    assert cause["rows"] == [row]
    assert said["counts"]["rejected"] == 1
    assert said["counts"]["created"] + said["counts"]["unchanged"] == len(wanted) - 1


async def test_without_its_identity_it_is_still_a_table(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """Copied into a workbook of one's own it needs the period, and is read by its headings."""
    book, wanted = filled(written(form(registry)), registry)
    del book[IDENTITY_SHEET]
    answer = await client.post(IMPORTS, content=saved(book), headers=BINARY)
    assert problem_code(answer) == "missing-column"
    report = await sent(client, saved(book), period="2024")
    assert report["conflicts"] == []
    counts = report["counts"]
    assert counts["created"] + counts["unchanged"] == len(wanted)


def problem_code(answer: httpx.Response) -> str:
    """Return the first cause that a refused file is told."""
    assert answer.status_code == 422, answer.text[:500]
    return str(answer.json()["conflicts"][0]["code"])


def _moved(book: Workbook) -> bytes:
    """Return a workbook saved and opened again: what openpyxl moves it writes where it belongs."""
    return saved(openpyxl.load_workbook(io.BytesIO(saved(book))))


async def test_a_template_of_others_loads_nothing(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    """Without a token nothing is taken, however well it is filled in."""
    content = (FOLDER / "libreoffice.xlsx").read_bytes()
    assert problem(await stranger.post(IMPORTS, content=content, headers=BINARY))["status"] == 401
