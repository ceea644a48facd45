"""Guideline of the Phú Thọ Department of Information and Communications, October 2024."""
