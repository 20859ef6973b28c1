"""Source tables, feature values and computation runs."""

from alembic import op

revision = "0001"
down_revision = None

_UPGRADE = """
CREATE TABLE products (
    product_id text PRIMARY KEY,
    title text NOT NULL,
    description text,
    category text,
    price double precision CHECK (price >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE users (
    user_id text PRIMARY KEY,
    created_at timestamptz NOT NULL
);

-- Without foreign keys: loading checks whole batches against products, far cheaper than row by row.
CREATE TABLE events (
    event_id text PRIMARY KEY,
    user_id text NOT NULL,
    product_id text NOT NULL,
    event_type text NOT NULL CHECK (event_type IN ('view', 'add_to_cart', 'purchase')),
    event_timestamp timestamptz NOT NULL
);
CREATE INDEX events_event_timestamp ON events (event_timestamp);

-- The history: one row a value a run, appended at each version's history interval.
CREATE TABLE feature_values (
    entity_id text NOT NULL,
    feature_name text NOT NULL,
    feature_value jsonb NOT NULL,
    version text NOT NULL,
    "timestamp" timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (feature_name, version, entity_id, "timestamp")
) PARTITION BY RANGE ("timestamp");

-- One row an entity, replaced at every run: what the gateway falls back to. The free space lets an
-- update stay on its page, without touching the index.
CREATE TABLE feature_latest (
    entity_id text NOT NULL,
    feature_name text NOT NULL,
    feature_value jsonb NOT NULL,
    version text NOT NULL,
    "timestamp" timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (feature_name, version, entity_id)
) WITH (fillfactor = 50);

CREATE TABLE computation_runs (
    run_id uuid PRIMARY KEY,
    feature_name text NOT NULL,
    version text NOT NULL,
    engine text NOT NULL,
    as_of timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    status text NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')),
    code_fingerprint text NOT NULL,
    inputs jsonb NOT NULL DEFAULT '{}',
    row_count bigint,
    latest_row_count bigint,
    history_row_count bigint,
    online_row_count bigint,
    checks jsonb NOT NULL DEFAULT '[]',
    error text
);
CREATE INDEX computation_runs_by_version
    ON computation_runs (feature_name, version, as_of DESC);
"""

_DOWNGRADE = """
DROP TABLE computation_runs, feature_latest, feature_values, events, users, products;
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop the tables, with all they hold."""
    op.execute(_DOWNGRADE)
