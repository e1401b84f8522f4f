"""A facility's own lists: what is on them, what is missing, and what could be said of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from app import audit, errors
from app.access import Act
from app.access import Asker as Who
from app.api.dependencies import (
    Asker,
    RegistryInForce,
    Transactions,
    VaultRoom,
    visible_facility,
)
from app.api.entries import Entries, IdempotencyKey
from app.api.fields import Sent
from app.api.pages import TAGGED, Conditional, Unchanged, etag_of
from app.api.problems import problems
from app.api.submitted import Shown as ShownSubmission
from app.api.v1.metrics import Facility, the_facility
from app.ingest.checks import at_work
from app.ingest.unlisted import NOTHING, entries_of, unlisted, waiting
from app.registries.schema import Definition, Form

router = APIRouter(prefix="/registries/{registry_id}/lists", tags=["cases"])

MOST = 10_000
ListId = Annotated[str, Path(description="The form of a list.", pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class FacilityList(BaseModel):
    """A list of a facility, and what its cases call that the list does not know."""

    id: str
    title: str
    unlisted_names: int
    unlisted_cases: int = Field(
        description="Cases that take nothing from it: no entry has their name."
    )


class FacilityLists(BaseModel):
    """The lists of a facility."""

    registry: str
    facility: int
    lists: list[FacilityList]


class ShownList(BaseModel):
    """A list with what is on it."""

    id: str
    title: str
    registry: str
    facility: int
    entries: list[dict[str, Any]] = Field(
        description="The elements of each entry, in their keys' order."
    )


class Replacement(Sent):
    """What is to be on a list, and nothing else."""

    entries: list[dict[str, Any]] = Field(
        min_length=1, max_length=MOST, description="The elements of each entry."
    )


class Suggested(BaseModel):
    """What the list could say of a name."""

    element: str = Field(description="Of the list.")
    code: str
    label: str
    score: float = Field(description="How like the names are, word by word: from 0 to 1.")


class UnlistedName(BaseModel):
    """A name that no entry of the list has."""

    name: str
    cases: int
    suggestions: list[Suggested] = Field(
        description="Names of the value set, and of entries on the list, that are like it; the likest first."
    )


class UnlistedNames(BaseModel):
    """What a facility's cases call that its list does not know, the commonest first."""

    registry: str
    facility: int
    list_id: str
    names: int
    cases: int
    unlisted: list[UnlistedName]


@router.get("", response_model=FacilityLists, responses=problems(401, 403, 404, 422))
async def list_lists(
    definition: RegistryInForce, asker: Asker, transactions: Transactions, facility: Facility = None
) -> FacilityLists:
    """The facility's own lists, and how many of its cases each leaves without an answer."""
    number = _own(asker, facility, definition)
    async with transactions.begin() as session:
        left = await waiting(session, definition.id, number)
    return FacilityLists(
        registry=definition.id,
        facility=number,
        lists=[
            FacilityList(
                id=one.id, title=one.title, unlisted_names=its.names, unlisted_cases=its.cases
            )
            for one in definition.entry_forms
            if one.level == "facility-list"
            for its in [left.get(one.id, NOTHING)]
        ],
    )


@router.get(
    "/{list_id}", response_model=ShownList, responses={200: TAGGED, **problems(401, 403, 404, 422)}
)
async def read_list(
    definition: RegistryInForce,
    list_id: ListId,
    asker: Asker,
    transactions: Transactions,
    vault: VaultRoom,
    conditions: Conditional,
    facility: Facility = None,
) -> object:
    """What is on a list of the facility. Nobody but its own people reads it; each look is audited."""
    number, form = _own(asker, facility, definition), _known(definition, list_id)
    return conditions.reply(
        await _shown(transactions, vault, definition, asker, number, form, "read")
    )


