"""`ntm values`: load values from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import fail, out, phrase, read_file, read_settings, report_rows, rules
from app.cli.database import progress, use
from app.database import Database
from app.domain.territory import EVERYWHERE
from app.domain.values import files
from app.domain.values.files import Checked
from app.domain.values.recording import record_in_parts
from app.rules.errors import Text
from app.rules.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Số liệu.")


@app.callback()
def values() -> None:
    """Số liệu."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Tệp CSV dạng dài, UTF-8.")],
    partial: Annotated[
        bool, typer.Option("--partial", help="Nạp các dòng tốt dù có dòng lỗi.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Chỉ cho biết sẽ làm gì, không ghi.")
    ] = False,
) -> None:
    """Ghi số liệu từ tệp CSV; nạp lại cùng một tệp không thay đổi gì."""
    registry, content = rules(read_settings()), read_file(file)
    checked = use(lambda database: _load(database, registry, content, partial, dry_run))
    if checked.rejected:
        report_rows(file.name, list(checked.rejected))
    if checked.unreadable or (checked.rejected and not partial):
        fail(checked.refusal(Text("thêm --partial", "add --partial")))
    _tell(checked, dry_run)


async def _load(
    database: Database, registry: Registry, content: bytes, partial: bool, dry_run: bool
) -> Checked:
    async with database.reading() as connection:
        checked = await files.check(connection, EVERYWHERE, registry, content)
    loaded = partial or not checked.rejected
    if not dry_run and loaded and not checked.unreadable:
        with progress() as told:
            async with database.writing() as writer:
                await record_in_parts(writer, None, checked.fresh, told)
    return checked


def _tell(checked: Checked, dry_run: bool) -> None:
    counts = checked.counts()
    lead = phrase("Chạy thử, không ghi gì: ", "Dry run, nothing written: ") if dry_run else ""
    if checked.rows and not checked.fresh and not checked.rejected:
        unchanged = phrase("không có gì thay đổi", "unchanged")
        out().print(f"{lead}{unchanged} ({checked.rows})")
        return
    out().print(
        lead
        + phrase(
            "{rows} dòng: {created} ghi mới (trong đó {superseded} thay số liệu cũ), "
            "{unchanged} không đổi, {rejected} lỗi",
            "{rows} rows: {created} recorded ({superseded} of them follow another value), "
            "{unchanged} unchanged, {rejected} bad",
        ).format(**counts)
    )
