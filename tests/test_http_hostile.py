"""Hostile requests: never a crash, always a problem that names the place and the remedy."""

from __future__ import annotations

import copy
import gzip
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from conftest import ANYTHING, HERE, PREVIEW, Described, problem
from evidence_operations import SUBMIT, Making, office
from hostile import (
    BODIES,
    COUNTING,
    FIELDS,
    FILE,
    FORMS,
    GETS,
    GUARDED,
    MEMBERS_EVALUATION,
    NASTY,
    NASTY_KEYS,
    NEW_GRANT,
    NEW_TAKING,
    OPERATIONS,
    SEGMENTS,
    TODAY_COMMUNE,
    VALID,
    VALUE,
    VALUES,
    Hostile,
    Operation,
    Place,
    Read,
    altered,
    new_designation,
    new_evaluation,
    new_import,
    new_job,
    new_run,
    new_value,
    places,
    sent,
    shortened,
    spelled,
    spoilt,
    with_key,
    with_value,
    without,
)

from app.database import Database

JSON = {"content-type": "application/json"}
LARGE = 10_000_000


@pytest.fixture(autouse=True)
def _no_trace(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that a caller sends leaves a trace of an exception in the log."""
    yield
    for record in caplog.get_records("call"):
        assert record.exc_info is None, record
        assert "Traceback" not in record.getMessage()


async def _both(
    client: httpx.AsyncClient, method: str, url: str, content: bytes | None, **more: str
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Send it twice; return the problem in Vietnamese and in English, and the status."""
    headers = dict(more)
    vi = await client.request(method, url, content=content, headers=headers)
    english = {**headers, "accept-language": "en"}
    en = await client.request(method, url, content=content, headers=english)
    assert vi.status_code < 500, vi.text[:500]
    assert vi.status_code == en.status_code
    return problem(vi), problem(en, "en"), vi.status_code


def _check(found: tuple[dict[str, Any], dict[str, Any], int], wanted: Hostile | Read) -> None:
    vi, en, status = found
    assert status in wanted.statuses, vi
    if wanted.code is not None:
        assert vi["code"] == wanted.code, vi
    assert vi["code"] == en["code"]
    assert vi["title"] != en["title"]
    assert vi["detail"] != en["detail"]
    assert len(vi["errors"]) == len(en["errors"])
    for one, other in zip(vi["errors"], en["errors"], strict=True):
        assert (one["pointer"], one["code"]) == (other["pointer"], other["code"])
        assert one["message"] != other["message"]
    if wanted.pointer is not None:
        assert wanted.pointer in [one["pointer"] for one in vi["errors"]], vi["errors"]
    for document in (vi, en):
        words = " ".join([document["detail"], *(one["message"] for one in document["errors"])])
        for remedy in wanted.remedy:
            assert remedy in words, words


@pytest.mark.parametrize("wanted", BODIES, ids=lambda wanted: wanted.name)
async def test_a_hostile_body_is_refused_with_place_and_remedy(
    client: httpx.AsyncClient, described: Described, wanted: Hostile
) -> None:
    found = await _both(client, "POST", PREVIEW, wanted.content, **JSON)
    _check(found, wanted)
    assert str(found[2]) in described.operation("POST", PREVIEW)["responses"]


@pytest.mark.parametrize("wanted", GETS, ids=lambda wanted: f"{wanted.name} {wanted.url[:40]}")
async def test_a_hostile_read_is_refused_with_place_and_remedy(
    client: httpx.AsyncClient, wanted: Read
) -> None:
    _check(await _both(client, "GET", wanted.url, None), wanted)


async def test_the_valid_body_of_the_corpus_is_valid(
    client: httpx.AsyncClient, described: Described
) -> None:
    answer = await client.post(PREVIEW, json=VALID)
    assert answer.status_code == 200, answer.text
    described.judge(answer)


async def test_thirty_two_levels_are_still_read(client: httpx.AsyncClient) -> None:
    value: list[Any] = []
    for _ in range(29):
        value = [value]
    body = with_value(("facts", "smart_contents_implemented"), value)
    found = problem(await client.post(PREVIEW, content=sent(body), headers=JSON))
    assert found["code"] == "wrong-kind"
    deeper = with_value(("facts", "smart_contents_implemented"), [value])
    found = problem(await client.post(PREVIEW, content=sent(deeper), headers=JSON))
    assert found["code"] == "malformed-json"


# --- the generated corpus ------------------------------------------------------------------------


async def _survives(client: httpx.AsyncClient, described: Described, body: Any) -> None:
    answer = await client.post(f"{PREVIEW}?texts=false", content=sent(body), headers=JSON)
    assert answer.status_code < 500, answer.text[:300]
    described.judge(answer)
    if answer.status_code != 200:
        problem(answer)


@pytest.mark.parametrize(("name", "value"), NASTY, ids=[name for name, _ in NASTY])
async def test_a_nasty_value_anywhere_is_judged_or_refused(
    client: httpx.AsyncClient, described: Described, name: str, value: Any
) -> None:
    for place in places():
        await _survives(client, described, with_value(place, copy.deepcopy(value)))


@pytest.mark.parametrize("key", NASTY_KEYS, ids=range(len(NASTY_KEYS)))
async def test_a_nasty_key_anywhere_is_judged_or_refused(
    client: httpx.AsyncClient, described: Described, key: str
) -> None:
    for place in places():
        if isinstance(place[-1], str):
            await _survives(client, described, with_key(place, key))
            await _survives(client, described, with_value((*place[:-1], key), VALID))


async def test_a_body_that_lacks_anything_is_judged_or_refused(
    client: httpx.AsyncClient, described: Described
) -> None:
    for place in places():
        await _survives(client, described, without(place))


async def test_a_body_cut_anywhere_is_malformed(client: httpx.AsyncClient) -> None:
    whole = sent(VALID)
    for end in range(1, len(whole), 7):
        answer = await client.post(PREVIEW, content=whole[:end], headers=JSON)
        assert (answer.status_code, problem(answer)["code"]) == (400, "malformed-json"), end


async def test_a_body_with_any_byte_spoilt_is_judged_or_refused(
    client: httpx.AsyncClient,
) -> None:
    whole = json.dumps(VALID, ensure_ascii=False).encode()
    for place in range(0, len(whole), 5):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x80
        answer = await client.post(f"{PREVIEW}?texts=false", content=bytes(spoilt), headers=JSON)
        assert answer.status_code in (200, 400, 422)
        if answer.status_code != 200:
            problem(answer)


async def test_an_error_names_the_place_where_the_value_stands(client: httpx.AsyncClient) -> None:
    # A value that is nowhere right: an object with a key that nothing has.
    for place in places():
        body = with_value(place, {"nothing_has_this": 1.5})
        found = problem(await client.post(PREVIEW, content=sent(body), headers=JSON))
        where = spelled(place)
        assert any(one["pointer"].startswith(where) for one in found["errors"]) or any(
            where.startswith(one["pointer"]) and one["pointer"] for one in found["errors"]
        ), (place, found["errors"])


async def test_the_answer_to_a_long_key_is_short(client: httpx.AsyncClient) -> None:
    for place in ((), ("facts",), ("unit", "attributes")):
        body = with_value((*place, "x" * 500_000), True)
        answer = await client.post(PREVIEW, content=sent(body), headers=JSON)
        assert answer.status_code == 422
        assert len(answer.content) < 20_000, place


# --- bodies and their headers --------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "text/json"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json-patch+json"},
        {"content-type": "application/xml"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json; charset=windows-1258"},
        {"content-type": 'application/json; charset="utf-7"'},
        {"content-type": "json"},
        {"content-type": "application/json\u00e9"},
        {**JSON, "content-encoding": "gzip"},
        {**JSON, "content-encoding": "br"},
        {**JSON, "content-encoding": "deflate, gzip"},
    ],
    ids=str,
)
async def test_only_plain_json_in_utf_8_is_read(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for content in (sent(VALID), gzip.compress(sent(VALID)), b""):
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await client.post(PREVIEW, content=content, headers=raw)
        found = problem(answer)
        assert (answer.status_code, found["code"]) == (415, "unsupported-media-type")
        assert "application/json" in found["detail"]
        assert "UTF-8" in found["detail"]


@pytest.mark.parametrize(
    "media",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "Application/JSON ; Charset=UTF-8",
    ],
)
async def test_plain_json_is_read_however_its_type_is_spelled(
    client: httpx.AsyncClient, media: str
) -> None:
    answer = await client.post(PREVIEW, content=sent(VALID), headers={"content-type": media})
    assert answer.status_code == 200


