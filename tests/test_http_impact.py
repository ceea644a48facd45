"""Impact over HTTP: what other thresholds or a candidate would change; nothing is stored."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conftest import GOOD_PACK, ROOT, Described, Join, Member, problem
from on_record import Item, codes, evaluated, flat, got, places, ratio, record, record_facts, value
from own_database import own
from test_http_preview import ENOUGH, SMARTPHONE, SUBSCRIPTION
from unchanged import fingerprint
from working import work_off

from app.api import impact as route
from app.database import Database
from app.rules.candidates import candidate
from app.rules.registry import Registry
from app.settings import Settings

PATH = "/v1/impact"
PHU_THO, SELECTION = "phutho.commune", "bnn3445.selection.smart"
DISTRICT, ONE, OTHER = "234", "08290", "08293"
LEAF, GROUP = "phutho.1.1.1", "phutho.1.1"
WHERE = {"under": DISTRICT, "period": "2024"}
RAISED = WHERE | {"ruleset": PHU_THO, "changes": [{"criterion": LEAF, "threshold": "85.5"}]}
FILE = (ROOT / "app" / "rules" / "phu_tho" / "commune.yaml").read_text("utf-8")
AS_WRITTEN = 'value: 85\n          unit: "percent"'

settings, database, service = own("impact")


@pytest.fixture
async def member(join: Join) -> Member:
    """A client of Phú Thọ, with one commune that just passes and one that passes easily."""
    made = await join("25")
    await record_facts(made.http, ONE, ENOUGH)
    await record_facts(made.http, OTHER, ENOUGH | {SMARTPHONE: ratio(9, 10)})
    return made


async def weighed(client: httpx.AsyncClient, **body: Any) -> Item:
    """Return what would change."""
    answer = await client.post(PATH, json=body)
    assert answer.status_code == 200, answer.text[:500]
    found: Item = answer.json()
    return found


def raised(by: str = "85.5") -> str:
    """Return the ruleset of the communes of Phú Thọ with another first threshold."""
    first = FILE.index("value: 85")
    return FILE[:first] + f"value: {by}" + FILE[first + len("value: 85") :]


# --- what would change ---------------------------------------------------------------------------


async def test_a_raised_threshold_names_the_communes_that_would_fail(
    member: Member, described: Described, database: Database
) -> None:
    """Outcomes before and after, who would change and by which criteria; nothing is stored."""
    before = await fingerprint(database)
    answer = await member.http.post(PATH, json=RAISED)
    assert answer.status_code == 200, answer.text
    described.judge(answer)
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    every = len(await codes(member.http, DISTRICT))
    assert (found["units"], found["out_of_scope"]) == (every, 0)
    assert found["ruleset"]["digest"] != found["candidate"]["digest"]
    assert (found["before"]["outcomes"]["met"], found["after"]["outcomes"]["met"]) == (2, 1)
    assert sum(found["after"]["outcomes"].values()) == every
    (unit,) = found["changed"]
    assert unit["unit"]["code"] == ONE
    assert (unit["before"], unit["after"]) == ("met", "not_met")
    assert unit["criteria"] == [
        {"id": one, "before": "met", "after": "not_met"} for one in (GROUP, LEAF)
    ]
    assert (found["flipped"], found["changed_units"], found["unchanged"]) == (1, 1, every - 1)
    assert await fingerprint(database) == before


async def test_what_is_said_of_the_ruleset_as_it_is_is_what_is_evaluated(member: Member) -> None:
    """The first of the two judgements is the one that comes on record."""
    found = await weighed(member.http, **RAISED)
    outcomes = [
        (await evaluated(member.http, PHU_THO, code))["outcome"]
        for code in await codes(member.http, DISTRICT)
    ]
    for word, units in found["before"]["outcomes"].items():
        assert outcomes.count(word) == units


async def test_what_asked_for_all_asks_for_at_least_as_much(member: Member) -> None:
    """= 100 % made 50 % is met by 100 % and by 60 %, not by exactly 50 % alone."""
    whole = "phutho.1.1.2"
    (code, other, *_) = await codes(member.http, DISTRICT)
    indicator = next(
        one["indicator"]
        for one in flat((await got(member.http, f"/v1/rulesets/{PHU_THO}"))["criteria"])
        if one["id"] == whole
    )
    await record(member.http, value(code, indicator, ratio(1, 1)))
    await record(member.http, value(other, indicator, ratio(3, 5)))
    changes = [{"criterion": whole, "threshold": "50"}]
    found = await weighed(member.http, **RAISED | {"changes": changes})
    (unit,) = found["changed"]
    flips = {one["id"]: (one["before"], one["after"]) for one in unit["criteria"]}
    assert (unit["unit"]["code"], flips[whole]) == (other, ("not_met", "met"))


async def test_a_lowered_threshold_and_the_same_one(member: Member) -> None:
    """Lower: more pass. The same as it is: nobody changes, and the digest stays."""
    await record(member.http, value("08296", SMARTPHONE, ratio(1, 2)))
    lower = await weighed(
        member.http, **RAISED | {"changes": [{"criterion": LEAF, "threshold": "50"}]}
    )
    (unit,) = lower["changed"]
    assert (unit["unit"]["code"], unit["before"], unit["after"]) == (
        "08296", "not_met", "undetermined",
    )  # fmt: skip
    same = await weighed(
        member.http, **RAISED | {"changes": [{"criterion": LEAF, "threshold": "85"}]}
    )
    assert (same["changed"], same["ruleset"]) == ([], same["candidate"])


async def test_a_branch_of_a_threshold_is_changed_alone(client: httpx.AsyncClient) -> None:
    """A threshold that depends on the area class is changed where the class says so."""
    shown = await got(client, f"/v1/rulesets/{SELECTION}")
    (criterion,) = [one for one in shown["criteria"] if one["id"] == f"{SELECTION}.5"]
    special, usual = (one["branch"] for one in criterion["required"]["branches"])
    await record(client, value(ONE, SUBSCRIPTION, ratio(85, 100)))
    body = WHERE | {"ruleset": SELECTION, "under": ONE}
    change = {"criterion": f"{SELECTION}.5", "threshold": "90"}
    found = await weighed(client, **body, changes=[change | {"branch": usual}])
    (flip,) = found["changed"][0]["criteria"]
    assert flip == {"id": f"{SELECTION}.5", "before": "met", "after": "undetermined"}
    both = [change | {"branch": one} for one in (special, usual)]
    (flip,) = (await weighed(client, **body, changes=both))["changed"][0]["criteria"]
    assert flip["after"] == "not_met"


async def test_every_reading_of_a_criterion_gets_the_new_threshold(
    client: httpx.AsyncClient,
) -> None:
    """A criterion that is read in several ways is decided when all agree, at the new number."""
    kinds = ("smart_commune_models_district_count", "smart_hamlet_models_district_count")
    await record_facts(client, DISTRICT, dict.fromkeys(kinds, 1))
    change = {"criterion": "phutho.district.8.9", "threshold": "5"}
    found = await weighed(client, **WHERE, ruleset="phutho.district", changes=[change])
    (unit,) = found["changed"]
    assert (unit["before"], unit["after"]) == ("met", "not_met")


# --- a candidate file ----------------------------------------------------------------------------


async def test_a_file_is_looked_at_in_place_of_the_ruleset_with_its_id(
    member: Member, described: Described
) -> None:
    """The same file with one other number changes what the number changes, and nothing else."""
    answer = await member.http.post(PATH, json=WHERE | {"ruleset_file": raised()})
    described.judge(answer)
    by_changes = await weighed(member.http, **RAISED)
    assert answer.json() == by_changes
    same = await weighed(member.http, **WHERE, ruleset_file=FILE)
    assert same["ruleset"]["digest"] == same["candidate"]["digest"]
    assert same["changed"] == []


async def test_a_candidate_is_checked_before_a_connection_is_taken(
    member: Member, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long its cases take, whoever sends it holds nothing of the database meanwhile."""
    held, check = list[int](), candidate

    def checked(*arguments: Any) -> Any:
        held.append(database.connections.in_use)
        return check(*arguments)

    monkeypatch.setattr(route, "candidate", checked)
    answer = await member.http.post(PATH, json=WHERE | {"ruleset_file": FILE})
    assert (answer.status_code, held) == (200, [0])


