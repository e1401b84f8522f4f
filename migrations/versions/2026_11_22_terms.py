"""
What facilities call things that their own lists may know, and the cases that take values from lists.

Revision ID: 20261122_terms
Revises: 20261122_use_cases
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.security import bind

revision = "20261122_terms"
down_revision = "20261122_use_cases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "lookups",
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("list_form", sa.Text(), nullable=False),
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("elements", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("given_by", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("case_id", "list_form", name=op.f("pk_lookups")),
    )
    op.create_index("ix_lookups_term", "lookups", ["registry_id", "facility_id", "list_form", "term"])
    op.create_table(
        "terms",
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("list_form", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("token", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint(
            "registry_id", "facility_id", "list_form", "term", name=op.f("pk_terms")
        ),
        schema="vault",
    )
    op.create_index(
        "ix_terms_changed",
        "terms",
        ["not_before"],
        schema="vault",
        postgresql_where=sa.text("state = 'changed'"),
    )
    for table in "lookups", "vault.terms":
        for statement in bind(table, "facility_id"):
            op.execute(statement)
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hounsfield_worker")
        op.execute(f"GRANT SELECT ON {table} TO hounsfield_web")


def downgrade() -> None:
    op.drop_table("terms", schema="vault")
    op.drop_table("lookups")
