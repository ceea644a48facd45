"""Figures beside their goals."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Figure(NamedTuple):
    """What was measured, and what was to be reached; without a goal it is for comparison."""

    name: str
    measured: str
    goal: str = ""
    reached: bool | None = None


def report(console: Console, title: str, figures: Sequence[Figure]) -> None:
    """Print figures with what was to be reached."""
    table = Table(title=title)
    table.add_column("what", overflow="fold")
    table.add_column("measured", justify="right")
    table.add_column("goal", justify="right")
    for one in figures:
        ended = {True: "reached", False: "missed", None: ""}[one.reached]
        table.add_row(one.name, one.measured, f"{one.goal} {ended}".strip())
    console.print(table)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of their time divided by ours, round by round: above 1, ours is faster."""
    return statistics.median(them / us for us, them in zip(ours, theirs, strict=True))


def seconds(taken: Sequence[float]) -> str:
    """Return the median of what some rounds took, with the fastest and the slowest."""
    return f"{statistics.median(taken):.2f} s ({min(taken):.2f} to {max(taken):.2f})"
