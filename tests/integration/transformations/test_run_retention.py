"""Records of old runs go, but for those that something still looks at."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from foundation import clock
from foundation.postgres import Connection
from foundation.settings import Settings
from monitoring.exporter.jobs import read_job_states
from tests.integration.monitoring.runs_on_record import insert_run
from transformations.cli import app
from transformations.run_retention import remove_old_runs

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def _started(postgres: Connection) -> list[int]:
    rows = postgres.execute("SELECT started_at FROM computation_runs ORDER BY 1 DESC").fetchall()
    return [(NOW - started_at).days for (started_at,) in rows]


@pytest.fixture
def limits(settings: Settings) -> Settings:
    """Settings that keep runs for 10 days, and the history for 40."""
    return settings.model_copy(update={"run_retention_days": 10, "history_retention_days": 40})


def test_old_runs_go(postgres: Connection, limits: Settings) -> None:
    """However they ended; a dry run only counts them."""
    for days in range(30, 0, -1):
        insert_run(postgres, "f", started_at=NOW - days * DAY)
        status = "skipped" if days % 2 else "failed"
        insert_run(postgres, "f", started_at=NOW - days * DAY, status=status)
    for dry_run in (True, False):
        # The last 20 good runs, and the failures that are not old.
        assert remove_old_runs(postgres, limits, now=NOW, dry_run=dry_run) == 10 + 20
    assert _started(postgres) == sorted([*range(1, 21), *range(1, 11)])
    assert remove_old_runs(postgres, limits, now=NOW, dry_run=False) == 0


@pytest.mark.parametrize(
    ("arguments", "told", "left"),
    [(["--dry-run"], "1 records of runs would go", 2), ([], "1 records of runs removed", 1)],
)
def test_the_command(postgres: Connection, arguments: list[str], told: str, left: int) -> None:
    """It removes them, or only looks."""
    for days in (0, 400):
        started_at = clock.now() - days * DAY
        insert_run(postgres, "f", started_at=started_at, status="failed" if days else "succeeded")
    postgres.commit()
    result = CliRunner().invoke(app, ["remove-runs", *arguments])
    assert (result.exit_code, result.output) == (0, f"{told}\n")
    assert postgres.execute("SELECT count(*) FROM computation_runs").fetchone() == (left,)


def test_failures_since_the_last_success_still_count(
    postgres: Connection, limits: Settings
) -> None:
    """For as long as nobody does anything about them."""
    insert_run(postgres, "f", started_at=NOW - 60 * DAY)
    insert_run(postgres, "f", started_at=NOW - 70 * DAY, status="failed")
    for days in (50, 30, 5):
        insert_run(postgres, "f", started_at=NOW - days * DAY, status="failed")
        insert_run(postgres, "never", started_at=NOW - days * DAY, status="failed")
    before = read_job_states(postgres, ["f==1.0.0", "never==1.0.0"])
    assert remove_old_runs(postgres, limits, now=NOW, dry_run=False) == 1
    assert read_job_states(postgres, ["f==1.0.0", "never==1.0.0"]) == before
    assert [state.consecutive_failures for state in before] == [3, 3]


def test_what_is_in_the_history_is_not_computed_again(
    postgres: Connection, limits: Settings
) -> None:
    """A backfill goes by the records of what it did."""
    for days in range(1, 31):
        insert_run(
            postgres,
            "f",
            started_at=NOW - 20 * DAY,
            as_of=NOW - (20 + days) * DAY,
            backfill=True,
        )
    postgres.execute("UPDATE computation_runs SET history_row_count = 7")
    # Of the last 10 instants, no values are in PostgreSQL any more.
    assert remove_old_runs(postgres, limits, now=NOW, dry_run=False) == 10
    [(oldest,)] = postgres.execute("SELECT min(as_of) FROM computation_runs").fetchall()
    assert oldest == NOW - 40 * DAY


def test_a_run_that_goes_on_is_kept(postgres: Connection, limits: Settings) -> None:
    """Whoever starts the next one sees that it was cut off."""
    insert_run(postgres, "f", started_at=NOW - 60 * DAY, status="running")
    insert_run(postgres, "f", started_at=NOW - 1 * DAY)
    assert remove_old_runs(postgres, limits, now=NOW, dry_run=False) == 0
