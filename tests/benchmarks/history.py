"""
Histories of the toy registry: written into the tables as `accept` would, and counted by hand.

`History` keeps what is in force in plain dictionaries beside what it writes; `counted` works out from
those what the cells must hold, and shares no code with the product.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.benchmarks.toy import REGISTRY

_OPEN = text(
    "INSERT INTO versions (subject_id, registry_id, case_id, parent_id, facility_id, form, key_token,"
    " state, definition_version, case_date, elements, submission_number, row, from_seq)"
    " VALUES (:subject, :registry, :case, :parent, :facility, :form, :token, :state, '1.0.0', :day,"
    " CAST(:elements AS jsonb), :number, 1, :seq)"
)
_CLOSE = text(
    "UPDATE versions SET to_seq = :seq WHERE registry_id = :registry AND case_id = :case AND to_seq IS NULL"
)
_CASE = text(
    "INSERT INTO cases AS known (id, registry_id, facility_id, form, key_token, subject_id, parent_id,"
    " state, case_date, submission_number, row, created_at, updated_at) OVERRIDING SYSTEM VALUE"
    " VALUES (:case, :registry, :facility, :form, :token, :subject, :parent, :state, :day, :number, 1,"
    " now(), now()) ON CONFLICT (id) DO UPDATE SET subject_id = :subject, state = :state,"
    " case_date = :day"
)
_FEED = text(
    "INSERT INTO feeds AS feed (registry_id, feed_seq) VALUES (:registry, :n)"
    " ON CONFLICT (registry_id) DO UPDATE SET feed_seq = feed.feed_seq + :n RETURNING feed_seq"
)


async def settle(session: AsyncSession, facility: int, category: str = "community") -> None:
    """A facility of a number, under an account of the same number."""
    for statement in (
        "INSERT INTO corporate_accounts (id, name, street_1, city, state, postal_code, country, phone,"
        " created_at) OVERRIDING SYSTEM VALUE"
        " VALUES (:id, 'Its own', 's', 'c', 'OH', '43210', 'US', '1', now())",
        "INSERT INTO facilities (id, corporate_account_id, name, street_1, city, state, postal_code,"
        " country, phone, category, location, childrens_hospital, created_at, updated_at)"
        " OVERRIDING SYSTEM VALUE VALUES (:id, :id, 'Name', 's', 'c', 'OH', '43210', 'US', '1',"
        f" '{category}', 'rural', false, now(), now())",
    ):
        await session.execute(text(statement), {"id": facility})


@dataclass
class Known:
    """A case, follow-up or subject's record as it is in force."""

    case: int
    form: str
    facility: int
    subject: int
    elements: dict[str, Any]
    parent: int | None = None
    state: str = "submitted"
    number: int = 0

    @property
    def day(self) -> date | None:
        found = self.elements.get("exam_date") or self.elements.get("seen_on")
        return date.fromisoformat(found) if found else None


@dataclass
class History:
    """What happened so far. Each change is written by `write`, in the order of the changes."""

    registry: str = REGISTRY
    known: dict[int, Known] = field(default_factory=dict)
    changed: list[int] = field(default_factory=list)
    number: int = 0

    def put(
        self,
        case: int,
        form: str,
        facility: int,
        subject: int,
        elements: dict[str, Any],
        *,
        parent: int | None = None,
        state: str = "submitted",
    ) -> None:
        """Accept, amend, withdraw (state withdrawn) or keep a draft of something."""
        self.number += 1
        if parent is not None:
            subject = self.known[parent].subject
        self.known[case] = Known(
            case, form, facility, subject, elements, parent, state, self.number
        )
        self.changed.append(case)

    def withdraw(self, case: int) -> None:
        one = self.known[case]
        self.put(
            case, one.form, one.facility, one.subject, {}, parent=one.parent, state="withdrawn"
        )

    def merge(self, gone: int, stays: int) -> None:
        """Two subjects turn out to be one person."""
        for one in self.known.values():
            if one.subject == gone:
                one.subject = stays
                self.changed.append(one.case)

    async def write(self, session: AsyncSession) -> None:
        """Write what changed since the last call, as one transaction of `accept` would."""
        last = await session.scalar(_FEED, {"registry": self.registry, "n": len(self.changed)})
        seq = last - len(self.changed)
        # A case that changed twice is written as it is now; the first time closes nothing new.
        for case in self.changed:
            seq += 1
            one = self.known[case]
            await session.execute(_CLOSE, {"registry": self.registry, "case": case, "seq": seq})
            values = {
                "subject": one.subject,
                "registry": self.registry,
                "case": case,
                "parent": one.parent,
                "facility": one.facility,
                "form": one.form,
                "token": f"{case:08d}",
                "state": one.state,
                "day": one.day,
                "number": one.number,
            }
            await session.execute(
                _OPEN, {**values, "elements": json.dumps(one.elements), "seq": seq}
            )
            await session.execute(_CASE, values)
        self.changed.clear()


