"""Values from a CSV file over HTTP: recorded exactly as written, or refused with every fault."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import re
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

import httpx
import pytest
from conftest import Described, Join, calling, problem
from on_record import Item
from own_database import own
from unchanged import fingerprint
from value_calls import CHOSEN, COUNT, RATE, TRUTH, VALUES, history, listed, retract

from app.database import Database
from app.domain.clients import SCOPES
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

PATH = "/v1/values/import"
COLUMNS = (
    "unit", "on", "period", "indicator", "value", "numerator", "denominator",
    "source", "measured_on", "note",
)  # fmt: skip
HEADER = ",".join(COLUMNS)
CSV = {"content-type": "text/csv"}
SOURCE = "Báo cáo 12/BC-UBND"
HERE, THERE = "07894", "29266"  # communes of Phú Thọ and, today, of Vĩnh Long
VIETNAMESE = re.compile("[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
Quoting = Literal[0, 1]
Fault = tuple[int, str]


settings, database, service = own("import")


@pytest.fixture(scope="session")
async def communes(database: Database) -> list[str]:
    """Codes that meant one commune of Phú Thọ through the whole of 2024."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT v.code FROM unit_version v JOIN unit u ON u.id = v.unit_id"
            " JOIN unit_version p ON p.unit_id = v.province_id"
            " WHERE u.level = 'commune' AND p.code = '25' AND p.valid_from IS NULL"
            " AND v.valid_from IS NULL AND v.valid_to = '2025-07-01' ORDER BY v.code"
        )
    return [row["code"] for row in rows]


@pytest.fixture(scope="session")
def untouched(communes: list[str]) -> Iterator[str]:
    """Communes nobody has recorded anything for, one after the other."""
    return iter(code for code in communes if code != HERE)


@pytest.fixture
def place(untouched: Iterator[str]) -> str:
    """A commune that no other test records values for."""
    return next(untouched)


def row(unit: str, indicator: str, value: str = "", **cells: str) -> str:
    """Return one row: of 2024 and with a source unless said otherwise."""
    named = {"unit": unit, "period": "2024", "indicator": indicator, "value": value}
    given = named | {"source": SOURCE} | cells
    written = io.StringIO()
    csv.writer(written).writerow([given.get(name, "") for name in COLUMNS])
    return written.getvalue().removesuffix("\r\n")


def share(unit: str, numerator: object, denominator: object, **cells: str) -> str:
    """Return the row of a share with known counts."""
    counts = {"numerator": str(numerator), "denominator": str(denominator)}
    return row(unit, RATE, **counts, **cells)


def table(*rows: str) -> str:
    """Return a file of these rows."""
    return "\n".join([HEADER, *rows]) + "\n"


async def send(
    client: httpx.AsyncClient,
    content: str | bytes,
    query: str = "",
    **headers: str,
) -> httpx.Response:
    """Send a file."""
    sent = content.encode() if isinstance(content, str) else content
    return await client.post(f"{PATH}{query}", content=sent, headers=CSV | headers)


async def imported(client: httpx.AsyncClient, content: str | bytes, query: str = "") -> Item:
    """Send a file that is taken; return the report."""
    answer = await send(client, content, query)
    assert answer.status_code == 200, answer.text[:1000]
    report: Item = answer.json()
    assert set(report) == {"dry_run", "partial", "counts", "rejected"}
    counts = report["counts"]
    assert set(counts) == {"rows", "created", "superseded", "unchanged", "rejected"}
    assert counts["rows"] == counts["created"] + counts["unchanged"] + counts["rejected"]
    assert counts["superseded"] <= counts["created"]
    return report


async def refused(client: httpx.AsyncClient, content: str | bytes, query: str = "") -> list[Item]:
    """Send a file that is refused for its rows; return the faults."""
    found = problem(await send(client, content, query))
    assert (found["status"], found["code"]) == (422, "invalid-rows"), found
    errors: list[Item] = found["errors"]
    assert errors
    return errors


def where(faults: list[Item]) -> list[Fault]:
    """Return line and column of every fault, from its pointer."""
    found = [re.fullmatch(r"/([0-9]+)/(.+)", one["pointer"]) for one in faults]
    assert all(found), faults
    return sorted((int(one[1]), one[2]) for one in found if one)


def created(count: int, superseded: int = 0, unchanged: int = 0) -> dict[str, int]:
    """Return the counts of a file without a bad row."""
    rows = count + unchanged
    counted = {"rows": rows, "created": count, "superseded": superseded}
    return counted | {"unchanged": unchanged, "rejected": 0}


# --- good files ----------------------------------------------------------------------------------

