"""Logs one line for each operation that did not succeed; the error boundary logs bugs itself, with tracebacks."""

from typing import Any

import structlog

from app.core.cqrs.errors import CQRSError, OperationStatus
from app.core.cqrs.messages import name_of
from app.core.cqrs.middleware import NextHandler
from app.core.cqrs.results import OperationResult

logger = structlog.get_logger("operations")


async def log_outcome(operation: Any, next_handler: NextHandler) -> OperationResult[Any]:
    """Log the outcome of the operation, unless it succeeded."""
    try:
        result = await next_handler()
    except CQRSError as error:
        _log(operation, error.status, type(error).__name__, error.message)
        raise
    if result.is_failure:
        _log(operation, result.status, None, result.error_message)
    return result


def _log(operation: Any, status: OperationStatus, error_type: str | None, message: str | None) -> None:
    log = logger.warning if status in (OperationStatus.TIMEOUT, OperationStatus.UNAVAILABLE) else logger.info
    log(
        "operation_refused",
        message_name=name_of(operation),
        status=status.value,
        error_type=error_type,
        reason=message,
        operation_id=operation.metadata.operation_id,
        correlation_id=operation.metadata.correlation_id,
        user_id=operation.metadata.user_id,
    )
