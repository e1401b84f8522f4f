"""
Files of the lake by year, and how each of their columns was made.

What there is of the lake is forgotten: the next refresh makes it anew and removes the old files.

Revision ID: 20261122_lake
Revises: 20261122_reports
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_lake"
down_revision = "20261122_reports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("DELETE FROM lake_files")
    op.drop_column("lake_files", "digest")
    op.add_column("lake_files", sa.Column("year", sa.Integer()))
    op.add_column("lake_files", sa.Column("first_facility", sa.Integer()))
    op.add_column("lake_files", sa.Column("columns", postgresql.JSONB(), nullable=False))


def downgrade() -> None:
    op.execute("DELETE FROM lake_files")
    op.drop_column("lake_files", "columns")
    op.drop_column("lake_files", "first_facility")
    op.drop_column("lake_files", "year")
    op.add_column("lake_files", sa.Column("digest", sa.Text(), nullable=False))
