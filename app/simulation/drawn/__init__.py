"""Data of any registry, drawn from its definition: sound entries, planted flaws, courses of subjects."""
