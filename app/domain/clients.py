"""Machine clients: who may call, with which scopes, in which territory; secrets and revocation.

A secret is shown once. Only its SHA-256 is kept: it has 256 random bits, so that a slow hash
would protect nothing. A client has at most two valid secrets, so that it can change them at ease.
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import asyncpg
from sqlalchemy import ForeignKey, Identity, LargeBinary, String, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.domain import audit
from app.domain.audit import Act
from app.domain.refusals import Absent, Complaint, Conflict, Forbidden, Refused, pointer
from app.domain.territory import Caller, Territorial, visible_to
from app.domain.unit_lookup import Found, by_ids
from app.rules.errors import Text
from app.rules.facts import printable

SCOPES: Final[Mapping[str, Text]] = {
    "read": Text("đọc dữ liệu", "read data"),
    "values:write": Text(
        "ghi số liệu, phân loại địa bàn, danh sách thí điểm và khu dân cư trong địa bàn của mình",
        "record values, area classes, designations and hamlets within one's territory",
    ),
    "evidence:submit": Text(
        "lập và nộp hồ sơ minh chứng của xã mình", "fill and submit evidence of one's commune"
    ),
    "evidence:verify": Text(
        "thẩm tra hồ sơ minh chứng (cấp huyện)", "verify evidence submissions (district)"
    ),
    "evidence:appraise": Text(
        "thẩm định hồ sơ minh chứng (sở của tỉnh)",
        "appraise evidence submissions (department of the province)",
    ),
    "evidence:approve": Text(
        "phê duyệt hồ sơ minh chứng (UBND tỉnh)", "approve evidence submissions (province)"
    ),
    "evidence:names": Text(
        "đọc họ tên trong danh sách minh chứng; mỗi lần đọc đều ghi nhật ký",
        "read the names in lists of evidence; every read is audited",
    ),
    "clients:admin": Text(
        "quản lý máy khách trong địa bàn của mình", "manage clients within one's territory"
    ),
}
MOST_SECRETS: Final = 2
_PREFIX: Final = "ntm_"
_SHOWN: Final = 8  # characters of a secret that are kept to tell secrets apart


class Client(Territorial, Base):
    """A system that calls; its territory is the unit it was given, and what that descends from."""

    __tablename__ = "client"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(collation="C"), unique=True)
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String))
    created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[int | None] = mapped_column(ForeignKey("client.id"))
    revoked_at: Mapped[datetime.datetime | None]


class ClientSecret(Base):
    """The digest of a secret."""

    __tablename__ = "client_secret"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    prefix: Mapped[str]
    created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    retired_at: Mapped[datetime.datetime | None]


def check_scopes(scopes: Sequence[str], place: str = "/scopes") -> list[str]:
    """Return the scopes sorted; raise Refused for one that is not known, or for none at all."""
    complaints = [
        Complaint(
            f"{place}{pointer(index)}",
            "unknown-scope",
            Text(
                f"không có quyền “{printable(one)}”; các quyền: {', '.join(SCOPES)}",
                f"there is no scope “{printable(one)}”; known are: {', '.join(SCOPES)}",
            ),
        )
        for index, one in enumerate(scopes)
        if one not in SCOPES
    ]
    if not scopes:
        message = Text("hãy cấp ít nhất một quyền", "grant at least one scope")
        complaints.append(Complaint(place, "missing-field", message))
    if complaints:
        raise Refused(complaints)
    return sorted(set(scopes))


def check_grantable(caller: Caller, scopes: Sequence[str]) -> None:
    """Raise Refused for scopes that are not known, Forbidden for one that the caller lacks."""
    check_scopes(scopes)
    lacking = sorted(set(scopes) - caller.scopes)
    if lacking:
        message = Text(
            f"mã truy cập của bạn không có quyền “{lacking[0]}” nên không thể cấp quyền đó",
            f"your token does not have the scope “{lacking[0]}”, so you cannot grant it",
        )
        raise Forbidden(Complaint("/scopes", "scope-not-held", message))


async def add(
    session: AsyncSession, name: str, unit: Found, scopes: Sequence[str], by: Caller | None = None
) -> tuple[Client, str]:
    """Record a client of a unit's territory; return it and its secret, which nobody sees again."""
    client = Client(
        client_id=f"ntm-{secrets.token_hex(8)}",
        name=name,
        scopes=check_scopes(scopes),
        unit_id=unit.id,
        district_id=unit.district_id,
        province_id=unit.province_id,
        created_by=by.id if by else None,
    )
    session.add(client)
    await session.flush()
    told = {"client": client.client_id, "scopes": client.scopes}
    await _note(session, by, client, "client.added", told)
    return client, await _new_secret(session, client)


