"""Evaluation runs over HTTP: a whole territory judged at once, counted, listed, refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import httpx
import msgspec
import pytest
from conftest import Described, Join, Member, problem
from grant_calls import give
from on_record import (
    PATH,
    Item,
    by_id,
    codes,
    evaluated,
    got,
    numbers,
    places,
    ratio,
    record,
    record_facts,
    replayed,
    value,
)
from own_database import own
from run_calls import RUNS, Run, begun, result, run_fixture
from test_http_preview import CADRES, ENOUGH, SMARTPHONE
from unchanged import fingerprint
from working import work_off

from app.database import Database
from app.domain.evaluation_runs import KIND, conducting
from app.domain.jobs.queue import deferred
from app.domain.jobs.running import Running
from app.rules.registry import Registry
from app.settings import Settings

PHU_THO, SELECTION, CONTENT = "phutho.commune", "bnn3445.selection.smart", "bnn3445.content.smart"
DISTRICT = "234"  # of old Phú Thọ
LIVE, NEAR, FAR = "08290", "08293", "08296"
ACCOUNT = "working_age_epayment_account_rate"
OUTCOMES = ("met", "not_met", "undetermined", "not_applicable", "no_criterion")

settings, database, service = own("runs")
run = run_fixture


@pytest.fixture
async def member(join: Join) -> Member:
    """A client of Phú Thọ, with one commune that passes and two that nearly do."""
    made = await join("25")
    await record_facts(made.http, LIVE, ENOUGH)
    await record_facts(made.http, NEAR, ENOUGH | {SMARTPHONE: ratio(849, 1000)})
    short = {SMARTPHONE: ratio(840, 1000), ACCOUNT: ratio(1, 2000)}
    await record_facts(made.http, FAR, ENOUGH | short)
    return made


async def verdicts(client: httpx.AsyncClient, number: int) -> list[Item]:
    """Return the verdicts of a run as the list of evaluations shows them."""
    return list((await got(client, PATH, run=number, limit=500))["items"])


# --- what comes out ------------------------------------------------------------------------------


async def test_every_unit_of_the_level_is_judged_as_alone(
    member: Member, run: Run, described: Described
) -> None:
    """A run holds one verdict for each commune of the territory, the same as judged one by one."""
    client = member.http
    found = await run(client, PHU_THO, DISTRICT)
    described.judge(await client.get(f"{RUNS}/{found['id']}"))
    wanted, listed = await codes(client, DISTRICT), await verdicts(client, found["id"])
    assert sorted(one["unit"]["code"] for one in listed) == wanted
    assert (found["units"], found["out_of_scope"], found["state"]) == (len(wanted), 0, "succeeded")
    assert {(one["run"], one["by"]) for one in listed} == {(found["id"], member.client_id)}
    by_code = {one["unit"]["code"]: one["id"] for one in listed}
    for code in (LIVE, FAR):
        alone = await evaluated(client, PHU_THO, code)
        stored = await got(client, f"{PATH}/{by_code[code]}")
        differ = {name: alone[name] for name in ("id", "created_at", "run")}
        assert stored | differ == alone
        assert alone["run"] is None
        assert await replayed(client, by_code[code]) == {"same": True}


async def test_the_counts_are_those_of_the_verdicts(member: Member, run: Run) -> None:
    """Outcomes, criteria and reasons of a run add up from its verdicts, whose number they make."""
    client = member.http
    found = await run(client, PHU_THO, DISTRICT)
    stored = [
        await got(client, f"{PATH}/{one['id']}") for one in await verdicts(client, found["id"])
    ]
    outcomes = Counter(one["outcome"] for one in stored)
    assert found["outcomes"] == {word: outcomes[word] for word in (*OUTCOMES, "no_overall_rule")}
    assert found["all_items"] is None
    assert outcomes["met"] == 1
    assert [one["id"] for one in found["criteria"]] == list(by_id(stored[0]))
    for criterion in found["criteria"]:
        shown = [by_id(one)[criterion["id"]] for one in stored]
        counted = Counter(one["outcome"] for one in shown)
        assert {word: criterion[word] for word in OUTCOMES} == {
            word: counted[word] for word in OUTCOMES
        }
        assert sum(counted.values()) == found["units"]
        assert criterion["reasons"] == Counter(name for one in shown for name in one["reasons"])
        assert criterion["leaf"] is not bool(shown[0]["criteria"])
        assert (criterion["text"], criterion["cite"]) == (shown[0]["text"], shown[0]["cite"])


async def test_the_nearest_to_passing_lack_fewest_and_then_least(member: Member, run: Run) -> None:
    """Fewest criteria first, then the smallest gap as a share of what is counted; at most 20."""
    client = member.http
    await record(client, value("08299", SMARTPHONE, ratio(3, 4)))
    found = await run(client, PHU_THO, DISTRICT)
    nearest = found["nearest"]
    assert [one["unit"]["code"] for one in nearest[:2]] == [NEAR, FAR]
    assert len(nearest) == min(20, found["units"] - 1)
    assert LIVE not in {one["unit"]["code"] for one in nearest}
    (lacking,) = nearest[0]["lacking"]
    assert (lacking["criterion"], lacking["outcome"]) == ("phutho.1.1.1", "not_met")
    stored = await got(client, f"{PATH}/{nearest[0]['evaluation']}")
    assert stored["unit"]["code"] == NEAR
    assert lacking["gap"] == by_id(stored)["phutho.1.1.1"]["gap"] == lacking["gap"] | {"more": 1}
    assert {one["criterion"] for one in nearest[1]["lacking"]} == {"phutho.1.1.1", "phutho.1.3.1"}
    counts = [len(one["lacking"]) for one in nearest]
    assert counts == sorted(counts)


async def test_of_a_group_of_which_one_suffices_only_the_nearest_part_lacks(
    member: Member, run: Run
) -> None:
    """Criterion 1 of 3445 is met by one recognition or by two others: one is nearer than two."""
    client = member.http
    await record(client, value(LIVE, "ntm_advanced_recognized_2021_2025", False))
    found = await run(client, SELECTION, DISTRICT)
    near = next(one for one in found["nearest"] if one["unit"]["code"] == LIVE)
    named = [one["criterion"] for one in near["lacking"]]
    assert f"{SELECTION}.1a" in named
    assert not {f"{SELECTION}.1b.i", f"{SELECTION}.1b.ii"} & set(named)


async def test_a_document_without_an_overall_rule_counts_all_items(
    member: Member, run: Run
) -> None:
    """Where no rule is stated, every verdict says so, and all items are counted beside it."""
    found = await run(member.http, CONTENT, DISTRICT)
    assert found["outcomes"]["no_overall_rule"] == found["units"]
    assert sum(found["all_items"].values()) == found["units"]


async def test_units_out_of_scope_are_counted_and_not_judged(
    client: httpx.AsyncClient, run: Run
) -> None:
    """A plan of old Phú Thọ binds those communes of today's Phú Thọ that were made of its own."""
    found = await run(client, PHU_THO, "25", period="2026")
    every = await codes(client, "25", on="2026-12-31")
    assert found["units"] + found["out_of_scope"] == len(every)
    assert 0 < found["units"] < len(every)
    assert len(await verdicts(client, found["id"])) == found["units"]


