"""The kernel as a contender: the one place that knows how its entry points are called."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from app.discovery import load_registry
from app.rules.checks import combined
from app.rules.evaluate import Compiled
from app.rules.facts import Given, read_fact
from app.rules.verdict import Inputs, Result, canonical
from bench import Tree, plain
from bench.facts import Raw

RULESET: Final = "phutho.commune"
AS_OF: Final = datetime.date(2025, 6, 30)


def load() -> Compiled:
    """Return the compiled ruleset that is timed."""
    return load_registry(None).entries[RULESET].compiled


def ready(compiled: Compiled, raw: Raw) -> Inputs:
    """Read the facts of one commune from JSON data."""
    indicators = compiled.indicators
    facts: dict[str, Given] = {code: read_fact(indicators[code], one) for code, one in raw.items()}
    return Inputs(as_of=AS_OF, level="commune", facts=facts)


def overall(outcomes: Iterable[str]) -> str:
    """Combine the outcomes of the top criteria into one."""
    return combined("all", list(outcomes))


def outcome_only(compiled: Compiled) -> Callable[[Inputs], str]:
    """Return the shortest way to the overall outcome: the kernel's own, else over the results."""
    own: Callable[[Inputs], str] | None = getattr(compiled, "outcome", None)
    if own is not None:
        return own
    results = compiled.results
    return lambda inputs: combined("all", [result.outcome for result in results(inputs)])


def explained(compiled: Compiled) -> Callable[[Inputs], tuple[Result, ...]]:
    """Return the way from inputs to the explained results of all criteria."""
    return compiled.results


def explained_bytes(compiled: Compiled) -> Callable[[Raw], bytes]:
    """Return the whole way from JSON data to canonical bytes with both digests."""
    return lambda raw: canonical(compiled.evaluate(ready(compiled, raw)))


def outcome_of(results: tuple[Result, ...]) -> str:
    """Return the overall outcome of explained results."""
    return overall(result.outcome for result in results)


def tree_of(results: tuple[Result, ...]) -> Tree:
    """Return explained results as plain data."""
    return [plain(result) for result in json.loads(canonical(results))]


def outcome_of_bytes(judgement: bytes) -> str:
    """Return the overall outcome that canonical bytes state."""
    return str(json.loads(judgement)["outcome"])


def tree_of_bytes(judgement: bytes) -> Tree:
    """Return the explained results that canonical bytes hold."""
    found: list[dict[str, Any]] = json.loads(judgement)["criteria"]
    return [plain(result) for result in found]
