"""
Published definitions in the order in which they were written.

Revision ID: 20261123_order
Revises: 20261122_terms
"""

from alembic import op

revision = "20261123_order"
down_revision = "20261122_terms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    # A few rows: rewritten in no time. The packaged definitions are put in order when they are published again.
    op.execute("ALTER TABLE definitions ALTER COLUMN document TYPE json USING document::json")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("ALTER TABLE definitions ALTER COLUMN document TYPE jsonb USING document::jsonb")
