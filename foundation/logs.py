"""Structured logs: a constant event name plus fields; configured by entry points only."""

import logging
import sys

import structlog

from foundation.settings import Settings
from foundation.tracing import with_trace_id


def configure_logs(settings: Settings) -> None:
    """Send structlog's events to standard error, as JSON lines or for a person's eyes."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            with_trace_id,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # It complains of every attempt to connect; whoever needed the connection says so once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
