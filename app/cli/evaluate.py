"""`ntm evaluate`: judge the facts of a CSV or JSON file without any database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from pydantic import TypeAdapter, ValidationError
from rich.progress import track

from app.api.invalid import complaints
from app.api.previews import SubjectIn
from app.cli.console import (
    err,
    fail,
    language,
    misuse,
    out,
    phrase,
    read_file,
    read_settings,
    report_complaints,
    report_rows,
    rules,
)
from app.cli.evaluate_stored import period_named, stored
from app.cli.tables import details, summary
from app.domain.evaluations.on_record import MinStatus
from app.domain.facts_csv import read_rows
from app.domain.facts_files import SeveralPeriods, misplaced, period_of, subjects, unused
from app.domain.previews import Subject, judge, unknown_ruleset
from app.domain.refusals import Complaint, Refused
from app.domain.strict_json import MalformedJson, read_json
from app.rules.errors import CheckFailed, Text
from app.rules.explain import explain
from app.rules.registry import Registry

_IN_FULL = 20  # more verdicts than these are only summed up on the screen


def evaluate(
    ruleset: Annotated[str, typer.Option(help="Mã bộ quy tắc, xem `ntm rulesets list`.")],
    facts: Annotated[
        Path | None, typer.Option(help="Tệp số liệu: .csv (dạng dài) hoặc .json; không cần CSDL.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Mã đơn vị: đánh giá số liệu đã ghi và lưu kết luận.")
    ] = None,
    under: Annotated[
        str | None, typer.Option(help="Mã đơn vị cấp trên: đánh giá mọi đơn vị bên dưới.")
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="Kỳ đánh giá; với tệp CSV chỉ khi tệp có nhiều kỳ.")
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="Ngày đơn vị có hiệu lực, khi mã chỉ hai đơn vị trong kỳ.")
    ] = None,
    min_status: Annotated[
        MinStatus | None,
        typer.Option(help="approved: chỉ tính số liệu đã được phê duyệt; mặc định tính tất cả."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In kết luận dạng JSON.")] = False,
) -> None:
    """Đánh giá số liệu đã ghi hoặc số liệu trong một tệp, và giải thích từng tiêu chí."""
    registry = rules(read_settings())
    if ruleset not in registry.entries:
        misuse(unknown_ruleset(registry, ruleset))
    if [facts, unit, under].count(None) != 2:
        misuse(
            Text(
                "hãy ghi đúng một trong --facts, --unit, --under",
                "give exactly one of --facts, --unit, --under",
            )
        )
    if facts is not None:
        for name, given in (("--on", on), ("--min-status", min_status)):
            if given is not None:
                misuse(Text(f"{name} không đi cùng --facts", f"{name} does not go with --facts"))
        verdicts, single = from_file(registry, ruleset, facts, period, as_json)
    else:
        verdicts = stored(registry, ruleset, unit, under, period, on, min_status)
        single = unit is not None
    if as_json:
        shown: Any = verdicts[0] if single else {"items": verdicts, "next": None}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n")
        return
    show(verdicts)


def show(verdicts: list[dict[str, Any]]) -> None:
    """Print every verdict in full, and a summary where there are several."""
    console = out()
    for verdict in verdicts[:_IN_FULL]:
        console.print(details(verdict, language()))
    if len(verdicts) > 1:
        console.print(summary(verdicts, language()))
    if len(verdicts) > _IN_FULL:
        console.print(
            phrase(
                f"In đầy đủ {_IN_FULL} kết luận đầu; mọi kết luận: --json",
                f"The first {_IN_FULL} verdicts are printed in full; all of them: --json",
            ),
            style="yellow",
        )


def from_file(
    registry: Registry, ruleset: str, facts: Path, period: str | None, as_json: bool
) -> tuple[list[dict[str, Any]], bool]:
    """Return the verdicts on the facts of a file, and whether it holds one JSON object."""
    content = read_file(facts)
    single = False
    if facts.suffix.lower() == ".csv":
        found = read_csv_subjects(registry, ruleset, facts.name, content, period)
    elif facts.suffix.lower() == ".json":
        if period is not None:
            misuse(Text("--period chỉ dùng với tệp CSV", "--period goes with CSV files only"))
        found, single = read_json_subjects(facts.name, content)
    else:
        misuse(Text("tệp số liệu phải là .csv hoặc .json", "a facts file is .csv or .json"))
    if not found and not as_json:
        fail(Text("tệp không có đơn vị nào để đánh giá", "the file has no unit to judge"))
    return judge_all(registry, ruleset, found, facts.name, single), single


def judge_all(
    registry: Registry, ruleset: str, found: list[Subject], name: str, single: bool = False
) -> list[dict[str, Any]]:
    """Judge every subject; report all complaints about the file and exit with 1 on any.

    A `single` subject is the whole file, so that places in it need no number before them.
    """
    verdicts, wrong = [], []
    shown = phrase("Đánh giá", "Judging")
    for place, subject in enumerate(track(found, shown, console=err(), transient=True)):
        try:
            compiled, judgement = judge(registry, ruleset, subject)
        except Refused as error:
            where = "" if single else f"/{place}"
            wrong += [
                Complaint(where + one.pointer, one.code, one.message) for one in error.complaints
            ]
            continue
        except CheckFailed as error:
            fail(
                Text(
                    f"phép kiểm tra “{error.check}” của {error.criterion} bị lỗi; "
                    "báo cho đơn vị cung cấp gói quy tắc",
                    f"check “{error.check}” of {error.criterion} failed; tell the pack's maker",
                )
            )
        verdicts.append(explain(compiled, judgement, subject.unit.shown(), language()))
    if wrong:
        report_complaints(name, wrong)
        raise typer.Exit(1)
    return verdicts


def read_json_subjects(name: str, content: bytes) -> tuple[list[Subject], bool]:
    """Return the subjects of a JSON file, and whether it is one object instead of a list."""
    try:
        data = read_json(content.removeprefix(b"\xef\xbb\xbf"))
        single = not isinstance(data, list)
        items = TypeAdapter(list[SubjectIn]).validate_python([data] if single else data)
        return [one.subject() for one in items], single
    except MalformedJson as error:
        found = [error.complaint]
    except Refused as error:
        found = list(error.complaints)
    except ValidationError as error:
        found = complaints(error.errors(), within=int(single))
    report_complaints(name, found)
    raise typer.Exit(1)


def read_csv_subjects(
    registry: Registry, ruleset: str, name: str, content: bytes, period: str | None = None
) -> list[Subject]:
    """Return the subjects of a CSV file; report every bad row and exit with 1 if there is any."""
    found = registry.entries[ruleset].ruleset
    levels = (found.level, *found.also_levels)
    rows, wrong = read_rows(content, registry.indicators)
    wrong += misplaced(rows, levels)
    if wrong:
        report_rows(name, wrong)
        raise typer.Exit(1)
    if not rows:
        fail(Text("tệp không có dòng số liệu nào", "the file has no row of values"))
    wanted = period_named(period) if period is not None else None
    try:
        wanted = wanted or period_of(rows)
    except SeveralPeriods as error:
        periods = ", ".join(error.periods)
        misuse(
            Text(
                f"tệp có nhiều kỳ ({periods}); chọn kỳ đánh giá bằng --period",
                f"the file has several periods ({periods}); choose one with --period",
            )
        )
    left = unused(rows, wanted)
    if left:
        lines = ", ".join(str(row.line) for row in left[:20]) + ("…" if len(left) > 20 else "")
        err().print(
            phrase(
                f"{len(left)} dòng thuộc kỳ khác, không dùng cho {wanted.text}: dòng {lines}",
                f"{len(left)} rows of other periods are not used for {wanted.text}: lines {lines}",
            ),
            style="yellow",
        )
    return subjects(rows, levels, wanted)
