"""The data dictionary of a definition: its rows, its contents in words, and how they are printed."""
