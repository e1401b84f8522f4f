"""What is found out about a text as nobody's is right for everybody whom its questions do not touch."""

from pathlib import Path

from hypothesis import event, given, settings
from hypothesis import strategies as st

from app.deid.identifiers import Nobody, Own
from app.deid.text import Cleaner, ForAnybody, _left
from app.deid.vocabulary import vocabulary

TEXTS = Path(__file__).parent / "texts"
SAID = [
    line.partition(" =>")[0]
    for name in ("stay.txt", "lose.txt")
    for line in (TEXTS / name).read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
WORDS = sorted({word for line in SAID for word in line.split()} | set(vocabulary().people))
PARTS = st.sampled_from(WORDS) | st.sampled_from(
    ["Li", "Wu", "Ng", "O", "St", "Иванова", "山田", "林"]
)
NAMES = st.lists(st.lists(PARTS, min_size=1, max_size=3).map("^".join), min_size=1, max_size=3)
NUMBERS = st.integers(0, 10**9).map(str) | st.sampled_from(["1", "12", "003", "7-12", "CT 4711"])
IDENTIFIERS = st.lists(NUMBERS | st.lists(PARTS, min_size=1, max_size=3).map(" ".join), max_size=3)


@st.composite
def texts(draw: st.DrawFn, names: list[str], identifiers: list[str]) -> str:
    """Something people write, with or without some of a patient's own between, in odd forms."""
    own = [part for one in (*names, *identifiers) for part in one.replace("^", " ").split()]
    odd = st.sampled_from(own).map(".".join) | st.sampled_from(own).map(str.upper)
    parts = st.sampled_from(SAID) | PARTS | NUMBERS | st.sampled_from(own) | odd
    gaps = st.sampled_from([" ", "_", "", "-", " no. ", " #", "/", ", "])
    said = draw(st.lists(st.tuples(parts, gaps), min_size=1, max_size=4))
    return "".join(part + gap for part, gap in said)


@settings(max_examples=400, deadline=None)
@given(NAMES, IDENTIFIERS, st.data())
def test_a_text_loses_what_it_would_lose_if_nothing_were_known_of_it_before(
    names, identifiers, data
):
    said = data.draw(texts(names, identifiers))
    cleaner, own = Cleaner(names, identifiers), Own(names, identifiers)
    assert cleaner.clean(said) == _left(own, said, descriptor=True)
    assert cleaner.scrub(said) == _left(own, said, descriptor=False)


@settings(max_examples=400, deadline=None)
@given(NAMES, IDENTIFIERS, st.data())
def test_a_code_or_number_is_judged_as_it_would_be_for_the_patient(names, identifiers, data):
    said = data.draw(texts(names, identifiers))
    cleaner = Cleaner(names, identifiers)
    for judge in (ForAnybody.names_somebody, ForAnybody.is_own_number, ForAnybody.clean):
        anybodys = ForAnybody(cleaner.own.foreign)
        judged = judge(anybodys, said)
        untouched = cleaner.own.untouched("\n".join(anybodys.own.asked))
        event(f"{judge.__name__}: {'anybody' if untouched else 'the patient'}")
        if untouched:
            assert judged == judge(cleaner, said)


@settings(max_examples=400, deadline=None)
@given(NAMES, IDENTIFIERS, st.data())
def test_whoever_nobody_was_mistaken_for_is_told(names, identifiers, data):
    said = data.draw(texts(names, identifiers)).lower()
    own = Own(names, identifiers)
    for answer in (
        lambda who: who.is_word(said),
        lambda who: who.is_name(said),
        lambda who: who.inside(said),
        lambda who: list(who.places(said)),
    ):
        nobody = Nobody(own.foreign)
        assert not answer(nobody)
        if answer(own):
            assert not own.untouched("\n".join(nobody.asked))
