"""Corporate accounts, facilities and physicians: of every category, location, division and size."""

from bisect import bisect_right
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate
from random import Random
from typing import Any

from app.simulation.plan import Plan, dice

CATEGORIES = ("academic", "community", "freestanding", "multi-specialty", "other")
LOCATIONS = ("metropolitan", "suburban", "rural")
STATES = {
    "new-england": (
        ("CT", "Hartford", "06103"),
        ("MA", "Worcester", "01608"),
        ("ME", "Bangor", "04401"),
    ),
    "middle-atlantic": (
        ("NY", "Albany", "12207"),
        ("NJ", "Trenton", "08608"),
        ("PA", "Erie", "16501"),
    ),
    "east-north-central": (
        ("OH", "Dayton", "45402"),
        ("MI", "Lansing", "48933"),
        ("IL", "Peoria", "61602"),
    ),
    "west-north-central": (
        ("MN", "Duluth", "55802"),
        ("IA", "Ames", "50010"),
        ("KS", "Wichita", "67202"),
    ),
    "south-atlantic": (
        ("GA", "Macon", "31201"),
        ("FL", "Ocala", "34470"),
        ("VA", "Roanoke", "24011"),
    ),
    "east-south-central": (
        ("TN", "Jackson", "38301"),
        ("AL", "Mobile", "36602"),
        ("KY", "Paducah", "42001"),
    ),
    "west-south-central": (
        ("TX", "Waco", "76701"),
        ("OK", "Tulsa", "74103"),
        ("AR", "Conway", "72032"),
    ),
    "mountain": (("CO", "Pueblo", "81003"), ("UT", "Provo", "84601"), ("ID", "Boise", "83702")),
    "pacific": (("CA", "Fresno", "93721"), ("OR", "Salem", "97301"), ("WA", "Spokane", "99201")),
}
DOORS = ("ndjson", "csv", "json", "pipe", "xlsx", "single")
"""How a facility sends: its files are all of one kind."""

_SCANNERS = (
    ("Siemens Healthineers", "SOMATOM Force"),
    ("GE HealthCare", "Revolution Apex"),
    ("Canon Medical", "Aquilion ONE"),
    ("Philips", "Incisive CT"),
)


@dataclass(frozen=True, slots=True)
class Facility:
    """A place that screens, and how well it does: what its rates will show."""

    place: int
    number: int
    corporate_account: int
    name: str
    street_1: str
    city: str
    state: str
    postal_code: str
    phone: str
    category: str
    location: str
    division: str
    npi: str
    share: float
    annual_exams: int
    door: str
    scanner: tuple[str, str]
    dose: float
    counsels: float
    shares_decision: float
    returns: float
    reports_follow_up: float
    quits: float
    radiologists: tuple[str, ...]
    referrers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CorporateAccount:
    """An organisation and the places of its facilities in the nation."""

    place: int
    name: str
    street_1: str
    city: str
    state: str
    postal_code: str
    phone: str
    facilities: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Physician:
    """A radiologist of an organisation."""

    npi: str
    tin: str
    first_name: str
    last_name: str
    corporate_account: int
    facilities: tuple[int, ...]


@dataclass(frozen=True)
class Places:
    """Where the nation's people are screened."""

    corporate_accounts: tuple[CorporateAccount, ...]
    facilities: tuple[Facility, ...]
    physicians: tuple[Physician, ...]

    @cached_property
    def _bounds(self) -> list[float]:
        return list(accumulate(facility.share for facility in self.facilities))

    def at(self, share: float) -> int:
        """The facility where somebody goes whose dice fell on this share, between 0 and 1."""
        return min(bisect_right(self._bounds, share), len(self.facilities) - 1)

    def as_document(self) -> dict[str, Any]:
        """The places as plain data, for `nation.json`."""
        return {
            "corporate_accounts": [asdict(account) for account in self.corporate_accounts],
            "facilities": [asdict(facility) for facility in self.facilities],
            "physicians": [asdict(physician) for physician in self.physicians],
        }


