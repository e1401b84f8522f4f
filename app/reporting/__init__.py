"""Structured reporting modules: from a radiologist's answers to an end point, a report and codes."""
