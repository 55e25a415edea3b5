"""`@retry_on_failure`: repeats a failed attempt with a new scope, transaction and handler."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import stamina

from app.core.cqrs.errors import ConcurrencyError, TransientError
from app.core.cqrs.plan import Plan, Step
from app.core.cqrs.policies.policy import K, Policy, record, refuse
from app.core.cqrs.targets import require_arguments

LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class RetryOnFailure(Policy):
    """Recorded by `retry_on_failure`."""

    max_attempts: int
    delay_seconds: float
    backoff_multiplier: float
    retry_on: tuple[type[Exception], ...]

    def check(self, plan: Plan) -> None:
        if plan.nested:
            raise refuse(plan, "@retry_on_failure does nothing in somebody else's transaction: put it on the command.")
        if self.max_attempts < 1:
            raise refuse(plan, f"max_attempts={self.max_attempts} would never try; give 1 or more.")
        if self.delay_seconds < 0 or self.backoff_multiplier < 1:
            raise refuse(plan, "delay_seconds must not be negative, and backoff_multiplier must be at least 1.")
        if not self.retry_on:
            raise refuse(plan, "retry_on=[] would never try again; name errors, or leave it out.")
        for error in self.retry_on:
            if error is Exception or not issubclass(error, Exception):
                reason = f"retry_on contains {error.__name__}, which would repeat bugs or cancellations too"
                raise refuse(plan, f"{reason}; name the errors that pass.")

    def longest_wait(self, failures: int) -> float:
        """The upper bound of the wait after this many failed attempts, in seconds."""
        try:
            wait = self.delay_seconds * self.backoff_multiplier ** (failures - 1)
        except OverflowError:
            return LONGEST_WAIT_SECONDS
        return min(wait, LONGEST_WAIT_SECONDS)


def retry_on_failure(
    max_attempts: int = 3,
    delay_seconds: float = 1.0,
    backoff_multiplier: float = 2.0,
    retry_on: Sequence[type[Exception]] | None = None,
) -> Callable[[K], K]:
    """Retry after transient errors.

    The wait is drawn uniformly between 0 and the backoff ("full jitter", M. Brooker, "Exponential Backoff and
    Jitter", AWS Architecture Blog, 2015), so that callers that collided once do not collide again. It is at most
    30 s. The deadline of the operation bounds all attempts together: if it would expire during the wait, the
    operation fails with the last error.

    Args:
        max_attempts: the total number of attempts, the first included.
        delay_seconds: the upper bound of the wait after the first failure, in seconds.
        backoff_multiplier: the factor by which the upper bound grows with each failure.
        retry_on: the errors to retry after; None: `TransientError` and `ConcurrencyError`.

    Raises:
        PolicyError: if it is used without parentheses, or on anything but a handler class.
    """
    require_arguments("retry_on_failure", "@retry_on_failure()", max_attempts)
    errors = (TransientError, ConcurrencyError) if retry_on is None else tuple(retry_on)
    return lambda handler: record(handler, RetryOnFailure(max_attempts, delay_seconds, backoff_multiplier, errors))


def retry(plan: Plan, proceed: Step) -> Step:
    """Run the first attempt without stamina, which runs the retries. Only the outermost dispatch retries."""
    policy = plan.policy(RetryOnFailure)
    if policy is None or plan.nested or policy.max_attempts == 1:
        return proceed

    async def attempt_repeatedly(message: Any) -> Any:
        started = monotonic()
        try:
            return await proceed(message)
        except policy.retry_on as error:
            if _is_final(error):
                raise
            failed = error
        ends = None if plan.timeout_seconds is None else started + plan.timeout_seconds
        return await _again(message, proceed, policy, failed, ends)

    return attempt_repeatedly


async def _again(message: Any, proceed: Step, policy: RetryOnFailure, failed: Exception, ends: float | None) -> Any:
    """Retry after a first failure, which is passed to stamina as the failure of its own first attempt."""
    failures = 0

    def wait_after(error: Exception) -> bool | float:
        nonlocal failures
        failures += 1
        wait = random.uniform(0, policy.longest_wait(failures))  # noqa: S311  # no secret
        in_time = ends is None or monotonic() + wait < ends  # the failure tells a caller more than a timeout
        return in_time and isinstance(error, policy.retry_on) and not _is_final(error) and wait

    async for attempt in stamina.retry_context(on=wait_after, attempts=policy.max_attempts, timeout=None):
        with attempt:
            if attempt.num == 1:
                raise failed
            return await proceed(message)


def mark_final(error: Exception) -> None:
    """Exclude an error from retries: the work may have been committed, and a retry could do it twice."""
    error.is_final = True  # type: ignore[attr-defined]


def _is_final(error: Exception) -> bool:
    return getattr(error, "is_final", False)
