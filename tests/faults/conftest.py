"""What the tests of the drills share."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.embedded import Embedded
from faults.goals import Outcome, Stage


@pytest.fixture(scope="session")
def stage(cluster: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The ground on which drills stand: the server of the tests, folders of this worker's own."""
    folder: Path = tmp_path_factory.mktemp("faults")
    return Stage(cluster, folder)


def must_hold(outcome: Outcome) -> None:
    """Fail unless the laws held and the planted bug was seen."""
    assert outcome.good, outcome
    assert outcome.caught, outcome