async def _chunks(size: int, piece: bytes = b" " * 65_536) -> AsyncIterator[bytes]:
    for _ in range(0, size, len(piece)):
        yield piece


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_a_body_of_10_mb_is_too_large_however_it_is_sent(
    client: httpx.AsyncClient, language: str
) -> None:
    headers: Mapping[str, str] = {**JSON, "accept-language": language}
    large = sent(VALID) + b" " * LARGE
    lying_short, lying_long = {"content-length": "10"}, {"content-length": str(LARGE)}
    answers = [
        await client.post(PREVIEW, content=large, headers=headers),
        await client.post(PREVIEW, content=_chunks(LARGE), headers=headers),
        await client.post(PREVIEW, content=large, headers={**headers, **lying_short}),
        await client.post(PREVIEW, content=sent(VALID), headers={**headers, **lying_long}),
    ]
    for number, answer in enumerate(answers):
        found = problem(answer, language)
        assert (answer.status_code, found["code"]) == (413, "payload-too-large"), number


@pytest.mark.parametrize("length", ["-1", "abc", "", "9" * 100, "1e9", "０", "10, 10", "0x10"])
async def test_a_content_length_that_is_none_is_no_reason_to_fail(
    client: httpx.AsyncClient, length: str
) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", length.encode())]
    answer = await client.post(PREVIEW, content=sent(VALID), headers=headers)
    assert answer.status_code in (200, 400, 413)
    if answer.status_code != 200:
        problem(answer)


