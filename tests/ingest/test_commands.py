"""What an operator does at the command line about what is held, and about wrong merges."""

import asyncio
import re

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli import assembled
from app.errors import Conflict, NotFound
from app.ingest.check import check
from app.postgres import Addresses
from app.settings import Settings
from tests.ingest.holding import held_at
from tests.ingest.landing import REGISTRY, Landing, Sender, exam

VALUES = re.compile(r"Ada|Long|MRN|219099123|3020\d{5}|A-1|1955")


@pytest.fixture(autouse=True)
def operator(database: Addresses, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUNSFIELD_DATA", str(settings.data))
    monkeypatch.setenv("HOUNSFIELD_DATABASE_URL", database.owner)
    monkeypatch.setenv("HOUNSFIELD_DATABASE_URL_WEB", database.web)
    monkeypatch.setenv("HOUNSFIELD_DATABASE_URL_WORKER", database.worker)
    monkeypatch.setenv("COLUMNS", "250")


async def run(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, assembled(words[0]), words)


async def printed(*words: str) -> str:
    result = await run(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    assert not VALUES.search(result.output)
    return result.output


async def test_what_is_held_is_listed_and_tried_again(landing: Landing) -> None:
    held = await held_at(landing, check, [exam()])
    (line,) = [
        one for one in (await printed("submission", "held")).splitlines() if str(held.id) in one
    ]
    assert re.search(rf"submission .*{REGISTRY} .*{landing.facilities[0]} .*check ", line)
    assert "read again" in await printed("submission", "retry", str(held.id))
    assert str(held.id) not in await printed("submission", "held")
    refused = await run("submission", "retry", str(held.id))
    assert isinstance(refused.exception, Conflict)
    await landing.run()
    assert (await landing.told(held)).outcomes == ["accepted"]


async def merged(landing: Landing) -> tuple[int, int, int]:
    """Two subjects drawn together by a later entry: the merge, the one merged, the one that stays."""
    a, b = landing.facilities[0], *await landing.participate("active")
    for facility, entries in (
        (a, exam(exam_unique_id="1", patient_ssn=None, refused_to_answer_ssn="Y", other_id="M")),
        (b, exam(exam_unique_id="1", patient_ssn="302011004", other_id="N")),
        (a, exam(exam_unique_id="2", patient_ssn="302011004", other_id="M")),
    ):
        await landing.land([entries], sender=Sender(frozenset({facility})))
    ((merge, gone, stays),) = await landing.rows(
        "SELECT id, merged_subject_id, surviving_subject_id FROM vault.merges"
        " ORDER BY id DESC LIMIT 1"
    )
    return merge, gone, stays


async def test_a_merge_is_listed_undone_and_written_down(landing: Landing) -> None:
    merge, gone, stays = await merged(landing)
    pattern = rf"\W {merge} .* {gone} .* {stays} .* 1 "
    assert re.search(pattern, await printed("subject", "merges", "--registry", REGISTRY))
    cases = "SELECT count(*) FROM cases WHERE subject_id = :s"
    assert await landing.rows(cases, s=gone) == [(0,)]
    assert "back: 1." in await printed("subject", "unmerge", str(merge))
    assert await landing.rows(cases, s=gone) == [(1,)]
    assert "back: 0." in await printed("subject", "unmerge", str(merge))
    listed = await printed("subject", "merges", "--registry", REGISTRY)
    (line,) = [one for one in listed.splitlines() if re.search(pattern, one)]
    assert len(re.findall(r"\d{4}-\d\d-\d\d", line)) == 2, "when it was merged, and undone"
    audited = await landing.rows(
        "SELECT registry_id, details FROM audit_events"
        " WHERE action = 'unmerge' AND record_type = 'merge' AND record_id = :id",
        id=str(merge),
    )
    assert audited == [(REGISTRY, {"subject": gone, "out_of": stays, "cases": 1})]


async def test_of_two_merges_in_a_row_the_later_is_undone_first(landing: Landing) -> None:
    merge, _, stays = await merged(landing)
    await landing.rows(
        "INSERT INTO vault.merges (registry_id, merged_subject_id, surviving_subject_id, tokens,"
        " cases, merged_at) VALUES (:r, :stays, 0, '{}', '{}', now()) RETURNING id",
        r=REGISTRY,
        stays=stays,
    )
    refused = await run("subject", "unmerge", str(merge))
    assert isinstance(refused.exception, Conflict)
    assert "first" in str(refused.exception)


async def test_there_is_nothing_to_undo_where_nothing_was_merged() -> None:
    refused = await run("subject", "unmerge", "999999")
    assert isinstance(refused.exception, NotFound)
    assert (await printed("subject", "merges", "--registry", "no-such-registry")).strip()
