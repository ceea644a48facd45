"""Where packs come from: installed packages, ours like any other, and a folder of files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from strategies import RULESETS, judged, registry
from test_registry_faults import GOOD

from app.discovery import find_packs, load_registry, read_pack_path
from app.rules.errors import RulesetFaults
from app.rules.registry import build

EXAMPLE = Path(__file__).parent / "example_province"
BUILT_IN = {
    "app.rules.catalogue",
    "app.rules.national",
    "app.rules.phu_tho",
    "app.rules.programme_924",
    "app.rules.tra_vinh",
}


def install(site: Path, name: str, version: str, module: str, files: dict[str, str]) -> None:
    """Put a package with one entry point where `pip install --target` would put it."""
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, "utf-8")
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata, "utf-8")
    (info / "entry_points.txt").write_text(f"[ntm.rulesets]\nours = {module}\n", "utf-8")


@pytest.fixture
def site(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder of installed packages that this process sees."""
    folder = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("foreign"):
            del sys.modules[name]


def report() -> list[tuple[str, str]]:
    """Return code and file of every fault for which the packs found are refused."""
    with pytest.raises(RulesetFaults) as refused:
        load_registry(None)
    return [(one.code, one.file) for one in refused.value.faults]


# --- installed packages ---------------------------------------------------------------------------


def test_the_built_in_packs_come_through_the_same_entry_points_as_any() -> None:
    found = {pack.name: pack for pack in find_packs(None)}
    assert set(found) == BUILT_IN
    assert {pack.package.split()[0] for pack in found.values()} == {"ntm-rules"}
    assert {one.package for one in registry().entries.values()} == {
        pack.package for pack in found.values()
    }


def test_a_package_without_a_line_of_ours_is_found_and_evaluated(site: Path) -> None:
    install(site, "foreign-rules", "2.5", "foreign_a", {"foreign_a/__init__.py": "",
                                                        "foreign_a/rules.yaml": GOOD})  # fmt: skip
    found = load_registry(None)
    assert set(found.entries) == {*RULESETS, "thu.xa"}
    assert found.entries["thu.xa"].package == "foreign-rules 2.5"
    assert judged({"thu_rate": "85/100"}, "thu.xa", found).counts["met"] == 1


@pytest.mark.parametrize(
    "code",
    ["import no_such_module", "raise RuntimeError('x')", "def (", "raise SystemExit(3)", "1 / 0"],
)
def test_a_package_that_does_not_import_is_named(site: Path, code: str) -> None:
    """It stops the start, together with whatever else is wrong elsewhere."""
    install(site, "foreign-broken", "1", "foreign_b", {"foreign_b/__init__.py": code,
                                                       "foreign_b/rules.yaml": GOOD})  # fmt: skip
    install(site, "foreign-slip", "1", "foreign_c", {"foreign_c/__init__.py": "",
                                                     "foreign_c/r.yaml": "law: 1"})  # fmt: skip
    found = report()
    assert ("pack-unloadable", "foreign_b") in found
    assert [code for code, file in found if file.endswith("r.yaml")] == ["unknown-file-kind"]


def test_a_package_that_is_not_there_is_named(site: Path) -> None:
    install(site, "foreign-absent", "1", "foreign_nowhere", {})
    assert report() == [("pack-unloadable", "foreign_nowhere")]


@pytest.mark.parametrize("checks", ["['mine']", "3", "{'mine'}"])
def test_checks_that_are_no_table_of_functions_are_named(site: Path, checks: str) -> None:
    files = {"foreign_d/__init__.py": f"CHECKS = {checks}", "foreign_d/rules.yaml": GOOD}
    install(site, "foreign-checks", "1", "foreign_d", files)
    assert {file for _, file in report()} == {"foreign_d"}


def test_the_yaml_may_lie_beside_a_plain_module(site: Path) -> None:
    """The entry point names a module; the files lie beside it."""
    files = {"foreign_e/__init__.py": "", "foreign_e/rules.py": "", "foreign_e/rules.yaml": GOOD}
    install(site, "foreign-module", "1", "foreign_e.rules", files)
    assert "thu.xa" in load_registry(None).entries


