"""Training rows from PostgreSQL: our offline store, and Feast's own, on the same values."""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe

import numpy as np
import pandas as pd
from feast import FeatureStore
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import (
    PostgreSQLOfflineStore,
)
from rich.table import Table

from benchmarks.stage import running_stores
from feature_repo.registry.catalog import REPO_PATH
from foundation.cli import console
from foundation.postgres import connect
from foundation.settings import Settings

# One of each product, and one of each user, at each of so many hours.
_FEATURES = (
    ("popularity_score", "1.0.0"),
    ("popularity_score", "1.1.0"),
    ("product_freshness_score", "1.0.0"),
    ("user_activity_level", "1.0.0"),
)
_HOURS = 25
_OUR_MINUTES = 10.0
_OUR_RUNS = 5
_START = datetime(2026, 5, 31, tzinfo=UTC)  # so that the values lie in two months
_MONTHS = (("2026_05", "2026-05-01", "2026-06-01"), ("2026_06", "2026-06-01", "2026-07-01"))

_VALUES = """
INSERT INTO feature_values (entity_id, feature_name, feature_value, version, "timestamp")
SELECT 'id_' || entity, %(name)s, to_jsonb(round(random()::numeric, 12)), %(version)s,
       %(start)s + hour * interval '1 hour'
FROM generate_series(1, %(entities)s) AS entity, generate_series(0, %(hours)s - 1) AS hour
"""
_LATEST = """
INSERT INTO feature_latest
SELECT * FROM feature_values WHERE "timestamp" = %(start)s + (%(hours)s - 1) * interval '1 hour'
"""

