"""The audit, tampered with."""

from __future__ import annotations

from faults import audit
from faults.conftest import must_hold
from faults.goals import Stage


async def test_every_tampering_with_the_audit_is_found_and_named(stage: Stage) -> None:
    """Whatever is changed below a checkpoint, the verification tells the first bad row."""
    must_hold(await audit.run(stage, full=False))
