"""`ntm values import`: all rows or none, said aloud; killed in the middle it leaves no half."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import LEAK, Ntm, Ran, clone, environment, script
from running import DEADLINE, DRILLS, contents, eventually, execute, fetch, owner_of
from test_http_import import BAD, BOM, HEADER, HERE, NO_TABLE, row, share, table
from value_calls import COUNT, RATE, TRUTH

from app.database import OWNER, SCHEMA
from app.embedded import Embedded

Env = dict[str, str]
Fault = tuple[int, str]
ALL = 24_000  # rows of the file in whose middle the command is killed; HTTP takes fewer


@pytest.fixture(scope="module")
def env(cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Env:
    """A database that only this file writes to."""
    folder = tmp_path_factory.mktemp("values")
    return clone(cluster, f"cli_values_{worker_id}") | {"NTM_DATA_DIR": str(folder)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "số liệu.csv"


@pytest.fixture(scope="module")
def periods() -> Iterator[str]:
    """Periods that no other test records values for."""
    return iter([f"{year}-{month:02}" for year in range(2000, 2020) for month in range(1, 13)])


@pytest.fixture
def period(periods: Iterator[str]) -> str:
    return next(periods)


def recorded(env: Env, period: str) -> dict[str, str]:
    """Return what counts now for one period: the kind of fact by indicator."""
    found = fetch(
        owner_of(env),
        f"SELECT v.indicator, coalesce(v.truth::text, v.counted::text, v.percent,"
        f" v.numerator || '/' || v.denominator, array_to_string(v.codes, '|')) AS said"
        f" FROM {SCHEMA}.current_value c JOIN {SCHEMA}.value v ON v.id = c.value_id"
        f" WHERE c.period = $1",
        period,
    )
    return {one["indicator"]: one["said"] for one in found}


def faults(ran: Ran) -> list[Fault]:
    """Return line and column of every fault that a run reports; each has a message."""
    cells = [one for one in ran.cells() if len(one) == 3 and one[0].isdigit()]
    assert all(one[2] for one in cells)
    return [(int(one[0]), one[1]) for one in cells]


def rows(period: str) -> list[str]:
    """Return three good rows."""
    return [
        row(HERE, TRUTH, "true", period=period),
        row(HERE, COUNT, "3", period=period, note="một\nhai"),
        share(HERE, 3, 4, period=period),
    ]


GOOD = {TRUTH: "true", COUNT: "3", RATE: "3/4"}


# --- what it does --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["plain", "semicolons, byte order mark, CRLF"])
def test_a_file_is_recorded_and_said_in_one_line(
    ntm: Ntm, env: Env, file: Path, period: str, form: str
) -> None:
    """The long form, with or without byte order mark, comma or semicolon; exit code 0."""
    text = table(*rows(period))
    if form != "plain":
        file.write_bytes(BOM + text.replace(",", ";").replace("\n", "\r\n").encode())
    else:
        file.write_text(text, "utf-8")
    ran = ntm("values", "import", file, env=env)
    assert ran.code == 0, ran.err
    assert recorded(env, period) == GOOD
    (line,) = ran.out.splitlines()
    assert "3 dòng" in line
    assert "3 ghi mới" in line
    assert not faults(ran)


def test_it_is_the_operator_who_recorded(ntm: Ntm, env: Env, file: Path, period: str) -> None:
    """What the command records has no client: it was the operator's act."""
    file.write_text(table(*rows(period)), "utf-8")
    assert ntm("values", "import", file, env=env).code == 0
    found = fetch(
        owner_of(env),
        f"SELECT r.author FROM {SCHEMA}.value v"
        f" JOIN {SCHEMA}.recording r ON r.id = v.recording_id WHERE v.period = $1",
        period,
    )
    assert [one["author"] for one in found] == ["ntm"] * 3


def test_the_same_file_twice_changes_nothing_and_says_unchanged(
    ntm: Ntm, env: Env, file: Path, period: str
) -> None:
    """Loading the same file twice changes nothing and says unchanged, in either language."""
    file.write_text(table(*rows(period)), "utf-8")
    assert ntm("values", "import", file, env=env).code == 0
    before = contents(owner_of(env))
    again = ntm("values", "import", file, env=env)
    english = ntm("--lang", "en", "values", "import", file, env=env)
    assert (again.code, again.err, english.code) == (0, "", 0)
    assert "không có gì thay đổi" in again.out
    assert "unchanged" in english.out
    assert contents(owner_of(env)) == before


