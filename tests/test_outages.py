"""Faults of the database while clients call: an answer for everyone, and a way back by itself.

Rounds of every drill: environment variable NTM_DRILLS (1 when it is not set; 30 by hand).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import LEAK, calling, clone, run_here, shipped
from embedded_drills import living
from running import (
    DRILLS,
    FORM,
    JSON,
    Answer,
    Known,
    Server,
    Serving,
    bundled,
    connected_as,
    eventually,
    execute,
    fetch,
    free_port,
    in_database,
    owner_of,
    server,
    serving,
    settings_of,
)

from app.database import Database
from app.embedded import Embedded
from app.main import create_app

# --- callers -------------------------------------------------------------------------------------


class Callers:
    """Clients that keep calling a service, each over and over, and remember what came back."""

    def __init__(self, service: Serving, known: Known) -> None:
        self._service, self._known = service, known
        self._bearer = service.bearer(known)
        self._stopping = threading.Event()
        self.answers: list[Answer] = []
        self.broken: list[str] = []
        self.made: list[str] = []
        self._threads = [
            threading.Thread(target=self._keep_on, args=(work,), daemon=True)
            for work in (self._read, self._read, self._token, self._live, self._ready, self._write)
        ]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def wait_until_served(self, times: int = 5) -> None:
        """Wait until readers and writers have got what they asked for again, so many times."""
        start = len(self.answers)

        def served() -> bool:
            since = self.answers[start:]
            return all(
                sum(one.status in (200, 201) for one in since if one.target == target) >= times
                for target in ("/v1/units/25", "/v1/oauth/token", "/readyz", "/v1/clients")
            )

        eventually(served, lambda: f"not served again: {self.told(start)}")

    def told(self, start: int = 0) -> dict[tuple[str, int], int]:
        """Return how often which answer came."""
        found: dict[tuple[str, int], int] = {}
        for one in self.answers[start:]:
            found[one.target, one.status] = found.get((one.target, one.status), 0) + 1
        return found

    def judge(self) -> None:
        """Fail unless every call got an answer, and every answer was one that is promised."""
        assert not self.broken, self.broken[:3]
        assert not [one for one in self.answers if one.status == 500], (
            self.told(),
            _traceback(self._service.said()),
        )
        for one in self.answers:
            if one.target == "/livez":
                assert one.status == 200, one
            elif one.target == "/v1/oauth/token":
                assert one.status in (200, 503), one
                if one.status == 503:
                    assert set(one.json()) == {"error", "error_description"}
                    assert one.json()["error"] == "temporarily_unavailable"
            else:
                assert one.status in (200, 201, 503), one
                if one.status == 503:
                    unavailable(one)
            if one.status == 503:
                assert one.headers["retry-after"].isdigit(), one
                assert LEAK.search(one.body.decode("utf-8")) is None, one

    def _keep_on(self, work: Any) -> None:
        while not self._stopping.is_set():
            try:
                self.answers.append(work())
            except Exception as error:
                self.broken.append(f"{work.__name__}: {error!r}")
            time.sleep(0.01)

    def _read(self) -> Answer:
        return self._service.ask("GET", "/v1/units/25", headers=self._bearer)

    def _token(self) -> Answer:
        return self._service.ask_for_token(self._known)

    def _live(self) -> Answer:
        return self._service.ask("GET", "/livez")

    def _ready(self) -> Answer:
        return self._service.ask("GET", "/readyz")

    def _write(self) -> Answer:
        body = {"name": "Máy khách", "territory": "25", "scopes": ["read"]}
        found = self._service.ask(
            "POST", "/v1/clients", json.dumps(body).encode(), JSON | self._bearer
        )
        if found.status == 201:
            self.made.append(found.json()["client_id"])
        return found


def _traceback(said: str) -> str:
    """Return the last of the first traceback that a service has logged."""
    _, found, rest = said.partition("Traceback (most recent call last)")
    trace = rest.split("INFO:", 1)[0]
    return found and trace[-2_500:]


def unavailable(answer: Answer, *codes: str) -> None:
    """Fail unless this is the problem document of a service whose database does not answer."""
    assert answer.status == 503, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"].isdigit()
    found = answer.json()
    assert set(found) == {"type", "title", "status", "detail", "code", "instance", "errors"}
    allowed = codes or ("database-unavailable", "query-timeout", "overloaded")
    assert found["code"] in allowed, answer
    assert LEAK.search(answer.body.decode("utf-8")) is None, answer


def clients_of(env: dict[str, str]) -> set[str]:
    """Return the ids of all clients, as the command lists them."""
    ran = run_here("clients", "list", "--json", env=env)
    assert ran.code == 0, ran.err
    return {one["client_id"] for one in json.loads(ran.out)}


def new_client(env: dict[str, str], *scopes: str) -> Known:
    """Make a client of the nation by the command."""
    granted = [word for one in scopes for word in ("--scope", one)]
    ran = run_here("clients", "add", "Thử", "--territory", "VN", *granted, "--json", env=env)
    assert ran.code == 0, ran.err
    made = json.loads(ran.out)
    return Known(made["client_id"], made["client_secret"])


# --- the embedded server -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A data folder of its own, prepared, with a client; between two tests nobody uses it."""
    base = tmp_path_factory.mktemp("outages")
    sockets = Path(tempfile.mkdtemp(prefix="out-", dir="/tmp"))
    sockets.chmod(0o755)
    env = {"NTM_DATA_DIR": str(base / "data"), "TMPDIR": str(sockets)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(sockets))
        patch.setattr(tempfile, "tempdir", str(sockets))
        assert run_here("db", "upgrade", env=env).code == 0
    yield env
    eventually(lambda: not living(base / "data"), lambda: f"left: {living(base / 'data')}")
    shutil.rmtree(sockets, ignore_errors=True)


