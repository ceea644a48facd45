"""A model of the chain of approval, written apart from the one that it judges, and its players."""

from __future__ import annotations

import asyncio
import datetime
import itertools
from collections.abc import Coroutine
from typing import Any, ClassVar, NamedTuple, TypeVar

import httpx
import uvloop
from conftest import opened
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from submission_calls import NEW_DAY, OLD, RULESET, SUBMISSIONS, Item, Offices, decision

from app.database import Database
from app.rules.registry import Registry
from app.settings import Settings

Result = TypeVar("Result")
BEFORE, AFTER = datetime.date(2025, 6, 30), NEW_DAY
ACTIONS = ("submit", "reopen", "withdraw", "verify", "appraise", "approve", "return", "refuse")
AT = {"submit": "commune", "reopen": "commune", "withdraw": "commune", "verify": "district",
      "appraise": "department", "approve": "province"}  # fmt: skip


class Disagreement(AssertionError):
    """System and model differ: what was done, what the model says, what the system answered."""

    def __init__(self, told: object, wanted: object, got: object, answer: httpx.Response) -> None:
        super().__init__(told, wanted, got, answer.text[:400])
        self.crashed = answer.status_code >= 500


def agree(told: object, wanted: object, got: object, answer: httpx.Response) -> None:
    """Raise Disagreement unless the system answered what the model says."""
    if got != wanted:
        raise Disagreement(told, wanted, got, answer)


class Player(NamedTuple):
    """Who plays: the level of its territory, and the steps for which it has the scope."""

    level: str
    steps: frozenset[str]
    there: bool = True  # the submission lies in its territory

    def stands_at(self, step: str) -> bool:
        """Tell whether it may act at a step."""
        level = {"commune": "commune", "district": "district"}.get(step, "province")
        return step in self.steps and self.level == level


ALL = frozenset({"commune", "district", "department", "province"})
PLAYERS = {
    "commune": Player("commune", frozenset({"commune"})),
    "greedy": Player("commune", ALL),
    "district": Player("district", frozenset({"district"})),
    "department": Player("province", frozenset({"department"})),
    "province": Player("province", frozenset({"province"})),
    "both": Player("province", frozenset({"department", "province"})),
    "nation": Player("nation", ALL),
    "stranger": Player("commune", ALL, there=False),
}
TERRITORIES = {
    "commune": "08494", "greedy": "08494", "district": "237", "department": "25",
    "province": "25", "both": "25", "nation": "VN", "stranger": "00004",
}  # fmt: skip
SCOPE = {"commune": "evidence:submit", "district": "evidence:verify",
         "department": "evidence:appraise", "province": "evidence:approve"}  # fmt: skip
OFFICIALS = ("own", "shared")
_NUMBERS = itertools.count(1)


