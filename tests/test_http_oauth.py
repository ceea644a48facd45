"""The token endpoint: who gets a token, in which form, and what an error gives away."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import httpx
import jwt
import pytest
from conftest import HERE, LEAK, Described, Join, Member, calling, lasting, problem
from fastapi import FastAPI
from pydantic import SecretStr

from app.database import Database
from app.domain.clients import SCOPES
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

PATH: Final = "/v1/oauth/token"
METADATA: Final = "/.well-known/oauth-authorization-server"
KEYS: Final = "/.well-known/jwks.json"
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
GRANT: Final = {"grant_type": "client_credentials"}
NOBODY: Final = "ntm-0000000000000000"
VIETNAMESE: Final = re.compile(
    r"[ăâđêôơưáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ]", re.I
)


def credentials(member: Member, **more: str) -> dict[str, str]:
    """Return the form of a good request."""
    return GRANT | {"client_id": member.client_id, "client_secret": member.secret} | more


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the header of HTTP Basic."""
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


def refusal(
    answer: httpx.Response, status: int, error: str, language: str = "vi"
) -> dict[str, Any]:
    """Return an error answer after checking that it has the form of RFC 6749, 5.2."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["content-language"] == language
    found: dict[str, Any] = answer.json()
    assert set(found) == {"error", "error_description"}
    assert found["error"] == error
    assert bool(VIETNAMESE.search(found["error_description"])) == (language == "vi")
    assert LEAK.search(answer.text) is None
    assert ("www-authenticate" in answer.headers) == (status == 401)
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic ")
    return found


async def post(caller: httpx.AsyncClient, content: bytes | str, **headers: str) -> httpx.Response:
    """Send a form as these very bytes."""
    return await caller.post(PATH, content=content, headers=FORM | headers)


@pytest.fixture
async def member(join: Join) -> Member:
    """A client with two of the scopes."""
    return await join("VN", "read", "values:write")


# --- a token is given --------------------------------------------------------------------------


async def test_client_id_and_secret_in_the_form_give_a_token(
    stranger: httpx.AsyncClient, service: FastAPI, member: Member, described: Described
) -> None:
    answer = await stranger.post(PATH, data=credentials(member))
    assert answer.status_code == 200
    described.judge(answer)
    given = answer.json()
    assert {name: given[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 900,
        "scope": "read values:write",
    }
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert "etag" not in answer.headers
    async with calling(service, token=given["access_token"]) as caller:
        assert (await caller.get("/v1/indicators")).status_code == 200


async def test_client_id_and_secret_by_http_basic_give_a_token(
    stranger: httpx.AsyncClient, member: Member
) -> None:
    headers = basic(member.client_id, member.secret)
    answer = await stranger.post(PATH, data=GRANT, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["scope"] == "read values:write"


async def test_http_basic_may_be_percent_encoded_and_its_name_in_any_case(
    stranger: httpx.AsyncClient, member: Member
) -> None:
    encoded = "".join(f"%{ord(char):02X}" for char in member.secret)
    sent = basic(quote_plus(member.client_id), encoded)["authorization"].replace("Basic", "bAsIc")
    answer = await stranger.post(PATH, data=GRANT, headers={"authorization": sent})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "APPLICATION/X-WWW-FORM-URLENCODED",
        "application/x-www-form-urlencoded;charset=utf-8",
    ],
)
async def test_the_media_type_may_name_its_charset(
    stranger: httpx.AsyncClient, member: Member, content_type: str
) -> None:
    content = urlencode(credentials(member))
    answer = await stranger.post(PATH, content=content, headers={"content-type": content_type})
    assert answer.status_code == 200


async def test_two_tokens_of_one_client_live_side_by_side(
    stranger: httpx.AsyncClient, service: FastAPI, member: Member
) -> None:
    made = [
        (await stranger.post(PATH, data=credentials(member))).json()["access_token"]
        for _ in range(2)
    ]
    assert made[0] != made[1]
    for token in made:
        async with calling(service, token=token) as caller:
            assert (await caller.get("/v1/indicators")).status_code == 200


# --- scopes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("read", "read"),
        ("values:write", "values:write"),
        ("read values:write", "read values:write"),
        ("values:write read", "read values:write"),
        ("read read", "read"),
        ("", "read values:write"),
    ],
)
async def test_a_token_has_the_scopes_asked_for_and_all_when_none_is_named(
    stranger: httpx.AsyncClient, member: Member, asked: str, given: str
) -> None:
    answer = await stranger.post(PATH, data=credentials(member, scope=asked))
    assert answer.status_code == 200
    assert answer.json()["scope"] == given
    token = answer.json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["scope"] == given


async def test_a_token_of_fewer_scopes_may_do_less(
    stranger: httpx.AsyncClient, service: FastAPI, member: Member
) -> None:
    answer = await stranger.post(PATH, data=credentials(member, scope="values:write"))
    async with calling(service, token=answer.json()["access_token"]) as caller:
        denied = await caller.get("/v1/indicators")
    assert denied.status_code == 403
    assert problem(denied)["code"] == "insufficient-scope"


@pytest.mark.parametrize(
    "asked",
    [
        "clients:admin",
        "read clients:admin",
        "everything",
        "READ",
        "read,values:write",
        "read  values:write",
        " read",
        "read ",
        " ",
        "read\tvalues:write",
        "read\0",
        "*",
        "quyền đọc",
        "read" * 500,
    ],
)
async def test_a_scope_that_the_client_lacks_is_refused(
    stranger: httpx.AsyncClient, member: Member, asked: str
) -> None:
    answer = await stranger.post(PATH, data=credentials(member, scope=asked))
    found = refusal(answer, 400, "invalid_scope")
    assert "read values:write" in found["error_description"]


async def test_which_scopes_a_client_has_is_told_to_nobody_else(
    stranger: httpx.AsyncClient, member: Member
) -> None:
    form = credentials(member, scope="clients:admin") | {"client_secret": "wrong"}
    found = refusal(await stranger.post(PATH, data=form), 401, "invalid_client")
    assert "values:write" not in found["error_description"]


# --- who is not known --------------------------------------------------------------------------


async def test_every_client_that_is_none_is_answered_alike(
    stranger: httpx.AsyncClient, member: Member, join: Join, client: httpx.AsyncClient
) -> None:
    other, revoked = await join("25", "read"), await join("VN", "read")
    assert (await client.post(f"/v1/clients/{revoked.client_id}/revoke")).status_code == 200
    pairs = [
        (member.client_id, "wrong"),
        (member.client_id, ""),
        (member.client_id, other.secret),
        (member.client_id, member.secret[:-1]),
        (member.client_id, member.secret + "x"),
        (member.client_id, member.secret.upper()),
        (member.client_id, " " + member.secret),
        (member.client_id, member.secret + "\0"),
        (member.client_id, member.secret + "\n"),
        (member.client_id, "é" * 40),
        (member.client_id, "x" * 100_000),
        (member.client_id.upper(), member.secret),
        (member.client_id + "\0", member.secret),
        (member.client_id + " ", member.secret),
        ("", member.secret),
        ("", ""),
        (NOBODY, member.secret),
        (NOBODY, "wrong"),
        ("' OR 1=1 --", "' OR 1=1 --"),
        ("khách", "khoá"),
        (revoked.client_id, revoked.secret),
        (revoked.client_id, "wrong"),
    ]
    answers = set()
    for client_id, secret in pairs:
        form = GRANT | {"client_id": client_id, "client_secret": secret}
        in_form = await stranger.post(PATH, data=form)
        by_basic = await stranger.post(
            PATH, data=GRANT, headers=basic(quote_plus(client_id), quote_plus(secret))
        )
        for answer in (in_form, by_basic):
            refusal(answer, 401, "invalid_client")
            answers.add((answer.content, str(sorted(lasting(answer).items()))))
    assert len(answers) == 1


async def test_missing_credentials_are_answered_like_wrong_ones(
    stranger: httpx.AsyncClient, member: Member
) -> None:
    wrong = await stranger.post(PATH, data=GRANT | {"client_id": "x", "client_secret": "y"})
    for form in (
        GRANT,
        GRANT | {"client_id": member.client_id},
        GRANT | {"client_secret": member.secret},
    ):
        answer = await stranger.post(PATH, data=form)
        refusal(answer, 401, "invalid_client")
        assert answer.content == wrong.content


@pytest.mark.parametrize(
    "sent",
    [
        b"Basic",
        b"Basic ",
        b"Basic !!!",
        b"Basic bm9jb2xvbg==",
        b"Basic bm9jb2xvbg",
        b"Basic Og==",
        b"Basic /////w==",
        b"Basic AAAA",
        b"Basic \xc3\xa9",
        b"Bearer abc.def.ghi",
        b"Digest username=x",
        b"x",
        b"",
    ],
)
async def test_an_unreadable_authorization_is_answered_like_a_wrong_secret(
    stranger: httpx.AsyncClient, sent: bytes
) -> None:
    wrong = await stranger.post(PATH, data=GRANT | {"client_id": "x", "client_secret": "y"})
    headers = [(b"authorization", sent), (b"content-type", FORM["content-type"].encode())]
    answer = await stranger.post(PATH, content=urlencode(GRANT), headers=headers)
    refusal(answer, 401, "invalid_client")
    assert answer.content == wrong.content


async def test_a_token_gets_no_token(
    stranger: httpx.AsyncClient, service: FastAPI, member: Member
) -> None:
    token = service.state.tokens.issue(member.client_id, ["read"])
    answer = await stranger.post(PATH, data=GRANT, headers={"authorization": f"Bearer {token}"})
    refusal(answer, 401, "invalid_client")


@pytest.mark.parametrize("beside", [{"client_id": "x"}, {"client_secret": "y"}, {"client_id": ""}])
async def test_two_ways_of_authentication_at_once_are_refused(
    stranger: httpx.AsyncClient, member: Member, beside: dict[str, str]
) -> None:
    headers = basic(member.client_id, member.secret)
    refusal(await stranger.post(PATH, data=GRANT | beside, headers=headers), 400, "invalid_request")
    both = await stranger.post(PATH, data=credentials(member), headers=headers)
    refusal(both, 400, "invalid_request")


async def test_two_authorization_headers_are_refused(
    stranger: httpx.AsyncClient, member: Member
) -> None:
    one = basic(member.client_id, member.secret)["authorization"]
    headers = [("authorization", one), ("authorization", one), *FORM.items()]
    answer = await stranger.post(PATH, content=urlencode(GRANT), headers=headers)
    refusal(answer, 400, "invalid_request")


# --- what is asked for -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "password",
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "CLIENT_CREDENTIALS",
        "client_credentials ",
        "client_credentials\0",
        "",
        "loại",
    ],
)
async def test_a_grant_of_another_type_is_refused(
    stranger: httpx.AsyncClient, member: Member, kind: str
) -> None:
    answer = await stranger.post(PATH, data=credentials(member, grant_type=kind))
    refusal(answer, 400, "unsupported_grant_type")


async def test_a_request_without_a_grant_type_is_refused(
    stranger: httpx.AsyncClient, member: Member
) -> None:
    form = {"client_id": member.client_id, "client_secret": member.secret}
    refusal(await stranger.post(PATH, data=form), 400, "invalid_request")


@pytest.mark.parametrize("name", ["grant_type", "client_id", "client_secret", "scope"])
async def test_a_field_given_twice_is_refused_even_with_the_same_value(
    stranger: httpx.AsyncClient, member: Member, name: str
) -> None:
    form = credentials(member, scope="read")
    for second in (form[name], "x", ""):
        content = urlencode([*form.items(), (name, second)])
        refusal(await post(stranger, content), 400, "invalid_request")


@pytest.mark.parametrize(
    "name",
    ["resource", "audience", "client_assertion", "code", "username", "Scope", "scope ", "", "é"],
)
async def test_an_unknown_field_is_refused(
    stranger: httpx.AsyncClient, member: Member, name: str
) -> None:
    content = urlencode([*credentials(member).items(), (name, "x")])
    found = refusal(await post(stranger, content), 400, "invalid_request")
    assert "grant_type, client_id, client_secret, scope" in found["error_description"]


async def test_more_fields_than_anybody_needs_are_refused(stranger: httpx.AsyncClient) -> None:
    content = "&".join(f"f{n}=1" for n in range(10_000))
    refusal(await post(stranger, content), 400, "invalid_request")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "multipart/form-data; boundary=x", "text/plain", "", "form", ";"],
)
async def test_a_body_of_another_type_is_refused(
    stranger: httpx.AsyncClient, member: Member, content_type: str
) -> None:
    content = urlencode(credentials(member))
    answer = await stranger.post(PATH, content=content, headers={"content-type": content_type})
    found = refusal(answer, 400, "invalid_request")
    assert "application/x-www-form-urlencoded" in found["error_description"]


async def test_json_and_multipart_give_no_token(
    stranger: httpx.AsyncClient, member: Member
) -> None:
    refusal(await stranger.post(PATH, json=credentials(member)), 400, "invalid_request")
    files = {name: (None, value) for name, value in credentials(member).items()}
    refusal(await stranger.post(PATH, files=files), 400, "invalid_request")


@pytest.mark.parametrize(
    "content",
    [
        "grant_type=client_credentials&client_id=khách".encode(),
        b"grant_type=client_credentials&client_id=\xff\xfe",
        b"grant_type=client_credentials&client_id=%ff%fe",
        b"grant_type=client_credentials&scope=%ed%a0%80",
        "grant_type=client_credentials".encode("utf-16"),
    ],
)
async def test_a_form_that_is_not_ascii_or_not_utf_8_is_refused(
    stranger: httpx.AsyncClient, content: bytes
) -> None:
    refusal(await post(stranger, content), 400, "invalid_request")


@pytest.mark.parametrize(
    "content", [b"", b"&", b"&&&&", b"=", b"\0", b"x", b"a=b;c=d", b"%", b"{}"]
)
async def test_a_form_that_is_none_is_refused(stranger: httpx.AsyncClient, content: bytes) -> None:
    answer = await post(stranger, content)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] in ("invalid_request", "invalid_client")
    refusal(answer, answer.status_code, answer.json()["error"])


async def test_a_body_that_is_too_large_is_refused_however_it_is_sent(
    stranger: httpx.AsyncClient, settings: Settings, described: Described
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(settings.max_body_bytes // 65_536 + 2):
            yield b"x" * 65_536

    whole = await post(stranger, b"x" * (settings.max_body_bytes + 1))
    lying = await post(stranger, b"x=1", **{"content-length": str(settings.max_body_bytes + 1)})
    chunked = await stranger.post(PATH, content=pieces(), headers=FORM)
    for answer in (whole, lying, chunked):
        refusal(answer, 413, "invalid_request")
        described.judge(answer)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_token_is_given_by_post_alone(
    stranger: httpx.AsyncClient, member: Member, method: str
) -> None:
    answer = await stranger.request(method, PATH, headers=basic(member.client_id, member.secret))
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert "access_token" not in answer.text


async def test_credentials_in_the_address_are_refused_and_not_repeated(
    stranger: httpx.AsyncClient, member: Member, described: Described
) -> None:
    address = f"{PATH}?{urlencode(credentials(member))}"
    for form in (GRANT, credentials(member)):
        answer = await stranger.post(address, data=form)
        refusal(answer, 400, "invalid_request")
        assert member.secret not in answer.text
        described.judge(answer)


# --- how errors read ---------------------------------------------------------------------------


async def test_errors_are_described_and_in_english_when_asked(
    stranger: httpx.AsyncClient, member: Member, described: Described
) -> None:
    english = {"accept-language": "en"}
    for form, status, error in (
        (credentials(member, client_secret="wrong"), 401, "invalid_client"),
        (credentials(member, grant_type="password"), 400, "unsupported_grant_type"),
        (credentials(member, scope="x"), 400, "invalid_scope"),
        (credentials(member, other="x"), 400, "invalid_request"),
    ):
        vi = await stranger.post(PATH, data=form)
        en = await stranger.post(PATH, data=form, headers=english)
        said = {
            refusal(vi, status, error)["error_description"],
            refusal(en, status, error, "en")["error_description"],
        }
        assert len(said) == 2
        described.judge(vi)
        described.judge(en)


async def test_without_a_database_there_is_no_token_but_the_advice_to_try_again(
    settings: Settings, registry: Registry, member: Member, described: Described
) -> None:
    away = SecretStr("postgresql://ntm_service@/ntm?host=/nowhere")
    lost = settings.model_copy(update={"database_url": away, "database_owner_url": away})
    async with Database(lost) as database, calling(create_app(lost, registry, database)) as caller:
        answer = await caller.post(PATH, data=credentials(member))
    refusal(answer, 503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "2"
    described.judge(answer)


async def test_no_secret_and_no_token_stands_in_any_log_or_answer(
    stranger: httpx.AsyncClient,
    client: httpx.AsyncClient,
    member: Member,
    service: FastAPI,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("ntm", "sqlalchemy", "sqlalchemy.engine", "asyncpg", "asyncio", "uvicorn"):
        caplog.set_level(logging.DEBUG, logger=name)
    basics = basic(member.client_id, member.secret)
    answers = [
        await stranger.post(PATH, data=credentials(member)),
        await stranger.post(PATH, data=GRANT, headers=basics),
        await stranger.post(PATH, data=credentials(member), headers=basics),
        await stranger.post(PATH, data=credentials(member, grant_type=member.secret)),
        await stranger.post(PATH, data=credentials(member, scope=member.secret)),
        await stranger.post(PATH, data=credentials(member) | {member.secret: "x"}),
        await stranger.post(PATH, data=credentials(member, client_id=member.secret)),
        await stranger.post(PATH, json=credentials(member)),
        await stranger.post(PATH, params={"client_secret": member.secret}),
        await stranger.post(PATH, params={member.secret[:200]: "x"}),
        await stranger.get("/v1/clients", headers={"authorization": f"Bearer {member.secret}"}),
    ]
    added = await client.post(f"/v1/clients/{member.client_id}/secrets")
    second = added.json()["client_secret"]
    answers.append(await stranger.post(PATH, data=credentials(member, client_secret=second)))
    token = answers[0].json()["access_token"]
    async with calling(service, token=token) as caller:
        answers.append(await caller.get("/v1/clients"))
    assert [one.status_code for one in answers[:2]] == [200, 200]
    # The caller's own library is no part of the service.
    records = [one for one in caplog.records if not one.name.startswith(("httpx", "httpcore"))]
    assert records
    logged = "".join(record.getMessage() + str(record.__dict__) for record in records)
    for hidden in (member.secret, member.secret[12:], second, second[12:], token):
        assert hidden not in logged
    for one in answers:
        assert member.secret not in one.text
        assert member.secret not in str(one.headers)


# --- what others learn of the service ----------------------------------------------------------


async def test_the_metadata_say_what_is_so(
    stranger: httpx.AsyncClient, member: Member, settings: Settings, described: Described
) -> None:
    answer = await stranger.get(METADATA)
    described.judge(answer)
    told = answer.json()
    assert told["issuer"] == settings.issuer == HERE
    assert told["token_endpoint"] == HERE + PATH
    assert told["jwks_uri"] == HERE + KEYS
    assert told["scopes_supported"] == list(SCOPES)
    assert told["grant_types_supported"] == ["client_credentials"]
    assert told["response_types_supported"] == []
    assert (await stranger.get(told["service_documentation"])).status_code == 200
    assert (await stranger.get(told["jwks_uri"])).status_code == 200
    tries = {
        "client_secret_post": ({}, credentials(member)),
        "client_secret_basic": (basic(member.client_id, member.secret), GRANT),
    }
    assert set(told["token_endpoint_auth_methods_supported"]) == set(tries)
    for headers, form in tries.values():
        given = await stranger.post(told["token_endpoint"], data=form, headers=headers)
        assert given.status_code == 200
        claims = jwt.decode(given.json()["access_token"], options={"verify_signature": False})
        assert claims["iss"] == told["issuer"]


async def test_a_service_behind_another_address_names_that_address(
    settings: Settings, registry: Registry, database: Database, member: Member
) -> None:
    there = "https://ntm.example.gov.vn/api"
    app = create_app(settings.model_copy(update={"issuer": there}), registry, database)
    async with calling(app) as caller:
        told = (await caller.get(METADATA)).json()
        assert told["issuer"] == there
        assert told["token_endpoint"] == there + PATH
        assert told["jwks_uri"] == there + KEYS
        token = (await caller.post(PATH, data=credentials(member))).json()["access_token"]
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["iss"] == claims["aud"] == there
        answer = await member.http.get(
            "/v1/indicators", headers={"authorization": f"Bearer {token}"}
        )
    assert problem(answer)["code"] == "invalid-token"


async def test_published_keys_have_no_private_half(
    stranger: httpx.AsyncClient, service: FastAPI, described: Described
) -> None:
    answer = await stranger.get(KEYS)
    described.judge(answer)
    keys = answer.json()["keys"]
    assert keys
    for key in keys:
        assert set(key) == {"kty", "crv", "kid", "x", "y", "use", "alg"}
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")
    current = service.state.tokens.keys.current()
    assert current.kid in {key["kid"] for key in keys}
    assert str(current.d) not in answer.text


async def test_what_is_published_needs_no_token_and_takes_no_parameter(
    stranger: httpx.AsyncClient,
) -> None:
    for path in (METADATA, KEYS):
        assert (await stranger.get(path)).status_code == 200
        assert (await stranger.get(path, headers={"authorization": "Bearer x"})).status_code == 200
        assert problem(await stranger.get(f"{path}?x=1"))["code"] == "unknown-field"
        first = await stranger.get(path)
        again = await stranger.get(path, headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304
