"""
Row-level security as statements, for migrations to execute.

The web role sees and writes the rows whose facility is in the transaction's scope
(`hounsfield.facilities`, an array) or, for the operator, all (`hounsfield.everything`). The worker
is let through by a policy, not by BYPASSRLS. Row security is forced, so that the owner of a table
is not let through either.
"""

from collections.abc import Iterator

FUNCTIONS = (
    """
    CREATE OR REPLACE FUNCTION hounsfield_facilities() RETURNS int[] LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT COALESCE(NULLIF(current_setting('hounsfield.facilities', true), '')::int[], '{}') $$
    """,
    """
    CREATE OR REPLACE FUNCTION hounsfield_everything() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT COALESCE(current_setting('hounsfield.everything', true) = 'on', false) $$
    """,
)

ROLES = ("hounsfield_web", "hounsfield_worker")


def create_roles() -> Iterator[str]:
    """Make the two roles where the cluster lacks them, and let the owner take them."""
    for role in ROLES:
        yield f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN;
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$
        """
        # A superuser may take any role; a plain owner needs the membership (PostgreSQL 16 and later).
        yield f"""
            DO $$ BEGIN
                IF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN
                    EXECUTE 'GRANT {role} TO ' || quote_ident(current_user);
                END IF;
            END $$
        """


def bind(
    table: str, column: str, *, array: bool = False, through: str | None = None
) -> Iterator[str]:
    """Put a table under row-level security by the facility in `column` (or facilities, if an array).

    With `through`, rows without a facility are seen by whoever sees their row in that table
    (joined by `submission_number` = `number`).
    """
    mine = (
        f"(cardinality({column}) > 0 AND {column} <@ (SELECT hounsfield_facilities()::bigint[]))"
        if array
        else f"{column} = ANY (ARRAY(SELECT unnest(hounsfield_facilities())))"
    )
    if through is not None:
        name = table.rpartition(".")[2]
        mine += (
            f" OR ({column} IS NULL AND EXISTS"
            f" (SELECT FROM {through} s WHERE s.number = {name}.submission_number))"
        )
    condition = f"(SELECT hounsfield_everything()) OR {mine}"
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
    yield f"CREATE POLICY web ON {table} TO hounsfield_web USING ({condition}) WITH CHECK ({condition})"
    yield f"CREATE POLICY worker ON {table} TO hounsfield_worker USING (true) WITH CHECK (true)"
