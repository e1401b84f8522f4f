"""Complaints: what CMS would refuse about a submission, each with its place and what is allowed there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Unprocessable

_WORKED_OUT = {"reportingRate", "caseCount"}
"""What CMS works out of what it is sent."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that CMS would refuse."""

    pointer: str
    """A JSON Pointer into the submission."""
    measure: str | None
    """CMS's id of the measure, where it is one of the year's."""
    code: str
    says: str
    allowed: str | None = None

    def __str__(self) -> str:
        """One line: the measure first, for whoever reads a list of them."""
        line = f"{self.measure}: {self.says}" if self.measure else self.says
        line += f" (at {self.pointer or 'the whole'})"
        return f"{line}; allowed: {self.allowed}" if self.allowed else line


class RefusedByQpp(Unprocessable):
    """A submission that CMS would refuse; each complaint is one line that names its measure."""

    code = "qpp-refused"
    title = "CMS would refuse these results"

    def __init__(self, complaints: Sequence[Complaint | str]) -> None:
        self.complaints = tuple(str(one) for one in complaints)
        super().__init__("\n".join(self.complaints))


def unknown_members(
    at: str, measure: str | None, sent: Mapping[str, Any], known: set[str]
) -> Iterator[Complaint]:
    """Of the members of an object those that CMS does not know here."""
    for field in sorted(str(one) for one in sent if one not in known):
        if field in _WORKED_OUT | {"performanceRate"}:
            says = "CMS works this out itself."
            yield Complaint(f"{at}/{field}", measure, "worked-out", says, "leave it out")
        else:
            # A name that is not CMS's may be anything: it is not repeated.
            says, allowed = "CMS knows no such member here.", ", ".join(sorted(known))
            yield Complaint(f"{at}/*", measure, "unknown-member", says, allowed)
