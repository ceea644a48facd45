"""`ntm openapi`: write the API description and the schema of packs, or check them for drift."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from app.cli.console import fail, out, phrase
from app.rules.errors import Text
from app.rules.packs import PackFile
from app.rules.registry import Registry


def openapi(
    check: Annotated[
        bool, typer.Option("--check", help="Chỉ so sánh; mã thoát 1 khi khác.")
    ] = False,
    folder: Annotated[Path, typer.Option("--to", help="Thư mục của hai tệp.")] = Path("openapi"),
) -> None:
    """Ghi openapi.json (OpenAPI 3.1) và ruleset.schema.json, hoặc kiểm tra chúng có còn đúng."""
    files = {"openapi.json": api_document(), "ruleset.schema.json": pack_schema()}
    drifted = []
    for name, document in files.items():
        path = folder / name
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        if check:
            if not path.is_file() or path.read_text("utf-8") != text:
                drifted.append(str(path))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            out().print(phrase(f"đã ghi {path}", f"wrote {path}"))
    if drifted:
        names = ", ".join(drifted)
        fail(
            Text(
                f"{names} không còn khớp với mã; hãy chạy `ntm openapi` rồi ghi nhận thay đổi",
                f"{names} no longer matches the code; run `ntm openapi` and commit the change",
            )
        )


def api_document() -> dict[str, Any]:
    """Return the OpenAPI document; it does not depend on which packs are installed."""
    from app.main import create_app  # noqa: PLC0415 - no other command waits for all routes

    return create_app(registry=Registry({}, {})).openapi()


def pack_schema() -> dict[str, Any]:
    """Return the JSON Schema by which an editor checks the YAML of a pack."""
    schema = TypeAdapter(PackFile).json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A file of an ntm rule pack: a ruleset, indicators, worked cases, forms and slots",
        **schema,
    }
