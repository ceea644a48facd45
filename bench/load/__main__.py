"""Fill, measure, print every figure beside its goal; `python -m bench.load --help`."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.discovery import load_registry
from bench.load import filling, imports, memory, packs, runs, statistics
from bench.load.filling import Told
from bench.load.goals import report
from bench.load.serving import Place, place, served

FULL: Final = 16_000_000
RUN_VALUES: Final = 330_000  # one of every indicator of every commune
WIDTH: Final = 120  # where the output is no terminal
_TRIES: Final = 50
PARTS: Final = ("statistics", "import", "runs", "memory")


def main() -> None:
    """Run what was asked for once."""
    given = _given()
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    wanted = given.only or PARTS
    folder = given.folder or Path(tempfile.mkdtemp(prefix="ntm-bench-"))
    try:
        if "statistics" in wanted:
            with place(folder / "filled") as filled:
                _fill(console, filled, given.values)
                with served(filled) as server:
                    figures = statistics.measure(server, given.seconds)
            report(console, f"Statistics of provinces at {given.values:,} values", figures)
        if "import" in wanted:
            with place(folder / "imports") as at, served(at) as server:
                figures = imports.measure(server, load_registry(None), given.rounds, console)
            report(console, f"Import, medians of {given.rounds} interleaved rounds", figures)
        if "runs" in wanted:
            rulesets = folder / "rulesets"
            packs.write(rulesets, load_registry(None))
            with place(folder / "runs") as at:
                _fill(console, at, RUN_VALUES)
                with served(at, rulesets) as server:
                    figures = runs.measure(server, load_registry(rulesets), given.rounds)
            title = f"Evaluation runs of the country, medians of {given.rounds} interleaved rounds"
            report(console, title, figures)
        if "memory" in wanted:
            with place(folder / "memory") as at, served(at) as server:
                figures = memory.measure(server, load_registry(None))
            report(console, "Memory of API, parser and worker", figures)
    finally:
        if given.folder is None:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder; servers that end a moment later still remove files of theirs."""
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.2)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument(
        "--values", type=int, default=FULL,
        help=f"values on record for the statistics (default: {FULL:,}: 8 minutes, 9 GB)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="rounds of what is compared")
    parser.add_argument("--seconds", type=float, default=30, help="length of the load of clients")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")
    parser.add_argument("--folder", type=Path, help="keep the databases in this folder")
    return parser.parse_args()


def _fill(console: Console, at: Place, values: int) -> None:
    """Fill a database, unless it holds values already."""
    with _progress(console) as told:
        asyncio.run(_filled(at, values, told))


async def _filled(at: Place, values: int, told: Told) -> None:
    connection = await at.as_superuser()
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM value)"):
        await filling.fill(connection, load_registry(None), values, told)
    await connection.close()


@contextmanager
def _progress(console: Console) -> Iterator[Told]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=console) as bar:
        tasks = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        yield told


if __name__ == "__main__":
    main()
