"""Dataset in, dataset and report out: PS3.15 Annex E as data. No database, network or settings."""