def test_a_package_whose_yaml_was_left_behind_is_named(site: Path) -> None:
    """A forgotten `package-data` must not make a province's rules vanish in silence."""
    install(site, "foreign-empty", "1", "foreign_f", {"foreign_f/__init__.py": ""})
    assert [file for _, file in report()] == ["foreign_f"]


def test_an_installed_package_cannot_take_over_a_built_in_ruleset(site: Path) -> None:
    text = GOOD.replace("thu.xa", "phutho.commune")
    install(site, "foreign-taker", "1", "foreign_g", {"foreign_g/__init__.py": "",
                                                      "foreign_g/rules.yaml": text})  # fmt: skip
    assert "duplicate-id" in {code for code, _ in report()}


# --- the example province -------------------------------------------------------------------------

SHOW = """
import datetime, json, sys
from app.discovery import load_registry
from app.rules.verdict import Inputs
found = load_registry(None)
entry = found.entries["vinhdu.commune"]
def whole(hours):
    facts = {"commune_website_exists": True, "vinhdu_one_stop_hours_per_week_count": hours}
    inputs = Inputs(datetime.date(2024, 6, 1), "commune", facts=facts)
    return entry.compiled.evaluate(inputs).outcome
theirs = vars(sys.modules["vinh_du_rules"])
print(json.dumps({
    "rulesets": sorted(found.entries),
    "package": entry.package,
    "outcomes": [whole(hours) for hours in (40, 44, 38, 36)],
    "ours": sorted(name for name in theirs if name.startswith("app")),
}))
"""


def test_the_example_province_is_a_package_of_its_own(tmp_path: Path) -> None:
    """Installed beside the service it appears under its own name and judges with its own check."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))
    points = project["project"]["entry-points"]["ntm.rulesets"]
    (module,) = points.values()
    install(tmp_path, project["project"]["name"], project["project"]["version"], module, {})
    shutil.copytree(EXAMPLE / module, tmp_path / module, ignore=shutil.ignore_patterns("__py*"))
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    told = subprocess.run(
        [sys.executable, "-c", SHOW],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1"},
        capture_output=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(told.stdout)
    assert set(found["rulesets"]) == {*RULESETS, "vinhdu.commune"}
    assert found["package"] == "vinh-du-rules 1.0.0"
    assert found["outcomes"] == ["met", "met", "not_met", "not_met"]
    assert found["ours"] == []


def test_the_example_province_ships_every_file_it_needs_and_imports_nothing_of_ours() -> None:
    """What is not listed as package data would be missing after `pip install`."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))
    (module,) = project["tool"]["setuptools"]["packages"]
    shipped = project["tool"]["setuptools"]["package-data"][module]
    others = [one.name for one in (EXAMPLE / module).iterdir() if one.suffix == ".yaml"]
    assert sorted(others) == ["cases.yaml", "ruleset.yaml"]
    assert all(any(fnmatch(name, pattern) for pattern in shipped) for name in others)
    assert "dependencies" not in project["project"]
    for path in EXAMPLE.rglob("*.py"):
        lines = path.read_text("utf-8").splitlines()
        assert [one for one in lines if "import" in one.split()[:1] and "app" in one] == []
        assert [one for one in lines if one.startswith("from app")] == []


def test_the_example_province_says_that_it_is_invented() -> None:
    for path in EXAMPLE.rglob("*.yaml"):
        assert "invented" in path.read_text("utf-8").splitlines()[0]
    (ruleset,) = [one.data for one in read_pack_path(EXAMPLE / "vinh_du_rules").files
                  if "ruleset" in one.data]  # fmt: skip
    assert ruleset["document"]["number"] == "VÍ DỤ"
    assert "không có thật" in ruleset["title"]["vi"]


# --- a folder -------------------------------------------------------------------------------------


def test_a_file_dropped_in_a_folder_is_a_ruleset_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "thu.yaml").write_text(GOOD, "utf-8")
    found = load_registry(tmp_path)
    assert set(found.entries) == {*RULESETS, "thu.xa"}
    facts = {"thu_rate": "85/100", "thu_yes": True}
    assert judged(facts, "thu.xa", found).outcome == "met"
    assert found.entries["thu.xa"].compiled.ruleset.document.number == "1/THU"


