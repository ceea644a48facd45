"""Imports over HTTP: what becomes of every value of a file is told, and is what happens."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from conftest import Described, Join, problem
from fastapi import FastAPI
from import_calls import (
    ASYNC,
    CSV,
    IMPORTS,
    SOURCE,
    Item,
    causes,
    counted,
    imported,
    row,
    send,
    sound,
    table,
    without,
    worked_off,
)
from job_calls import QUEUE, change
from own_database import own
from unchanged import fingerprint
from value_calls import COUNT, RATE, TRUTH, history, listed, retract
from working import work_off

from app.database import Database
from app.domain.imports import beginning, findings, freeing, rejecting, storing
from app.domain.reading import limited
from app.rules.errors import Text
from app.rules.registry import Registry
from app.settings import Settings

settings, database, service = own("imports")
HERE, THERE = "07894", "29266"  # of Phú Thọ, and of Trà Vinh, in 2024


@pytest.fixture(scope="session")
async def communes(database: Database) -> Iterator[str]:
    """Codes of communes of Phú Thọ in 2024 of which no other test records anything."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT v.code FROM unit_version v JOIN unit u ON u.id = v.unit_id"
            " JOIN unit_version p ON p.unit_id = v.province_id AND p.valid_from IS NULL"
            " WHERE u.level = 'commune' AND p.code = '25' AND v.valid_from IS NULL"
            " AND v.valid_to = '2025-07-01' ORDER BY v.code"
        )
    return iter(row["code"] for row in rows if row["code"] != HERE)


@pytest.fixture
def place(communes: Iterator[str]) -> str:
    """A commune that no other test records values for."""
    return next(communes)


@pytest.fixture(scope="session")
def described(service: FastAPI) -> Described:
    """The description of the API as it is served."""
    return Described(json.loads(json.dumps(service.openapi())))


_KEYS = itertools.count()


def key() -> dict[str, str]:
    """Return a header that names a request."""
    return {"idempotency-key": f"import-{next(_KEYS)}"}


# --- loading -------------------------------------------------------------------------------------


async def test_good_values_are_loaded_and_told(
    client: httpx.AsyncClient, place: str, described: Described
) -> None:
    """What is in the file is on record afterwards, as one act, and the report counts it."""
    content = table(row(place, COUNT, 7), row(place, TRUTH, "có"), row(place, RATE, "3400/4000"))
    answer = await send(client, content, "?name=sổ.csv")
    report = sound(answer.json())
    assert (answer.status_code, report["state"], report["rows"]) == (201, "committed", 3)
    assert counted(report) == {"created": 3}
    assert report["conflicts"] == report["warnings"] == []
    assert report["file"] | {"sha256": ""} == {
        "name": "sổ.csv", "size": len(content), "sha256": "", "format": "csv",
        "encoding": "utf-8", "delimiter": ",", "packed": False, "locale": "vi", "form": "long",
        "sheets": [],
    }  # fmt: skip
    found = {
        one["indicator"]: one["value"] for one in await listed(client, unit=place, period="2024")
    }
    assert found == {COUNT: 7, TRUTH: True, RATE: {"numerator": 3400, "denominator": 4000}}
    assert len({one["recorded_at"] for one in await listed(client, unit=place, period="2024")}) == 1
    again = await client.get(answer.headers["location"])
    assert again.json() == report
    assert (await client.get(IMPORTS, params={"limit": "1"})).json()["items"][0]["id"] == \
        report["id"]  # fmt: skip


async def test_what_is_on_record_already_is_not_recorded_again(
    client: httpx.AsyncClient, place: str
) -> None:
    """The same file a second time changes nothing; of a changed one the changes follow."""
    content = table(row(place, COUNT, 7), row(place, TRUTH, "có"))
    await imported(client, content)
    assert counted(await imported(client, content)) == {"unchanged": 2}
    changed = table(row(place, COUNT, 8), row(place, TRUTH, "có"))
    report = await imported(client, changed)
    assert counted(report) == {"created": 1, "superseded": 1, "unchanged": 1}
    (value,) = (
        one for one in await listed(client, unit=place, period="2024") if one["indicator"] == COUNT
    )
    told = [(one["value"], one["status"]) for one in await history(client, value["id"])]
    assert told == [(7, "superseded"), (8, "reported")]


async def test_a_value_that_says_anything_else_differs(
    client: httpx.AsyncClient, place: str
) -> None:
    """Another source, day or note makes another value, as another fact does."""
    header = "unit,period,indicator,value,source,measured_on,note"
    one = f"{place},2024,{COUNT},7,{SOURCE},2024-05-01,đo"
    await imported(client, table(one, header=header))
    for other in (one.replace("12/", "13/"), one.replace("-05-", "-06-"), one.replace("đo", "")):
        report = await imported(client, table(other, header=header))
        assert counted(report) == {"created": 1, "superseded": 1}, other


