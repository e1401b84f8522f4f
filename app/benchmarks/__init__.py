"""Station 2: accepted cases to benchmark tables."""