async def test_an_endless_body_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 1_000_000_000:
            read += 65_536
            yield b"[" * 65_536

    answer = await client.post(PREVIEW, content=endless(), headers=JSON)
    assert answer.status_code == 413
    assert read < 20_000_000


# --- the register and the clients ----------------------------------------------------------------

TABLES = (
    "unit",
    "unit_version",
    "unit_identifier",
    "unit_attribute",
    "designation",
    "designation_withdrawal",
    "client",
    "client_secret",
    "recording",
    "value",
    "value_event",
    "current_value",
    "ruleset_snapshot",
    "evaluation",
    "data_grant",
    "data_grant_read",
    "job",
    "value_import",
    "value_import_chunk",
    "value_import_rejection",
    "evaluation_run",
    "evidence_submission",
    "evidence_event",
    "evidence_version",
    "evidence_part",
    "evidence_list",
    "evidence_list_chunk",
    "evidence_confirmation",
    "evidence_file",
    "evidence_finding",
)
# Fields that may be left out where another one stands: the fault is the whole body's.
ONE_OF_TWO = (
    ("POST /v1/evaluations", "unit"),
    ("POST /v1/grants", "to_territory"),
    ("POST /v1/impact", "ruleset"),
    ("POST /v1/impact", "changes"),
)
taking = pytest.mark.parametrize("route", NEW_TAKING, ids=lambda route: route.name)


async def _rows(database: Database) -> dict[str, int]:
    """Return how many rows each table has that a request may write to."""
    async with database.reading() as connection:
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES
        }


@pytest.fixture
async def _nothing_stored(client: httpx.AsyncClient, database: Database) -> AsyncIterator[None]:
    """After the test every table has as many rows as before it."""
    before = await _rows(database)
    yield
    assert await _rows(database) == before


@pytest.mark.usefixtures("_nothing_stored")
@pytest.mark.parametrize(
    ("route", "place"),
    [(one, place) for one in NEW_TAKING for place in FIELDS[one.name]],
    ids=lambda value: value.name if isinstance(value, Operation) else spelled(value),
)
async def test_a_field_refuses_what_it_is_not(
    client: httpx.AsyncClient, described: Described, route: Operation, place: Place
) -> None:
    for value in FIELDS[route.name][place]:
        body = altered(route.body, place, value)
        answer = await client.request(route.method, route.path, content=sent(body), headers=JSON)
        assert answer.status_code in (403, 422), (value, answer.text[:300])
        found = problem(answer)
        pointers = [one["pointer"] for one in found["errors"]]
        assert pointers, value
        assert all(one.startswith(spelled(place)) for one in pointers), (value, pointers)
        described.judge(answer)


@pytest.mark.usefixtures("_nothing_stored")
@taking
async def test_text_with_nul_or_half_a_character_is_refused_in_every_field(
    client: httpx.AsyncClient, route: Operation
) -> None:
    for place in FIELDS[route.name]:
        for text, status, code in (
            ("a\0b", 422, "invalid-text"),
            ("\0", 422, "invalid-text"),
            ("\ud800", 400, "malformed-json"),
            ("a\udfffb", 400, "malformed-json"),
        ):
            body = altered(route.body, place, text)
            found, english, got = await _both(client, route.method, route.path, sent(body), **JSON)
            assert (got, found["code"], english["code"]) == (status, code, code), (place, text)
            assert [one["pointer"] for one in found["errors"]] == [spelled(place)]


@pytest.mark.usefixtures("_nothing_stored")
@taking
async def test_a_body_that_is_no_json_or_no_object_of_ours_is_refused(
    client: httpx.AsyncClient, described: Described, route: Operation
) -> None:
    for name, content, statuses in spoilt(route.body):
        found, english, status = await _both(client, route.method, route.path, content, **JSON)
        assert status in statuses, (name, found)
        assert found["code"] == english["code"], name
        assert str(status) in described.operation(route.method, route.path)["responses"]


@pytest.mark.usefixtures("_nothing_stored")
@taking
async def test_a_body_that_lacks_what_must_be_there_is_refused(
    client: httpx.AsyncClient, described: Described, route: Operation
) -> None:
    may_lack = {"to", "date", "on", "as_of", "measured_on", "note"}
    for place in FIELDS[route.name]:
        if len(place) > 1 or place[-1] in may_lack or place[-1] not in route.body:
            continue
        answer = await client.request(
            route.method, route.path, content=sent(shortened(route.body, place)), headers=JSON
        )
        found = problem(answer)
        assert (answer.status_code, found["code"]) == (422, "missing-field"), place
        wanted = "" if (route.name, *place) in ONE_OF_TWO else spelled(place)
        assert [one["pointer"] for one in found["errors"]] == [wanted]
        described.judge(answer)


