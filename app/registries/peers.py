"""Whom a facility is compared with: `peers.yaml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.registries.parts import Identifier, Part, Slug, Source

Grouping = Literal["all", "division", "category", "location", "volume", "combination"]


class Band(Part):
    """One peer group of a grouping by volume: from so many cases a year, to below so many."""

    id: Slug
    title: str
    at_least: int = 0
    below: int | None = None


class PeerGroup(Part):
    """A way to choose whom a facility is compared with."""

    id: Slug
    title: str
    by: Grouping
    groups: dict[str, str] = Field(default={})
    """For division, category and location: the facility's value -> what it is called."""
    bands: tuple[Band, ...] = ()
    """For volume."""
    volume_of: Identifier | None = None
    """For volume: the measure whose cases of the twelve complete months before a snapshot are counted;
    when left out, the number of exams a year that a facility declares."""
    of: tuple[Slug, ...] = ()
    """For a combination: the groupings that are crossed, such as category and location."""
    source: Source = "confirmed"
    reference: str | None = None
