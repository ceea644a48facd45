"""The legal document behind a ruleset: what it is, whom and when it binds, whom it leaves out."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from app.rules.errors import Misfit
from app.rules.indicators import Bilingual, Model, Words


def _real_day(text: str) -> str:
    parts = [int(part) for part in text.split("-")]
    try:
        datetime.date(*[*parts, 1, 1][:3])
    except ValueError as error:
        raise Misfit(f"{text} không phải ngày có thật", f"{text} is no real date") from error
    return text


IssueDate = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$",
        description='As far as printed: "2023-05-29", "2024-10" (day blank) or "2023".',
    ),
    AfterValidator(_real_day),
]


class Document(Model):
    """The legal document a ruleset encodes."""

    number: Words
    title: Words
    short: Words = Field(description="How cites name it, with its date.")
    issuer: Words
    issued: IssueDate
    source_grade: Literal["full", "secondary"]
    based_on: tuple[Words, ...] = Field(default=(), strict=False)
    note: Bilingual | None = None


class InForce(Model):
    """The days the document speaks of; null means that it states none."""

    since: datetime.date | None = None
    until: datetime.date | None = None
    note: Bilingual | None = None


class Scope(Model):
    """Whom the document binds: the whole country, or provinces by their code on a day."""

    country: bool = False
    provinces: tuple[Annotated[str, Field(pattern=r"^[0-9]{2}$")], ...] = Field(
        default=(), strict=False
    )
    on: datetime.date | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.country == bool(self.provinces):
            raise Misfit(
                "hãy ghi country: true hoặc provinces", "give either country: true or provinces"
            )
        if self.provinces and self.on is None:
            raise Misfit(
                "provinces cần kèm on: ngày mà mã tỉnh có hiệu lực",
                "provinces need the day on which their codes hold: on",
            )
        return self


class Exemption(Model):
    """Communes outside the conditions: chosen for `model` by one of `decisions`."""

    model: Literal["smart", "ecom"]
    decisions: tuple[Words, ...] = Field(strict=False, min_length=1)
    text: Bilingual
    section: Words
