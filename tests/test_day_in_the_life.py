"""A day in the life of a smart commune: from its lists of names to a verdict that is approved.

Real units, over HTTP, by each office with a client of its own and nothing else.
"""

from __future__ import annotations

import datetime

import httpx
from conftest import Described
from own_database import own
from submission_calls import (
    LAST_DAY,
    NEW,
    NEW_DAY,
    OLD,
    OLD_DAY,
    RULESET,
    SUBMISSIONS,
    Item,
    Offices,
    acted,
    moved,
    opened,
    slots,
    working,
)

settings, database, service = own("life")
offices, team = working(OLD_DAY)
PARTS = [{"code": f"KDC-{number:02}", "name": f"Khu {number}"} for number in range(1, 4)]
CODES = [part["code"] for part in PARTS]
# Slot, its indicator, its form's people per part, and who signs besides the commune.
LISTS = {
    "phutho.1.1.1.list": ("adults_smartphone_internet_rate", 3, True),
    "phutho.1.1.2.list": ("commune_hamlet_cadres_smartphone_internet_rate", 1, False),
    "phutho.1.3.1.list": ("working_age_epayment_account_rate", 3, True),
    "phutho.1.3.2.list": ("registered_service_business_online_payment_rate", 2, True),
    "phutho.1.3.3.list": ("digital_coop_or_producer_traceability_model", 1, False),
}
FILES = ("phutho.1.2.3.documents", "phutho.1.2.4.statement", "phutho.1.2.5.statement",
         "phutho.1.4.1.statement")  # fmt: skip
CHECKS = ("phutho.1.2.1.check", "phutho.1.2.2.check", "phutho.1.3.3.list",
          "phutho.1.4.2.appraisal", "phutho.1.4.u3.appraisal")  # fmt: skip
YES = (
    "modern_electronic_one_stop", "commune_digital_team_decision",
    "commune_digital_team_plan_and_activities", "digital_platform_commune_to_hamlets",
    "commune_radio_ict_compliant", "commune_radio_linked_provincial_source",
    "commune_website_exists", "commune_website_content_current",
    "commune_website_editorial_board", "commune_social_media_account",
    "digital_coop_or_producer_traceability_model", "hamlet_security_cameras_linked_police",
    "security_feedback_channel", "digital_healthcare_services", "digital_teaching_services",
)  # fmt: skip
SHARES = {
    "adults_smartphone_internet_rate": (9, 10),
    "commune_hamlet_cadres_smartphone_internet_rate": (3, 3),
    "admin_dossiers_received_resolved_online_rate": (80, 100),
    "working_age_epayment_account_rate": (9, 10),
    "registered_service_business_online_payment_rate": (6, 8),
}
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


class Commune:
    """The commune's office at work on one submission."""

    def __init__(self, http: httpx.AsyncClient, offices: Offices, unit: str, period: str) -> None:
        self.http, self._offices, self.unit, self.period = http, offices, unit, period
        self.id = 0

    async def report(self) -> None:
        """Put the values of the period on record: claims as yet."""
        facts: Item = dict.fromkeys(YES, True) | {
            code: {"numerator": share[0], "denominator": share[1]} for code, share in SHARES.items()
        }
        values = [
            {"unit": self.unit, "period": self.period, "indicator": code, "value": fact,
             "source": "Báo cáo của xã"}
            for code, fact in facts.items()
        ]  # fmt: skip
        answer = await self.http.post("/v1/values", json={"values": values})
        assert answer.status_code == 201, answer.text[:500]

    async def open(self) -> None:
        """Open a submission with three khu dân cư."""
        self.id = (await opened(self.http, self.unit, self.period, parts=PARTS))["id"]

    async def list_part(self, slot: str, part: str | None, size: int) -> Item:
        """Send the list of a part, or of all."""
        rows = [
            {"number": number, "name": f"Nguyễn Văn {part} {number}", "note": None}
            for number in range(1, size + 1)
        ]
        answer = await self.http.put(
            f"{self._at(slot)}/rows",
            params={} if part is None else {"part": part},
            json={"rows": rows, "total": size},
        )
        assert answer.status_code == 200, answer.text[:500]
        found: Item = answer.json()
        return found

    async def fill(self, without: str = "") -> None:
        """Fill every slot: lists in parts, files, checks; sign all but one part."""
        for slot, (_, size, in_parts) in LISTS.items():
            for part in CODES if in_parts else [None]:
                await self.list_part(slot, part, size if in_parts else 3)
            await self.sign(slot, in_parts, without)
        for slot in FILES:
            answer = await self.http.put(f"{self._at(slot)}/files/quyet-dinh.pdf", content=PDF)
            assert answer.status_code == 201, answer.text[:500]
        for slot in CHECKS:
            await self.check(slot)

    async def sign(self, slot: str, in_parts: bool, without: str = "") -> None:
        """Say who has signed: the commune, and each khu dân cư but one."""
        day = str(self._offices.clock.day)
        signed = [{"who": "UBND xã", "signed_on": day}]
        if in_parts:
            signed += [
                {"who": "khu dân cư", "part": part["code"], "signed_on": day}
                for part in PARTS
                if part["code"] != without
            ]
        answer = await self.http.put(
            f"{self._at(slot)}/confirmations", json={"confirmations": signed}
        )
        assert answer.status_code == 200, answer.text[:500]

    async def check(self, slot: str) -> None:
        """Record what was found in a check."""
        body = {
            "kind": "field", "found_on": str(self._offices.clock.day), "place": "tại xã",
            "seen": "Đúng như báo cáo", "holds": True,
            "acting_official": {"id": "CB-7", "office": "Tổ kiểm tra xã", "position": "Tổ trưởng"},
        }  # fmt: skip
        answer = await self.http.post(f"{self._at(slot)}/findings", json=body)
        assert answer.status_code == 201, answer.text[:500]

    async def verdict(self, **more: str) -> Item:
        """Judge the commune; return the verdict."""
        body = {"ruleset": RULESET, "unit": self.unit, "period": self.period} | more
        answer = await self.http.post("/v1/evaluations", json=body)
        assert answer.status_code == 201, answer.text[:500]
        found: Item = answer.json()
        return found

    def _at(self, slot: str) -> str:
        return f"{SUBMISSIONS}/{self.id}/slots/{slot}"


