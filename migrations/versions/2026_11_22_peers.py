"""
Ranks that are no finer than what is told, and whom a count of cases puts together.

What older snapshots say of pooled rates of single groups is taken back: it could be subtracted.

Revision ID: 20261122_peers
Revises: 20261121
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.security import bind

revision = "20261122_peers"
down_revision = "20261121"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column(
        "snapshot_spreads", sa.Column("rank_bounds", postgresql.ARRAY(sa.BigInteger()))
    )
    op.execute("UPDATE snapshot_spreads SET spread = spread - 'rank_bounds' - 'pooled'")
    op.create_table(
        "snapshot_members",
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("peer_group", sa.Text(), nullable=False),
        sa.Column("peers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "snapshot_id", "facility_id", "peer_group", name=op.f("pk_snapshot_members")
        ),
        info={"facility_bound": "facility_id", "through": None},
    )
    for statement in bind("snapshot_members", "facility_id"):
        op.execute(statement)
    op.execute("GRANT SELECT ON snapshot_members TO hounsfield_web")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON snapshot_members TO hounsfield_worker")


def downgrade() -> None:
    op.drop_table("snapshot_members")
    op.drop_column("snapshot_spreads", "rank_bounds")