async def test_after_a_retraction_a_value_is_new(client: httpx.AsyncClient, place: str) -> None:
    """A value that was retracted is not on record: it is created again and follows nothing."""
    content = table(row(place, COUNT, 7))
    await imported(client, content)
    (value,) = await listed(client, unit=place, period="2024")
    assert (await retract(client, value["id"])).status_code == 200
    assert counted(await imported(client, content, "?on_conflict=fail")) == {"created": 1}


@pytest.mark.parametrize("query", ["", "?mode=partial"])
async def test_values_that_differ_are_left_alone_where_that_is_wanted(
    client: httpx.AsyncClient, place: str, query: str
) -> None:
    """on_conflict=skip counts them as skipped, loads the others, and follows nothing."""
    await imported(client, table(row(place, COUNT, 7)))
    both = table(row(place, COUNT, 8), row(place, TRUTH, "x"))
    query = f"{query or '?mode=all'}&on_conflict=skip"
    assert counted(await imported(client, both, query)) == {"created": 1, "skipped": 1}
    assert {one["value"] for one in await listed(client, unit=place, period="2024")} == {7, True}


async def test_values_that_differ_are_refused_where_that_is_wanted(
    client: httpx.AsyncClient, place: str
) -> None:
    """on_conflict=fail rejects each of them by row and column; with mode=all nothing is loaded."""
    await imported(client, table(row(place, COUNT, 7)))
    both = table(row(place, TRUTH, "x"), row(place, COUNT, 8))
    report = await imported(client, both, "?on_conflict=fail", status=422)
    assert (report["code"], report["state"]) == ("invalid-rows", "refused")
    assert counted(report) == {"created": 1, "rejected": 1}
    assert causes(report) == {("conflict-on-record", "value"): [3]}
    assert [one["value"] for one in await listed(client, unit=place, period="2024")] == [7]
    partly = await imported(client, both, "?on_conflict=fail&mode=partial")
    assert (partly["state"], counted(partly)) == ("committed", {"created": 1, "rejected": 1})
    assert {one["value"] for one in await listed(client, unit=place, period="2024")} == {7, True}


async def test_a_bad_row_keeps_all_others_out(
    client: httpx.AsyncClient, database: Database, place: str, described: Described
) -> None:
    """With mode=all one bad row loads nothing; the report names every bad row, and stays."""
    content = table(
        row(place, COUNT, 7), row("99999", COUNT, 1), row(place, "nope", 1), row(place, TRUTH, "?")
    )
    answer = await send(client, content)
    described.judge(answer)
    report = sound(answer.json())
    assert (answer.status_code, report["status"], report["code"]) == (422, 422, "invalid-rows")
    assert counted(report) == {"created": 1, "rejected": 3}
    assert sorted(causes(report).values()) == [[3], [4], [5]]
    assert {one["code"] for one in report["errors"]} == {c for c, _ in causes(report)}
    assert await listed(client, unit=place, period="2024") == []
    kept = (await client.get(f"{IMPORTS}/{report['id']}")).json()
    assert kept == {name: report[name] for name in kept}
    loaded = await imported(client, content, "?mode=partial")
    assert without(loaded) | {"mode": ""} == without(kept) | {"mode": "", "state": "committed"}
    assert len(await listed(client, unit=place, period="2024")) == 1


async def test_a_file_that_cannot_be_taken_is_refused_with_its_report(
    client: httpx.AsyncClient, described: Described, place: str
) -> None:
    """A fault of the file as a whole has a code of its own; it is no fault of rows."""
    for content, code in (
        (table(row(place, COUNT, 1), header="unit,period,indicator,value,hue"), "invalid-file"),
        (b"PK\x03\x04" + b"\0" * 100, "invalid-file"),
        (gzip.compress(b"\0" * 50_000_000), "unsafe-file"),
    ):
        answer = await client.post(IMPORTS, content=content)
        described.judge(answer)
        report = sound(answer.json())
        assert (answer.status_code, report["code"]) == (422, code), report["errors"]
        assert (report["state"], counted(report)) == ("refused", {})
        assert report["conflicts"][0]["message"]["vi"] in report["detail"]


# --- checking first ------------------------------------------------------------------------------


async def test_a_dry_run_changes_nothing_and_is_committed_later(
    client: httpx.AsyncClient, place: str
) -> None:
    """A dry run counts as the import does, loads nothing, and is loaded without its file."""
    content = table(row(place, COUNT, 7), row(place, TRUTH, "không"))
    checked = await imported(client, content, "?dry_run=true")
    assert (checked["state"], checked["dry_run"]) == ("checked", True)
    assert counted(checked) == {"created": 2}
    assert await listed(client, unit=place, period="2024") == []
    commit = f"{IMPORTS}/{checked['id']}/commit"
    answer = await client.post(commit)
    assert answer.status_code == 200, answer.text
    report = sound(answer.json())
    assert (report["state"], report["dry_run"], report["id"]) == ("committed", False, checked["id"])
    assert counted(report) == {"created": 2}
    assert len(await listed(client, unit=place, period="2024")) == 2
    again = problem(await client.post(commit))
    assert (again["status"], again["code"]) == (409, "import-not-checked")


