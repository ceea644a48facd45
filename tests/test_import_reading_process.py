"""The process that reads files: what it may use, how it ends, and that nothing is lost by it."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import pytest
from nasty import FILES
from nasty.shapes import COUNT, LONG, TRUTH, lines, long, text
from reading_calls import ordered, read_apart, read_here

from app.database import Database
from app.domain.hindrances import Hindered, of_files
from app.domain.imports import ahead
from app.domain.reading import limited, limits
from app.domain.reading.channel import Channel
from app.domain.reading.frames import Alive, End, Fault, Places, Resolved, Table, Told
from app.domain.reading.limited import ReadingFailed, reading
from app.rules.registry import Registry

_SPARSE = Path(__file__).with_name("fixtures") / "imports" / "sparse.xls"
_GOOD = long(f"07894,2024,{TRUTH},có,,,BC", f"07897,2024,{TRUTH},x,,,BC")


@pytest.fixture
def good(tmp_path: Path) -> Iterator[IO[bytes]]:
    """An open file of good values."""
    path = tmp_path / "file"
    path.write_bytes(_GOOD())
    with path.open("rb") as file:
        yield file


async def test_a_file_is_read_by_a_process_of_its_own(registry: Registry, tmp_path: Path) -> None:
    """What the process tells is what the reading of this process tells."""
    content = gzip.compress(_GOOD())
    apart = await read_apart(content, registry, tmp_path)
    here = read_here(content, registry, tmp_path)
    assert apart.values == here.values
    assert apart.tables == here.tables
    assert apart.created == 2


@pytest.mark.parametrize(
    "name", ["a zip bomb", "an entity from outside", "two cells a world apart", "an old workbook"]
)
async def test_workbooks_are_read_within_the_limits(
    name: str, registry: Registry, tmp_path: Path
) -> None:
    """The limits leave room for honest workbooks, and a bomb is a fault like any other."""
    nasty = next(one for one in FILES if one.name == name)
    report = await read_apart(nasty.content(), registry, tmp_path, **nasty.options)
    assert [one.code for one in report.faults] == list(nasty.faults)
    assert report.created == nasty.created


async def test_a_sparse_old_workbook_ends_the_process_alone(
    registry: Registry, tmp_path: Path
) -> None:
    """Two cells at the ends of an .xls make its reader ask for more memory than it may have."""
    report = await read_apart(_SPARSE.read_bytes(), registry, tmp_path)
    assert [one.code for one in report.faults] == ["unsafe-file"]


def test_the_process_loads_no_database_and_no_web() -> None:
    """It is small and starts fast, for what it does not load cannot be used against anybody."""
    code = "import sys, app.domain.reading.__main__, app.domain.reading.xls; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True)
    loaded = {name.split(".")[0] for name in said.stdout.decode().split()}
    assert "app" in loaded
    assert not loaded & {"sqlalchemy", "asyncpg", "fastapi", "pydantic", "socket", "ssl", "asyncio"}


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        ("bytearray(2**30)", "MemoryError"),
        ("open('/dev/shm/' + str(os.getpid()), 'w').write('x' * 9999)", "OSError"),
        ("[open('/dev/null') for _ in range(99)]", "OSError"),
        ("resource.setrlimit(resource.RLIMIT_CPU, (999, 999))", "ValueError"),
    ],
)
def test_the_process_has_its_limits(attempt: str, expected: str) -> None:
    """Memory, files and time are limited for good, by the process itself before it reads."""
    code = (
        "import os, resource, signal; from app.domain.reading.limits import confine\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        f"confine()\ntry:\n    {attempt}\nexcept Exception as error:\n    "
        "os.write(1, type(error).__name__.encode())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert said.stdout.decode() == expected


async def _ended_by(
    ending: signal.Signals, good: IO[bytes], registry: Registry, *, blames: bool = False
) -> list[Told]:
    """Return what is told of a file whose reading process is sent a signal half way."""
    told = []
    async with reading(good, ordered(registry), blames=blames) as read:
        async for frame in read.frames():
            told.append(frame)
            if isinstance(frame, Places):
                os.kill(read._process.pid, ending)
                await read.answer(Resolved([None, None]))
    return told


@pytest.mark.parametrize(
    ("ending", "blames"),
    [
        (signal.SIGXCPU, False),
        (signal.SIGSEGV, False),
        (signal.SIGABRT, False),
        (signal.SIGKILL, True),
    ],
)
async def test_what_a_file_does_to_its_process_condemns_it(
    good: IO[bytes], registry: Registry, ending: signal.Signals, blames: bool
) -> None:
    """Time used up and a broken process are the file's doing; a kill is when it happens again."""
    *_, fault, end = told = await _ended_by(ending, good, registry, blames=blames)
    assert [type(one) for one in told] == [Table, Places, Fault, End]
    assert isinstance(fault, Fault)
    assert fault.code == "unsafe-file"
    assert isinstance(end, End)


