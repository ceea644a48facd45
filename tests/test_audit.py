"""The audit: every change is in it, by its own transaction; nothing in it is ever changed."""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Mapping
from typing import Final, NamedTuple

import asyncpg
import httpx
import pytest
from conftest import ANYTHING, Join
from hostile import FILE, OPERATIONS, Operation, fresh_decision

from app.database import Database, driver_of
from app.domain.audit import Act, note

OFFICIAL: Final = {"id": "CB-0042", "office": "UBND xã", "position": "Chủ tịch"}
_DAYS: Final = itertools.count()


class Writes(NamedTuple):
    """What an operation writes: the action in the audit, and a table of the same transaction.

    `by_its_maker` tells that only the client that made a thing may change it.
    """

    action: str
    table: str
    says_official: bool = True
    by_its_maker: bool = False


SLOT: Final = "/v1/evidence-submissions/{id}/slots/{slot}"
WRITING: Final[Mapping[str, Writes]] = {
    "POST /v1/evaluations": Writes("evaluation.conducted", "evaluation"),
    "POST /v1/values": Writes("values.recorded", "value"),
    "POST /v1/values/import": Writes("values.recorded", "value", says_official=False),
    "POST /v1/imports": Writes("values.imported", "value", says_official=False),
    "POST /v1/imports/{id}/commit": Writes(
        "values.imported", "value", says_official=False, by_its_maker=True
    ),
    "POST /v1/jobs/{id}/cancel": Writes(
        "job.cancelled", "job", says_official=False, by_its_maker=True
    ),
    "POST /v1/evaluation-runs": Writes("evaluation-run.begun", "evaluation_run"),
    "POST /v1/values/{id}/retract": Writes("value.retracted", "value_event"),
    "PUT /v1/communes/{code}/values/{period}/{indicator}": Writes("values.recorded", "value"),
    "PUT /v1/communes/{code}/attributes/{name}": Writes("attribute.recorded", "unit_attribute"),
    "PUT /v1/units/{code}/identifiers/{scheme}": Writes("identifier.recorded", "unit_identifier"),
    "POST /v1/communes/{code}/designations": Writes("designation.recorded", "designation"),
    "POST /v1/designations/{id}/withdraw": Writes(
        "designation.withdrawn", "designation_withdrawal"
    ),
    "POST /v1/communes/{code}/hamlets": Writes("hamlet.entered", "unit"),
    "POST /v1/clients": Writes("client.added", "client"),
    "POST /v1/clients/{client_id}/revoke": Writes("client.revoked", "client", False),
    "POST /v1/clients/{client_id}/secrets": Writes("client.secret-added", "client_secret", False),
    "DELETE /v1/clients/{client_id}/secrets/{id}": Writes(
        "client.secret-retired", "client_secret", says_official=False
    ),
    "POST /v1/evidence-submissions": Writes("submission.opened", "evidence_submission"),
    "PUT /v1/evidence-submissions/{id}/parts": Writes("evidence.parts-stated", "evidence_part"),
    "POST /v1/evidence-submissions/{id}/transitions": Writes(
        "submission.submitted", "evidence_event"
    ),
    "POST /v1/evidence-submissions/decisions": Writes("submission.submitted", "evidence_version"),
    "DELETE /v1/evidence-submissions/{id}/names": Writes(
        "evidence.names-deleted", "evidence_submission", says_official=False
    ),
    f"PUT {SLOT}/confirmations": Writes("evidence.confirmed", "evidence_confirmation"),
    f"POST {SLOT}/findings": Writes("evidence.found", "evidence_finding"),
    f"PUT {SLOT}/rows": Writes("evidence.list-recorded", "evidence_list", says_official=False),
    f"DELETE {SLOT}/rows": Writes("evidence.list-removed", "evidence_list", says_official=False),
    f"GET {SLOT}/names": Writes("evidence.names-read", "audit_pending", says_official=False),
    f"PUT {SLOT}/files/{{name}}": Writes(
        "evidence.file-recorded", "evidence_file", says_official=False
    ),
    f"DELETE {SLOT}/files/{{name}}": Writes(
        "evidence.file-removed", "evidence_file", says_official=False
    ),
    "POST /v1/grants": Writes("grant.given", "data_grant"),
    "POST /v1/grants/{id}/revoke": Writes("grant.revoked", "data_grant", False),
}
# They change nothing that is on record.
READING: Final = {
    "POST /v1/oauth/token", "POST /v1/evaluations/preview", "POST /v1/evaluations/{id}/replay",
    "POST /v1/units/resolve", "POST /v1/impact",
}  # fmt: skip
changes = pytest.mark.parametrize(
    "route",
    [one for one in OPERATIONS if f"{one.method} {one.template}" in WRITING],
    ids=lambda one: one.name,
)


