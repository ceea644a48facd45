"""Tables as offices send them: sections, notes and signatures around values, several tables."""

from __future__ import annotations

from typing import Final

from nasty.objects import value
from nasty.packing import book, merged, parts, row, sheet, zipped
from nasty.shapes import COUNT, NDJSON, OTHER_RATE, RATE, RATE_NAME, TRUTH, XLSX, Nasty, lines, text

_YEAR: Final = {"period": "2024"}
_BOTH: Final = {"period": "2024", "source": "BC 12"}


def _sections() -> bytes:
    """Sections, a note and a signature, each in one block of merged cells across the table."""
    return book(
        row(1, "Mã xã", COUNT, RATE),
        row(2, "I. KHU VỰC VIỆT TRÌ"),
        row(3, "07894", 3, 85),
        row(4, "Ghi chú: số liệu đến hết ngày 31/12/2024"),
        row(5, "07897", 4, 90),
        row(7, None, "CHỦ TỊCH"),
        row(8, "Người lập biểu", "KT. CHỦ TỊCH"),
        after=merged("A2:C2", "A4:C4", "B7:C7", "B8:C8"),
    )


FILES: Final = (
    Nasty(
        "a percentage sign in the heading, and both scales below it",
        text(lines(f"Mã xã;{RATE_NAME} (%)", "07894;85%", "07897;85", "07900;0,85", "07903;0.9")),
        options=_BOTH,
        rows=4,
        created=2,
        rejected=2,
        conflicts={("mixed-scale", f"{RATE_NAME} (%)"): (4, 5)},
    ),
    Nasty(
        "a percentage sign in the heading, small shares below it",
        text(lines(f"Mã xã;{RATE_NAME} (%)", "07894;2,5", "07897;0,85", "07900;1")),
        options=_BOTH,
        rows=3,
        created=3,
        warnings={"read-as-percent": (3,)},
    ),
    Nasty(
        "formulas as programs write them, without results",
        lambda: book(
            row(1, "Mã xã", COUNT),
            row(2, "07894", "<c><f>1+1</f><v /></c>"),
            row(3, "07897", 3),
            row(4, "Tổng cộng", "<c><f>SUM(B2:B3)</f><v></v></c>"),
        ),
        XLSX,
        _BOTH,
        rows=3,
        created=1,
        rejected=1,
        conflicts={("formula-without-value", COUNT): (2,)},
        warnings={"formula-value": (2,), "total-row-skipped": (4,)},
    ),
    Nasty(
        "sections, notes and signatures across merged cells",
        _sections,
        XLSX,
        _BOTH,
        rows=6,
        created=4,
        warnings={"text-row": (2, 4, 7, 8)},
    ),
    Nasty(
        "signatures in two columns below the values",
        text(
            lines(
                f"Mã xã,Tên xã,{COUNT},{RATE}",
                "07894,,3,85",
                "07897,,4,90",
                "Người lập biểu,,TM. ỦY BAN NHÂN DÂN,",
                "(Ký tên),,KT. CHỦ TỊCH,PHÓ CHỦ TỊCH",
            )
        ),
        options=_BOTH,
        rows=4,
        created=4,
        warnings={"text-row": (4, 5)},
    ),
    Nasty(
        "words where a value should be, above others",
        text(lines(f"Tên xã,{COUNT}", "Phường Nông Tran,Chưa thống kê", "Phường Nông Trang,3")),
        options=_BOTH,
        rows=2,
        created=1,
        rejected=1,
        conflicts={("not-a-number", COUNT): (2,), ("unit-not-found", "Tên xã"): (2,)},
    ),
    Nasty(
        "another table further down, with other headings",
        text(lines(f"Mã xã;{RATE}", "07894;85%", ";", f"Mã xã;{OTHER_RATE}", "07897;90%")),
        options=_BOTH,
        faults=("second-header",),
    ),
    Nasty(
        "the same headings further down, spelled in another way",
        text(lines(f"Mã xã;{RATE}", "07894;85%", f"MÃ ĐƠN VỊ;{RATE_NAME}", "07897;90%")),
        options=_BOTH,
        rows=3,
        created=2,
        warnings={"repeated-header": (3,)},
    ),
    Nasty(
        "one sheet long, another one wide",
        lambda: zipped(
            parts(
                {
                    "Dài": sheet(row(1, "unit", "indicator", "value") + row(2, "07894", COUNT, 3)),
                    "Rộng": sheet(row(1, "unit", TRUTH) + row(2, "07894", "x")),
                }
            )
        ),
        XLSX,
        _BOTH,
        faults=("mixed-sheets",),
    ),
    Nasty(
        "rows of an export that are in force no more",
        text(
            lines(
                "unit,period,indicator,value,source,status",
                f"07894,2024,{COUNT},3,BC,reported",
                f"07897,2024,{COUNT},3,BC,superseded",
                f"07900,2024,{COUNT},3,BC,retracted",
                f"07903,2024,{COUNT},3,BC,đã kiểm tra",
            )
        ),
        rows=4,
        created=2,
        rejected=2,
        conflicts={("past-value", "status"): (3, 4)},
    ),
    Nasty(
        "names with their districts and provinces in one cell",
        text(
            lines(
                f"Tên xã;{COUNT}",
                "Xã Kim Đức, TP Việt Trì, tỉnh Phú Thọ;1",
                "Xã Kim Đức, huyện Gia Lâm;2",
                "Xã Phượng Lâu, Phú Thọ;3",
                "Xã\u00a0Kim\u00a0Đức, tỉnh Hà Giang;4",
            )
        ),
        options=_BOTH,
        rows=4,
        created=3,
        rejected=1,
        conflicts={("unit-not-found", "Tên xã"): (5,)},
    ),
    Nasty(
        "shares that cannot be",
        text(lines(f"Mã xã;{RATE}", "07894;-5%", "07897;1.234,5", "07900;120%", "07903;85%")),
        options=_BOTH,
        rows=4,
        created=1,
        rejected=3,
        conflicts={("share-out-of-range", RATE): (2, 3), ("out-of-range", RATE): (4,)},
    ),
    Nasty(
        "headings and nothing below them",
        text(lines(f"Mã xã;{RATE}", ";")),
        options=_BOTH,
        faults=("empty-file",),
    ),
    Nasty(
        "indicators as keys of NDJSON",
        text(f'{{"unit": "07894", "{RATE}": 85}}\n'),
        NDJSON,
        _BOTH,
        faults=("wide-json",),
    ),
    Nasty(
        "sources in JSON that are no text",
        text(
            lines(
                value("07894", TRUTH, True, source=[]),
                value("07897", TRUTH, True, note=True),
                value("07900", TRUTH, True, note={"x": 1}),
                value("07903", TRUTH, True, note=7),
            )
        ),
        NDJSON,
        rows=4,
        created=1,
        rejected=3,
        conflicts={("not-plain", "source"): (1,), ("not-plain", "note"): (2, 3)},
    ),
    Nasty(
        "facts in JSON that are none",
        text(
            lines(
                value("07894", TRUTH, [True]),
                value("07897", RATE, {"percent": 85}),
                value("07900", RATE, {"numerator": "3", "denominator": 4}),
            )
        ),
        NDJSON,
        rows=3,
        rejected=3,
        conflicts={("wrong-kind", "value"): (1, 2), ("wrong-kind", "numerator"): (3,)},
    ),
)
