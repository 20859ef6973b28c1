"""What a collector gets of requests and runs, and that nobody depends on it."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from foundation import clock
from foundation.postgres import connect
from foundation.settings import Settings
from tests.e2e.watching import eventually

NOBODY = "http://127.0.0.1:9/v1/traces"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Collector:
    """Takes spans over HTTP, as collectors do."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name."""
        return [each for each in self.spans if each.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Yield a collector that listens."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found.spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def _environment(**settings: str) -> Mapping[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS")},
        "FEATURE_STORE_AUTHENTICATION": "off",
        **{f"FEATURE_STORE_{name}": value for name, value in settings.items()},
    }


def _facts(span: Span) -> dict[str, object]:
    return {
        each.key: each.value.int_value
        if each.value.HasField("int_value")
        else each.value.string_value
        for each in span.attributes
    }


@pytest.mark.parametrize("reachable", [True, False])
def test_a_request_is_a_tree_of_tiers(
    settings: Settings, applied: Settings, collector: Collector, *, reachable: bool
) -> None:
    """As a part of its caller's trace; without a collector the answer is the same."""
    assert settings is applied
    port = 18_000 + os.getpid() % 2_000
    environment = _environment(
        TRACES_ENDPOINT=collector.url if reachable else NOBODY, TRACES_SAMPLED_SHARE="0"
    )
    command = [sys.executable, "-m", "serving_gateway", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment) as gateway:  # noqa: S603 - our own
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: httpx.get(f"{url}/ready").status_code == 200, within=60, why=lambda: url)
        asked = {"entity_ids": ["p1", "p2"], "feature_names": ["product_freshness_score"]}
        for headers in ({"traceparent": CALLER, "X-Request-ID": "mine"}, {}):
            answer = httpx.post(f"{url}/v1/features/batch", json=asked, headers=headers)
            assert answer.status_code == 200, answer.text
        gateway.terminate()
    if not reachable:
        return
    [request] = collector.named("POST")  # the other one was not sampled
    assert request.trace_id.hex() == CALLER.split("-")[1]
    assert request.parent_span_id.hex() == CALLER.split("-")[2]
    facts = _facts(request)
    assert facts["http.route"] == "/v1/features/batch"
    assert facts["http.response.status_code"] == 200
    assert facts["feature_store.request_id"] == "mine"
    for tier in ("online", "offline", "on_demand"):
        [read] = collector.named(tier)
        assert read.parent_span_id == request.span_id
        assert _facts(read) == {"feature_store.values": 2}


def test_a_run_is_a_tree_of_steps(
    settings: Settings, applied: Settings, collector: Collector
) -> None:
    """With what was computed and how much; one that fails says so, without its message."""
    assert settings is applied
    run = (sys.executable, "-m", "transformations", "run", "product_freshness_score")
    environment = _environment(TRACES_ENDPOINT=collector.url, TRACES_SAMPLED_SHARE="1")
    assert subprocess.run(run, env=environment, check=False).returncode == 1  # noqa: S603 - our own
    now = clock.now()
    with connect(settings) as connection:
        connection.execute(
            "INSERT INTO products VALUES ('p1', 't', '', 'c', 1, %s, %s)",
            (now - timedelta(days=1), now),
        )
    assert subprocess.run(run, env=environment, check=False).returncode == 0  # noqa: S603 - our own
    failed, succeeded = collector.named("run")
    assert (failed.status.message, len(failed.events)) == ("QualityGateFailed", 0)
    [refused] = [each for each in collector.spans if each.parent_span_id == failed.span_id]
    assert (refused.name, refused.status.message) == ("check inputs", "QualityGateFailed")
    assert _facts(succeeded)["feature_store.rows"] == 1
    steps = [each.name for each in collector.spans if each.parent_span_id == succeeded.span_id]
    assert steps == ["check inputs", "compute", "check outputs", "write offline", "write online"]


def test_off_it_is_not_there() -> None:
    """Neither what serves nor what computes imports what sends spans; none is recorded."""
    script = (
        "import sys; import serving_gateway.app, transformations.pipeline\n"
        "from foundation.tracing import span\n"
        "from opentelemetry.trace import get_current_span\n"
        "with span('x') as nothing:\n"
        "    nothing.note(lambda: {'a': 1 / 0})\n"
        "    assert not get_current_span().is_recording()\n"
        "assert not any(name.startswith('opentelemetry.exporter') for name in sys.modules)\n"
    )
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", script], env=_environment(), check=False
    )
    assert done.returncode == 0
