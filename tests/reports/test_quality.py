"""How complete data are is said of what is asked of every case, and not of what befell a few."""

import pytest

from app.commands.definitions import newest
from app.registries.element import Element
from app.reports.quality import asked_always


def element(name: str, **more: str | bool) -> Element:
    said = {"id": name, "source_name": name, "title": name, "type": "text", "max_length": 9}
    return Element.model_validate(said | more)


@pytest.mark.parametrize(
    ("depends", "asked"),
    [
        ("died IS NOT NULL", False),
        ("died IS NOT NULL AND sex = '1'", False),
        ("died IS NULL", True),
        ("died = '1'", True),
    ],
)
def test_what_is_told_of_those_it_happened_to_is_not_asked_of_every_case(
    depends: str, asked: bool
) -> None:
    elements = [element("died"), element("sex"), element("cause", relevant_when=depends)]
    assert asked_always(elements) == ({"died", "sex"} if asked else {"sex"})
    needed = [element("died", required=True), *elements[1:]]
    assert asked_always(needed) == {"died", "sex"}


def test_the_living_are_no_gap_in_the_lung_registrys_dates_of_death() -> None:
    definition = newest("early-lung-cancer-detection")
    asked = asked_always([*definition.visible_elements("exam")])
    assert "date_of_death" not in asked
    assert {"pitch", "tube_voltage", "smoking_status"} <= asked
