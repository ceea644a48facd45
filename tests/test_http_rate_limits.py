"""Rate limits: how much a client may send, how it is told, and that nobody is locked out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
from conftest import Described, Join, Member, calling, problem
from fastapi import FastAPI

from app.api.rate_limits import FAILURES, Buckets, RateLimits
from app.database import Database
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

TOKEN: Final = "/v1/oauth/token"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


# --- buckets -------------------------------------------------------------------------------------


def test_a_bucket_holds_a_minutes_limit_and_refills_evenly() -> None:
    """Of a limit of 6 a minute, 6 may come at once and one more every 10 seconds."""
    clock = Clock()
    buckets = Buckets(6, clock)
    assert [buckets.take("a").remaining for _ in range(6)] == [5, 4, 3, 2, 1, 0]
    refused = buckets.take("a")
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert (refused.next_in, refused.full_in) == (10, 60)
    clock.now += 9.9
    assert not buckets.take("a").allowed
    clock.now += 0.2
    assert buckets.take("a").allowed
    assert not buckets.take("a").allowed
    clock.now += 1_000
    assert [buckets.take("a").allowed for _ in range(7)] == [True] * 6 + [False]


def test_a_refused_request_costs_nothing() -> None:
    """Who keeps asking while the bucket is empty is let in no later for it."""
    clock = Clock()
    buckets = Buckets(60, clock)
    for _ in range(200):
        buckets.take("a")
    clock.now += 1.01
    assert buckets.take("a").allowed


def test_clients_have_buckets_of_their_own() -> None:
    """One client that sends too much takes nothing from another."""
    buckets = Buckets(1, Clock())
    assert buckets.take("a").allowed
    assert not buckets.take("a").allowed
    assert buckets.take("b").allowed


def test_buckets_are_bounded_and_full_ones_are_forgotten() -> None:
    """However many names there are, 10,000 buckets are kept; unused ones go after a minute."""
    clock = Clock()
    buckets = Buckets(1, clock)
    for number in range(10_050):
        buckets.take(str(number))
    assert len(buckets) == 10_000
    assert not buckets.take("10049").allowed, "the youngest are kept"
    clock.now += 61
    for number in range(5_100):
        buckets.take(f"new {number}")
    assert len(buckets) == 5_100


def test_headers_say_what_is_left_and_for_how_long() -> None:
    """The usual three fields and the two of the draft tell the same numbers."""
    buckets = Buckets(60, Clock())
    buckets.take("a")
    assert dict(buckets.take("a").headers()) == {
        b"ratelimit-limit": b"60",
        b"ratelimit-remaining": b"58",
        b"ratelimit-reset": b"2",
        b"ratelimit-policy": b'"client";q=60;w=60',
        b"ratelimit": b'"client";r=58;t=2',
    }


# --- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    """The clock of the limits."""
    return Clock()


@pytest.fixture
def limited(settings: Settings, registry: Registry, database: Database, clock: Clock) -> FastAPI:
    """A service that allows three requests a minute."""
    app = create_app(settings.model_copy(update={"rate_limit": 3}), registry, database)
    app.state.rate_limits = RateLimits(3, clock)
    return app


@pytest.fixture
async def member(join: Join) -> Member:
    """A client of a province that may read."""
    return await join("25", "read")


@pytest.fixture
async def caller(limited: FastAPI, member: Member) -> AsyncIterator[httpx.AsyncClient]:
    """It, as a caller of that service."""
    token = limited.state.tokens.issue(member.client_id, ["read"])
    async with calling(limited, token=token) as http:
        yield http


async def test_beyond_the_limit_the_answer_is_429_and_when_to_try_again(
    caller: httpx.AsyncClient, described: Described, clock: Clock, limited: FastAPI
) -> None:
    """The request beyond the limit gets `rate-limited`; after Retry-After seconds there is room."""
    for left in (2, 1, 0):
        answer = await caller.get("/v1/vocabulary")
        assert answer.status_code == 200
        assert answer.headers["ratelimit-remaining"] == str(left)
        assert answer.headers["ratelimit-limit"] == "3"
        assert answer.headers["ratelimit-policy"] == '"client";q=3;w=60'
    refused = await caller.get("/v1/vocabulary")
    assert (refused.status_code, problem(refused)["code"]) == (429, "rate-limited")
    assert refused.headers["retry-after"] == "20"
    assert refused.headers["ratelimit"] == '"client";r=0;t=20'
    described.judge(refused)
    english = await caller.get("/v1/vocabulary", headers={"accept-language": "en"})
    assert "3 requests a minute" in problem(english, "en")["detail"]
    value = limited.state.metrics.registry.get_sample_value
    assert value("ntm_refused_total", {"reason": "rate-limited"}) == 2
    clock.now += 20.1
    assert (await caller.get("/v1/vocabulary")).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/clients", 403), ("/v1/units?x=1", 422), ("/v1/units/99999", 404)]
)
async def test_refused_requests_count_too(
    caller: httpx.AsyncClient, path: str, status: int
) -> None:
    """Whatever a recognised client sends counts, and says what is left."""
    found = [await caller.get(path) for _ in range(4)]
    assert [one.status_code for one in found] == [status] * 3 + [429]
    assert [one.headers["ratelimit-remaining"] for one in found] == ["2", "1", "0", "0"]


async def test_one_client_takes_nothing_from_another(
    caller: httpx.AsyncClient, limited: FastAPI, join: Join
) -> None:
    """A client that sent too much leaves the others alone."""
    for _ in range(5):
        await caller.get("/v1/vocabulary")
    other = await join("VN", "read")
    token = limited.state.tokens.issue(other.client_id, ["read"])
    async with calling(limited, token=token) as http:
        assert (await http.get("/v1/vocabulary")).status_code == 200


async def test_strangers_and_health_have_no_limit_of_a_client(limited: FastAPI) -> None:
    """Who is not recognised is told nothing of limits; health is always answered."""
    async with calling(limited) as http:
        for path, status in (("/livez", 200), ("/v1/units", 401)):
            found = [await http.get(path) for _ in range(5)]
            assert [one.status_code for one in found] == [status] * 5
            assert not [one for one in found if "ratelimit-limit" in one.headers]


async def test_0_is_no_limit(
    settings: Settings, registry: Registry, database: Database, member: Member
) -> None:
    """NTM_RATE_LIMIT=0 turns limits and their headers off; without it there are 60,000 a minute."""
    app = create_app(settings.model_copy(update={"rate_limit": 0}), registry, database)
    token = app.state.tokens.issue(member.client_id, ["read"])
    async with calling(app, token=token) as http:
        answer = await http.get("/v1/vocabulary")
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("ratelimit")]
    assert (await member.http.get("/v1/vocabulary")).headers["ratelimit-limit"] == "60000"


# --- failed logins -------------------------------------------------------------------------------


def _form(client_id: str, secret: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials", "client_id": client_id, "client_secret": secret
    }  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
async def test_who_keeps_guessing_is_told_429_whether_or_not_the_client_exists(
    limited: FastAPI, described: Described, member: Member, clock: Clock, known: bool
) -> None:
    """After 20 wrong secrets a minute the answer to the next is 429, in the form of RFC 6749."""
    form = _form(member.client_id if known else "ntm-ffffffffffffffff", "wrong")
    async with calling(limited) as http:
        found = [await http.post(TOKEN, data=form) for _ in range(FAILURES + 1)]
        assert [one.status_code for one in found] == [401] * FAILURES + [429]
        refused = found[-1]
        assert refused.json()["error"] == "temporarily_unavailable"
        assert refused.headers["retry-after"] == "3"
        assert "www-authenticate" not in refused.headers
        described.judge(refused)
        clock.now += 3.1
        assert (await http.post(TOKEN, data=form)).status_code == 401


async def test_the_right_secret_is_never_locked_out(limited: FastAPI, member: Member) -> None:
    """However often others fail under a client id, its owner gets a token."""
    async with calling(limited) as http:
        for _ in range(FAILURES + 5):
            await http.post(TOKEN, data=_form(member.client_id, "wrong"))
        answer = await http.post(TOKEN, data=_form(member.client_id, member.secret))
        assert answer.status_code == 200
        other = await http.post(TOKEN, data=_form("ntm-eeeeeeeeeeeeeeee", "wrong"))
        assert other.status_code == 401, "failures of one client id are no other's"
