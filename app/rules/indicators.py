"""Indicators: what is measured, and the conditions that can be put to the measures of members.

The law says *chỉ tiêu* for the measure and for the requirement; here an indicator is measured
and a criterion (`app.rules.ruleset`) is required. Indicators are data: see
`app/rules/catalogue/indicators.yaml`.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.rules.errors import Misfit
from app.rules.vocabulary import Level

Kind = Literal["boolean", "count", "ratio", "set", "attribute", "designation"]
Validity = Literal["standing", "stock", "flow"]
CommuneType = Literal["xa", "phuong", "thi_tran", "dac_khu"]


def _composed(text: str) -> str:
    if not unicodedata.is_normalized("NFC", text):
        raise Misfit("chữ phải ở dạng NFC (tổ hợp sẵn)", "text must be NFC (composed letters)")
    return text


Words = Annotated[str, Field(min_length=1), AfterValidator(_composed)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,79}$")]
Identifier = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$",
        description='Quote ids that look like numbers: "1.10" is an id, 1.10 is the number 1.1.',
    ),
]


class Model(BaseModel):
    """A part of a pack: unknown keys are refused, nothing is coerced, nothing changes later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Bilingual(Model):
    """The same words in Vietnamese (verbatim where quoted) and English."""

    vi: Words
    en: Words


class MemberCode(Model):
    """One code of a set indicator."""

    code: Identifier
    name: Bilingual


class MemberGroup(Model):
    """Which members a share counts: a level and, for communes, the types (`xa` is xã)."""

    level: Level
    types: tuple[CommuneType, ...] = Field(default=(), strict=False)

    def covers(self, level: str, type_: str | None) -> bool:
        """Tell whether a member belongs to the share; a commune without a type is a xã."""
        return level == self.level and (not self.types or (type_ or "xa") in self.types)


class Condition(Model):
    """A question that values answer with met, not met or undetermined.

    Exactly one of `indicator`, `sum`, `share`, `all`, `any`. An indicator alone asks "is it true"
    (boolean) or "is it not empty" (set); `at_least` compares a count, or a percentage, from below.
    """

    indicator: Code | None = None
    contains: Identifier | None = None
    sum: tuple[Code, ...] | None = Field(default=None, strict=False, min_length=2)
    share: Share | None = None
    at_least: int | None = Field(default=None, ge=0)
    all: tuple[Condition, ...] | None = Field(default=None, strict=False, min_length=2)
    any: tuple[Condition, ...] | None = Field(default=None, strict=False, min_length=2)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = [
            word for word in ("indicator", "sum", "share", "all", "any") if getattr(self, word)
        ]
        if len(asked) != 1:
            raise Misfit(
                "hãy dùng đúng một trong indicator, sum, share, all, any",
                "give exactly one of indicator, sum, share, all, any",
            )
        if asked[0] in ("sum", "share") and self.at_least is None:
            raise Misfit(f"{asked[0]} cần có at_least", f"{asked[0]} needs at_least")
        if asked[0] in ("all", "any") and self.at_least is not None:
            raise Misfit(
                f"at_least không đi cùng {asked[0]}", f"at_least does not go with {asked[0]}"
            )
        if self.contains is not None and (self.indicator is None or self.at_least is not None):
            raise Misfit(
                "contains chỉ đi cùng một indicator kiểu set",
                "contains goes with a set indicator alone",
            )
        return self

    def codes(self) -> set[str]:
        """Return the indicators of the unit itself that this condition reads."""
        found = {self.indicator} if self.indicator else set(self.sum or ())
        for part in (*(self.all or ()), *(self.any or ())):
            found |= part.codes()
        return found

    def thresholds(self) -> set[int]:
        """Return every number that this condition compares with."""
        found = {self.at_least} if self.at_least is not None else set()
        for part in (*(self.all or ()), *(self.any or ())):
            found |= part.thresholds()
        return found

    def shares(self) -> list[Share]:
        """Return the shares over members that this condition asks for."""
        found = [self.share] if self.share else []
        for part in (*(self.all or ()), *(self.any or ())):
            found.extend(part.shares())
        return found


class Share(Model):
    """A share over members: of which members, and what must hold of each."""

    of: tuple[MemberGroup, ...] = Field(strict=False, min_length=1)
    holds: Condition


class LookAlike(Model):
    """Another indicator that looks the same and must never share a value with this one."""

    code: Code
    difference: Bilingual


class Indicator(Model):
    """One measure under a canonical code; one stored value serves every ruleset that uses it."""

    code: Code
    theme: Code
    name: Bilingual
    kind: Kind
    levels: tuple[Level, ...] = Field(strict=False, min_length=1)
    validity: Validity | None = None
    model: Literal["smart", "ecom"] | None = None
    numerator: Bilingual | None = None
    denominator: Bilingual | None = None
    numerator_may_exceed_denominator: bool = False
    members: tuple[MemberCode, ...] = Field(default=(), strict=False)
    derived: Share | None = None
    look_alikes: tuple[LookAlike, ...] = Field(default=(), strict=False)
    period: Bilingual | None = None
    note: Bilingual | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "ratio" and not (self.numerator and self.denominator):
            raise Misfit(
                "một tỷ lệ cần numerator và denominator", "a ratio needs numerator and denominator"
            )
        if (self.kind == "set") != bool(self.members):
            raise Misfit(
                "members chỉ dành cho kiểu set, và kiểu set cần members",
                "members belong to a set, and a set needs members",
            )
        if self.derived and self.kind != "ratio":
            raise Misfit("chỉ số suy ra phải là tỷ lệ", "a derived indicator is a ratio")
        if (self.kind in ("attribute", "designation")) != (self.validity is None):
            raise Misfit(
                "chỉ số cần validity; attribute và designation thì không có",
                "an indicator needs validity; an attribute or designation has none",
            )
        if (self.kind == "designation") != bool(self.model):
            raise Misfit(
                "model chỉ dành cho designation, và designation cần model",
                "model belongs to a designation, and a designation needs one",
            )
        return self


Condition.model_rebuild()
