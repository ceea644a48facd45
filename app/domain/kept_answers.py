"""Answers kept under the key of a request: sent again, it is answered again but not done again.

An answer is kept in the transaction of what it answers: both are on record or neither is. Who
sends a key while the first request with it is under way is asked to wait.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Final

import asyncpg
import msgspec
from sqlalchemy import Index, LargeBinary, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.domain.refusals import Complaint, Conflict, Refused
from app.rules.errors import Text

_Code = String(collation="C")
IN_PROGRESS: Final = "idempotency-in-progress"
KEPT_FOR: Final = datetime.timedelta(days=7)


class KeptAnswer(Base):
    """The answer to a request that a client named by a key; `request` is the request's digest."""

    __tablename__ = "kept_answer"
    __table_args__ = (Index("ix_kept_answer_kept_since", "kept_since"),)

    client: Mapped[str] = mapped_column(_Code, primary_key=True)
    key: Mapped[str] = mapped_column(_Code, primary_key=True)
    request: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    headers: Mapped[bytes] = mapped_column(LargeBinary)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    kept_since: Mapped[datetime.datetime] = mapped_column(server_default=func.now())


class Named(msgspec.Struct, frozen=True):
    """A request by the key its client gave it, and the digest of what it says."""

    client: str
    key: str
    digest: bytes


class Answer(msgspec.Struct, frozen=True):
    """An answer as it was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


_HOLD: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 7413))"
_FIND: Final = """
SELECT request, status, headers, body FROM kept_answer WHERE client = $1 AND key = $2
"""
_KEEP: Final = """
INSERT INTO kept_answer (client, key, request, status, headers, body)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_FORGET: Final = "DELETE FROM kept_answer WHERE kept_since < now() - $1::interval"


async def find(connection: asyncpg.Connection, named: Named) -> Answer | None:
    """Return the answer kept for a request, or None; then it is this transaction's to answer.

    Raises Conflict while another transaction answers it, Refused where the key belongs to
    another request.
    """
    if not await connection.fetchval(_HOLD, named.client, named.key):
        raise Conflict(Complaint("", IN_PROGRESS, _UNDER_WAY))
    row = await connection.fetchrow(_FIND, named.client, named.key)
    if row is None:
        return None
    if row["request"] != named.digest:
        raise Refused([Complaint("", "idempotency-key-reused", _REUSED)])
    headers = msgspec.json.decode(row["headers"], type=dict[str, str])
    return Answer(row["status"], headers, row["body"])


async def keep(connection: asyncpg.Connection, named: Named, answer: Answer) -> None:
    """Keep the answer to a request, in the transaction that did what was asked for."""
    headers = msgspec.json.encode(answer.headers)
    await connection.execute(
        _KEEP, named.client, named.key, named.digest, answer.status, headers, answer.body
    )


async def forget(connection: asyncpg.Connection) -> None:
    """Forget the answers that were kept long enough."""
    await connection.execute(_FORGET, KEPT_FOR)


_UNDER_WAY: Final = Text(
    "yêu cầu trước đó với cùng Idempotency-Key đang được xử lý; hãy thử lại sau ít giây",
    "the first request with this Idempotency-Key is still under way; try again in a few seconds",
)
_REUSED: Final = Text(
    "Idempotency-Key này đã dùng cho một yêu cầu khác; hãy dùng khoá mới cho yêu cầu mới",
    "this Idempotency-Key was used for another request; use a new key for a new request",
)