@taking
async def test_a_nasty_value_anywhere_in_a_new_body_is_taken_or_refused(
    client: httpx.AsyncClient, described: Described, database: Database, route: Operation
) -> None:
    before, taken = await _rows(database), 0
    for place in places(route.body):
        for name, value in NASTY:
            body = altered(route.body, place, copy.deepcopy(value))
            answer = await client.request(
                route.method, route.path, content=sent(body), headers=JSON
            )
            assert answer.status_code < 500, (place, name, answer.text[:300])
            described.judge(answer)
            if answer.status_code >= 400:
                problem(answer)
            else:
                taken += 1
    after = await _rows(database)
    if not taken:
        assert after == before


@pytest.mark.usefixtures("_nothing_stored")
@taking
async def test_a_nasty_key_anywhere_in_a_new_body_is_refused(
    client: httpx.AsyncClient, described: Described, route: Operation
) -> None:
    for place in places(route.body):
        if not isinstance(place[-1], str):
            continue
        for key in NASTY_KEYS:
            body = altered(route.body, (*place[:-1], key), VALID)
            answer = await client.request(
                route.method, route.path, content=sent(body), headers=JSON
            )
            problem(answer)
            assert answer.status_code in (400, 422), (place, key[:20])
            described.judge(answer)


@pytest.mark.usefixtures("_nothing_stored")
@taking
async def test_a_new_body_is_read_as_plain_json_only_and_to_a_limit(
    client: httpx.AsyncClient, described: Described, route: Operation
) -> None:
    content = sent(route.body)
    for headers in (
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=utf-16"},
        {**JSON, "content-encoding": "gzip"},
    ):
        answer = await client.request(route.method, route.path, content=content, headers=headers)
        assert (answer.status_code, problem(answer)["code"]) == (415, "unsupported-media-type")
        described.judge(answer)
    for large in (content + b" " * LARGE, _chunks(LARGE)):
        answer = await client.request(route.method, route.path, content=large, headers=JSON)
        assert (answer.status_code, problem(answer)["code"]) == (413, "payload-too-large")
        described.judge(answer)


def _segments(route: Operation) -> list[str]:
    """Return the paths of an operation with each of its parameters replaced by nonsense."""
    names, parts = route.template.split("/"), route.path.split("/")
    return [
        "/".join([*parts[:number], segment, *parts[number + 1 :]])
        for number, name in enumerate(names)
        if name.startswith("{")
        for segment in SEGMENTS
        if name != "{scheme}" or not re.fullmatch("[a-z][a-z0-9_]*", segment)  # that is one
    ]


@pytest.mark.usefixtures("_nothing_stored")
@pytest.mark.parametrize(
    "route", [one for one in GUARDED if "{" in one.template], ids=lambda one: one.name
)
async def test_a_path_that_names_nothing_is_refused(
    client: httpx.AsyncClient, route: Operation
) -> None:
    content = None if route.body is None else sent(route.body)
    for path in _segments(route):
        # As it travels: the client would mend what a hostile one leaves as it is.
        url = httpx.URL(HERE).copy_with(raw_path=quote(path, safe="/%'*;=-_.").encode())
        headers = {"content-type": "text/csv"} if route.csv else JSON
        answer = await client.request(route.method, url, content=content, headers=headers)
        assert answer.status_code in (404, 405, 422), (path[:80], answer.text[:300])
        problem(answer)
        assert len(answer.content) < 40_000


NUMBERED = (
    ("POST", "/v1/designations/{}/withdraw"),
    ("GET", "/v1/values/{}"),
    ("GET", "/v1/values/{}/history"),
    ("POST", "/v1/values/{}/retract"),
    ("GET", "/v1/evaluations/{}"),
    ("POST", "/v1/evaluations/{}/replay"),
    ("GET", f"/v1/evaluations/{{}}/members?criterion={COUNTING}"),
    ("GET", "/v1/evaluations/{}/compare/1"),
    ("GET", "/v1/evaluations/1/compare/{}"),
    ("GET", "/v1/jobs/{}"),
    ("GET", "/v1/jobs/{}/events"),
    ("POST", "/v1/jobs/{}/cancel"),
    ("GET", "/v1/imports/{}"),
    ("GET", "/v1/imports/{}/rejected.csv"),
    ("POST", "/v1/imports/{}/commit"),
    ("GET", "/v1/evaluation-runs/{}"),
    ("GET", "/v1/evaluation-runs/{}/compare?with=1"),
    ("GET", "/v1/evaluation-runs/1/compare?with={}"),
    ("GET", "/v1/evidence-submissions/{}"),
    ("GET", "/v1/evidence-submissions/{}/slots"),
    ("POST", "/v1/evidence-submissions/{}/transitions"),
)


