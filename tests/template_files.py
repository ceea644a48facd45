"""Templates as people send them back: filled in, saved by LibreOffice, or written as Excel writes.

The files of `fixtures/templates` are made by `python tests/template_files.py`, with LibreOffice on
the path; they are kept because not every machine has it.
"""

from __future__ import annotations

import datetime
import io
import subprocess
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import openpyxl
from excel_shaped import excel_shaped
from openpyxl.workbook.workbook import Workbook

from app.discovery import load_registry
from app.domain.own_files import IDENTITY_SHEET
from app.domain.templates import DATA, FIRST_ROW, Form
from app.domain.templates.columns import columns_of
from app.domain.templates.workbook import written
from app.domain.unit_periods import Entity
from app.rules.indicators import Indicator
from app.rules.period import read_period
from app.rules.registry import Registry

FOLDER: Final = Path(__file__).parent / "fixtures" / "templates"
SOURCE: Final = "Báo cáo 12/BC-UBND ngày 15/01/2025"
NOTE: Final = "=không phải công thức"
RULESET: Final = "phutho.commune"
DISTRICT: Final = "228"
COMMUNES: Final = {
    "07951": "Xã Hà Lộc", "07963": "Xã Hà Thạch", "07942": "Phường Hùng Vương",
    "07954": "Xã Phú Hộ", "07960": "Xã Thanh Minh",
}  # fmt: skip
Facts = dict[tuple[str, str], Any]  # by unit and indicator, as JSON shows them


def form(registry: Registry) -> Form:
    """Return the form of five communes of Phú Thọ."""
    entry, period = registry.entries[RULESET], read_period("2024")
    assert period is not None
    under = Entity(
        1, "district-228", "district", DISTRICT, "thi_xa", "Thị xã Phú Thọ", 1, 2, period.last
    )
    columns = columns_of(entry.ruleset, entry.compiled.indicators, ("district", "province"))
    rows = tuple((code, name, "Thị xã Phú Thọ", "Tỉnh Phú Thọ") for code, name in COMMUNES.items())
    digest = entry.compiled.digest
    return Form(entry.ruleset, digest, period, under, datetime.date(2024, 12, 31), columns, rows)


def filled(content: bytes, registry: Registry) -> tuple[Workbook, Facts]:
    """Return a template filled in, and the facts that are entered; the last row stays empty."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet, facts = book[DATA], Facts()
    rows = list(range(FIRST_ROW, sheet.max_row + 1))
    for row in rows[: max(len(rows) - 1, 1)]:
        unit = str(sheet.cell(row, 1).value)
        for number, meaning in _columns(book):
            if (entered := _cell(registry, meaning, row)) is not None:
                cell = sheet.cell(row, number)
                cell.value = entered
                if isinstance(entered, str):
                    cell.data_type = "s"  # openpyxl would make a formula of the note
        for code in {meaning.partition(".")[0] for _, meaning in _columns(book)}:
            if code in registry.indicators:
                facts[unit, code] = _fact(registry.indicators[code], row)
    return book, facts


def saved(book: Workbook) -> bytes:
    """Return the bytes of a workbook."""
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _columns(book: Workbook) -> Iterator[tuple[int, str]]:
    """Yield number and meaning of the columns, as the identity tells them."""
    rows = book[IDENTITY_SHEET].iter_rows(values_only=True)
    yield from ((int(str(row[0])), str(row[1])) for row in rows if isinstance(row[0], int))


def _cell(registry: Registry, meaning: str, row: int) -> Any:
    if meaning in ("source", "note"):
        return SOURCE if meaning == "source" else NOTE
    code, _, part = meaning.partition(".")
    if code not in registry.indicators:
        return None
    fact = _fact(registry.indicators[code], row)
    if isinstance(fact, bool):
        return "có" if fact else "không"
    if isinstance(fact, list):
        return "|".join(fact) or "[]"
    if not isinstance(fact, dict):
        return fact
    if "percent" in fact:
        return None if part else Decimal(fact["percent"])
    return fact[part] if part else None


def _fact(indicator: Indicator, row: int) -> Any:
    """Return what is entered in a row: something else in each, but never by chance."""
    if indicator.kind == "boolean":
        return row % 2 == 0
    if indicator.kind == "count":
        return row * 1000
    if indicator.kind == "set":
        return sorted(one.code for one in indicator.members[: row % 3])
    if row % 2:
        return {"percent": f"{row % 100}.5"}
    return {"numerator": 3400 + row, "denominator": 4000 + row}


def _main() -> None:
    registry = load_registry(None)
    book, _ = filled(written(form(registry)), registry)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "excel_shaped.xlsx").write_bytes(excel_shaped(book))
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "libreoffice.xlsx"
        for ending in ("xlsx", "xls", "ods"):
            given.write_bytes(saved(book))
            out = Path(folder) / ending
            command = ["soffice", "--headless", f"-env:UserInstallation=file://{folder}/home",
                       "--convert-to", ending, "--outdir", str(out), str(given)]  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, timeout=120)
            (FOLDER / f"libreoffice.{ending}").write_bytes(
                (out / f"libreoffice.{ending}").read_bytes()
            )


if __name__ == "__main__":
    _main()
