"""When a value was written: as it is written, and of a row always later than what it replaces."""

from alembic import op

revision = "0010"
down_revision = "0009"

# A transaction's start says nothing of when it writes. Of two that overlap, the one that began
# first may write last: its value was not there until then, and what it replaced was.
_UPGRADE = """
ALTER TABLE feature_values ALTER created_at SET DEFAULT clock_timestamp();
ALTER TABLE feature_latest ALTER created_at SET DEFAULT clock_timestamp();

DROP TRIGGER keep_replaced_value ON feature_values;

-- It runs under the row's lock, when whoever wrote the old value is done.
CREATE OR REPLACE FUNCTION keep_replaced_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := greatest(clock_timestamp(), OLD.created_at + interval '1 microsecond');
    INSERT INTO replaced_values
    VALUES (OLD.entity_id, OLD.feature_name, OLD.feature_value, OLD.version, OLD."timestamp",
            OLD.created_at, NEW.created_at)
    ON CONFLICT DO NOTHING;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_replaced_value BEFORE UPDATE ON feature_values
FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION keep_replaced_value();
"""

_DOWNGRADE = """
DROP TRIGGER keep_replaced_value ON feature_values;

CREATE OR REPLACE FUNCTION keep_replaced_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO replaced_values
    VALUES (OLD.entity_id, OLD.feature_name, OLD.feature_value, OLD.version, OLD."timestamp",
            OLD.created_at, NEW.created_at)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER keep_replaced_value AFTER UPDATE ON feature_values
FOR EACH ROW WHEN (OLD.created_at < NEW.created_at) EXECUTE FUNCTION keep_replaced_value();

ALTER TABLE feature_latest ALTER created_at SET DEFAULT now();
ALTER TABLE feature_values ALTER created_at SET DEFAULT now();
"""


def upgrade() -> None:
    """Stamp values as they are written, and keep all that is replaced."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Stamp values with the start of their transaction again."""
    op.execute(_DOWNGRADE)
