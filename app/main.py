"""Wire the service: settings, rulesets, routes, errors, offline documentation."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from app.api import (
    audit,
    clients,
    commune_maps,
    commune_values,
    communes,
    designations,
    documentation,
    errors,
    evaluation_exports,
    evaluation_runs,
    evaluations,
    evidence_downloads,
    evidence_files,
    evidence_forms,
    evidence_lists,
    evidence_names,
    evidence_slots,
    evidence_submissions,
    grants,
    hamlets,
    health,
    impact,
    import_templates,
    imports,
    indicators,
    jobs,
    oauth,
    previews,
    replays,
    rulesets,
    standings,
    statistics,
    traffic,
    units,
    value_exports,
    value_imports,
    values,
    vocabulary,
)
from app.api.downloads import Downloads
from app.api.streams import Streams
from app.api.tokens import Tokens
from app.database import NOTHING, Database
from app.discovery import load_registry
from app.domain import signing_keys
from app.domain.audit import checkpoints
from app.domain.audit.sealing import Sealer
from app.domain.clock import clock_of
from app.domain.evidence import stores
from app.domain.grants import Grants
from app.domain.job_kinds import CHORES, KINDS
from app.domain.jobs.worker import Worker, connections
from app.domain.preparing import prepare
from app.domain.ruleset_snapshots import Snapshots
from app.domain.territory import Territories
from app.rules.registry import Registry
from app.settings import Settings

DESCRIPTION = """
Đánh giá xã nông thôn mới thông minh theo văn bản: kết luận có trích dẫn và giải thích.

Legal documents on the smart new-style rural commune as rules. The service evaluates; it never
recognises (*công nhận* is an act of an authority). Where a document states no threshold, the
outcome is `no_criterion`; what we read into a text is marked as our `reading`.
Messages are in Vietnamese; send `Accept-Language: en` for English.
"""


class Service(FastAPI):
    """The application behind its traffic rules; its OpenAPI document knows the problem document."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application with everything around it, answers to failures included."""
        return traffic.around(super().build_middleware_stack(), self)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in (errors.ProblemDocument, errors.ErrorItem):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schema.pop("$defs", None)
            schemas.setdefault(model.__name__, schema)
        return document


def create_app(
    settings: Settings | None = None,
    registry: Registry | None = None,
    database: Database | None = None,
    clock: Callable[[], datetime.date] | None = None,
) -> FastAPI:
    """Return the application; raise RulesetFaults when any pack has a fault.

    `clock` says which day it is for the chain of approval; today in Vietnam where none is given.

    Without a database that was prepared, the application opens and prepares one when it starts;
    when it stops, it closes the one it stands on.
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with database or Database(settings) as opened:
            if database is None:
                await prepare(opened, _silently)
                stand_on(app, settings, opened)
            async with app.state.sealer.running(), working(app):
                yield

    app = Service(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        title="Xã nông thôn mới thông minh - Rules API",
        version=metadata.version("ntm-rules"),
        summary="Cited, explained verdicts on smart new-style rural communes",
        description=DESCRIPTION,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.mount(documentation.STATIC, documentation.static_files())
    app.state.settings = settings
    app.state.clock = clock or clock_of(settings.rehearsal_day)
    traffic.prepare(app, settings)
    app.state.streams = Streams()
    app.state.downloads = Downloads()
    app.state.file_downloads = evidence_downloads.FileDownloads()
    app.state.store = stores.of(settings)
    app.state.registry = registry or load_registry(settings.rulesets_dir)
    app.state.snapshots = Snapshots(app.state.registry)
    if database is not None:
        stand_on(app, settings, database)
    # Routers are asked one after the other whether a path is theirs: the busy ones first.
    nouns = (
        units, communes, values, evaluations, commune_values, previews, hamlets, standings,
        statistics, replays, value_imports, health, oauth, designations, clients, grants, audit,
        evidence_submissions, evidence_slots, evidence_files, evidence_lists, evidence_names,
        evidence_forms,
        jobs, imports, evaluation_runs, impact, rulesets, import_templates, indicators, vocabulary,
        documentation,
        value_exports, evaluation_exports, commune_maps,
    )  # fmt: skip
    for noun in nouns:
        app.include_router(noun.router)
    app.include_router(oauth.token_router)
    app.include_router(imports.upload_router)
    app.include_router(evidence_files.upload_router)
    app.include_router(evidence_lists.list_router)
    errors.install(app)
    return app


def stand_on(app: FastAPI, settings: Settings, database: Database) -> None:
    """Give the application its database, its signing keys, and what seals the audit.

    Raises KeysUnusable, CheckpointsUnusable.
    """
    app.state.database = database.acting_for(NOTHING)  # each request says for whom it works
    traffic.watch(app.state.metrics, database)
    keys = signing_keys.of(settings)
    app.state.tokens = Tokens(keys, settings.issuer)
    app.state.sealer = sealer = Sealer(database, checkpoints.of(settings), keys)
    traffic.watch_audit(app.state.metrics, sealer)
    app.state.territories = Territories()
    app.state.grants = Grants()


@asynccontextmanager
async def working(app: FastAPI) -> AsyncIterator[None]:
    """Work on jobs for the length of a block, unless other processes do."""
    settings: Settings = app.state.settings
    if not settings.jobs_at_once:
        yield
        return
    # Jobs take their time, and must not take the connections of requests.
    at_once = settings.jobs_at_once
    async with Database(settings, patient=True, least=connections(at_once)) as patient:
        worker = Worker(
            patient, app.state.registry, settings, KINDS, chores=CHORES, at_once=at_once
        )
        app.state.worker = worker
        async with worker.running():
            yield


def _silently(*_: object) -> None:
    """Show no progress: nobody is looking."""
