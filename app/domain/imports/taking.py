"""Taking what the reading process tells: units are found, values loaded, faults put together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.imports import CHECKED, COMMITTED, REFUSED, State, placing, turns
from app.domain.imports.findings import Findings, Where
from app.domain.imports.loading import Compared, Loader, Target
from app.domain.imports.naming import Doubtful
from app.domain.imports.ordering import Task, Tell, TooMuch, level
from app.domain.reading.frames import (
    Alive,
    Bad,
    End,
    Fault,
    Note,
    Place,
    Places,
    Resolved,
    Rows,
    Table,
    Unplaced,
)
from app.domain.reading.limited import Reading, ReadingFailed
from app.domain.territory import EVERYWHERE
from app.domain.unit_periods import Unclear
from app.rules.errors import Text

BEGIN: Final = "SAVEPOINT loading"
TAKE_BACK: Final = "ROLLBACK TO SAVEPOINT loading"
RESTORED: Final = "code-zeros-restored"
_EVERY: Final = 1.0  # seconds between two words on progress
_LONGEST: Final = 10.0  # seconds for which a request waits for an import


class Taking:
    """An import under way: what was read so far, and what was made of it."""

    def __init__(self, connection: asyncpg.Connection, task: Task, tell: Tell) -> None:
        self.found = Findings()
        self._connection, self._task, self._tell = connection, task, tell
        self._territory = task.caller.territory if task.caller else EVERYWHERE
        self.tables: list[Table] = []
        self._targets: list[Target | Unclear] = []
        self._places: list[Place] = []
        self._restored: dict[int, str] = {}
        self._loads = not task.wanted.dry_run
        self._began = False
        self._end = End(0, 0)
        self._seen = self._done = 0
        self._told = self._since = time.monotonic()
        self._codes = list(task.registry.indicators)
        self._loader = Loader(
            connection, task.caller, self._codes, self._targets, task.wanted.on_conflict
        )

    async def take(self, read: Reading, frame: msgspec.Struct) -> None:
        """Take what the reading process tells; raise TooMuch where a request waits too long."""
        if self._task.most is not None and time.monotonic() - self._since > _LONGEST:
            raise TooMuch
        match frame:
            case Table():
                self.tables.append(frame)
                self._bound(frame.about or 0)
            case Places():
                await read.answer(await self._place(frame.places))
            case Rows():
                await self._load(frame)
                await self._say(frame.rows)
            case Bad():
                where = Where(frame.sheet, frame.row, frame.column)
                text = Text(frame.vi, frame.en)
                await self._reject(frame.code, text, where, frame.cells, frame.sample)
            case Unplaced():
                await self._unplaced(frame)
            case Note():
                where = Where(frame.sheet, frame.row, frame.column)
                text = Text(frame.vi, frame.en)
                self.found.warnings.add(frame.code, text, where, frame.sample, frame.count)
            case Fault():
                self.fault(frame)
            case Alive():
                await self._say(frame.rows)
            case End():
                self._end = frame

    def fault(self, fault: Fault) -> None:
        """Note why the file as a whole is refused."""
        where = Where(fault.sheet, fault.row, fault.column)
        self.found.fault(fault.code, Text(fault.vi, fault.en), where, fault.sample)

    async def _place(self, places: Sequence[Place]) -> Resolved:
        """Find the units of places; those whose zeros were lost are told of."""
        first = len(self._targets)
        placed = await placing.find(self._connection, self._territory, places)
        self._targets += placed.found
        self._places += places
        self._restored |= {first + n: sample for n, sample in placed.restored.items()}
        return Resolved([resolved(one) for one in placed.found])

    async def _load(self, frame: Rows) -> None:
        """Load good values, or only compare them where nothing may be loaded."""
        self._seen += len(frame.cells.row)
        self._bound(self._seen)
        if self._loads:
            await self._begin()
            compared = await self._loader.load(frame.cells)
        else:
            compared = await self._loader.compare(frame.cells)
        self.found.created += compared.created
        self.found.superseded += compared.superseded
        self.found.unchanged += compared.unchanged
        self._warn(frame)
        await self._leave(frame, compared)

    def _warn(self, frame: Rows) -> None:
        """Tell of the rows whose codes got their zeros back."""
        if not self._restored or self._restored.keys().isdisjoint(frame.cells.place):
            return
        for row, sheet, place in zip(
            frame.cells.row, frame.cells.sheet, frame.cells.place, strict=True
        ):
            if place in self._restored:
                table = self.tables[sheet]
                where = Where(table.sheet, row, _heading(table, "unit"))
                sample = self._restored[place]
                self.found.warnings.add(RESTORED, _RESTORED, where, sample)

    def _bound(self, values: int) -> None:
        """Raise TooMuch for more values than may be loaded at once."""
        if self._task.most is not None and values > self._task.most:
            raise TooMuch

    async def _begin(self) -> None:
        """Wait until no other import loads values of the same provinces."""
        if not self._began:
            self._began = True
            units = [one.unit for one in self._targets if isinstance(one, Target)]
            provinces = {one.province_id or one.id for one in units}
            await turns.wait_for(self._connection, provinces, self._task.patience)

    async def _leave(self, frame: Rows, compared: Compared) -> None:
        """Count values that differ from what is on record and are left alone, or reject them."""
        for one in compared.held:
            await self._reject_differing(frame, one, "value-frozen", _FROZEN)
        if self._task.wanted.on_conflict == "skip":
            self.found.skipped += len(compared.left)
            return
        for one in compared.left:
            await self._reject_differing(frame, one, "conflict-on-record", _ON_RECORD)

    async def _reject_differing(self, frame: Rows, one: int, code: str, why: Text) -> None:
        """Reject a value that differs from what is on record."""
        cells = frame.cells
        table, indicator = self.tables[cells.sheet[one]], self._codes[cells.indicator[one]]
        where = Where(table.sheet, cells.row[one], _heading(table, indicator))
        target = self._targets[cells.place[one]]
        sample = f"{target.unit.named}, {target.period.text}, {indicator}" \
            if isinstance(target, Target) else None  # fmt: skip
        await self._reject(code, why, where, 1, sample, plain=True)

    async def _unplaced(self, frame: Unplaced) -> None:
        found = self._targets[frame.place]
        if not isinstance(found, Unclear):
            raise ReadingFailed("a place was told as unclear that is clear")
        place = self._places[frame.place]
        written = place.code or place.name or place.district or place.province
        sample = found.sample if isinstance(found, Doubtful) else written
        where = Where(frame.sheet, frame.row, frame.column)
        await self._reject(found.code, found.message, where, frame.cells, sample)

    async def _reject(
        self,
        code: str,
        text: Text,
        where: Where,
        cells: int,
        sample: str | None,
        *,
        plain: bool = False,
    ) -> None:
        self.found.reject(code, text, where, cells, sample, plain=plain)
        if self._task.wanted.mode == "all":
            await self._take_back()

    async def _take_back(self) -> None:
        """Take back what was loaded; from now on values are only compared."""
        if self._loads:
            self._loads = False
            self._loader.forget()
            await self._connection.execute(TAKE_BACK)

    async def _say(self, rows: int) -> None:
        """Tell progress now and then; what is only looked through before is none."""
        if self.tables:
            self._done = max(self._done, rows)
        now = time.monotonic()
        if now - self._told >= _EVERY:
            self._told = now
            about = [one.about for one in self.tables]
            known = about and None not in about
            await self._tell(self._done, sum(one or 0 for one in about) if known else None)

    async def end(self) -> State:
        """Decide what becomes of the import; what must not stay is taken back."""
        self.found.complete()
        if self._restored and not any(o.code == RESTORED for o in self.found.warnings):
            sample = next(iter(self._restored.values()))  # of values that were refused for more
            self.found.warnings.add(RESTORED, _RESTORED, Where(), sample, len(self._restored))
        found, wanted = self.found, self._task.wanted
        refused = wanted.mode == "all" and found.rejected and not wanted.dry_run
        if found.faults or refused:
            await self._take_back()
            state: State = CHECKED if self._task.again and not found.faults else REFUSED
        else:
            state = CHECKED if wanted.dry_run else COMMITTED
        if not found.created:
            await self._take_back()
        return state

    async def note(self) -> bool:
        """Put into the audit of which units values were loaded; tell whether there were any."""
        return self._loads and await self._loader.note(self._task.id) > 0

    def report(self) -> dict[str, Any]:
        """Return the report as it is kept."""
        first = self.tables[0] if self.tables else None
        return {
            "file": {
                "format": first and first.format,
                "encoding": first and first.encoding,
                "delimiter": first and first.delimiter,
                "packed": bool(first and first.packed),
                "locale": first and first.locale,
                "form": first and first.form,
                "sheets": [one.sheet for one in self.tables if one.sheet is not None],
            },
            "fault": self.found.faults[0] if self.found.faults else None,
            "rows": self._end.rows,
            "counts": self.found.counts(),
            "conflicts": [one.shown() for one in self.found.conflicts],
            "warnings": [one.shown() for one in self.found.warnings],
        }


def resolved(found: Target | Unclear) -> tuple[int, int] | None:
    """Return a unit as the reading process knows it: number and level; None for no one unit."""
    return None if isinstance(found, Unclear) else (found.unit.id, level(found.unit.level))


def _heading(table: Table, code: str) -> str | None:
    """Return the heading of the column in which values of an indicator stand."""
    for wanted in (code, f"{code}.numerator", "value", "numerator"):
        if wanted in table.meaning:
            return table.columns[table.meaning.index(wanted)]
    return None


_RESTORED: Final = Text(
    "mã đơn vị thiếu số 0 ở đầu và đã được thêm lại; hãy để cột mã ở dạng văn bản",
    "codes of units lacked zeros in front, which were put back; keep the column of codes as text",
)
_FROZEN: Final = Text(
    "số liệu này nằm trong một hồ sơ minh chứng đang được kiểm tra nên chưa thay được; hãy chờ "
    "quyết định hoặc rút hồ sơ (xem /v1/evidence-submissions), hay bỏ dòng này",
    "a submission of evidence that is being checked contains this value, so that nothing follows "
    "it now; wait for the decision or withdraw it (see /v1/evidence-submissions), or leave the "
    "row out",
)
_ON_RECORD: Final = Text(
    "đã có số liệu khác trong hồ sơ cho đơn vị, kỳ và chỉ số này; hãy sửa dòng, hoặc gửi lại với "
    "on_conflict=new_version hay skip",
    "another value is on record for this unit, period and indicator; mend the row, or send again "
    "with on_conflict=new_version or skip",
)
