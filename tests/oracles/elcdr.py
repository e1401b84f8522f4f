"""
Every measure of the lung registry, written from what its title and description say in English.

Where English leaves a choice (which codes mean cancer, what a month is) it follows the reconstruction
of the measures in the project's notes: months are calendar months that end at the end of a shorter
month, and "within a year" is 0 to 365 days.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from itertools import product

from tests.oracles.counting import (
    EXCLUDED,
    MET,
    NOT_MET,
    OUTSIDE,
    Exam,
    FollowUp,
    Measure,
    Outcome,
)

POSITIVE = {"3", "4A", "4B", "4X"}
LUNG_CANCER_IN_TISSUE = {"2", "3", "5", "9", "10", "11"}
LUNG_CANCER = LUNG_CANCER_IN_TISSUE | {"8"}
STAGE_ONE = {"IA", "IA1", "IA2", "IA3", "IB"}
UNKNOWN_STAGE = {None, "99"}


def months_later(day: date, months: int) -> date:
    """The same day so many months on, or the last day of a month that is too short for it."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def within_a_year(exam: Exam) -> list[FollowUp]:
    """What was done up to a year after the screen."""
    return [one for one in exam.follow_ups if 0 <= (one.on - exam.on).days <= 365]


def followed_up(exam: Exam, first: int, last: int) -> bool:
    """Whether anything was done so many days after the screen."""
    return any(first <= (one.on - exam.on).days <= last for one in exam.follow_ups)


def cancer(exam: Exam, codes: Iterable[str] = LUNG_CANCER_IN_TISSUE) -> bool:
    """Whether tissue showed lung cancer within a year."""
    return any(one["tissue_diagnosis"] in codes for one in within_a_year(exam))


def proportion(denominator: bool, numerator: bool, excluded: bool = False) -> Outcome:
    """The outcome of a case for a proportion."""
    if not denominator:
        return OUTSIDE
    if excluded:
        return EXCLUDED
    return MET if numerator else NOT_MET


def pack_years(exam: Exam) -> Decimal | None:
    return exam.number("number_of_packs_year_smoking", [999])


def years_since_quit(exam: Exam) -> Decimal | None:
    return exam.number("number_of_years_since_quit", [99])


def can_be_told(exam: Exam) -> bool:
    """Whether what appropriateness is decided by is known."""
    status = exam["smoking_status"]
    if status == "3":
        return True
    if status == "1":
        return pack_years(exam) is not None
    if status == "2":
        return pack_years(exam) is not None and years_since_quit(exam) is not None
    return False


def appropriate(exam: Exam, youngest: int, oldest: int, packs: int) -> bool:
    """Old enough and not too old, smoked enough and recently enough, nothing wrong with them."""
    smoked, quit_for = pack_years(exam), years_since_quit(exam)
    status = exam["smoking_status"]
    recently = status == "1" or (status == "2" and quit_for is not None and quit_for <= 15)
    return (
        youngest <= exam.age <= oldest
        and exam["signs_or_symptoms_of_lung_cancer"] == "N"
        and smoked is not None
        and smoked >= packs
        and recently
    )


def uspstf_2021(exam: Exam) -> Outcome:
    if exam.on < date(2021, 3, 9):
        return None
    return proportion(can_be_told(exam), appropriate(exam, 50, 80, 20))


def uspstf_2013(exam: Exam) -> Outcome:
    if exam.on >= date(2021, 3, 9):
        return None
    return proportion(can_be_told(exam), appropriate(exam, 55, 80, 30))


def cms_2022(exam: Exam) -> Outcome:
    if exam.on < date(2022, 2, 10) or "1" not in (exam["health_insurance"] or []):
        return None
    return proportion(can_be_told(exam), appropriate(exam, 50, 77, 20))


def adherence(first: int, last: int) -> Callable[[Exam], Outcome]:
    """The next screen so many months later, of people who could and should have had one."""

    def outcome(exam: Exam) -> Outcome:
        closes = months_later(exam.on, last)
        deaths = [
            date.fromisoformat(one["date_of_death"])
            for one in [*exam.earlier, exam, *exam.later]
            if one["date_of_death"] is not None
        ]
        died = bool(deaths) and max(deaths) <= closes
        cancers = [
            one.on
            for one in exam.follow_ups
            if one["tissue_diagnosis"] in LUNG_CANCER and one.on >= exam.on
        ]
        ill = bool(cancers) and min(cancers) <= closes
        quit_for = years_since_quit(exam)
        eligible_no_longer = exam.age >= 80 or (
            exam["smoking_status"] == "2" and quit_for is not None and quit_for >= 15
        )
        came = bool(exam.later) and months_later(exam.on, first) <= exam.later[0].on <= closes
        return proportion(
            exam["ct_exam_result_lung_rads"] in {"1", "2"}, came, died or ill or eligible_no_longer
        )

    return outcome


