"""Workbooks made by hand, part by part: what no library would write."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Final

TYPES: Final = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
# Styles by number: 1 shows a percentage, 2 a day, 3 a day in a format of the user's.
_STYLES: Final = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts count="1"><numFmt numFmtId="170" '
    'formatCode="[$-42A]dd\\/mm\\/yyyy"/></numFmts><cellXfs count="4"><xf numFmtId="0"/>'
    '<xf numFmtId="9"/><xf numFmtId="14"/><xf numFmtId="170"/></cellXfs></styleSheet>'
)


def zipped(parts: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of parts."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as opened:
        for name, content in parts.items():
            opened.writestr(name, content)
    return packed.getvalue()


def parts(
    sheets: Mapping[str, str],
    *,
    strings: str = "",
    states: Mapping[str, str] | None = None,
    about: str = "",
) -> dict[str, bytes | str]:
    """Return the parts of a workbook out of the XML of its sheets; `about` is its `workbookPr`."""
    states = states or {}
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"'
        + (f' state="{states[name]}"' if name in states else "")
        + "/>"
        for number, name in enumerate(sheets, 1)
    )
    relations = "".join(
        f'<Relationship Id="rId{number}" Type="{_RELATIONS}/worksheet" '
        f'Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(sheets) + 1)
    )
    found: dict[str, bytes | str] = {
        "[Content_Types].xml": TYPES,
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}">{about}'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">{relations}'
        "</Relationships>",
        "xl/styles.xml": _STYLES,
    }
    for number, xml in enumerate(sheets.values(), 1):
        found[f"xl/worksheets/sheet{number}.xml"] = xml
    if strings:
        found["xl/sharedStrings.xml"] = f'<sst xmlns="{_MAIN}">{strings}</sst>'
    return found


def sheet(rows: str, *, before: str = "", after: str = "", doctype: str = "") -> str:
    """Return the XML of a sheet."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{doctype}<worksheet xmlns="{_MAIN}">{before}'
        f"<sheetData>{rows}</sheetData>{after}</worksheet>"
    )


def row(number: int, *cells: str | int | float | None, attributes: str = "") -> str:
    """Return the XML of a row; text that begins with `<` is the inside of a cell already."""
    found = []
    for place, cell in enumerate(cells):
        reference = f"{chr(ord('A') + place)}{number}"
        if isinstance(cell, str) and cell.startswith("<c"):
            found.append(cell.replace("<c", f'<c r="{reference}"', 1))
        elif isinstance(cell, str):
            found.append(f'<c r="{reference}" t="inlineStr"><is><t>{cell}</t></is></c>')
        elif cell is not None:
            found.append(f'<c r="{reference}"><v>{cell}</v></c>')
    return f'<row r="{number}"{attributes}>{"".join(found)}</row>'


def merged(*blocks: str) -> str:
    """Return what says of a sheet that blocks of cells are merged."""
    listed = "".join(f'<mergeCell ref="{block}"/>' for block in blocks)
    return f'<mergeCells count="{len(blocks)}">{listed}</mergeCells>'


def book(
    *rows: str, name: str = "Số liệu", after: str = "", before: str = "", about: str = ""
) -> bytes:
    """Return a workbook of one sheet."""
    return zipped(parts({name: sheet("".join(rows), before=before, after=after)}, about=about))


def identity(columns: Sequence[tuple[str, str]], *, header_row: int = 2) -> str:
    """Return the hidden sheet of a template with these columns (meaning, heading)."""
    said: list[tuple[str | int, ...]] = [
        ("ntm-template", 1), ("ruleset", "some-ruleset"), ("digest", "0" * 64), ("period", "2024"),
        ("under", "province-25"), ("on", "2024-12-31"), ("locale", "vi"), ("sheet", "Số liệu"),
        ("header_row", header_row), ("first_row", header_row + 1),
        ("column", "meaning", "heading"),
        *((number, *one) for number, one in enumerate(columns, 1)),
    ]  # fmt: skip
    return sheet("".join(row(number, *one) for number, one in enumerate(said, 1)))