async def test_a_new_ruleset_is_compared_with_the_one_that_is_named(
    client: httpx.AsyncClient,
) -> None:
    """A candidate with indicators of its own, without cases, against an installed ruleset."""
    text = GOOD_PACK.partition("cases:")[0]
    found = await weighed(client, **WHERE, ruleset_file=text, against=PHU_THO)
    assert (found["ruleset"]["id"], found["candidate"]["id"]) == (PHU_THO, "test.well")
    assert found["after"]["outcomes"]["undetermined"] == found["units"]
    refused = problem(await client.post(PATH, json=WHERE | {"ruleset_file": text}))
    assert places(refused) == [("/against", "unknown-ruleset")]


async def test_units_that_only_one_document_binds_are_told_apart(client: httpx.AsyncClient) -> None:
    """Out of scope of one of the two: no outcome there, and counted as such."""
    body = {"under": "25", "period": "2026"}
    text = GOOD_PACK.partition("cases:")[0]
    found = await weighed(client, **body, ruleset_file=text, against=PHU_THO)
    assert found["before"]["out_of_scope"] > 0
    assert found["after"]["out_of_scope"] == found["out_of_scope"] == 0
    assert None in {one["before"] for one in found["changed"]}


FAULTS: list[tuple[str, str]] = [
    ("ruleset: [", "not-yaml"),
    ("", "unknown-file-kind"),
    ("[" * 100_000, "nested too deep"),
    ("{a: " * 50_000, "nested too deep"),
    ("a: &a [1]\nb: *a\n", "yaml-alias"),
    ("ruleset: !!python/object/apply:os.system ['true']\n", "ruleset"),
    ("indicators:\n" + GOOD_PACK.partition("indicators:\n")[2].partition("cases:")[0], "ruleset"),
    (GOOD_PACK.replace("value: 50", "value: 1.0e+999999999"), "digits"),
    (GOOD_PACK.replace("value: 50", "value: " + "9" * 60), "digits"),
    (GOOD_PACK.replace('"test.well.1"', '"phutho.1.1"'), "duplicate-id"),
    (GOOD_PACK.replace("test_wells_rate", "nobody_knows", 1), "unknown-indicator"),
    (GOOD_PACK.replace("required: {", "extra: 1\n    required: {"), "unknown-key"),
    (GOOD_PACK.replace('expect: {"test.well.1": "not_met"', 'expect: {"test.well.1": "met"'),
     "case-failed"),
    (GOOD_PACK.replace('facts: {test_wells_rate: "50/100"}',
                       'members: [{level: "hamlet", times: 900000000}]'), "members"),
    # No single case is too large; all of them together are.
    (GOOD_PACK.replace('facts: {test_wells_rate: "50/100"}',
                       'members: [{level: "hamlet", times: 12000}]').replace(
        'facts: {test_wells_rate: "49/100"}', 'members: [{level: "hamlet", times: 12000}]'),
     "together"),
    (GOOD_PACK.replace(
        'required: {operator: ">=", value: 50, unit: "percent", as_written: "từ 50%"}',
        'check: "run_me"'), "unknown-check"),
    (GOOD_PACK.replace('"test_wells_rate"', f'"{SMARTPHONE}"'), "redefined-indicator"),
    (GOOD_PACK.partition("cases:")[0].replace('level: "commune"', 'level: "province"', 1), "level"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "word"), FAULTS, ids=lambda one: one[:24])