NOTE = 'xã nói "đủ"; hai dòng,\ndòng hai'
KINDS: list[tuple[str, dict[str, str], Any]] = [
    (TRUTH, {"value": "TRUE"}, True),
    ("commune_website_exists", {"value": "false"}, False),
    (COUNT, {"value": "3"}, 3),
    (
        RATE,
        {"numerator": "3400", "denominator": "4000", "note": NOTE},
        {"numerator": 3400, "denominator": 4000},
    ),
    ("internet_lines_per_household_rate", {"value": "130.5%"}, {"percent": "130.5"}),
    (
        "households_waste_sorting_rate",
        {"value": "85.50", "measured_on": "2024-12-15", "source": "Thống kê, xã; quý IV"},
        {"percent": "85.50"},
    ),
    (CHOSEN, {"value": "health | education"}, ["education", "health"]),
    ("smart_contents_implemented", {"value": "[]"}, []),
]


def _table(
    rows: list[str],
    delimiter: str = ",",
    end: str = "\n",
    order: tuple[str, ...] = COLUMNS,
    quoting: Quoting = csv.QUOTE_MINIMAL,
) -> str:
    written = io.StringIO()
    read = csv.DictReader(io.StringIO("\n".join([HEADER, *rows]), newline=""))
    written_out = csv.DictWriter(
        written, order, delimiter=delimiter, lineterminator=end, quoting=quoting
    )
    written_out.writeheader()
    written_out.writerows(read)
    return written.getvalue()


