"""NDJSON: facts as the API takes them, columns as keys, lines that are no JSON."""

from __future__ import annotations

import gzip
import json
from typing import Any, Final

from nasty.shapes import COUNT, CSV, GZIP, NDJSON, RATE, SERVICES, TRUTH, Nasty, lines, text


def value(unit: str, indicator: str, said: Any, **more: Any) -> str:
    """Return a value as `POST /v1/values` takes it."""
    named = {"unit": unit, "period": "2024", "indicator": indicator, "source": "BC"}
    return json.dumps({**named, "value": said, **more}, ensure_ascii=False)


FILES: Final = (
    Nasty(
        "values as the API takes them",
        text(
            lines(
                value("07894", RATE, {"numerator": 3400, "denominator": 4000}),
                value("07897", TRUTH, True),
                value("07900", RATE, {"percent": "85.50"}, note=None),
                value("07903", SERVICES, []),
            )
        ),
        NDJSON,
        rows=4,
        created=4,
    ),
    Nasty(
        "columns as keys, a line cut off",
        text(
            lines(
                f'{{"Mã xã": "07894", "Năm": 2024, "Chỉ số": "{COUNT}", "Giá trị": "12", '
                '"Nguồn": "BC"}',
                '{"Mã xã": "07897", "Năm": 20',
                "",
                "[1, 2]",
                '{"Mã xã": "07900", "Mã xã": "07903", "Năm": 2024}',
            )
        ),
        NDJSON,
        rows=4,
        created=1,
        rejected=3,
        conflicts={("malformed-json", None): (2, 4, 5)},
    ),
    Nasty(
        "an unknown key",
        text('{"unit": "07894", "valu": 3}\n'),
        NDJSON,
        faults=("unknown-column",),
    ),
    Nasty("one array", text('[{"unit": "07894"}]'), NDJSON, faults=("not-ndjson",)),
    Nasty(
        "JSON of a great depth, and numbers that are none",
        text(
            lines(
                '{"unit": ' + "[" * 100_000 + "]" * 100_000 + "}",
                value("07894", COUNT, float("nan")),
                value("07897", COUNT, "").replace('""', "1e999999"),
                value("07900", COUNT, 3),
            )
        ),
        NDJSON,
        rows=4,
        created=1,
        rejected=3,
        conflicts={("malformed-json", None): (1, 2), ("not-a-number", "value"): (3,)},
    ),
    Nasty("JSON declared as CSV", text('{"unit": "07894"}\n'), CSV, faults=("media-contradicts",)),
    Nasty(
        "gzip of NDJSON",
        lambda: gzip.compress(value("07894", TRUTH, True).encode()),
        GZIP,
        rows=1,
        created=1,
    ),
)
