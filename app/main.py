"""Wire the service: settings, rulesets, routes, errors, offline documentation."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from fastapi import FastAPI

from app.api import (
    documentation,
    errors,
    evaluations,
    health,
    indicators,
    rulesets,
    vocabulary,
)
from app.api.strict import HeadAsGet
from app.discovery import load_registry
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
    """The application; its OpenAPI document knows the problem document too."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in (errors.ProblemDocument, errors.ErrorItem):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schema.pop("$defs", None)
            schemas.setdefault(model.__name__, schema)
        return document


def create_app(settings: Settings | None = None, registry: Registry | None = None) -> FastAPI:
    """Return the application; raise RulesetFaults when any pack has a fault."""
    settings = settings or Settings()
    app = Service(
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
    app.state.registry = registry or load_registry(settings.rulesets_dir)
    nouns = (documentation, health, vocabulary, rulesets, indicators, evaluations)
    for noun in nouns:
        app.include_router(noun.router)
    app.add_middleware(HeadAsGet)
    errors.install(app)
    return app