Retrieve = Callable[[FeatureStore, pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Size:
    """How many entity rows are joined to how many values; four features."""

    rows: int
    values: int


@dataclass(frozen=True)
class Measured:
    """
    What one retrieval took.

    Attributes:
        seconds: From the call to the frame; the median of several.
        gigabytes: Most memory of the process that called.
        mean: Of all values, so that both are seen to have found the same.
    """

    seconds: float
    gigabytes: float
    mean: float


def run(*, sizes: list[Size], stock_minutes: float) -> None:
    """
    Measure our store at each size, and Feast's at the first and the last.

    Args:
        sizes: Those of as many values one after the other, so that these are loaded once.
        stock_minutes: When Feast's store is given up.
    """
    table = Table(
        title="get_historical_features, 4 features", caption="rows and values, to a frame"
    )
    for heading in ("rows", "values", "store", "seconds", "rows/s", "GB", "ratio"):
        table.add_column(heading, justify="left" if heading == "store" else "right")
    loaded = 0
    with running_stores() as settings:
        for size in sizes:
            if size.values != loaded:
                _load(settings, size)
                loaded = size.values
            with_stock = size in (sizes[0], sizes[-1]) and stock_minutes > 0
            _compare(table, size, stock_minutes=stock_minutes if with_stock else 0)
    console.print(table)


def _compare(table: Table, size: Size, *, stock_minutes: float) -> None:
    ours = _measured(_ours, size, minutes=_OUR_MINUTES, runs=_OUR_RUNS)
    _add_row(table, size, "ours", ours, _OUR_MINUTES, ratio="")
    if stock_minutes:
        stock = _measured(_stock, size, minutes=stock_minutes, runs=1)
        if stock and ours and abs(stock.mean - ours.mean) > 1e-9:  # noqa: PLR2004
            raise AssertionError(f"they found different values: {stock} {ours}")
        ratio = "" if ours is None else _ratio(ours, stock, stock_minutes)
        _add_row(table, size, "Feast's postgres", stock, stock_minutes, ratio=ratio)


def _load(settings: Settings, size: Size) -> None:
    entities = size.values // len(_FEATURES) // _HOURS
    with connect(settings, autocommit=True) as connection:
        connection.execute("TRUNCATE feature_values, feature_latest")
        for name, start, end in _MONTHS:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS feature_values_{name} PARTITION OF feature_values "
                f"FOR VALUES FROM ('{start}') TO ('{end}')"
            )
        at = {"start": _START + pd.Timedelta(hours=12), "hours": _HOURS, "entities": entities}
        for feature_name, version in _FEATURES:
            connection.execute(_VALUES, {**at, "name": feature_name, "version": version})
        connection.execute(_LATEST, at)
        connection.execute("VACUUM ANALYZE feature_values, feature_latest")


def _measured(retrieve: Retrieve, size: Size, *, minutes: float, runs: int) -> Measured | None:
    """Return what a retrieval takes in a process of its own; None if it takes too long."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(retrieve, size, runs, sender))
    process.start()
    sender.close()  # the process has its own: when that is gone, nothing more will come
    try:
        return receiver.recv() if receiver.poll(minutes * 60) else None
    except EOFError as error:
        raise RuntimeError(f"{retrieve.__name__} at {size} failed, as told above") from error
    finally:
        process.kill()
        process.join()


def _measure(retrieve: Retrieve, size: Size, runs: int, sender: Pipe) -> None:
    frame = _entity_rows(size)
    store = FeatureStore(repo_path=str(REPO_PATH))
    retrieve(store, frame[:100])  # connects, and imports what is imported late
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        rows = retrieve(store, frame)
        seconds.append(time.perf_counter() - started)
    if len(rows) != len(frame):
        raise AssertionError(f"{len(rows)} rows for {len(frame)}")
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    values = rows.drop(columns=frame.columns)
    mean = float(values.sum().sum() / values.notna().sum().sum())
    sender.send(Measured(statistics.median(seconds), gigabytes, mean))


def _entity_rows(size: Size) -> pd.DataFrame:
    random = np.random.default_rng(7)
    entities = size.values // len(_FEATURES) // _HOURS
    ids = pd.Series([f"id_{n}" for n in range(1, entities + 1)])
    seconds = random.integers(0, (_HOURS + 1) * 3_600, size.rows)
    return pd.DataFrame(
        {
            "product_id": ids.take(random.integers(0, entities, size.rows)).to_numpy(),
            "user_id": ids.take(random.integers(0, entities, size.rows)).to_numpy(),
            "event_timestamp": pd.Timestamp(_START)
            + pd.Timedelta(hours=12)
            + pd.to_timedelta(seconds, unit="s"),
        }
    ).drop_duplicates()


def _references() -> list[str]:
    return [f"{name}_v{version.replace('.', '_')}:{name}" for name, version in _FEATURES]


def _ours(store: FeatureStore, frame: pd.DataFrame) -> pd.DataFrame:
    job = store.get_historical_features(frame, _references(), full_feature_names=True)
    rows: pd.DataFrame = job.to_df()
    return rows


def _stock(store: FeatureStore, frame: pd.DataFrame) -> pd.DataFrame:
    """Join as Feast's own store does; a value that is in both of our tables comes twice from it."""
    rows: pd.DataFrame = PostgreSQLOfflineStore.get_historical_features(
        store.config,
        [store.get_feature_view(reference.partition(":")[0]) for reference in _references()],
        _references(),
        frame,
        store.registry,
        store.project,
        full_feature_names=True,
    ).to_df()
    return rows.drop_duplicates()


def _ratio(ours: Measured, stock: Measured | None, minutes: float) -> str:
    return (
        f"> {minutes * 60 / ours.seconds:.0f}×"
        if stock is None
        else f"{stock.seconds / ours.seconds:.1f}×"
    )


def _add_row(
    table: Table, size: Size, store: str, found: Measured | None, minutes: float, *, ratio: str
) -> None:
    numbers = (
        ("> " + f"{minutes * 60:.0f}", "", "")
        if found is None
        else (
            f"{found.seconds:.1f}",
            f"{size.rows / found.seconds:,.0f}",
            f"{found.gigabytes:.1f}",
        )
    )
    table.add_row(f"{size.rows:,}", f"{size.values:,}", store, *numbers, ratio)
