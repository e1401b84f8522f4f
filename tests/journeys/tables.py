"""What the tables say, ids and times aside: two runs of the same nation must say the same."""

from typing import Any

import asyncpg

QUERIES = {
    "submissions": """
        SELECT idempotency_key, registry_id, kind, state, entries, counts::text
        FROM submissions ORDER BY 1
    """,
    "entries": """
        SELECT s.idempotency_key, e.row, e.facility_id, e.form, e.action, e.state, e.outcome, e.key_token
        FROM entries e JOIN submissions s ON s.number = e.submission_number ORDER BY 1, 2
    """,
    "findings": """
        SELECT s.idempotency_key, f.row, f.form, f.place, f.code, f.severity
        FROM findings f JOIN submissions s ON s.number = f.submission_number ORDER BY 1, 2, 4, 5, 6
    """,
    "cases": """
        SELECT c.registry_id, c.facility_id, c.form, c.key_token, c.state, c.case_date,
               p.key_token AS parent, s.idempotency_key, c.row,
               min(c.facility_id || c.form || c.key_token)
                   OVER (PARTITION BY c.subject_id) AS subject
        FROM cases c LEFT JOIN cases p ON p.id = c.parent_id
        JOIN submissions s ON s.number = c.submission_number
        ORDER BY 1, 2, 3, 4
    """,
    "history": """
        SELECT DISTINCT v.facility_id, v.form, v.key_token, s.idempotency_key, v.row, v.state,
               v.case_date, v.elements::text, v.definition_version
        FROM versions v JOIN submissions s ON s.number = v.submission_number
        ORDER BY 1, 2, 3, 4, 5, 6
    """,
    "in force": """
        SELECT v.facility_id, v.form, v.key_token, v.state, v.case_date, v.elements::text
        FROM versions v WHERE v.to_seq IS NULL ORDER BY 1, 2, 3, 4
    """,
    "cells": """
        SELECT facility_id, form, stratifier, month, stratum, counts, sums
        FROM cells c JOIN generations g ON g.id = c.generation_id
        WHERE g.state = 'current' AND EXISTS (SELECT FROM unnest(counts) n WHERE n <> 0)
        ORDER BY 1, 2, 3, 4, 5
    """,
    "histograms": """
        SELECT facility_id, measure_id, month, bins
        FROM histograms h JOIN generations g ON g.id = h.generation_id
        WHERE g.state = 'current' AND EXISTS (SELECT FROM unnest(bins) n WHERE n <> 0)
        ORDER BY 1, 2, 3
    """,
    "studies": """
        SELECT facility_id, accession_token, state, case_id IS NOT NULL, count(*)
        FROM studies GROUP BY 1, 2, 3, 4 ORDER BY 1, 2
    """,
    "instances": "SELECT facility_id, state, count(*) FROM instances GROUP BY 1, 2 ORDER BY 1, 2",
}


async def tables(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every table that a journey fills, as comparable rows."""
    connection = await asyncpg.connect(url)
    try:
        return {
            name: [tuple(row) for row in await connection.fetch(query)]
            for name, query in QUERIES.items()
        }
    finally:
        await connection.close()


def differences(
    one: dict[str, list[tuple[Any, ...]]], other: dict[str, list[tuple[Any, ...]]]
) -> dict[str, tuple[list[Any], list[Any]]]:
    """For each table, the first few rows that only one of two runs has."""
    found = {}
    for name in QUERIES:
        left, right = {repr(row) for row in one[name]}, {repr(row) for row in other[name]}
        if left != right or len(one[name]) != len(other[name]):
            found[name] = (sorted(left - right)[:3], sorted(right - left)[:3])
    return found
