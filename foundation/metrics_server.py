"""Serve a process' metrics to Prometheus."""

import contextlib
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server

from foundation.errors import ConfigurationError


@contextlib.contextmanager
def serve_metrics(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """
    Serve /metrics within the block, in a thread.

    Args:
        registry: What to serve.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.

    Yields:
        The port.

    Raises:
        ConfigurationError: The address can't be listened on.
    """
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigurationError(
            f"metrics can't be served at {host}:{port}: {error.strerror}",
            hint="Does another process listen there? Choose another port; 0 takes any free one.",
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
