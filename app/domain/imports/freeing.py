"""Freeing: files and refused rows that nobody may need any more are deleted, reports stay.

A file is needed until its job failed or was cancelled, or until its dry run is too old to be
committed. Little is deleted in one transaction; who looks next goes on where it ended.
"""

from __future__ import annotations

import datetime
from typing import Final

from app.database import EVERYTHING, Database
from app.settings import Settings

_MOST: Final = 50  # transactions in a row
_CHUNKS: Final = 400
_ROWS: Final = 5_000
# An import that still waits for its job, or is being committed, is not due.
_DUE: Final = """
SELECT id FROM value_import
 WHERE freed_at IS NULL AND state <> 'pending' AND ended_at < now() - $1::interval
 ORDER BY ended_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_GIVEN_UP: Final = """
SELECT i.id FROM value_import i JOIN job j ON j.id = i.job_id
 WHERE i.freed_at IS NULL AND i.state = 'pending' AND j.state IN ('failed', 'cancelled')
 ORDER BY i.id LIMIT 1 FOR UPDATE OF i SKIP LOCKED
"""
_PART: Final = """
DELETE FROM {table} WHERE import_id = $1 AND number IN (
  SELECT number FROM {table} WHERE import_id = $1 ORDER BY number LIMIT $2)
"""
_FREED: Final = "UPDATE value_import SET freed_at = clock_timestamp() WHERE id = $1"


async def free(database: Database, settings: Settings) -> None:
    """Delete what is kept no longer, some of it at a time."""
    acting = database.acting_for(EVERYTHING)
    for _ in range(_MOST):
        if not await _part(acting, datetime.timedelta(days=settings.keep_imports_days)):
            return


async def _part(database: Database, kept_for: datetime.timedelta) -> bool:
    """Delete a part of what belongs to one import; tell whether there was one."""
    async with database.writing() as connection:
        id_ = await connection.fetchval(_GIVEN_UP)
        id_ = id_ or await connection.fetchval(_DUE, kept_for)
        if id_ is None:
            return False
        whole = True
        for table, most in (("value_import_chunk", _CHUNKS), ("value_import_rejection", _ROWS)):
            deleted = await connection.execute(_PART.format(table=table), id_, most)
            whole = whole and deleted != f"DELETE {most}"
        if whole:
            await connection.execute(_FREED, id_)
        return True
