"""Every way in which somebody who rules the database can tamper with the audit.

Each tampering is done on a connection whose triggers are off and tells what must be found. All
rows concerned are covered by a checkpoint; whoever applies one takes it back afterwards.
"""

from __future__ import annotations

import dataclasses
import random
import string
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import asyncpg

from app.domain.audit.chain import COLUMNS, GENESIS, Entry, entry_of, link
from app.domain.audit.verifying import Report


class Found(NamedTuple):
    """What the verification must tell: one of these kinds, at this position or of this entry."""

    kinds: frozenset[str]
    position: int | None = None
    entry: int | None = None

    def is_told(self, report: Report) -> bool:
        """Tell whether a report says just this."""
        return len(report.damage) == 1 and all(
            one.kind in self.kinds
            and one.position == self.position
            and (self.entry is None or one.entry == self.entry)
            for one in report.damage
        )


ALTERED: Final = frozenset({"entry-altered", "seal-altered", "altered"})
_TEXTS: Final = (
    "client", "official_id", "official_office", "official_position", "action", "request_id",
    "reason", "details",
)  # fmt: skip
_NUMBERS: Final = ("unit_id", "district_id", "province_id")
_ALWAYS: Final = ("client", "action", "details")  # columns that are never null
_APART: Final = 1_000_000  # added to positions while they are moved


@dataclasses.dataclass
class Audit:
    """A chain of entries 1..size, on a connection that may do anything, and its checkpoints."""

    connection: asyncpg.Connection
    ids: Sequence[int]
    checkpoints: Sequence[int]
    dice: random.Random

    @property
    def size(self) -> int:
        """Return the last position."""
        return len(self.ids)

    def some(self, first: int = 1, last: int | None = None) -> int:
        """Return a position."""
        return self.dice.randint(first, self.size if last is None else last)

    def id(self, position: int) -> int:
        """Return the entry at a position."""
        return self.ids[position - 1]

    def fresh(self) -> int:
        """Return the number of an entry that there is not."""
        return max(self.ids) + self.dice.randint(1, 10**6)

    def since(self, position: int) -> int:
        """Return the first position after the last checkpoint before a position."""
        return max((one for one in self.checkpoints if one < position), default=0) + 1

    async def do(self, statement: str, *values: object) -> None:
        """Run a statement that must change something."""
        done = await self.connection.execute(statement, *values)
        assert not done.endswith(" 0"), (statement, values)

    async def shift(self, first: int, by: int) -> None:
        """Move the seals from a position on."""
        for step in (_APART, by - _APART):
            await self.connection.execute(
                "UPDATE audit_seal SET position = position + $1 WHERE position >= $2", step, first
            )
            first += _APART

    async def compute(self, first: int, last: int | None = None) -> None:
        """Write the hashes of positions anew, so that they fit each other."""
        before = GENESIS if first == 1 else await self.hash(first - 1)
        rows = await self.connection.fetch(
            f"SELECT {COLUMNS}, s.position FROM audit_seal s JOIN audit_entry e"
            " ON e.id = s.audit_id WHERE s.position >= $1 AND s.position <= $2 ORDER BY 14",
            first,
            last or _APART,
        )
        for row in rows:
            before = link(before, row["position"], entry_of(row))
            await self.do(
                "UPDATE audit_seal SET hash = $1 WHERE position = $2", before, row["position"]
            )

    async def hash(self, position: int) -> bytes:
        """Return the hash at a position."""
        found: bytes = await self.connection.fetchval(
            "SELECT hash FROM audit_seal WHERE position = $1", position
        )
        return found

    async def forge(self) -> int:
        """Put an entry in; return its number."""
        number = self.fresh()
        await self.do(
            "INSERT INTO audit_entry OVERRIDING SYSTEM VALUE SELECT $1, at, client, official_id,"
            " official_office, official_position, action, unit_id, district_id, province_id,"
            " request_id, reason, details FROM audit_entry WHERE id = $2",
            number,
            self.id(self.some()),
        )
        return number


Tamper = Callable[[Audit], Awaitable[Found]]


# --- entries -------------------------------------------------------------------------------------


async def edit_an_entry(audit: Audit) -> Found:
    """Give one column of one entry another value."""
    position = audit.some()
    await _edit(audit, position, audit.dice.choice(Entry.__struct_fields__[1:]))
    return Found(frozenset({"entry-altered"}), position, audit.id(position))


async def _edit(audit: Audit, position: int, column: str) -> None:
    if column in _NUMBERS:
        new: object = audit.dice.choice((None, 0, audit.dice.randint(1, 10**6)))
        cast = "int"
    elif column == "at":
        new = audit.dice.choice(("1 microsecond", "-1 microsecond", "8000 years", "infinity"))
        statement = "UPDATE audit_entry SET at = at + $1::text::interval WHERE id = $2"
        await audit.do(statement, new, audit.id(position))
        return
    else:
        word = "".join(audit.dice.choices(string.ascii_letters + "ếđ \"'\\", k=5))
        new, cast = audit.dice.choice(("", word, *((None,) * (column not in _ALWAYS)))), "text"
    statement = f"UPDATE audit_entry SET {column} = $1 WHERE id = $2"
    same = f"{statement} AND {column} IS DISTINCT FROM $1::{cast}"
    if (await audit.connection.execute(same, new, audit.id(position))).endswith(" 0"):
        other = 77_777 if column in _NUMBERS else f"other {new}"
        await audit.do(statement, other, audit.id(position))


