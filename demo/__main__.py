"""Run the demo: every step is one that users take, and prints what it did."""

import subprocess
import sys
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
from foundation.postgres import connect
from foundation.settings import Settings, load_settings
from transformations import pipeline
from transformations.selection import scheduled_jobs
from transformations.tables import report_table

_HISTORY_WEEKS = 2
_ROWS_PER_WEEK = 4
_CANDIDATES = 100
_RANKED_ROWS = 10

_GOING_ON = """
The servers keep running. Go on with:
  [bold].venv/bin/python -m feature_repo list[/]           the catalog
  [bold]make serve[/]                                      the gateway; its documentation is at http://127.0.0.1:8080/docs
  [bold].venv/bin/python -m transformations runs[/]        the record of the runs above
  [bold].venv/bin/python -m monitoring status[/]           how stale each feature is
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
    with stopwatch.step(f"Compute the features of {_HISTORY_WEEKS} past weeks, and of now"):
        midnights = _past_midnights()
        _compute(settings, midnights)
    with stopwatch.step("feast materialize-incremental"):
        _feast("materialize-incremental", f"{clock.now():%Y-%m-%dT%H:%M:%S}")
    with stopwatch.step(f"Ask the gateway about {_CANDIDATES} products for one household"):
        _serve(settings)
    with stopwatch.step("Point-in-time training rows from get_historical_features"):
        _train(settings, midnights)
    console.print(stopwatch.table())
    console.print(_GOING_ON, highlight=False)


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


def _compute(settings: Settings, midnights: list[datetime]) -> None:
    jobs = scheduled_jobs(read_catalog())
    instants: list[datetime | None] = [*midnights, None]
    reports = [
        report
        for as_of in instants
        for job in jobs
        for report in pipeline.run(settings, job, as_of=as_of)
    ]
    console.print(report_table(reports))


def _serve(settings: Settings) -> None:
    with connect(settings) as connection:
        household = shop.busiest_household(connection)
        candidates = shop.candidates(connection, count=_CANDIDATES)
    with running_gateway() as gateway:
        affinity = gateway.get(f"/v1/features/user_category_affinity/values/{household}")
        affinity.raise_for_status()
        answer = gateway.post(
            "/v1/features/batch",
            json={
                "entity_ids": [candidate.product_id for candidate in candidates],
                "feature_names": ["popularity_score", "product_freshness_score"],
            },
        )
        answer.raise_for_status()
    milliseconds = answer.elapsed.total_seconds() * 1_000
    counts = answer.json()["counts"]
    console.print(f"{2 * _CANDIDATES} values for {household} in {milliseconds:.1f} ms: {counts}")
    console.print(
        shop.ranked_table(
            candidates, answer.json()["values"], affinity.json()["value"], rows=_RANKED_ROWS
        )
    )


def _train(settings: Settings, midnights: list[datetime]) -> None:
    from feast import FeatureStore  # noqa: PLC0415 - takes seconds

    with connect(settings) as connection:
        bought = shop.purchases(connection, count=_ROWS_PER_WEEK * len(midnights))
    entity_rows = pd.DataFrame(bought, columns=["user_id", "product_id"]).assign(
        event_timestamp=[at + timedelta(minutes=30) for at in midnights] * _ROWS_PER_WEEK
    )
    store = FeatureStore(repo_path=str(REPO_PATH))
    rows = store.get_historical_features(
        entity_df=entity_rows, features=store.get_feature_service("recommendation_v1")
    ).to_df()
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
