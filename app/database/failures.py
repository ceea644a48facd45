"""What failures of the database mean to whoever asked: one table, no driver's words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.embedded import EmbeddedFailed
from app.rules.errors import Text

UNAVAILABLE: Final = (
    "database-unavailable",
    Text(
        "cơ sở dữ liệu tạm thời không trả lời; hãy thử lại sau ít giây",
        "the database does not answer at the moment; try again in a few seconds",
    ),
)
_TOO_SLOW: Final = (
    "query-timeout",
    Text(
        "cơ sở dữ liệu đang bận, câu hỏi quá lâu; hãy thử lại hoặc hỏi hẹp hơn",
        "the database is busy and the query took too long; try again or ask for less",
    ),
)
_OVERLOADED: Final = (
    "overloaded",
    Text(
        "dịch vụ đang quá tải; hãy thử lại sau ít giây",
        "the service is overloaded; try again in a few seconds",
    ),
)
# SQLSTATE classes and codes: 57014 cancelled by a timeout, 55P03 lock not available; 40001 and
# 40P01 serialization and deadlock; 08 connection, 57 operator's intervention, 53 resources (disk
# full among them), 58 input or output; 25006 a server that only reads, 25P03 and 25P04 a
# transaction idle or open too long; 42501 no right.
_SLOW_CODES: Final = ("57014", "55P03", "25P03", "25P04")
_YIELDED_CODES: Final = ("40001", "40P01")
_GONE_CLASSES: Final = ("08", "57", "53", "58")
_READ_ONLY: Final = "25006"
_NO_RIGHT: Final = "42501"
_REFUSALS: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidParameterValueError,
    asyncpg.UndefinedObjectError,
)


class DatabaseFailed(Exception):
    """The database cannot serve: the code of the problem and what to do about it.

    `gave_way` tells that a transaction was taken back for another one: it may be tried again.
    """

    def __init__(self, code: str, text: Text, *, gave_way: bool = False) -> None:
        super().__init__(text.en)
        self.code = code
        self.text = text
        self.gave_way = gave_way


class NotYours(Exception):
    """Row security refused to write a row: it belongs to a territory that is not the caller's."""


class PoolExhausted(Exception):
    """Every connection is in use."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn failures of connection, time and load into DatabaseFailed; others stay as they are."""
    try:
        yield
    except (PoolTimeout, PoolExhausted) as error:
        raise DatabaseFailed(*_OVERLOADED) from error
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # A statement that outlives its time limit is a TimeoutError, which is an OSError.
        slow = isinstance(error, asyncio.TimeoutError)
        raise DatabaseFailed(*(_TOO_SLOW if slow else UNAVAILABLE)) from error
    except asyncpg.PostgresError as error:
        _raise_if_known(error.sqlstate, error)
        raise
    except DBAPIError as error:
        _raise_if_known(getattr(error.orig, "sqlstate", None), error)
        if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
            raise DatabaseFailed(*UNAVAILABLE) from error
        raise


def _raise_if_known(sqlstate: str | None, error: Exception) -> None:
    code = sqlstate or ""
    if code in _SLOW_CODES:
        raise DatabaseFailed(*_TOO_SLOW) from error
    if code in _YIELDED_CODES:
        raise DatabaseFailed(*_TOO_SLOW, gave_way=True) from error
    if code[:2] in _GONE_CLASSES or code == _READ_ONLY:
        raise DatabaseFailed(*UNAVAILABLE) from error
    if code == _NO_RIGHT and "row-level security" in str(error):
        raise NotYours from error


@contextmanager
def logging_in(shown: str) -> Iterator[None]:
    """Turn the refusal of a login, and an address where nobody answers, into DatabaseFailed."""
    try:
        yield
    except EmbeddedFailed as error:
        raise DatabaseFailed("database-unusable", error.text) from error
    except _REFUSALS as error:
        raise DatabaseFailed("database-unusable", _refused(error)) from error
    except (OSError, asyncpg.CannotConnectNowError) as error:
        text = Text(
            f"không kết nối được cơ sở dữ liệu {shown}; hãy kiểm tra địa chỉ, cổng và máy chủ",
            f"the database {shown} cannot be reached; check address, port and server",
        )
        raise DatabaseFailed("database-unusable", text) from error


def _refused(error: Exception) -> Text:
    said = str(error).splitlines()[0][:200]
    return Text(
        f"cơ sở dữ liệu từ chối tài khoản hoặc quyền ({said}); hãy kiểm tra NTM_DATABASE_URL, "
        "NTM_DATABASE_OWNER_URL và vai trò ntm_service",
        f"the database refuses the account or its rights ({said}); check NTM_DATABASE_URL, "
        "NTM_DATABASE_OWNER_URL and the role ntm_service",
    )
