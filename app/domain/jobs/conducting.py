"""Conducting a job: taking it up, letting its kind work, putting on record how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import asyncpg
import msgspec
from structlog.contextvars import bound_contextvars

from app.database import EVERYTHING, Database, DatabaseFailed
from app.database.failures import NotYours
from app.domain import recognition
from app.domain.grants import Grants
from app.domain.hindrances import Hindered
from app.domain.jobs.running import Interrupted, Kind, Lost, Running
from app.domain.refusals import Absent, Complaint, Conflict, Forbidden, Refused
from app.domain.territory import Caller, Official, Territories
from app.rules.errors import CheckFailed, Text
from app.rules.registry import Registry
from app.settings import Settings

_log = logging.getLogger("ntm")
_MOST_DEATHS: Final = 5
_SLOW: Final = "query-timeout"
# A job that is not open any more was cancelled, or has ended: there is nothing to do. $2 is an
# attempt of which it could not be told that it did not die.
_CLAIM: Final = """
UPDATE job SET state = 'running', attempt = attempt + 1, started_at = coalesce(started_at, now()),
               deaths = CASE WHEN attempt = $2 THEN deaths ELSE deaths + 1 END
 WHERE id = $1 AND state IN ('queued', 'running') RETURNING *
"""
_SPARE: Final = """
UPDATE job SET deaths = greatest(deaths - 1, 0)
 WHERE id = $1 AND attempt = $2 AND state = 'running'
"""
_FAIL: Final = """
UPDATE job SET state = 'failed', problem = $3::jsonb, ended_at = clock_timestamp()
 WHERE id = $1 AND attempt = $2 AND state = 'running'
"""
_ENDED: Final = """
UPDATE job SET state = 'succeeded', result = coalesce(result, '{}'), ended_at = clock_timestamp()
 WHERE id = $1 AND attempt = $2 AND state = 'running'
