"""Forms of lists and the slots of evidence, as data of a pack.

They stand beside the rulesets and are no part of their digests: what evidence a document demands,
and whether it is there, never changes a verdict.
"""

from __future__ import annotations

from typing import Literal, Self

import msgspec
from pydantic import Field, model_validator

from app.rules.errors import Misfit
from app.rules.indicators import Bilingual, Identifier, Model, Words
from app.rules.ruleset import Evidence

Need = Literal["list", "finding", "file"]


class Column(Model):
    """One column of a form, with its heading as printed (and how else people write it)."""

    column: Literal["number", "name", "note"]
    label: Words
    also: tuple[Words, ...] = Field(default=(), strict=False)


class Form(Model):
    """A form on which persons or establishments are listed, exactly as the document prints it."""

    form: Identifier
    called: Words = Field(description="What the evidence of a criterion calls it.")
    title: Words
    section: Words
    lists: Literal["persons", "establishments"]
    columns: tuple[Column, ...] = Field(strict=False, min_length=1)
    total: Words
    confirmed_by: tuple[Words, ...] = Field(default=(), strict=False)
    population: Bilingual | None = Field(
        default=None, description="How whom it lists differs from whom the indicator counts."
    )

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        kinds = [one.column for one in self.columns]
        if len(set(kinds)) != len(kinds) or "name" not in kinds:
            raise Misfit(
                "biểu mẫu cần một cột name; number và note mỗi loại nhiều nhất một cột",
                "a form needs one column name, and at most one number and one note",
            )
        return self

    def label(self, column: str) -> str | None:
        """Return the heading of a column as printed; None where the form has no such column."""
        return next((one.label for one in self.columns if one.column == column), None)


class SlotNeeds(Model):
    """What fills a slot, and who of those who confirm it signs part by part."""

    slot: Identifier
    needs: tuple[Need, ...] = Field(strict=False, min_length=1)
    in_parts: Words | None = None

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.needs)) != len(self.needs):
            raise Misfit("mỗi loại minh chứng chỉ ghi một lần", "give each kind of evidence once")
        return self


class FormFile(Model):
    """The forms of a pack, and what fills the slots of its rulesets."""

    forms: tuple[Form, ...] = Field(default=(), strict=False)
    slots: tuple[SlotNeeds, ...] = Field(default=(), strict=False)


class Slot(msgspec.Struct, frozen=True):
    """One piece of evidence that a document demands for a criterion.

    `indicator` is that of the criterion, if it has one; `in_parts` is who signs part by part.
    """

    slot: str
    criterion: str
    indicator: str | None
    evidence: Evidence
    form: Form | None
    needs: tuple[Need, ...]
    in_parts: str | None

    @property
    def lists_persons(self) -> bool:
        """Tell whether its list, and so whatever else stands in it, may name citizens."""
        return self.form is not None and self.form.lists == "persons"
