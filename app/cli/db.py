"""`ntm db`: bring the schema to the head, check it, back it up and restore it."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import fail, out, phrase, plain, read_settings
from app.cli.database import progress, use
from app.database import Database, backup, schema
from app.domain.preparing import prepare
from app.rules.errors import Text

app = typer.Typer(no_args_is_help=True, help="Cơ sở dữ liệu: nâng cấp, kiểm tra, sao lưu.")


@app.command()
def upgrade() -> None:
    """Nâng lược đồ lên bản mới nhất và nạp danh mục đơn vị hành chính khi còn trống."""

    async def work(database: Database) -> tuple[schema.State, schema.State]:
        before = await schema.state(database)
        with progress() as told:
            await prepare(database, told)
        return before, await schema.state(database)

    before, after = use(work, prepared=False)
    if before.current == after.current:
        out().print(phrase(f"đã ở bản {after.current}", f"already at {after.current}"))
    else:
        out().print(
            phrase(
                f"đã nâng từ {before.current or 'trống'} lên {after.current}",
                f"upgraded from {before.current or 'empty'} to {after.current}",
            )
        )


@app.command()
def check() -> None:
    """Kiểm tra kết nối, lược đồ, quyền và các thiết lập an toàn; mã thoát 1 khi có lỗi."""

    async def work(database: Database) -> tuple[schema.State, str | None, str]:
        state = await schema.state(database)
        if not state.at_head:
            return state, None, database.service.shown()
        drift = await schema.drift(database)
        if drift is None:
            await schema.check_service(database)
        return state, drift, database.service.shown()

    state, drift, shown = use(work, prepared=False)
    if not state.at_head:
        fail(
            Text(
                f"lược đồ ở bản {state.current or 'trống'}, cần {state.head}; "
                "hãy chạy `ntm db upgrade`",
                f"the schema is at {state.current or 'empty'}, {state.head} is needed; "
                "run `ntm db upgrade`",
            )
        )
    if drift:
        fail(Text(f"lược đồ khác với mã: {drift}", f"the schema differs from the code: {drift}"))
    said = phrase(f"tốt: {shown}, lược đồ {state.head}", f"good: {shown}, schema {state.head}")
    out().print(plain(said), soft_wrap=True)


@app.command("backup")
def back_up(
    file: Annotated[Path, typer.Argument(help="Tệp sao lưu sẽ được ghi.")],
) -> None:
    """Sao lưu toàn bộ cơ sở dữ liệu vào một tệp."""
    size = use(lambda database: backup.backup(database, file.absolute()))
    said = phrase(f"đã ghi {file} ({size:,} byte)", f"wrote {file} ({size:,} bytes)")
    out().print(plain(said), soft_wrap=True)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="Tệp do `ntm db backup` ghi.")],
) -> None:
    """Thay cơ sở dữ liệu bằng bản sao lưu; trạng thái hiện có được sao lưu trước."""
    if not file.is_file():
        fail(Text(f"không có tệp {file}", f"there is no file {file}"))
    kept = use(lambda database: _restore(database, file.absolute()), prepared=False)
    said = phrase(f"đã khôi phục từ {file}", f"restored from {file}")
    if kept:
        said += phrase(f"; trạng thái trước đó: {kept}", f"; what was there before: {kept}")
    out().print(plain(said), soft_wrap=True)


async def _restore(database: Database, file: Path) -> Path | None:
    """Restore, keeping what was there in a file of the data folder; return that file."""
    backup.check_is_backup(file)
    kept = None
    if (await schema.state(database)).current is not None:
        folder = read_settings().data_dir / "backups"
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        kept = folder / f"before-restore-{stamp}.dump"
        await backup.backup(database, kept)
    await backup.restore(database, file)
    return kept
