"""`ntm audit`: verify that nothing on record was changed behind the service's back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from app.cli.console import err, misuse, out, phrase, plain, read_settings, say
from app.cli.database import explained, progress, use
from app.database import Database
from app.domain import signing_keys
from app.domain.audit import checkpoints, sealing, verifying
from app.domain.audit.checkpoints import Checkpoints
from app.domain.audit.verifying import Report
from app.domain.signing_keys import Key, SigningKeys
from app.rules.errors import Text
from app.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Nhật ký kiểm toán: kiểm tra, niêm phong.")


@app.callback()
def audit() -> None:
    """Nhật ký kiểm toán: kiểm tra, niêm phong."""


@app.command()
def verify(
    file: Annotated[
        Path | None,
        typer.Option("--checkpoints", help="Tệp mốc; mặc định theo NTM_AUDIT_CHECKPOINTS."),
    ] = None,
    allow_retired_key: Annotated[
        bool,
        typer.Option("--allow-retired-key", help="Chấp nhận mốc mới nhất của khoá đã thay."),
    ] = False,
    without: Annotated[
        bool,
        typer.Option("--without-checkpoints", help="Chấp nhận khi không có mốc nào làm chứng."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="In kết quả dạng JSON.")] = False,
) -> None:
    """Tính lại mọi mã băm và so với các mốc; mã thoát 1 khi không khớp hoặc thiếu mốc."""
    settings = read_settings()
    if file is not None and not file.is_file():
        misuse(Text(f"không có tệp mốc {file}", f"there is no file of checkpoints {file}"))
    with explained():
        lines = Checkpoints(file or settings.checkpoints).lines()
        keys = _keys(settings)
    known = verifying.witness(lines, keys, allow_retired=allow_retired_key)
    report = use(lambda database: _verified(database, known), settings)
    # Without a checkpoint nobody can tell whether the end was cut off: that is not intact.
    intact = report.good and (without or report.vouched > 0 or not report.verified)
    if as_json:
        out().print(plain(msgspec.json.encode(_plain(report, intact)).decode()), soft_wrap=True)
    else:
        _tell(report, intact)
    if not intact:
        raise typer.Exit(1)


@app.command()
def seal() -> None:
    """Niêm phong ngay các mục đang chờ và ghi một mốc."""
    settings = read_settings()

    async def work(database: Database) -> int:
        sealed = await sealing.seal_all(database)
        keys = signing_keys.of(settings)
        await sealing.check_point(database, checkpoints.of(settings), keys)
        return sealed

    sealed = use(work, settings)
    out().print(phrase(f"đã niêm phong {sealed} mục", f"entries sealed: {sealed}"))


def _keys(settings: Settings) -> Sequence[Key]:
    """Return the service's keys; none where there are none yet: looking makes no file."""
    return SigningKeys(settings.keys).all() if settings.keys.exists() else []


async def _verified(database: Database, known: verifying.Witness) -> Report:
    with progress() as told:
        async with verifying.snapshot(database) as connection:
            return await verifying.verify(
                connection, known, lambda done, total: told("verifying", done, total)
            )


def _plain(report: Report, intact: bool) -> dict[str, Any]:
    damage = [
        {
            "kind": one.kind,
            "message": say(one.text),
            "position": one.position,
            "entry": one.entry,
            "since": one.since,
        }
        for one in report.damage
    ]
    found: dict[str, Any] = msgspec.to_builtins(report)
    return {"intact": intact} | found | {"damage": damage}


def _tell(report: Report, intact: bool) -> None:
    for one in report.damage:
        err().print(plain(f"{say(one.text)} [{one.kind}]"), style="red", soft_wrap=True)
    lead = phrase("nguyên vẹn", "intact")
    if not intact:
        lead = (
            phrase("CHƯA có mốc làm chứng", "NOT vouched for")
            if report.good
            else phrase("KHÔNG khớp", "DAMAGED")
        )
    counts = phrase(
        f"{report.verified} mục đã kiểm tra, {report.pending} đang chờ niêm phong, "
        f"{report.checkpoints} mốc, có mốc làm chứng đến vị trí {report.vouched}",
        f"{report.verified} entries verified, {report.pending} not sealed yet, "
        f"{report.checkpoints} checkpoints, which vouch for positions up to {report.vouched}",
    )
    out().print(f"{lead}: {counts}", style=None if intact else "red", soft_wrap=True)
    if report.good and report.verified and not report.vouched:
        err().print(
            phrase(
                "Không có mốc nào: nếu phần cuối bị xoá thì không thể thấy. Hãy chỉ bản sao tệp "
                "mốc bằng --checkpoints; nếu chưa từng có mốc, hãy chạy `ntm audit seal`.",
                "There is no checkpoint: a deleted end could not be seen. Name a copy of the file "
                "of checkpoints with --checkpoints; if there never was one, run `ntm audit seal`.",
            ),
            style="yellow",
            soft_wrap=True,
        )
