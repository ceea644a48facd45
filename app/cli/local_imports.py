"""Importing a file into the database of this machine, as the operator, the way the API does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.progress import Progress

from app.api.import_shapes import shown
from app.cli.console import language, phrase
from app.cli.database import use
from app.cli.import_options import Options
from app.database import Database
from app.domain.facts_csv import read_day
from app.domain.imports import beginning, rejecting, storing
from app.domain.imports.storing import Stored, Upload, Wanted
from app.rules.registry import Registry
from app.settings import Settings


class LocalImports:
    """Files are loaded into the database that the settings name, or the embedded one."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings, self._registry = settings, registry
        self._prepared = False

    def load(self, file: Path, options: Options, bars: Progress) -> Mapping[str, Any]:
        """Load a file and return the report on it; raise Refused."""
        bar = bars.add_task(phrase("Nạp", "Loading"), total=None)

        async def tell(done: int, total: int | None) -> None:
            bars.update(bar, completed=done, total=total)

        async def work(database: Database) -> Stored:
            with file.open("rb") as opened:
                upload, wanted = Upload.of(opened, file.name), _wanted(options)
                return await beginning.locally(database, self._registry, upload, wanted, tell)

        try:
            stored = use(work, self._settings, prepared=not self._prepared)
        finally:
            bars.remove_task(bar)
        self._prepared = True
        return shown(stored)

    def rejected(self, id_: int, target: Path) -> None:
        """Write the rows that an import refused to a file."""

        async def work(database: Database) -> None:
            async with database.reading() as connection:
                stored = await storing.get(connection, None, id_)
            with target.open("wb") as file:
                async for part in rejecting.as_csv(database, stored, language()):
                    file.write(part)

        use(work, self._settings, prepared=False)


def _wanted(options: Options) -> Wanted:
    reading = storing.Options(
        options.encoding,
        options.locale and options.locale.value,
        options.sheet,
        options.period,
        read_day(options.on) if options.on else None,
        options.source,
        read_day(options.measured_on) if options.measured_on else None,
    )
    return Wanted(reading, options.dry_run, options.mode.value, options.on_conflict.value)
