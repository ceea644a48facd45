"""Lists of evidence over HTTP: forms 03 to 07 as JSON, CSV and XLSX, in one piece or in parts."""

from __future__ import annotations

import asyncio
import io
import itertools
import zipfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import openpyxl
import pytest
from evidence_calls import (
    CSV,
    FORM_03,
    FORM_04,
    FORM_07,
    PARTS,
    WORKBOOK,
    at,
    listed,
    sent,
    sent_file,
)
from openpyxl.workbook.workbook import Workbook
from own_database import own
from submission_calls import OLD, OLD_DAY, SUBMISSIONS, Offices, acted, opened, slots

from app.database import Database
from app.rules.registry import Registry
from app.settings import Settings

settings, database, service = own("evidence_lists", max_list_bytes=2**20 * 8)
FORMS = "/v1/evidence-forms"
PEOPLE = ["Nguyễn Văn An", "Trần Thị Bình", "Lê Cường"]
_YEARS = itertools.count(1950)
Draft = Callable[..., Any]


@pytest.fixture(scope="module")
async def office(
    settings: Settings, registry: Registry, database: Database
) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """The offices of a commune of Lâm Thao in March 2025, and a commune next to it."""
    offices = Offices(settings, registry, database, OLD_DAY)
    found = await offices.of(OLD)
    found["neighbour"] = await offices.joined("08500", "read", "evidence:submit", "evidence:names")
    found["reader"] = await offices.joined(OLD["commune"], "read")
    yield found
    await offices.close()


