"""
Write the initial migration anew from the models. Only until the first release; afterwards never.

    python -m migrations.regenerate
"""

import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from app.models import Base
from app.models.case import PARTITIONS
from app.models.vault import SCHEMA

TARGET = Path(__file__).parent / "versions" / "2026_11_21_initial.py"

READ = "SELECT"
ADD = "SELECT, INSERT"
ALL = "SELECT, INSERT, UPDATE, DELETE"

WEB = {
    "corporate_accounts": ALL,
    "facilities": "SELECT, INSERT, UPDATE",
    "administrators": ALL,
    "physicians": ALL,
    "physician_facilities": ALL,
    "participations": "SELECT, INSERT, UPDATE",
    "participation_transitions": ADD,
    "partners": "SELECT, INSERT, UPDATE",
    "partner_authorisations": ALL,
    "keys": "SELECT, INSERT, UPDATE (revoked_at, revoked_by)",  # a key is ended, never altered
    "definitions": ADD,
    "reporting_modules": ADD,
    "submissions": ADD,
    "instances": ADD,
    "findings": ADD,  # a part of a delivery that is no instance is told at the door
    "audit_events": ADD,
    "schedules": "SELECT, INSERT, UPDATE",
    "vault.quarantine": ADD,
    "vault.identities": READ,
    "vault.terms": READ,
    "vault.subject_tokens": None,
    "vault.merges": None,
    "vault.image_patients": None,
    "vault.measurements": None,
    "alembic_version": READ,
}
"""What the web role may do where it differs from reading. The worker may do everything but rewrite audit."""


def security() -> list[str]:
    """Calls that put each facility-bound table under row-level security, and the grants."""
    lines = []
    for table in Base.metadata.sorted_tables:
        column = table.info.get("facility_bound")
        if column is not None:
            array = isinstance(table.c[column].type, ARRAY)
            lines.append(
                f"execute(bind({table.fullname!r}, {column!r}, array={array}, through={table.info['through']!r}))"
            )
    # Acts that concern no facility are written down by whoever does them, and read by the operator.
    lines.append(
        "op.execute('CREATE POLICY append ON audit_events FOR INSERT TO hounsfield_web"
        " WITH CHECK (facility_id IS NULL)')"
    )
    for table in Base.metadata.sorted_tables:
        web = WEB.get(table.fullname, READ)
        if web is not None:
            lines.append(f"op.execute('GRANT {web} ON {table.fullname} TO hounsfield_web')")
        worker = ADD if table.fullname in ("audit_events", "audit_blocks") else ALL
        lines.append(f"op.execute('GRANT {worker} ON {table.fullname} TO hounsfield_worker')")
    return lines


def body() -> str:
    """The upgrade's statements as Python."""
    operations: list[ops.MigrateOperation] = []
    for table in Base.metadata.sorted_tables:
        operations.append(ops.CreateTableOp.from_table(table))
        operations += [
            ops.CreateIndexOp.from_index(index)
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
    context = MigrationContext.configure(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy types its instances only
        opts={"target_metadata": Base.metadata},
    )
    return str(render_python_code(ops.UpgradeOps(operations), migration_context=context))


def main() -> None:
    """Write the file and format it."""
    indent = "\n".join("    " + line for line in security())
    TARGET.write_text(f'''"""
The first tables.

Revision ID: 20261121
"""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

from migrations.security import FUNCTIONS, bind, create_roles

revision = "20261121"
down_revision = None
branch_labels = None
depends_on = None


def execute(statements: Iterable[str]) -> None:
    for statement in statements:
        op.execute(statement)


def upgrade() -> None:
    execute(create_roles())
    op.execute("CREATE SCHEMA {SCHEMA}")
    op.execute("CREATE SEQUENCE versions_id_seq")
    execute(FUNCTIONS)
    {body()}
    for part in range({PARTITIONS}):
        op.execute(
            f"CREATE TABLE versions_{{part:02}} PARTITION OF versions"
            f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {{part}})"
            # Rows of a few kilobytes stay whole: to move them out of line costs more than it saves.
            " WITH (toast_tuple_target = 8160)"
        )
    op.execute("ALTER TABLE entries SET (toast_tuple_target = 8160, fillfactor = 100)")
    op.execute("GRANT USAGE ON SCHEMA {SCHEMA} TO hounsfield_web, hounsfield_worker")
    op.execute(
        "GRANT USAGE ON SEQUENCE versions_id_seq, cases_id_seq, subjects_id_seq TO hounsfield_worker"
    )
    op.execute("GRANT SELECT ON alembic_version TO hounsfield_web, hounsfield_worker")
{indent}


def downgrade() -> None:
    raise RuntimeError("The first tables are not taken down by a migration: drop the database.")
''')
    subprocess.run([sys.executable, "-m", "ruff", "check", "-q", "--fix", TARGET], check=False)  # noqa: S603 - our own file
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", TARGET], check=True)  # noqa: S603 - our own file


if __name__ == "__main__":
    main()