@pytest.mark.parametrize(("method", "address"), NUMBERED)
async def test_a_number_in_a_path_has_one_spelling(
    client: httpx.AsyncClient, database: Database, method: str, address: str
) -> None:
    if "designations" in address:
        number = str(await new_designation(client))
    elif "values" in address:
        number = str(await new_value(client))
    elif "jobs" in address:
        number = str(await new_job(client))
    elif "imports" in address:
        number = str(await new_import(client))
    elif "evaluation-runs" in address:
        number = str(await new_run(client))
    elif "evidence-submissions" in address:
        number = str((await Making(client, await office(client)).opened())["id"])
    else:
        number = str(await new_evaluation(client, MEMBERS_EVALUATION))
    before = await _rows(database)
    for spelling in (
        f"+{number}", f"-{number}", f"0{number}", f"{number}.0", f"%20{number}", f"{number}%0a",
        f"{number}%20", f"{number[0]}_{number[1:]}", f"{number}e0", number + "%00",
        number.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
    ):  # fmt: skip
        ending = address.endswith(("/withdraw", "/retract"))
        body = {"reason": "ghi nhầm"} if ending else SUBMIT if "transitions" in address else None
        answer = await client.request(method, address.format(spelling), json=body)
        assert answer.status_code in (404, 422), (spelling, answer.text)
        problem(answer)
    assert await _rows(database) == before
    for url in ("/v1/designations", "/v1/values", "/v1/evaluations"):
        assert (await client.get(f"{url}?limit=500")).status_code == 200


# What a sender says of a file is free text: it is looked at with the file, by a process for each.
FREE_TEXT = {("POST /v1/imports", name) for name in ("name", "sheet", "source", "encoding")}


@pytest.mark.usefixtures("_nothing_stored")
@pytest.mark.parametrize("route", OPERATIONS, ids=lambda one: one.name)
async def test_nonsense_in_a_query_parameter_is_answered_or_refused(
    client: httpx.AsyncClient, described: Described, route: Operation
) -> None:
    operation = described.operation(route.method, route.path)
    names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    for name in names:
        if (route.name, name) in FREE_TEXT:
            continue
        # A file takes the same filters as its list, and is dear.
        for value in VALUES[:: 4 if route.template.endswith((".csv", ".ndjson", ".xlsx")) else 1]:
            if route.method != "GET" and value in ("", "true"):
                continue  # a good one for some
            url = route.url(f"{name}={value}")
            if route.method == "GET":
                answer = await client.get(url)
                assert answer.status_code in (200, 404, 422), (url[:80], answer.text[:300])
            else:
                headers = {"content-type": "text/csv"} if route.csv else JSON
                answer = await client.request(route.method, url, content=b"{}", headers=headers)
                assert answer.status_code in (404, 422), (url[:80], answer.text[:300])
            described.judge(answer)
            if answer.status_code != 200:
                found = problem(answer)
                assert [one["pointer"] for one in found["errors"]][:1] != [""], url[:80]


READS_OF_A_DAY = (
    *(
        re.sub("[?&]on=[^&]*", "", one.url())
        for one in GUARDED
        if one.method == "GET"
        and one.template.startswith(
            ("/v1/units", "/v1/comm", "/v1/designations", "/v1/import-t", "/v1/statistics")
        )
    ),
    "/v1/values.csv",
    f"/v1/evaluations.ndjson?unit={TODAY_COMMUNE}",
    "/v1/evaluation-runs",
    "/v1/values",
    f"/v1/values?unit={TODAY_COMMUNE}",
    "/v1/evaluations",
    f"/v1/evaluations?unit={TODAY_COMMUNE}&period=2026",
)


