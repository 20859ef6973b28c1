"""Run the demo: every step is one that users take, and prints what it did."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
from rich.table import Table

from demo import shop
from demo.gateway import running_gateway
from demo.stopwatch import Stopwatch
from feature_repo.ingestion.complete_journey import write_complete_journey
from feature_repo.ingestion.loading import load_files
from feature_repo.ingestion.tables import load_table
from feature_repo.registry.catalog import REPO_PATH, read_catalog
from feature_repo.stores.schema import migrate
from foundation import clock, embedded
from foundation.cli import console, run
from foundation.errors import ContractViolation
from foundation.postgres import connect
from foundation.settings import Settings, load_settings
from transformations.backfill import Plan, backfill
from transformations.orchestration import Ending, Outcome, run_jobs
from transformations.past_runs import recent_runs
from transformations.pipeline import Options
from transformations.plots import model_quality_figure
from transformations.selection import scheduled_jobs, snapshot_features
from transformations.snapshots import creation
from transformations.snapshots.storage import Storage
from transformations.tables import backfill_table, report_table

_HISTORY_WEEKS = 2
_BACKFILLED = {
    "popularity_score==1.0.0",
    "product_freshness_score==1.0.0",
    "category_popularity==1.0.0",
    "user_category_affinity==1.0.0",
    "user_activity_level==1.0.0",
}
_TRAINED_ON = [
    "popularity_score_v1_0_0:popularity_score",
    "product_freshness_score_v1_0_0:product_freshness_score",
    "user_category_affinity_v1_0_0:user_category_affinity",
    "user_activity_level_v1_0_0:user_activity_level",
]
_MATERIALIZED = "user_activity_level_v1_0_0"
_QUERY = "cheese"
_ROWS_PER_WEEK = 4
_CANDIDATES = 100
_RANKED_ROWS = 10

_GOING_ON = """
The servers keep running. Go on with:
  [bold].venv/bin/python -m feature_repo list[/]           the catalog
  [bold]make serve[/]                                      the gateway; its documentation is at http://127.0.0.1:8080/docs
  [bold].venv/bin/python -m serving_gateway keys create --name me[/]   its key
  [bold].venv/bin/python -m transformations runs[/]        the record of the runs above
  [bold].venv/bin/python -m monitoring status[/]           how stale each feature is
  [bold].venv/bin/python -m transformations schedule[/]    keep everything fresh
  [bold]make down[/]                                       stop the servers; data stay
