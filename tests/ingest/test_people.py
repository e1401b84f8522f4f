from typing import Any

from app.database import EVERYTHING
from app.ingest.unmerge import unmerge
from tests.ingest.landing import Landing, Sender, exam, follow_up

SUBJECTS = (
    "SELECT count(DISTINCT subject_id) FROM cases WHERE facility_id = ANY(:f) AND form = 'exam'"
)


async def subjects(landing: Landing) -> int:
    """How many people the exams of the test's facilities are of."""
    ((count,),) = await landing.rows(SUBJECTS, f=landing.facilities)
    return int(count)


def person(number: int, **changes: Any) -> dict[str, Any]:
    """An exam of somebody that no other test knows."""
    return exam(exam_unique_id=f"P{number}", **changes)


async def at(landing: Landing, facility: int, *entries: dict[str, Any]) -> Any:
    return await landing.land(list(entries), sender=Sender(frozenset({facility})))


async def test_national_identifier_and_birth_date_make_one_subject_across_facilities(
    landing: Landing,
) -> None:
    a, b = landing.facilities[0], *await landing.participate("active")
    await at(landing, a, person(1, patient_ssn="301011001", other_id="A"))
    landed = await at(landing, b, person(1, patient_ssn="301-01-1001", other_id="B"))
    assert landed.findings == []
    assert await subjects(landing) == 1


async def test_another_birth_date_is_another_subject_and_a_finding(landing: Landing) -> None:
    a, b = landing.facilities[0], *await landing.participate("active")
    await at(landing, a, person(1, patient_ssn="301011002", other_id="A"))
    landed = await at(
        landing, b, person(1, patient_ssn="301011002", other_id="B", patient_dob="1956-04-12")
    )
    assert landed.outcomes == ["accepted"]
    assert landed.findings == [(1, "patient_ssn", "identity-conflict")]
    assert landed.submission.counts["warnings"] == 1
    assert await subjects(landing) == 2


async def test_a_local_identifier_leads_to_its_own_facility_s_subject_only(
    landing: Landing,
) -> None:
    a, b = landing.facilities[0], *await landing.participate("active")
    nobody = {"patient_ssn": None, "refused_to_answer_ssn": "Y", "other_id": "L"}
    await at(landing, a, person(1, **nobody), person(2, **nobody))
    await at(landing, b, person(1, **nobody))
    assert await subjects(landing) == 2


async def test_a_national_identifier_that_comes_later_is_attached(landing: Landing) -> None:
    a = landing.facilities[0]
    await at(landing, a, person(1, patient_ssn=None, refused_to_answer_ssn="Y", other_id="L2"))
    landed = await at(landing, a, person(2, patient_ssn="301011003", other_id="L2"))
    assert landed.findings == []
    assert await subjects(landing) == 1


async def test_two_subjects_found_to_be_one_are_merged_on_the_record_and_parted_again(
    landing: Landing,
) -> None:
    a, b = landing.facilities[0], *await landing.participate("active")
    await at(
        landing, a,
        person(1, patient_ssn=None, refused_to_answer_ssn="Y", other_id="L3"),
        follow_up(exam_unique_id="P1"),
    )  # fmt: skip
    await at(landing, b, person(1, patient_ssn="301011004", other_id="X3"))
    assert await subjects(landing) == 2
    await at(landing, a, person(2, patient_ssn="301011004", other_id="L3"))
    assert await subjects(landing) == 1
    ((merge, merged, surviving, cases),) = await landing.rows(
        "SELECT id, merged_subject_id, surviving_subject_id, cases FROM vault.merges"
        " ORDER BY id DESC LIMIT 1"
    )
    assert len(cases) == 2
    in_force = "SELECT count(*) FROM versions WHERE subject_id = :s AND to_seq IS NULL AND facility_id = :f"
    assert await landing.rows(in_force, s=merged, f=a) == [(0,)]
    assert await landing.rows(in_force, s=surviving, f=a) == [(3,)]
    unsealed = await landing.rows(
        "SELECT count(*) FROM versions v JOIN vault.identities i ON i.version_id = v.id"
        " WHERE v.to_seq IS NULL AND v.facility_id = :f",
        f=a,
    )
    assert unsealed == [(3,)]
    async with landing.works.database.transaction(EVERYTHING) as session:
        assert await unmerge(session, merge) == 2
    assert await landing.rows(in_force, s=merged, f=a) == [(2,)]
    assert await landing.rows(in_force, s=surviving, f=a) == [(1,)]
    async with landing.works.database.transaction(EVERYTHING) as session:
        assert await unmerge(session, merge) == 0


async def test_a_corrected_identity_takes_the_exam_and_its_follow_ups_along(
    landing: Landing,
) -> None:
    a = landing.facilities[0]
    await at(
        landing, a,
        person(1, patient_ssn="301011005", other_id="L5"),
        follow_up(exam_unique_id="P1"),
        person(2, patient_ssn="301011006", other_id="L6"),
    )  # fmt: skip
    await at(landing, a, person(1, patient_ssn="301011006", other_id="L6"))
    rows = await landing.rows(
        "SELECT count(*), count(DISTINCT subject_id) FROM cases WHERE facility_id = :f", f=a
    )
    assert rows == [(3, 1)]
    in_force = await landing.rows(
        "SELECT count(*) FROM versions v JOIN cases c ON c.id = v.case_id AND c.version_id = v.id"
        " AND c.subject_id = v.subject_id WHERE v.to_seq IS NULL AND v.facility_id = :f",
        f=a,
    )
    assert in_force == [(3,)]


async def test_a_wrong_local_identifier_never_draws_two_people_together(landing: Landing) -> None:
    a = landing.facilities[0]
    await at(landing, a, person(1, patient_ssn="301011007", other_id="L7"))
    await at(landing, a, person(2, patient_ssn="301011008", other_id="L8"))
    landed = await at(landing, a, person(3, patient_ssn="301011008", other_id="L7"))
    assert landed.findings == [(1, "patient_ssn", "identity-conflict")]
    assert await subjects(landing) == 2


async def test_a_number_typed_to_fill_the_field_identifies_nobody(landing: Landing) -> None:
    a = landing.facilities[0]
    await at(landing, a, person(1, patient_ssn="111111111", other_id="L9"))
    landed = await at(landing, a, person(2, patient_ssn="111111111", other_id="L10"))
    if landed.outcomes == ["accepted"]:
        assert await subjects(landing) == 2
