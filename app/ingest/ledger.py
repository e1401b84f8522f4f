"""What `accept` reads: a handful of set-based statements for a batch of any size."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import driver_connection
from app.ingest.checks import RegistryAtWork, Versions
from app.ingest.history import Case, Event, History, Key, Place, Version
from app.ingest.rooms import BATCH
from app.models.submission import Submission
from app.registries.values.given import Canonical
from app.vault.identities import Tokens


@dataclass(slots=True)
class Batch:
    """The entries whose turn it is, the waiting ones they may release, and the cases of both."""

    registry: str
    events: list[Event]
    waiting: list[Event]
    cases: dict[Key, Case]
    received: dict[int, date]
    versions: dict[int, str] = field(default_factory=dict)
    """The definition's version of each submission."""

    @property
    def unknown(self) -> int:
        """How many new cases there may be."""
        keys = {
            (event.facility, event.form.form.id, event.key)
            for event in (*self.events, *self.waiting)
        }
        return len(keys - self.cases.keys())


_EVENT = (
    "e.submission_number, e.row, e.facility_id, e.form, e.action, e.key_token, e.parent_token,"
    " e.digest, e.person_token, e.national_token, e.local_token"
)


async def load(
    session: AsyncSession,
    registry_id: str,
    definitions: Versions,
    ours: Sequence[Submission],
) -> Batch:
    """Everything about a batch that is already there."""
    versions = {one.number: one.definition_version for one in ours}
    driver = await driver_connection(session)
    rows = await driver.fetch(
        f"SELECT {_EVENT} FROM entries e"
        " JOIN unnest($1::bigint[], $2::int[]) AS s (number, done)"
        " ON e.submission_number = s.number AND e.row > s.done AND e.row <= s.done + $3"
        " WHERE e.state = 'checked' ORDER BY e.submission_number, e.row",
        [one.number for one in ours],
        [one.rows_accepted for one in ours],
        BATCH,
    )
    events = [_event(row, definitions[versions[row[0]]]) for row in rows]
    received = {one.number: one.received_at.date() for one in ours}
    waiting = await _waiting(session, registry_id, definitions, events, versions, received)
    wanted = {
        (event.facility, form, key)
        for event in (*events, *waiting)
        for form, key in (
            (event.form.form.id, event.key),
            (event.form.form.parent, event.parent),
        )
        if form is not None and key is not None
    }
    cases = await _cases(session, registry_id, wanted)
    return Batch(registry_id, events, waiting, cases, received, versions)


async def _waiting(
    session: AsyncSession,
    registry_id: str,
    definitions: Versions,
    events: Sequence[Event],
    versions: dict[int, str],
    received: dict[int, date],
) -> list[Event]:
    """Entries that wait for a case of this batch, or that this batch would withdraw."""
    parents = {
        (event.facility, event.key if event.form.form.parent is None else event.parent or "")
        for event in events
        if event.form.form.parent is None or event.action == "withdraw"
    }
    if not parents:
        return []
    rows = (
        await session.execute(
            text(
                f"SELECT {_EVENT}, s.definition_version, s.received_at FROM entries e"
                " JOIN unnest(CAST(:facilities AS int[]), CAST(:tokens AS text[])) AS p (facility, token)"
                " ON e.registry_id = :registry AND e.facility_id = p.facility"
                " AND e.parent_token = p.token AND e.state = 'waiting'"
                " JOIN submissions s ON s.number = e.submission_number"
                " ORDER BY e.submission_number, e.row FOR UPDATE OF e"
            ),
            {
                "registry": registry_id,
                "facilities": [facility for facility, _ in parents],
                "tokens": [token for _, token in parents],
            },
        )
    ).all()
    found: list[Event] = []
    for row in rows:
        event = _event(row, definitions[row.definition_version])
        event.waited, event.outcome = True, "waiting"
        versions[event.at[0]], received[event.at[0]] = (
            row.definition_version,
            row.received_at.date(),
        )
        found.append(event)
    return found


def _event(row: Any, registry: RegistryAtWork) -> Event:
    form = registry.form(row[3])
    assert form is not None
    return Event(
        (row[0], row[1]),
        row[2],
        form,
        row[4],
        row[5],
        row[6],
        row[7],
        Tokens(row[8], row[9], row[10]),
    )


