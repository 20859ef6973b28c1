"""Requests a second of the gateway and of `feast serve`: same Redis and values, one worker each."""

import json
import os
import sys
from pathlib import Path

from rich.table import Table

from benchmarks.http_load import Load, measure
from benchmarks.stage import free_port, made_up_values, running_process, running_stores
from feature_repo.registry.catalog import REPO_PATH
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from feature_repo.stores.redis_values import write_values
from foundation import clock
from foundation.cli import console
from foundation.redis import connect
from serving_gateway.auth.api_keys import new_key
from serving_gateway.auth.key_table import store_key
from serving_gateway.auth.scopes import AccessScope

_ENTITIES = 10_000
_SHAPES = ((1, 3), (100, 3))
_CONNECTIONS = (1, 16)


def run(*, seconds: float) -> None:
    """Measure both servers, one after the other in each setting, and print the ratios."""
    table = Table(title="Gateway and `feast serve`", caption="Ratio of requests a second.")
    for heading in ("values", "connections", "server", "requests/s", "p50 ms", "p99 ms", "ratio"):
        table.add_column(heading, justify="right")
    # Product features only: Feast reads one kind of entity in a request.
    features = [feature for feature in gather_features() if feature.entity == "product"]
    with running_stores() as settings:
        client = connect(settings)
        for feature in features:
            rows = made_up_values(_ENTITIES, feature.feature_type, at=clock.now())
            write_values(client, feature, rows, now=clock.now())
        client.close()
        key, kept = new_key(
            "benchmark", frozenset({AccessScope.READ}), now=clock.now(), expires_at=None
        )
        store_key(settings, kept)
        os.environ["FEATURE_STORE_CALLER_REQUESTS_PER_SECOND"] = "0"
        ours, feasts = free_port(), free_port()
        gateway = [sys.executable, "-m", "serving_gateway", "serve", "--port", str(ours)]
        feast = [str(Path(sys.executable).with_name("feast")), "-c", str(REPO_PATH), "serve"]
        # Feast recycles its worker every thousand requests unless told not to.
        feast += ["--port", str(feasts), "--workers", "1", "--no-access-log"]
        feast += ["--max-requests", "0", "--keep-alive-timeout", "60"]
        with running_process(gateway, port=ours), running_process(feast, port=feasts):
            for entities, _ in _SHAPES:
                for connections in _CONNECTIONS:
                    loads = {}
                    for name, port, path, body in (
                        ("gateway", ours, "/v1/features/batch", _gateway_body(features, entities)),
                        ("feast", feasts, "/get-online-features", _feast_body(features, entities)),
                    ):
                        loads[name] = measure(
                            port, path, body, connections=connections, seconds=seconds, key=key
                        )
                    _add_rows(table, f"{entities} × {len(features)}", connections, loads)
    console.print(table)


def _gateway_body(features: list[FeatureVersion], entities: int) -> bytes:
    names = [feature.feature_name for feature in features]
    return json.dumps({"entity_ids": _ids(entities), "feature_names": names}).encode()


def _feast_body(features: list[FeatureVersion], entities: int) -> bytes:
    references = [f"{feature.view_name}:{feature.feature_name}" for feature in features]
    return json.dumps({"entities": {"product_id": _ids(entities)}, "features": references}).encode()


def _ids(count: int) -> list[str]:
    return [f"id_{number * 7 % _ENTITIES}" for number in range(count)]


def _add_rows(table: Table, values: str, connections: int, loads: dict[str, Load]) -> None:
    ratio = loads["gateway"].requests_per_second / loads["feast"].requests_per_second
    for name, load in loads.items():
        table.add_row(
            values,
            str(connections),
            name,
            f"{load.requests_per_second:,.0f}",
            f"{load.p50_milliseconds:.2f}",
            f"{load.p99_milliseconds:.2f}",
            f"{ratio:.1f}×" if name == "gateway" else "",
        )
