"""Cancelling a job: whatever its worker has not committed by then never will be."""

from __future__ import annotations

from typing import Final

import asyncpg

from app.domain import audit
from app.domain.audit import Act
from app.domain.jobs import listing
from app.domain.refusals import Complaint, Conflict, Forbidden
from app.domain.territory import Caller
from app.rules.errors import Text

_CANCEL: Final = """
UPDATE job SET state = 'cancelled', ended_at = clock_timestamp()
 WHERE id = $1 AND state IN ('queued', 'running')
"""


async def cancel(connection: asyncpg.Connection, caller: Caller, id_: int) -> asyncpg.Record:
    """Cancel a job of the caller's own; return it.

    Raises Absent for one that the caller cannot see, Forbidden for one of another client, Conflict
    for one that has ended.
    """
    row = await listing.get(connection, caller, id_)
    if row["client"] != caller.client_id:
        message = Text(
            f"công việc số {id_} do máy khách {row['client']} yêu cầu; chỉ máy khách đó huỷ được",
            f"job {id_} was asked for by the client {row['client']}; only that client can cancel "
            "it",
        )
        raise Forbidden(Complaint("/id", "not-your-job", message))
    if await connection.execute(_CANCEL, id_) != "UPDATE 1":
        message = Text(
            f"công việc số {id_} đã kết thúc nên không huỷ được nữa; "
            f"xem kết quả tại /v1/jobs/{id_}",
            f"job {id_} has ended and can no longer be cancelled; see how at /v1/jobs/{id_}",
        )
        raise Conflict(Complaint("/id", "job-ended", message))
    place = (row["unit_id"], row["district_id"], row["province_id"])
    told = {"job": id_, "kind": row["kind"]}
    await audit.note(connection, caller, [Act("job.cancelled", place, told)])
    return await listing.get(connection, caller, id_)
