"""Files of a submission: who may send them, what follows what, where their contents lie.

A content is in the store before the record names it: whatever is killed when, a file that was sent
can be read. What is deleted is gone from there before the record forgets it, and is deleted again
where that was cut off.
"""

from __future__ import annotations

import datetime
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.evidence import editing, names
from app.domain.evidence.editing import Held
from app.domain.refusals import Absent, Complaint, Conflict, Forbidden
from app.domain.territory import Caller
from app.rules.errors import Text

MOST: Final = 200  # of a slot


class NewFile(msgspec.Struct, frozen=True):
    """A file that was sent and found good."""

    name: str
    media: str
    size: int
    sha256: str
    personal: bool = False


class File(msgspec.Struct, frozen=True):
    """A file on record; `stored` is empty once its content was deleted.

    `personal`: it stands in a slot of a list of persons, and is read as their names are.
    """

    id: int
    submission_id: int
    slot: str
    name: str
    media: str
    size: int
    sha256: str
    stored: str | None
    personal: bool
    step: str
    client: str
    at: datetime.datetime

    def shown(self) -> dict[str, Any]:
        """Return it as it is shown."""
        return {
            "submission": self.submission_id, "slot": self.slot, "name": self.name,
            "media": self.media, "size": self.size, "sha256": self.sha256, "step": self.step,
            "at": self.at, "by": self.client, "content_deleted": self.stored is None,
            "personal_data": self.personal,
        }  # fmt: skip


_COLUMNS: Final = ", ".join(File.__struct_fields__)
_CURRENT: Final = "submission_id = $1 AND slot = $2 AND name = $3 AND ended_at IS NULL"
_GET: Final = f"SELECT {_COLUMNS} FROM evidence_file WHERE {_CURRENT}"
_FORMER: Final = f"""
SELECT {_COLUMNS} FROM evidence_file f
 WHERE submission_id = $1 AND slot = $2 AND name = $3 AND sha256 = $4
   AND (ended_at IS NULL OR NOT personal
        OR EXISTS (SELECT FROM evidence_version v
                    WHERE v.submission_id = f.submission_id AND v.at BETWEEN f.at AND f.ended_at))
 ORDER BY stored IS NULL, id DESC LIMIT 1
"""
_OF: Final = f"""
SELECT {_COLUMNS} FROM evidence_file
 WHERE submission_id = $1 AND slot = $2 AND ended_at IS NULL ORDER BY name COLLATE "C"
"""
_COUNT: Final = """
SELECT count(*) FROM evidence_file WHERE submission_id = $1 AND slot = $2 AND ended_at IS NULL
"""
_PHOTO: Final = """
SELECT EXISTS (SELECT FROM evidence_finding
                WHERE submission_id = $1 AND slot = $2 AND $3 = ANY (photos))
"""
# What no submitted version can name is kept by nobody: its content becomes an orphan. Where it may
# show names it is remembered, so that it goes when the names are deleted.
_END: Final = """
UPDATE evidence_file f
   SET ended_at = clock_timestamp(),
       stored = CASE WHEN f.personal
                       OR EXISTS (SELECT FROM evidence_version v
                                   WHERE v.submission_id = f.submission_id AND v.at >= f.at)
                     THEN f.stored END
 WHERE f.id = $1
"""
_ADD: Final = f"""
INSERT INTO evidence_file
       (submission_id, slot, name, media, size, sha256, stored, personal, step, client)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING {_COLUMNS}
"""

_RESTORE: Final = f"UPDATE evidence_file SET stored = $2 WHERE id = $1 RETURNING {_COLUMNS}"


async def may_record(
    connection: asyncpg.Connection, held: Held, slot: str, new: NewFile
) -> File | None:
    """Return the file on record where it is the same already; None where a new one may be.

    Raises Forbidden, Conflict: with the submission held, nothing can change that any more.
    """
    if new.personal:
        names.check_kept(held)
    before = await find(connection, held.id, slot, new.name)
    if before is None:
        if await connection.fetchval(_COUNT, held.id, slot) >= MOST:
            raise Conflict(Complaint("/name", "too-many-files", _TOO_MANY))
        return None
    if before.sha256 == new.sha256 and before.stored is not None:
        return before
    await _check_ending(connection, held, before)
    return None


