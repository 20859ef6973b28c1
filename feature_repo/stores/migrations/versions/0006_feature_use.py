"""How often each feature version was served, a row a day."""

from alembic import op

revision = "0006"
down_revision = "0005"

_UPGRADE = """
CREATE TABLE feature_use (
    feature_name text NOT NULL,
    version text NOT NULL,
    day date NOT NULL,
    requests bigint NOT NULL CHECK (requests > 0),
    PRIMARY KEY (feature_name, version, day)
);
"""

_DOWNGRADE = """
DROP TABLE feature_use;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop the table, and with it what was counted."""
    op.execute(_DOWNGRADE)
