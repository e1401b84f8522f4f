"""Proposed alterations of definitions, what was said of them, and how they were decided."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class Proposal(Base):
    """What somebody would have otherwise in one version of a registry's definition."""

    __tablename__ = "proposals"
    __table_args__ = (Index("ix_proposals_registry_id", "registry_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    registry_id: Mapped[str]
    definition_version: Mapped[str]
    alterations: Mapped[list[Any]]
    rationale: Mapped[str]
    state: Mapped[str] = mapped_column(default="open")
    """`open`, `accepted`, `declined` or `withdrawn`."""
    proposed_at: Mapped[datetime] = mapped_column(default=now)
    proposed_by: Mapped[str]
    """The key's id."""
    proposed_as: Mapped[str]
    """The key's role."""
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    because: Mapped[str | None]


class ProposalComment(Base):
    """What somebody said of a proposal. Never changed."""

    __tablename__ = "proposal_comments"
    __table_args__ = (Index("ix_proposal_comments_proposal_id", "proposal_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"))
    says: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)
    by: Mapped[str]
    by_role: Mapped[str]
