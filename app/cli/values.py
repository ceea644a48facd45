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
    if checked.rejected and not partial:
        fail(
            Text(
                f"{checked.rejected_rows} dòng lỗi, không nạp dòng nào; sửa rồi chạy lại, hoặc "
                "thêm --partial để nạp các dòng tốt",
                f"{checked.rejected_rows} bad rows, none was loaded; mend them and run again, or "
                "add --partial to load the good ones",
            )
        )
    _tell(checked, dry_run)


async def _load(
    database: Database, registry: Registry, content: bytes, partial: bool, dry_run: bool
) -> Checked:
    async with database.reading() as connection:
        checked = await files.check(connection, EVERYWHERE, registry, content)
    if not dry_run and (partial or not checked.rejected):
        with progress() as told:
            async with database.transaction() as session:
                await files.write(session, None, checked, told)
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
