"""Report once, register once: what a reporting module makes of answers is saved as a draft of a registry."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app import errors
from app.access import Act
from app.api.dependencies import Asker, Catalogue, Transactions, visible_registry
from app.api.entries import Entries, FacilitySentFor, IdempotencyKey
from app.api.problems import problems
from app.api.submitted import Shown as ShownSubmission
from app.api.v1.evaluated import Evaluated, Given, told
from app.api.v1.reporting_modules import ModuleId, ModuleVersion
from app.reporting.draft import drafted, taken_by
from app.reporting.evaluate import evaluate
from app.reporting.shelf import taken

router = APIRouter(prefix="/reporting-modules/{module_id}/drafts", tags=["reporting modules"])


class Draft(Given):
    """Answers to a module, and what the report does not know: the exam's own identifier, the person."""

    elements: dict[str, Any] = Field(
        default_factory=dict,
        max_length=500,
        description="Elements as in any entry. What stands here is not filled by the report.",
        examples=[{"exam_unique_id": "A-1"}],
    )


class Drafted(BaseModel):
    """A draft on its way, and the report it came of."""

    submission: ShownSubmission = Field(
        description="Its entry names the case when it is completed: see `/entries`."
    )
    form: str
    filled: list[str] = Field(description="The elements that the report filled.")
    evaluated: Evaluated


@router.post(
    "",
    status_code=202,
    response_model=Drafted,
    responses={
        202: {"description": "The draft is a submission: see `Location`."},
        **problems(400, 401, 403, 404, 413, 422),
    },
)
async def draft_from_report(
    module_id: ModuleId,
    given: Draft,
    asker: Asker,
    catalogue: Catalogue,
    door: Entries,
    transactions: Transactions,
    registry: Annotated[
        str, Query(min_length=1, max_length=100, pattern=r"^[a-z0-9-]+$", description="Where to.")
    ],
    facility: FacilitySentFor = None,
    version: ModuleVersion = None,
    idempotency_key: IdempotencyKey = None,
) -> Drafted:
    """Save what a report came to as a draft of a registry: no measure sees it until it is submitted.

    The registry's definition says which answers fill which elements. Complete the draft, and submit it as
    any entry, under the same key.
    """
    asker.require(Act.SUBMIT)
    definition = visible_registry(catalogue, asker, registry)
    async with transactions.begin() as session:
        module = (await taken(session, module_id, version)).module
    reported = taken_by(definition, module)
    if reported is None:
        raise errors.Unprocessable("This registry takes nothing of this module.")
    outcome = evaluate(module, given.answers)
    if outcome.flaws:
        raise errors.Unprocessable(
            "There are answers that cannot be taken: `evaluate` says which, and what is allowed."
        )
    filled = {
        name: value
        for name, value in drafted(definition, reported, outcome).items()
        if name not in given.elements
    }
    entry = {
        "form": reported.form,
        "action": "save",
        "elements": {**given.elements, **filled},
    }
    return Drafted(
        submission=await door.write(
            definition, [entry], facility=facility, idempotency_key=idempotency_key
        ),
        form=reported.form,
        filled=sorted(filled),
        evaluated=told(module, outcome),
    )
