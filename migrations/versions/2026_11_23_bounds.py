"""
Bounds of ranks as bytes: an array of PostgreSQL's takes twice the room, and the time to make it.

Revision ID: 20261123_bounds
Revises: 20261123_order
"""

from alembic import op

revision = "20261123_bounds"
down_revision = "20261123_order"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    # As `app.benchmarks.spread.packed` has them, each number in eight bytes.
    op.execute(
        r"""
        CREATE FUNCTION pg_temp.packed(bounds bigint[]) RETURNS bytea LANGUAGE sql STRICT AS $$
          SELECT '\x08'::bytea || string_agg(int8send(bound), '' ORDER BY place)
          FROM unnest(bounds) WITH ORDINALITY AS one(bound, place)
        $$
        """
    )
    op.execute(
        "ALTER TABLE snapshot_spreads ALTER rank_bounds TYPE bytea USING pg_temp.packed(rank_bounds)"
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute(
        """
        CREATE FUNCTION pg_temp.unpacked(kept bytea) RETURNS bigint[] LANGUAGE sql STRICT AS $$
          SELECT array_agg(
            CASE size WHEN 4 THEN ('x' || digits)::bit(32)::integer
                      ELSE ('x' || digits)::bit(64)::bigint END ORDER BY place)
          FROM (SELECT get_byte(kept, 0) AS size) AS one
          CROSS JOIN generate_series(2, length(kept), size) AS place
          CROSS JOIN LATERAL (
            SELECT encode(substring(kept FROM place FOR size), 'hex') AS digits) AS its
        $$
        """
    )
    op.execute(
        "ALTER TABLE snapshot_spreads ALTER rank_bounds TYPE bigint[]"
        " USING pg_temp.unpacked(rank_bounds)"
    )