class Model:
    """Where a submission stands by the texts, and who has acted at which step."""

    def __init__(self) -> None:
        self.state, self.day, self.districts = "draft", BEFORE, False
        self.acted: set[tuple[str, str]] = set()  # step, and who: a player or an official

    def checker(self) -> str | None:
        """Return the step that is due, by the day: there is no district from 1 July 2025 on."""
        if self.state == "submitted":
            return "district" if self.districts and self.day <= BEFORE else "department"
        return {"verified": "department", "appraised": "province"}.get(self.state)

    def after(self, action: str) -> tuple[str, str] | None:
        """Return the step of an action and the state after it; None where it leads nowhere."""
        state, due = self.state, self.checker()
        if action == "submit":
            return ("commune", "submitted") if state == "draft" else None
        if action == "reopen":
            return ("commune", "draft") if state == "returned" else None
        if action == "withdraw":
            early = state in ("draft", "returned", "submitted")
            return ("commune", "withdrawn") if early else None
        if due is None:
            return None
        if action in ("return", "refuse"):
            return due, {"return": "returned", "refuse": "refused"}[action]
        done = {"verify": "verified", "appraise": "appraised", "approve": "approved"}[action]
        return (due, done) if AT[action] == due else None

    def answer(self, player: str, action: str, official: str, stale: bool) -> int:
        """Return the status that the action gets."""
        who = PLAYERS[player]
        if not who.there:
            return 404
        if stale:
            return 412
        steps = {AT[action]} if action in AT else {"district", "department", "province"}
        if not any(who.stands_at(step) for step in steps):
            return 403
        found = self.after(action)
        if found is None:
            return 409
        step, _ = found
        if not who.stands_at(step):
            return 409
        mine = {player, official_of(player, official)}
        return 403 if any(s != step and w in mine for s, w in self.acted) else 200

    def act(self, player: str, action: str, official: str) -> None:
        """Follow an action that was done."""
        found = self.after(action)
        assert found is not None
        step, self.state = found
        if action == "submit":
            self.districts = self.day <= BEFORE
        self.acted |= {(step, player), (step, official_of(player, official))}

    def may(self, player: str) -> set[str]:
        """Return what a player may do, whichever of its officials decides."""
        found = set()
        for action in ACTIONS:
            led = self.after(action)
            if led is None or not PLAYERS[player].stands_at(led[0]):
                continue
            if not any(step != led[0] and who == player for step, who in self.acted):
                found.add(action)
        return found


def official_of(player: str, official: str) -> str:
    """Return who decides: somebody of the player's own, or one who works for everybody."""
    return "official-shared" if official == "shared" else f"official-{player}"


class World:
    """The system under test, in a loop of its own, with a client for each player."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._opened = opened(settings)
        self.database: Database = self.run(self._opened.__aenter__())
        self.offices = Offices(settings, registry, self.database, BEFORE)
        self.clients: dict[str, httpx.AsyncClient] = {
            name: self.run(self._client(name, player)) for name, player in PLAYERS.items()
        }

    async def _client(self, name: str, player: Player) -> httpx.AsyncClient:
        scopes = ("read", "values:write", *(SCOPE[step] for step in sorted(player.steps)))
        return await self.offices.joined(TERRITORIES[name], *scopes, on=datetime.date(2025, 3, 1))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something in the loop."""
        return self.runner.run(work)

    def end(self, id_: int) -> None:
        """Take a submission out of the way of the next one."""
        state = "UPDATE evidence_submission SET state = 'withdrawn' WHERE id = :id"
        freed = "UPDATE current_value SET frozen_by = array_remove(frozen_by, :id)"

        async def ended() -> None:
            async with self.database.as_owner() as connection:
                await connection.execute(text(state), {"id": id_})
                await connection.execute(text(freed), {"id": id_})

        self.run(ended())

    def close(self) -> None:
        """Close everything."""
        self.run(self.offices.close())
        self.run(self._opened.__aexit__(None, None, None))
        self.runner.close()


