"""Which tables row security protects, which it need not, and whether it does on a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import asyncpg

from app.database.connections import SCHEMA
from app.embedded import SERVICE

# Table: what the service may do there at all, each by a policy `may_<command>`. What everyone may
# read (the register, what it says of communes) is in OPEN.
PROTECTED: Final[Mapping[str, tuple[str, ...]]] = {
    "audit_entry": ("SELECT", "INSERT"),
    "client": ("SELECT", "INSERT", "UPDATE"),
    "client_secret": ("SELECT", "INSERT", "UPDATE"),
    "current_value": ("SELECT", "INSERT", "UPDATE"),
    "data_grant": ("SELECT", "INSERT", "UPDATE"),
    "data_grant_read": ("SELECT", "INSERT"),
    "designation": ("SELECT", "INSERT"),
    "designation_withdrawal": ("SELECT", "INSERT"),
    "evaluation": ("SELECT", "INSERT"),
    "evaluation_run": ("SELECT", "INSERT", "UPDATE"),
    "evidence_confirmation": ("SELECT", "INSERT", "UPDATE"),
    "evidence_event": ("SELECT", "INSERT"),
    "evidence_file": ("SELECT", "INSERT", "UPDATE"),
    "evidence_finding": ("SELECT", "INSERT"),
    "evidence_list": ("SELECT", "INSERT", "UPDATE"),
    "evidence_list_chunk": ("SELECT", "INSERT", "DELETE"),
    "evidence_part": ("SELECT", "INSERT", "DELETE"),
    "evidence_submission": ("SELECT", "INSERT", "UPDATE"),
    "evidence_version": ("SELECT", "INSERT"),
    "job": ("SELECT", "INSERT", "UPDATE"),
    "kept_answer": ("SELECT", "INSERT", "DELETE"),
    "unit": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "unit_attribute": ("SELECT", "INSERT"),
    "unit_identifier": ("SELECT", "INSERT", "UPDATE"),
    "unit_version": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "value": ("SELECT", "INSERT"),
    "value_event": ("SELECT", "INSERT"),
    "value_import": ("SELECT", "INSERT", "UPDATE"),
    "value_import_chunk": ("SELECT", "INSERT", "DELETE"),
    "value_import_rejection": ("SELECT", "INSERT", "DELETE"),
}
OPEN: Final = frozenset({"designation", "designation_withdrawal", "unit", "unit_attribute",
                         "unit_identifier", "unit_version"})  # fmt: skip
# Every other table, and why it needs no row security.
EXEMPT: Final[Mapping[str, str]] = {
    "alembic_version": "the number of the schema, nothing else",
    "audit_pending": "numbers of entries that wait for their seal, nothing else",
    "audit_seal": "hashes by number of entry, nothing else",
    "lineage": "the register is open to every client",
    "recording": "when and by which client something was recorded, not what and not of whom",
    "register": "the register is open to every client",
    "ruleset_snapshot": "rulesets are open to every client",
}
_TABLES: Final = """
SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class
 WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p')
"""
_POLICIES: Final = """
SELECT tablename, policyname, cmd, permissive = 'PERMISSIVE' AND roles = '{public}' AS usual,
       concat_ws(' ', qual, with_check) = 'true' AS lets_all,
       coalesce(qual, 'ntm.') LIKE '%ntm.%' AND coalesce(with_check, 'ntm.') LIKE '%ntm.%'
       OR concat(qual, with_check) LIKE '%FROM client c%'
       OR qual LIKE '%FROM data_grant g%'
       OR concat(qual, with_check) LIKE '%FROM value_import i%'
       OR concat(qual, with_check) LIKE '%FROM evidence_submission s%' AS looks
  FROM pg_policies WHERE schemaname = $1
"""
# What would see more than its caller: a view that asks as its owner, a copy, a function that
# works as its owner.
_AROUND: Final = """
SELECT relname AS name FROM pg_class
 WHERE relnamespace = $1::regnamespace
   AND (relkind = 'm' OR relkind = 'v'
        AND NOT coalesce(reloptions @> '{security_invoker=true}', false))
 UNION ALL
SELECT proname FROM pg_proc WHERE pronamespace = $1::regnamespace AND prosecdef
"""


# What the service may do to whole tables, besides reading, where PROTECTED does not say it.
_RIGHTS: Final[Mapping[str, tuple[str, ...]]] = {
    "audit_pending": ("INSERT", "DELETE"),
    "audit_seal": ("INSERT",),
    "recording": ("INSERT",),
    "ruleset_snapshot": ("INSERT",),
}
_HELD: Final = """
SELECT c.relname, held.privilege
  FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) held(privilege)
 WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p')
   AND has_table_privilege($2, c.oid, held.privilege)
"""
# The triggers by which the audit refuses to be changed, as far as they are switched on.
_KEPT: Final = """
SELECT c.relname || '.kept' AS name FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
 WHERE tgname = 'kept' AND tgenabled IN ('O', 'A')
   AND c.relnamespace = $1::regnamespace AND c.relname IN ('audit_entry', 'audit_seal')
"""


async def faults(connection: asyncpg.Connection) -> list[str]:
    """Return what is wrong with what protects a database, each by its name; nothing: good."""
    forced = {row["relname"]: row["forced"] for row in await connection.fetch(_TABLES, SCHEMA)}
    policies = await connection.fetch(_POLICIES, SCHEMA)
    around = await connection.fetch(_AROUND, SCHEMA)
    return [
        *(table for table in sorted(PROTECTED) if not forced.get(table)),
        *(table for table in sorted(set(forced) - set(PROTECTED) - set(EXEMPT))),
        *_wrong_policies(policies),
        *(row["name"] for row in around),
        *await _excess(connection),
        *sorted(_KEEPING - {row["name"] for row in await connection.fetch(_KEPT, SCHEMA)}),
    ]


async def _excess(connection: asyncpg.Connection) -> list[str]:
    """Return what the service may do to tables though it need not."""
    found = [
        (row["relname"], row["privilege"]) for row in await connection.fetch(_HELD, SCHEMA, SERVICE)
    ]
    return [
        f"{table} ({privilege})"
        for table, privilege in sorted(found)
        if privilege not in PROTECTED.get(table, _RIGHTS.get(table, ()))
    ]


_KEEPING: Final = frozenset({"audit_entry.kept", "audit_seal.kept"})


def _wrong_policies(found: Iterable[asyncpg.Record]) -> list[str]:
    """Return policies that are missing, not ours, for other roles, or look at no context."""
    wanted = {
        (table, f"may_{command.lower()}", command, True, table in OPEN and command == "SELECT")
        for table, commands in PROTECTED.items()
        for command in commands
    }
    there = {
        (
            one["tablename"],
            one["policyname"],
            one["cmd"],
            one["usual"] and (one["looks"] or one["lets_all"]),
            one["lets_all"],
        )
        for one in found
    }
    return sorted({f"{table}.{policy}" for table, policy, *_ in wanted ^ there})
