"""Submissions of evidence: opened, listed, acted on, compared; what each office gets."""

from __future__ import annotations

import asyncio
import datetime

import msgspec
import pytest
from conftest import Described
from own_database import own
from submission_calls import (
    LAST_DAY,
    NEW,
    NEW_DAY,
    OLD,
    OLD_DAY,
    RULESET,
    SUBMISSIONS,
    Item,
    Offices,
    Team,
    acted,
    decision,
    moved,
    opened,
    slots,
    working,
)

from app.rules.evaluate import Compiled

FILED = "phutho.1.2.3.documents"
settings, database, service = own("submissions")
offices, team = working(OLD_DAY)
_PERIODS = iter(str(year) for year in range(1990, 2024))


@pytest.fixture
async def draft(team: Team) -> Item:
    """A draft of the commune, of a period that no other test uses."""
    return await opened(team["commune"], OLD["commune"], next(_PERIODS))


async def _through(team: Team, id_: int, *steps: tuple[str, str], day: datetime.date) -> Item:
    shown: Item = {}
    for action, step in steps:
        shown = await moved(team[step], id_, action, step, day)
    return shown


async def test_a_submission_goes_through_the_chain(
    team: Team, draft: Item, described: Described
) -> None:
    """Draft, submitted, verified, appraised, approved: each by its office, all in the history."""
    assert (draft["state"], draft["may"]) == ("draft", ["submit", "withdraw"])
    shown = await _through(
        team, draft["id"], ("submit", "commune"), ("verify", "district"),
        ("appraise", "department"), ("approve", "province"), day=OLD_DAY,
    )  # fmt: skip
    assert (shown["state"], shown["route"], shown["may"]) == ("approved", "with_district", [])
    assert [one["after"] for one in shown["history"]] == [
        "submitted", "verified", "appraised", "approved"
    ]  # fmt: skip
    last = shown["history"][-1]
    assert last["document"] == decision("approve", "province", OLD_DAY)["document"]
    assert last["official"]["office"] == "Cơ quan province"
    described.judge(await team["commune"].get(f"{SUBMISSIONS}/{draft['id']}"))


async def test_a_commune_of_today_has_no_district(offices: Offices, described: Described) -> None:
    """What is submitted since 1 July 2025 goes to the province at once."""
    offices.clock.day = NEW_DAY
    team = await offices.of(NEW)
    made = await opened(team["commune"], NEW["commune"], "2026")
    shown = await _through(
        team, made["id"], ("submit", "commune"), ("appraise", "department"),
        ("approve", "province"), day=NEW_DAY,
    )  # fmt: skip
    assert (shown["state"], shown["route"]) == ("approved", "without_district")
    described.judge(await team["commune"].get(f"{SUBMISSIONS}/chain"))


async def test_in_flight_when_the_district_ends(offices: Offices, team: Team, draft: Item) -> None:
    """Submitted before, not verified: it keeps its history and goes on to the province."""
    offices.clock.day = LAST_DAY
    await moved(team["commune"], draft["id"], "submit", "commune", LAST_DAY)
    offices.clock.day = NEW_DAY
    late = await acted(team["district"], draft["id"], "verify", "district", NEW_DAY)
    assert (late.status_code, late.json()["code"]) == (409, "illegal-transition")
    assert late.json()["may"] == []
    shown = await moved(team["department"], draft["id"], "appraise", "department", NEW_DAY)
    assert shown["route"] == "with_district"
    assert [one["day"] for one in shown["history"]] == [str(LAST_DAY), str(NEW_DAY)]