@pytest.mark.parametrize("path", READS_OF_A_DAY)
async def test_a_day_that_is_none_is_refused(
    client: httpx.AsyncClient, described: Described, path: str
) -> None:
    for day in ("2024-13-01", "2025-02-30", "0001-01-01", "99999-01-01", "1899-12-31",
                "2200-01-01", "9999-12-31", "", "today", "20250801", "2025-8-1",
                "２０２５-０８-０１", "٢٠٢٥-٠٨-٠١",
                "2025-08-01T00:00:00", "2025-08-01%0A", "%202025-08-01", "2025-08-01%00",
                "0", "1754006400", "x" * 10_000):  # fmt: skip
        url = f"{path}{'&' if '?' in path else '?'}on={day}"
        vi, en, status = await _both(client, "GET", url, None)
        text = "%00" in day
        assert (status, vi["code"]) == (422, "invalid-text" if text else "wrong-type"), day
        assert [one["pointer"] for one in vi["errors"]] == ["/on"]
        for found in (vi, en):
            assert ("NUL" if text else "YYYY-MM-DD") in found["detail"]
    for day in ("1900-01-01", "2199-12-31"):
        answer = await client.get(f"{path}{'&' if '?' in path else '?'}on={day}")
        # A day that is one may lie outside the period asked for.
        assert answer.status_code in ((200, 404, 422) if "period" in path else (200, 404))
        described.judge(answer)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/units", "parent"),
        ("/v1/units", "under"),
        ("/v1/communes", "under"),
        ("/v1/communes.geojson", "under"),
        ("/v1/designations", "under"),
        ("/v1/values", "under"),
        ("/v1/values", "unit"),
        ("/v1/evaluations", "under"),
        ("/v1/evaluations", "unit"),
        ("/v1/values.csv", "under"),
        ("/v1/values.ndjson", "unit"),
        ("/v1/evaluations.ndjson", "under"),
        ("/v1/evaluations.csv", "unit"),
        ("/v1/evaluation-runs", "under"),
        ("/v1/communes.csv", "under"),
    ],
)
async def test_a_unit_above_that_is_none_is_refused_by_name(
    client: httpx.AsyncClient, path: str, name: str
) -> None:
    for raw in ("", "x", "vn", "2", "25%20", "25%0A", "%00", "２５", "٢٥", "9" * 20, "x" * 10_000,
                "'%20OR%201=1", "25%25", "_5", "%5C", "province-", "%ff"):  # fmt: skip
        vi, _, status = await _both(client, "GET", f"{path}?{name}={raw}", None)
        code = "invalid-text" if raw == "%00" else "wrong-value"
        assert (status, vi["code"]) == (422, code), raw[:20]
        assert [one["pointer"] for one in vi["errors"]] == [f"/{name}"]
    for raw in ("00", "99999", "province-00", "hamlet-99999-2025-999"):
        vi, en, status = await _both(client, "GET", f"{path}?{name}={raw}&on=2025-08-01", None)
        assert (status, vi["code"]) == (404, "unit-not-found"), raw
        assert [one["pointer"] for one in vi["errors"]] == [f"/{name}"]
        assert raw in vi["detail"]
        assert raw in en["detail"]


@pytest.mark.parametrize(
    "q", ["%", "_", "\\", "\\\\", "%%", "a\\", "a%", "tho_", ".*", "[a-z]", "'", '"']
)
async def test_a_search_takes_every_character_for_itself(
    client: httpx.AsyncClient, described: Described, q: str
) -> None:
    answer = await client.get("/v1/units", params={"q": q, "level": "province", "on": "2025-08-01"})
    assert answer.status_code == 200
    described.judge(answer)
    assert answer.json()["items"] == []


@pytest.mark.parametrize(
    "q", ["%00", "a%00b", "", "x" * 201, "x" * 10_000, "%E1%BB%81" * 201], ids=lambda q: q[:12]
)
async def test_a_search_for_what_is_no_text_is_refused(client: httpx.AsyncClient, q: str) -> None:
    for path in ("/v1/units", "/v1/indicators"):
        vi, _, status = await _both(client, "GET", f"{path}?q={q}", None)
        assert status == 422, path
        assert [one["pointer"] for one in vi["errors"]] == ["/q"]


async def test_up_to_a_thousand_units_are_resolved_at_once_however_they_are_sent(
    client: httpx.AsyncClient, described: Described
) -> None:
    url, asked = "/v1/units/resolve", {"code": "25", "on": "2025-08-01"}
    most, more = [asked] * 1_000, [asked] * 1_001
    answer = await client.post(url, json={"items": most})
    assert len(answer.json()["items"]) == 1_000
    described.judge(answer)
    for body in ({"items": more}, more):
        answer = await client.post(url, json=body)
        assert answer.status_code == 422
        assert "1000" in problem(answer)["detail"]


async def test_what_is_wrong_in_a_bare_list_is_found_there(client: httpx.AsyncClient) -> None:
    asked = [{"code": "25"}, {"code": "x"}]
    found = problem(await client.post("/v1/units/resolve", json=asked))
    assert [one["pointer"] for one in found["errors"]] == ["/1/code"]


@pytest.mark.usefixtures("_nothing_stored")
async def test_names_that_mean_nothing_are_resolved_to_nothing(
    client: httpx.AsyncClient, described: Described
) -> None:
    names = ("%", "_", "\\", "'; DROP TABLE unit; --", "\x1b[2J", "\u202e", "\u200b",
             "\u0301" * 200, "😀", "９" * 200, "x" * 200, "xã", "Xã", "tp", "-", ".", "!",
             "1 " * 99, "\U0010ffff",
             "\U000105d2\u0307", "ﷺ" * 200, "İ" * 200, "$1", "{}", "null")  # fmt: skip
    asked = [
        {**place, "on": "2025-08-01"}
        for name in names
        for place in (
            {"name": name},
            {"name": name, "province": name, "district": name},
            {"code": "25", "province": name},
        )
    ]
    answer = await client.post("/v1/units/resolve", content=sent(asked), headers=JSON)
    assert answer.status_code == 200, answer.text
    described.judge(answer)
    for one in answer.json()["items"]:  # hamlets of other tests may have such names
        assert one["unit"] is None or one["unit"]["level"] == "hamlet", one["unit"]