async def test_a_file_with_faults_is_refused_with_every_one_of_them(
    client: httpx.AsyncClient, text: str, word: str
) -> None:
    """The same checks as for a pack, within limits: no code, no bombs, and nothing is stored."""
    body = WHERE | {"ruleset_file": text, "against": PHU_THO}
    found = problem(await client.post(PATH, json=body, headers={"accept-language": "en"}), "en")
    assert found["status"] == 422
    if not text:
        assert places(found) == [("/ruleset_file", "wrong-value")]
        return
    assert {pointer for pointer, _ in places(found)} == {"/ruleset_file"}
    assert any(word in one["message"] for one in found["errors"]), found["errors"]


async def test_every_fault_of_a_file_is_named_with_its_line(client: httpx.AsyncClient) -> None:
    """Two faults: two complaints, each with line and place."""
    text = GOOD_PACK.replace("test_wells_rate", "nobody_knows", 1)
    text = text.replace('"test.well.1"', '"phutho.1.1"', 1)
    found = problem(
        await client.post(PATH, json=WHERE | {"ruleset_file": text, "against": PHU_THO})
    )
    assert found["code"] == "invalid-ruleset"
    assert len(found["errors"]) == 2
    assert all(one["message"].startswith("dòng ") for one in found["errors"])


# --- refusals ------------------------------------------------------------------------------------

