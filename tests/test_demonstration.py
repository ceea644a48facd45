"""The demonstration on record: synthetic and said so, complete, the same everywhere, only once."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Ntm, calling, clone, shipped
from on_record import PATH, Item, by_id, client_of
from running import contents, execute, fetch, in_database, owner_of, settings_of
from test_http_import import HERE, row, table
from value_calls import COUNT, RATE

from app.cli.demonstration import show
from app.database import SCHEMA, Database
from app.domain import recordings
from app.domain.clients import SCOPES
from app.domain.demonstration.recorded import Told, tell
from app.domain.territory import EVERYWHERE, VALUES, Sight
from app.domain.values import listing
from app.embedded import Embedded
from app.main import create_app

Env = dict[str, str]
Make = Callable[[str], Env]
NATION, STATED = "qd924.nation", "qd924.1b.1"
WEBSITE, CURRENT = "commune_website_exists", "commune_website_content_current"
HAMLETS_IN = 3  # communes
EVERYTHING_SEEN = Sight(EVERYWHERE, VALUES)
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


class Interrupted(Exception):
    """Somebody pressed Ctrl+C."""


def demonstrate(
    env: Env, stop: str = "", recorded: Callable[[], None] = lambda: None
) -> Told | None:
    """Record the demonstration; a step to stop at interrupts it there.

    `recorded` is called when all values are, before they are committed.
    """

    def progress(step: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        if step == stop:
            raise Interrupted
        if (step, done) == ("recording", total):
            recorded()

    settings = settings_of(env, Path(env["NTM_DATA_DIR"]))
    return in_database(settings, lambda database: tell(database, shipped(), progress))


@pytest.fixture(scope="module")
def make(cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Make a database that only this file writes to."""

    def made(name: str) -> Env:
        folder = tmp_path_factory.mktemp(name)
        return clone(cluster, f"demo_{name}_{worker_id}") | {"NTM_DATA_DIR": str(folder)}

    return made


@pytest.fixture(scope="module")
def env(make: Make) -> Env:
    """The database that gets the demonstration."""
    return make("first")


@pytest.fixture(scope="module")
def told(env: Env) -> Told:
    """What the demonstration says of itself."""
    found = demonstrate(env)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def values(env: Env, told: Told) -> list[Item]:
    """All values, with their unit."""
    return values_of(env)


def values_of(env: Env) -> list[Item]:
    """Return everything that values say, in the order in which they were recorded."""
    rows = fetch(
        owner_of(env),
        "SELECT u.key, u.level, v.indicator, v.period, v.truth, v.counted, v.numerator,"
        " v.denominator, v.percent, v.codes, v.source, v.measured_on, v.note"
        f" FROM {SCHEMA}.value v JOIN {SCHEMA}.unit u ON u.id = v.unit_id ORDER BY v.id",
    )
    return [dict(one) for one in rows]


def verdicts_of(env: Env) -> list[tuple[str, str, str, str]]:
    """Return unit, ruleset, period and outcome of every verdict."""
    rows = fetch(
        owner_of(env),
        f"SELECT u.key, e.ruleset, e.period, e.outcome FROM {SCHEMA}.evaluation e"
        f" JOIN {SCHEMA}.unit u ON u.id = e.unit_id ORDER BY u.key, e.ruleset, e.period, e.id",
    )
    return [tuple(one) for one in rows]


def ask(env: Env, *paths: str) -> list[Item]:
    """Return what the service answers to a client of the nation."""
    settings = settings_of(env, Path(env["NTM_DATA_DIR"]))

    async def work(database: Database) -> list[httpx.Response]:
        app = create_app(settings, shipped(), database)
        token = app.state.tokens.issue(await client_of(database), list(SCOPES))
        async with calling(app, token=token) as http:
            return [await http.get(path) for path in paths]

    answers = in_database(settings, work)
    assert [one.status_code for one in answers] == [200] * len(paths), answers[0].text[:300]
    return [one.json() for one in answers]


def keys(env: Env, level: str, under: str, day: str) -> set[str]:
    """Return the keys of the units of a level below another one on a day."""
    (found,) = ask(env, f"/v1/units?level={level}&under={under}&on={day}&limit=500")
    assert found["next"] is None
    return {one["unit"] for one in found["items"]}


# --- what is recorded ----------------------------------------------------------------------------


