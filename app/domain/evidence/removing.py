"""The end of contents of files: deleted in the store, then forgotten by the record."""

from __future__ import annotations

import datetime
from typing import Final

import asyncpg

from app.domain.evidence.store import Store

_STORED: Final = """
SELECT id, stored FROM evidence_file
 WHERE submission_id = $1 AND stored IS NOT NULL AND (personal OR NOT $2) ORDER BY id
"""
_FORGET: Final = "UPDATE evidence_file SET stored = NULL WHERE id = ANY ($1::bigint[])"
_DELETED: Final = """
UPDATE evidence_submission SET files_deleted_at = now() WHERE id = $1 AND files_deleted_at IS NULL
"""
_SEES_ALL: Final = "SELECT coalesce(current_setting('ntm.nation', true), '') <> ''"
_UNNAMED: Final = """
SELECT lying FROM unnest($1::text[]) l (lying)
 WHERE NOT EXISTS (SELECT FROM evidence_file f WHERE f.stored = l.lying)
"""


async def delete_contents(
    connection: asyncpg.Connection, store: Store, submission: int, *, personal: bool = False
) -> int:
    """Delete the contents of all files of a submission, or of those that may show names alone.

    What is on record of them stays. They are gone from the store before the transaction ends:
    killed in between, it is done again. Returns how many there were. Raises Hindered.
    """
    rows = await connection.fetch(_STORED, submission, personal)
    await store.delete([row["stored"] for row in rows])
    await connection.execute(_FORGET, [row["id"] for row in rows])
    if not personal:
        await connection.execute(_DELETED, submission)
    return len(rows)


async def orphans(
    connection: asyncpg.Connection, store: Store, older_than: datetime.datetime
) -> list[str]:
    """Return the contents in the store that no file names, as long as they are older than a moment.

    A younger one may be of an upload that is not on record yet. Only who sees every territory can
    tell: raises LookupError for a connection that does not.
    """
    if not await connection.fetchval(_SEES_ALL):
        raise LookupError("orphans are looked for by whoever sees every territory")
    found: list[str] = []
    async for some in store.all():
        old = [one.id for one in some if one.since < older_than]
        found += [row["lying"] for row in await connection.fetch(_UNNAMED, old)]
    return found
