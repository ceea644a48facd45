"""What can be wrong with the audit, in words that say what to do next."""

from __future__ import annotations

from typing import Final

import msgspec

from app.rules.errors import Text


class Damage(msgspec.Struct, frozen=True):
    """Something that does not fit: what kind, where as far as that can be told, what to do.

    `since` is the first position that may be affected: nothing before it is.
    """

    kind: str
    text: Text
    position: int | None = None
    entry: int | None = None
    since: int | None = None


ALTERED: Final = "altered"
ENTRY_ALTERED: Final = "entry-altered"
SEAL_ALTERED: Final = "seal-altered"
_NEXT: Final = Text(
    "hãy giữ nguyên cơ sở dữ liệu làm chứng cứ, báo người phụ trách an toàn thông tin và so với "
    "bản sao lưu",
    "keep the database as it is as evidence, tell whoever is responsible for security, and compare "
    "with a backup",
)


def _said(vi: str, en: str) -> Text:
    return Text(f"{vi}; {_NEXT.vi}", f"{en}; {_NEXT.en}")


def altered(kind: str, position: int, entry: int, since: int) -> Damage:
    """Say that an entry, its seal, or one of the two is not what was sealed."""
    what = {
        ENTRY_ALTERED: (
            f"mục kiểm toán {entry} đã bị sửa (hoặc các vị trí từ {since} đến đó đã bị viết lại)",
            f"audit entry {entry} was altered (or positions {since} up to it were written anew)",
        ),
        SEAL_ALTERED: (
            f"niêm phong của mục kiểm toán {entry} đã bị sửa",
            f"the seal of audit entry {entry} was altered",
        ),
    }
    either = (
        f"mục kiểm toán {entry} hoặc niêm phong của nó đã bị sửa",
        f"audit entry {entry} or its seal was altered",
    )
    vi, en = what.get(kind, either)
    text = _said(f"vị trí {position}: {vi}", f"position {position}: {en}")
    return Damage(kind, text, position, entry, since)


def entry_missing(position: int, entry: int, since: int) -> Damage:
    """Say that a sealed entry is gone."""
    text = _said(
        f"vị trí {position}: mục kiểm toán {entry} đã bị xoá",
        f"position {position}: audit entry {entry} was deleted",
    )
    return Damage("entry-missing", text, position, entry, since)


def seal_missing(position: int, since: int) -> Damage:
    """Say that positions after this one are there, and this one is not."""
    text = _said(
        f"vị trí {position}: niêm phong đã bị xoá hoặc dời chỗ",
        f"position {position}: the seal was deleted or moved",
    )
    return Damage("seal-missing", text, position, None, since)


def seal_out_of_place(position: int, entry: int) -> Damage:
    """Say that there is a seal before the first position."""
    text = _said(
        f"có niêm phong ở vị trí {position}, trước vị trí đầu tiên",
        f"there is a seal at position {position}, before the first one",
    )
    return Damage("seal-out-of-place", text, position, entry, 1)


def truncated(first: int, last: int) -> Damage:
    """Say that the chain ends before a position that a checkpoint knows."""
    text = Text(
        f"chuỗi thiếu các vị trí từ {first} đến {last}, mà một mốc đã ghi nhận: phần cuối đã bị "
        "xoá, hoặc cơ sở dữ liệu được khôi phục từ bản sao lưu cũ; nếu là khôi phục có chủ ý, hãy "
        "cất tệp mốc này đi (đổi tên) để bắt đầu tệp mới, còn không thì hãy giữ nguyên làm chứng "
        "cứ và báo người phụ trách an toàn thông tin",
        f"the chain lacks positions {first} to {last}, which a checkpoint has seen: its end was "
        "deleted, or the database was restored from an older backup; if it was restored on "
        "purpose, put this file of checkpoints away (rename it) so that a new one begins, "
        "otherwise keep everything as evidence and tell whoever is responsible for security",
    )
    return Damage("truncated", text, first, None, first)


def rewritten(first: int, last: int) -> Damage:
    """Say that a checkpoint saw another chain."""
    text = _said(
        f"các vị trí từ {first} đến {last} khớp với nhau nhưng không khớp với mốc ở vị trí {last}: "
        "chuỗi đã bị viết lại (hoặc cơ sở dữ liệu đã được khôi phục và ghi tiếp)",
        f"positions {first} to {last} fit each other but not the checkpoint at position {last}: "
        "the chain was written anew (or the database was restored and written on)",
    )
    return Damage("rewritten", text, first, None, first)


def unsealed(entry: int) -> Damage:
    """Say that an entry is neither sealed nor waiting for it."""
    text = _said(
        f"mục kiểm toán {entry} không được niêm phong và cũng không chờ niêm phong: nó được thêm "
        "vào sau, hoặc niêm phong cuối đã bị xoá",
        f"audit entry {entry} is neither sealed nor waiting to be: it was put in afterwards, or "
        "the last seals were deleted",
    )
    return Damage("unsealed", text, None, entry)


def pending_missing(entry: int) -> Damage:
    """Say that an entry was deleted before it was sealed."""
    text = _said(
        f"mục kiểm toán {entry} đã bị xoá trước khi niêm phong",
        f"audit entry {entry} was deleted before it was sealed",
    )
    return Damage("pending-missing", text, None, entry)


def pending_sealed(entry: int) -> Damage:
    """Say that a sealed entry is marked as waiting for its seal."""
    text = _said(
        f"mục kiểm toán {entry} đã niêm phong nhưng lại được ghi là đang chờ",
        f"audit entry {entry} is sealed, and noted as waiting to be",
    )
    return Damage("pending-sealed", text, None, entry)


def line_altered(line: int) -> Damage:
    """Say that a line of the file is no checkpoint, or not by the key it carries."""
    text = Text(
        f"dòng {line} của tệp mốc không phải mốc nguyên vẹn: tệp đã bị sửa, hoặc máy mất điện khi "
        "đang ghi dòng đó; hãy so với bản sao của tệp rồi bỏ dòng hỏng",
        f"line {line} of the file of checkpoints is no intact checkpoint: the file was altered, or "
        "the machine lost power while the line was written; compare with a copy of the file, then "
        "remove the bad line",
    )
    return Damage("checkpoint-altered", text)


def key_not_ours(kid: str) -> Damage:
    """Say that the newest checkpoint is by a key that is not one of ours (any more)."""
    text = Text(
        f"mốc mới nhất được ký bằng khoá {kid}, không phải khoá đang dùng của dịch vụ: nếu khoá đã "
        "được thay, hãy để dịch vụ chạy một phút rồi kiểm tra lại, hoặc thêm --allow-retired-key; "
        "nếu không, tệp mốc là giả",
        f"the newest checkpoint is signed by key {kid}, which the service does not have (any "
        "more): if the keys were changed, let the service run for a minute and verify again, or "
        "add --allow-retired-key; otherwise the file is forged",
    )
    return Damage("checkpoint-unknown-key", text)