def test_a_changed_row_follows_and_is_counted(ntm: Ntm, env: Env, file: Path, period: str) -> None:
    """What is new, what follows another value and what is unchanged are counted."""
    first, second, third = rows(period)
    file.write_text(table(first, second), "utf-8")
    assert ntm("values", "import", file, env=env).code == 0
    file.write_text(table(first, second.replace(",3,", ",4,"), third), "utf-8")
    ran = ntm("--lang", "en", "values", "import", file, env=env)
    assert ran.code == 0
    assert recorded(env, period) == GOOD | {COUNT: "4"}
    line = "3 rows: 2 recorded (1 of them follow another value), 1 unchanged, 0 bad\n"
    assert ran.out == line


def test_every_bad_row_is_reported_and_nothing_is_loaded(
    ntm: Ntm, env: Env, file: Path, period: str
) -> None:
    """Line, column and reason of every bad row on standard error; exit code 1, nothing written."""
    bad = [text for text, _ in BAD]
    file.write_text(table(*rows(period), *bad), "utf-8")
    before = contents(owner_of(env))
    ran = ntm("values", "import", file, env=env)
    assert (ran.code, ran.out) == (1, "")
    wanted = {(line, name) for line, (_, name) in enumerate(BAD, 6)}
    assert set(faults(ran)) == wanted
    assert file.name in ran.err
    assert f"{len(bad)} dòng lỗi" in ran.err
    assert "--partial" in ran.err
    assert LEAK.search(ran.err) is None
    assert "\x1b" not in ran.err
    assert contents(owner_of(env)) == before
    english = ntm("--lang", "en", "values", "import", file, env=env)
    assert english.code == 1
    assert set(faults(english)) == wanted
    assert "none was loaded" in english.err


def test_partial_loads_exactly_the_good_rows(ntm: Ntm, env: Env, file: Path, period: str) -> None:
    """With --partial the good rows are loaded and the bad ones named; exit code 0."""
    content = table(*rows(period), row(HERE, "no_such", "true", period=period))
    file.write_text(content, "utf-8")
    assert ntm("values", "import", file, env=env).code == 1
    assert recorded(env, period) == {}
    ran = ntm("values", "import", file, "--partial", env=env)
    assert ran.code == 0
    assert faults(ran) == [(6, "indicator")]
    assert recorded(env, period) == GOOD
    assert len(ran.out.splitlines()) == 1
    assert "3 ghi mới" in ran.out
    assert "1 lỗi" in ran.out
    again = ntm("values", "import", file, "--partial", env=env)
    assert again.code == 0
    assert "3 không đổi" in again.out
    assert "1 lỗi" in again.out


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    ntm: Ntm, env: Env, file: Path, period: str
) -> None:
    """--dry-run counts like the real run, and fails where that would fail."""
    file.write_text(table(*rows(period)), "utf-8")
    before = contents(owner_of(env))
    ran = ntm("values", "import", file, "--dry-run", env=env)
    assert ran.code == 0
    assert "3 ghi mới" in ran.out
    assert "không ghi gì" in ran.out
    file.write_text(table(*rows(period), row(HERE, "no_such", "true")), "utf-8")
    refused = ntm("values", "import", file, "--dry-run", env=env)
    assert (refused.code, refused.out, faults(refused)) == (1, "", [(6, "indicator")])
    partly = ntm("values", "import", file, "--dry-run", "--partial", env=env)
    assert partly.code == 0
    assert "3 ghi mới" in partly.out
    assert contents(owner_of(env)) == before


@pytest.mark.parametrize("what", NO_TABLE)
def test_a_file_that_is_no_such_table_fails(ntm: Ntm, env: Env, file: Path, what: str) -> None:
    """Where the file cannot be read, nothing is loaded and the exit code is 1, partial or not."""
    content, wanted = NO_TABLE[what]
    file.write_bytes(content)
    before = contents(owner_of(env))
    for options in ((), ("--partial",), ("--dry-run",)):
        ran = ntm("values", "import", file, *options, env=env)
        assert (ran.code, ran.out) == (1, ""), options
        assert set(faults(ran)) >= wanted, options
    assert contents(owner_of(env)) == before


def test_a_file_that_cannot_be_read_is_not_recommended_to_be_loaded_in_part(
    ntm: Ntm, env: Env, file: Path
) -> None:
    """“0 bad rows” and --partial are no help where there is no row at all."""
    for what in ("UTF-16", "a column is missing"):
        file.write_bytes(NO_TABLE[what][0])
        ran = ntm("values", "import", file, env=env)
        assert ran.code == 1
        assert "0 dòng" not in ran.err, what
        assert "--partial" not in ran.err, what


def test_an_empty_file_is_told_its_columns(ntm: Ntm, env: Env, file: Path) -> None:
    """An empty file fails; a header without rows is a file with nothing to do."""
    file.write_bytes(b"")
    ran = ntm("values", "import", file, env=env)
    assert ran.code == 1
    assert {name for _, name in faults(ran)} == set(HEADER.split(","))
    file.write_text(HEADER, "utf-8")
    before = contents(owner_of(env))
    assert ntm("values", "import", file, env=env).code == 0
    assert contents(owner_of(env)) == before


