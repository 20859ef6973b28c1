"""Full-text search: the words of each product's title and description."""

from alembic import op

revision = "0003"
down_revision = "0002"

# Rewrites the table once. A tsvector holds 1 MB at most, hence the cut: what lies behind it is not
# searched, and no text, however long, is refused.
_UPGRADE = """
ALTER TABLE products ADD COLUMN search_text tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(to_tsvector('english', left(title, 10000)), 'A')
    || setweight(to_tsvector('english', left(coalesce(description, ''), 100000)), 'B')
) STORED;
"""

_DOWNGRADE = """
ALTER TABLE products DROP COLUMN search_text;
"""


def upgrade() -> None:
    """Add the words of products, which PostgreSQL keeps up to date."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop the words; the texts stay."""
    op.execute(_DOWNGRADE)
