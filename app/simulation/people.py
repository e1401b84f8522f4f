"""
People and their identities. Every identity is a canary: unlike anything the service would write.

Names, numbers and dates follow from the person's serial by a bijection, so that no two people
share one, and a later search for any of them in what comes out cannot hit by chance.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(a + b for a in _BASE32 for b in _BASE32)
_SYLLABLES = tuple(c + v for c in "bdfgklmnprstvzjw" for v in "aeio")
_FORTY_BITS = (1 << 40) - 1
_AREAS, _GROUPS, _SERIALS = 665, 99, 9_999
_SECURITY_NUMBERS = _AREAS * _GROUPS * _SERIALS

SEX = ("F",) * 478 + ("M",) * 518 + ("O",) * 2 + ("U",) * 2
SMOKING = ("1",) * 612 + ("2",) * 365 + ("3",) * 8 + ("4",) * 7 + ("9",) * 8
RACE = (
    (("6",),) * 780
    + (("4",),) * 130
    + (("3",),) * 40
    + (("1",),) * 10
    + (("4", "6"),) * 15
    + (("10",),) * 25
)
ETHNICITY = ("0",) * 860 + ("1",) * 90 + ("8",) * 20 + ("9",) * 30
INSURANCE = (
    (("1",),) * 480
    + (("3",),) * 300
    + (("2",),) * 110
    + (("1", "3"),) * 60
    + (("4",),) * 30
    + (("6",),) * 20
)
EDUCATION = (
    ("3",) * 380
    + ("5",) * 220
    + ("6",) * 150
    + ("2",) * 100
    + ("7",) * 80
    + ("4",) * 40
    + ("99",) * 30
)
BIRTHDAYS = tuple((month, day) for month in range(1, 13) for day in range(2, 29) if day != 15)
"""Never the 1st or the 15th, which worked examples use: a birth date found outside was leaked."""


def code(kind: int, serial: int, seed: int) -> str:
    """Eight letters and digits that no other serial of this kind has."""
    mixed = (serial * 0x9E3779B97F + kind * 0x5851F42D4D + seed * 0x14057B7EF7) & _FORTY_BITS
    mixed ^= mixed >> 19
    mixed = (mixed * 0xBF58476D1D) & _FORTY_BITS
    return (
        _PAIRS[mixed & 1023]
        + _PAIRS[mixed >> 10 & 1023]
        + _PAIRS[mixed >> 20 & 1023]
        + _PAIRS[mixed >> 30]
    )


def name(prefix: str, kind: int, serial: int, seed: int) -> str:
    """A name nobody has: four syllables that no other serial of this kind has."""
    mixed = (serial * 0x5F3A2D + kind * 0x2F1B3 + seed * 0x1C8E9D) & 0xFFFFFF
    mixed ^= mixed >> 13
    return (
        prefix
        + _SYLLABLES[mixed & 63]
        + _SYLLABLES[mixed >> 6 & 63]
        + _SYLLABLES[mixed >> 12 & 63]
        + _SYLLABLES[mixed >> 18]
    )


def security_number(serial: int, seed: int) -> str:
    """A social security number of the ranges that were once issued, one for each serial."""
    mixed = (serial * 300_000_077 + seed * 7_919) % _SECURITY_NUMBERS
    mixed, last = divmod(mixed, _SERIALS)
    area, group = divmod(mixed, _GROUPS)
    return f"{area + 1:03d}-{group + 1:02d}-{last + 1:04d}"


@dataclass(slots=True)
class Person:
    """One person: who they are, where they are screened, how they smoke, when they die."""

    serial: int
    seed: int
    first_name: str
    last_name: str
    middle_name: str | None
    ssn: str | None
    birth: date
    sex: str
    race: tuple[str, ...]
    ethnicity: str
    insurance: tuple[str, ...]
    education: str
    home: int
    elsewhere: int | None
    smoking: str
    pack_years: float
    packs_a_day: float
    quit_on: date | None
    height: int
    weight: int
    risks: dict[str, str | list[str]]
    comorbidities: tuple[str, ...]
    dies_on: date | None = None
    dies_of_cancer: bool = False
    local_ids: dict[int, str] = field(default_factory=dict)

    def local_id(self, facility: int) -> str:
        """The person's medical record number at a facility."""
        known = self.local_ids.get(facility)
        if known is None:
            known = "MQ" + code(2 + facility, self.serial, self.seed)
            self.local_ids[facility] = known
        return known


def meet(
    rng: Random, serial: int, seed: int, first_day: date, home: int, elsewhere: int | None
) -> Person:
    """A person who is first screened on a day."""
    draw = rng.random
    age = min(max(rng.gauss(64.0, 6.6), 42.0), 86.0)
    month, day = BIRTHDAYS[int(draw() * len(BIRTHDAYS))]
    birth = date(first_day.year - int(age) - 1, month, day)
    sex = SEX[int(draw() * 1000)]
    smoking = SMOKING[int(draw() * 1000)]
    quit_on = None
    if smoking == "2":
        quit_on = first_day - timedelta(days=int(draw() * draw() * 9_000) + 40)
    return Person(
        serial=serial,
        seed=seed,
        first_name=name("Xv", 1, serial, seed),
        last_name=name("Zq", 2, serial, seed),
        middle_name=name("Yj", 3, serial, seed) if draw() < 0.3 else None,
        ssn=security_number(serial, seed) if draw() < 0.82 else None,
        birth=birth,
        sex=sex,
        race=RACE[int(draw() * 1000)],
        ethnicity=ETHNICITY[int(draw() * 1000)],
        insurance=INSURANCE[int(draw() * 1000)],
        education=EDUCATION[int(draw() * 1000)],
        home=home,
        elsewhere=elsewhere,
        smoking=smoking,
        pack_years=round(min(12.0 + rng.expovariate(1 / 27.0), 160.0), 1),
        packs_a_day=0.5 + draw(),
        quit_on=quit_on,
        height=int(rng.gauss(64.0 if sex == "F" else 69.0, 2.6)),
        weight=int(min(max(rng.gauss(168.0 if sex == "F" else 196.0, 36.0), 95.0), 340.0)),
        risks=_risks(draw),
        comorbidities=tuple(c for c, p in _COMORBID if draw() < p),
    )


_COMORBID = (("0", 0.22), ("1", 0.18), ("3", 0.14), ("5", 0.05), ("7", 0.04))
_OCCUPATIONS = (["10"],) * 70 + (["2"],) * 12 + (["6"],) * 8 + (["2", "6"],) * 4 + (["9"],) * 6
_CANCERS = (["99"],) * 90 + (["3"],) * 3 + (["2"],) * 2 + (["6"],) * 3 + (["88"],) * 2
_YES_NO = ("N",) * 80 + ("Y",) * 14 + ("U",) * 6


def _risks(draw: Callable[[], float]) -> dict[str, str | list[str]]:
    """Additional risk factors, of which a facility may report any or none."""
    if draw() < 0.35:
        return {}
    risks: dict[str, str | list[str]] = {
        element: _YES_NO[int(draw() * 100)]
        for element in (
            "radon_exposure",
            "lung_cancer_in_first_deg_rel",
            "lung_cancer_other_first_deg_rel",
            "copd",
            "pulmonary_fibrosis",
            "second_hand_smoke_exposure",
        )
    }
    risks["occupational_exposures"] = _OCCUPATIONS[int(draw() * 100)]
    risks["history_of_cancers"] = _CANCERS[int(draw() * 100)]
    return risks
