"""What recording metrics costs of a request."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from rich.table import Table

from benchmarks.recorded_requests import PATH
from benchmarks.rivals import (
    ENTITY_COUNT,
    FEATURE_COUNT,
    Rival,
    fill_gateway,
    made_up_features,
)
from benchmarks.stage import running_stores
from foundation.cli import console
from serving_gateway.shared_metrics import VARIABLE

_SHAPES = ((1, 4), (100, 4), (100, 50))
_CAPTION = (
    "CPU time of a request, of 16 at a time, without the HTTP server: with metrics, without, "
    "and the difference. Goal: below 5 %."
)


def run(*, seconds: float) -> None:
    """Measure requests with and without metrics by turns, and print the difference."""
    table = Table(title="Recording metrics", caption=_CAPTION)
    for heading in ("metrics of", "values", "with µs", "without µs", "share"):
        table.add_column(heading, justify="right")
    with running_stores() as settings, tempfile.TemporaryDirectory() as shared:
        features = made_up_features()
        values = np.random.default_rng(7).random((ENTITY_COUNT, FEATURE_COUNT)).round(12)
        fill_gateway(settings, features, values)
        gateway = Rival("gateway", 0, PATH, [feature.feature_name for feature in features])
        requests = {
            f"{entities} × {count}": [body.decode() for body in gateway.bodies(entities, count)]
            for entities, count in _SHAPES
        }
        for kept, variables in {"one process": {}, "workers": {VARIABLE: shared}}.items():
            measured = _measure({"seconds": seconds, "requests": requests}, variables)
            for shape, found in measured.items():
                table.add_row(
                    kept,
                    shape,
                    f"{found['recording_microseconds']:,.0f}",
                    f"{found['silent_microseconds']:,.0f}",
                    f"{found['share']:.1%}",
                )
    console.print(table)


def _measure(
    asked: Mapping[str, object], variables: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    # Feast, imported here, leaves variables behind that would decide where metrics are kept.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PROMETHEUS_MULTIPROC")}
    ours = {
        "FEATURE_STORE_AUTHENTICATION": "off",
        "FEATURE_STORE_LOG_LEVEL": "warning",
        "FEATURE_STORE_REDIS_TIMEOUT_SECONDS": "30",
    }
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.recorded_requests"],
        input=orjson.dumps(asked),
        env={**inherited, **ours, **variables},
        stdout=subprocess.PIPE,
        check=True,
    )
    measured: dict[str, Any] = orjson.loads(finished.stdout)
    return measured
