"""
Worklists: what is open at a facility, and the events of it in the feed.

Revision ID: 20261122_worklists
Revises: 20261122_sunset
"""

import sqlalchemy as sa
from alembic import op

from migrations.security import bind

revision = "20261122_worklists"
down_revision = "20261122_sunset"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "worklist_marks",
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("feed_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("registry_id", name=op.f("pk_worklist_marks")),
    )
    op.create_table(
        "open_loops",
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("worklist_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("overdue_on", sa.Date(), nullable=True),
        sa.Column("told", sa.Text(), nullable=True),
        sa.Column("next_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint(
            "registry_id", "worklist_id", "case_id", name=op.f("pk_open_loops")
        ),
        info={"facility_bound": "facility_id", "through": None},
    )
    op.create_index(
        "ix_open_loops_facility_id",
        "open_loops",
        ["facility_id", "registry_id", "worklist_id", "due_on", "case_id"],
    )
    op.create_index("ix_open_loops_case_id", "open_loops", ["case_id"])
    op.create_index(
        "ix_open_loops_next_on",
        "open_loops",
        ["registry_id", "next_on"],
        postgresql_where=sa.text("next_on IS NOT NULL"),
    )
    op.create_table(
        "worklist_events",
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("feed_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("worklist_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("registry_id", "feed_seq", name=op.f("pk_worklist_events")),
        info={"facility_bound": "facility_id", "through": None},
    )
    op.create_index(
        "ix_worklist_events_facility_id",
        "worklist_events",
        ["facility_id", "registry_id", "worklist_id", "feed_seq"],
    )
    for table in "open_loops", "worklist_events":
        for statement in bind(table, "facility_id"):
            op.execute(statement)
    for table in "worklist_marks", "open_loops", "worklist_events":
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hounsfield_worker")
        op.execute(f"GRANT SELECT ON {table} TO hounsfield_web")


def downgrade() -> None:
    for table in "worklist_events", "open_loops", "worklist_marks":
        op.drop_table(table)
