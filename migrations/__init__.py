"""Migrations: dated; expand, backfill, contract."""
