"""The innermost step of the pipeline: it builds the handler, calls it, and calls its hooks."""

from contextlib import nullcontext
from typing import Any

import structlog

from app.core.cqrs.attempt import attempt_here
from app.core.cqrs.plan import HOOKS_ON_RESULTS, Kind, Plan, Step
from app.core.cqrs.results import HIT_BY_HOOK, NOT_CACHED, SUCCEEDED, OperationResult, as_result, returned_error
from app.core.cqrs.tasks import STANDING_FOR_OTHERS, as_one

logger = structlog.get_logger(__name__)


def handling(plan: Plan) -> Step:
    """Call the handler and its hooks; an instance without policies or overridden hooks is called directly.

    The caching hooks run without a savepoint: an error in them is an error of the handler.
    """
    if plan.kind is Kind.EVENT:
        return _reacting(plan)
    if not plan.is_class and not plan.needs_result:
        return plan.handler._handle  # type: ignore[no-any-return]
    return _answering(plan)


def _answering(plan: Plan) -> Step:
    result_type = plan.result_type
    hooks = [(hook, part) for hook, part in HOOKS_ON_RESULTS.items() if plan.overrides(hook)]
    caches_itself = plan.kind is Kind.QUERY and plan.cache_enabled and plan.caches_itself

    async def handle(message: Any) -> Any:
        try:
            handler = await _built(plan)
            if caches_itself and (found := await handler._get_cached_result(message)) is not None:
                return as_result(found, result_type, message).with_outcome(cache_info=HIT_BY_HOOK)
            result = as_result(await handler._handle(message), result_type, message)
            if result._outcome is not SUCCEEDED and result.is_failure:
                raise returned_error(result)  # so that outer steps treat a returned failure like a raised one
            for hook, part in hooks:
                result = await _told_by(getattr(handler, hook), message, result, part)
            if caches_itself:
                if not result._outcome.is_partial:
                    await handler._cache_result(message, result)
                result = result.with_outcome(cache_info=NOT_CACHED)
            return result
        except STANDING_FOR_OTHERS as error:
            one = as_one(error)
        raise one  # outside of the except clause, so that the group does not become its context

    return handle


def _reacting(plan: Plan) -> Step:
    async def react(record: Any) -> None:
        try:
            handler = await _built(plan)
            await handler._handle(record.event)
            return
        except STANDING_FOR_OTHERS as error:
            one = as_one(error)
        raise one  # outside of the except clause, as in `handle`

    return react


async def _built(plan: Plan) -> Any:
    """The registered handler instance, or a new instance of the registered class."""
    if not plan.is_class:
        return plan.handler
    own = attempt_here()
    if own is None or own.resolver is None:
        return plan.handler()
    return await own.resolver.get(plan.handler)


async def _told_by(hook: Any, message: Any, result: OperationResult[Any], part: str) -> OperationResult[Any]:
    """Add a hook's return value to a result. If the hook fails, that is logged, and the handler's work is kept.

    In a transaction the hook runs inside a savepoint. A failure while the savepoint is created, such as one of
    flushing pending writes, is a failure of the handler.
    """
    own, is_hook = attempt_here(), False
    try:
        async with nullcontext() if own is None or own.unit is None else own.unit.savepoint():
            is_hook = True
            return result.with_outcome(**{part: await hook(message, result.data)})
    except (Exception, *STANDING_FOR_OTHERS) as error:
        one = as_one(error)
        if not is_hook:
            raise
        logger.error("hook_failed", hook=hook.__name__, operation_id=message.metadata.operation_id, exc_info=one)
        return result.with_outcome(is_partial=True)
