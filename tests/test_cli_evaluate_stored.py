"""`ntm evaluate --unit` and `--under`: what is on record is judged, and the verdicts are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import LEAK, Ntm, Ran, calling, clone, run_here, shipped
from on_record import PATH, Item, by_id, client_of, outcomes
from running import contents, fetch, in_database, owner_of, settings_of
from test_http_import import row, share, table
from value_calls import COUNT, RATE

from app.database import SCHEMA, Database
from app.domain.clients import SCOPES
from app.embedded import Embedded
from app.main import create_app

Env = dict[str, str]
PHU_THO, SMART = "phutho.commune", "phutho.1.1.1"
WEBSITE = "commune_website_exists"
FULL, SHORT, BARE = "08497", "08533", "08527"  # communes of Lâm Thao, a district until 2025-06-30
DISTRICT = "237"
TODAY = {"period": "2025", "on": "2025-12-31"}


@pytest.fixture(scope="module")
def env(cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Env:
    """A database with some values that only this file writes to."""
    folder = tmp_path_factory.mktemp("evaluate")
    made = clone(cluster, f"cli_evaluate_{worker_id}") | {"NTM_DATA_DIR": str(folder)}
    rows = [
        share(FULL, 90, 100),
        row(FULL, WEBSITE, "true"),
        share(SHORT, 80, 100),
        row(SHORT, WEBSITE, "false", period="2023"),
        row(BARE, RATE, "85"),
        share("07894", 9, 10, period="2025", on="2025-03-01"),
        share("07894", 1, 10, period="2025", on="2025-09-01"),
        row(FULL, COUNT, "3"),
    ]
    file = folder / "values.csv"
    file.write_text(table(*rows), "utf-8")
    ran = run_here("values", "import", file, env=made)
    assert ran.code == 0, ran.err
    return made


def ask(env: Env, method: str, path: str, body: Mapping[str, Any] | None = None) -> Item:
    """Return what the service answers to a client of the nation."""
    settings = settings_of(env, Path(env["NTM_DATA_DIR"]))

    async def work(database: Database) -> httpx.Response:
        app = create_app(settings, shipped(), database)
        token = app.state.tokens.issue(await client_of(database), list(SCOPES))
        async with calling(app, token=token) as http:
            return await http.request(method, path, json=body)

    answer = in_database(settings, work)
    assert answer.status_code in (200, 201), answer.text[:500]
    found: Item = answer.json()
    return found


def judged(ntm: Ntm, env: Env, *arguments: str, ruleset: str = PHU_THO) -> Ran:
    """Evaluate what is on record by a ruleset."""
    return ntm("evaluate", "--ruleset", ruleset, *arguments, env=env)


def verdicts(ran: Ran) -> list[Item]:
    """Return the verdicts of a list that was printed as JSON."""
    assert ran.code == 0, ran.err
    body = json.loads(ran.out)
    assert set(body) == {"items", "next"}
    assert body["next"] is None
    items: list[Item] = body["items"]
    return items


def evaluations(env: Env) -> int:
    """Return how many verdicts are on record."""
    ((count,),) = fetch(owner_of(env), f"SELECT count(*) FROM {SCHEMA}.evaluation")
    return int(count)


def the_same(verdict: Item) -> Item:
    """Return a verdict without what every act of judging has anew."""
    return {name: one for name, one in verdict.items() if name not in ("id", "created_at", "by")}


# --- one unit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [FULL, SHORT, BARE, f"commune-{FULL}"])
def test_a_verdict_on_one_unit_is_printed_and_kept(ntm: Ntm, env: Env, unit: str) -> None:
    """One verdict as JSON: what GET answers afterwards, and what POST would have answered."""
    ran = judged(ntm, env, "--unit", unit, "--period", "2024", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["unit"]["code"] == unit.removeprefix("commune-")
    assert (found["period"], found["as_of"], found["by"]) == ("2024", "2024-12-31", "ntm")
    assert ask(env, "GET", f"{PATH}/{found['id']}") == found
    assert ask(env, "POST", f"{PATH}/{found['id']}/replay") == {"same": True}
    posted = ask(env, "POST", PATH, {"ruleset": PHU_THO, "unit": unit, "period": "2024"})
    assert the_same(posted) == the_same(found)
    assert posted["id"] > found["id"]


def test_what_is_on_record_decides(ntm: Ntm, env: Env) -> None:
    """Values of the period count, older ones are shown and do not, a bare percentage is fuzzy."""
    found = {}
    for unit in (FULL, SHORT, BARE):
        ran = judged(ntm, env, "--unit", unit, "--period", "2024", "--json")
        found[unit] = json.loads(ran.out)
    shown = {unit: by_id(one) for unit, one in found.items()}
    assert [shown[unit][SMART]["outcome"] for unit in found] == ["met", "not_met", "undetermined"]
    assert shown[SHORT][SMART]["gap"]["more"] == 5
    website = shown[SHORT]["phutho.1.2.5.b.1"]
    assert (website["outcome"], website["reasons"]) == ("undetermined", ["value_outdated"])
    assert shown[BARE][SMART]["reasons"] == ["rounded_value"]
    strict = json.loads(judged(ntm, env, "--unit", FULL, "--period", "2024",
                               "--min-status", "approved", "--json").out)  # fmt: skip
    assert strict["min_status"] == "approved"
    assert by_id(strict)[SMART]["reasons"] == ["value_not_approved"]


def test_an_ambiguous_unit_asks_for_the_day(ntm: Ntm, env: Env) -> None:
    """In 2025 a code may mean two units: none is chosen in silence, --on decides."""
    before = evaluations(env)
    ran = judged(ntm, env, "--unit", "07894", "--period", "2025", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert "commune-07894 " in ran.err.replace("]", " ")
    assert "commune-07894-2025" in ran.err
    assert "--on" in ran.err
    assert evaluations(env) == before
    for day, unit, outcome in (
        ("2025-03-01", "commune-07894", "met"),
        ("2025-09-01", "commune-07894-2025", "not_met"),
    ):
        ran = judged(ntm, env, "--unit", "07894", "--period", "2025", "--on", day, "--json")
        assert ran.code == 0, ran.err
        verdict = json.loads(ran.out)
        assert verdict["unit"]["unit"] == unit
        assert by_id(verdict)[SMART]["outcome"] == outcome
        body = {"ruleset": PHU_THO, "unit": "07894", "period": "2025", "on": day}
        assert the_same(ask(env, "POST", PATH, body)) == the_same(verdict)


def test_a_person_sees_the_verdict_in_full(ntm: Ntm, env: Env) -> None:
    """Without --json: every criterion, what was observed, what is missing, in either language."""
    ran = judged(ntm, env, "--unit", SHORT, "--period", "2024")
    assert ran.code == 0
    line = " ".join(next(cells for cells in ran.cells() if cells[0] == SMART))
    assert "không đạt" in line
    assert "80/100 = 80.00%" in line
    english = ntm(
        "--lang", "en", "evaluate", "--ruleset", PHU_THO, "--unit", SHORT, "--period", "2024",
        env=env,
    )  # fmt: skip
    assert "5 more" in english.out
    assert "không đạt" not in english.out


# --- all below one -------------------------------------------------------------------------------


def test_all_units_below_one_are_judged_and_kept(ntm: Ntm, env: Env) -> None:
    """A list as JSON; each verdict is what POST answers for the same units."""
    before = evaluations(env)
    ran = judged(ntm, env, "--under", DISTRICT, "--period", "2024", "--json")
    found = verdicts(ran)
    communes = [
        one["code"]
        for one in ask(env, "GET", f"/v1/communes?under={DISTRICT}&on=2024-12-31&limit=500")[
            "items"
        ]
    ]
    assert {FULL, SHORT, BARE} <= set(communes)
    assert [one["unit"]["code"] for one in found] == communes
    assert evaluations(env) == before + len(communes)
    listed = ask(env, "GET", f"{PATH}/{found[-1]['id']}")
    assert listed == found[-1]
    body = {"ruleset": PHU_THO, "units": communes, "period": "2024"}
    posted = ask(env, "POST", PATH, body)["items"]
    assert [the_same(one) for one in posted] == [the_same(one) for one in found]
    assert {outcomes(one)[SMART] for one in found} == {"met", "not_met", "undetermined"}


def test_units_out_of_scope_are_left_out_and_counted_aloud(ntm: Ntm, env: Env) -> None:
    """The document of old Phú Thọ binds 66 of the 148 communes of today's; nobody guesses."""
    arguments = ("--under", "25", "--period", TODAY["period"], "--on", TODAY["on"], "--json")
    ran = judged(ntm, env, *arguments)
    found = verdicts(ran)
    communes = ask(env, "GET", f"/v1/communes?under=25&on={TODAY['on']}&limit=500")["items"]
    left = len(communes) - len(found)
    assert (len(communes), len(found)) == (148, 66)
    assert f"{left} đơn vị" in ran.err
    assert {one["applicability"]["status"] for one in found}.isdisjoint({"out_of_scope"})
    english = ntm("--lang", "en", "evaluate", "--ruleset", PHU_THO, *arguments, env=env)
    assert f"{left} units are outside" in english.err


