"""Which kinds of jobs there are, what each does, and what workers do beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from app.domain import evaluation_runs, impact, imports
from app.domain.evaluation_runs import conducting as conducting_runs
from app.domain.impact import conducting as weighing
from app.domain.imports import conducting as importing
from app.domain.imports import freeing
from app.domain.jobs.running import Kind
from app.domain.jobs.worker import Chore

KINDS: Final[Mapping[str, Kind]] = {
    evaluation_runs.KIND: conducting_runs.run,
    impact.KIND: weighing.run,
    imports.KIND: importing.run,
}
CHORES: Final[Sequence[Chore]] = (freeing.free,)
