"""What a facility is to look after: cases that wait for something, since when, and what ends it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.registries.parts import Expression, Identifier, Part, Slug, Source

LONGEST_MONTHS, LONGEST_DAYS, LAST_YEAR = 1_200, 36_600, 8_999
"""What lies further from a case is no day: nobody waits a hundred years, and engines end with a calendar."""


class Day(Part):
    """A day reckoned from a case: so many months, and then days, after a date of it.

    Of a month that is too short it is the last day. NULL in any part is no day, nor is what lies more
    than a hundred years away, or reckons from after the year 8999.
    """

    day: Expression
    months: Expression = "0"
    days: Expression = "0"


class Worklist(Part):
    """Open loops: the cases of `form` that `cases` holds of, until `closed_when` does.

    NULL counts as FALSE. All is worked out from the facility's own entries alone: a window over a
    subject sees the person's cases there and nowhere else.
    """

    id: Slug
    title: str
    description: str
    module: Slug | None = None
    form: Identifier
    cases: Expression = "TRUE"
    closed_when: Expression
    due: Day
    """From this day on it can be done; where it is no day, from the day of the case on."""
    overdue: Day | None = None
    """From this day on it is late; where it is no day, never."""
    columns: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    """What is shown of a case: elements and derived columns."""
    source: Source = "confirmed"
    reference: str | None = None

    @property
    def texts(self) -> dict[str, str]:
        """Every expression, by its place in the document joined with a dot."""
        found = {"cases": self.cases, "closed_when": self.closed_when}
        for name, one in ("due", self.due), ("overdue", self.overdue):
            if one is not None:
                found |= {
                    f"{name}.day": one.day,
                    f"{name}.months": one.months,
                    f"{name}.days": one.days,
                }
        return found
