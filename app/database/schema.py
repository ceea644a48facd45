"""The schema of the database: bringing it to the head under a lock, and telling where it is."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, Final, TypeVar

import msgspec
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from app.database import SCHEMA, SERVICE, Database, security
from app.database.failures import DatabaseFailed
from app.rules.errors import Text

_MIGRATING: Final = 7409  # the advisory lock that only one migration holds
HEAD: Final = "head"
Result = TypeVar("Result")
_NO_RIGHT: Final = "42501"  # SQLSTATE: insufficient privilege


class State(msgspec.Struct, frozen=True):
    """Where the schema is (None: nothing there) and where it should be."""

    current: str | None
    head: str

    @property
    def at_head(self) -> bool:
        """Tell whether nothing is to be done."""
        return self.current == self.head


def scripts() -> ScriptDirectory:
    """Return the revisions that come with this version."""
    return ScriptDirectory.from_config(_config())


async def state(database: Database) -> State:
    """Return where the schema is; raise DatabaseFailed when it is ahead of this version."""
    return await _as_owner(database, _state)


async def upgrade(database: Database, revision: str = HEAD) -> State:
    """Bring the schema to a revision, one process at a time; return where it was before.

    Raises DatabaseFailed when the schema is ahead of this version.
    """
    return await _moved(database, command.upgrade, revision)


async def downgrade(database: Database, revision: str) -> State:
    """Take the schema back to a revision; return where it was before."""
    return await _moved(database, command.downgrade, revision)


async def drift(database: Database) -> str | None:
    """Return how the tables differ from what this version expects, or None."""
    return await _as_owner(database, _drift)


async def check_service(database: Database) -> None:
    """Raise DatabaseFailed unless the service may work and may not do more than that.

    With one address for everything, its login may be an owner: it works as the service's role.
    """
    async with database.reading() as connection:
        rights = dict(await connection.fetchrow(_RIGHTS, SCHEMA, database.split) or {})
        unsafe = [row["name"] for row in await connection.fetch(_UNSAFE)]
        unprotected = await security.faults(connection)
    if any(rights.values()):
        raise DatabaseFailed(
            "database-unusable",
            Text(
                f"vai trò {SERVICE} có quá nhiều quyền (superuser, BYPASSRLS, DDL hoặc sở hữu "
                "bảng); hãy thu hồi rồi khởi động lại",
                f"the role {SERVICE} has too many rights (superuser, BYPASSRLS, DDL or tables "
                "of its own); take them away and start again",
            ),
        )
    if unsafe:
        names = ", ".join(unsafe)
        raise DatabaseFailed(
            "database-unusable",
            Text(
                f"PostgreSQL đang tắt {names}: số liệu đã xác nhận có thể mất; hãy bật lại",
                f"PostgreSQL has {names} switched off: acknowledged data could be lost; "
                "switch them on",
            ),
        )
    if unprotected:
        raise _unprotected(unprotected)


def _unprotected(names: Sequence[str]) -> DatabaseFailed:
    shown = ", ".join(names)
    return DatabaseFailed(
        "database-unusable",
        Text(
            f"lớp bảo vệ của cơ sở dữ liệu thiếu hoặc đã bị sửa: {shown}; hãy tìm xem ai đã sửa, "
            "rồi dùng tài khoản chủ sở hữu tạo lại như trong migrations/versions (0006 và 0009), "
            "hoặc khôi phục từ bản sao lưu",
            f"the row security of the database or the protection of its audit is missing or was "
            f"changed: {shown}; find out who did it, then make it again as the owner, as "
            "migrations/versions (0006 and 0009) has it, or restore a backup",
        ),
    )


_RIGHTS: Final = """
SELECT r.rolsuper OR ($2 AND login.rolsuper) AS super,
       r.rolbypassrls OR ($2 AND login.rolbypassrls) AS bypasses,
       has_schema_privilege(r.oid, $1, 'CREATE')
       OR has_database_privilege(r.oid, current_database(), 'CREATE') AS creates,
       EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tableowner = current_user) AS owns
  FROM pg_roles r, pg_roles login
 WHERE r.rolname = current_user AND login.rolname = session_user
"""
_UNSAFE: Final = """
SELECT name FROM pg_settings
 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
"""


async def _moved(database: Database, move: Any, revision: str) -> State:
    def run(connection: Connection) -> State:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        before = _state(connection)
        if before.current != revision and not (revision == HEAD and before.at_head):
            move(_config(connection), revision)
        return before

    return await _as_owner(database, run)


async def _as_owner(database: Database, work: Callable[[Connection], Result]) -> Result:
    """Run work as the owner; raise DatabaseFailed where the account has no right to it."""
    try:
        async with database.as_owner() as connection:
            return await connection.run_sync(work)
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _NO_RIGHT:
            raise
        raise _no_right(error) from error


def _no_right(error: ProgrammingError) -> DatabaseFailed:
    said = str(error.orig).splitlines()[0]
    return DatabaseFailed(
        "database-unusable",
        Text(
            f"tài khoản trong NTM_DATABASE_OWNER_URL thiếu quyền tạo lược đồ hoặc vai trò ({said})",
            f"the account of NTM_DATABASE_OWNER_URL lacks the right to make the schema or the "
            f"role ({said})",
        ),
    )


def _state(connection: Connection) -> State:
    known = scripts()
    found = connection.scalar(text("SELECT to_regclass(:name)"), {"name": "ntm.alembic_version"})
    current = None
    if found is not None:
        current = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if current is not None:
        try:
            known.get_revision(current)
        except CommandError as error:
            raise DatabaseFailed(
                "schema-ahead",
                Text(
                    f"cơ sở dữ liệu có lược đồ {current}, mới hơn phần mềm này "
                    f"({known.get_current_head()}); hãy nâng cấp ntm-rules rồi chạy lại",
                    f"the database has schema {current}, newer than this version "
                    f"({known.get_current_head()}); upgrade ntm-rules and run again",
                ),
            ) from error
    return State(current, str(known.get_current_head()))


def _drift(connection: Connection) -> str | None:
    try:
        command.check(_config(connection))
    except CommandError as error:
        return str(error)
    return None


def _config(connection: Connection | None = None) -> Config:
    # Alembic's own words go nowhere: ours are for people.
    config = Config(stdout=io.StringIO(), attributes={"connection": connection})
    config.set_main_option("script_location", str(resources.files("migrations")))
    return config
