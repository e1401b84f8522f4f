"""
The second at which entries of a version are taken for the last time.

Revision ID: 20261122_sunset
Revises: 20261122_measured
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_sunset"
down_revision = "20261122_measured"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("definitions", sa.Column("accept_until_second", sa.Time(), nullable=True))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.drop_column("definitions", "accept_until_second")