"""


class Conductor:
    """Conducts jobs one by one or several at once, on a patient database."""

    def __init__(
        self, database: Database, registry: Registry, settings: Settings, kinds: Mapping[str, Kind]
    ) -> None:
        self._database = database.acting_for(EVERYTHING)
        self._registry, self._settings, self._kinds = registry, settings, kinds
        self._territories, self._grants = Territories(), Grants()
        self._spared: dict[int, int] = {}  # attempts that did not die, which nobody could be told
        self.stopping = False  # jobs are to be given back when they come to their next transaction

    async def conduct(self, id_: int) -> None:
        """Do a job, unless it is over; what it fails of is put on record.

        Raises what may pass: DatabaseFailed, Hindered, Interrupted. It is tried again then.
        """
        async with self._database.writing() as connection:
            row = await connection.fetchrow(_CLAIM, id_, self._spared.pop(id_, -1))
        if row is None:
            return
        begun, told = time.monotonic(), {"kind": row["kind"], "job": id_, "attempt": row["attempt"]}
        with bound_contextvars(**_named(row)):
            _log.info("job begun", extra=told)
            ended = "interrupted"
            try:
                ended = await self._attempt(row)
            finally:
                seconds = round(time.monotonic() - begun, 3)
                _log.info("job ended", extra=told | {"ended": ended, "seconds": seconds})

    async def _attempt(self, row: asyncpg.Record) -> str:
        """Return how an attempt ended, in one word; raise what is no failure of the job."""
        try:
            await self._work(row)
        except Lost:
            return "lost"
        except (Interrupted, asyncio.CancelledError):
            await self._spare(row)
            raise
        except (DatabaseFailed, Hindered) as error:
            if _passes(error):
                await self._spare(row)
            elif row["deaths"] > _MOST_DEATHS:
                await self._fail(row, _plain(error.code, error.text))
                return error.code
            raise
        except Exception as error:
            problem = problem_of(error)
            if problem["code"] == _INTERNAL:
                _log.error("job failed", extra={"job": row["id"]}, exc_info=error)
            await self._fail(row, problem)
            return str(problem["code"])
        return "succeeded"

    async def _work(self, row: asyncpg.Record) -> None:
        if row["deaths"] > _MOST_DEATHS + 1:
            raise Refused([Complaint("", "job-failed", _DIED)])
        caller = await self._caller(row)
        kind = self._kinds.get(row["kind"])
        if kind is None:
            raise LookupError(f"there is no kind of job called {row['kind']}")
        arguments = msgspec.json.decode(row["arguments"])
        await kind(
            Running(
                row["id"], row["attempt"], caller, arguments, self._database, self._registry,
                self._settings, lambda: self.stopping, failed_before=row["deaths"] > 1,
            )
        )  # fmt: skip
        await self._end(row, _ENDED)

    async def _caller(self, row: asyncpg.Record) -> Caller:
        """Return the maker of a job as the record knows it now; raise Refused when it is gone."""
        async with self._database.asking() as connection:
            found = await recognition.recognise(
                connection, self._territories, row["client"], row["scopes"]
            )
        if found is None:
            raise Refused([Complaint("", "client-revoked", _REVOKED)])
        caller, numbers = found
        acting = self._database.acting_for(caller.context())
        return msgspec.structs.replace(
            caller,
            grants=await self._grants.of(acting, numbers) if numbers else (),
            request_id=row["request_id"],
            official=_official(row),
        )

    async def _fail(self, row: asyncpg.Record, problem: Mapping[str, Any]) -> None:
        await self._end(row, _FAIL, msgspec.json.encode(problem).decode())

    async def _end(self, row: asyncpg.Record, statement: str, *told: Any) -> None:
        """Put on record how a job ended, unless it ended otherwise meanwhile."""
        async with self._database.writing() as connection:
            await connection.execute(statement, row["id"], row["attempt"], *told)

    async def _spare(self, row: asyncpg.Record) -> None:
        """Tell that an attempt did not die; remember it while nobody can be told."""
        self._spared[row["id"]] = row["attempt"]
        with contextlib.suppress(DatabaseFailed, OSError):
            await self._end(row, _SPARE)
            del self._spared[row["id"]]


def _passes(error: DatabaseFailed | Hindered) -> bool:
    """Tell whether a failure passes by itself, however often: it is no fault of the job."""
    if isinstance(error, Hindered):
        return error.passes
    if isinstance(error.__cause__, asyncpg.DiskFullError):
        return False
    return error.code != _SLOW or error.gave_way


def _named(row: asyncpg.Record) -> dict[str, str]:
    return {"request_id": row["request_id"]} if row["request_id"] else {}


def _official(row: asyncpg.Record) -> Official | None:
    if row["official_id"] is None:
        return None
    return Official(row["official_id"], row["official_office"], row["official_position"])


_INTERNAL: Final = "internal-error"


def problem_of(error: Exception) -> dict[str, Any]:
    """Return what a failure means to whoever asked for the work, in both languages."""
    if isinstance(error, Refused):
        return _refusal(error.complaints)
    if isinstance(error, Absent | Conflict | Forbidden):
        return _refusal([error.complaint])
    if isinstance(error, NotYours):
        return _plain("outside-territory", _NOT_YOURS)
    if isinstance(error, CheckFailed):
        return _plain("rule-check-failed", _check_failed(error))
    return _plain(_INTERNAL, _UNEXPECTED)


def _refusal(complaints: Iterable[Complaint]) -> dict[str, Any]:
    found = list(complaints)
    codes = {one.code for one in found}
    errors = [
        {"pointer": one.pointer, "code": one.code, "message": _said(one.message)} for one in found
    ]
    code = codes.pop() if len(codes) == 1 else "invalid-request"
    return _plain(code, found[0].message) | {"errors": errors}


def _plain(code: str, text: Text) -> dict[str, Any]:
    return {"code": code, "detail": _said(text), "errors": []}


def _said(text: Text) -> dict[str, str]:
    return {"vi": text.vi, "en": text.en}


def _check_failed(error: CheckFailed) -> Text:
    return Text(
        f"phép kiểm tra “{error.check}” của tiêu chí {error.criterion} bị lỗi; hãy báo cho đơn vị "
        "cung cấp gói quy tắc",
        f"check “{error.check}” of criterion {error.criterion} failed; tell whoever ships the rule "
        "pack",
    )


_DIED: Final = Text(
    f"công việc này đã {_MOST_DEATHS + 1} lần làm tiến trình dừng giữa chừng nên không được thử "
    "nữa; hãy gửi lại với ít dữ liệu hơn, hoặc báo quản trị viên",
    f"the process ended {_MOST_DEATHS + 1} times while it worked on this job, so it is not tried "
    "again; send it again with less data, or tell the administrator",
)
_REVOKED: Final = Text(
    "máy khách yêu cầu công việc này đã bị thu hồi; hãy gửi lại bằng một máy khách còn hiệu lực",
    "the client that asked for this job was revoked; send it again as a client that is valid",
)
_NOT_YOURS: Final = Text(
    "có dữ liệu không thuộc địa bàn của bạn; hãy dùng máy khách của địa bàn đó",
    "some of it is not in your territory; use a client of that territory",
)
_UNEXPECTED: Final = Text(
    "Dịch vụ gặp lỗi ngoài dự kiến và đã ghi lại. Hãy gửi lại; nếu vẫn lỗi, báo quản trị viên.",
    "The service met an unexpected error and logged it. Send it again; if it stays, tell the "
    "administrator.",
)