class Chain(RuleBasedStateMachine):
    """Players try everything, in any order; system and model must agree after each step."""

    world: ClassVar[World]

    @initialize()
    def open(self) -> None:
        """Open a submission on a day with districts."""
        self.model, self.stale = Model(), "0"
        self.world.offices.clock.day = self.model.day
        body = {"unit": OLD["commune"], "ruleset": RULESET, "period": "2024"}
        answer = self.world.run(self.world.clients["commune"].post(SUBMISSIONS, json=body))
        assert answer.status_code == 201, answer.text[:300]
        self.id, self.version = answer.json()["id"], answer.json()["version"]
        answer = self._correct()
        assert answer.status_code == 201, answer.text[:300]

    @rule(
        player=st.sampled_from(sorted(PLAYERS)),
        action=st.sampled_from(ACTIONS),
        official=st.sampled_from(("own", "own", "own", "shared")),
        stale=st.sampled_from((False, False, False, True)),
    )
    def act(self, player: str, action: str, official: str, stale: bool) -> None:
        """Try an action; it is done, or refused with the status that the model says."""
        self._act(player, action, official, stale)

    @rule(official=st.sampled_from(("own", "own", "shared")))
    def go_on(self, official: str) -> None:
        """Let whoever may go on do so: what comes late is reached as well."""
        for player in ("commune", "district", "both", "department", "province"):
            for action in ("submit", "reopen", "verify", "appraise", "approve"):
                if action in self.model.may(player):
                    return self._act(player, action, official, stale=False)
        return None

    @precondition(lambda self: self.model.day == BEFORE)
    @rule()
    def next_day(self) -> None:
        """Let the district level end."""
        self.world.offices.clock.day = self.model.day = AFTER

    @rule(player=st.sampled_from(sorted(PLAYERS)))
    def read(self, player: str) -> None:
        """Read it: a stranger finds nothing, everybody else what he may do."""
        answer = self.world.run(self.world.clients[player].get(f"{SUBMISSIONS}/{self.id}"))
        if not PLAYERS[player].there:
            return agree(player, 404, answer.status_code, answer)
        shown: Item = answer.json()
        said = shown["state"], set(shown["may"])
        return agree(player, (self.model.state, self.model.may(player)), said, answer)

    @rule()
    def correct(self) -> None:
        """Correct a value that it contains: not while it is checked, and freely again after."""
        answer = self._correct()
        wanted = 409 if self.model.checker() else 201
        agree(("correct", self.model.state), wanted, answer.status_code, answer)

    @rule(player=st.sampled_from(sorted(PLAYERS)))
    def fill(self, player: str) -> None:
        """Change what it contains: only the commune, and only in a draft."""
        body = {"parts": [{"code": "1", "name": f"Khu {len(self.model.acted)}"}]}
        at = f"{SUBMISSIONS}/{self.id}/parts"
        answer = self.world.run(self.world.clients[player].put(at, json=body))
        who = PLAYERS[player]
        if "commune" not in who.steps:
            wanted = 403
        elif not who.there:
            wanted = 404
        else:
            wanted = 403 if who.level != "commune" else 200 if self.model.state == "draft" else 409
        agree((player, self.model.state), wanted, answer.status_code, answer)
        if wanted == 200:
            self.stale, self.version = "0", answer.json()["version"]

    def teardown(self) -> None:
        """Let the next machine open one of its own."""
        if hasattr(self, "id"):
            self.world.end(self.id)

    def _act(self, player: str, action: str, official: str, stale: bool) -> None:
        wanted = self.model.answer(player, action, official, stale)
        version = self.stale if stale else self.version
        body = decision(action, "any", BEFORE, version=version)
        who = official_of(player, official)
        body["acting_official"] = {"id": who, "office": f"Cơ quan {who}", "position": "CT"}
        at = f"{SUBMISSIONS}/{self.id}/transitions"
        answer = self.world.run(self.world.clients[player].post(at, json=body))
        told = (player, action, official, stale, self.model.state, str(self.model.day))
        agree(told, wanted, answer.status_code, answer)
        if wanted == 200:
            self.model.act(player, action, official)
            self.stale, self.version = self.version, answer.json()["version"]
            agree(told, self.model.state, answer.json()["state"], answer)
        if wanted == 409:
            agree(told, self.model.may(player), set(answer.json()["may"]), answer)

    def _correct(self) -> httpx.Response:
        value = {
            "unit": OLD["commune"], "period": "2024", "indicator": "commune_website_exists",
            "value": True, "source": f"Báo cáo {next(_NUMBERS)}",
        }  # fmt: skip
        sent = self.world.clients["commune"].post("/v1/values", json={"values": [value]})
        return self.world.run(sent)


def play(world: World, wanted: Any) -> None:
    """Let machines play in a world; raise where system and model disagree."""

    class Playing(Chain):
        pass

    Playing.world = world
    run_state_machine_as_test(Playing, settings=wanted)
