"""A workbook in the shape in which Excel writes one: made by us, no Excel was at hand.

Shared strings, styles by number, cached results of formulas with a chain of calculation, shares
typed as 85.5% (0.855 in the file), attributes of later versions, and who it says it is.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final
from xml.sax.saxutils import escape

from openpyxl.utils import get_column_letter
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPES: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
_LATER: Final = (
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'mc:Ignorable="x14ac" '
    'xmlns:x14ac="http://schemas.microsoft.com/office/spreadsheetml/2009/9/ac"'
)
_TEXT, _PERCENT, _COUNT = 1, 2, 3  # numbers of the styles below


def excel_shaped(book: Workbook) -> bytes:
    """Return the contents of a workbook; the first count of its second sheet is a formula."""
    strings: dict[str, int] = {}
    sheets, chain = [], ""
    for number, name in enumerate(book.sheetnames, 1):
        sheet, formula = _sheet(book[name], strings, with_formula=number == 2)
        sheets.append(sheet)
        chain += f'<c r="{formula}" i="{number}" l="1"/>' if formula else ""
    files = dict(_package(book, sheets, strings))
    files["xl/calcChain.xml"] = f'{_HEAD}<calcChain xmlns="{_MAIN}">{chain}</calcChain>'
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(zipfile.ZipInfo(name), text.encode(), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _sheet(sheet: Worksheet, strings: dict[str, int], *, with_formula: bool) -> tuple[str, str]:
    """Return a sheet as XML, and the cell that was made a formula."""
    rows, formula = [], ""
    for row in sheet.iter_rows():
        cells = []
        for cell in row:
            value = cell.value
            if value is None:
                continue
            if with_formula and not formula and type(value) is int and cell.row > 5:
                formula = cell.coordinate
                kept = f"<f>{value}-100+100</f><v>{value}</v>"
                cells.append(f'<c r="{formula}" s="{_COUNT}">{kept}</c>')
            else:
                cells.append(_cell(cell.coordinate, value, strings))
        number, width = row[0].row, sheet.max_column
        rows.append(
            f'<row r="{number}" spans="1:{width}" x14ac:dyDescent="0.25">{"".join(cells)}</row>'
        )
    corner = f"{get_column_letter(sheet.max_column)}{sheet.max_row}"
    return (
        f'{_HEAD}<worksheet xmlns="{_MAIN}" xmlns:r="{_OFFICE}" {_LATER}>'
        f'<dimension ref="A1:{corner}"/><sheetViews><sheetView workbookViewId="0"/></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15" x14ac:dyDescent="0.25"/>'
        f"<sheetData>{''.join(rows)}</sheetData>"
        '<pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>'
        "</worksheet>",
        formula,
    )


def _cell(place: str, value: Any, strings: dict[str, int]) -> str:
    if isinstance(value, str):
        number = strings.setdefault(value, len(strings))
        return f'<c r="{place}" s="{_TEXT}" t="s"><v>{number}</v></c>'
    if isinstance(value, Decimal | float):  # a share, typed with its sign: 85.5%
        return f'<c r="{place}" s="{_PERCENT}"><v>{float(value) / 100!r}</v></c>'
    return f'<c r="{place}" s="{_COUNT}"><v>{value}</v></c>'


def _package(
    book: Workbook, sheets: list[str], strings: dict[str, int]
) -> Iterator[tuple[str, str]]:
    """Yield the files of the package, but for the chain of calculation."""
    kinds = {f"/xl/worksheets/sheet{n}.xml": "worksheet" for n in range(1, len(sheets) + 1)}
    kinds |= {"/xl/sharedStrings.xml": "sharedStrings", "/xl/styles.xml": "styles",
              "/xl/calcChain.xml": "calcChain"}  # fmt: skip
    overrides = "".join(
        f'<Override PartName="{part}" ContentType="{_TYPES}.{kind}+xml"/>'
        for part, kind in kinds.items()
    )
    yield (
        "[Content_Types].xml",
        (
            f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
            f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package'
            '.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
            f'{overrides}<Override PartName="/docProps/app.xml" ContentType="application/vnd'
            '.openxmlformats-officedocument.extended-properties+xml"/></Types>'
        ),
    )
    yield (
        "_rels/.rels",
        _relations(
            f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
            f'<Relationship Id="rId3" Type="{_OFFICE}/extended-properties" '
            'Target="docProps/app.xml"/>'
        ),
    )
    yield "xl/workbook.xml", _workbook(book)
    parts = [(f"worksheets/sheet{n}", "worksheet") for n in range(1, len(sheets) + 1)]
    parts += [(name, name) for name in ("styles", "sharedStrings", "calcChain")]
    yield "xl/_rels/workbook.xml.rels", _relations("".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{part}.xml"/>'
        for n, (part, kind) in enumerate(parts, 1)
    ))  # fmt: skip
    for number, sheet in enumerate(sheets, 1):
        yield f"xl/worksheets/sheet{number}.xml", sheet
    yield "xl/styles.xml", _STYLES
    shown = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in strings)
    yield (
        "xl/sharedStrings.xml",
        (f'{_HEAD}<sst xmlns="{_MAIN}" uniqueCount="{len(strings)}">{shown}</sst>'),
    )
    yield (
        "docProps/app.xml",
        (
            f'{_HEAD}<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/'
            'extended-properties"><Application>Microsoft Excel</Application>'
            "<AppVersion>16.0300</AppVersion></Properties>"
        ),
    )


def _workbook(book: Workbook) -> str:
    sheets = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}"'
        f'{"" if book[name].sheet_state == "visible" else chr(32) + _HIDDEN} r:id="rId{number}"/>'
        for number, name in enumerate(book.sheetnames, 1)
    )
    return (
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        '<fileVersion appName="xl" lastEdited="7" lowestEdited="7" rupBuild="22228"/>'
        '<workbookPr defaultThemeVersion="166925"/><bookViews><workbookView xWindow="0" '
        'yWindow="0" windowWidth="28800" windowHeight="12210" activeTab="1"/></bookViews>'
        f'<sheets>{sheets}</sheets><calcPr calcId="191029"/></workbook>'
    )


_HIDDEN: Final = 'state="hidden"'


def _relations(inner: str) -> str:
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


_STYLES: Final = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}" {_LATER}>'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="0.0%"/></numFmts>'
    '<fonts count="1" x14ac:knownFonts="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="3" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    '<dxfs count="0"/></styleSheet>'
)