_CASE = (
    "c.id, c.facility_id, c.form, c.key_token, c.subject_id, c.parent_id, c.state, c.version_id,"
    " c.draft_version_id, c.digest, c.submission_number, c.row"
)


async def _cases(session: AsyncSession, registry_id: str, wanted: set[Key]) -> dict[Key, Case]:
    if not wanted:
        return {}
    # As one text each: an array of strings is looked at twice before it is sent.
    rows = await session.execute(
        text(
            f"SELECT {_CASE} FROM cases c JOIN unnest(string_to_array(:facilities, ' ')::int[],"
            " string_to_array(:forms, ' '), string_to_array(:keys, ' ')) AS w (facility, form, key)"
            " ON c.registry_id = :registry AND c.facility_id = w.facility"
            " AND c.form = w.form AND c.key_token = w.key"
        ),
        {
            "registry": registry_id,
            "facilities": " ".join([str(key[0]) for key in wanted]),
            "forms": " ".join([key[1] for key in wanted]),
            "keys": " ".join([key[2] for key in wanted]),
        },
    )
    cases = (_case(row) for row in rows)
    return {(case.facility, case.form, case.key): case for case in cases}


def _case(row: Any) -> Case:
    case = Case(
        row.id,
        row.facility_id,
        row.form,
        row.key_token,
        row.subject_id,
        row.parent_id,
        digest=row.digest,
        at=(row.submission_number, row.row),
        known=True,
        loaded_under=row.subject_id,
    )
    if row.version_id is not None:
        case.version = Version(
            row.version_id, row.state, known=True, case=case, subject=row.subject_id
        )
    if row.draft_version_id is not None:
        case.draft = Version(
            row.draft_version_id, "draft", known=True, case=case, subject=row.subject_id
        )
    return case


async def moved(
    session: AsyncSession, registry_id: str, history: History, subjects: Mapping[int, int]
) -> list[Case]:
    """Load the cases that a merge or a corrected identity takes along; all cases that may move."""
    merged = [union.merged for union in history.people.unions]
    changed = [
        case.id
        for case in history.cases.values()
        if case.known and case.parent is None and case.subject != case.loaded_under
    ]
    if merged or changed:
        rows = await session.execute(
            text(
                f"SELECT {_CASE} FROM cases c WHERE c.registry_id = :registry"
                " AND (c.subject_id = ANY(:merged) OR c.parent_id = ANY(:changed))"
            ),
            {"registry": registry_id, "merged": merged, "changed": changed},
        )
        for row in rows:
            case = _case(row)
            history.cases.setdefault((case.facility, case.form, case.key), case)
    return [
        case
        for case in history.cases.values()
        if case.known
        and (
            case.loaded_under in merged
            or case.parent is not None
            or subjects.get(case.subject, case.subject) != case.loaded_under
        )
    ]


async def cases_of(
    session: AsyncSession, registry_id: str, wanted: Sequence[int], subject: int
) -> list[Case]:
    """These cases, as far as they are still this subject's, and their follow-ups."""
    rows = await session.execute(
        text(
            f"SELECT {_CASE} FROM cases c WHERE c.registry_id = :registry"
            " AND c.subject_id = :subject AND (c.id = ANY(:ids) OR c.parent_id = ANY(:ids))"
        ),
        {"registry": registry_id, "subject": subject, "ids": list(wanted)},
    )
    return [_case(row) for row in rows]


async def ids(session: AsyncSession, sequence: str, count: int) -> list[int]:
    """Numbers of a sequence, fetched ahead; the smallest is handed out first."""
    if not count:
        return []
    found = await session.scalar(
        text(
            "SELECT array_agg(nextval(CAST(:sequence AS regclass))) FROM generate_series(1, :count)"
        ),
        {"sequence": sequence, "count": count},
    )
    return sorted(found or (), reverse=True)


