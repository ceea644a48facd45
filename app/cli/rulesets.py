"""`ntm rulesets`: which there are, what the law says where, and whether a pack is sound."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from app.cli.console import (
    language,
    misuse,
    out,
    phrase,
    plain,
    read_settings,
    report_faults,
    rules,
)
from app.cli.tables import threshold
from app.discovery import find_packs, read_pack_path
from app.rules.errors import RulesetFaults, Text
from app.rules.explain import cite, required, several
from app.rules.registry import Entry, build
from app.rules.ruleset import Criterion, Ruleset

app = typer.Typer(help="Các bộ quy tắc: liệt kê, xem, kiểm tra.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Liệt kê mọi bộ quy tắc đang có."""
    registry = rules(read_settings())
    table = Table()
    for vi, en in (("Mã", "Id"), ("Cấp", "Level"), ("Tên", "Title"), ("Văn bản", "Document")):
        table.add_column(phrase(vi, en), overflow="fold")
    table.add_column(phrase("Tiêu chí", "Criteria"), justify="right")
    table.add_column(phrase("Gói", "Package"))
    for id_, entry in registry.entries.items():
        ruleset = entry.ruleset
        leaves = _leaves(ruleset)
        title = getattr(ruleset.title, language())
        short = ruleset.document.short
        table.add_row(
            plain(id_), ruleset.level, plain(title), plain(short), str(leaves), plain(entry.package)
        )
    out().print(table)


@app.command("show")
def show(
    id_: Annotated[
        str, typer.Argument(metavar="ID_OR_CRITERION", help="Mã bộ quy tắc hoặc tiêu chí.")
    ],
) -> None:
    """Cho biết văn bản nói gì: tệp và dòng, ngưỡng, nguyên văn, trích dẫn, cách hiểu."""
    registry = rules(read_settings())
    console = out()
    if entry := registry.entries.get(id_):
        _show_ruleset(console, entry)
        return
    found = registry.criterion(id_)
    if found is None:
        near = _near(id_, _all_ids(registry.entries.values()))
        misuse(
            Text(
                f"không có “{id_}”" + (f"; có thể là: {', '.join(near)}" if near else ""),
                f"there is no “{id_}”" + (f"; perhaps: {', '.join(near)}" if near else ""),
            )
        )
    _show_criterion(console, *found)


@app.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="Tệp YAML, hoặc thư mục của một gói.")],
) -> None:
    """Đọc một gói, chạy các trường hợp của nó và nêu mọi lỗi."""
    try:
        pack = read_pack_path(path)
        mine = {str(Path(file.path).resolve()) for file in pack.files}
        others = []
        for one in find_packs(read_settings().rulesets_dir):
            if mine & {str(Path(file.path).resolve()) for file in one.files}:
                # The pack is installed too: its package's own checks belong to it.
                pack = msgspec.structs.replace(pack, checks=one.checks)
            else:
                others.append(one)
        registry = build([*others, pack])
    except RulesetFaults as error:
        report_faults(error.faults)
        raise typer.Exit(1) from error
    entries = [one for one in registry.entries.values() if one.parsed.pack.name == pack.name]
    for entry in entries:
        criteria, cases = _leaves(entry.ruleset), len(entry.cases)
        out().print(
            phrase(
                f"✔ {entry.ruleset.ruleset}: {criteria} tiêu chí, {cases} trường hợp đều đúng",
                f"✔ {entry.ruleset.ruleset}: {criteria} criteria, {cases} of {cases} cases hold",
            ),
            style="green",
        )
    if not entries:
        out().print(phrase("✔ không có lỗi", "✔ no faults"), style="green")


def _near(id_: str, known: list[str]) -> list[str]:
    """Return ids that contain what was asked for, else those spelled most alike."""
    wanted = id_.lower()
    return [one for one in known if wanted in one.lower()][:8] or difflib.get_close_matches(
        wanted, known, n=8
    )


def _leaves(ruleset: Ruleset) -> int:
    return sum(1 for criterion in ruleset.walk() if not criterion.criteria)


