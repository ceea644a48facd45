"""Verifying the audit: every hash computed anew, compared with seals and checkpoints.

What is found is told with its place. A chain is read in one snapshot, in the order of positions,
up to the first position that does not fit: nothing after it can be vouched for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import msgspec

from app.database import EVERYTHING, Database
from app.database.failures import translated
from app.domain.audit import damage
from app.domain.audit.chain import COLUMNS, GENESIS, entry_of, link
from app.domain.audit.checkpoints import Checkpoint
from app.domain.audit.damage import ALTERED, ENTRY_ALTERED, SEAL_ALTERED, Damage
from app.domain.signing_keys import Key

Told = Callable[[int, int], None]  # positions verified, positions in all
_AT_ONCE: Final = 5_000
_PATIENCE: Final = 3_600.0  # seconds for one statement


class Report(msgspec.Struct, frozen=True):
    """What a verification found; `vouched` is the last position that a checkpoint vouches for."""

    verified: int
    pending: int
    checkpoints: int
    vouched: int
    damage: tuple[Damage, ...] = ()

    @property
    def good(self) -> bool:
        """Tell whether everything fits."""
        return not self.damage


class Witness(msgspec.Struct, frozen=True):
    """What the file of checkpoints says, and what is wrong with it."""

    checkpoints: Sequence[Checkpoint] = ()
    damage: tuple[Damage, ...] = ()

    def by_position(self) -> Mapping[int, list[Checkpoint]]:
        """Return the checkpoints of each position."""
        found: dict[int, list[Checkpoint]] = {}
        for one in self.checkpoints:
            found.setdefault(one.position, []).append(one)
        return found


def witness(
    lines: Sequence[Checkpoint | None], keys: Sequence[Key], *, allow_retired: bool = False
) -> Witness:
    """Judge the lines of a file of checkpoints.

    Each must be signed by the key it carries. The newest must be by a key that the service still
    has: anybody can make a key and a line.
    """
    sound = [one for one in lines if one is not None and one.holds()]
    for number, one in enumerate(lines, start=1):
        if one is None or not one.holds():
            return Witness(sound, (damage.line_altered(number),))
    if sound and not allow_retired and not sound[-1].is_by(keys):
        return Witness(sound, (damage.key_not_ours(sound[-1].kid),))
    return Witness(sound)


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection that sees everything as it is at this moment, for as long as it takes."""
    mode = "ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    with translated():
        async with database.connections.begun(EVERYTHING, mode) as connection:
            await connection.execute("SET LOCAL statement_timeout = 0")
            yield connection


async def verify(
    connection: asyncpg.Connection, known: Witness, told: Told = lambda *_: None
) -> Report:
    """Verify the chain, what is pending, and that every entry is one or the other."""
    walk = _Walk(connection, known)
    found = await walk.through(told) or walk.cut_short() or await _unaccounted(connection)
    pending = await connection.fetchval("SELECT count(*) FROM audit_pending", timeout=_PATIENCE)
    all_found = known.damage if found is None else (*known.damage, found)
    return Report(walk.position, pending, len(known.checkpoints), walk.vouched, all_found)


class _Walk:
    """The way along the chain: the position reached, its hash, what a checkpoint vouches for."""

    def __init__(self, connection: asyncpg.Connection, known: Witness) -> None:
        self._connection = connection
        self._checkpoints = known.by_position()
        self.position, self._hash = 0, GENESIS
        self.vouched = 0

    async def through(self, told: Told) -> Damage | None:
        """Walk to the end; return the first thing that does not fit."""
        stray = await self._connection.fetchrow(_STRAY, timeout=_PATIENCE)
        if stray is not None:
            return damage.seal_out_of_place(stray["position"], stray["audit_id"])
        total = await self._connection.fetchval(_TOTAL, timeout=_PATIENCE) or 0
        while rows := await self._after(self.position):
            for number, row in enumerate(rows):
                if found := self._step(row):
                    following = rows[number + 1 :] or await self._after(row["position"])
                    return self._judged(found, row, following)
            told(self.position, total)
        return None

    def cut_short(self) -> Damage | None:
        """Return that the chain ends before a checkpoint, if it does."""
        last = max(self._checkpoints, default=0)
        return damage.truncated(self.position + 1, last) if last > self.position else None

    async def _after(self, position: int) -> Sequence[asyncpg.Record]:
        return await self._connection.fetch(_NEXT, position, timeout=_PATIENCE)

    def _step(self, row: asyncpg.Record) -> Damage | None:
        expected, position, since = self.position + 1, row["position"], self.vouched + 1
        if position != expected:
            return damage.seal_missing(expected, since)
        if row["id"] is None:
            return damage.entry_missing(position, row["audit_id"], since)
        computed = link(self._hash, position, entry_of(row))
        if computed != row["hash"]:
            return damage.altered(ALTERED, position, row["audit_id"], since)
        known = self._checkpoints.get(position, ())
        if not all(one.agrees(computed) for one in known):
            return damage.rewritten(since, position)
        self.position, self._hash = position, computed
        if known:
            self.vouched = position
        return None

    def _judged(
        self, found: Damage, row: asyncpg.Record, following: Sequence[asyncpg.Record]
    ) -> Damage:
        """Tell an altered entry from an altered seal: the true hash is known or built upon."""
        if found.kind != ALTERED:
            return found
        position = row["position"]
        known = {one.hash for one in self._checkpoints.get(position, ())}
        computed = link(self._hash, position, entry_of(row))
        for true, kind in ((row["hash"], ENTRY_ALTERED), (computed, SEAL_ALTERED)):
            if true.hex() in known or (following and _follows(true, position, following[0])):
                return damage.altered(kind, position, row["audit_id"], self.vouched + 1)
        return found


def _follows(before: bytes, position: int, row: asyncpg.Record) -> bool:
    """Tell whether a row fits after a position with a hash."""
    if row["position"] != position + 1 or row["id"] is None:
        return False
    return bool(link(before, position + 1, entry_of(row)) == row["hash"])


async def _unaccounted(connection: asyncpg.Connection) -> Damage | None:
    """Return the first entry that is neither sealed nor pending, or is both, or is gone."""
    for statement, told in _ACCOUNTS:
        entry = await connection.fetchval(statement, timeout=_PATIENCE)
        if entry is not None:
            return told(entry)
    return None


_STRAY: Final = """
SELECT position, audit_id FROM audit_seal WHERE position < 1 ORDER BY position LIMIT 1
"""
_TOTAL: Final = "SELECT max(position) FROM audit_seal"
_NEXT: Final = f"""
SELECT {COLUMNS}, s.position, s.audit_id, s.hash
  FROM audit_seal s LEFT JOIN audit_entry e ON e.id = s.audit_id
 WHERE s.position > $1 ORDER BY s.position LIMIT {_AT_ONCE:d}
"""
_UNSEALED: Final = """
SELECT min(e.id) FROM audit_entry e
 WHERE NOT EXISTS (SELECT FROM audit_seal s WHERE s.audit_id = e.id)
   AND NOT EXISTS (SELECT FROM audit_pending p WHERE p.audit_id = e.id)
"""
_GONE: Final = """
SELECT min(p.audit_id) FROM audit_pending p
 WHERE NOT EXISTS (SELECT FROM audit_entry e WHERE e.id = p.audit_id)
"""
_TWICE: Final = """
SELECT min(p.audit_id) FROM audit_pending p JOIN audit_seal s ON s.audit_id = p.audit_id
"""
_ACCOUNTS: Final = (
    (_UNSEALED, damage.unsealed),
    (_GONE, damage.pending_missing),
    (_TWICE, damage.pending_sealed),
)
