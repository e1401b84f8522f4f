"""
Issued reports: what a facility was sent, with digests.

Revision ID: 20261122_reports
Revises: 20261122_peers
"""

import sqlalchemy as sa
from alembic import op

from migrations.security import bind

revision = "20261122_reports"
down_revision = "20261122_peers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "report_issues",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_issues")),
    )
    op.create_index(
        "uq_report_issues_open",
        "report_issues",
        ["registry_id", "period"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "issued_reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("report_issue_id", sa.BigInteger(), nullable=False),
        sa.Column("registry_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Integer(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("named", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("supersedes", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("definition_version", sa.Text(), nullable=True),
        sa.Column("feed_number", sa.BigInteger(), nullable=True),
        sa.Column("snapshot_on", sa.Date(), nullable=True),
        sa.Column("composition_path", sa.Text(), nullable=True),
        sa.Column("composition_sha256", sa.Text(), nullable=True),
        sa.Column("pdf_path", sa.Text(), nullable=True),
        sa.Column("pdf_sha256", sa.Text(), nullable=True),
        sa.Column("pdf_size", sa.BigInteger(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "not_before",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("token", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issued_reports")),
        sa.UniqueConstraint(
            "report_issue_id", "facility_id", name=op.f("uq_issued_reports_report_issue_id_facility_id")
        ),
        sa.UniqueConstraint(
            "facility_id",
            "registry_id",
            "period",
            "number",
            name=op.f("uq_issued_reports_facility_id_registry_id_period_number"),
        ),
        info={"facility_bound": "facility_id", "through": None},
    )
    op.create_index(
        "ix_issued_reports_waiting",
        "issued_reports",
        ["id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    for statement in bind("issued_reports", "facility_id"):
        op.execute(statement)
    op.execute("GRANT SELECT ON issued_reports TO hounsfield_web")
    for table in ("report_issues", "issued_reports"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hounsfield_worker")


def downgrade() -> None:
    op.drop_table("issued_reports")
    op.drop_table("report_issues")
