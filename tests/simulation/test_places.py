"""The places of a nation: every kind of facility, valid identifiers, skewed sizes."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.registries.values.texts import is_npi
from app.simulation.places import CATEGORIES, LOCATIONS, STATES, npi, settle
from app.simulation.plan import Plan


@given(st.integers(100_000_000, 299_999_999))
def test_a_made_npi_has_the_check_digit_the_registry_asks_for(nine):
    assert is_npi(npi(nine))


def test_the_worked_example_of_the_npi_standard_is_met():
    # The CMS check digit document works through 123456789.
    assert npi(123_456_789) == "1234567893"


def test_equal_plans_settle_the_same_places_and_other_seeds_others():
    assert settle(Plan(seed=4, facilities=30)) == settle(Plan(seed=4, facilities=30))
    assert settle(Plan(seed=4, facilities=30)) != settle(Plan(seed=5, facilities=30))


def test_a_nation_has_every_category_location_and_division_in_skewed_sizes():
    places = settle(Plan(facilities=120))
    assert {one.category for one in places.facilities} == set(CATEGORIES)
    assert {one.location for one in places.facilities} == set(LOCATIONS)
    assert {one.division for one in places.facilities} == set(STATES)
    shares = sorted(one.share for one in places.facilities)
    assert sum(shares) == pytest.approx(1.0)
    assert sum(shares[-24:]) > 0.45, "the largest fifth does about half of the screens"


def test_each_facility_belongs_to_exactly_one_account_and_every_number_is_its_own():
    places = settle(Plan(facilities=50))
    members = Counter(
        place for account in places.corporate_accounts for place in account.facilities
    )
    assert members == Counter(range(50))
    numbers = [one.npi for one in places.facilities]
    numbers += [npi for one in places.facilities for npi in one.referrers]
    numbers += [one.npi for one in places.physicians]
    assert len(set(numbers)) == len(numbers)
    assert all(is_npi(number) for number in numbers)


def test_issued_numbers_replace_the_nations_own():
    places = settle(Plan(facilities=3, numbers=(100_007, 100_001, 555_555)))
    assert [one.number for one in places.facilities] == [100_007, 100_001, 555_555]


@pytest.mark.parametrize(
    "wrong", [{"facilities": 0}, {"cases": 0}, {"flawed": 0.9}, {"facilities": 2, "numbers": (1,)}]
)
def test_an_impossible_plan_is_refused(wrong):
    with pytest.raises(ValueError, match=r"facilit|nation|flawed"):
        Plan(**wrong)
