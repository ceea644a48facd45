"""Impact as it is asked for and shown."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.api.moments import PeriodIn
from app.api.run_shapes import FlippedOutcome, ItemOutcomes, RunOutcomes, RunRuleset, UnitInShort
from app.api.shapes import Day, Strict
from app.api.unit_shapes import Place
from app.domain.impact.changes import Change

LARGEST_FILE = 256 * 1024  # characters
Id = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Exact = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,6})?$", max_length=30)
]


class ChangeIn(Strict):
    """Another threshold for a criterion; `branch` where it depends on the area class."""

    criterion: Id
    threshold: Exact = Field(description='An exact number as text, such as "90" or "72.5".')
    branch: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None

    def change(self) -> Change:
        """Return it in the words of the domain."""
        return Change(self.criterion, Decimal(self.threshold), self.branch)


class ImpactIn(Strict):
    """A territory and a period, and what would be changed.

    Either `ruleset` and `changes` of its thresholds, or a `ruleset_file`: a candidate in the format
    of packs, which is looked at in place of the ruleset with its id, or of `against`.
    """

    under: Place
    period: PeriodIn
    as_of: Day | None = None
    on: Day | None = None
    ruleset: Id | None = None
    changes: list[ChangeIn] | None = Field(default=None, min_length=1, max_length=200)
    ruleset_file: (
        Annotated[str, StringConstraints(min_length=1, max_length=LARGEST_FILE)] | None
    ) = Field(default=None, description="A ruleset as YAML: data, no code.")
    against: Id | None = Field(default=None, description="The installed ruleset to compare with.")

    @model_validator(mode="after")
    def _one_form(self) -> ImpactIn:
        by_changes = {self.ruleset is None, self.changes is None}
        by_file = {self.ruleset_file is None, self.against is None}
        if (by_changes == {False} and by_file == {True}) or (
            by_changes == {True} and self.ruleset_file is not None
        ):
            return self
        both = False in by_changes and False in by_file
        raise PydanticCustomError("changes_or_file", "either changes or a file", {"both": both})


class ImpactSide(BaseModel):
    """How the units come out by one of the two rulesets."""

    outcomes: RunOutcomes
    all_items: ItemOutcomes | None
    out_of_scope: int = Field(description="Of these units, those that the document does not bind.")


class ChangedUnit(BaseModel):
    """A unit that would come out differently: as a whole, or in some criteria.

    An outcome is null where the document does not bind the unit.
    """

    unit: UnitInShort
    before: str | None
    after: str | None
    criteria: list[FlippedOutcome]


class ImpactShape(BaseModel):
    """What would change; `changed` names at most 5,000 units, the counts are of all."""

    ruleset: RunRuleset
    candidate: RunRuleset
    under: UnitInShort
    period: str
    as_of: datetime.date
    on: datetime.date = Field(description="The day whose units are judged.")
    units: int
    out_of_scope: int
    before: ImpactSide
    after: ImpactSide
    flipped: int = Field(description="Units whose outcome as a whole would be another one.")
    changed_units: int = Field(description="Units of which the whole or a criterion would differ.")
    unchanged: int
    changed: list[ChangedUnit]