Populations = tuple[int, int, int, int, int, int, int, int]
"""Initial population, denominator, exclusions, exceptions, numerator, observations, sum, of squares."""


def counted(history: History) -> dict[tuple[int, date, str, str, str], Populations]:
    """Every count of the toy registry that is not zero, worked out case by case."""
    in_force = [one for one in history.known.values() if one.state == "submitted"]
    exams = [one for one in in_force if one.form == "exam"]
    follow_ups = defaultdict(list)
    for one in in_force:
        if one.form == "follow_up":
            follow_ups[one.parent].append(one.elements)
    died = {}
    for one in sorted((o for o in in_force if o.form == "person"), key=lambda o: o.number):
        died[one.facility, one.subject] = one.elements.get("died_on")
    found: dict[tuple[int, date, str, str, str], list[int]] = defaultdict(lambda: [0] * 8)
    for exam in exams:
        of_subject = sorted(
            (one for one in exams if one.subject == exam.subject),
            key=lambda one: (one.elements["exam_date"], f"{one.case:08d}"),
        )
        place = of_subject.index(exam)
        prior = of_subject[place - 1].elements.get("result") if place else None
        later = of_subject[place + 1 :]
        rows = _measured(exam, follow_ups[exam.case], prior, later[0].day if later else None, died)
        for (measure, stratifier, stratum), populations in rows:
            day = exam.day
            assert day is not None
            cell = found[exam.facility, day.replace(day=1), measure, stratifier, stratum]
            for index, value in enumerate(populations):
                cell[index] += value
    return {key: tuple(cell) for key, cell in found.items() if any(cell)}  # type: ignore[misc]


def _measured(
    exam: Known,
    follow_ups: Sequence[dict[str, Any]],
    prior: str | None,
    next_day: date | None,
    died: dict[tuple[int, int], str | None],
) -> list[tuple[tuple[str, str, str], list[int]]]:
    sent, day = exam.elements, exam.day
    assert day is not None
    result, packs, signs = sent.get("result"), sent.get("packs"), sent.get("signs") or []
    dose = sent.get("dose")
    many = "many" if packs not in (None, 999) and packs >= 20 else "few"
    cancer = any(
        one.get("cancer") and 0 <= (date.fromisoformat(one["seen_on"]) - day).days <= 365
        for one in follow_ups
    )
    rows = []

    counts = [1, 0, 0, 0, 0, 0, 0, 0]
    if result in ("3", "4"):
        if "X" in signs:
            counts[2] = 1
        elif packs == 999 and not cancer:
            counts[3] = 1
        else:
            counts[1], counts[4] = 1, int(cancer)
    rows += [(("found", "", ""), counts), (("found", "by_packs", many), counts)]
    brings = "unknown" if packs in (None, 999) else many
    levels = f"{brings}/{'4' if result == '4' else 'unknown'}"
    rows.append((("found", "case_mix", levels), [0, counts[1], 0, 0, counts[4], 0, 0, 0]))

    if dose is not None:
        counts = [1, 1, 0, 0, 0, 0, 0, 0]
        if dose != "999.00":
            tenths = int((Decimal(dose) * 10).to_integral_value(ROUND_HALF_UP))
            counts[5:] = [1, tenths, tenths * tenths]
        rows += [(("dose", "", ""), counts), (("dose", "by_packs", many), counts)]
        if result is not None:
            rows.append((("dose", "by_result", result), counts))

    excluded = died.get((exam.facility, exam.subject)) is not None
    back = next_day is not None and (next_day - day).days <= 400
    rows.append(
        (
            ("returned", "", ""),
            [1, int(not excluded), int(excluded), 0, int(back and not excluded), 0, 0, 0],
        )
    )

    known = prior is not None
    differs = known and result is not None and prior != result
    rows.append((("changed", "", ""), [1, int(known), 0, 0, int(differs), 0, 0, 0]))

    seen = len(follow_ups)
    met = int(seen > 0)
    rows.append((("seen_per_exam", "", ""), [1, 1, 0, 0, met, met, seen * met, seen * seen * met]))
    rows.append((("all_exams", "", ""), [1, 0, 0, 0, 0, 0, 0, 0]))
    return rows
