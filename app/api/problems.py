"""Every problem the service can answer: its stable code, HTTP status and title in two languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.exceptions import HTTPException

from app.domain.refusals import Complaint
from app.rules.errors import Text

# code: (HTTP status, title). Codes that stand for a place in the request share status 422.
PROBLEMS: Final[Mapping[str, tuple[int, Text]]] = {
    "bad-request": (400, Text("Yêu cầu không hợp lệ", "Bad request")),
    "malformed-json": (400, Text("Nội dung không phải JSON hợp lệ", "The body is not valid JSON")),
    "invalid-token": (401, Text("Chưa xác thực", "Not authenticated")),
    "insufficient-scope": (403, Text("Không đủ quyền", "A scope is missing")),
    "scope-not-held": (
        403,
        Text("Không thể cấp quyền mình không có", "A scope one lacks cannot be granted"),
    ),
    "not-the-giver": (403, Text("Không phải bên cho", "Not the giver's side")),
    "not-your-import": (403, Text("Không phải lần nhập của bạn", "Not an import of yours")),
    "client-revoked": (403, Text("Máy khách đã bị thu hồi", "The client was revoked")),
    "not-your-office": (403, Text("Không thuộc cơ quan của bạn", "Not up to your office")),
    "separation-of-duties": (
        403,
        Text("Một cơ quan, cán bộ không xử lý hai bước", "Nobody acts at two steps"),
    ),
    "not-on-the-chain": (
        403,
        Text("Không phải cơ quan xử lý hồ sơ", "No office that works on it"),
    ),
    "not-your-file": (403, Text("Tệp của cơ quan khác", "The file of another office")),
    "not-your-job": (403, Text("Không phải công việc của bạn", "Not a job of yours")),
    "not-found": (404, Text("Không tìm thấy", "Not found")),
    "ruleset-not-found": (404, Text("Không tìm thấy bộ quy tắc", "Ruleset not found")),
    "indicator-not-found": (404, Text("Không tìm thấy chỉ số", "Indicator not found")),
    "unit-not-found": (404, Text("Không tìm thấy đơn vị hành chính", "Unit not found")),
    "outside-territory": (404, Text("Ngoài địa bàn của bạn", "Outside your territory")),
    "value-not-found": (404, Text("Không tìm thấy số liệu", "Value not found")),
    "evaluation-not-found": (404, Text("Không tìm thấy kết luận", "Evaluation not found")),
    "evaluation-run-not-found": (
        404,
        Text("Không tìm thấy lượt đánh giá", "Evaluation run not found"),
    ),
    "grant-not-found": (404, Text("Không tìm thấy lần chia sẻ", "Grant not found")),
    "audit-entry-not-found": (404, Text("Không tìm thấy mục kiểm toán", "Audit entry not found")),
    "client-not-found": (404, Text("Không tìm thấy máy khách", "Client not found")),
    "import-not-found": (404, Text("Không tìm thấy lần nhập", "Import not found")),
    "job-not-found": (404, Text("Không tìm thấy công việc", "Job not found")),
    "submission-not-found": (
        404,
        Text("Không tìm thấy hồ sơ minh chứng", "Submission of evidence not found"),
    ),
    "list-not-found": (404, Text("Không tìm thấy danh sách", "List not found")),
    "form-not-found": (404, Text("Không tìm thấy biểu mẫu", "Form not found")),
    "slot-not-found": (404, Text("Không tìm thấy mục minh chứng", "Slot not found")),
    "file-not-found": (404, Text("Không tìm thấy tệp", "File not found")),
    "version-not-found": (404, Text("Không có lần nộp này", "Submitted version not found")),
    "method-not-allowed": (405, Text("Phương thức không được hỗ trợ", "Method not allowed")),
    "request-timeout": (408, Text("Yêu cầu đến quá chậm", "The request arrived too slowly")),
    "duplicate": (409, Text("Đã có trong hồ sơ", "It is on record already")),
    "illegal-transition": (
        409,
        Text("Không làm được ở trạng thái này", "Not possible in this state"),
    ),
    "submission-open": (409, Text("Đã có hồ sơ chưa kết thúc", "A submission is open already")),
    "submission-frozen": (
        409,
        Text("Nội dung hồ sơ đang được giữ nguyên", "What it contains is frozen"),
    ),
    "too-many-files": (409, Text("Mục minh chứng đã đủ tệp", "The slot has enough files")),
    "file-in-finding": (
        409,
        Text("Tệp là ảnh của một lần kiểm tra", "The file is a photo of a check"),
    ),
    "list-in-parts": (409, Text("Danh sách theo khu dân cư", "The list comes in parts")),
    "list-in-one-piece": (409, Text("Đã có danh sách chung", "There is one list of all")),
    "value-frozen": (
        409,
        Text("Số liệu nằm trong hồ sơ đang kiểm tra", "The value is being checked"),
    ),
    "part-in-use": (409, Text("Khu dân cư đã có minh chứng", "The part has evidence")),
    "nothing-to-confirm": (409, Text("Chưa có danh sách để xác nhận", "There is no list yet")),
    "ruleset-changed": (409, Text("Bộ quy tắc đã thay đổi", "The ruleset has changed")),
    "ruleset-missing": (409, Text("Bộ quy tắc không còn cài đặt", "The ruleset is missing")),
    "already-withdrawn": (409, Text("Đã được rút trước đó", "It was withdrawn before")),
    "not-current": (409, Text("Số liệu không còn hiện hành", "The value is not current")),
    "check-missing": (409, Text("Thiếu phép kiểm tra của gói", "A check of a pack is missing")),
    "evaluation-damaged": (
        409,
        Text("Dữ liệu kết luận bị hỏng", "What is stored of the evaluation was altered"),
    ),
    "ruleset-damaged": (409, Text("Bản lưu bộ quy tắc bị hỏng", "The ruleset was altered")),
    "other-semantics": (409, Text("Khác phiên bản ngữ nghĩa", "Other semantics")),
    "evaluation-run-not-ended": (
        409,
        Text("Lượt đánh giá chưa kết thúc", "The evaluation run has not ended"),
    ),
    "too-many-grants": (409, Text("Đã chia sẻ quá nhiều lần", "There are enough grants")),
    "too-many-secrets": (409, Text("Đã đủ khoá bí mật", "There are enough secrets")),
    "last-secret": (409, Text("Khoá bí mật cuối cùng", "The last secret")),
    "import-not-checked": (
        409,
        Text("Lần nhập không ở trạng thái đã kiểm tra", "The import is not one that was checked"),
    ),
    "job-ended": (409, Text("Công việc đã kết thúc", "The job has ended")),
    "import-freed": (409, Text("Tệp đã hết hạn lưu", "The file is kept no longer")),
    "idempotency-in-progress": (
        409,
        Text("Yêu cầu trước đang được xử lý", "The first request is still under way"),
    ),
    "refused-rows-freed": (
        410,
        Text("Các dòng bị từ chối đã hết hạn lưu", "The refused rows are kept no longer"),
    ),
    "names-deleted": (410, Text("Họ tên đã được xoá", "The names were deleted")),
    "file-deleted": (410, Text("Nội dung tệp đã bị xoá", "The content was deleted")),
    "precondition-failed": (412, Text("Dữ liệu đã thay đổi", "It has changed meanwhile")),
    "payload-too-large": (413, Text("Nội dung quá lớn", "The body is too large")),
    "unsupported-media-type": (
        415,
        Text("Kiểu nội dung không được hỗ trợ", "Unsupported media type"),
    ),
    "invalid-request": (422, Text("Yêu cầu có nhiều lỗi", "The request has several errors")),
    "idempotency-key-reused": (
        422,
        Text("Khoá đã dùng cho yêu cầu khác", "The key was used for another request"),
    ),
    "unknown-field": (422, Text("Có trường không được hỗ trợ", "A field is not known")),
    "missing-field": (422, Text("Thiếu trường bắt buộc", "A required field is missing")),
    "wrong-type": (422, Text("Sai kiểu dữ liệu", "A value has the wrong type")),
    "wrong-value": (422, Text("Giá trị không hợp lệ", "A value is not valid")),
    "invalid-text": (422, Text("Chữ không hợp lệ", "A text is not valid")),
    "repeated-parameter": (422, Text("Tham số bị lặp lại", "A parameter is given twice")),
    "invalid-cursor": (422, Text("Con trỏ trang không hợp lệ", "The cursor is not valid")),
    "unknown-ruleset": (422, Text("Bộ quy tắc không tồn tại", "The ruleset is not known")),
    "unknown-indicator": (422, Text("Chỉ số không tồn tại", "The indicator is not known")),
    "unknown-criterion": (422, Text("Tiêu chí không tồn tại", "The criterion is not known")),
    "no-members": (422, Text("Tiêu chí không đếm thành viên", "The criterion counts no members")),
    "ambiguous-unit": (422, Text("Mã chỉ nhiều đơn vị", "The code means several units")),
    "unit-outside-period": (
        422,
        Text("Đơn vị không tồn tại trong kỳ", "The unit does not exist in the period"),
    ),
    "invalid-period": (422, Text("Kỳ không hợp lệ", "The period is not valid")),
    "duplicate-value": (422, Text("Số liệu bị lặp lại", "A value is given twice")),
    "slot-takes-no-list": (422, Text("Mục không nhận danh sách", "The slot takes no list")),
    "wrong-columns": (422, Text("Sai cột của biểu mẫu", "Not the columns of the form")),
    "unknown-slot": (422, Text("Mục minh chứng không tồn tại", "The slot is not known")),
    "duplicate-item": (422, Text("Mục minh chứng bị lặp lại", "A slot is named twice")),
    "unknown-part": (422, Text("Khu dân cư không tồn tại", "The part is not known")),
    "duplicate-part": (422, Text("Khu dân cư bị lặp lại", "A part is given twice")),
    "wrong-part": (422, Text("Khu dân cư không phù hợp", "The part does not fit")),
    "unknown-signer": (422, Text("Không ai đòi xác nhận này", "Nobody demands this signature")),
    "duplicate-signature": (422, Text("Xác nhận bị lặp lại", "A signature is given twice")),
    "future-day": (422, Text("Ngày ở tương lai", "The day is to come")),
    "unknown-file": (422, Text("Tệp không tồn tại", "The file is not known")),
    "duplicate-unit": (422, Text("Đơn vị bị lặp lại", "A unit is given twice")),
    "numerator-exceeds-denominator": (
        422,
        Text("Tử số lớn hơn mẫu số", "The numerator is greater than the denominator"),
    ),
    "ruleset-out-of-scope": (
        422,
        Text("Ngoài phạm vi của văn bản", "Outside the document's scope"),
    ),
    "runs-not-comparable": (
        422,
        Text("Không so sánh được hai lượt", "The runs cannot be compared"),
    ),
    "invalid-ruleset": (422, Text("Bộ quy tắc có lỗi", "The ruleset has faults")),
    "no-threshold": (422, Text("Tiêu chí không có ngưỡng", "The criterion has no threshold")),
    "invalid-file": (422, Text("Không nhận được tệp", "The file cannot be taken")),
    "invalid-filename": (422, Text("Tên tệp không hợp lệ", "The name of the file is not valid")),
    "digest-mismatch": (
        422,
        Text("Nội dung không khớp mã SHA-256", "The content does not have its digest"),
    ),
    "unsafe-file": (422, Text("Tệp không an toàn", "The file is not safe")),
    "invalid-rows": (422, Text("Tệp có dòng lỗi", "The file has bad rows")),
    "unknown-attribute": (422, Text("Phân loại không tồn tại", "The area class is not known")),
    "unknown-member": (422, Text("Mã không thuộc danh mục", "The code is no member of the set")),
    "duplicate-member": (422, Text("Mã bị lặp lại", "A code is given twice")),
    "not-a-fact": (422, Text("Không phải số liệu", "This is not a value")),
    "wrong-kind": (422, Text("Sai loại số liệu", "The value is of the wrong kind")),
    "wrong-level": (422, Text("Sai cấp đơn vị", "The unit is of the wrong level")),
    "too-many-rows": (422, Text("Quá nhiều dòng", "There are too many rows")),
    "too-many-values": (422, Text("Quá nhiều số liệu", "There are too many values")),
    "too-many-units": (422, Text("Quá nhiều đơn vị", "There are too many units")),
    "out-of-range": (422, Text("Số ngoài phạm vi", "A number is out of range")),
    "unknown-scope": (422, Text("Quyền không tồn tại", "The scope is not known")),
    "precondition-required": (
        428,
        Text("Thiếu phiên bản của dữ liệu", "The version that is meant is missing"),
    ),
    "rate-limited": (429, Text("Quá nhiều yêu cầu", "Too many requests")),
    "rule-check-failed": (
        500,
        Text("Phép kiểm tra của gói quy tắc bị lỗi", "A check of a rule pack failed"),
    ),
    "internal-error": (500, Text("Lỗi nội bộ", "Internal error")),
    "job-failed": (500, Text("Công việc không làm được", "The job could not be done")),
    "database-unavailable": (
        503,
        Text("Cơ sở dữ liệu tạm thời không trả lời", "The database does not answer"),
    ),
    "query-timeout": (503, Text("Câu hỏi quá lâu", "The query took too long")),
    "province-busy": (
        503,
        Text("Đang nạp số liệu khác của tỉnh", "Other values of the province are being loaded"),
    ),
    "reading-unavailable": (
        503,
        Text("Tạm thời không đọc được tệp", "Files cannot be read at the moment"),
    ),
    "storage-unavailable": (
        503,
        Text("Kho tệp tạm thời không dùng được", "The store of files cannot be used"),
    ),
    "names-unavailable": (
        503,
        Text("Chưa mở được họ tên", "The names cannot be opened"),
    ),
    "overloaded": (503, Text("Dịch vụ quá tải", "The service is overloaded")),
    "storage-full": (507, Text("Hết chỗ lưu tệp", "There is no room for the file")),
}


class Problem(HTTPException):
    """An error answer; raised anywhere in the HTTP layer, rendered in one place."""

    def __init__(
        self,
        code: str,
        detail: Text,
        errors: Iterable[Complaint] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        status, _ = PROBLEMS[code]
        super().__init__(status, detail.en, dict(headers) if headers else None)
        self.code = code
        self.text = detail
        self.errors = tuple(errors)


def refusal(complaints: Iterable[Complaint]) -> Problem:
    """Return the problem for a refused request: its one code, or `invalid-request` for several."""
    found = tuple(complaints)
    codes = {one.code for one in found}
    code = codes.pop() if len(codes) == 1 else "invalid-request"
    more = len(found) - 1
    first = found[0].message
    detail = first if not more else Text(
        f"{first.vi} (và {more} lỗi khác, xem errors)", f"{first.en} (and {more} more, see errors)"
    )  # fmt: skip
    return Problem(code, detail, found)
