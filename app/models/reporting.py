"""Structured reporting modules that were imported: frozen documents with a digest."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class ImportedModule(Base):
    """One version of a reporting module, as its author wrote it. Never changed."""

    __tablename__ = "reporting_modules"

    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    developed_by: Mapped[str]
    citation: Mapped[str]
    modalities: Mapped[list[str]]
    source: Mapped[str]
    doubts: Mapped[int]
    """How many. With what stands above it is what a list tells, without reading the document."""
    document_kind: Mapped[str]
    """`cards` (CAR/DS 2.0) or `own` (YAML)."""
    document: Mapped[bytes]
    digest: Mapped[str]
    """SHA-256 of the document."""
    imported_at: Mapped[datetime] = mapped_column(default=now)
    imported_by: Mapped[str | None]