@router.put(
    "/{list_id}",
    status_code=202,
    response_model=ShownSubmission,
    responses={
        202: {"description": "The entries are a submission: see `Location`."},
        **problems(400, 401, 403, 404, 412, 413, 422),
    },
)
async def replace_list(
    definition: RegistryInForce,
    list_id: ListId,
    wanted: Replacement,
    asker: Asker,
    transactions: Transactions,
    door: Entries,
    vault: VaultRoom,
    unchanged: Unchanged,
    facility: Facility = None,
    idempotency_key: IdempotencyKey = None,
) -> ShownSubmission:
    """Replace a list: what is sent is submitted, and what is on it and was not sent is withdrawn.

    To add or alter single entries, or to send a table, submit them as any entry of the list's form.
    Cases that take from the list follow when the submission is completed. With `If-Match` it is done
    only if the list is still as it was read.
    """
    asker.require(Act.SUBMIT)
    number, form = _own(asker, facility, definition), _known(definition, list_id)
    shown = await _shown(transactions, vault, definition, asker, number, form, "replace")
    unchanged.require(etag_of(shown))
    check, (key,) = at_work(definition).form(form.id), form.key
    assert check is not None
    given = [check.check.check(one, draft=True).values.get(key) for one in wanted.entries]
    gone = [one[key] for one in shown.entries if one[key] not in given]
    of_facility = {check.facility: str(number)} if check.facility else {}
    entries = [
        {"form": form.id, "action": "withdraw", "elements": {key: one, **of_facility}}
        for one in gone
    ] + [{"form": form.id, "elements": {**of_facility, **one}} for one in wanted.entries]
    return await door.write(definition, entries, facility=number, idempotency_key=idempotency_key)


@router.get(
    "/{list_id}/unlisted", response_model=UnlistedNames, responses=problems(401, 403, 404, 422)
)
async def list_unlisted(
    definition: RegistryInForce,
    list_id: ListId,
    asker: Asker,
    transactions: Transactions,
    vault: VaultRoom,
    facility: Facility = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Names at most.")] = 100,
) -> UnlistedNames:
    """The names that the facility's cases have and its list has not, with suggestions for each.

    A suggestion is words that are alike, and nobody's judgement: put on the list what is right.
    """
    number, form = _own(asker, facility, definition), _known(definition, list_id)
    async with transactions.begin() as session:
        left = await waiting(session, definition.id, number)
        found = await unlisted(session, vault, definition, number, form, limit)
        await audit.record(
            session,
            asker,
            "read-unlisted",
            "list",
            form.id,
            facility_id=number,
            registry_id=definition.id,
        )
    counted = left.get(form.id, NOTHING)
    labels = {
        element.id: values.labels
        for element in form.all_elements
        if (values := definition.value_set(element)) is not None
    }
    return UnlistedNames(
        registry=definition.id,
        facility=number,
        list_id=form.id,
        names=counted.names,
        cases=counted.cases,
        unlisted=[
            UnlistedName(
                name=one.name,
                cases=one.cases,
                suggestions=[
                    Suggested(
                        element=element,
                        code=each.code,
                        label=labels[element][each.code],
                        score=each.score,
                    )
                    for element, its in one.suggested.items()
                    for each in its
                ],
            )
            for one in found
        ],
    )


async def _shown(
    transactions: Transactions,
    vault: VaultRoom,
    definition: Definition,
    asker: Who,
    facility: int,
    form: Form,
    act: str,
) -> ShownList:
    async with transactions.begin() as session:
        entries = await entries_of(session, vault, definition, facility, form)
        await audit.record(
            session,
            asker,
            act,
            "list",
            form.id,
            facility_id=facility,
            registry_id=definition.id,
        )
    return ShownList(
        id=form.id,
        title=form.title,
        registry=definition.id,
        facility=facility,
        entries=entries,
    )


def _own(asker: Who, facility: int | None, definition: Definition) -> int:
    """The facility whose lists are asked for: one that the asker belongs to, and whose names it reads."""
    asker.require(Act.READ_CASES)
    asker.require(Act.READ_IDENTITIES)
    return visible_facility(asker, the_facility(asker, facility, definition), definition.id)


def _known(definition: Definition, list_id: str) -> Form:
    for form in definition.entry_forms:
        if form.id == list_id and form.level == "facility-list":
            return form
    raise errors.NotFound("This registry has no such list.")
