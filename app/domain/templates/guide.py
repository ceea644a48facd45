"""The sheet that tells how to fill in a template and how to send it: in Vietnamese, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.domain.templates import DATA, Form
from app.rules.vocabulary import LEVELS

_FILLING_IN: Final = (
    f"Mở trang “{DATA}”. Mỗi dòng là một đơn vị, mỗi cột là một chỉ số; chỉ điền các ô trống.",
    "Ô để trống nghĩa là chưa có số liệu: không ghi gì vào hồ sơ. Để trống không phải là “không” "
    "và không phải là số 0.",
    "Đưa chuột lên tên cột để xem nguyên văn của văn bản, điều khoản và ngưỡng.",
    "Chỉ số có/không: chọn “có” hoặc “không” trong danh sách.",
    "Chỉ số tỷ lệ có ba cột. Hãy ghi tử số và mẫu số (số nguyên, tử số không lớn hơn mẫu số). Chỉ "
    "ghi cột (%) khi không có tử số và mẫu số: 85 là 85%, 85,5 là 85,5%. Không ghi cả hai cách.",
    "Chỉ số đếm: số nguyên từ 0 trở lên.",
    "Chỉ số chọn mã: ghi các mã cách nhau bằng dấu |, ví dụ a1|b2. Nếu không có mã nào, ghi [].",
    "Cột Nguồn: văn bản hoặc hệ thống mà số liệu được lấy ra. Dòng có số liệu mà thiếu nguồn được "
    "tô màu và sẽ bị từ chối.",
    "Cột Ghi chú không bắt buộc; không ghi họ tên người dân vào bất kỳ cột nào.",
)
_LEAVING_ALONE: Final = (
    "Không sửa mã đơn vị, không đổi tên cột, không thêm hoặc bớt cột. Dòng không có số liệu cứ để "
    "trống, hoặc xoá cả dòng.",
    "Không xoá trang ẩn _ntm: nhờ trang đó mà hệ thống nhận ra mẫu, không cần khai báo gì thêm.",
    "Có thể lưu bằng Excel hoặc LibreOffice (định dạng .xlsx hoặc .xls).",
)
_SENDING: Final = (
    "Chạy thử trước, không ghi gì vào hồ sơ:",
    "    ntm import --dry-run TEN_TEP.xlsx",
    "Nếu báo cáo không có lỗi, gửi thật:",
    "    ntm import TEN_TEP.xlsx",
    "Hoặc bằng curl, với mã truy cập của máy khách:",
    '    curl -X POST -T TEN_TEP.xlsx -H "Authorization: Bearer $TOKEN" '
    '"https://MAY_CHU/v1/imports?dry_run=true"',
    "Gửi lại cùng một tệp không ghi trùng: số liệu đã có được tính là không đổi.",
)


def lines(form: Form) -> Iterator[tuple[str, str]]:
    """Yield the lines of the sheet, each with how it is shown: title, heading, text or code."""
    yield "title", f"Mẫu nhập số liệu: {form.ruleset.title.vi}"
    for line in _about(form):
        yield "text", line
    for heading, told in (
        ("Cách điền", _FILLING_IN),
        ("Không thay đổi", _LEAVING_ALONE),
        ("Cách gửi", _SENDING),
    ):
        yield "heading", heading
        for line in told:
            yield ("code" if line.startswith(" ") else "text"), line.strip()
    yield from _codes(form)


def heading(form: Form) -> Iterator[str]:
    """Yield the lines above the table of the data sheet."""
    document = form.ruleset.document
    yield form.ruleset.title.vi
    yield f"{document.short} - {form.ruleset.ruleset}, phiên bản {form.ruleset.version}"
    yield (
        f"Kỳ: {form.period.text} - Đơn vị: {form.under.named} - theo địa giới ngày "
        f"{form.day:%d/%m/%Y}"
    )
    yield "Điền các ô trống; ô để trống nghĩa là chưa có số liệu. Xem trang “Hướng dẫn”."


def _about(form: Form) -> Iterator[str]:
    ruleset, document = form.ruleset, form.ruleset.document
    yield f"Văn bản: {document.number} - {document.title} ({document.issuer})"
    yield f"Bộ quy tắc: {ruleset.ruleset}, phiên bản {ruleset.version}, {LEVELS[ruleset.level].vi}"
    yield f"Kỳ của số liệu: {form.period.text}"
    yield (
        f"Đơn vị: {form.under.named}, {len(form.rows)} dòng, theo địa giới ngày {form.day:%d/%m/%Y}"
    )


def _codes(form: Form) -> Iterator[tuple[str, str]]:
    for column in form.columns:
        if column.indicator is not None and column.indicator.members:
            yield "heading", f"Mã của “{column.heading}”"
            for member in column.indicator.members:
                yield "text", f"{member.code}: {member.name.vi}"
