"""The laws of isolation, as a judge of answers, log lines, metrics and what is stored."""

from __future__ import annotations

import contextlib
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from hostile import OPERATIONS
from prometheus_client import generate_latest
from unchanged import fingerprint

from app import logs
from app.domain import recordings
from faults.direct import Asked, Reply
from faults.isolation_attempts import NEVER, OWN, Attempt
from faults.isolation_files import OnRecord, is_file, noun_of, rows_in, rows_on, words
from faults.isolation_spots import BY_TAG, CANARY, NATION, OPENED, reaches, sees
from faults.isolation_world import World

_SCOPES: Final = {one.name: one.scope for one in OPERATIONS}
# What a list narrowed to a unit holds: who may see a part of it is not told that it is elsewhere.
_KINDS: Final = {
    **dict.fromkeys(("values", "series", "completeness"), ("V1", "V2")),
    **dict.fromkeys(("evaluations", "outcomes"), ("E1", "E2")),
}
_NARROWED: Final = re.compile("(^|&)(unit|under|latest)=")
_NOT_YOURS: Final = frozenset({"not-your-job", "not-your-import"})
_STATISTICS: Final = frozenset({"series", "completeness", "outcomes"})
_ENOUGH: Final = 60  # kept complaints; more are counted only
# What nobody may see on a connection that works for nobody, and what it may not remember.
_NOBODY: Final = """
SELECT (SELECT count(*) FROM value) + (SELECT count(*) FROM evaluation)
     + (SELECT count(*) FROM audit_entry) + (SELECT count(*) FROM data_grant)
     + (SELECT count(*) FROM kept_answer) + (SELECT count(*) FROM job)
     + (SELECT count(*) FROM value_import) + (SELECT count(*) FROM value_import_chunk)
     + (SELECT count(*) FROM value_import_rejection) + (SELECT count(*) FROM evaluation_run)
     + (SELECT count(*) FROM evidence_submission) + (SELECT count(*) FROM evidence_event)
     + (SELECT count(*) FROM evidence_version) + (SELECT count(*) FROM evidence_part)
     + (SELECT count(*) FROM evidence_list) + (SELECT count(*) FROM evidence_list_chunk)
     + (SELECT count(*) FROM evidence_confirmation) + (SELECT count(*) FROM evidence_file)
     + (SELECT count(*) FROM evidence_finding)
       AS rows,
       concat(current_setting('ntm.client', true), current_setting('ntm.nation', true),
              current_setting('ntm.units', true), current_setting('ntm.grants', true)) AS told
"""


def allowed(caller: str, name: str, attempt: Attempt) -> bool:
    """Tell whether a caller may do what is attempted at a unit."""
    if attempt.kind in (OWN, "C", "A", ""):
        return reaches(caller, name)
    return all(sees(caller, name, kind) for kind in attempt.kind.split())


