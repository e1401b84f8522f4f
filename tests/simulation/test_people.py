"""Identities: unlike anything else, and nobody shares one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from app.simulation.people import code, name, security_number

serials = st.integers(0, 5_000_000)
seeds = st.integers(0, 1_000_000)


@given(serials, serials, seeds)
def test_two_people_never_share_a_number_or_name(one, other, seed):
    same = one == other
    assert (security_number(one, seed) == security_number(other, seed)) is same
    assert (code(1, one, seed) == code(1, other, seed)) is same
    assert (name("Zq", 2, one, seed) == name("Zq", 2, other, seed)) is same


@given(serials, seeds)
def test_identities_have_the_form_that_registries_ask_for(serial, seed):
    number = security_number(serial, seed)
    assert re.fullmatch(r"\d{3}-\d{2}-\d{4}", number)
    area, group, last = number.split("-")
    assert 1 <= int(area) <= 665
    assert int(group)
    assert int(last)
    assert re.fullmatch(r"[A-Z2-7]{8}", code(7, serial, seed))
    assert re.fullmatch(r"Xv[a-z]{8}", name("Xv", 1, serial, seed))
