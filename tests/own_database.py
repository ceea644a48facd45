"""A database, and a service on it, for one file of tests: nobody else writes there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import opened
from fastapi import FastAPI
from on_record import apart

from app.database import Database
from app.embedded import Embedded
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings


def own(name: str, **more: Any) -> tuple[Any, Any, Any]:
    """Return the fixtures `settings`, `database` and `service` of a file; `more` are settings.

    A file that only replaced `settings` would get the `database` that another file opened.
    """

    @pytest.fixture(scope="session", name="settings")
    def settings(
        cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory
    ) -> Settings:
        """A database that no other file of tests writes to."""
        found = apart(cluster, f"{name}_{worker_id}", tmp_path_factory.mktemp(name))
        return found.model_copy(update=more)

    @pytest.fixture(scope="session", name="database")
    async def database(settings: Settings) -> AsyncIterator[Database]:
        """That database, open for everything."""
        async with opened(settings) as found:
            yield found

    @pytest.fixture(scope="session", name="service")
    def service(registry: Registry, settings: Settings, database: Database) -> FastAPI:
        """The application on that database."""
        return create_app(settings, registry, database)

    return settings, database, service