WRONG: list[tuple[Item, str, str]] = [
    ({"ruleset": "phutho.nothing"}, "/ruleset", "unknown-ruleset"),
    ({"changes": []}, "/changes", "wrong-value"),
    ({"changes": [{"criterion": "phutho.9", "threshold": "1"}]}, "/changes/0/criterion",
     "unknown-criterion"),
    ({"changes": [{"criterion": GROUP, "threshold": "1"}]}, "/changes/0/criterion", "no-threshold"),
    ({"changes": [{"criterion": "phutho.1.2.2", "threshold": "1"}]}, "/changes/0/criterion",
     "no-threshold"),
    ({"changes": [{"criterion": LEAF, "threshold": "101"}]}, "/changes/0/threshold",
     "out-of-range"),
    ({"changes": [{"criterion": LEAF, "threshold": "-1"}]}, "/changes/0/threshold", "wrong-value"),
    ({"changes": [{"criterion": LEAF, "threshold": "1e3"}]}, "/changes/0/threshold", "wrong-value"),
    ({"changes": [{"criterion": LEAF, "threshold": 90}]}, "/changes/0/threshold", "wrong-type"),
    ({"changes": [{"criterion": LEAF, "threshold": "90", "branch": "xã đảo"}]},
     "/changes/0/branch", "wrong-value"),
    ({"ruleset": SELECTION, "changes": [{"criterion": f"{SELECTION}.5", "threshold": "90"}]},
     "/changes/0/branch", "wrong-value"),
    ({"changes": [{"criterion": LEAF, "threshold": "90"}] * 2}, "/changes/1/criterion",
     "wrong-value"),
    ({"ruleset_file": FILE}, "", "wrong-value"),
    ({"against": PHU_THO}, "", "wrong-value"),
    ({"changes": None}, "", "missing-field"),
    ({"store": True}, "/store", "unknown-field"),
    ({"under": "25", "period": "2025"}, "/under", "ambiguous-unit"),
    ({"on": "2023-01-01"}, "/on", "wrong-value"),
    ({"ruleset": "travinh.commune", "changes": [{"criterion": "travinh.commune.7",
      "threshold": "91"}]}, "/under", "ruleset-out-of-scope"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "pointer", "code"), WRONG, ids=lambda one: str(one)[:60])
async def test_a_wrong_question_is_refused_at_its_place(
    client: httpx.AsyncClient, more: Item, pointer: str, code: str
) -> None:
    """Every fault is named with its place."""
    found = problem(await client.post(PATH, json=RAISED | more))
    assert (found["status"], places(found)) == (422, [(pointer, code)])


async def test_impact_is_asked_of_the_own_territory(
    join: Join, stranger: httpx.AsyncClient
) -> None:
    """Without a token 401, without the scope 403, elsewhere 404."""
    assert problem(await stranger.post(PATH, json=RAISED))["status"] == 401
    writer = await join("25", "values:write")
    assert problem(await writer.http.post(PATH, json=RAISED))["code"] == "insufficient-scope"
    other = await join("86")
    found = problem(await other.http.post(PATH, json=RAISED))
    assert (found["status"], places(found)) == (404, [("/under", "outside-territory")])


# --- many units ----------------------------------------------------------------------------------


async def test_for_many_units_the_answer_is_the_result_of_a_job(
    member: Member, settings: Settings, database: Database, registry: Registry,
    described: Described, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The job's result is what a smaller territory is answered at once; it stores no verdict."""
    wanted = [
        await weighed(member.http, **RAISED),
        await weighed(member.http, **WHERE, ruleset_file=raised("60.25")),
    ]
    monkeypatch.setattr(route, "MOST_AT_ONCE", 3)
    before = await fingerprint(database)
    bodies = (RAISED, WHERE | {"ruleset_file": raised("60.25")})
    for body, at_once in zip(bodies, wanted, strict=True):
        answer = await member.http.post(PATH, json=body)
        described.judge(answer)
        assert answer.status_code == 202
        job = answer.json()
        assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
        assert job["progress"]["total"] == at_once["units"]
        await work_off(settings, database, registry)
        ended = await got(member.http, f"/v1/jobs/{job['id']}")
        assert (ended["state"], ended["result"]) == ("succeeded", at_once)
    after = await fingerprint(database)
    assert {name for name in after if after[name] != before[name]} <= {"job", "kept_answer"}


async def test_the_same_question_under_a_key_begins_one_job(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Idempotency-Key answers with the first job."""
    monkeypatch.setattr(route, "MOST_AT_ONCE", 3)
    key = {"idempotency-key": "impact-once"}
    first, again = [await member.http.post(PATH, json=RAISED, headers=key) for _ in range(2)]
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    await member.http.post(f"/v1/jobs/{first.json()['id']}/cancel")
