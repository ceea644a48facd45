"""Vietnamese order and the keys by which names are found, alone and behind the API."""

from __future__ import annotations

import itertools
import random
import unicodedata
from collections.abc import Callable

import httpx
import pytest
from test_register import Row, on_day, shipped_units

from app.domain.vietnamese import loose_key, name_key, search_key, sort_key, split_type

ALPHABET = list("aăâbcdđeêghiklmnoôơpqrstuưvxy")
TONES = ["ma", "mà", "mả", "mã", "má", "mạ"]


def shuffled(words: list[str]) -> list[str]:
    """Return the words in another order, the same in every run."""
    mixed = list(words)
    random.Random(7).shuffle(mixed)
    return mixed


def nfd(text: str) -> str:
    """Return text with its marks apart."""
    return unicodedata.normalize("NFD", text)


@pytest.mark.parametrize(
    "ordered",
    [
        ALPHABET,
        [one.upper() for one in ALPHABET],
        TONES,
        ["ăn", "ằn", "ẳn", "ẵn", "ắn", "ặn"],
        # Letters of the whole syllable first, then its tone.
        ["ba", "bà", "bả", "bã", "bá", "bạ", "ban", "bàn", "băn", "bân", "đa"],
        # The first syllable decides before the second is looked at.
        ["Hoa Xuân", "Hòa An", "Hòa Bình", "Hỏa Lò", "Hoá An", "Hoàn Kiếm"],
        ["An", "An Bình", "An Giang", "Ân Thi", "Bình An"],
        ["Phường 1", "Phường 2", "Phường 9", "Phường 10", "Phường 11", "Phường An Hội"],
        ["Thôn 2", "Thôn 2A", "Thôn 2B", "Thôn 10", "Thôn Đông"],
        ["Dân Chủ", "Duy Tiên", "Đa Phúc", "Đông Anh", "Em"],
        ["Tam Đảo", "Tân Đà", "Tân Phú", "Thanh Ba", "Trà Vinh"],
    ],
    ids=lambda words: words[0] + "…" + words[-1],
)
def test_words_stand_in_the_order_of_the_dictionary(ordered: list[str]) -> None:
    assert sorted(shuffled(ordered), key=sort_key) == ordered
    assert sorted(shuffled(ordered), key=lambda word: sort_key(nfd(word))) == ordered


def test_order_by_bytes_would_be_another_one() -> None:
    assert sorted(["Phường 10", "Phường 2", "Đa", "Em"]) != ["Đa", "Em", "Phường 2", "Phường 10"]


def test_leading_zeros_of_a_number_make_no_other_place() -> None:
    assert sort_key("Phường 02") == sort_key("Phường 2")
    assert name_key("Phường 02") == name_key("Phường 2")


@pytest.mark.parametrize("text", ["Phường Đống Đa", "Xã Ea M'Droh", "Thị trấn Tân Phong 12", "ÁẶữ"])
def test_keys_are_plain_ascii(text: str) -> None:
    for key in (sort_key(text), name_key(text), search_key(text), loose_key(name_key(text))):
        assert key
        assert key.isascii()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hoà Bình", "Hòa Bình"),
        ("HOÀ BÌNH", "hòa bình"),
        ("Thanh Hoá", "Thanh Hóa"),
        ("Thuỷ Nguyên", "Thủy Nguyên"),
        ("Quý Hoà", "Qúy Hòa"),
        ("Đồng Nai", nfd("Đồng Nai")),
        ("Phú Thọ", nfd("PHÚ THỌ")),
        ("Đồng Nai", "Ðồng Nai"),
        ("Đồng Nai", "Ɖồng Nai"),
        ("đồng nai", "ðồng nai"),
        ("đồng nai", "ɖồng nai"),
        ("Đồng Nai", "Dồng Nai"),
        ("Phú Thọ", "  Phú \t Thọ\u00a0"),
        ("Phú Thọ", "\ufeffPhú\u200b Thọ\u2060"),
        ("Phú Thọ", "Ph\u00adú Th\u200cọ\u200d"),
        ("Ea H'leo", "Ea H’leo"),
        ("Ea H'leo", "Ea Hleo"),
        ("Ea H'Leo", "EA HʼLEO"),
        ("M'Đrắk", "MDrắk"),
        ("Phan Rang - Tháp Chàm", "Phan Rang – Tháp Chàm"),
        ("Phan Rang - Tháp Chàm", "Phan Rang Tháp Chàm"),
        ("Phan Rang - Tháp Chàm", "Phan Rang-Tháp Chàm"),
        ("Lang Biang - Đà Lạt", "Lang Biang-Đà Lạt"),
    ],
    ids=ascii,
)
def test_two_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hòa", "Hóa"),
        ("Tân", "Tan"),
        ("Tấn", "Tân"),
        ("Phú Thọ", "Phù Thọ"),
        ("Phường 1", "Phường 10"),
        ("Thuận", "Thuân"),
        ("Mường", "Mương"),
    ],
)
def test_tones_and_vowels_make_another_name(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)
    assert sort_key(one) != sort_key(other)


