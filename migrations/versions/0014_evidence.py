"""Evidence submissions: what they contain, the transitions they went through, their versions.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

CODE = sa.String(collation="C")
PLACE = {"unit_id": "units", "district_id": "districts", "province_id": "provinces"}
STATES = [
    "draft",
    "submitted",
    "returned",
    "verified",
    "appraised",
    "approved",
    "refused",
    "withdrawn",
]
ENDED = "('approved', 'refused', 'withdrawn')"
# What changes of a submission, and of what it contains; everything else stands as it was written.
WRITTEN = {
    "evidence_submission": ("state", "revision", "version", "route", "submitted_on", "changed_at",
                            "digest", "names_deleted_at", "files_deleted_at"),
    "evidence_list": ("ended_at", "marks", "repeated_before"),
    "evidence_confirmation": ("ended_at",),
    "evidence_file": ("ended_at", "stored"),
}  # fmt: skip
PARTS = ("evidence_event", "evidence_version", "evidence_part", "evidence_list",
         "evidence_list_chunk", "evidence_confirmation", "evidence_file",
         "evidence_finding")  # fmt: skip
DELETED = ("evidence_part", "evidence_list_chunk")


def told(name: str) -> str:
    """Return the SQL that reads a setting; null when the transaction was told nothing."""
    return f"(SELECT nullif(current_setting('ntm.{name}', true), ''))"


def lies() -> str:
    """Return the SQL that a submission lies in the territory that the transaction works for."""
    among = (f"{column} = ANY (({told(name)}::int[])::int[])" for column, name in PLACE.items())
    return f"({told('nation')} IS NOT NULL OR {' OR '.join(among)})"


# What a submission contains is seen and written by whoever reaches the submission itself.
SEEN = "EXISTS (SELECT FROM evidence_submission s WHERE s.id = submission_id)"


def upgrade() -> None:
    """Apply the revision."""
    _make_submission()
    _make_history()
    _make_lists()
    _make_contents()
    _protect("evidence_submission", {
        "SELECT": f"USING ({lies()})",
        "INSERT": f"WITH CHECK ({lies()})",
        "UPDATE": f"USING ({lies()}) WITH CHECK ({lies()})",
    })  # fmt: skip
    for table in PARTS:
        _protect(table, {
            "SELECT": f"USING ({SEEN})",
            "INSERT": f"WITH CHECK ({SEEN})",
            **({"UPDATE": f"USING ({SEEN}) WITH CHECK ({SEEN})"} if table in WRITTEN else {}),
            **({"DELETE": f"USING ({SEEN})"} if table in DELETED else {}),
        })  # fmt: skip
    op.execute(f"GRANT SELECT, INSERT ON evidence_submission, {', '.join(PARTS)} TO ntm_service")
    op.execute(f"GRANT DELETE ON {', '.join(DELETED)} TO ntm_service")
    for table, columns in WRITTEN.items():
        op.execute(f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO ntm_service")


def downgrade() -> None:
    """Take the revision back."""
    for table in (*reversed(PARTS), "evidence_submission"):
        op.drop_table(table)


def _make_submission() -> None:
    op.create_table(
        "evidence_submission",
        _id(),
        *(sa.Column(name, sa.Integer(), nullable=name != "unit_id") for name in PLACE),
        sa.Column("ruleset", CODE, nullable=False),
        sa.Column("digest", CODE, nullable=False),
        sa.Column("period", CODE, nullable=False),
        sa.Column("period_first", sa.Date(), nullable=False),
        sa.Column("period_last", sa.Date(), nullable=False),
        sa.Column("unit_on", sa.Date(), nullable=False),
        sa.Column("state", CODE, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("route", CODE, nullable=True),
        sa.Column("submitted_on", sa.Date(), nullable=True),
        sa.Column("names_key", sa.Uuid(), nullable=False),
        sa.Column("names_deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("files_deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("client", CODE, nullable=False),
        _moment("created_at", "now()"),
        _moment("changed_at", "now()"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_submission")),
        sa.CheckConstraint(
            f"state in ({', '.join(repr(one) for one in STATES)})",
            name=op.f("ck_evidence_submission_state"),
        ),
        sa.ForeignKeyConstraint(
            ["digest"], ["ruleset_snapshot.digest"], name=op.f("fk_evidence_submission_digest")
        ),
        *(
            sa.ForeignKeyConstraint(
                [name], ["unit.id"], name=op.f(f"fk_evidence_submission_{name}")
            )
            for name in PLACE
        ),
    )
    open_ = sa.text(f"state NOT IN {ENDED}")
    key = ["unit_id", "ruleset", "period"]
    op.create_index("ix_evidence_submission_unit_id", "evidence_submission", [*key, "id"])
    op.create_index(
        "ix_evidence_submission_district_id", "evidence_submission", ["district_id", "id"]
    )
    op.create_index(
        "ix_evidence_submission_province_id", "evidence_submission", ["province_id", "id"]
    )
    op.create_index(
        "ix_evidence_submission_ended", "evidence_submission", ["changed_at"],
        postgresql_where=sa.text(f"state IN {ENDED}"),
    )  # fmt: skip
    op.create_index(
        "uq_evidence_submission_open", "evidence_submission", key,
        unique=True, postgresql_where=open_,
    )  # fmt: skip


def _make_history() -> None:
    op.create_table(
        "evidence_event",
        _id(),
        _submission(),
        sa.Column("action", CODE, nullable=False),
        sa.Column("before", CODE, nullable=True),
        sa.Column("after", CODE, nullable=False),
        sa.Column("step", CODE, nullable=False),
        sa.Column("route", CODE, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("client", CODE, nullable=False),
        sa.Column("official_id", sa.String(), nullable=True),
        sa.Column("official_office", sa.String(), nullable=True),
        sa.Column("official_position", sa.String(), nullable=True),
        sa.Column("document", JSONB(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("items", JSONB(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        _moment("at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_event")),
        _of_submission("evidence_event"),
    )
    op.create_index("ix_evidence_event_submission_id", "evidence_event", ["submission_id", "id"])
    op.create_table(
        "evidence_version",
        _submission(),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _moment("at"),
        sa.PrimaryKeyConstraint("submission_id", "number", name=op.f("pk_evidence_version")),
        _of_submission("evidence_version"),
    )
    op.create_table(
        "evidence_part",
        _submission(),
        sa.Column("code", CODE, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("submission_id", "code", name=op.f("pk_evidence_part")),
        _of_submission("evidence_part"),
    )


def _make_lists() -> None:
    op.create_table(
        "evidence_list",
        _id(),
        _submission(),
        sa.Column("slot", CODE, nullable=False),
        sa.Column("part", CODE, nullable=False),
        sa.Column("digest", CODE, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("stated_total", sa.BigInteger(), nullable=True),
        sa.Column("repeated", sa.Integer(), nullable=False),
        sa.Column("repeated_before", sa.Integer(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.Column("client", CODE, nullable=False),
        _moment("at"),
        _ended(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_list")),
        _of_submission("evidence_list"),
    )
    _one_current("evidence_list", ["submission_id", "slot", "part"])
    op.create_index("ix_evidence_list_submission_id", "evidence_list", ["submission_id", "id"])
    op.create_table(
        "evidence_list_chunk",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _submission(),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "number", name=op.f("pk_evidence_list_chunk")),
        sa.ForeignKeyConstraint(
            ["list_id"], ["evidence_list.id"], name=op.f("fk_evidence_list_chunk_list_id")
        ),
        _of_submission("evidence_list_chunk"),
    )
    op.create_index(
        op.f("ix_evidence_list_chunk_submission_id"), "evidence_list_chunk", ["submission_id"]
    )


def _make_contents() -> None:
    op.create_table(
        "evidence_confirmation",
        _id(),
        _submission(),
        sa.Column("slot", CODE, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("part", CODE, nullable=False),
        sa.Column("digest", CODE, nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("document", JSONB(), nullable=True),
        sa.Column("client", CODE, nullable=False),
        _moment("at"),
        _ended(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_confirmation")),
        _of_submission("evidence_confirmation"),
    )
    _one_current("evidence_confirmation", ["submission_id", "slot", "who", "part"])
    op.create_table(
        "evidence_file",
        _id(),
        _submission(),
        sa.Column("slot", CODE, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("media", CODE, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", CODE, nullable=False),
        sa.Column("stored", CODE, nullable=True),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("step", CODE, nullable=False),
        sa.Column("client", CODE, nullable=False),
        _moment("at"),
        _ended(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_file")),
        _of_submission("evidence_file"),
    )
    _one_current("evidence_file", ["submission_id", "slot", "name"])
    op.create_index("ix_evidence_file_stored", "evidence_file", ["stored"])
    op.create_index(
        "ix_evidence_file_submission_id", "evidence_file", ["submission_id", "slot", "name"]
    )
    op.create_table(
        "evidence_finding",
        _id(),
        _submission(),
        sa.Column("slot", CODE, nullable=False),
        sa.Column("kind", CODE, nullable=False),
        sa.Column("found_on", sa.Date(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("seen", sa.String(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("photos", ARRAY(sa.String()), nullable=False),
        sa.Column("step", CODE, nullable=False),
        sa.Column("client", CODE, nullable=False),
        sa.Column("official_id", sa.String(), nullable=False),
        sa.Column("official_office", sa.String(), nullable=False),
        sa.Column("official_position", sa.String(), nullable=False),
        _moment("at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_finding")),
        _of_submission("evidence_finding"),
    )
    op.create_index(
        "ix_evidence_finding_submission_id", "evidence_finding", ["submission_id", "id"]
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False)


def _submission() -> sa.Column[int]:
    return sa.Column("submission_id", sa.BigInteger(), nullable=False)


def _of_submission(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["submission_id"], ["evidence_submission.id"], name=op.f(f"fk_{table}_submission_id")
    )


def _moment(name: str, default: str = "clock_timestamp()") -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text(default), nullable=False
    )


def _ended() -> sa.Column[object]:
    """Return when something was followed by a later one, or taken back."""
    return sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True)


def _one_current(table: str, key: list[str]) -> None:
    op.create_index(
        f"uq_{table}_current", table, key, unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )  # fmt: skip


def _protect(table: str, policies: dict[str, str]) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for command, clause in policies.items():
        op.execute(f"CREATE POLICY may_{command.lower()} ON {table} FOR {command} {clause}")
