"""Rulesets as they were: every digest ever used by a stored verdict stays readable."""

from __future__ import annotations

from typing import Final

import asyncpg
import msgspec
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.evaluations import RulesetSnapshot
from app.rules.evaluate import Compiled, snapshot
from app.rules.registry import Entry, Registry
from app.rules.stored import rebuild


class Version(msgspec.Struct, frozen=True):
    """A ruleset under its digest, and the package it came from."""

    compiled: Compiled
    package: str


_READ: Final = "SELECT package, content FROM ruleset_snapshot WHERE digest = $1 AND ruleset = $2"
_KEPT: Final = "SELECT EXISTS (SELECT FROM ruleset_snapshot WHERE digest = $1)"


class Snapshots:
    """Rulesets by digest: those installed now, and those that stored verdicts were judged by."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, Version] = {}
        self._kept: set[str] = set()

    async def of(self, connection: asyncpg.Connection, ruleset: str, digest: str) -> Version | None:
        """Return a ruleset under its digest, None where there is none.

        Raises SnapshotUnreadable where what was stored is no ruleset, CheckMissing where it
        needs a check that no installed pack ships.
        """
        entry = self._registry.entries.get(ruleset)
        if entry is not None and entry.compiled.digest == digest:
            return Version(entry.compiled, entry.package)
        if digest not in self._known:
            row = await connection.fetchrow(_READ, digest, ruleset)
            if row is None:
                return None
            checks = entry.parsed.pack.checks if entry else {}
            self._known[digest] = Version(rebuild(row["content"], checks), row["package"])
        return self._known[digest]

    async def is_kept(self, connection: asyncpg.Connection, entry: Entry) -> bool:
        """Tell whether a ruleset is stored already; asked of the database only until it is."""
        digest = entry.compiled.digest
        if digest not in self._kept and await connection.fetchval(_KEPT, digest):
            self._kept.add(digest)
        return digest in self._kept


async def keep(session: AsyncSession, entry: Entry) -> None:
    """Store a ruleset under its digest, once."""
    compiled = entry.compiled
    await session.execute(
        insert(RulesetSnapshot)
        .values(
            digest=compiled.digest,
            ruleset=compiled.ruleset.ruleset,
            package=entry.package,
            content=snapshot(compiled.ruleset, compiled.indicators),
        )
        .on_conflict_do_nothing()
    )
