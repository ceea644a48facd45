"""Forms and slots as data: what each slot needs, and every slip in them named with its line."""

from __future__ import annotations

import pytest
import yaml
from strategies import faults_of, pack
from test_registry_faults import GOOD, line_of

from app.discovery import find_packs
from app.discovery.yaml_source import read_yaml
from app.rules.packs import PackSource, SourceFile
from app.rules.registry import Registry, build

WITH_EVIDENCE = GOOD.replace(
    '    section: "khoản 1"\n',
    """    section: "khoản 1"
    evidence:
      - {slot: "thu.list", form: "Biểu 01", text: "Thống kê",
         confirmed_by: [{who: "thôn", required_by: "form"}]}
      - {slot: "thu.other", form: "Biểu 02", text: "Thống kê"}
""",
    1,
)
FORMS = """forms:
  - form: "thu.form.01"
    called: "Biểu 01"
    title: "Danh sách"
    section: "Biểu 01"
    lists: "persons"
    columns: [{column: "number", label: "STT"}, {column: "name", label: "Họ và tên"}]
    total: "Tổng cộng:"
slots:
  - {slot: "thu.list", needs: ["list", "finding"], in_parts: "thôn"}
"""


def in_files(*texts: str, name: str = "thu") -> PackSource:
    """Return a pack of several files."""
    files: tuple[SourceFile, ...] = tuple(
        read_yaml(f"{name}/{number}.yaml", text.encode()) for number, text in enumerate(texts)
    )
    return PackSource(name, name, files)


def test_a_slot_says_what_it_needs_and_on_which_form_it_is_listed() -> None:
    """What the pack says of a slot holds; a slot that it does not name takes files."""
    slots = build([in_files(WITH_EVIDENCE, FORMS)]).slots["thu.xa"]
    assert list(slots) == ["thu.list", "thu.other"]
    told, other = slots.values()
    assert (told.needs, told.in_parts, told.criterion) == (("list", "finding"), "thôn", "thu.1")
    assert told.indicator == "thu_rate"
    assert told.form is not None
    assert told.form.label("name") == "Họ và tên"
    assert told.form.label("note") is None
    assert (other.needs, other.form, other.in_parts) == (("file",), None, None)


def test_a_slot_with_a_declared_form_takes_a_list_by_itself() -> None:
    forms = FORMS[: FORMS.index("slots:")]
    assert build([in_files(WITH_EVIDENCE, forms)]).slots["thu.xa"]["thu.list"].needs == ("list",)


def test_forms_are_no_part_of_a_digest() -> None:
    """A verdict does not depend on which evidence is demanded (two axes)."""
    plain, with_forms = build([in_files(WITH_EVIDENCE)]), build([in_files(WITH_EVIDENCE, FORMS)])
    assert plain.entries["thu.xa"].compiled.digest == with_forms.entries["thu.xa"].compiled.digest


SLIPS = {
    "a slot of no ruleset": ('slot: "thu.list"', 'slot: "thu.lost"', "unknown-slot", "slot"),
    "nobody signs the parts": ('in_parts: "thôn"', 'in_parts: "xã"', "unknown-signer", "in_parts"),
    "no form": ('called: "Biểu 01"', 'called: "Biểu 09"', "unknown-form", "needs"),
    "an unknown need": ('"finding"]', '"photo"]', "wrong-value", "needs/1"),
    "a need twice": ('"finding"]', '"list"]', "misfit", ""),
    "a slot twice": (
        "slots:\n",
        'slots:\n  - {slot: "thu.list", needs: ["file"]}\n',
        "duplicate-id",
        "slot",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_a_slot_is_named_with_its_line(slip: str) -> None:
    old, new, code, place = SLIPS[slip]
    text = FORMS.replace(old, new, 1)
    (found,) = faults_of(in_files(WITH_EVIDENCE, text))
    slot = "thu.lost" if "lost" in new else "thu.list"
    assert (found.file, found.code) == ("thu/1.yaml", code)
    assert found.place == "/".join(part for part in (slot, place) if part)
    assert found.line == line_of(text, "in_parts")
    assert found.message.vi != found.message.en


def test_a_form_without_a_column_of_names_is_refused() -> None:
    text = FORMS.replace('{column: "name", label: "Họ và tên"}', '{column: "note", label: "Ghi"}')
    (found,) = faults_of(in_files(WITH_EVIDENCE, text))
    assert (found.code, found.place) == ("misfit", "thu.form.01")


def test_an_id_of_a_form_is_used_once_in_all_packs() -> None:
    """Its address is the same whichever pack has it; what evidence calls it is the pack's own."""
    rulesets, forms = WITH_EVIDENCE.replace("thu.", "khac."), FORMS.replace("thu.l", "khac.l")
    other = in_files(rulesets, forms, name="zz")
    found = faults_of(in_files(WITH_EVIDENCE, FORMS), other)
    assert [(one.file, one.code, one.place) for one in found] == [
        ("zz/1.yaml", "duplicate-id", "thu.form.01/form")
    ]


def test_a_slot_is_named_once_in_a_ruleset() -> None:
    (found,) = faults_of(pack(WITH_EVIDENCE.replace('"thu.other"', '"thu.list"')))
    assert (found.code, found.place) == ("duplicate-id", "thu.list/slot")
    assert found.line == line_of(WITH_EVIDENCE, "Biểu 02")


def test_forms_of_a_pack_with_an_unreadable_file_are_not_blamed() -> None:
    """What they speak of may stand in the file that could not be read."""
    assert {one.code for one in faults_of(in_files("ruleset: [", FORMS))} == {"not-yaml"}


def test_the_forms_of_phu_tho_are_those_of_the_guideline() -> None:
    """Phụ lục 03 đến 07: columns, signatures and slots as printed; all slots say what they need."""
    packs = find_packs(None)
    registry: Registry = build(packs)
    slots = registry.slots["phutho.commune"]
    lists = {one.form.called: one for one in slots.values() if one.form is not None}
    assert [(name, one.criterion) for name, one in lists.items()] == [
        ("Phụ lục 03", "phutho.1.1.1"),
        ("Phụ lục 04", "phutho.1.1.2"),
        ("Phụ lục 05", "phutho.1.3.1"),
        ("Phụ lục 06", "phutho.1.3.2"),
        ("Phụ lục 07", "phutho.1.3.3"),
    ]
    names = ["Họ và Tên", "Họ và Tên", "Họ và Tên", "Tên cơ sở sản xuất", "Tên có sở sản xuất"]
    signed = [2, 1, 2, 1, 1]
    for one, name, signatures in zip(lists.values(), names, signed, strict=True):
        assert one.form is not None
        assert [column.label for column in one.form.columns] == ["STT", name, "Ghi chú"]
        assert len(one.form.confirmed_by) == signatures
        demanded = [who.who for who in one.evidence.confirmed_by if who.required_by != "text"]
        assert [f"Xác nhận của {who}" for who in demanded] == list(one.form.confirmed_by)
    by_parts = {one.criterion for one in slots.values() if one.in_parts}
    assert by_parts == {"phutho.1.1.1", "phutho.1.3.1", "phutho.1.3.2"}
    (file,) = [one for one in packs if one.name.endswith("phu_tho")]
    told = next(one for one in file.files if one.path.endswith("forms.yaml"))
    assert isinstance(yaml.safe_load(str(told.data["slots"])), list)
    said = [one["slot"] for one in told.data["slots"]]
    assert said == [*slots, *registry.slots["phutho.district"]]
