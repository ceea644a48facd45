"""The closed word lists of the kernel, each word with its label in Vietnamese and English.

One word for one thing: `docs/glossary.md` says where each comes from.
"""

from __future__ import annotations

from typing import Final, Literal

from app.rules.errors import Text

Outcome = Literal[
    "met", "not_met", "undetermined", "not_applicable", "no_criterion", "no_overall_rule"
]
Operator = Literal[">=", "<=", ">", "<", "="]
Basis = Literal["explicit", "inferred", "none"]
Level = Literal["nation", "province", "district", "commune", "hamlet"]

MET: Final = "met"
NOT_MET: Final = "not_met"
UNDETERMINED: Final = "undetermined"
NOT_APPLICABLE: Final = "not_applicable"
NO_CRITERION: Final = "no_criterion"
NO_OVERALL_RULE: Final = "no_overall_rule"

MISSING_VALUE: Final = "missing_value"
DENOMINATOR_ZERO: Final = "denominator_zero"
NUMERATOR_EXCEEDS_DENOMINATOR: Final = "numerator_exceeds_denominator"
ROUNDED_VALUE: Final = "rounded_value"
ATTRIBUTE_MISSING: Final = "attribute_missing"
AMBIGUOUS_TEXT: Final = "ambiguous_text"
MEMBER_VALUE_MISSING: Final = "member_value_missing"
LEVEL_ABOLISHED: Final = "level_abolished"
EXEMPT_CENTRAL_PILOT: Final = "exempt_central_pilot"
VALUE_OUTDATED: Final = "value_outdated"
VALUE_NOT_APPROVED: Final = "value_not_approved"

OUTCOMES: Final = {
    MET: Text("đạt", "met"),
    NOT_MET: Text("không đạt", "not met"),
    UNDETERMINED: Text("chưa xác định được", "undetermined"),
    NOT_APPLICABLE: Text("không áp dụng", "not applicable"),
    NO_CRITERION: Text("văn bản không đặt ngưỡng", "the document sets no threshold"),
    NO_OVERALL_RULE: Text(
        "văn bản không nêu quy tắc kết luận chung", "the document states no overall rule"
    ),
}

REASONS: Final = {
    MISSING_VALUE: Text("chưa có số liệu", "no value is known"),
    VALUE_OUTDATED: Text(
        "số liệu thuộc kỳ cũ, không tính cho kỳ này", "the value is of an older period"
    ),
    VALUE_NOT_APPROVED: Text("số liệu chưa được phê duyệt", "the value is not approved yet"),
    ROUNDED_VALUE: Text(
        "chỉ có tỷ lệ đã làm tròn, không đủ để kết luận ở ngưỡng này",
        "only a rounded percentage is known, too coarse to decide at this threshold",
    ),
    DENOMINATOR_ZERO: Text("mẫu số bằng 0", "the denominator is zero"),
    NUMERATOR_EXCEEDS_DENOMINATOR: Text(
        "tử số lớn hơn mẫu số", "the numerator is greater than the denominator"
    ),
    LEVEL_ABOLISHED: Text(
        "cấp huyện đã kết thúc hoạt động từ ngày 01/7/2025",
        "the district level ended on 1 July 2025",
    ),
    ATTRIBUTE_MISSING: Text(
        "chưa biết phân loại địa bàn của đơn vị", "the area class of the unit is not known"
    ),
    AMBIGUOUS_TEXT: Text(
        "văn bản có thể hiểu nhiều cách và các cách cho kết quả khác nhau",
        "the text has several readings and they disagree",
    ),
    EXEMPT_CENTRAL_PILOT: Text(
        "xã đã được Trung ương lựa chọn thí điểm, không thuộc diện xét điều kiện",
        "the commune was already chosen by the centre for the pilot",
    ),
    MEMBER_VALUE_MISSING: Text(
        "thiếu số liệu của một số đơn vị thành viên", "values of some member units are missing"
    ),
}

APPLICABILITY: Final = {
    "in_period": Text("trong thời gian thực hiện của văn bản", "within the period of the document"),
    "before_issue": Text("trước khi văn bản được ban hành", "before the document was issued"),
    "after_period": Text("sau thời gian thực hiện của văn bản", "after the period of the document"),
    "not_stated": Text(
        "văn bản không nêu đủ để xác định thời gian áp dụng",
        "the document does not state enough to tell",
    ),
    "partly_in_scope": Text(
        "chỉ một phần địa bàn thuộc phạm vi của văn bản", "only a part of the unit is in scope"
    ),
    "out_of_scope": Text(
        "đơn vị không thuộc phạm vi của văn bản", "the unit is outside the document's scope"
    ),
}

# What has become of a value on record.
VALUE_STATUSES: Final = {
    "reported": Text("đã báo cáo", "reported"),
    "approved": Text("đã được phê duyệt", "approved"),
    "superseded": Text("đã được thay bằng số liệu mới", "followed by a newer value"),
    "retracted": Text("đã được rút", "retracted"),
}

# Where a submission of evidence stands in the chain of approval.
SUBMISSION_STATES: Final = {
    "draft": Text("đang lập", "a draft"),
    "submitted": Text("đã nộp", "submitted"),
    "returned": Text("bị trả lại", "returned"),
    "verified": Text("đã thẩm tra", "verified"),
    "appraised": Text("đã thẩm định", "appraised"),
    "approved": Text("đã phê duyệt", "approved"),
    "refused": Text("bị từ chối", "refused"),
    "withdrawn": Text("đã rút", "withdrawn"),
}