async def test_a_commit_compares_with_what_is_on_record_then(
    client: httpx.AsyncClient, place: str
) -> None:
    """What came on record after the dry run counts: here it is a conflict that refuses all."""
    content = table(row(place, COUNT, 7), row(place, TRUTH, "x"))
    checked = await imported(client, content, "?dry_run=true&on_conflict=fail")
    assert counted(checked) == {"created": 2}
    await imported(client, table(row(place, COUNT, 9)))
    answer = await client.post(f"{IMPORTS}/{checked['id']}/commit")
    report = sound(answer.json())
    assert (answer.status_code, report["state"]) == (422, "checked")
    assert counted(report) == {"created": 1, "rejected": 1}
    assert [one["value"] for one in await listed(client, unit=place, period="2024")] == [9]
    rejected = (await client.get(report["rejected"])).text
    assert rejected.count("\r\n") == 2


async def test_a_dry_run_with_bad_rows_is_checked_all_the_same(
    client: httpx.AsyncClient, settings: Settings, database: Database, registry: Registry,
    place: str,
) -> None:  # fmt: skip
    """A dry run answers 201 whatever is in the rows; refused with mode=all, it stays checked."""
    content = table(row(place, COUNT, 7), row(place, TRUTH, "?"))
    checked = await imported(client, content, "?dry_run=true")
    assert (checked["state"], counted(checked)) == ("checked", {"created": 1, "rejected": 1})
    commit = f"{IMPORTS}/{checked['id']}/commit"
    for headers in ({}, ASYNC):
        answer = await client.post(commit, headers=headers)
        if headers:
            assert answer.status_code == 202
            await work_off(settings, database, registry)
        else:
            assert (answer.status_code, answer.json()["state"]) == (422, "checked")
            assert f"{commit}?mode=partial" in answer.json()["detail"], "what fits a dry run"
        assert await listed(client, unit=place, period="2024") == []
    answer = await client.post(f"{commit}?mode=partial")
    report = sound(answer.json())
    assert (answer.status_code, report["state"], report["mode"]) == (200, "committed", "partial")
    assert len(await listed(client, unit=place, period="2024")) == 1


# --- as a job ------------------------------------------------------------------------------------


async def test_a_job_reports_what_a_request_reports(
    client: httpx.AsyncClient,
    settings: Settings,
    database: Database,
    registry: Registry,
    place: str,
    described: Described,
) -> None:
    """Whether asked for or not, a job makes the report that is made at once, and loads as much."""
    content = table(row(place, COUNT, 7), row("99999", COUNT, 1), row("7894", TRUTH, "x"))
    once = await imported(client, content, "?mode=partial&dry_run=true")
    answer = await send(client, content, "?mode=partial&dry_run=true", **ASYNC)
    described.judge(answer)
    assert answer.headers["preference-applied"] == "respond-async"
    waiting = (await client.get(IMPORTS, params={"limit": "1"})).json()["items"][0]
    assert (waiting["state"], waiting["counts"]) == ("pending", None)
    later = await worked_off(client, answer, settings, database, registry)
    assert without(later) == without(once)
    assert later["job"] == answer.json()["id"]
    assert await listed(client, unit=place, period="2024") == []
    commit = await client.post(f"{IMPORTS}/{later['id']}/commit", headers=ASYNC)
    loaded = await worked_off(client, commit, settings, database, registry)
    assert (loaded["state"], loaded["counts"]) == ("committed", once["counts"])
    assert len(await listed(client, unit=place, period="2024")) == 1


