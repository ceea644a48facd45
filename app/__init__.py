"""Legal documents on the smart new-style rural commune, as rules that explain their verdicts."""
