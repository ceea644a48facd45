"""From the rows of a CSV file to subjects that can be judged: one per unit, in one period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.domain.csv_table import RowComplaint
from app.domain.facts_csv import Row
from app.domain.previews import Described, Subject
from app.rules.errors import Text
from app.rules.period import Period, Value, choose
from app.rules.verdict import Designation


class SeveralPeriods(ValueError):
    """The rows speak of several periods and nobody said which one to judge."""

    def __init__(self, periods: Iterable[str]) -> None:
        self.periods = sorted(periods)
        super().__init__(", ".join(self.periods))


def period_of(rows: Iterable[Row]) -> Period:
    """Return the one period of all rows; raise SeveralPeriods when there are more."""
    periods = {row.period for row in rows}
    if len(periods) > 1:
        raise SeveralPeriods(period.text for period in periods)
    return periods.pop()


def subjects(rows: Iterable[Row], levels: Sequence[str], period: Period) -> list[Subject]:
    """Return one subject per unit, in the order of the file, judged on the period's last day.

    A unit whose code does not show its level is of the first of `levels`.
    """
    by_unit: dict[str, list[Row]] = {}
    for row in rows:
        by_unit.setdefault(row.unit, []).append(row)
    return [
        _subject(unit, mine, level_of(unit) or levels[0], period) for unit, mine in by_unit.items()
    ]


def unused(rows: Iterable[Row], period: Period) -> list[Row]:
    """Return the rows whose period is neither within `period` nor before it."""
    return [
        row for row in rows if not row.period.within(period) and not row.period.last < period.first
    ]


def misplaced(rows: Iterable[Row], levels: Sequence[str]) -> list[RowComplaint]:
    """Return complaints about units whose code shows that they are of another level."""
    found, wanted = [], ", ".join(levels)
    for row in rows:
        seen = level_of(row.unit)
        if seen is not None and seen not in levels:
            message = Text(
                f"{row.unit} là mã cấp {seen}, bộ quy tắc dành cho cấp {wanted}; số liệu của đơn "
                "vị thành viên gửi bằng tệp JSON (members)",
                f"{row.unit} is a code of level {seen}, the ruleset is for level {wanted}; values "
                "of member units go into a JSON file (members)",
            )
            found.append(RowComplaint(row.line, "unit", "wrong-level", message))
    return found


def level_of(code: str) -> str | None:
    """Return the level an official code belongs to; None for a label that is no such code."""
    if code == "VN":
        return "nation"
    if code.isdigit():
        return {2: "province", 3: "district", 5: "commune"}.get(len(code))
    head, _, tail = code.partition("-")
    return "hamlet" if len(head) == 5 and head.isdigit() and tail.isdigit() else None


def _subject(unit: str, rows: list[Row], level: str, period: Period) -> Subject:
    values: dict[str, list[Value]] = {}
    for row in rows:
        if row.value is not None:
            values.setdefault(row.indicator.code, []).append(row.value)
    classes = {row.indicator.code for row in rows if row.indicator.kind == "attribute"}
    # An area class holds until another one follows, like a recognition.
    lasting = classes | {row.indicator.code for row in rows if row.indicator.validity == "standing"}
    chosen = {
        code: recorded
        for code, found in values.items()
        if (recorded := choose(found, period, code in lasting)) is not None
    }
    designations = [
        Designation(row.measured_on, row.decision, str(row.indicator.model))
        for row in rows
        if row.decision is not None and row.period.first <= period.last
    ]
    attributes = {code: bool(chosen[code].fact) for code in classes if code in chosen}
    return Subject(
        unit=Described(level, unit, None, None, attributes, designations),
        as_of=period.last,
        facts={},
        recorded={code: one for code, one in chosen.items() if code not in classes},
        period=period,
    )
