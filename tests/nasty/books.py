"""Workbooks as people keep them: titles, merged and hidden cells, formulas, dates out of shares."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from nasty.packing import book, identity, merged, parts, row, sheet, zipped
from nasty.shapes import (
    COUNT,
    RATE,
    RATE_NAME,
    TRUTH,
    TRUTH_NAME,
    XLS,
    XLSX,
    Nasty,
)

_FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "imports"
_YEAR: Final = {"period": "2024"}
_BOTH: Final = {"period": "2024", "source": "BC 12"}
_HEAD: Final = row(1, "Mã xã", RATE, COUNT, TRUTH)


def _grouped() -> bytes:
    """A table as reports have it: title, groups above parts, numbered columns, merged districts."""
    return book(
        row(1, "BIỂU SỐ 3: HẠ TẦNG SỐ NĂM 2024"),
        row(3, "STT", "Huyện", "Xã, phường", RATE_NAME, None, TRUTH_NAME, "Nguồn"),
        row(4, None, None, None, "Tử số", "Mẫu số"),
        row(5, "(1)", "(2)", "(3)", "(4)", "(5)", "(6)", "(7)"),
        row(6, 1, "TP Việt Trì", "Xã Kim Đức", 3400, 4000, "x", "BC 12"),
        row(7, 2, None, "Xã Phượng Lâu", 10, 20, "không"),
        row(8, 3, "Huyện Gia Lâm", "Xã Kim Đức", 1, 2, "có", "BC 13"),
        row(9, None, "Cộng", None, 3411, 4022),
        row(11, None, None, None, None, None, "CHỦ TỊCH"),
        after=merged(
            "A1:G1", "A3:A4", "B3:B4", "C3:C4", "D3:E3", "F3:F4", "G3:G4", "B6:B7", "G6:G7"
        ),
    )


def _merged_values() -> bytes:
    return book(
        _HEAD,
        row(2, "07894", "<c s='1'><v>0.85</v></c>", 3, "x"),
        row(3, "07897", None, None, "x"),
        row(4, "07900", 0.5, 3),
        after=merged("B2:B3", "C4:D4"),
    )


def _sheets() -> bytes:
    return zipped(
        parts(
            {
                "Việt Trì": sheet(_HEAD + row(2, "07894", None, 3)),
                "Gia Lâm": sheet(row(1, "unit", COUNT) + row(2, "00589", 4)),
                "Bìa": sheet(row(1, "Báo cáo")),
                "Trống": sheet(""),
                "Năm trước": sheet(_HEAD + row(2, "07894", None, 1)),
                "Rất kín": sheet(_HEAD + row(2, "07897", None, 1)),
            },
            states={"Năm trước": "hidden", "Rất kín": "veryHidden"},
        )
    )


def _formulas() -> bytes:
    return book(
        _HEAD,
        row(
            2,
            "07894",
            '<c s="1"><f>B9/C9</f><v>0.66666666666666663</v></c>',
            "<c><f>1+1</f><v>2</v></c>",
        ),
        row(3, "07897", None, "<c><f>1+1</f></c>"),
        row(
            4,
            "07900",
            '<c t="e"><f>1/0</f><v>#DIV/0!</v></c>',
            None,
            '<c t="str"><f>IF(1,"","x")</f><v></v></c>',
        ),
        row(5, '<c t="e"><f>NA()</f><v>#N/A</v></c>', None, 3),
    )


def _numbers() -> bytes:
    return book(
        _HEAD,
        row(2, 7894, "<c s='1'><v>0.85499999999999998</v></c>", 12.0, "<c t='b'><v>1</v></c>"),
        row(3, "7897", "<c s='2'><v>45385</v></c>", 3.5, 0),
        row(4, "07900", 85, 1e30, 2),
        row(5, "07903", "3/4", "3.400", "<c s='3'><v>45385</v></c>"),
    )


def _rich() -> bytes:
    """Texts that are shared, in parts, with how they are pronounced; a prefix on every element."""
    strings = "".join(f"<si><t>{text}</t></si>" for text in ("Mã xã", COUNT, "Nguồn")) + (
        "<si><r><t>Báo cáo</t></r><r><rPr><b/></rPr><t xml:space='preserve'> 12_x000D_</t></r>"
        "<rPh><t>x</t></rPh></si>"
    )
    cells = '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c>'
    values = "<c t='inlineStr'><is><t>07894</t></is></c><c><v>3</v></c><c t='s'><v>3</v></c>"
    plain = sheet(f"<row r='1'>{cells}</row><row>{values}</row>")
    prefixed = plain.replace("</", "\x00").replace("<?", "\x01").replace("<", "<x:")
    prefixed = prefixed.replace("\x00", "</x:").replace("\x01", "<?").replace("xmlns=", "xmlns:x=")
    return zipped(parts({"S": prefixed}, strings=strings))


_COLUMNS: Final = (
    ("unit", "Mã đơn vị"),
    ("name", "Tên đơn vị"),
    ("source", "Nguồn"),
    (f"{RATE}.numerator", "Internet - Tử số"),
    (f"{RATE}.denominator", "Internet - Mẫu số"),
    (RATE, "Internet (%)"),
    (TRUTH, "Wifi"),
    ("note", "Ghi chú"),
)


def _template(
    headings: tuple[str | None, ...], *rows: tuple[str | int | float | None, ...]
) -> bytes:
    table = row(1, "BIỂU MẪU") + row(2, *headings)
    table += "".join(row(number, *one) for number, one in enumerate(rows, 3))
    return zipped(
        parts(
            {
                "Hướng dẫn": sheet(row(1, "Cách điền")),
                "Số liệu": sheet(table),
                "_ntm": identity(_COLUMNS),
            },
            states={"_ntm": "hidden"},
        )
    )


_HEADINGS: Final = tuple(heading for _, heading in _COLUMNS)
_FILLED: Final = (
    ("07894", "Phường Nông Trang", "BC 12", 3400, 4000, None, "có"),
    ("07897", "Phường Tân Dân", "BC 12", None, None, 0.85, "không"),
    ("07900", "Phường Gia Cẩm"),
)

FILES: Final = (
    Nasty(
        "a report with groups, merged districts and totals",
        _grouped,
        XLSX,
        _YEAR,
        rows=5,
        created=6,
        warnings={
            "merged-cells": (6, 6),
            "numbering-row": (5,),
            "total-row-skipped": (9,),
            "text-row": (11,),
        },
    ),
    Nasty(
        "merged values",
        _merged_values,
        XLSX,
        _BOTH,
        rows=3,
        created=5,
        rejected=3,
        conflicts={
            ("merged-value", RATE): (3,),
            ("merged-value", TRUTH): (4,),
            ("mixed-scale", RATE): (4,),
        },
    ),
    Nasty(
        "sheets that are hidden, empty or have no table",
        _sheets,
        XLSX,
        _BOTH,
        rows=2,
        created=2,
        warnings={"hidden-sheet": (), "sheet-skipped": ()},
    ),
    Nasty(
        "the sheet that is named", _sheets, XLSX, _BOTH | {"sheet": "Năm trước"}, rows=1, created=1
    ),
    Nasty(
        "a sheet that is not there", _sheets, XLSX, _BOTH | {"sheet": "2024"}, faults=("no-sheet",)
    ),
    Nasty(
        "hidden rows and columns",
        lambda: book(
            _HEAD,
            row(2, "07894", None, 3, attributes=' hidden="1"'),
            row(3, "07897", None, 4),
            before='<cols><col min="3" max="3" hidden="1"/></cols>',
        ),
        XLSX,
        _BOTH,
        rows=2,
        created=2,
        warnings={"hidden-rows": (2,)},
    ),
    Nasty(
        "formulas with and without their results",
        _formulas,
        XLSX,
        _BOTH,
        rows=4,
        created=2,
        rejected=3,
        conflicts={
            ("formula-without-value", COUNT): (3,),
            ("error-value", RATE): (4,),
            ("error-value", "Mã xã"): (5,),
        },
        warnings={"formula-value": (2,), "rounded-share": (2,)},
    ),
    Nasty(
        "numbers, lost zeros, dates that were shares",
        _numbers,
        XLSX,
        _BOTH,
        rows=4,
        created=7,
        rejected=5,
        conflicts={
            ("date-not-number", RATE): (3,),
            ("not-a-whole-number", COUNT): (3,),
            ("out-of-range", COUNT): (4,),
            ("not-a-truth", TRUTH): (4, 5),
        },
        warnings={"code-zeros-restored": (), "ambiguous-number": (5,)},
    ),
    Nasty("shared texts in parts, and prefixes", _rich, XLSX, _YEAR, rows=1, created=1),
    Nasty(
        "days counted from 1904",
        lambda: book(
            row(1, "unit", COUNT, "measured_on"),
            row(2, "07894", 3, "<c s='2'><v>44196</v></c>"),
            row(3, "07897", 3, "<c s='2'><v>99999999</v></c>"),
            about='<workbookPr date1904="1"/>',
        ),
        XLSX,
        _BOTH,
        rows=2,
        created=1,
        rejected=1,
        conflicts={("date-not-number", "measured_on"): (3,)},
    ),
    Nasty(
        "values beside the table",
        lambda: book(_HEAD, row(2, "07894", None, 3, None, None, 7)),
        XLSX,
        _BOTH,
        faults=("unnamed-column",),
    ),
    Nasty(
        "an old workbook",
        (_FIXTURES / "values.xls").read_bytes,
        XLS,
        _BOTH,
        rows=4,
        created=5,
        rejected=1,
        conflicts={("error-value", COUNT): (5,)},
        warnings={"hidden-sheet": (), "formula-value": (4,), "merged-cells": (4,)},
    ),
    Nasty(
        "a template, filled in",
        lambda: _template(_HEADINGS, *_FILLED),
        XLSX,
        rows=3,
        created=4,
        warnings={"read-as-percent": (4,)},
    ),
    Nasty(
        "a template with a sheet named that is not its own",
        lambda: _template(_HEADINGS, *_FILLED),
        XLSX,
        {"sheet": "Hướng dẫn"},
        faults=("invalid-option",),
    ),
    Nasty(
        "a template with a column put in and one moved",
        lambda: _template(
            ("STT", *_HEADINGS[:6], "Ghi chú", "Wifi"),
            *((number, *one[:6], None, *one[6:]) for number, one in enumerate(_FILLED, 1)),
        ),
        XLSX,
        rows=3,
        created=4,
        warnings={"read-as-percent": (4,)},
    ),
    Nasty(
        "a template with a column renamed",
        lambda: _template((*_HEADINGS[:6], "Wi-fi", "Ghi chú"), *_FILLED),
        XLSX,
        faults=("template-changed",),
    ),
    Nasty(
        "a template of another period",
        lambda: _template(_HEADINGS, *_FILLED),
        XLSX,
        {"period": "2023"},
        faults=("invalid-option",),
    ),
)
