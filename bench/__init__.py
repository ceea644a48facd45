"""Speed of the kernel beside a hand-written function and two rule engines: `python -m bench`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

Tree = list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to a verdict: what is called with each item, and how to read what it gives."""

    name: str
    run: Callable[[Any], Any]
    items: Sequence[Any]
    outcome: Callable[[Any], str]
    tree: Callable[[Any], Tree] | None = None


def plain(result: dict[str, Any]) -> dict[str, Any]:
    """Keep what is compared: id and outcome, and of a leaf what was observed and the reasons."""
    kept = {key: result[key] for key in ("id", "outcome")}
    if "criteria" in result:
        return kept | {"criteria": [plain(child) for child in result["criteria"]]}
    return kept | {key: result[key] for key in ("observed", "reasons") if key in result}
