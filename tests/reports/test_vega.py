"""Each specification is drawn by Vega-Lite itself."""

import json
from xml.etree import ElementTree

import pytest
import vl_convert

from app.errors import Withheld
from app.reports.composition import Strata, Stratum
from app.reports.vega import MAKERS, Chart, specification
from tests.reports.compositions import a_run, figures, measure

SPLIT = Strata(
    title="Indication",
    strata=(
        Stratum(title="Baseline", figures=figures(rate="13.0")),
        Stratum(title="Annual", figures=figures(rate="11.0")),
    ),
)


@pytest.mark.parametrize("chart", sorted(MAKERS))
def test_a_chart_is_drawn_with_its_data_and_fetches_nothing(chart: Chart) -> None:
    made = specification(measure(split=(SPLIT,)), chart)
    drawn = vl_convert.vegalite_to_svg(json.dumps(made), vl_version="6.1", allowed_base_urls=[])
    marks = [one for one in ElementTree.fromstring(drawn).iter() if one.tag.endswith("path")]
    assert len(marks) > 4
    assert made["description"]
    assert made["$schema"].endswith("/v6.json")
    assert "url" not in json.dumps({**made, "$schema": ""})


def test_figures_in_a_specification_are_those_of_the_report() -> None:
    told = measure(run=a_run((10.0, None, 12.5)))
    points = specification(told, "run")["data"]["values"]
    assert [one["value"] for one in points] == [10.0, None, 12.5]
    groups = specification(told, "peers")["data"]["values"]
    assert [(one["group"], one["median"]) for one in groups] == [
        ("All facilities", 11.0),
        ("Community hospital", 10.4),
    ]


@pytest.mark.parametrize("chart", sorted(MAKERS))
def test_what_is_withheld_is_refused_with_its_reason(chart: Chart) -> None:
    hidden = measure(result=figures(rate=None), run=None, funnel=None, standings=(), split=())
    with pytest.raises(Withheld):
        specification(hidden, chart)
