"""Values as files: the rows of the list, in one state, safe to open, good to hand in again."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from conftest import Join, Member, problem
from export_calls import Item, cells, everything, exported, lines, records, table
from fastapi import FastAPI
from grant_calls import ELSEWHERE, GIVER, end, give, read
from on_record import client_of, ratio, record, value
from own_database import own
from value_calls import CHOSEN, COUNT, LARGEST, RATE, SHARE, TRUTH

from app.api import downloads
from app.database import Database
from app.domain.clients import SCOPES
from app.domain.exports import values as exported_values
from app.domain.formulas import guarded
from app.domain.grants import counting

settings, database, service = own("exports")

VALUES: Final = "/v1/values"
FILES: Final = (f"{VALUES}.csv", f"{VALUES}.xlsx", f"{VALUES}.ndjson")
IMPORTED: Final = (
    "unit", "on", "period", "indicator", "value", "numerator", "denominator", "source",
    "measured_on", "note",
)  # fmt: skip
EVIL: Final = '=HYPERLINK("http://x.example","a")'
# Communes of today's Phú Thọ, and one of before: 08290 ended on 2025-06-30.
NOW, BEFORE, PROVINCE = "07948", "08290", "25"
TODAY: Final = {"period": "2025", "on": "2025-08-01"}


@pytest.fixture(scope="session")
async def known(service: FastAPI, database: Database) -> list[Item]:
    """Values of every kind, of several units and periods, followed and retracted ones too."""
    nation = await client_of(database)
    token = service.state.tokens.issue(nation, list(SCOPES))
    transport = httpx.ASGITransport(app=service)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", headers=headers
    ) as http:
        note = 'Dòng một, có “dấu” "nháy"\nDòng hai; hết'
        first = await record(
            http,
            value(NOW, TRUTH, True, **TODAY),
            value(NOW, COUNT, 7, **TODAY, measured_on="2025-09-01"),
            value(NOW, CHOSEN, [], **TODAY),
            value(NOW, RATE, {"percent": "85.50"}, **TODAY, note=note),
            value(NOW, COUNT, LARGEST, "2026"),
            value(BEFORE, RATE, ratio(80, 100), "2025", on="2025-03-01"),
            value(BEFORE, TRUTH, False),
            value(BEFORE, CHOSEN, ["health", "education"]),
            value(PROVINCE, SHARE, ratio(1, 3), "2024"),
            value(ELSEWHERE, COUNT, 3, "2026"),
            value(NOW, COUNT, 1, "2025-H2"),
        )
        await record(http, value(NOW, COUNT, 2, "2025-H2", note="sửa"))
        gone = await record(http, value(NOW, COUNT, 5, "2026-Q1"))
        answer = await http.post(f"{VALUES}/{gone[0]['id']}/retract", json={"reason": "nhầm"})
        assert answer.status_code == 200
        return first


def count_in(path: str, content: bytes) -> int:
    """Return how many rows a file has."""
    if path.endswith(".ndjson"):
        return len(lines(content))
    return len(table(content) if path.endswith(".csv") else cells(content)) - 1


FILTERS: Final[tuple[Item, ...]] = (
    {},
    {"unit": NOW},
    {"unit": NOW, "with_predecessors": "true"},
    {"under": "25"},
    {"under": "25", "on": "2025-03-01"},
    {"indicator": COUNT},
    {"period": "2025", "under": "25", "on": "2025-08-01"},
    {"status": "superseded"},
    {"status": "retracted"},
    {"status": "reported", "period": "2026"},
    {"indicator": TRUTH, "period": "1999"},
)


@pytest.mark.parametrize("filters", FILTERS, ids=str)
async def test_files_hold_what_the_list_shows(
    client: httpx.AsyncClient, known: list[Item], filters: Item
) -> None:
    """Every format has exactly the values of the list by the same filters, in the same order."""
    listed = await everything(client, VALUES, **filters)
    assert listed or filters.get("period") == "1999"
    assert lines(await exported(client, f"{VALUES}.ndjson", **filters)) == listed
    numbers = [str(one["id"]) for one in listed]
    assert [row["id"] for row in records(await exported(client, FILES[0], **filters))] == numbers
    _, *rows = cells(await exported(client, FILES[1], **filters))
    assert [str(row[-1]) for row in rows] == numbers


async def test_many_parts_make_one_file(
    client: httpx.AsyncClient, known: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows are read at a time, the file is the same."""
    whole = [await exported(client, path) for path in (FILES[0], FILES[2])]
    monkeypatch.setattr(exported_values, "PAGE", 2)
    assert [await exported(client, path) for path in (FILES[0], FILES[2])] == whole
    assert len(cells(await exported(client, FILES[1]))) == len(table(whole[0]))


