"""Events by user: what is computed on demand reads those of a few."""

from alembic import op

revision = "0012"
down_revision = "0011"

_UPGRADE = """
CREATE INDEX events_by_user ON events (user_id, event_timestamp);
"""

_DOWNGRADE = """
DROP INDEX events_by_user;
"""


def upgrade() -> None:
    """Create the index; tables with many events are read for a while, and can't be written to."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop the index."""
    op.execute(_DOWNGRADE)
