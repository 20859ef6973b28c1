"""The last runs of a feature version by an index, however many there were."""

from alembic import op

revision = "0012"
down_revision = "0009"


def upgrade() -> None:
    """Create the index."""
    op.execute(
        "CREATE INDEX computation_runs_by_start "
        "ON computation_runs (feature_name, version, started_at DESC)"
    )


def downgrade() -> None:
    """Drop the index."""
    op.execute("DROP INDEX computation_runs_by_start")
