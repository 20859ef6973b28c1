"""The gateway and `feast serve` side by side: one Redis, the same values, one worker each."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64

from benchmarks.stage import HOST, free_port, running_process, running_stores
from feature_repo.entities import ENTITIES
from feature_repo.registry.catalog import REPO_PATH
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.views import feature_view
from feature_repo.stores.json_values import encode
from feature_repo.stores.redis_values import write_values
from foundation import clock, embedded
from foundation.redis import connect
from foundation.settings import Settings, load_settings
from serving_gateway.auth.api_keys import new_key
from serving_gateway.auth.key_table import store_key
from serving_gateway.auth.scopes import AccessScope

ENTITY_COUNT = 2_000
FEATURE_COUNT = 50
_ROWS_PER_WRITE = 500


@dataclass(frozen=True)
class Rival:
    """
    A server under test.

    Attributes:
        name: As the table shows it.
        port: Where it listens.
        path: Of the route that reads a batch.
        features: What the route calls the features, in order.
        headers: That requests need besides the usual ones.
    """

    name: str
    port: int
    path: str
    features: Sequence[str]
    headers: str = ""

    def bodies(self, entities: int, features: int, *, count: int = 20) -> list[bytes]:
        """Return requests of different entities."""
        names = list(self.features[:features])
        random = np.random.default_rng(11)
        chosen = [random.choice(ENTITY_COUNT, entities, replace=False) for _ in range(count)]
        ids = [[_entity_id(number) for number in numbers] for numbers in chosen]
        if self.name == "gateway":
            return [json.dumps({"entity_ids": i, "feature_names": names}).encode() for i in ids]
        return [
            json.dumps({"entities": {"product_id": i}, "features": names}).encode() for i in ids
        ]


@contextlib.contextmanager
def running_rivals() -> Iterator[tuple[Settings, list[Rival]]]:
    """Fill a Redis for all of them, and run the servers until the block ends."""
    with running_valkey() as redis_url, running_stores() as stores:
        os.environ["FEATURE_STORE_REDIS_URL"] = redis_url
        settings = load_settings()
        features = made_up_features()
        values = np.random.default_rng(7).random((ENTITY_COUNT, FEATURE_COUNT)).round(12)
        fill_gateway(settings, features, values)
        folder = Path(stores.data_dir) / "feast"
        layouts = {
            "feast serve, a view a feature": [[name] for name in _names()],
            "feast serve, one view": [_names()],
        }
        with contextlib.ExitStack() as stack:
            rivals = [_run_gateway(stack, settings)]
            for number, (name, views) in enumerate(layouts.items()):
                repository = folder / str(number)
                references = _fill_feasts(repository, redis_url, views, values)
                rivals.append(_run_feast(stack, name, repository, references))
            yield settings, rivals


@contextlib.contextmanager
def running_valkey() -> Iterator[str]:
    """Run a Valkey on a TCP port, the only way in that Feast knows, until the block ends."""
    port = free_port()
    options = ["--port", str(port), "--bind", HOST, "--save", ""]
    with running_process([embedded.valkey_binary(), *options], port=port):
        yield f"redis://{HOST}:{port}"


def keys_of(entity_ids: Sequence[str], features: int) -> list[str]:
    """Return the Redis keys of a batch, as the gateway reads them."""
    return [f"feature:{n}:{i}:v1.0.0" for n in _names()[:features] for i in entity_ids]


def _names() -> list[str]:
    return [f"made_up_{number}" for number in range(FEATURE_COUNT)]


def _entity_id(number: int) -> str:
    return f"prod_{number}"


def made_up_features() -> list[FeatureVersion]:
    """Return features of products that are served from Redis for a day."""
    model = next(f for f in gather_features() if f.feature_name == "popularity_score")
    changes = {"version": "1.0.0", "dependencies": (), "staleness_tolerance": timedelta(days=1)}
    return [model.model_copy(update={**changes, "feature_name": name}) for name in _names()]


def fill_gateway(
    settings: Settings, features: Sequence[FeatureVersion], values: "np.ndarray[tuple[int, int]]"
) -> None:
    """Apply features, and put values of them into the Redis that the gateway reads."""
    FeatureStore(repo_path=str(REPO_PATH)).apply([*ENTITIES, *map(feature_view, features)])
    client = connect(settings)
    now = clock.now()
    for column, feature in enumerate(features):
        rows = {
            "entity_id": pa.array([_entity_id(n) for n in range(ENTITY_COUNT)]),
            "feature_value": encode(pa.array(values[:, column]), feature.feature_type),
            "timestamp": pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), ENTITY_COUNT),
        }
        write_values(client, feature, pa.table(rows), now=now)
    client.close()


def _fill_feasts(
    repository: Path,
    redis_url: str,
    views: Sequence[Sequence[str]],
    values: "np.ndarray[tuple[int, int]]",
) -> list[str]:
    """Set up a repository of Feast's own parts; return references of all features."""
    repository.mkdir(parents=True)
    (repository / "feature_store.yaml").write_text(
        f"project: rival_{repository.name}\n"
        "provider: local\n"
        "registry: registry.db\n"
        f"online_store: {{type: redis, connection_string: '{redis_url.rpartition('/')[2]}'}}\n"
        "entity_key_serialization_version: 3\n"
    )
    store = FeatureStore(repo_path=str(repository))
    product = Entity(name="product", join_keys=["product_id"], value_type=ValueType.STRING)
    now = clock.now()
    ids = [_entity_id(n) for n in range(ENTITY_COUNT)]
    frame = pd.DataFrame(values, columns=_names()).assign(product_id=ids, event_timestamp=now)
    path = repository / "values.parquet"
    frame.to_parquet(path)
    references = []
    for number, names in enumerate(views):
        source = FileSource(
            name=f"source_{number}", path=str(path), timestamp_field="event_timestamp"
        )
        view = FeatureView(
            name=f"view_{number}",
            entities=[product],
            schema=[Field(name=name, dtype=Float64) for name in names],
            source=source,
            ttl=timedelta(days=1),
        )
        store.apply([product, source, view])
        columns = frame[["product_id", *names, "event_timestamp"]]
        for start in range(0, ENTITY_COUNT, _ROWS_PER_WRITE):
            store.write_to_online_store(view.name, columns[start : start + _ROWS_PER_WRITE])
        references += [f"{view.name}:{name}" for name in names]
    return references


def _run_gateway(stack: contextlib.ExitStack, settings: Settings) -> Rival:
    """Run a gateway with everything on: metrics, authentication, limits."""
    scopes = frozenset({AccessScope.READ})
    key, kept = new_key("benchmark", scopes, now=clock.now(), expires_at=None)
    store_key(settings, kept)
    os.environ["FEATURE_STORE_CALLER_REQUESTS_PER_SECOND"] = "1000000"
    port = free_port()
    command = [sys.executable, "-m", "serving_gateway", "serve", "--port", str(port)]
    stack.enter_context(running_process(command, port=port))
    return Rival(
        "gateway", port, "/v1/features/batch", _names(), f"authorization: Bearer {key}\r\n"
    )


def _run_feast(
    stack: contextlib.ExitStack, name: str, repository: Path, references: Sequence[str]
) -> Rival:
    port = free_port()
    feast = [str(Path(sys.executable).with_name("feast")), "-c", str(repository), "serve"]
    # Feast recycles its worker every thousand requests unless told not to.
    feast += ["--port", str(port), "--workers", "1", "--no-access-log"]
    feast += ["--max-requests", "0", "--keep-alive-timeout", "60"]
    stack.enter_context(running_process(feast, port=port))
    return Rival(name, port, "/get-online-features", references)
