"""A file on its way into a submission: looked into, kept, put on record, in this order.

The submission is not held while the file is looked into and kept, which may take long; whether it
may be sent is asked before, and once more when it is put on record.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import IO, Final

import asyncpg
import msgspec

from app.database import Database
from app.domain.evidence import contents, editing, faults, file_names, files, slots, store
from app.domain.evidence.editing import Held
from app.domain.evidence.files import File, NewFile
from app.domain.evidence.store import Store
from app.domain.hindrances import Hindered
from app.domain.refusals import Complaint, Refused
from app.domain.territory import Caller
from app.rules.errors import Text
from app.rules.registry import Registry


class Sent(msgspec.Struct, frozen=True):
    """A file that was sent: for which slot, under which name, with what is stated of it.

    `meant` raises unless the submission, by its version, is the one that the sender has seen.
    """

    submission: int
    slot: str
    name: str
    file: IO[bytes]
    size: int
    sha256: str
    media: str | None = None
    stated: frozenset[str] = frozenset()
    meant: Callable[[str], None] = lambda _: None


class Recorded(msgspec.Struct, frozen=True):
    """A file on record: whether its name is new, whether it stood there already."""

    file: File
    is_new: bool = False
    unchanged: bool = False


class Sender:
    """Puts files into submissions, for one caller on one day."""

    def __init__(
        self, registry: Registry, kept_in: Store, caller: Caller, day: datetime.date
    ) -> None:
        self._registry, self._store = registry, kept_in
        self._caller, self._day = caller, day

    async def send(
        self, database: Database, begin: Callable[[], Awaitable[asyncpg.Connection]], sent: Sent
    ) -> Recorded:
        """Put a file on record; `begin` begins the transaction in which that is done.

        Raises Absent, Forbidden, Conflict, Refused, Hindered.
        """
        sent = msgspec.structs.replace(sent, name=file_names.normal(sent.name))
        _check_digests(sent)
        async with database.writing() as connection:
            _, same = await self._asked(connection, sent, media="")
        lost = await self._lost(same)
        if same is not None and lost is None:
            return Recorded(same, unchanged=True)
        media = await asyncio.to_thread(contents.media_of, sent.file, sent.name)
        if sent.media not in (None, media) and {sent.media, media} != {contents.CSV, contents.TEXT}:
            raise faults.contradicts(media)
        id_ = store.new_id()
        try:
            await self._store.put(id_, sent.file, sent.size)
            return await self._record(await begin(), sent, media, id_, lost)
        except BaseException:
            with suppress(Hindered):  # what stays there without a row is removed some day
                await self._store.delete([id_])
            raise

    async def _lost(self, same: File | None) -> str | None:
        """Return where the content of the file on record should lie whole, and does not."""
        if same is None or same.stored is None:
            return None
        digest = hashlib.sha256()
        try:
            async with aclosing(self._store.open(same.stored)) as pieces:
                async for piece in pieces:
                    digest.update(piece)
        except Hindered:  # lost; where the store itself cannot be used, nothing can be put there
            return same.stored
        return None if digest.hexdigest() == same.sha256 else same.stored

    async def _record(
        self, connection: asyncpg.Connection, sent: Sent, media: str, id_: str, lost: str | None
    ) -> Recorded:
        held, same = await self._asked(connection, sent, media)
        if same is not None and same.stored == lost:
            return Recorded(await files.restore(connection, self._caller, held, same, id_))
        if same is not None:  # somebody sent it in the same moment
            await self._store.delete([id_])
            return Recorded(same, unchanged=True)
        new = self._new(held, sent, media)
        file, is_new = await files.record(connection, self._caller, held, sent.slot, new, id_)
        return Recorded(file, is_new)

    async def _asked(
        self, connection: asyncpg.Connection, sent: Sent, media: str
    ) -> tuple[Held, File | None]:
        """Ask whether the file may be sent; the submission is held until the transaction ends."""
        held = await editing.for_checking(connection, self._caller, sent.submission, self._day)
        sent.meant(str(held.revision))
        new = self._new(held, sent, media)
        return held, await files.may_record(connection, held, sent.slot, new)

    def _new(self, held: Held, sent: Sent, media: str) -> NewFile:
        slot = slots.known(self._registry, held.ruleset, sent.slot)
        return NewFile(sent.name, media, sent.size, sent.sha256, slot.lists_persons)


def _check_digests(sent: Sent) -> None:
    if sent.stated - {sent.sha256}:
        raise Refused([Complaint("", "digest-mismatch", _OTHER_CONTENT)])


_OTHER_CONTENT: Final = Text(
    "nội dung nhận được không khớp SHA-256 đã nêu, có thể bị hỏng trên đường truyền; hãy gửi lại",
    "what arrived does not have the SHA-256 that was stated, it may have been damaged on its way; "
    "send it again",
)
