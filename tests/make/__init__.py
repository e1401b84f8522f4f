"""Builders: they make what a test needs, with defaults that hold."""