@pytest.mark.parametrize("text", ["Đắk Nông", "Hoà Bình", "Thừa Thiên Huế", "Ea M'Droh"])
def test_without_tones_and_diacritics_a_name_and_its_plain_spelling_agree(text: str) -> None:
    plain = search_key(text)
    assert loose_key(name_key(text)) == loose_key(name_key(plain))


def test_a_search_key_has_no_diacritics_case_or_double_spaces() -> None:
    assert search_key("  XÃ  Đắk\u200b Hà ") == "xa dak ha"
    assert search_key(nfd("XÃ Đắk Hà")) == "xa dak ha"
    assert search_key("Ðông") == search_key("Đông") == search_key("đông") == "dong"


@pytest.mark.parametrize(
    ("text", "types", "rest"),
    [
        ("Tỉnh Phú Thọ", {"tinh"}, "Phú Thọ"),
        ("TỈNH PHÚ THỌ", {"tinh"}, "PHÚ THỌ"),
        ("Thành phố Huế", {"thanh_pho"}, "Huế"),
        ("thanh pho Hue", {"thanh_pho"}, "Hue"),
        ("TP. Huế", {"thanh_pho"}, "Huế"),
        ("TP Huế", {"thanh_pho"}, "Huế"),
        ("Thị xã Phú Thọ", {"thi_xa"}, "Phú Thọ"),
        ("TX. Phú Thọ", {"thi_xa"}, "Phú Thọ"),
        ("Thị trấn Càng Long", {"thi_tran"}, "Càng Long"),
        ("TT Càng Long", {"thi_tran"}, "Càng Long"),
        ("Xã Tân Phú", {"xa"}, "Tân Phú"),
        ("X. Tân Phú", {"xa"}, "Tân Phú"),
        ("Phường 1", {"phuong"}, "1"),
        ("P.1", {"phuong"}, "1"),
        ("Đặc khu Phú Quốc", {"dac_khu"}, "Phú Quốc"),
        ("H. Càng Long", {"huyen"}, "Càng Long"),
        ("Q. 1", {"quan"}, "1"),
        ("Khu dân cư 5", {"khu_dan_cu"}, "5"),
        ("Ấp Chợ", {"ap"}, "Chợ"),
        ("Thôn Đông", {"thon"}, "Đông"),
        ("Phú Thọ", set(), "Phú Thọ"),
        ("Xã", set(), "Xã"),
        ("", set(), ""),
    ],
)
def test_the_type_before_a_name_is_told_from_the_name(
    text: str, types: set[str], rest: str
) -> None:
    assert split_type(text) == (frozenset(types), rest)
    assert split_type(nfd(text))[0] == frozenset(types)


def test_the_names_of_the_nation_never_share_a_key_with_another_name_of_that_spelling() -> None:
    by_key: dict[str, set[str]] = {}
    for row in shipped_units():
        spelled = "".join(char for char in row["name"].casefold() if char.isalnum())
        marked = nfd(spelled).replace("đ", "d")
        by_key.setdefault(name_key(row["name"]).replace(" ", ""), set()).add(
            "".join(sorted(char for char in marked if not char.isdigit()))
        )
    # The same marks on the same letters: one name, however its tone is placed.
    assert {key: marks for key, marks in by_key.items() if len(marks) > 1} == {}


MOVED = (
    ("òa", "oà"), ("óa", "oá"), ("ỏa", "oả"), ("õa", "oã"), ("ọa", "oạ"),
    ("ùy", "uỳ"), ("úy", "uý"), ("ủy", "uỷ"), ("ũy", "uỹ"), ("ụy", "uỵ"),
    ("òe", "oè"), ("óe", "oé"), ("ỏe", "oẻ"), ("õe", "oẽ"), ("ọe", "oẹ"),
)  # fmt: skip


def moved(text: str) -> str:
    """Return text with the tone marks of oa, oe, uy at their other place."""
    for here, there in MOVED:
        text = text.replace(here, there) if here in text else text.replace(there, here)
    return text


