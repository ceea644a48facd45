"""Import templates over HTTP: the right units and columns, the law beside them, no formula."""

from __future__ import annotations

import datetime
import io
from typing import Any

import httpx
import openpyxl
import pytest
from conftest import Join, problem
from openpyxl.utils import get_column_letter
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from own_database import own

from app.domain.own_files import IDENTITY_SHEET
from app.domain.templates import DATA, FIRST_ROW, GUIDE, HEADER_ROW, Column, Form
from app.domain.templates.workbook import written
from app.domain.unit_periods import Entity
from app.rules.facts import LARGEST_COUNT
from app.rules.period import read_period
from app.rules.registry import Registry

settings, database, service = own("templates")

PHU_THO = "phutho.commune"
PAST = {"under": "25", "period": "2024"}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def path(ruleset: str = PHU_THO) -> str:
    return f"/v1/import-templates/{ruleset}.xlsx"


async def got(client: httpx.AsyncClient, ruleset: str = PHU_THO, **params: str) -> httpx.Response:
    """Return the answer with a template; for Phú Thọ in 2024 where nothing else is asked."""
    answer = await client.get(path(ruleset), params=params or PAST)
    assert answer.status_code == 200, answer.text[:500]
    return answer


def opened(answer: httpx.Response) -> Workbook:
    return openpyxl.load_workbook(io.BytesIO(answer.content))


def table(sheet: Worksheet) -> tuple[list[str], list[list[Any]]]:
    """Return the headings of the data sheet and its rows, as they are to be filled in."""
    headings = [str(cell.value) for cell in sheet[HEADER_ROW]]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=FIRST_ROW)]
    return headings, rows


def identity(book: Workbook) -> dict[Any, tuple[Any, ...]]:
    """Return the rows of the identity by what they begin with."""
    return {row[0]: row[1:] for row in book[IDENTITY_SHEET].iter_rows(values_only=True)}


async def test_a_template_has_the_units_of_the_period_in_the_order_of_lists(
    client: httpx.AsyncClient,
) -> None:
    """Each unit of the ruleset's level in the territory has a row, with its code as text."""
    headings, rows = table(opened(await got(client))[DATA])
    assert headings[:5] == ["Mã đơn vị", "Tên đơn vị", "Huyện", "Tỉnh", "Nguồn"]
    wanted: list[list[str]] = []
    asked: dict[str, Any] = {"level": "commune", "under": "25", "on": "2024-12-31", "limit": 500}
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        page = (await client.get("/v1/units", params=asked)).json()
        asked["cursor"] = page["next"]
        for unit in page["items"]:
            above = {one["level"]: one["name"] for one in unit["path"]}
            wanted.append([unit["code"], unit["name"], above["district"], above["province"]])
    assert len(wanted) > 200
    assert [row[:4] for row in rows] == wanted
    assert all(cell is None for row in rows for cell in row[4:])  # a form: nothing is filled in


