"""The vocabulary: every word that an answer may use has a label in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import PREVIEW, Join, problem
from hostile import (
    BODIES,
    EVALUATION,
    FIELDS,
    GETS,
    OPERATIONS,
    VALID,
    VALUE,
    altered,
    new_evaluation,
    new_value,
    sent,
    without_report,
)

OUTCOMES = {"met", "not_met", "undetermined", "not_applicable", "no_criterion", "no_overall_rule"}
STATUSES = {
    "in_period",
    "before_issue",
    "after_period",
    "not_stated",
    "partly_in_scope",
    "out_of_scope",
}
REASONS = {
    "missing_value",
    "value_outdated",
    "rounded_value",
    "denominator_zero",
    "numerator_exceeds_denominator",
    "attribute_missing",
    "ambiguous_text",
    "level_abolished",
    "exempt_central_pilot",
    "member_value_missing",
}


async def _vocabulary(client: httpx.AsyncClient) -> dict[str, dict[str, dict[str, str]]]:
    answer = await client.get("/v1/vocabulary")
    assert answer.status_code == 200
    found: dict[str, dict[str, dict[str, str]]] = answer.json()
    return found


async def test_every_word_has_a_label_in_both_languages(client: httpx.AsyncClient) -> None:
    for name, words in (await _vocabulary(client)).items():
        assert words, name
        for word, label in words.items():
            assert set(label) == {"vi", "en"}, word
            assert label["vi"].strip(), word
            assert label["en"].strip(), word
            assert label["vi"] != label["en"], word


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("outcomes", OUTCOMES),
        ("statuses", STATUSES),
        ("reasons", REASONS),
        ("scopes", {"read", "values:write", "clients:admin"}),
        ("bases", {"explicit", "inferred", "none"}),
        ("levels", {"nation", "province", "district", "commune", "hamlet"}),
        ("kinds", {"boolean", "count", "ratio", "set", "attribute", "designation"}),
        ("value_statuses", {"reported", "superseded", "retracted"}),
        ("lineage_gaps", {"part", "percent_only", "no_value"}),
        ("validities", {"standing", "stock", "flow"}),
    ],
)
async def test_the_words_of_answers_are_in_their_list(
    client: httpx.AsyncClient, name: str, words: set[str]
) -> None:
    assert words <= set((await _vocabulary(client))[name])


async def test_every_code_of_a_problem_is_in_the_vocabulary_with_its_title(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, join: Join
) -> None:
    known = (await _vocabulary(client))["problems"]
    seen = set()
    answers = [await client.post(PREVIEW, content=b"{}")]
    answers += [await client.get(one.url) for one in GETS[::9]]
    headers = {"content-type": "application/json"}
    answers += [
        await client.post(PREVIEW, content=one.content, headers=headers)
        for one in BODIES[::3]
        if len(one.content) < 10_000
    ]
    elsewhere = (await join("86", "read", "values:write", "clients:admin")).http
    for route in OPERATIONS:
        if not route.form:
            answers += [await route.call(one) for one in (stranger, elsewhere)]
            answers += [await route.call(client, "?x=1"), await client.patch(route.path)]
        for place, values in FIELDS.get(route.name, {}).items():
            bodies = (altered(route.body, place, one) for one in values[::4])
            answers += [
                await client.request(route.method, route.path, content=sent(one), headers=headers)
                for one in bodies
            ]
    for answer in answers:
        if answer.status_code < 400:
            continue
        found = problem(without_report(answer))
        assert known[found["code"]]["vi"] == found["title"]
        seen |= {found["code"], *(one["code"] for one in found["errors"])}
    assert {"invalid-token", "outside-territory", "method-not-allowed", "unknown-scope"} <= seen
    assert len(seen) > 20
    assert seen <= set(known)


async def test_codes_that_are_promised_by_name_are_in_the_vocabulary(
    client: httpx.AsyncClient,
) -> None:
    assert {
        "invalid-token",
        "insufficient-scope",
        "not-found",
        "unit-not-found",
        "outside-territory",
        "duplicate",
        "internal-error",
        "database-unavailable",
        "method-not-allowed",
        "payload-too-large",
        "unsupported-media-type",
        "malformed-json",
        "unknown-field",
        "unknown-ruleset",
        "unknown-indicator",
        "unknown-criterion",
        "no-members",
        "ambiguous-unit",
        "unit-outside-period",
        "invalid-period",
        "duplicate-value",
        "duplicate-unit",
        "ruleset-out-of-scope",
        "value-not-found",
        "evaluation-not-found",
        "not-current",
        "check-missing",
        "evaluation-damaged",
        "other-semantics",
        "ruleset-not-found",
        "invalid-cursor",
        "rule-check-failed",
    } <= set((await _vocabulary(client))["problems"])


def _words(criteria: list[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for one in criteria:
        yield one["outcome"], one["reasons"]
        yield from _words(one["criteria"])


async def test_every_word_of_a_verdict_is_in_the_vocabulary(client: httpx.AsyncClient) -> None:
    vocabulary = await _vocabulary(client)
    rulesets = (await client.get("/v1/rulesets")).json()["items"]
    bodies: list[dict[str, Any]] = [VALID]
    for item in rulesets:
        for day in ("2001-01-01", "2024-10-10", "2025-07-01", "2100-01-01"):
            unit = {"level": item["level"]}
            bodies.append({"ruleset": item["id"], "unit": unit, "as_of": day, "members": []})
    for body in bodies:
        verdict = (await client.post(f"{PREVIEW}?texts=false", json=body)).json()
        assert verdict["outcome"] in vocabulary["outcomes"]
        assert verdict["basis"] in vocabulary["bases"]
        assert verdict["applicability"]["status"] in vocabulary["statuses"]
        for outcome, reasons in _words(verdict["criteria"]):
            assert outcome in vocabulary["outcomes"]
            assert set(reasons) <= set(vocabulary["reasons"])


async def test_every_word_of_values_and_comparisons_is_in_the_vocabulary(
    client: httpx.AsyncClient,
) -> None:
    vocabulary = await _vocabulary(client)
    number = await new_value(client)
    first = await new_evaluation(client, EVALUATION)
    later = await new_value(client, value={"numerator": 1, "denominator": 1000})
    second = await new_evaluation(client, EVALUATION)
    compared = (await client.get(f"/v1/evaluations/{first}/compare/{second}")).json()
    causes = {one["cause"] for found in compared["differences"] for one in found["causes"]}
    assert causes
    assert causes <= set(vocabulary["causes"])
    assert (
        await client.post(f"/v1/values/{later}/retract", json={"reason": "nhầm"})
    ).status_code == 200
    history = (await client.get(f"/v1/values/{number}/history?limit=500")).json()["items"]
    statuses = {one["status"] for one in history}
    assert {"superseded", "retracted"} <= statuses <= set(vocabulary["value_statuses"])
    unit = f"unit={VALUE['unit']}&on={VALUE['on']}"
    found = (await client.get(f"/v1/values?{unit}&with_predecessors=true")).json()
    gaps = {one["reason"] for added in found["computed"] for one in added["missing"]}
    assert gaps <= set(vocabulary["lineage_gaps"])
    url = f"/v1/communes/{VALUE['unit']}/standing?period=2025&on={VALUE['on']}"
    standing = (await client.get(url)).json()
    for one in standing["rulesets"]:
        assert one["outcome"] in vocabulary["outcomes"]
        assert one["basis"] in vocabulary["bases"]
        assert one["applicability"]["status"] in vocabulary["statuses"]
        assert {word for gap in one["missing"] for word in gap["reasons"]} <= set(
            vocabulary["reasons"]
        )


async def test_a_criterion_forces_by_a_word_of_the_vocabulary(client: httpx.AsyncClient) -> None:
    vocabulary = await _vocabulary(client)
    found = (await client.get("/v1/rulesets/qd924.nation")).json()
    forces = {one["required"]["force"] for one in found["criteria"] if one["required"]}
    assert forces
    assert forces <= set(vocabulary["forces"])
