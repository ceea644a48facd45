"""All rulesets and indicators of all packs, compiled; or one report of every fault of every pack.

Order never matters: there is no inheritance and no override between packs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from app.rules.cases import Case
from app.rules.casework import EVERYTHING, CaseFault, Worked, disagreements, uncovered, work_out
from app.rules.errors import CheckFailed, Fault, RulesetFaults, Text
from app.rules.evaluate import Compiled, codes_in, conditions_of
from app.rules.indicators import Indicator
from app.rules.names import check_faults, indicator_faults, placed, ruleset_faults
from app.rules.packs import PackSource, Parsed, Place, parse
from app.rules.ruleset import Criterion, Ruleset
from app.rules.slots import Slots, slot_faults, slots_of


class Entry(msgspec.Struct, frozen=True):
    """A compiled ruleset, where it was found, and the cases that exercise each criterion."""

    compiled: Compiled
    package: str
    parsed: Parsed
    cases: tuple[Worked, ...]

    @property
    def ruleset(self) -> Ruleset:
        """The ruleset as data."""
        return self.compiled.ruleset

    def origin(self, criterion_id: str) -> tuple[str, int | None]:
        """Return the file and line where a criterion (or the ruleset itself) is written."""
        for place, criterion in placed(self.ruleset):
            if criterion.id == criterion_id:
                return self.parsed.source.path, self.parsed.source.line((*place, "id"))
        return self.parsed.source.path, self.parsed.source.line(("ruleset",))

    def covering(self, criterion_id: str) -> tuple[Worked, ...]:
        """Return the cases that say themselves how this criterion comes out."""
        return tuple(
            one
            for one in self.cases
            if criterion_id in one.case.expect or EVERYTHING in one.case.expect
        )


class Registry(msgspec.Struct, frozen=True):
    """Everything the service can evaluate."""

    entries: Mapping[str, Entry]
    indicators: Mapping[str, Indicator]
    slots: Slots = {}

    def criterion(self, criterion_id: str) -> tuple[Entry, Criterion] | None:
        """Find a criterion of any ruleset by its id."""
        for entry in self.entries.values():
            for criterion in entry.ruleset.walk():
                if criterion.id == criterion_id:
                    return entry, criterion
        return None

    def levels_read(self, code: str) -> set[str]:
        """Return the levels of the units of which rulesets read an indicator."""
        return {
            level
            for entry in self.entries.values()
            if code in entry.compiled.unit_codes
            for level in (entry.ruleset.level, *entry.ruleset.also_levels)
        }

    def levels_recorded(self, code: str) -> set[str]:
        """Return the levels at which values of an indicator may be recorded: measured or read."""
        return {*self.indicators[code].levels, *self.levels_read(code)}

    def uses(self, code: str) -> Iterator[tuple[Entry, Criterion]]:
        """Yield the criteria that read an indicator from the unit or from its members."""
        for entry in self.entries.values():
            for criterion in entry.ruleset.walk():
                if code in reads(criterion, self.indicators):
                    yield entry, criterion


def reads(criterion: Criterion, catalogue: Mapping[str, Indicator]) -> set[str]:
    """Return every code a criterion itself rests on: values, area classes, values of members."""
    codes = {criterion.indicator} if criterion.indicator else set(criterion.sum)
    shares = []
    for condition in conditions_of(criterion):
        codes |= condition.codes()
        shares.extend(condition.shares())
    for branch in criterion.required.branches if criterion.required else ():
        codes |= set(branch.when_any)
    shares.extend(derived for code in codes if (derived := catalogue[code].derived))
    return codes | {code for share in shares for code in share.holds.codes()}


def build(packs: Iterable[PackSource]) -> Registry:
    """Check and compile all packs; raise RulesetFaults with every fault of every pack."""
    faults: list[Fault] = []
    sources = sorted(packs, key=lambda pack: pack.name)
    parsed, unread = _parse_all(sources, faults)
    for pack in sources:
        faults.extend(check_faults(pack))
    catalogue = _indicators(parsed, faults)
    rulesets = _rulesets(parsed)
    faults.extend(_duplicates(rulesets))
    slips = [found for one in parsed for found in indicator_faults(one, catalogue)]
    faults.extend(fault for _, fault in slips)
    unsound = {code for code, _ in slips}
    entries = {}
    for one, ruleset in sorted(rulesets, key=lambda found: found[1].ruleset):
        named = list(ruleset_faults(one, ruleset, catalogue))
        faults.extend(named)
        if not named and not unsound & codes_in(ruleset):
            compiled = Compiled(ruleset, catalogue, one.pack.checks)
            cases = _run(one, compiled, parsed, catalogue, faults)
            entries[ruleset.ruleset] = Entry(compiled, one.pack.package, one, cases)
    # Where a file of a pack could not be read, its cases may belong to what it holds.
    whole = [one for one in parsed if one.pack.name not in unread]
    faults.extend(_homeless(whole, rulesets))
    read = [one for one in rulesets if one[0].pack.name not in unread]
    faults.extend(slot_faults(whole, read))
    if faults:
        raise RulesetFaults(faults)
    return Registry(entries, catalogue, slots_of(parsed, rulesets))


def _parse_all(sources: Iterable[PackSource], faults: list[Fault]) -> tuple[list[Parsed], set[str]]:
    """Return what could be read, and the names of packs of which some file could not."""
    parsed: list[Parsed] = []
    unread: set[str] = set()
    for pack in sources:
        for source in pack.files:
            found = parse(pack, source, faults)
            if found is None:
                unread.add(pack.name)
            else:
                parsed.append(found)
    return parsed, unread


def _indicators(parsed: Iterable[Parsed], faults: list[Fault]) -> dict[str, Indicator]:
    found: dict[str, Indicator] = {}
    for one in parsed:
        for number, indicator in enumerate(getattr(one.model, "indicators", ())):
            known = found.setdefault(indicator.code, indicator)
            if known != indicator:
                message = Text(
                    f"chỉ số “{indicator.code}” đã được khai báo khác ở nơi khác; hãy dùng mã mới",
                    f"the indicator “{indicator.code}” is defined differently elsewhere; "
                    "use a new code",
                )
                place: Place = ("indicators", number, "code")
                faults.append(one.source.fault(place, "redefined-indicator", message))
    return dict(sorted(found.items()))


def _rulesets(parsed: Iterable[Parsed]) -> list[tuple[Parsed, Ruleset]]:
    return [(one, one.model) for one in parsed if isinstance(one.model, Ruleset)]


def _duplicates(rulesets: Iterable[tuple[Parsed, Ruleset]]) -> Iterator[Fault]:
    """Yield a fault at every place of an id that is used more than once, in whatever pack."""
    places: dict[str, list[tuple[Parsed, Place]]] = {}
    for one, ruleset in rulesets:
        places.setdefault(ruleset.ruleset, []).append((one, ("ruleset",)))
        for place, criterion in placed(ruleset):
            places.setdefault(criterion.id, []).append((one, (*place, "id")))
    for id_, found in places.items():
        for one, place in found if len(found) > 1 else ():
            others = [
                f"{other.source.path}:{other.source.line(where)}"
                for other, where in found
                if (other, where) != (one, place)
            ]
            message = Text(
                f"mã “{id_}” còn dùng tại {', '.join(others)}; mỗi mã chỉ dùng một lần",
                f"the id “{id_}” is also used at {', '.join(others)}; an id is used once",
            )
            yield one.source.fault(place, "duplicate-id", message)


def _cases(parsed: Iterable[Parsed]) -> Iterator[tuple[Parsed, Place, Case]]:
    for one in parsed:
        for number, case in enumerate(getattr(one.model, "cases", ())):
            yield one, ("cases", number), case


def _homeless(
    parsed: Iterable[Parsed], rulesets: Iterable[tuple[Parsed, Ruleset]]
) -> Iterator[Fault]:
    homes = {(one.pack.name, ruleset.ruleset) for one, ruleset in rulesets}
    for one, place, case in _cases(parsed):
        if (one.pack.name, case.ruleset) not in homes:
            message = Text(
                f"gói không có bộ quy tắc “{case.ruleset}”",
                f"the pack has no ruleset “{case.ruleset}”",
            )
            yield one.source.fault((*place, "ruleset"), "unknown-ruleset", message)


def _run(
    owner: Parsed,
    compiled: Compiled,
    parsed: Iterable[Parsed],
    catalogue: Mapping[str, Indicator],
    faults: list[Fault],
) -> tuple[Worked, ...]:
    """Run the cases of one ruleset; add what fails and what is not covered to `faults`."""
    mine = [
        (one, place, case)
        for one, place, case in _cases(parsed)
        if one.pack is owner.pack and case.ruleset == compiled.ruleset.ruleset
    ]
    named = {case.case: case for _, _, case in mine}
    worked = []
    for one, place, case in mine:
        faults.extend(_strange_classes(one, place, case, catalogue))
        if named[case.case] is not case:
            message = Text("tên trường hợp bị trùng", "another case has the same name")
            faults.append(one.source.fault((*place, "case"), "duplicate-case", message))
            continue
        try:
            found = work_out(case, named, compiled)
            judgement = compiled.evaluate(found.inputs)
        except CaseFault as error:
            faults.append(one.source.fault((*place, *error.place), "case-unusable", error.message))
            continue
        except CheckFailed as error:
            message = Text(f"phép kiểm tra “{error.check}” bị lỗi", f"check “{error.check}” failed")
            faults.append(one.source.fault(place, "check-failed", message))
            continue
        worked.append(found)
        for what, expected, got in disagreements(found, judgement):
            message = Text(
                f"{what}: cần {expected}, kết quả là {got}",
                f"{what}: expected {expected}, got {got}",
            )
            faults.append(one.source.fault(place, "case-failed", message))
    faults.extend(_uncovered(owner, compiled.ruleset, worked))
    return tuple(worked)


def _strange_classes(
    one: Parsed, place: Place, case: Case, catalogue: Mapping[str, Indicator]
) -> Iterator[Fault]:
    """Yield the area classes of a case that nobody declares."""
    for name in case.attributes:
        if name not in catalogue or catalogue[name].kind != "attribute":
            message = Text(
                f"không có phân loại địa bàn “{name}”", f"there is no area class “{name}”"
            )
            yield one.source.fault((*place, "attributes", name), "case-unusable", message)


def _uncovered(owner: Parsed, ruleset: Ruleset, worked: list[Worked]) -> Iterator[Fault]:
    places = {criterion.id: place for place, criterion in placed(ruleset)}
    for id_, outcome in uncovered(ruleset, worked):
        yield owner.source.fault(
            places[id_], "uncovered",
            Text(f"chưa có trường hợp nào cho {id_} với kết quả {outcome}; thêm vào cases",
                 f"no case covers {id_} with outcome {outcome}; add one to cases"),
        )  # fmt: skip
