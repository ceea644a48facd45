"""What every command that needs the database shares: opening it, and saying what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.console import err, fail, misuse, phrase, read_settings, report_complaints
from app.database import EVERYTHING, Database, DatabaseFailed
from app.domain.audit.checkpoints import CheckpointsUnusable
from app.domain.hindrances import Hindered
from app.domain.preparing import prepare
from app.domain.refusals import Absent, Conflict, Refused
from app.domain.register import Progress as Told
from app.domain.signing_keys import KeysUnusable
from app.settings import Settings

Result = TypeVar("Result")


def use(
    work: Callable[[Database], Awaitable[Result]],
    settings: Settings | None = None,
    *,
    prepared: bool = True,
) -> Result:
    """Open the database, bring it to the head, do the work; failures end the command with 1."""

    async def run() -> Result:
        async with Database(settings or read_settings(), patient=True) as database:
            if prepared:
                with progress() as told:
                    await prepare(database, told)
            return await work(database.acting_for(EVERYTHING))

    with explained():
        return asyncio.run(run())


@contextmanager
def explained() -> Iterator[None]:
    """Say what failed and what to do next, with exit code 1; never a traceback."""
    try:
        yield
    except DatabaseFailed as error:
        if error.code == "wrong-setting":
            misuse(error.text)
        fail(error.text)
    except (Hindered, KeysUnusable, CheckpointsUnusable) as error:
        fail(error.text)
    except (Absent, Conflict) as error:
        fail(error.complaint.message)
    except Refused as error:
        report_complaints(phrase("lệnh", "the command"), error.complaints)
        raise typer.Exit(1) from error


@contextmanager
def progress() -> Iterator[Told]:
    """Yield what moves a progress bar on standard error: the step, done, in all."""
    steps = {
        "reading": phrase("Đọc danh mục đơn vị", "Reading the register"),
        "merging": phrase("Ghi vào cơ sở dữ liệu", "Writing to the database"),
        "recording": phrase("Ghi số liệu", "Recording values"),
        "evaluating": phrase("Đánh giá", "Evaluating"),
        "verifying": phrase("Kiểm tra chuỗi kiểm toán", "Verifying the audit"),
        "names": phrase("Xoá họ tên", "Deleting names"),
        "files": phrase("Xoá tệp", "Deleting files"),
    }
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bars, tasks = Progress(*columns, console=err()), {}

    def told(step: str, done: int, total: int) -> None:
        bars.start()  # not before there is something to show
        if step not in tasks:
            tasks[step] = bars.add_task(steps[step], total=total)
        bars.update(tasks[step], completed=done, total=total)

    try:
        yield told
    finally:
        if tasks:
            bars.stop()
