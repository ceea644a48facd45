"""Jobs in tests: worked off without a server."""

from __future__ import annotations

from collections.abc import Mapping

from app.database import Database
from app.domain.job_kinds import KINDS
from app.domain.jobs.running import Kind
from app.domain.jobs.worker import Worker
from app.rules.registry import Registry
from app.settings import Settings


async def work_off(
    settings: Settings,
    database: Database,
    registry: Registry,
    kinds: Mapping[str, Kind] = KINDS,
) -> None:
    """Run the jobs that wait, until none is left; `kinds` are those there are, or a test's own."""
    await Worker(database, registry, settings, kinds).work_off()
