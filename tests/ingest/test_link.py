"""Studies and cases find each other, whichever came first."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.ingest.images import images
from app.ingest.instances import receive_instances, take
from app.ingest.link import link
from tests.ingest.landing import REGISTRY, Landing, exam, withdrawal
from tests.make.instances import sent


async def store(landing: Landing, *objects: bytes) -> int:
    """Receive instances and run the image steps; the submission's number."""

    async def pieces(content: bytes) -> AsyncIterator[bytes]:
        yield content

    works = landing.works
    parts = [
        await take(pieces(one), works.quarantine, 1 << 20, None, place)
        for place, one in enumerate(objects)
    ]
    async with works.database.transaction() as session:
        submission = await receive_instances(
            session,
            works.quarantine,
            works.catalogue.in_force(REGISTRY),
            landing.facilities[0],
            "sender",
            "application/dicom",
            parts,
        )
    await landing.run((images, link))
    return submission.number


async def studies(landing: Landing) -> list[tuple[Any, ...]]:
    """State and whether it has a case, of each study of the facility in order of arrival."""
    return await landing.rows(
        "SELECT state, case_id IS NOT NULL FROM studies WHERE facility_id = :facility"
        " ORDER BY received_at, id",
        facility=landing.facilities[0],
    )


async def findings(landing: Landing, number: int) -> list[tuple[Any, ...]]:
    return await landing.rows(
        "SELECT row, place, code FROM findings WHERE submission_number = :n ORDER BY id", n=number
    )


async def test_images_before_their_case_wait_and_are_linked_when_it_comes(landing: Landing):
    await store(landing, sent(1, 1, AccessionNumber="A-1", PatientID="MRN-1"))
    assert await studies(landing) == [("waiting", False)]
    await landing.land([exam()])
    assert await link(landing.works) == 1
    assert await studies(landing) == [("linked", True)]
    assert await link(landing.works) == 0


async def test_images_after_their_case_are_linked_at_once(landing: Landing):
    await landing.land([exam()])
    await store(landing, sent(1, 1, AccessionNumber="A-1", PatientID="MRN-1"))
    assert await studies(landing) == [("linked", True)]


async def test_padding_of_the_accession_number_does_not_count(landing: Landing):
    await landing.land([exam()])
    await store(landing, sent(1, 1, AccessionNumber="  A-1 ", PatientID="MRN-1"))
    assert await studies(landing) == [("linked", True)]


async def test_several_studies_link_to_one_case(landing: Landing):
    await store(
        landing,
        sent(1, 1, AccessionNumber="A-1", PatientID="MRN-1"),
        sent(1, 2, AccessionNumber="A-1", PatientID="MRN-1"),
    )
    await landing.land([exam()])
    await link(landing.works)
    assert await studies(landing) == [("linked", True)] * 2


async def test_another_accession_number_or_none_links_to_nothing(landing: Landing):
    await landing.land([exam()])
    await store(
        landing,
        sent(1, 1, AccessionNumber="A-2", PatientID="MRN-1"),
        sent(1, 2, AccessionNumber=None, PatientID="MRN-1"),
    )
    assert await studies(landing) == [("waiting", False)] * 2


async def test_another_facilitys_case_with_the_same_number_is_not_linked(landing: Landing):
    own = landing.facilities[0]
    (other,) = await landing.participate("active")
    from tests.ingest.landing import Sender

    await landing.land([exam()], sender=Sender(frozenset({other})))
    await store(landing, sent(1, 1, AccessionNumber="A-1", PatientID="MRN-1"))
    assert landing.facilities[0] == own
    assert await studies(landing) == [("waiting", False)]


async def test_images_of_another_known_patient_are_held_with_a_finding(landing: Landing):
    await landing.land(
        [
            exam(),
            exam(exam_unique_id="A-9", other_id="MRN-9", patient_ssn="219099124"),
        ]
    )
    number = await store(landing, sent(1, 1, AccessionNumber="A-1", PatientID="MRN-9"))
    assert await studies(landing) == [("held", False)]
    assert await findings(landing, number) == [(1, "PatientID", "patient-mismatch")]
    await landing.run((images, link))
    assert len(await findings(landing, number)) == 1


async def test_a_held_study_is_linked_when_the_case_turns_out_to_be_the_same_patients(
    landing: Landing,
):
    await landing.land(
        [exam(), exam(exam_unique_id="A-9", other_id="MRN-9", patient_ssn="219099124")]
    )
    await store(landing, sent(1, 1, AccessionNumber="A-1", PatientID="MRN-9"))
    assert await studies(landing) == [("held", False)]
    # The facility corrects the exam: it was that patient's after all.
    await landing.land([exam(other_id="MRN-9", patient_ssn="219099124")])
    await link(landing.works)
    assert await studies(landing) == [("linked", True)]


async def test_what_stays_held_does_not_keep_others_from_their_turn(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.ingest.link.AT_ONCE", 1)
    other = {"other_id": "MRN-9", "patient_ssn": "219099124"}
    names = ["A-1", "A-2"]
    await landing.land([exam(exam_unique_id=one) for one in names])
    await landing.land([exam(exam_unique_id="A-9", **other)])
    for study, name in enumerate(names, 1):
        await store(landing, sent(1, study, AccessionNumber=name, PatientID="MRN-9"))
    assert await studies(landing) == [("held", False), ("held", False)]
    ids = await landing.rows(
        "SELECT id FROM studies WHERE facility_id = :f ORDER BY received_at, id",
        f=landing.facilities[0],
    )
    last = names[ids.index(max(ids))]
    await landing.land([exam(exam_unique_id=last, **other)])
    assert await link(landing.works) == 1


async def test_a_withdrawn_case_withdraws_its_studies_and_brings_them_back(landing: Landing):
    await landing.land([exam()])
    await store(landing, sent(1, 1, AccessionNumber="A-1", PatientID="MRN-1"))
    await landing.land([withdrawal(exam_unique_id="A-1")])
    await link(landing.works)
    assert await studies(landing) == [("withdrawn", True)]
    await landing.land([exam()])
    await link(landing.works)
    assert await studies(landing) == [("linked", True)]


async def test_images_of_a_withdrawn_case_are_withdrawn_when_they_come(landing: Landing):
    await landing.land([exam()])
    await landing.land([withdrawal(exam_unique_id="A-1")])
    await store(landing, sent(1, 1, AccessionNumber="A-1", PatientID="MRN-1"))
    assert await studies(landing) == [("withdrawn", True)]


async def test_the_vault_learns_whose_pseudonym_it_is(landing: Landing):
    await landing.land([exam()])
    await store(landing, sent(1, 1, AccessionNumber="A-1", PatientID="MRN-1"))
    found = await landing.rows(
        "SELECT p.subject_id = c.subject_id, p.pseudonym = s.patient_pseudonym FROM studies s"
        " JOIN cases c ON c.id = s.case_id JOIN vault.image_patients p"
        " ON p.facility_id = s.facility_id AND p.patient_token = s.patient_token"
        " WHERE s.facility_id = :facility",
        facility=landing.facilities[0],
    )
    assert found == [(True, True)]
