"""Gateways in this process, on real sockets, and how tests talk to them."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import httpx
import pytest
import redis
import uvicorn

from feature_repo.registry.catalog import Catalog, read_catalog
from feature_repo.registry.metadata import Status
from feature_repo.stores.keys import entity_id, redis_keys
from foundation.settings import Settings
from serving_gateway.app import create_app
from serving_gateway.server import server_config

BATCH = "/v1/features/batch"
# The version that is served to whoever asks for none.
SERVED = {
    "popularity_score": "1.1.0",
    "product_freshness_score": "1.0.0",
    "user_category_affinity": "1.0.0",
}


@contextlib.contextmanager
def gateway_on(
    settings: Settings,
    catalog_reader: Callable[[], Catalog] | None = None,
    *,
    authentication: Literal["on", "off"] = "off",
) -> Iterator[httpx.Client]:
    """Run a gateway in a thread, and yield an HTTP client of it."""
    settings = settings.model_copy(update={"authentication": authentication})
    app = create_app(settings, catalog_reader=catalog_reader)
    config = server_config(app, settings, host="127.0.0.1", port=0)
    with serving(config) as url, httpx.Client(base_url=url) as client:
        yield client


class _Server(uvicorn.Server):
    """Closes connections, too, whose requests outlast its patience; a process that ends needn't."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if (transport := connection.transport) is not None:
                transport.abort()
        await asyncio.sleep(0)


@contextlib.contextmanager
def serving(config: uvicorn.Config) -> Iterator[str]:
    """Run a server in a thread, and yield its URL."""
    server = _Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def with_semantic_score() -> Catalog:
    """Return what is deployed where a model is configured."""
    catalog = read_catalog()
    features = [
        feature.model_copy(update={"status": Status.ACTIVE})
        if feature.feature_name in {"product_embedding", "search_semantic_score"}
        else feature
        for feature in catalog.features
    ]
    ranking = [*catalog.services["ranking_v1"], "search_semantic_score==1.0.0"]
    return Catalog(features, {**catalog.services, "ranking_v1": ranking})


def store_value(valkey: redis.Redis, feature_name: str, identifier: str, text: str) -> None:
    """Put a value's JSON text where the gateway looks for it."""
    [key] = redis_keys(feature_name, SERVED[feature_name], [entity_id([identifier])])
    valkey.set(key, text, ex=60)


def read_batch(client: httpx.Client, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - what tests send
    """Read a batch that is expected to be answered."""
    response = client.post(BATCH, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def read_metrics(
    client: httpx.Client, headers: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Return all metrics, labels and all, with their values."""
    lines = client.get("/metrics", headers=headers).text.splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


@pytest.fixture
def gateway(applied: Settings, settings: Settings) -> Iterator[httpx.Client]:  # noqa: ARG001 - emptied
    """Yield a client of a gateway that remembers nothing, over empty stores."""
    with gateway_on(applied) as client:
        yield client
