"""Reduces the exception groups of task groups, and cancellations of other tasks, to one error."""

from asyncio import CancelledError, current_task
from collections.abc import Iterator, Sequence

from app.core.cqrs.errors import ConcurrencyError, CQRSError, OperationStatus, TransientError

SEVERITY: Sequence[OperationStatus] = (
    OperationStatus.FAILED,
    OperationStatus.UNAVAILABLE,
    OperationStatus.TIMEOUT,
    OperationStatus.RATE_LIMITED,
    OperationStatus.CONFLICT,
    OperationStatus.BUSINESS_RULE,
    OperationStatus.NOT_FOUND,
    OperationStatus.FORBIDDEN,
    OperationStatus.UNAUTHENTICATED,
    OperationStatus.VALIDATION_ERROR,
    OperationStatus.BAD_REQUEST,
)
"""Statuses by severity: of several simultaneous errors, the one whose status comes first here is reported."""

STANDING_FOR_OTHERS = (BaseExceptionGroup, CancelledError)
"""The exceptions that `as_one` reduces to one error."""


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
        task = current_task()
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
