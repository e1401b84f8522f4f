"""
What a case says in RadElement's codes, as FHIR R4 Observations.

In the form with members a set is an Observation without a value, and each element of it another that
it names by `hasMember` (as IHE's profiles of imaging results prefer); in the form with components a set
is one Observation and its elements are `component`s of it. Both say the same.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.access import Act
from app.api.coded import CodedCase, submitted_case
from app.api.dependencies import (
    LARGEST_BIGINT,
    Asker,
    RegistryInForce,
    SettingsInForce,
    Transactions,
)
from app.api.fhir.measures import base_of
from app.api.fhir.replies import RESOURCE, resource, searchset
from app.api.problems import problems
from app.registries.radelement import SYSTEM, Answered, AnsweredSet, answered_sets
from app.registries.schema import Definition, ElementCodes
from app.settings import Settings

router = APIRouter(prefix="/Observation")

Shape = Literal["has-member", "component"]
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
UCUM = "http://unitsofmeasure.org"
_INDEX = {
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
    "radlex": "http://radlex.org",
}
_ID = re.compile(r"case-(\d{1,19})-(?:(\d{1,4})(?:-(\d{1,4}))?|(component)-(\d{1,4}))", re.ASCII)

ObservationId = Annotated[
    str,
    Path(max_length=64, pattern=r"^[A-Za-z0-9.-]+$", description="As a search has named it."),
]


class _Written:
    """The Observations of one case."""

    def __init__(
        self, settings: Settings, definition: Definition, coded: CodedCase, sets: list[AnsweredSet]
    ) -> None:
        self.base, self.address = base_of(settings, definition.id), settings.address
        self.case, self.pseudonym, self.sets = coded.case, coded.pseudonym, sets
        self.studies = [one.study_instance_uid for one in coded.studies]

    def all(self, shape: Shape) -> Iterator[dict[str, Any]]:
        """Every Observation, a set before its members."""
        for number, one in enumerate(self.sets):
            if shape == "component":
                yield self.with_components(number, one)
                continue
            yield self.with_members(number, one)
            for place, answered in enumerate(one.answered):
                yield self.member(number, place, answered)

    def with_members(self, number: int, one: AnsweredSet) -> dict[str, Any]:
        members = [
            {"reference": f"Observation/{self._id(number, place)}"}
            for place in range(len(one.answered))
        ]
        return self._observation(self._id(number), self._of_set(one)) | {"hasMember": members}

    def with_components(self, number: int, one: AnsweredSet) -> dict[str, Any]:
        components = [
            {"code": self._of_element(answered), **self._value(answered)}
            for answered in one.answered
        ]
        return self._observation(self._id("component", number), self._of_set(one)) | {
            "component": components
        }

    def member(self, number: int, place: int, answered: Answered) -> dict[str, Any]:
        code = self._of_element(answered)
        return self._observation(self._id(number, place), code) | self._value(answered)

    def _id(self, *parts: int | str) -> str:
        return "-".join(map(str, ("case", self.case.id, *parts)))

    def _observation(self, name: str, code: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {
            "resourceType": "Observation",
            "id": name,
            "identifier": [{"system": f"{self.address}/v1/cases", "value": str(self.case.id)}],
            "status": "final",
            "code": code,
            "subject": {"identifier": {"system": f"{self.base}/subjects", "value": self.pseudonym}},
        }
        if self.case.case_date is not None:
            found["effectiveDateTime"] = self.case.case_date.isoformat()
        if self.studies:
            found["derivedFrom"] = [
                {
                    "type": "ImagingStudy",
                    "identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"},
                }
                for uid in self.studies
            ]
        return found

    def _of_set(self, one: AnsweredSet) -> dict[str, Any]:
        """A set that RadElement does not know is the form's or group's own."""
        coding = list(self._codings(one.codes, one.title))
        own = {"system": f"{self.base}/forms", "code": one.form, "display": one.title}
        return {"coding": coding or [own], "text": one.title}

    def _of_element(self, answered: Answered) -> dict[str, Any]:
        element = answered.element
        return {
            "coding": list(self._codings(element.codes, element.title)),
            "text": element.title,
        }

    def _codings(self, codes: ElementCodes, title: str) -> Iterator[dict[str, str]]:
        if codes.radelement:
            yield {"system": SYSTEM, "code": codes.radelement, "display": title}
        for name, system in _INDEX.items():
            if code := getattr(codes, name):
                yield {"system": system, "code": code}

    def _value(self, answered: Answered) -> dict[str, Any]:
        element, value = answered.element, answered.value
        if value is None:
            return {"dataAbsentReason": {"coding": [{"system": ABSENT, "code": "unknown"}]}}
        if element.type in ("code", "codes"):
            own = f"{self.base}/value-sets/{element.value_set}"
            coding = [
                each
                for code in answered.codes
                for each in (
                    *(
                        [{"system": SYSTEM, "code": code.radelement, "display": code.label}]
                        if code.radelement
                        else []
                    ),
                    {"system": own, "code": code.code, "display": code.label},
                )
            ]
            text = "; ".join(code.label for code in answered.codes)
            return {"valueCodeableConcept": {"coding": coding, "text": text}}
        if element.type in ("integer", "decimal"):
            quantity: dict[str, Any] = {"value": float(value)}
            if element.unit:
                quantity |= {"unit": element.unit, "system": UCUM, "code": element.unit}
            return {"valueQuantity": quantity}
        if element.type == "boolean":
            return {"valueBoolean": value}
        if element.type in ("date", "datetime"):
            return {"valueDateTime": value}
        return {"valueString": str(value)}


@router.get("", response_class=Response, responses={**RESOURCE, **problems(403)})
async def search_observations(
    definition: RegistryInForce,
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
    case: Annotated[int, Query(ge=1, le=LARGEST_BIGINT, description="The case they are of.")],
    shape: Annotated[
        Shape, Query(description="With members, or with components: both say the same.")
    ] = "has-member",
) -> Response:
    """What a submitted case says in RadElement's codes, as a Bundle."""
    asker.require(Act.READ_CASES)
    async with transactions.begin() as session:
        written = await _read(session, settings, definition, case)
    found = list(written.all(shape))
    here = f"{written.base}/Observation"
    return resource(searchset(here, found, f"?case={case}&shape={shape}"))


@router.get(
    "/{observation_id}",
    response_class=Response,
    responses={**RESOURCE, **problems(403)},
)
async def read_observation(
    definition: RegistryInForce,
    observation_id: ObservationId,
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
) -> Response:
    """One Observation of a case."""
    asker.require(Act.READ_CASES)
    named = _ID.fullmatch(observation_id)
    if named is None or int(named[1]) > LARGEST_BIGINT:
        raise errors.NotFound(_NO_OBSERVATION)
    async with transactions.begin() as session:
        written = await _read(session, settings, definition, int(named[1]))
    shape: Shape = "component" if named[4] else "has-member"
    for one in written.all(shape):
        if one["id"] == observation_id:
            return resource(one)
    raise errors.NotFound(_NO_OBSERVATION)


_NO_OBSERVATION = "There is no such Observation, or it is not within your key."


async def _read(
    session: AsyncSession, settings: Settings, definition: Definition, case_id: int
) -> _Written:
    """A submitted case of the registry within the session's scope."""
    coded = await submitted_case(session, case_id, [definition.id])
    sets = answered_sets(definition, coded.case.form, coded.elements)
    return _Written(settings, definition, coded, sets)
