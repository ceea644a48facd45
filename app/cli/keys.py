"""`ntm keys`: the keys that sign tokens."""

from __future__ import annotations

import typer

from app.cli.console import out, phrase, plain, read_settings
from app.cli.database import explained
from app.domain import signing_keys
from app.domain.audit import checkpoints

app = typer.Typer(no_args_is_help=True, help="Khoá ký mã truy cập.")


@app.callback()
def keys() -> None:
    """Khoá ký mã truy cập."""


@app.command()
def rotate() -> None:
    """Ký bằng khoá mới từ nay; khoá cũ vẫn xác minh đến khi mã của nó hết hạn."""
    settings = read_settings()
    with explained():
        keys = signing_keys.of(settings)
        # A file that cannot grow is told before anything changes; without one there is none to.
        kept = checkpoints.of(settings) if settings.checkpoints.exists() else None
        made = keys.rotate()
        if kept is not None:
            kept.renew(keys)
    where = settings.keys
    said = phrase(f"khoá mới {made.kid} trong {where}", f"new key {made.kid} in {where}")
    out().print(plain(said), soft_wrap=True)