def low_dose(element: str, factor: Decimal = Decimal(1)) -> Callable[[Exam], Outcome]:
    """The value of a low-dose exam."""

    def outcome(exam: Exam) -> Outcome:
        value = exam.number(element)
        if exam["modality"] != "1" or value is None:
            return OUTSIDE
        return value * factor

    return outcome


def at_most_3_mgy(exam: Exam) -> Outcome:
    dose = exam.number("ctdivol")
    return proportion(
        exam["modality"] == "1" and dose is not None, dose is not None and dose <= Decimal(3)
    )


def body_mass(exam: Exam) -> str | None:
    """The stratum of body mass index, which has two decimals, rounded half up."""
    weight, height = exam.number("patient_weight"), exam.number("patient_height")
    if weight is None or not height:
        return None
    index = (weight * 703 / (height * height)).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    if index < Decimal("18.5"):
        return "under-18.5"
    if index < 25:
        return "from-18.5"
    return "from-25" if index < 30 else "from-30"


def indication(exam: Exam) -> str | None:
    return {"1": "baseline", "2": "annual"}.get(exam["indication_of_exam"])


def smoking(exam: Exam) -> str | None:
    return {"1": "current", "2": "former"}.get(exam["smoking_status"])


def category(*codes: str) -> Callable[[Exam], Outcome]:
    """Screens of a category, counted."""
    return lambda exam: OUTSIDE if exam["ct_exam_result_lung_rads"] in codes else None


def counselled(*, smokers: bool, known: bool) -> Callable[[Exam], Outcome]:
    """Guidance on cessation, of all or of current smokers, of all or where it is known."""

    def outcome(exam: Exam) -> Outcome:
        offered = exam["did_physician_provide_guidance"]
        return proportion(
            not smokers or exam["smoking_status"] == "1",
            offered == "Y",
            known and offered in {None, "U"},
        )

    return outcome


def smokes_no_more(*, before: bool) -> Callable[[Exam], Outcome]:
    """Annual screens of people who do not smoke, of all or of those who smoked at the one before."""

    def outcome(exam: Exam) -> Outcome:
        smoked = bool(exam.earlier) and exam.earlier[-1]["smoking_status"] == "1"
        return proportion(
            exam["indication_of_exam"] == "2" and (smoked or not before),
            exam["smoking_status"] in {"2", "3"},
            exam["smoking_status"] in {"4", "9"},
        )

    return outcome


def positive(exam: Exam) -> bool:
    return exam["ct_exam_result_lung_rads"] in POSITIVE


def suspicious(exam: Exam) -> bool:
    return exam["ct_exam_result_lung_rads"] in {"4B", "4X"}


def tissue_taken(exam: Exam) -> bool:
    return any(
        one["follow_up_diagnostic"] in {"5", "6"}
        or one["tissue_diagnosis_method"] in {"1", "2", "3"}
        for one in within_a_year(exam)
    )


def stage_one(exam: Exam) -> Outcome:
    stages = [
        one["overall_stage"]
        for one in within_a_year(exam)
        if one["tissue_diagnosis"] in LUNG_CANCER and one["overall_stage"] not in UNKNOWN_STAGE
    ]
    return proportion(bool(stages), all(stage in STAGE_ONE for stage in stages))


def death_after_procedure(exam: Exam) -> Outcome:
    invasive = any(one["follow_up_diagnostic"] in {"4", "5", "6"} for one in within_a_year(exam))
    told = exam["death_within_30_days"]
    return proportion(invasive, told == "Y", told == "U")


def completeness(codes: set[str], first: int, last: int) -> Callable[[Exam], Outcome]:
    return lambda exam: proportion(
        exam["ct_exam_result_lung_rads"] in codes, followed_up(exam, first, last)
    )


BY_INDICATION = {"indication": indication}
BY_BODY_MASS = {"bmi": body_mass}
BY_SMOKING = {"smoking": smoking}