# What an office may do with a submission of evidence.
SUBMISSION_ACTIONS: Final = {
    "submit": Text("nộp", "submit"),
    "reopen": Text("mở lại để sửa", "reopen"),
    "withdraw": Text("rút", "withdraw"),
    "verify": Text("thẩm tra", "verify"),
    "appraise": Text("thẩm định", "appraise"),
    "approve": Text("phê duyệt", "approve"),
    "return": Text("trả lại", "return"),
    "refuse": Text("từ chối", "refuse"),
}

# What a slot of evidence still lacks.
EVIDENCE_GAPS: Final = {
    "list-missing": Text("chưa có danh sách", "there is no list"),
    "list-part-missing": Text(
        "chưa có danh sách của một khu dân cư", "the list of a part is missing"
    ),
    "confirmation-missing": Text("thiếu xác nhận", "a confirmation is missing"),
    "confirmation-outdated": Text(
        "xác nhận không còn hiệu lực vì danh sách đã thay đổi",
        "the list has changed since it was confirmed",
    ),
    "finding-missing": Text("chưa kiểm tra", "there was no check"),
    "finding-adverse": Text(
        "lần kiểm tra gần nhất cho kết quả không đúng yêu cầu",
        "the last check did not see what is demanded",
    ),
    "file-missing": Text("chưa có văn bản hoặc tệp minh chứng", "there is no file"),
    "not-submitted": Text(
        "chưa có hồ sơ minh chứng được nộp", "no submission of evidence was submitted"
    ),
}

# Where a list and what is claimed, or a list and itself, contradict each other.
LIST_CONTRADICTIONS: Final = {
    "total-differs-from-rows": Text(
        "tổng cộng ghi trong danh sách khác số dòng",
        "the total that the list states differs from its rows",
    ),
    "list-differs-from-claim": Text(
        "số người hoặc cơ sở trong danh sách khác tử số đã khai",
        "the list has more or fewer rows than the numerator that is claimed",
    ),
    "claim-without-rows": Text(
        "khai là có nhưng danh sách trống", "it is claimed to be so, and the list is empty"
    ),
    "rows-without-claim": Text(
        "khai là không nhưng danh sách có dòng", "it is claimed not to be so, and the list has rows"
    ),
    "repeated-names": Text("có tên bị lặp lại", "a name stands twice"),
    "repeated-numbers": Text("có số thứ tự bị lặp lại", "a number of a row stands twice"),
}

# Why a predecessor is not in a sum over predecessors.
LINEAGE_GAPS: Final = {
    "part": Text(
        "chỉ một phần địa bàn nhập vào; không rõ tỷ lệ phân chia",
        "only a part of it was taken; its share is not known",
    ),
    "percent_only": Text(
        "chỉ có tỷ lệ phần trăm, không có tử số và mẫu số", "only a percentage, no counts"
    ),
    "no_value": Text("chưa có số liệu của kỳ này", "no value of this period is on record"),
}

BASES: Final = {
    "explicit": Text("văn bản nêu rõ quy tắc", "the document states the rule"),
    "inferred": Text(
        "văn bản nêu quy tắc từng nhóm; quy tắc chung là suy luận của hệ thống",
        "the document states the group rules; their combination is our reading",
    ),
    "none": Text(
        "văn bản không nêu quy tắc chung; all_items chỉ là phép tổng hợp",
        "the document states no overall rule; all_items is only a computed summary",
    ),
}

LEVELS: Final = {
    "nation": Text("cả nước", "nation"),
    "province": Text("cấp tỉnh", "province"),
    "district": Text("cấp huyện", "district"),
    "commune": Text("cấp xã", "commune"),
    "hamlet": Text("thôn, ấp, khu dân cư", "hamlet"),
}

# Which types of unit there are at each level; a nation has none.
TYPES: Final = {
    "nation": (),
    "province": ("tinh", "thanh_pho"),
    "district": ("huyen", "quan", "thi_xa", "thanh_pho"),
    "commune": ("xa", "phuong", "thi_tran", "dac_khu"),
    "hamlet": ("ap", "thon", "khu_dan_cu"),
}

KINDS: Final = {
    "boolean": Text("có/không", "yes or no"),
    "count": Text("số đếm", "count"),
    "ratio": Text("tỷ lệ (tử số, mẫu số)", "ratio (numerator, denominator)"),
    "set": Text("danh sách mã", "list of codes"),
    "attribute": Text("phân loại địa bàn", "area class"),
    "designation": Text("quyết định lựa chọn thí điểm", "pilot designation"),
}

VALIDITIES: Final = {
    "standing": Text("có giá trị đến khi được thay thế", "counts until followed"),
    "stock": Text("số liệu tại thời điểm trong kỳ", "state within the period"),
    "flow": Text("số phát sinh trong kỳ", "flow of the period"),
}

FORCES: Final = {
    "must": Text("yêu cầu", "requirement"),
    "strive": Text("phấn đấu", "strive-for target"),
}

SOURCE_GRADES: Final = {
    "full": Text("toàn văn văn bản", "full text"),
    "secondary": Text("nguồn thứ cấp (tin báo)", "secondary source (news report)"),
}

REQUIRED_BY: Final = {
    "text": Text("theo phần lời văn bản", "demanded by the text"),
    "form": Text("theo biểu mẫu", "demanded by the form"),
    "both": Text("theo cả lời văn bản và biểu mẫu", "demanded by both"),
}

# Words of the pack format that a pack's own check must not shadow.
RESERVED_WORDS: Final = frozenset(
    {"all", "any", "sum", "share", "indicator", "contains", "required", "no_criterion", "check"}
    | {">=", "<=", ">", "<", "=", "is_true", "is_met", "every_reading"}
)