async def test_a_template_has_every_indicator_that_its_ruleset_reads(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """A share has its two counts and a percentage, everything else one column, under its name."""
    headings, _ = table(opened(await got(client))[DATA])
    wanted = set()
    for code in registry.entries[PHU_THO].compiled.unit_codes:
        one = registry.indicators[code]
        ends = (" - Tử số", " - Mẫu số", " (%)") if one.kind == "ratio" else ("",)
        wanted |= {one.name.vi + end for end in ends}
    assert set(headings[5:-1]) == wanted
    assert len(set(headings)) == len(headings)
    assert headings[-1] == "Ghi chú"


async def test_the_law_stands_beside_every_column(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """Text, cite and threshold of the criteria that read an indicator are comments, verbatim."""
    sheet = opened(await got(client))[DATA]
    comments = {str(cell.value): cell.comment for cell in sheet[HEADER_ROW]}
    compiled = registry.entries[PHU_THO].compiled
    seen = 0
    for criterion in compiled.ruleset.walk():
        if criterion.indicator is None:
            continue
        one = compiled.indicators[criterion.indicator]
        heading = one.name.vi + (" - Tử số" if one.kind == "ratio" else "")
        comment = comments[heading]
        assert comment is not None
        assert criterion.text.vi in comment.text
        assert f"{compiled.ruleset.document.short}, {criterion.section}" in comment.text
        if criterion.required:
            assert f"Ngưỡng: {criterion.required.as_written}" in comment.text
        seen += 1
    assert seen >= 20


async def test_what_does_not_fit_is_told_while_it_is_typed(client: httpx.AsyncClient) -> None:
    """Truths are chosen from a list, counts are whole, a numerator stays below its denominator."""
    book = opened(await got(client, "travinh.commune", under="84", period="2024"))
    sheet = book[DATA]
    last = sheet.max_row
    headings, _ = table(sheet)
    found = {str(one.sqref): one for one in sheet.data_validations.dataValidation}
    meanings = [row[1] for row in book[IDENTITY_SHEET].iter_rows(min_row=12, values_only=True)]
    kinds = set()
    for number, (heading, meaning) in enumerate(zip(headings, meanings, strict=True), 1):
        letter = get_column_letter(number)
        rule = found.pop(f"{letter}{FIRST_ROW}:{letter}{last}", None)
        if heading.endswith((" - Tử số", " - Mẫu số", " (%)")):
            assert rule is not None
            assert rule.type == "custom"
            assert f"ISNUMBER({letter}{FIRST_ROW})" in str(rule.formula1)
        elif meaning in ("unit", "name", "district", "province", "source", "note"):
            assert rule is None
            continue
        elif rule is not None and rule.type == "list":
            assert rule.formula1 == '"có,không"'
        else:
            assert rule is not None
            assert (rule.type, rule.formula1, rule.formula2) == ("whole", "0", str(LARGEST_COUNT))
        assert rule.showErrorMessage
        assert rule.error
        kinds.add(rule.type)
    assert not found
    assert kinds == {"custom", "list", "whole"}
    assert sheet.protection.sheet  # what identifies a row is locked, what is filled in is not
    assert sheet.cell(FIRST_ROW, 1).protection.locked
    assert sheet.freeze_panes == f"C{FIRST_ROW}"


async def test_a_template_says_what_it_is(client: httpx.AsyncClient, registry: Registry) -> None:
    """The identity names ruleset, digest, period, unit and day, and the meaning of each column."""
    book = opened(await got(client))
    assert book.sheetnames == [GUIDE, DATA, IDENTITY_SHEET]
    assert [book[name].sheet_state for name in book.sheetnames] == ["visible", "visible", "hidden"]
    said = identity(book)
    assert said.pop("ntm-template")[0] == 1
    entry = registry.entries[PHU_THO]
    wanted = {
        "ruleset": PHU_THO, "digest": entry.compiled.digest, "period": "2024",
        "under": "province-25", "on": "2024-12-31", "locale": "vi", "sheet": DATA,
        "header_row": HEADER_ROW, "first_row": FIRST_ROW,
    }  # fmt: skip
    assert {name: said.pop(name)[0] for name in wanted} == wanted
    assert said.pop("column") == ("meaning", "heading")
    headings, _ = table(book[DATA])
    assert [said[number][1] for number in range(1, len(headings) + 1)] == headings
    meanings = [said[number][0] for number in range(1, len(headings) + 1)]
    places = ["unit", "name", "district", "province", "source", "note"]
    assert {one.partition(".")[0] for one in meanings if one not in places} == set(
        entry.compiled.unit_codes
    )
    assert len(set(meanings)) == len(meanings)


async def test_the_guide_is_in_vietnamese_and_says_how_to_send(client: httpx.AsyncClient) -> None:
    """Whoever gets the file alone learns what it is, how to fill it in and where it goes."""
    sheet = opened(await got(client))[GUIDE]
    said = "\n".join(str(cell.value) for (cell,) in sheet.iter_rows() if cell.value)
    for words in (
        "Kỳ của số liệu: 2024", "Tỉnh Phú Thọ (25)", "phutho.commune", "Cách điền",
        "tử số và mẫu số", "“có”", "“không”", "Nguồn", "ntm import", "curl", "/v1/imports",
    ):  # fmt: skip
        assert words in said, words


async def test_the_same_template_is_not_made_twice(client: httpx.AsyncClient) -> None:
    """The same inputs give the same bytes under the same tag; whoever holds them gets 304."""
    first, again = await got(client), await got(client)
    assert first.content == again.content
    tag = first.headers["etag"]
    assert again.headers["etag"] == tag
    for sent in (tag, f'"other", W/{tag}', "*"):
        held = await client.get(path(), params=PAST, headers={"if-none-match": sent})
        assert (held.status_code, held.content) == (304, b"")
        assert held.headers["etag"] == tag
    assert first.headers["content-type"] == XLSX
    assert first.headers["content-disposition"] == (
        'attachment; filename="phutho.commune-province-25-2024.xlsx"'
    )
    other = await client.get(
        path(), params=PAST | {"period": "2023"}, headers={"if-none-match": tag}
    )
    assert other.status_code == 200
    assert other.headers["etag"] != tag


async def test_units_are_those_of_a_day(client: httpx.AsyncClient) -> None:
    """In 2025 a code means two provinces: the day says which, and whose communes are listed."""
    answer = await client.get(path(), params={"under": "25", "period": "2025"})
    assert (problem(answer)["code"], answer.status_code) == ("ambiguous-unit", 422)
    old, new = [
        opened(await got(client, under="25", period="2025", on=day))
        for day in ("2025-06-30", "2025-07-01")
    ]
    assert identity(old)["on"][0] == "2025-06-30"
    assert identity(new)["on"][0] == "2025-07-01"
    before, after = (len(table(book[DATA])[1]) for book in (old, new))
    assert before > after > 0
    assert "Huyện" in table(old[DATA])[0]
    assert "Huyện" not in table(new[DATA])[0]


async def test_a_unit_of_the_level_is_its_own_row(client: httpx.AsyncClient) -> None:
    """A ruleset for provinces has the province, its shares over members included."""
    book = opened(await got(client, "travinh.province", under="84", period="2024"))
    headings, rows = table(book[DATA])
    assert [row[:2] for row in rows] == [["84", "Tỉnh Trà Vinh"]]
    derived = [heading for heading in headings if heading.endswith("Mẫu số")]
    assert len(derived) == 15
    nation = opened(await got(client, "qd924.nation", under="VN", period="2024"))
    assert [row[0] for row in table(nation[DATA])[1]] == ["VN"]


async def test_a_ruleset_of_two_levels_has_the_units_of_both(client: httpx.AsyncClient) -> None:
    """Districts come before their communes where a document speaks of both."""
    book = opened(await got(client, "phutho.annex01", under="25", period="2024"))
    codes = [row[0] for row in table(book[DATA])[1]]
    lengths = [len(code) for code in codes]
    assert set(lengths) == {3, 5}
    assert lengths == sorted(lengths)


async def test_hamlets_are_listed_below_their_commune(client: httpx.AsyncClient) -> None:
    """A hamlet keeps its code, and the names of everything above it stand beside it."""
    hamlet = {"code": "29266-01", "name": "=Ấp 1", "type": "ap", "valid_from": "2025-02-01"}
    made = await client.post("/v1/communes/29266/hamlets", json=hamlet)
    assert made.status_code == 201, made.text
    answer = await got(client, "travinh.hamlet", under="84", period="2025", on="2025-03-01")
    headings, rows = table(opened(answer)[DATA])
    assert headings[2:5] == ["Xã", "Huyện", "Tỉnh"]
    (row,) = rows
    assert row[:2] == ["29266-01", "=Ấp 1"]
    assert row[4] == "Tỉnh Trà Vinh"


async def test_a_set_tells_its_codes(client: httpx.AsyncClient, registry: Registry) -> None:
    """Whoever has to enter codes finds all of them in the comment and in the guide."""
    book = opened(await got(client, "bnn3445.content.smart", under="25", period="2024"))
    headings, _ = table(book[DATA])
    comment = book[DATA].cell(HEADER_ROW, headings.index("Nguồn") + 2).comment
    guide = "\n".join(str(cell.value) for (cell,) in book[GUIDE].iter_rows())
    members = registry.indicators["smart_contents_implemented"].members
    assert comment is not None
    for member in members:
        assert f"{member.code}: {member.name.vi}" in comment.text
        assert f"{member.code}: {member.name.vi}" in guide


@pytest.mark.parametrize(
    ("ruleset", "params", "status", "code"),
    [
        ("no.such", PAST, 404, "ruleset-not-found"),
        (PHU_THO, {"under": "99", "period": "2024"}, 404, "unit-not-found"),
        (PHU_THO, {"under": "25", "period": "24"}, 422, "invalid-period"),
        (PHU_THO, {"under": "25"}, 422, "missing-field"),
        (PHU_THO, {"period": "2024"}, 422, "missing-field"),
        (PHU_THO, PAST | {"on": "31/12/2024"}, 422, "wrong-type"),
        (PHU_THO, PAST | {"format": "xls"}, 422, "unknown-field"),
        (PHU_THO, PAST | {"under": "25?"}, 422, "wrong-value"),
        (PHU_THO, {"under": "84", "period": "2024"}, 422, "ruleset-out-of-scope"),
        ("travinh.hamlet", {"under": "84", "period": "2024"}, 422, "ruleset-out-of-scope"),
        ("travinh.province", {"under": "29266", "period": "2024"}, 422, "wrong-level"),
        ("qd924.nation", PAST, 422, "wrong-level"),
        ("bnn3445.annex1", {"under": "VN", "period": "2024"}, 422, "too-many-units"),
    ],
)
async def test_what_makes_no_template_is_refused_with_a_reason(
    client: httpx.AsyncClient, ruleset: str, params: dict[str, str], status: int, code: str
) -> None:
    """No ruleset, unit, period or row to fill in: a problem document says which, and what to do."""
    answer = await client.get(path(ruleset), params=params)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


async def test_a_template_is_for_ones_own_territory(
    join: Join, stranger: httpx.AsyncClient
) -> None:
    """Nobody gets one without a token, without the right to read, or for units of others."""
    assert problem(await stranger.get(path(), params=PAST))["status"] == 401
    writer = (await join("25", "values:write")).http
    assert problem(await writer.get(path(), params=PAST))["status"] == 403
    other = (await join("86", "read")).http
    assert problem(await other.get(path(), params=PAST))["code"] == "outside-territory"
    past = await other.get(path("travinh.commune"), params={"under": "84", "period": "2024"})
    assert past.status_code == 200  # Trà Vinh is a part of what Vĩnh Long descends from
    commune = (await join("07894", "read")).http
    below = await got(commune, "bnn3445.annex1", under="07894", period="2025", on="2025-08-01")
    assert [row[0] for row in table(opened(below)[DATA])[1]] == ["07894"]


def test_names_and_law_that_look_like_formulas_stay_text(registry: Registry) -> None:
    """Nothing in a template is ever calculated, fetched or linked."""
    entry = registry.entries[PHU_THO]
    period = read_period("2024")
    assert period is not None
    evil = ("=1+1", "+cmd|' /C calc'!A0", "http://evil.example/", "@SUM(A1)", "-2+3")
    form = Form(
        entry.ruleset.model_copy(update={"version": "=2+2"}),
        entry.compiled.digest,
        period,
        Entity(1, "province-25", "province", "25", "tinh", "=HYPERLINK(1)", None, 1, period.last),
        datetime.date(2024, 12, 31),
        (Column("unit", "=A1", "place", "=B1"), Column("source", "http://x.y", "source"),
         Column("note", "@x", "note")),
        tuple((one,) for one in evil),
    )  # fmt: skip
    book = openpyxl.load_workbook(io.BytesIO(written(form)))
    cells = [cell for name in book.sheetnames for row in book[name].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells if cell.value is not None} <= {"s", "n"}
    assert not [cell for cell in cells if cell.hyperlink]
    assert [row[0] for row in table(book[DATA])[1]] == list(evil)
