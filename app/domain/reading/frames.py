"""What the reading process and its parent say to each other: frames, each with its tag.

A frame is its length in four bytes and a struct in MessagePack. The parent sends an `Order`, and
one `Resolved` for every `Places` that it is sent. What the process sends comes in this order:
`Table` (one for every sheet that is read), `Places`, then `Rows`, `Bad`, `Unplaced` and `Note` in
the order of the file, and `End`. A `Fault` may come in the place of anything; then nothing of the
file may be loaded, whatever came before, and `End` follows. `Alive` only says that it still reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

if TYPE_CHECKING:
    from app.rules.indicators import Indicator

LARGEST_FRAME: Final = 64 * 2**20
CELLS_TOGETHER: Final = 5_000  # of a frame of rows, at most
PLACES_TOGETHER: Final = 10_000
FACT: Final = ("truth", "counted", "numerator", "denominator", "percent", "codes")


class Member(msgspec.Struct, frozen=True):
    """A code of a set indicator."""

    code: str


class Measure(msgspec.Struct, frozen=True):
    """An indicator as far as cells have to be read by it; `read_fact` takes it for one."""

    code: str
    kind: str
    name_vi: str
    name_en: str
    numerator_may_exceed_denominator: bool = False
    members: tuple[Member, ...] = ()
    levels: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()

    @classmethod
    def of(cls, indicator: Indicator) -> Measure:
        """Return an indicator of the catalogue as the reading process is told of it."""
        return cls(
            indicator.code,
            indicator.kind,
            indicator.name.vi,
            indicator.name.en,
            indicator.numerator_may_exceed_denominator,
            tuple(Member(one.code) for one in indicator.members),
            tuple(indicator.levels),
        )


class Order(msgspec.Struct, frozen=True, tag_field="t", tag="order"):
    """What to read, and how the sender says it is to be read; None is not stated.

    `media` is one of container.MEDIA. `measured` has for each level of units the codes that may be
    recorded there; its order is that of `level_index` in `Resolved`. With `only_rows` (sheet and
    row) nothing is read but the cells of those rows, for the file of what was rejected. With
    `plain` (headings) the rows are told as they are: they hold no values.
    """

    catalogue: tuple[Measure, ...]
    measured: dict[str, tuple[str, ...]]
    name: str | None = None
    media: str | None = None
    encoding: str | None = None
    locale: str | None = None
    sheet: str | None = None
    period: str | None = None
    on: str | None = None
    source: str | None = None
    measured_on: str | None = None
    only_rows: tuple[tuple[str | None, int], ...] | None = None
    plain: tuple[str, ...] | None = None


class Identity(msgspec.Struct, frozen=True):
    """Which template a workbook was made from, as its hidden sheet says."""

    ruleset: str
    digest: str
    period: str
    under: str
    on: str


class Table(msgspec.Struct, frozen=True, tag_field="t", tag="table"):
    """A table that is read. `meaning` goes with `columns`: null, `ignored`, a word or a code."""

    format: str
    packed: bool
    locale: str
    form: str
    header_row: int
    columns: tuple[str, ...]
    meaning: tuple[str | None, ...]
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    identity: Identity | None = None
    about: int | None = None


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A unit as it is written, with period and day; the parent finds the unit."""

    code: str | None
    name: str | None
    district: str | None
    province: str | None
    level: str | None
    period: str
    on: str | None


class Places(msgspec.Struct, frozen=True, tag_field="t", tag="places"):
    """Distinct places from number `first` on; each such frame is answered by one `Resolved`."""

    first: int
    places: tuple[Place, ...]


class Resolved(msgspec.Struct, frozen=True, tag_field="t", tag="resolved"):
    """For each place its unit's number and level (an index into `Order.measured`), or None."""

    units: list[tuple[int, int] | None]


class Cells(msgspec.Struct, frozen=True):
    """Values column by column, all lists equally long; numbers lead into tables and catalogue."""

    row: list[int]
    sheet: list[int]
    place: list[int]
    indicator: list[int]
    truth: list[bool | None]
    counted: list[int | None]
    numerator: list[int | None]
    denominator: list[int | None]
    percent: list[str | None]
    codes: list[str | None]
    source: list[str]
    measured_on: list[str | None]
    note: list[str | None]


class Rows(msgspec.Struct, frozen=True, tag_field="t", tag="rows"):
    """Good values, at most CELLS_TOGETHER; `rows` have been read of the file so far."""

    rows: int
    cells: Cells


class Bad(msgspec.Struct, frozen=True, tag_field="t", tag="bad"):
    """What is wrong with a row: `cells` values are lost by it that no other `Bad` has counted.

    The texts speak of no row's own words, so that equal faults have equal texts; those stand in
    `sample`. `row` is counted as the sheet does it, or an editor the lines (from 1).
    """

    sheet: str | None
    row: int
    column: str | None
    code: str
    vi: str
    en: str
    sample: str | None = None
    cells: int = 0


class Unplaced(msgspec.Struct, frozen=True, tag_field="t", tag="unplaced"):
    """A row whose place the parent has refused: it knows why, and makes a `Bad` of it."""

    sheet: str | None
    row: int
    place: int
    column: str | None
    cells: int


class Note(msgspec.Struct, frozen=True, tag_field="t", tag="note"):
    """A warning, nothing is lost: of one row, or (without) of `count` places in the file."""

    code: str
    vi: str
    en: str
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    sample: str | None = None
    count: int = 1


class Fault(msgspec.Struct, frozen=True, tag_field="t", tag="fault"):
    """Why the file as a whole is refused; several may come."""

    code: str
    vi: str
    en: str
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    sample: str | None = None


class Originals(msgspec.Struct, frozen=True, tag_field="t", tag="originals"):
    """Rows as they were sent, to be mended: `header` names every column so that it is known again.

    A row is its sheet, its number and as many cells as there are headings.
    """

    header: tuple[str, ...]
    rows: list[tuple[str | None, int, list[str]]]


class Plain(msgspec.Struct, frozen=True, tag_field="t", tag="plain"):
    """Rows as they are: number and cells, null for a cell that cannot be read."""

    rows: list[tuple[int, list[str | None]]]


class Alive(msgspec.Struct, frozen=True, tag_field="t", tag="alive"):
    """So many rows were looked at."""

    rows: int


class End(msgspec.Struct, frozen=True, tag_field="t", tag="end"):
    """All was read: rows with values, and values (good, bad and unplaced together)."""

    rows: int
    cells: int


Told = (
    Table | Places | Rows | Bad | Unplaced | Note | Fault | Originals | Plain | Alive | End
)  # fmt: skip
_encoder: Final = msgspec.msgpack.Encoder()
_LENGTH: Final = 4


def packed(frame: msgspec.Struct) -> bytes:
    """Return a frame as it travels."""
    content = _encoder.encode(frame)
    return len(content).to_bytes(_LENGTH, "big") + content


def length(head: bytes) -> int:
    """Return how long a frame is by its first four bytes; raise ValueError for too long a one."""
    found = int.from_bytes(head, "big")
    if found > LARGEST_FRAME:
        raise ValueError("a frame is too long")
    return found


def read(stream: BinaryIO) -> bytes:
    """Return the next frame of a stream; raise EOFError where it ends."""
    head = stream.read(_LENGTH)
    content = stream.read(length(head)) if len(head) == _LENGTH else b""
    if len(head) < _LENGTH or len(content) < length(head):
        raise EOFError("the other side is gone")
    return content
