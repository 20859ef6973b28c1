"""What monitoring remembers: totals of counters, baselines of drift, and what was measured."""

from alembic import op

revision = "0007"
down_revision = "0006"

_UPGRADE = """
-- Counters that outlive processes and run records: a run is added once, and marked as counted.
CREATE TABLE metric_totals (
    metric text NOT NULL,
    labels jsonb NOT NULL,
    total double precision NOT NULL,
    PRIMARY KEY (metric, labels)
);
ALTER TABLE computation_runs ADD COLUMN counted boolean NOT NULL DEFAULT false;
CREATE INDEX computation_runs_uncounted ON computation_runs (started_at)
    WHERE NOT counted AND NOT backfill;

-- How fresh a source table is must not take a look at all its rows.
CREATE INDEX products_created_at ON products (created_at);
CREATE INDEX users_created_at ON users (created_at);

-- The sample itself, as Parquet: a baseline outlives the snapshot that it was taken from.
CREATE TABLE drift_baselines (
    feature_name text NOT NULL,
    version text NOT NULL,
    snapshot_date date NOT NULL,
    entity_count bigint NOT NULL,
    sample bytea NOT NULL,
    pinned_at timestamptz NOT NULL,
    PRIMARY KEY (feature_name, version)
);

CREATE TABLE drift_measurements (
    measurement_id uuid PRIMARY KEY,
    feature_name text NOT NULL,
    version text NOT NULL,
    measured_at timestamptz NOT NULL,
    against text NOT NULL CHECK (against IN ('last', 'baseline')),
    reference_date date NOT NULL,
    reference_count bigint NOT NULL,
    current_count bigint NOT NULL,
    drifted boolean NOT NULL,
    findings jsonb NOT NULL
);
CREATE INDEX drift_measurements_by_version
    ON drift_measurements (feature_name, version, against, measured_at DESC);
"""

_DOWNGRADE = """
DROP INDEX products_created_at, users_created_at;
DROP TABLE drift_measurements, drift_baselines, metric_totals;
ALTER TABLE computation_runs DROP COLUMN counted;
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop the tables; counters start again at zero."""
    op.execute(_DOWNGRADE)