async def record(
    connection: asyncpg.Connection,
    caller: Caller,
    held: Held,
    slot: str,
    new: NewFile,
    stored: str,
) -> tuple[File, bool]:
    """Put a file on record whose content lies in the store; tell whether its name is a new one."""
    before = await find(connection, held.id, slot, new.name)
    if before is not None:
        await connection.execute(_END, before.id)
    (row,) = await connection.fetch(
        _ADD, held.id, slot, new.name, new.media, new.size, new.sha256, stored, new.personal,
        held.step, caller.client_id,
    )  # fmt: skip
    found = File(**row)
    await _note(connection, caller, held, "evidence.file-recorded", found)
    await editing.touch(connection, held)
    return found, before is None


async def restore(
    connection: asyncpg.Connection, caller: Caller, held: Held, lost: File, stored: str
) -> File:
    """Name the place where the content of a file lies again; the file itself does not change."""
    (row,) = await connection.fetch(_RESTORE, lost.id, stored)
    found = File(**row)
    await _note(connection, caller, held, "evidence.file-restored", found)
    return found


async def remove(
    connection: asyncpg.Connection, caller: Caller, held: Held, slot: str, name: str
) -> None:
    """Take a file out of a draft; raise Absent, Forbidden, Conflict."""
    before = await current(connection, held.id, slot, name)
    await _check_ending(connection, held, before)
    await connection.execute(_END, before.id)
    await _note(connection, caller, held, "evidence.file-removed", before)
    await editing.touch(connection, held)


async def of_slot(connection: asyncpg.Connection, submission: int, slot: str) -> list[File]:
    """Return the files that stand in a slot, by name."""
    return [File(**row) for row in await connection.fetch(_OF, submission, slot)]


async def find(
    connection: asyncpg.Connection, submission: int, slot: str, name: str
) -> File | None:
    """Return the file that stands in a slot under a name, if there is one."""
    row = await connection.fetchrow(_GET, submission, slot, name)
    return None if row is None else File(**row)


async def current(
    connection: asyncpg.Connection, submission: int, slot: str, name: str, sha256: str | None = None
) -> File:
    """Return the file of a name, or the last of this digest under it; raise Absent."""
    if sha256 is None:
        found = await find(connection, submission, slot, name)
    else:
        row = await connection.fetchrow(_FORMER, submission, slot, name, sha256)
        found = None if row is None else File(**row)
    if found is None:
        raise Absent(Complaint("/name", "file-not-found", _NO_FILE))
    return found


async def note_reading(
    connection: asyncpg.Connection, caller: Caller, held: Held, one: File, purpose: str | None
) -> None:
    """Put on record that a file is read, on whose decision and what for, before it is."""
    await _note(connection, caller, held, "evidence.file-read", one, purpose)


async def _check_ending(connection: asyncpg.Connection, held: Held, before: File) -> None:
    """Raise for a file that is another office's, or the photo of a finding: findings stand."""
    if before.step != held.step:
        raise Forbidden(Complaint("/name", "not-your-file", _ANOTHERS))
    if await connection.fetchval(_PHOTO, held.id, before.slot, before.name):
        raise Conflict(Complaint("/name", "file-in-finding", _PHOTO_OF_FINDING))


async def _note(
    connection: asyncpg.Connection,
    caller: Caller,
    held: Held,
    action: str,
    one: File,
    reason: str | None = None,
) -> None:
    """Put it into the audit without the name, which may be a person's."""
    told = {"submission": held.id, "slot": one.slot, "size": one.size, "sha256": one.sha256}
    await audit.note(connection, caller, [Act(action, held.place, told, reason)])


_TOO_MANY: Final = Text(
    f"mục minh chứng đã có {MOST} tệp; hãy gộp các trang vào một tệp PDF, hoặc xoá bớt",
    f"the slot has {MOST} files; put pages together into one PDF, or remove some",
)
_NO_FILE: Final = Text(
    "mục minh chứng không có tệp này; xem danh sách tại …/files",
    "the slot has no such file; see the list at …/files",
)
_ANOTHERS: Final = Text(
    "tệp tên này do cơ quan khác gửi nên giữ nguyên; hãy gửi tệp của bạn với tên khác",
    "the file of this name is another office's and stays; send yours under another name",
)
_PHOTO_OF_FINDING: Final = Text(
    "tệp này là ảnh của một lần kiểm tra nên giữ nguyên; hãy gửi tệp mới với tên khác",
    "the file is a photo of a check and stays; send the new one under another name",
)
