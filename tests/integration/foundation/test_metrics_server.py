"""Metrics are served, or somebody is told why not."""

import socket

import pytest
from prometheus_client import CollectorRegistry

from foundation.errors import ConfigurationError
from foundation.metrics_server import serve_metrics


def test_a_port_that_is_taken_is_told() -> None:
    """In a sentence, for both the exporter and the schedule."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}: Address already in use"),
            serve_metrics(CollectorRegistry(), "127.0.0.1", port),
        ):
            pass