async def swap_texts(audit: Audit) -> Found:
    """Move a text from one column to the next: the words are the same, the entry is not."""
    position, column = audit.some(), audit.dice.randrange(len(_TEXTS) - 1)
    here, there = _TEXTS[column], _TEXTS[column + 1]
    await audit.do(
        f"UPDATE audit_entry SET {here} = 'x' || coalesce({there}, ''), {there} ="
        f" coalesce({here}, '') || 'y' WHERE id = $1",
        audit.id(position),
    )
    return Found(frozenset({"entry-altered"}), position, audit.id(position))


async def number_an_entry_anew(audit: Audit) -> Found:
    """Give an entry another number."""
    position = audit.some()
    await audit.do(
        "UPDATE audit_entry SET id = $1 WHERE id = $2", audit.fresh(), audit.id(position)
    )
    return Found(frozenset({"entry-missing"}), position, audit.id(position))


async def delete_an_entry(audit: Audit) -> Found:
    """Delete an entry and leave its seal."""
    position = audit.some()
    await audit.do("DELETE FROM audit_entry WHERE id = $1", audit.id(position))
    return Found(frozenset({"entry-missing"}), position, audit.id(position))


async def swap_entries(audit: Audit) -> Found:
    """Let two entries change their numbers."""
    first, last = sorted(audit.dice.sample(range(1, audit.size + 1), 2))
    one, other, free = audit.id(first), audit.id(last), audit.fresh()
    for old, new in ((one, free), (other, one), (free, other)):
        await audit.do("UPDATE audit_entry SET id = $1 WHERE id = $2", new, old)
    return Found(ALTERED, first, one)


async def put_an_entry_in(audit: Audit) -> Found:
    """Put an entry in that nobody sealed."""
    return Found(frozenset({"unsealed"}), None, await audit.forge())


# --- seals ---------------------------------------------------------------------------------------


async def delete_a_seal(audit: Audit) -> Found:
    """Delete a seal, at times with its entry."""
    position = audit.some()
    await audit.do("DELETE FROM audit_seal WHERE position = $1", position)
    if audit.dice.random() < 0.5:
        await audit.do("DELETE FROM audit_entry WHERE id = $1", audit.id(position))
    kind = "truncated" if position == audit.size else "seal-missing"
    return Found(frozenset({kind}), position)


async def edit_a_hash(audit: Audit) -> Found:
    """Change a hash by one bit, or wholly, or to nothing."""
    position = audit.some()
    old = await audit.hash(position)
    flipped = bytes([old[0] ^ 1 << audit.dice.randrange(8)]) + old[1:]
    new = audit.dice.choice((flipped, audit.dice.randbytes(32), b"", old + b"\0", old[:31]))
    await audit.do("UPDATE audit_seal SET hash = $1 WHERE position = $2", new, position)
    return Found(frozenset({"seal-altered"}), position, audit.id(position))


async def point_a_seal_elsewhere(audit: Audit) -> Found:
    """Let a seal name an entry that there is not."""
    position, number = audit.some(), audit.fresh()
    await audit.do("UPDATE audit_seal SET audit_id = $1 WHERE position = $2", number, position)
    return Found(frozenset({"entry-missing"}), position, number)


async def move_a_seal(audit: Audit) -> Found:
    """Move a seal behind the others."""
    position = audit.some()
    await audit.do(
        "UPDATE audit_seal SET position = $1 WHERE position = $2",
        audit.size + audit.some(),
        position,
    )
    return Found(frozenset({"seal-missing"}), position)


async def move_a_seal_before_the_first(audit: Audit) -> Found:
    """Put a seal of a forged entry before the first one."""
    number, position = await audit.forge(), audit.dice.randint(-5, 0)
    await audit.do("INSERT INTO audit_seal VALUES ($1, $2, $3)", position, number, GENESIS)
    return Found(frozenset({"seal-out-of-place"}), position, number)


async def swap_seals(audit: Audit) -> Found:
    """Let two seals change places."""
    first, last = sorted(audit.dice.sample(range(1, audit.size + 1), 2))
    for old, new in ((first, _APART), (last, first), (_APART, last)):
        await audit.do("UPDATE audit_seal SET position = $1 WHERE position = $2", new, old)
    return Found(ALTERED, first, audit.id(last))


