"""Improvement projects in a definition: what is wrong with one is said with its file and line."""

from pathlib import Path

import pytest

from app.registries.compare import compare
from app.registries.load import canonical, load, read
from app.registries.schema import Definition
from tests.make.definitions import ORIGINAL, SMALL, newest, small

MEASURES = SMALL["measures_all"].replace(
    "scoring: proportion", "scoring: proportion\n  improvement: decrease"
)
PROJECT = """\
id: fewer-smokers
title: Fewer smokers
purpose: Fewer people smoke.
background:
  - {says: It is good for them., source: project}
measures: [smokers]
interventions:
  - {id: ask, title: Ask, says: Ask everybody., source: project}
baseline_months: 3
remeasurement_months: 3
worksheet:
  - {id: aim, title: Aim, step: plan, asks: [What for?]}
  - {id: done, title: Done, step: do, asks: [What?]}
  - {id: seen, title: Seen, step: study, asks: [What then?]}
  - {id: next, title: Next, step: act, asks: [And now?]}
"""  # fmt: skip


def offering(
    folder: Path, project: str = PROJECT, **changed: str
) -> tuple[Definition | None, list[str]]:
    return read(small(folder, measures_all=MEASURES, improvement_smoking=project, **changed))  # fmt: skip


def test_a_sound_project_is_read_with_its_requirements(tmp_path: Path) -> None:
    found, complaints = offering(tmp_path)
    assert complaints == []
    assert found is not None
    template = found.improvement_template("fewer-smokers")
    assert template.measures == ("smokers",)
    assert template.evidence.steps == ("plan", "do", "study", "act")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("title: Fewer smokers", "titel: Fewer smokers", "improvement/smoking.yaml:2: `titel` is not known here; did you mean `title`?"),
        ("measures: [smokers]", "measures: [smoker]", "improvement/smoking.yaml:6: there is no measure `smoker`; did you mean `smokers`?"),
        ("measures: [smokers]", "measures: [smokers, smokers]", "improvement/smoking.yaml:6: `smokers` is named twice"),
        ("measures: [smokers]", "measures: []", "improvement/smoking.yaml:6: `measures`"),
        ("id: ask, title: Ask, says", "id: ask, titles: Ask, says", "improvement/smoking.yaml:8: `titles` is not known here; did you mean `title`?"),
        ("source: project}\nbaseline", "source: project}\n  - {id: ask, title: Again, says: Again.}\nbaseline", "improvement/smoking.yaml:9: `ask` is named twice"),
        ("baseline_months: 3", "baseline_months: 0", "improvement/smoking.yaml:9: `baseline_months`"),
        ("baseline_months: 3", "baseline_months: many", "improvement/smoking.yaml:9: `baseline_months`"),
        ("remeasurement_months: 3\n", "", "`remeasurement_months` is missing"),
        ("step: do", "step: perform", "improvement/smoking.yaml:13: `step`"),
        ("  - {id: done, title: Done, step: do, asks: [What?]}\n", "", "improvement/smoking.yaml:11: no section asks about the step `do`"),
        ("step: study", "step: plan", "improvement/smoking.yaml:11: sections follow the steps"),
        ("worksheet:", "module: lungs\nworksheet:", "improvement/smoking.yaml:11: there is no module `lungs`"),
        ("worksheet:", "evidence: {steps: [plan, study]}\nworksheet:", "improvement/smoking.yaml:11: without `do` nothing was changed"),
        ("worksheet:", "evidence: {steps: [do, do]}\nworksheet:", "improvement/smoking.yaml:11: `do` is named twice"),
        ("id: fewer-smokers", "id: Fewer", "improvement/smoking.yaml:1: `id` string should match pattern"),
    ],
)  # fmt: skip
def test_one_flaw_is_one_complaint_at_its_line(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    assert PROJECT.count(old) == 1
    _, found = offering(tmp_path, PROJECT.replace(old, new))
    assert any(one.startswith(complaint) or complaint in one for one in found), found
    assert all(one.startswith("improvement/smoking.yaml:") for one in found), found


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("improvement: decrease", "improvement: none"), "says neither direction is better"),
        (("scoring: proportion", "scoring: cohort"), "only counts: there is no rate to improve"),
    ],
)
def test_a_measure_that_cannot_tell_an_improvement_is_not_offered(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    folder = small(tmp_path, measures_all=MEASURES.replace(*change), improvement_smoking=PROJECT)
    assert any(complaint in one for one in read(folder)[1])


def test_two_projects_of_one_id_are_a_complaint(tmp_path: Path) -> None:
    folder = small(tmp_path, measures_all=MEASURES, improvement_a=PROJECT, improvement_b=PROJECT)
    assert read(folder)[1] == ["improvement/b.yaml:1: `fewer-smokers` is declared twice"]


def test_projects_have_files_of_their_own(tmp_path: Path) -> None:
    _, found = offering(tmp_path, registry=SMALL["registry"] + "improvement: []\n")
    assert found == ["registry.yaml:7: `improvement` has a file of its own; it does not stand here"]


@pytest.mark.parametrize(
    ("physician", "complaint"),
    [
        ("doctors", "elements/visit.yaml:6: there is no element `doctors`; did you mean `doctor`?"),
        ("note", "elements/visit.yaml:6: is told by an NPI"),
    ],
)
def test_whose_case_it_is_is_told_by_an_npi(tmp_path: Path, physician: str, complaint: str) -> None:
    visit = SMALL["elements_visit"].replace(
        "period: visit_date\n", f"period: visit_date\nphysician: {physician}\n"
    )
    assert any(one.startswith(complaint) for one in read(small(tmp_path, elements_visit=visit))[1])


def test_a_definition_without_projects_reads_the_same_document_as_ever(
    tmp_path: Path, visits: Definition
) -> None:
    assert "improvement" not in canonical(visits)
    offered, _ = offering(tmp_path)
    assert offered is not None
    weights = [(one.weight, one.place) for one in compare(visits, offered)]
    assert ("new", "improvement fewer-smokers") in weights
    gone = [(one.weight, one.place) for one in compare(offered, visits)]
    assert ("changed", "improvement fewer-smokers") in gone


def test_the_lung_registry_offers_the_three_projects_its_registry_names() -> None:
    definition = load(newest(ORIGINAL))
    assert [one.id for one in definition.improvement] == [
        "annual-screening-adherence",
        "radiation-dose",
        "smoking-cessation",
    ]
    for template in definition.improvement:
        assert all(one.reference for one in template.background if one.source != "project")
        assert all(one.reference for one in template.interventions if one.source != "project")