def test_an_ambiguous_unit_above_asks_for_the_day(ntm: Ntm, env: Env) -> None:
    """The same holds for the unit above."""
    ran = judged(ntm, env, "--under", "25", "--period", "2025", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert "province-25-2025" in ran.err
    assert "--on" in ran.err


def test_many_verdicts_are_summed_up_on_the_screen(ntm: Ntm, env: Env) -> None:
    """Every unit stands in the summary; of many only the first are printed in full."""
    ran = judged(ntm, env, "--under", "25", "--period", "2024")
    assert ran.code == 0
    assert ran.out.count("(08497)") in (1, 2)
    rows = [cells[0] for cells in ran.cells() if cells[0].endswith(")")]
    assert len(rows) == len(set(rows)) == 207
    assert "--json" in ran.said
    assert sum(cells[0] == SMART for cells in ran.cells()) == 20


def test_a_ruleset_of_the_nation_judges_the_one_nation(ntm: Ntm, env: Env) -> None:
    """The level of the ruleset says which units are judged."""
    ran = judged(ntm, env, "--unit", "VN", "--period", "2024", "--json", ruleset="qd924.nation")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["unit"]["level"] == "nation"
    ran = judged(ntm, env, "--under", "VN", "--period", "2024", "--json", ruleset="phutho.district")
    found = verdicts(ran)
    assert {one["unit"]["level"] for one in found} == {"district"}
    assert len(found) == 13
    assert DISTRICT in {one["unit"]["code"] for one in found}


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--period", "2024"),
        ("--unit", FULL),
        ("--under", DISTRICT),
        ("--unit", FULL, "--under", DISTRICT, "--period", "2024"),
        ("--unit", FULL, "--facts", "x.csv", "--period", "2024"),
        ("--under", DISTRICT, "--facts", "x.csv", "--period", "2024"),
        ("--facts", "x.csv", "--on", "2024-12-31"),
        ("--facts", "x.csv", "--min-status", "approved"),
        ("--unit", FULL, "--period", "2024", "--min-status", "retracted"),
        ("--unit", FULL, "--period", "2024-13"),
        ("--unit", FULL, "--period", ""),
        ("--unit", FULL, "--period", "2024", "--on", "31/12/2024"),
        ("--unit", FULL, "--period", "2024", "--on", ""),
        ("--unit", FULL, "--period", "2024", "--on", "20241231"),
        ("--unit", FULL, "--period", "2024", "--on", "2024-W52-2"),
        ("--unit", FULL, "--period", "2024", "--no-such"),
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_2(
    ntm: Ntm, env: Env, tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly one of --facts, --unit, --under; a period; days and periods as they are written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text(table(share(FULL, 1, 2)), "utf-8")
    before = evaluations(env)
    ran = judged(ntm, env, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.strip()
    assert evaluations(env) == before


def test_an_unknown_ruleset_is_wrong_use(ntm: Ntm, env: Env) -> None:
    """The known ones are named."""
    ran = judged(ntm, env, "--unit", FULL, "--period", "2024", ruleset="phutho.xa")
    assert (ran.code, ran.out) == (2, "")
    assert "phutho.commune" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--unit", "99999", "--period", "2024"), "99999"),
        (("--unit", "Xã Hùng Lô", "--period", "2024"), "Xã Hùng Lô"),
        (("--unit", "", "--period", "2024"), ""),
        (("--under", "99", "--period", "2024"), "99"),
        (("--unit", FULL, "--period", "2026"), FULL),
        (("--unit", FULL, "--period", "2024", "--on", "2025-12-31"), FULL),
        (("--unit", "25", "--period", "2024"), "commune"),
        (("--unit", "29266", "--period", "2024"), PHU_THO),
        (("--under", "86", "--period", "2024"), PHU_THO),
        (("--under", FULL, "--period", "2024"), PHU_THO),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else one,
)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_unit_that_cannot_be_judged_fails_and_nothing_is_kept(
    ntm: Ntm, env: Env, arguments: tuple[str, ...], said: str, language: str
) -> None:
    """Unknown, of another time or level, out of scope, nothing below: exit code 1, said aloud."""
    before = contents(owner_of(env))
    options = ("--lang", language, "evaluate", "--ruleset", PHU_THO, *arguments, "--json")
    ran = ntm(*options, env=env)
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert LEAK.search(ran.err) is None
    assert contents(owner_of(env)) == before


def test_an_installed_command_prints_pure_json_and_the_rest_beside_it(
    process: Ntm, env: Env
) -> None:
    """Progress and warnings are on standard error, however many units there are."""
    ran = process(
        "evaluate", "--ruleset", PHU_THO, "--under", "25", "--period", "2025", "--on",
        TODAY["on"], "--json", env=env,
    )  # fmt: skip
    assert len(verdicts(ran)) == 66
    assert ran.out.startswith("{\n")
    assert ran.out.endswith("}\n")
    assert "82" in ran.err
    assert "Traceback" not in ran.err
