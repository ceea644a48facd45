"""The state of each slot: what the document demands, what is there, what is still missing.

`list_total`, what the list itself states and the numerator that is claimed stand side by side;
where they contradict each other it is named, and nothing is mended (domain rule B8).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.evidence import chain
from app.domain.evidence.attached import (
    FINDING_ADVERSE,
    FINDING_MISSING,
    FileState,
    FindingState,
    ListState,
    SlotState,
)
from app.domain.refusals import Absent, Complaint
from app.rules.errors import Text
from app.rules.evidence import Confirmed, Missing
from app.rules.facts import Fact, Ratio
from app.rules.forms import Slot
from app.rules.registry import Registry

_SHOWN_OF_LISTS: Final = (
    "rows", "stated_total", "repeated", "repeated_before", "digest", "at",
)  # fmt: skip
Rows = Sequence[asyncpg.Record]
_CURRENT: Final = "submission_id = $1 AND ended_at IS NULL"
_LISTS: Final = f"""
SELECT slot, part, digest, rows, stated_total, repeated, repeated_before, at
  FROM evidence_list WHERE {_CURRENT}
"""
_CONFIRMATIONS: Final = f"""
SELECT slot, who, part, digest, signed_on, document FROM evidence_confirmation WHERE {_CURRENT}
"""
_FILES: Final = f"""
SELECT slot, name, sha256, size, media FROM evidence_file
 WHERE {_CURRENT} AND step = 'commune' ORDER BY name
"""
_FINDINGS: Final = """
SELECT id, slot, kind, found_on, holds, step FROM evidence_finding
 WHERE submission_id = $1 ORDER BY id
