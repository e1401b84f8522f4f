"""
AI use cases: versions, their texts, the steps they take, comments.

Texts and steps are only ever added. Nothing here belongs to a facility.

Revision ID: 20261122_use_cases
Revises: 20261122_proposals
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_use_cases"
down_revision = "20261122_proposals"
branch_labels = None
depends_on = None

RIGHTS = {
    "use_cases": "SELECT, INSERT, UPDATE",  # a row is locked for UPDATE, and never altered
    "use_case_versions": "SELECT, INSERT, UPDATE",
    "use_case_texts": "SELECT, INSERT",
    "use_case_steps": "SELECT, INSERT",
    "use_case_comments": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "use_cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_use_cases")),
    )
    op.create_table(
        "use_case_versions",
        sa.Column("use_case_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("elements", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("registries", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["use_case_id"], ["use_cases.id"], name=op.f("fk_use_case_versions_use_case_id")
        ),
        sa.PrimaryKeyConstraint("use_case_id", "version", name=op.f("pk_use_case_versions")),
    )
    op.create_index(
        "uq_use_case_versions_under_way",
        "use_case_versions",
        ["use_case_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('draft', 'panel-review', 'public-comment')"),
    )
    op.create_index(
        "uq_use_case_versions_published",
        "use_case_versions",
        ["use_case_id"],
        unique=True,
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_index(
        "ix_use_case_versions_elements", "use_case_versions", ["elements"], postgresql_using="gin"
    )
    op.create_table(
        "use_case_texts",
        sa.Column("use_case_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by", sa.Text(), nullable=True),
        _of_a_version("use_case_texts"),
        sa.PrimaryKeyConstraint(
            "use_case_id", "version", "revision", name=op.f("pk_use_case_texts")
        ),
    )
    op.create_table(
        "use_case_steps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("use_case_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_key", sa.Text(), nullable=True),
        sa.Column("by_role", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        _of_a_version("use_case_steps"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_use_case_steps")),
    )
    op.create_index(
        "ix_use_case_steps_version", "use_case_steps", ["use_case_id", "version", "id"]
    )
    op.create_table(
        "use_case_comments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("use_case_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("during", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("answers", sa.BigInteger(), nullable=True),
        sa.Column("says", sa.Text(), nullable=True),
        sa.Column("signed", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_key", sa.Text(), nullable=False),
        sa.Column("by_role", sa.Text(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("outcome_note", sa.Text(), nullable=True),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome_by", sa.Text(), nullable=True),
        _of_a_version("use_case_comments"),
        sa.ForeignKeyConstraint(
            ["answers"], ["use_case_comments.id"], name=op.f("fk_use_case_comments_answers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_use_case_comments")),
    )
    op.create_index(
        "ix_use_case_comments_version", "use_case_comments", ["use_case_id", "version", "id"]
    )
    for table, rights in RIGHTS.items():
        op.execute(f"GRANT {rights} ON {table} TO hounsfield_web")
        op.execute(f"GRANT SELECT ON {table} TO hounsfield_worker")


def _of_a_version(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["use_case_id", "version"],
        ["use_case_versions.use_case_id", "use_case_versions.version"],
        name=op.f(f"fk_{table}_use_case_id_version"),
    )


def downgrade() -> None:
    for table in reversed(RIGHTS):
        op.drop_table(table)
