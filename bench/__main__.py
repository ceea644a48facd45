"""Check that all contenders agree, time them in turn, print the table and the aims."""

from __future__ import annotations

import argparse
import collections
import gc
import importlib.metadata
import itertools
import platform
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from app.rules.evaluate import Compiled
from bench import Contender, Tree, by_hand, ours, peers
from bench.facts import Raw, raw_facts

BY_HAND: Final = "outcome, written by hand"
EXPLAINED: Final = "ours: explained result"
BYTES: Final = "ours: facts in, canonical explained bytes with digests"
WIDTH: Final = 120  # where the output is no terminal
PACKAGES: Final = ("zen-engine", "datalogic-py", "msgspec", "rich")


class Aim(NamedTuple):
    """How many times as fast one contender should be as another."""

    text: str
    fast: str
    than: str
    times: float


AIMS: Final = (
    Aim("explained result / hand-written speed >= 0.05", EXPLAINED, BY_HAND, 0.05),
    Aim(
        "explained result >= 50 x zen with trace (create_decision, as its guide shows)",
        EXPLAINED,
        "zen: the same through create_decision",
        50,
    ),
    Aim(
        "explained result >= 50 x zen with trace (compiled loader, its fastest path)",
        EXPLAINED,
        "zen: decision with trace",
        50,
    ),
    Aim(
        "canonical explained bytes >= datalogic objects",
        BYTES,
        "datalogic: explained tree as objects",
        1,
    ),
    Aim(
        "canonical explained bytes >= datalogic JSON",
        BYTES,
        "datalogic: explained tree as JSON",
        1,
    ),
)


class Disagreement(Exception):
    """Two contenders judge the same commune differently."""


def main() -> None:
    """Run the comparison once."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds (default: 7)")
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error("--rounds: at least 1")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(f"{platform.python_implementation()} {platform.python_version()}", *_versions())
    compiled = ours.load()
    raws = raw_facts(compiled.ruleset, compiled.indicators)
    contenders = list(_contenders(compiled, raws, console))
    counts = agree(contenders, raws)
    console.print(
        f"{len(raws)} communes of {ours.RULESET}, all contenders agree:",
        ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())),
    )
    times = measure(contenders, rounds)
    console.print(_table(times, rounds))
    _print_aims(console, {name: statistics.median(taken) for name, taken in times.items()})


def agree(contenders: Sequence[Contender], raws: Sequence[Raw]) -> collections.Counter[str]:
    """Return how often each outcome occurs; raise Disagreement where two contenders differ."""
    reference = next(one for one in contenders if one.name == EXPLAINED)
    counts: collections.Counter[str] = collections.Counter()
    for number, raw in enumerate(raws):
        result = reference.run(reference.items[number])
        outcome, tree = reference.outcome(result), ours.tree_of(result)
        counts[outcome] += 1
        for contender in contenders:
            given = contender.run(contender.items[number])
            found = contender.outcome(given)
            if found != outcome:
                raise Disagreement(
                    f"commune {number}: “{contender.name}” says {found}, "
                    f"“{reference.name}” says {outcome}; the facts: {raw}"
                )
            if contender.tree is not None and (other := contender.tree(given)) != tree:
                mine, theirs = _first_difference(tree, other)
                raise Disagreement(
                    f"commune {number}: “{contender.name}” explains {theirs}, "
                    f"“{reference.name}” explains {mine}; the facts: {raw}"
                )
    return counts


def measure(contenders: Sequence[Contender], rounds: int) -> dict[str, list[float]]:
    """Return the microseconds per commune of every round; another contender begins each round."""
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            gc.collect()
            times[contender.name].append(_timed(contender))
    return times


def _timed(contender: Contender) -> float:
    run, items = contender.run, contender.items
    start = time.perf_counter_ns()
    for item in items:
        run(item)
    return (time.perf_counter_ns() - start) / len(items) / 1000


def _contenders(compiled: Compiled, raws: Sequence[Raw], console: Console) -> Iterator[Contender]:
    inputs = [ours.ready(compiled, raw) for raw in raws]
    yield Contender(BY_HAND, by_hand.outcome, [one.facts for one in inputs], str)
    yield Contender("ours: outcome only", ours.outcome_only(compiled), inputs, str)
    yield Contender(EXPLAINED, ours.explained(compiled), inputs, ours.outcome_of, ours.tree_of)
    yield Contender(
        BYTES, ours.explained_bytes(compiled), raws, ours.outcome_of_bytes, ours.tree_of_bytes
    )
    for package, found in (
        ("zen-engine", peers.zen_contenders(compiled.ruleset, raws)),
        ("datalogic-py", peers.datalogic_contenders(compiled.ruleset, raws)),
    ):
        yield from found
        if not found:
            console.print(f"{package} is not installed, skipped: pip install -e '.\\[bench]'")


def _first_difference(mine: Tree, theirs: Tree) -> tuple[Any, Any]:
    pairs = itertools.zip_longest(_flat(mine), _flat(theirs))
    return next(((one, other) for one, other in pairs if one != other), (mine, theirs))


def _flat(tree: Tree) -> Iterator[dict[str, Any]]:
    for result in tree:
        yield {key: value for key, value in result.items() if key != "criteria"}
        yield from _flat(result.get("criteria", []))


def _versions() -> Iterator[str]:
    for package in PACKAGES:
        try:
            yield f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{package} not installed"


def _table(times: Mapping[str, Sequence[float]], rounds: int) -> Table:
    table = Table(
        title=f"Median of {rounds} interleaved rounds, garbage collector on",
        caption="x: its time as a multiple of the hand-written outcome, of our explained result",
    )
    table.add_column("contender")
    for heading in ("µs/commune", "fastest", "verdicts/s", "x by hand", "x explained"):
        table.add_column(heading, justify="right")
    by_hand_time, explained = (statistics.median(times[name]) for name in (BY_HAND, EXPLAINED))
    for name, taken in times.items():
        median = statistics.median(taken)
        table.add_row(
            name,
            f"{median:.2f}",
            f"{min(taken):.2f}",
            f"{1_000_000 / median:,.0f}",
            f"{median / by_hand_time:.2f}",
            f"{median / explained:.2f}",
        )
    return table


def _print_aims(console: Console, medians: Mapping[str, float]) -> None:
    for aim in AIMS:
        if aim.fast not in medians or aim.than not in medians:
            console.print(f"aim: {aim.text}: not measured")
            continue
        measured = medians[aim.than] / medians[aim.fast]
        reached = "reached" if measured >= aim.times else "missed"
        console.print(f"aim: {aim.text}: measured {measured:.3f}, {reached}")


if __name__ == "__main__":
    main()