async def test_the_day_says_which_units_are_meant(client: httpx.AsyncClient, run: Run) -> None:
    """2025 has two sets of communes: those of its last day, or of the day that is named."""
    last = await run(client, SELECTION, "12", period="2025")
    first = await run(client, SELECTION, "12", period="2025", on="2025-03-01")
    for found, day in ((last, "2025-12-31"), (first, "2025-03-01")):
        assert found["on"] == day
        listed = [one["unit"]["code"] for one in await verdicts(client, found["id"])]
        assert sorted(listed) == await codes(client, "12", on=day)


async def test_a_run_reads_one_state_of_the_record(
    member: Member, settings: Settings, database: Database, registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What is recorded while a run is conducted is not in it, not even for its last unit."""
    client = member.http
    job, last = await begun(client, PHU_THO, DISTRICT), (await codes(client, DISTRICT))[-1]
    judged, told = conducting.judged, list[object]()

    async def slow(*given: object) -> object:
        if not told:
            told.append(await record(client, value(last, CADRES, ratio(5, 5))))
        return await judged(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(conducting, "judged", slow)
    monkeypatch.setattr(conducting, "TOGETHER", 3)
    await work_off(settings, database, registry)
    found = await result(client, job)
    listed = {one["unit"]["code"]: one["id"] for one in await verdicts(client, found["id"])}
    stored = await got(client, f"{PATH}/{listed[last]}")
    assert by_id(stored)["phutho.1.1.2"]["outcome"] == "undetermined"
    alone = await evaluated(client, PHU_THO, last)
    assert by_id(alone)["phutho.1.1.2"]["outcome"] == "met"


async def test_a_run_that_is_cut_short_leaves_nothing_and_begins_anew(
    member: Member, settings: Settings, database: Database, registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Of a run that was taken over by another worker no verdict is ever seen; of the other, all."""
    client = member.http
    job, taken = await begun(client, PHU_THO, DISTRICT), list[int]()
    finish = Running.finish

    async def late(self: Running, *given: object) -> None:
        if not taken:
            taken.append(self.attempt)
            statement = "UPDATE job SET attempt = attempt + 1 WHERE id = $1"
            async with database.writing() as connection:
                await connection.execute(statement, self.id)
        await finish(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Running, "finish", late)
    before = await count(database)
    await work_off(settings, database, registry)
    assert taken
    assert await count(database) == before
    async with database.writing() as connection:
        await connection.fetchval(f"SELECT {deferred('$1')}", job["id"])  # as a sweep does
    await work_off(settings, database, registry)
    assert await count(database) == before + (await result(client, job))["units"]


async def count(database: Database) -> int:
    """Return how many verdicts of runs are on record."""
    async with database.reading() as connection:
        statement = "SELECT count(*) FROM evaluation WHERE run_id IS NOT NULL"
        return int(await connection.fetchval(statement))


async def test_a_run_is_in_the_audit_when_it_begins_and_when_it_has_ended(
    member: Member, run: Run, database: Database
) -> None:
    """Who asked for it and for whom they acted stand with both, and each verdict has its entry."""
    official = {"id": "CB-7", "office": "Sở NN&MT", "position": "Chuyên viên"}
    found = await run(member.http, PHU_THO, DISTRICT, acting_official=official)
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT a.action, a.details, a.client, a.official_id, a.request_id, u.key"
            " FROM audit_entry a JOIN unit u ON u.id = a.unit_id ORDER BY a.id DESC LIMIT $1",
            found["units"] + 2,
        )
    assert {(row["client"], row["official_id"]) for row in rows} == {(member.client_id, "CB-7")}
    assert len({row["request_id"] for row in rows}) == 1
    actions = Counter(row["action"] for row in rows)
    assert actions == {
        "evaluation-run.begun": 1, "evaluation-run.conducted": 1,
        "evaluation.conducted": found["units"],
    }  # fmt: skip
    told = {row["action"]: msgspec.json.decode(row["details"]) for row in rows}
    assert told["evaluation-run.conducted"] == {"evaluations": found["units"], "run": found["id"]}
    assert told["evaluation-run.begun"]["run"] == found["id"]