async def test_what_is_too_much_for_a_request_becomes_a_job(
    client: httpx.AsyncClient,
    settings: Settings,
    database: Database,
    registry: Registry,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A small file with many values, and a large file, are answered 202; nothing is half done."""
    content = table(row(place, COUNT, 7), row(place, TRUTH, "x"))
    with monkeypatch.context() as few:
        few.setattr(beginning, "MOST_AT_ONCE", 1)
        answer = await send(client, content)
    assert await listed(client, unit=place, period="2024") == []
    report = await worked_off(client, answer, settings, database, registry)
    assert counted(report) == {"created": 2}
    large = content + (b" " * 1_023 + b"\n") * (settings.import_at_once_bytes // 1_024)
    answer = await send(client, large)
    assert "preference-applied" not in answer.headers
    report = await worked_off(client, answer, settings, database, registry)
    assert counted(report) == {"unchanged": 2}


async def test_a_refused_import_is_a_job_done(
    client: httpx.AsyncClient,
    settings: Settings,
    database: Database,
    registry: Registry,
    place: str,
) -> None:
    """Bad rows are what the job found out: it succeeded, and tells that nothing was loaded."""
    content = table(row(place, COUNT, 7), row(place, TRUTH, "?"))
    answer = await send(client, content, **ASYNC)
    report = await worked_off(client, answer, settings, database, registry)
    assert (report["state"], counted(report)) == ("refused", {"created": 1, "rejected": 1})
    assert await listed(client, unit=place, period="2024") == []


async def test_an_import_whose_job_was_cancelled_has_failed(
    client: httpx.AsyncClient, settings: Settings, database: Database, registry: Registry,
    place: str,
) -> None:  # fmt: skip
    """Nothing of it is ever loaded, and it is listed among those that failed."""
    job = (await send(client, table(row(place, COUNT, 7)), **ASYNC)).json()
    assert (await client.post(f"/v1/jobs/{job['id']}/cancel")).status_code == 200
    await work_off(settings, database, registry)
    (newest, *_) = (await client.get(IMPORTS, params={"state": "failed"})).json()["items"]
    assert (newest["job"], newest["state"]) == (job["id"], "failed")
    assert await listed(client, unit=place, period="2024") == []
    commit = problem(await client.post(f"{IMPORTS}/{newest['id']}/commit"))
    assert commit["code"] == "import-not-checked"


async def test_a_reading_that_is_cut_off_is_tried_again_before_the_file_is_blamed(
    client: httpx.AsyncClient, settings: Settings, database: Database, registry: Registry,
    place: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A request makes a job of it, a job tries once more; only then the file is told unsafe."""
    monkeypatch.setattr(limited, "SILENCE", 0.0)
    answer = await send(client, table(row(place, COUNT, 7)))
    assert answer.status_code == 202, answer.text
    await work_off(settings, database, registry)
    job = (await client.get(answer.headers["location"])).json()
    assert (job["state"], job["attempts"]) == ("running", 1)
    await change(database, f"UPDATE {QUEUE} SET scheduled_at = NULL")
    report = await worked_off(client, answer, settings, database, registry)
    assert (report["state"], list(causes(report))) == ("refused", [("unsafe-file", None)])
    done = (await client.get(answer.headers["location"])).json()["progress"]
    assert done == {"done": 0, "total": None}, "nobody knows how much there was"


# --- what is kept --------------------------------------------------------------------------------


async def test_an_upload_has_no_name() -> None:
    """Whatever is killed while a file is on the disk, nobody has to clean up after it."""
    with storing.spool() as file:
        assert os.fstat(file.fileno()).st_nlink == 0


async def test_files_and_refused_rows_are_kept_for_some_time(
    client: httpx.AsyncClient, settings: Settings, database: Database, place: str
) -> None:
    """A dry run that nobody commits, and a job that was cancelled, are freed; reports stay."""
    content = table(row(place, COUNT, 7), row(place, TRUTH, "?"))
    old, young = [await imported(client, content, "?dry_run=true") for _ in range(2)]
    job = (await send(client, content, **ASYNC)).json()["id"]
    assert (await client.post(f"/v1/jobs/{job}/cancel")).status_code == 200
    waiting = (await send(client, content, **ASYNC)).json()["id"]
    await change(
        database, "UPDATE value_import SET ended_at = now() - interval '31 days' WHERE id = $1",
        old["id"],
    )  # fmt: skip
    await freeing.free(database, settings)
    async with database.reading() as connection:
        kept = await connection.fetch(
            "SELECT i.id, i.job_id FROM value_import i JOIN value_import_chunk c"
            " ON c.import_id = i.id WHERE i.id >= $1 ORDER BY 1", old["id"],
        )  # fmt: skip
    assert [(one["id"], one["job_id"]) for one in kept] == [
        (young["id"], None), (kept[-1]["id"], waiting)
    ]  # fmt: skip
    path = f"{IMPORTS}/{old['id']}"
    freed = (await client.get(path)).json()
    assert freed["freed_at"] is not None
    assert freed == old | {"freed_at": freed["freed_at"], "ended_at": freed["ended_at"],
                           "rejected": None}  # fmt: skip
    commit = problem(await client.post(f"{path}/commit?mode=partial"))
    assert (commit["status"], commit["code"]) == (409, "import-freed")
    rows = problem(await client.get(f"{path}/rejected.csv"))
    assert (rows["status"], rows["code"]) == (410, "refused-rows-freed")
    assert (await client.get(young["rejected"])).status_code == 200
    assert (await client.post(f"{IMPORTS}/{young['id']}/commit?mode=partial")).status_code == 200
    assert (await client.post(f"/v1/jobs/{waiting}/cancel")).status_code == 200


def test_what_is_kept_of_refused_rows_is_bounded_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows beyond the limit are counted once each; of a row not every reason is kept."""
    monkeypatch.setattr(findings, "MOST_REJECTED", 2)
    monkeypatch.setattr(findings, "MOST_REASONS", 2)
    found = findings.Findings()
    for number in (2, 3, 9, 4, 9):
        for column in "abcd":
            where = findings.Where(None, number, column)
            found.reject("conflict-on-record", Text("v", "e"), where, 1, "x", plain=column != "a")
    found.complete()
    (warning,) = found.warnings
    assert (warning.code, warning.count) == ("refused-rows-not-kept", 2)
    assert "2 further rows" in warning.message.en
    assert list(found.rejections) == [(None, 2), (None, 3)]
    told = [rejecting._told(one) for one in found.rejections[None, 3]]
    assert [(one["column"], one["sample"]) for one in told[:2]] == [("a", "x"), ("b", None)]
    assert [len(told), told[2]["column"]] == [3, None], "there is more, and it is said"
    assert found.counts()["rejected"] == 20
    found.fault(findings.STOPPED, Text("v", "e"), findings.Where())
    assert found.counts()["rejected"] == 20, "up to there the file was read"
    found.fault("unsafe-file", Text("v", "e"), findings.Where())
    assert found.counts()["rejected"] == len(found.rejections) == 0


# --- what was refused ----------------------------------------------------------------------------


async def test_refused_rows_come_back_as_they_were_sent_and_can_be_sent_again(
    client: httpx.AsyncClient, place: str
) -> None:
    """The file of refused rows, mended, imports as it is; whatever was in a row is in it still."""
    formula = '"=1+1; ""sổ"", một"'
    content = table(
        row(place, TRUTH, "?", source=formula), row(place, COUNT, 7), row(place, RATE, "9/x")
    )
    report = await imported(client, content, "?mode=partial")
    assert counted(report) == {"created": 1, "rejected": 2}
    answer = await client.get(report["rejected"], headers={"accept-language": "en"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = answer.content.decode("utf-8-sig")
    header, first, second = text.splitlines()
    assert header == "unit,period,indicator,value,source,reason"
    assert first.startswith(f'{place},2024,{TRUTH},?,"\'=1+1; ""sổ"", một",')
    assert second.startswith(f"{place},2024,{RATE},9/x,{SOURCE},")
    mended = text.replace(",?,", ",x,").replace("9/x", "9/10").encode()
    again = await imported(client, mended)
    assert (counted(again), again["rejected"]) == ({"created": 2}, None)
    found = {one["indicator"]: one for one in await listed(client, unit=place, period="2024")}
    assert found[TRUTH]["source"] == '=1+1; "sổ", một'
    assert found[RATE]["value"] == {"numerator": 9, "denominator": 10}


async def test_columns_of_one_heading_all_come_back(client: httpx.AsyncClient, place: str) -> None:
    """Two columns `STT` are two columns, in the file of refused rows as in the file that came."""
    header = "STT,unit,period,indicator,value,STT,source"
    content = table(f"1,{place},2024,{TRUTH},?,A,{SOURCE}", header=header)
    report = await imported(client, content, "?dry_run=true")
    found = (await client.get(report["rejected"])).content.decode("utf-8-sig").splitlines()
    assert found[0] == f"{header},reason"
    assert found[1].startswith(f"1,{place},2024,{TRUTH},?,A,{SOURCE},")


async def test_reasons_are_told_in_the_language_of_whoever_asks(
    client: httpx.AsyncClient, place: str
) -> None:
    """Several reasons of a row stand together, in one language; the file is another one then."""
    content = table(f"{place},20x4,{TRUTH},?,")
    report = await imported(client, content, "?dry_run=true")
    assert counted(report) == {"rejected": 1}
    told = {}
    for language in ("vi", "en"):
        answer = await client.get(report["rejected"], headers={"accept-language": language})
        told[language] = answer.content.decode("utf-8-sig").splitlines()[1]
        for one in report["conflicts"]:
            assert one["message"][language].replace('"', '""') in told[language]
    assert len(report["conflicts"]) > 1
    assert "; " in told["en"]


# --- units ---------------------------------------------------------------------------------------


async def test_zeros_lost_from_codes_come_back_with_a_warning(
    client: httpx.AsyncClient, place: str
) -> None:
    """A code that can mean one unit only is given its zeros; one that can mean several is not."""
    content = table(row(place.lstrip("0"), COUNT, 7), row("1", COUNT, 7))
    report = await imported(client, content, "?mode=partial")
    assert counted(report) == {"created": 1, "rejected": 1}
    assert causes(report) == {("ambiguous-code", "unit"): [3]}
    assert "00001" in report["conflicts"][0]["sample"]
    (warning,) = report["warnings"]
    assert warning["code"] == "code-zeros-restored"
    assert (warning["rows"], warning["column"]) == ([2], "unit")
    assert f"({place})" in warning["sample"]
    assert len(await listed(client, unit=place, period="2024")) == 1


async def test_a_short_code_that_exists_is_not_guessed_at_in_a_file_that_lost_zeros(
    client: httpx.AsyncClient, place: str
) -> None:
    """25 is Phú Thọ, unless the file has lost zeros: then it may be the commune 00025."""
    rate = "communes_ntm_8_4_rate"
    alone = await imported(client, table(row("25", rate, "1/2")), "?dry_run=true")
    assert counted(alone) == {"created": 1}
    both = table(row(place.lstrip("0"), COUNT, 7), row("25", rate, "1/2"))
    report = await imported(client, both, "?dry_run=true")
    assert causes(report) == {("ambiguous-code", "unit"): [3]}


async def test_names_mean_the_unit_of_the_province_or_of_the_senders_territory(
    client: httpx.AsyncClient, join: Join
) -> None:
    """A name of many communes needs its province, which a province's own client need not say."""
    header = "Tên xã,Tỉnh,period,indicator,value,source"

    def named(province: str) -> bytes:
        return table(f"Xã Minh Tân,{province},2024,{COUNT},7,{SOURCE}", header=header)

    vague = await imported(client, named(""), "?dry_run=true")
    assert list(causes(vague)) == [("ambiguous-unit", "Tên xã")]
    assert "Tỉnh " in vague["conflicts"][0]["sample"]
    clear = await imported(client, named("phu tho"), "?dry_run=true")
    own = await imported((await join("25")).http, named(""), "?dry_run=true")
    assert counted(clear) == counted(own) == {"created": 1}
    elsewhere = await imported((await join("25")).http, named("Hà Giang"), "?dry_run=true")
    assert list(causes(elsewhere)) == [("outside-territory", "Tên xã")]


async def test_names_that_mean_no_unit_are_one_cause(client: httpx.AsyncClient) -> None:
    """What each name may have meant stands in its own row, not in the message of them all."""
    header = "Tên xã,period,indicator,value,source"
    names = ("Xã Nông Trangg", "Xã Hùng Lôô", "Xã Không Có Đâu")
    content = table(*(f"{name},2024,{COUNT},7,{SOURCE}" for name in names), header=header)
    report = await imported(client, content, "?dry_run=true")
    assert causes(report) == {("unit-not-found", "Tên xã"): [2, 3, 4]}
    (cause,) = report["conflicts"]
    assert cause["sample"].startswith(names[0])
    rows = (await client.get(report["rejected"])).content.decode("utf-8-sig").splitlines()[1:]
    assert all(name in one.partition(SOURCE)[2] for name, one in zip(names, rows, strict=True))


async def test_a_name_that_contradicts_the_code_beside_it_is_refused(
    client: httpx.AsyncClient,
) -> None:
    """Code and name are both read: where they mean different units, nobody guesses."""
    header = "unit,Tên xã,period,indicator,value,source"
    rows = (f"{HERE},{name},2024,{COUNT},7,{SOURCE}" for name in ("Xã Khác", "nong trang"))
    report = await imported(client, table(*rows, header=header), "?dry_run=true")
    assert counted(report) == {"created": 1, "rejected": 1} or "duplicate-value" in str(report)
    assert ("unit-mismatch", "unit") in causes(report)


async def test_a_level_that_contradicts_the_code_beside_it_is_refused(
    client: httpx.AsyncClient,
) -> None:
    """A code is of one unit; a level beside it that is not that unit's is no detail."""
    rows = (f"{HERE},{level},2024,{COUNT},7,{SOURCE}" for level in ("tỉnh", "xã"))
    content = table(*rows, header="unit,Cấp,period,indicator,value,source")
    report = await imported(client, content, "?dry_run=true")
    assert causes(report) == {("unit-mismatch", "unit"): [2]}
    assert counted(report) == {"created": 1, "rejected": 1}


async def test_one_cause_is_told_once_with_all_its_rows(client: httpx.AsyncClient) -> None:
    """A hundred and fifty bad rows of one unit are one cause: a hundred rows named, all counted."""
    rows = [row("99999", COUNT, number, f"{1900 + number}") for number in range(150)]
    report = await imported(client, table(*rows), "?dry_run=true")
    (cause,) = report["conflicts"]
    assert (cause["code"], cause["count"], cause["sample"]) == ("unit-not-found", 150, "99999")
    assert cause["rows"] == list(range(2, 102))
    lines = (await client.get(report["rejected"])).text.splitlines()
    assert len(lines) == 151


# --- who ----------------------------------------------------------------------------------------


async def test_an_import_is_its_clients_and_of_those_above_it(join: Join) -> None:
    """Others cannot tell it from none; who administers the client's territory sees it only."""
    province, nation, other = await join("25"), await join("VN"), await join("86")
    report = await imported(province.http, table(row(HERE, COUNT, 7)), "?dry_run=true")
    path = f"{IMPORTS}/{report['id']}"
    for one, status in ((province, 200), (nation, 200), (other, 404)):
        assert (await one.http.get(path)).status_code == status
        assert (await one.http.get(f"{path}/rejected.csv")).status_code == status
        listed_ids = {i["id"] for i in (await one.http.get(IMPORTS)).json()["items"]}
        assert (report["id"] in listed_ids) == (status == 200)
    hidden = problem(await other.http.post(f"{path}/commit"))
    absent = problem(await other.http.post(f"{IMPORTS}/999999999/commit"))
    assert (hidden["status"], hidden["code"]) == (404, "import-not-found")
    assert hidden["title"] == absent["title"]
    seen = problem(await nation.http.post(f"{path}/commit"))
    assert (seen["status"], seen["code"]) == (403, "not-your-import")
    assert (await province.http.post(f"{path}/commit")).status_code == 200


async def test_rows_of_an_import_are_hidden_by_row_security(join: Join, database: Database) -> None:
    """Without any check of the application, another client's connection sees nothing of it."""
    province, other = await join("25"), await join("86")
    content = table(row(HERE, COUNT, 7), row(HERE, TRUTH, "?"))
    report = await imported(province.http, content, "?dry_run=true")
    counts = "SELECT (SELECT count(*) FROM value_import WHERE id = $1)," \
        " (SELECT count(*) FROM value_import_chunk WHERE import_id = $1)," \
        " (SELECT count(*) FROM value_import_rejection WHERE import_id = $1)"  # fmt: skip
    for one, seen in ((province, (1, 1, 1)), (other, (0, 0, 0))):
        acting = database.acting_for(await _caller(database, one.client_id))
        async with acting.reading() as connection:
            (found,) = await connection.fetch(counts, report["id"])
        assert tuple(found) == seen


async def _caller(database: Database, client_id: str) -> Any:
    from app.domain.recognition import recognise  # noqa: PLC0415
    from app.domain.territory import Territories  # noqa: PLC0415

    async with database.asking() as connection:
        found = await recognise(connection, Territories(), client_id, [])
    assert found is not None
    return found[0].context()


async def test_what_lies_outside_the_territory_is_refused_by_row(join: Join) -> None:
    """A value of another province is a bad row with the unit's name, whatever else is good."""
    member = await join("25")
    content = table(row(HERE, COUNT, 7, "2023"), row(THERE, COUNT, 7, "2023"))
    report = await imported(member.http, content, status=422)
    assert causes(report) == {("outside-territory", "unit"): [3]}


async def test_units_whose_values_were_loaded_are_in_the_audit(
    join: Join, database: Database, place: str
) -> None:
    """One entry a unit with the import and how many values; what loads nothing has one entry."""
    member = await join("VN")
    official = "acting_official_id=1&acting_official_office=a&acting_official_position=b"
    content = table(row(place, COUNT, 7), row(place, TRUTH, "x"), row(HERE, COUNT, 7, "2022"))
    report = await imported(member.http, content, f"?{official}")
    dry = await imported(member.http, content, "?dry_run=true")
    async with database.reading() as connection:
        entries = await connection.fetch(
            "SELECT action, details::jsonb - 'sha256' AS told, official_id, unit_id"
            "  FROM audit_entry WHERE client = $1 ORDER BY id", member.client_id,
        )  # fmt: skip
    told = sorted((one["action"], one["told"], one["official_id"]) for one in entries)
    assert told == [
        ("import.checked", f'{{"import": {dry["id"]}}}', None),
        ("values.imported", f'{{"import": {report["id"]}, "values": 1}}', "1"),
        ("values.imported", f'{{"import": {report["id"]}, "values": 2}}', "1"),
    ]
    assert len({one["unit_id"] for one in entries}) == 3


# --- manners ------------------------------------------------------------------------------------


async def test_the_same_request_again_is_answered_again(
    client: httpx.AsyncClient, place: str
) -> None:
    """Under one key a file is imported once, refused or not; another file is another request."""
    good = table(row(place, COUNT, 7))
    for content, status in ((good, 201), (table(row(place, TRUTH, "?")), 422)):
        named = key()
        first = await send(client, content, **named)
        second = await send(client, content, **named)
        assert first.status_code == second.status_code == status
        assert first.content == second.content
        assert second.headers["idempotent-replayed"] == "true"
        other = problem(await send(client, content + b"\n", **named))
        assert other["code"] == "idempotency-key-reused"
    named = key()
    checked = await imported(client, good, "?dry_run=true")
    path = f"{IMPORTS}/{checked['id']}/commit"
    assert (await client.post(path, headers=named)).content == \
        (await client.post(path, headers=named)).content  # fmt: skip


async def test_only_a_file_is_a_body(client: httpx.AsyncClient, database: Database) -> None:
    """Other media types, packing by the connection, and no file at all are refused; how is told."""
    before = await fingerprint(database)
    for headers in (
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json"},
        {"content-type": "text/csv; charset=windows-1258"},
        CSV | {"content-encoding": "gzip"},
    ):
        found = problem(await client.post(IMPORTS, content=b"a", headers=headers))
        assert (found["status"], found["code"]) == (415, "unsupported-media-type")
    assert (
        "curl -X POST -T"
        in problem(await client.post(IMPORTS, content=b"a", headers={"content-type": "text/html"}))[
            "detail"
        ]
    )
    for content in (b"", None):
        found = problem(await client.post(IMPORTS, content=content, headers=CSV))
        assert (found["status"], found["code"]) == (422, "missing-field")
    assert await fingerprint(database) == before


@pytest.fixture
def little_room(service: FastAPI) -> Iterator[None]:
    """A service that takes files of two thousand bytes."""
    usual: Settings = service.state.settings
    service.state.settings = usual.model_copy(update={"max_import_bytes": 2_000})
    yield
    service.state.settings = usual


async def test_a_file_that_is_too_large_is_refused(
    client: httpx.AsyncClient, little_room: None
) -> None:
    """413 at the limit, declared or not; nothing is kept of what arrived."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 1_000

    for content in (b"x" * 2_001, parts()):
        found = problem(await client.post(IMPORTS, content=content, headers=CSV))
        assert (found["status"], found["code"]) == (413, "payload-too-large")


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("?mode=some", "/mode", "wrong-value"),
        ("?on_conflict=ask", "/on_conflict", "wrong-value"),
        ("?locale=fr", "/locale", "wrong-value"),
        ("?period=2024-13", "/period", "invalid-period"),
        ("?on=2024-02-30", "/on", "wrong-type"),
        ("?dry_run=1", "/dry_run", "wrong-type"),
        ("?hue=1", "/hue", "unknown-field"),
        ("?acting_official_id=1", "/acting_official_office", "missing-field"),
    ],
)
async def test_what_is_wrong_in_the_request_is_told(
    client: httpx.AsyncClient, query: str, pointer: str, code: str
) -> None:
    """Every parameter is checked before the file is read."""
    found = problem(await send(client, table(), query))
    assert found["status"] == 422
    assert (pointer, code) in {(one["pointer"], one["code"]) for one in found["errors"]}, found


async def test_preferences_are_known_ignored_or_refused(
    client: httpx.AsyncClient, place: str
) -> None:
    """RFC 7240: what is not known is ignored, unless the caller wants to be told."""
    content = table(row(place, COUNT, 7))
    await imported(client, content, prefer="wait=5, return=minimal")
    found = problem(await send(client, content, prefer="return=minimal, handling=strict"))
    assert (found["errors"][0]["pointer"], found["code"]) == ("/prefer", "wrong-value")
    answer = await send(client, content, prefer="handling=strict; respond-async, RESPOND-ASYNC")
    assert answer.status_code == 202


async def test_strangers_and_readers_import_nothing(
    stranger: httpx.AsyncClient, join: Join, place: str
) -> None:
    """Without a token 401, without the scope 403, before any of the file is looked at."""
    reader = (await join("VN", "read")).http
    writer = (await join("VN", "values:write")).http
    for path in (IMPORTS, f"{IMPORTS}/1", f"{IMPORTS}/1/rejected.csv"):
        assert problem(await stranger.get(path))["code"] == "invalid-token"
        assert problem(await writer.get(path))["code"] == "insufficient-scope"
    for path in (IMPORTS, f"{IMPORTS}/1/commit"):
        assert problem(await stranger.post(path, content=b"x"))["code"] == "invalid-token"
        assert problem(await reader.post(path, content=b"x"))["code"] == "insufficient-scope"


async def test_lists_go_on_page_by_page(join: Join) -> None:
    """Newest first, each once; by state only those of the state; reports are left out."""
    member = await join("25")
    made = [(await imported(member.http, table(row(HERE, COUNT, 7)), "?dry_run=true"))["id"]
            for _ in range(3)]  # fmt: skip
    found: list[Item] = []
    path = f"{IMPORTS}?limit=2&state=checked"
    while path:
        page = (await member.http.get(path)).json()
        found += page["items"]
        path = f"{IMPORTS}?limit=2&state=checked&cursor={page['next']}" if page["next"] else ""
    assert [one["id"] for one in found if one["by"] == member.client_id] == made[::-1]
    assert len({one["id"] for one in found}) == len(found)
    assert not {"conflicts", "warnings"} & set(found[0])
    assert {one["state"] for one in found} == {"checked"}
