"""`@retry_on_failure`: repeats a failed attempt with a new scope, transaction and handler."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from time import monotonic
from typing import Any

import structlog

from app.core.cqrs.errors import ConcurrencyError, TransientError
from app.core.cqrs.events import EventRecord
from app.core.cqrs.messages import name_of
from app.core.cqrs.plan import Plan, Step
from app.core.cqrs.policies.policy import Policy, refusal

LONGEST_WAIT_SECONDS = 30.0

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RetryOnFailure(Policy):
    """Retry after transient errors.

    The wait is drawn uniformly between 0 and the backoff ("full jitter", M. Brooker, "Exponential Backoff and
    Jitter", AWS Architecture Blog, 2015), so that callers that collided once do not collide again. It is at most
    30 s. The deadline of the operation bounds all attempts together: if it would expire during the wait, the
    operation fails with the last error.

    Each attempt gets the fields of the message as they were sent, lists, dicts and sets too, but not what these hold.

    Args:
        max_attempts: the total number of attempts, the first included.
        delay_seconds: the upper bound of the wait after the first failure, in seconds.
        backoff_multiplier: the factor by which the upper bound grows with each failure.
        retry_on: the errors to retry after; None: `TransientError` and `ConcurrencyError`.
    """

    max_attempts: int = 3
    delay_seconds: float = 1.0
    backoff_multiplier: float = 2.0
    retry_on: Sequence[type[Exception]] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        errors = (TransientError, ConcurrencyError) if self.retry_on is None else tuple(self.retry_on)
        self._normalise(retry_on=errors)

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        return tuple(self.retry_on or ())

    def check(self, plan: Plan) -> None:
        """Refuse numbers that cannot work, errors that should not be retried, and in-transaction reactions."""
        if plan.nested:
            raise refusal(plan, "@retry_on_failure does nothing in somebody else's transaction: put it on the command.")
        if self.max_attempts < 1:
            raise refusal(plan, f"max_attempts={self.max_attempts} would never try; give 1 or more.")
        if self.delay_seconds < 0 or self.backoff_multiplier < 1:
            raise refusal(plan, "delay_seconds must not be negative, and backoff_multiplier must be at least 1.")
        if not self._errors:
            raise refusal(plan, "retry_on=[] would never try again; name errors, or leave it out.")
        for error in self._errors:
            if error is Exception or not issubclass(error, Exception):
                reason = f"retry_on contains {error.__name__}, which would repeat bugs or cancellations too"
                raise refusal(plan, f"{reason}; name the errors that pass.")

    def step(self, plan: Plan, proceed: Step) -> Step:
        """Repeat failed attempts. Only the outermost dispatch retries."""
        if plan.nested or self.max_attempts == 1:
            return proceed
        errors, seconds, kind = self._errors, plan.timeout_seconds, plan.message_type
        names = [field.name for field in fields(kind) if field.init] if is_dataclass(kind) else []

        async def attempt_repeatedly(message: Any) -> Any:
            ends = None if seconds is None else monotonic() + seconds
            sent, failures = message.event if isinstance(message, EventRecord) else message, 0
            values = {name: _kept(getattr(sent, name)) for name in names}
            while True:
                try:
                    return await proceed(message)
                except errors as error:
                    failures += 1
                    wait = random.uniform(0, self.longest_wait(failures))  # noqa: S311  # no secret
                    in_time = ends is None or monotonic() + wait < ends  # the error tells a caller more than a timeout
                    if failures == self.max_attempts or getattr(error, "is_final", False) or not in_time:
                        raise
                    _log(message, error, failures, wait)
                _restore(sent, values)
                await asyncio.sleep(wait)

        return attempt_repeatedly

    def longest_wait(self, failures: int) -> float:
        """The upper bound of the wait after this many failed attempts, in seconds."""
        try:
            wait = self.delay_seconds * self.backoff_multiplier ** (failures - 1)
        except OverflowError:
            return LONGEST_WAIT_SECONDS
        return min(wait, LONGEST_WAIT_SECONDS)


retry_on_failure = RetryOnFailure


def _restore(sent: object, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        object.__setattr__(sent, name, _kept(value))  # the class may be frozen


def _kept(value: Any) -> Any:
    """The value, or a copy of one that a handler may change."""
    return copy(value) if isinstance(value, list | dict | set) else value


def _log(message: Any, error: Exception, failures: int, wait: float) -> None:
    logger.warning(
        "attempt_failed",
        message_name=name_of(message),
        operation_id=message.metadata.operation_id,
        correlation_id=message.metadata.correlation_id,
        failures=failures,
        wait_seconds=round(wait, 3),
        error_type=type(error).__name__,
    )