BOM = b"\xef\xbb\xbf"
FORMS: dict[str, Callable[[list[str]], bytes]] = {
    "plain": lambda rows: _table(rows).encode(),
    "byte order mark": lambda rows: BOM + _table(rows).encode(),
    "semicolons": lambda rows: _table(rows, ";").encode(),
    "semicolons, byte order mark, CRLF": lambda rows: BOM + _table(rows, ";", "\r\n").encode(),
    "CRLF": lambda rows: _table(rows, end="\r\n").encode(),
    "quotes everywhere": lambda rows: _table(rows, quoting=csv.QUOTE_ALL).encode(),
    "other order of columns": lambda rows: _table(rows, order=COLUMNS[::-1]).encode(),
    "empty lines": lambda rows: _table(rows, end="\n\n").encode() + b",,,,,,,,,\n",
    "no end of the last line": lambda rows: _table(rows).rstrip("\n").encode(),
    "decomposed letters": lambda rows: unicodedata.normalize("NFD", _table(rows)).encode(),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_kind_of_value_is_recorded_as_the_file_says(
    client: httpx.AsyncClient, described: Described, place: str, form: str
) -> None:
    """The long form, UTF-8 with or without byte order mark, comma or semicolon."""
    rows = [row(place, code, **cells) for code, cells, _ in KINDS]
    answer = await send(client, FORMS[form](rows))
    described.judge(answer)
    assert answer.status_code == 200, answer.text[:500]
    assert answer.json() == {
        "dry_run": False, "partial": False, "counts": created(len(KINDS)), "rejected": [],
    }  # fmt: skip
    found = {one["indicator"]: one for one in await listed(client, period="2024", unit=place)}
    assert set(found) == {code for code, _, _ in KINDS}
    for code, cells, fact in KINDS:
        one = found[code]
        value = sorted(one["value"]) if isinstance(fact, list) else one["value"]
        assert (value, type(value)) == (fact, type(fact))
        assert one["source"] == cells.get("source", SOURCE)
        assert one["measured_on"] == cells.get("measured_on")
        assert one["note"] == cells.get("note")
        assert (one["period"], one["status"]) == ("2024", "reported")


async def test_the_same_file_twice_changes_nothing_and_says_unchanged(
    client: httpx.AsyncClient, database: Database, place: str
) -> None:
    """Loading the same file twice changes nothing, in whatever form it comes again."""
    rows = [row(place, code, **cells) for code, cells, _ in KINDS]
    await imported(client, FORMS["plain"](rows))
    before = await fingerprint(database)
    for form in ("plain", "semicolons, byte order mark, CRLF", "other order of columns"):
        report = await imported(client, FORMS[form](rows))
        assert report["counts"] == created(0, unchanged=len(rows)), form
    turned = [row(place, CHOSEN, "education|health"), row(f"commune-{place}", COUNT, "3")]
    report = await imported(client, table(*turned))
    assert report["counts"] == created(0, unchanged=2)
    assert await fingerprint(database) == before


CHANGED = {
    "value": {"value": "86.50"},
    "digits": {"value": "85.500"},
    "counts": {"numerator": "171", "denominator": "200", "value": ""},
    "source": {"source": "Báo cáo khác"},
    "measured_on": {"measured_on": "2024-12-31"},
    "note": {"note": "đã kiểm tra"},
}


@pytest.mark.parametrize("what", CHANGED)
async def test_a_row_that_says_something_else_follows_what_was_on_record(
    client: httpx.AsyncClient, place: str, what: str
) -> None:
    """A changed row supersedes, the others stay as they are; both stay on record."""
    first = {"value": "85.50"}
    other = row(place, TRUTH, "true")
    await imported(client, table(row(place, RATE, **first), other))
    changed = table(row(place, RATE, **(first | CHANGED[what])), other)
    report = await imported(client, changed)
    assert report["counts"] == created(1, superseded=1, unchanged=1)
    (now,) = await listed(client, period="2024", unit=place, indicator=RATE)
    old, new = await history(client, now["id"])
    assert (old["status"], old["value"]) == ("superseded", {"percent": "85.50"})
    assert (new["id"], new["status"]) == (now["id"], "reported")
    assert (await imported(client, changed))["counts"] == created(0, unchanged=2)


async def test_a_value_that_was_retracted_is_recorded_anew(
    client: httpx.AsyncClient, place: str
) -> None:
    """What was retracted does not count: the same row is no repetition of it."""
    content = table(row(place, COUNT, "4"))
    await imported(client, content)
    (one,) = await listed(client, period="2024", unit=place)
    assert (await retract(client, one["id"])).status_code == 200
    assert (await imported(client, content))["counts"] == created(1)
    (again,) = await listed(client, period="2024", unit=place)
    assert (again["value"], again["status"]) == (4, "reported")


async def test_the_day_says_which_of_two_units_is_meant(
    client: httpx.AsyncClient, communes: list[str]
) -> None:
    """In 2025 a code may mean two units: `on` decides, and without it the row is refused."""
    assert HERE in communes  # its code stayed with the unit that it was merged into
    days = {"2025-03-01": "commune-07894", "2025-07-01": "commune-07894-2025"}
    for value, day in enumerate(days):
        report = await imported(client, table(row(HERE, COUNT, str(value), period="2025", on=day)))
        assert report["counts"] == created(1)
    found = await listed(client, indicator=COUNT, period="2025")
    assert {one["unit"]["unit"]: one["value"] for one in found} == dict(
        zip(days.values(), (0, 1), strict=True)
    )
    both = [row(key, TRUTH, "true", period="2025") for key in days.values()]
    assert (await imported(client, table(*both)))["counts"] == created(2)
    (fault,) = await refused(client, table(row(HERE, COUNT, "1", period="2025")))
    assert (fault["pointer"], fault["code"]) == ("/2/unit", "ambiguous-unit")
    assert all(key in fault["message"] for key in days.values())


async def test_who_recorded_is_shown(join: Join, place: str) -> None:
    """A value from a file names the client that sent it."""
    member = await join("25")
    await imported(member.http, table(row(place, COUNT, "1")))
    (one,) = await listed(member.http, period="2024", unit=place)
    assert one["by"] == member.client_id


@pytest.mark.parametrize("source", ["Báo cáo  12", "Báo cáo\n12"], ids=["two spaces", "two lines"])
async def test_a_file_records_what_the_same_value_in_json_would(
    client: httpx.AsyncClient, place: str, source: str
) -> None:
    """One kind of value, two ways in: handed in as JSON, the row of a file is a repetition."""
    await imported(client, table(row(place, COUNT, "5", source=source, note="một\nhai")))
    path = f"/v1/communes/{place}/values/2024/{COUNT}"
    answer = await client.put(path, json={"value": 5, "source": source, "note": "một\nhai"})
    assert (answer.status_code, answer.json()["unchanged"]) == (200, True), answer.text


async def test_the_longest_texts_are_taken(client: httpx.AsyncClient, place: str) -> None:
    """A source has up to 500 characters and a note up to 2,000, as in JSON."""
    content = table(row(place, COUNT, "1", source="ă" * 500, note="ộ" * 2_000))
    assert (await imported(client, content))["counts"] == created(1)
    (one,) = await listed(client, period="2024", unit=place)
    assert (len(one["source"]), len(one["note"])) == (500, 2_000)


async def test_a_header_without_rows_records_nothing(
    client: httpx.AsyncClient, database: Database
) -> None:
    """No row is no fault: nothing is done, and the counts say so."""
    before = await fingerprint(database)
    for rest in ("", "\n", "\n\n,,,,,,,,,\n"):
        assert (await imported(client, HEADER + rest))["counts"] == created(0)
    assert await fingerprint(database) == before


# --- bad rows ------------------------------------------------------------------------------------

BAD: list[tuple[str, str]] = [
    (row("", TRUTH, "true"), "unit"),
    (row("0 7894", TRUTH, "true"), "unit"),
    (row("０７８９４", TRUTH, "true"), "unit"),
    (row("99999", TRUTH, "true"), "unit"),
    (row("commune-99999", TRUTH, "true"), "unit"),
    (row(HERE, TRUTH, "true", period="2025"), "unit"),
    (row(HERE, TRUTH, "true", on="31/12/2024"), "on"),
    (row(HERE, TRUTH, "true", on="2024-02-30"), "on"),
    (row(HERE, TRUTH, "true", on="2025-08-01"), "on"),
    (row(HERE, TRUTH, "true", period=""), "period"),
    (row(HERE, TRUTH, "true", period="2024-13"), "period"),
    (row(HERE, TRUTH, "true", period="２０２４"), "period"),
    (row(HERE, "", "true"), "indicator"),
    (row(HERE, "no_such", "true"), "indicator"),
    (row("25", TRUTH, "true"), "indicator"),  # an indicator of communes
    (row(HERE, TRUTH, "có"), "value"),
    (row(HERE, TRUTH, ""), "value"),
    (row(HERE, COUNT, "-1"), "value"),
    (row(HERE, COUNT, "1.5"), "value"),
    (row(HERE, COUNT, "9007199254740992"), "value"),
    (row(HERE, RATE, "85,5"), "value"),
    (row(HERE, RATE, "100.01"), "value"),
    (row(HERE, CHOSEN, "health|nothing"), "value"),
    (row(HERE, CHOSEN, "health|health"), "value"),
    (row(HERE, "area_island", "true"), "indicator"),
    (row(HERE, "central_pilot_smart", "969/QĐ-BNN-VPĐP"), "indicator"),
    (share(HERE, 3, 2), "numerator"),
    (share(HERE, 1, 0), "numerator"),
    (share(HERE, -1, 2), "numerator"),
    (share(HERE, "1.000", 2_000), "numerator"),
    (share(HERE, "", 2), "numerator"),
    (share(HERE, 1, ""), "denominator"),
    (share(HERE, 1, "2e3"), "denominator"),
    (share(HERE, 0, "9007199254740992"), "denominator"),
    (row(HERE, TRUTH, "true", numerator="1"), "numerator"),
    (row(HERE, COUNT, "1", denominator="1"), "denominator"),
    (row(HERE, TRUTH, "true", period="1961", source=""), "source"),
    (row(HERE, TRUTH, "true", period="1962", source="  \t "), "source"),
    (row(HERE, TRUTH, "true", period="1963", source="x" * 501), "source"),
    (row(HERE, TRUTH, "true", period="1964", source="Báo\x00cáo"), "source"),
    (row(HERE, TRUTH, "true", period="1965", source="Báo \x1b[2J cáo"), "source"),
    (row(HERE, TRUTH, "true", measured_on="15/12/2024"), "measured_on"),
    (row(HERE, TRUTH, "true", measured_on="2024-12"), "measured_on"),
    (row(HERE, TRUTH, "true", period="1966", note="x" * 2_001), "note"),
    (row(HERE, TRUTH, "true", period="1967", note="ghi \x00 chú"), "note"),
    (f"{HERE},,2024", "-"),
    (row(HERE, TRUTH, "true") + ",,", "-"),
]


def _spread(bad: list[tuple[str, str]]) -> str:
    """Return a file in which every bad row stands after a good one."""
    months = [f"{year}-{month:02}" for year in range(1990, 2010) for month in range(1, 13)]
    rows = []
    for number, (text, _) in enumerate(bad):
        rows += [row(HERE, COUNT, "1", period=months[number]), text]
    return table(*rows)


async def test_every_bad_row_is_reported_with_line_column_and_reason(
    client: httpx.AsyncClient, described: Described, database: Database
) -> None:
    """Nothing is loaded if any row is bad; every bad row is named, no good one is."""
    before = await fingerprint(database)
    answer = await send(client, _spread(BAD))
    described.judge(answer)
    found = problem(answer)
    assert (found["status"], found["code"]) == (422, "invalid-rows")
    wanted = [(2 * number + 3, column) for number, (_, column) in enumerate(BAD)]
    assert where(found["errors"]) == wanted
    assert [one["pointer"] for one in found["errors"]] == [f"/{at}/{name}" for at, name in wanted]
    assert str(len(BAD)) in found["detail"]
    for one in found["errors"]:
        assert VIETNAMESE.search(one["message"]), one
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one["code"]), one
    assert await fingerprint(database) == before


