"""Names of citizens in lists: who reads them is audited, with what for; they can be deleted.

Personal data (Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15): everybody else sees counts and masks.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Final

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.evidence import chain, removing, sealing
from app.domain.evidence.chain import Office
from app.domain.evidence.editing import Held
from app.domain.evidence.keys import Keys
from app.domain.evidence.rows import Row
from app.domain.evidence.store import Store
from app.domain.refusals import Complaint, Conflict, Forbidden
from app.domain.territory import Caller
from app.rules.errors import Text

SCOPE: Final = "evidence:names"
Place = tuple[str, int]  # in the lists of a slot: the part, and how many of its rows were read


class Shown(msgspec.Struct, frozen=True):
    """A row, the part whose list it stands in, and its place there (from 1)."""

    part: str
    place: int
    row: Row


class Page(msgspec.Struct, frozen=True):
    """Rows of the lists of a slot, in order; `rows` counts all of them."""

    shown: list[Shown]
    rows: int


_LISTS: Final = """
SELECT id, part, rows FROM evidence_list
 WHERE submission_id = $1 AND slot = $2 AND ended_at IS NULL AND ($3::text IS NULL OR part = $3)
 ORDER BY part
"""
_CHUNK: Final = "SELECT content FROM evidence_list_chunk WHERE list_id = $1 AND number = $2"
_ANY: Final = "SELECT EXISTS (SELECT FROM evidence_list WHERE submission_id = $1)"
_DROP: Final = "DELETE FROM evidence_list_chunk WHERE submission_id = $1"
_MARK: Final = """
UPDATE evidence_submission SET names_deleted_at = clock_timestamp() WHERE id = $1
"""


def check_kept(held: Held) -> None:
    """Raise Conflict where the names of a submission were deleted."""
    if held.names_deleted_at is not None:
        raise Conflict(Complaint("/id", "names-deleted", _DELETED))


def check_reader(caller: Caller, held: Held, day: datetime.date) -> None:
    """Raise Forbidden for who may not read what may show names of a submission."""
    if SCOPE not in caller.scopes:
        raise Forbidden(Complaint("", "insufficient-scope", _NO_SCOPE))
    check_on_the_chain(caller, held, day)


def check_on_the_chain(caller: Caller, held: Held, day: datetime.date) -> None:
    """Raise Forbidden for who is no office on the submission's chain.

    The nation and hamlets never are, a district only where and while its route leads there. What
    is not submitted is the commune's alone.
    """
    office = chain.office_of(caller)
    if not chain.is_on(office, held.route or chain.route_on(day), day):
        raise Forbidden(Complaint("", "not-on-the-chain", _NOT_ON_THE_CHAIN))
    unfinished = held.state == "draft" or not held.version
    if unfinished and office is not Office.COMMUNE:
        raise Forbidden(Complaint("", "not-on-the-chain", _NOT_SUBMITTED))


async def key_for_writing(connection: asyncpg.Connection, keys: Keys, held: Held) -> bytes:
    """Return the key of a submission, made with its first list.

    A key that is gone is not made anew: lists that were sealed with it would never open again.
    """
    there = await connection.fetchval(_ANY, held.id)
    return await asyncio.to_thread(keys.get if there else keys.make, held.names_key)


async def page(
    connection: asyncpg.Connection,
    keys: Keys,
    held: Held,
    slot: str,
    part: str | None,
    after: Place,
    limit: int,
) -> Page:
    """Return rows of the lists of a slot, or of the list of a part, that follow a place.

    Raises Conflict where the names were deleted, Hindered where they cannot be opened.
    """
    check_kept(held)
    lists = await connection.fetch(_LISTS, held.id, slot, part)
    found: list[Shown] = []
    for one in lists:
        first = after[1] if one["part"] == after[0] else 0
        if one["part"] < after[0] or len(found) >= limit or first >= one["rows"]:
            continue
        last = min(one["rows"], first + limit - len(found))
        key = await asyncio.to_thread(keys.get, held.names_key)
        for number in range(first // sealing.TOGETHER, (last - 1) // sealing.TOGETHER + 1):
            chunk = await connection.fetchval(_CHUNK, one["id"], number)
            rows = await asyncio.to_thread(
                sealing.unseal, key, held.id, one["id"], number, chunk or b""
            )
            found += [
                Shown(one["part"], place, row)
                for place, row in enumerate(rows, number * sealing.TOGETHER + 1)
                if first < place <= last
            ]
    return Page(found, sum(one["rows"] for one in lists))


async def read(
    connection: asyncpg.Connection,
    keys: Keys,
    caller: Caller,
    held: Held,
    slot: str,
    part: str | None,
    after: Place,
    limit: int,
    purpose: str,
    day: datetime.date,
) -> Page:
    """Return a page with names and one row more, once the audit has who reads it and what for.

    Raises Forbidden for who is not on the chain, and what `page` raises.
    """
    check_on_the_chain(caller, held, day)
    found = await page(connection, keys, held, slot, part, after, limit + 1)
    told = {"submission": held.id, "slot": slot, "part": part, "rows": len(found.shown[:limit])}
    act = Act("evidence.names-read", held.place, told, purpose)
    await audit.note(connection, caller, [act])
    return found


async def delete(
    connection: asyncpg.Connection,
    keys: Keys,
    store: Store,
    caller: Caller | None,
    held: Held,
    purpose: str,
    action: str = "evidence.names-deleted",
) -> None:
    """Delete the names of a submission for good, and the contents of files that may show them.

    Counts, digests and the audit stay. The key is shredded before the transaction ends: whatever
    ends the process meanwhile, doing it again makes it whole. Raises Conflict while the submission
    is being checked, Hindered where the store is.
    """
    office = Office.COMMUNE if caller is None else chain.office_of(caller)
    if held.state in ("draft", "returned") and office is not Office.COMMUNE:
        raise Forbidden(Complaint("", "not-your-office", _NOT_THE_COMMUNES))
    if held.state in chain.CHECKED:
        raise Conflict(Complaint("/id", "submission-frozen", _CHECKED))
    if held.names_deleted_at is None:
        await connection.execute(_DROP, held.id)
        await connection.execute(_MARK, held.id)
        gone = await removing.delete_contents(connection, store, held.id, personal=True)
        act = Act(action, held.place, {"submission": held.id, "files": gone}, purpose)
        await audit.note(connection, caller, [act])
    await asyncio.to_thread(keys.shred, held.names_key)


_DELETED: Final = Text(
    "họ tên trong hồ sơ này đã được xoá vĩnh viễn, chỉ còn số lượng tại …/slots; muốn nộp danh "
    "sách mới, hãy rút hồ sơ này và lập hồ sơ khác",
    "the names of this submission were deleted for good, only counts are left, at …/slots; to hand "
    "in lists anew, withdraw it and open another",
)
_NO_SCOPE: Final = Text(
    "tệp có thể có họ tên của người dân mà máy khách thiếu quyền evidence:names; hãy đề nghị quản "
    "trị viên cấp quyền",
    "the file may show names of citizens, and the client lacks the scope evidence:names; ask the "
    "administrator for it",
)
_NOT_ON_THE_CHAIN: Final = Text(
    "chỉ cơ quan xã, huyện, tỉnh xử lý hồ sơ mới được đọc hoặc xoá họ tên; bạn xem được số lượng "
    "và họ tên đã che tại …/rows",
    "only the offices of commune, district and province that work on the submission read or delete "
    "names; you see counts and masked names at …/rows",
)
_NOT_SUBMITTED: Final = Text(
    "hồ sơ chưa được nộp nên họ tên chỉ xã lập hồ sơ đọc được; hãy chờ xã nộp hồ sơ",
    "the submission was not submitted yet, so that its names are read by its commune alone; wait "
    "until the commune has submitted it",
)
_NOT_THE_COMMUNES: Final = Text(
    "hồ sơ đang do xã lập hoặc sửa nên chỉ xã được xoá họ tên; hãy xoá sau khi có quyết định",
    "the commune is filling the submission, so that it alone deletes its names; delete them after "
    "the decision",
)
_CHECKED: Final = Text(
    "hồ sơ đang được kiểm tra nên chưa xoá được họ tên; hãy xoá sau khi có quyết định, hoặc trả "
    "lại hay rút hồ sơ trước",
    "the submission is being checked, so that its names cannot be deleted; delete them after the "
    "decision, or return or withdraw it first",
)