@pytest.fixture
def folder(site: dict[str, str]) -> Iterator[Path]:
    """The data folder; after the test nothing that belongs to it lives."""
    found = Path(site["NTM_DATA_DIR"])
    yield found
    deserted(found)


def deserted(folder: Path) -> None:
    """Fail unless at last no process of a data folder is left; end what is left."""
    try:
        eventually(lambda: not living(folder), lambda: f"still alive: {living(folder)}")
    finally:
        for pid in living(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def postmaster(folder: Path) -> int:
    """Return the process id of the server's first process."""
    return int((folder / "postgres" / "postmaster.pid").read_text("utf-8").split("\n", 1)[0])


def supervisor(folder: Path) -> int:
    """Return the supervisor's process id."""
    (found,) = [pid for pid, kind in living(folder).items() if kind == "supervisor"]
    return found


@pytest.mark.parametrize("victim", ["postmaster", "supervisor", "every process"])
def test_clients_get_200_or_503_while_the_database_is_killed_and_then_200_again(
    victim: str, site: dict[str, str], folder: Path
) -> None:
    with serving(folder.parent, site) as service:
        known = new_client(site, "read", "clients:admin")
        with Callers(service, known) as callers:
            for _ in range(DRILLS):
                callers.wait_until_served()
                victims = {
                    "postmaster": lambda: [postmaster(folder)],
                    "supervisor": lambda: [supervisor(folder)],
                    "every process": lambda: list(living(folder)),
                }[victim]()
                for pid in victims:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                gone = set(victims)
                eventually(lambda: not gone & set(living(folder)), lambda: "not dead")  # noqa: B023 - asked at once
                callers.wait_until_served()
        callers.judge()
        assert set(callers.made) <= clients_of(site)
        assert "Traceback" not in service.said(), service.said()[-3_000:]
        service.leave()


def test_a_service_that_is_killed_leaves_no_database_and_nothing_acknowledged_is_lost(
    site: dict[str, str], folder: Path
) -> None:
    made: set[str] = set()
    for _ in range(DRILLS):
        with serving(folder.parent, site) as service:
            known = new_client(site, "read", "clients:admin")
            with Callers(service, known) as callers:
                callers.wait_until_served(2)
                service.process.kill()
                service.process.wait()
            made |= {known.client_id, *callers.made}
        deserted(folder)
        assert not (folder / "server.json").exists()
    with serving(folder.parent, site) as service:
        assert made <= clients_of(site)
        service.bearer(known)
        service.leave()


def test_two_services_share_a_database_and_either_may_leave_first(
    site: dict[str, str], folder: Path
) -> None:
    known = new_client(site, "read", "clients:admin")
    body = json.dumps({"name": "Chung", "territory": "25", "scopes": ["read"]}).encode()
    for leaves in range(2):
        with serving(folder.parent, site) as one, serving(folder.parent, site) as other:
            assert sum(kind == "supervisor" for kind in living(folder).values()) == 1
            made = one.ask("POST", "/v1/clients", body, JSON | one.bearer(known))
            assert made.status == 201, made
            path = f"/v1/clients/{made.json()['client_id']}"
            assert other.ask("GET", path, headers=other.bearer(known)).status == 200
            before = postmaster(folder)
            goes, stays = (one, other) if leaves == 0 else (other, one)
            goes.leave()
            assert stays.ask("GET", path, headers=stays.bearer(known)).status == 200
            assert postmaster(folder) == before
            assert "Traceback" not in one.said() + other.said()
            stays.leave()
        deserted(folder)


def test_a_client_revoked_by_the_command_is_nobody_at_the_next_request(
    site: dict[str, str], folder: Path
) -> None:
    with serving(folder.parent, site) as service:
        for _ in range(DRILLS):
            known = new_client(site, "read")
            bearer = service.bearer(known)
            assert service.ask("GET", "/v1/units/25", headers=bearer).status == 200
            assert run_here("clients", "revoke", known.client_id, env=site).code == 0
            found = service.ask("GET", "/v1/units/25", headers=bearer)
            assert (found.status, found.json()["code"]) == (401, "invalid-token")
            refused = service.ask_for_token(known)
            assert (refused.status, refused.json()["error"]) == (401, "invalid_client")
        service.leave()


def test_a_key_rotated_by_the_command_signs_at_once_and_older_tokens_stay_good(
    site: dict[str, str], folder: Path
) -> None:
    with serving(folder.parent, site) as service:
        known = new_client(site, "read")
        bearers = [service.bearer(known)]
        for _ in range(DRILLS):
            before = service.ask("GET", "/.well-known/jwks.json").json()["keys"]
            assert run_here("keys", "rotate", env=site).code == 0
            after = service.ask("GET", "/.well-known/jwks.json").json()["keys"]
            assert after[1:] == before
            assert after[0] not in before
            assert all("d" not in key for key in after)
            bearers.append(service.bearer(known))
            for bearer in bearers:
                assert service.ask("GET", "/v1/units/25", headers=bearer).status == 200
        service.leave()


def test_the_database_stays_when_a_command_beside_the_service_ends(
    site: dict[str, str], folder: Path
) -> None:
    with serving(folder.parent, site) as service:
        known = new_client(site, "read")
        before = postmaster(folder)
        for _ in range(DRILLS):
            assert run_here("db", "check", env=site).code == 0
        assert service.ask("GET", "/v1/units/25", headers=service.bearer(known)).status == 200
        assert postmaster(folder) == before
        ran = run_here("--lang", "en", "db", "restore", "/etc/hostname", env=site)
        assert ran.code == 1
        service.leave()


def test_nothing_is_restored_under_a_running_service(
    site: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file.dump"
    with serving(folder.parent, site) as service:
        assert run_here("db", "backup", file, env=site).code == 0
        known = new_client(site, "read")
        ran = run_here("--lang", "en", "db", "restore", file, env=site)
        assert ran.code == 1
        assert "stop `ntm serve`" in ran.err
        service.bearer(known)
        service.leave()
    deserted(folder)
    assert run_here("db", "restore", file, env=site).code == 0
    assert known.client_id not in clients_of(site)


# --- a database by its address -------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Server]:
    """A PostgreSQL of one's own with a database that belongs to its superuser."""
    with server(bundled()) as found:
        execute(found.url(), "CREATE ROLE ntm_service LOGIN", "CREATE DATABASE there")
        env = address(found, Path("/proc/nowhere"))
        assert run_here("db", "upgrade", env=env).code == 0
        yield found


def address(found: Server, data: Path, **more: str) -> dict[str, str]:
    """Return the settings by which the service uses it."""
    return {
        "NTM_DATABASE_URL": found.url("ntm_service", "there"),
        "NTM_DATABASE_OWNER_URL": found.url("postgres", "there"),
        "NTM_DATA_DIR": str(data),
        **more,
    }


def test_a_database_that_is_stopped_is_unavailable_until_it_is_back(
    elsewhere: Server, tmp_path: Path
) -> None:
    env = address(elsewhere, tmp_path / "data")
    with serving(tmp_path, env) as service:
        known = new_client(env, "read", "clients:admin")
        bearer = service.bearer(known)
        for _ in range(DRILLS):
            with Callers(service, known) as callers:
                callers.wait_until_served(2)
                elsewhere.stop()
                try:
                    for _ in range(12):  # more often than it keeps connections
                        for target in ("/readyz", "/v1/units/25"):
                            unavailable(
                                service.ask("GET", target, headers=bearer), "database-unavailable"
                            )
                    assert service.ask("GET", "/livez").status == 200
                    refused = service.ask_for_token(known)
                    assert refused.status == 503
                    assert refused.headers["retry-after"].isdigit()
                    form = service.ask("POST", "/v1/oauth/token", b"grant_type=x", FORM)
                    assert form.status in (400, 401)
                finally:
                    elsewhere.start()
                callers.wait_until_served(12)
            callers.judge()
            assert set(callers.made) <= clients_of(env)
        assert "Traceback" not in service.said(), service.said()[-3_000:]


def test_connections_that_are_cut_one_by_one_are_replaced(
    elsewhere: Server, tmp_path: Path
) -> None:
    env = address(elsewhere, tmp_path / "data")
    with serving(tmp_path, env) as service:
        known = new_client(env, "read", "clients:admin")
        with Callers(service, known) as callers:
            for _ in range(5 * DRILLS):
                callers.wait_until_served(1)
                fetch(
                    elsewhere.url(),
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE usename = 'ntm_service'",
                )
            callers.wait_until_served()
        callers.judge()
        assert set(callers.made) <= clients_of(env)
        assert "Traceback" not in service.said(), service.said()[-3_000:]


def test_a_frozen_connection_is_given_up_in_time_and_replaced(
    elsewhere: Server, tmp_path: Path
) -> None:
    env = address(elsewhere, tmp_path / "data", NTM_DATABASE_POOL="1")
    with serving(tmp_path, env) as service:
        known = new_client(env, "read")
        bearer = service.bearer(known)
        assert service.ask("GET", "/v1/units/25", headers=bearer).status == 200
        frozen = [
            row[0]
            for row in fetch(
                elsewhere.url(),
                "SELECT pid FROM pg_stat_activity WHERE usename = 'ntm_service' "
                "AND application_name = 'ntm'",
            )
        ]
        assert frozen
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            found: list[Answer] = []
            threads = [
                threading.Thread(
                    target=lambda: found.append(service.ask("GET", "/v1/units/25", headers=bearer))
                )
                for _ in range(2)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(found) == 2  # each had an answer, however the connection was frozen
            codes = sorted(one.json()["code"] for one in found)
            for one in found:
                unavailable(one)
            assert "overloaded" in codes
            assert service.ask("GET", "/livez").status == 200
            for _ in range(2):
                later = service.ask("GET", "/v1/units/25", headers=bearer)
                if later.status != 200:
                    unavailable(later)
        finally:
            for pid in frozen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        eventually(
            lambda: service.ask("GET", "/v1/units/25", headers=bearer).status == 200,
            lambda: "it does not recover",
        )
        assert "Traceback" not in service.said(), service.said()[-3_000:]


# --- within this process -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def busy(
    cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A database for tests that keep it busy."""
    folder = tmp_path_factory.mktemp("busy")
    return clone(cluster, f"busy_{worker_id}") | {"NTM_DATA_DIR": str(folder)}


def test_a_service_whose_connections_are_all_in_use_says_that_it_is_overloaded(
    busy: dict[str, str], tmp_path: Path
) -> None:
    known = new_client(busy, "read", "clients:admin")
    settings = settings_of(busy, tmp_path, database_pool=1)

    async def ask(database: Database) -> None:
        app = create_app(settings, shipped(), database)
        token = app.state.tokens.issue(known.client_id, ["read", "clients:admin"])
        async with calling(app, token=token) as http:
            async with database.reading():
                found = await http.get("/v1/units/25")
                unavailable(_answer(found), "overloaded")
                form = {
                    "grant_type": "client_credentials",
                    "client_id": known.client_id,
                    "client_secret": known.secret,
                }
                http.headers.pop("authorization")
                refused = await http.post("/v1/oauth/token", data=form)
                assert refused.status_code == 503
                assert refused.json()["error"] == "temporarily_unavailable"
                assert (await http.get("/livez")).status_code == 200
                unavailable(_answer(await http.get("/readyz")), "overloaded")
            http.headers["authorization"] = f"Bearer {token}"
            assert (await http.get("/v1/units/25")).status_code == 200
            async with database.transaction() as session:
                await session.connection()
                unavailable(_answer(await http.get("/v1/clients")), "overloaded")
            assert (await http.get("/v1/clients")).status_code == 200

    in_database(settings, ask)


def test_a_locked_table_is_a_query_that_takes_too_long(
    busy: dict[str, str], tmp_path: Path
) -> None:
    known = new_client(busy, "read")
    settings = settings_of(busy, tmp_path)

    async def ask(database: Database) -> None:
        app = create_app(settings, shipped(), database)
        token = app.state.tokens.issue(known.client_id, ["read"])
        async with calling(app, token=token) as http:
            async with database.as_owner() as owner:
                await owner.exec_driver_sql("LOCK TABLE ntm.unit_version")
                unavailable(_answer(await http.get("/v1/units/25")), "query-timeout")
                assert (await http.get("/livez")).status_code == 200
            assert (await http.get("/v1/units/25")).status_code == 200

    in_database(settings, ask)


def test_a_full_server_is_unavailable_not_broken(tmp_path: Path) -> None:
    with server(bundled(), "max_connections=10", "reserved_connections=0") as full:
        execute(full.url(), "CREATE ROLE ntm_service LOGIN", "CREATE DATABASE there")
        env = address(full, tmp_path)
        known = new_client(env, "read")
        settings = settings_of(env, tmp_path)

        async def ask(database: Database) -> None:
            app = create_app(settings, shipped(), database)
            token = app.state.tokens.issue(known.client_id, ["read"])
            async with calling(app, token=token) as http:
                unavailable(_answer(await http.get("/v1/units/25")), "database-unavailable")

        with contextlib.ExitStack() as stack:
            for number in range(7):
                url = full.url("ntm_service", "there")
                stack.enter_context(connected_as(url, f"other {number}"))
            in_database(settings, ask)


def _answer(found: Any) -> Answer:
    headers = {name.lower(): value for name, value in found.headers.items()}
    return Answer(found.request.url.path, found.status_code, headers, found.content)


def test_a_port_that_is_free_stays_free_when_the_database_cannot_be_used(tmp_path: Path) -> None:
    port = free_port()
    env = {"NTM_DATABASE_URL": "postgresql://ntm@/ntm?host=/nowhere", "NTM_DATA_DIR": str(tmp_path)}
    ran = run_here("--lang", "en", "serve", "--port", port, env=env)
    assert ran.code == 1
    assert "cannot be reached" in ran.err
    assert "Traceback" not in ran.said
    assert owner_of(env) == env["NTM_DATABASE_URL"]
