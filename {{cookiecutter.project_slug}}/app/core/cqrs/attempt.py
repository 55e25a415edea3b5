"""One attempt of an operation: its scope, its work, and the call of the handler."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import structlog

from app.core.cqrs.closing import tell_of
from app.core.cqrs.dispatch import current
from app.core.cqrs.errors import ConfigurationError, CQRSError
from app.core.cqrs.groups import STANDING_FOR_OTHERS, as_one
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.cached_query import HIT_BY_HOOK, NOT_CACHED
from app.core.cqrs.policies.invalidates import Invalidates
from app.core.cqrs.policies.retry_on_failure import mark_final
from app.core.cqrs.policies.transactional import Transactional
from app.core.cqrs.ports import Resolver
from app.core.cqrs.results import RESULTS, SUCCEEDED, OperationResult, as_result, returned_error
from app.core.cqrs.work import Work, current_work, work_of

logger = structlog.get_logger(__name__)


def opens_unit(plan: Plan) -> bool:
    """Whether the handler needs a unit of work and the bus can open one."""
    return plan.policy(Transactional) is not None and plan.ports.units is not None


def makes_work(plan: Plan) -> bool:
    """Whether an attempt has state of its own: a scope, a unit of work, or stale cache tags."""
    has_scope = plan.is_class and plan.ports.scope is not None
    return has_scope or opens_unit(plan) or plan.policy(Invalidates) is not None


def attempt(plan: Plan, proceed: Step) -> Step:
    """Give each attempt a new `Work`. A nested dispatch joins the work of the outer dispatch where possible."""
    scope = plan.ports.scope if plan.is_class else None
    if not makes_work(plan):
        return proceed

    nested, is_query, get_current = plan.nested, plan.kind is Kind.QUERY, current.get

    async def with_work(message: Any) -> Any:
        dispatch = get_current()
        assert dispatch is not None, "a pipeline only runs inside a dispatch"
        outer_work = work_of(dispatch) if nested else None
        if outer_work is not None and _can_join(outer_work):
            outer_work.join(plan.message_type.__name__)
            async with outer_work.unit.reading() if is_query and outer_work.unit else nullcontext():
                if scope is None or outer_work.resolver is not None:
                    return await proceed(message)
                try:
                    return await _in_scope(scope(), outer_work, proceed, message, plan)
                finally:
                    outer_work.resolver = None
        work = dispatch._work = Work()
        try:
            answer = await (proceed(message) if scope is None else _in_scope(scope(), work, proceed, message, plan))
            if work.unit is None:
                work.may_have_committed = True
            return answer
        except Exception as error:
            if work.may_have_committed:
                mark_final(error)
            raise

    def _can_join(work: Work) -> bool:
        return work.unit is not None or ((work.resolver is not None or scope is None) and not opens_unit(plan))

    return with_work


async def _in_scope(
    opened: AbstractAsyncContextManager[Resolver], work: Work, rest: Step, message: Any, plan: Plan
) -> Any:
    """Run the rest of the pipeline in an open scope, which builds the handler and its dependencies, and close it."""
    work.resolver = await opened.__aenter__()
    try:
        answer = await rest(message)
    except BaseException as error:
        await _close(opened, error, work, message, plan)
        raise
    await _close(opened, None, work, message, plan)
    return answer


async def _close(
    opened: AbstractAsyncContextManager[Resolver], failed: BaseException | None, work: Work, message: Any, plan: Plan
) -> None:
    """Close the scope. A failure of that does not change the outcome of the operation, which is already settled.

    There is one exception: outside of a transaction, the scope refuses changes that would be lost silently.
    """
    try:
        where = None if failed is None else failed.__traceback__  # contextlib overwrites __traceback__ with this
        await opened.__aexit__(None if failed is None else type(failed), failed, where)
    except (Exception, *STANDING_FOR_OTHERS) as error:
        one = as_one(error)
        if failed is None and work.unit is None and isinstance(one, ConfigurationError):
            raise
        tell_of("closing_failed", one, message, plan.ports.reports)


def handling(plan: Plan) -> Step:
    """Call the handler and its hooks.

    For commands and queries, an instance with neither hooks nor policies is called directly.
    """
    if not plan.is_class and not plan.needs_result and plan.kind is not Kind.EVENT:
        return plan.handler._handle  # type: ignore[no-any-return]
    affected = plan.overrides("_get_affected_entities")
    pagination = plan.overrides("_get_pagination_info")
    caches_itself = plan.kind is Kind.QUERY and plan.cache_enabled and plan.caches_itself

    async def handle(message: Any) -> Any:
        try:
            handler = await _built(plan)
            if plan.kind is Kind.EVENT:
                return await handler._handle(message.event)
            if caches_itself and (found := await handler._get_cached_result(message)) is not None:
                return as_result(found, plan.result_type, message).with_outcome(cache_info=HIT_BY_HOOK)
            result = as_result(await handler._handle(message), plan.result_type, message)
            _raise_failure(result)
            if affected:
                result = await _told_by(handler._get_affected_entities, message, result, "affected_entities")
            if pagination:
                result = await _told_by(handler._get_pagination_info, message, result, "pagination")
            if caches_itself:
                await handler._cache_result(message, result)
                result = result.with_outcome(cache_info=NOT_CACHED)
            return result
        except STANDING_FOR_OTHERS as error:
            one = as_one(error)
        raise one  # outside of the except clause, so that the group does not become its context

    return handle


async def _built(plan: Plan) -> Any:
    """The registered handler instance, or a new instance of the registered class."""
    if not plan.is_class:
        return plan.handler
    work = current_work()
    if work is None or work.resolver is None:
        return plan.handler()
    return await work.resolver.get(plan.handler)


def _raise_failure(result: OperationResult[Any]) -> None:
    """Raise a failed result as an error, so that the steps around the handler treat both alike."""
    if result._outcome is not SUCCEEDED and result.is_failure:
        raise returned_error(result)


async def _told_by(hook: Any, message: Any, result: OperationResult[Any], part: str) -> OperationResult[Any]:
    """Add the answer of a hook to a result. A failing hook neither fails the operation nor undoes its work.

    In a transaction the hook runs inside a savepoint. A failure before the savepoint exists, such as that of a pending
    write that is flushed for it, is a failure of the handler.
    """
    work, is_hook = current_work(), False
    try:
        async with nullcontext() if work is None or work.unit is None else work.unit.savepoint():
            is_hook = True
            return result.with_outcome(**{part: await hook(message, result.data)})
    except (Exception, *STANDING_FOR_OTHERS) as error:
        one = as_one(error)
        if not is_hook:
            raise
        logger.error("hook_failed", hook=hook.__name__, operation_id=message.metadata.operation_id, exc_info=one)
        return result


def answering(plan: Plan, proceed: Step) -> Step:
    """Return a result to the middleware around this step, also the failed result that a handler returned."""
    if not plan.middlewares:
        return proceed

    result_type = plan.result_type

    async def give_result(message: Any) -> Any:
        try:
            answer = await proceed(message)
        except CQRSError as error:
            if (returned := returned_by(error, message)) is not None:
                return returned
            raise
        except STANDING_FOR_OTHERS as error:
            one = as_one(error)
        else:
            return as_given(answer, message)
        raise one

    def as_given(answer: Any, message: Any) -> Any:
        if answer.__class__ in RESULTS:
            is_ours = answer.__class__ is result_type and answer._message is message
            return answer if is_ours else as_result(answer, result_type, message)
        result = result_type()
        result._data = answer
        result._message = message
        result._outcome = SUCCEEDED
        return result

    return give_result


def returned_by(error: CQRSError, message: Any) -> OperationResult[Any] | None:
    """The failed result behind an error, if the handler of this same message returned one."""
    result = error.returned
    return result if isinstance(result, OperationResult) and result._message is message else None
