"""What the command says and in which language; results on standard output, the rest on error."""

from __future__ import annotations

import enum
import os
import shutil
import sys
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from app.api.invalid import complaints
from app.discovery import load_registry
from app.domain.csv_table import RowComplaint
from app.domain.refusals import Complaint
from app.rules.errors import Fault, RulesetFaults, Text
from app.rules.facts import printable
from app.rules.registry import Registry
from app.settings import VARIABLES, RemoteSettings, Settings

LARGEST_FILE: Final = 64 * 1024 * 1024
Read = TypeVar("Read", bound=BaseSettings)


class Language(enum.StrEnum):
    """A language of messages."""

    vi = "vi"
    en = "en"


class _Spoken:
    """The language of this run of the command."""

    language = Language.vi


def speak(language: Language) -> None:
    """Set the language of every later message."""
    _Spoken.language = language


def language() -> str:
    """Return the language chosen."""
    return _Spoken.language.value


def say(text: Text) -> str:
    """Return the text in the language chosen."""
    return str(getattr(text, _Spoken.language.value))


def phrase(vi: str, en: str) -> str:
    """Return one of two phrases, by the language chosen."""
    return vi if _Spoken.language is Language.vi else en


def plain(text: str) -> Styled:
    """Return text of unknown origin as it is written: no markup, no control characters."""
    return Styled(printable(text, limit=10_000))


def out() -> Console:
    """Return the console for results, wide enough when it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else _width(), highlight=False)


def err() -> Console:
    """Return the console for everything that is no result."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _width(), highlight=False)


def fail(message: Text) -> NoReturn:
    """Say what failed and what to do next; exit code 1."""
    _complain(phrase("Lỗi", "Error"), message)
    raise typer.Exit(1)


def misuse(message: Text) -> NoReturn:
    """Say what was wrong with the call; exit code 2."""
    _complain(phrase("Sai cách dùng", "Wrong use"), message)
    raise typer.Exit(2)


def rules(settings: Settings) -> Registry:
    """Return the registry, or report every fault of every pack and exit with 1."""
    try:
        return load_registry(settings.rulesets_dir)
    except RulesetFaults as error:
        report_faults(error.faults)
        raise typer.Exit(1) from error


def read_settings() -> Settings:
    """Return the settings; exit with 2 and the variable's name when one is not valid."""
    return _read(Settings)


def read_remote_settings() -> RemoteSettings:
    """Return the settings for a service elsewhere; exits as `read_settings` does."""
    return _read(RemoteSettings)


def _read(kind: type[Read]) -> Read:
    unknown = sorted({name for name in os.environ if name.startswith("NTM_")} - VARIABLES)
    if unknown:
        names = ", ".join(sorted(VARIABLES))
        misuse(
            Text(
                f"không có thiết lập {unknown[0]}; các thiết lập: {names}",
                f"there is no setting {unknown[0]}; known are: {names}",
            )
        )
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"NTM_{first['loc'][0]}".upper()
        (said,) = complaints([{**first, "loc": (name,)}])
        misuse(said.message)


def report_faults(faults: tuple[Fault, ...]) -> None:
    """Print every fault with its file and line."""
    console = err()
    for fault in faults:
        console.print(plain(fault.describe(_Spoken.language.value)), soft_wrap=True)
    count = len(faults)
    console.print(
        phrase(f"{count} lỗi trong các gói quy tắc.", f"faults in rule packs: {count}"), style="red"
    )


def report_rows(name: str, complaints: list[RowComplaint]) -> None:
    """Print every bad row with its line and column."""
    table = Table(title=plain(phrase(f"Các dòng lỗi trong {name}", f"Bad rows of {name}")))
    table.add_column(phrase("Dòng", "Line"), justify="right")
    table.add_column(phrase("Cột", "Column"))
    table.add_column(phrase("Vì sao, sửa thế nào", "Why, and the remedy"), overflow="fold")
    for one in sorted(complaints, key=lambda complaint: (complaint.line, complaint.column)):
        table.add_row(
            str(one.line), plain(one.column or "-"), plain(f"{say(one.message)} [{one.code}]")
        )
    err().print(table)


def report_complaints(name: str, complaints: tuple[Complaint, ...] | list[Complaint]) -> None:
    """Print every complaint with its place in the file."""
    table = Table(title=plain(phrase(f"Lỗi trong {name}", f"Errors in {name}")))
    table.add_column(phrase("Vị trí", "Place"), overflow="fold")
    table.add_column(phrase("Vì sao, sửa thế nào", "Why, and the remedy"), overflow="fold")
    for one in complaints:
        table.add_row(plain(one.pointer or "/"), plain(f"{say(one.message)} [{one.code}]"))
    err().print(table)


def read_file(path: Path) -> bytes:
    """Return the content of a file that the user names; exit where it cannot be."""
    if not path.is_file():
        misuse(Text(f"không có tệp {path}", f"there is no file {path}"))
    if path.stat().st_size > LARGEST_FILE:
        fail(
            Text(
                f"tệp lớn hơn {LARGEST_FILE} byte; hãy chia nhỏ",
                f"the file is larger than {LARGEST_FILE} bytes; split it",
            )
        )
    return path.read_bytes()


def _width() -> int:
    return max(shutil.get_terminal_size((120, 40)).columns, 120)


def _complain(lead: str, message: Text) -> None:
    err().print(Styled(f"{lead}: ", "red") + plain(say(message)), soft_wrap=True)
