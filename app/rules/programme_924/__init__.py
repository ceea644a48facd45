"""Programme of Decision 924/QĐ-TTg, as reported."""
