"""Land submissions without the wire: the steps alone, run until nothing is left."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import select, text

from app.access import new_secret
from app.database import EVERYTHING, Database
from app.ingest.accept import accept
from app.ingest.check import check
from app.ingest.formats import door
from app.ingest.read import read
from app.ingest.receive import receive
from app.models.account import CorporateAccount, Facility, Key, Participation
from app.models.submission import Submission
from app.worker import Works

REGISTRY = "early-lung-cancer-detection"
ADDRESS = {
    "street_1": "1 Main Street",
    "city": "Reston",
    "state": "VA",
    "postal_code": "20191",
    "country": "US",
    "phone": "5550100",
}

EXAM: Mapping[str, Any] = {
    "facility_npi": "1003000126",
    "exam_unique_id": "A-1",
    "patient_ssn": "219099123",
    "refused_to_answer_ssn": "N",
    "other_id": "MRN-1",
    "patient_first_name": "Ada",
    "patient_last_name": "Long",
    "refused_medicare_id": "N",
    "patient_dob": "1955-04-12",
    "patient_sex": "F",
    "exam_date": "2025-03-04",
    "smoking_status": "1",
    "number_of_packs_year_smoking": "35.0",
    "did_physician_provide_guidance": "Y",
    "doc_of_shared_dec_making": "Y",
    "patient_height": "65.0",
    "patient_weight": "150.0",
    "radiologist_reading_npi": "1003000126",
    "ordering_practitioner_npi": "1003000134",
    "signs_or_symptoms_of_lung_cancer": "N",
    "indication_of_exam": "1",
    "modality": "1",
    "ct_scanner_manufacturer": "Acme",
    "ct_scanner_model": "One",
    "ctdivol": "2.10",
    "dlp": "80.00",
    "ct_exam_result_lung_rads": "2",
    "lung_rads_version": "1.1",
    "ct_exam_result_modifier_s": "N",
    "ct_exam_result_modifier_c": "N",
}
"""A complete exam without findings."""

FOLLOW_UP: Mapping[str, Any] = {
    "exam_unique_id": "A-1",
    "follow_up_unique_id": "F-1",
    "follow_up_date": "2025-06-04",
    "follow_up_diagnostic": "1",
}


def entry(
    elements: Mapping[str, Any] = EXAM,
    /,
    form: str = "exam",
    action: str = "submit",
    **changes: Any,
) -> dict[str, Any]:
    """An entry: the elements with some changed, or taken away by None."""
    changed = {**elements, **changes}
    return {
        "form": form,
        "action": action,
        "elements": {name: value for name, value in changed.items() if value is not None},
    }


def exam(action: str = "submit", **changes: Any) -> dict[str, Any]:
    """An exam's entry."""
    return entry(EXAM, "exam", action, **changes)


def follow_up(action: str = "submit", **changes: Any) -> dict[str, Any]:
    """A follow-up's entry."""
    return entry(FOLLOW_UP, "follow_up", action, **changes)


def withdrawal(**key: Any) -> dict[str, Any]:
    """A withdrawal of an exam."""
    return {"form": "exam", "action": "withdraw", "elements": key}


@dataclass(frozen=True)
class Sender:
    """Somebody who may send for some facilities."""

    facilities: frozenset[int] | None
    sender: str = "sender"

    def facilities_in(self, registry_id: str) -> frozenset[int] | None:
        """The same in every registry."""
        return self.facilities


@dataclass
class Landing:
    """Facilities that participate, and what is sent for them."""

    works: Works
    web: Database
    facilities: list[int] = field(default_factory=list)
    registry: str = REGISTRY

    async def participate(self, *states: str) -> list[int]:
        """A new facility for each state its participation is in."""
        made = []
        async with self.works.database.transaction(EVERYTHING) as session:
            account = CorporateAccount(name="Account", **ADDRESS)
            session.add(account)
            await session.flush()
            for state in states:
                facility = Facility(
                    corporate_account_id=account.id,
                    name="Place",
                    category="community",
                    location="suburban",
                    **ADDRESS,
                )
                session.add(facility)
                await session.flush()
                session.add(
                    Participation(facility_id=facility.id, registry_id=self.registry, state=state)
                )
                made.append(facility.id)
        self.facilities += made
        return made

    async def send(
        self,
        body: bytes | Sequence[dict[str, Any]],
        content_type: str = "application/json",
        *,
        facility: int | None = None,
        sender: Sender | None = None,
        idempotency_key: str | None = None,
    ) -> Submission:
        """Receive a body; nothing is run yet."""
        if not isinstance(body, bytes):
            body = orjson.dumps({"entries": list(body)})
        if sender is None:
            sender = Sender(frozenset(self.facilities[:1]))
        quarantined = await self.works.quarantine.store(pieces(body), 50_000_000)
        async with self.works.database.transaction(EVERYTHING) as session:
            submission, _ = await receive(
                session,
                self.works.quarantine,
                self.works.catalogue.in_force(self.registry),
                sender,
                quarantined,
                door(content_type),
                facility=facility,
                idempotency_key=idempotency_key,
            )
        return submission

    async def run(self, steps: Sequence[Any] = (read, check, accept)) -> None:
        """Run the steps in order until none of them finds anything."""
        while sum([await step(self.works) for step in steps]):
            pass

    async def land(
        self,
        body: bytes | Sequence[dict[str, Any]],
        content_type: str = "application/json",
        **how: Any,
    ) -> "Landed":
        """Send, run, and tell what became of it."""
        submission = await self.send(body, content_type, **how)
        await self.run()
        return await self.told(submission)

    async def told(self, submission: Submission) -> "Landed":
        """What became of a submission."""
        async with self.works.database.transaction(EVERYTHING) as session:
            fresh = await session.scalar(
                select(Submission).where(Submission.number == submission.number)
            )
            assert fresh is not None
            outcomes = await session.execute(
                text("SELECT row, outcome FROM entries WHERE submission_number = :n ORDER BY row"),
                {"n": submission.number},
            )
            findings = await session.execute(
                text(
                    "SELECT row, place, code FROM findings WHERE submission_number = :n ORDER BY id"
                ),
                {"n": submission.number},
            )
            return Landed(
                fresh,
                [outcome for _, outcome in outcomes],
                [(row, place, code) for row, place, code in findings],
            )

    async def key(
        self, facilities: Sequence[int] | None = None, role: str = "registrar"
    ) -> dict[str, str]:
        """The header of a new key, by default for the first facility."""
        secret = new_secret()
        async with self.works.database.transaction(EVERYTHING) as session:
            session.add(
                Key(
                    id=secret.key_id,
                    digest=secret.digest,
                    role=role,
                    label="test",
                    registries=None if role == "operator" else [self.registry],
                    facilities=None
                    if role == "operator"
                    else list(self.facilities[:1] if facilities is None else facilities),
                )
            )
        return {"Authorization": f"Bearer {secret.text}"}

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows of a query, for looking."""
        async with self.works.database.transaction(EVERYTHING) as session:
            return [tuple(row) for row in await session.execute(text(query), values)]


@dataclass
class Landed:
    """A submission after the steps: its row, each entry's outcome, every finding."""

    submission: Submission
    outcomes: list[str]
    findings: list[tuple[int, str, str]]

    @property
    def state(self) -> str:
        """The submission's state."""
        return self.submission.state


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """A body as it comes off the wire."""
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]
