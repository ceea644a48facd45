"""Weighing a candidate for many units: the job, which is given both rulesets as data."""

from __future__ import annotations

import datetime
from typing import Any

import asyncpg

from app.domain.evaluation_runs.covering import known
from app.domain.impact import KIND
from app.domain.impact.weighing import Concerned, Question, concerned, weighed
from app.domain.jobs.beginning import begin as begin_job
from app.domain.jobs.running import Running
from app.domain.refusals import Complaint, Refused
from app.domain.territory import Caller
from app.rules.errors import Text
from app.rules.evaluate import Compiled, snapshot
from app.rules.period import read_period
from app.rules.stored import CheckMissing, Unreadable, rebuild


async def begin(
    connection: asyncpg.Connection, caller: Caller, question: Question, found: Concerned
) -> int:
    """Begin the job that weighs a candidate; return its number."""
    arguments = {
        "ruleset": question.before.ruleset.ruleset,
        "before": _written(question.before),
        "after": _written(question.after),
        "under": question.under.key,
        "day": question.under.day,
        "period": question.period.text,
        "as_of": question.as_of,
    }
    return await begin_job(connection, caller, KIND, arguments, total=len(found.units))


async def run(running: Running) -> None:
    """Judge the units twice, from one state of the record; the counts are the job's result.

    Raises Refused where a ruleset needs a check that is no longer installed.
    """
    async with running.database.reading(one_state=True) as connection:
        question = await _asked(connection, running)
        found = await concerned(connection, question)
        result = await weighed(connection, question, found, running.tell)
    async with running.database.writing() as connection:
        await running.finish(connection, result)


async def _asked(connection: asyncpg.Connection, running: Running) -> Question:
    told = running.arguments
    before, after = (_read(running, told["ruleset"], told[side]) for side in ("before", "after"))
    period = read_period(told["period"])
    if period is None:
        raise ValueError("a job about no period")
    under = await known(connection, told["under"], period, _day(told["day"]))
    return Question(before, after, under, period, _day(told["as_of"]))


def _written(compiled: Compiled) -> str:
    return snapshot(compiled.ruleset, compiled.indicators).decode()


def _read(running: Running, id_: str, written: str) -> Compiled:
    entry = running.registry.entries.get(id_)
    try:
        return rebuild(written.encode(), entry.parsed.pack.checks if entry else {})
    except (CheckMissing, Unreadable) as error:
        raise Refused([Complaint("/ruleset", "unknown-ruleset", _gone(id_))]) from error


def _gone(id_: str) -> Text:
    return Text(
        f"bộ quy tắc {id_} không còn được cài như khi gửi yêu cầu; hãy gửi lại",
        f"the ruleset {id_} is no longer installed as it was when this was asked for; ask again",
    )


def _day(text: Any) -> datetime.date:
    return datetime.date.fromisoformat(str(text))
