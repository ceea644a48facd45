"""What a submission contained when it was submitted, and which submission a verdict rests on."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain.evidence import chain
from app.rules.evidence import Attached, Confirmed, Missing, SlotEvidence

FINDING_MISSING: Final = Missing("finding-missing")
FINDING_ADVERSE: Final = Missing("finding-adverse")
_OF_FINDINGS: Final = (FINDING_MISSING, FINDING_ADVERSE)


class ListState(msgspec.Struct, frozen=True, gc=False):
    """A list beside the claim that it is to support: none of the three becomes another.

    `list_total` counts its rows, `stated_total` is what its last line says, `claimed_numerator`
    is that of the indicator's value. `received` of `of` parts are there.
    """

    list_total: int
    stated_total: int | None
    claimed_numerator: int | None
    received: int
    of: int
    repeated: int
    contradictions: tuple[str, ...] = ()


class FileState(msgspec.Struct, frozen=True, gc=False):
    """A file of the commune that stands in a slot."""

    name: str
    sha256: str
    size: int
    media: str


class FindingState(msgspec.Struct, frozen=True, gc=False):
    """A check that was made for a slot, by which office, and whether what is demanded was seen."""

    id: int
    kind: str
    found_on: datetime.date
    holds: bool
    step: str


class SlotState(msgspec.Struct, frozen=True):
    """A slot as it stands: what the document demands there, what is there, what is missing.

    `present` tells that all kinds of evidence it needs are there; `complete` that everybody who
    has to confirm has done so as well. `sha256` stands for everything in it.
    """

    slot: str
    criterion: str
    form: str | None
    needs: tuple[str, ...]
    present: bool
    complete: bool
    missing: tuple[Missing, ...]
    list: ListState | None
    confirmations: tuple[Confirmed, ...]
    files: tuple[FileState, ...]
    findings: tuple[FindingState, ...]
    sha256: str | None


class ContainedValue(msgspec.Struct, frozen=True, gc=False):
    """A value that a submission contains, by its number."""

    indicator: str
    period: str
    value_id: int


class Content(msgspec.Struct, frozen=True):
    """What a submission contained when it was submitted, by the ruleset of this digest."""

    digest: str
    slots: tuple[SlotState, ...]
    values: tuple[ContainedValue, ...]


# Of one unit the last one that was approved; otherwise the last one that is on its way.
_COUNTING: Final = """
SELECT DISTINCT ON (s.unit_id) s.unit_id, s.id, s.version, s.state, v.content
  FROM evidence_submission s
  JOIN evidence_version v ON v.submission_id = s.id AND v.number = s.version
 WHERE s.unit_id = ANY($1::int[]) AND s.ruleset = $2 AND s.period = $3
   AND s.state = ANY($4)
 ORDER BY s.unit_id, s.state = 'approved' DESC, s.id DESC
"""
_COUNTS: Final = (*chain.CHECKED, "approved")
# Offices that check record findings when the version is kept already: that of the highest office
# of a slot holds, and of those its last.
_CHECKED: Final = """
SELECT DISTINCT ON (submission_id, slot) submission_id, slot, holds
  FROM evidence_finding WHERE submission_id = ANY($1::bigint[])
 ORDER BY submission_id, slot, array_position($2::text[], step) DESC, id DESC
"""


async def of(
    connection: asyncpg.Connection, units: Sequence[int], ruleset: str, period: str
) -> Mapping[int, Attached]:
    """Return what counts as evidence of units by a ruleset in a period, where there is any."""
    rows = await connection.fetch(_COUNTING, units, ruleset, period, _COUNTS)
    checked = await _checked(connection, [row["id"] for row in rows]) if rows else {}
    contents = [msgspec.json.decode(row["content"], type=Content) for row in rows]
    return {
        row["unit_id"]: Attached(
            row["id"], row["version"], row["state"],
            _slots(content, checked.get(row["id"], {})),
            {one.indicator: one.value_id for one in content.values},
        )
        for row, content in zip(rows, contents, strict=True)
    }  # fmt: skip


async def _checked(
    connection: asyncpg.Connection, submissions: Sequence[int]
) -> Mapping[int, Mapping[str, bool]]:
    """Return what the check of each slot that holds saw, by submission."""
    found: dict[int, dict[str, bool]] = {}
    for row in await connection.fetch(_CHECKED, submissions, list(chain.STEPS)):
        found.setdefault(row["submission_id"], {})[row["slot"]] = row["holds"]
    return found


def _slots(content: Content, checked: Mapping[str, bool]) -> dict[str, SlotEvidence]:
    return {one.slot: _slot(one, checked.get(one.slot)) for one in content.slots}


def _slot(one: SlotState, holds: bool | None) -> SlotEvidence:
    """Return a slot as it was submitted, with the check that holds of those made until now."""
    if holds is None or "finding" not in one.needs:
        return SlotEvidence(one.present, one.complete, one.missing, one.confirmations)
    told = [missing for missing in one.missing if missing not in _OF_FINDINGS]
    missing = (*told, *(() if holds else (FINDING_ADVERSE,)))
    present = all(lacking.code.startswith("confirmation-") for lacking in told)
    return SlotEvidence(present, not missing, missing, one.confirmations)
