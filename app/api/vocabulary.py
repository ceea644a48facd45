"""The words the service answers with, each with its label in Vietnamese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import RootModel

from app.api.answers import answer
from app.api.deps import Reader
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.problems import PROBLEMS
from app.api.shapes import Words
from app.api.strict import StrictRoute
from app.domain.clients import SCOPES
from app.rules import vocabulary as words
from app.rules.comparison import CAUSE_LABELS
from app.rules.errors import Text

router = APIRouter(prefix="/v1/vocabulary", tags=["vocabulary"], route_class=StrictRoute)


class Vocabulary(RootModel[dict[str, dict[str, Words]]]):
    """Word list by name, label by word."""


@router.get(
    "", summary="Read the vocabulary", response_model=Vocabulary, responses=problem_responses(422)
)
async def read_vocabulary(request: Request, _: Reader, language: InLanguage) -> Response:
    """Read the labels of every outcome, reason, status, scope and problem code."""
    lists: Mapping[str, Mapping[str, Text]] = {
        "outcomes": words.OUTCOMES,
        "reasons": words.REASONS,
        "statuses": words.APPLICABILITY,
        "value_statuses": words.VALUE_STATUSES,
        "submission_states": words.SUBMISSION_STATES,
        "submission_actions": words.SUBMISSION_ACTIONS,
        "evidence_gaps": words.EVIDENCE_GAPS,
        "list_contradictions": words.LIST_CONTRADICTIONS,
        "lineage_gaps": words.LINEAGE_GAPS,
        "causes": CAUSE_LABELS,
        "bases": words.BASES,
        "levels": words.LEVELS,
        "kinds": words.KINDS,
        "validities": words.VALIDITIES,
        "forces": words.FORCES,
        "source_grades": words.SOURCE_GRADES,
        "required_by": words.REQUIRED_BY,
        "scopes": SCOPES,
        "problems": {code: title for code, (_, title) in PROBLEMS.items()},
    }
    body: dict[str, Any] = {
        name: {word: {"vi": label.vi, "en": label.en} for word, label in labels.items()}
        for name, labels in lists.items()
    }
    return answer(request, body, language)
