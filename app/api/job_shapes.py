"""Jobs as they are shown, and the answer to a request that began one."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from app.api.answers import created
from app.domain.jobs import State


class ProgressShape(BaseModel):
    """How much of a job is done, and of how much; total is null while that is not known."""

    done: int
    total: int | None


class SaidShape(BaseModel):
    """What is said to people, in both languages: a job does not know who will read it."""

    vi: str
    en: str


class JobErrorShape(BaseModel):
    """One thing wrong, and where."""

    pointer: str
    code: str
    message: SaidShape


class JobProblemInShort(BaseModel):
    """Why a job failed, in short."""

    code: str
    detail: SaidShape


class JobProblemShape(JobProblemInShort):
    """Why a job failed, and everything that is wrong."""

    errors: list[JobErrorShape]


class JobInShort(BaseModel):
    """A job: work that takes longer than a request; `attempts` counts how often it was taken up."""

    id: int
    kind: str
    state: State
    progress: ProgressShape
    problem: JobProblemInShort | None
    created_by: str
    created_at: datetime.datetime
    started_at: datetime.datetime | None
    ended_at: datetime.datetime | None
    attempts: int


class JobShape(JobInShort):
    """A job with its result, once it has one."""

    problem: JobProblemShape | None
    result: dict[str, Any] | None


class JobPage(BaseModel):
    """One page of jobs, without their results."""

    items: list[JobInShort]
    next: str | None


def accepted(job: Mapping[str, Any], language: str) -> Response:
    """Answer a request that began a job, as it is shown: 202, and where to follow it."""
    return created(dict(job), language, f"/v1/jobs/{job['id']}", status=202)
