"""Improvement projects: before and after, over time, on a worksheet, and as evidence of taking part."""
