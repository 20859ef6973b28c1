"""API keys of the gateway's callers; of a key itself only its hash is kept."""

from alembic import op

revision = "0004"
down_revision = "0003"

_UPGRADE = """
CREATE TABLE api_keys (
    key_id text PRIMARY KEY,
    name text NOT NULL,
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
"""

_DOWNGRADE = """
DROP TABLE api_keys;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop the table, and with it every key."""
    op.execute(_DOWNGRADE)
