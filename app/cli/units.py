"""`ntm units`: load the register of administrative units."""

from __future__ import annotations

import typer

from app.cli.console import out, phrase
from app.cli.database import progress, use
from app.database import Database, driver_of, schema
from app.domain import register
from app.domain.register import Loaded

app = typer.Typer(no_args_is_help=True, help="Danh mục đơn vị hành chính.")


@app.callback()
def units() -> None:
    """Danh mục đơn vị hành chính."""


@app.command()
def load() -> None:
    """Nạp đơn vị hành chính trước và sau 01/7/2025; nạp lại không thay đổi gì."""
    loaded = use(_load, prepared=False)
    if loaded == register.UNCHANGED:
        out().print(phrase("không có gì thay đổi", "unchanged"))
        return
    out().print(
        phrase(
            f"{loaded.units} đơn vị mới, {loaded.versions_added} phiên bản thêm, "
            f"{loaded.versions_removed} bớt; {loaded.edges_added} quan hệ kế thừa thêm, "
            f"{loaded.edges_removed} bớt",
            f"{loaded.units} new units, {loaded.versions_added} versions added, "
            f"{loaded.versions_removed} removed; {loaded.edges_added} lineage edges added, "
            f"{loaded.edges_removed} removed",
        )
    )


async def _load(database: Database) -> Loaded:
    await schema.upgrade(database)
    with progress() as told:
        async with database.as_owner() as connection:
            return await register.load(await driver_of(connection), told)
