"""Physician feedback: a physician's own results beside the facility's and its peers'."""
