"""
What images say of cases, and the typed and the measured half of a case.

Revision ID: 20261122_measured
Revises: 20261122_modules
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.security import bind

revision = "20261122_measured"
down_revision = "20261122_modules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "measurements",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("key_token", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurements")),
        sa.UniqueConstraint(
            "registry_id",
            "facility_id",
            "form",
            "key_token",
            "fingerprint",
            name=op.f("uq_measurements_registry_id_facility_id_form_key_token_fingerprint"),
        ),
        schema="vault",
    )
    op.create_index(
        "ix_measurements_study_id", "measurements", ["study_id"], unique=False, schema="vault"
    )
    op.create_table(
        "measured_cases",
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("key_token", sa.Text(), nullable=False),
        sa.Column("typed", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("measured", postgresql.JSONB(), nullable=False),
        sa.Column("drafted", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "registry_id", "facility_id", "form", "key_token", name=op.f("pk_measured_cases")
        ),
    )
    for table in "vault.measurements", "measured_cases":
        for statement in bind(table, "facility_id"):
            op.execute(statement)
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hounsfield_worker")
    op.execute("GRANT SELECT ON measured_cases TO hounsfield_web")


def downgrade() -> None:
    op.drop_table("measured_cases")
    op.drop_table("measurements", schema="vault")
