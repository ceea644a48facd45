"""Communes for maps and tables: points with what is on record in a period, and the register."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any, Final

import asyncpg
from fastapi import APIRouter, Query, Request, Response

from app.api import downloads
from app.api.answers import answer
from app.api.deps import Data, Reader, Rules
from app.api.download_shapes import CsvAnswer, CsvText, HeadingsInQuery
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.map_shapes import FeatureCollection, GeoJson
from app.api.moments import PeriodInQuery
from app.api.problems import refusal
from app.api.strict import StrictRoute
from app.api.unit_shapes import On, Under
from app.domain import unit_listing, unit_lookup
from app.domain.clock import today
from app.domain.exports import Headings, commune_map, communes, headed
from app.domain.exports.commune_map import Asked
from app.domain.grants import counting
from app.domain.previews import unknown_ruleset
from app.domain.refusals import Complaint, no_indicator
from app.domain.territory import EVALUATIONS, VALUES
from app.domain.unit_listing import Wanted
from app.rules.errors import Text
from app.rules.period import Period
from app.rules.registry import Registry

router = APIRouter(prefix="/v1/communes", tags=["communes"], route_class=StrictRoute)

RulesetOnMap = Annotated[
    str | None, Query(max_length=120, description="With `period`: verdicts by this ruleset alone.")
]
IndicatorsOnMap = Annotated[
    str | None,
    Query(
        max_length=4_000,
        description="With `period`: values of these indicators alone, codes separated by commas, "
        "each once, at most 50.",
    ),
]
_MOST_INDICATORS: Final = 50  # named in one request
_MOST_LOOKED_UP: Final = 50_000  # values, or verdicts, of one map: it is made in memory


@router.get(
    ".geojson",
    summary="Read communes as points on a map",
    response_class=GeoJson,
    response_model=FeatureCollection,
    response_description="All communes wanted, in Vietnamese order, not paged.",
    responses=problem_responses(404, 422),
)
async def map_communes(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    under: Under = None,
    on: On = None,
    period: PeriodInQuery = None,
    ruleset: RulesetOnMap = None,
    indicator: IndicatorsOnMap = None,
) -> Response:
    """Read every commune of a day, or those under a unit, as GeoJSON points.

    With `period` also the latest values of each in it, and the latest verdict by each ruleset, as
    far as the caller may see them; the day is then the last one of the period, or today. A
    commune of which nothing may be seen has `values` null. Where no document speaks of it at that
    time, `no_ruleset_applies` is true.
    """
    asked = _asked(rules, period, ruleset, indicator)
    day = on or min(today(), period.last if period else today())
    async with data.reading() as connection:
        above = await unit_lookup.get(connection, under, day, "/under") if under else None
        found = await unit_listing.page(connection, Wanted(day, "commune", under=above))
        units = [unit for unit, _ in found]
        body = await asyncio.to_thread(unit_listing.on_map, units)
        if asked is not None:
            _check_size(asked, len(units))
            told = await commune_map.told(connection, caller, rules.indicators, asked, units)
    if asked is not None:
        for unit, feature in zip(units, body["features"], strict=True):
            feature["properties"] |= told.properties[unit.id]
        body |= commune_map.legend(rules.indicators, asked, told)
        await counting.count(data, caller, VALUES, told.values)
        await counting.count(data, caller, EVALUATIONS, told.evaluations)
    return answer(request, body, language, media_type=GeoJson.media_type)


@router.get(
    ".csv",
    summary="Export communes as CSV",
    response_class=CsvAnswer,
    response_model=CsvText,
    responses=problem_responses(404, 422),
)
async def export_communes_as_csv(
    request: Request,
    caller: Reader,
    rules: Rules,
    language: InLanguage,
    under: Under = None,
    on: On = None,
    headings: HeadingsInQuery = "en",
) -> Response:
    """Export every commune of a day in Vietnamese order, with its area classes and designations.

    Without the last row `#sha256,…` the file was cut.
    """
    table = _Communes(rules, under, Wanted(on or today(), "commune"), headings)
    return await downloads.csv(request, caller, language, "communes.csv", table)


class _Communes:
    """The communes that a request asks for."""

    def __init__(
        self, rules: Registry, under: str | None, wanted: Wanted, headings: Headings
    ) -> None:
        self._rules, self._under, self._wanted = rules, under, wanted
        self._headings: Headings = headings

    async def prepare(self, connection: asyncpg.Connection) -> Sequence[str]:
        """Find out which communes are meant; return the headings."""
        day = self._wanted.on
        if self._under is not None:
            above = await unit_lookup.get(connection, self._under, day, "/under")
            self._wanted = Wanted(day, "commune", under=above)
        return headed(communes.columns(self._rules), self._headings)

    def pages(self, connection: asyncpg.Connection) -> AsyncGenerator[Sequence[Any], None]:
        """Yield the communes; the register is open, nothing of it is counted."""
        return communes.pages(connection, self._rules, self._wanted)


def _asked(
    rules: Registry, period: Period | None, ruleset: str | None, indicator: str | None
) -> Asked | None:
    """Return what is asked for besides the register; refuse what does not fit."""
    codes = None if indicator is None else [one.strip() for one in indicator.split(",")]
    complaints = [*_wrong_ruleset(rules, ruleset), *_wrong_indicators(rules, codes)]
    if period is None and (ruleset is not None or indicator is not None):
        complaints.append(Complaint("/period", "missing-field", _WITH_PERIOD))
    if complaints:
        raise refusal(complaints)
    if period is None:
        return None
    installed = [entry.compiled for entry in rules.entries.values()]
    named = [one for one in installed if ruleset in (None, one.ruleset.ruleset)]
    judging = commune_map.rulesets_of_communes(named)
    if codes is not None:
        wanted = codes
    elif ruleset is not None:
        wanted = commune_map.indicators_of(judging)
    else:
        wanted = commune_map.recorded_of_communes(rules)
    return Asked(period, today(), judging, wanted, codes is not None, ruleset is not None)


def _wrong_ruleset(rules: Registry, ruleset: str | None) -> list[Complaint]:
    if ruleset is None:
        return []
    if ruleset not in rules.entries:
        message = unknown_ruleset(rules, ruleset)
        return [Complaint("/ruleset", "unknown-ruleset", message)]
    if not commune_map.rulesets_of_communes([rules.entries[ruleset].compiled]):
        message = Text(
            f"{ruleset} không đánh giá cấp xã; hãy chọn bộ quy tắc của cấp xã",
            f"{ruleset} does not judge communes; choose a ruleset that does",
        )
        return [Complaint("/ruleset", "wrong-level", message)]
    return []


def _wrong_indicators(rules: Registry, codes: Sequence[str] | None) -> list[Complaint]:
    if codes is None:
        return []
    if len(codes) > _MOST_INDICATORS:
        return [Complaint("/indicator", "out-of-range", _TOO_MANY_NAMED)]
    named = Counter(codes)  # what is wrong with one is told once
    return (
        [
            Complaint("/indicator", "unknown-indicator", no_indicator(code))
            for code in named
            if code not in rules.indicators
        ]
        or [
            Complaint("/indicator", "not-a-fact", _no_fact(code))
            for code in named
            if rules.indicators[code].validity is None
        ]
        or [
            Complaint("/indicator", "duplicate-member", _twice(code))
            for code, times in named.items()
            if times > 1
        ]
    )


def _twice(code: str) -> Text:
    return Text(f"{code} được nêu hai lần; chỉ nêu một lần", f"{code} is given twice; give it once")


def _no_fact(code: str) -> Text:
    return Text(
        f"{code} là đặc điểm của xã, không phải số liệu; xem tại /v1/communes",
        f"{code} is recorded of the commune itself and is no value; see /v1/communes",
    )


def _check_size(asked: Asked, units: int) -> None:
    """Refuse a map that would be too large to be made in memory."""
    if units * max(len(asked.indicators), len(asked.rulesets)) > _MOST_LOOKED_UP:
        raise refusal([Complaint("/under", "too-many-values", _TOO_LARGE)])


_WITH_PERIOD: Final = Text(
    "ruleset và indicator cần kèm period", "ruleset and indicator need period"
)
_TOO_MANY_NAMED: Final = Text(
    f"tối đa {_MOST_INDICATORS} chỉ số; hãy bỏ indicator để lấy tất cả, hoặc gọi nhiều lần",
    f"{_MOST_INDICATORS} indicators at most; leave indicator out for all, or ask several times",
)
_TOO_LARGE: Final = Text(
    "quá nhiều số liệu cho một bản đồ; hãy chọn địa bàn nhỏ hơn (under), hoặc ghi ruleset và vài "
    "chỉ số (indicator)",
    "too many values for one map; choose a smaller area (under), or name a ruleset and a few "
    "indicators (indicator)",
)
