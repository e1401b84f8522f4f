"""Checks across the elements of an entry: `rules.yaml`."""

from __future__ import annotations

from datetime import date

from app.registries.element import RuleSeverity
from app.registries.parts import Expression, GroupPath, Identifier, Part, Slug, Source


class Rule(Part):
    """A check across elements of one form: violated when `requires` is FALSE; NULL passes.

    With a `group` it is held against each row, which sees its own elements and those around it.
    With `since` or `until` it is held against entries of those days alone, both included: guidelines
    change, and an exam is judged by the one of its day.
    """

    id: Slug
    form: Identifier
    group: GroupPath | None = None
    module: Slug | None = None
    requires: Expression
    since: date | None = None
    until: date | None = None
    by: Identifier | None = None
    """The date that `since` and `until` are of; the form's period when left out."""
    severity: RuleSeverity = "reject"
    place: Identifier
    """The element a sender should look at."""
    remedy: str
    source: Source = "confirmed"
    reference: str | None = None

    @property
    def expression(self) -> str:
        """`requires`, on the days on which it is in force; like NULL where the day is not known."""
        outside = [
            f"{self.by} {sign} DATE '{day.isoformat()}'"
            for sign, day in (("<", self.since), (">", self.until))
            if day is not None
        ]
        return " OR ".join([*outside, f"({self.requires})"]) if outside else self.requires
