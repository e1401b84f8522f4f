"""
Structured reporting modules that were imported.

Revision ID: 20261122_modules
Revises: 20261122_improvement
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_modules"
down_revision = "20261122_improvement"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "reporting_modules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("developed_by", sa.Text(), nullable=False),
        sa.Column("citation", sa.Text(), nullable=False),
        sa.Column("modalities", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("doubts", sa.BigInteger(), nullable=False),
        sa.Column("document_kind", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_reporting_modules")),
    )
    op.execute("GRANT SELECT, INSERT ON reporting_modules TO hounsfield_web")
    op.execute("GRANT SELECT ON reporting_modules TO hounsfield_worker")


def downgrade() -> None:
    op.drop_table("reporting_modules")
