"""What routes ask for: who is calling and may they, the database, the registry of rulesets."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated

import asyncpg
import msgspec
from fastapi import Depends, Request, Security
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import OAuth2
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.problems import Problem
from app.api.rate_limits import spend
from app.api.tokens import Tokens
from app.api.work import Work
from app.database import Database
from app.domain import recognition
from app.domain.clients import SCOPES
from app.domain.grants import Grants
from app.domain.ruleset_snapshots import Snapshots
from app.domain.territory import Caller, Territories
from app.rules.errors import Text
from app.rules.registry import Registry

Begin = Callable[[], Awaitable[asyncpg.Connection]]

TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - an address
_scheme = OAuth2(
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(
            tokenUrl=TOKEN_PATH, scopes={name: text.en for name, text in SCOPES.items()}
        )
    ),
    scheme_name="client_credentials",
    auto_error=False,
)


async def caller(request: Request, _: Annotated[str | None, Depends(_scheme)]) -> Caller:
    """Return the caller, whom `app.api.strict` has let in before it read anything else."""
    found: Caller = request.state.caller
    return found


async def let_in(request: Request, scopes: Iterable[str]) -> None:
    """Recognise the caller by its token and remember it; raise 401, 403 or 429.

    A token of a client that was revoked a moment ago is no token.
    """
    tokens: Tokens = request.app.state.tokens
    sent = request.headers.getlist("authorization")
    kind, _, token = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
    grant = tokens.verify(token) if kind.lower() == "bearer" else None
    if grant is None:
        raise _nobody(given=bool(sent))
    found = await _recognised(request, grant.client_id, grant.scopes)
    if found is None:
        raise _nobody(given=True)
    request.state.caller = found
    spend(request, found.client_id)
    missing = [scope for scope in scopes if scope not in found.scopes]
    if missing:
        raise _may_not(missing[0])


async def _recognised(request: Request, client_id: str, scopes: Iterable[str]) -> Caller | None:
    """Return the caller as the record knows it at this moment, with what is granted to it."""
    opened: Database = request.app.state.database
    known: Territories = request.app.state.territories
    async with opened.asking() as connection:
        found = await recognition.recognise(connection, known, client_id, scopes)
    if found is None:
        return None
    one, numbers = found
    request_id = getattr(request.state, "request_id", None)
    grants: Grants = request.app.state.grants
    held = await grants.of(opened.acting_for(one.context()), numbers) if numbers else ()
    return msgspec.structs.replace(one, grants=held, request_id=request_id)


async def registry(request: Request) -> Registry:
    """Return the registry built at start."""
    found: Registry = request.app.state.registry
    return found


async def database(request: Request) -> Database:
    """Return the database, as far as the caller may see it."""
    opened: Database = request.app.state.database
    known: Caller | None = getattr(request.state, "caller", None)
    return opened if known is None else opened.acting_for(known.context())


async def snapshots(request: Request) -> Snapshots:
    """Return the rulesets by digest, those of stored verdicts included."""
    found: Snapshots = request.app.state.snapshots
    return found


async def transaction(request: Request) -> AsyncSession:
    """Return the one transaction of a request, committed before the answer is sent."""
    work: Work = request.state.work
    return await work.session()


async def writer(request: Request) -> asyncpg.Connection:
    """Return the one transaction of a request, as a plain connection, for hot writes."""
    work: Work = request.state.work
    return await work.connection()


async def beginning(request: Request) -> Begin:
    """Return what begins the one transaction of a request, where there is work to do before."""
    work: Work = request.state.work
    return work.connection


async def today(request: Request) -> datetime.date:
    """Return the day it is for the chain of approval: the clock is the application's."""
    clock: Callable[[], datetime.date] = request.app.state.clock
    return clock()


Reader = Annotated[Caller, Security(caller, scopes=["read"])]
Recorder = Annotated[Caller, Security(caller, scopes=["values:write"])]
Submitter = Annotated[Caller, Security(caller, scopes=["evidence:submit"])]
NameReader = Annotated[Caller, Security(caller, scopes=["evidence:names"])]
Administrator = Annotated[Caller, Security(caller, scopes=["clients:admin"])]
Rules = Annotated[Registry, Depends(registry)]
Kept = Annotated[Snapshots, Depends(snapshots)]
Data = Annotated[Database, Depends(database)]
Transaction = Annotated[AsyncSession, Depends(transaction)]
Writer = Annotated[asyncpg.Connection, Depends(writer)]
LateWriter = Annotated[Begin, Depends(beginning)]
Today = Annotated[datetime.date, Depends(today)]


def _nobody(*, given: bool) -> Problem:
    """Return the one answer to every token that is none; it does not say what was wrong."""
    error = ', error="invalid_token"' if given else ""
    return Problem(
        "invalid-token",
        Text(
            f"thiếu hoặc sai mã truy cập; hãy lấy mã mới tại POST {TOKEN_PATH} và gửi trong tiêu "
            "đề Authorization: Bearer",
            f"the access token is missing or not valid; get a new one from POST {TOKEN_PATH} and "
            "send it in the header Authorization: Bearer",
        ),
        headers={"www-authenticate": f'Bearer realm="ntm"{error}'},
    )


def _may_not(scope: str) -> Problem:
    return Problem(
        "insufficient-scope",
        Text(
            f"việc này cần quyền “{scope}”; hãy xin mã có quyền đó, hoặc hỏi người quản trị",
            f"this needs the scope “{scope}”; ask for a token with it, or whoever administers "
            "your client",
        ),
        headers={
            "www-authenticate": f'Bearer realm="ntm", error="insufficient_scope", scope="{scope}"'
        },
    )
