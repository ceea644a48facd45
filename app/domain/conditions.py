"""SQL conditions that depend on what is given: texts are constants, values travel as parameters."""

from __future__ import annotations

from typing import Any

from app.domain.territory import Territory, reached


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
            first = len(self.parameters) + 1
            self.parameters.extend(territory.arrays())
            self._all.append(reached(row, first))

    def __str__(self) -> str:
        return " AND ".join(self._all) or "true"