@pytest.mark.parametrize(
    ("method", "path", "field", "more"),
    [
        ("PUT", f"/v1/communes/{TODAY_COMMUNE}/values/2025/commune_website_exists", "source",
         {"value": True, "on": "2025-08-01"}),
        ("PUT", f"/v1/communes/{TODAY_COMMUNE}/values/2025/commune_website_exists", "note",
         {"value": True, "on": "2025-08-01", "source": "x"}),
        ("POST", f"/v1/communes/{TODAY_COMMUNE}/hamlets", "name",
         {"code": f"{TODAY_COMMUNE}-90", "type": "ap", "valid_from": "2025-08-01"}),
        ("POST", f"/v1/communes/{TODAY_COMMUNE}/designations", "decision",
         {"model": "ecom", "authority": "province", "source": "x"}),
        ("PUT", "/v1/units/25/identifiers/odd", "value", {}),
        ("POST", "/v1/clients", "name", {"territory": "25", "scopes": ["read"]}),
        ("POST", "/v1/grants", "purpose",
         {name: value for name, value in NEW_GRANT.items() if name != "purpose"}),
    ],
    ids=["source", "note", "hamlet", "designation", "identifier", "client", "grant"],
)  # fmt: skip
async def test_odd_text_is_stored_as_it_is_or_refused(
    client: httpx.AsyncClient,
    described: Described,
    method: str,
    path: str,
    field: str,
    more: dict[str, Any],
) -> None:
    odd = (
        "Ấp \U000105d2\u0307",
        "\u0344",
        "a\u0301\u0323",
        "'; DROP TABLE unit; --",
        "%_\\",
        "😀",
        "\U0010ffff",
        "\ue000",
        "ﷺ" * 200,
        "İ" * 200,
        "1 " * 99,
        "\u1e0a\u0323",
        "ｆｕｌｌ",
    )
    for text in odd:  # fmt: skip
        content = sent({**more, field: text})
        answer = await client.request(method, path, content=content, headers=JSON)
        if answer.status_code == 428:  # something is on record by now: whatever that is
            headers = JSON | ANYTHING
            answer = await client.request(method, path, content=content, headers=headers)
        assert answer.status_code in (200, 201, 409, 422), (text, answer.text[:300])
        described.judge(answer)


# --- values and evaluations ----------------------------------------------------------------------


@pytest.mark.usefixtures("_nothing_stored")
@pytest.mark.parametrize("since", [
    "", "x", "today", "2025-08-01", "2025-08-01T00:00:00", "2025-08-01T00:00Z", "1754006400",
    "2025-08-01T25:00:00Z", "2025-08-01T00:00:60Z", "2025-02-30T00:00:00Z", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "2025-08-01T00:00:00+07", "2025-08-01T00:00:00%2B25:00",
    "2025-08-01T00:00:00+07:00", "２０２５-08-01T00:00:00Z", "2025-08-01T00:00:00Z%0A",
    "2025-08-01T00:00:00.Z", "%00", "'%20OR%20'1'='1", "2025-08-01T00:00:00Z" * 500,
])  # fmt: skip
async def test_an_instant_that_is_none_is_refused_with_an_example(
    client: httpx.AsyncClient, described: Described, since: str
) -> None:
    for path in ("/v1/values", "/v1/evaluations"):
        vi, en, status = await _both(client, "GET", f"{path}?updated_since={since}", None)
        if since == "2025-08-01T00:00:00+07:00":
            assert "%2B" in en["detail"]  # a plus that was not escaped
        assert (status, vi["code"]) == (422, "invalid-text" if since == "%00" else "wrong-type")
        assert [one["pointer"] for one in vi["errors"]] == ["/updated_since"]
        assert str(status) in described.operation("GET", path)["responses"]
    for good in ("1900-01-01T00:00:00Z", "2199-12-31T23:59:59.999999999%2B14:00"):
        for path in ("/v1/values", "/v1/evaluations"):
            answer = await client.get(f"{path}?updated_since={good}&limit=1")
            assert answer.status_code == 200, answer.text
            described.judge(answer)


@pytest.mark.usefixtures("_nothing_stored")
async def test_of_a_thousand_values_with_one_fault_none_is_recorded(
    client: httpx.AsyncClient, described: Described
) -> None:
    good = [{**VALUE, "period": str(1900 + number % 200)} for number in range(999)]
    answer = await client.post("/v1/values", json={"values": [*good, {**VALUE, "indicator": "x"}]})
    found = problem(answer)
    assert answer.status_code == 422
    assert "/values/999/indicator" in [one["pointer"] for one in found["errors"]]
    described.judge(answer)
    assert len(answer.content) < 2_000_000


@pytest.mark.usefixtures("_nothing_stored")
async def test_what_is_wrong_with_each_of_many_units_is_said_at_its_place(
    client: httpx.AsyncClient, described: Described
) -> None:
    units = ["07894", "25", "99999", "07894", "commune-00000"]
    body = {"ruleset": "phutho.commune", "units": units, "period": "2024"}
    answer = await client.post("/v1/evaluations", json=body)
    found = problem(answer)
    described.judge(answer)
    assert [one["pointer"] for one in found["errors"]] == [f"/units/{n}" for n in range(1, 5)]
    both = {**body, "unit": "07894"}
    for wrong in (both, {**body, "units": None}, {**both, "units": []}):
        answer = await client.post("/v1/evaluations", json=wrong)
        assert answer.status_code == 422
        described.judge(answer)


