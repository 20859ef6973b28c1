"""Corrections: what the history said before, so that training sets can be rebuilt."""

from alembic import op

revision = "0005"
down_revision = "0004"

# A trigger, so that nobody who corrects the history can forget it; it costs an update only.
_UPGRADE = """
CREATE TABLE replaced_values (
    entity_id text NOT NULL,
    feature_name text NOT NULL,
    feature_value jsonb NOT NULL,
    version text NOT NULL,
    "timestamp" timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    replaced_at timestamptz NOT NULL,
    PRIMARY KEY (feature_name, version, entity_id, "timestamp", created_at)
);

CREATE FUNCTION keep_replaced_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO replaced_values
    VALUES (OLD.entity_id, OLD.feature_name, OLD.feature_value, OLD.version, OLD."timestamp",
            OLD.created_at, NEW.created_at)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER keep_replaced_value AFTER UPDATE ON feature_values
FOR EACH ROW WHEN (OLD.created_at < NEW.created_at) EXECUTE FUNCTION keep_replaced_value();
"""

_DOWNGRADE = """
DROP TRIGGER keep_replaced_value ON feature_values;
DROP FUNCTION keep_replaced_value;
DROP TABLE replaced_values;
"""


def upgrade() -> None:
    """Keep what corrections replace, from now on."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Forget what was replaced; the history stays as it is."""
    op.execute(_DOWNGRADE)
