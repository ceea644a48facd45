"""Values that submissions of evidence contain: frozen while they are checked, then approved.

A frozen value is neither followed nor retracted. The database refuses it (a trigger of migration
0015), so that of a submission and a correction at the same moment only one wins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import asyncpg

from app.domain.recordings import OPERATOR
from app.domain.refusals import Complaint, Conflict
from app.domain.territory import Caller
from app.domain.values import RETRACTED
from app.rules.errors import Text

FROZEN: Final = "NT001"  # SQLSTATE by which the trigger refuses; it tells the submissions
# Rows are locked in the order in which writers of values lock them. What is told of them is what
# whoever held them before has committed.
_LOCK: Final = """
SELECT c.value_id, c.status FROM current_value c
  JOIN (SELECT * FROM value WHERE id = ANY($1::bigint[])) v
    ON (v.unit_id, v.indicator, v.period) = (c.unit_id, c.indicator, c.period)
 ORDER BY c.unit_id, c.indicator, c.period
   FOR UPDATE OF c
"""
_SET: Final = """
UPDATE current_value c SET {change}
  FROM value v
 WHERE v.id = ANY($1::bigint[]) AND c.value_id = v.id
   AND (v.unit_id, v.indicator, v.period) = (c.unit_id, c.indicator, c.period)
"""
_REACH: Final = "SELECT coalesce(current_setting('ntm.nation', true), '')"
_WIDEN: Final = "SELECT set_config('ntm.nation', $1, true)"
_FREEZE: Final = _SET.format(change="frozen_by = array_append(c.frozen_by, $2)")
_RELEASE: Final = _SET.format(change="frozen_by = array_remove(c.frozen_by, $2)")
_APPROVE: Final = f"""
WITH changed AS (
  {_SET.format(change="status = 'approved'")} AND c.status = 'reported'
  RETURNING c.value_id, c.unit_id, c.district_id, c.province_id
), act AS (
  INSERT INTO recording (author) SELECT $2 WHERE EXISTS (SELECT FROM changed) RETURNING id
)
INSERT INTO value_event (recording_id, value_id, status, reason, unit_id, district_id, province_id)
SELECT act.id, value_id, 'approved', NULL, unit_id, district_id, province_id FROM changed, act
"""


async def freeze(connection: asyncpg.Connection, submission: int, values: Sequence[int]) -> None:
    """Freeze values for a submission; raise Conflict where one of them counts no more."""
    held = await connection.fetch(_LOCK, values)
    if {row["value_id"] for row in held if row["status"] != RETRACTED} != set(values):
        raise Conflict(Complaint("", "not-current", _FOLLOWED))
    await connection.execute(_FREEZE, values, submission)


@asynccontextmanager
async def _everywhere(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Reach values wherever they lie: those of a submission may lie where it did not lie itself.

    A value of a year in which the districts ended lies in none; its submission, opened before,
    lies in one. What is reached here are numbers that the submission keeps, nothing else.
    """
    reach = await connection.fetchval(_REACH)
    await connection.execute(_WIDEN, "on")
    yield  # where something fails, the transaction ends, and the setting with it
    await connection.execute(_WIDEN, reach)


async def release(connection: asyncpg.Connection, submission: int, values: Sequence[int]) -> None:
    """Let values be followed again, as far as this submission is concerned."""
    async with _everywhere(connection):
        await _hold(connection, values)
        await connection.execute(_RELEASE, values, submission)


async def approve(
    connection: asyncpg.Connection, caller: Caller | None, values: Sequence[int]
) -> None:
    """Let values be approved, as one act of recording; those that are already stay so."""
    async with _everywhere(connection):
        await _hold(connection, values)
        await connection.execute(_APPROVE, values, caller.client_id if caller else OPERATOR)


async def _hold(connection: asyncpg.Connection, values: Sequence[int]) -> None:
    """Hold values that are frozen; raise LookupError where one of them is not reached."""
    held = {row["value_id"] for row in await connection.fetch(_LOCK, values)}
    if held != set(values):
        raise LookupError("a value that is frozen is not there")


@contextmanager
def respected() -> Iterator[None]:
    """Raise Conflict, which names the submission, where a frozen value would be changed."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if error.sqlstate != FROZEN:
            raise
        raise Conflict(Complaint("", "value-frozen", _frozen(error))) from error


def _frozen(error: asyncpg.PostgresError) -> Text:
    """Return which value it is, and whose check it waits for; the trigger tells them in order."""
    indicator, period, submission = str(error.detail).split(" ")
    return Text(
        f"số liệu {indicator} kỳ {period} nằm trong hồ sơ minh chứng số {submission} đang được "
        "kiểm tra nên chưa sửa hay rút được; hãy chờ quyết định, hoặc để xã rút hồ sơ (trước khi "
        "thẩm tra) hay cơ quan đang kiểm tra trả lại hồ sơ; xem "
        f"/v1/evidence-submissions/{submission}",
        f"the value of {indicator} in {period} is in evidence submission {submission}, which is "
        "being checked, so that it is neither followed nor retracted now; wait for the decision, "
        "or let the commune withdraw the submission (before it is verified) or the office that "
        f"checks it return it; see /v1/evidence-submissions/{submission}",
    )


_FOLLOWED: Final = Text(
    "một số liệu của hồ sơ vừa được thay hoặc rút; hãy xem lại số liệu rồi nộp lại",
    "a value of the submission was followed or retracted in this moment; look at the values and "
    "submit again",
)
