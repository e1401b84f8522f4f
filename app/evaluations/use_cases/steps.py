"""
The states of a version of a use case, the steps between them, and who takes and sees which.

    draft → panel-review → public-comment → published
      ↑          │               │
      └──────────┴───────────────┘  back, to be written anew
    any of them → withdrawn;  published → superseded, when a newer version is published

A text is written in a draft alone. Whoever writes takes it to the panel; the panel opens it to comment,
sends it back, or publishes it. What was opened is there for all to read.
"""

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, or_, true

from app.access import Act, Asker
from app.models.use_case import UseCaseVersion


class UseCaseState(StrEnum):
    """Where a version of a use case stands."""

    DRAFT = "draft"
    PANEL_REVIEW = "panel-review"
    PUBLIC_COMMENT = "public-comment"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


_S = UseCaseState
STEPS: Mapping[tuple[UseCaseState, UseCaseState], Act] = {
    (_S.DRAFT, _S.PANEL_REVIEW): Act.WRITE_USE_CASES,
    (_S.PANEL_REVIEW, _S.PUBLIC_COMMENT): Act.REVIEW_USE_CASES,
    (_S.PANEL_REVIEW, _S.DRAFT): Act.REVIEW_USE_CASES,
    (_S.PUBLIC_COMMENT, _S.PUBLISHED): Act.REVIEW_USE_CASES,
    (_S.PUBLIC_COMMENT, _S.DRAFT): Act.REVIEW_USE_CASES,
    (_S.DRAFT, _S.WITHDRAWN): Act.WRITE_USE_CASES,
    (_S.PANEL_REVIEW, _S.WITHDRAWN): Act.WRITE_USE_CASES,
    (_S.PUBLIC_COMMENT, _S.WITHDRAWN): Act.WRITE_USE_CASES,
    (_S.PUBLISHED, _S.WITHDRAWN): Act.REVIEW_USE_CASES,
}
"""Every step that somebody takes, and what its taker must be allowed to do."""

UNDER_WAY = (_S.DRAFT, _S.PANEL_REVIEW, _S.PUBLIC_COMMENT)
OPEN = (_S.PUBLIC_COMMENT, _S.PUBLISHED, _S.SUPERSEDED)
COMMENTED = (_S.PANEL_REVIEW, _S.PUBLIC_COMMENT)
"""In which comments are taken."""
STANDING = (*UNDER_WAY, _S.PUBLISHED)
"""What a list shows when it is not asked for what was."""


def works_on(asker: Asker | None, registries: list[str]) -> bool:
    """Whether the asker writes or reviews use cases that refer to these registries."""
    if asker is None or not (asker.may(Act.WRITE_USE_CASES) or asker.may(Act.REVIEW_USE_CASES)):
        return False
    return all(asker.sees_registry(one) for one in registries)


def seen_by(asker: Asker | None) -> ColumnElement[bool]:
    """The versions that somebody sees: those that were opened, and those worked on."""
    opened = or_(
        UseCaseVersion.state.in_(OPEN),
        and_(
            UseCaseVersion.state == UseCaseState.WITHDRAWN,
            UseCaseVersion.published_at.is_not(None),
        ),
    )
    if not works_on(asker, []):
        return opened
    assert asker is not None
    if asker.registries is None:
        return true()
    return or_(opened, UseCaseVersion.registries.contained_by(sorted(asker.registries)))


def next_states(state: UseCaseState, asker: Asker | None, registries: list[str]) -> list[str]:
    """The steps that the asker may take from a state."""
    if asker is None or not works_on(asker, registries):
        return []
    return [str(to) for (at, to), act in STEPS.items() if at == state and asker.may(act)]