# --- lists ---------------------------------------------------------------------------------------


async def test_runs_are_listed_newest_first_by_every_filter(
    member: Member, run: Run, described: Described
) -> None:
    """By ruleset, by period, by what lies above; in pages; without criteria."""
    client = member.http
    made = [
        (await run(client, *wish))["id"]
        for wish in ((PHU_THO, DISTRICT), (SELECTION, DISTRICT), (SELECTION, LIVE))
    ]
    later = (await run(client, SELECTION, LIVE, period="2023"))["id"]
    one, two, three = made

    async def listed(**params: str | int) -> list[int]:
        return [id_ for id_ in numbers((await got(client, RUNS, **params))["items"]) if id_ >= one]

    described.judge(await client.get(RUNS))
    assert await listed() == [later, three, two, one]
    assert await listed(ruleset=PHU_THO) == [one]
    assert await listed(period="2023") == [later]
    assert await listed(under=LIVE, on="2024-12-31") == [later, three]
    assert await listed(under=DISTRICT, on="2024-12-31", ruleset=SELECTION) == [later, three, two]
    first = await got(client, RUNS, limit=3)
    rest = await got(client, RUNS, limit=3, cursor=first["next"])
    assert numbers(first["items"] + rest["items"])[:4] == [later, three, two, one]
    assert not {"criteria", "nearest"} & set(first["items"][0])


async def test_a_run_that_waits_is_shown_with_the_state_of_its_job(
    member: Member, settings: Settings, database: Database, registry: Registry,
    described: Described,
) -> None:  # fmt: skip
    """Before its end a run has no counts; whoever does not see its job does not see it."""
    client = member.http
    job = await begun(client, PHU_THO, DISTRICT)
    assert (job["kind"], job["state"]) == (KIND, "queued")
    assert job["progress"] == {"done": 0, "total": len(await codes(client, DISTRICT))}
    waiting = (await got(client, RUNS, limit=1))["items"][0]
    assert (waiting["job"], waiting["state"]) == (job["id"], "queued")
    shown = await client.get(f"{RUNS}/{waiting['id']}")
    described.judge(shown)
    empty = ("units", "outcomes", "all_items", "criteria", "nearest", "ended_at")
    assert [shown.json()[name] for name in empty] == [None] * len(empty)
    assert shown.json()["ruleset"]["digest"] == registry.entries[PHU_THO].compiled.digest
    await work_off(settings, database, registry)


# --- refusals ------------------------------------------------------------------------------------

