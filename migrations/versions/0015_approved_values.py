"""Values are frozen while submissions of evidence that contain them are checked, then approved.

Verdicts say which values counted, and what evidence was attached.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATUSES = {
    "current_value": ("ck_current_value_status", "'reported', 'retracted'"),
    "value_event": ("ck_value_event_status", "'superseded', 'retracted'"),
}
JUDGED = ("evaluation", "evaluation_run")
# The condition is a part of the trigger: for a value that is not frozen nothing is called.
TRIGGER = """
CREATE FUNCTION refuse_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a frozen value' USING ERRCODE = 'NT001',
    DETAIL = concat_ws(' ', OLD.indicator, OLD.period, OLD.frozen_by[1]);
END $$;
"""
CREATE = """
CREATE TRIGGER frozen BEFORE UPDATE ON current_value FOR EACH ROW
  WHEN (cardinality(OLD.frozen_by) > 0
        AND (NEW.value_id <> OLD.value_id OR NEW.status = 'retracted'))
  EXECUTE FUNCTION refuse_frozen()
"""


def upgrade() -> None:
    """Apply the revision."""
    op.add_column(
        "current_value",
        sa.Column("frozen_by", ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
    )
    _allow(", 'approved'")
    op.execute(TRIGGER)
    op.execute(CREATE)
    op.add_column("evaluation", sa.Column("evidence", sa.LargeBinary(), nullable=True))
    for table in JUDGED:
        op.add_column(table, sa.Column("min_status", sa.String(collation="C"), nullable=True))


def downgrade() -> None:
    """Take the revision back; what was approved counts as reported again."""
    for table in JUDGED:
        op.drop_column(table, "min_status")
    op.drop_column("evaluation", "evidence")
    op.execute("DROP TRIGGER frozen ON current_value")
    op.execute("DROP FUNCTION refuse_frozen()")
    op.execute("UPDATE current_value SET status = 'reported' WHERE status = 'approved'")
    op.execute("DELETE FROM value_event WHERE status = 'approved'")
    _allow("")
    op.drop_column("current_value", "frozen_by")


def _allow(more: str) -> None:
    """Say which statuses there are; every row is gone through once, which takes a while."""
    for table, (name, statuses) in STATUSES.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (status in ({statuses}{more}))"
            " NOT VALID"
        )
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
