"""
Use cases as they are kept: begun, written anew, taken a step further.

Whoever changes one holds its row locked, so that there is one version under way and one published.
Each act is in the audit trail with the number and the version, and nothing that was typed.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit
from app.access import Asker
from app.catalogue import Catalogue
from app.errors import Conflict, NotFound
from app.evaluations.use_cases.document import UseCaseDocument
from app.evaluations.use_cases.soundness import Definitions, require_sound
from app.evaluations.use_cases.steps import STEPS, UNDER_WAY, UseCaseState, seen_by
from app.locks import Lock, take
from app.models.base import now
from app.models.use_case import (
    UseCase,
    UseCaseComment,
    UseCaseStep,
    UseCaseText,
    UseCaseVersion,
)
from app.registries.schema import Definition

NO_SUCH_USE_CASE = "There is no such use case, or it is not open to you."
_MOST_A_MONTH = 9999


def at_hand(catalogue: Catalogue, sees: Callable[[str], bool] = lambda _: True) -> Definitions:
    """The definitions of a catalogue, of those registries that somebody sees."""

    def definition(registry: str, version: str) -> Definition | None:
        try:
            return catalogue.registry(registry, version=version) if sees(registry) else None
        except NotFound:
            return None

    return definition


async def begin(
    session: AsyncSession, actor: Asker | None, document: UseCaseDocument
) -> UseCaseVersion:
    """A new use case with its first version, a draft. `Conflict` if that text is under way already."""
    await take(session, Lock.BEGIN_USE_CASE)
    twin = await session.scalar(
        select(UseCaseVersion.use_case_id)
        .join(
            UseCaseText,
            (UseCaseText.use_case_id == UseCaseVersion.use_case_id)
            & (UseCaseText.version == UseCaseVersion.version)
            & (UseCaseText.revision == UseCaseVersion.revision),
        )
        .where(UseCaseVersion.state.in_(UNDER_WAY), UseCaseText.digest == _digest(document))
        .limit(1)
    )
    if twin is not None:
        raise Conflict(f"This text is under way already: it is {twin}.")
    month = datetime.now(UTC).strftime("HUC-%m%y")
    last = await session.scalar(select(func.max(UseCase.id)).where(UseCase.id.startswith(month)))
    number = 1 if last is None else int(last[-4:]) + 1
    if number > _MOST_A_MONTH:
        raise Conflict("No more use cases can be begun this month.")
    session.add(UseCase(id=f"{month}{number:04}"))
    await session.flush()
    return await _begun(session, actor, f"{month}{number:04}", 1, document)


async def begin_version(
    session: AsyncSession, actor: Asker | None, use_case_id: str
) -> UseCaseVersion:
    """The next version, a draft with the text of the newest. `Conflict` while another is under way.

    The use case is held locked.
    """
    before = await newest(session, use_case_id)
    if before.state in UNDER_WAY:
        raise Conflict(f"Version {before.version} is under way: go on with it, or withdraw it.")
    document = await current_document(session, before)
    return await _begun(session, actor, use_case_id, before.version + 1, document)


async def rewrite(
    session: AsyncSession, actor: Asker | None, row: UseCaseVersion, document: UseCaseDocument
) -> None:
    """Give a draft another text. `Conflict` in any other state; the same text once more changes nothing."""
    if row.state != UseCaseState.DRAFT:
        raise Conflict(
            f"Version {row.version} is {row.state}: its text is not altered. "
            "The panel sends back what is under way; after it was published, begin a new version."
        )
    if (await current_text(session, row)).digest == _digest(document):
        return
    row.revision += 1
    row.changed_at = now()
    _told_beside(row, document)
    await session.flush()
    session.add(_text(row, actor, document))
    await session.flush()
    await _note(session, actor, "write", row)


async def take_step(
    session: AsyncSession,
    actor: Asker | None,
    row: UseCaseVersion,
    to: UseCaseState,
    *,
    note: str | None,
    definitions: Definitions,
) -> None:
    """Take a version a step further; no actor is the operator at the command line.

    `Conflict` where there is no such step, or while comments wait for the panel; `Forbidden` where it
    is not the actor's; `InvalidUseCase` where what it refers to is gone.
    """
    act = STEPS.get((UseCaseState(row.state), to))
    if act is None:
        ways = ", ".join(str(after) for at, after in STEPS if at == row.state) or "nothing else"
        raise Conflict(f"A version that is {row.state} may become: {ways}.")
    if actor is not None:
        actor.require(act)
    if to in (UseCaseState.PANEL_REVIEW, UseCaseState.PUBLISHED):
        require_sound(await current_document(session, row), definitions)
    if to == UseCaseState.PUBLISHED:
        await _require_answered(session, row)
        await _supersede(session, actor, row)
        row.published_at = now()
    await _stand(session, actor, row, to, note)


async def locked(session: AsyncSession, use_case_id: str) -> None:
    """Hold a use case locked until the transaction ends. `NotFound` if there is none."""
    found = select(UseCase.id).where(UseCase.id == use_case_id).with_for_update()
    if await session.scalar(found) is None:
        raise NotFound(NO_SUCH_USE_CASE)


async def newest(session: AsyncSession, use_case_id: str) -> UseCaseVersion:
    """The newest version, whatever its state: none before it is under way."""
    found = await session.scalars(
        select(UseCaseVersion)
        .where(UseCaseVersion.use_case_id == use_case_id)
        .order_by(UseCaseVersion.version.desc())
        .limit(1)
    )
    return found.one()


async def version_seen(
    session: AsyncSession, asker: Asker | None, use_case_id: str, version: int | None = None
) -> UseCaseVersion:
    """A version that the asker sees; without a number the published one, else the newest that stands."""
    wanted = select(UseCaseVersion).where(UseCaseVersion.use_case_id == use_case_id, seen_by(asker))
    if version is not None:
        wanted = wanted.where(UseCaseVersion.version == version)
    found = await session.scalars(
        wanted.order_by(
            (UseCaseVersion.state == UseCaseState.PUBLISHED).desc(),
            UseCaseVersion.state.in_(UNDER_WAY).desc(),
            UseCaseVersion.version.desc(),
        ).limit(1)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound(NO_SUCH_USE_CASE)
    return row


async def current_text(session: AsyncSession, row: UseCaseVersion) -> UseCaseText:
    """The text that a version has now."""
    found = await session.get(UseCaseText, (row.use_case_id, row.version, row.revision))
    assert found is not None, "a version has a text"
    return found


async def current_document(session: AsyncSession, row: UseCaseVersion) -> UseCaseDocument:
    """The same, read."""
    return UseCaseDocument.model_validate((await current_text(session, row)).document)


async def _begun(
    session: AsyncSession,
    actor: Asker | None,
    use_case_id: str,
    version: int,
    document: UseCaseDocument,
) -> UseCaseVersion:
    row = UseCaseVersion(
        use_case_id=use_case_id, version=version, state=UseCaseState.DRAFT, revision=1
    )
    _told_beside(row, document)
    session.add(row)
    await session.flush()
    session.add(_text(row, actor, document))
    await _stand(session, actor, row, UseCaseState.DRAFT, None)
    return row


async def _stand(
    session: AsyncSession,
    actor: Asker | None,
    row: UseCaseVersion,
    state: UseCaseState,
    note: str | None,
) -> None:
    """Let a version stand somewhere, and keep that it does."""
    row.state, row.changed_at = state, now()
    session.add(
        UseCaseStep(
            use_case_id=row.use_case_id,
            version=row.version,
            state=state,
            revision=row.revision,
            by_key=actor.key_id if actor else None,
            by_role=actor.role if actor else None,
            note=note,
        )
    )
    await session.flush()
    await _note(session, actor, str(state), row)


async def _supersede(session: AsyncSession, actor: Asker | None, row: UseCaseVersion) -> None:
    """The version that was published until now gives way."""
    before = await session.scalar(
        select(UseCaseVersion).where(
            UseCaseVersion.use_case_id == row.use_case_id,
            UseCaseVersion.state == UseCaseState.PUBLISHED,
        )
    )
    if before is not None:
        await _stand(session, actor, before, UseCaseState.SUPERSEDED, None)


async def _require_answered(session: AsyncSession, row: UseCaseVersion) -> None:
    waiting = await session.scalar(
        select(func.count()).where(
            UseCaseComment.use_case_id == row.use_case_id,
            UseCaseComment.version == row.version,
            UseCaseComment.answers.is_(None),
            UseCaseComment.outcome.is_(None),
            UseCaseComment.removed_at.is_(None),
        )
    )
    if waiting:
        raise Conflict(f"Comments that wait for the panel: {waiting}. Say what became of each.")


def _told_beside(row: UseCaseVersion, document: UseCaseDocument) -> None:
    """What lists and searches need of a text."""
    row.title = document.title
    row.elements, row.registries = document.elements, sorted(document.registries)


def _text(row: UseCaseVersion, actor: Asker | None, document: UseCaseDocument) -> UseCaseText:
    return UseCaseText(
        use_case_id=row.use_case_id,
        version=row.version,
        revision=row.revision,
        document=_canonical(document),
        digest=_digest(document),
        written_by=actor.key_id if actor else None,
    )


def _canonical(document: UseCaseDocument) -> dict[str, Any]:
    """What is kept of a text: what was left at its default is left out."""
    return document.model_dump(mode="json", exclude_defaults=True)


def _digest(document: UseCaseDocument) -> str:
    return hashlib.sha256(
        orjson.dumps(_canonical(document), option=orjson.OPT_SORT_KEYS)
    ).hexdigest()


async def _note(
    session: AsyncSession, actor: Asker | None, action: str, row: UseCaseVersion
) -> None:
    await audit.record(
        session, actor, action, "use-case", row.use_case_id, details={"version": row.version}
    )
