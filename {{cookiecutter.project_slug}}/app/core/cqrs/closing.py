"""Logs and reports failures of closing and of background work, which change no result."""

from collections.abc import Coroutine
from typing import Any

import structlog

from app.core.cqrs.groups import STANDING_FOR_OTHERS, as_one
from app.core.cqrs.messages import name_of
from app.core.cqrs.ports import ErrorReports

logger = structlog.get_logger(__name__)


async def unhurt(closing: Coroutine[Any, Any, Any], message: Any, reports: ErrorReports | None) -> None:
    """Await `closing`; a failure is logged and reported, and does not propagate."""
    try:
        await closing
    except Exception as error:
        tell_of("closing_failed", as_one(error), message, reports)
    except STANDING_FOR_OTHERS as error:
        tell_of("closing_failed", as_one(error), message, reports)


def tell_of(event: str, error: Exception, message: Any, reports: ErrorReports | None) -> None:
    """Log and report a failure that no result contains."""
    logger.error(
        event,
        message_name=name_of(message),
        operation_id=message.metadata.operation_id,
        correlation_id=message.metadata.correlation_id,
        error_type=type(error).__name__,
        exc_info=error,
    )
    if reports is not None:
        reports.report(error, name_of(message), message.metadata)
