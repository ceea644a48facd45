"""Files of synthetic values: as provinces send them, and as a bare loader takes them."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg

from app.rules.indicators import Indicator
from app.rules.period import Period
from app.rules.registry import Registry
from bench.load.filling import SOURCE, indicators

# Communes of the day $1 in the order of their provinces, as an import would meet them.
COMMUNES: Final = """
SELECT v.code, v.unit_id, v.district_id, v.province_id
  FROM unit_version v JOIN unit u ON u.id = v.unit_id AND u.level = 'commune'
 WHERE (v.valid_from IS NULL OR v.valid_from <= $1) AND (v.valid_to IS NULL OR v.valid_to > $1)
 ORDER BY v.province_id, v.code
"""
KEYED: Final = ("unit_id", "district_id", "province_id", "indicator", "period", "period_first",
                "period_last")  # fmt: skip
NUMBERS: Final = ("id", "recording_id", "unit_id", "district_id", "province_id", "counted",
                  "numerator", "denominator")  # fmt: skip
NAMES: Final = (
    "id", "recording_id", *KEYED, "truth", "counted", "numerator", "denominator", "codes",
    "source",
)  # fmt: skip
HEADINGS: Final = ("unit", "period", "indicator", "value", "numerator", "denominator", "source")


class Line(NamedTuple):
    """One value: the commune, the indicator, and its fact as a file writes it."""

    unit: asyncpg.Record
    code: str
    kind: str
    value: str = ""
    numerator: int | None = None
    denominator: int | None = None


def lines(
    registry: Registry, units: list[asyncpg.Record], number: int, rows: int
) -> Iterator[Line]:
    """Yield so many values, every indicator of a commune after the other; `number` varies them."""
    measured = [registry.indicators[code] for code in indicators(registry)]
    every = ((unit, one) for unit in units for one in measured)
    for n, (unit, one) in enumerate(every):
        if n >= rows:
            return
        yield _line(unit, one, (n * 7919 + number * 104_729) % 1_000)


def _line(unit: asyncpg.Record, one: Indicator, chance: int) -> Line:
    if one.kind == "boolean":
        return Line(unit, one.code, one.kind, "false" if chance % 3 == 0 else "true")
    if one.kind == "count":
        return Line(unit, one.code, one.kind, str(chance % 40))
    if one.kind == "set":
        return Line(
            unit, one.code, one.kind, "|".join(m.code for m in one.members[: 1 + chance % 4])
        )
    return Line(unit, one.code, one.kind, "", chance, 1_000 + chance % 7)


def write(path: Path, found: Iterator[Line], period: Period) -> None:
    """Write a file as provinces send it."""
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(HEADINGS) + "\n")
        for one in found:
            file.write(
                f"{one.unit['code']},{period.text},{one.code},{one.value},"
                f"{_text(one.numerator)},{_text(one.denominator)},{SOURCE}\n"
            )


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def write_resolved(path: Path, found: Iterator[Line], period: Period, first: int) -> None:
    """Write the same as rows of the table of values, for loaders that find nothing out."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, NAMES, lineterminator="\n")
        rows.writeheader()
        rows.writerows(columns(found, period, first))


def read_resolved(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table of values from such a file, typed."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_typed(row) for row in csv.DictReader(file)]


def _typed(row: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: text or None for name, text in row.items()}
    for name in NUMBERS:
        if row[name]:
            found[name] = int(row[name])
    for name in ("period_first", "period_last"):
        found[name] = datetime.date.fromisoformat(row[name])
    found["truth"] = row["truth"] == "True" if row["truth"] else None
    found["codes"] = row["codes"].split("|") if row["codes"] else None
    return found


def columns(found: Iterator[Line], period: Period, first: int) -> Iterator[dict[str, Any]]:
    """Yield rows of the table of values, numbered from one on: nothing is left to be found out."""
    for number, one in enumerate(found, first):
        yield {
            "id": number,
            "recording_id": first,
            "unit_id": one.unit["unit_id"],
            "district_id": one.unit["district_id"],
            "province_id": one.unit["province_id"],
            "indicator": one.code,
            "period": period.text,
            "period_first": period.first,
            "period_last": period.last,
            "truth": one.value == "true" if one.kind == "boolean" else None,
            "counted": int(one.value) if one.kind == "count" else None,
            "numerator": one.numerator,
            "denominator": one.denominator,
            "codes": one.value if one.kind == "set" else None,
            "source": SOURCE,
        }