async def test_a_kill_and_a_silence_condemn_no_file_at_first(
    good: IO[bytes], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine out of memory kills, an overloaded one is late: the file is read once more then."""
    monkeypatch.setattr(limited, "SILENCE", 1.0)
    for ending in (signal.SIGKILL, signal.SIGSTOP):
        with pytest.raises(Hindered) as hindered:
            await _ended_by(ending, good, registry)
        assert hindered.value.code == "reading-unavailable"
        assert not hindered.value.passes


async def test_a_process_that_cannot_be_started_is_no_fault_of_the_database(
    good: IO[bytes], registry: Registry, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a transaction too, what the machine lacks is told as what it is."""
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(Hindered) as hindered:
        async with database.reading(), reading(good, ordered(registry)):
            pass
    assert hindered.value.code == "reading-unavailable"
    with pytest.raises(Hindered) as full, of_files():
        raise OSError(errno.ENOSPC, "no room")
    assert full.value.code == "storage-full"


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_service_that_is_told_to_stop_condemns_no_file(
    good: IO[bytes], registry: Registry, told: signal.Signals
) -> None:
    """Who stops a service asks all of its processes to end: the one that reads is its parent's."""
    async with reading(good, ordered(registry)) as read:
        found = []
        async for frame in read.frames():
            found.append(type(frame))
            if isinstance(frame, Places):
                os.kill(read._process.pid, told)
                await read.answer(Resolved([None, None]))
    assert Fault not in found
    assert found[-1] is End


async def test_a_process_that_says_nothing_is_ended(
    good: IO[bytes], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence, once more, is a fault of the file; the process does not outlive it."""
    monkeypatch.setattr(limited, "SILENCE", 1.0)
    told = await _ended_by(signal.SIGSTOP, good, registry, blames=True)
    assert [type(one) for one in told] == [Table, Places, Fault, End]


async def test_a_slow_answer_is_waited_for(
    good: IO[bytes], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads ahead asks for the next frame while the units are still being looked up."""
    monkeypatch.setattr(limited, "SILENCE", 1.0)
    async with reading(good, ordered(registry)) as read:
        frames = read.frames()
        assert [type(await anext(frames)) for _ in range(2)] == [Table, Places]
        coming = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(1.5)
        await read.answer(Resolved([None, None]))
        assert not isinstance(await coming, Fault | End)


async def test_a_transaction_waits_for_a_file_that_says_nothing_for_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database gives idle transactions up, and not one whose file has only bad rows."""
    monkeypatch.setattr(ahead, "_PATIENCE", 0.05)

    async def words() -> AsyncIterator[int]:
        for number in range(40):
            await asyncio.sleep(0.02)
            yield number

    async with database.writing() as connection:
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '400ms'")
        async with ahead.read_ahead(words(), connection) as coming:
            assert [one async for one in coming] == list(range(40))
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_platform_without_limits_reads_nothing(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a process cannot be limited, a file is refused and the operator is told what to do."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    report = await read_apart(_GOOD(), registry, tmp_path)
    assert [one.code for one in report.faults] == ["reading-not-possible"]
    assert report.end == End(0, 0)


async def test_a_context_that_is_left_early_ends_the_process(
    registry: Registry, tmp_path: Path
) -> None:
    """No process outlives its parent's interest, whatever it still has to say."""
    path = tmp_path / "file"
    path.write_bytes(text(lines(LONG, *[f"07894,2024,{COUNT},x,,,BC"] * 20_000))())
    with path.open("rb") as file:
        async with reading(file, ordered(registry)) as read:
            async for frame in read.frames():
                if isinstance(frame, Places):
                    break
    assert read._process.returncode == -signal.SIGKILL


async def test_a_process_that_is_wrong_itself_blames_no_file(
    good: IO[bytes], registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """Where our own code fails, the log says where, without a word of the file."""
    order = ordered(registry)
    async with reading(good, order) as read:
        frames = read.frames()
        assert [type(await anext(frames)) for _ in range(2)] == [Table, Places]
        await read.answer(Resolved([]))  # as many units as there are places are due
        with pytest.raises(ReadingFailed):
            await anext(frames)
    (record,) = [one for one in caplog.records if one.name == "ntm.reading"]
    assert "ValueError at " in record.getMessage()
    assert "07894" not in record.getMessage()


def test_bad_rows_are_told_up_to_a_limit(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is bad throughout is refused as such; memory does not grow with it."""
    monkeypatch.setattr("app.domain.reading.telling.MOST_BAD", 3)
    content = long(*(f"0789{n},2024,{TRUTH},chắc,,,BC" for n in range(9)))()
    report = read_here(content, registry, tmp_path)
    assert [one.code for one in report.faults] == ["too-many-bad-rows"]
    assert sum(map(len, report.conflicts.values())) == 3
    assert report.faults[0].row == 3, "there it stopped"
    assert report.end == End(2, report.rejected), "what was read up to there"


def test_rows_places_and_cells_are_limited(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What exceeds a limit is refused by its name before anything is told of its values."""
    for module, name, code in (
        ("conduct", "MOST_ROWS", "too-many-rows"),
        ("conduct", "MOST_CELLS", "too-many-cells"),
        ("places", "MOST_PLACES", "too-many-places"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(f"app.domain.reading.{module}.{name}", 1)
            report = read_here(_GOOD(), registry, tmp_path)
            assert [one.code for one in report.faults] == [code]
            assert not report.values


async def test_a_long_reading_gives_signs_of_life(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a large file is looked through for the first time, its parent hears of it."""
    monkeypatch.setattr("app.domain.reading.channel._OFTEN", 0.0)
    seen: list[int] = []
    taken = Channel.send

    def send(channel: Channel, frame: Told) -> None:
        if isinstance(frame, Alive):
            seen.append(frame.rows)
        taken(channel, frame)

    monkeypatch.setattr(Channel, "send", send)
    content = long(*[f"07894,2024,{COUNT},1,,,BC"] * 2_500)()
    read_here(content, registry, tmp_path)
    assert seen[:2] == [1_000, 2_000]


def test_the_limits_are_those_of_the_threats() -> None:
    """No file may cost more than half a gigabyte and two minutes of a processor."""
    assert limits.MEMORY == 512 * 2**20
    assert limits.SECONDS == 120