def _evidence(verdict: Item, slot: str) -> Item:
    def walk(criteria: list[Item]) -> Item | None:
        for one in criteria:
            for evidence in one["evidence"]:
                if evidence["slot"] == slot:
                    return dict(evidence)
            if (found := walk(one["criteria"])) is not None:
                return found
        return None

    found = walk(verdict["criteria"])
    assert found is not None
    return found


async def test_from_lists_of_names_to_an_approved_verdict(
    offices: Offices, described: Described
) -> None:
    """March 2025: filled in parts, returned once, verified, appraised, approved; met, complete."""
    team = await offices.of(OLD)
    commune = Commune(team["commune"], offices, OLD["commune"], "2024")
    await commune.report()
    claims = await commune.verdict()
    assert (claims["outcome"], claims["evidence_complete"]) == ("met", False)
    assert claims["evidence_submission"] is None
    strict = await commune.verdict(min_status="approved")
    assert (strict["outcome"], strict["reasons"]) == ("undetermined", ["value_not_approved"])

    await commune.open()
    await commune.fill(without="KDC-03")
    one = (await slots(team["commune"], commune.id))["phutho.1.1.1.list"]
    assert (one["list_total"], one["claimed_numerator"], one["stated_total"]) == (9, 9, 9)
    assert one["parts"] == {"received": 3, "of": 3}
    assert [who["parts"] for who in one["confirmations"]] == [
        {"signed": 1, "of": 1}, {"signed": 2, "of": 3}
    ]  # fmt: skip
    await moved(team["commune"], commune.id, "submit", "commune", OLD_DAY)
    returned = await moved(team["district"], commune.id, "return", "district", OLD_DAY)
    assert returned["history"][-1]["items"][0]["slot"] == "phutho.1.1.1.list"

    await moved(team["commune"], commune.id, "reopen", "commune", OLD_DAY)
    for slot, (_, _, in_parts) in LISTS.items():
        await commune.sign(slot, in_parts)
    assert all(one["complete"] for one in (await slots(team["commune"], commune.id)).values())
    await moved(team["commune"], commune.id, "submit", "commune", OLD_DAY)
    waiting = await commune.verdict()
    assert waiting["evidence_complete"] is True
    assert waiting["evidence_submission"]["state"] == "submitted"

    frozen = await team["commune"].post("/v1/values", json={"values": [{
        "unit": commune.unit, "period": "2024", "indicator": "digital_teaching_services",
        "value": False, "source": "sửa"}]})  # fmt: skip
    assert (frozen.status_code, frozen.json()["code"]) == (409, "value-frozen")
    assert f"số {commune.id} " in frozen.json()["detail"]

    await moved(team["district"], commune.id, "verify", "district", OLD_DAY)
    await moved(team["department"], commune.id, "appraise", "department", OLD_DAY)
    await moved(team["province"], commune.id, "approve", "province", OLD_DAY)
    found = await commune.verdict(min_status="approved")
    assert (found["outcome"], found["evidence_complete"]) == ("met", True)
    assert found["evidence_submission"] == {
        "id": commune.id, "version": 2, "state": "approved", "other_values": []
    }  # fmt: skip
    shown = _evidence(found, "phutho.1.3.1.list")
    assert (shown["present"], shown["complete"], shown["missing"]) == (True, True, [])
    assert [who["parts"]["signed"] for who in shown["confirmations"]] == [1, 3]
    assert _evidence(claims, "phutho.1.3.1.list")["present"] is False
    read = await team["province"].get(f"/v1/evaluations/{found['id']}")
    described.judge(read)
    assert read.json() == found
    changed = await team["district"].get(
        f"{SUBMISSIONS}/{commune.id}/diff", params={"from": 1, "to": 2}
    )
    assert {one["slot"] for one in changed.json()["slots"]} == {
        slot for slot, (_, _, in_parts) in LISTS.items() if in_parts
    }


