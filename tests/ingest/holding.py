"""Submissions whose step fails too often, and days that have gone by."""

from collections.abc import Sequence
from typing import Any

from app.ingest.accept import accept
from app.ingest.check import check
from app.ingest.read import read
from app.models.submission import Submission
from tests.ingest.landing import Landing, Sender

STEPS: tuple[Any, ...] = (read, check, accept)
TOO_OFTEN = "UPDATE submissions SET tries = 99 WHERE number = :n RETURNING 1"


async def held_at(
    landing: Landing,
    step: Any,
    entries: Sequence[dict[str, Any]],
    sender: Sender | None = None,
) -> Submission:
    """A submission whose steps went well up to one that was tried too often."""
    submission = await landing.send(entries, sender=sender)
    await landing.run(STEPS[: STEPS.index(step)])
    await landing.rows(TOO_OFTEN, n=submission.number)
    await landing.run([step])
    assert (await landing.told(submission)).state == "held"
    return submission


async def days_go_by(landing: Landing, submission: Submission, days: int = 31) -> None:
    """As if the submission had been received so many days ago."""
    await landing.rows(
        "UPDATE submissions SET received_at = received_at - make_interval(days => :days)"
        " WHERE number = :n RETURNING 1",
        n=submission.number,
        days=days,
    )
