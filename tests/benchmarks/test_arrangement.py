"""All groups at once, against each group by itself."""

from fractions import Fraction
from io import BytesIO

import asyncpg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.benchmarks import records, suppress
from app.benchmarks.arrangement import Arrangement
from app.benchmarks.ordered import Ordered
from app.benchmarks.records import INTEGER, PAIR, Array, Reader, Several, Text, in_pairs
from app.benchmarks.spread import rounded, unpacked
from app.benchmarks.suppress import Totals, surely_tellable, withheld_each
from app.database import EVERYTHING, Database, driver_connection
from tests.benchmarks.one_group import in_order, quantiles, rank_bounds

SHARES = (Fraction(1, 4), Fraction(1, 2), Fraction(9, 10))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 140),
    most=st.lists(st.sampled_from([3, 400, 10**9]), min_size=1, max_size=3),
    digits=st.integers(0, 4),
)
def test_all_groups_and_measures_at_once_are_each_group_by_itself(
    seed: int, size: int, most: list[int], digits: int
) -> None:
    chance = np.random.default_rng(seed)
    owners = np.sort(chance.integers(0, 1 + size // 2, size))
    owners = np.unique(owners, return_inverse=True)[1]
    kinds = [chance.integers(0, many, size) for many in (1, 3, 6)]
    members = {
        (str(which), str(group)): codes == group
        for which, (codes, many) in enumerate(zip(kinds, (1, 2, 7), strict=True))
        for group in range(many)  # some facilities are in no group, and some groups have none
    }
    arrangement = Arrangement(members, owners)
    shown = chance.random((len(most), size)) < 0.8
    denominators = np.stack([chance.integers(1, one + 1, size) for one in most])
    numerators = chance.integers(0, denominators + 1)

    totals = arrangement.totals(shown, denominators, numerators)
    ordered = Ordered(
        arrangement,
        shown,
        numerators,
        denominators,
        np.array([digits, 1, 3])[: len(most)],
        totals.facilities,
    )
    for measure, of_measure in enumerate(zip(*totals, strict=True)):
        ratios = numerators[measure], denominators[measure]
        of_one = Totals(*of_measure)
        check_totals(arrangement, shown[measure], *ratios, of_one)
        wanted = np.flatnonzero(of_one.facilities)
        if not len(wanted):
            continue
        rows = np.full_like(wanted, measure)
        found = ordered.quantiles(rows, wanted, SHARES).tolist()
        bounds = ordered.rank_bounds(rows, wanted)
        for place, group in enumerate(wanted):
            own = np.flatnonzero(
                np.stack(list(arrangement.members.values()))[group] & shown[measure]
            )
            own = own[in_order(*(one[own] for one in ratios))]
            of_group = [one[own] for one in ratios]
            units = int(ordered.digits[measure])
            assert found[place] == quantiles(*of_group, SHARES, units)
            assert unpacked(bounds[place]) == rank_bounds(rounded(*of_group, units)).tolist()


def check_totals(
    arrangement: Arrangement,
    shown: np.ndarray,
    numerators: np.ndarray,
    denominators: np.ndarray,
    totals: Totals,
) -> None:
    """One measure's, against sums account by account."""
    begins = np.flatnonzero(np.diff(arrangement.owners, prepend=-1))
    chosen = np.stack(list(arrangement.members.values())) & shown
    tallies = [
        np.add.reduceat(np.where(chosen, one, 0), begins, axis=1)
        for one in (np.ones_like(numerators), denominators, numerators)
    ]
    assert suppress.withheld_of(totals) == withheld_each(*tallies)
    for sums, of_most, tally in (
        (totals.facilities, totals.most_facilities, tallies[0]),
        (totals.volumes, totals.most_volumes, tallies[1]),
        (totals.met, totals.most_met, tallies[2]),
        (totals.volumes - totals.met, totals.most_unmet, tallies[1] - tallies[2]),
    ):
        assert sums.tolist() == tally.sum(axis=1).tolist()
        assert of_most.tolist() == tally.max(axis=1).tolist()

    within = arrangement.within(shown)
    for row, one in enumerate(chosen):
        for column, other in enumerate(chosen):
            assert within[row, column] == (not (one & ~other).any())
            if within[row, column]:
                rest = [(each[[column]] - each[[row]]) for each in tallies]
                if surely_tellable(totals, np.array([row]), np.array([column]))[0]:
                    assert withheld_each(*rest) == [None]


def test_the_rest_of_a_group_is_settled_by_totals_only_where_no_account_can_matter() -> None:
    def totals(most: int) -> Totals:
        cases, of_most = np.array([900, 400]), np.array([most, 50])
        none = np.array([0, 0])  # of a mean all cases are in the numerator
        return Totals(np.array([30, 20]), np.array([2, 2]), cases, of_most, cases, of_most, none)

    inner, outer = np.array([1]), np.array([0])
    assert surely_tellable(totals(250), inner, outer).tolist() == [True]
    assert surely_tellable(totals(251), inner, outer).tolist() == [False]


COLUMNS: records.Columns = {
    "facility_id": INTEGER,
    "form": Text("exam"),
    "counts": Array(3),
    "pairs": Several(2, PAIR),
}


def rows(count: int) -> records.Records:
    made = records.blank(COLUMNS, count)
    made["facility_id"] = np.arange(count) - 1
    made["counts"]["value"] = np.arange(3 * count).reshape(count, 3) * (1 << 40)
    made["pairs"]["value"] = np.arange(4 * count).reshape(count, 2, 2) * (1 << 20)
    return made


@settings(max_examples=25)
@given(st.integers(0, 40), st.integers(20, 400))
def test_rows_are_read_as_they_were_written_in_pieces_of_any_size(count: int, size: int) -> None:
    source = BytesIO(b"".join(records.written([rows(count)])))
    reader, found = Reader(COLUMNS), list[records.Records]()
    while piece := source.read(size):
        found += reader.take(piece)
    found += reader.end()
    assert b"".join(one.tobytes() for one in found) == rows(count).tobytes()


def test_rows_of_another_form_are_refused() -> None:
    whole, missing = rows(7), rows(7)
    missing["pairs"]["length"][3, 1] = -1
    wider: records.Columns = {**COLUMNS, "counts": Array(4)}
    for columns, source in (
        (wider, b"".join(records.written([whole]))),
        (COLUMNS, b"".join(records.written([whole]))[:-2]),
        (COLUMNS, b"".join(records.written([missing]))),
        (COLUMNS, b"something else than PostgreSQL's"),
    ):
        reader = Reader(columns)
        with pytest.raises(ValueError, match=r"another form|not what COPY writes"):
            _ = [*reader.take(source), *reader.end()]


async def test_counts_in_pairs_come_as_they_are_and_one_too_large_fails(worker: Database) -> None:
    asked = in_pairs(["c[1]", "c[2]", "c[3]"])
    assert len(asked) == 2
    query = f"SELECT 1, {', '.join(asked)} FROM (SELECT $1::bigint[] AS c) AS one"
    columns: records.Columns = {"facility_id": INTEGER, "counts": Several(2, PAIR)}
    most = 2**31 - 1
    async with worker.transaction(EVERYTHING) as session:
        driver = await driver_connection(session)
        for counts in ([0, 1, 2], [most, most, most], [most, 0, 7]):
            source = BytesIO()
            await driver.copy_from_query(query, counts, output=source, format="binary")
            reader = Reader(columns)
            (found,) = [*reader.take(source.getvalue()), *reader.end()]
            assert found["counts"]["value"].ravel().tolist() == [*counts, 0]
    for place in range(3):
        large = [most + 1 if one == place else 0 for one in range(3)]
        async with worker.transaction(EVERYTHING) as session:
            driver = await driver_connection(session)
            with pytest.raises(asyncpg.NumericValueOutOfRangeError):
                await driver.copy_from_query(query, large, output=BytesIO(), format="binary")
