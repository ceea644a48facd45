"""Reading a fact: exactly what was written, or a refusal that says where and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from strategies import registry

from app.rules.errors import FactError
from app.rules.facts import LARGEST_COUNT, Percent, Ratio, read_fact

KINDS = {
    "boolean": "modern_electronic_one_stop",
    "count": "digital_skills_classes_count",
    "ratio": "adults_smartphone_internet_rate",
    "set": "smart_contents_implemented",
    "attribute": "area_island",
    "designation": "central_pilot_smart",
}


def read(kind: str, raw: Any) -> Any:
    """Read a fact of an indicator of this kind."""
    return read_fact(registry().indicators[KINDS[kind]], raw)


def refused(kind: str, raw: Any) -> tuple[str, str]:
    """Return code and place of the refusal."""
    with pytest.raises(FactError) as error:
        read(kind, raw)
    assert error.value.message.vi
    assert error.value.message.en
    return error.value.code, error.value.pointer


@pytest.mark.parametrize(
    ("kind", "raw", "fact"),
    [
        ("boolean", True, True),
        ("boolean", False, False),
        ("count", 0, 0),
        ("count", LARGEST_COUNT, LARGEST_COUNT),
        ("set", [], ()),
        ("set", ["b1", "a1"], ("a1", "b1")),
        ("ratio", {"numerator": 0, "denominator": 0}, Ratio(denominator=0, numerator=0)),
        # An impossible pair is a fact that cannot be judged, not a malformed one.
        ("ratio", {"numerator": 9, "denominator": 8}, Ratio(denominator=8, numerator=9)),
        ("ratio", {"percent": "0"}, Percent("0")),
        ("ratio", {"percent": "85.50"}, Percent("85.50")),
        ("ratio", {"percent": "100.000000"}, Percent("100.000000")),
    ],
)
def test_a_fact_is_read_as_it_is_written(kind: str, raw: Any, fact: Any) -> None:
    found = read(kind, raw)
    assert found == fact
    assert type(found) is type(fact)


@pytest.mark.parametrize("kind", ["boolean", "count", "ratio", "set"])
@pytest.mark.parametrize("raw", [None, "true", "1", 1.0, 0.5, {}, {"value": 1}, [1], [None], "85%"])
def test_nothing_is_coerced_into_a_fact(kind: str, raw: Any) -> None:
    assert refused(kind, raw)[0] in ("wrong-kind", "unknown-field")


@pytest.mark.parametrize(
    ("kind", "raw"),
    [("boolean", 1), ("boolean", 0), ("count", True), ("count", "5"), ("set", "a1"), ("ratio", 85)],
)
def test_kinds_that_look_alike_are_kept_apart(kind: str, raw: Any) -> None:
    assert refused(kind, raw) == ("wrong-kind", "")


@pytest.mark.parametrize("number", [-1, LARGEST_COUNT + 1])
def test_counts_are_integers_that_every_json_reader_keeps_exactly(number: int) -> None:
    assert refused("count", number) == ("out-of-range", "")
    ratio = {"numerator": 1, "denominator": number}
    assert refused("ratio", ratio) == ("out-of-range", "/denominator")
    assert refused("ratio", {"numerator": number, "denominator": 1}) == (
        "out-of-range", "/numerator"
    )  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    ["", "85,5", "085", "+85", "-1", "85.", ".5", "8 5", "85.1234567", "1e2", "NaN", "８５", "٨٥",
     "85\n", "85%", 85, None, True],
)  # fmt: skip
def test_a_percentage_is_a_plain_decimal_number_in_quotes(raw: Any) -> None:
    assert refused("ratio", {"percent": raw}) == ("wrong-kind", "/percent")


@pytest.mark.parametrize("raw", ["100.000001", "101", "999.9"])
def test_a_percentage_is_at_most_100_unless_the_part_may_exceed_the_whole(raw: str) -> None:
    assert refused("ratio", {"percent": raw}) == ("out-of-range", "/percent")
    lines = registry().indicators["internet_lines_per_household_rate"]
    assert read_fact(lines, {"percent": raw}) == Percent(raw)


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ({"numerator": 1, "denominator": 2, "percent": "50"}, ""),
        ({"numerator": 1}, ""),
        ({"denominator": 1}, ""),
        ({"numerator": 1, "denominator": True}, "/denominator"),
        ({"numerator": 1.0, "denominator": 2}, "/numerator"),
        ({"numerator": 1, "denominator": 2, "unit": "x"}, "/unit"),
    ],
)
def test_a_ratio_is_two_counts_or_a_percentage_and_nothing_else(raw: Any, pointer: str) -> None:
    assert refused("ratio", raw)[1] == pointer


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (["a1", "zz"], ("unknown-member", "/1")),
        (["a1", "b1", "a1"], ("duplicate-member", "/2")),
        (["A1"], ("unknown-member", "/0")),
    ],
)
def test_a_set_holds_known_codes_once_each(raw: list[str], found: tuple[str, str]) -> None:
    assert refused("set", raw) == found


@pytest.mark.parametrize("kind", ["attribute", "designation"])
def test_what_is_known_of_the_unit_is_no_fact(kind: str) -> None:
    assert refused(kind, True) == ("not-a-fact", "")