"""


def demo() -> None:
    """Take every step in turn."""
    settings = load_settings()
    stopwatch = Stopwatch()
    with stopwatch.step("Start PostgreSQL and Valkey"):
        if settings.postgres_url is None or settings.redis_url is None:
            embedded.start(settings.data_dir)
        console.print(f"Schema revision {migrate(settings)}")
    with stopwatch.step("Load a year of purchases (simulated from real grocery shopping)"):
        _load(settings)
    with stopwatch.step("feast apply"):
        _feast("apply")
    with stopwatch.step("Compute every feature of now"):
        _compute(settings)
    with stopwatch.step(f"Backfill {_HISTORY_WEEKS} past weeks"):
        midnights = _past_midnights()
        _backfill(settings, midnights)
    with stopwatch.step("Snapshot of the last midnight that was backfilled"):
        _snapshot(settings, midnights[-1])
    with stopwatch.step(f"feast materialize-incremental, of {_MATERIALIZED}"):
        until = f"{clock.now():%Y-%m-%dT%H:%M:%S}"
        _feast("materialize-incremental", until, "--views", _MATERIALIZED)
    with stopwatch.step(f"Rank what matches {_QUERY!r} for one household"):
        _rank(settings)
    with stopwatch.step("Point-in-time training rows from get_historical_features"):
        _train(settings, midnights)
    console.print(stopwatch.table())
    console.print(_GOING_ON, highlight=False, markup=True)


def _load(settings: Settings) -> None:
    folder = settings.data_dir / "complete_journey"
    folder.mkdir(parents=True, exist_ok=True)
    with connect(settings) as connection:
        shop.reset(connection)
    events, products = write_complete_journey(folder, newest=clock.now())
    report = load_files(
        settings,
        events=events,
        products=products,
        rejects=folder / "rejects.csv",
        now=clock.now(),
    )
    console.print(load_table(report))


def _feast(*arguments: str) -> None:
    feast = Path(sys.executable).with_name("feast")
    subprocess.run([feast, *arguments], cwd=REPO_PATH, check=True)  # noqa: S603 - our own arguments


def _past_midnights() -> list[datetime]:
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return [today - timedelta(weeks=week) for week in range(_HISTORY_WEEKS, 0, -1)]


def _compute(settings: Settings) -> None:
    jobs = scheduled_jobs(read_catalog())
    outcomes = run_jobs(
        settings,
        jobs,
        as_of=None,
        options=Options(),
        on_start=lambda job: console.print(f"Computing {job.name}", style="dim"),
    )
    _refuse_failures(outcomes)
    console.print(report_table([report for outcome in outcomes for report in outcome.reports]))
    with connect(settings) as connection:
        records = recent_runs(connection, of="user_product_affinity", limit=10, failed_only=False)
    figure = settings.data_dir / "user_product_affinity.png"
    model_quality_figure(records, title="user_product_affinity 1.0.0").savefig(figure)
    metrics = records[0]["metrics"]
    console.print(
        f"user_product_affinity, tested on the last 30 days: "
        f"recall@20 {metrics['recall_at_20']:.3f}, NDCG@20 {metrics['ndcg_at_20']:.3f}; "
        f"recommending what is popular: {metrics['baseline_recall_at_20']:.3f}, "
        f"{metrics['baseline_ndcg_at_20']:.3f} ({figure})"
    )


def _backfill(settings: Settings, midnights: list[datetime]) -> None:
    jobs = [job for job in scheduled_jobs(read_catalog()) if job.name in _BACKFILLED]
    report = backfill(
        settings,
        Plan(jobs, midnights, entity_ids=None),
        options=Options(),
        parallel=os.cpu_count() or 1,
        on_progress=lambda _at, _count: None,
    )
    console.print(backfill_table(report))
    _refuse_failures([outcome for _, outcome in report.outcomes])


def _refuse_failures(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.ending is not Ending.SUCCEEDED:
            raise ContractViolation(f"{outcome.job.name} {outcome.ending}: {outcome.error}")


def _snapshot(settings: Settings, midnight: datetime) -> None:
    manifest = creation.create(
        settings,
        Storage.open(settings),
        snapshot_features(read_catalog()),
        midnight.date(),
        now=clock.now(),
        force=True,
        on_progress=lambda _: None,
    )
    console.print(
        f"{manifest.day}: {manifest.row_count:,} values, {manifest.byte_count / 1e6:.1f} MB"
    )


def _rank(settings: Settings) -> None:
    with connect(settings) as connection:
        household = shop.busiest_household(connection)
        candidates = shop.candidates(connection, _QUERY, count=_CANDIDATES)
    asked = {
        "product_ids": [candidate.product_id for candidate in candidates],
        "user_id": household,
        "query": _QUERY,
    }
    with running_gateway() as gateway:
        for _ in ("from wherever they are", "again, now that most are in Redis"):
            response = gateway.post("/v1/feature-services/ranking_v1", json=asked)
            response.raise_for_status()
            answer = response.json()
            console.print(
                f"{sum(answer['counts'].values())} values of ranking_v1 in "
                f"{response.elapsed.total_seconds() * 1_000:.1f} ms: {answer['counts']}"
            )
    values = {
        row["product_id"]: {name: row[name] or 0.0 for name in shop.WEIGHTS}
        for row in answer["rows"]
    }
    console.print(shop.ranked_table(candidates, values, household, rows=_RANKED_ROWS))


def _train(settings: Settings, midnights: list[datetime]) -> None:
    from feast import FeatureStore  # noqa: PLC0415 - takes seconds

    with connect(settings) as connection:
        bought = shop.purchases(connection, count=_ROWS_PER_WEEK * len(midnights))
    entity_rows = pd.DataFrame(bought, columns=["user_id", "product_id"]).assign(
        event_timestamp=[at + timedelta(minutes=30) for at in midnights] * _ROWS_PER_WEEK
    )
    store = FeatureStore(repo_path=str(REPO_PATH))
    rows = store.get_historical_features(entity_df=entity_rows, features=_TRAINED_ON).to_df()
    table = Table(title="Every value as it was known then")
    for column in rows.columns:
        table.add_column(column, max_width=40, no_wrap=True)
    for row in rows.sort_values(["event_timestamp", "user_id"]).itertuples(index=False):
        table.add_row(*(_shown(value) for value in row))
    console.print(table)


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    run(demo)
