"""Files of text: encodings, delimiters, headers, rows that do not fit."""

from __future__ import annotations

import codecs
import unicodedata
from typing import Final

from nasty.shapes import (
    LONG,
    RATE,
    TRUTH,
    TSV,
    UNDECLARED,
    Nasty,
    lines,
    long,
    text,
)

_TONES: Final = "\u0300\u0301\u0303\u0309\u0323"


def windows_1258(said: str) -> bytes:
    """Return text in the encoding of old Vietnamese Windows: letters, and tones behind them."""
    found = b""
    for char in said:
        apart = unicodedata.normalize("NFD", char)
        tone = "".join(one for one in apart if one in _TONES)
        letter = unicodedata.normalize("NFC", "".join(one for one in apart if one not in _TONES))
        found += (letter + tone).encode("cp1258")
    return found


_GOOD: Final = (
    f"07894,2024,{RATE},,3400,4000,Báo cáo 12/BC-UBND",
    f"07897,2024,{TRUTH},có,,,Báo cáo 12/BC-UBND",
)
_PLAIN: Final = lines(LONG, *_GOOD)
_SEMICOLONS: Final = _PLAIN.replace(",", ";")
_TABS: Final = _PLAIN.replace(",", "\t")

ENCODINGS: Final = (
    Nasty("utf-8 with a mark", text("\ufeff" + _PLAIN), rows=2, created=2),
    Nasty("utf-16 with a mark", text(_TABS, "utf-16"), UNDECLARED, rows=2, created=2),
    Nasty(
        "utf-16 big-endian with a mark",
        lambda: codecs.BOM_UTF16_BE + _TABS.encode("utf-16-be"),
        TSV,
        rows=2,
        created=2,
    ),
    Nasty("utf-16 without a mark", text(_TABS, "utf-16-le"), TSV, rows=2, created=2),
    Nasty(
        "windows-1258, stated",
        lambda: windows_1258(
            lines("Mã xã,Kỳ,Chỉ số,Giá trị,Nguồn", f"07894,2024,{TRUTH},không đạt,Báo cáo số 12")
        ),
        options={"encoding": "windows-1258"},
        rows=1,
        created=1,
    ),
    Nasty(
        "windows-1258, not stated",
        lambda: (
            _PLAIN.replace("Báo", "B\xe1o")
            .replace("cáo", "c\xe1o")
            .replace("có", "co")
            .encode("latin-1")
        ),
        faults=("unknown-encoding",),
    ),
    Nasty(
        "an encoding that contradicts the mark",
        text(_TABS, "utf-16"),
        UNDECLARED,
        {"encoding": "windows-1258"},
        faults=("encoding-contradicts",),
    ),
    Nasty(
        "an encoding that nobody knows",
        text(_PLAIN),
        options={"encoding": "tcvn3"},
        faults=("invalid-option",),
    ),
    Nasty(
        "decomposed letters",
        text(
            lines(
                "Ma\u0303 xa\u0303,Ky\u0300,Chỉ số,Giá trị,Nguồn", f"07894,2024,{TRUTH},co\u0301,BC"
            )
        ),
        rows=1,
        created=1,
    ),
    Nasty("a NUL in the middle", text(_PLAIN + "07900,2024\x00,x"), faults=("not-text",)),
    Nasty(
        "bytes that are no utf-8 far below",
        lambda: _PLAIN.encode() * 2_000 + b"\xff\xfe\n",
        faults=("unknown-encoding",),
    ),
)

DELIMITERS: Final = (
    Nasty("semicolons", text(_SEMICOLONS), rows=2, created=2),
    Nasty("tabs", text(_TABS), TSV, rows=2, created=2),
    Nasty("the first line of Excel", text("sep=;\n" + _SEMICOLONS), rows=2, created=2),
    Nasty(
        "commas in quoted cells of a file of semicolons",
        text(lines("unit;period;indicator;value;source", f'07894;2024;{TRUTH};có;"a, b, c; d"')),
        rows=1,
        created=1,
    ),
    Nasty("old line ends", text(_PLAIN.replace("\n", "\r")), rows=2, created=2),
    Nasty(
        "line ends of Windows, a blank line, spaces around",
        text(_PLAIN.replace("\n", "\r\n").replace("07897", " 07897 ") + "\r\n,,,,,,\r\n"),
        rows=2,
        created=2,
    ),
    Nasty(
        "a cell over lines",
        text(
            lines(
                LONG + ",note",
                f'07894,2024,{RATE},,3400,4000,BC,"hai\ndòng"',
                f"07897,2024,{TRUTH},chắc,,,BC,",
            )
        ),
        rows=2,
        created=1,
        rejected=1,
        conflicts={("not-a-truth", "value"): (4,)},
    ),
    Nasty(
        "a quote that is never closed",
        text(_PLAIN + '07900,2024,"x,có\n' + _GOOD[0] + "\n"),
        faults=("not-csv",),
    ),
    Nasty(
        "rows of other widths",
        long(*_GOOD, f"07900,2024,{TRUTH},có", f"07903,2024,{TRUTH},có,,,a,b"),
        rows=4,
        created=2,
        rejected=2,
        conflicts={("wrong-cell-count", None): (4, 5)},
    ),
    Nasty("tabs declared, commas sent", text(_PLAIN), TSV, faults=("media-contradicts",)),
    Nasty(
        "formulas are text",
        long(
            f'07894,2024,{TRUTH},có,,,"=HYPERLINK(""http://x"",""y"")"',
            f"07897,2024,{TRUTH},có,,,@SUM(A1:A9)",
            f"07900,2024,{TRUTH},=1+1,,,BC",
            f"'=cmd|' /C calc'!A0,2024,{TRUTH},có,,,BC",
        ),
        rows=4,
        created=2,
        rejected=2,
        conflicts={("not-a-truth", "value"): (4,), ("unit-not-found", "unit"): (5,)},
    ),
)

FILES: Final = (*ENCODINGS, *DELIMITERS)
