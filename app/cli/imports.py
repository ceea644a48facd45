"""`ntm import`: load files of values, into the database of this machine or a service elsewhere.

It is the reference client of `POST /v1/imports`: what it does, any client can do.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from app.cli import remote
from app.cli.console import (
    err,
    language,
    misuse,
    phrase,
    plain,
    read_remote_settings,
    read_settings,
    rules,
    say,
)
from app.cli.evaluate_stored import period_named
from app.cli.import_options import Locale, Mode, OnConflict, Options
from app.cli.import_reports import Report, Sent, show, summarise
from app.cli.local_imports import LocalImports
from app.cli.remote_answers import NOT_OURS, Failed
from app.cli.remote_imports import RemoteImports
from app.domain.facts_csv import read_day
from app.domain.refusals import Refused
from app.rules.errors import Text
from app.settings import RemoteSettings

INTERRUPTED = 130  # as shells tell it: 128 and the number of the signal


class Imports(Protocol):
    """Where files are loaded; both raise Failed or Refused where there is no report."""

    def load(self, file: Path, options: Options, bars: Progress) -> Mapping[str, Any]:
        """Load a file, or try to, and return the report on it."""
        ...

    def rejected(self, id_: int, target: Path) -> None:
        """Write the rows that an import refused to a file."""
        ...


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Tệp CSV, XLSX, XLS, NDJSON, hoặc tệp chữ nén gzip."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Chỉ cho biết sẽ làm gì, không ghi.")
    ] = False,
    mode: Annotated[
        Mode, typer.Option(help="all: có dòng lỗi thì không nạp gì; partial: nạp các dòng tốt.")
    ] = Mode.all,
    on_conflict: Annotated[
        OnConflict,
        typer.Option(help="Khi hồ sơ đã có số khác: thay bằng bản mới, bỏ qua, hoặc từ chối."),
    ] = OnConflict.new_version,
    encoding: Annotated[
        str | None, typer.Option(help="Bảng mã, khi không phải UTF-8 hay UTF-16: windows-1258.")
    ] = None,
    locale: Annotated[
        Locale | None, typer.Option(help="Cách viết số: vi là 1.234,5; en là 1,234.5.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Tên trang tính cần nạp.")] = None,
    period: Annotated[
        str | None, typer.Option(help="Kỳ, khi tệp không ghi: 2024, 2024-H1, 2024-Q3, 2024-10.")
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="Ngày đơn vị có hiệu lực, khi tệp không ghi.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Nguồn, khi tệp không ghi.")] = None,
    measured_on: Annotated[str | None, typer.Option(help="Ngày đo, khi tệp không ghi.")] = None,
    rejected: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Ghi các dòng bị từ chối vào thư mục này, để sửa."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In báo cáo, mỗi tệp một dòng.")] = False,
    url: Annotated[
        str | None,
        typer.Option(help="Địa chỉ dịch vụ; mặc định NTM_API_URL, không có thì CSDL tại máy."),
    ] = None,
) -> None:
    """Nạp số liệu từ các tệp; nạp lại cùng một tệp không thay đổi gì.

    Mã thoát: 0 nạp được tất cả, 1 có dòng bị từ chối hoặc có lỗi, 2 sai cách dùng.
    """
    for name, text in (("--on", on), ("--measured-on", measured_on)):
        _check_day(name, text)
    if period is not None:
        period_named(period)
    options = Options(
        dry_run, mode, on_conflict, encoding, locale, sheet, period, on, source, measured_on
    )
    _check_places(files, rejected)
    found = []
    try:
        with _where(url) as imports, _bars() as bars:
            for file in files:
                found.append(sent := _load(imports, file, options, rejected, bars))
                _tell(sent, as_json)
    except KeyboardInterrupt:
        err().print(phrase("Đã dừng theo yêu cầu.", "Stopped as asked."), style="yellow")
        raise typer.Exit(INTERRUPTED) from None
    if len(found) > 1 and not as_json:
        summarise(found)
    if not all(one.good for one in found):
        raise typer.Exit(1)


def _load(
    imports: Imports, file: Path, options: Options, folder: Path | None, bars: Progress
) -> Sent:
    """Load one file; what goes wrong with it keeps no other file from being loaded."""
    try:
        told = imports.load(file, options, bars)
        report = msgspec.convert(told, Report)
        mend = None
        if folder is not None and report.rejected:
            mend = folder / f"{file.stem}-{report.id}-rejected.csv"
            imports.rejected(report.id, mend)
        return Sent(str(file), told, report, mend=str(mend) if mend else None)
    except msgspec.ValidationError:
        return _failed(file, NOT_OURS)
    except Failed as error:
        return _failed(file, error.text, error.problem)
    except Refused as error:
        said = [one.message for one in error.complaints]
        text = Text("\n".join(one.vi for one in said), "\n".join(one.en for one in said))
        return _failed(file, text)
    except OSError as error:
        why = error.strerror or type(error).__name__
        return _failed(file, Text(f"không đọc hay ghi được tệp: {why}", f"a file failed: {why}"))


def _failed(file: Path, text: Text, problem: Mapping[str, Any] | None = None) -> Sent:
    told = {"problem": dict(problem) if problem else {"detail": say(text)}}
    return Sent(str(file), told, failure=text)


def _tell(sent: Sent, as_json: bool) -> None:
    if as_json:
        line = msgspec.json.encode({"path": sent.name, **sent.told}).decode()
        typer.echo(line)
    else:
        show(sent)


@contextmanager
def _where(url: str | None) -> Iterator[Imports]:
    """Yield where files are loaded: in a service whose address is told, or else here."""
    settings = read_remote_settings()
    address = url if url is not None else settings.api_url
    if address is None:
        local = read_settings()
        yield LocalImports(local, rules(local))
        return
    with _service(address, settings) as service:
        yield RemoteImports(service)


def _service(address: str, settings: RemoteSettings) -> AbstractContextManager[remote.Service]:
    if (wrong := remote.wrong_address(address)) is not None:
        misuse(wrong)
    if settings.client_id is None or settings.client_secret is None:
        misuse(
            Text(
                "để gửi tới một dịch vụ, hãy đặt NTM_CLIENT_ID và NTM_CLIENT_SECRET",
                "to send to a service set NTM_CLIENT_ID and NTM_CLIENT_SECRET",
            )
        )
    secret = settings.client_secret.get_secret_value()
    return remote.Service(address, settings.client_id, secret, language(), _say_why)


def _say_why(why: Text) -> None:
    err().print(plain(say(why)), style="yellow", soft_wrap=True)


@contextmanager
def _bars() -> Iterator[Progress]:
    console = err()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        yield bars


def _check_day(name: str, text: str | None) -> datetime.date | None:
    found = read_day(text) if text is not None else None
    if text is not None and found is None:
        misuse(Text(f"{name} là ngày dạng YYYY-MM-DD", f"{name} is a date like YYYY-MM-DD"))
    return found


def _check_places(files: Iterable[Path], folder: Path | None) -> None:
    for file in files:
        if not file.is_file():
            misuse(Text(f"không có tệp {file}", f"there is no file {file}"))
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            misuse(
                Text(
                    f"không tạo được thư mục {folder} của --rejected",
                    f"the folder {folder} of --rejected cannot be made",
                )
            )
