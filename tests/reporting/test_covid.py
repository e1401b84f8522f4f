"""The RSNA expert consensus on chest CT: what features come to, and when more must be told."""

from typing import Any

import pytest

from app.reporting.evaluate import evaluate
from app.reporting.own import packaged

MODULE = packaged()["covid-19-chest-ct"]

CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"pneumonia": "false"}, "negative", "1"),
    ({"opacities": "peripheral_bilateral"}, "typical", "5"),
    ({"opacities": "rounded", "atypical": ["cavitation"]}, "typical", "5"),
    ({"opacities": "none", "organizing": "true"}, "typical", "5"),
    ({"opacities": "nonspecific"}, "indeterminate", "3"),
    ({"opacities": "few_small", "atypical": ["lobar"]}, "indeterminate", "3"),
    ({"opacities": "none", "atypical": ["tree_in_bud"]}, "atypical", "2"),
    ({"opacities": "none", "atypical": ["lobar", "cavitation"]}, "atypical", "2"),
]


@pytest.mark.parametrize(("answers", "category", "corads"), CASES)
def test_a_category(answers: dict[str, Any], category: str, corads: str) -> None:
    outcome = evaluate(MODULE, {"pneumonia": "true"} | answers)
    assert outcome.complete
    assert [one.id for one in outcome.end_points] == [category]
    assert outcome.computed["corads"] == corads
    for choice in answers.get("atypical", ()) if category == "atypical" else ():
        says = next(one for one in MODULE.by_id["atypical"].choices if one.value == choice)
        assert says.report_text in outcome.sections["findings"]


@pytest.mark.parametrize("atypical", [None, []])
def test_pneumonia_without_any_feature_is_no_category_and_is_asked_for(atypical: Any) -> None:
    outcome = evaluate(MODULE, {"pneumonia": "true", "opacities": "none", "atypical": atypical})
    assert not outcome.complete
    assert outcome.end_points == ()
    assert [one.element.id for one in outcome.questions if one.open] == ["atypical"]