@pytest.fixture
async def draft(office: dict[str, httpx.AsyncClient]) -> int:
    """A draft of its own, with two parts."""
    year = str(next(_YEARS))
    return int((await opened(office["commune"], OLD["commune"], year, parts=PARTS))["id"])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of a problem."""
    return answer.status_code, answer.json()["code"]


# --- what is answered -----------------------------------------------------------------------------


async def test_a_list_is_answered_by_counts(office: dict[str, Any], draft: int) -> None:
    """Phụ lục 03: rows, stated total, what contradicts it; never a name. Nothing is mended (B8)."""
    rows = [
        {"number": 1, "name": "Nguyễn Văn  An", "note": "x"},
        {"number": 1, "name": "nguyễn văn an"},
        {"name": "Lê Cường"},
    ]
    found = await sent(office["commune"], draft, FORM_03, {"rows": rows, "total": 4})
    assert (found["rows"], found["stated_total"], found["part"]) == (3, 4, None)
    assert found["repeated"] == {"count": 1, "numbers": [2]}
    codes = [one["code"] for one in found["contradictions"]]
    assert codes == ["total-differs-from-rows", "repeated-numbers"]
    assert "Cường" not in str(found)
    shown = (await slots(office["commune"], draft))[FORM_03]
    assert (shown["list_total"], shown["stated_total"]) == (3, 4)


async def test_the_same_list_again_changes_nothing(office: dict[str, Any], draft: int) -> None:
    """PUT is idempotent by digest: no revision, no audit row; another list follows the former."""
    client = office["commune"]
    first = await sent(client, draft, FORM_04, listed(PEOPLE))
    again = await sent(client, draft, FORM_04, listed(PEOPLE))
    assert (first["unchanged"], again["unchanged"]) == (False, True)
    assert {**again, "unchanged": False} == first
    other = await sent(client, draft, FORM_04, listed(PEOPLE[::-1]))
    assert other["digest"] != first["digest"]
    assert int(other["version"]) == int(first["version"]) + 1
    back = await sent(client, draft, FORM_04, listed(PEOPLE))
    assert (back["digest"], back["unchanged"]) == (first["digest"], False)


async def test_of_lists_sent_at_once_one_stands_whole(office: dict[str, Any], draft: int) -> None:
    """Each is taken after the other: the last one stands, with its own rows and no others."""
    client, several = (
        office["commune"],
        [listed([f"{one}x Bx"] * n) for n, one in enumerate("ACDE", 1)],
    )
    found = await asyncio.gather(*(sent(client, draft, FORM_03, one) for one in several))
    assert len({one["digest"] for one in found}) == len({one["version"] for one in found}) == 4
    last = max(found, key=lambda one: int(one["version"]))
    page = (await client.get(at(draft, FORM_03))).json()
    assert page["rows"] == len(page["items"]) == last["rows"]
    assert {one["name"] for one in page["items"]} == {f"{'ACDE'[last['rows'] - 1]}*** B***"}


async def test_names_are_shown_masked(office: dict[str, Any], draft: int) -> None:
    """Everybody who sees the submission sees counts and masks, page by page, never a note."""
    rows = [{"number": 7, "name": "Nguyễn Văn An", "note": "bí mật"}, {"name": "Y Bơ"}]
    await sent(office["commune"], draft, FORM_03, {"rows": rows})
    page = (await office["province"].get(at(draft, FORM_03), params={"limit": 1})).json()
    first = {"part": None, "number": 7, "name": "N*** V*** A***", "has_note": True}
    assert (page["items"], page["rows"]) == ([first], 2)
    query = {"limit": 1, "cursor": page["next"]}
    last = (await office["province"].get(at(draft, FORM_03), params=query)).json()
    assert last["items"] == [{"part": None, "number": None, "name": "*** B***", "has_note": False}]
    assert last["next"] is None
    for forged in ("", "zz", page["next"][:-4]):
        wrong = await office["province"].get(at(draft, FORM_03), params={"cursor": forged})
        assert code_of(wrong) == (422, "invalid-cursor")


async def test_a_list_of_many_is_paged_across_its_chunks(
    office: dict[str, Any], draft: int
) -> None:
    """The rows come in their order, part after part, each once."""
    client = office["commune"]
    await sent(client, draft, FORM_03, listed([f"A{n} B" for n in range(1, 1_401)]), part="K1")
    await sent(client, draft, FORM_03, listed(["C D"]), part="K2")
    seen: list[tuple[str, int]] = []
    query: dict[str, Any] = {"limit": 500}
    while query:
        page = (await client.get(at(draft, FORM_03), params=query)).json()
        seen += [(one["part"], one["number"]) for one in page["items"]]
        query = {"limit": 500, "cursor": page["next"]} if page["next"] else {}
    assert seen == [*(("K1", n) for n in range(1, 1_401)), ("K2", 1)]
    assert page["rows"] == 1_401


# --- parts ----------------------------------------------------------------------------------------


async def test_lists_come_part_by_part_or_in_one_piece(office: dict[str, Any], draft: int) -> None:
    """One list for each khu dân cư, or one for all: never both."""
    client = office["commune"]
    await sent(client, draft, FORM_03, listed(PEOPLE[:1]), part="K1")
    found = await sent(client, draft, FORM_03, listed(PEOPLE[1:]), part="K2")
    assert (found["part"], found["rows"]) == ("K2", 2)
    whole = await client.put(at(draft, FORM_03), json=listed(PEOPLE))
    assert code_of(whole) == (409, "list-in-parts")
    unknown = await client.put(at(draft, FORM_03), json=listed(PEOPLE), params={"part": "K9"})
    assert code_of(unknown) == (422, "unknown-part")
    assert "K1, K2" in unknown.json()["detail"]
    for part in ("K1", "K2"):
        gone = await client.delete(at(draft, FORM_03), params={"part": part})
        assert gone.status_code == 204
    await sent(client, draft, FORM_03, listed(PEOPLE))
    part = await client.put(at(draft, FORM_03), json=listed(PEOPLE), params={"part": "K1"})
    assert code_of(part) == (409, "list-in-one-piece")
    assert (await client.delete(at(draft, FORM_03))).status_code == 204
    assert code_of(await client.delete(at(draft, FORM_03))) == (404, "list-not-found")


# --- who, when, where -----------------------------------------------------------------------------


async def test_only_the_commune_fills_its_draft(office: dict[str, Any], draft: int) -> None:
    """A neighbour sees nothing, an office above may not fill it, one without scope neither."""
    body = listed(PEOPLE)
    neighbour = await office["neighbour"].put(at(draft, FORM_03), json=body)
    assert code_of(neighbour) == (404, "submission-not-found")
    assert code_of(await office["neighbour"].get(at(draft, FORM_03)))[0] == 404
    assert code_of(await office["reader"].put(at(draft, FORM_03), json=body)) == (
        403,
        "insufficient-scope",
    )
    absent = await office["commune"].put(at(10**9, FORM_03), json=body)
    assert code_of(absent) == (404, "submission-not-found")


async def test_what_is_submitted_is_frozen(office: dict[str, Any], draft: int) -> None:
    """A list changes in a draft only; the refusal names the state."""
    client = office["commune"]
    await sent(client, draft, FORM_03, listed(PEOPLE))
    withdrawn = await acted(client, draft, "withdraw", "commune", OLD_DAY)
    assert withdrawn.status_code == 200, withdrawn.text
    for answer in (
        await client.put(at(draft, FORM_03), json=listed(PEOPLE[:1])),
        await client.delete(at(draft, FORM_03)),
    ):
        assert code_of(answer) == (409, "submission-frozen")


async def test_slots_without_a_list_take_none(office: dict[str, Any], draft: int) -> None:
    client = office["commune"]
    wrong = await client.put(at(draft, "phutho.1.2.1.check"), json=listed(PEOPLE))
    assert code_of(wrong) == (422, "slot-takes-no-list")
    unknown = await client.put(at(draft, "phutho.9.9.list"), json=listed(PEOPLE))
    assert code_of(unknown) == (404, "slot-not-found")


async def test_a_change_may_say_which_state_it_means(office: dict[str, Any], draft: int) -> None:
    """RFC 9110, 13.1.1: with If-Match of a state that is gone nothing is written."""
    client = office["commune"]
    tag = (await client.get(f"{SUBMISSIONS}/{draft}")).headers["etag"]
    await sent(client, draft, FORM_03, listed(PEOPLE))
    late = await client.put(at(draft, FORM_03), json=listed(PEOPLE[:1]), headers={"if-match": tag})
    assert code_of(late) == (412, "precondition-failed")


# --- bad input ------------------------------------------------------------------------------------

SECRET = "Zzyzx Khôngai"
BAD_JSON: dict[str, tuple[Any, tuple[int, str], str]] = {
    "no rows": ({}, (422, "invalid-rows"), ""),
    "rows of another kind": ({"rows": {SECRET: 1}}, (422, "invalid-rows"), ""),
    "an unknown key": ({"rows": [], SECRET: 1}, (422, "invalid-rows"), ""),
    "an unknown column": ({"rows": [{"name": "A B", SECRET: 1}]}, (422, "invalid-rows"), "/rows/0"),
    "no name": ({"rows": [{"number": 1}]}, (422, "invalid-rows"), "/rows/0"),
    "a blank name": ({"rows": [{"name": "A B"}, {"name": "  "}]}, (422, "invalid-rows"),
                     "/rows/1/name"),
    "a name that is a number": ({"rows": [{"name": 5}]}, (422, "invalid-rows"), "/rows/0/name"),
    "a name with a control": ({"rows": [{"name": f"{SECRET}\x07"}]}, (422, "invalid-rows"),
                              "/rows/0/name"),
    "a name with NUL": ({"rows": [{"name": f"{SECRET}\x00"}]}, (422, "invalid-rows"), "/rows/0"),
    "a long name": ({"rows": [{"name": SECRET * 20}]}, (422, "invalid-rows"), "/rows/0/name"),
    "a number below 1": ({"rows": [{"number": 0, "name": SECRET}]}, (422, "invalid-rows"),
                         "/rows/0/number"),
    "a number that is a truth": ({"rows": [{"number": True, "name": SECRET}]},
                                 (422, "invalid-rows"), "/rows/0/number"),
    "a total below 0": ({"rows": [{"name": SECRET}], "total": -1}, (422, "invalid-rows"), "/total"),
    "nobody, without saying so": ({"rows": []}, (422, "invalid-rows"), ""),
    "a name in two keys": (f'{{"rows": [{{"{SECRET}": 1, "{SECRET}": 2}}]}}'.encode(),
                           (422, "invalid-rows"), "/rows/0"),
    "no JSON": (f'{{"rows": [{{"name": "{SECRET}'.encode(), (400, "malformed-json"), ""),
    "no official": ({"rows": [{"name": SECRET}], "acting_official": {"id": "1"}},
                    (422, "missing-field"), "/acting_official/office"),
}  # fmt: skip


@pytest.mark.parametrize("slip", BAD_JSON)
async def test_bad_json_is_named_by_its_row_and_never_repeated(
    office: dict[str, Any], draft: int, slip: str
) -> None:
    """Every refusal says where and what to do; none repeats what stands where names may stand."""
    body, expected, pointer = BAD_JSON[slip]
    more: dict[str, Any] = (
        {"content": body, "headers": {"content-type": "application/json"}}
        if isinstance(body, bytes)
        else {"json": body}
    )
    answer = await office["commune"].put(at(draft, FORM_03), **more)
    assert code_of(answer) == expected
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert "Zzyzx" not in answer.text
    assert (await slots(office["commune"], draft))[FORM_03]["present"] is False


async def test_too_many_rows_are_refused_and_the_most_are_taken(
    office: dict[str, Any], draft: int
) -> None:
    """100,001 rows → 422; 100,000 are taken; a body beyond the limit → 413."""
    client = office["commune"]
    lines = "".join(f"{n},A B{n},\r\n" for n in range(1, 100_001))
    head, last = "STT,Họ và Tên,Ghi chú\r\n", "100001,A B,\r\n"
    over = await sent_file(client, draft, FORM_03, (head + lines + last).encode())
    assert code_of(over) == (422, "too-many-rows")
    full = await sent_file(client, draft, FORM_03, (head + lines).encode())
    assert (full.status_code, full.json()["rows"]) == (200, 100_000)
    large = await sent_file(client, draft, FORM_03, b" " * (2**20 * 8 + 1))
    assert code_of(large) == (413, "payload-too-large")


@pytest.mark.parametrize("content", [b'{"rows": [' + b"[]," * 500_000 + b"[]]}", b"{" * 10**6])
async def test_json_that_would_fill_the_memory_is_not_opened(
    office: dict[str, Any], draft: int, content: bytes
) -> None:
    """A few bytes for each of millions of objects: refused by counting, before any is made."""
    kind = {"content-type": "application/json"}
    answer = await sent_file(office["commune"], draft, FORM_03, content, kind)
    assert code_of(answer) == (422, "too-many-rows")


async def test_other_bodies_are_refused(office: dict[str, Any], draft: int) -> None:
    client = office["commune"]
    for headers in ({"content-type": "application/pdf"}, CSV | {"content-encoding": "gzip"}, {}):
        answer = await sent_file(client, draft, FORM_03, b"STT", headers)
        assert code_of(answer) == (415, "unsupported-media-type")
    assert code_of(await sent_file(client, draft, FORM_03, b"")) == (422, "missing-field")


# --- files ----------------------------------------------------------------------------------------


def saved(book: Workbook) -> bytes:
    """Return a workbook as a file."""
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize("number", ["03", "04", "05", "06", "07"])
async def test_every_form_can_be_filled_in_and_sent_back(
    office: dict[str, Any], draft: int, number: str
) -> None:
    """Phụ lục 03-07: the template has title, columns, total, signatures as printed; it is taken."""
    client, form = office["commune"], f"phutho.form.{number}"
    forms = {one["form"]: one for one in (await client.get(FORMS)).json()["items"]}
    told, (use,) = forms[form], forms[form]["slots"]
    assert use["ruleset"] == "phutho.commune"
    template = await client.get(f"{FORMS}/{form}/template.xlsx")
    assert template.headers["content-disposition"] == f'attachment; filename="{form}.xlsx"'
    book = openpyxl.load_workbook(io.BytesIO(template.content))
    sheet = book.active
    assert sheet is not None
    said = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
    assert said[0] == [f"Phụ lục {number}"]
    assert said[1] == [told["title"]]
    assert [one["label"] for one in told["columns"]] == said[3]
    assert said[-1] == told["confirmed_by"]
    empty = await sent_file(client, draft, use["slot"], template.content, WORKBOOK)
    assert code_of(empty) == (422, "invalid-rows")  # numbered lines alone are no list
    sheet["B5"], sheet["B6"], sheet["C6"] = "Nguyễn Văn An", "Trần Thị Bình", "ghi chú"
    sheet["B35"] = 2  # beside “Tổng cộng:”
    as_xlsx = await sent_file(client, draft, use["slot"], saved(book), WORKBOOK)
    assert as_xlsx.status_code == 200, as_xlsx.text
    assert (as_xlsx.json()["rows"], as_xlsx.json()["stated_total"]) == (2, 2)
    text = (await client.get(f"{FORMS}/{form}/template.csv")).text
    text = text.replace("\r\n1,,", "\r\n1,Nguyễn Văn An,", 1)
    text = text.replace("\r\n2,,", "\r\n2,Trần Thị Bình,ghi chú", 1)
    as_csv = await sent_file(
        client, draft, use["slot"], text.replace("Tổng cộng:", "Tổng cộng: 2").encode()
    )
    assert as_csv.json()["unchanged"] is True  # the same list, whatever it came in


@pytest.mark.parametrize(
    "text",
    [
        "STT,Tên có sở sản xuất,Ghi chú\n1,HTX Ba Đồng,\n",
        "stt;TÊN CƠ SỞ SẢN XUẤT;ghi  chú\r\n1.;HTX Ba Đồng;\r\n",
        "\ufeffUBND xã\n\nSTT\tTên cơ sở sản xuất:\tGhi chú\n1\tHTX Ba Đồng\n2\t\t\nn\t\t\n",
        "Tên cơ sở sản xuất,Ghi chú,STT\nHTX Ba Đồng,,1\nXác nhận của UBND xã,,\nChủ tịch,,\n",
    ],
)
async def test_headings_are_known_however_they_are_written(
    office: dict[str, Any], draft: int, text: str
) -> None:
    """Case, spaces, order, delimiter, and the slip “có sở” in the print of Phụ lục 07."""
    answer = await sent_file(office["commune"], draft, FORM_07, text.encode())
    assert answer.status_code == 200, answer.text
    once = await sent(office["commune"], draft, FORM_07, {"rows": [{"number": 1,
                      "name": "HTX Ba Đồng"}]})  # fmt: skip
    assert once["unchanged"] is True


HEAD = "STT,Họ và Tên,Ghi chú\n"
SIGNED = "Xác nhận của UBND xã,,\n"
BAD_CSV: dict[str, tuple[str | bytes, str, str]] = {
    "another column": ("STT,Họ và Tên,CCCD\n1,A B,0123\n", "wrong-columns", ""),
    "a column less": ("STT,Họ và Tên\n1,A B\n", "wrong-columns", ""),
    "a column twice": ("STT,Họ và Tên,Họ và Tên,Ghi chú\n1,A B,C,\n", "wrong-columns", ""),
    "no heading": (f"1,{SECRET},\n", "wrong-columns", ""),
    "beside the columns": (HEAD + f"1,A B,,{SECRET}\n", "invalid-rows", "/rows/2"),
    "a note without a name": (HEAD + f"1,,{SECRET}\n", "invalid-rows", "/rows/2/name"),
    "a number that is none": (HEAD + f"{SECRET},A B,\n", "invalid-rows", "/rows/2/number"),
    "a total that is none": (HEAD + f"1,A B,\nTổng cộng:,{SECRET},\n", "invalid-rows", "/rows/3"),
    "rows below the total": (HEAD + f"1,A B,\nTổng cộng:,1,\n2,{SECRET},\n", "invalid-rows",
                             "/rows/4"),
    "rows below the signatures": (HEAD + f"1,A B,\nTổng cộng:,1,\n{SIGNED}2,{SECRET},\n",
                                  "invalid-rows", "/rows/5"),
    "rows below signatures alone": (HEAD + f"1,A B,\n{SIGNED}2.,{SECRET},\n", "invalid-rows",
                                    "/rows/4"),
    "rows above the heading": (f"1,{SECRET},\n{HEAD}2,A B,\n", "invalid-rows", "/rows/1"),
    "a second heading": (HEAD + f"1,A B,\nTổng cộng:,1,\n{SIGNED}{HEAD},{SECRET},\n",
                         "invalid-rows", "/rows/5"),
    "a second total": (HEAD + f"1,A B,\nTổng cộng:,1,\n{SIGNED},{SECRET},\nTổng cộng: 1,,\n",
                       "invalid-rows", "/rows/6"),
    "no UTF-8": (HEAD.encode() + b"1,\xff\xfe,\n", "invalid-file", "/rows/2"),
    "a PDF": (b"%PDF-1.7\n", "invalid-file", ""),
    "a zip": (b"PK\x03\x04zzz", "invalid-file", ""),
    "as wide as a file": (HEAD + "," * 5_000 + "x\n", "unsafe-file", ""),
    "an open quote": (HEAD + f'1,"{SECRET}\n', "invalid-file", "/rows/2"),
}  # fmt: skip


@pytest.mark.parametrize("slip", BAD_CSV)
async def test_a_bad_file_is_named_by_its_line_and_never_repeated(
    office: dict[str, Any], draft: int, slip: str
) -> None:
    text, code, pointer = BAD_CSV[slip]
    content = text if isinstance(text, bytes) else text.encode()
    answer = await sent_file(office["commune"], draft, FORM_03, content)
    assert code_of(answer) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert "Zzyzx" not in answer.text


async def test_free_text_stands_around_a_list(office: dict[str, Any], draft: int) -> None:
    """Titles above, who signed and when below; “Tổng số” begins no name, “Tổng công ty” does."""
    text = (
        f"Phụ lục 03,,\n,{SECRET},Năm 2025\n{HEAD}1,A B,\n,Tổng công ty C,2\nTổng cộng:,2,\n"
        f"{SIGNED}Họ và tên:,{SECRET},\n,{SECRET},\n,,ngày 5/3/2025\n"
    )
    answer = await sent_file(office["commune"], draft, FORM_03, text.encode())
    assert (answer.status_code, answer.json().get("rows")) == (200, 2), answer.text


@pytest.mark.parametrize(
    "last", ["Tổng số:,1,", "Tổng,,1", ",Cộng:,1", "2,Tổng số,", "Tổng số người: 1,,"]
)
async def test_a_total_in_other_words_is_no_person(
    office: dict[str, Any], draft: int, last: str
) -> None:
    """Phụ lục 03 prints “Tổng cộng:”: the refusal says so, and nobody of that name is listed."""
    text = f"{HEAD}1,{SECRET},\n{last}\n{SIGNED}"
    answer = await sent_file(office["commune"], draft, FORM_03, text.encode())
    assert code_of(answer) == (422, "invalid-rows")
    (told,) = answer.json()["errors"]
    assert told["pointer"] == "/rows/3"
    assert "“Tổng cộng:”" in answer.text
    assert "Zzyzx" not in answer.text


def bomb() -> bytes:
    """Return a workbook whose sheet unpacks to a thousand times its size."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", "<Types/>")
        file.writestr("xl/workbook.xml", "<workbook/>")
        file.writestr("xl/worksheets/sheet1.xml", b" " * 2**25)
    return content.getvalue()