# Files that are none, or that say what no row may say.
FILES: tuple[tuple[str, bytes], ...] = (
    ("empty", b""),
    ("white space", b" \n\n"),
    ("NUL", b"\0" * 1_000),
    ("NUL in a row", FILE.replace("true", "tr\0ue").encode()),
    ("half a character", FILE.encode()[:-8] + b"\xe1\xba"),
    ("not UTF-8", b"\xff\xfe" + FILE.encode()),
    ("utf-16", FILE.encode("utf-16")),
    ("JSON", b'{"values": []}'),
    ("a zip", b"PK\x03\x04" + b"\0" * 100),
    ("other columns", b"a,b,c\n1,2,3\n"),
    ("a column twice", FILE.replace("unit,on", "unit,unit").encode()),
    ("an open quote", FILE.replace("Báo", '"Báo').encode()),
    ("a long field", FILE.replace("Báo", "x" * 200_000).encode()),
    ("many columns", b"," * 100_000 + b"\n"),
    ("many quotes", b'"' * 100_000),
    ("many lines", b"\n" * 100_000 + b"x"),
    ("one row of 20,001", FILE.encode() + FILE.partition("\n")[2].encode() * 20_000),
    ("a formula", FILE.replace("true", "=1+1").encode()),
    ("a fullwidth number", FILE.replace("2025,", "２０２５,").encode()),
    ("a surrogate", FILE.encode().replace(b"true", b"\xed\xa0\x80")),
    ("SQL", FILE.replace("digital_healthcare_services", "'; DROP TABLE value; --").encode()),
)


@pytest.mark.usefixtures("_nothing_stored")
@pytest.mark.parametrize(("name", "content"), FILES, ids=[name for name, _ in FILES])
async def test_a_file_that_is_none_is_refused_as_a_whole(
    client: httpx.AsyncClient, described: Described, name: str, content: bytes
) -> None:
    headers = {"content-type": "text/csv"}
    vi, en, status = await _both(client, "POST", "/v1/values/import", content, **headers)
    assert status in (400, 413, 422), name
    assert vi["detail"] != en["detail"]
    answer = await client.post("/v1/values/import?dry_run=true", content=content, headers=headers)
    assert answer.status_code == status
    described.judge(answer)


@pytest.mark.usefixtures("_nothing_stored")
async def test_a_file_is_read_as_csv_only_and_to_a_limit(
    client: httpx.AsyncClient, described: Described
) -> None:
    for headers in (
        {},
        {"content-type": "text/plain"},
        JSON,
        {"content-type": "text/csv; charset=utf-16"},
        {"content-type": "text/csv", "content-encoding": "gzip"},
        {"content-type": "application/vnd.ms-excel"},
    ):
        content = FILE.encode()
        answer = await client.post("/v1/values/import", content=content, headers=headers)
        assert (answer.status_code, problem(answer)["code"]) == (415, "unsupported-media-type")
        assert "text/csv" in problem(answer)["detail"]
        described.judge(answer)
    for large in (b"x" * (LARGE * 2), _chunks(LARGE * 2)):
        headers = {"content-type": "text/csv"}
        answer = await client.post("/v1/values/import", content=large, headers=headers)
        assert (answer.status_code, problem(answer)["code"]) == (413, "payload-too-large")
        described.judge(answer)


# --- the token endpoint --------------------------------------------------------------------------


@pytest.mark.usefixtures("_nothing_stored")
@pytest.mark.parametrize(
    ("content", "headers"), [one[1:] for one in FORMS], ids=[one[0] for one in FORMS]
)
async def test_a_hostile_request_for_a_token_is_refused_in_the_form_of_rfc_6749(
    stranger: httpx.AsyncClient, described: Described, content: bytes, headers: dict[str, str]
) -> None:
    answer = await stranger.post("/v1/oauth/token", content=content, headers=headers)
    assert answer.status_code in (400, 401, 413), answer.text[:300]
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.json()["error"] in {
        "invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope",
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("Basic ")
    described.judge(answer)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "scope",
    ["nope", "READ", "read nope", "read\tvalues:write", "read\0", "ｒead", " ",
     "read  read", " read",
     "read,values:write", "x" * 10_000, "'; --", "*"],
    ids=lambda scope: repr(scope)[:20],
)  # fmt: skip
async def test_a_scope_that_is_none_is_refused_to_a_good_client(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, scope: str
) -> None:
    (token,) = (one for one in OPERATIONS if one.form)
    ready = await token.ready(client)
    answer = await ready._replace(body={**ready.body, "scope": scope}).call(stranger)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