async def test_bad_rows_are_explained_in_english_on_request(client: httpx.AsyncClient) -> None:
    """Messages are English with Accept-Language: en; names of units stay what they are."""
    answer = await send(client, _spread(BAD), **{"accept-language": "en"})
    found = problem(answer, "en")
    assert "bad rows" in found["detail"]
    for one in found["errors"]:
        assert one["message"].startswith("line "), one
        without_names = re.sub(r"(Phường|Tỉnh|Xã) [^\[(]*|“[^”]*”|phường/xã", "", one["message"])
        assert not VIETNAMESE.search(without_names), one


async def test_every_fault_of_a_row_is_reported_at_once(client: httpx.AsyncClient) -> None:
    """Somebody who mends a row learns of everything that is wrong with it."""
    bad = row("x y", TRUTH, "có", on="y", period="z", measured_on="w")
    dated = row(HERE, "no_such", "true", on="y", period="z", measured_on="w")
    unnamed = row("99999", "no_such", "true")
    found = where(await refused(client, table(bad, row(HERE, COUNT, "1"), dated, unnamed)))
    assert found == sorted(
        [(2, name) for name in ("unit", "on", "period", "value", "measured_on")]
        + [(4, name) for name in ("on", "period", "indicator", "measured_on")]
        + [(5, name) for name in ("unit", "indicator")]
    )


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (row(HERE, TRUTH, "có", source="", note="x" * 2_001), "value"),
        (row(HERE, TRUTH, "true", period="x", source="", note="x" * 2_001), "period"),
        (row(HERE, "no_such", "true", source="", note="x" * 2_001), "indicator"),
        (row("x y", TRUTH, "true", source="", note="x" * 2_001), "unit"),
    ],
    ids=["value", "period", "indicator", "unit"],
)
async def test_another_fault_hides_neither_a_missing_source_nor_a_long_note(
    client: httpx.AsyncClient, text: str, other: str
) -> None:
    """A missing source is reported beside whatever else is wrong with the row."""
    found = where(await refused(client, table(text)))
    assert found == sorted([(2, other), (2, "source"), (2, "note")])


