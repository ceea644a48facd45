"""The service as the drill of imports kills it: quick to notice that a worker died.

With the argument `careless` it loads imports without our one transaction: each frame is committed
as it comes. That is the planted bug.
"""

from __future__ import annotations

import functools
import sys

import uvicorn

import app.main as service
from app.discovery import load_registry
from app.domain.imports import KIND, placing, storing
from app.domain.imports.loading import Loader, Target
from app.domain.imports.ordering import Task
from app.domain.imports.taking import resolved
from app.domain.job_kinds import KINDS
from app.domain.jobs import queue, worker
from app.domain.jobs.running import Running
from app.domain.reading.frames import Places, Resolved, Rows
from app.domain.reading.limited import reading
from app.domain.unit_periods import Unclear
from app.settings import Settings


async def load_frame_by_frame(running: Running) -> None:
    """Do an import in as many transactions as it has frames, without the fence of a job."""
    id_ = int(running.arguments["import"])
    codes = list(running.registry.indicators)
    targets: list[Target | Unclear] = []
    with storing.spool() as file:
        async with running.database.reading() as connection:
            stored = await storing.get(connection, running.caller, id_)
            upload = await storing.write_out(connection, stored, file)
        task = Task(id_, upload, stored.wanted, running.caller, running.registry)
        async with reading(file, task.order()) as read:
            async for frame in read.frames():
                async with running.database.writing() as connection:
                    if isinstance(frame, Places):
                        territory = running.caller.territory
                        placed = await placing.find(connection, territory, frame.places)
                        targets += placed.found
                        await read.answer(Resolved([resolved(one) for one in placed.found]))
                    elif isinstance(frame, Rows):
                        loader = Loader(connection, running.caller, codes, targets, "new_version")
                        await loader.load(frame.cells)


def main() -> None:
    """Serve on the port that is the last argument, with the settings of the environment."""
    port = int(sys.argv[-1])
    quick = functools.partial(queue.Pace, poll=0.2, heartbeat=0.3, stalled=1.5, sweep=0.3)
    setattr(worker, "Pace", quick)  # noqa: B010 - a class is not assigned to
    if "careless" in sys.argv:
        setattr(service, "KINDS", {**KINDS, KIND: load_frame_by_frame})  # noqa: B010 - planted
    settings = Settings(issuer=f"http://127.0.0.1:{port}")
    uvicorn.run(service.create_app(settings, load_registry(None)), port=port, log_level="warning")


if __name__ == "__main__":
    main()