def test_a_file_and_a_package_with_the_same_rules_have_the_same_digest(
    tmp_path: Path, site: Path
) -> None:
    (tmp_path / "rules.yaml").write_text(GOOD, "utf-8")
    from_file = load_registry(tmp_path).entries["thu.xa"].compiled.digest
    install(site, "foreign-rules", "1", "foreign_h", {"foreign_h/__init__.py": "",
                                                      "foreign_h/other.yaml": GOOD})  # fmt: skip
    assert load_registry(None).entries["thu.xa"].compiled.digest == from_file


def test_a_sub_folder_is_a_pack_of_several_files(tmp_path: Path) -> None:
    """A ruleset and its cases may lie apart there; at the top a file is a pack by itself."""
    rules, cases = GOOD[: GOOD.index("cases:")], GOOD[GOOD.index("cases:") :]
    folder = tmp_path / "tinh"
    folder.mkdir()
    (folder / "rules.yaml").write_text(rules, "utf-8")
    (folder / "cases.yml").write_text(cases, "utf-8")
    assert "thu.xa" in load_registry(tmp_path).entries
    (tmp_path / "cases.yaml").write_text(cases, "utf-8")
    with pytest.raises(RulesetFaults) as refused:
        load_registry(tmp_path)
    assert {(one.code, one.file) for one in refused.value.faults} == {
        ("unknown-ruleset", str(tmp_path / "cases.yaml"))
    }


def test_what_is_no_yaml_in_a_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thu.yaml").write_text(GOOD, "utf-8")
    (tmp_path / "readme.md").write_text("x", "utf-8")
    (tmp_path / ".hidden.yaml").write_text("law: 1", "utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / "code.py").write_text("raise SystemExit", "utf-8")
    assert set(load_registry(tmp_path).entries) == {*RULESETS, "thu.xa"}


def test_an_empty_folder_adds_nothing_and_an_absent_one_is_named(tmp_path: Path) -> None:
    assert set(load_registry(tmp_path).entries) == set(RULESETS)
    with pytest.raises(RulesetFaults) as refused:
        load_registry(tmp_path / "absent")
    assert [one.code for one in refused.value.faults] == ["nothing-here"]


def test_faults_name_the_file_as_the_operator_knows_it(tmp_path: Path) -> None:
    (tmp_path / "thu.yaml").write_text(GOOD.replace("value: 85", "valeu: 85"), "utf-8")
    with pytest.raises(RulesetFaults) as refused:
        load_registry(tmp_path)
    assert {one.file for one in refused.value.faults} == {str(tmp_path / "thu.yaml")}


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "thu.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    (plain,) = read_pack_path(tmp_path / "thu.yaml").files
    assert plain.faults == ()
    digest = load_registry(tmp_path).entries["thu.xa"].compiled.digest
    (tmp_path / "thu.yaml").write_text(GOOD, "utf-8")
    assert load_registry(tmp_path).entries["thu.xa"].compiled.digest == digest


# --- what a digest stands for ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("value: 85", "value: 86", False),
        ('operator: ">="', 'operator: ">"', False),
        ('combine: "any"', 'combine: "all"', False),
        ("Tỷ lệ từ 85%", "Tỷ lệ từ  85%", False),
        ('section: "khoản 1"', 'section: "khoản một"', False),
        ('{vi: "tử", en: "part"}', '{vi: "tử số", en: "part"}', False),
        ('validity: "stock"', 'validity: "flow"', False),
        ('version: "1"', 'version: "2"', False),
        ('case: "chưa biết"', 'case: "không biết"', True),
        ('ruleset: "thu.xa"\nversion: "1"', 'version: "1"\nruleset: "thu.xa"', True),
        ("in_force: {}", "# nothing is stated\nin_force: {since: null}", True),
    ],
)
def test_the_digest_changes_with_the_rules_and_only_with_them(
    tmp_path: Path, old: str, new: str, same: bool
) -> None:
    """Texts, places, thresholds and indicators count; cases, comments and layout do not."""
    assert old in GOOD
    looser = GOOD.replace('"85/100"', '"87/100"')
    digests = []
    for text in (looser, looser.replace(old, new)):
        (tmp_path / "thu.yaml").write_text(text, "utf-8")
        found = build([read_pack_path(tmp_path / "thu.yaml")])
        digests.append(found.entries["thu.xa"].compiled.digest)
    assert (digests[0] == digests[1]) is same