async def test_a_workbook_is_opened_in_the_reading_process_alone(
    office: dict[str, Any], draft: int
) -> None:
    """A bomb, a second sheet that would be lost, and a cell in error are refused; it lives on."""
    client = office["commune"]
    assert code_of(await sent_file(client, draft, FORM_03, bomb(), WORKBOOK)) == (
        422,
        "unsafe-file",
    )
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["STT", "Họ và Tên", "Ghi chú"], [1, "A B", None], [2, "#N/A", None]):
        sheet.append(row)
    sheet["B3"].data_type = "e"
    odd = await sent_file(client, draft, FORM_03, saved(book), WORKBOOK)
    assert code_of(odd) == (422, "invalid-rows")
    assert odd.json()["errors"][0]["pointer"] == "/rows/3"
    sheet["B3"] = "C D"
    hidden = book.create_sheet("khu 2")
    hidden.append(["STT", "Họ và Tên", "Ghi chú"])
    hidden.sheet_state = "hidden"
    several = await sent_file(client, draft, FORM_03, saved(book), WORKBOOK)
    assert code_of(several) == (422, "invalid-file")
    book.remove(hidden)
    taken = await sent_file(client, draft, FORM_03, saved(book), WORKBOOK)
    assert taken.json()["rows"] == 2


async def test_forms_are_listed_for_every_client(office: dict[str, Any]) -> None:
    """Forms, slots and how the list's population differs from the indicator's (B8)."""
    items = (await office["reader"].get(FORMS)).json()["items"]
    assert [one["form"] for one in items] == [f"phutho.form.0{n}" for n in range(3, 8)]
    assert [one["population"] is None for one in items] == [False, False, True, False, False]
    unknown = await office["reader"].get(f"{FORMS}/phutho.form.99/template.csv")
    assert code_of(unknown) == (404, "form-not-found")