async def test_a_commune_that_outlives_its_district(offices: Offices) -> None:
    """Opened in March 2025 for 2025: it goes to the district of that day, its values too."""
    offices.clock.day = OLD_DAY
    team = await offices.of({"commune": "08311", "district": "234", "province": "25"})
    commune = team["commune"]
    value = {"unit": "08311", "period": "2025", "indicator": "digital_teaching_services",
             "value": True, "source": "Báo cáo"}  # fmt: skip
    (stored,) = (await commune.post("/v1/values", json={"values": [value]})).json()["items"]
    made = await opened(commune, "08311", "2025")
    await moved(commune, made["id"], "submit", "commune", OLD_DAY)
    await moved(team["district"], made["id"], "return", "district", OLD_DAY)
    again = await commune.post("/v1/values", json={"values": [value | {"value": False}]})
    assert again.status_code == 201, again.text  # it was let go, though it lies in no district
    await moved(commune, made["id"], "reopen", "commune", OLD_DAY)
    await moved(commune, made["id"], "submit", "commune", OLD_DAY)
    for action, step in (("verify", "district"), ("appraise", "department"),
                         ("approve", "province")):  # fmt: skip
        await moved(team[step], made["id"], action, step, OLD_DAY)
    number = again.json()["items"][0]["id"]
    assert (await commune.get(f"/v1/values/{number}")).json()["status"] == "approved"
    assert number != stored["id"]


async def test_a_wrong_transition_names_the_allowed_ones(
    team: Team, draft: Item, described: Described
) -> None:
    """409 says what may be done instead, for machines and for people."""
    answer = await acted(team["commune"], draft["id"], "reopen", "commune", OLD_DAY)
    assert answer.status_code == 409
    assert answer.json()["may"] == ["submit", "withdraw"]
    assert "nộp (submit), rút (withdraw)" in answer.json()["detail"]
    described.judge(answer)


async def test_who_may_not_and_who_is_not_there(offices: Offices, team: Team, draft: Item) -> None:
    """Another office: 403; another territory: 404, as if there were nothing."""
    assert (await acted(team["district"], draft["id"], "submit", "district", OLD_DAY)).json()[
        "code"
    ] == "not-your-office"
    scopes = ("read", "evidence:submit", "evidence:approve")
    stranger = await offices.joined("00004", *scopes, on=OLD_DAY)
    nowhere = await stranger.get(f"{SUBMISSIONS}/{draft['id']}")
    never = await stranger.get(f"{SUBMISSIONS}/999999")
    assert (nowhere.status_code, never.status_code) == (404, 404)
    assert nowhere.json()["code"] == never.json()["code"] == "submission-not-found"
    answer = await acted(stranger, draft["id"], "submit", "commune", OLD_DAY, version="1")
    assert answer.status_code == 404
    assert (await stranger.get(SUBMISSIONS)).json()["items"] == []


async def test_nobody_acts_at_two_steps(offices: Offices, team: Team, draft: Item) -> None:
    """The same client, official or office is refused at another step."""
    both = await offices.joined("25", "read", "evidence:appraise", "evidence:approve")
    id_ = draft["id"]
    await moved(team["commune"], id_, "submit", "commune", OLD_DAY)
    mine = decision("verify", "commune", OLD_DAY)["acting_official"]
    same = await acted(team["district"], id_, "verify", "district", OLD_DAY, acting_official=mine)
    assert (same.status_code, same.json()["code"]) == (403, "separation-of-duties")
    office = {"id": "CB-9", "office": "CƠ QUAN  commune", "position": "CV"}
    same = await acted(team["district"], id_, "verify", "district", OLD_DAY, acting_official=office)
    assert same.json()["code"] == "separation-of-duties"
    await moved(team["district"], id_, "verify", "district", OLD_DAY)
    await moved(both, id_, "appraise", "department", OLD_DAY)
    assert (await both.get(f"{SUBMISSIONS}/{id_}")).json()["may"] == []
    twice = await acted(both, id_, "approve", "province", OLD_DAY)
    assert twice.json()["code"] == "separation-of-duties"


async def test_two_reviewers_at_once(offices: Offices, team: Team, draft: Item) -> None:
    """Of two who mean the same state one wins, the other gets 412."""
    other = await offices.joined("237", "read", "evidence:verify")
    shown = await moved(team["commune"], draft["id"], "submit", "commune", OLD_DAY)
    at = f"{SUBMISSIONS}/{draft['id']}/transitions"
    bodies = [
        decision(action, "district", OLD_DAY, version=shown["version"])
        for action in ("verify", "return")
    ]
    answers = await asyncio.gather(
        team["district"].post(at, json=bodies[0]), other.post(at, json=bodies[1])
    )
    assert sorted(one.status_code for one in answers) == [200, 412]


