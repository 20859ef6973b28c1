"""Drift of stored values against real snapshots and baselines, as commands and as metrics."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.core import Metric
from typer.testing import CliRunner

from feature_repo.registry.gather import gather_features
from foundation import clock
from foundation.postgres import Connection, connect
from foundation.settings import Settings
from monitoring import cli
from monitoring.exporter.families import metric_families
from monitoring.exporter.readings import readings
from monitoring.exporter.watch import Watch
from transformations.cli import app as transformations
from transformations.drift.after_run import measure_after_run
from transformations.drift.samples import sample_latest, sample_snapshot
from transformations.generated_tables import load_tables
from transformations.generator import Shop
from transformations.jobs import Job, jobs_of
from transformations.orchestration import Ending, run_jobs
from transformations.pipeline import Options
from transformations.snapshots import creation
from transformations.snapshots.storage import Storage

FEATURE = next(f for f in gather_features() if f.reference == "user_activity_level==1.0.0")
JOB = Job((FEATURE,), ())


def _store(connection: Connection, *, spread: float) -> None:
    """Give 500 users the activity of an exponential distribution, now and at midnight."""
    activity = np.random.default_rng(5).exponential(spread, 500)
    now = clock.now()
    at = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(seconds=1)
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO feature_latest VALUES (%s, 'user_activity_level', %s, '1.0.0', %s)
            ON CONFLICT (feature_name, version, entity_id)
            DO UPDATE SET feature_value = EXCLUDED.feature_value
            """,
            [(f"u{n}", json.dumps(value), at) for n, value in enumerate(activity)],
        )
    connection.commit()


