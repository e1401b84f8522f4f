"""Store, de-identify, verify, archive: over HTTP, on PostgreSQL, into the archive's folder."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO

import httpx
import pytest
import pytest_asyncio
from pydicom import dcmread
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import NOTHING, Database, Scope
from app.ingest.images import images
from app.models.submission import Submission
from app.postgres import Addresses
from app.settings import Settings
from app.vault.quarantine import INLINE
from app.worker import Works, open_works
from tests.conftest import opened
from tests.ingest.imaging import DOOR, Site, findings, open_site, rows, submission
from tests.make.accounts import REGISTRY, key_for
from tests.make.instances import BOUNDARY, DICOM_PARTS, ROOT, ct, multipart, packed, sent


@pytest_asyncio.fixture(scope="module")
async def works(settings: Settings) -> AsyncIterator[Works]:
    async with open_works(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def site(client: httpx.AsyncClient, database: Addresses, works: Works) -> Site:
    return await open_site(client, database, works)


async def test_an_instance_travels_from_the_door_to_the_archive(site: Site, worker: Database):
    answer = await site.store(sent(1, 10), sent(2, 10))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    said = answer.json()
    assert [one["00081155"]["Value"][0] for one in said["00081199"]["Value"]] == [
        f"{ROOT}.10.1.1",
        f"{ROOT}.10.1.2",
    ]
    assert "00081198" not in said
    await site.work()
    first, second = await site.archived(answer)
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SeriesDescription == "LUNG 1.0 B60f"
    assert first.PatientIdentityRemoved == "YES"
    assert first.pixel_array.shape == (16, 16)
    (study,) = [
        one for one in await site.studies() if one["study_instance_uid"] == first.StudyInstanceUID
    ]
    assert (study["state"], study["instances"], study["series"]) == ("waiting", 2, 1)
    state, counts, entries = await submission(worker, answer)
    assert (state, entries, counts["accepted"], counts["rejected"]) == ("completed", 2, 2, 0)
    assert await findings(worker, answer) == []


async def test_no_identifier_is_left_in_the_archive_the_tables_or_the_answer(
    site: Site, worker: Database, settings: Settings
):
    answer = await site.store(sent(1, 20))
    await site.work()
    (study,) = [one for one in await site.studies() if one["facility_id"] == site.facility]
    kept = b"".join(
        path.read_bytes() + str(path).encode()
        for path in (settings.data / "archive").rglob("*")
        if path.is_file()
    )
    dump = repr(
        [
            await rows(worker, f"SELECT * FROM {table}")
            for table in ("studies", "series", "instances", "submissions", "findings")
        ]
    ).encode()
    for secret in (
        b"Quizzleberry",
        b"QUIZZLEBERRY",
        b"7730015",
        b"Thistlewood",
        b"Quillmark",
        b"ACC-000020",
        b"19610704",
        b"20240311",
        ROOT.encode(),
    ):
        assert secret not in kept
        assert secret not in dump
        assert secret not in repr(study).encode()
        assert secret not in repr(answer.headers).encode()
    assert b"Quizzleberry" not in answer.content


async def test_the_bytes_as_received_are_destroyed_once_archived_and_kept_when_held(
    site: Site, worker: Database
):
    answer = await site.store(sent(1, 30), sent(2, 30, BurnedInAnnotation="YES"))
    assert answer.status_code == 200
    await site.work()
    assert await findings(worker, answer) == [(2, "instance", "burned-in-text")]
    number = answer.headers["Location"].rsplit("/", 1)[1]
    told = (await site.get(f"/v1/submissions/{number}/instances")).json()
    assert [(one["entry"], one["state"]) for one in told] == [(1, "archived"), (2, "held")]
    assert (await site.get(told[0]["retrieve_url"])).status_code == 200
    assert told[1]["retrieve_url"] is None
    shown = (await site.get(f"/v1/submissions/{number}")).json()
    assert (shown["kind"], shown["counts"]["archived"], shown["counts"]["held"]) == (
        "instances",
        1,
        1,
    )
    found = await rows(
        worker,
        "SELECT i.state, q.destroyed_at IS NULL, length(q.wrapped_key) FROM instances i"
        " JOIN vault.quarantine q ON q.id = i.quarantine_id JOIN submissions s"
        " ON s.number = i.submission_number WHERE s.id = :id ORDER BY i.row",
        id=number,
    )
    assert [(one[0], one[1]) for one in found] == [("archived", False), ("held", True)]
    assert found[0][2] == 0
    state, counts, _ = await submission(worker, answer)
    assert (state, counts["archived"], counts["held"]) == ("completed", 1, 1)


async def test_the_same_instance_again_is_unchanged_and_other_content_is_refused(
    site: Site, worker: Database
):
    first = await site.store(sent(1, 40))
    await site.work()
    again = await site.store(sent(1, 40))
    other = await site.store(sent(1, 40, SeriesDescription="LUNG 2.0 B30f"))
    await site.work()
    assert (await submission(worker, first))[1]["archived"] == 1
    assert (await submission(worker, again))[1]["unchanged"] == 1
    assert (await submission(worker, other))[1]["refused"] == 1
    assert await findings(worker, other) == [(1, "SOPInstanceUID", "duplicate-instance")]


@pytest.mark.parametrize(
    ("body", "place", "code"),
    [
        (sent(1, 50)[:-300], "instance", "unreadable"),
        (sent(1, 50)[:700], "instance", "unreadable"),
        (b"patient: Ottoline Quizzleberry\n" * 40, "instance", "not-dicom"),
        (b"", "instance", "not-dicom"),
        (b"\0" * 128 + b"DICM", "instance", "not-dicom"),
        (packed(ct(1, 50, Rows=64)), "instance", "unreadable"),
        (packed(ct(1, 50)).replace(b"PN\x16\x00", b"PN\xff\x7f"), "instance", "unreadable"),
        (packed(ct(1, 50, BurnedInAnnotation="YES")), "instance", "burned-in-text"),
        (
            packed(ct(1, 50, SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1")),
            "instance",
            "encapsulated-document",
        ),
        (
            packed(ct(1, 50, SOPClassUID="1.2.840.10008.5.1.4.39.1", StudyInstanceUID=None)),
            "instance",
            "unreadable",
        ),
    ],
    ids=[
        "cut-in-pixels",
        "cut-in-header",
        "text",
        "empty",
        "only-a-preamble",
        "too-few-pixels",
        "wrong-length",
        "text-that-nobody-finds",
        "document",
        "of-no-study",
    ],
)
async def test_a_bad_object_gets_its_own_outcome_and_its_neighbours_land(
    site: Site, worker: Database, body: bytes, place: str, code: str
):
    study = 100 + hash((code, len(body))) % 100_000
    answer = await site.store(sent(1, study), body, sent(2, study))
    assert answer.status_code in (200, 202), answer.text
    await site.work()
    assert await findings(worker, answer) == [(2, place, code)]
    state, counts, entries = await submission(worker, answer)
    assert (state, entries, counts["archived"], counts["rejected"]) == ("completed", 3, 2, 1)


async def test_an_object_without_uids_lands_under_made_ones_and_is_warned_of(
    site: Site, worker: Database
):
    answer = await site.store(
        sent(1, 55, StudyInstanceUID=None), sent(2, 56, SeriesInstanceUID=None), sent(3, 56)
    )
    await site.work()
    assert await findings(worker, answer) == [
        (1, "StudyInstanceUID", "missing"),
        (2, "SeriesInstanceUID", "missing"),
    ]
    assert (await submission(worker, answer))[1]["archived"] == 3


async def test_a_missing_patient_id_and_accession_number_are_warned_of(
    site: Site, worker: Database
):
    answer = await site.store(
        sent(1, 60, PatientID=None, AccessionNumber=None),
        sent(1, 61, PatientID=""),
        sent(1, 62, SpecificCharacterSet=None),
    )
    await site.work()
    assert await findings(worker, answer) == [
        (1, "PatientID", "missing"),
        (1, "AccessionNumber", "missing"),
        (2, "PatientID", "missing"),
    ]
    assert (await submission(worker, answer))[1]["archived"] == 3
    one, two, _ = await site.archived(answer)
    assert one.PatientID == two.PatientID != ""


async def test_part_outcomes_decide_the_status(site: Site):
    assert (await site.store(sent(1, 70))).status_code == 200
    mixed = await site.store(b"text", sent(2, 70))
    assert mixed.status_code == 202
    assert mixed.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xC000]
    assert len(mixed.json()["00081199"]["Value"]) == 1
    none = await site.store(b"text", b"more text")
    assert none.status_code == 409
    assert len(none.json()["00081198"]["Value"]) == 2
    assert "00081199" not in none.json()


async def test_an_instance_of_another_study_than_the_address_fails(site: Site):
    answer = await site.send(multipart([sent(1, 80), sent(1, 81)]), path=f"{DOOR}/{ROOT}.80")
    assert answer.status_code == 202
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081155"]["Value"] == [f"{ROOT}.81.1.1"]
    assert failed["00081197"]["Value"] == [0xA901]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"", DICOM_PARTS, 400),
        (multipart([]), DICOM_PARTS, 400),
        (b"--other\r\n\r\nabc\r\n--other--\r\n", DICOM_PARTS, 400),
        (b"x" * 200_000, DICOM_PARTS, 400),
        (multipart([sent(1, 90)]), 'multipart/related; type="application/dicom"', 400),
        (multipart([sent(1, 90)]), f'multipart/related; boundary="{"b" * 71}"', 400),
        (b"", "application/dicom", 400),
        (sent(1, 90), "application/octet-stream", 415),
        (sent(1, 90), "", 415),
        (
            multipart([b"{}"]),
            f'multipart/related; type="application/dicom+json"; boundary={BOUNDARY}',
            415,
        ),
        (multipart([sent(1, 90)]), f"multipart/form-data; boundary={BOUNDARY}", 415),
    ],
    ids=[
        "empty",
        "no-parts",
        "wrong-boundary",
        "no-boundary-in-body",
        "boundary-unnamed",
        "boundary-too-long",
        "single-empty",
        "octets",
        "untyped",
        "json",
        "form",
    ],
)
async def test_a_body_that_is_no_delivery_is_a_problem(
    site: Site, body: bytes, media_type: str, status: int
):
    answer = await site.send(body, media_type)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await site.store(sent(1, 91))).status_code == 200


async def test_a_body_that_breaks_off_keeps_the_parts_before(site: Site, worker: Database):
    whole = multipart([sent(1, 92), sent(2, 92)])
    answer = await site.send(whole[: len(whole) - 400])
    assert answer.status_code == 202
    await site.work()
    assert await findings(worker, answer) == [(2, "instance", "not-dicom")]
    assert (await submission(worker, answer))[1]["archived"] == 1


async def test_bytes_outlive_a_commit_whose_answer_is_lost(
    site: Site, worker: Database, monkeypatch: pytest.MonkeyPatch
):
    """The connection may break after the commit: rows that are there must find their bytes."""
    transaction = Database.transaction

    @asynccontextmanager
    async def breaking(database: Database, scope: Scope = NOTHING) -> AsyncIterator[AsyncSession]:
        async with transaction(database, scope) as session:
            yield session
            received = any(isinstance(one, Submission) for one in session.identity_map.values())
        if received:
            raise ConnectionResetError

    large = sent(1, 97, Rows=256, Columns=256, PixelData=bytes(2 * 256 * 256))
    assert len(large) > INLINE
    with monkeypatch.context() as patch:
        patch.setattr(Database, "transaction", breaking)
        assert (await site.store(large)).status_code == 503
    ((number,),) = await rows(
        worker, "SELECT number FROM submissions WHERE facility_id = :f", f=site.facility
    )
    await site.work()
    states = "SELECT state FROM instances WHERE submission_number = :n"
    assert await rows(worker, states, n=number) == [("archived",)]


async def test_odd_but_legal_multiparts_are_read(site: Site):
    marker = b"--" + BOUNDARY.encode()
    part = b"Content-Type: application/dicom\r\n\r\n" + sent(1, 93)
    preamble = (
        b"This is a preamble.\r\n" + marker + b"  \r\n" + part + b"\r\n" + marker + b"--epilogue"
    )
    assert (await site.send(preamble)).status_code == 200
    assert (await site.send(multipart([sent(2, 93)], headers=()))).status_code == 200
    assert (await site.send(sent(3, 93), "application/dicom")).status_code == 200
    unreadable = marker + b"\r\nno header at all\r\n\r\nabc\r\n" + multipart([sent(4, 93)])
    assert (await site.send(unreadable)).status_code == 202
    other = multipart([b"<a/>"], headers=("Content-Type: application/xml",))
    assert (await site.send(other)).status_code == 409


async def test_a_part_over_the_limit_fails_and_the_rest_lands(
    database: Addresses, settings: Settings, works: Works, worker: Database
):
    from app.main import create_app

    small = settings.model_copy(update={"image_limit": 4_000})
    async with opened(create_app(small)) as client:
        site = await open_site(client, database, works)
        large = sent(2, 94, PixelData=bytes(200_000))
        answer = await site.store(sent(1, 94), large, sent(3, 94))
        assert answer.status_code == 202
        (failed,) = answer.json()["00081198"]["Value"]
        assert failed["00081197"]["Value"] == [0xA700]
        assert failed["00081155"]["Value"] == [f"{ROOT}.94.1.2"]
        assert await findings(worker, answer) == [(2, "instance", "too-large")]
        assert (await site.store(large)).status_code == 413


async def test_only_dicom_json_is_answered(site: Site):
    body = multipart([sent(1, 95)])
    for accept, status in {
        "application/dicom+xml": 406,
        "application/dicom+json;q=0": 406,
        "text/html": 406,
        "application/dicom+json": 200,
        "text/html, */*;q=0.1": 200,
    }.items():
        assert (await site.send(body, Accept=accept)).status_code == status, accept


async def test_the_archive_answers_by_accept(site: Site):
    answer = await site.store(sent(1, 96))
    await site.work()
    url = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    bare = await site.get(url, Accept="application/dicom")
    assert bare.headers["content-type"] == "application/dicom"
    wrapped = await site.get(url)
    kind = wrapped.headers["content-type"]
    assert kind.startswith('multipart/related; type="application/dicom"; boundary=')
    boundary = kind.rsplit("=", 1)[1].encode()
    assert wrapped.content.startswith(b"--" + boundary)
    assert bare.content in wrapped.content
    assert (await site.get(url, Accept="image/jpeg")).status_code == 406
    other_syntax = (
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90'
    )
    assert (await site.get(url, Accept=other_syntax)).status_code == 406
    same = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'
    assert (await site.get(url, Accept=same)).status_code == 200
    metadata = await site.get(url + "/metadata")
    expected = dcmread(BytesIO(bare.content)).to_json_dict()
    for tag, attribute in metadata.json()[0].items():
        if tag != "00080005":
            assert attribute.get("Value") == expected[tag].get("Value")
    assert (await site.get(url[:-3] + "123")).status_code == 404


async def test_another_facility_neither_lists_nor_retrieves(
    site: Site, client: httpx.AsyncClient, database: Addresses, works: Works
):
    answer = await site.store(sent(1, 97))
    await site.work()
    url = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    other = await open_site(client, database, works)
    assert (await other.get(url)).status_code == 404
    assert await other.studies() == []
    asked = await other.client.get(
        f"/v1/registries/{REGISTRY}/images?facility={site.facility}",
        headers={"Authorization": f"Bearer {other.key}"},
    )
    assert asked.status_code == 404


async def test_who_may_not_send_is_told_so(
    site: Site, client: httpx.AsyncClient, database: Addresses
):
    from dataclasses import replace

    from app.access import Role

    body = multipart([sent(1, 98)])
    dashboard = await key_for(
        database, Role.DASHBOARD, registries=[REGISTRY], facilities=[site.facility]
    )
    assert (await replace(site, key=dashboard).send(body)).status_code == 403
    assert (await replace(site, key="hk_nobody_nothing").send(body)).status_code == 401
    assert (await site.send(body, path="/dicomweb/no-such-registry/studies")).status_code == 404
    assert (await site.send(body, path=f"{DOOR}?facility=999999")).status_code == 404
    operator = await key_for(database, Role.OPERATOR)
    # The operator sees cases with their true dates; shifted dates beside them would tell the shift.
    stored = await site.send(body)
    await site.work()
    url = stored.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert (await replace(site, key=operator).get(url)).status_code == 403


async def test_two_studies_of_one_uid_but_other_patients_are_told_apart(
    site: Site, worker: Database
):
    first = await site.store(sent(1, 99))
    await site.work()
    second = await site.store(sent(2, 99, PatientID="MRN-1"))
    await site.work()
    assert (await submission(worker, first))[1]["archived"] == 1
    assert (await submission(worker, second))[1]["held"] == 1
    assert await findings(worker, second) == [(1, "PatientID", "patient-mismatch")]


async def test_two_workers_with_the_same_instance_archive_it_once(
    site: Site, worker: Database, works: Works
):
    first, second = await site.store(sent(1, 63)), await site.store(sent(1, 63))
    await asyncio.gather(images(works), images(works), return_exceptions=True)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        await site.work()
        ends = [await submission(worker, one) for one in (first, second)]
        if all(state == "completed" for state, _, _ in ends):
            break
        await asyncio.sleep(0.1)
    assert sorted((counts["archived"], counts["unchanged"]) for _, counts, _ in ends) == [
        (0, 1),
        (1, 0),
    ]
