"""Calls of the reading: files read in this process or in one of their own, and their reports."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import msgspec
from nasty.world import Unit, find, is_restored

from app.domain.reading import frames
from app.domain.reading.conduct import conduct
from app.domain.reading.frames import (
    Bad,
    End,
    Fault,
    Measure,
    Note,
    Order,
    Originals,
    Place,
    Places,
    Resolved,
    Rows,
    Table,
    Told,
    Unplaced,
)
from app.domain.reading.limited import reading
from app.rules.registry import Registry
from app.rules.vocabulary import LEVELS

_LEVELS: Final = list(LEVELS)


def ordered(registry: Registry, **said: Any) -> Order:
    """Return an order for the whole catalogue."""
    indicators = registry.indicators.values()
    measured = {
        level: tuple(
            one.code
            for one in indicators
            if level in one.levels or level in registry.levels_read(one.code)
        )
        for level in _LEVELS
    }
    return Order(tuple(map(Measure.of, indicators)), measured, **said)


class Report:
    """What a parent makes of the frames: counts, conflicts, warnings, faults, as the API shows."""

    def __init__(self) -> None:
        self.conflicts: dict[tuple[str, str | None], list[int]] = collections.defaultdict(list)
        self.warnings: dict[str, list[int]] = collections.defaultdict(list)
        self.faults: list[Fault] = []
        self.bads: list[Bad] = []
        self.created = self.rejected = 0
        self.tables: list[Table] = []
        self.places: list[Place] = []
        self.values: list[dict[str, Any]] = []
        self.end: End | None = None
        self.originals: list[Originals] = []

    def take(self, frame: Told) -> Resolved | None:
        """Take a frame; return the answer where it asks."""
        match frame:
            case Table():
                self.tables.append(frame)
            case Places():
                assert frame.first == len(self.places)
                self.places += frame.places
                return Resolved([self._resolved(one) for one in frame.places])
            case Rows():
                self._good(frame)
            case Bad():
                self.bads.append(frame)
                self._bad(frame.code, frame.column, frame.row, frame.cells)
            case Unplaced():
                wrong = find(self.places[frame.place])
                assert isinstance(wrong, str)
                self._bad(wrong, frame.column, frame.row, frame.cells)
            case Note():
                self.warnings[frame.code] += [] if frame.row is None else [frame.row]
            case Originals():
                self.originals.append(frame)
            case Fault():
                self.faults.append(frame)
            case End():
                self.end = frame
        return None

    def _resolved(self, place: Place) -> tuple[int, int] | None:
        found = find(place)
        if is_restored(place):
            self.warnings["code-zeros-restored"] += []
        return (found.number, _LEVELS.index(found.level)) if isinstance(found, Unit) else None

    def _good(self, frame: Rows) -> None:
        columns: Mapping[str, list[Any]] = msgspec.structs.asdict(frame.cells)
        self.created += len(frame.cells.row)
        self.values += [
            {name: said for name, said in zip(columns, one, strict=True) if said is not None}
            for one in zip(*columns.values(), strict=True)
        ]

    def _bad(self, code: str, column: str | None, row: int, cells: int) -> None:
        self.conflicts[code, column].append(row)
        self.rejected += cells

    @property
    def facts(self) -> list[tuple[Any, ...]]:
        """Return for each good value its row and what it says."""
        return [
            (one["row"], *(one[name] for name in frames.FACT if name in one)) for one in self.values
        ]


async def read_apart(
    content: bytes, registry: Registry, folder: Path, media: str | None = None, **said: Any
) -> Report:
    """Return the report on a file that is read by a process of its own."""
    path = folder / "file"
    path.write_bytes(content)
    report = Report()
    with path.open("rb") as file:
        async with reading(file, ordered(registry, media=media, **said)) as read:
            async for frame in read.frames():
                if (answer := report.take(frame)) is not None:
                    await read.answer(answer)
    return report


class _Pipes:
    """Both pipes of a reading without a process: what it tells is taken, what it asks answered."""

    def __init__(self, order: Order) -> None:
        self.report = Report()
        self._incoming = frames.packed(order)
        self._outgoing = b""
        self._decoder = msgspec.msgpack.Decoder(Told)

    def read(self, size: int) -> bytes:
        """Give the reading what comes in."""
        said, self._incoming = self._incoming[:size], self._incoming[size:]
        return said

    def write(self, content: bytes | bytearray) -> None:
        """Take what the reading tells."""
        self._outgoing += content
        while len(self._outgoing) >= 4:
            end = 4 + frames.length(self._outgoing[:4])
            answer = self.report.take(self._decoder.decode(self._outgoing[4:end]))
            self._outgoing = self._outgoing[end:]
            if answer is not None:
                self._incoming += frames.packed(answer)

    def flush(self) -> None:
        """Do nothing: everything was taken."""


def read_here(content: bytes, registry: Registry, folder: Path, **said: Any) -> Report:
    """Return the report on a file that is read in this process, for speed."""
    path = folder / "file"
    path.write_bytes(content)
    pipes = _Pipes(ordered(registry, **said))
    with path.open("rb") as file:
        conduct(file.fileno(), cast(BinaryIO, pipes), cast(BinaryIO, pipes))
    return pipes.report
