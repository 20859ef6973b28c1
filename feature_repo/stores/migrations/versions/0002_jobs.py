"""Jobs: what a run record tells of them, and the state of incremental computations."""

from alembic import op

revision = "0002"
down_revision = "0001"

_UPGRADE = """
ALTER TABLE computation_runs
    ADD COLUMN job_name text,
    ADD COLUMN backfill boolean NOT NULL DEFAULT false,
    ADD COLUMN entity_scope text NOT NULL DEFAULT 'all',
    ADD COLUMN attempt integer NOT NULL DEFAULT 1,
    ADD COLUMN window_start timestamptz,
    ADD COLUMN checksum text,
    ADD COLUMN metrics jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN distribution jsonb,
    DROP CONSTRAINT computation_runs_status_check,
    ADD CONSTRAINT computation_runs_status_check
        CHECK (status IN ('running', 'succeeded', 'failed', 'skipped'));
UPDATE computation_runs SET job_name = feature_name || '==' || version;
ALTER TABLE computation_runs ALTER COLUMN job_name SET NOT NULL;
CREATE INDEX computation_runs_by_job ON computation_runs (job_name, started_at DESC);

-- What an incremental computation has added up so far. Events in (window_start, window_end] are in;
-- their weights are decayed to the instant `reference`.
CREATE TABLE incremental_states (
    job_name text PRIMARY KEY,
    code_fingerprint text NOT NULL,
    reference timestamptz NOT NULL,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL
);
CREATE TABLE incremental_totals (
    job_name text NOT NULL REFERENCES incremental_states ON DELETE CASCADE,
    product_id text NOT NULL,
    total double precision NOT NULL,
    event_count bigint NOT NULL,
    PRIMARY KEY (job_name, product_id)
) WITH (fillfactor = 70);
"""

_DOWNGRADE = """
DROP TABLE incremental_totals, incremental_states;
DELETE FROM computation_runs WHERE status = 'skipped';
ALTER TABLE computation_runs
    DROP COLUMN job_name, DROP COLUMN backfill, DROP COLUMN entity_scope, DROP COLUMN attempt,
    DROP COLUMN window_start, DROP COLUMN checksum, DROP COLUMN metrics, DROP COLUMN distribution,
    DROP CONSTRAINT computation_runs_status_check,
    ADD CONSTRAINT computation_runs_status_check
        CHECK (status IN ('running', 'succeeded', 'failed'));
"""


def upgrade() -> None:
    """Extend the run record, and create the tables of incremental states."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Forget incremental states, and what only jobs record."""
    op.execute(_DOWNGRADE)
