"""`ntm worker`: work on jobs without answering over HTTP, on as many hosts as there should be."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from app import logs
from app.cli.console import err, phrase, read_settings, rules
from app.cli.database import explained, progress
from app.database import Database
from app.domain.job_kinds import CHORES, KINDS
from app.domain.jobs.worker import Worker, connections
from app.domain.preparing import prepare
from app.rules.registry import Registry
from app.settings import Settings


def worker(
    at_once: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Số công việc cùng lúc; mặc định NTM_JOBS_AT_ONCE."),
    ] = None,
) -> None:
    """Làm các công việc dài (nhập tệp, đánh giá cả tỉnh) mà không phục vụ HTTP."""
    settings = read_settings()
    logs.configure(settings.log_format)
    registry = rules(settings)
    with explained():
        asyncio.run(_work(settings, registry, at_once or max(settings.jobs_at_once, 1)))


async def _work(settings: Settings, registry: Registry, at_once: int) -> None:
    """Work until the process is asked to stop; what is not done then is given back."""
    stopping = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stopping.set)
    async with Database(settings, patient=True, least=connections(at_once)) as database:
        with progress() as told:
            await prepare(database, told)
        jobs = Worker(database, registry, settings, KINDS, chores=CHORES, at_once=at_once)
        async with jobs.running():
            err().print(
                phrase(
                    f"Đang làm các công việc, {at_once} cùng lúc - dừng: Ctrl+C",
                    f"Working on jobs, {at_once} at once - stop: Ctrl+C",
                )
            )
            await stopping.wait()
