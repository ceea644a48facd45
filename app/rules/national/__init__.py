"""National guideline 3445/BNN-VPĐP."""
