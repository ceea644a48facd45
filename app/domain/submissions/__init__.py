"""Submissions of evidence (hồ sơ minh chứng): opened, filled, checked, decided on.

3445/BNN-VPĐP 4.1 prescribes a chain (thẩm tra, thẩm định, phê duyệt) for pilot proposals only;
using it here, return, refusal and the route without a district are our extension (ADR 0037).
"""