async def test_lines_are_counted_as_an_editor_counts_them(client: httpx.AsyncClient) -> None:
    """Line ends within quotes and empty lines count."""
    for end in ("\n", "\r\n"):
        good = row(HERE, TRUTH, "true", note=f"một{end}hai{end}ba")
        content = end.join([HEADER, good, "", row(HERE, "no_such", "true")])
        assert where(await refused(client, content.encode())) == [(6, "indicator")]


async def test_what_codes_say_of_a_row_they_say_of_a_value_in_json(
    client: httpx.AsyncClient,
) -> None:
    """The same fault has the same code, whichever way a value comes in."""
    cases: list[tuple[str, Any, str]] = [
        (share(HERE, 3, 2), {"numerator": 3, "denominator": 2}, RATE),
        (row(HERE, RATE, "100.01"), {"percent": "100.01"}, RATE),
        (row(HERE, "no_such", "true"), True, "no_such"),
        (row(HERE, CHOSEN, "x"), ["x"], CHOSEN),
        (row(HERE, "area_island", "true"), True, "area_island"),
        (row("25", TRUTH, "true"), True, TRUTH),
        (row("99999", TRUTH, "true"), True, TRUTH),
        (row(HERE, TRUTH, "true", period="2025"), True, TRUTH),
        (row(HERE, TRUTH, "true", on="2025-08-01"), True, TRUTH),
    ]
    faults = await refused(client, table(*(text for text, _, _ in cases)))
    values = []
    for text, value, indicator in cases:
        unit, on, period = next(csv.reader([text]))[:3]
        named = {"unit": unit, "on": on or None, "period": period, "indicator": indicator}
        values.append(named | {"value": value, "source": SOURCE})
    answer = problem(await client.post(VALUES, json={"values": values}))
    assert [one["code"] for one in faults] == [one["code"] for one in answer["errors"]]


async def test_area_classes_and_designations_are_told_where_they_are_recorded(
    client: httpx.AsyncClient,
) -> None:
    """They are facts of the register and have places of their own."""
    rows = [row(HERE, "area_island", "true"), row(HERE, "central_pilot_ecom", "1824/QĐ-BNN-VPĐP")]
    for fault in await refused(client, table(*rows)):
        assert "/v1/communes/{code}/attributes" in fault["message"]
        assert "/v1/communes/{code}/designations" in fault["message"]


