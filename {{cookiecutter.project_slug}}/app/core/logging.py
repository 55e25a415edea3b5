"""Logs: readable lines in development, JSON in production, and never a secret.

All logs go to standard error through one handler, including those of uvicorn, Alembic and other libraries.
"""

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from json import dumps
from typing import Any

import structlog
from structlog.types import EventDict, Processor

from app.core.redaction import hide_secrets

SpanIds = Callable[[], dict[str, str]]

CHATTY = (
    "httpx",
    "httpx2",
    "httpcore",
    "asyncio",
    "aiosqlite",
    "sqlalchemy",
    "app.persistence.engine.connection_pool.ConnectionPool",
)
AUDIT = "audit"
UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


current_request: ContextVar[str | None] = ContextVar("current_request", default=None)
"""The id of the current request. Binding it with `structlog.contextvars` would take ten times as long."""


def name_request(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the id of the current request to each line."""
    request_id = current_request.get()
    return event if request_id is None else {"request_id": request_id, **event}


# The list itself is the configuration: a test that captures logs changes it in place.
PROCESSORS: list[Processor] = [
    name_request,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.UnicodeDecoder(),
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]
OF_LIBRARIES: list[Processor] = [
    name_request,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class ServiceHandler(logging.Handler):
    """The one handler of the process. It looks up standard error for each line, because tests and tools replace it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; in place of a record that has no line, which may contain secrets, a short one about that."""
        try:
            line = self.format(record)
        except Exception as error:
            lost = {"event": "log_line_lost", "level": "error", "logger": record.name}
            line = dumps({**lost, "error_type": type(error).__name__})
        with suppress(Exception):  # nobody reads standard error any more
            sys.stderr.write(f"{line}\n")


def configure_logging(*, json: bool = False, level: str = "INFO", span_ids: SpanIds | None = None) -> None:
    """Send every log of the process to standard error, for people or as JSON; may be called again.

    Args:
        json: whether to write JSON for programs.
        level: the lowest level that is logged; the audit log is written at every level.
        span_ids: returns the ids of the current trace and span, which are added to each line; None: there are no spans.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _install(_handler(json, span_ids), threshold)


def _handler(json: bool, span_ids: SpanIds | None) -> ServiceHandler:
    handler = ServiceHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=OF_LIBRARIES,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _naming_trace(span_ids),
                # As text, so that secrets are found in it too; it never contains the values of variables.
                structlog.processors.format_exc_info,
                hide_secrets,
                _renderer(json),
            ],
        )
    )
    return handler


def _naming_trace(span_ids: SpanIds | None) -> Processor:
    """Adds the ids of trace and span to a line: those of its `traceparent`, else the current ones."""

    def name_trace(_: Any, __: str, event: EventDict) -> EventDict:
        named = str(event.pop("traceparent", None)).split("-")
        if len(named) == 4:
            return {**event, "trace_id": named[1], "span_id": named[2]}
        return {**event, **span_ids()} if span_ids else event

    return name_trace


def _renderer(json: bool) -> Processor:
    if json:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _install(handler: ServiceHandler, threshold: int) -> None:
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, ServiceHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold)
    logging.getLogger(AUDIT).setLevel(logging.INFO)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    for name in UVICORN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
