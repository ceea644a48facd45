"""Hostile requests: never a crash, always a problem that names the place and the remedy."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
import pytest
from conftest import PREVIEW, Described, problem
from hostile import (
    BODIES,
    GETS,
    NASTY,
    NASTY_KEYS,
    VALID,
    Hostile,
    Read,
    places,
    sent,
    spelled,
    with_key,
    with_value,
    without,
)

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