async def test_a_decision_says_which_state_it_means(team: Team, draft: Item) -> None:
    """Without version or If-Match 428; the ETag of what was read is good."""
    at = f"{SUBMISSIONS}/{draft['id']}/transitions"
    body = decision("submit", "commune", OLD_DAY)
    assert (await team["commune"].post(at, json=body)).status_code == 428
    tag = (await team["commune"].get(f"{SUBMISSIONS}/{draft['id']}")).headers["etag"]
    answer = await team["commune"].post(at, json=body, headers={"if-match": tag})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("changed", "pointers"),
    [
        ({"document": None}, ["/document"]),
        ({"acting_official": None}, ["/acting_official"]),
        ({"reason": None}, ["/reason"]),
        ({"items": []}, ["/items"]),
        ({"items": [{"slot": "phutho.9", "reason": "không có"}]}, ["/items/0/slot"]),
        ({"document": {"number": "1", "symbol": "A", "date": "2025-03-11", "signer": "B"}},
         ["/document/date"]),
        ({"action": "bless"}, ["/action"]),
    ],
)  # fmt: skip
async def test_what_a_return_must_say(
    team: Team, draft: Item, changed: Item, pointers: list[str]
) -> None:
    """Document, official, reason and items: whatever is missing or wrong is named."""
    await moved(team["commune"], draft["id"], "submit", "commune", OLD_DAY)
    body = decision("return", "district", OLD_DAY, version="2") | changed
    answer = await team["district"].post(f"{SUBMISSIONS}/{draft['id']}/transitions", json=body)
    assert answer.status_code == 422, answer.text
    assert [one["pointer"] for one in answer.json()["errors"]] == pointers


async def test_one_open_submission_at_a_time(team: Team, draft: Item) -> None:
    """A second one for unit, ruleset and period is refused and names the first."""
    body = {"unit": OLD["commune"], "ruleset": RULESET, "period": draft["period"]}
    answer = await team["commune"].post(SUBMISSIONS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "submission-open")
    assert f"số {draft['id']}" in answer.json()["detail"]
    await moved(team["commune"], draft["id"], "withdraw", "commune", OLD_DAY)
    assert (await team["commune"].post(SUBMISSIONS, json=body)).status_code == 201


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"unit": "00004"}, "outside-territory"),
        ({"unit": "99999"}, "unit-not-found"),
        ({"ruleset": "nowhere"}, "unknown-ruleset"),
        ({"ruleset": "phutho.district"}, "wrong-level"),
        ({"ruleset": "travinh.commune"}, "ruleset-out-of-scope"),
        ({"period": "2025"}, "ambiguous-unit"),
        ({"state": "approved"}, "unknown-field"),
    ],
)
async def test_what_cannot_be_opened(team: Team, changed: Item, code: str) -> None:
    """A unit that is not one's own, unknown or unclear; a ruleset that does not fit."""
    body = {"unit": OLD["commune"], "ruleset": RULESET, "period": "1985"} | changed
    answer = await team["commune"].post(SUBMISSIONS, json=body)
    assert answer.status_code in (404, 422)
    assert code in [one["code"] for one in answer.json()["errors"]], answer.text


