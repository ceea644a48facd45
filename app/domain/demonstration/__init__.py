"""Synthetic values for real communes of Phú Thọ (units of 2024); none of them is a real figure."""
