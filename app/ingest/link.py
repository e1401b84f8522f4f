"""
Link studies to their cases, whichever came first.

A study belongs to the case whose key token is that of its accession number, at the same facility.
If the image's patient is known to be somebody else than the case's subject, the study is held with
a finding. A withdrawn case withdraws its studies; submitted again, it brings them back. Every
statement starts from what is unsettled, so that a run over millions of settled studies is cheap.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.claim import ring
from app.ingest.findings import Found, keep_findings
from app.ingest.rooms import Rooms
from app.registries.findings import FindingCode, severity
from app.registries.schema import Definition

AT_ONCE = 1_000
REMEDY = (
    "The case with this accession number is of another patient. Correct the case, or the images, "
    "and send it again."
)


async def link(rooms: Rooms) -> int:
    """Settle studies and cases that have found each other; how many studies moved."""
    moved = 0
    async with rooms.database.transaction() as session:
        waiting = await session.scalars(_REGISTRIES)
        for registry in waiting.all():
            definition = rooms.catalogue.in_force(registry)
            forms = _imaged(definition)
            moved += await _link(session, registry, forms)
        moved += len((await session.execute(_WITHDRAW)).all())
        moved += len((await session.execute(_BRING_BACK)).all())
        if moved:
            await ring(session, "linked")
    return moved


async def _link(session: AsyncSession, registry: str, forms: list[str]) -> int:
    found = (
        await session.execute(_FOUND, {"registry": registry, "forms": forms, "limit": AT_ONCE})
    ).all()
    same = [row for row in found if not row.mismatch]
    other = [row for row in found if row.mismatch]
    if same:
        await session.execute(
            _LINK,
            {
                "studies": [row.study_id for row in same],
                "cases": [row.case_id for row in same],
                "states": [_state(row.case_state) for row in same],
            },
        )
        await session.execute(
            _KNOW_PATIENTS,
            {
                "registry": registry,
                "studies": [row.study_id for row in same],
                "subjects": [row.subject_id for row in same],
            },
        )
    if other:
        rows = (await session.execute(_HOLD, {"studies": [row.study_id for row in other]})).all()
        code = FindingCode.PATIENT_MISMATCH
        await keep_findings(
            session,
            [
                Found(
                    row.submission_number,
                    row.row,
                    row.facility_id,
                    None,
                    "PatientID",
                    code,
                    severity(code),
                    REMEDY,
                )
                for row in rows
            ],
        )
    return len(same) + len(other)


def _imaged(definition: Definition) -> list[str]:
    """The forms whose cases an accession number names; any case form where none says that it does."""
    cases = [form for form in definition.entry_forms if form.level == "case"]
    named = [
        form.id
        for form in cases
        if len(form.key) == 1 and form.by_id[form.key[0]].identity == "accession"
    ]
    return named[:1] or [form.id for form in cases]


def _state(case_state: str) -> str:
    return "withdrawn" if case_state == "withdrawn" else "linked"


_REGISTRIES = text(
    "SELECT DISTINCT registry_id FROM studies"
    " WHERE state IN ('waiting', 'held') AND accession_token IS NOT NULL ORDER BY registry_id"
)
# A subject that was merged into another is no longer evidence against anybody.
_MISMATCH = (
    "COALESCE(t.subject_id <> c.subject_id,"
    "  p.subject_id <> c.subject_id AND NOT EXISTS (SELECT FROM vault.merges m"
    "   WHERE m.merged_subject_id = p.subject_id AND m.undone_at IS NULL), false)"
)
# What is held and still a mismatch has nothing to settle, and must not fill the limit.
_FOUND = text(
    "SELECT s.id AS study_id, s.state, c.id AS case_id, c.subject_id, c.state AS case_state,"
    f" {_MISMATCH} AS mismatch"
    " FROM studies s JOIN cases c ON c.registry_id = s.registry_id"
    " AND c.facility_id = s.facility_id AND c.key_token = s.accession_token"
    " AND c.form = ANY(CAST(:forms AS text[])) AND c.state IN ('submitted', 'withdrawn')"
    " LEFT JOIN vault.subject_tokens t ON t.registry_id = s.registry_id AND t.kind = 'local'"
    " AND t.token = s.patient_token"
    " LEFT JOIN vault.image_patients p ON p.registry_id = s.registry_id"
    " AND p.facility_id = s.facility_id AND p.patient_token = s.patient_token"
    " WHERE s.registry_id = :registry AND s.state IN ('waiting', 'held')"
    f" AND s.accession_token IS NOT NULL AND (s.state = 'waiting' OR NOT {_MISMATCH})"
    " ORDER BY (s.state = 'held'), s.id LIMIT :limit FOR UPDATE OF s SKIP LOCKED"
)
_LINK = text(
    "UPDATE studies SET case_id = new.case_id, state = new.state, linked_at = now()"
    " FROM unnest(CAST(:studies AS uuid[]), CAST(:cases AS bigint[]), CAST(:states AS text[]))"
    " AS new (study_id, case_id, state) WHERE studies.id = new.study_id"
)
_KNOW_PATIENTS = text(
    "UPDATE vault.image_patients p SET subject_id = new.subject_id"
    " FROM unnest(CAST(:studies AS uuid[]), CAST(:subjects AS bigint[])) AS new (study_id, subject_id)"
    " JOIN studies s ON s.id = new.study_id WHERE p.registry_id = :registry"
    " AND p.facility_id = s.facility_id AND p.patient_token = s.patient_token"
    " AND p.subject_id IS DISTINCT FROM new.subject_id"
)
_HOLD = text(
    "WITH held AS (UPDATE studies SET state = 'held' WHERE id = ANY(CAST(:studies AS uuid[]))"
    " RETURNING id, facility_id)"
    " SELECT DISTINCT ON (i.study_id) i.submission_number, i.row, held.facility_id"
    " FROM held JOIN instances i ON i.study_id = held.id"
    " ORDER BY i.study_id, i.submission_number, i.row"
)
_WITHDRAW = text(
    "UPDATE studies SET state = 'withdrawn' FROM cases"
    " WHERE cases.state = 'withdrawn' AND studies.case_id = cases.id AND studies.state = 'linked'"
    " RETURNING studies.id"
)
_BRING_BACK = text(
    "UPDATE studies SET state = 'linked' FROM cases"
    " WHERE studies.state = 'withdrawn' AND studies.case_id = cases.id AND cases.state = 'submitted'"
    " RETURNING studies.id"
)
