"""Separation of duties: no office and no official acts on a submission at two steps.

A check is an act like a decision: what is found decides what evidence there is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

import asyncpg

from app.domain.evidence import chain
from app.domain.refusals import Complaint, Forbidden
from app.domain.territory import Caller, Official
from app.rules.errors import Text

_ACTED: Final = """
SELECT step, client, official_id, official_office FROM evidence_event WHERE submission_id = $1
 UNION
SELECT step, client, official_id, official_office FROM evidence_finding WHERE submission_id = $1
"""


async def acted(connection: asyncpg.Connection, submission: int) -> list[asyncpg.Record]:
    """Return who has acted on a submission, at which step."""
    return list(await connection.fetch(_ACTED, submission))


def elsewhere(
    acts: Iterable[asyncpg.Record], step: str, caller: Caller, official: Official | None
) -> str | None:
    """Return another step at which this office or official has acted already."""
    for row in acts:
        if row["step"] == step:
            continue
        same_official = official is not None and (
            plain(row["official_id"]) == plain(official.id)
            or plain(row["official_office"]) == plain(official.office)
        )
        if row["client"] == caller.client_id or same_official:
            return str(row["step"])
    return None


def check(
    acts: Iterable[asyncpg.Record], step: str, caller: Caller, official: Official, where: str
) -> None:
    """Raise Forbidden for who has acted at another step."""
    earlier = elsewhere(acts, step, caller, official)
    if earlier is not None:
        raise Forbidden(Complaint(where, "separation-of-duties", _separate(earlier)))


def plain(text: str | None) -> str:
    """Return a number or an office as it is compared: however it was typed.

    Wide forms, case, spaces, kinds of dashes and what cannot be seen make no difference.
    """
    folded = unicodedata.normalize("NFKC", text or "").casefold()
    written = ("-" if unicodedata.category(one) == "Pd" else one for one in folded)
    seen = "".join(one for one in written if unicodedata.category(one) != "Cf")
    return " ".join(seen.split())


def _separate(step: str) -> Text:
    office = chain.STEPS[step].office
    return Text(
        f"cơ quan hoặc cán bộ này đã xử lý hồ sơ ở bước khác ({office.vi}); mỗi bước phải do cơ "
        "quan và cán bộ khác nhau thực hiện",
        f"this office or official acted on the submission at another step already ({office.en}); "
        "every step is taken by another office and another official",
    )