def npi(nine: int) -> str:
    """The National Provider Identifier of nine digits: a Luhn check digit over 80840 and them."""
    digits = f"{nine:09d}"
    total = 24  # what the prefix 80840 adds to the Luhn sum
    for position, digit in enumerate(reversed(digits)):
        value = int(digit)
        if position % 2 == 0:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return digits + str(-total % 10)


def settle(plan: Plan) -> Places:
    """The places of a nation: the same for the same seed and number of facilities."""
    rng = dice("places", plan.seed, plan.facilities)
    doors = plan.doors or DOORS
    groups = _groups(rng, plan.facilities)
    weights = [rng.lognormvariate(0.0, 1.1) for _ in range(plan.facilities)]
    whole = sum(weights)
    serial = iter(rng.sample(range(100_000_000, 300_000_000), 40 * plan.facilities + 64))
    divisions = tuple(STATES)
    accounts: list[CorporateAccount] = []
    facilities: list[Facility] = []
    physicians: list[Physician] = []
    for account, members in enumerate(groups):
        division = divisions[(account * 4 + rng.randrange(2)) % len(divisions)]
        readers = tuple(npi(next(serial)) for _ in range(2 * len(members) + 2))
        for member in members:
            spread = division if rng.random() < 0.8 else rng.choice(divisions)
            state, city, postal_code = rng.choice(STATES[spread])
            facilities.append(
                Facility(
                    place=member,
                    number=plan.number(member),
                    corporate_account=account,
                    name=f"{city} {('Imaging', 'Hospital', 'Clinic', 'Medical Center')[member % 4]} {member + 1}",
                    street_1=f"{rng.randrange(1, 999)} Main Street",
                    city=city,
                    state=state,
                    postal_code=postal_code,
                    phone=f"555-01{member % 100:02d}",
                    category=CATEGORIES[member % len(CATEGORIES)],
                    location=LOCATIONS[(member // 2) % len(LOCATIONS)],
                    division=spread,
                    npi=npi(next(serial)),
                    share=weights[member] / whole,
                    annual_exams=1_000 + int(200_000 * weights[member] / whole),
                    door=doors[member % len(doors)],
                    scanner=rng.choice(_SCANNERS),
                    dose=rng.uniform(0.8, 2.2),
                    counsels=rng.betavariate(8, 2),
                    shares_decision=rng.betavariate(9, 1.5),
                    returns=rng.betavariate(5, 6),
                    reports_follow_up=rng.betavariate(14, 2.5),
                    quits=rng.betavariate(2, 12),
                    radiologists=readers[: 2 + len(members)],
                    referrers=tuple(npi(next(serial)) for _ in range(6)),
                )
            )
        head = facilities[-len(members)]
        accounts.append(
            CorporateAccount(
                place=account,
                name=f"{head.city} Health Partners {account + 1}",
                street_1=head.street_1,
                city=head.city,
                state=head.state,
                postal_code=head.postal_code,
                phone=head.phone,
                facilities=tuple(members),
            )
        )
        physicians += [
            Physician(
                npi=reader,
                tin=f"{rng.randrange(10, 99)}{rng.randrange(1_000_000, 9_999_999)}",
                first_name="Reader",
                last_name=f"Number {'abcdefghijklmnopqrstuvwxyz'[place % 26].upper()}",
                corporate_account=account,
                facilities=tuple(members),
            )
            for place, reader in enumerate(readers)
        ]
    return Places(tuple(accounts), tuple(facilities), tuple(physicians))


def _groups(rng: Random, facilities: int) -> list[list[int]]:
    """Neighbouring facilities under one organisation: most have one or two, a few many."""
    groups: list[list[int]] = []
    place = 0
    while place < facilities:
        size = min(facilities - place, rng.choice((1, 1, 1, 2, 2, 3, 5, 8)))
        groups.append(list(range(place, place + size)))
        place += size
    return groups