async def test_a_row_says_what_the_value_says(client: httpx.AsyncClient, known: list[Item]) -> None:
    """Every kind of fact has its cells; names are those of the unit in the period."""
    found = {int(row["id"]): row for row in records(await exported(client, FILES[0]))}
    truth, count, chosen, percent, largest, ratio_, no, several, share = (
        found[one["id"]] for one in known[:9]
    )
    assert [truth["value"], count["value"], chosen["value"], percent["value"]] == [
        "true", "7", "[]", "85.50%",
    ]  # fmt: skip
    assert [largest["value"], no["value"], several["value"]] == [
        str(LARGEST), "false", "education|health",
    ]  # fmt: skip
    assert [ratio_["numerator"], ratio_["denominator"], ratio_["value"]] == ["80", "100", ""]
    assert count["measured_on"] == "2025-09-01"
    assert (truth["unit"], truth["on"], truth["level"]) == (NOW, "2025-12-31", "commune")
    assert (truth["province"], truth["district"]) == ("Tỉnh Phú Thọ", "")
    assert (ratio_["unit"], ratio_["on"]) == (BEFORE, "2025-06-30")
    assert ratio_["district"].startswith(("Huyện", "Thị xã", "Thành phố"))
    assert (largest["on"], no["on"]) == ("", "")
    assert (share["unit"], share["province"], share["level"]) == ("25", "", "province")
    assert truth["status"] == "reported"
    assert truth["recorded_at"].endswith("Z")
    assert truth["by"] == known[0]["by"]


async def test_what_was_exported_can_be_handed_in_again(
    client: httpx.AsyncClient, known: list[Item]
) -> None:
    """The first ten columns are a file of values; everything in it is on record already."""
    headings, *rows = table(await exported(client, FILES[0]))
    assert tuple(headings[:10]) == IMPORTED
    written = io.StringIO()
    csv.writer(written).writerows([row[:10] for row in (headings, *rows)])
    answer = await client.post(
        f"{VALUES}/import", content=written.getvalue(), headers={"content-type": "text/csv"}
    )
    assert answer.status_code == 200, answer.text[:500]
    assert answer.json()["counts"] == {
        "rows": len(rows), "created": 0, "superseded": 0, "unchanged": len(rows), "rejected": 0,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["csv?headings=en", "csv?headings=vi", "xlsx?headings=vi"])
async def test_a_whole_file_can_be_imported_again_unchanged(
    client: httpx.AsyncClient, known: list[Item], name: str
) -> None:
    """An export is an import: every column is known, the last row is no value, nothing differs."""
    await record(client, value("00008", COUNT, 12, "2026", source="=1+1", note="'+x"))
    file = await client.get(f"{VALUES}.{name}")
    sent = await client.post(
        "/v1/imports", content=file.content, headers={"content-type": "application/octet-stream"}
    )
    assert sent.status_code == 201, sent.text[:1000]
    report = sent.json()
    assert (report["conflicts"], report["warnings"]) == ([], [])
    assert report["counts"]["unchanged"] == report["rows"] > 0
    assert report["counts"]["created"] == 0


async def test_headings_are_vietnamese_on_request(client: httpx.AsyncClient) -> None:
    """The headings change, the rows do not; nobody guesses at another language."""
    english, vietnamese = [
        table(await exported(client, FILES[0], headings=one)) for one in ("en", "vi")
    ]
    assert vietnamese[1:] == english[1:]
    assert vietnamese[0][:4] == ["Mã đơn vị", "Tại ngày", "Kỳ", "Chỉ số"]
    assert cells(await exported(client, FILES[1], headings="vi"))[0] == vietnamese[0]
    for path in FILES[:2]:
        found = problem(await client.get(path, params={"headings": "fr"}))
        assert (found["status"], found["errors"][0]["pointer"]) == (422, "/headings")


