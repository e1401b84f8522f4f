import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reports.changed import Difference
from app.reports.composition import Summary
from app.reports.render import CSS, POLICY, STYLE_DIGEST, page
from tests.outline import outline
from tests.reports.compositions import composition, figures, measure, standing


def test_a_report_loads_nothing_and_runs_nothing() -> None:
    found = outline(page(composition()))
    assert not [
        tag
        for tag, _ in found.elements
        if tag in ("script", "link", "img", "iframe", "object", "form")
    ]
    targets = [
        value
        for _, attributes in found.elements
        for name, value in attributes.items()
        if name in ("href", "src", "action")
    ]
    assert all(target and target.startswith("#") for target in targets)
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_the_policy_allows_the_one_style_that_the_page_carries() -> None:
    style = re.search(r"<style>(.*?)</style>", page(composition()), re.DOTALL)
    assert style is not None
    assert style[1] == CSS
    assert f"style-src 'sha256-{STYLE_DIGEST}'" in POLICY
    assert POLICY.startswith("default-src 'none'")
    assert not [a for _, a in outline(page(composition())).elements if "style" in a], (
        "inline styles are refused"
    )


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_any_name_or_text_stays_text(text: str) -> None:
    told = composition(
        registry=text,
        steward=text,
        summary=Summary(overall=(text,), changed=(text,), stands_out=(text,), look_at=(text,)),
        sections=(
            composition()
            .sections[0]
            .model_copy(
                update={
                    "title": text,
                    "measures": (
                        measure(
                            title=text,
                            says=text,
                            description=text,
                            standings=(standing(title=text),),
                        ),
                    ),
                }
            ),
        ),
    )
    plain = {tag for tag, _ in outline(page(composition())).elements}
    found = outline(page(told))
    assert {tag for tag, _ in found.elements} <= plain
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)


def test_names_within_a_page_are_unique_and_everything_named_is_there() -> None:
    found = outline(page(composition()))
    names = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(names) == len(set(names))
    for _, attributes in found.elements:
        for pointer in ("aria-labelledby", "aria-describedby"):
            assert set((attributes.get(pointer) or "").split()) <= set(names)
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in names  # type: ignore[index]


def test_every_chart_says_in_words_what_it_shows() -> None:
    found = outline(page(composition()))
    charts = [attributes for tag, attributes in found.elements if tag == "svg"]
    assert charts
    assert all(chart["role"] == "img" and chart["aria-labelledby"] for chart in charts)


def test_the_document_names_its_language_its_title_and_one_heading() -> None:
    html = page(composition())
    found = outline(html)
    assert ("html", {"lang": "en"}) in found.elements
    assert [tag for tag, _ in found.elements].count("h1") == 1
    assert "<title>Riverside Imaging, Early Lung Cancer Detection Registry, 2026Q3</title>" in html
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("mark", ["unconfirmed", "project"])
def test_what_is_not_confirmed_says_so_beside_its_name(mark: str) -> None:
    told = composition(
        sections=(
            composition().sections[0].model_copy(update={"measures": (measure(source=mark),)}),
        )
    )
    assert f'<span class="mark">{mark}</span>' in page(told)


def test_a_withheld_result_shows_its_reason_and_no_figure() -> None:
    hidden = measure(
        result=figures(rate=None),
        trend=(figures(rate=None),),
        standings=(),
        says="Not shown. Fewer than 10 cases.",
    )
    text = outline(
        page(
            composition(
                sections=(composition().sections[0].model_copy(update={"measures": (hidden,)}),)
            )
        )
    ).text
    assert "Not shown. Fewer than 10 cases." in text
    assert "12.5" not in text


def test_page_and_json_are_made_from_the_same_figures() -> None:
    told = composition()
    text = outline(page(told)).text
    for section in told.sections:
        for one in section.measures:
            for figure in (one.result, *one.trend):
                assert figure.rate is None or figure.rate in text
            for place in one.standings:
                assert place.median is None or place.median in text


def test_counts_that_follow_one_another_share_a_frame_and_keep_their_names() -> None:
    counts = tuple(
        measure(
            f"lung_rads_{number}",
            title=f"Lung-RADS {number}",
            scoring="cohort",
            better="neither",
            unit="",
            standings=(),
            result=figures(rate=str(number), denominator=number),
            trend=(figures(rate=str(number), denominator=number),),
        )
        for number in (1, 2, 3)
    )
    told = composition(
        sections=(composition().sections[0].model_copy(update={"measures": (measure(), *counts)}),)
    )
    found = outline(page(told))
    assert [tag for tag, _ in found.elements].count("article") == 2
    assert {"lung_rads_1", "lung_rads_2", "lung_rads_3"} <= {
        attributes.get("id") for _, attributes in found.elements
    }


def test_the_page_of_an_issued_report_says_what_has_changed_since() -> None:
    moved = Difference(
        measure_id="abnormal_interpretation_rate",
        title="Abnormal interpretation rate",
        figure="rate",
        issued="12.5%",
        now="13.1%",
    )
    issued_on = composition().composed_at
    text = outline(page(composition(), issued_on=issued_on, differences=(moved,))).text
    assert "Changed since issued" in text
    assert "13.1%" in text
    text = outline(page(composition(), issued_on=issued_on, differences=())).text
    assert "No figure has changed since." in text
    assert "since" not in outline(page(composition())).text.split("Methods")[0].lower()
