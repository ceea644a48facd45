"""Imports: files of values as people have them, what became of each, what was refused and why.

A file is read by a process of its own (`reading`), which knows no database. What it says is placed
in the register, compared with what is on record and loaded, all of it in one transaction.
"""

from __future__ import annotations

import datetime
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.domain.territory import Territorial

State = Literal["pending", "checked", "committed", "refused", "failed"]
PENDING: Final[State] = "pending"
CHECKED: Final[State] = "checked"
COMMITTED: Final[State] = "committed"
REFUSED: Final[State] = "refused"
# Never stored: the import whose job failed or was cancelled is shown so.
FAILED: Final[State] = "failed"

Mode = Literal["all", "partial"]
OnConflict = Literal["new_version", "skip", "fail"]
KIND: Final = "import"  # of job
CHUNK: Final = 256 * 1024  # bytes of a stored upload that stand in one row
_Code = String(collation="C")


class ValueImport(Territorial, Base):
    """A file that was sent, how it is to be loaded, and the report on it once there is one.

    It lies where its client lies; what the operator sent lies with the nation. `headers` are the
    headings of each sheet of which rows were refused. The file and the refused rows are kept until
    `freed_at`.
    """

    __tablename__ = "value_import"
    __table_args__ = (
        CheckConstraint("state in ('pending', 'checked', 'committed', 'refused')", name="state"),
        Index("ix_value_import_client", "client", "id"),
        Index("ix_value_import_unit_id", "unit_id", "id"),
        Index("ix_value_import_district_id", "district_id", "id"),
        Index("ix_value_import_province_id", "province_id", "id"),
        Index("ix_value_import_kept", "ended_at", postgresql_where=text("freed_at IS NULL")),
        Index("ix_value_import_job_id", "job_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    state: Mapped[str] = mapped_column(_Code)
    dry_run: Mapped[bool]
    mode: Mapped[str] = mapped_column(_Code)
    on_conflict: Mapped[str] = mapped_column(_Code)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    name: Mapped[str | None]
    media: Mapped[str | None]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(_Code)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    headers: Mapped[list[Any] | None] = mapped_column(JSONB)
    client: Mapped[str] = mapped_column(_Code)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    district_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    province_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime.datetime | None]
    freed_at: Mapped[datetime.datetime | None]


class ValueImportChunk(Base):
    """A piece of an upload that is still to be loaded, in the order of `number`."""

    __tablename__ = "value_import_chunk"

    import_id: Mapped[int] = mapped_column(ForeignKey("value_import.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class ValueImportRejection(Base):
    """A row that was refused, with its cells as they were sent and every reason; in file order."""

    __tablename__ = "value_import_rejection"

    import_id: Mapped[int] = mapped_column(ForeignKey("value_import.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sheet: Mapped[str | None]
    row: Mapped[int]
    cells: Mapped[list[str]] = mapped_column(JSONB)
    reasons: Mapped[list[Any]] = mapped_column(JSONB)
