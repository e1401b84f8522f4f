"""
Who is who: subjects behind keyed tokens, merges, and sealed identities.

A national identifier and a birth date that agree make the same subject, at whatever facility. The
same national identifier with another birth date does not, and is reported. Everything else goes
by the facility's own identifier. A subject has at most one pair of national identifier and birth
date, so that a wrong local identifier never draws two people together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.base import now
from app.vault import pseudonyms
from app.vault.room import IDENTITY, Vault

PERSON: Final = "national-birth"
NATIONAL: Final = "national"
LOCAL: Final = "local"


class Tokens(NamedTuple):
    """The keyed tokens of one entry's identifiers."""

    person: str | None = None
    national: str | None = None
    local: str | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """Kind and token of those that are given."""
        return [
            (kind, token)
            for kind, token in (
                (PERSON, self.person),
                (NATIONAL, self.national),
                (LOCAL, self.local),
            )
            if token is not None
        ]


def tokens(
    vault: Vault,
    registry: str,
    facility: int,
    *,
    national: str | None,
    birth_date: str | None,
    local: str | None,
) -> Tokens:
    """The tokens of a person's identifiers, as canonical values."""
    if national is not None and not pseudonyms.identifies(national):
        national = None
    return Tokens(
        person=vault.subject_token(registry, PERSON, national, birth_date)
        if national is not None and birth_date is not None
        else None,
        national=vault.subject_token(registry, NATIONAL, national)
        if national is not None
        else None,
        local=vault.subject_token(registry, LOCAL, str(facility), local)
        if local is not None
        else None,
    )


def seal(vault: Vault, registry: str, number: int, row: int, elements: bytes) -> bytes:
    """The identifying elements of one entry, as JSON, sealed for their place in the history."""
    return vault.sealer(IDENTITY, registry).seal(elements, f"{registry}/{number}/{row}".encode())


def unseal(vault: Vault, registry: str, number: int, row: int, sealed: bytes) -> dict[str, Any]:
    """The identifying elements of one entry."""
    content = vault.sealer(IDENTITY, registry).open(sealed, f"{registry}/{number}/{row}".encode())
    elements: dict[str, Any] = orjson.loads(content)
    return elements


@dataclass(slots=True)
class Union:
    """Two subjects that an entry showed to be one."""

    merged: int
    surviving: int
    number: int


@dataclass(slots=True)
class People:
    """What is known of the subjects that a batch speaks of, and what the batch adds to it."""

    leads: dict[tuple[str, str], int] = field(default_factory=dict)
    """(kind, token) to subject."""
    person: dict[int, str] = field(default_factory=dict)
    """A subject's own pair of national identifier and birth date."""
    fresh: list[tuple[int, str, str]] = field(default_factory=list)
    """New subjects, counted down from -1, and the token each is named after."""
    added: dict[tuple[str, str], int] = field(default_factory=dict)
    unions: list[Union] = field(default_factory=list)
    _alias: dict[int, int] = field(default_factory=dict)

    def now(self, subject: int) -> int:
        """The subject that stands for this one after every merge so far."""
        while subject in self._alias:
            subject = self._alias[subject]
        return subject

    def resolve(self, given: Tokens, number: int, row: int, known: int | None) -> tuple[int, bool]:
        """The subject of an entry, and whether its identifiers contradict what is known.

        `known` is the subject that the case has already: it stays, if nothing is said about who.
        """
        conflict = False
        local = self._led(LOCAL, given.local)
        subject = self._led(PERSON, given.person)
        if subject is not None:
            if local is not None and local != subject:
                if local in self.person:
                    conflict = True
                else:
                    self._merge(local, subject, number)
        elif given.person is not None:
            other = self._led(NATIONAL, given.national)
            if other is not None and other in self.person:
                conflict = True
            if local is not None and local not in self.person:
                subject = local
            else:
                conflict = conflict or local is not None
                subject = self._new(PERSON, given.person)
            self.person[subject] = given.person
        elif local is not None:
            subject = local
        elif known is not None:
            subject = self.now(known)
        else:
            # A national identifier without a birth date may be that of somebody who has a name by it.
            unled = (pair for pair in given.pairs() if pair not in self.leads)
            kind, token = next(unled, (LOCAL, f"nobody {number}/{row}"))
            subject = self._new(kind, token)
        for pair in given.pairs():
            if pair not in self.leads:
                self.leads[pair] = self.added[pair] = subject
        return subject, conflict

    def _led(self, kind: str, token: str | None) -> int | None:
        subject = self.leads.get((kind, token)) if token is not None else None
        return None if subject is None else self.now(subject)

    def _new(self, kind: str, token: str) -> int:
        subject = -1 - len(self.fresh)
        self.fresh.append((subject, kind, token))
        return subject

    def _merge(self, merged: int, surviving: int, number: int) -> None:
        self._alias[merged] = surviving
        self.unions.append(Union(merged, surviving, number))

    def numbered(self, ids: Mapping[int, int]) -> None:
        """Give the new subjects their lasting numbers."""
        self._alias = {ids.get(a, a): ids.get(b, b) for a, b in self._alias.items()}
        for union in self.unions:
            union.merged = ids.get(union.merged, union.merged)
            union.surviving = ids.get(union.surviving, union.surviving)
        for book in (self.leads, self.added):
            for pair, subject in book.items():
                book[pair] = ids.get(subject, subject)
        self.person = {ids.get(subject, subject): own for subject, own in self.person.items()}


