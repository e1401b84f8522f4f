"""Peers: whom a facility is compared with."""

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

from app.registries.schema import Definition, PeerGroup

AND = "+"
"""Stands between the parts of a combination's group: `community+metropolitan`."""


class Traits(NamedTuple):
    """What peer groups are made by."""

    category: str
    location: str
    division: str | None
    annual_exams: int | None
    account: int
    """The corporate account: its facilities see one another's results."""


def peers_of(
    definition: Definition, grouping: PeerGroup, of: Traits, volumes: Mapping[str, int]
) -> str | None:
    """Which group of a grouping a facility belongs to; none when it is in none of them.

    `volumes` are its cases by measure, where a grouping goes by those.
    """
    match grouping.by:
        case "all":
            return "all"
        case "volume":
            declared = of.annual_exams
            return _band(
                grouping, volumes.get(grouping.volume_of) if grouping.volume_of else declared
            )
        case "combination":
            parts = [
                peers_of(definition, one, of, volumes) for one in combined(definition, grouping)
            ]
            return None if None in parts else AND.join(map(str, parts))
        case "division" | "category" | "location":
            value = {"division": of.division, "category": of.category, "location": of.location}
            found = value[grouping.by]
            return found if found in grouping.groups else None


def _band(grouping: PeerGroup, volume: int | None) -> str | None:
    if volume is None:
        return None
    return next(
        (
            band.id
            for band in grouping.bands
            if band.at_least <= volume and (band.below is None or volume < band.below)
        ),
        None,
    )


def combined(definition: Definition, combination: PeerGroup) -> list[PeerGroup]:
    """The groupings that a combination crosses."""
    by_id = {one.id: one for one in definition.peers}
    return [by_id[one] for one in combination.of]


def groups(definition: Definition, grouping: PeerGroup) -> Mapping[str, str]:
    """The groups of a grouping and their titles."""
    match grouping.by:
        case "all":
            return {"all": grouping.title}
        case "volume":
            return {band.id: band.title for band in grouping.bands}
        case "combination":
            parts = [groups(definition, one).items() for one in combined(definition, grouping)]
            return {
                AND.join(name for name, _ in chosen): " · ".join(title for _, title in chosen)
                for chosen in product(*parts)
            }
        case _:
            return grouping.groups


def measured_by(definition: Definition) -> dict[str, str]:
    """Groupings that go by a count of cases, themselves or in combination, and the measure counted.

    Whom such a grouping puts together is known for the day of a snapshot alone.
    """
    found = {one.id: one.volume_of for one in definition.peers if one.volume_of is not None}
    for combination in definition.peers:
        for part in combination.of:
            if part in found:
                found[combination.id] = found[part]
    return found


def grouping(definition: Definition, peer_group: str) -> PeerGroup | None:
    """A definition's grouping by its id."""
    return next((one for one in definition.peers if one.id == peer_group), None)
