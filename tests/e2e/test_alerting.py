"""What breaks is told, once and by its name, and that it is mended, too."""

import contextlib
import json
import math
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from feature_repo.registry.catalog import read_catalog
from feature_repo.stores.schema import migrate
from foundation import clock, embedded
from foundation.postgres import connect
from foundation.redis import connect as connect_redis
from foundation.settings import PROJECT_ROOT, Settings, load_settings
from tests.e2e.promql import selectors
from tests.e2e.watching import ALERTMANAGER, PROMETHEUS, Watched, eventually, stores, watchers
from transformations.generated_tables import load_tables
from transformations.generator import Shop
from transformations.nightly import keep_snapshots
from transformations.orchestration import Ending, run_jobs
from transformations.pipeline import Options
from transformations.selection import select_jobs

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or ALERTMANAGER is None,
    reason="Debian's prometheus and prometheus-alertmanager are not installed",
)

LABEL_VALUES = re.compile(r"^label_values\((\w+), (\w+)\)$")
BURST = """
INSERT INTO events
SELECT 'bot' || n, (SELECT min(user_id) FROM users), (SELECT min(product_id) FROM products), 'view',
       now() - interval '1 second'
FROM generate_series(1, 50000) AS n
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[tuple[Watched, Settings]]:
    """Yield a store that has computed all values, as of midnight and now."""
    with (
        tempfile.TemporaryDirectory(prefix="feature-store-") as folder,
        stores(Path(folder)) as store,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in store.environment.items():
            if name.startswith("FEATURE_STORE_"):
                environment.setenv(name, value)
        for name in ("FEATURE_STORE_POSTGRES_URL", "FEATURE_STORE_REDIS_URL"):
            environment.delenv(name, raising=False)
        settings, now = load_settings(), clock.now()
        migrate(settings)
        made = Shop(users=150, products=200, events=12_000, days=60, seed=3, until=now)
        load_tables(settings, made)
        with connect(settings) as connection:  # it changes now and then
            connection.execute("UPDATE products SET updated_at = %s", (now,))
        store.run("feast.cli.cli", "--chdir", str(PROJECT_ROOT / "feature_repo"), "apply")
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        _compute(settings, as_of=midnight)
        keep_snapshots(settings)
        _compute(settings)
        yield store, settings


@pytest.fixture(scope="module")
def watched(shop: tuple[Watched, Settings]) -> Iterator[tuple[Watched, Settings]]:
    """Yield a store that is used and watched, and of which nobody is told anything."""
    store, settings = shop
    with (
        _module(store, "gateway", "serving_gateway", "serve", "--port"),
        _module(store, "exporter", "monitoring", "exporter", "--port"),
        _module(store, "scheduler", "transformations", "schedule", "--metrics-port"),
        _callers(store, settings),
        _once_they_answer(store),
        watchers(store),
    ):
        eventually(
            lambda: store.asked("sum(up)") == [3.0] and store.barked > 0 and not store.firing(),
            within=60,
            why=lambda: (store.asked("up"), store.barked, store.firing()),
        )
        store.told.clear()  # that a scrape took too long while everything started
        yield store, settings


def _compute(
    settings: Settings,
    *names: str,
    as_of: datetime | None = None,
    ending: Ending = Ending.SUCCEEDED,
) -> None:
    """Run the jobs of features, or all, as the command does, and see how each ends."""
    jobs = select_jobs(read_catalog(), names, every=not names)
    outcomes = run_jobs(settings, jobs, as_of=as_of, options=Options(), on_start=lambda _: None)
    assert {outcome.ending for outcome in outcomes} == {ending}, outcomes


@contextlib.contextmanager
def _once_they_answer(store: Watched) -> Iterator[None]:
    """Go on when every process answers: before that, it is told that they are down."""
    for name in ("gateway", "exporter", "scheduler"):
        eventually(
            lambda name=name: httpx.get(f"{store.url(name)}/metrics").status_code == 200,  # type: ignore[misc]  # it can't infer the default
            within=90,
            why=lambda name=name: (store.folder / f"{name}.log").read_text(),  # type: ignore[misc]
        )
    yield


def _module(store: Watched, name: str, *command: str) -> contextlib.AbstractContextManager[None]:
    """Run one of our modules at its port, which ends the command."""
    return store.running(name, sys.executable, "-m", *command, str(store.ports[name]))


@contextlib.contextmanager
def _callers(store: Watched, settings: Settings) -> Iterator[None]:
    """Ask the gateway all the time, while the shop goes on."""
    done = threading.Event()
    asked = {
        "entity_ids": [*_products(settings), "unknown"],
        "feature_names": ["popularity_score", "product_freshness_score"],
    }

    def call() -> None:
        with httpx.Client(base_url=store.url("gateway"), timeout=5) as client:
            while not done.wait(0.1):
                with contextlib.suppress(httpx.HTTPError):
                    client.post("/v1/features/batch", json=asked)

    def sell() -> None:
        number = 0
        with connect(settings, autocommit=True) as connection:
            while not done.wait(1):
                number += 1
                connection.execute(
                    """
                    INSERT INTO events
                    SELECT %s, user_id, product_id, 'view', %s FROM events
                    WHERE event_id NOT LIKE 'bot%%' LIMIT 1
                    """,
                    (f"now{number}", clock.now() - timedelta(seconds=1)),
                )

    threads = [threading.Thread(target=work) for work in (call, sell)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _products(settings: Settings) -> list[str]:
    with connect(settings) as connection:
        return [row[0] for row in connection.execute("SELECT product_id FROM products LIMIT 40")]


def _is_told(store: Watched, alert: str) -> None:
    """Wait until an alert is told, and see that no other one is."""
    eventually(
        lambda: (alert, "firing") in store.told,
        within=60,
        why=lambda: (store.told, store.firing()),
    )
    assert {name for name, _ in store.told} == {alert}, store.told


def _is_mended(store: Watched, alert: str) -> None:
    """Wait until an alert's end is told, and nothing fires any more."""
    eventually(
        lambda: (alert, "resolved") in store.told and not store.firing(),
        within=90,
        why=lambda: (store.told, store.firing()),
    )
    assert {name for name, _ in store.told} == {alert}
    store.told.clear()


