"""What the tests of the rules share: the built-in registry, small packs, random inputs."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from app.discovery import load_registry
from app.discovery.yaml_source import read_yaml
from app.rules.casework import walk
from app.rules.errors import Fault, RulesetFaults
from app.rules.facts import LARGEST_COUNT, Fact, Given, Percent, Ratio, Recorded, read_fact
from app.rules.indicators import Condition, Indicator, Share
from app.rules.packs import PackSource
from app.rules.registry import Entry, Registry, build
from app.rules.verdict import Designation, Inputs, Judgement, Member, Result

RULESETS: Final = (
    "bnn3445.annex1",
    "bnn3445.content.ecom",
    "bnn3445.content.smart",
    "bnn3445.province",
    "bnn3445.selection.ecom",
    "bnn3445.selection.smart",
    "phutho.annex01",
    "phutho.commune",
    "phutho.district",
    "qd924.nation",
    "travinh.commune",
    "travinh.hamlet",
    "travinh.province",
)
# A day on which every built-in document has been issued and the district level still exists.
DAY: Final = datetime.date(2024, 12, 31)
DISTRICTS_ENDED: Final = datetime.date(2025, 7, 1)
EXEMPTING: Final = ("969/QĐ-BNN-VPĐP", "1824/QĐ-BNN-VPĐP")
SMALL: Final = "thu"  # the id of the ruleset in the small packs below

_RATIO: Final = re.compile(r"([0-9]+)/([0-9]+)")


@functools.cache
def registry() -> Registry:
    """Return the built-in packs, checked and compiled once for all tests of a process."""
    return load_registry(None)


def entry(ruleset: str) -> Entry:
    """Return a built-in ruleset."""
    return registry().entries[ruleset]


# --- facts, inputs and judgements, written compactly ---------------------------------------------


def spelled(value: Any) -> Any:
    """Turn `3400/4000` and `85.5%` into the JSON form of a fact; leave the rest alone."""
    if isinstance(value, str) and (found := _RATIO.fullmatch(value)):
        return {"numerator": int(found[1]), "denominator": int(found[2])}
    if isinstance(value, str) and value.endswith("%"):
        return {"percent": value[:-1]}
    return value


def facts_of(catalogue: Mapping[str, Indicator], raw: Mapping[str, Any]) -> dict[str, Given]:
    """Read facts; a value that is recorded already stays as it is."""
    return {
        code: value if isinstance(value, Recorded) else read_fact(catalogue[code], spelled(value))
        for code, value in raw.items()
    }


def member(
    facts: Mapping[str, Any], level: str = "commune", type: str | None = "xa", **known: Indicator
) -> Member:
    """Return a member unit with facts of the built-in catalogue (and of `known`)."""
    catalogue = {**registry().indicators, **known}
    return Member(facts_of(catalogue, facts), level, type if level == "commune" else None)


def judged(
    facts: Mapping[str, Any],
    ruleset: str = SMALL,
    rules: Registry | None = None,
    as_of: datetime.date = DAY,
    **more: Any,
) -> Judgement:
    """Judge compactly written facts by a ruleset of `rules`, or of the built-in packs."""
    found = rules or registry()
    compiled = found.entries[ruleset].compiled
    inputs = Inputs(
        as_of=as_of,
        level=more.pop("level", compiled.ruleset.level),
        facts=facts_of(found.indicators, facts),
        **more,
    )
    return compiled.evaluate(inputs)


def result(judgement: Judgement, criterion: str) -> Result:
    """Return the result of one criterion."""
    return next(one for one in walk(judgement.criteria) if one.id == criterion)


# --- small packs written as YAML ------------------------------------------------------------------


def ruleset_text(
    *criteria: str, ruleset: str = SMALL, overall: str = "explicit", **more: str
) -> str:
    """Return the YAML of a ruleset with these criteria; `more` replaces or adds top-level keys."""
    keys = {
        "ruleset": f'"{ruleset}"',
        "version": '"1"',
        "level": "commune",
        "title": '{vi: "Văn bản thử", en: "Trial document"}',
        "document": '{number: "1/THU", title: "Văn bản thử", short: "Văn bản thử", '
        'issuer: "Không ai", issued: "2024-01-01", source_grade: "full"}',
        "in_force": "{}",
        "scope": "{country: true}",
        "overall": overall,
        **more,
    }
    lines = [f"{key}: {value}" for key, value in keys.items() if value]
    return "\n".join([*lines, "criteria:", *(f"  - {one}" for one in criteria), ""])


def leaf(id: str, test: str) -> str:
    """Return the YAML of a criterion without children; `test` is the rest of its keys."""
    return f'{{id: "{id}", text: {{vi: "Câu {id}", en: "Clause {id}"}}, section: "mục 1", {test}}}'


def group(id: str, combine: str, *children: str) -> str:
    """Return the YAML of a group of criteria; `combine` is all, any, or empty for none."""
    how = f"combine: {combine}, " if combine else ""
    return leaf(id, f"{how}criteria: [{', '.join(children)}]")


def required(operator: str, value: object, unit: str = "percent") -> str:
    """Return the YAML of a threshold."""
    return f'required: {{operator: "{operator}", value: {value}, unit: {unit}, as_written: "thử"}}'


def indicators_text(**kinds: str) -> str:
    """Return the YAML of indicators: code and kind, with more keys after a comma."""
    needs = {
        "ratio": 'numerator: {vi: "tử", en: "part"}, denominator: {vi: "mẫu", en: "whole"}',
        "set": 'members: [{code: "a", name: {vi: "a", en: "a"}}, '
        '{code: "b", name: {vi: "b", en: "b"}}]',
    }
    lines = []
    for code, spec in kinds.items():
        kind, _, more = spec.partition(",")
        parts = [f"code: {code}", "theme: thu", f'name: {{vi: "{code}", en: "{code}"}}']
        parts += [f"kind: {kind}", "levels: [commune]", needs.get(kind, ""), more.strip()]
        parts += [] if kind in ("attribute", "designation") else ["validity: stock"]
        lines.append(f"  - {{{', '.join(part for part in parts if part)}}}")
    return "\n".join(["indicators:", *lines, ""])


def cases_text(covers: Mapping[str, Sequence[str]], ruleset: str = SMALL) -> str:
    """Return cases that cover leaves: the facts that meet and fail each; none for report-only."""
    cases = []
    for id_, facts in covers.items():
        outcomes = ("met", "not_met", "undetermined") if facts else ("no_criterion",)
        for outcome, given in zip(outcomes, (*facts, ""), strict=True):
            cases.append(
                f'  - {{case: "{id_} {outcome}", ruleset: "{ruleset}", facts: {{{given}}}, '
                f'expect: {{"{id_}": "{outcome}"}}}}'
            )
    return "\n".join(["cases:", *cases, ""])


def pack(
    *texts: str | bytes,
    name: str = "thu",
    checks: Mapping[str, Callable[[Any, Any], bool]] | None = None,
) -> PackSource:
    """Return a pack of YAML files named `<name>/<number>.yaml`, counted from 1."""
    files = tuple(
        read_yaml(f"{name}/{number}.yaml", text if isinstance(text, bytes) else text.encode())
        for number, text in enumerate(texts, 1)
    )
    return PackSource(name=name, package=name, files=files, checks=checks or {})


def rules(*texts: str, checks: Mapping[str, Callable[[Any, Any], bool]] | None = None) -> Registry:
    """Build the registry of one small pack."""
    return build([pack(*texts, checks=checks)])


def faults_of(*packs: PackSource) -> tuple[Fault, ...]:
    """Return the faults for which the packs are refused; none if they are accepted."""
    try:
        build(packs)
    except RulesetFaults as refused:
        return refused.faults
    return ()


# --- random inputs --------------------------------------------------------------------------------


def conditions_of(condition: Condition) -> Iterable[Condition]:
    """Yield a condition and everything inside it, the conditions on members included."""
    yield condition
    for part in (*(condition.all or ()), *(condition.any or ())):
        yield from conditions_of(part)
    if condition.share:
        yield from conditions_of(condition.share.holds)


def asked_of(ruleset: str) -> list[Condition]:
    """Return every condition of a ruleset: several readings, alternatives, and all inside them."""
    found: list[Condition] = []
    for criterion in entry(ruleset).ruleset.walk():
        alternatives = criterion.reading.alternatives if criterion.reading else ()
        for condition in [one.condition for one in criterion.every_reading]:
            found.extend(conditions_of(condition))
        for condition in [one.condition for one in alternatives]:
            found.extend(conditions_of(condition))
    return found


def shares_of(ruleset: str) -> list[Share]:
    """Return every share over members on which a ruleset rests."""
    derived = [registry().indicators[code].derived for code in unit_codes(ruleset)]
    asked = [condition.share for condition in asked_of(ruleset)]
    return [share for share in (*derived, *asked) if share is not None]


@functools.cache
def unit_codes(ruleset: str) -> tuple[str, ...]:
    """Return the indicators that a ruleset reads from the unit itself."""
    codes: set[str] = set()
    for criterion in entry(ruleset).ruleset.walk():
        codes |= {criterion.indicator} if criterion.indicator else set(criterion.sum)
        alternatives = criterion.reading.alternatives if criterion.reading else ()
        codes |= {code for one in criterion.every_reading for code in one.condition.codes()}
        codes |= {code for one in alternatives for code in one.condition.codes()}
    return tuple(sorted(codes))


@functools.cache
def member_codes(ruleset: str) -> tuple[str, ...]:
    """Return the indicators that a ruleset reads from the members of the unit."""
    return tuple(sorted({code for one in shares_of(ruleset) for code in one.holds.codes()}))


@functools.cache
def goals_of(ruleset: str) -> tuple[Decimal, ...]:
    """Return every threshold of a ruleset, the ones asked of members included."""
    goals = {Decimal(0)}
    for criterion in entry(ruleset).ruleset.walk():
        if criterion.required:
            values = [criterion.required.value, *(one.value for one in criterion.required.branches)]
            goals |= {value for value in values if value is not None}
    holds = [part for share in shares_of(ruleset) for part in conditions_of(share.holds)]
    for condition in (*asked_of(ruleset), *holds):
        goals |= {Decimal(condition.at_least)} if condition.at_least is not None else set()
    return tuple(sorted(goals))


@st.composite
def ratios(draw: st.DrawFn, goals: Sequence[Decimal] = (Decimal(50),)) -> Ratio:
    """Ratios near a threshold, impossible ones (0/0, more than all) included."""
    bases = st.sampled_from((0, 1, 3, 7, 9, 63, 100, 200, 9_999, 10_000, 20_000, LARGEST_COUNT))
    base = draw(bases | st.integers(0, 40_000))
    near = int(draw(st.sampled_from(tuple(goals))) * base / 100) + draw(st.integers(-1, 1))
    part = draw(st.sampled_from((near, near, base, 0, base + 1)) | st.integers(0, base))
    return Ratio(denominator=base, numerator=min(max(part, 0), LARGEST_COUNT))


@st.composite
def percents(
    draw: st.DrawFn, goals: Sequence[Decimal] = (Decimal(50),), highest: int = 100
) -> Percent:
    """Bare percentages with 0 to 6 decimals, most of them near a threshold."""
    digits = draw(st.integers(0, 6))
    near = int(draw(st.sampled_from(tuple(goals))).scaleb(digits)) + draw(st.integers(-1, 1))
    steps = draw(
        st.sampled_from((near, near, 0, 100 * 10**digits)) | st.integers(0, 100 * 10**digits)
    )
    shown = Decimal(min(max(steps, 0), highest * 10**digits)).scaleb(-digits)
    return Percent(f"{shown:f}")


def facts(
    indicator: Indicator, goals: Sequence[Decimal] = (Decimal(50),)
) -> st.SearchStrategy[Fact]:
    """Values of an indicator, near the thresholds where there are any."""
    if indicator.kind == "ratio":
        return st.one_of(ratios(goals), ratios(goals), percents(goals))
    if indicator.kind == "count":
        return st.integers(0, 4) | st.integers(0, LARGEST_COUNT)
    if indicator.kind == "set":
        codes = [one.code for one in indicator.members]
        return st.sets(st.sampled_from(codes)).map(lambda found: tuple(sorted(found)))
    return st.booleans()


@functools.cache
def givens(code: str, ruleset: str) -> st.SearchStrategy[Given]:
    """Values with and without provenance; some are outdated or not approved."""
    plain = facts(registry().indicators[code], goals_of(ruleset))
    recorded = st.builds(
        Recorded,
        plain,
        period=st.sampled_from((None, "2024", "2021-Q3")),
        source=st.none() | st.text(max_size=8),
        status=st.sampled_from((None, "approved")),
        discounted=st.sampled_from((None, "value_outdated", "value_not_approved")),
    )
    return st.one_of(plain, plain, plain, recorded)


def some_of(codes: Iterable[str], ruleset: str) -> st.SearchStrategy[dict[str, Given]]:
    """Facts for all, or for some, of the codes."""
    values = {code: givens(code, ruleset) for code in sorted(codes)}
    return st.fixed_dictionaries(values) | st.fixed_dictionaries({}, optional=values)


@st.composite
def nearly_met(draw: st.DrawFn, ruleset: str) -> dict[str, Given]:
    """Facts that meet every criterion (those of the first worked case), but for a few of them."""
    facts = dict(entry(ruleset).cases[0].inputs.facts)
    for code in draw(st.lists(st.sampled_from(sorted(facts)), max_size=2)):
        if draw(st.booleans()):
            facts[code] = draw(givens(code, ruleset))
        else:
            facts.pop(code, None)
    return facts


def members_of(ruleset: str) -> st.SearchStrategy[tuple[Member, ...] | None]:
    """Members of all levels and types with facts of the kinds that the ruleset asks for."""
    kinds = [("commune", "xa")] * 4 + [("district", None), ("province", None)] * 2
    kinds += [("commune", "phuong"), ("commune", "thi_tran"), ("hamlet", None)]
    known = some_of(member_codes(ruleset), ruleset)
    one = st.builds(lambda kind, facts: Member(facts, *kind), st.sampled_from(kinds), known)
    return st.none() | st.lists(one, max_size=7).map(tuple)


def designations() -> st.SearchStrategy[tuple[Designation, ...]]:
    """Pilot designations, most of which exempt nobody from anything."""
    one = st.builds(
        Designation,
        date=st.sampled_from((None, datetime.date(2023, 3, 16), datetime.date(2025, 9, 1))),
        decision=st.sampled_from((*EXEMPTING, "12/QĐ-UBND")),
        model=st.sampled_from(("smart", "ecom")),
    )
    return st.just(()) | st.lists(one, max_size=3).map(tuple)


DAYS: Final = st.sampled_from(
    (
        datetime.date(2022, 8, 1),
        datetime.date(2023, 6, 1),
        DAY,
        datetime.date(2025, 6, 30),
        DISTRICTS_ENDED,
        datetime.date(2026, 1, 1),
    )
)


@functools.cache
def inputs(ruleset: str) -> st.SearchStrategy[Inputs]:
    """Everything a judgement by this built-in ruleset can depend on."""
    found = entry(ruleset).ruleset
    codes = {*unit_codes(ruleset), "free_public_wifi_commune", "digital_skills_classes_count"}
    classes = ("area_ethnic_minority_mountainous", "area_island")
    return st.builds(
        Inputs,
        as_of=DAYS,
        level=st.just(found.level),
        attributes=st.fixed_dictionaries({}, optional={one: st.booleans() for one in classes}),
        designations=designations() if found.exemption else st.just(()),
        facts=some_of(codes, ruleset) | nearly_met(ruleset),
        members=members_of(ruleset),
        period=st.sampled_from((None, "2024")),
        period_end=st.none() | DAYS,
        scope=st.sampled_from((None, "partly_in_scope", "out_of_scope")),
    )


@functools.cache
def situations() -> st.SearchStrategy[tuple[str, Inputs]]:
    """Any built-in ruleset with random inputs."""
    return st.sampled_from(RULESETS).flatmap(lambda id_: st.tuples(st.just(id_), inputs(id_)))
