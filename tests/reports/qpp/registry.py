"""The toy registry with a reader of each exam, and a measure of each kind that CMS takes."""

from app.registries.measure import Measure, Qpp, Stratifier
from app.registries.schema import Definition, Element
from tests.benchmarks.toy import EXAM, FOLLOW_UP, PERSON, definition

READER = "reader_npi"
WITH_READER = EXAM.model_copy(
    update={
        "elements": (
            *EXAM.elements,
            Element(id=READER, source_name="Reader_NPI", title="Reader", type="npi"),
        )
    }
)
PARTS = Stratifier(
    id="part",
    title="Part",
    expression="CASE WHEN result = '1' THEN 'belly' WHEN result = '2' THEN 'lung' WHEN result = '3' THEN 'skull' END",
    strata={"belly": "Belly", "lung": "Lung", "skull": "Skull"},
)


def _measure(id: str, qpp: dict[str, object], **parts: object) -> Measure:
    document = {
        "id": id,
        "title": id,
        "description": id,
        "form": "exam",
        "scoring": "proportion",
        "minimum_cases": 1,
        "qpp": [Qpp.model_validate({"clinician": READER, **qpp})],
        **parts,
    }
    return Measure.model_validate(document)


CQM = _measure(
    "recommended",
    {"id": "364", "years": [2024, 2025, 2026, 2027]},
    denominator="result IN ('2', '3', '4')",
    denominator_exclusion="list_contains(signs, 'X')",
    denominator_exception="packs_unknown",
    numerator="packs >= 20",
    improvement="increase",
)
QCDR = _measure(
    "told",
    {"id": "QMM23", "years": [2024, 2025, 2026], "exclusions": "exclusion"},
    denominator_exclusion="list_contains(signs, 'X')",
    denominator_exception="dose_unknown",
    numerator="cancer_found OR result = '1'",
    improvement="increase",
)
STRATIFIED = _measure(
    "low_dose",
    {
        "id": "ACRAD34",
        "years": [2024, 2025, 2026, 2027],
        "stratifier": "part",
        "strata": {"abdomen": "belly", "chest": "lung", "head": "skull"},
        "exclusions": "not-reported",
    },
    denominator="result IN ('1', '2', '3')",
    denominator_exclusion="dose_unknown",
    numerator="dose <= 1.5",
    stratifiers=(PARTS,),
)
MEAN = _measure(
    "turnaround",
    {"id": "ACRAD15", "years": [2024, 2025]},
    scoring="continuous-variable",
    numerator=None,
    denominator_exception="list_contains(signs, 'Y')",
    observation="dose",
    scale=1,
    improvement="decrease",
)
RESTING = _measure(
    "resting",
    {"id": "ACRAD3", "years": [2017]},  # of no year that is exported
    numerator="packs >= 20",
    improvement="increase",
    shown_when={"measure": "told", "at_least": "0.01"},
)
MEASURES = (CQM, QCDR, STRATIFIED, MEAN, RESTING)


def registry(*measures: Measure) -> Definition:
    """The toy registry with these measures."""
    chosen = measures or MEASURES
    digest = "toy-qpp-" + "-".join(one.id for one in chosen)
    return definition(forms=(WITH_READER, FOLLOW_UP, PERSON), measures=chosen, digest=digest)
