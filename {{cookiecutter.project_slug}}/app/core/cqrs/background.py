"""Background work of handlers, and reports of failures that no result contains: in it, and while something closes."""

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

import structlog

from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.exception_groups import STANDING_FOR_OTHERS, as_one
from app.core.cqrs.messages import name_of
from app.core.cqrs.operation import Operation, current
from app.core.cqrs.ports import ErrorReports
from app.core.cqrs.results import OperationResult

logger = structlog.get_logger(__name__)

_tasks: set[asyncio.Task[None]] = set()
"""Strong references to the running tasks: the event loop itself holds only weak ones."""


def background(work: Coroutine[Any, Any, Any]) -> None:
    """Start work that outlives the operation: `background(self.bus.execute_command(SendReport(...)))`.

    Messages that the work dispatches run as independent operations of the same caller, each with its own transaction
    and attempts. They do not wait for this operation, and run whether it succeeds or not: work that must follow from
    its success belongs in a handler of its event. A failure is logged and reported. `CQRSBus.aclose` waits for the
    work, but a crash of the process ends it.

    Args:
        work: a coroutine that has not been awaited; it must not use the session of this operation.

    Raises:
        ConfigurationError: if no handler is running.
    """
    started_by = current.get()
    bus = None if started_by is None else started_by._bus
    if started_by is None or bus is None:
        work.close()
        raise ConfigurationError(
            "background() is for handlers, while they run; elsewhere, await the operation or keep a task of it."
        )
    _start(work, started_by, bus)


def _start(work: Coroutine[Any, Any, Any], started_by: Operation, bus: Any) -> None:
    outliving = Operation()
    outliving._bus, outliving._message, outliving._token = bus, started_by._message, None
    context = copy_context()
    context.run(current.set, outliving)
    name = f"background of {name_of(started_by._message)}"
    task = asyncio.get_running_loop().create_task(_logged(work, outliving), name=name, context=context)

    def ended(task: asyncio.Task[None]) -> None:
        _tasks.discard(task)
        outliving._bus = None
        bus.running -= 1

    bus.running += 1  # `CQRSBus.aclose` waits for it
    _tasks.add(task)
    task.add_done_callback(ended)


async def _logged(work: Coroutine[Any, Any, Any], operation: Operation) -> None:
    reports = operation._bus.ports.reports
    try:
        answer = await work
        if isinstance(answer, OperationResult) and answer.is_failure:
            raise answer.to_error()
    except Exception as error:
        tell_of("background_failed", error, operation._message, reports)


async def unhurt(closing: Coroutine[Any, Any, Any], message: Any, reports: ErrorReports | None) -> None:
    """Await `closing`; a failure is logged and reported, and does not propagate."""
    try:
        await closing
    except (Exception, *STANDING_FOR_OTHERS) as error:
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
