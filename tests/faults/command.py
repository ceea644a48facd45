"""Run the fault drills in full size and print what came out: `python -m tests.faults`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from faults.goals import GOALS, Goal, Outcome, Stage, stage_in

_COLUMNS = ("goal", "size", "result", "control", "seconds")


def main() -> int:
    """Run the goals that are named, or all; return 1 when any is missed."""
    known = [goal.name for goal in GOALS]
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("goals", nargs="*", metavar="goal", help=", ".join(known))
    parser.add_argument("--ci", action="store_true", help="the small sizes of the test suite")
    given = parser.parse_args()
    if unknown := sorted(set(given.goals) - set(known)):
        parser.error(f"unknown: {', '.join(unknown)}; known are: {', '.join(known)}")
    logging.getLogger().addHandler(
        logging.NullHandler()
    )  # what is broken on purpose is told in the table
    chosen = [goal for goal in GOALS if not given.goals or goal.name in given.goals]
    return asyncio.run(_run(chosen, full=not given.ci))


async def _run(goals: list[Goal], *, full: bool) -> int:
    # PostgreSQL runs as another user when we are root; that user must reach its socket.
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    table, missed = Table(*_COLUMNS, title="Faults", show_lines=True), 0
    console = Console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            told = progress.add_task("prepare", total=None)
            async with stage_in(folder) as stage:
                for number, goal in enumerate(goals, start=1):
                    progress.update(told, description=f"{number}/{len(goals)} {goal.title}")
                    since = time.monotonic()
                    outcome = await _outcome(goal, stage, full)
                    missed += not (outcome.good and outcome.caught)
                    _add(table, goal, outcome, time.monotonic() - since)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table)
    return 1 if missed else 0


async def _outcome(goal: Goal, stage: Stage, full: bool) -> Outcome:
    """Run one goal; a drill that breaks is a goal missed, and the others still run."""
    try:
        return await goal.run(stage, full)
    except Exception as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}"[:300]
        return Outcome("-", said, good=False, control="-", caught=False)


def _add(table: Table, goal: Goal, outcome: Outcome, seconds: float) -> None:
    good = "[green]good[/]" if outcome.good else "[red]MISSED[/]"
    caught = "[green]caught[/]" if outcome.caught else "[red]NOT CAUGHT[/]"
    table.add_row(
        f"{goal.name}\n{goal.title}",
        outcome.size,
        f"{good} {outcome.result}",
        f"{caught} {outcome.control}",
        f"{seconds:.0f}",
    )


if __name__ == "__main__":
    sys.exit(main())
