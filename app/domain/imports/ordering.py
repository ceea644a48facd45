"""What is to be done with which file, and what the reading process is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from app.domain.imports.storing import Options, Upload, Wanted
from app.domain.reading.frames import Measure, Order
from app.domain.territory import Caller
from app.rules.registry import Registry
from app.rules.vocabulary import LEVELS

_LEVELS: Final = tuple(LEVELS)
Tell = Callable[[int, int | None], Awaitable[None]]
MOST_AT_ONCE: Final = 30_000  # values; more than a request may wait for


class TooMuch(Exception):
    """The file holds more than a request may wait for; nothing of it was loaded."""


class Task(msgspec.Struct, frozen=True):
    """What is to be done with which file, for whom; `most` values, and `patience` in seconds.

    Without a caller it is the operator's. What was checked before (`again`) may be tried once more
    when it is refused. What cut off an attempt before this one `blames` the file if it happens
    again.
    """

    id: int
    upload: Upload
    wanted: Wanted
    caller: Caller | None
    registry: Registry
    most: int | None = None
    patience: float = 600.0
    again: bool = False
    blames: bool = False

    def order(self) -> Order:
        """Return what the reading process is told."""
        return order(self.registry, self.wanted.options, self.upload.name, self.upload.media)


def order(registry: Registry, options: Options, name: str | None, media: str | None) -> Order:
    """Return what to read of a file; `order.measured` lists levels in the order of `level`."""
    catalogue = tuple(map(Measure.of, registry.indicators.values()))
    said: dict[str, Any] = {
        field: None if value is None else str(value)
        for field, value in msgspec.structs.asdict(options).items()
    }
    return Order(catalogue, _measured(registry), name, media, **said)


def level(name: str) -> int:
    """Return the number by which the reading process knows a level."""
    return _LEVELS.index(name)


def _measured(registry: Registry) -> dict[str, tuple[str, ...]]:
    """Return for each level of units the indicators that may be recorded there."""
    levels = {code: registry.levels_recorded(code) for code in registry.indicators}
    return {
        level: tuple(code for code, recorded in levels.items() if level in recorded)
        for level in _LEVELS
    }