# --- safe to open --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"), ("+84 999", "'+84 999"), ("-x", "'-x"), ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"), ("\rx", "'\rx"), ("\nx", "'\nx"), ("\x00x", "'\x00x"),
        ("＝1", "'＝1"), ("＠x", "'＠x"), ("'=1", "''=1"), ("''-x", "'''-x"),
        ("-5", "-5"), ("+3.5", "+3.5"), ("-3,5", "-3,5"), ("-5-5", "'-5-5"),
        ("'x", "'x"), ("x=1", "x=1"), ("", ""), ("07948", "07948"), ("85.50", "85.50"),
    ],
)  # fmt: skip
def test_text_never_begins_a_formula(text: str, written: str) -> None:
    """An apostrophe goes before what a spreadsheet would run, and can be taken away again."""
    assert guarded(text) == written


async def test_nothing_that_people_wrote_is_run(client: httpx.AsyncClient) -> None:
    """In CSV the text is guarded, in a workbook it is text, in JSON it is as it was written."""
    one = (await record(client, value("00008", COUNT, 3, "2026", note=EVIL)))[0]
    await record(client, value("00008", TRUTH, True, "2026", note="-2+3+cmd|' /C calc'!A0"))
    (guarded_, other) = records(await exported(client, FILES[0], unit="00008"))[::-1]
    if guarded_["id"] != str(one["id"]):
        guarded_, other = other, guarded_
    assert (guarded_["note"], other["note"][:2]) == (f"'{EVIL}", "'-")
    headings, *rows = cells(await exported(client, FILES[1], unit="00008"))
    assert {row[headings.index("note")] for row in rows} == {EVIL, "-2+3+cmd|' /C calc'!A0"}
    assert {row[headings.index("unit")] for row in rows} == {"00008"}
    told = {item["id"]: item for item in lines(await exported(client, FILES[2], unit="00008"))}
    assert told[one["id"]]["note"] == EVIL


# --- whose they are ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES)
async def test_files_are_for_who_may_read(
    stranger: httpx.AsyncClient, join: Join, path: str
) -> None:
    """Without a token 401, without the scope 403, of a unit that is not one's own 404."""
    assert (await stranger.get(path)).status_code == 401
    writer = (await join("25", "values:write")).http
    assert problem(await writer.get(path))["code"] == "insufficient-scope"
    reader = (await join(ELSEWHERE, "read")).http
    assert problem(await reader.get(path, params={"unit": NOW}))["code"] == "outside-territory"
    assert problem(await reader.get(path, params={"under": "99"}))["status"] == 404


async def test_files_end_at_the_border_of_the_territory(
    join: Join, known: list[Item], client: httpx.AsyncClient
) -> None:
    """A commune's client gets the values of its commune, one of the province those of it all."""
    own_ = (await join(ELSEWHERE, "read")).http
    assert {row["unit"] for row in records(await exported(own_, FILES[0]))} == {ELSEWHERE}
    assert [row[0] for row in cells(await exported(own_, FILES[1]))] == ["unit", ELSEWHERE]
    assert len(lines(await exported(own_, FILES[2]))) == 1
    assert lines(await exported(own_, FILES[2], under=PROVINCE)) == []
    province = (await join(PROVINCE, "read")).http
    codes = {row["unit"] for row in records(await exported(province, FILES[0]))}
    assert codes == {NOW, BEFORE, PROVINCE}


@pytest.mark.parametrize("path", FILES)
async def test_what_grants_open_is_counted(join: Join, known: list[Item], path: str) -> None:
    """A grant opens exactly its rows; they are counted; after its end there are none."""
    giver: Member = await join(GIVER)
    other: Member = await join("00004")
    wished = {"to_territory": None, "to_client": other.client_id}
    given = await give(giver.http, **wished, resources=["values"], indicators=[TRUTH])
    before = (await read(giver.http, given["id"]))["reads"]["rows"]
    wanted = {"indicator": TRUTH, "under": "25"}
    content = await exported(other.http, path, **wanted)
    count = count_in(path, content)
    assert count == len(await everything(other.http, VALUES, **wanted)) > 0
    reads = (await read(giver.http, given["id"]))["reads"]
    assert reads["rows"] == before + 2 * count
    narrowed = await exported(other.http, f"{VALUES}.ndjson", indicator=COUNT, under="25")
    assert lines(narrowed) == []


