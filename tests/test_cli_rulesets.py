"""`ntm rulesets`: what there is, what the law says where, and whether a pack is sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import GOOD_PACK, ROOT, Ntm

from app.rules.registry import Registry


def test_list_names_every_ruleset_with_level_and_document(ntm: Ntm, registry: Registry) -> None:
    ran = ntm("rulesets", "list")
    assert ran.code == 0
    rows = {cells[0]: cells for cells in ran.cells()}
    assert set(rows) >= set(registry.entries)
    assert len(registry.entries) == 13
    for id_, entry in registry.entries.items():
        assert entry.ruleset.level in rows[id_]
        assert entry.ruleset.title.vi in rows[id_]
        assert entry.ruleset.document.short in rows[id_]


def test_list_is_english_on_request(ntm: Ntm, registry: Registry) -> None:
    rows = {cells[0]: cells for cells in ntm("--lang", "en", "rulesets", "list").cells()}
    for id_, entry in registry.entries.items():
        assert entry.ruleset.title.en in rows[id_]


def _lines(said: str) -> Iterator[tuple[Path, str]]:
    for path, line in re.findall(r"(\S+\.yaml):(\d+)", said):
        yield Path(path), Path(path).read_text("utf-8").splitlines()[int(line) - 1]


@pytest.mark.parametrize(
    "id_",
    [
        "phutho.1.1",
        "phutho.1.2.5.a.1",
        "phutho.1.4.u3",
        "phutho.district.8.9",
        "travinh.commune.5b.3",
        "travinh.province.4",
        "qd924.task.device",
        "bnn3445.annex1.18.2",
        "bnn3445.selection.smart.1b.ii",
        "bnn3445.content.smart.dd1",
    ],
)
def test_show_names_the_file_and_the_line_where_a_criterion_is_written(
    ntm: Ntm, registry: Registry, id_: str
) -> None:
    ran = ntm("rulesets", "show", id_)
    assert ran.code == 0
    ((path, line),) = _lines(ran.out)
    assert path.is_file()
    assert line.strip() in (f'- id: "{id_}"', f'id: "{id_}"')
    found = registry.criterion(id_)
    assert found
    entry, criterion = found
    assert f"“{criterion.text.vi}”" in ran.out
    assert criterion.text.en in ran.out
    assert f"{entry.ruleset.document.short}, {criterion.section}" in ran.out
    if criterion.required:
        assert criterion.required.as_written in ran.out
    if criterion.indicator:
        assert criterion.indicator in ran.out
    if criterion.reading:
        assert criterion.reading.vi in ran.out


def test_show_of_a_criterion_has_quotation_threshold_cite_and_cases(ntm: Ntm) -> None:
    ran = ntm("rulesets", "show", "phutho.1.1.1")
    assert (
        "“Tỷ lệ dân số ở độ tuổi trưởng thành có điện thoại thông minh có kết nối internet: >=85%.”"
        in ran.out
    )
    assert ">= 85%" in ran.out
    assert "Hướng dẫn /HD-STTTT tháng 10/2024 của Sở TT&TT tỉnh Phú Thọ, mục III, 1.1.1" in ran.out
    assert "Phụ lục 03" in ran.out
    cases = [line.split() for line in ran.out.splitlines() if "phutho.1.1.1:" in line]
    assert {words[0] for words in cases} >= {"met", "not_met", "undetermined"}


def test_show_names_both_thresholds_of_an_area_class(ntm: Ntm) -> None:
    ran = ntm("rulesets", "show", "bnn3445.selection.smart.5")
    assert ">= 50%" in ran.out
    assert ">= 80%" in ran.out


def test_show_says_where_a_document_sets_no_threshold(ntm: Ntm) -> None:
    assert "không đặt ngưỡng" in ntm("rulesets", "show", "bnn3445.annex1.4.1").out
    assert "none stated" in ntm("--lang", "en", "rulesets", "show", "bnn3445.annex1.4.1").out


def test_show_has_every_reading_of_an_ambiguous_clause(ntm: Ntm, registry: Registry) -> None:
    found = registry.criterion("phutho.district.8.9")
    assert found
    ran = ntm("rulesets", "show", "phutho.district.8.9")
    readings = [one.text.vi for one in found[1].every_reading]
    assert len(readings) == 2
    assert all(reading in ran.out for reading in readings)


@pytest.mark.parametrize("id_", ["phutho.commune", "qd924.nation"])
def test_show_of_a_ruleset_has_its_place_digest_and_every_criterion(
    ntm: Ntm, registry: Registry, id_: str
) -> None:
    ran = ntm("rulesets", "show", id_)
    assert ran.code == 0
    entry = registry.entries[id_]
    ((_, line),) = _lines(ran.out)
    assert line.strip() == f'ruleset: "{id_}"'
    assert entry.compiled.digest in ran.out
    assert entry.ruleset.document.short in ran.out
    rows = {cells[0]: cells for cells in ran.cells()}
    for criterion in entry.ruleset.walk():
        assert criterion.text.vi in rows[criterion.id]


@pytest.mark.parametrize(
    ("id_", "near"),
    [
        ("1.2.5.a", "phutho.1.2.5.a.1"),
        ("PHUTHO.COMMUNE", "phutho.commune"),
        ("phutho.1.1.9", "phutho.1.1.1"),
        ("phuto.commune", "phutho.commune"),
        ("travinh.comune", "travinh.commune"),
    ],
)
def test_show_of_an_unknown_id_is_wrong_use_and_suggests_what_is_near(
    ntm: Ntm, id_: str, near: str
) -> None:
    ran = ntm("rulesets", "show", id_)
    assert ran.code == 2
    assert ran.out == ""
    assert f"“{id_}”" in ran.err
    assert near in ran.err


@pytest.mark.parametrize("id_", ["zzz", "[/]", "[bold]x"])
def test_show_of_nonsense_is_wrong_use(ntm: Ntm, id_: str) -> None:
    ran = ntm("rulesets", "show", id_)
    assert ran.code == 2
    assert ran.out == ""
    assert f"“{id_}”" in ran.err


# --- check ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", ["phu_tho", "national"])
def test_check_of_a_shipped_pack_names_its_rulesets_and_counts_its_cases(
    ntm: Ntm, registry: Registry, pack: str
) -> None:
    ran = ntm("rulesets", "check", ROOT / "app" / "rules" / pack)
    assert ran.code == 0, ran.err
    named = set(re.findall(r"✔ (\S+):", ran.out))
    assert named
    assert named <= set(registry.entries)
    for id_ in named:
        assert str(len(registry.entries[id_].cases)) in ran.out


def test_check_of_a_good_file_of_ones_own(ntm: Ntm, pack: Path) -> None:
    for path in (pack, pack / "well.yaml"):
        ran = ntm("rulesets", "check", path)
        assert ran.code == 0, ran.err
        assert "test.well" in ran.out
        assert "3" in ran.out
        assert ran.err == ""


def _faulty(pack: Path, old: str, new: str) -> tuple[Path, int]:
    """Replace one line of the good pack; return the file and the number of the line."""
    assert GOOD_PACK.count(old) == 1, old
    text = GOOD_PACK.replace(old, new)
    path = pack / "well.yaml"
    path.write_text(text, "utf-8")
    return path, GOOD_PACK[: GOOD_PACK.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('level: "commune"', 'level: "village"', "wrong-value"),
        ('version: "1"', "version: 1", "unquoted-id"),
        ('overall: "explicit"', 'overall: "explicit"\nextra: 1', "unknown-key"),
        ('indicator: "test_wells_rate"', 'indicator: "no_such"', "unknown-indicator"),
        ('{operator: ">="', '{operator: "=>"', "wrong-value"),
        ('expect: {"test.well.1": "met", overall: "met"}',
         'expect: {"test.well.1": "not_met", overall: "met"}', "case-failed"),
        ('    facts: {test_wells_rate: "49/100"}', '    facts: {test_wells_rate: "-1/100"}',
         "case-unusable"),
        ('version: "1"', 'version: "1"\nversion: "2"', "duplicate-key"),
        ('  - id: "test.well.1"', '  - id: "phutho.1.1.1"', "duplicate-id"),
        ('ruleset: "test.well"\nversion', 'ruleset: "phutho.commune"\nversion', "duplicate-id"),
        ('scope: {country: true}', 'scope: {}', "misfit"),
        ('overall: "explicit"', 'overall: "explicit', "not-yaml"),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
def test_check_reports_a_fault_with_file_and_line(
    ntm: Ntm, pack: Path, old: str, new: str, code: str
) -> None:
    path, line = _faulty(pack, old, new)
    ran = ntm("rulesets", "check", path)
    assert ran.code == 1
    assert ran.out == ""
    found = re.findall(rf"{re.escape(str(path))}:(\d+):.*\[([a-z-]+)\]", ran.err)
    assert code in {one for _, one in found}, ran.err
    lines = [int(number) for number, one in found if one == code]
    assert any(abs(number - line) <= 4 for number in lines), (line, found)
    assert "Traceback" not in ran.err


def test_check_reports_every_fault_of_a_file_at_once(ntm: Ntm, pack: Path) -> None:
    path, _ = _faulty(pack, 'level: "commune"', 'level: "village"')
    text = path.read_text("utf-8").replace('issuer: "Cơ quan thử"', "issuer: 5")
    path.write_text(text.replace('operator: ">="', 'operator: "=>"'), "utf-8")
    ran = ntm("rulesets", "check", path)
    assert ran.code == 1
    lines = re.findall(rf"{re.escape(str(path))}:(\d+):", ran.err)
    assert len(set(lines)) >= 3


def test_check_demands_a_case_for_every_outcome(ntm: Ntm, pack: Path) -> None:
    text = GOOD_PACK[: GOOD_PACK.index('  - case: "thiếu một hộ"')]
    (pack / "well.yaml").write_text(text, "utf-8")
    ran = ntm("rulesets", "check", pack)
    assert ran.code == 1
    for outcome in ("not_met", "undetermined"):
        assert re.search(rf"well\.yaml:\d+:.*{outcome}.*\[uncovered\]", ran.err)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"- a\n- b\n", b"x: [", b"just text", b"&a [*a]", b"\0"],
    ids=str,
)
def test_check_of_a_file_that_is_no_pack_is_a_fault(
    ntm: Ntm, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "pack.yaml"
    path.write_bytes(content)
    ran = ntm("rulesets", "check", path)
    assert ran.code == 1
    assert ran.out == ""
    assert "pack.yaml" in ran.err


@pytest.mark.parametrize("name", ["nothing.yaml", "[/x].yaml"])
def test_check_of_a_missing_path_names_it(ntm: Ntm, tmp_path: Path, name: str) -> None:
    ran = ntm("rulesets", "check", tmp_path / name)
    assert ran.code in (1, 2)
    assert ran.out == ""
    assert str(tmp_path / name) in ran.err


def test_check_of_an_empty_folder_is_a_fault(ntm: Ntm, tmp_path: Path) -> None:
    ran = ntm("rulesets", "check", tmp_path)
    assert ran.code == 1
    assert str(tmp_path) in ran.err


# --- packs of one's own --------------------------------------------------------------------------


def test_a_folder_of_ones_own_is_listed_shown_and_judged_by(ntm: Ntm, pack: Path) -> None:
    env = {"NTM_RULESETS_DIR": str(pack)}
    listed = {cells[0] for cells in ntm("rulesets", "list", env=env).cells()}
    assert {"test.well", "phutho.commune"} <= listed
    shown = ntm("rulesets", "show", "test.well.1", env=env)
    ((path, line),) = _lines(shown.out)
    assert path == pack / "well.yaml"
    assert '"test.well.1"' in line
    facts = pack.parent / "facts.json"
    facts.write_text(
        '{"unit": {"level": "commune"}, '
        '"facts": {"test_wells_rate": {"numerator": 40, "denominator": 100}}}',
        "utf-8",
    )
    ran = ntm("evaluate", "--ruleset", "test.well", "--facts", facts, "--json", env=env)
    assert ran.code == 0
    assert '"outcome": "not_met"' in ran.out
    assert '"more": 10' in ran.out
    assert ntm("evaluate", "--ruleset", "test.well", "--facts", facts).code == 2


def test_a_sub_folder_is_a_pack_of_several_files(ntm: Ntm, pack: Path) -> None:
    folder = pack / "wells"
    folder.mkdir()
    (pack / "well.yaml").unlink()
    cut = GOOD_PACK.index("cases:")
    (folder / "rules.yaml").write_text(GOOD_PACK[:cut], "utf-8")
    (folder / "cases.yaml").write_text(GOOD_PACK[cut:], "utf-8")
    ran = ntm("rulesets", "list", env={"NTM_RULESETS_DIR": str(pack)})
    assert "test.well" in {cells[0] for cells in ran.cells()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("rulesets", "list"),
        ("rulesets", "show", "phutho.commune"),
        ("evaluate", "--ruleset", "phutho.commune", "--facts", "x.csv"),
        ("serve", "--port", "1"),
    ],
    ids=" ".join,
)
def test_a_fault_in_ones_own_folder_stops_every_command_with_file_and_line(
    ntm: Ntm, pack: Path, arguments: tuple[str, ...]
) -> None:
    path, line = _faulty(pack, 'level: "commune"', 'level: "village"')
    ran = ntm(*arguments, env={"NTM_RULESETS_DIR": str(pack)})
    assert ran.code == 1
    assert f"{path}:{line}:" in ran.err


def test_a_folder_that_is_not_there_is_named(ntm: Ntm, tmp_path: Path) -> None:
    ran = ntm("rulesets", "list", env={"NTM_RULESETS_DIR": str(tmp_path / "nothing")})
    assert ran.code == 1
    assert "nothing" in ran.err
    assert "NTM_RULESETS_DIR" in ran.err
