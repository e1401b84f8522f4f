"""Whom the entries are about: identities that follow from a serial, as a form asks for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from app.registries.schema import Element, Form
from app.simulation.drawn.values import fitted
from app.simulation.people import BIRTHDAYS, code, security_number
from app.simulation.plan import dice

_NUMBERED = 0.85
"""The share of people whose national identifier is known."""


@dataclass(slots=True)
class Subject:
    """Somebody who is registered, at one facility or at two."""

    serial: int
    seed: int
    born: date
    numbered: bool
    home: int
    elsewhere: int | None
    kept: dict[str, Any] = field(default_factory=dict)
    """What was told of the person itself, which stays from case to case."""
    known: bool = False
    """Whether anything was told: from then on the birth date is what it is."""

    def identity(self, form: Form, facility: int, number: int) -> dict[str, Any]:
        """The elements of a form that say who this is, as a facility knows it; None is not told."""
        told: dict[str, Any] = {}
        for element in form.all_elements:
            match element.identity:
                case "facility":
                    told |= _as(element, str(number), self._dice("facility", element.id))
                case "national_id" if not (self.numbered or element.required):
                    told[element.id] = None
                case "national_id":
                    wanted = security_number(self.serial, self.seed).replace("-", "")
                    told |= _as(element, wanted, self._dice("national", element.id))
                case "local_id":
                    wanted = "MQ" + code(2 + facility, self.serial, self.seed)
                    told |= _as(element, wanted, self._dice("local", facility, element.id))
                case "birth_date":
                    told[element.id] = self.born.isoformat()
        return told

    def learn(self, form: Form, told: Mapping[str, Any]) -> None:
        """What an entry tells of the person itself stays as it was first told."""
        for one in form.all_elements:
            if one.identity == "birth_date" and one.id in told:
                self.born = date.fromisoformat(told[one.id])
        for part in (form, *form.included):
            if part.level == "subject":
                for one in part.elements:
                    if one.id in told and one.identity is None:
                        self.kept.setdefault(one.id, told[one.id])
        self.known = True

    def _dice(self, *of: object) -> Random:
        return dice("subject", self.seed, self.serial, *of)


def meet(
    rng: Random, serial: int, seed: int, day: date, home: int, elsewhere: int | None
) -> Subject:
    """Somebody who comes on a day: an adult, of any age up to 89."""
    age = min(max(rng.gauss(60.0, 14.0), 19.0), 89.0)
    month, birthday = BIRTHDAYS[int(rng.random() * len(BIRTHDAYS))]
    born = date((day - timedelta(days=int(age * 365.25))).year - 1, month, birthday)
    return Subject(serial, seed, born, rng.random() < _NUMBERED, home, elsewhere)


def _as(element: Element, wanted: str, rng: Random) -> dict[str, Any]:
    if element.type == "integer":
        return {element.id: int(wanted) if wanted.isdecimal() else rng.randrange(10**8, 10**9)}
    return {element.id: fitted(element, rng, wanted)} if element.type == "text" else {}