@pytest.mark.parametrize(
    "again",
    [
        row(HERE, COUNT, "7"),
        row(HERE, COUNT, "8"),
        row(f"commune-{HERE}", COUNT, "7"),
        row(HERE, COUNT, "7", on="2024-06-30"),
        row(f"commune-{HERE}", COUNT, "8", on="2024-12-31"),
    ],
    ids=["same", "other value", "key", "day", "key and day"],
)
async def test_a_value_is_given_once_in_a_file(
    client: httpx.AsyncClient, database: Database, again: str
) -> None:
    """The same unit, period and indicator twice is refused, however the unit is named.

    The message names the line of the first one, in the words of both languages.
    """
    before = await fingerprint(database)
    content = table(row(HERE, TRUTH, "true"), row(HERE, COUNT, "7"), row(HERE, TRUTH, "false",
                    period="2023"), again)  # fmt: skip
    (fault,) = await refused(client, content)
    assert where([fault])[0][0] == 5
    answer = await send(client, content, **{"accept-language": "en"})
    (english,) = problem(answer, "en")["errors"]
    assert await fingerprint(database) == before
    assert "dòng 3" in fault["message"]
    assert "line 3" in english["message"]


# --- some of it, or only a look ------------------------------------------------------------------


async def test_partial_loads_exactly_the_good_rows(
    client: httpx.AsyncClient, described: Described, database: Database, place: str
) -> None:
    """Nothing is loaded if any row is bad, unless partial: then all that are good."""
    good = [row(place, TRUTH, "true"), row(place, COUNT, "3"), share(place, 1, 2)]
    await imported(client, table(good[0]))
    await imported(client, table(row(place, COUNT, "2")))
    bad = [row(place, CHOSEN, "x"), row("99999", TRUTH, "true"), f"{place},,", share(place, 3, 2,
           period="2023")]  # fmt: skip
    content = table(bad[0], good[0], bad[1], good[1], bad[2], good[2], bad[3])
    before = await fingerprint(database)
    assert len(await refused(client, content)) == len(bad)
    assert await fingerprint(database) == before
    answer = await send(client, content, "?partial=true")
    described.judge(answer)
    report = answer.json()
    assert report["partial"] is True
    assert report["counts"] == {
        "rows": 7, "created": 2, "superseded": 1, "unchanged": 1, "rejected": 4,
    }  # fmt: skip
    assert [(one["line"], one["column"]) for one in report["rejected"]] == [
        (2, "value"), (4, "unit"), (6, ""), (8, "numerator"),
    ]  # fmt: skip
    for one in report["rejected"]:
        assert VIETNAMESE.search(one["message"])
    found = {
        one["indicator"]: one["value"] for one in await listed(client, period="2024", unit=place)
    }
    assert found == {TRUTH: True, COUNT: 3, RATE: {"numerator": 1, "denominator": 2}}
    again = await imported(client, content, "?partial=true")
    assert again["counts"] == {
        "rows": 7, "created": 0, "superseded": 0, "unchanged": 3, "rejected": 4,
    }  # fmt: skip


async def test_partial_without_a_good_row_loads_nothing(
    client: httpx.AsyncClient, database: Database
) -> None:
    """All rows are bad: all are named and nothing is written."""
    before = await fingerprint(database)
    report = await imported(client, table(*(text for text, _ in BAD)), "?partial=true")
    assert report["counts"]["rejected"] == report["counts"]["rows"] == len(BAD)
    assert await fingerprint(database) == before


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    client: httpx.AsyncClient, database: Database, place: str
) -> None:
    """The counts of a dry run are those of the run that follows it."""
    await imported(client, table(row(place, TRUTH, "true"), row(place, COUNT, "1")))
    content = table(row(place, TRUTH, "true"), row(place, COUNT, "2"), share(place, 1, 2))
    broken = content + row(place, CHOSEN, "x") + "\n"
    before = await fingerprint(database)
    said = await imported(client, content, "?dry_run=true")
    partly = await imported(client, broken, "?dry_run=true&partial=true")
    assert len(await refused(client, broken, "?dry_run=true")) == 1
    assert await fingerprint(database) == before
    assert said["dry_run"] is True
    assert said["counts"] == created(2, superseded=1, unchanged=1)
    done = await imported(client, broken, "?partial=true")
    assert partly | {"dry_run": False} == done
    assert partly["counts"]["created"] == 2


# --- files that are no such table ----------------------------------------------------------------

