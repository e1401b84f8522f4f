"""Values as people and programs send them, to canonical ones or to what is wrong with them."""

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.registries.entries import FormCheck
from app.registries.findings import Severity, severity
from app.registries.schema import Definition
from app.registries.values.texts import is_npi
from tests.make.entries import said

GOOD: dict[str, Any] = {"visit_id": "V-1", "visit_date": "2025-03-05", "smokes": "N"}


@pytest.fixture(scope="module")
def check(visits: Definition) -> FormCheck:
    return FormCheck(visits, "visit")


@pytest.mark.parametrize(
    ("element", "sent", "canonical"),
    [
        ("visit_date", "03/05/2025", "2025-03-05"),
        ("visit_date", "3/5/2025", "2025-03-05"),
        ("visit_date", " 2024-02-29 ", "2024-02-29"),
        ("visit_date", "2025-03-05T00:00:00", "2025-03-05"),
        ("visit_date", date(2025, 3, 5), "2025-03-05"),
        ("visit_date", datetime(2025, 3, 5, 13, 30), "2025-03-05"),  # noqa: DTZ001 - as calamine reads
        ("pain", "7", 7),
        ("pain", 7.0, 7),
        ("pain", "7.00", 7),
        ("pain", "99", 99),
        ("mass", "70", "70.00"),
        ("mass", 70, "70.00"),
        ("mass", 70.25, "70.25"),
        ("mass", 0.1 + 0.2, "0.30"),
        ("mass", "+70.5", "70.50"),
        ("mass", Decimal("70.5"), "70.50"),
        ("mass", "999", "999.00"),
        ("mass", "0070.50", "70.50"),
        ("smokes", " Y ", "Y"),
        ("kind", "1", "1"),
        ("kind", "1.0", "1.0"),
        ("kind", 2022.0, "2022"),
        ("reasons", "N; Y", ["N", "Y"]),
        ("reasons", "Y,N", ["N", "Y"]),
        ("reasons", ["Y", "N"], ["N", "Y"]),
        ("reasons", "U", ["U"]),
        ("walks", True, True),
        ("walks", "false", False),
        ("walks", "1", True),
        ("doctor", "1234567893", "1234567893"),
        ("doctor", 1234567893, "1234567893"),
        ("note", "  spaced  ", "spaced"),
        ("note", 200007.0, "200007"),
        ("note", "e\u0301", "\u00e9"),
        ("note", "=cmd|' /C'", "=cmd|' /C'"),
        ("zip", "12345-6789", "123456789"),
    ],
)
def test_each_spelling_has_one_canonical_form(
    check: FormCheck, element: str, sent: object, canonical: object
) -> None:
    checked = check.check(GOOD | {element: sent})
    assert [one for one in checked.flaws if one.severity is not Severity.WARN] == []
    assert checked.values[element] == canonical
    assert type(checked.values[element]) is type(canonical)


