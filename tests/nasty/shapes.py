"""A nasty file and the report that is expected of it, in the terms of the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
NDJSON: Final = "application/x-ndjson"
GZIP: Final = "application/gzip"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS: Final = "application/vnd.ms-excel"
UNDECLARED: Final = "application/octet-stream"

# Indicators of the catalogue: a share, a count, a truth, a set.
RATE: Final = "households_internet_connected_rate"
OTHER_RATE: Final = "households_smartphone_rate"
LINES: Final = "internet_lines_per_household_rate"  # may exceed 100 %
COUNT: Final = "digital_skills_classes_count"
TRUTH: Final = "free_public_wifi_commune"
OTHER_TRUTH: Final = "commune_website_exists"
SERVICES: Final = "essential_services_provided"
RATE_NAME: Final = "Tỷ lệ hộ dân có kết nối internet"
TRUTH_NAME: Final = "Mạng wifi miễn phí ở các điểm công cộng (xã)"
COUNT_NAME: Final = "Số lượng lớp đào tạo nâng cao kỹ năng ứng dụng công nghệ số hằng năm"


class Nasty(msgspec.Struct, frozen=True):
    """A file as somebody may send it. Its units exist in the period that it speaks of.

    `counts` are those of a dry run against a record without these values; `conflicts` are rows by
    code and column, `warnings` rows by code. A file with `faults` is refused as a whole, and
    nothing else is told of it.
    """

    name: str
    content: Callable[[], bytes]
    media: str = CSV
    options: Mapping[str, str] = {}
    rows: int = 0
    created: int = 0
    rejected: int = 0
    conflicts: Mapping[tuple[str, str | None], tuple[int, ...]] = {}
    warnings: Mapping[str, tuple[int, ...]] = {}
    faults: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Return the counts of the report."""
        left = dict.fromkeys(("unchanged", "superseded", "skipped"), 0)
        return {"created": self.created, **left, "rejected": self.rejected}


def text(said: str, encoding: str = "utf-8") -> Callable[[], bytes]:
    """Return what makes a file of text."""
    return lambda: said.encode(encoding)


def lines(*rows: str, end: str = "\n") -> str:
    """Return rows as text."""
    return "".join(row + end for row in rows)


LONG: Final = "unit,period,indicator,value,numerator,denominator,source"


def long(*rows: str, header: str = LONG) -> Callable[[], bytes]:
    """Return what makes a CSV file of the long form."""
    return text(lines(header, *rows))


def values(indicator: str, *said: str) -> Callable[[], bytes]:
    """Return what makes a file with these values of one indicator, one a commune from row 2 on."""
    communes = ("07894", "07897", "07900", "07903", "07906", "07909", "07921", "08281", "08287")
    return text(
        lines(
            "unit;period;indicator;value;source",
            *(
                f"{unit};2024;{indicator};{value};BC 12"
                for unit, value in zip(communes, said, strict=False)
            ),
        )
    )
