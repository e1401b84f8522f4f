from typing import Any

import pytest

from app.ingest import expire as expiry
from app.ingest.accept import accept
from app.ingest.check import check
from app.ingest.expire import expire
from app.ingest.read import read
from app.models.submission import Submission
from tests.ingest.holding import days_go_by, held_at
from tests.ingest.landing import Landed, Landing, Sender, exam, follow_up

SECRETS = (
    "SELECT count(*) FROM entries WHERE submission_number = :n AND coalesce(sealed, identity,"
    " elements::text::bytea, person_token::bytea, national_token::bytea, local_token::bytea)"
    " IS NOT NULL"
)


async def secrets(landing: Landing, submission: Submission) -> int:
    """How many entries of a submission hold anything of what was sent."""
    ((count,),) = await landing.rows(SECRETS, n=submission.number)
    return int(count)


async def expired(landing: Landing, submission: Submission) -> Landed:
    """What became of a submission when its days are over and nothing is left to expire."""
    await days_go_by(landing, submission)
    assert await secrets(landing, submission)
    while await expire(landing.works):
        pass
    assert not await secrets(landing, submission)
    return await landing.told(submission)


def adds_up(landed: Landed) -> bool:
    counts = landed.submission.counts
    return bool(
        counts["accepted"] + counts["rejected"] + counts["waiting"]
        == counts["entries"]
        == landed.submission.entries
        == len(landed.outcomes)
    )


async def test_a_follow_up_whose_case_never_came_is_rejected_and_forgotten(
    landing: Landing,
) -> None:
    waiting = await landing.land([follow_up(), exam(exam_unique_id="A-2")])
    assert waiting.outcomes == ["waiting", "accepted"]
    await days_go_by(landing, waiting.submission, 29)
    await expire(landing.works)
    assert (await landing.told(waiting.submission)).outcomes == ["waiting", "accepted"]
    told = await expired(landing, waiting.submission)
    assert told.outcomes == ["rejected", "accepted"]
    assert told.findings == [(1, "exam_unique_id", "expired")]
    assert (told.submission.counts["rejected"], told.submission.counts["waiting"]) == (1, 0)
    assert adds_up(told)
    ((severity, remedy),) = await landing.rows(
        "SELECT severity, remedy FROM findings WHERE submission_number = :n",
        n=waiting.submission.number,
    )
    assert severity == "reject"
    assert "Send that case" in remedy


async def test_a_case_that_comes_too_late_no_longer_takes_its_follow_up_along(
    landing: Landing,
) -> None:
    waiting = await landing.land([follow_up()])
    await expired(landing, waiting.submission)
    assert (await landing.land([exam()])).outcomes == ["accepted"]
    assert (await landing.told(waiting.submission)).outcomes == ["rejected"]
    assert (await landing.land([follow_up()])).outcomes == ["accepted"], "sent again"


@pytest.mark.parametrize("step", [check, accept])
async def test_a_held_submission_is_rejected_and_forgotten(landing: Landing, step: Any) -> None:
    held = await held_at(landing, step, [exam(), exam(exam_unique_id="A-2")])
    await expire(landing.works)
    assert (await landing.told(held)).findings == [(0, "submission", "held")]
    told = await expired(landing, held)
    assert (told.state, told.outcomes) == ("completed", ["rejected", "rejected"])
    assert told.findings == [(0, "submission", "expired")]
    assert adds_up(told)
    assert await expire(landing.works) == 0


async def test_a_held_body_that_was_never_read_is_destroyed(landing: Landing) -> None:
    held = await held_at(landing, read, [exam()])
    await days_go_by(landing, held)
    await expire(landing.works)
    told = await landing.told(held)
    assert (told.state, told.outcomes, told.submission.entries) == ("unreadable", [], 0)
    assert told.findings == [(0, "submission", "expired")]
    assert await landing.rows(
        "SELECT wrapped_key, content FROM vault.quarantine WHERE id = :id", id=held.quarantine_id
    ) == [(b"", None)]


async def test_a_large_one_ends_batch_by_batch_and_what_was_accepted_of_it_stays(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    held = await held_at(landing, accept, [exam(exam_unique_id=f"A-{n}") for n in range(6)])
    await landing.rows(
        "UPDATE entries SET state = 'accepted', outcome = 'accepted', elements = NULL,"
        " identity = NULL, person_token = NULL, national_token = NULL, local_token = NULL"
        " WHERE submission_number = :n AND row = 1 RETURNING 1",
        n=held.number,
    )
    await days_go_by(landing, held)
    states = []
    while await expire(landing.works):
        states.append((await landing.told(held)).state)
    assert states == ["held", "held", "completed"]
    told = await landing.told(held)
    assert told.outcomes == ["accepted", *["rejected"] * 5]
    assert adds_up(told)
    assert await secrets(landing, held) == 0


async def test_what_is_not_due_yet_is_left_alone(landing: Landing) -> None:
    (other,) = await landing.participate("active")
    old = await landing.land([follow_up()])
    young = await landing.land([follow_up()], sender=Sender(frozenset({other})))
    await expired(landing, old.submission)
    assert (await landing.told(young.submission)).outcomes == ["waiting"]
