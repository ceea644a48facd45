"""Backups: the whole database into one file, and back, all or nothing.

PostgreSQL's own programs do the work; a restored copy answers as the original did.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from app.database import SCHEMA, Database, schema
from app.database.connections import QUEUE
from app.database.failures import DatabaseFailed
from app.embedded.cluster import binaries
from app.rules.errors import Text

# With the queue: jobs that waited, or were under way, go on where the backup is restored.
_SCHEMAS: Final = (SCHEMA, QUEUE)
_MAGIC: Final = b"PGDMP"  # the first bytes of a file in pg_dump's custom format
_VARIABLES: Final = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
    "database": "PGDATABASE", "ssl": "PGSSLMODE",
}  # fmt: skip
# pg_dump of a newer release sets what an older server does not know.
_UNKNOWN_BEFORE_17: Final = "SET transaction_timeout = 0;"


async def backup(database: Database, target: Path) -> int:
    """Write the database to a file that appears whole or not at all; return its size in bytes."""
    try:
        return await asyncio.to_thread(_dump, database, target)
    except OSError as error:
        raise _failed(f"{target}: {error.strerror}") from error


def _dump(database: Database, target: Path) -> int:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".ntm-backup-") as folder:
        making = Path(folder) / "backup"
        _run(
            database, "pg_dump", "--format=custom", *(f"--schema={one}" for one in _SCHEMAS),
            "--no-owner", "--enable-row-security", f"--file={making}",
        )  # fmt: skip
        making.chmod(0o600)
        making.replace(target)
    return target.stat().st_size


async def restore(database: Database, source: Path) -> None:
    """Replace the database by what a backup holds, in one transaction, then bring it to the head.

    Raises DatabaseFailed for a file that is no backup, while others use the database, or for a
    backup of a newer version; then nothing is changed.
    """
    await schema.upgrade(database)  # makes sure of the service's role, which the backup names
    await _refuse_while_used(database)
    await asyncio.to_thread(_load, database, source)
    await schema.upgrade(database)


def check_is_backup(source: Path) -> None:
    """Raise DatabaseFailed unless a file begins as a backup does."""
    with source.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise _no_backup(source)


def _load(database: Database, source: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ntm-restore-") as folder:
        script, whole = Path(folder) / "restore.sql", Path(folder) / "whole.sql"
        _run(database, "pg_restore", "--no-owner", f"--file={script}", str(source))
        with whole.open("wb") as target, script.open("rb") as content:
            for one in _SCHEMAS:
                target.write(f"DROP SCHEMA IF EXISTS {one} CASCADE;\n".encode())
            for line in content:
                if line.strip() != _UNKNOWN_BEFORE_17.encode():
                    target.write(line)
            target.write(_check_revision().encode())
        _run(
            database, "psql", "--no-psqlrc", "--quiet", "--single-transaction",
            "--set=ON_ERROR_STOP=1", f"--file={whole}",
        )  # fmt: skip


def _check_revision() -> str:
    """Return SQL that fails, and so takes everything back, unless we know the backup's schema."""
    known = ", ".join(f"'{one.revision}'" for one in schema.scripts().walk_revisions())
    return f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM {SCHEMA}.alembic_version WHERE version_num IN ({known})) THEN
    RAISE EXCEPTION 'the backup is of a newer version of ntm-rules';
  END IF;
END $$;
"""


async def _refuse_while_used(database: Database) -> None:
    async with database.as_owner() as connection:
        others = await connection.scalar(text(_OTHERS))
    if others:
        raise DatabaseFailed(
            "database-unusable",
            Text(
                f"còn {others} kết nối đang dùng cơ sở dữ liệu; hãy dừng `ntm serve` rồi chạy lại",
                f"{others} connections use the database; stop `ntm serve` and run again",
            ),
        )


_OTHERS: Final = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
   AND coalesce(backend_type, 'client backend') = 'client backend'  -- null: not ours to see
"""


def _run(database: Database, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, ours: it knows every server up to its own release."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    ended = subprocess.run(  # noqa: S603 - our own programs
        [str(binaries(None) / program), *arguments],
        env=others | _variables(database),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ended.returncode:
        raise _failed(ended.stderr.strip()[-500:])


def _variables(database: Database) -> dict[str, str]:
    given: dict[str, Any] = database.owner.parameters()
    named = {_VARIABLES[name]: str(value) for name, value in given.items()}
    return named | {"PGOPTIONS": "-c ntm.nation=on"}  # row security binds the owner too


def _no_backup(source: Path) -> DatabaseFailed:
    return DatabaseFailed(
        "database-unusable",
        Text(
            f"{source} không phải bản sao lưu của `ntm db backup`; hãy chọn tệp khác",
            f"{source} is no backup made by `ntm db backup`; choose another file",
        ),
    )


def _failed(said: str) -> DatabaseFailed:
    return DatabaseFailed(
        "database-unusable",
        Text(
            f"không làm được, không có gì thay đổi. PostgreSQL báo: {said}",
            f"it could not be done and nothing was changed. PostgreSQL says: {said}",
        ),
    )