async def add_secret(session: AsyncSession, client: Client, by: Caller | None = None) -> str:
    """Add a second secret, so that the client can change over; raise Conflict at the third."""
    valid = await valid_secrets(session, client)
    if len(valid) >= MOST_SECRETS:
        message = Text(
            f"máy khách đã có {MOST_SECRETS} khoá bí mật còn hiệu lực ("
            f"{', '.join(one.prefix + '…' for one in valid)}); hãy thu hồi một khoá trước",
            f"the client has {MOST_SECRETS} valid secrets already ("
            f"{', '.join(one.prefix + '…' for one in valid)}); retire one first",
        )
        raise Conflict(Complaint("", "too-many-secrets", message))
    await _note(session, by, client, "client.secret-added")
    return await _new_secret(session, client)


async def retire_secret(
    session: AsyncSession, client: Client, number: int, by: Caller | None = None
) -> None:
    """End a secret; raise Absent when the client has no such valid one, Conflict for its last."""
    valid = await valid_secrets(session, client)
    chosen = next((one for one in valid if one.id == number), None)
    if chosen is None:
        message = Text(
            f"máy khách không có khoá bí mật còn hiệu lực số {number}",
            f"the client has no valid secret with number {number}",
        )
        raise Absent(Complaint("/secret", "not-found", message))
    if len(valid) == 1:
        message = Text(
            "đây là khoá bí mật cuối cùng; hãy thêm khoá mới trước, hoặc thu hồi cả máy khách",
            "this is the last secret; add a new one first, or revoke the client",
        )
        raise Conflict(Complaint("/secret", "last-secret", message))
    chosen.retired_at = datetime.datetime.now(datetime.UTC)
    await _note(session, by, client, "client.secret-retired")


async def retire_older_secrets(session: AsyncSession, client: Client) -> int:
    """End every secret but the newest; return how many ended."""
    older = (await valid_secrets(session, client))[:-1]
    for one in older:
        one.retired_at = datetime.datetime.now(datetime.UTC)
        await _note(session, None, client, "client.secret-retired")
    return len(older)


async def valid_secrets(session: AsyncSession, client: Client) -> list[ClientSecret]:
    """Return the client's valid secrets, oldest first; the client stays locked until commit."""
    await session.get(Client, client.id, with_for_update=True)
    found = await session.scalars(
        select(ClientSecret)
        .where(ClientSecret.client_id == client.id, ClientSecret.retired_at.is_(None))
        .order_by(ClientSecret.id)
    )
    return list(found)


async def revoke(
    session: AsyncSession, client: Client, by: Caller | None = None, reason: str | None = None
) -> None:
    """End a client: from the next request on it is nobody."""
    if client.revoked_at is None:
        client.revoked_at = datetime.datetime.now(datetime.UTC)
        await _note(session, by, client, "client.revoked", reason=reason)


async def _note(
    session: AsyncSession,
    by: Caller | None,
    client: Client,
    action: str,
    told: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    act = Act(action, client.place, told or {"client": client.client_id}, reason)
    await audit.note_in(session, by, act)


async def get(session: AsyncSession, caller: Caller, client_id: str) -> Client:
    """Return a client within the caller's territory; raise Absent otherwise."""
    statement = visible_to(caller, Client).where(Client.client_id == client_id)
    found = (await session.scalars(statement)).one_or_none()
    if found is None:
        message = Text(
            "không có máy khách này trong địa bàn của bạn; xem danh sách tại /v1/clients",
            "there is no such client in your territory; see the list at /v1/clients",
        )
        raise Absent(Complaint("/client_id", "client-not-found", message))
    return found


async def listed(
    session: AsyncSession, caller: Caller, limit: int | None = None, after: int = 0
) -> list[Client]:
    """Return the clients within the caller's territory, oldest first, beginning after one."""
    statement = visible_to(caller, Client).where(Client.id > after).order_by(Client.id)
    return list(await session.scalars(statement.limit(limit)))


async def territories(
    connection: asyncpg.Connection, clients: Iterable[Client], on: datetime.date
) -> dict[int, Found]:
    """Return the unit of each client's territory as it is today, by unit id."""
    ids = sorted({one.unit_id for one in clients})
    return {unit.id: unit for unit in await by_ids(connection, ids, on)}


def shown(client: Client, unit: Found | None) -> dict[str, Any]:
    """Return a client as it is shown; its unit may have ended by today."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "territory": unit.shown["code"] if unit else None,
        "territory_unit": unit and {name: unit.shown[name] for name in _UNIT_FIELDS},
        "scopes": client.scopes,
        "created_at": client.created_at,
        "revoked_at": client.revoked_at,
    }


_UNIT_FIELDS: Final = ("unit", "code", "level", "name")


async def _new_secret(session: AsyncSession, client: Client) -> str:
    secret = _PREFIX + secrets.token_urlsafe(32)
    session.add(
        ClientSecret(
            client_id=client.id,
            digest=digest(secret),
            prefix=secret[: len(_PREFIX) + _SHOWN],
        )
    )
    await session.flush()
    return secret


def digest(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8")).digest()
