"""Which months of the history were dropped, and in which parts of the archive they are."""

from alembic import op

revision = "0013"
down_revision = "0012"

# In the transaction that drops a month, so that its values are always in one place and known there.
_UPGRADE = """
CREATE TABLE archived_parts (
    month date NOT NULL,
    part text NOT NULL,
    features text[] NOT NULL,
    manifest_sha256 text NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (month, part)
);
"""

_DOWNGRADE = """
DROP TABLE archived_parts;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Forget what was archived; the files stay."""
    op.execute(_DOWNGRADE)
