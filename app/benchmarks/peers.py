"""Peers: whom a facility is compared with."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Facility
from app.registries.schema import Definition, PeerGroup


class Traits(NamedTuple):
    """What peer groups are made by."""

    category: str
    location: str
    division: str | None
    annual_exams: int | None


async def traits(
    session: AsyncSession, facilities: Iterable[int] | None = None
) -> dict[int, Traits]:
    """The traits of some facilities, or of all that the session sees."""
    query = select(
        Facility.id,
        Facility.category,
        Facility.location,
        Facility.census_division,
        Facility.annual_exams,
    )
    if facilities is not None:
        query = query.where(Facility.id.in_(list(facilities)))
    return {row[0]: Traits(*row[1:]) for row in await session.execute(query)}


def peers_of(grouping: PeerGroup, of: Traits) -> str | None:
    """Which group of a grouping a facility belongs to; none when it is in none of them."""
    match grouping.by:
        case "all":
            return "all"
        case "volume":
            if of.annual_exams is None:
                return None
            return next(
                (
                    band.id
                    for band in grouping.bands
                    if band.at_least <= of.annual_exams
                    and (band.below is None or of.annual_exams < band.below)
                ),
                None,
            )
        case "division" | "category" | "location":
            value = {"division": of.division, "category": of.category, "location": of.location}
            found = value[grouping.by]
            return found if found in grouping.groups else None


def groups(grouping: PeerGroup) -> Mapping[str, str]:
    """The groups of a grouping and their titles."""
    if grouping.by == "all":
        return {"all": grouping.title}
    if grouping.by == "volume":
        return {band.id: band.title for band in grouping.bands}
    return grouping.groups


def grouping(definition: Definition, peer_group: str) -> PeerGroup | None:
    """A definition's grouping by its id."""
    return next((one for one in definition.peers if one.id == peer_group), None)
