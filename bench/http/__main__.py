"""Start both services on one database, check that they send the same, load them in turn."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.http import records
from bench.http.loading import Case, Rates, measure
from bench.http.services import services

AIM: Final = 0.5
DAY: Final = "2025-03-01"

CASES: Final = (
    Case("one unit", f"/v1/units/08287?on={DAY}", f"/units/08287?on={DAY}"),
    Case(
        "a list of 100",
        f"/v1/units?level=commune&under=25&on={DAY}&limit=100",
        f"/units?level=commune&under=province-25&on={DAY}&limit=100",
    ),
)


def main() -> None:
    """Run the comparison once."""
    parser = argparse.ArgumentParser(prog="python -m bench.http", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds (default: 7)")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a round")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, services(Path(folder)) as (ours, bare):
        for case in CASES:
            _same(json.loads(ours.ask(case.ours)), json.loads(bare.ask(case.bare)))
        cases = (*CASES, *records.prepare(ours, bare, Path(folder)))
        rates = measure((ours, bare), cases, given.rounds, given.seconds)
    _report(Console(), cases, rates, given.rounds)


def _same(ours: Any, bare: Any) -> None:
    """Stop unless both send the same; `next` is what the bare route does not find out."""
    mine, theirs = ({**one, "next": None} for one in (ours, bare))
    if mine != theirs:
        raise SystemExit("the two services do not send the same")


def _report(console: Console, cases: tuple[Case, ...], rates: Rates, rounds: int) -> None:
    table = Table(title=f"Beside bare FastAPI + asyncpg, median of {rounds} rounds")
    headings = ("answer", "callers", "ours, requests/s", "bare, requests/s", "ratio", "aim")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "answer" else "right")
    for case in cases:
        pairs = rates[case.name]
        ratio = statistics.median(mine / theirs for mine, theirs in pairs)
        table.add_row(
            case.name,
            str(case.connections),
            f"{statistics.median(mine for mine, _ in pairs):,.1f}",
            f"{statistics.median(theirs for _, theirs in pairs):,.1f}",
            f"{ratio:.2f}",
            f"{AIM}: {'reached' if ratio >= AIM else 'missed'}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
