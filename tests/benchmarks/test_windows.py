"""A window of the feed ends where a transaction ended, whatever its last number was about."""

import pytest
from sqlalchemy import text

from app.benchmarks.feed import window_end
from app.database import EVERYTHING, Database

REGISTRY = "windows"
# Numbers 1-3, 4-6 and 8-10 open versions in a transaction each; 7 only closed a draft.
OPENED = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 2, 8: 3, 9: 3, 10: 3}


@pytest.mark.parametrize(
    ("after", "size", "end"),
    [(0, 3, 3), (0, 4, 6), (3, 1, 6), (3, 4, 6), (6, 2, 10), (6, 1, 10), (0, 10, 10), (3, 50, 10)],
)
async def test_a_window_ends_where_a_transaction_ended(
    worker: Database, after: int, size: int, end: int
) -> None:
    async with worker.transaction(EVERYTHING) as session:
        await session.execute(text("DELETE FROM versions WHERE registry_id = 'windows'"))
        await session.execute(
            text(
                "INSERT INTO feeds (registry_id, feed_seq) VALUES ('windows', 10)"
                " ON CONFLICT (registry_id) DO NOTHING"
            )
        )
        await session.execute(
            text(
                "INSERT INTO versions (subject_id, registry_id, case_id, facility_id, form, key_token,"
                " state, definition_version, elements, submission_number, row, from_seq, created_at)"
                " VALUES (:number, 'windows', 1, 200001, 'exam', 'k', 'submitted', '1.0.0', '{}',"
                " 1, 1, :number, timestamptz '2026-01-01' + :turn * interval '1 second')"
            ),
            [{"number": number, "turn": turn} for number, turn in OPENED.items()],
        )
        assert await window_end(session, REGISTRY, after, size) == end
