"""Why a file as a whole is refused, and what to do then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.rules.errors import Text

FAULTS: Final[Mapping[str, Text]] = {
    "unsafe-file": Text(
        "tệp không an toàn để mở (giải nén ra quá lớn, quá thưa, quá tốn bộ nhớ hoặc có khai báo "
        "XML lạ); hãy mở bằng phần mềm bảng tính, chép phần số liệu sang tệp mới rồi gửi lại",
        "the file is not safe to open (it unpacks to too much, is too sparse, needs too much "
        "memory or has odd XML declarations); copy the values into a new file and send that",
    ),
    "unsupported-file": Text(
        "tệp là {vi}, không đọc được; hãy lưu lại dạng .xlsx, .xls, .csv hoặc NDJSON",
        "the file is {en}, which is not read; save it as .xlsx, .xls, .csv or NDJSON",
    ),
    "media-contradicts": Text(
        "tệp được khai là {declared} nhưng nội dung là {found}; hãy gửi với Content-Type đúng",
        "the file is declared as {declared} but its content is {found}; send the right "
        "Content-Type",
    ),
    "damaged-file": Text(
        "tệp bị hỏng hoặc bị cắt cụt; hãy lưu lại rồi gửi cả tệp",
        "the file is damaged or cut off; save it again and send all of it",
    ),
    "encrypted-file": Text(
        "tệp được đặt mật khẩu; hãy bỏ mật khẩu rồi gửi lại",
        "the file has a password; remove it and send the file again",
    ),
    "unknown-encoding": Text(
        "dòng này không đọc được theo bảng mã {encoding}; hãy lưu tệp dạng UTF-8, hoặc nêu bảng mã "
        "của tệp (encoding=windows-1258; phông TCVN3, VNI không được hỗ trợ)",
        "this line cannot be read as {encoding}; save the file as UTF-8, or state its encoding "
        "(encoding=windows-1258; the TCVN3 and VNI font encodings are not supported)",
    ),
    "encoding-contradicts": Text(
        "tệp được khai bảng mã {declared} nhưng bắt đầu bằng dấu của {found}; hãy bỏ khai báo "
        "encoding",
        "the encoding is stated as {declared} but the file begins with the mark of {found}; "
        "leave encoding out",
    ),
    "not-text": Text(
        "dòng này có ký tự NUL, không phải văn bản; hãy lưu lại dạng CSV UTF-8",
        "this line has a NUL character, which is no text; save the file as CSV UTF-8",
    ),
    "not-csv": Text(
        "từ dòng này tệp không đúng dạng CSV; hãy kiểm tra dấu nháy kép và độ dài ô",
        "from this line on the file is no CSV; check the double quotes and the length of cells",
    ),
    "not-ndjson": Text(
        "tệp là một mảng hoặc một văn bản JSON; hãy gửi mỗi dòng một đối tượng JSON",
        "the file is one JSON array or text; send one JSON object a line",
    ),
    "several-sheets": Text(
        "tệp có nhiều trang tính có nội dung (kể cả trang ẩn); hãy gửi tệp chỉ có một trang tính",
        "the workbook has several sheets with content (hidden ones included); send one sheet",
    ),
    "empty-file": Text(
        "tệp trống; hãy gửi tệp có số liệu", "the file is empty; send one with values"
    ),
    "no-header": Text(
        "không tìm thấy dòng tiêu đề trong 30 dòng đầu; cần có cột mã hoặc tên đơn vị "
        "và cột chỉ số",
        "no row of headings is found in the first 30 rows; a column for the unit and columns for "
        "indicators are needed",
    ),
    "no-sheet": Text(
        "không có trang tính mang tên đã nêu; các trang: {sheets}",
        "there is no sheet of the name that was given; sheets: {sheets}",
    ),
    "unknown-column": Text(
        "không hiểu cột này; hãy đổi tên theo danh mục tại /v1/indicators hoặc xoá cột",
        "this column is not known; name it as /v1/indicators does or delete it",
    ),
    "unknown-column-near": Text(
        "không hiểu cột này; có phải là “{near}”? Hãy sửa tên cột hoặc xoá cột",
        "this column is not known; is “{near}” meant? Mend its name or delete the column",
    ),
    "unnamed-column": Text(
        "cột không có tên nhưng có nội dung; hãy đặt tên hoặc xoá cột",
        "a column has content but no name; name it or delete it",
    ),
    "repeated-column": Text(
        "có hai cột cùng nghĩa “{meaning}”; chỉ giữ một",
        "two columns mean the same, “{meaning}”; keep one",
    ),
    "ambiguous-column": Text(
        "tên cột chỉ nhiều chỉ số: {codes}; hãy ghi mã chỉ số làm tên cột",
        "the name of the column means several indicators: {codes}; use the code as its name",
    ),
    "missing-column": Text(
        "thiếu cột “{meaning}”; hãy thêm cột",
        "the column “{meaning}” ({word}) is missing; add it",
    ),
    "missing-statement": Text(
        "thiếu cột “{meaning}”; hãy thêm cột, hoặc nêu {word} khi gửi tệp",
        "the column “{meaning}” ({word}) is missing; add it, or state {word} with the file",
    ),
    "wide-json": Text(
        "khoá này là một chỉ số; NDJSON ghi mỗi dòng một số liệu, mã chỉ số đặt ở khoá indicator, "
        "số liệu ở khoá value",
        "this key is an indicator; a line of NDJSON is one value, with the code of its indicator "
        "under the key indicator and the value under value",
    ),
    "mixed-forms": Text(
        "bảng vừa có cột chỉ số vừa có cột mang tên một chỉ số; hãy chỉ dùng một dạng",
        "the table has a column for indicators and one named as an indicator; use one form only",
    ),
    "mixed-sheets": Text(
        "trang tính “{long}” ghi mỗi dòng một số liệu, trang tính “{wide}” ghi mỗi cột một chỉ số; "
        "hãy gửi từng trang, nêu tên trang bằng sheet",
        "the sheet “{long}” has a value in each row, the sheet “{wide}” an indicator in each "
        "column; send one after the other, each named with sheet",
    ),
    "second-header": Text(
        "từ dòng này là một bảng khác, với tiêu đề khác; hãy tách mỗi bảng ra một tệp hoặc một "
        "trang tính",
        "on this row another table begins, with other headings; put each table into a file or a "
        "sheet of its own",
    ),
    "template-changed": Text(
        "cột của mẫu nhập đã bị đổi tên hoặc bị xoá; hãy tải lại mẫu nhập và chép số liệu sang",
        "a column of the template was renamed or deleted; get the template again and copy the "
        "values into it",
    ),
    "too-many-rows": Text(
        "tệp có hơn {most} dòng; hãy chia nhỏ tệp", "the file has more than {most} rows; split it"
    ),
    "too-many-cells": Text(
        "tệp có hơn {most} ô; hãy chia nhỏ tệp", "the file has more than {most} cells; split it"
    ),
    "too-many-columns": Text(
        "bảng có hơn {most} cột; hãy chia nhỏ bảng",
        "the table has more than {most} columns; split it",
    ),
    "too-many-sheets": Text(
        "tệp có hơn {most} trang tính; hãy chia nhỏ tệp",
        "the file has more than {most} sheets; split it",
    ),
    "too-many-places": Text(
        "tệp nói về hơn {most} đơn vị và kỳ; hãy chia nhỏ tệp",
        "the file speaks of more than {most} units and periods; split it",
    ),
    "too-many-bad-rows": Text(
        "hơn {most} lỗi nên tệp chỉ được đọc đến dòng này, phần sau chưa được kiểm tra; hãy sửa "
        "các lỗi đã nêu rồi gửi lại cả tệp",
        "more than {most} faults, so the file was read up to this row and not beyond; mend those "
        "that are named and send the whole file again",
    ),
    "long-cell": Text(
        "có ô dài quá {most} ký tự; hãy rút ngắn",
        "a cell has more than {most} characters; shorten it"
    ),
    "invalid-option": Text(
        "tham số {option} không hợp lệ: {vi}", "the parameter {option} is not valid: {en}"
    ),
    "reading-not-possible": Text(
        "máy chủ này không thể đọc tệp một cách an toàn; hãy chạy dịch vụ trên Linux",
        "this server cannot read files safely; run the service on Linux",
    ),
}  # fmt: skip
