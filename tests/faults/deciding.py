"""The service as the drill of submissions kills it: whoever is killed is followed at once.

What takes long is done once; each service is a child of this process. The first argument is the day
that it is for the chain of approval. With the argument `careless` a transition and its event are
two transactions: that is the planted bug.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import signal
import sys
from typing import Any, Final

import asyncpg
import uvicorn

from app.database import Database
from app.discovery import load_registry
from app.domain.submissions import transitions
from app.domain.territory import Caller
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

_FOR_LONG: Final = 0.05  # seconds between a transition and its event: time to be killed
_tasks: Final[set[asyncio.Task[None]]] = set()


def plant(database: Database) -> None:
    """Write events in transactions of their own."""
    kept = transitions._note

    async def outside(caller: Caller, *told: Any) -> None:
        await asyncio.sleep(_FOR_LONG)
        async with database.acting_for(caller.context()).writing() as another:
            await kept(another, caller, *told)

    async def later(_: asyncpg.Connection, caller: Caller, *told: Any) -> None:
        task = asyncio.create_task(outside(caller, *told))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    setattr(transitions, "_note", later)  # noqa: B010 - planted


def serve(registry: Registry, port: int) -> None:
    """Serve on a port, with the settings of the environment."""
    settings = Settings(issuer=f"http://127.0.0.1:{port}")
    database = Database(settings)
    if "careless" in sys.argv:
        plant(database)
    day = datetime.date.fromisoformat(sys.argv[1])
    app = create_app(settings, registry, database, clock=lambda: day)
    uvicorn.run(app, port=port, log_level="warning")


def main() -> None:
    """Keep a service at the port that is the last argument, until this process is killed itself."""
    registry, port = load_registry(None), int(sys.argv[-1])
    while True:
        child = os.fork()
        if not child:
            serve(registry, port)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit("the service ended by itself")


if __name__ == "__main__":
    main()
