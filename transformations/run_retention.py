"""Remove records of old runs, but for those that something still looks at."""

from datetime import datetime, timedelta

from foundation.postgres import Connection
from foundation.settings import Settings

# The exporter's usual duration is of 20 runs, and the gate holds arrivals against 10.
_SUCCESSES_KEPT = 20

# Both lists are short and made once, whatever the number of runs. A job that never succeeded is in
# neither, and keeps all its records.
_REMOVE = """
WITH last_success AS MATERIALIZED (
    SELECT job_name, max(started_at) AS started_at FROM computation_runs
    WHERE status = 'succeeded' AND NOT backfill GROUP BY job_name
), kept_success AS MATERIALIZED (
    SELECT feature_name, version, backfill, is_of_all, min(as_of) AS as_of
    FROM (SELECT feature_name, version, backfill, entity_scope = 'all' AS is_of_all, as_of,
                 row_number() OVER (PARTITION BY feature_name, version, backfill,
                     entity_scope = 'all' ORDER BY as_of DESC) AS place
          FROM computation_runs WHERE status = 'succeeded') AS success
    WHERE place <= %(successes)s GROUP BY feature_name, version, backfill, is_of_all
)
DELETE FROM computation_runs AS run
WHERE started_at < %(oldest)s AND status <> 'running'
  AND (history_row_count IS NULL OR as_of < %(oldest_in_history)s)
  AND (backfill OR started_at < (
      SELECT last.started_at FROM last_success AS last WHERE last.job_name = run.job_name))
  AND (status <> 'succeeded' OR as_of < (
      SELECT kept.as_of FROM kept_success AS kept
      WHERE kept.feature_name = run.feature_name AND kept.version = run.version
        AND kept.backfill = run.backfill AND kept.is_of_all = (run.entity_scope = 'all')))
"""


def remove_old_runs(
    connection: Connection, settings: Settings, *, now: datetime, dry_run: bool
) -> int:
    """
    Remove the records of runs that started longer ago than they must be kept.

    What stays for longer: the last successful runs of each version, which tell where the next one
    goes on, how long it usually takes and how values are distributed; all runs since a job's last
    success, whose failures are counted; and what a backfill has written to the history that is
    still in PostgreSQL, so that it is not computed again.

    Args:
        connection: To PostgreSQL.
        settings: How long runs, and the history, are kept.
        now: Current instant.
        dry_run: Only count.

    Returns:
        How many records are gone, or would be.
    """
    with connection.transaction(force_rollback=dry_run):
        return connection.execute(
            _REMOVE,
            {
                "oldest": now - timedelta(days=settings.run_retention_days),
                "oldest_in_history": now - timedelta(days=settings.history_retention_days),
                "successes": _SUCCESSES_KEPT,
            },
        ).rowcount
