"""Measurements of drift that are of too few values, and how fresh products are."""

from alembic import op

revision = "0011"
down_revision = "0010"

_UPGRADE = """
ALTER TABLE drift_measurements ADD COLUMN too_few boolean NOT NULL DEFAULT false;

-- A product that changed is as good a sign of life as a new one.
DROP INDEX products_created_at;
CREATE INDEX products_updated_at ON products (updated_at);
"""

_DOWNGRADE = """
DROP INDEX products_updated_at;
CREATE INDEX products_created_at ON products (created_at);

ALTER TABLE drift_measurements DROP COLUMN too_few;
"""


def upgrade() -> None:
    """Extend the tables of monitoring."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Take it back."""
    op.execute(_DOWNGRADE)
