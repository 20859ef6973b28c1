"""Structured logs: a constant event name plus fields; configured by entry points only."""

import logging
import sys

import structlog

from foundation.settings import Settings
from foundation.tracing import with_trace_id


def configure_logs(settings: Settings) -> None:
    """
    Send all events to standard error, as JSON lines or for a person's eyes.

    What libraries log and warn of goes the same way, with what is bound to the request or run under
    way; of them, warnings and worse.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    known: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        with_trace_id,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*known, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*known, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
    # It complains of every attempt to connect; whoever needed the connection says so once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
