"""What is wrong with a request that fits no model, in words for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.domain.refusals import Complaint, no_period, pointer
from app.rules.errors import Text
from app.rules.facts import printable


def complaints(errors: Iterable[Mapping[str, Any]], within: int = 0) -> list[Complaint]:
    """Return pydantic's errors as complaints; `within` leading parts of each place are left out."""
    found = []
    for error in errors:
        place: Sequence[str | int] = error["loc"]
        named = next((one for one in reversed(place) if isinstance(one, str)), "JSON")
        code, message = _explain(error, named)
        found.append(Complaint(pointer(*place[within:]), code, message))
    return found


def _explain(error: Mapping[str, Any], name: str) -> tuple[str, Text]:
    kind, context = error["type"], error.get("ctx") or {}
    if isinstance(error.get("input"), str):  # of a text, the length is that of characters
        kind = {"too_long": "string_too_long", "too_short": "string_too_short"}.get(kind, kind)
    name = printable(name)
    if kind == "extra_forbidden":
        return "unknown-field", Text(
            f"không có trường “{name}”; hãy bỏ hoặc sửa tên (xem /docs)",
            f"there is no field “{name}”; remove it or mend its name (see /docs)",
        )
    if kind == "missing":
        what = "nội dung của yêu cầu", "the body of the request"
        vi, en = what if name == "body" else (f"“{name}”", f"“{name}”")
        return "missing-field", Text(f"thiếu {vi}", f"{en} is missing")
    if kind == "string_too_short" and context.get("min_length", 1) > 1:
        kind = "string_shorter"
    if kind in _MISSING:
        return ("wrong-value" if context.get("both") else "missing-field"), _MISSING[kind]
    if kind in _TYPES:
        wanted = _TYPES[kind]
        return "wrong-type", Text(f"“{name}” phải là {wanted.vi}", f"“{name}” must be {wanted.en}")
    return _wrong_value(kind, context, name, error.get("input"))


def _wrong_value(
    kind: str, context: Mapping[str, Any], name: str, given: object
) -> tuple[str, Text]:
    if kind == "period_type":
        return "invalid-period", no_period(str(given))
    if kind == "literal_error":
        allowed = str(context.get("expected", "")).replace(" or ", ", ")
        return "wrong-value", Text(
            f"“{name}” phải là một trong: {allowed}", f"“{name}” must be one of: {allowed}"
        )
    known = _VALUES.get(kind, Text("không hợp lệ; xem /docs", "is not valid; see /docs"))
    said = known.format(**context)
    return "wrong-value", Text(f"“{name}” {said.vi}", f"“{name}” {said.en}")


_MISSING: Mapping[str, Text] = {
    "code_or_name": Text("thiếu “code” hoặc “name”", "“code” or “name” is missing"),
    "unit_or_units": Text(
        "hãy ghi “unit” hoặc “units”, không ghi cả hai", "give either “unit” or “units”"
    ),
    "changes_or_file": Text(
        "hãy ghi “ruleset” và “changes”, hoặc “ruleset_file” (và “against” nếu cần); không ghi cả "
        "hai",
        "give “ruleset” and “changes”, or “ruleset_file” (and “against” if needed), not both",
    ),
    "client_or_territory": Text(
        "hãy ghi “to_client” hoặc “to_territory”, không ghi cả hai",
        "give either “to_client” or “to_territory”, not both",
    ),
}
_VALUES: Mapping[str, Text] = {
    "string_too_long": Text(
        "dài quá {max_length} ký tự; hãy rút ngắn", "has more than {max_length} characters"
    ),
    "text_unprintable": Text(
        "có ký tự điều khiển hoặc ký tự ẩn; hãy bỏ chúng",
        "contains control or invisible characters; remove them",
    ),
    "search_empty": Text(
        "phải có ít nhất một chữ hoặc số", "must contain at least a letter or a digit"
    ),
    "limit_range": Text("phải là số nguyên từ 1 đến 500", "must be an integer from 1 to 500"),
    "too_short": Text(
        "phải có ít nhất {min_length} phần tử", "must have at least {min_length} items"
    ),
    "greater_than_equal": Text("phải từ {ge} trở lên", "must be {ge} or more"),
    "less_than_equal": Text("không được quá {le}", "must be {le} or less"),
    "no_origin": Text(
        "phải là các gốc như https://bang-dieu-khien.example.vn, cách nhau bằng dấu phẩy",
        "must be origins like https://dashboard.example.vn, separated by commas",
    ),
    "no_address": Text(
        "phải là địa chỉ như https://ntm.example.gov.vn",
        "must be an address like https://ntm.example.gov.vn",
    ),
    "string_too_short": Text("không được để trống", "must not be empty"),
    "string_shorter": Text(
        "quá ngắn; ít nhất {min_length} ký tự",
        "is too short; it must have {min_length} characters at least",
    ),
    "too_long": Text(
        "có quá {max_length} phần tử; hãy chia nhỏ", "has more than {max_length} items; split it"
    ),
    "string_pattern_mismatch": Text(
        "không đúng dạng cho phép (chữ số 0-9, mã như trong danh mục); xem /docs",
        "does not have the form it must have (digits 0-9, codes as listed); see /docs",
    ),
}
_TYPES: Mapping[str, Text] = {
    "bool_type": Text("true hoặc false", "true or false"),
    "string_type": Text("chuỗi ký tự", "a string"),
    "int_type": Text("số nguyên", "an integer"),
    "int_parsing": Text("số nguyên (chữ số 0-9)", "an integer (digits 0-9)"),
    "dict_type": Text("một đối tượng JSON", "a JSON object"),
    "model_type": Text("một đối tượng JSON", "a JSON object"),
    "model_attributes_type": Text("một đối tượng JSON", "a JSON object"),
    "list_type": Text("một danh sách", "a list"),
    "tuple_type": Text("một danh sách", "a list"),
    "date_type": Text(
        "ngày dạng YYYY-MM-DD, từ 1900 đến 2199", "a date like YYYY-MM-DD, from 1900 to 2199"
    ),
    "instant_type": Text(
        "thời điểm có múi giờ như 2025-01-31T08:00:00+07:00 (trong URL viết dấu + là %2B)",
        "an instant with offset like 2025-01-31T08:00:00+07:00 (in a URL write + as %2B)",
    ),
    "until_type": Text(
        "ngày như 2027-12-31 hoặc thời điểm có múi giờ như 2027-12-31T17:00:00+07:00",
        "a date like 2027-12-31 or an instant with offset like 2027-12-31T17:00:00+07:00",
    ),
    "date_from_datetime_parsing": Text("ngày dạng YYYY-MM-DD", "a date like YYYY-MM-DD"),
    "date_parsing": Text("ngày dạng YYYY-MM-DD", "a date like YYYY-MM-DD"),
    "bool_parsing": Text("true hoặc false", "true or false"),
}
