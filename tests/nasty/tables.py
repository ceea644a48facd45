"""Tables of text: headers, rows that do not fit, rows twice, units in the ways people name them."""

from __future__ import annotations

from typing import Final

from nasty.shapes import (
    COUNT,
    LONG,
    OTHER_RATE,
    RATE,
    RATE_NAME,
    SERVICES,
    TRUTH,
    TRUTH_NAME,
    Nasty,
    lines,
    long,
    text,
)

HEADERS: Final = (
    Nasty(
        "title rows above",
        text(
            lines(
                "UBND TỈNH PHÚ THỌ,,,,",
                "Biểu số 01,,,,",
                ",,,,",
                "Mã xã,Năm,Chỉ tiêu,Kết quả,Nguồn",
                f"07894,2024,{TRUTH_NAME},đạt,BC",
            )
        ),
        rows=1,
        created=1,
    ),
    Nasty(
        "unknown columns",
        text(lines("unit,period,indicatr,value,source,Dân số", f"07894,2024,{TRUTH},có,BC,12")),
        faults=("unknown-column", "unknown-column", "missing-column"),
    ),
    Nasty(
        "a column given twice",
        text(lines("Mã xã,unit,period,indicator,value,source", f"07894,07894,2024,{TRUTH},có,BC")),
        faults=("repeated-column",),
    ),
    Nasty(
        "no period and no source",
        text(lines("unit,indicator,value", f"07894,{TRUTH},có")),
        faults=("missing-column", "missing-column"),
    ),
    Nasty(
        "period and source stated",
        text(lines("unit,indicator,value", f"07894,{TRUTH},có")),
        options={"period": "2024", "source": "BC 12"},
        rows=1,
        created=1,
    ),
    Nasty(
        "a cell comes before what is stated",
        text(
            lines(
                "unit,period,indicator,value,source",
                f"07894,2024,{TRUTH},có,",
                f"07897,,{TRUTH},có,BC",
                f"07900,2023-13,{TRUTH},có,BC",
            )
        ),
        options={"period": "2024", "source": "BC 12"},
        rows=3,
        created=2,
        rejected=1,
        conflicts={("invalid-period", "period"): (4,)},
    ),
    Nasty("nothing that looks like a header", text(lines("a,b,c", "1,2,3")), faults=("no-header",)),
    Nasty("an empty file", lambda: b"", faults=("empty-file",)),
    Nasty(
        "values in a column without a name",
        text(lines("unit,period,indicator,value,source,", f"07894,2024,{TRUTH},có,BC,?")),
        faults=("unnamed-column",),
    ),
    Nasty(
        "a wide table with a row of totals and signatures",
        text(
            lines(
                f"STT,Mã xã,Tên xã,{RATE_NAME} (%),{TRUTH},Nguồn",
                '1,07894,Phường Nông Trang,"85,5",x,BC',
                "2,07897,Phường Tân Dân,90,không,BC",
                "3,07900,Phường Gia Cẩm,,,BC",
                'Tổng cộng,,,"87,2",,',
                "Người lập biểu,,,,,",
            )
        ),
        options={"period": "2024"},
        rows=5,
        created=4,
        warnings={"total-row-skipped": (5,), "text-row": (6,)},
    ),
    Nasty(
        "a wide table with values of nobody",
        text(lines(f"Mã xã;{TRUTH};{COUNT};source", ";x;3;BC", "07894;x;3;BC")),
        options={"period": "2024"},
        rows=2,
        created=2,
        rejected=2,
        conflicts={("no-unit", "Mã xã"): (2,)},
    ),
    Nasty(
        "numerator and denominator side by side",
        text(
            lines(
                f"unit,period,source,{RATE}.numerator,{RATE}.denominator,{RATE}",
                "07894,2024,BC,3400,4000,",
                "07897,2024,BC,3400,,",
                "07900,2024,BC,,,85%",
                "07903,2024,BC,1,2,50%",
                "07906,2024,BC,1,3,33.3",
                "07909,2024,BC,2,3,66%",
                "07921,2024,BC,2,3,2/3",
            )
        ),
        rows=7,
        created=5,
        rejected=2,
        conflicts={
            ("missing-cell", f"{RATE}.denominator"): (3,),
            ("contradictory-share", RATE): (7,),
        },
    ),
    Nasty(
        "a denominator is missing",
        text(lines(f"unit,period,source,{RATE_NAME} - Tử số", "07894,2024,BC,1")),
        faults=("missing-column",),
    ),
    Nasty(
        "one thing wrong hides no other",
        long(
            f"99999,2024x,{RATE},,5,4,",
            f"07894,2024,{RATE},,5,4,BC",
            "07897,2024,chi_so_la,1,,,BC",
            f"07900,2024,{SERVICES},health|culture,,,BC",
            f"07903,2024,{SERVICES},health|space,,,BC",
            f"07906,2024,{SERVICES},[],,,BC",
            "07909,2024,area_island,có,,,BC",
            "07909,2024,district_has_linkage_model,có,,,BC",
            f"07909,2024,{TRUTH},,,,BC",
        ),
        rows=9,
        created=2,
        rejected=7,
        conflicts={
            ("invalid-period", "period"): (2,),
            ("missing-cell", "source"): (2,),
            ("numerator-exceeds-denominator", "numerator"): (2, 3),
            ("unknown-indicator", "indicator"): (4,),
            ("unknown-member", "value"): (6,),
            ("not-a-fact", "value"): (8,),
            ("wrong-level", "indicator"): (9,),
            ("missing-cell", "value"): (10,),
        },
    ),
    Nasty(
        "the same value twice, and two that contradict each other",
        long(
            f"07894,2024,{TRUTH},có,,,BC",
            f"07897,2024,{TRUTH},có,,,BC",
            f"07894,2024,{TRUTH},x,,,BC 2",
            f"07897,2024,{TRUTH},không,,,BC",
            f"07894,2023,{TRUTH},không,,,BC",
        ),
        rows=5,
        created=2,
        rejected=3,
        conflicts={
            ("duplicate-value", "indicator"): (4,),
            ("contradictory-value", "indicator"): (3, 5),
        },
    ),
    Nasty(
        "dates in the ways of the country",
        text(
            lines(
                LONG + ",measured_on",
                f"07894,2024,{TRUTH},có,,,BC,31/12/2024",
                f"07897,2024,{TRUTH},có,,,BC,2024-12-31",
                f"07900,2024,{TRUTH},có,,,BC,12/31/2024",
                f"07903,Quý III/2024,{TRUTH},có,,,BC,",
            )
        ),
        rows=4,
        created=3,
        rejected=1,
        conflicts={("invalid-date", "measured_on"): (4,)},
    ),
)

