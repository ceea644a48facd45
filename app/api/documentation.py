"""The API description and its pages, served from this host alone. Open to everyone."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles

from app.api.answers import answer
from app.api.language import InLanguage
from app.api.strict import StrictRoute

STATIC = "/docs/static"
router = APIRouter(route_class=StrictRoute, include_in_schema=False)


@router.get("/openapi.json")
async def read_description(request: Request, language: InLanguage) -> Response:
    """Read the OpenAPI document."""
    app: FastAPI = request.app
    return answer(request, app.openapi(), language)


@router.get("/docs")
async def read_documentation(request: Request) -> Response:
    """Read the documentation to click through."""
    app: FastAPI = request.app
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=app.title,
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{STATIC}/favicon.png",
        swagger_ui_parameters={"validatorUrl": None},
    )


def static_files() -> StaticFiles:
    """Return the files of the documentation page, as the package fastapi-offline ships them."""
    return StaticFiles(directory=Path(str(resources.files("fastapi_offline"))) / "static")
