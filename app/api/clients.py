"""Machine clients of one's territory: who may call, with which scopes; secrets and revocation."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.answers import answer, created
from app.api.deps import Administrator, Today, Transaction
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.officials import Change, EndingIn
from app.api.paging import Cursor, Limit, cut, links, read_number
from app.api.preconditions import Meant, version_of
from app.api.shapes import Line
from app.api.strict import StrictRoute
from app.api.unit_shapes import Ancestor, NumberInPath, Place
from app.database import driver_in
from app.domain import clients, unit_lookup
from app.domain.clients import Client
from app.domain.clock import today

router = APIRouter(prefix="/v1/clients", tags=["clients"], route_class=StrictRoute)
ClientInPath = Annotated[
    str, Path(pattern=r"^ntm-[0-9a-f]{16}$", description="`client_id` of a client.")
]


class SecretShape(BaseModel):
    """A valid secret, known by its first characters only."""

    id: int
    prefix: str
    created_at: datetime.datetime


class ClientShape(BaseModel):
    """A client; `territory` is the unit it was given, as it is called today; null: it ended."""

    client_id: str
    name: str
    territory: str | None
    territory_unit: Ancestor | None
    scopes: list[str]
    created_at: datetime.datetime
    revoked_at: datetime.datetime | None


class ClientDetail(ClientShape):
    """A client with its valid secrets."""

    secrets: list[SecretShape]
    version: str


class ClientPage(BaseModel):
    """One page of clients."""

    items: list[ClientShape]
    next: str | None


class NewClient(ClientShape):
    """A client just made; the secret is shown this once."""

    client_secret: str


class NewSecret(BaseModel):
    """A secret just made; it is shown this once."""

    client_id: str
    client_secret: str


class ClientIn(Change):
    """A client to make: at most what the caller may itself, within the caller's territory."""

    name: Line
    territory: Place = Field(description="Code of a unit of today, unit key, or VN.")
    scopes: list[str] = Field(min_length=1, max_length=20)


@router.get("", summary="List clients", response_model=ClientPage, responses=problem_responses(422))
async def list_clients(
    request: Request,
    caller: Administrator,
    session: Transaction,
    language: InLanguage,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the clients of one's territory, oldest first, revoked ones included."""
    filters: dict[str, str | None] = {"list": "clients"}
    after = read_number(cursor, filters)
    found = await clients.listed(session, caller, limit + 1, after)
    some, following = cut(found, lambda one: [str(one.id)], limit, filters)
    items = await _shown(session, some)
    return answer(request, {"items": items, "next": following}, language, links(request, following))


@router.post(
    "",
    summary="Make a client",
    status_code=201,
    response_model=NewClient,
    responses=problem_responses(400, 404, 413, 415, 422),
)
async def add_client(
    caller: Administrator,
    session: Transaction,
    language: InLanguage,
    day: Today,
    body: ClientIn,
) -> Response:
    """Make a client within one's territory; nobody grants a scope that he lacks."""
    clients.check_grantable(caller, body.scopes)
    connection = await driver_in(session)
    unit = await unit_lookup.get(connection, body.territory, day, "/territory")
    caller.territory.require(unit, "/territory")
    client, secret = await clients.add(session, body.name, unit, body.scopes, body.by(caller))
    await session.refresh(client)
    shown = (await _shown(session, [client]))[0] | {"client_secret": secret}
    return _private(shown, language, 201, f"/v1/clients/{client.client_id}")


@router.get(
    "/{client_id}",
    summary="Read a client",
    response_model=ClientDetail,
    responses=problem_responses(404, 422),
)
async def read_client(
    request: Request,
    caller: Administrator,
    session: Transaction,
    language: InLanguage,
    client_id: ClientInPath,
) -> Response:
    """Read a client of one's territory and the first characters of its valid secrets."""
    client = await clients.get(session, caller, client_id)
    secrets = [
        {"id": one.id, "prefix": one.prefix, "created_at": one.created_at}
        for one in await clients.valid_secrets(session, client)
    ]
    shown = (await _shown(session, [client]))[0]
    version = await _version(session, client)
    return answer(request, shown | {"secrets": secrets, "version": version}, language)


@router.post(
    "/{client_id}/revoke",
    summary="Revoke a client",
    response_model=ClientShape,
    responses=problem_responses(400, 404, 412, 413, 415, 422),
)
async def revoke_client(
    caller: Administrator,
    session: Transaction,
    language: InLanguage,
    client_id: ClientInPath,
    meant: Meant,
    body: EndingIn | None = None,
) -> Response:
    """Revoke a client of one's territory; its tokens end with this answer.

    Nobody has to say which state he means: an end cannot overwrite anything.
    """
    ending = body or EndingIn()
    client = await clients.get(session, caller, client_id)
    meant.check(await _version(session, client), ending.version)
    await clients.revoke(session, client, ending.by(caller), ending.reason)
    await session.flush()
    return created((await _shown(session, [client]))[0], language, status=200)


@router.post(
    "/{client_id}/secrets",
    summary="Add a second secret",
    status_code=201,
    response_model=NewSecret,
    responses=problem_responses(404, 409, 422),
)
async def add_secret(
    caller: Administrator, session: Transaction, language: InLanguage, client_id: ClientInPath
) -> Response:
    """Add a secret, so that the client can change over before the old one is retired.

    Who gets a secret could use all the client's scopes: the caller must hold them itself.
    """
    client = await clients.get(session, caller, client_id)
    clients.check_grantable(caller, client.scopes)  # who holds a secret holds its scopes
    secret = await clients.add_secret(session, client, caller)
    return _private({"client_id": client_id, "client_secret": secret}, language, 201)


@router.delete(
    "/{client_id}/secrets/{id}",
    summary="Retire a secret",
    status_code=204,
    responses=problem_responses(404, 409, 412, 422),
)
async def retire_secret(
    caller: Administrator,
    session: Transaction,
    client_id: ClientInPath,
    id: NumberInPath,
    meant: Meant,
) -> None:
    """Retire one of two secrets; tokens already issued live out their minutes."""
    client = await clients.get(session, caller, client_id)
    meant.check(await _version(session, client), None)
    await clients.retire_secret(session, client, id, caller)


async def _version(session: AsyncSession, client: Client) -> str:
    """Return the version of a client: whether it is revoked, and which secrets are valid."""
    held = [one.id for one in await clients.valid_secrets(session, client)]
    return version_of([client.revoked_at, held])


async def _shown(session: AsyncSession, some: list[Client]) -> list[dict[str, Any]]:
    units = await clients.territories(await driver_in(session), some, today())
    return [clients.shown(one, units.get(one.unit_id)) for one in some]


def _private(
    body: dict[str, Any], language: str, status: int, location: str | None = None
) -> Response:
    """Answer with a secret in it, which nothing on the way may keep."""
    response = created(body, language, location, status)
    response.headers["cache-control"] = "no-store"
    return response