def test_every_operation_that_writes_is_known_here() -> None:
    """An operation that is no GET either has its action here, or is known to write nothing."""
    found = {f"{one.method} {one.template}" for one in OPERATIONS if one.method != "GET"}
    assert found | {f"GET {SLOT}/names"} == set(WRITING) | READING


def _fresh(route: Operation) -> Operation:
    """Return the operation with a body that says something new."""
    if route.of_commune:  # of a submission that was made for it alone
        return route
    if route.csv:
        return route._replace(body=FILE.replace("Báo cáo 13", fresh_decision()))
    if not isinstance(route.body, dict):
        return route
    body = dict(route.body)
    if "values" in body:
        body["values"] = [body["values"][0] | {"source": fresh_decision()}]
    elif "/identifiers/" in route.template:
        body["value"] = fresh_decision()
    elif route.method == "PUT":
        body["source"] = fresh_decision()
    if "/attributes/" in route.template:
        first = datetime.date(1990, 1, 1) + datetime.timedelta(days=next(_DAYS))
        body |= {"from": str(first), "to": str(first + datetime.timedelta(days=1))}
    return route._replace(body=body)


async def _newest(database: Database) -> int:
    async with database.reading() as connection:
        return int(await connection.fetchval("SELECT coalesce(max(id), 0) FROM audit_entry"))


@changes
async def test_a_change_is_in_the_audit_by_its_own_transaction(
    join: Join, client: httpx.AsyncClient, database: Database, route: Operation
) -> None:
    """One entry for one change: who, what, which request; written by the transaction of the row."""
    member = await join("VN")
    wanted = WRITING[f"{route.method} {route.template}"]
    maker = member.http if wanted.by_its_maker else client
    ready = _fresh(await route.ready(maker))
    if wanted.says_official and "/decisions" not in route.template:
        ready = ready._replace(body={**ready.body, "acting_official": OFFICIAL})
    before = await _newest(database)
    answer = await ready.call(member.http, headers=ANYTHING)
    assert answer.status_code in (200, 201, 202, 204), answer.text
    statement = f"SELECT *, xmin::text::bigint AS x, EXISTS (SELECT FROM {wanted.table} t WHERE " \
        "t.xmin = a.xmin) AS together FROM audit_entry a WHERE id > $1"  # fmt: skip
    async with database.reading() as connection:
        (entry,) = await connection.fetch(statement, before)
        pending = await connection.fetchval(
            "SELECT xmin::text::bigint FROM audit_pending WHERE audit_id = $1", entry["id"]
        )
    assert entry["together"], "the change is of another transaction"
    assert pending == entry["x"]
    told = (entry["action"], entry["client"], entry["request_id"])
    sender = ready.sent_by or member
    assert told == (wanted.action, sender.client_id, answer.headers["x-request-id"])
    assert entry["unit_id"] is not None
    official = {name: entry[f"official_{name}"] for name in OFFICIAL}
    said = ready.body["decisions"][0]["acting_official"] if "/decisions" in route.path else OFFICIAL
    assert official == (said if wanted.says_official else dict.fromkeys(OFFICIAL))
    assert json.loads(entry["details"])


async def test_a_refused_change_leaves_nothing_in_the_audit(
    client: httpx.AsyncClient, database: Database
) -> None:
    """What is taken back takes its entry along: a bad row in the middle, a conflict at the end."""
    values = [{"unit": "07894", "on": "2025-08-01", "period": "2025", "value": True,
               "indicator": one, "source": fresh_decision()}
              for one in ("digital_teaching_services", "nope")]  # fmt: skip
    before = await _newest(database)
    assert (await client.post("/v1/values", json={"values": values})).status_code == 422
    assert await _newest(database) == before
    with pytest.raises(ZeroDivisionError):
        await _noted_and_failed(database)
    assert await _newest(database) == before


async def _noted_and_failed(database: Database) -> None:
    async with database.writing() as connection:
        await note(connection, None, [Act("values.recorded", (1, None, None))])
        raise ZeroDivisionError


@pytest.mark.parametrize("table", ["audit_entry", "audit_seal"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET audit = audit", "DELETE FROM {}", "DELETE FROM {} WHERE false", "TRUNCATE {}"],
)
async def test_nobody_changes_the_audit(database: Database, table: str, statement: str) -> None:
    """UPDATE, DELETE and TRUNCATE are refused (42501) to the service and to the owner."""
    column = "client" if table == "audit_entry" else "hash"
    asked = statement.format(table).replace("audit = audit", f"{column} = {column}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.writing() as connection:
            await connection.execute(asked)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
        async with database.as_owner() as connection:
            await (await driver_of(connection)).execute(asked)
