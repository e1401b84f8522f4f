"""
Improvement projects, and keys of single physicians.

A physician's key that is bound to nobody, as they were made until now, reaches nothing any more.

Revision ID: 20261122_improvement
Revises: 20261122_lake
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.security import bind

revision = "20261122_improvement"
down_revision = "20261122_lake"
branch_labels = None
depends_on = None

TABLES = ("improvement_projects", "improvement_interventions", "improvement_participants")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "improvement_projects",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("definition_version", sa.Text(), nullable=False),
        sa.Column("template_id", sa.Text(), nullable=False),
        sa.Column("template", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("measure_id", sa.Text(), nullable=False),
        sa.Column("aim", sa.Text(), nullable=False),
        sa.Column("baseline_first", sa.Date(), nullable=False),
        sa.Column("baseline_last", sa.Date(), nullable=False),
        sa.Column("remeasurement_first", sa.Date(), nullable=True),
        sa.Column("remeasurement_last", sa.Date(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("conclusion", sa.Text(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("evidence_sha256", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facilities.id"], name=op.f("fk_improvement_projects_facility_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_improvement_projects")),
        info={"facility_bound": "facility_id", "through": None},
    )
    op.create_index(
        "uq_improvement_projects_open",
        "improvement_projects",
        ["facility_id", "registry_id", "template_id", "measure_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "improvement_interventions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("suggestion", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["improvement_projects.id"],
            name=op.f("fk_improvement_interventions_project_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_improvement_interventions")),
        sa.UniqueConstraint(
            "project_id",
            "kind",
            "on",
            "says",
            name=op.f("uq_improvement_interventions_project_id_kind_on_says"),
        ),
        info={"facility_bound": "facility_id", "through": None},
    )
    op.create_table(
        "improvement_participants",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["improvement_projects.id"],
            name=op.f("fk_improvement_participants_project_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_improvement_participants")),
        sa.UniqueConstraint(
            "project_id",
            "name",
            "from_day",
            name=op.f("uq_improvement_participants_project_id_name_from_day"),
        ),
        info={"facility_bound": "facility_id", "through": None},
    )
    for table in TABLES:
        for statement in bind(table, "facility_id"):
            op.execute(statement)
        rights = "SELECT, INSERT, UPDATE" if table == TABLES[0] else "SELECT, INSERT, UPDATE, DELETE"
        op.execute(f"GRANT {rights} ON {table} TO hounsfield_web")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hounsfield_worker")
    op.add_column("keys", sa.Column("physician_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_keys_physician_id"),
        "keys",
        "physicians",
        ["physician_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(op.f("ix_keys_physician_id"), "keys", ["physician_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_keys_physician_id"), table_name="keys")
    op.drop_constraint(op.f("fk_keys_physician_id"), "keys", type_="foreignkey")
    op.drop_column("keys", "physician_id")
    for table in reversed(TABLES):
        op.drop_table(table)
