"""SQL conditions that depend on what is given: texts are constants, values travel as parameters."""

from __future__ import annotations

from typing import Any, Final

from app.domain.territory import EVALUATIONS, VALUES, Sight, Territory

# The column by which a grant can be narrowed.
_NAMED_BY: Final = {VALUES: "indicator", EVALUATIONS: "ruleset"}


class Conditions:
    """The conditions of one statement and its parameters, numbered as they are added."""

    def __init__(self) -> None:
        self.parameters: list[Any] = []
        self._all: list[str] = []

    def mark(self, value: Any) -> str:
        """Add a parameter; return how the statement names it."""
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def add(self, condition: str, *values: Any) -> None:
        """Add a condition in which `{}` stand for the values."""
        self._all.append(condition.format(*map(self.mark, values)))

    def within(self, territory: Territory | None, row: str) -> None:
        """Add the condition that a row lies in a territory, where there is one."""
        if territory is not None and not territory.nation:
            self._all.append(f"({self._lies(territory, row)})")

    def seen(self, sight: Sight, row: str) -> None:
        """Add the condition that a row lies in the caller's own territory or a grant opens it."""
        if sight.own.nation:
            return
        column = _NAMED_BY.get(sight.resource, "")
        reached = [self._lies(sight.own, row)]
        for named, territory in sight.opened().items():
            lies = f"({self._lies(territory, row)})"
            if named is not None:
                lies = f"({lies} AND {row}.{column} = ANY({self.mark(sorted(named))}::text[]))"
            reached.append(lies)
        self._all.append(f"({' OR '.join(reached)})")

    def _lies(self, territory: Territory, row: str) -> str:
        _, *arrays = territory.arrays()
        columns = zip(("unit_id", "district_id", "province_id"), arrays, strict=True)
        found = [f"{row}.{name} = ANY({self.mark(ids)}::int[])" for name, ids in columns if ids]
        return " OR ".join(found)

    def __str__(self) -> str:
        return " AND ".join(self._all) or "true"