UNITS: Final = (
    Nasty(
        "zeros lost in one way only",
        long(f"7894,2024,{TRUTH},có,,,BC", f"7897,2024,{TRUTH},x,,,BC"),
        rows=2,
        created=2,
        warnings={"code-zeros-restored": ()},
    ),
    Nasty(
        "zeros lost in many ways",
        long(f"1,2024,{TRUTH},có,,,BC", f"00001,2024,{TRUTH},có,,,BC"),
        rows=2,
        created=1,
        rejected=1,
        conflicts={("ambiguous-code", "unit"): (2,)},
    ),
    Nasty(
        "the same commune with and without its zero",
        long(f"07894,2024,{TRUTH},có,,,BC", f"7894,2024,{TRUTH},không,,,BC"),
        rows=2,
        rejected=2,
        conflicts={("contradictory-value", "indicator"): (2, 3)},
        warnings={"code-zeros-restored": ()},
    ),
    Nasty(
        "units by name, with province",
        text(
            lines(
                "Tên xã,Huyện,Tỉnh,Kỳ,Chỉ số,Giá trị,Nguồn",
                f"Kim Đức,Thành phố Việt Trì,Phú Thọ,2024,{TRUTH},có,BC",
                f"xã phượng lâu,Việt Trì,Tỉnh Phú Thọ,2024,{TRUTH},có,BC",
                f"Xã Không Có,Việt Trì,Phú Thọ,2024,{TRUTH},có,BC",
                f"Kim Đức,Gia Lâm,Phú Thọ,2024,{TRUTH},có,BC",
            )
        ),
        rows=4,
        created=2,
        rejected=2,
        conflicts={("unit-not-found", "Tên xã"): (4, 5)},
    ),
    Nasty(
        "communes of 2026",
        text(
            lines(
                "Mã xã;Năm;Chỉ số;Giá trị;Nguồn",
                f"28756;2026;{TRUTH};x;BC",
                f"28777;2026;{OTHER_RATE};85%;BC",
            )
        ),
        rows=2,
        created=2,
    ),
    Nasty(
        "rejected rows, mended and sent again",
        text(
            "\ufeff"
            + lines(LONG + ",reason", f"07894,2024,{TRUTH},có,,,'=BC,value: phải là có hoặc không")
        ),
        rows=1,
        created=1,
    ),
)

FILES: Final = (*HEADERS, *UNITS)
