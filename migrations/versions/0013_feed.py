"""The feed of values reads an act of recording in order, however many values it recorded.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ORDERED_BY = {"value": "id", "value_event": "value_id"}


def upgrade() -> None:
    """Apply the revision."""
    for table, column in ORDERED_BY.items():
        op.drop_index(f"ix_{table}_recording_id", table)
        op.create_index(f"ix_{table}_recording_id", table, ["recording_id", column])


def downgrade() -> None:
    """Take the revision back."""
    for table in ORDERED_BY:
        op.drop_index(f"ix_{table}_recording_id", table)
        op.create_index(f"ix_{table}_recording_id", table, ["recording_id"])
