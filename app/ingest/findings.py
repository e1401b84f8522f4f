"""Findings on their way to their table."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import copy_records, staging
from app.registries.findings import FindingCode, Severity
from app.registries.values.given import Flaw

FINDINGS_OF_AN_ENTRY = 200
"""More of one entry say nothing new."""

_MEMBERS = (
    "submission_number bigint, row int, facility_id int, form text, place text, code text,"
    " severity text, remedy text, allowed text"
)


class Found(NamedTuple):
    """One thing wrong at one place of one entry; row 0 is the submission as a whole."""

    number: int
    row: int
    facility: int | None
    form: str | None
    place: str
    code: FindingCode
    severity: Severity
    remedy: str
    allowed: str | None = None


def of_flaw(number: int, row: int, facility: int | None, form: str | None, flaw: Flaw) -> Found:
    """What a definition says about a value, at its entry."""
    return Found(
        number,
        row,
        facility,
        form,
        flaw.place,
        flaw.code,
        flaw.severity,
        flaw.remedy,
        ", ".join(flaw.allowed) or None,
    )


async def keep_findings(session: AsyncSession, found: Sequence[Found]) -> None:
    """Write findings in the order given."""
    if not found:
        return
    await staging(session, "finding", f"position int, {_MEMBERS}")
    names = ["position", *(column.split()[0] for column in _MEMBERS.split(", "))]
    await copy_records(
        session, "finding", names, [(position, *one) for position, one in enumerate(found)]
    )
    columns = ", ".join(names[1:])
    await session.execute(
        text(f"INSERT INTO findings ({columns}) SELECT {columns} FROM finding ORDER BY position")
    )
    await session.execute(text("DELETE FROM finding"))
