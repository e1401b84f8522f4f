"""What answers to a reporting module come to, as it is told."""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from app.api.fields import Sent
from app.api.problems import pointer
from app.reporting import module
from app.reporting.conditions import plain
from app.reporting.evaluate import Outcome


class CodedConcept(BaseModel):
    """What a vocabulary calls something."""

    system: str
    code: str
    display: str

    @classmethod
    def of(cls, one: module.Coding) -> "CodedConcept":
        return cls(system=one.system, code=one.code, display=one.display)


class Given(Sent):
    """Answers to a module: element -> answer; a group's as a list of such objects."""

    answers: dict[str, Any] = Field(
        examples=[{"nodules": [{"kind": "solid", "status": "baseline", "diameter": 7.2}]}]
    )


class OpenQuestion(BaseModel):
    """A question as it stands: what a client shows next."""

    element: str
    group: str | None
    item: int | None = Field(description="Which item of the group, from 0.")
    relevant: bool
    required: bool
    answered: bool
    minimum: Decimal | None
    maximum: Decimal | None
    out_of_place: list[str] = Field(description="Choices that do not go with the other answers.")


class AnswerFlaw(BaseModel):
    """An answer that cannot be taken."""

    pointer: str = Field(description="A JSON Pointer into the request.")
    code: str
    allowed: str


class CodedAnswer(BaseModel):
    """An answer as a code."""

    element: str
    item: int | None
    concept: CodedConcept
    value: CodedConcept | None
    text: str


class FollowUp(BaseModel):
    """What imaging is recommended next; times as ISO 8601 durations."""

    exam: str
    acceptable: list[str]
    indication: str
    earliest: str
    latest: str
    references: list[str]


class EndPoint(BaseModel):
    """What the answers come to."""

    id: str
    label: str
    diagnosis: str
    codes: list[CodedConcept]
    actionable: str = Field(description="Category of an actionable finding.")
    follow_up: FollowUp | None

    @classmethod
    def of(cls, one: module.EndPoint) -> "EndPoint":
        next_ = one.follow_up
        return cls(
            id=one.id,
            label=one.label,
            diagnosis=one.diagnosis,
            codes=[CodedConcept.of(code) for code in one.diagnosis_codings],
            actionable=one.actionable,
            follow_up=next_
            and FollowUp(
                exam=next_.exam,
                acceptable=list(next_.acceptable),
                indication=next_.indication,
                earliest=next_.earliest,
                latest=next_.latest,
                references=list(next_.references),
            ),
        )


class Evaluated(BaseModel):
    """What a module makes of answers. Not complete, text and end points are provisional; with a flaw there are none."""

    module: str
    version: str
    complete: bool
    end_points: list[EndPoint]
    report: dict[str, str] = Field(description="Text by section.")
    codes: list[CodedAnswer]
    computed: dict[str, str | list[str]]
    items: dict[str, list[dict[str, str | list[str]]]]
    questions: list[OpenQuestion]
    flaws: list[AnswerFlaw]


def told(one: module.Module, outcome: Outcome) -> Evaluated:
    """An outcome as it is told."""
    named = frozenset(("answers", *one.by_id, *(group.id for group in one.groups)))
    return Evaluated(
        module=one.id,
        version=one.version,
        complete=outcome.complete,
        end_points=[EndPoint.of(end) for end in outcome.end_points],
        report=dict(outcome.sections),
        codes=[
            CodedAnswer(
                element=code.element,
                item=code.item,
                concept=CodedConcept.of(code.concept),
                value=CodedConcept.of(code.value) if code.value else None,
                text=code.text,
            )
            for code in outcome.codes
        ],
        computed={name: plain(value) for name, value in outcome.computed.items()},
        items={
            name: [{each: plain(value) for each, value in item.items()} for item in items]
            for name, items in outcome.items.items()
        },
        questions=[
            OpenQuestion(
                element=each.element.id,
                group=each.element.group,
                item=each.item,
                relevant=each.relevant,
                required=each.required,
                answered=each.answered,
                minimum=each.minimum,
                maximum=each.maximum,
                out_of_place=list(each.without),
            )
            for each in outcome.questions
        ],
        flaws=[
            AnswerFlaw(
                pointer=pointer(("answers", *flaw.place), named),
                code=flaw.code,
                allowed=flaw.allowed,
            )
            for flaw in outcome.flaws
        ],
    )
