"""Plan of Trà Vinh province for 2023."""