class Judge:
    """Judges answers to callers; keeps which law was broken by what."""

    def __init__(self, world: World, *, checked: bool) -> None:
        self._world, self._checked = world, checked
        self.attempts = 0
        self.broken: list[str] = []
        self.laws: Counter[str] = Counter()
        self._scoped: set[str] = set()
        self._on_record = OnRecord(world)
        self._twins: dict[tuple[str, Asked], tuple[int, str]] = {}

    def complain(self, law: str, *what: object) -> None:
        """Keep that a law was broken."""
        self.laws[law] += 1
        if len(self.broken) < _ENOUGH:
            self.broken.append(f"{law}: {' '.join(map(str, what))}"[:700])

    def is_fair(self, caller: str, name: str, attempt: Attempt) -> bool:
        """Tell whether an attempt is worth its time.

        Statistics of everything that one sees are those of the whole country with the checks off;
        for whoever sees all of it, once is enough.
        """
        if not attempt.whole or noun_of(attempt.asked.path) not in _STATISTICS:
            return True
        return self._checked and (caller != NATION or name == "A")

    def wants_scopes(self, operation: str) -> bool:
        """Tell whether an operation has still to be tried by every scope; from now on it has not.

        Scopes are asked for before units: at one of each relation is enough, with the checks.
        """
        wanted = self._checked and operation not in self._scoped
        self._scoped.add(operation)
        return wanted

    def suffices(self, operation: str, scope: str) -> bool:
        """Tell whether a scope is enough for an operation."""
        return _SCOPES[operation] == scope

    # --- one answer ------------------------------------------------------------------------------

    async def judge(
        self, operation: str, caller: str, name: str, attempt: Attempt, *scopes: str
    ) -> Reply:
        """Let a caller attempt something at a unit, and judge what comes back."""
        reply = await self._world.ask(caller, attempt.asked, *scopes)
        self.attempts += 1
        where = (operation, caller, "at", name, attempt.asked[:3], "->", reply.status)
        self.canaries(caller, attempt.asked, reply, where)
        if reply.status >= 500:
            self.complain("a failure", *where, reply.body[:300])
        elif scopes and _SCOPES[operation] not in scopes:
            if reply.status != 403:
                self.complain("a scope too few", *where)
        elif not attempt.kind:
            await self._list(caller, name, attempt, reply, where)
        elif attempt.maker and sees(caller, name, attempt.kind) and caller != attempt.maker:
            if reply.status != 403 or reply.json()["code"] not in _NOT_YOURS:
                self.complain("what another made can be changed", *where, reply.body[:300])
        elif allowed(caller, name, attempt):
            if reply.status not in attempt.right:
                self.complain("what is allowed fails", *where, reply.body[:300])
        else:
            await self._refused(caller, name, attempt, reply, where)
        return reply

    def canaries(self, caller: str, asked: Asked, reply: Reply, where: object) -> None:
        """Complain of every canary in an answer that the caller may not see."""
        said = words(reply) + str(reply.headers)
        for found in CANARY.finditer(said):
            name = BY_TAG[found[1] or found[3]]
            kind = found[2] or f"V{found[4]}"
            # A verdict tells what it rests on: whoever may read it may read that.
            verdict = asked.path.startswith("/v1/evaluations") and kind[0] == "V"
            kinds = ("E1", "E2") if verdict else ()
            if not any(sees(caller, name, one) for one in (kind, *kinds)):
                self.complain("a foreign canary", found[0], where)

    async def _refused(
        self,
        caller: str,
        name: str,
        attempt: Attempt,
        reply: Reply,
        where: tuple[object, ...],
    ) -> None:
        """Judge the answer to what is not allowed."""
        if attempt.twin is not None:
            if reply.status < 400:
                self.complain("a foreign row", *where)
            elif self._checked:
                known = await self._twin(caller, name, attempt.twin)
                if known != (told := _plain(attempt.asked, reply)):
                    self.complain("a foreign id is not like none", *where, told, known)
        elif self._checked and not _is_outside(reply):
            self.complain("a foreign unit is not refused", *where, reply.body[:300])

    async def _twin(self, caller: str, name: str, twin: Asked) -> tuple[int, str]:
        """Return what the caller is told of what never existed; asked once."""

        def left(found: re.Match[str]) -> str:
            return found[2] if sees(caller, name, found[1]) else str(NEVER)

        twin = twin._replace(path=re.sub(r"<(\w+):(\d+)>", left, twin.path))
        known = (caller, twin._replace(body=str(twin.body)))
        if known not in self._twins:
            self._twins[known] = _plain(twin, await self._world.ask(caller, twin))
        return self._twins[known]

    # --- lists -----------------------------------------------------------------------------------

    async def count(self) -> None:
        """Count as the owner everything on record; lists are compared with it from now on."""
        await self._on_record.count()

    async def _list(
        self, caller: str, name: str, attempt: Attempt, reply: Reply, where: tuple[object, ...]
    ) -> None:
        """Judge a list: the whole one is exactly what the caller may see, others are parts."""
        path, query = attempt.asked.path, attempt.asked.query
        noun = noun_of(path)
        if reply.status != 200:
            known = any(sees(caller, name, kind) for kind in _KINDS.get(noun, ("",)))
            if attempt.whole or known or reply.status != 404:
                self.complain("a list fails", *where, reply.body[:300])
            return
        if noun in _STATISTICS and not attempt.whole and self._knows_nothing(caller, name):
            self.complain("a foreign unit is not refused", *where)
        listed = await self._all(caller, attempt.asked, reply, where)
        mine = self._on_record.seen(caller, noun)
        if attempt.whole and listed != mine:
            self.complain("a list is not exact", *where, sorted(listed ^ mine)[:9])
        elif _NARROWED.search(query) and not listed <= mine:
            self.complain("a foreign row in a list", *where, listed - mine)

    def _knows_nothing(self, caller: str, name: str) -> bool:
        """Tell whether a unit is elsewhere to a caller to whom nothing was ever opened."""
        return self._checked and not reaches(caller, name) and caller not in OPENED

    async def _all(
        self, caller: str, asked: Asked, reply: Reply, where: tuple[object, ...]
    ) -> set[Any]:
        """Return the ids in a file, or on all pages of a list."""
        noun = noun_of(asked.path)
        if is_file(asked.path) and noun != "communes.geojson":
            return rows_in(asked.path, reply.body)
        page = reply.json()
        found = rows_on(noun, page)
        while page.get("next") is not None and "updated_since" not in asked.query:
            query = f"{asked.query}&cursor={page['next']}"
            following = await self._world.ask(caller, asked._replace(query=query))
            self.canaries(caller, asked, following, where)
            page = following.json()
            found |= rows_on(noun, page)
        return found

    # --- what else could tell --------------------------------------------------------------------

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Read every log line of a block, as it is written, and the metrics after it."""
        handler, logger = _Heard(self), logging.getLogger("ntm")
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)
        told = generate_latest(self._world.app.state.metrics.registry).decode()
        for found in CANARY.finditer(told):
            self.complain("a canary in the metrics", found[0])
        for client in self._world.clients.values():
            if client in told:
                self.complain("a client in the metrics", client)
        if not handler.lines:
            self.complain("nothing was logged")

    @contextlib.asynccontextmanager
    async def unchanged(self, *besides: str) -> AsyncIterator[None]:
        """Complain when anything is stored within a block, besides that grants were read from.

        `besides` are tables in which something may be stored, too.
        """
        await recordings.number(self._world.database)  # else whoever reads first does
        before = await fingerprint(self._world.database)
        yield
        after = await fingerprint(self._world.database)
        changed = [name for name in after if after[name] != before[name]]
        if stored := set(changed) - {"data_grant_read", *besides}:
            self.complain("something was stored", *sorted(stored))

    async def look_for_nobody(self) -> None:
        """Ask on connections that work for nobody: they see and remember nothing."""
        async with self._world.database.asking() as connection:
            (row,) = await connection.fetch(_NOBODY)
        if row["rows"] or row["told"]:
            self.complain("a connection remembers", dict(row))


class _Heard(logging.Handler):
    """Reads log lines; no canary belongs into any of them."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logs.formatter(people=False))
        self._judge, self.lines = judge, 0

    def emit(self, record: logging.LogRecord) -> None:
        """Read one line."""
        self.lines += 1
        line = self.format(record)
        if CANARY.search(line):
            self._judge.complain("a canary in the log", line[:300])


def _plain(asked: Asked, reply: Reply) -> tuple[int, str]:
    """Return an answer without what may differ between two ids: the id, and its own number."""
    parts = re.findall(r"(?<=/)(ntm-[0-9a-f]{16}|\d+)(?=/|$)", asked.path)
    headers = {
        name: value
        for name, value in sorted(reply.headers.items())
        if name not in ("x-request-id", "content-length")
    }
    said = f"{reply.body.decode()} {headers}"
    # Ids of slots are made of numbers as well, between full stops.
    return reply.status, re.sub(rf"(?<![\w.])({'|'.join(parts)})(?!\.?\w)", "#", said)


def _is_outside(reply: Reply) -> bool:
    """Tell whether an answer says of everything that it refuses that it lies elsewhere."""
    if reply.status not in (200, 404, 422):
        return False
    found = reply.json()
    if reply.status == 200 and "items" in found:  # decisions: each is answered by itself
        return {one["problem"] and one["problem"]["code"] for one in found["items"]} == {
            "submission-not-found"
        }
    errors = found.get("rejected" if reply.status == 200 else "errors")
    return bool(errors) and all(one["code"] == "outside-territory" for one in errors)
