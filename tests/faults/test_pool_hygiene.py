"""Transactions that are cancelled or fail, over few connections."""

from __future__ import annotations

from faults import pool_hygiene
from faults.conftest import must_hold
from faults.goals import Stage


async def test_a_transaction_leaves_nothing_on_its_connection(stage: Stage) -> None:
    """However a transaction ends, the next one on its connection sees nothing of its context."""
    must_hold(await pool_hygiene.run(stage, full=False))
