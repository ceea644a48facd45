"""Who may fill a submission, and when: every change of what it contains begins here."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain.evidence import chain
from app.domain.evidence.chain import Office
from app.domain.refusals import Absent, Complaint, Conflict, Forbidden
from app.domain.territory import Caller, Place
from app.rules.errors import Text
from app.rules.period import Period
from app.rules.vocabulary import SUBMISSION_STATES


class Held(msgspec.Struct, frozen=True):
    """A submission as it stands; `step` is where the caller stands in its chain of approval."""

    id: int
    unit_id: int
    district_id: int | None
    province_id: int | None
    ruleset: str
    digest: str
    period: str
    period_first: datetime.date
    period_last: datetime.date
    unit_on: datetime.date
    state: str
    revision: int
    version: int
    route: str | None
    submitted_on: datetime.date | None
    names_key: uuid.UUID
    names_deleted_at: datetime.datetime | None
    step: str = ""

    @property
    def spoken_of(self) -> Period:
        """The period that it speaks of."""
        return Period(self.period_first, self.period_last, self.period)

    @property
    def place(self) -> Place:
        """Where its unit lies."""
        return self.unit_id, self.district_id, self.province_id


_COLUMNS: Final = ", ".join(Held.__struct_fields__[:-1])
_READ: Final = f"SELECT {_COLUMNS} FROM evidence_submission WHERE id = $1"
_HOLD_ALL: Final = """
SELECT id FROM evidence_submission WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE
"""
_TOUCH: Final = """
UPDATE evidence_submission SET revision = revision + 1, changed_at = now() WHERE id = $1
"""


async def find(connection: asyncpg.Connection, caller: Caller, id_: int) -> Held:
    """Return a submission of the caller's territory for reading; raise Absent."""
    return await _found(connection, caller, id_, _READ)


async def hold(connection: asyncpg.Connection, caller: Caller, id_: int) -> Held:
    """Return a submission that nobody else changes until the transaction ends; raise Absent."""
    return await _found(connection, caller, id_, _READ + " FOR UPDATE")


async def hold_all(connection: asyncpg.Connection, ids: Sequence[int]) -> None:
    """Hold several submissions in one order, whoever holds them: nobody waits in a circle."""
    await connection.fetch(_HOLD_ALL, ids)


async def for_filling(connection: asyncpg.Connection, caller: Caller, id_: int) -> Held:
    """Hold a submission that the commune's office fills: a draft.

    Raises Absent; Forbidden for another office, Conflict in another state.
    """
    held = await hold(connection, caller, id_)
    if chain.office_of(caller) is not Office.COMMUNE:
        raise Forbidden(Complaint("", "not-your-office", _NOT_THE_COMMUNE))
    if held.state != "draft":
        raise _frozen(held)
    return msgspec.structs.replace(held, step="commune")


async def for_checking(
    connection: asyncpg.Connection, caller: Caller, id_: int, day: datetime.date
) -> Held:
    """Hold a submission for a finding or its photos: the commune's draft, or a turn to check it.

    Raises Absent; Forbidden for an office whose turn it is not, Conflict where nobody checks.
    """
    if chain.office_of(caller) is Office.COMMUNE:
        held = await for_filling(connection, caller, id_)
        if not chain.stands_at(caller, held.step):
            raise Forbidden(Complaint("", "insufficient-scope", _NO_SCOPE))
        return held
    held = await hold(connection, caller, id_)
    if held.state in chain.ENDED:
        raise _frozen(held)
    steps = chain.steps_of(caller, held.state, held.route, day)
    if not steps:
        raise Forbidden(Complaint("", "not-your-office", _NOT_YOUR_TURN))
    return msgspec.structs.replace(held, step=steps[0])


async def touch(connection: asyncpg.Connection, held: Held) -> None:
    """Let a submission say that what it contains has changed."""
    await connection.execute(_TOUCH, held.id)


async def _found(connection: asyncpg.Connection, caller: Caller, id_: int, statement: str) -> Held:
    row = await connection.fetchrow(statement, id_)
    held = None if row is None else Held(**row)
    if held is None or not caller.territory.holds(held.place):
        raise absent(id_)
    return held


def absent(id_: int) -> Absent:
    """Say that there is no such submission, or none for this caller: the two look the same."""
    message = Text(
        f"không có hồ sơ minh chứng số {id_} trong địa bàn của bạn; xem danh sách tại "
        "/v1/evidence-submissions",
        f"there is no evidence submission {id_} in your territory; see the list at "
        "/v1/evidence-submissions",
    )
    return Absent(Complaint("/id", "submission-not-found", message))


def _frozen(held: Held) -> Conflict:
    state = SUBMISSION_STATES[held.state]
    message = Text(
        f"hồ sơ số {held.id} đang ở trạng thái “{state.vi}” nên nội dung không thay đổi được; "
        f"xem việc được làm (may) tại /v1/evidence-submissions/{held.id}",
        f"submission {held.id} is {state.en}, so that what it contains cannot be changed; see what "
        f"you may do (may) at /v1/evidence-submissions/{held.id}",
    )
    return Conflict(Complaint("/id", "submission-frozen", message))


_NOT_THE_COMMUNE: Final = Text(
    "chỉ cơ quan của xã lập hồ sơ mới được sửa nội dung hồ sơ; hãy dùng máy khách của xã, hoặc trả "
    "lại hồ sơ để xã sửa",
    "only the office of the commune fills its submission; use a client of the commune, or return "
    "the submission so that the commune mends it",
)
_NO_SCOPE: Final = Text(
    "máy khách thiếu quyền evidence:submit; hãy đề nghị quản trị viên cấp quyền",
    "the client lacks the scope evidence:submit; ask the administrator for it",
)
_NOT_YOUR_TURN: Final = Text(
    "hồ sơ này chưa đến lượt cơ quan của bạn kiểm tra; xem awaiting=me tại "
    "/v1/evidence-submissions",
    "it is not your office's turn to check this submission; see awaiting=me at "
    "/v1/evidence-submissions",
)