async def test_a_grant_that_has_ended_opens_nothing(
    join: Join, known: list[Item], database: Database
) -> None:
    """The end of a grant holds from the next export on."""
    giver, other = await join(GIVER), await join("00004")
    wished = {"to_territory": None, "to_client": other.client_id, "resources": ["values"]}
    given = await give(giver.http, **wished)
    assert lines(await exported(other.http, FILES[2], under="25"))
    await end(database, given["id"])
    assert lines(await exported(other.http, FILES[2], under="25")) == []


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("limit=5", "/limit", "unknown-field"),
        ("cursor=x", "/cursor", "unknown-field"),
        ("updated_since=2025-01-01T00:00:00Z", "/updated_since", "unknown-field"),
        ("indicator=nothing", "/indicator", "unknown-indicator"),
        ("with_predecessors=true", "/with_predecessors", "missing-field"),
        ("status=gone", "/status", "wrong-value"),
        ("period=x", "/period", "invalid-period"),
        ("unit=07948&unit=07948", "/unit", "repeated-parameter"),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_is_sent(
    client: httpx.AsyncClient, path: str, query: str, pointer: str, code: str
) -> None:
    """No parameter is ignored; the answer is a problem document like everywhere."""
    found = problem(await client.get(f"{path}?{query}"))
    assert found["status"] == 422
    assert [(one["pointer"], one["code"]) for one in found["errors"]] == [(pointer, code)]


async def test_a_workbook_has_an_end(
    client: httpx.AsyncClient, known: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows than a sheet takes are refused, and it is said what to do instead."""
    monkeypatch.setattr(downloads, "MOST_ROWS", 2)
    found = problem(await client.get(FILES[1]))
    assert (found["status"], found["code"]) == (422, "too-many-rows")
    assert ".csv" in found["detail"]
    assert len(cells(await exported(client, FILES[1], unit=ELSEWHERE))) == 2


# --- bounds --------------------------------------------------------------------------------------


async def test_three_exports_run_at_once(join: Join, service: FastAPI) -> None:
    """The fourth is told to come again, and the third of one client; what ends makes room."""
    limit: downloads.Downloads = service.state.downloads
    me = await join("VN")
    client = me.http
    for taken, status, code in (
        (("one", "one", "other"), 503, "overloaded"),
        ((me.client_id, me.client_id), 429, "rate-limited"),
    ):
        with ExitStack() as held:
            for one in taken:
                held.enter_context(limit.one_more(one))
            for path in FILES:
                answer = await client.get(path)
                assert (answer.status_code, problem(answer)["code"]) == (status, code)
                assert int(answer.headers["retry-after"]) > 0
    for path in FILES:
        await exported(client, path, unit=ELSEWHERE)
        assert problem(await client.get(path, params={"under": "99"}))["status"] == 404
    assert limit.running == 0


@pytest.mark.parametrize("path", FILES)
async def test_the_head_is_sent_without_the_rows(
    client: httpx.AsyncClient, known: list[Item], service: FastAPI, path: str
) -> None:
    """HEAD answers as GET does, without a body."""
    answer = await client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert "attachment" in answer.headers["content-disposition"]
    assert service.state.downloads.running == 0


@pytest.mark.parametrize("path", FILES)
async def test_an_export_that_takes_too_long_is_given_up(
    client: httpx.AsyncClient, service: FastAPI, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """At the end of the time the caller is told so, while nothing is sent yet."""
    monkeypatch.setattr(downloads, "_LONGEST", -1.0)
    found = problem(await client.get(path))
    assert (found["status"], found["code"]) == (503, "query-timeout")
    assert service.state.downloads.running == 0


@pytest.mark.parametrize("path", FILES)
async def test_a_file_shows_one_state(
    client: httpx.AsyncClient, known: list[Item], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """What is recorded while a file is made is not in it, not even in its later parts."""
    listed = await everything(client, VALUES)
    monkeypatch.setattr(exported_values, "PAGE", 1)
    counted = counting.count
    new: list[Item] = []

    async def recording(*arguments: Any) -> None:
        if not new:
            new.extend(await record(client, value("00025", RATE, ratio(len(path), 99), "2026")))
        await counted(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(counting, "count", recording)
        content = await exported(client, path)
    assert new
    assert count_in(path, content) == len(listed)


async def test_a_workbook_in_the_making_blocks_nobody(
    client: httpx.AsyncClient,
    known: list[Item],
    service: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It leaves its room at the gate before it begins, and nothing on disk when it has ended."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    counted, seen = counting.count, list[tuple[int, int]]()

    async def looking(*arguments: Any) -> None:
        seen.append((service.state.gate.running, len(os.listdir(tmp_path))))
        await counted(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(counting, "count", looking)
        await exported(client, FILES[1])
    assert seen
    assert set(seen) == {(0, 1)}
    async with asyncio.timeout(60):
        while os.listdir(tmp_path):  # noqa: ASYNC110 - its thread removes it
            await asyncio.sleep(0.01)