async def submitted(session: AsyncSession, registry_id: str, wanted: Iterable[Key]) -> set[Key]:
    """Of some keys (facility, form, token), those under which there is a case in force."""
    keys = list(wanted)
    rows = await session.execute(
        text(
            "SELECT c.facility_id, c.form, c.key_token FROM cases c JOIN"
            " unnest(CAST(:facilities AS int[]), CAST(:forms AS text[]), CAST(:keys AS text[]))"
            " AS w (facility, form, key) ON c.facility_id = w.facility AND c.form = w.form"
            " AND c.key_token = w.key WHERE c.registry_id = :registry AND c.state = 'submitted'"
        ),
        {
            "registry": registry_id,
            "facilities": [key[0] for key in keys],
            "forms": [key[1] for key in keys],
            "keys": [key[2] for key in keys],
        },
    )
    return {(facility, form, key) for facility, form, key in rows}


async def elements_of_entries(session: AsyncSession, places: Iterable[Place]) -> dict[Place, str]:
    """Canonical elements of entries, as JSON text."""
    wanted = list(places)
    rows = await session.execute(
        text(
            "SELECT e.submission_number, e.row, e.elements::text FROM entries e"
            " JOIN unnest(CAST(:numbers AS bigint[]), CAST(:rows AS int[])) AS w (number, row)"
            " ON e.submission_number = w.number AND e.row = w.row"
        ),
        {"numbers": [place[0] for place in wanted], "rows": [place[1] for place in wanted]},
    )
    return {(number, row): elements for number, row, elements in rows}


async def whole_entries(
    session: AsyncSession, places: Iterable[Place]
) -> dict[Place, tuple[str, bytes | None]]:
    """The same with the elements that identify, sealed."""
    wanted = list(places)
    rows = await session.execute(
        text(
            "SELECT e.submission_number, e.row, e.elements::text, e.identity FROM entries e"
            " JOIN unnest(CAST(:numbers AS bigint[]), CAST(:rows AS int[])) AS w (number, row)"
            " ON e.submission_number = w.number AND e.row = w.row"
        ),
        {"numbers": [place[0] for place in wanted], "rows": [place[1] for place in wanted]},
    )
    return {
        (number, row): (elements, None if sealed is None else bytes(sealed))
        for number, row, elements, sealed in rows
    }


async def elements_of_versions(
    session: AsyncSession, versions: Sequence[Version]
) -> dict[int, str]:
    """Canonical elements of versions, known ones and those this batch opens, by their ids."""
    known = {version.id: version for version in versions if version.known}
    fresh = {version.id: version for version in versions if not version.known and version.event}
    found: dict[int, str] = {}
    if known:
        rows = await session.execute(
            text(
                "SELECT v.id, v.elements::text FROM versions v"
                " JOIN unnest(CAST(:ids AS bigint[]), CAST(:subjects AS bigint[])) AS w (id, subject)"
                " ON v.id = w.id AND v.subject_id = w.subject"
            ),
            {"ids": list(known), "subjects": [version.subject for version in known.values()]},
        )
        found = {id: elements for id, elements in rows}  # noqa: C416 - rows are not pairs to mypy
    if fresh:
        places = {id: version.event.at for id, version in fresh.items() if version.event}
        elements = await elements_of_entries(session, set(places.values()))
        found |= {id: elements[place] for id, place in places.items()}
    return found


async def versions_spoken(
    session: AsyncSession, batch: Batch, versions: Sequence[Version]
) -> dict[int, str]:
    """The definition's version in which each version of a case was sent."""
    found = {
        one.id: batch.versions[one.event.at[0]]
        for one in versions
        if not one.known and one.event is not None
    }
    known = {one.id: one.subject for one in versions if one.known}
    if known:
        rows = await session.execute(
            text(
                "SELECT v.id, v.definition_version FROM versions v"
                " JOIN unnest(CAST(:ids AS bigint[]), CAST(:subjects AS bigint[])) AS w (id, subject)"
                " ON v.id = w.id AND v.subject_id = w.subject"
            ),
            {"ids": list(known), "subjects": list(known.values())},
        )
        found |= {row.id: row.definition_version for row in rows}
    return found


def patch(values: Mapping[str, Canonical]) -> str:
    """Computed elements as JSON text, to be laid over an entry's own."""
    return orjson.dumps(values).decode()
