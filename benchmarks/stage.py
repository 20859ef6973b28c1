"""What every benchmark stands on: servers of its own, applied definitions, made-up values."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from feast import FeatureStore

from feature_repo.entities import ENTITIES
from feature_repo.registry.catalog import REPO_PATH
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureType
from feature_repo.registry.views import feature_view
from feature_repo.stores.json_values import VALUE_TYPES, encode
from feature_repo.stores.schema import migrate
from foundation import embedded
from foundation.settings import Settings, load_settings

HOST = "127.0.0.1"


@contextlib.contextmanager
def running_stores() -> Iterator[Settings]:
    """Start empty servers in a temporary folder, with our definitions applied."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["FEATURE_STORE_DATA_DIR"] = folder
        embedded.start(Path(folder))
        try:
            settings = load_settings()
            migrate(settings)
            store = FeatureStore(repo_path=str(REPO_PATH))
            store.apply([*ENTITIES, *map(feature_view, gather_features())])
            yield settings
        finally:
            embedded.stop(Path(folder))


def made_up_values(count: int, feature_type: FeatureType, *, at: datetime) -> pa.Table:
    """Return rows for the stores: random numbers, or maps of 20 categories."""
    random = np.random.default_rng(7)
    if feature_type is FeatureType.MAP:
        categories = pa.array([f"CATEGORY {n:03}" for n in range(20)] * count)
        offsets = pa.array(np.arange(0, 20 * count + 1, 20, dtype=np.int32))
        values = pa.MapArray.from_arrays(offsets, categories, random.random(20 * count).round(12))
    else:
        values = pa.array(random.random(count).round(12), VALUE_TYPES[feature_type])
    return pa.table(
        {
            "entity_id": pa.array([f"id_{n}" for n in range(count)]),
            "feature_value": encode(values, feature_type),
            "timestamp": pa.repeat(pa.scalar(at, pa.timestamp("us", "UTC")), count),
        }
    )


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running_process(command: Sequence[str | Path], *, port: int) -> Iterator[None]:
    """Run a server until the block ends; the block begins when it listens."""
    # Feast, imported here, leaves variables behind that slow Prometheus' client down in children.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PROMETHEUS_MULTIPROC")}
    with subprocess.Popen(  # noqa: S603 - our own commands
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection((HOST, port)):
                    break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
