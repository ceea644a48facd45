"""Ways of writing numbers, shares and truths: each file proves how it is read, or it is told."""

from __future__ import annotations

from typing import Final

from nasty.shapes import COUNT, LINES, RATE, TRUTH, Nasty, text, values

_WIDE: Final = "unit;source;households_internet_connected_rate (%)\n07894;BC;0,85\n07897;BC;85\n"

FILES: Final = (
    Nasty(
        "3.400 alone",
        values(COUNT, "3.400", "12"),
        rows=2,
        created=2,
        warnings={"ambiguous-number": (2,)},
    ),
    Nasty("3.400 beside 1.234.567", values(COUNT, "3.400", "1.234.567"), rows=2, created=2),
    Nasty("3,400 beside 12.0", values(COUNT, "3,400", "12.0"), rows=2, created=2),
    Nasty(
        "3.400 in English, as stated",
        values(COUNT, "3.400", "12"),
        options={"locale": "en"},
        rows=2,
        created=1,
        rejected=1,
        conflicts={("not-a-whole-number", "value"): (2,)},
    ),
    Nasty(
        "1,234.5 where Vietnamese is stated",
        values(COUNT, "1,234.0", "12"),
        options={"locale": "vi"},
        rows=2,
        created=1,
        rejected=1,
        conflicts={("other-locale", "value"): (2,)},
    ),
    Nasty(
        "both ways in one file",
        values(COUNT, "1.234.567", "1,234,567", "3.400", "3 400"),
        rows=4,
        created=3,
        rejected=1,
        conflicts={("mixed-locale", "value"): (4,)},
    ),
    Nasty(
        "85%, 85 and 0,85",
        values(RATE, "85%", "85", "0,85"),
        rows=3,
        created=1,
        rejected=2,
        conflicts={("mixed-scale", "value"): (3, 4)},
    ),
    Nasty(
        "85% and 0,85",
        values(RATE, "85%", "0,85", "0"),
        rows=3,
        created=2,
        rejected=1,
        conflicts={("mixed-scale", "value"): (3,)},
    ),
    Nasty("85 and 90,5", values(RATE, "85", "90,5", "1", "0"), rows=4, created=4),
    Nasty(
        "0.85 and 1",
        values(RATE, "0.85", "1", "0"),
        rows=3,
        created=3,
        warnings={"read-as-fraction": (2, 3)},
    ),
    Nasty(
        "1 alone",
        values(RATE, "1", "0"),
        rows=2,
        created=1,
        rejected=1,
        conflicts={("ambiguous-scale", "value"): (2,)},
    ),
    Nasty(
        "a share below one, its heading says %",
        text(_WIDE),
        options={"period": "2024"},
        rows=2,
        created=2,
        warnings={"read-as-percent": (2,)},
    ),
    Nasty("85.125 is no 85125 per cent", values(RATE, "85.125", "90.5%"), rows=2, created=2),
    Nasty(
        "3400/4000 and 3.400/4.000",
        values(RATE, "3400/4000", "3.400/4.000", "1/", "5/4"),
        rows=4,
        created=2,
        rejected=2,
        conflicts={
            ("not-a-number", "value"): (4,),
            ("numerator-exceeds-denominator", "value"): (5,),
        },
        warnings={"ambiguous-number": (3,)},
    ),
    Nasty(
        "more than all",
        values(RATE, "101%", "85%"),
        rows=2,
        created=1,
        rejected=1,
        conflicts={("out-of-range", "value"): (2,)},
    ),
    Nasty("more lines than households", values(LINES, "120%", "85,25"), rows=2, created=2),
    Nasty(
        "seven decimals",
        values(RATE, "85,1234567%"),
        rows=1,
        rejected=1,
        conflicts={("too-many-decimals", "value"): (2,)},
    ),
    Nasty(
        "numbers that are none",
        values(COUNT, "1.2E+5", "-3", "٣٤", "mười hai", "3,5", "12 lớp"),
        rows=6,
        rejected=6,
        conflicts={
            ("not-a-number", "value"): (2, 4, 5, 7),
            ("out-of-range", "value"): (3,),
            ("not-a-whole-number", "value"): (6,),
        },
    ),
    Nasty(
        "truths",
        values(TRUTH, "có", "X", "Không đạt", "1", "0", "TRUE", "✓", "ko"),
        rows=8,
        created=7,
        rejected=1,
        conflicts={("not-a-truth", "value"): (9,)},
    ),
)
