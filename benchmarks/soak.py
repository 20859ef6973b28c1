"""The gateway's memory under a long load of everything that callers do."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.table import Table

from benchmarks.judged_load import gateway_process
from benchmarks.stage import made_up_values, running_stores
from feature_repo.registry.gather import gather_features
from feature_repo.stores.redis_values import write_values
from foundation import clock
from foundation.cli import console
from foundation.postgres import connect
from foundation.redis import connect as connect_redis
from foundation.settings import Settings

_PRODUCTS = 20_000
_CLIENTS = 8
_ROWS = 20
_POPULARITY, _FRESHNESS = "popularity_score", "product_freshness_score"

Request = tuple[str, str, dict[str, Any] | None]


def run(*, minutes: float) -> None:
    """Load a gateway, and print its memory as time passes."""
    with running_stores() as settings:
        _fill(settings)
        environment = {"FEATURE_STORE_ABSENT_SECONDS": "1"}
        with gateway_process(environment) as gateway:
            stop, counts = threading.Event(), [0] * _CLIENTS
            threads = [
                threading.Thread(target=_ask, args=(gateway.client.base_url, number, counts, stop))
                for number in range(_CLIENTS)
            ]
            for thread in threads:
                thread.start()
            try:
                samples = _watch(gateway.process_id, minutes * 60.0)
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
    console.print(_table(samples, sum(counts)))


def _fill(settings: Settings) -> None:
    """Put values of half of the products into Redis, and all products into PostgreSQL."""
    [feature] = [f for f in gather_features() if f.reference == "popularity_score==1.1.0"]
    lasting = feature.model_copy(update={"staleness_tolerance": timedelta(days=1)})
    rows = made_up_values(_PRODUCTS // 2, feature.feature_type, at=clock.now())
    with connect_redis(settings) as client:
        write_values(client, lasting, rows, now=clock.now())
    with connect(settings) as connection:
        connection.execute(
            "INSERT INTO products SELECT 'id_' || n, 'Product ' || n, 'd', 'c', 1, now(), now() "
            "FROM generate_series(0, %s) AS n",
            (_PRODUCTS - 1,),
        )


def _requests(seed: int) -> Iterator[Request]:
    """Yield what callers ask, right and wrong, for ever."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    while True:
        known = [f"id_{dice.randrange(_PRODUCTS)}" for _ in range(100)]
        unknown = [f"nobody_{dice.randrange(10**12)}" for _ in range(20)]
        names = [_POPULARITY, _FRESHNESS]
        yield "POST", "/v1/features/batch", {"entity_ids": known, "feature_names": names}
        yield (
            "POST",
            "/v1/features/batch",
            {"entity_ids": known[:10] + unknown, "feature_names": names, "metadata": True},
        )
        service = {"product_ids": known[:20], "user_id": unknown[0], "query": f"product {seed}"}
        yield "POST", "/v1/feature-services/ranking_v1", service
        yield "GET", f"/v1/features/{_POPULARITY}/values/{unknown[1]}?metadata=true", None
        yield "POST", "/v1/cache/invalidate", {"entity_ids": known[:5]}
        yield "GET", f"/v1/features/{unknown[2]}", None
        yield "POST", "/v1/features/batch", {"entity_ids": 7}
        yield "GET", "/v1/features", None
        yield "GET", "/metrics", None


def _ask(url: httpx.URL, seed: int, counts: list[int], stop: threading.Event) -> None:
    with httpx.Client(base_url=url, timeout=30.0) as client:
        for method, path, body in _requests(seed):
            if stop.is_set():
                return
            response = client.request(method, path, json=body)
            if response.is_server_error:
                raise RuntimeError(response.text)
            counts[seed] += 1


def _watch(process_id: int, seconds: float) -> list[tuple[float, float, int]]:
    """Return seconds, megabytes and open files, so many times as there are rows in the table."""
    started = time.perf_counter()
    samples = []
    for row in range(_ROWS + 1):
        time.sleep(max(started + row * seconds / _ROWS - time.perf_counter(), 0.0))
        status = Path(f"/proc/{process_id}/status").read_text()
        kilobytes = int(status.partition("VmRSS:")[2].split()[0])
        files = len(list(Path(f"/proc/{process_id}/fd").iterdir()))
        samples.append((time.perf_counter() - started, kilobytes / 1_024, files))
    return samples


def _table(samples: Sequence[tuple[float, float, int]], requests: int) -> Table:
    later = np.array(samples[len(samples) // 2 :])
    slope = np.polyfit(later[:, 0] / 60.0, later[:, 1], 1)[0]
    table = Table(
        title=f"{requests:,} requests",
        caption=f"In the second half {slope:+.2f} MB a minute.",
    )
    for heading in ("minutes", "resident MB", "open files"):
        table.add_column(heading, justify="right")
    for seconds, megabytes, files in samples:
        table.add_row(f"{seconds / 60:.1f}", f"{megabytes:.1f}", str(files))
    return table
