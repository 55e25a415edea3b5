"""`timeout_seconds`: one absolute deadline for everything an operation does, COMMIT included."""

import asyncio
from collections.abc import Coroutine, Generator
from time import monotonic
from types import coroutine
from typing import Any

import structlog

from app.core.cqrs.attempt import current_attempt
from app.core.cqrs.errors import HandlerTimeoutError
from app.core.cqrs.plan import Kind, Plan, Step

logger = structlog.get_logger(__name__)


def deadline(plan: Plan, proceed: Step) -> Step:
    """Start a timer when the operation first suspends: one that never suspends cannot be interrupted anyway."""
    seconds = plan.timeout_seconds
    if seconds is None:
        return proceed

    async def within(message: Any) -> Any:
        started = monotonic()
        work = proceed(message)
        try:
            awaited = work.send(None)
        except StopIteration as finished:
            return finished.value
        return await _limited(work, awaited, started + seconds - monotonic(), plan)

    return within


async def _limited(work: Coroutine[Any, Any, Any], awaited: Any, remaining: float, plan: Plan) -> Any:
    limit = asyncio.timeout(remaining)
    try:
        async with limit:
            return await _resume(work, awaited)
    except TimeoutError as error:
        if not limit.expired():
            raise
        attempt = current_attempt()
        if attempt is not None and attempt.committed is not None:
            logger.error("closing_cut_short", message_name=plan.message_type.__name__, seconds=plan.timeout_seconds)
            return attempt.committed[0]  # a committed operation can no longer time out
        raise HandlerTimeoutError(_sentence(plan)) from error


def _sentence(plan: Plan) -> str:
    if plan.kind is not Kind.EVENT:
        return f"{plan.message_type.__name__} was not done within {plan.timeout_seconds:g} s."
    return (
        f"{plan.name_on_record} did not handle the event within {plan.timeout_seconds:g} s: make it faster, or give it "
        "more time by @event_handler(..., timeout_seconds=...)."
    )


@coroutine
def _resume(work: Coroutine[Any, Any, Any], awaited: Any) -> Generator[Any, Any, Any]:
    """Resume a coroutine that has run to its first `await`, as `yield from` would."""
    while True:
        thrown: BaseException | None = None
        sent = None
        try:
            sent = yield awaited
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            thrown = error
        try:
            awaited = work.send(sent) if thrown is None else work.throw(thrown)
        except StopIteration as finished:
            return finished.value