GOOD = row(HERE, COUNT, "1", period="1980")
NO_TABLE: dict[str, tuple[bytes, set[Fault]]] = {
    "a column is missing": (
        f"{HEADER.removesuffix(',note')}\n{GOOD.removesuffix(',')}\n".encode(),
        {(1, "note")},
    ),
    "an unknown column": (f"{HEADER},ghi_chú\n{GOOD},\n".encode(), {(1, "ghi_chú")}),
    "a repeated column": (f"{HEADER},value\n{GOOD},\n".encode(), {(1, "value")}),
    "several faults of the header": (
        f"{HEADER.replace('note', 'value').replace('unit', 'xa')}\n{GOOD}\n".encode(),
        {(1, "note"), (1, "unit"), (1, "value"), (1, "xa")},
    ),
    "no header": (f"{GOOD}\n".encode(), {(1, name) for name in COLUMNS}),
    "an empty line": (b"\n", {(1, name) for name in COLUMNS}),
    "only a byte order mark": (BOM, {(1, name) for name in COLUMNS}),
    "not UTF-8": (table(GOOD).encode() + b"07894,,2024,\xff,,,,,,\n", {(3, "-")}),
    "UTF-16": (table(GOOD).encode("utf-16"), {(1, "-")}),
    "not CSV": (table(GOOD, f'{HERE},,1981,{COUNT},"1"x,,,s,,').encode(), {(3, "-")}),
    "a quote that does not end": (
        table(GOOD, f'{HERE},,1981,{COUNT},"1,,,s,,').encode(),
        {(3, "-")},
    ),
    "tabs": (table(GOOD).replace(",", "\t").encode(), {(1, name) for name in COLUMNS}),
}


@pytest.mark.parametrize("query", ["", "?partial=true"])
@pytest.mark.parametrize("what", NO_TABLE)
async def test_a_file_that_is_no_such_table_is_refused_as_a_whole(
    client: httpx.AsyncClient, database: Database, what: str, query: str
) -> None:
    """Where the file cannot be read, there is no good row to load: partial or not."""
    content, wanted = NO_TABLE[what]
    before = await fingerprint(database)
    found = set(where(await refused(client, content, query)))
    assert found >= wanted
    assert await fingerprint(database) == before


async def test_a_refusal_of_the_whole_file_counts_no_rows(client: httpx.AsyncClient) -> None:
    """“0 bad rows” and loading the others are no help where the file cannot be read."""
    for what in ("not UTF-8", "a column is missing"):
        detail = problem(await send(client, NO_TABLE[what][0]))["detail"]
        assert "0 dòng" not in detail, what
        assert "partial=true" not in detail, what


async def test_an_empty_body_is_told_that_a_file_is_missing(client: httpx.AsyncClient) -> None:
    """Nothing at all is refused in the words of this route: CSV, not JSON."""
    found = problem(await send(client, b""))
    assert found["status"] == 422
    assert "JSON" not in str(found)


# --- how much ------------------------------------------------------------------------------------


def _many(communes: list[str], count: int) -> str:
    months = [f"{year}-{month:02}" for year in range(1900, 1910) for month in range(1, 13)]
    wanted = itertools.product(months, communes)
    rows = (f"{unit},,{month},{COUNT},1,,,s,," for month, unit in itertools.islice(wanted, count))
    return table(*rows)


async def test_twenty_thousand_rows_are_taken_and_one_more_is_refused(
    client: httpx.AsyncClient, database: Database, communes: list[str]
) -> None:
    """At most 20,000 rows here; more go through the command, which the message names."""
    before = await fingerprint(database)
    (fault,) = await refused(client, _many(communes, 20_001))
    assert "20000" in fault["message"]
    assert "ntm values import" in fault["message"]
    assert await fingerprint(database) == before
    began = time.monotonic()
    report = await imported(client, _many(communes, 20_000))
    assert report["counts"] == created(20_000)
    assert time.monotonic() - began < 60
    again = await imported(client, _many(communes, 20_000))
    assert again["counts"] == created(0, unchanged=20_000)


async def test_a_file_with_too_many_rows_is_not_loaded_in_part(
    client: httpx.AsyncClient, database: Database, communes: list[str]
) -> None:
    """No row of it is bad: partial has nothing to leave out, and must not say that it is done."""
    before = await fingerprint(database)
    assert len(await refused(client, _many(communes, 20_001), "?partial=true")) == 1
    assert await fingerprint(database) == before


async def test_a_file_may_have_four_times_the_bytes_of_a_json_body(
    registry: Registry, settings: Settings, database: Database, join: Join, place: str
) -> None:
    """The limit counts what arrives, declared or not; one byte more is 413."""
    limit = 2_048
    small = settings.model_copy(update={"max_body_bytes": limit})
    app = create_app(small, registry, database)
    member = await join("25")
    token = app.state.tokens.issue(member.client_id, list(SCOPES))
    content = table(row(place, COUNT, "1")).encode()
    full = content + b"\n" * (4 * limit - len(content))

    async def in_parts(whole: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 1_000):
            yield whole[start : start + 1_000]

    async with calling(app, token=token) as http:
        assert (await imported(http, full))["counts"] == created(1)
        assert problem(await send(http, full + b"\n"))["status"] == 413
        answer = await http.post(PATH, content=in_parts(full + b"\n"), headers=CSV)
        assert problem(answer)["code"] == "payload-too-large"
        answer = await http.post(PATH, content=in_parts(full), headers=CSV)
        assert answer.status_code == 200
        assert str(4 * limit) in problem(await send(http, full + b"\n"))["detail"]


