"""Benchmark tables: generations, cells, histograms, lake files and peer snapshots."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Integer, Numeric, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now


class Generation(Base):
    """The cells of one set of measure texts, current to feed number `feed_seq`.

    State: waiting (to be filled from the lake), building (catching up), current, retired. One
    generation of a registry is current at a time.
    """

    __tablename__ = "generations"
    __table_args__ = (
        Index(
            "uq_generations_current",
            "registry_id",
            unique=True,
            postgresql_where=text("state = 'current'"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    registry_id: Mapped[str]
    definition_version: Mapped[str]
    digest: Mapped[str]
    layout: Mapped[dict[str, Any]]
    state: Mapped[str]
    feed_seq: Mapped[int] = mapped_column(server_default="0")
    tabulated_at: Mapped[datetime] = mapped_column(default=now)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Cell(Base):
    """The additive counts of one facility, month and stratum, those of every measure in one row.

    `counts` and `sums` are read by the generation's `layout`. A row a measure would be twenty times
    as many rows to change for every case that arrives. Totals have an empty stratifier and stratum.
    """

    __tablename__ = "cells"
    __table_args__ = (
        Index(
            "ix_cells_totals",
            "generation_id",
            "month",
            postgresql_where=text("stratifier = ''"),
        ),
        {"info": facility_bound()},
    )

    generation_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    facility_id: Mapped[int] = mapped_column(FacilityId, primary_key=True)
    form: Mapped[str] = mapped_column(primary_key=True)
    stratifier: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    stratum: Mapped[str] = mapped_column(primary_key=True)
    counts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    sums: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric))


class Histogram(Base):
    """How a measure's observations fall into its bins, per facility and month."""

    __tablename__ = "histograms"
    __table_args__ = ({"info": facility_bound()},)

    generation_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    facility_id: Mapped[int] = mapped_column(FacilityId, primary_key=True)
    measure_id: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    bins: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class LakeFile(Base):
    """A Parquet file of the lake, for the cases of one form.

    Kind: base (cases of one year, of the facilities from `first_facility` on), delta (the cases, as
    they are at `feed_seq`, of each subject that changed since `from_seq`) or touched (those subjects).
    `columns` says of each column how it was made: it is read by name, and what was made otherwise is
    of no use to a definition. State: current, retired.
    """

    __tablename__ = "lake_files"
    __table_args__ = (Index("ix_lake_files_registry_id", "registry_id", "state"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    registry_id: Mapped[str]
    form: Mapped[str]
    kind: Mapped[str]
    path: Mapped[str]
    year: Mapped[int | None] = mapped_column(Integer)
    first_facility: Mapped[int | None] = mapped_column(FacilityId)
    columns: Mapped[dict[str, Any]]
    from_seq: Mapped[int]
    feed_seq: Mapped[int]
    rows: Mapped[int]
    state: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Snapshot(Base):
    """A dated look at how rates are spread over peer groups."""

    __tablename__ = "snapshots"
    __table_args__ = (Index("ix_snapshots_registry_id", "registry_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    registry_id: Mapped[str]
    generation_id: Mapped[int] = mapped_column(Integer)
    feed_seq: Mapped[int]
    taken_on: Mapped[date]
    taken_at: Mapped[datetime] = mapped_column(default=now)


class SnapshotSpread(Base):
    """The spread of one measure over one peer group in one period: rounded, without counts."""

    __tablename__ = "snapshot_spreads"

    snapshot_id: Mapped[int] = mapped_column(primary_key=True)
    measure_id: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    peer_group: Mapped[str] = mapped_column(primary_key=True)
    peers: Mapped[str] = mapped_column(primary_key=True)
    facilities: Mapped[int | None] = mapped_column(Integer)
    spread: Mapped[dict[str, Any] | None]
    rank_bounds: Mapped[bytes | None]
    """Where each step of ranks begins, in units of the last decimal that is told, as
    `app.benchmarks.spread.packed` has them. Never told itself."""
    withheld: Mapped[str | None]


class SnapshotMember(Base):
    """Whom a grouping by a count of cases put a facility among when a snapshot was taken."""

    __tablename__ = "snapshot_members"
    __table_args__ = ({"info": facility_bound()},)

    snapshot_id: Mapped[int] = mapped_column(primary_key=True)
    facility_id: Mapped[int] = mapped_column(FacilityId, primary_key=True)
    peer_group: Mapped[str] = mapped_column(primary_key=True)
    peers: Mapped[str]