async def people(session: AsyncSession, registry: str, given: Iterable[Tokens]) -> People:
    """What the vault knows about the tokens of a batch. The caller holds the registry's lock."""
    wanted: dict[str, list[str]] = {PERSON: [], NATIONAL: [], LOCAL: []}
    for one in given:
        for kind, token in one.pairs():
            wanted[kind].append(token)
    found = People()
    for kind, some in wanted.items():
        if some:
            # Tokens go as one text: an array of strings is looked at twice before it is sent.
            rows = await session.execute(
                text(
                    "SELECT token, subject_id FROM vault.subject_tokens WHERE registry_id = :registry"
                    " AND kind = :kind AND token = ANY(string_to_array(:tokens, ' '))"
                ),
                {"registry": registry, "kind": kind, "tokens": " ".join(set(some))},
            )
            found.leads |= {(kind, token): subject for token, subject in rows}
    subjects = list(set(found.leads.values()))
    if subjects:
        rows = await session.execute(
            text(
                "SELECT subject_id, token FROM vault.subject_tokens"
                " WHERE subject_id = ANY(:subjects) AND registry_id = :registry AND kind = :kind"
            ),
            {"subjects": subjects, "registry": registry, "kind": PERSON},
        )
        found.person = {row.subject_id: row.token for row in rows}
    return found


async def keep_people(
    session: AsyncSession, vault: Vault, registry: str, found: People
) -> dict[int, int]:
    """Write the batch's new subjects and tokens; the lasting number of each new subject.

    Cases of merged subjects are moved by `accept`, through the feed, which then calls `record`.
    """
    ids: dict[int, int] = {}
    if found.fresh:
        numbers = await session.scalar(
            text("SELECT array_agg(nextval('subjects_id_seq')) FROM generate_series(1, :n)"),
            {"n": len(found.fresh)},
        )
        assert numbers is not None
        ids = {subject: id for (subject, _, _), id in zip(found.fresh, numbers, strict=True)}
        found.numbered(ids)
        await session.execute(
            text(
                "INSERT INTO subjects (id, registry_id, pseudonym, created_at)"
                " OVERRIDING SYSTEM VALUE"
                " SELECT id, :registry, pseudonym, now()"
                " FROM unnest(CAST(:ids AS bigint[]), string_to_array(:names, ' '))"
                " AS new (id, pseudonym)"
            ),
            {
                "registry": registry,
                "ids": list(ids.values()),
                "names": " ".join(
                    [
                        vault.subject_pseudonym(registry, kind, token)
                        for _, kind, token in found.fresh
                    ]
                ),
            },
        )
    if found.added:
        await session.execute(
            text(
                "INSERT INTO vault.subject_tokens (registry_id, kind, token, subject_id, created_at)"
                " SELECT :registry, kind, token, subject, now()"
                " FROM unnest(string_to_array(:kinds, ' '), string_to_array(:tokens, ' '),"
                " CAST(:subjects AS bigint[])) AS new (kind, token, subject)"
                " ORDER BY kind, token"
            ),
            {
                "registry": registry,
                "kinds": " ".join([kind for kind, _ in found.added]),
                "tokens": " ".join([token for _, token in found.added]),
                "subjects": list(found.added.values()),
            },
        )
    return ids


async def record(session: AsyncSession, registry: str, union: Union, cases: Sequence[int]) -> None:
    """Remember a merge with all that moved, and lead the merged subject's tokens to the other."""
    moved = await session.scalars(
        text(
            "UPDATE vault.subject_tokens SET subject_id = :surviving"
            " WHERE subject_id = :merged AND registry_id = :registry"
            " RETURNING kind || ' ' || token"
        ),
        {"merged": union.merged, "surviving": union.surviving, "registry": registry},
    )
    await session.execute(
        text(
            "INSERT INTO vault.merges (registry_id, merged_subject_id, surviving_subject_id,"
            " submission_number, tokens, cases, merged_at)"
            " VALUES (:registry, :merged, :surviving, :number, :tokens, :cases, :at)"
        ),
        {
            "registry": registry,
            "merged": union.merged,
            "surviving": union.surviving,
            "number": union.number,
            "tokens": list(moved),
            "cases": list(cases),
            "at": now(),
        },
    )
    await _point(session, registry, union.merged, union.surviving)


async def unrecord(session: AsyncSession, merge_id: int) -> tuple[Union, list[int]] | None:
    """Undo a merge's tokens; the subjects and the cases that `accept` has to move back."""
    row = (
        await session.execute(
            text(
                "UPDATE vault.merges SET undone_at = now() WHERE id = :id AND undone_at IS NULL"
                " RETURNING registry_id, merged_subject_id, surviving_subject_id,"
                " submission_number, tokens, cases"
            ),
            {"id": merge_id},
        )
    ).one_or_none()
    if row is None:
        return None
    await session.execute(
        text(
            "UPDATE vault.subject_tokens SET subject_id = :merged"
            " WHERE registry_id = :registry AND subject_id = :surviving"
            " AND kind || ' ' || token = ANY(:tokens)"
        ),
        {
            "merged": row.merged_subject_id,
            "surviving": row.surviving_subject_id,
            "registry": row.registry_id,
            "tokens": row.tokens,
        },
    )
    await _point(session, row.registry_id, row.merged_subject_id, None)
    union = Union(row.merged_subject_id, row.surviving_subject_id, row.submission_number or 0)
    return union, list(row.cases)


async def _point(session: AsyncSession, registry: str, subject: int, survivor: int | None) -> None:
    await session.execute(
        text("UPDATE subjects SET merged_into = :survivor WHERE id = :subject"),
        {"survivor": survivor, "subject": subject},
    )
    if survivor is not None:
        await session.execute(
            text(
                "UPDATE vault.image_patients SET subject_id = :survivor"
                " WHERE registry_id = :registry AND subject_id = :subject"
            ),
            {"survivor": survivor, "subject": subject, "registry": registry},
        )