async def test_two_who_send_the_same_rows_at_once_do_not_wait_for_each_other(
    client: httpx.AsyncClient, communes: list[str]
) -> None:
    """Files in opposite orders are both taken, and every value is current once."""
    rows = [row(unit, COUNT, "6", period="2019") for unit in communes]
    turned = [row(unit, COUNT, "6", period="2019", note="quay") for unit in reversed(communes)]
    reports = await asyncio.gather(
        *(imported(client, table(*some)) for some in (rows, turned, rows, turned))
    )
    assert [one["counts"]["rows"] for one in reports] == [len(rows)] * 4
    found = await listed(client, indicator=COUNT, period="2019")
    assert len(found) == len(rows) == len({one["unit"]["unit"] for one in found})


# --- who may, and how it is called ---------------------------------------------------------------


async def test_only_rows_of_one_s_own_territory_are_taken(
    join: Join, database: Database, place: str
) -> None:
    """A row of another territory is a bad row, whether or not the unit has values."""
    member = await join("25")
    content = table(row(place, COUNT, "1"), row(THERE, COUNT, "1", period="2026"))
    before = await fingerprint(database)
    (fault,) = await refused(member.http, content)
    assert (fault["pointer"], fault["code"]) == ("/3/unit", "outside-territory")
    assert await fingerprint(database) == before
    report = await imported(member.http, content, "?partial=true")
    assert report["counts"]["created"] == 1
    assert [(one["line"], one["code"]) for one in report["rejected"]] == [(3, "outside-territory")]
    assert len(await listed(member.http, period="2024", unit=place)) == 1


async def test_a_territory_reaches_what_it_descends_from(join: Join) -> None:
    """A client of Phú Thọ records values of the past of Vĩnh Phúc and Hòa Bình."""
    member = await join("25")
    rows = [row(unit, "communes_ntm_8_4_rate", "85.5") for unit in ("26", "17", "25")]
    assert (await imported(member.http, table(*rows)))["counts"] == created(3)


async def test_reading_does_not_allow_writing(
    join: Join, stranger: httpx.AsyncClient, database: Database
) -> None:
    """The scope values:write is needed, before anything of the file is looked at."""
    reader = (await join("VN", "read")).http
    before = await fingerprint(database)
    for content in (table(GOOD), b"\xff", b""):
        assert problem(await send(reader, content))["status"] == 403
        assert problem(await send(stranger, content))["status"] == 401
    assert await fingerprint(database) == before
    writer = (await join("25", "values:write")).http
    assert (await imported(writer, table(GOOD), "?dry_run=true"))["counts"]["rows"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-type": "application/vnd.ms-excel"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "text/csv; charset=utf-16"},
        {"content-type": "text/csv", "content-encoding": "gzip"},
    ],
    ids=str,
)
async def test_another_kind_of_body_is_refused(
    client: httpx.AsyncClient, database: Database, headers: dict[str, str]
) -> None:
    """The file is sent as text/csv in UTF-8, not compressed."""
    before = await fingerprint(database)
    found = problem(await client.post(PATH, content=table(GOOD).encode(), headers=headers))
    assert (found["status"], found["code"]) == (415, "unsupported-media-type")
    assert "text/csv" in found["detail"]
    assert await fingerprint(database) == before


@pytest.mark.parametrize(
    "media", ["text/csv", "TEXT/CSV", "text/csv; charset=utf-8", 'text/csv;charset="UTF-8"']
)
async def test_a_body_may_name_its_encoding(client: httpx.AsyncClient, media: str) -> None:
    """Media types are compared as RFC 9110 says."""
    answer = await client.post(
        f"{PATH}?dry_run=true", content=table(GOOD).encode(), headers={"content-type": media}
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("query", "name", "code"),
    [
        ("partial=yes", "partial", "wrong-type"),
        ("partial=1", "partial", "wrong-type"),
        ("partial=", "partial", "wrong-type"),
        ("dry_run=True", "dry_run", "wrong-type"),
        ("dry-run=true", "dry-run", "unknown-field"),
        ("dry_run=true&dry_run=true", "dry_run", "repeated-parameter"),
    ],
)
async def test_a_parameter_that_is_none_is_refused(
    client: httpx.AsyncClient, database: Database, query: str, name: str, code: str
) -> None:
    """Nobody who mistypes a dry run gets a real one."""
    before = await fingerprint(database)
    found = problem(await send(client, table(GOOD), f"?{query}"))
    assert found["status"] == 422
    assert [(one["pointer"], one["code"]) for one in found["errors"]] == [(f"/{name}", code)]
    assert await fingerprint(database) == before