@pytest.mark.parametrize(
    ("element", "sent", "code"),
    [
        *(
            ("visit_date", sent, "not-a-date")
            for sent in ("31/02/2025", "02/31/2025", "2025-02-30", "2023-02-29", "5 March 2025", 45721, 45721.5, True, "2025-3-5", "٢٠٢٥-٠٣-٠٥", "202٥-03-05", "2025-02-1٥", ["2025-03-05"], "2025-03-05T10:00:00")
        ),
        ("visit_date", "0001-01-01", "out-of-range"),
        ("visit_date", "2999-01-01", "out-of-range"),
        *(
            ("pain", sent, "not-an-integer")
            for sent in ("seven", "7.5", 7.5, True, "NaN", math.nan, math.inf, 1e400, "1e400", "1e3", "٧", {}, [7], "0x7", "1_0", "")
            if sent != ""
        ),
        ("pain", 11, "out-of-range"),
        ("pain", -1, "out-of-range"),
        ("pain", 10**18, "out-of-range"),
        ("pain", -(10**30), "out-of-range"),
        ("pain", 10**500, "not-an-integer"),
        *(
            ("mass", sent, "not-a-number")
            for sent in ("heavy", "NaN", "Infinity", "-inf", math.nan, math.inf, -math.inf, "1e400", "1,5", "70 kg", "--1", ".", True, Decimal("NaN"), Decimal("sNaN"), Decimal("1e400"), {"a": 1})
        ),
        ("mass", "0", "out-of-range"),
        ("mass", "500.01", "out-of-range"),
        ("mass", "-0.00", "out-of-range"),
        ("mass", "1" * 40, "out-of-range"),
        *(("smokes", sent, "not-in-value-set") for sent in ("y", "Yes", "X", True, 1, ["Y"], {"Y": 1}, "Y" * 10**6, "Y;N", math.nan)),
        ("kind", 3, "not-in-value-set"),
        *(("reasons", sent, "not-in-value-set") for sent in (["Y", "X"], "Y;X", [["Y"]], [{}], ["Y"] * 201, 7, True, ";")),
        ("reasons", ["Y", "Y"], "repeated-code"),
        ("reasons", ["Y", "U"], "exclusive-code"),
        *(("walks", sent, "not-a-boolean") for sent in ("yes", "2", 2, "TRUE!", [], {}) if sent != []),
        *(("doctor", sent, "not-an-npi") for sent in ("1234567890", "123456789", "3234567893", "12345678931", 123, True, "１２３４５６７８９３")),
        *(("note", sent, "forbidden-character") for sent in ("a\0b", "a\nb", "a\tb", "\x7f", "a\u2028b", "\ud800")),
        ("note", "x" * 13, "too-long"),
        ("note", "x" * 10**6, "too-long"),
        ("note", {"a": 1}, "not-text"),
        ("note", True, "not-text"),
        ("note", b"bytes", "not-text"),
        ("zip", "1234", "pattern"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_flaw_and_no_value(
    check: FormCheck, element: str, sent: object, code: str
) -> None:
    checked = check.check(GOOD | {element: sent})
    assert said(checked.flaws) == [(element, code)]
    assert checked.flaws[0].severity is Severity.REJECT
    assert element not in checked.values
    assert checked.flawed == [element]
    assert all(checked.values[one] == value for one, value in GOOD.items() if one != element)


@pytest.mark.parametrize(
    ("element", "sent", "kept", "code"),
    [
        ("pain", 0, 0, "unusual"),
        ("pain", 9, 9, "unusual"),
        ("mass", "29.99", "29.99", "unusual"),
        ("mass", "70.005", "70.01", "too-many-decimals"),
        ("mass", 70.004, "70.00", "too-many-decimals"),
        ("smokes", "R", "R", "retired-code"),
        ("reasons", ["R", "Y"], ["R", "Y"], "retired-code"),
    ],
)
def test_what_is_odd_is_kept_and_warned_about(
    check: FormCheck, element: str, sent: object, kept: object, code: str
) -> None:
    checked = check.check(GOOD | {element: sent})
    assert said(checked.flaws) == [(element, code)]
    assert checked.flaws[0].severity is Severity.WARN
    assert checked.values[element] == kept
    assert checked.flawed == []


@pytest.mark.parametrize("nothing", [None, "", "   ", "\t", []])
def test_blanks_say_not_given(check: FormCheck, nothing: object) -> None:
    everything: dict[str, object] = dict.fromkeys(
        ("birth", "pain", "mass", "packs", "reasons", "kind", "walks", "doctor", "note", "zip"),
        nothing,
    )
    checked = check.check(GOOD | everything | {"not ours": nothing})
    assert (checked.values, checked.flaws) == (GOOD, [])
    assert said(check.check(GOOD | {"smokes": nothing}).flaws) == [("smokes", "missing")]


def test_everything_wrong_is_said_at_once(check: FormCheck) -> None:
    sent = {"visit_id": "x" * 21, "visit_date": "soon", "pain": "much", "mass": "-1", "shoe": 44}
    assert said(check.check(sent).flaws) == [
        ("visit_id", "too-long"),
        ("visit_date", "not-a-date"),
        ("pain", "not-an-integer"),
        ("mass", "out-of-range"),
        ("member 5", "unknown-element"),
        ("smokes", "missing"),
    ]


def test_headings_are_known_by_id_source_name_and_title(check: FormCheck) -> None:
    for heading in ("doctor", "Doctor_NPI", "DOCTOR NPI", "Doctor-NPI", " doctor "):
        assert check.element_of(heading) == "doctor"
    assert check.element_of("Packs a day") == "packs"
    for heading in ("doctors", "", "age", "_form", "x" * 10**6):
        assert check.element_of(heading) is None


def test_the_same_element_under_two_names_is_neither(check: FormCheck) -> None:
    for sent in ({"Pain": 3, "pain": 4}, {"pain": "much", "PAIN": 4}, {"Pain": 1, "PAIN": 2}):
        checked = check.check(GOOD | sent)
        assert said(checked.flaws) == [("pain", "duplicate-element")]
        assert "pain" not in checked.values
    assert check.check(GOOD | {"Pain": 3, "pain": ""}).values["pain"] == 3


def test_npis_are_checked_by_luhn_behind_80840() -> None:
    def luhn(digits: str) -> bool:
        total = 0
        for place, digit in enumerate(reversed(digits)):
            value = int(digit) * (2 if place % 2 else 1)
            total += value - 9 if value > 9 else value
        return total % 10 == 0

    for number in (*range(1_000_000_000, 1_000_000_200), *range(2_999_999_800, 3_000_000_000)):
        assert is_npi(str(number)) == luhn("80840" + str(number))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.decimals()
    | st.lists(st.sampled_from("YNUR"), max_size=3)
    | st.sampled_from(
        ["2025-03-05", "03/05/2025", "7", "70.25", "Y", "N;Y", "1234567893", "U", "99"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        "visit_id",
        "visit_date",
        "birth",
        "pain",
        "mass",
        "smokes",
        "packs",
        "reasons",
        "kind",
        "walks",
        "doctor",
        "note",
        "zip",
        "Doctor_NPI",
        "age",
    ]
)


SHORT, LONG = (settings(max_examples=many, deadline=None) for many in (120, 4_000))
"""The same tests with few examples, and with very many for `make soak`."""


ENTRIES = {
    "sent": st.dictionaries(NAMES | st.text(max_size=8), ANYTHING, max_size=12),
    "draft": st.booleans(),
}


@given(**ENTRIES)
@SHORT
def test_a_check_never_raises_and_its_values_are_canonical(
    visits: Definition, sent: dict[str, object], draft: bool
) -> None:
    check = _check(visits)
    checked = check.check(sent, draft=draft)
    # What came out goes in again as it is, except that nothing is said twice about it.
    again = check.check(checked.values, draft=True)
    assert again.values == checked.values
    assert all(one.severity is Severity.WARN or one.code == "missing" for one in again.flaws)
    assert {one.place for one in checked.flaws if one.severity is Severity.REJECT}.isdisjoint(
        checked.values
    )
    assert all(severity(one.code) is one.severity for one in checked.flaws)


KNOWN = {"sent": st.dictionaries(NAMES, ANYTHING, max_size=12)}


@given(**KNOWN)
@SHORT
def test_the_quick_look_and_the_careful_one_agree(
    visits: Definition, sent: dict[str, object]
) -> None:
    check = _check(visits)
    quick, careful = check.check(sent, draft=True), check._top.carefully(sent, "", True)
    missing = {"missing"}
    assert quick.values == careful[0]
    assert [one for one in quick.flaws if one.code not in missing] == careful[1]


SECRETS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=40).map(
    lambda text: f"SECRET{text}"
)


TELLTALE = {"secret": SECRETS, "name": NAMES, "heading": SECRETS}


@given(**TELLTALE)
@SHORT
def test_a_flaw_never_repeats_what_was_submitted(
    visits: Definition, secret: str, name: str, heading: str
) -> None:
    for sent in ({name: secret, heading: "x"}, {name: [secret], heading: secret}):
        flaws = _check(visits).check(GOOD | sent).flaws
        assert flaws
        assert "SECRET" not in repr(flaws)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("claim", "of"),
    [
        (test_a_check_never_raises_and_its_values_are_canonical, ENTRIES),
        (test_the_quick_look_and_the_careful_one_agree, KNOWN),
        (test_a_flaw_never_repeats_what_was_submitted, TELLTALE),
    ],
)
def test_so_it_is_with_very_many_examples(visits: Definition, claim: Any, of: Any) -> None:
    def once(**drawn: Any) -> None:
        claim.hypothesis.inner_test(visits, **drawn)

    LONG(given(**of)(once))()


_checks: dict[str, FormCheck] = {}


def _check(definition: Definition) -> FormCheck:
    return _checks.setdefault(definition.digest, FormCheck(definition, "visit"))