def _follows(store: Watched, cause: str, *consequences: str) -> None:
    """Wait until consequences of what was told are due, and see that they are not told."""
    eventually(
        lambda: store.firing() >= set(consequences),
        within=90,
        why=lambda: (store.told, store.firing()),
    )
    assert {name for name, _ in store.told} == {cause}, store.told


def test_redis_dies(watched: tuple[Watched, Settings]) -> None:
    """PostgreSQL stands in; low hit rates and what can't be written are held back until the end."""
    store, settings = watched
    with connect_redis(settings) as client:
        process = client.info("server")["process_id"]
    os.kill(process, signal.SIGKILL)
    _is_told(store, "OnlineTierOpen")
    for _ in range(3):
        _compute(settings, "popularity_score==1.0.0", ending=Ending.FAILED)
    _follows(
        store,
        "OnlineTierOpen",
        "FeatureCacheHitRateLow",
        "WriteBackFailing",
        "JobFailed",
        "JobFailingRepeatedly",
    )
    embedded.start(settings.data_dir)
    _compute(settings, "popularity_score==1.0.0")
    _is_mended(store, "OnlineTierOpen")


def test_events_are_poisoned(watched: tuple[Watched, Settings]) -> None:
    """The check is told that kept the values back, not the run that it failed."""
    store, settings = watched
    with connect(settings, autocommit=True) as connection:
        connection.execute(BURST)
        _compute(settings, "popularity_score==1.0.0", ending=Ending.FAILED)
        _is_told(store, "QualityCheckFailed")
        _follows(store, "QualityCheckFailed", "JobFailed")
        connection.execute("DELETE FROM events WHERE event_id LIKE 'bot%'")
        _compute(settings, "popularity_score==1.0.0")
        _is_mended(store, "QualityCheckFailed")


def test_a_feature_shifts(watched: tuple[Watched, Settings]) -> None:
    """Against the last snapshot; a run that brings the values back ends it."""
    store, settings = watched
    with connect(settings, autocommit=True) as connection:
        connection.execute(
            """
            UPDATE feature_latest SET feature_value = to_json(1 - feature_value::text::float8)
            WHERE feature_name = 'product_freshness_score'
            """
        )
    store.run("monitoring", "drift", "product_freshness_score", expect=2)
    _is_told(store, "FeatureDrifted")
    _compute(settings, "product_freshness_score")
    store.run("monitoring", "drift", "product_freshness_score")
    _is_mended(store, "FeatureDrifted")


def test_every_panel_shows_something(watched: tuple[Watched, Settings]) -> None:
    """Each query of each dashboard has an answer while the store is used, and looks at what is."""
    store, _ = watched
    boards = {
        file.stem: json.loads(file.read_text())
        for file in sorted((PROJECT_ROOT / "deploy/grafana/dashboards").glob("*.json"))
    }
    queries = [
        (name, panel["title"], _filled(target["expr"]))
        for name, board in boards.items()
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]
    assert not [asked for asked in queries if not _answers(store, asked[2])]
    looked_at = [
        (name, title, selector)
        for name, title, expression in queries
        for selector in selectors(expression)
    ]
    assert len(looked_at) > len(queries)
    assert not [each for each in looked_at if not _exists(store, each[2])]
    variables = [
        (name, *LABEL_VALUES.findall(variable["query"])[0])
        for name, board in boards.items()
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    ]
    assert len(variables) == len(boards)
    assert not [
        (name, metric, label)
        for name, metric, label in variables
        if not store.asked(f'count({metric}{{{label}!=""}})')
    ]


def test_the_schedule_stops(watched: tuple[Watched, Settings]) -> None:
    """It is told before anything is late, and what is late then is not."""
    store, settings = watched
    store.processes["scheduler"].kill()
    _is_told(store, "SchedulerDown")
    with connect(settings) as connection:
        connection.execute(
            """
            UPDATE computation_runs
            SET as_of = as_of - %(hour)s, started_at = started_at - %(hour)s,
                finished_at = finished_at - %(hour)s
            WHERE job_name = 'popularity_score==1.0.0'
            """,
            {"hour": timedelta(hours=1)},
        )
    _follows(store, "SchedulerDown", "FeatureStale", "JobOverdue")
    # Before the schedule answers: what is late still when it does is told.
    _compute(settings, "popularity_score==1.0.0")
    eventually(
        lambda: not store.firing() & {"FeatureStale", "JobOverdue"},
        within=60,
        why=store.firing,
    )
    with _module(store, "scheduler", "transformations", "schedule", "--metrics-port"):
        _is_mended(store, "SchedulerDown")


def _filled(expression: str) -> str:
    """Return a query as Grafana asks it when everything is chosen."""
    every = re.sub(r"\$(feature_name|job_name)", ".*", expression)
    return every.replace("$__rate_interval", "30s")


def _answers(store: Watched, expression: str) -> bool:
    return any(not math.isnan(value) for value in store.asked(expression))


def _exists(store: Watched, selector: str) -> bool:
    """Tell whether there are such series; of what has not happened, whether there may be."""
    metric = selector.partition("{")[0]
    if metric == "feature_deprecated_requests_total" or 'status=~"5.."' in selector:
        return store.knows(metric)
    return bool(store.asked(f"count(last_over_time({selector}[5m]))"))