async def test_a_correction_is_a_new_value_and_a_new_submission(offices: Offices) -> None:
    """After approval a value may be followed: verdicts that rested on it say so."""
    team = await offices.of(OLD)
    commune = Commune(team["commune"], offices, OLD["commune"], "2023")
    await commune.report()
    await commune.open()
    await commune.fill()
    for action, step in (("submit", "commune"), ("verify", "district"),
                         ("appraise", "department"), ("approve", "province")):  # fmt: skip
        await moved(team[step], commune.id, action, step, OLD_DAY)
    before = await commune.verdict(min_status="approved")
    assert before["outcome"] == "met"
    answer = await team["commune"].post("/v1/values", json={"values": [{
        "unit": commune.unit, "period": "2023", "indicator": "digital_teaching_services",
        "value": False, "source": "sửa"}]})  # fmt: skip
    assert answer.status_code == 201, answer.text
    after = (await team["commune"].get(f"/v1/evaluations/{before['id']}")).json()
    (gone,) = after["followed_values"]
    assert gone["status"] == "superseded"
    assert gone["followed_by"] == answer.json()["items"][0]["id"]
    now = await commune.verdict(min_status="approved")
    assert (now["outcome"], now["reasons"]) == ("undetermined", ["value_not_approved"])
    lenient = await commune.verdict()
    assert lenient["evidence_submission"]["other_values"] == ["digital_teaching_services"]
    again = Commune(team["commune"], offices, OLD["commune"], "2023")
    await again.open()
    assert again.id != commune.id


async def test_a_commune_of_today(offices: Offices) -> None:
    """Since 1 July 2025 without a district: appraised and approved by the province."""
    offices.clock.day = datetime.date(2026, 11, 2)
    team = await offices.of(NEW)
    commune = Commune(team["commune"], offices, NEW["commune"], "2026")
    await commune.report()
    await commune.open()
    await commune.fill()
    day = offices.clock.day
    for action, step in (("submit", "commune"), ("appraise", "department"),
                         ("approve", "province")):  # fmt: skip
        await moved(team[step], commune.id, action, step, day)
    found = await commune.verdict(min_status="approved")
    assert (found["outcome"], found["evidence_complete"]) == ("met", True)


async def test_one_in_flight_on_the_first_of_july(offices: Offices) -> None:
    """Submitted on the last day of the districts: its history stays, the province goes on."""
    offices.clock.day = LAST_DAY
    team = await offices.of(OLD)
    commune = Commune(team["commune"], offices, OLD["commune"], "2022")
    await commune.report()
    await commune.open()
    await commune.fill()
    await moved(team["commune"], commune.id, "submit", "commune", LAST_DAY)
    offices.clock.day = NEW_DAY
    late = await acted(team["district"], commune.id, "verify", "district", NEW_DAY)
    assert late.status_code == 409
    # The province of today reaches the past of the provinces it was made of.
    today = {
        "department": await offices.joined("25", "read", "evidence:appraise"),
        "province": await offices.joined("25", "read", "evidence:approve"),
    }
    await moved(today["department"], commune.id, "appraise", "department", NEW_DAY)
    shown = await moved(today["province"], commune.id, "approve", "province", NEW_DAY)
    assert [(one["step"], one["day"]) for one in shown["history"]] == [
        ("commune", str(LAST_DAY)), ("department", str(NEW_DAY)), ("province", str(NEW_DAY))
    ]  # fmt: skip
    found = await commune.verdict(min_status="approved")
    assert (found["outcome"], found["evidence_complete"]) == ("met", True)