def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    ntm: Ntm, env: Env, file: Path
) -> None:
    """More than 64 MiB are to be split."""
    with file.open("wb") as opened:
        opened.truncate(64 * 1024 * 1024 + 1)
    ran = ntm("values", "import", file, env=env)
    assert (ran.code, ran.out) == (1, "")
    assert str(64 * 1024 * 1024) in ran.err


@pytest.mark.parametrize(
    "arguments",
    [("nothing.csv",), (".",), (), ("a.csv", "b.csv"), ("--no-such", "a.csv"), ("--partial",)],
    ids=" ".join,
)
def test_wrong_use_ends_with_2(
    ntm: Ntm, env: Env, tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there, none or several, an unknown option: exit code 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(HEADER, "utf-8")
    ran = ntm("values", "import", *arguments, env=env)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.strip()


def test_a_file_that_is_not_there_is_named(ntm: Ntm, env: Env, file: Path) -> None:
    """The message names the file; no database is needed to say so."""
    ran = ntm("values", "import", file, env=env | {"NTM_DATABASE_URL": "postgresql:///nowhere"})
    assert ran.code == 2
    assert file.name in ran.err


# --- as a process of its own ---------------------------------------------------------------------


def test_progress_stays_off_standard_output(
    process: Ntm, env: Env, file: Path, period: str
) -> None:
    """Standard output holds the one line of the result; whatever moves is on standard error."""
    file.write_text(table(*rows(period)), "utf-8")
    ran = process("--lang", "en", "values", "import", file, env=env)
    line = "3 rows: 3 recorded (0 of them follow another value), 0 unchanged, 0 bad\n"
    assert (ran.code, ran.out) == (0, line)
    assert "Traceback" not in ran.err
    bad = process("values", "import", file.with_name("nothing.csv"), env=env)
    assert (bad.code, bad.out) == (2, "")


def _counted(url: str) -> tuple[int, int, int]:
    ((values, current, acts),) = fetch(
        url,
        f"SELECT (SELECT count(*) FROM {SCHEMA}.value), (SELECT count(*) FROM"
        f" {SCHEMA}.current_value), (SELECT count(*) FROM {SCHEMA}.recording)",
    )
    return values, current, acts


def _is_writing(url: str) -> bool:
    return bool(
        fetch(
            url,
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            " AND query LIKE '%INSERT INTO recording%'",
        )
    )


def _is_connected(url: str) -> bool:
    return bool(
        fetch(
            url,
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
        )
    )


@pytest.fixture
def alone(cluster: Embedded, worker_id: str, tmp_path: Path) -> Iterator[Env]:
    """A database without any value, dropped afterwards."""
    name = f"cli_values_{worker_id}_alone"
    yield clone(cluster, name) | {"NTM_DATA_DIR": str(tmp_path)}
    url = f"postgresql://{OWNER}@/postgres?host={cluster.socket_folder}"
    execute(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def test_killed_in_the_middle_it_leaves_all_or_nothing(ntm: Ntm, alone: Env, file: Path) -> None:
    """SIGKILL while rows are written: none or all are there; running again loads all."""
    url = owner_of(alone)
    communes = fetch(
        url,
        f"SELECT v.code FROM {SCHEMA}.unit_version v JOIN {SCHEMA}.unit u ON u.id = v.unit_id"
        " WHERE u.level = 'commune' AND v.valid_from IS NULL ORDER BY v.code LIMIT 2000",
    )
    lines = (
        f"{one['code']},,{year},{COUNT},1,,,s,,\n" for year in range(2010, 2022) for one in communes
    )
    file.write_text(f"{HEADER}\n" + "".join(lines), "utf-8")
    command = [script(), "values", "import", str(file)]
    chance = random.Random(924)
    for _ in range(DRILLS):
        started = subprocess.Popen(
            command,
            cwd=file.parent,
            env=environment(alone),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            end = time.monotonic() + DEADLINE
            while started.poll() is None and not _is_writing(url):
                assert time.monotonic() < end, "it never begins to write"
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.3))
        finally:
            started.send_signal(signal.SIGKILL)
            started.wait(DEADLINE)
        eventually(lambda: not _is_connected(url), lambda: "its session does not end")
        values, current, _ = _counted(url)
        assert values in (0, ALL)
        assert current == values
    ran = ntm("values", "import", file, env=alone)
    assert ran.code == 0, ran.err[-1000:]
    assert _counted(url)[:2] == (ALL, ALL)