def test_every_value_says_that_it_is_synthetic(values: list[Item], told: Told) -> None:
    """No figure can be taken for a real one, wherever it is read."""
    assert len(values) == told.values > 10_000
    assert len({one["key"] for one in values}) == told.units
    for one in values:
        assert "synthetic" in one["source"]
        assert "giả định" in one["source"]


@pytest.mark.parametrize(
    ("under", "year", "count"), [("25", "2024", 207), ("25", "2025", 148), ("86", "2025", 124)]
)
def test_all_communes_of_both_provinces_have_values_and_verdicts(
    env: Env, values: list[Item], under: str, year: str, count: int
) -> None:
    """All communes of Phú Thọ, before and after the merger, and of Vĩnh Long."""
    communes = keys(env, "commune", under, f"{year}-12-31")
    assert len(communes) == count
    assert communes <= {one["key"] for one in values if one["period"] == year}
    assert communes <= {unit for unit, _, period, _ in verdicts_of(env) if period == year}


def test_the_hamlets_of_a_few_communes_have_values_and_verdicts(
    env: Env, values: list[Item]
) -> None:
    """Hamlets stand in the register, below three communes, and say that they are made up."""
    rows = fetch(
        owner_of(env),
        f"SELECT u.key, v.name, v.parent_id FROM {SCHEMA}.unit u"
        f" JOIN {SCHEMA}.unit_version v ON v.unit_id = u.id WHERE u.level = 'hamlet'",
    )
    hamlets = {one["key"] for one in rows}
    assert len({one["parent_id"] for one in rows}) == HAMLETS_IN
    assert all("giả định" in one["name"] for one in rows)
    assert hamlets == {one["key"] for one in values if one["level"] == "hamlet"}
    judged = {unit for unit, ruleset, _, _ in verdicts_of(env) if ruleset == "travinh.hamlet"}
    assert judged == hamlets


def test_a_value_is_given_once_and_fits_its_level(values: list[Item]) -> None:
    """No value follows another one, and every indicator belongs to the level of its unit."""
    named = Counter((one["key"], one["indicator"], one["period"]) for one in values)
    assert set(named.values()) == {1}
    known = shipped().indicators
    assert all(one["level"] in known[one["indicator"]].levels for one in values)
    shares = [one for one in values if one["numerator"] is not None]
    assert all(0 <= one["numerator"] <= one["denominator"] for one in shares)


def test_values_lie_on_the_threshold_and_just_below_it(values: list[Item]) -> None:
    """Boundary values: exactly 85 %, and one person less than that."""
    shares = [
        (one["numerator"], one["denominator"])
        for one in values
        if one["indicator"] == RATE and one["numerator"] is not None
    ]
    goal = Fraction(85, 100)
    assert any(Fraction(*one) == goal for one in shares)
    assert any(Fraction(below, base) < goal <= Fraction(below + 1, base) for below, base in shares)


def test_boundary_values_are_judged_as_the_document_says(env: Env, values: list[Item]) -> None:
    """From 85 %: exactly that is met, one person less is not."""
    found: dict[str, str] = {}
    for one in values:
        if one["indicator"] != RATE or one["period"] != "2024" or not one["denominator"]:
            continue
        share = Fraction(one["numerator"], one["denominator"])
        one_more = Fraction(one["numerator"] + 1, one["denominator"])
        if share == Fraction(85, 100):
            found[one["key"]] = "met"
        elif share < Fraction(85, 100) <= one_more:
            found[one["key"]] = "not_met"
    assert set(found.values()) == {"met", "not_met"}
    rows = fetch(
        owner_of(env),
        f"SELECT u.key, e.leaves ->> 'phutho.1.1.1' AS outcome FROM {SCHEMA}.evaluation e"
        f" JOIN {SCHEMA}.unit u ON u.id = e.unit_id"
        f" WHERE e.ruleset = 'phutho.commune' AND e.period = '2024'",
    )
    judged = {one["key"]: one["outcome"] for one in rows}
    assert {unit: judged[unit] for unit in found} == found


def test_there_are_bare_percentages_gaps_and_every_kind_of_fact(
    env: Env, values: list[Item]
) -> None:
    """A share without counts, a commune that did not report, all kinds of values."""
    assert any(one["percent"] for one in values)
    for kind in ("truth", "counted", "numerator", "codes"):
        assert any(one[kind] is not None for one in values), kind
    reported = {one["key"] for one in values if (one["indicator"], one["period"]) == (RATE, "2024")}
    silent = sorted(keys(env, "commune", "25", "2024-12-31") - reported)
    assert silent
    (page,) = ask(env, f"{PATH}?ruleset=phutho.commune&unit={silent[0]}&period=2024")
    (verdict,) = page["items"]
    (whole,) = ask(env, f"{PATH}/{verdict['id']}")
    assert by_id(whole)["phutho.1.1.1"]["reasons"] == ["missing_value"]


