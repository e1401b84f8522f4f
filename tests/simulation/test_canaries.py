"""The search for planted identities finds them in whatever they come out in, and nothing else."""

import json

import pytest

from app.simulation.canaries import Canaries

PLANTED = [
    ("name", "Zqkagarofa"),
    ("national identifier", "304-07-8000"),
    ("birth date", "1958-03-20"),
    ("exam identifier", "ZXRFGVAXCS"),
    ("local identifier", "MQHSTISZNJ"),
    ("image code", "DVABCDEFGH"),
    ("uid", "1.2.826.0.1.3680043.10.1561.1.4.11.7"),
]
CANARIES = Canaries(PLANTED)


@pytest.mark.parametrize(("kind", "value"), PLANTED)
@pytest.mark.parametrize(
    "dress",
    [
        lambda value: value,
        lambda value: value.upper(),
        lambda value: f'{{"place": "{value}"}}',
        lambda value: f"GET /cases?exam={value}&page=2",
        lambda value: value.encode("utf-16-le"),
        lambda value: b"\x00\x10LO\x0a\x00" + value.encode() + b"\x00\x08",
    ],
)
def test_an_identity_is_found_however_it_is_dressed(kind, value, dress):
    assert CANARIES.found_in(dress(value)) == {value.lower(): kind}


@pytest.mark.parametrize(
    "spelling",
    ["304078000", "304-07-8000", "19580320", "1958-03-20", "xZqkagarofay", "kMQHSTISZNJk"],
)
def test_other_spellings_and_glued_text_are_found(spelling):
    assert len(CANARIES.found_in(f"seen {spelling} today")) == 1


def test_a_nations_list_is_read_back(tmp_path):
    listed = tmp_path / "canaries.txt"
    listed.write_text("".join(f"{kind}\t{value}\n" for kind, value in PLANTED))
    assert Canaries.read(listed).found_in("Zqkagarofa 304078000") == {
        "zqkagarofa": "name",
        "304078000": "national identifier",
    }


def test_harmless_text_holds_none():
    harmless = json.dumps({"rate": "0.304", "months": ["2026-03", "2026-04"], "n": 304078001})
    assert CANARIES.found_in(harmless) == {}
    assert CANARIES.found_in("1958-03-21 304-07-8001 Zqkagarofe") == {}


def test_kinds_that_may_be_seen_do_not_count():
    assert CANARIES.found_in("ZXRFGVAXCS Zqkagarofa", but={"exam identifier"}) == {
        "zqkagarofa": "name"
    }
