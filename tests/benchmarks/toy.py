"""A registry small enough to count by hand, with one of everything a measure can be."""

from datetime import date
from decimal import Decimal
from hashlib import sha256

from app.registries.case_mix import Factor
from app.registries.measure import Measure, Stratifier
from app.registries.schema import Definition, Derived, Element, Form, ValueSet

REGISTRY = "toy"

EXAM = Form(
    id="exam",
    title="Exam",
    level="case",
    key=("exam_id",),
    period="exam_date",
    elements=(
        Element(
            id="exam_id",
            source_name="Exam_ID",
            title="Exam",
            type="text",
            identifying=True,
            identity="accession",
        ),
        Element(id="exam_date", source_name="Exam_Date", title="Date", type="date", required=True),
        Element(
            id="result", source_name="Result", title="Result", type="code", value_set="results"
        ),
        Element(
            id="dose",
            source_name="Dose",
            title="Dose",
            type="decimal",
            scale=2,
            unit="mGy",
            unknown=("999.00",),
        ),
        Element(id="packs", source_name="Packs", title="Packs", type="integer", unknown=("999",)),
        Element(id="signs", source_name="Signs", title="Signs", type="codes", value_set="signs"),
    ),
)
FOLLOW_UP = Form(
    id="follow_up",
    title="Follow-up",
    level="follow-up",
    parent="exam",
    key=("exam_id", "seen_on"),
    period="seen_on",
    elements=(
        Element(
            id="exam_id",
            source_name="Exam_ID",
            title="Exam",
            type="text",
            identifying=True,
            identity="accession",
        ),
        Element(id="seen_on", source_name="Seen_On", title="Date", type="date", required=True),
        Element(id="cancer", source_name="Cancer", title="Cancer", type="boolean"),
    ),
)
PERSON = Form(
    id="person",
    title="Person",
    level="subject",
    elements=(Element(id="died_on", source_name="Died_On", title="Died", type="date"),),
)


def codes(id: str, *values: str) -> ValueSet:
    return ValueSet.model_validate(
        {"id": id, "title": id, "codes": [{"code": one, "label": one} for one in values]}
    )


BY_RESULT = Stratifier(id="by_result", title="Result", expression="result")
BY_PACKS = Stratifier(
    id="by_packs", title="Packs", expression="CASE WHEN packs >= 20 THEN 'many' ELSE 'few' END"
)

CASE_MIX = (
    Factor(
        id="packs",
        title="Packs",
        expression="CASE WHEN packs >= 20 THEN 'many' WHEN packs < 20 THEN 'few' END",
        levels={"few": "Few", "many": "Many"},
        reference="few",
    ),
    Factor(
        id="result",
        title="Result",
        expression="result",
        levels={"4": "Very suspicious"},
        reference="4",
    ),
)

MEASURES = (
    Measure(
        id="found",
        title="Cancers found",
        description="Of suspicious exams, those that led to a cancer.",
        form="exam",
        scoring="proportion",
        denominator="result IN ('3', '4')",
        denominator_exclusion="list_contains(signs, 'X')",
        denominator_exception="packs_unknown",
        numerator="cancer_found",
        stratifiers=(BY_PACKS,),
        case_mix=CASE_MIX,
        improvement="increase",
        minimum_cases=2,
        caution_below=5,
    ),
    Measure(
        id="dose",
        title="Dose",
        description="Mean dose.",
        form="exam",
        scoring="continuous-variable",
        initial_population="dose IS NOT NULL OR dose_unknown",
        observation="dose",
        scale=1,
        bins=(Decimal("1"), Decimal("2.55"), Decimal("5")),
        stratifiers=(BY_RESULT, BY_PACKS),
        improvement="decrease",
        minimum_cases=1,
        caution_below=2,
    ),
    Measure(
        id="returned",
        title="Returned within a year",
        description="Exams of living people that were followed by another within 400 days.",
        form="exam",
        scoring="proportion",
        denominator_exclusion="subject_record_died_on IS NOT NULL",
        numerator="days_to_next <= 400",
        minimum_cases=1,
        caution_below=2,
        matures_after=14,
    ),
    Measure(
        id="changed",
        title="Result differs from the subject's last",
        description="Whether the result differs from that of the exam before.",
        form="exam",
        scoring="proportion",
        denominator="prior_result IS NOT NULL",
        numerator="prior_result <> result",
        minimum_cases=1,
        shown_when={"measure": "found", "at_least": Decimal("0.5")},
    ),
    Measure(
        id="seen_per_exam",
        title="Follow-ups an exam",
        description="Follow-ups of exams that have any, over all exams.",
        form="exam",
        scoring="ratio",
        numerator="seen > 0",
        observation="seen",
        minimum_cases=1,
    ),
    Measure(id="all_exams", title="Exams", description="All exams.", form="exam", scoring="cohort"),
)

DERIVED = (
    Derived(
        id="cancer_found",
        type="boolean",
        form="exam",
        over="follow_up",
        aggregate="any",
        expression="cancer AND days_between(exam_date, seen_on) BETWEEN 0 AND 365",
    ),
    Derived(
        id="seen",
        type="integer",
        form="exam",
        over="follow_up",
        aggregate="count",
        expression="seen_on",
    ),
    Derived(
        id="next_exam",
        type="date",
        form="exam",
        over="subject",
        expression="lead(exam_date) OVER (PARTITION BY subject_id ORDER BY exam_date, case_token)",
    ),
    Derived(
        id="prior_result",
        type="code",
        form="exam",
        over="subject",
        expression="lag(result) OVER (PARTITION BY subject_id ORDER BY exam_date, case_token)",
    ),
    Derived(
        id="days_to_next",
        type="integer",
        form="exam",
        expression="days_between(exam_date, next_exam)",
    ),
)


def definition(**changes: object) -> Definition:
    """The toy registry, with changes."""
    parts: dict[str, object] = {
        "id": REGISTRY,
        "version": "1.0.0",
        "title": "Toy",
        "steward": "nobody",
        "accept_from": date(2020, 1, 1),
        "channels": ("json",),
        "value_sets": {
            "results": codes("results", "1", "2", "3", "4"),
            "signs": codes("signs", "X", "Y"),
        },
        "forms": (EXAM, FOLLOW_UP, PERSON),
        "measures": MEASURES,
        "derived": DERIVED,
        "digest": f"toy-{sha256(repr(changes).encode()).hexdigest()}" if changes else "toy-1",
    }
    return Definition.model_validate(parts | changes)
