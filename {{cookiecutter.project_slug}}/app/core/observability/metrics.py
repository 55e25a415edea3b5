"""Prometheus metrics of operations: their number, outcome and duration."""

from time import perf_counter
from typing import Any

from prometheus_client import Histogram

from app.core.cqrs.errors import CQRSError, OperationStatus
from app.core.cqrs.middleware import NextHandler
from app.core.cqrs.results import OperationResult

DURATION = Histogram(
    "cqrs_operation_duration_seconds",
    "Duration of commands and queries; its count tells how many there were.",
    ("message", "status"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class _Series(dict[tuple[type, OperationStatus], Histogram]):
    """Caches the series of each message type and outcome: a look-up by labels costs as much as the observation."""

    def __missing__(self, key: tuple[type, OperationStatus]) -> Histogram:
        message_type, status = key
        series = self[key] = DURATION.labels(message_type.__name__, status.value)
        return series


_series = _Series()


async def measure(operation: Any, next_handler: NextHandler) -> OperationResult[Any]:
    """Measure the duration of the operation; exceptions other than `CQRSError` count as FAILED."""
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
        _series[type(operation), status].observe(perf_counter() - started)
