"""What is suggested for names that no list knows: by their words alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.definitions import newest
from app.ingest.likeness import ENOUGH, MOST, likeness, suggestions

LABELS = newest("dose-index").value_sets["standard-exam"].labels
CALLED = {code: [label, code.replace("-", " ")] for code, label in LABELS.items()}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CT CHEST W/O CONTRAST", "CHEST-WO"),
        ("CT Chest wo", "CHEST-WO"),
        ("CT THORAX CHEST w/out contrast", "CHEST-WO"),
        ("ABD/PELV W CONTRAST", "ABD-PELVIS-W"),
        ("CT Abdomen & Pelvis with contrst", "ABD-PELVIS-W"),
        ("CT HEAD W / O", "HEAD-WO"),
        ("CT BRAIN/HEAD WITHOUT CONTRAST", "HEAD-WO"),
        ("HEAD NON-CONTRAST", "HEAD-WO"),
        ("CT CHEST WITH CONTRAST", None),
        ("CT ABD PELVIS WO", None),
        ("MAMMOGRAPHY", None),
        ("12", None),
        ("--", None),
    ],
)
def test_a_name_is_like_the_exam_that_it_says(name: str, code: str | None) -> None:
    found = suggestions(name, CALLED)
    assert (found[0].code if found else None) == code


names = st.text(st.sampled_from("abdcehstw /o-é"), max_size=20)


@given(names, names)
def test_likeness_goes_both_ways_and_is_whole_for_the_same_words(one: str, other: str) -> None:
    assert likeness(one, other) == likeness(other, one)
    assert 0 <= likeness(one, other) <= 1
    assert likeness(one, one) in (0, 1)
    assert likeness(one, one.upper() + " , ") == likeness(one, one)


@given(st.lists(names, max_size=8), names)
def test_suggestions_are_few_alike_and_the_likest_first(others: list[str], name: str) -> None:
    found = suggestions(name, {str(place): [one] for place, one in enumerate(others)})
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert len(found) <= MOST
    assert all(score >= ENOUGH for score in scores)
