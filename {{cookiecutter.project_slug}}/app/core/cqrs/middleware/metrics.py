"""How many operations there were, how they ended, and how long they took, for Prometheus."""

from time import perf_counter
from typing import Any

from prometheus_client import Histogram

from app.core.cqrs.errors import CQRSError
from app.core.cqrs.middleware.behavior import NextHandler
from app.core.cqrs.results import OperationResult
from app.core.cqrs.status import OperationStatus

DURATION = Histogram(
    "cqrs_operation_duration_seconds",
    "Duration of commands and queries; its count tells how many there were.",
    ("message", "status"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class _Succeeded(dict[type, Histogram]):
    """The series of successes of each message type: to look one up by its labels costs as much as to count."""

    def __missing__(self, message_type: type) -> Histogram:
        series = self[message_type] = DURATION.labels(message_type.__name__, OperationStatus.SUCCESS.value)
        return series


_succeeded = _Succeeded()


async def measure(operation: Any, next_handler: NextHandler) -> OperationResult[Any]:
    """Measure the operation; errors that are no part of the tree count as failed."""
    started = perf_counter()
    status = OperationStatus.FAILED
    try:
        result = await next_handler()
        status = result.status
        return result
    except CQRSError as error:
        status = error.status
        raise
    finally:
        duration = perf_counter() - started
        if status is OperationStatus.SUCCESS:
            _succeeded[type(operation)].observe(duration)
        else:
            DURATION.labels(type(operation).__name__, status.value).observe(duration)
