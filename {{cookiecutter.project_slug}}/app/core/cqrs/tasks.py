"""Work in several tasks: background work of a handler, and the one error that stands for what other tasks raised."""

import asyncio
from asyncio import CancelledError
from collections.abc import Coroutine, Iterator
from contextvars import copy_context
from time import monotonic
from typing import Any

import structlog

from app.core.cqrs.errors import ConcurrencyError, ConfigurationError, CQRSError, OperationStatus, TransientError
from app.core.cqrs.messages import name_of
from app.core.cqrs.operation import Operation, current
from app.core.cqrs.ports import ErrorReports
from app.core.cqrs.results import OperationResult

logger = structlog.get_logger(__name__)

_tasks: dict[asyncio.Task[None], tuple[Operation, float]] = {}
"""The running tasks, to which the event loop itself holds only weak references; each began at a monotonic time."""

STANDING_FOR_OTHERS = (BaseExceptionGroup, CancelledError)
"""The exceptions that `as_one` reduces to one error."""

SEVERITY = [*reversed(OperationStatus)]
"""Statuses by severity: of several simultaneous errors, the one whose status comes first here is reported."""


def as_one(error: BaseException) -> Exception:
    """Reduce an exception to the one error that it stands for.

    A group of errors of one class becomes the first of them. A group of different classes becomes the most severe of
    them, bugs first and, at equal severity, transient errors last; the transaction is then rolled back. The other
    errors become notes on it. A cancellation of something that this task awaited, not of the task itself, is a bug.

    Raises:
        BaseException: the error itself, if it is not a failure: this task is being cancelled, or the process ends.
    """
    if isinstance(error, BaseExceptionGroup):
        return _of_group(error)
    if isinstance(error, CancelledError):
        task = asyncio.current_task()
        if task is not None and not task.cancelling():
            return _foreign(error)
    if isinstance(error, Exception):
        return error
    raise error


def _of_group(group: BaseExceptionGroup[BaseException]) -> Exception:
    errors: list[Exception] = []
    for leaf in _leaves(group):
        if isinstance(leaf, CancelledError):
            errors.append(_foreign(leaf))
        elif isinstance(leaf, Exception):
            errors.append(leaf)
        else:
            raise group
    worst = min(errors, key=_severity)
    others = [error for error in errors if error is not worst]
    if isinstance(worst, CQRSError):
        alike = all(type(error) is type(worst) for error in others)
        worst.must_roll_back |= not alike or any(getattr(error, "must_roll_back", True) for error in others)
    for error in others:
        worst.add_note(f"At the same time: {type(error).__name__}: {error}")
    return worst


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def _severity(error: Exception) -> tuple[int, bool]:
    status = error.status if isinstance(error, CQRSError) else OperationStatus.FAILED
    return SEVERITY.index(status), isinstance(error, (TransientError, ConcurrencyError))


def _foreign(cancellation: CancelledError) -> RuntimeError:
    error = RuntimeError("It awaited something that was cancelled.")
    error.__cause__ = cancellation
    return error


def background(work: Coroutine[Any, Any, Any]) -> None:
    """Start work that outlives the operation: `background(self.bus.execute_command(SendReport(...)))`.

    Messages that the work dispatches run as independent operations of the same caller, each with its own transaction
    and attempts, whether this operation succeeds or not: work that must follow from its success belongs in a handler
    of its event. A failure is logged and reported. `CQRSBus.aclose` waits 5 s for the work (`background_seconds`),
    then cancels it, and a crash of the process ends it.

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
    bus.running += 1  # `CQRSBus.aclose` waits for it
    _tasks[task] = outliving, monotonic()
    task.add_done_callback(lambda task: _ended(task, outliving))


def _ended(task: asyncio.Task[None], outliving: Operation) -> None:
    del _tasks[task]
    outliving._bus.running -= 1
    outliving._bus = None


def background_of(bus: Any) -> dict[asyncio.Task[None], tuple[Operation, float]]:
    """The background work of a bus that is in progress, and the monotonic times at which it began."""
    return {task: (operation, began) for task, (operation, began) in [*_tasks.items()] if operation._bus is bus}


def cut_short(bus: Any, long_ago: float) -> None:
    """Cancel the background work of a bus that began before this monotonic time, and log which it was."""
    for task, (operation, began) in background_of(bus).items():
        if began > long_ago or task.cancelling():
            continue
        task.get_loop().call_soon_threadsafe(task.cancel)
        logger.error(
            "background_cut_short",
            message_name=name_of(operation._message),
            operation_id=operation._message and operation._message.metadata.operation_id,
            seconds=bus.background_seconds,
        )


async def _logged(work: Coroutine[Any, Any, Any], operation: Operation) -> None:
    reports = operation._bus.ports.reports
    try:
        answer = await work
        if isinstance(answer, OperationResult) and answer.is_failure:
            raise answer.to_error()
    except (Exception, *STANDING_FOR_OTHERS) as error:
        tell_of("background_failed", as_one(error), operation._message, reports)


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
