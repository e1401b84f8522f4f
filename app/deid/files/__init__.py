"""Whole folders and archives: find the objects, de-identify them in processes, keep account."""
