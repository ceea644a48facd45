"""Why a row or a value is not taken, or taken with a warning.

The sentences speak of no row's own words: equal faults have equal sentences and can be counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.rules.errors import Text

WRONG: Final[Mapping[str, Text]] = {
    "wrong-cell-count": Text(
        "số ô của dòng khác số cột; hãy kiểm tra dấu phân cách và dấu nháy kép",
        "the row has another number of cells than there are columns; check separators and quotes",
    ),
    "no-unit": Text(
        "dòng có số liệu nhưng không ghi đơn vị; hãy ghi mã hoặc tên đơn vị",
        "the row has values but names no unit; give its code or its name",
    ),
    "invalid-unit": Text(
        "mã hoặc tên đơn vị dài quá hoặc có ký tự lạ; hãy ghi mã gồm chữ số 0-9",
        "the code or name of the unit is too long or has odd characters; use a code of digits 0-9",
    ),
    "invalid-level": Text(
        "không phải một cấp; cấp là province, district, commune, hamlet (tỉnh, huyện, xã, thôn)",
        "this is no level; a level is province, district, commune or hamlet",
    ),
    "invalid-period": Text(
        "không phải một kỳ; kỳ có dạng 2024, 2024-H1, 2024-Q3 hoặc 2024-10",
        "this is no period; a period is 2024, 2024-H1, 2024-Q3 or 2024-10",
    ),
    "invalid-date": Text(
        "không phải một ngày; ngày có dạng 2024-12-31 hoặc 31/12/2024 (ngày/tháng/năm)",
        "this is no date; a date is 2024-12-31 or 31/12/2024 (day/month/year)",
    ),
    "missing-cell": Text(
        "thiếu nội dung; bỏ cả dòng nếu chưa có số liệu",
        "the cell is empty; leave the row out if the value is not known",
    ),
    "missing-source": Text(
        "thiếu nguồn số liệu; ghi văn bản hoặc hệ thống mà số liệu được lấy ra",
        "the source is missing; name the document or system the value comes from",
    ),
    "wrong-value": Text(
        "dài quá {most} ký tự hoặc có ký tự điều khiển; hãy rút ngắn, bỏ ký tự đó",
        "has more than {most} characters or control characters; shorten it, remove them",
    ),
    "unknown-indicator": Text(
        "không có chỉ số này; tra danh mục tại /v1/indicators",
        "there is no such indicator; look it up in /v1/indicators",
    ),
    "ambiguous-indicator": Text(
        "tên này chỉ nhiều chỉ số; hãy ghi mã chỉ số",
        "this name means several indicators; give the code",
    ),
    "unexpected-cell": Text(
        "chỉ tỷ lệ mới có tử số và mẫu số; hãy ghi giá trị, bỏ hai ô đó",
        "only a ratio has a numerator and a denominator; give the value and empty those cells",
    ),
    "contradictory-share": Text(
        "tỷ lệ ghi bên cạnh không phải là tử số chia mẫu số; hãy kiểm tra ba ô, hoặc xoá ô tỷ lệ",
        "the share beside numerator and denominator is not theirs; check the three cells, or empty "
        "that of the share",
    ),
    "share-out-of-range": Text(
        "tỷ lệ phần trăm phải từ 0 đến 100; hãy kiểm tra lại số liệu",
        "a percentage is from 0 to 100; check the figure",
    ),
    "not-a-number": Text(
        "không phải một số; hãy ghi số bằng chữ số 0-9, ví dụ 3400 hoặc 85,5%",
        "this is no number; write it in digits 0-9, for example 3400 or 85.5%",
    ),
    "not-a-whole-number": Text(
        "phải là số nguyên; hãy kiểm tra dấu thập phân",
        "this must be a whole number; check the decimal mark",
    ),
    "not-a-truth": Text(
        "phải là có hoặc không (cũng nhận x, đạt, không đạt, 1, 0, true, false)",
        "this must be yes or no (có, không, x, đạt, 1, 0, true and false are also read)",
    ),
    "other-locale": Text(
        "số được viết theo lối khác với lối đã nêu (locale={locale}); hãy viết lại số",
        "the number is written in another way than the one stated (locale={locale}); rewrite it",
    ),
    "mixed-locale": Text(
        "số có thể hiểu hai cách, và tệp có cả hai lối viết (1.234,5 và 1,234.5); hãy viết số "
        "không có dấu phân nhóm, hoặc nêu locale",
        "the number can be read in two ways and the file has both ways of writing (1.234,5 and "
        "1,234.5); write it without grouping marks, or state locale",
    ),
    "mixed-scale": Text(
        "trong tệp, chỉ số {code} vừa được ghi kiểu 85 hoặc 85% (dòng {percent}) vừa kiểu 0,85 "
        "(dòng {fraction}); hãy ghi mọi ô với dấu % (0,85% nếu đúng là chưa đến một phần trăm)",
        "in this file {code} is written both like 85 or 85% (rows {percent}) and like 0.85 (rows "
        "{fraction}); write every cell with % (0.85% if it really is less than one per cent)",
    ),
    "ambiguous-scale": Text(
        "không rõ là 1% hay 100%; hãy ghi kèm dấu %",
        "this may be 1% or 100%; write it with %",
    ),
    "too-many-decimals": Text(
        "tỷ lệ phần trăm có nhiều nhất 6 chữ số thập phân; hãy làm tròn",
        "a percentage has 6 decimals at most; round it",
    ),
    "date-not-number": Text(
        "ô là một ngày, không phải số: phần mềm bảng tính đã đổi 3/4 thành ngày; hãy định dạng ô "
        "là Văn bản rồi ghi lại, hoặc tách tử số và mẫu số thành hai cột",
        "the cell is a date, no number: the spreadsheet made a date of 3/4; format it as Text and "
        "write it again, or use two columns for numerator and denominator",
    ),
    "error-value": Text(
        "ô báo lỗi công thức; hãy sửa công thức hoặc ghi số",
        "the cell shows an error of its formula; mend the formula or write the number",
    ),
    "formula-without-value": Text(
        "công thức chưa có kết quả; hãy mở tệp bằng phần mềm bảng tính, tính lại rồi lưu",
        "the formula has no result; open the file in a spreadsheet, calculate and save it",
    ),
    "merged-value": Text(
        "ô bị gộp với ô khác, không rõ số thuộc về ai; hãy bỏ gộp và ghi từng ô",
        "the cell is merged with another one: it is not clear whose value it is; unmerge them and "
        "fill in each",
    ),
    "duplicate-value": Text(
        "trùng với một dòng ở trên (cùng đơn vị, kỳ, chỉ số); chỉ giữ một",
        "repeats a row above (same unit, period, indicator); keep one",
    ),
    "contradictory-value": Text(
        "tệp ghi hai giá trị khác nhau cho cùng đơn vị, kỳ, chỉ số; chỉ giữ giá trị đúng",
        "the file gives different values for the same unit, period and indicator; keep the right "
        "one",
    ),
    "past-value": Text(
        "theo cột trạng thái, số liệu này đã được thay hoặc đã rút lại; hãy bỏ dòng, hoặc xoá ô "
        "trạng thái nếu đúng là muốn ghi lại",
        "by its column of status this value was superseded or retracted; leave the row out, or "
        "empty the cell of status if it really is to be recorded again",
    ),
    "wrong-level": Text(
        "{code} là chỉ số của cấp {levels}, không phải của cấp {level}",
        "{code} is measured at level {levels}, not at level {level}",
    ),
    "not-plain": Text(
        "phải là văn bản hoặc số, không phải danh sách, đối tượng, true hay false",
        "this must be text or a number, no list, no object, not true or false",
    ),
    "malformed-json": Text(
        "dòng không phải một đối tượng JSON hợp lệ; hãy kiểm tra dấu ngoặc, dấu phẩy, dấu nháy và "
        "khoá bị lặp",
        "the line is no valid JSON object; check brackets, commas, quotes and repeated keys",
    ),
    "numerator-exceeds-denominator": Text(
        "tử số lớn hơn mẫu số; hãy kiểm tra lại",
        "the numerator is greater than the denominator; check the figures",
    ),
    "unknown-member": Text(
        "mã không có trong danh mục của {code}; các mã: {members}",
        "this is no member of {code}; its codes: {members}",
    ),
    "duplicate-member": Text("một mã bị lặp lại", "a code is given twice"),
}  # fmt: skip

# Warnings: nothing is lost.
WARNINGS: Final[Mapping[str, Text]] = {
    "ambiguous-number": Text(
        "số có thể hiểu hai cách (3.400 là 3400 hay 3,4), đã hiểu theo lối Việt Nam: 3400; nếu "
        "không đúng hãy nêu locale=en",
        "the number can be read in two ways (3.400 as 3400 or 3.4) and was read in the Vietnamese "
        "way: 3400; if that is wrong state locale=en",
    ),
    "read-as-fraction": Text(
        "tỷ lệ được ghi kiểu 0,85 đã hiểu là 85%; nếu không đúng hãy ghi kèm dấu %",
        "shares written like 0.85 were read as 85%; if that is wrong write them with %",
    ),
    "read-as-percent": Text(
        "số nhỏ hơn 1 dưới cột (%) đã hiểu là phần trăm: 0,85 là 0,85%; nếu muốn nói 85% hãy sửa "
        "thành 85%",
        "numbers below 1 in a column with (%) were read as percentages: 0.85 as 0.85%; if 85% is "
        "meant write 85%",
    ),
    "rounded-share": Text(
        "tỷ lệ tính bằng công thức đã được làm tròn đến 6 chữ số thập phân của phần trăm",
        "shares that the workbook calculated were rounded to 6 decimals of a percentage",
    ),
    "total-row-skipped": Text(
        "dòng tổng cộng được bỏ qua", "a row of totals was passed over"
    ),
    "text-row": Text(
        "dòng chỉ có chữ, không có số liệu, được bỏ qua",
        "a row with text and no values was passed over",
    ),
    "repeated-header": Text(
        "dòng tiêu đề lặp lại được bỏ qua", "a repetition of the header was passed over"
    ),
    "numbering-row": Text(
        "dòng đánh số cột được bỏ qua", "the row that numbers the columns was passed over"
    ),
    "column-not-used": Text(
        "cột không được dùng vì đã có cột mã cùng nghĩa",
        "the column is not used: a column of codes says the same",
    ),
    "sheet-skipped": Text(
        "trang tính không có dòng tiêu đề nhận ra được, không đọc",
        "the sheet has no row of headings that is recognised; it was not read",
    ),
    "sheet-beside-template": Text(
        "trang tính không phải trang số liệu của mẫu nhập, không đọc; hãy chép số liệu của nó vào "
        "trang số liệu của mẫu",
        "the sheet is not the one of the template that has the values; it was not read: copy its "
        "values into that one",
    ),
    "hidden-sheet": Text(
        "trang tính ẩn, không đọc; nêu sheet để đọc",
        "the sheet is hidden and was not read; name it with sheet to read it",
    ),
    "hidden-rows": Text(
        "dòng hoặc cột ẩn cũng đã được đọc", "hidden rows or columns were read as well"
    ),
    "formula-value": Text(
        "ô công thức đã được đọc theo kết quả lưu trong tệp",
        "formula cells were read by the results stored in the file",
    ),
    "merged-cells": Text(
        "ô gộp đã được hiểu là lặp lại cho mọi dòng của nó",
        "merged cells were read as if repeated in each of their rows",
    ),
}  # fmt: skip
