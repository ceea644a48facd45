"""`ntm evidence`: delete names and files of evidence that are kept no longer."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from app.cli.console import err, out, phrase, plain, read_settings
from app.cli.database import explained, progress, use
from app.database import Database
from app.domain.clock import VIETNAM_TIME
from app.domain.evidence import stores
from app.domain.evidence.keys import Keys
from app.domain.submissions import purging
from app.domain.submissions.purging import Due, Kept, Plan
from app.rules.vocabulary import SUBMISSION_STATES

app = typer.Typer(no_args_is_help=True, help="Hồ sơ minh chứng: xoá khi hết thời hạn lưu.")


@app.callback()
def evidence() -> None:
    """Hồ sơ minh chứng: xoá khi hết thời hạn lưu."""


@app.command()
def purge(
    apply: Annotated[
        bool, typer.Option("--apply", help="Xoá thật; không có thì chỉ cho biết sẽ xoá gì.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="In kết quả dạng JSON.")] = False,
) -> None:
    """Xoá họ tên và tệp của hồ sơ đã kết thúc theo NTM_KEEP_NAMES_DAYS, NTM_KEEP_EVIDENCE_DAYS."""
    settings = read_settings()
    kept = Kept(settings.keep_names_days, settings.keep_evidence_days)
    with explained():
        contents, keys = stores.of(settings), Keys(settings.names_keys)

    async def work(database: Database) -> Plan:
        now = datetime.datetime.now(datetime.UTC)
        async with database.reading() as connection:
            wanted = await purging.plan(connection, contents, kept, now)
        if apply:
            with progress() as told:
                await purging.carry_out(database, keys, contents, kept, wanted, told)
        return wanted

    done = use(work, settings)
    if as_json:
        shown = msgspec.json.encode({"applied": apply, **_plain(done)}).decode()
        out().print(plain(shown), soft_wrap=True)
        return
    _tell(done, kept, apply)


def _plain(done: Plan) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(done)
    return found | {"unnamed": len(done.unnamed)}


def _tell(done: Plan, kept: Kept, apply: bool) -> None:
    said = [
        (phrase("họ tên", "names"), kept.names, "NTM_KEEP_NAMES_DAYS"),
        (phrase("tệp", "files"), kept.files, "NTM_KEEP_EVIDENCE_DAYS"),
    ]
    for what, days, setting in said:
        if days is None:
            unset = phrase(
                f"{what}: giữ mãi, chưa đặt {setting}", f"{what}: kept for ever, {setting} is unset"
            )
            err().print(unset, style="yellow", soft_wrap=True)
    if done.names:
        _print(
            phrase("Họ tên", "Names"),
            phrase("Dòng (byte của tệp)", "Rows (bytes of files)"),
            done.names,
        )
    if done.files:
        _print(phrase("Tệp", "Files"), phrase("Tệp (byte)", "Files (bytes)"), done.files)
    if done.strange:
        _warn_of_the_store(len(done.unnamed))
    unnamed = 0 if done.strange else len(done.unnamed)
    counts = phrase(
        f"họ tên của {len(done.names)} hồ sơ, tệp của {len(done.files)} hồ sơ, "
        f"{unnamed} nội dung không còn tệp nào dùng",
        f"names of {len(done.names)} submissions, files of {len(done.files)} submissions, "
        f"{unnamed} contents that no file names",
    )
    lead = phrase("đã xoá: ", "deleted: ")
    if not apply:
        lead = phrase("chưa xoá gì, --apply sẽ xoá: ", "nothing deleted, --apply deletes: ")
    out().print(f"{lead}{counts}", soft_wrap=True)


def _warn_of_the_store(count: int) -> None:
    err().print(
        phrase(
            f"Cơ sở dữ liệu này không dùng nội dung nào trong kho tệp; {count} nội dung được giữ "
            "lại. Hãy kiểm tra NTM_DATABASE_URL, NTM_EVIDENCE_DIR, NTM_EVIDENCE_S3_URL.",
            f"This database names nothing of what lies in the store; {count} contents are left. "
            "Check NTM_DATABASE_URL, NTM_EVIDENCE_DIR, NTM_EVIDENCE_S3_URL.",
        ),
        style="yellow",
        soft_wrap=True,
    )


def _print(title: str, counted: str, found: Sequence[Due]) -> None:
    table = Table(title=title, title_justify="left")
    for heading in (phrase("Hồ sơ", "Submission"), phrase("Đơn vị", "Unit"), phrase("Kỳ", "Period"),
                    phrase("Trạng thái", "State"), phrase("Từ", "Since"), counted):  # fmt: skip
        table.add_column(heading, overflow="fold")
    for one in found:
        state = SUBMISSION_STATES[one.state]
        size = f" ({one.size:,})" if one.size else ""
        table.add_row(
            str(one.submission), plain(f"{one.name} ({one.unit})"), one.period,
            phrase(state.vi, state.en), f"{one.since.astimezone(VIETNAM_TIME):%Y-%m-%d}",
            f"{one.count:,}{size}",
        )  # fmt: skip
    out().print(table)