CASE_MIXES = {
    "abnormal_interpretation_rate": list(
        product(
            ("under-60", "60-69", "from-70", "unknown"),
            ("current", "former", "unknown"),
            ("baseline", "annual", "unknown"),
        )
    )
}
"""The combinations of levels that patients bring, the last factor's changing first."""


def brings(exam: Exam) -> tuple[str, str, str]:
    """Age, smoking and indication, as the abnormal interpretation rate allows for them."""
    age = "under-60" if exam.age < 60 else "60-69" if exam.age < 70 else "from-70"
    smoking = {"1": "current", "2": "former"}.get(exam["smoking_status"] or "", "unknown")
    return age, smoking, indication(exam) or "unknown"


MODULE = "lung-cancer-screening"
"""Whose measures are counted here; those of other modules have examples and the oracle of any definition."""

MEASURES = (
    Measure("screens", lambda exam: OUTSIDE, BY_INDICATION),
    Measure("appropriate_uspstf_2021", uspstf_2021, BY_INDICATION),
    Measure("appropriate_uspstf_2013", uspstf_2013, BY_INDICATION),
    Measure(
        "appropriateness_not_determinable",
        lambda exam: proportion(True, not can_be_told(exam)),
        BY_INDICATION,
    ),
    Measure("covered_cms_2022", cms_2022, BY_INDICATION),
    Measure(
        "shared_decision_documented",
        lambda exam: proportion(
            exam["indication_of_exam"] == "1", exam["doc_of_shared_dec_making"] == "Y"
        ),
    ),
    Measure("cessation_counseling_offered", counselled(smokers=False, known=False)),
    Measure("cessation_counseling_offered_known", counselled(smokers=False, known=True)),
    Measure("cessation_counseling_current_smokers", counselled(smokers=True, known=False)),
    Measure("cessation_counseling_current_smokers_known", counselled(smokers=True, known=True)),
    Measure("non_smoking_rate_prior_smokers", smokes_no_more(before=True)),
    Measure("non_smoking_rate_all", smokes_no_more(before=False)),
    Measure("smoking_status_known", lambda exam: proportion(True, exam["smoking_status"] != "9")),
    Measure("ctdivol", low_dose("ctdivol"), BY_BODY_MASS),
    Measure("ctdivol_at_most_3_mgy", at_most_3_mgy, BY_BODY_MASS),
    Measure("dlp", low_dose("dlp"), BY_BODY_MASS),
    Measure("effective_dose", low_dose("dlp", Decimal("0.014"))),
    *(
        Measure(f"lung_rads_{code.lower()}", category(code), BY_INDICATION)
        for code in ("0", "1", "2", "3", "4A", "4B", "4X")
    ),
    Measure(
        "recall_rate",
        lambda exam: proportion(True, exam["ct_exam_result_lung_rads"] == "0"),
        BY_INDICATION,
    ),
    Measure(
        "abnormal_interpretation_rate",
        lambda exam: proportion(True, positive(exam)),
        BY_INDICATION,
        brings,
    ),
    Measure(
        "modifier_s_rate",
        lambda exam: proportion(True, exam["ct_exam_result_modifier_s"] == "Y"),
        BY_INDICATION,
    ),
    Measure(
        "cancer_detection_rate",
        lambda exam: proportion(True, positive(exam) and cancer(exam)),
        BY_INDICATION,
    ),
    Measure("ppv1", lambda exam: proportion(positive(exam), cancer(exam)), BY_INDICATION),
    Measure("ppv2", lambda exam: proportion(suspicious(exam), cancer(exam))),
    Measure("ppv3", lambda exam: proportion(positive(exam) and tissue_taken(exam), cancer(exam))),
    Measure(
        "invasive_cancer_detection_rate",
        lambda exam: proportion(True, cancer(exam, {"2", "3"})),
        BY_INDICATION,
    ),
    Measure("stage_one_share", stage_one),
    Measure("death_within_30_days_of_procedure", death_after_procedure),
    Measure(
        "follow_up_reporting_rate",
        lambda exam: proportion(positive(exam), bool(within_a_year(exam))),
    ),
    Measure("follow_up_completeness_3", completeness({"3"}, 150, 270)),
    Measure("follow_up_completeness_4a", completeness({"4A"}, 60, 150)),
    Measure("follow_up_completeness_4b_4x", completeness({"4B", "4X"}, 0, 90)),
    Measure("adherence", adherence(11, 15), BY_SMOKING),
    Measure("adherence_tolerant", adherence(10, 18), BY_SMOKING),
)