"""
_PARTS: Final = "SELECT code FROM evidence_part WHERE submission_id = $1 ORDER BY code"


class Filled(msgspec.Struct, frozen=True):
    """What a submission contains, as rows by the slot that they stand in."""

    parts: Sequence[str]
    lists: Mapping[str, Mapping[str, asyncpg.Record]]
    confirmations: Mapping[str, Rows]
    files: Mapping[str, Rows]
    findings: Mapping[str, Rows]

    def slots(self) -> set[str]:
        """Return the slots in which there is something."""
        kinds = (self.lists, self.confirmations, self.files, self.findings)
        return {slot for kind in kinds for slot in kind}


async def filled(connection: asyncpg.Connection, submission: int) -> Filled:
    """Return everything that a submission contains."""
    lists = await connection.fetch(_LISTS, submission)
    return Filled(
        [row["code"] for row in await connection.fetch(_PARTS, submission)],
        {slot: {row["part"]: row for row in rows} for slot, rows in _by_slot(lists).items()},
        _by_slot(await connection.fetch(_CONFIRMATIONS, submission)),
        _by_slot(await connection.fetch(_FILES, submission)),
        _by_slot(await connection.fetch(_FINDINGS, submission)),
    )


async def lists_of(
    connection: asyncpg.Connection, submission: int, slot: str
) -> list[dict[str, Any]]:
    """Return the lists that stand in a slot, part by part."""
    rows = [one for one in await connection.fetch(_LISTS, submission) if one["slot"] == slot]
    return [
        {name: row[name] for name in _SHOWN_OF_LISTS} | {"part": row["part"] or None}
        for row in sorted(rows, key=lambda one: str(one["part"]))
    ]


def _by_slot(rows: Iterable[asyncpg.Record]) -> dict[str, list[asyncpg.Record]]:
    found: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        found.setdefault(row["slot"], []).append(row)
    return found


def known(registry: Registry, ruleset: str, slot: str) -> Slot:
    """Return a slot of a ruleset; raise Absent."""
    found = registry.slots.get(ruleset, {}).get(slot)
    if found is None:
        raise Absent(Complaint("/slot", "slot-not-found", unknown(ruleset)))
    return found


def unknown(ruleset: str) -> Text:
    """Say that a ruleset has no such slot."""
    return Text(
        f"bộ quy tắc {ruleset} không nêu mục minh chứng này; xem danh sách tại …/slots",
        f"the ruleset {ruleset} names no such slot; see the list at …/slots",
    )


def states(
    slots: Iterable[Slot], found: Filled, claims: Mapping[str, Fact]
) -> tuple[SlotState, ...]:
    """Return the state of each slot; `claims` are the facts of the values, by indicator."""
    return tuple(_state(one, found, claims.get(one.indicator or "")) for one in slots)


def signing_digest(lists: Mapping[str, asyncpg.Record], part: str) -> str | None:
    """Return the digest of what somebody signs: a whole list, all its parts, or one of them."""
    if "" in lists:
        return str(lists[""]["digest"])
    if part:
        return str(lists[part]["digest"]) if part in lists else None
    return _digest([(code, lists[code]["digest"]) for code in sorted(lists)]) if lists else None


def _state(slot: Slot, found: Filled, claim: Fact | None) -> SlotState:
    lists = found.lists.get(slot.slot, {})
    files = tuple(
        FileState(row["name"], row["sha256"], row["size"], row["media"])
        for row in found.files.get(slot.slot, ())
    )
    findings = tuple(
        FindingState(row["id"], row["kind"], row["found_on"], row["holds"], row["step"])
        for row in found.findings.get(slot.slot, ())
    )
    signed = found.confirmations.get(slot.slot, ())
    lacking = [
        *(_lacking_list(lists, found.parts) if "list" in slot.needs else ()),
        *(_lacking_finding(findings) if "finding" in slot.needs else ()),
        *([Missing("file-missing")] if "file" in slot.needs and not files else ()),
    ]
    unsigned = list(_unsigned(slot, lists, signed, found.parts))
    return SlotState(
        slot=slot.slot,
        criterion=slot.criterion,
        form=slot.evidence.form,
        needs=slot.needs,
        present=all(one == FINDING_ADVERSE for one in lacking),
        complete=not lacking and not unsigned,
        missing=(*lacking, *unsigned),
        list=_list_state(lists, found.parts, claim) if "list" in slot.needs else None,
        confirmations=tuple(_confirmed(slot, lists, signed, found.parts)),
        files=files,
        findings=findings,
        sha256=_whole(lists, signed, files, findings),
    )


def _lacking_list(lists: Mapping[str, asyncpg.Record], parts: Sequence[str]) -> list[Missing]:
    if "" in lists:
        return []
    if not lists:
        return [Missing("list-missing")]
    return [Missing("list-part-missing", part=part) for part in parts if part not in lists]


def _lacking_finding(findings: Sequence[FindingState]) -> list[Missing]:
    """Return what is missing of checks: that of the highest office holds, and of those its last."""
    if not findings:
        return [FINDING_MISSING]
    steps = list(chain.STEPS)
    holding = max(findings, key=lambda one: (steps.index(one.step), one.id))
    return [] if holding.holds else [FINDING_ADVERSE]


def _signers(slot: Slot, parts: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    """Return who confirms, and the parts that he signs: all of them at once, or one by one."""
    return [
        (one.who, parts if one.who == slot.in_parts and parts else ("",))
        for one in slot.evidence.confirmed_by
    ]


def _unsigned(
    slot: Slot, lists: Mapping[str, asyncpg.Record], signed: Rows, parts: Sequence[str]
) -> Iterable[Missing]:
    by_whom = {(row["who"], row["part"]): row["digest"] for row in signed}
    for who, wanted in _signers(slot, parts):
        for part in wanted:
            digest = by_whom.get((who, part))
            if digest is None:
                yield Missing("confirmation-missing", part or None, who)
            elif digest != signing_digest(lists, part):
                yield Missing("confirmation-outdated", part or None, who)


def _confirmed(
    slot: Slot, lists: Mapping[str, asyncpg.Record], signed: Rows, parts: Sequence[str]
) -> Iterable[Confirmed]:
    demanded = {one.who: one.required_by for one in slot.evidence.confirmed_by}
    for who, wanted in _signers(slot, parts):
        rows = [row for row in signed if row["who"] == who and row["part"] in wanted]
        holding = [row for row in rows if row["digest"] == signing_digest(lists, row["part"])]
        yield Confirmed(who, demanded[who], len(holding), len(wanted), len(rows) - len(holding))


def _list_state(
    lists: Mapping[str, asyncpg.Record], parts: Sequence[str], claim: Fact | None
) -> ListState:
    total = sum(row["rows"] for row in lists.values())
    stated = [row["stated_total"] for row in lists.values()]
    claimed = claim.numerator if isinstance(claim, Ratio) else None
    repeated = sum(row["repeated"] + row["repeated_before"] for row in lists.values())
    whole = "" in lists or not parts
    differs = any(row["stated_total"] not in (None, row["rows"]) for row in lists.values())
    contradictions = (
        *(("total-differs-from-rows",) if differs else ()),
        *(("list-differs-from-claim",) if lists and claimed not in (None, total) else ()),
        *(("claim-without-rows",) if lists and claim is True and not total else ()),
        *(("rows-without-claim",) if lists and claim is False and total else ()),
        *(("repeated-names",) if repeated else ()),
    )
    return ListState(
        list_total=total,
        stated_total=sum(stated) if stated and None not in stated else None,
        claimed_numerator=claimed,
        received=len(lists),
        of=1 if whole else len(parts),
        repeated=repeated,
        contradictions=contradictions,
    )


def _whole(
    lists: Mapping[str, asyncpg.Record],
    signed: Rows,
    files: Sequence[FileState],
    findings: Sequence[FindingState],
) -> str | None:
    if not (lists or signed or files or findings):
        return None
    return _digest(
        [
            sorted((part, row["digest"], row["stated_total"]) for part, row in lists.items()),
            sorted((row["who"], row["part"], row["digest"], row["signed_on"]) for row in signed),
            [(one.name, one.sha256) for one in files],
            [one.id for one in findings],
        ]
    )


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()
