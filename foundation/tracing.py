"""
Traces of OpenTelemetry, for whoever collects them.

Off, as by default, none of it is imported by us, and a span costs a look into `sys.modules`. The
provider is OpenTelemetry's own, one a process.
"""

# ruff: noqa: PLC0415 - an extra, imported only where traces are collected
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Protocol

from foundation.errors import ConfigurationError
from foundation.settings import Settings

Attributes = Mapping[str, str | bool | int | float]

# Imported by `traced`, and then spans are recorded. The SDK itself others import, too.
_EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_NAME = "feature-store"
_EXPORT_SECONDS = 2
_WAITING_SPANS = 8_192


class Span(Protocol):
    """What is known of something that takes time."""

    def note(self, describe: Callable[[], Attributes]) -> None:
        """Add to what is known of it; if nobody records it, nobody is called."""
        ...


class _Nothing:
    """Of what nobody wants to know; enters and leaves as often as it likes."""

    def note(self, describe: Callable[[], Attributes]) -> None:
        """Do not even ask."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Recorded:
    def __init__(self, span: Any) -> None:  # noqa: ANN401 - OpenTelemetry may not be installed
        self._span = span

    def note(self, describe: Callable[[], Attributes]) -> None:
        self._span.set_attributes(describe())


_NOTHING = _Nothing()


@contextlib.contextmanager
def traced(settings: Settings, service: str) -> Iterator[None]:
    """
    Send the spans of this process to the collector of the settings; without one do nothing.

    They are sent in the background; when the collector is away or slow, they are dropped.

    Args:
        settings: Say where the collector is, and what share of traces it gets.
        service: Name of the process' kind.

    Raises:
        ConfigurationError: The extra `otel` is not installed.
    """
    if settings.traces_endpoint is None:
        yield
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise ConfigurationError(
            "FEATURE_STORE_TRACES_ENDPOINT is set, but OpenTelemetry is not installed",
            hint="Install the extra `otel`, or unset it.",
        ) from error
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}),
        sampler=ParentBased(TraceIdRatioBased(settings.traces_sampled_share)),
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            OTLPSpanExporter(endpoint=settings.traces_endpoint, timeout=_EXPORT_SECONDS),
            max_queue_size=_WAITING_SPANS,
            export_timeout_millis=_EXPORT_SECONDS * 1_000,
        )
    )
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def span(
    name: str, attributes: Attributes | None = None
) -> contextlib.AbstractContextManager[Span]:
    """Return a block that is recorded as a part of what is under way, or on its own."""
    if _EXPORTER not in sys.modules:
        return _NOTHING
    from opentelemetry import trace

    under_way = trace.get_current_span()
    if under_way.get_span_context().is_valid and not under_way.is_recording():
        return _NOTHING
    return _recorded(name, attributes, context=None, kind=trace.SpanKind.INTERNAL)


def request_span(
    name: str, headers: Callable[[], Mapping[str, str]]
) -> contextlib.AbstractContextManager[Span]:
    """Return a block that is recorded as a request, as a part of its caller's trace if any."""
    if _EXPORTER not in sys.modules:
        return _NOTHING
    from opentelemetry import propagate, trace

    context = propagate.extract(headers())
    return _recorded(name, None, context=context, kind=trace.SpanKind.SERVER)


def with_trace_id(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add the id of the recorded trace under way to a log event: a processor of structlog."""
    if _EXPORTER in sys.modules:
        from opentelemetry import trace

        under_way = trace.get_current_span()
        if under_way.is_recording():
            event["trace_id"] = trace.format_trace_id(under_way.get_span_context().trace_id)
    return event


@contextlib.contextmanager
def _recorded(
    name: str,
    attributes: Attributes | None,
    *,
    context: Any,  # noqa: ANN401 - of OpenTelemetry
    kind: Any,  # noqa: ANN401
) -> Iterator[Span]:
    from opentelemetry import trace

    with trace.get_tracer(_NAME).start_as_current_span(
        name,
        context=context,
        kind=kind,
        attributes=attributes,
        # Messages may hold SQL or identifiers; the class says enough.
        record_exception=False,
        set_status_on_exception=False,
    ) as started:
        try:
            yield _Recorded(started)
        except BaseException as error:
            started.set_status(trace.Status(trace.StatusCode.ERROR, type(error).__name__))
            raise
