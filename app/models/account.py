"""Corporate accounts, facilities, physicians, participations, partners and keys."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now


class CorporateAccount(Base):
    """An organisation: the umbrella of one or more facilities. Billing and agreements live here."""

    __tablename__ = "corporate_accounts"

    id: Mapped[int] = mapped_column(Integer, Identity(start=1000), primary_key=True)
    name: Mapped[str]
    street_1: Mapped[str]
    street_2: Mapped[str | None]
    city: Mapped[str]
    state: Mapped[str]
    postal_code: Mapped[str]
    country: Mapped[str]
    phone: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Facility(Base):
    """A place that performs exams and submits. Its number has six digits."""

    __tablename__ = "facilities"
    __table_args__ = (
        CheckConstraint("id BETWEEN 100000 AND 999999", name="six_digits"),
        {"info": facility_bound("id")},
    )

    id: Mapped[int] = mapped_column(
        FacilityId, Identity(start=100000, maxvalue=999999), primary_key=True
    )
    corporate_account_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("corporate_accounts.id"), index=True
    )
    name: Mapped[str]
    street_1: Mapped[str]
    street_2: Mapped[str | None]
    city: Mapped[str]
    state: Mapped[str]
    postal_code: Mapped[str]
    country: Mapped[str]
    phone: Mapped[str]
    category: Mapped[str]
    location: Mapped[str]
    trauma_level: Mapped[str | None]
    npi: Mapped[str | None]
    physician_group: Mapped[str | None]
    childrens_hospital: Mapped[bool] = mapped_column(default=False)
    annual_exams: Mapped[int | None] = mapped_column(Integer)
    physicians_full_time: Mapped[int | None] = mapped_column(Integer)
    physicians_part_time: Mapped[int | None] = mapped_column(Integer)
    census_division: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class Administrator(Base):
    """The one active administrator of a corporate account or of a facility; a new one ends the old."""

    __tablename__ = "administrators"
    __table_args__ = (
        CheckConstraint(
            "(facility_id IS NULL) <> (corporate_account_id IS NULL)", name="one_of_both"
        ),
        Index(
            "uq_administrators_active_facility",
            "facility_id",
            unique=True,
            postgresql_where="active AND facility_id IS NOT NULL",
        ),
        Index(
            "uq_administrators_active_corporate_account",
            "corporate_account_id",
            unique=True,
            postgresql_where="active AND corporate_account_id IS NOT NULL",
        ),
        {"info": facility_bound()},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    facility_id: Mapped[int | None] = mapped_column(FacilityId, ForeignKey("facilities.id"))
    corporate_account_id: Mapped[int | None] = mapped_column(
        Integer, ForeignKey("corporate_accounts.id")
    )
    first_name: Mapped[str]
    last_name: Mapped[str]
    email: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    since: Mapped[datetime] = mapped_column(default=now)
    until: Mapped[datetime | None]


class Physician(Base):
    """A physician of a corporate account: one row per NPI and TIN."""

    __tablename__ = "physicians"
    __table_args__ = (
        UniqueConstraint("corporate_account_id", "npi", "tin", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    corporate_account_id: Mapped[int] = mapped_column(Integer, ForeignKey("corporate_accounts.id"))
    npi: Mapped[str]
    tin: Mapped[str | None]
    first_name: Mapped[str]
    last_name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class PhysicianFacility(Base):
    """Where a physician works."""

    __tablename__ = "physician_facilities"
    __table_args__ = ({"info": facility_bound()},)

    physician_id: Mapped[int] = mapped_column(
        ForeignKey("physicians.id", ondelete="CASCADE"), primary_key=True
    )
    facility_id: Mapped[int] = mapped_column(
        FacilityId, ForeignKey("facilities.id"), primary_key=True, index=True
    )


class ParticipationState(StrEnum):
    """Where a participation stands. Only an active one may submit."""

    APPLIED = "applied"
    AGREEMENT_SIGNED = "agreement-signed"
    FEE_SETTLED = "fee-settled"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Participation(Base):
    """A facility's membership in a registry and where it stands on the way to submitting."""

    __tablename__ = "participations"
    __table_args__ = (UniqueConstraint("facility_id", "registry_id"), {"info": facility_bound()})

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    facility_id: Mapped[int] = mapped_column(FacilityId, ForeignKey("facilities.id"))
    registry_id: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]
    agreement: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class ParticipationTransition(Base):
    """A step of a participation: to which state, when and by whose key. Never changed."""

    __tablename__ = "participation_transitions"
    __table_args__ = ({"info": facility_bound()},)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    participation_id: Mapped[int] = mapped_column(ForeignKey("participations.id"), index=True)
    facility_id: Mapped[int] = mapped_column(FacilityId)
    state: Mapped[str]
    note: Mapped[str | None]
    by_key: Mapped[str | None]
    signed_by: Mapped[str | None]
    on: Mapped[date | None]
    at: Mapped[datetime] = mapped_column(default=now)


class Partner(Base):
    """Certified software that submits for facilities."""

    __tablename__ = "partners"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    registries: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class PartnerAuthorisation(Base):
    """A facility's leave for a partner to submit for it."""

    __tablename__ = "partner_authorisations"
    __table_args__ = ({"info": facility_bound()},)

    partner_id: Mapped[int] = mapped_column(Integer, ForeignKey("partners.id"), primary_key=True)
    facility_id: Mapped[int] = mapped_column(
        FacilityId, ForeignKey("facilities.id"), primary_key=True
    )
    registry_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    by_key: Mapped[str | None]


class Key(Base):
    """An API key: only its digest is kept. `facilities` null means every facility (operator's roles)."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    role: Mapped[str]
    label: Mapped[str]
    registries: Mapped[list[str] | None]
    facilities: Mapped[list[int] | None]
    corporate_account_id: Mapped[int | None] = mapped_column(
        Integer, ForeignKey("corporate_accounts.id"), index=True
    )
    partner_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("partners.id"))
    physician_id: Mapped[int | None] = mapped_column(
        ForeignKey("physicians.id", ondelete="SET NULL"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]
