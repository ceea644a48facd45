"""Rulesets as they were: every digest ever used by a stored verdict stays readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import asyncpg
import msgspec

from app.domain.refusals import Complaint, Conflict
from app.rules.errors import Text
from app.rules.evaluate import Compiled, snapshot
from app.rules.leaves import Check
from app.rules.registry import Entry, Registry
from app.rules.stored import CheckMissing, Unreadable, rebuild
from app.rules.verdict import digest as digest_of


class Version(msgspec.Struct, frozen=True):
    """A ruleset under its digest, and the package it came from.

    `intact` is false where what was stored has another digest now: somebody altered it.
    """

    compiled: Compiled
    package: str
    intact: bool = True


_READ: Final = "SELECT package, content FROM ruleset_snapshot WHERE digest = $1 AND ruleset = $2"
_CONTENT: Final = "SELECT content FROM ruleset_snapshot WHERE digest = $1"
_USED: Final = "SELECT EXISTS (SELECT FROM ruleset_snapshot WHERE ruleset = $1)"
_KEPT: Final = "SELECT EXISTS (SELECT FROM ruleset_snapshot WHERE digest = $1)"


class Snapshots:
    """Rulesets by digest: those installed now, and those that stored verdicts were judged by."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, Version] = {}
        self._kept: set[str] = set()

    async def of(self, connection: asyncpg.Connection, ruleset: str, digest: str) -> Version | None:
        """Return a ruleset under its digest, None where there is none.

        Raises Conflict where what was stored is no ruleset any more, or needs a check that no
        installed pack ships.
        """
        entry = self._registry.entries.get(ruleset)
        if entry is not None and entry.compiled.digest == digest:
            return Version(entry.compiled, entry.package)
        if digest not in self._known:
            row = await connection.fetchrow(_READ, digest, ruleset)
            if row is None:
                return None
            checks = entry.parsed.pack.checks if entry else {}
            compiled = _rebuilt(row["content"], checks, ruleset)
            version = Version(compiled, row["package"], compiled.digest == digest)
            if not version.intact:
                return version  # it may be mended
            self._known[digest] = version
        return self._known[digest]

    async def is_kept(self, connection: asyncpg.Connection, entry: Entry) -> bool:
        """Tell whether a ruleset is stored already; asked of the database only until it is."""
        digest = entry.compiled.digest
        if digest not in self._kept and await connection.fetchval(_KEPT, digest):
            self._kept.add(digest)
        return digest in self._kept


def _rebuilt(content: bytes, checks: Mapping[str, Check], ruleset: str) -> Compiled:
    try:
        return rebuild(content, checks)
    except CheckMissing as error:
        message = Text(
            f"bộ quy tắc {ruleset} cần phép kiểm tra “{error.name}” của một gói không còn được "
            "cài; hãy cài lại gói đó",
            f"the ruleset {ruleset} needs the check “{error.name}” of a pack that is no longer "
            "installed; install it again",
        )
        raise Conflict(Complaint("/ruleset", "check-missing", message)) from error
    except Unreadable as error:
        raise damaged(ruleset) from error


def damaged(ruleset: str) -> Conflict:
    """Say that what is stored of a ruleset is not what was written."""
    message = Text(
        f"bản lưu của bộ quy tắc {ruleset} đã bị hỏng hoặc bị sửa; hãy báo quản trị viên để phục "
        "hồi từ bản sao lưu",
        f"what is stored of the ruleset {ruleset} was damaged or altered; tell the administrator, "
        "who can restore it from a backup",
    )
    return Conflict(Complaint("/ruleset", "ruleset-damaged", message))


async def is_intact(connection: asyncpg.Connection, digest: str) -> bool:
    """Tell whether a ruleset is stored as it was written; asked of the database every time."""
    content = await connection.fetchval(_CONTENT, digest)
    return content is not None and digest_of(content) == digest


async def was_used(connection: asyncpg.Connection, ruleset: str) -> bool:
    """Tell whether any verdict on record may rest on a ruleset with this id."""
    return bool(await connection.fetchval(_USED, ruleset))


_KEEP: Final = """
INSERT INTO ruleset_snapshot (digest, ruleset, package, content) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""


async def keep(connection: asyncpg.Connection, entry: Entry) -> None:
    """Store a ruleset under its digest, once."""
    compiled = entry.compiled
    content = snapshot(compiled.ruleset, compiled.indicators)
    named = (compiled.digest, compiled.ruleset.ruleset, entry.package)
    await connection.execute(_KEEP, *named, content)