BODY = {"ruleset": PHU_THO, "under": DISTRICT, "period": "2024"}
WRONG: list[tuple[Mapping[str, object], str, str]] = [
    ({"ruleset": "phutho.nothing"}, "/ruleset", "unknown-ruleset"),
    ({"ruleset": "phutho.district", "under": LIVE}, "/under", "wrong-level"),
    ({"ruleset": "travinh.commune"}, "/under", "ruleset-out-of-scope"),
    ({"under": "25", "period": "2025", "on": "2024-12-31"}, "/on", "wrong-value"),
    ({"under": "25", "period": "2025"}, "/under", "ambiguous-unit"),
    ({"period": "2024-13"}, "/period", "invalid-period"),
    ({"as_of": "31/12/2024"}, "/as_of", "wrong-type"),
    ({"units": ["08290"]}, "/units", "unknown-field"),
    ({"under": 234}, "/under", "wrong-type"),
]


@pytest.mark.parametrize(("more", "pointer", "code"), WRONG, ids=lambda one: str(one)[:40])
async def test_a_run_that_cannot_be_is_refused_and_nothing_is_stored(
    client: httpx.AsyncClient, database: Database, more: Mapping[str, object], pointer: str,
    code: str,
) -> None:  # fmt: skip
    """The fault is named with its place; there is neither a run nor a job afterwards."""
    before = await fingerprint(database)
    found = problem(await client.post(RUNS, json=BODY | dict(more)))
    assert (found["status"], places(found)) == (422, [(pointer, code)])
    assert await fingerprint(database) == before


async def test_a_run_needs_the_own_territory(
    join: Join, stranger: httpx.AsyncClient, member: Member, run: Run
) -> None:
    """Elsewhere: 404, whatever was granted; without a token 401, without the scope 403."""
    made = await run(member.http, PHU_THO, DISTRICT)
    assert problem(await stranger.post(RUNS, json=BODY))["status"] == 401
    for path in (RUNS, f"{RUNS}/{made['id']}", f"{RUNS}/{made['id']}/compare?with={made['id']}"):
        assert problem(await stranger.get(path))["status"] == 401
    writer = await join("25", "values:write")
    assert problem(await writer.http.post(RUNS, json=BODY))["code"] == "insufficient-scope"
    other = await join("86")
    await give(
        member.http, from_territory="25", to_territory=None, to_client=other.client_id,
        resources=["evaluations"],
    )  # fmt: skip
    assert len((await got(other.http, PATH, ruleset=PHU_THO))["items"]) > 0
    refused = problem(await other.http.post(RUNS, json=BODY))
    assert (refused["status"], places(refused)) == (404, [("/under", "outside-territory")])
    assert (await got(other.http, RUNS))["items"] == []
    for path in (f"{RUNS}/{made['id']}", f"{RUNS}/{made['id']}/compare?with={made['id']}"):
        assert problem(await other.http.get(path))["code"] == "evaluation-run-not-found"
    hidden = problem(await other.http.get(PATH, params={"run": made["id"]}))
    assert (hidden["status"], places(hidden)) == (404, [("/run", "evaluation-run-not-found")])
    below = await join(LIVE)
    assert problem(await below.http.post(RUNS, json=BODY))["code"] == "outside-territory"
    assert problem(await member.http.get(PATH, params={"run": "0"}))["status"] == 422
    assert problem(await member.http.get(f"{RUNS}/999999"))["status"] == 404


async def test_the_same_request_sent_again_begins_one_run(
    member: Member, settings: Settings, database: Database, registry: Registry
) -> None:
    """An Idempotency-Key answers with the first job."""
    key = {"idempotency-key": "run-once"}
    answers = [await member.http.post(RUNS, json=BODY, headers=key) for _ in range(2)]
    assert [one.status_code for one in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    runs = (await got(member.http, RUNS))["items"]
    assert [one["job"] for one in runs].count(answers[0].json()["id"]) == 1
    await work_off(settings, database, registry)


async def test_a_ruleset_that_is_gone_fails_the_job(
    member: Member, settings: Settings, database: Database, registry: Registry
) -> None:
    """What was asked for cannot be judged any more: the job says so, and there is no verdict."""
    job, before = await begun(member.http, PHU_THO, DISTRICT), await count(database)
    others = {id_: one for id_, one in registry.entries.items() if id_ != PHU_THO}
    await work_off(settings, database, Registry(others, registry.indicators))
    ended = await got(member.http, f"/v1/jobs/{job['id']}")
    assert (ended["state"], ended["problem"]["code"]) == ("failed", "unknown-ruleset")
    assert await count(database) == before
    (failed,) = [one for one in (await got(member.http, RUNS))["items"] if one["job"] == job["id"]]
    assert (failed["state"], failed["outcomes"]) == ("failed", None)
    answer = await member.http.get(f"{RUNS}/{failed['id']}/compare", params={"with": failed["id"]})
    assert problem(answer)["code"] == "evaluation-run-not-ended"
