"""Row security: who sees and writes which rows, below whatever the application checks.

Every policy reads what its transaction was told (`app/database/context.py`); a transaction that
was told nothing sees nothing. The owner is bound too (FORCE) and tells its own connections so.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def told(name: str) -> str:
    """Return the SQL that reads a setting; null when the transaction was told nothing.

    A setting that was set in an earlier transaction is empty afterwards, not absent. As a query of
    its own it is read once for a statement, not for each row.
    """
    return f"(SELECT nullif(current_setting('ntm.{name}', true), ''))"


def among(column: str, name: str, kind: str = "int") -> str:
    """Return the SQL that a column is one of the ids of a setting."""
    array = f"SELECT nullif(current_setting('ntm.{name}', true), '')::{kind}[]"
    return f"{column} = ANY (({array})::{kind}[])"


def lies(row: str) -> str:
    """Return the SQL that a row lies in the territory that the transaction works for."""
    columns = (("unit_id", "units"), ("district_id", "districts"), ("province_id", "provinces"))
    reached = " OR ".join(among(f"{row}.{column}", name) for column, name in columns)
    return f"({NATION} OR {reached})"


def granted(row: str, resource: str, narrowed: str, by: str) -> str:
    """Return the SQL that one of the grants the transaction was told of opens a row."""
    return f"""EXISTS (
      SELECT FROM data_grant g
       WHERE {among("g.id", "grants", "bigint")} AND '{resource}' = ANY (g.resources)
         AND (g.{narrowed} IS NULL OR {row}.{by} = ANY (g.{narrowed}))
         AND g.revoked_at IS NULL AND g.until > now()
         AND ({row}.unit_id = ANY (g.units) OR {row}.district_id = ANY (g.districts)
              OR {row}.province_id = ANY (g.provinces)))"""


NATION = f"{told('nation')} IS NOT NULL"
SELF = f"client_id = {told('client')}"
IDENTIFIED = (
    f"EXISTS (SELECT FROM unit_version v WHERE v.unit_id = unit_identifier.unit_id AND {lies('v')})"
)
# command: condition; USING for what is read or changed, WITH CHECK for what is written.
POLICIES: dict[str, dict[str, str]] = {
    "value": {
        "SELECT": f"{lies('value')} OR {granted('value', 'values', 'indicators', 'indicator')}",
        "INSERT": lies("value"),
    },
    "current_value": {
        "SELECT": f"{lies('current_value')} OR "
        + granted("current_value", "values", "indicators", "indicator"),
        "INSERT": lies("current_value"),
        "UPDATE": lies("current_value"),
    },
    "value_event": {
        "SELECT": f"{lies('value_event')} OR "
        "EXISTS (SELECT FROM value v WHERE v.id = value_event.value_id)",
        "INSERT": lies("value_event"),
    },
    "evaluation": {
        "SELECT": f"{lies('evaluation')} OR "
        + granted("evaluation", "evaluations", "rulesets", "ruleset"),
        "INSERT": lies("evaluation"),
    },
    "unit_attribute": {"SELECT": "true", "INSERT": lies("unit_attribute")},
    "designation": {"SELECT": "true", "INSERT": lies("designation")},
    "designation_withdrawal": {
        "SELECT": "true",
        "INSERT": "EXISTS (SELECT FROM designation d "
        f"WHERE d.id = designation_withdrawal.designation_id AND {lies('d')})",
    },
    "unit": {
        "SELECT": "true",
        "INSERT": f"{NATION} OR level = 'hamlet'",
        "UPDATE": NATION,
        "DELETE": NATION,
    },
    "unit_version": {
        "SELECT": "true",
        "INSERT": f"{NATION} OR {among('parent_id', 'units')} "
        f"OR {among('district_id', 'districts')} OR {among('province_id', 'provinces')}",
        "UPDATE": NATION,
        "DELETE": NATION,
    },
    "unit_identifier": {
        "SELECT": "true",
        "INSERT": IDENTIFIED,
        "UPDATE": IDENTIFIED,
    },
    "client": {
        "SELECT": f"{SELF} OR {lies('client')}",
        "INSERT": lies("client"),
        "UPDATE": lies("client"),
    },
    "client_secret": dict.fromkeys(
        ("SELECT", "INSERT", "UPDATE"),
        "EXISTS (SELECT FROM client c WHERE c.id = client_secret.client_id)",
    ),
    "data_grant": {
        "SELECT": f"{lies('data_grant')} OR to_client = {told('client')} OR EXISTS ("
        f"SELECT FROM client c WHERE c.{SELF} AND c.unit_id = data_grant.to_unit_id)",
        "INSERT": lies("data_grant"),
        "UPDATE": lies("data_grant"),
    },
    "data_grant_read": {
        "SELECT": "EXISTS (SELECT FROM data_grant g WHERE g.id = data_grant_read.grant_id)",
        "INSERT": among("grant_id", "grants", "bigint"),
    },
    "audit_entry": {"SELECT": lies("audit_entry"), "INSERT": lies("audit_entry")},
    "kept_answer": {
        "SELECT": f"{NATION} OR client = {told('client')}",
        "INSERT": f"client = {told('client')}",
        "DELETE": NATION,
    },
}


def upgrade() -> None:
    """Apply the revision."""
    _name_authors()
    for table, policies in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        for command, condition in policies.items():
            clauses = {
                "INSERT": f"WITH CHECK ({condition})",
                "UPDATE": f"USING ({condition}) WITH CHECK ({condition})",
            }
            clause = clauses.get(command, f"USING ({condition})")
            name = f"may_{command.lower()}"
            op.execute(f"CREATE POLICY {name} ON {table} FOR {command} {clause}")


def downgrade() -> None:
    """Take the revision back."""
    for table, policies in POLICIES.items():
        for command in policies:
            op.execute(f"DROP POLICY may_{command.lower()} ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.add_column("recording", sa.Column("recorded_by", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE recording r SET recorded_by = c.id FROM client c WHERE c.client_id = r.author"
    )
    op.create_foreign_key(
        op.f("fk_recording_recorded_by"), "recording", "client", ["recorded_by"], ["id"]
    )
    op.drop_column("recording", "author")


def _name_authors() -> None:
    """Let an act of recording name its author itself: the author's row may be hidden."""
    column = sa.Column(
        "author", sa.String(collation="C"), server_default=sa.text("'ntm'"), nullable=False
    )
    op.add_column("recording", column)
    op.execute(
        "UPDATE recording r SET author = c.client_id FROM client c WHERE c.id = r.recorded_by"
    )
    op.drop_column("recording", "recorded_by")
