"""Gateways in this process, on real sockets."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx
import pytest
import uvicorn

from feature_repo.registry.catalog import Catalog, read_catalog
from foundation.settings import Settings
from serving_gateway.app import create_app

Gateway = Callable[..., AbstractContextManager[httpx.Client]]


@contextlib.contextmanager
def gateway_on(
    settings: Settings, catalog_reader: Callable[[], Catalog] = read_catalog
) -> Iterator[httpx.Client]:
    """Run a gateway in a thread, and yield an HTTP client of it."""
    config = uvicorn.Config(
        create_app(settings, catalog_reader=catalog_reader),
        port=0,
        log_level="warning",
        loop="uvloop",
        http="httptools",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline, "the gateway did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def shared_gateway(applied: Settings) -> Iterator[httpx.Client]:
    """Yield a client of a gateway that the whole session shares."""
    with gateway_on(applied) as client:
        yield client


@pytest.fixture
def gateway(shared_gateway: httpx.Client, settings: Settings) -> httpx.Client:  # noqa: ARG001 - emptied
    """Return a client of a gateway over an empty Redis."""
    return shared_gateway