async def test_only_a_commune_opens(team: Team, offices: Offices) -> None:
    """Offices above do not open submissions in a commune's place."""
    above = await offices.joined("25", "read", "evidence:submit")
    body = {"unit": OLD["commune"], "ruleset": RULESET, "period": "1986"}
    answer = await above.post(SUBMISSIONS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-your-office")
    assert (await team["district"].post(SUBMISSIONS, json=body)).status_code == 403


async def test_the_work_list(team: Team, draft: Item) -> None:
    """awaiting=me lists what it is one's turn to act on, and nothing else."""

    async def awaits(step: str) -> bool:
        answer = await team[step].get(SUBMISSIONS, params={"awaiting": "me", "limit": "500"})
        return draft["id"] in [one["id"] for one in answer.json()["items"]]

    order = ("commune", "district", "department", "province")
    for turn, action in zip(order, ("submit", "verify", "appraise", "approve"), strict=True):
        assert [await awaits(step) for step in order] == [step == turn for step in order]
        await moved(team[turn], draft["id"], action, turn, OLD_DAY)
    assert not any([await awaits(step) for step in order])


async def test_decisions_on_several_answer_each_by_itself(
    team: Team, draft: Item, described: Described
) -> None:
    """One is done, one is refused: what was refused leaves nothing behind."""
    other = await opened(team["commune"], OLD["commune"], next(_PERIODS))
    done = await moved(team["commune"], draft["id"], "submit", "commune", OLD_DAY)
    body = {
        "decisions": [
            decision("verify", "district", OLD_DAY, id=other["id"], version=other["version"]),
            decision("verify", "district", OLD_DAY, id=draft["id"], version=done["version"]),
            decision("verify", "district", OLD_DAY, id=draft["id"], version=done["version"]),
            decision("verify", "district", OLD_DAY, id=999_999, version="1"),
        ]
    }
    answer = await team["district"].post(f"{SUBMISSIONS}/decisions", json=body)
    described.judge(answer)
    items = answer.json()["items"]
    assert [one["status"] for one in items] == [409, 200, 412, 404]
    assert items[0]["problem"]["code"] == "illegal-transition"
    assert items[1]["submission"]["state"] == "verified"
    assert len((await team["commune"].get(f"{SUBMISSIONS}/{draft['id']}")).json()["history"]) == 2


async def test_decisions_in_any_order_at_once(offices: Offices, team: Team) -> None:
    """Two offices decide on the same submissions, each in its order: nobody waits in a circle."""
    other = await offices.joined("237", "read", "evidence:verify")
    sent = []
    for _ in range(4):
        made = await opened(team["commune"], OLD["commune"], next(_PERIODS))
        done = await moved(team["commune"], made["id"], "submit", "commune", OLD_DAY)
        sent.append(decision("verify", "district", OLD_DAY, id=made["id"], version=done["version"]))
    answers = await asyncio.gather(
        team["district"].post(f"{SUBMISSIONS}/decisions", json={"decisions": sent}),
        other.post(f"{SUBMISSIONS}/decisions", json={"decisions": sent[::-1]}),
    )
    found = [{one["status"] for one in answer.json()["items"]} for answer in answers]
    assert sorted(found, key=min) == [{200}, {412}]


async def test_parts_are_stated_while_it_is_a_draft(team: Team, draft: Item) -> None:
    """All at once, none twice; the same again changes nothing; frozen once it is submitted."""
    at = f"{SUBMISSIONS}/{draft['id']}/parts"
    parts = [{"code": "1", "name": "Khu 1"}, {"code": "2", "name": "Khu 2"}]
    first = await team["commune"].put(at, json={"parts": parts})
    again = await team["commune"].put(at, json={"parts": parts})
    assert first.json()["parts"] == parts
    assert first.json()["version"] == again.json()["version"] != draft["version"]
    twice = await team["commune"].put(at, json={"parts": [parts[0], parts[0]]})
    assert twice.json()["errors"][0]["code"] == "duplicate-part"
    await moved(team["commune"], draft["id"], "submit", "commune", OLD_DAY)
    frozen = await team["commune"].put(at, json={"parts": []})
    assert (frozen.status_code, frozen.json()["code"]) == (409, "submission-frozen")


async def test_slots_say_what_is_demanded(team: Team, draft: Item, described: Described) -> None:
    """Every slot of the ruleset with what it needs, who confirms and what is missing."""
    answer = await team["district"].get(f"{SUBMISSIONS}/{draft['id']}/slots")
    described.judge(answer)
    found = await slots(team["district"], draft["id"])
    assert len(found) == 13
    one = found["phutho.1.1.1.list"]
    assert (one["form"], one["criterion"]) == ("Phụ lục 03", "phutho.1.1.1")
    assert (one["required"], one["present"], one["complete"]) == (True, False, False)
    assert [who["who"] for who in one["confirmations"]] == ["UBND xã", "khu dân cư"]
    assert [who["required_by"] for who in one["confirmations"]] == ["both", "form"]
    assert next(gap["code"] for gap in one["missing"]) == "list-missing"
    assert found["phutho.1.2.1.check"]["missing"] == [
        {"code": "finding-missing", "part": None, "who": None}
    ]


async def test_a_name_in_two_parts_is_flagged(team: Team, draft: Item) -> None:
    """Whoever stands in the lists of two khu dân cư is counted twice, and it is said."""
    at = f"{SUBMISSIONS}/{draft['id']}"
    parts = [{"code": "1", "name": "Khu 1"}, {"code": "2", "name": "Khu 2"}]
    await team["commune"].put(f"{at}/parts", json={"parts": parts})
    for part, names in (("1", ["Lê Thị A", "Lê Văn B"]), ("2", ["LÊ THỊ A", "Lê Văn C"])):
        rows = [{"number": n, "name": name, "note": None} for n, name in enumerate(names, 1)]
        answer = await team["commune"].put(
            f"{at}/slots/phutho.1.1.1.list/rows", params={"part": part}, json={"rows": rows}
        )
        assert answer.json()["repeated"]["count"] == 0
    found = (await slots(team["commune"], draft["id"]))["phutho.1.1.1.list"]
    assert (found["list_total"], found["repeated"]) == (4, 1)
    assert found["contradictions"] == ["repeated-names"]


async def test_findings_say_who_when_where_what(
    team: Team, draft: Item, described: Described
) -> None:
    """The commune in its draft, the office whose turn it is; a photo must be there."""
    at = f"{SUBMISSIONS}/{draft['id']}/slots/phutho.1.2.1.check/findings"
    body = {
        "kind": "field", "found_on": str(OLD_DAY), "place": "Bộ phận một cửa", "holds": True,
        "seen": "Hồ sơ được tiếp nhận và giải quyết trực tuyến",
        "acting_official": {"id": "CB-1", "office": "UBND huyện", "position": "CV"},
    }  # fmt: skip
    early = await team["district"].post(at, json=body)
    assert (early.status_code, early.json()["code"]) == (403, "not-your-office")
    await moved(team["commune"], draft["id"], "submit", "commune", OLD_DAY)
    assert (await team["department"].post(at, json=body)).status_code == 403
    bad = await team["district"].post(at, json=body | {"photos": ["x.jpg"]})
    assert bad.json()["errors"][0]["code"] == "unknown-file"
    bad = await team["district"].post(at, json=body | {"found_on": "2025-03-11"})
    assert bad.json()["errors"][0]["code"] == "future-day"
    made = await team["district"].post(at, json=body)
    assert made.status_code == 201, made.text
    described.judge(made)
    assert made.json()["step"] == "district"
    state = (await slots(team["commune"], draft["id"]))["phutho.1.2.1.check"]
    assert (state["present"], state["complete"]) == (True, True)
    await team["district"].post(at, json=body | {"holds": False})
    state = (await slots(team["commune"], draft["id"]))["phutho.1.2.1.check"]
    assert (state["present"], [one["code"] for one in state["missing"]]) == (
        True, ["finding-adverse"]
    )  # fmt: skip
    described.judge(await team["commune"].get(at))


async def test_a_check_is_an_act_like_a_decision(offices: Offices, team: Team, draft: Item) -> None:
    """Who has checked at one step decides at no other; however his number is written."""
    both = await offices.joined("25", "read", "evidence:appraise", "evidence:approve")
    id_ = draft["id"]
    await moved(team["commune"], id_, "submit", "commune", OLD_DAY)
    wide = {"id": "ＣＢ‑commune", "office": "Phòng Văn hoá", "position": "CV"}
    same = await acted(team["district"], id_, "verify", "district", OLD_DAY, acting_official=wide)
    assert (same.status_code, same.json()["code"]) == (403, "separation-of-duties")
    before = await moved(team["district"], id_, "verify", "district", OLD_DAY)
    body = {
        "kind": "system", "found_on": str(OLD_DAY), "place": "Cổng dịch vụ công", "holds": True,
        "seen": "Đúng", "acting_official": wide,
    }  # fmt: skip
    at = f"{SUBMISSIONS}/{id_}/slots/phutho.1.2.1.check/findings"
    assert (await both.post(at, json=body)).json()["code"] == "separation-of-duties"
    body["acting_official"] = {"id": "S-1", "office": "Sở TT&TT", "position": "CV"}
    assert (await both.post(at, json=body)).status_code == 201
    mine = await both.get(SUBMISSIONS, params={"awaiting": "me", "limit": "500"})
    assert id_ in [one["id"] for one in mine.json()["items"]]
    late = await acted(
        team["department"], id_, "appraise", "department", OLD_DAY, version=before["version"]
    )
    assert late.status_code == 412  # it was checked meanwhile: read it again
    await moved(team["department"], id_, "appraise", "department", OLD_DAY)
    twice = await acted(both, id_, "approve", "province", OLD_DAY)
    assert twice.json()["code"] == "separation-of-duties"
    mine = await both.get(SUBMISSIONS, params={"awaiting": "me", "limit": "500"})
    assert id_ not in [one["id"] for one in mine.json()["items"]]


async def test_a_ruleset_that_changed_meanwhile_is_told(
    offices: Offices, team: Team, draft: Item
) -> None:
    """Each version says by which content of the ruleset it was submitted; nothing is dropped."""
    commune, id_ = team["commune"], draft["id"]
    registry = offices.service.state.registry
    entry = registry.entries[RULESET]
    ruleset = entry.ruleset.model_copy(update={"version": "2"})
    compiled = Compiled(ruleset, entry.compiled.indicators, {})
    other = msgspec.structs.replace(entry, compiled=compiled)
    changed = msgspec.structs.replace(registry, entries={**registry.entries, RULESET: other})
    first = (await moved(commune, id_, "submit", "commune", OLD_DAY))["digest"]
    assert first == draft["digest"]
    await moved(team["district"], id_, "return", "district", OLD_DAY)
    await moved(commune, id_, "reopen", "commune", OLD_DAY)
    offices.service.state.registry = changed
    second = (await moved(commune, id_, "submit", "commune", OLD_DAY))["digest"]
    assert second == changed.entries[RULESET].compiled.digest != first
    found = await commune.get(f"{SUBMISSIONS}/{id_}/diff", params={"from": 1, "to": 2})
    assert found.json()["digests"] == {"before": first, "after": second}

    await moved(team["district"], id_, "return", "district", OLD_DAY)
    await moved(commune, id_, "reopen", "commune", OLD_DAY)
    sent = await commune.put(f"{SUBMISSIONS}/{id_}/slots/{FILED}/files/a.txt", content=b"co")
    assert sent.status_code == 201, sent.text
    fewer = {slot: one for slot, one in registry.slots[RULESET].items() if slot != FILED}
    offices.service.state.registry = msgspec.structs.replace(registry, slots={RULESET: fewer})
    refused = await acted(commune, id_, "submit", "commune", OLD_DAY)
    assert (refused.status_code, refused.json()["code"]) == (409, "ruleset-changed")
    assert FILED in refused.json()["detail"]
    assert (await moved(commune, id_, "withdraw", "commune", OLD_DAY))["state"] == "withdrawn"


async def test_versions_are_compared(team: Team, draft: Item, described: Described) -> None:
    """What changed between two submitted versions, and 404 for one that never was."""
    id_ = draft["id"]
    await moved(team["commune"], id_, "submit", "commune", OLD_DAY)
    await moved(team["district"], id_, "return", "district", OLD_DAY)
    await moved(team["commune"], id_, "reopen", "commune", OLD_DAY)
    at = f"{SUBMISSIONS}/{id_}/slots/phutho.1.4.2.appraisal/findings"
    body = {
        "kind": "field", "found_on": str(OLD_DAY), "place": "Trạm y tế", "holds": True,
        "seen": "Có sổ sức khỏe điện tử",
        "acting_official": {"id": "CB-1", "office": "UBND xã", "position": "CV"},
    }  # fmt: skip
    assert (await team["commune"].post(at, json=body)).status_code == 201
    await moved(team["commune"], id_, "submit", "commune", OLD_DAY)
    answer = await team["province"].get(f"{SUBMISSIONS}/{id_}/diff", params={"from": 1, "to": 2})
    described.judge(answer)
    (only,) = answer.json()["slots"]
    assert only["slot"] == "phutho.1.4.2.appraisal"
    assert set(only["changed"]) == {"present", "complete", "missing", "findings"}
    assert (only["before"]["present"], only["after"]["present"]) == (False, True)
    absent = await team["province"].get(f"{SUBMISSIONS}/{id_}/diff", params={"from": 1, "to": 3})
    assert (absent.status_code, absent.json()["code"]) == (404, "version-not-found")
