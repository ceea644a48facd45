"""The `ntm` command: thin, the same operations as the API.

Exit codes: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli import (
    audit,
    clients,
    db,
    evaluate,
    evidence,
    imports,
    keys,
    openapi,
    rulesets,
    serve,
    units,
    values,
    worker,
)
from app.cli.console import Language, speak

app = typer.Typer(
    name="ntm",
    help="Đánh giá xã nông thôn mới thông minh theo văn bản. (--lang en: English messages)",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    lang: Annotated[
        Language, typer.Option(envvar="NTM_LANG", help="Ngôn ngữ thông báo: vi, en.")
    ] = Language.vi,
) -> None:
    """Choose the language of messages."""
    speak(lang)


app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("evaluate")(evaluate.evaluate)
app.command("import")(imports.import_)
app.command("openapi")(openapi.openapi)
app.add_typer(rulesets.app, name="rulesets")
app.add_typer(db.app, name="db")
app.add_typer(units.app, name="units")
app.add_typer(values.app, name="values")
app.add_typer(clients.app, name="clients")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(evidence.app, name="evidence")


def main() -> None:
    """Run the command."""
    app()
