"""Evidence: what a submission (hồ sơ minh chứng) contains, slot by slot, and its tables.

A slot is one piece of evidence that a document demands for a criterion. Lists hold names of
citizens: they are stored encrypted, with keys outside the database (ADR 0039). Nothing is edited:
lists, confirmations and files are followed by later ones, findings stand.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any, Final, Literal

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, String, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.domain.territory import Territorial

State = Literal[
    "draft", "submitted", "returned", "verified", "appraised", "approved", "refused", "withdrawn"
]
# Which office writes: its level in the chain of approval.
Step = Literal["commune", "district", "department", "province"]

_Code = String(collation="C")
_OPEN: Final = text("state NOT IN ('approved', 'refused', 'withdrawn')")


class Submission(Territorial, Base):
    """A submission of one unit by one ruleset for one period, as it stands now.

    `revision` grows with every change; `version` counts how often it was submitted. `names_key`
    names the key of its lists, which lies outside the database.
    """

    __tablename__ = "evidence_submission"
    __table_args__ = (
        Index("ix_evidence_submission_unit_id", "unit_id", "ruleset", "period", "id"),
        Index("ix_evidence_submission_district_id", "district_id", "id"),
        Index("ix_evidence_submission_province_id", "province_id", "id"),
        Index("ix_evidence_submission_ended", "changed_at", postgresql_where=text(
            "state IN ('approved', 'refused', 'withdrawn')")),
        Index("uq_evidence_submission_open", "unit_id", "ruleset", "period", unique=True,
              postgresql_where=_OPEN),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    district_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    province_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    ruleset: Mapped[str] = mapped_column(_Code)
    digest: Mapped[str] = mapped_column(ForeignKey("ruleset_snapshot.digest"))
    period: Mapped[str] = mapped_column(_Code)
    period_first: Mapped[datetime.date]
    period_last: Mapped[datetime.date]
    unit_on: Mapped[datetime.date]
    state: Mapped[str] = mapped_column(_Code)
    revision: Mapped[int]
    version: Mapped[int]
    route: Mapped[str | None] = mapped_column(_Code)
    submitted_on: Mapped[datetime.date | None]
    names_key: Mapped[uuid.UUID]
    names_deleted_at: Mapped[datetime.datetime | None]
    files_deleted_at: Mapped[datetime.datetime | None]
    client: Mapped[str] = mapped_column(_Code)
    created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    changed_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())


class SubmissionEvent(Base):
    """A transition: what was done, at which step, by whom, on which document, and why."""

    __tablename__ = "evidence_event"
    __table_args__ = (Index("ix_evidence_event_submission_id", "submission_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("evidence_submission.id"))
    action: Mapped[str] = mapped_column(_Code)
    before: Mapped[str | None] = mapped_column(_Code)
    after: Mapped[str] = mapped_column(_Code)
    step: Mapped[str] = mapped_column(_Code)
    route: Mapped[str | None] = mapped_column(_Code)
    version: Mapped[int]
    client: Mapped[str] = mapped_column(_Code)
    official_id: Mapped[str | None]
    official_office: Mapped[str | None]
    official_position: Mapped[str | None]
    document: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    reason: Mapped[str | None]
    items: Mapped[list[Any]] = mapped_column(JSONB)
    day: Mapped[datetime.date]
    at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())


class SubmittedVersion(Base):
    """What a submission contained when it was submitted: slots and values, as canonical JSON."""

    __tablename__ = "evidence_version"

    submission_id: Mapped[int] = mapped_column(
        ForeignKey("evidence_submission.id"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())


class Part(Base):
    """A part of the commune (khu dân cư, thôn, ấp) whose lists and confirmations come apart."""

    __tablename__ = "evidence_part"

    submission_id: Mapped[int] = mapped_column(
        ForeignKey("evidence_submission.id"), primary_key=True
    )
    code: Mapped[str] = mapped_column(_Code, primary_key=True)
    name: Mapped[str]


class EvidenceList(Base):
    """A list that fills a slot, or a part of one: counts and a keyed digest, no names.

    `part` is empty where the list comes in one piece. `repeated` counts rows that repeat a name of
    the list itself, `repeated_before` names that stand in a part before it. `marks` are keyed
    hashes of the names, by which other parts find theirs; they end with the list.
    """

    __tablename__ = "evidence_list"
    __table_args__ = (
        Index("uq_evidence_list_current", "submission_id", "slot", "part", unique=True,
              postgresql_where=text("ended_at IS NULL")),
        Index("ix_evidence_list_submission_id", "submission_id", "id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("evidence_submission.id"))
    slot: Mapped[str] = mapped_column(_Code)
    part: Mapped[str] = mapped_column(_Code)
    digest: Mapped[str] = mapped_column(_Code)
    rows: Mapped[int]
    stated_total: Mapped[int | None] = mapped_column(BigInteger)
    repeated: Mapped[int]
    repeated_before: Mapped[int]
    marks: Mapped[bytes] = mapped_column(LargeBinary)
    client: Mapped[str] = mapped_column(_Code)
    at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_at: Mapped[datetime.datetime | None]


class EvidenceListChunk(Base):
    """Rows of a list, encrypted under the key of the submission, in the order of `number`."""

    __tablename__ = "evidence_list_chunk"

    list_id: Mapped[int] = mapped_column(ForeignKey("evidence_list.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    submission_id: Mapped[int] = mapped_column(ForeignKey("evidence_submission.id"), index=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class EvidenceConfirmation(Base):
    """Somebody whom the text or the form names has signed a list, or a part of one.

    It holds for the list as it was signed (`digest`): a list that changes is to be signed anew.
    """

    __tablename__ = "evidence_confirmation"
    __table_args__ = (
        Index("uq_evidence_confirmation_current", "submission_id", "slot", "who", "part",
              unique=True, postgresql_where=text("ended_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("evidence_submission.id"))
    slot: Mapped[str] = mapped_column(_Code)
    who: Mapped[str]
    part: Mapped[str] = mapped_column(_Code)
    digest: Mapped[str] = mapped_column(_Code)
    signed_on: Mapped[datetime.date]
    document: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    client: Mapped[str] = mapped_column(_Code)
    at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_at: Mapped[datetime.datetime | None]


class EvidenceFile(Base):
    """A file of a slot; its content lies under `stored` in the store, never under its own name.

    `step` tells which office sent it: the commune's files make up the evidence, those of offices
    that check it belong to their findings. `stored` is empty once its content was deleted.
    `personal`: it stands in a slot of a list of persons, and so may show their names.
    """

    __tablename__ = "evidence_file"
    __table_args__ = (
        Index("uq_evidence_file_current", "submission_id", "slot", "name", unique=True,
              postgresql_where=text("ended_at IS NULL")),
        Index("ix_evidence_file_stored", "stored"),
        Index("ix_evidence_file_submission_id", "submission_id", "slot", "name"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("evidence_submission.id"))
    slot: Mapped[str] = mapped_column(_Code)
    name: Mapped[str]
    media: Mapped[str] = mapped_column(_Code)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(_Code)
    stored: Mapped[str | None] = mapped_column(_Code)
    personal: Mapped[bool]
    step: Mapped[str] = mapped_column(_Code)
    client: Mapped[str] = mapped_column(_Code)
    at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_at: Mapped[datetime.datetime | None]


class EvidenceFinding(Base):
    """A field check or a system check: who, when, where, what was seen, photos (names of files)."""

    __tablename__ = "evidence_finding"
    __table_args__ = (Index("ix_evidence_finding_submission_id", "submission_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("evidence_submission.id"))
    slot: Mapped[str] = mapped_column(_Code)
    kind: Mapped[str] = mapped_column(_Code)
    found_on: Mapped[datetime.date]
    place: Mapped[str]
    seen: Mapped[str]
    holds: Mapped[bool]
    photos: Mapped[list[str]] = mapped_column(ARRAY(String))
    step: Mapped[str] = mapped_column(_Code)
    client: Mapped[str] = mapped_column(_Code)
    official_id: Mapped[str]
    official_office: Mapped[str]
    official_position: Mapped[str]
    at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())