def test_there_are_contradictions(env: Env, values: list[Item]) -> None:
    """A website that is not there and is kept up to date; a nation that claims too much."""
    said = {(one["key"], one["period"], one["indicator"]): one["truth"] for one in values}
    assert any(
        said.get((unit, period, WEBSITE)) is False and said.get((unit, period, CURRENT)) is True
        for unit, period, _ in said
    )
    (page,) = ask(env, f"{PATH}?ruleset={NATION}&period=2025")
    (verdict,) = page["items"]
    (whole,) = ask(env, f"{PATH}/{verdict['id']}")
    observed = by_id(whole)[STATED]["observed"]
    assert observed["conflict"] is True
    assert observed["members"]["known"] > observed["members"]["true"]


def test_verdicts_come_out_in_every_way(env: Env, told: Told) -> None:
    """Something is met, something is not, something is not known; every verdict is replayable."""
    assert {outcome for _, _, _, outcome in verdicts_of(env)} >= {"met", "not_met", "undetermined"}
    counted = Counter((ruleset, period) for _, ruleset, period, _ in verdicts_of(env))
    assert counted == {one: len(found) for one, found in told.verdicts.items()}
    assert counted[("phutho.commune", "2024")] == 207
    assert counted[("phutho.commune", "2025")] == 66  # the others never were of old Phú Thọ


# --- once, everywhere the same, and whole --------------------------------------------------------


def test_a_second_run_adds_nothing(env: Env, told: Told) -> None:
    """Where the demonstration is on record, nothing is added."""
    before = contents(owner_of(env))
    assert demonstrate(env) is None
    assert contents(owner_of(env)) == before


def test_it_is_the_same_everywhere_and_taken_up_where_it_was_interrupted(
    make: Make, env: Env, told: Told, values: list[Item]
) -> None:
    """Interrupted while recording, then between values and verdicts: the same in the end.

    What it says of itself then is what is on record, not what this start has added.
    """
    other = make("other")
    with pytest.raises(Interrupted):
        demonstrate(other, "recording")
    assert values_of(other) == []
    with pytest.raises(Interrupted):
        demonstrate(other, "evaluating")
    assert values_of(other) == values
    assert verdicts_of(other) == []
    again = demonstrate(other)
    assert again is not None
    assert values_of(other) == values
    assert verdicts_of(other) == verdicts_of(env)
    assert demonstrate(other) is None
    assert (again.values, again.units) == (told.values, told.units)


ROWS_READ = f"""
SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) AS rows
  FROM pg_stat_user_tables WHERE schemaname = '{SCHEMA}' AND relname IN ('value', 'current_value')
"""


def test_tables_that_look_empty_are_read_no_oftener_than_full_ones(make: Make, told: Told) -> None:
    """Analysed while a load is under way, tables look empty; whoever reads them is not misled.

    Statements that took them for empty would go through all of them for every row.
    """
    env = make("analysed")
    with ThreadPoolExecutor(1) as aside:  # the loop of this thread is busy recording
        analyse = partial(execute, owner_of(env), "ANALYZE")
        again = demonstrate(env, recorded=lambda: aside.submit(analyse).result())
    assert again is not None
    assert again.verdicts.keys() == told.verdicts.keys()
    (read,) = fetch(owner_of(env), ROWS_READ)
    assert told.values < read["rows"] < 50 * told.values
    settings = settings_of(env, Path(env["NTM_DATA_DIR"]))
    assert len(in_database(settings, followed)) == told.values
    (since,) = fetch(owner_of(env), ROWS_READ)
    assert since["rows"] - read["rows"] < 20 * told.values


async def followed(database: Database) -> set[str]:
    """Return the number of every value that the feed tells of, page by page."""
    await recordings.number(database)
    wanted = listing.Wanted(EVERYTHING_SEEN)
    ids: set[str] = set()
    after = (0, 0)
    while True:
        async with database.reading() as connection:
            page = await listing.changes(connection, wanted, LONG_AGO, 500, after)
        if not page:
            return ids
        ids |= {place[1] for place, _ in page}
        after = int(page[-1][0][0]), int(page[-1][0][1])


