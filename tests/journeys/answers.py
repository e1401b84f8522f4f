"""Ask a service for every result that it has, and say where the oracle's answer is another one."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.registries.measure import Measure
from app.registries.schema import Definition
from app.simulation.sending import Nation, Office
from tests.oracles.answers import Group, Period, Truth, groups_of, members_of

COMPARED = (
    "initial_population",
    "denominator",
    "exclusions",
    "exceptions",
    "numerator",
    "observations",
    "rate",
    "median",
    "caution",
    "per",
)


def asked_of(months: Sequence[str]) -> list[Period]:
    """Each year there is, and a month, a quarter, a short range, a rolling year and all of it."""
    first, last = months[0], months[-1]
    year = int(last[:4])
    years = [Period.of(str(one), f"{one}-01", 12) for one in range(int(first[:4]), year + 1)]
    return [
        *years,
        Period.of(f"{year - 1}-02", f"{year - 1}-02", 1),
        Period.of(f"{year - 1}Q2", f"{year - 1}-04", 3),
        Period.of(f"{year - 4}-11..{year - 3}-03", f"{year - 4}-11", 5),
        Period.of(f"{year - 2}-10..{year - 1}-09", f"{year - 2}-10", 12),
        Period.of(f"{year - 5}-01..{year}-12", f"{year - 5}-01", 72),
    ]


class Judge:
    """Compares what was answered with what must be, and counts what it saw."""

    def __init__(self, truth: Truth, definition: Definition, nation: Nation) -> None:
        self.truth, self.definition = truth, definition
        self.numbers = [one["number"] for one in nation.facilities]
        self.peers = members_of(definition, nation.facilities)
        self.periods = asked_of(sorted({month for its in truth.cells.values() for month in its}))
        self.groups: dict[tuple[str, Period], dict[tuple[str, str], Group]] = {}
        self.seen: Counter[str] = Counter()
        self.differ: list[str] = []

    async def metrics(self, office: Office) -> None:
        """Every measure of every facility in every period, whole and by every stratifier."""
        stratifiers = {
            one.id for measure in self.definition.measures for one in measure.stratifiers
        }
        for facility in self.numbers:
            for stratifier in ("", *sorted(stratifiers)):
                answer = await office.get(
                    f"/v1/registries/{office.registry}/metrics",
                    office.keys.facilities[facility],
                    facility=facility,
                    period=[one.label for one in self.periods],
                    **({"stratum": stratifier} if stratifier else {}),
                )
                assert answer.status_code == 200, answer.text
                got = {
                    (one["measure"], one["period"], one["stratum"] or ""): one
                    for one in answer.json()["metrics"]
                }
                wanted = dict(self._wanted(stratifier))
                if got.keys() != wanted.keys():
                    odd = sorted(got.keys() ^ wanted.keys())
                    self.differ.append(f"{facility} by {stratifier}: only one side has {odd[:5]}")
                for key in got.keys() & wanted.keys():
                    self._metric(facility, *wanted[key], stratifier, key[2], got[key])

    def _wanted(self, stratifier: str) -> Iterator[tuple[tuple[str, str, str], Any]]:
        for measure in self.definition.measures:
            strata = [""]
            if stratifier:
                its = [one for one in measure.stratifiers if one.id == stratifier]
                strata = [stratum for one in its for stratum in one.strata]
            for over in self.periods:
                for stratum in strata:
                    yield (measure.id, over.label, stratum), (measure, over)

    def _metric(
        self,
        facility: int,
        measure: Measure,
        over: Period,
        stratifier: str,
        stratum: str,
        got: Mapping[str, Any],
    ) -> None:
        wanted = self.truth.answer(facility, measure.id, over, stratifier, stratum)
        where = f"{measure.id} of {facility} in {over.label} {stratifier}:{stratum}"
        self.seen["metrics"] += 1
        self.seen[f"{measure.id} has a rate"] += wanted["rate"] is not None
        self.seen[f"withheld: {wanted['withheld']}"] += 1
        for name in COMPARED:
            self._same(f"{where}, {name}", got[name], wanted[name])
        self._same(f"{where}, withheld", (got["withheld"] or {}).get("reason"), wanted["withheld"])
        limits, told = wanted["interval"], got["interval"]
        if limits is None or told is None:
            self._same(f"{where}, interval", told, limits)
        else:
            self.seen["intervals"] += 1
            # Rounded to these decimals: never farther than half of the last one.
            allowed = 0.5 * 10 ** -wanted["digits"] + 1e-9
            for name, limit in zip(("low", "high"), limits, strict=True):
                if abs(told[name] - limit) > allowed:
                    self.differ.append(f"{where}, {name}: {told[name]} instead of {limit}")
        if stratifier or measure.scoring == "cohort":
            self._same(f"{where}, peers", got["peers"], [])
        else:
            self._peers(where, facility, measure, over, got["peers"])

    def _peers(
        self,
        where: str,
        facility: int,
        measure: Measure,
        over: Period,
        got: Sequence[Mapping[str, Any]],
    ) -> None:
        own = {
            (grouping, name)
            for grouping, its in self.peers.groupings.items()
            for name, members in its.items()
            if facility in members
        }
        self._same(f"{where}, groups", {(one["group"], one["peers"]) for one in got}, own)
        for one in got:
            group = self._groups(measure, over).get((one["group"], one["peers"]))
            said = f"{where}, {one['group']} {one['peers']}"
            self._told(said, one, group)
            rank = group.standing(facility, measure.improvement) if group else None
            self.seen["ranks"] += rank is not None
            self._same(f"{said}, rank", one["rank_quartile"], rank)
            percentile = group.percentile(facility) if group else None
            self._same(f"{said}, percentile", one["percentile"], percentile)

    async def benchmarks(self, office: Office) -> None:
        """Every spread of the latest snapshot that these periods have."""
        answer = await office.get(
            f"/v1/registries/{office.registry}/benchmarks",
            office.keys.operator,
            period=[one.label for one in self.periods],
        )
        assert answer.status_code == 200, answer.text
        got = {
            (one["measure"], one["period"], one["group"], one["peers"]): one
            for one in answer.json()["benchmarks"]
        }
        wanted = {
            (measure.id, over.label, *name): group
            for measure in self.definition.measures
            for over in self.periods
            for name, group in self._groups(measure, over).items()
        }
        if got.keys() != wanted.keys():
            odd = sorted(got.keys() ^ wanted.keys())
            self.differ.append(f"benchmarks: only one side has {odd[:5]}")
        for key in got.keys() & wanted.keys():
            self.seen["benchmarks"] += 1
            self._told(f"benchmark {key}", got[key], wanted[key])

    def _groups(self, measure: Measure, over: Period) -> dict[tuple[str, str], Group]:
        """What a snapshot must say of a measure and period; nothing where it does not speak of it."""
        if not self._covered(measure, over):
            return {}
        key = (measure.id, over)
        if key not in self.groups:
            self.groups[key] = groups_of(self.truth, measure.id, over, self.peers)
        return self.groups[key]

    def _covered(self, measure: Measure, over: Period) -> bool:
        """Whole years (the last five), and of the others those that `asked_of` makes recent."""
        of_this_kind = len(over.months) in {1, 3} or over.label in {
            str(int(self.periods[-1].months[-1][:4]) - back) for back in range(5)
        }
        rolling = len(over.months) == 12 and ".." in over.label
        return (
            (of_this_kind or rolling)
            and measure.scoring != "cohort"
            and over.matured(measure.matures_after, self.truth.today)
            and any(
                total.denominator if measure.scoring == "proportion" else total.observations
                for total in (
                    self.truth.total(facility, measure.id, over) for facility in self.numbers
                )
            )
        )

    def _told(self, where: str, got: Mapping[str, Any], group: Group | None) -> None:
        reason = "no-snapshot" if group is None else group.withheld
        told = group.told if group else None
        self.seen[f"peers: {reason}"] += 1
        self._same(f"{where}, withheld", (got["withheld"] or {}).get("reason"), reason)
        self._same(f"{where}, quartiles", got["quartiles"], told)
        facilities = len(group.rates) if group and told else None
        self._same(f"{where}, facilities", got["facilities"], facilities)

    def _same(self, what: str, got: Any, wanted: Any) -> None:
        if got != wanted:
            self.differ.append(f"{what}: {got} instead of {wanted}")
