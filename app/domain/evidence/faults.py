"""Why a file of evidence is not taken, and what to do; nothing of its name or content is told."""

from __future__ import annotations

from typing import Final

from app.domain.refusals import Complaint, Refused
from app.rules.errors import Text

UNSAFE: Final = "unsafe-file"
DAMAGED: Final = "invalid-file"
LOCKED: Final = "encrypted-file"
_TAKEN: Final = "PDF, PNG, JPEG, TIFF, WebP, .docx, .xlsx, .odt, .ods, .csv, .txt (UTF-8)"
_TEXTS: Final = {
    UNSAFE: Text(
        "tệp không an toàn: có mã chạy được (macro, script, biểu mẫu XFA, tệp đính kèm), chứa "
        "hoặc tự tải thêm tệp khác, hoặc giải nén ra quá lớn; hãy mở ra, lưu (in) lại thành PDF "
        "rồi gửi tệp PDF",
        "the file is not safe: it holds something that runs (macros, scripts, XFA forms, "
        "attachments), holds or fetches another file besides, or unpacks to too much; open it, "
        "save (print) it as PDF and send that",
    ),
    DAMAGED: Text(
        "tệp bị hỏng hoặc bị cắt cụt; hãy lưu lại rồi gửi cả tệp",
        "the file is damaged or cut off; save it again and send all of it",
    ),
    LOCKED: Text(
        "tệp được đặt mật khẩu hoặc bị mã hoá nên không kiểm tra được bên trong; hãy lưu lại không "
        "có mật khẩu rồi gửi lại",
        "the file has a password or is encrypted, so it cannot be looked into; save it without a "
        "password and send it again",
    ),
}


def refused(why: str) -> Refused:
    """Return the refusal of a file for one of the reasons."""
    code = UNSAFE if why == LOCKED else why
    return Refused([Complaint("", code, _TEXTS[why])])


def unknown(found: str | None = None) -> Refused:
    """Return the refusal of a file of another kind, or of another one than its name says."""
    if found is None:
        text = Text(
            f"nội dung tệp không thuộc loại được nhận; hãy lưu lại thành một trong: {_TAKEN}",
            f"the content is of no kind that is taken; save it as one of these: {_TAKEN}",
        )
    else:
        text = Text(
            f"nội dung tệp là {found} nhưng đuôi tên tệp nói khác; hãy gửi với đúng đuôi tên",
            f"the content is {found} but the ending of the name says otherwise; send it under a "
            "name with the right ending",
        )
    return Refused([Complaint("", "unsupported-media-type", text)])


def contradicts(found: str) -> Refused:
    """Return the refusal of a file that is declared to be something else."""
    text = Text(
        f"Content-Type nói khác nội dung, là {found}; hãy gửi với Content-Type đó hoặc bỏ trống",
        f"Content-Type contradicts the content, which is {found}; send that, or no Content-Type",
    )
    return Refused([Complaint("", "unsupported-media-type", text)])