def test_a_database_with_values_of_others_gets_nothing(
    make: Make, ntm: Ntm, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing synthetic is mixed with what somebody recorded; nor after it was retracted."""
    env = make("others")
    file = Path(env["NTM_DATA_DIR"]) / "values.csv"
    file.write_text(table(row(HERE, COUNT, "1")), "utf-8")
    assert ntm("values", "import", file, env=env).code == 0
    before = contents(owner_of(env))
    assert demonstrate(env) is None
    assert contents(owner_of(env)) == before
    execute(owner_of(env), f"UPDATE {SCHEMA}.current_value SET status = 'retracted'")
    before = contents(owner_of(env))
    assert demonstrate(env) is None
    assert contents(owner_of(env)) == before
    show(None, shipped())
    assert "không ghi thêm" in capsys.readouterr().out


# --- what is printed -----------------------------------------------------------------------------


@pytest.fixture
def printed(told: Told, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The summary on a wide screen."""
    monkeypatch.setenv("COLUMNS", "300")
    show(told, shipped())
    return capsys.readouterr().out


def cells(text: str) -> list[list[str]]:
    """Return the cells of every table row."""
    rows = [line.strip() for line in text.splitlines() if line.strip().startswith("│")]
    return [[cell.strip() for cell in one.strip("│").split("│")] for one in rows]


def test_the_overview_names_the_counts_that_are_on_record(env: Env, printed: str) -> None:
    """Outcomes by ruleset and period; where there is no rule of the whole, the computed summary."""
    rows = fetch(
        owner_of(env),
        "SELECT ruleset, period, coalesce(v ->> 'all_items', v ->> 'outcome') AS outcome,"
        " count(*) FROM (SELECT ruleset, period, convert_from(verdict, 'UTF8')::jsonb AS v"
        f" FROM {SCHEMA}.evaluation) e GROUP BY 1, 2, 3",
    )
    found: dict[tuple[str, str], Counter[str]] = {}
    for one in rows:
        found.setdefault((one["ruleset"], one["period"]), Counter())[one["outcome"]] = one["count"]
    shown: Mapping[tuple[str, ...], list[str]] = {
        (one[0], one[1]): one[2:6] for one in cells(printed) if re.fullmatch("20[0-9]{2}", one[1])
    }
    words = ("met", "not_met", "undetermined")
    assert shown == {
        named: [str(sum(counts.values())), *(str(counts[word]) for word in words)]
        for named, counts in found.items()
    }


def test_the_hardest_criteria_are_those_that_the_most_do_not_meet(env: Env, printed: str) -> None:
    """The criteria that fail most, with how many of how many, in their order."""
    rows = fetch(
        owner_of(env),
        f"SELECT l.key, count(*) FROM {SCHEMA}.evaluation e, jsonb_each_text(e.leaves) l"
        " WHERE e.ruleset = 'phutho.commune' AND e.period = '2024' AND l.value = 'not_met'"
        " GROUP BY 1 ORDER BY 2 DESC, 1",
    )
    wanted = [(one["key"], f"{one['count']}/207") for one in rows]
    shown = [(one[0], one[2]) for one in cells(printed) if one[2].endswith("/207")]
    assert 3 <= len(shown) <= len(wanted)
    assert shown == wanted[: len(shown)]


def test_the_summary_says_how_much_is_on_record_and_that_nothing_is_real(
    env: Env, printed: str, told: Told, values: list[Item]
) -> None:
    """The last line counts values, units and verdicts."""
    last = printed.strip().splitlines()[-1]
    units, verdicts = {one["key"] for one in values}, verdicts_of(env)
    assert re.findall("[0-9]+", last) == [str(len(values)), str(len(units)), str(len(verdicts))]
    assert "giả định" in last


def test_one_verdict_is_shown_in_full(env: Env, printed: str) -> None:
    """Every criterion of one commune: met, not met and not known side by side."""
    shown: dict[str, Any] = {
        one[0]: one for one in cells(printed) if re.fullmatch(r"phutho\.1\.[0-9.a-cu]+", one[0])
    }
    (listed,) = ask(env, "/v1/rulesets/phutho.commune")
    assert {one["id"] for one in by_id(listed).values()} <= set(shown)
    first = printed.strip().splitlines()[0]
    found = re.search(r"\(([0-9]{5})\)", first)
    assert found
    (page,) = ask(env, f"{PATH}?ruleset=phutho.commune&unit=commune-{found[1]}&period=2024")
    assert [one["outcome"] for one in page["items"]] == ["not_met"]
