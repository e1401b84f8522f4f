"""
Proposed alterations of definitions, and the end of a version's window set by its steward.

Revision ID: 20261122_proposals
Revises: 20261122_worklists
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_proposals"
down_revision = "20261122_worklists"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "proposals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("definition_version", sa.Text(), nullable=False),
        sa.Column("alterations", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_as", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
    )
    op.create_index("ix_proposals_registry_id", "proposals", ["registry_id", "id"])
    op.create_table(
        "proposal_comments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("proposal_id", sa.BigInteger(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("by_role", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposals.id"], name=op.f("fk_proposal_comments_proposal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_comments")),
    )
    op.create_index("ix_proposal_comments_proposal_id", "proposal_comments", ["proposal_id", "id"])
    op.execute("GRANT SELECT, INSERT, UPDATE ON proposals TO hounsfield_web")
    op.execute("GRANT SELECT, INSERT ON proposal_comments TO hounsfield_web")
    for table in "proposals", "proposal_comments":
        op.execute(f"GRANT SELECT ON {table} TO hounsfield_worker")
    # The one thing of a published version that may change is when it ends.
    op.execute(
        "GRANT UPDATE (accept_until, accept_until_second, published_at)"
        " ON definitions TO hounsfield_web"
    )


def downgrade() -> None:
    op.execute(
        "REVOKE UPDATE (accept_until, accept_until_second, published_at)"
        " ON definitions FROM hounsfield_web"
    )
    op.drop_table("proposal_comments")
    op.drop_table("proposals")