def _all_ids(entries: Iterable[Entry]) -> list[str]:
    found = []
    for entry in entries:
        found.append(entry.ruleset.ruleset)
        found.extend(criterion.id for criterion in entry.ruleset.walk())
    return found


def _show_ruleset(console: Console, entry: Entry) -> None:
    ruleset = entry.ruleset
    console.print(Styled(ruleset.ruleset, style="bold"), plain(getattr(ruleset.title, language())))
    _line(console, "Tệp", "File", _where(entry, ruleset.ruleset))
    _line(console, "Văn bản", "Document", f"{ruleset.document.short}: {ruleset.document.title}")
    _line(console, "Phiên bản", "Version", f"{ruleset.version}  sha256 {entry.compiled.digest}")
    if ruleset.statement:
        place = f"{ruleset.document.short}, {ruleset.statement.section}"
        _line(console, "Nguyên văn", "Quotation", f"“{ruleset.statement.text.vi}”")
        _line(console, "Trích dẫn", "Cite", place)
        if ruleset.statement.reading:
            _line(console, "Cách hiểu", "Reading", getattr(ruleset.statement.reading, language()))
    table = Table()
    for vi, en in (("Mã", "Id"), ("Ngưỡng", "Threshold"), ("Nguyên văn", "Quotation")):
        table.add_column(phrase(vi, en), overflow="fold")
    for criterion in ruleset.walk():
        table.add_row(plain(criterion.id), plain(_threshold(criterion)), plain(criterion.text.vi))
    console.print(table)


def _show_criterion(console: Console, entry: Entry, criterion: Criterion) -> None:
    source = entry.ruleset.document
    console.print(Styled(criterion.id, style="bold"), f"({entry.ruleset.ruleset})")
    _line(console, "Tệp", "File", _where(entry, criterion.id))
    _line(console, "Nguyên văn", "Quotation", f"“{criterion.text.vi}”")
    _line(console, "Tiếng Anh", "English", criterion.text.en)
    _line(console, "Trích dẫn", "Cite", cite(criterion, source))
    _line(console, "Ngưỡng", "Threshold", _threshold(criterion))
    codes = criterion.indicator or ", ".join(several(criterion))
    if codes:
        _line(console, "Chỉ số", "Indicator", codes)
    if criterion.reading:
        _line(console, "Cách hiểu", "Reading", getattr(criterion.reading, language()))
    others = [one.text for one in criterion.every_reading]
    others += [one.text for one in (criterion.reading.alternatives if criterion.reading else ())]
    for other in others:
        _line(console, "Cách hiểu khác", "Other reading", getattr(other, language()))
    for note in criterion.notes:
        _line(console, "Ghi chú", "Note", getattr(note, language()))
    for cell in criterion.cells:
        _line(console, cell.column, cell.column, cell.text)
    for evidence in criterion.evidence:
        _line(console, "Minh chứng", "Evidence", f"{evidence.form or ''} {evidence.text}".strip())
    cases = entry.covering(criterion.id)
    _line(console, "Trường hợp", "Cases", phrase(f"{len(cases)} trường hợp", f"{len(cases)} cases"))
    for worked in cases:
        console.print(plain(f"    {worked.expect[criterion.id]:14} {worked.case.case}"))


def _where(entry: Entry, id_: str) -> str:
    file, line = entry.origin(id_)
    return file if line is None else f"{file}:{line}"


def _threshold(criterion: Criterion) -> str:
    if criterion.no_criterion:
        return phrase("văn bản không đặt ngưỡng", "none stated")
    if criterion.criteria:
        words = {
            "all": phrase("tất cả các ý dưới đây", "all of the following"),
            "any": phrase("một trong các ý dưới đây", "any of the following"),
        }
        return words.get(criterion.combine or "", phrase("chỉ báo cáo", "report only"))
    found = required(criterion.required)
    if found is None:
        return phrase("có", "present")
    return f"{threshold(found)}  (“{found['as_written']}”)"


def _line(console: Console, vi: str, en: str, text: str) -> None:
    label = Styled(f"  {phrase(vi, en)}: ", style="cyan")
    console.print(label + plain(text), soft_wrap=True)