FULL: dict[str, Callable[[str], str]] = {
    "as it is": lambda name: name,
    "decomposed": nfd,
    "upper case": str.upper,
    "old tone placement": moved,
    "D for Đ": lambda name: name.replace("Đ", "D").replace("đ", "d"),
    "double spaces": lambda name: " " + name.replace(" ", "  ") + " ",
}


def bare(name: str) -> str:
    """Return a province's name without Tỉnh or Thành phố."""
    return name.removeprefix("Tỉnh ").removeprefix("Thành phố ")


def provinces(day: str) -> list[Row]:
    """Return the provinces of a day."""
    return [row for row in on_day(day) if row["level"] == "province"]


async def asked(
    client: httpx.AsyncClient, questions: list[dict[str, str]]
) -> list[dict[str, object]]:
    """Return what `resolve` answers."""
    answer = await client.post("/v1/units/resolve", json=questions)
    assert answer.status_code == 200, answer.text[:300]
    items: list[dict[str, object]] = answer.json()["items"]
    assert len(items) == len(questions)
    return items


def key_of(found: dict[str, object]) -> str | None:
    """Return the key of the unit that was found."""
    unit = found["unit"]
    return unit["unit"] if isinstance(unit, dict) else None


def test_there_were_63_provinces_and_are_34() -> None:
    assert len(provinces("2025-03-01")) == 63
    assert len(provinces("2025-08-01")) == 34


@pytest.mark.parametrize("spelling", FULL)
@pytest.mark.parametrize("day", ["2025-03-01", "2025-08-01"])
async def test_a_province_is_found_in_every_spelling_of_its_full_name(
    client: httpx.AsyncClient, day: str, spelling: str
) -> None:
    rows = provinces(day)
    found = await asked(client, [{"name": FULL[spelling](row["name"]), "on": day} for row in rows])
    assert [key_of(one) for one in found] == [row["unit"] for row in rows]


@pytest.mark.parametrize("spelling", FULL)
@pytest.mark.parametrize("day", ["2025-03-01", "2025-08-01"])
async def test_a_bare_name_of_a_province_finds_it_or_lists_it_with_its_namesakes(
    client: httpx.AsyncClient, day: str, spelling: str
) -> None:
    rows = provinces(day)
    questions = [{"name": FULL[spelling](bare(row["name"])), "on": day} for row in rows]
    certain = 0
    for row, found in zip(rows, await asked(client, questions), strict=True):
        if found["unit"] is not None:
            assert key_of(found) == row["unit"]
            certain += 1
        else:
            candidates = found["candidates"]
            assert isinstance(candidates, list)
            assert row["unit"] in [one["unit"] for one in candidates]
            assert len(candidates) > 1
    assert certain >= 5


@pytest.mark.parametrize("spelling", FULL)
@pytest.mark.parametrize("day", ["2025-03-01", "2025-08-01"])
@pytest.mark.parametrize("shorten", [str, bare], ids=["full", "bare"])
async def test_a_commune_is_found_by_its_province_in_every_spelling(
    client: httpx.AsyncClient, day: str, spelling: str, shorten: Callable[[str], str]
) -> None:
    spell = FULL[spelling]
    communes: dict[str, Row] = {}
    rows = on_day(day)
    above = {row["unit"]: row["parent_unit"] for row in rows}
    for row in rows:
        if row["level"] == "commune":
            parent = row["parent_unit"]
            communes[above[parent] if parent.startswith("district") else parent] = row
    questions = [
        {
            "code": communes[row["unit"]]["code"],
            "name": communes[row["unit"]]["name"],
            "province": spell(shorten(row["name"])),
            "on": day,
        }
        for row in provinces(day)
    ]
    found = await asked(client, questions)
    assert [key_of(one) for one in found] == [
        communes[row["unit"]]["unit"] for row in provinces(day)
    ]


async def test_lists_stand_in_the_order_of_the_dictionary(client: httpx.AsyncClient) -> None:
    for day, code in (("2025-03-01", "84"), ("2025-03-01", "79"), ("2025-08-01", "86")):
        params = {"under": code, "on": day, "level": "commune", "limit": "500"}
        answer = await client.get("/v1/units", params=params)
        names = [one["name"] for one in answer.json()["items"]]
        assert names == sorted(names, key=sort_key)
        numbers = [int(name[7:]) for name in names if name[7:].isdigit()]
        numbers = [name for name, _ in itertools.groupby(numbers)]
        assert numbers == sorted(numbers)