@pytest.fixture
def snapshot(
    applied: Settings, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings of stores whose values have just become today's snapshot."""
    assert applied
    monkeypatch.setenv("FEATURE_STORE_SNAPSHOT_URL", tmp_path.as_uri())
    found = settings.model_copy(update={"snapshot_url": tmp_path.as_uri()})
    with connect(found) as connection:
        _store(connection, spread=0.1)
    now = clock.now()
    creation.create(
        found,
        Storage.open(found),
        [FEATURE],
        now.date(),
        now=now,
        force=False,
        on_progress=lambda _: None,
    )
    return found


def _metrics(settings: Settings) -> list[Metric]:
    watch = Watch(*readings(settings))
    watch.read_all()
    return list(metric_families(watch.picture, now=clock.now()))


def _detected(metrics: list[Metric]) -> float:
    return next(
        sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name == "feature_drift_detected_total"
        and sample.labels == {"feature_name": "user_activity_level", "against": "last"}
    )


def test_a_shift_is_told_counted_and_told_to_have_gone(
    snapshot: Settings, postgres: Connection
) -> None:
    """Exit codes, JSON, and the exporter's metrics; against the last snapshot."""
    runner = CliRunner()
    steady = runner.invoke(cli.app, ["drift", "user_activity_level", "--json"])
    assert (steady.exit_code, json.loads(steady.stdout)[0]["drifted"]) == (0, False)
    _store(postgres, spread=0.2)
    drifted = runner.invoke(cli.app, ["drift", "user_activity_level==1.0.0"])
    assert drifted.exit_code == 2
    assert "drifted" in drifted.stdout
    metrics = _metrics(snapshot)
    assert _detected(metrics) == 1
    scores = {
        sample.labels["statistic"]: sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name == "feature_drift_score"
    }
    assert scores.keys() == {"psi", "ks", "mean", "quantile", "count", "null_rate"}
    assert scores["psi"] > 0.2
    _store(postgres, spread=0.1)
    assert runner.invoke(cli.app, ["drift", "user_activity_level"]).exit_code == 0
    assert _detected(_metrics(snapshot)) == 1


def test_a_baseline_outlives_its_snapshot(snapshot: Settings, postgres: Connection) -> None:
    """Slow drift is seen, for the baseline stays what it was."""
    runner, day = CliRunner(), clock.now().date()
    pinned = runner.invoke(cli.app, ["baseline", "pin", "user_activity_level", "1.0.0"])
    assert (pinned.exit_code, "500 values" in pinned.stdout) == (0, True)
    assert "user_activity_level==1.0.0" in runner.invoke(cli.app, ["baseline", "list"]).stdout
    Storage.open(snapshot).remove(day)
    against = ["drift", "user_activity_level", "--against"]
    assert runner.invoke(cli.app, [*against, "baseline"]).exit_code == 0
    _store(postgres, spread=0.2)
    assert runner.invoke(cli.app, [*against, "baseline"]).exit_code == 2
    gone = runner.invoke(cli.app, [*against, str(day)])
    assert (gone.exit_code, "there is no snapshot" in gone.stderr) == (0, True)
    assert (
        runner.invoke(cli.app, ["baseline", "unpin", "user_activity_level", "1.0.0"]).exit_code == 0
    )
    assert "has no baseline" in runner.invoke(cli.app, [*against, "baseline"]).stderr


def test_both_references_are_measured_by_one_command(
    snapshot: Settings, postgres: Connection
) -> None:
    """The baseline if there is one; whoever only wants it recorded is not told by the exit code."""
    assert snapshot
    runner, command = CliRunner(), ["drift", "user_activity_level", "--against", "both"]
    alone = runner.invoke(cli.app, [*command, "--json"])
    assert [each["against"] for each in json.loads(alone.stdout)] == ["last"]
    assert "Not measured" not in alone.stderr
    runner.invoke(cli.app, ["baseline", "pin", "user_activity_level", "1.0.0"])
    _store(postgres, spread=0.2)
    both = runner.invoke(cli.app, [*command, "--json", "--exit-zero"])
    assert both.exit_code == 0
    found = [(each["against"], each["state"]) for each in json.loads(both.stdout)]
    assert found == [("last", "drifted"), ("baseline", "drifted")]
    assert runner.invoke(cli.app, command).exit_code == 2


def test_nothing_to_report_is_said(settings: Settings, tmp_path: Path) -> None:
    """Instead of a page that is not there."""
    assert settings
    told = CliRunner().invoke(cli.app, ["drift", "--report", str(tmp_path / "report")])
    assert "No report: nothing was measured." in told.stderr
    assert not (tmp_path / "report").exists()


def test_runs_are_followed_by_measurements_now_and_then(
    snapshot: Settings, postgres: Connection
) -> None:
    """Against the last snapshot and the baseline, once in the interval of the settings."""
    CliRunner().invoke(cli.app, ["baseline", "pin", "user_activity_level", "1.0.0"])
    measure_after_run(snapshot, JOB)
    measure_after_run(snapshot, JOB)
    measure_after_run(snapshot.model_copy(update={"drift_interval_seconds": 0.0}), JOB)
    rows = postgres.execute(
        "SELECT against, count(*) FROM drift_measurements GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert rows == [("baseline", 2), ("last", 2)]


def test_a_run_by_hand_is_followed_by_a_measurement_too(
    snapshot: Settings, postgres: Connection
) -> None:
    """But not one of an instant in the past; and it never fails by it."""
    now = clock.now()
    load_tables(snapshot, Shop(users=60, products=40, events=2_000, days=60, seed=3, until=now))
    run = ["run", "user_activity_level==1.0.0"]
    past = CliRunner().invoke(transformations, [*run, "--as-of", now.isoformat()])
    assert past.exit_code == 0, past.output
    count = "SELECT count(*) FROM drift_measurements"
    assert postgres.execute(count).fetchone() == (0,)
    done = CliRunner().invoke(transformations, run)
    assert done.exit_code == 0, done.output
    assert postgres.execute(count).fetchone() == (1,)
    [job] = [job for job in jobs_of(gather_features()) if job.name == JOB.name]
    options, started = Options(), (lambda _job: None)
    [outcome] = run_jobs(
        snapshot, [job], as_of=None, options=options, on_start=started, after_run=_fail
    )
    assert outcome.ending is Ending.SUCCEEDED


def _fail(_job: Job) -> None:
    raise RuntimeError


def test_what_has_no_reference_is_left_out(
    settings: Settings, postgres: Connection, tmp_path: Path
) -> None:
    """No snapshot yet, or no values: nothing to tell, and nothing fails."""
    empty = settings.model_copy(update={"snapshot_url": tmp_path.as_uri()})
    measure_after_run(empty, JOB)
    _store(postgres, spread=0.1)
    measure_after_run(empty, JOB)
    assert postgres.execute("SELECT count(*) FROM drift_measurements").fetchone() == (0,)


def test_large_sets_are_sampled(snapshot: Settings) -> None:
    """No more entities are looked at than the settings say; how many there are is told."""
    with connect(snapshot) as connection:
        latest = sample_latest(connection, FEATURE, limit=100, now=clock.now())
    assert (latest.entity_count, 50 < len(latest.values) < 150) == (500, True)
    taken = sample_snapshot(Storage.open(snapshot), FEATURE, None, limit=100)
    assert (taken.entity_count, len(taken.values)) == (500, 100)
    assert taken.values.equals(
        sample_snapshot(Storage.open(snapshot), FEATURE, None, limit=100).values
    )


def test_the_command_writes_a_report(snapshot: Settings, tmp_path: Path) -> None:
    """Into the folder that it is given."""
    assert snapshot
    folder = tmp_path / "report"
    done = CliRunner().invoke(cli.app, ["drift", "user_activity_level", "--report", str(folder)])
    assert done.exit_code == 0
    assert "user_activity_level" in (folder / "drift.html").read_text(encoding="utf-8")