async def put_a_seal_in(audit: Audit) -> Found:
    """Put a forged entry with a seal amid the others; later ones move on."""
    position, number = audit.some(), await audit.forge()
    await audit.shift(position, 1)
    await audit.do(
        "INSERT INTO audit_seal VALUES ($1, $2, $3)", position, number, audit.dice.randbytes(32)
    )
    return Found(ALTERED, position, number)


async def add_a_bad_seal(audit: Audit) -> Found:
    """Put a forged entry with a seal that does not fit after the others."""
    position, number = audit.size + 1, await audit.forge()
    await audit.do(
        "INSERT INTO audit_seal VALUES ($1, $2, $3)", position, number, audit.dice.randbytes(32)
    )
    return Found(ALTERED, position, number)


# --- the end, and what waits ---------------------------------------------------------------------


async def cut_the_end(audit: Audit) -> Found:
    """Delete the end of the chain: seals alone, or with entries, or mark these as waiting."""
    first = audit.some()
    gone = audit.ids[first - 1 :]
    await audit.do("DELETE FROM audit_seal WHERE position >= $1", first)
    how = audit.dice.choice(("seals", "both", "pending"))
    if how == "both":
        await audit.do("DELETE FROM audit_entry WHERE id = ANY ($1)", gone)
    if how == "pending":
        await audit.do("INSERT INTO audit_pending SELECT unnest($1::bigint[])", gone)
    return Found(frozenset({"truncated"}), first)


async def cut_entries_off(audit: Audit) -> Found:
    """Delete the last entries and leave their seals."""
    first = audit.some()
    await audit.do("DELETE FROM audit_entry WHERE id = ANY ($1)", audit.ids[first - 1 :])
    return Found(frozenset({"entry-missing"}), first, audit.id(first))


async def empty_everything(audit: Audit) -> Found:
    """Truncate the tables."""
    await audit.connection.execute("TRUNCATE audit_entry, audit_seal, audit_pending")
    return Found(frozenset({"truncated"}), 1)


async def mark_as_waiting(audit: Audit) -> Found:
    """Mark a sealed entry as waiting for its seal."""
    number = audit.id(audit.some())
    await audit.do("INSERT INTO audit_pending VALUES ($1)", number)
    return Found(frozenset({"pending-sealed"}), None, number)


async def delete_what_waits(audit: Audit) -> Found:
    """Leave an entry's mark, and no entry."""
    number = audit.fresh()
    await audit.do("INSERT INTO audit_pending VALUES ($1)", number)
    return Found(frozenset({"pending-missing"}), None, number)


# --- chains computed anew ------------------------------------------------------------------------


async def rewrite_from(audit: Audit) -> Found:
    """Edit an entry and compute the chain anew from there to the end."""
    position = audit.some()
    await _edit(audit, position, audit.dice.choice(Entry.__struct_fields__[1:]))
    await audit.compute(position)
    return Found(frozenset({"rewritten"}), audit.since(position))


async def rewrite_a_part(audit: Audit) -> Found:
    """Edit an entry and compute the chain anew, but not to the end."""
    position = audit.some(last=audit.size - 1)
    last = audit.some(position, audit.size - 1)
    await _edit(audit, position, audit.dice.choice(Entry.__struct_fields__[1:]))
    await audit.compute(position, last)
    if any(position <= one <= last for one in audit.checkpoints):
        return Found(frozenset({"rewritten"}), audit.since(position))
    return Found(ALTERED, last + 1, audit.id(last + 1))


async def take_out_and_rewrite(audit: Audit) -> Found:
    """Take an entry out, close the gap, compute the chain anew."""
    position = audit.some()
    await audit.do("DELETE FROM audit_seal WHERE position = $1", position)
    await audit.do("DELETE FROM audit_entry WHERE id = $1", audit.id(position))
    await audit.shift(position + 1, -1)
    await audit.compute(position)
    if any(position <= one < audit.size for one in audit.checkpoints):
        return Found(frozenset({"rewritten"}), audit.since(position))
    return Found(frozenset({"truncated"}), audit.size)


async def put_in_and_rewrite(audit: Audit) -> Found:
    """Put a forged entry in and compute the chain anew."""
    position, number = audit.some(), await audit.forge()
    await audit.shift(position, 1)
    await audit.do("INSERT INTO audit_seal VALUES ($1, $2, $3)", position, number, GENESIS)
    await audit.compute(position)
    return Found(frozenset({"rewritten"}), audit.since(position))


EVERY: Final[tuple[Tamper, ...]] = (
    edit_an_entry, swap_texts, number_an_entry_anew, delete_an_entry, swap_entries,
    put_an_entry_in, delete_a_seal, edit_a_hash, point_a_seal_elsewhere, move_a_seal,
    move_a_seal_before_the_first, swap_seals, put_a_seal_in, add_a_bad_seal, cut_the_end,
    cut_entries_off, empty_everything, mark_as_waiting, delete_what_waits, rewrite_from,
    rewrite_a_part, take_out_and_rewrite, put_in_and_rewrite,
)  # fmt: skip
